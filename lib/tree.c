/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "tree.h"

#include <time.h>

#include "procfs.h"
#include "sys.h"

#define MS INT64_C(1000000)

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- members ---- */

static bool is_reaped(int pidfd)
{
	return sys_pidfd_send_signal(pidfd, 0) == -ESRCH;
}

static bool has_ended(int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	return sys_ppoll_now(&ended) > 0;
}

static struct pt_member **bucket(struct pt_tree *tree, pid_t pid)
{
	return &tree->by_pid[(uint32_t)pid % PT_TREE_BUCKETS];
}

/* The one that holds the number now: not if it has been reaped since. */
static struct pt_member *find(struct pt_tree *tree, pid_t pid)
{
	struct pt_member *member = *bucket(tree, pid);

	while (member && member->pid != pid)
		member = member->like;
	if (!member || !is_reaped(member->pidfd))
		return member;
	pt_tree_ended(member);
	return NULL;
}

static void forget(struct pt_tree *tree, struct pt_member *member)
{
	struct pt_member **at = bucket(tree, member->pid);

	while (*at != member)
		at = &(*at)->like;
	*at = member->like;
}

void pt_tree_ended(struct pt_member *member)
{
	struct pt_tree *tree = member->tree;

	if (member->ended)
		return;
	member->ended = true;
	if (member == &tree->root)
		return;
	tree->n_alive--;
	forget(tree, member);
	/* others may have the file, and would keep it registered */
	sys_epoll_ctl(*tree->epoll, EPOLL_CTL_DEL, member->pidfd, 0, 0);
	member->pidfd = fd_close(member->pidfd);
}

/* Those that ended; the epoll may be about to tell of those that have not. */
static void bury(struct pt_tree *tree)
{
	struct pt_member *before = &tree->root;

	while (before->next) {
		struct pt_member *member = before->next;

		if (!member->ended) {
			before = member;
			continue;
		}
		before->next = member->next;
		free(member);
	}
	tree->last = before;
}

/* Takes the pidfd. */
static int add(struct pt_tree *tree, pid_t pid, int *pidfd)
{
	struct pt_member *member = calloc(1, sizeof(*member));
	int r;

	if (!member)
		return -ENOMEM;
	r = sys_epoll_ctl(*tree->epoll, EPOLL_CTL_ADD, *pidfd,
			  EPOLLIN | EPOLLET, (uintptr_t)member);
	if (r < 0) {
		free(member);
		return r;
	}
	member->tree = tree;
	member->pid = pid;
	member->pidfd = fd_take(pidfd);
	member->due = tree->signal != 0;
	member->late = true;
	member->like = *bucket(tree, pid);
	*bucket(tree, pid) = member;
	tree->last->next = member;
	tree->last = member;
	tree->n_alive++;
	return 0;
}

/* ---- whether the one that was pinned is the one that was found ---- */

/*
 * The child was pinned before, so it was the parent's child, if that one still
 * has its number afterwards.
 */
static bool is_child(const struct pt_member *parent, pid_t pid, int pidfd)
{
	struct pt_pidfd_info told;
	struct pt_procfs_stat stat;

	if (sys_pidfd_info(pidfd, PT_PIDFD_INFO_PID, &told) >= 0 &&
	    told.mask & PT_PIDFD_INFO_PID)
		stat.ppid = (pid_t)told.ppid;
	else if (pt_procfs_stat(pid, &stat) < 0 || is_reaped(pidfd))
		return false;
	return stat.ppid == parent->pid && !is_reaped(parent->pidfd);
}

/*
 * Whether the root's number still names its group and no other: as long as one
 * is left in the group, no process gets the number.
 */
static bool is_group_there(struct pt_tree *tree)
{
	int r;

	if (!is_reaped(tree->root.pidfd))
		return true;
	r = sys_pidfd_signal_group(tree->root.pidfd, 0);
	if (r != -EINVAL && r != -ENOSYS)
		return r != -ESRCH;
	for (struct pt_member *member = tree->root.next; member;
	     member = member->next) {
		if (!member->ended &&
		    sys_getpgid(member->pid) == tree->root.pid &&
		    !is_reaped(member->pidfd))
			return true;
	}
	return false;
}

static bool is_in_group(struct pt_tree *tree, pid_t pid, int pidfd)
{
	return sys_getpgid(pid) == tree->root.pid && !is_reaped(pidfd) &&
	       is_group_there(tree);
}

static bool is_in_cgroup(struct pt_tree *tree, pid_t pid, int pidfd)
{
	int r;

	r = pt_cgroup_has(&tree->cgroup, pidfd);
	if (r >= 0)
		return r;
	/* listed again, while it was pinned */
	return pt_cgroup_look(&tree->cgroup, tree->cgroup_fd) >= 0 &&
	       pt_pids_has(&tree->cgroup.pids, pid) && !is_reaped(pidfd);
}

/* ---- sweeping ---- */

static bool is_short(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOSPC;
}

/* Somebody was seen and not pinned: again when there is room. */
static void miss(struct pt_tree *tree, struct pt_member *parent)
{
	tree->whole = false;
	if (parent)
		parent->held = true;
}

/* Pins a number that was found, if it is new. */
static void consider(struct pt_tree *tree, struct pt_member *parent,
		     uint32_t as, pid_t pid)
{
	CLEANUP(fd_closep) int pidfd = -1;
	bool one;

	if (pid == tree->self)
		tree->with_us = true;
	if (pid <= 1 || pid == tree->self || pid == tree->root.pid ||
	    find(tree, pid))
		return;
	pidfd = sys_pidfd_open(pid, 0);
	if (is_short(pidfd))
		miss(tree, parent);
	if (pidfd < 0)
		return;

	if (as == PIDTRACK_STOP_TREE)
		one = is_child(parent, pid, pidfd);
	else if (as == PIDTRACK_STOP_GROUP)
		one = is_in_group(tree, pid, pidfd);
	else
		one = is_in_cgroup(tree, pid, pidfd);
	if (one && !has_ended(pidfd) && add(tree, pid, &pidfd) < 0)
		miss(tree, parent);
}

/* For looking, which takes some; pinning must not. */
static void lend_spare(struct pt_tree *tree)
{
	tree->spare = fd_close(tree->spare);
}

static void take_spare(struct pt_tree *tree)
{
	tree->spare = sys_dup_above(tree->root.pidfd, 3);
}

static void sweep_children(struct pt_tree *tree, struct pt_member *parent)
{
	CLEANUP(pt_pids_done) struct pt_pids pids = { 0 };
	int r;

	parent->held = false;
	lend_spare(tree);
	r = pt_pids_children(&pids, parent->pid);
	take_spare(tree);
	if (is_short(r))
		miss(tree, parent);
	else if (r < 0 && !has_ended(parent->pidfd))
		tree->blind = true; /* hidden */
	for (size_t i = 0; i < pids.n; i++)
		consider(tree, parent, PIDTRACK_STOP_TREE, pids.at[i]);
}

/* Where the kernel lists no children: all there are, by whose they are. */
static void search_children(struct pt_tree *tree)
{
	CLEANUP(pt_pids_done) struct pt_pids pids = { 0 };
	struct pt_procfs_stat stat;
	struct pt_member *parent;
	int r;

	for (parent = &tree->root; parent; parent = parent->next)
		parent->held = false;
	lend_spare(tree);
	r = pt_pids_in_directory(&pids, "/proc");
	if (r < 0)
		miss(tree, &tree->root);
	for (size_t i = 0; i < pids.n; i++) {
		r = pt_procfs_stat(pids.at[i], &stat);
		if (is_short(r))
			miss(tree, &tree->root);
		if (r < 0)
			continue;
		parent = stat.ppid == tree->root.pid ? &tree->root :
						       find(tree, stat.ppid);
		if (parent && !parent->ended)
			consider(tree, parent, PIDTRACK_STOP_TREE, pids.at[i]);
	}
	take_spare(tree);
}

static void sweep_tree(struct pt_tree *tree)
{
	if (!tree->listed) {
		search_children(tree);
		return;
	}
	/* those found come behind, and are swept from in their turn */
	for (struct pt_member *member = &tree->root; member;
	     member = member->next) {
		if (!member->ended)
			sweep_children(tree, member);
	}
}

static void sweep_group(struct pt_tree *tree)
{
	CLEANUP(pt_pids_done) struct pt_pids pids = { 0 };
	int r;

	lend_spare(tree);
	r = pt_pids_in_directory(&pids, "/proc");
	take_spare(tree);
	if (r < 0)
		miss(tree, NULL);
	for (size_t i = 0; i < pids.n; i++) {
		if (sys_getpgid(pids.at[i]) == tree->root.pid)
			consider(tree, NULL, PIDTRACK_STOP_GROUP, pids.at[i]);
	}
}

static void sweep_cgroup(struct pt_tree *tree)
{
	CLEANUP(pt_pids_done) struct pt_pids pids = { 0 };
	int r;

	lend_spare(tree);
	r = pt_cgroup_look(&tree->cgroup, tree->cgroup_fd);
	take_spare(tree);
	if (r < 0 && r != -ENODEV)
		miss(tree, NULL);
	/* pinning may look again */
	for (size_t i = 0; i < tree->cgroup.pids.n; i++) {
		if (pt_pids_add(&pids, tree->cgroup.pids.at[i]) < 0)
			miss(tree, NULL);
	}
	for (size_t i = 0; i < pids.n; i++) {
		if (pids.at[i] == 0)
			miss(tree, NULL); /* outside our pid namespace */
		consider(tree, NULL, PIDTRACK_STOP_CGROUP, pids.at[i]);
	}
}

/* Return: whether somebody was found. */
static bool sweep(struct pt_tree *tree)
{
	const struct pt_member *last;

	bury(tree);
	last = tree->last;
	tree->whole = true;
	if (tree->flags & PIDTRACK_STOP_TREE)
		sweep_tree(tree);
	if (tree->flags & PIDTRACK_STOP_GROUP)
		sweep_group(tree);
	if (tree->flags & PIDTRACK_STOP_CGROUP)
		sweep_cgroup(tree);
	tree->swept_ns = now_ns();
	return tree->last != last;
}

/* ---- sending ---- */

static void reach(struct pt_member *member)
{
	if (!member->reached)
		member->tree->reached++;
	member->reached = true;
}

static void send_to(struct pt_member *member, int signal)
{
	member->due = false;
	if (!has_ended(member->pidfd) &&
	    sys_pidfd_send_signal(member->pidfd, signal) >= 0)
		reach(member);
}

/*
 * One who comes late is what the others do about the signal, a disk being
 * flushed say: as long as the root lives it is the root's to end.
 */
static bool may_send(const struct pt_member *member)
{
	const struct pt_tree *tree = member->tree;

	return member->due && !member->ended && !member->held &&
	       (!member->late || tree->root.ended || tree->signal == SIGKILL);
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

static void send_due(struct pt_tree *tree)
{
	for (struct pt_member *member = &tree->root; member;
	     member = member->next) {
		if (may_send(member))
			send_to(member, tree->signal);
	}
}

/* ---- without a gap ---- */

/* All of the group at once; what is pinned of it is what is counted. */
static void shoot_group(struct pt_tree *tree)
{
	struct pt_member *member;
	int r;

	/* it may have become ours */
	if (!tree->shoots || sys_getpgid(0) == tree->root.pid)
		return;
	for (member = &tree->root; member; member = member->next)
		member->shot = !member->ended && member->due &&
			       !has_ended(member->pidfd) &&
			       sys_getpgid(member->pid) == tree->root.pid &&
			       sys_pidfd_send_signal(member->pidfd, 0) >= 0;
	r = sys_pidfd_signal_group(tree->root.pidfd, tree->signal);
	for (member = &tree->root; member; member = member->next) {
		if (!member->shot || r < 0)
			continue;
		member->due = false;
		reach(member);
	}
}

/* Whom it kills it need not have been able to signal, nor to pin. */
static void kill_cgroup(struct pt_tree *tree)
{
	uint32_t unpinned = 0;
	int r;

	if (!tree->kills || tree->with_us || tree->cgroup.pids.n == 0)
		return;
	for (size_t i = 0; i < tree->cgroup.pids.n; i++)
		unpinned += tree->cgroup.pids.at[i] == 0;
	r = pt_cgroup_kill(tree->cgroup_fd);
	if (r < 0) {
		tree->kills = false;
		return;
	}
	tree->reached = MAX(tree->reached, unpinned);
	for (size_t i = 0; i < tree->cgroup.pids.n; i++) {
		pid_t pid = tree->cgroup.pids.at[i];
		struct pt_member *member =
			pid == tree->root.pid ? &tree->root : find(tree, pid);

		if (member)
			reach(member);
	}
}

#define STILL_NS (20 * MS)
#define SWEEPS_MAX 64

static void stop_running(struct pt_tree *tree)
{
	for (struct pt_member *member = &tree->root; member;
	     member = member->next) {
		if (!member->ended && !member->frozen &&
		    sys_pidfd_send_signal(member->pidfd, SIGSTOP) >= 0)
			member->frozen = true;
	}
}

static bool is_still(const struct pt_tree *tree)
{
	for (const struct pt_member *member = &tree->root; member;
	     member = member->next) {
		if (member->frozen && !has_ended(member->pidfd) &&
		    !pt_pids_is_still(member->pid))
			return false;
	}
	return true;
}

/*
 * Between a look at the children of a process and its death it could make
 * another, whom nobody would know for its child any more.  So all are stopped
 * first, until a sweep finds nobody who is not; SIGSTOP cannot be caught, but
 * takes effect only when the process comes to it.
 */
static void freeze(struct pt_tree *tree)
{
	const int64_t end = now_ns() + STILL_NS;
	bool still;

	do {
		stop_running(tree);
		still = is_still(tree);
		if (!still)
			sys_sched_yield();
	} while ((sweep(tree) || !still) && now_ns() < end);
}

/* Those that could not be killed after all. */
static void thaw(struct pt_tree *tree)
{
	for (struct pt_member *member = &tree->root; member;
	     member = member->next) {
		if (member->frozen && !member->ended && member->due)
			sys_pidfd_send_signal(member->pidfd, SIGCONT);
		member->frozen = false;
	}
}

static bool is_gapless(const struct pt_tree *tree)
{
	return !(tree->flags & PIDTRACK_STOP_TREE) &&
	       (!(tree->flags & PIDTRACK_STOP_GROUP) || tree->shoots) &&
	       (!(tree->flags & PIDTRACK_STOP_CGROUP) || tree->kills);
}

static void kill_all(struct pt_tree *tree)
{
	if (tree->flags & PIDTRACK_STOP_CGROUP)
		kill_cgroup(tree);
	if (tree->flags & PIDTRACK_STOP_GROUP)
		shoot_group(tree);
	if (!is_gapless(tree) && is_any_due(tree))
		freeze(tree);
	send_due(tree);
	thaw(tree);
}

/* ---- steps ---- */

static void send(struct pt_tree *tree)
{
	if (tree->signal == SIGKILL)
		kill_all(tree);
	else
		send_due(tree);
}

void pt_tree_signal(struct pt_tree *tree, int signal)
{
	int sweeps = 0;

	tree->signal = signal;
	while (sweep(tree) && sweeps++ < SWEEPS_MAX)
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
		send(tree);
	while (sweep(tree) && is_any_due(tree) && sweeps++ < SWEEPS_MAX);
}

void pt_tree_sweep(struct pt_tree *tree)
{
	sweep(tree);
	if (tree->signal != 0 && is_any_due(tree))
		send(tree);
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
	if (!tree->whole)
		return tree->swept_ns + 50 * MS;
	if (tree->flags & PIDTRACK_STOP_TREE)
		return tree->swept_ns + 100 * MS;
	return INT64_MAX;
}

/* ---- the whole ---- */

static bool is_gone(const struct pt_tree *tree)
{
	return tree->root.ended || is_reaped(tree->root.pidfd);
}

static int check_group(struct pt_tree *tree)
{
	int r;

	if (sys_getpgid(0) == tree->root.pid)
		return -EDEADLK;
	r = sys_pidfd_signal_group(tree->root.pidfd, 0);
	tree->shoots = r != -EINVAL && r != -ENOSYS;
	if (is_gone(tree))
		return is_group_there(tree) ? 0 : -ESRCH;
	if (sys_getpgid(tree->root.pid) != tree->root.pid)
		return is_gone(tree) ? -ESRCH : -EINVAL;
	return 0;
}

static int check_us_in_cgroup(struct pt_tree *tree)
{
	CLEANUP(fd_closep) int us = -1;

	us = sys_pidfd_open(tree->self, 0);
	if (pt_pids_has(&tree->cgroup.pids, tree->self) ||
	    (us >= 0 && pt_cgroup_has(&tree->cgroup, us) > 0))
		return -EDEADLK;
	return is_short(us) ? us : 0;
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
	if (is_gone(tree))
		return -ESRCH;
	tree->kills = pt_pids_has(&tree->cgroup.pids, tree->root.pid) &&
		      !is_gone(tree);
	return tree->kills ? 0 : -ESTALE;
}

/* What can be found by the root's number. */
static int check_numbers(struct pt_tree *tree, const struct pt_place *place)
{
	int r = 0;

	if (tree->root.pid <= 0)
		return -EREMOTE;
	if (!place->numbers)
		return -EOPNOTSUPP;
	tree->listed = pt_pids_lists_children();
	if (tree->flags & PIDTRACK_STOP_GROUP)
		r = check_group(tree);
	else if (is_gone(tree))
		r = -ESRCH;
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
	sweep(tree);
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
		pt_tree_ended(member);
	bury(tree);
	pt_cgroup_done(&tree->cgroup);
	fd_close(tree->cgroup_fd);
	fd_close(tree->spare);
	free(tree);
	return NULL;
}
