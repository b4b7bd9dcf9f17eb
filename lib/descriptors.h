/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The shim's descriptors, out of the host's: runs between clone and exec, with
 * system calls alone.
 */
#ifndef PT_DESCRIPTORS_H
#define PT_DESCRIPTORS_H

#include "base.h"
#include "pidtrack.h"

/* Descriptor @target of the shim is @source of the host. */
struct pt_move {
	int target;
	int source; /* or one of these */
};

#define PT_SOURCE_NULL PIDTRACK_FD_NULL /* /dev/null */
#define PT_SOURCE_SAME \
	(-2) /* @target as it is: open or not, exec keeps it or not */

/* Descriptors the child itself needs until it executes. */
enum pt_special {
	PT_SPECIAL_PUBLISH,
	PT_SPECIAL_KEEP,
	PT_SPECIAL_STORE, /* socket */
	PT_SPECIAL_PROGRAM,
	PT_SPECIAL_CGROUP,
	PT_SPECIAL_HOST, /* pidfd of the host */
	PT_SPECIAL_PIPE, /* closed by exec, which the parent waits for */
	PT_SPECIAL_MAX,
};

struct pt_descriptors {
	struct pt_move *moves; /* by target, ascending; 0, 1 and 2 among them */
	size_t n_moves;
	int specials[PT_SPECIAL_MAX]; /* -1: not needed */
	bool shared;		      /* the table is still the parent's */
	int post; /* whence the child takes what is far; -1: nothing is */
};

/*
 * A table is copied up to the highest descriptor that is needed, and of a host
 * with many that is far: those are sent to the child, so that a launch costs
 * the same whatever their numbers.  Before the clone, in the host; where they
 * cannot be sent the table is copied.
 *
 * @ends: of a socket pair, the second for the child; or -1
 */
void pt_descriptors_post(struct pt_descriptors *fds, const int ends[2]);

/*
 * After it: closes what the child did not take.
 *
 * Return: 0; the errno of recvmsg(2): it is in the socket pair still, and goes
 *         with that.
 */
int pt_descriptors_unpost(struct pt_descriptors *fds);

/*
 * Makes the table the child's own, first of all.
 *
 * Return: 0; -ENOSYS, -EPERM or -EINVAL where that is refused.
 */
int pt_descriptors_own(struct pt_descriptors *fds);

/*
 * Makes the moves, and closes everything but targets and specials; the latter
 * may have other numbers afterwards, and are closed by exec.
 */
int pt_descriptors_move(struct pt_descriptors *fds);

#endif
