// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "pidtrack.h"

#define MAX_ROUNDS 1000
#define MAX_ROWS 2000
#define MAX_NAMED 16

/* A name with a number or a text. */
struct named {
	char *name;
	char *text;
	double value;
};

struct named_list {
	struct named all[MAX_NAMED];
	unsigned int n;
};

struct bench_row {
	char *who;
	char *what;
	uint64_t x;
	uint64_t n;
	uint64_t wrong;
	double *ns; /* of each round, or NAN */
	const struct bench_row *unit;
	struct named_list counts;
};

static const char *const size_names[] = {
	[BENCH_FULL] = "full",
	[BENCH_QUICK] = "quick",
	[BENCH_SMOKE] = "smoke",
};

static const struct bench_job *job;
static struct bench_asked asked;
static const char *json;
static struct bench_row *rows[MAX_ROWS];
static unsigned int n_rows;
static struct named_list facts, left_out;
static bool progressing;

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double part_of(double *values, unsigned int n, double part)
{
	unsigned int below;

	if (n == 0)
		return NAN;
	qsort(values, n, sizeof(*values), by_size);
	below = (unsigned int)(part * (n - 1));
	if (below + 1 >= n)
		return values[n - 1];
	return values[below] +
	       (values[below + 1] - values[below]) * (part * (n - 1) - below);
}

/* Tests want to know no figures. */
static bool says_tap(void)
{
	return asked.size == BENCH_SMOKE && !json;
}

void bench_give_up(const char *what, int error)
{
	bool not_here = error == -EPERM || error == -EOPNOTSUPP;

	fprintf(stderr, "%s%s: %s: %s\n", progressing ? "\n" : "", job->name,
		what, strerror(-error));
	if (not_here && says_tap())
		printf("TAP version 13\n1..0 # SKIP %s: %s\n", what,
		       strerror(-error));
	exit(not_here ? 77 : 2);
}

static char *copy(const char *text)
{
	char *new = strdup(text);

	if (!new)
		bench_give_up("memory", -ENOMEM);
	return new;
}

void bench_progress(const char *format, ...)
{
	bool terminal = isatty(STDERR_FILENO);
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "%s%s: ", terminal ? "\r\033[K" : "", job->name);
	vfprintf(stderr, format, arguments);
	fputs(terminal ? "" : "\n", stderr);
	va_end(arguments);
	progressing = terminal;
}

unsigned int bench_all_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > UINT32_MAX ? UINT32_MAX :
					     (unsigned int)limit.rlim_cur;
}

void bench_make_place(char place[BENCH_PLACE])
{
	const char *in = getenv("TMPDIR") ?: "/tmp";

	if (snprintf(place, BENCH_PLACE, "%s/bench-%s-XXXXXX", in, job->name) >=
	    BENCH_PLACE)
		bench_give_up(in, -ENAMETOOLONG);
	if (!mkdtemp(place))
		bench_give_up(place, -errno);
}

uint64_t bench_available_bytes(void)
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

/* ---- what a job says ---- */

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr,
		"usage: job-%s [--quick | --smoke] [--rounds 1..%d] "
		"[--json FILE] PROGRAM\n",
		job->name, MAX_ROUNDS);
	exit(2);
}

struct bench_asked bench_begin(const struct bench_job *this, int argc,
			       char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "smoke", no_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "json", required_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int option, rounds = 0;

	job = this;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0)
		if (option == 'q')
			asked.size = BENCH_QUICK;
		else if (option == 's')
			asked.size = BENCH_SMOKE;
		else if (option == 'r')
			rounds = atoi(optarg);
		else if (option == 'j')
			json = optarg;
		else
			usage();
	if (rounds == 0)
		rounds = (int)job->rounds[asked.size];
	if (optind + 1 != argc || rounds < 1 || rounds > MAX_ROUNDS)
		usage();
	asked.program = argv[optind];
	asked.rounds = (unsigned int)rounds;
	return asked;
}

struct bench_row *bench_row(const char *who, const char *what, uint64_t x)
{
	struct bench_row *row = calloc(1, sizeof(*row));

	if (!row || n_rows == MAX_ROWS)
		bench_give_up("rows", -ENOMEM);
	row->who = copy(who);
	row->what = copy(what);
	row->x = x;
	row->ns = calloc(asked.rounds, sizeof(double));
	if (!row->ns)
		bench_give_up("rows", -ENOMEM);
	for (unsigned int i = 0; i < asked.rounds; i++)
		row->ns[i] = NAN;
	rows[n_rows++] = row;
	return row;
}

void bench_unit(struct bench_row *row, const struct bench_row *unit)
{
	row->unit = unit;
}

void bench_time(struct bench_row *row, unsigned int round, double ns)
{
	row->ns[round] = ns;
}

void bench_checked(struct bench_row *row, uint64_t n, uint64_t wrong)
{
	row->n += n;
	row->wrong += wrong;
}

static struct named *name_it(struct named_list *list, const char *name)
{
	struct named *named = list->all;

	for (; named < list->all + list->n; named++)
		if (!strcmp(named->name, name))
			return named;
	if (list->n == MAX_NAMED)
		bench_give_up(name, -ENOSPC);
	named->name = copy(name);
	list->n++;
	return named;
}

void bench_count(struct bench_row *row, const char *name, double value)
{
	if (isfinite(value))
		name_it(&row->counts, name)->value = value;
}

void bench_fact(const char *name, double value)
{
	name_it(&facts, name)->value = value;
}

void bench_left_out(const char *who, const char *why)
{
	struct named *named = name_it(&left_out, who);

	free(named->text);
	named->text = copy(why);
}

void bench_left_out_of(const char *what, const char *who, const char *why)
{
	char name[64];

	if (says_tap()) /* the row is a test, which is not skipped */
		return;
	snprintf(name, sizeof(name), "%s of %s", what, who);
	bench_left_out(name, why);
}

/* ---- what is written ---- */

static void put_text(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			fprintf(file, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fprintf(file, "\\u%04x", (unsigned int)*text);
		else
			fputc(*text, file);
	fputc('"', file);
}

static void put_key(FILE *file, const char *key, const char *text)
{
	fprintf(file, "\"%s\": ", key);
	put_text(file, text);
	fputs(", ", file);
}

static void put_named(FILE *file, const struct named_list *list)
{
	fputc('{', file);
	for (unsigned int i = 0; i < list->n; i++) {
		fputs(i ? ", " : "", file);
		put_text(file, list->all[i].name);
		fputs(": ", file);
		if (list->all[i].text)
			put_text(file, list->all[i].text);
		else
			fprintf(file, "%.6g", list->all[i].value);
	}
	fputc('}', file);
}

/* @values of each round; NAN is none. */
static void put_spread(FILE *file, const char *key, const double *values)
{
	double there[MAX_ROUNDS];
	unsigned int n = 0;

	for (unsigned int i = 0; i < asked.rounds; i++)
		if (!isnan(values[i]))
			there[n++] = values[i];
	fprintf(file, "\"%s\": ", key);
	if (n == 0)
		fputs("null", file);
	else
		fprintf(file, "{\"median\": %.6g, \"q1\": %.6g, \"q3\": %.6g}",
			part_of(there, n, 0.5), part_of(there, n, 0.25),
			part_of(there, n, 0.75));
	fputs(", ", file);
}

static void put_ratios(FILE *file, const struct bench_row *row)
{
	double ratios[MAX_ROUNDS], median = NAN;
	unsigned int i, n = 0;

	for (i = 0; i < asked.rounds; i++)
		if (!isnan(row->ns[i]))
			ratios[n++] = row->ns[i];
	median = part_of(ratios, n, 0.5);
	for (i = 0; i < asked.rounds; i++) {
		ratios[i] = NAN;
		if (row->unit)
			ratios[i] =
				row->ns[i] /
				(row->unit == row ? median : row->unit->ns[i]);
	}
	put_spread(file, "ratio", ratios);
}

static void put_row(FILE *file, const struct bench_row *row)
{
	fputs("  {", file);
	put_key(file, "who", row->who);
	put_key(file, "what", row->what);
	if (row->x)
		fprintf(file, "\"x\": %" PRIu64 ", ", row->x);
	else
		fputs("\"x\": null, ", file);
	fprintf(file,
		"\"unit\": %s, \"n\": %" PRIu64 ", \"wrong\": %" PRIu64
		",\n   ",
		row->unit == row ? "true" : "false", row->n, row->wrong);
	put_spread(file, "ns", row->ns);
	put_ratios(file, row);
	fputs("\n   \"counts\": ", file);
	put_named(file, &row->counts);
	fputc('}', file);
}

/* As /proc/cpuinfo has it; the architecture where that does not tell. */
static void put_cpu(FILE *file, const char *machine)
{
	FILE *cpus = fopen("/proc/cpuinfo", "re");
	char line[256], name[200];

	snprintf(name, sizeof(name), "%s", machine);
	while (cpus && fgets(line, sizeof(line), cpus))
		if (sscanf(line, "model name : %199[^\n]", name) == 1)
			break;
	if (cpus)
		fclose(cpus);
	put_key(file, "cpu", name);
}

static void put_all(FILE *file)
{
	struct utsname name;

	uname(&name);
	fputc('{', file);
	put_key(file, "license",
		"SPDX-License-Identifier: LGPL-2.1-or-later OR MIT");
	fputs("\n ", file);
	put_key(file, "job", job->name);
	put_key(file, "title", job->title);
	fputs("\n ", file);
	put_key(file, "unit", job->unit);
	if (job->x)
		put_key(file, "x", job->x);
	else
		fputs("\"x\": null, ", file);
	put_key(file, "size", size_names[asked.size]);
	fprintf(file, "\"rounds\": %u,\n ", asked.rounds);
	put_key(file, "version", pidtrack_version());
	put_key(file, "linux", name.release);
	put_key(file, "machine", name.machine);
	fprintf(file, "\"cpus\": %ld, ", sysconf(_SC_NPROCESSORS_ONLN));
	put_cpu(file, name.machine);
	fputs("\n \"facts\": ", file);
	put_named(file, &facts);
	fputs(",\n \"left_out\": ", file);
	put_named(file, &left_out);
	fputs(",\n \"results\": [\n", file);
	for (unsigned int i = 0; i < n_rows; i++) {
		fputs(i ? ",\n" : "", file);
		put_row(file, rows[i]);
	}
	fputs("\n ]}\n", file);
}

/* A test for each row, and one for each who is not there. */
static void put_tap(void)
{
	printf("TAP version 13\n1..%u\n", n_rows + left_out.n);
	for (unsigned int i = 0; i < n_rows; i++) {
		printf("%sok %u - %s, %s", rows[i]->wrong ? "not " : "", i + 1,
		       rows[i]->who, rows[i]->what);
		if (rows[i]->x)
			printf(", %" PRIu64, rows[i]->x);
		putchar('\n');
	}
	for (unsigned int i = 0; i < left_out.n; i++)
		printf("ok %u - %s # SKIP %s\n", n_rows + i + 1,
		       left_out.all[i].name, left_out.all[i].text);
}

static void put_json(void)
{
	FILE *file = json ? fopen(json, "we") : stdout;

	if (!file)
		bench_give_up(json, -errno);
	put_all(file);
	if (json ? fclose(file) : fflush(file))
		bench_give_up(json ? json : "standard output", -errno);
}

static void free_all(void)
{
	for (unsigned int i = 0; i < n_rows; i++) {
		for (unsigned int j = 0; j < rows[i]->counts.n; j++)
			free(rows[i]->counts.all[j].name);
		free(rows[i]->who);
		free(rows[i]->what);
		free(rows[i]->ns);
		free(rows[i]);
	}
	for (unsigned int i = 0; i < facts.n; i++)
		free(facts.all[i].name);
	for (unsigned int i = 0; i < left_out.n; i++) {
		free(left_out.all[i].name);
		free(left_out.all[i].text);
	}
}

int bench_end(void)
{
	uint64_t n = 0, wrong = 0;

	if (progressing)
		fputs("\r\033[K", stderr);
	if (says_tap())
		put_tap();
	else
		put_json();
	for (unsigned int i = 0; i < n_rows; i++) {
		n += rows[i]->n;
		wrong += rows[i]->wrong;
		if (rows[i]->wrong)
			fprintf(stderr, "%s: %s, %s: %" PRIu64 " wrong\n",
				job->name, rows[i]->who, rows[i]->what,
				rows[i]->wrong);
	}
	fprintf(stderr, "%s: %" PRIu64 " checked, %" PRIu64 " wrong\n",
		job->name, n, wrong);
	free_all();
	return wrong != 0;
}
