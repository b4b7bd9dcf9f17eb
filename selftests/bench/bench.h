/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The house of all benchmarks: rounds, ratios, counts, and what is written.
 *
 * A job is one program, job-NAME.c.  It says what it is by bench_begin(), makes
 * a row for everybody it measures, has each of them do some in every round,
 * beginning with another each time (bench_turn()), and ends by bench_end().
 *
 *	job-NAME [--quick | --smoke] [--rounds N] [--json FILE] PROGRAM
 *
 * PROGRAM is bench-exit.  --smoke is what the tests run: everything once, with
 * a few processes; without FILE it says TAP, a test for each result.  What it
 * writes otherwise, to FILE or standard output, is an object
 *
 *	license		SPDX
 *	job, title	its name, and a sentence for people
 *	unit		what a ratio of 1 is
 *	x		what the x of results is, or null
 *	size		"full", "quick" or "smoke"; rounds, how many
 *	version		of libpidtrack; linux, machine, cpus, cpu: where it ran
 *	facts		{name: number}, what else is to be known of the job
 *	left_out	{who: why}, who was not there, or "WHAT of WHO"
 *	results		an array of
 *	    who, what	who did it, and what was done
 *	    x		or null
 *	    unit	whether it is what others are divided by
 *	    n, wrong	statuses, or whatever there was to check
 *	    ns		{median, q1, q3}: of all rounds, for one of them
 *	    ratio	the same of each round, divided by the unit's time in
 *			that round, and the unit itself by its own median
 *	    counts	{name: number}, for one of them
 *
 * in which ns and ratio may be null: such a row has counts alone.  Fails with
 * status 1 if something was wrong, 77 if it cannot be run here, 2 otherwise.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum bench_size { BENCH_FULL, BENCH_QUICK, BENCH_SMOKE, BENCH_SIZES };

/* What a job is; all of it constant. */
struct bench_job {
	const char *name;
	const char *title;
	const char *unit;
	const char *x; /* NULL: nothing is swept */
	unsigned int rounds[BENCH_SIZES];
};

/* How it was asked for. */
struct bench_asked {
	enum bench_size size;
	unsigned int rounds;
	char *program; /* path of bench-exit */
};

struct bench_row; /* one of the results */

/* Ends the program where the command line is wrong. */
struct bench_asked bench_begin(const struct bench_job *job, int argc,
			       char **argv);

/* @x: 0 for none.  What is passed is copied.  Never NULL. */
struct bench_row *bench_row(const char *who, const char *what, uint64_t x);

/* Who is 1 for @row; may be itself.  Without it there are no ratios. */
void bench_unit(struct bench_row *row, const struct bench_row *unit);

/* What one took in @round, from 0; a round may be without. */
void bench_time(struct bench_row *row, unsigned int round, double ns);

/* For one of them; the last one said counts. */
void bench_count(struct bench_row *row, const char *name, double value);

/* How many there were to check, and how many of these were wrong: summed. */
void bench_checked(struct bench_row *row, uint64_t n, uint64_t wrong);

void bench_fact(const char *name, double value);
void bench_left_out(const char *who, const char *why);

/* Who is there, but without @what. */
void bench_left_out_of(const char *what, const char *who, const char *why);

/* A line on standard error, which takes the place of the one before. */
void bench_progress(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Says why, and ends: nothing can be told. @error: a negative errno */
void __attribute__((noreturn)) bench_give_up(const char *what, int error);

/* Writes all.  Return: the status to exit with. */
int bench_end(void);

/* The @i-th of @n who is to go in @round. */
static inline unsigned int bench_turn(unsigned int round, unsigned int i,
				      unsigned int n)
{
	return (round + i) % n;
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What @part of all are below, between two of them; sorts.  NAN if none. */
double part_of(double *values, unsigned int n, double part);

/* Raises the limit of descriptors as far as it goes; returns it. */
unsigned int bench_all_descriptors(void);

/* Bytes for the path of a job's own directory, and of what is in it. */
#define BENCH_PLACE 256
#define BENCH_BELOW (BENCH_PLACE + 64)

/* Makes it in TMPDIR, which whoever ends the job can remove, or in /tmp. */
void bench_make_place(char place[BENCH_PLACE]);

/* That can be had without swapping; 0 where the kernel does not tell. */
uint64_t bench_available_bytes(void);

#endif
