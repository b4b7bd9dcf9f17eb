// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Launches, 64 in flight at a time, until each status is collected.
 *
 * Every peer lives through all rounds, and in each has its turn.  Who does not
 * launch by itself (pidtrack and libuv do, Python uses posix_spawn) does so by
 * vfork and exec.  What is counted is counted afterwards, of processes begun
 * for that: a system call is counted where the kernel enters it, an allocation
 * by a preloaded malloc.  Those of the child are from clone to its end, of
 * which all but the floor's own are of who launched it.  Woken is how often the
 * host slept; each vfork is once.
 */
#include "crew.h"

static struct bench_row *rows[CREW_MAX];

static const struct bench_job job = {
	.name = "launch",
	.title = "Launches, 64 in flight, each status collected",
	.unit = "vfork, and waitid for any",
	.rounds = { 8, 3, 1 },
};

/* How many, by size; a quarter for who sleeps, and to warm up. */
static const uint32_t launches[BENCH_SIZES] = { 2000, 400, 24 };

/* Of how many instructions are counted. */
static const uint32_t instructions[BENCH_SIZES] = { 32, 16, 2 };
#define MOST_INSTRUCTIONS 1000000

static struct answer launch(unsigned int i, uint32_t n)
{
	struct order order = {
		.kind = ORDER_LAUNCH,
		.n = n,
		.in_flight = 64,
	};
	struct answer answer;
	int r = crew_order(&crew[i], &order, &answer);

	if (r < 0 && crew[i].there)
		crew_drop(&crew[i], 0, r);
	bench_checked(rows[i], n, answer.wrong + (n - answer.n));
	return answer;
}

static void run_rounds(const struct bench_asked *asked)
{
	uint32_t n = launches[asked->size];

	for (unsigned int round = 0; round < asked->rounds; round++) {
		bench_progress("round %u of %u", round + 1, asked->rounds);
		for (unsigned int j = 0; j < crew_size; j++) {
			unsigned int i = bench_turn(round, j, crew_size);
			uint32_t own = crew[i].slow ? n / 4 : n;
			struct answer answer;

			if (!crew[i].there)
				continue;
			answer = launch(i, own);
			if (answer.n == own)
				bench_time(rows[i], round,
					   (double)(answer.last_ns -
						    answer.begin_ns) /
						   own);
		}
	}
}

static void count(unsigned int i, uint32_t n)
{
	struct tally before, after;
	struct answer answer;

	crew_start(&crew[i], true);
	if (!crew[i].there)
		return;
	launch(i, n / 4);
	before = crew_tally(&crew[i]);
	answer = launch(i, n);
	after = crew_tally(&crew[i]);
	crew_count(rows[i], &before, &after, 1, n);
	crew_count_children(rows[i], &before, &after, n);
	bench_count(rows[i], "woken", (double)answer.woken / n);
	crew_end(&crew[i]);
}

/* Of one life, without what an order takes. */
static void count_instructions(unsigned int i, uint32_t n)
{
	struct order order = {
		.kind = ORDER_LAUNCH,
		.n = n,
		.in_flight = n,
	};
	struct order nothing = { .kind = ORDER_ALL };
	struct answer answer;
	int64_t all, own;

	crew_start(&crew[i], false);
	if (!crew[i].there)
		return;
	launch(i, 3 * n);
	own = crew_instructions(&crew[i], &nothing, &answer, MOST_INSTRUCTIONS);
	all = crew_instructions(&crew[i], &order, &answer, MOST_INSTRUCTIONS);
	if (all < 0)
		bench_left_out_of("instructions", crew[i].name,
				  "over a million, or could not be stepped");
	bench_checked(rows[i], n, answer.wrong + (n - answer.n));
	if (own >= 0 && all >= 0)
		bench_count(rows[i], "instructions", (double)(all - own) / n);
	crew_end(&crew[i]);
}

int main(int argc, char **argv)
{
	struct bench_asked asked = bench_begin(&job, argc, argv);
	uint32_t n = launches[asked.size];
	unsigned int i;

	bench_all_descriptors();
	crew_begin(&asked);
	for (i = 0; i < crew_size; i++) {
		rows[i] = bench_row(crew[i].name, "launches", 0);
		bench_unit(rows[i], rows[0]);
		crew_start(&crew[i], false);
		if (crew[i].there)
			launch(i, n / 4);
	}
	bench_fact("launches a round", n);
	run_rounds(&asked);
	for (i = 0; i < crew_size; i++)
		crew_end(&crew[i]);
	for (i = 0; i < crew_size; i++) {
		bench_progress("counting, %s", crew[i].name);
		count(i, n);
		/* the tests see that it can be done, which takes its time */
		if (asked.size != BENCH_SMOKE || i < 2)
			count_instructions(i, instructions[asked.size]);
	}
	return bench_end();
}
