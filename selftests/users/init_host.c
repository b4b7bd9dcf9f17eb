/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The first process of a container: runs what it is told to as shims, collects
 * whoever is orphaned in there, until the last of both has ended.
 *
 *	init_host [-t MS] PROGRAM [ARGUMENT...] [-- PROGRAM [ARGUMENT...]]...
 *
 * One line for each shim that ends, and in the end how many orphans there were.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "host.h"

static struct pidtrack *begin(uint32_t time_ms)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.orphans = PIDTRACK_ORPHANS_COLLECT,
				 .orphan_time_ms = time_ms);
	struct pidtrack *tracker = NULL;
	int r;

	if (getpid() != 1)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = pidtrack_new(&options, &tracker);
	if (r < 0)
		host_fail("no tracker", r);
	return tracker;
}

static void launch(struct pidtrack *tracker, char **argv)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = (const char *const *)argv,
				       .label = argv[0],
				       .flags = PIDTRACK_SPAWN_SETSID);
	struct pidtrack_process *process;
	uint32_t stage;
	int r;

	r = pidtrack_spawn(tracker, &options, &process, &stage);
	if (r < 0)
		host_fail(pidtrack_stage_name(stage), r);
}

/* Each up to the next "--"; how many. */
static int launch_all(struct pidtrack *tracker, char **argv)
{
	int n = 0;

	while (*argv) {
		char **end = argv;
		char *last;

		while (*end && strcmp(*end, "--") != 0)
			end++;
		last = *end;
		*end = NULL;
		if (*argv) {
			launch(tracker, argv);
			n++;
		}
		argv = last ? end + 1 : end;
	}
	return n;
}

static int await_one(struct pidtrack *tracker)
{
	const struct pidtrack_event *event;
	int r;

	do
		r = pidtrack_wait(tracker, -1, &event);
	while (r == -EINTR);
	if (r < 0)
		host_fail("waiting", r);
	if (!(event->flags & PIDTRACK_EVENT_LAST))
		return 0;
	printf("%s %s %#x\n", pidtrack_process_label(event->process),
	       pidtrack_source_name(event->source), event->status);
	pidtrack_process_free(event->process);
	return 1;
}

static bool has_children(void)
{
	siginfo_t unused;

	return !waitid(P_ALL, 0, &unused, WEXITED | WNOHANG | WNOWAIT | __WALL);
}

/* Until all who were orphaned have ended, too. */
static uint64_t await_orphans(struct pidtrack *tracker)
{
	struct pidtrack_statistics statistics;
	const struct pidtrack_event *event;

	while (has_children())
		pidtrack_wait(tracker, 10, &event);
	pidtrack_statistics(tracker, &statistics, sizeof(statistics));
	return statistics.orphans;
}

int main(int argc, char **argv)
{
	CLEANUP(host_end) struct pidtrack *tracker = NULL;
	uint32_t time_ms = 0;
	int n;

	argv++;
	if (argc > 2 && !strcmp(argv[0], "-t")) {
		time_ms = (uint32_t)atoi(argv[1]);
		argv += 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	tracker = begin(time_ms);
	n = launch_all(tracker, argv);
	if (n == 0) {
		fputs("usage: init_host [-t MS] PROGRAM [ARGUMENT...] "
		      "[-- PROGRAM [ARGUMENT...]]...\n",
		      stderr);
		return HOST_USAGE;
	}
	while (n > 0)
		n -= await_one(tracker);
	printf("orphans %llu\n", (unsigned long long)await_orphans(tracker));
	return 0;
}
