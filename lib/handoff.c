/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Handing over across exec: what there is to know goes into a sealed memfd, and
 * the pidfds stay open; the next image looks at each before it uses it.
 */
#include "base.h"
#include "handed.h"
#include "image.h"
#include "memfd.h"
#include "probes.h"
#include "sys.h"
#include "telling.h"
#include "tracker.h"

#define FIRST_SIZE 4096

/* ---- who goes along ---- */

static bool goes_along(const struct pidtrack_process *process)
{
	return pt_process_is_there(process) && pt_process_is_awaited(process);
}

static int check_one(const struct pidtrack *tracker,
		     const struct pidtrack_process *process)
{
	if (process->stop && process->stop->tree)
		return -EINPROGRESS;
	/* the thread that launched it ends with exec, and it with that */
	if (process->binding == PIDTRACK_BINDING_PARENT_DEATH &&
	    !process->handed && process->state == PT_STATE_RUNNING &&
	    tracker->owner.has_thread)
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

/* First those that are to be told of, in their order. */
static void format_all(struct pt_set *set,
		       const struct pt_fingerprint *fingerprint,
		       struct pt_text *text)
{
	const struct pt_slots *slots = &set->slots;
	char host[PIDTRACK_FINGERPRINT_MAX];

	pt_handed_begin(text, format_fingerprint(fingerprint, host),
			pt_image());
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

/* In as much memory as it takes. */
static int make_memfd(struct pt_set *set)
{
	struct pt_fingerprint host;
	int r;

	r = pt_image_host(&set->place, &host);
	if (r < 0)
		return r;
	for (size_t size = FIRST_SIZE;; size *= 2) {
		CLEANUP(freep) char *bytes = malloc(size);
		struct pt_text text = PT_TEXT(bytes, size);

		if (!bytes)
			return -ENOMEM;
		format_all(set, &host, &text);
		if (!text.overflow)
			return pt_memfd_write("pidtrack-handoff", &text);
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
	if (r >= 0)
		r = pt_parked_open_all(&tracker->set.parked);
	if (r >= 0) {
		pt_image_name();
		r = fd = make_memfd(&tracker->set);
	}
	if (r < 0) {
		pt_parked_back_all(&tracker->set.parked);
		return r;
	}
	set_cloexec_all(&tracker->set.slots, false);
	sys_set_cloexec(fd, false);
	tracker->handoff = fd;
	PROBE2(handoff, fd, tracker->set.statistics.tracked);
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
	pt_parked_back_all(&tracker->set.parked);
	return 0;
}

PUBLIC int pidtrack_handoff_cancel(struct pidtrack *tracker)
{
	return pt_tracker_call_frozen(tracker, do_cancel, NULL);
}
