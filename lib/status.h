/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * How a process ended: from waitid(2) for our children, from the kernel's exit
 * info for all others and for those somebody else waited for.
 */
#ifndef PT_STATUS_H
#define PT_STATUS_H

#include <signal.h>

#include "base.h"

/* As of wait(2); of what waitid(2) told of an end, a stop or a continuation. */
int pt_status_of(const siginfo_t *siginfo);

/*
 * Asks for the status of a child without reaping it.
 *
 * Return: 1 and *ret_status; 0 if there is none to be had now, which a readable
 *         pidfd does not exclude; -ECHILD if it is not our child, nor traced by
 *         us.
 */
int pt_status_peek(int pidfd, int *ret_status);

/*
 * Whether it is a child of ours, of any thread, and not one that we only trace:
 * waitid(2) answers a tracer as it does a parent, and what it lets a tracer
 * reap is the word for that one, not the process.
 *
 * Return: false also if it cannot be known, and of one that is reaped: better
 *         not to reap our own than another's.
 */
bool pt_status_is_child(int pidfd);

/*
 * Takes word of a child having been stopped or continued, since last asked.
 *
 * @options: WSTOPPED, WCONTINUED
 *
 * Return: 1 and *ret_status; 0 if there is no word; -ECHILD.
 */
int pt_status_stopped(int pidfd, int options, int *ret_status);

/*
 * Asks for the status of a process that somebody else has waited for.
 *
 * Return: 1 and *ret_status; 0 if it is not reaped; -ENODATA if the kernel does
 *         not tell, Linux < 6.15 or another pid namespace.
 */
int pt_status_recover(int pidfd, int *ret_status);

/*
 * Whether the kernel tells, by one more change of its pidfd, when what has
 * ended is reaped.  It does since there is pidfs, Linux 6.9, which a sandbox
 * may hide; but PIDFD_GET_INFO came later.
 */
bool pt_status_reaping_is_told(int pidfd);

/* Whether nobody can wait for it any more, and its pid is free. */
bool pt_status_reaped(int pidfd);

#endif
