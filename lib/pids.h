/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Lists of process numbers: those in a file, in a directory such as /proc, and
 * of the children of a process.  A number found there proves nothing yet.
 */
#ifndef PT_PIDS_H
#define PT_PIDS_H

#include <sys/types.h>

#include "base.h"

struct pt_pids {
	pid_t *at; /* owned */
	size_t n;
	size_t room;
	bool sorted;
};

void pt_pids_done(struct pt_pids *pids);

/* At once if they are sorted, else one after the other. */
bool pt_pids_has(const struct pt_pids *pids, pid_t pid);
void pt_pids_sort(struct pt_pids *pids);

/* Adds a number; -ENOMEM. */
int pt_pids_add(struct pt_pids *pids, pid_t pid);

/*
 * Adds the numbers of a file, blanks and lines between them, from @dir.
 *
 * Return: 0; -ENOENT, -ESRCH and the like; -ENOMEM.
 */
int pt_pids_in_file(struct pt_pids *pids, int dir, const char *path);

/* Adds the names of a directory that are numbers. */
int pt_pids_in_directory(struct pt_pids *pids, const char *path);

/* Of a piece: bytes. */
#define PT_PIDS_PIECE 4096

/* A number that may go on in the next piece. */
struct pt_number {
	uint64_t value;
	bool begun;
};

/*
 * Add what is in the next piece of a file of numbers, of a directory.
 *
 * Return: > 0 if more may follow; 0 at the end; -ENOMEM, and the like.
 */
int pt_pids_read(struct pt_pids *pids, int fd, struct pt_number *rest);
int pt_pids_list(struct pt_pids *pids, int fd);

/*
 * Whether threads and processes can be listed, by trying.
 *
 * Return: 0 or more; -EOPNOTSUPP without /proc; what a sandbox refuses
 * getdents64(2) with; -EMFILE and the like.
 */
int pt_pids_try(void);

/* Adds the threads of a process. */
int pt_pids_threads(struct pt_pids *threads, pid_t pid);

/* The list of the children of a thread, to be read.  Linux 3.5. */
int pt_pids_open_children(pid_t pid, pid_t thread);

/*
 * Whether the kernel lists children.
 *
 * Return: 1; 0 if they have to be searched for; -EMFILE, -ENFILE or -ENOMEM.
 */
int pt_pids_lists_children(void);

/* Adds the children of all threads of a process.  Linux 3.5. */
int pt_pids_children(struct pt_pids *pids, pid_t pid);

/*
 * Whether no thread of a process runs or will, until somebody continues it.
 * @ret_wait is set where one does that has, or waits for, a processor.
 */
bool pt_pids_is_still(pid_t pid, bool *ret_wait);

#endif
