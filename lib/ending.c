/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "ending.h"

#include <stdio.h>

#include "file.h"
#include "lines.h"
#include "reading.h"
#include "sys.h"

#define SUFFIX ".exit"
#define SUFFIX_PREVIOUS ".exit.previous"

/* ---- to be recorded ---- */

/* Whether both files may have names as long as that. */
static int check_names(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (strlen(slash + 1) + strlen(SUFFIX_PREVIOUS) > PT_FILE_NAME_MAX ||
	    (size_t)(slash - path) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

static int copy_text(const char *text, char **ret_copy)
{
	if (!text)
		return 0;
	*ret_copy = strdup(text);
	return *ret_copy ? 0 : -ENOMEM;
}

int pt_ending_new(const char *path, const char *label, const char *exe,
		  struct pt_ending **ret_ending)
{
	struct pt_ending *ending;
	int r;

	ending = calloc(1, sizeof(*ending));
	if (!ending)
		return -ENOMEM;
	r = pt_file_absolute(path, &ending->path);
	if (r >= 0)
		r = check_names(ending->path);
	if (r >= 0)
		r = copy_text(label, &ending->label);
	if (r >= 0)
		r = copy_text(exe, &ending->exe);
	if (r < 0) {
		pt_ending_free(ending);
		return r;
	}
	*ret_ending = ending;
	return 0;
}

struct pt_ending *pt_ending_free(struct pt_ending *ending)
{
	if (!ending)
		return NULL;
	free(ending->path);
	free(ending->label);
	free(ending->exe);
	free(ending);
	return NULL;
}

void pt_ending_see(struct pt_ending *ending)
{
	const struct pt_fingerprint *fingerprint = &ending->fingerprint;
	int64_t started_ns;

	ending->ended_ns = sys_clock_ns(CLOCK_REALTIME);
	if (!(fingerprint->has & PT_HAS_START))
		return;
	started_ns = pt_start_ns(fingerprint->start);
	if (started_ns > 0 && started_ns <= ending->ended_ns)
		ending->started_ns = started_ns;
}

/* ---- the text ---- */

static void add_number(struct pt_text *text, const char *key, int64_t number)
{
	if (number <= 0)
		return;
	pt_text_field(text, key, (uint64_t)number);
	pt_text_byte(text, '\n');
}

void pt_ending_format(const struct pt_ending *ending, int status,
		      uint32_t source, struct pt_text *text)
{
	const char *exe = ending->exe;

	pt_text_string(text, PT_RECORDED_EXIT "\nfingerprint=");
	pt_fingerprint_format(&ending->fingerprint, exe, exe ? strlen(exe) : 0,
			      text);
	if (ending->label) {
		pt_text_string(text, "\nlabel=");
		pt_text_escaped(text, ending->label, strlen(ending->label));
	}
	pt_text_string(text, "\nsource=");
	pt_text_string(text, pidtrack_source_name(source));
	if (source != PIDTRACK_SOURCE_UNKNOWN)
		pt_text_field(text, "\nstatus=", (uint64_t)status);
	pt_text_byte(text, '\n');
	add_number(text, "started_ns=", ending->started_ns);
	add_number(text, "ended_ns=", ending->ended_ns);
	pt_lines_add_crc(text);
}

/* ---- whose it is ---- */

/*
 * Whether two fingerprints are of one process.
 *
 * Return: 0; -ESTALE if they are not; -ENODATA if that cannot be told.
 */
static int compare(const struct pt_fingerprint *a,
		   const struct pt_fingerprint *b)
{
	struct pidtrack_comparison comparison;

	pt_fingerprint_compare(a, b, &comparison);
	if (comparison.verdict == PIDTRACK_VERDICT_SAME)
		return 0;
	if (comparison.verdict != PIDTRACK_VERDICT_UNPROVEN)
		return -ESTALE;
	/* of one boot, and of one namespace */
	if (comparison.evidence & PIDTRACK_EVIDENCE_PID && a->pid != b->pid)
		return -ESTALE;
	return -ENODATA;
}

/* What has the name, as it matters to who needs that. */
enum found {
	FOUND_NOTHING,
	FOUND_OTHER,   /* another's, or no exit record at all */
	FOUND_UNKNOWN, /* its own, without a status */
	FOUND_STATUS,  /* its own */
};

/* It has a name that is ours to use, and is to be kept. */
static bool is_foreign(int error)
{
	return error == -EBADMSG || error == -EPROTONOSUPPORT ||
	       error == -EFBIG || error == -ELOOP || error == -EACCES;
}

/* Return: enum found, or what keeps us from telling. */
static int find(const struct pt_ending *ending, int dir, const char *name)
{
	struct pidtrack_record *record;
	int found = FOUND_OTHER, r;

	r = pt_recorded_read(NULL, dir, name, &record);
	if (r == -ENOENT)
		return FOUND_NOTHING;
	if (r < 0)
		return is_foreign(r) ? FOUND_OTHER : r;
	if (record->format == PIDTRACK_RECORD_NATIVE)
		found = -EEXIST; /* of a process that may well be there */
	if (record->format == PIDTRACK_RECORD_EXIT &&
	    compare(&ending->fingerprint, &record->fingerprint) == 0)
		found = record->ending.source == PIDTRACK_SOURCE_UNKNOWN ?
				FOUND_UNKNOWN :
				FOUND_STATUS;
	pt_recorded_free(record);
	return found;
}

/* ---- the file ---- */

/* Where an exit record is, and the one before. */
struct names {
	int dir; /* owned */
	char name[PT_FILE_NAME_MAX + 1];
	char previous[PT_FILE_NAME_MAX + 1];
};

static void close_names(struct names *names)
{
	names->dir = fd_close(names->dir);
}

static int open_names(const struct pt_ending *ending, struct names *ret_names)
{
	struct pt_text own = PT_TEXT(ret_names->name, sizeof(ret_names->name));
	struct pt_text previous =
		PT_TEXT(ret_names->previous, sizeof(ret_names->previous));
	const char *name;

	ret_names->dir = pt_file_directory(ending->path, &name);
	if (ret_names->dir < 0)
		return ret_names->dir;
	pt_text_string(&own, name);
	pt_text_string(&own, SUFFIX);
	pt_text_string(&previous, name);
	pt_text_string(&previous, SUFFIX_PREVIOUS);
	return 0;
}

static int set_aside(const struct names *names)
{
	return sys_rename(names->dir, names->name, names->previous, 0);
}

int pt_ending_check(const struct pt_ending *ending)
{
	CLEANUP(close_names) struct names names = { .dir = -1 };
	int r;

	r = open_names(ending, &names);
	return r < 0 ? r : MIN(find(ending, names.dir, names.name), 0);
}

int pt_ending_make_room(const struct pt_ending *ending)
{
	CLEANUP(close_names) struct names names = { .dir = -1 };
	int found, r;

	r = open_names(ending, &names);
	if (r < 0)
		return r;
	found = find(ending, names.dir, names.name);
	return found == FOUND_OTHER ? set_aside(&names) : MIN(found, 0);
}

int pt_ending_write(const struct pt_ending *ending, int status, uint32_t source)
{
	CLEANUP(close_names) struct names names = { .dir = -1 };
	char bytes[PT_RECORD_MAX + 1], draft[PT_FILE_DRAFT_MAX];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	int found, r;

	r = open_names(ending, &names);
	if (r < 0)
		return r;
	found = find(ending, names.dir, names.name);
	if (found < 0 || found == FOUND_STATUS)
		return MIN(found, 0);
	/* by another who saw its end; since then the name is a later one's */
	if (find(ending, names.dir, names.previous) == FOUND_STATUS)
		return 0;

	pt_ending_format(ending, status, source, &text);
	r = pt_file_draft(names.dir, &text, ending->sync, draft);
	if (r < 0)
		return r;
	if (found == FOUND_OTHER)
		r = set_aside(&names);
	if (r < 0 && r != -ENOENT) {
		sys_unlink(names.dir, draft);
		return r;
	}
	return pt_file_publish(names.dir, draft, names.name, ending->sync);
}

/* ---- reading ---- */

static int read_one(const char *path, const char *suffix,
		    const struct pidtrack_record *record,
		    struct pidtrack_ending *ret_ending)
{
	CLEANUP(freep) char *name = NULL;
	struct pidtrack_record *found;
	int r;

	if (asprintf(&name, "%s%s", path, suffix) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	r = pt_recorded_read(NULL, AT_FDCWD, name, &found);
	if (r < 0)
		return r;
	r = found->format == PIDTRACK_RECORD_EXIT ?
		    compare(&record->fingerprint, &found->fingerprint) :
		    -EBADMSG;
	*ret_ending = found->ending;
	pt_recorded_free(found);
	return r;
}

int pt_ending_read(const char *path, const struct pidtrack_record *record,
		   struct pidtrack_ending *ret_ending)
{
	struct pidtrack_ending ending;
	int r;

	/* what tells an end by itself has none beside it */
	if (record->format == PIDTRACK_RECORD_EXIT ||
	    record->format == PIDTRACK_RECORD_PIN)
		return pt_recorded_ending(record, ret_ending);
	r = read_one(path, SUFFIX, record, &ending);
	/* in this order: it may become the previous meanwhile */
	if (r < 0 && read_one(path, SUFFIX_PREVIOUS, record, &ending) == 0)
		r = 0;
	if (r == 0)
		*ret_ending = ending;
	return r;
}
