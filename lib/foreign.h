/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The records of others: boxlite's, brood-box's, and plain pid files.
 */
#ifndef PT_FOREIGN_H
#define PT_FOREIGN_H

#include "base.h"
#include "lines.h"

struct pt_foreign {
	uint32_t format; /* enum pidtrack_record_format */
	pid_t pid;
	bool has_start;
	uint64_t start; /* clock ticks, as the writer's /proc told */
	bool torn;	/* the last line has no end: it may be longer */
	struct pt_span capability; /* of the text parsed, as is: */
	struct pt_span exe;	   /* without blanks at its ends */
};

/* Return: 0; -EBADMSG. */
int pt_foreign_parse(struct pt_span text, struct pt_foreign *ret_foreign);

#endif
