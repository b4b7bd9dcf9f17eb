/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a record says, native or foreign: from bytes to values, and nothing of
 * whether it is true.
 */
#ifndef PT_RECORDED_H
#define PT_RECORDED_H

#include "base.h"
#include "file.h"
#include "fingerprint.h"
#include "pidtrack.h"
#include "record.h"

/* The first line of an exit record; the digits behind it are its version. */
#define PT_RECORDED_EXIT "pidtrack-exit1"

struct pidtrack_record {
	uint32_t format; /* enum pidtrack_record_format */
	/* of a foreign one: pid, and perhaps start, as the writer's /proc told
	 */
	struct pt_fingerprint fingerprint;
	struct pidtrack_ending ending; /* of an exit record */
	int pidfd;		       /* owned: of a pin; else -1 */
	bool freed;		       /* looked at where it is checked */
	bool torn;  /* the last line has no end: it may be longer */
	bool dated; /* it came from a file that is no pin: */
	struct pt_file_stamp file; /* which, and when that was written */

	char *text; /* the fingerprint's; this and what follows owned; or NULL
		     */
	char *label;
	char *capability;
	char *exe;
	void *payload;
	size_t payload_size;
};

/* Return: 0; -EBADMSG, -EPROTONOSUPPORT, -EFBIG, -ENOMEM. */
int pt_recorded_parse(const char *bytes, size_t size,
		      struct pidtrack_record **ret_record);

/* Of nothing yet; NULL for want of memory. */
struct pidtrack_record *pt_recorded_new(void);
struct pidtrack_record *pt_recorded_free(struct pidtrack_record *record);

#endif
