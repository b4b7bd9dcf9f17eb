/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "search.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "owned.h"

/* "DIRECTORY/NAME", or "./NAME" for an empty directory, which is the working
 * one; false if it does not fit. */
static bool join(const char *directory, size_t n, const char *name,
		 char ret_program[PATH_MAX])
{
	if (n + 1 + strlen(name) >= PATH_MAX)
		return false;
	format_text(ret_program, PATH_MAX, "%.*s/%s", n ? (int)n : 1,
		    n ? directory : ".", name);
	return true;
}

/* Return: 0 if it can be executed, -EACCES if not, -ENOENT if none is seen. */
static int look(int at, const char *program)
{
	struct stat stat;

	if (fstatat(at, program, &stat, 0) < 0)
		return -ENOENT;
	if (!S_ISREG(stat.st_mode) ||
	    faccessat(at, program, X_OK, AT_EACCESS) < 0)
		return -EACCES;
	return 0;
}

static int search(int at, const char *name, const char *path,
		  char ret_program[PATH_MAX])
{
	int result = -ENOENT;

	for (;; path++) {
		size_t n = strcspn(path, ":");

		if (join(path, n, name, ret_program)) {
			int r = look(at, ret_program);

			if (r == 0)
				return 0;
			if (r == -EACCES)
				result = r;
		}
		path += n;
		if (!*path)
			return result;
	}
}

int search_program(const char *name, const char *path, const char *cwd,
		   char ret_program[PATH_MAX])
{
	CLEANUP(fd_closep) int at = -1;

	if (!*name)
		return -ENOENT;
	if (strchr(name, '/')) {
		if (strlen(name) >= PATH_MAX)
			return -ENAMETOOLONG;
		format_text(ret_program, PATH_MAX, "%s", name);
		return 0;
	}

	/* if it cannot be opened, the launch will fail for that, and say so */
	if (cwd)
		at = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return search(at < 0 ? AT_FDCWD : at, name, path, ret_program);
}
