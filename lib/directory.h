/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The names of a directory, by a scan, and as they come and go, by inotify;
 * knows nothing of what they are names of.
 */
#ifndef PT_DIRECTORY_H
#define PT_DIRECTORY_H

#include "base.h"

#define PT_DIRECTORY_NAME_MAX 255

/* Bytes of the kernel's, and how far they have been taken. */
struct pt_directory_bytes {
	size_t at;
	size_t end;
	_Alignas(8) char bytes[8192];
};

struct pt_directory {
	int fd;
	/* of one that is followed; else -1 */
	int inotify;
	int watch;  /* on itself */
	int parent; /* on the directory it is in; -1: must not be read */
	struct pt_directory_bytes names;
	struct pt_directory_bytes events;
};

/* Zero is not nothing: descriptors are numbers. */
#define PT_DIRECTORY_NULL                                           \
	{                                                           \
		.fd = -1, .inotify = -1, .watch = -1, .parent = -1, \
	}

/*
 * @follow: watched from before the first name is read
 *
 * Return: 0; as pidtrack_registry_open().  To be done with in any case.
 */
int pt_directory_open(struct pt_directory *directory, const char *path,
		      bool follow);
void pt_directory_done(struct pt_directory *directory);

/*
 * The next name of the scan, of a file or of what may be one.
 *
 * Return: 1 and *ret_name, lent until the next call; 0 at the end; -ENOENT if
 *         the directory was removed.
 */
int pt_directory_scan(struct pt_directory *directory, const char **ret_name);

/* The scan begins anew. */
int pt_directory_rewind(struct pt_directory *directory);

/* Whether the directory itself was removed, for certain, after a scan. */
bool pt_directory_is_removed(struct pt_directory *directory);

enum pt_directory_event {
	PT_DIRECTORY_NONE = 0,
	PT_DIRECTORY_NAME,   /* something may be different about a name */
	PT_DIRECTORY_LOST,   /* the kernel had more than it could keep */
	PT_DIRECTORY_BESIDE, /* a directory beside this one, or this, is gone */
	PT_DIRECTORY_ENDED,  /* moved or unmounted; nothing follows */
};

/*
 * The next event of one that is followed; never blocks.
 *
 * Return: a pt_directory_event, and *ret_name with NAME; a negative errno.
 */
int pt_directory_next(struct pt_directory *directory, const char **ret_name);

/* Whether there are events that were taken from the kernel, but not here. */
bool pt_directory_has_events(const struct pt_directory *directory);

/*
 * Takes one event off @events; what is not whole is LOST, with the rest.
 *
 * Return: as pt_directory_next(); NONE too for one that means nothing here.
 */
int pt_directory_take(struct pt_directory *directory, const char **ret_name);

#endif
