/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Writing the record of a process from the host's side: what is in it, that it
 * leads back, and that the one before stays when it cannot be written.
 */
#include <sys/resource.h>

#include "files.h"
#include "seccomp.h"
#include "verified.h"

#define BEFORE "12345\n67890\nwritten=before\n"

FIXTURE(record)
{
	struct pidtrack *tracker;
	struct gate gate;
	struct directory directory;
	struct path path;
	struct pidtrack_process *process;
	uint64_t shims; /* whose ends are to be told */
};

FIXTURE_SETUP(record)
{
	self->shims = 1;
	self->tracker = tracker_start(_metadata, 0);
	self->gate = gate_make(_metadata);
	directory_make(_metadata, &self->directory);
	self->path = path_in(&self->directory, "record");
	self->process = shim_start_at(_metadata, self->tracker, &self->gate, 7);
}

FIXTURE_TEARDOWN(record)
{
	const struct pidtrack_event *event;

	if (self->gate.host >= 0)
		gate_open(&self->gate);
	while (tracker_statistics(self->tracker).exits < self->shims)
		ASSERT_EQ(1, pidtrack_wait(self->tracker, awhile_ms(), &event));
	ASSERT_NO_EVENT(self->tracker);
	self->tracker = pidtrack_free(self->tracker);
	directory_remove(&self->directory);
}

static int write_record(FIXTURE_DATA(record) * self)
{
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = self->path.text);

	return pidtrack_process_record(self->process, &options);
}

/* ---- what is in it ---- */

TEST_F_WANTS(record, it_leads_back_to_its_process, numbers)
{
	struct pidtrack_record *record;
	struct stat st;

	ASSERT_EQ(0, write_record(self));
	ASSERT_EQ(0, lstat(self->path.text, &st));
	EXPECT_EQ(S_IFREG | 0600, st.st_mode);
	EXPECT_STREQ("record ", directory_list(&self->directory));
	record = record_at(_metadata, self->path.text);
	EXPECT_EQ(pidtrack_process_pid(self->process),
		  pidtrack_record_pid(record));
	EXPECT_NULL(pidtrack_record_label(record));
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, evidence_expected(), self->tracker,
		     record);
	EXPECT_TRUE(strstr(pidtrack_record_fingerprint(record), ",start=") !=
		    NULL);
	if (!sandbox_refuses("readlink"))
		EXPECT_TRUE(strstr(pidtrack_record_fingerprint(record),
				   ",exe=") != NULL);
	pidtrack_record_free(record);
}

/* Attached by its number alone, this once. */
TEST_F_WANTS(record, a_legacy_one_is_rewritten_with_full_evidence, numbers)
{
	static const char *const endings[] = { "\n", "\n\nservices-mux-v1\n" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(endings); i++) {
		struct pidtrack_record_options options =
			PIDTRACK_RECORD_OPTIONS(.path = self->path.text,
						.label = "web 1");
		struct pidtrack_process *process = NULL;
		struct pidtrack_comparison it = { 0 };
		struct pidtrack_record *record;
		char text[64];

		snprintf(text, sizeof(text), "%d%s",
			 pidtrack_process_pid(self->process), endings[i]);
		file_text(_metadata, self->path.text, text, 0644);
		ASSERT_EQ(0, pidtrack_record_read(self->path.text, &record));
		expect_legacy(_metadata, self->tracker, record);
		ASSERT_EQ(0, pidtrack_attach_record(
				     self->tracker, record,
				     LEGACY | PIDTRACK_ATTACH_OBSERVE, &process,
				     &it, sizeof(it)));
		pidtrack_record_free(record);
		ASSERT_EQ(0, pidtrack_process_record(process, &options));

		record = record_at(_metadata, self->path.text);
		EXPECT_STREQ("web 1", pidtrack_record_label(record));
		EXPECT_PROOF(PIDTRACK_VERDICT_SAME, evidence_expected(),
			     self->tracker, record);
		pidtrack_record_free(record);
		pidtrack_process_free(process);
	}
}

TEST_F_WANTS(record, a_process_of_others_has_one_too, boot_id)
{
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = self->path.text);
	struct pidtrack_process *process = NULL;
	struct pidtrack_record *record;
	struct foreign foreign;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, pidtrack_attach(self->tracker, foreign.child.pid, 0, 0,
				     &process));
	ASSERT_EQ(0, pidtrack_process_record(process, &options));
	record = record_at(_metadata, self->path.text);
	EXPECT_EQ(foreign.child.pid, pidtrack_record_pid(record));
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, evidence_expected(), self->tracker,
		     record);
	pidtrack_record_free(record);
	pidtrack_process_free(process);
	foreign_end(&foreign);
}

/* Its status comes with its being reaped, and is what is written down. */
TEST_F_WANTS(record,
	     of_a_zombie_of_others_the_end_is_recorded_once_it_is_reaped,
	     boot_id)
{
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = self->path.text,
					.flags = PIDTRACK_RECORD_WITH_EXIT);
	struct path path = path_in(&self->directory, "record.exit");
	const struct pidtrack_event *event = NULL;
	struct pidtrack_ending ending = { 0 };
	struct pidtrack_process *process = NULL;
	struct pidtrack_record *record;
	struct foreign foreign;

	if (!reaping_is_told() || !works(PIDTRACK_FEATURE_EXIT_INFO))
		SKIP(return, "no exit info, Linux < 6.15");
	self->shims = 2;
	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, pidtrack_attach(self->tracker, foreign.child.pid, 0, 0,
				     &process));
	ASSERT_EQ(0, child_exit(&foreign.child, 6));
	ASSERT_EQ(1, pidtrack_wait(self->tracker, awhile_ms(), &event));
	ASSERT_EQ(PIDTRACK_EXITED, event->kind);
	EXPECT_EQ(0, pidtrack_process_record(process, &options));
	EXPECT_NE(0, access(path.text, F_OK));

	ASSERT_EQ(6 << 8, foreign_reap(&foreign));
	ASSERT_EQ(1, pidtrack_wait(self->tracker, awhile_ms(), &event));
	ASSERT_EQ(PIDTRACK_REAPED, event->kind);
	record = record_at(_metadata, self->path.text);
	EXPECT_EQ(0, pidtrack_ending_read(self->path.text, record, &ending,
					  sizeof(ending)));
	EXPECT_EQ(6 << 8, ending.status);
	pidtrack_record_free(record);
	pidtrack_process_free(process);
	child_close(&foreign.child);
	foreign_end(&foreign);
}

TEST_F_WANTS(record, label_and_payload_are_those_given, boot_id)
{
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = self->path.text,
					.label = "box = 100% \xc3\xa9",
					.payload = "\0a\nb", .payload_size = 4);
	struct pidtrack_record *record;
	size_t size;

	ASSERT_EQ(0, pidtrack_process_record(self->process, &options));
	record = record_at(_metadata, self->path.text);
	EXPECT_STREQ(options.label, pidtrack_record_label(record));
	ASSERT_TRUE(pidtrack_record_payload(record, &size) != NULL);
	ASSERT_EQ(4, size);
	EXPECT_EQ(0,
		  memcmp("\0a\nb", pidtrack_record_payload(record, &size), 4));
	pidtrack_record_free(record);
}

TEST_F_WANTS(record, the_label_is_the_processs_unless_another_is_given, boot_id)
{
	struct path other = path_in(&self->directory, "other");
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = other.text);
	struct pidtrack_process *process = shim_start_recorded(
		_metadata, self->tracker, &self->gate, self->path.text);
	struct pidtrack_record *record;

	ASSERT_EQ(0, pidtrack_process_record(process, &options));
	record = record_at(_metadata, other.text);
	EXPECT_STREQ("web 1", pidtrack_record_label(record));
	pidtrack_record_free(record);
	options.label = "db";
	ASSERT_EQ(0, pidtrack_process_record(process, &options));
	record = record_at(_metadata, other.text);
	EXPECT_STREQ("db", pidtrack_record_label(record));
	pidtrack_record_free(record);
	EXPECT_STREQ("web 1", pidtrack_process_label(process));
	self->shims++;
}

TEST_F_WANTS(record, of_a_zombie_it_says_exited_and_of_one_reaped_gone, numbers)
{
	struct pidtrack_record *record;

	gate_open(&self->gate);
	process_await_exit(self->process);
	ASSERT_EQ(0, write_record(self));
	record = record_at(_metadata, self->path.text);
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, self->tracker, record);
	pidtrack_record_free(record);

	ASSERT_EXITED(self->tracker, self->process, 7 << 8);
	ASSERT_NO_EVENT(self->tracker);
	ASSERT_EQ(0, write_record(self));
	record = record_at(_metadata, self->path.text);
	EXPECT_VERDICT(PIDTRACK_VERDICT_GONE, self->tracker, record);
	pidtrack_record_free(record);
}

/* ---- where it is ---- */

TEST_F_WANTS(record, its_mode_is_nobodys_mask, boot_id)
{
	static const mode_t masks[] = { 0, 0777, 0277 };
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		umask(masks[i]);
		ASSERT_EQ(0, write_record(self));
		EXPECT_EQ(masks[i], umask(022));
		ASSERT_EQ(0, stat(self->path.text, &st));
		EXPECT_EQ(S_IFREG | 0600, st.st_mode);
	}
}

TEST_F_WANTS(record, a_link_is_replaced_and_its_target_left_alone, boot_id)
{
	struct path target = path_in(&self->directory, "target");
	struct stat st;

	file_text(_metadata, target.text, BEFORE, 0640);
	ASSERT_EQ(0, symlink("target", self->path.text));
	ASSERT_EQ(0, write_record(self));
	ASSERT_EQ(0, lstat(self->path.text, &st));
	EXPECT_EQ(S_IFREG | 0600, st.st_mode);
	EXPECT_STREQ(BEFORE, file_read(_metadata, target.text));
	EXPECT_STREQ("record target ", directory_list(&self->directory));
}

/* Who has the one before open still has that. */
TEST_F_WANTS(record, one_before_is_replaced_as_a_whole, boot_id)
{
	struct path link_path = path_in(&self->directory, "link");

	file_text(_metadata, self->path.text, BEFORE, 0644);
	ASSERT_EQ(0, link(self->path.text, link_path.text));
	ASSERT_EQ(0, write_record(self));
	EXPECT_STREQ(BEFORE, file_read(_metadata, link_path.text));
	pidtrack_record_free(record_at(_metadata, self->path.text));
	EXPECT_STREQ("link record ", directory_list(&self->directory));
}

TEST_F_WANTS(record, whoever_reads_it_meanwhile_reads_one_or_the_other, boot_id)
{
	enum { TIMES = 300 };
	static const char *const labels[] = { "web", "a longer one, of db" };
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = self->path.text);
	int i, status;
	pid_t pid;

	ASSERT_EQ(0, write_record(self));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		for (i = 0; i < TIMES; i++)
			pidtrack_record_free(
				record_at(_metadata, self->path.text));
		_exit(0);
	}
	do {
		for (i = 0; i < 2; i++) {
			options.label = labels[i];
			ASSERT_EQ(0, pidtrack_process_record(self->process,
							     &options));
		}
	} while (!waitpid(pid, &status, WNOHANG));
	EXPECT_EQ(0, status);
	EXPECT_STREQ("record ", directory_list(&self->directory));
}

TEST_F_WANTS(record, it_may_be_synchronous, boot_id)
{
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = self->path.text,
					.flags = PIDTRACK_RECORD_SYNC);

	ASSERT_EQ(0, pidtrack_process_record(self->process, &options));
	pidtrack_record_free(record_at(_metadata, self->path.text));
	file_text(_metadata, self->path.text, BEFORE, 0644);
	ASSERT_EQ(0, seccomp_refuse(SYS_fsync, EDQUOT));
	EXPECT_EQ(-EDQUOT, pidtrack_process_record(self->process, &options));
	EXPECT_STREQ(BEFORE, file_read(_metadata, self->path.text));
	EXPECT_STREQ("record ", directory_list(&self->directory));
	EXPECT_EQ(0, write_record(self));
}

/* ---- refused ---- */

static void expect_options(struct __test_metadata *_metadata,
			   FIXTURE_DATA(record) * self, int r,
			   struct pidtrack_record_options options)
{
	EXPECT_EQ(r, pidtrack_process_record(self->process, &options));
	EXPECT_STREQ("", directory_list(&self->directory));
}

#define OPTIONS(...) \
	(struct pidtrack_record_options) PIDTRACK_RECORD_OPTIONS(__VA_ARGS__)

TEST_F_WANTS(record, what_makes_no_sense_is_refused, boot_id)
{
	const char *path = self->path.text;
	static char text[1100];
	struct {
		struct pidtrack_record_options options;
		uint64_t later;
	} larger = { OPTIONS(.path = path), 1 };

	expect_options(_metadata, self, -EINVAL, OPTIONS(.path = NULL));
	expect_options(_metadata, self, -EINVAL, OPTIONS(.path = ""));
	expect_options(_metadata, self, -EINVAL, OPTIONS(.path = "/tmp/"));
	expect_options(_metadata, self, -EINVAL,
		       OPTIONS(.path = path, .flags = 1U << 31));
	expect_options(_metadata, self, -EINVAL,
		       OPTIONS(.path = path, .reserved = 1));
	expect_options(_metadata, self, -EINVAL,
		       OPTIONS(.path = path, .payload_size = 1));
	expect_options(
		_metadata, self, -EINVAL,
		OPTIONS(.path = path, .payload = text, .payload_size = 1025));
	expect_options(_metadata, self, -EINVAL,
		       OPTIONS(.path = path, .label = ""));
	expect_options(_metadata, self, -EINVAL,
		       OPTIONS(.path = path, .label = "a\n"));
	memset(text, 'x', 256);
	expect_options(_metadata, self, -ENAMETOOLONG,
		       OPTIONS(.path = path, .label = text));
	larger.options.size = sizeof(larger);
	EXPECT_EQ(-E2BIG,
		  pidtrack_process_record(self->process, &larger.options));
	larger.later = 0;
	EXPECT_EQ(0, pidtrack_process_record(self->process, &larger.options));
	larger.options.size = 8;
	EXPECT_EQ(-EINVAL,
		  pidtrack_process_record(self->process, &larger.options));
}

TEST_F_WANTS(record, a_place_where_none_can_be_is_refused, boot_id)
{
	char name[260] = "";

	expect_options(_metadata, self, -EISDIR, OPTIONS(.path = "/tmp"));
	expect_options(_metadata, self, -EEXIST, OPTIONS(.path = "/dev/null"));
	expect_options(_metadata, self, -ENOTDIR,
		       OPTIONS(.path = "/dev/null/record"));
	expect_options(
		_metadata, self, -ENOENT,
		OPTIONS(.path = path_in(&self->directory, "nil/x").text));
	memset(name, 'x', 256);
	expect_options(_metadata, self, -ENAMETOOLONG, OPTIONS(.path = name));
}

TEST_F(record, the_first_process_has_none)
{
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = self->path.text);
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_attach(self->tracker, 1, 0, 0, &process));
	EXPECT_EQ(-EINVAL, pidtrack_process_record(process, &options));
	EXPECT_STREQ("", directory_list(&self->directory));
	pidtrack_process_free(process);
}

/* ---- what it costs when it fails: nothing ---- */

static void expect_refused_with(struct __test_metadata *_metadata,
				FIXTURE_DATA(record) * self,
				const char *directory, int r)
{
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = self->path.text);
	struct directory listed;

	EXPECT_EQ(r, pidtrack_process_record(self->process, &options));
	options.flags = PIDTRACK_RECORD_SYNC | PIDTRACK_RECORD_WITH_EXIT;
	EXPECT_EQ(r, pidtrack_process_record(self->process, &options));
	EXPECT_STREQ(BEFORE, file_read(_metadata, self->path.text));
	snprintf(listed.path, sizeof(listed.path), "%s", directory);
	EXPECT_STREQ("filler record ", directory_list(&listed));
}

static void fill(const char *path)
{
	static const char zeros[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	close(fd);
}

/* A file system of our own, full, and then read-only. */
TEST_F_WANTS(record, on_a_full_or_a_read_only_one_the_record_before_stays,
	     boot_id)
{
	char filler[128];

	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("small", self->directory.path, "tmpfs", 0, "nr_blocks=4"))
		SKIP(return, "no tmpfs of our own: %s", strerror(errno));
	file_text(_metadata, self->path.text, BEFORE, 0600);
	snprintf(filler, sizeof(filler), "%s/filler", self->directory.path);
	fill(filler);
	expect_refused_with(_metadata, self, self->directory.path, -ENOSPC);
	EXPECT_EQ(0, truncate(filler, 0));
	ASSERT_EQ(0, mount(NULL, self->directory.path, NULL,
			   MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	expect_refused_with(_metadata, self, self->directory.path, -EROFS);
	ASSERT_EQ(0, umount(self->directory.path));
}

TEST_F_WANTS(record, beyond_a_limit_of_the_hosts_the_one_before_stays,
	     boot_id_and_limits)
{
	struct rlimit before, limit;

	file_text(_metadata, self->path.text, BEFORE, 0600);
	file_text(_metadata, path_in(&self->directory, "filler").text, "",
		  0600);
	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &before));
	limit = before;
	limit.rlim_cur = 16;
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	expect_refused_with(_metadata, self, self->directory.path, -EFBIG);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &before));
}

TEST_F_WANTS(record, without_the_right_to_write_it_the_one_before_stays,
	     boot_id)
{
	if (geteuid())
		SKIP(return, "wants root");
	file_text(_metadata, self->path.text, BEFORE, 0644);
	file_text(_metadata, path_in(&self->directory, "filler").text, "",
		  0600);
	ASSERT_EQ(0, seteuid(65534));
	expect_refused_with(_metadata, self, self->directory.path, -EACCES);
	ASSERT_EQ(0, seteuid(0));
}

/* Where there is no boot id to compare ever, a record would be no better. */
static void record_without_proc(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = arg);
	struct pidtrack_process *process;
	struct pidtrack *tracker;
	struct gate gate = gate_make(_metadata);

	if (!proc_hide())
		SKIP(return, "no mounts of our own: %s", strerror(errno));
	tracker = tracker_start(_metadata, 0);
	process = shim_start_at(_metadata, tracker, &gate, 7);
	EXPECT_EQ(-ENODATA, pidtrack_process_record(process, &options));
	EXPECT_STREQ(BEFORE, file_read(_metadata, arg));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 7 << 8);
	pidtrack_free(tracker);
}

TEST_F(record, nothing_to_prove_it_by_is_no_record)
{
	file_text(_metadata, self->path.text, BEFORE, 0644);
	apart(_metadata, record_without_proc, self->path.text);
}

/* ---- whose call it is ---- */

TEST_F(record, a_copy_of_fork_writes_none)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		EXPECT_EQ(-ECHILD, write_record(self));
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_STREQ("", directory_list(&self->directory));
}

TEST_HARNESS_MAIN
