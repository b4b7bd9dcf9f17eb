/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A directory of records as watch follows it: the processes of records that
 * come are watched, and what becomes of the records is told.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "audience.h"
#include "pidtrack.h"

struct member;

struct follow {
	const char *path;
	struct pidtrack_registry *registry; /* owned; NULL: it is gone */
	struct member *members;		    /* owned: one a record */
};

/* Return: 0, or EXIT_FAILED, having complained. */
int follow_open(const char *path, struct follow *ret_follow);
void follow_done(struct follow *follow, struct audience *audience);

/*
 * Takes in, and tells, what has happened in the directory.
 *
 * Return: 0; EXIT_NO if the directory is gone, EXIT_FAILED, having complained.
 */
int follow_take(struct follow *follow, struct audience *audience);

/* Forgets those that have ended and whose records are removed. */
void follow_sweep(struct follow *follow, struct audience *audience);

#endif
