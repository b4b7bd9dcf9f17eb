/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A host with brood-box's sentinels, and what has gone wrong with those. */
#include <sched.h>
#include <sys/file.h>

#include "hosted.h"

#define SENTINEL ".bbox-sentinel"

FIXTURE(brood_box)
{
	struct directory vms;
};

FIXTURE_SETUP(brood_box)
{
	hosted_or_skip(_metadata);
	if (_metadata->skipped)
		return;
	directory_make(_metadata, &self->vms);
}

FIXTURE_TEARDOWN(brood_box)
{
	directory_remove(&self->vms);
}

static struct path in_vm(const struct directory *vms, const char *name,
			 const char *file)
{
	return text_of("%s/%s/%s", vms->path, name, file);
}

/* VMS/@name with a log, and a sentinel of this text unless that is NULL. */
static void vm_make(struct __test_metadata *_metadata,
		    const struct directory *vms, const char *name,
		    const char *sentinel)
{
	ASSERT_EQ(0, mkdir(text_of("%s/%s", vms->path, name).text, 0700));
	file_text(_metadata, in_vm(vms, name, "console.log").text, "hello\n",
		  0600);
	if (sentinel)
		file_text(_metadata, in_vm(vms, name, SENTINEL).text, sentinel,
			  0600);
}

static bool vm_is_there(const struct directory *vms, const char *name)
{
	return !access(in_vm(vms, name, "console.log").text, F_OK);
}

/* As an old bbox reads one: whether it is valid, and then of whom. */
static bool old_reader(const char *text, long *ret_pid, char *ret_exe,
		       size_t size)
{
	const char *at = text + strspn(text, " \t\r\n"), *line = at;
	size_t n = strlen(at);
	char *end;

	while (n && strchr(" \t\r\n", at[n - 1]))
		n--;
	*ret_pid = strtol(at, &end, 10);
	while (*end == ' ' || *end == '\t' || *end == '\r')
		end++;
	ret_exe[0] = '\0';
	if (end == line || *ret_pid <= 0 || (end < at + n && *end != '\n'))
		return false;
	if (end < at + n)
		snprintf(ret_exe, size, "%.*s", (int)(at + n - end - 1),
			 end + 1);
	return true;
}

static void sweep_says(struct __test_metadata *_metadata,
		       const struct directory *vms, const char *line)
{
	EXPECT_SAYS(line, SAID(0, vms->path, "sweep"));
}

static struct hosted owner_start(struct __test_metadata *_metadata,
				 const struct directory *vms, const char *name)
{
	const char *const arguments[] = { vms->path, "hold", name, NULL };
	struct hosted owner = hosted_start(_metadata, arguments);
	struct path line = text_of("%s held by %d\n", name, owner.pid);

	ASSERT_STREQ(line.text, fd_text(_metadata, owner.out, true));
	file_text(_metadata, in_vm(vms, name, "console.log").text, "x", 0600);
	return owner;
}

TEST_F(brood_box,
       a_vm_is_kept_while_its_owner_lives_and_swept_when_it_was_killed)
{
	struct hosted owner = owner_start(_metadata, &self->vms, "web");

	sweep_says(_metadata, &self->vms, "web keep: ");
	EXPECT_SAYS("web keep: ", SAID(0, self->vms.path, "probe", "web"));
	EXPECT_TRUE(hosted_runs(owner.pid));

	kill(owner.pid, SIGKILL);
	EXPECT_EQ(SIGKILL, hosted_wait(_metadata, &owner));
	EXPECT_SAYS("web remove: ", SAID(1, self->vms.path, "probe", "web"));
	EXPECT_TRUE(vm_is_there(&self->vms, "web"));
	sweep_says(_metadata, &self->vms, "web remove: ");
	EXPECT_STREQ("", directory_list(&self->vms));
}

TEST_F(brood_box, the_owner_of_a_vm_may_start_again)
{
	struct hosted owner = owner_start(_metadata, &self->vms, "web");

	EXPECT_EQ(0, hosted_wait(_metadata, &owner));
	EXPECT_SAYS("web remove: ", SAID(1, self->vms.path, "probe", "web"));
	owner = owner_start(_metadata, &self->vms, "web");
	sweep_says(_metadata, &self->vms, "web keep: ");
	EXPECT_EQ(0, hosted_wait(_metadata, &owner));
}

TEST_F(brood_box, an_owner_that_has_ended_and_was_not_waited_for_is_kept)
{
	struct hosted owner = owner_start(_metadata, &self->vms, "web");

	hosted_leaves_zombies = true;
	kill(owner.pid, SIGKILL);
	hosted_await_zombie(_metadata, owner.pid);
	sweep_says(_metadata, &self->vms, "web keep: ");
	EXPECT_EQ(SIGKILL, hosted_wait(_metadata, &owner));
	sweep_says(_metadata, &self->vms, "web remove: ");
}

TEST_F(brood_box, a_sentinel_is_of_its_owner_only_and_nobody_elses_to_read)
{
	struct hosted owner = owner_start(_metadata, &self->vms, "web");
	struct path path = in_vm(&self->vms, "web", SENTINEL);
	struct stat stat;

	ASSERT_EQ(0, lstat(path.text, &stat));
	EXPECT_EQ(S_IFREG | 0600, stat.st_mode);
	EXPECT_EQ(0, hosted_wait(_metadata, &owner));
}

/* What it takes for invalid it keeps: a leak, never a live VM's end. */
TEST_F(brood_box, an_old_bbox_keeps_what_a_new_one_marked)
{
	struct hosted owner = owner_start(_metadata, &self->vms, "web");
	const char *text =
		file_read(_metadata, in_vm(&self->vms, "web", SENTINEL).text);
	char exe[PATH_MAX];
	long pid;

	ASSERT_TRUE(text != NULL);
	EXPECT_FALSE(old_reader(text, &pid, exe, sizeof(exe)));
	EXPECT_EQ(0, hosted_wait(_metadata, &owner));

	EXPECT_TRUE(old_reader("4711\n/usr/bin/bbox", &pid, exe, sizeof(exe)));
	EXPECT_EQ(4711, pid);
	EXPECT_STREQ("/usr/bin/bbox", exe);
	EXPECT_TRUE(old_reader(" 4711 \n", &pid, exe, sizeof(exe)));
	EXPECT_STREQ("", exe);
}

TEST_F(brood_box, of_old_sentinels_those_of_the_dead_are_swept_and_no_other)
{
	pid_t dead = dead_number(_metadata), live = stranger(_metadata);
	const struct {
		const char *name, *line;
		struct path text;
	} vms[] = {
		{ "v1-dead", "v1-dead remove: ", text_of("%d", dead) },
		{ "v1-live", "v1-live keep: ", text_of("%d", live) },
		{ "v1-padded",
		  "v1-padded remove: ", text_of(" \t%d \n", dead) },
		{ "v2-dead",
		  "v2-dead remove: ", text_of("%d\n%s", dead, shim_path()) },
		{ "v2-live",
		  "v2-live keep: ", text_of("%d\n%s", live, shim_path()) },
		/* as after an update, or on another bbox of the same number */
		{ "v2-other",
		  "v2-other keep: ", text_of("%d\n/usr/bin/bbox", live) },
	};
	const char *said;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vms); i++)
		vm_make(_metadata, &self->vms, vms[i].name, vms[i].text.text);
	said = SAID(0, self->vms.path, "sweep");
	for (i = 0; i < ARRAY_SIZE(vms); i++)
		EXPECT_SAYS(vms[i].line, said);
	EXPECT_STREQ("v1-live v2-live v2-other ", directory_list(&self->vms));

	EXPECT_TRUE(hosted_runs(live));
	stranger_end(_metadata, live);
	SAID(0, self->vms.path, "sweep");
	EXPECT_STREQ("", directory_list(&self->vms));
}

TEST_F(brood_box, what_is_no_sentinel_is_kept)
{
	static const char *const invalid[] = {
		"",	   "0",	     "-1",	     "1",
		"123.456", "123abc", "not a number", "99999999999999999999",
	};
	char large[8192];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(invalid); i++)
		vm_make(_metadata, &self->vms, text_of("invalid-%zu", i).text,
			invalid[i]);
	memset(large, ' ', sizeof(large));
	snprintf(large, sizeof(large), "%d", dead_number(_metadata));
	vm_make(_metadata, &self->vms, "large", NULL);
	file_write(_metadata, in_vm(&self->vms, "large", SENTINEL).text, large,
		   sizeof(large), 0600);
	vm_make(_metadata, &self->vms, "none", NULL);
	vm_make(_metadata, &self->vms, "fifo", NULL);
	ASSERT_EQ(0, mkfifo(in_vm(&self->vms, "fifo", SENTINEL).text, 0600));
	file_text(_metadata, path_in(&self->vms, "stray").text, "", 0600);

	SAID(0, self->vms.path, "sweep");
	for (i = 0; i < ARRAY_SIZE(invalid); i++)
		EXPECT_TRUE(vm_is_there(&self->vms,
					text_of("invalid-%zu", i).text));
	EXPECT_TRUE(vm_is_there(&self->vms, "large"));
	EXPECT_TRUE(vm_is_there(&self->vms, "none"));
	EXPECT_TRUE(vm_is_there(&self->vms, "fifo"));
	EXPECT_EQ(0, access(path_in(&self->vms, "stray").text, F_OK));
	sweep_says(_metadata, &self->vms, "none keep: no sentinel\n");
	sweep_says(_metadata, &self->vms, "large keep: a sentinel of suspic");
	sweep_says(_metadata, &self->vms, "invalid-0 keep: an invalid sent");
}

TEST_F(brood_box,
       a_stale_vm_goes_with_all_that_is_in_it_and_no_link_is_followed)
{
	struct directory elsewhere;
	struct path text = text_of("%d", dead_number(_metadata));
	int i;

	directory_make(_metadata, &elsewhere);
	file_text(_metadata, path_in(&elsewhere, "kept").text, "x", 0600);
	for (i = 0; i < 5; i++) {
		struct path name = text_of("vm-%d", i);
		struct path vm = text_of("%s/vm-%d", self->vms.path, i);

		vm_make(_metadata, &self->vms, name.text, text.text);
		ASSERT_EQ(0, mkdir(text_of("%s/data", vm.text).text, 0700));
		ASSERT_EQ(0,
			  mkdir(text_of("%s/data/deep", vm.text).text, 0700));
		ASSERT_EQ(0, symlink(elsewhere.path,
				     text_of("%s/data/l", vm.text).text));
	}
	ASSERT_EQ(0, symlink(elsewhere.path, path_in(&self->vms, "l").text));
	file_text(_metadata, path_in(&elsewhere, SENTINEL).text, text.text,
		  0600);

	SAID(0, self->vms.path, "sweep");
	EXPECT_STREQ("l ", directory_list(&self->vms));
	EXPECT_EQ(0, access(path_in(&elsewhere, "kept").text, F_OK));
	directory_remove(&elsewhere);
}

TEST_F(brood_box, where_there_is_nothing_nothing_is_swept)
{
	struct path missing = path_in(&self->vms, "missing");

	EXPECT_STREQ("", SAID(0, self->vms.path, "sweep"));
	EXPECT_STREQ("", SAID(0, missing.text, "sweep"));
}

/* One that has its directory and has not marked it yet. */
TEST_F(brood_box, an_owner_that_is_just_starting_is_let_be)
{
	struct path text = text_of("%d", dead_number(_metadata));
	int fd;

	vm_make(_metadata, &self->vms, "web", text.text);
	fd = open(path_in(&self->vms, "web").text,
		  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, flock(fd, LOCK_SH));
	sweep_says(_metadata, &self->vms, "web keep: somebody is starting");
	close(fd);
	sweep_says(_metadata, &self->vms, "web remove: ");
}

/* Spins until it waits for somebody to unlock. */
static void await_locked_out(struct __test_metadata *_metadata, pid_t pid)
{
	struct path number = text_of(" %d ", pid);
	const char *line;

	for (;;) {
		line = file_read(_metadata, "/proc/locks");
		ASSERT_TRUE(line != NULL);
		while ((line = strstr(line, "-> FLOCK"))) {
			const char *at = strstr(line, number.text);

			if (at && at < line + strcspn(line, "\n"))
				return;
			line++;
		}
		sched_yield();
	}
}

/* The test is the sweeper: an owner opens what it is about to remove. */
TEST_F(brood_box, an_owner_whose_directory_is_swept_as_it_starts_makes_another)
{
	const char *const hold[] = { self->vms.path, "hold", "web", NULL };
	struct path vm = text_of("%s/web", self->vms.path);
	struct hosted owner;
	int fd;

	vm_make(_metadata, &self->vms, "web", "4194303");
	fd = open(vm.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, flock(fd, LOCK_EX));
	owner = hosted_start(_metadata, hold);
	await_locked_out(_metadata, owner.pid);
	ASSERT_EQ(0, unlink(in_vm(&self->vms, "web", "console.log").text));
	ASSERT_EQ(0, unlink(in_vm(&self->vms, "web", SENTINEL).text));
	ASSERT_EQ(0, rmdir(vm.text));
	close(fd);

	EXPECT_SAYS("web held by ", fd_text(_metadata, owner.out, true));
	sweep_says(_metadata, &self->vms, "web keep: ");
	EXPECT_EQ(0, hosted_wait(_metadata, &owner));
}

TEST_F(brood_box, no_sweep_takes_a_vm_from_an_owner_that_starts_meanwhile)
{
	struct path text = text_of("%d", dead_number(_metadata));
	const char *const sweep[] = { self->vms.path, "sweep", NULL };
	int i;

	for (i = 0; i < 10; i++) {
		struct hosted owner, sweeper;

		vm_make(_metadata, &self->vms, "web", text.text);
		sweeper = hosted_start(_metadata, sweep);
		owner = owner_start(_metadata, &self->vms, "web");
		hosted_wait(_metadata, &sweeper);
		EXPECT_SAYS("web keep: ",
			    SAID(0, self->vms.path, "probe", "web"));
		EXPECT_EQ(0, hosted_wait(_metadata, &owner));
		sweep_says(_metadata, &self->vms, "web remove: ");
	}
}

TEST_HARNESS_MAIN
