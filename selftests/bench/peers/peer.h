/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A peer: one way of launching children and being told how they ended.  Each is
 * a program of its own, since they do not get on with each other, and does what
 * it is ordered over a socket; see orders.h.
 *
 * Whoever is launched has a number, who; peer_main() knows what it is to exit
 * with, and that it ends once.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../orders.h"

#define PID_MAX (1 << 22) /* of the kernel, the most there may be */

/* Functions return 0 or a negative errno. */
struct peer {
	int (*begin)(void);
	/* Launches @argv and sees to it that its end will be told. */
	int (*launch)(char *const *argv, uint32_t who);
	/*
	 * One turn of its loop: waits until something has ended, tells of it
	 * by peer_ended(), and of what else may be told at once.
	 */
	int (*turn)(bool wait);
	bool any_sigchld; /* it wakes when anybody's child ends */
};

/* @status: as of wait(2) */
void peer_ended(uint32_t who, int status);

/*
 * Who will be the next to end, or the oldest of many who will; SLOTS where that
 * may be anybody.
 */
uint32_t peer_due(void);

/* Return: its pid, or a negative errno.  The launcher of all who allow it. */
pid_t peer_vfork(char *const *argv);

/* A status as waitid(2) tells it, as of wait(2). */
int peer_status(int code, int status);

int peer_main(const struct peer *peer, int argc, char **argv);

#endif
