/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* The first process of a container, and shims that leave orphans in it. */
#include <sched.h>
#include <sys/mount.h>

#include "hosted.h"

/* Whether this process may be in a pid namespace of its own, with a /proc. */
static bool namespace_lacks(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(unshare(CLONE_NEWPID | CLONE_NEWNS) ||
		      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	return waitpid(pid, &status, 0) != pid || status;
}

/* Runs as the first process of a container what follows it in the shell. */
#define CONTAINED(...)                                                   \
	((const char *const[]){ "/bin/sh", "-c",                         \
				"exec unshare --fork --pid --mount-proc" \
				" \"$@\"",                               \
				"sh", getenv("PIDTRACK_TEST_HOST"),      \
				__VA_ARGS__, NULL })

/* What it said; it has ended with 0. */
static const char *contained_said(struct __test_metadata *_metadata,
				  const char *const *argv)
{
	const char *said;
	int out[2], status;
	pid_t pid;

	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		dup2(out[1], 1);
		dup2(out[1], 2);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(out[1]);
	said = fd_text(_metadata, out[0], false);
	close(out[0]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status)
	{
		TH_LOG("it said: %s", said);
	}
	return said;
}

static void begin_or_skip(struct __test_metadata *_metadata)
{
	hosted_or_skip(_metadata);
	if (!_metadata->skipped && namespace_lacks())
		SKIP(return, "no pid and mount namespaces");
}

/* Subshells in the background of a subshell that is gone. */
#define ORPHANS "for i in $(seq %d); do (: & : & : & : & : &); done; exit %d"

TEST(it_collects_orphans_and_tells_how_each_shim_ended)
{
	const char *said;

	begin_or_skip(_metadata);
	if (_metadata->skipped)
		return;
	said = contained_said(
		_metadata, CONTAINED("-t", "20", "/bin/sh", "-c",
				     text_of(ORPHANS, 100, 7).text, "--",
				     shim_path(), "exit", "3", "--", "/bin/sh",
				     "-c", text_of(ORPHANS, 50, 0).text));
	EXPECT_SAYS("/bin/sh waited 0x700\n", said);
	EXPECT_SAYS(text_of("%s waited 0x300\n", shim_path()).text, said);
	EXPECT_SAYS("/bin/sh waited 0\n", said);
	EXPECT_SAYS("orphans 750\n", said);
}

/* One that lives on is waited for, too. */
TEST(it_ends_with_the_last_orphan)
{
	begin_or_skip(_metadata);
	if (_metadata->skipped)
		return;
	EXPECT_STREQ(
		"/bin/sh waited 0\norphans 1\n",
		contained_said(_metadata, CONTAINED("-t", "1", "/bin/sh", "-c",
						    "(sleep 0.2 &)")));
}

TEST_HARNESS_MAIN
