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
	pid_t parent;
	uint64_t cpu;	   /* clock ticks so far, of all its threads */
	uint64_t start;	   /* clock ticks since boot */
	uint64_t resident; /* pages of memory */
};

/* The beginning of a small file, with a NUL.  Return: 0, -1 for nothing. */
int proc_read_file(const char *path, char *ret_text, size_t size);
/* ...: of /proc/@pid/@name. */
int proc_read(pid_t pid, const char *name, char *ret_text, size_t size);

/* Return: 0; -1 where /proc tells nothing. */
int proc_glance(pid_t pid, struct proc_glance *ret_glance);

/* Seconds since then. */
uint64_t proc_age(uint64_t start);

/* If @pid is a thread and no process, the process it belongs to; else 0. */
pid_t proc_thread_owner(pid_t pid);

#endif
