/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What /proc tells, from bytes to values; parsing apart from reading.  Every
 * function here may be used between clone and exec.
 */
#ifndef PT_PROCFS_H
#define PT_PROCFS_H

#include <sys/types.h>

#include "base.h"

/* Of /proc/PID/stat, proc(5). */
struct pt_procfs_stat {
	pid_t pid;
	char state;	/* 'R', 'Z', … */
	pid_t ppid;	/* 0: outside the reader's pid namespace, or none */
	uint64_t start; /* clock ticks since boot, as the reader's time
			   namespace shifts them */
};

/* Return: 0; -EBADMSG. */
int pt_procfs_parse_stat(const char *text, struct pt_procfs_stat *ret_stat);

/* The "Pid:" line of a pidfd's fdinfo: -1 once reaped, 0 if not visible. */
int pt_procfs_parse_fdinfo(const char *text, pid_t *ret_pid);

/* The "boottime" line of timens_offsets, in ns; Linux 5.6. */
int pt_procfs_parse_boottime(const char *text, int64_t *ret_ns);

/* The canonical form of a UUID, as of boot_id. */
int pt_procfs_parse_uuid(const char *text, size_t n, uint8_t ret_uuid[16]);

/*
 * Reads a small file under /proc whole, and a NUL behind it.
 *
 * Return: its length; -EFBIG if it does not fit; else the kernel's error.
 */
int pt_procfs_read(const char *path, char *ret_text, size_t size);

/* @pid 0: our own.  -ENOENT or -ESRCH if there is none, or no /proc. */
int pt_procfs_stat(pid_t pid, struct pt_procfs_stat *ret_stat);
int pt_procfs_fdinfo_pid(int pidfd, pid_t *ret_pid);
int pt_procfs_boot_id(uint8_t ret_uuid[16]);

/* Our boottime offset; 0 where there are no time namespaces. */
int pt_procfs_boottime(int64_t *ret_ns);

/*
 * Whether /proc has the numbers of our pid namespace: not so in one that has
 * mounted none of its own; or a negative errno if that cannot be seen.
 */
int pt_procfs_is_ours(void);

/* Whether the number is that of a thread that leads no process; or -errno. */
int pt_procfs_is_thread(pid_t pid);

/* Whether a process is in our time namespace, or there are none. */
bool pt_procfs_same_time(pid_t pid);

/*
 * Whether children will be in another pid namespace than we; Linux 4.12, and
 * without /proc 6.11.
 */
bool pt_procfs_children_elsewhere(void);

/* The path a process executes, without a NUL behind it; its length. */
int pt_procfs_exe(pid_t pid, char *ret_path, size_t size);

#endif
