/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Small files: read as they were at one moment, written whole or not at all.
 * Writing makes system calls only, and may be done between clone and exec.
 */
#ifndef PT_FILE_H
#define PT_FILE_H

#include "base.h"
#include "text.h"

#define PT_FILE_NAME_MAX 255

/*
 * Opens the directory that @path is in, for what is done by name only: O_PATH.
 *
 * Return: its descriptor, and the name in it, a part of @path; what opening it
 * fails with.
 */
int pt_file_directory(const char *path, const char **ret_name);

/*
 * @path from the root, for a host may change its directory meanwhile; to be
 * freed.
 *
 * Return: 0; -ENOENT if there is none, or of our directory; -ENOMEM.
 */
int pt_file_absolute(const char *path, char **ret_path);

/*
 * A write beyond RLIMIT_FSIZE is a signal, and that mostly the writer's end; so
 * it is of a memfd.
 *
 * Return: 0; -EFBIG if a file may not become so large.
 */
int pt_file_check_limit(size_t size);

/*
 * Makes a file of mode 0600, whatever the umask, in the place of a stale one:
 * @name is for nobody else to use.  On failure there is none.
 *
 * Return: 0, and the number of its inode; -EFBIG beyond RLIMIT_FSIZE, without
 * the SIGXFSZ.
 */
int pt_file_create(int dir, const char *name, const struct pt_text *text,
		   bool sync, uint64_t *ret_inode);

#define PT_FILE_DRAFT_MAX 64

/*
 * The same under a name made up for it, and then under the one it is for, in
 * the place of what has that: at once, and links are not followed.  What is not
 * published is to be unlinked.
 */
int pt_file_draft(int dir, const struct pt_text *text, bool sync,
		  char ret_name[PT_FILE_DRAFT_MAX]);
int pt_file_publish(int dir, const char *draft, const char *name, bool sync);

/* Has what was done in an O_PATH directory be on disk. */
int pt_file_sync_directory(int dir);

/* Which file, and as it was: one that was written anew has another. */
struct pt_file_stamp {
	uint64_t device;
	uint64_t inode;
	uint64_t size;
	int64_t modified_ns; /* of CLOCK_REALTIME; or the first or last there
				is, of what is further off */
	uint64_t hash;	     /* of its bytes */
};

bool pt_file_same(const struct pt_file_stamp *a, const struct pt_file_stamp *b);

/*
 * Reads a regular file of less than @size bytes, and no link at the end of
 * @path.
 *
 * Return: its length, and which it was; -EISDIR, -ENXIO for what is no file;
 * -EFBIG; -EAGAIN if it changed again and again.
 */
int pt_file_read(int dir, const char *path, char *ret_bytes, size_t size,
		 struct pt_file_stamp *ret_stamp);

#endif
