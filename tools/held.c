/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "held.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "owned.h"

#ifndef P_PIDFD
#define P_PIDFD 3 /* Linux 5.4, wait.h */
#endif

int hold_init(struct hold *hold, size_t max)
{
	memset(hold, 0, sizeof(*hold));
	hold->max = max;
	hold->n_buckets = 64;
	while (hold->n_buckets < max)
		hold->n_buckets *= 2;
	hold->buckets = calloc(hold->n_buckets, sizeof(struct held *));
	return hold->buckets ? 0 : -ENOMEM;
}

/* "pidtrack.INODE.LABEL": of one label only one is kept. */
static const char *label_in(const char *name)
{
	const char *dot = strchr(name, '.');

	dot = dot ? strchr(dot + 1, '.') : NULL;
	return dot ? dot + 1 : name;
}

static struct held **bucket_of(const struct hold *hold, const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (const char *c = label_in(name); *c; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	return &hold->buckets[(hash ^ hash >> 32) & (hold->n_buckets - 1)];
}

static bool is_there(const struct hold *hold, const char *name)
{
	const struct held *held = *bucket_of(hold, name);

	while (held && strcmp(label_in(held->name), label_in(name)) != 0)
		held = held->same_bucket;
	return held;
}

/* Of all descriptors only a pidfd is one to wait for. */
static bool is_pidfd(int fd)
{
	siginfo_t siginfo;

	return waitid((idtype_t)P_PIDFD, (id_t)fd, &siginfo,
		      WEXITED | WNOHANG | WNOWAIT) == 0 ||
	       errno == ECHILD;
}

static void held_free(struct held *held)
{
	free(held->name);
	free(held->payload);
	free(held);
}

static struct held *held_new(const char *name, const char *payload)
{
	struct held *held;

	held = calloc(1, sizeof(*held));
	if (!held)
		return NULL;
	held->name = strdup(name);
	held->payload = payload ? strdup(payload) : NULL;
	if (held->name && (held->payload || !payload))
		return held;
	held_free(held);
	return NULL;
}

static void put_last(struct hold *hold, struct held *held)
{
	struct held **bucket = bucket_of(hold, held->name);

	held->serial = ++hold->serial;
	held->previous = hold->last;
	if (hold->last)
		hold->last->next = held;
	else
		hold->first = held;
	hold->last = held;
	held->same_bucket = *bucket;
	*bucket = held;
	hold->n++;
}

int hold_keep(struct hold *hold, int fd, const char *name, const char *payload)
{
	struct held *held;

	if (!is_pidfd(fd))
		return -EBADF;
	if (is_there(hold, name))
		return -EEXIST;
	if (hold->n >= hold->max)
		return -ENOSPC;
	held = held_new(name, payload);
	if (!held)
		return -ENOMEM;
	held->fd = fd;
	put_last(hold, held);
	return 0;
}

static void take_out(struct hold *hold, struct held *held)
{
	if (held->previous)
		held->previous->next = held->next;
	else
		hold->first = held->next;
	if (held->next)
		held->next->previous = held->previous;
	else
		hold->last = held->previous;
	hold->n--;
	close(held->fd);
	held_free(held);
}

/* Where it is in its bucket, or would be at the end. */
static struct held **find(struct hold *hold, const char *name)
{
	struct held **at = bucket_of(hold, name);

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->same_bucket;
	return at;
}

int hold_pay(struct hold *hold, const char *name, const char *payload)
{
	struct held *held = *find(hold, name);
	char *copy = NULL;

	if (!held)
		return -ENOENT;
	if (payload) {
		copy = strdup(payload);
		if (!copy)
			return -ENOMEM;
	}
	free(held->payload);
	held->payload = copy;
	return 0;
}

int hold_let_go(struct hold *hold, const char *name)
{
	struct held **at = find(hold, name), *held = *at;

	if (!held)
		return -ENOENT;
	*at = held->same_bucket;
	take_out(hold, held);
	return 0;
}

const struct held *hold_after(const struct hold *hold, uint64_t serial)
{
	const struct held *held = hold->first;

	while (held && held->serial <= serial)
		held = held->next;
	return held;
}

void hold_done(struct hold *hold)
{
	while (hold->first)
		take_out(hold, hold->first);
	free(hold->buckets);
	hold->buckets = NULL;
}
