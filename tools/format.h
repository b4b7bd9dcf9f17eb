/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Text into an array, cut to what fits there.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include <stddef.h>

/* Return: the length, less than @size. */
size_t format_text(char *ret_text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
