/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Record files, as the command line names them: read, and the process tracked
 * that one is of, or said why not.
 */
#ifndef RECORD_H
#define RECORD_H

#include "pidtrack.h"

/*
 * Return: 0, or an exit_code, having complained: EXIT_UNTOLD for a record of a
 *         later version, EXIT_FAILED for one that cannot be read.
 */
int record_read(const char *path, struct pidtrack_record **ret_record);

/*
 * @path: what to call it
 * @flags: PIDTRACK_ATTACH_
 *
 * Return: 0, or an exit_code, having complained: that of the verdict, or
 *         EXIT_FAILED.
 */
int record_attach(struct pidtrack *tracker, const char *path,
		  const struct pidtrack_record *record, uint32_t flags,
		  struct pidtrack_process **ret_process);

#endif
