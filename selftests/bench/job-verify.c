// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What it costs to tell whether the processes of 10 000 records are there.
 *
 * 200 processes live, and each has its record under as many names as make
 * 10 000 files: native ones; the same as pid and start time, as boxlite has
 * them; and as pid and path, as brood-box has them.  They are looked at
 *
 *	registry	by pidtrack_registry_next(), to the end of a scan
 *	pidtrack	by pidtrack_record_read() and pidtrack_verify()
 *	start time	as boxlite does: /proc/PID/stat is read, and its 22nd
 *			field compared, which tells a number used again, but for
 *			10 ms, and not a process that ended, nor another boot
 *	kill and exe	as brood-box does: kill(pid, 0), and /proc/PID/exe
 *			compared, which tells not even that
 *
 * and the latter three once more without the file, with what it says at hand.
 * A round has each of the seven look at all records, and begins with another of
 * them each time.  1 is what pidtrack took, with the file or without.  System
 * calls are counted where they are made, those of the library by
 * pidtrack_statistics(), to which comes what that does not know of: five to
 * read a file, or, of a registry, one to close it.
 *
 * Fails if any was not said to be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "pidtrack.h"

#define PROCESSES 200

enum kind { NATIVE, BOXLITE, BROOD_BOX, KINDS };

static const char *const kind_names[] = { "native", "boxlite", "brood-box" };

struct process {
	struct pidtrack_process *process;
	pid_t pid;
	unsigned long long start;
	char exe[PATH_MAX];
	char native[PIDTRACK_RECORD_MAX];
	size_t native_size;
};

struct way {
	const char *name;
	const char *how;
	size_t unit; /* the way that is 1 */
	/* Return: how many of them are there. */
	unsigned int (*look)(void);
	struct bench_row *row;
};

static struct pidtrack *tracker;
static struct process processes[PROCESSES];
static struct pidtrack_record **records;
static unsigned int n_records = 10000;
static char place[BENCH_PLACE];
static uint64_t calls; /* of the ways that are not ours */

static const char *path_of(enum kind kind, unsigned int i)
{
	static char path[BENCH_BELOW];

	snprintf(path, sizeof(path), "%s/%s/box-%05u", place, kind_names[kind],
		 i);
	return path;
}

static uint64_t own_calls(void)
{
	struct pidtrack_statistics statistics;

	pidtrack_statistics(tracker, &statistics, sizeof(statistics));
	return statistics.syscalls;
}

/* ---- ours ---- */

static bool is_same(const struct pidtrack_record *record)
{
	struct pidtrack_comparison comparison;
	int r;

	r = pidtrack_verify(tracker, record, &comparison, sizeof(comparison));
	return r == 0 && comparison.verdict == PIDTRACK_VERDICT_SAME;
}

static unsigned int by_registry(void)
{
	struct pidtrack_registry *registry;
	const struct pidtrack_found *found;
	unsigned int n = 0;
	char path[BENCH_BELOW];
	int r;

	snprintf(path, sizeof(path), "%s/%s", place, kind_names[NATIVE]);
	r = pidtrack_registry_open(path, 0, &registry);
	if (r < 0)
		bench_give_up(path, r);
	while (pidtrack_registry_next(registry, tracker, &found) > 0) {
		calls += 1; /* close */
		n += found->comparison &&
		     found->comparison->verdict == PIDTRACK_VERDICT_SAME;
	}
	pidtrack_registry_free(registry);
	return n;
}

static unsigned int by_pidtrack(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < n_records; i++) {
		struct pidtrack_record *record;
		int r = pidtrack_record_read(path_of(NATIVE, i), &record);

		calls += 5; /* open, statx, read, statx, close */
		if (r < 0)
			continue;
		n += is_same(record);
		pidtrack_record_free(record);
	}
	return n;
}

static unsigned int by_pidtrack_alone(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < n_records; i++)
		n += is_same(records[i]);
	return n;
}

/* ---- others' ---- */

static ssize_t read_file(const char *path, char *ret_text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_text, size - 1);

	calls += 3;
	if (fd >= 0)
		close(fd);
	ret_text[n > 0 ? n : 0] = '\0';
	return n;
}

static unsigned long long start_of(pid_t pid)
{
	char path[32], stat[1024], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_file(path, stat, sizeof(stat)) <= 0)
		return 0;
	at = strrchr(stat, ')');
	for (int i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

static unsigned int by_start(void)
{
	unsigned int i, n = 0;
	char text[4096];

	for (i = 0; i < n_records; i++) {
		unsigned long long start;
		char *end;
		pid_t pid;

		if (read_file(path_of(BOXLITE, i), text, sizeof(text)) <= 0)
			continue;
		pid = (pid_t)strtol(text, &end, 10);
		start = strtoull(end, NULL, 10);
		n += pid > 1 && start_of(pid) == start;
	}
	return n;
}

static unsigned int by_start_alone(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < n_records; i++) {
		const struct process *process = &processes[i % PROCESSES];

		n += start_of(process->pid) == process->start;
	}
	return n;
}

static bool executes(pid_t pid, const char *exe)
{
	char path[32], link[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	calls += 2;
	if (kill(pid, 0))
		return false;
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	return !strcmp(link, exe);
}

static unsigned int by_exe(void)
{
	unsigned int i, n = 0;
	char text[4096];

	for (i = 0; i < n_records; i++) {
		char *end;
		pid_t pid;

		if (read_file(path_of(BROOD_BOX, i), text, sizeof(text)) <= 0)
			continue;
		pid = (pid_t)strtol(text, &end, 10);
		n += pid > 1 && *end && executes(pid, end + 1);
	}
	return n;
}

static unsigned int by_exe_alone(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < n_records; i++) {
		const struct process *process = &processes[i % PROCESSES];

		n += executes(process->pid, process->exe);
	}
	return n;
}

static struct way ways[] = {
	{ .name = "registry", .how = "file", .unit = 1, .look = by_registry },
	{ .name = "pidtrack", .how = "file", .unit = 1, .look = by_pidtrack },
	{ .name = "start time", .how = "file", .unit = 1, .look = by_start },
	{ .name = "kill and exe", .how = "file", .unit = 1, .look = by_exe },
	{ .name = "pidtrack",
	  .how = "at hand",
	  .unit = 4,
	  .look = by_pidtrack_alone },
	{ .name = "start time",
	  .how = "at hand",
	  .unit = 4,
	  .look = by_start_alone },
	{ .name = "kill and exe",
	  .how = "at hand",
	  .unit = 4,
	  .look = by_exe_alone },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* ---- what is looked at ---- */

static void put(enum kind kind, unsigned int i, const char *bytes, size_t size)
{
	int fd = open(path_of(kind, i), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		bench_give_up(path_of(kind, i), -errno);
	close(fd);
}

static void put_all(unsigned int i, const struct process *process)
{
	char text[PATH_MAX + 64];
	int n;

	put(NATIVE, i, process->native, process->native_size);
	n = snprintf(text, sizeof(text), "%d\n%llu\n", process->pid,
		     process->start);
	put(BOXLITE, i, text, (size_t)n);
	n = snprintf(text, sizeof(text), "%d\n%s", process->pid, process->exe);
	put(BROOD_BOX, i, text, (size_t)n);
}

/* Its parent goes on a little before /proc has the program it executes. */
static void await_program(struct process *process, const char *program)
{
	const struct timespec a_while = { .tv_nsec = 1000000 };
	int tries = 10000;

	if (!realpath(program, process->exe))
		bench_give_up(program, -errno);
	while (!executes(process->pid, process->exe) && tries-- > 0)
		nanosleep(&a_while, NULL);
	if (tries < 0)
		bench_give_up(program, -ETIMEDOUT);
}

/* Each lives until it is killed. */
static void launch(struct process *process, const char *const *argv)
{
	char path[BENCH_BELOW];
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .record = path,
				       .label = "box");
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "%s/record", place);
	r = pidtrack_spawn(tracker, &options, &process->process, NULL);
	if (r < 0)
		bench_give_up(argv[0], r);
	process->pid = pidtrack_process_pid(process->process);
	process->start = start_of(process->pid);
	n = read_file(path, process->native, sizeof(process->native));
	process->native_size = (size_t)n;
	await_program(process, argv[0]);
}

static void prepare(const char *program)
{
	const char *const argv[] = { program, NULL };
	char path[BENCH_BELOW];
	unsigned int i;
	int r;

	r = pidtrack_new(NULL, &tracker);
	if (r < 0)
		bench_give_up("tracker", r);
	bench_make_place(place);
	for (i = 0; i < KINDS; i++) {
		snprintf(path, sizeof(path), "%s/%s", place, kind_names[i]);
		if (mkdir(path, 0700))
			bench_give_up(path, -errno);
	}
	for (i = 0; i < PROCESSES; i++)
		launch(&processes[i], argv);
	records = calloc(n_records, sizeof(struct pidtrack_record *));
	if (!records)
		bench_give_up("memory", -ENOMEM);
	for (i = 0; i < n_records; i++) {
		put_all(i, &processes[i % PROCESSES]);
		r = pidtrack_record_read(path_of(NATIVE, i), &records[i]);
		if (r < 0)
			bench_give_up(path_of(NATIVE, i), r);
	}
}

static void clean_up(void)
{
	unsigned int i, kind;
	char path[BENCH_BELOW];

	for (i = 0; i < n_records; i++)
		pidtrack_record_free(records[i]);
	free(records);
	for (i = 0; i < PROCESSES; i++)
		pidtrack_process_signal(processes[i].process, SIGKILL);
	for (i = 0; i < PROCESSES; i++) {
		const struct pidtrack_event *event;

		if (pidtrack_wait(tracker, 10000, &event) <= 0)
			bench_give_up("waiting", -ETIMEDOUT);
	}
	pidtrack_free(tracker);
	for (kind = 0; kind < KINDS; kind++) {
		for (i = 0; i < n_records; i++)
			unlink(path_of(kind, i));
		snprintf(path, sizeof(path), "%s/%s", place, kind_names[kind]);
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/record", place);
	unlink(path);
	rmdir(place);
}

/* ---- rounds ---- */

static void look(const struct way *way, unsigned int round)
{
	uint64_t before = own_calls() + calls, begin = now_ns();
	unsigned int n = way->look();

	bench_time(way->row, round, (double)(now_ns() - begin) / n_records);
	bench_count(way->row, "system calls",
		    (double)(own_calls() + calls - before) / n_records);
	bench_checked(way->row, n_records, n_records - n);
}

static void run_rounds(unsigned int rounds)
{
	for (unsigned int round = 0; round < rounds; round++) {
		bench_progress("round %u of %u", round + 1, rounds);
		for (unsigned int i = 0; i < WAYS; i++)
			look(&ways[bench_turn(round, i, WAYS)], round);
	}
}

static const struct bench_job job = {
	.name = "verify",
	.title =
		"Telling whether the process of one of 10 000 records is there",
	.unit = "pidtrack, with the file or without",
	.rounds = { 30, 4, 1 },
};

int main(int argc, char **argv)
{
	struct bench_asked asked = bench_begin(&job, argc, argv);

	if (asked.size == BENCH_SMOKE)
		n_records = 2 * PROCESSES;
	for (unsigned int i = 0; i < WAYS; i++)
		ways[i].row = bench_row(ways[i].name, ways[i].how, 0);
	for (unsigned int i = 0; i < WAYS; i++)
		bench_unit(ways[i].row, ways[ways[i].unit].row);
	bench_fact("records", n_records);
	bench_fact("processes", PROCESSES);
	prepare(asked.program);
	run_rounds(asked.rounds);
	clean_up();
	return bench_end();
}
