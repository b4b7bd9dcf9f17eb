/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One host that is connected to `pidtrack hold`: its next message, and what is
 * done about it.  Never blocks and keeps nothing: each answer goes out at once.
 */
#ifndef HOLD_PEER_H
#define HOLD_PEER_H

#include "held.h"

/*
 * Takes one message.
 *
 * Return: 0; a negative errno if the connection is to be closed: it has ended,
 * or does not read what it is answered.
 */
int hold_peer_serve(struct hold *hold, int socket);

/* Whether the other side is of our own user: 0, -EPERM, another errno. */
int hold_peer_check(int socket);

/* Says why it is not served; what becomes of that is its own affair. */
void hold_peer_refuse(int socket, int error);

#endif
