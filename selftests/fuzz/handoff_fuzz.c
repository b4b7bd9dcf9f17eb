/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Handoffs from bytes: as they are, and with the checksum that makes them ours.
 * What is taken comes back from what is written of it; one bit off, it is none.
 */
#include <errno.h>

#include "fuzz.h"
#include "handed.h"
#include "lines.h"

#define CRC_LINE 15 /* "crc32=", 8 digits, end of line */

/* Parses memory of just that size, for a sanitizer to watch. */
static int parse(const char *bytes, size_t size, struct pt_handed_list *list)
{
	char *copy = malloc(size ? size : 1);
	int r;

	FUZZ_CHECK(copy);
	if (size > 0)
		memcpy(copy, bytes, size);
	r = pt_handed_parse(copy, size, list);
	free(copy);
	return r;
}

static void format(struct pt_text *text, const struct pt_handed_list *list)
{
	text->length = 0;
	text->overflow = false;
	pt_handed_begin(text, list->host, list->image);
	for (size_t i = 0; i < list->n; i++)
		pt_handed_format(text, &list->all[i]);
	pt_handed_end(text);
}

/* Written anew and read again it says the same. */
static void go_back(const struct pt_handed_list *taken, size_t size)
{
	size_t room = size * 4 + 4096;
	char *first = malloc(room), *second = malloc(room);
	struct pt_text a = PT_TEXT(first, room), b = PT_TEXT(second, room);
	struct pt_handed_list back;

	FUZZ_CHECK(first && second);
	format(&a, taken);
	FUZZ_CHECK(!a.overflow);
	FUZZ_CHECK(parse(a.start, a.length, &back) == 0);
	FUZZ_CHECK(back.n == taken->n && back.image == taken->image);
	format(&b, &back);
	FUZZ_CHECK(a.length == b.length && !memcmp(first, second, a.length));
	pt_handed_done(&back);
	free(first);
	free(second);
}

static void flip(const char *bytes, size_t size)
{
	size_t bit = pt_lines_crc32(bytes, size) % (size * 8);
	struct pt_handed_list list;
	char *other = malloc(size);

	FUZZ_CHECK(other);
	memcpy(other, bytes, size);
	other[bit / 8] ^= (char)(1 << bit % 8);
	FUZZ_CHECK(parse(other, size, &list) == -EBADMSG);
	free(other);
}

static void take(const char *bytes, size_t size)
{
	struct pt_handed_list list;
	int r = parse(bytes, size, &list);

	if (r < 0) {
		FUZZ_CHECK(r == -EBADMSG || r == -EPROTONOSUPPORT);
		return;
	}
	FUZZ_CHECK(list.host);
	for (size_t i = 0; i < list.n; i++) {
		const struct pt_handed *handed = &list.all[i];

		FUZZ_CHECK(handed->state >= 1 && handed->state <= 4);
		FUZZ_CHECK(handed->n_steps <= PT_HANDED_STEPS_MAX);
		FUZZ_CHECK(handed->steps_taken <= handed->n_steps);
		FUZZ_CHECK(!handed->payload == !handed->payload_size ||
			   handed->payload_size == 0);
	}
	go_back(&list, size);
	flip(bytes, size);
	pt_handed_done(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size + CRC_LINE + 1);

	FUZZ_CHECK(text);
	if (size > 0)
		memcpy(text, bytes, size);
	take(text, size);
	snprintf(text + size, CRC_LINE + 1, "crc32=%08x\n",
		 pt_lines_crc32(text, size));
	take(text, size + CRC_LINE);
	free(text);
	return 0;
}
