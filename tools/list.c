/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack list: what a directory of records or pins tells, each with its
 * verdict; only looks, unless it is to prune.
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
#include "pins.h"
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
	bool ended;	    /* and how is known: */
	struct ending ending;
	bool pruned; /* it is removed, or just to be */
};

/* A pin whose end is told. */
struct dead {
	char *name; /* owned, as the other */
	char *fingerprint;
};

struct list {
	bool json;
	bool prune;
	bool pins; /* that is a directory of them, and ours */

	const char *path;
	struct row *rows; /* owned, @n of them in room for @room */
	size_t n;
	size_t room;

	struct dead *dead; /* owned, @n_dead of them: pins to let go of */
	size_t n_dead;
	bool failed; /* something could not be removed */
};

static int set_json(void *to, const char *value)
{
	((struct list *)to)->json = true;
	return 0;
}

static int set_prune(void *to, const char *value)
{
	((struct list *)to)->prune = true;
	return 0;
}

static const struct command_option options[] = {
	{ "prune", NULL, "remove what is proven dead, and say so", set_prune },
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
		row->ended = row->verdict != PIDTRACK_VERDICT_SAME &&
			     record_ending(path, found->record, &row->ending);
	}
	find_age(path, row);
}

/* ---- what is proven dead ---- */

static bool is_empty_file(const char *path, mode_t *ret_mode)
{
	struct stat file;

	if (lstat(path, &file) < 0 || !S_ISREG(file.st_mode) ||
	    file.st_size != 0)
		return false;
	*ret_mode = file.st_mode;
	return true;
}

/*
 * A pin that is not one yet never will be: nobody is there who makes it. Should
 * it be faster, it is busy.
 */
static bool clear_away(const char *path)
{
	mode_t mode;

	return is_empty_file(path, &mode) && unlink(path) == 0;
}

/*
 * The file under a pin is not to be written to: without the pin it is what a
 * host left that was killed as it let go of one, of which all is told.
 */
static bool clear_left(const struct list *list,
		       const struct pidtrack_found *found, const char *path)
{
	mode_t mode;

	return list->pins && found->error == -EBADMSG &&
	       is_empty_file(path, &mode) && !(mode & S_IWUSR) &&
	       unlink(path) == 0;
}

/*
 * How it ended may be unknown here, as in another pid namespace, and still be
 * told elsewhere; not by a kernel that tells it nobody.
 */
static bool is_told(const struct row *row)
{
	int r;

	if (!row->ended || row->ending.source != PIDTRACK_SOURCE_UNKNOWN)
		return row->ended;
	r = pidtrack_feature_probe(PIDTRACK_FEATURE_EXIT_INFO);
	return r == -ENOTTY || r == -ESRCH || r == -EOPNOTSUPP;
}

/* It goes once all has been told, for with it its status is lost. */
static int note_dead_pin(struct list *list, const struct pidtrack_found *found)
{
	struct dead *dead;

	dead = reallocarray(list->dead, list->n_dead + 1, sizeof(dead[0]));
	if (!dead)
		return -ENOMEM;
	list->dead = dead;
	dead += list->n_dead++;
	dead->name = strdup(found->name);
	dead->fingerprint = strdup(pidtrack_record_fingerprint(found->record));
	return dead->name && dead->fingerprint ? 0 : -ENOMEM;
}

static void not_removed(struct list *list, const char *path, int error)
{
	complain("cannot remove '%s': %s", path, strerror(-error));
	list->failed = true;
}

/* Return: whether it was removed; not if it is another by now. */
static bool remove_record(struct list *list, const struct pidtrack_found *found,
			  const char *path)
{
	int r;

	r = pidtrack_record_remove(path, found->record);
	if (r < 0 && r != -ESTALE && r != -ENOENT)
		not_removed(list, path, r);
	return r == 0;
}

static int prune_pin(struct list *list, const struct pidtrack_found *found,
		     const char *path, struct row *row)
{
	if (!found->record) {
		row->pruned = found->error == -EBADMSG && clear_away(path);
		return 0;
	}
	if (pidtrack_record_format(found->record) != PIDTRACK_RECORD_PIN)
		return 0;
	row->pruned = is_told(row);
	if (row->ended && !row->pruned)
		complain("'%s' stays: how it ended is not told here, but may "
			 "be elsewhere, such as outside of this pid namespace",
			 path);
	return row->pruned ? note_dead_pin(list, found) : 0;
}

static int prune(struct list *list, const struct pidtrack_found *found,
		 const char *path, struct row *row)
{
	if (list->pins)
		return prune_pin(list, found, path, row);
	if (row->verdict == PIDTRACK_VERDICT_GONE ||
	    row->verdict == PIDTRACK_VERDICT_REUSED ||
	    row->verdict == PIDTRACK_VERDICT_OTHER_BOOT)
		row->pruned = remove_record(list, found, path);
	return 0;
}

/* ---- for programs ---- */

static void fault_json(int error, struct json *json)
{
	json_string(json, "error", error ? strerrorname_np(-error) : NULL);
	json_string(json, "message", error ? record_fault(error) : NULL);
}

static void print_json(const struct list *list, const struct row *row,
		       const char *path, const struct pidtrack_found *found)
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
	if (row->ended)
		ending_json(&row->ending, &object);
	if (list->prune)
		json_bool(&object, "pruned", row->pruned);
	json_end(&object);
}

/* ---- for people ---- */

#define NAME_LEAST 12
#define NAME_MOST 40 /* on a terminal */

/* A line is RECORD VERDICT PID AGE STATUS PRUNED LABEL. */
struct layout {
	int name; /* columns */
	int label;
	int pruned; /* 0: there is no such */
};

#define FORMAT "%-*s %-10s %7s %6s  %-13s %-*s%.*s\n"
#define FORMAT_COLUMNS                                        \
	(1 + 10 + 1 + 7 + 1 + 6 + 2 + 13 + 1) /* of the inner \
					       */
#define PRUNED_COLUMNS 7

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

	*ret_layout = (struct layout){
		.name = (int)name,
		.label = TARGET_LABEL_SIZE,
		.pruned = list->prune ? PRUNED_COLUMNS : 0,
	};
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	left = (size.ws_col ? size.ws_col : 80) - FORMAT_COLUMNS - 1 -
	       ret_layout->pruned;
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
	char status[ENDING_BRIEF_SIZE] = "-";
	const char *verdict = "-", *pruned = row->pruned ? "pruned" : "-";

	if (row->error) {
		format_text(label, sizeof(label), "(%s)",
			    record_fault(row->error));
	} else {
		verdict = pidtrack_verdict_name(row->verdict);
		if (row->pid)
			format_text(pid, sizeof(pid), "%d", row->pid);
		format_text(label, sizeof(label), "%s",
			    row->label ? row->label : "-");
	}
	if (row->age_of)
		format_age(age, row->age);
	if (row->ended)
		ending_brief(&row->ending, status);
	format_printable(row->name);
	format_printable(label);
	cut_name(row->name, (size_t)layout->name);
	printf(FORMAT, layout->name, row->name, verdict, pid, age, status,
	       layout->pruned, layout->pruned ? pruned : "", layout->label,
	       label);
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
	printf(FORMAT, layout.name, "RECORD", "VERDICT", "PID", "AGE", "STATUS",
	       layout.pruned, layout.pruned ? "PRUNED" : "", layout.label,
	       "LABEL");
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

static bool is_untold(const struct list *list, const struct row *row)
{
	if (row->pruned)
		return false;
	return row->error || row->verdict == PIDTRACK_VERDICT_UNPROVEN ||
	       (list->pins && row->ended &&
		row->ending.source == PIDTRACK_SOURCE_UNKNOWN);
}

/* Return: 0, or a negative errno. */
static int take(struct list *list, const struct pidtrack_found *found,
		bool *ret_told)
{
	CLEANUP(freep) char *path = NULL;
	struct row row = { 0 };
	int r = 0;

	path = record_path(list->path, found->name);
	if (!path)
		return -ENOMEM;
	if (clear_left(list, found, path))
		return 0;
	look_at(found, path, &row);
	if (list->prune)
		r = prune(list, found, path, &row);
	if (is_untold(list, &row))
		*ret_told = false;
	if (r < 0 || !list->json)
		return r < 0 ? r : keep(list, found, &row);
	print_json(list, &row, path, found);
	return 0;
}

static void free_rows(struct list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->rows[i].name);
		free(list->rows[i].label);
	}
	free(list->rows);
	for (size_t i = 0; i < list->n_dead; i++) {
		free(list->dead[i].name);
		free(list->dead[i].fingerprint);
	}
	free(list->dead);
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

/* Return: 0 if it is gone, or a negative errno. */
static int let_go(const char *path, const char *fingerprint)
{
	CLEANUP(pidtrack_record_freep) struct pidtrack_record *record = NULL;
	int r;

	r = pidtrack_record_read(path, &record);
	if (r < 0)
		return r;
	if (pidtrack_record_format(record) != PIDTRACK_RECORD_PIN ||
	    strcmp(pidtrack_record_fingerprint(record), fingerprint) != 0)
		return -ESTALE;
	return pidtrack_record_remove(path, record);
}

/* What was not told is not let go of, nor who ends only now. */
static int prune_pins(struct list *list)
{
	int r;

	r = output_flush();
	if (r < 0)
		return output_failed(r);
	for (size_t i = 0; i < list->n_dead; i++) {
		const struct dead *dead = &list->dead[i];
		CLEANUP(freep) char *path = record_path(list->path, dead->name);

		r = path ? let_go(path, dead->fingerprint) : -ENOMEM;
		if (r < 0 && r != -ENOENT)
			not_removed(list, path ? path : dead->name, r);
	}
	return list->failed ? EXIT_FAILED : 0;
}

/* The directory is to be closed before the tracker, which may unmount it. */
static int list_directory(struct list *list)
{
	CLEANUP(pidtrack_freep) struct pidtrack *tracker = NULL;
	CLEANUP(pidtrack_registry_freep)
	struct pidtrack_registry *registry = NULL;
	int pruned, r;

	list->pins = list->prune && pins_are_in(list->path);
	r = directory_open(list->path, 0, &registry);
	if (r == 0)
		r = list->pins ? pins_open(list->path, &tracker) :
				 tracker_open(&tracker);
	if (r == 0)
		r = list_all(list, registry, tracker);
	if (!list->pins || !tracker || r == EXIT_FAILED)
		return list->failed ? EXIT_FAILED : r;
	pruned = prune_pins(list);
	return pruned ? pruned : r;
}

static int list_run(int argc, char **argv)
{
	struct list list = { 0 };
	int r;

	r = arguments_parse(&command_list, &list, &argc, &argv);
	if (r != ARGUMENTS_FINE)
		return r;
	if (argc == 0)
		return complain_usage("which DIR? A directory of records or "
				      "pins");
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
	.purpose = "Shows the records or pins in a directory, with verdicts",
	.more = "A line a record or pin: its file, the verdict (same, exited,\n"
		"reused, gone, other-boot, unproven), the pid, the age of\n"
		"the process, or of the record if that is not there, how it\n"
		"ended if that is known, and the label.  What is no record is\n"
		"listed with the reason.  This only looks, as verify does.\n"
		"\n"
		"With --prune, records that are gone, reused or other-boot\n"
		"are removed, what tells how they ended is not; and pins of\n"
		"processes that were waited for, once all is told: with the\n"
		"pin goes the status.\n"
		"\n"
		"Exits with 0, whatever the verdicts; 3 if one is unproven,\n"
		"a file could not be read as a record, or a pin stays as how\n"
		"its process ended is not told here; 2 for a wrong command\n"
		"line, 4 if DIR cannot be read, or with --prune is\n"
		"the directory of pins of a host that lives, or for another\n"
		"failure.\n",
	.options = options,
	.run = list_run,
};
