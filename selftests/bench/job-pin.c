// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What it costs to keep processes by pins, and to hold many.
 *
 * Two hosts live side by side, each in mount namespaces of its own: one holds
 * nothing, one 10 000 processes, each pinned.  They launch a small static
 * program and collect its end, acknowledged
 *
 *	plain		as any
 *	record		with a record
 *	record, sync	with one that is written to the disk
 *	pin		with a pin, which goes with the end
 *
 * and, as somebody else would on that machine, fork and make a new mount
 * namespace, in which every mount is copied.  A round has each do some, one
 * after the other, and begins with another each time; their median counts.  1
 * is a plain launch of the host that holds nothing.
 *
 * The second host is then killed, and the next recovers all it had pinned, ends
 * them and acknowledges every end; that, and pinning them, is told for one of
 * them, in the same unit.  What the kernel needs for a pin is the growth of its
 * slabs and shared memory.
 *
 * All is in a pid namespace, so that nothing is left.  Fails if a status is
 * wrong, or one that was pinned is missing.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pidtrack.h"

#define BATCH 15
#define BATCH_NS UINT64_C(200000000) /* the most a batch takes, but for one */
#define PINS 10000		     /* a descriptor each */

enum host { HOST_EMPTY, HOST_PINS, HOSTS };
enum way {
	WAY_PLAIN,
	WAY_RECORD,
	WAY_SYNC,
	WAY_PIN,
	WAY_NAMESPACE,
	WAYS,
	/* of the host with pins, once */
	WAY_HOLD = WAYS,
	WAY_RECOVER,
	WAY_END,
	ALL_WAYS
};

#define CELLS (HOSTS * WAYS)

static const char *const host_names[] = {
	[HOST_EMPTY] = "no pins",
	[HOST_PINS] = "pins",
};
static const char *const way_names[] = {
	[WAY_PLAIN] = "plain launch",	     [WAY_RECORD] = "launch, record",
	[WAY_SYNC] = "launch, record, sync", [WAY_PIN] = "launch, pin",
	[WAY_NAMESPACE] = "mount namespace", [WAY_HOLD] = "one is pinned",
	[WAY_RECOVER] = "one is recovered",  [WAY_END] = "one ends",
};

struct outcome {
	double ns;    /* of one */
	double calls; /* of the host's, for one */
	double bytes; /* of the kernel's, for one */
	uint32_t n;
	uint32_t wrong;
	int32_t error; /* a negative errno: nothing more can be done */
	char backend[16];
};

/* What a host works with. */
struct own {
	struct pidtrack *tracker;
	const char *program;
	const char *place;
	unsigned int n_pins;
};

static uint64_t own_calls(struct pidtrack *tracker)
{
	struct pidtrack_statistics statistics;

	pidtrack_statistics(tracker, &statistics, sizeof(statistics));
	return statistics.syscalls;
}

/* ---- one ---- */

/* Return: its status, or a negative errno. */
static int launch(const struct own *own, enum way way, const char *code)
{
	const char *const argv[] = { own->program, code, NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .label = "one");
	const struct pidtrack_event *event;
	struct pidtrack_process *process;
	char record[BENCH_BELOW];
	int r, status;

	snprintf(record, sizeof(record), "%s/record", own->place);
	if (way == WAY_PIN)
		options.flags = PIDTRACK_SPAWN_KEEP;
	if (way == WAY_SYNC)
		options.flags = PIDTRACK_SPAWN_RECORD_SYNC;
	if (way == WAY_RECORD || way == WAY_SYNC)
		options.record = record;
	r = pidtrack_spawn(own->tracker, &options, &process, NULL);
	if (r < 0)
		return r;
	r = pidtrack_wait(own->tracker, 10000, &event);
	if (r <= 0)
		return r < 0 ? r : -ETIMEDOUT;
	status = event->status;
	if (event->process != process || !(event->flags & PIDTRACK_EVENT_LAST))
		return -EBADMSG;
	pidtrack_process_free(process);
	r = pidtrack_next(own->tracker, &event); /* lets go, reaps it */
	return r ? -EBADMSG : status;
}

static int new_namespace(const char *code)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(unshare(CLONE_NEWNS) ? 255 : atoi(code));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

static struct outcome batch(const struct own *own, enum way way)
{
	double ns[BATCH];
	struct outcome outcome = { 0 };
	uint64_t calls = own_calls(own->tracker), first = now_ns();
	uint64_t last = first;

	while (outcome.n < BATCH && last - first < BATCH_NS) {
		uint64_t start;
		char code[16];
		int status;

		snprintf(code, sizeof(code), "%u", 1 + outcome.n);
		start = now_ns();
		status = way == WAY_NAMESPACE ? new_namespace(code) :
						launch(own, way, code);
		last = now_ns();
		if (status < 0) {
			outcome.error = status;
			return outcome;
		}
		outcome.wrong += status != (int)(1 + outcome.n) << 8;
		ns[outcome.n++] = (double)(last - start);
	}
	outcome.ns = part_of(ns, outcome.n, 0.5);
	outcome.calls = (double)(own_calls(own->tracker) - calls) / outcome.n;
	return outcome;
}

/* ---- many ---- */

/* Of slabs and shared memory. */
static double kernel_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	double sum = 0;
	uint64_t kib;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Slab: %" SCNu64, &kib) == 1 ||
		    sscanf(line, "Shmem: %" SCNu64, &kib) == 1)
			sum += (double)kib * 1024;
	if (file)
		fclose(file);
	return sum;
}

/* Each runs until it is killed. */
static int launch_all(const struct own *own,
		      struct pidtrack_process **processes)
{
	const char *const argv[] = { own->program, NULL };
	char label[32];
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .label = label);
	int r = 0;

	for (unsigned int i = 0; i < own->n_pins && r >= 0; i++) {
		snprintf(label, sizeof(label), "held-%u", i);
		r = pidtrack_spawn(own->tracker, &options, &processes[i], NULL);
	}
	return r;
}

static struct outcome hold(const struct own *own)
{
	struct pidtrack_process **processes =
		calloc(own->n_pins, sizeof(struct pidtrack_process *));
	struct outcome outcome = { .n = own->n_pins };
	uint64_t calls, start;
	double bytes;

	if (!processes)
		outcome.error = -ENOMEM;
	if (outcome.error == 0)
		outcome.error = launch_all(own, processes);
	bytes = kernel_bytes();
	calls = own_calls(own->tracker);
	start = now_ns();
	for (uint32_t i = 0; i < outcome.n && outcome.error == 0; i++)
		outcome.error = pidtrack_process_keep(processes[i]);
	outcome.ns = (double)(now_ns() - start) / outcome.n;
	outcome.calls = (double)(own_calls(own->tracker) - calls) / outcome.n;
	outcome.bytes = (kernel_bytes() - bytes) / outcome.n;
	free(processes);
	return outcome;
}

static struct outcome take_up(const struct own *own)
{
	const struct pidtrack_recovered *recovered;
	struct pidtrack_recovery *recovery;
	struct outcome outcome = { .n = own->n_pins };
	uint64_t calls = own_calls(own->tracker), start = now_ns();
	uint32_t found = 0;

	outcome.error = pidtrack_recover(own->tracker, &recovery);
	if (outcome.error < 0)
		return outcome;
	outcome.ns = (double)(now_ns() - start) / outcome.n;
	outcome.calls = (double)(own_calls(own->tracker) - calls) / outcome.n;
	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		found += recovered->comparison->verdict ==
			 PIDTRACK_VERDICT_SAME;
		if (recovered->process)
			pidtrack_process_signal(recovered->process, SIGKILL);
	}
	pidtrack_recovery_free(recovery);
	outcome.wrong = outcome.n - found;
	return outcome;
}

/* They are killed by now. */
static struct outcome end_all(const struct own *own)
{
	struct outcome outcome = { .n = own->n_pins, .wrong = own->n_pins };
	uint64_t calls = own_calls(own->tracker), start = now_ns();
	const struct pidtrack_event *event;

	while (outcome.wrong > 0 &&
	       pidtrack_wait(own->tracker, 10000, &event) > 0)
		if (event->flags & PIDTRACK_EVENT_LAST)
			outcome.wrong -= event->status == SIGKILL;
	pidtrack_next(own->tracker, &event);
	outcome.ns = (double)(now_ns() - start) / outcome.n;
	outcome.calls = (double)(own_calls(own->tracker) - calls) / outcome.n;
	return outcome;
}

/* ---- a host ---- */

static struct outcome work(const struct own *own, uint32_t way)
{
	switch (way) {
	case WAY_HOLD:
		return hold(own);
	case WAY_RECOVER:
		return take_up(own);
	case WAY_END:
		return end_all(own);
	default:
		return batch(own, (enum way)way);
	}
}

static int open_tracker(struct own *own, struct outcome *outcome)
{
	char pins[BENCH_BELOW];
	struct pidtrack_options options = PIDTRACK_OPTIONS(.pins = pins);
	struct rlimit limit;
	int r;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	snprintf(pins, sizeof(pins), "%s/pins", own->place);
	r = pidtrack_new(&options, &own->tracker);
	if (r == 0)
		snprintf(outcome->backend, sizeof(outcome->backend), "%s",
			 pidtrack_backend(own->tracker));
	return r;
}

/* Does as it is told until nobody is there to tell. */
static void __attribute__((noreturn)) host_live(struct own *own, int socket)
{
	struct outcome outcome = { 0 };
	uint32_t way;

	signal(SIGCHLD, SIG_DFL);
	outcome.error = open_tracker(own, &outcome);
	if (send(socket, &outcome, sizeof(outcome), 0) < 0)
		_exit(1);
	while (recv(socket, &way, sizeof(way), 0) == sizeof(way)) {
		outcome = work(own, way);
		if (send(socket, &outcome, sizeof(outcome), 0) < 0)
			break;
	}
	pidtrack_free(own->tracker);
	_exit(0);
}

/* ---- all of them ---- */

struct bench {
	const char *program;
	unsigned int pins;
	char place[BENCH_PLACE];
	int sockets[HOSTS];
	pid_t pids[HOSTS];
	struct bench_row *cells[CELLS];
	struct bench_row *once[ALL_WAYS];
};

static struct outcome answer(const struct bench *bench, enum host host,
			     const char *what)
{
	struct outcome outcome;

	if (recv(bench->sockets[host], &outcome, sizeof(outcome), 0) !=
	    sizeof(outcome))
		bench_give_up(what, -EPIPE);
	if (outcome.error < 0)
		bench_give_up(what, outcome.error);
	return outcome;
}

static struct outcome ask(const struct bench *bench, enum host host,
			  uint32_t way)
{
	if (send(bench->sockets[host], &way, sizeof(way), MSG_NOSIGNAL) < 0)
		bench_give_up(way_names[way], -errno);
	return answer(bench, host, way_names[way]);
}

/* @place: a directory that is there, for its pins and records */
static void start_host(struct bench *bench, enum host host, const char *place)
{
	struct own own = {
		.program = bench->program,
		.place = place,
		.n_pins = bench->pins,
	};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		bench_give_up("socketpair", -errno);
	bench->pids[host] = fork();
	if (bench->pids[host] < 0)
		bench_give_up("fork", -errno);
	if (bench->pids[host] == 0) {
		for (int i = 0; i < (int)host; i++)
			close(bench->sockets[i]);
		close(pair[0]);
		host_live(&own, pair[1]);
	}
	close(pair[1]);
	bench->sockets[host] = pair[0];
	answer(bench, host, host_names[host]);
}

static double run_cell(struct bench *bench, unsigned int i)
{
	struct outcome outcome = ask(bench, i / WAYS, i % WAYS);

	bench_checked(bench->cells[i], outcome.n, outcome.wrong);
	if (i % WAYS != WAY_NAMESPACE)
		bench_count(bench->cells[i], "system calls", outcome.calls);
	return outcome.ns;
}

static void run_rounds(struct bench *bench, unsigned int rounds)
{
	for (unsigned int i = 0; i < CELLS; i++)
		run_cell(bench, i); /* warms up */
	for (unsigned int round = 0; round < rounds; round++) {
		bench_progress("round %u of %u", round + 1, rounds);
		for (unsigned int i = 0; i < CELLS; i++) {
			unsigned int cell = bench_turn(round, i, CELLS);

			bench_time(bench->cells[cell], round,
				   run_cell(bench, cell));
		}
	}
}

static void tell_once(struct bench *bench, uint32_t way,
		      const struct outcome *outcome)
{
	bench_time(bench->once[way], 0, outcome->ns);
	bench_checked(bench->once[way], outcome->n, outcome->wrong);
	bench_count(bench->once[way], "system calls", outcome->calls);
}

/* The host with pins is killed, and its shims are the next one's to find. */
static void run_once(struct bench *bench, const char *place)
{
	char byte;

	/* what no host is a parent of is reaped at once */
	signal(SIGCHLD, SIG_IGN);
	kill(bench->pids[HOST_PINS], SIGKILL);
	if (recv(bench->sockets[HOST_PINS], &byte, 1, 0) > 0)
		bench_give_up("killing", -EBUSY);
	close(bench->sockets[HOST_PINS]);
	start_host(bench, HOST_PINS, place);
	for (uint32_t way = WAY_RECOVER; way < ALL_WAYS; way++) {
		struct outcome outcome = ask(bench, HOST_PINS, way);

		tell_once(bench, way, &outcome);
	}
}

/* ---- where it is ---- */

static void make_room(struct bench *bench)
{
	char path[BENCH_BELOW];

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		bench_give_up("mounts", -errno);
	for (int host = 0; host < HOSTS; host++) {
		snprintf(path, sizeof(path), "%s/%d", bench->place, host);
		if (mkdir(path, 0700))
			bench_give_up(path, -errno);
	}
}

static void remove_room(const struct bench *bench)
{
	static const char *const names[] = { "0/record", "0/pins", "0",
					     "1/record", "1/pins", "1" };
	char path[BENCH_BELOW];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", bench->place, names[i]);
		remove(path);
	}
	rmdir(bench->place);
}

/* As the first of its pid namespace: with it all end. */
static int run(struct bench *bench, unsigned int rounds)
{
	struct outcome held;
	char paths[HOSTS][BENCH_BELOW];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	make_room(bench);
	for (int host = 0; host < HOSTS; host++) {
		snprintf(paths[host], sizeof(paths[host]), "%s/%d",
			 bench->place, host);
		if (unshare(CLONE_NEWNS) < 0)
			bench_give_up("mount namespace", -errno);
		start_host(bench, host, paths[host]);
	}
	held = ask(bench, HOST_PINS, WAY_HOLD);
	tell_once(bench, WAY_HOLD, &held);
	bench_count(bench->once[WAY_HOLD], "kernel bytes", held.bytes);
	run_rounds(bench, rounds);
	run_once(bench, paths[HOST_PINS]);
	for (int host = 0; host < HOSTS; host++)
		close(bench->sockets[host]);
	return bench_end();
}

static void make_rows(struct bench *bench)
{
	for (unsigned int i = 0; i < CELLS; i++) {
		bench->cells[i] =
			bench_row(host_names[i / WAYS], way_names[i % WAYS], 0);
		bench_unit(bench->cells[i], bench->cells[0]);
	}
	for (unsigned int way = WAY_HOLD; way < ALL_WAYS; way++) {
		bench->once[way] =
			bench_row(host_names[HOST_PINS], way_names[way], 0);
		bench_unit(bench->once[way], bench->cells[0]);
	}
}

static const struct bench_job job = {
	.name = "pin",
	.title = "One launch and its end, by what keeps it beyond the host",
	.unit = "a plain launch of the host without pins",
	.rounds = { 30, 4, 1 },
};

int main(int argc, char **argv)
{
	struct bench_asked asked = bench_begin(&job, argc, argv);
	static struct bench bench;
	int status = -1;
	pid_t pid;

	bench.program = asked.program;
	bench.pins = asked.size == BENCH_SMOKE ? 100 : PINS;
	bench_fact("pins", bench.pins);
	make_rows(&bench);
	bench_make_place(bench.place);
	if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0) {
		rmdir(bench.place);
		bench_give_up("namespaces", -errno);
	}
	pid = fork();
	if (pid < 0)
		bench_give_up("fork", -errno);
	if (pid == 0)
		exit(run(&bench, asked.rounds));
	waitpid(pid, &status, 0);
	remove_room(&bench);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
