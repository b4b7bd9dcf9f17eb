// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What one launch costs: a small static program launched, and its end
 * collected.
 *
 *	bench-spawn [--rounds N] [--launches N] [--json FILE] PROGRAM
 *
 * Three hosts live side by side: one that is empty, one with 2 GiB of touched
 * memory (of small pages), one with 10 000 open descriptors (an eventfd each,
 * all close-on-exec).  Each launches by pidtrack_spawn(), by posix_spawn() and
 * by fork() and exec, the latter two with waitpid(), until the child is reaped.
 * A round has each of the nine make some launches one after the other, and
 * begins with another of them each time; their median counts.  It is divided by
 * that of pidtrack on the empty host in the same round; told are the median of
 * all rounds, and the tenth and ninetieth of a hundred.  pidtrack on the empty
 * host itself is divided by its own median of all rounds.
 *
 * Every status is compared with the code that was asked for; fails if one is
 * wrong, or a child is left over.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"
#include "pidtrack.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define MEMORY ((size_t)2 << 30) /* bytes */
#define DESCRIPTORS 10000
#define BATCH_NS UINT64_C(100000000) /* the most a batch takes, but for one */
#define MAX_ROUNDS 1000
#define MAX_LAUNCHES 1000 /* of a batch */

enum host { HOST_EMPTY, HOST_MEMORY, HOST_DESCRIPTORS, HOSTS };
enum way { WAY_PIDTRACK, WAY_POSIX_SPAWN, WAY_FORK, WAYS };

#define CELLS (HOSTS * WAYS)

static const char *const host_names[] = {
	[HOST_EMPTY] = "empty",
	[HOST_MEMORY] = "2 GiB resident",
	[HOST_DESCRIPTORS] = "10000 descriptors",
};
static const char *const way_names[] = {
	[WAY_PIDTRACK] = "pidtrack_spawn",
	[WAY_POSIX_SPAWN] = "posix_spawn",
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
	uint64_t resident; /* bytes */
	uint32_t descriptors;
	int32_t error;
	char backend[16];
};

/* ---- three ways to launch; each returns the status, or a negative errno ----
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
	static double ns[MAX_LAUNCHES];
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

/* That can be had without swapping; 0 where the kernel does not tell. */
static uint64_t available_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * 1024;
}

static int fill_memory(size_t size)
{
	char *memory;

	if (available_bytes() < size + size / 4)
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
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (n-- > 0)
		if (eventfd(0, EFD_CLOEXEC) < 0)
			return -errno;
	return 0;
}

static uint64_t resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct ready prepare(enum host host, struct pidtrack **ret_tracker)
{
	struct ready ready = { 0 };

	if (host == HOST_MEMORY)
		ready.error = fill_memory(MEMORY);
	if (host == HOST_DESCRIPTORS) {
		ready.descriptors = DESCRIPTORS;
		ready.error = fill_descriptors(DESCRIPTORS);
	}
	if (ready.error == 0)
		ready.error = pidtrack_new(NULL, ret_tracker);
	if (ready.error == 0)
		snprintf(ready.backend, sizeof(ready.backend), "%s",
			 pidtrack_backend(*ret_tracker));
	ready.resident = resident_bytes();
	return ready;
}

/* Does as it is told until nobody is there to tell. */
static void __attribute__((noreturn))
host_live(enum host host, int socket, char *program)
{
	struct pidtrack *tracker = NULL;
	struct ready ready = prepare(host, &tracker);
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

struct cell {
	double ns[MAX_ROUNDS]; /* of one launch */
	double ratio[MAX_ROUNDS];
	uint64_t launches;
	uint64_t wrong;
};

struct bench {
	char *program;
	const char *json;
	unsigned int rounds;
	uint32_t launches;
	int sockets[HOSTS];
	pid_t pids[HOSTS];
	struct ready ready[HOSTS];
	struct cell cells[CELLS];
};

static void __attribute__((noreturn)) give_up(const char *what, int error)
{
	fprintf(stderr, "bench-spawn: %s: %s\n", what, strerror(-error));
	exit(2);
}

static void start_host(struct bench *bench, enum host host)
{
	struct ready *ready = &bench->ready[host];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		give_up("socketpair", -errno);
	bench->pids[host] = fork();
	if (bench->pids[host] < 0)
		give_up("fork", -errno);
	if (bench->pids[host] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < (int)host; i++)
			close(bench->sockets[i]);
		close(pair[0]);
		host_live(host, pair[1], bench->program);
	}
	close(pair[1]);
	bench->sockets[host] = pair[0];
	if (recv(pair[0], ready, sizeof(*ready), 0) != sizeof(*ready))
		give_up(host_names[host], -EPIPE);
	if (ready->error < 0)
		give_up(host_names[host], ready->error);
}

/* What one launch took, in ns. */
static double run_cell(struct bench *bench, unsigned int cell)
{
	int socket = bench->sockets[cell / WAYS];
	struct order order = {
		.way = cell % WAYS,
		.launches = bench->launches,
	};
	struct outcome outcome;

	if (send(socket, &order, sizeof(order), MSG_NOSIGNAL) < 0 ||
	    recv(socket, &outcome, sizeof(outcome), 0) != sizeof(outcome))
		give_up(host_names[cell / WAYS], -EPIPE);
	if (outcome.error < 0)
		give_up(way_names[cell % WAYS], outcome.error);
	bench->cells[cell].launches += outcome.launches;
	bench->cells[cell].wrong += outcome.wrong;
	return outcome.ns;
}

static void run_rounds(struct bench *bench)
{
	unsigned int i, round;

	for (i = 0; i < CELLS; i++)
		run_cell(bench, i); /* warms up */
	for (round = 0; round < bench->rounds; round++)
		for (i = 0; i < CELLS; i++) {
			unsigned int cell = (round + i) % CELLS;

			bench->cells[cell].ns[round] = run_cell(bench, cell);
		}
}

static void make_ratios(struct bench *bench)
{
	struct cell *first = &bench->cells[0];
	double median, sorted[MAX_ROUNDS];
	unsigned int i, round;

	memcpy(sorted, first->ns, sizeof(sorted));
	median = part_of(sorted, bench->rounds, 0.5);
	for (round = 0; round < bench->rounds; round++)
		for (i = 0; i < CELLS; i++)
			bench->cells[i].ratio[round] =
				bench->cells[i].ns[round] /
				(i == 0 ? median : first->ns[round]);
}

/* ---- what came of it ---- */

static void print_table(struct bench *bench)
{
	printf("%-18s %-15s %7s %7s %7s %9s\n", "host", "launch", "median",
	       "10%", "90%", "launches");
	for (unsigned int i = 0; i < CELLS; i++) {
		struct cell *cell = &bench->cells[i];

		printf("%-18s %-15s %7.2f %7.2f %7.2f %9" PRIu64 "\n",
		       host_names[i / WAYS], way_names[i % WAYS],
		       part_of(cell->ratio, bench->rounds, 0.5),
		       part_of(cell->ratio, bench->rounds, 0.1),
		       part_of(cell->ratio, bench->rounds, 0.9),
		       cell->launches);
	}
}

static void write_cell(FILE *file, struct bench *bench, unsigned int i)
{
	struct cell *cell = &bench->cells[i];

	fprintf(file,
		"%s\n  {\"host\": \"%s\", \"launch\": \"%s\", "
		"\"median\": %.4f, \"p10\": %.4f, \"p90\": %.4f, "
		"\"launches\": %" PRIu64 ", \"wrong\": %" PRIu64 "}",
		i ? "," : "", host_names[i / WAYS], way_names[i % WAYS],
		part_of(cell->ratio, bench->rounds, 0.5),
		part_of(cell->ratio, bench->rounds, 0.1),
		part_of(cell->ratio, bench->rounds, 0.9), cell->launches,
		cell->wrong);
}

static void write_json(struct bench *bench)
{
	FILE *file = fopen(bench->json, "we");
	struct utsname name;

	if (!file)
		give_up(bench->json, -errno);
	uname(&name);
	fprintf(file,
		"{\"benchmark\": \"spawn\", \"version\": \"%s\", "
		"\"backend\": \"%s\", \"linux\": \"%s\", \"machine\": \"%s\", "
		"\"cpus\": %ld,\n \"rounds\": %u, "
		"\"unit\": \"pidtrack_spawn on the empty host\", "
		"\"unit_us\": %.1f,\n \"resident_mib\": %" PRIu64 ", "
		"\"descriptors\": %u, \"results\": [",
		pidtrack_version(), bench->ready[HOST_EMPTY].backend,
		name.release, name.machine, sysconf(_SC_NPROCESSORS_ONLN),
		bench->rounds,
		part_of(bench->cells[0].ns, bench->rounds, 0.5) / 1000,
		bench->ready[HOST_MEMORY].resident >> 20,
		bench->ready[HOST_DESCRIPTORS].descriptors);
	for (unsigned int i = 0; i < CELLS; i++)
		write_cell(file, bench, i);
	fprintf(file, "\n ]}\n");
	if (fclose(file))
		give_up(bench->json, -errno);
}

static int end(struct bench *bench)
{
	uint64_t wrong = 0, launches = 0;

	for (unsigned int i = 0; i < HOSTS; i++) {
		close(bench->sockets[i]);
		wrong += collect(bench->pids[i]) != 0;
	}
	for (unsigned int i = 0; i < CELLS; i++) {
		wrong += bench->cells[i].wrong;
		launches += bench->cells[i].launches;
	}
	printf("statuses: %" PRIu64 " launched, %" PRIu64 " wrong\n", launches,
	       wrong);
	return wrong != 0;
}

static bool parse(struct bench *bench, int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "launches", required_argument, NULL, 'l' },
		{ "json", required_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	bench->rounds = 60;
	bench->launches = 15;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
		if (option == 'r')
			bench->rounds = (unsigned int)atoi(optarg);
		else if (option == 'l')
			bench->launches = (uint32_t)atoi(optarg);
		else if (option == 'j')
			bench->json = optarg;
		else
			return false;
	bench->program = argv[optind];
	return optind + 1 == argc && bench->rounds >= 1 &&
	       bench->rounds <= MAX_ROUNDS && bench->launches >= 1 &&
	       bench->launches <= MAX_LAUNCHES;
}

int main(int argc, char **argv)
{
	static struct bench bench;

	if (!parse(&bench, argc, argv)) {
		fprintf(stderr,
			"usage: bench-spawn [--rounds 1..%d] "
			"[--launches N] [--json FILE] PROGRAM\n",
			MAX_ROUNDS);
		return 2;
	}
	for (int host = 0; host < HOSTS; host++)
		start_host(&bench, (enum host)host);
	run_rounds(&bench);
	make_ratios(&bench);
	printf("One launch and its end, pidtrack (%s) on an empty host = 1, "
	       "%u rounds:\n\n",
	       bench.ready[HOST_EMPTY].backend, bench.rounds);
	print_table(&bench);
	if (bench.json)
		write_json(&bench);
	return end(&bench);
}
