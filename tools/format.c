/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "format.h"

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
