/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "file.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "sys.h"

/* ---- names ---- */

int pt_file_absolute(const char *path, char **ret_path)
{
	char directory[PATH_MAX];
	int r;

	if (path[0] == 0)
		return -ENOENT;
	if (path[0] == '/') {
		*ret_path = strdup(path);
		return *ret_path ? 0 : -ENOMEM;
	}
	r = sys_getcwd(directory, sizeof(directory));
	if (r < 0)
		return r;
	if (directory[0] != '/')
		return -ENOENT; /* "(unreachable)" */
	if (asprintf(ret_path, "%s/%s", directory, path) < 0) {
		*ret_path = NULL;
		return -ENOMEM;
	}
	return 0;
}

int pt_file_directory(const char *path, const char **ret_name)
{
	CLEANUP(freep) char *directory = NULL;
	const char *slash = strrchr(path, '/');

	*ret_name = slash ? slash + 1 : path;
	if (!slash)
		return sys_open(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
	if (slash == path)
		return sys_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);

	directory = strndup(path, (size_t)(slash - path));
	if (!directory)
		return -ENOMEM;
	return sys_open(AT_FDCWD, directory, O_PATH | O_DIRECTORY, 0);
}

/* ---- writing ---- */

int pt_file_check_limit(size_t size)
{
	uint64_t limit[2];
	int r;

	r = sys_prlimit(RLIMIT_FSIZE, NULL, limit);
	return r >= 0 && limit[0] < size ? -EFBIG : 0;
}

static int write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		int r = sys_write(fd, bytes, n);

		if (r == -EINTR)
			continue;
		if (r < 0)
			return r;
		if (r == 0)
			return -EIO;
		bytes += r;
		n -= (size_t)r;
	}
	return 0;
}

int pt_file_create(int dir, const char *name, const struct pt_text *text,
		   bool sync, uint64_t *ret_inode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
	int closed, fd, r;

	r = pt_file_check_limit(text->length);
	if (r < 0)
		return r;
	fd = sys_open(dir, name, flags, 0600);
	if (fd == -EEXIST) {
		/* of a host that was killed at this very place */
		sys_unlink(dir, name);
		fd = sys_open(dir, name, flags, 0600);
	}
	if (fd < 0)
		return fd;

	r = sys_inode(fd, ret_inode);
	if (r >= 0)
		r = sys_fchmod(fd, 0600); /* whatever the umask */
	if (r >= 0)
		r = write_all(fd, text->start, text->length);
	if (r >= 0 && sync)
		r = sys_fsync(fd);
	closed = sys_close(fd); /* where a network's quota is told of */
	if (r >= 0)
		r = closed;
	if (r < 0)
		sys_unlink(dir, name);
	return r;
}

/* Of this process and instant; hosts in several namespaces share numbers. */
static void name_draft(char ret_name[PT_FILE_DRAFT_MAX])
{
	static _Atomic uint32_t number; /* a clock may have a coarse grain */
	struct pt_text text = PT_TEXT(ret_name, PT_FILE_DRAFT_MAX);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pt_text_field(&text, ".pidtrack-", (uint64_t)sys_getpid());
	pt_text_field(&text, "-", (uint64_t)now.tv_sec);
	pt_text_field(&text, ".", (uint64_t)now.tv_nsec);
	pt_text_field(&text, "-", atomic_fetch_add(&number, 1));
}

int pt_file_draft(int dir, const struct pt_text *text, bool sync,
		  char ret_name[PT_FILE_DRAFT_MAX])
{
	uint64_t inode;

	name_draft(ret_name);
	return pt_file_create(dir, ret_name, text, sync, &inode);
}

int pt_file_publish(int dir, const char *draft, const char *name, bool sync)
{
	int r;

	r = sys_rename(dir, draft, name, 0);
	if (r < 0) {
		sys_unlink(dir, draft);
		return r;
	}
	return sync ? pt_file_sync_directory(dir) : 0;
}

/* O_PATH descriptors cannot be synced. */
int pt_file_sync_directory(int dir)
{
	int fd, r;

	fd = sys_open(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	r = sys_fsync(fd);
	sys_close(fd);
	return r;
}

/* ---- reading ---- */

bool pt_file_same(const struct pt_file_stamp *a, const struct pt_file_stamp *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->modified_ns == b->modified_ns &&
	       a->hash == b->hash;
}

/* Beyond the years 1678 and 2262 it is as far off as can be told. */
static int64_t nanoseconds(struct statx_timestamp time)
{
	const int64_t most = INT64_MAX / 1000000000 - 1;

	if (time.tv_sec > most)
		return INT64_MAX;
	if (time.tv_sec < -most)
		return INT64_MIN;
	return time.tv_sec * 1000000000 + time.tv_nsec;
}

static int look_at_file(int fd, struct statx *ret_found)
{
	int r;

	r = sys_file(fd, ret_found);
	if (r < 0)
		return r;
	if (S_ISDIR(ret_found->stx_mode))
		return -EISDIR;
	return S_ISREG(ret_found->stx_mode) ? 0 : -ENXIO;
}

/* Its ctime alone changes, too, when another takes its place. */
static bool is_unchanged(const struct statx *a, const struct statx *b)
{
	return a->stx_size == b->stx_size &&
	       nanoseconds(a->stx_mtime) == nanoseconds(b->stx_mtime) &&
	       (nanoseconds(a->stx_ctime) == nanoseconds(b->stx_ctime) ||
		a->stx_nlink != b->stx_nlink);
}

/* One that has @expected bytes, as it said, is not asked for its end. */
static int read_whole(int fd, char *ret_bytes, size_t size, uint64_t expected)
{
	size_t n = 0;

	while (n < size) {
		int r = sys_read(fd, ret_bytes + n, size - n);

		if (r == -EINTR)
			continue;
		if (r < 0)
			return r;
		n += (size_t)r;
		if (r == 0 || (n == expected && n < size))
			return (int)n;
	}
	return -EFBIG;
}

/* One look at the file: its bytes, and whether they are of one moment. */
static int read_once(int dir, const char *path, char *ret_bytes, size_t size,
		     struct statx *ret_found)
{
	CLEANUP(fd_closep) int fd = -1;
	struct statx after;
	int n, r;

	fd = sys_open(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
		      0);
	if (fd < 0)
		return fd;
	r = look_at_file(fd, ret_found);
	if (r < 0)
		return r;
	n = read_whole(fd, ret_bytes, size, ret_found->stx_size);
	if (n < 0)
		return n;
	r = look_at_file(fd, &after);
	if (r < 0)
		return r;
	return is_unchanged(ret_found, &after) &&
			       after.stx_size == (uint64_t)n ?
		       n :
		       -EAGAIN;
}

#define TRIES 8

int pt_file_read(int dir, const char *path, char *ret_bytes, size_t size,
		 struct pt_file_stamp *ret_stamp)
{
	struct statx found;
	int n = -EAGAIN;

	/* some write in place, and then there is a moment of half a file */
	for (int i = 0; i < TRIES && n == -EAGAIN; i++)
		n = read_once(dir, path, ret_bytes, size, &found);
	if (n < 0)
		return n;
	*ret_stamp = (struct pt_file_stamp){
		.device = (uint64_t)found.stx_dev_major << 32 |
			  found.stx_dev_minor,
		.inode = found.stx_ino,
		.size = found.stx_size,
		.modified_ns = nanoseconds(found.stx_mtime),
		.hash = pt_text_hash(ret_bytes, (size_t)n),
	};
	return n;
}
