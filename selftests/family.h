/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Processes that have children that have children, for tests of ending them
 * all.  Each joins a list that is shared by all, and then lives on; nobody
 * sleeps.
 *
 *	struct family *family = family_make(_metadata);
 *	pid_t root = family_start(family, 2, 3);	1 + 2 + 4 + 8
 *
 *	family_await(_metadata, family, 15);	all there, a pidfd of each
 *	...
 *	EXPECT_EQ(15, family_ended(family));
 *	family_end(_metadata, family);	kills and reaps what is left
 *
 * The test's process is a subreaper: whoever is orphaned becomes its child.
 */
#ifndef FAMILY_H
#define FAMILY_H

#include <sys/mman.h>

#include "tracked.h"

#define FAMILY_MAX 1024

struct family {
	_Atomic int n;
	int n_pidfds;
	_Atomic pid_t root;
	_Atomic int signals; /* counted by those that catch them */
	bool stubborn;	     /* those that start from here on ignore SIGTERM */
	_Atomic pid_t pids[FAMILY_MAX];
	int pidfds[FAMILY_MAX];
};

static inline struct family *family_make(struct __test_metadata *_metadata)
{
	struct family *family = mmap(NULL, sizeof(*family),
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)family);
	return family;
}

static inline void family_join(struct family *family)
{
	int at = family->n++;

	if (at >= FAMILY_MAX)
		_exit(96);
	family->pids[at] = getpid();
}

static inline void __attribute__((noreturn)) family_live(void)
{
	for (;;)
		pause();
}

/* One, with @children, each of which has as many, @depth times. */
static inline pid_t family_start(struct family *family, int children, int depth)
{
	pid_t pid = fork();
	int i;

	if (pid)
		return pid;
	if (family->stubborn)
		signal(SIGTERM, SIG_IGN);
	for (i = 0; i < children && depth > 0; i++)
		if (family_start(family, children, depth - 1) < 0)
			_exit(95);
	family_join(family);
	family_live();
}

/* Until @n have joined; holds them. */
static inline void family_await(struct __test_metadata *_metadata,
				struct family *family, int n)
{
	for (; family->n_pidfds < n; family->n_pidfds++) {
		int pidfd;

		while (!family->pids[family->n_pidfds])
			sched_yield();
		pidfd = (int)syscall(SYS_pidfd_open,
				     family->pids[family->n_pidfds], 0);

		ASSERT_GE(pidfd, 0);
		family->pidfds[family->n_pidfds] = pidfd;
	}
}

/* How many of those held have ended, by the kernel's word. */
static inline int family_ended(const struct family *family)
{
	int i, n = 0;

	for (i = 0; i < family->n_pidfds; i++)
		n += pidfd_has_ended(family->pidfds[i]);
	return n;
}

/* Waits until @n of them have ended. */
static inline void family_await_end(struct __test_metadata *_metadata,
				    const struct family *family, int n)
{
	int64_t until = harness_now_ms() + awhile_ms();

	while (family_ended(family) < n && harness_now_ms() < until)
		sched_yield();
	EXPECT_EQ(n, family_ended(family));
}

/* Ours and not reaped, so that its number is safe. */
static inline void family_kill(pid_t pid, void *arg)
{
	(void)arg;
	kill(pid, SIGKILL);
}

/* Where a test was stopped, also who has not joined, or cannot be signalled. */
static inline void family_reap(struct __test_metadata *_metadata)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, _metadata->stopped ? WNOHANG : 0)) >=
	       0) {
		if (pid > 0)
			continue;
		harness_children(family_kill, NULL);
		sched_yield();
	}
	EXPECT_EQ(ECHILD, errno);
}

static inline void family_end(struct __test_metadata *_metadata,
			      struct family *family)
{
	int i;

	for (i = 0; i < family->n_pidfds; i++) {
		syscall(SYS_pidfd_send_signal, family->pidfds[i], SIGKILL, NULL,
			0);
		close(family->pidfds[i]);
	}
	family_reap(_metadata);
	munmap(family, sizeof(*family));
}

/* ---- stopping them ---- */

/* A child of ours, given to the tracker. */
static inline struct pidtrack_process *
family_attach(struct __test_metadata *_metadata, struct pidtrack *tracker,
	      pid_t pid)
{
	struct pidtrack_process *process = NULL;
	int r = pidtrack_attach(tracker, pid, 0, 0, &process);

	if (r) /* or it would go on meanwhile, a bomb maybe */
		kill(-pid, SIGKILL);
	ASSERT_EQ(0, r);
	return process;
}

static inline int family_stop(struct pidtrack_process *process, uint32_t flags,
			      const struct pidtrack_stop_step *steps,
			      uint32_t n)
{
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.flags = flags, .steps = steps,
				      .n_steps = n);

	return pidtrack_process_stop(process, &options);
}

/* The next event is of a ladder; the LAST has the status of the process. */
#define ASSERT_LADDER(tracker, process_, kind_, flags_, signal_, reached_) \
	do {                                                               \
		const struct pidtrack_process *whose_ = (process_);        \
		const struct pidtrack_event *next_ = NULL;                 \
                                                                           \
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &next_)); \
		ASSERT_STREQ(pidtrack_event_name(kind_),                   \
			     pidtrack_event_name(next_->kind));            \
		ASSERT_EQ(whose_, next_->process);                         \
		EXPECT_EQ((uint32_t)(flags_), next_->flags);               \
		EXPECT_EQ(!!((flags_)&PIDTRACK_EVENT_LAST),                \
			  next_->status != -1);                            \
		EXPECT_EQ((signal_), next_->signal);                       \
		EXPECT_EQ((uint32_t)(reached_), next_->reached);           \
	} while (0)

/* It is the end of a child, and more follows. */
#define ASSERT_EXITED_AND_MORE(tracker, process_, status_) \
	ASSERT_NEXT(tracker, process_, PIDTRACK_EXITED, 0, \
		    PIDTRACK_SOURCE_WAITED, status_)

#define STEPS(...) ((const struct pidtrack_stop_step[]){ __VA_ARGS__ })

#endif
