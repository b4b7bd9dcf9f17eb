/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack list: what a directory of records tells, each with its verdict; only
 * looks.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "complain.h"
#include "format.h"
#include "output.h"
#include "owned.h"
#include "record.h"
#include "target.h"
#include "verdict.h"

/* One record, or a file that is none. */
struct row {
	char *name;  /* owned, in the directory */
	char *label; /* owned; NULL: none */
	pid_t pid;
	int error;	    /* why it is none */
	uint32_t verdict;   /* of one that is */
	uint64_t age;	    /* seconds */
	const char *age_of; /* "process", "record"; NULL: not to be had */
};

struct list {
	bool json;

	const char *path;
	struct row *rows; /* owned, @n of them in room for @room */
	size_t n;
	size_t room;
};

static int set_json(void *to, const char *value)
{
	((struct list *)to)->json = true;
	return 0;
}

static const struct command_option options[] = {
	{ "json", NULL, "one JSON object a line", set_json },
	{ 0 },
};

/* ---- what is known of one ---- */

static uint64_t file_age(const char *path, const char **ret_of)
{
	struct stat file;
	time_t now = time(NULL);

	if (lstat(path, &file) < 0)
		return 0;
	*ret_of = "record";
	return now > file.st_mtime ? (uint64_t)(now - file.st_mtime) : 0;
}

/* Of the process if it is there, else of the record. */
static void find_age(const char *path, struct row *row)
{
	struct proc_glance glance;

	if ((row->verdict == PIDTRACK_VERDICT_SAME ||
	     row->verdict == PIDTRACK_VERDICT_EXITED) &&
	    proc_glance(row->pid, &glance) == 0) {
		row->age = proc_age(glance.start);
		row->age_of = "process";
		return;
	}
	row->age = file_age(path, &row->age_of);
}

static void look_at(const struct pidtrack_found *found, const char *path,
		    struct row *row)
{
	row->error = found->error;
	if (found->record) {
		row->pid = pidtrack_record_pid(found->record);
		row->verdict = found->comparison->verdict;
	}
	find_age(path, row);
}

/* ---- for programs ---- */

static void fault_json(int error, struct json *json)
{
	json_string(json, "error", error ? strerrorname_np(-error) : NULL);
	json_string(json, "message", error ? record_fault(error) : NULL);
}

static void print_json(const struct row *row, const char *path,
		       const struct pidtrack_found *found)
{
	struct target target = { .id.record = path };
	struct json object;

	if (found->record)
		target_of_record(found->record, path, &target);
	json_begin(&object);
	target_json(&target, "listed", &object);
	if (found->record)
		verdict_json(found->comparison, &object);
	else
		json_null(&object, "verdict");
	if (row->age_of)
		json_number(&object, "age_seconds", row->age);
	else
		json_null(&object, "age_seconds");
	json_string(&object, "age_of", row->age_of);
	record_json(found->record, &object);
	fault_json(row->error, &object);
	json_end(&object);
}

/* ---- for people ---- */

#define NAME_LEAST 12
#define NAME_MOST 40 /* on a terminal */

/* A line is RECORD VERDICT PID AGE LABEL. */
struct layout {
	int name; /* columns */
	int label;
};

#define FORMAT "%-*s %-10s %7s %6s  %.*s\n"
#define FORMAT_COLUMNS                                        \
	(1 + 10 + 1 + 7 + 1 + 6 + 2) /* without the outer two \
				      */

static size_t longest_name(const struct list *list)
{
	size_t longest = NAME_LEAST;

	for (size_t i = 0; i < list->n; i++) {
		size_t n = strlen(list->rows[i].name);

		if (n > longest)
			longest = n;
	}
	return longest;
}

/* Into the columns of a terminal; elsewhere nothing is cut. */
static void lay_out(const struct list *list, struct layout *ret_layout)
{
	size_t name = longest_name(list);
	struct winsize size;
	int left;

	*ret_layout = (struct layout){ (int)name, TARGET_LABEL_SIZE };
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	left = (size.ws_col ? size.ws_col : 80) - FORMAT_COLUMNS - 1;
	ret_layout->name = name < NAME_MOST ? (int)name : NAME_MOST;
	if (ret_layout->name > left - NAME_LEAST)
		ret_layout->name = left - NAME_LEAST;
	if (ret_layout->name < NAME_LEAST)
		ret_layout->name = NAME_LEAST;
	left -= ret_layout->name;
	ret_layout->label = left > 0 ? left : 0;
}

/* A long name loses its middle: hosts begin and end them alike. */
static void cut_name(char *name, size_t most)
{
	size_t n = strlen(name), head = (most - 3) / 2, tail = most - 3 - head;

	if (n <= most)
		return;
	memset(name + head, '.', 3);
	memmove(name + head + 3, name + n - tail, tail + 1);
}

static void print_row(struct row *row, const struct layout *layout)
{
	char pid[16] = "-", age[AGE_SIZE] = "-", label[TARGET_LABEL_SIZE];
	const char *verdict = "-";

	if (row->error) {
		format_text(label, sizeof(label), "(%s)",
			    record_fault(row->error));
	} else {
		verdict = pidtrack_verdict_name(row->verdict);
		format_text(pid, sizeof(pid), "%d", row->pid);
		format_text(label, sizeof(label), "%s",
			    row->label ? row->label : "-");
	}
	if (row->age_of)
		format_age(age, row->age);
	format_printable(row->name);
	format_printable(label);
	cut_name(row->name, (size_t)layout->name);
	printf(FORMAT, layout->name, row->name, verdict, pid, age,
	       layout->label, label);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->name,
		      ((const struct row *)b)->name);
}

static void print_rows(struct list *list)
{
	struct layout layout;

	lay_out(list, &layout);
	if (list->n)
		qsort(list->rows, list->n, sizeof(list->rows[0]), by_name);
	printf(FORMAT, layout.name, "RECORD", "VERDICT", "PID", "AGE",
	       layout.label, "LABEL");
	for (size_t i = 0; i < list->n; i++)
		print_row(&list->rows[i], &layout);
}

/* ---- all of them ---- */

static int make_room(struct list *list)
{
	size_t room = list->room ? list->room * 2 : 64;
	struct row *rows;

	if (list->n < list->room)
		return 0;
	rows = reallocarray(list->rows, room, sizeof(rows[0]));
	if (!rows)
		return -ENOMEM;
	list->rows = rows;
	list->room = room;
	return 0;
}

static int keep(struct list *list, const struct pidtrack_found *found,
		struct row *row)
{
	const char *label =
		found->record ? pidtrack_record_label(found->record) : NULL;

	if (make_room(list) < 0)
		return -ENOMEM;
	row->name = strdup(found->name);
	row->label = label ? strdup(label) : NULL;
	list->rows[list->n++] = *row;
	return !row->name || (label && !row->label) ? -ENOMEM : 0;
}

/* Return: 0, or a negative errno. */
static int take(struct list *list, const struct pidtrack_found *found,
		bool *ret_told)
{
	CLEANUP(freep) char *path = NULL;
	struct row row = { 0 };

	path = record_path(list->path, found->name);
	if (!path)
		return -ENOMEM;
	look_at(found, path, &row);
	if (row.error || row.verdict == PIDTRACK_VERDICT_UNPROVEN)
		*ret_told = false;
	if (!list->json)
		return keep(list, found, &row);
	print_json(&row, path, found);
	return 0;
}

static void free_rows(struct list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->rows[i].name);
		free(list->rows[i].label);
	}
	free(list->rows);
}

static int list_all(struct list *list, struct pidtrack_registry *registry,
		    struct pidtrack *tracker)
{
	const struct pidtrack_found *found;
	bool told = true;
	int r;

	while ((r = pidtrack_registry_next(registry, tracker, &found)) > 0) {
		r = take(list, found, &told);
		if (r < 0)
			break;
	}
	if (!list->json && r == 0)
		print_rows(list);
	if (r < 0) {
		complain("cannot list '%s': %s", list->path, strerror(-r));
		return EXIT_FAILED;
	}
	return told ? EXIT_AS_ASKED : EXIT_UNTOLD;
}

static int list_directory(struct list *list)
{
	CLEANUP(pidtrack_registry_freep)
	struct pidtrack_registry *registry = NULL;
	CLEANUP(pidtrack_freep) struct pidtrack *tracker = NULL;
	int r;

	r = directory_open(list->path, 0, &registry);
	if (r == 0)
		r = tracker_open(&tracker);
	return r ? r : list_all(list, registry, tracker);
}

static int list_run(int argc, char **argv)
{
	struct list list = { 0 };
	int r;

	r = arguments_parse(&command_list, &list, &argc, &argv);
	if (r != ARGUMENTS_FINE)
		return r;
	if (argc == 0)
		return complain_usage("which DIR? A directory of records");
	if (argc > 1)
		return complain_usage("one DIR at a time, not %d", argc);

	output_begin();
	list.path = argv[0];
	r = list_directory(&list);
	free_rows(&list);
	return output_finish(r);
}

const struct command command_list = {
	.name = "list",
	.operands = "DIR",
	.purpose = "Shows the records in a directory, each with its verdict",
	.more = "A line a record: its file, the verdict (same, exited,\n"
		"reused, gone, other-boot, unproven), the pid in it, the age\n"
		"of the process, or of the record if that is not there, and\n"
		"the label.  What is no record is listed with the reason.\n"
		"This only looks, as verify does.\n"
		"\n"
		"Exits with 0, whatever the verdicts; 3 if one is unproven\n"
		"or a file could not be read as a record; 2 for a wrong\n"
		"command line, 4 if DIR cannot be read or for another\n"
		"failure.\n",
	.options = options,
	.run = list_run,
};
