/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Pins, read as records: the very process, running, ended or reaped, with its
 * status although nobody looked; and in a directory that is followed.
 */
#include "cgroups.h"
#include "pinned.h"
#include "registered.h"
#include "seccomp.h"

#define LAST PIDTRACK_EVENT_LAST
#define PIN PIDTRACK_EVIDENCE_PIN

FIXTURE(pins)
{
	struct pins pins;
	struct foreign foreign;
	struct child child;
	struct pidtrack_record *record;
	struct pidtrack_registry *registry;
};

FIXTURE_SETUP(pins)
{
	int r = geteuid() ? -EPERM : pins_make(&self->pins);

	self->foreign = (struct foreign)FOREIGN_NULL;
	self->child = (struct child)CHILD_NULL;
	if (r)
		SKIP(return, "wants CAP_SYS_ADMIN and Linux 6.14: %s",
			   strerror(-r));
	if (sandbox_refuses("ppoll"))
		SKIP(return, "the sandbox has the library see no end");
	ASSERT_EQ(0, child_start(&self->child));
}

FIXTURE_TEARDOWN(pins)
{
	pidtrack_record_free(self->record);
	pidtrack_registry_free(self->registry);
	if (self->child.pid)
		child_end(&self->child);
	if (self->foreign.parent.pid)
		foreign_end(&self->foreign);
	pins_remove(&self->pins);
}

#define PIN_OF(child_, name) \
	ASSERT_EQ(0, pin_make(&self->pins, name, (child_).pidfd))

#define READ(name)                                                   \
	(pidtrack_record_free(self->record),                         \
	 self->record = NULL, /* a test may fail while it is read */ \
	 self->record = pin_read(_metadata, &self->pins, name))

/* Reaped by us, or by the parent that it has, and nobody holds it any more. */
static void end_child(struct __test_metadata *_metadata, struct child *child,
		      int code)
{
	ASSERT_EQ(0, child_exit(child, code));
	ASSERT_EQ(0, child_await_exit(child));
	ASSERT_EQ(code << 8, child_reap(child));
	child_close(child);
	*child = (struct child)CHILD_NULL;
}

/* ---- what a pin tells ---- */

TEST_F(pins, one_of_a_running_process_is_it)
{
	size_t size = 99;

	PIN_OF(self->child, "web");
	READ("web");
	EXPECT_STREQ("pin", pidtrack_record_format_name(
				    pidtrack_record_format(self->record)));
	EXPECT_EQ(self->child.pid, pidtrack_record_pid(self->record));
	EXPECT_STREQ("web", pidtrack_record_label(self->record));
	EXPECT_NULL(pidtrack_record_capability(self->record));
	EXPECT_NULL(pidtrack_record_exe(self->record));
	EXPECT_NULL(pidtrack_record_payload(self->record, &size));
	EXPECT_EQ(0, size);
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, PIN, NULL, self->record);
}

static struct pidtrack_ending *ending_of(const struct pidtrack_record *record,
					 int *ret_error)
{
	static struct pidtrack_ending ending;

	ending = (struct pidtrack_ending){ .started_ns = 1, .ended_ns = 1 };
	*ret_error = pidtrack_record_ending(record, &ending, sizeof(ending));
	return &ending;
}

#define EXPECT_NOT_REAPED(record)                                            \
	do {                                                                 \
		struct pidtrack_ending ending_;                              \
                                                                             \
		EXPECT_EQ(-EAGAIN, pidtrack_record_ending(record, &ending_,  \
							  sizeof(ending_))); \
		EXPECT_EQ(-EAGAIN,                                           \
			  pidtrack_ending_read("/nonexistent", record,       \
					       &ending_, sizeof(ending_)));  \
	} while (0)

/* The same record, while its process goes through all that there is. */
TEST_F(pins, one_that_is_held_tells_each_state)
{
	struct pidtrack_ending *ending;
	int r;

	PIN_OF(self->child, "web");
	READ("web");
	EXPECT_NOT_REAPED(self->record);

	ASSERT_EQ(0, child_exit(&self->child, 7));
	ASSERT_EQ(0, child_await_exit(&self->child));
	EXPECT_PROOF(PIDTRACK_VERDICT_EXITED, PIN, NULL, self->record);
	EXPECT_NOT_REAPED(self->record);

	ASSERT_EQ(7 << 8, child_reap(&self->child));
	child_close(&self->child);
	self->child.pid = 0;
	EXPECT_PROOF(PIDTRACK_VERDICT_EXITED, PIN, NULL, self->record);
	if (!works(PIDTRACK_FEATURE_EXIT_INFO))
		SKIP(return, "no exit info: Linux < 6.15");
	ending = ending_of(self->record, &r);
	ASSERT_EQ(0, r);
	EXPECT_EQ(7 << 8, ending->status);
	EXPECT_EQ(PIDTRACK_SOURCE_RECOVERED, ending->source);
	EXPECT_EQ(0, ending->started_ns);
	EXPECT_EQ(0, ending->ended_ns);
	EXPECT_EQ(0, pidtrack_ending_read("/nonexistent", self->record, ending,
					  sizeof(*ending)));
	EXPECT_EQ(7 << 8, ending->status);
}

/* And one that nobody held but the file. */
TEST_F(pins, one_of_a_reaped_process_is_still_it)
{
	char name[] = "signalled", path[64];
	int r;

	ASSERT_EQ(0, foreign_start(&self->foreign));
	PIN_OF(self->foreign.child, name);
	ASSERT_EQ(0, child_raise(&self->foreign.child, SIGKILL));
	ASSERT_EQ(0, child_await_exit(&self->foreign.child));
	ASSERT_EQ(SIGKILL, foreign_reap(&self->foreign));
	child_close(&self->foreign.child);
	self->foreign.child = (struct child)CHILD_NULL;

	READ(name);
	EXPECT_EQ(0, pidtrack_record_pid(self->record));
	EXPECT_STREQ(name, pidtrack_record_label(self->record));
	EXPECT_PROOF(PIDTRACK_VERDICT_EXITED, PIN, NULL, self->record);
	if (works(PIDTRACK_FEATURE_EXIT_INFO))
		EXPECT_EQ(SIGKILL, ending_of(self->record, &r)->status);
	snprintf(path, sizeof(path), "%s", pin_path(&self->pins, name));
	EXPECT_EQ(0, access(path, F_OK));
}

TEST_F(pins, a_kernel_that_does_not_tell_the_end_is_not_asked_twice)
{
	int r;

	PIN_OF(self->child, "web");
	READ("web");
	end_child(_metadata, &self->child, 7);
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY)); /* Linux < 6.13 */
	ending_of(self->record, &r);
	EXPECT_EQ(-ENODATA, r);
	EXPECT_PROOF(PIDTRACK_VERDICT_EXITED, PIN, NULL, self->record);
	READ("web");
	EXPECT_EQ(0, pidtrack_record_pid(self->record));
}

/* It is told of as anything else that is known of the process. */
TEST_F_WANTS(pins, the_fingerprint_is_that_of_the_process, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct pidtrack_comparison it = { 0 };
	struct pidtrack_record *alone;
	char text[PIDTRACK_FINGERPRINT_MAX];

	ASSERT_EQ(0, pidtrack_attach(tracker, self->child.pid, 0, 0, &process));
	PIN_OF(self->child, "web");
	READ("web");
	ASSERT_EQ(0, pidtrack_process_compare(
			     process, pidtrack_record_fingerprint(self->record),
			     &it, sizeof(it)));
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, it.verdict);
	ASSERT_GT(pidtrack_process_fingerprint(process, text, sizeof(text)), 0);

	ASSERT_EQ(0, child_exit(&self->child, 7));
	ASSERT_EXITED(tracker, process, 7 << 8);
	ASSERT_NO_EVENT(tracker);
	child_close(&self->child);
	self->child.pid = 0;

	READ("web");
	EXPECT_NULL(strstr(pidtrack_record_fingerprint(self->record), "pid="));
	ASSERT_EQ(0, pidtrack_process_compare(
			     process, pidtrack_record_fingerprint(self->record),
			     &it, sizeof(it)));
	EXPECT_EQ(PIDTRACK_VERDICT_EXITED, it.verdict);
	/* that of one that was attached when it had no number is the same */
	alone = record_of_text(_metadata, "%s",
			       pidtrack_record_fingerprint(self->record));
	EXPECT_EQ(0, pidtrack_record_pid(alone));
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, NULL, alone);
	pidtrack_record_free(alone);
	pidtrack_free(tracker);
}

/* ---- names ---- */

TEST_F(pins, the_name_is_the_label)
{
	static const struct {
		const char *name;
		const char *label;
	} names[] = {
		{ "web", "web" },
		{ "a%2fb%20c", "a/b c" },
		{ "%2ehidden", ".hidden" },
		{ "100%25", "100%" },
		{ "%c3%bc", "\xc3\xbc" },
		/* of others, who have names of their own */
		{ "50%", NULL },
		{ "%0a", NULL },
		{ "%00", NULL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		PIN_OF(self->child, names[i].name);
		READ(names[i].name);
		if (names[i].label)
			EXPECT_STREQ(names[i].label,
				     pidtrack_record_label(self->record));
		else
			EXPECT_NULL(pidtrack_record_label(self->record));
	}
}

TEST_F(pins, what_the_process_itself_carries_is_told)
{
	static const char payload[] = "\0any \xff bytes";
	const void *told;
	size_t size;

	if (!works(PIDTRACK_FEATURE_XATTR) ||
	    fsetxattr(self->child.pidfd, "trusted.pidtrack.label", "web 1", 5,
		      0))
		SKIP(return, "no xattrs: Linux < 6.17, or refused");
	ASSERT_EQ(0, fsetxattr(self->child.pidfd, "trusted.pidtrack.payload",
			       payload, sizeof(payload), 0));
	PIN_OF(self->child, "50%");
	PIN_OF(self->child, "other");
	READ("other");
	EXPECT_STREQ("other", pidtrack_record_label(self->record));
	READ("50%");
	EXPECT_STREQ("web 1", pidtrack_record_label(self->record));
	told = pidtrack_record_payload(self->record, &size);
	ASSERT_EQ(sizeof(payload), size);
	EXPECT_EQ(0, memcmp(payload, told, size));
}

/* ---- what is none ---- */

TEST_F(pins, a_half_made_one_is_no_record)
{
	int fd = pin_begin(&self->pins, "web");

	ASSERT_GE(fd, 0);
	close(fd);
	EXPECT_EQ(-EBADMSG, pidtrack_record_read(pin_path(&self->pins, "web"),
						 &self->record));
	ASSERT_EQ(0, mkfifo(pin_path(&self->pins, "fifo"), 0600));
	EXPECT_EQ(-ENXIO, pidtrack_record_read(pin_path(&self->pins, "fifo"),
					       &self->record));
	EXPECT_EQ(-ENXIO, pidtrack_record_read("/dev/null", &self->record));
	ASSERT_EQ(0, symlink("web", pin_path(&self->pins, "link")));
	EXPECT_EQ(-ELOOP, pidtrack_record_read(pin_path(&self->pins, "link"),
					       &self->record));
}

TEST_F(pins, it_is_not_removed_as_a_file_is)
{
	PIN_OF(self->child, "web");
	READ("web");
	EXPECT_EQ(-EINVAL, pidtrack_record_remove(pin_path(&self->pins, "web"),
						  self->record));
	READ("web");
}

/* ---- short of everything ---- */

TEST_F(pins, without_a_descriptor_it_is_neither_gone_nor_unproven)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct pidtrack_comparison it = { 0 };
	struct rlimit limit, none;
	struct pidtrack_record *record = NULL;
	int least, n, r;

	PIN_OF(self->child, "web");
	READ("web");
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	least = dup(0);
	close(least);
	none = limit;
	none.rlim_cur = least;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, PIN, tracker, self->record);
	EXPECT_EQ(-EMFILE, pidtrack_attach_record(tracker, self->record, 0,
						  &process, &it, sizeof(it)));
	EXPECT_EQ(0, it.verdict);
	for (n = 0, r = -EMFILE; r < 0 && n < 4; n++) {
		none.rlim_cur = least + n;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
		r = pidtrack_record_read(pin_path(&self->pins, "web"), &record);
		if (r < 0)
			EXPECT_EQ(-EMFILE, r);
	}
	EXPECT_EQ(0, r);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, PIN, tracker, record);
	pidtrack_record_free(record);
	pidtrack_free(tracker);
}

/* With a tracker one system call, and neither /proc nor a descriptor. */
TEST_F(pins, verifying_opens_nothing)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	uint64_t before;

	PIN_OF(self->child, "web");
	READ("web");
	ASSERT_EQ(0, seccomp_refuse(SYS_openat, ENOENT));
	before = tracker_statistics(tracker).syscalls;
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, PIN, tracker, self->record);
	EXPECT_EQ(before + 1, tracker_statistics(tracker).syscalls);
	end_child(_metadata, &self->child, 7);
	EXPECT_PROOF(PIDTRACK_VERDICT_EXITED, PIN, tracker, self->record);
	pidtrack_free(tracker);
}

/* ---- attaching ---- */

static struct pidtrack_process *attach_pin(struct __test_metadata *_metadata,
					   struct pidtrack *tracker,
					   const struct pidtrack_record *record,
					   uint32_t verdict)
{
	struct pidtrack_process *process = NULL;
	struct pidtrack_comparison it = { 0 };

	ASSERT_EQ(0, pidtrack_attach_record(tracker, record, 0, &process, &it,
					    sizeof(it)));
	EXPECT_EQ(verdict, it.verdict);
	EXPECT_EQ(PIN, it.evidence);
	EXPECT_STREQ("web", pidtrack_process_label(process));
	return process;
}

TEST_F(pins, our_own_child_is_attached_by_one)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	PIN_OF(self->child, "web");
	READ("web");
	process = attach_pin(_metadata, tracker, self->record,
			     PIDTRACK_VERDICT_SAME);
	self->record = pidtrack_record_free(self->record);
	EXPECT_EQ(self->child.pid, pidtrack_process_pid(process));
	EXPECT_EQ(0, pidtrack_process_signal(process, SIGTERM));
	ASSERT_EXITED(tracker, process, SIGTERM);
	pidtrack_free(tracker);
	child_close(&self->child);
	self->child.pid = 0;
}

TEST_F(pins, one_that_is_anothers_child_is_attached_by_one)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;

	ASSERT_EQ(0, foreign_start(&self->foreign));
	PIN_OF(self->foreign.child, "web");
	READ("web");
	process = attach_pin(_metadata, tracker, self->record,
			     PIDTRACK_VERDICT_SAME);
	ASSERT_EQ(0, child_exit(&self->foreign.child, 9));
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	EXPECT_EQ(9 << 8, foreign_reap(&self->foreign));
	ASSERT_NEXT(tracker, process, PIDTRACK_REAPED, LAST,
		    source_without_wait(), 9 << 8);
	pidtrack_free(tracker);
}

TEST_F(pins, a_reaped_process_is_attached_and_tells_its_end)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	int status;

	PIN_OF(self->child, "web");
	end_child(_metadata, &self->child, 11);
	READ("web");
	process = attach_pin(_metadata, tracker, self->record,
			     PIDTRACK_VERDICT_EXITED);
	EXPECT_EQ(0, pidtrack_process_pid(process));
	EXPECT_EQ(-ESRCH, pidtrack_process_signal(process, SIGKILL));
	ASSERT_NEXT(tracker, process, PIDTRACK_EXITED, 0,
		    PIDTRACK_SOURCE_UNKNOWN, -1);
	ASSERT_NEXT(tracker, process, PIDTRACK_REAPED, LAST,
		    source_without_wait(), 11 << 8);
	ASSERT_NO_EVENT(tracker);
	if (works(PIDTRACK_FEATURE_EXIT_INFO)) {
		EXPECT_EQ(PIDTRACK_SOURCE_RECOVERED,
			  pidtrack_process_status(process, &status));
		EXPECT_EQ(11 << 8, status);
	}
	pidtrack_free(tracker);
}

/* ---- directories of them ---- */

#define FOLLOWED() \
	(self->registry = registry_open(_metadata, self->pins.dir, FOLLOW))

TEST_F(pins, a_directory_is_scanned_whatever_their_names)
{
	static const char *const names[] = { "web", "web.exit",
					     "web.exit.previous", "a%2fb" };
	const struct pidtrack_found *found;
	uint32_t flags, seen;
	size_t i;

	ASSERT_EQ(0, pins_mark(&self->pins));
	for (i = 0; i < ARRAY_SIZE(names); i++)
		PIN_OF(self->child, names[i]);
	for (flags = 0; flags <= FOLLOW; flags += FOLLOW) {
		self->registry =
			registry_open(_metadata, self->pins.dir, flags);
		seen = 0;
		while ((found = found_next(_metadata, self->registry))) {
			ASSERT_TRUE(found->record != NULL);
			EXPECT_EQ(PIDTRACK_RECORD_PIN,
				  pidtrack_record_format(found->record));
			EXPECT_EQ(PIDTRACK_VERDICT_SAME,
				  found->comparison->verdict);
			EXPECT_EQ(PIN, found->comparison->evidence);
			for (i = 0; i < ARRAY_SIZE(names); i++)
				seen += !strcmp(names[i], found->name) << 4 * i;
		}
		EXPECT_EQ(0x1111, seen);
		self->registry = pidtrack_registry_free(self->registry);
	}
}

/* It is told when it can be opened, and not as anything else before. */
TEST_F(pins, one_that_comes_is_told_once_and_as_it_is)
{
	int fd;

	ASSERT_EQ(0, pins_mark(&self->pins));
	FOLLOWED();
	EXPECT_QUIET(self->registry);
	fd = pin_begin(&self->pins, "web");
	ASSERT_GE(fd, 0);
	EXPECT_QUIET(self->registry);
	ASSERT_EQ(0, pin_mount(&self->pins, "web", self->child.pidfd));
	close(fd);
	EXPECT_TRUE(registry_is_readable(self->registry));
	EXPECT_TOLD(PIDTRACK_CHANGED, "web", 0, self->registry);
	EXPECT_QUIET(self->registry);

	/* its end is for those who hold it */
	end_child(_metadata, &self->child, 7);
	EXPECT_QUIET(self->registry);
	ASSERT_EQ(0, pin_drop(&self->pins, "web"));
	EXPECT_TOLD(PIDTRACK_REMOVED, "web", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

/* The file was there before it, and closed, as where a launch makes it. */
TEST_F(pins, one_on_a_file_that_was_closed_before_is_told_too)
{
	int fd;

	ASSERT_EQ(0, pins_mark(&self->pins));
	FOLLOWED();
	EXPECT_QUIET(self->registry);
	close(pin_begin(&self->pins, "web"));
	EXPECT_QUIET(self->registry);
	fd = open(pin_path(&self->pins, "web"), O_WRONLY | O_CLOEXEC);
	ASSERT_EQ(0, pin_mount(&self->pins, "web", self->child.pidfd));
	close(fd);
	EXPECT_TOLD(PIDTRACK_CHANGED, "web", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

TEST_F(pins, one_that_was_half_made_is_found_so_and_then_whole)
{
	int fd;

	ASSERT_EQ(0, pins_mark(&self->pins));
	fd = pin_begin(&self->pins, "web");
	ASSERT_GE(fd, 0);
	FOLLOWED();
	EXPECT_TOLD(PIDTRACK_FOUND, "web", -EBADMSG, self->registry);
	EXPECT_QUIET(self->registry);
	ASSERT_EQ(0, pin_mount(&self->pins, "web", self->child.pidfd));
	close(fd);
	EXPECT_TOLD(PIDTRACK_CHANGED, "web", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

/* Another process under the name, and nobody looked meanwhile. */
TEST_F(pins, the_next_of_one_name_is_a_change)
{
	ASSERT_EQ(0, pins_mark(&self->pins));
	PIN_OF(self->child, "web");
	FOLLOWED();
	EXPECT_TOLD(PIDTRACK_FOUND, "web", 0, self->registry);
	ASSERT_EQ(0, pin_drop(&self->pins, "web"));
	ASSERT_EQ(0, foreign_start(&self->foreign));
	PIN_OF(self->foreign.child, "web");
	EXPECT_TOLD(PIDTRACK_CHANGED, "web", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

TEST_F(pins, without_a_descriptor_one_is_not_missing)
{
	struct rlimit limit, none;
	int least;

	ASSERT_EQ(0, pins_mark(&self->pins));
	FOLLOWED();
	EXPECT_QUIET(self->registry);
	PIN_OF(self->child, "web");
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	least = dup(0);
	close(least);
	none = limit;
	none.rlim_cur = least;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_TOLD(PIDTRACK_CHANGED, "web", -EMFILE, self->registry);
	none.rlim_cur = least + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_NULL(found_next(_metadata, self->registry));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_TOLD(PIDTRACK_CHANGED, "web", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

/* So that of the next host's is told, too, where the last one ended meanwhile.
 */
TEST_F(pins, a_directory_that_is_followed_stays_mounted)
{
	ASSERT_EQ(0, pins_mark(&self->pins));
	FOLLOWED();
	EXPECT_QUIET(self->registry);
	EXPECT_EQ(-1, umount2(self->pins.dir, 0));
	EXPECT_EQ(EBUSY, errno);
	PIN_OF(self->child, "web");
	EXPECT_TOLD(PIDTRACK_CHANGED, "web", 0, self->registry);
	EXPECT_QUIET(self->registry);
}

/* ---- what a process left behind, whose host is gone, too ---- */

/* The launcher, in the cgroup, with a child of its own there. */
static pid_t launch_in(const struct cgroup *cgroup, int told)
{
	pid_t launcher = fork();

	if (launcher)
		return launcher;
	if (cgroup_join(cgroup->path))
		_exit(93);
	if (!fork()) {
		if (write(told, "c", 1) == 1)
			pause();
		_exit(0);
	}
	pause();
	_exit(0);
}

TEST_F_WANTS(pins, by_one_of_a_reaped_launcher_its_cgroup_is_stopped, signals)
{
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_CGROUP |
					       PIDTRACK_STOP_TREE);
	struct pidtrack_stop_options of_tree =
		PIDTRACK_STOP_OPTIONS(.flags = PIDTRACK_STOP_TREE);
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	struct child launcher = CHILD_NULL;
	struct cgroup cgroup;
	int fds[2], r = cgroup_make(&cgroup);
	char byte;

	if (r || !works(PIDTRACK_FEATURE_EXIT_INFO)) {
		pidtrack_free(tracker);
		SKIP(return, "wants a cgroup2 mount and Linux 6.15");
	}
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	launcher.pid = launch_in(&cgroup, fds[1]);
	launcher.pidfd = (int)syscall(SYS_pidfd_open, launcher.pid, 0);
	ASSERT_GE(launcher.pidfd, 0);
	PIN_OF(launcher, "web");
	ASSERT_EQ(1, read(fds[0], &byte, 1));
	ASSERT_EQ(0, child_signal(&launcher, SIGKILL));
	ASSERT_EQ(SIGKILL, child_reap(&launcher));
	child_close(&launcher);

	READ("web");
	process = attach_pin(_metadata, tracker, self->record,
			     PIDTRACK_VERDICT_EXITED);
	/* whose child was whose nobody knows any more */
	EXPECT_EQ(-ESRCH, pidtrack_process_stop(process, &of_tree));
	options.cgroup_fd = cgroup.fd;
	ASSERT_EQ(0, pidtrack_process_stop(process, &options));
	do {
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	} while (!(event->flags & LAST));
	EXPECT_STREQ("stop-done", pidtrack_event_name(event->kind));
	EXPECT_EQ(1, event->reached);
	EXPECT_EQ(SIGKILL, event->status);
	pidtrack_free(tracker);

	/* the orphan came to us, as to a subreaper */
	EXPECT_GT(waitpid(-1, NULL, 0), 0);
	close(fds[0]);
	close(fds[1]);
	cgroup_remove(&cgroup);
}

TEST_HARNESS_MAIN
