/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Names, each with what was told of it, found again in the time that takes
 * whatever their number.
 */
#ifndef PT_NAMES_H
#define PT_NAMES_H

#include "base.h"

struct pt_name {
	char *text; /* owned; NULL: nothing is here */
	uint64_t hash;
	uint64_t told; /* to be compared, that is all */
	uint64_t pass; /* in which it was seen last */
};

/* Zero is none. */
struct pt_names {
	struct pt_name *places;
	size_t size; /* of @places: 0, or a power of two */
	size_t count;
};

void pt_names_done(struct pt_names *names);

/* NULL if it is not there.  Valid until one is added or removed. */
struct pt_name *pt_names_find(const struct pt_names *names, const char *text);

/* One that is not there yet; NULL: no memory. */
struct pt_name *pt_names_add(struct pt_names *names, const char *text);

/* Others may take its place; none behind it takes one before it. */
void pt_names_remove(struct pt_names *names, struct pt_name *name);

#endif
