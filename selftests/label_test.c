/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Label and payload as a process carries them itself: who finds them, how long
 * they last, and that nothing fails where they are refused.
 */
#include <sys/stat.h>
#include <sys/xattr.h>

#include "files.h"
#include "verified.h"

#define NOBODY 65534
#define LABEL "trusted.pidtrack.label"
#define PAYLOAD "trusted.pidtrack.payload"

FIXTURE(label)
{
	struct pidtrack *tracker;
	struct gate gate;
	char bytes[1025];
};

FIXTURE_SETUP(label)
{
	size_t i;

	if (pidtrack_feature_probe(PIDTRACK_FEATURE_XATTR)) {
		self->gate = (struct gate){ -1, -1 };
		SKIP(return, "no attributes of processes: Linux < 6.17, or "
			     "not root");
	}
	self->tracker = tracker_start(_metadata, 0);
	self->gate = gate_make(_metadata);
	for (i = 0; i < sizeof(self->bytes); i++)
		self->bytes[i] = (char)(i + i / 256);
}

FIXTURE_TEARDOWN(label)
{
	if (self->gate.host >= 0)
		gate_open(&self->gate);
	self->tracker = pidtrack_free(self->tracker);
}

static struct pidtrack_process *
launch_at(struct __test_metadata *_metadata, struct pidtrack *tracker,
	  const struct gate *gate, int out, const char *const *argv,
	  const char *label, const void *payload, uint32_t size)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = gate->shim },
					 { .child_fd = 1, .fd = out } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .fds = fds, .n_fds = 2,
				       .label = label, .payload = payload,
				       .payload_size = size);
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	return process;
}

#define LAUNCH(self, label, payload, size)                                     \
	launch_at(_metadata, (self)->tracker, &(self)->gate, PIDTRACK_FD_NULL, \
		  SHIM("wait", "exit", "7"), label, payload, size)

/* Ends it, and with it all that wait at the gate. */
static void finish(struct __test_metadata *_metadata,
		   FIXTURE_DATA(label) * self, struct pidtrack_process *process)
{
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
}

static uint64_t inode_of(const struct pidtrack_process *process)
{
	struct stat st = { 0 };

	fstat(pidtrack_process_pidfd(process), &st);
	return st.st_ino;
}

/* What a process attached anew by @pid and @inode has. */
static void expect_by_pid(struct __test_metadata *_metadata,
			  struct pidtrack *tracker, pid_t pid, uint64_t inode,
			  const char *label, const void *payload, size_t size)
{
	struct pidtrack_process *process = NULL;
	const void *bytes;
	size_t n;

	ASSERT_EQ(0, pidtrack_attach(tracker, pid, inode,
				     PIDTRACK_ATTACH_OBSERVE, &process));
	if (label)
		EXPECT_STREQ(label, pidtrack_process_label(process));
	else
		EXPECT_NULL(pidtrack_process_label(process));
	bytes = pidtrack_process_payload(process, &n);
	EXPECT_EQ(size, n);
	if (size > 0 && n == size)
		EXPECT_EQ(0, memcmp(payload, bytes, size));
	pidtrack_process_free(process);
}

#define EXPECT_CARRIED(self, process, label, payload, size) \
	expect_by_pid(_metadata, (self)->tracker,           \
		      pidtrack_process_pid(process), 0, label, payload, size)

/* ---- who finds them ---- */

TEST_F(label, whoever_attaches_it_finds_what_it_was_launched_with)
{
	struct pidtrack_process *process =
		LAUNCH(self, "web 1", self->bytes, 1024);
	struct pidtrack_process *again = NULL;
	size_t size;

	EXPECT_CARRIED(self, process, "web 1", self->bytes, 1024);
	expect_by_pid(_metadata, self->tracker, pidtrack_process_pid(process),
		      inode_of(process), "web 1", self->bytes, 1024);
	ASSERT_EQ(0, pidtrack_attach_pidfd(self->tracker,
					   pidtrack_process_pidfd(process),
					   PIDTRACK_ATTACH_OBSERVE, &again));
	EXPECT_STREQ("web 1", pidtrack_process_label(again));
	pidtrack_process_payload(again, &size);
	EXPECT_EQ(1024, size);
	pidtrack_process_free(again);
	finish(_metadata, self, process);
}

TEST_F(label, without_a_label_it_carries_nothing)
{
	struct pidtrack_process *process = LAUNCH(self, NULL, "one", 3);
	char byte;

	EXPECT_CARRIED(self, process, NULL, NULL, 0);
	EXPECT_LE(fgetxattr(pidtrack_process_pidfd(process), PAYLOAD, &byte, 0),
		  0);
	finish(_metadata, self, process);
}

TEST_F(label, the_longest_is_found)
{
	struct pidtrack_process *process;
	char label[256];

	memset(label, '\xff', 255);
	label[255] = '\0';
	process = LAUNCH(self, label, NULL, 0);
	EXPECT_CARRIED(self, process, label, NULL, 0);
	finish(_metadata, self, process);
}

/* A record of it alone says no label. */
TEST_F_WANTS(label, a_record_that_has_none_leaves_it_to_the_process, boot_id)
{
	struct pidtrack_process *process = LAUNCH(self, "web 1", "one", 3);
	struct pidtrack_record *record = record_of(_metadata, process);
	struct pidtrack_process *again = NULL;
	size_t size;

	ASSERT_EQ(0, pidtrack_attach_record(self->tracker, record,
					    PIDTRACK_ATTACH_OBSERVE, &again,
					    NULL, 0));
	pidtrack_record_free(record);
	EXPECT_STREQ("web 1", pidtrack_process_label(again));
	EXPECT_EQ(0, memcmp("one", pidtrack_process_payload(again, &size), 3));
	EXPECT_EQ(3, size);
	pidtrack_process_free(again);
	finish(_metadata, self, process);
}

TEST_F_WANTS(label, what_its_record_says_goes_first, boot_id)
{
	struct pidtrack_process *process, *again = NULL;
	const char *path = path_make(_metadata);
	struct pidtrack_record *record;
	size_t size;

	process = shim_start_recorded(_metadata, self->tracker, &self->gate,
				      path);
	record = record_at(_metadata, path);
	unlink(path);
	ASSERT_EQ(0, fsetxattr(pidtrack_process_pidfd(process), LABEL, "other",
			       5, 0));
	ASSERT_EQ(0, fsetxattr(pidtrack_process_pidfd(process), PAYLOAD, "x", 1,
			       0));
	ASSERT_EQ(0, pidtrack_attach_record(self->tracker, record,
					    PIDTRACK_ATTACH_OBSERVE, &again,
					    NULL, 0));
	pidtrack_record_free(record);
	EXPECT_STREQ("web 1", pidtrack_process_label(again));
	EXPECT_EQ(0, memcmp("\0 x", pidtrack_process_payload(again, &size), 3));
	EXPECT_EQ(3, size);
	pidtrack_process_free(again);
	finish(_metadata, self, process);
}

/* ---- how long they last ---- */

static void host(struct __test_metadata *_metadata, const struct gate *gate,
		 int out)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process =
		launch_at(_metadata, tracker, gate, PIDTRACK_FD_NULL,
			  SHIM("wait", "exit", "7"), "web 1", "one", 3);
	pid_t pid = pidtrack_process_pid(process);

	ASSERT_EQ(sizeof(pid), write(out, &pid, sizeof(pid)));
	raise(SIGKILL);
}

TEST_F(label, they_outlive_the_host)
{
	struct pidtrack_process *process = NULL;
	pid_t pid, shim;
	int fds[2], status;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		host(_metadata, &self->gate, fds[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(SIGKILL, WTERMSIG(status));
	ASSERT_EQ(sizeof(shim), read(fds[0], &shim, sizeof(shim)));
	close(fds[0]);
	close(fds[1]);

	expect_by_pid(_metadata, self->tracker, shim, 0, "web 1", "one", 3);
	ASSERT_EQ(0, pidtrack_attach(self->tracker, shim, 0, 0, &process));
	expect_by_pid(_metadata, self->tracker, shim, inode_of(process),
		      "web 1", "one", 3);
	finish(_metadata, self, process);
}

TEST_F(label, they_survive_an_exec)
{
	struct pidtrack_process *process;
	struct gate gate;
	char said[8] = "";
	int fds[2];

	gate = gate_make(_metadata);
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	process = launch_at(_metadata, self->tracker, &gate, fds[1],
			    (const char *const[]){
				    "/bin/sh", "-c",
				    "read x; exec \"$0\" write y wait exit 7",
				    shim_path(), NULL },
			    "web 1", "one", 3);
	close(fds[1]);
	ASSERT_EQ(1, write(gate.host, "\n", 1));
	ASSERT_LT(0, read(fds[0], said, sizeof(said)));
	EXPECT_EQ('y', said[0]);
	EXPECT_CARRIED(self, process, "web 1", "one", 3);
	gate_open(&gate);
	close(fds[0]);
	finish(_metadata, self, process);
}

TEST_F(label, no_child_inherits_them)
{
	struct pidtrack_process *process;
	char said[32] = "";
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	process = launch_at(_metadata, self->tracker, &self->gate, fds[1],
			    SHIM("fork-orphan", "wait", "exit", "7"), "web 1",
			    "one", 3);
	close(fds[1]);
	ASSERT_LT(0, read(fds[0], said, sizeof(said) - 1));
	close(fds[0]);
	expect_by_pid(_metadata, self->tracker, atoi(said), 0, NULL, NULL, 0);
	finish(_metadata, self, process);
	ASSERT_EQ(atoi(said), waitpid(atoi(said), NULL, 0));
}

TEST_F(label, a_zombie_still_has_them)
{
	struct pidtrack_process *process = LAUNCH(self, "web 1", "one", 3);

	gate_open(&self->gate);
	process_await_exit(process);
	EXPECT_CARRIED(self, process, "web 1", "one", 3);
	finish(_metadata, self, process);
}

/* ---- set anew ---- */

TEST_F(label, it_carries_the_payload_that_was_set_last)
{
	struct pidtrack_process *process = LAUNCH(self, "web 1", "one", 3);

	ASSERT_EQ(0, pidtrack_process_set_payload(process, self->bytes, 1024));
	EXPECT_CARRIED(self, process, "web 1", self->bytes, 1024);
	ASSERT_EQ(0, pidtrack_process_set_payload(process, "\0", 1));
	EXPECT_CARRIED(self, process, "web 1", "\0", 1);
	ASSERT_EQ(0, pidtrack_process_set_payload(process, NULL, 0));
	EXPECT_CARRIED(self, process, "web 1", NULL, 0);
	finish(_metadata, self, process);
}

/* ---- what others have put there ---- */

TEST_F(label, what_could_be_none_is_not_there)
{
	struct pidtrack_process *process = LAUNCH(self, "web 1", "one", 3);
	int pidfd = pidtrack_process_pidfd(process);
	char label[256];
	size_t i;
	static const struct {
		const char *bytes;
		size_t size;
	} labels[] = { { "", 0 }, { "a\n", 2 }, { "a\0b", 3 }, { "a", 2 } };

	for (i = 0; i < ARRAY_SIZE(labels); i++) {
		ASSERT_EQ(0, fsetxattr(pidfd, LABEL, labels[i].bytes,
				       labels[i].size, 0));
		EXPECT_CARRIED(self, process, NULL, NULL, 0);
	}
	memset(label, 'x', sizeof(label));
	ASSERT_EQ(0, fsetxattr(pidfd, LABEL, label, 256, 0));
	EXPECT_CARRIED(self, process, NULL, NULL, 0);
	ASSERT_EQ(0, fsetxattr(pidfd, LABEL, "web", 3, 0));
	ASSERT_EQ(0, fsetxattr(pidfd, PAYLOAD, self->bytes, 1025, 0));
	EXPECT_CARRIED(self, process, "web", NULL, 0);
	finish(_metadata, self, process);
}

/* ---- what it costs, and where it is refused ---- */

static uint64_t launch_cost(struct __test_metadata *_metadata,
			    FIXTURE_DATA(label) * self, const char *label,
			    uint32_t size)
{
	uint64_t before = tracker_statistics(self->tracker).syscalls, after;
	struct pidtrack_process *process = launch_at(
		_metadata, self->tracker, &self->gate, PIDTRACK_FD_NULL,
		(const char *const[]){ "/bin/sh", "-c", "read x; exit 7",
				       NULL },
		label, "one", size);

	after = tracker_statistics(self->tracker).syscalls;
	if (label)
		EXPECT_STREQ(label, pidtrack_process_label(process));
	return after - before;
}

static void finish_all(struct __test_metadata *_metadata,
		       FIXTURE_DATA(label) * self, int n)
{
	const struct pidtrack_event *event;

	gate_open(&self->gate);
	while (n-- > 0)
		ASSERT_EQ(1, pidtrack_wait(self->tracker, awhile_ms(), &event));
	ASSERT_NO_EVENT(self->tracker);
}

TEST_F(label, a_label_costs_a_launch_one_system_call_and_a_payload_another)
{
	uint64_t none;

	launch_cost(_metadata, self, NULL, 0); /* what is done once */
	none = launch_cost(_metadata, self, NULL, 0);
	TH_LOG("%llu without", (unsigned long long)none);
	EXPECT_EQ(none + 1, launch_cost(_metadata, self, "web", 0));
	EXPECT_EQ(none + 2, launch_cost(_metadata, self, "web", 3));
	finish_all(_metadata, self, 4);
}

TEST_F(label, without_the_right_nothing_fails_and_it_is_tried_once)
{
	struct pidtrack_process *process = NULL;
	uint64_t none;
	pid_t pid;

	pid = pidtrack_process_pid(LAUNCH(self, "web 1", "one", 3));
	self->tracker = pidtrack_free(self->tracker);
	ASSERT_EQ(0, seteuid(NOBODY));
	self->tracker = tracker_start(_metadata, 0);
	launch_cost(_metadata, self, NULL, 0);
	none = launch_cost(_metadata, self, NULL, 0);
	EXPECT_EQ(none + 1, launch_cost(_metadata, self, "web", 3));
	EXPECT_EQ(none, launch_cost(_metadata, self, "web", 3));

	/* and others' are not to be seen */
	expect_by_pid(_metadata, self->tracker, pid, 0, NULL, NULL, 0);
	ASSERT_EQ(0, pidtrack_attach(self->tracker, pid, 0, 0, &process));
	EXPECT_EQ(0, pidtrack_process_set_payload(process, "two", 3));
	EXPECT_EQ(0, pidtrack_process_set_payload(process, NULL, 0));
	finish_all(_metadata, self, 5);
	ASSERT_EQ(0, seteuid(0));
}

TEST_HARNESS_MAIN
