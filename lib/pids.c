/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "pids.h"

#include "procfs.h"
#include "sys.h"
#include "text.h"

void pt_pids_done(struct pt_pids *pids)
{
	free(pids->at);
	*pids = (struct pt_pids){ 0 };
}

static int order(const void *a, const void *b)
{
	const pid_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

void pt_pids_sort(struct pt_pids *pids)
{
	if (pids->n > 1 && !pids->sorted)
		qsort(pids->at, pids->n, sizeof(*pids->at), order);
	pids->sorted = true;
}

bool pt_pids_has(const struct pt_pids *pids, pid_t pid)
{
	if (pids->sorted && pids->n > 0)
		return bsearch(&pid, pids->at, pids->n, sizeof(pid), order);
	for (size_t i = 0; i < pids->n; i++) {
		if (pids->at[i] == pid)
			return true;
	}
	return false;
}

int pt_pids_add(struct pt_pids *pids, pid_t pid)
{
	size_t room = pids->room ? pids->room * 2 : 64;
	pid_t *at;

	if (pids->n == pids->room) {
		at = reallocarray(pids->at, room, sizeof(*at));
		if (!at)
			return -ENOMEM;
		pids->at = at;
		pids->room = room;
	}
	pids->at[pids->n++] = pid;
	pids->sorted = false;
	return 0;
}

/* ---- files ---- */

static int take_byte(struct pt_pids *pids, struct pt_number *number, char byte)
{
	int r = 0;

	if (byte >= '0' && byte <= '9') {
		if (number->value <= INT_MAX)
			number->value =
				number->value * 10 + (uint64_t)(byte - '0');
		number->begun = true;
		return 0;
	}
	if (number->begun && number->value <= INT_MAX)
		r = pt_pids_add(pids, (pid_t)number->value);
	*number = (struct pt_number){ 0 };
	return r;
}

int pt_pids_read(struct pt_pids *pids, int fd, struct pt_number *rest)
{
	char bytes[PT_PIDS_PIECE];
	int n, r = 0;

	n = sys_read(fd, bytes, sizeof(bytes));
	if (n == 0)
		return take_byte(pids, rest, '\n');
	for (int i = 0; i < n && r >= 0; i++)
		r = take_byte(pids, rest, bytes[i]);
	return r < 0 ? r : n;
}

int pt_pids_in_file(struct pt_pids *pids, int dir, const char *path)
{
	CLEANUP(fd_closep) int fd = -1;
	struct pt_number rest = { 0 };
	int r;

	fd = sys_open(dir, path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	do
		r = pt_pids_read(pids, fd, &rest);
	while (r > 0);
	return r;
}

/* ---- directories ---- */

static int add_names(struct pt_pids *pids, const char *bytes, int n)
{
	const struct pt_listed *listed;
	uint64_t number;
	int r;

	for (int at = 0; at < n; at += listed->length) {
		listed = (const void *)(bytes + at);
		if (pt_text_parse_number(listed->name, strlen(listed->name),
					 &number) < 0 ||
		    number > INT_MAX)
			continue;
		r = pt_pids_add(pids, (pid_t)number);
		if (r < 0)
			return r;
	}
	return 0;
}

int pt_pids_list(struct pt_pids *pids, int fd)
{
	_Alignas(struct pt_listed) char bytes[PT_PIDS_PIECE];
	int n, r;

	n = sys_getdents(fd, bytes, sizeof(bytes));
	if (n <= 0)
		return n;
	r = add_names(pids, bytes, n);
	return r < 0 ? r : n;
}

int pt_pids_try(void)
{
	CLEANUP(pt_pids_done) struct pt_pids pids = { 0 };
	CLEANUP(fd_closep) int fd = -1;

	/* what lists our threads, or /proc, lists both */
	fd = sys_open(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd == -ENOENT ? -EOPNOTSUPP : fd;
	return pt_pids_list(&pids, fd);
}

int pt_pids_in_directory(struct pt_pids *pids, const char *path)
{
	CLEANUP(fd_closep) int fd = -1;
	int r;

	fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	do
		r = pt_pids_list(pids, fd);
	while (r > 0);
	return r;
}

/* ---- children, by thread ---- */

/* "/proc/PID/task", and of a thread "/TID" and @name. */
static void task_path(struct pt_text *path, pid_t pid, pid_t thread,
		      const char *name)
{
	pt_text_field(path, "/proc/", (uint64_t)pid);
	pt_text_string(path, "/task");
	if (thread == 0)
		return;
	pt_text_field(path, "/", (uint64_t)thread);
	pt_text_string(path, name);
}

int pt_pids_threads(struct pt_pids *threads, pid_t pid)
{
	char buffer[32];
	struct pt_text path = PT_TEXT(buffer, sizeof(buffer));

	task_path(&path, pid, 0, NULL);
	return pt_pids_in_directory(threads, path.start);
}

int pt_pids_lists_children(void)
{
	CLEANUP(fd_closep) int fd = -1;

	fd = sys_open(AT_FDCWD, "/proc/thread-self/children", O_RDONLY, 0);
	if (is_short_of_room(fd))
		return fd;
	return fd != -ENOENT;
}

int pt_pids_open_children(pid_t pid, pid_t thread)
{
	char buffer[64];
	struct pt_text path = PT_TEXT(buffer, sizeof(buffer));

	task_path(&path, pid, thread, "/children");
	return sys_open(AT_FDCWD, path.start, O_RDONLY, 0);
}

int pt_pids_children(struct pt_pids *pids, pid_t pid)
{
	CLEANUP(pt_pids_done) struct pt_pids threads = { 0 };
	int r;

	r = pt_pids_threads(&threads, pid);
	for (size_t i = 0; i < threads.n && r >= 0; i++) {
		char buffer[64];
		struct pt_text path = PT_TEXT(buffer, sizeof(buffer));

		task_path(&path, pid, threads.at[i], "/children");
		r = pt_pids_in_file(pids, AT_FDCWD, path.start);
		/* this thread has ended; its children are another's now */
		if (r == -ENOENT || r == -ESRCH)
			r = 0;
	}
	return r;
}

bool pt_pids_is_still(pid_t pid, bool *ret_wait)
{
	CLEANUP(pt_pids_done) struct pt_pids threads = { 0 };
	bool still = true;

	if (pt_pids_threads(&threads, pid) < 0)
		return true;
	for (size_t i = 0; i < threads.n; i++) {
		char buffer[64], text[1024];
		struct pt_text path = PT_TEXT(buffer, sizeof(buffer));
		struct pt_procfs_stat stat;

		task_path(&path, pid, threads.at[i], "/stat");
		if (pt_procfs_read(path.start, text, sizeof(text)) >= 0 &&
		    pt_procfs_parse_stat(text, &stat) >= 0 &&
		    !strchr("TtZXD", stat.state)) {
			still = false;
			*ret_wait |= stat.state == 'R';
		}
	}
	return still;
}
