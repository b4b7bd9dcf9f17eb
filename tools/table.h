/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Processes as a table on a terminal, for who sits there: as it is now, and
 * scrolled by keys.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "screen.h"
#include "target.h"

#define TABLE_INTERVAL_MS 1000 /* ages are told in seconds */

struct table;

/*
 * Takes the terminal, of which screen_wanted() said that it can be drawn on.
 * Complaints that were kept, by complain_later(), are told when it is closed.
 *
 * Return: 0, *ret_table NULL if there are to be lines nevertheless; -ENOMEM.
 */
int table_open(struct table **ret_table);
/* Gives the terminal back; where a signal wanted to end us, it does. */
void table_close(struct table *table);

/* @target stays where it is until it is removed.  Return: 0, -ENOMEM. */
int table_add(struct table *table, const struct target *target);
void table_remove(struct table *table, const struct target *target);

/* When screen_fd() is ready: does what is typed, and what signals want.
 * Return: whether whoever sits there wants to go on. */
bool table_heed(struct table *table);

/* Draws it as it is now.  @lost: records without a process, which are only
 * counted. */
void table_draw(struct table *table, size_t lost);

#endif
