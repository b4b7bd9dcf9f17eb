/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What /proc tells people about a process; nothing is ever decided by it.
 */
#ifndef PROC_H
#define PROC_H

#include <stdint.h>
#include <sys/types.h>

#define PROC_COMMAND_SIZE                                   \
	65 /* TASK_COMM_LEN is 16, kernel threads have more \
	    */

struct proc_glance {
	char command[PROC_COMMAND_SIZE]; /* printable ASCII, the rest '?' */
	uint64_t start;			 /* clock ticks since boot */
};

/* Return: 0; -1 where /proc tells nothing. */
int proc_glance(pid_t pid, struct proc_glance *ret_glance);

/* Seconds since then. */
uint64_t proc_age(uint64_t start);

/* If @pid is a thread and no process, the process it belongs to; else 0. */
pid_t proc_thread_owner(pid_t pid);

#endif
