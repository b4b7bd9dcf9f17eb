/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Text into an array, cut to what fits there.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define AGE_SIZE 16   /* bytes, the final NUL included */
#define BYTES_SIZE 24 /* likewise */

/* Return: the length, less than @size. */
size_t format_text(char *ret_text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* @age in seconds: "59s", "1m00s", "23h59m", "1d00h", "100d". */
void format_age(char ret_text[AGE_SIZE], uint64_t age);

/* Four characters, or five: "0", "512", "4.0K", "40K", "1023M". */
void format_bytes(char ret_text[BYTES_SIZE], uint64_t bytes);

/* @tenths of a percent: "0.0", "99.9", "100", "1600". */
void format_percent(char ret_text[BYTES_SIZE], uint64_t tenths);

/* For a column: whatever is not printable ASCII becomes '?'. */
void format_printable(char *text);

#endif
