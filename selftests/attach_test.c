/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Children that are given to the tracker or only shown to it, processes that
 * become our children, and pidfds that somebody passed on.
 */
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "seccomp.h"
#include "tracked.h"

/* ---- children ---- */

TEST(a_child_attached_is_waited_for_and_reaped)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	ASSERT_EQ(0, child_exit(&child, 21));
	ASSERT_EXITED(tracker, process, 21 << 8);
	EXPECT_EQ(0, child_signal(&child, 0));
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(-ECHILD, child_reap(&child));
	child_close(&child);
	pidtrack_free(tracker);
}

TEST(a_child_that_has_ended_is_attached_and_told)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_raise(&child, SIGKILL));
	ASSERT_EQ(0, child_await_exit(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	ASSERT_EXITED(tracker, process, SIGKILL);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(-ECHILD, child_reap(&child));
	child_close(&child);
	pidtrack_free(tracker);
}

/* One of the two is waited for, what the other is told depends on the order. */
TEST(a_child_attached_twice_is_told_truly_twice)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *processes[2];
	const struct pidtrack_event *event;
	int i, told[2] = { 0 }, true_ones = 0;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0,
					     &processes[i]));
	ASSERT_EQ(0, child_exit(&child, 8));
	ASSERT_EQ(0, child_await_exit(&child));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		EXPECT_EQ(PIDTRACK_EXITED, event->kind);
		EXPECT_EQ(PIDTRACK_EVENT_LAST, event->flags);
		told[event->process == processes[1]]++;
		if (event->source != PIDTRACK_SOURCE_UNKNOWN) {
			EXPECT_EQ(8 << 8, event->status);
			true_ones++;
		}
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(1, told[0]);
	EXPECT_EQ(1, told[1]);
	EXPECT_GE(true_ones, works(PIDTRACK_FEATURE_EXIT_INFO) ? 2 : 1);
	EXPECT_EQ(-ECHILD, child_reap(&child));
	child_close(&child);
	pidtrack_free(tracker);
}

/* ---- children only shown ---- */

/* With its status if that can be seen already, else that follows. */
static void check_observed(struct __test_metadata *_metadata, bool ended)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct child child;
	int i, status;
	bool last;

	ASSERT_EQ(0, child_start(&child));
	if (ended) {
		ASSERT_EQ(0, child_exit(&child, 13));
		ASSERT_EQ(0, child_await_exit(&child));
	}
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	if (!ended)
		ASSERT_EQ(0, child_exit(&child, 13));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_EXITED, event->kind);
	EXPECT_EQ(process, event->process);
	EXPECT_EQ(event->source == PIDTRACK_SOURCE_UNKNOWN ? -1 : 13 << 8,
		  event->status);
	last = event->flags & PIDTRACK_EVENT_LAST;
	if (last)
		EXPECT_NE(PIDTRACK_SOURCE_UNKNOWN, event->source);
	for (i = 0; i < 3; i++) {
		ASSERT_NO_EVENT(tracker);
		EXPECT_EQ(PIDTRACK_STATE_EXITED,
			  pidtrack_process_state(process));
		EXPECT_EQ(0, pidtrack_process_signal(process, 0));
	}
	EXPECT_FALSE(tracker_is_readable(tracker));

	ASSERT_EQ(13 << 8, child_reap(&child));
	if (!last) {
		ASSERT_TRUE(tracker_await(tracker));
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		EXPECT_EQ(PIDTRACK_REAPED, event->kind);
		EXPECT_EQ(PIDTRACK_EVENT_LAST, event->flags);
		EXPECT_EQ(event->source == PIDTRACK_SOURCE_UNKNOWN ? -1 :
								     13 << 8,
			  event->status);
	}
	if (last || works(PIDTRACK_FEATURE_EXIT_INFO)) {
		EXPECT_GT(pidtrack_process_status(process, &status), 0);
		EXPECT_EQ(13 << 8, status);
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	EXPECT_EQ(-ESRCH, pidtrack_process_signal(process, 0));
	child_close(&child);
	pidtrack_free(tracker);
}

TEST(a_child_observed_is_left_to_whoever_waits_for_it)
{
	check_observed(_metadata, false);
}

TEST(a_zombie_observed_is_left_to_whoever_waits_for_it)
{
	check_observed(_metadata, true);
}

TEST(freeing_an_observed_child_does_not_reap_it)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct child running, ended;

	ASSERT_EQ(0, child_start(&running));
	ASSERT_EQ(0, child_start(&ended));
	ASSERT_EQ(0, pidtrack_attach(tracker, running.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	pidtrack_process_free(process);
	ASSERT_EQ(0, pidtrack_attach(tracker, ended.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	ASSERT_EQ(0, child_exit(&ended, 1));
	ASSERT_EQ(0, child_await_exit(&ended));
	pidtrack_process_free(process);
	ASSERT_EQ(0, child_exit(&running, 2));
	ASSERT_EQ(0, child_await_exit(&running));
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
	EXPECT_EQ(1 << 8, child_reap(&ended));
	EXPECT_EQ(2 << 8, child_reap(&running));
	child_close(&ended);
	child_close(&running);
}

TEST(an_observed_process_that_becomes_our_child_is_not_reaped)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct foreign foreign;
	bool last;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, pidtrack_attach(tracker, foreign.child.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	ASSERT_EQ(0, foreign_orphan(&foreign));
	ASSERT_EQ(0, child_exit(&foreign.child, 6));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_EXITED, event->kind);
	last = event->flags & PIDTRACK_EVENT_LAST;
	ASSERT_NO_EVENT(tracker);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(6 << 8, child_reap(&foreign.child));
	if (!last) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		EXPECT_EQ(PIDTRACK_REAPED, event->kind);
		EXPECT_EQ(PIDTRACK_EVENT_LAST, event->flags);
	}
	if (event->source != PIDTRACK_SOURCE_UNKNOWN)
		EXPECT_EQ(6 << 8, event->status);
	child_close(&foreign.child);
	pidtrack_free(tracker);
}

/* ---- those that become children ---- */

TEST(a_process_that_became_our_child_is_waited_for)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, foreign_orphan(&foreign));
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, child_exit(&foreign.child, 14));
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_EXITED(tracker, process, 14 << 8);
	EXPECT_EQ(0, child_signal(&foreign.child, 0));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	child_close(&foreign.child);
	pidtrack_free(tracker);
}

TEST(a_process_told_as_ended_that_then_became_our_child_is_waited_for)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct foreign foreign;

	if (!reaping_is_told()) {
		pidtrack_free(tracker);
		SKIP(return, "its end was the last word before Linux 6.9");
	}
	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0, child_exit(&foreign.child, 15));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, foreign_orphan(&foreign));
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_NEXT(tracker, process, PIDTRACK_REAPED, PIDTRACK_EVENT_LAST,
		    PIDTRACK_SOURCE_WAITED, 15 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	EXPECT_EQ(-ESRCH, child_signal(&foreign.child, 0));
	child_close(&foreign.child);
	pidtrack_free(tracker);
}

/* The tracker looks for the first time when all that is over. */
TEST(a_zombie_that_became_our_child_unseen_is_waited_for)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  pidtrack_attach(tracker, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0, child_exit(&foreign.child, 16));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	ASSERT_EQ(0, foreign_orphan(&foreign));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_EXITED, event->kind);
	if (!(event->flags & PIDTRACK_EVENT_LAST))
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_EVENT_LAST, event->flags);
	EXPECT_EQ(PIDTRACK_SOURCE_WAITED, event->source);
	EXPECT_EQ(16 << 8, event->status);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(child_is_any());
	child_close(&foreign.child);
	pidtrack_free(tracker);
}

/* ---- pidfds from others ---- */

/* As it arrives from another process. */
static int pass(struct __test_metadata *_metadata, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
	int pair[2], passed;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(1, sendmsg(pair[0], &message, 0));
	close(fd);
	ASSERT_EQ(1, recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC));
	memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(passed));
	close(pair[0]);
	close(pair[1]);
	return passed;
}

/* A pidfd of such flags is as good as any. */
static void check_child_by_pidfd(struct __test_metadata *_metadata,
				 unsigned int flags)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct child child;
	int pidfd;

	ASSERT_EQ(0, child_start(&child));
	pidfd = (int)syscall(SYS_pidfd_open, child.pid, flags);
	if (pidfd < 0) {
		child_end(&child);
		pidtrack_free(tracker);
		SKIP(return, "no pidfd with flags %#x here", flags);
	}
	pidfd = pass(_metadata, pidfd);
	ASSERT_EQ(0, pidtrack_attach_pidfd(tracker, pidfd, 0, &process));
	EXPECT_NE(pidfd, pidtrack_process_pidfd(process));
	close(pidfd);
	EXPECT_EQ(child.pid, pidtrack_process_pid(process));
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, await_fd(pidtrack_fd(tracker), POLLIN, 20));
	ASSERT_EQ(0, child_exit(&child, 9));
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_EXITED(tracker, process, 9 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(-ECHILD, child_reap(&child));
	child_close(&child);
	pidtrack_free(tracker);
}

TEST(a_pidfd_passed_on_is_duplicated_and_tracked)
{
	check_child_by_pidfd(_metadata, 0);
}

TEST(a_nonblocking_pidfd_is_tracked)
{
	check_child_by_pidfd(_metadata, O_NONBLOCK); /* Linux 5.10 */
}

TEST(a_pidfd_of_another_processs_child_is_tracked)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	uint32_t source = source_without_wait();
	struct pidtrack_process *process;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	foreign.child.pidfd = pass(_metadata, foreign.child.pidfd);
	ASSERT_EQ(0, pidtrack_attach_pidfd(tracker, foreign.child.pidfd, 0,
					   &process));
	ASSERT_EQ(0, child_exit(&foreign.child, 9));
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED,
		    reaping_is_told() ? 0 : PIDTRACK_EVENT_LAST,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	ASSERT_EQ(9 << 8, foreign_reap(&foreign));
	if (reaping_is_told())
		ASSERT_NEXT(tracker, process, PIDTRACK_REAPED,
			    PIDTRACK_EVENT_LAST, source, 9 << 8);
	ASSERT_NO_EVENT(tracker);
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

/* What it is told of, if the kernel can tell which it was. */
TEST(a_pidfd_of_a_process_reaped_before_is_told_or_refused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	const struct pidtrack_event *event;
	struct child child;
	int r;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 9));
	ASSERT_EQ(9 << 8, child_reap(&child));
	r = pidtrack_attach_pidfd(tracker, child.pidfd, 0, &process);
	if (r) {
		EXPECT_EQ(-ESRCH, r);
		EXPECT_NULL(process);
		EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	} else {
		do
			ASSERT_EQ(1,
				  pidtrack_wait(tracker, awhile_ms(), &event));
		while (!(event->flags & PIDTRACK_EVENT_LAST));
		EXPECT_EQ(event->source == PIDTRACK_SOURCE_UNKNOWN ? -1 :
								     9 << 8,
			  event->status);
	}
	ASSERT_NO_EVENT(tracker);
	child_close(&child);
	pidtrack_free(tracker);
}

TEST(what_is_no_pidfd_is_refused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	int pipe_fds[2], path;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pipe2(pipe_fds, O_CLOEXEC));
	path = open("/dev/null", O_PATH | O_CLOEXEC);
	EXPECT_EQ(-EBADF, pidtrack_attach_pidfd(tracker, -1, 0, &process));
	EXPECT_EQ(-EBADF, pidtrack_attach_pidfd(tracker, 9999, 0, &process));
	EXPECT_EQ(-EBADF,
		  pidtrack_attach_pidfd(tracker, pipe_fds[0], 0, &process));
	EXPECT_EQ(-EBADF, pidtrack_attach_pidfd(tracker, path, 0, &process));
	EXPECT_EQ(-EBADF, pidtrack_attach_pidfd(tracker, pidtrack_fd(tracker),
						0, &process));
	EXPECT_EQ(-EINVAL, pidtrack_attach_pidfd(tracker, child.pidfd, 1U << 5,
						 &process));
	EXPECT_NULL(process);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	close(path);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	child_end(&child);
	pidtrack_free(tracker);
}

/* For which pidfd_send_signal(2) takes it. */
TEST_WANTS(a_directory_of_proc_is_no_pidfd, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	int directory = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ASSERT_GE(directory, 0);
	EXPECT_EQ(-EBADF,
		  pidtrack_attach_pidfd(tracker, directory, 0, &process));
	EXPECT_NULL(process);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	close(directory);
	pidtrack_free(tracker);
}

/* Of a process' first thread, it names the process too; or it is refused. */
TEST(a_pidfd_of_a_childs_first_thread_does_no_harm)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct child child;
	int pidfd, r;

	ASSERT_EQ(0, child_start(&child));
	pidfd = (int)syscall(SYS_pidfd_open, child.pid, O_EXCL);
	if (pidfd < 0) {
		child_end(&child);
		pidtrack_free(tracker);
		SKIP(return, "no pidfd of a thread before Linux 6.9");
	}
	r = pidtrack_attach_pidfd(tracker, pidfd, 0, &process);
	ASSERT_EQ(0, child_exit(&child, 9));
	if (!r) {
		ASSERT_EXITED(tracker, process, 9 << 8);
		ASSERT_NO_EVENT(tracker);
		EXPECT_EQ(-ECHILD, child_reap(&child));
	} else {
		EXPECT_EQ(-ESRCH, r);
		EXPECT_NULL(process);
		EXPECT_EQ(9 << 8, child_reap(&child));
	}
	close(pidfd);
	child_close(&child);
	pidtrack_free(tracker);
}

/* ---- without pidfs, what /proc says or does not say ---- */

static struct pidtrack *tracker_without_pidfs(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, seccomp_refuse(SECCOMP_FSTATFS, ENOSYS));
	return tracker_start(_metadata, 0);
}

TEST_WANTS(want_of_descriptors_is_not_a_process_that_is_gone, proc)
{
	struct pidtrack *tracker = tracker_without_pidfs(_metadata);
	struct pidtrack_process *process = NULL;
	struct rlimit before, limit;
	struct child child;
	int lowest;

	ASSERT_EQ(0, child_start(&child));
	lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(lowest, 0);
	close(lowest);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	limit = before;
	limit.rlim_cur = lowest + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	EXPECT_NULL(process);

	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	ASSERT_EQ(0, child_exit(&child, 4));
	ASSERT_EXITED(tracker, process, 4 << 8);
	child_close(&child);
	pidtrack_free(tracker);
}

/* So some kernels say while it ends; an argument that is wrong is none. */
TEST(without_pidfs_a_process_is_not_attached_by_its_inode)
{
	struct pidtrack *tracker = tracker_without_pidfs(_metadata);
	struct pidtrack_process *process = NULL;

	EXPECT_EQ(-EOPNOTSUPP,
		  pidtrack_attach(tracker, getpid(), 1, 0, &process));
	EXPECT_NULL(process);
	pidtrack_free(tracker);
}

TEST(one_that_the_kernel_calls_invalid_is_gone)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, EINVAL));
	EXPECT_EQ(-ESRCH, pidtrack_attach(tracker, getppid(), 0, 0, &process));
	EXPECT_EQ(-EINVAL, pidtrack_attach(tracker, 0, 0, 0, &process));
	EXPECT_NULL(process);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	pidtrack_free(tracker);
}

TEST_WANTS(a_process_that_proc_hides_is_tracked_without_a_fingerprint, proc)
{
	struct pidtrack *tracker = tracker_without_pidfs(_metadata);
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct pidtrack_process *process;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, seccomp_refuse(SYS_openat, EACCES));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	EXPECT_EQ(-EACCES,
		  pidtrack_process_fingerprint(process, text, sizeof(text)));
	ASSERT_EQ(0, child_exit(&child, 4));
	ASSERT_EXITED(tracker, process, 4 << 8);
	child_close(&child);
	pidtrack_free(tracker);
}

/* Its number there is somebody else's, here at most kthreadd's. */
static void attach_with_outer_proc(struct __test_metadata *_metadata)
{
	struct pidtrack *tracker = tracker_without_pidfs(_metadata);
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct pidtrack_process *process;
	struct child child;

	ASSERT_EQ(1, getpid());
	ASSERT_EQ(0, child_start(&child));
	ASSERT_LT(child.pid, 10); /* a sanitizer may have a thread */
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	EXPECT_EQ(-ENODATA,
		  pidtrack_process_fingerprint(process, text, sizeof(text)));
	pidtrack_process_free(process);
	ASSERT_EQ(0, pidtrack_attach_pidfd(tracker, child.pidfd, 0, &process));
	EXPECT_EQ(-ENODATA,
		  pidtrack_process_fingerprint(process, text, sizeof(text)));
	ASSERT_EQ(0, child_exit(&child, 4));
	ASSERT_EXITED(tracker, process, 4 << 8);
	child_close(&child);
	pidtrack_free(tracker);
}

/* In a process of its own: this one must be able to fork to the end. */
static void run_in_fork(struct __test_metadata *_metadata,
			void (*run)(struct __test_metadata *_metadata))
{
	pid_t pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (!pid) {
		run(_metadata);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* What clone3 makes with these numbers, the innermost namespace's first. */
static pid_t fork_with_numbers(pid_t *numbers, size_t n)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal;
		uint64_t stack, stack_size, tls, set_tid, set_tid_size, cgroup;
	} args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)numbers,
		.set_tid_size = n,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Has the same number in both; its child that of a stranger outside. */
static void host_with_twin_number(struct __test_metadata *_metadata,
				  pid_t number)
{
	struct pidtrack *tracker = tracker_without_pidfs(_metadata);
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct pidtrack_process *process;
	pid_t pid;

	pid = fork_with_numbers(&number, 1);
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(0);
	ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, 0, &process));
	EXPECT_EQ(-ENODATA,
		  pidtrack_process_fingerprint(process, text, sizeof(text)));
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

static void unshare_with_twin_number(struct __test_metadata *_metadata)
{
	pid_t number = 30000, twin_number = 31000, stranger, first, twin;
	int status;

	do
		stranger = fork_with_numbers(&(pid_t){ ++number }, 1);
	while (stranger < 0 && errno == EEXIST);
	if (stranger < 0)
		SKIP(return, "clone3 takes no numbers before Linux 5.5");
	if (!stranger)
		for (;;)
			pause();
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	first = fork();
	ASSERT_GE(first, 0);
	if (!first) {
		do
			twin = fork_with_numbers(
				(pid_t[]){ twin_number, twin_number }, 2);
		while (twin < 0 && errno == EEXIST && ++twin_number);
		if (!twin) {
			host_with_twin_number(_metadata, number);
			_exit(0);
		}
		_exit(twin < 0 || waitpid(twin, &status, 0) != twin || status);
	}
	ASSERT_EQ(first, waitpid(first, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, kill(stranger, SIGKILL));
	ASSERT_EQ(stranger, waitpid(stranger, &status, 0));
}

TEST(the_proc_of_another_pid_namespace_is_not_believed_if_numbers_agree)
{
	SKIP_WITHOUT_PID_NAMESPACES();
	run_in_fork(_metadata, unshare_with_twin_number);
}

static void unshare_without_proc(struct __test_metadata *_metadata)
{
	pid_t pid;
	int status;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		attach_with_outer_proc(_metadata);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST(the_proc_of_another_pid_namespace_is_not_believed)
{
	SKIP_WITHOUT_PID_NAMESPACES();
	run_in_fork(_metadata, unshare_without_proc);
}

TEST_HARNESS_MAIN
