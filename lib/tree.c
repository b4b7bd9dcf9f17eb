/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "tree.h"

#include "probes.h"
#include "sys.h"

#define MS INT64_C(1000000)

/* ---- sending ---- */

static int signal_one(const struct pt_member *member, int signal)
{
	int r = sys_pidfd_send_signal(member->pidfd, signal);

	PROBE3(signal, member->pid, signal, r);
	return r;
}

static void reach(struct pt_member *member)
{
	if (!member->reached)
		member->tree->reached++;
	member->reached = true;
}

static void send_to(struct pt_member *member, int signal)
{
	member->due = false;
	if (pt_pidfd_ended(member->pidfd) || signal_one(member, signal) < 0)
		return;
	reach(member);
	if (signal == SIGKILL)
		member->frozen = false;
}

/*
 * One who comes late is what the others do about the signal, a disk being
 * flushed say: as long as the root lives it is the root's to end.
 */
static bool may_send(const struct pt_member *member)
{
	const struct pt_tree *tree = member->tree;

	return member->due && !member->ended && !member->held &&
	       !tree->descends &&
	       (!member->late || tree->root.ended || tree->signal == SIGKILL);
}

/*
 * Or those would end whose children cannot be pinned.  Who makes them faster
 * than they can be is killed all the same.
 */
static bool may_send_all(const struct pt_tree *tree)
{
	if (tree->descends)
		return false;
	if (tree->signal == SIGKILL && sys_now_ns() >= tree->hold_ns)
		return true;
	for (const struct pt_member *member = &tree->root; member;
	     member = member->next) {
		if (member->held && !member->ended)
			return false;
	}
	return true;
}

static bool is_any_due(const struct pt_tree *tree)
{
	for (const struct pt_member *member = &tree->root; member;
	     member = member->next) {
		if (may_send(member))
			return true;
	}
	return false;
}

/*
 * Children first: a job that is stopped is sent SIGHUP and SIGCONT by the
 * kernel when its shell dies and orphans it, and would run once more.
 */
static void send_due(struct pt_tree *tree)
{
	for (struct pt_member *member = tree->last; member;
	     member = member->before) {
		if (may_send(member))
			send_to(member, tree->signal);
	}
}

/* ---- without a gap ---- */

/* All of the group at once; what is pinned of it is what is counted. */
static void shoot_group(struct pt_tree *tree)
{
	struct pt_member *member;
	int ours, r;

	/* it may have become ours */
	ours = tree->shoots ? sys_getpgid(0) : -1;
	tree->shoots = ours >= 0 && ours != tree->root.pid;
	if (!tree->shoots)
		return;
	if (!may_send_all(tree)) {
		tree->again = tree->signal == SIGKILL && !tree->descends;
		return;
	}
	for (member = &tree->root; member; member = member->next)
		member->shot = !member->ended && member->due &&
			       !pt_pidfd_ended(member->pidfd) &&
			       sys_getpgid(member->pid) == tree->root.pid &&
			       sys_pidfd_send_signal(member->pidfd, 0) >= 0;
	r = sys_pidfd_signal_group(tree->root.pidfd, tree->signal);
	PROBE3(signal, -tree->root.pid, tree->signal, r);
	for (member = &tree->root; member; member = member->next) {
		if (!member->shot || r < 0)
			continue;
		member->due = false;
		reach(member);
	}
}

/*
 * Some cannot be pinned, some are not yet: each counts once.  By the numbers as
 * they were listed: who was killed may be reaped by now.
 */
static void reach_killed(struct pt_tree *tree)
{
	const struct pt_pids *pids = &tree->cgroup.pids;
	CLEANUP(pt_pids_done) struct pt_pids more = { 0 };
	uint32_t unseen = 0;

	pt_pids_sort(&tree->cgroup.pids);
	for (size_t i = 0; i < pids->n; i++) {
		const pid_t pid = pids->at[i];
		const bool twice = i > 0 && pids->at[i - 1] == pid;
		struct pt_member *member = pt_sweep_known(tree, pid);

		if (member && !member->ended)
			reach(member);
		else if (member)
			continue; /* it ended before, counted or of itself */
		else if (pid == 0)
			unseen++;
		else if (!twice && !pt_pids_has(&tree->killed, pid))
			pt_pids_add(&more, pid);
	}
	tree->reached += (uint32_t)more.n;
	for (size_t i = 0; i < more.n; i++)
		pt_pids_add(&tree->killed, more.at[i]);
	pt_pids_sort(&tree->killed);
	if (unseen > tree->unseen) {
		tree->reached += unseen - tree->unseen;
		tree->unseen = unseen;
	}
}

/* Whom it kills it need not have been able to signal, nor to pin. */
static void kill_cgroup(struct pt_tree *tree)
{
	int r;

	if (!tree->kills || tree->with_us || tree->cgroup.pids.n == 0)
		return;
	if (!may_send_all(tree)) {
		tree->again = !tree->descends;
		return;
	}
	r = pt_sweep_kill(tree);
	PROBE2(cgroup_kill, tree->root.pid, r);
	tree->again = pt_sweep_is_short(r);
	if (r >= 0)
		reach_killed(tree);
	else if (!tree->again)
		tree->kills = false;
}

/*
 * Before anybody else is looked for: those who make others as fast as they can
 * leave the host little time.  Not where a child elsewhere is found only by its
 * parent.
 */
static void kill_cgroup_first(struct pt_tree *tree)
{
	if (tree->flags != PIDTRACK_STOP_CGROUP || !tree->kills)
		return;
	pt_sweep_bury(tree);
	if (pt_sweep_look(tree) < 0)
		return;
	if (pt_pids_has(&tree->cgroup.pids, tree->self))
		tree->with_us = true;
	kill_cgroup(tree);
}

#define STILL_NS (20 * MS)    /* without progress */
#define FREEZE_NS (2000 * MS) /* at most, in one step */
#define HOLD_NS (1000 * MS)   /* for want of room, until it is killed at once */
#define SWEEPS_MAX 64

static void stop_running(struct pt_tree *tree)
{
	for (struct pt_member *member = &tree->root; member;
	     member = member->next) {
		if (!member->ended && !member->frozen &&
		    signal_one(member, SIGSTOP) >= 0)
			member->frozen = true;
	}
}

/* @ret_wait: whether one of them has, or waits for, a processor */
static uint32_t count_running(const struct pt_tree *tree, bool *ret_wait)
{
	uint32_t n = 0;

	*ret_wait = false;
	for (const struct pt_member *member = &tree->root; member;
	     member = member->next)
		n += member->frozen && !pt_pidfd_ended(member->pidfd) &&
		     !pt_pids_is_still(member->pid, ret_wait);
	return n;
}

#define YIELDS 16

/* They need a processor: ours, and a host of real time yields to no other. */
static void let_run(unsigned int times)
{
	struct pollfd nothing = { .fd = -1 };

	if (times < YIELDS)
		sys_sched_yield();
	else
		sys_ppoll_for(&nothing, 1);
}

/*
 * Between a look at the children of a process and its death it could make
 * another, whom nobody would know for its child any more.  So all are stopped
 * first, until a sweep finds nobody who is not; SIGSTOP cannot be caught, but
 * takes effect only when the process comes to it, which on a busy machine takes
 * its time: as long as there is progress, or one of them has or wants a
 * processor, it is waited for.
 */
static void freeze(struct pt_tree *tree)
{
	const int64_t begin_ns = sys_now_ns();
	const int64_t end_ns = begin_ns + tree->freeze_ns;
	int64_t now_ns, still_ns = begin_ns + STILL_NS;
	uint32_t running = 0, before;
	unsigned int idle = 0;
	bool found, wait;

	do {
		stop_running(tree);
		before = running;
		running = count_running(tree, &wait);
		if (running > 0)
			let_run(idle++);
		found = pt_sweep(tree);
		if (found)
			idle = 0;
		now_ns = sys_now_ns();
		if (found || running != before || wait)
			still_ns = now_ns + STILL_NS;
	} while ((found || running > 0) && !tree->descends &&
		 now_ns < MIN(still_ns, end_ns));
	tree->freeze_ns = MAX(end_ns - now_ns, 0);
}

/* Those that could not be killed after all. */
static void thaw(struct pt_tree *tree)
{
	for (struct pt_member *member = &tree->root; member;
	     member = member->next) {
		if (member->frozen && !member->ended)
			signal_one(member, SIGCONT);
		member->frozen = false;
	}
}

static bool is_gapless(const struct pt_tree *tree)
{
	return !(tree->flags & PIDTRACK_STOP_TREE) &&
	       (!(tree->flags & PIDTRACK_STOP_GROUP) || tree->shoots) &&
	       (!(tree->flags & PIDTRACK_STOP_CGROUP) ||
		(tree->kills && !tree->again));
}

static void kill_gapless(struct pt_tree *tree)
{
	if (tree->flags & PIDTRACK_STOP_CGROUP)
		kill_cgroup(tree);
	if (tree->flags & PIDTRACK_STOP_GROUP)
		shoot_group(tree);
}

/*
 * A group and a cgroup are killed without a gap, but not what descends from
 * them elsewhere: of a tree they are what is left when it has ended.
 */
static void kill_all(struct pt_tree *tree)
{
	bool tree_first = tree->flags & PIDTRACK_STOP_TREE;

	tree->again = false;
	if (!tree_first)
		kill_gapless(tree);
	if (!is_gapless(tree) && is_any_due(tree))
		freeze(tree);
	send_due(tree);
	if (tree_first)
		kill_gapless(tree);
	thaw(tree);
}

/* ---- steps ---- */

static void send_all(struct pt_tree *tree)
{
	if (tree->signal == SIGKILL)
		kill_all(tree);
	else
		send_due(tree);
}

/* Whoever makes others as fast as they are found is left to the next look. */
static bool goes_on(int64_t since_ns, int sweeps)
{
	return sweeps < SWEEPS_MAX && sys_now_ns() < since_ns + FREEZE_NS;
}

void pt_tree_signal(struct pt_tree *tree, int signal, int64_t time_ns)
{
	const int64_t now_ns = sys_now_ns();
	int sweeps = 0;

	tree->signal = signal;
	tree->again = false;
	tree->freeze_ns = FREEZE_NS;
	tree->hold_ns = time_ns < HOLD_NS ? INT64_MAX : now_ns + HOLD_NS;
	if (signal == SIGKILL)
		kill_cgroup_first(tree);
	while (pt_sweep(tree) && goes_on(now_ns, sweeps++))
		;
	for (struct pt_member *member = &tree->root; member;
	     member = member->next) {
		member->due = signal != 0 && !member->ended;
		member->late = false;
	}
	if (signal == 0)
		return;
	if (tree->flags & PIDTRACK_STOP_GROUP && signal != SIGKILL)
		shoot_group(tree);
	do
		send_all(tree);
	while (pt_sweep(tree) && is_any_due(tree) && goes_on(now_ns, sweeps++));
}

void pt_tree_sweep(struct pt_tree *tree)
{
	pt_sweep(tree);
	if (tree->signal != 0 && (tree->again || is_any_due(tree)))
		send_all(tree);
}

bool pt_tree_is_over(const struct pt_tree *tree)
{
	return tree->root.ended && tree->n_alive == 0 && tree->whole &&
	       !tree->blind;
}

int64_t pt_tree_next_sweep(const struct pt_tree *tree)
{
	/* nobody is left to tell of an end: whoever is new, is found now */
	if (tree->n_alive == 0 && tree->root.ended && tree->whole)
		return tree->blind ? INT64_MAX : 1;
	if (!tree->whole || tree->again)
		return tree->swept_ns + 50 * MS;
	if (tree->flags & PIDTRACK_STOP_TREE)
		return tree->swept_ns + 100 * MS;
	return INT64_MAX;
}

/* ---- the whole ---- */

static bool is_gone(const struct pt_tree *tree)
{
	return tree->root.ended || pt_pidfd_reaped(tree->root.pidfd);
}

static int check_group(struct pt_tree *tree)
{
	int ours, r;

	/* refused, it would be nobody's */
	ours = sys_getpgid(0);
	if (ours < 0)
		return ours;
	if (ours == tree->root.pid)
		return -EDEADLK;
	r = sys_pidfd_signal_group(tree->root.pidfd, 0);
	tree->shoots = r != -EINVAL && r != -ENOSYS;
	if (pt_pidfd_reaped(tree->root.pidfd))
		return pt_sweep_has_group(tree) ? 0 : -ESRCH;
	r = sys_getpgid(tree->root.pid);
	if (r < 0 && r != -ESRCH)
		return r;
	if (r != tree->root.pid)
		return pt_pidfd_reaped(tree->root.pidfd) ? -ESRCH : -EINVAL;
	return 0;
}

static int check_us_in_cgroup(struct pt_tree *tree)
{
	CLEANUP(fd_closep) int us = -1;

	us = sys_pidfd_open(tree->self, 0);
	if (pt_pids_has(&tree->cgroup.pids, tree->self) ||
	    (us >= 0 && pt_cgroup_has(&tree->cgroup, us) > 0))
		return -EDEADLK;
	return pt_sweep_is_short(us) ? us : 0;
}

static int check_cgroup(struct pt_tree *tree, int fd)
{
	int r;

	tree->cgroup_fd = r = pt_cgroup_open(fd);
	if (r >= 0)
		r = pt_cgroup_look(&tree->cgroup, tree->cgroup_fd);
	if (r >= 0)
		r = check_us_in_cgroup(tree);
	if (r < 0)
		return r;
	r = pt_cgroup_has(&tree->cgroup, tree->root.pidfd);
	tree->kills = r > 0;
	if (r >= 0)
		return r ? 0 : -ESTALE;
	/* listed by its number, which was its own then */
	tree->kills = pt_pids_has(&tree->cgroup.pids, tree->root.pid) &&
		      !is_gone(tree);
	if (tree->kills)
		return 0;
	/* who has ended is not listed, wherever it was */
	return is_gone(tree) || pt_pidfd_ended(tree->root.pidfd) ? -ESRCH :
								   -ESTALE;
}

/* What can be found by the root's number. */
static int check_numbers(struct pt_tree *tree, const struct pt_place *place)
{
	int r = 0;

	if (tree->root.pid <= 0)
		return is_gone(tree) ? -ESRCH : -EREMOTE;
	if (!place->numbers)
		return -EOPNOTSUPP;
	/* refused, nobody would be found, nor ourselves among them */
	r = pt_pids_try();
	if (r < 0 && !pt_sweep_is_short(r))
		return r;
	tree->listed = pt_pids_lists_children();
	if (tree->flags & PIDTRACK_STOP_GROUP)
		r = check_group(tree);
	else
		r = is_gone(tree) ? -ESRCH : 0;
	return r;
}

#define BY_NUMBER (PIDTRACK_STOP_TREE | PIDTRACK_STOP_GROUP)

static int check(struct pt_tree *tree, const struct pt_place *place,
		 int cgroup_fd)
{
	int r = 0;

	if (tree->root.pid == tree->self || tree->root.pid == 1)
		return -EDEADLK;
	if (tree->flags & PIDTRACK_STOP_CGROUP)
		r = check_cgroup(tree, cgroup_fd);
	if (r >= 0 && tree->flags & BY_NUMBER)
		r = check_numbers(tree, place);
	/* then there is its cgroup, for certain */
	if (r == -ESRCH && tree->kills) {
		tree->flags &= ~BY_NUMBER;
		r = 0;
	}
	if (r >= 0 && !is_gone(tree))
		r = sys_pidfd_send_signal(tree->root.pidfd, 0);
	if (r < 0)
		return r;
	pt_sweep(tree);
	return tree->with_us ? -EDEADLK : 0;
}

int pt_tree_new(const struct pt_place *place, uint32_t flags, pid_t pid,
		int pidfd, bool ended, int cgroup_fd, const int *epoll,
		struct pt_tree **ret_tree)
{
	struct pt_tree *tree;
	int r;

	tree = calloc(1, sizeof(*tree));
	if (!tree)
		return -ENOMEM;
	tree->root = (struct pt_member){
		.tree = tree,
		.pidfd = pidfd,
		.pid = pid,
		.ended = ended,
	};
	tree->last = &tree->root;
	tree->flags = flags;
	tree->self = sys_getpid();
	tree->epoll = epoll;
	tree->cgroup_fd = tree->spare = -1;
	r = check(tree, place, cgroup_fd);
	if (r < 0) {
		pt_tree_free(tree);
		return r;
	}
	*ret_tree = tree;
	return 0;
}

struct pt_tree *pt_tree_free(struct pt_tree *tree)
{
	if (!tree)
		return NULL;
	for (struct pt_member *member = tree->root.next; member;
	     member = member->next)
		pt_member_ended(member);
	pt_sweep_bury(tree);
	pt_cgroup_done(&tree->cgroup);
	pt_pids_done(&tree->killed);
	fd_close(tree->cgroup_fd);
	fd_close(tree->spare);
	free(tree);
	return NULL;
}
