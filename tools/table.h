/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Processes as a table on a terminal, drawn over itself; the only place that
 * knows of escape sequences.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "target.h"

#define TABLE_INTERVAL_MS 1000 /* ages are told in seconds */

struct table;

/* Whether standard output is a terminal that can move its cursor, and ours to
 * draw on: in the background a shell writes on it, too. */
bool table_wanted(void);

/* Return: an empty table, or NULL for want of memory. */
struct table *table_new(void);
void table_freep(struct table **table);

/* @target stays where it is until it is removed.  Return: 0, -ENOMEM. */
int table_add(struct table *table, const struct target *target);
void table_remove(struct table *table, const struct target *target);

/* Draws it as it is now, in place of what was drawn before.  @lost: records
 * without a process, which are only counted. */
void table_draw(struct table *table, size_t lost);

#endif
