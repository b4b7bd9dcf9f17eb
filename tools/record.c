/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "complain.h"
#include "format.h"
#include "verdict.h"

static const char *advice_on(int error)
{
	return error == -EMFILE ? "; raise 'ulimit -n'" : "";
}

int record_not_read(const char *path, int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
		complain("'%s': no such file or directory; a PROCESS is PID, "
			 "PID:INODE, a record file or a pin",
			 path);
		break;
	case -EISDIR:
		complain("'%s' is a directory; name the record in it, or see "
			 "'pidtrack list'",
			 path);
		break;
	case -ENXIO:
		complain("'%s' is no regular file and no pin, so no record",
			 path);
		break;
	case -ELOOP:
		complain("'%s' is a symbolic link, and through one no record "
			 "is read; name the file itself",
			 path);
		break;
	case -EFBIG:
		complain("'%s' is too large for a record, which has %d bytes "
			 "at most",
			 path, PIDTRACK_RECORD_MAX);
		break;
	case -EBADMSG:
		complain("'%s' is damaged, or no record: it tells nothing of "
			 "a process",
			 path);
		break;
	case -EPROTONOSUPPORT:
		complain("'%s' was made by a later pidtrack; ask that", path);
		return EXIT_UNTOLD;
	case -EAGAIN:
		complain("'%s' is being written again and again; try later",
			 path);
		break;
	default:
		complain("cannot read '%s': %s%s", path, strerror(-error),
			 advice_on(error));
	}
	return EXIT_FAILED;
}

const char *record_fault(int error)
{
	switch (error) {
	case -EBADMSG:
		return "damaged, or no record";
	case -EFBIG:
		return "too large for a record";
	case -EPROTONOSUPPORT:
		return "made by a later pidtrack";
	case -EAGAIN:
		return "written again and again";
	case -ELOOP:
		return "a symbolic link";
	case -ENXIO:
		return "no regular file";
	default:
		return strerror(-error);
	}
}

int record_read(const char *path, struct pidtrack_record **ret_record)
{
	int r;

	r = pidtrack_record_read(path, ret_record);
	return r < 0 ? record_not_read(path, r) : 0;
}

/* Where there was nothing but a number to compare, and somebody has it. */
static const char *
advice_on_verdict(const struct pidtrack_comparison *comparison, uint32_t flags)
{
	if (comparison->verdict == PIDTRACK_VERDICT_UNPROVEN &&
	    comparison->evidence == PIDTRACK_EVIDENCE_PID &&
	    !(flags & PIDTRACK_ATTACH_LEGACY))
		return "; --legacy believes it";
	return "";
}

int record_not_attached(const char *path,
			const struct pidtrack_comparison *comparison,
			uint32_t flags, int error)
{
	if (error == -ESRCH || error == -ESTALE || error == -ENODATA) {
		complain("'%s': %s, %s%s", path,
			 pidtrack_verdict_name(comparison->verdict),
			 comparison->reason,
			 advice_on_verdict(comparison, flags));
		return verdict_exit_code(comparison->verdict);
	}
	complain("cannot track the process of '%s': %s%s", path,
		 strerror(-error), advice_on(error));
	return EXIT_FAILED;
}

bool record_ending(const char *path, const struct pidtrack_record *record,
		   struct ending *ret_ending)
{
	struct pidtrack_ending ending = { 0 };
	int r;

	r = pidtrack_ending_read(path, record, &ending, sizeof(ending));
	if (r == -ENODATA &&
	    pidtrack_record_format(record) == PIDTRACK_RECORD_PIN) {
		/* it is reaped, and the kernel cannot tell how it ended */
		*ret_ending = (struct ending){ -1, PIDTRACK_SOURCE_UNKNOWN };
		return true;
	}
	if (r < 0)
		return false;
	*ret_ending = (struct ending){ ending.status, ending.source };
	return true;
}

char *record_path(const char *directory, const char *name)
{
	size_t n = strlen(directory);
	char *path;

	if (asprintf(&path, "%s%s%s", directory,
		     n && directory[n - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return path;
}

int directory_open(const char *path, uint32_t flags,
		   struct pidtrack_registry **ret_registry)
{
	int r;

	r = pidtrack_registry_open(path, flags, ret_registry);
	switch (r) {
	case 0:
		return 0;
	case -ENOTDIR:
		complain("'%s' is no directory; for one record see 'pidtrack "
			 "verify'",
			 path);
		break;
	case -ENOENT:
		complain("'%s': no such directory", path);
		break;
	case -ENOSPC:
		complain("cannot follow '%s': raise the sysctl "
			 "fs.inotify.max_user_watches",
			 path);
		break;
	default:
		complain("cannot read '%s': %s%s", path, strerror(-r),
			 advice_on(r));
	}
	return EXIT_FAILED;
}

/* ---- for programs ---- */

#define PAYLOAD_SIZE (3 * 1024 + 1) /* bytes; each may be %XX */

/* Bytes of any kind as a record has them: plain ASCII, the rest as %XX. */
static void escape(const unsigned char *bytes, size_t n,
		   char ret_text[PAYLOAD_SIZE])
{
	static const char plain[] = "0123456789"
				    "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "/._-+@:";
	char *text = ret_text;

	for (size_t i = 0; i < n && text + 3 < ret_text + PAYLOAD_SIZE; i++) {
		if (bytes[i] && strchr(plain, bytes[i]))
			*text++ = (char)bytes[i];
		else
			text += format_text(text, 4, "%%%02x", bytes[i]);
	}
	*text = 0;
}

void record_json(const struct pidtrack_record *record, struct json *json)
{
	char text[PAYLOAD_SIZE];
	const void *payload;
	size_t n;

	if (!record) {
		json_null(json, "format");
		json_null(json, "capability");
		json_null(json, "exe");
		json_null(json, "payload");
		return;
	}
	payload = pidtrack_record_payload(record, &n);
	if (payload)
		escape(payload, n, text);
	json_string(
		json, "format",
		pidtrack_record_format_name(pidtrack_record_format(record)));
	json_string(json, "capability", pidtrack_record_capability(record));
	json_string(json, "exe", pidtrack_record_exe(record));
	json_string(json, "payload", payload ? text : NULL);
}
