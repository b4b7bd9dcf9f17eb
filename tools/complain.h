/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The one way errors are told: a line on stderr that says what was wrong and,
 * where it can, what would be right.
 */
#ifndef COMPLAIN_H
#define COMPLAIN_H

/* From now on lines begin with "pidtrack: @command: ". */
void complain_as(const char *command);

/* From now on complaints that go to a terminal are kept, until complain_now()
 * tells them: somebody draws there. */
void complain_later(void);
void complain_now(void);
/* How many are kept. */
unsigned int complaints_kept(void);

/* Control characters in what is told are shown as '?', so a line stays one. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, with a word about --help.  Return: EXIT_USAGE. */
int complain_usage(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
