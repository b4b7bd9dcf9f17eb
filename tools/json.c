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

static void print_character(FILE *to, const unsigned char *s, int length)
{
	if (length == 0)
		(void)fprintf(to, "\\ufffd");
	else if (*s == '"' || *s == '\\')
		(void)fprintf(to, "\\%c", *s);
	else if (*s < ' ' || *s == 0x7f)
		(void)fprintf(to, "\\u%04x", *s);
	else
		(void)fprintf(to, "%.*s", length, (const char *)s);
}

static void print_string(FILE *to, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;

	(void)putc('"', to);
	while (*s) {
		int length = utf8_length(s);

		print_character(to, s, length);
		s += length ? length : 1;
	}
	(void)putc('"', to);
}

static void separate(struct json *json)
{
	if (json->begun)
		(void)putc(',', json->to);
	json->begun = true;
}

static void print_name(struct json *json, const char *name)
{
	separate(json);
	(void)fprintf(json->to, "\"%s\":", name);
}

void json_begin_in(struct json *json, FILE *to)
{
	*json = (struct json){ .to = to };
	(void)putc('{', to);
}

void json_begin(struct json *json)
{
	json_begin_in(json, stdout);
	json_number(json, "schema", JSON_SCHEMA);
}

void json_close(struct json *json)
{
	json->begun = true;
	(void)putc('}', json->to);
}

void json_end(struct json *json)
{
	json_close(json);
	(void)putc('\n', json->to);
}

void json_string(struct json *json, const char *name, const char *value)
{
	print_name(json, name);
	if (value)
		print_string(json->to, value);
	else
		(void)fputs("null", json->to);
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	print_name(json, name);
	(void)fprintf(json->to, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	print_name(json, name);
	(void)fputs(value ? "true" : "false", json->to);
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
	(void)fprintf(json->to, "\"%s.%06ldZ\"", seconds, now.tv_nsec / 1000);
}

static void open_member(struct json *json, const char *name, char bracket)
{
	print_name(json, name);
	(void)putc(bracket, json->to);
	json->begun = false;
}

static void close_member(struct json *json, char bracket)
{
	(void)putc(bracket, json->to);
	json->begun = true;
}

void json_object_begin(struct json *json, const char *name)
{
	open_member(json, name, '{');
}

void json_object_end(struct json *json)
{
	close_member(json, '}');
}

void json_list_begin(struct json *json, const char *name)
{
	open_member(json, name, '[');
}

void json_item(struct json *json, const char *value)
{
	separate(json);
	print_string(json->to, value);
}

void json_list_end(struct json *json)
{
	close_member(json, ']');
}
