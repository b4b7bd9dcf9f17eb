/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Text into an array, cut to what fits there.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define AGE_SIZE 16 /* bytes, the final NUL included */

/* Return: the length, less than @size. */
size_t format_text(char *ret_text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* @age in seconds: "59s", "1m00s", "23h59m", "1d00h", "100d". */
void format_age(char ret_text[AGE_SIZE], uint64_t age);

/* For a column: whatever is not printable ASCII becomes '?'. */
void format_printable(char *text);

#endif
