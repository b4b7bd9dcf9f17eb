/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Texts of lines and keys, taken apart where they lie: nothing is copied but
 * what is asked for.
 */
#ifndef PT_LINES_H
#define PT_LINES_H

#include "base.h"
#include "text.h"

/* A part of the bytes being parsed. */
struct pt_span {
	const char *start;
	size_t length;
};

/* Without the blanks at both ends, as C has them. */
struct pt_span pt_span_trim(struct pt_span span);

bool pt_span_is(struct pt_span span, const char *word);

/* A copy with a NUL behind it; NULL for want of memory. */
char *pt_span_copy(struct pt_span span);

/* Undoes %XX, into memory of its own and a NUL behind it; -EBADMSG, -ENOMEM. */
int pt_span_unescape(struct pt_span span, char **ret_bytes, size_t *ret_size);

/* Takes the first line off @rest, without its end; false at the end. */
bool pt_line_take(struct pt_span *rest, struct pt_span *ret_line);

/* The value of "key=value"; @key with its "=". */
bool pt_line_has(struct pt_span line, const char *key,
		 struct pt_span *ret_value);

#define PT_LINES_CRC_KEY "crc32="

/* CRC-32 of IEEE 802.3. */
uint32_t pt_lines_crc32(const char *bytes, size_t n);

/* The last line: the checksum of all before it. */
void pt_lines_add_crc(struct pt_text *text);

/* Whether the last line is the checksum of what is before it; cuts it off. */
bool pt_lines_check_crc(struct pt_span *text);

#endif
