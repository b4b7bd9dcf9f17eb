/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack watch: the states of processes and their events, as they happen.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "complain.h"
#include "output.h"
#include "owned.h"
#include "table.h"
#include "target.h"

struct watch {
	unsigned int attach; /* TARGET_ */
	bool json;

	struct targets targets;
	size_t left;	     /* of these, not ended so far */
	struct table *table; /* NULL: lines */
};

static int set_legacy(void *to, const char *value)
{
	((struct watch *)to)->attach |= TARGET_LEGACY;
	return 0;
}

static int set_json(void *to, const char *value)
{
	((struct watch *)to)->json = true;
	return 0;
}

static const struct command_option options[] = {
	{ "legacy", NULL, "believe a record that has only a number",
	  set_legacy },
	{ "json", NULL, "one JSON object a line", set_json },
	{ 0 },
};

/* Return: 0, or a negative errno. */
static int take_events(struct watch *watch)
{
	const struct pidtrack_event *event;
	int r;

	while ((r = pidtrack_next(watch->targets.tracker, &event)) > 0) {
		const struct target *target = target_note(event);

		if (target->ended)
			watch->left--;
		if (!watch->table)
			target_print_event(target, watch->json);
	}
	return r;
}

/*
 * Sleeps until something happens, or the ages in the table have grown.
 *
 * Return: whether somebody is still there to read about it.
 */
static bool await(const struct watch *watch)
{
	struct pollfd fds[] = {
		{ .fd = pidtrack_fd(watch->targets.tracker), .events = POLLIN },
		{ .fd = STDOUT_FILENO }, /* tells only that the reader left */
	};

	poll(fds, ARRAY_SIZE(fds), watch->table ? TABLE_INTERVAL_MS : -1);
	return !(fds[1].revents & (POLLERR | POLLHUP));
}

static int watch_all(struct watch *watch)
{
	bool read = true;

	while (read) {
		int r = take_events(watch);

		if (r < 0)
			return tracker_failed("watching", r);
		if (watch->table)
			table_draw(watch->table);
		r = output_flush();
		if (r < 0)
			return r == -EPIPE ? 0 : output_failed(r);
		if (watch->left == 0)
			break;
		read = await(watch);
	}
	return 0;
}

/* Return: 0, or EXIT_FAILED, having complained. */
static int show(struct watch *watch, const struct target *target)
{
	int r;

	if (!watch->table) {
		target_print_attached(target, watch->json);
		return 0;
	}
	r = table_add(watch->table, target);
	return r < 0 ? tracker_failed("watching", r) : 0;
}

static int watch_named(struct watch *watch, char **words, size_t n)
{
	CLEANUP(table_freep) struct table *table = NULL;
	int missing, r = 0;

	missing = targets_attach(&watch->targets, words, n, watch->attach);
	if (watch->targets.n == 0)
		return missing;

	if (!watch->json && table_wanted()) {
		table = table_new();
		if (!table)
			return tracker_failed("beginning", -ENOMEM);
		watch->table = table;
	}
	for (size_t i = 0; i < watch->targets.n && r == 0; i++)
		r = show(watch, &watch->targets.all[i]);

	watch->left = watch->targets.n;
	if (r == 0)
		r = watch_all(watch);
	return r ? r : missing;
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
	return r;
}

const struct command command_watch = {
	.name = "watch",
	.operands = "PROCESS...",
	.purpose = "Shows the states and events of processes until all have "
		   "ended",
	.more = "PROCESS is PID, PID:INODE for one that can be no other, or a\n"
		"record file, for the process that it is of.\n"
		"A table in the foreground of a terminal, lines elsewhere.\n"
		"Ends quietly when nobody reads any more.\n"
		"\n"
		"Exits with 0; 1 if a PROCESS does not exist, the others\n"
		"are watched; 2 for a wrong command line, 3 if a PROCESS\n"
		"cannot be told from others here, 4 for a failure, also to\n"
		"read a record.\n",
	.options = options,
	.run = watch_run,
};
