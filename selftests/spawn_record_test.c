/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching with a record: what is in it, whose it is, and that it is there
 * exactly when the shim runs.
 */
#include <sched.h>

#include "launch.h"
#include "seccomp.h"

#define BEFORE "12345\n67890\nwritten=before\n"

FIXTURE(record)
{
	struct directory directory;
	struct path path;
};

FIXTURE_SETUP(record)
{
	directory_make(_metadata, &self->directory);
	self->path = path_in(&self->directory, "record");
}

FIXTURE_TEARDOWN(record)
{
	directory_remove(&self->directory);
}

/* ---- what is in it ---- */

/* Undoes percent-escapes, in place; the size then. */
static size_t unescape(char *text)
{
	char *to = text, *from = text;
	unsigned int byte;

	while (*from) {
		if (*from == '%' && sscanf(from + 1, "%2x", &byte) == 1) {
			*to++ = (char)byte;
			from += 3;
		} else {
			*to++ = *from++;
		}
	}
	return to - text;
}

/* Whether one of the lines from the third on has just this value. */
static bool record_has(const char *text, const void *bytes, size_t size)
{
	char *copy = strdup(text), *rest = copy, *line;
	bool found = false;

	while (!found && (line = strsep(&rest, "\n"))) {
		char *value = strchr(line, '=');

		found = value && unescape(value + 1) == size &&
			!memcmp(value + 1, bytes, size);
	}
	free(copy);
	return found;
}

static bool is_key_and_value(const char *line)
{
	size_t key = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_-.");
	const char *c;

	if (!key || line[key] != '=')
		return false;
	for (c = line; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return false;
	return true;
}

/* Two numbers, then keys and values, each line ended; the last sums it up. */
static void record_check(struct __test_metadata *_metadata, const char *text,
			 pid_t pid)
{
	char *copy = strdup(text), *rest = copy, *line;
	const char *last = "";
	char pid_text[32], start_text[32];

	snprintf(pid_text, sizeof(pid_text), "%d", pid);
	snprintf(start_text, sizeof(start_text), "%" PRIu64,
		 proc_start(_metadata, pid));
	EXPECT_LE(strlen(text), 4096);
	EXPECT_STREQ(pid_text, strsep(&rest, "\n"));
	EXPECT_STREQ(start_text, rest ? strsep(&rest, "\n") : "");
	while (rest && *rest) {
		line = strsep(&rest, "\n");
		EXPECT_TRUE(rest != NULL);
		EXPECT_TRUE(is_key_and_value(line))
		{
			TH_LOG("'%s'", line);
		}
		last = line;
	}
	EXPECT_TRUE(strstr(last, "sum=") || !strncmp(last, "crc", 3) ||
		    !strncmp(last, "check", 5))
	{
		TH_LOG("the last line is '%s'", last);
	}
	free(copy);
}

/* Launches a shim that waits, and copies its record as of that instant. */
static void launch_recorded(struct __test_metadata *_metadata,
			    struct launch *launch,
			    struct pidtrack_spawn_options *options,
			    char *ret_text, size_t size)
{
	const char *text;
	int r;

	if (!options->argv)
		options->argv = SHIM("wait");
	launch_open(_metadata, launch);
	r = launch_spawn(_metadata, launch, options);
	ASSERT_EQ(0, r)
	{
		TH_LOG("at stage %s", pidtrack_stage_name(launch->stage));
	}
	text = file_read(_metadata, options->record);
	ASSERT_TRUE(text != NULL);
	ASSERT_LT(strlen(text), size);
	memcpy(ret_text, text, strlen(text) + 1);
	record_check(_metadata, ret_text,
		     pidtrack_process_pid(launch->process));
}

static void launch_finish(struct __test_metadata *_metadata,
			  struct launch *launch)
{
	EXPECT_EQ(0, launch_wait(_metadata, launch));
	launch_close(launch);
}

TEST_F_WANTS(record, it_is_complete_when_the_launch_returns, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text);
	struct launch launch = LAUNCH_NULL;
	char text[8192];
	struct stat st;

	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	ASSERT_EQ(0, lstat(self->path.text, &st));
	EXPECT_EQ(S_IFREG | 0600, st.st_mode);
	EXPECT_EQ(1, st.st_nlink);
	EXPECT_STREQ("record ", directory_list(&self->directory));
	launch_finish(_metadata, &launch);
	EXPECT_STREQ("record ", directory_list(&self->directory));
}

TEST_F_WANTS(record, it_may_be_synchronous, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text,
				       .flags = PIDTRACK_SPAWN_RECORD_SYNC);
	struct launch launch = LAUNCH_NULL;
	char text[8192];

	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	launch_finish(_metadata, &launch);
	EXPECT_STREQ("record ", directory_list(&self->directory));
}

TEST_F_WANTS(record, it_has_label_and_payload, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text,
				       .label = "box = 100% \xc3\xa9");
	static const char payload[] = "two\nlines\0a NUL, \xff\xfe\x80\r\n%00 "
				      "= pid\n1\n2\n";
	struct launch launch = LAUNCH_NULL;
	char text[8192];

	options.payload = payload;
	options.payload_size = sizeof(payload);
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	EXPECT_TRUE(record_has(text, options.label, strlen(options.label)));
	EXPECT_TRUE(record_has(text, payload, sizeof(payload)));
	launch_finish(_metadata, &launch);
}

TEST_F_WANTS(record, any_payload_up_to_1024_bytes_fits, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text,
				       .payload_size = 1024);
	struct launch launch = LAUNCH_NULL;
	char payload[1025], label[256], text[8192];
	int i;

	for (i = 0; i < 1025; i++)
		payload[i] = (char)(i + i / 256);
	options.payload = payload;
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	EXPECT_TRUE(record_has(text, payload, 1024));
	launch_finish(_metadata, &launch);

	/* and the worst of both at once, within what readers take */
	memset(payload, '\n', sizeof(payload));
	memset(label, '\xff', 255);
	label[255] = '\0';
	options.label = label;
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	EXPECT_TRUE(record_has(text, payload, 1024));
	EXPECT_TRUE(record_has(text, label, 255));
	launch_finish(_metadata, &launch);

	options.payload_size = 1025;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.payload_size = UINT32_MAX;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.payload_size = 4;
	options.payload = NULL;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
}

TEST_F_WANTS(record, in_a_pid_namespace_it_has_the_pid_the_host_sees, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("session", "wait"),
				       .record = self->path.text,
				       .namespaces = CLONE_NEWPID |
						     CLONE_NEWNS);
	struct launch launch = LAUNCH_NULL;
	char text[8192];

	SKIP_WITHOUT_NAMESPACES(CLONE_NEWPID | CLONE_NEWNS);
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	EXPECT_EQ(0, strncmp("1 ", launch_line(_metadata, &launch), 2));
	launch_finish(_metadata, &launch);
}

TEST_F_WANTS(record, in_a_user_namespace_it_is_written_as_the_host, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text,
				       .namespaces = CLONE_NEWUSER);
	struct launch launch = LAUNCH_NULL;
	char text[8192];
	struct stat st;

	SKIP_WITHOUT_NAMESPACES(CLONE_NEWUSER);
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	ASSERT_EQ(0, stat(self->path.text, &st));
	EXPECT_EQ(geteuid(), st.st_uid);
	launch_finish(_metadata, &launch);
}

TEST_F_WANTS(record, it_is_the_same_without_clone3_or_close_range, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text);
	struct launch launch = LAUNCH_NULL;
	char text[8192];

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, EPERM));
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	launch_finish(_metadata, &launch);
	ASSERT_EQ(0, seccomp_refuse(SYS_close_range, EPERM));
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	launch_finish(_metadata, &launch);
}

TEST_F_WANTS(record,
	     in_a_pid_namespace_it_is_the_same_without_clone3_or_close_range,
	     proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text,
				       .namespaces = CLONE_NEWPID);
	struct launch launch = LAUNCH_NULL;
	char text[8192];

	SKIP_WITHOUT_NAMESPACES(CLONE_NEWPID);
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, EPERM));
	ASSERT_EQ(0, seccomp_refuse(SYS_close_range, EPERM));
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	launch_finish(_metadata, &launch);
}

TEST_F_WANTS(record, it_is_the_same_where_names_cannot_be_exchanged, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text);
	struct launch launch = LAUNCH_NULL;
	char text[8192];
	int i;

	ASSERT_EQ(0, seccomp_refuse_bits(SYS_renameat2, 4,
					 RENAME_EXCHANGE | RENAME_NOREPLACE,
					 EINVAL));
	for (i = 0; i < 2; i++) {
		launch_recorded(_metadata, &launch, &options, text,
				sizeof(text));
		EXPECT_STREQ("record ", directory_list(&self->directory));
		launch_finish(_metadata, &launch);
	}
}

/* ---- where and whose it is ---- */

TEST_F_WANTS(record, its_mode_is_nobodys_mask, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("umask", "wait"),
				       .record = self->path.text,
				       .flags = PIDTRACK_SPAWN_UMASK);
	static const mode_t masks[] = { 0, 0777, 0277 };
	struct stat st;
	int i, k;

	for (i = 0; i < 3; i++)
		for (k = 0; k < 3; k++) {
			struct launch launch = LAUNCH_NULL;
			char text[8192];

			umask(masks[i]);
			options.umask = masks[k];
			launch_recorded(_metadata, &launch, &options, text,
					sizeof(text));
			ASSERT_EQ(0, stat(self->path.text, &st));
			EXPECT_EQ(S_IFREG | 0600, st.st_mode)
			{
				TH_LOG("host's mask %03o, shim's %03o",
				       masks[i], masks[k]);
			}
			launch_finish(_metadata, &launch);
			EXPECT_EQ(masks[i], umask(022));
		}
}

TEST_F_WANTS(record, it_is_written_as_the_host_whatever_user_the_shim_is, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text,
				       .flags = PIDTRACK_SPAWN_UID |
						PIDTRACK_SPAWN_GID |
						PIDTRACK_SPAWN_GROUPS |
						PIDTRACK_SPAWN_PROGRAM_FD,
				       .uid = NOBODY, .gid = NOBODY,
				       .caps = "=");
	struct launch launch = LAUNCH_NULL;
	char text[8192];
	struct stat st;

	if (geteuid())
		SKIP(return, "wants root");
	ASSERT_EQ(0, chmod(self->directory.path, 0700));
	options.program_fd = open(shim_path(), O_PATH | O_CLOEXEC);
	ASSERT_GE(options.program_fd, 0);
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	ASSERT_EQ(0, stat(self->path.text, &st));
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(0, st.st_gid);
	EXPECT_EQ(S_IFREG | 0600, st.st_mode);
	launch_finish(_metadata, &launch);
	close(options.program_fd);
}

TEST_F_WANTS(record, a_relative_path_is_the_hosts, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cwd", "wait"),
				       .record = "record", .cwd = "/");
	struct launch launch = LAUNCH_NULL;
	char text[8192], *shim = realpath(shim_path(), NULL);

	options.program = shim;
	ASSERT_EQ(0, chdir(self->directory.path));
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	EXPECT_STREQ("/\n", launch_line(_metadata, &launch));
	launch_finish(_metadata, &launch);
	EXPECT_STREQ("record ", directory_list(&self->directory));
	ASSERT_EQ(0, chdir("/"));
	free(shim);
}

TEST_F_WANTS(record, a_symlink_is_replaced_and_its_target_left_alone, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text);
	struct path target = path_in(&self->directory, "target");
	struct launch launch = LAUNCH_NULL;
	char text[8192];
	struct stat st;

	file_text(_metadata, target.text, BEFORE, 0640);
	ASSERT_EQ(0, symlink("target", self->path.text));
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	ASSERT_EQ(0, lstat(self->path.text, &st));
	EXPECT_EQ(S_IFREG | 0600, st.st_mode);
	EXPECT_STREQ(BEFORE, file_read(_metadata, target.text));
	ASSERT_EQ(0, stat(target.text, &st));
	EXPECT_EQ(S_IFREG | 0640, st.st_mode);
	launch_finish(_metadata, &launch);
	EXPECT_STREQ("record target ", directory_list(&self->directory));
}

TEST_F_WANTS(record, a_previous_one_is_replaced, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text);
	struct path link_path = path_in(&self->directory, "link");
	struct launch launch = LAUNCH_NULL;
	char text[8192];

	file_text(_metadata, self->path.text, BEFORE, 0644);
	ASSERT_EQ(0, link(self->path.text, link_path.text));
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	/* as a whole: who has the old one open still has the old one */
	EXPECT_STREQ(BEFORE, file_read(_metadata, link_path.text));
	launch_finish(_metadata, &launch);
	EXPECT_STREQ("link record ", directory_list(&self->directory));
}

/* The longest name a file may have is one for a record too. */
TEST_F_WANTS(record, its_name_may_be_as_long_as_any, proc)
{
	char name[256], text[8192], expected[300];
	struct launch launch = LAUNCH_NULL;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"));
	char path[400];

	memset(name, 'n', 255);
	name[255] = '\0';
	snprintf(path, sizeof(path), "%s/%s", self->directory.path, name);
	options.record = path;
	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	launch_finish(_metadata, &launch);
	snprintf(expected, sizeof(expected), "%s ", name);
	EXPECT_STREQ(expected, directory_list(&self->directory));
}

/* The shim's limits are the shim's, not those of writing its record. */
TEST_F_WANTS(record, limits_of_the_shim_do_not_hinder_it, proc)
{
	static const struct pidtrack_rlimit rlimits[] = {
		{ .resource = RLIMIT_FSIZE, .soft = 0, .hard = 0 },
		{ .resource = RLIMIT_NOFILE, .soft = 3, .hard = 3 },
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text,
				       .rlimits = rlimits, .n_rlimits = 2);
	struct launch launch = LAUNCH_NULL;
	char text[8192];

	launch_recorded(_metadata, &launch, &options, text, sizeof(text));
	launch_finish(_metadata, &launch);
}

/* Two hosts and one path: the last one wins, and it is whole. */
TEST_F_WANTS(record, it_is_whole_whoever_else_writes_it, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"),
				       .record = self->path.text);
	struct launch launches[2] = { LAUNCH_NULL, LAUNCH_NULL };
	char text[8192];

	launch_recorded(_metadata, &launches[0], &options, text, sizeof(text));
	launch_recorded(_metadata, &launches[1], &options, text, sizeof(text));
	launch_finish(_metadata, &launches[0]);
	EXPECT_STREQ(text, file_read(_metadata, self->path.text));
	launch_finish(_metadata, &launches[1]);
	EXPECT_STREQ("record ", directory_list(&self->directory));
}

TEST_HARNESS_MAIN
