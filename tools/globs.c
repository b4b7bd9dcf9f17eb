/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "globs.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

int globs_add(struct globs *globs, const char *glob)
{
	const char **all;

	all = reallocarray(globs->all, globs->n + 1, sizeof(*all));
	if (!all)
		return tracker_failed("beginning", -ENOMEM);
	globs->all = all;
	globs->all[globs->n++] = glob;
	return 0;
}

void globs_done(struct globs *globs)
{
	free(globs->all);
}

static bool is_matched(const char *glob, const char *name)
{
	return name && *name && fnmatch(glob, name, 0) == 0;
}

bool globs_match(const struct globs *globs, const char *label, const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	for (size_t i = 0; i < globs->n; i++) {
		if (is_matched(globs->all[i], label) ||
		    is_matched(globs->all[i], slash ? slash + 1 : path))
			return true;
	}
	return globs->n == 0;
}
