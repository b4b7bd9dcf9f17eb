/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One JSON object a line on standard output, always valid UTF-8: what is not in
 * a string becomes U+FFFD, byte by byte.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>

struct json {
	bool begun; /* a member was written, so the next wants a comma */
};

void json_begin(struct json *json);
void json_end(struct json *json);

/* @value NULL: null. */
void json_string(struct json *json, const char *name, const char *value);
void json_number(struct json *json, const char *name, uint64_t value);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);
void json_time(struct json *json, const char *name);

/* A list of strings: between its two ends, one json_item() each. */
void json_list_begin(struct json *json, const char *name);
void json_item(struct json *json, const char *value);
void json_list_end(struct json *json);

#endif
