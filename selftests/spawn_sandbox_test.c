/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching in sandboxes that refuse system calls, as container runtimes do
 * with either ENOSYS or EPERM, and old kernels with ENOSYS or EINVAL.
 */
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "launch.h"
#include "seccomp.h"

#ifndef SYS_execveat
#error "a system without execveat"
#endif

/* A bit of everything, in one shim. */
static void launch_all(struct __test_metadata *_metadata)
{
	static const char *const argv[] = { "zero", "argv",  "cwd",  "fds",
					    "file", "7",     "file", "9",
					    "sigs", "umask", "env",  "ONLY",
					    NULL };
	struct pidtrack_fd_map fds[2] = { { 7 }, { 9, PIDTRACK_FD_NULL } };
	struct pidtrack_spawn_options options = PIDTRACK_SPAWN_OPTIONS(
			.argv = argv, .program = shim_path(), .cwd = "/usr",
			.envp = (const char *const[]){ "ONLY=this", NULL },
			.flags = PIDTRACK_SPAWN_UMASK | PIDTRACK_SPAWN_DETACHED,
			.umask = 027, .fds = fds, .n_fds = 2,
			.signal_mask = UINT64_C(1) << (SIGUSR1 - 1),
			.signal_ignore = UINT64_C(1) << (SIGPIPE - 1));
	struct pidtrack_spawn_options failing =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = "/is/not/there");
	struct stat seven, null;
	char said[512];
	int i, many[50], high;
	char *shim = realpath(shim_path(), NULL);

	for (i = 0; i < 50; i++)
		many[i] = open("/dev/null", O_RDONLY);
	high = fcntl(many[0], F_DUPFD, 15000);
	options.program = shim;
	fds[0].fd = named_fd(_metadata, "seven", MFD_CLOEXEC);
	signal(SIGHUP, SIG_IGN);

	ASSERT_EQ(0, fstat(fds[0].fd, &seven));
	ASSERT_EQ(0, stat("/dev/null", &null));
	snprintf(said, sizeof(said),
		 "[zero] [argv] [cwd] [fds] [file] [7] [file] [9] [sigs] "
		 "[umask] [env] [ONLY]\n"
		 "/usr\n"
		 "0 1 2 7 9\n"
		 "%ju:%ju\n"
		 "%ju:%ju\n"
		 "blk 0000000000000200 ign 0000000000001000 cgt "
		 "0000000000000000\n"
		 "0027\n"
		 "this\n",
		 (uintmax_t)seven.st_dev, (uintmax_t)seven.st_ino,
		 (uintmax_t)null.st_dev, (uintmax_t)null.st_ino);
	EXPECT_STREQ(said, shim_said(_metadata, &options));
	spawn_fails(_metadata, &failing, -ENOENT, PIDTRACK_STAGE_EXEC);

	for (i = 0; i < 50; i++)
		close(many[i]);
	if (high >= 0)
		close(high);
	close(fds[0].fd);
	free(shim);
}

static void launch_refused(struct __test_metadata *_metadata, int nr, int error)
{
	ASSERT_EQ(0, seccomp_refuse(nr, error));
	launch_all(_metadata);
}

TEST(with_everything_a_shim_is_launched)
{
	launch_all(_metadata);
}

TEST(without_clone3_a_shim_is_launched)
{
	launch_refused(_metadata, SYS_clone3, ENOSYS);
}

TEST(where_clone3_is_forbidden_a_shim_is_launched)
{
	launch_refused(_metadata, SYS_clone3, EPERM);
}

TEST(without_close_range_a_shim_is_launched)
{
	launch_refused(_metadata, SYS_close_range, ENOSYS);
}

TEST(where_close_range_is_forbidden_a_shim_is_launched)
{
	launch_refused(_metadata, SYS_close_range, EPERM);
}

/* Linux 5.9 to 5.10 have it without CLOEXEC, earlier ones not at all. */
TEST(where_close_range_knows_no_flags_a_shim_is_launched)
{
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_close_range, 2, 0xff, EINVAL));
	launch_all(_metadata);
}

TEST(without_pidfd_open_a_shim_is_launched)
{
	launch_refused(_metadata, SYS_pidfd_open, ENOSYS);
}

TEST(where_pidfd_open_is_forbidden_a_shim_is_launched)
{
	launch_refused(_metadata, SYS_pidfd_open, EPERM);
}

TEST(without_execveat_a_shim_is_launched)
{
	launch_refused(_metadata, SYS_execveat, ENOSYS);
}

TEST(where_execveat_is_forbidden_a_shim_is_launched)
{
	launch_refused(_metadata, SYS_execveat, EPERM);
}

TEST(without_both_clone3_and_close_range_a_shim_is_launched)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	launch_refused(_metadata, SYS_close_range, ENOSYS);
}

#ifdef SYS_clone
/* A filter that knows clone, but not what was added to it. */
TEST(where_clone_gives_no_pidfd_a_shim_is_launched)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_clone, 0, CLONE_PIDFD, EPERM));
	launch_all(_metadata);
}

/* What clone refuses to a host, and not to who looks for leaks afterwards. */
struct refused {
	uint32_t flags;
	int error;
};

/* Where the kernel reaps. */
static void launch_reaped(struct __test_metadata *_metadata, void *arg)
{
	const struct refused *refused = arg;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "7"));
	struct launch launch = LAUNCH_NULL;
	const struct pidtrack_event *event;
	int i;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_clone, 0, refused->flags,
					 refused->error));
	signal(SIGCHLD, SIG_IGN);
	launch_open(_metadata, &launch);
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options))
		{
			TH_LOG("launch %d, at stage %s", i,
			       pidtrack_stage_name(launch.stage));
		}
		do
			ASSERT_EQ(1, pidtrack_wait(launch.tracker, -1, &event));
		while (!(event->flags & PIDTRACK_EVENT_LAST));
		if (event->source != PIDTRACK_SOURCE_UNKNOWN)
			EXPECT_EQ(7 << 8, event->status);
		launch_reset(&launch);
	}
	launch_close(&launch);
}

TEST(where_clone_gives_no_pidfd_none_is_lost_that_the_kernel_reaps)
{
	struct refused refused = { CLONE_PIDFD, EPERM };

	host_run(_metadata, launch_reaped, &refused);
}

TEST_WANTS(where_clone_is_a_fork_none_is_lost_that_the_kernel_reaps, numbers)
{
	struct refused refused = { CLONE_PIDFD | CLONE_FILES, EINVAL };

	host_run(_metadata, launch_reaped, &refused);
}
#endif

#ifdef SYS_openat2
TEST(without_openat2_a_shim_is_launched)
{
	launch_refused(_metadata, SYS_openat2, ENOSYS);
}
#endif

TEST(without_unshare_a_shim_is_launched)
{
	launch_refused(_metadata, SYS_unshare, EPERM);
}

TEST(without_what_looks_at_others_a_shim_is_launched)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_kcmp, EPERM));
	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_getfd, EPERM));
	ASSERT_EQ(0, seccomp_refuse(SYS_name_to_handle_at, EPERM));
	ASSERT_EQ(0, seccomp_refuse(SYS_open_by_handle_at, EPERM));
	launch_all(_metadata);
}

/* In a process of its own, as sanitizers clone at the end of theirs. */
static void launch_without_clone(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, EPERM));
#ifdef SYS_clone
	ASSERT_EQ(0, seccomp_refuse(SYS_clone, EPERM));
#endif
#ifdef SYS_vfork
	ASSERT_EQ(0, seccomp_refuse(SYS_vfork, EPERM));
#endif
#ifdef SYS_fork
	ASSERT_EQ(0, seccomp_refuse(SYS_fork, EPERM));
#endif
	spawn_fails(_metadata, &options, -EPERM, PIDTRACK_STAGE_CLONE);
}

/* No way is left: that is an errno, not a wait for ever. */
TEST(where_no_process_may_be_made_that_is_told)
{
	host_run(_metadata, launch_without_clone, NULL);
}

TEST(where_no_program_may_be_executed_that_is_told)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));

	ASSERT_EQ(0, seccomp_refuse(SYS_execve, EPERM));
	ASSERT_EQ(0, seccomp_refuse(SYS_execveat, EPERM));
	spawn_fails(_metadata, &options, -EPERM, PIDTRACK_STAGE_EXEC);
}

static void launch_in_namespaces(struct __test_metadata *_metadata)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("session", "ns", "uts"),
				       .namespaces = CLONE_NEWUTS |
						     CLONE_NEWPID |
						     CLONE_NEWNS);
	char uts[64];
	const char *said;
	ssize_t n = readlink("/proc/self/ns/uts", uts, sizeof(uts) - 1);

	if (n < 0)
		SKIP(return, "no /proc, which tells namespaces apart");
	uts[n] = '\0';
	said = shim_said(_metadata, &options);
	EXPECT_EQ(said, strstr(said, "1 0 "));
	EXPECT_TRUE(strstr(said, "uts:[") && !strstr(said, uts));
}

TEST(without_clone3_there_are_namespaces_all_the_same)
{
	SKIP_WITHOUT_PID_NAMESPACES();
	launch_in_namespaces(_metadata);
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	launch_in_namespaces(_metadata);
}

/* Either it is launched, or that is seen before anything could run. */
static void launch_or_not(struct __test_metadata *_metadata,
			  const struct pidtrack_spawn_options *options)
{
	struct launch launch = LAUNCH_NULL;
	int r;

	launch_open(_metadata, &launch);
	r = launch_spawn(_metadata, &launch, options);
	if (!r) {
		EXPECT_STREQ("ran\n", launch_said(_metadata, &launch));
		EXPECT_EQ(0, launch_wait(_metadata, &launch));
	} else {
		EXPECT_TRUE(launch.stage == PIDTRACK_STAGE_RESERVE ||
			    launch.stage == PIDTRACK_STAGE_CLONE)
		{
			TH_LOG("%d at stage %s", r,
			       pidtrack_stage_name(launch.stage));
		}
		EXPECT_STREQ("", launch_said(_metadata, &launch));
	}
	launch_close(&launch);
}

#ifdef SYS_clone
/* As qemu-user: a clone that shares nothing, and descriptors for no more. */
static void launch_by_fork(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	struct rlimit before, limit;
	struct launch launch = LAUNCH_NULL;
	int lowest, spare;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_clone, 0,
					 CLONE_PIDFD | CLONE_FILES, EINVAL));
	launch_open(_metadata, &launch);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	for (spare = 0; spare < 4; spare++) {
		lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
		close(lowest);
		limit = before;
		/* and the test's own pipes, to and from the shim */
		limit.rlim_cur = lowest + 4 + spare;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		if (launch_spawn(_metadata, &launch, &options) == 0) {
			EXPECT_STREQ("ran\n", launch_said(_metadata, &launch));
			EXPECT_EQ(0, launch_wait(_metadata, &launch));
		} else {
			EXPECT_STREQ("reserve",
				     pidtrack_stage_name(launch.stage));
			EXPECT_STREQ("", launch_said(_metadata, &launch));
		}
		launch_reset(&launch);
		EXPECT_FALSE(child_is_any());
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	}
	launch_close(&launch);
}

TEST_WANTS(
	where_clone_is_a_fork_want_of_descriptors_is_told_before_anything_runs,
	numbers)
{
	host_run(_metadata, launch_by_fork, NULL);
}

/* For who opens a pidfd of another than this process. */
static int on_pidfds_of_others(uint32_t action, unsigned int flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args) + SECCOMP_LOW),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return seccomp_install(filter, sizeof(filter) / sizeof(filter[0]),
			       flags);
}

/* @refuse: what then refuses what is needed once it is cloned. */
static void launch_by_fork_in_vain(struct __test_metadata *_metadata,
				   int (*refuse)(void), int r)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	struct launch launch = LAUNCH_NULL;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_clone, 0,
					 CLONE_PIDFD | CLONE_FILES, EINVAL));
	launch_open(_metadata, &launch);
	ASSERT_EQ(0, refuse());
	EXPECT_EQ(r, launch_spawn(_metadata, &launch, &options));
	EXPECT_STREQ("", launch_said(_metadata, &launch));
	EXPECT_FALSE(child_is_any());
	launch_close(&launch);
}

/* All descriptors are other threads' when it is to be opened by its number. */
static int refuse_room(void)
{
	return on_pidfds_of_others(SECCOMP_RET_ERRNO | EMFILE, 0);
}

static void launch_without_room(struct __test_metadata *_metadata, void *arg)
{
	(void)arg;
	launch_by_fork_in_vain(_metadata, refuse_room, -EMFILE);
}

TEST_WANTS(where_clone_is_a_fork_nothing_runs_that_no_descriptor_is_left_for,
	   numbers)
{
	host_run(_metadata, launch_without_room, NULL);
}

/* It is not told that it may begin. */
static int refuse_word(void)
{
	return seccomp_on_argument(SYS_write, 2, UINT32_MAX, 8,
				   SECCOMP_RET_ERRNO | ENOMEM, 0);
}

static void launch_untold(struct __test_metadata *_metadata, void *arg)
{
	(void)arg;
	launch_by_fork_in_vain(_metadata, refuse_word, -ECANCELED);
}

TEST_WANTS(where_clone_is_a_fork_nothing_runs_that_may_not, numbers)
{
	host_run(_metadata, launch_untold, NULL);
}

static void *launch_held(void *argument)
{
	struct __test_metadata *_metadata = argument;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	struct launch launch = LAUNCH_NULL;

	launch_open(_metadata, &launch);
	launch_spawn(_metadata, &launch, &options);
	return NULL;
}

/* While the child is held, and another has a copy of all that holds it. */
static void die_amid_launch(struct __test_metadata *_metadata, int end,
			    int until)
{
	pthread_t thread;
	uint64_t id;
	int listener;
	char byte;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_clone, 0, CLONE_PIDFD, EINVAL));
	ASSERT_EQ(0, seccomp_on_argument(
			     SYS_clone, 0, CLONE_THREAD | CLONE_FILES,
			     CLONE_FILES, SECCOMP_RET_ERRNO | EINVAL, 0));
	listener = on_pidfds_of_others(SECCOMP_RET_USER_NOTIF,
				       SECCOMP_FILTER_FLAG_NEW_LISTENER);
	ASSERT_GE(listener, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, launch_held, _metadata));
	ASSERT_GT(seccomp_stopped(listener, &id), 0);
	if (!fork()) {
		close(end);
		while (read(until, &byte, 1) < 0)
			;
		seccomp_exit(0);
	}
	kill(getpid(), SIGKILL);
}

TEST_WANTS(where_clone_is_a_fork_who_is_held_ends_with_its_host, numbers)
{
	int ends[2], until[2], status;
	struct pollfd ended;
	pid_t host;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(until, O_CLOEXEC));
	host = fork();
	if (!host) {
		close(until[1]);
		die_amid_launch(_metadata, ends[1], until[0]);
		_exit(1);
	}
	close(ends[1]);
	ASSERT_EQ(host, waitpid(host, &status, 0));
	EXPECT_EQ(SIGKILL, status);
	ended = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	EXPECT_EQ(1, poll(&ended, 1, 5000));
	close(until[1]);
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(until[0]);
	close(ends[0]);
}

/* What suspends us, but would not share our descriptors. */
static void launch_again(struct __test_metadata *_metadata, void *arg)
{
	const struct refused *refused = arg;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	struct launch launch = LAUNCH_NULL;
	int i;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_clone, 0, refused->flags,
					 refused->error));
	launch_open(_metadata, &launch);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options))
		{
			TH_LOG("launch %d, at stage %s", i,
			       pidtrack_stage_name(launch.stage));
		}
		EXPECT_STREQ("ran\n", launch_said(_metadata, &launch));
		EXPECT_EQ(0, launch_wait(_metadata, &launch));
		launch_reset(&launch);
	}
	launch_close(&launch);
}

TEST_WANTS(where_clone_shares_no_descriptors_it_is_launched_again_and_again,
	   numbers)
{
	struct refused refused = { CLONE_FILES, EINVAL };

	host_run(_metadata, launch_again, &refused);
}

TEST_WANTS(where_it_may_not_share_them_it_is_launched_again_and_again, numbers)
{
	struct refused refused = { CLONE_FILES, EPERM };

	host_run(_metadata, launch_again, &refused);
}

TEST_WANTS(nor_give_a_pidfd_it_is_launched_again_and_again, numbers)
{
	struct refused refused = { CLONE_PIDFD | CLONE_FILES, EPERM };

	host_run(_metadata, launch_again, &refused);
}

/* What is refused is said, not that there is no such descriptor. */
TEST_WANTS(where_descriptors_may_not_be_looked_at_that_is_told, proc)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = 0 } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"), .fds = fds,
				       .n_fds = 1);
	struct launch launch = LAUNCH_NULL;
	uint32_t stage = 0;

	launch_open(_metadata, &launch);
#ifdef SYS_fcntl64
	ASSERT_EQ(0, seccomp_refuse(SYS_fcntl64, EPERM));
#else
	ASSERT_EQ(0, seccomp_refuse(SYS_fcntl, EPERM));
#endif
	EXPECT_EQ(-EPERM, pidtrack_spawn(launch.tracker, &options,
					 &launch.process, &stage));
	EXPECT_STREQ("fds", pidtrack_stage_name(stage));
	launch_close(&launch);
}

TEST(without_any_way_to_a_pidfd_nothing_runs)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_clone, 0, CLONE_PIDFD, EINVAL));
	launch_or_not(_metadata, &options);
}
#endif

TEST(without_clone3_and_pidfd_open_a_recorded_namespace_is_one_or_none)
{
	struct directory directory;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .namespaces = CLONE_NEWPID);
	struct path record;

	if (geteuid())
		SKIP(return, "wants root");
	directory_make(_metadata, &directory);
	record = path_in(&directory, "record");
	options.record = record.text;
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, ENOSYS));
	launch_or_not(_metadata, &options);
	directory_remove(&directory);
}

/* A child that opens itself then has our descriptors, and no way to its own. */
TEST_WANTS(where_no_table_can_be_parted_a_recorded_namespace_is_launched,
	   numbers)
{
	struct directory directory;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .namespaces = CLONE_NEWPID);
	struct path record;

	SKIP_WITHOUT_PID_NAMESPACES();
	directory_make(_metadata, &directory);
	record = path_in(&directory, "record");
	options.record = record.text;
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse(SYS_close_range, ENOSYS));
	ASSERT_EQ(0, seccomp_refuse(SYS_unshare, EPERM));
	EXPECT_STREQ("ran\n", shim_said(_metadata, &options));
	directory_remove(&directory);
}

/* ---- a host whose children are in a pid namespace that it is not in ---- */

static void launch_into_unshared(struct __test_metadata *_metadata, void *arg)
{
	struct path *record = arg;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("session"),
				       .record = record->text,
				       .flags = PIDTRACK_SPAWN_BOUND);
	struct launch launch = LAUNCH_NULL;
	char lines[64];

	launch_open(_metadata, &launch);
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options))
	{
		TH_LOG("at stage %s", pidtrack_stage_name(launch.stage));
	}
	EXPECT_EQ(0, strncmp("1 0 ", launch_said(_metadata, &launch), 4));
	snprintf(lines, sizeof(lines), "%d\n",
		 pidtrack_process_pid(launch.process));
	EXPECT_NE(1, pidtrack_process_pid(launch.process));
	EXPECT_EQ(0, strncmp(lines, file_read(_metadata, record->text),
			     strlen(lines)));
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	launch_close(&launch);
}

static void launch_none_into_unshared(struct __test_metadata *_metadata,
				      void *arg)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .flags = PIDTRACK_SPAWN_BOUND);
	struct launch launch = LAUNCH_NULL;

	(void)arg;
	launch_open(_metadata, &launch);
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, EPERM));
	EXPECT_EQ(-EREMOTE, launch_spawn(_metadata, &launch, &options));
	EXPECT_STREQ("bind", pidtrack_stage_name(launch.stage));
	launch_close(&launch);
}

/* Its parent is nobody there: it would take us for dead. */
TEST(who_cannot_see_whether_we_live_is_not_bound_to_us)
{
	SKIP_WITHOUT_PID_NAMESPACES();
	host_run(_metadata, launch_none_into_unshared, NULL);
}

static void launch_none_without_parent(struct __test_metadata *_metadata,
				       void *arg)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .parent_death_signal = SIGKILL);
	struct launch launch = LAUNCH_NULL;

	(void)arg;
	launch_open(_metadata, &launch);
	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, EPERM));
	ASSERT_EQ(0, seccomp_refuse(SYS_getppid, EACCES));
	EXPECT_EQ(-EACCES, launch_spawn(_metadata, &launch, &options));
	EXPECT_STREQ("bind", pidtrack_stage_name(launch.stage));
	launch_close(&launch);
}

/* Where that is not told, it is no word of our death. */
TEST(where_no_parent_is_told_the_launch_says_so)
{
	host_run(_metadata, launch_none_without_parent, NULL);
}

static void launch_unshared_without(struct __test_metadata *_metadata, int nr)
{
	struct directory directory;
	struct path record;

	SKIP_WITHOUT_PID_NAMESPACES();
	if (nr >= 0 && access("/proc/self/ns", F_OK) < 0)
		SKIP(return, "no /proc, which tells where children will be");
	directory_make(_metadata, &directory);
	record = path_in(&directory, "record");
	if (nr >= 0)
		ASSERT_EQ(0, seccomp_refuse(nr, ENOSYS));
	host_run(_metadata, launch_into_unshared, &record);
	directory_remove(&directory);
}

TEST_WANTS(a_record_has_the_pid_that_the_host_sees, numbers)
{
	launch_unshared_without(_metadata, -1);
}

TEST(without_clone3_a_record_has_the_pid_that_the_host_sees)
{
	launch_unshared_without(_metadata, SYS_clone3);
}

/* ---- how it waits ---- */

static void backend_is(struct __test_metadata *_metadata, const char *backend)
{
	struct launch launch = LAUNCH_NULL;

	launch_open(_metadata, &launch);
	EXPECT_STREQ(backend, pidtrack_backend(launch.tracker));
	launch_close(&launch);
	launch_all(_metadata);
}

TEST(without_io_uring_a_tracker_has_epoll)
{
	ASSERT_EQ(0, unsetenv("PIDTRACK_BACKEND"));
	ASSERT_EQ(0, seccomp_refuse(SYS_io_uring_setup, ENOSYS));
	backend_is(_metadata, "epoll");
}

TEST(where_io_uring_is_forbidden_a_tracker_has_epoll)
{
	ASSERT_EQ(0, unsetenv("PIDTRACK_BACKEND"));
	ASSERT_EQ(0, seccomp_refuse(SYS_io_uring_setup, EPERM));
	backend_is(_metadata, "epoll");
}

TEST(where_only_entering_a_ring_is_forbidden_a_tracker_has_epoll)
{
	ASSERT_EQ(0, unsetenv("PIDTRACK_BACKEND"));
	ASSERT_EQ(0, seccomp_refuse(SYS_io_uring_enter, EPERM));
	backend_is(_metadata, "epoll");
}

TEST(what_may_not_be_asked_of_a_ring_does_not_matter)
{
	ASSERT_EQ(0, unsetenv("PIDTRACK_BACKEND"));
	ASSERT_EQ(0, seccomp_refuse(SYS_io_uring_register, EPERM));
	launch_all(_metadata);
}

/* Else shims would be launched whose ends nobody could tell. */
static void have_no_tracker(struct __test_metadata *_metadata, int nr,
			    int error)
{
	struct pidtrack *tracker = NULL;

	ASSERT_EQ(0, seccomp_refuse(nr, error));
	EXPECT_EQ(-error, pidtrack_new(NULL, &tracker));
	EXPECT_NULL(tracker);
}

TEST(where_no_end_could_be_told_there_is_no_tracker)
{
	have_no_tracker(_metadata, SYS_waitid, ENOSYS);
}

TEST(nor_is_there_where_that_is_forbidden)
{
	have_no_tracker(_metadata, SYS_waitid, EPERM);
}

TEST(where_epoll_could_not_be_asked_there_is_none_that_has_it)
{
	ASSERT_EQ(0, setenv("PIDTRACK_BACKEND", "epoll", 1));
	have_no_tracker(_metadata, SYS_epoll_pwait, ENOSYS);
}

TEST(nor_is_there_where_asking_it_is_forbidden)
{
	ASSERT_EQ(0, setenv("PIDTRACK_BACKEND", "epoll", 1));
	have_no_tracker(_metadata, SYS_epoll_pwait, EPERM);
}

/* Which looks at those it could not watch, and at stops, from time to time. */
static void have_no_epoll_without_time(struct __test_metadata *_metadata,
				       int error)
{
	struct pidtrack *tracker = NULL;

	ASSERT_EQ(0, setenv("PIDTRACK_BACKEND", "epoll", 1));
	ASSERT_EQ(0, seccomp_refuse_timers(error));
	EXPECT_EQ(-error, pidtrack_new(NULL, &tracker));
	EXPECT_NULL(tracker);
}

TEST(where_no_time_can_be_set_there_is_none_that_has_epoll)
{
	have_no_epoll_without_time(_metadata, ENOSYS);
}

TEST(nor_is_there_where_setting_it_is_forbidden)
{
	have_no_epoll_without_time(_metadata, EPERM);
}

/* In a process of its own: who may not write could not say anything either. */
static void have_none_without(struct __test_metadata *_metadata,
			      const char *backend, int nr, int error)
{
	struct pidtrack *tracker = NULL;
	int status;
	pid_t pid;

	ASSERT_EQ(0, setenv("PIDTRACK_BACKEND", backend, 1));
	ASSERT_EQ(0, pidtrack_new(NULL, &tracker)); /* else */
	pidtrack_free(tracker);
	tracker = NULL;
	pid = fork();
	if (!pid) {
		if (seccomp_refuse(nr, error))
			seccomp_exit(1);
		if (pidtrack_new(NULL, &tracker) != -error || tracker)
			seccomp_exit(2);
		seccomp_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST(where_nothing_can_be_asked_or_woken_there_is_none_that_has_epoll)
{
	have_none_without(_metadata, "epoll", SYS_ppoll, ENOSYS);
	have_none_without(_metadata, "epoll", SYS_ppoll, EPERM);
	have_none_without(_metadata, "epoll", SYS_write, ENOSYS);
	have_none_without(_metadata, "epoll", SYS_write, EPERM);
}

/* Else what woke the host once would be readable for ever. */
TEST(where_nothing_can_be_read_there_is_none)
{
	have_none_without(_metadata, "epoll", SYS_read, ENOSYS);
	have_none_without(_metadata, "epoll", SYS_read, EPERM);
	if (pidtrack_feature_probe(PIDTRACK_FEATURE_RING_WAITID))
		SKIP(return, "no ring that waits");
	have_none_without(_metadata, "uring", SYS_read, ENOSYS);
	have_none_without(_metadata, "uring", SYS_read, EPERM);
}

TEST(io_uring_forced_is_had_or_refused)
{
	struct pidtrack *tracker = NULL;

	ASSERT_EQ(0, setenv("PIDTRACK_BACKEND", "uring", 1));
	ASSERT_EQ(0, seccomp_refuse(SYS_io_uring_setup, EPERM));
	EXPECT_EQ(-EPERM, pidtrack_new(NULL, &tracker));
	EXPECT_NULL(tracker);
}

TEST_HARNESS_MAIN
