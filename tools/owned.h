/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a variable owns is given up when it goes out of scope.
 */
#ifndef OWNED_H
#define OWNED_H

#include <stdlib.h>
#include <unistd.h>

#include "pidtrack.h"

#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

static inline void fd_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Passes it out of a CLEANUP variable. */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void pidtrack_freep(struct pidtrack **tracker)
{
	*tracker = pidtrack_free(*tracker);
}

static inline void pidtrack_record_freep(struct pidtrack_record **record)
{
	*record = pidtrack_record_free(*record);
}

static inline void pidtrack_registry_freep(struct pidtrack_registry **registry)
{
	*registry = pidtrack_registry_free(*registry);
}

#endif
