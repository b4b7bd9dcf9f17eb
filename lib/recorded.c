/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "recorded.h"

#include "checked.h"
#include "foreign.h"
#include "label.h"
#include "lines.h"
#include "sys.h"

/* ---- native ---- */

#define FINGERPRINT_KEY "fingerprint="

static int parse_fingerprint(struct pidtrack_record *record,
			     struct pt_span value)
{
	record->text = pt_span_copy(value);
	if (!record->text)
		return -ENOMEM;
	if (strlen(record->text) != value.length)
		return -EBADMSG; /* a NUL in it */
	return pt_fingerprint_parse(record->text, &record->fingerprint);
}

static int parse_label(struct pidtrack_record *record, struct pt_span value)
{
	size_t size;
	int r;

	if (record->label)
		return -EBADMSG;
	r = pt_span_unescape(value, &record->label, &size);
	if (r < 0)
		return r;
	if (strlen(record->label) != size || pt_label_check(record->label) < 0)
		return -EBADMSG;
	return 0;
}

static int parse_payload(struct pidtrack_record *record, struct pt_span value)
{
	char *bytes;
	int r;

	if (record->payload)
		return -EBADMSG;
	r = pt_span_unescape(value, &bytes, &record->payload_size);
	if (r < 0)
		return r;
	record->payload = bytes;
	return record->payload_size <= PT_RECORD_PAYLOAD_MAX ? 0 : -EBADMSG;
}

static int parse_keys(struct pidtrack_record *record, struct pt_span rest)
{
	struct pt_span line, value;
	int r = 0;

	/* a key we do not know is somebody's later one */
	while (r >= 0 && pt_line_take(&rest, &line)) {
		if (pt_line_has(line, "label=", &value))
			r = parse_label(record, value);
		else if (pt_line_has(line, "payload=", &value))
			r = parse_payload(record, value);
		else if (pt_line_has(line, FINGERPRINT_KEY, &value) ||
			 !memchr(line.start, '=', line.length))
			r = -EBADMSG;
	}
	return r;
}

/* The first two lines are the fingerprint's, for those who know only these. */
static bool lines_agree(const struct pt_fingerprint *fingerprint,
			struct pt_span first, struct pt_span second)
{
	uint64_t pid, start;

	if (pt_text_parse_number(first.start, first.length, &pid) < 0 ||
	    pid != (uint64_t)fingerprint->pid)
		return false;
	if (!(fingerprint->has & PT_HAS_START))
		return second.length == 0;
	return pt_text_parse_number(second.start, second.length, &start) == 0 &&
	       start == fingerprint->start;
}

static int parse_native(struct pidtrack_record *record, struct pt_span text)
{
	struct pt_span first, second, third, value;
	int r;

	record->format = PIDTRACK_RECORD_NATIVE;
	if (!pt_lines_check_crc(&text) || !pt_line_take(&text, &first) ||
	    !pt_line_take(&text, &second) || !pt_line_take(&text, &third) ||
	    !pt_line_has(third, FINGERPRINT_KEY, &value))
		return -EBADMSG;
	r = parse_fingerprint(record, value);
	if (r < 0)
		return r;
	if (!lines_agree(&record->fingerprint, first, second))
		return -EBADMSG;
	return parse_keys(record, text);
}

/* ---- of an end ---- */

/* What follows the fingerprint, a key a line. */
enum exit_key {
	EXIT_LABEL,
	EXIT_SOURCE,
	EXIT_STATUS,
	EXIT_STARTED,
	EXIT_ENDED,
	EXIT_KEYS,
};

static const char *const exit_keys[EXIT_KEYS] = {
	[EXIT_LABEL] = "label=",    [EXIT_SOURCE] = "source=",
	[EXIT_STATUS] = "status=",  [EXIT_STARTED] = "started_ns=",
	[EXIT_ENDED] = "ended_ns=",
};

static int parse_source(struct pt_span value, uint32_t *ret_source)
{
	for (uint32_t source = PIDTRACK_SOURCE_UNKNOWN;
	     source <= PIDTRACK_SOURCE_RECOVERED; source++) {
		if (pt_span_is(value, pidtrack_source_name(source))) {
			*ret_source = source;
			return 0;
		}
	}
	return -EBADMSG;
}

/* One that wait(2) tells of what has ended. */
static int parse_status(struct pt_span value, int32_t *ret_status)
{
	uint64_t status;
	int r;

	r = pt_text_parse_number(value.start, value.length, &status);
	if (r < 0)
		return r;
	if (status > UINT16_MAX ||
	    (!WIFEXITED((int)status) && !WIFSIGNALED((int)status)))
		return -EBADMSG;
	*ret_status = (int32_t)status;
	return 0;
}

static int parse_time(struct pt_span value, int64_t *ret_ns)
{
	uint64_t ns;
	int r;

	r = pt_text_parse_number(value.start, value.length, &ns);
	if (r < 0 || ns == 0 || ns > INT64_MAX)
		return -EBADMSG;
	*ret_ns = (int64_t)ns;
	return 0;
}

static int parse_exit_value(struct pidtrack_record *record, enum exit_key key,
			    struct pt_span value)
{
	struct pidtrack_ending *ending = &record->ending;

	switch (key) {
	case EXIT_LABEL:
		return parse_label(record, value);
	case EXIT_SOURCE:
		return parse_source(value, &ending->source);
	case EXIT_STATUS:
		return parse_status(value, &ending->status);
	case EXIT_STARTED:
		return parse_time(value, &ending->started_ns);
	case EXIT_ENDED:
		return parse_time(value, &ending->ended_ns);
	case EXIT_KEYS:
	default:
		return -EBADMSG;
	}
}

static int parse_exit_line(struct pidtrack_record *record, struct pt_span line,
			   uint32_t *seen)
{
	struct pt_span value;

	for (int key = 0; key < EXIT_KEYS; key++) {
		if (!pt_line_has(line, exit_keys[key], &value))
			continue;
		if (*seen & 1U << key)
			return -EBADMSG;
		*seen |= 1U << key;
		return parse_exit_value(record, (enum exit_key)key, value);
	}
	/* any other is somebody's later one */
	if (pt_line_has(line, FINGERPRINT_KEY, &value) ||
	    !memchr(line.start, '=', line.length))
		return -EBADMSG;
	return 0;
}

static int parse_exit_lines(struct pidtrack_record *record, struct pt_span rest)
{
	struct pt_span line;
	uint32_t seen = 0;
	int r = 0;

	record->ending.status = -1;
	while (r >= 0 && pt_line_take(&rest, &line))
		r = parse_exit_line(record, line, &seen);
	if (r < 0)
		return r;
	/* a status is from somewhere, or there is none */
	if (!(seen & 1U << EXIT_SOURCE) ||
	    !(seen & 1U << EXIT_STATUS) !=
		    (record->ending.source == PIDTRACK_SOURCE_UNKNOWN))
		return -EBADMSG;
	return 0;
}

#define EXIT_WORD_LENGTH (sizeof(PT_RECORDED_EXIT) - 2) /* less the digit */

static bool looks_exit(struct pt_span text)
{
	return text.length > EXIT_WORD_LENGTH &&
	       memcmp(text.start, PT_RECORDED_EXIT, EXIT_WORD_LENGTH) == 0;
}

/* Whether @first has another version, which is a number, than ours. */
static bool is_later_exit(struct pt_span first)
{
	uint64_t version;

	first.start += EXIT_WORD_LENGTH;
	first.length -= EXIT_WORD_LENGTH;
	return first.length > 0 && first.start[0] != '0' &&
	       pt_text_parse_number(first.start, first.length, &version) == 0;
}

static int parse_exit(struct pidtrack_record *record, struct pt_span text)
{
	struct pt_span first, second, value;
	int r;

	record->format = PIDTRACK_RECORD_EXIT;
	if (!pt_lines_check_crc(&text) || !pt_line_take(&text, &first))
		return -EBADMSG;
	if (!pt_span_is(first, PT_RECORDED_EXIT))
		return is_later_exit(first) ? -EPROTONOSUPPORT : -EBADMSG;
	if (!pt_line_take(&text, &second) ||
	    !pt_line_has(second, FINGERPRINT_KEY, &value))
		return -EBADMSG;
	r = parse_fingerprint(record, value);
	return r < 0 ? r : parse_exit_lines(record, text);
}

/* ---- foreign ---- */

static int keep(struct pt_span span, char **ret_copy)
{
	if (!span.start)
		return 0;
	*ret_copy = pt_span_copy(span);
	return *ret_copy ? 0 : -ENOMEM;
}

static int parse_foreign(struct pidtrack_record *record, struct pt_span text)
{
	struct pt_foreign foreign;
	int r;

	r = pt_foreign_parse(text, &foreign);
	if (r < 0)
		return r;
	record->format = foreign.format;
	record->torn = foreign.torn;
	record->fingerprint.pid = foreign.pid;
	if (foreign.has_start) {
		record->fingerprint.start = foreign.start;
		record->fingerprint.has = PT_HAS_START;
	}
	r = keep(foreign.capability, &record->capability);
	return r < 0 ? r : keep(foreign.exe, &record->exe);
}

/* ---- any ---- */

/* Up to here it could have been one, and then it was torn. */
static bool begins_native(struct pt_span line)
{
	return line.length > 0 &&
	       memcmp(line.start, FINGERPRINT_KEY,
		      MIN(line.length, strlen(FINGERPRINT_KEY))) == 0;
}

/*
 * Whether it is a native one, or was: some line starts as only theirs do, for
 * damage may have joined two lines or spoilt one key; or the third, the last,
 * does as far as it goes.
 */
static bool looks_native(struct pt_span text)
{
	struct pt_span line, value;

	for (int i = 1; pt_line_take(&text, &line); i++) {
		if (pt_line_has(line, FINGERPRINT_KEY, &value) ||
		    pt_line_has(line, PT_LINES_CRC_KEY, &value))
			return true;
		if (i == 3 && text.length == 0)
			return begins_native(line);
	}
	return false;
}

/* A fingerprint alone, with or without the end of a line. */
static int parse_alone(struct pidtrack_record *record, struct pt_span text)
{
	record->format = PIDTRACK_RECORD_FINGERPRINT;
	return parse_fingerprint(record, pt_span_trim(text));
}

static int parse_any(struct pidtrack_record *record, struct pt_span text)
{
	int r;

	if (looks_exit(text))
		r = parse_exit(record, text);
	else if (text.length > 0 && text.start[0] == 'p')
		r = parse_alone(record, text);
	else if (looks_native(text))
		r = parse_native(record, text);
	else
		r = parse_foreign(record, text);
	if (r < 0)
		return r;
	/* one taken of what had no number any more has none */
	if (record->fingerprint.pid == 0 &&
	    record->format == PIDTRACK_RECORD_FINGERPRINT)
		return 0;
	return record->fingerprint.pid < 2 ? -EBADMSG : 0;
}

struct pidtrack_record *pt_recorded_free(struct pidtrack_record *record)
{
	if (!record)
		return NULL;
	pt_checked(!record->freed);
	record->freed = true;
	fd_close(record->pidfd);
	free(record->text);
	free(record->label);
	free(record->capability);
	free(record->exe);
	free(record->payload);
	pt_checked_free(record);
	return NULL;
}

struct pidtrack_record *pt_recorded_new(void)
{
	struct pidtrack_record *record = calloc(1, sizeof(*record));

	if (record)
		record->pidfd = -1;
	return record;
}

int pt_recorded_parse(const char *bytes, size_t size,
		      struct pidtrack_record **ret_record)
{
	struct pidtrack_record *record;
	int r;

	if (size > PIDTRACK_RECORD_MAX)
		return -EFBIG;
	record = pt_recorded_new();
	if (!record)
		return -ENOMEM;
	r = parse_any(record, (struct pt_span){ bytes, size });
	if (r < 0) {
		pt_recorded_free(record);
		return r;
	}
	*ret_record = record;
	return 0;
}
