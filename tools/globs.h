/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Which processes are wanted, by what they are called.
 */
#ifndef GLOBS_H
#define GLOBS_H

#include <stdbool.h>
#include <stddef.h>

struct globs {
	const char **all; /* owned; the @n patterns themselves are lent */
	size_t n;
};

/* Return: 0, or EXIT_FAILED, having complained. */
int globs_add(struct globs *globs, const char *glob);
void globs_done(struct globs *globs);

/*
 * Whether one of them matches, as a shell's do, all of @label or of the name
 * that @path ends with; without any, everything does.  Both may be NULL or
 * empty: what is not called anything is what none matches.
 */
bool globs_match(const struct globs *globs, const char *label,
		 const char *path);

#endif
