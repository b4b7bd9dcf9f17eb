/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A host that executes itself again and again while its shims are born and die
 * all the time: each end is to be told exactly once, with its status.
 *
 *	reexec_storm [ROUNDS [SHIMS]]	50 and 40; at full size: 1000 200
 *
 * PIDTRACK_STORM_THREAD=1 has the tracker have a thread of its own.  Says what
 * came of it as TAP.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pidtrack.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "refusal.h"

#define IDS_MAX 400000
#define BORN_MAX 25 /* of a round */

/* In a memfd, which is all the memory that outlives a round. */
struct storm {
	uint32_t rounds; /* to come */
	uint32_t shims;
	uint32_t born;
	uint32_t told;
	uint32_t doubled;
	uint32_t wrong;
	uint32_t unverified;
	uint32_t running;
	uint32_t executed;
	uint32_t random;
	uint32_t fds[2];   /* fewest and most beyond the pidfds */
	uint32_t pages[2]; /* resident, most of the first half and of the second
			    */
	int32_t handoff;
	uint8_t seen[IDS_MAX];
};

static struct storm *storm;
static const char *self;

static uint32_t draw(uint32_t below)
{
	storm->random = storm->random * 1664525 + 1013904223;
	return (storm->random >> 8) % below;
}

/* A status that its number leads to: a code, or a signal. */
static int status_of(uint32_t id)
{
	return id % 7 == 0 ? SIGKILL : (int)(id * 31 % 251) << 8;
}

/* ---- as a shim ---- */

static int be_shim(char **argv)
{
	struct timespec life = { .tv_nsec = atol(argv[2]) * 1000 };
	int status = atoi(argv[3]);

	nanosleep(&life, NULL);
	if (WIFSIGNALED(status))
		raise(WTERMSIG(status));
	return WEXITSTATUS(status);
}

/* Its shims, if there are some, soon end. */
static _Noreturn void give_up(const char *what, int r)
{
	const char *refused = refusal_told(r);

	if (!refused || storm->doubled || storm->wrong)
		errx(1, "%s: %s, %u doubled, %u wrong", what, strerror(-r),
		     storm->doubled, storm->wrong);
	printf("1..1\nok 1 # SKIP the sandbox refuses %s, as the host is told "
	       "(%s)\n",
	       refused, what);
	exit(0);
}

static void launch(struct pidtrack *tracker)
{
	uint32_t id = storm->born;
	char life[16], status[16], label[16];
	const char *argv[] = { self, "shim", life, status, NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .label = label);
	struct pidtrack_process *process;
	uint32_t stage;
	int r;

	snprintf(life, sizeof(life), "%u", draw(4) ? draw(60000) : 0);
	snprintf(status, sizeof(status), "%d", status_of(id));
	snprintf(label, sizeof(label), "%u", id);
	r = pidtrack_spawn(tracker, &options, &process, &stage);
	if (r < 0)
		give_up(pidtrack_stage_name(stage), r);
	storm->born++;
	storm->running++;
}

static void look_at(const struct pidtrack_event *event)
{
	const char *label = pidtrack_process_label(event->process);
	uint32_t id = label ? (uint32_t)atoi(label) : IDS_MAX;

	if (!(event->flags & PIDTRACK_EVENT_LAST))
		return;
	if (id >= IDS_MAX || event->status != status_of(id) ||
	    event->source != PIDTRACK_SOURCE_WAITED)
		storm->wrong++;
	if (id < IDS_MAX && storm->seen[id]++)
		storm->doubled++;
	storm->told++;
	storm->running--;
}

/* Some of what there is; the last may be handed out and not acknowledged. */
static void take_some(struct pidtrack *tracker, uint32_t most)
{
	const struct pidtrack_event *event;
	int r = 0;

	while (most-- > 0 && (r = pidtrack_next(tracker, &event)) > 0) {
		struct pidtrack_process *process = event->process;

		look_at(event);
		if (draw(8))
			pidtrack_process_free(process);
	}
	if (r < 0)
		give_up("next", r);
}

static void take_all(struct pidtrack *tracker)
{
	const struct pidtrack_event *event;
	int r = 0;

	while (storm->running > 0 &&
	       (r = pidtrack_wait(tracker, 20000, &event)) > 0)
		look_at(event);
	if (r < 0)
		give_up("wait", r);
	pidtrack_next(tracker, &event);
}

/* ---- from round to round ---- */

static struct pidtrack *begin(void)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = getenv("PIDTRACK_STORM_THREAD") ?
						  PIDTRACK_THREAD :
						  0);
	const struct pidtrack_recovered *recovered;
	struct pidtrack_recovery *recovery;
	struct pidtrack *tracker;
	int r = pidtrack_new(&options, &tracker);

	if (r < 0)
		give_up("no tracker", r);
	if (storm->handoff < 0)
		return tracker;
	r = pidtrack_handoff_resume(tracker, storm->handoff, &recovery);
	if (r < 0)
		give_up("resume", r);
	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		int status;

		if (!recovered->process ||
		    !(recovered->comparison->evidence & PIDTRACK_EVIDENCE_PIN))
			storm->unverified++;
		/* told before, and kept: nothing more will come of it */
		else if (pidtrack_process_status(recovered->process, &status) >
			 0)
			pidtrack_process_free(recovered->process);
	}
	pidtrack_recovery_free(recovery);
	return tracker;
}

static uint32_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint32_t fds = 0;

	while (dir && readdir(dir))
		fds++;
	if (dir)
		closedir(dir);
	return fds;
}

static uint32_t count_pages(void)
{
	unsigned int size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file || fscanf(file, "%u %u", &size, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident;
}

/* What is open beside the pidfds of @tracked, once all that was freed is. */
static void look_at_self(uint32_t tracked)
{
	uint32_t fds = count_fds() - tracked, pages = count_pages();
	bool late = storm->rounds <= storm->executed;

	if (storm->fds[0] == 0 || fds < storm->fds[0])
		storm->fds[0] = fds;
	if (fds > storm->fds[1])
		storm->fds[1] = fds;
	if (pages > storm->pages[late])
		storm->pages[late] = pages;
}

static void go_on(struct pidtrack *tracker)
{
	struct pidtrack_statistics statistics = { 0 };
	int r;

	pidtrack_statistics(tracker, &statistics, sizeof(statistics));
	r = pidtrack_handoff_prepare(tracker, &storm->handoff);
	if (r < 0)
		give_up("prepare", r);
	look_at_self((uint32_t)statistics.tracked);
	storm->rounds--;
	storm->executed++;
	execl("/proc/self/exe", self, "round", (char *)NULL);
	err(1, "exec");
}

static void play_round(struct pidtrack *tracker)
{
	for (uint32_t i = 0; i < BORN_MAX && storm->running < storm->shims; i++)
		launch(tracker);
	take_some(tracker, draw(2 * BORN_MAX));
	while (storm->running < storm->shims / 2 && storm->born < IDS_MAX)
		launch(tracker);
}

static uint32_t count_lost(void)
{
	uint32_t lost = 0;

	for (uint32_t id = 0; id < storm->born; id++)
		lost += !storm->seen[id];
	return lost;
}

static bool say(int number, bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", number, what);
	return good;
}

static int finish(struct pidtrack *tracker)
{
	bool good = true;
	uint32_t lost;

	take_all(tracker);
	pidtrack_free(tracker);
	lost = count_lost();
	printf("# %s%s: %u images, %u exits, %u lost, %u doubled, %u wrong, "
	       "%u unverified; %u to %u descriptors, %u and %u pages\n",
	       getenv("PIDTRACK_BACKEND") ?: "any",
	       getenv("PIDTRACK_STORM_THREAD") ? ", thread" : "",
	       storm->executed + 1, storm->told, lost, storm->doubled,
	       storm->wrong, storm->unverified, storm->fds[0], storm->fds[1],
	       storm->pages[0], storm->pages[1]);
	printf("1..5\n");
	good &= say(1, lost == 0 && storm->told == storm->born,
		    "every_exit_is_told");
	good &= say(2, storm->doubled == 0, "no_exit_is_told_twice");
	good &= say(3, storm->wrong == 0 && storm->unverified == 0,
		    "every_status_is_right");
	good &= say(4, waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD,
		    "no_child_is_left");
	good &= say(5, storm->fds[1] - storm->fds[0] <= 2,
		    "descriptors_are_flat");
	return good ? 0 : 1;
}

/* The memory of all rounds, at a number that every image knows. */
#define STORM_FD 200

/* Return: false if so many descriptors are not to be had. */
static bool find_storm(void)
{
	struct rlimit limit = { 4096, 4096 };
	int fd = memfd_create("storm", 0);

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	if (fd < 0 || ftruncate(fd, sizeof(*storm)) < 0 ||
	    dup2(fd, STORM_FD) < 0)
		err(1, "memfd");
	close(fd);
	return true;
}

int main(int argc, char **argv)
{
	bool first = argc < 2 || strcmp(argv[1], "round") != 0;
	struct pidtrack *tracker;

	if (argc > 3 && !strcmp(argv[1], "shim"))
		return be_shim(argv);
	if (first && ((argc > 1 && atoi(argv[1]) <= 0) ||
		      (argc > 2 && atoi(argv[2]) <= 0)))
		errx(2, "usage: reexec_storm [IMAGES [SHIMS]]");
	if (access("/proc/self/exe", F_OK) < 0) {
		puts("1..1\nok 1 # SKIP no /proc to execute itself by");
		return 0;
	}
	if (first && !find_storm()) {
		puts("1..1\nok 1 # SKIP RLIMIT_NOFILE is below 4096");
		return 0;
	}
	storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED,
		     STORM_FD, 0);
	if (storm == MAP_FAILED)
		err(1, "mmap");
	if (first) {
		storm->rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 50;
		storm->shims = argc > 2 ? (uint32_t)atoi(argv[2]) : 40;
		storm->random = 1;
		storm->handoff = -1;
	}
	self = argv[0];
	tracker = begin();
	if (storm->rounds == 0)
		return finish(tracker);
	play_round(tracker);
	go_on(tracker);
	return 1;
}
