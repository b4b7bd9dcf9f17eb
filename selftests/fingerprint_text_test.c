/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* The text of fingerprints: what is none, and what damage can do to one. */
#include "tracked.h"

struct text {
	char text[PIDTRACK_FINGERPRINT_MAX];
};

static struct text fingerprint(struct __test_metadata *_metadata,
			       struct pidtrack_process *process)
{
	struct text text;

	ASSERT_GT(pidtrack_process_fingerprint(process, text.text,
					       sizeof(text.text)),
		  0);
	return text;
}

static void expect_malformed(struct __test_metadata *_metadata,
			     struct pidtrack_process *process, const char *text)
{
	struct pidtrack_comparison comparison = { .verdict = 4711 };
	int r = pidtrack_process_compare(process, text, &comparison,
					 sizeof(comparison));

	EXPECT_EQ(-EBADMSG, r)
	{
		TH_LOG("'%s'", text);
	}
	EXPECT_EQ(4711, comparison.verdict);
}

TEST(what_is_no_fingerprint_is_refused)
{
	static const char *const malformed[] = {
		"",
		" ",
		"\n",
		"1",
		"1:2",
		"1234:5678",
		"pidtrack",
		"fingerprint",
		"-1",
		"pid=1",
		"{\"pid\":1}",
		"\xff\xfe",
		"%s%s%s%n",
		"0123456789abcdef0123456789abcdef",
	};
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	static char text[100000];
	struct text good;
	size_t i, size;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	for (i = 0; i < ARRAY_SIZE(malformed); i++)
		expect_malformed(_metadata, process, malformed[i]);

	memset(text, '1', sizeof(text) - 1);
	expect_malformed(_metadata, process, text);
	good = fingerprint(_metadata, process);
	size = strlen(good.text);
	snprintf(text, sizeof(text), " %s", good.text);
	expect_malformed(_metadata, process, text);
	snprintf(text, sizeof(text), "%s ", good.text);
	expect_malformed(_metadata, process, text);
	snprintf(text, sizeof(text), "%s\n", good.text);
	expect_malformed(_metadata, process, text);
	snprintf(text, sizeof(text), "%s%s", good.text, good.text);
	expect_malformed(_metadata, process, text);
	snprintf(text, sizeof(text), "\"%s\"", good.text);
	expect_malformed(_metadata, process, text);
	for (i = 0; i < size; i++) {
		snprintf(text, sizeof(text), "%s", good.text);
		text[i] = ' ';
		expect_malformed(_metadata, process, text);
		text[i] = '\x80';
		expect_malformed(_metadata, process, text);
	}
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

/* Whatever one changes: refused, or of another process; never a stranger. */
TEST(no_damage_of_one_character_makes_another_process_the_same)
{
	static const char others[] = "0123456789abcdefxyz:;,=.-+/_%ABCZ~";
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process, *other;
	struct pidtrack_comparison comparison;
	struct text good, text;
	size_t i, j;

	if (!works(PIDTRACK_FEATURE_PIDFS)) {
		gate_open(&gate);
		pidtrack_free(tracker);
		SKIP(return, "without pidfs (Linux 6.9) another pid's digit "
			     "can be enough");
	}
	process = shim_start_at(_metadata, tracker, &gate, 0);
	other = shim_start_at(_metadata, tracker, &gate, 0);
	good = fingerprint(_metadata, process);
	for (i = 0; good.text[i]; i++) {
		for (j = 0; others[j]; j++) {
			int r;

			text = good;
			text.text[i] = others[j];
			r = pidtrack_process_compare(other, text.text,
						     &comparison,
						     sizeof(comparison));
			if (r == 0) {
				EXPECT_NE(PIDTRACK_VERDICT_SAME,
					  comparison.verdict);
				EXPECT_NE(PIDTRACK_VERDICT_EXITED,
					  comparison.verdict);
			} else if (r != -EPROTONOSUPPORT) {
				EXPECT_EQ(-EBADMSG, r);
			}
		}
		text = good;
		text.text[i] = '\0';
		if (pidtrack_process_compare(other, text.text, &comparison,
					     sizeof(comparison)) == 0)
			EXPECT_NE(PIDTRACK_VERDICT_SAME, comparison.verdict);
	}
	gate_open(&gate);
	for (i = 0; i < 2; i++) {
		const struct pidtrack_event *event;

		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	}
	pidtrack_free(tracker);
}

TEST(verdicts_and_evidence_have_names)
{
	uint32_t i;

	EXPECT_STREQ("same", pidtrack_verdict_name(PIDTRACK_VERDICT_SAME));
	EXPECT_STREQ("exited", pidtrack_verdict_name(PIDTRACK_VERDICT_EXITED));
	EXPECT_STREQ("reused", pidtrack_verdict_name(PIDTRACK_VERDICT_REUSED));
	EXPECT_STREQ("gone", pidtrack_verdict_name(PIDTRACK_VERDICT_GONE));
	EXPECT_STREQ("other-boot",
		     pidtrack_verdict_name(PIDTRACK_VERDICT_OTHER_BOOT));
	EXPECT_STREQ("unproven",
		     pidtrack_verdict_name(PIDTRACK_VERDICT_UNPROVEN));
	EXPECT_STREQ("unknown", pidtrack_verdict_name(0));
	EXPECT_STREQ("unknown", pidtrack_verdict_name(UINT32_MAX));
	for (i = 1; i <= PIDTRACK_EVIDENCE_INODE; i <<= 1)
		EXPECT_STRNE("unknown", pidtrack_evidence_name(i));
	EXPECT_STREQ("unknown", pidtrack_evidence_name(0));
	EXPECT_STREQ("unknown", pidtrack_evidence_name(3));
	EXPECT_STREQ("unknown", pidtrack_evidence_name(1U << 31));
}

TEST_HARNESS_MAIN
