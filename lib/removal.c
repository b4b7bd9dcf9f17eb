/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "removal.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "file.h"
#include "pin.h"
#include "pins.h"
#include "status.h"
#include "sys.h"
#include "text.h"

#define HIDDEN_MAX 96

/* A name of nobody's, also where hosts of several pid namespaces meet. */
static void name_hidden(const struct pidtrack_record *record, char *ret_name)
{
	static _Atomic uint64_t number;
	struct pt_text text = PT_TEXT(ret_name, HIDDEN_MAX);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pt_text_field(&text, ".pidtrack-removed-", record->file.inode);
	pt_text_field(&text, "-", (uint64_t)sys_getpid());
	pt_text_field(&text, "-", (uint64_t)now.tv_sec);
	pt_text_field(&text, ".", (uint64_t)now.tv_nsec);
	pt_text_field(&text, "-", atomic_fetch_add(&number, 1));
}

/* Return: 1 if it is the record's, 0 if it is another. */
static int is_that_file(int dir, const char *name,
			const struct pidtrack_record *record)
{
	char bytes[PIDTRACK_RECORD_MAX + 1];
	struct pt_file_stamp file;
	int r;

	r = pt_file_read(dir, name, bytes, sizeof(bytes), &file);
	/* what is larger, written to all the time, or no file at all */
	if (r == -EFBIG || r == -EAGAIN || r == -ELOOP || r == -EISDIR ||
	    r == -ENXIO)
		return 0;
	if (r < 0)
		return r;
	return pt_file_same(&file, &record->file);
}

#define TRIES 1000

/*
 * One at a time: of two that put back what they took, one would put back the
 * older, and the other find it there and drop the newer.  Where there are no
 * locks, or we must not read the directory, that is as it is.
 *
 * Return: a descriptor that holds the lock, or -1 without; -EAGAIN.
 */
static int lock(int dir)
{
	int fd, r = -EAGAIN;

	fd = sys_open(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd == -EACCES)
		return -1;
	if (fd < 0)
		return fd;
	/* it takes microseconds, if nobody was stopped in the middle of it */
	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		r = sys_lock(fd);
		if (r == -EAGAIN)
			sched_yield();
	}
	if (r == -EAGAIN)
		fd_close(fd);
	return r == -EAGAIN ? r : fd;
}

/* Where the file system knows no flags, @to is nobody's, as said above. */
static int take(int dir, const char *name, const char *hidden)
{
	int r;

	r = sys_rename(dir, name, hidden, PT_RENAME_NOREPLACE);
	return r == -EINVAL || r == -ENOSYS ? sys_rename(dir, name, hidden, 0) :
					      r;
}

/* Unless there is one that is newer still: its owner's, who takes no lock. */
static int put_back(int dir, const char *name, const char *hidden)
{
	int r;

	r = sys_rename(dir, hidden, name, PT_RENAME_NOREPLACE);
	if (r != -EINVAL && r != -ENOSYS && r != -EEXIST)
		return r;
	if (r != -EEXIST) {
		r = sys_link(dir, hidden, name);
		if (r < 0 && r != -EEXIST)
			return sys_rename(dir, hidden, name, 0);
	}
	return sys_unlink(dir, hidden);
}

/*
 * No call removes a file on condition.  So it is taken out of sight first, and
 * looked at again: nobody replaces it there.
 */
static int take_and_remove(int dir, const char *name,
			   const struct pidtrack_record *record)
{
	char hidden[HIDDEN_MAX];
	int found, r;

	name_hidden(record, hidden);
	r = take(dir, name, hidden);
	if (r < 0)
		return r;
	found = is_that_file(dir, hidden, record);
	if (found == 1) {
		r = sys_unlink(dir, hidden);
		if (r >= 0)
			return 0;
		found = r;
	}
	r = put_back(dir, name, hidden);
	if (r < 0)
		return r;
	return found < 0 ? found : -ESTALE;
}

static int look_and_remove(int dir, const char *name,
			   const struct pidtrack_record *record)
{
	int r;

	/* so that a live one is out of sight only if it came just now */
	r = is_that_file(dir, name, record);
	if (r <= 0)
		return r < 0 ? r : -ESTALE;
	return take_and_remove(dir, name, record);
}

/* ---- pins ---- */

/*
 * Nobody else makes one in a directory that is ours.  One that is not reaped
 * yet has a status to tell still.
 */
static int drop_pin(int dir, const char *directory, const char *name,
		    const struct pidtrack_record *record)
{
	struct statx left;
	uint64_t inode;
	int r;

	r = pt_pins_are_ours(dir);
	if (r <= 0)
		return r < 0 ? r : -EINVAL;
	if (!pt_status_reaped(record->pidfd))
		return -EBUSY;
	r = pt_pin_inode(dir, name, &inode);
	if (r == -ENODATA || r == -EBADF)
		return -ESTALE;
	/* unmounted, and its file could not be removed */
	if (r == -ENOENT)
		r = sys_file_at(dir, name, &left);
	return r < 0 ? r :
		       pt_pin_drop(dir, directory, name,
				   record->fingerprint.inode);
}

static int remove_pin(const char *path, const struct pidtrack_record *record)
{
	CLEANUP(freep) char *directory = NULL;
	CLEANUP(fd_closep) int dir = -1;
	const char *name;

	dir = pt_file_directory(path, &name);
	if (dir < 0)
		return dir;
	directory = name == path ? strdup(".") :
				   strndup(path, (size_t)(name - path));
	return directory ? drop_pin(dir, directory, name, record) : -ENOMEM;
}

/* ---- either ---- */

int pt_removal(const char *path, const struct pidtrack_record *record)
{
	CLEANUP(fd_closep) int dir = -1;
	const char *name;
	int locked, r;

	if (record->format == PIDTRACK_RECORD_PIN)
		return remove_pin(path, record);
	if (!record->dated)
		return -EINVAL;
	dir = pt_file_directory(path, &name);
	if (dir < 0)
		return dir;
	locked = lock(dir);
	if (locked < -1)
		return locked;
	r = look_and_remove(dir, name, record);
	if (locked >= 0)
		sys_unlock(locked); /* a child of fork() may have a copy */
	fd_close(locked);
	return r;
}
