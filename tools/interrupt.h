/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Signals that end a command which has something to finish first: SIGHUP,
 * SIGINT, SIGTERM, unless they are ignored.  The second one ends it at once.
 */
#ifndef INTERRUPT_H
#define INTERRUPT_H

/* Return: a descriptor, readable once one has come, that stays open; a negative
 * errno. */
int interrupt_open(void);

/* Return: the first that came, or 0. */
int interrupt_taken(void);

/* Ends as who sent it wanted.  Return: an exit code that says so. */
int interrupt_end(void);

#endif
