/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What every benchmark does with times.
 */
#ifndef FIGURES_H
#define FIGURES_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* That of which @part of all are smaller; sorts. */
static inline double part_of(double *values, unsigned int n, double part)
{
	qsort(values, n, sizeof(*values), by_size);
	return values[(unsigned int)(part * (n - 1) + 0.5)];
}

#endif
