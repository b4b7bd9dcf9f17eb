/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A directory of the test's own, and files in it. */
#ifndef FILES_H
#define FILES_H

#include <ftw.h>
#include <sys/stat.h>

#include "children.h"
#include "harness.h"

/* Up to the end of @fd, or with @line of the first line. */
static inline const char *fd_text(struct __test_metadata *_metadata, int fd,
				  bool line)
{
	static char text[65536];
	size_t size = 0;
	ssize_t n;

	while (size < sizeof(text) - 1) {
		n = read(fd, text + size, line ? 1 : sizeof(text) - 1 - size);
		if (n < 0 && errno == EINTR)
			continue;
		ASSERT_GE(n, 0);
		size += n;
		if (!n || (line && text[size - 1] == '\n'))
			break;
	}
	text[size] = '\0';
	return text;
}

struct directory {
	char path[64];
};

/* One that everybody may enter. */
static inline void directory_make(struct __test_metadata *_metadata,
				  struct directory *ret_directory)
{
	snprintf(ret_directory->path, sizeof(ret_directory->path),
		 "/tmp/pidtrack-test-XXXXXX");
	ASSERT_TRUE(mkdtemp(ret_directory->path) != NULL);
	ASSERT_EQ(0, chmod(ret_directory->path, 0755));
}

static inline int directory_remove_one(const char *path,
				       const struct stat *unused, int type,
				       struct FTW *ftw)
{
	return remove(path);
}

/* With all that is in it. */
static inline void directory_remove(struct directory *directory)
{
	nftw(directory->path, directory_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct path {
	char text[256];
};

static inline struct path path_in(const struct directory *directory,
				  const char *name)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "%s/%s", directory->path, name);
	return path;
}

/* What is in it, each with a blank behind it, in order; lent. */
static inline const char *directory_list(const struct directory *directory)
{
	static char text[65536];
	struct dirent **names;
	int i, n = scandir(directory->path, &names, NULL, alphasort);
	size_t size = 0;

	if (sandbox_refuses("unlinkat")) /* then names stay, and nobody says */
		harness_told(-EOPNOTSUPP, 0, "nobody");
	text[0] = '\0';
	for (i = 0; i < n; i++) {
		if (strcmp(names[i]->d_name, ".") &&
		    strcmp(names[i]->d_name, "..") && size < sizeof(text))
			size += snprintf(text + size, sizeof(text) - size,
					 "%s ", names[i]->d_name);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return text;
}

static inline void file_write(struct __test_metadata *_metadata,
			      const char *path, const void *bytes, size_t size,
			      mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(size, write(fd, bytes, size));
	ASSERT_EQ(0, fchmod(fd, mode));
	close(fd);
}

static inline void file_text(struct __test_metadata *_metadata,
			     const char *path, const char *text, mode_t mode)
{
	file_write(_metadata, path, text, strlen(text), mode);
}

/* NULL if it cannot be opened; else lent until the next call. */
static inline const char *file_read(struct __test_metadata *_metadata,
				    const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const char *text;

	if (fd < 0)
		return NULL;
	text = fd_text(_metadata, fd, false);
	close(fd);
	return text;
}

#endif
