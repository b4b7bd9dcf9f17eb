/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Records from bytes: as they are, and with the checksum that makes them ours,
 * since no fuzzer guesses one.  What is taken is what there was, and comes back
 * from a record written of it; one bit off, it is none.
 */
#include <errno.h>
#include <limits.h>
#include <sys/wait.h>

#include "ending.h"
#include "fuzz.h"
#include "lines.h"
#include "recorded.h"

#define CRC_LINE 15 /* "crc32=", 8 digits, end of line */

/* Parses memory of just that size, for a sanitizer to watch. */
static int parse(const char *bytes, size_t size,
		 struct pidtrack_record **ret_record)
{
	char *copy = malloc(size ? size : 1);
	int r;

	FUZZ_CHECK(copy);
	if (size > 0)
		memcpy(copy, bytes, size);
	r = pidtrack_record_parse(copy, size, ret_record);
	free(copy);
	return r;
}

static bool same_bytes(const void *a, size_t a_size, const void *b,
		       size_t b_size)
{
	if (a_size != b_size || !a != !b)
		return false;
	return a_size == 0 || !memcmp(a, b, a_size);
}

static bool same_text(const char *a, const char *b)
{
	return !a == !b && (!a || !strcmp(a, b));
}

static bool same(const struct pt_fingerprint *a, const struct pt_fingerprint *b)
{
	if (a->pid != b->pid || a->has != b->has)
		return false;
	if (a->has & PT_HAS_INODE && a->inode != b->inode)
		return false;
	if (a->has & PT_HAS_START && a->start != b->start)
		return false;
	if (a->has & PT_HAS_PIDNS && a->place.pidns != b->place.pidns)
		return false;
	if (a->has & PT_HAS_BOOTTIME && a->place.boottime != b->place.boottime)
		return false;
	return !(a->has & PT_HAS_BOOT) ||
	       !memcmp(a->place.boot, b->place.boot, sizeof(a->place.boot));
}

/* Written anew and read again it says the same. */
static void go_back(const struct pidtrack_record *taken)
{
	static char bytes[PT_RECORD_MAX + 1];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	struct pt_record record = {
		.place = &taken->fingerprint.place,
		.label = taken->label,
		.payload = taken->payload,
		.payload_size = taken->payload_size,
	};
	struct pt_look look = {
		.inode = taken->fingerprint.inode,
		.start = taken->fingerprint.start,
		.has = taken->fingerprint.has & (PT_HAS_INODE | PT_HAS_START),
	};
	struct pidtrack_record *back;

	/* bytes that stood for themselves may be too long once escaped */
	if (pt_record_format(&record, taken->fingerprint.pid, &look, &text) < 0)
		return;
	FUZZ_CHECK(parse(text.start, text.length, &back) == 0);
	FUZZ_CHECK(back->format == PIDTRACK_RECORD_NATIVE);
	FUZZ_CHECK(same(&taken->fingerprint, &back->fingerprint));
	FUZZ_CHECK(same_text(taken->label, back->label));
	FUZZ_CHECK(taken->payload_size == back->payload_size);
	FUZZ_CHECK(back->payload_size == 0 ||
		   same_bytes(taken->payload, taken->payload_size,
			      back->payload, back->payload_size));
	pidtrack_record_free(back);
}

/* The same of an exit record. */
static void exit_back(const struct pidtrack_record *taken)
{
	static char bytes[PT_RECORD_MAX + 1];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	const struct pidtrack_ending *ending = &taken->ending;
	struct pt_ending written = {
		.label = taken->label,
		.fingerprint = taken->fingerprint,
		.started_ns = ending->started_ns,
		.ended_ns = ending->ended_ns,
	};
	struct pidtrack_record *back;

	pt_ending_format(&written, ending->status, ending->source, &text);
	FUZZ_CHECK(!text.overflow);
	FUZZ_CHECK(parse(text.start, text.length, &back) == 0);
	FUZZ_CHECK(back->format == PIDTRACK_RECORD_EXIT);
	FUZZ_CHECK(same(&taken->fingerprint, &back->fingerprint));
	FUZZ_CHECK(same_text(taken->label, back->label));
	FUZZ_CHECK(!memcmp(ending, &back->ending, sizeof(*ending)));
	pidtrack_record_free(back);
}

/* One bit of it, another for each input, is not what it was. */
static void flip(const char *bytes, size_t size)
{
	size_t bit = pt_lines_crc32(bytes, size) % (size * 8);
	char *other = malloc(size);
	struct pidtrack_record *record;

	FUZZ_CHECK(other);
	memcpy(other, bytes, size);
	other[bit / 8] ^= (char)(1 << bit % 8);
	FUZZ_CHECK(parse(other, size, &record) == -EBADMSG);
	free(other);
}

/* The last line is the checksum of all others. */
static void check_sum(const char *bytes, size_t size)
{
	char line[CRC_LINE + 1];

	FUZZ_CHECK(size > CRC_LINE);
	snprintf(line, sizeof(line), "crc32=%08x\n",
		 pt_lines_crc32(bytes, size - CRC_LINE));
	FUZZ_CHECK(!memcmp(bytes + size - CRC_LINE, line, CRC_LINE));
	FUZZ_CHECK(bytes[size - CRC_LINE - 1] == '\n');
}

static void check_native(const struct pidtrack_record *record,
			 const char *bytes, size_t size)
{
	check_sum(bytes, size);
	FUZZ_CHECK(!record->capability && !record->exe && !record->torn);
	FUZZ_CHECK(record->payload_size <= PT_RECORD_PAYLOAD_MAX);
	/* its first line is for readers that know no more */
	FUZZ_CHECK(record->fingerprint.pid == strtol(bytes, NULL, 10));
	go_back(record);
	flip(bytes, size);
}

static void check_exit(const struct pidtrack_record *record, const char *bytes,
		       size_t size)
{
	const struct pidtrack_ending *ending = &record->ending;

	check_sum(bytes, size);
	FUZZ_CHECK(!record->capability && !record->exe && !record->torn);
	FUZZ_CHECK(!record->payload && record->text);
	FUZZ_CHECK(ending->source <= PIDTRACK_SOURCE_RECOVERED);
	FUZZ_CHECK((ending->source == PIDTRACK_SOURCE_UNKNOWN) ==
		   (ending->status == -1));
	FUZZ_CHECK(ending->status == -1 || WIFEXITED(ending->status) ||
		   WIFSIGNALED(ending->status));
	FUZZ_CHECK(ending->started_ns >= 0 && ending->ended_ns >= 0);
	/* no reader of pid files takes it for one */
	FUZZ_CHECK(bytes[0] == 'p');
	exit_back(record);
	flip(bytes, size);
}

static void check_foreign(const struct pidtrack_record *record,
			  const char *bytes, size_t size)
{
	FUZZ_CHECK(!memchr(bytes, 0, size));
	FUZZ_CHECK(!record->label && !record->payload);
	FUZZ_CHECK(!(record->fingerprint.has & ~PT_HAS_START));
	FUZZ_CHECK(record->torn == (bytes[size - 1] != '\n'));
	switch (record->format) {
	case PIDTRACK_RECORD_BOXLITE:
		FUZZ_CHECK(record->fingerprint.has & PT_HAS_START ||
			   record->capability);
		FUZZ_CHECK(!record->exe);
		break;
	case PIDTRACK_RECORD_BROOD_BOX:
		FUZZ_CHECK(record->exe && record->exe[0] == '/');
		FUZZ_CHECK(!record->fingerprint.has && !record->capability);
		break;
	default:
		FUZZ_CHECK(record->format == PIDTRACK_RECORD_PID);
		FUZZ_CHECK(!record->fingerprint.has && !record->exe &&
			   !record->capability);
	}
}

static void check(const struct pidtrack_record *record, const char *bytes,
		  size_t size)
{
	FUZZ_CHECK(record->fingerprint.pid >= 2);
	FUZZ_CHECK(!record->dated);
	FUZZ_CHECK(
		strcmp(pidtrack_record_format_name(record->format), "unknown"));
	if (record->format == PIDTRACK_RECORD_NATIVE)
		check_native(record, bytes, size);
	else if (record->format == PIDTRACK_RECORD_EXIT)
		check_exit(record, bytes, size);
	else if (record->format != PIDTRACK_RECORD_FINGERPRINT)
		check_foreign(record, bytes, size);
}

static void take(const char *bytes, size_t size)
{
	struct pidtrack_record *const nothing = (void *)bytes;
	struct pidtrack_record *record = nothing;
	int r;

	r = parse(bytes, size, &record);
	if (r < 0) {
		FUZZ_CHECK(record == nothing);
		FUZZ_CHECK((r == -EFBIG) == (size > PIDTRACK_RECORD_MAX));
		FUZZ_CHECK(r == -EFBIG || r == -EBADMSG ||
			   r == -EPROTONOSUPPORT);
		return;
	}
	check(record, bytes, size);
	FUZZ_CHECK(!pidtrack_record_free(record));
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
