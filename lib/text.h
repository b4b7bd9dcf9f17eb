/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Text into a buffer and numbers out of one, without libc's formatting: records
 * are written between clone and exec, where only system calls are allowed.
 */
#ifndef PT_TEXT_H
#define PT_TEXT_H

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base.h"

/* Text being written; what does not fit is dropped and remembered. */
struct pt_text {
	char *start;
	size_t length;
	size_t size; /* of the buffer; one byte of it is for the final NUL */
	bool overflow;
};

#define PT_TEXT(buffer, buffer_size)                     \
	{                                                \
		.start = (buffer), .size = (buffer_size) \
	}

static inline void pt_text_byte(struct pt_text *text, char byte)
{
	if (text->length + 1 >= text->size) {
		text->overflow = true;
		return;
	}
	text->start[text->length++] = byte;
	text->start[text->length] = 0;
}

static inline void pt_text_bytes(struct pt_text *text, const char *bytes,
				 size_t n)
{
	for (size_t i = 0; i < n; i++)
		pt_text_byte(text, bytes[i]);
}

static inline void pt_text_string(struct pt_text *text, const char *string)
{
	pt_text_bytes(text, string, strlen(string));
}

static inline void pt_text_number(struct pt_text *text, uint64_t number)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (n > 0)
		pt_text_byte(text, digits[--n]);
}

/* @digits hexadecimal digits of @number, the leading zeros too. */
static inline void pt_text_hex(struct pt_text *text, uint64_t number,
			       unsigned int digits)
{
	while (digits > 0)
		pt_text_byte(text,
			     "0123456789abcdef"[number >> 4 * --digits & 0xf]);
}

/* Whether a byte stands for itself in our text: no blank, quote or control. */
static inline bool pt_text_plain(unsigned char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z') ||
	       (byte != 0 && strchr("/._-+@:", byte));
}

/* Bytes of any kind, those that are not plain as %XX. */
static inline void pt_text_escaped(struct pt_text *text, const void *bytes,
				   size_t n)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < n; i++) {
		if (pt_text_plain(byte[i])) {
			pt_text_byte(text, (char)byte[i]);
			continue;
		}
		pt_text_byte(text, '%');
		pt_text_hex(text, byte[i], 2);
	}
}

/* "key=number" and what follows it. */
static inline void pt_text_field(struct pt_text *text, const char *key,
				 uint64_t number)
{
	pt_text_string(text, key);
	pt_text_number(text, number);
}

/* FNV-1a, 64 bits: alike bytes have the same, others hardly ever. */
static inline uint64_t pt_text_hash(const void *bytes, size_t n)
{
	const unsigned char *byte = bytes;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* The value of a digit as pt_text_hex() writes it; -1 for any other byte. */
static inline int pt_text_hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

/*
 * A decimal number of @n bytes and nothing else: no sign, no blank, no excess.
 *
 * Return: 0, or -EBADMSG.
 */
static inline int pt_text_parse_number(const char *bytes, size_t n,
				       uint64_t *ret_number)
{
	uint64_t number = 0;

	if (n == 0)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		unsigned int digit = (unsigned int)(bytes[i] - '0');

		if (digit > 9 || number > (UINT64_MAX - digit) / 10)
			return -EBADMSG;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return 0;
}

#endif
