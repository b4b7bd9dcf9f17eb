/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A timer is set to be tried: a sandbox may give one and refuse that, and who
 * relies on it would wait for ever.
 */
#ifndef PT_TIMER_H
#define PT_TIMER_H

#include "base.h"

/*
 * @ns: of CLOCK_MONOTONIC, when it is first readable; 0: not yet
 *
 * Return: it, close-on-exec and non-blocking; -EMFILE, -ENOMEM and the like,
 *         or what a sandbox refuses it with.
 */
int pt_timer_new(int64_t ns);

#endif
