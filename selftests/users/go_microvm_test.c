/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A host with go-microvm's state, and stale runners. */
#include "hosted.h"

#define STATE "go-microvm-state.json"

FIXTURE(go_microvm)
{
	struct directory dir;
	int log; /* the runners' output, and the end of it that keeps it open */
};

FIXTURE_SETUP(go_microvm)
{
	struct path log;

	hosted_or_skip(_metadata);
	if (_metadata->skipped)
		return;
	directory_make(_metadata, &self->dir);
	log = path_in(&self->dir, "runner.log");
	ASSERT_EQ(0, mkfifo(log.text, 0600));
	self->log = open(log.text, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->log, 0);
}

FIXTURE_TEARDOWN(go_microvm)
{
	close(self->log);
	directory_remove(&self->dir);
}

#define VM(code, ...) SAID(code, self->dir.path, __VA_ARGS__)

static pid_t pid_started(struct __test_metadata *_metadata, const char *said)
{
	const char *at = strstr(said, "started ");

	ASSERT_TRUE(at != NULL);
	return atoi(at + strlen("started "));
}

#define START(...) \
	pid_started(_metadata, VM(0, "start", "web", shim_path(), __VA_ARGS__))

/* A state of a go-microvm without fingerprints; each field a line. */
static void state_of(struct __test_metadata *_metadata,
		     const struct directory *dir, const char *pid)
{
	struct path data = path_in(dir, "data");

	mkdir(data.text, 0700);
	file_text(_metadata, text_of("%s/data/disk", dir->path).text, "x",
		  0600);
	file_text(_metadata, path_in(dir, STATE).text,
		  text_of("{\n  \"version\": 1,\n  \"active\": true,\n"
			  "  \"name\": \"web\",\n  \"cpus\": 1,\n"
			  "  \"pid\": %s,\n"
			  "  \"created_at\": \"2026-01-01T00:00:00Z\"\n}\n",
			  pid)
			  .text,
		  0600);
}

static bool data_is_kept(const struct directory *dir)
{
	return !access(text_of("%s/data/disk", dir->path).text, F_OK);
}

/* What is read up to now of what is written by nobody any more. */
static const char *log_rest(struct __test_metadata *_metadata, int log)
{
	static char text[4096];
	ssize_t n = 0;

	text[0] = '\0';
	if (await_fd(log, POLLIN, 0) & POLLIN)
		n = read(log, text, sizeof(text) - 1);
	ASSERT_GE(n, 0);
	text[n] = '\0';
	return text;
}

TEST_F(go_microvm, a_runner_outlives_its_host_is_found_again_and_stopped)
{
	const char *text;
	pid_t pid = START("write", "ready", "session", "pause");

	ASSERT_STREQ("ready\n", fd_text(_metadata, self->log, true));
	text = fd_text(_metadata, self->log, true);
	EXPECT_EQ(0, strncmp(text, text_of("%d ", pid).text,
			     strlen(text_of("%d ", pid).text)));
	EXPECT_TRUE(strstr(text, text_of(" %d %d\n", pid, pid).text) != NULL);
	EXPECT_SAYS(text_of("same %d: ", pid).text, VM(0, "status"));
	EXPECT_SAYS("stopped", VM(0, "stop"));
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, pid));
	EXPECT_SAYS("gone 0: no runner is known", VM(1, "status"));
	EXPECT_SAYS("stopped", VM(0, "stop"));
}

TEST_F(go_microvm, the_state_is_what_older_ones_read_and_a_pid_file_is_beside)
{
	pid_t pid = START("pause");
	const char *text =
		file_read(_metadata, path_in(&self->dir, STATE).text);

	ASSERT_TRUE(text != NULL);
	EXPECT_EQ(text, strstr(text, "{\n  \"version\": 1,\n  \"active\": true,"
				     "\n  \"name\": \"web\",\n"));
	EXPECT_TRUE(strstr(text, text_of("\n  \"pid\": %d,\n", pid).text) !=
		    NULL);
	EXPECT_TRUE(strstr(text, "\n  \"pid_fingerprint\": \"pidtrack1:") !=
		    NULL);
	text = file_read(_metadata, path_in(&self->dir, "runner.pid").text);
	ASSERT_TRUE(text != NULL);
	EXPECT_EQ(pid, atoi(text));
	VM(0, "stop");
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, pid));
	text = file_read(_metadata, path_in(&self->dir, STATE).text);
	ASSERT_TRUE(text != NULL);
	EXPECT_TRUE(strstr(text, "\"active\": false") != NULL);
	EXPECT_NULL(strstr(text, "\"pid"));
	EXPECT_NE(0, access(path_in(&self->dir, "runner.pid").text, F_OK));
}

TEST_F(go_microvm, a_group_is_sent_one_sigterm_and_no_more_if_it_obeys)
{
	static const char group[] = "\"$0\" catch TERM write ready pause &"
				    "exec \"$0\" catch TERM write ready pause";
	pid_t pid = pid_started(_metadata, VM(0, "start", "web", "/bin/sh",
					      "-c", group, shim_path()));

	ASSERT_STREQ("ready\n", fd_text(_metadata, self->log, true));
	ASSERT_STREQ("ready\n", fd_text(_metadata, self->log, true));
	EXPECT_SAYS("stopped", VM(0, "stop"));
	EXPECT_EQ(0, hosted_status(_metadata, pid));
	EXPECT_EQ(0, child_is_any());
	EXPECT_STREQ("caught 15\ncaught 15\n", log_rest(_metadata, self->log));
}

TEST_F(go_microvm, a_stubborn_group_is_killed_after_its_time)
{
	static const char group[] =
		"\"$0\" ignore TERM write ready pause &"
		"exec \"$0\" catch TERM write ready pause pause";
	pid_t pid = pid_started(_metadata, VM(0, "start", "web", "/bin/sh",
					      "-c", group, shim_path()));

	ASSERT_STREQ("ready\n", fd_text(_metadata, self->log, true));
	ASSERT_STREQ("ready\n", fd_text(_metadata, self->log, true));
	/* long enough for the one that catches it to say so, under load too */
	EXPECT_SAYS("stopped", VM(0, "stop", "2000"));
	EXPECT_EQ(SIGKILL, hosted_status(_metadata, pid));
	EXPECT_EQ(0, child_is_any());
	EXPECT_STREQ("caught 15\n", log_rest(_metadata, self->log));
}

/* What it sees when it is told to end is what it had. */
TEST_F(go_microvm, a_stale_runner_has_ended_before_its_data_is_wiped)
{
	static const char runner[] = "trap 'ls \"$1/data\"; exit 3' TERM\n"
				     "\"$0\" pause & echo ready; wait";
	pid_t stale = pid_started(_metadata,
				  VM(0, "start", "web", "/bin/sh", "-c", runner,
				     shim_path(), self->dir.path)),
	      pid;

	ASSERT_STREQ("ready\n", fd_text(_metadata, self->log, true));
	file_text(_metadata, text_of("%s/data/disk", self->dir.path).text, "x",
		  0600);
	pid = START("pause");
	EXPECT_EQ(3 << 8, hosted_status(_metadata, stale));
	EXPECT_STREQ("disk\n", log_rest(_metadata, self->log));
	EXPECT_FALSE(data_is_kept(&self->dir));
	EXPECT_SAYS(text_of("same %d: ", pid).text, VM(0, "status"));
	VM(0, "stop", "0");
	hosted_status(_metadata, pid);
}

/* The state names nobody then, or is half of what another host wrote. */
TEST_F(go_microvm, a_host_killed_before_it_wrote_the_state_loses_no_runner)
{
	static const char *const states[] = {
		"{\n  \"version\": 1,\n  \"active\": true,\n"
		"  \"name\": \"web\"\n}\n",
		"{\n  \"version\": 1,\n  \"act",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		pid_t pid = START("pause"), other;

		file_text(_metadata, path_in(&self->dir, STATE).text, states[i],
			  0600);
		EXPECT_SAYS(text_of("same %d: ", pid).text, VM(0, "status"));
		other = START("exit", "0");
		EXPECT_EQ(SIGTERM, hosted_status(_metadata, pid));
		EXPECT_EQ(0, hosted_status(_metadata, other));
	}
}

TEST_F(go_microvm, a_state_that_cannot_be_read_wipes_nothing)
{
	state_of(_metadata, &self->dir, "4711");
	file_text(_metadata, path_in(&self->dir, STATE).text, "{ \"pid\": 47",
		  0600);
	EXPECT_SAYS("unproven 0: ", VM(3, "start", "web", shim_path()));
	EXPECT_TRUE(data_is_kept(&self->dir));
}

TEST_F(go_microvm, an_older_state_of_a_dead_runner_is_stale)
{
	pid_t pid;

	state_of(_metadata, &self->dir,
		 text_of("%d", dead_number(_metadata)).text);
	EXPECT_SAYS("gone 0: ", VM(1, "status"));
	pid = START("pause");
	EXPECT_FALSE(data_is_kept(&self->dir));
	VM(0, "stop", "0");
	hosted_status(_metadata, pid);
	state_of(_metadata, &self->dir, "99999999");
	EXPECT_SAYS("stopped", VM(0, "stop", "0"));
}

TEST_F(go_microvm, an_older_state_of_a_live_process_is_not_signalled_or_wiped)
{
	pid_t pid = stranger(_metadata);

	state_of(_metadata, &self->dir, text_of("%d", pid).text);
	EXPECT_SAYS("unproven 0: ", VM(3, "stop", "0"));
	EXPECT_SAYS("unproven 0: ", VM(3, "start", "web", shim_path()));
	setenv("GO_MICROVM_ADOPT", "/usr/bin/go-microvm-runner", 1);
	EXPECT_SAYS("unproven 0: ", VM(3, "stop", "0"));
	EXPECT_TRUE(data_is_kept(&self->dir));
	EXPECT_TRUE(hosted_runs(pid));

	setenv("GO_MICROVM_ADOPT", shim_path(), 1);
	EXPECT_SAYS(text_of("unproven %d: ", pid).text, VM(0, "status"));
	unsetenv("GO_MICROVM_ADOPT");
	EXPECT_SAYS(text_of("same %d: ", pid).text, VM(0, "status"));
	EXPECT_SAYS("stopped", VM(0, "stop"));
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, pid));
}

TEST_F(go_microvm, no_number_that_is_no_runners_is_ever_signalled)
{
	static const char *const numbers[] = { "0",	     "1",
					       "-1",	     "4294967295",
					       "2147483648", "\"web\"" };
	size_t i;

	setenv("GO_MICROVM_ADOPT", "/sbin/init", 1);
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		state_of(_metadata, &self->dir, numbers[i]);
		EXPECT_SAYS("unproven 0: ", VM(3, "stop", "0"));
		EXPECT_SAYS("unproven 0: ", VM(3, "start", "web", shim_path()));
		EXPECT_TRUE(data_is_kept(&self->dir));
	}
}

TEST_HARNESS_MAIN
