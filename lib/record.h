/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A fingerprint and what belongs to it as text in a file, written by the
 * process it is of before it executes, or by its host:
 *
 *	4711
 *	8271123
 *	fingerprint=pidtrack1:pid=4711,inode=…
 *	label=web%201
 *	payload=…
 *	crc32=89abcdef
 *
 * The first two lines are what readers of pid files and of boxlite's records
 * know; the second is empty if there is no start time.  Values are ASCII, other
 * bytes are %XX.  The last line is the CRC-32 (IEEE 802.3) of all before it.
 */
#ifndef PT_RECORD_H
#define PT_RECORD_H

#include "base.h"
#include "file.h"
#include "fingerprint.h"
#include "text.h"

#define PT_LABEL_MAX 255 /* bytes, without the NUL */
#define PT_RECORD_PAYLOAD_MAX 1024
#define PT_RECORD_MAX 4096 /* bytes of the text */
#define PT_RECORD_TEMPORARY_MAX 72

/* Return: 0; -EINVAL if it is empty or has control characters; -ENAMETOOLONG.
 */
int pt_label_check(const char *label);

/* How far a record has come; decides what undoing it means. */
enum pt_record_state {
	PT_RECORD_NONE,
	PT_RECORD_WRITTEN,  /* under its temporary name, or about to be */
	PT_RECORD_PLACED,   /* there was none before, or it could not be kept */
	PT_RECORD_REPLACED, /* the one before has one of the other names */
};

/* What the child tells, in memory that even a fork would share. */
struct pt_record_told {
	volatile uint32_t state; /* enum pt_record_state */
	struct pt_look look;
	uint64_t inode;				 /* of the file */
	char temporary[PT_RECORD_TEMPORARY_MAX]; /* its name until complete */
	char before[PT_RECORD_TEMPORARY_MAX]; /* of the one before, if linked */
};

/* A record to be; prepared by the host, which writes it, or its child does. */
struct pt_record {
	int dir; /* owned: where it will be */
	char name[PT_FILE_NAME_MAX + 1];
	const struct pt_place *place;
	const char *exe; /* hint, or NULL */
	const char *label;
	const void *payload;
	size_t payload_size;
	bool sync;

	struct pt_record_told *told; /* by the child; NULL if none writes it */
};

/*
 * Opens the directory of @path, takes apart its name, and checks what else
 * there is to check.
 *
 * Return: 0; -EINVAL for an empty name, "." or ".."; -ENAMETOOLONG; what
 * opening the directory fails with.
 */
int pt_record_prepare(struct pt_record *record, const char *path);

/* Writes the text of a record; -ENAMETOOLONG if it does not fit. */
int pt_record_format(const struct pt_record *record, pid_t pid,
		     const struct pt_look *look, struct pt_text *text);

/* By the host: writes the record of a process in the place of any other. */
int pt_record_write(const struct pt_record *record, pid_t pid,
		    const struct pt_look *look);

/*
 * In the child: writes the record of itself, complete, then gives it its name.
 *
 * @argument: the struct pt_record
 * @dir: its directory, by the child's number
 */
int pt_record_publish(void *argument, int dir, pid_t pid);

/* After the launch: forget the record before, or put it back. */
void pt_record_keep(struct pt_record *record);
void pt_record_undo(struct pt_record *record);

#endif
