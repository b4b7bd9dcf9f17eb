// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What one end costs while others live, and what many at once do.
 *
 * Each peer in turn
 *
 *	launch		launches N children that stay, one after the other, with
 *			those before it there: how long one takes
 *	tax		makes children that it does not track, by vfork and
 *			_exit, and waits for each: how long one takes.  Whose
 *			loop is woken by any SIGCHLD has a turn of it, too.  It
 *			has one processor for that: to wake up another may take
 *			longer than the work, and now this and now that
 *	one ends	is waiting when one of them ends, of its own: from its
 *			last instruction until its status is told
 *	many end	is waiting when half of those that are left end: how
 *			long until all are told, for one of them
 *	many ended	was away while the others ended: likewise, from when it
 *			looks
 *
 * The floor knows who will end, and waits for just that one.  Python is left
 * out of the tax: it has no vfork.  A round has a median of each for every
 * peer, and begins with another; there are fewer with many children.  What is
 * counted is counted afterwards, as in job-launch, at one N.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crew.h"

enum what { LAUNCH, TAX, ONE, MANY, AWAY, WHATS };

static const char *const what_names[] = {
	[LAUNCH] = "launch", [TAX] = "tax",	    [ONE] = "one ends",
	[MANY] = "many end", [AWAY] = "many ended",
};

/* How many live, in how many of the rounds, and whether that is counted. */
static const struct level {
	uint32_t n;
	unsigned int rounds;
	bool counted;
} levels[BENCH_SIZES][6] = {
	[BENCH_FULL] = { { 10, 8, false },
			 { 100, 8, false },
			 { 1000, 5, true },
			 { 5000, 3, false },
			 { 15000, 2, false } },
	[BENCH_QUICK] = { { 10, 3, false },
			  { 100, 3, true },
			  { 1000, 2, false } },
	[BENCH_SMOKE] = { { 8, 1, true } },
};

/* Of those of one peer. */
static const uint32_t one_times[BENCH_SIZES] = { 30, 15, 2 };
static const uint32_t tax_times[BENCH_SIZES] = { 200, 30, 3 };
#define SLOW_TIMES 4 /* of who sleeps */
/* Who takes longer for all of it does it once; the others are many, too. */
#define LONG_NS UINT64_C(60000000000)

static const struct bench_job job = {
	.name = "live",
	.title = "Among N children that live",
	.unit = "waitid for the one that ends",
	.x = "children that live",
	.rounds = { 8, 3, 1 },
};

static enum bench_size size;
static uint32_t seed; /* the same for every peer in a round */

static uint32_t any_of(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)seed * n) >> 32);
}

static uint64_t number_in(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t number = UINT64_MAX;

	if (file && fscanf(file, "%" SCNu64, &number) != 1)
		number = UINT64_MAX;
	if (file)
		fclose(file);
	return number;
}

/* Why there cannot be @n children; NULL if there can. */
static const char *why_not(uint32_t n)
{
	if (n + 200 > bench_all_descriptors())
		return "too few descriptors";
	if (n + 2000 > number_in("/proc/sys/kernel/pid_max") ||
	    n + 2000 > number_in("/proc/sys/kernel/threads-max"))
		return "too few processes";
	if ((uint64_t)n * 400 * 1024 > bench_available_bytes())
		return "too little memory";
	return NULL;
}

/* ---- children ---- */

static void let_end(uint32_t who)
{
	__atomic_store_n(&crew_slots[who].go, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &crew_slots[who].go, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static bool lives(uint32_t who)
{
	return !__atomic_load_n(&crew_slots[who].go, __ATOMIC_ACQUIRE);
}

/* Until each stays; who does not come has ended, with a code that is wrong. */
static void await_all(uint32_t n)
{
	uint64_t most = now_ns() + UINT64_C(60000000000);

	for (uint32_t who = 0; who < n && now_ns() < most; who++)
		while (!__atomic_load_n(&crew_slots[who].pid,
					__ATOMIC_ACQUIRE) &&
		       now_ns() < most)
			usleep(100);
}

/* Until its parent need not wait for it. */
static void await_end(uint32_t who)
{
	char path[32], stat[512], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/stat", crew_slots[who].pid);
	for (;; usleep(200)) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
		close(fd);
		stat[n > 0 ? n : 0] = '\0';
		at = strrchr(stat, ')');
		if (!at || at[2] == 'Z' || at[2] == 'X')
			return;
	}
}

/* ---- one peer, among @n ---- */

/* What came of it; ns is negative where it was not measured. */
struct came {
	double ns;
	uint64_t n;
	uint64_t wrong;
	uint64_t woken;
	unsigned int orders;
};

static int order(struct member *member, enum order_kind kind, uint32_t n,
		 struct answer *ret_answer)
{
	struct order order = { .kind = kind, .n = n };

	return crew_order(member, &order, ret_answer);
}

static void add(struct came *came, const struct answer *answer, uint32_t n)
{
	came->orders++;
	came->n += n;
	came->wrong += answer->wrong + (n > answer->n ? n - answer->n : 0);
	came->woken += answer->woken;
}

static int hold(struct member *member, uint32_t n, struct came *came)
{
	struct answer answer;
	uint64_t begin;
	int r;

	memset(crew_slots, 0, SLOTS_BYTES);
	begin = now_ns();
	r = order(member, ORDER_HOLD, n, &answer);
	*came = (struct came){
		.ns = (double)(now_ns() - begin) / n,
		.n = n,
		.orders = 1,
		.woken = answer.woken,
	};
	if (r == 0)
		await_all(n);
	return r;
}

/* One of those it may be on. */
static cpu_set_t one_of(const cpu_set_t *all)
{
	cpu_set_t one;
	size_t i = CPU_SETSIZE - 1;

	while (i > 0 && !CPU_ISSET(i, all))
		i--;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	return one;
}

static struct came tax(struct member *member)
{
	struct came came = { .ns = -1 };
	uint32_t n = tax_times[size];
	struct answer answer;
	cpu_set_t all, one;
	int r;

	CPU_ZERO(&all);
	CPU_SET(0, &all);
	sched_getaffinity(0, sizeof(all), &all);
	one = one_of(&all);
	usleep(100000); /* the kernel has things to clear away of launches */
	sched_setaffinity(member->pid, sizeof(one), &one);
	r = order(member, ORDER_TAX, n, &answer);
	if (member->there)
		sched_setaffinity(member->pid, sizeof(all), &all);
	if (r == -EOPNOTSUPP) {
		bench_left_out_of(what_names[TAX], member->name, "no vfork");
		return came;
	}
	add(&came, &answer, n);
	came.wrong += r < 0;
	came.ns = (double)answer.median_ns;
	return came;
}

static uint32_t choose(uint32_t n)
{
	uint32_t who;

	do
		who = any_of(n);
	while (!lives(who));
	return who;
}

/* From the last instruction of one until that was told. */
static double one(struct member *member, uint32_t who, struct came *came)
{
	struct order order = { .kind = ORDER_ONE, .n = 1, .who = who };
	struct answer answer;

	crew_tell(member, &order);
	crew_await_sleep(member);
	if (member->slow) /* whenever it last looked */
		usleep(any_of(250000));
	let_end(who);
	if (crew_hear(member, &answer) < 0)
		answer.n = 0;
	add(came, &answer, 1);
	return (double)answer.last_ns - (double)crew_slots[who].ended_ns;
}

static struct came ones(struct member *member, uint32_t n)
{
	uint32_t times = member->slow ? SLOW_TIMES : one_times[size];
	struct came came = { 0 };
	double ns[64];

	if (times > n / 2)
		times = n / 2;
	for (uint32_t i = 0; i < times; i++)
		ns[i] = one(member, choose(n), &came);
	came.ns = part_of(ns, times, 0.5);
	return came;
}

/* The first half of those that are left; ends last for whom all @n end. */
static struct came many(struct member *member, uint32_t n, uint32_t left)
{
	struct order order = { .kind = ORDER_ALL, .n = left / 2 };
	struct came came = { 0 };
	struct answer answer;
	uint64_t begin;

	crew_tell(member, &order);
	crew_await_sleep(member);
	begin = now_ns();
	for (uint32_t who = 0, i = 0; who < n && i < order.n; who++)
		if (lives(who)) {
			let_end(who);
			i++;
		}
	if (crew_hear(member, &answer) < 0)
		answer.n = 0;
	add(&came, &answer, order.n);
	came.ns = (double)(answer.last_ns - begin) / order.n;
	return came;
}

static struct came away(struct member *member, uint32_t n, uint32_t left)
{
	struct came came = { 0 };
	struct answer answer;

	for (uint32_t who = 0; who < n; who++)
		if (lives(who))
			let_end(who);
	for (uint32_t who = 0; who < n; who++)
		await_end(who);
	if (order(member, ORDER_ALL, left, &answer) < 0)
		answer.n = 0;
	add(&came, &answer, left);
	came.ns = (double)(answer.last_ns - answer.begin_ns) / left;
	return came;
}

/* ---- all of them ---- */

typedef struct bench_row *level_rows[CREW_MAX][WHATS];

static void say(struct bench_row *row, unsigned int round,
		const struct came *came)
{
	bench_checked(row, came->n, came->wrong);
	if (came->ns >= 0 && !came->wrong)
		bench_time(row, round, came->ns);
}

/* Return: what it took in all, ns. */
static uint64_t visit(unsigned int i, uint32_t n, level_rows rows,
		      unsigned int round)
{
	uint64_t begin = now_ns();
	struct member *member = &crew[i];
	struct came came;
	uint32_t left = n;
	int r;

	seed = round;
	r = hold(member, n, &came);
	if (r < 0) {
		crew_drop(member, n, r);
		return 0;
	}
	say(rows[i][LAUNCH], round, &came);
	came = tax(member);
	say(rows[i][TAX], round, &came);
	came = ones(member, n);
	left -= (uint32_t)came.n;
	say(rows[i][ONE], round, &came);
	came = many(member, n, left);
	left -= (uint32_t)came.n;
	say(rows[i][MANY], round, &came);
	came = away(member, n, left);
	say(rows[i][AWAY], round, &came);
	return now_ns() - begin;
}

static void count(struct bench_row *row, struct member *member,
		  struct tally *before, const struct came *came)
{
	struct tally after = crew_tally(member);

	bench_checked(row, came->n, came->wrong);
	if (came->ns >= 0) {
		crew_count(row, before, &after, came->orders, came->n);
		bench_count(row, "woken",
			    (double)came->woken / (double)came->n);
	}
	*before = after;
}

static void visit_to_count(unsigned int i, uint32_t n, level_rows rows)
{
	struct member *member = &crew[i];
	uint32_t left = n;
	struct tally tally;
	struct came came;

	crew_start(member, true);
	if (!member->there)
		return;
	seed = 0;
	tally = crew_tally(member);
	if (hold(member, n, &came) < 0) {
		crew_end(member);
		return;
	}
	count(rows[i][LAUNCH], member, &tally, &came);
	came = tax(member);
	count(rows[i][TAX], member, &tally, &came);
	came = ones(member, n);
	left -= (uint32_t)came.n;
	count(rows[i][ONE], member, &tally, &came);
	came = many(member, n, left);
	left -= (uint32_t)came.n;
	count(rows[i][MANY], member, &tally, &came);
	came = away(member, n, left);
	count(rows[i][AWAY], member, &tally, &came);
	crew_end(member);
}

static void make_rows(const struct level *level, level_rows rows)
{
	for (enum what what = 0; what < WHATS; what++)
		for (unsigned int i = 0; i < crew_size; i++) {
			rows[i][what] = bench_row(crew[i].name,
						  what_names[what], level->n);
			bench_unit(rows[i][what], rows[0][what]);
		}
}

static void run_level(const struct level *level, unsigned int rounds,
		      level_rows rows)
{
	bool too_long[CREW_MAX] = { false };

	for (unsigned int round = 0; round < rounds; round++)
		for (unsigned int j = 0; j < crew_size; j++) {
			unsigned int i = bench_turn(round, j, crew_size);

			bench_progress("%u live, round %u of %u: %s", level->n,
				       round + 1, rounds, crew[i].name);
			if (crew[i].there && !too_long[i])
				too_long[i] = visit(i, level->n, rows, round) >
					      LONG_NS;
		}
	for (unsigned int i = 0; i < crew_size; i++)
		if (too_long[i])
			bench_left_out(
				crew[i].name,
				"of rounds after one that took a minute");
}

static void count_level(const struct level *level, level_rows rows)
{
	for (unsigned int i = 0; i < crew_size; i++) {
		bench_progress("%u live, counting: %s", level->n, crew[i].name);
		visit_to_count(i, level->n, rows);
	}
}

int main(int argc, char **argv)
{
	struct bench_asked asked = bench_begin(&job, argc, argv);
	static level_rows rows[6];
	const struct level *level;
	unsigned int i;

	size = asked.size;
	bench_all_descriptors();
	crew_begin(&asked);
	for (i = 0; i < crew_size; i++)
		crew_start(&crew[i], false);
	for (level = levels[size]; level->n; level++) {
		const char *why = why_not(level->n);
		unsigned int rounds = asked.rounds;
		char text[32];

		if (why) {
			snprintf(text, sizeof(text), "%u", level->n);
			bench_left_out(text, why);
			continue;
		}
		if (level->rounds < rounds) {
			rounds = level->rounds;
			snprintf(text, sizeof(text), "rounds with %u",
				 level->n);
			bench_fact(text, rounds);
		}
		make_rows(level, rows[level - levels[size]]);
		run_level(level, rounds, rows[level - levels[size]]);
	}
	for (i = 0; i < crew_size; i++)
		crew_end(&crew[i]);
	for (level = levels[size]; level->n; level++)
		if (level->counted && !why_not(level->n))
			count_level(level, rows[level - levels[size]]);
	return bench_end();
}
