/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A trace of the lives of processes as viewers of traces read it: an array in
 * the Trace Event Format of Chrome and Perfetto, which needs no end.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stdio.h>

#include "audience.h"

struct trace {
	struct listener listener;
	const char *path; /* lent */
	int fd;		  /* owned */
	FILE *batch;	  /* what was told since the last write; owned */
	char *text;	  /* its bytes, likewise */
	size_t size;
	bool failed;
};

/* Whatever was in @path is replaced.  Return: 0, or EXIT_FAILED, having
 * complained. */
int trace_open(struct trace *trace, const char *path);

/* Its end.  Return: 0, or EXIT_FAILED if not all was written, having complained
 * then. */
int trace_close(struct trace *trace);

#endif
