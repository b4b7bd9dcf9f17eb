/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "record.h"

#include "lines.h"
#include "sys.h"

int pt_label_check(const char *label)
{
	if (label[0] == 0)
		return -EINVAL;
	if (strnlen(label, PT_LABEL_MAX + 1) > PT_LABEL_MAX)
		return -ENAMETOOLONG;
	for (; *label; label++) {
		unsigned char byte = (unsigned char)*label;

		if (byte < 0x20 || byte == 0x7f)
			return -EINVAL;
	}
	return 0;
}

/* A record may take the place of a file or a link, not of a device. */
static int check_replaceable(const struct pt_record *record)
{
	uint64_t inode;
	uint32_t type;
	int r;

	r = sys_name(record->dir, record->name, &inode, &type);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (type == S_IFDIR)
		return -EISDIR;
	return type == S_IFREG || type == S_IFLNK ? 0 : -EEXIST;
}

int pt_record_prepare(struct pt_record *record, const char *path)
{
	const char *name;
	int fd;

	fd = pt_file_directory(path, &name);
	if (fd < 0)
		return fd;
	record->dir = fd; /* ours to close from here on */

	if (name[0] == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	if (strlen(name) > PT_FILE_NAME_MAX)
		return -ENAMETOOLONG;

	memcpy(record->name, name, strlen(name) + 1);
	if (record->told) {
		record->told->state = PT_RECORD_NONE;
		record->told->inode = 0;
	}
	return check_replaceable(record);
}

static void format(const struct pt_record *record, pid_t pid,
		   const struct pt_look *look, const char *exe,
		   struct pt_text *text)
{
	struct pt_fingerprint fingerprint;

	pt_text_number(text, (uint64_t)pid);
	pt_text_byte(text, '\n');
	if (look->has & PT_HAS_START)
		pt_text_number(text, look->start);

	pt_text_string(text, "\nfingerprint=");
	pt_fingerprint_of(record->place, pid, look, &fingerprint);
	pt_fingerprint_format(&fingerprint, exe, exe ? strlen(exe) : 0, text);
	if (record->label) {
		pt_text_string(text, "\nlabel=");
		pt_text_escaped(text, record->label, strlen(record->label));
	}
	if (record->payload_size > 0) {
		pt_text_string(text, "\npayload=");
		pt_text_escaped(text, record->payload, record->payload_size);
	}
	pt_text_byte(text, '\n');
	pt_lines_add_crc(text);
}

int pt_record_format(const struct pt_record *record, pid_t pid,
		     const struct pt_look *look, struct pt_text *text)
{
	const struct pt_text before = *text;

	format(record, pid, look, record->exe, text);
	if (text->overflow) {
		/* rather without the hint than not at all */
		*text = before;
		format(record, pid, look, NULL, text);
	}
	return text->overflow ? -ENAMETOOLONG : 0;
}

int pt_record_write(const struct pt_record *record, pid_t pid,
		    const struct pt_look *look)
{
	char bytes[PT_RECORD_MAX + 1], draft[PT_FILE_DRAFT_MAX];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	int r;

	r = pt_record_format(record, pid, look, &text);
	if (r < 0)
		return r;
	r = pt_file_draft(record->dir, &text, record->sync, draft);
	if (r < 0)
		return r;
	return pt_file_publish(record->dir, draft, record->name, record->sync);
}

/* ---- by the child ---- */

/* Names nobody else uses; hosts of several pid namespaces share numbers. */
static void name_temporary(struct pt_record *record, pid_t pid,
			   const struct pt_look *look)
{
	struct pt_record_told *told = record->told;
	struct pt_text text = PT_TEXT(told->temporary, sizeof(told->temporary));
	struct pt_text before = PT_TEXT(told->before, sizeof(told->before));

	pt_text_field(&text, ".pidtrack-", (uint64_t)pid);
	pt_text_field(&text, "-", look->start);
	pt_text_field(&text, "-",
		      look->has & PT_HAS_INODE ? look->inode :
						 record->place->pidns);
	pt_text_string(&before, told->temporary);
	pt_text_byte(&before, '~');
}

/* Noted beforehand: the child may be killed at any time. */
static int write_temporary(struct pt_record *record, int dir,
			   const struct pt_text *text)
{
	struct pt_record_told *told = record->told;
	int r;

	told->state = PT_RECORD_WRITTEN;
	r = pt_file_create(dir, told->temporary, text, record->sync,
			   &told->inode);
	if (r < 0)
		told->state = PT_RECORD_NONE;
	return r;
}

/*
 * Takes the name at once, and keeps the record before, if there is one, until
 * the launch has succeeded: by exchanging the two, or as a second link where
 * the file system cannot.  Where it has neither, as vfat, that one is lost.
 */
static int place(struct pt_record *record, int dir)
{
	struct pt_record_told *told = record->told;
	int linked, r;

	r = sys_rename(dir, told->temporary, record->name, PT_RENAME_NOREPLACE);
	if (r >= 0) {
		told->state = PT_RECORD_PLACED;
		return 0;
	}
	r = sys_rename(dir, told->temporary, record->name, PT_RENAME_EXCHANGE);
	if (r >= 0) {
		told->state = PT_RECORD_REPLACED;
		return 0;
	}

	sys_unlink(dir, told->before);
	linked = sys_link(dir, record->name, told->before);
	r = sys_rename(dir, told->temporary, record->name, 0);
	if (r >= 0)
		told->state = linked < 0 ? PT_RECORD_PLACED :
					   PT_RECORD_REPLACED;
	return r;
}

int pt_record_publish(void *argument, int dir, pid_t pid)
{
	struct pt_record *record = argument;
	char bytes[PT_RECORD_MAX + 1];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	struct pt_look *look = &record->told->look;
	int r;

	r = pt_look_at_self(record->place, look);
	if (r < 0)
		return r;
	name_temporary(record, pid, look);
	r = pt_record_format(record, pid, look, &text);
	if (r < 0)
		return r;

	r = write_temporary(record, dir, &text);
	if (r < 0)
		return r;
	r = place(record, dir);
	if (r < 0)
		return r;
	return record->sync ? pt_file_sync_directory(dir) : 0;
}

void pt_record_keep(struct pt_record *record)
{
	if (record->told->state == PT_RECORD_REPLACED) {
		sys_unlink(record->dir, record->told->temporary);
		sys_unlink(record->dir, record->told->before);
	}
}

/* Whether nobody has put another one in its place meanwhile. */
static bool is_still_ours(const struct pt_record *record)
{
	uint64_t inode;
	uint32_t type;

	return sys_name(record->dir, record->name, &inode, &type) == 0 &&
	       inode == record->told->inode;
}

/*
 * By what is there: a child that was killed may have done more than it could
 * tell.  What was before is under the temporary name after an exchange, else
 * under the other one, if at all.
 */
void pt_record_undo(struct pt_record *record)
{
	const struct pt_record_told *told = record->told;

	if (told->state == PT_RECORD_NONE)
		return;
	if (is_still_ours(record) &&
	    sys_rename(record->dir, told->temporary, record->name, 0) < 0 &&
	    sys_rename(record->dir, told->before, record->name, 0) < 0)
		sys_unlink(record->dir, record->name);
	sys_unlink(record->dir, told->temporary);
	sys_unlink(record->dir, told->before);
}
