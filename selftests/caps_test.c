/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Capability text to sets, and sets into effect.
 */
#include <linux/capability.h>
#include <sys/prctl.h>

#include "caps.h"
#include "harness.h"

#define CHOWN BIT(CAP_CHOWN)
#define NET_BIND BIT(CAP_NET_BIND_SERVICE)
#define SYS_PTRACE BIT(CAP_SYS_PTRACE)
#define LAST BIT(CAP_LAST_CAP) /* above 31, so in the second word */

static struct pt_caps parsed(struct __test_metadata *_metadata,
			     const char *text)
{
	struct pt_caps caps;

	memset(&caps, 0xff, sizeof(caps));
	ASSERT_EQ(0, pt_caps_parse(text, &caps))
	{
		TH_LOG("'%s'", text);
	}
	return caps;
}

/* ---- text ---- */

TEST(effective_and_permitted_become_ambient)
{
	struct pt_caps caps = parsed(_metadata, "cap_net_bind_service=ep");

	EXPECT_EQ(NET_BIND, caps.permitted);
	EXPECT_EQ(NET_BIND, caps.effective);
	EXPECT_EQ(NET_BIND, caps.inheritable);
	EXPECT_EQ(NET_BIND, caps.ambient);
	EXPECT_EQ(NET_BIND, caps.bounding);
}

TEST(permitted_alone_does_not_become_ambient)
{
	struct pt_caps caps = parsed(_metadata, "cap_chown=p");

	EXPECT_EQ(CHOWN, caps.permitted);
	EXPECT_EQ(0, caps.effective);
	EXPECT_EQ(0, caps.inheritable);
	EXPECT_EQ(0, caps.ambient);
	EXPECT_EQ(CHOWN, caps.bounding);
}

TEST(inheritable_alone_does_not_become_ambient)
{
	struct pt_caps caps = parsed(_metadata, "cap_chown=i");

	EXPECT_EQ(0, caps.permitted);
	EXPECT_EQ(0, caps.effective);
	EXPECT_EQ(CHOWN, caps.inheritable);
	EXPECT_EQ(0, caps.ambient);
	EXPECT_EQ(CHOWN, caps.bounding);
}

TEST(clauses_add_up)
{
	struct pt_caps caps = parsed(_metadata,
				     "cap_chown,cap_net_bind_service=ep "
				     "cap_chown-e cap_sys_ptrace+i");

	EXPECT_EQ(CHOWN | NET_BIND, caps.permitted);
	EXPECT_EQ(NET_BIND, caps.effective);
	EXPECT_EQ(NET_BIND | SYS_PTRACE, caps.inheritable);
	EXPECT_EQ(NET_BIND, caps.ambient);
	EXPECT_EQ(CHOWN | NET_BIND | SYS_PTRACE, caps.bounding);
}

TEST(none_and_all_are_sets_too)
{
	struct pt_caps none = parsed(_metadata, "=");
	struct pt_caps all = parsed(_metadata, "all=ep");
	struct pt_caps empty = parsed(_metadata, "");

	EXPECT_EQ(0, none.permitted | none.effective | none.inheritable |
			     none.ambient | none.bounding);
	EXPECT_EQ(0, empty.permitted | empty.effective | empty.inheritable |
			     empty.ambient | empty.bounding);
	EXPECT_EQ(CHOWN | NET_BIND | SYS_PTRACE,
		  all.effective & (CHOWN | NET_BIND | SYS_PTRACE));
	EXPECT_EQ(all.effective, all.bounding);
	EXPECT_EQ(all.effective, all.ambient);
}

TEST(names_have_any_case_and_numbers_will_do)
{
	EXPECT_EQ(NET_BIND,
		  parsed(_metadata, "CAP_NET_BIND_SERVICE=ep").effective);
	EXPECT_EQ(NET_BIND, parsed(_metadata, "10=ep").effective);
}

TEST(the_last_of_them_is_a_bit_like_any)
{
	char text[16];

	snprintf(text, sizeof(text), "%d=ep", CAP_LAST_CAP);
	EXPECT_EQ(LAST, parsed(_metadata, text).effective);
	EXPECT_EQ(LAST, parsed(_metadata, text).bounding);
}

TEST(other_text_is_refused)
{
	static const char *const texts[] = {
		"cap_of_my_own=ep", "cap_chown=x", "cap_chown",
		"nonsense",	    "+",	   "cap_chown=e,=p",
		"999=ep",	    "-1=ep",	   "cap_chown =ep",
	};
	struct pt_caps caps;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		memset(&caps, 0x5a, sizeof(caps));
		EXPECT_EQ(-EINVAL, pt_caps_parse(texts[i], &caps))
		{
			TH_LOG("'%s'", texts[i]);
		}
		EXPECT_EQ(UINT64_C(0x5a5a5a5a5a5a5a5a), caps.permitted);
	}
}

TEST(text_of_any_length_is_read)
{
	static char text[100000];
	struct pt_caps caps;
	size_t i;

	for (i = 0; i + 16 < sizeof(text); i += 13)
		memcpy(text + i, "cap_chown=ep ", 13);
	caps = parsed(_metadata, text);
	EXPECT_EQ(CHOWN, caps.effective);
	memset(text, 'x', sizeof(text) - 1);
	EXPECT_EQ(-EINVAL, pt_caps_parse(text, &caps));
}

/* ---- into effect, each time in a process of its own ---- */

static uint64_t own_set(const char *name)
{
	char line[256], format[64];
	uint64_t set = 0;
	FILE *file = fopen("/proc/self/status", "re");

	snprintf(format, sizeof(format), "%s:", name);
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, format, strlen(format)))
			set = strtoull(line + strlen(format), NULL, 16);
	if (file)
		fclose(file);
	return set;
}

static bool can_setpcap(void)
{
	return !geteuid() && own_set("CapEff") & BIT(CAP_SETPCAP);
}

static void in_a_child(struct __test_metadata *_metadata,
		       void (*run)(struct __test_metadata *_metadata))
{
	int status = -1;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		run(_metadata);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

static void become_nobody(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, syscall(SYS_setresgid, 65534, 65534, 65534));
	ASSERT_EQ(0, syscall(SYS_setresuid, 65534, 65534, 65534));
}

static void limit_and_apply(struct __test_metadata *_metadata)
{
	struct pt_caps caps = parsed(_metadata, "cap_chown=p "
						"cap_net_bind_service=ep "
						"cap_sys_ptrace=i");

	ASSERT_EQ(0, pt_caps_limit(&caps, false));
	ASSERT_EQ(0, pt_caps_apply(&caps));
	EXPECT_EQ(CHOWN | NET_BIND, own_set("CapPrm"));
	EXPECT_EQ(NET_BIND, own_set("CapEff"));
	EXPECT_EQ(NET_BIND | SYS_PTRACE, own_set("CapInh"));
	EXPECT_EQ(NET_BIND, own_set("CapAmb"));
	EXPECT_EQ(CHOWN | NET_BIND | SYS_PTRACE, own_set("CapBnd"));
}

TEST(sets_take_effect)
{
	if (!can_setpcap())
		SKIP(return, "wants root with CAP_SETPCAP");
	in_a_child(_metadata, limit_and_apply);
}

static void limit_change_and_apply(struct __test_metadata *_metadata)
{
	struct pt_caps caps = parsed(_metadata, "cap_net_bind_service=ep");

	ASSERT_EQ(0, pt_caps_limit(&caps, false));
	become_nobody(_metadata);
	ASSERT_EQ(0, pt_caps_apply(&caps));
	EXPECT_EQ(NET_BIND, own_set("CapPrm"));
	EXPECT_EQ(NET_BIND, own_set("CapEff"));
	EXPECT_EQ(NET_BIND, own_set("CapAmb"));
	EXPECT_EQ(NET_BIND, own_set("CapBnd"));
}

TEST(sets_survive_a_change_of_user)
{
	if (!can_setpcap())
		SKIP(return, "wants root with CAP_SETPCAP");
	in_a_child(_metadata, limit_change_and_apply);
}

static void limit_without_right(struct __test_metadata *_metadata)
{
	struct pt_caps caps = parsed(_metadata, "=");

	become_nobody(_metadata);
	EXPECT_EQ(-EPERM, pt_caps_limit(&caps, false));
	EXPECT_EQ(0, pt_caps_limit(&caps, true));
	EXPECT_EQ(0, pt_caps_apply(&caps));
	caps = parsed(_metadata, "cap_chown=ep");
	EXPECT_EQ(-EPERM, pt_caps_apply(&caps));
}

TEST(the_bounding_set_is_lowered_with_the_right_to_it_only)
{
	if (geteuid())
		SKIP(return, "wants root");
	in_a_child(_metadata, limit_without_right);
}

TEST_HARNESS_MAIN
