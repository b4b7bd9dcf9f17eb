/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The one way errors are told: a line on stderr that says what was wrong and,
 * where it can, what would be right.
 */
#ifndef COMPLAIN_H
#define COMPLAIN_H

/* From now on lines begin with "pidtrack: @command: ". */
void complain_as(const char *command);

/* Control characters in what is told are shown as '?', so a line stays one. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, with a word about --help.  Return: EXIT_USAGE. */
int complain_usage(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
