/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Those who are to end with a process, its root, found again and again: its
 * descendants, its process group, a cgroup.  Each is pinned by a pidfd, and
 * looked at once more when it is: it counts only as the process that was found.
 */
#ifndef PT_SWEEP_H
#define PT_SWEEP_H

#include <errno.h>
#include <sys/types.h>

#include "base.h"
#include "cgroup.h"
#include "pidtrack.h"

struct pt_stop;
struct pt_tree;

/* One of them. */
struct pt_member {
	struct pt_member *next;	  /* in the order they were found */
	struct pt_member *before; /* a parent is before its children */
	struct pt_member *like;	  /* another whose number falls together */
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
	struct pt_pids killed;	 /* sorted: with its cgroup, before they were
				    pinned */
	uint32_t unseen;	 /* with it, outside our pid namespace */
	uint32_t flags;		 /* PIDTRACK_STOP_GROUP, TREE, CGROUP */
	uint32_t n_alive;	 /* besides the root */
	uint32_t reached;	 /* processes that were sent a signal */
	pid_t self;
	int signal;	  /* of this step; 0: none */
	int cgroup_fd;	  /* owned; -1 */
	const int *epoll; /* lent: tells of ends, with the member; or -1 */
	int spare;     /* owned: a descriptor for looking, when others are out;
			  -1 */
	int listed;    /* whether the kernel lists children, or why that could
			  not be asked */
	bool shoots;   /* it has signals for a whole group at once */
	bool kills;    /* it kills cgroups */
	bool whole;    /* all that the last sweep saw is pinned */
	bool blind;    /* what children one had was not to be seen */
	bool with_us;  /* the caller is among them */
	bool descends; /* as one of the tree */
	bool again;    /* a group or cgroup is still to be killed */
	int64_t swept_ns;  /* CLOCK_MONOTONIC */
	int64_t freeze_ns; /* for which this step may still stop them */
	int64_t hold_ns;   /* until then nobody is killed who is held */
};

/*
 * Pins those that are new.
 *
 * Return: whether there was one.
 */
bool pt_sweep(struct pt_tree *tree);

/* Looks at the cgroup, as pt_cgroup_look(); kills it, as pt_cgroup_kill(). */
int pt_sweep_look(struct pt_tree *tree);
int pt_sweep_kill(struct pt_tree *tree);

/* The one that holds the number now, the root apart; or NULL. */
struct pt_member *pt_sweep_find(struct pt_tree *tree, pid_t pid);

/* The one that had it when it was last looked at, the root among them. */
struct pt_member *pt_sweep_known(struct pt_tree *tree, pid_t pid);

/*
 * Whether the root's number still names its group and no other: as long as one
 * is left in the group, no process gets the number.
 */
bool pt_sweep_has_group(struct pt_tree *tree);

/* It has ended; it is gone with the next sweep. */
void pt_member_ended(struct pt_member *member);

/* Frees those that ended.  Nobody may be about to look at one. */
void pt_sweep_bury(struct pt_tree *tree);

bool pt_pidfd_reaped(int pidfd);
bool pt_pidfd_ended(int pidfd);

/* No memory or descriptor: again when there is room. */
static inline bool pt_sweep_is_short(int r)
{
	return is_short_of_room(r) || r == -ENOSPC;
}

#endif
