/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* How a shim's end is told: true statuses, reaped only once acknowledged. */
#include <sys/stat.h>

#include "tracked.h"

/* ---- statuses ---- */

TEST(every_exit_code_is_told)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *processes[256];
	const struct pidtrack_event *event;
	bool told[256] = { false };
	intptr_t code;
	int i;

	for (i = 0; i < 256; i++) {
		processes[i] = shim_start_at(_metadata, tracker, &gate, i);
		pidtrack_process_set_userdata(processes[i],
					      (void *)(intptr_t)i);
	}
	gate_open(&gate);
	for (i = 0; i < 256; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		code = (intptr_t)pidtrack_process_userdata(event->process);
		ASSERT_FALSE(told[code]);
		told[code] = true;
		ASSERT_EVENT(event, processes[code], PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     (int)code << 8);
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	tracker = pidtrack_free(tracker);
	EXPECT_NULL(tracker);
}

static bool signal_kills(int number)
{
	switch (number) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return false;
	default:
		return true;
	}
}

TEST(every_signal_that_kills_is_told)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	int i;

	for (i = 1; i <= SIGRTMAX; i++) {
		if (!signal_kills(i))
			continue;
		process = shim_start_at(_metadata, tracker, &gate, 0);
		ASSERT_EQ(0, pidtrack_process_signal(process, i));
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		/* where cores are piped, it dumps one whatever the limit */
		ASSERT_EVENT(event, process, PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     i | (event->status & 0x80));
		pidtrack_process_free(process);
	}
	ASSERT_NO_EVENT(tracker);
	gate_open(&gate);
	pidtrack_free(tracker);
}

TEST(a_signal_of_its_own_is_told)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("kill", "TERM"));
	ASSERT_EXITED(tracker, process, SIGTERM);
	process =
		shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			   SHIM("ignore", "TERM", "kill", "TERM", "exit", "5"));
	ASSERT_EXITED(tracker, process, 5 << 8);
	pidtrack_free(tracker);
}

/* What the kernel says of such an end without us. */
static int abort_elsewhere(const char *directory)
{
	struct child child = { .pid = fork() };

	if (!child.pid) {
		if (chdir(directory) < 0)
			_exit(1);
		execl(shim_path(), shim_path(), "kill", "ABRT", NULL);
		_exit(2);
	}
	return child_reap(&child);
}

static void directory_remove(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *file;

	while (dir && (file = readdir(dir)))
		unlinkat(dirfd(dir), file->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

TEST(the_core_flag_is_told)
{
	char directory[] = "/tmp/pidtrack-core-XXXXXX";
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("kill", "ABRT"),
				       .cwd = directory);
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	char program[4096];
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct rlimit limit;
	int expected;

	ASSERT_NULL(realpath(shim_path(), program) ? NULL : program);
	options.program = program;
	ASSERT_EQ(0, getrlimit(RLIMIT_CORE, &limit));
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_CORE, &limit));
	ASSERT_NULL(mkdtemp(directory) ? NULL : directory);
	setenv("PIDTRACK_TEST_SHIM", program, 1);

	expected = abort_elsewhere(directory);
	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	directory_remove(directory);
	ASSERT_EVENT(event, process, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST,
		     PIDTRACK_SOURCE_WAITED, expected);
	pidtrack_free(tracker);
	if (!WCOREDUMP(expected))
		SKIP(return, "no core is dumped here");
}

TEST(a_status_is_told_as_often_as_asked_once_its_event_was)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	int i, status = 4711;

	process = shim_start_at(_metadata, tracker, &gate, 9);
	EXPECT_EQ(-EAGAIN, pidtrack_process_status(process, &status));
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));

	gate_open(&gate);
	process_await_exit(process);
	EXPECT_EQ(-EAGAIN, pidtrack_process_status(process, &status));
	EXPECT_EQ(4711, status);
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));

	ASSERT_EXITED(tracker, process, 9 << 8);
	for (i = 0; i < 3; i++) {
		status = 0;
		EXPECT_EQ(PIDTRACK_SOURCE_WAITED,
			  pidtrack_process_status(process, &status));
		EXPECT_EQ(9 << 8, status);
		EXPECT_EQ(i ? PIDTRACK_STATE_REAPED : PIDTRACK_STATE_EXITED,
			  pidtrack_process_state(process));
		ASSERT_NO_EVENT(tracker);
	}
	pidtrack_free(tracker);
}

/* ---- acknowledged reaping ---- */

static int zombie_state(pid_t pid)
{
	char path[64], stat[256], *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[n > 0 ? n : 0] = '\0';
	end = strrchr(stat, ')');
	return end ? end[2] : 0;
}

/* @take: how the host asks on */
static void check_acknowledged(struct __test_metadata *_metadata,
			       int (*take)(struct pidtrack *,
					   const struct pidtrack_event **))
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	const struct pidtrack_event *none;
	struct pidtrack_process *process;
	siginfo_t info = { 0 };
	pid_t pid;

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "3"));
	pid = pidtrack_process_pid(process);
	ASSERT_EXITED(tracker, process, 3 << 8);

	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	EXPECT_EQ(pid, info.si_pid);
	EXPECT_EQ(3, info.si_status);
	EXPECT_EQ('Z', zombie_state(pid));
	EXPECT_EQ(0, pidtrack_process_signal(process, 0));

	ASSERT_EQ(0, take(tracker, &none));
	EXPECT_EQ(-1, waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	EXPECT_EQ(ECHILD, errno);
	EXPECT_TRUE(pidfd_is_reaped(pidtrack_process_pidfd(process)));
	EXPECT_EQ(-ESRCH, pidtrack_process_signal(process, 0));
	pidtrack_free(tracker);
}

static int take_by_wait(struct pidtrack *tracker,
			const struct pidtrack_event **ret_event)
{
	return pidtrack_wait(tracker, 0, ret_event);
}

TEST_WANTS(a_shim_is_a_zombie_until_the_next_call, proc)
{
	check_acknowledged(_metadata, pidtrack_next);
}

TEST_WANTS(a_shim_is_a_zombie_until_the_next_wait, proc)
{
	check_acknowledged(_metadata, take_by_wait);
}

TEST(each_call_acknowledges_one_event_only)
{
	enum { N = 20 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *processes[N], *taken[N];
	const struct pidtrack_event *event;
	int i, j;

	for (i = 0; i < N; i++)
		processes[i] = shim_start_at(_metadata, tracker, &gate, 1);
	gate_open(&gate);
	for (i = 0; i < N; i++)
		process_await_exit(processes[i]);
	for (i = 0; i < N; i++) {
		ASSERT_EQ(1, pidtrack_next(tracker, &event));
		taken[i] = event->process;
		/* its own zombie stays; all not yet told of too */
		EXPECT_EQ(0, pidtrack_process_signal(taken[i], 0));
		for (j = 0; j < N; j++)
			if (pidtrack_process_state(processes[j]) ==
			    PIDTRACK_STATE_RUNNING)
				EXPECT_EQ(0, pidtrack_process_signal(
						     processes[j], 0));
	}
	ASSERT_NO_EVENT(tracker);
	for (i = 0; i < N; i++)
		EXPECT_EQ(-ESRCH, pidtrack_process_signal(taken[i], 0));
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

TEST(the_pidfd_stays_until_the_process_is_freed)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	pid_t pid;
	int pidfd;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	pidfd = pidtrack_process_pidfd(process);
	pid = pidtrack_process_pid(process);
	ASSERT_EQ(0, syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
	EXPECT_EQ(FD_CLOEXEC, fcntl(pidfd, F_GETFD));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(pidfd, pidtrack_process_pidfd(process));
	EXPECT_EQ(pid, pidtrack_process_pid(process));
	EXPECT_TRUE(pidfd_has_ended(pidfd));
	EXPECT_TRUE(pidfd_is_reaped(pidfd));
	pidtrack_process_free(process);
	EXPECT_EQ(-1, fcntl(pidfd, F_GETFD));
	pidtrack_free(tracker);
}

/* ---- what the host hangs on it ---- */

TEST(a_process_has_the_pid_label_and_userdata_it_was_given)
{
	char label[] = "box 7";
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"),
				       .label = label);
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *labelled, *bare;
	const struct pidtrack_event *event;
	siginfo_t info = { 0 };

	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &labelled, NULL));
	memset(label, 'x', sizeof(label) - 1);
	bare = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			  SHIM("exit", "0"));
	EXPECT_STREQ("box 7", pidtrack_process_label(labelled));
	EXPECT_NULL(pidtrack_process_label(bare));
	EXPECT_NULL(pidtrack_process_userdata(labelled));
	pidtrack_process_set_userdata(labelled, label);

	ASSERT_EQ(0, waitid(P_PIDFD, pidtrack_process_pidfd(labelled), &info,
			    WEXITED | WNOWAIT));
	EXPECT_EQ(info.si_pid, pidtrack_process_pid(labelled));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	ASSERT_NO_EVENT(tracker);
	EXPECT_STREQ("box 7", pidtrack_process_label(labelled));
	EXPECT_EQ((void *)label, pidtrack_process_userdata(labelled));
	EXPECT_NULL(pidtrack_process_userdata(bare));
	pidtrack_free(tracker);
}

TEST(an_event_stays_as_it_is_until_the_next_call)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *first, *second;
	const struct pidtrack_event *event;
	struct pidtrack_event copy;
	int status;

	first = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			   SHIM("exit", "1"));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	copy = *event;
	second = shim_start_at(_metadata, tracker, &gate, 2);
	gate_open(&gate);
	process_await_exit(second);
	pidtrack_process_status(first, &status);
	pidtrack_process_free(shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
					 SHIM("exit", "3")));
	ASSERT_EVENT(event, first, copy.kind, copy.flags, copy.source,
		     copy.status);
	ASSERT_EXITED(tracker, second, 2 << 8);
	/* the third is reaped in silence, whenever it ends */
	while (child_is_any())
		ASSERT_EQ(0, pidtrack_wait(tracker, 10, &event));
	pidtrack_free(tracker);
}

TEST(statistics_count_what_happened)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_statistics statistics;
	struct pidtrack_process *process;
	uint64_t tracked = 4711;

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "0"));
	statistics = tracker_statistics(tracker);
	EXPECT_EQ(1, statistics.tracked);
	EXPECT_EQ(0, statistics.recovered);
	ASSERT_EXITED(tracker, process, 0);
	ASSERT_NO_EVENT(tracker);
	pidtrack_process_free(process);
	statistics = tracker_statistics(tracker);
	EXPECT_EQ(0, statistics.tracked);
	EXPECT_EQ(1, statistics.exits);
	EXPECT_EQ(0, statistics.unknown);
	EXPECT_GT(statistics.syscalls, 0);

	memset(&statistics, 0x55, sizeof(statistics));
	ASSERT_EQ(0, pidtrack_statistics(tracker,
					 (struct pidtrack_statistics *)&tracked,
					 sizeof(tracked)));
	EXPECT_EQ(0, tracked);
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
