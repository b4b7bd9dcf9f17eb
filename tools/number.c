/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "number.h"

#include <string.h>

#include "owned.h"

#define DIGITS "0123456789"
#define LONGEST_MS UINT64_C(1000000000000) /* some thirty years */

bool number_parse(const char *text, size_t n, unsigned int base, uint64_t max,
		  uint64_t *ret_number)
{
	uint64_t number = 0;

	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned int digit = (unsigned int)(text[i] - '0');

		if (digit >= base || digit > max ||
		    number > (max - digit) / base)
			return false;
		number = number * base + digit;
	}
	*ret_number = number;
	return true;
}

static uint64_t unit_in_ms(const char *unit)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {
		{ "", 1000 },	{ "ms", 1 },	  { "s", 1000 },
		{ "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(units[i].name, unit) == 0)
			return units[i].ms;
	}
	return 0;
}

bool number_parse_duration(const char *text, int64_t *ret_ms)
{
	size_t whole_digits = strspn(text, DIGITS), fraction_digits = 0;
	const char *unit = text + whole_digits;
	uint64_t whole, fraction = 0, scale = 1, ms;

	if (*unit == '.') {
		unit++;
		fraction_digits = strspn(unit, DIGITS);
		/* nobody means more than microseconds */
		if (fraction_digits > 6 ||
		    !number_parse(unit, fraction_digits, 10, LONGEST_MS,
				  &fraction))
			return false;
		for (size_t i = 0; i < fraction_digits; i++)
			scale *= 10;
		unit += fraction_digits;
	}

	ms = unit_in_ms(unit);
	if (ms == 0 ||
	    !number_parse(text, whole_digits, 10, LONGEST_MS / ms, &whole))
		return false;
	/* rounded up, so that a short time is not none at all */
	*ret_ms = (int64_t)(whole * ms + (fraction * ms + scale - 1) / scale);
	return true;
}
