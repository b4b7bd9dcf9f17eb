/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "reading.h"

#include "file.h"
#include "label.h"
#include "pin.h"
#include "status.h"
#include "sys.h"

/* ---- texts ---- */

static int read_text(int dir, const char *path,
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

/* ---- pins ---- */

/* What the pidfd tells: the number, while it has one in our pid namespace. */
static int make_fingerprint(struct pidtrack_record *record,
			    const struct pt_place *place)
{
	struct pt_look look = { .has = PT_HAS_INODE };
	char bytes[PIDTRACK_FINGERPRINT_MAX];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	struct pt_pidfd_info told;
	struct pt_place looked;
	int r;

	if (!place) {
		r = pt_place_look(&looked);
		if (r < 0)
			return r;
		place = &looked;
	}
	r = sys_inode(record->pidfd, &look.inode);
	if (r < 0)
		return r;
	if (sys_pidfd_info(record->pidfd, PT_PIDFD_INFO_PID, &told) < 0)
		told.tgid = 0;
	pt_fingerprint_of(place, (pid_t)told.tgid, &look, &record->fingerprint);
	pt_fingerprint_format(&record->fingerprint, NULL, 0, &text);
	record->text = strdup(text.start);
	return record->text ? 0 : -ENOMEM;
}

/* The file's name, else what the process carries. */
static int find_label(struct pidtrack_record *record, const char *path)
{
	const char *slash = strrchr(path, '/');
	char label[MAX(PT_PIN_NAME_SIZE, PT_LABEL_MAX + 1)];

	if ((pt_pin_label(slash ? slash + 1 : path, label) < 0 ||
	     pt_label_check(label) < 0) &&
	    pt_label_get(record->pidfd, label) == 0)
		return 0;
	record->label = strdup(label);
	return record->label ? 0 : -ENOMEM;
}

static int find_payload(struct pidtrack_record *record)
{
	unsigned char bytes[PT_RECORD_PAYLOAD_MAX];
	size_t size = pt_label_get_payload(record->pidfd, bytes);

	if (size == 0)
		return 0;
	record->payload = malloc(size);
	if (!record->payload)
		return -ENOMEM;
	memcpy(record->payload, bytes, size);
	record->payload_size = size;
	return 0;
}

static int fill_pin(struct pidtrack_record *record,
		    const struct pt_place *place, const char *path)
{
	int r;

	r = make_fingerprint(record, place);
	if (r >= 0)
		r = find_label(record, path);
	if (r >= 0)
		r = find_payload(record);
	record->file.inode = record->fingerprint.inode; /* no other has it */
	return r;
}

static int read_pin(const struct pt_place *place, int dir, const char *path,
		    struct pidtrack_record **ret_record)
{
	struct pidtrack_record *record;
	int r;

	r = pt_pin_open(dir, path);
	if (r < 0)
		return r == -EBADF || r == -ENODATA ? -ENXIO : r;
	record = pt_recorded_new();
	if (!record) {
		sys_close(r);
		return -ENOMEM;
	}
	record->format = PIDTRACK_RECORD_PIN;
	record->pidfd = r;
	r = fill_pin(record, place, path);
	if (r < 0) {
		pt_recorded_free(record);
		return r;
	}
	*ret_record = record;
	return 0;
}

int pt_recorded_read(const struct pt_place *place, int dir, const char *path,
		     struct pidtrack_record **ret_record)
{
	int r;

	r = read_text(dir, path, ret_record);
	/* a pidfd is no regular file, and where it looks like one, unreadable
	 */
	if (r == -ENXIO || r == -EINVAL)
		r = read_pin(place, dir, path, ret_record);
	return r;
}

/* ---- how it ended ---- */

static int recover_ending(const struct pidtrack_record *record,
			  struct pidtrack_ending *ret_ending)
{
	int status;

	/* in this order: of another pid namespace it tells nothing before */
	if (!pt_status_reaped(record->pidfd))
		return -EAGAIN;
	if (pt_status_recover(record->pidfd, &status) <= 0)
		return -ENODATA;
	*ret_ending = (struct pidtrack_ending){
		.status = status,
		.source = PIDTRACK_SOURCE_RECOVERED,
	};
	return 0;
}

int pt_recorded_ending(const struct pidtrack_record *record,
		       struct pidtrack_ending *ret_ending)
{
	switch (record->format) {
	case PIDTRACK_RECORD_EXIT:
		*ret_ending = record->ending;
		return 0;
	case PIDTRACK_RECORD_PIN:
		return recover_ending(record, ret_ending);
	default:
		return -ENODATA;
	}
}
