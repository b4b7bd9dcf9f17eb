/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Trackers, shims and their events for tests of waiting, on pidtrack.h alone.
 *
 *	struct pidtrack *tracker = tracker_start(_metadata, 0);
 *	struct gate gate = gate_make(_metadata);
 *	struct pidtrack_process *process;
 *
 *	process = shim_start(_metadata, tracker, gate.shim,
 *			     SHIM("wait", "exit", "7"));
 *	gate_open(&gate);
 *	process_await_exit(process);		a zombie now
 *	ASSERT_EXITED(tracker, process, 7 << 8);
 *	ASSERT_NO_EVENT(tracker);		reaped now
 *
 * A tracker that is not to be had with the PIDTRACK_BACKEND of the environment
 * skips the test.
 */
#ifndef TRACKED_H
#define TRACKED_H

#include <sched.h>

#include "children.h"
#include "harness.h"
#include "pidtrack.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Longer than anything that is to happen takes. */
static inline int awhile_ms(void)
{
	return 15000 * harness_number_of("PIDTRACK_TEST_SLOW", 1);
}

static inline int64_t now_ms(void)
{
	return harness_now_ms();
}

static inline bool works(enum pidtrack_feature feature)
{
	return !pidtrack_feature_probe(feature);
}

/* ---- trackers ---- */

static inline struct pidtrack *
tracker_start_with(struct __test_metadata *_metadata,
		   const struct pidtrack_options *options)
{
	const char *backend = getenv("PIDTRACK_BACKEND");
	struct pidtrack *tracker = NULL;
	int r = pidtrack_new(options, &tracker);

	if (r < 0 && backend && !strcmp(backend, "uring") &&
	    (!works(PIDTRACK_FEATURE_RING) ||
	     !works(PIDTRACK_FEATURE_RING_WAITID))) {
		SKIP(, "no ring that waits: Linux < 6.7, refused, or its "
		       "eventfd does not tell each time");
		_metadata->completed = true;
		fflush(NULL);
		_exit(0);
	}
	ASSERT_EQ(0, r);
	return tracker;
}

static inline struct pidtrack *tracker_start(struct __test_metadata *_metadata,
					     uint32_t flags)
{
	struct pidtrack_options options = PIDTRACK_OPTIONS(.flags = flags);

	return tracker_start_with(_metadata, &options);
}

static inline bool tracker_is_on_ring(const struct pidtrack *tracker)
{
	return !strcmp(pidtrack_backend(tracker), "uring");
}

#define tracker_statistics(tracker)                                     \
	({                                                              \
		struct pidtrack_statistics statistics_ = { 0 };         \
		ASSERT_EQ(0, pidtrack_statistics(tracker, &statistics_, \
						 sizeof(statistics_))); \
		statistics_;                                            \
	})

/* Whether its descriptor is readable now. */
static inline bool tracker_is_readable(const struct pidtrack *tracker)
{
	return await_fd(pidtrack_fd(tracker), POLLIN, 0) & POLLIN;
}

static inline bool tracker_await(const struct pidtrack *tracker)
{
	return await_fd(pidtrack_fd(tracker), POLLIN, awhile_ms()) & POLLIN;
}

/*
 * Tells nothing for @ms milliseconds.  What is under way as this begins may
 * wake the host once: the kernel tells who waits for a stop a moment after it
 * shows it to others, and a timer may end while it is taken back.
 */
static inline bool tracker_stays_quiet(struct pidtrack *tracker, int ms)
{
	const struct pidtrack_event *event;

	if (!await_fd(pidtrack_fd(tracker), POLLIN, ms))
		return true;
	return !pidtrack_next(tracker, &event) &&
	       !await_fd(pidtrack_fd(tracker), POLLIN, ms);
}

/* ---- shims ---- */

/* Shims that "wait" on it end when it is opened. */
struct gate {
	int shim; /* their standard input */
	int host;
};

static inline struct gate gate_make(struct __test_metadata *_metadata)
{
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	return (struct gate){ .shim = fds[0], .host = fds[1] };
}

static inline void gate_open(struct gate *gate)
{
	close(gate->shim);
	close(gate->host);
	gate->shim = -1;
	gate->host = -1;
}

#define SHIM(...) ((const char *const[]){ shim_path(), __VA_ARGS__, NULL })

/* @in: its standard input, or PIDTRACK_FD_NULL */
static inline struct pidtrack_process *
shim_start(struct __test_metadata *_metadata, struct pidtrack *tracker, int in,
	   const char *const *argv)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = in } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .fds = fds, .n_fds = 1);
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	return process;
}

/* One that waits at @gate, and then exits with @code. */
static inline struct pidtrack_process *
shim_start_at(struct __test_metadata *_metadata, struct pidtrack *tracker,
	      const struct gate *gate, int code)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", code);
	return shim_start(_metadata, tracker, gate->shim,
			  SHIM("wait", "exit", text));
}

/* Until it has ended; neither told nor reaped by that. */
static inline void process_await_exit(const struct pidtrack_process *process)
{
	int pidfd = pidtrack_process_pidfd(process);
	siginfo_t info;

	await_fd(pidfd, POLLIN, -1);
	/*
	 * It tells a moment before others are told.  Of a child this looks
	 * under the lock that is held until all are.
	 */
	waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
}

/* Whether it has ended, by the kernel's word. */
static inline bool pidfd_has_ended(int pidfd)
{
	return await_fd(pidfd, POLLIN, 0) & POLLIN;
}

/* Whether its number is free, by the kernel's word. */
static inline bool pidfd_is_reaped(int pidfd)
{
	return syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0 &&
	       errno == ESRCH;
}

/* The first ring that this process has: where none is parked, the tracker's. */
static inline int ring_find(void)
{
	char path[32], link[64];

	for (int fd = 3; fd < 1000; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, link, sizeof(link) - 1);
		if (n < 0)
			continue;
		link[n] = '\0';
		if (!strcmp(link, "anon_inode:[io_uring]"))
			return fd;
	}
	return -1;
}

/* ---- events ---- */

/* Where the status of an exit comes from that waitid(2) cannot tell. */
static inline uint32_t source_without_wait(void)
{
	return works(PIDTRACK_FEATURE_EXIT_INFO) ? PIDTRACK_SOURCE_RECOVERED :
						   PIDTRACK_SOURCE_UNKNOWN;
}

/* Whether the kernel tells when others have reaped a process: POLLHUP.  A
 * sandbox may hide that there is pidfs; exit info came later. */
static inline bool reaping_is_told(void)
{
	return works(PIDTRACK_FEATURE_PIDFS) ||
	       works(PIDTRACK_FEATURE_EXIT_INFO);
}

#define ASSERT_EVENT(event_, process_, kind_, flags_, source_, status_)     \
	do {                                                                \
		ASSERT_STREQ(pidtrack_event_name(kind_),                    \
			     pidtrack_event_name((event_)->kind));          \
		ASSERT_EQ((process_), (event_)->process);                   \
		EXPECT_EQ((uint32_t)(flags_), (event_)->flags);             \
		EXPECT_STREQ(pidtrack_source_name(source_),                 \
			     pidtrack_source_name((event_)->source));       \
		EXPECT_EQ((source_) == PIDTRACK_SOURCE_UNKNOWN ? -1 :       \
								 (status_), \
			  (event_)->status);                                \
	} while (0)

/* The next event is this one; waits for it. */
#define ASSERT_NEXT(tracker, process_, kind_, flags_, source_, status_)       \
	do {                                                                  \
		const struct pidtrack_process *whose_ = (process_);           \
		const struct pidtrack_event *next_ = NULL;                    \
                                                                              \
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &next_));    \
		ASSERT_EVENT(next_, whose_, kind_, flags_, source_, status_); \
	} while (0)

/* It is the end of a child of ours. */
#define ASSERT_EXITED(tracker, process_, status_)                            \
	ASSERT_NEXT(tracker, process_, PIDTRACK_EXITED, PIDTRACK_EVENT_LAST, \
		    PIDTRACK_SOURCE_WAITED, status_)

#define ASSERT_NO_EVENT(tracker)                              \
	do {                                                  \
		const struct pidtrack_event *none_;           \
                                                              \
		ASSERT_EQ(0, pidtrack_next(tracker, &none_)); \
	} while (0)

/* ---- threads ---- */

/* Leaves @n descriptors to be opened.  Return: the limit before. */
static inline struct rlimit fds_leave(struct __test_metadata *_metadata, int n)
{
	struct rlimit before, limit;
	int fds = 0, fd;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	for (fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) < 0 && fds++ == n)
			break;
	limit = before;
	limit.rlim_cur = (rlim_t)fd;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	return before;
}

static inline void fds_restore(struct __test_metadata *_metadata,
			       struct rlimit before)
{
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
}

/* Spins until that thread of ours sleeps in a system call, or has ended. */
static inline void thread_await_asleep(pid_t thread)
{
	char path[64], stat[256];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
		char *end;

		if (fd >= 0)
			close(fd);
		stat[n > 0 ? n : 0] = '\0';
		end = strrchr(stat, ')');
		if (!end || strchr("SZX", end[2]))
			return;
		sched_yield();
	}
}

/* Spins until that thread of ours sleeps in epoll_wait or epoll_pwait. */
static inline void thread_await_epoll(pid_t thread)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", thread);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC), number = -1;
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		if (fd >= 0)
			close(fd);
		if (n < 0) { /* it has ended, or the kernel does not say */
			thread_await_asleep(thread);
			return;
		}
		text[n] = '\0';
		if (sscanf(text, "%d ", &number) == 1 &&
		    number == SYS_epoll_pwait)
			return;
#ifdef SYS_epoll_wait
		if (number == SYS_epoll_wait)
			return;
#endif
		sched_yield();
	}
}

/* Spins until the kernel has done with that thread of ours. */
static inline void thread_await_gone(pid_t thread)
{
	while (!syscall(SYS_tgkill, getpid(), thread, 0))
		sched_yield();
}

static inline pid_t thread_id(void)
{
	return (pid_t)syscall(SYS_gettid);
}

#endif
