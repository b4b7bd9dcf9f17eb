// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What it costs to hold 10 000 children that live while nothing happens.
 *
 * Each peer launches them, and then waits for one of them to end.  A minute of
 * that is looked at from outside, ten seconds where it is not ours:
 *
 *	wake-ups	voluntary context switches of all its threads, a minute
 *	system calls	a minute; of its first thread, where the kernel counts
 *	own bytes	of memory that it wrote, for each child
 *	kernel bytes	of slabs, for each child; the floor's are the children
 *			themselves
 *
 * Then the one ends, and all others, and their statuses are compared.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "crew.h"

static const uint32_t children[BENCH_SIZES] = { 10000, 2000, 50 };
static const unsigned int own_ms[BENCH_SIZES] = { 60000, 10000, 300 };
static const unsigned int others_ms[BENCH_SIZES] = { 10000, 2000, 300 };

static const struct bench_job job = {
	.name = "idle",
	.title = "Children that live, while nothing happens",
	.unit = "nobody",
	.rounds = { 1, 1, 1 },
};

/* Of all lines of @path that begin with @key; 0 where there is none. */
static uint64_t number_after(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	uint64_t number, sum = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)) &&
		    sscanf(line + strlen(key), "%" SCNu64, &number) == 1)
			sum += number;
	if (file)
		fclose(file);
	return sum;
}

static uint64_t wakeups(pid_t pid)
{
	struct dirent *task;
	uint64_t sum = 0;
	char path[320];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (task = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid,
			 task->d_name);
		if (task->d_name[0] != '.')
			sum += number_after(path, "voluntary_ctxt_switches:");
	}
	if (tasks)
		closedir(tasks);
	return sum;
}

static double own_bytes(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	return 1024 * (double)number_after(path, "Private_Dirty:");
}

static double kernel_bytes(void)
{
	return 1024 * (double)number_after("/proc/meminfo", "Slab:");
}

static void let_end(uint32_t who)
{
	__atomic_store_n(&crew_slots[who].go, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &crew_slots[who].go, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static const char *why_not(uint32_t n)
{
	if (n + 200 > bench_all_descriptors())
		return "too few descriptors";
	if (number_after("/proc/meminfo", "MemAvailable:") < n * UINT64_C(400))
		return "too little memory";
	return NULL;
}

/* Return: 0, or what it answered. */
static int hold(struct member *member, struct bench_row *row, uint32_t n)
{
	const struct order order = { .kind = ORDER_HOLD, .n = n };
	double own = own_bytes(member->pid), kernel = kernel_bytes();
	struct answer answer;
	int r;

	memset(crew_slots, 0, SLOTS_BYTES);
	r = crew_order(member, &order, &answer);
	if (r < 0)
		return r;
	for (uint32_t who = 0; who < n; who++)
		while (!__atomic_load_n(&crew_slots[who].pid, __ATOMIC_ACQUIRE))
			usleep(100);
	bench_count(row, "own bytes", (own_bytes(member->pid) - own) / n);
	bench_count(row, "kernel bytes", (kernel_bytes() - kernel) / n);
	return 0;
}

static void idle(struct member *member, struct bench_row *row, unsigned int ms)
{
	const double minutes = ms / 60000.0;
	struct tally before, after;
	uint64_t woken;

	before = crew_tally(member);
	woken = wakeups(member->pid);
	usleep(ms * 1000);
	bench_count(row, "wake-ups a minute",
		    (double)(wakeups(member->pid) - woken) / minutes);
	after = crew_tally(member);
	if (after.syscalls >= 0)
		bench_count(row, "system calls a minute",
			    (double)(after.syscalls - before.syscalls) /
				    minutes);
}

/* What was to end has, and is told. */
static void collect(struct member *member, struct bench_row *row, uint32_t n)
{
	struct answer answer;

	if (crew_hear(member, &answer) < 0)
		answer.n = 0;
	bench_checked(row, n, answer.wrong + (n > answer.n ? n - answer.n : 0));
}

static void visit(struct member *member, struct bench_row *row, uint32_t n,
		  unsigned int ms)
{
	const struct order one = { .kind = ORDER_ONE, .n = 1, .who = n / 2 };
	const struct order all = { .kind = ORDER_ALL, .n = n - 1 };
	int r = hold(member, row, n);

	if (r < 0) {
		crew_drop(member, n, r);
		return;
	}
	crew_tell(member, &one);
	idle(member, row, ms);
	let_end(one.who);
	collect(member, row, 1);
	crew_tell(member, &all);
	for (uint32_t who = 0; who < n; who++)
		if (who != one.who)
			let_end(who);
	collect(member, row, all.n);
}

int main(int argc, char **argv)
{
	struct bench_asked asked = bench_begin(&job, argc, argv);
	uint32_t n = children[asked.size];
	const char *why = why_not(n);

	if (why) {
		bench_left_out("everybody", why);
		return bench_end();
	}
	bench_fact("children", n);
	crew_begin(&asked);
	for (unsigned int i = 0; i < crew_size; i++) {
		bool ours = !strncmp(crew[i].name, "pidtrack", 8);

		bench_progress("%s", crew[i].name);
		crew_start(&crew[i], true);
		if (crew[i].there)
			visit(&crew[i], bench_row(crew[i].name, "idle", 0), n,
			      ours ? own_ms[asked.size] :
				     others_ms[asked.size]);
		crew_end(&crew[i]);
	}
	return bench_end();
}
