/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a process takes of the machine, for people; nothing is ever decided by
 * it.
 */
#ifndef USAGE_H
#define USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define USAGE_UNKNOWN UINT64_MAX

/* Where cgroup2 is, and we are in it. */
struct usage_place {
	char mount[512]; /* "": nowhere */
	char own[1024];	 /* as /proc/PID/cgroup has it */
};

void usage_find(struct usage_place *ret_place);

enum usage_of { USAGE_OF_PROCESS, USAGE_OF_CGROUP, USAGE_OF_N };

/* Of the process alone, and of all in its cgroup; each USAGE_UNKNOWN where
 * that is not told. */
struct usage {
	uint64_t at;		     /* usage_clock(); 0: none */
	uint64_t cpu[USAGE_OF_N];    /* microseconds so far */
	uint64_t memory[USAGE_OF_N]; /* bytes */
	uint64_t cgroup; /* which, for comparing; 0: none of its own */
};

/* Microseconds, CLOCK_MONOTONIC. */
uint64_t usage_clock(void);

/*
 * Looks once, at five files at most.  A cgroup is @pid's own unless it is the
 * root, or we or the parent of @pid are in it, too: then that is where it
 * happens to be, and what all in there take says nothing of it.
 */
void usage_look(const struct usage_place *place, pid_t pid,
		struct usage *ret_usage);

/* Of one CPU, in tenths of a percent, between two looks; or USAGE_UNKNOWN. */
uint64_t usage_cpu(const struct usage *before, const struct usage *now,
		   enum usage_of of);

#endif
