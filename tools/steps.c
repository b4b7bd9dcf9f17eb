/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "steps.h"

#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "complain.h"
#include "format.h"
#include "number.h"
#include "signal_name.h"

#define TIME_SIZE 32 /* bytes; no sensible duration has more */

static bool is_none(const char *text, size_t n)
{
	return n == 1 && (text[0] == '0' || text[0] == '-');
}

static int complain_of_time(const char *text, size_t n)
{
	return -complain_usage("--steps: '%.*s' is no time for it to end, such "
			       "as 500ms, 8s, 2m",
			       (int)n, text);
}

static int parse_time(const char *text, size_t n, uint32_t *ret_ms)
{
	char duration[TIME_SIZE];
	int64_t ms;

	if (n >= sizeof(duration))
		return complain_of_time(text, n);
	memcpy(duration, text, n);
	duration[n] = 0;
	if (!number_parse_duration(duration, &ms))
		return complain_of_time(text, n);
	if (ms > UINT32_MAX)
		return -complain_usage("--steps: '%s' is too long; 49 days are "
				       "the most",
				       duration);
	*ret_ms = (uint32_t)ms;
	return 0;
}

/* One of the first @n bytes of @text. */
static int parse_step(const char *text, size_t n,
		      struct pidtrack_stop_step *ret_step)
{
	const char *colon = memchr(text, ':', n);
	size_t named = colon ? (size_t)(colon - text) : n;

	if (n == 0)
		return -complain_usage(
			"--steps: a step is missing between "
			"commas; give SIGNAL:TIME,... such as " STEPS_EXAMPLE);
	ret_step->signal = 0;
	if (!is_none(text, named) &&
	    !signal_parse(text, named, &ret_step->signal))
		return -complain_usage("--steps: '%.*s' is no signal; give a "
				       "name such as TERM, a number from 1 to "
				       "64, or 0 to wait only",
				       (int)named, text);
	if (!colon)
		return -complain_usage("--steps: '%.*s' has no time; give "
				       "SIGNAL:TIME, such as %.*s:8s",
				       (int)n, text, (int)n, text);
	return parse_time(colon + 1, n - named - 1, &ret_step->time_ms);
}

int steps_parse(const char *text,
		struct pidtrack_stop_step ret_steps[STEPS_MAX])
{
	int steps = 0;

	while (true) {
		size_t n = strcspn(text, ",");
		int r;

		if (steps == STEPS_MAX)
			return -complain_usage("--steps: more than %d steps",
					       STEPS_MAX);
		r = parse_step(text, n, &ret_steps[steps]);
		if (r < 0)
			return r;
		steps++;
		if (text[n] == 0)
			return steps;
		text += n + 1;
	}
}
