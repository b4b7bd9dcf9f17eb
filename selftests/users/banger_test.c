/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A host with banger's files, and the three ways its live VMs were dead. */
#include <linux/capability.h>
#include <sys/file.h>

#include "hosted.h"

#define ROW                                 \
	"  \"TapDevice\": \"tap7\",\n"      \
	"  \"BaseLoop\": \"/dev/loop1\",\n" \
	"  \"COWLoop\": \"/dev/loop2\",\n"  \
	"  \"DMName\": \"banger-vm\",\n"    \
	"  \"DMDev\": \"/dev/dm-3\"\n"
#define SAVED "saved tap7 /dev/loop1 /dev/loop2 banger-vm /dev/dm-3\n"

FIXTURE(banger)
{
	struct directory vm;
	pid_t firecracker;
};

/* A VM whose device is busy while it lives; the jailer has told its number. */
FIXTURE_SETUP(banger)
{
	struct path device;
	int fd;

	hosted_or_skip(_metadata);
	if (_metadata->skipped)
		return;
	directory_make(_metadata, &self->vm);
	device = path_in(&self->vm, "banger-vm");
	file_text(_metadata, device.text, "", 0600);
	fd = open(device.text, O_RDWR); /* inherited */
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, flock(fd, LOCK_EX));
	self->firecracker = stranger(_metadata);
	close(fd);
	file_text(_metadata, path_in(&self->vm, "firecracker.pid").text,
		  text_of("%d", self->firecracker).text, 0600);
	file_text(_metadata, path_in(&self->vm, "row.json").text, "{\n" ROW "}",
		  0600);
}

FIXTURE_TEARDOWN(banger)
{
	if (hosted_runs(self->firecracker))
		stranger_end(_metadata, self->firecracker);
	directory_remove(&self->vm);
}

#define BANGER(code, ...) SAID(code, self->vm.path, __VA_ARGS__)

/* Its device is there: nothing has been torn down under it. */
static void expect_untouched(struct __test_metadata *_metadata,
			     const struct directory *vm, pid_t firecracker)
{
	EXPECT_TRUE(hosted_runs(firecracker));
	EXPECT_EQ(0, access(path_in(vm, "banger-vm").text, F_OK));
}

static void handles_write(struct __test_metadata *_metadata,
			  const struct directory *vm, const char *text)
{
	file_text(_metadata, path_in(vm, "handles.json").text, text, 0600);
}

TEST_F(banger, a_vm_of_the_jailers_is_adopted_found_again_and_stopped)
{
	pid_t pid = self->firecracker;
	const char *said;

	EXPECT_STREQ(text_of("adopted %d\n", pid).text,
		     BANGER(0, "adopt", shim_path()));
	said = BANGER(0, "reconcile");
	EXPECT_SAYS(SAVED, said);
	EXPECT_SAYS(text_of("same %d: ", pid).text, said);
	expect_untouched(_metadata, &self->vm, pid);

	EXPECT_SAYS("torn down", BANGER(0, "stop"));
	EXPECT_EQ(SIGTERM, hosted_status(_metadata, pid));
	EXPECT_STREQ("firecracker.pid row.json ", directory_list(&self->vm));
	said = BANGER(1, "status");
	EXPECT_SAYS(SAVED, said);
	EXPECT_SAYS("gone 0: ", said);
}

TEST_F(banger, what_is_saved_is_whole_json_and_its_owners_alone)
{
	struct path path = path_in(&self->vm, "handles.json");
	struct stat stat;
	const char *text;

	BANGER(0, "adopt", shim_path());
	ASSERT_EQ(0, lstat(path.text, &stat));
	EXPECT_EQ(S_IFREG | 0600, stat.st_mode);
	text = file_read(_metadata, path.text);
	ASSERT_TRUE(text != NULL);
	EXPECT_TRUE(strstr(text, "{\n  \"TapDevice\": \"tap7\",\n") != NULL);
	EXPECT_TRUE(
		strstr(text, text_of("\"PID\": %d,", self->firecracker).text) !=
		NULL);
	EXPECT_TRUE(strstr(text, "\"Fingerprint\": \"pidtrack1:") != NULL);
	EXPECT_STREQ("banger-vm firecracker.pid handles.json row.json ",
		     directory_list(&self->vm));
}

TEST_F(banger, a_daemon_that_was_killed_finds_the_same_vm_and_sees_its_end)
{
	const char *const arguments[] = { self->vm.path, "daemon", NULL };
	struct path same = text_of("same %d: ", self->firecracker);
	struct hosted daemon;
	int i;

	BANGER(0, "adopt", shim_path());
	for (i = 0; i < 2; i++) {
		daemon = hosted_start(_metadata, arguments);
		ASSERT_STREQ(SAVED, fd_text(_metadata, daemon.out, true));
		EXPECT_SAYS(same.text, fd_text(_metadata, daemon.out, true));
		if (i == 0) {
			kill(daemon.pid, SIGKILL);
			EXPECT_EQ(SIGKILL, hosted_wait(_metadata, &daemon));
			expect_untouched(_metadata, &self->vm,
					 self->firecracker);
		}
	}
	stranger_end(_metadata, self->firecracker);
	EXPECT_STREQ("torn down\n", fd_text(_metadata, daemon.out, true));
	EXPECT_EQ(0, hosted_wait(_metadata, &daemon));
}

TEST_F(banger, what_is_saved_comes_back_of_a_dead_vm_and_is_torn_down)
{
	const char *said;

	BANGER(0, "adopt", shim_path());
	stranger_end(_metadata, self->firecracker);
	said = BANGER(0, "reconcile");
	EXPECT_SAYS(SAVED, said);
	EXPECT_SAYS("gone 0: ", said);
	EXPECT_SAYS("torn down", said);
	EXPECT_STREQ("firecracker.pid row.json ", directory_list(&self->vm));
}

TEST_F(banger, damaged_handles_are_recovered_by_the_row)
{
	static const char *const damaged[] = { "", "{", "{\n  \"PID\": 47", "x",
					       "\0\0\0" };
	size_t i;

	BANGER(0, "adopt", shim_path());
	for (i = 0; i < ARRAY_SIZE(damaged); i++) {
		const char *said;

		handles_write(_metadata, &self->vm, damaged[i]);
		said = BANGER(0, "reconcile");
		EXPECT_SAYS("handles.json is damaged", said);
		EXPECT_SAYS(SAVED, said);
		EXPECT_SAYS(text_of("same %d: ", self->firecracker).text, said);
		expect_untouched(_metadata, &self->vm, self->firecracker);
	}
	handles_write(_metadata, &self->vm, "{");
	EXPECT_SAYS("torn down", BANGER(0, "stop"));
}

/* A row of an older banger's has what to tear down, and not of whom. */
TEST_F(banger, without_a_fingerprint_a_live_vm_is_unproven_and_let_be)
{
	const char *said;

	handles_write(_metadata, &self->vm, "{");
	said = BANGER(3, "reconcile");
	EXPECT_SAYS(SAVED, said);
	EXPECT_SAYS("unproven 0: ", said);
	EXPECT_SAYS("unproven 0: ", BANGER(3, "stop"));

	handles_write(
		_metadata, &self->vm,
		text_of("{ \"PID\": %d,\n" ROW "}", self->firecracker).text);
	said = BANGER(3, "stop");
	EXPECT_SAYS(SAVED, said);
	EXPECT_SAYS("unproven 0: ", said);
	expect_untouched(_metadata, &self->vm, self->firecracker);

	EXPECT_SAYS("adopted ", BANGER(0, "adopt", shim_path()));
	EXPECT_SAYS("torn down", BANGER(0, "stop"));
}

TEST_F(banger, without_a_fingerprint_a_dead_vm_is_gone_all_the_same)
{
	stranger_end(_metadata, self->firecracker);
	EXPECT_SAYS("gone 0: ", BANGER(1, "status"));
	handles_write(
		_metadata, &self->vm,
		text_of("{ \"PID\": %d,\n" ROW "}", self->firecracker).text);
	EXPECT_SAYS("torn down", BANGER(0, "reconcile"));
}

TEST_F(banger, no_number_that_is_no_vms_is_ever_signalled)
{
	static const char *const numbers[] = { "0",	     "1",
					       "-1",	     "4294967295",
					       "2147483648", "\"x\"" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		handles_write(
			_metadata, &self->vm,
			text_of("{ \"PID\": %s,\n" ROW "}", numbers[i]).text);
		EXPECT_SAYS(SAVED, BANGER(3, "stop", "0"));
		expect_untouched(_metadata, &self->vm, self->firecracker);
	}
}

TEST_F(banger, a_fingerprint_that_is_damaged_loses_nothing_and_ends_nobody)
{
	handles_write(
		_metadata, &self->vm,
		text_of("{ \"PID\": %d, \"Fingerprint\": \"pidtrack1:pi\","
			"\n" ROW "}",
			self->firecracker)
			.text);
	EXPECT_SAYS(SAVED, BANGER(3, "stop"));
	expect_untouched(_metadata, &self->vm, self->firecracker);
}

TEST_F(banger, a_pid_file_of_the_jailers_is_believed_once_and_not_blindly)
{
	struct path path = path_in(&self->vm, "firecracker.pid");
	pid_t pid = self->firecracker;

	EXPECT_SAYS("not adopted: it executes another path",
		    BANGER(1, "adopt", "/usr/bin/firecracker"));
	file_text(_metadata, path.text, text_of(" %d \n", pid).text, 0600);
	EXPECT_SAYS("adopted ", BANGER(0, "adopt", shim_path()));

	file_text(_metadata, path.text, "garbage", 0600);
	BANGER(4, "adopt", shim_path());
	file_text(_metadata, path.text,
		  text_of("%d", dead_number(_metadata)).text, 0600);
	EXPECT_SAYS("not adopted: no process", BANGER(1, "adopt", shim_path()));
	ASSERT_EQ(0, unlink(path.text));
	BANGER(4, "adopt", shim_path());
	ASSERT_EQ(0, symlink("row.json", path.text));
	BANGER(4, "adopt", shim_path());
	/* of which none has changed what was adopted */
	EXPECT_SAYS(text_of("same %d: ", pid).text, BANGER(0, "status"));
}

TEST_F(banger, a_vm_that_ignores_sigterm_is_killed_after_its_time)
{
	pid_t pid;

	stranger_end(_metadata, self->firecracker);
	pid = stranger_start(_metadata,
			     SHIM("ignore", "TERM", "write", "ready", "pause"),
			     NULL);
	self->firecracker = pid;
	file_text(_metadata, path_in(&self->vm, "firecracker.pid").text,
		  text_of("%d\n", pid).text, 0600);
	BANGER(0, "adopt", shim_path());
	EXPECT_SAYS("torn down", BANGER(0, "stop", "50"));
	EXPECT_EQ(SIGKILL, hosted_status(_metadata, pid));
}

/* As a user's daemon that asks about a VM which root's helper has launched. */
TEST_F(banger, a_vm_that_may_not_be_signalled_is_alive_and_not_mine)
{
	char exe[256] = "", byte;
	int other[2];
	pid_t pid;

	if (geteuid() != 0)
		SKIP(return, "only root can be somebody else");
	ASSERT_GT(readlink("/proc/self/exe", exe, sizeof(exe) - 1), 0);
	ASSERT_EQ(0, pipe2(other, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		become_nobody(_metadata);
		close(other[0]);
		close(other[1]);
		for (;;)
			pause();
	}
	close(other[1]);
	EXPECT_EQ(0, read(other[0], &byte, 1)); /* it is somebody else by now */
	close(other[0]);
	file_text(_metadata, path_in(&self->vm, "firecracker.pid").text,
		  text_of("%d\n", pid).text, 0600);
	EXPECT_SAYS("adopted ", BANGER(0, "adopt", exe));

	hosted_without = CAP_KILL;
	EXPECT_SAYS("alive, not mine", BANGER(1, "stop", "0"));
	EXPECT_SAYS(text_of("same %d: ", pid).text, BANGER(0, "reconcile"));
	expect_untouched(_metadata, &self->vm, pid);
	hosted_without = 0;
	EXPECT_TRUE(kill(pid, SIGKILL) == 0);
	EXPECT_EQ(SIGKILL, hosted_status(_metadata, pid));
}

TEST_HARNESS_MAIN
