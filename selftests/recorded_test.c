/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What records say, ours and those of others: every odd value, every damage,
 * and every odd thing in the place of a file.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "harness.h"
#include "recorded.h"
#include "seccomp.h"

#define ARRAY(array) (sizeof(array) / sizeof((array)[0]))

/* What it is before a call that must not touch it. */
static char untouched;
#define UNTOUCHED ((struct pidtrack_record *)(void *)&untouched)

/* Parses memory of just that size, for a sanitizer to watch. */
static int parse(const char *bytes, size_t size,
		 struct pidtrack_record **ret_record)
{
	char *copy = calloc(1, size ? size : 1);
	int r;

	memcpy(copy, bytes, size);
	r = pidtrack_record_parse(copy, size, ret_record);
	free(copy);
	return r;
}

static int refusal(const char *bytes, size_t size)
{
	struct pidtrack_record *record = UNTOUCHED;
	int r = parse(bytes, size, &record);

	if (r == 0)
		pidtrack_record_free(record);
	else if (record != UNTOUCHED)
		return 1; /* an output was written on failure */
	return r;
}

#define EXPECT_REFUSED(error, text) \
	EXPECT_EQ(error, refusal(text, sizeof(text) - 1))

/* ---- foreign ---- */

struct foreign {
	const char *text;
	size_t size;
	uint32_t format;
	pid_t pid;
	const char *start; /* in decimal; NULL: none */
	const char *capability;
	const char *exe;
	bool torn;
};

#define TEXT(text) text, sizeof(text) - 1
#define PID PIDTRACK_RECORD_PID
#define BOXLITE PIDTRACK_RECORD_BOXLITE
#define BROOD_BOX PIDTRACK_RECORD_BROOD_BOX
#define MUX "services-mux-v1"

static void check_text(struct __test_metadata *_metadata, const char *expected,
		       const char *seen)
{
	if (expected)
		EXPECT_STREQ(expected, seen);
	else
		EXPECT_NULL(seen);
}

static void check_foreign(struct __test_metadata *_metadata,
			  const struct foreign *expected)
{
	struct pidtrack_record *record;
	size_t size = 4711;
	char start[32];

	ASSERT_EQ(0, parse(expected->text, expected->size, &record));
	EXPECT_STREQ(
		pidtrack_record_format_name(expected->format),
		pidtrack_record_format_name(pidtrack_record_format(record)));
	EXPECT_EQ(expected->pid, pidtrack_record_pid(record));
	EXPECT_EQ(expected->start ? PT_HAS_START : 0, record->fingerprint.has);
	snprintf(start, sizeof(start), "%llu",
		 (unsigned long long)record->fingerprint.start);
	if (expected->start)
		EXPECT_STREQ(expected->start, start);
	EXPECT_EQ(expected->torn, record->torn);
	check_text(_metadata, expected->capability,
		   pidtrack_record_capability(record));
	check_text(_metadata, expected->exe, pidtrack_record_exe(record));
	EXPECT_NULL(pidtrack_record_label(record));
	EXPECT_NULL(pidtrack_record_payload(record, &size));
	EXPECT_EQ(0, size);
	EXPECT_FALSE(record->dated);
	EXPECT_NULL(pidtrack_record_free(record));
}

static void check_all(struct __test_metadata *_metadata,
		      const struct foreign *all, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		bool before = _metadata->failed;

		check_foreign(_metadata, &all[i]);
		if (_metadata->failed && !before)
			TH_LOG("that was number %zu", i);
	}
}

/* boxlite: legacy_one_line, no_trailing_newline, leading_whitespace. */
TEST(a_pid_file_is_a_pid_with_or_without_a_line_end)
{
	static const struct foreign all[] = {
		{ TEXT("4711\n"), PID, 4711 },
		{ TEXT("4711"), PID, 4711, .torn = true },
		{ TEXT("4711\r\n"), PID, 4711 },
		{ TEXT("4711\r"), PID, 4711, .torn = true },
		{ TEXT(" \t\v\f4711 \t\n"), PID, 4711 },
		{ TEXT("+7\n"), PID, 7 },
		{ TEXT("2\n"), PID, 2 },
		{ TEXT("0000000000000000000000000000000007\n"), PID, 7 },
		{ TEXT("4194304\n"), PID, 4194304 },
		{ TEXT("2147483647\n"), PID, INT_MAX },
		{ TEXT("4711\n\n"), PID, 4711 },
		{ TEXT("4711\n \t\r\n"), PID, 4711 },
		{ TEXT("4711\n\n\n\n"), PID, 4711 },
	};

	check_all(_metadata, all, ARRAY(all));
}

/* A number that kill(2) would take for a group, for all, or for init. */
TEST(a_number_that_is_no_shims_is_no_record)
{
	EXPECT_REFUSED(-EBADMSG, "0\n");
	EXPECT_REFUSED(-EBADMSG, "1\n");
	EXPECT_REFUSED(-EBADMSG, "+0\n");
	EXPECT_REFUSED(-EBADMSG, "+1\n");
	EXPECT_REFUSED(-EBADMSG, "000\n");
	EXPECT_REFUSED(-EBADMSG, "-0\n");
	EXPECT_REFUSED(-EBADMSG, "-1\n");
	EXPECT_REFUSED(-EBADMSG, "-4711\n");
	EXPECT_REFUSED(-EBADMSG, "2147483648\n");
	EXPECT_REFUSED(-EBADMSG, "4294967295\n");
	EXPECT_REFUSED(-EBADMSG, "4294967296\n");
	EXPECT_REFUSED(-EBADMSG, "4294972007\n"); /* 4711 in 32 bits */
	EXPECT_REFUSED(-EBADMSG, "99999999999\n");
	EXPECT_REFUSED(-EBADMSG, "18446744073709551615\n");
	EXPECT_REFUSED(-EBADMSG, "18446744073709556327\n"); /* in 64 */
	EXPECT_REFUSED(-EBADMSG, "0\n8271123\n");
	EXPECT_REFUSED(-EBADMSG, "1\n8271123\n" MUX "\n");
	EXPECT_REFUSED(-EBADMSG, "4294967295\n8271123\n");
	EXPECT_REFUSED(-EBADMSG, "0\n/usr/bin/bbox");
	EXPECT_REFUSED(-EBADMSG, "-1\n/usr/bin/bbox");
}

TEST(what_is_no_number_is_no_record)
{
	EXPECT_EQ(-EBADMSG, refusal("", 0));
	EXPECT_REFUSED(-EBADMSG, "\n");
	EXPECT_REFUSED(-EBADMSG, "\n4711\n");
	EXPECT_REFUSED(-EBADMSG, " \n4711\n");
	EXPECT_REFUSED(-EBADMSG, " ");
	EXPECT_REFUSED(-EBADMSG, "\r\n");
	EXPECT_REFUSED(-EBADMSG, "+\n");
	EXPECT_REFUSED(-EBADMSG, "++7\n");
	EXPECT_REFUSED(-EBADMSG, "+ 7\n");
	EXPECT_REFUSED(-EBADMSG, "7 8\n");
	EXPECT_REFUSED(-EBADMSG, "4 711\n");
	EXPECT_REFUSED(-EBADMSG, "0x1267\n");
	EXPECT_REFUSED(-EBADMSG, "4711.0\n");
	EXPECT_REFUSED(-EBADMSG, "123.456");
	EXPECT_REFUSED(-EBADMSG, "123abc");
	EXPECT_REFUSED(-EBADMSG, "pid\n");
	EXPECT_REFUSED(-EBADMSG, "pid=4711\n");
	EXPECT_REFUSED(-EBADMSG, "{\"pid\": 4711}\n");
	EXPECT_REFUSED(-EBADMSG, "4711,8271123\n");
	EXPECT_REFUSED(-EBADMSG, "\xef\xbb\xbf"
				 "4711\n");		/* byte order mark */
	EXPECT_REFUSED(-EBADMSG, "\xd9\xa4\xd9\xa7\n"); /* digits, Arabic */
	EXPECT_REFUSED(-EBADMSG, "\rpidtrack1:pid=4711\n");
}

/* As a whole file that is not UTF-8 is none to boxlite. */
TEST(bytes_that_are_no_text_anywhere_make_it_none)
{
	EXPECT_REFUSED(-EBADMSG, "4711\0");
	EXPECT_REFUSED(-EBADMSG, "\0"
				 "4711\n");
	EXPECT_REFUSED(-EBADMSG, "47\0"
				 "11\n");
	EXPECT_REFUSED(-EBADMSG, "4711\n\0");
	EXPECT_REFUSED(-EBADMSG, "4711\n8271123\n\0\0\0\0");
	EXPECT_REFUSED(-EBADMSG, "4711\n\xff\n");
	EXPECT_REFUSED(-EBADMSG, "4711\n8271123\n\xff");
	EXPECT_REFUSED(-EBADMSG, "4711\n8271123\n" MUX "\n\x80");
	EXPECT_REFUSED(-EBADMSG, "4711\n/usr/bin/b\xf6x");
	EXPECT_REFUSED(-EBADMSG, "4711\n/b\xc3"); /* half of one */
	EXPECT_REFUSED(-EBADMSG, "4711\n/b\xe2\x82");
	EXPECT_REFUSED(-EBADMSG, "4711\n/b\xf0\x9f\x92");
	EXPECT_REFUSED(-EBADMSG, "4711\n/b\xc0\xaf"); /* overlong */
	EXPECT_REFUSED(-EBADMSG, "4711\n/b\xe0\x80\xaf");
	EXPECT_REFUSED(-EBADMSG, "4711\n/b\xf0\x80\x80\xaf");
	EXPECT_REFUSED(-EBADMSG, "4711\n/b\xed\xa0\x80");     /* surrogate */
	EXPECT_REFUSED(-EBADMSG, "4711\n/b\xf4\x90\x80\x80"); /* beyond */
	EXPECT_REFUSED(-EBADMSG, "4711\n/b\xf5\x80\x80\x80");
	EXPECT_REFUSED(-EBADMSG, "4711\n/b\xc3\x28");
}

/* boxlite: two_line, max_linux_pid, capability line round trip. */
TEST(a_boxlite_record_has_a_start_time_a_capability_or_both)
{
	static const struct foreign all[] = {
		{ TEXT("4711\n8271123\n"), BOXLITE, 4711, "8271123" },
		{ TEXT("4711\n8271123"), BOXLITE, 4711, "8271123",
		  .torn = true },
		{ TEXT("4711\r\n8271123\r\n"), BOXLITE, 4711, "8271123" },
		{ TEXT("  4711 \n\t 8271123 \n"), BOXLITE, 4711, "8271123" },
		{ TEXT("4711\n+8271123\n"), BOXLITE, 4711, "8271123" },
		{ TEXT("4194304\n0\n"), BOXLITE, 4194304, "0" },
		{ TEXT("4711\n18446744073709551615\n"), BOXLITE, 4711,
		  "18446744073709551615" },
		{ TEXT("4711\n8271123\n" MUX "\n"), BOXLITE, 4711, "8271123",
		  MUX },
		{ TEXT("4711\n8271123\n" MUX), BOXLITE, 4711, "8271123", MUX,
		  .torn = true },
		{ TEXT("4711\r\n8271123\r\n\t" MUX " \r\n"), BOXLITE, 4711,
		  "8271123", MUX },
		{ TEXT("7\n\n" MUX "\n"), BOXLITE, 7, NULL, MUX },
		{ TEXT("7\n \n" MUX "\n"), BOXLITE, 7, NULL, MUX },
		{ TEXT("7\n8\n" MUX "\nmore\n"), BOXLITE, 7, "8", MUX },
		/* not that capability: what older readers ignore */
		{ TEXT("7\n8\n" MUX "x\n"), BOXLITE, 7, "8" },
		{ TEXT("7\n8\nservices-mux-v\n"), BOXLITE, 7, "8" },
		{ TEXT("7\n8\nServices-mux-v1\n"), BOXLITE, 7, "8" },
		{ TEXT("7\n8\nservices-mux-v2\n"), BOXLITE, 7, "8" },
		{ TEXT("7\n8\n\n" MUX "\n"), BOXLITE, 7, "8" },
		{ TEXT("7\n8\n9\n10\n"), BOXLITE, 7, "8" },
	};

	check_all(_metadata, all, ARRAY(all));
	/* only the third line can have it */
	EXPECT_REFUSED(-EBADMSG, "7\n" MUX "\n");
}

/*
 * boxlite: corrupt_start_time_downgrades.  A reader may be as lenient, or
 * call it damaged: but it never has a start time to compare.
 */
TEST(a_start_time_that_is_no_number_is_none)
{
	static const char *const lines[] = {
		"x",	"-1",  "8271x23", "0x1f",      "8271123.0",
		"8 27", "++8", "8e3",	  "8\xc2\xa0", "18446744073709551616",
	};
	struct pidtrack_record *record;
	char text[64];
	size_t i;
	int n, r;

	for (i = 0; i < ARRAY(lines); i++) {
		n = snprintf(text, sizeof(text), "4711\n%s\n", lines[i]);
		r = parse(text, n, &record);
		if (r == -EBADMSG)
			continue;
		ASSERT_EQ(0, r);
		EXPECT_EQ(PIDTRACK_RECORD_PID, pidtrack_record_format(record));
		EXPECT_EQ(4711, pidtrack_record_pid(record));
		EXPECT_EQ(0, record->fingerprint.has);
		EXPECT_NULL(pidtrack_record_capability(record));
		EXPECT_NULL(pidtrack_record_exe(record));
		pidtrack_record_free(record);
	}
}

TEST(a_brood_box_record_has_a_path)
{
	static const struct foreign all[] = {
		{ TEXT("4711\n/usr/bin/bbox"), BROOD_BOX, 4711,
		  .exe = "/usr/bin/bbox", .torn = true },
		{ TEXT("4711\n/usr/bin/bbox\n"), BROOD_BOX, 4711,
		  .exe = "/usr/bin/bbox" },
		{ TEXT("4711\r\n/usr/bin/bbox\r\n"), BROOD_BOX, 4711,
		  .exe = "/usr/bin/bbox" },
		{ TEXT(" 4711 \n /usr/bin/bbox \n\n"), BROOD_BOX, 4711,
		  .exe = "/usr/bin/bbox" },
		{ TEXT("4711\n/a dir/b\xc3\xb6x"), BROOD_BOX, 4711,
		  .exe = "/a dir/b\xc3\xb6x", .torn = true },
		{ TEXT("4711\n/\xf0\x9f\x92\xa9"), BROOD_BOX, 4711,
		  .exe = "/\xf0\x9f\x92\xa9", .torn = true },
		{ TEXT("4711\n/a\nb"), BROOD_BOX, 4711, .exe = "/a\nb",
		  .torn = true },
		{ TEXT("4711\n/"), BROOD_BOX, 4711, .exe = "/", .torn = true },
		{ TEXT("4711\n/bbox (deleted)"), BROOD_BOX, 4711,
		  .exe = "/bbox (deleted)", .torn = true },
	};

	check_all(_metadata, all, ARRAY(all));
}

TEST(four_kib_are_a_record_and_a_byte_more_is_too_much)
{
	static char text[PIDTRACK_RECORD_MAX + 2];
	struct pidtrack_record *record;
	char *large;

	memset(text, 'a', sizeof(text));
	memcpy(text, "7\n/", 3);
	ASSERT_EQ(0, parse(text, PIDTRACK_RECORD_MAX, &record));
	EXPECT_EQ(PIDTRACK_RECORD_BROOD_BOX, pidtrack_record_format(record));
	EXPECT_EQ(PIDTRACK_RECORD_MAX - 2, strlen(pidtrack_record_exe(record)));
	pidtrack_record_free(record);
	EXPECT_EQ(-EFBIG, refusal(text, PIDTRACK_RECORD_MAX + 1));
	EXPECT_EQ(-EFBIG, refusal(text, PIDTRACK_RECORD_MAX + 2));

	/* whatever it is */
	large = calloc(1, 1 << 20);
	EXPECT_EQ(-EFBIG, refusal(large, 1 << 20));
	free(large);
	memset(text, ' ', sizeof(text));
	EXPECT_EQ(-EBADMSG, refusal(text, PIDTRACK_RECORD_MAX));
	text[PIDTRACK_RECORD_MAX - 1] = '7';
	ASSERT_EQ(0, parse(text, PIDTRACK_RECORD_MAX, &record));
	EXPECT_EQ(7, pidtrack_record_pid(record));
	pidtrack_record_free(record);
}

/* ---- native ---- */

#define FINGERPRINT                                    \
	"pidtrack1:pid=4711,inode=1061,start=8271123," \
	"boottime=0,pidns=4026531836,"                 \
	"boot=01234567-89ab-cdef-fedc-ba9876543210"
#define HEAD "4711\n8271123\nfingerprint=" FINGERPRINT "\n"

static const struct pt_place fixed_place = {
	.boot = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc,
		  0xba, 0x98, 0x76, 0x54, 0x32, 0x10 },
	.pidns = 4026531836,
	.has = PT_HAS_BOOT | PT_HAS_PIDNS | PT_HAS_BOOTTIME,
	.pidfs = true,
};
static const struct pt_look fixed_look = { .inode = 1061,
					   .start = 8271123,
					   .has = PT_HAS_INODE | PT_HAS_START };
static const struct pt_look look_without_start = { .inode = 1061,
						   .has = PT_HAS_INODE };

struct text {
	char bytes[PT_RECORD_MAX + 64];
	size_t length;
};

static struct text format(struct __test_metadata *_metadata,
			  const struct pt_record *record,
			  const struct pt_look *look)
{
	struct text text = { .length = 0 };
	struct pt_text out = PT_TEXT(text.bytes, PT_RECORD_MAX + 1);

	ASSERT_EQ(0, pt_record_format(record, 4711, look, &out));
	text.length = out.length;
	return text;
}

/* By the standard, bit by bit. */
static uint32_t crc32_by_definition(const char *bytes, size_t n)
{
	uint32_t crc = ~UINT32_C(0);
	size_t i;
	int bit;

	for (i = 0; i < n; i++) {
		crc ^= (unsigned char)bytes[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* A text of anybody's with the checksum that is right for it. */
static struct text seal(const char *bytes, size_t size)
{
	struct text text;

	memcpy(text.bytes, bytes, size);
	text.length = size + sprintf(text.bytes + size, "crc32=%08x\n",
				     crc32_by_definition(bytes, size));
	return text;
}

#define SEALED(body) seal(body, sizeof(body) - 1)

#define EXPECT_SEALED_REFUSED(error, body)                                \
	do {                                                              \
		struct text sealed_ = SEALED(body);                       \
		EXPECT_EQ(error, refusal(sealed_.bytes, sealed_.length)); \
	} while (0)

static void check_fixed(struct __test_metadata *_metadata,
			const struct pidtrack_record *record)
{
	const struct pt_fingerprint *found = &record->fingerprint;

	EXPECT_EQ(PIDTRACK_RECORD_NATIVE, pidtrack_record_format(record));
	EXPECT_EQ(4711, pidtrack_record_pid(record));
	EXPECT_EQ(1061, found->inode);
	EXPECT_EQ(8271123, found->start);
	EXPECT_EQ(PT_HAS_INODE | PT_HAS_START | PT_HAS_BOOT | PT_HAS_PIDNS |
			  PT_HAS_BOOTTIME,
		  found->has);
	EXPECT_EQ(4026531836, found->place.pidns);
	EXPECT_EQ(0, memcmp(fixed_place.boot, found->place.boot, 16));
	EXPECT_NULL(pidtrack_record_capability(record));
	EXPECT_NULL(pidtrack_record_exe(record));
	EXPECT_FALSE(record->torn);
}

/* boxlite: round trip with and without start time. */
TEST(a_native_record_is_read_as_it_was_written)
{
	struct pt_record written = { .place = &fixed_place,
				     .exe = "/usr/bin/my vmm",
				     .label = "web 1",
				     .payload = "\0{\"a\": 1}\xff",
				     .payload_size = 10 };
	struct text text = format(_metadata, &written, &fixed_look);
	struct pidtrack_record *record;
	const void *payload;
	size_t size;

	ASSERT_EQ(0, parse(text.bytes, text.length, &record));
	check_fixed(_metadata, record);
	EXPECT_STREQ("web 1", pidtrack_record_label(record));
	payload = pidtrack_record_payload(record, &size);
	ASSERT_EQ(10, size);
	EXPECT_EQ(0, memcmp("\0{\"a\": 1}\xff", payload, 10));
	pidtrack_record_free(record);

	written = (struct pt_record){ .place = &fixed_place };
	text = format(_metadata, &written, &look_without_start);
	ASSERT_EQ(0, parse(text.bytes, text.length, &record));
	EXPECT_EQ(PIDTRACK_RECORD_NATIVE, pidtrack_record_format(record));
	EXPECT_FALSE(record->fingerprint.has & PT_HAS_START);
	EXPECT_EQ(1061, record->fingerprint.inode);
	EXPECT_NULL(pidtrack_record_label(record));
	EXPECT_NULL(pidtrack_record_payload(record, &size));
	EXPECT_EQ(0, size);
	pidtrack_record_free(record);
}

TEST(every_label_and_payload_comes_back)
{
	struct pt_record written = { .place = &fixed_place };
	unsigned char payload[PT_RECORD_PAYLOAD_MAX];
	struct pidtrack_record *record;
	struct text text;
	const void *back;
	char label[256] = "";
	size_t i, size, n = 0;

	for (i = 0; i < sizeof(payload); i++)
		payload[i] = (unsigned char)(255 - i);
	for (i = 0x20; i < 256; i++)
		if (i != 0x7f)
			label[n++] = (char)i;

	written.label = label;
	text = format(_metadata, &written, &fixed_look);
	ASSERT_EQ(0, parse(text.bytes, text.length, &record));
	EXPECT_STREQ(label, pidtrack_record_label(record));
	pidtrack_record_free(record);

	written.label = NULL;
	written.payload = payload;
	for (size = 1; size <= sizeof(payload); size++) {
		size_t length;

		written.payload_size = size;
		text = format(_metadata, &written, &fixed_look);
		ASSERT_EQ(0, parse(text.bytes, text.length, &record));
		back = pidtrack_record_payload(record, &length);
		ASSERT_EQ(size, length);
		ASSERT_EQ(0, memcmp(payload, back, size));
		pidtrack_record_free(record);
	}

	for (i = 0x20; i < 256; i++) {
		label[0] = (char)i;
		label[1] = '\0';
		if (i == 0x7f)
			continue;
		written = (struct pt_record){ .place = &fixed_place,
					      .label = label };
		text = format(_metadata, &written, &fixed_look);
		ASSERT_EQ(0, parse(text.bytes, text.length, &record));
		ASSERT_STREQ(label, pidtrack_record_label(record));
		pidtrack_record_free(record);
	}
}

TEST(a_key_of_a_later_version_is_not_minded)
{
	struct text text = SEALED(HEAD "later=1\nlabel=a\nz=\n=\n");
	struct pidtrack_record *record;

	ASSERT_EQ(0, parse(text.bytes, text.length, &record));
	check_fixed(_metadata, record);
	EXPECT_STREQ("a", pidtrack_record_label(record));
	pidtrack_record_free(record);

	text = SEALED("4711\n8271123\nfingerprint=" FINGERPRINT ",later=1\n");
	ASSERT_EQ(0, parse(text.bytes, text.length, &record));
	check_fixed(_metadata, record);
	pidtrack_record_free(record);
}

TEST(a_key_twice_is_damage)
{
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "label=a\nlabel=a\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "label=a\nlabel=b\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "label=\nlabel=b\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "payload=a\npayload=a\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "payload=\npayload=a\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "fingerprint=" FINGERPRINT "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG,
			      HEAD "label=a\nfingerprint=" FINGERPRINT "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG,
			      "4711\n8271123\nfingerprint=" FINGERPRINT
			      ",pid=4711\n");
}

TEST(a_record_of_a_later_version_says_so)
{
	EXPECT_SEALED_REFUSED(-EPROTONOSUPPORT,
			      "4711\n8271123\nfingerprint=pidtrack2:x\n");
	EXPECT_SEALED_REFUSED(-EPROTONOSUPPORT,
			      "a\nb\nfingerprint=pidtrack10:pid=4711\nc\n");
	EXPECT_REFUSED(-EPROTONOSUPPORT, "pidtrack2:whatever");
	EXPECT_REFUSED(-EPROTONOSUPPORT, "pidtrack2:pid=4711\n");
	/* but not one that is torn or damaged */
	EXPECT_REFUSED(-EBADMSG, "4711\n8271123\nfingerprint=pidtrack2:x\n");
	EXPECT_REFUSED(-EBADMSG, "4711\n8271123\nfingerprint=pidtrack2:x\n"
				 "crc32=00000000\n");
	EXPECT_REFUSED(-EBADMSG, "pidtrack0:pid=4711");
	EXPECT_REFUSED(-EBADMSG, "pidtrack:pid=4711");
	EXPECT_REFUSED(-EBADMSG, "pidtrack2");
}

TEST(a_checksum_alone_does_not_make_a_record)
{
	EXPECT_SEALED_REFUSED(-EBADMSG, "");
	EXPECT_SEALED_REFUSED(-EBADMSG, "4711\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, "4711\n8271123\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, "4711\n8271123\nfingerprint=\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, "4711\n8271123\nlabel=a\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, "fingerprint=" FINGERPRINT "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, FINGERPRINT "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "nothing\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "label=a");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "label=%\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "label=%4\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "label=%4g\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "label=%-1\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "label=a%00b\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "label=a\0b\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, HEAD "payload=%%\n");
	/* the lines for others are those of the fingerprint */
	EXPECT_SEALED_REFUSED(-EBADMSG,
			      "4712\n8271123\nfingerprint=" FINGERPRINT "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG,
			      "4711\n8271124\nfingerprint=" FINGERPRINT "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG,
			      "4711\n\nfingerprint=" FINGERPRINT "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG,
			      "\n8271123\nfingerprint=" FINGERPRINT "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG,
			      "+4711\n8271123\nfingerprint=" FINGERPRINT "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG,
			      "7\n5\nfingerprint=pidtrack1:pid=7,inode=1061\n");
	/* nor makes one of a number that is no shim's */
	EXPECT_SEALED_REFUSED(-EBADMSG, "0\n\nfingerprint=pidtrack1:pid=0\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, "1\n\nfingerprint=pidtrack1:pid=1\n");
	EXPECT_SEALED_REFUSED(
		-EBADMSG,
		"2147483648\n\nfingerprint=pidtrack1:pid=2147483648\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, "-1\n\nfingerprint=pidtrack1:pid=-1\n");
}

TEST(a_payload_of_one_kib_and_a_byte_is_none)
{
	static const char head[] = HEAD "payload=";
	char bytes[PT_RECORD_MAX];
	struct pidtrack_record *record;
	struct text text;
	size_t n = sizeof(head) - 1, size;

	memcpy(bytes, head, n);
	memset(bytes + n, 'a', 1025);
	bytes[n + 1024] = '\n';
	text = seal(bytes, n + 1025);
	ASSERT_EQ(0, parse(text.bytes, text.length, &record));
	pidtrack_record_payload(record, &size);
	EXPECT_EQ(1024, size);
	pidtrack_record_free(record);
	bytes[n + 1024] = 'a';
	bytes[n + 1025] = '\n';
	text = seal(bytes, n + 1026);
	EXPECT_EQ(-EBADMSG, refusal(text.bytes, text.length));
}

/* ---- of ends ---- */

#define EXIT "pidtrack-exit1\nfingerprint=" FINGERPRINT "\n"

TEST(an_exit_record_tells_an_end)
{
	struct pidtrack_ending ending = { 0 };
	struct pidtrack_record *record;
	struct text text = SEALED(EXIT "label=web%201\nsource=waited\n"
				       "status=1792\nstarted_ns=5\nended_ns=9\n"
				       "later=1\n");

	ASSERT_EQ(0, parse(text.bytes, text.length, &record));
	EXPECT_EQ(PIDTRACK_RECORD_EXIT, pidtrack_record_format(record));
	EXPECT_STREQ("web 1", pidtrack_record_label(record));
	ASSERT_EQ(0, pidtrack_record_ending(record, &ending, sizeof(ending)));
	EXPECT_EQ(PIDTRACK_SOURCE_WAITED, ending.source);
	EXPECT_EQ(7 << 8, ending.status);
	EXPECT_EQ(5, ending.started_ns);
	EXPECT_EQ(9, ending.ended_ns);
	pidtrack_record_free(record);

	text = SEALED(EXIT "source=unknown\n");
	ASSERT_EQ(0, parse(text.bytes, text.length, &record));
	ASSERT_EQ(0, pidtrack_record_ending(record, &ending, sizeof(ending)));
	EXPECT_EQ(-1, ending.status);
	pidtrack_record_free(record);
}

TEST(what_could_be_no_end_is_no_exit_record)
{
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT);
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT "source=waited\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT "source=unknown\nstatus=0\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT "source=heard\nstatus=0\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT "source=waited\nstatus=x\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT "source=waited\nstatus=65536\n");
	/* it is stopped, and goes on */
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT "source=waited\nstatus=4991\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT "source=waited\nstatus=65535\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT "source=unknown\nended_ns=0\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT "source=unknown\nended_ns=x\n");
	EXPECT_SEALED_REFUSED(
		-EBADMSG,
		EXIT "source=unknown\nstarted_ns=9223372036854775808\n");
	EXPECT_SEALED_REFUSED(-EBADMSG,
			      EXIT "source=unknown\nsource=unknown\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT "source=unknown\nnonsense\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, EXIT
			      "source=unknown\nfingerprint=" FINGERPRINT "\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, "pidtrack-exit1\nsource=unknown\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, "pidtrack-exit1\nfingerprint=x\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, "pidtrack-exit01\n");
	EXPECT_SEALED_REFUSED(-EBADMSG, "pidtrack-exit1x\n");
	EXPECT_SEALED_REFUSED(-EPROTONOSUPPORT, "pidtrack-exit2\n");
}

/* ---- damage ---- */

/* The records that are damaged below: all there can be in one. */
static const struct pt_record whole[] = {
	{ .place = &fixed_place },
	{ .place = &fixed_place, .exe = "/usr/bin/my vmm", .label = "web 1" },
	{ .place = &fixed_place,
	  .label = "services-mux-v1",
	  .payload = "\0/usr/bin/bbox\n4711\n",
	  .payload_size = 19 },
};

TEST(one_bit_off_it_is_no_record_of_any_kind)
{
	const struct pt_look *looks[] = { &fixed_look, &look_without_start };
	size_t i, j, bit, n = 0;

	for (i = 0; i < ARRAY(whole); i++) {
		for (j = 0; j < ARRAY(looks); j++) {
			struct text text =
				format(_metadata, &whole[i], looks[j]);

			ASSERT_EQ(0, refusal(text.bytes, text.length));
			for (bit = 0; bit < text.length * 8; bit++, n++) {
				char mask = (char)(1 << bit % 8);
				int r;

				text.bytes[bit / 8] ^= mask;
				r = refusal(text.bytes, text.length);
				text.bytes[bit / 8] ^= mask;
				if (r == -EBADMSG)
					continue;
				EXPECT_EQ(-EBADMSG, r);
				TH_LOG("that was bit %zu of byte %zu", bit % 8,
				       bit / 8);
			}
		}
	}
	TH_LOG("%zu bits", n);
}

TEST(a_byte_more_or_less_it_is_no_record_of_any_kind)
{
	struct text text = format(_metadata, &whole[2], &fixed_look), other;
	size_t i;

	for (i = 0; i < text.length; i++) {
		memcpy(other.bytes, text.bytes, i);
		memcpy(other.bytes + i, text.bytes + i + 1, text.length - i);
		if (i < text.length - 1 && text.bytes[i] == text.bytes[i + 1])
			continue; /* the same as without the next */
		EXPECT_EQ(-EBADMSG, refusal(other.bytes, text.length - 1));
	}
	for (i = 0; i <= text.length; i++) {
		memcpy(other.bytes, text.bytes, i);
		other.bytes[i] = 'x';
		memcpy(other.bytes + i + 1, text.bytes + i, text.length - i);
		EXPECT_EQ(-EBADMSG, refusal(other.bytes, text.length + 1));
		other.bytes[i] = '\n';
		EXPECT_EQ(-EBADMSG, refusal(other.bytes, text.length + 1));
	}
	/* as an editor, or a transfer as text, would have it */
	memcpy(other.bytes, text.bytes, text.length);
	memcpy(other.bytes + text.length - 1, "\r\n", 2);
	EXPECT_EQ(-EBADMSG, refusal(other.bytes, text.length + 1));
	memcpy(other.bytes + text.length, text.bytes, text.length);
	memcpy(other.bytes, text.bytes, text.length);
	EXPECT_EQ(-EBADMSG, refusal(other.bytes, 2 * text.length));
}

/* A block that never came to the disk reads as zeros. */
TEST(a_hole_makes_it_no_record_of_any_kind)
{
	struct text text = format(_metadata, &whole[2], &fixed_look), other;
	size_t i, n;

	for (i = 0; i < text.length; i++) {
		for (n = 1; n <= text.length - i; n++) {
			other = text;
			memset(other.bytes + i, 0, n);
			ASSERT_EQ(-EBADMSG, refusal(other.bytes, other.length));
		}
	}
}

/* What the first @n bytes of "4711\n8271123\nfingerprint=..." may be. */
static void check_head(struct __test_metadata *_metadata, const char *bytes,
		       size_t n)
{
	static const pid_t pids[] = { 0, 4, 47, 471, 4711, 4711 };
	static const uint64_t starts[] = { 8,	  82,	  827,	   8271,
					   82711, 827112, 8271123, 8271123 };
	struct pidtrack_record *record;

	if (n == 0 || n > 13) {
		ASSERT_EQ(-EBADMSG, refusal(bytes, n));
		return;
	}
	ASSERT_EQ(0, parse(bytes, n, &record));
	/* what may be half a number is torn, all else is true */
	EXPECT_EQ(n != 5 && n != 13, record->torn);
	EXPECT_EQ(pids[MIN(n, 5)], pidtrack_record_pid(record));
	if (n <= 5) {
		EXPECT_EQ(PIDTRACK_RECORD_PID, pidtrack_record_format(record));
		EXPECT_EQ(0, record->fingerprint.has);
	} else {
		EXPECT_EQ(PIDTRACK_RECORD_BOXLITE,
			  pidtrack_record_format(record));
		EXPECT_EQ(PT_HAS_START, record->fingerprint.has);
		EXPECT_EQ(starts[n - 6], record->fingerprint.start);
	}
	pidtrack_record_free(record);
}

TEST(torn_it_is_none_or_what_its_first_lines_say)
{
	struct text text;
	size_t i, n;

	for (i = 0; i < ARRAY(whole); i++) {
		text = format(_metadata, &whole[i], &fixed_look);
		for (n = 0; n < text.length; n++)
			check_head(_metadata, text.bytes, n);

		text = format(_metadata, &whole[i], &look_without_start);
		for (n = 7; n < text.length; n++)
			ASSERT_EQ(-EBADMSG, refusal(text.bytes, n));
		for (n = 1; n <= 6; n++) {
			struct pidtrack_record *record;

			ASSERT_EQ(0, parse(text.bytes, n, &record));
			EXPECT_EQ(PIDTRACK_RECORD_PID,
				  pidtrack_record_format(record));
			EXPECT_EQ(n < 5, record->torn);
			EXPECT_EQ(0, record->fingerprint.has);
			pidtrack_record_free(record);
		}
	}
}

/* The end of one that was overwritten in place by a shorter one is still there.
 */
TEST(the_rest_of_a_native_record_is_never_anothers)
{
	struct text text = format(_metadata, &whole[1], &fixed_look);
	size_t n;

	for (n = 1; n < text.length; n++) {
		struct pidtrack_record *record;

		if (parse(text.bytes + n, text.length - n, &record) < 0)
			continue;
		/* but for digits that the checksum may end with */
		EXPECT_GE(n, text.length - 9);
		pidtrack_record_free(record);
	}
}

/* ---- fingerprints ---- */

TEST(a_fingerprint_is_a_record)
{
	static const char *const ends[] = { "", "\n", "\r\n", " \n\n" };
	struct pidtrack_record *record;
	char text[256];
	size_t i, size;
	int n;

	for (i = 0; i < ARRAY(ends); i++) {
		n = snprintf(text, sizeof(text), "%s%s", FINGERPRINT, ends[i]);
		ASSERT_EQ(0, parse(text, n, &record));
		EXPECT_EQ(PIDTRACK_RECORD_FINGERPRINT,
			  pidtrack_record_format(record));
		EXPECT_EQ(4711, pidtrack_record_pid(record));
		EXPECT_EQ(1061, record->fingerprint.inode);
		EXPECT_EQ(8271123, record->fingerprint.start);
		EXPECT_NULL(pidtrack_record_label(record));
		EXPECT_NULL(pidtrack_record_capability(record));
		EXPECT_NULL(pidtrack_record_exe(record));
		EXPECT_NULL(pidtrack_record_payload(record, &size));
		EXPECT_EQ(0, size);
		pidtrack_record_free(record);
	}
	EXPECT_REFUSED(-EBADMSG, FINGERPRINT "\0");
	EXPECT_REFUSED(-EBADMSG, FINGERPRINT "\n\0");
	EXPECT_REFUSED(-EBADMSG, FINGERPRINT "\nlabel=a\n");
	EXPECT_REFUSED(-EBADMSG, FINGERPRINT "\n" FINGERPRINT "\n");
	EXPECT_REFUSED(-EBADMSG, " " FINGERPRINT "\n");
	EXPECT_REFUSED(-EBADMSG, "pidtrack1:pid=1");
	EXPECT_REFUSED(-EBADMSG, "pidtrack1:pid=0");
	EXPECT_REFUSED(-EBADMSG, "pidtrack1:start=7");
	EXPECT_REFUSED(-EBADMSG, "pidtrack1:");
	EXPECT_REFUSED(-EBADMSG, "p");
}

/* Only one that has nothing else to be known by needs a number. */
TEST(a_fingerprint_without_a_number_is_a_record)
{
	static const char text[] = "pidtrack1:inode=7";
	struct pidtrack_record *record;

	ASSERT_EQ(0, parse(text, sizeof(text) - 1, &record));
	EXPECT_EQ(0, pidtrack_record_pid(record));
	pidtrack_record_free(record);
	EXPECT_SEALED_REFUSED(-EBADMSG, "0\n\nfingerprint=pidtrack1:inode=7\n");
}

/* Without the boot id, which comes last, nothing of it decides. */
TEST(a_torn_fingerprint_has_no_boot_id)
{
	static const char text[] = FINGERPRINT;
	struct pidtrack_record *record;
	size_t n;

	for (n = 0; n < sizeof(text) - 1; n++) {
		if (parse(text, n, &record) < 0)
			continue;
		EXPECT_FALSE(record->fingerprint.has & PT_HAS_BOOT);
		pidtrack_record_free(record);
	}
}

/* ---- names ---- */

TEST(formats_have_names)
{
	EXPECT_STREQ("native",
		     pidtrack_record_format_name(PIDTRACK_RECORD_NATIVE));
	EXPECT_STREQ("fingerprint",
		     pidtrack_record_format_name(PIDTRACK_RECORD_FINGERPRINT));
	EXPECT_STREQ("boxlite",
		     pidtrack_record_format_name(PIDTRACK_RECORD_BOXLITE));
	EXPECT_STREQ("brood-box",
		     pidtrack_record_format_name(PIDTRACK_RECORD_BROOD_BOX));
	EXPECT_STREQ("pid", pidtrack_record_format_name(PIDTRACK_RECORD_PID));
	EXPECT_STREQ("exit", pidtrack_record_format_name(PIDTRACK_RECORD_EXIT));
	EXPECT_STREQ("unknown", pidtrack_record_format_name(0));
	EXPECT_STREQ("pin", pidtrack_record_format_name(PIDTRACK_RECORD_PIN));
	EXPECT_STREQ("unknown", pidtrack_record_format_name(8));
	EXPECT_STREQ("unknown", pidtrack_record_format_name(~0U));
	EXPECT_NULL(pidtrack_record_free(NULL));
}

/* ---- files ---- */

/* In a directory of its own. */
FIXTURE(place)
{
	char dir[32];
	char path[64]; /* nothing is there */
};

FIXTURE_SETUP(place)
{
	strcpy(self->dir, "/tmp/pt-recorded-XXXXXX");
	ASSERT_TRUE(mkdtemp(self->dir) != NULL);
	ASSERT_EQ(0, chmod(self->dir, 0755));
	snprintf(self->path, sizeof(self->path), "%s/record", self->dir);
}

FIXTURE_TEARDOWN(place)
{
	unlink(self->path);
	rmdir(self->path);
	EXPECT_EQ(0, rmdir(self->dir));
}

static void put(struct __test_metadata *_metadata, const char *path,
		const char *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ASSERT_GE(fd, 0);
	ASSERT_EQ((ssize_t)size, write(fd, bytes, size));
	close(fd);
}

static int read_refusal(const char *path)
{
	struct pidtrack_record *record = UNTOUCHED;
	int r = pidtrack_record_read(path, &record);

	if (r == 0)
		pidtrack_record_free(record);
	else if (record != UNTOUCHED)
		return 1;
	return r;
}

TEST_F(place, a_file_is_read_and_its_date_with_it)
{
	struct timespec times[2] = { { 5, 0 }, { 1234567890, 123456789 } };
	struct text text = format(_metadata, &whole[2], &fixed_look);
	struct pidtrack_record *record;
	struct stat before, after;

	put(_metadata, self->path, text.bytes, text.length);
	ASSERT_EQ(0, utimensat(AT_FDCWD, self->path, times, 0));
	ASSERT_EQ(0, stat(self->path, &before));
	ASSERT_EQ(0, pidtrack_record_read(self->path, &record));
	check_fixed(_metadata, record);
	EXPECT_TRUE(record->dated);
	EXPECT_EQ(INT64_C(1234567890123456789), record->file.modified_ns);
	ASSERT_EQ(0, stat(self->path, &after));
	EXPECT_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
	EXPECT_EQ(before.st_ino, after.st_ino);
	pidtrack_record_free(record);
}

TEST_F(place, foreign_files_are_read)
{
	struct pidtrack_record *record;

	put(_metadata, self->path, TEXT("4711\n8271123\n" MUX "\n"));
	ASSERT_EQ(0, pidtrack_record_read(self->path, &record));
	EXPECT_EQ(PIDTRACK_RECORD_BOXLITE, pidtrack_record_format(record));
	EXPECT_STREQ(MUX, pidtrack_record_capability(record));
	EXPECT_TRUE(record->dated);
	pidtrack_record_free(record);
	put(_metadata, self->path, TEXT("4711"));
	ASSERT_EQ(0, pidtrack_record_read(self->path, &record));
	EXPECT_EQ(PIDTRACK_RECORD_PID, pidtrack_record_format(record));
	EXPECT_TRUE(record->torn);
	pidtrack_record_free(record);
	put(_metadata, self->path, TEXT(""));
	EXPECT_EQ(-EBADMSG, read_refusal(self->path));
	put(_metadata, self->path, TEXT("0\n"));
	EXPECT_EQ(-EBADMSG, read_refusal(self->path));
	put(_metadata, self->path, TEXT("pidtrack2:x\n"));
	EXPECT_EQ(-EPROTONOSUPPORT, read_refusal(self->path));
}

TEST_F(place, what_is_missing_is_missing)
{
	char below[80];

	EXPECT_EQ(-ENOENT, read_refusal(self->path));
	EXPECT_EQ(-ENOENT, read_refusal(""));
	put(_metadata, self->path, TEXT("4711\n"));
	snprintf(below, sizeof(below), "%s/record", self->path);
	EXPECT_EQ(-ENOTDIR, read_refusal(below));
	snprintf(below, sizeof(below), "%s/", self->path);
	EXPECT_EQ(-ENOTDIR, read_refusal(below));
}

TEST_F(place, what_is_not_ours_to_read_is_refused_as_such)
{
	if (geteuid())
		SKIP(return, "only root can be somebody else");
	put(_metadata, self->path, TEXT("4711\n"));
	ASSERT_EQ(0, chmod(self->path, 0600));
	ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(-EACCES, read_refusal(self->path));
	ASSERT_EQ(0, seteuid(0));
	ASSERT_EQ(0, chmod(self->path, 0644));
	ASSERT_EQ(0, chmod(self->dir, 0700));
	ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(-EACCES, read_refusal(self->path));
	ASSERT_EQ(0, seteuid(0));
}

TEST_F(place, without_a_descriptor_it_is_not_missing)
{
	struct rlimit limit = { 0, 0 }, before;

	put(_metadata, self->path, TEXT("4711\n"));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	limit.rlim_max = before.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, read_refusal(self->path));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	EXPECT_EQ(0, read_refusal(self->path));
}

TEST_F(place, a_directory_is_none)
{
	ASSERT_EQ(0, mkdir(self->path, 0755));
	EXPECT_EQ(-EISDIR, read_refusal(self->path));
	EXPECT_EQ(-EISDIR, read_refusal("/"));
}

TEST_F(place, a_link_in_its_place_is_not_followed)
{
	char target[64], link[80];

	snprintf(target, sizeof(target), "%s/target", self->dir);
	put(_metadata, target, TEXT("4711\n"));
	ASSERT_EQ(0, symlink(target, self->path));
	EXPECT_EQ(-ELOOP, read_refusal(self->path));
	ASSERT_EQ(0, unlink(target));
	EXPECT_EQ(-ELOOP, read_refusal(self->path));
	ASSERT_EQ(0, unlink(self->path));

	/* one on the way to it is the host's own affair */
	put(_metadata, target, TEXT("4711\n"));
	ASSERT_EQ(0, symlink(self->dir, self->path));
	snprintf(link, sizeof(link), "%s/target", self->path);
	EXPECT_EQ(0, read_refusal(link));
	ASSERT_EQ(0, unlink(target));
}

/* Neither without a writer nor with one that says nothing. */
TEST_F(place, a_fifo_does_not_block)
{
	int writer;

	ASSERT_EQ(0, mkfifo(self->path, 0600));
	EXPECT_EQ(-ENXIO, read_refusal(self->path));
	writer = open(self->path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(writer, 0);
	EXPECT_EQ(-ENXIO, read_refusal(self->path));
	ASSERT_EQ(5, write(writer, "4711\n", 5));
	EXPECT_EQ(-ENXIO, read_refusal(self->path));
	close(writer);
}

TEST_F(place, a_device_and_a_socket_are_none)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	EXPECT_EQ(-ENXIO, read_refusal("/dev/null"));
	EXPECT_EQ(-ENXIO, read_refusal("/dev/zero"));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, self->path);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&address, sizeof(address)));
	EXPECT_EQ(-ENXIO, read_refusal(self->path));
	close(fd);
}

TEST_F(place, beyond_four_kib_a_file_is_too_much)
{
	static char text[PIDTRACK_RECORD_MAX + 1];

	memset(text, 'a', sizeof(text));
	memcpy(text, "7\n/", 3);
	put(_metadata, self->path, text, PIDTRACK_RECORD_MAX);
	EXPECT_EQ(0, read_refusal(self->path));
	put(_metadata, self->path, text, PIDTRACK_RECORD_MAX + 1);
	EXPECT_EQ(-EFBIG, read_refusal(self->path));
	ASSERT_EQ(0, truncate(self->path, INT64_C(1) << 40));
	EXPECT_EQ(-EFBIG, read_refusal(self->path));
}

/* ---- while somebody writes ---- */

enum way { TRUNCATED, RENAMED, IN_PLACE };

struct writer {
	enum way way;
	const char *path;
	struct text texts[2];
};

/* Writes one and the other in turn, until killed. */
static void write_for_ever(const struct writer *writer)
{
	char temporary[128];
	const char *path = writer->path;
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
	int i, fd;

	snprintf(temporary, sizeof(temporary), "%s~", path);
	if (writer->way != IN_PLACE)
		flags |= O_TRUNC;
	if (writer->way == RENAMED)
		path = temporary;
	for (i = 0;; i = !i) {
		const struct text *text = &writer->texts[i];

		fd = open(path, flags, 0644);
		if (fd < 0 || write(fd, text->bytes, text->length) !=
				      (ssize_t)text->length)
			_exit(1);
		close(fd);
		if (writer->way == RENAMED && rename(path, writer->path) < 0)
			_exit(2);
	}
}

/* Whether all of @record is of one of the two. */
static bool is_one_of(const struct writer *writer,
		      const struct pidtrack_record *record)
{
	struct pidtrack_record *one;
	bool found = false;
	int i;

	for (i = 0; i < 2 && !found; i++) {
		if (parse(writer->texts[i].bytes, writer->texts[i].length,
			  &one) < 0)
			return false;
		found = record->format == one->format &&
			record->torn == one->torn &&
			record->fingerprint.pid == one->fingerprint.pid &&
			record->fingerprint.start == one->fingerprint.start &&
			record->fingerprint.has == one->fingerprint.has &&
			!record->exe == !one->exe &&
			(!one->exe || !strcmp(record->exe, one->exe)) &&
			!record->label == !one->label &&
			(!one->label || !strcmp(record->label, one->label));
		pidtrack_record_free(one);
	}
	return found;
}

#define READS 20000

static void read_while(struct __test_metadata *_metadata,
		       const struct writer *writer)
{
	int64_t until = harness_now_ms() + 10000;
	int i, good = 0, bad = 0, again = 0;
	char temporary[128];
	pid_t pid;

	put(_metadata, writer->path, writer->texts[0].bytes,
	    writer->texts[0].length);
	pid = fork();
	if (!pid)
		write_for_ever(writer);
	/* a writer who has to wait for a processor may leave it empty long */
	for (i = 0; (i < READS || good == 0) && harness_now_ms() < until; i++) {
		struct pidtrack_record *record;
		int r = pidtrack_record_read(writer->path, &record);

		if (r == 0) {
			bool whole = is_one_of(writer, record);

			pidtrack_record_free(record);
			ASSERT_TRUE(whole);
			good++;
		} else if (r == -EBADMSG) {
			bad++;
		} else {
			ASSERT_EQ(-EAGAIN, r);
			again++;
		}
	}
	TH_LOG("%d reads: %d whole, %d of an empty file, %d given up", i, good,
	       bad, again);
	EXPECT_GT(good, 0);
	if (writer->way == RENAMED)
		EXPECT_EQ(0, bad + again);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	snprintf(temporary, sizeof(temporary), "%s~", writer->path);
	unlink(temporary);
}

static struct text plain(const char *bytes)
{
	struct text text = { .length = strlen(bytes) };

	memcpy(text.bytes, bytes, text.length);
	return text;
}

/* Nothing of one and of the other, whoever writes how. */
TEST_F(place, a_file_written_in_place_is_never_read_half)
{
	struct writer writer = { TRUNCATED, self->path };

	/* the second with the rest of the first would be a record, too */
	writer.texts[0] = plain("4711\n8271123\n");
	writer.texts[1] = plain("12\n34");
	read_while(_metadata, &writer);
}

TEST_F(place, nor_one_of_the_same_size)
{
	struct writer writer = { TRUNCATED, self->path };
	struct text *texts = writer.texts;
	int i;

	for (i = 0; i < 2; i++) {
		texts[i].length = 4000;
		memset(texts[i].bytes, 'a' + i, 4000);
		memcpy(texts[i].bytes, i ? "12\n/" : "34\n/", 4);
	}
	read_while(_metadata, &writer);
}

TEST_F(place, a_file_renamed_into_place_is_always_read)
{
	struct writer writer = { RENAMED, self->path };

	writer.texts[0] = format(_metadata, &whole[1], &fixed_look);
	writer.texts[1] = format(_metadata, &whole[2], &look_without_start);
	read_while(_metadata, &writer);
}

/* No size and perhaps no time tells; the checksum does. */
TEST_F(place, a_native_one_overwritten_is_read_whole_or_not_at_all)
{
	struct writer writer = { IN_PLACE, self->path };
	struct pt_record records[2] = { whole[1], whole[1] };

	records[1].label = "web 2";
	writer.texts[0] = format(_metadata, &records[0], &fixed_look);
	writer.texts[1] = format(_metadata, &records[1], &fixed_look);
	ASSERT_EQ(writer.texts[0].length, writer.texts[1].length);
	read_while(_metadata, &writer);
}

/* Between two looks of the reader, for certain: it is stopped at each. */
struct reading {
	const char *path;
	struct pidtrack_record *record;
	int result;
};

static void *read_it(void *arg)
{
	struct reading *reading = arg;

	reading->result = pidtrack_record_read(reading->path, &reading->record);
	return NULL;
}

/* Waits until it is, or until it has ended, and then joins it. */
static bool is_stopped(int listener, pthread_t thread)
{
	struct pollfd stopped = { .fd = listener, .events = POLLIN };

	while (poll(&stopped, 1, 10) == 0) {
		if (pthread_tryjoin_np(thread, NULL) == 0)
			return false;
	}
	return true;
}

static void write_another(struct __test_metadata *_metadata, const char *path,
			  const char *text, enum way way)
{
	char temporary[128];

	snprintf(temporary, sizeof(temporary), "%s~", path);
	if (way != RENAMED) {
		put(_metadata, path, text, strlen(text));
	} else {
		put(_metadata, temporary, text, strlen(text));
		ASSERT_EQ(0, rename(temporary, path));
	}
}

/*
 * Writes another text at the reader's second look of each of its first @changes
 * tries, when it has all bytes but does not know yet.  It is to have tried
 * once more than @tries, and to have read what was there then.
 */
static void change_under(struct __test_metadata *_metadata, const char *path,
			 enum way way, int changes, int tries)
{
	static const char *const texts[] = { "12\n34", "4711\n8271123\n" };
	struct reading reading = { .path = path };
	int i, n = 0, listener;
	pthread_t thread;
	uint64_t id;

	put(_metadata, path, texts[0], strlen(texts[0]));
	listener = seccomp_stop(SYS_statx);
	if (listener < 0)
		SKIP(_exit(0),
		     "no listener of seccomp: Linux < 5.5, or valgrind");
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_it, &reading));
	for (i = 0; is_stopped(listener, thread); i++) {
		ASSERT_GT(seccomp_stopped(listener, &id), 0);
		if (i & 1 && n < changes)
			write_another(_metadata, path, texts[++n & 1], way);
		ASSERT_EQ(0, seccomp_go(listener, id));
	}
	EXPECT_EQ(changes, n);
	EXPECT_EQ(2 * (tries + 1), i);
	ASSERT_EQ(0, reading.result);
	EXPECT_EQ(tries & 1 ? 4711 : 12, pidtrack_record_pid(reading.record));
	EXPECT_EQ(tries & 1 ? 8271123 : 34, reading.record->fingerprint.start);
	pidtrack_record_free(reading.record);
	close(listener);
}

static void change_apart(struct __test_metadata *_metadata, const char *path,
			 enum way way, int changes, int tries)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		change_under(_metadata, path, way, changes, tries);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(place, what_changed_under_the_reader_is_read_again)
{
	int changes;

	for (changes = 0; changes < 4; changes++)
		change_apart(_metadata, self->path, TRUNCATED, changes,
			     changes);
}

/* It was whole; where they are replaced often none would ever be read. */
TEST_F(place, what_was_replaced_under_the_reader_is_not)
{
	change_apart(_metadata, self->path, RENAMED, 1, 0);
}

TEST_HARNESS_MAIN
