/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a shim does between clone and exec.  It runs on memory it shares with
 * the suspended parent, or on a copy of what other threads were amid, so it
 * makes system calls and nothing else: no libc state, no allocation, no lock,
 * no return.
 */
#ifndef PT_CHILD_H
#define PT_CHILD_H

#include "base.h"
#include "caps.h"
#include "descriptors.h"
#include "pidtrack.h"

/* What the child tells the parent, in memory that even a fork would share. */
struct pt_report {
	volatile uint32_t stage; /* the step it is at, enum pidtrack_stage */
	volatile int32_t error;	 /* why it ended there; 0: it did not */
	volatile int32_t pid;	 /* its pid as the host sees it; 0: getpid() */
	volatile int32_t pidfd;	 /* with opens_self: of itself */
	volatile uint64_t kept;	 /* its inode, before it is kept; else 0 */
	volatile bool own_table; /* its descriptors are its own by now */
};

struct pt_child {
	const struct pidtrack_spawn_options *options;
	const struct pt_caps *caps; /* or NULL */
	struct pt_report *report;
	int (*publish)(void *argument, int fd, pid_t pid); /* or NULL */
	void *publish_argument;
	int (*keep)(void *argument, int file, int socket,
		    int self); /* or NULL */
	void (*take_back)(void *argument, int socket, int self);
	void *keep_argument;

	struct pt_descriptors fds;
	bool opens_self;  /* nobody else made a pidfd of it */
	bool held;	  /* nor does it: a fork, known by number alone */
	int gate;	  /* eventfd: a held one begins at 1; else errno + 1 */
	int program;	  /* target that is the program, or -1 */
	int death_signal; /* 0: none */
	pid_t host;	  /* unless there is PT_SPECIAL_HOST */
};

/* Runs the steps, then the program. */
_Noreturn void pt_child_run(struct pt_child *child);

#endif
