/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * From clone3 to exec, and a failure on that way back to the parent as a stage
 * and an errno.
 *
 * The child shares our memory until it executes (CLONE_VM|CLONE_VFORK), so that
 * the cost does not grow with the host, and our descriptor table until it makes
 * its own of the few it needs (CLONE_FILES, CLOSE_RANGE_UNSHARE), so that it
 * does not grow with the descriptors either.  Where that is not to be had
 * it is a plain fork in the end.
 */
#ifndef PT_LAUNCHPAD_H
#define PT_LAUNCHPAD_H

#include "base.h"
#include "pidtrack.h"

/*
 * What launches are made from, again and again: a stack for the child, a page
 * in which it reports, and which ways of cloning turned out to work here.
 */
struct pt_launchpad {
	void *memory;
	struct pt_report *report;
	uint32_t ways; /* not refused so far */
	bool suspends; /* a vfork-style clone really shares and suspends */
	int post[2];   /* owned: a socket pair, see descriptors.h; or -1 */
};

/*
 * Something to be done in the child just before the launch can no longer fail
 * for want of rights: as the host's user, with its working directory.
 */
struct pt_publish {
	int (*run)(void *argument, int fd, pid_t pid); /* 0 or negative errno */
	void *argument;
	int fd; /* lent to run, as the number it has in the child; or -1 */
};

/*
 * The same, and before it, with a pidfd of the child's own, which is closed
 * afterwards: what keeps it when nobody else does.
 */
struct pt_keep {
	/* 0 or negative errno */
	int (*run)(void *argument, int file, int socket, int self);
	/* the host has died, and who follows may have looked already */
	void (*take_back)(void *argument, int socket, int self);
	void *argument;
	int file;      /* lent to run, as the number it has in the child; -1 */
	int socket;    /* likewise */
	uint64_t kept; /* out, on failure too: inode of who was; 0: nobody */
};

struct pt_spawned {
	pid_t pid;
	int pidfd;
	uint32_t binding; /* enum pidtrack_binding */
};

int pt_launchpad_new(struct pt_launchpad *pad);
void pt_launchpad_done(struct pt_launchpad *pad);

/* Memory for the publisher, which parent and child share in any case. */
#define PT_LAUNCHPAD_SHARED 1024
void *pt_launchpad_shared(const struct pt_launchpad *pad);

/*
 * Launches.  @publish and @keep may be NULL.  On failure the child is reaped.
 *
 * Return: 0, or a negative errno and *reterr_stage.
 */
int pt_spawn(struct pt_launchpad *pad,
	     const struct pidtrack_spawn_options *options,
	     const struct pt_publish *publish, struct pt_keep *keep,
	     struct pt_spawned *ret_spawned, uint32_t *reterr_stage);

#endif
