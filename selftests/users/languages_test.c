/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The same host in other languages, of which PIDTRACK_TEST_HOST is one: it is
 * told what to do a line at a time, as cpp/host.cc says, and what it answers is
 * the same in each.
 */
#include "../mounts.h"
#include "hosted.h"

FIXTURE(language)
{
	struct directory records;
	struct room room;
	const char *pins; /* NULL: records alone */
	struct hosted host;
	struct child shim;
};

FIXTURE_SETUP(language)
{
	self->shim = (struct child)CHILD_NULL;
	hosted_or_skip(_metadata);
	if (!_metadata->skipped)
		directory_make(_metadata, &self->records);
}

FIXTURE_TEARDOWN(language)
{
	child_close(&self->shim);
	room_end(&self->room);
	directory_remove(&self->records);
}

/* ---- what is said to it, and by it ---- */

/* Up to a line that begins so, which is lent. */
static const char *await_line(struct __test_metadata *_metadata,
			      const struct hosted *host, const char *beginning)
{
	static char before[4096];
	const char *line;

	before[0] = '\0';
	for (;;) {
		line = fd_text(_metadata, host->out, true);
		if (!strncmp(line, beginning, strlen(beginning)))
			return line;
		ASSERT_STRNE("", line)
		{
			TH_LOG("it never said '%s' but:\n%s", beginning,
			       before);
		}
		strncat(before, line, sizeof(before) - strlen(before) - 1);
	}
}

static const char *const *life(const char *records, const char *pins)
{
	static const char *arguments[3];

	arguments[0] = records;
	arguments[1] = pins;
	return arguments;
}

#define TELL(...) ASSERT_GT(dprintf(self->host.in, __VA_ARGS__), 0)
#define AWAIT(beginning) await_line(_metadata, &self->host, (beginning))
#define BEGIN()                               \
	(self->host = hosted_start(_metadata, \
				   life(self->records.path, self->pins)))
#define EXPECT_LEAVES(code)                                        \
	do {                                                       \
		int status_ = hosted_wait(_metadata, &self->host); \
		EXPECT_TRUE(WIFEXITED(status_));                   \
		EXPECT_EQ(code, WEXITSTATUS(status_));             \
	} while (0)

/* A shim "web" that exits with 3 when it is sent SIGTERM. */
#define LAUNCH_WEB() LAUNCH_WEB_THAT("catch TERM write up pause exit 3")
#define LAUNCH_WEB_THAT(does)                                    \
	do {                                                     \
		TELL("launch web %s %s\n", shim_path(), (does)); \
		web_open(_metadata, &self->host, &self->shim);   \
	} while (0)

static void web_open(struct __test_metadata *_metadata,
		     const struct hosted *host, struct child *shim)
{
	const char *line = fd_text(_metadata, host->out, true);
	bool up = !strcmp(line, "up\n");
	int pid = 0;

	if (up) /* both write into one pipe */
		line = fd_text(_metadata, host->out, true);
	ASSERT_EQ(1, sscanf(line, "web launched %d", &pid))
	{
		TH_LOG("%s", line);
	}
	ASSERT_EQ(0, child_open(shim, pid));
	if (!up)
		await_line(_metadata, host, "up\n");
}

static void kill_host(struct __test_metadata *_metadata, struct hosted *host)
{
	EXPECT_EQ(0, kill(host->pid, SIGKILL)); /* our child, not reaped */
	EXPECT_EQ(SIGKILL, hosted_wait(_metadata, host));
}

static bool tells_of_others(void)
{
	return !pidtrack_feature_probe(PIDTRACK_FEATURE_EXIT_INFO);
}

static const char *recovered(const char *otherwise)
{
	return tells_of_others() ? otherwise : "web ended unknown\n";
}

/* ---- one life ---- */

TEST_F(language, how_a_shim_ended_is_told)
{
	BEGIN();
	AWAIT("ready\n");
	LAUNCH_WEB();
	EXPECT_STREQ("web.record ", directory_list(&self->records));
	EXPECT_EQ(0, child_signal(&self->shim, SIGTERM));
	AWAIT("web ended code 3 waited\n");
	child_close(&self->shim);

	LAUNCH_WEB();
	EXPECT_EQ(0, child_signal(&self->shim, SIGKILL));
	AWAIT("web ended signal 9 waited\n");
	EXPECT_LEAVES(0);
	EXPECT_STREQ("", directory_list(&self->records));
}

/* Each by a thread that is gone when its shim ends, where there are threads. */
TEST_F(language, the_end_of_each_of_many_is_told_once)
{
	unsigned long long told = 0;
	int i, n;

	BEGIN();
	AWAIT("ready\n");
	for (i = 0; i < 32; i++)
		TELL("launch %d %s exit %d\n", i, shim_path(), i);
	for (n = 0; n < 32;) {
		const char *line = fd_text(_metadata, self->host.out, true);
		int label, code;

		ASSERT_STRNE("", line);
		if (sscanf(line, "%d ended code %d waited", &label, &code) != 2)
			continue;
		ASSERT_EQ(label, code);
		EXPECT_FALSE(told & 1ULL << label);
		told |= 1ULL << label;
		n++;
	}
	EXPECT_LEAVES(0);
	EXPECT_STREQ("", directory_list(&self->records));
}

/* In the words of each language, but for the place. */
TEST_F(language, what_was_refused_is_an_error_with_its_place)
{
	const char *line;

	BEGIN();
	AWAIT("ready\n");
	TELL("launch web /nonexistent\n");
	line = AWAIT("web: exec: ");
	EXPECT_TRUE(strcasestr(line, "no such file or directory") != NULL);
	LAUNCH_WEB();
	TELL("launch web %s exit 0\n", "/");
	line = AWAIT("web: exec: ");
	EXPECT_TRUE(strcasestr(line, "permission denied") != NULL);
	TELL("verify other\n");
	line = AWAIT("other: ");
	EXPECT_TRUE(strcasestr(line, "no such file or directory") != NULL);
	TELL("stop other 1\n");
	AWAIT("other: nobody\n");
	TELL("verify web\n");
	AWAIT("web same: ");
	TELL("stop web 10000\n");
	AWAIT("web ended code 3 waited\n");
	EXPECT_LEAVES(0);
}

TEST_F(language, a_tracker_that_cannot_be_made_ends_it_with_a_reason)
{
	struct path path = path_in(&self->records, "file");
	const char *said;

	file_text(_metadata, path.text, "", 0600);
	said = SAID(4, self->records.path, text_of("%s/x", path.text).text);
	EXPECT_SAYS("host: ", said);
	EXPECT_TRUE(strcasestr(said, "not a directory") != NULL);
}

TEST_F(language, one_that_does_not_listen_is_killed_in_the_end)
{
	BEGIN();
	AWAIT("ready\n");
	LAUNCH_WEB_THAT("ignore TERM write up pause");
	TELL("stop web 20\n");
	AWAIT("web escalated 9\n");
	AWAIT("web ended signal 9 waited\n");
	EXPECT_LEAVES(0);
}

TEST_F(language, a_status_that_another_part_of_the_host_took_is_told)
{
	BEGIN();
	AWAIT("ready\n");
	LAUNCH_WEB();
	TELL("wait web\n");
	AWAIT("web awaited\n");
	EXPECT_EQ(0, child_signal(&self->shim, SIGTERM));
	AWAIT("web waited for\n");
	/* a tracker's own thread may have looked at it before it was reaped */
	EXPECT_NE(NULL, strstr(AWAIT("web ended "),
			       tells_of_others() ? "code 3 " : ""));
	EXPECT_LEAVES(0);
}

/* ---- several lives ---- */

TEST_F(language, a_shim_is_handed_over_to_the_next_program)
{
	int i;

	BEGIN();
	AWAIT("ready\n");
	LAUNCH_WEB();
	for (i = 0; i < 3; i++) {
		TELL("again\n");
		AWAIT("web is same\n");
		AWAIT("ready\n");
	}
	EXPECT_EQ(0, child_signal(&self->shim, SIGTERM));
	AWAIT("web ended code 3 waited\n");
	EXPECT_LEAVES(0);
	EXPECT_STREQ("", directory_list(&self->records));
}

/* From here on nobody reads what it may say. */
TEST_F(language, the_next_life_finds_a_shim_by_its_record)
{
	BEGIN();
	AWAIT("ready\n");
	LAUNCH_WEB_THAT("write up pause");
	kill_host(_metadata, &self->host);
	EXPECT_TRUE(hosted_runs(self->shim.pid));

	BEGIN();
	AWAIT("web is same\n");
	AWAIT("ready\n");
	EXPECT_EQ(0, child_signal(&self->shim, SIGTERM));
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, self->shim.pid));
	AWAIT(recovered("web ended signal 15 recovered\n"));
	EXPECT_LEAVES(0);
	EXPECT_STREQ("", directory_list(&self->records));
}

TEST_F(language, the_next_life_knows_by_its_record_that_a_shim_is_gone)
{
	BEGIN();
	AWAIT("ready\n");
	LAUNCH_WEB_THAT("write up pause");
	kill_host(_metadata, &self->host);
	EXPECT_EQ(0, child_signal(&self->shim, SIGTERM));
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, self->shim.pid));

	file_text(_metadata, path_in(&self->records, "torn.record").text,
		  "pidtrack-record ", 0600);
	BEGIN();
	AWAIT("web is gone\n");
	EXPECT_LEAVES(0);
	EXPECT_STREQ("torn.record ", directory_list(&self->records));
	BEGIN();
	AWAIT("torn: ");
	AWAIT("ready\n");
	EXPECT_LEAVES(0);
}

/* Pins are for root, and for a mount namespace of the test's. */
static void pins_or_skip(struct __test_metadata *_metadata, struct room *room,
			 const char **ret_pins)
{
	int r = pidtrack_feature_probe(PIDTRACK_FEATURE_PIN);

	if (r < 0 || !tells_of_others())
		SKIP(return, "no pins, or no statuses of others' children");
	if (room_make(_metadata, room))
		*ret_pins = room->pins;
}

TEST_F(language, the_next_life_is_told_by_a_pin_how_a_shim_ended)
{
	pins_or_skip(_metadata, &self->room, &self->pins);
	if (_metadata->skipped)
		return;
	BEGIN();
	AWAIT("ready\n");
	LAUNCH_WEB_THAT("write up pause");
	kill_host(_metadata, &self->host);
	BEGIN();
	AWAIT("web is same\n");
	AWAIT("ready\n");
	kill_host(_metadata, &self->host);
	EXPECT_EQ(0, child_signal(&self->shim, SIGTERM));
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, self->shim.pid));

	BEGIN();
	AWAIT("web is exited\n");
	AWAIT("web ended signal 15 recovered\n");
	EXPECT_LEAVES(0);
	EXPECT_EQ(0, mounts_at(self->room.pins));
	EXPECT_FALSE(path_exists(self->room.pins));
	EXPECT_STREQ("", directory_list(&self->records));
}

/* Leaves by itself, and has everything again. */
TEST_F(language, whoever_leaves_lets_its_shims_run)
{
	pins_or_skip(_metadata, &self->room, &self->pins);
	if (_metadata->skipped)
		return;
	BEGIN();
	AWAIT("ready\n");
	LAUNCH_WEB_THAT("write up pause");
	EXPECT_LEAVES(0);
	EXPECT_TRUE(hosted_runs(self->shim.pid));
	BEGIN();
	AWAIT("web is same\n");
	AWAIT("ready\n");
	TELL("stop web 10000\n");
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, self->shim.pid));
	AWAIT("web ended signal 15 recovered\n");
	EXPECT_LEAVES(0);
	EXPECT_FALSE(path_exists(self->room.pins));
}

TEST_HARNESS_MAIN
