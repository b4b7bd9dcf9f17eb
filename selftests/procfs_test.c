/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * /proc as the kernel writes it (fs/proc/array.c, fs/pidfs.c, time namespaces),
 * as it never would, and as it is of this process and a few others.
 */
#include <errno.h>
#include <limits.h>

#include "children.h"
#include "harness.h"
#include "procfs.h"

/* What follows the name, from field 3; field 22 is @start. */
#define STAT_REST(state, ppid, start)                                  \
	") " state " " ppid                                            \
	" 7 7 0 -1 4194560 113 0 0 0 1 2 0 0 20 0 1 0 " start          \
	" 2744320 384 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17" \
	" 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
#define STAT(pid, name, start) pid " (" name STAT_REST("S", "1", start)

#define ASSERT_STAT(text, pid_, state_, ppid_, start_)           \
	do {                                                     \
		struct pt_procfs_stat stat_;                     \
                                                                 \
		ASSERT_EQ(0, pt_procfs_parse_stat(text, &stat_)) \
		{                                                \
			TH_LOG("of '%s'", text);                 \
		}                                                \
		EXPECT_EQ(pid_, stat_.pid);                      \
		EXPECT_EQ(state_, stat_.state);                  \
		EXPECT_EQ(ppid_, stat_.ppid);                    \
		EXPECT_EQ(start_, stat_.start);                  \
	} while (0)

#define EXPECT_NO_STAT(text)                                            \
	do {                                                            \
		struct pt_procfs_stat none_;                            \
                                                                        \
		EXPECT_EQ(-EBADMSG, pt_procfs_parse_stat(text, &none_)) \
		{                                                       \
			TH_LOG("of '%s'", text);                        \
		}                                                       \
	} while (0)

/* ---- stat ---- */

TEST(a_stat_line_gives_pid_state_parent_and_start)
{
	ASSERT_STAT(STAT("4711", "vmm", "8271123"), 4711, 'S', 1, 8271123);
}

TEST(a_name_may_hold_anything_without_hiding_what_follows)
{
	static const char *const names[] = {
		"",	    ")",	"(",
		"()",	    ")(",	") ",
		"a) b",	    "((((((",	"))))))",
		"a b c",    "\n",	"a\nb",
		") Z 9 9",  ") R 2 (x", " ",
		"\t",	    "\\n",	"9 (x) S 3",
		"\xff\xfe", "\xc3\xa4", "sd-pam) S 2",
		"12345",    "\x01",	"x) Z 0 0 0 0 0",
	};
	char text[1024];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(text, sizeof(text), "7 (%s%s", names[i],
			 STAT_REST("R", "1", "4242"));
		ASSERT_STAT(text, 7, 'R', 1, 4242);
	}
}

TEST(a_long_name_of_a_kernel_thread_is_fine)
{
	ASSERT_STAT(STAT("81", "kworker/u256:3-events_freezable_power_efficien",
			 "12"),
		    81, 'S', 1, 12);
}

TEST(a_process_without_a_visible_parent_has_parent_0)
{
	ASSERT_STAT("2 (kthreadd" STAT_REST("S", "0", "1"), 2, 'S', 0, 1);
	ASSERT_STAT("1 (init" STAT_REST("S", "0", "0"), 1, 'S', 0, 0);
}

TEST(every_state_of_the_kernel_is_handed_on)
{
	static const char states[] = "RSDTtXZPIxKW";
	char text[] = "7 (x" STAT_REST("?", "1", "42");
	size_t i;

	for (i = 0; states[i]; i++) {
		*strchr(text, '?') = states[i];
		ASSERT_STAT(text, 7, states[i], 1, 42);
		*strchr(strchr(text, ')'), states[i]) = '?';
	}
}

TEST(a_stat_of_the_largest_numbers_is_fine)
{
	ASSERT_STAT("2147483647 (x" STAT_REST("S", "2147483647",
					      "18446744073709551615"),
		    INT_MAX, 'S', INT_MAX, UINT64_MAX);
}

TEST(numbers_too_large_are_refused)
{
	EXPECT_NO_STAT(STAT("2147483648", "x", "42"));
	EXPECT_NO_STAT(STAT("4294967303", "x", "42"));
	EXPECT_NO_STAT(STAT("18446744073709551616", "x", "42"));
	EXPECT_NO_STAT(STAT("7", "x", "18446744073709551616"));
	EXPECT_NO_STAT(STAT("7", "x", "99999999999999999999999"));
	EXPECT_NO_STAT("7 (x" STAT_REST("S", "2147483648", "42"));
	EXPECT_NO_STAT("7 (x" STAT_REST("S", "4294967297", "42"));
}

TEST(a_negative_pid_parent_or_start_is_impossible)
{
	EXPECT_NO_STAT(STAT("-7", "x", "42"));
	EXPECT_NO_STAT(STAT("7", "x", "-42"));
	EXPECT_NO_STAT("7 (x" STAT_REST("S", "-1", "42"));
	EXPECT_NO_STAT("7 (x" STAT_REST("S", "-0", "42"));
}

/* The kernel numbers processes from 1. */
TEST(pid_0_is_impossible)
{
	EXPECT_NO_STAT(STAT("0", "x", "42"));
}

TEST(words_where_numbers_belong_are_refused)
{
	EXPECT_NO_STAT(STAT("x", "x", "42"));
	EXPECT_NO_STAT(STAT("", "x", "42"));
	EXPECT_NO_STAT(STAT("7x", "x", "42"));
	EXPECT_NO_STAT(STAT("+7", "x", "42"));
	EXPECT_NO_STAT(STAT("7", "x", "4x2"));
	EXPECT_NO_STAT(STAT("7", "x", "0x42"));
	EXPECT_NO_STAT("7 (x" STAT_REST("S", "one", "42"));
}

TEST(what_is_no_stat_line_is_refused)
{
	EXPECT_NO_STAT("");
	EXPECT_NO_STAT(" ");
	EXPECT_NO_STAT("\n");
	EXPECT_NO_STAT("7");
	EXPECT_NO_STAT("7 ");
	EXPECT_NO_STAT("7 (");
	EXPECT_NO_STAT("7 (x");
	EXPECT_NO_STAT("7 (x)");
	EXPECT_NO_STAT("7 (x) ");
	EXPECT_NO_STAT("(x");
	EXPECT_NO_STAT(")");
	EXPECT_NO_STAT(")(");
	EXPECT_NO_STAT("7 x S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 42 0\n");
	EXPECT_NO_STAT("7 )x( S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 42 0\n");
	EXPECT_NO_STAT("7 (x)S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 42 0\n");
}

/* Cut off anywhere before the start time is complete. */
TEST(a_truncated_stat_is_refused)
{
	static const char whole[] = STAT("7", "a b", "4242");
	size_t end = (size_t)(strstr(whole, " 4242 ") + 5 - whole);
	char text[sizeof(whole)];
	size_t n;

	for (n = 0; n < sizeof(whole); n++) {
		memcpy(text, whole, n);
		text[n] = 0;
		if (n > end)
			ASSERT_STAT(text, 7, 'S', 1, 4242);
		if (n < end)
			EXPECT_NO_STAT(text);
	}
}

TEST(a_missing_field_does_not_make_another_the_start_time)
{
	EXPECT_NO_STAT("7 (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1\n");
	EXPECT_NO_STAT("7 (x) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 \n");
	EXPECT_NO_STAT("7 (x)  1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 42 0\n");
	EXPECT_NO_STAT("7 (x) S  7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 42 0\n");
}

TEST(a_refused_stat_writes_nothing)
{
	struct pt_procfs_stat stat = { .pid = 1, .state = 'q', .start = 2 };

	EXPECT_EQ(-EBADMSG, pt_procfs_parse_stat(STAT("7", "x", "-1"), &stat));
	EXPECT_EQ(1, stat.pid);
	EXPECT_EQ('q', stat.state);
	EXPECT_EQ(2, stat.start);
}

/* ---- fdinfo ---- */

#define FDINFO(pid) \
	"pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1061\nPid:\t" pid "\n"

static int fdinfo_pid(const char *text)
{
	pid_t pid = -42;
	int r = pt_procfs_parse_fdinfo(text, &pid);

	return r < 0 && pid == -42 ? r : pid;
}

TEST(fdinfo_tells_the_pid_in_our_namespace)
{
	EXPECT_EQ(4711, fdinfo_pid(FDINFO("4711")));
	EXPECT_EQ(4711, fdinfo_pid(FDINFO("4711") "NSpid:\t4711\t9\n"));
	EXPECT_EQ(1, fdinfo_pid(FDINFO("1")));
	EXPECT_EQ(INT_MAX, fdinfo_pid(FDINFO("2147483647")));
	EXPECT_EQ(4711, fdinfo_pid("Pid:\t4711\n"));
}

TEST(fdinfo_tells_a_reaped_and_an_invisible_process)
{
	pid_t pid = 42;

	ASSERT_EQ(0, pt_procfs_parse_fdinfo(FDINFO("-1"), &pid));
	EXPECT_EQ(-1, pid);
	pid = 42;
	ASSERT_EQ(0, pt_procfs_parse_fdinfo(FDINFO("-1") "NSpid:\t-1\n", &pid));
	EXPECT_EQ(-1, pid);
	pid = 42;
	ASSERT_EQ(0, pt_procfs_parse_fdinfo(FDINFO("0") "NSpid:\t0\n", &pid));
	EXPECT_EQ(0, pid);
}

TEST(fdinfo_of_something_else_is_refused)
{
	EXPECT_EQ(-EBADMSG, fdinfo_pid(""));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("\n"));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0\nflags:\t02\nmnt_id:\t15\n"));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0\nNSpid:\t4711\n"));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0\nPPid:\t4711\n"));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0\nxPid:\t4711\n"));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0 Pid:\t4711\n"));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0\nPid\t4711\n"));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0\npid:\t4711\n"));
}

TEST(fdinfo_with_an_impossible_pid_is_refused)
{
	EXPECT_EQ(-EBADMSG, fdinfo_pid(FDINFO("")));
	EXPECT_EQ(-EBADMSG, fdinfo_pid(FDINFO("-")));
	EXPECT_EQ(-EBADMSG, fdinfo_pid(FDINFO("-2")));
	EXPECT_EQ(-EBADMSG, fdinfo_pid(FDINFO("-10")));
	EXPECT_EQ(-EBADMSG, fdinfo_pid(FDINFO("+1")));
	EXPECT_EQ(-EBADMSG, fdinfo_pid(FDINFO("1x")));
	EXPECT_EQ(-EBADMSG, fdinfo_pid(FDINFO("0x1")));
	EXPECT_EQ(-EBADMSG, fdinfo_pid(FDINFO("2147483648")));
	EXPECT_EQ(-EBADMSG, fdinfo_pid(FDINFO("4294967297")));
	EXPECT_EQ(-EBADMSG, fdinfo_pid(FDINFO("18446744073709551617")));
}

TEST(fdinfo_cut_off_within_the_pid_is_refused)
{
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0\nPid:\t47"));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0\nPid:\t"));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0\nPid:"));
	EXPECT_EQ(-EBADMSG, fdinfo_pid("pos:\t0\nPi"));
}

/* ---- timens_offsets ---- */

#define EXPECT_BOOTTIME(expected, text)                            \
	do {                                                       \
		int64_t ns_ = 42;                                  \
                                                                   \
		EXPECT_EQ(0, pt_procfs_parse_boottime(text, &ns_)) \
		{                                                  \
			TH_LOG("of '%s'", text);                   \
		}                                                  \
		EXPECT_EQ((int64_t)(expected), ns_);               \
	} while (0)

#define EXPECT_NO_BOOTTIME(text)                                            \
	do {                                                                \
		int64_t none_ = 42;                                         \
                                                                            \
		EXPECT_EQ(-EBADMSG, pt_procfs_parse_boottime(text, &none_)) \
		{                                                           \
			TH_LOG("of '%s'", text);                            \
		}                                                           \
		EXPECT_EQ(42, none_);                                       \
	} while (0)

TEST(the_boottime_offset_is_seconds_and_nanoseconds)
{
	EXPECT_BOOTTIME(0, "monotonic           0         0\n"
			   "boottime            0         0\n");
	EXPECT_BOOTTIME(1000000000000000, "monotonic           0         0\n"
					  "boottime      1000000         0\n");
	EXPECT_BOOTTIME(5000000007, "monotonic           1         2\n"
				    "boottime            5         7\n");
	EXPECT_BOOTTIME(999999999, "monotonic           0         0\n"
				   "boottime            0 999999999\n");
}

/* The kernel's timespec64: nanoseconds are never negative. */
TEST(a_negative_boottime_offset_has_positive_nanoseconds)
{
	EXPECT_BOOTTIME(-77000000000, "monotonic           0         0\n"
				      "boottime          -77         0\n");
	EXPECT_BOOTTIME(-1500000000, "monotonic           0         0\n"
				     "boottime           -2 500000000\n");
	EXPECT_BOOTTIME(-1, "monotonic           0         0\n"
			    "boottime           -1 999999999\n");
}

TEST(offsets_without_boottime_are_refused)
{
	EXPECT_NO_BOOTTIME("");
	EXPECT_NO_BOOTTIME("\n");
	EXPECT_NO_BOOTTIME("monotonic           0         0\n");
	EXPECT_NO_BOOTTIME("xboottime           0         0\n");
	EXPECT_NO_BOOTTIME("boottimes           0         0\n");
	EXPECT_NO_BOOTTIME("monotonic  0  0 boottime  0  0\n");
}

TEST(offsets_that_are_no_numbers_are_refused)
{
	EXPECT_NO_BOOTTIME("boottime\n");
	EXPECT_NO_BOOTTIME("boottime            \n");
	EXPECT_NO_BOOTTIME("boottime            5\n");
	EXPECT_NO_BOOTTIME("boottime            5         \n");
	EXPECT_NO_BOOTTIME("boottime            5\nmonotonic 6 7\n");
	EXPECT_NO_BOOTTIME("boottime            x         0\n");
	EXPECT_NO_BOOTTIME("boottime            5         x\n");
	EXPECT_NO_BOOTTIME("boottime            -         0\n");
	EXPECT_NO_BOOTTIME("boottime           --5        0\n");
	EXPECT_NO_BOOTTIME("boottime            5        -1\n");
	EXPECT_NO_BOOTTIME("boottime            5 1000000000\n");
}

/* 64 bits of nanoseconds are 292 years, and the kernel allows half of it. */
TEST(an_offset_beyond_64_bits_of_nanoseconds_is_refused)
{
	EXPECT_BOOTTIME(4611686018999999999, "boottime 4611686018 999999999\n");
	EXPECT_BOOTTIME(-4611686018000000000, "boottime -4611686018 0\n");
	EXPECT_NO_BOOTTIME("boottime 9223372037 0\n");
	EXPECT_NO_BOOTTIME("boottime -9223372038 0\n");
	EXPECT_NO_BOOTTIME("boottime 9223372036854775807 0\n");
	EXPECT_NO_BOOTTIME("boottime -9223372036854775808 0\n");
	EXPECT_NO_BOOTTIME("boottime 18446744073709551615 0\n");
	EXPECT_NO_BOOTTIME("boottime 18446744073709551616 0\n");
	EXPECT_NO_BOOTTIME("boottime -99999999999999999999999 0\n");
}

/* ---- uuid ---- */

static int parse_uuid(const char *text, uint8_t ret_uuid[16])
{
	return pt_procfs_parse_uuid(text, strlen(text), ret_uuid);
}

TEST(a_uuid_is_read_from_its_canonical_form)
{
	static const uint8_t expected[16] = { 0x01, 0x23, 0x45, 0x67,
					      0x89, 0xab, 0xcd, 0xef,
					      0xfe, 0xdc, 0xba, 0x98,
					      0x76, 0x54, 0x32, 0x10 };
	uint8_t uuid[16];

	ASSERT_EQ(0, parse_uuid("01234567-89ab-cdef-fedc-ba9876543210", uuid));
	EXPECT_EQ(0, memcmp(expected, uuid, sizeof(uuid)));
}

TEST(a_uuid_of_zeros_and_one_of_ones_are_read)
{
	uint8_t uuid[16], all[16];

	memset(all, 0, sizeof(all));
	ASSERT_EQ(0, parse_uuid("00000000-0000-0000-0000-000000000000", uuid));
	EXPECT_EQ(0, memcmp(all, uuid, sizeof(uuid)));
	memset(all, 0xff, sizeof(all));
	ASSERT_EQ(0, parse_uuid("ffffffff-ffff-ffff-ffff-ffffffffffff", uuid));
	EXPECT_EQ(0, memcmp(all, uuid, sizeof(uuid)));
}

TEST(what_is_no_uuid_is_refused)
{
	static const char *const wrong[] = {
		"",
		"0",
		"-",
		"01234567-89ab-cdef-fedc-ba987654321",
		"01234567-89ab-cdef-fedc-ba98765432100",
		"01234567-89ab-cdef-fedc-ba9876543210\n",
		"01234567-89ab-cdef-fedc-ba9876543210 ",
		" 01234567-89ab-cdef-fedc-ba987654321",
		"0123456789abcdeffedcba9876543210",
		"0123456789abcdeffedcba98765432100000",
		"01234567089ab-cdef-fedc-ba9876543210",
		"01234567-89ab0cdef-fedc-ba9876543210",
		"01234567-89ab-cdef0fedc-ba9876543210",
		"01234567-89ab-cdef-fedc0ba9876543210",
		"0123456-789ab-cdef-fedc-ba9876543210",
		"{1234567-89ab-cdef-fedc-ba987654321}",
		"01234567-89ab-cdef-fedc-ba987654321g",
		"g1234567-89ab-cdef-fedc-ba9876543210",
		"01234567-89ab-cdef-fedc-ba98765432-0",
		"-1234567-89ab-cdef-fedc-ba9876543210",
		"+1234567-89ab-cdef-fedc-ba9876543210",
		"0x234567-89ab-cdef-fedc-ba9876543210",
		"01234567 89ab cdef fedc ba9876543210",
		"01234567-89ab-cdef-fedc-ba98765432\xff\xff",
		"------------------------------------",
		"////////-////-////-////-////////////",
		"::::::::-::::-::::-::::-::::::::::::",
	};
	uint8_t uuid[16], before[16];
	size_t i;

	memset(before, 0x5a, sizeof(before));
	memcpy(uuid, before, sizeof(uuid));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EBADMSG, parse_uuid(wrong[i], uuid))
		{
			TH_LOG("of '%s'", wrong[i]);
		}
	}
	EXPECT_EQ(0, memcmp(before, uuid, sizeof(uuid)));
}

TEST(a_uuid_ends_where_its_length_says)
{
	static const char text[] = "01234567-89ab-cdef-fedc-ba9876543210";
	uint8_t uuid[16];
	size_t n;

	for (n = 0; n < 36; n++)
		EXPECT_EQ(-EBADMSG, pt_procfs_parse_uuid(text, n, uuid));
	EXPECT_EQ(0, pt_procfs_parse_uuid(text, 36, uuid));
	EXPECT_EQ(-EBADMSG, pt_procfs_parse_uuid(text, 37, uuid));
}

TEST(of_all_bytes_only_hexadecimal_digits_make_a_uuid)
{
	char text[] = "01234567-89ab-cdef-fedc-ba9876543210";
	uint8_t uuid[16];
	unsigned int byte;

	for (byte = 0; byte < 256; byte++) {
		bool canonical = byte && strchr("0123456789abcdef", (int)byte);
		bool capital = byte >= 'A' && byte <= 'F';

		text[3] = (char)byte;
		if (!capital)
			EXPECT_EQ(canonical ? 0 : -EBADMSG,
				  pt_procfs_parse_uuid(text, 36, uuid));
	}
}

/* ---- reading ---- */

/* An anonymous file of @n bytes, and a path to it. */
static int file_of(struct __test_metadata *_metadata, const void *bytes,
		   size_t n, char *ret_path, size_t size)
{
	int fd = memfd_create("procfs_test", MFD_CLOEXEC);

	ASSERT_GE(fd, 0);
	ASSERT_EQ((ssize_t)n, write(fd, bytes, n));
	snprintf(ret_path, size, "/proc/self/fd/%d", fd);
	return fd;
}

TEST(a_small_file_is_read_whole_with_a_final_nul)
{
	char path[64], text[16];
	int fd = file_of(_metadata, "a\nb\0c", 5, path, sizeof(path));

	memset(text, '?', sizeof(text));
	EXPECT_EQ(5, pt_procfs_read(path, text, sizeof(text)));
	EXPECT_EQ(0, memcmp("a\nb\0c", text, 6));
	close(fd);
}

TEST(an_empty_file_is_read_as_nothing)
{
	char path[64], text[16] = "??";
	int fd = file_of(_metadata, "", 0, path, sizeof(path));

	EXPECT_EQ(0, pt_procfs_read(path, text, sizeof(text)));
	EXPECT_STREQ("", text);
	close(fd);
}

TEST(a_file_that_does_not_fit_is_too_big)
{
	char path[64];
	int fd = file_of(_metadata, "12345678", 8, path, sizeof(path));
	size_t size;

	for (size = 1; size < 12; size++) {
		char *text = malloc(size);

		ASSERT_NE(NULL, text);
		EXPECT_EQ(size > 8 ? 8 : -EFBIG,
			  pt_procfs_read(path, text, size))
		{
			TH_LOG("with room for %zu", size);
		}
		free(text);
	}
	close(fd);
}

/* A kernel file that comes in several reads: maps of this very process. */
TEST(a_file_that_comes_in_pieces_is_read_whole)
{
	static char text[1 << 20];
	int n = pt_procfs_read("/proc/self/maps", text, sizeof(text));
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t lines = 0, expected = 0;
	char c;
	int i;

	/* stdio would map more */
	ASSERT_GE(fd, 0);
	while (read(fd, &c, 1) == 1)
		expected += c == '\n';
	close(fd);
	ASSERT_GT(n, 0);
	for (i = 0; i < n; i++)
		lines += text[i] == '\n';
	EXPECT_GE(lines + 2, expected);
	EXPECT_LE(lines, expected + 2);
}

TEST(a_missing_file_is_the_error_of_the_kernel)
{
	char text[16];

	EXPECT_EQ(-ENOENT,
		  pt_procfs_read("/proc/self/nil", text, sizeof(text)));
	EXPECT_EQ(-ENOENT, pt_procfs_read("", text, sizeof(text)));
	EXPECT_EQ(-ENOTDIR,
		  pt_procfs_read("/proc/self/stat/x", text, sizeof(text)));
	EXPECT_EQ(-EISDIR, pt_procfs_read("/proc/self", text, sizeof(text)));
}

/* ---- this process, and others ---- */

TEST(our_own_stat_has_our_pid_and_parent)
{
	struct pt_procfs_stat self, by_pid;

	ASSERT_EQ(0, pt_procfs_stat(0, &self));
	EXPECT_EQ(getpid(), self.pid);
	EXPECT_EQ(getppid(), self.ppid);
	EXPECT_EQ('R', self.state);
	EXPECT_GT(self.start, 0);

	ASSERT_EQ(0, pt_procfs_stat(getpid(), &by_pid));
	EXPECT_EQ(getpid(), by_pid.pid);
	EXPECT_EQ(self.start, by_pid.start);
}

TEST(the_start_time_is_in_ticks_since_boot)
{
	struct pt_procfs_stat self;
	struct timespec now;
	uint64_t ticks;

	ASSERT_EQ(0, pt_procfs_stat(0, &self));
	ASSERT_EQ(0, clock_gettime(CLOCK_BOOTTIME, &now));
	ticks = (uint64_t)now.tv_sec * (uint64_t)sysconf(_SC_CLK_TCK);
	EXPECT_LE(self.start, ticks + (uint64_t)sysconf(_SC_CLK_TCK));
	EXPECT_GE(self.start + 60 * (uint64_t)sysconf(_SC_CLK_TCK), ticks);
}

TEST(our_own_name_cannot_mislead_us)
{
	struct pt_procfs_stat before, after;

	ASSERT_EQ(0, pt_procfs_stat(0, &before));
	ASSERT_EQ(0, prctl(PR_SET_NAME, ") Z 1 1 \n(x)"));
	ASSERT_EQ(0, pt_procfs_stat(0, &after));
	EXPECT_EQ(getppid(), after.ppid);
	EXPECT_EQ('R', after.state);
	EXPECT_EQ(before.start, after.start);
}

TEST(a_child_is_a_zombie_until_it_is_reaped_and_then_nothing)
{
	struct pt_procfs_stat alive, zombie, none;
	struct child child;
	int r;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pt_procfs_stat(child.pid, &alive));
	EXPECT_EQ(child.pid, alive.pid);
	EXPECT_EQ(getpid(), alive.ppid);
	EXPECT_NE('Z', alive.state);

	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_await_exit(&child));
	ASSERT_EQ(0, pt_procfs_stat(child.pid, &zombie));
	EXPECT_EQ('Z', zombie.state);
	EXPECT_EQ(alive.start, zombie.start);

	ASSERT_EQ(0, child_reap(&child));
	r = pt_procfs_stat(child.pid, &none);
	EXPECT_TRUE(r == -ENOENT || r == -ESRCH);
	child_close(&child);
}

TEST(the_fdinfo_of_a_pidfd_tells_its_pid_until_it_is_reaped)
{
	struct child child;
	pid_t pid = 0;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pt_procfs_fdinfo_pid(child.pidfd, &pid));
	EXPECT_EQ(child.pid, pid);
	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_await_exit(&child));
	ASSERT_EQ(0, pt_procfs_fdinfo_pid(child.pidfd, &pid));
	EXPECT_EQ(child.pid, pid);
	ASSERT_EQ(0, child_reap(&child));
	ASSERT_EQ(0, pt_procfs_fdinfo_pid(child.pidfd, &pid));
	EXPECT_EQ(-1, pid);
	child_close(&child);
}

TEST(the_fdinfo_of_another_file_has_no_pid)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid = 42;

	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EBADMSG, pt_procfs_fdinfo_pid(fd, &pid));
	close(fd);
	EXPECT_EQ(-ENOENT, pt_procfs_fdinfo_pid(fd, &pid));
	EXPECT_EQ(42, pid);
}

TEST(the_boot_id_is_the_one_of_this_boot)
{
	uint8_t uuid[16];
	char text[64], expected[64], *at = text;
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	int i;

	if (!file)
		SKIP(return, "no /proc/sys/kernel/random/boot_id");
	ASSERT_NE(NULL, fgets(expected, sizeof(expected), file));
	fclose(file);
	ASSERT_EQ(0, pt_procfs_boot_id(uuid));
	for (i = 0; i < 16; i++)
		at += sprintf(at,
			      i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" :
								      "%02x",
			      uuid[i]);
	strcpy(at, "\n");
	EXPECT_STREQ(expected, text);
}

TEST(the_boottime_offset_is_what_the_kernel_says)
{
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	long long s = 0, ns = 0;
	int64_t offset = 42;

	if (file) {
		ASSERT_EQ(2,
			  fscanf(file, "monotonic %*d %*d boottime %lld %lld",
				 &s, &ns));
		fclose(file);
	}
	ASSERT_EQ(0, pt_procfs_boottime(&offset));
	EXPECT_EQ(s * 1000000000 + ns, offset);
}

TEST(the_program_of_a_process_is_the_target_of_its_link)
{
	char expected[PATH_MAX], path[PATH_MAX + 1];
	struct child child;
	int n, length;

	ASSERT_EQ(0, child_start(&child));
	n = (int)readlink("/proc/self/exe", expected, sizeof(expected));
	ASSERT_GT(n, 0);
	memset(path, '?', sizeof(path));
	length = pt_procfs_exe(child.pid, path, sizeof(path));
	ASSERT_EQ(n, length);
	EXPECT_EQ(0, memcmp(expected, path, (size_t)n));
	child_end(&child);
	EXPECT_LT(pt_procfs_exe(child.pid, path, sizeof(path)), 0);
}

TEST_HARNESS_MAIN
