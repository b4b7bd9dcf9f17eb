/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Somebody else who keeps pidfds for us: `pidtrack hold`, who answers, or the
 * service manager, who does not.  Both are spoken to in the lines of
 * sd_notify(3).  Knows no processes.
 */
#ifndef PT_STORE_H
#define PT_STORE_H

#include "stored.h"

struct pt_store {
	char *address; /* owned: of its socket */
	bool service;  /* it is the service manager's */
	int socket;    /* connected; -1: no more */
	bool doubted;  /* not all that it is to keep may be there */
	bool stuck;    /* it had no room for the last that was let go */
	uint64_t tag;  /* of the last request: what it is answered by */
};

/*
 * @where: a path, or PIDTRACK_STORE_SERVICE
 *
 * Return: 0; -EOPNOTSUPP without pidfs; -ENOTCONN if we are no service; else as
 *         pt_message_connect(), and what we are refused with: -EPERM, -EUSERS.
 */
int pt_store_open(const char *where, struct pt_store **ret_store);

/* Whoever is kept stays so.  NULL is fine.  Return: NULL. */
struct pt_store *pt_store_close(struct pt_store *store);

/*
 * Connects again where the other side has ended: then it knows nobody any more.
 *
 * Return: 1 if it did, or that may have been so before; 0 if there was no need;
 *         as pt_store_open().
 */
int pt_store_ensure(struct pt_store *store);

/* Somebody is to be kept there who was given to it by another connection. */
void pt_store_doubt(struct pt_store *store);

/* One to be kept: all of the message that is known beforehand. */
struct pt_deposit {
	uint64_t tag;
	bool service;
	pid_t host;	   /* who is the sender to the service manager */
	size_t label_size; /* of @size, ".LABEL" */
	size_t size;
	char rest[3584]; /* ".LABEL", and for who takes it the payload */
};

/* Return: 0, or -ENAMETOOLONG. */
int pt_store_prepare(struct pt_store *store, const char *label,
		     const void *payload, size_t payload_size,
		     struct pt_deposit *ret_deposit);

/*
 * Has a pidfd kept, and waits until it is; makes system calls and nothing else,
 * so that the process itself can, between clone and exec.
 *
 * @socket: that of the store, whatever its number is there
 *
 * Return: 0; -EEXIST, -ENOSPC; -ETIMEDOUT; -EPIPE, -ECONNRESET,
 *         -ECONNREFUSED if the other side has ended.
 */
int pt_store_keep(const struct pt_deposit *deposit, int socket, int pidfd);

/* The same between clone and exec, by who was kept. */
void pt_store_take_back(const struct pt_deposit *deposit, int socket,
			int pidfd);

/*
 * Has it kept no longer, if it was; does not wait for that, nor more than once
 * for room to say so: what cannot be said is kept as long as the store lives.
 */
void pt_store_let_go(struct pt_store *store, const char *label, uint64_t inode);

/* Another payload for one that is kept, where it goes along. */
int pt_store_pay(struct pt_store *store, const char *label, uint64_t inode,
		 const void *payload, size_t size);

/*
 * All that are kept; of the service manager's those that it gave us when we
 * were executed, each only once: pt_given_return() undoes that.  Its
 * descriptors stay open, and become close-on-exec.
 */
int pt_store_list(struct pt_store *store, struct pt_stored_list *ret_list);
#endif
