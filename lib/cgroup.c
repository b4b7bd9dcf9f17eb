/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "cgroup.h"

#include <dirent.h>

#include "sys.h"

#define DEPTH_MAX                                                   \
	32 /* descriptors are open at once; the kernel has no limit \
	    */

void pt_cgroup_done(struct pt_cgroup *cgroup)
{
	pt_pids_done(&cgroup->pids);
	free(cgroup->ids);
	*cgroup = (struct pt_cgroup){ 0 };
}

int pt_cgroup_open(int fd)
{
	struct statfs fs;
	int r;

	r = sys_fstatfs(fd, &fs);
	if (r < 0)
		return r;
	if ((uint32_t)fs.f_type != PT_CGROUP2_MAGIC)
		return -EBADF;
	r = sys_open(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	return r == -ENOTDIR ? -EBADF : r;
}

static int add_id(struct pt_cgroup *cgroup, uint64_t id)
{
	size_t room = cgroup->room ? cgroup->room * 2 : 8;
	uint64_t *ids;

	if (cgroup->n_ids == cgroup->room) {
		ids = reallocarray(cgroup->ids, room, sizeof(*ids));
		if (!ids)
			return -ENOMEM;
		cgroup->ids = ids;
		cgroup->room = room;
	}
	cgroup->ids[cgroup->n_ids++] = id;
	return 0;
}

static int look_in(struct pt_cgroup *cgroup, int fd, int depth);

static int look_below(struct pt_cgroup *cgroup, int fd, const char *name,
		      int depth)
{
	CLEANUP(fd_closep) int below = -1;

	if (depth == DEPTH_MAX)
		return -ELOOP;
	below = sys_open(fd, name, O_RDONLY | O_DIRECTORY, 0);
	if (below == -ENOENT)
		return 0;
	return below < 0 ? below : look_in(cgroup, below, depth + 1);
}

static int look_at_names(struct pt_cgroup *cgroup, int fd, int depth)
{
	_Alignas(struct pt_listed) char bytes[4096];
	const struct pt_listed *listed;
	int n, r;

	while ((n = sys_getdents(fd, bytes, sizeof(bytes))) > 0) {
		for (int at = 0; at < n; at += listed->length) {
			listed = (const void *)(bytes + at);
			if (listed->type != DT_DIR || listed->name[0] == '.')
				continue;
			r = look_below(cgroup, fd, listed->name, depth);
			if (r < 0)
				return r;
		}
	}
	return n == -ENOENT ? 0 : n;
}

static int look_in(struct pt_cgroup *cgroup, int fd, int depth)
{
	uint64_t id;
	int r;

	r = sys_inode(fd, &id);
	if (r >= 0)
		r = add_id(cgroup, id);
	if (r < 0)
		return r;
	r = pt_pids_in_file(&cgroup->pids, fd, "cgroup.procs");
	/* one of threads, whose processes are those of one above it */
	if (r == -EOPNOTSUPP && depth > 0)
		r = 0;
	if ((r == -ENODEV || r == -ENOENT) && depth > 0)
		return 0;
	if (r < 0)
		return r == -ENOENT ? -ENODEV : r;
	return look_at_names(cgroup, fd, depth);
}

int pt_cgroup_look(struct pt_cgroup *cgroup, int fd)
{
	CLEANUP(fd_closep) int listing = -1;

	cgroup->pids.n = cgroup->n_ids = 0;
	/* the offset of a listing belongs to who opened it */
	listing = sys_open(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (listing < 0)
		return listing == -ENOENT ? -ENODEV : listing;
	return look_in(cgroup, listing, 0);
}

int pt_cgroup_has(const struct pt_cgroup *cgroup, int pidfd)
{
	struct pt_pidfd_info told;
	int r;

	r = sys_pidfd_info(pidfd, PT_PIDFD_INFO_CGROUPID | PT_PIDFD_INFO_EXIT,
			   &told);
	if (r < 0 || !(told.mask & PT_PIDFD_INFO_CGROUPID))
		return -EOPNOTSUPP;
	for (size_t i = 0; i < cgroup->n_ids; i++) {
		/* 32-bit kernels have half of it as the inode */
		if (cgroup->ids[i] == told.cgroupid ||
		    (sizeof(long) == 4 &&
		     cgroup->ids[i] == (uint32_t)told.cgroupid))
			return 1;
	}
	return 0;
}

int pt_cgroup_kill(int fd)
{
	CLEANUP(fd_closep) int kill = -1;
	int r;

	kill = sys_open(fd, "cgroup.kill", O_WRONLY, 0);
	if (kill < 0)
		return kill;
	r = sys_write(kill, "1", 1);
	return r < 0 ? r : 0;
}
