/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Which signals a thread of the host's may block for a moment without anybody
 * noticing.
 */
#ifndef PT_QUIET_H
#define PT_QUIET_H

#include "sys.h"

/*
 * All of them, but for SIGCHLD where nobody handles it: that one stays as it
 * is.  To a thread that blocks it the end of a child is not ignored but
 * pending, and interrupts another thread's system call; to one that unblocks
 * it, it is ignored, and lost to whoever reads it from a signalfd.
 */
static inline int pt_quiet_mask(uint64_t *ret_mask)
{
	uint64_t before;
	int r;

	r = sys_signal_mask(NULL, &before);
	if (r < 0)
		return r;
	*ret_mask = ~UINT64_C(0);
	if (!(before & BIT(SIGCHLD - 1)) && !sys_signal_has_handler(SIGCHLD))
		*ret_mask &= ~BIT(SIGCHLD - 1);
	return 0;
}

/* Blocks them, until sys_signal_mask(@ret_before, NULL). */
static inline int pt_quiet_enter(uint64_t *ret_before)
{
	uint64_t quiet;
	int r;

	r = pt_quiet_mask(&quiet);
	return r < 0 ? r : sys_signal_mask(&quiet, ret_before);
}

/* What a terminal stops processes by. */
#define PT_STOPS (BIT(SIGTSTP - 1) | BIT(SIGTTIN - 1) | BIT(SIGTTOU - 1))

/*
 * Blocks what a terminal stops processes by, where nothing else needs to be:
 * a child that has no handlers is in our process group still, and if it were
 * stopped before it blocks signals itself, we would wait in vfork until
 * somebody continues it.  Refused, nothing is blocked; it is the same for the
 * child, which says so.
 *
 * Return: whether they are, until sys_signal_mask(@ret_before, NULL).
 */
static inline bool pt_quiet_stops(uint64_t *ret_before)
{
	return sys_signal_block(PT_STOPS, ret_before) >= 0;
}

#endif
