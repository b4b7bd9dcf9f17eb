/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack run: launches a shim, and stands in for it until it ends, or leaves
 * it running.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arguments.h"
#include "complain.h"
#include "launch.h"
#include "output.h"
#include "owned.h"
#include "pins.h"
#include "target.h"

#define LAST_SIGNAL 64

struct foreground {
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	int signals; /* signalfd of those that are passed on */
	bool stops;  /* with the shim, as a job of a shell */
};

/* ---- signals ---- */

/*
 * All but those that are about us: our children, our own faults, and reading
 * or writing a terminal from the background.
 */
static void passed_on(sigset_t *ret_set)
{
	static const int ours[] = {
		SIGCHLD, SIGPIPE, SIGABRT, SIGBUS,  SIGFPE,  SIGILL,
		SIGSEGV, SIGSYS,  SIGTRAP, SIGTTIN, SIGTTOU,
	};

	sigfillset(ret_set);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		sigdelset(ret_set, ours[i]);
}

/* What exec would hand on: the shim gets what we were started with. */
static void inherit_signals(struct pidtrack_spawn_options *spawn)
{
	sigset_t blocked;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int n = 1; n <= LAST_SIGNAL; n++) {
		uint64_t bit = UINT64_C(1) << (n - 1);
		struct sigaction action;

		if (sigismember(&blocked, n) == 1)
			spawn->signal_mask |= bit;
		if (sigaction(n, NULL, &action) == 0 &&
		    action.sa_handler == SIG_IGN)
			spawn->signal_ignore |= bit;
	}
}

static int open_signals(int *ret_fd)
{
	sigset_t set;

	/* ignored, it would take the shim's status with it before 6.15 */
	(void)signal(SIGCHLD, SIG_DFL);
	passed_on(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret_fd < 0 ? tracker_failed("signalfd", -errno) : 0;
}

/*
 * What the kernel sent was for the whole process group, as ^C on a terminal is,
 * and the shim has it already unless it has left our group.  A hangup is told
 * to the leader of the session alone.
 */
static bool reached_shim(const struct signalfd_siginfo *signal, pid_t shim)
{
	if (signal->ssi_code != SI_KERNEL)
		return false;
	if (signal->ssi_signo == SIGHUP && getsid(0) == getpid())
		return false;
	return getpgid(shim) == getpgrp();
}

static void pass_signals_on(const struct foreground *foreground)
{
	pid_t shim = pidtrack_process_pid(foreground->process);
	struct signalfd_siginfo signal;

	while (read(foreground->signals, &signal, sizeof(signal)) ==
	       sizeof(signal)) {
		/* it may have ended just now: then there is nobody to tell */
		if (!reached_shim(&signal, shim))
			pidtrack_process_signal(foreground->process,
						(int)signal.ssi_signo);
	}
}

/* ---- in the foreground ---- */

/*
 * On a terminal a shell waits for us, not for the shim: when the shim stops, we
 * do, and the SIGCONT that wakes us is passed on.  Leading the session we have
 * no shell to wake us.
 */
static void follow_stops(struct foreground *foreground)
{
	int terminal;

	if (getsid(0) == getpid())
		return;
	terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0)
		return;
	close(terminal);
	foreground->stops = pidtrack_process_notify(foreground->process,
						    1U << PIDTRACK_STOPPED) ==
			    0;
}

static int pass_status_on(const struct pidtrack_event *event)
{
	struct ending ending = { event->status, event->source };

	if (ending.source == PIDTRACK_SOURCE_UNKNOWN)
		complain("the command has ended, and nobody can tell how");
	return ending_exit_code(&ending);
}

/* Return: whether the shim has ended, and *ret_code. */
static bool take_events(const struct foreground *foreground, int *ret_code)
{
	const struct pidtrack_event *event;
	int r;

	while ((r = pidtrack_next(foreground->tracker, &event)) > 0) {
		if (event->flags & PIDTRACK_EVENT_LAST) {
			if (event->flags & PIDTRACK_EVENT_UNRECORDED)
				complain("how it ended could not be written "
					 "beside its record");
			*ret_code = pass_status_on(event);
			return true;
		}
		if (event->kind == PIDTRACK_STOPPED && foreground->stops)
			(void)raise(SIGSTOP);
	}
	if (r < 0)
		*ret_code = tracker_failed("waiting", r);
	return r < 0;
}

static int attend(const struct foreground *foreground)
{
	struct pollfd fds[] = {
		{ .fd = foreground->signals, .events = POLLIN },
		{ .fd = pidtrack_fd(foreground->tracker), .events = POLLIN },
	};
	int code;

	while (!take_events(foreground, &code)) {
		poll(fds, ARRAY_SIZE(fds), -1);
		pass_signals_on(foreground);
	}
	return code;
}

static int run_foreground(struct launch *launch, struct pidtrack *tracker)
{
	struct foreground foreground = { .tracker = tracker, .signals = -1 };
	CLEANUP(fd_closep) int signals = -1;
	int r;

	/* detached, there will be nobody to see its end */
	if (launch->spawn.record)
		launch->spawn.flags |= PIDTRACK_SPAWN_EXIT_RECORD;
	inherit_signals(&launch->spawn);
	r = open_signals(&signals);
	if (r)
		return r;
	foreground.signals = signals;

	r = launch_now(launch, tracker, &foreground.process);
	if (r)
		return r;
	follow_stops(&foreground);
	return attend(&foreground);
}

/* ---- detached ---- */

static void print_launched(const struct launch *launch,
			   const struct target *target)
{
	struct json object;

	if (!launch->json) {
		printf("%s\n", target->name);
		return;
	}
	json_begin(&object);
	target_json(target, "launched", &object);
	json_string(&object, "fingerprint",
		    *target->fingerprint ? target->fingerprint : NULL);
	json_end(&object);
}

static int run_detached(struct launch *launch, struct pidtrack *tracker)
{
	struct pidtrack_process *process;
	struct target target;
	int r;

	r = launch_now(launch, tracker, &process);
	if (r)
		return r;

	output_begin();
	target_of(process, &target);
	target.id.record = launch->spawn.record;
	print_launched(launch, &target);
	r = output_flush();
	if (r < 0 && r != -EPIPE) {
		complain("launched %s, but cannot write that: %s", target.name,
			 strerror(-r));
		return EXIT_FAILED;
	}
	return EXIT_AS_ASKED;
}

static int run_run(int argc, char **argv)
{
	CLEANUP(pidtrack_freep) struct pidtrack *tracker = NULL;
	CLEANUP(launch_done) struct launch launch;
	int r;

	r = launch_init(&launch, (size_t)argc);
	if (r)
		return r;
	r = arguments_parse(&command_run, &launch, &argc, &argv);
	if (r != ARGUMENTS_FINE)
		return r;
	if (argc == 0)
		return complain_usage("which command? run [OPTION]... [--] CMD "
				      "[ARG]...");
	launch.argv = argv;
	r = launch_check(&launch);
	if (r)
		return r;

	r = launch.pins ? pins_open(launch.pins, &tracker) :
			  tracker_open(&tracker);
	if (r)
		return r;
	return launch.detach ? run_detached(&launch, tracker) :
			       run_foreground(&launch, tracker);
}

const struct command command_run = {
	.name = "run",
	.operands = "[--] CMD [ARG]...",
	.purpose = "Launches a command and stands in for it, or leaves it "
		   "running",
	.more = "Options end at CMD; an option given again replaces its\n"
		"earlier value, except --env, --fd and --rlimit, which add\n"
		"up.  Signals are passed on.\n"
		"\n"
		"With --detach it prints PID:INODE (PID before Linux 6.9)\n"
		"and ends; the command reads /dev/null and writes there,\n"
		"too, except where standard output or error is a file, or\n"
		"--fd says otherwise.\n"
		"\n"
		"With --pin DIR it can be found in that directory, and how\n"
		"it ended, even if it outlives us: DIR/LABEL is a PROCESS.\n"
		"\n"
		"Exits as CMD did: its code, or 128 and its signal; 126 if\n"
		"it cannot be executed, 127 if it is not found; 2 for a\n"
		"wrong command line, 3 if its status cannot be told, 4 if\n"
		"the launch failed.\n",
	.options = launch_options,
	.passes_on = true,
	.run = run_run,
};
