/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

size_t format_text(char *ret_text, size_t size, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(ret_text, size, format, arguments);
	va_end(arguments);
	if (n < 0) {
		ret_text[0] = 0;
		return 0;
	}
	return (size_t)n < size ? (size_t)n : size - 1;
}

void format_age(char ret_text[AGE_SIZE], uint64_t age)
{
	unsigned int s = (unsigned int)(age % 60), m = (unsigned int)(age / 60);

	if (age < 60)
		format_text(ret_text, AGE_SIZE, "%us", s);
	else if (m < 60)
		format_text(ret_text, AGE_SIZE, "%um%02us", m, s);
	else if (m < 24 * 60)
		format_text(ret_text, AGE_SIZE, "%uh%02um", m / 60, m % 60);
	else if (m < 100 * 24 * 60)
		format_text(ret_text, AGE_SIZE, "%ud%02uh", m / 60 / 24,
			    m / 60 % 24);
	else
		format_text(ret_text, AGE_SIZE, "%ud", m / 60 / 24);
}

void format_bytes(char ret_text[BYTES_SIZE], uint64_t bytes)
{
	static const char units[] = " KMGTPE";
	unsigned int unit = 0;
	uint64_t tenths = 0;

	for (; bytes >= 1024; unit++) {
		tenths = bytes % 1024 * 10 / 1024;
		bytes /= 1024;
	}
	if (unit == 0)
		format_text(ret_text, BYTES_SIZE, "%u", (unsigned int)bytes);
	else if (bytes < 10)
		format_text(ret_text, BYTES_SIZE, "%u.%u%c",
			    (unsigned int)bytes, (unsigned int)tenths,
			    units[unit]);
	else
		format_text(ret_text, BYTES_SIZE, "%u%c", (unsigned int)bytes,
			    units[unit]);
}

void format_percent(char ret_text[BYTES_SIZE], uint64_t tenths)
{
	if (tenths < 1000)
		format_text(ret_text, BYTES_SIZE, "%u.%u",
			    (unsigned int)tenths / 10,
			    (unsigned int)tenths % 10);
	else
		format_text(ret_text, BYTES_SIZE, "%" PRIu64, tenths / 10);
}

void format_printable(char *text)
{
	for (char *c = text; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
}
