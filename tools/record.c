/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "record.h"

#include <errno.h>
#include <string.h>

#include "command.h"
#include "complain.h"
#include "verdict.h"

static const char *advice_on(int error)
{
	return error == -EMFILE ? "; raise 'ulimit -n'" : "";
}

static int not_read(const char *path, int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
		complain("'%s': no such file; a PROCESS is PID, PID:INODE or a "
			 "record file",
			 path);
		break;
	case -EISDIR:
		complain("'%s' is a directory; name the record in it", path);
		break;
	case -ENXIO:
		complain("'%s' is no regular file, so no record", path);
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

int record_read(const char *path, struct pidtrack_record **ret_record)
{
	int r;

	r = pidtrack_record_read(path, ret_record);
	return r < 0 ? not_read(path, r) : 0;
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

	if (pidtrack_ending_read(path, record, &ending, sizeof(ending)) < 0)
		return false;
	*ret_ending = (struct ending){ ending.status, ending.source };
	return true;
}
