/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack stop: has processes end, step by step, and tells how they did.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "arguments.h"
#include "complain.h"
#include "output.h"
#include "owned.h"
#include "signal_name.h"
#include "steps.h"
#include "target.h"

/* For a parent to ask how its child ended, once all have. */
#define STATUS_TIME_MS 1000

struct stop {
	struct pidtrack_stop_step steps[STEPS_MAX];
	struct pidtrack_stop_options options;
	const char *cgroup;  /* directory; NULL: none */
	unsigned int attach; /* TARGET_ */
	bool json;

	struct targets targets;
	size_t left;   /* of these, not over so far */
	int signals;   /* signalfd of those that interrupt us; -1: none */
	int interrupt; /* the one that did */
};

static int set_steps(void *to, const char *value)
{
	struct stop *stop = to;
	int r;

	r = steps_parse(value, stop->steps);
	if (r < 0)
		return -r;
	stop->options.n_steps = (uint32_t)r;
	return 0;
}

static int set_group(void *to, const char *value)
{
	((struct stop *)to)->options.flags |= PIDTRACK_STOP_GROUP;
	return 0;
}

static int set_tree(void *to, const char *value)
{
	((struct stop *)to)->options.flags |= PIDTRACK_STOP_TREE;
	return 0;
}

static int set_cgroup(void *to, const char *value)
{
	((struct stop *)to)->options.flags |= PIDTRACK_STOP_CGROUP;
	((struct stop *)to)->cgroup = value;
	return 0;
}

static int set_legacy(void *to, const char *value)
{
	((struct stop *)to)->attach |= TARGET_LEGACY;
	return 0;
}

static int set_json(void *to, const char *value)
{
	((struct stop *)to)->json = true;
	return 0;
}

static const struct command_option options[] = {
	{ "steps", "STEPS", "SIGNAL:TIME,...; default TERM:10s,KILL:2s",
	  set_steps },
	{ "group", NULL, "and the process group that it leads", set_group },
	{ "tree", NULL, "and its children, theirs, and so on", set_tree },
	{ "cgroup", "DIR", "and all in its own cgroup2 directory, and below",
	  set_cgroup },
	{ "legacy", NULL, "believe a record that has only a number",
	  set_legacy },
	{ "json", NULL, "one JSON object a line", set_json },
	{ 0 },
};

/* ---- who is never signalled ---- */

/* Return: why the process with @pid is not stopped; NULL if it is. */
static const char *refusal(pid_t pid)
{
	if (pid == 1)
		return "the first process, which takes all others with it";
	if (pid == getpid())
		return "this pidtrack itself";
	return NULL;
}

/* On the command line such a number is a mistake, and nothing is done. */
static int check_numbers(char **words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct process_name name;
		int r = process_name_parse(words[i], &name);

		if (r)
			return r;
		if (!name.record && refusal(name.pid))
			return complain_usage("'%s' is %s, and is not stopped",
					      words[i], refusal(name.pid));
	}
	return 0;
}

static bool is_same(const struct target *target, const struct target *other)
{
	struct pidtrack_comparison comparison = { 0 };

	pidtrack_process_compare(target->process, other->fingerprint,
				 &comparison, sizeof(comparison));
	return comparison.verdict == PIDTRACK_VERDICT_SAME ||
	       comparison.verdict == PIDTRACK_VERDICT_EXITED;
}

/* Whether it has been named before: one ladder is enough. */
static bool is_twice(const struct stop *stop, const struct target *target)
{
	for (const struct target *other = stop->targets.all; other < target;
	     other++) {
		if (other->process && other->id.pid == target->id.pid &&
		    is_same(target, other))
			return true;
	}
	return false;
}

/* ---- beginning ---- */

static void print_begun(const struct stop *stop, struct target *target)
{
	target->signal = stop->steps[0].signal;
	target_print(target, "stopping", stop->json);
}

static void print_gone(const struct stop *stop, const struct target *target)
{
	struct json object;

	if (!stop->json) {
		printf("%s gone: %s", target->name, target->gone);
		ending_print(target->ended ? &target->ending : NULL);
		putchar('\n');
		return;
	}
	json_begin(&object);
	target_json(target, "gone", &object);
	json_string(&object, "reason", target->gone);
	if (target->ended)
		ending_json(&target->ending, &object);
	json_end(&object);
}

static int not_begun(const struct stop *stop, const struct target *target,
		     int error)
{
	bool cgroup = stop->options.flags & PIDTRACK_STOP_CGROUP;
	bool group = stop->options.flags & PIDTRACK_STOP_GROUP;

	if (error == -EDEADLK) {
		complain("%s is not stopped: this pidtrack would be among "
			 "those who end",
			 target->name);
	} else if (error == -ESTALE && cgroup) {
		complain("%s is not stopped: it is not in the cgroup '%s'",
			 target->name, stop->cgroup);
	} else if (error == -EREMOTE || (error == -EINVAL && !group)) {
		complain("%s is not stopped: it is in another pid namespace, "
			 "from which this one is not seen; see 'nsenter -p'",
			 target->name);
		return EXIT_FAILED;
	} else if (error == -EINVAL) {
		complain("%s is not stopped: it leads no process group",
			 target->name);
	} else if (error == -EBADF || error == -ENODEV) {
		complain("'%s' is no directory of a cgroup2 mount, or was "
			 "removed; see 'findmnt -t cgroup2'",
			 stop->cgroup);
		return EXIT_FAILED;
	} else {
		complain("cannot signal %s: %s", target->name,
			 strerror(-error));
		return EXIT_FAILED;
	}
	return EXIT_NO;
}

/* With a process that is reaped goes whose child was whose. */
static int not_known(const struct target *target)
{
	complain("%s had ended before, so whom it left behind is not known; "
		 "name its cgroup, with --cgroup DIR",
		 target->name);
	return EXIT_UNTOLD;
}

/* Return: 0, or an exit_code, having complained. */
static int begin_one(struct stop *stop, struct target *target)
{
	int r;

	if (target->gone) {
		print_gone(stop, target);
		return 0;
	}
	if (refusal(target->id.pid)) {
		complain("%s is %s, and is not stopped", target->name,
			 refusal(target->id.pid));
		return EXIT_NO;
	}
	if (is_twice(stop, target)) {
		target->process = pidtrack_process_free(target->process);
		return 0;
	}
	r = pidtrack_process_stop(target->process, &stop->options);
	if (r < 0 && r != -ESRCH)
		return not_begun(stop, target, r);
	/* what had ended already is told as any end */
	target->alone = r < 0 || !stop->options.flags;
	stop->left++;
	if (r == 0)
		print_begun(stop, target);
	return r < 0 && stop->options.flags ? not_known(target) : 0;
}

/* Return: 0, or the highest exit_code of all failures. */
static int begin_all(struct stop *stop)
{
	int highest = 0;

	for (size_t i = 0; i < stop->targets.n; i++) {
		int r = begin_one(stop, &stop->targets.all[i]);

		if (r > highest)
			highest = r;
	}
	return highest;
}

/* Those that would end us, and are not ignored, are told of first. */
static int open_signals(struct stop *stop)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGTERM };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct sigaction action;

		if (sigaction(ends[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&set, ends[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	stop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return stop->signals < 0 ? tracker_failed("signalfd", -errno) : 0;
}

/* ---- until all is over ---- */

/* The end of the process is that of a ladder for it alone. */
static void judge(struct target *target, uint32_t event)
{
	switch (event) {
	case PIDTRACK_EXITED:
	case PIDTRACK_REAPED:
		if (!target->alone)
			return;
		target->failed = false;
		break;
	case PIDTRACK_STOP_TIMED_OUT:
		target->failed = true;
		break;
	case PIDTRACK_STOP_DONE:
		break;
	default:
		return;
	}
	target->over = true;
}

static void take_event(struct stop *stop, const struct pidtrack_event *event)
{
	struct target *target = target_note(event);
	bool was_over = target->over;

	judge(target, event->kind);
	if (target->over && !was_over)
		stop->left--;
	if (event->kind == PIDTRACK_EXITED || event->kind == PIDTRACK_REAPED)
		target_print_event(target, stop->json);
	else
		target_print_ladder(target, !target->alone, stop->json);
}

/* Return: 0, or a negative errno. */
static int take_events(struct stop *stop)
{
	const struct pidtrack_event *event;
	int r;

	while ((r = pidtrack_next(stop->targets.tracker, &event)) > 0)
		take_event(stop, event);
	return r;
}

/* Return: whether there was something before the time was up. */
static bool await(struct stop *stop, int timeout_ms)
{
	struct pollfd fds[] = {
		{ .fd = pidtrack_fd(stop->targets.tracker), .events = POLLIN },
		{ .fd = stop->signals, .events = POLLIN },
	};
	struct signalfd_siginfo signal;

	if (poll(fds, ARRAY_SIZE(fds), timeout_ms) == 0)
		return false;
	if (read(stop->signals, &signal, sizeof(signal)) == sizeof(signal))
		stop->interrupt = (int)signal.ssi_signo;
	return true;
}

/* Whether some have ended of which nobody knows how so far. */
static bool some_untold(const struct stop *stop)
{
	for (size_t i = 0; i < stop->targets.n; i++) {
		const struct target *target = &stop->targets.all[i];

		if (target->exited && !target->ended &&
		    target->ending.source == PIDTRACK_SOURCE_UNKNOWN)
			return true;
	}
	return false;
}

/* Output that nobody reads is no reason to stop stopping. */
static int attend(struct stop *stop)
{
	bool in_time = true;

	while (in_time && !stop->interrupt) {
		int r = take_events(stop);

		if (r < 0)
			return tracker_failed("stopping", r);
		r = output_flush();
		if (r < 0 && r != -EPIPE)
			return output_failed(r);
		if (stop->left == 0 && !some_untold(stop))
			return 0;
		in_time = await(stop, stop->left > 0 ? -1 : STATUS_TIME_MS);
	}
	return 0;
}

/* Return: how many have not ended, and *ret_first of them if there is one. */
static size_t running(const struct stop *stop, const struct target **ret_first)
{
	size_t n = 0;

	for (size_t i = stop->targets.n; i-- > 0;) {
		const struct target *target = &stop->targets.all[i];

		if (!target->process || (target->over && !target->failed))
			continue;
		*ret_first = target;
		n++;
	}
	return n;
}

/* Ends as who interrupted us wanted, but not without a word. */
static int interrupted(const struct stop *stop)
{
	const struct target *first;
	char name[SIGNAL_NAME_SIZE];
	size_t n = running(stop, &first);
	sigset_t set;

	signal_name(stop->interrupt, name);
	if (n > 0)
		complain("ended by %s: %s%s still %s, and no further signal "
			 "is sent",
			 name, first->name, n > 1 ? " and others" : "",
			 n > 1 ? "run" : "runs");
	sigemptyset(&set);
	sigaddset(&set, stop->interrupt);
	(void)raise(stop->interrupt);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return EXIT_FAILED;
}

static void complain_of_time(const struct stop *stop,
			     const struct target *target)
{
	const char *others = target->alone ? "" : ", or others with it,";
	int last = stop->steps[stop->options.n_steps - 1].signal;
	char name[SIGNAL_NAME_SIZE] = "nothing";

	if (last == SIGKILL) {
		complain("%s%s has not ended: the kernel holds it until "
			 "something it waits for is done, or it is not ours",
			 target->name, others);
		return;
	}
	if (last)
		signal_name(last, name);
	complain("%s%s has not ended, and the last signal was %s; 'KILL:2s' "
		 "as the last of --steps would insist",
		 target->name, others, name);
}

/* Return: EXIT_NO if some have not ended, having complained of each. */
static int conclude(const struct stop *stop)
{
	int code = EXIT_AS_ASKED;

	for (size_t i = 0; i < stop->targets.n; i++) {
		const struct target *target = &stop->targets.all[i];

		if (!target->failed)
			continue;
		complain_of_time(stop, target);
		code = EXIT_NO;
	}
	return code;
}

static int open_cgroup(struct stop *stop)
{
	if (!stop->cgroup)
		return 0;
	stop->options.cgroup_fd =
		open(stop->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (stop->options.cgroup_fd >= 0)
		return 0;
	complain("cannot open the cgroup '%s': %s", stop->cgroup,
		 strerror(errno));
	return EXIT_FAILED;
}

static int stop_named(struct stop *stop, char **words, size_t n)
{
	int highest, r;

	r = check_numbers(words, n);
	if (r == 0)
		r = open_cgroup(stop);
	if (r)
		return r;
	highest = targets_attach(&stop->targets, words, n,
				 stop->attach | TARGET_GONE);
	if (stop->targets.n == 0)
		return highest;
	r = open_signals(stop);
	if (r)
		return r;
	r = begin_all(stop);
	if (r > highest)
		highest = r;

	r = attend(stop);
	if (r)
		return r;
	if (stop->interrupt)
		return interrupted(stop);
	r = conclude(stop);
	return r > highest ? r : highest;
}

static int stop_run(int argc, char **argv)
{
	/* the library's own, told to be able to tell them */
	struct stop stop = {
		.steps = { { SIGTERM, 10000 }, { SIGKILL, 2000 } },
		.options = PIDTRACK_STOP_OPTIONS(.n_steps = 2, .cgroup_fd = -1),
		.signals = -1,
	};
	int r;

	stop.options.steps = stop.steps;
	r = arguments_parse(&command_stop, &stop, &argc, &argv);
	if (r != ARGUMENTS_FINE)
		return r;
	output_begin();
	r = stop_named(&stop, argv, (size_t)argc);
	targets_done(&stop.targets);
	fd_closep(&stop.signals);
	fd_closep(&stop.options.cgroup_fd);
	return r;
}

const struct command command_stop = {
	.name = "stop",
	.operands = "PROCESS...",
	.purpose = "Has processes end, children or not, step by step",
	.more = "PROCESS is PID, PID:INODE for one that can be no other, a\n"
		"record file or a pin, for the process that it is of.  Each\n"
		"is sent the signal of the first step; if it has not ended\n"
		"when its time is over, that of the next; 0 or - is none.\n"
		"TIME is 500ms, 8s, 2m.  Signals reach the process that was\n"
		"meant or none, and all are stopped at the same time.  With\n"
		"--group, --tree and --cgroup others are to end with each of\n"
		"them, and it is told how many were reached.\n"
		"\n"
		"Exits with 0 if all have ended, or are gone; 1 if one has\n"
		"not ended in time, leads no process group with --group, or\n"
		"another has its number, which is not signalled; 2 for a\n"
		"wrong command line, 3 if nothing proves a record to be of a\n"
		"process, or whom one has left behind is not known; 4 for a\n"
		"failure, also to read a record.\n",
	.options = options,
	.run = stop_run,
};
