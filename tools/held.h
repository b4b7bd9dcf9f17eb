/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The pidfds that `pidtrack hold` keeps: each under its name, in the order in
 * which they came.
 */
#ifndef HELD_H
#define HELD_H

#include <stddef.h>
#include <stdint.h>

/* One of them. */
struct held {
	struct held *next; /* the one that came after it */
	struct held *previous;
	struct held *same_bucket;
	uint64_t serial; /* > 0, and greater than of all before */
	int fd;		 /* owned */
	char *payload;	 /* owned: text, or NULL */
	char *name;	 /* owned */
};

struct hold {
	struct held *first, *last;
	struct held **buckets;
	size_t n_buckets; /* a power of two */
	size_t n, max;
	uint64_t serial; /* of the last one that came */
};

/* Room for at most @max.  Return: 0 or -ENOMEM. */
int hold_init(struct hold *hold, size_t max);

/* Lets go of all. */
void hold_done(struct hold *hold);

/*
 * Keeps a pidfd.  The part of a name behind the second dot is whose it is: a
 * label, of which there is one at a time.
 *
 * @fd: taken over on success
 * @payload: may be NULL
 *
 * Return: 0; -EEXIST if the name, or the label in it, is there; -ENOSPC if it
 * is full; -EBADF if @fd is no pidfd; -ENOMEM.
 */
int hold_keep(struct hold *hold, int fd, const char *name, const char *payload);

/* Return: 0; -ENOENT, -ENOMEM. */
int hold_pay(struct hold *hold, const char *name, const char *payload);

/* Return: 0, or -ENOENT. */
int hold_let_go(struct hold *hold, const char *name);

/* The first that came after @serial; NULL if there is none. */
const struct held *hold_after(const struct hold *hold, uint64_t serial);

#endif
