// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What one launch costs: a small static program launched, and its end
 * collected, by hosts of all sizes.
 *
 * Hosts live side by side: of one memory grows, to 4 GiB that were touched (of
 * small pages); of the other descriptors, to 19 000 (an eventfd each, all
 * close-on-exec).  Each launches by pidtrack_spawn(), by posix_spawn(), by
 * vfork() and by fork() and exec, the latter three with waitpid(), until the
 * child is reaped.  A round has each of them make some launches one after the
 * other, and begins with another of them each time; their median counts.  1 is
 * pidtrack on the smallest host of the same kind.  A host that this machine has
 * no room for is left out.
 *
 * Every status is compared with the code that was asked for; fails if one is
 * wrong, or a child is left over.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pidtrack.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define BATCH_NS UINT64_C(100000000) /* the most a batch takes, but for one */
#define LAUNCHES 15		     /* of a batch */

enum grows { GROWS_MEMORY, GROWS_DESCRIPTORS };
enum way { WAY_PIDTRACK, WAY_POSIX_SPAWN, WAY_VFORK, WAY_FORK, WAYS };

#define HOSTS_MAX 16

/* In MiB, or descriptors; 0: no more.  The first is as small as can be. */
static const unsigned int sizes[BENCH_SIZES][2][HOSTS_MAX / 2] = {
	[BENCH_FULL] = { { 1, 256, 1024, 2048, 4096 },
			 { 10, 100, 1000, 10000, 19000 } },
	[BENCH_QUICK] = { { 1, 1024, 4096 }, { 10, 1000, 19000 } },
	[BENCH_SMOKE] = { { 1, 64 }, { 10, 500 } },
};

static const char *const grows_names[] = {
	[GROWS_MEMORY] = "MiB resident",
	[GROWS_DESCRIPTORS] = "descriptors open",
};
static const char *const way_names[] = {
	[WAY_PIDTRACK] = "pidtrack_spawn",
	[WAY_POSIX_SPAWN] = "posix_spawn",
	[WAY_VFORK] = "vfork and exec",
	[WAY_FORK] = "fork and exec",
};

/* What a host is told, and answers. */
struct order {
	uint32_t way;
	uint32_t launches;
};
struct outcome {
	double ns; /* the median of one launch */
	uint32_t launches;
	uint32_t wrong; /* statuses, and children left over */
	int32_t error;	/* a negative errno: nothing more can be done */
};
struct ready {
	int32_t error;
};

/* ---- four ways to launch; each returns the status, or a negative errno ----
 */

static int launch_by_pidtrack(struct pidtrack *tracker, char *const *argv)
{
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = (const char *const *)argv);
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	int r, status;

	r = pidtrack_spawn(tracker, &options, &process, NULL);
	if (r < 0)
		return r;
	r = pidtrack_wait(tracker, 10000, &event);
	if (r <= 0)
		return r < 0 ? r : -ETIMEDOUT;
	status = event->status;
	if (event->process != process || !(event->flags & PIDTRACK_EVENT_LAST))
		return -EBADMSG;
	pidtrack_process_free(process);
	r = pidtrack_next(tracker, &event); /* reaps it */
	return r ? -EBADMSG : status;
}

static int collect(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

static int launch_by_posix_spawn(char *const *argv)
{
	pid_t pid;
	int error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);

	return error ? -error : collect(pid);
}

static int launch_by_vfork(char *const *argv)
{
	pid_t pid = vfork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(255);
	}
	return collect(pid);
}

static int launch_by_fork(char *const *argv)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(255);
	}
	return collect(pid);
}

static int launch(enum way way, struct pidtrack *tracker, char *const *argv)
{
	switch (way) {
	case WAY_PIDTRACK:
		return launch_by_pidtrack(tracker, argv);
	case WAY_POSIX_SPAWN:
		return launch_by_posix_spawn(argv);
	case WAY_VFORK:
		return launch_by_vfork(argv);
	case WAY_FORK:
	case WAYS:
		break;
	}
	return launch_by_fork(argv);
}

/* ---- a host ---- */

static struct outcome batch(const struct order *order, struct pidtrack *tracker,
			    char *program)
{
	static double ns[LAUNCHES];
	struct outcome outcome = { 0 };
	uint64_t first = now_ns(), last = first;
	char code[16];
	char *const argv[] = { program, code, NULL };

	while (outcome.launches < order->launches && last - first < BATCH_NS) {
		uint64_t start;
		int status;

		snprintf(code, sizeof(code), "%u", outcome.launches % 251);
		start = now_ns();
		status = launch(order->way, tracker, argv);
		last = now_ns();
		if (status < 0) {
			outcome.error = status;
			return outcome;
		}
		outcome.wrong += status != (int)(outcome.launches % 251) << 8;
		ns[outcome.launches++] = (double)(last - start);
	}
	outcome.wrong += waitpid(-1, NULL, WNOHANG) >= 0;
	outcome.ns = part_of(ns, outcome.launches, 0.5);
	return outcome;
}

static int fill_memory(size_t size)
{
	char *memory;

	if (bench_available_bytes() < size + size / 4)
		return -ENOMEM;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	madvise(memory, size, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < size; at += 4096)
		memory[at] = 1;
	return 0;
}

static int fill_descriptors(unsigned int n)
{
	if (bench_all_descriptors() < n + 100)
		return -EMFILE;
	while (n-- > 0)
		if (eventfd(0, EFD_CLOEXEC) < 0)
			return -errno;
	return 0;
}

static int prepare(enum grows grows, unsigned int size,
		   struct pidtrack **ret_tracker)
{
	int r;

	if (grows == GROWS_MEMORY)
		r = fill_memory((size_t)size << 20);
	else
		r = fill_descriptors(size);
	return r < 0 ? r : pidtrack_new(NULL, ret_tracker);
}

/* Does as it is told until nobody is there to tell. */
static void __attribute__((noreturn))
host_live(enum grows grows, unsigned int size, int socket, char *program)
{
	struct pidtrack *tracker = NULL;
	struct ready ready = { .error = prepare(grows, size, &tracker) };
	struct outcome outcome;
	struct order order;

	if (send(socket, &ready, sizeof(ready), 0) < 0)
		_exit(1);
	while (recv(socket, &order, sizeof(order), 0) == sizeof(order)) {
		outcome = batch(&order, tracker, program);
		if (send(socket, &outcome, sizeof(outcome), 0) < 0)
			break;
	}
	pidtrack_free(tracker);
	_exit(0);
}

/* ---- all of them ---- */

struct host {
	int socket;
	pid_t pid;
	unsigned int size;
	struct bench_row *rows[WAYS];
};

static char *program;
static struct host hosts[HOSTS_MAX];
static unsigned int n_hosts;

static void make_rows(struct host *host, const struct host *smallest,
		      enum grows grows)
{
	for (int way = 0; way < WAYS; way++) {
		host->rows[way] = bench_row(way_names[way], grows_names[grows],
					    host->size);
		bench_unit(host->rows[way], smallest->rows[WAY_PIDTRACK]);
	}
}

/* Return: 0, or why it cannot be, a negative errno. */
static int start_host(struct host *host, enum grows grows)
{
	struct ready ready;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		bench_give_up("socketpair", -errno);
	host->pid = fork();
	if (host->pid < 0)
		bench_give_up("fork", -errno);
	if (host->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned int i = 0; i < n_hosts; i++)
			close(hosts[i].socket);
		close(pair[0]);
		host_live(grows, host->size, pair[1], program);
	}
	close(pair[1]);
	host->socket = pair[0];
	if (recv(pair[0], &ready, sizeof(ready), 0) != sizeof(ready))
		bench_give_up(grows_names[grows], -EPIPE);
	if (ready.error == 0)
		return 0;
	close(pair[0]);
	collect(host->pid);
	return ready.error;
}

static void start_hosts(enum grows grows, const unsigned int *of)
{
	const struct host *smallest = &hosts[n_hosts];

	for (; *of; of++) {
		struct host *host = &hosts[n_hosts];
		char who[64];
		int r;

		bench_progress("%u %s", *of, grows_names[grows]);
		host->size = *of;
		r = start_host(host, grows);
		if (r == 0) {
			make_rows(host, smallest, grows);
			n_hosts++;
			continue;
		}
		if (host == smallest)
			bench_give_up(grows_names[grows], r);
		snprintf(who, sizeof(who), "%u %s", *of, grows_names[grows]);
		bench_left_out(who, strerror(-r));
	}
}

/* What one launch took, in ns. */
static double run_cell(unsigned int cell)
{
	const struct host *host = &hosts[cell / WAYS];
	struct order order = {
		.way = cell % WAYS,
		.launches = LAUNCHES,
	};
	struct outcome outcome;

	if (send(host->socket, &order, sizeof(order), MSG_NOSIGNAL) < 0 ||
	    recv(host->socket, &outcome, sizeof(outcome), 0) != sizeof(outcome))
		bench_give_up("a host", -EPIPE);
	if (outcome.error < 0)
		bench_give_up(way_names[cell % WAYS], outcome.error);
	bench_checked(host->rows[cell % WAYS], outcome.launches, outcome.wrong);
	return outcome.ns;
}

static void run_rounds(unsigned int rounds)
{
	const unsigned int cells = n_hosts * WAYS;

	for (unsigned int i = 0; i < cells; i++)
		run_cell(i); /* warms up */
	for (unsigned int round = 0; round < rounds; round++) {
		bench_progress("round %u of %u", round + 1, rounds);
		for (unsigned int i = 0; i < cells; i++) {
			unsigned int cell = bench_turn(round, i, cells);

			bench_time(hosts[cell / WAYS].rows[cell % WAYS], round,
				   run_cell(cell));
		}
	}
}

static const struct bench_job job = {
	.name = "spawn",
	.title = "One launch and its end, by hosts of all sizes",
	.unit = "pidtrack_spawn on the smallest host",
	.x = "MiB, or descriptors",
	.rounds = { 40, 9, 1 },
};

int main(int argc, char **argv)
{
	struct bench_asked asked = bench_begin(&job, argc, argv);

	program = asked.program;
	start_hosts(GROWS_MEMORY, sizes[asked.size][GROWS_MEMORY]);
	start_hosts(GROWS_DESCRIPTORS, sizes[asked.size][GROWS_DESCRIPTORS]);
	run_rounds(asked.rounds);
	for (unsigned int i = 0; i < n_hosts; i++) {
		close(hosts[i].socket);
		bench_checked(hosts[i].rows[0], 1, collect(hosts[i].pid) != 0);
	}
	return bench_end();
}
