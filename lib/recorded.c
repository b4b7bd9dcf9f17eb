/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "recorded.h"

#include "file.h"
#include "sys.h"

/* ---- lines ---- */

/* A part of the bytes being parsed. */
struct span {
	const char *start;
	size_t length;
};

static bool is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct span trim(struct span span)
{
	while (span.length > 0 && is_blank(span.start[0])) {
		span.start++;
		span.length--;
	}
	while (span.length > 0 && is_blank(span.start[span.length - 1]))
		span.length--;
	return span;
}

static bool is_word(struct span span, const char *word)
{
	return span.length == strlen(word) &&
	       memcmp(span.start, word, span.length) == 0;
}

/* Takes the first line off @rest, without its end; false at the end. */
static bool take_line(struct span *rest, struct span *ret_line)
{
	const char *end;

	if (rest->length == 0)
		return false;
	*ret_line = *rest;
	end = memchr(rest->start, '\n', rest->length);
	if (!end) {
		*rest = (struct span){ rest->start + rest->length, 0 };
		return true;
	}
	ret_line->length = (size_t)(end - rest->start);
	rest->start = end + 1;
	rest->length -= ret_line->length + 1;
	return true;
}

static char *copy(struct span span)
{
	return strndup(span.start, span.length);
}

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
static bool is_text(struct span span)
{
	const unsigned char *bytes = (const unsigned char *)span.start;

	for (size_t i = 0, n; i < span.length; i += n) {
		n = utf8_character(bytes + i, span.length - i);
		if (n == 0 || bytes[i] == 0)
			return false;
	}
	return true;
}

/* ---- foreign ---- */

/* As the runtimes' own parsers take it: a sign of plus does no harm. */
static int parse_pid(struct span line, pid_t *ret_pid)
{
	uint64_t pid;
	int r;

	line = trim(line);
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

static int parse_start(struct span line, uint64_t *ret_start)
{
	if (line.length > 0 && line.start[0] == '+') {
		line.start++;
		line.length--;
	}
	return pt_text_parse_number(line.start, line.length, ret_start);
}

#define BOXLITE_CAPABILITY "services-mux-v1"

/* boxlite: "pid\n", "pid\nstart\n", "pid\n[start]\ncapability\n". */
static int parse_boxlite(struct pidtrack_record *record, struct span second,
			 struct span rest)
{
	struct span third;
	uint64_t start;

	if (second.length > 0) {
		/* its own readers would take it for a number alone */
		if (parse_start(second, &start) < 0)
			return -EBADMSG;
		record->format = PIDTRACK_RECORD_BOXLITE;
		record->fingerprint.start = start;
		record->fingerprint.has = PT_HAS_START;
	}
	if (!take_line(&rest, &third))
		return 0;
	third = trim(third);
	if (!is_word(third, BOXLITE_CAPABILITY))
		return 0;
	record->format = PIDTRACK_RECORD_BOXLITE;
	record->capability = copy(third);
	return record->capability ? 0 : -ENOMEM;
}

/* brood-box: "pid\npath", the path to the end of the file. */
static int parse_brood_box(struct pidtrack_record *record, struct span path)
{
	record->format = PIDTRACK_RECORD_BROOD_BOX;
	record->exe = copy(trim(path));
	return record->exe ? 0 : -ENOMEM;
}

static int parse_foreign(struct pidtrack_record *record, struct span text)
{
	struct span first, second, rest = text;
	int r;

	if (!is_text(text) || !take_line(&rest, &first))
		return -EBADMSG;
	r = parse_pid(first, &record->fingerprint.pid);
	if (r < 0)
		return r;

	record->format = PIDTRACK_RECORD_PID;
	record->torn = text.start[text.length - 1] != '\n';
	text = rest;
	if (!take_line(&rest, &second))
		return 0;
	second = trim(second);
	if (second.length > 0 && second.start[0] == '/')
		return parse_brood_box(record, text);
	return parse_boxlite(record, second, rest);
}

/* ---- native ---- */

#define FINGERPRINT_KEY "fingerprint="
#define CRC_KEY "crc32="
#define CRC_LINE (sizeof(CRC_KEY) - 1 + 8 + 1)

/* Whether the last line is the checksum of what is before it; cuts it off. */
static bool check_crc(struct span *text)
{
	char bytes[CRC_LINE + 1];
	struct pt_text line = PT_TEXT(bytes, sizeof(bytes));
	size_t before;

	if (text->length <= CRC_LINE)
		return false;
	before = text->length - CRC_LINE;
	if (text->start[before - 1] != '\n')
		return false;
	pt_text_string(&line, CRC_KEY);
	pt_text_hex(&line, pt_record_crc32(text->start, before), 8);
	pt_text_byte(&line, '\n');
	if (memcmp(text->start + before, bytes, CRC_LINE) != 0)
		return false;
	text->length = before;
	return true;
}

/* The value of "key=value". */
static bool has_key(struct span line, const char *key, struct span *ret_value)
{
	size_t n = strlen(key);

	if (line.length < n || memcmp(line.start, key, n) != 0)
		return false;
	*ret_value = (struct span){ line.start + n, line.length - n };
	return true;
}

/* Undoes %XX, into memory of its own and a NUL behind it. */
static int unescape(struct span value, char **ret_bytes, size_t *ret_size)
{
	CLEANUP(freep) char *bytes = malloc(value.length + 1);
	size_t n = 0;

	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < value.length; i++) {
		int high, low;

		bytes[n] = value.start[i];
		if (value.start[i] == '%') {
			if (value.length - i < 3)
				return -EBADMSG;
			high = pt_text_hex_digit(value.start[i + 1]);
			low = pt_text_hex_digit(value.start[i + 2]);
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

static int parse_fingerprint(struct pidtrack_record *record, struct span value)
{
	record->text = copy(value);
	if (!record->text)
		return -ENOMEM;
	if (strlen(record->text) != value.length)
		return -EBADMSG; /* a NUL in it */
	return pt_fingerprint_parse(record->text, &record->fingerprint);
}

static int parse_label(struct pidtrack_record *record, struct span value)
{
	size_t size;
	int r;

	if (record->label)
		return -EBADMSG;
	r = unescape(value, &record->label, &size);
	if (r < 0)
		return r;
	if (strlen(record->label) != size || pt_label_check(record->label) < 0)
		return -EBADMSG;
	return 0;
}

static int parse_payload(struct pidtrack_record *record, struct span value)
{
	char *bytes;
	int r;

	if (record->payload)
		return -EBADMSG;
	r = unescape(value, &bytes, &record->payload_size);
	if (r < 0)
		return r;
	record->payload = bytes;
	return record->payload_size <= PT_RECORD_PAYLOAD_MAX ? 0 : -EBADMSG;
}

static int parse_keys(struct pidtrack_record *record, struct span rest)
{
	struct span line, value;
	int r = 0;

	/* a key we do not know is somebody's later one */
	while (r >= 0 && take_line(&rest, &line)) {
		if (has_key(line, "label=", &value))
			r = parse_label(record, value);
		else if (has_key(line, "payload=", &value))
			r = parse_payload(record, value);
		else if (has_key(line, FINGERPRINT_KEY, &value) ||
			 !memchr(line.start, '=', line.length))
			r = -EBADMSG;
	}
	return r;
}

/* The first two lines are the fingerprint's, for those who know only these. */
static bool lines_agree(const struct pt_fingerprint *fingerprint,
			struct span first, struct span second)
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

static int parse_native(struct pidtrack_record *record, struct span text)
{
	struct span first, second, third, value;
	int r;

	record->format = PIDTRACK_RECORD_NATIVE;
	if (!check_crc(&text) || !take_line(&text, &first) ||
	    !take_line(&text, &second) || !take_line(&text, &third) ||
	    !has_key(third, FINGERPRINT_KEY, &value))
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

static int parse_source(struct span value, uint32_t *ret_source)
{
	for (uint32_t source = PIDTRACK_SOURCE_UNKNOWN;
	     source <= PIDTRACK_SOURCE_RECOVERED; source++) {
		if (is_word(value, pidtrack_source_name(source))) {
			*ret_source = source;
			return 0;
		}
	}
	return -EBADMSG;
}

/* One that wait(2) tells of what has ended. */
static int parse_status(struct span value, int32_t *ret_status)
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

static int parse_time(struct span value, int64_t *ret_ns)
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
			    struct span value)
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

static int parse_exit_line(struct pidtrack_record *record, struct span line,
			   uint32_t *seen)
{
	struct span value;

	for (int key = 0; key < EXIT_KEYS; key++) {
		if (!has_key(line, exit_keys[key], &value))
			continue;
		if (*seen & 1U << key)
			return -EBADMSG;
		*seen |= 1U << key;
		return parse_exit_value(record, (enum exit_key)key, value);
	}
	/* any other is somebody's later one */
	if (has_key(line, FINGERPRINT_KEY, &value) ||
	    !memchr(line.start, '=', line.length))
		return -EBADMSG;
	return 0;
}

static int parse_exit_lines(struct pidtrack_record *record, struct span rest)
{
	struct span line;
	uint32_t seen = 0;
	int r = 0;

	record->ending.status = -1;
	while (r >= 0 && take_line(&rest, &line))
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

static bool looks_exit(struct span text)
{
	return text.length > EXIT_WORD_LENGTH &&
	       memcmp(text.start, PT_RECORDED_EXIT, EXIT_WORD_LENGTH) == 0;
}

/* Whether @first has another version, which is a number, than ours. */
static bool is_later_exit(struct span first)
{
	uint64_t version;

	first.start += EXIT_WORD_LENGTH;
	first.length -= EXIT_WORD_LENGTH;
	return first.length > 0 && first.start[0] != '0' &&
	       pt_text_parse_number(first.start, first.length, &version) == 0;
}

static int parse_exit(struct pidtrack_record *record, struct span text)
{
	struct span first, second, value;
	int r;

	record->format = PIDTRACK_RECORD_EXIT;
	if (!check_crc(&text) || !take_line(&text, &first))
		return -EBADMSG;
	if (!is_word(first, PT_RECORDED_EXIT))
		return is_later_exit(first) ? -EPROTONOSUPPORT : -EBADMSG;
	if (!take_line(&text, &second) ||
	    !has_key(second, FINGERPRINT_KEY, &value))
		return -EBADMSG;
	r = parse_fingerprint(record, value);
	return r < 0 ? r : parse_exit_lines(record, text);
}

/* ---- any ---- */

/* Up to here it could have been one, and then it was torn. */
static bool begins_native(struct span line)
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
static bool looks_native(struct span text)
{
	struct span line, value;

	for (int i = 1; take_line(&text, &line); i++) {
		if (has_key(line, FINGERPRINT_KEY, &value) ||
		    has_key(line, CRC_KEY, &value))
			return true;
		if (i == 3 && text.length == 0)
			return begins_native(line);
	}
	return false;
}

/* A fingerprint alone, with or without the end of a line. */
static int parse_alone(struct pidtrack_record *record, struct span text)
{
	record->format = PIDTRACK_RECORD_FINGERPRINT;
	return parse_fingerprint(record, trim(text));
}

static int parse_any(struct pidtrack_record *record, struct span text)
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
	if (r >= 0 && record->fingerprint.pid < 2)
		return -EBADMSG;
	return r;
}

struct pidtrack_record *pt_recorded_free(struct pidtrack_record *record)
{
	if (!record)
		return NULL;
	free(record->text);
	free(record->label);
	free(record->capability);
	free(record->exe);
	free(record->payload);
	free(record);
	return NULL;
}

int pt_recorded_parse(const char *bytes, size_t size,
		      struct pidtrack_record **ret_record)
{
	struct pidtrack_record *record;
	int r;

	if (size > PIDTRACK_RECORD_MAX)
		return -EFBIG;
	record = calloc(1, sizeof(*record));
	if (!record)
		return -ENOMEM;
	r = parse_any(record, (struct span){ bytes, size });
	if (r < 0) {
		pt_recorded_free(record);
		return r;
	}
	*ret_record = record;
	return 0;
}

/* ---- files ---- */

int pt_recorded_read(int dir, const char *path,
		     struct pidtrack_record **ret_record)
{
	char bytes[PIDTRACK_RECORD_MAX + 1];
	struct pidtrack_record *record;
	struct pt_file_stamp file;
	int n, r;

	n = pt_file_read(dir, path, bytes, sizeof(bytes), &file);
	if (n < 0)
		return n;
	r = pt_recorded_parse(bytes, (size_t)n, &record);
	if (r < 0)
		return r;
	record->dated = true;
	record->file = file;
	*ret_record = record;
	return 0;
}
