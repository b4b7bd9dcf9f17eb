/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "verify.h"

#include "probes.h"
#include "procfs.h"
#include "status.h"
#include "sys.h"

/* One verification under way. */
struct verification {
	const struct pt_place *place;
	const struct pidtrack_record *record;
	int pidfd; /* owned; or -1 */
	bool legacy;
	struct pidtrack_comparison comparison;
};

static void conclude(struct verification *it, uint32_t verdict,
		     uint32_t evidence, const char *reason)
{
	it->comparison = (struct pidtrack_comparison){
		.verdict = verdict,
		.evidence = evidence,
		.reason = reason,
	};
}

/* What could not be asked says nothing about the process. */
static void conclude_unseen(struct verification *it, int error)
{
	const char *reason = "the kernel refuses to tell";

	if (is_short_of_room(error))
		reason = "no descriptor or memory to look with";
	else if (error == -EPERM || error == -EACCES)
		reason = "looking at it is not permitted here";
	else if (error == -ENOSYS)
		reason = "the kernel has no pidfd_open, or a sandbox hides it";
	else if (error == -ENODATA)
		reason = "/proc does not show what would have to be compared";
	conclude(it, PIDTRACK_VERDICT_UNPROVEN, 0, reason);
}

/* ---- open ---- */

/* The number, as the one who wrote the record saw it, is one of ours. */
static bool number_is_ours(const struct verification *it)
{
	const struct pt_fingerprint *recorded = &it->record->fingerprint;

	if (recorded->has & it->place->has & PT_HAS_PIDNS)
		return recorded->place.pidns == it->place->pidns;
	/* foreign records do not say, and are of whoever reads them */
	return !it->record->text;
}

static void open_handle(struct verification *it)
{
	const struct pt_fingerprint *recorded = &it->record->fingerprint;
	const struct pt_handle handle = {
		.bytes = sizeof(handle.id),
		.type = PT_FILEID_KERNFS,
		.id = recorded->inode,
	};
	int r;

	if (!it->place->pidfs || !(recorded->has & PT_HAS_INODE) ||
	    !(it->place->has & recorded->has & PT_HAS_BOOT))
		return;
	r = sys_handle_open(&handle);
	if (r >= 0)
		it->pidfd = r;
}

/*
 * Opens what has the number now.
 *
 * Return: 1; 0 and a conclusion.
 */
static int open_number(struct verification *it)
{
	const pid_t pid = it->record->fingerprint.pid;
	int r;

	r = sys_pidfd_open(pid, 0);
	if (r >= 0) {
		it->pidfd = r;
		return 1;
	}
	/* until Linux 6.15 also where a process group or session still has it
	 */
	if (r == -ESRCH || (r == -EINVAL && sys_getpgid(pid) == -ESRCH))
		conclude(it, PIDTRACK_VERDICT_GONE, PIDTRACK_EVIDENCE_PID,
			 "no process has its number");
	else if (r == -ENOENT || (r == -EINVAL && pt_procfs_is_thread(pid) > 0))
		conclude(it, PIDTRACK_VERDICT_REUSED, PIDTRACK_EVIDENCE_PID,
			 "only a thread has its number");
	else if (r == -EINVAL)
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, 0,
			 "the process with its number is just ending");
	else
		conclude_unseen(it, r);
	return 0;
}

/* ---- look ---- */

/*
 * By the inode, if both have one: it decides, and takes no /proc.  Else all
 * there is to see.
 */
static int look(struct verification *it, struct pt_fingerprint *ret_found)
{
	const struct pt_fingerprint *recorded = &it->record->fingerprint;
	struct pt_look seen = { 0 };
	int r = 0;

	if (it->place->pidfs && recorded->has & PT_HAS_INODE &&
	    sys_inode(it->pidfd, &seen.inode) >= 0)
		seen.has = PT_HAS_INODE;
	else
		r = pt_look_at(it->place, it->pidfd, recorded->pid, &seen);
	if (r >= 0)
		pt_fingerprint_of(it->place, recorded->pid, &seen, ret_found);
	return r;
}

/* 1, and whether it was waited for; 0: it runs; or why that is not seen. */
static int has_ended(const struct verification *it, bool *ret_reaped)
{
	struct pollfd ended = { .fd = it->pidfd, .events = POLLIN };
	int r = sys_ppoll_now(&ended);

	*ret_reaped = r > 0 && (ended.revents & POLLHUP ||
				sys_pidfd_send_signal(it->pidfd, 0) == -ESRCH);
	return r;
}

/*
 * Found by its number, and reaped while it was looked at, it could not be read.
 * The one that is recorded, if it ran, would have had that number, so it is
 * gone as well.
 */
static void conclude_unread(struct verification *it)
{
	uint32_t evidence = PIDTRACK_EVIDENCE_PID;
	bool reaped;

	if (it->pidfd < 0 || has_ended(it, &reaped) <= 0 || !reaped)
		return;
	if (it->record->text)
		evidence |= PIDTRACK_EVIDENCE_BOOT;
	it->legacy = false;
	conclude(it, PIDTRACK_VERDICT_GONE, evidence,
		 "what had its number has just been waited for");
}

/*
 * Whether what was verified runs or has ended.  Reaped by now, it has ended all
 * the same where its pidfd is still known for it, as long as it is pinned, or
 * one of the group or session that it led is there: since Linux 6.15 that tells
 * the status, which who takes it for gone would not ask for.
 */
static void conclude_alive(struct verification *it)
{
	bool reaped;
	int r;

	if (it->comparison.verdict == PIDTRACK_VERDICT_UNPROVEN)
		conclude_unread(it);
	if (it->comparison.verdict != PIDTRACK_VERDICT_SAME)
		return;
	r = has_ended(it, &reaped);
	if (r < 0)
		conclude_unseen(it, r);
	if (r <= 0)
		return;
	it->comparison.verdict = reaped && !it->place->pidfs ?
					 PIDTRACK_VERDICT_GONE :
					 PIDTRACK_VERDICT_EXITED;
	if (reaped)
		it->comparison.reason = "it has been waited for";
}

/* ---- native records, and fingerprints ---- */

static bool is_of_other_boot(const struct verification *it)
{
	const struct pt_fingerprint *recorded = &it->record->fingerprint;

	return recorded->has & it->place->has & PT_HAS_BOOT &&
	       memcmp(recorded->place.boot, it->place->boot,
		      sizeof(it->place->boot)) != 0;
}

static void compare(struct verification *it)
{
	const struct pt_fingerprint *recorded = &it->record->fingerprint;
	struct pt_fingerprint found;
	int r;

	r = look(it, &found);
	if (r < 0)
		conclude_unseen(it, r == -ESRCH ? -ENODATA : r);
	else
		pt_fingerprint_compare(recorded, &found, &it->comparison);
}

static void verify_native(struct verification *it)
{
	if (is_of_other_boot(it)) {
		conclude(it, PIDTRACK_VERDICT_OTHER_BOOT,
			 PIDTRACK_EVIDENCE_BOOT, "the boot id is another");
		return;
	}

	open_handle(it);
	if (it->pidfd >= 0) {
		conclude(it, PIDTRACK_VERDICT_SAME,
			 PIDTRACK_EVIDENCE_BOOT | PIDTRACK_EVIDENCE_INODE,
			 "the pidfs inode leads to it");
	} else if (it->record->fingerprint.pid == 0) {
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, 0,
			 "it is not found by its inode, and has no number");
	} else if (!number_is_ours(it)) {
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, 0,
			 "the pid is of another pid namespace");
	} else if (!(it->place->has & it->record->fingerprint.has &
		     PT_HAS_BOOT)) {
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, 0,
			 "no boot id to compare");
	} else if (open_number(it) > 0) {
		compare(it);
	} else if (it->comparison.evidence) {
		it->comparison.evidence |= PIDTRACK_EVIDENCE_BOOT;
	}
	conclude_alive(it);
}

/* ---- foreign records ---- */

#define CLOCK_SLACK_NS INT64_C(2000000000)

/* As the clock has it now, which may have been wrong then. */
static bool is_older_than_boot(const struct verification *it)
{
	const struct pidtrack_record *record = it->record;
	int64_t boot = sys_clock_ns(CLOCK_REALTIME) -
		       sys_clock_ns(CLOCK_BOOTTIME) + it->place->boottime;

	return record->dated &&
	       record->file.modified_ns < boot - CLOCK_SLACK_NS;
}

/*
 * Nobody writes the number of a process down before there is the process.
 *
 * Return: whether it was; or why that is not seen.
 */
static int is_older_than_process(const struct verification *it)
{
	const struct pidtrack_record *record = it->record;
	struct pt_procfs_stat stat;
	struct pt_look seen;
	int r;

	if (!record->dated)
		return 0;
	r = pt_look_at(it->place, it->pidfd, record->fingerprint.pid, &seen);
	if (r >= 0 && !(seen.has & PT_HAS_START)) {
		r = pt_procfs_stat(record->fingerprint.pid, &stat);
		r = is_short_of_room(r) ? r : -ENODATA;
	}
	if (r < 0)
		return r == -ESRCH ? -ENODATA : r;
	return record->file.modified_ns <
	       pt_start_ns(seen.start) - CLOCK_SLACK_NS;
}

/*
 * A number, at best with a hint; of another boot, or of a process that began
 * later, it is a stranger's, as it may be where that is not seen.
 */
static void conclude_legacy(struct verification *it, uint32_t evidence,
			    const char *reason)
{
	int older;

	if (is_older_than_boot(it)) {
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, 0,
			 "the record is older than this boot");
		return;
	}
	older = is_older_than_process(it);
	if (older < 0) {
		conclude_unseen(it, older);
	} else if (older) {
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, 0,
			 "the record is older than the process");
	} else {
		it->legacy = true;
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, evidence, reason);
	}
}

/*
 * The ticks are as the writer's time namespace had them, which nobody wrote
 * down: if the process is in ours, the writer was.
 */
static void compare_start(struct verification *it)
{
	const uint32_t evidence = PIDTRACK_EVIDENCE_PID |
				  PIDTRACK_EVIDENCE_START;
	const struct pt_fingerprint *recorded = &it->record->fingerprint;
	bool same_time = pt_procfs_same_time(recorded->pid);
	struct pt_look seen;
	int r;

	r = pt_look_at(it->place, it->pidfd, recorded->pid, &seen);
	if (r >= 0 && !(seen.has & PT_HAS_START))
		r = -ENODATA;
	if (r < 0)
		conclude_unseen(it, r == -ESRCH ? -ENODATA : r);
	else if (seen.start != recorded->start && it->record->torn)
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, 0,
			 "the start time is another, and may be half a number");
	else if (seen.start != recorded->start && !same_time)
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, 0,
			 "the start time is of another time namespace");
	else if (seen.start != recorded->start)
		conclude(it, PIDTRACK_VERDICT_REUSED, evidence,
			 "the start time is another");
	else if (is_older_than_boot(it))
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, 0,
			 "the record is older than this boot");
	else
		conclude(it, PIDTRACK_VERDICT_SAME, evidence,
			 "pid and start time are the same");
}

/* What a path is without the kernel's word that nobody has that file now. */
static size_t without_deleted(const char *path, size_t n)
{
	static const char deleted[] = " (deleted)";
	const size_t length = sizeof(deleted) - 1;

	if (n > length && memcmp(path + n - length, deleted, length) == 0)
		return n - length;
	return n;
}

static void compare_exe(struct verification *it)
{
	const uint32_t evidence = PIDTRACK_EVIDENCE_PID | PIDTRACK_EVIDENCE_EXE;
	const char *exe = it->record->exe;
	char path[PIDTRACK_RECORD_MAX];
	size_t n;
	int r;

	r = pt_procfs_exe(it->record->fingerprint.pid, path, sizeof(path));
	if (r < 0) {
		conclude_unseen(it, r == -ENOENT ? -ENODATA : r);
		return;
	}
	n = without_deleted(path, (size_t)r);
	if (n == strlen(exe) && memcmp(path, exe, n) == 0)
		conclude_legacy(it, evidence,
				"it executes that path, as others may");
	else
		conclude(it, PIDTRACK_VERDICT_UNPROVEN, evidence,
			 "it executes another path, as after an update");
}

static void compare_foreign(struct verification *it)
{
	if (it->record->fingerprint.has & PT_HAS_START)
		compare_start(it);
	else if (it->record->exe)
		compare_exe(it);
	else
		conclude_legacy(it, PIDTRACK_EVIDENCE_PID,
				"the record has only a number");
}

static void verify_foreign(struct verification *it)
{
	if (!it->place->numbers)
		conclude_unseen(it, -ENODATA);
	else if (open_number(it) > 0)
		compare_foreign(it);
	conclude_alive(it);
}

/* ---- pins ---- */

/* The pidfd was kept, so there is nothing to find, only whether it ended. */
static void verify_pin(struct verification *it)
{
	struct pollfd ended = { .fd = it->record->pidfd, .events = POLLIN };
	int r;

	r = sys_ppoll_now(&ended);
	if (r < 0)
		conclude_unseen(it, r);
	else if (r == 0)
		conclude(it, PIDTRACK_VERDICT_SAME, PIDTRACK_EVIDENCE_PIN,
			 "the pin is of it");
	else if (ended.revents & POLLHUP)
		conclude(it, PIDTRACK_VERDICT_EXITED, PIDTRACK_EVIDENCE_PIN,
			 "the pin is of it, and it has been waited for");
	else
		conclude(it, PIDTRACK_VERDICT_EXITED, PIDTRACK_EVIDENCE_PIN,
			 "the pin is of it, and it has not been waited for");
}

void pt_verify(const struct pt_place *place,
	       const struct pidtrack_record *record,
	       struct pt_verified *ret_verified)
{
	struct verification it = {
		.place = place,
		.record = record,
		.pidfd = -1,
	};

	if (record->format == PIDTRACK_RECORD_PIN)
		verify_pin(&it);
	else if (record->text) /* with a fingerprint of ours */
		verify_native(&it);
	else
		verify_foreign(&it);

	if (it.comparison.verdict != PIDTRACK_VERDICT_SAME &&
	    it.comparison.verdict != PIDTRACK_VERDICT_EXITED && !it.legacy)
		it.pidfd = fd_close(it.pidfd);
	PROBE4(verdict, record->fingerprint.pid, it.comparison.verdict,
	       it.comparison.evidence, it.comparison.reason);
	*ret_verified = (struct pt_verified){
		.comparison = it.comparison,
		.pidfd = it.pidfd,
		.legacy = it.legacy,
	};
}

void pt_verify_unseen(int error, struct pt_verified *ret_verified)
{
	struct verification it = { .pidfd = -1 };

	conclude_unseen(&it, error);
	*ret_verified = (struct pt_verified){
		.comparison = it.comparison,
		.pidfd = -1,
	};
}
