/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "foreign.h"

#include <errno.h>

#include "pidtrack.h"

/* ---- UTF-8 ---- */

/* Bytes of the character at @bytes, or 0 if it is none (RFC 3629). */
static size_t utf8_character(const unsigned char *bytes, size_t n)
{
	size_t length = bytes[0] < 0x80 ? 1 :
			bytes[0] < 0xc2 ? 0 :
			bytes[0] < 0xe0 ? 2 :
			bytes[0] < 0xf0 ? 3 :
			bytes[0] < 0xf5 ? 4 :
					  0;

	if (length > n)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((bytes[0] == 0xe0 && bytes[1] < 0xa0) ||
	    (bytes[0] == 0xed && bytes[1] > 0x9f) ||
	    (bytes[0] == 0xf0 && bytes[1] < 0x90) ||
	    (bytes[0] == 0xf4 && bytes[1] > 0x8f))
		return 0;
	return length;
}

/* Text without NUL: what its readers take for text at all. */
static bool is_text(struct pt_span span)
{
	const unsigned char *bytes = (const unsigned char *)span.start;

	for (size_t i = 0, n; i < span.length; i += n) {
		n = utf8_character(bytes + i, span.length - i);
		if (n == 0 || bytes[i] == 0)
			return false;
	}
	return true;
}

/* ---- records ---- */

/* As the runtimes' own parsers take it: a sign of plus does no harm. */
static int parse_pid(struct pt_span line, pid_t *ret_pid)
{
	uint64_t pid;
	int r;

	line = pt_span_trim(line);
	if (line.length > 0 && line.start[0] == '+') {
		line.start++;
		line.length--;
	}
	r = pt_text_parse_number(line.start, line.length, &pid);
	if (r < 0)
		return r;
	/* 0 and -1 are everybody to kill(2), 1 is nobody's shim */
	if (pid < 2 || pid > INT_MAX)
		return -EBADMSG;
	*ret_pid = (pid_t)pid;
	return 0;
}

static int parse_start(struct pt_span line, uint64_t *ret_start)
{
	if (line.length > 0 && line.start[0] == '+') {
		line.start++;
		line.length--;
	}
	return pt_text_parse_number(line.start, line.length, ret_start);
}

#define BOXLITE_CAPABILITY "services-mux-v1"

/* boxlite: "pid\n", "pid\nstart\n", "pid\n[start]\ncapability\n". */
static int parse_boxlite(struct pt_foreign *foreign, struct pt_span second,
			 struct pt_span rest)
{
	struct pt_span third;
	uint64_t start;

	if (second.length > 0) {
		/* its own readers would take it for a number alone */
		if (parse_start(second, &start) < 0)
			return -EBADMSG;
		foreign->format = PIDTRACK_RECORD_BOXLITE;
		foreign->start = start;
		foreign->has_start = true;
	}
	if (!pt_line_take(&rest, &third))
		return 0;
	third = pt_span_trim(third);
	if (!pt_span_is(third, BOXLITE_CAPABILITY))
		return 0;
	foreign->format = PIDTRACK_RECORD_BOXLITE;
	foreign->capability = third;
	return 0;
}

/* brood-box: "pid\npath", the path to the end of the file. */
static void parse_brood_box(struct pt_foreign *foreign, struct pt_span path)
{
	foreign->format = PIDTRACK_RECORD_BROOD_BOX;
	foreign->exe = pt_span_trim(path);
}

int pt_foreign_parse(struct pt_span text, struct pt_foreign *ret_foreign)
{
	struct pt_foreign foreign = { .format = PIDTRACK_RECORD_PID };
	struct pt_span first, second, rest = text;
	int r;

	if (!is_text(text) || !pt_line_take(&rest, &first))
		return -EBADMSG;
	r = parse_pid(first, &foreign.pid);
	if (r < 0)
		return r;

	foreign.torn = text.start[text.length - 1] != '\n';
	text = rest;
	if (pt_line_take(&rest, &second)) {
		second = pt_span_trim(second);
		if (second.length > 0 && second.start[0] == '/')
			parse_brood_box(&foreign, text);
		else
			r = parse_boxlite(&foreign, second, rest);
	}
	*ret_foreign = foreign;
	return r;
}
