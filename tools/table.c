/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "format.h"
#include "owned.h"

#define ROW_SIZE 256

/* What a row shows beside its target. */
struct row {
	struct row *next;
	const struct target *target;
	struct proc_glance glance;
	bool glanced;
	uint64_t age; /* seconds */
	bool settled; /* it has ended, and its age is what it was then */
};

struct table {
	struct row *first; /* owned, as are all of them */
	struct row **end;
	size_t n;
	size_t named;	    /* of these, those with more than a command */
	unsigned int lines; /* drawn before, the cursor is below them */
	unsigned int columns;
	bool colour;
};

bool table_wanted(void)
{
	const char *term = getenv("TERM");

	return tcgetpgrp(STDOUT_FILENO) == getpgrp() && term && *term &&
	       strcmp(term, "dumb") != 0;
}

/* The number was this process's own if the process has it still. */
static bool glance(const struct target *target, struct proc_glance *ret_glance)
{
	return proc_glance(target->id.pid, ret_glance) == 0 &&
	       pidtrack_process_signal(target->process, 0) != -ESRCH;
}

struct table *table_new(void)
{
	const char *no_colour = getenv("NO_COLOR");
	struct table *table;

	table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->end = &table->first;
	table->colour = !no_colour || !*no_colour;
	return table;
}

void table_freep(struct table **table)
{
	while (*table && (*table)->first)
		table_remove(*table, (*table)->first->target);
	free(*table);
}

/* What the host calls it, if that is known. */
static const char *host_name(const struct target *target)
{
	const char *slash, *record = target->id.record;

	if (*target->label)
		return target->label;
	slash = record ? strrchr(record, '/') : NULL;
	return slash ? slash + 1 : record;
}

int table_add(struct table *table, const struct target *target)
{
	struct row *row;

	row = calloc(1, sizeof(*row));
	if (!row)
		return -ENOMEM;
	row->target = target;
	row->glanced = glance(target, &row->glance);
	*table->end = row;
	table->end = &row->next;
	table->n++;
	if (host_name(target))
		table->named++;
	return 0;
}

void table_remove(struct table *table, const struct target *target)
{
	struct row **link = &table->first, *row;

	while (*link && (*link)->target != target)
		link = &(*link)->next;
	row = *link;
	if (!row)
		return;
	*link = row->next;
	if (table->end == &row->next)
		table->end = link;
	table->n--;
	if (host_name(target))
		table->named--;
	free(row);
}

static void event_words(const struct target *target, char ret_words[32])
{
	struct tm local;
	char at[16];

	if (!target->event) {
		format_text(ret_words, 32, "-");
		return;
	}
	localtime_r(&target->event_time, &local);
	(void)strftime(at, sizeof(at), "%H:%M:%S", &local);
	format_text(ret_words, 32, "%s %s", at,
		    pidtrack_event_name(target->event));
}

/* As a colour: green runs, red ended badly or unknown, none ended well. */
static const char *colour_of(const struct target *target)
{
	if (!target->event)
		return "\033[32m";
	if (!target->ended)
		return "\033[33m";
	return ending_exit_code(&target->ending) ? "\033[31m" : "";
}

/* One line of the terminal, cut to its width so that it stays one. */
static void draw_line(struct table *table, const char *text, const char *colour)
{
	int width = (int)table->columns - 1;

	if (!table->colour)
		colour = "";
	printf("%s%.*s%s\033[K\n", colour, width, text,
	       *colour ? "\033[0m" : "");
	table->lines++;
}

/* With an event, "12:34:56 reaped", it fits 80 columns: the largest pid has 7
 * digits, "SIGSEGV, core" 13 letters. */
#define NAME_FORMAT "%-7s %-15s "
#define COMMAND_FORMAT "%-15s "
#define REST_FORMAT "%6s  %-7s %-13s %-9s %s"
#define COMMAND_COLUMNS 96 /* of a terminal that has room for both */

/*
 * A line: the host's name for a process, if any has one, else its command; and
 * the command beside it where there is room.
 */
static void draw_cells(struct table *table, const char *colour, const char *pid,
		       const char *name, const char *command, const char *rest)
{
	char text[ROW_SIZE], cut[16];
	size_t n;

	format_text(cut, sizeof(cut), "%s",
		    table->named && name ? name : command);
	format_printable(cut);
	n = format_text(text, sizeof(text), NAME_FORMAT, pid, cut);
	if (table->named && table->columns >= COMMAND_COLUMNS)
		n += format_text(text + n, sizeof(text) - n, COMMAND_FORMAT,
				 command);
	format_text(text + n, sizeof(text) - n, "%s", rest);
	draw_line(table, text, colour);
}

static void draw_heading(struct table *table)
{
	char rest[ROW_SIZE];

	format_text(rest, sizeof(rest), REST_FORMAT, "AGE", "STATE", "STATUS",
		    "SOURCE", "LAST EVENT");
	draw_cells(table, "\033[1m", "PID", "NAME", "COMMAND", rest);
}

static void draw_row(struct table *table, struct row *row)
{
	const struct target *target = row->target;
	char rest[ROW_SIZE], pid[16], age[AGE_SIZE] = "-", event[32];
	char words[ENDING_BRIEF_SIZE] = "-";
	int state = pidtrack_process_state(target->process);
	const char *source = "-";

	format_text(pid, sizeof(pid), "%d", target->id.pid);
	if (row->glanced && !row->settled)
		row->age = proc_age(row->glance.start);
	row->settled = target->event;
	if (row->glanced)
		format_age(age, row->age);
	event_words(target, event);
	if (target->ended) {
		ending_brief(&target->ending, words);
		source = pidtrack_source_name(target->ending.source);
	}
	format_text(rest, sizeof(rest), REST_FORMAT, age,
		    pidtrack_state_name(state < 0 ? 0 : (uint32_t)state), words,
		    source, event);
	draw_cells(table, colour_of(target), pid, host_name(target),
		   row->glanced ? row->glance.command : "-", rest);
}

/* The terminal's size now; that of the oldest ones if it does not tell. */
static size_t rows_that_fit(struct table *table)
{
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	table->columns = size.ws_col > 1 ? size.ws_col : 80;
	/* the heading, the word on those left out, the cursor's own line */
	return size.ws_row > 4 ? size.ws_row - 3U : 21;
}

void table_draw(struct table *table, size_t lost)
{
	size_t fit = rows_that_fit(table) - (lost > 0), drawn = 0;
	char text[ROW_SIZE];

	if (table->lines)
		printf("\033[%uF", table->lines);
	table->lines = 0;

	draw_heading(table);
	for (struct row *row = table->first; row && drawn < fit;
	     row = row->next, drawn++)
		draw_row(table, row);
	if (table->n > fit) {
		format_text(text, sizeof(text), "and %zu more", table->n - fit);
		draw_line(table, text, "");
	}
	if (lost) {
		format_text(text, sizeof(text),
			    "%zu without a process; see 'pidtrack list'", lost);
		draw_line(table, text, "");
	}
	printf("\033[J"); /* there may have been more */
}
