/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* How a process ended, by <sys/wait.h>'s macros and by the kernel's own word.
 */
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "children.h"
#include "harness.h"
#include "seccomp.h"
#include "status.h"
#include "sys.h"

/* ---- waitid(2)'s words in wait(2)'s ---- */

static int status_of(int code, int status)
{
	siginfo_t siginfo = { .si_signo = SIGCHLD, .si_code = code };

	siginfo.si_pid = 4711;
	siginfo.si_status = status;
	return pt_status_of(&siginfo);
}

TEST(every_exit_code_is_an_exit)
{
	int code;

	for (code = 0; code < 256; code++) {
		int status = status_of(CLD_EXITED, code);

		EXPECT_TRUE(WIFEXITED(status));
		EXPECT_EQ(code, WEXITSTATUS(status));
		EXPECT_FALSE(WIFSIGNALED(status));
		EXPECT_FALSE(WIFSTOPPED(status));
		EXPECT_FALSE(WIFCONTINUED(status));
		EXPECT_EQ(code << 8, status);
	}
}

TEST(every_signal_that_killed_is_a_signal)
{
	int number;

	for (number = 1; number <= SIGRTMAX; number++) {
		int status = status_of(CLD_KILLED, number);

		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(number, WTERMSIG(status));
		EXPECT_FALSE(WCOREDUMP(status));
		EXPECT_FALSE(WIFEXITED(status));
		EXPECT_FALSE(WIFSTOPPED(status));
		EXPECT_FALSE(WIFCONTINUED(status));
	}
}

TEST(every_signal_that_dumped_core_says_so)
{
	int number;

	for (number = 1; number <= SIGRTMAX; number++) {
		int status = status_of(CLD_DUMPED, number);

		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(number, WTERMSIG(status));
		EXPECT_TRUE(WCOREDUMP(status));
		EXPECT_FALSE(WIFEXITED(status));
		EXPECT_FALSE(WIFSTOPPED(status));
	}
}

TEST(every_signal_that_stopped_is_a_stop)
{
	int number;

	for (number = 1; number <= SIGRTMAX; number++) {
		int status = status_of(CLD_STOPPED, number);

		EXPECT_TRUE(WIFSTOPPED(status));
		EXPECT_EQ(number, WSTOPSIG(status));
		EXPECT_FALSE(WIFEXITED(status));
		EXPECT_FALSE(WIFSIGNALED(status));
		EXPECT_EQ(status, status_of(CLD_TRAPPED, number));
	}
}

TEST(a_continuation_is_one)
{
	int status = status_of(CLD_CONTINUED, SIGCONT);

	EXPECT_TRUE(WIFCONTINUED(status));
	EXPECT_FALSE(WIFEXITED(status));
	EXPECT_FALSE(WIFSIGNALED(status));
	EXPECT_FALSE(WIFSTOPPED(status));
}

/* ---- real children: what waitpid(2) says afterwards is right ---- */

static int peek(const struct child *child)
{
	int status = -2, r = pt_status_peek(child->pidfd, &status);

	if (r < 0)
		return r;
	return r == 0 ? -EAGAIN : status;
}

static int recover(const struct child *child)
{
	int status = -2, r = pt_status_recover(child->pidfd, &status);

	if (r < 0)
		return r;
	return r == 0 ? -EAGAIN : status;
}

/* What recover() says of one that nobody has reaped. */
static int unreaped(const struct child *child)
{
	struct pt_pidfd_info told;

	/* no PIDFD_GET_INFO before Linux 6.13: nobody tells */
	return sys_pidfd_info(child->pidfd, PT_PIDFD_INFO_PID, &told) < 0 ?
		       -ENODATA :
		       -EAGAIN;
}

/* Peeks twice, reaps, and asks again; returns the status. */
static int see_off(struct __test_metadata *_metadata, struct child *child)
{
	int seen, status;

	ASSERT_EQ(0, child_await_exit(child));
	EXPECT_FALSE(pt_status_reaped(child->pidfd));
	seen = peek(child);
	ASSERT_GE(seen, 0);
	EXPECT_EQ(seen, peek(child));
	EXPECT_EQ(unreaped(child), recover(child));
	EXPECT_FALSE(pt_status_reaped(child->pidfd));

	status = child_reap(child);
	EXPECT_EQ(status, seen);
	EXPECT_TRUE(pt_status_reaped(child->pidfd));
	EXPECT_EQ(-ECHILD, peek(child));
	if (recover(child) != -ENODATA)
		EXPECT_EQ(status, recover(child));
	return status;
}

TEST(every_exit_code_of_a_child_is_peeked_at_and_recovered)
{
	int code;

	for (code = 0; code < 256; code++) {
		struct child child;

		ASSERT_EQ(0, child_start(&child));
		ASSERT_EQ(0, child_exit(&child, code));
		EXPECT_EQ(code << 8, see_off(_metadata, &child));
		child_close(&child);
	}
}

static bool ends_it(int number)
{
	switch (number) {
	case SIGCHLD:
	case SIGCONT:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGURG:
	case SIGWINCH:
		return false;
	default:
		return true;
	}
}

TEST(every_signal_that_ends_a_child_is_peeked_at_and_recovered)
{
	int number;

	for (number = 1; number <= SIGRTMAX; number++) {
		struct child child;

		if (!ends_it(number))
			continue;
		ASSERT_EQ(0, child_start(&child));
		/* libc keeps two for itself, and sanitizers handle others */
		ASSERT_EQ(0, number < SIGRTMIN && number > 31 ?
				     child_signal(&child, number) :
				     child_raise(&child, number));
		EXPECT_EQ(number, see_off(_metadata, &child) & 0x7f);
		child_close(&child);
	}
}

TEST(a_core_dump_is_told_as_the_kernel_does)
{
	char dir[] = "/tmp/pidtrack-status-XXXXXX", path[64];
	struct rlimit limit;
	struct child child;

	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_EQ(0, chdir(dir));
	ASSERT_EQ(0, getrlimit(RLIMIT_CORE, &limit));
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_CORE, &limit));
	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_raise(&child, SIGQUIT));
	EXPECT_EQ(SIGQUIT, see_off(_metadata, &child) & 0x7f);
	child_close(&child);
	unlink("core");
	snprintf(path, sizeof(path), "core.%d", child.pid);
	unlink(path);
	ASSERT_EQ(0, chdir("/"));
	rmdir(dir);
}

TEST(a_running_child_has_no_status)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	EXPECT_EQ(-EAGAIN, peek(&child));
	EXPECT_EQ(unreaped(&child), recover(&child));
	EXPECT_FALSE(pt_status_reaped(child.pidfd));
	child_end(&child);
}

/* Asking never blocks, whatever mode the pidfd is in. */
TEST(a_pidfd_that_does_not_block_is_like_any_other)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	if (fcntl(child.pidfd, F_SETFL, O_NONBLOCK) < 0) {
		child_end(&child);
		SKIP(return, "no PIDFD_NONBLOCK, Linux < 5.10");
	}
	EXPECT_EQ(-EAGAIN, peek(&child));
	ASSERT_EQ(0, child_exit(&child, 7));
	EXPECT_EQ(7 << 8, see_off(_metadata, &child));
	child_close(&child);
}

TEST(a_process_that_is_not_our_child_is_recovered_once_it_is_reaped)
{
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	EXPECT_EQ(-ECHILD, peek(&foreign.child));
	EXPECT_EQ(unreaped(&foreign.child), recover(&foreign.child));
	ASSERT_EQ(0, child_exit(&foreign.child, 42));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	EXPECT_EQ(-ECHILD, peek(&foreign.child));
	EXPECT_EQ(unreaped(&foreign.child), recover(&foreign.child));
	EXPECT_FALSE(pt_status_reaped(foreign.child.pidfd));

	ASSERT_EQ(42 << 8, foreign_reap(&foreign));
	EXPECT_TRUE(pt_status_reaped(foreign.child.pidfd));
	EXPECT_EQ(-ECHILD, peek(&foreign.child));
	if (recover(&foreign.child) != -ENODATA)
		EXPECT_EQ(42 << 8, recover(&foreign.child));
	child_close(&foreign.child);
	foreign.child.pidfd = -1;
	foreign_end(&foreign);
}

TEST(a_child_nobody_waits_for_is_recovered)
{
	struct child child;

	signal(SIGCHLD, SIG_IGN);
	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 9));
	while (!pt_status_reaped(child.pidfd))
		await_fd(child.pidfd, POLLIN, -1);
	EXPECT_EQ(-ECHILD, peek(&child));
	if (recover(&child) != -ENODATA)
		EXPECT_EQ(9 << 8, recover(&child));
	signal(SIGCHLD, SIG_DFL);
	child_close(&child);
}

/* What is readable and not to be waited for: its tracer comes first. */
TEST(a_child_that_another_process_traces_has_no_status_yet)
{
	struct child child, tracer = { .pidfd = -1, .socket = -1 };
	int gate[2], status = -2;
	char byte;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pipe2(gate, O_CLOEXEC));
	tracer.pid = fork();
	ASSERT_GE(tracer.pid, 0);
	if (!tracer.pid) {
		byte = ptrace(PTRACE_SEIZE, child.pid, 0, 0) ? 'n' : 'y';
		if (write(gate[1], &byte, 1) == 1)
			pause();
		_exit(0);
	}
	ASSERT_EQ(1, read(gate[0], &byte, 1));
	ASSERT_EQ(0, child_exit(&child, 5));
	ASSERT_EQ(0, child_await_exit(&child));
	if (byte == 'y')
		EXPECT_EQ(0, pt_status_peek(child.pidfd, &status));
	ASSERT_EQ(0, kill(tracer.pid, SIGKILL));
	ASSERT_EQ(SIGKILL, child_reap(&tracer));
	EXPECT_EQ(5 << 8, see_off(_metadata, &child));
	close(gate[0]);
	close(gate[1]);
	child_close(&child);
	if (byte != 'y')
		SKIP(return, "ptrace is refused here");
}

/* ---- children, and whom we trace ---- */

static bool is_child(const struct child *child)
{
	return pt_status_is_child(child->pidfd);
}

static void *start_in_thread(void *child)
{
	return (void *)(intptr_t)child_start(child);
}

/* @sure: the parent of whom we trace can be known */
static void check_child(struct __test_metadata *_metadata, bool sure)
{
	struct child child;
	bool traced;

	ASSERT_EQ(0, child_start(&child));
	EXPECT_TRUE(is_child(&child));
	traced = !ptrace(PTRACE_SEIZE, child.pid, 0, 0);
	EXPECT_EQ(sure || !traced, is_child(&child));
	ASSERT_EQ(0, child_exit(&child, 5));
	ASSERT_EQ(0, child_await_exit(&child));
	EXPECT_EQ(sure || !traced, is_child(&child));
	EXPECT_EQ(5 << 8, see_off(_metadata, &child));
	EXPECT_FALSE(is_child(&child));
	child_close(&child);
}

static void check_childs_child(struct __test_metadata *_metadata)
{
	struct foreign foreign;
	int status;

	ASSERT_EQ(0, foreign_start(&foreign));
	EXPECT_FALSE(is_child(&foreign.child));
	if (!ptrace(PTRACE_SEIZE, foreign.child.pid, 0, 0))
		EXPECT_EQ(-EAGAIN, peek(&foreign.child));
	EXPECT_FALSE(is_child(&foreign.child));
	ASSERT_EQ(0, child_exit(&foreign.child, 6));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	EXPECT_FALSE(is_child(&foreign.child));
	waitpid(foreign.child.pid, &status, __WALL);
	EXPECT_FALSE(is_child(&foreign.child));
	ASSERT_EQ(0, foreign_orphan(&foreign));
	EXPECT_TRUE(is_child(&foreign.child));
	EXPECT_EQ(6 << 8, see_off(_metadata, &foreign.child));
	foreign_end(&foreign);
}

/* One that ends with another signal than SIGCHLD. */
static void check_clone(struct __test_metadata *_metadata)
{
	struct child child = { .pidfd = -1, .socket = -1 };

	child.pid = (pid_t)syscall(SYS_clone, SIGURG, NULL, NULL, NULL, NULL);
	if (!child.pid)
		for (;;)
			pause();
	ASSERT_GT(child.pid, 0);
	ASSERT_EQ(0, child_open(&child, child.pid));
	EXPECT_TRUE(is_child(&child));
	ASSERT_EQ(0, child_signal(&child, SIGKILL));
	ASSERT_EQ(0, child_await_exit(&child));
	EXPECT_TRUE(is_child(&child));
	ASSERT_EQ(child.pid, waitpid(child.pid, NULL, __WALL));
	child_close(&child);
}

static void check_child_of_thread(struct __test_metadata *_metadata)
{
	struct child child;
	pthread_t thread;
	void *r;

	ASSERT_EQ(0, pthread_create(&thread, NULL, start_in_thread, &child));
	ASSERT_EQ(0, pthread_join(thread, &r));
	ASSERT_NULL(r);
	EXPECT_TRUE(is_child(&child));
	child_end(&child);
}

TEST(a_child_is_told_from_whom_we_only_trace)
{
	check_child(_metadata, true);
	check_childs_child(_metadata);
	check_clone(_metadata);
	check_child_of_thread(_metadata);
}

TEST(a_child_is_told_from_whom_we_only_trace_before_linux_6_13)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	check_child(_metadata, !wants_proc());
	check_childs_child(_metadata);
	if (!wants_proc())
		check_clone(_metadata);
	check_child_of_thread(_metadata);
}

/* Nothing tells the parent: then whom we trace passes for no child. */
TEST(a_child_is_told_from_whom_we_only_trace_without_proc_too)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	if (!proc_hide())
		SKIP(return, "no mount of our own: %s", strerror(errno));
	check_child(_metadata, false);
	check_childs_child(_metadata);
	check_child_of_thread(_metadata);
	EXPECT_EQ(0, umount("/proc")); /* LeakSanitizer wants it in the end */
}

/* ---- stopped and continued ---- */

static int stopped(const struct child *child, int options)
{
	int status = -2;
	int r = pt_status_stopped(child->pidfd, options, &status);

	if (r < 0)
		return r;
	return r == 0 ? -EAGAIN : status;
}

/* Until there is word of it, by the kernel, which keeps it for us. */
static void await_word(struct __test_metadata *_metadata,
		       const struct child *child, int options)
{
	siginfo_t siginfo;

	ASSERT_EQ(0,
		  waitid(P_PID, (id_t)child->pid, &siginfo, options | WNOWAIT));
}

TEST(every_stop_of_a_child_is_told_once)
{
	struct child child;
	int i;

	ASSERT_EQ(0, child_start(&child));
	EXPECT_EQ(-EAGAIN, stopped(&child, WSTOPPED | WCONTINUED));
	for (i = 0; i < 4; i++) {
		int status;

		ASSERT_EQ(0, child_signal(&child, SIGSTOP));
		await_word(_metadata, &child, WSTOPPED);
		status = stopped(&child, WSTOPPED | WCONTINUED);
		ASSERT_GE(status, 0);
		EXPECT_TRUE(WIFSTOPPED(status));
		EXPECT_EQ(SIGSTOP, WSTOPSIG(status));
		EXPECT_EQ(-EAGAIN, stopped(&child, WSTOPPED | WCONTINUED));

		ASSERT_EQ(0, child_signal(&child, SIGCONT));
		await_word(_metadata, &child, WCONTINUED);
		EXPECT_EQ(-EAGAIN, stopped(&child, WSTOPPED));
		status = stopped(&child, WCONTINUED);
		ASSERT_GE(status, 0);
		EXPECT_TRUE(WIFCONTINUED(status));
		EXPECT_EQ(-EAGAIN, stopped(&child, WSTOPPED | WCONTINUED));
	}
	child_end(&child);
}

TEST(a_stop_is_no_end)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_signal(&child, SIGSTOP));
	await_word(_metadata, &child, WSTOPPED);
	EXPECT_EQ(-EAGAIN, peek(&child));
	EXPECT_EQ(unreaped(&child), recover(&child));
	EXPECT_FALSE(pt_status_reaped(child.pidfd));
	child_end(&child);
}

TEST(an_end_is_no_stop_and_stays_to_be_waited_for)
{
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 3));
	ASSERT_EQ(0, child_await_exit(&child));
	EXPECT_LT(stopped(&child, WSTOPPED | WCONTINUED), 0);
	EXPECT_EQ(3 << 8, see_off(_metadata, &child));
	EXPECT_EQ(-ECHILD, stopped(&child, WSTOPPED | WCONTINUED));
	child_close(&child);
}

TEST(stops_of_others_children_are_not_ours_to_take)
{
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, child_signal(&foreign.child, SIGSTOP));
	EXPECT_EQ(-ECHILD, stopped(&foreign.child, WSTOPPED));
	foreign_end(&foreign);
}

TEST_HARNESS_MAIN
