/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What happens to processes, counted, as OpenMetrics text: in a file that is
 * replaced whenever something has changed, or for those who ask for it.
 */
#ifndef OPENMETRICS_H
#define OPENMETRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "audience.h"
#include "scrape.h"

/* How processes end, as the label "kind" has it. */
enum openmetrics_kind {
	OPENMETRICS_EXITED, /* with code 0 */
	OPENMETRICS_FAILED, /* with another */
	OPENMETRICS_KILLED, /* by a signal */
	OPENMETRICS_DUMPED, /* likewise, and its core was */
	OPENMETRICS_UNKNOWN,
	OPENMETRICS_KINDS
};

#define OPENMETRICS_SOURCES 3  /* PIDTRACK_SOURCE_ */
#define OPENMETRICS_VERDICTS 7 /* PIDTRACK_VERDICT_, 0: there is none */

struct openmetrics {
	struct listener listener;
	const char *path;      /* lent; NULL: there is a scrape */
	struct scrape *scrape; /* owned */

	struct timespec begun; /* by the clock on the wall */
	uint64_t watched;
	uint64_t ended; /* of these: they do not run any more */
	uint64_t told;	/* of these: how is told */
	uint64_t kinds[OPENMETRICS_KINDS];
	uint64_t sources[OPENMETRICS_SOURCES];
	uint64_t absent[OPENMETRICS_VERDICTS];
	uint64_t removed;
	size_t lost;

	bool changed;  /* since it was written */
	bool failed;   /* when it was written last */
	int64_t later; /* ms of a monotonic clock: it is not written before */
};

/* Whether @word names a file, and no address.  Return: 1, 0, or EXIT_USAGE,
 * having complained: then it is neither. */
int openmetrics_check(const char *word);

/* Return: 0, or EXIT_FAILED, having complained. */
int openmetrics_open(struct openmetrics *metrics, const char *word);

/* Writes what is not written.  Return: 0, or EXIT_FAILED, having complained. */
int openmetrics_close(struct openmetrics *metrics);

#endif
