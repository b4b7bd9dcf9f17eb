/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The socket of `pidtrack hold`: at a path, for its own user alone, one at a
 * time.
 */
#ifndef HOLD_SOCKET_H
#define HOLD_SOCKET_H

#include <stdint.h>

struct hold_socket {
	int fd;			/* owned */
	uint64_t device, inode; /* of what has the path since */
};

/*
 * Listens there; a socket that nobody listens on any more is replaced.
 *
 * Return: 0; -EADDRINUSE if somebody does; -EEXIST if it is no socket;
 * -ENAMETOOLONG beyond 107 bytes; the kernel's.
 */
int hold_socket_open(const char *path, struct hold_socket *ret_socket);

/* What has the path by now, for one that was open when we were executed. */
int hold_socket_look(const char *path, struct hold_socket *socket);

/* Removes the path too, if it is still this one's. */
void hold_socket_close(const char *path, struct hold_socket *socket);

#endif
