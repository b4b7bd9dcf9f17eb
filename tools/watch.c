/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack watch: the states of processes and their events, as they happen.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "follow.h"
#include "output.h"
#include "owned.h"
#include "table.h"
#include "target.h"

struct watch {
	struct audience audience;
	struct targets targets; /* those that were named */
	struct follow *follows; /* @n directories, owned */
	size_t n;
	size_t n_gone;	    /* of these, not there any more */
	struct pollfd *fds; /* FDS_, then theirs; owned */
};

/* What is polled in any case. */
enum { FDS_TRACKER, FDS_OUTPUT, FDS_MORE };

static int set_legacy(void *to, const char *value)
{
	((struct watch *)to)->audience.attach |= TARGET_LEGACY;
	return 0;
}

static int set_json(void *to, const char *value)
{
	((struct watch *)to)->audience.json = true;
	return 0;
}

static const struct command_option options[] = {
	{ "legacy", NULL, "believe a record that has only a number",
	  set_legacy },
	{ "json", NULL, "one JSON object a line", set_json },
	{ 0 },
};

/* Return: 0, or EXIT_FAILED, having complained. */
static int take_events(struct audience *audience)
{
	const struct pidtrack_event *event;
	int r;

	while ((r = pidtrack_next(audience->tracker, &event)) > 0) {
		const struct target *target = target_note(event);

		if (target->ended)
			audience->left--;
		if (!audience->table)
			target_print_event(target, audience->json);
	}
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

static void draw(const struct watch *watch)
{
	size_t lost = 0;

	if (!watch->audience.table)
		return;
	for (size_t i = 0; i < watch->n; i++)
		lost += watch->follows[i].lost;
	table_draw(watch->audience.table, lost);
}

/*
 * Sleeps until something happens, or the ages in the table have grown.
 *
 * Return: whether somebody is still there to read about it.
 */
static bool await(struct watch *watch)
{
	poll(watch->fds, FDS_MORE + watch->n,
	     watch->audience.table ? TABLE_INTERVAL_MS : -1);
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
		draw(watch);
		r = output_flush();
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

	if (processes > 0 || n == 0)
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

static int watch_named(struct watch *watch, char **words, size_t n)
{
	CLEANUP(table_freep) struct table *table = NULL;
	int missing, r = 0;

	missing = begin(watch, words, n);
	if (watch->targets.n == 0 && watch->n == 0)
		return missing;
	if (!watch->audience.json && table_wanted()) {
		table = table_new();
		if (!table)
			return tracker_failed("beginning", -ENOMEM);
		watch->audience.table = table;
	}

	watch->fds[FDS_TRACKER] = (struct pollfd){
		.fd = pidtrack_fd(watch->audience.tracker),
		.events = POLLIN,
	};
	/* tells only that the reader left */
	watch->fds[FDS_OUTPUT].fd = STDOUT_FILENO;
	for (size_t i = 0; i < watch->targets.n && r == 0; i++)
		r = audience_show(&watch->audience, &watch->targets.all[i]);
	if (r == 0)
		r = watch_all(watch);
	for (size_t i = 0; i < watch->n; i++)
		follow_done(&watch->follows[i], &watch->audience);
	return r > missing ? r : missing;
}

static int watch_run(int argc, char **argv)
{
	struct watch watch = { 0 };
	int r;

	r = arguments_parse(&command_watch, &watch, &argc, &argv);
	if (r != ARGUMENTS_FINE)
		return r;
	output_begin();
	r = watch_named(&watch, argv, (size_t)argc);
	targets_done(&watch.targets);
	free(watch.follows);
	free(watch.fds);
	return r;
}

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
		"A table in the foreground of a terminal, lines elsewhere.\n"
		"Ends quietly when nobody reads any more.\n"
		"\n"
		"Exits with 0; 1 if a PROCESS does not exist, the others\n"
		"are watched, or when DIR is removed; 2 for a wrong command\n"
		"line, 3 if a PROCESS cannot be told from others here, 4\n"
		"for a failure, also to read a record or DIR.\n",
	.options = options,
	.run = watch_run,
};
