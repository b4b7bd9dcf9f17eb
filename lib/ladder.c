/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "ladder.h"

#include "parked.h"
#include "probes.h"
#include "sys.h"

static int watch(const struct pt_stops *stops, struct pt_ring *ring,
		 uint32_t cookie)
{
	int fd = cookie == PT_LADDER_ENDS ? stops->ends : stops->timer;

	return fd < 0 ? 0 :
			pt_ring_watch(ring, PT_WATCH_EDGES, fd, cookie, NULL);
}

int pt_ladder_watch(struct pt_stops *stops, struct pt_ring *ring)
{
	int r;

	r = watch(stops, ring, PT_LADDER_TIMER);
	return r < 0 ? r : watch(stops, ring, PT_LADDER_ENDS);
}

static int ready(struct pt_stops *stops, struct pt_ring *ring, bool tree)
{
	int r;

	r = pt_stops_ready(stops, tree);
	if (r <= 0)
		return r;
	r = watch(stops, ring, tree ? PT_LADDER_ENDS : PT_LADDER_TIMER);
	if (r < 0)
		pt_stops_unready(stops, tree);
	return r;
}

/* What it needed a descriptor for is over. */
static void end_ladder(struct pt_stops *stops, struct pidtrack_process *process)
{
	process->stop = pt_stop_free(stops, process->stop);
	pt_parked_back(stops->parked, process);
}

/* ---- the first step ---- */

static int find_tree(struct pt_stops *stops, struct pt_ring *ring,
		     const struct pt_place *place, struct pt_stop *stop,
		     int cgroup_fd)
{
	const struct pidtrack_process *process = stop->process;
	int r;

	r = ready(stops, ring, true);
	if (r >= 0)
		r = pt_parked_open(stops->parked, stop->process);
	if (r < 0)
		return r;
	r = pt_tree_new(place, stop->flags, process->pid, process->pidfd,
			process->state != PT_STATE_RUNNING, cgroup_fd,
			&stops->ends, &stop->tree);
	if (r >= 0)
		stop->tree->stop = stop;
	return r;
}

static int take_step(struct pt_stops *stops, struct pt_stop *stop)
{
	const struct pidtrack_process *process = stop->process;
	const int signal = stop->steps[stop->at].signal;
	CLEANUP(pt_lent_done) struct pt_lent lent = { .fd = -1 };
	int r;

	/* a tree has its own */
	if (!stop->tree)
		lent = pt_parked_lend(stops->parked, process);
	r = pt_stop_climb(stops, stop, lent.fd);

	if (!stop->tree && signal != 0)
		PROBE3(signal, process->pid, signal, r);
	return r;
}

static int begin(struct pt_stops *stops, struct pt_ring *ring,
		 const struct pt_place *place, struct pt_stop *stop,
		 int cgroup_fd)
{
	const struct pidtrack_process *process = stop->process;
	int r;

	if (stop->flags == 0 && process->state != PT_STATE_RUNNING)
		return -ESRCH;
	r = ready(stops, ring, false);
	if (r >= 0 && stop->flags != 0)
		r = find_tree(stops, ring, place, stop, cgroup_fd);
	return r < 0 ? r : take_step(stops, stop);
}

int pt_ladder_begin(struct pt_stops *stops, struct pt_ring *ring,
		    const struct pt_place *place,
		    struct pidtrack_process *process,
		    const struct pidtrack_stop_options *options)
{
	struct pt_stop *stop;
	int cgroup_fd, r;

	r = pt_stop_new(options, process, &stop, &cgroup_fd);
	if (r < 0)
		return r;
	r = begin(stops, ring, place, stop, cgroup_fd);
	if (r >= 0) {
		stop->told = stop->at; /* the caller knows */
		pt_stop_free(stops, process->stop);
		process->stop = stop;
		pt_stops_arm(stops);
	} else {
		pt_stop_free(stops, stop);
	}
	/* if it was opened for one that did not come to be, or is no more */
	pt_parked_back(stops->parked, process);
	return MIN(r, 0);
}

/* ---- the others ---- */

static void take_ends(struct pt_stops *stops)
{
	struct epoll_event ends[64];
	int n;

	while ((n = sys_epoll_wait(stops->ends, ends, ARRAY_SIZE(ends))) > 0) {
		for (int i = 0; i < n; i++) {
			struct pt_member *member = ends[i].data.ptr;

			pt_member_ended(member);
			pt_stop_hurry(stops, member->tree->stop);
		}
	}
}

int pt_ladder_woken(struct pt_stops *stops, struct pt_ring *ring,
		    uint32_t cookie, bool over)
{
	uint64_t count;

	if (cookie == PT_LADDER_ENDS)
		take_ends(stops);
	else
		sys_read(stops->timer, &count, sizeof(count));
	return over ? watch(stops, ring, cookie) : 0;
}

/* Return: whether there is something to tell. */
static bool climb(struct pt_stops *stops, struct pt_stop *stop)
{
	const uint32_t at = stop->at;

	if (stop->tree) {
		pt_tree_sweep(stop->tree);
		stop->done = pt_tree_is_over(stop->tree);
		if (stop->done)
			return true;
		if (!pt_stop_is_up(stop)) {
			pt_stop_wait(stops, stop);
			return false;
		}
	}
	/* the time of a step is up, and it has not ended */
	if (stop->at == stop->n_steps) {
		stop->failed = true;
		return true;
	}
	take_step(stops, stop);
	return stop->at != at || stop->failed;
}

/* A tree may take seconds; other ends are told between it and the next one. */
#define CLIMB_NS INT64_C(20000000)

struct pidtrack_process *pt_ladder_due(struct pt_stops *stops, int64_t now_ns)
{
	struct pt_stop *stop;

	while (sys_now_ns() < now_ns + CLIMB_NS &&
	       (stop = pt_stops_due(stops, now_ns))) {
		if (climb(stops, stop))
			return stop->process;
	}
	pt_stops_arm_again(stops);
	return NULL;
}

/* ---- telling ---- */

static bool is_told(const struct pt_stop *stop)
{
	return stop->told == stop->at && !stop->failed && !stop->done;
}

static uint32_t kind_of_end(const struct pt_stop *stop)
{
	return stop->done ? PIDTRACK_STOP_DONE : PIDTRACK_STOP_TIMED_OUT;
}

bool pt_ladder_tell(struct pt_stops *stops, struct pidtrack_process *process,
		    struct pidtrack_event *ret_event)
{
	struct pt_stop *stop = process->stop;
	bool end;

	if (!stop || is_told(stop))
		return false;
	end = stop->told == stop->at;
	if (!end)
		stop->told++;
	*ret_event = (struct pidtrack_event){
		.kind = end ? kind_of_end(stop) : PIDTRACK_ESCALATED,
		.status = -1,
		.process = process,
		.signal = stop->steps[stop->told - 1].signal,
		.reached = stop->tree ? stop->tree->reached : stop->reached,
	};
	if (end || (!stop->waiting && is_told(stop)))
		end_ladder(stops, process);
	return true;
}

void pt_ladder_ended(struct pt_stops *stops, struct pidtrack_process *process)
{
	struct pt_stop *stop = process->stop;

	if (!stop)
		return;
	if (stop->tree) {
		pt_member_ended(&stop->tree->root);
		pt_stop_hurry(stops, stop);
		return;
	}
	pt_stop_end(stops, stop);
	if (is_told(stop))
		end_ladder(stops, process);
}

bool pt_ladder_outlives(const struct pidtrack_process *process)
{
	return process->stop && process->stop->tree;
}

bool pt_ladder_untold(const struct pidtrack_process *process)
{
	return process->stop && !is_told(process->stop);
}

int pt_ladder_restore(struct pt_stops *stops, struct pt_ring *ring,
		      struct pidtrack_process *process,
		      const struct pt_stop *as)
{
	struct pt_stop *stop;
	int r;

	r = ready(stops, ring, false);
	if (r < 0)
		return r;
	stop = malloc(sizeof(*stop));
	if (!stop)
		return -ENOMEM;
	*stop = *as;
	stop->process = process;
	process->stop = stop;
	if (process->state == PT_STATE_RUNNING && !stop->failed) {
		pt_stop_wait(stops, stop);
		pt_stops_arm(stops);
	}
	return 0;
}
