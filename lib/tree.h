/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A process and those who are to end with it: whether they may, and what they
 * are sent, step by step, until none is left.
 */
#ifndef PT_TREE_H
#define PT_TREE_H

#include <sys/types.h>

#include "base.h"
#include "fingerprint.h"
#include "pidtrack.h"
#include "sweep.h"

/*
 * Finds them, and sends nothing.
 *
 * @pidfd: lent; of the root, which may have @ended
 * @cgroup_fd: with CGROUP
 * @epoll: lent
 *
 * Return: 0; -EDEADLK if the caller is among them; -EREMOTE if the root has no
 *         number here; -EOPNOTSUPP without /proc; -EINVAL if it leads no group;
 *         -EBADF if that is no cgroup2; -ESTALE if the root is not in it, nor
 *         was; -ESRCH if it has ended and the kernel cannot tell, or nothing
 *         is left to be found by it; -EPERM; -ENOMEM, -EMFILE and the like.
 */
int pt_tree_new(const struct pt_place *place, uint32_t flags, pid_t pid,
		int pidfd, bool ended, int cgroup_fd, const int *epoll,
		struct pt_tree **ret_tree);
struct pt_tree *pt_tree_free(struct pt_tree *tree);

/*
 * Sends a signal to all, whoever comes meanwhile too; 0 only finds them.
 *
 * @time_ns: what the step lasts
 */
void pt_tree_signal(struct pt_tree *tree, int signal, int64_t time_ns);

/* Finds those who came, and sends them what they are due. */
void pt_tree_sweep(struct pt_tree *tree);

/* Whether all have ended, as far as can be known. */
bool pt_tree_is_over(const struct pt_tree *tree);

/*
 * When it wants to be swept next, CLOCK_MONOTONIC; INT64_MAX: not before one of
 * them ends.
 */
int64_t pt_tree_next_sweep(const struct pt_tree *tree);

#endif
