/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a host does by mistake, and is answered as is documented: structs of a
 * later header, flags that nobody knows, what is freed twice or used after
 * that.  Other threads and children of fork() are those of owner_test.c.
 */
#include "files.h"
#include "service.h"
#include "tracked.h"

/* ---- structs of a later header ---- */

/* A struct of options, as it will have grown. */
union later {
	struct pidtrack_options tracker;
	struct pidtrack_spawn_options spawn;
	struct pidtrack_stop_options stop;
	struct pidtrack_record_options record;
	uint32_t size;
	unsigned char bytes[512];
};

/* With what each of them takes, and none asks for anything. */
struct misuse {
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	union later options;
	size_t size; /* of the struct we know */
	size_t flags;
	int (*call)(struct misuse *misuse);
};

static int call_new(struct misuse *misuse)
{
	struct pidtrack *tracker = NULL;
	int r = pidtrack_new(&misuse->options.tracker, &tracker);

	pidtrack_free(tracker);
	return r;
}

static int call_spawn(struct misuse *misuse)
{
	struct pidtrack_process *process = NULL;
	int r = pidtrack_spawn(misuse->tracker, &misuse->options.spawn,
			       &process, NULL);

	if (process) {
		process_await_exit(process);
		pidtrack_process_free(process);
	}
	return r;
}

/* By no signal. */
static int call_stop(struct misuse *misuse)
{
	return pidtrack_process_stop(misuse->process, &misuse->options.stop);
}

static int call_record(struct misuse *misuse)
{
	return pidtrack_process_record(misuse->process,
				       &misuse->options.record);
}

/* Every byte that we do not know, and every flag. */
static void check_misuse(struct __test_metadata *_metadata,
			 struct misuse *misuse)
{
	union later *options = &misuse->options;
	uint32_t *flags = (uint32_t *)(options->bytes + misuse->flags);
	int i, fds;

	options->size = (uint32_t)misuse->size;
	EXPECT_EQ(0, misuse->call(misuse));
	ASSERT_NO_EVENT(misuse->tracker); /* closes what was freed */
	fds = fds_count(); /* with one of the first ladder, to stay */
	options->size = sizeof(*options);
	EXPECT_EQ(0, misuse->call(misuse));
	for (i = (int)misuse->size; i < (int)sizeof(*options); i++) {
		options->bytes[i] = 1;
		EXPECT_EQ(-E2BIG, misuse->call(misuse));
		options->bytes[i] = 0;
	}
	options->size = 7;
	EXPECT_EQ(-EINVAL, misuse->call(misuse));
	options->size = 0;
	EXPECT_EQ(-EINVAL, misuse->call(misuse));
	options->size = (uint32_t)misuse->size;
	for (i = 20; i < 32; i++) {
		*flags = UINT32_C(1) << i;
		EXPECT_EQ(-EINVAL, misuse->call(misuse));
	}
	*flags = 0;
	EXPECT_EQ(0, misuse->call(misuse));
	ASSERT_NO_EVENT(misuse->tracker);
	EXPECT_EQ(fds, fds_count());
}

FIXTURE(misuse)
{
	struct directory directory;
	struct gate gate;
	struct misuse misuse;
	struct path path; /* of a record */
};

FIXTURE_SETUP(misuse)
{
	self->misuse.tracker = tracker_start(_metadata, 0);
	directory_make(_metadata, &self->directory);
	self->path = path_in(&self->directory, "record");
	self->gate = gate_make(_metadata);
	self->misuse.process =
		shim_start_at(_metadata, self->misuse.tracker, &self->gate, 3);
}

FIXTURE_TEARDOWN(misuse)
{
	gate_open(&self->gate);
	ASSERT_EXITED(self->misuse.tracker, self->misuse.process, 3 << 8);
	pidtrack_free(self->misuse.tracker);
	directory_remove(&self->directory);
}

TEST_F(misuse, options_of_a_later_tracker_are_refused)
{
	struct misuse *misuse = &self->misuse;

	misuse->call = call_new;
	misuse->size = sizeof(struct pidtrack_options);
	misuse->flags = offsetof(struct pidtrack_options, flags);
	check_misuse(_metadata, misuse);
}

TEST_F(misuse, those_of_a_later_launch_are_refused)
{
	struct misuse *misuse = &self->misuse;

	misuse->call = call_spawn;
	misuse->size = sizeof(struct pidtrack_spawn_options);
	misuse->flags = offsetof(struct pidtrack_spawn_options, flags);
	misuse->options.spawn.argv = SHIM("exit", "0");
	check_misuse(_metadata, misuse);
}

TEST_F(misuse, those_of_a_later_stop_are_refused)
{
	static const struct pidtrack_stop_step none = { .time_ms = 3600000 };
	struct misuse *misuse = &self->misuse;

	misuse->call = call_stop;
	misuse->size = sizeof(struct pidtrack_stop_options);
	misuse->flags = offsetof(struct pidtrack_stop_options, flags);
	misuse->options.stop.steps = &none;
	misuse->options.stop.n_steps = 1;
	check_misuse(_metadata, misuse);
}

TEST_F_WANTS(misuse, those_of_a_later_record_are_refused, boot_id)
{
	struct misuse *misuse = &self->misuse;

	misuse->call = call_record;
	misuse->size = sizeof(struct pidtrack_record_options);
	misuse->flags = offsetof(struct pidtrack_record_options, flags);
	misuse->options.record.path = self->path.text;
	check_misuse(_metadata, misuse);
}

TEST_F(misuse, flags_of_a_later_call_are_refused)
{
	struct pidtrack *tracker = self->misuse.tracker;
	struct pidtrack_process *process = self->misuse.process, *none = NULL;
	struct pidtrack_registry *registry = NULL;
	struct pidtrack_record *record = NULL;
	char text[PIDTRACK_FINGERPRINT_MAX];
	int i;

	ASSERT_GT(pidtrack_process_fingerprint(process, text, sizeof(text)), 0);
	ASSERT_EQ(0, pidtrack_record_parse(text, strlen(text), &record));
	for (i = 10; i < 32; i++) {
		uint32_t flag = UINT32_C(1) << i;

		EXPECT_EQ(-EINVAL,
			  pidtrack_attach(tracker, getppid(), 0, flag, &none));
		EXPECT_EQ(-EINVAL,
			  pidtrack_attach_pidfd(tracker,
						pidtrack_process_pidfd(process),
						flag, &none));
		EXPECT_EQ(-EINVAL, pidtrack_attach_record(tracker, record, flag,
							  &none, NULL, 0));
		EXPECT_EQ(-EINVAL, pidtrack_process_notify(process, flag));
		EXPECT_EQ(-EINVAL,
			  pidtrack_registry_open("/tmp", flag, &registry));
	}
	EXPECT_EQ(-ERANGE, pidtrack_feature_probe(1000));
	EXPECT_NULL(none);
	EXPECT_NULL(registry);
	pidtrack_record_free(record);
}

TEST_F_WANTS(misuse, what_a_later_host_is_given_has_zeros_where_we_know_nothing,
	     boot_id)
{
	struct {
		union {
			struct pidtrack_statistics statistics;
			struct pidtrack_comparison comparison;
		};
		unsigned char later[64];
	} given;
	static const unsigned char zeros[64];
	char text[PIDTRACK_FINGERPRINT_MAX];

	memset(&given, 0xff, sizeof(given));
	EXPECT_EQ(0, pidtrack_statistics(self->misuse.tracker,
					 &given.statistics, sizeof(given)));
	EXPECT_EQ(1, given.statistics.tracked);
	EXPECT_EQ(0, memcmp(given.later, zeros, sizeof(zeros)));
	ASSERT_GT(pidtrack_process_fingerprint(self->misuse.process, text,
					       sizeof(text)),
		  0);
	memset(&given, 0xff, sizeof(given));
	EXPECT_EQ(0,
		  pidtrack_process_compare(self->misuse.process, text,
					   &given.comparison, sizeof(given)));
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, given.comparison.verdict);
	EXPECT_EQ(0, memcmp(given.later, zeros, sizeof(zeros)));
}

/* ---- a process that was freed ---- */

static void check_refused(struct __test_metadata *_metadata,
			  struct pidtrack_process *process)
{
	struct pidtrack_record_options record =
		PIDTRACK_RECORD_OPTIONS(.path = "/tmp/nobodys.record");
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct pidtrack_comparison comparison;
	int status;

	EXPECT_NULL(pidtrack_process_free(process));
	EXPECT_EQ(-EINVAL, pidtrack_process_state(process));
	EXPECT_EQ(-EINVAL, pidtrack_process_status(process, &status));
	EXPECT_EQ(-EINVAL, pidtrack_process_signal(process, SIGKILL));
	EXPECT_EQ(-EINVAL, pidtrack_process_stop(process, NULL));
	EXPECT_EQ(-EINVAL,
		  pidtrack_process_notify(process, 1 << PIDTRACK_STOPPED));
	EXPECT_EQ(-EINVAL, pidtrack_process_set_payload(process, "x", 1));
	EXPECT_EQ(-EINVAL,
		  pidtrack_process_fingerprint(process, text, sizeof(text)));
	EXPECT_EQ(-EINVAL, pidtrack_process_compare(process, "x", &comparison,
						    sizeof(comparison)));
	EXPECT_EQ(-EINVAL, pidtrack_process_record(process, &record));
	EXPECT_EQ(-EINVAL, pidtrack_process_keep(process));
}

/* The next two are two, each with an end of its own. */
static void check_next_two(struct __test_metadata *_metadata,
			   struct pidtrack *tracker)
{
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *one, *two;
	const struct pidtrack_event *event;
	int i;

	one = shim_start_at(_metadata, tracker, &gate, 1);
	two = shim_start_at(_metadata, tracker, &gate, 2);
	ASSERT_NE((void *)one, (void *)two);
	EXPECT_EQ(2, tracker_statistics(tracker).tracked);
	gate_open(&gate);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		ASSERT_EVENT(event, event->process, PIDTRACK_EXITED,
			     PIDTRACK_EVENT_LAST, PIDTRACK_SOURCE_WAITED,
			     (event->process == one ? 1 : 2) << 8);
		pidtrack_process_free(event->process);
	}
	ASSERT_NO_EVENT(tracker);
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	EXPECT_FALSE(child_is_any());
}

static void check_freed_twice(struct __test_metadata *_metadata, uint32_t flags)
{
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	struct gate gate;

#ifdef PT_CHECKED
	SKIP(return, "it would end the test: -Dchecked=true");
#endif
	tracker = tracker_start(_metadata, flags);

	/* told, and acknowledged by that */
	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "0"));
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_process_free(process);
	check_refused(_metadata, process);
	check_next_two(_metadata, tracker);

	/* ended, and not told */
	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "0"));
	process_await_exit(process);
	pidtrack_process_free(process);
	check_refused(_metadata, process);
	while (child_is_any())
		ASSERT_NO_EVENT(tracker);
	check_next_two(_metadata, tracker);

	/* it runs on, and is not signalled */
	gate = gate_make(_metadata);
	process = shim_start_at(_metadata, tracker, &gate, 0);
	pidtrack_process_free(process);
	check_refused(_metadata, process);
	ASSERT_NO_EVENT(tracker);
	EXPECT_TRUE(child_is_any());
	EXPECT_EQ(0, tracker_statistics(tracker).tracked);
	gate_open(&gate);
	while (child_is_any())
		ASSERT_NO_EVENT(tracker);
	check_next_two(_metadata, tracker);
	pidtrack_free(tracker);
}

TEST(a_process_that_was_freed_is_refused_and_nothing_is_done)
{
	check_freed_twice(_metadata, 0);
}

TEST(so_it_is_by_a_tracker_with_a_thread)
{
	check_freed_twice(_metadata, PIDTRACK_THREAD);
}

/* ---- in a library that is built to find it ---- */

static struct pidtrack_process *shim_of(struct __test_metadata *_metadata,
					struct pidtrack *tracker)
{
	struct pidtrack_process *process;

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "0"));
	ASSERT_EXITED(tracker, process, 0);
	return process;
}

static void tracker_twice(struct __test_metadata *_metadata)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);

	pidtrack_free(tracker);
	pidtrack_free(tracker);
}

static void tracker_after(struct __test_metadata *_metadata)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	const struct pidtrack_event *event;

	pidtrack_free(tracker);
	pidtrack_next(tracker, &event);
}

static void tracker_fd_after(struct __test_metadata *_metadata)
{
	struct pidtrack *tracker = tracker_start(_metadata, PIDTRACK_THREAD);

	pidtrack_free(tracker);
	pidtrack_fd(tracker);
}

static void process_twice(struct __test_metadata *_metadata)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = shim_of(_metadata, tracker);

	pidtrack_process_free(process);
	shim_of(_metadata, tracker); /* in no place of the one before */
	pidtrack_process_free(process);
}

static void process_after(struct __test_metadata *_metadata)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = shim_of(_metadata, tracker);

	pidtrack_process_free(process);
	shim_of(_metadata, tracker);
	pidtrack_process_signal(process, SIGKILL);
}

static void process_after_its_tracker(struct __test_metadata *_metadata)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = shim_of(_metadata, tracker);

	pidtrack_free(tracker);
	pidtrack_process_state(process);
}

static void record_twice(struct __test_metadata *_metadata)
{
	struct pidtrack_record *record = NULL;

	ASSERT_EQ(0, pidtrack_record_parse("42\n", 3, &record));
	pidtrack_record_free(record);
	pidtrack_record_free(record);
}

static void registry_twice(struct __test_metadata *_metadata)
{
	struct pidtrack_registry *registry = NULL;

	ASSERT_EQ(0, pidtrack_registry_open("/tmp", 0, &registry));
	pidtrack_registry_free(registry);
	pidtrack_registry_free(registry);
}

static void recovery_twice(struct __test_metadata *_metadata)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.store = PIDTRACK_STORE_SERVICE);
	struct pidtrack_recovery *recovery = NULL;
	struct pidtrack *tracker = NULL;
	struct service service;
	char address[64];

	snprintf(address, sizeof(address), "@pidtrack-misuse-%d", getpid());
	service_start(_metadata, &service, address,
		      &(const struct service_options){ .max = 1 });
	setenv("NOTIFY_SOCKET", address, 1);
	unsetenv("LISTEN_FDS");
	ASSERT_EQ(0, pidtrack_new(&options, &tracker));
	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	service_end(&service);
	pidtrack_recovery_free(recovery);
	pidtrack_recovery_free(recovery);
}

TEST(whatever_is_used_after_it_was_freed_ends_the_host)
{
	static const struct {
		const char *name;
		void (*run)(struct __test_metadata *_metadata);
	} uses[] = {
		{ "tracker_twice", tracker_twice },
		{ "tracker_after", tracker_after },
		{ "tracker_fd_after", tracker_fd_after },
		{ "process_twice", process_twice },
		{ "process_after", process_after },
		{ "process_after_its_tracker", process_after_its_tracker },
		{ "record_twice", record_twice },
		{ "registry_twice", registry_twice },
		{ "recovery_twice", recovery_twice },
	};
	size_t i;

#ifndef PT_CHECKED
	SKIP(return, "the library was built without -Dchecked=true");
#endif
	pidtrack_free(tracker_start(_metadata, 0)); /* or skip */
	for (i = 0; i < ARRAY_SIZE(uses); i++) {
		int status = -1, null;
		pid_t pid = fork();

		if (!pid) {
			null = open("/dev/null", O_WRONLY | O_CLOEXEC);
			dup2(null, STDERR_FILENO);
			uses[i].run(_metadata);
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(SIGABRT, status)
		{
			TH_LOG("%s", uses[i].name);
		}
	}
	while (waitpid(-1, NULL, 0) > 0) /* what they have launched */
		;
}

TEST(the_library_is_of_the_headers_version)
{
	EXPECT_STREQ(PIDTRACK_VERSION, pidtrack_version());
}

TEST_HARNESS_MAIN
