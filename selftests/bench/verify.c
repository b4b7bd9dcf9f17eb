// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What it costs to tell whether the processes of 10 000 records are there.
 *
 *	bench-verify [--rounds N] [--records N] [--json FILE] PROGRAM
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
 * them each time.  It is divided by what pidtrack took in the same round, with
 * the file or without; told are the median of all rounds, and the tenth and
 * ninetieth of a hundred.  System calls are counted where they are made, those
 * of the library by pidtrack_statistics(), to which comes what that does not
 * know of: five to read a file, or, of a registry, one to close it.
 *
 * Fails if any was not said to be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "figures.h"
#include "pidtrack.h"

#define PROCESSES 200
#define MAX_RECORDS 100000
#define MAX_ROUNDS 1000

enum kind { NATIVE, BOXLITE, BROOD_BOX, KINDS };

static const char *const kind_names[] = { "native", "boxlite", "brood-box" };

struct process {
	struct pidtrack_process *process;
	pid_t pid;
	unsigned long long start;
	char exe[1024];
	char native[PIDTRACK_RECORD_MAX];
	size_t native_size;
};

struct way {
	const char *name;
	const char *how;
	size_t unit; /* the way that is 1 */
	/* Return: how many of them are there. */
	unsigned int (*look)(void);
	double ns[MAX_ROUNDS];
	double ratio[MAX_ROUNDS];
	double calls; /* a record */
	uint64_t wrong;
};

static struct pidtrack *tracker;
static struct process processes[PROCESSES];
static struct pidtrack_record **records;
static unsigned int n_records = 10000;
static char place[64];
static uint64_t calls; /* of the ways that are not ours */

static void give_up(const char *what, int error)
{
	fprintf(stderr, "bench-verify: %s: %s\n", what, strerror(-error));
	exit(1);
}

static const char *path_of(enum kind kind, unsigned int i)
{
	static char path[128];

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
	char path[128];
	int r;

	snprintf(path, sizeof(path), "%s/%s", place, kind_names[NATIVE]);
	r = pidtrack_registry_open(path, 0, &registry);
	if (r < 0)
		give_up(path, r);
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
	char path[32], link[1024];
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
		give_up(path_of(kind, i), -errno);
	close(fd);
}

static void put_all(unsigned int i, const struct process *process)
{
	char text[2048];
	int n;

	put(NATIVE, i, process->native, process->native_size);
	n = snprintf(text, sizeof(text), "%d\n%llu\n", process->pid,
		     process->start);
	put(BOXLITE, i, text, (size_t)n);
	n = snprintf(text, sizeof(text), "%d\n%s", process->pid, process->exe);
	put(BROOD_BOX, i, text, (size_t)n);
}

/* Each lives until it is killed. */
static void launch(struct process *process, const char *const *argv)
{
	char path[sizeof(place) + sizeof("/record")];
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .record = path,
				       .label = "box");
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "%s/record", place);
	r = pidtrack_spawn(tracker, &options, &process->process, NULL);
	if (r < 0)
		give_up(argv[0], r);
	process->pid = pidtrack_process_pid(process->process);
	process->start = start_of(process->pid);
	n = read_file(path, process->native, sizeof(process->native));
	process->native_size = (size_t)n;
	snprintf(path, sizeof(path), "/proc/%d/exe", process->pid);
	n = readlink(path, process->exe, sizeof(process->exe) - 1);
	if (n < 0)
		give_up(path, -errno);
}

static void prepare(const char *program)
{
	const char *const argv[] = { program, NULL };
	char path[128];
	unsigned int i;
	int r;

	strcpy(place, "/tmp/bench-verify-XXXXXX");
	r = pidtrack_new(NULL, &tracker);
	if (r < 0)
		give_up("tracker", r);
	if (!mkdtemp(place))
		give_up(place, -errno);
	for (i = 0; i < KINDS; i++) {
		snprintf(path, sizeof(path), "%s/%s", place, kind_names[i]);
		if (mkdir(path, 0700))
			give_up(path, -errno);
	}
	for (i = 0; i < PROCESSES; i++)
		launch(&processes[i], argv);
	records = calloc(n_records, sizeof(struct pidtrack_record *));
	if (!records)
		give_up("memory", -ENOMEM);
	for (i = 0; i < n_records; i++) {
		put_all(i, &processes[i % PROCESSES]);
		r = pidtrack_record_read(path_of(NATIVE, i), &records[i]);
		if (r < 0)
			give_up(path_of(NATIVE, i), r);
	}
}

static void clean_up(void)
{
	unsigned int i, kind;
	char path[128];

	for (i = 0; i < n_records; i++)
		pidtrack_record_free(records[i]);
	free(records);
	for (i = 0; i < PROCESSES; i++)
		pidtrack_process_signal(processes[i].process, SIGKILL);
	for (i = 0; i < PROCESSES; i++) {
		const struct pidtrack_event *event;

		if (pidtrack_wait(tracker, 10000, &event) <= 0)
			give_up("waiting", -ETIMEDOUT);
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

static void look(struct way *way, unsigned int round)
{
	uint64_t before = own_calls() + calls, begin = now_ns();
	unsigned int n = way->look();

	way->ns[round] = (double)(now_ns() - begin) / n_records;
	way->calls = (double)(own_calls() + calls - before) / n_records;
	way->wrong += n_records - n;
}

static void run_rounds(unsigned int rounds)
{
	unsigned int round, i;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < WAYS; i++)
			look(&ways[(round + i) % WAYS], round);
		for (i = 0; i < WAYS; i++)
			ways[i].ratio[round] = ways[i].ns[round] /
					       ways[ways[i].unit].ns[round];
	}
}

static void print_table(unsigned int rounds)
{
	unsigned int i;

	printf("Telling whether one of %u records' process is there, pidtrack "
	       "= 1, %u rounds:\n\n",
	       n_records, rounds);
	printf("%-8s %-13s %7s %7s %7s %13s\n", "record", "by", "median", "10%",
	       "90%", "system calls");
	for (i = 0; i < WAYS; i++)
		printf("%-8s %-13s %7.2f %7.2f %7.2f %13.2f\n", ways[i].how,
		       ways[i].name, part_of(ways[i].ratio, rounds, 0.5),
		       part_of(ways[i].ratio, rounds, 0.1),
		       part_of(ways[i].ratio, rounds, 0.9), ways[i].calls);
}

static void write_json(const char *path, unsigned int rounds)
{
	FILE *file = fopen(path, "we");
	struct utsname name;
	unsigned int i;

	if (!file)
		give_up(path, -errno);
	uname(&name);
	fprintf(file,
		"{\"benchmark\": \"verify\", \"version\": \"%s\", "
		"\"linux\": \"%s\", \"machine\": \"%s\", \"cpus\": %ld,\n "
		"\"rounds\": %u, \"records\": %u, \"processes\": %d,\n "
		"\"unit\": \"pidtrack, with the file or without\", "
		"\"unit_us\": [%.2f, %.2f],\n \"results\": [",
		pidtrack_version(), name.release, name.machine,
		sysconf(_SC_NPROCESSORS_ONLN), rounds, n_records, PROCESSES,
		part_of(ways[1].ns, rounds, 0.5) / 1000,
		part_of(ways[4].ns, rounds, 0.5) / 1000);
	for (i = 0; i < WAYS; i++)
		fprintf(file,
			"%s\n  {\"record\": \"%s\", \"by\": \"%s\", "
			"\"median\": %.4f, \"p10\": %.4f, \"p90\": %.4f, "
			"\"system_calls\": %.3f, \"wrong\": %" PRIu64 "}",
			i ? "," : "", ways[i].how, ways[i].name,
			part_of(ways[i].ratio, rounds, 0.5),
			part_of(ways[i].ratio, rounds, 0.1),
			part_of(ways[i].ratio, rounds, 0.9), ways[i].calls,
			ways[i].wrong);
	fprintf(file, "\n ]}\n");
	if (fclose(file))
		give_up(path, -errno);
}

static int parse(int argc, char **argv, unsigned int *ret_rounds,
		 const char **ret_json)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "records", required_argument, NULL, 'n' },
		{ "json", required_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
		if (option == 'r')
			*ret_rounds = (unsigned int)atoi(optarg);
		else if (option == 'n')
			n_records = (unsigned int)atoi(optarg);
		else if (option == 'j')
			*ret_json = optarg;
		else
			return -EINVAL;
	return optind + 1 == argc && *ret_rounds >= 1 &&
			       *ret_rounds <= MAX_ROUNDS && n_records >= 1 &&
			       n_records <= MAX_RECORDS ?
		       0 :
		       -EINVAL;
}

int main(int argc, char **argv)
{
	const char *json = NULL;
	unsigned int rounds = 30, i;
	uint64_t wrong = 0;

	if (parse(argc, argv, &rounds, &json) < 0) {
		fprintf(stderr,
			"usage: bench-verify [--rounds 1..%d] "
			"[--records 1..%d] [--json FILE] PROGRAM\n",
			MAX_ROUNDS, MAX_RECORDS);
		return 2;
	}
	prepare(argv[optind]);
	run_rounds(rounds);
	print_table(rounds);
	if (json)
		write_json(json, rounds);
	for (i = 0; i < WAYS; i++)
		wrong += ways[i].wrong;
	printf("verdicts: %" PRIu64 " wrong\n", wrong);
	clean_up();
	return wrong != 0;
}
