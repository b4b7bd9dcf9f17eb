/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * How a PROCESS is named on the command line and in what is printed: PID for
 * whoever has the number, PID:INODE for one that can be no other (Linux 6.9);
 * and on the command line by a file with a record of it.
 */
#ifndef PROCESS_NAME_H
#define PROCESS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pidtrack.h"

#define PROCESS_NAME_SIZE 40 /* bytes, the final NUL included */

#define PROCESS_NAME_KINDS "PID, PID:INODE, a record file or a pin"

struct process_name {
	pid_t pid;
	uint64_t inode;	    /* 0: not told */
	const char *record; /* the file that tells it; NULL: the above do */
};

/* Whether @text is a file's name by the rules below. */
bool process_name_is_file(const char *text);

/*
 * A word of digits is a number; one with a slash, or that does not begin as a
 * number does, is a file, there or not; the rest is one if it is there.
 *
 * Return: 0, or EXIT_USAGE, having complained.
 */
int process_name_parse(const char *text, struct process_name *ret_name);

/* @fingerprint: its text form, from which the inode is taken; may be empty. */
void process_name_of(pid_t pid, const char *fingerprint,
		     struct process_name *ret_name);

/* The pid in the text form of a fingerprint; 0 if there is none. */
pid_t process_name_pid_of(const char *fingerprint);

void process_name_format(const struct process_name *name,
			 char ret_text[PROCESS_NAME_SIZE]);

/*
 * Says why @tracker could not track the process of @name, a number.
 *
 * Return: EXIT_NO if there is no such process, EXIT_UNTOLD if INODE cannot be
 *         compared here, EXIT_FAILED.
 */
int process_name_not_attached(struct pidtrack *tracker,
			      const struct process_name *name, int error);

#endif
