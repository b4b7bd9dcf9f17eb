/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One JSON object a line, always valid UTF-8: what is not in a string becomes
 * U+FFFD, byte by byte.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Of pidtrack(1)'s section JSON: grows when a member goes or means something
 * else, not when one comes. */
#define JSON_SCHEMA 1

struct json {
	FILE *to;
	bool begun; /* a member was written, so the next wants a comma */
};

/* On standard output, member schema included. */
void json_begin(struct json *json);
void json_end(struct json *json);

/* In @to, without that, and without the end of a line. */
void json_begin_in(struct json *json, FILE *to);
void json_close(struct json *json);

/* @value NULL: null. */
void json_string(struct json *json, const char *name, const char *value);
void json_number(struct json *json, const char *name, uint64_t value);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);
void json_time(struct json *json, const char *name);

/* A member that is an object: between its two ends, its members. */
void json_object_begin(struct json *json, const char *name);
void json_object_end(struct json *json);

/* A list of strings: between its two ends, one json_item() each. */
void json_list_begin(struct json *json, const char *name);
void json_item(struct json *json, const char *value);
void json_list_end(struct json *json);

#endif
