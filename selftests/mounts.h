/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A mount namespace of the test's own, and in it a directory with a file system
 * of its own, where it may mount what it likes; whoever may not skips.
 */
#ifndef MOUNTS_H
#define MOUNTS_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "children.h"
#include "harness.h"

struct room {
	char path[64];
	char pins[80]; /* a name in it, of nothing yet */
};

#define ROOM_NULL  \
	{          \
		"" \
	}

/* False, and the test skipped, where that may not be. */
static inline bool room_make(struct __test_metadata *_metadata,
			     struct room *room)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		SKIP(return false, "no mount namespace: %s", strerror(errno));
	}
	snprintf(room->path, sizeof(room->path), "/tmp/pidtrack-room-XXXXXX");
	EXPECT_TRUE(mkdtemp(room->path) != NULL);
	EXPECT_EQ(0, mount("room", room->path, "tmpfs", 0, "mode=0755"));
	snprintf(room->pins, sizeof(room->pins), "%s/pins", room->path);
	return true;
}

/* What is mounted in it goes along. */
static inline void room_end(struct room *room)
{
	if (!room->path[0])
		return;
	umount2(room->path, MNT_DETACH);
	rmdir(room->path);
}

/* How many mounts there are at @path and below, as this process sees them. */
static inline int mounts_at(const char *path)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	size_t length = strlen(path);
	char line[4096], at[1024];
	int n = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %*s %*s %*s %1023s", at) == 1 &&
		    !strncmp(at, path, length) &&
		    (!at[length] || at[length] == '/'))
			n++;
	if (file)
		fclose(file);
	return file ? n : -1;
}

static inline bool path_exists(const char *path)
{
	struct stat unused;

	return !lstat(path, &unused);
}

#endif
