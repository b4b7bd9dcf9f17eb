/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "launchpad.h"

#include <sched.h>

#include "attempt.h"
#include "caps.h"
#include "child.h"
#include "dumpable.h"
#include "procfs.h"
#include "request.h"
#include "sys.h"

int pt_launchpad_new(struct pt_launchpad *pad)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory = NULL;
	int r;

	/* a guard page, the stack, the report */
	r = sys_map(page + PT_STACK_SIZE + page, MAP_SHARED, &memory);
	if (!memory)
		return r;
	r = sys_protect(memory, page);
	if (r < 0) {
		sys_unmap(memory, page + PT_STACK_SIZE + page);
		return r;
	}

	pad->memory = memory;
	pad->report = (void *)((char *)memory + page + PT_STACK_SIZE);
	pad->ways = PT_WAYS_ALL;
	pad->suspends = false;
	/* now, when their numbers are low; launches will do without */
	if (sys_socketpair(pad->post) < 0)
		pad->post[0] = pad->post[1] = -1;
	return 0;
}

static void close_post(struct pt_launchpad *pad)
{
	pad->post[0] = fd_close(pad->post[0]);
	pad->post[1] = fd_close(pad->post[1]);
}

void pt_launchpad_done(struct pt_launchpad *pad)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!pad->memory)
		return;
	sys_unmap(pad->memory, page + PT_STACK_SIZE + page);
	pad->memory = NULL;
	close_post(pad);
}

#define SHARED_OFFSET 256

void *pt_launchpad_shared(const struct pt_launchpad *pad)
{
	_Static_assert(sizeof(struct pt_report) <= SHARED_OFFSET,
		       "the report is before it");

	return (char *)pad->report + SHARED_OFFSET;
}

/* ---- one attempt ---- */

/* A cgroup that cannot be entered, not a process that cannot be made. */
static bool is_cgroup_error(int error)
{
	return error == -EBADF || error == -EACCES || error == -EBUSY ||
	       error == -ENOENT || error == -ENODEV || error == -EOPNOTSUPP;
}

static uint32_t stage_of_clone(const struct pt_attempt *attempt, int error)
{
	if (error == -EMFILE || error == -ENFILE)
		return PIDTRACK_STAGE_RESERVE;
	if (attempt->ways & PT_WAY_INTO_CGROUP && is_cgroup_error(error))
		return PIDTRACK_STAGE_CGROUP;
	return PIDTRACK_STAGE_CLONE;
}

/*
 * Waits for a child that failed: it is ending, and nobody was told of it.  By
 * the pidfd, as who waits for any child may have been first; or, if that could
 * not be opened, by the number, and as a child of this thread.
 */
static void bury(pid_t pid, int pidfd)
{
	int r;

	do {
		r = sys_waitid(pidfd < 0 ? P_PID : PT_P_PIDFD,
			       pidfd < 0 ? pid : pidfd, NULL,
			       WEXITED | __WALL | __WNOTHREAD);
	} while (r == -EINTR);
	fd_close(pidfd);
}

static int conclude(const struct pt_attempt *attempt, pid_t pid, int pidfd,
		    struct pt_spawned *ret_spawned, uint32_t *reterr_stage)
{
	const struct pt_report *report = attempt->child.report;
	int error = report->error;

	if (error == 0 && report->stage != PIDTRACK_STAGE_EXEC)
		error = -ECANCELED;
	if (error < 0) {
		*reterr_stage = report->stage;
		bury(pid, pidfd);
		return error;
	}

	ret_spawned->pid = pid;
	ret_spawned->pidfd = pidfd;
	ret_spawned->binding = PIDTRACK_BINDING_NONE;
	if (attempt->options->flags & PIDTRACK_SPAWN_BOUND)
		ret_spawned->binding = attempt->ways & PT_WAY_AUTOKILL ?
					       PIDTRACK_BINDING_AUTOKILL :
					       PIDTRACK_BINDING_PARENT_DEATH;
	return 0;
}

static int attempt_once(struct pt_launchpad *pad, struct pt_attempt *attempt,
			struct pt_spawned *ret_spawned, uint32_t *reterr_stage)
{
	struct pt_report *report = attempt->child.report;
	int pidfd = -1, r;

	memset(report, 0, sizeof(*report));
	report->pidfd = -1;
	attempt->memory_shared = false;

	if (attempt->child.fds.shared)
		pt_descriptors_post(&attempt->child.fds, pad->post);
	r = pt_attempt_clone(attempt, &pidfd);
	if (pt_descriptors_unpost(&attempt->child.fds) < 0)
		close_post(pad); /* or what was sent would stay open in it */
	if (r < 0) {
		*reterr_stage = stage_of_clone(attempt, r);
		return r;
	}
	return conclude(attempt, r, pidfd, ret_spawned, reterr_stage);
}

/* ---- from one way to the next ---- */

/* Whether a child could open a pidfd of itself. */
static int try_self_open(void)
{
	int fd = sys_pidfd_open(sys_getpid(), 0);

	return fd < 0 ? fd : sys_close(fd);
}

/* What is left to try of @ways after @error, which is refusal or is not. */
static uint32_t step_down(const struct pt_attempt *attempt, uint32_t stage,
			  int error)
{
	uint32_t ways = attempt->ways;
	bool refused = error == -ENOSYS || error == -EPERM;
	bool unknown = error == -EINVAL || error == -E2BIG;
	/* a namespace is what rights are wanted for */
	bool forbidden = error == -EPERM && !attempt->options->namespaces;

	if (stage == PIDTRACK_STAGE_FDS && !attempt->child.report->own_table &&
	    (refused || unknown))
		return ways & ~(attempt->child.opens_self ? PT_WAY_SELF_OPEN :
							    PT_WAY_SHARE_TABLE);
	if (stage != PIDTRACK_STAGE_CLONE)
		return ways;

	if (ways & PT_WAY_AUTOKILL && (unknown || error == -EPERM))
		return ways & ~PT_WAY_AUTOKILL;
	if (ways & PT_WAY_CLONE3 && unknown)
		return ways & ~(PT_WAY_CLEAR_SIGHAND | PT_WAY_INTO_CGROUP);
	if (ways & PT_WAY_CLONE3 && refused)
		return ways & ~PT_WAYS_CLONE3;
	if (ways & PT_WAY_PIDFD && (unknown || refused))
		return try_self_open() < 0 ? ways : ways & ~PT_WAY_PIDFD;
	/* as qemu-user, which shares nothing in its forks */
	if (attempt->child.opens_self && (unknown || forbidden))
		return ways & ~PT_WAY_SELF_OPEN;
	return ways;
}

/* The ways of the pad that this launch has a use for. */
static uint32_t choose_ways(const struct pt_launchpad *pad,
			    const struct pidtrack_spawn_options *options)
{
	uint32_t ways = pad->ways;

	if (!(options->flags & PIDTRACK_SPAWN_BOUND))
		ways &= ~PT_WAY_AUTOKILL;
	if (!(options->flags & PIDTRACK_SPAWN_INTO_CGROUP))
		ways &= ~PT_WAY_INTO_CGROUP;
	return ways;
}

/* A cgroup that clone3 does not check for us. */
static int check_cgroup(int fd)
{
	struct statfs fs;
	int r;

	r = sys_fstatfs(fd, &fs);
	if (r < 0)
		return r;
	return fs.f_type == PT_CGROUP2_MAGIC ? 0 : -EBADF;
}

/* What of the child depends on the ways. */
static int prepare(struct pt_attempt *attempt, uint32_t *reterr_stage)
{
	const struct pidtrack_spawn_options *options = attempt->options;
	struct pt_child *child = &attempt->child;
	bool clone_opens;
	int r;

	child->fds.specials[PT_SPECIAL_PIPE] = -1;
	child->fds.specials[PT_SPECIAL_CGROUP] = -1;
	if (options->flags & PIDTRACK_SPAWN_INTO_CGROUP &&
	    !(attempt->ways & PT_WAY_INTO_CGROUP)) {
		r = check_cgroup(options->cgroup_fd);
		if (r < 0) {
			*reterr_stage = PIDTRACK_STAGE_CGROUP;
			return r;
		}
		child->fds.specials[PT_SPECIAL_CGROUP] = options->cgroup_fd;
		/* it makes that once it is in there */
		attempt->namespaces &= ~(uint64_t)CLONE_NEWCGROUP;
	}

	child->death_signal = options->parent_death_signal;
	if (options->flags & PIDTRACK_SPAWN_BOUND &&
	    !(attempt->ways & PT_WAY_AUTOKILL))
		child->death_signal = SIGKILL;

	/* clone returns either the pidfd or the pid as we see it */
	if (!(attempt->ways & PT_WAY_CLONE3) && child->publish &&
	    (options->namespaces & CLONE_NEWPID ||
	     pt_procfs_children_elsewhere()))
		attempt->ways &= ~PT_WAY_PIDFD;
	clone_opens = attempt->ways & (PT_WAY_CLONE3 | PT_WAY_PIDFD);
	child->opens_self = !clone_opens && attempt->ways & PT_WAY_SELF_OPEN;
	child->held = !clone_opens && !child->opens_self;
	if (child->held)
		child->host = sys_getpid();
	/* in a copied table the pipe's other end would not be ours to close */
	child->fds.shared =
		child->opens_self ||
		(clone_opens && attempt->ways & PT_WAY_SHARE_TABLE &&
		 (attempt->ways & PT_WAY_CLONE3 || attempt->suspends));
	*reterr_stage = PIDTRACK_STAGE_RESERVE;
	return clone_opens ? 0 : try_self_open();
}

static int attempt_all(struct pt_launchpad *pad, struct pt_attempt *attempt,
		       struct pt_spawned *ret_spawned, uint32_t *reterr_stage)
{
	uint32_t tried = attempt->ways, lost;
	int r;

	for (;;) {
		uint32_t left;

		r = prepare(attempt, reterr_stage);
		if (r < 0)
			return r;
		r = attempt_once(pad, attempt, ret_spawned, reterr_stage);
		pad->suspends = attempt->suspends;
		if (r >= 0)
			break;
		left = step_down(attempt, *reterr_stage, r);
		if (left == attempt->ways)
			return r;
		attempt->ways = left;
	}

	/* never seen to be refused for another reason: worth remembering */
	lost = tried & ~attempt->ways &
	       ~(PT_WAY_AUTOKILL | PT_WAY_PIDFD | PT_WAY_SELF_OPEN);
	if (lost & PT_WAY_CLONE3)
		lost |= PT_WAYS_CLONE3; /* also what this had no use for */
	pad->ways &= ~lost;
	return 0;
}

/* A child that changes its ids makes the memory two share undumpable. */
static bool changes_ids(const struct pidtrack_spawn_options *options)
{
	return options->caps ||
	       options->flags & (PIDTRACK_SPAWN_UID | PIDTRACK_SPAWN_GID);
}

static int attempt_dumpable(struct pt_launchpad *pad,
			    struct pt_attempt *attempt,
			    struct pt_spawned *ret_spawned,
			    uint32_t *reterr_stage)
{
	int r;

	if (!changes_ids(attempt->options))
		return attempt_all(pad, attempt, ret_spawned, reterr_stage);
	r = pt_dumpable_hold();
	if (r < 0) {
		*reterr_stage = PIDTRACK_STAGE_IDS;
		return r;
	}
	r = attempt_all(pad, attempt, ret_spawned, reterr_stage);
	pt_dumpable_restore();
	return r;
}

/*
 * By what the child sees whether we live: in another pid namespace it has no
 * parent with a number.
 */
static int open_host(struct pt_child *child, int *ret_pidfd)
{
	const struct pidtrack_spawn_options *options = child->options;
	int fd;

	if (!(options->flags & PIDTRACK_SPAWN_BOUND) &&
	    options->parent_death_signal == 0 &&
	    child->fds.specials[PT_SPECIAL_STORE] < 0)
		return 0;

	child->host = sys_getpid();
	fd = sys_pidfd_open(child->host, 0);
	if (is_short_of_room(fd))
		return fd;
	if (fd < 0)
		return options->namespaces & CLONE_NEWPID ? fd : 0;
	child->fds.specials[PT_SPECIAL_HOST] = *ret_pidfd = fd;
	return 0;
}

/* The target that the program's descriptor is moved to. */
static int find_program(const struct pt_child *child)
{
	const struct pidtrack_spawn_options *options = child->options;

	if (!(options->flags & PIDTRACK_SPAWN_PROGRAM_FD))
		return -1;
	for (size_t i = 0; i < child->fds.n_moves; i++) {
		if (child->fds.moves[i].source == options->program_fd)
			return child->fds.moves[i].target;
	}
	return -1;
}

/* What the child needs for itself. */
static void prepare_specials(struct pt_attempt *attempt,
			     const struct pt_publish *publish,
			     const struct pt_keep *keep)
{
	const struct pidtrack_spawn_options *options = attempt->options;
	struct pt_child *child = &attempt->child;

	for (size_t i = 0; i < PT_SPECIAL_MAX; i++)
		child->fds.specials[i] = -1;
	if (options->flags & PIDTRACK_SPAWN_PROGRAM_FD)
		child->fds.specials[PT_SPECIAL_PROGRAM] = options->program_fd;
	if (publish) {
		child->fds.specials[PT_SPECIAL_PUBLISH] = publish->fd;
		child->publish = publish->run;
		child->publish_argument = publish->argument;
	}
	if (keep) {
		child->fds.specials[PT_SPECIAL_KEEP] = keep->file;
		child->fds.specials[PT_SPECIAL_STORE] = keep->socket;
		child->keep = keep->run;
		child->take_back = keep->take_back;
		child->keep_argument = keep->argument;
		/* it is to be kept in ours */
		attempt->namespaces &= ~(uint64_t)CLONE_NEWNS;
	}
}

int pt_spawn(struct pt_launchpad *pad,
	     const struct pidtrack_spawn_options *options,
	     const struct pt_publish *publish, struct pt_keep *keep,
	     struct pt_spawned *ret_spawned, uint32_t *reterr_stage)
{
	CLEANUP(freep) struct pt_move *moves = NULL;
	CLEANUP(fd_closep) int host = -1;
	struct pt_caps caps;
	struct pt_attempt attempt = {
		.options = options,
		.namespaces = options->namespaces,
		.stack = (char *)pad->report - PT_STACK_SIZE,
		.ways = choose_ways(pad, options),
		.suspends = pad->suspends,
		.child = { .options = options,
			   .report = pad->report,
			   .fds = { .post = -1 } },
	};
	struct pt_child *child = &attempt.child;
	int r;

	prepare_specials(&attempt, publish, keep);
	memset(pad->report, 0, sizeof(*pad->report));

	*reterr_stage = PIDTRACK_STAGE_CAPS;
	if (options->caps) {
		r = pt_caps_parse(options->caps, &caps);
		if (r < 0)
			return r;
		child->caps = &caps;
	}

	*reterr_stage = PIDTRACK_STAGE_RESERVE;
	moves = pt_request_moves(options, &child->fds.n_moves);
	if (!moves)
		return -ENOMEM;
	child->fds.moves = moves;
	child->program = find_program(child);
	r = open_host(child, &host);
	if (r < 0)
		return r;
	r = attempt_dumpable(pad, &attempt, ret_spawned, reterr_stage);
	if (keep)
		keep->kept = pad->report->kept;
	return r;
}

static const char *const stage_names[] = {
	[PIDTRACK_STAGE_NONE] = "none",
	[PIDTRACK_STAGE_OPTIONS] = "options",
	[PIDTRACK_STAGE_RESERVE] = "reserve",
	[PIDTRACK_STAGE_CLONE] = "clone",
	[PIDTRACK_STAGE_FDS] = "fds",
	[PIDTRACK_STAGE_SESSION] = "session",
	[PIDTRACK_STAGE_CGROUP] = "cgroup",
	[PIDTRACK_STAGE_LIMITS] = "limits",
	[PIDTRACK_STAGE_RECORD] = "record",
	[PIDTRACK_STAGE_IDS] = "ids",
	[PIDTRACK_STAGE_CAPS] = "caps",
	[PIDTRACK_STAGE_CWD] = "cwd",
	[PIDTRACK_STAGE_BIND] = "bind",
	[PIDTRACK_STAGE_SIGNALS] = "signals",
	[PIDTRACK_STAGE_EXEC] = "exec",
	[PIDTRACK_STAGE_KEEP] = "keep",
};

PUBLIC const char *pidtrack_stage_name(uint32_t stage)
{
	return pt_name(stage_names, ARRAY_SIZE(stage_names), stage);
}
