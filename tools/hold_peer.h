/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One host that is connected to `pidtrack hold`: its next message, and what is
 * done about it.  Never blocks and keeps nothing: each answer goes out at once.
 */
#ifndef HOLD_PEER_H
#define HOLD_PEER_H

#include <stdbool.h>

#include "held.h"

#define HOLD_PEERS_MAX 64

/* All that there is: what is handed over to the next that is executed. */
struct holding {
	struct hold hold;
	int listener;
	int peers[HOLD_PEERS_MAX];
	size_t n_peers;
	bool catches_up; /* but for this: hold_peer_serve() is in it */
};

/*
 * Takes one message; but before a list, all that others have sent by then: a
 * host that is no more may have let go of what the next asks for.
 *
 * Return: 0; a negative errno if the connection is to be closed: it has ended,
 * or does not read what it is answered.
 */
int hold_peer_serve(struct holding *holding, int socket);

/* Whether the other side is of our own user: 0, -EPERM, another errno. */
int hold_peer_check(int socket);

/* Says why it is not served; what becomes of that is its own affair. */
void hold_peer_refuse(int socket, int error);

#endif
