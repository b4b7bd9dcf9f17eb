/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A directory of pins: a small file system of its own, which nobody else sees
 * into, locked for the one host that uses it.
 */
#ifndef PT_PINS_H
#define PT_PINS_H

#include "base.h"

/* The file by which one is known for ours: statx(2) it, but never open it. */
#define PT_PINS_MARKER ".pidtrack-pins"

struct pt_pins {
	int dir;    /* the root of the mount */
	int marker; /* the file in it by which it is known for ours; locked */
	char *path; /* owned; absolute */
	_Atomic uint64_t *seat; /* in the list of those this process has open */
	bool takes;		/* new ones: they can be let go again */
};

/*
 * Opens the directory, and makes what there is not of it: the directory itself,
 * and the mount on an empty one.
 *
 * Return: 0; -EBUSY if another tracker has it, of whatever process; -ENOTEMPTY
 *         if there is something else in it; -EPERM if it is not ours, or
 *         nothing may be mounted; -EREMOTE if it is seen from another mount
 *         namespace than its pins; -EOPNOTSUPP before Linux 6.14, or where
 *         there are none yet and no pin could be let go again;
 *         -ENAMETOOLONG, -ENOENT, -ENOTDIR, -ELOOP for @path; -EMFILE, -ENOSPC
 *         and the like.
 */
int pt_pins_open(const char *path, struct pt_pins **ret_pins);

/* Whether this process has it open, or an error; @dir: may be O_PATH. */
int pt_pins_are_ours(int dir);

/*
 * Gives it back; and removes it, mount and all, if there is no pin left.  NULL
 * is fine.  Return: NULL.
 */
struct pt_pins *pt_pins_close(struct pt_pins *pins);

/* The same in a child of fork(), for its copy: nothing is undone. */
struct pt_pins *pt_pins_abandon(struct pt_pins *pins);

/* The names of all that is in it but hidden: @n of them. */
struct pt_pins_list {
	char **names; /* owned, as each of them */
	size_t n;
};

int pt_pins_list(const struct pt_pins *pins, struct pt_pins_list *ret_list);
void pt_pins_list_done(struct pt_pins_list *list);

#endif
