/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching: options that are wrong in themselves, and structs of another size.
 */
#include <linux/sched.h>
#include <sched.h>
#include <sys/resource.h>

#include "launch.h"

/* ---- values ---- */

TEST(without_arguments_nothing_is_launched)
{
	static const char *const none[] = { NULL };
	struct pidtrack_spawn_options options = PIDTRACK_SPAWN_OPTIONS();

	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.program = shim_path();
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.argv = none;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.program = NULL;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
}

TEST(flags_not_known_are_refused)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	int bit;

	for (bit = 12; bit < 32; bit++) {
		options.flags = UINT32_C(1) << bit;
		spawn_fails(_metadata, &options, -EINVAL,
			    PIDTRACK_STAGE_OPTIONS);
	}
	options.flags = 0;
	options.reserved = 1;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
}

TEST(only_flags_of_namespaces_are_namespaces)
{
	static const uint64_t flags[] = {
		CLONE_VM,
		CLONE_FILES,
		CLONE_THREAD,
		CLONE_PARENT,
		CLONE_PIDFD,
		CLONE_SIGHAND,
		SIGCHLD,
		1,
		CLONE_NEWTIME,
		UINT64_C(1) << 32,
		UINT64_C(1) << 33,
		UINT64_C(1) << 63,
		CLONE_NEWUTS | CLONE_VM,
	};
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		options.namespaces = flags[i];
		spawn_fails(_metadata, &options, -EINVAL,
			    PIDTRACK_STAGE_OPTIONS);
	}
}

TEST(what_contradicts_itself_is_refused)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .flags = PIDTRACK_SPAWN_BOUND |
						PIDTRACK_SPAWN_DETACHED);

	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.flags = 0;
	options.parent_death_signal = -1;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.parent_death_signal = 65;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.parent_death_signal = 0;
	options.signal_ignore = UINT64_C(1) << (SIGKILL - 1);
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.signal_ignore = UINT64_C(1) << (SIGSTOP - 1);
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
}

TEST(one_that_is_bound_dies_by_sigkill_or_nothing)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .flags = PIDTRACK_SPAWN_BOUND,
				       .parent_death_signal = SIGTERM);

	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
}

TEST(a_leader_of_a_session_joins_no_group)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .flags = PIDTRACK_SPAWN_PGID |
						PIDTRACK_SPAWN_SETSID);

	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.flags = PIDTRACK_SPAWN_PGID | PIDTRACK_SPAWN_DETACHED;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.flags = PIDTRACK_SPAWN_PGID;
	options.pgid = -1;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
}

TEST(what_is_to_be_kept_wants_a_label_and_a_place)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .flags = PIDTRACK_SPAWN_KEEP);

	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.label = "web";
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
}

TEST(a_count_without_its_array_is_refused)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .n_rlimits = 1);
	struct pidtrack_process *process = NULL;
	struct launch launch = LAUNCH_NULL;
	uint32_t stage;

	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.n_rlimits = 0;
	options.n_groups = 1;
	options.flags = PIDTRACK_SPAWN_GROUPS;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.n_groups = 0;
	options.flags = 0;
	options.n_fds = 1;
	launch_open(_metadata, &launch);
	EXPECT_EQ(-EINVAL,
		  pidtrack_spawn(launch.tracker, &options, &process, &stage));
	EXPECT_EQ(PIDTRACK_STAGE_OPTIONS, stage);
	EXPECT_NULL(process);
	launch_close(&launch);
}

TEST(limits_that_are_none_are_refused)
{
	struct pidtrack_rlimit rlimit = { .resource = 99 };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .rlimits = &rlimit, .n_rlimits = 1);
	struct launch launch = LAUNCH_NULL;

	launch_open(_metadata, &launch);
	EXPECT_EQ(-EINVAL, launch_spawn(_metadata, &launch, &options));
	EXPECT_STREQ("", launch_said(_metadata, &launch));
	launch_reset(&launch);
	rlimit.resource = RLIMIT_CPU;
	rlimit.soft = rlimit.hard = UINT64_MAX;
	rlimit.reserved = 1;
	launch_fails(_metadata, &launch, &options, -EINVAL,
		     PIDTRACK_STAGE_OPTIONS);
	launch_close(&launch);
}

/* Refused with one of two errnos, since it says two things of length. */
static void label_fails(struct __test_metadata *_metadata, const char *label)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .label = label);
	struct launch launch = LAUNCH_NULL;
	int r;

	launch_open(_metadata, &launch);
	r = launch_spawn(_metadata, &launch, &options);
	EXPECT_TRUE(r == -EINVAL || (strlen(label) > 255 && r == -ENAMETOOLONG))
	{
		TH_LOG("'%.20s': %d", label, r);
	}
	EXPECT_EQ(PIDTRACK_STAGE_OPTIONS, launch.stage);
	EXPECT_STREQ("", launch_said(_metadata, &launch));
	launch_close(&launch);
}

TEST(labels_have_1_to_255_bytes_and_no_control_characters)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	char label[4097];
	int c;

	label_fails(_metadata, "");
	label_fails(_metadata, "two\nlines");
	label_fails(_metadata, "line\n");
	for (c = 1; c < 0x20; c++)
		label_fails(_metadata, (char[]){ 'a', (char)c, 'b', 0 });
	label_fails(_metadata, "\x7f");
	memset(label, 'x', sizeof(label));
	label[4096] = '\0';
	label_fails(_metadata, label);
	label[256] = '\0';
	label_fails(_metadata, label);
	label[255] = '\0';
	options.label = label;
	EXPECT_STREQ("ran\n", shim_said(_metadata, &options));
}

/* ---- options of another size ---- */

struct grown {
	struct pidtrack_spawn_options options;
	uint64_t tail[16];
};

TEST(options_may_be_longer_with_zeros)
{
	struct grown grown = { PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write",
								   "it ran")) };
	const struct pidtrack_event *event;
	struct launch launch = LAUNCH_NULL;
	size_t size;

	launch_open(_metadata, &launch);
	for (size = sizeof(grown.options); size <= sizeof(grown); size += 8) {
		static const struct pidtrack_fd_map fds = { 1,
							    PIDTRACK_FD_NULL };

		grown.options.size = (uint32_t)size;
		grown.options.fds = &fds;
		grown.options.n_fds = 1;
		ASSERT_EQ(0, pidtrack_spawn(launch.tracker, &grown.options,
					    &launch.process, NULL));
		ASSERT_EQ(1, pidtrack_wait(launch.tracker, -1, &event));
		EXPECT_EQ(0, event->status);
		pidtrack_process_free(launch.process);
	}
	launch.process = NULL;
	launch_close(&launch);
}

TEST(options_longer_with_anything_else_are_refused)
{
	struct grown grown = { PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write",
								   "ran")) };
	struct launch launch = LAUNCH_NULL;
	uint32_t stage = STAGE_UNTOUCHED;
	size_t i;

	launch_open(_metadata, &launch);
	grown.options.size = sizeof(grown);
	for (i = 0; i < sizeof(grown.tail); i++) {
		((char *)grown.tail)[i] = 1;
		EXPECT_EQ(-E2BIG, pidtrack_spawn(launch.tracker, &grown.options,
						 &launch.process, &stage));
		EXPECT_EQ(PIDTRACK_STAGE_OPTIONS, stage);
		EXPECT_NULL(launch.process);
		((char *)grown.tail)[i] = 0;
	}
	/* of what is beyond the size nothing is read */
	grown.options.size = sizeof(grown.options);
	memset(grown.tail, 0xff, sizeof(grown.tail));
	EXPECT_STREQ("ran\n", shim_said(_metadata, &grown.options));
	launch_close(&launch);
}

TEST(options_shorter_than_ever_are_refused)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	static const uint32_t sizes[] = { 0, 1, 4, 8, 16, 64 };
	int i;

	for (i = 0; i < 6; i++) {
		options.size = sizes[i];
		spawn_fails(_metadata, &options, -EINVAL,
			    PIDTRACK_STAGE_OPTIONS);
	}
	options.size = sizeof(options) - 1;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
}

TEST(the_stage_need_not_be_asked_for)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = "/is/not/there");
	struct pidtrack_process *process = NULL;
	struct launch launch = LAUNCH_NULL;

	launch_open(_metadata, &launch);
	EXPECT_EQ(-ENOENT,
		  pidtrack_spawn(launch.tracker, &options, &process, NULL));
	options.argv = NULL;
	EXPECT_EQ(-EINVAL,
		  pidtrack_spawn(launch.tracker, &options, &process, NULL));
	EXPECT_NULL(process);
	launch_close(&launch);
}

/* Else it would run as whom nobody meant, the host mostly. */
TEST(an_id_mask_or_list_of_groups_without_its_flag_is_refused)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"));
	const gid_t groups[] = { 4 };

	options.uid = NOBODY;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.uid = 0;
	options.gid = NOBODY;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.gid = 0;
	options.umask = 077;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.umask = 0;
	options.groups = groups;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.n_groups = 1;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
	options.groups = NULL;
	spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_OPTIONS);
}

TEST_HARNESS_MAIN
