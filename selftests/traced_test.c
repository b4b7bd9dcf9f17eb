/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Ends that are not what they seem: a first thread that ends and leaves others,
 * another that executes, a child whose tracer has not waited yet, which is
 * readable and cannot be reaped, and whom the host itself traces, which could
 * be reaped and is another's.
 */
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include "tracked.h"

/* ---- threads ---- */

struct threads {
	pthread_t first;
	int gate;
	const char *program; /* what the second executes; NULL: it exits */
};

static void *second_run(void *arg)
{
	struct threads *threads = arg;
	char byte;

	if (read(threads->gate, &byte, 1) < 0)
		abort();
	if (threads->program) {
		dup2(threads->gate, 0);
		execl(threads->program, threads->program, "wait", "exit", "6",
		      NULL);
	}
	syscall(SYS_exit_group, 5);
	return NULL;
}

/*
 * A child whose first thread ends with 77 at once, or waits for ever, and whose
 * second does the rest when something comes through the gate.
 */
static pid_t threads_start(const struct gate *gate, const char *program)
{
	struct threads threads = { .gate = gate->shim, .program = program };
	pid_t pid = fork();

	if (pid)
		return pid;
	close(gate->host);
	if (pthread_create(&threads.first, NULL, second_run, &threads))
		syscall(SYS_exit_group, 98);
	if (!program)
		syscall(SYS_exit, 77);
	for (;;)
		pause();
}

/* Spins until the first thread has ended; the process has not. */
static void await_first_thread_ended(pid_t pid)
{
	char path[64], text[256], *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, pid);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

		if (fd >= 0)
			close(fd);
		text[n > 0 ? n : 0] = '\0';
		end = strrchr(text, ')');
		if (!end || end[2] == 'Z')
			return;
		sched_yield();
	}
}

TEST(a_process_whose_first_thread_ended_is_told_when_the_last_has)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	pid_t pid = threads_start(&gate, NULL);

	ASSERT_GT(pid, 0);
	ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, 0, &process));
	await_first_thread_ended(pid);
	EXPECT_EQ(0, await_fd(pidtrack_fd(tracker), POLLIN, 50));
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, pidtrack_process_signal(process, 0));
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 5 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

TEST(it_can_be_attached_after_its_first_thread_ended)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	pid_t pid = threads_start(&gate, NULL);

	ASSERT_GT(pid, 0);
	await_first_thread_ended(pid);
	ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, 0, &process));
	EXPECT_EQ(0, await_fd(pidtrack_fd(tracker), POLLIN, 50));
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGTERM));
	ASSERT_EXITED(tracker, process, SIGTERM);
	ASSERT_NO_EVENT(tracker);
	gate_open(&gate);
	pidtrack_free(tracker);
}

/* Executing, it takes the place and the pid of the first. */
TEST_WANTS(a_process_whose_other_thread_executes_has_not_ended, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	pid_t pid = threads_start(&gate, shim_path());
	char path[64], target[4096];

	ASSERT_GT(pid, 0);
	ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, 0, &process));
	ASSERT_EQ(1, write(gate.host, "", 1));
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	for (;;) {
		ssize_t n = readlink(path, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0'; /* none for a moment */
		if (n > 7 && !strcmp(target + n - 7, "pt-shim"))
			break;
		sched_yield();
	}
	EXPECT_EQ(0, await_fd(pidtrack_fd(tracker), POLLIN, 50));
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, pidtrack_process_signal(process, 0));
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 6 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* ---- tracers ---- */

struct tracer {
	pid_t pid;
	int socket; /* a byte to it: wait for the traced; its end: end */
};

static void __attribute__((noreturn)) tracer_run(pid_t traced, int socket)
{
	int status, r;
	char byte;

	r = ptrace(PTRACE_SEIZE, traced, NULL, NULL) < 0 ? -errno : 0;
	if (write(socket, &r, sizeof(r)) < 0)
		_exit(1);
	if (read(socket, &byte, 1) == 1) {
		r = waitpid(traced, &status, __WALL) < 0 ? -errno : status;
		if (write(socket, &r, sizeof(r)) < 0)
			_exit(1);
		if (read(socket, &byte, 1) < 0)
			_exit(1);
	}
	_exit(0);
}

static int tracer_answer(const struct tracer *tracer)
{
	int r = -EPIPE;

	return read(tracer->socket, &r, sizeof(r)) == sizeof(r) ? r : -EPIPE;
}

/* Returns what ptrace said. */
static int tracer_start(struct __test_metadata *_metadata,
			struct tracer *tracer, pid_t traced)
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	tracer->pid = fork();
	if (!tracer->pid) {
		child_keep_only(pair[1], pair[1]);
		tracer_run(traced, pair[1]);
	}
	close(pair[1]);
	tracer->socket = pair[0];
	return tracer_answer(tracer);
}

static void tracer_end(struct tracer *tracer)
{
	if (tracer->socket >= 0)
		close(tracer->socket);
	tracer->socket = -1;
	waitpid(tracer->pid, NULL, 0);
}

static int64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
		       INT64_C(1000000) +
	       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/*
 * That nothing is told for a while, and not much is done meanwhile, neither by
 * pidtrack_wait() nor by a host's own loop.
 */
static void check_idle(struct __test_metadata *_metadata,
		       struct pidtrack *tracker)
{
	uint64_t wakeups = tracker_statistics(tracker).wakeups;
	uint64_t syscalls = tracker_statistics(tracker).syscalls;
	int64_t cpu = cpu_us(), until = now_ms() + 500;
	const struct pidtrack_event *event;
	int turns = 0;

	ASSERT_EQ(0, pidtrack_wait(tracker, 500, &event));
	ASSERT_GE(now_ms(), until - 1);
	for (until = now_ms() + 500; now_ms() < until; turns++) {
		if (await_fd(pidtrack_fd(tracker), POLLIN, 100) == 0)
			continue;
		ASSERT_NO_EVENT(tracker);
	}
	EXPECT_LE(turns, 60);
	EXPECT_LE(tracker_statistics(tracker).wakeups - wakeups, 120);
	EXPECT_LE(tracker_statistics(tracker).syscalls - syscalls, 600);
	EXPECT_LE(cpu_us() - cpu, 250000);
}

/*
 * Ends and is readable; @reaps: the tracer waits for it, else it ends.
 *
 * @file_flags: of its pidfd
 */
static void check_traced_behind(struct __test_metadata *_metadata,
				uint32_t flags, int file_flags, bool reaps)
{
	struct pidtrack *tracker = tracker_start(_metadata, flags);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct tracer tracer;
	int r;

	process = shim_start_at(_metadata, tracker, &gate, 23);
	if (file_flags &&
	    fcntl(pidtrack_process_pidfd(process), F_SETFL, file_flags) < 0) {
		gate_open(&gate);
		ASSERT_EXITED(tracker, process, 23 << 8);
		pidtrack_free(tracker);
		SKIP(return, "no PIDFD_NONBLOCK, Linux < 5.10");
	}
	r = tracer_start(_metadata, &tracer, pidtrack_process_pid(process));
	gate_open(&gate);
	if (r == -EPERM) {
		ASSERT_EXITED(tracker, process, 23 << 8);
		pidtrack_free(tracker);
		tracer_end(&tracer);
		SKIP(return, "not allowed to trace");
	}
	ASSERT_EQ(0, r);
	process_await_exit(process);
	check_idle(_metadata, tracker);
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));

	if (reaps) {
		ASSERT_EQ(1, write(tracer.socket, "", 1));
		ASSERT_EQ(23 << 8, tracer_answer(&tracer));
	} else {
		tracer_end(&tracer);
	}
	ASSERT_EXITED(tracker, process, 23 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_TRUE(pidfd_is_reaped(pidtrack_process_pidfd(process)));
	if (reaps)
		tracer_end(&tracer);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

static void check_traced(struct __test_metadata *_metadata, uint32_t flags,
			 bool reaps)
{
	check_traced_behind(_metadata, flags, 0, reaps);
}

TEST(a_traced_shim_is_told_when_its_tracer_has_waited)
{
	check_traced(_metadata, 0, true);
}

TEST(a_traced_shim_is_told_when_its_tracer_has_ended)
{
	check_traced(_metadata, 0, false);
}

TEST(a_tracker_with_a_thread_is_idle_too_while_a_tracer_does_not_wait)
{
	check_traced(_metadata, PIDTRACK_THREAD, true);
}

/* Then the kernel does not wait for it, and answers that nobody has ended. */
TEST(so_is_one_whose_pidfd_does_not_block_when_its_tracer_has_waited)
{
	check_traced_behind(_metadata, 0, O_NONBLOCK, true);
}

TEST(so_is_one_whose_pidfd_does_not_block_when_its_tracer_has_ended)
{
	check_traced_behind(_metadata, 0, O_NONBLOCK, false);
}

/* While one of them cannot be reaped, the others are told as ever. */
TEST(a_traced_shim_keeps_no_other_waiting)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process, *traced;
	struct tracer tracer;
	int i, r;

	traced = shim_start_at(_metadata, tracker, &gate, 1);
	r = tracer_start(_metadata, &tracer, pidtrack_process_pid(traced));
	gate_open(&gate);
	if (r == -EPERM) {
		ASSERT_EXITED(tracker, traced, 1 << 8);
		pidtrack_free(tracker);
		tracer_end(&tracer);
		SKIP(return, "not allowed to trace");
	}
	process_await_exit(traced);
	for (i = 0; i < 100; i++) {
		process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				     SHIM("exit", "2"));
		ASSERT_EXITED(tracker, process, 2 << 8);
		pidtrack_process_free(process);
		ASSERT_NO_EVENT(tracker);
	}
	tracer_end(&tracer);
	ASSERT_EXITED(tracker, traced, 1 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
}

/* Freed, it is reaped in silence, when that can be done. */
TEST(a_traced_shim_that_was_freed_is_reaped_when_its_tracer_has_ended)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *traced;
	struct tracer tracer;
	int64_t until;
	int pidfd, r;

	traced = shim_start_at(_metadata, tracker, &gate, 1);
	pidfd = dup(pidtrack_process_pidfd(traced));
	r = tracer_start(_metadata, &tracer, pidtrack_process_pid(traced));
	gate_open(&gate);
	await_fd(pidfd, POLLIN, -1);
	pidtrack_process_free(traced);
	if (!r)
		check_idle(_metadata, tracker);
	tracer_end(&tracer);
	for (until = now_ms() + awhile_ms(); !pidfd_is_reaped(pidfd);) {
		ASSERT_LT(now_ms(), until);
		await_fd(pidtrack_fd(tracker), POLLIN, 50);
		ASSERT_NO_EVENT(tracker);
	}
	EXPECT_FALSE(child_is_any());
	close(pidfd);
	pidtrack_free(tracker);
}

/* ---- hosts that trace ---- */

/* Returns false where ptrace is refused. */
static bool seize(struct __test_metadata *_metadata, const struct child *child)
{
	if (!ptrace(PTRACE_SEIZE, child->pid, NULL, NULL))
		return true;
	ASSERT_EQ(EPERM, errno);
	return false;
}

/* Which can be done while the traced is stopped only. */
static void detach(struct __test_metadata *_metadata, const struct child *child)
{
	int status;

	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, child->pid, NULL, NULL));
	ASSERT_EQ(child->pid, waitpid(child->pid, &status, __WALL));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, child->pid, NULL, NULL));
}

/* The host has its word of a traced one's end as tracer, once. */
static void wait_as_tracer(struct __test_metadata *_metadata,
			   const struct child *child, int expected)
{
	int status = -1;

	ASSERT_EQ(child->pid, waitpid(child->pid, &status, __WALL));
	EXPECT_EQ(expected, status);
}

/* Ended by now, it is told so, and then that its parent has waited for it. */
static void check_end_of_another(struct __test_metadata *_metadata,
				 struct pidtrack *tracker,
				 struct pidtrack_process *process,
				 const struct foreign *foreign, bool traced)
{
	const uint32_t source = traced ? PIDTRACK_SOURCE_WAITED :
					 PIDTRACK_SOURCE_UNKNOWN;
	const bool more = reaping_is_told();

	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED,
		    more ? 0 : PIDTRACK_EVENT_LAST, source, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(PIDTRACK_STATE_EXITED, pidtrack_process_state(process));
	if (traced)
		wait_as_tracer(_metadata, &foreign->child, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(PIDTRACK_STATE_EXITED, pidtrack_process_state(process));
	EXPECT_FALSE(pidfd_is_reaped(foreign->child.pidfd));

	ASSERT_EQ(3 << 8, foreign_reap(foreign));
	if (more) {
		ASSERT_NEXT(tracker, process, PIDTRACK_REAPED,
			    PIDTRACK_EVENT_LAST,
			    traced ? source : source_without_wait(), 3 << 8);
		EXPECT_EQ(PIDTRACK_STATE_REAPED,
			  pidtrack_process_state(process));
	}
	ASSERT_NO_EVENT(tracker);
}

/*
 * A process of another's ends with 3; the host traces it at its end, or has
 * let go of it before.
 */
static void check_traced_by_host(struct __test_metadata *_metadata,
				 bool seize_first, bool at_its_end)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct foreign foreign;
	bool traced;

	ASSERT_EQ(0, foreign_start(&foreign));
	traced = seize_first && seize(_metadata, &foreign.child);
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	if (!seize_first)
		traced = seize(_metadata, &foreign.child);
	EXPECT_EQ(-ECHILD,
		  pidtrack_process_notify(process, 1U << PIDTRACK_STOPPED));
	if (traced && !at_its_end)
		detach(_metadata, &foreign.child);
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, child_exit(&foreign.child, 3));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	check_end_of_another(_metadata, tracker, process, &foreign,
			     traced && at_its_end);
	foreign_end(&foreign);
	EXPECT_FALSE(child_is_any());
	pidtrack_free(tracker);
	if (!traced)
		SKIP(return, "not allowed to trace");
}

TEST(whom_the_host_traces_after_attaching_is_left_to_its_tracer_and_its_parent)
{
	check_traced_by_host(_metadata, false, true);
}

TEST(whom_the_host_traces_before_attaching_is_left_to_them_too)
{
	check_traced_by_host(_metadata, true, true);
}

TEST(whom_the_host_traced_as_it_attached_it_is_told_when_it_has_ended)
{
	check_traced_by_host(_metadata, true, false);
}

TEST(whom_the_host_traced_for_a_while_is_told_when_it_has_ended)
{
	check_traced_by_host(_metadata, false, false);
}

/* Freed, it is no more the tracker's to reap than before. */
TEST(whom_the_host_traces_is_not_reaped_by_its_being_freed)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct foreign foreign;
	bool traced;

	ASSERT_EQ(0, foreign_start(&foreign));
	traced = seize(_metadata, &foreign.child);
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	pidtrack_process_free(process);
	ASSERT_EQ(0, child_exit(&foreign.child, 3));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
	if (traced)
		wait_as_tracer(_metadata, &foreign.child, 3 << 8);
	EXPECT_EQ(3 << 8, foreign_reap(&foreign));
	foreign_end(&foreign);
	if (!traced)
		SKIP(return, "not allowed to trace");
}

/* Its word as parent is the tracker's, and the tracer has no other. */
TEST(a_child_that_the_host_traces_is_its_child)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct child child;
	bool traced;

	ASSERT_EQ(0, child_start(&child));
	traced = seize(_metadata, &child);
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	ASSERT_EQ(0, child_exit(&child, 4));
	ASSERT_EXITED(tracker, process, 4 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	child_close(&child);
	pidtrack_free(tracker);
	if (!traced)
		SKIP(return, "not allowed to trace");
}

TEST(whom_the_host_traces_and_who_became_its_child_is_waited_for)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct foreign foreign;
	bool traced;

	ASSERT_EQ(0, foreign_start(&foreign));
	traced = seize(_metadata, &foreign.child);
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0, foreign_orphan(&foreign));
	ASSERT_EQ(0, child_exit(&foreign.child, 5));
	ASSERT_EXITED(tracker, process, 5 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	child_close(&foreign.child);
	pidtrack_free(tracker);
	if (!traced)
		SKIP(return, "not allowed to trace");
}

TEST_HARNESS_MAIN
