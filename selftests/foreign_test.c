/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Processes that exist already: how they are named, and how they end. */
#include <pthread.h>
#include <sys/stat.h>

#include "seccomp.h"
#include "tracked.h"

static uint64_t inode_of(int pidfd)
{
	struct stat stat = { 0 };

	fstat(pidfd, &stat);
	return stat.st_ino;
}

static struct pidtrack_process *attach(struct __test_metadata *_metadata,
				       struct pidtrack *tracker, pid_t pid,
				       uint32_t flags)
{
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, flags, &process));
	EXPECT_EQ(pid, pidtrack_process_pid(process));
	EXPECT_NULL(pidtrack_process_label(process));
	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));
	EXPECT_EQ(PIDTRACK_BINDING_NONE, pidtrack_process_binding(process));
	return process;
}

/* ---- how they are named ---- */

TEST(a_process_is_attached_by_pid_or_by_pid_and_inode)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct foreign foreign;
	uint64_t inode;

	ASSERT_EQ(0, foreign_start(&foreign));
	inode = inode_of(foreign.child.pidfd);
	process = attach(_metadata, tracker, foreign.child.pid, 0);
	pidtrack_process_free(process);
	process = NULL;
	if (works(PIDTRACK_FEATURE_PIDFS)) {
		EXPECT_EQ(0, pidtrack_attach(tracker, foreign.child.pid, inode,
					     0, &process));
		pidtrack_process_free(process);
		process = NULL;
		EXPECT_EQ(-ESTALE, pidtrack_attach(tracker, foreign.child.pid,
						   inode + 1, 0, &process));
		EXPECT_EQ(-ESTALE, pidtrack_attach(tracker, foreign.child.pid,
						   1, 0, &process));
		EXPECT_EQ(-ESTALE, pidtrack_attach(tracker, getpid(), inode, 0,
						   &process));
		EXPECT_EQ(-ESTALE, pidtrack_attach(tracker, foreign.child.pid,
						   UINT64_MAX, 0, &process));
	} else {
		EXPECT_EQ(-EOPNOTSUPP,
			  pidtrack_attach(tracker, foreign.child.pid, inode, 0,
					  &process));
	}
	EXPECT_NULL(process);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	ASSERT_NO_EVENT(tracker);
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

TEST(what_names_no_process_is_refused)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct child child;

	EXPECT_EQ(-EINVAL, pidtrack_attach(tracker, 0, 0, 0, &process));
	EXPECT_EQ(-EINVAL, pidtrack_attach(tracker, -1, 0, 0, &process));
	EXPECT_EQ(-EINVAL, pidtrack_attach(tracker, INT32_MIN, 0, 0, &process));
	EXPECT_EQ(-EINVAL,
		  pidtrack_attach(tracker, getppid(), 0, 1U << 31, &process));
	EXPECT_EQ(-EINVAL,
		  pidtrack_attach(tracker, getppid(), 0, 1U << 1, &process));
	/* above the greatest pid_max there is */
	EXPECT_EQ(-ESRCH, pidtrack_attach(tracker, 4194305, 0, 0, &process));
	EXPECT_EQ(-ESRCH, pidtrack_attach(tracker, INT32_MAX, 0, 0, &process));

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_reap(&child));
	EXPECT_EQ(-ESRCH, pidtrack_attach(tracker, child.pid, 0, 0, &process));
	child_close(&child);
	EXPECT_NULL(process);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	pidtrack_free(tracker);
}

static void *thread_live(void *arg)
{
	int *fds = arg;
	pid_t id = thread_id();
	char byte;

	if (write(fds[1], &id, sizeof(id)) < 0 || read(fds[2], &byte, 1) < 0)
		abort();
	return NULL;
}

TEST(a_thread_is_no_process)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	int fds[4], pidfd;
	pthread_t thread;
	pid_t id;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(fds + 2, O_CLOEXEC));
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_live, fds));
	ASSERT_EQ(sizeof(id), read(fds[0], &id, sizeof(id)));
	EXPECT_EQ(-ESRCH, pidtrack_attach(tracker, id, 0, 0, &process));

	/* O_EXCL is PIDFD_THREAD, Linux 6.9 */
	pidfd = (int)syscall(SYS_pidfd_open, id, O_EXCL);
	if (pidfd >= 0) {
		EXPECT_EQ(-ESRCH,
			  pidtrack_attach_pidfd(tracker, pidfd, 0, &process));
		close(pidfd);
	}
	EXPECT_NULL(process);
	close(fds[3]);
	pthread_join(thread, NULL);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	pidtrack_free(tracker);
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
}

TEST(a_parent_oneself_and_the_first_process_are_attached)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);

	attach(_metadata, tracker, getppid(), 0);
	attach(_metadata, tracker, getpid(), 0);
	attach(_metadata, tracker, 1, 0);
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	EXPECT_EQ(3, tracker_statistics(tracker).tracked);
	pidtrack_free(tracker);
}

/* Flag PF_KTHREAD, field 9 of its stat. */
static bool is_kernel_thread(pid_t pid)
{
	char path[64], text[512] = "", *end;
	unsigned int flags = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	end = strrchr(text, ')');
	return end &&
	       sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & 0x00200000);
}

TEST(a_thread_of_the_kernels_is_attached)
{
	struct pidtrack *tracker;

	if (!is_kernel_thread(2))
		SKIP(return, "process 2 is not the kernel's here");
	tracker = tracker_start(_metadata, 0);
	attach(_metadata, tracker, 2, 0);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* ---- how they end ---- */

/* Told and reaped; @status is as @source knows it. */
static void check_foreign_end(struct __test_metadata *_metadata,
			      struct pidtrack *tracker,
			      struct pidtrack_process *process,
			      const struct foreign *foreign, int expected)
{
	uint32_t source = source_without_wait();
	int status;

	ASSERT_EQ(0, child_await_exit(&foreign->child));
	if (!reaping_is_told()) {
		ASSERT_NEXT(tracker, process, PIDTRACK_EXITED,
			    PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_UNKNOWN, -1);
		EXPECT_EQ(-ENODATA, pidtrack_process_status(process, &status));
		ASSERT_EQ(expected, foreign_reap(foreign));
		ASSERT_NO_EVENT(tracker);
		EXPECT_FALSE(tracker_is_readable(tracker));
		return;
	}
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	EXPECT_EQ(PIDTRACK_STATE_EXITED, pidtrack_process_state(process));
	EXPECT_EQ(-EAGAIN, pidtrack_process_status(process, &status));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	EXPECT_EQ(PIDTRACK_STATE_EXITED, pidtrack_process_state(process));
	EXPECT_EQ(0, child_signal(&foreign->child, 0));

	ASSERT_EQ(expected, foreign_reap(foreign));
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_NEXT(tracker, process, PIDTRACK_REAPED, PIDTRACK_EVENT_LAST,
		    source, expected);
	EXPECT_EQ(PIDTRACK_STATE_REAPED, pidtrack_process_state(process));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	EXPECT_EQ(source ? (int)source : -ENODATA,
		  pidtrack_process_status(process, &status));
	if (source)
		EXPECT_EQ(expected, status);
	EXPECT_EQ(-ESRCH, pidtrack_process_signal(process, 0));
}

TEST(another_processs_child_is_told_when_it_ended_and_when_it_was_reaped)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	process = attach(_metadata, tracker, foreign.child.pid, 0);
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, child_exit(&foreign.child, 33));
	check_foreign_end(_metadata, tracker, process, &foreign, 33 << 8);
	foreign_end(&foreign);
	EXPECT_EQ(1, tracker_statistics(tracker).exits);
	pidtrack_free(tracker);
}

TEST(another_processs_child_that_was_killed_is_told_so)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	process = attach(_metadata, tracker, foreign.child.pid, 0);
	ASSERT_EQ(0, pidtrack_process_signal(process, SIGKILL));
	check_foreign_end(_metadata, tracker, process, &foreign, SIGKILL);
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

TEST(another_processs_zombie_is_told_as_ended_at_once)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, child_exit(&foreign.child, 1));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	process = attach(_metadata, tracker, foreign.child.pid, 0);
	ASSERT_TRUE(tracker_await(tracker));
	check_foreign_end(_metadata, tracker, process, &foreign, 1 << 8);
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

TEST(so_is_one_whose_pidfd_is_given_where_none_may_be_opened)
{
	struct pidtrack_process *process = NULL;
	struct pidtrack *tracker;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, EPERM));
	tracker = tracker_start(_metadata, 0);
	ASSERT_EQ(0, pidtrack_attach_pidfd(tracker, foreign.child.pidfd, 0,
					   &process));
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(0, child_exit(&foreign.child, 34));
	check_foreign_end(_metadata, tracker, process, &foreign, 34 << 8);
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

/* Its status is known by the time the host asks, so one word may do. */
TEST(one_that_ended_and_was_reaped_meanwhile_is_told_with_its_status)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	uint32_t source = source_without_wait();
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	process = attach(_metadata, tracker, foreign.child.pid, 0);
	ASSERT_EQ(0, child_exit(&foreign.child, 5));
	ASSERT_EQ(5 << 8, foreign_reap(&foreign));
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	if (event->flags & PIDTRACK_EVENT_LAST) {
		ASSERT_EVENT(event, process, PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, source, 5 << 8);
	} else {
		ASSERT_EVENT(event, process, PIDTRACK_EXITED, 0,
			     PIDTRACK_SOURCE_UNKNOWN, -1);
		ASSERT_NEXT(tracker, process, PIDTRACK_REAPED,
			    PIDTRACK_EVENT_LAST, source, 5 << 8);
	}
	EXPECT_EQ(PIDTRACK_STATE_REAPED, pidtrack_process_state(process));
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(1, tracker_statistics(tracker).exits);
	EXPECT_EQ(source ? 1 : 0, tracker_statistics(tracker).recovered);
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

/* A host that polls between any two events gets to know of both. */
TEST(between_the_word_of_its_end_and_of_its_reaping_the_descriptor_is_readable)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	process = attach(_metadata, tracker, foreign.child.pid, 0);
	ASSERT_EQ(0, child_exit(&foreign.child, 5));
	ASSERT_EQ(5 << 8, foreign_reap(&foreign));
	do {
		ASSERT_TRUE(tracker_await(tracker));
		ASSERT_EQ(1, pidtrack_next(tracker, &event));
		ASSERT_EQ(process, event->process);
	} while (!(event->flags & PIDTRACK_EVENT_LAST));
	ASSERT_NO_EVENT(tracker);
	EXPECT_FALSE(tracker_is_readable(tracker));
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

TEST(a_process_attached_twice_is_told_twice)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	uint32_t source = source_without_wait();
	struct pidtrack_process *processes[2];
	const struct pidtrack_event *event;
	struct foreign foreign;
	int i, each = reaping_is_told() ? 2 : 1, told[2] = { 0 };

	ASSERT_EQ(0, foreign_start(&foreign));
	for (i = 0; i < 2; i++)
		processes[i] = attach(_metadata, tracker, foreign.child.pid, 0);
	ASSERT_EQ(0, child_exit(&foreign.child, 5));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		EXPECT_EQ(PIDTRACK_EXITED, event->kind);
		EXPECT_EQ(each == 2 ? 0 : PIDTRACK_EVENT_LAST, event->flags);
		told[event->process == processes[1]]++;
	}
	ASSERT_NO_EVENT(tracker);
	ASSERT_EQ(5 << 8, foreign_reap(&foreign));
	for (i = 0; i < 2 && each == 2; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		ASSERT_EVENT(event, event->process, PIDTRACK_REAPED,
			     PIDTRACK_EVENT_LAST, source, 5 << 8);
		told[event->process == processes[1]]++;
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(each, told[0]);
	EXPECT_EQ(each, told[1]);
	foreign_end(&foreign);
	pidtrack_free(tracker);
}

/* Every other one is reaped before the host looks, the rest when all ended. */
TEST(two_hundred_of_them_are_told_each_in_order)
{
	enum { N = 200 };
	struct pidtrack *tracker;
	static struct pidtrack_process *processes[N];
	static struct foreign foreigns[N];
	static bool exited[N], reaped[N];
	const struct pidtrack_event *event;
	int i, j, n_exited = 0, n_last = 0;

	tracker = tracker_start(_metadata, 0);
	for (i = 0; i < N; i++) {
		ASSERT_EQ(0, foreign_start(&foreigns[i]));
		processes[i] =
			attach(_metadata, tracker, foreigns[i].child.pid, 0);
		pidtrack_process_set_userdata(processes[i],
					      (void *)(intptr_t)i);
		ASSERT_EQ(0, child_exit(&foreigns[i].child, i));
	}
	for (i = 0; i < N; i += 2)
		ASSERT_EQ(i << 8, foreign_reap(&foreigns[i]));
	while (n_last < N) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		j = (int)(intptr_t)pidtrack_process_userdata(event->process);
		ASSERT_EQ(processes[j], event->process);
		ASSERT_EQ(exited[j] ? PIDTRACK_REAPED : PIDTRACK_EXITED,
			  event->kind);
		n_exited += !exited[j];
		exited[j] = true;
		ASSERT_FALSE(reaped[j]);
		reaped[j] = event->flags & PIDTRACK_EVENT_LAST;
		n_last += reaped[j];
		if (reaped[j])
			ASSERT_EVENT(event, processes[j], event->kind,
				     PIDTRACK_EVENT_LAST, source_without_wait(),
				     j << 8);
		for (i = 1; n_exited == N && i < N; i += 2)
			ASSERT_EQ(i << 8, foreign_reap(&foreigns[i]));
		n_exited += n_exited == N; /* once */
	}
	ASSERT_NO_EVENT(tracker);
	for (i = 0; i < N; i++)
		foreign_end(&foreigns[i]);
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
