/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Records: their text to the byte, and how they come to be files. */
#include <ftw.h>
#include <sys/stat.h>

#include "harness.h"
#include "lines.h"
#include "procfs.h"
#include "record.h"
#include "seccomp.h"
#include "sys.h"

/* ---- the checksum ---- */

TEST(the_checksum_is_that_of_zip_and_ethernet)
{
	char bytes[32];

	EXPECT_EQ(0x00000000, pt_lines_crc32("", 0));
	EXPECT_EQ(0xe8b7be43, pt_lines_crc32("a", 1));
	EXPECT_EQ(0x352441c2, pt_lines_crc32("abc", 3));
	EXPECT_EQ(0xcbf43926, pt_lines_crc32("123456789", 9));
	EXPECT_EQ(0x414fa339,
		  pt_lines_crc32("The quick brown fox jumps over the lazy dog",
				 43));
	memset(bytes, 0, sizeof(bytes));
	EXPECT_EQ(0x190a55ad, pt_lines_crc32(bytes, sizeof(bytes)));
	memset(bytes, 0xff, sizeof(bytes));
	EXPECT_EQ(0xff6cab0b, pt_lines_crc32(bytes, sizeof(bytes)));
}

/* Bit by bit, as the standard has it. */
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

TEST(every_byte_counts_in_the_checksum)
{
	char bytes[256];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	for (i = 0; i <= sizeof(bytes); i++)
		EXPECT_EQ(crc32_by_definition(bytes, i),
			  pt_lines_crc32(bytes, i));
}

/* ---- the text ---- */

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

struct text {
	char bytes[PT_RECORD_MAX + 1];
	size_t length;
	int result;
};

static struct text format(const struct pt_record *record, pid_t pid,
			  const struct pt_look *look)
{
	struct text text = { .length = 0 };
	struct pt_text out = PT_TEXT(text.bytes, sizeof(text.bytes));

	text.result = pt_record_format(record, pid, look, &out);
	text.length = out.length;
	return text;
}

/* The last line is "crc32=" and the CRC-32 of all before it. */
static bool checksum_is_right(const char *bytes, size_t length)
{
	static const char key[] = "crc32=";
	size_t line = strlen(key) + 8 + 1;
	char expected[32];

	if (length < line || memchr(bytes, 0, length))
		return false;
	snprintf(expected, sizeof(expected), "%s%08x\n", key,
		 crc32_by_definition(bytes, length - line));
	return !memcmp(bytes + length - line, expected, line) &&
	       bytes[length - line - 1] == '\n';
}

TEST(the_text_of_a_record_is_what_it_always_was)
{
	struct pt_record record = { .place = &fixed_place,
				    .exe = "/usr/bin/my vmm",
				    .label = "web 1",
				    .payload = "\0{\"a\": 1}\xff",
				    .payload_size = 10 };
	struct text text = format(&record, 4711, &fixed_look);

	ASSERT_EQ(0, text.result);
	EXPECT_STREQ("4711\n"
		     "8271123\n"
		     "fingerprint=pidtrack1:pid=4711,inode=1061,start=8271123,"
		     "boottime=0,pidns=4026531836,"
		     "boot=01234567-89ab-cdef-fedc-ba9876543210,"
		     "exe=/usr/bin/my%20vmm\n"
		     "label=web%201\n"
		     "payload=%00%7b%22a%22:%201%7d%ff\n"
		     "crc32=784e7c1e\n",
		     text.bytes);
	EXPECT_EQ(strlen(text.bytes), text.length);
}

TEST(the_least_a_record_has_are_pid_fingerprint_and_checksum)
{
	static const struct pt_place nowhere = { .has = 0 };
	static const struct pt_look nothing = { .has = 0 };
	struct pt_record record = { .place = &nowhere };
	struct text text = format(&record, 7, &nothing);

	ASSERT_EQ(0, text.result);
	EXPECT_STREQ("7\n"
		     "\n"
		     "fingerprint=pidtrack1:pid=7\n"
		     "crc32=3e39d689\n",
		     text.bytes);
}

TEST(the_last_line_is_the_checksum_of_all_others)
{
	char label[256], payload[PT_RECORD_PAYLOAD_MAX];
	size_t n;

	for (n = 0; n < sizeof(payload); n++)
		payload[n] = (char)(n * 31);
	for (n = 1; n < sizeof(label); n += 11) {
		struct pt_record record = { .place = &fixed_place,
					    .label = label,
					    .payload = payload,
					    .payload_size = 4 * (n - 1) };
		struct text text;

		memset(label, 'x', n);
		label[n] = 0;
		text = format(&record, 4711, &fixed_look);
		ASSERT_EQ(0, text.result);
		EXPECT_TRUE(checksum_is_right(text.bytes, text.length));
		text.bytes[n] ^= 1;
		EXPECT_FALSE(checksum_is_right(text.bytes, text.length));
	}
}

/* Whatever the host calls it, and gives along. */
TEST(a_record_is_ascii_and_its_values_hold_no_line_end)
{
	char label[256], payload[256];
	struct pt_record record = { .place = &fixed_place,
				    .exe = "/bin/\n\xff",
				    .label = label,
				    .payload = payload,
				    .payload_size = sizeof(payload) };
	struct text text;
	size_t i, lines = 0;

	for (i = 0; i < 256; i++) {
		label[i] = (char)(i + 1);
		payload[i] = (char)i;
	}
	text = format(&record, 4711, &fixed_look);
	ASSERT_EQ(0, text.result);
	for (i = 0; i < text.length; i++) {
		lines += text.bytes[i] == '\n';
		EXPECT_TRUE(text.bytes[i] == '\n' ||
			    (text.bytes[i] > ' ' && text.bytes[i] < 0x7f));
	}
	EXPECT_EQ(6, lines);
}

/* What pidtrack.h promises to take. */
static struct text format_most(const struct pt_place *place,
			       const struct pt_look *look, pid_t pid,
			       const char *exe)
{
	char label[256], payload[PT_RECORD_PAYLOAD_MAX];
	struct pt_record record = { .place = place,
				    .exe = exe,
				    .label = label,
				    .payload = payload,
				    .payload_size = sizeof(payload) };

	memset(label, 0xe4, sizeof(label));
	label[255] = 0;
	memset(payload, 0xff, sizeof(payload));
	return format(&record, pid, look);
}

TEST(the_longest_label_and_payload_fit_today)
{
	struct text text = format_most(&fixed_place, &fixed_look, 4711,
				       "/usr/libexec/vmm");

	EXPECT_EQ(0, text.result);
	EXPECT_LE(text.length, PT_RECORD_MAX);
	EXPECT_TRUE(checksum_is_right(text.bytes, text.length));
}

TEST(the_longest_label_and_payload_fit_with_the_largest_numbers)
{
	struct pt_place place = fixed_place;
	struct pt_look look = fixed_look;
	struct text text;
	char exe[4096];
	size_t n;

	look.inode = look.start = place.pidns = UINT64_MAX;
	place.boottime = -INT64_MAX;
	for (n = 1; n < sizeof(exe); n = n < 300 ? n + 1 : 2 * n) {
		memset(exe, ' ', n);
		exe[n] = 0;
		text = format_most(&place, &look, INT32_MAX, exe);
		ASSERT_EQ(0, text.result);
		ASSERT_LE(text.length, PT_RECORD_MAX);
		ASSERT_TRUE(checksum_is_right(text.bytes, text.length));
	}
}

TEST(a_text_without_room_is_too_long)
{
	struct pt_record record = { .place = &fixed_place, .label = "web" };
	struct text whole = format(&record, 4711, &fixed_look);
	char bytes[PT_RECORD_MAX];
	size_t size;

	for (size = 1; size <= whole.length + 1; size++) {
		struct pt_text text = PT_TEXT(bytes, size);

		EXPECT_EQ(size > whole.length ? 0 : -ENAMETOOLONG,
			  pt_record_format(&record, 4711, &fixed_look, &text));
	}
}

/* ---- where it will be ---- */

FIXTURE(file)
{
	char dir[64];
	char path[128];
	struct pt_place place;
	struct pt_record_told told;
	struct pt_record record;
	mode_t umask;
};

FIXTURE_SETUP(file)
{
	strcpy(self->dir, "/tmp/pidtrack-record-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	/* others are let in, for the one test that is another */
	ASSERT_EQ(0, chmod(self->dir, 0777));
	snprintf(self->path, sizeof(self->path), "%s/web.pid", self->dir);
	pt_place_look(&self->place);
	self->record.dir = -1;
	self->record.place = &self->place;
	self->record.label = "web";
	self->record.told = &self->told;
	self->umask = umask(0);
}

static int forget(const char *path, const struct stat *stat, int type,
		  struct FTW *ftw)
{
	return remove(path);
}

FIXTURE_TEARDOWN(file)
{
	umask(self->umask);
	self->record.dir = fd_close(self->record.dir);
	nftw(self->dir, forget, 8, FTW_DEPTH | FTW_PHYS);
}

static int prepare(FIXTURE_DATA(file) * self, const char *path)
{
	self->record.dir = fd_close(self->record.dir);
	return pt_record_prepare(&self->record, path);
}

TEST_F(file, a_path_is_taken_apart_at_its_last_slash)
{
	struct stat expected, stat;
	char path[300];

	ASSERT_EQ(0, prepare(self, self->path));
	EXPECT_STREQ("web.pid", self->record.name);
	EXPECT_EQ(PT_RECORD_NONE, self->told.state);
	ASSERT_EQ(0, fstat(self->record.dir, &stat));
	ASSERT_EQ(0, lstat(self->dir, &expected));
	EXPECT_EQ(expected.st_ino, stat.st_ino);
	EXPECT_TRUE(fcntl(self->record.dir, F_GETFD) & FD_CLOEXEC);

	snprintf(path, sizeof(path), "%s//web.pid", self->dir);
	ASSERT_EQ(0, prepare(self, path));
	EXPECT_STREQ("web.pid", self->record.name);
	ASSERT_EQ(0, fstat(self->record.dir, &stat));
	EXPECT_EQ(expected.st_ino, stat.st_ino);
}

TEST_F(file, a_path_without_a_slash_is_in_the_working_directory)
{
	struct stat expected, stat;

	ASSERT_EQ(0, chdir(self->dir));
	ASSERT_EQ(0, prepare(self, "x"));
	EXPECT_STREQ("x", self->record.name);
	ASSERT_EQ(0, fstat(self->record.dir, &stat));
	ASSERT_EQ(0, lstat(self->dir, &expected));
	EXPECT_EQ(expected.st_ino, stat.st_ino);

	ASSERT_EQ(0, prepare(self, "./x"));
	EXPECT_STREQ("x", self->record.name);
	ASSERT_EQ(0, fstat(self->record.dir, &stat));
	EXPECT_EQ(expected.st_ino, stat.st_ino);
	ASSERT_EQ(0, chdir("/"));
}

TEST_F(file, a_path_in_the_root_is_in_the_root)
{
	struct stat expected, stat;

	ASSERT_EQ(0, prepare(self, "/pidtrack-record-test"));
	EXPECT_STREQ("pidtrack-record-test", self->record.name);
	ASSERT_EQ(0, fstat(self->record.dir, &stat));
	ASSERT_EQ(0, lstat("/", &expected));
	EXPECT_EQ(expected.st_ino, stat.st_ino);
	EXPECT_EQ(expected.st_dev, stat.st_dev);
}

TEST_F(file, a_path_without_a_name_is_refused)
{
	static const char *const wrong[] = {
		"",	"/",	  "//",	     ".",	 "..",	   "./",
		"../",	"/.",	  "/..",     "/tmp/",	 "/tmp/.", "/tmp/..",
		"tmp/", "/tmp//", "/tmp/./", "/tmp/../",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		int r = prepare(self, wrong[i]);

		/* it may say the same of a directory that is not there */
		EXPECT_TRUE(r == -EINVAL || r == -ENOENT)
		{
			TH_LOG("of '%s': %d", wrong[i], r);
		}
	}
	EXPECT_EQ(-EINVAL, prepare(self, ""));
	EXPECT_EQ(-EINVAL, prepare(self, "/"));
	EXPECT_EQ(-EINVAL, prepare(self, "/tmp/"));
	EXPECT_EQ(-EINVAL, prepare(self, "."));
	EXPECT_EQ(-EINVAL, prepare(self, "/tmp/.."));
}

/* A name of @n bytes in our directory. */
static int prepare_long(FIXTURE_DATA(file) * self, size_t n)
{
	char path[8192];
	size_t at = (size_t)snprintf(path, sizeof(path), "%s/", self->dir);

	memset(path + at, 'x', n);
	path[at + n] = 0;
	return prepare(self, path);
}

TEST_F(file, a_name_has_at_most_255_bytes)
{
	EXPECT_EQ(0, prepare_long(self, 1));
	EXPECT_EQ(0, prepare_long(self, 254));
	EXPECT_EQ(0, prepare_long(self, 255));
	EXPECT_EQ(255, strlen(self->record.name));
	EXPECT_EQ(-ENAMETOOLONG, prepare_long(self, 256));
	EXPECT_EQ(-ENAMETOOLONG, prepare_long(self, 257));
	EXPECT_EQ(-ENAMETOOLONG, prepare_long(self, 4000));
	EXPECT_EQ(-ENAMETOOLONG, prepare_long(self, 8000));
}

TEST_F(file, a_directory_with_a_path_beyond_what_the_kernel_takes_is_refused)
{
	char path[8192];

	memset(path, '/', sizeof(path));
	strcpy(path + 5000, "x");
	EXPECT_EQ(-ENAMETOOLONG, prepare(self, path));
	memcpy(path, "/tmp", 4);
	EXPECT_EQ(-ENAMETOOLONG, prepare(self, path));
}

TEST_F(file, a_directory_that_is_not_one_is_the_error_of_the_kernel)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/nil/web.pid", self->dir);
	EXPECT_EQ(-ENOENT, prepare(self, path));
	EXPECT_EQ(-ENOTDIR, prepare(self, "/dev/null/web.pid"));
}

/* ---- as a file ---- */

/* The whole of a file; its length, or -errno. */
static int slurp(const char *path, char *ret_bytes, size_t size)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int n = fd < 0 ? -errno : (int)read(fd, ret_bytes, size - 1);

	fd_close(fd);
	ret_bytes[n < 0 ? 0 : n] = 0;
	return n;
}

static void write_file(struct __test_metadata *_metadata, const char *path,
		       const char *bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	ASSERT_GE(fd, 0);
	ASSERT_EQ((ssize_t)strlen(bytes), write(fd, bytes, strlen(bytes)));
	close(fd);
}

static int count_files(struct __test_metadata *_metadata, const char *path)
{
	DIR *dir = opendir(path);
	int n = -2;

	ASSERT_NE(NULL, dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* It is a whole record of this very process. */
static void is_record(struct __test_metadata *_metadata, const char *path)
{
	char bytes[PT_RECORD_MAX + 1], expected[64];
	int n = slurp(path, bytes, sizeof(bytes));
	struct pt_procfs_stat self;
	struct stat stat;

	ASSERT_GT(n, 0);
	ASSERT_EQ(0, pt_procfs_stat(0, &self));
	snprintf(expected, sizeof(expected), "%d\n%llu\nfingerprint=", getpid(),
		 (unsigned long long)self.start);
	EXPECT_EQ(0, strncmp(expected, bytes, strlen(expected)));
	EXPECT_TRUE(checksum_is_right(bytes, (size_t)n));
	ASSERT_EQ(0, lstat(path, &stat));
	EXPECT_TRUE(S_ISREG(stat.st_mode));
	EXPECT_EQ(0600, stat.st_mode & 07777);
	EXPECT_EQ(1, stat.st_nlink);
}

static int publish(struct pt_record *record)
{
	return pt_record_publish(record, record->dir, getpid());
}

TEST_F(file, a_record_where_none_was_is_placed_and_kept)
{
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	EXPECT_EQ(PT_RECORD_PLACED, self->told.state);
	is_record(_metadata, self->path);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
	pt_record_keep(&self->record);
	is_record(_metadata, self->path);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

TEST_F(file, a_record_where_none_was_is_undone_to_none)
{
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	pt_record_undo(&self->record);
	EXPECT_EQ(0, count_files(_metadata, self->dir));
}

TEST_F(file, a_record_never_published_is_nothing_to_undo_or_keep)
{
	write_file(_metadata, self->path, "before");
	ASSERT_EQ(0, prepare(self, self->path));
	pt_record_undo(&self->record);
	pt_record_keep(&self->record);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

TEST_F(file, a_record_where_one_was_takes_its_place_and_is_kept)
{
	write_file(_metadata, self->path, "before");
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	EXPECT_EQ(PT_RECORD_REPLACED, self->told.state);
	is_record(_metadata, self->path);
	pt_record_keep(&self->record);
	is_record(_metadata, self->path);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

TEST_F(file, a_record_where_one_was_is_undone_to_that_very_file)
{
	struct stat before, after;
	char bytes[64];

	write_file(_metadata, self->path, "before");
	ASSERT_EQ(0, stat(self->path, &before));
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	pt_record_undo(&self->record);
	ASSERT_EQ(6, slurp(self->path, bytes, sizeof(bytes)));
	EXPECT_STREQ("before", bytes);
	ASSERT_EQ(0, stat(self->path, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(before.st_mode, after.st_mode);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

/* Whoever has the old one open goes on reading that. */
TEST_F(file, a_record_is_never_written_over_another)
{
	char bytes[64] = "";
	int fd;

	write_file(_metadata, self->path, "before");
	fd = open(self->path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	pt_record_keep(&self->record);
	EXPECT_EQ(6, read(fd, bytes, sizeof(bytes)));
	EXPECT_STREQ("before", bytes);
	close(fd);
}

TEST_F(file, a_symlink_is_replaced_and_not_followed)
{
	char victim[128], bytes[64];

	snprintf(victim, sizeof(victim), "%s/victim", self->dir);
	write_file(_metadata, victim, "victim");
	ASSERT_EQ(0, symlink("victim", self->path));
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	is_record(_metadata, self->path);
	pt_record_keep(&self->record);
	is_record(_metadata, self->path);
	ASSERT_EQ(6, slurp(victim, bytes, sizeof(bytes)));
	EXPECT_STREQ("victim", bytes);
	EXPECT_EQ(2, count_files(_metadata, self->dir));
}

TEST_F(file, a_symlink_is_put_back_by_undoing)
{
	char target[64] = "";

	ASSERT_EQ(0, symlink("nowhere", self->path));
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	pt_record_undo(&self->record);
	ASSERT_EQ(7, readlink(self->path, target, sizeof(target) - 1));
	EXPECT_STREQ("nowhere", target);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

TEST_F(file, a_directory_in_the_place_is_refused_and_left_alone)
{
	char inside[160];

	ASSERT_EQ(0, mkdir(self->path, 0700));
	snprintf(inside, sizeof(inside), "%s/inside", self->path);
	write_file(_metadata, inside, "x");
	if (!prepare(self, self->path)) {
		EXPECT_LT(publish(&self->record), 0);
		pt_record_undo(&self->record);
	}
	EXPECT_EQ(0, access(inside, F_OK));
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

TEST_F(file, where_we_may_not_write_nothing_is_written)
{
	int r;

	write_file(_metadata, self->path, "before");
	ASSERT_EQ(0, chmod(self->dir, 0555));
	ASSERT_EQ(0, prepare(self, self->path));
	if (!geteuid())
		ASSERT_EQ(0, seteuid(65534));
	r = publish(&self->record);
	pt_record_undo(&self->record);
	if (!getuid())
		ASSERT_EQ(0, seteuid(0));
	EXPECT_EQ(-EACCES, r);
	EXPECT_EQ(PT_RECORD_NONE, self->told.state);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
	ASSERT_EQ(0, chmod(self->dir, 0700));
}

TEST_F(file, what_does_not_fit_is_not_written)
{
	char label[PT_RECORD_MAX];

	memset(label, 'x', sizeof(label));
	label[sizeof(label) - 1] = 0;
	self->record.label = label;
	write_file(_metadata, self->path, "before");
	ASSERT_EQ(0, prepare(self, self->path));
	EXPECT_EQ(-ENAMETOOLONG, publish(&self->record));
	pt_record_undo(&self->record);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

/* Nor does SIGXFSZ end who writes it. */
TEST_F(file, a_record_beyond_a_limit_of_the_writers_leaves_nothing)
{
	struct rlimit before, none = { .rlim_cur = 16 };
	int r;

	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &before));
	none.rlim_max = before.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
	r = publish(&self->record);
	pt_record_undo(&self->record);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &before));
	EXPECT_EQ(-EFBIG, r);
	EXPECT_EQ(0, count_files(_metadata, self->dir));
}

/* The umask is the host's or the shim's, and neither may open it to others. */
TEST_F(file, a_record_is_readable_by_its_owner_alone_under_any_umask)
{
	static const mode_t masks[] = { 0, 022, 0077, 0777, 0400 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		ASSERT_EQ(0, prepare(self, self->path));
		umask(masks[i]);
		ASSERT_EQ(0, publish(&self->record));
		pt_record_keep(&self->record);
		umask(0);
		is_record(_metadata, self->path);
	}
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

TEST_F(file, a_record_that_is_synced_is_the_same)
{
	self->record.sync = true;
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	pt_record_keep(&self->record);
	is_record(_metadata, self->path);
}

TEST_F(file, a_name_of_255_bytes_can_be_published)
{
	ASSERT_EQ(0, prepare_long(self, 255));
	ASSERT_EQ(0, publish(&self->record));
	pt_record_keep(&self->record);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

TEST_F(file, the_directory_may_move_meanwhile)
{
	char moved[80], path[160];

	ASSERT_EQ(0, prepare(self, self->path));
	snprintf(moved, sizeof(moved), "%s-moved", self->dir);
	ASSERT_EQ(0, rename(self->dir, moved));
	strcpy(self->dir, moved);
	ASSERT_EQ(0, publish(&self->record));
	pt_record_keep(&self->record);
	snprintf(path, sizeof(path), "%s/web.pid", moved);
	is_record(_metadata, path);
}

/* ---- what a crash left under the temporary name ---- */

static void learn_temporary(struct __test_metadata *_metadata,
			    FIXTURE_DATA(file) * self, char *ret_path,
			    size_t size)
{
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	ASSERT_NE(0, self->told.temporary[0]);
	ASSERT_NULL(strchr(self->told.temporary, '/'));
	snprintf(ret_path, size, "%s/%s", self->dir, self->told.temporary);
	pt_record_undo(&self->record);
	ASSERT_EQ(0, count_files(_metadata, self->dir));
	memset(&self->told, 0, sizeof(self->told));
	ASSERT_EQ(0, prepare(self, self->path));
}

TEST_F(file, a_stale_temporary_file_is_no_obstacle)
{
	char temporary[160];

	learn_temporary(_metadata, self, temporary, sizeof(temporary));
	write_file(_metadata, temporary, "stale, and longer than a record is");
	ASSERT_EQ(0, chmod(temporary, 0666));
	ASSERT_EQ(0, publish(&self->record));
	pt_record_keep(&self->record);
	is_record(_metadata, self->path);
}

TEST_F(file, a_stale_temporary_symlink_is_not_followed)
{
	char temporary[160], victim[128], bytes[64];

	learn_temporary(_metadata, self, temporary, sizeof(temporary));
	snprintf(victim, sizeof(victim), "%s/victim", self->dir);
	write_file(_metadata, victim, "victim");
	ASSERT_EQ(0, symlink("victim", temporary));
	if (publish(&self->record) < 0) {
		pt_record_undo(&self->record);
	} else {
		pt_record_keep(&self->record);
		is_record(_metadata, self->path);
	}
	ASSERT_EQ(6, slurp(victim, bytes, sizeof(bytes)));
	EXPECT_STREQ("victim", bytes);
}

TEST_F(file, a_stale_temporary_hard_link_is_not_written_to)
{
	char temporary[160], victim[128], bytes[64];

	learn_temporary(_metadata, self, temporary, sizeof(temporary));
	snprintf(victim, sizeof(victim), "%s/victim", self->dir);
	write_file(_metadata, victim, "victim");
	ASSERT_EQ(0, link(victim, temporary));
	if (publish(&self->record) < 0) {
		pt_record_undo(&self->record);
	} else {
		pt_record_keep(&self->record);
		is_record(_metadata, self->path);
	}
	ASSERT_EQ(6, slurp(victim, bytes, sizeof(bytes)));
	EXPECT_STREQ("victim", bytes);
}

/* ---- file systems that cannot exchange ---- */

/* rename(2) with flags answers as NFS and others do. */
static void refuse_rename_flags(struct __test_metadata *_metadata,
				uint32_t flag)
{
	ASSERT_EQ(0, seccomp_on_argument(SYS_renameat2, 4, flag, flag,
					 SECCOMP_RET_ERRNO | EINVAL, 0));
}

TEST_F(file, without_exchange_a_record_still_takes_the_place_of_another)
{
	refuse_rename_flags(_metadata, PT_RENAME_EXCHANGE);
	write_file(_metadata, self->path, "before");
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	EXPECT_EQ(PT_RECORD_REPLACED, self->told.state);
	is_record(_metadata, self->path);
	pt_record_keep(&self->record);
	is_record(_metadata, self->path);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

TEST_F(file, without_any_rename_flags_records_are_placed_and_replaced)
{
	refuse_rename_flags(_metadata, PT_RENAME_EXCHANGE);
	refuse_rename_flags(_metadata, PT_RENAME_NOREPLACE);
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	EXPECT_NE(PT_RECORD_NONE, self->told.state);
	EXPECT_NE(PT_RECORD_REPLACED, self->told.state);
	pt_record_keep(&self->record);
	is_record(_metadata, self->path);

	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	EXPECT_EQ(PT_RECORD_REPLACED, self->told.state);
	pt_record_keep(&self->record);
	is_record(_metadata, self->path);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

TEST_F(file, without_exchange_undoing_puts_the_one_before_back)
{
	char bytes[64];

	refuse_rename_flags(_metadata, PT_RENAME_EXCHANGE);
	refuse_rename_flags(_metadata, PT_RENAME_NOREPLACE);
	write_file(_metadata, self->path, "before");
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	pt_record_undo(&self->record);
	ASSERT_EQ(6, slurp(self->path, bytes, sizeof(bytes)));
	EXPECT_STREQ("before", bytes);
	EXPECT_EQ(1, count_files(_metadata, self->dir));
}

/* As on vfat.  The new one names a process which never ran. */
TEST_F(file, without_exchange_and_links_no_record_of_what_failed_is_left)
{
	refuse_rename_flags(_metadata, PT_RENAME_EXCHANGE);
	refuse_rename_flags(_metadata, PT_RENAME_NOREPLACE);
	ASSERT_EQ(0, seccomp_refuse(SYS_linkat, EPERM));
	write_file(_metadata, self->path, "before");
	ASSERT_EQ(0, prepare(self, self->path));
	ASSERT_EQ(0, publish(&self->record));
	pt_record_undo(&self->record);
	EXPECT_EQ(0, count_files(_metadata, self->dir));
}

TEST_HARNESS_MAIN
