/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One try at launching: a child is cloned in one of the ways there are, and has
 * executed or ended when that returns.
 */
#ifndef PT_ATTEMPT_H
#define PT_ATTEMPT_H

#include "base.h"
#include "child.h"
#include "pidtrack.h"

/* Ways of cloning, best first; each is given up when it is refused. */
#define PT_WAY_CLONE3 (1U << 0)
#define PT_WAY_CLEAR_SIGHAND (1U << 1) /* with CLONE3 */
#define PT_WAY_INTO_CGROUP (1U << 2)   /* with CLONE3; else by the child */
#define PT_WAY_AUTOKILL (1U << 3)      /* with CLONE3; else by PDEATHSIG */
#define PT_WAY_SHARE_TABLE (1U << 4)   /* else a copy of all descriptors */
#define PT_WAY_PIDFD (1U << 5)	       /* else opened after the clone: */
#define PT_WAY_SELF_OPEN (1U << 6)     /* by the child; else by its number, */
				       /* of a plain fork that waits for it */
#define PT_WAYS_CLONE3                                               \
	(PT_WAY_CLONE3 | PT_WAY_CLEAR_SIGHAND | PT_WAY_INTO_CGROUP | \
	 PT_WAY_AUTOKILL)
#define PT_WAYS_ALL \
	(PT_WAYS_CLONE3 | PT_WAY_SHARE_TABLE | PT_WAY_PIDFD | PT_WAY_SELF_OPEN)

#define PT_STACK_SIZE ((size_t)128 << 10)

struct pt_attempt {
	const struct pidtrack_spawn_options *options;
	struct pt_child child;
	void *stack; /* the child's: its lowest of PT_STACK_SIZE bytes */
	uint64_t namespaces; /* of the options, those that the clone makes */
	uint32_t ways;
	int exec_pipe[2];   /* whose end tells us of exec; -1: nothing need */
	bool memory_shared; /* set by the child, if it can */
	bool suspends;	    /* a vfork-style clone really shares and suspends */
};

/*
 * Clones, and waits until the child has executed or ended.
 *
 * Return: its pid, and its pidfd, which can be a negative errno where it is
 *         opened after the clone, of a child that has executed nothing; or a
 *         negative errno, and there is no child.
 */
int pt_attempt_clone(struct pt_attempt *attempt, int *ret_pidfd);

#endif
