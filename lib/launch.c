/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Launching: options, record, shim, in this order, and a slot beforehand.
 */
#include <sched.h>

#include "base.h"
#include "claims.h"
#include "ending.h"
#include "options.h"
#include "probes.h"
#include "record.h"
#include "request.h"
#include "sys.h"
#include "tracker.h"

/* ---- launching ---- */

static int check_record(const struct pidtrack_spawn_options *options)
{
	if (!options->record && options->flags & PIDTRACK_SPAWN_EXIT_RECORD)
		return -EINVAL;
	if (options->payload_size > PT_RECORD_PAYLOAD_MAX ||
	    (options->payload_size > 0 && !options->payload))
		return -EINVAL;
	return 0;
}

struct launch {
	struct pidtrack_spawn_options options;
	struct pidtrack_process *process;
	struct pidtrack_process **ret_process; /* the caller's */
	uint32_t stage;
};

static const char *program_of(const struct pidtrack_spawn_options *options)
{
	return options->program ? options->program : options->argv[0];
}

static void close_record(struct pt_record *record)
{
	record->dir = fd_close(record->dir);
}

/* What there is to prepare of the record of its end. */
static int prepare_ending(struct launch *launch)
{
	const struct pidtrack_spawn_options *options = &launch->options;
	struct pt_ending *ending;
	int r;

	if (!(options->flags & PIDTRACK_SPAWN_EXIT_RECORD))
		return 0;
	r = pt_ending_new(options->record, options->label, program_of(options),
			  &ending);
	if (r < 0)
		return r;
	ending->sync = options->flags & PIDTRACK_SPAWN_RECORD_SYNC;
	launch->process->ending = ending;
	return pt_ending_check(ending);
}

/* The launch has succeeded: what has its name now is of one before. */
static void begin_ending(const struct pidtrack *tracker,
			 struct pidtrack_process *process, pid_t pid)
{
	struct pt_ending *ending = process->ending;

	if (!ending)
		return;
	pt_fingerprint_of(&tracker->set.place, pid, &process->look,
			  &ending->fingerprint);
	/* what fails here does so again in the end, and is told then */
	pt_ending_make_room(ending);
}

/* Launches, and what is to keep it is undone if that fails. */
static int launch_kept(struct pidtrack *tracker, struct launch *launch,
		       const struct pt_publish *publish,
		       struct pt_spawned *spawned)
{
	const struct pidtrack_spawn_options *options = &launch->options;
	CLEANUP(pt_place_kept_done) struct pt_place_kept place = { .file = -1 };
	struct pt_keep keep = { .run = pt_keeper_keep_self,
				.take_back = pt_keeper_take_back,
				.argument = &place };
	const struct pt_keepsake keepsake = {
		.label = options->label,
		.payload = options->payload,
		.payload_size = options->payload_size,
	};
	int r;

	if (!(options->flags & PIDTRACK_SPAWN_KEEP))
		return pt_spawn(&tracker->pad, options, publish, NULL, spawned,
				&launch->stage);

	r = pt_set_keeper_ensure(&tracker->set);
	if (r >= 0)
		r = pt_keeper_claim(&tracker->set.keeper, &keepsake, &place);
	if (r < 0) {
		if (!is_short_of_room(r))
			launch->stage = PIDTRACK_STAGE_KEEP;
		return r;
	}
	keep.file = place.file;
	keep.socket = place.socket;
	r = pt_spawn(&tracker->pad, options, publish, &keep, spawned,
		     &launch->stage);
	if (r < 0)
		pt_keeper_let_go(&tracker->set.keeper, options->label,
				 keep.kept);
	return r;
}

/* Launches, with a record that is kept or undone as the launch goes. */
static int launch_recorded(struct pidtrack *tracker, struct launch *launch,
			   struct pt_spawned *spawned)
{
	const struct pidtrack_spawn_options *options = &launch->options;
	CLEANUP(close_record)
	struct pt_record record = {
		.dir = -1,
		.place = &tracker->set.place,
		.exe = program_of(options),
		.label = options->label,
		.payload = options->payload,
		.payload_size = options->payload_size,
		.sync = options->flags & PIDTRACK_SPAWN_RECORD_SYNC,
		.told = pt_launchpad_shared(&tracker->pad),
	};
	struct pt_publish publish = { pt_record_publish, &record, -1 };
	int r;

	r = pt_record_prepare(&record, options->record);
	if (r >= 0)
		r = prepare_ending(launch);
	if (r < 0) {
		if (!is_short_of_room(r))
			launch->stage = PIDTRACK_STAGE_RECORD;
		return r;
	}

	publish.fd = record.dir;
	r = launch_kept(tracker, launch, &publish, spawned);
	if (r < 0) {
		pt_record_undo(&record);
		return r;
	}
	pt_record_keep(&record);
	launch->process->look = record.told->look;
	begin_ending(tracker, launch->process, spawned->pid);
	return 0;
}

static int launch_any(struct pidtrack *tracker, struct launch *launch)
{
	struct pidtrack_process *process = launch->process;
	struct pt_spawned spawned;
	int r;

	if (launch->options.label) {
		process->label = strdup(launch->options.label);
		if (!process->label)
			return -ENOMEM;
	}
	r = pt_payload_new(launch->options.payload,
			   launch->options.payload_size, &process->payload);
	if (r < 0)
		return r;
	if (launch->options.record)
		r = launch_recorded(tracker, launch, &spawned);
	else
		r = launch_kept(tracker, launch, NULL, &spawned);
	if (r < 0)
		return r;

	process->pid = spawned.pid;
	pt_parked_own(&tracker->set.parked, process, spawned.pidfd);
	process->binding = (uint8_t)spawned.binding;
	process->child = true;
	process->kept = launch->options.flags & PIDTRACK_SPAWN_KEEP;
	return 0;
}

/* Without pidfs the start time is all there is, and gone with the process. */
static void look_early(const struct pt_set *set,
		       struct pidtrack_process *process)
{
	if (!set->place.pidfs && process->look.has == 0)
		pt_look_at(&set->place, process->pidfd, process->pid,
			   &process->look);
}

static int launch_and_watch(struct pidtrack *tracker, struct launch *launch)
{
	int r;

	r = pt_set_reserve(&tracker->set, &launch->process);
	if (r < 0)
		return r;
	r = launch_any(tracker, launch);
	if (r < 0) {
		pt_set_drop(&tracker->set, launch->process);
		return r;
	}

	look_early(&tracker->set, launch->process);
	pt_set_label(&tracker->set, launch->process);
	/* here, lest another thread is told of its end before */
	*launch->ret_process = launch->process;
	pt_set_watch(&tracker->set, launch->process);
	pt_set_flush(&tracker->set);
	return 0;
}

static int do_spawn(struct pidtrack *tracker, void *argument)
{
	const int begun = pt_claims_begin();
	int r;

	r = launch_and_watch(tracker, argument);
	pt_claims_end(begun);
	return r;
}

/* Before anything is opened: that could get the number of a closed one. */
static int check_sources(const struct pidtrack_spawn_options *options)
{
	for (uint32_t i = 0; i < options->n_fds; i++) {
		const int fd = options->fds[i].fd;
		int r;

		r = fd == PIDTRACK_FD_NULL ? 0 : sys_file_flags(fd);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_launch(const struct pidtrack_spawn_options *options,
		       struct pidtrack_spawn_options *ret_copied)
{
	int r;

	r = pt_options_copy(
		ret_copied, sizeof(*ret_copied), options, options->size,
		offsetofend(struct pidtrack_spawn_options, reserved));
	if (r < 0)
		return r;
	r = pt_request_check(ret_copied);
	if (r < 0)
		return r;
	r = ret_copied->label ? pt_label_check(ret_copied->label) : 0;
	return r < 0 ? r : check_record(ret_copied);
}

/* In a user namespace of its own it may not mount where we do. */
static int check_keeper(const struct pt_keeper *keeper,
			const struct pidtrack_spawn_options *options)
{
	if (!(options->flags & PIDTRACK_SPAWN_KEEP))
		return 0;
	if (!pt_keeper_is_open(keeper))
		return -EINVAL;
	return keeper->pins && options->namespaces & CLONE_NEWUSER ?
		       -EOPNOTSUPP :
		       0;
}

PUBLIC int pidtrack_spawn(struct pidtrack *tracker,
			  const struct pidtrack_spawn_options *options,
			  struct pidtrack_process **ret_process,
			  uint32_t *reterr_stage)
{
	struct launch launch = {
		.stage = PIDTRACK_STAGE_OPTIONS,
		.ret_process = ret_process,
	};
	int r;

	r = copy_launch(options, &launch.options);
	if (r >= 0)
		r = check_keeper(&tracker->set.keeper, &launch.options);
	if (r >= 0) {
		launch.stage = PIDTRACK_STAGE_FDS;
		r = check_sources(&launch.options);
	}
	if (r >= 0) {
		launch.stage = PIDTRACK_STAGE_RESERVE;
		r = pt_tracker_call(tracker, do_spawn, &launch);
	}
	if (r < 0) {
		PROBE4(launch, 0, options->label, r, launch.stage);
		if (reterr_stage)
			*reterr_stage = launch.stage;
		return r;
	}
	PROBE4(launch, (*ret_process)->pid, options->label, 0, 0);
	return 0;
}
