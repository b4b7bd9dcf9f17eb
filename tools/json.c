/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static bool continues(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Bytes of the character that starts here, 0 if it is not UTF-8.  The final NUL
 * continues nothing, so it is never read past. */
static int utf8_length(const unsigned char *s)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4 || !continues(s[1]))
		return 0;
	if (s[0] < 0xe0)
		return 2;

	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	if (!continues(s[2]))
		return 0;
	if (s[0] < 0xf0)
		return 3;
	return continues(s[3]) ? 4 : 0;
}

static void print_character(const unsigned char *s, int length)
{
	if (length == 0)
		printf("\\ufffd");
	else if (*s == '"' || *s == '\\')
		printf("\\%c", *s);
	else if (*s < ' ' || *s == 0x7f)
		printf("\\u%04x", *s);
	else
		printf("%.*s", length, (const char *)s);
}

static void print_string(const char *value)
{
	const unsigned char *s = (const unsigned char *)value;

	putchar('"');
	while (*s) {
		int length = utf8_length(s);

		print_character(s, length);
		s += length ? length : 1;
	}
	putchar('"');
}

static void separate(struct json *json)
{
	if (json->begun)
		putchar(',');
	json->begun = true;
}

static void print_name(struct json *json, const char *name)
{
	separate(json);
	printf("\"%s\":", name);
}

void json_begin(struct json *json)
{
	json->begun = false;
	putchar('{');
}

void json_end(struct json *json)
{
	json->begun = true;
	puts("}");
}

void json_string(struct json *json, const char *name, const char *value)
{
	print_name(json, name);
	if (value)
		print_string(value);
	else
		printf("null");
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	print_name(json, name);
	printf("%" PRIu64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	print_name(json, name);
	printf(value ? "true" : "false");
}

void json_null(struct json *json, const char *name)
{
	json_string(json, name, NULL);
}

/* Now, in UTC, as RFC 3339 has it. */
void json_time(struct json *json, const char *name)
{
	struct timespec now;
	struct tm utc;
	char seconds[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	(void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	print_name(json, name);
	printf("\"%s.%06ldZ\"", seconds, now.tv_nsec / 1000);
}

void json_list_begin(struct json *json, const char *name)
{
	print_name(json, name);
	putchar('[');
	json->begun = false;
}

void json_item(struct json *json, const char *value)
{
	separate(json);
	print_string(value);
}

void json_list_end(struct json *json)
{
	putchar(']');
	json->begun = true;
}
