/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "directory.h"

#include <dirent.h>

#include "sys.h"

/* ---- open ---- */

/* All that may make a name another file, or the file another text. */
#define ITSELF                                                            \
	(IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MODIFY | \
	 IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)

/*
 * That a directory which is open was removed is told nobody but its parent; and
 * of the root directory that is the same one.
 */
#define BESIDE (IN_DELETE | IN_MASK_ADD)

static int watch_parent(int inotify, const char *path)
{
	static const char up[] = "/..";
	CLEANUP(freep) char *parent = NULL;
	size_t n = strlen(path);

	parent = malloc(n + sizeof(up));
	if (!parent)
		return -ENOMEM;
	memcpy(parent, path, n);
	memcpy(parent + n, up, sizeof(up));
	return sys_inotify_watch(inotify, parent, BESIDE | IN_ONLYDIR);
}

/* What was watched by its path is what is open. */
static int check_same(const struct pt_directory *directory, const char *path)
{
	struct statx open, named;
	int r;

	r = sys_file(directory->fd, &open);
	if (r >= 0)
		r = sys_path_file(path, &named);
	if (r < 0)
		return r;
	return open.stx_ino == named.stx_ino &&
			       open.stx_dev_major == named.stx_dev_major &&
			       open.stx_dev_minor == named.stx_dev_minor ?
		       0 :
		       -ESTALE;
}

static int follow(struct pt_directory *directory, const char *path)
{
	int r;

	r = sys_inotify();
	if (r < 0)
		return r;
	directory->inotify = r;
	r = sys_inotify_watch(directory->inotify, path, ITSELF | IN_ONLYDIR);
	if (r < 0)
		return r;
	directory->watch = r;

	r = watch_parent(directory->inotify, path);
	if (r == -ENOMEM || r == -ENOSPC)
		return r;
	directory->parent = r < 0 ? -1 : r;
	return check_same(directory, path);
}

int pt_directory_open(struct pt_directory *directory, const char *path,
		      bool follow_it)
{
	*directory = (struct pt_directory)PT_DIRECTORY_NULL;
	directory->fd = sys_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (directory->fd < 0)
		return directory->fd;
	return follow_it ? follow(directory, path) : 0;
}

void pt_directory_done(struct pt_directory *directory)
{
	directory->inotify = fd_close(directory->inotify);
	directory->fd = fd_close(directory->fd);
}

/* ---- scan ---- */

/* Return: bytes; 0 at the end. */
static int refill(int fd, struct pt_directory_bytes *names)
{
	int r;

	r = sys_getdents(fd, names->bytes, sizeof(names->bytes));
	names->at = 0;
	names->end = (size_t)MAX(r, 0);
	return r;
}

int pt_directory_scan(struct pt_directory *directory, const char **ret_name)
{
	struct pt_directory_bytes *names = &directory->names;

	for (;;) {
		const struct pt_listed *found;

		if (names->at == names->end) {
			int r = refill(directory->fd, names);

			if (r <= 0)
				return r;
		}
		found = (const void *)(names->bytes + names->at);
		names->at += found->length;
		if (found->type == DT_REG || found->type == DT_UNKNOWN) {
			*ret_name = found->name;
			return 1;
		}
	}
}

int pt_directory_rewind(struct pt_directory *directory)
{
	directory->names.at = directory->names.end = 0;
	return sys_rewind(directory->fd);
}

bool pt_directory_is_removed(struct pt_directory *directory)
{
	int r = refill(directory->fd, &directory->names);

	directory->names.end = 0;
	return r == -ENOENT;
}

/* ---- follow ---- */

bool pt_directory_has_events(const struct pt_directory *directory)
{
	return directory->events.at < directory->events.end;
}

static enum pt_directory_event meaning_of(const struct pt_directory *directory,
					  const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return PT_DIRECTORY_LOST;
	/* one of the root directory is both */
	if (event->wd == directory->parent && event->mask & IN_ISDIR &&
	    event->mask & IN_DELETE && directory->parent != directory->watch)
		return PT_DIRECTORY_BESIDE;
	if (event->wd != directory->watch)
		return PT_DIRECTORY_NONE;
	if (event->mask & IN_DELETE_SELF)
		return PT_DIRECTORY_BESIDE;
	if (event->mask & (IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED))
		return PT_DIRECTORY_ENDED;
	return event->len > 0 ? PT_DIRECTORY_NAME : PT_DIRECTORY_NONE;
}

int pt_directory_take(struct pt_directory *directory, const char **ret_name)
{
	struct pt_directory_bytes *events = &directory->events;
	const struct inotify_event *event =
		(const void *)(events->bytes + events->at);
	size_t left = events->end - events->at;

	if (left < sizeof(*event) || event->len > left - sizeof(*event) ||
	    (event->len > 0 && !memchr(event->name, 0, event->len))) {
		events->at = events->end;
		return PT_DIRECTORY_LOST;
	}
	events->at += sizeof(*event) + event->len;
	*ret_name = event->name;
	return meaning_of(directory, event);
}

int pt_directory_next(struct pt_directory *directory, const char **ret_name)
{
	struct pt_directory_bytes *events = &directory->events;
	int r = PT_DIRECTORY_NONE;

	while (r == PT_DIRECTORY_NONE) {
		if (!pt_directory_has_events(directory)) {
			r = sys_read(directory->inotify, events->bytes,
				     sizeof(events->bytes));
			if (r == -EAGAIN)
				return PT_DIRECTORY_NONE;
			if (r < 0)
				return r;
			events->at = 0;
			events->end = (size_t)r;
		}
		r = pt_directory_take(directory, ret_name);
	}
	return r;
}
