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

/* Zero keeps nothing. */
struct pt_keeper {
	struct pt_pins *pins; /* owned; or NULL */
};

/* Where one is to be kept. */
struct pt_place_kept {
	int dir; /* lent */
	char name[PT_PIN_NAME_SIZE];
};

/* @pins: a directory, or NULL; 0 or as pt_pins_open(). */
int pt_keeper_open(struct pt_keeper *keeper, const char *pins);

/* Who is kept stays so; if nobody is, nothing is left of it. */
void pt_keeper_close(struct pt_keeper *keeper);

/* The same in a child of fork(), for its copy: nothing is undone. */
void pt_keeper_abandon(struct pt_keeper *keeper);

bool pt_keeper_is_open(const struct pt_keeper *keeper);

/*
 * Makes room for one, before it is cloned.
 *
 * Return: 0, and pt_keeper_let_go() if nothing comes of it; -EEXIST if the
 *         label is kept already, -ENAMETOOLONG, -ENOSPC and the like.
 */
int pt_keeper_claim(const struct pt_keeper *keeper, const char *label,
		    struct pt_place_kept *ret_place);

/*
 * Keeps the calling process, between clone and exec, with system calls alone.
 *
 * @argument: the place
 * @fd: its directory as the number it has there
 */
int pt_keeper_keep_self(void *argument, int fd, int self);

/* Both, for a process that runs: all or nothing. */
int pt_keeper_keep(const struct pt_keeper *keeper, const char *label,
		   int pidfd);

/* The one that has @inode is kept no longer; nor what was only claimed. */
void pt_keeper_let_go(const struct pt_keeper *keeper, const char *label,
		      uint64_t inode);

#endif
