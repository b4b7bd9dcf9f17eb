/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One process of a tracker: what is known of it, what is done to it.
 */
#include "base.h"
#include "ending.h"
#include "label.h"
#include "options.h"
#include "probes.h"
#include "procfs.h"
#include "record.h"
#include "sys.h"
#include "telling.h"
#include "tracker.h"

/* Its pidfd, for the one call. */
static struct pt_lent lend(struct pidtrack *tracker,
			   const struct pidtrack_process *process)
{
	return pt_parked_lend(&tracker->set.parked, process);
}

static int do_release(struct pidtrack *tracker, void *argument)
{
	pt_set_release(&tracker->set, argument);
	return 0;
}

PUBLIC struct pidtrack_process *
pidtrack_process_free(struct pidtrack_process *process)
{
	int r;

	if (!process)
		return NULL;
	r = pt_tracker_call(process->tracker, do_release, process);
	return r == -EBUSY || r == -EINPROGRESS ? process : NULL;
}

PUBLIC pid_t pidtrack_process_pid(const struct pidtrack_process *process)
{
	return process->pid;
}

static int do_pidfd(struct pidtrack *tracker, void *argument)
{
	struct pidtrack_process *process = argument;
	int r;

	r = pt_parked_give(&tracker->set.parked, process);
	return r < 0 ? r : process->pidfd;
}

PUBLIC int pidtrack_process_pidfd(const struct pidtrack_process *process)
{
	struct pidtrack *tracker = process->tracker;

	if (!tracker || !tracker->set.parked.parks)
		return process->pidfd;
	return pt_tracker_call_frozen(tracker, do_pidfd,
				      (struct pidtrack_process *)process);
}

PUBLIC const char *
pidtrack_process_label(const struct pidtrack_process *process)
{
	return process->label;
}

PUBLIC int pidtrack_process_binding(const struct pidtrack_process *process)
{
	return process->binding;
}

PUBLIC void pidtrack_process_set_userdata(struct pidtrack_process *process,
					  void *userdata)
{
	process->userdata = userdata;
}

PUBLIC void *pidtrack_process_userdata(const struct pidtrack_process *process)
{
	return process->userdata;
}

static int do_state(struct pidtrack *tracker, void *argument)
{
	(void)tracker;
	return (int)pt_process_state(argument);
}

PUBLIC int pidtrack_process_state(struct pidtrack_process *process)
{
	return pt_tracker_call(process->tracker, do_state, process);
}

/* ---- its payload ---- */

PUBLIC const void *
pidtrack_process_payload(const struct pidtrack_process *process,
			 size_t *ret_size)
{
	const struct pt_payload *payload = process->payload;

	*ret_size = payload ? payload->size : 0;
	return payload ? payload->bytes : NULL;
}

struct packing {
	struct pidtrack_process *process;
	struct pt_payload *payload; /* owned: the new one, then the old */
};

static void drop_payload(struct pidtrack *tracker,
			 const struct pidtrack_process *process)
{
	CLEANUP(pt_lent_done) struct pt_lent lent = lend(tracker, process);

	if (lent.fd >= 0)
		pt_label_drop_payload(lent.fd);
}

static int do_set_payload(struct pidtrack *tracker, void *argument)
{
	struct packing *packing = argument;
	struct pidtrack_process *process = packing->process;
	struct pt_payload *before = process->payload;
	int r;

	process->payload = packing->payload;
	r = pt_set_pay_keeper(&tracker->set, process);
	if (r < 0) {
		process->payload = before;
		return r;
	}
	packing->payload = before;
	if (process->payload)
		pt_set_label(&tracker->set, process);
	else if (before && process->label && tracker->set.place.pidfs)
		drop_payload(tracker, process);
	return 0;
}

PUBLIC int pidtrack_process_set_payload(struct pidtrack_process *process,
					const void *payload, size_t size)
{
	struct packing packing = { .process = process };
	int r;

	r = pt_payload_new(payload, size, &packing.payload);
	if (r < 0)
		return r;
	r = pt_tracker_call(process->tracker, do_set_payload, &packing);
	free(packing.payload);
	return r;
}

/* ---- how it is ---- */

/* What a call about one process takes and gives. */
struct question {
	struct pidtrack_process *process;
	uint32_t number;
	int status;
	const char *text;
	struct pidtrack_comparison comparison;
};

static int do_status(struct pidtrack *tracker, void *argument)
{
	struct question *question = argument;
	const struct pidtrack_process *process = question->process;

	(void)tracker;
	question->status = process->status;
	/* what it is since the last event that was told */
	if (process->tell & (PT_TELL_EXITED | PT_TELL_REAPED))
		return -EAGAIN;
	if (process->source != PIDTRACK_SOURCE_UNKNOWN)
		return process->source;
	return process->last ? -ENODATA : -EAGAIN;
}

PUBLIC int pidtrack_process_status(struct pidtrack_process *process,
				   int *ret_status)
{
	struct question question = { .process = process };
	int r;

	r = pt_tracker_call(process->tracker, do_status, &question);
	if (r > 0)
		*ret_status = question.status;
	return r;
}

static int do_signal(struct pidtrack *tracker, void *argument)
{
	const struct question *question = argument;
	const int signal = (int)question->number;
	CLEANUP(pt_lent_done)
	struct pt_lent lent = lend(tracker, question->process);
	int r = lent.fd;

	if (r >= 0)
		r = sys_pidfd_send_signal(lent.fd, signal);
	PROBE3(signal, question->process->pid, signal, r);
	return r;
}

PUBLIC int pidtrack_process_signal(struct pidtrack_process *process, int signal)
{
	struct question question = {
		process, (uint32_t)signal, 0, NULL, { 0 }
	};

	return pt_tracker_call(process->tracker, do_signal, &question);
}

#define STOPS (1U << PIDTRACK_STOPPED | 1U << PIDTRACK_CONTINUED)

static int do_notify(struct pidtrack *tracker, void *argument)
{
	struct question *question = argument;

	return pt_set_notify(&tracker->set, question->process,
			     question->number);
}

PUBLIC int pidtrack_process_notify(struct pidtrack_process *process,
				   uint32_t kinds)
{
	struct question question = { .process = process, .number = kinds };

	if (kinds & ~STOPS)
		return -EINVAL;
	return pt_tracker_call(process->tracker, do_notify, &question);
}

struct stopping {
	struct pidtrack_process *process;
	const struct pidtrack_stop_options *options;
};

static int do_stop(struct pidtrack *tracker, void *argument)
{
	const struct stopping *stopping = argument;

	return pt_set_stop(&tracker->set, stopping->process, stopping->options);
}

PUBLIC int pidtrack_process_stop(struct pidtrack_process *process,
				 const struct pidtrack_stop_options *options)
{
	struct stopping stopping = { process, options };

	return pt_tracker_call(process->tracker, do_stop, &stopping);
}

/* ---- fingerprints ---- */

static int look_at(struct pidtrack *tracker,
		   const struct pidtrack_process *process,
		   struct pt_look *ret_look)
{
	CLEANUP(pt_lent_done) struct pt_lent lent = lend(tracker, process);

	return lent.fd < 0 ? lent.fd :
			     pt_look_at(&tracker->set.place, lent.fd,
					process->pid, ret_look);
}

static int take_fingerprint(struct pidtrack *tracker,
			    struct pidtrack_process *process,
			    struct pt_fingerprint *ret_fingerprint)
{
	int r;

	if (process->look.has == 0) {
		r = look_at(tracker, process, &process->look);
		if (r < 0)
			return r;
	}
	pt_fingerprint_of(&tracker->set.place, process->pid, &process->look,
			  ret_fingerprint);
	return 0;
}

/* The path behind the number, if the number is still the process's own. */
static int take_exe(const struct pidtrack_process *process, char *ret_exe,
		    size_t size)
{
	CLEANUP(pt_lent_done) struct pt_lent lent = { .fd = -1 };
	int r;

	if (process->pid <= 0 || !process->tracker->set.place.numbers)
		return 0;
	lent = lend(process->tracker, process);
	r = pt_procfs_exe(process->pid, ret_exe, size);
	if (r < 0 || lent.fd < 0 || sys_pidfd_send_signal(lent.fd, 0) == -ESRCH)
		return 0;
	return r;
}

static int do_fingerprint(struct pidtrack *tracker, void *argument)
{
	struct pidtrack_process *process = argument;
	char bytes[PIDTRACK_FINGERPRINT_MAX], exe[256];
	struct pt_text text = PT_TEXT(bytes, sizeof(bytes));
	struct pt_fingerprint fingerprint;
	int r;

	if (process->text)
		return 0;
	r = take_fingerprint(tracker, process, &fingerprint);
	if (r < 0)
		return r;
	r = take_exe(process, exe, sizeof(exe));
	pt_fingerprint_format(&fingerprint, exe, (size_t)r, &text);
	process->text = strdup(text.start);
	return process->text ? 0 : -ENOMEM;
}

PUBLIC int pidtrack_process_fingerprint(struct pidtrack_process *process,
					char *ret_text, size_t size)
{
	size_t length;
	int r;

	r = pt_tracker_call(process->tracker, do_fingerprint, process);
	if (r < 0)
		return r;
	length = strlen(process->text); /* never changes from here on */
	if (length >= size)
		return -ENOBUFS;
	memcpy(ret_text, process->text, length + 1);
	return (int)length;
}

static int do_compare(struct pidtrack *tracker, void *argument)
{
	struct question *question = argument;
	struct pidtrack_comparison *comparison = &question->comparison;
	CLEANUP(pt_lent_done)
	struct pt_lent lent = lend(tracker, question->process);
	struct pollfd ended = { .fd = lent.fd, .events = POLLIN };
	struct pt_fingerprint recorded, found;
	int r = lent.fd;

	if (r < 0)
		return r;

	r = pt_fingerprint_parse(question->text, &recorded);
	if (r < 0)
		return r;
	r = take_fingerprint(tracker, question->process, &found);
	if (r < 0)
		return r;
	pt_fingerprint_compare(&recorded, &found, comparison);
	r = comparison->verdict == PIDTRACK_VERDICT_SAME ?
		    sys_ppoll_now(&ended) :
		    0;
	if (r < 0)
		return r;
	if (r > 0)
		comparison->verdict = PIDTRACK_VERDICT_EXITED;
	PROBE4(verdict, question->process->pid, comparison->verdict,
	       comparison->evidence, comparison->reason);
	return 0;
}

PUBLIC int pidtrack_process_compare(struct pidtrack_process *process,
				    const char *text,
				    struct pidtrack_comparison *ret_comparison,
				    size_t size)
{
	struct question question = { .process = process, .text = text };
	int r;

	r = pt_tracker_call(process->tracker, do_compare, &question);
	if (r < 0)
		return r;
	pt_options_give(ret_comparison, size, &question.comparison,
			sizeof(question.comparison));
	return 0;
}

/* ---- its record ---- */

struct recording {
	struct pidtrack_process *process;
	struct pidtrack_record_options options;
};

/* An early look may have been too late for the start time, or refused. */
static void look_for_start(struct pidtrack *tracker,
			   struct pidtrack_process *process)
{
	struct pt_look look;

	if (process->look.has & PT_HAS_START)
		return;
	if (look_at(tracker, process, &look) >= 0)
		process->look = look;
}

/* Whether its record could ever lead back to it. */
static int take_provable(struct pidtrack *tracker,
			 struct pidtrack_process *process,
			 struct pt_fingerprint *ret_fingerprint)
{
	struct pidtrack_comparison comparison;
	int r;

	if (process->pid < 2)
		return -EINVAL;
	look_for_start(tracker, process);
	r = take_fingerprint(tracker, process, ret_fingerprint);
	if (r < 0)
		return r;
	pt_fingerprint_compare(ret_fingerprint, ret_fingerprint, &comparison);
	return comparison.verdict == PIDTRACK_VERDICT_SAME ? 0 : -ENODATA;
}

/* What there is to prepare of the record of its end. */
static int prepare_ending(const struct pidtrack_record_options *options,
			  const struct pt_record *record,
			  const struct pt_fingerprint *fingerprint,
			  struct pt_ending **ret_ending)
{
	struct pt_ending *ending;
	int r;

	if (!(options->flags & PIDTRACK_RECORD_WITH_EXIT))
		return 0;
	r = pt_ending_new(options->path, record->label, record->exe, &ending);
	if (r < 0)
		return r;
	ending->fingerprint = *fingerprint;
	ending->sync = record->sync;
	r = pt_ending_check(ending);
	if (r < 0) {
		pt_ending_free(ending);
		return r;
	}
	*ret_ending = ending;
	return 0;
}

static int write_record(struct pidtrack *tracker,
			struct pidtrack_process *process,
			const struct pt_record *record,
			struct pt_ending *ending)
{
	int r;

	r = pt_record_write(record, process->pid, &process->look);
	if (r < 0) {
		pt_ending_free(ending);
		return r;
	}
	if (!ending)
		return 0;
	/* what fails here does so again in the end, and is told then */
	pt_ending_make_room(ending);
	return pt_set_record_end(&tracker->set, process, ending);
}

static void close_record(struct pt_record *record)
{
	record->dir = fd_close(record->dir);
}

static int do_record(struct pidtrack *tracker, void *argument)
{
	const struct recording *recording = argument;
	const struct pidtrack_record_options *options = &recording->options;
	struct pidtrack_process *process = recording->process;
	struct pt_ending *ending = NULL;
	struct pt_fingerprint fingerprint;
	char exe[256];
	CLEANUP(close_record)
	struct pt_record record = {
		.dir = -1,
		.place = &tracker->set.place,
		.label = options->label ? options->label : process->label,
		.payload = options->payload,
		.payload_size = options->payload_size,
		.sync = options->flags & PIDTRACK_RECORD_SYNC,
	};
	int r;

	if (record.payload_size == 0)
		record.payload =
			pidtrack_process_payload(process, &record.payload_size);
	r = take_provable(tracker, process, &fingerprint);
	if (r < 0)
		return r;
	r = pt_record_prepare(&record, options->path);
	if (r < 0)
		return r;
	r = take_exe(process, exe, sizeof(exe) - 1);
	exe[r] = 0;
	record.exe = r > 0 ? exe : NULL;
	r = prepare_ending(options, &record, &fingerprint, &ending);
	if (r < 0)
		return r;
	return write_record(tracker, process, &record, ending);
}

static int copy_recording(const struct pidtrack_record_options *options,
			  struct pidtrack_record_options *ret_copied)
{
	int r;

	r = pt_options_copy(
		ret_copied, sizeof(*ret_copied), options, options->size,
		offsetofend(struct pidtrack_record_options, reserved));
	if (r < 0)
		return r;
	if (ret_copied->flags &
		    ~(PIDTRACK_RECORD_SYNC | PIDTRACK_RECORD_WITH_EXIT) ||
	    ret_copied->reserved != 0 || !ret_copied->path ||
	    ret_copied->payload_size > PT_RECORD_PAYLOAD_MAX ||
	    (ret_copied->payload_size > 0 && !ret_copied->payload))
		return -EINVAL;
	return ret_copied->label ? pt_label_check(ret_copied->label) : 0;
}

PUBLIC int
pidtrack_process_record(struct pidtrack_process *process,
			const struct pidtrack_record_options *options)
{
	struct recording recording = { .process = process };
	int r;

	r = copy_recording(options, &recording.options);
	return r < 0 ? r :
		       pt_tracker_call(process->tracker, do_record, &recording);
}

/* ---- keeping ---- */

static int do_keep(struct pidtrack *tracker, void *argument)
{
	CLEANUP(pt_lent_done) struct pt_lent lent = { .fd = -1 };
	struct pidtrack_process *process = argument;
	struct pt_keepsake keepsake;
	int r;

	if (!process->label || !pt_keeper_is_open(&tracker->set.keeper))
		return -EINVAL;
	if (process->state == PT_STATE_REAPED && process->last &&
	    tracker->set.handed != process)
		return -ESRCH;
	if (process->kept)
		return -EEXIST;
	r = pt_set_keeper_ensure(&tracker->set);
	if (r < 0)
		return r;
	lent = lend(tracker, process);
	if (lent.fd < 0)
		return lent.fd;
	keepsake = pt_set_keepsake(process);
	r = pt_keeper_keep(&tracker->set.keeper, &keepsake, lent.fd);
	if (r >= 0)
		process->kept = true;
	return r;
}

PUBLIC int pidtrack_process_keep(struct pidtrack_process *process)
{
	return pt_tracker_call(process->tracker, do_keep, process);
}
