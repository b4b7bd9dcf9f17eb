/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "launchpad.h"

#include "caps.h"
#include "child.h"
#include "clone.h"
#include "dumpable.h"
#include "procfs.h"
#include "quiet.h"
#include "request.h"
#include "sys.h"

#define STACK_SIZE ((size_t)128 << 10)

/* Ways of cloning, best first; each is given up when it is refused. */
#define WAY_CLONE3 (1U << 0)
#define WAY_CLEAR_SIGHAND (1U << 1) /* with CLONE3 */
#define WAY_INTO_CGROUP (1U << 2)   /* with CLONE3; else by the child */
#define WAY_AUTOKILL (1U << 3)	    /* with CLONE3; else by PDEATHSIG */
#define WAY_SHARE_TABLE (1U << 4)   /* else a copy of all descriptors */
#define WAY_PIDFD (1U << 5)	    /* else opened after the clone: */
#define WAY_SELF_OPEN (1U << 6)	    /* by the child; else by its number */
#define WAYS_CLONE3 \
	(WAY_CLONE3 | WAY_CLEAR_SIGHAND | WAY_INTO_CGROUP | WAY_AUTOKILL)
#define WAYS_ALL (WAYS_CLONE3 | WAY_SHARE_TABLE | WAY_PIDFD | WAY_SELF_OPEN)

int pt_launchpad_new(struct pt_launchpad *pad)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory = NULL;
	int r;

	/* a guard page, the stack, the report */
	r = sys_map(page + STACK_SIZE + page, MAP_SHARED, &memory);
	if (!memory)
		return r;
	r = sys_protect(memory, page);
	if (r < 0) {
		sys_unmap(memory, page + STACK_SIZE + page);
		return r;
	}

	pad->memory = memory;
	pad->report = (void *)((char *)memory + page + STACK_SIZE);
	pad->ways = WAYS_ALL;
	pad->suspends = false;
	return 0;
}

void pt_launchpad_done(struct pt_launchpad *pad)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (pad->memory)
		sys_unmap(pad->memory, page + STACK_SIZE + page);
	pad->memory = NULL;
}

#define SHARED_OFFSET 256

void *pt_launchpad_shared(const struct pt_launchpad *pad)
{
	_Static_assert(sizeof(struct pt_report) <= SHARED_OFFSET,
		       "the report is before it");

	return (char *)pad->report + SHARED_OFFSET;
}

/* ---- cloning ---- */

/* One try: what is tried, and the descriptors only it needs. */
struct attempt {
	struct pt_launchpad *pad;
	const struct pidtrack_spawn_options *options;
	struct pt_child child;
	uint32_t ways;
	int reserve;	    /* a descriptor kept free for open_number() */
	bool memory_shared; /* set by the child, if it can */
};

static void *stack_start(const struct pt_launchpad *pad)
{
	return (char *)pad->report - STACK_SIZE;
}

NEVER_RETURNS static void run_child(void *argument)
{
	struct attempt *attempt = argument;

	*(volatile bool *)&attempt->memory_shared = true;
	pt_child_run(&attempt->child);
}

NEVER_RETURNS static int run_cloned(void *argument)
{
	run_child(argument);
	return 127;
}

static int clone_by_clone3(struct attempt *attempt, int *ret_pidfd)
{
	struct pt_report *report = attempt->pad->report;
	struct pt_clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | PT_CLONE_PIDFD |
			 CLONE_PARENT_SETTID | attempt->options->namespaces,
		.pidfd = (uintptr_t)ret_pidfd,
		.parent_tid = (uintptr_t)&report->pid,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)stack_start(attempt->pad),
		.stack_size = STACK_SIZE,
	};
	size_t size = PT_CLONE_ARGS_SIZE_VER0;

	if (attempt->child.fds.shared)
		args.flags |= CLONE_FILES;
	if (attempt->ways & WAY_CLEAR_SIGHAND)
		args.flags |= PT_CLONE_CLEAR_SIGHAND;
	if (attempt->ways & WAY_AUTOKILL) {
		args.flags |= PT_CLONE_PIDFD_AUTOKILL | PT_CLONE_AUTOREAP;
		args.exit_signal = 0;
	}
	if (attempt->ways & WAY_INTO_CGROUP) {
		args.flags |= PT_CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)attempt->options->cgroup_fd;
		size = sizeof(args);
	}
	return sys_clone3_run(&args, size, run_child, attempt);
}

/* A pidfd of the number, if it is still that of a child of ours. */
static int open_number(struct attempt *attempt, pid_t pid)
{
	int fd, r;

	attempt->reserve = fd_close(attempt->reserve);
	fd = sys_pidfd_open(pid, 0);
	if (fd < 0)
		return fd;
	r = sys_waitid(PT_P_PIDFD, fd, NULL,
		       WEXITED | WNOHANG | WNOWAIT | __WALL);
	if (r >= 0)
		return fd;
	sys_close(fd);
	return r;
}

static int clone_by_libc(struct attempt *attempt, int *ret_pidfd)
{
	struct pt_report *report = attempt->pad->report;
	int flags = (int)(CLONE_VM | CLONE_VFORK | SIGCHLD |
			  attempt->options->namespaces);
	int r;

	if (attempt->child.fds.shared)
		flags |= CLONE_FILES;
	if (attempt->ways & WAY_PIDFD)
		return sys_clone(run_cloned, report,
				 flags | (int)PT_CLONE_PIDFD, attempt,
				 ret_pidfd);

	r = sys_clone(run_cloned, report, flags | CLONE_PARENT_SETTID, attempt,
		      (int *)&report->pid);
	if (attempt->child.opens_self)
		*ret_pidfd = report->pidfd;
	else if (r > 0)
		*ret_pidfd = open_number(attempt, r);
	return r;
}

/*
 * Waits until the child has executed or ended.  A vfork-style clone returns
 * only then, but valgrind and qemu-user make it a fork: memory tells.
 */
static void await_exec(struct attempt *attempt, int pipe_read)
{
	char byte;

	if (attempt->memory_shared)
		attempt->pad->suspends = true;
	else if (pipe_read >= 0)
		while (sys_read(pipe_read, &byte, 1) == -EINTR)
			;
}

/* A child that changes its ids makes the memory two share undumpable. */
static bool changes_ids(const struct attempt *attempt)
{
	return attempt->options->caps ||
	       attempt->options->flags &
		       (PIDTRACK_SPAWN_UID | PIDTRACK_SPAWN_GID);
}

/*
 * Keeps handlers from running in the child, on the memory two share.  Where the
 * clone itself clears them, nothing needs to be blocked.
 */
static int block_handlers(const struct attempt *attempt, uint64_t *ret_mask)
{
	return attempt->ways & WAY_CLEAR_SIGHAND ? 0 : pt_quiet_enter(ret_mask);
}

static int clone_guarded(struct attempt *attempt, int *ret_pidfd)
{
	uint64_t mask, calls;
	int r;

	r = block_handlers(attempt, &mask);
	if (r < 0)
		return r;
	if (changes_ids(attempt))
		pt_dumpable_hold();

	calls = pt_sys_calls;
	r = attempt->ways & WAY_CLONE3 ? clone_by_clone3(attempt, ret_pidfd) :
					 clone_by_libc(attempt, ret_pidfd);
	pt_sys_calls = calls + 1; /* the child's are not ours */

	if (changes_ids(attempt))
		pt_dumpable_restore();
	if (!(attempt->ways & WAY_CLEAR_SIGHAND))
		sys_signal_mask(&mask, NULL);
	return r;
}

static int clone_child(struct attempt *attempt, int *ret_pidfd)
{
	CLEANUP(fd_closep) int pipe_read = -1;
	CLEANUP(fd_closep) int pipe_write = -1;
	int r;

	/* who honours CLONE_FILES is no emulator */
	if (!attempt->child.fds.shared && !attempt->pad->suspends) {
		r = sys_pipe(&pipe_read, &pipe_write);
		if (r < 0)
			return r;
		attempt->child.fds.specials[PT_SPECIAL_PIPE] = pipe_write;
	}

	if (!(attempt->ways & (WAY_CLONE3 | WAY_PIDFD)) &&
	    !attempt->child.opens_self) {
		attempt->reserve = sys_eventfd();
		if (attempt->reserve < 0)
			return attempt->reserve;
	}

	r = clone_guarded(attempt, ret_pidfd);
	attempt->reserve = fd_close(attempt->reserve);
	pipe_write = fd_close(pipe_write);
	if (r > 0)
		await_exec(attempt, pipe_read);
	return r;
}

/* ---- one attempt ---- */

/* A cgroup that cannot be entered, not a process that cannot be made. */
static bool is_cgroup_error(int error)
{
	return error == -EBADF || error == -EACCES || error == -EBUSY ||
	       error == -ENOENT || error == -ENODEV || error == -EOPNOTSUPP;
}

static uint32_t stage_of_clone(const struct attempt *attempt, int error)
{
	if (error == -EMFILE || error == -ENFILE)
		return PIDTRACK_STAGE_RESERVE;
	if (attempt->ways & WAY_INTO_CGROUP && is_cgroup_error(error))
		return PIDTRACK_STAGE_CGROUP;
	return PIDTRACK_STAGE_CLONE;
}

/*
 * Waits for a child that failed: it is ending, and nobody was told of it.  By
 * the pidfd, as who waits for any child may have been first; there is none if
 * the child could not open it.
 */
static void bury(pid_t pid, int pidfd)
{
	int r;

	do {
		r = sys_waitid(pidfd < 0 ? P_PID : PT_P_PIDFD,
			       pidfd < 0 ? pid : pidfd, NULL, WEXITED | __WALL);
	} while (r == -EINTR);
	fd_close(pidfd);
}

static int conclude(const struct attempt *attempt, pid_t pid, int pidfd,
		    struct pt_spawned *ret_spawned, uint32_t *reterr_stage)
{
	const struct pt_report *report = attempt->pad->report;
	int error = report->error;

	if (error == 0 && report->stage != PIDTRACK_STAGE_EXEC)
		error = -ECANCELED;
	if (error == 0 && pidfd < 0) {
		/* others were first to wait: the number is not ours now */
		*reterr_stage = PIDTRACK_STAGE_RESERVE;
		return pidfd;
	}
	if (error < 0) {
		*reterr_stage = report->stage;
		bury(pid, pidfd);
		return error;
	}

	ret_spawned->pid = pid;
	ret_spawned->pidfd = pidfd;
	ret_spawned->binding = PIDTRACK_BINDING_NONE;
	if (attempt->options->flags & PIDTRACK_SPAWN_BOUND)
		ret_spawned->binding = attempt->ways & WAY_AUTOKILL ?
					       PIDTRACK_BINDING_AUTOKILL :
					       PIDTRACK_BINDING_PARENT_DEATH;
	return 0;
}

static int attempt_once(struct attempt *attempt, struct pt_spawned *ret_spawned,
			uint32_t *reterr_stage)
{
	struct pt_report *report = attempt->pad->report;
	int pidfd = -1, r;

	memset(report, 0, sizeof(*report));
	report->pidfd = -1;
	attempt->memory_shared = false;

	r = clone_child(attempt, &pidfd);
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
static uint32_t step_down(const struct attempt *attempt, uint32_t stage,
			  int error)
{
	uint32_t ways = attempt->ways;
	bool refused = error == -ENOSYS || error == -EPERM;
	bool unknown = error == -EINVAL || error == -E2BIG;

	if (stage == PIDTRACK_STAGE_FDS && !attempt->pad->report->own_table &&
	    (refused || unknown))
		return attempt->child.opens_self ? ways :
						   ways & ~WAY_SHARE_TABLE;
	if (stage != PIDTRACK_STAGE_CLONE)
		return ways;

	if (ways & WAY_AUTOKILL && (unknown || error == -EPERM))
		return ways & ~WAY_AUTOKILL;
	if (ways & WAY_CLONE3 && unknown)
		return ways & ~(WAY_CLEAR_SIGHAND | WAY_INTO_CGROUP);
	if (ways & WAY_CLONE3 && refused)
		return ways & ~WAYS_CLONE3;
	if (ways & WAY_PIDFD && (unknown || refused))
		return try_self_open() < 0 ? ways : ways & ~WAY_PIDFD;
	/* qemu-user, which shares nothing in its forks */
	if (attempt->child.opens_self && error == -EINVAL)
		return ways & ~WAY_SELF_OPEN;
	return ways;
}

/* The ways of the pad that this launch has a use for. */
static uint32_t choose_ways(const struct pt_launchpad *pad,
			    const struct pidtrack_spawn_options *options)
{
	uint32_t ways = pad->ways;

	if (!(options->flags & PIDTRACK_SPAWN_BOUND))
		ways &= ~WAY_AUTOKILL;
	if (!(options->flags & PIDTRACK_SPAWN_INTO_CGROUP))
		ways &= ~WAY_INTO_CGROUP;
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
static int prepare(struct attempt *attempt, uint32_t *reterr_stage)
{
	const struct pidtrack_spawn_options *options = attempt->options;
	struct pt_child *child = &attempt->child;
	int r;

	child->fds.specials[PT_SPECIAL_PIPE] = -1;
	child->fds.specials[PT_SPECIAL_CGROUP] = -1;
	if (options->flags & PIDTRACK_SPAWN_INTO_CGROUP &&
	    !(attempt->ways & WAY_INTO_CGROUP)) {
		r = check_cgroup(options->cgroup_fd);
		if (r < 0) {
			*reterr_stage = PIDTRACK_STAGE_CGROUP;
			return r;
		}
		child->fds.specials[PT_SPECIAL_CGROUP] = options->cgroup_fd;
	}

	child->death_signal = options->parent_death_signal;
	if (options->flags & PIDTRACK_SPAWN_BOUND &&
	    !(attempt->ways & WAY_AUTOKILL))
		child->death_signal = SIGKILL;

	/* clone returns either the pidfd or the pid as we see it */
	if (!(attempt->ways & WAY_CLONE3) && child->publish &&
	    (options->namespaces & CLONE_NEWPID ||
	     pt_procfs_children_elsewhere()))
		attempt->ways &= ~WAY_PIDFD;
	child->opens_self = !(attempt->ways & (WAY_CLONE3 | WAY_PIDFD)) &&
			    attempt->ways & WAY_SELF_OPEN;
	/* in a copied table the pipe's other end would not be ours to close */
	child->fds.shared =
		child->opens_self ||
		(attempt->ways & WAY_SHARE_TABLE &&
		 (attempt->ways & WAY_CLONE3 || attempt->pad->suspends));
	*reterr_stage = PIDTRACK_STAGE_RESERVE;
	return attempt->ways & (WAY_CLONE3 | WAY_PIDFD) ? 0 : try_self_open();
}

static int attempt_all(struct attempt *attempt, struct pt_spawned *ret_spawned,
		       uint32_t *reterr_stage)
{
	struct pt_launchpad *pad = attempt->pad;
	uint32_t tried = attempt->ways;
	int r;

	for (;;) {
		uint32_t left;

		r = prepare(attempt, reterr_stage);
		if (r < 0)
			return r;
		r = attempt_once(attempt, ret_spawned, reterr_stage);
		if (r >= 0)
			break;
		left = step_down(attempt, *reterr_stage, r);
		if (left == attempt->ways)
			return r;
		attempt->ways = left;
	}

	/* never seen to be refused for another reason: worth remembering */
	pad->ways &= ~(tried & ~attempt->ways &
		       ~(WAY_AUTOKILL | WAY_PIDFD | WAY_SELF_OPEN));
	return 0;
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
	    options->parent_death_signal == 0)
		return 0;

	child->host = sys_getpid();
	fd = sys_pidfd_open(child->host, 0);
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
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

int pt_spawn(struct pt_launchpad *pad,
	     const struct pidtrack_spawn_options *options,
	     const struct pt_publish *publish, struct pt_spawned *ret_spawned,
	     uint32_t *reterr_stage)
{
	CLEANUP(freep) struct pt_move *moves = NULL;
	CLEANUP(fd_closep) int host = -1;
	struct pt_caps caps;
	struct attempt attempt = {
		.pad = pad,
		.options = options,
		.ways = choose_ways(pad, options),
		.reserve = -1,
		.child = { .options = options, .report = pad->report },
	};
	struct pt_child *child = &attempt.child;
	int r;

	for (size_t i = 0; i < PT_SPECIAL_MAX; i++)
		child->fds.specials[i] = -1;
	if (options->flags & PIDTRACK_SPAWN_PROGRAM_FD)
		child->fds.specials[PT_SPECIAL_PROGRAM] = options->program_fd;
	if (publish) {
		child->fds.specials[PT_SPECIAL_PUBLISH] = publish->fd;
		child->publish = publish->run;
		child->publish_argument = publish->argument;
	}

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
	return attempt_all(&attempt, ret_spawned, reterr_stage);
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
};

PUBLIC const char *pidtrack_stage_name(uint32_t stage)
{
	return pt_name(stage_names, ARRAY_SIZE(stage_names), stage);
}
