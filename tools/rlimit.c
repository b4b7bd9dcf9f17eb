/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "rlimit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "complain.h"
#include "format.h"
#include "number.h"
#include "owned.h"

static const struct {
	const char *name;
	uint32_t resource;
} limits[] = {
	{ "as", RLIMIT_AS },
	{ "core", RLIMIT_CORE },
	{ "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA },
	{ "fsize", RLIMIT_FSIZE },
	{ "locks", RLIMIT_LOCKS },
	{ "memlock", RLIMIT_MEMLOCK },
	{ "msgqueue", RLIMIT_MSGQUEUE },
	{ "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE },
	{ "nproc", RLIMIT_NPROC },
	{ "rss", RLIMIT_RSS },
	{ "rtprio", RLIMIT_RTPRIO },
	{ "rttime", RLIMIT_RTTIME },
	{ "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
};

static bool parse_name(const char *name, size_t n, uint32_t *ret_resource)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (strlen(limits[i].name) == n &&
		    memcmp(limits[i].name, name, n) == 0) {
			*ret_resource = limits[i].resource;
			return true;
		}
	}
	return false;
}

static int complain_of_name(const char *text)
{
	char names[256];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(limits) && n < sizeof(names); i++)
		n += format_text(names + n, sizeof(names) - n, "%s%s",
				 i ? ", " : "", limits[i].name);
	return complain_usage("--rlimit '%s' is not NAME=SOFT[:HARD] with a "
			      "NAME of %s",
			      text, names);
}

static bool parse_value(const char *value, size_t n, uint64_t *ret_value)
{
	static const char word[] = "unlimited";

	if (n == strlen(word) && memcmp(value, word, n) == 0) {
		*ret_value = UINT64_MAX;
		return true;
	}
	return number_parse(value, n, 10, UINT64_MAX - 1, ret_value);
}

int rlimit_parse(const char *text, struct pidtrack_rlimit *ret_limit)
{
	struct pidtrack_rlimit limit = { 0 };
	size_t name_length = strcspn(text, "=");
	const char *soft = text + name_length, *hard;

	if (!*soft || !parse_name(text, name_length, &limit.resource))
		return complain_of_name(text);

	soft++;
	hard = strchr(soft, ':');
	if (!parse_value(soft, strcspn(soft, ":"), &limit.soft) ||
	    (hard && !parse_value(hard + 1, strlen(hard + 1), &limit.hard)))
		return complain_usage("--rlimit '%s' is not NAME=SOFT[:HARD] "
				      "with numbers, or 'unlimited'",
				      text);
	if (!hard)
		limit.hard = limit.soft;
	if (limit.soft > limit.hard)
		return complain_usage("--rlimit '%s': SOFT is more than HARD",
				      text);
	*ret_limit = limit;
	return 0;
}
