/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Ladders of a process and of the cgroup that it is in, or was. */
#include "cgroups.h"
#include "family.h"
#include "strangers.h"

#define LAST PIDTRACK_EVENT_LAST

static const struct pidtrack_stop_step term_then_kill[] = {
	{ SIGTERM, 20 },
	{ SIGKILL, 60000 },
};

FIXTURE(cgroup)
{
	struct cgroup cgroup;
	struct family *family;
};

FIXTURE_SETUP(cgroup)
{
	int r;

	if (sandbox_refuses("pidfd_open"))
		SKIP(return, "no family could be given to a tracker");
	r = geteuid() ? -EPERM : cgroup_make(&self->cgroup);
	if (r)
		SKIP(return, "wants root and a cgroup2 mount: %s",
			   strerror(-r));
	self->family = family_make(_metadata);
}

FIXTURE_TEARDOWN(cgroup)
{
	family_end(_metadata, self->family);
	cgroup_remove(&self->cgroup);
}

static int stop_in(struct pidtrack_process *process, int fd, uint32_t flags,
		   const struct pidtrack_stop_step *steps, uint32_t n)
{
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.flags = flags | PIDTRACK_STOP_CGROUP,
				      .steps = steps, .n_steps = n,
				      .cgroup_fd = fd);

	return pidtrack_process_stop(process, &options);
}

/* A child of ours there, with @children. */
static pid_t start_in(struct family *family, const char *path, int children)
{
	pid_t root = fork();
	int i;

	if (root)
		return root;
	if (cgroup_join(path))
		_exit(93);
	if (family->stubborn)
		signal(SIGTERM, SIG_IGN);
	for (i = 0; i < children; i++)
		family_start(family, 0, 0);
	family_join(family);
	family_live();
}

/* Three, a stranger to them, and two in the cgroup below. */
static struct pidtrack_process *six_start(struct __test_metadata *_metadata,
					  struct pidtrack *tracker,
					  struct family *family,
					  const struct cgroup *cgroup)
{
	struct pidtrack_process *process;

	process = family_attach(_metadata, tracker,
				start_in(family, cgroup->path, 2));
	start_in(family, cgroup->path, 0);
	start_in(family, cgroup->below, 1);
	family_await(_metadata, family, 6);
	return process;
}

static void six_end_at_once(struct __test_metadata *_metadata,
			    struct family *family, const struct cgroup *cgroup)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	process = six_start(_metadata, tracker, family, cgroup);
	ASSERT_EQ(0, stop_in(process, cgroup->fd, 0, NULL, 0));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGTERM);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGTERM, 6);
	EXPECT_EQ(6, family_ended(family));
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST_F(cgroup, all_of_it_and_below_end_by_the_first_signal)
{
	six_end_at_once(_metadata, self->family, &self->cgroup);
}

/* As before Linux 6.13. */
TEST_F(cgroup, so_they_do_where_pidfds_do_not_tell_the_cgroup)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	six_end_at_once(_metadata, self->family, &self->cgroup);
}

static void six_end(struct __test_metadata *_metadata, struct family *family,
		    const struct cgroup *cgroup, uint32_t flags, bool kills)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	family->stubborn = true;
	process = six_start(_metadata, tracker, family, cgroup);
	/* as if there were no cgroup.kill, which is all that is written to */
	if (!kills)
		ASSERT_EQ(0,
			  seccomp_refuse_bits(SYS_openat, 2, O_WRONLY, ENOENT));
	ASSERT_EQ(0, stop_in(process, cgroup->fd, flags, term_then_kill, 2));
	ASSERT_LADDER(tracker, process, PIDTRACK_ESCALATED, 0, SIGKILL, 6);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 6);
	EXPECT_EQ(6, family_ended(family));
	pidtrack_free(tracker);
}

TEST_F(cgroup, all_that_ignore_it_end_by_the_next)
{
	six_end(_metadata, self->family, &self->cgroup, 0, true);
}

TEST_F(cgroup, so_they_do_where_it_cannot_be_killed_at_once)
{
	six_end(_metadata, self->family, &self->cgroup, 0, false);
}

TEST_F(cgroup, so_they_do_who_are_also_found_as_a_tree)
{
	six_end(_metadata, self->family, &self->cgroup, PIDTRACK_STOP_TREE,
		true);
}

/* A number of the cgroup is a stranger's by the time it is opened. */
static void stranger_lives(struct __test_metadata *_metadata,
			   struct family *family, const struct cgroup *cgroup,
			   bool asks)
{
	const struct pidtrack_stop_step steps[] = { { SIGKILL, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct swap swap = { 0 };
	pid_t root = fork();

	if (!root) {
		signal(SIGCHLD, SIG_IGN); /* who ends has no zombie */
		if (cgroup_join(cgroup->path))
			_exit(93);
		family_start(family, 0, 0);
		family_start(family, 0, 0);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 2);
	swap.pid = family->pids[0];
	swap.pidfd = family->pidfds[0];
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_openat, 2, O_WRONLY, ENOENT));
	swap_begin(_metadata, &swap, asks);
	ASSERT_EQ(0, stop_in(process, cgroup->fd, 0, steps, 1));
	swap_end(_metadata, &swap);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 2);
	stranger_end(_metadata, &swap);
	pidtrack_free(tracker);
}

TEST_F(cgroup, a_stranger_who_got_a_number_of_it_is_never_signalled)
{
	if (!numbers_can_be_had())
		SKIP(return, "wants clone3 with set_tid, Linux 5.5");
	stranger_lives(_metadata, self->family, &self->cgroup, true);
}

TEST_F(cgroup, nor_is_it_where_pidfds_do_not_tell_the_cgroup)
{
	if (!numbers_can_be_had())
		SKIP(return, "wants clone3 with set_tid, Linux 5.5");
	stranger_lives(_metadata, self->family, &self->cgroup, false);
}

/* System calls of stopping @n more than the root, who are there. */
static uint64_t calls_of(struct __test_metadata *_metadata,
			 struct family *family, const struct cgroup *cgroup,
			 int n)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	uint64_t before, after;

	process = family_attach(_metadata, tracker,
				start_in(family, cgroup->path, n));
	family_await(_metadata, family, family->n_pidfds + n + 1);
	before = tracker_statistics(tracker).syscalls;
	ASSERT_EQ(0, stop_in(process, cgroup->fd, 0, NULL, 0));
	after = tracker_statistics(tracker).syscalls;
	ASSERT_EXITED_AND_MORE(tracker, process, SIGTERM);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGTERM,
		      n + 1);
	pidtrack_free(tracker);
	return after - before;
}

/* Outside, with @n there, each of which is reaped as soon as it ends. */
static void start_parent_of(struct family *family, const char *path, int n)
{
	int i;

	if (fork())
		return;
	family_join(family);
	signal(SIGCHLD, SIG_IGN);
	for (i = 0; i < n; i++)
		start_in(family, path, 0);
	family_live();
}

static void count_once(struct __test_metadata *_metadata,
		       struct pidtrack *tracker, struct family *family,
		       const struct cgroup *cgroup, int n)
{
	const struct pidtrack_stop_step steps[] = { { SIGKILL, 60000 } };
	struct pidtrack_process *process;

	process = family_attach(_metadata, tracker,
				start_in(family, cgroup->path, 0));
	start_parent_of(family, cgroup->path, n);
	family_await(_metadata, family, family->n_pidfds + n + 2);
	ASSERT_EQ(0, stop_in(process, cgroup->fd, 0, steps, 1));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL,
		      n + 1);
}

/* Listed as one that dies, it has no number any more when it is pinned. */
TEST_F_WANTS(cgroup, who_is_reaped_at_once_counts_once, descriptors)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	int i;

	for (i = 0; i < 30; i++)
		count_once(_metadata, tracker, self->family, &self->cgroup, 30);
	EXPECT_EQ(30 * 31, family_ended(self->family));
	pidtrack_free(tracker);
}

TEST_F_WANTS(cgroup, one_look_will_do_for_many, descriptors)
{
	uint64_t few, many;

	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	few = calls_of(_metadata, self->family, &self->cgroup, 20);
	many = calls_of(_metadata, self->family, &self->cgroup, 300);
	EXPECT_LT(many - few, 280 * 12);
}

/* Each makes others as fast as it can, until there have been enough. */
static void __attribute__((noreturn)) bomb(struct family *family)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		if (family->n < 200 && !fork())
			family_join(family);
		sched_yield();
	}
}

static void bomb_ends(struct __test_metadata *_metadata, struct family *family,
		      const struct cgroup *cgroup, bool kills)
{
	/* one of 200 that are never done: a slow machine takes its time */
	const struct pidtrack_stop_step steps[] = {
		{ SIGKILL, (uint32_t)awhile_ms() },
	};
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	pid_t root = fork();
	char events[800];
	FILE *file;
	int n = -1, r;

	if (!root) {
		if (setpgid(0, 0) || cgroup_join(cgroup->path))
			_exit(93);
		family_join(family);
		bomb(family);
	}
	process = family_attach(_metadata, tracker, root);
	while (family->n < 20)
		sched_yield();
	if (!kills)
		ASSERT_EQ(0,
			  seccomp_refuse_bits(SYS_openat, 2, O_WRONLY, ENOENT));
	r = stop_in(process, cgroup->fd, 0, steps, 1);
	if (r)
		kill(-root, SIGKILL);
	ASSERT_EQ(0, r);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_STOP_DONE, event->kind);
	EXPECT_GE(event->reached, 20);
	snprintf(events, sizeof(events), "%s/cgroup.events", cgroup->path);
	file = fopen(events, "re");
	ASSERT_NE(NULL, (void *)file);
	EXPECT_EQ(1, fscanf(file, "populated %d", &n));
	EXPECT_EQ(0, n);
	fclose(file);
	pidtrack_free(tracker);
}

TEST_F_WANTS(cgroup, a_fork_bomb_in_it_ends, numbers_and_signals)
{
	bomb_ends(_metadata, self->family, &self->cgroup, true);
}

TEST_F_WANTS(cgroup, a_fork_bomb_ends_where_it_cannot_be_killed_at_once,
	     numbers_and_signals)
{
	bomb_ends(_metadata, self->family, &self->cgroup, false);
}

/* It may kill those whom the host may not. */
TEST_F(cgroup, whom_no_signal_of_ours_reaches_ends_too)
{
	const struct pidtrack_stop_step steps[] = { { SIGKILL, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	process = six_start(_metadata, tracker, self->family, &self->cgroup);
	ASSERT_EQ(0, seccomp_on_argument(SYS_pidfd_send_signal, 1, ~0U, SIGKILL,
					 SECCOMP_RET_ERRNO | EPERM, 0));
	ASSERT_EQ(0, stop_in(process, self->cgroup.fd, 0, steps, 1));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 6);
	EXPECT_EQ(6, family_ended(self->family));
	pidtrack_free(tracker);
}

/* ---- when the process has ended ---- */

static struct pidtrack_process *reaped_in(struct __test_metadata *_metadata,
					  struct pidtrack *tracker,
					  struct family *family,
					  const char *path, int children)
{
	struct pidtrack_process *process;
	pid_t root = start_in(family, path, children);

	process = family_attach(_metadata, tracker, root);
	while (family->n <= children)
		sched_yield();
	ASSERT_EQ(0, kill(root, SIGKILL));
	ASSERT_EXITED(tracker, process, SIGKILL);
	ASSERT_NO_EVENT(tracker);
	EXPECT_TRUE(pidfd_is_reaped(pidtrack_process_pidfd(process)));
	return process;
}

TEST_F_WANTS(cgroup, what_a_reaped_process_left_in_it_ends, signals)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	int r;

	process = reaped_in(_metadata, tracker, self->family,
			    self->cgroup.below, 2);
	r = stop_in(process, self->cgroup.fd, 0, NULL, 0);
	if (works(PIDTRACK_FEATURE_EXIT_INFO)) {
		ASSERT_EQ(0, r);
		ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST,
			      SIGTERM, 2);
	} else {
		EXPECT_EQ(-ESRCH, r);
		while (self->family->n > 0)
			kill(self->family->pids[--self->family->n], SIGKILL);
	}
	pidtrack_free(tracker);
}

TEST_F(cgroup, an_empty_one_is_done_and_nobody_was_reached)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	process = reaped_in(_metadata, tracker, self->family, self->cgroup.path,
			    0);
	if (works(PIDTRACK_FEATURE_EXIT_INFO)) {
		ASSERT_EQ(0, stop_in(process, self->cgroup.fd, 0, NULL, 0));
		EXPECT_TRUE(tracker_await(tracker));
		ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST,
			      SIGTERM, 0);
	} else {
		EXPECT_EQ(-ESRCH,
			  stop_in(process, self->cgroup.fd, 0, NULL, 0));
	}
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* ---- without room ---- */

static void six_end_with_room(struct __test_metadata *_metadata,
			      struct family *family,
			      const struct cgroup *cgroup, int wanted,
			      bool kills)
{
	const struct pidtrack_stop_step steps[] = { { SIGKILL, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct rlimit limit, short_;
	int fd = -1, room = 0;

	process = six_start(_metadata, tracker, family, cgroup);
	if (!kills) {
		ASSERT_EQ(0,
			  seccomp_refuse_bits(SYS_openat, 2, O_WRONLY, ENOENT));
		ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	}
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	while (room < wanted)
		room += fcntl(++fd, F_GETFD) < 0;
	short_ = limit;
	short_.rlim_cur = (rlim_t)fd;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &short_));
	ASSERT_EQ(0, stop_in(process, cgroup->fd, 0, steps, 1));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_STOP_DONE, event->kind);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	/* one leaves its cgroup a moment before its pidfd is readable */
	family_await_end(_metadata, family, 6);
	pidtrack_free(tracker);
}

/* The timer, the ends, the cgroup, and three to look with. */
TEST_F(cgroup, where_none_can_be_held_it_is_killed_all_the_same)
{
	six_end_with_room(_metadata, self->family, &self->cgroup, 7, true);
}

/* And by looking, which takes more than there is beside what is pinned. */
TEST_F(cgroup, where_few_can_be_held_they_end_one_after_the_other)
{
	six_end_with_room(_metadata, self->family, &self->cgroup, 8, false);
}

/* ---- what is refused ---- */

static void host_in(struct __test_metadata *_metadata, struct family *family,
		    const struct cgroup *cgroup, const char *path)
{
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	pid_t host = fork();
	int status;

	if (!host) {
		ASSERT_EQ(0, cgroup_join(path));
		tracker = tracker_start(_metadata, 0);
		process = family_attach(_metadata, tracker,
					start_in(family, cgroup->path, 0));
		while (family->n < 1)
			sched_yield();
		EXPECT_EQ(-EDEADLK, stop_in(process, cgroup->fd, 0, NULL, 0));
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
		ASSERT_EXITED(tracker, process, SIGKILL);
		pidtrack_free(tracker);
		_exit(0);
	}
	ASSERT_EQ(host, waitpid(host, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(cgroup, one_that_the_host_is_in_is_refused)
{
	host_in(_metadata, self->family, &self->cgroup, self->cgroup.path);
}

TEST_F(cgroup, one_that_the_host_is_below_is_refused)
{
	host_in(_metadata, self->family, &self->cgroup, self->cgroup.below);
}

TEST_F(cgroup, so_it_is_where_pidfds_do_not_tell)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	host_in(_metadata, self->family, &self->cgroup, self->cgroup.below);
}

TEST_F(cgroup, one_that_is_not_the_process_s_own_is_refused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	int below = open(self->cgroup.below, O_RDONLY | O_CLOEXEC);

	ASSERT_GE(below, 0);
	process = family_attach(_metadata, tracker,
				start_in(self->family, self->cgroup.path, 0));
	start_in(self->family, self->cgroup.below, 0);
	family_await(_metadata, self->family, 2);
	EXPECT_EQ(-ESTALE, stop_in(process, below, 0, NULL, 0));
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	EXPECT_EQ(-ESTALE, stop_in(process, below, 0, NULL, 0));
	EXPECT_EQ(0, family_ended(self->family));
	close(below);
	pidtrack_free(tracker);
}

/* It is listed nowhere, so nobody knows whether it was in there. */
TEST_F(cgroup, one_that_has_ended_is_gone_where_pidfds_do_not_tell)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"),
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP,
				       .cgroup_fd = self->cgroup.fd);
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	process_await_exit(process);
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	EXPECT_EQ(-ESRCH, stop_in(process, self->cgroup.fd, 0, NULL, 0));
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

TEST_F(cgroup, what_is_none_or_removed_is_refused)
{
	static const char *const paths[] = { "/", "/proc/self", "/dev/null" };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	char file[800];
	int fd, i;

	process = family_attach(_metadata, tracker,
				start_in(self->family, self->cgroup.path, 0));
	family_await(_metadata, self->family, 1);
	for (i = 0; i < 3; i++) {
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		ASSERT_GE(fd, 0);
		EXPECT_EQ(-EBADF, stop_in(process, fd, 0, NULL, 0));
		close(fd);
	}
	EXPECT_EQ(-EBADF, stop_in(process, -1, 0, NULL, 0));
	EXPECT_EQ(-EBADF, stop_in(process, 9999, 0, NULL, 0));
	snprintf(file, sizeof(file), "%s/cgroup.procs", self->cgroup.path);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EBADF, stop_in(process, fd, 0, NULL, 0));
	close(fd);
	fd = open(self->cgroup.below, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, rmdir(self->cgroup.below));
	EXPECT_EQ(-ENODEV, stop_in(process, fd, 0, NULL, 0));
	close(fd);
	EXPECT_EQ(0, family_ended(self->family));
	pidtrack_free(tracker);
}

TEST_F(cgroup, a_path_only_descriptor_will_do)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	int fd = open(self->cgroup.path, O_PATH | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	process = family_attach(_metadata, tracker,
				start_in(self->family, self->cgroup.path, 0));
	family_await(_metadata, self->family, 1);
	ASSERT_EQ(0, stop_in(process, fd, 0, NULL, 0));
	close(fd);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGTERM);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGTERM, 1);
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
