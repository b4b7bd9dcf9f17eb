/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching into a cgroup, by clone3 and where that is refused.
 */
#include <linux/magic.h>
#include <sched.h>
#include <sys/vfs.h>

#include "cgroups.h"
#include "launch.h"
#include "seccomp.h"

#ifndef CGROUP_SUPER_MAGIC
#define CGROUP_SUPER_MAGIC 0x27e0eb /* linux/magic.h, cgroup v1 */
#endif

FIXTURE(cgroup)
{
	struct path path;
	char name[64];	   /* as the shim tells it */
	char expected[80]; /* the same, and the end of the line */
	int fd;
};

FIXTURE_SETUP(cgroup)
{
	struct path mount;
	char own[256] = "", *line;
	const char *text;

	if (geteuid() || !mount_find("cgroup2", mount.text, sizeof(mount.text)))
		SKIP(return, "wants root and a cgroup2 mount");
	text = file_read(_metadata, "/proc/self/cgroup");
	line = text ? strstr(text, "0::") : NULL;
	if (line)
		snprintf(own, sizeof(own), "%.*s", (int)strcspn(line + 3, "\n"),
			 line + 3);
	snprintf(self->name, sizeof(self->name), "%.30s%spidtrack-test-%d", own,
		 !strcmp(own, "/") ? "" : "/", getpid());
	snprintf(self->expected, sizeof(self->expected), "%s\n", self->name);
	snprintf(self->path.text, sizeof(self->path.text), "%.150s%s",
		 mount.text, self->name);
	if (mkdir(self->path.text, 0755) < 0)
		SKIP(return, "no cgroup may be made: %s", strerror(errno));
	self->fd = open(self->path.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(cgroup)
{
	close(self->fd);
	rmdir(self->path.text);
}

static void launch_into(struct __test_metadata *_metadata, int cgroup_fd,
			const char *expected)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cgroup", "fds"),
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP,
				       .cgroup_fd = cgroup_fd);
	char text[300];

	snprintf(text, sizeof(text), "%s0 1 2\n", expected);
	EXPECT_STREQ(text, shim_said(_metadata, &options));
}

TEST_F(cgroup, a_shim_starts_in_it)
{
	launch_into(_metadata, self->fd, self->expected);
}

TEST_F(cgroup, a_shim_starts_in_it_without_clone3)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	launch_into(_metadata, self->fd, self->expected);
}

TEST_F(cgroup, a_shim_starts_in_it_where_clone3_is_forbidden)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, EPERM));
	launch_into(_metadata, self->fd, self->expected);
}

/* The tracker has learned from the first what is refused. */
TEST_F(cgroup, so_does_a_shim_after_one_that_did_not)
{
	struct pidtrack_spawn_options elsewhere =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"));
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cgroup"),
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP,
				       .cgroup_fd = self->fd);
	struct launch launch = LAUNCH_NULL;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	launch_open(_metadata, &launch);
	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &elsewhere));
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	launch_reset(&launch);
	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options));
	EXPECT_STREQ(self->expected, launch_said(_metadata, &launch));
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	launch_close(&launch);
}

TEST_F(cgroup, a_path_only_descriptor_will_do)
{
	int fd = open(self->path.text, O_PATH | O_DIRECTORY | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	launch_into(_metadata, fd, self->expected);
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	launch_into(_metadata, fd, self->expected);
	close(fd);
}

/* The host's rights and root directory decide, not those the shim gets. */
static void launch_elsewhere(struct __test_metadata *_metadata, int cgroup_fd,
			     const char *expected, int namespaces)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cgroup"),
				       .cgroup_fd = cgroup_fd,
				       .namespaces = (uint64_t)namespaces,
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP |
						PIDTRACK_SPAWN_UID |
						PIDTRACK_SPAWN_GID |
						PIDTRACK_SPAWN_PROGRAM_FD,
				       .uid = NOBODY, .gid = NOBODY);

	options.program_fd = open(shim_path(), O_PATH | O_CLOEXEC);
	ASSERT_GE(options.program_fd, 0);
	EXPECT_STREQ(expected, shim_said(_metadata, &options));
	close(options.program_fd);
}

TEST_F(cgroup, a_shim_of_another_user_starts_in_it)
{
	launch_elsewhere(_metadata, self->fd, self->expected, 0);
}

TEST_F(cgroup, a_shim_of_another_user_starts_in_it_without_clone3)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	launch_elsewhere(_metadata, self->fd, self->expected, 0);
}

TEST_F(cgroup, a_shim_in_namespaces_of_its_own_starts_in_it)
{
	SKIP_WITHOUT_NAMESPACES(CLONE_NEWNS | CLONE_NEWPID);
	launch_elsewhere(_metadata, self->fd, self->expected,
			 CLONE_NEWNS | CLONE_NEWPID);
}

TEST_F(cgroup, a_shim_in_namespaces_of_its_own_starts_in_it_without_clone3)
{
	SKIP_WITHOUT_NAMESPACES(CLONE_NEWNS | CLONE_NEWPID);
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	launch_elsewhere(_metadata, self->fd, self->expected,
			 CLONE_NEWNS | CLONE_NEWPID);
}

/* Its namespace has it as the root, however the shim came to be in it. */
TEST_F(cgroup, a_cgroup_namespace_has_it_as_its_root)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cgroup"),
				       .cgroup_fd = self->fd,
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP,
				       .namespaces = CLONE_NEWCGROUP);

	SKIP_WITHOUT_NAMESPACES(CLONE_NEWCGROUP);
	EXPECT_STREQ("/\n", shim_said(_metadata, &options));
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	EXPECT_STREQ("/\n", shim_said(_metadata, &options));
}

TEST_F(cgroup, a_cgroup_namespace_in_a_user_namespace_has_it_as_its_root)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cgroup"),
				       .cgroup_fd = self->fd,
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP,
				       .namespaces = CLONE_NEWCGROUP |
						     CLONE_NEWUSER);

	SKIP_WITHOUT_NAMESPACES(CLONE_NEWCGROUP | CLONE_NEWUSER);
	EXPECT_STREQ("/\n", shim_said(_metadata, &options));
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	EXPECT_STREQ("/\n", shim_said(_metadata, &options));
}

TEST_F(cgroup, the_map_may_have_its_number)
{
	struct pidtrack_fd_map fds = { self->fd, PIDTRACK_FD_NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cgroup"),
				       .cgroup_fd = self->fd,
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP,
				       .fds = &fds, .n_fds = 1);

	EXPECT_STREQ(self->expected, shim_said(_metadata, &options));
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	EXPECT_STREQ(self->expected, shim_said(_metadata, &options));
}

TEST_F(cgroup, without_the_flag_it_is_not_read)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("cgroup"),
				       .cgroup_fd = self->fd);

	EXPECT_STRNE(self->expected, shim_said(_metadata, &options));
}

/* ---- what fails ---- */

static void launch_fails_into(struct __test_metadata *_metadata, int cgroup_fd)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .cgroup_fd = cgroup_fd,
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP);

	spawn_fails(_metadata, &options, -EBADF, PIDTRACK_STAGE_CGROUP);
}

static void launch_into_no_cgroup(struct __test_metadata *_metadata)
{
	static const char *const paths[] = { "/", "/proc/self", "/dev/null",
					     "/proc/self/status" };
	struct path v1;
	int fds[2], fd, i;

	for (i = 0; i < 4; i++) {
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0 && wants_proc())
			continue;
		ASSERT_GE(fd, 0);
		launch_fails_into(_metadata, fd);
		close(fd);
	}
	launch_fails_into(_metadata, 9999);
	launch_fails_into(_metadata, -1);
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	launch_fails_into(_metadata, fds[1]);
	close(fds[0]);
	close(fds[1]);
	/* has a cgroup.procs too, but means another thing */
	if (!mount_find("cgroup", v1.text, sizeof(v1.text)))
		return;
	fd = open(v1.text, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	launch_fails_into(_metadata, fd);
	close(fd);
}

TEST(what_is_no_cgroup_is_refused)
{
	launch_into_no_cgroup(_metadata);
}

TEST(what_is_no_cgroup_is_refused_without_clone3)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	launch_into_no_cgroup(_metadata);
}

static void launch_into_removed(struct __test_metadata *_metadata,
				int cgroup_fd, const char *path)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .cgroup_fd = cgroup_fd,
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP);
	struct launch launch = LAUNCH_NULL;

	ASSERT_EQ(0, rmdir(path));
	launch_open(_metadata, &launch);
	EXPECT_LT(launch_spawn(_metadata, &launch, &options), 0);
	EXPECT_EQ(PIDTRACK_STAGE_CGROUP, launch.stage);
	EXPECT_STREQ("", launch_said(_metadata, &launch));
	EXPECT_EQ(0, child_is_any());
	launch_close(&launch);
}

TEST_F(cgroup, one_that_was_removed_is_refused)
{
	launch_into_removed(_metadata, self->fd, self->path.text);
}

TEST_F(cgroup, one_that_was_removed_is_refused_without_clone3)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	launch_into_removed(_metadata, self->fd, self->path.text);
}

/* A file of its own in it, which is what the failed launch must not leave. */
TEST_F(cgroup, a_failed_launch_leaves_it_empty)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .cgroup_fd = self->fd,
				       .program = "/is/not/there",
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP);
	int r;

	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
	/* reaped, it may be in there for a moment more */
	while ((r = rmdir(self->path.text)) < 0 && errno == EBUSY)
		sched_yield();
	EXPECT_EQ(0, r);
}

struct delegated {
	int cgroup_fd;
	struct path shim;
};

static void launch_without_right(struct __test_metadata *_metadata, void *arg)
{
	struct delegated *delegated = arg;
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = delegated->shim.text,
				       .cgroup_fd = delegated->cgroup_fd,
				       .flags = PIDTRACK_SPAWN_INTO_CGROUP);

	become_nobody(_metadata);
	spawn_fails(_metadata, &options, -EACCES, PIDTRACK_STAGE_CGROUP);
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	spawn_fails(_metadata, &options, -EACCES, PIDTRACK_STAGE_CGROUP);
}

TEST_F(cgroup, one_the_host_may_not_use_is_refused)
{
	struct delegated delegated = { .cgroup_fd = self->fd };
	struct directory directory;

	directory_make(_metadata, &directory);
	delegated.shim = shim_copy(_metadata, &directory);
	host_run(_metadata, launch_without_right, &delegated);
	directory_remove(&directory);
}

TEST_HARNESS_MAIN
