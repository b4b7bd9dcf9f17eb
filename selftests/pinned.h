/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Pins made with system calls alone, in a tmpfs and a mount namespace of the
 * test's own; whoever may not make them skips.
 */
#ifndef PINNED_H
#define PINNED_H

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "verified.h"

#define PIN_SYS_OPEN_TREE 428  /* Linux 5.2 */
#define PIN_SYS_MOVE_MOUNT 429 /* Linux 5.2 */

struct pins {
	char dir[64];
};

static inline const char *pin_path(const struct pins *pins, const char *name)
{
	static char paths[8][400];
	static int n;
	char *path = paths[n++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", pins->dir, name);
	return path;
}

/* Return: 0 or -errno. */
static inline int pins_make(struct pins *ret_pins)
{
	int r = pidtrack_feature_probe(PIDTRACK_FEATURE_PIN);

	*ret_pins->dir = '\0';
	if (r < 0)
		return r;
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	strcpy(ret_pins->dir, "/tmp/pt-pins-XXXXXX");
	if (!mkdtemp(ret_pins->dir))
		return -errno;
	if (mount("tmpfs", ret_pins->dir, "tmpfs",
		  MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return -errno;
	return 0;
}

/* From now on it is known for a directory of pins. */
static inline int pins_mark(const struct pins *pins)
{
	int fd = open(pin_path(pins, ".pidtrack-pins"),
		      O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* All that is mounted there goes with it. */
static inline void pins_remove(struct pins *pins)
{
	if (!*pins->dir)
		return;
	umount2(pins->dir, MNT_DETACH);
	rmdir(pins->dir);
}

/* The file that a pin is mounted on: a descriptor to be closed after that. */
static inline int pin_begin(const struct pins *pins, const char *name)
{
	return open(pin_path(pins, name),
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/* Return: 0 or -errno. */
static inline int pin_mount(const struct pins *pins, const char *name,
			    int pidfd)
{
	int tree = (int)syscall(PIN_SYS_OPEN_TREE, pidfd, "",
				1 /* CLONE */ | AT_EMPTY_PATH | O_CLOEXEC);
	int r = 0;

	if (tree < 0)
		return -errno;
	if (syscall(PIN_SYS_MOVE_MOUNT, tree, "", AT_FDCWD,
		    pin_path(pins, name), 4 /* F_EMPTY_PATH */) < 0)
		r = -errno;
	close(tree);
	return r;
}

static inline int pin_make(const struct pins *pins, const char *name, int pidfd)
{
	int fd = pin_begin(pins, name), r;

	if (fd < 0)
		return -errno;
	r = pin_mount(pins, name, pidfd);
	close(fd);
	return r;
}

static inline int pin_drop(const struct pins *pins, const char *name)
{
	if (umount2(pin_path(pins, name), MNT_DETACH) < 0 ||
	    unlink(pin_path(pins, name)) < 0)
		return -errno;
	return 0;
}

static inline struct pidtrack_record *
pin_read(struct __test_metadata *_metadata, const struct pins *pins,
	 const char *name)
{
	struct pidtrack_record *record = NULL;

	ASSERT_EQ(0, pidtrack_record_read(pin_path(pins, name), &record));
	ASSERT_EQ(PIDTRACK_RECORD_PIN, pidtrack_record_format(record));
	return record;
}

#endif
