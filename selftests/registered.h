/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A directory of records for tests, and what a registry tells of it; on
 * pidtrack.h alone.
 */
#ifndef REGISTERED_H
#define REGISTERED_H

#include <limits.h>
#include <sys/stat.h>

#include "verified.h"

#define FOLLOW PIDTRACK_REGISTRY_FOLLOW

static inline const char *path_in(const char *dir, const char *name)
{
	static char paths[8][512];
	static int n;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return strcpy(paths[n++ % 8], path);
}

/* Written elsewhere and renamed, as hosts should. */
static inline void put_bytes(struct __test_metadata *_metadata, const char *dir,
			     const char *name, const char *bytes, size_t size)
{
	char temporary[64];
	int fd;

	snprintf(temporary, sizeof(temporary), ".test-%d", getpid());
	fd = open(path_in(dir, temporary),
		  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	ASSERT_EQ((ssize_t)size, write(fd, bytes, size));
	close(fd);
	ASSERT_EQ(0, rename(path_in(dir, temporary), path_in(dir, name)));
}

static inline void put(struct __test_metadata *_metadata, const char *dir,
		       const char *name, const char *text)
{
	put_bytes(_metadata, dir, name, text, strlen(text));
}

static inline size_t get(struct __test_metadata *_metadata, const char *path,
			 char *ret_bytes, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	ASSERT_GE(fd, 0);
	n = read(fd, ret_bytes, size);
	ASSERT_GT(n, 0);
	close(fd);
	return n;
}

/* A number that nobody has. */
static inline const char *stale_text(struct __test_metadata *_metadata)
{
	static char text[32];
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	snprintf(text, sizeof(text), "%d\n", pid);
	return text;
}

static inline struct pidtrack_registry *
registry_open(struct __test_metadata *_metadata, const char *dir,
	      uint32_t flags)
{
	struct pidtrack_registry *registry = NULL;

	ASSERT_EQ(0, pidtrack_registry_open(dir, flags, &registry));
	return registry;
}

static inline bool registry_is_readable(const struct pidtrack_registry *it)
{
	return await_fd(pidtrack_registry_fd(it), POLLIN, 0) & POLLIN;
}

static inline void check_found(struct __test_metadata *_metadata,
			       const struct pidtrack_found *found)
{
	EXPECT_STRNE("unknown", pidtrack_change_name(found->change));
	EXPECT_EQ(!found->record, !found->comparison);
	if (found->change == PIDTRACK_REMOVED) {
		EXPECT_NULL(found->record);
		EXPECT_EQ(0, found->error);
	} else {
		EXPECT_EQ(!found->record, found->error < 0);
	}
}

/* The next it tells; NULL: nothing. */
static inline const struct pidtrack_found *
found_next(struct __test_metadata *_metadata,
	   struct pidtrack_registry *registry)
{
	const struct pidtrack_found *found = NULL;
	int r = pidtrack_registry_next(registry, NULL, &found);

	ASSERT_GE(r, 0);
	if (r == 0)
		return NULL;
	check_found(_metadata, found);
	return found;
}

/* It tells this one next. */
#define EXPECT_TOLD(change_, name_, error_, registry)               \
	do {                                                        \
		const struct pidtrack_found *found_ =               \
			found_next(_metadata, registry);            \
                                                                    \
		ASSERT_TRUE(found_ != NULL);                        \
		EXPECT_STREQ(name_, found_->name);                  \
		EXPECT_STREQ(pidtrack_change_name(change_),         \
			     pidtrack_change_name(found_->change)); \
		EXPECT_EQ(error_, found_->error);                   \
	} while (0)

/* And then nothing, and is not readable either. */
#define EXPECT_QUIET(registry)                                \
	do {                                                  \
		EXPECT_NULL(found_next(_metadata, registry)); \
		EXPECT_FALSE(registry_is_readable(registry)); \
	} while (0)

#endif
