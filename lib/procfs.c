/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "procfs.h"

#include "sys.h"
#include "text.h"

/*
 * The @n-th word of @text, from 0, words being one blank apart; empty if there
 * is none.
 */
static const char *word(const char *text, unsigned int n, size_t *ret_length)
{
	for (;; n--) {
		*ret_length = strcspn(text, " \n");
		if (n == 0 || text[*ret_length] != ' ')
			break;
		text += *ret_length + 1;
	}
	if (n > 0)
		*ret_length = 0;
	return text;
}

static int number_word(const char *text, unsigned int n, uint64_t most,
		       uint64_t *ret_number)
{
	const char *start;
	size_t length;
	int r;

	start = word(text, n, &length);
	/* what ends with the text may have been cut off there */
	if (start[length] == 0)
		return -EBADMSG;
	r = pt_text_parse_number(start, length, ret_number);
	if (r < 0)
		return r;
	return *ret_number <= most ? 0 : -EBADMSG;
}

int pt_procfs_parse_stat(const char *text, struct pt_procfs_stat *ret_stat)
{
	uint64_t pid, ppid, start;
	const char *rest;
	size_t length;

	/* the name in parentheses may hold anything, parentheses included */
	rest = strrchr(text, ')');
	if (!rest || rest[1] != ' ' || number_word(text, 0, INT_MAX, &pid) < 0)
		return -EBADMSG;

	/* the state is field 3 of stat, here word 0; starttime is field 22 */
	rest += 2;
	word(rest, 0, &length);
	if (pid == 0 || length != 1 ||
	    number_word(rest, 1, INT_MAX, &ppid) < 0 ||
	    number_word(rest, 19, UINT64_MAX, &start) < 0)
		return -EBADMSG;

	ret_stat->pid = (pid_t)pid;
	ret_stat->state = rest[0];
	ret_stat->ppid = (pid_t)ppid;
	ret_stat->start = start;
	return 0;
}

/* What follows @key at the start of a line. */
static const char *after_key(const char *text, const char *key)
{
	size_t length = strlen(key);

	while (strncmp(text, key, length) != 0) {
		text = strchr(text, '\n');
		if (!text)
			return NULL;
		text++;
	}
	return text + length;
}

int pt_procfs_parse_fdinfo(const char *text, pid_t *ret_pid)
{
	uint64_t pid;
	size_t length;

	text = after_key(text, "Pid:");
	if (!text)
		return -EBADMSG;

	text += strspn(text, "\t ");
	length = strcspn(text, "\n");
	if (text[length] == 0)
		return -EBADMSG; /* cut off */
	if (length == 2 && memcmp(text, "-1", 2) == 0) {
		*ret_pid = -1;
		return 0;
	}
	if (pt_text_parse_number(text, length, &pid) < 0 || pid > INT_MAX)
		return -EBADMSG;
	*ret_pid = (pid_t)pid;
	return 0;
}

int pt_procfs_parse_boottime(const char *text, int64_t *ret_ns)
{
	uint64_t seconds, nanoseconds;
	bool negative;

	/* "boottime   seconds   nanoseconds", padded to columns */
	text = after_key(text, "boottime");
	if (!text || *text != ' ')
		return -EBADMSG;

	text += strspn(text, " ");
	negative = *text == '-';
	if (negative)
		text++;
	if (number_word(text, 0, INT64_MAX / 1000000000 - 1, &seconds) < 0)
		return -EBADMSG;
	text += strcspn(text, " \n");
	text += strspn(text, " ");
	if (number_word(text, 0, 999999999, &nanoseconds) < 0)
		return -EBADMSG;

	*ret_ns = (int64_t)seconds * 1000000000;
	if (negative)
		*ret_ns = -*ret_ns;
	*ret_ns += (int64_t)nanoseconds;
	return 0;
}

int pt_procfs_parse_uuid(const char *text, size_t n, uint8_t ret_uuid[16])
{
	uint8_t uuid[16];
	size_t at = 0;

	if (n != 36)
		return -EBADMSG;
	for (size_t i = 0; i < 16; i++) {
		int high, low;

		if (i == 4 || i == 6 || i == 8 || i == 10) {
			if (text[at++] != '-')
				return -EBADMSG;
		}
		high = pt_text_hex_digit(text[at++]);
		low = pt_text_hex_digit(text[at++]);
		if (high < 0 || low < 0)
			return -EBADMSG;
		uuid[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret_uuid, uuid, sizeof(uuid));
	return 0;
}

static int read_all(int fd, char *ret_text, size_t size)
{
	size_t length = 0;
	int r;

	for (;;) {
		r = sys_read(fd, ret_text + length, size - length);
		if (r == -EINTR)
			continue;
		if (r < 0)
			return r;
		if (r == 0)
			break;
		length += (size_t)r;
		if (length == size)
			return -EFBIG;
	}
	ret_text[length] = 0;
	return (int)length;
}

int pt_procfs_read(const char *path, char *ret_text, size_t size)
{
	int fd, r;

	fd = sys_open(AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		return fd;

	r = read_all(fd, ret_text, size);
	sys_close(fd);
	return r;
}

/* "/proc/@pid@name", or of ourselves for 0. */
static void process_path(struct pt_text *path, pid_t pid, const char *name)
{
	pt_text_string(path, "/proc/");
	if (pid == 0)
		pt_text_string(path, "self");
	else
		pt_text_number(path, (uint64_t)pid);
	pt_text_string(path, name);
}

int pt_procfs_stat(pid_t pid, struct pt_procfs_stat *ret_stat)
{
	char buffer[32], text[1024];
	struct pt_text path = PT_TEXT(buffer, sizeof(buffer));
	int r;

	process_path(&path, pid, "/stat");
	r = pt_procfs_read(path.start, text, sizeof(text));
	if (r < 0)
		return r;
	return pt_procfs_parse_stat(text, ret_stat);
}

int pt_procfs_fdinfo_pid(int pidfd, pid_t *ret_pid)
{
	char buffer[48], text[512];
	struct pt_text path = PT_TEXT(buffer, sizeof(buffer));
	int r;

	pt_text_field(&path, "/proc/self/fdinfo/", (uint64_t)pidfd);
	r = pt_procfs_read(path.start, text, sizeof(text));
	if (r < 0)
		return r;
	return pt_procfs_parse_fdinfo(text, ret_pid);
}

int pt_procfs_boot_id(uint8_t ret_uuid[16])
{
	char text[64];
	int r;

	r = pt_procfs_read("/proc/sys/kernel/random/boot_id", text,
			   sizeof(text));
	if (r < 0)
		return r;
	return pt_procfs_parse_uuid(text, strcspn(text, "\n"), ret_uuid);
}

int pt_procfs_boottime(int64_t *ret_ns)
{
	uint64_t ours, childrens;
	char text[256];
	int r;

	/*
	 * The file tells the namespace our children will be in.  After
	 * unshare(CLONE_NEWTIME) that is not ours, and ours cannot be had.
	 */
	r = pt_procfs_read("/proc/self/timens_offsets", text, sizeof(text));
	if (r == -ENOENT && sys_path_inode("/proc/self/stat", &ours) == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (r < 0)
		return r;
	r = sys_path_inode("/proc/self/ns/time", &ours);
	if (r >= 0)
		r = sys_path_inode("/proc/self/ns/time_for_children",
				   &childrens);
	if (r < 0)
		return r;
	if (ours != childrens)
		return -ENODATA;
	return pt_procfs_parse_boottime(text, ret_ns);
}

int pt_procfs_is_ours(void)
{
	char text[4096];
	const char *numbers;
	struct pt_procfs_stat self;
	int r;

	r = pt_procfs_stat(0, &self);
	if (r < 0 || self.pid != sys_getpid())
		return MIN(r, 0);
	r = pt_procfs_read("/proc/self/status", text, sizeof(text));
	if (r < 0)
		return r;
	/* from its namespace down to ours; Linux 4.1 */
	numbers = after_key(text, "NSpid:\t");
	return !numbers || strcspn(numbers, "\t") > strcspn(numbers, "\n");
}

int pt_procfs_is_thread(pid_t pid)
{
	char buffer[32], text[4096];
	struct pt_text path = PT_TEXT(buffer, sizeof(buffer));
	const char *value;
	uint64_t leader;
	int r;

	process_path(&path, pid, "/status");
	r = pt_procfs_read(path.start, text, sizeof(text));
	if (r < 0)
		return r;
	value = after_key(text, "Tgid:\t");
	if (!value ||
	    pt_text_parse_number(value, strcspn(value, "\n"), &leader) < 0)
		return -EBADMSG;
	return leader != (uint64_t)pid;
}

bool pt_procfs_same_time(pid_t pid)
{
	char buffer[32];
	struct pt_text path = PT_TEXT(buffer, sizeof(buffer));
	uint64_t ours, its;
	int r;

	r = sys_path_inode("/proc/self/ns/time", &ours);
	if (r == -ENOENT)
		return sys_path_inode("/proc/self/stat", &ours) >= 0;
	if (r < 0)
		return false;
	process_path(&path, pid, "/ns/time");
	return sys_path_inode(path.start, &its) >= 0 && ours == its;
}

static int namespace_inode(int pidfd, unsigned int which, uint64_t *ret_inode)
{
	CLEANUP(fd_closep) int namespace = -1;

	namespace = sys_pidfd_namespace(pidfd, which);
	return namespace < 0 ? namespace : sys_inode(namespace, ret_inode);
}

/* Where there is no /proc, the kernel itself is asked.  Linux 6.11. */
static bool children_elsewhere_by_pidfd(void)
{
	CLEANUP(fd_closep) int self = -1;
	uint64_t ours, childrens;

	self = sys_pidfd_open(sys_gettid(), PT_PIDFD_THREAD);
	return self >= 0 &&
	       namespace_inode(self, PT_PIDFD_PID_NAMESPACE, &ours) >= 0 &&
	       namespace_inode(self, PT_PIDFD_CHILDREN_PID_NAMESPACE,
			       &childrens) >= 0 &&
	       ours != childrens;
}

bool pt_procfs_children_elsewhere(void)
{
	static const char path[] = "/proc/thread-self/ns/pid_for_children";
	uint64_t ours, childrens, link;
	uint32_t type;

	if (sys_path_inode("/proc/self/ns/pid", &ours) < 0)
		return children_elsewhere_by_pidfd();
	if (sys_path_inode(path, &childrens) == 0)
		return ours != childrens;
	/* the link leads nowhere while that namespace has no process */
	return sys_name(AT_FDCWD, path, &link, &type) == 0;
}

int pt_procfs_exe(pid_t pid, char *ret_path, size_t size)
{
	char buffer[32];
	struct pt_text path = PT_TEXT(buffer, sizeof(buffer));
	int r;

	process_path(&path, pid, "/exe");
	r = pt_sys_result(readlink(path.start, ret_path, size));
	if (r >= 0 && (size_t)r == size)
		return -ENAMETOOLONG;
	return r;
}
