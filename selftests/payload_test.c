/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The bytes of the host's that stay with a process: where they come from, who
 * has them then, and what is no payload.
 */
#include <pthread.h>

#include "files.h"
#include "verified.h"

FIXTURE(payload)
{
	struct pidtrack *tracker;
	struct gate gate;
	struct directory directory;
	struct path path;
	struct pidtrack_process *process;
	char bytes[1025];
};

FIXTURE_SETUP(payload)
{
	size_t i;

	self->tracker = tracker_start(_metadata, 0);
	self->gate = gate_make(_metadata);
	directory_make(_metadata, &self->directory);
	self->path = path_in(&self->directory, "record");
	for (i = 0; i < sizeof(self->bytes); i++)
		self->bytes[i] = (char)(i + i / 256);
}

FIXTURE_TEARDOWN(payload)
{
	gate_open(&self->gate);
	if (self->process)
		ASSERT_EXITED(self->tracker, self->process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	self->tracker = pidtrack_free(self->tracker);
	directory_remove(&self->directory);
}

static int launch_with(FIXTURE_DATA(payload) * self, const char *record,
		       const void *payload, uint32_t size)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0,
					   .fd = self->gate.shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "exit", "7"),
				       .fds = fds, .n_fds = 1, .record = record,
				       .payload = payload,
				       .payload_size = size);

	return pidtrack_spawn(self->tracker, &options, &self->process, NULL);
}

static int record_with(struct pidtrack_process *process, const char *path,
		       const void *payload, uint32_t size)
{
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = path, .payload = payload,
					.payload_size = size);

	return pidtrack_process_record(process, &options);
}

#define EXPECT_BYTES(bytes_, size_, seen_, n_)                \
	do {                                                  \
		ASSERT_EQ((size_t)(size_), n_);               \
		ASSERT_TRUE((seen_) != NULL);                 \
		EXPECT_EQ(0, memcmp(bytes_, seen_, (size_))); \
	} while (0)

#define EXPECT_PAYLOAD(bytes, size, process)                         \
	do {                                                         \
		size_t seen_n_ = 9999;                               \
		const void *seen_b_ =                                \
			pidtrack_process_payload(process, &seen_n_); \
                                                                     \
		EXPECT_BYTES(bytes, size, seen_b_, seen_n_);         \
	} while (0)

#define EXPECT_NO_PAYLOAD(process)                                        \
	do {                                                              \
		size_t none_n_ = 9999;                                    \
                                                                          \
		EXPECT_NULL(pidtrack_process_payload(process, &none_n_)); \
		EXPECT_EQ(0, none_n_);                                    \
	} while (0)

/* ---- from a launch ---- */

TEST_F(payload, a_launch_without_one_has_none)
{
	ASSERT_EQ(0, launch_with(self, NULL, NULL, 0));
	EXPECT_NO_PAYLOAD(self->process);
}

TEST_F(payload, it_stays_with_the_process_without_a_record_too)
{
	char bytes[] = "a\0b\n";

	ASSERT_EQ(0, launch_with(self, NULL, bytes, sizeof(bytes)));
	memset(bytes, 'x', sizeof(bytes)); /* it was copied */
	EXPECT_PAYLOAD("a\0b\n", sizeof(bytes), self->process);
	EXPECT_STREQ("", directory_list(&self->directory));
}

TEST_F(payload, with_a_record_it_is_in_both)
{
	struct pidtrack_record *record;
	const void *bytes;
	size_t size;

	ASSERT_EQ(0, launch_with(self, self->path.text, self->bytes, 1024));
	EXPECT_PAYLOAD(self->bytes, 1024, self->process);
	record = record_at(_metadata, self->path.text);
	bytes = pidtrack_record_payload(record, &size);
	EXPECT_BYTES(self->bytes, 1024, bytes, size);
	pidtrack_record_free(record);
}

TEST_F(payload, what_is_none_is_refused_before_anything_runs)
{
	EXPECT_EQ(-EINVAL, launch_with(self, NULL, self->bytes, 1025));
	EXPECT_EQ(-EINVAL, launch_with(self, NULL, self->bytes, UINT32_MAX));
	EXPECT_EQ(-EINVAL, launch_with(self, NULL, NULL, 1));
	EXPECT_NULL(self->process);
	EXPECT_EQ(0, tracker_statistics(self->tracker).tracked);
}

/* ---- set ---- */

TEST_F(payload, it_is_set_replaced_and_removed)
{
	char bytes[] = "\0two";

	ASSERT_EQ(0, launch_with(self, NULL, "one", 3));
	ASSERT_EQ(0, pidtrack_process_set_payload(self->process, bytes, 4));
	memset(bytes, 'x', sizeof(bytes));
	EXPECT_PAYLOAD("\0two", 4, self->process);
	ASSERT_EQ(0, pidtrack_process_set_payload(self->process, self->bytes,
						  1024));
	EXPECT_PAYLOAD(self->bytes, 1024, self->process);
	ASSERT_EQ(0, pidtrack_process_set_payload(self->process, NULL, 0));
	EXPECT_NO_PAYLOAD(self->process);
	ASSERT_EQ(0, pidtrack_process_set_payload(self->process, "", 0));
	EXPECT_NO_PAYLOAD(self->process);
}

/* Copied before what is lent is given up. */
TEST_F(payload, it_may_be_set_to_a_part_of_itself)
{
	const char *lent;
	size_t size;

	ASSERT_EQ(0, launch_with(self, NULL, self->bytes, 1024));
	lent = pidtrack_process_payload(self->process, &size);
	ASSERT_EQ(0, pidtrack_process_set_payload(self->process, lent + 24,
						  size - 24));
	EXPECT_PAYLOAD(self->bytes + 24, 1000, self->process);
}

TEST_F(payload, when_it_cannot_be_set_the_one_before_stays)
{
	ASSERT_EQ(0, launch_with(self, NULL, "one", 3));
	EXPECT_EQ(-EINVAL, pidtrack_process_set_payload(self->process,
							self->bytes, 1025));
	EXPECT_EQ(-EINVAL, pidtrack_process_set_payload(self->process,
							self->bytes, SIZE_MAX));
	EXPECT_EQ(-EINVAL,
		  pidtrack_process_set_payload(self->process, NULL, 1));
	EXPECT_PAYLOAD("one", 3, self->process);
}

TEST_F(payload, it_is_there_until_the_process_is_freed)
{
	ASSERT_EQ(0, launch_with(self, NULL, "one", 3));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, self->process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	EXPECT_PAYLOAD("one", 3, self->process);
	ASSERT_EQ(0, pidtrack_process_set_payload(self->process, "two", 3));
	EXPECT_PAYLOAD("two", 3, self->process);
	self->process = pidtrack_process_free(self->process);
}

TEST_F(payload, the_next_process_in_its_place_has_none)
{
	ASSERT_EQ(0, launch_with(self, NULL, "one", 3));
	gate_open(&self->gate);
	ASSERT_EXITED(self->tracker, self->process, 7 << 8);
	self->process = pidtrack_process_free(self->process);
	self->gate = gate_make(_metadata);
	ASSERT_EQ(0, launch_with(self, NULL, NULL, 0));
	EXPECT_NO_PAYLOAD(self->process);
}

/* ---- through records ---- */

TEST_F_WANTS(payload, a_record_that_is_written_has_it, boot_id)
{
	struct pidtrack_record *record;
	const void *bytes;
	size_t size;

	ASSERT_EQ(0, launch_with(self, NULL, "a\0b", 4));
	ASSERT_EQ(0, record_with(self->process, self->path.text, NULL, 0));
	record = record_at(_metadata, self->path.text);
	bytes = pidtrack_record_payload(record, &size);
	EXPECT_BYTES("a\0b", 4, bytes, size);
	pidtrack_record_free(record);
}

TEST_F_WANTS(payload, one_given_for_the_record_is_in_that_alone, boot_id)
{
	struct pidtrack_record *record;
	const void *bytes;
	size_t size;

	ASSERT_EQ(0, launch_with(self, NULL, "one", 3));
	ASSERT_EQ(0, record_with(self->process, self->path.text, "other", 5));
	record = record_at(_metadata, self->path.text);
	bytes = pidtrack_record_payload(record, &size);
	EXPECT_BYTES("other", 5, bytes, size);
	pidtrack_record_free(record);
	EXPECT_PAYLOAD("one", 3, self->process);
}

TEST_F_WANTS(payload, attached_from_its_record_a_process_has_it_again, numbers)
{
	struct pidtrack_process *again = NULL;
	struct pidtrack_record *record;

	ASSERT_EQ(0, launch_with(self, self->path.text, self->bytes, 1024));
	record = record_at(_metadata, self->path.text);
	ASSERT_EQ(0, pidtrack_attach_record(self->tracker, record,
					    PIDTRACK_ATTACH_OBSERVE, &again,
					    NULL, 0));
	pidtrack_record_free(record);
	EXPECT_PAYLOAD(self->bytes, 1024, again);
	ASSERT_EQ(0, pidtrack_process_set_payload(again, "new", 3));
	EXPECT_PAYLOAD("new", 3, again);
	EXPECT_PAYLOAD(self->bytes, 1024, self->process);
	pidtrack_process_free(again);
}

TEST_F_WANTS(payload, a_record_without_one_gives_none, numbers)
{
	struct pidtrack_process *again = NULL;
	struct pidtrack_record *record;

	ASSERT_EQ(0, launch_with(self, self->path.text, NULL, 0));
	record = record_at(_metadata, self->path.text);
	ASSERT_EQ(0, pidtrack_attach_record(self->tracker, record,
					    PIDTRACK_ATTACH_OBSERVE, &again,
					    NULL, 0));
	pidtrack_record_free(record);
	EXPECT_NO_PAYLOAD(again);
	pidtrack_process_free(again);
}

/* ---- whose call it is ---- */

static void *set_from_elsewhere(void *process)
{
	return (void *)(intptr_t)pidtrack_process_set_payload(process, "two",
							      3);
}

TEST_F(payload, another_thread_reads_it_and_does_not_set_it)
{
	pthread_t thread;
	void *r;

	ASSERT_EQ(0, launch_with(self, NULL, "one", 3));
	ASSERT_EQ(0, pthread_create(&thread, NULL, set_from_elsewhere,
				    self->process));
	ASSERT_EQ(0, pthread_join(thread, &r));
	EXPECT_EQ(-EBUSY, (int)(intptr_t)r);
	EXPECT_PAYLOAD("one", 3, self->process);
}

TEST_F(payload, a_copy_of_fork_does_not_set_it)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, launch_with(self, NULL, "one", 3));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		EXPECT_EQ(-ECHILD, pidtrack_process_set_payload(self->process,
								"two", 3));
		EXPECT_PAYLOAD("one", 3, self->process);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_PAYLOAD("one", 3, self->process);
}

TEST(with_a_thread_of_the_trackers_any_sets_it)
{
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process =
		shim_start_at(_metadata, tracker, &gate, 7);
	pthread_t thread;
	void *r;

	ASSERT_EQ(0,
		  pthread_create(&thread, NULL, set_from_elsewhere, process));
	ASSERT_EQ(0, pthread_join(thread, &r));
	EXPECT_EQ(0, (int)(intptr_t)r);
	EXPECT_PAYLOAD("two", 3, process);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
