/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "lines.h"

#include <errno.h>

static bool is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

struct pt_span pt_span_trim(struct pt_span span)
{
	while (span.length > 0 && is_blank(span.start[0])) {
		span.start++;
		span.length--;
	}
	while (span.length > 0 && is_blank(span.start[span.length - 1]))
		span.length--;
	return span;
}

bool pt_span_is(struct pt_span span, const char *word)
{
	return span.length == strlen(word) &&
	       memcmp(span.start, word, span.length) == 0;
}

bool pt_line_take(struct pt_span *rest, struct pt_span *ret_line)
{
	const char *end;

	if (rest->length == 0)
		return false;
	*ret_line = *rest;
	end = memchr(rest->start, '\n', rest->length);
	if (!end) {
		*rest = (struct pt_span){ rest->start + rest->length, 0 };
		return true;
	}
	ret_line->length = (size_t)(end - rest->start);
	rest->start = end + 1;
	rest->length -= ret_line->length + 1;
	return true;
}

char *pt_span_copy(struct pt_span span)
{
	return strndup(span.start, span.length);
}

uint32_t pt_lines_crc32(const char *bytes, size_t n)
{
	uint32_t crc = ~0U;

	/* a bit at a time: a record is small, and a table is 1 KiB */
	for (size_t i = 0; i < n; i++) {
		crc ^= (unsigned char)bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

void pt_lines_add_crc(struct pt_text *text)
{
	uint32_t crc = pt_lines_crc32(text->start, text->length);

	pt_text_string(text, PT_LINES_CRC_KEY);
	pt_text_hex(text, crc, 8);
	pt_text_byte(text, '\n');
}

#define CRC_LINE (sizeof(PT_LINES_CRC_KEY) - 1 + 8 + 1)

bool pt_lines_check_crc(struct pt_span *text)
{
	char bytes[CRC_LINE + 1];
	struct pt_text line = PT_TEXT(bytes, sizeof(bytes));
	size_t before;

	if (text->length <= CRC_LINE)
		return false;
	before = text->length - CRC_LINE;
	if (text->start[before - 1] != '\n')
		return false;
	pt_text_string(&line, PT_LINES_CRC_KEY);
	pt_text_hex(&line, pt_lines_crc32(text->start, before), 8);
	pt_text_byte(&line, '\n');
	if (memcmp(text->start + before, bytes, CRC_LINE) != 0)
		return false;
	text->length = before;
	return true;
}

bool pt_line_has(struct pt_span line, const char *key,
		 struct pt_span *ret_value)
{
	size_t n = strlen(key);

	if (line.length < n || memcmp(line.start, key, n) != 0)
		return false;
	*ret_value = (struct pt_span){ line.start + n, line.length - n };
	return true;
}

int pt_span_unescape(struct pt_span span, char **ret_bytes, size_t *ret_size)
{
	CLEANUP(freep) char *bytes = malloc(span.length + 1);
	size_t n = 0;

	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < span.length; i++) {
		int high, low;

		bytes[n] = span.start[i];
		if (span.start[i] == '%') {
			if (span.length - i < 3)
				return -EBADMSG;
			high = pt_text_hex_digit(span.start[i + 1]);
			low = pt_text_hex_digit(span.start[i + 2]);
			if (high < 0 || low < 0)
				return -EBADMSG;
			bytes[n] = (char)(high << 4 | low);
			i += 2;
		}
		n++;
	}
	bytes[n] = 0;
	*ret_bytes = bytes;
	*ret_size = n;
	bytes = NULL;
	return 0;
}
