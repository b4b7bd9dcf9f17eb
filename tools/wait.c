/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack wait: until processes end, children or not, and how they did.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "arguments.h"
#include "complain.h"
#include "number.h"
#include "output.h"
#include "owned.h"
#include "target.h"

struct wait {
	int64_t timeout_ms;  /* -1: none */
	unsigned int attach; /* TARGET_ */
	bool json;

	struct targets targets;
	size_t left; /* of these, not ended so far */
};

static int set_timeout(void *to, const char *value)
{
	struct wait *wait = to;

	if (!number_parse_duration(value, &wait->timeout_ms))
		return complain_usage("--timeout '%s' is no duration, such as "
				      "10, 1.5s, 500ms, 2m, 1h",
				      value);
	return 0;
}

static int set_legacy(void *to, const char *value)
{
	((struct wait *)to)->attach |= TARGET_LEGACY;
	return 0;
}

static int set_json(void *to, const char *value)
{
	((struct wait *)to)->json = true;
	return 0;
}

static const struct command_option options[] = {
	{ "timeout", "DURATION", "give up then; 10, 1.5s, 500ms, 2m, 1h, 1d",
	  set_timeout },
	{ "legacy", NULL, "believe a record that has only a number",
	  set_legacy },
	{ "json", NULL, "one JSON object a line", set_json },
	{ 0 },
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What is left until @deadline as pidtrack_wait() wants it; -1 is for ever. */
static int remaining_ms(int64_t deadline)
{
	int64_t left;

	if (deadline < 0)
		return -1;
	left = deadline - now_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* Some have not ended in time, or have, but nobody was told how. */
static int timed_out(const struct wait *wait)
{
	const struct target *running = NULL, *zombie = NULL;
	size_t n = 0;

	for (size_t i = wait->targets.n; i-- > 0;) {
		const struct target *target = &wait->targets.all[i];

		if (target->ended)
			continue;
		if (target->event == PIDTRACK_EXITED) {
			zombie = target;
		} else {
			running = target;
			n++;
		}
	}

	if (running) {
		complain("not in time: %s%s still %s", running->name,
			 n > 1 ? " and others" : "", n > 1 ? "run" : "runs");
		return EXIT_NO;
	}
	complain("%s has ended, but its parent has not asked how, so nobody "
		 "else is told yet",
		 zombie->name);
	return EXIT_UNTOLD;
}

/* Output that nobody reads is no reason to stop: the status is what counts. */
static int tell(const struct wait *wait, const struct target *target)
{
	int r;

	target_print_event(target, wait->json);
	r = output_flush();
	return r < 0 && r != -EPIPE ? output_failed(r) : 0;
}

static int take_event(struct wait *wait, const struct pidtrack_event *event)
{
	const struct target *target = target_note(event);

	if (!target->ended)
		return 0;
	wait->left--;
	return tell(wait, target);
}

/* Those of whom it is recorded how they ended are not waited for. */
static int begin(struct wait *wait)
{
	int r = 0;

	for (size_t i = 0; i < wait->targets.n && r == 0; i++) {
		if (wait->targets.all[i].ended)
			r = tell(wait, &wait->targets.all[i]);
		else
			wait->left++;
	}
	return r;
}

static int wait_for_all(struct wait *wait)
{
	int64_t deadline = -1;

	if (wait->timeout_ms >= 0)
		deadline = now_ms() + wait->timeout_ms;

	while (wait->left > 0) {
		const struct pidtrack_event *event;
		int timeout = remaining_ms(deadline);
		int r = pidtrack_wait(wait->targets.tracker, timeout, &event);

		if (r > 0)
			r = take_event(wait, event);
		else if (r == 0 && timeout == 0)
			return timed_out(wait);
		else if (r < 0 && r != -EINTR)
			r = tracker_failed("waiting", r);
		else
			r = 0;
		if (r)
			return r;
	}
	return 0;
}

static int wait_named(struct wait *wait, char **words, size_t n)
{
	const struct target *last;
	int r;

	r = targets_attach(&wait->targets, words, n,
			   wait->attach | TARGET_ENDED);
	if (r)
		return r;
	r = begin(wait);
	if (r == 0)
		r = wait_for_all(wait);
	if (r)
		return r;

	last = &wait->targets.all[wait->targets.n - 1];
	if (last->ending.source == PIDTRACK_SOURCE_UNKNOWN)
		complain("%s has ended, and nobody can tell how", last->name);
	return ending_exit_code(&last->ending);
}

static int wait_run(int argc, char **argv)
{
	struct wait wait = { .timeout_ms = -1 };
	int r;

	r = arguments_parse(&command_wait, &wait, &argc, &argv);
	if (r != ARGUMENTS_FINE)
		return r;
	output_begin();
	r = wait_named(&wait, argv, (size_t)argc);
	targets_done(&wait.targets);
	return r;
}

const struct command command_wait = {
	.name = "wait",
	.operands = "PROCESS...",
	.purpose = "Waits until processes end, children or not, and tells how",
	.more = "PROCESS is PID, PID:INODE for one that can be no other, a\n"
		"record file or a pin, for the process that it is of.\n"
		"\n"
		"Exits as the last PROCESS did: its code, or 128 and its\n"
		"signal; with 1 if one does not exist or is not in time, 3\n"
		"if its status cannot be told, 2 for a wrong command line,\n"
		"4 for a failure, also to read a record.\n",
	.options = options,
	.run = wait_run,
};
