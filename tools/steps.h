/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The steps by which a process is to end, as a command line has them.
 */
#ifndef STEPS_H
#define STEPS_H

#include "pidtrack.h"

#define STEPS_MAX 16
#define STEPS_EXAMPLE "TERM:8s,KILL:2s"

/*
 * "TERM:8s,KILL:2s": signals by name or number, 0 or - for none, each with the
 * time there is for the process to end.
 *
 * Return: how many; or -EXIT_USAGE, having complained.
 */
int steps_parse(const char *text,
		struct pidtrack_stop_step ret_steps[STEPS_MAX]);

#endif
