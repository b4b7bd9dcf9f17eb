/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Numbers as a command line may have them: digits and nothing else, no sign, no
 * blank, no excess.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first @n bytes of @text, in base 8 or 10, at most @max. */
bool number_parse(const char *text, size_t n, unsigned int base, uint64_t max,
		  uint64_t *ret_number);

/* "10", "1.5s", "500ms", "2m", "1h", "1d"; seconds without a unit. */
bool number_parse_duration(const char *text, int64_t *ret_ms);

#endif
