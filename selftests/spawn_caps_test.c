/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching: which capabilities a shim holds once it runs.
 */
#include <linux/capability.h>

#include "launch.h"
#include "seccomp.h"

#define BIT64(n) (UINT64_C(1) << (n))
#define NET_BIND BIT64(CAP_NET_BIND_SERVICE)
#define CHOWN BIT64(CAP_CHOWN)
#define NET_RAW BIT64(CAP_NET_RAW)

struct sets {
	uint64_t inh, prm, eff, bnd, amb;
};

static struct sets sets_said(struct __test_metadata *_metadata,
			     struct pidtrack_spawn_options *options)
{
	struct sets sets = { 0 };

	options->argv = SHIM("caps");
	ASSERT_EQ(5, sscanf(shim_said(_metadata, options),
			    "inh %" SCNx64 " prm %" SCNx64 " eff %" SCNx64
			    " bnd %" SCNx64 " amb %" SCNx64,
			    &sets.inh, &sets.prm, &sets.eff, &sets.bnd,
			    &sets.amb));
	return sets;
}

static uint64_t set_own(struct __test_metadata *_metadata, const char *field)
{
	return strtoull(proc_status(_metadata, getpid(), field), NULL, 16);
}

/* In this process alone. */
static void caps_drop(struct __test_metadata *_metadata, uint64_t drop)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct sets[2];
	int i;

	ASSERT_EQ(0, syscall(SYS_capget, &header, sets));
	for (i = 0; i < 2; i++) {
		uint32_t keep = ~(uint32_t)(drop >> (32 * i));

		sets[i].effective &= keep;
		sets[i].permitted &= keep;
		sets[i].inheritable &= keep;
	}
	ASSERT_EQ(0, syscall(SYS_capset, &header, sets));
}

FIXTURE(caps)
{
	struct directory directory;
	struct path shim;
};

FIXTURE_SETUP(caps)
{
	if (geteuid() || !(set_own(_metadata, "CapEff") & BIT64(CAP_SETPCAP)))
		SKIP(return, "wants root with CAP_SETPCAP");
	directory_make(_metadata, &self->directory);
	self->shim = shim_copy(_metadata, &self->directory);
}

FIXTURE_TEARDOWN(caps)
{
	directory_remove(&self->directory);
}

TEST_F_WANTS(caps, without_text_they_are_unchanged, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.program = self->shim.text);
	struct sets sets = sets_said(_metadata, &options);

	EXPECT_EQ(set_own(_metadata, "CapPrm"), sets.prm);
	EXPECT_EQ(set_own(_metadata, "CapEff"), sets.eff);
	EXPECT_EQ(set_own(_metadata, "CapBnd"), sets.bnd);
	EXPECT_EQ(set_own(_metadata, "CapInh"), sets.inh);
	EXPECT_EQ(0, sets.amb);
}

TEST_F_WANTS(caps, root_has_what_the_text_says_and_no_more, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.program = self->shim.text,
				       .caps = "cap_net_bind_service=ep");
	struct sets sets = sets_said(_metadata, &options);

	EXPECT_EQ(NET_BIND, sets.prm);
	EXPECT_EQ(NET_BIND, sets.eff);
	EXPECT_EQ(NET_BIND, sets.bnd);
	EXPECT_EQ(0, sets.inh & ~NET_BIND);
	EXPECT_EQ(0, sets.amb & ~NET_BIND);
}

TEST_F_WANTS(caps, another_user_has_what_the_text_says_and_no_more, proc)
{
	struct pidtrack_spawn_options options = PIDTRACK_SPAWN_OPTIONS(
			.program = self->shim.text,
			.caps = "cap_net_bind_service,cap_chown=ep",
			.flags = PIDTRACK_SPAWN_UID | PIDTRACK_SPAWN_GID |
				 PIDTRACK_SPAWN_GROUPS,
			.uid = NOBODY, .gid = NOBODY);
	struct sets sets = sets_said(_metadata, &options);

	EXPECT_EQ(NET_BIND | CHOWN, sets.prm);
	EXPECT_EQ(NET_BIND | CHOWN, sets.eff);
	EXPECT_EQ(NET_BIND | CHOWN, sets.bnd);
	EXPECT_EQ(NET_BIND | CHOWN, sets.inh);
	EXPECT_EQ(NET_BIND | CHOWN, sets.amb);
}

TEST_F_WANTS(caps, a_user_without_text_has_none, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.program = self->shim.text,
				       .flags = PIDTRACK_SPAWN_UID,
				       .uid = NOBODY);
	struct sets sets = sets_said(_metadata, &options);

	EXPECT_EQ(0, sets.prm | sets.eff | sets.amb);
}

TEST_F_WANTS(caps, an_equals_sign_drops_all, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.program = self->shim.text, .caps = "=");
	struct sets sets = sets_said(_metadata, &options);

	EXPECT_EQ(0, sets.prm | sets.eff | sets.inh | sets.bnd | sets.amb);
	options.flags = PIDTRACK_SPAWN_UID;
	options.uid = NOBODY;
	sets = sets_said(_metadata, &options);
	EXPECT_EQ(0, sets.prm | sets.eff | sets.inh | sets.bnd | sets.amb);
}

TEST_F_WANTS(caps, what_is_only_permitted_is_not_ambient, proc)
{
	struct pidtrack_spawn_options options = PIDTRACK_SPAWN_OPTIONS(
			.program = self->shim.text,
			.caps = "cap_chown=p cap_net_bind_service=ep",
			.flags = PIDTRACK_SPAWN_UID, .uid = NOBODY);
	struct sets sets = sets_said(_metadata, &options);

	EXPECT_EQ(NET_BIND, sets.prm);
	EXPECT_EQ(NET_BIND, sets.eff);
	EXPECT_EQ(NET_BIND, sets.amb);
	EXPECT_EQ(NET_BIND | CHOWN, sets.bnd);
}

TEST_F_WANTS(caps, what_is_inheritable_stays_in_the_bounding_set, proc)
{
	struct pidtrack_spawn_options options = PIDTRACK_SPAWN_OPTIONS(
			.program = self->shim.text,
			.caps = "cap_chown=i cap_net_bind_service=eip",
			.flags = PIDTRACK_SPAWN_UID, .uid = NOBODY);
	struct sets sets = sets_said(_metadata, &options);

	EXPECT_EQ(NET_BIND, sets.prm);
	EXPECT_EQ(NET_BIND, sets.eff);
	EXPECT_EQ(NET_BIND | CHOWN, sets.inh);
	EXPECT_EQ(NET_BIND, sets.amb);
	EXPECT_EQ(NET_BIND | CHOWN, sets.bnd);
}

TEST_F_WANTS(caps, they_go_with_no_new_privileges, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.program = self->shim.text,
				       .caps = "cap_net_bind_service=ep",
				       .flags = PIDTRACK_SPAWN_UID |
						PIDTRACK_SPAWN_NO_NEW_PRIVS,
				       .uid = NOBODY);
	struct sets sets = sets_said(_metadata, &options);

	EXPECT_EQ(NET_BIND, sets.prm);
	EXPECT_EQ(NET_BIND, sets.eff);
	EXPECT_EQ(0, sets.bnd & ~NET_BIND);
}

TEST_F_WANTS(caps, the_hosts_own_are_unchanged, proc)
{
	static const char *const names[] = { "CapInh", "CapPrm", "CapEff",
					     "CapBnd", "CapAmb" };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.program = self->shim.text,
				       .caps = "cap_net_bind_service=ep",
				       .flags = PIDTRACK_SPAWN_UID,
				       .uid = NOBODY);
	uint64_t before[5];
	int i;

	for (i = 0; i < 5; i++)
		before[i] = set_own(_metadata, names[i]);
	sets_said(_metadata, &options);
	options.argv = SHIM("write", "ran");
	options.program = "/is/not/there";
	spawn_fails(_metadata, &options, -ENOENT, PIDTRACK_STAGE_EXEC);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(before[i], set_own(_metadata, names[i]));
	EXPECT_EQ(0, prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	EXPECT_EQ(0, prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

TEST_F_WANTS(caps, the_parent_death_signal_outlives_them, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("pdeathsig"),
				       .program = self->shim.text,
				       .caps = "cap_net_bind_service=ep",
				       .flags = PIDTRACK_SPAWN_UID |
						PIDTRACK_SPAWN_GID,
				       .uid = NOBODY, .gid = NOBODY,
				       .parent_death_signal = SIGTERM);

	EXPECT_STREQ("15\n", shim_said(_metadata, &options));
	options.flags |= PIDTRACK_SPAWN_BOUND;
	options.parent_death_signal = 0;
	EXPECT_STREQ("9\n", shim_said(_metadata, &options));
}

TEST_F_WANTS(caps, they_are_the_same_without_clone3, proc)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.program = self->shim.text,
				       .caps = "cap_net_bind_service=ep",
				       .flags = PIDTRACK_SPAWN_UID,
				       .uid = NOBODY);
	struct sets sets;

	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	sets = sets_said(_metadata, &options);
	EXPECT_EQ(NET_BIND, sets.prm);
	EXPECT_EQ(NET_BIND, sets.eff);
	EXPECT_EQ(NET_BIND, sets.bnd);
}

/* ---- what fails ---- */

TEST(text_that_does_not_parse_is_refused)
{
	static const char *const texts[] = {
		"cap_of_my_own=ep", "cap_chown=x",   "cap_chown", "nonsense",
		"cap_chown=ep,=p",  "cap_chown==ep", "+",	  "999=ep",
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct pidtrack_spawn_options options =
			PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
					       .caps = texts[i]);

		spawn_fails(_metadata, &options, -EINVAL, PIDTRACK_STAGE_CAPS);
	}
}

static void launch_without_net_raw(struct __test_metadata *_metadata,
				   void *shim)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = shim,
				       .caps = "cap_net_raw=ep");

	caps_drop(_metadata, NET_RAW);
	spawn_fails(_metadata, &options, -EPERM, PIDTRACK_STAGE_CAPS);
}

TEST_F_WANTS(caps, what_the_host_has_not_it_cannot_give, proc)
{
	host_run(_metadata, launch_without_net_raw, self->shim.text);
}

static void launch_as_nobody(struct __test_metadata *_metadata, void *shim)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("write", "ran"),
				       .program = shim, .caps = "=");
	struct sets sets;

	become_nobody(_metadata);
	spawn_fails(_metadata, &options, -EPERM, PIDTRACK_STAGE_CAPS);
	options.flags = PIDTRACK_SPAWN_NO_NEW_PRIVS;
	sets = sets_said(_metadata, &options);
	EXPECT_EQ(0, sets.prm | sets.eff | sets.inh | sets.amb);
}

TEST_F_WANTS(caps, a_host_without_rights_drops_all_by_no_new_privileges, proc)
{
	host_run(_metadata, launch_as_nobody, self->shim.text);
}

TEST_HARNESS_MAIN
