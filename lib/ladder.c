/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "ladder.h"

#include "sys.h"

int pt_ladder_watch(struct pt_stops *stops, struct pt_ring *ring,
		    uint32_t cookie)
{
	if (stops->timer < 0)
		return 0;
	return pt_ring_watch(ring, PT_WATCH_EDGES, stops->timer, cookie, NULL);
}

static int ready_timer(struct pt_stops *stops, struct pt_ring *ring,
		       uint32_t cookie)
{
	int r;

	r = pt_stops_ready(stops);
	if (r <= 0)
		return r;
	r = pt_ladder_watch(stops, ring, cookie);
	if (r < 0)
		pt_stops_done(stops);
	return r;
}

int pt_ladder_begin(struct pt_stops *stops, struct pt_ring *ring,
		    uint32_t cookie, struct pidtrack_process *process,
		    const struct pidtrack_stop_options *options)
{
	struct pt_stop *stop;
	int r;

	if (process->state != PT_STATE_RUNNING)
		return -ESRCH;
	r = ready_timer(stops, ring, cookie);
	if (r < 0)
		return r;
	r = pt_stop_new(options, process, &stop);
	if (r < 0)
		return r;
	r = pt_stop_climb(stops, stop, process->pidfd);
	if (r < 0) {
		pt_stop_free(stops, stop);
		return r;
	}

	stop->told = stop->at; /* the caller knows */
	pt_stop_free(stops, process->stop);
	process->stop = stop;
	pt_stops_arm(stops);
	return 0;
}

void pt_ladder_woken(struct pt_stops *stops)
{
	uint64_t count;

	sys_read(stops->timer, &count, sizeof(count));
}

struct pidtrack_process *pt_ladder_due(struct pt_stops *stops)
{
	struct pt_stop *stop = pt_stops_due(stops);

	if (!stop) {
		pt_stops_arm(stops);
		return NULL;
	}
	/* the time of a step is up, and it has not ended */
	if (stop->at == stop->n_steps)
		stop->failed = true;
	else
		pt_stop_climb(stops, stop, stop->process->pidfd);
	return stop->process;
}

static bool is_told(const struct pt_stop *stop)
{
	return stop->told == stop->at && !stop->failed;
}

bool pt_ladder_tell(struct pt_stops *stops, struct pidtrack_process *process,
		    struct pidtrack_event *ret_event)
{
	struct pt_stop *stop = process->stop;
	bool failed;

	if (!stop || is_told(stop))
		return false;
	failed = stop->told == stop->at;
	if (!failed)
		stop->told++;
	*ret_event = (struct pidtrack_event){
		.kind = failed ? PIDTRACK_STOP_TIMED_OUT : PIDTRACK_ESCALATED,
		.status = -1,
		.process = process,
		.signal = stop->steps[stop->told - 1].signal,
	};
	if (failed || (!stop->waiting && is_told(stop)))
		process->stop = pt_stop_free(stops, stop);
	return true;
}

void pt_ladder_ended(struct pt_stops *stops, struct pidtrack_process *process)
{
	struct pt_stop *stop = process->stop;

	if (!stop)
		return;
	pt_stop_end(stops, stop);
	if (is_told(stop))
		process->stop = pt_stop_free(stops, stop);
}
