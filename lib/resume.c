/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Taking over what was handed over across exec: each pidfd is looked at before
 * it is used; nothing is, where not all of it can be.
 */
#include "base.h"
#include "handed.h"
#include "image.h"
#include "ladder.h"
#include "memfd.h"
#include "probes.h"
#include "procfs.h"
#include "recorded.h"
#include "recovery.h"
#include "sys.h"
#include "tracker.h"
#include "verify.h"

/* ---- reading ---- */

static int read_handed(int fd, struct pt_handed_list *ret_list)
{
	CLEANUP(freep) char *bytes = NULL;
	size_t size;
	int r;

	r = pt_memfd_read(fd, &bytes, &size);
	return r < 0 ? r : pt_handed_parse(bytes, size, ret_list);
}

/*
 * Looking at a process takes two descriptors at most: without, it would seem to
 * be another, or none.
 */
static int check_room(int any)
{
	CLEANUP(fd_closep) int one = -1;
	CLEANUP(fd_closep) int other = -1;

	one = sys_dup_above(any, 3);
	if (one >= 0)
		other = sys_dup_above(any, 3);
	return MIN(one, other) < 0 ? MIN(one, other) : 0;
}

/*
 * Without /proc, which has the id, the boot is taken to be ours.  A live update
 * of the kernel may bring a sealed memfd over, but no process and no pidfd:
 * that the inodes are the same would be chance.
 */
static void take_boot(struct pt_fingerprint *to,
		      const struct pt_fingerprint *from)
{
	memcpy(to->place.boot, from->place.boot, sizeof(to->place.boot));
	to->has |= PT_HAS_BOOT;
}

/*
 * Whether this very process has written it, by more than its number, and has
 * executed another program since.
 */
static int check_host(const struct pt_place *place,
		      const struct pt_handed_list *list)
{
	struct pidtrack_comparison comparison;
	struct pt_fingerprint recorded, found;
	int r;

	r = pt_fingerprint_parse(list->host, &recorded);
	if (r < 0)
		return r;
	r = pt_image_host(place, &found);
	if (r < 0)
		return r;
	if (!(recorded.has & found.has & PT_HAS_BOOT)) {
		/* which never changes, and so is compared while it can be */
		if (recorded.pid != found.pid)
			return -ESTALE;
		take_boot(&recorded, &found);
		take_boot(&found, &recorded);
	}
	pt_fingerprint_compare(&recorded, &found, &comparison);
	if (comparison.verdict != PIDTRACK_VERDICT_SAME)
		return -ESTALE;
	return list->image != 0 && list->image == pt_image() ? -EINPROGRESS : 0;
}

/* ---- each process ---- */

/* One that is taken over. */
struct heir {
	struct pidtrack_process *process; /* reserved */
	struct pidtrack_recovered *told;  /* NULL: nobody asks for it */
	struct pidtrack_comparison comparison;
	int pidfd;    /* -1: it could not be found */
	bool foreign; /* another pidfd than the one that was handed over */
};

struct resume {
	int fd;
	struct pt_handed_list list;
	struct heir *heirs; /* one of each of the list */
	struct pidtrack_recovery *recovery;
};

static bool is_pidfd(int fd)
{
	int r = sys_waitid(PT_P_PIDFD, fd, NULL,
			   WEXITED | WNOHANG | WNOWAIT | __WALL);

	return r != -EBADF && r != -EINVAL;
}

static bool has_its_inode(const struct pt_handed *handed, int fd)
{
	uint64_t inode;

	return handed->has & PT_HAS_INODE && sys_on_pidfs(fd) > 0 &&
	       sys_inode(fd, &inode) >= 0 && inode == handed->inode;
}

/* Without pidfs: its number, and when it began; one that is reaped has none. */
static bool has_its_start(const struct pt_place *place,
			  const struct pt_handed *handed, int fd,
			  uint32_t *evidence)
{
	struct pt_look look;
	pid_t pid;

	if (!is_pidfd(fd) || pt_procfs_fdinfo_pid(fd, &pid) < 0)
		return false;
	if (pid <= 0)
		return pid < 0 || handed->pid == 0;
	if ((uint64_t)pid != handed->pid)
		return false;
	*evidence |= PIDTRACK_EVIDENCE_PID;
	if (!(handed->has & PT_HAS_START))
		return true;
	if (pt_look_at(place, fd, pid, &look) < 0)
		return false;
	if (!(look.has & PT_HAS_START))
		return true;
	*evidence |= PIDTRACK_EVIDENCE_START;
	return look.start == handed->start;
}

/*
 * Whether the descriptor is the one that was left open, and by what: what is
 * close-on-exec was opened since then, or is taken over already.
 */
static bool is_kept(const struct pt_place *place,
		    const struct pt_handed *handed, int fd, uint32_t *evidence)
{
	if (sys_cloexec(fd) != 0)
		return false;
	*evidence = PIDTRACK_EVIDENCE_PIN;
	if (!place->pidfs)
		return has_its_start(place, handed, fd, evidence);
	*evidence |= PIDTRACK_EVIDENCE_INODE;
	return has_its_inode(handed, fd);
}

static void conclude_kept(struct heir *heir, uint32_t evidence)
{
	struct pollfd ended = { .fd = heir->pidfd, .events = POLLIN };

	heir->comparison = (struct pidtrack_comparison){
		.verdict = sys_ppoll_now(&ended) > 0 ? PIDTRACK_VERDICT_EXITED :
						       PIDTRACK_VERDICT_SAME,
		.evidence = evidence,
		.reason = "its pidfd was kept over exec",
	};
}

/* As from a record: a want of room is no verdict. */
static int find_again(const struct pt_place *place,
		      const struct pt_handed *handed, int any,
		      struct heir *heir)
{
	const char *text = handed->fingerprint;
	struct pidtrack_record *record;
	struct pt_verified verified;
	int r;

	r = check_room(any);
	if (r < 0)
		return r;
	heir->comparison = (struct pidtrack_comparison){
		.verdict = PIDTRACK_VERDICT_UNPROVEN,
		.reason = "its pidfd is not there, nor a fingerprint",
	};
	if (!text)
		return 0;
	r = pt_recorded_parse(text, strlen(text), &record);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	pt_verify(place, record, &verified);
	pt_recorded_free(record);
	heir->comparison = verified.comparison;
	heir->pidfd = verified.pidfd;
	heir->foreign = true;
	return 0;
}

static int find(const struct pt_place *place, const struct pt_handed *handed,
		int any, struct heir *heir)
{
	const int fd = (int)handed->fd;
	uint32_t evidence;
	int r;

	if (!is_kept(place, handed, fd, &evidence))
		return find_again(place, handed, any, heir);
	r = sys_set_cloexec(fd, true);
	if (r < 0)
		return r;
	heir->pidfd = fd;
	conclude_kept(heir, evidence);
	return 0;
}

static int copy_text(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

static int restore_ending(const struct pt_handed *handed,
			  struct pidtrack_process *process)
{
	struct pt_ending *ending;
	int r;

	if (!handed->ending_path || !handed->ending_fingerprint)
		return 0;
	r = pt_ending_new(handed->ending_path, handed->ending_label,
			  handed->ending_exe, &ending);
	if (r < 0)
		return r;
	ending->started_ns = (int64_t)handed->started_ns;
	ending->ended_ns = (int64_t)handed->ended_ns;
	ending->sync = handed->flags & PT_HANDED_SYNC;
	process->ending = ending;
	return pt_fingerprint_parse(handed->ending_fingerprint,
				    &ending->fingerprint);
}

static int restore_ladder(struct pt_set *set, const struct pt_handed *handed,
			  struct pidtrack_process *process)
{
	struct pt_stop stop = {
		.n_steps = (uint32_t)handed->n_steps,
		.at = (uint32_t)handed->steps_taken,
		.told = (uint32_t)handed->steps_told,
		.failed = handed->flags & PT_HANDED_FAILED,
		.step_ns = sys_now_ns() + (int64_t)handed->left_ns,
		.reached = (uint32_t)handed->reached,
	};

	if (handed->n_steps == 0)
		return 0;
	memcpy(stop.steps, handed->steps,
	       handed->n_steps * sizeof(handed->steps[0]));
	return pt_ladder_restore(&set->stops, set->ring, process, &stop);
}

/* All that may fail for want of room, before anything is taken over. */
static int reserve(struct pt_set *set, const struct pt_handed *handed,
		   struct heir *heir)
{
	struct pidtrack_process *process;
	int r;

	r = pt_set_reserve(set, &process);
	if (r < 0)
		return r;
	heir->process = process;
	process->pid = (int32_t)handed->pid;
	process->state = (uint8_t)handed->state;
	process->tell = (uint8_t)handed->tell;
	process->source = (uint8_t)handed->source;
	if (handed->source != PIDTRACK_SOURCE_UNKNOWN)
		process->status = (int32_t)handed->status;
	process->binding = (uint8_t)handed->binding;
	process->handed = true;
	process->stops = (uint8_t)handed->notify;
	process->child = handed->flags & PT_HANDED_CHILD;
	process->observed = handed->flags & PT_HANDED_OBSERVED;
	process->last = handed->flags & PT_HANDED_LAST;
	process->unrecorded = handed->flags & PT_HANDED_UNRECORDED;
	process->released = handed->flags & PT_HANDED_RELEASED;
	process->look = (struct pt_look){
		.inode = handed->inode,
		.start = handed->start,
		.has = (uint32_t)handed->has,
	};
	r = copy_text(handed->label, &process->label);
	process->kept = handed->flags & PT_HANDED_KEPT && process->label &&
			pt_keeper_is_open(&process->tracker->set.keeper);
	if (r >= 0)
		r = copy_text(handed->text, &process->text);
	if (r >= 0)
		r = pt_payload_new(handed->payload, handed->payload_size,
				   &process->payload);
	if (r >= 0)
		r = restore_ending(handed, process);
	return r < 0 ? r : restore_ladder(set, handed, process);
}

static int add_told(struct resume *resume, const struct pt_handed *handed,
		    struct heir *heir)
{
	const struct pidtrack_recovered recovered = {
		.label = handed->label,
		.fingerprint = handed->text ? handed->text :
					      handed->fingerprint,
		.payload = handed->payload,
		.payload_size = handed->payload_size,
	};

	if (handed->flags & PT_HANDED_RELEASED)
		return 0;
	return pt_recovery_add(resume->recovery, &recovered, &heir->told);
}

/* ---- all of them ---- */

static int error_of(const struct heir *heir)
{
	switch (heir->comparison.verdict) {
	case PIDTRACK_VERDICT_GONE:
		return -ESRCH;
	case PIDTRACK_VERDICT_REUSED:
	case PIDTRACK_VERDICT_OTHER_BOOT:
		return -ESTALE;
	default:
		return -ENODATA;
	}
}

static void take_over(struct pt_set *set, struct heir *heir)
{
	struct pidtrack_process *process = heir->process;

	if (heir->pidfd < 0) {
		pt_set_forget(set, process);
		if (heir->told)
			pt_recovery_conclude(heir->told, NULL,
					     &heir->comparison, error_of(heir));
		return;
	}
	pt_parked_own(&set->parked, process, heir->pidfd);
	if (process->kept)
		pt_keeper_doubt(&set->keeper);
	pt_set_restore(set, process);
	if (heir->told)
		pt_recovery_conclude(heir->told, process, &heir->comparison, 0);
}

/* As if nothing had been. */
static void give_back(struct pt_set *set, struct heir *heir)
{
	if (heir->process)
		pt_set_forget(set, heir->process);
	if (heir->foreign)
		fd_close(heir->pidfd);
	else if (heir->pidfd >= 0)
		sys_set_cloexec(heir->pidfd, false);
}

static int prepare_heir(struct pt_set *set, struct resume *resume, size_t i)
{
	const struct pt_handed *handed = &resume->list.all[i];
	struct heir *heir = &resume->heirs[i];
	int r;

	r = reserve(set, handed, heir);
	if (r >= 0)
		r = add_told(resume, handed, heir);
	return r < 0 ? r : find(&set->place, handed, resume->fd, heir);
}

static int resume_all(struct pt_set *set, struct resume *resume)
{
	int r = 0;

	for (size_t i = 0; i < resume->list.n; i++)
		resume->heirs[i].pidfd = -1;
	for (size_t i = 0; i < resume->list.n && r >= 0; i++)
		r = prepare_heir(set, resume, i);
	for (size_t i = 0; i < resume->list.n; i++) {
		if (r < 0)
			give_back(set, &resume->heirs[i]);
		else
			take_over(set, &resume->heirs[i]);
	}
	if (r < 0)
		return r;
	pt_set_flush(set);
	PROBE2(resume, resume->fd, resume->list.n);
	return 0;
}

static int do_resume(struct pidtrack *tracker, void *argument)
{
	struct resume *resume = argument;
	int r;

	if (tracker->set.statistics.tracked > 0)
		return -EEXIST;
	r = read_handed(resume->fd, &resume->list);
	if (r >= 0)
		r = check_room(resume->fd);
	if (r >= 0)
		r = check_host(&tracker->set.place, &resume->list);
	if (r >= 0)
		r = pt_recovery_new(&resume->recovery);
	if (r < 0)
		return r;
	resume->heirs = calloc(resume->list.n + 1, sizeof(*resume->heirs));
	if (!resume->heirs)
		return -ENOMEM;
	return resume_all(&tracker->set, resume);
}

PUBLIC int pidtrack_handoff_resume(struct pidtrack *tracker, int fd,
				   struct pidtrack_recovery **ret_recovery)
{
	struct resume resume = { .fd = fd };
	int r;

	r = pt_tracker_call(tracker, do_resume, &resume);
	pt_handed_done(&resume.list);
	free(resume.heirs);
	if (r < 0) {
		pidtrack_recovery_free(resume.recovery);
		return r;
	}
	sys_close(fd);
	*ret_recovery = resume.recovery;
	return 0;
}
