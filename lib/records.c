/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Records: read, asked, verified.
 */
#include "base.h"
#include "ending.h"
#include "options.h"
#include "reading.h"
#include "recorded.h"
#include "removal.h"
#include "sys.h"
#include "tracker.h"
#include "verify.h"

PUBLIC int pidtrack_record_read(const char *path,
				struct pidtrack_record **ret_record)
{
	return pt_recorded_read(NULL, AT_FDCWD, path, ret_record);
}

PUBLIC int pidtrack_record_parse(const void *bytes, size_t size,
				 struct pidtrack_record **ret_record)
{
	return pt_recorded_parse(bytes, size, ret_record);
}

PUBLIC struct pidtrack_record *
pidtrack_record_free(struct pidtrack_record *record)
{
	return pt_recorded_free(record);
}

PUBLIC uint32_t pidtrack_record_format(const struct pidtrack_record *record)
{
	return record->format;
}

PUBLIC pid_t pidtrack_record_pid(const struct pidtrack_record *record)
{
	return record->fingerprint.pid;
}

PUBLIC const char *
pidtrack_record_fingerprint(const struct pidtrack_record *record)
{
	return record->text;
}

PUBLIC const char *pidtrack_record_label(const struct pidtrack_record *record)
{
	return record->label;
}

PUBLIC const char *
pidtrack_record_capability(const struct pidtrack_record *record)
{
	return record->capability;
}

PUBLIC const char *pidtrack_record_exe(const struct pidtrack_record *record)
{
	return record->exe;
}

PUBLIC const void *pidtrack_record_payload(const struct pidtrack_record *record,
					   size_t *ret_size)
{
	*ret_size = record->payload_size;
	return record->payload_size > 0 ? record->payload : NULL;
}

PUBLIC int pidtrack_record_ending(const struct pidtrack_record *record,
				  struct pidtrack_ending *ret_ending,
				  size_t size)
{
	struct pidtrack_ending ending;
	int r;

	r = pt_recorded_ending(record, &ending);
	if (r < 0)
		return r;
	pt_options_give(ret_ending, size, &ending, sizeof(ending));
	return 0;
}

PUBLIC int pidtrack_ending_read(const char *path,
				const struct pidtrack_record *record,
				struct pidtrack_ending *ret_ending, size_t size)
{
	struct pidtrack_ending ending;
	int r;

	r = pt_ending_read(path, record, &ending);
	if (r < 0)
		return r;
	pt_options_give(ret_ending, size, &ending, sizeof(ending));
	return 0;
}

PUBLIC int pidtrack_record_remove(const char *path,
				  const struct pidtrack_record *record)
{
	return pt_removal(path, record);
}

static const char *const format_names[] = {
	[PIDTRACK_RECORD_NATIVE] = "native",
	[PIDTRACK_RECORD_FINGERPRINT] = "fingerprint",
	[PIDTRACK_RECORD_BOXLITE] = "boxlite",
	[PIDTRACK_RECORD_BROOD_BOX] = "brood-box",
	[PIDTRACK_RECORD_PID] = "pid",
	[PIDTRACK_RECORD_EXIT] = "exit",
	[PIDTRACK_RECORD_PIN] = "pin",
};

PUBLIC const char *pidtrack_record_format_name(uint32_t format)
{
	return pt_name(format_names, ARRAY_SIZE(format_names), format);
}

/*
 * Of the tracker only the place is used, which never changes: any thread.
 * Without one it is looked at anew.
 */
PUBLIC int pidtrack_verify(struct pidtrack *tracker,
			   const struct pidtrack_record *record,
			   struct pidtrack_comparison *ret_comparison,
			   size_t size)
{
	uint64_t before = pt_sys_calls;
	struct pt_verified verified;
	struct pt_place place;
	int r = 0;

	if (tracker && pt_owner_forked(&tracker->owner))
		return -ECHILD;
	if (!tracker)
		r = pt_place_look(&place);
	/* a pin is asked itself */
	if (r < 0 && record->format != PIDTRACK_RECORD_PIN)
		pt_verify_unseen(r, &verified);
	else
		pt_verify(tracker ? &tracker->set.place : &place, record,
			  &verified);
	if (verified.pidfd >= 0)
		sys_close(verified.pidfd);
	pt_options_give(ret_comparison, size, &verified.comparison,
			sizeof(verified.comparison));
	if (tracker)
		tracker->syscalls += pt_sys_calls - before;
	return 0;
}
