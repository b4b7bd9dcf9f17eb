/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack watch: the states of processes and their events, as they happen.
 */
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "audience.h"
#include "complain.h"
#include "follow.h"
#include "interrupt.h"
#include "openmetrics.h"
#include "output.h"
#include "owned.h"
#include "speaker.h"
#include "target.h"
#include "trace.h"

struct watch {
	struct audience audience;
	bool json;
	const char *trace_to;	/* lent; NULL: no trace */
	const char *metrics_to; /* likewise */
	struct speaker speaker;
	struct trace trace;
	struct openmetrics metrics;
	struct targets targets; /* those that were named */
	struct follow *follows; /* @n directories, owned */
	size_t n;
	size_t n_gone;	    /* of these, not there any more */
	struct pollfd *fds; /* FDS_, then theirs; owned */
};

/* What is polled in any case. */
enum {
	FDS_TRACKER,
	FDS_OUTPUT,
	FDS_INTERRUPT,
	FDS_LISTENERS,
	FDS_MORE = FDS_LISTENERS + AUDIENCE_MAX
};

static int set_legacy(void *to, const char *value)
{
	((struct watch *)to)->audience.attach |= TARGET_LEGACY;
	return 0;
}

static int set_json(void *to, const char *value)
{
	((struct watch *)to)->json = true;
	return 0;
}

static int set_trace(void *to, const char *value)
{
	if (strcmp(value, "-") == 0)
		return complain_usage("--trace wants a file: standard output "
				      "has the lines");
	((struct watch *)to)->trace_to = value;
	return 0;
}

static int set_openmetrics(void *to, const char *value)
{
	if (openmetrics_check(value) == EXIT_USAGE)
		return EXIT_USAGE;
	((struct watch *)to)->metrics_to = value;
	return 0;
}

static int add_label(void *to, const char *value)
{
	return globs_add(&((struct watch *)to)->audience.wanted, value);
}

static const struct command_option options[] = {
	{ "label", "GLOB", "only what is called so; may be given again",
	  add_label },
	{ "legacy", NULL, "believe a record that has only a number",
	  set_legacy },
	{ "json", NULL, "one JSON object a line", set_json },
	{ "trace", "FILE", "also their lives, as Chrome and Perfetto show them",
	  set_trace },
	{ "openmetrics", "ADDR|FILE",
	  "also counts, at http://ADDR/metrics or in FILE", set_openmetrics },
	{ 0 },
};

/* Return: 0, or EXIT_FAILED, having complained. */
static int take_events(struct audience *audience)
{
	const struct pidtrack_event *event;
	int r;

	while ((r = pidtrack_next(audience->tracker, &event)) > 0)
		audience_event(audience, target_note(event));
	return r < 0 ? tracker_failed("watching", r) : 0;
}

/* Return: 0, or the highest exit_code of what went wrong, as follow_take(). */
static int take_directories(struct watch *watch)
{
	int highest = 0;

	for (size_t i = 0; i < watch->n; i++) {
		struct pollfd *fd = &watch->fds[FDS_MORE + i];
		int r = 0;

		if (fd->fd >= 0 && fd->revents)
			r = follow_take(&watch->follows[i], &watch->audience);
		if (r) {
			fd->fd = -1;
			watch->n_gone++;
		}
		if (r > highest)
			highest = r;
		follow_sweep(&watch->follows[i], &watch->audience);
	}
	return highest;
}

/*
 * Sleeps until something happens, or a listener is impatient.
 *
 * Return: whether somebody is still there to read about it, and wants to.
 */
static bool await(struct watch *watch)
{
	poll(watch->fds, FDS_MORE + watch->n,
	     audience_patience(&watch->audience));
	return !(watch->fds[FDS_OUTPUT].revents & (POLLERR | POLLHUP));
}

/* Return: an exit_code. */
static int watch_all(struct watch *watch)
{
	int highest = 0, r;

	do {
		r = take_events(&watch->audience);
		if (r)
			return r;
		r = take_directories(watch);
		if (r > highest)
			highest = r;
		r = audience_settle(&watch->audience);
		if (interrupt_taken())
			break;
		if (r < 0)
			return r == -EPIPE ? highest : output_failed(r);
		if (watch->audience.left == 0 && watch->n == watch->n_gone)
			break;
	} while (await(watch));
	return highest;
}

/* Directories come to the end of the @n words.  Return: how many others. */
static size_t part_directories(char **words, size_t n)
{
	size_t others = 0;

	for (size_t i = 0; i < n; i++) {
		struct stat file;
		char *word = words[i];

		if (process_name_is_file(word) && stat(word, &file) == 0 &&
		    S_ISDIR(file.st_mode))
			continue;
		memmove(&words[others + 1], &words[others],
			(i - others) * sizeof(*words));
		words[others++] = word;
	}
	return others;
}

/* Return: 0, or an exit_code, having complained. */
static int open_directories(struct watch *watch, char **paths, size_t n)
{
	int highest = 0;

	watch->follows = calloc(n + 1, sizeof(watch->follows[0]));
	watch->fds = calloc(FDS_MORE + n, sizeof(watch->fds[0]));
	if (!watch->follows || !watch->fds)
		return tracker_failed("beginning", -ENOMEM);
	for (size_t i = 0; i < n; i++) {
		struct follow *follow = &watch->follows[watch->n];
		int r = follow_open(paths[i], follow);

		if (r > highest)
			highest = r;
		if (r)
			continue;
		watch->fds[FDS_MORE + watch->n++] = (struct pollfd){
			.fd = pidtrack_registry_fd(follow->registry),
			.events = POLLIN,
			.revents = POLLIN, /* the scan */
		};
	}
	return highest;
}

/* Each record in a directory costs a descriptor. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Return: 0, or the highest exit_code of what is not there. */
static int begin(struct watch *watch, char **words, size_t n)
{
	size_t processes = part_directories(words, n);
	int highest = 0, r = 0;

	if (n == 0)
		return complain_usage(
			"which PROCESS or DIR? " PROCESS_NAME_KINDS
			", or a directory of such");
	if (processes > 0)
		highest = targets_attach(&watch->targets, words, processes,
					 watch->audience.attach);
	else
		highest = tracker_open(&watch->targets.tracker);
	if (!watch->targets.tracker || highest == EXIT_USAGE)
		return highest;

	watch->audience.tracker = watch->targets.tracker;
	if (n > processes)
		raise_limit();
	r = open_directories(watch, words + processes, n - processes);
	return r > highest ? r : highest;
}

/* ---- those who are told ---- */

/* Whether @path is in one of the directories: it would be told of itself, and
 * that without an end. */
static bool is_followed(const struct watch *watch, const char *path)
{
	CLEANUP(freep) char *copy = strdup(path);
	struct stat place, followed;

	if (!copy || stat(dirname(copy), &place) < 0)
		return false;
	for (size_t i = 0; i < watch->n; i++) {
		if (stat(watch->follows[i].path, &followed) == 0 &&
		    followed.st_dev == place.st_dev &&
		    followed.st_ino == place.st_ino)
			return true;
	}
	return false;
}

static int check_outside(const struct watch *watch, const char *path)
{
	if (!path || !is_followed(watch, path))
		return 0;
	return complain_usage("'%s' is in a directory that is watched, where "
			      "it would be told of itself",
			      path);
}

/* So that what is written comes to its end. */
static int await_interrupts(struct watch *watch)
{
	int fd = interrupt_open();

	watch->fds[FDS_INTERRUPT] = (struct pollfd){
		.fd = fd,
		.events = POLLIN,
	};
	return fd < 0 ? tracker_failed("beginning", fd) : 0;
}

/* Return: 0, or an exit_code, having complained. */
static int open_files(struct watch *watch)
{
	const char *file = watch->metrics_to;
	int r;

	if (file && openmetrics_check(file) == 0)
		file = NULL;
	r = check_outside(watch, watch->trace_to);
	if (r == 0)
		r = check_outside(watch, file);
	if (r == 0 && watch->trace_to) {
		audience_add(&watch->audience, &watch->trace.listener);
		r = trace_open(&watch->trace, watch->trace_to);
	}
	if (r == 0 && watch->metrics_to) {
		audience_add(&watch->audience, &watch->metrics.listener);
		r = openmetrics_open(&watch->metrics, watch->metrics_to);
	}
	if (r == 0 && (watch->trace_to || watch->metrics_to))
		r = await_interrupts(watch);
	return r;
}

/* Return: 0, or EXIT_FAILED, having complained. */
static int open_audience(struct watch *watch)
{
	int r;

	watch->fds[FDS_INTERRUPT].fd = -1;
	r = open_files(watch);
	if (r)
		return r;
	r = speaker_begin(&watch->speaker, watch->json);
	if (r < 0)
		return tracker_failed("beginning", r);
	audience_add(&watch->audience, &watch->speaker.listener);
	return 0;
}

static void await_all(struct watch *watch)
{
	const struct audience *audience = &watch->audience;

	watch->fds[FDS_TRACKER] = (struct pollfd){
		.fd = pidtrack_fd(audience->tracker),
		.events = POLLIN,
	};
	/* tells only that the reader left */
	watch->fds[FDS_OUTPUT].fd = STDOUT_FILENO;
	for (size_t i = 0; i < AUDIENCE_MAX; i++) {
		watch->fds[FDS_LISTENERS + i] = (struct pollfd){
			.fd = i < audience->n ? audience->listeners[i]->fd : -1,
			.events = POLLIN,
		};
	}
}

/* Return: an exit_code. */
static int close_audience(struct watch *watch)
{
	int r = 0, others = 0;

	if (watch->trace.path)
		r = trace_close(&watch->trace);
	others = openmetrics_close(&watch->metrics);
	speaker_done(&watch->speaker);
	return r > others ? r : others;
}

/* One that is not wanted is let go of: nothing will be told of it.
 * Return: 0, or EXIT_FAILED, having complained. */
static int show(struct audience *audience, struct target *target)
{
	if (globs_match(&audience->wanted, target->label, target->id.record))
		return audience_attached(audience, target);
	target->process = pidtrack_process_free(target->process);
	return 0;
}

static int watch_named(struct watch *watch, char **words, size_t n)
{
	struct audience *audience = &watch->audience;
	int missing, r;

	speaker_expect(watch->json);
	missing = begin(watch, words, n);
	if (watch->targets.n == 0 && watch->n == 0)
		return missing;
	r = open_audience(watch);
	if (r == 0)
		await_all(watch);
	for (size_t i = 0; i < watch->targets.n && r == 0; i++)
		r = show(audience, &watch->targets.all[i]);
	if (r == 0)
		r = watch_all(watch);
	for (size_t i = 0; i < watch->n; i++)
		follow_done(&watch->follows[i], audience);
	return r > missing ? r : missing;
}

static int watch_run(int argc, char **argv)
{
	struct watch watch = { 0 };
	int r, written = 0;

	r = arguments_parse(&command_watch, &watch, &argc, &argv);
	if (r == ARGUMENTS_FINE) {
		output_begin();
		r = watch_named(&watch, argv, (size_t)argc);
		written = close_audience(&watch);
	}
	targets_done(&watch.targets);
	globs_done(&watch.audience.wanted);
	free(watch.follows);
	free(watch.fds);
	if (interrupt_taken())
		return interrupt_end();
	return r > written ? r : written;
}

#ifdef PT_HAVE_NCURSES
#define WATCH_TABLE                                                          \
	"A table in the foreground of a terminal, lines elsewhere.  There\n" \
	"q ends, and the arrows and PgUp, PgDn, Home and End scroll.\n"
#else
#define WATCH_TABLE                                                         \
	"Lines also on a terminal: this was built without ncurses, and a\n" \
	"table is drawn with that.\n"
#endif

const struct command command_watch = {
	.name = "watch",
	.operands = "PROCESS|DIR...",
	.purpose = "Shows the states and events of processes until all have "
		   "ended",
	.more = "PROCESS is PID, PID:INODE for one that can be no other, a\n"
		"record file or a pin, for the process that it is of.  DIR is\n"
		"a directory of records or pins: the processes of those that\n"
		"are and come there are watched, and what is removed is told,\n"
		"until DIR itself is.\n"
		"GLOB is matched with the label and with the name of the\n"
		"record's file; a process with neither is called nothing.\n" WATCH_TABLE
		"Ends quietly when nobody reads any more.\n"
		"\n"
		"Exits with 0; 1 if a PROCESS does not exist, the others\n"
		"are watched, or when DIR is removed; 2 for a wrong command\n"
		"line, 3 if a PROCESS cannot be told from others here, 4\n"
		"for a failure, also to read a record or DIR.\n",
	.options = options,
	.run = watch_run,
};
