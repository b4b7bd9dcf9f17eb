/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A pin: a pidfd mounted on a file, so that it can be opened as long as that
 * mount is there, whoever lives; and the name of that file, which is made of a
 * label.  Knows no trackers.  Linux 6.14; the status of who was reaped since
 * 6.15.
 */
#ifndef PT_PIN_H
#define PT_PIN_H

#include "base.h"

#define PT_PIN_NAME_SIZE 256 /* with the final NUL */

/*
 * The name of a label's pin: '/' and '%', a dot in front, and all but printable
 * ASCII are %XX.  It is never "." or "..", and never hidden.
 *
 * Return: 0; -ENAMETOOLONG if it would be longer than any file's.
 */
int pt_pin_name(const char *label, char ret_name[PT_PIN_NAME_SIZE]);

/* And back; -EBADMSG if no label has that name. */
int pt_pin_label(const char *name, char ret_label[PT_PIN_NAME_SIZE]);

/*
 * Whether this one could be mounted, opened there and known: 0, or what the
 * kernel or a sandbox refuses that with; -EPERM.
 */
int pt_pin_try(int pidfd);

/* The same of our own: 0, -EPERM; -EOPNOTSUPP before Linux 6.14. */
int pt_pin_check(void);

/*
 * Whether they can be let go: 0, or by what a sandbox refuses umount2(2) or
 * unlinkat(2).  What cannot be let go is not to be pinned: it would stay, and
 * with it its label.
 */
int pt_pin_may_drop(void);

/*
 * A file for a pin to be.
 *
 * Return: a descriptor of it; -EEXIST if there is one of that name, -ENOSPC and
 *         the like.
 */
int pt_pin_claim(int dir, const char *name);

/*
 * Mounts @pidfd on that very file, not on another that has its name meanwhile;
 * makes system calls and nothing else, as the next.
 *
 * Return: 0; -ESTALE if it is not mounted in our namespace, or no more, or has
 *         been removed; -ENOSPC at fs.mount-max, -EPERM, -EOPNOTSUPP.
 */
int pt_pin_mount(int file, int pidfd);

/*
 * From now on the file without a mount is what is left of one that was let go,
 * not of one that has never been.
 */
int pt_pin_mark(int file);

/*
 * A pidfd out of a pin.
 *
 * Return: it; -ENODATA if nothing was ever mounted on the file, -EBADF if it is
 *         no pidfd, or a file that is not empty; -ENOENT, also of what is left
 *         of one; -EMFILE and the like.
 */
int pt_pin_open(int dir, const char *name);

/* Of the process of a pin; errors as pt_pin_open(). */
int pt_pin_inode(int dir, const char *name, uint64_t *ret_inode);

/* Whether @path is, here and now, what @dir is open on. */
bool pt_pin_leads_to(const char *path, int dir);

/*
 * Unmounts the pin of the process that has @inode, and removes the file; an
 * empty one with nothing mounted on it too, of which there may be none.  Takes
 * no descriptor.
 *
 * @path: of @dir, for want of /proc
 *
 * Return: 0; -ESTALE if something else is there, which stays.
 */
int pt_pin_drop(int dir, const char *path, const char *name, uint64_t inode);

#endif
