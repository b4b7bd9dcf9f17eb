/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * How a PROCESS is named on the command line and in what is printed: PID for
 * whoever has the number, PID:INODE for one that can be no other (Linux 6.9).
 */
#ifndef PROCESS_NAME_H
#define PROCESS_NAME_H

#include <stddef.h>
#include <stdint.h>

#include "pidtrack.h"

#define PROCESS_NAME_SIZE 40 /* bytes, the final NUL included */

struct process_name {
	pid_t pid;
	uint64_t inode; /* 0: not told */
};

/* Return: 0, or EXIT_USAGE, having complained. */
int process_name_parse(const char *text, struct process_name *ret_name);

/* @fingerprint: its text form, from which the inode is taken; may be empty. */
void process_name_of(pid_t pid, const char *fingerprint,
		     struct process_name *ret_name);

/* The pid in the text form of a fingerprint; 0 if there is none. */
pid_t process_name_pid_of(const char *fingerprint);

void process_name_format(const struct process_name *name,
			 char ret_text[PROCESS_NAME_SIZE]);

/*
 * Tracks the process that @text names, and says what is wrong if it cannot.
 *
 * Return: 0, or an exit_code: EXIT_USAGE for @text itself, EXIT_NO if there is
 *         no such process, EXIT_UNTOLD if INODE cannot be compared here.
 */
int process_name_attach(struct pidtrack *tracker, const char *text,
			struct pidtrack_process **ret_process);

/* Says why the process of @name cannot be tracked.  Return: as above. */
int process_name_not_attached(const struct process_name *name, int error);

#endif
