/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Those who are to end with a process, its root: its descendants, its process
 * group, a cgroup.  Each is pinned by a pidfd before anything is sent, and
 * looked at again once it is: what was found by number is signalled only as the
 * process that was found.
 */
#ifndef PT_TREE_H
#define PT_TREE_H

#include <sys/types.h>

#include "base.h"
#include "cgroup.h"
#include "fingerprint.h"
#include "pidtrack.h"

struct pt_stop;
struct pt_tree;

/* One of them. */
struct pt_member {
	struct pt_member *next; /* in the order they were found */
	struct pt_member *like; /* another whose number falls together */
	struct pt_tree *tree;
	int pidfd; /* owned, but the root's; -1 once it has ended */
	pid_t pid;
	bool ended;
	bool due;     /* it is still to be sent the signal of this step */
	bool late;    /* found after that was sent to the others */
	bool held;    /* a child of it could not be pinned */
	bool frozen;  /* sent SIGSTOP, and SIGKILL is to follow */
	bool shot;    /* one of its group when that was sent a signal */
	bool reached; /* it was sent a signal */
};

#define PT_TREE_BUCKETS 64

struct pt_tree {
	struct pt_stop *stop;	/* whose it is */
	struct pt_member root;	/* its pidfd is lent */
	struct pt_member *last; /* of the list that begins with the root */
	struct pt_member *by_pid[PT_TREE_BUCKETS];
	struct pt_cgroup cgroup; /* as last looked at */
	uint32_t flags;		 /* PIDTRACK_STOP_GROUP, TREE, CGROUP */
	uint32_t n_alive;	 /* besides the root */
	uint32_t reached;	 /* processes that were sent a signal */
	pid_t self;
	int signal;	  /* of this step; 0: none */
	int cgroup_fd;	  /* owned; -1 */
	const int *epoll; /* lent: tells of ends, with the member; or -1 */
	int spare;    /* owned: a descriptor for looking, when others are out;
			 -1 */
	bool listed;  /* the kernel lists children */
	bool shoots;  /* it has signals for a whole group at once */
	bool kills;   /* it kills cgroups */
	bool whole;   /* all that the last sweep saw is pinned */
	bool blind;   /* what children one had was not to be seen */
	bool with_us; /* the caller is among them */
	int64_t swept_ns; /* CLOCK_MONOTONIC */
};

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

/* Sends a signal to all, whoever comes meanwhile too; 0 only finds them. */
void pt_tree_signal(struct pt_tree *tree, int signal);

/* Finds those who came, and sends them what they are due. */
void pt_tree_sweep(struct pt_tree *tree);

/* The epoll has told of it: it has ended. */
void pt_tree_ended(struct pt_member *member);

/* Whether all have ended, as far as can be known. */
bool pt_tree_is_over(const struct pt_tree *tree);

/*
 * When it wants to be swept next, CLOCK_MONOTONIC; INT64_MAX: not before one of
 * them ends.
 */
int64_t pt_tree_next_sweep(const struct pt_tree *tree);

#endif
