/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching: as whom, within which limits, and in which namespaces.
 */
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "launch.h"
#include "seccomp.h"

FIXTURE(files)
{
	struct directory directory;
};

FIXTURE_SETUP(files)
{
	directory_make(_metadata, &self->directory);
}

FIXTURE_TEARDOWN(files)
{
	directory_remove(&self->directory);
}

/* ---- as whom ---- */

TEST(a_file_mode_mask_is_set)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("umask"),
				       .flags = PIDTRACK_SPAWN_UMASK,
				       .umask = 0);

	umask(0137);
	EXPECT_STREQ("0000\n", shim_said(_metadata, &options));
	options.umask = 0027;
	EXPECT_STREQ("0027\n", shim_said(_metadata, &options));
	options.umask = 0777;
	EXPECT_STREQ("0777\n", shim_said(_metadata, &options));
	options.umask = 0;
	options.flags = 0;
	EXPECT_STREQ("0137\n", shim_said(_metadata, &options));
	EXPECT_EQ(0137, umask(022));
}

/* Not where a user namespace has no such number. */
static bool groups_are_there(const gid_t *groups, size_t n)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(syscall(SYS_setgroups, n, groups) != 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

TEST_F(files, user_and_groups_are_set)
{
	static const gid_t groups[] = { 7, 4242, 100000 };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("ids"),
				       .flags = PIDTRACK_SPAWN_UID |
						PIDTRACK_SPAWN_GID |
						PIDTRACK_SPAWN_GROUPS,
				       .uid = NOBODY, .gid = 123,
				       .groups = groups, .n_groups = 3);
	struct path shim;

	if (geteuid())
		SKIP(return, "wants root");
	if (!groups_are_there(groups, 3))
		SKIP(return, "no group 100000 in this user namespace");
	shim = shim_copy(_metadata, &self->directory);
	options.program = shim.text;
	EXPECT_STREQ("uid 65534 65534 65534 gid 123 123 123 groups 7 4242 "
		     "100000\n",
		     shim_said(_metadata, &options));
	options.n_groups = 0;
	EXPECT_STREQ("uid 65534 65534 65534 gid 123 123 123 groups\n",
		     shim_said(_metadata, &options));
	EXPECT_EQ(0, geteuid());
	EXPECT_EQ(0, getegid());
}

TEST_F(files, each_of_user_and_groups_is_set_by_itself)
{
	static const gid_t groups[] = { 9 };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("ids"),
				       .flags = PIDTRACK_SPAWN_GID, .gid = 123);
	struct path shim;

	if (geteuid())
		SKIP(return, "wants root");
	ASSERT_EQ(0, syscall(SYS_setgroups, 0, NULL));
	shim = shim_copy(_metadata, &self->directory);
	options.program = shim.text;
	EXPECT_STREQ("uid 0 0 0 gid 123 123 123 groups\n",
		     shim_said(_metadata, &options));
	options.flags = PIDTRACK_SPAWN_GROUPS;
	options.gid = 0;
	options.groups = groups;
	options.n_groups = 1;
	EXPECT_STREQ("uid 0 0 0 gid 0 0 0 groups 9\n",
		     shim_said(_metadata, &options));
	options.flags = PIDTRACK_SPAWN_UID;
	options.groups = NULL;
	options.n_groups = 0;
	options.uid = NOBODY;
	EXPECT_STREQ("uid 65534 65534 65534 gid 0 0 0 groups\n",
		     shim_said(_metadata, &options));
}

/* To its user a host without rights may set itself, but none other. */
static void hosts_of_nobody(struct __test_metadata *_metadata, void *shim)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("ids"),
				       .flags = PIDTRACK_SPAWN_UID,
				       .program = shim, .uid = NOBODY);

	become_nobody(_metadata);
	EXPECT_STREQ("uid 65534 65534 65534 gid 65534 65534 65534 groups\n",
		     shim_said(_metadata, &options));
	options.uid = 0;
	spawn_fails(_metadata, &options, -EPERM, PIDTRACK_STAGE_IDS);
	options.flags = PIDTRACK_SPAWN_GID;
	spawn_fails(_metadata, &options, -EPERM, PIDTRACK_STAGE_IDS);
	options.flags = PIDTRACK_SPAWN_GROUPS;
	spawn_fails(_metadata, &options, -EPERM, PIDTRACK_STAGE_IDS);
}

TEST_F(files, ids_a_host_may_not_set_fail_the_launch)
{
	struct path shim;

	if (geteuid())
		SKIP(return, "wants root");
	shim = shim_copy(_metadata, &self->directory);
	host_run(_metadata, hosts_of_nobody, shim.text);
}

/* ---- and the host remains who it is ---- */

/*
 * A child that has changed its user but not executed yet shares the host's
 * memory.  Its user must not get at that, so as long as there is one the host
 * stays undumpable (prctl(2)), whatever other threads launch meanwhile.
 */
struct shared {
	struct __test_metadata *metadata;
	struct pidtrack_spawn_options options;
	int listener;
};

static void *launch_as_nobody(void *arg)
{
	struct shared *shared = arg;
	struct __test_metadata *_metadata = shared->metadata;
	const struct pidtrack_event *event = NULL;
	struct pidtrack_process *process;
	struct launch launch = LAUNCH_NULL;

	launch_open(_metadata, &launch);
	EXPECT_EQ(0, pidtrack_spawn(launch.tracker, &shared->options, &process,
				    NULL));
	EXPECT_EQ(1, pidtrack_wait(launch.tracker, -1, &event));
	if (event)
		EXPECT_EQ(0, event->status);
	launch_close(&launch);
	return NULL;
}

TEST(launches_as_another_user_leave_the_host_dumpable)
{
	struct shared shared = {
		.metadata = _metadata,
		.options = PIDTRACK_SPAWN_OPTIONS(
				.argv = SHIM("exit", "0"),
				.flags = PIDTRACK_SPAWN_UID |
					 PIDTRACK_SPAWN_GID |
					 PIDTRACK_SPAWN_PROGRAM_FD,
				.uid = NOBODY, .gid = NOBODY),
	};
	pthread_t first, second;
	uint64_t first_id, second_id;

	if (geteuid())
		SKIP(return, "wants root");
	shared.options.program_fd = open(shim_path(), O_PATH | O_CLOEXEC);
	ASSERT_GE(shared.options.program_fd, 0);
	shared.listener = seccomp_stop_exec();
	if (shared.listener < 0)
		SKIP(return, "no listeners of seccomp (Linux 5.5)");
	ASSERT_EQ(1, prctl(PR_GET_DUMPABLE));

	ASSERT_EQ(0, pthread_create(&first, NULL, launch_as_nobody, &shared));
	ASSERT_GT(seccomp_stopped(shared.listener, &first_id), 0);
	EXPECT_NE(1, prctl(PR_GET_DUMPABLE));
	ASSERT_EQ(0, pthread_create(&second, NULL, launch_as_nobody, &shared));
	ASSERT_GT(seccomp_stopped(shared.listener, &second_id), 0);
	ASSERT_EQ(0, seccomp_go(shared.listener, second_id));
	ASSERT_EQ(0, pthread_join(second, NULL));
	EXPECT_NE(1, prctl(PR_GET_DUMPABLE));
	ASSERT_EQ(0, seccomp_go(shared.listener, first_id));
	ASSERT_EQ(0, pthread_join(first, NULL));
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
	close(shared.listener);
	close(shared.options.program_fd);
}

static int launch_in_copy(struct shared *shared)
{
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	struct pidtrack *tracker;

	if (getpid() != 1 || prctl(PR_SET_DUMPABLE, 1) < 0 ||
	    pidtrack_new(NULL, &tracker) < 0 ||
	    pidtrack_spawn(tracker, &shared->options, &process, NULL) < 0 ||
	    pidtrack_wait(tracker, -1, &event) != 1)
		return 2;
	pidtrack_free(tracker);
	return prctl(PR_GET_DUMPABLE) == 1 ? 0 : 1;
}

static void launch_beside_copy(struct __test_metadata *_metadata, void *arg)
{
	struct shared *shared = arg;
	uint64_t id, copys_id;
	pthread_t thread;
	pid_t copy;
	int status;

	ASSERT_EQ(1, getpid());
	ASSERT_EQ(1, prctl(PR_GET_DUMPABLE));
	shared->listener = seccomp_stop_exec();
	if (shared->listener < 0)
		SKIP(return, "no listeners of seccomp (Linux 5.5)");
	ASSERT_EQ(0, pthread_create(&thread, NULL, launch_as_nobody, shared));
	ASSERT_GT(seccomp_stopped(shared->listener, &id), 0);
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	copy = fork();
	if (!copy)
		_exit(launch_in_copy(shared));
	ASSERT_GT(seccomp_stopped(shared->listener, &copys_id), 0);
	ASSERT_EQ(0, seccomp_go(shared->listener, copys_id));
	ASSERT_EQ(copy, waitpid(copy, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, seccomp_go(shared->listener, id));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	close(shared->listener);
}

static void be_process_1(struct __test_metadata *_metadata, void *arg)
{
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	host_run(_metadata, launch_beside_copy, arg);
}

/* In a pid namespace of its own it has the pid of us, if we have one, too. */
TEST(a_copy_of_the_host_amid_a_launch_knows_nothing_of_it)
{
	struct shared shared = {
		.metadata = _metadata,
		.options = PIDTRACK_SPAWN_OPTIONS(
				.argv = SHIM("exit", "0"),
				.flags = PIDTRACK_SPAWN_UID |
					 PIDTRACK_SPAWN_PROGRAM_FD,
				.uid = NOBODY),
	};

	if (geteuid())
		SKIP(return, "wants root");
	SKIP_WITHOUT_PID_NAMESPACES();
	shared.options.program_fd = open(shim_path(), O_PATH | O_CLOEXEC);
	ASSERT_GE(shared.options.program_fd, 0);
	host_run(_metadata, be_process_1, &shared);
	close(shared.options.program_fd);
}

TEST(a_host_that_is_not_dumpable_stays_so)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"),
				       .flags = PIDTRACK_SPAWN_UID |
						PIDTRACK_SPAWN_PROGRAM_FD,
				       .uid = NOBODY);

	if (geteuid())
		SKIP(return, "wants root");
	options.program_fd = open(shim_path(), O_PATH | O_CLOEXEC);
	ASSERT_GE(options.program_fd, 0);
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 0));
	shim_said(_metadata, &options);
	EXPECT_EQ(0, prctl(PR_GET_DUMPABLE));
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	close(options.program_fd);
}

struct undumpable {
	struct __test_metadata *metadata;
	struct pidtrack_spawn_options options;
	int refused; /* PR_GET_DUMPABLE or PR_SET_DUMPABLE */
};

/* In a thread of its own: the rest of us may still look. */
static void *launch_none_as_nobody(void *arg)
{
	struct undumpable *it = arg;
	struct __test_metadata *_metadata = it->metadata;
	struct launch launch = LAUNCH_NULL;

	launch_open(_metadata, &launch);
	EXPECT_EQ(0, seccomp_on_argument(SYS_prctl, 0, UINT32_MAX,
					 (uint32_t)it->refused,
					 SECCOMP_RET_ERRNO | EPERM, 0));
	launch_fails(_metadata, &launch, &it->options, -EPERM,
		     PIDTRACK_STAGE_IDS);
	launch_close(&launch);
	return NULL;
}

TEST(who_could_not_stay_dumpable_launches_nobody_else)
{
	static const int refused[] = { PR_GET_DUMPABLE, PR_SET_DUMPABLE };
	struct undumpable it = {
		.metadata = _metadata,
		.options = PIDTRACK_SPAWN_OPTIONS(
				.argv = SHIM("write", "ran"),
				.flags = PIDTRACK_SPAWN_UID |
					 PIDTRACK_SPAWN_PROGRAM_FD,
				.uid = NOBODY),
	};
	pthread_t thread;
	size_t i;

	if (geteuid())
		SKIP(return, "wants root");
	it.options.program_fd = open(shim_path(), O_PATH | O_CLOEXEC);
	ASSERT_GE(it.options.program_fd, 0);
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		it.refused = refused[i];
		ASSERT_EQ(0, pthread_create(&thread, NULL,
					    launch_none_as_nobody, &it));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
	}
	close(it.options.program_fd);
}

TEST(a_mask_that_may_not_be_set_fails_the_launch)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .flags = PIDTRACK_SPAWN_UMASK,
				       .umask = 077);
	struct launch launch = LAUNCH_NULL;

	launch_open(_metadata, &launch);
	ASSERT_EQ(0, seccomp_refuse(SYS_umask, EPERM));
	launch_fails(_metadata, &launch, &options, -EPERM,
		     PIDTRACK_STAGE_LIMITS);
	launch_close(&launch);
}

TEST(no_new_privileges_is_set_when_asked_for)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("nnp"));

	EXPECT_STREQ("0\n", shim_said(_metadata, &options));
	options.flags = PIDTRACK_SPAWN_NO_NEW_PRIVS;
	EXPECT_STREQ("1\n", shim_said(_metadata, &options));
	EXPECT_EQ(0, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}

/* ---- limits ---- */

TEST_WANTS(resource_limits_are_set, descriptors)
{
	static const struct pidtrack_rlimit rlimits[] = {
		{ .resource = RLIMIT_CORE, .soft = 0, .hard = 4096 },
		{ .resource = RLIMIT_NOFILE, .soft = 64, .hard = 128 },
		{ .resource = RLIMIT_CPU, .soft = 1000, .hard = 2000 },
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("limits"),
				       .rlimits = rlimits, .n_rlimits = 3);
	struct rlimit before[RLIM_NLIMITS], after;
	const char *said;
	int i;

	for (i = 0; i < (int)RLIM_NLIMITS; i++)
		ASSERT_EQ(0, getrlimit(i, &before[i]));
	said = shim_said(_metadata, &options);
	EXPECT_TRUE(strstr(said, " 4=0:4096 ") != NULL);
	EXPECT_TRUE(strstr(said, " 7=64:128 ") != NULL);
	EXPECT_EQ(said, strstr(said, "0=1000:2000 "));
	for (i = 0; i < (int)RLIM_NLIMITS; i++) {
		ASSERT_EQ(0, getrlimit(i, &after));
		EXPECT_EQ(0, memcmp(&before[i], &after, sizeof(after)));
	}
}

TEST(a_limit_may_be_no_limit)
{
	static const struct pidtrack_rlimit rlimit = { .resource = RLIMIT_CPU,
						       .soft = UINT64_MAX,
						       .hard = UINT64_MAX };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("limits"),
				       .rlimits = &rlimit, .n_rlimits = 1);
	struct rlimit limit = { 1000, RLIM_INFINITY };
	const char *said;

	ASSERT_EQ(0, setrlimit(RLIMIT_CPU, &limit));
	said = shim_said(_metadata, &options);
	EXPECT_EQ(said, strstr(said, "0=inf:inf "));
}

TEST_WANTS(a_limit_below_the_descriptors_mapped_does_not_disturb, descriptors)
{
	static const struct pidtrack_rlimit rlimit = {
		.resource = RLIMIT_NOFILE, .soft = 3, .hard = 3
	};
	struct pidtrack_fd_map fds = { 200, PIDTRACK_FD_NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "it ran"),
				       .rlimits = &rlimit, .n_rlimits = 1,
				       .fds = &fds, .n_fds = 1);

	EXPECT_STREQ("it ran\n", shim_said(_metadata, &options));
}

TEST(limits_the_kernel_refuses_fail_the_launch)
{
	struct pidtrack_rlimit rlimit = { .resource = RLIMIT_NOFILE,
					  .soft = 20,
					  .hard = 10 };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .rlimits = &rlimit, .n_rlimits = 1);

	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_LIMITS);
}

/* ---- namespaces ---- */

TEST_WANTS(namespaces_are_made_when_asked_for, proc)
{
	static const struct {
		uint64_t flag;
		const char *name;
	} kinds[] = {
		{ CLONE_NEWCGROUP, "cgroup" }, { CLONE_NEWIPC, "ipc" },
		{ CLONE_NEWNET, "net" },       { CLONE_NEWNS, "mnt" },
		{ CLONE_NEWPID, "pid" },       { CLONE_NEWUTS, "uts" },
		{ CLONE_NEWUSER, "user" },
	};
	size_t i, k, made = 0;

	for (i = 0; i < 7; i++) {
		struct pidtrack_spawn_options options =
			PIDTRACK_SPAWN_OPTIONS(.namespaces = kinds[i].flag,
					       .argv = SHIM(
						       "ns", "cgroup", "ns",
						       "ipc", "ns", "net", "ns",
						       "mnt", "ns", "pid", "ns",
						       "uts", "ns", "user"));
		const char *said;

		if (namespaces_try((int)kinds[i].flag))
			continue;
		made++;
		said = shim_said(_metadata, &options);
		for (k = 0; k < 7; k++) {
			char path[64], target[64];
			ssize_t n;

			snprintf(path, sizeof(path), "/proc/self/ns/%s",
				 kinds[k].name);
			n = readlink(path, target, sizeof(target) - 1);
			ASSERT_GT(n, 0);
			target[n] = '\0';
			EXPECT_EQ(i != k, strstr(said, target) != NULL)
			{
				TH_LOG("asked for %s, looked at %s",
				       kinds[i].name, kinds[k].name);
			}
		}
	}
	if (made == 0)
		SKIP(return, "no namespaces are to be had here");
}

TEST_WANTS(the_pid_is_the_one_the_host_sees, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("session", "wait"),
				       .namespaces = CLONE_NEWPID);
	struct launch launch = LAUNCH_NULL;
	char path[64], text[256];
	int pid = 0;

	SKIP_WITHOUT_NAMESPACES(CLONE_NEWPID);
	launch_open(_metadata, &launch);
	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options));
	EXPECT_EQ('1', launch_line(_metadata, &launch)[0]);
	EXPECT_EQ(getpid(),
		  atoi(proc_status(_metadata,
				   pidtrack_process_pid(launch.process),
				   "PPid")));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
		 pidtrack_process_pidfd(launch.process));
	snprintf(text, sizeof(text), "%.255s", file_read(_metadata, path));
	ASSERT_TRUE(strstr(text, "Pid:") != NULL);
	ASSERT_EQ(1, sscanf(strstr(text, "Pid:"), "Pid: %d", &pid));
	EXPECT_EQ(pid, pidtrack_process_pid(launch.process));
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	launch_close(&launch);
}

static void namespaces_of_nobody(struct __test_metadata *_metadata, void *shim)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "it ran"),
				       .program = shim,
				       .namespaces = CLONE_NEWUTS);

	become_nobody(_metadata);
	spawn_fails(_metadata, &options, -EPERM, PIDTRACK_STAGE_CLONE);
	SKIP_WITHOUT_NAMESPACES(CLONE_NEWUTS | CLONE_NEWUSER);
	options.namespaces = CLONE_NEWUTS | CLONE_NEWUSER;
	EXPECT_STREQ("it ran\n", shim_said(_metadata, &options));
}

TEST_F(files, namespaces_a_host_may_not_make_fail_the_launch)
{
	struct path shim;

	if (geteuid())
		SKIP(return, "wants root");
	sandbox_other_way_gone(); /* clone3 is refused, and clone tried */
	shim = shim_copy(_metadata, &self->directory);
	host_run(_metadata, namespaces_of_nobody, shim.text);
}

TEST_HARNESS_MAIN
