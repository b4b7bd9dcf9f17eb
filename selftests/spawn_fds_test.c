/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching: which descriptors the shim has, and that the host's own are left
 * alone.
 */
#include <sys/resource.h>

#include "launch.h"
#include "seccomp.h"

#define MANY 400

static rlim_t fd_limit(void)
{
	struct rlimit limit = { 0 };

	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

/* What /proc calls the file of named_fd(). */
static const char *named(const char *name)
{
	static char text[64];

	snprintf(text, sizeof(text), "/memfd:%s (deleted)", name);
	return text;
}

/* What the shim has as @child_fd, when it has it from @fds. */
static const char *fd_said(struct __test_metadata *_metadata,
			   const struct pidtrack_fd_map *fds, uint32_t n_fds,
			   int child_fd)
{
	static char line[256];
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.fds = fds, .n_fds = n_fds);
	char number[16];

	snprintf(number, sizeof(number), "%d", child_fd);
	options.argv = SHIM("fd", number);
	snprintf(line, sizeof(line), "%s", shim_said(_metadata, &options));
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* ---- without a map ---- */

/* A host whose own standard descriptors say something. */
static void launch_with_three(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fd", "0", "fd", "1", "fd",
						    "2", "fds"));
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	struct launch launch = LAUNCH_NULL;

	fd_move(_metadata, *(int *)arg, 1);
	fd_move(_metadata, named_fd(_metadata, "zero", MFD_CLOEXEC), 0);
	fd_move(_metadata, named_fd(_metadata, "two", MFD_CLOEXEC), 2);
	launch_open(_metadata, &launch);
	ASSERT_EQ(0, pidtrack_spawn(launch.tracker, &options, &process, NULL));
	ASSERT_EQ(1, pidtrack_wait(launch.tracker, -1, &event));
	EXPECT_EQ(0, event->status);
	launch_close(&launch);
}

TEST_WANTS(without_a_map_a_shim_has_the_hosts_0_1_and_2, proc)
{
	const char *said;
	int out[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	pid = host_start(_metadata, launch_with_three, &out[1]);
	close(out[1]);
	said = fd_text(_metadata, out[0], false);
	EXPECT_EQ(said, strstr(said, "/memfd:zero (deleted)\npipe:["));
	EXPECT_TRUE(strstr(said, "]\n/memfd:two (deleted)\n0 1 2\n") != NULL);
	close(out[0]);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST(nothing_else_of_the_hosts_is_inherited)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fds"));
	int high = (int)fd_limit() - 1, fds[MANY], i;

	for (i = 0; i < MANY; i++)
		fds[i] = named_fd(_metadata, "many", i % 7 ? 0 : MFD_CLOEXEC);
	ASSERT_EQ(high, dup2(fds[0], high));
	ASSERT_EQ(high / 2, dup2(fds[0], high / 2));

	EXPECT_STREQ("0 1 2\n", shim_said(_metadata, &options));
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(0, close(fds[i]));
	EXPECT_EQ(0, close(high));
	EXPECT_EQ(0, close(high / 2));
}

/* Descriptors may be above the limit, if it was higher before. */
TEST_WANTS(nothing_above_a_lowered_limit_is_inherited, descriptors)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fd", "900"));
	struct rlimit limit;

	fd_move(_metadata, named_fd(_metadata, "high", 0), 900);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 100;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_STREQ("closed\n", shim_said(_metadata, &options));
	EXPECT_EQ(0, close(900));
}

/*
 * A host without 0, 1 and 2: what the library opens for itself gets these
 * numbers, and the shim must not have it.
 */
static void launch_without_any(struct __test_metadata *_metadata, void *arg)
{
	struct pidtrack_fd_map fds = { 1, 9 };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fds"), .fds = &fds,
				       .n_fds = 1);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	struct launch launch = LAUNCH_NULL;

	fd_move(_metadata, *(int *)arg, 9);
	close(0);
	close(1);
	close(2);
	launch_open(_metadata, &launch);
	EXPECT_EQ(0, pidtrack_spawn(launch.tracker, &options, &process, NULL));
	EXPECT_EQ(1, pidtrack_wait(launch.tracker, -1, &event));
	launch_close(&launch);
}

TEST(a_host_without_0_1_and_2_gives_none)
{
	int out[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	pid = host_start(_metadata, launch_without_any, &out[1]);
	close(out[1]);
	EXPECT_STREQ("1\n", fd_text(_metadata, out[0], false));
	close(out[0]);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

/* ---- with a map ---- */

TEST_WANTS(a_descriptor_is_mapped, proc)
{
	struct pidtrack_fd_map fds = { 5, -1 };

	fds.fd = named_fd(_metadata, "mapped", 0);
	EXPECT_STREQ(named("mapped"), fd_said(_metadata, &fds, 1, 5));
	EXPECT_STREQ("closed", fd_said(_metadata, &fds, 1, 4));
	close(fds.fd);
}

TEST_WANTS(a_descriptor_that_is_close_on_exec_is_mapped, proc)
{
	struct pidtrack_fd_map fds = { 5, -1 };

	fds.fd = named_fd(_metadata, "mapped", MFD_CLOEXEC);
	EXPECT_STREQ(named("mapped"), fd_said(_metadata, &fds, 1, 5));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fds.fd, F_GETFD));
	close(fds.fd);
}

TEST_WANTS(a_descriptor_is_mapped_to_its_own_number, proc)
{
	struct pidtrack_fd_map fds = { -1, -1 };

	fds.fd = fds.child_fd = named_fd(_metadata, "mapped", MFD_CLOEXEC);
	EXPECT_STREQ(named("mapped"),
		     fd_said(_metadata, &fds, 1, fds.child_fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fds.fd, F_GETFD));
	close(fds.fd);
}

TEST_WANTS(one_descriptor_is_mapped_to_several, proc)
{
	struct pidtrack_fd_map fds[4] = { { 3 }, { 70 }, { 4 }, { 2 } };
	int fd = named_fd(_metadata, "mapped", MFD_CLOEXEC), i;

	for (i = 0; i < 4; i++)
		fds[i].fd = fd;
	for (i = 0; i < 4; i++)
		EXPECT_STREQ(named("mapped"),
			     fd_said(_metadata, fds, 4, fds[i].child_fd));
	close(fd);
}

TEST_WANTS(descriptors_are_swapped, proc)
{
	struct pidtrack_fd_map fds[2];

	fds[0].fd = named_fd(_metadata, "a", MFD_CLOEXEC);
	fds[1].fd = named_fd(_metadata, "b", 0);
	fds[0].child_fd = fds[1].fd;
	fds[1].child_fd = fds[0].fd;
	EXPECT_STREQ(named("a"), fd_said(_metadata, fds, 2, fds[1].fd));
	EXPECT_STREQ(named("b"), fd_said(_metadata, fds, 2, fds[0].fd));
	close(fds[0].fd);
	close(fds[1].fd);
}

/* A host that hands its output on as the input, and its input as the output. */
static void launch_swapped(struct __test_metadata *_metadata, void *arg)
{
	static const struct pidtrack_fd_map fds[] = { { 0, 1 }, { 1, 0 } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fd", "0", "fds"),
				       .fds = fds, .n_fds = 2);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	struct launch launch = LAUNCH_NULL;

	fd_move(_metadata, *(int *)arg, 0);
	fd_move(_metadata, named_fd(_metadata, "one", 0), 1);
	launch_open(_metadata, &launch);
	ASSERT_EQ(0, pidtrack_spawn(launch.tracker, &options, &process, NULL));
	ASSERT_EQ(1, pidtrack_wait(launch.tracker, -1, &event));
	launch_close(&launch);
}

TEST_WANTS(standard_input_and_output_are_swapped, proc)
{
	int out[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	pid = host_start(_metadata, launch_swapped, &out[1]);
	close(out[1]);
	EXPECT_STREQ("/memfd:one (deleted)\n0 1 2\n",
		     fd_text(_metadata, out[0], false));
	close(out[0]);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

/* Each is wanted where the next one is, around in a ring, and one besides. */
TEST_WANTS(descriptors_in_each_others_way_are_all_mapped, proc)
{
	struct pidtrack_fd_map fds[9];
	char name[16];
	int i;

	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "ring%d", i);
		fds[i].fd = named_fd(_metadata, name, i % 2 ? MFD_CLOEXEC : 0);
	}
	for (i = 0; i < 8; i++)
		fds[i].child_fd = fds[(i + 1) % 8].fd;
	fds[8].fd = fds[0].fd;
	fds[8].child_fd = fds[7].fd + 1;
	for (i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "ring%d", i % 8);
		EXPECT_STREQ(named(name),
			     fd_said(_metadata, fds, 9, fds[i].child_fd));
	}
	for (i = 0; i < 8; i++)
		close(fds[i].fd);
}

/* Wherever the library has descriptors of its own, it gives way. */
TEST_WANTS(every_low_descriptor_may_be_mapped, proc)
{
	struct pidtrack_fd_map fds[100];
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fds"), .fds = fds,
				       .n_fds = 97);
	char expected[1024];
	size_t size;
	int i, k, sources[3];

	for (i = 0; i < 3; i++)
		sources[i] = named_fd(_metadata, "source", MFD_CLOEXEC);
	for (i = 0; i < 97; i++)
		fds[i] = (struct pidtrack_fd_map){ 3 + i, sources[i % 3] };
	size = snprintf(expected, sizeof(expected), "0 1 2");
	for (i = 3; i < 100; i++)
		size += snprintf(expected + size, sizeof(expected) - size,
				 " %d", i);
	snprintf(expected + size, sizeof(expected) - size, "\n");

	EXPECT_STREQ(expected, shim_said(_metadata, &options));
	for (k = 3; k < 40; k++)
		EXPECT_STREQ(named("source"), fd_said(_metadata, fds, 97, k));
	for (i = 0; i < 3; i++)
		close(sources[i]);
}

TEST_WANTS(a_high_descriptor_may_be_mapped, proc)
{
	struct pidtrack_fd_map fds[3] = { { 1000 }, { 3 }, { 0 } };
	int i;

	fds[2].child_fd = (int)fd_limit() / 2;
	for (i = 0; i < 3; i++)
		fds[i].fd = named_fd(_metadata, "mapped", MFD_CLOEXEC);
	for (i = 0; i < 3; i++)
		EXPECT_STREQ(named("mapped"),
			     fd_said(_metadata, fds, 3, fds[i].child_fd));
	for (i = 0; i < 3; i++)
		close(fds[i].fd);
}

TEST_WANTS(the_highest_descriptor_may_be_mapped, proc)
{
	struct pidtrack_fd_map fds = { (int)fd_limit() - 1 };

	fds.fd = named_fd(_metadata, "mapped", MFD_CLOEXEC);
	EXPECT_STREQ(named("mapped"),
		     fd_said(_metadata, &fds, 1, fds.child_fd));
	close(fds.fd);
}

TEST_WANTS(dev_null_may_be_mapped, proc)
{
	static const struct pidtrack_fd_map fds[] = {
		{ 0, PIDTRACK_FD_NULL },
		{ 2, PIDTRACK_FD_NULL },
		{ 7, PIDTRACK_FD_NULL },
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fds", "wait", "write",
						    "ended"),
				       .fds = fds, .n_fds = 3);
	int i;

	for (i = 0; i < 3; i++)
		EXPECT_STREQ("/dev/null",
			     fd_said(_metadata, fds, 3, fds[i].child_fd));
	/* and it can be read to its end */
	EXPECT_STREQ("0 1 2 7\nended\n", shim_said(_metadata, &options));
}

TEST_WANTS(dev_null_is_for_reading_and_writing, proc)
{
	static const struct pidtrack_fd_map fds = { 7, PIDTRACK_FD_NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"), .fds = &fds,
				       .n_fds = 1);
	struct launch launch = LAUNCH_NULL;
	const char *text;
	char path[64];
	unsigned int flags = 0;

	launch_open(_metadata, &launch);
	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options));
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/7",
		 pidtrack_process_pid(launch.process));
	text = file_read(_metadata, path);
	ASSERT_TRUE(text != NULL);
	ASSERT_TRUE(strstr(text, "flags:") != NULL);
	ASSERT_EQ(1, sscanf(strstr(text, "flags:"), "flags: %o", &flags));
	EXPECT_EQ(O_RDWR, flags & O_ACCMODE);
	EXPECT_EQ(0, flags & O_CLOEXEC);
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	launch_close(&launch);
}

/* Whatever number the program has, the map may have it too. */
TEST_WANTS(a_program_by_descriptor_gives_way_to_the_map, proc)
{
	struct pidtrack_fd_map fds[2] = { { 0 } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.flags = PIDTRACK_SPAWN_PROGRAM_FD,
				       .fds = fds, .n_fds = 2);
	int program = open(shim_path(), O_RDONLY | O_CLOEXEC), i;
	char number[16];

	ASSERT_GE(program, 0);
	fds[0].fd = fds[1].fd = named_fd(_metadata, "mapped", MFD_CLOEXEC);
	for (i = 3; i < 15; i++) {
		options.program_fd = fcntl(program, F_DUPFD_CLOEXEC, i);
		fds[0].child_fd = options.program_fd;
		fds[1].child_fd = options.program_fd + 1;
		snprintf(number, sizeof(number), "%d", options.program_fd);
		options.argv =
			(const char *const[]){ "zero", "fd", number, NULL };
		EXPECT_STREQ("/memfd:mapped (deleted)\n",
			     shim_said(_metadata, &options));
		close(options.program_fd);
	}
	close(program);
	close(fds[0].fd);
}

/* ---- what cannot be mapped ---- */

TEST(a_descriptor_that_is_closed_cannot_be_mapped)
{
	struct pidtrack_fd_map fds[2] = { { 5, 50 }, { 6, 51 } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"), .fds = fds,
				       .n_fds = 2);

	fd_move(_metadata, named_fd(_metadata, "open", 0), 50);
	spawn_fails(_metadata, &options, -EBADF, PIDTRACK_STAGE_FDS);
	/* nor to where it is not */
	fds[1].child_fd = 51;
	spawn_fails(_metadata, &options, -EBADF, PIDTRACK_STAGE_FDS);
	/* nor is it open because the map opens one there */
	fds[0].child_fd = 51;
	fds[1].child_fd = 52;
	spawn_fails(_metadata, &options, -EBADF, PIDTRACK_STAGE_FDS);
	close(50);
}

TEST(no_number_may_be_mapped_twice)
{
	struct pidtrack_fd_map fds[3] = { { 5 }, { 6 }, { 5 } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"), .fds = fds,
				       .n_fds = 3);

	fds[0].fd = fds[1].fd = fds[2].fd = named_fd(_metadata, "open", 0);
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	close(fds[0].fd);
}

/* Refused with one of two errnos, as both are true. */
static void map_fails(struct __test_metadata *_metadata, int child_fd, int fd,
		      int r, int or)
{
	struct pidtrack_fd_map fds = { child_fd, fd };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .fds = &fds, .n_fds = 1);
	struct launch launch = LAUNCH_NULL;
	int seen;

	launch_open(_metadata, &launch);
	seen = launch_spawn(_metadata, &launch, &options);
	EXPECT_TRUE(seen == r || seen == or)
	{
		TH_LOG("%d from %d: %d at stage %s", child_fd, fd, seen,
		       pidtrack_stage_name(launch.stage));
	}
	EXPECT_TRUE(launch.stage == PIDTRACK_STAGE_OPTIONS ||
		    launch.stage == PIDTRACK_STAGE_FDS);
	EXPECT_STREQ("", launch_said(_metadata, &launch));
	EXPECT_EQ(0, child_is_any());
	launch_close(&launch);
}

TEST(numbers_that_are_none_cannot_be_mapped)
{
	map_fails(_metadata, -1, 2, -EINVAL, -EBADF);
	map_fails(_metadata, INT32_MIN, 2, -EINVAL, -EBADF);
	map_fails(_metadata, 3, -2, -EINVAL, -EBADF);
	map_fails(_metadata, 3, INT32_MIN, -EINVAL, -EBADF);
}

TEST(a_number_above_the_limit_cannot_be_mapped)
{
	map_fails(_metadata, INT32_MAX, 2, -EMFILE, -EBADF);
	map_fails(_metadata, INT32_MAX - 1, 2, -EMFILE, -EBADF);
	map_fails(_metadata, (int)fd_limit(), 2, -EMFILE, -EBADF);
	map_fails(_metadata, (int)fd_limit(), PIDTRACK_FD_NULL, -EMFILE,
		  -EBADF);
}

/* ---- a host with many ---- */

#define FAR 3000

/* Several, all with numbers beyond FAR, and one that is near. */
static void fars_make(struct __test_metadata *_metadata,
		      struct pidtrack_fd_map fds[10])
{
	struct rlimit limit;
	char name[16];
	int i;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "far%d", i);
		fd_move(_metadata, named_fd(_metadata, name, MFD_CLOEXEC),
			FAR + i);
		/* what comes low in the copied table is in others' way */
		fds[i] = (struct pidtrack_fd_map){ 3 + i, FAR + i };
	}
	fds[8].child_fd = FAR;
	fds[9] = (struct pidtrack_fd_map){ 12, named_fd(_metadata, "far9",
							MFD_CLOEXEC) };
}

static void fars_said(struct __test_metadata *_metadata,
		      const struct pidtrack_fd_map fds[10])
{
	char name[16];
	int i;

	for (i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "far%d", i);
		EXPECT_STREQ(named(name),
			     fd_said(_metadata, fds, 10, fds[i].child_fd));
	}
}

static void fars_close(const struct pidtrack_fd_map fds[10])
{
	int i;

	for (i = 0; i < 10; i++)
		close(fds[i].fd);
}

static const char *wants_far_descriptors(void)
{
	const char *wanting = wants_descriptors();

	return wanting ? wanting : wants_proc(); /* for what they are */
}

TEST_WANTS(descriptors_from_far_are_mapped, far_descriptors)
{
	struct pidtrack_fd_map fds[10];

	fars_make(_metadata, fds);
	fars_said(_metadata, fds);
	fars_close(fds);
}

TEST_WANTS(where_they_cannot_be_sent_too, far_descriptors)
{
	static const int refused[] = { SYS_recvmsg, SYS_sendmsg,
				       SYS_socketpair };
	struct pidtrack_fd_map fds[10];
	int i;

	fars_make(_metadata, fds);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, seccomp_refuse(refused[i], EPERM));
		fars_said(_metadata, fds);
	}
	fars_close(fds);
}

/* Of one that has launched: by clone(2) the first shares nothing. */
static void fars_open(struct __test_metadata *_metadata, struct launch *launch)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"));

	launch_open(_metadata, launch);
	ASSERT_EQ(0, launch_spawn(_metadata, launch, &options));
	ASSERT_EQ(0, launch_wait(_metadata, launch));
	launch_reset(launch);
}

TEST_WANTS(no_table_is_copied_up_to_those_that_are_far, far_descriptors)
{
	static const char *const argv[] = { "/bin/grep", "FDSize",
					    "/proc/self/status", NULL };
	struct pidtrack_fd_map fds[10];
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .fds = fds, .n_fds = 8);
	struct launch launch = LAUNCH_NULL;
	int size = 0;

	if (pidtrack_feature_probe(PIDTRACK_FEATURE_CLOSE_RANGE))
		SKIP(return, "no close_range: Linux < 5.9, or refused");
	if (sandbox_refuses("sendmsg") || sandbox_refuses("recvmsg") ||
	    sandbox_refuses("socketpair"))
		SKIP(return, "the sandbox has the library send none");
	fars_open(_metadata, &launch);
	fars_make(_metadata, fds);
	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options));
	ASSERT_EQ(1,
		  sscanf(launch_said(_metadata, &launch), "FDSize: %d", &size));
	EXPECT_GE(FAR / 4, size);
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	fars_close(fds);
	launch_close(&launch);
}

/* The first of those that are far is the end for writing; returns the other. */
static int far_pipe(struct __test_metadata *_metadata)
{
	int ends[2];

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(FAR, dup3(ends[1], FAR, O_CLOEXEC));
	close(ends[1]);
	return ends[0];
}

/* What the host sent is not left behind, or a pipe would never end. */
TEST_WANTS(what_was_sent_to_one_that_failed_is_closed, descriptors)
{
	struct pidtrack_fd_map fds[10];
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait"), .fds = fds,
				       .n_fds = 10);
	struct launch launch = LAUNCH_NULL;
	int end;
	char byte;

	if (sandbox_refuses("unshare"))
		SKIP(return, "the sandbox has no launch unshare anything");
	fars_open(_metadata, &launch);
	fars_make(_metadata, fds);
	end = far_pipe(_metadata);
	/* refused where it would make its table its own */
	ASSERT_EQ(0, seccomp_refuse(SYS_close_range, EPERM));
	ASSERT_EQ(0, seccomp_refuse(SYS_unshare, EMFILE));
	if (sandbox_refuses("recvmsg"))
		EXPECT_EQ(-EMFILE, launch_spawn(_metadata, &launch, &options));
	else
		launch_fails(_metadata, &launch, &options, -EMFILE,
			     PIDTRACK_STAGE_FDS);
	fars_close(fds);
	EXPECT_EQ(0, read(end, &byte, 1));
	close(end);
	launch_close(&launch);
}

/* Nor is it where nobody may receive it: the table is copied then. */
TEST_WANTS(what_cannot_be_received_is_closed, far_descriptors)
{
	struct pidtrack_fd_map fds[10];
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "0"), .fds = fds,
				       .n_fds = 10);
	struct launch launch = LAUNCH_NULL;
	int end;
	char byte;

	fars_open(_metadata, &launch);
	fars_make(_metadata, fds);
	end = far_pipe(_metadata);
	ASSERT_EQ(0, seccomp_refuse(SYS_recvmsg, EPERM));
	ASSERT_EQ(0, launch_spawn(_metadata, &launch, &options));
	EXPECT_EQ(0, launch_wait(_metadata, &launch));
	fars_close(fds);
	EXPECT_EQ(0, read(end, &byte, 1));
	close(end);
	launch_close(&launch);
}

/* ---- the host's own ---- */

TEST(a_launch_changes_none_of_the_hosts_descriptors)
{
	struct pidtrack_fd_map fds[3] = { { 0 }, { 20 }, { 3 } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fds"), .fds = fds,
				       .n_fds = 3);
	char *before, *after;
	int i, a, b;

	for (i = 0; i < 30; i++)
		fcntl(STDERR_FILENO, i % 2 ? F_DUPFD : F_DUPFD_CLOEXEC, 30 + i);
	a = named_fd(_metadata, "a", 0);
	b = named_fd(_metadata, "b", MFD_CLOEXEC);
	fds[0].fd = a;
	fds[1].fd = b;
	fds[2].fd = PIDTRACK_FD_NULL;

	before = fds_text(_metadata);
	EXPECT_STREQ("0 1 2 3 20\n", shim_said(_metadata, &options));
	after = fds_text(_metadata);
	EXPECT_STREQ(before, after);
	free(after);

	options.program = "/is/not/there";
	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
	fds[1].fd = 9999;
	spawn_fails(_metadata, &options, -EBADF, PIDTRACK_STAGE_FDS);
	after = fds_text(_metadata);
	EXPECT_STREQ(before, after);
	free(after);
	free(before);
	for (i = 0; i < 30; i++)
		close(30 + i);
	close(a);
	close(b);
}

TEST_HARNESS_MAIN
