/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "child.h"

#include <sched.h>
#include <sys/prctl.h>

#include "quiet.h"
#include "sys.h"
#include "text.h"

/*
 * What comes from now on is for the program, with the mask it is to have; but
 * for what stops at a terminal.
 */
static int block_signals(struct pt_child *child)
{
	const uint64_t all = ~UINT64_C(0);

	(void)child;
	return sys_signal_mask(&all, NULL);
}

/* In the table that is still the host's too. */
static int open_self(struct pt_child *child)
{
	int fd;

	if (!child->opens_self)
		return 0;
	fd = sys_pidfd_open(sys_getpid(), 0);
	child->report->pidfd = fd;
	return fd;
}

static int own_table(struct pt_child *child)
{
	int r = pt_descriptors_own(&child->fds);

	child->report->own_table = r >= 0;
	return r;
}

static int move_descriptors(struct pt_child *child)
{
	return pt_descriptors_move(&child->fds);
}

/* ---- what it belongs to ---- */

static int enter_session(struct pt_child *child)
{
	const struct pidtrack_spawn_options *options = child->options;
	int r = 0;

	if (options->flags & (PIDTRACK_SPAWN_DETACHED | PIDTRACK_SPAWN_SETSID))
		r = sys_setsid();
	if (r >= 0 && options->flags & PIDTRACK_SPAWN_PGID)
		r = sys_setpgid(0, options->pgid);
	return r;
}

/* What a new cgroup namespace has as its root is where its maker is then. */
static int enter_cgroup(struct pt_child *child)
{
	int fd, r;

	if (child->fds.specials[PT_SPECIAL_CGROUP] < 0)
		return 0;

	fd = sys_open(child->fds.specials[PT_SPECIAL_CGROUP], "cgroup.procs",
		      O_WRONLY, 0);
	if (fd < 0)
		return fd;
	r = sys_write(fd, "0", 1);
	sys_close(fd);
	if (r >= 0 && child->options->namespaces & CLONE_NEWCGROUP)
		r = sys_unshare(CLONE_NEWCGROUP);
	return r;
}

/* -EREMOTE without one: then we are in another pid namespace than the host. */
static pid_t get_parent(void)
{
	pid_t parent = sys_getppid();

	return parent ? parent : -EREMOTE;
}

/* Whether the host lives: 0; -ESRCH if not, or why that is not seen. */
static int check_host(const struct pt_child *child)
{
	struct pollfd host = {
		.fd = child->fds.specials[PT_SPECIAL_HOST],
		.events = POLLIN,
	};
	pid_t parent;
	int r;

	if (host.fd >= 0) {
		r = sys_ppoll_now(&host);
		return r > 0 ? -ESRCH : r;
	}
	parent = get_parent();
	if (parent < 0)
		return parent;
	return parent == child->host ? 0 : -ESRCH;
}

/*
 * What runs without a pidfd could not be ended.  Where check_host() does not
 * see the end of the host, that kills us.
 */
static int await_pidfd(struct pt_child *child)
{
	struct pollfd gate = { .fd = child->gate, .events = POLLIN };
	uint64_t verdict;
	int r;

	if (!child->held)
		return 0;
	sys_prctl(PR_SET_PDEATHSIG, SIGKILL, 0);
	do {
		if (check_host(child) == -ESRCH)
			return -ESRCH;
		r = sys_ppoll_for(&gate, 1000);
	} while (r == 0 || r == -EINTR);
	if (r > 0)
		r = sys_read(child->gate, &verdict, sizeof(verdict));
	sys_prctl(PR_SET_PDEATHSIG, 0, 0);
	return r < 0 ? r : -(int)(verdict - 1);
}

/*
 * One that is kept while its host lives is found by the next.  One that is
 * given to a store later may not be: it must not execute then.
 */
static int keep_for_host(struct pt_child *child, int self)
{
	int socket = child->fds.specials[PT_SPECIAL_STORE];
	int r;

	r = child->keep(child->keep_argument,
			child->fds.specials[PT_SPECIAL_KEEP], socket, self);
	if (r < 0 || socket < 0)
		return r;
	r = check_host(child);
	if (r < 0)
		child->take_back(child->keep_argument, socket, self);
	return r;
}

/*
 * Who may mount where the host does is who is in its mount namespace: the new
 * one is made only then.
 */
static int keep_self(struct pt_child *child)
{
	uint64_t inode;
	int self, r;

	if (!child->keep)
		return 0;
	self = sys_pidfd_open(sys_getpid(), 0);
	if (self < 0)
		return self;
	r = sys_inode(self, &inode);
	if (r >= 0) {
		child->report->kept = inode;
		r = keep_for_host(child, self);
	}
	sys_close(self);
	if (r >= 0 && child->options->namespaces & CLONE_NEWNS)
		r = sys_unshare(CLONE_NEWNS);
	return r;
}

static int publish(struct pt_child *child)
{
	pid_t pid = child->report->pid, parent;

	if (!child->publish)
		return 0;
	if (pid == 0) {
		parent = get_parent();
		if (parent < 0)
			return parent;
		pid = sys_getpid();
	}
	return child->publish(child->publish_argument,
			      child->fds.specials[PT_SPECIAL_PUBLISH], pid);
}

static int set_limits(struct pt_child *child)
{
	const struct pidtrack_spawn_options *options = child->options;
	int r = 0;

	if (options->flags & PIDTRACK_SPAWN_UMASK)
		r = sys_umask(options->umask);
	if (r < 0)
		return r;

	for (uint32_t i = 0; i < options->n_rlimits; i++) {
		const struct pidtrack_rlimit *rlimit = &options->rlimits[i];
		uint64_t limit[2] = { rlimit->soft, rlimit->hard };

		r = sys_prlimit((int)rlimit->resource, limit, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- rights ---- */

static int limit_caps(struct pt_child *child)
{
	if (!child->caps)
		return 0;
	return pt_caps_limit(child->caps, child->options->flags &
						  PIDTRACK_SPAWN_NO_NEW_PRIVS);
}

static int set_ids(struct pt_child *child)
{
	const struct pidtrack_spawn_options *options = child->options;
	int r = 0;

	if (options->flags & PIDTRACK_SPAWN_GROUPS)
		r = sys_setgroups(options->n_groups, options->groups);
	if (r >= 0 && options->flags & PIDTRACK_SPAWN_GID)
		r = sys_setgid_all(options->gid);
	if (r >= 0 && options->flags & PIDTRACK_SPAWN_UID)
		r = sys_setuid_all(options->uid);
	return r;
}

static int set_caps(struct pt_child *child)
{
	int r = 0;

	if (child->options->flags & PIDTRACK_SPAWN_NO_NEW_PRIVS)
		r = sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0);
	if (r >= 0 && child->caps)
		r = pt_caps_apply(child->caps);
	return r;
}

static int change_directory(struct pt_child *child)
{
	if (!child->options->cwd)
		return 0;
	return sys_chdir(child->options->cwd);
}

/* After the ids have changed, which clears it. */
static int bind_to_host(struct pt_child *child)
{
	int r;

	if (child->death_signal == 0)
		return 0;
	r = sys_prctl(PR_SET_PDEATHSIG, (unsigned long)child->death_signal, 0);
	if (r < 0)
		return r;
	return check_host(child);
}

/* ---- signals ---- */

static int set_signals(uint64_t signals, uint64_t ignored)
{
	int r = 0;

	for (; signals && r >= 0; signals &= signals - 1) {
		int n = __builtin_ctzll(signals);

		r = sys_signal_set(n + 1, ignored & BIT(n));
	}
	return r;
}

/*
 * Each signal by hand: CLONE_CLEAR_SIGHAND resets handlers, and leaves ignored
 * what the host ignores.  What is pending of a terminal's stops is forgotten,
 * as it is when they are ignored: who is stopped here keeps the host waiting in
 * vfork.  The mask is last: nothing may arrive before.
 */
static int reset_signals(struct pt_child *child)
{
	const struct pidtrack_spawn_options *options = child->options;
	const uint64_t fixed = BIT(SIGKILL - 1) | BIT(SIGSTOP - 1);
	int r;

	r = set_signals(~(fixed | PT_STOPS), options->signal_ignore);
	if (r >= 0)
		r = set_signals(PT_STOPS, PT_STOPS);
	if (r >= 0)
		r = set_signals(PT_STOPS, options->signal_ignore);
	return r < 0 ? r : sys_signal_mask(&options->signal_mask, NULL);
}

/*
 * Where the shim has the program among its descriptors, by that one: then a
 * script's interpreter can open it.
 */
static int program_number(const struct pt_child *child)
{
	return child->program >= 0 ? child->program :
				     child->fds.specials[PT_SPECIAL_PROGRAM];
}

NEVER_RETURNS static int execute(struct pt_child *child)
{
	const struct pidtrack_spawn_options *options = child->options;
	const char *const *envp = options->envp;

	if (!envp)
		envp = (const char *const *)environ;
	if (options->flags & PIDTRACK_SPAWN_PROGRAM_FD)
		return sys_execveat(program_number(child), "", options->argv,
				    envp, PT_AT_EMPTY_PATH);
	return sys_execve(options->program ? options->program :
					     options->argv[0],
			  options->argv, envp);
}

/*
 * It is kept, and the record is published, as the host: before ids and
 * capabilities change, and after everything the host's tables could refuse.
 * Limits wait until then, lest they bite us.
 */
static const struct {
	uint32_t stage;
	int (*run)(struct pt_child *child);
} steps[] = {
	{ PIDTRACK_STAGE_SIGNALS, block_signals },
	{ PIDTRACK_STAGE_RESERVE, await_pidfd },
	{ PIDTRACK_STAGE_RESERVE, open_self },
	{ PIDTRACK_STAGE_FDS, own_table },
	{ PIDTRACK_STAGE_FDS, move_descriptors },
	{ PIDTRACK_STAGE_SESSION, enter_session },
	{ PIDTRACK_STAGE_CGROUP, enter_cgroup },
	{ PIDTRACK_STAGE_KEEP, keep_self },
	{ PIDTRACK_STAGE_RECORD, publish },
	{ PIDTRACK_STAGE_LIMITS, set_limits },
	{ PIDTRACK_STAGE_CAPS, limit_caps },
	{ PIDTRACK_STAGE_IDS, set_ids },
	{ PIDTRACK_STAGE_CAPS, set_caps },
	{ PIDTRACK_STAGE_CWD, change_directory },
	{ PIDTRACK_STAGE_BIND, bind_to_host },
	{ PIDTRACK_STAGE_SIGNALS, reset_signals },
	{ PIDTRACK_STAGE_EXEC, execute },
};

NEVER_RETURNS _Noreturn void pt_child_run(struct pt_child *child)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r;

		child->report->stage = steps[i].stage;
		r = steps[i].run(child);
		if (r < 0) {
			child->report->error = r;
			break;
		}
	}
	sys_exit(127);
}
