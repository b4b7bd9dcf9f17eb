/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A host with boxlite's files, those of its older versions too. */
#include "hosted.h"

FIXTURE(boxlite)
{
	struct directory home;
};

FIXTURE_SETUP(boxlite)
{
	hosted_or_skip(_metadata);
	if (_metadata->skipped)
		return;
	directory_make(_metadata, &self->home);
	ASSERT_EQ(0, mkdir(path_in(&self->home, "boxes").text, 0700));
	ASSERT_EQ(0, mkdir(path_in(&self->home, "db").text, 0700));
}

FIXTURE_TEARDOWN(boxlite)
{
	directory_remove(&self->home);
}

#define BOXLITE(code, ...) SAID(code, self->home.path, __VA_ARGS__)

/* ---- files of a box ---- */

static struct path in_box(const struct directory *home, const char *id,
			  const char *name)
{
	return text_of("%s/boxes/%s/%s", home->path, id, name);
}

static bool box_has(const struct directory *home, const char *id,
		    const char *name)
{
	struct stat stat;

	return !lstat(in_box(home, id, name).text, &stat);
}

/* As an older boxlite left it; no record if @record is NULL. */
static void box_make(struct __test_metadata *_metadata,
		     const struct directory *home, const char *id,
		     const char *state, const char *record)
{
	ASSERT_EQ(0, mkdir(text_of("%s/boxes/%s", home->path, id).text, 0755));
	file_text(_metadata, text_of("%s/db/%s", home->path, id).text, state,
		  0644);
	if (record)
		file_text(_metadata, in_box(home, id, "shim.pid").text, record,
			  0644);
}

static void box_expect(struct __test_metadata *_metadata,
		       const struct directory *home, const char *id,
		       const char *state)
{
	const char *row =
		file_read(_metadata, text_of("%s/db/%s", home->path, id).text);

	ASSERT_TRUE(row != NULL);
	EXPECT_EQ(0, strncmp(state, row, strlen(state)))
	{
		TH_LOG("%s is not %s but %s", id, state, row);
	}
}

/* The pid of a box that was said to run. */
static pid_t pid_said(struct __test_metadata *_metadata, const char *said)
{
	const char *at = strstr(said, " Running ");
	int pid = 0;

	ASSERT_TRUE(at != NULL);
	ASSERT_EQ(1, sscanf(at, " Running %d", &pid));
	return pid;
}

/* ---- the reader of an older boxlite ---- */

struct old_record {
	bool valid;
	uint64_t pid;
	bool has_start;
	uint64_t start;
	bool capable;
};

/* One line without blanks around it; lent until the next but one call. */
static const char *old_line(const char **text)
{
	static char lines[2][128];
	static int n;
	char *line = lines[n ^= 1];
	size_t size = strcspn(*text, "\n"), i;

	snprintf(line, sizeof(lines[0]), "%.*s", (int)size, *text);
	*text += size + ((*text)[size] == '\n');
	line += strspn(line, " \t\r");
	for (i = strlen(line); i && strchr(" \t\r", line[i - 1]); i--)
		line[i - 1] = '\0';
	return line;
}

/* As Rust's parse of an unsigned number: digits, one + before them. */
static bool old_number(const char *text, uint64_t most, uint64_t *ret_number)
{
	char *end;

	text += *text == '+';
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return !errno && !*end && *ret_number <= most;
}

static struct old_record old_read(const char *text)
{
	struct old_record record = { false };

	record.valid = old_number(old_line(&text), UINT32_MAX, &record.pid);
	record.has_start =
		old_number(old_line(&text), UINT64_MAX, &record.start);
	record.capable = !strcmp(old_line(&text), "services-mux-v1");
	return record;
}

TEST_F(boxlite, an_older_boxlite_reads_what_we_write)
{
	struct old_record record;
	const char *text;
	pid_t pid;

	record = old_read("+47\r\n12 \nservices-mux-v1\n");
	EXPECT_TRUE(record.valid && record.has_start && record.capable);
	record = old_read("7\n\nservices-mux-v1\n");
	EXPECT_TRUE(record.valid && !record.has_start && record.capable);
	record = old_read("4294967296\n");
	EXPECT_FALSE(record.valid || record.has_start || record.capable);

	BOXLITE(0, "create", "web");
	pid = pid_said(_metadata,
		       BOXLITE(0, "detach", "web", shim_path(), "pause"));
	text = file_read(_metadata,
			 in_box(&self->home, "web", "shim.pid").text);
	ASSERT_TRUE(text != NULL);
	record = old_read(text);
	EXPECT_TRUE(record.valid);
	EXPECT_EQ(pid, record.pid);
	EXPECT_TRUE(record.has_start);
	EXPECT_EQ(proc_start(_metadata, pid), record.start);
	BOXLITE(0, "remove", "web", "force");
	EXPECT_EQ(SIGKILL, hosted_status(_metadata, pid));
}

/* ---- a life ---- */

TEST_F(boxlite, a_detached_box_outlives_its_host_is_found_again_and_stopped)
{
	struct stat stat;
	pid_t pid;

	EXPECT_STREQ("web Configured\n", BOXLITE(0, "create", "web"));
	pid = pid_said(_metadata,
		       BOXLITE(0, "detach", "web", shim_path(), "pause"));
	ASSERT_EQ(0, lstat(in_box(&self->home, "web", "shim.pid").text, &stat));
	EXPECT_EQ(S_IFREG | 0600, stat.st_mode);
	EXPECT_TRUE(hosted_runs(pid));

	EXPECT_SAYS(text_of("web same %d: ", pid).text,
		    BOXLITE(0, "status", "web"));
	EXPECT_SAYS(text_of("web Running %d", pid).text, BOXLITE(0, "recover"));
	EXPECT_SAYS("web is running", BOXLITE(1, "detach", "web", "/bin/true"));
	EXPECT_SAYS("web is running", BOXLITE(1, "remove", "web"));
	EXPECT_TRUE(hosted_runs(pid));

	EXPECT_SAYS("web Stopped", BOXLITE(0, "stop", "web"));
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, pid));
	EXPECT_FALSE(box_has(&self->home, "web", "shim.pid"));
	EXPECT_SAYS("web gone 0: there is no record",
		    BOXLITE(1, "status", "web"));
	EXPECT_STREQ("web removed\n", BOXLITE(0, "remove", "web"));
	EXPECT_FALSE(box_has(&self->home, "web", ""));
}

TEST_F(boxlite, boxes_of_like_names_are_three_shims)
{
	static const char *const ids[] = { "box-1", "box-10", "box-100" };
	pid_t pids[3];
	int i;

	for (i = 0; i < 3; i++) {
		BOXLITE(0, "create", ids[i]);
		pids[i] = pid_said(_metadata, BOXLITE(0, "detach", ids[i],
						      shim_path(), "pause"));
	}
	BOXLITE(0, "stop", "box-1");
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, pids[0]));
	EXPECT_TRUE(hosted_runs(pids[1]) && hosted_runs(pids[2]));
	BOXLITE(0, "stop", "box-100");
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, pids[2]));
	EXPECT_TRUE(hosted_runs(pids[1]));
	BOXLITE(0, "stop", "box-10");
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, pids[1]));
}

static struct hosted box_run(struct __test_metadata *_metadata,
			     const struct directory *home, pid_t *ret_pid)
{
	const char *const arguments[] = { home->path,  "run",	"web",
					  shim_path(), "pause", NULL };
	struct hosted host;

	host = hosted_start(_metadata, arguments);
	*ret_pid = pid_said(_metadata, fd_text(_metadata, host.out, true));
	return host;
}

TEST_F(boxlite, a_box_that_is_not_detached_ends_with_its_host)
{
	struct hosted host;
	pid_t pid;

	BOXLITE(0, "create", "web");
	host = box_run(_metadata, &self->home, &pid);
	EXPECT_EQ(0, hosted_wait(_metadata, &host));
	EXPECT_NE(0, kill(pid, 0)); /* reaped by the host */
	box_expect(_metadata, &self->home, "web", "Stopped");
	EXPECT_FALSE(box_has(&self->home, "web", "shim.pid"));

	host = box_run(_metadata, &self->home, &pid);
	kill(host.pid, SIGKILL);
	EXPECT_EQ(SIGKILL, hosted_wait(_metadata, &host));
	EXPECT_EQ(SIGKILL, hosted_status(_metadata, pid));
	EXPECT_SAYS("web Stopped", BOXLITE(0, "recover"));
	EXPECT_FALSE(box_has(&self->home, "web", "shim.pid"));
}

TEST_F(boxlite, the_end_of_a_shim_is_seen_by_the_host_that_stays)
{
	struct hosted host;
	pid_t pid;

	BOXLITE(0, "create", "web");
	host = box_run(_metadata, &self->home, &pid);
	kill(pid, SIGSEGV); /* a child of one of ours that waits for it */
	EXPECT_STREQ(text_of("web Stopped: status %d\n", SIGSEGV).text,
		     fd_text(_metadata, host.out, true));
	EXPECT_EQ(0, hosted_wait(_metadata, &host));
}

TEST_F(boxlite, a_launch_that_fails_leaves_the_box_as_it_was)
{
	BOXLITE(0, "create", "web");
	EXPECT_SAYS("exec: No such file",
		    BOXLITE(4, "detach", "web", "/nonexistent"));
	box_expect(_metadata, &self->home, "web", "Configured");
	EXPECT_FALSE(box_has(&self->home, "web", "shim.pid"));
	EXPECT_EQ(0, child_is_any());
}

/* ---- recovery ---- */

TEST_F(boxlite, a_live_shim_of_an_older_boxlite_is_running_by_its_start_time)
{
	pid_t pid = stranger(_metadata);
	unsigned long long start = proc_start(_metadata, pid);

	box_make(_metadata, &self->home, "v1", "Running detached\n",
		 text_of("%d\n%llu\n", pid, start).text);
	box_make(_metadata, &self->home, "v2", "Running detached\n",
		 text_of("%d\n%llu\nservices-mux-v1\n", pid, start).text);
	BOXLITE(0, "recover");
	box_expect(_metadata, &self->home, "v1", "Running detached\n");
	EXPECT_SAYS(text_of("v1 same %d", pid).text,
		    BOXLITE(0, "status", "v1"));
	EXPECT_SAYS(text_of("v2 same %d", pid).text,
		    BOXLITE(0, "status", "v2"));
	EXPECT_SAYS("v1 Stopped", BOXLITE(0, "stop", "v1"));
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, pid));
	EXPECT_SAYS("v2 Stopped", BOXLITE(0, "recover"));
	EXPECT_FALSE(box_has(&self->home, "v2", "shim.pid"));
}

TEST_F(boxlite, a_start_time_off_by_one_is_a_strangers_and_it_lives)
{
	pid_t pid = stranger(_metadata);
	unsigned long long start = proc_start(_metadata, pid);

	box_make(_metadata, &self->home, "a", "Running\n",
		 text_of("%d\n%llu\n", pid, start + 1).text);
	box_make(_metadata, &self->home, "b", "Running\n",
		 text_of("%d\n%llu\nservices-mux-v1\n", pid, start - 1).text);
	EXPECT_SAYS("a Stopped", BOXLITE(0, "stop", "a", "0"));
	EXPECT_SAYS("b Stopped", BOXLITE(0, "recover"));
	EXPECT_FALSE(box_has(&self->home, "a", "shim.pid"));
	EXPECT_FALSE(box_has(&self->home, "b", "shim.pid"));
	EXPECT_TRUE(hosted_runs(pid));
	stranger_end(_metadata, pid);
}

TEST_F(boxlite, a_number_alone_is_adopted_when_told_to_and_never_again)
{
	static const char *const texts[] = { "%d", "%d\n\n",
					     "%d\n\nservices-mux-v1\n" };
	pid_t pid = stranger(_metadata);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		char record[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(record, sizeof(record), texts[i], pid);
#pragma GCC diagnostic pop
		box_make(_metadata, &self->home, "web", "Running detached\n",
			 record);
		EXPECT_SAYS("web Unknown: ", BOXLITE(0, "recover"));
		EXPECT_SAYS("web Unknown: ", BOXLITE(3, "stop", "web", "0"));
		EXPECT_SAYS("web Unknown: ",
			    BOXLITE(3, "remove", "web", "force"));
		EXPECT_SAYS("web Unknown: ",
			    BOXLITE(3, "detach", "web", "/bin/true"));
		box_expect(_metadata, &self->home, "web", "Running");
		EXPECT_STREQ(
			record,
			file_read(_metadata,
				  in_box(&self->home, "web", "shim.pid").text));
		EXPECT_TRUE(hosted_runs(pid));

		EXPECT_SAYS(text_of("web Running %d: ", pid).text,
			    BOXLITE(0, "recover", "adopt"));
		EXPECT_SAYS(text_of("web Running %d: ", pid).text,
			    BOXLITE(0, "recover"));
		EXPECT_SAYS(text_of("web same %d: ", pid).text,
			    BOXLITE(0, "status", "web"));
		unlink(in_box(&self->home, "web", "shim.pid").text);
		BOXLITE(0, "remove", "web");
	}
	stranger_end(_metadata, pid);
}

TEST_F(boxlite, a_shim_that_died_unseen_is_stopped_whatever_its_record)
{
	pid_t pid = dead_number(_metadata);

	box_make(_metadata, &self->home, "v0", "Running\n",
		 text_of("%d\n", pid).text);
	box_make(_metadata, &self->home, "v1", "Running\n",
		 text_of("%d\n4711\n", pid).text);
	box_make(_metadata, &self->home, "v2", "Running\n",
		 text_of("%d\n\nservices-mux-v1\n", pid).text);
	box_make(_metadata, &self->home, "none", "Running\n", NULL);
	box_make(_metadata, &self->home, "idle", "Configured\n",
		 text_of("%d\n", pid).text);
	BOXLITE(0, "recover");
	box_expect(_metadata, &self->home, "v0", "Stopped\n");
	box_expect(_metadata, &self->home, "v1", "Stopped\n");
	box_expect(_metadata, &self->home, "v2", "Stopped\n");
	box_expect(_metadata, &self->home, "none", "Stopped\n");
	box_expect(_metadata, &self->home, "idle", "Configured\n");
	EXPECT_FALSE(box_has(&self->home, "v0", "shim.pid"));
	EXPECT_FALSE(box_has(&self->home, "v1", "shim.pid"));
	EXPECT_FALSE(box_has(&self->home, "v2", "shim.pid"));
	EXPECT_FALSE(box_has(&self->home, "idle", "shim.pid"));
}

TEST_F(boxlite, a_shim_that_was_killed_and_not_waited_for_is_not_running)
{
	pid_t pid;

	BOXLITE(0, "create", "web");
	pid = pid_said(_metadata,
		       BOXLITE(0, "detach", "web", shim_path(), "pause"));
	kill(pid, SIGKILL);
	hosted_await_zombie(_metadata, pid);
	hosted_leaves_zombies = true;
	EXPECT_SAYS("web exited ", BOXLITE(1, "status", "web"));
	EXPECT_SAYS("web Stopped", BOXLITE(0, "recover"));
	EXPECT_EQ(SIGKILL, hosted_status(_metadata, pid));
	EXPECT_SAYS("web Stopped", BOXLITE(0, "recover"));
	EXPECT_FALSE(box_has(&self->home, "web", "shim.pid"));
}

TEST_F(boxlite, a_record_of_another_boot_is_nobodys)
{
	struct path path = in_box(&self->home, "web", "shim.pid");
	char text[PIDTRACK_RECORD_MAX], *at;
	const char *native;
	pid_t pid;

	BOXLITE(0, "create", "web");
	pid = pid_said(_metadata,
		       BOXLITE(0, "detach", "web", shim_path(), "pause"));
	native = file_read(_metadata, path.text);
	ASSERT_TRUE(native != NULL);
	native = strstr(native, "pidtrack1:");
	ASSERT_TRUE(native != NULL);
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(native, "\n"),
		 native);
	file_text(_metadata, path.text, text, 0600);
	EXPECT_SAYS("web same ", BOXLITE(0, "status", "web"));
	at = strstr(text, "boot=");
	ASSERT_TRUE(at != NULL);
	at[5] = at[5] == '0' ? '1' : '0';
	file_text(_metadata, path.text, text, 0600);

	EXPECT_SAYS("web Stopped: the boot id is another",
		    BOXLITE(0, "recover"));
	EXPECT_FALSE(box_has(&self->home, "web", "shim.pid"));
	EXPECT_TRUE(hosted_runs(pid));
	stranger_end(_metadata, pid);
}

TEST_F(boxlite, what_is_no_record_or_not_to_be_read_is_kept_and_unknown)
{
	static const char *const texts[] = {
		"",	     "0\n",	     "1\n",
		"-1\n",	     "4294967295\n", "2147483648",
		"\n47",	     "abc\n",	     "99999999999\n",
		"47\nabc\n", "47\n11\nfing",
	};
	static const char *const names[] = { "link", "directory", "fifo" };
	struct path path;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		box_make(_metadata, &self->home, text_of("text-%zu", i).text,
			 "Running\n", texts[i]);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		box_make(_metadata, &self->home, names[i], "Running\n", NULL);
		path = in_box(&self->home, names[i], "shim.pid");
		if (i == 0)
			ASSERT_EQ(0, symlink("/proc/self/stat", path.text));
		else if (i == 1)
			ASSERT_EQ(0, mkdir(path.text, 0700));
		else
			ASSERT_EQ(0, mkfifo(path.text, 0600));
	}
	BOXLITE(0, "recover", "adopt");
	BOXLITE(3, "shutdown", "0");
	for (i = 0; i < ARRAY_SIZE(texts) + ARRAY_SIZE(names); i++) {
		struct path id = text_of("text-%zu", i);

		if (i >= ARRAY_SIZE(texts))
			id = text_of("%s", names[i - ARRAY_SIZE(texts)]);
		box_expect(_metadata, &self->home, id.text, "Running\n");
		EXPECT_TRUE(box_has(&self->home, id.text, "shim.pid"));
		EXPECT_SAYS(text_of("%.20s Unknown: ", id.text).text,
			    BOXLITE(3, "remove", id.text, "force"));
	}
}

/* ---- how it ended, by its own word ---- */

#define REPORT "{\"type\":\"panic\",\"exit_code\":101,\"message\":\"x\"}"

TEST_F(boxlite, a_shim_that_left_a_report_has_failed_and_may_be_started_again)
{
	struct path path = in_box(&self->home, "web", "exit");
	pid_t pid = dead_number(_metadata);

	box_make(_metadata, &self->home, "web", "Running detached\n",
		 text_of("%d\n4711\n", pid).text);
	file_text(_metadata, path.text, REPORT, 0644);
	EXPECT_STREQ("web Failed: " REPORT "\n", BOXLITE(0, "recover"));
	EXPECT_SAYS("web Failed", BOXLITE(0, "recover"));
	EXPECT_STREQ(REPORT, file_read(_metadata, path.text));
	EXPECT_FALSE(box_has(&self->home, "web", "shim.pid"));

	pid = pid_said(_metadata,
		       BOXLITE(0, "detach", "web", shim_path(), "pause"));
	EXPECT_FALSE(box_has(&self->home, "web", "exit"));
	path = in_box(&self->home, "web", "exit.previous");
	EXPECT_STREQ(REPORT, file_read(_metadata, path.text));
	BOXLITE(0, "stop", "web");
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, pid));
}

TEST_F(boxlite, a_report_of_one_before_is_put_away_while_a_shim_lives)
{
	pid_t pid;

	BOXLITE(0, "create", "web");
	pid = pid_said(_metadata,
		       BOXLITE(0, "detach", "web", shim_path(), "pause"));
	file_text(_metadata, in_box(&self->home, "web", "exit").text, REPORT,
		  0644);
	EXPECT_SAYS("web Running ", BOXLITE(0, "recover"));
	EXPECT_FALSE(box_has(&self->home, "web", "exit"));
	EXPECT_STREQ(
		REPORT,
		file_read(_metadata,
			  in_box(&self->home, "web", "exit.previous").text));
	stranger_end(_metadata, pid);

	file_text(_metadata, in_box(&self->home, "web", "exit").text,
		  "{ no report", 0644);
	EXPECT_SAYS("web Stopped", BOXLITE(0, "recover"));
}

/* ---- stopping ---- */

TEST_F(boxlite, what_does_not_run_is_not_stopped_started_or_signalled)
{
	static const char *const states[] = { "Configured", "Stopped",
					      "Failed" };
	pid_t pid = stranger(_metadata);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		struct path said = text_of("%s %s: nothing to stop\n",
					   states[i], states[i]);

		box_make(_metadata, &self->home, states[i], states[i],
			 text_of("%d\n%" PRIu64 "\n", pid,
				 proc_start(_metadata, pid))
				 .text);
		EXPECT_STREQ(said.text, BOXLITE(0, "stop", states[i], "0"));
	}
	BOXLITE(0, "shutdown", "0");
	EXPECT_TRUE(hosted_runs(pid));
	stranger_end(_metadata, pid);
	EXPECT_EQ(0, child_is_any());
}

/* A shim whose output a test reads: its log is a FIFO. */
static int log_open(struct __test_metadata *_metadata,
		    const struct directory *home, const char *id)
{
	struct path path = in_box(home, id, "shim.log");
	int fd;

	ASSERT_EQ(0, mkfifo(path.text, 0600));
	fd = open(path.text, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	return fd;
}

TEST_F(boxlite, a_shim_that_ignores_sigterm_is_killed_after_its_time)
{
	pid_t pid;
	int log;

	BOXLITE(0, "create", "web");
	log = log_open(_metadata, &self->home, "web");
	pid = pid_said(_metadata,
		       BOXLITE(0, "detach", "web", shim_path(), "ignore",
			       "TERM", "write", "ready", "pause"));
	ASSERT_STREQ("ready\n", fd_text(_metadata, log, true));
	EXPECT_SAYS("web Stopped", BOXLITE(0, "stop", "web", "50"));
	EXPECT_EQ(SIGKILL, hosted_status(_metadata, pid));
	close(log);
}

TEST_F(boxlite, a_shutdown_leaves_what_is_detached_and_may_come_twice)
{
	pid_t other = stranger(_metadata), detached;

	box_make(_metadata, &self->home, "bound", "Running\n",
		 text_of("%d\n%" PRIu64 "\n", other,
			 proc_start(_metadata, other))
			 .text);
	box_make(_metadata, &self->home, "none", "Running\n", NULL);
	BOXLITE(0, "create", "web");
	detached = pid_said(_metadata,
			    BOXLITE(0, "detach", "web", shim_path(), "pause"));
	BOXLITE(0, "shutdown");
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, other));
	EXPECT_TRUE(hosted_runs(detached));
	box_expect(_metadata, &self->home, "bound", "Stopped\n");
	box_expect(_metadata, &self->home, "web", "Running detached\n");
	EXPECT_FALSE(box_has(&self->home, "bound", "shim.pid"));
	EXPECT_TRUE(box_has(&self->home, "web", "shim.pid"));
	BOXLITE(0, "shutdown");
	EXPECT_TRUE(hosted_runs(detached));
	BOXLITE(0, "remove", "web", "force");
	EXPECT_EQ(SIGKILL, hosted_status(_metadata, detached));
}

/* The launcher, its VM, and what that has in a session of its own. */
static const char tree[] = "setsid sh -c 'echo $$; kill -STOP $$' & "
			   "sh -c 'echo $$; kill -STOP $$' & "
			   "trap '' TERM; while :; do wait; done";

TEST_F(boxlite, no_process_of_a_boxs_tree_outlives_it)
{
	static const char *const commands[][2] = { { "remove", "force" },
						   { "stop", "50" } };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		pid_t pids[3];
		int log;

		BOXLITE(0, "create", "web");
		log = log_open(_metadata, &self->home, "web");
		pids[0] = pid_said(_metadata, BOXLITE(0, "detach", "web",
						      "/bin/sh", "-c", tree));
		for (j = 1; j < 3; j++)
			pids[j] = atoi(fd_text(_metadata, log, true));
		BOXLITE(0, commands[i][0], "web", commands[i][1]);
		for (j = 0; j < 3; j++)
			EXPECT_NE(0, kill(pids[j], 0));
		EXPECT_EQ(0, child_is_any());
		close(log);
	}
}

TEST_HARNESS_MAIN
