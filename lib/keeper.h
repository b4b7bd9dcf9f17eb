/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What keeps processes beyond the host, each under its label; knows no
 * trackers, and of processes no more than a pidfd.
 */
#ifndef PT_KEEPER_H
#define PT_KEEPER_H

#include "base.h"
#include "pin.h"
#include "pins.h"
#include "store.h"

/* Zero keeps nothing. */
struct pt_keeper {
	struct pt_pins *pins;	/* owned; or NULL */
	struct pt_store *store; /* likewise */
};

/* What is to be kept: as the host calls it, and what goes along. */
struct pt_keepsake {
	const char *label;
	const void *payload; /* @payload_size bytes; or NULL */
	size_t payload_size;
};

/* Where one is to be kept, until it is or is not. */
struct pt_place_kept {
	int file;   /* of its pin; owned; -1: nowhere */
	int socket; /* lent; likewise */
	struct pt_deposit deposit;
};

static inline void pt_place_kept_done(struct pt_place_kept *place)
{
	place->file = fd_close(place->file);
}

/*
 * @pins: a directory, or NULL
 * @store: a path, PIDTRACK_STORE_SERVICE, or NULL
 *
 * Return: 0, or as pt_pins_open() and pt_store_open().
 */
int pt_keeper_open(struct pt_keeper *keeper, const char *pins,
		   const char *store);

/* Who is kept stays so; if nobody is, nothing is left of it. */
void pt_keeper_close(struct pt_keeper *keeper);

/* The same in a child of fork(), for its copy: nothing is undone. */
void pt_keeper_abandon(struct pt_keeper *keeper);

bool pt_keeper_is_open(const struct pt_keeper *keeper);

/*
 * Before one is claimed.
 *
 * Return: 0; 1 if the store may have forgotten whom it kept; an error if it is
 *         not there.
 */
int pt_keeper_ensure(const struct pt_keeper *keeper);

/*
 * Makes room for one, before it is cloned.
 *
 * Return: 0, and pt_keeper_let_go() if nothing comes of it; -EEXIST if the
 *         label is kept already, -ENAMETOOLONG, -ENOSPC and the like.
 */
int pt_keeper_claim(const struct pt_keeper *keeper,
		    const struct pt_keepsake *keepsake,
		    struct pt_place_kept *ret_place);

/*
 * Keeps the calling process, between clone and exec, with system calls alone.
 *
 * @argument: the place
 * @file, @socket: of it, as the numbers they have there
 */
int pt_keeper_keep_self(void *argument, int file, int socket, int self);

/* Likewise: it is not in the store any more. */
void pt_keeper_take_back(void *argument, int socket, int self);

/* Both, for a process that runs: all or nothing. */
int pt_keeper_keep(const struct pt_keeper *keeper,
		   const struct pt_keepsake *keepsake, int pidfd);

/* Gives one to a store that has forgotten it; 0 also if it has not. */
int pt_keeper_keep_again(const struct pt_keeper *keeper,
			 const struct pt_keepsake *keepsake, int pidfd);

/*
 * One came over exec, and is to be kept: by the store, too, which may have been
 * begun anew before we connected to it.
 */
void pt_keeper_doubt(const struct pt_keeper *keeper);

/* Not all could be given: pt_keeper_ensure() shall be 1 once more. */
void pt_keeper_lose(const struct pt_keeper *keeper);

/* What goes along with one that is kept is another now. */
int pt_keeper_pay(const struct pt_keeper *keeper,
		  const struct pt_keepsake *keepsake, uint64_t inode);

/* The one that has @inode is kept no longer; nor what was only claimed. */
void pt_keeper_let_go(const struct pt_keeper *keeper, const char *label,
		      uint64_t inode);

#endif
