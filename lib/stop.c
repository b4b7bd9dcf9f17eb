/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "stop.h"

#include "options.h"
#include "sys.h"
#include "timer.h"

/* A shim may flush disks for eight seconds. */
static const struct pidtrack_stop_step usual_steps[] = {
	{ SIGTERM, 10000 },
	{ SIGKILL, 2000 },
};

#define FLAGS (PIDTRACK_STOP_GROUP | PIDTRACK_STOP_TREE | PIDTRACK_STOP_CGROUP)

/* ---- in the order of deadlines ---- */

static void take_out(struct pt_stops *stops, struct pt_stop *stop)
{
	stop->waiting = false;
	if (stop->before)
		stop->before->after = stop->after;
	else
		stops->first = stop->after;
	if (stop->after)
		stop->after->before = stop->before;
	else
		stops->last = stop->before;
}

/* From the end: many that are stopped at once have the same steps. */
static void queue(struct pt_stops *stops, struct pt_stop *stop)
{
	struct pt_stop *before = stops->last;

	while (before && before->deadline_ns > stop->deadline_ns)
		before = before->before;
	stop->before = before;
	stop->after = before ? before->after : stops->first;
	if (stop->before)
		stop->before->after = stop;
	else
		stops->first = stop;
	if (stop->after)
		stop->after->before = stop;
	else
		stops->last = stop;
	stop->waiting = true;
}

/* The host has its turn between two rounds, however long they take. */
#define PAUSE_NS INT64_C(5000000)

void pt_stops_arm_again(struct pt_stops *stops)
{
	const int64_t now_ns = sys_now_ns();

	if (stops->first && stops->first->deadline_ns <= now_ns)
		sys_timerfd_at(stops->timer, now_ns + PAUSE_NS);
	else
		pt_stops_arm(stops);
}

void pt_stops_arm(struct pt_stops *stops)
{
	if (stops->timer >= 0)
		sys_timerfd_at(stops->timer,
			       stops->first ? stops->first->deadline_ns : 0);
}

/* Nobody is woken up for it any more. */
void pt_stop_end(struct pt_stops *stops, struct pt_stop *stop)
{
	bool first = stops->first == stop;

	if (!stop->waiting)
		return;
	take_out(stops, stop);
	if (first)
		pt_stops_arm(stops);
}

struct pt_stop *pt_stops_due(struct pt_stops *stops, int64_t now_ns)
{
	struct pt_stop *stop = stops->first;

	if (!stop || stop->deadline_ns > now_ns)
		return NULL;
	take_out(stops, stop);
	return stop;
}

void pt_stops_init(struct pt_stops *stops, struct pt_parked *parked)
{
	*stops = (struct pt_stops){
		.timer = -1,
		.ends = -1,
		.parked = parked,
	};
}

void pt_stops_done(struct pt_stops *stops)
{
	stops->timer = fd_close(stops->timer);
	stops->ends = fd_close(stops->ends);
}

/*
 * Watches @any and asks, once: else those who have ended would be taken for
 * alive, or nobody could be held.
 */
static int new_ends(int any)
{
	CLEANUP(fd_closep) int ends = -1;
	struct epoll_event end;
	int r;

	ends = r = sys_epoll_new();
	if (r >= 0)
		r = sys_epoll_ctl(ends, EPOLL_CTL_ADD, any, 0, 0);
	if (r >= 0)
		r = sys_epoll_wait(ends, &end, 1);
	if (r < 0 && r != -EINTR)
		return r;
	sys_epoll_ctl(ends, EPOLL_CTL_DEL, any, 0, 0);
	return fd_take(&ends);
}

int pt_stops_ready(struct pt_stops *stops, bool tree)
{
	int *fd = tree ? &stops->ends : &stops->timer;
	int r;

	if (*fd >= 0)
		return 0;
	r = tree ? new_ends(stops->timer) : pt_timer_new(0);
	if (r < 0)
		return r;
	*fd = r;
	return 1;
}

void pt_stops_unready(struct pt_stops *stops, bool tree)
{
	int *fd = tree ? &stops->ends : &stops->timer;

	*fd = fd_close(*fd);
}

/* ---- one ladder ---- */

static int check_steps(const struct pidtrack_stop_step *steps, uint32_t n)
{
	if (n == 0 || n > PT_STOP_STEPS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++) {
		if (steps[i].signal < 0 || steps[i].signal > 64)
			return -EINVAL;
	}
	return 0;
}

int pt_stop_new(const struct pidtrack_stop_options *options,
		struct pidtrack_process *process, struct pt_stop **ret_stop,
		int *ret_cgroup_fd)
{
	struct pidtrack_stop_options copied = { 0 };
	struct pt_stop *stop;
	int r;

	if (options) {
		r = pt_options_copy(
			&copied, sizeof(copied), options, options->size,
			offsetofend(struct pidtrack_stop_options, cgroup_fd));
		if (r < 0)
			return r;
	}
	if (copied.flags & ~FLAGS || (!copied.steps && copied.n_steps > 0))
		return -EINVAL;
	if (!copied.steps) {
		copied.steps = usual_steps;
		copied.n_steps = ARRAY_SIZE(usual_steps);
	}
	r = check_steps(copied.steps, copied.n_steps);
	if (r < 0)
		return r;

	stop = calloc(1, sizeof(*stop));
	if (!stop)
		return -ENOMEM;
	stop->process = process;
	stop->flags = copied.flags;
	stop->n_steps = copied.n_steps;
	memcpy(stop->steps, copied.steps,
	       copied.n_steps * sizeof(copied.steps[0]));
	*ret_stop = stop;
	*ret_cgroup_fd = copied.cgroup_fd;
	return 0;
}

struct pt_stop *pt_stop_free(struct pt_stops *stops, struct pt_stop *stop)
{
	if (!stop)
		return NULL;
	pt_stop_end(stops, stop);
	pt_tree_free(stop->tree);
	free(stop);
	return NULL;
}

void pt_stop_wait(struct pt_stops *stops, struct pt_stop *stop)
{
	stop->deadline_ns = stop->step_ns;
	if (stop->tree)
		stop->deadline_ns =
			MIN(stop->deadline_ns, pt_tree_next_sweep(stop->tree));
	queue(stops, stop);
}

void pt_stop_hurry(struct pt_stops *stops, struct pt_stop *stop)
{
	if (!stop->waiting)
		return;
	take_out(stops, stop);
	stop->deadline_ns = 1; /* 0 would stop the timer */
	queue(stops, stop);
	pt_stops_arm(stops);
}

bool pt_stop_is_up(const struct pt_stop *stop)
{
	return stop->step_ns <= sys_now_ns();
}

#define AGAIN_NS INT64_C(50000000)

/* What the next step and those after it take at most. */
static int64_t time_left(const struct pt_stop *stop)
{
	int64_t left_ns = 0;

	for (uint32_t i = stop->at; i < stop->n_steps; i++)
		left_ns += stop->steps[i].time_ms * INT64_C(1000000);
	return left_ns;
}

/* It is asked for again in a while, at least once. */
static void want(struct pt_stops *stops, struct pt_stop *stop)
{
	stop->failed = stop->want_ns > time_left(stop);
	if (stop->failed)
		return;
	stop->want_ns += AGAIN_NS;
	stop->step_ns = sys_now_ns() + AGAIN_NS;
	pt_stop_wait(stops, stop);
}

int pt_stop_climb(struct pt_stops *stops, struct pt_stop *stop, int pidfd)
{
	const struct pidtrack_stop_step *step = &stop->steps[stop->at];
	const int64_t time_ns = step->time_ms * INT64_C(1000000);
	const bool sends = !stop->tree && step->signal != 0;
	int r = 0;

	if (sends && is_short_of_room(pidfd)) {
		want(stops, stop);
		return pidfd;
	}
	stop->at++;
	stop->want_ns = 0;
	stop->step_ns = sys_now_ns() + time_ns;
	if (stop->tree) {
		pt_tree_signal(stop->tree, step->signal, time_ns);
		stop->reached = stop->tree->reached;
	} else if (sends) {
		r = pidfd < 0 ? pidfd :
				sys_pidfd_send_signal(pidfd, step->signal);
		stop->reached |= r >= 0;
	}
	pt_stop_wait(stops, stop);
	return r;
}
