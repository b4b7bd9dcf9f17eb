/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Those who are told what happens to the processes that are watched: the
 * terminal or whoever reads standard output, files, scrapes.  Each is a
 * listener, and none knows of the others.
 */
#ifndef AUDIENCE_H
#define AUDIENCE_H

#include <stddef.h>
#include <stdint.h>

#include "globs.h"
#include "pidtrack.h"
#include "target.h"

#define AUDIENCE_MAX 4 /* listeners */

struct audience;
struct listener;

/* A record whose process is not watched, and why. */
struct absence {
	const struct pidtrack_record *record; /* NULL: it is not readable */
	const struct pidtrack_comparison *comparison; /* verdict 0: there was
						       * none */
	uint32_t flags; /* PIDTRACK_ATTACH_, which were given */
	int error;	/* of reading or attaching */
};

/* What a listener is told; NULL where it does not care.  Each @target is lent:
 * a watched one until forget(), another for the call. */
struct listener_calls {
	/* It is watched from now on.  Return: 0, or a negative errno. */
	int (*attached)(struct listener *listener, const struct target *target);
	/* Its last event has just happened. */
	void (*event)(struct listener *listener, const struct target *target);
	/* There is a record, and its process is not watched. */
	void (*absent)(struct listener *listener, const struct target *target,
		       const struct absence *absence);
	/* Its record was removed, or is another's now. */
	void (*removed)(struct listener *listener, const struct target *target);
	/* It is watched no longer. */
	void (*forget)(struct listener *listener, const struct target *target);

	/*
	 * All that happened was told: now is the time to write it.  Also when
	 * @fd is readable, and when its patience is over.
	 *
	 * Return: 0; -EPIPE if nobody listens any more, which ends watching; a
	 *         negative errno, which fails it.
	 */
	int (*settle)(struct listener *listener,
		      const struct audience *audience);
	/* Return: ms until it wants settle() at the latest, -1: no matter. */
	int (*patience)(const struct listener *listener);
};

struct listener {
	const struct listener_calls *calls;
	int fd; /* of its own; -1: none */
};

/* What is watched so far, and who is told. */
struct audience {
	struct pidtrack *tracker;
	unsigned int attach; /* TARGET_ */
	struct globs wanted; /* the others are as if not there */
	size_t left;	     /* processes that have not ended */
	size_t lost;	     /* records without a process */
	uint64_t serial;     /* the last of a target */
	struct listener *listeners[AUDIENCE_MAX];
	size_t n;
};

/* @listener hears of all that is told from now on. */
void audience_add(struct audience *audience, struct listener *listener);

/* From now on @target is watched, and has a serial.  Return: 0, or EXIT_FAILED,
 * having complained. */
int audience_attached(struct audience *audience, struct target *target);

void audience_event(struct audience *audience, const struct target *target);
void audience_absent(struct audience *audience, const struct target *target,
		     const struct absence *absence);
void audience_removed(struct audience *audience, const struct target *target);
void audience_forget(struct audience *audience, const struct target *target);

/* Return: the first settle() that failed, or 0; all have been called. */
int audience_settle(struct audience *audience);

/* Return: the least patience of all, for poll(2). */
int audience_patience(const struct audience *audience);

#endif
