/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Handing over across exec: what there is to know goes into a sealed memfd, and
 * the pidfds stay open; the next image looks at each before it uses it.
 */
#include "base.h"
#include "handed.h"
#include "ladder.h"
#include "procfs.h"
#include "recorded.h"
#include "recovery.h"
#include "sys.h"
#include "tracker.h"
#include "verify.h"

/* Nobody, not even the host, changes it any more. */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#define FIRST_SIZE 4096
#define SIZE_MAX_MEMFD (INT64_C(1) << 30)

/* ---- who goes along ---- */

/* Of those the host is done with, a running child is still to be reaped. */
static bool goes_along(const struct pidtrack_process *process)
{
	if (process->pidfd < 0)
		return false;
	return !process->released ||
	       (process->child && process->state == PT_STATE_RUNNING);
}

static int check_one(const struct pidtrack *tracker,
		     const struct pidtrack_process *process)
{
	if (process->stop && process->stop->tree)
		return -EINPROGRESS;
	/* the thread that launched it ends with exec, and it with that */
	if (process->binding == PIDTRACK_BINDING_PARENT_DEATH &&
	    process->state == PT_STATE_RUNNING && tracker->owner.has_thread)
		return -EOPNOTSUPP;
	return 0;
}

static int check_all(struct pidtrack *tracker)
{
	const struct pt_slots *slots = &tracker->set.slots;
	int r = 0;

	for (uint32_t slot = 0; slot < slots->n && r >= 0; slot++) {
		const struct pidtrack_process *process =
			pt_slots_at(slots, slot);

		if (goes_along(process))
			r = check_one(tracker, process);
	}
	return r;
}

/* ---- to text ---- */

struct texts {
	char fingerprint[PIDTRACK_FINGERPRINT_MAX];
	char ending[PIDTRACK_FINGERPRINT_MAX];
};

static char *format_fingerprint(const struct pt_fingerprint *fingerprint,
				char *bytes)
{
	struct pt_text text = PT_TEXT(bytes, PIDTRACK_FINGERPRINT_MAX);

	pt_fingerprint_format(fingerprint, NULL, 0, &text);
	return bytes;
}

static void take_look(const struct pt_place *place,
		      struct pidtrack_process *process,
		      struct pt_handed *handed, struct texts *texts)
{
	struct pt_fingerprint fingerprint;

	if (process->look.has == 0)
		pt_look_at(place, process->pidfd, process->pid, &process->look);
	handed->has = process->look.has;
	handed->inode = process->look.inode;
	handed->start = process->look.start;
	if (process->pid <= 0)
		return;
	pt_fingerprint_of(place, process->pid, &process->look, &fingerprint);
	handed->fingerprint =
		format_fingerprint(&fingerprint, texts->fingerprint);
}

static void take_ending(const struct pt_ending *ending,
			struct pt_handed *handed, struct texts *texts)
{
	if (!ending)
		return;
	handed->ending_path = ending->path;
	handed->ending_label = ending->label;
	handed->ending_exe = ending->exe;
	handed->ending_fingerprint =
		format_fingerprint(&ending->fingerprint, texts->ending);
	handed->started_ns = (uint64_t)ending->started_ns;
	handed->ended_ns = (uint64_t)ending->ended_ns;
	if (ending->sync)
		handed->flags |= PT_HANDED_SYNC;
}

static void take_ladder(const struct pt_stop *stop, struct pt_handed *handed)
{
	int64_t left_ns;

	if (!stop)
		return;
	left_ns = stop->step_ns - sys_now_ns();
	handed->left_ns = left_ns > 0 ? (uint64_t)left_ns : 0;
	handed->steps_taken = stop->at;
	handed->steps_told = stop->told;
	handed->reached = stop->reached;
	handed->n_steps = stop->n_steps;
	memcpy(handed->steps, stop->steps,
	       stop->n_steps * sizeof(stop->steps[0]));
	if (stop->failed)
		handed->flags |= PT_HANDED_FAILED;
}

static uint64_t flags_of(const struct pidtrack_process *process)
{
	return (process->child ? PT_HANDED_CHILD : 0) |
	       (process->observed ? PT_HANDED_OBSERVED : 0) |
	       (process->last ? PT_HANDED_LAST : 0) |
	       (process->unrecorded ? PT_HANDED_UNRECORDED : 0) |
	       (process->released ? PT_HANDED_RELEASED : 0) |
	       (process->kept ? PT_HANDED_KEPT : 0);
}

static void add_process(const struct pt_place *place,
			struct pidtrack_process *process, struct pt_text *text)
{
	struct texts texts;
	struct pt_handed handed = {
		.fd = (uint64_t)process->pidfd,
		.pid = (uint64_t)process->pid,
		.flags = flags_of(process),
		.state = process->state,
		.tell = process->tell & (PT_TELL_EXITED | PT_TELL_REAPED),
		.source = process->source,
		.binding = process->binding,
		.notify = process->stops,
		.text = process->text,
		.label = process->label,
	};

	if (process->source != PIDTRACK_SOURCE_UNKNOWN)
		handed.status = (uint64_t)process->status;
	if (process->payload) {
		handed.payload = process->payload->bytes;
		handed.payload_size = process->payload->size;
	}
	take_look(place, process, &handed, &texts);
	take_ending(process->ending, &handed, &texts);
	take_ladder(process->stop, &handed);
	pt_handed_format(text, &handed);
}

/* Names this image once it has prepared one: execve(2) takes memory along. */
static _Atomic uint64_t image;

static void name_image(void)
{
	uint64_t none = 0;

	atomic_compare_exchange_strong(&image, &none, (uint64_t)sys_now_ns());
}

/* As the next image sees itself too. */
static void look_at_host(const struct pt_place *place,
			 struct pt_fingerprint *ret_fingerprint)
{
	struct pt_look look;

	pt_look_at_self(place, &look);
	pt_fingerprint_of(place, sys_getpid(), &look, ret_fingerprint);
}

/* First those that are to be told of, in their order. */
static void format_all(struct pt_set *set, struct pt_text *text)
{
	const struct pt_slots *slots = &set->slots;
	char host[PIDTRACK_FINGERPRINT_MAX];
	struct pt_fingerprint fingerprint;

	look_at_host(&set->place, &fingerprint);
	pt_handed_begin(text, format_fingerprint(&fingerprint, host), image);
	for (uint32_t slot = set->told.first; slot != PT_SLOT_NONE;) {
		struct pidtrack_process *process = pt_slots_at(slots, slot);

		add_process(&set->place, process, text);
		slot = process->next;
	}
	for (uint32_t slot = 0; slot < slots->n; slot++) {
		struct pidtrack_process *process = pt_slots_at(slots, slot);

		if (goes_along(process) && !process->queued)
			add_process(&set->place, process, text);
	}
	pt_handed_end(text);
}

/* ---- prepare and cancel ---- */

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		int n = sys_write(fd, bytes, size);

		if (n < 0)
			return n;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Return: a sealed memfd, close-on-exec. */
static int write_memfd(const struct pt_text *text)
{
	CLEANUP(fd_closep) int fd = -1;
	int r;

	fd = sys_memfd("pidtrack-handoff");
	if (fd < 0)
		return fd;
	r = write_all(fd, text->start, text->length);
	if (r >= 0)
		r = sys_seal(fd, SEALS);
	return r < 0 ? r : fd_take(&fd);
}

/* In as much memory as it takes. */
static int make_memfd(struct pt_set *set)
{
	for (size_t size = FIRST_SIZE;; size *= 2) {
		CLEANUP(freep) char *bytes = malloc(size);
		struct pt_text text = PT_TEXT(bytes, size);

		if (!bytes)
			return -ENOMEM;
		format_all(set, &text);
		if (!text.overflow)
			return write_memfd(&text);
	}
}

static void set_cloexec_all(const struct pt_slots *slots, bool cloexec)
{
	for (uint32_t slot = 0; slot < slots->n; slot++) {
		const struct pidtrack_process *process =
			pt_slots_at(slots, slot);

		if (goes_along(process))
			sys_set_cloexec(process->pidfd, cloexec);
	}
}

static int do_prepare(struct pidtrack *tracker, void *argument)
{
	int fd, r;

	(void)argument;
	r = check_all(tracker);
	if (r >= 0)
		r = pt_set_settle(&tracker->set);
	if (r < 0)
		return r;
	name_image();
	fd = make_memfd(&tracker->set);
	if (fd < 0)
		return fd;
	set_cloexec_all(&tracker->set.slots, false);
	sys_set_cloexec(fd, false);
	tracker->handoff = fd;
	return 0;
}

PUBLIC int pidtrack_handoff_prepare(struct pidtrack *tracker, int *ret_fd)
{
	int r;

	r = pt_tracker_call(tracker, do_prepare, NULL);
	if (r >= 0)
		*ret_fd = tracker->handoff;
	return r;
}

static int do_cancel(struct pidtrack *tracker, void *argument)
{
	(void)argument;
	if (tracker->handoff < 0)
		return -EINVAL;
	set_cloexec_all(&tracker->set.slots, true);
	tracker->handoff = fd_close(tracker->handoff);
	return 0;
}

PUBLIC int pidtrack_handoff_cancel(struct pidtrack *tracker)
{
	return pt_tracker_call_frozen(tracker, do_cancel, NULL);
}

/* ---- resume: reading ---- */

static int read_all(int fd, char *bytes, size_t size)
{
	int r;

	r = sys_rewind(fd);
	while (r >= 0 && size > 0) {
		r = sys_read(fd, bytes, size);
		if (r == 0)
			return -EBADMSG;
		if (r > 0) {
			bytes += r;
			size -= (size_t)r;
		}
	}
	return r;
}

static int read_memfd(int fd, struct pt_handed_list *ret_list)
{
	CLEANUP(freep) char *bytes = NULL;
	struct statx found;
	int r;

	r = sys_seals(fd);
	if (r < 0)
		return r;
	if ((r & SEALS) != SEALS)
		return -EINVAL;
	r = sys_file(fd, &found);
	if (r < 0)
		return r;
	if (found.stx_size == 0 || found.stx_size > SIZE_MAX_MEMFD)
		return -EBADMSG;
	bytes = malloc(found.stx_size);
	if (!bytes)
		return -ENOMEM;
	r = read_all(fd, bytes, found.stx_size);
	return r < 0 ? r : pt_handed_parse(bytes, found.stx_size, ret_list);
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
	look_at_host(place, &found);
	pt_fingerprint_compare(&recorded, &found, &comparison);
	if (comparison.verdict != PIDTRACK_VERDICT_SAME)
		return -ESTALE;
	return list->image != 0 && list->image == image ? -EINPROGRESS : 0;
}

/* ---- resume: each process ---- */

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

/* ---- resume: all of them ---- */

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
	process->pidfd = heir->pidfd;
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
	pt_ring_flush(set->ring);
	return 0;
}

static int do_resume(struct pidtrack *tracker, void *argument)
{
	struct resume *resume = argument;
	int r;

	if (tracker->set.statistics.tracked > 0)
		return -EEXIST;
	r = read_memfd(resume->fd, &resume->list);
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
