/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Which numbers are those of processes that a tracker of this process has, any
 * of them, in any thread: their children are no orphans.  And launches that are
 * under way, whose children no tracker has yet.  Costs no system call.
 */
#ifndef PT_CLAIMS_H
#define PT_CLAIMS_H

#include <sys/types.h>

#include "base.h"

/*
 * Once, before any other; again is fine.  What is written down is not that of a
 * child of fork(), which begins with none.
 *
 * Return: 0; -ENOMEM.
 */
int pt_claims_ready(void);

/* One more tracker has it, or one less; it is still the same process. */
void pt_claims_add(pid_t pid);
void pt_claims_drop(pid_t pid);

/* True too of a number beyond those the kernel has. */
bool pt_claims_has(pid_t pid);

/*
 * Between the two a child may be made that nobody has claimed yet; when they
 * are over it is claimed, or reaped.
 */
int pt_claims_begin(void);
void pt_claims_end(int begun);

/* When it was known last that of those begun before none goes on. */
struct pt_calm {
	int64_t ns[2]; /* CLOCK_MONOTONIC; by kind */
};

/* Whether all that began before @since_ns are over; looks, and never waits. */
bool pt_claims_are_calm(struct pt_calm *calm, int64_t since_ns);

#endif
