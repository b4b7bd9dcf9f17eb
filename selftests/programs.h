/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* The other programs that tests start, where nobody says where they are. */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As they are built, seen from this one; what is not there is not named. */
static inline void programs_find(void)
{
	static const struct {
		const char *variable, *path;
	} programs[] = {
		{ "PIDTRACK_TEST_SHIM", "pt-shim" },
		{ "PIDTRACK_TEST_TOOL", "../tools/pidtrack" },
		{ "PIDTRACK_TEST_HEIR", "pt-heir" },
		{ "PIDTRACK_TEST_HEIR_STATIC", "pt-heir-static" },
	};
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *name;
	size_t i;

	if (n < 0)
		return;
	path[n] = '\0';
	name = strrchr(path, '/') + 1;
	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		snprintf(name, (size_t)(path + sizeof(path) - name), "%s",
			 programs[i].path);
		if (access(path, X_OK) == 0)
			setenv(programs[i].variable, path, 0);
	}
}

#endif
