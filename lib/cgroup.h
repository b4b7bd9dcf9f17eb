/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A cgroup2 directory and those below it: who is in them.
 */
#ifndef PT_CGROUP_H
#define PT_CGROUP_H

#include "base.h"
#include "pids.h"

struct pt_cgroup {
	struct pt_pids pids; /* 0 for one outside our pid namespace */
	uint64_t *ids;	     /* owned: inodes of the directories */
	size_t n_ids;
	size_t room;
};

void pt_cgroup_done(struct pt_cgroup *cgroup);

/* Another descriptor of the directory; -EBADF if it is no cgroup2. */
int pt_cgroup_open(int fd);

/*
 * Looks at all there is in @fd and below, anew.
 *
 * Return: 0; -ENODEV if it was removed; -EMFILE and the like, -ENOMEM, -EACCES.
 */
int pt_cgroup_look(struct pt_cgroup *cgroup, int fd);

/*
 * Whether a process is in it, or was when it ended: by the kernel's word.
 *
 * Return: 1, 0; -EOPNOTSUPP if the kernel has none, Linux < 6.13, of a reaped
 *         one < 6.15.
 */
int pt_cgroup_has(const struct pt_cgroup *cgroup, int pidfd);

/* Kills all of it at once.  Linux 5.14; -ENOENT before, -EACCES. */
int pt_cgroup_kill(int fd);

#endif
