/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Attaching, for who has a pidfd of his own.
 */
#ifndef PT_ATTACH_H
#define PT_ATTACH_H

#include "tracker.h"

/*
 * In the owner: tracks the process of a pidfd that was kept under @label, child
 * or not; it is let go when its end was acknowledged.  Takes @pidfd, in any
 * case.
 *
 * Return: 0, or as pidtrack_attach_pidfd().
 */
int pt_attach_kept(struct pidtrack *tracker, int pidfd, const char *label,
		   struct pidtrack_process **ret_process);

#endif
