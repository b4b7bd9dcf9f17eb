/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Ladders of a process and of all that descends from it. */
#include <pthread.h>
#include <sys/ptrace.h>

#include "family.h"
#include "strangers.h"

#define TREE PIDTRACK_STOP_TREE
#define LAST PIDTRACK_EVENT_LAST

static const struct pidtrack_stop_step term_then_kill[] = {
	{ SIGTERM, 20 },
	{ SIGKILL, 60000 },
};
static const struct pidtrack_stop_step kill_only[] = { { SIGKILL, 60000 } };

static void whole_tree_ends(struct __test_metadata *_metadata, uint32_t flags)
{
	struct pidtrack *tracker = tracker_start(_metadata, flags);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	process = family_attach(_metadata, tracker, family_start(family, 2, 3));
	family_await(_metadata, family, 15);
	ASSERT_EQ(0, family_stop(process, TREE, NULL, 0));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGTERM);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGTERM, 15);
	EXPECT_EQ(15, family_ended(family));
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(-ESRCH, family_stop(process, TREE, NULL, 0));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(a_whole_tree_ends_by_the_first_signal, proc)
{
	whole_tree_ends(_metadata, 0);
}

TEST_WANTS(so_it_does_with_a_tracker_that_has_a_thread, proc)
{
	whole_tree_ends(_metadata, PIDTRACK_THREAD);
}

/* As before Linux 6.13. */
TEST_WANTS(so_it_does_where_pidfds_do_not_tell_the_parent, proc)
{
	if (!seccomp_refuse(SYS_ioctl, ENOTTY))
		whole_tree_ends(_metadata, 0);
}

TEST_WANTS(a_tree_that_ignores_it_ends_by_the_next, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	family->stubborn = true;
	process = family_attach(_metadata, tracker, family_start(family, 2, 2));
	family_await(_metadata, family, 7);
	ASSERT_EQ(0, family_stop(process, TREE, term_then_kill, 2));
	ASSERT_LADDER(tracker, process, PIDTRACK_ESCALATED, 0, SIGKILL, 7);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 7);
	EXPECT_EQ(7, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

static void obey(int signal)
{
	(void)signal;
	_exit(0);
}

static const struct pidtrack_stop_step obey_then_kill[] = {
	{ SIGTERM, 3000 }, /* a processor may stand still for a second */
	{ SIGKILL, 60000 },
};

/* The launcher obeys, and leaves those that do not to whoever adopts them. */
TEST_WANTS(who_was_left_by_a_root_that_obeyed_ends_too, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	pid_t root;

	family->stubborn = true;
	root = fork();
	if (!root) {
		family_start(family, 1, 1);
		signal(SIGTERM, obey);
		family_join(family);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 3);
	ASSERT_EQ(0, family_stop(process, TREE, obey_then_kill, 2));
	ASSERT_EXITED_AND_MORE(tracker, process, 0);
	EXPECT_EQ(1, family_ended(family));
	ASSERT_LADDER(tracker, process, PIDTRACK_ESCALATED, 0, SIGKILL, 3);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 3);
	EXPECT_EQ(3, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

static struct family *ours;

static void count(int signal_)
{
	(void)signal_;
	ours->signals++;
}

static void unblock(int signal_)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal_);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Flushes its disks by a child, which comes after the signal. */
static void flush(int signal_)
{
	(void)signal_;
	if (fork())
		return;
	unblock(SIGTERM);
	signal(SIGTERM, count);
	family_join(ours);
	family_live();
}

/*
 * Whom a root makes of the signal is not sent it: that may be its way of doing
 * as it was told.  When the root has ended, or is killed, it is.
 */
TEST_WANTS(what_a_root_starts_on_the_signal_is_left_to_it, proc)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 300 },
						    { SIGKILL, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct family *family = family_make(_metadata);
	pid_t root;

	ours = family;
	root = fork();
	if (!root) {
		signal(SIGTERM, flush);
		family_join(family);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 1);
	ASSERT_EQ(0, family_stop(process, TREE, steps, 2));
	family_await(_metadata, family, 2);
	EXPECT_EQ(0, await_fd(pidtrack_fd(tracker), 0, 0));
	ASSERT_LADDER(tracker, process, PIDTRACK_ESCALATED, 0, SIGKILL, 2);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 2);
	EXPECT_EQ(0, family->signals);
	EXPECT_EQ(2, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* Nothing ends, so nothing tells of it: it is looked for now and then. */
TEST_WANTS(what_a_root_started_and_left_behind_ends_too, proc)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	pid_t root;
	char byte;

	ours = family;
	root = fork();
	if (!root) {
		close(gate.host);
		signal(SIGTERM, flush);
		family_join(family);
		while (read(gate.shim, &byte, 1) < 0)
			;
		_exit(4);
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 1);
	ASSERT_EQ(0, family_stop(process, TREE, steps, 1));
	family_await(_metadata, family, 2);
	ASSERT_TRUE(tracker_await(tracker));
	ASSERT_NO_EVENT(tracker);
	gate_open(&gate);
	ASSERT_EXITED_AND_MORE(tracker, process, 4 << 8);
	while (!family->signals) {
		ASSERT_NO_EVENT(tracker);
		await_fd(pidtrack_fd(tracker), POLLIN, 10);
	}
	EXPECT_EQ(1, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

static void *thread_run(void *arg)
{
	family_start(arg, 1, 1);
	family_live();
}

/* The kernel lists children by thread. */
TEST_WANTS(children_of_every_thread_end, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	pthread_t threads[3];
	pid_t root = fork();
	int i;

	if (!root) {
		for (i = 0; i < 3; i++)
			pthread_create(&threads[i], NULL, thread_run, family);
		family_join(family);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 7);
	ASSERT_EQ(0, family_stop(process, TREE, kill_only, 1));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 7);
	EXPECT_EQ(7, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

#define BOMB_MAX 200

struct escape {
	_Atomic int listener;
	_Atomic bool over;
	struct family *family;
	int ask; /* whom is written to here forks */
	pid_t parent;
};

static char state_of(pid_t pid)
{
	char path[64], text[256] = "", *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	end = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	fclose(file);
	return end ? end[2] : 0;
}

/* When the first is about to be killed, another makes one more, if it runs. */
static void *escape_run(void *arg)
{
	struct escape *escape = arg;
	bool asked = false, over;
	uint64_t id;

	while (escape->listener < 0)
		sched_yield();
	while (seccomp_stopped(escape->listener, &id) > 0) {
		if (!asked && write(escape->ask, "", 1) != 1)
			break;
		asked = true;
		while (!escape->family->pids[2] &&
		       !strchr("TZ", state_of(escape->parent)))
			sched_yield();
		over = escape->over; /* not changed while it is stopped */
		seccomp_go(escape->listener, id);
		if (over)
			break;
	}
	return NULL;
}

/*
 * The kernel is to send SIGKILL to the first: those below it must not have run
 * since they were looked at.
 */
static void nobody_escapes(struct __test_metadata *_metadata, uint32_t flags)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct escape escape = { .listener = -1,
				 .family = family_make(_metadata) };
	struct pidtrack_process *process;
	struct family *family = escape.family;
	pthread_t thread;
	int fds[2];
	char byte;
	pid_t root;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	root = fork();
	if (!root)
		setpgid(0, 0);
	if (!root && !fork()) {
		setsid();
		family_join(family);
		if (read(fds[0], &byte, 1) == 1 && !fork())
			family_join(family);
		family_live();
	}
	if (!root) {
		while (!family->pids[0])
			sched_yield();
		family_join(family);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 2);
	escape.parent = family->pids[0];
	escape.ask = fds[1];
	ASSERT_EQ(0, pthread_create(&thread, NULL, escape_run, &escape));
	escape.listener = seccomp_on_argument(SYS_pidfd_send_signal, 1, ~0U,
					      SIGKILL, SECCOMP_RET_USER_NOTIF,
					      SECCOMP_FILTER_FLAG_NEW_LISTENER);
	ASSERT_GE(escape.listener, 0);
	ASSERT_EQ(0, family_stop(process, flags, kill_only, 1));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 2);
	EXPECT_EQ(2, family->n);
	escape.over = true;
	syscall(SYS_pidfd_send_signal, family->pidfds[0], SIGKILL, NULL, 0);
	pthread_join(thread, NULL);
	close(escape.listener);
	if (family->n > 2)
		kill(family->pids[2], SIGKILL);
	close(fds[0]);
	close(fds[1]);
	pidtrack_free(tracker);
	/* nobody answers family_end() when it sends SIGKILL any more */
	close(family->pidfds[0]);
	close(family->pidfds[1]);
	family->n_pidfds = 0;
	family_end(_metadata, family);
}

TEST_WANTS(between_a_look_and_the_kill_nobody_can_be_made, proc)
{
	nobody_escapes(_metadata, TREE);
}

TEST_WANTS(nor_where_its_group_is_killed_too, proc)
{
	nobody_escapes(_metadata, TREE | PIDTRACK_STOP_GROUP);
}

/* What SIGHUP is for one that was stopped: it runs again, and makes another. */
static void hang_up(int signal_)
{
	(void)signal_;
	if (!fork())
		family_join(ours);
}

/* The second is killed when the first has ended, with all that comes of it. */
static void *orphaned_run(void *arg)
{
	struct escape *escape = arg;
	struct family *family = escape->family;
	int n = 0;
	uint64_t id;
	bool over;

	while (escape->listener < 0)
		sched_yield();
	while (seccomp_stopped(escape->listener, &id) > 0) {
		while (n == 1 && !family_ended(family))
			sched_yield();
		/* the child is left: it has been hung up on */
		while (n == 1 && !pidfd_has_ended(family->pidfds[0]) &&
		       !family->pids[2])
			sched_yield();
		n++;
		over = escape->over;
		seccomp_go(escape->listener, id);
		if (over)
			break;
	}
	return NULL;
}

/*
 * A stopped process is continued by the kernel when its group is orphaned, as a
 * job is by the death of its shell.
 */
TEST_WANTS(who_is_stopped_is_not_orphaned_before_it_is_killed, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct escape escape = { .listener = -1,
				 .family = family_make(_metadata) };
	struct pidtrack_process *process;
	struct family *family = escape.family;
	pthread_t thread;
	pid_t root;

	ours = family;
	root = fork();
	if (!root) {
		setsid();
		if (!fork()) {
			setpgid(0, 0);
			signal(SIGHUP, hang_up);
			family_join(family);
			family_live();
		}
		while (!family->pids[0])
			sched_yield();
		family_join(family);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, orphaned_run, &escape));
	escape.listener = seccomp_on_argument(SYS_pidfd_send_signal, 1, ~0U,
					      SIGKILL, SECCOMP_RET_USER_NOTIF,
					      SECCOMP_FILTER_FLAG_NEW_LISTENER);
	ASSERT_GE(escape.listener, 0);
	ASSERT_EQ(0, family_stop(process, TREE, kill_only, 1));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 2);
	EXPECT_EQ(2, family->n);
	escape.over = true;
	syscall(SYS_pidfd_send_signal, family->pidfds[0], SIGKILL, NULL, 0);
	pthread_join(thread, NULL);
	close(escape.listener);
	if (family->n > 2)
		kill(family->pids[2], SIGKILL);
	pidtrack_free(tracker);
	/* nobody answers family_end() when it sends SIGKILL any more */
	close(family->pidfds[0]);
	close(family->pidfds[1]);
	family->n_pidfds = 0;
	family_end(_metadata, family);
}

/* Each makes others as fast as it can, until there have been enough. */
static void __attribute__((noreturn)) bomb(struct family *family)
{
	signal(SIGCHLD, SIG_IGN);
	family_join(family);
	while (family->n < BOMB_MAX) {
		if (!fork())
			family_join(family);
		sched_yield();
	}
	for (;;)
		pause();
}

/* Who cannot be held is not signalled while others hold the descriptors. */
static const char *wants_room(void)
{
	const char *wanting = wants_descriptors();

	return wanting ? wanting : wants_numbers_and_signals();
}

/* Of those no pidfd may be had in time: their numbers are, and they are ours
 * to reap in the end. */
TEST_WANTS(a_fork_bomb_ends_and_nobody_escapes, room)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	pid_t root = fork();
	int i, n, left = 0;

	if (!root)
		bomb(family);
	process = family_attach(_metadata, tracker, root);
	while (family->n < 20)
		sched_yield();
	ASSERT_EQ(0, family_stop(process, TREE, kill_only, 1));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	EXPECT_EQ(PIDTRACK_STOP_DONE, event->kind);
	n = family->n;
	EXPECT_GE(event->reached, 20);
	/* all are dead: none of theirs has made one since, and none is left */
	for (i = 0; i < n; i++) {
		char path[64], text[512];
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/stat", family->pids[i]);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(text, sizeof(text), file) && !strstr(text, ") Z") &&
		    !strstr(text, ") X"))
			left++;
		fclose(file);
	}
	EXPECT_EQ(0, left);
	EXPECT_EQ(n, family->n);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* Each wants the processor all the time. */
static void __attribute__((noreturn)) spin(struct family *family)
{
	for (int i = 0; i < 2; i++) {
		if (fork() == 0)
			break;
	}
	family_join(family);
	for (;;)
		;
}

/*
 * They stop when they have a processor, which a host of real time would never
 * yield to them: it sleeps for a moment.
 */
TEST_WANTS(who_has_but_the_processor_of_a_host_of_real_time_comes_to_it, proc)
{
	const struct sched_param first = { .sched_priority = 1 }, none = { 0 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	uint64_t syscalls;
	cpu_set_t one;
	pid_t root;
	int why;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	root = fork();
	if (!root)
		spin(family);
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 3);
	if (sched_setscheduler(0, SCHED_FIFO, &first) < 0) {
		why = errno;
		pidtrack_free(tracker);
		family_end(_metadata, family);
		SKIP(return, "no real time here: %s", strerror(why));
	}
	syscalls = tracker_statistics(tracker).syscalls;
	EXPECT_EQ(0, family_stop(process, TREE, kill_only, 1));
	syscalls = tracker_statistics(tracker).syscalls - syscalls;
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_OTHER, &none));
	EXPECT_LT(syscalls, 50000); /* a million by yielding alone */
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 3);
	EXPECT_EQ(3, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(twenty_trees_end_at_once_each_by_a_ladder_of_its_own, proc)
{
	enum { N = 20 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *processes[N];
	const struct pidtrack_event *event;
	int i, exited = 0, done = 0;

	family->stubborn = true;
	for (i = 0; i < N; i++)
		processes[i] = family_attach(_metadata, tracker,
					     family_start(family, 2, 1));
	family_await(_metadata, family, 3 * N);
	for (i = 0; i < N; i++)
		ASSERT_EQ(0,
			  family_stop(processes[i], TREE, term_then_kill, 2));
	while (done < N) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		if (event->kind == PIDTRACK_STOP_DONE) {
			EXPECT_EQ(LAST, event->flags);
			EXPECT_EQ(3, event->reached);
			EXPECT_EQ(SIGKILL, event->status);
			EXPECT_EQ(PIDTRACK_SOURCE_WAITED, event->source);
			done++;
		} else if (event->kind == PIDTRACK_EXITED) {
			EXPECT_EQ(0, event->flags);
			exited++;
		}
	}
	EXPECT_EQ(N, exited);
	EXPECT_EQ(3 * N, family_ended(family));
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

struct owner {
	struct __test_metadata *_metadata;
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	struct family *family;
	pid_t id;
};

static void *owner_run(void *arg)
{
	struct owner *owner = arg;
	struct __test_metadata *_metadata = owner->_metadata;

	owner->id = thread_id();
	owner->tracker = tracker_start(_metadata, 0);
	owner->process = family_attach(_metadata, owner->tracker,
				       family_start(owner->family, 2, 1));
	family_await(_metadata, owner->family, 3);
	ASSERT_EQ(0, family_stop(owner->process, TREE, term_then_kill, 2));
	return NULL;
}

TEST_WANTS(a_ladder_of_a_tree_goes_on_when_its_thread_has_ended, proc)
{
	struct owner owner = { ._metadata = _metadata,
			       .family = family_make(_metadata) };
	pthread_t thread;

	owner.family->stubborn = true;
	ASSERT_EQ(0, pthread_create(&thread, NULL, owner_run, &owner));
	pthread_join(thread, NULL);
	thread_await_gone(owner.id);
	ASSERT_LADDER(owner.tracker, owner.process, PIDTRACK_ESCALATED, 0,
		      SIGKILL, 3);
	ASSERT_EXITED_AND_MORE(owner.tracker, owner.process, SIGKILL);
	ASSERT_LADDER(owner.tracker, owner.process, PIDTRACK_STOP_DONE, LAST,
		      SIGKILL, 3);
	pidtrack_free(owner.tracker);
	family_end(_metadata, owner.family);
}

/* Its copies of descriptors are the host's, and what is watched by them. */
TEST_WANTS(a_child_of_fork_frees_its_copy_and_the_ladder_goes_on, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	pid_t copy;
	int status;

	family->stubborn = true;
	process = family_attach(_metadata, tracker, family_start(family, 2, 1));
	family_await(_metadata, family, 3);
	ASSERT_EQ(0, family_stop(process, TREE, term_then_kill, 2));
	copy = fork();
	if (!copy) {
		EXPECT_EQ(-ECHILD, family_stop(process, TREE, NULL, 0));
		EXPECT_EQ(NULL, (void *)pidtrack_free(tracker));
		_exit(0);
	}
	ASSERT_EQ(copy, waitpid(copy, &status, 0));
	ASSERT_LADDER(tracker, process, PIDTRACK_ESCALATED, 0, SIGKILL, 3);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 3);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* All of it of others: we wait for none of them. */
TEST_WANTS(the_tree_of_somebody_elses_child_ends, proc)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	uint32_t kinds = 0;
	pid_t parent = fork();

	if (!parent) {
		family->root = family_start(family, 1, 2);
		family_live();
	}
	family_await(_metadata, family, 3);
	while (!family->root)
		sched_yield();
	ASSERT_EQ(0, pidtrack_attach(tracker, family->root, 0, 0, &process));
	ASSERT_EQ(0, family_stop(process, TREE, NULL, 0));
	while (!(kinds & 1 << PIDTRACK_STOP_DONE)) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		kinds |= 1U << event->kind;
	}
	EXPECT_TRUE(kinds & 1 << PIDTRACK_EXITED);
	EXPECT_EQ(3, event->reached);
	EXPECT_EQ(3, family_ended(family));
	ASSERT_EQ(0, kill(parent, SIGKILL));
	ASSERT_EQ(parent, waitpid(parent, NULL, 0));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* ---- the number of a root that was reaped ---- */

/* A root that ends when it is told, and a child that makes another as it. */
static pid_t start_with_heir(struct family *family, const struct gate *ends,
			     const struct gate *makes)
{
	pid_t root = fork(), heir;
	char byte;

	if (root)
		return root;
	root = getpid();
	close(ends->host);
	close(makes->host);
	if (!fork()) {
		family_join(family);
		if (read(makes->shim, &byte, 1) < 0)
			_exit(97);
		heir = stranger_start(root);
		if (heir < 0)
			_exit(98);
		family->pids[family->n++] = heir;
		family_live();
	}
	while (family->n < 1)
		sched_yield();
	family_join(family);
	_exit(read(ends->shim, &byte, 1) >= 0 ? 0 : 99);
}

TEST_WANTS(whoever_of_the_tree_gets_its_number_ends_too, proc)
{
	const struct pidtrack_stop_step steps[] = {
		{ 0, (uint32_t)awhile_ms() / 4 },
		{ SIGKILL, 60000 },
	};
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	struct gate ends, makes;
	struct family *family;

	if (!numbers_can_be_had())
		SKIP(return, "no number can be had: wants CAP_SYS_ADMIN");
	tracker = tracker_start(_metadata, 0);
	family = family_make(_metadata);
	ends = gate_make(_metadata);
	makes = gate_make(_metadata);
	process = family_attach(_metadata, tracker,
				start_with_heir(family, &ends, &makes));
	family_await(_metadata, family, 2);
	ASSERT_EQ(0, family_stop(process, TREE, steps, 2));
	gate_open(&ends);
	ASSERT_EXITED_AND_MORE(tracker, process, 0);
	ASSERT_NO_EVENT(tracker); /* it is reaped */
	gate_open(&makes);
	family_await(_metadata, family, 3);
	ASSERT_LADDER(tracker, process, PIDTRACK_ESCALATED, 0, SIGKILL, 2);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 2);
	EXPECT_EQ(3, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* ---- who is not among them ---- */

static int stop_ours(pid_t pid, uint32_t flags)
{
	struct pidtrack_process *process;
	struct pidtrack *tracker = NULL;
	int r = pidtrack_new(NULL, &tracker);

	if (!r)
		r = pidtrack_attach(tracker, pid, 0, PIDTRACK_ATTACH_OBSERVE,
				    &process);
	if (!r)
		r = family_stop(process, flags, kill_only, 1);
	pidtrack_free(tracker);
	return r;
}

TEST_WANTS(we_are_never_among_them, listing)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	pid_t host;
	int status;

	pidtrack_free(tracker); /* there can be one of this backend */
	host = fork();
	if (!host)
		_exit(-stop_ours(getppid(), TREE));
	ASSERT_EQ(host, waitpid(host, &status, 0));
	EXPECT_EQ(EDEADLK << 8, status);
	EXPECT_EQ(-EDEADLK, stop_ours(getpid(), TREE));
}

/* Nor where nobody could be found, and so not ourselves. */
static void stop_ours_unlisted(struct __test_metadata *_metadata,
			       uint32_t flags, int error)
{
	pid_t host = fork();
	int status;

	if (!host) {
		ASSERT_EQ(0, seccomp_refuse(SYS_getdents64, error));
		EXPECT_EQ(-error, stop_ours(getppid(), flags));
		_exit(0);
	}
	ASSERT_EQ(host, waitpid(host, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_WANTS(where_nobody_can_be_listed_nobody_is_stopped, listing)
{
	static const int refusals[] = { ENOSYS, EPERM };

	pidtrack_free(tracker_start(_metadata, 0)); /* there can be one */
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		stop_ours_unlisted(_metadata, TREE, refusals[i]);
		stop_ours_unlisted(_metadata, PIDTRACK_STOP_GROUP, refusals[i]);
	}
}

static void stranger_lives(struct __test_metadata *_metadata, uint32_t flags,
			   bool asks)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct swap swap = { .listener = -1 };
	struct pidtrack_process *process;
	pid_t root = fork();

	if (!root) {
		setpgid(0, 0);
		signal(SIGCHLD, SIG_IGN); /* who ends has no zombie */
		family_start(family, 0, 0);
		while (family->n < 1)
			sched_yield();
		family_join(family);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 2);
	swap.pid = family->pids[0];
	swap.pidfd = family->pidfds[0];
	swap_begin(_metadata, &swap, asks);
	ASSERT_EQ(0, family_stop(process, flags, kill_only, 1));
	swap_end(_metadata, &swap);
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 1);
	stranger_end(_metadata, &swap);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(a_stranger_who_got_a_childs_number_is_never_signalled, proc)
{
	if (!numbers_can_be_had())
		SKIP(return, "wants root and clone3 with set_tid, Linux 5.5");
	stranger_lives(_metadata, TREE, true);
}

TEST_WANTS(nor_is_it_where_pidfds_do_not_tell_the_parent, proc)
{
	if (!numbers_can_be_had())
		SKIP(return, "wants root and clone3 with set_tid, Linux 5.5");
	stranger_lives(_metadata, TREE, false);
}

TEST_WANTS(nor_is_one_who_got_the_number_of_one_in_the_group, proc)
{
	if (!numbers_can_be_had())
		SKIP(return, "wants root and clone3 with set_tid, Linux 5.5");
	stranger_lives(_metadata, PIDTRACK_STOP_GROUP, true);
}

/* ---- who does not end ---- */

/* The root ends and the ladder does not, in whichever order. */
static void time_runs_out(struct __test_metadata *_metadata,
			  struct pidtrack *tracker, uint32_t reached)
{
	const struct pidtrack_event *event = NULL;
	uint32_t kinds = 0, last = 0;

	while (!last) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		kinds |= 1U << event->kind;
		last = event->flags & LAST;
		if (event->kind == PIDTRACK_STOP_TIMED_OUT)
			EXPECT_EQ(reached, event->reached);
	}
	EXPECT_TRUE(kinds & 1U << PIDTRACK_EXITED);
	EXPECT_TRUE(kinds & 1U << PIDTRACK_STOP_TIMED_OUT);
	EXPECT_FALSE(kinds & 1U << PIDTRACK_STOP_DONE);
	ASSERT_NO_EVENT(tracker);
}

static pid_t start_with_root_child(struct family *family)
{
	pid_t root = fork();

	if (root)
		return root;
	family->stubborn = true;
	family_start(family, 0, 0);
	while (family->n < 1)
		sched_yield();
	if (syscall(SYS_setresuid, 65534, 65534, 65534))
		_exit(94);
	family_join(family);
	family_live();
}

TEST_WANTS(one_that_may_not_be_signalled_is_not_reached_and_the_time_runs_out,
	   proc)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 10 },
						    { SIGKILL, 20 } };
	struct pidtrack *tracker;
	struct family *family;
	struct pidtrack_process *process;
	int i;

	if (geteuid())
		SKIP(return, "wants root");
	tracker = tracker_start(_metadata, 0);
	family = family_make(_metadata);
	process = family_attach(_metadata, tracker,
				start_with_root_child(family));
	family_await(_metadata, family, 2);
	ASSERT_EQ(0, syscall(SYS_setresuid, 65534, 65534, 0));
	ASSERT_EQ(0, family_stop(process, TREE, steps, 2));
	time_runs_out(_metadata, tracker, 1);
	ASSERT_EQ(0, syscall(SYS_setresuid, 0, 0, 0));
	for (i = 0; i < 2; i++)
		if (family->pids[i] != pidtrack_process_pid(process))
			EXPECT_FALSE(pidfd_has_ended(family->pidfds[i]));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

#define BUSY 500 /* made before the stop, so that a look takes a while */
#define BUSY_MS 10000

/* Of root: makes one after the other, none of which can be stopped. */
static void be_busy(struct family *family)
{
	int64_t until_ms = INT64_MAX;
	const struct timespec moment = { .tv_nsec = 1000000 };

	signal(SIGCHLD, SIG_IGN);
	while (harness_now_ms() < until_ms && !family->stubborn) {
		if (!fork()) {
			poll(NULL, 0, 300);
			_exit(0);
		}
		if (++family->signals == BUSY)
			until_ms = harness_now_ms() + BUSY_MS;
		nanosleep(&moment, NULL);
	}
	_exit(0);
}

static pid_t start_with_busy_child(struct family *family)
{
	pid_t root = fork();

	if (root)
		return root;
	if (!fork()) {
		family_join(family);
		be_busy(family);
	}
	while (family->n < 1)
		sched_yield();
	if (syscall(SYS_setresuid, 65534, 65534, 65534))
		_exit(94);
	family_join(family);
	family_live();
}

/* The host has its turn again before they have ended by themselves. */
TEST_WANTS(for_those_who_cannot_be_stopped_a_stop_takes_no_longer, proc)
{
	const struct pidtrack_stop_step steps[] = { { SIGKILL, 100 } };
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	struct family *family;

	if (geteuid())
		SKIP(return, "wants root");
	tracker = tracker_start(_metadata, 0);
	family = family_make(_metadata);
	process = family_attach(_metadata, tracker,
				start_with_busy_child(family));
	family_await(_metadata, family, 2);
	while (family->signals < BUSY)
		sched_yield();
	ASSERT_EQ(0, syscall(SYS_setresuid, 65534, 65534, 0));
	ASSERT_EQ(0, family_stop(process, TREE, steps, 1));
	EXPECT_FALSE(pidfd_has_ended(family->pidfds[0]));
	time_runs_out(_metadata, tracker, 1);
	EXPECT_FALSE(pidfd_has_ended(family->pidfds[0]));
	ASSERT_EQ(0, syscall(SYS_setresuid, 0, 0, 0));
	family->stubborn = true;
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* A sandbox: whom it does not let us pin is there all the same. */
TEST_WANTS(where_nobody_can_be_pinned_the_time_runs_out, proc)
{
	const struct pidtrack_stop_step steps[] = { { SIGKILL, 20 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	process = family_attach(_metadata, tracker, family_start(family, 2, 1));
	family_await(_metadata, family, 3);
	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, EPERM));
	ASSERT_EQ(0, family_stop(process, TREE, steps, 1));
	time_runs_out(_metadata, tracker, 1);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* A tracer that holds it on its way out, whatever kills it. */
static pid_t hold_at_exit(struct __test_metadata *_metadata, pid_t pid,
			  int *ret_pipe)
{
	int fds[2], ready[2];
	char byte = 0;
	pid_t tracer;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	tracer = fork();
	if (!tracer) {
		close(fds[1]);
		if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT))
			_exit(1);
		if (write(ready[1], &byte, 1) != 1 ||
		    read(fds[0], &byte, 1) < 0)
			_exit(2);
		_exit(0);
	}
	close(fds[0]);
	close(ready[1]);
	*ret_pipe = fds[1];
	if (read(ready[0], &byte, 1) != 1)
		tracer = -tracer;
	close(ready[0]);
	return tracer;
}

TEST_WANTS(one_held_in_the_kernel_is_told_as_timed_out, proc)
{
	const struct pidtrack_stop_step steps[] = { { SIGKILL, 30 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	pid_t tracer, child;
	int pipe_;

	process = family_attach(_metadata, tracker, family_start(family, 1, 1));
	family_await(_metadata, family, 2);
	child = family->pids[family->pids[0] == pidtrack_process_pid(process)];
	tracer = hold_at_exit(_metadata, child, &pipe_);
	ASSERT_EQ(0, family_stop(process, TREE, steps, 1));
	if (tracer > 0) {
		time_runs_out(_metadata, tracker, 2);
		EXPECT_EQ(1, family_ended(family));
	}
	close(pipe_);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* Nothing is told; to be woken up for another look at the tree is no harm. */
static void nothing_for(struct __test_metadata *_metadata,
			struct pidtrack *tracker, int ms)
{
	const int64_t until = now_ms() + ms;

	do {
		int64_t left = until - now_ms();

		await_fd(pidtrack_fd(tracker), POLLIN, left > 0 ? left : 0);
		ASSERT_NO_EVENT(tracker);
	} while (now_ms() < until);
}

TEST_WANTS(a_second_ladder_takes_the_place_of_the_first, proc)
{
	const struct pidtrack_stop_step first[] = { { 0, 20 },
						    { SIGKILL, 60000 } };
	const struct pidtrack_stop_step second[] = { { 0, 60000 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;

	process = family_attach(_metadata, tracker, family_start(family, 2, 1));
	family_await(_metadata, family, 3);
	ASSERT_EQ(0, family_stop(process, TREE, first, 2));
	ASSERT_EQ(0, family_stop(process, TREE, second, 1));
	nothing_for(_metadata, tracker, 60);
	EXPECT_EQ(0, family_ended(family));
	/* and nobody of it does who is freed */
	ASSERT_EQ(0, family_stop(process, TREE, first, 2));
	pidtrack_process_free(process);
	nothing_for(_metadata, tracker, 60);
	EXPECT_EQ(0, family_ended(family));
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* ---- without room ---- */

static void end_from_leaves(struct __test_metadata *_metadata)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	struct rlimit before;

	process = family_attach(_metadata, tracker, family_start(family, 8, 2));
	family_await(_metadata, family, 73);
	before = fds_leave(_metadata, 20);
	ASSERT_EQ(0, family_stop(process, TREE, kill_only, 1));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 73);
	EXPECT_EQ(73, family_ended(family));
	fds_restore(_metadata, before);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(where_descriptors_are_short_a_tree_ends_from_its_leaves, proc)
{
	if (sandbox_refuses("fcntl"))
		SKIP(return, "the sandbox has none spared");
	end_from_leaves(_metadata);
}

/* Then it takes another descriptor to learn whose child one is. */
TEST_WANTS(from_its_leaves_it_ends_where_pidfds_do_not_tell_the_parent, proc)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	end_from_leaves(_metadata);
}

/* None can be held: none is signalled, and the first not orphaned. */
static void nobody_is_held(struct __test_metadata *_metadata, uint32_t flags,
			   int signal_)
{
	const struct pidtrack_stop_step steps[] = { { signal_, 30 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process;
	struct rlimit before;
	pid_t root;

	root = fork();
	if (!root) {
		setpgid(0, 0);
		if (!fork()) {
			setsid();
			family_join(family);
			family_live();
		}
		family_join(family);
		family_live();
	}
	process = family_attach(_metadata, tracker, root);
	family_await(_metadata, family, 2);
	/* the timer, the ends, and one to look with */
	before = fds_leave(_metadata, 3);
	ASSERT_EQ(0, family_stop(process, flags, steps, 1));
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_TIMED_OUT, 0, signal_, 0);
	EXPECT_EQ(0, family_ended(family));
	fds_restore(_metadata, before);
	ASSERT_EQ(0, family_stop(process, flags, kill_only, 1));
	ASSERT_EXITED_AND_MORE(tracker, process, SIGKILL);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_DONE, LAST, SIGKILL, 2);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

TEST_WANTS(without_descriptors_nobody_is_signalled_who_has_children, proc)
{
	nobody_is_held(_metadata, TREE, SIGKILL);
}

TEST_WANTS(nor_is_the_group_of_one_who_has, proc)
{
	nobody_is_held(_metadata, TREE | PIDTRACK_STOP_GROUP, SIGTERM);
	nobody_is_held(_metadata, TREE | PIDTRACK_STOP_GROUP, SIGKILL);
}

#define WORKERS 250

/* A root that makes as many anew as are killed, in one group. */
static pid_t start_master(struct family *family)
{
	pid_t root = fork();

	if (root)
		return root;
	setpgid(0, 0);
	for (int i = 0; i < WORKERS; i++)
		if (!fork())
			family_live();
	family_join(family);
	for (;;)
		if (wait(NULL) > 0 && !fork())
			family_live();
}

static bool groups_are_signalled(void)
{
	const unsigned int group = 4; /* PIDFD_SIGNAL_PROCESS_GROUP */
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	long r = syscall(SYS_pidfd_send_signal, self, 0, NULL, group);

	close(self);
	return r == 0;
}

/* Who makes them faster than they can be held is killed with the group. */
TEST_WANTS(those_who_come_again_and_again_end_with_their_group, proc)
{
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	struct family *family;
	struct rlimit before;

	if (!groups_are_signalled())
		SKIP(return, "no signals for whole groups, Linux < 6.9");
	tracker = tracker_start(_metadata, 0);
	family = family_make(_metadata);
	process = family_attach(_metadata, tracker, start_master(family));
	family_await(_metadata, family, 1);
	before = fds_leave(_metadata, 8);
	ASSERT_EQ(0, family_stop(process, TREE | PIDTRACK_STOP_GROUP, kill_only,
				 1));
	do
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	while (!(event->flags & LAST));
	EXPECT_EQ(PIDTRACK_STOP_DONE, event->kind);
	fds_restore(_metadata, before);
	pidtrack_free(tracker);
	family_end(_metadata, family);
}

/* That we are among them is then seen only later. */
static void stop_parent_without_room(struct __test_metadata *_metadata,
				     uint32_t flags)
{
	const struct pidtrack_stop_step steps[] = { { SIGTERM, 200 },
						    { SIGKILL, 200 } };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct rlimit before;

	ASSERT_EQ(0, pidtrack_attach(tracker, getppid(), 0,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	before = fds_leave(_metadata, 2); /* the timer and the ends */
	ASSERT_EQ(0, family_stop(process, flags, steps, 2));
	fds_restore(_metadata, before);
	ASSERT_LADDER(tracker, process, PIDTRACK_ESCALATED, 0, SIGKILL, 0);
	ASSERT_LADDER(tracker, process, PIDTRACK_STOP_TIMED_OUT, 0, SIGKILL, 0);
	pidtrack_free(tracker);
}

static void host_stops_parent(struct __test_metadata *_metadata, uint32_t flags)
{
	pid_t parent = fork(), host;
	int status;

	if (!parent) {
		setpgid(0, 0);
		host = fork();
		if (!host) {
			setpgid(0, 0);
			stop_parent_without_room(_metadata, flags);
			exit(0);
		}
		_exit(waitpid(host, &status, 0) == host && !status ? 0 : 1);
	}
	ASSERT_EQ(parent, waitpid(parent, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_WANTS(without_descriptors_we_are_never_among_them_either, proc)
{
	host_stops_parent(_metadata, TREE);
}

TEST_WANTS(nor_is_the_group_of_one_we_descend_from_signalled, proc)
{
	host_stops_parent(_metadata, TREE | PIDTRACK_STOP_GROUP);
}

TEST_HARNESS_MAIN
