/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What a process is known by: as text and back, and compared. */
#include "children.h"
#include "fingerprint.h"
#include "harness.h"
#include "sys.h"

#define HAS_ALL                                                     \
	(PT_HAS_INODE | PT_HAS_START | PT_HAS_BOOT | PT_HAS_PIDNS | \
	 PT_HAS_BOOTTIME)

#define TICK_NS (INT64_C(1000000000) / sysconf(_SC_CLK_TCK))

/* One of which everything is known. */
static struct pt_fingerprint known(void)
{
	struct pt_fingerprint fingerprint = {
		.inode = 1061,
		.start = 8271123,
		.pid = 4711,
		.has = HAS_ALL,
		.place = { .boot = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd,
				     0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54,
				     0x32, 0x10 },
			   .pidns = 4026531836,
			   .has = HAS_ALL,
			   .pidfs = true },
	};

	return fingerprint;
}

/* ---- as text ---- */

struct line {
	char bytes[PIDTRACK_FINGERPRINT_MAX];
	size_t length;
	bool overflow;
};

static struct line format(const struct pt_fingerprint *fingerprint,
			  const char *exe, size_t exe_length)
{
	struct line line = { .length = 0 };
	struct pt_text text = PT_TEXT(line.bytes, sizeof(line.bytes));

	pt_fingerprint_format(fingerprint, exe, exe_length, &text);
	line.length = text.length;
	line.overflow = text.overflow;
	return line;
}

static bool same_fingerprint(const struct pt_fingerprint *a,
			     const struct pt_fingerprint *b)
{
	if (a->pid != b->pid || a->has != b->has)
		return false;
	if ((a->has & PT_HAS_INODE) && a->inode != b->inode)
		return false;
	if ((a->has & PT_HAS_START) && a->start != b->start)
		return false;
	if ((a->has & PT_HAS_PIDNS) && a->place.pidns != b->place.pidns)
		return false;
	if ((a->has & PT_HAS_BOOTTIME) &&
	    a->place.boottime != b->place.boottime)
		return false;
	return !(a->has & PT_HAS_BOOT) ||
	       !memcmp(a->place.boot, b->place.boot, sizeof(a->place.boot));
}

static void round_trip(struct __test_metadata *_metadata,
		       const struct pt_fingerprint *fingerprint)
{
	struct line line = format(fingerprint, "/bin/vmm", 8);
	struct pt_fingerprint back;

	ASSERT_FALSE(line.overflow);
	EXPECT_EQ(strlen(line.bytes), line.length);
	ASSERT_EQ(0, pt_fingerprint_parse(line.bytes, &back))
	{
		TH_LOG("of '%s'", line.bytes);
	}
	EXPECT_TRUE(same_fingerprint(fingerprint, &back))
	{
		TH_LOG("of '%s'", line.bytes);
	}
}

/* Others keep these, so they never change. */
TEST(the_text_of_a_fingerprint_is_what_it_always_was)
{
	struct pt_fingerprint fingerprint = known();

	EXPECT_STREQ("pidtrack1:pid=4711,inode=1061,start=8271123,boottime=0,"
		     "pidns=4026531836,"
		     "boot=01234567-89ab-cdef-fedc-ba9876543210,"
		     "exe=/usr/bin/my%20vmm",
		     format(&fingerprint, "/usr/bin/my vmm", 15).bytes);
	fingerprint.has = 0;
	EXPECT_STREQ("pidtrack1:pid=4711", format(&fingerprint, NULL, 0).bytes);
	fingerprint.has = PT_HAS_BOOTTIME;
	fingerprint.place.boottime = -1500000000;
	EXPECT_STREQ("pidtrack1:pid=4711,boottime=-1500000000",
		     format(&fingerprint, NULL, 0).bytes);
}

/* As of one that was reaped, or has none in our pid namespace. */
TEST(without_a_number_it_is_known_by_its_inode)
{
	struct pt_fingerprint fingerprint = known(), back;

	fingerprint.pid = 0;
	fingerprint.has = PT_HAS_INODE;
	EXPECT_STREQ("pidtrack1:inode=1061",
		     format(&fingerprint, NULL, 0).bytes);
	fingerprint.has = HAS_ALL;
	round_trip(_metadata, &fingerprint);
	ASSERT_EQ(0, pt_fingerprint_parse("pidtrack1:inode=1061", &back));
	EXPECT_EQ(0, back.pid);
}

TEST(whatever_is_known_survives_the_text)
{
	struct pt_fingerprint fingerprint = known();
	uint32_t has;

	for (has = 0; has <= HAS_ALL; has++) {
		fingerprint.has = has;
		round_trip(_metadata, &fingerprint);
	}
}

TEST(the_smallest_and_largest_values_survive_the_text)
{
	struct pt_fingerprint fingerprint = { .pid = 1, .has = HAS_ALL };

	round_trip(_metadata, &fingerprint);
	fingerprint.pid = INT32_MAX;
	fingerprint.inode = UINT64_MAX;
	fingerprint.start = UINT64_MAX;
	fingerprint.place.pidns = UINT64_MAX;
	fingerprint.place.boottime = INT64_MAX;
	memset(fingerprint.place.boot, 0xff, sizeof(fingerprint.place.boot));
	round_trip(_metadata, &fingerprint);
	fingerprint.place.boottime = -INT64_MAX;
	round_trip(_metadata, &fingerprint);
	fingerprint.place.boottime = -1;
	round_trip(_metadata, &fingerprint);
}

/* Of the header: no blanks, quotes or backslashes. */
TEST(the_text_is_a_line_that_fits_into_any_other_format)
{
	struct pt_fingerprint fingerprint = known();
	unsigned int byte;

	for (byte = 0; byte < 256; byte++) {
		char exe[4] = { '/', (char)byte, 'x', (char)byte };
		struct line line = format(&fingerprint, exe, sizeof(exe));
		size_t i;

		EXPECT_EQ(strlen(line.bytes), line.length);
		for (i = 0; i < line.length; i++) {
			EXPECT_GT(line.bytes[i], ' ');
			EXPECT_LT(line.bytes[i], 0x7f);
			EXPECT_NULL(strchr("\"'\\`", line.bytes[i]));
		}
	}
}

TEST(no_program_can_add_a_field)
{
	static const char exe[] = "/x,pid=1,inode=2";
	struct pt_fingerprint fingerprint = known(), back;
	struct line line = format(&fingerprint, exe, strlen(exe));

	ASSERT_EQ(0, pt_fingerprint_parse(line.bytes, &back));
	EXPECT_TRUE(same_fingerprint(&fingerprint, &back));
}

TEST(a_program_is_told_whole_or_not_at_all)
{
	struct pt_fingerprint fingerprint = known(), back;
	char exe[4096];
	size_t n;

	fingerprint.pid = INT32_MAX;
	fingerprint.inode = UINT64_MAX;
	fingerprint.start = UINT64_MAX;
	fingerprint.place.pidns = UINT64_MAX;
	fingerprint.place.boottime = -INT64_MAX;
	memset(exe, ' ', sizeof(exe));
	for (n = 1; n <= sizeof(exe); n++) {
		struct line line = format(&fingerprint, exe, n);
		const char *told = strstr(line.bytes, ",exe=");

		ASSERT_FALSE(line.overflow);
		if (told)
			EXPECT_EQ(strlen(",exe=") + 3 * n, strlen(told));
		ASSERT_EQ(0, pt_fingerprint_parse(line.bytes, &back));
		EXPECT_TRUE(same_fingerprint(&fingerprint, &back));
	}
	EXPECT_NE(NULL, strstr(format(&fingerprint, exe, 64).bytes, ",exe="));
	EXPECT_NULL(strstr(format(&fingerprint, exe, 4096).bytes, ",exe="));
	EXPECT_NULL(strstr(format(&fingerprint, NULL, 0).bytes, ",exe="));
}

TEST(text_without_room_says_so)
{
	struct pt_fingerprint fingerprint = known();
	struct line line = format(&fingerprint, NULL, 0);
	char bytes[PIDTRACK_FINGERPRINT_MAX];
	size_t size;

	for (size = 1; size <= line.length + 1; size++) {
		struct pt_text text = PT_TEXT(bytes, size);

		pt_fingerprint_format(&fingerprint, NULL, 0, &text);
		EXPECT_EQ(size <= line.length, text.overflow);
	}
}

/* ---- and back ---- */

/* After the prefix, an otherwise good text. */
static const char *const malformed_fields[] = {
	/* neither pid nor inode, or one that is none */
	"",
	"pid",
	"pid=",
	"pid=0",
	"pid=00",
	"pid=-1",
	"pid=-0",
	"pid=+7",
	"pid= 7",
	"pid=7 ",
	"pid=0x7",
	"pid=7x",
	"pid=x7",
	"pid=7.0",
	"pid=7e1",
	"pid=2147483648",
	"pid=4294967295",
	"pid=4294967303",
	"pid=18446744073709551623",
	"pid=99999999999999999999999999",
	"pid=%37",
	"pid=7=7",
	"pid:7",
	"7",
	"inode",
	"inode=",
	"start=8271123,boottime=0",
	"Pid=7",
	" pid=7",
	"\tpid=7",
	/* fields that are none */
	"pid=7,",
	",pid=7",
	"pid=7,,inode=1",
	"pid=7,,",
	"pid=7,inode",
	"pid=7,=",
	"pid=7,=1",
	"pid=7,unknown",
	"pid=7;inode=1",
	"pid=7 inode=1",
	"pid=7\ninode=1",
	"pid=7, inode=1",
	/* numbers that are none */
	"pid=7,inode=",
	"pid=7,inode=-1",
	"pid=7,inode=+1",
	"pid=7,inode=0x1",
	"pid=7,inode=1 ",
	"pid=7,inode=one",
	"pid=7,inode=18446744073709551616",
	"pid=7,start=",
	"pid=7,start=-1",
	"pid=7,start=18446744073709551616",
	"pid=7,start=1.5",
	"pid=7,pidns=",
	"pid=7,pidns=-1",
	"pid=7,pidns=pid:[4026531836]",
	"pid=7,pidns=18446744073709551616",
	"pid=7,boottime=",
	"pid=7,boottime=-",
	"pid=7,boottime=--1",
	"pid=7,boottime=+1",
	"pid=7,boottime=1-",
	"pid=7,boottime=-1-1",
	"pid=7,boottime=9223372036854775808",
	"pid=7,boottime=-9223372036854775809",
	"pid=7,boottime=18446744073709551615",
	"pid=7,boottime=18446744073709551617",
	/* boot ids that are none */
	"pid=7,boot=",
	"pid=7,boot=1",
	"pid=7,boot=0123456789abcdeffedcba9876543210",
	"pid=7,boot=01234567-89ab-cdef-fedc-ba987654321",
	"pid=7,boot=01234567-89ab-cdef-fedc-ba98765432100",
	"pid=7,boot=01234567-89ab-cdef-fedc-ba987654321g",
	"pid=7,boot=01234567089ab-cdef-fedc-ba9876543210",
	"pid=7,boot={1234567-89ab-cdef-fedc-ba987654321}",
	/* bytes that are not in it */
	"pid=7\n",
	"pid=7\r\n",
	"pid=7,exe=/bin/my vmm",
	"pid=7,exe=\"vmm\"",
	"pid=7,exe='vmm'",
	"pid=7,exe=a\\b",
	"pid=7,exe=\x01",
	"pid=7,exe=\x7f",
	"pid=7,exe=\xc3\xa4",
	"pid=7,colour=dark blue",
	"pid=7,co lour=blue",
	"pid=7,c\"=blue",
};

static const char *const malformed_wholes[] = {
	"",
	" ",
	"\n",
	"7",
	"4711:1061",
	"pid=7",
	"pidtrack",
	"pidtrack:",
	"pidtrack:pid=7",
	"pidtrack1",
	"pidtrack1 pid=7",
	"pidtrack1;pid=7",
	"pidtrack1=pid=7",
	" pidtrack1:pid=7",
	"xpidtrack1:pid=7",
	"\"pidtrack1:pid=7\"",
	"Pidtrack1:pid=7",
	"PIDTRACK1:pid=7",
	"pidtrac1:pid=7",
	"pidtrackk1:pid=7",
	"pidtrack0:pid=7",
	"pidtrack00:pid=7",
	"pidtrack01:pid=7",
	"pidtrack001:pid=7",
	"pidtrack-1:pid=7",
	"pidtrack+1:pid=7",
	"pidtrack 1:pid=7",
	"pidtrack1.0:pid=7",
	"pidtrack1x:pid=7",
	"pidtrackx:pid=7",
	"pidtrack2",
	"pidtrack2 pid=7",
	"pidtrack2x:pid=7",
	"pidtrack-2:pid=7",
	"\xef\xbb\xbfpidtrack1:pid=7",
};

static void refused(struct __test_metadata *_metadata, const char *text,
		    int expected)
{
	struct pt_fingerprint fingerprint, before;

	memset(&before, 0x5a, sizeof(before));
	fingerprint = before;
	EXPECT_EQ(expected, pt_fingerprint_parse(text, &fingerprint))
	{
		TH_LOG("of '%s'", text);
	}
	EXPECT_EQ(0, memcmp(&before, &fingerprint, sizeof(before)))
	{
		TH_LOG("written by '%s'", text);
	}
}

TEST(a_malformed_text_is_refused_and_nothing_written)
{
	char text[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(malformed_wholes); i++)
		refused(_metadata, malformed_wholes[i], -EBADMSG);
	for (i = 0; i < ARRAY_SIZE(malformed_fields); i++) {
		snprintf(text, sizeof(text), "pidtrack1:%s",
			 malformed_fields[i]);
		refused(_metadata, text, -EBADMSG);
	}
}

/* What is not known is passed over, but not without an end. */
TEST(what_is_longer_than_a_fingerprint_may_be_is_refused)
{
	char text[PIDTRACK_FINGERPRINT_MAX + 1];
	struct pt_fingerprint back;

	memset(text, 'x', sizeof(text));
	memcpy(text, "pidtrack1:pid=7,z=", 18);
	text[PIDTRACK_FINGERPRINT_MAX - 1] = '\0';
	EXPECT_EQ(0, pt_fingerprint_parse(text, &back));
	text[PIDTRACK_FINGERPRINT_MAX - 1] = 'x';
	text[PIDTRACK_FINGERPRINT_MAX] = '\0';
	refused(_metadata, text, -EBADMSG);
}

TEST(a_key_given_twice_is_refused)
{
	static const char *const fields[] = {
		"pid=7",      "inode=1",
		"start=1",    "pidns=1",
		"boottime=1", "boot=01234567-89ab-cdef-fedc-ba9876543210",
		"exe=/bin/a",
	};
	char text[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		snprintf(text, sizeof(text), "pidtrack1:%s%s,%s,colour=1,%s",
			 i ? "pid=7," : "", fields[i], "size=2", fields[i]);
		refused(_metadata, text, -EBADMSG);
	}
}

TEST(a_later_version_is_told_from_nonsense)
{
	static const char *const later[] = {
		"pidtrack2:",
		"pidtrack2:pid=7",
		"pidtrack2:whatever \"it\" may be",
		"pidtrack9:pid=7",
		"pidtrack10:pid=7",
		"pidtrack11:pid=7",
		"pidtrack4294967297:pid=7",
		"pidtrack18446744073709551617:pid=7",
		"pidtrack99999999999999999999999999999:pid=7",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(later); i++)
		refused(_metadata, later[i], -EPROTONOSUPPORT);
}

TEST(a_key_that_we_do_not_know_is_ignored)
{
	struct pt_fingerprint back;

	ASSERT_EQ(0, pt_fingerprint_parse("pidtrack1:colour=%ff/x:y@z,pid=7,"
					  "pids=9,inode2=3,inode=4,ino=5,x=",
					  &back));
	EXPECT_EQ(7, back.pid);
	EXPECT_EQ(PT_HAS_INODE, back.has);
	EXPECT_EQ(4, back.inode);
}

TEST(the_order_of_keys_does_not_matter)
{
	struct pt_fingerprint expected = known(), back;

	expected.place.boottime = -5;
	ASSERT_EQ(0,
		  pt_fingerprint_parse(
			  "pidtrack1:exe=/bin/vmm,boottime=-5,"
			  "boot=01234567-89ab-cdef-fedc-ba9876543210,"
			  "pidns=4026531836,start=8271123,inode=1061,pid=4711",
			  &back));
	EXPECT_TRUE(same_fingerprint(&expected, &back));
}

TEST(every_cut_text_is_refused_or_of_the_same_process)
{
	struct pt_fingerprint fingerprint = known(), back;
	struct line line = format(&fingerprint, "/bin/vmm", 8);
	size_t n = strlen("pidtrack1:pid=4711");

	while (line.length-- > n) {
		line.bytes[line.length] = 0;
		if (pt_fingerprint_parse(line.bytes, &back) < 0)
			continue;
		EXPECT_EQ(4711, back.pid);
		EXPECT_EQ(0, back.has & ~(uint32_t)HAS_ALL);
	}
}

/* ---- compared ---- */

static const uint32_t boot = PIDTRACK_EVIDENCE_BOOT;
static const uint32_t inode = PIDTRACK_EVIDENCE_INODE;
static const uint32_t start = PIDTRACK_EVIDENCE_START | PIDTRACK_EVIDENCE_PID;

#define EXPECT_VERDICT(verdict_, evidence_, recorded, found)                \
	do {                                                                \
		struct pidtrack_comparison it_;                             \
                                                                            \
		memset(&it_, 0xff, sizeof(it_));                            \
		pt_fingerprint_compare(recorded, found, &it_);              \
		EXPECT_STREQ(                                               \
			pidtrack_verdict_name(PIDTRACK_VERDICT_##verdict_), \
			pidtrack_verdict_name(it_.verdict));                \
		EXPECT_EQ(evidence_, it_.evidence &(evidence_));            \
		ASSERT_NE(NULL, it_.reason);                                \
		EXPECT_NE(0, it_.reason[0]);                                \
		EXPECT_NE('.', it_.reason[strlen(it_.reason) - 1]);         \
	} while (0)

TEST(the_same_inode_in_the_same_boot_is_the_same_process)
{
	struct pt_fingerprint recorded = known(), found = known();

	EXPECT_VERDICT(SAME, boot | inode, &recorded, &found);
	/* by whatever number it goes there */
	found.place.pidns++;
	found.pid = 9;
	EXPECT_VERDICT(SAME, boot | inode, &recorded, &found);
	/* whatever else is known */
	found.has = recorded.has = PT_HAS_BOOT | PT_HAS_INODE;
	EXPECT_VERDICT(SAME, boot | inode, &recorded, &found);
}

TEST(another_inode_is_another_process_even_with_the_same_start_time)
{
	struct pt_fingerprint recorded = known(), found = known();

	found.inode++;
	EXPECT_VERDICT(REUSED, boot | inode, &recorded, &found);
	found.start++;
	EXPECT_VERDICT(REUSED, boot | inode, &recorded, &found);
	found.inode = 0;
	EXPECT_VERDICT(REUSED, boot | inode, &recorded, &found);
}

TEST(another_boot_decides_before_anything_else)
{
	struct pt_fingerprint recorded = known(), found = known();
	int i;

	for (i = 0; i < 16; i++) {
		found = recorded;
		found.place.boot[i] ^= 0x10;
		EXPECT_VERDICT(OTHER_BOOT, boot, &recorded, &found);
	}
	found.inode++;
	found.start++;
	EXPECT_VERDICT(OTHER_BOOT, boot, &recorded, &found);
	found.has = recorded.has = PT_HAS_BOOT;
	EXPECT_VERDICT(OTHER_BOOT, boot, &recorded, &found);
}

TEST(without_a_boot_id_nothing_is_proven)
{
	struct pt_fingerprint recorded = known(), found = known();

	recorded.has &= ~PT_HAS_BOOT;
	EXPECT_VERDICT(UNPROVEN, 0, &recorded, &found);
	EXPECT_VERDICT(UNPROVEN, 0, &found, &recorded);
	found.inode++;
	EXPECT_VERDICT(UNPROVEN, 0, &recorded, &found);
	found.has &= ~PT_HAS_BOOT;
	EXPECT_VERDICT(UNPROVEN, 0, &recorded, &found);
}

TEST(without_an_inode_pid_and_start_time_decide)
{
	struct pt_fingerprint recorded = known(), found = known();

	found.has &= ~PT_HAS_INODE;
	EXPECT_VERDICT(SAME, boot | start, &recorded, &found);
	EXPECT_VERDICT(SAME, boot | start, &found, &recorded);
	recorded.has &= ~PT_HAS_INODE;
	EXPECT_VERDICT(SAME, boot | start, &recorded, &found);
	found.inode++; /* it is not known */
	EXPECT_VERDICT(SAME, boot | start, &recorded, &found);
	found.start++;
	EXPECT_VERDICT(REUSED, boot | start, &recorded, &found);
	found.start -= 2;
	EXPECT_VERDICT(REUSED, boot | start, &recorded, &found);
	found.start = UINT64_MAX;
	EXPECT_VERDICT(REUSED, boot | start, &recorded, &found);
}

TEST(start_times_of_another_pid_namespace_prove_nothing)
{
	struct pt_fingerprint recorded = known(), found = known();

	recorded.has &= ~PT_HAS_INODE;
	found.place.pidns++;
	EXPECT_VERDICT(UNPROVEN, boot, &recorded, &found);
	found.start++;
	EXPECT_VERDICT(UNPROVEN, boot, &recorded, &found);
	found = known();
	found.has &= ~PT_HAS_PIDNS;
	EXPECT_VERDICT(UNPROVEN, boot, &recorded, &found);
	EXPECT_VERDICT(UNPROVEN, boot, &found, &recorded);
}

/*
 * A host in another pid namespace finds an unrelated process by the number; the
 * recorded one may run on.
 */
TEST(another_inode_in_another_pid_namespace_is_not_called_reused)
{
	struct pt_fingerprint recorded = known(), found = known();
	struct pidtrack_comparison it;

	found.inode++;
	found.place.pidns++;
	pt_fingerprint_compare(&recorded, &found, &it);
	EXPECT_STREQ("unproven", pidtrack_verdict_name(it.verdict));
	found = recorded;
	found.inode++;
	found.has &= ~PT_HAS_PIDNS;
	pt_fingerprint_compare(&recorded, &found, &it);
	EXPECT_STREQ("unproven", pidtrack_verdict_name(it.verdict));
}

/* REUSED: another one has its number. */
TEST(a_process_of_another_number_is_not_called_reused)
{
	struct pt_fingerprint recorded = known(), found = known();
	struct pidtrack_comparison it;

	found.pid++;
	found.inode++;
	pt_fingerprint_compare(&recorded, &found, &it);
	EXPECT_STREQ("unproven", pidtrack_verdict_name(it.verdict));
	found.has &= ~PT_HAS_INODE;
	pt_fingerprint_compare(&recorded, &found, &it);
	EXPECT_STREQ("unproven", pidtrack_verdict_name(it.verdict));
	found.start++;
	pt_fingerprint_compare(&recorded, &found, &it);
	EXPECT_STREQ("unproven", pidtrack_verdict_name(it.verdict));
}

TEST(without_a_number_the_inode_decides_and_nothing_is_called_reused)
{
	struct pt_fingerprint recorded = known(), found = known();

	recorded.pid = 0;
	EXPECT_VERDICT(SAME, boot | inode, &recorded, &found);
	EXPECT_VERDICT(SAME, boot | inode, &found, &recorded);
	found.inode++;
	EXPECT_VERDICT(UNPROVEN, boot | inode, &recorded, &found);
	EXPECT_VERDICT(UNPROVEN, boot | inode, &found, &recorded);
}

TEST(without_inode_and_start_time_nothing_is_proven)
{
	struct pt_fingerprint recorded = known(), found = known();

	found.has &= ~(PT_HAS_INODE | PT_HAS_START);
	EXPECT_VERDICT(UNPROVEN, boot, &recorded, &found);
	EXPECT_VERDICT(UNPROVEN, boot, &found, &recorded);
	/* the one has only what the other lacks */
	found = recorded;
	recorded.has &= ~PT_HAS_START;
	found.has &= ~PT_HAS_INODE;
	EXPECT_VERDICT(UNPROVEN, boot, &recorded, &found);
	recorded.has = found.has = 0;
	EXPECT_VERDICT(UNPROVEN, 0, &recorded, &found);
}

TEST(start_times_of_an_unknown_time_namespace_prove_nothing)
{
	struct pt_fingerprint recorded = known(), found = known();

	recorded.has &= ~PT_HAS_INODE;
	found.has &= ~PT_HAS_BOOTTIME;
	EXPECT_VERDICT(UNPROVEN, boot, &recorded, &found);
	EXPECT_VERDICT(UNPROVEN, boot, &found, &recorded);
	found.start++;
	EXPECT_VERDICT(UNPROVEN, boot, &recorded, &found);
}

/* ---- start times read in other time namespaces ---- */

/* As the kernel tells it there: ns since boot, shifted, then cut to ticks. */
static void started_at(struct pt_fingerprint *fingerprint, int64_t ns,
		       int64_t boottime)
{
	fingerprint->has &= ~PT_HAS_INODE;
	fingerprint->place.boottime = boottime;
	fingerprint->start = (uint64_t)((ns + boottime) / TICK_NS);
}

static uint32_t verdict_of(const struct pt_fingerprint *recorded,
			   const struct pt_fingerprint *found)
{
	struct pidtrack_comparison it;

	pt_fingerprint_compare(recorded, found, &it);
	return it.verdict;
}

TEST(a_process_is_the_same_from_every_time_namespace)
{
	static const int64_t shifts[] = { 0,
					  1,
					  -1,
					  4999999,
					  5000001,
					  10000000,
					  -10000000,
					  77700000000,
					  -3600000000001,
					  1000000000000000 };
	struct pt_fingerprint a = known(), b = known();
	size_t i, j, k;

	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		for (j = 0; j < ARRAY_SIZE(shifts); j++) {
			for (k = 0; k < 20; k++) {
				int64_t ns =
					7200000000000 + (int64_t)k * 999983;

				started_at(&a, ns, shifts[i]);
				started_at(&b, ns, shifts[j]);
				EXPECT_EQ(PIDTRACK_VERDICT_SAME,
					  verdict_of(&a, &b));
			}
		}
	}
}

/* Rounding takes one, and the ends of a range are one apart. */
TEST(three_ticks_apart_is_another_process_in_every_time_namespace)
{
	static const int64_t shifts[] = { 0,	      1,	-1,
					  5000001,    -5000001, 10000000,
					  77700000000 };
	struct pt_fingerprint a = known(), b = known();
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		for (j = 0; j < ARRAY_SIZE(shifts); j++) {
			started_at(&a, 7200000000000, shifts[i]);
			started_at(&b, 7200000000000, shifts[j]);
			b.start += 3;
			EXPECT_EQ(PIDTRACK_VERDICT_REUSED, verdict_of(&a, &b));
			b.start -= 6;
			EXPECT_EQ(PIDTRACK_VERDICT_REUSED, verdict_of(&a, &b));
		}
	}
}

TEST(one_tick_apart_is_another_process_where_shifts_are_whole_ticks)
{
	struct pt_fingerprint a = known(), b = known();

	started_at(&a, 7200000000000, 0);
	started_at(&b, 7200000000000, 5 * TICK_NS);
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, verdict_of(&a, &b));
	b.start++;
	EXPECT_EQ(PIDTRACK_VERDICT_REUSED, verdict_of(&a, &b));
	b.start -= 2;
	EXPECT_EQ(PIDTRACK_VERDICT_REUSED, verdict_of(&a, &b));
}

/* Half a tick later, a start is cut to the same tick or to the next. */
TEST(one_tick_to_the_wrong_side_is_another_process)
{
	struct pt_fingerprint a = known(), b = known();

	a.has = b.has &= ~PT_HAS_INODE;
	b.place.boottime = TICK_NS / 2;
	b.start = a.start + 1;
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, verdict_of(&a, &b));
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, verdict_of(&b, &a));
	b.start = a.start - 1;
	EXPECT_EQ(PIDTRACK_VERDICT_REUSED, verdict_of(&a, &b));
	EXPECT_EQ(PIDTRACK_VERDICT_REUSED, verdict_of(&b, &a));
}

TEST(the_furthest_time_namespaces_are_compared_without_overflow)
{
	struct pt_fingerprint a = known(), b = known();

	a.has = b.has &= ~PT_HAS_INODE;
	a.place.boottime = INT64_MAX;
	b.place.boottime = -INT64_MAX;
	EXPECT_NE(PIDTRACK_VERDICT_SAME, verdict_of(&a, &b));
	EXPECT_NE(PIDTRACK_VERDICT_SAME, verdict_of(&b, &a));
	b.place.boottime = INT64_MIN;
	EXPECT_NE(PIDTRACK_VERDICT_SAME, verdict_of(&a, &b));
	EXPECT_NE(PIDTRACK_VERDICT_SAME, verdict_of(&b, &a));
}

TEST(the_furthest_start_times_are_compared_without_overflow)
{
	struct pt_fingerprint a = known(), b = known();

	a.has = b.has &= ~PT_HAS_INODE;
	a.start = 0;
	b.start = UINT64_C(1) << 63;
	EXPECT_EQ(PIDTRACK_VERDICT_REUSED, verdict_of(&a, &b));
	EXPECT_EQ(PIDTRACK_VERDICT_REUSED, verdict_of(&b, &a));
}

/* ---- taken of processes ---- */

TEST(looking_at_ourselves_is_as_others_see_us)
{
	struct pt_place place;
	struct pt_look self, by_pidfd;
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	ASSERT_GE(pidfd, 0);
	pt_place_look(&place);
	ASSERT_EQ(0, pt_look_at_self(&place, &self));
	ASSERT_EQ(0, pt_look_at(&place, pidfd, getpid(), &by_pidfd));
	EXPECT_FALSE(self.zombie);
	EXPECT_FALSE(by_pidfd.zombie);
	EXPECT_EQ(by_pidfd.has, self.has);
	EXPECT_EQ(by_pidfd.inode, self.inode);
	EXPECT_EQ(by_pidfd.start, self.start);
	EXPECT_NE(0, self.has);
	close(pidfd);
}

TEST(a_fingerprint_is_of_the_look_and_of_the_place)
{
	struct pt_fingerprint expected = known(), fingerprint;
	struct pt_look look = { .inode = expected.inode,
				.start = expected.start,
				.has = PT_HAS_INODE | PT_HAS_START };
	struct pt_place place = expected.place;

	place.has = PT_HAS_BOOT | PT_HAS_PIDNS | PT_HAS_BOOTTIME;
	pt_fingerprint_of(&place, expected.pid, &look, &fingerprint);
	EXPECT_TRUE(same_fingerprint(&expected, &fingerprint));
	place.has = look.has = 0;
	pt_fingerprint_of(&place, expected.pid, &look, &fingerprint);
	EXPECT_EQ(0, fingerprint.has);
	EXPECT_EQ(expected.pid, fingerprint.pid);
}

static void take(struct __test_metadata *_metadata,
		 const struct pt_place *place, const struct child *child,
		 bool zombie, struct pt_fingerprint *ret_fingerprint)
{
	struct pt_look look;

	ASSERT_EQ(0, pt_look_at(place, child->pidfd, child->pid, &look));
	EXPECT_EQ(zombie, look.zombie);
	pt_fingerprint_of(place, child->pid, &look, ret_fingerprint);
}

TEST(a_child_is_the_same_alive_and_as_a_zombie)
{
	struct pt_fingerprint alive, zombie;
	struct pt_place place;
	struct child child;

	pt_place_look(&place);
	ASSERT_EQ(0, child_start(&child));
	take(_metadata, &place, &child, false, &alive);
	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_await_exit(&child));
	take(_metadata, &place, &child, true, &zombie);
	EXPECT_EQ(alive.has, zombie.has);
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, verdict_of(&alive, &zombie));
	alive.has &= ~PT_HAS_INODE;
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, verdict_of(&alive, &zombie));
	child_end(&child);
}

TEST(a_reaped_child_has_no_start_time)
{
	struct pt_place place;
	struct pt_look look;
	struct child child;
	int r;

	pt_place_look(&place);
	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_reap(&child));
	r = pt_look_at(&place, child.pidfd, child.pid, &look);
	if (place.pidfs) {
		ASSERT_EQ(0, r);
		EXPECT_EQ(PT_HAS_INODE, look.has);
	} else {
		EXPECT_EQ(-ESRCH, r);
	}
	child_close(&child);
}

/* A child that has the number of one that was reaped. */
static pid_t successor_start(pid_t pid)
{
	struct pt_clone_args args = { .exit_signal = SIGCHLD,
				      .set_tid = (uintptr_t)&pid,
				      .set_tid_size = 1 };
	long r = syscall(SYS_clone3, &args,
			 offsetofend(struct pt_clone_args, set_tid_size));

	if (r == 0)
		for (;;)
			pause();
	return r < 0 ? -errno : (pid_t)r;
}

TEST(a_successor_in_the_number_is_not_taken_for_the_process)
{
	struct pt_place place;
	struct pt_look look = { .has = 0 };
	struct child child, next = CHILD_NULL;
	int r;

	pt_place_look(&place);
	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_reap(&child));
	r = child_open(&next, successor_start(child.pid));
	if (r < 0) {
		child_close(&child);
		SKIP(return, "cannot choose a pid: %s", strerror(-r));
	}
	ASSERT_EQ(child.pid, next.pid);
	r = pt_look_at(&place, child.pidfd, child.pid, &look);
	EXPECT_EQ(place.pidfs ? 0 : -ESRCH, r);
	EXPECT_EQ(place.pidfs ? PT_HAS_INODE : 0, look.has);
	child_close(&child);
	child_end(&next);
}

/* ---- words ---- */

TEST(every_verdict_has_a_name_of_its_own)
{
	static const char *const names[] = {
		[PIDTRACK_VERDICT_SAME] = "same",
		[PIDTRACK_VERDICT_EXITED] = "exited",
		[PIDTRACK_VERDICT_REUSED] = "reused",
		[PIDTRACK_VERDICT_GONE] = "gone",
		[PIDTRACK_VERDICT_OTHER_BOOT] = "other-boot",
		[PIDTRACK_VERDICT_UNPROVEN] = "unproven",
	};
	uint32_t i;

	for (i = 1; i < ARRAY_SIZE(names); i++)
		EXPECT_STREQ(names[i], pidtrack_verdict_name(i));
	EXPECT_STREQ("unknown", pidtrack_verdict_name(0));
	EXPECT_STREQ("unknown", pidtrack_verdict_name(i));
	EXPECT_STREQ("unknown", pidtrack_verdict_name(UINT32_MAX));
}

TEST(every_evidence_has_a_name_of_its_own)
{
	static const char *const names[] = { "boot",  "pid", "start",
					     "inode", "exe", "pin" };
	unsigned int i;

	for (i = 0; i < 32; i++)
		EXPECT_STREQ(i < ARRAY_SIZE(names) ? names[i] : "unknown",
			     pidtrack_evidence_name(UINT32_C(1) << i));
	EXPECT_STREQ("unknown", pidtrack_evidence_name(0));
	EXPECT_STREQ("unknown", pidtrack_evidence_name(3));
	EXPECT_STREQ("unknown", pidtrack_evidence_name(UINT32_MAX));
}

TEST_HARNESS_MAIN
