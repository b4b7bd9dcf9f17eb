/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "openmetrics.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "command.h"
#include "complain.h"
#include "owned.h"

#define INTERVAL_MS 1000 /* a file is written so often at most */

static struct openmetrics *metrics_of(struct listener *listener)
{
	return (struct openmetrics *)listener; /* its first member */
}

/* ---- what is counted ---- */

static int count_attached(struct listener *listener,
			  const struct target *target)
{
	struct openmetrics *metrics = metrics_of(listener);

	metrics->watched++;
	metrics->changed = true;
	return 0;
}

static enum openmetrics_kind kind_of(const struct ending *ending)
{
	if (ending->source == PIDTRACK_SOURCE_UNKNOWN)
		return OPENMETRICS_UNKNOWN;
	if (WIFEXITED(ending->status))
		return WEXITSTATUS(ending->status) ? OPENMETRICS_FAILED :
						     OPENMETRICS_EXITED;
	return WCOREDUMP(ending->status) ? OPENMETRICS_DUMPED :
					   OPENMETRICS_KILLED;
}

static void count_event(struct listener *listener, const struct target *target)
{
	struct openmetrics *metrics = metrics_of(listener);

	metrics->changed = true;
	if (target->event == PIDTRACK_EXITED)
		metrics->ended++;
	if (!target->ended)
		return;
	metrics->told++;
	metrics->kinds[kind_of(&target->ending)]++;
	if (target->ending.source < OPENMETRICS_SOURCES)
		metrics->sources[target->ending.source]++;
}

static void count_absent(struct listener *listener, const struct target *target,
			 const struct absence *absence)
{
	struct openmetrics *metrics = metrics_of(listener);
	uint32_t verdict = absence->comparison ? absence->comparison->verdict :
						 0;

	metrics->changed = true;
	metrics->absent[verdict < OPENMETRICS_VERDICTS ? verdict : 0]++;
}

static void count_removed(struct listener *listener,
			  const struct target *target)
{
	struct openmetrics *metrics = metrics_of(listener);

	metrics->removed++;
	metrics->changed = true;
}

/* ---- as text ---- */

static void print_head(FILE *to, const char *name, const char *type,
		       const char *help)
{
	(void)fprintf(to, "# TYPE pidtrack_%s %s\n# HELP pidtrack_%s %s\n",
		      name, type, name, help);
}

static void print_one(FILE *to, const char *name, const char *type,
		      uint64_t value, const char *help)
{
	print_head(to, name, type, help);
	(void)fprintf(to, "pidtrack_%s%s %" PRIu64 "\n", name,
		      strcmp(type, "counter") == 0 ? "_total" : "", value);
}

static void print_label(FILE *to, const char *name, const char *label,
			const char *of, uint64_t value)
{
	(void)fprintf(to, "pidtrack_%s_total{%s=\"%s\"} %" PRIu64 "\n", name,
		      label, of, value);
}

static void print_exits(const struct openmetrics *metrics, FILE *to)
{
	static const char *const kinds[OPENMETRICS_KINDS] = {
		[OPENMETRICS_EXITED] = "exited",
		[OPENMETRICS_FAILED] = "failed",
		[OPENMETRICS_KILLED] = "killed",
		[OPENMETRICS_DUMPED] = "dumped",
		[OPENMETRICS_UNKNOWN] = "unknown",
	};

	print_head(to, "exits", "counter",
		   "Ends that were told: exited with code 0, failed with "
		   "another, killed by a signal, dumped core by it, or how is "
		   "unknown.");
	for (size_t i = 0; i < OPENMETRICS_KINDS; i++)
		print_label(to, "exits", "kind", kinds[i], metrics->kinds[i]);
	print_head(
		to, "statuses", "counter",
		"The same by who told: we waited for it, the kernel although "
		"others had, or nobody.");
	for (uint32_t i = 0; i < OPENMETRICS_SOURCES; i++)
		print_label(to, "statuses", "source", pidtrack_source_name(i),
			    metrics->sources[i]);
}

static void print_records(const struct openmetrics *metrics, FILE *to)
{
	print_one(to, "records_without_process", "gauge", metrics->lost,
		  "Records in watched directories whose process is not "
		  "watched.");
	print_head(to, "absences", "counter",
		   "Records that came without a process to watch, by the "
		   "verdict; none where there was nothing to judge by.");
	for (uint32_t i = 0; i < OPENMETRICS_VERDICTS; i++)
		print_label(to, "absences", "verdict",
			    i ? pidtrack_verdict_name(i) : "none",
			    metrics->absent[i]);
	print_one(to, "records_removed", "counter", metrics->removed,
		  "Records that were removed or replaced by another's.");
}

/*
 * Only types that the older text format has, too: node_exporter reads files by
 * that, takes TYPE of a counter for one without samples, and the samples as
 * untyped ones.
 */
static void print_all(const struct openmetrics *metrics, FILE *to)
{
	print_head(
		to, "start_time_seconds", "gauge",
		"When watching began, and the counters with it, since 1970.");
	(void)fprintf(to,
		      "# UNIT pidtrack_start_time_seconds seconds\n"
		      "pidtrack_start_time_seconds %lld.%03ld\n",
		      (long long)metrics->begun.tv_sec,
		      metrics->begun.tv_nsec / 1000000);
	print_one(to, "live_processes", "gauge",
		  metrics->watched - metrics->ended,
		  "Watched processes that run.");
	print_one(to, "untold_exits", "gauge", metrics->ended - metrics->told,
		  "Watched processes that have ended, and how is not told yet: "
		  "their parents have not asked.");
	print_one(to, "watched_processes", "counter", metrics->watched,
		  "Processes that were watched so far.");
	print_exits(metrics, to);
	print_records(metrics, to);
	(void)fputs("# EOF\n", to);
}

/* Return: the text, to be freed; NULL for want of memory. */
static char *tell(const void *of, size_t *ret_size)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, ret_size);

	if (!to)
		return NULL;
	print_all(of, to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

/* ---- into a file ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int fill(int fd, const struct openmetrics *metrics)
{
	CLEANUP(freep) char *text = NULL;
	size_t size;
	ssize_t n;

	text = tell(metrics, &size);
	if (!text)
		return -ENOMEM;
	n = write(fd, text, size);
	if (n < 0 || (size_t)n != size)
		return n < 0 ? -errno : -ENOSPC;
	return fchmod(fd, 0644) < 0 ? -errno : 0;
}

/* Whoever reads finds the one or the other, each whole. */
static int replace(const struct openmetrics *metrics)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(fd_closep) int fd = -1;
	int r;

	/* node_exporter reads names that end in ".prom", so not this one */
	if (asprintf(&path, "%s.XXXXXX", metrics->path) < 0)
		return -ENOMEM;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fill(fd, metrics);
	if (r == 0 && rename(path, metrics->path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(path);
	return r;
}

/* Complains, but not again and again. */
static void write_file(struct openmetrics *metrics)
{
	int r = replace(metrics);

	if (r < 0 && !metrics->failed)
		complain("cannot write the metrics '%s': %s", metrics->path,
			 strerror(-r));
	metrics->failed = r < 0;
	metrics->changed = r < 0;
	metrics->later = now_ms() + INTERVAL_MS;
}

/* ---- as a listener ---- */

static int settle(struct listener *listener, const struct audience *audience)
{
	struct openmetrics *metrics = metrics_of(listener);

	metrics->changed = metrics->changed || metrics->lost != audience->lost;
	metrics->lost = audience->lost;
	if (metrics->scrape)
		scrape_serve(metrics->scrape, tell, metrics);
	else if (metrics->changed && now_ms() >= metrics->later)
		write_file(metrics);
	return 0;
}

static int patience(const struct listener *listener)
{
	const struct openmetrics *metrics =
		(const struct openmetrics *)listener;
	int64_t ms = metrics->later - now_ms();

	if (metrics->scrape)
		return scrape_patience(metrics->scrape);
	if (!metrics->changed)
		return -1;
	return ms > 0 ? (int)ms : 0;
}

static const struct listener_calls calls = {
	.attached = count_attached,
	.event = count_event,
	.absent = count_absent,
	.removed = count_removed,
	.settle = settle,
	.patience = patience,
};

/* ---- which of the two ---- */

/* Return: 1, 0, or EXIT_USAGE, having complained. */
int openmetrics_check(const char *word)
{
	struct scrape_address address;
	int r;

	if (strchr(word, '/'))
		return 1;
	r = scrape_parse(word, &address);
	if (r == -EADDRNOTAVAIL)
		return complain_usage("'%s' is no address of this machine's "
				      "loopback, and no other is listened at: "
				      "127.0.0.1:PORT, [::1]:PORT or :PORT",
				      word);
	if (r == 0)
		return 0;
	if (word[strspn(word, "0123456789")] == 0)
		return complain_usage("--openmetrics: is '%s' a file or a "
				      "port? './%s' or ':%s'",
				      word, word, word);
	if (strchr(word, ':'))
		return complain_usage("'%s' has no port from 0 to 65535 at its "
				      "end; a file would be './%s'",
				      word, word);
	if (strcmp(word, "-") == 0)
		return complain_usage("--openmetrics wants a file or an "
				      "address: standard output has the lines");
	return 1;
}

static int open_scrape(struct openmetrics *metrics, const char *word)
{
	struct scrape_address address;
	int r;

	r = scrape_parse(word, &address);
	if (r == 0)
		r = scrape_open(&address, &metrics->scrape);
	if (r < 0) {
		complain("cannot listen at '%s': %s", word, strerror(-r));
		return EXIT_FAILED;
	}
	metrics->listener.fd = scrape_fd(metrics->scrape);
	/* nobody knows it but we */
	if (strcmp(strrchr(word, ':'), ":0") == 0)
		complain("the metrics are at %.*s:%u",
			 (int)(strrchr(word, ':') - word), word,
			 scrape_port(metrics->scrape));
	return 0;
}

int openmetrics_open(struct openmetrics *metrics, const char *word)
{
	*metrics = (struct openmetrics){
		.listener = { .calls = &calls, .fd = -1 },
	};
	clock_gettime(CLOCK_REALTIME, &metrics->begun);
	if (openmetrics_check(word) == 0)
		return open_scrape(metrics, word);
	metrics->path = word;
	write_file(metrics);
	metrics->later = 0;
	return metrics->failed ? EXIT_FAILED : 0;
}

int openmetrics_close(struct openmetrics *metrics)
{
	if (metrics->path && metrics->changed)
		write_file(metrics);
	metrics->scrape = scrape_free(metrics->scrape);
	return metrics->failed ? EXIT_FAILED : 0;
}
