/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Messages with descriptors over a local socket.  Made of system calls alone,
 * for between clone and exec, but for pt_message_connect().
 */
#ifndef PT_MESSAGE_H
#define PT_MESSAGE_H

#include <poll.h>
#include <sys/uio.h>

#include "base.h"

#define PT_MESSAGE_FDS 253 /* that the kernel passes in one */
#define PT_MESSAGE_WAIT                                      \
	5000 /* milliseconds; for the other side, then it is \
		-ETIMEDOUT */

/*
 * @address: a path, or one of the abstract name space as "@name"
 * @type: SOCK_DGRAM or SOCK_SEQPACKET
 *
 * Return: a socket, connected; -ENAMETOOLONG beyond 107 bytes; -ENOENT,
 *         -ECONNREFUSED, -EACCES, -EPROTOTYPE, -EAGAIN.
 */
int pt_message_connect(const char *address, int type);

/* @fd: goes along, unless it is -1 */
int pt_message_send(int socket, const struct iovec *parts, size_t n, int fd);

/* The same of one part, but -EAGAIN where it would have to wait. */
int pt_message_send_now(int socket, const struct iovec *part);

/* As the first, @pid being told as the sender where that is allowed. */
int pt_message_send_as(int socket, const struct iovec *parts, size_t n, int fd,
		       pid_t pid);

/* What came; descriptors are close-on-exec and the reader's to close. */
struct pt_message {
	char *text; /* of @room bytes, given; a NUL is put behind it */
	size_t room;
	size_t size;
	int fds[PT_MESSAGE_FDS];
	size_t n_fds;
};

/* Waits for one: 0, -ECONNRESET at the end. */
int pt_message_receive(int socket, struct pt_message *message);

/* Closes those descriptors from @from on. */
void pt_message_drop(struct pt_message *message, size_t from);

/* Waits for what the other side does: > 0; -ETIMEDOUT. */
int pt_message_await(struct pollfd *fd);

/* Whether the other side has closed its end. */
bool pt_message_ended(int socket);

#endif
