/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * How a process ended, as text in a file beside its record, PATH.exit:
 *
 *	pidtrack-exit1
 *	fingerprint=pidtrack1:pid=4711,inode=…
 *	label=web%201
 *	source=waited
 *	status=768
 *	started_ns=1763717400120000000
 *	ended_ns=1763717412345678901
 *	crc32=89abcdef
 *
 * The first line is none of a pid file's.  The status is as of wait(2), and
 * only there if the source is known; so are the times, by CLOCK_REALTIME.  One
 * of another process that has the name becomes PATH.exit.previous.
 */
#ifndef PT_ENDING_H
#define PT_ENDING_H

#include "base.h"
#include "fingerprint.h"
#include "pidtrack.h"
#include "recorded.h"
#include "text.h"

/* An exit record to be. */
struct pt_ending {
	char *path;  /* owned: of the record, absolute */
	char *label; /* owned; or NULL */
	char *exe;   /* owned: hint, or NULL */
	struct pt_fingerprint fingerprint;
	int64_t started_ns;
	int64_t ended_ns; /* when its end was seen; 0: not yet */
	bool sync;
};

/*
 * @label, @exe: may be NULL
 *
 * Return: 0; -ENAMETOOLONG if the file has no room for its name; -ENOMEM; what
 * the working directory of a relative @path is refused with.
 */
int pt_ending_new(const char *path, const char *label, const char *exe,
		  struct pt_ending **ret_ending);

/* NULL is fine.  Return: NULL. */
struct pt_ending *pt_ending_free(struct pt_ending *ending);

/* Its process has ended, now. */
void pt_ending_see(struct pt_ending *ending);

/* Writes the text. */
void pt_ending_format(const struct pt_ending *ending, int status,
		      uint32_t source, struct pt_text *text);

/* Whether there could be one: what has its name is none, or may be set aside.
 */
int pt_ending_check(const struct pt_ending *ending);

/* What has the name, unless it is of this very process, becomes the previous.
 */
int pt_ending_make_room(const struct pt_ending *ending);

/*
 * Writes the file.  One of this very process that has its status already stays
 * as it is.
 *
 * Return: 0; -EISDIR, -ENXIO if what has the name is no file; the kernel's.
 */
int pt_ending_write(const struct pt_ending *ending, int status,
		    uint32_t source);

/* See pidtrack_ending_read(). */
int pt_ending_read(const char *path, const struct pidtrack_record *record,
		   struct pidtrack_ending *ret_ending);

#endif
