/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Record files, as the command line names them: read, or said why not, and why
 * the process of one could not be tracked.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>

#include "ending.h"
#include "json.h"
#include "pidtrack.h"

/*
 * Return: 0, or an exit_code, having complained: EXIT_UNTOLD for a record of a
 *         later version, EXIT_FAILED for one that cannot be read.
 */
int record_read(const char *path, struct pidtrack_record **ret_record);

/* Says why @path could not be read.  Return: as above. */
int record_not_read(const char *path, int error);

/* The same in a few words, without a name and without advice. */
const char *record_fault(int error);

/*
 * Says why the process of the record in @path could not be tracked.
 *
 * @flags: PIDTRACK_ATTACH_, which were given
 *
 * Return: the exit_code of the verdict, or EXIT_FAILED.
 */
int record_not_attached(const char *path,
			const struct pidtrack_comparison *comparison,
			uint32_t flags, int error);

/* Whether it is recorded how the process of @record, read from @path, ended. */
bool record_ending(const char *path, const struct pidtrack_record *record,
		   struct ending *ret_ending);

/*
 * A directory of them, with @flags of PIDTRACK_REGISTRY_.
 *
 * Return: 0, or EXIT_FAILED, having complained.
 */
int directory_open(const char *path, uint32_t flags,
		   struct pidtrack_registry **ret_registry);

/* Where @name is in it; to be freed, NULL for want of memory. */
char *record_path(const char *directory, const char *name);

/* Members format, capability, exe, payload; null without a record. */
void record_json(const struct pidtrack_record *record, struct json *json);

#endif
