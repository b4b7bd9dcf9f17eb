/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Processes given to a store outlive their host, with their status: to a real
 * `pidtrack hold`, and to a stand-in for the service manager that follows the
 * documented protocol, see service.h; no service manager runs where this does.
 *
 * The test is what process 1 is to a service: hosts are its children, and what
 * they leave comes to it and is reaped by it.
 */
#include <stddef.h>
#include <sys/time.h>

#include "files.h"
#include "holder.h"
#include "mounts.h"
#include "seccomp.h"
#include "service.h"
#include "tracked.h"

FIXTURE(store)
{
	struct directory directory;
	struct path socket;
	struct service service; /* control is -1: it is a hold */
	pid_t hold;		/* or 0 */
	const char *where;
	struct gate gate;
	struct room room; /* where it has pins, too */
	uint64_t namespaces;
	int max;
};

FIXTURE_SETUP(store)
{
	/* to hold 100, and to move some of a service up */
	const char *wanting = wants_descriptors();

	pidtrack_free(tracker_start(_metadata, 0)); /* that skips */
	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs: Linux < 6.9");
	if (!wanting)
		wanting = wants_proc(); /* to count them */
	if (wanting)
		SKIP(return, "%s", wanting);
	directory_make(_metadata, &self->directory);
	self->socket = path_in(&self->directory, "socket");
	self->service.control = -1;
	self->gate = (struct gate){ -1, -1 };
	self->max = 100;
}

static void end_hold(FIXTURE_DATA(store) * self, int signal)
{
	if (!self->hold)
		return;
	holder_end(self->hold, signal);
	self->hold = 0;
}

FIXTURE_TEARDOWN(store)
{
	end_hold(self, SIGTERM);
	if (self->service.control >= 0)
		service_end(&self->service);
	if (self->gate.host >= 0)
		gate_open(&self->gate);
	room_end(&self->room);
	directory_remove(&self->directory);
}

static void become_nobody(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, syscall(SYS_setgroups, 0, NULL));
	ASSERT_EQ(0, syscall(SYS_setresgid, 65534, 65534, 65534));
	ASSERT_EQ(0, syscall(SYS_setresuid, 65534, 65534, 65534));
}

/* ---- the two of them ---- */

static bool begin_hold(struct __test_metadata *_metadata,
		       FIXTURE_DATA(store) * self)
{
	if (!holder_start(_metadata, self->socket.text, self->max, &self->hold))
		return false;
	self->where = self->socket.text;
	return true;
}

static bool begin_service(struct __test_metadata *_metadata,
			  FIXTURE_DATA(store) * self)
{
	const struct service_options options = { .max = self->max };

	service_start(_metadata, &self->service, self->socket.text, &options);
	self->where = PIDTRACK_STORE_SERVICE;
	return true;
}

/*
 * How many are stored; what was sent to a hold before is done when it answers
 * somebody else, in the order of their coming.
 */
static int stored_count(struct __test_metadata *_metadata,
			FIXTURE_DATA(store) * self)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.store = self->where);
	struct pidtrack *tracker = NULL;

	if (self->service.control >= 0)
		return service_count(_metadata, &self->service);
	EXPECT_EQ(0, pidtrack_new(&options, &tracker));
	pidtrack_free(tracker);
	return holder_count(self->hold);
}

/* Until so many are: what a host sends last may not have been looked at. */
static void await_stored(struct __test_metadata *_metadata,
			 FIXTURE_DATA(store) * self, int n)
{
	int64_t until = now_ms() + awhile_ms();
	int seen;

	while ((seen = stored_count(_metadata, self)) != n && now_ms() < until)
		sched_yield();
	EXPECT_EQ(n, seen);
}

/* A test with each. */
#define TEST_STORE(test)                                            \
	static void test##_works(struct __test_metadata *_metadata, \
				 FIXTURE_DATA(store) * self);       \
	TEST_F(store, test##_with_hold)                             \
	{                                                           \
		if (begin_hold(_metadata, self)) {                  \
			self->gate = gate_make(_metadata);          \
			test##_works(_metadata, self);              \
		}                                                   \
	}                                                           \
	TEST_F(store, test##_with_a_service_manager)                \
	{                                                           \
		if (begin_service(_metadata, self)) {               \
			self->gate = gate_make(_metadata);          \
			test##_works(_metadata, self);              \
		}                                                   \
	}                                                           \
	static void test##_works(struct __test_metadata *_metadata, \
				 FIXTURE_DATA(store) * self)

#define TEST_HOLD(test)                                             \
	static void test##_works(struct __test_metadata *_metadata, \
				 FIXTURE_DATA(store) * self);       \
	TEST_F(store, test)                                         \
	{                                                           \
		if (begin_hold(_metadata, self)) {                  \
			self->gate = gate_make(_metadata);          \
			test##_works(_metadata, self);              \
		}                                                   \
	}                                                           \
	static void test##_works(struct __test_metadata *_metadata, \
				 FIXTURE_DATA(store) * self)

/* ---- lives of a host ---- */

/* Of both sides: a number goes over as one message. */
struct life {
	pid_t pid;
	int talk;
	FIXTURE_DATA(store) * self;
};

static void say(struct __test_metadata *_metadata, const struct life *life,
		int number)
{
	ASSERT_EQ(sizeof(number), write(life->talk, &number, sizeof(number)));
}

static int hear(struct __test_metadata *_metadata, const struct life *life)
{
	int number = 0;

	ASSERT_EQ(sizeof(number), read(life->talk, &number, sizeof(number)));
	return number;
}

static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, SERVICE_MOVED);

	close(fd);
	return moved;
}

/* A host, which runs @run and ends. */
static struct life
live(struct __test_metadata *_metadata, FIXTURE_DATA(store) * self,
     void (*run)(struct __test_metadata *_metadata, struct life *life))
{
	struct life life = { .self = self };
	int talk[2];

	ASSERT_EQ(0,
		  socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, talk));
	life.pid = fork();
	ASSERT_GE(life.pid, 0);
	if (!life.pid) {
		close(talk[0]);
		if (self->gate.host >= 0)
			close(self->gate.host);
		self->gate.shim = move_up(self->gate.shim);
		life.talk = move_up(talk[1]);
		if (self->service.control >= 0) {
			self->service.control = move_up(self->service.control);
			service_begin(_metadata, &self->service);
		}
		run(_metadata, &life);
		_exit(0);
	}
	close(talk[1]);
	life.talk = talk[0];
	return life;
}

static void life_kill(struct __test_metadata *_metadata, struct life *life)
{
	int status = 0;

	ASSERT_EQ(0, kill(life->pid, SIGKILL));
	ASSERT_EQ(life->pid, waitpid(life->pid, &status, 0));
	EXPECT_EQ(SIGKILL, status);
	close(life->talk);
}

static void life_end(struct __test_metadata *_metadata, struct life *life)
{
	int status = -1;

	ASSERT_EQ(life->pid, waitpid(life->pid, &status, 0));
	EXPECT_EQ(0, status);
	close(life->talk);
}

static int tracker_with(const struct life *life, uint32_t flags,
			struct pidtrack **ret_tracker)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = flags, .store = life->self->where);

	if (life->self->room.path[0])
		options.pins = life->self->room.pins;
	*ret_tracker = NULL;
	return pidtrack_new(&options, ret_tracker);
}

static struct pidtrack *tracker_of(struct __test_metadata *_metadata,
				   const struct life *life)
{
	struct pidtrack *tracker;

	ASSERT_EQ(0, tracker_with(life, 0, &tracker));
	return tracker;
}

static int launch(struct pidtrack *tracker, const struct life *life,
		  const char *label, const char *const *argv,
		  struct pidtrack_process **ret_process, uint32_t *reterr_stage)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0,
					   .fd = life->self->gate.shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv,
				       .flags = PIDTRACK_SPAWN_KEEP,
				       .label = label, .payload = "some",
				       .payload_size = 4, .fds = fds,
				       .n_fds = 1,
				       .namespaces = life->self->namespaces);

	return pidtrack_spawn(tracker, &options, ret_process, reterr_stage);
}

static struct pidtrack_process *start(struct __test_metadata *_metadata,
				      struct pidtrack *tracker,
				      const struct life *life,
				      const char *label, int code)
{
	struct pidtrack_process *process = NULL;
	uint32_t stage = 0;
	char text[16];

	snprintf(text, sizeof(text), "%d", code);
	ASSERT_EQ(0, launch(tracker, life, label, SHIM("wait", "exit", text),
			    &process, &stage))
	{
		TH_LOG("at stage %s", pidtrack_stage_name(stage));
	}
	return process;
}

/* One that waits at the gate, and exits with 7. */
static struct pidtrack_process *start_web(struct __test_metadata *_metadata,
					  struct pidtrack *tracker,
					  struct life *life)
{
	struct pidtrack_process *process =
		start(_metadata, tracker, life, "web", 7);

	say(_metadata, life, pidtrack_process_pid(process));
	return process;
}

static void live_with_web(struct __test_metadata *_metadata, struct life *life)
{
	start_web(_metadata, tracker_of(_metadata, life), life);
	for (;;)
		pause();
}

/* A host with "web" is killed: the pid of "web". */
static pid_t kill_host(struct __test_metadata *_metadata,
		       FIXTURE_DATA(store) * self)
{
	struct life life = live(_metadata, self, live_with_web);
	pid_t pid = hear(_metadata, &life);

	life_kill(_metadata, &life);
	return pid;
}

static void reap(struct __test_metadata *_metadata, pid_t pid, int code)
{
	int status = -1;

	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(code << 8, status);
}

/* Recovers exactly one: "web". */
static struct pidtrack_process *recover_web(struct __test_metadata *_metadata,
					    struct pidtrack *tracker,
					    uint32_t verdict)
{
	const struct pidtrack_recovered *recovered = NULL;
	struct pidtrack_recovery *recovery = NULL;
	struct pidtrack_process *process;

	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	ASSERT_EQ(1, pidtrack_recovery_next(recovery, &recovered));
	ASSERT_EQ(0, recovered->error);
	process = recovered->process;
	ASSERT_TRUE(process != NULL);
	EXPECT_STREQ("web", recovered->label);
	EXPECT_STREQ("web", pidtrack_process_label(process));
	if (strcmp("web", recovered->name)) /* as a pin has it */
		EXPECT_EQ(0, strncmp(recovered->name, "pidtrack.", 9));
	EXPECT_STREQ(pidtrack_verdict_name(verdict),
		     pidtrack_verdict_name(recovered->comparison->verdict));
	EXPECT_EQ(PIDTRACK_EVIDENCE_PIN, recovered->comparison->evidence);
	EXPECT_EQ(0, pidtrack_recovery_next(recovery, &recovered));
	pidtrack_recovery_free(recovery);
	return process;
}

static int recover_count(struct __test_metadata *_metadata,
			 struct pidtrack *tracker)
{
	const struct pidtrack_recovered *recovered = NULL;
	struct pidtrack_recovery *recovery = NULL;
	int n = 0;

	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		EXPECT_EQ(0, recovered->error);
		n++;
	}
	pidtrack_recovery_free(recovery);
	return n;
}

/* The end of a process that is not ours: we need not have reaped it. */
#define ASSERT_ENDED(tracker, process, code)                            \
	do {                                                            \
		ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, 0,       \
			    PIDTRACK_SOURCE_UNKNOWN, -1);               \
		ASSERT_NEXT(tracker, process, PIDTRACK_REAPED,          \
			    PIDTRACK_EVENT_LAST, source_without_wait(), \
			    (code) << 8);                               \
	} while (0)

/* ---- what is recovered ---- */

static void find_web_running(struct __test_metadata *_metadata,
			     struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_process *process =
		recover_web(_metadata, tracker, PIDTRACK_VERDICT_SAME);

	EXPECT_EQ(PIDTRACK_STATE_RUNNING, pidtrack_process_state(process));
	ASSERT_NO_EVENT(tracker);
	say(_metadata, life, pidtrack_process_pid(process));
	ASSERT_ENDED(tracker, process, 7);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, recover_count(_metadata, tracker));
	pidtrack_free(tracker);
}

TEST_STORE(a_shim_that_runs_is_the_same_to_the_next_host)
{
	pid_t pid = kill_host(_metadata, self);
	struct life life = live(_metadata, self, find_web_running);

	EXPECT_EQ(pid, hear(_metadata, &life));
	EXPECT_EQ(1, stored_count(_metadata, self));
	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

/* Pins could not be made there. */
TEST_STORE(in_namespaces_of_its_own_it_is_stored_too)
{
	struct life life;
	pid_t pid;

	SKIP_WITHOUT_NAMESPACES(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID);
	if (sandbox_refuses("unshare"))
		SKIP(return, "the sandbox has the library give no mounts");
	self->namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID;
	pid = kill_host(_metadata, self);
	life = live(_metadata, self, find_web_running);
	hear(_metadata, &life);
	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

static void find_web_ended(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_process *process =
		recover_web(_metadata, tracker, PIDTRACK_VERDICT_EXITED);

	ASSERT_ENDED(tracker, process, 7);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST_STORE(one_that_ended_while_there_was_no_host_has_its_status)
{
	pid_t pid = kill_host(_metadata, self);
	struct life life;

	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	EXPECT_EQ(1, stored_count(_metadata, self));
	life = live(_metadata, self, find_web_ended);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

static void find_web_and_be_killed(struct __test_metadata *_metadata,
				   struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_process *process =
		recover_web(_metadata, tracker, PIDTRACK_VERDICT_EXITED);

	ASSERT_ENDED(tracker, process, 7);
	say(_metadata, life, 0);
	for (;;)
		pause();
}

TEST_STORE(what_was_not_acknowledged_is_told_again)
{
	pid_t pid = kill_host(_metadata, self);
	struct life life;
	int i;

	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	for (i = 0; i < 3; i++) {
		life = live(_metadata, self, find_web_and_be_killed);
		hear(_metadata, &life);
		life_kill(_metadata, &life);
		EXPECT_EQ(1, stored_count(_metadata, self));
	}
	life = live(_metadata, self, find_web_ended);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

#define MANY 60

/* Labels of all kinds of bytes. */
static void label_of(int i, char label[64])
{
	snprintf(label, 64, "./b:x %%41\"=\xc3\xa9;%d", i);
}

static void live_with_many(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	char label[64];
	int i;

	for (i = 0; i < MANY; i++) {
		label_of(i, label);
		say(_metadata, life,
		    pidtrack_process_pid(
			    start(_metadata, tracker, life, label, i)));
	}
	for (;;)
		pause();
}

static void find_many(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	const struct pidtrack_recovered *recovered;
	struct pidtrack_recovery *recovery;
	const struct pidtrack_event *event;
	bool seen[MANY] = { false };
	int i, n = 0;

	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		ASSERT_EQ(0, recovered->error);
		n++;
		/* the service manager takes none */
		if (!life->self->hold && !works(PIDTRACK_FEATURE_XATTR))
			continue;
		ASSERT_EQ(4, recovered->payload_size);
		EXPECT_EQ(0, memcmp("some", recovered->payload, 4));
	}
	EXPECT_EQ(MANY, n);
	pidtrack_recovery_free(recovery);
	for (n = 0; n < MANY;) {
		char label[64];

		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		if (!(event->flags & PIDTRACK_EVENT_LAST))
			continue;
		if (event->source != PIDTRACK_SOURCE_UNKNOWN)
			i = event->status >> 8;
		else
			i = n;
		ASSERT_LT(i, MANY);
		label_of(i, label);
		if (event->source != PIDTRACK_SOURCE_UNKNOWN)
			EXPECT_STREQ(label,
				     pidtrack_process_label(event->process));
		EXPECT_FALSE(seen[i]);
		seen[i] = true;
		n++;
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, recover_count(_metadata, tracker));
	pidtrack_free(tracker);
}

TEST_STORE(of_many_each_has_its_own_label_and_status)
{
	struct life life = live(_metadata, self, live_with_many);
	pid_t pids[MANY];
	int i;

	for (i = 0; i < MANY; i++)
		pids[i] = hear(_metadata, &life);
	life_kill(_metadata, &life);
	gate_open(&self->gate);
	for (i = 0; i < MANY; i++)
		reap(_metadata, pids[i], i);
	EXPECT_EQ(MANY, stored_count(_metadata, self));
	life = live(_metadata, self, find_many);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

/* ---- hosts that go on ---- */

static void serve_until_told(struct __test_metadata *_metadata,
			     const struct life *life, struct pidtrack *tracker)
{
	struct pollfd fds[] = { { life->talk, POLLIN, 0 },
				{ pidtrack_fd(tracker), POLLIN, 0 } };

	while (!fds[0].revents) {
		ASSERT_NO_EVENT(tracker);
		ASSERT_GT(poll(fds, 2, -1), 0);
	}
	hear(_metadata, life);
}

static void keep_what_runs(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	const char *const argv[] = { shim_path(), "pause", NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .label = "other");
	struct pidtrack_process *process, *other;
	pid_t pid;

	process = start_web(_metadata, tracker, life);
	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &other, NULL));
	pid = pidtrack_process_pid(other);
	EXPECT_EQ(0, pidtrack_process_keep(other));
	EXPECT_EQ(-EEXIST, pidtrack_process_keep(other));
	EXPECT_EQ(0, recover_count(_metadata, tracker));
	say(_metadata, life, 0);
	hear(_metadata, life);

	/* told, then acknowledged */
	ASSERT_EXITED(tracker, process, 7 << 8);
	say(_metadata, life, 1);
	hear(_metadata, life);
	ASSERT_NO_EVENT(tracker);
	say(_metadata, life, 2);
	hear(_metadata, life);

	/* freed while it runs: let go when it ends */
	pidtrack_process_free(other);
	say(_metadata, life, 3);
	hear(_metadata, life);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	say(_metadata, life, 4);
	serve_until_told(_metadata, life, tracker);
	pidtrack_free(tracker);
}

TEST_STORE(it_is_let_go_when_its_end_was_acknowledged_and_not_before)
{
	struct life life = live(_metadata, self, keep_what_runs);
	static const int stored[] = { 2, 2, 1, 1, 0 };
	int i;

	hear(_metadata, &life);
	for (i = 0; i < ARRAY_SIZE(stored); i++) {
		EXPECT_EQ(i, hear(_metadata, &life));
		if (i == 2 || i == 4)
			await_stored(_metadata, self, stored[i]);
		else
			EXPECT_EQ(stored[i], stored_count(_metadata, self));
		if (i == 0)
			gate_open(&self->gate);
		say(_metadata, &life, 0);
	}
	life_end(_metadata, &life);
}

static void live_with_a_thread(struct __test_metadata *_metadata,
			       struct life *life)
{
	struct pidtrack_process *process;
	struct pidtrack *tracker;

	ASSERT_EQ(0, tracker_with(life, PIDTRACK_THREAD, &tracker));
	process = start_web(_metadata, tracker, life);
	ASSERT_EXITED(tracker, process, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

TEST_STORE(by_a_tracker_with_a_thread_it_is_the_same)
{
	struct life life = live(_metadata, self, live_with_a_thread);

	hear(_metadata, &life);
	EXPECT_EQ(1, stored_count(_metadata, self));
	gate_open(&self->gate);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

/* Looks for what a launch that failed must not leave. */
static void fail(struct __test_metadata *_metadata, struct pidtrack *tracker,
		 const struct life *life, const char *label,
		 const char *const *argv, int error, uint32_t stage)
{
	struct pidtrack_process *process = NULL;
	uint32_t seen = 0;
	int fds = fds_count();

	EXPECT_EQ(error, launch(tracker, life, label, argv, &process, &seen));
	EXPECT_STREQ(pidtrack_stage_name(stage), pidtrack_stage_name(seen));
	/* one that is gone is closed */
	EXPECT_GE(fds, fds_count());
	EXPECT_NULL(process);
}

static void fail_to_execute(struct __test_metadata *_metadata,
			    struct life *life)
{
	static const char *const nothing[] = { "/nonexistent", NULL };
	char label[300];
	struct pidtrack *tracker = tracker_of(_metadata, life);

	fail(_metadata, tracker, life, "web", nothing, -ENOENT,
	     PIDTRACK_STAGE_EXEC);
	memset(label, ':', sizeof(label));
	label[200] = '\0';
	fail(_metadata, tracker, life, label, SHIM("exit", "7"), -ENAMETOOLONG,
	     PIDTRACK_STAGE_KEEP);
	EXPECT_EQ(0, child_is_any());
	pidtrack_free(tracker);
}

TEST_STORE(a_launch_that_fails_leaves_nothing_there)
{
	struct life life = live(_metadata, self, fail_to_execute);

	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

/* ---- hosts killed in the middle ---- */

static void launch_and_stop(struct __test_metadata *_metadata,
			    struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_process *process;
	uint32_t stage;

	EXPECT_EQ(0, launch(tracker, life, "web", SHIM("wait", "exit", "7"),
			    &process, &stage));
}

TEST_STORE(a_shim_whose_host_is_killed_before_it_executes_is_recovered)
{
	struct life life;
	int listener;
	uint64_t id;
	pid_t pid;

	listener = seccomp_stop_exec();
	if (listener < 0)
		SKIP(return,
			   "no listener of seccomp: Linux < 5.5, or valgrind");
	life = live(_metadata, self, launch_and_stop);
	pid = seccomp_stopped(listener, &id);
	ASSERT_GT(pid, 0);
	life_kill(_metadata, &life);
	life = live(_metadata, self, find_web_running);
	EXPECT_EQ(pid, hear(_metadata, &life));
	ASSERT_EQ(0, seccomp_go(listener, id));
	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
	close(listener);
}

static pid_t child_of(pid_t pid)
{
	char path[64];
	int child = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	do {
		file = fopen(path, "re");
		if (!file)
			return -1;
		if (fscanf(file, "%d", &child) != 1)
			sched_yield();
		fclose(file);
	} while (child == 0);
	return child;
}

static pid_t store_pid(const FIXTURE_DATA(store) * self)
{
	return self->hold ? self->hold : self->service.pid;
}

static void launch_when_told(struct __test_metadata *_metadata,
			     struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_process *process;
	uint32_t stage;

	say(_metadata, life, 0);
	hear(_metadata, life);
	EXPECT_EQ(0, launch(tracker, life, "web", SHIM("wait", "exit", "7"),
			    &process, &stage));
}

/* The next host may have looked before it was. */
TEST_STORE(one_that_is_given_after_its_host_was_killed_never_executes)
{
	struct life life;
	pid_t pid;

	/* who takes itself back then is gone before the manager looks */
	if (!self->hold && sandbox_refuses("pipe2"))
		SKIP(return, "the sandbox has nobody wait for a manager");
	life = live(_metadata, self, launch_when_told);
	hear(_metadata, &life);
	ASSERT_EQ(0, kill(store_pid(self), SIGSTOP));
	say(_metadata, &life, 0);
	pid = child_of(life.pid);
	ASSERT_GT(pid, 0);
	life_kill(_metadata, &life);
	ASSERT_EQ(0, kill(store_pid(self), SIGCONT));
	reap(_metadata, pid, 127);
	await_stored(_metadata, self, 0);
}

/* ---- stores that fail ---- */

static void find_it_silent(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);

	say(_metadata, life, 0);
	hear(_metadata, life);
	fail(_metadata, tracker, life, "web", SHIM("exit", "7"), -ETIMEDOUT,
	     PIDTRACK_STAGE_KEEP);
	EXPECT_EQ(0, child_is_any());
	pidtrack_free(tracker);
}

TEST_STORE(one_that_does_not_answer_is_an_error_after_a_while)
{
	struct life life = live(_metadata, self, find_it_silent);

	hear(_metadata, &life);
	ASSERT_EQ(0, kill(store_pid(self), SIGSTOP));
	say(_metadata, &life, 0);
	life_end(_metadata, &life);
	ASSERT_EQ(0, kill(store_pid(self), SIGCONT));
	await_stored(_metadata, self, 0);
}

static void do_nothing(int signal)
{
	(void)signal;
}

static void ask_with_signals(struct __test_metadata *_metadata,
			     struct life *life)
{
	const struct itimerval often = { { 0, 20000 }, { 0, 20000 } };
	const struct sigaction action = { .sa_handler = do_nothing };
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_recovery *recovery;

	say(_metadata, life, 0);
	hear(_metadata, life);
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	EXPECT_EQ(-ETIMEDOUT, pidtrack_recover(tracker, &recovery));
	pidtrack_free(tracker);
}

/* As the runtime of Go sends them to itself. */
TEST_HOLD(it_is_not_waited_for_longer_where_signals_come_all_the_time)
{
	struct life life = live(_metadata, self, ask_with_signals);

	hear(_metadata, &life);
	ASSERT_EQ(0, kill(store_pid(self), SIGSTOP));
	say(_metadata, &life, 0);
	life_end(_metadata, &life);
	ASSERT_EQ(0, kill(store_pid(self), SIGCONT));
}

#define STUCK 40 /* messages: more than it has room for unread */

static void find_it_stuck(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	const struct pidtrack_event *event;
	char label[16];
	int i;

	for (i = 0; i < STUCK; i++) {
		snprintf(label, sizeof(label), "%d", i);
		start(_metadata, tracker, life, label, 7);
	}
	say(_metadata, life, 0);
	hear(_metadata, life);
	for (i = 0; i < STUCK; i += !!(event->flags & PIDTRACK_EVENT_LAST))
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* Whoever loses its patience with each of them has none left here. */
TEST_F(store, one_that_is_stuck_is_waited_for_once)
{
	struct life life;

	if (!begin_service(_metadata, self))
		return;
	self->gate = gate_make(_metadata);
	life = live(_metadata, self, find_it_stuck);
	hear(_metadata, &life);
	ASSERT_EQ(0, kill(store_pid(self), SIGSTOP));
	gate_open(&self->gate);
	say(_metadata, &life, 0);
	life_end(_metadata, &life);
	ASSERT_EQ(0, kill(store_pid(self), SIGCONT));
}

static void find_it_full(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_process *process = start_web(_metadata, tracker, life);

	fail(_metadata, tracker, life, "db", SHIM("exit", "7"), -ENOSPC,
	     PIDTRACK_STAGE_KEEP);
	hear(_metadata, life);
	ASSERT_EXITED(tracker, process, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	/* there is room again */
	process = start(_metadata, tracker, life, "db", 3);
	ASSERT_EXITED(tracker, process, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, child_is_any());
	pidtrack_free(tracker);
}

TEST_F(store, a_hold_that_is_full_says_so)
{
	struct life life;

	self->max = 1;
	if (!begin_hold(_metadata, self))
		return;
	self->gate = gate_make(_metadata);
	life = live(_metadata, self, find_it_full);
	hear(_metadata, &life);
	gate_open(&self->gate);
	say(_metadata, &life, 0);
	life_end(_metadata, &life);
	EXPECT_EQ(0, stored_count(_metadata, self));
}

static void use_a_label_twice(struct __test_metadata *_metadata,
			      struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_process *process = start_web(_metadata, tracker, life);

	fail(_metadata, tracker, life, "web", SHIM("exit", "7"), -EEXIST,
	     PIDTRACK_STAGE_KEEP);
	EXPECT_EQ(-EEXIST, pidtrack_process_keep(process));
	say(_metadata, life, 0);
	ASSERT_EXITED(tracker, process, 7 << 8);
	pidtrack_free(tracker);
}

/* Whatever a host with "web" does: that one stays there until it ends. */
static void
keep_web(struct __test_metadata *_metadata, FIXTURE_DATA(store) * self,
	 void (*run)(struct __test_metadata *_metadata, struct life *life))
{
	struct life life = live(_metadata, self, run);

	hear(_metadata, &life);
	hear(_metadata, &life);
	EXPECT_EQ(1, stored_count(_metadata, self));
	gate_open(&self->gate);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

TEST_HOLD(a_label_is_kept_once)
{
	keep_web(_metadata, self, use_a_label_twice);
}

/* One that has no child has nothing to let go there. */
static void launch_none_beside_web(struct __test_metadata *_metadata,
				   struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_process *web = start_web(_metadata, tracker, life);
	struct pidtrack_process *none = NULL;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "7"),
				       .flags = PIDTRACK_SPAWN_KEEP |
						PIDTRACK_SPAWN_UID,
				       .label = "web", .uid = geteuid());

	ASSERT_EQ(0, seccomp_refuse(SYS_prctl, EPERM));
	EXPECT_EQ(-EPERM, pidtrack_spawn(tracker, &options, &none, NULL));
	EXPECT_NULL(none);
	say(_metadata, life, 0);
	ASSERT_EXITED(tracker, web, 7 << 8);
	pidtrack_free(tracker);
}

TEST_HOLD(a_launch_that_fails_at_once_takes_nobody_from_it)
{
	keep_web(_metadata, self, launch_none_beside_web);
}

static void lose_it(struct __test_metadata *_metadata, struct life *life,
		    bool free_web)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_recovery *recovery = NULL;
	struct pidtrack_process *process;

	process = start_web(_metadata, tracker, life);
	if (free_web)
		pidtrack_process_free(process);
	hear(_metadata, life);

	/* it is gone */
	fail(_metadata, tracker, life, "db", SHIM("exit", "7"), -ECONNREFUSED,
	     PIDTRACK_STAGE_KEEP);
	EXPECT_EQ(-ECONNREFUSED, pidtrack_recover(tracker, &recovery));
	EXPECT_NULL(recovery);
	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "3"));
	ASSERT_EXITED(tracker, process, 3 << 8);
	ASSERT_NO_EVENT(tracker);
	say(_metadata, life, 0);
	hear(_metadata, life);

	/* another is there */
	start(_metadata, tracker, life, "db", 5);
	say(_metadata, life, 0);
	for (;;)
		pause();
}

static void lose_the_store(struct __test_metadata *_metadata, struct life *life)
{
	lose_it(_metadata, life, false);
}

static void lose_the_store_and_web(struct __test_metadata *_metadata,
				   struct life *life)
{
	/* so that the payload goes by the store alone */
	ASSERT_EQ(0, seccomp_refuse(SYS_fsetxattr, EPERM));
	lose_it(_metadata, life, true);
}

static void find_two(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	const struct pidtrack_recovered *recovered = NULL;
	struct pidtrack_recovery *recovery = NULL;
	const struct pidtrack_event *event;
	int ends = 0, sum = 0, n = 0;

	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	for (; pidtrack_recovery_next(recovery, &recovered) > 0; n++) {
		EXPECT_EQ(0, recovered->error);
		ASSERT_EQ(4, recovered->payload_size);
		EXPECT_EQ(0, memcmp("some", recovered->payload, 4));
	}
	pidtrack_recovery_free(recovery);
	EXPECT_EQ(2, n);
	while (ends < 2) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		if (!(event->flags & PIDTRACK_EVENT_LAST))
			continue;
		if (event->source != PIDTRACK_SOURCE_UNKNOWN)
			sum += event->status >> 8;
		ends++;
	}
	if (works(PIDTRACK_FEATURE_EXIT_INFO))
		EXPECT_EQ(7 + 5, sum);
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

static void reap_two(struct __test_metadata *_metadata)
{
	int i;

	for (i = 0; i < 2; i++)
		EXPECT_GT(waitpid(-1, NULL, 0), 0);
}

static void
begin_anew(struct __test_metadata *_metadata, FIXTURE_DATA(store) * self,
	   void (*host)(struct __test_metadata *_metadata, struct life *life))
{
	struct life life = live(_metadata, self, host);

	hear(_metadata, &life);
	end_hold(self, SIGKILL);
	say(_metadata, &life, 0);
	hear(_metadata, &life);
	if (!begin_hold(_metadata, self))
		return;
	say(_metadata, &life, 0);
	hear(_metadata, &life);
	EXPECT_EQ(2, stored_count(_metadata, self));
	life_kill(_metadata, &life);

	life = live(_metadata, self, find_two);
	gate_open(&self->gate);
	/* the hold is a child, too, and lives */
	reap_two(_metadata);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

TEST_HOLD(where_it_was_begun_anew_it_is_given_all_again)
{
	begin_anew(_metadata, self, lose_the_store);
}

TEST_HOLD(also_whom_its_host_has_freed_with_his_payload)
{
	begin_anew(_metadata, self, lose_the_store_and_web);
}

/* Of two that are kept the store takes one again, and a third is refused. */
static struct pidtrack *lose_room(struct __test_metadata *_metadata,
				  struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);

	start_web(_metadata, tracker, life);
	start(_metadata, tracker, life, "db", 5);
	say(_metadata, life, 0);
	hear(_metadata, life);
	fail(_metadata, tracker, life, "log", SHIM("exit", "7"), -ENOSPC,
	     PIDTRACK_STAGE_KEEP);
	say(_metadata, life, 0);
	return tracker;
}

static void await_last_of(struct __test_metadata *_metadata,
			  struct pidtrack *tracker, int n)
{
	const struct pidtrack_event *event;

	while (n > 0) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		n -= event->flags & PIDTRACK_EVENT_LAST ? 1 : 0;
	}
	ASSERT_NO_EVENT(tracker);
}

/* Nobody more is launched before all who were there are there again. */
static void lose_it_twice(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = lose_room(_metadata, life);

	hear(_metadata, life);
	start(_metadata, tracker, life, "log", 6);
	say(_metadata, life, 0);
	await_last_of(_metadata, tracker, 3);
	pidtrack_free(tracker);
}

/* A hold of one, once the host has two. */
static bool begin_without_room(struct __test_metadata *_metadata,
			       FIXTURE_DATA(store) * self,
			       const struct life *life)
{
	hear(_metadata, life); /* web */
	hear(_metadata, life); /* and db */
	end_hold(self, SIGKILL);
	self->max = 1;
	if (!begin_hold(_metadata, self))
		return false;
	say(_metadata, life, 0);
	hear(_metadata, life);
	return true;
}

TEST_HOLD(where_it_has_no_room_any_more_it_is_given_all_the_next_time)
{
	struct life life = live(_metadata, self, lose_it_twice);
	const int max = self->max;

	if (!begin_without_room(_metadata, self, &life))
		return;
	end_hold(self, SIGKILL);
	self->max = max;
	if (!begin_hold(_metadata, self))
		return;
	say(_metadata, &life, 0);
	hear(_metadata, &life);
	EXPECT_EQ(3, stored_count(_metadata, self));
	gate_open(&self->gate);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

/* Of two it has the first, and then nobody. */
static void lose_half(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = lose_room(_metadata, life);

	await_last_of(_metadata, tracker, 2);
	say(_metadata, life, 0);
	hear(_metadata, life);
	pidtrack_free(tracker);
}

TEST_HOLD(of_whom_it_has_all_the_same_each_is_let_go)
{
	struct life life = live(_metadata, self, lose_half);

	if (!begin_without_room(_metadata, self, &life))
		return;
	EXPECT_EQ(1, stored_count(_metadata, self));
	gate_open(&self->gate);
	hear(_metadata, &life);
	await_stored(_metadata, self, 0);
	say(_metadata, &life, 0);
	life_end(_metadata, &life);
}

static void hand_over(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	const char *heir = getenv("PIDTRACK_TEST_HEIR");
	char number[16];
	int fd;

	start_web(_metadata, tracker, life);
	hear(_metadata, life);
	setenv("PIDTRACK_TEST_STORE", life->self->where, 1);
	ASSERT_EQ(0, pidtrack_handoff_prepare(tracker, &fd));
	snprintf(number, sizeof(number), "%d", fd);
	dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
	execl(heir, "heir", number, "recover", NULL);
	ASSERT_TRUE(false);
}

TEST_HOLD(where_that_was_before_a_handoff_the_heir_gives_all_again)
{
	struct life life;

	if (sandbox_refuses("lseek") || sandbox_refuses("poll"))
		SKIP(return, "the sandbox has the heir read or await nothing");
	life = live(_metadata, self, hand_over);
	hear(_metadata, &life);
	end_hold(self, SIGKILL);
	if (!begin_hold(_metadata, self))
		return;
	say(_metadata, &life, 0);
	await_stored(_metadata, self, 1);
	gate_open(&self->gate);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

static void keep_two(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);

	start_web(_metadata, tracker, life);
	hear(_metadata, life);
	start(_metadata, tracker, life, "db", 5);
	say(_metadata, life, 0);
	for (;;)
		pause();
}

TEST_HOLD(one_that_is_executed_anew_meanwhile_loses_nothing)
{
	struct life life = live(_metadata, self, keep_two);

	hear(_metadata, &life);
	ASSERT_EQ(0, kill(self->hold, SIGHUP));
	say(_metadata, &life, 0);
	hear(_metadata, &life);
	life_kill(_metadata, &life);
	ASSERT_EQ(0, kill(self->hold, SIGHUP));
	EXPECT_EQ(2, stored_count(_metadata, self));

	life = live(_metadata, self, find_two);
	gate_open(&self->gate);
	reap_two(_metadata);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

static void become_another(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker;
	int fds = fds_count();

	become_nobody(_metadata);
	EXPECT_EQ(-EACCES, tracker_with(life, 0, &tracker));
	say(_metadata, life, 0);
	hear(_metadata, life);
	EXPECT_EQ(-EPERM, tracker_with(life, 0, &tracker));
	EXPECT_EQ(fds, fds_count());
}

TEST_HOLD(another_user_is_refused)
{
	struct life life;

	if (geteuid() != 0)
		SKIP(return, "no other user to become: not root");
	life = live(_metadata, self, become_another);
	hear(_metadata, &life);
	ASSERT_EQ(0, chmod(self->socket.text, 0666));
	say(_metadata, &life, 0);
	life_end(_metadata, &life);
}

/* ---- pins, too ---- */

TEST_HOLD(what_is_both_pinned_and_stored_is_recovered_once)
{
	struct life life;
	pid_t pid;

	if (pidtrack_feature_probe(PIDTRACK_FEATURE_PIN) < 0)
		SKIP(return, "no pins here");
	if (!room_make(_metadata, &self->room))
		return;
	pid = kill_host(_metadata, self);
	EXPECT_EQ(3, mounts_at(self->room.path));
	EXPECT_EQ(1, stored_count(_metadata, self));
	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	life = live(_metadata, self, find_web_ended);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
	EXPECT_EQ(1, mounts_at(self->room.path));
}

/* ---- payloads ---- */

static void live_with_another_payload(struct __test_metadata *_metadata,
				      struct life *life)
{
	struct pidtrack *tracker;
	struct pidtrack_process *process;

	/* so that it goes by the store alone */
	ASSERT_EQ(0, seccomp_refuse(SYS_fsetxattr, EPERM));
	tracker = tracker_of(_metadata, life);
	process = start(_metadata, tracker, life, "web", 7);
	EXPECT_EQ(0, pidtrack_process_set_payload(process, "x\0\n%", 4));
	say(_metadata, life, pidtrack_process_pid(process));
	for (;;)
		pause();
}

static void find_another_payload(struct __test_metadata *_metadata,
				 struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	const struct pidtrack_recovered *recovered;
	struct pidtrack_recovery *recovery;

	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	ASSERT_EQ(1, pidtrack_recovery_next(recovery, &recovered));
	ASSERT_EQ(4, recovered->payload_size);
	EXPECT_EQ(0, memcmp("x\0\n%", recovered->payload, 4));
	ASSERT_ENDED(tracker, recovered->process, 7);
	pidtrack_recovery_free(recovery);
	pidtrack_free(tracker);
}

TEST_HOLD(a_payload_goes_along_as_it_is_in_the_end)
{
	struct life life = live(_metadata, self, live_with_another_payload);
	pid_t pid = hear(_metadata, &life);

	life_kill(_metadata, &life);
	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	life = live(_metadata, self, find_another_payload);
	life_end(_metadata, &life);
}

/* Where no process carries its own. */
TEST_HOLD(of_one_that_is_pinned_too_the_payload_is_not_lost)
{
	struct life life;
	pid_t pid;

	if (pidtrack_feature_probe(PIDTRACK_FEATURE_PIN) < 0)
		SKIP(return, "no pins here");
	if (!room_make(_metadata, &self->room))
		return;
	life = live(_metadata, self, live_with_another_payload);
	pid = hear(_metadata, &life);
	life_kill(_metadata, &life);
	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	life = live(_metadata, self, find_another_payload);
	life_end(_metadata, &life);
	EXPECT_EQ(1, mounts_at(self->room.path));
}

static uint64_t own_inode(struct __test_metadata *_metadata)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct stat file;

	ASSERT_EQ(0, fstat(pidfd, &file));
	close(pidfd);
	return file.st_ino;
}

/* Stores the process that calls it, as @inode, not by the library. */
static void store_by_hand(struct __test_metadata *_metadata,
			  FIXTURE_DATA(store) * self, uint64_t inode,
			  const char *payload)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	static struct service_message answer;
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	char text[256];
	int fd, n;

	memcpy(name.sun_path, self->socket.text, strlen(self->socket.text));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&name, sizeof(name)));
	n = snprintf(text, sizeof(text),
		     "TAG=1\nFDSTORE=1\nFDNAME=pidtrack.%llu.web\nPAYLOAD=%s",
		     (unsigned long long)inode, payload);
	ASSERT_EQ(n, service_send(fd, text, (size_t)n, &pidfd, 1));
	ASSERT_GT(service_receive(fd, &answer), 0);
	EXPECT_STREQ("TAG=1\nERRNO=0\n", answer.text);
	close(fd);
	close(pidfd);
}

static void find_parent(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_process *process =
		recover_web(_metadata, tracker, PIDTRACK_VERDICT_SAME);
	size_t size = 1;

	EXPECT_EQ(getppid(), pidtrack_process_pid(process));
	EXPECT_NULL(pidtrack_process_payload(process, &size));
	EXPECT_EQ(0, size);
	pidtrack_free(tracker);
}

TEST_HOLD(a_payload_that_cannot_be_read_is_none_and_hides_nobody)
{
	struct life life;

	store_by_hand(_metadata, self, own_inode(_metadata), "50%");
	life = live(_metadata, self, find_parent);
	life_end(_metadata, &life);
}

static void find_another(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	const struct pidtrack_recovered *recovered = NULL;
	struct pidtrack_recovery *recovery = NULL;

	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	ASSERT_EQ(1, pidtrack_recovery_next(recovery, &recovered));
	EXPECT_EQ(-ESTALE, recovered->error);
	EXPECT_NULL(recovered->process);
	EXPECT_STREQ("another process has its name",
		     recovered->comparison->reason);
	pidtrack_recovery_free(recovery);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	pidtrack_free(tracker);
}

TEST_HOLD(another_process_of_the_name_is_not_taken_for_the_one)
{
	struct life life;

	store_by_hand(_metadata, self, own_inode(_metadata) + 1, "");
	life = live(_metadata, self, find_another);
	life_end(_metadata, &life);
}

/* ---- a store that does not keep to the protocol ---- */

static uint32_t chance(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Some answer to @asked, more or less right. */
static size_t answer_badly(uint32_t *seed, const char *asked, char text[512],
			   bool *ret_waited_for)
{
	static const char *const words[] = {
		"ERRNO=0\n",
		"NEXT=0\n",
		"NEXT=7\n",
		"ERRNO=17\n",
		"ERRNO=99999999999999999999\n",
		"ERRNO=\n",
		"\n",
		"FDNAME=pidtrack.5.x\n",
		"FDNAME=pidtrack.5.%\n",
		"FDNAME=pidtrack..\n",
		"FDNAME=\n",
		"PAYLOAD=%4\n",
		"PAYLOAD=%00\n",
		"\0\n",
		"\xff",
		"TAG=1\n",
	};
	const char *tag = strstr(asked, "TAG=");
	size_t n = 0;
	uint32_t parts = chance(seed) % 6;

	/* mostly, or the other side hears the end instead */
	*ret_waited_for = tag && chance(seed) % 8;
	if (*ret_waited_for)
		n = (size_t)snprintf(text, 64, "TAG=%llu\n",
				     strtoull(tag + 4, NULL, 10));
	if (chance(seed) % 4)
		n += (size_t)sprintf(text + n, "ERRNO=0\n");
	if (chance(seed) % 4)
		n += (size_t)sprintf(text + n, "NEXT=0\n");
	while (parts-- > 0)
		n += (size_t)sprintf(text + n, "%s",
				     words[chance(seed) % ARRAY_SIZE(words)]);
	return n;
}

/* There is always more of the list, from where it was asked for. */
static size_t answer_endlessly(uint32_t *seed, const char *asked,
			       char text[512], bool *ret_waited_for)
{
	(void)seed;
	*ret_waited_for = true;
	return (size_t)snprintf(text, 64, "TAG=%llu\nERRNO=0\nNEXT=7\n",
				strtoull(strstr(asked, "TAG=") + 4, NULL, 10));
}

typedef size_t (*answer)(uint32_t *seed, const char *asked, char text[512],
			 bool *ret_waited_for);

/* Serves one host, then the next; greets well, ends with @control. */
static void serve_badly(int listener, int control, uint32_t seed, answer answer)
{
	static struct service_message message;
	char text[512];
	int peer = -1;

	for (;;) {
		struct pollfd fds[] = { { listener, POLLIN, 0 },
					{ control, POLLIN, 0 },
					{ peer, POLLIN, 0 } };
		int given[3] = { 0, listener, control };
		bool waited_for;
		size_t n;

		poll(fds, ARRAY_SIZE(fds), -1);
		if (fds[1].revents)
			_exit(0);
		if (fds[0].revents) {
			close(peer);
			peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			continue;
		}
		if (service_receive(peer, &message) <= 0) {
			close(peer);
			peer = -1;
			continue;
		}
		while (message.n_fds > 0)
			close(message.fds[--message.n_fds]);
		if (!strstr(message.text, "TAG="))
			continue;
		n = answer(&seed, message.text, text, &waited_for);
		if (!strncmp(message.text, "HELLO", 5))
			n = (size_t)sprintf(text, "TAG=%s\nERRNO=0\n",
					    strstr(message.text, "TAG=") + 4);
		if (n > 0)
			service_send(peer, text, n, given,
				     (int)(chance(&seed) % 4));
		if (n == 0 || !waited_for)
			shutdown(peer, SHUT_RDWR);
	}
}

static void meet_bad_answers(struct __test_metadata *_metadata,
			     struct life *life)
{
	struct pidtrack_recovery *recovery;
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	/* where the end of a ring is not told, each is waited for */
	const bool slow = sandbox_refuses("epoll_create1") ||
			  sandbox_refuses("epoll_pwait");
	int i, fds = 0, r;
	uint32_t stage;

	for (i = 0; i < (slow ? 40 : 400); i++) {
		r = tracker_with(life, 0, &tracker);
		if (r < 0)
			continue;
		r = launch(tracker, life, "web", SHIM("exit", "7"), &process,
			   &stage);
		if (r < 0) {
			if (stage != PIDTRACK_STAGE_KEEP)
				EXPECT_EQ(0, r);
			EXPECT_EQ(0, child_is_any());
		} else {
			ASSERT_EXITED(tracker, process, 7 << 8);
		}
		recovery = NULL;
		r = pidtrack_recover(tracker, &recovery);
		EXPECT_EQ(r < 0, recovery == NULL);
		pidtrack_recovery_free(recovery);
		pidtrack_free(tracker);
		if (i == 0)
			fds = fds_count();
		EXPECT_EQ(fds, fds_count());
	}
}

static void meet_no_end(struct __test_metadata *_metadata, struct life *life)
{
	struct pidtrack *tracker = tracker_of(_metadata, life);
	struct pidtrack_recovery *recovery = NULL;

	EXPECT_EQ(-EBADMSG, pidtrack_recover(tracker, &recovery));
	EXPECT_NULL(recovery);
	pidtrack_free(tracker);
}

static void meet_badly(struct __test_metadata *_metadata,
		       FIXTURE_DATA(store) * self, answer answer,
		       void (*run)(struct __test_metadata *_metadata,
				   struct life *life))
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	uint32_t seed = (uint32_t)now_ms();
	int listener, control[2];
	struct life life;
	pid_t pid;

	memcpy(name.sun_path, self->socket.text, strlen(self->socket.text));
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&name, sizeof(name)));
	ASSERT_EQ(0, listen(listener, 5));
	ASSERT_EQ(0, pipe2(control, O_CLOEXEC));
	TH_LOG("seed %u", seed);
	pid = fork();
	if (!pid) {
		close(control[1]);
		serve_badly(listener, control[0], seed, answer);
	}
	close(listener);
	close(control[0]);
	self->where = self->socket.text;
	self->gate = gate_make(_metadata);
	life = live(_metadata, self, run);
	life_end(_metadata, &life);
	close(control[1]);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F(store, bad_answers_are_errors_and_lose_no_descriptor)
{
	meet_badly(_metadata, self, answer_badly, meet_bad_answers);
}

TEST_F(store, a_list_that_comes_to_no_end_is_an_error)
{
	meet_badly(_metadata, self, answer_endlessly, meet_no_end);
}

/* Listens as somebody else, and greets everybody. */
static void serve_as_another(struct __test_metadata *_metadata, int listener,
			     int ready)
{
	static struct service_message message;
	char text[64];

	become_nobody(_metadata);
	ASSERT_EQ(0, listen(listener, 5));
	ASSERT_EQ(1, write(ready, "", 1));
	for (;;) {
		int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		while (service_receive(peer, &message) > 0) {
			const char *tag = strstr(message.text, "TAG=");
			int n = snprintf(text, sizeof(text), "%s\nERRNO=0\n",
					 tag ? tag : "");

			service_send(peer, text, (size_t)n, NULL, 0);
		}
		close(peer);
	}
}

/* What that gave us for our own could be anybody. */
TEST_F(store, a_hold_of_another_user_is_not_trusted)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = 0, .store = self->socket.text);
	struct pidtrack *tracker = NULL;
	int listener, ready[2], status;
	char byte;
	pid_t pid;

	if (geteuid() != 0)
		SKIP(return, "no other user to become: not root");
	memcpy(name.sun_path, self->socket.text, strlen(self->socket.text));
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&name, sizeof(name)));
	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	pid = fork();
	if (!pid)
		serve_as_another(_metadata, listener, ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(-EPERM, pidtrack_new(&options, &tracker));
	pidtrack_free(tracker);
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	close(listener);
	close(ready[0]);
	close(ready[1]);
}

/* ---- the service manager's protocol ---- */

static int new_tracker(const char *store)
{
	struct pidtrack_options options = PIDTRACK_OPTIONS(.store = store);
	struct pidtrack *tracker = NULL;
	int r = pidtrack_new(&options, &tracker);

	pidtrack_free(tracker);
	return r;
}

TEST_F(store, without_a_service_manager_it_is_said)
{
	char long_name[200];

	unsetenv("NOTIFY_SOCKET");
	EXPECT_EQ(-ENOTCONN, new_tracker(PIDTRACK_STORE_SERVICE));
	setenv("NOTIFY_SOCKET", "", 1);
	EXPECT_EQ(-ENOTCONN, new_tracker(PIDTRACK_STORE_SERVICE));
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	EXPECT_EQ(-EOPNOTSUPP, new_tracker(PIDTRACK_STORE_SERVICE));
	setenv("NOTIFY_SOCKET", self->socket.text, 1);
	EXPECT_EQ(-ENOENT, new_tracker(PIDTRACK_STORE_SERVICE));
	memset(long_name, '/', sizeof(long_name));
	long_name[199] = '\0';
	setenv("NOTIFY_SOCKET", long_name, 1);
	EXPECT_EQ(-ENAMETOOLONG, new_tracker(PIDTRACK_STORE_SERVICE));
	unsetenv("NOTIFY_SOCKET");
}

TEST_F(store, without_a_hold_it_is_said)
{
	char long_name[5000];
	int fd;

	EXPECT_EQ(-ENOENT, new_tracker(self->socket.text));
	EXPECT_EQ(-ENOENT, new_tracker(""));
	fd = open(self->socket.text, O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	EXPECT_EQ(-ECONNREFUSED, new_tracker(self->socket.text));
	memset(long_name, 'x', sizeof(long_name));
	long_name[120] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, new_tracker(long_name));
}

TEST_F(store, a_service_has_its_manager_at_an_abstract_address_too)
{
	const struct service_options options = { .max = 100 };
	struct life life;
	char address[64];
	pid_t pid;

	snprintf(address, sizeof(address), "@pidtrack-test-%d", getpid());
	service_start(_metadata, &self->service, address, &options);
	self->where = PIDTRACK_STORE_SERVICE;
	self->gate = gate_make(_metadata);
	pid = kill_host(_metadata, self);
	life = live(_metadata, self, find_web_running);
	hear(_metadata, &life);
	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

/* Whether a message may be sent in the name of our parent; else errno says. */
static bool may_speak_for_another(struct __test_metadata *_metadata)
{
	_Alignas(struct cmsghdr) char
		control[CMSG_SPACE(sizeof(struct ucred))] = { 0 };
	const struct ucred parent = { getppid(), getuid(), getgid() };
	struct iovec part = { (char *)"-", 1 };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *as = CMSG_FIRSTHDR(&header);
	int pair[2], error;
	ssize_t n;

	as->cmsg_level = SOL_SOCKET;
	as->cmsg_type = SCM_CREDENTIALS;
	as->cmsg_len = CMSG_LEN(sizeof(parent));
	memcpy(CMSG_DATA(as), &parent, sizeof(parent));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
	n = sendmsg(pair[0], &header, 0);
	error = errno;
	close(pair[0]);
	close(pair[1]);
	errno = error;
	return n == 1;
}

/*
 * NotifyAccess=main will do for who may speak for his children.  For who may
 * not it has to be "all": nothing tells him whether he was heard.
 */
TEST_F(store, a_shim_is_given_in_the_name_of_its_host)
{
	const struct service_options options = { .max = 100,
						 .main_alone = true };
	struct life life;
	pid_t pid;

	if (!may_speak_for_another(_metadata))
		SKIP(return, "nobody may speak for another here: %s",
			   strerror(errno));
	if (sandbox_refuses("getuid") || sandbox_refuses("getgid"))
		SKIP(return,
			   "the sandbox has the library not know whose it is");
	service_start(_metadata, &self->service, self->socket.text, &options);
	self->where = PIDTRACK_STORE_SERVICE;
	self->gate = gate_make(_metadata);
	life = live(_metadata, self, live_with_web);
	pid = hear(_metadata, &life);
	EXPECT_EQ(1, stored_count(_metadata, self));
	EXPECT_EQ(life.pid, service_sender(_metadata, &self->service));
	life_kill(_metadata, &life);
	life = live(_metadata, self, find_web_running);
	hear(_metadata, &life);
	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

static void live_as_nobody(struct __test_metadata *_metadata, struct life *life)
{
	const struct pidtrack_fd_map fds[] = {
		{ .child_fd = 0, .fd = life->self->gate.shim }
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "exit", "7"),
				       .flags = PIDTRACK_SPAWN_KEEP |
						PIDTRACK_SPAWN_PROGRAM_FD,
				       .label = "web", .fds = fds, .n_fds = 1);
	struct pidtrack_process *process = NULL;
	struct pidtrack *tracker;

	options.program_fd = open(shim_path(), O_PATH | O_CLOEXEC);
	become_nobody(_metadata);
	tracker = tracker_of(_metadata, life);
	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	say(_metadata, life, pidtrack_process_pid(process));
	for (;;)
		pause();
}

static void find_as_nobody(struct __test_metadata *_metadata, struct life *life)
{
	const struct pidtrack_recovered *recovered = NULL;
	struct pidtrack_recovery *recovery = NULL;
	struct pidtrack *tracker;

	become_nobody(_metadata);
	tracker = tracker_of(_metadata, life);
	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	ASSERT_EQ(1, pidtrack_recovery_next(recovery, &recovered));
	EXPECT_STREQ("web", recovered->label);
	ASSERT_EQ(0, recovered->error);
	ASSERT_ENDED(tracker, recovered->process, 7);
	pidtrack_recovery_free(recovery);
	pidtrack_free(tracker);
}

TEST_F(store, who_may_not_speak_for_others_needs_no_capability_either)
{
	struct life life;
	pid_t pid;

	if (geteuid() != 0)
		SKIP(return, "no other user to become: not root");
	begin_service(_metadata, self);
	self->gate = gate_make(_metadata);
	life = live(_metadata, self, live_as_nobody);
	pid = hear(_metadata, &life);
	EXPECT_EQ(1, stored_count(_metadata, self));
	EXPECT_EQ(pid, service_sender(_metadata, &self->service));
	life_kill(_metadata, &life);
	gate_open(&self->gate);
	reap(_metadata, pid, 7);
	life = live(_metadata, self, find_as_nobody);
	life_end(_metadata, &life);
	await_stored(_metadata, self, 0);
}

/* In place of what the service manager gave. */
static void give(const char *names, int n, pid_t pid)
{
	char number[32];

	snprintf(number, sizeof(number), "%d", n);
	setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof(number), "%d", pid);
	setenv("LISTEN_PID", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

static void find_what_is_none_of_ours(struct __test_metadata *_metadata,
				      struct life *life)
{
	const struct pidtrack_recovered *recovered = NULL;
	struct pidtrack_recovery *recovery = NULL;
	struct pidtrack *tracker;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), i;
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	null = move_up(null);
	pidfd = move_up(pidfd);
	for (i = 3; i < 8; i++)
		ASSERT_EQ(i, dup2(i % 2 ? null : pidfd, i));
	tracker = tracker_of(_metadata, life);

	/* another's, and rubbish */
	give("pidtrack.1.a:pidtrack.2.b", 5, getpid() + 1);
	EXPECT_EQ(0, recover_count(_metadata, tracker));
	give("pidtrack.1.a:pidtrack.2.b", -5, getpid());
	EXPECT_EQ(0, recover_count(_metadata, tracker));
	setenv("LISTEN_FDS", "99999999999999999999999", 1);
	EXPECT_EQ(0, recover_count(_metadata, tracker));

	/* sockets of the host, a number that is something else now */
	give("http:https:stored:pidtrack.1.a:pidtrack.2.b", 5, getpid());
	EXPECT_EQ(0, recover_count(_metadata, tracker));
	for (i = 3; i < 8; i++)
		EXPECT_EQ(0, fcntl(i, F_GETFD));

	/* a name that is not made of a label */
	give("http:pidtrack.1:pidtrack.x.a:pidtrack.1.", 5, getpid());
	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	for (i = 0; pidtrack_recovery_next(recovery, &recovered) > 0; i++) {
		EXPECT_NULL(recovered->process);
		EXPECT_EQ(-EBADMSG, recovered->error);
		EXPECT_EQ(PIDTRACK_VERDICT_UNPROVEN,
			  recovered->comparison->verdict);
	}
	EXPECT_EQ(3, i);
	pidtrack_recovery_free(recovery);
	pidtrack_free(tracker);
	for (i = 3; i < 8; i++)
		EXPECT_GE(fcntl(i, F_GETFD), 0);
}

TEST_F(store, of_what_a_service_was_given_the_rest_is_left_alone)
{
	struct life life;

	begin_service(_metadata, self);
	self->gate = gate_make(_metadata);
	life = live(_metadata, self, find_what_is_none_of_ours);
	life_end(_metadata, &life);
}

TEST_HARNESS_MAIN
