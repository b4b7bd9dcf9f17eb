/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "complain.h"
#include "format.h"
#include "owned.h"
#include "usage.h"

#define LINE_SIZE 1024
#define CELL_SIZE 256

/* What a row shows beside its target. */
struct row {
	struct row *next;
	const struct target *target;
	struct proc_glance glance;
	bool glanced;
	uint64_t age; /* seconds */
	bool settled; /* it has ended, and its age is what it was then */
	struct usage before, usage;
};

struct table {
	struct row *first; /* owned, as are all: in the order of their names */
	size_t n;
	size_t named; /* of these, those with more than a command */
	size_t top;   /* the row that is drawn first */
	size_t fit;   /* how many were drawn */
	bool starred; /* a figure that is a cgroup's was drawn */
	struct usage_place place;
};

/* ---- rows come and go ---- */

/* The number was this process's own if the process has it still. */
static bool is_still(const struct target *target)
{
	return pidtrack_process_signal(target->process, 0) != -ESRCH;
}

static bool glance(const struct target *target, struct proc_glance *ret_glance)
{
	return proc_glance(target->id.pid, ret_glance) == 0 && is_still(target);
}

int table_open(struct table **ret_table)
{
	struct table *table;

	*ret_table = NULL;
	if (!screen_open())
		return 0;
	table = calloc(1, sizeof(*table));
	if (!table) {
		screen_close();
		return -ENOMEM;
	}
	usage_find(&table->place);
	*ret_table = table;
	return 0;
}

void table_close(struct table *table)
{
	if (!table)
		return;
	while (table->first)
		table_remove(table, table->first->target);
	free(table);
	screen_close();
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

/* Whether @a comes before @b: those without a name come last. */
static bool is_before(const struct target *a, const struct target *b)
{
	const char *name = host_name(a), *other = host_name(b);

	return name && (!other || strcmp(name, other) < 0);
}

int table_add(struct table *table, const struct target *target)
{
	struct row **link = &table->first, *row;

	row = calloc(1, sizeof(*row));
	if (!row)
		return -ENOMEM;
	row->target = target;
	row->glanced = glance(target, &row->glance);
	while (*link && !is_before(target, (*link)->target))
		link = &(*link)->next;
	row->next = *link;
	*link = row;
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
	table->n--;
	if (host_name(target))
		table->named--;
	free(row);
}

/* ---- what a row takes of the machine ---- */

/* At most once in an interval, however often it is drawn. */
static void look(const struct table *table, struct row *row)
{
	const struct target *target = row->target;

	if (target->exited) {
		row->before = row->usage = (struct usage){ 0 };
		return;
	}
	if (row->usage.at &&
	    usage_clock() - row->usage.at < TABLE_INTERVAL_MS * 1000UL)
		return;
	row->before = row->usage;
	usage_look(&table->place, target->id.pid, &row->usage);
	if (!is_still(target))
		row->before = row->usage = (struct usage){ 0 };
}

/* Those who share a cgroup have none of their own. */
static bool has_own_cgroup(const struct table *table, const struct row *row)
{
	if (!row->usage.cgroup)
		return false;
	for (const struct row *other = table->first; other;
	     other = other->next) {
		if (other != row && other->usage.cgroup == row->usage.cgroup)
			return false;
	}
	return true;
}

static uint64_t cpu_of(const struct row *row, enum usage_of of)
{
	return usage_cpu(&row->before, &row->usage, of);
}

static uint64_t memory_of(const struct row *row, enum usage_of of)
{
	return row->usage.at ? row->usage.memory[of] : USAGE_UNKNOWN;
}

/* That of its cgroup, if it has one of its own that tells, with a star. */
static void usage_cell(struct table *table, const struct row *row,
		       uint64_t (*figure)(const struct row *, enum usage_of),
		       void (*format)(char *, uint64_t), char *ret_cell)
{
	uint64_t number = USAGE_UNKNOWN;
	char text[BYTES_SIZE];
	bool star;

	if (has_own_cgroup(table, row))
		number = figure(row, USAGE_OF_CGROUP);
	star = number != USAGE_UNKNOWN;
	if (!star)
		number = figure(row, USAGE_OF_PROCESS);
	if (number == USAGE_UNKNOWN) {
		format_text(ret_cell, CELL_SIZE, "-");
		return;
	}
	format(text, number);
	format_text(ret_cell, CELL_SIZE, "%s%s", text, star ? "*" : "");
	table->starred |= star;
}

/* ---- columns ---- */

static void pid_cell(struct table *table, struct row *row, char *ret_cell)
{
	format_text(ret_cell, CELL_SIZE, "%d", row->target->id.pid);
}

static void command_cell(struct table *table, struct row *row, char *ret_cell)
{
	format_text(ret_cell, CELL_SIZE, "%s",
		    row->glanced ? row->glance.command : "-");
}

static void name_cell(struct table *table, struct row *row, char *ret_cell)
{
	const char *name = host_name(row->target);

	if (name)
		format_text(ret_cell, CELL_SIZE, "%s", name);
	else
		command_cell(table, row, ret_cell);
}

static void age_cell(struct table *table, struct row *row, char *ret_cell)
{
	char age[AGE_SIZE] = "-";

	if (row->glanced && !row->settled)
		row->age = proc_age(row->glance.start);
	row->settled = row->target->event;
	if (row->glanced)
		format_age(age, row->age);
	format_text(ret_cell, CELL_SIZE, "%s", age);
}

/* How it ended says more than that it did. */
static void state_cell(struct table *table, struct row *row, char *ret_cell)
{
	const struct target *target = row->target;
	char words[ENDING_BRIEF_SIZE];
	int state;

	if (target->ended) {
		ending_brief(&target->ending, words);
		format_text(ret_cell, CELL_SIZE, "%s", words);
		return;
	}
	state = pidtrack_process_state(target->process);
	format_text(ret_cell, CELL_SIZE, "%s",
		    pidtrack_state_name(state < 0 ? 0 : (uint32_t)state));
}

static void verdict_cell(struct table *table, struct row *row, char *ret_cell)
{
	uint32_t verdict = row->target->verdict;

	format_text(ret_cell, CELL_SIZE, "%s",
		    verdict ? pidtrack_verdict_name(verdict) : "-");
}

static void source_cell(struct table *table, struct row *row, char *ret_cell)
{
	const struct target *target = row->target;

	format_text(ret_cell, CELL_SIZE, "%s",
		    target->ended ?
			    pidtrack_source_name(target->ending.source) :
			    "-");
}

static void cpu_cell(struct table *table, struct row *row, char *ret_cell)
{
	usage_cell(table, row, cpu_of, format_percent, ret_cell);
}

static void memory_cell(struct table *table, struct row *row, char *ret_cell)
{
	usage_cell(table, row, memory_of, format_bytes, ret_cell);
}

static void event_cell(struct table *table, struct row *row, char *ret_cell)
{
	const struct target *target = row->target;
	struct tm local;
	char at[16];

	if (!target->event) {
		format_text(ret_cell, CELL_SIZE, "-");
		return;
	}
	localtime_r(&target->event_time, &local);
	(void)strftime(at, sizeof(at), "%H:%M:%S", &local);
	format_text(ret_cell, CELL_SIZE, "%s %s", at,
		    pidtrack_event_name(target->event));
}

enum column {
	PID,
	NAME,
	COMMAND,
	AGE,
	STATE,
	VERDICT,
	SOURCE,
	CPU,
	MEMORY,
	EVENT,
	COLUMNS,
};

/* As wide as the widest can be: a pid has 7 digits, "SIGSEGV, core" 13 letters.
 * A name has what is left over, too. */
static const struct {
	const char *heading;
	int width;
	bool right;
	void (*cell)(struct table *table, struct row *row, char *ret_cell);
} columns[COLUMNS] = {
	[PID] = { "PID", 7, false, pid_cell },
	[NAME] = { "NAME", 12, false, name_cell },
	[COMMAND] = { "COMMAND", 15, false, command_cell },
	[AGE] = { "AGE", 6, true, age_cell },
	[STATE] = { "STATE", 13, false, state_cell },
	[VERDICT] = { "VERDICT", 8, false, verdict_cell },
	[SOURCE] = { "SOURCE", 9, false, source_cell },
	[CPU] = { "CPU%", 6, true, cpu_cell },
	[MEMORY] = { "MEM", 6, true, memory_cell },
	[EVENT] = { "LAST EVENT", 15, false, event_cell },
};

/* From the one that is missed most; those before SOURCE fit 80 columns. */
static const enum column wishes[] = {
	PID, NAME, STATE, EVENT, AGE, CPU, MEMORY, VERDICT, SOURCE, COMMAND,
};

/* ---- it is drawn ---- */

/* How wide each column is; 0: there is no room for it. */
struct layout {
	int widths[COLUMNS];
};

static int longest_name(const struct table *table)
{
	size_t longest = 0;

	for (const struct row *row = table->first; row; row = row->next) {
		const char *name = host_name(row->target);
		size_t n = name ? strlen(name) : 0;

		longest = n > longest ? n : longest;
	}
	return (int)MIN(longest, CELL_SIZE);
}

static struct layout lay_out(const struct table *table, int room)
{
	struct layout layout = { 0 };
	int longest = longest_name(table);

	for (size_t i = 0; i < ARRAY_SIZE(wishes) && room > 0; i++) {
		enum column column = wishes[i];
		int width = columns[column].width;

		/* then it is where the names would be */
		if (column == COMMAND && !table->named)
			continue;
		if (width > room && i > 0)
			break;
		layout.widths[column] = width;
		room -= width + 1;
	}
	if (room > 0 && longest > layout.widths[NAME])
		layout.widths[NAME] += MIN(room, longest - layout.widths[NAME]);
	return layout;
}

static void add_cell(const struct layout *layout, enum column column,
		     const char *cell, char line[LINE_SIZE])
{
	int width = layout->widths[column];
	size_t n = strlen(line);

	format_text(line + n, LINE_SIZE - n, "%s%*.*s", n ? " " : "",
		    columns[column].right ? width : -width, width, cell);
}

static void draw_heading(const struct table *table, const struct layout *layout)
{
	char line[LINE_SIZE] = "";

	for (enum column i = 0; i < COLUMNS; i++) {
		enum column shown = i == NAME && !table->named ? COMMAND : i;

		if (layout->widths[i])
			add_cell(layout, i, columns[shown].heading, line);
	}
	screen_line(0, line, SCREEN_BOLD);
}

/* Green runs, red ended badly or unknown, none ended well. */
static enum screen_colour colour_of(const struct target *target)
{
	if (!target->event)
		return SCREEN_GREEN;
	if (!target->ended)
		return SCREEN_YELLOW;
	return ending_exit_code(&target->ending) ? SCREEN_RED : SCREEN_PLAIN;
}

static void draw_row(struct table *table, const struct layout *layout,
		     unsigned int at, struct row *row)
{
	char line[LINE_SIZE] = "", cell[CELL_SIZE];

	look(table, row);
	for (enum column i = 0; i < COLUMNS; i++) {
		if (!layout->widths[i])
			continue;
		columns[i].cell(table, row, cell);
		format_printable(cell);
		add_cell(layout, i, cell, line);
	}
	screen_line(at, line, colour_of(row->target));
}

/* Return: how many, from @table->top on. */
static unsigned int draw_rows(struct table *table, const struct layout *layout)
{
	struct row *row = table->first;
	unsigned int drawn = 0;

	if (table->top + table->fit > table->n)
		table->top = table->n > table->fit ? table->n - table->fit : 0;
	for (size_t i = 0; i < table->top; i++)
		row = row->next;
	table->starred = false;
	for (; row && drawn < table->fit; row = row->next)
		draw_row(table, layout, ++drawn, row);
	return drawn;
}

static void note(char line[LINE_SIZE], const char *text)
{
	size_t n = strlen(line);

	format_text(line + n, LINE_SIZE - n, "%s%s", n ? "; " : "", text);
}

/* What the rows do not say; empty if they say all. */
static void make_notes(const struct table *table, unsigned int drawn,
		       size_t lost, char ret_line[LINE_SIZE])
{
	char text[CELL_SIZE];

	ret_line[0] = 0;
	if (drawn < table->n) {
		format_text(text, sizeof(text), "%zu to %zu of %zu, %zu more",
			    table->top + 1, table->top + drawn, table->n,
			    table->n - drawn);
		note(ret_line, text);
	}
	if (lost) {
		format_text(text, sizeof(text),
			    "%zu without a process, see 'pidtrack list'", lost);
		note(ret_line, text);
	}
	if (complaints_kept() > 0) {
		format_text(
			text, sizeof(text), "%u complaint%s, told at the end",
			complaints_kept(), complaints_kept() > 1 ? "s" : "");
		note(ret_line, text);
	}
	if (table->starred)
		note(ret_line, "* of all in its cgroup");
}

void table_draw(struct table *table, size_t lost)
{
	unsigned int width, height, drawn;
	char notes[LINE_SIZE];
	struct layout layout;

	screen_begin(&height, &width);
	/* the heading, the notes, and which keys there are */
	table->fit = height > 3 ? height - 3 : 1;
	layout = lay_out(table, (int)width);
	draw_heading(table, &layout);
	drawn = draw_rows(table, &layout);
	make_notes(table, drawn, lost, notes);
	screen_line(drawn + 1, notes, SCREEN_PLAIN);
	if (height > 3)
		screen_line(height - 1,
			    drawn < table->n ?
				    "q ends; arrows and pages scroll" :
				    "q ends",
			    SCREEN_DIM);
	screen_show(drawn + (*notes ? 2 : 1));
}

/* ---- it is scrolled ---- */

static void scroll(struct table *table, bool up, size_t n)
{
	if (up)
		table->top -= MIN(table->top, n);
	else /* below the last it is put right when it is drawn */
		table->top += MIN(n, table->n - table->top);
}

bool table_heed(struct table *table)
{
	enum screen_key key;

	while ((key = screen_key()) != SCREEN_NO_KEY) {
		switch (key) {
		case SCREEN_UP:
		case SCREEN_DOWN:
			scroll(table, key == SCREEN_UP, 1);
			break;
		case SCREEN_PAGE_UP:
		case SCREEN_PAGE_DOWN:
			scroll(table, key == SCREEN_PAGE_UP, table->fit);
			break;
		case SCREEN_FIRST:
		case SCREEN_LAST:
			scroll(table, key == SCREEN_FIRST, table->n);
			break;
		case SCREEN_QUIT:
		case SCREEN_NO_KEY:
		default:
			return false;
		}
	}
	return true;
}
