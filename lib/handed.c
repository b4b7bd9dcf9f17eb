/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "handed.h"

#include <errno.h>

#include "lines.h"

#define FIRST_LINE "pidtrack-handoff1"
#define FIRST_WORD "pidtrack-handoff"
#define HOST_KEY "host="
#define IMAGE_KEY "image="
#define PROCESS_KEY "process="
#define STEP_KEY "step="
#define PAYLOAD_KEY "payload="

struct number {
	const char *key;
	size_t offset;
	uint64_t max;
};

#define NUMBER(field, max)                                         \
	{                                                          \
#field "=", offsetof(struct pt_handed, field), max \
	}

static const struct number numbers[] = {
	NUMBER(pid, INT32_MAX),
	NUMBER(has, 3),
	NUMBER(inode, UINT64_MAX),
	NUMBER(start, UINT64_MAX),
	NUMBER(flags, UINT32_MAX),
	NUMBER(state, 4),
	NUMBER(tell, 3),
	NUMBER(source, 2),
	NUMBER(status, UINT16_MAX),
	NUMBER(binding, UINT8_MAX),
	NUMBER(notify, UINT8_MAX),
	NUMBER(started_ns, INT64_MAX),
	NUMBER(ended_ns, INT64_MAX),
	NUMBER(steps_taken, PT_HANDED_STEPS_MAX),
	NUMBER(steps_told, PT_HANDED_STEPS_MAX),
	NUMBER(reached, UINT32_MAX),
	NUMBER(left_ns, INT64_MAX / 2),
};

struct word {
	const char *key;
	size_t offset;
};

#define WORD(field)                                           \
	{                                                     \
#field "=", offsetof(struct pt_handed, field) \
	}

static const struct word words[] = {
	WORD(fingerprint),	  WORD(text),	      WORD(label),
	WORD(ending_path),	  WORD(ending_label), WORD(ending_exe),
	WORD(ending_fingerprint),
};

static uint64_t *number_of(struct pt_handed *handed, size_t i)
{
	return (uint64_t *)((char *)handed + numbers[i].offset);
}

static char **word_of(struct pt_handed *handed, size_t i)
{
	return (char **)((char *)handed + words[i].offset);
}

/* ---- to text ---- */

static void add_escaped(struct pt_text *text, const char *key,
			const void *bytes, size_t n)
{
	pt_text_string(text, key);
	pt_text_escaped(text, bytes, n);
	pt_text_byte(text, '\n');
}

static void add_number(struct pt_text *text, const char *key, uint64_t number)
{
	pt_text_field(text, key, number);
	pt_text_byte(text, '\n');
}

void pt_handed_begin(struct pt_text *text, const char *host, uint64_t image)
{
	pt_text_string(text, FIRST_LINE "\n");
	add_escaped(text, HOST_KEY, host, strlen(host));
	if (image != 0)
		add_number(text, IMAGE_KEY, image);
}

void pt_handed_format(struct pt_text *text, const struct pt_handed *handed)
{
	struct pt_handed copy = *handed;

	add_number(text, PROCESS_KEY, handed->fd);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (*number_of(&copy, i) != 0)
			add_number(text, numbers[i].key, *number_of(&copy, i));
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *word = *word_of(&copy, i);

		if (word)
			add_escaped(text, words[i].key, word, strlen(word));
	}
	for (size_t i = 0; i < handed->n_steps; i++) {
		pt_text_field(text, STEP_KEY,
			      (uint64_t)handed->steps[i].signal);
		add_number(text, ":", handed->steps[i].time_ms);
	}
	if (handed->payload_size > 0)
		add_escaped(text, PAYLOAD_KEY, handed->payload,
			    handed->payload_size);
}

void pt_handed_end(struct pt_text *text)
{
	pt_lines_add_crc(text);
}

/* ---- and back ---- */

static int parse_number(struct pt_span value, uint64_t max,
			uint64_t *ret_number)
{
	uint64_t number;
	int r;

	r = pt_text_parse_number(value.start, value.length, &number);
	if (r < 0)
		return r;
	if (number > max)
		return -EBADMSG;
	*ret_number = number;
	return 0;
}

static int parse_word(struct pt_span value, char **word)
{
	size_t size;
	int r;

	if (*word)
		return -EBADMSG; /* twice */
	r = pt_span_unescape(value, word, &size);
	if (r < 0)
		return r;
	return strlen(*word) == size ? 0 : -EBADMSG;
}

static int parse_step(struct pt_handed *handed, struct pt_span value)
{
	const char *colon = memchr(value.start, ':', value.length);
	struct pt_span signal, time;
	uint64_t number, time_ms;
	int r;

	if (!colon || handed->n_steps == PT_HANDED_STEPS_MAX)
		return -EBADMSG;
	signal = (struct pt_span){ value.start, (size_t)(colon - value.start) };
	time = (struct pt_span){ colon + 1, value.length - signal.length - 1 };
	r = parse_number(signal, 64, &number);
	if (r >= 0)
		r = parse_number(time, UINT32_MAX, &time_ms);
	if (r < 0)
		return r;
	handed->steps[handed->n_steps++] = (struct pidtrack_stop_step){
		.signal = (int32_t)number,
		.time_ms = (uint32_t)time_ms,
	};
	return 0;
}

static int parse_payload(struct pt_handed *handed, struct pt_span value)
{
	char *bytes;
	int r;

	if (handed->payload)
		return -EBADMSG;
	r = pt_span_unescape(value, &bytes, &handed->payload_size);
	if (r < 0)
		return r;
	handed->payload = bytes;
	return handed->payload_size <= PT_HANDED_PAYLOAD_MAX ? 0 : -EBADMSG;
}

/* A key of somebody's later version. */
static int parse_unknown(struct pt_span line)
{
	if (!memchr(line.start, '=', line.length))
		return -EBADMSG;
	return line.start[0] == '!' ? -EPROTONOSUPPORT : 0;
}

static int parse_line(struct pt_handed *handed, struct pt_span line)
{
	struct pt_span value;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (pt_line_has(line, numbers[i].key, &value))
			return parse_number(value, numbers[i].max,
					    number_of(handed, i));
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (pt_line_has(line, words[i].key, &value))
			return parse_word(value, word_of(handed, i));
	}
	if (pt_line_has(line, STEP_KEY, &value))
		return parse_step(handed, value);
	if (pt_line_has(line, PAYLOAD_KEY, &value))
		return parse_payload(handed, value);
	return parse_unknown(line);
}

static int begin_process(struct pt_handed_list *list, struct pt_span value)
{
	struct pt_handed *all;
	uint64_t fd;
	int r;

	r = parse_number(value, INT32_MAX, &fd);
	if (r < 0)
		return r;
	all = reallocarray(list->all, list->n + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	list->all = all;
	all[list->n++] = (struct pt_handed){ .fd = fd };
	return 0;
}

static bool is_consistent(const struct pt_handed *handed)
{
	if (handed->state == 0 || handed->steps_told > handed->steps_taken ||
	    handed->steps_taken > handed->n_steps)
		return false;
	if (handed->n_steps > 0 && handed->steps_told == 0)
		return false; /* the first is told by taking it */
	return handed->state > 1 || handed->tell == 0;
}

static int parse_host_line(struct pt_handed_list *list, struct pt_span line)
{
	struct pt_span value;

	if (pt_line_has(line, HOST_KEY, &value))
		return parse_word(value, &list->host);
	if (pt_line_has(line, IMAGE_KEY, &value))
		return parse_number(value, UINT64_MAX, &list->image);
	return parse_unknown(line);
}

static int parse_lines(struct pt_handed_list *list, struct pt_span rest)
{
	struct pt_span line, value;
	int r = 0;

	while (r >= 0 && pt_line_take(&rest, &line)) {
		if (pt_line_has(line, PROCESS_KEY, &value))
			r = begin_process(list, value);
		else if (list->n > 0)
			r = parse_line(&list->all[list->n - 1], line);
		else
			r = parse_host_line(list, line);
	}
	for (size_t i = 0; i < list->n && r >= 0; i++)
		r = is_consistent(&list->all[i]) ? 0 : -EBADMSG;
	return r < 0 ? r : list->host ? 0 : -EBADMSG;
}

/* Another version, which is a number, than ours. */
static bool is_later(struct pt_span first)
{
	struct pt_span digits;
	uint64_t version;

	return pt_line_has(first, FIRST_WORD, &digits) && digits.length > 0 &&
	       digits.start[0] != '0' &&
	       pt_text_parse_number(digits.start, digits.length, &version) == 0;
}

int pt_handed_parse(const char *bytes, size_t size,
		    struct pt_handed_list *ret_list)
{
	struct pt_handed_list list = { 0 };
	struct pt_span text = { bytes, size }, first;
	int r;

	if (!pt_lines_check_crc(&text) || !pt_line_take(&text, &first))
		return -EBADMSG;
	if (!pt_span_is(first, FIRST_LINE))
		return is_later(first) ? -EPROTONOSUPPORT : -EBADMSG;
	r = parse_lines(&list, text);
	if (r < 0) {
		pt_handed_done(&list);
		return r;
	}
	*ret_list = list;
	return 0;
}

void pt_handed_done(struct pt_handed_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(words); j++)
			free(*word_of(&list->all[i], j));
		free(list->all[i].payload);
	}
	free(list->all);
	free(list->host);
	*list = (struct pt_handed_list){ 0 };
}
