/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "request.h"

#include <sched.h>

#include "sys.h"

#define FDS_MAX 1024

#define FLAGS_ALL                                                          \
	(PIDTRACK_SPAWN_DETACHED | PIDTRACK_SPAWN_BOUND |                  \
	 PIDTRACK_SPAWN_SETSID | PIDTRACK_SPAWN_PGID |                     \
	 PIDTRACK_SPAWN_INTO_CGROUP | PIDTRACK_SPAWN_PROGRAM_FD |          \
	 PIDTRACK_SPAWN_UID | PIDTRACK_SPAWN_GID | PIDTRACK_SPAWN_GROUPS | \
	 PIDTRACK_SPAWN_UMASK | PIDTRACK_SPAWN_NO_NEW_PRIVS |              \
	 PIDTRACK_SPAWN_RECORD_SYNC | PIDTRACK_SPAWN_EXIT_RECORD |         \
	 PIDTRACK_SPAWN_KEEP)

#define NAMESPACES_ALL                                              \
	((uint64_t)(CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | \
		    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER |    \
		    CLONE_NEWUTS))

#define SIGNALS_NOT_IGNORED (BIT(SIGKILL - 1) | BIT(SIGSTOP - 1))

static bool contradicts(const struct pidtrack_spawn_options *options)
{
	uint32_t flags = options->flags;

	if (flags & PIDTRACK_SPAWN_BOUND &&
	    (flags & PIDTRACK_SPAWN_DETACHED ||
	     (options->parent_death_signal != 0 &&
	      options->parent_death_signal != SIGKILL)))
		return true;
	/* a session's leader leads its group */
	if (flags & PIDTRACK_SPAWN_PGID &&
	    flags & (PIDTRACK_SPAWN_SETSID | PIDTRACK_SPAWN_DETACHED))
		return true;
	return options->program && flags & PIDTRACK_SPAWN_PROGRAM_FD;
}

/* Forgotten, it would make the shim somebody else: the host, mostly. */
static bool lacks_flag(const struct pidtrack_spawn_options *options)
{
	uint32_t flags = options->flags;

	return (options->uid != 0 && !(flags & PIDTRACK_SPAWN_UID)) ||
	       (options->gid != 0 && !(flags & PIDTRACK_SPAWN_GID)) ||
	       (options->umask != 0 && !(flags & PIDTRACK_SPAWN_UMASK)) ||
	       ((options->groups || options->n_groups != 0) &&
		!(flags & PIDTRACK_SPAWN_GROUPS));
}

static int check_fds(const struct pidtrack_spawn_options *options)
{
	if (options->n_fds > FDS_MAX || (options->n_fds > 0 && !options->fds))
		return -EINVAL;
	for (uint32_t i = 0; i < options->n_fds; i++) {
		const struct pidtrack_fd_map *fd = &options->fds[i];

		if (fd->child_fd < 0 || fd->fd < PIDTRACK_FD_NULL)
			return -EBADF;
		for (uint32_t j = 0; j < i; j++) {
			if (options->fds[j].child_fd == fd->child_fd)
				return -EINVAL;
		}
	}
	return 0;
}

static int check_rlimits(const struct pidtrack_spawn_options *options)
{
	if (options->n_rlimits > 0 && !options->rlimits)
		return -EINVAL;
	for (uint32_t i = 0; i < options->n_rlimits; i++) {
		if (options->rlimits[i].reserved != 0)
			return -EINVAL;
	}
	return 0;
}

int pt_request_check(const struct pidtrack_spawn_options *options)
{
	int r;

	if (!options->argv || !options->argv[0] || options->reserved != 0)
		return -EINVAL;
	if (options->flags & ~FLAGS_ALL ||
	    options->namespaces & ~NAMESPACES_ALL || contradicts(options) ||
	    lacks_flag(options))
		return -EINVAL;
	if (options->flags & PIDTRACK_SPAWN_KEEP && !options->label)
		return -EINVAL;
	if (options->signal_ignore & SIGNALS_NOT_IGNORED ||
	    options->parent_death_signal < 0 ||
	    options->parent_death_signal > 64)
		return -EINVAL;
	if (options->flags & PIDTRACK_SPAWN_PGID && options->pgid < 0)
		return -EINVAL;
	if (options->flags & PIDTRACK_SPAWN_GROUPS && options->n_groups > 0 &&
	    !options->groups)
		return -EINVAL;

	r = check_fds(options);
	return r < 0 ? r : check_rlimits(options);
}

static int by_target(const void *a, const void *b)
{
	const struct pt_move *left = a, *right = b;

	return (left->target > right->target) - (left->target < right->target);
}

struct pt_move *pt_request_moves(const struct pidtrack_spawn_options *options,
				 size_t *ret_n)
{
	struct pt_move *moves;
	bool mapped[3] = { false };
	size_t n = 0;

	moves = calloc(options->n_fds + 3, sizeof(*moves));
	if (!moves)
		return NULL;

	for (; n < options->n_fds; n++) {
		moves[n].target = options->fds[n].child_fd;
		moves[n].source = options->fds[n].fd;
		if (moves[n].target < 3)
			mapped[moves[n].target] = true;
	}
	for (int fd = 0; fd < 3; fd++) {
		if (!mapped[fd])
			moves[n++] = (struct pt_move){ fd, PT_SOURCE_SAME };
	}
	qsort(moves, n, sizeof(*moves), by_target);
	*ret_n = n;
	return moves;
}
