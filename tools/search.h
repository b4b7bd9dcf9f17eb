/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Which file a command's name means, by the rules of execvp(3).
 */
#ifndef SEARCH_H
#define SEARCH_H

#include <limits.h>

/*
 * @name: with a '/' in it, it is the file
 * @path: directories to search, as PATH has them
 * @cwd: a relative one is relative to this; NULL: to ours
 *
 * Return: 0; -ENOENT if there is none, -EACCES if there are, but none that may
 *         be executed, -ENAMETOOLONG.
 */
int search_program(const char *name, const char *path, const char *cwd,
		   char ret_program[PATH_MAX]);

#endif
