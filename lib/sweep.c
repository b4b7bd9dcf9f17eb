/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "sweep.h"

#include "procfs.h"
#include "sys.h"

/* ---- members ---- */

bool pt_pidfd_reaped(int pidfd)
{
	return sys_pidfd_send_signal(pidfd, 0) == -ESRCH;
}

bool pt_pidfd_ended(int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	return sys_ppoll_now(&ended) > 0;
}

static struct pt_member **bucket(struct pt_tree *tree, pid_t pid)
{
	return &tree->by_pid[(uint32_t)pid % PT_TREE_BUCKETS];
}

static struct pt_member *known(struct pt_tree *tree, pid_t pid)
{
	struct pt_member *member = *bucket(tree, pid);

	while (member && member->pid != pid)
		member = member->like;
	return member;
}

/* When it is reaped another may have its number, of those below it too. */
static bool is_root(const struct pt_tree *tree, pid_t pid)
{
	return pid == tree->root.pid && !pt_pidfd_reaped(tree->root.pidfd);
}

struct pt_member *pt_sweep_known(struct pt_tree *tree, pid_t pid)
{
	struct pt_member *member = known(tree, pid);

	return member || pid != tree->root.pid ? member : &tree->root;
}

struct pt_member *pt_sweep_find(struct pt_tree *tree, pid_t pid)
{
	struct pt_member *member = known(tree, pid);

	if (!member || member->ended)
		return NULL;
	if (!pt_pidfd_reaped(member->pidfd))
		return member;
	pt_member_ended(member);
	return NULL;
}

static void forget(struct pt_tree *tree, struct pt_member *member)
{
	struct pt_member **at = bucket(tree, member->pid);

	while (*at != member)
		at = &(*at)->like;
	*at = member->like;
}

void pt_member_ended(struct pt_member *member)
{
	struct pt_tree *tree = member->tree;

	if (member->ended)
		return;
	member->ended = true;
	if (member == &tree->root)
		return;
	tree->n_alive--;
	/* others may have the file, and would keep it registered */
	sys_epoll_ctl(*tree->epoll, EPOLL_CTL_DEL, member->pidfd, 0, 0);
	member->pidfd = fd_close(member->pidfd);
}

void pt_sweep_bury(struct pt_tree *tree)
{
	struct pt_member *before = &tree->root;

	while (before->next) {
		struct pt_member *member = before->next;

		if (!member->ended) {
			before = member;
			continue;
		}
		before->next = member->next;
		if (member->next)
			member->next->before = before;
		forget(tree, member);
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
	member->reached = pt_pids_has(&tree->killed, pid);
	member->like = *bucket(tree, pid);
	*bucket(tree, pid) = member;
	member->before = tree->last;
	tree->last->next = member;
	tree->last = member;
	tree->n_alive++;
	return 0;
}

/* For looking, which takes some; pinning must not.  Neither minds a second. */
static void lend_spare(struct pt_tree *tree)
{
	tree->spare = fd_close(tree->spare);
}

static void take_spare(struct pt_tree *tree)
{
	if (tree->spare < 0)
		tree->spare = sys_dup_above(tree->root.pidfd, 3);
}

/* ---- whether the one that was pinned is the one that was found ---- */

/* Whether, or a negative errno if that could not be seen. */

/*
 * The child was pinned before, so it was the parent's child, if that one still
 * has its number afterwards.
 */
static int is_child(const struct pt_member *parent, pid_t pid, int pidfd)
{
	struct pt_pidfd_info told;
	struct pt_procfs_stat stat;
	int r;

	if (sys_pidfd_info(pidfd, PT_PIDFD_INFO_PID, &told) >= 0 &&
	    told.mask & PT_PIDFD_INFO_PID) {
		stat.ppid = (pid_t)told.ppid;
	} else {
		lend_spare(parent->tree);
		r = pt_procfs_stat(pid, &stat);
		take_spare(parent->tree);
		if (r < 0 || pt_pidfd_reaped(pidfd))
			return r < 0 ? r : 0;
	}
	return stat.ppid == parent->pid && !pt_pidfd_reaped(parent->pidfd);
}

bool pt_sweep_has_group(struct pt_tree *tree)
{
	int r;

	if (!pt_pidfd_reaped(tree->root.pidfd))
		return true;
	r = sys_pidfd_signal_group(tree->root.pidfd, 0);
	if (r != -EINVAL && r != -ENOSYS)
		return r != -ESRCH;
	for (struct pt_member *member = tree->root.next; member;
	     member = member->next) {
		if (!member->ended &&
		    sys_getpgid(member->pid) == tree->root.pid &&
		    !pt_pidfd_reaped(member->pidfd))
			return true;
	}
	return false;
}

static int is_in_group(struct pt_tree *tree, pid_t pid, int pidfd)
{
	return sys_getpgid(pid) == tree->root.pid && !pt_pidfd_reaped(pidfd) &&
	       pt_sweep_has_group(tree);
}

/* ---- sweeping ---- */

/* Somebody was seen and not pinned: again when there is room. */
static void miss(struct pt_tree *tree, struct pt_member *parent)
{
	tree->whole = false;
	if (parent)
		parent->held = true;
}

/* Nobody's children were looked for. */
static void miss_all(struct pt_tree *tree)
{
	for (struct pt_member *member = &tree->root; member;
	     member = member->next)
		miss(tree, member);
}

/* What opening it says of a number that is no process, or just ending. */
static bool is_nobody(int r)
{
	return r == -ESRCH || r == -EINVAL || r == -ENOENT;
}

/*
 * Pins a number that was found, if it is new.
 *
 * Return: a pidfd, of whoever has the number; -1.
 */
static int pin(struct pt_tree *tree, struct pt_member *parent, pid_t pid)
{
	int pidfd;

	if (pid == tree->self)
		tree->with_us = true;
	if (pid <= 1 || pid == tree->self || is_root(tree, pid) ||
	    pt_sweep_find(tree, pid))
		return -1;
	pidfd = sys_pidfd_open(pid, 0);
	if (pt_sweep_is_short(pidfd))
		miss(tree, parent);
	else if (pidfd < 0 && !is_nobody(pidfd))
		tree->blind = true; /* refused: it is there */
	return pidfd < 0 ? -1 : pidfd;
}

/* @one: whether it is one of them, or why that could not be seen */
static void judge(struct pt_tree *tree, struct pt_member *parent, pid_t pid,
		  int *pidfd, int one)
{
	if (pt_sweep_is_short(one) ||
	    (one > 0 && !pt_pidfd_ended(*pidfd) && add(tree, pid, pidfd) < 0))
		miss(tree, parent);
	else if (one < 0 && one != -ENODEV && !pt_pidfd_ended(*pidfd))
		tree->blind = true; /* hidden */
}

static void consider(struct pt_tree *tree, struct pt_member *parent,
		     uint32_t as, pid_t pid)
{
	CLEANUP(fd_closep) int pidfd = -1;
	int one;

	/* that may be seen only when there is room, after the first signals */
	if (as == PIDTRACK_STOP_TREE && pid == tree->self &&
	    !pt_pidfd_reaped(parent->pidfd))
		tree->descends = true;
	pidfd = pin(tree, parent, pid);
	if (pidfd < 0)
		return;
	one = as == PIDTRACK_STOP_TREE ? is_child(parent, pid, pidfd) :
					 is_in_group(tree, pid, pidfd);
	judge(tree, parent, pid, &pidfd, one);
}

static void sweep_children(struct pt_tree *tree, struct pt_member *parent)
{
	CLEANUP(pt_pids_done) struct pt_pids pids = { 0 };
	int r;

	parent->held = false;
	lend_spare(tree);
	r = pt_pids_children(&pids, parent->pid);
	take_spare(tree);
	if (pt_sweep_is_short(r))
		miss(tree, parent);
	else if (r < 0 && !pt_pidfd_ended(parent->pidfd))
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
		miss_all(tree);
	for (size_t i = 0; i < pids.n; i++) {
		lend_spare(tree);
		r = pt_procfs_stat(pids.at[i], &stat);
		if (pt_sweep_is_short(r))
			miss(tree, &tree->root);
		if (r < 0)
			continue;
		parent = is_root(tree, stat.ppid) ?
				 &tree->root :
				 pt_sweep_find(tree, stat.ppid);
		if (!parent || parent->ended)
			continue;
		take_spare(tree);
		consider(tree, parent, PIDTRACK_STOP_TREE, pids.at[i]);
	}
	take_spare(tree);
}

static void sweep_tree(struct pt_tree *tree)
{
	if (tree->listed < 0) {
		lend_spare(tree);
		tree->listed = pt_pids_lists_children();
		take_spare(tree);
	}
	if (tree->listed < 0) {
		miss_all(tree);
		return;
	}
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

/* ---- a cgroup ---- */

int pt_sweep_look(struct pt_tree *tree)
{
	int r;

	lend_spare(tree);
	r = pt_cgroup_look(&tree->cgroup, tree->cgroup_fd);
	take_spare(tree);
	return r;
}

int pt_sweep_kill(struct pt_tree *tree)
{
	int r;

	lend_spare(tree);
	r = pt_cgroup_kill(tree->cgroup_fd);
	take_spare(tree);
	return r;
}

/* Pinned, when their pidfds do not tell which cgroup they are in. */
struct batch {
	pid_t pids[256];
	int pidfds[256]; /* owned */
	size_t n;
};

static void drop_half(struct pt_tree *tree, struct batch *batch)
{
	const size_t half = batch->n / 2;

	miss(tree, NULL);
	while (batch->n > half)
		sys_close(batch->pidfds[--batch->n]);
}

/*
 * Pinned before the last look: whose number was listed by that, and is its own
 * still, was there.  One that moves may have been listed twice before.
 */
static int was_listed(struct pt_tree *tree, pid_t pid, int pidfd)
{
	return pt_pids_has(&tree->cgroup.pids, pid) &&
	       !pt_pidfd_reaped(pidfd) && !pt_sweep_find(tree, pid);
}

/* By one look for all of them, not one for each. */
static void judge_batch(struct pt_tree *tree, struct batch *batch)
{
	int r;

	if (batch->n == 0)
		return;
	while (pt_sweep_is_short(r = pt_sweep_look(tree)) && batch->n > 1)
		drop_half(tree, batch);
	pt_pids_sort(&tree->cgroup.pids);
	for (size_t i = 0; i < batch->n; i++) {
		const pid_t pid = batch->pids[i];
		int *pidfd = &batch->pidfds[i];

		judge(tree, NULL, pid, pidfd,
		      r < 0 ? r : was_listed(tree, pid, *pidfd));
		fd_close(*pidfd);
	}
	batch->n = 0;
}

static void consider_in_cgroup(struct pt_tree *tree, pid_t pid,
			       struct batch *batch)
{
	CLEANUP(fd_closep) int pidfd = -1;
	int one;

	pidfd = pin(tree, NULL, pid);
	if (pidfd < 0)
		return;
	one = pt_cgroup_has(&tree->cgroup, pidfd);
	if (one >= 0) {
		judge(tree, NULL, pid, &pidfd, one);
		return;
	}
	batch->pids[batch->n] = pid;
	batch->pidfds[batch->n++] = fd_take(&pidfd);
	if (batch->n == ARRAY_SIZE(batch->pids))
		judge_batch(tree, batch);
}

static void sweep_cgroup(struct pt_tree *tree)
{
	CLEANUP(pt_pids_done) struct pt_pids pids = { 0 };
	struct batch batch = { .n = 0 };
	int r;

	r = pt_sweep_look(tree);
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
		consider_in_cgroup(tree, pids.at[i], &batch);
	}
	judge_batch(tree, &batch);
}

bool pt_sweep(struct pt_tree *tree)
{
	const struct pt_member *last;

	pt_sweep_bury(tree);
	last = tree->last;
	tree->whole = true;
	if (tree->flags & PIDTRACK_STOP_TREE)
		sweep_tree(tree);
	if (tree->flags & PIDTRACK_STOP_GROUP)
		sweep_group(tree);
	if (tree->flags & PIDTRACK_STOP_CGROUP)
		sweep_cgroup(tree);
	tree->swept_ns = sys_now_ns();
	return tree->last != last;
}
