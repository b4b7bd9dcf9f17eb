/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The terminal as a screen of lines, of which there is one; the only user of
 * ncurses, and of signals that are a terminal's.  Built without ncurses, there
 * is none.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdbool.h>

enum screen_colour {
	SCREEN_PLAIN,
	SCREEN_BOLD,
	SCREEN_DIM,
	SCREEN_GREEN,
	SCREEN_YELLOW,
	SCREEN_RED,
};

enum screen_key {
	SCREEN_NO_KEY,
	SCREEN_QUIT,
	SCREEN_UP,
	SCREEN_DOWN,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_FIRST,
	SCREEN_LAST,
};

/* Whether standard output is a terminal that can move its cursor, and ours to
 * draw on: in the background a shell writes on it, too. */
bool screen_wanted(void);

/*
 * Takes that terminal.  Until screen_close() nothing else is to be written
 * there.
 *
 * Return: whether it did.
 */
bool screen_open(void);

/*
 * Gives the terminal back as it was, and leaves there the first lines of the
 * screen, as many as screen_show() said, and complaints that were kept.  Where
 * a signal wanted to end us, it does now.
 */
void screen_close(void);

/* Readable when there are keys, or signals to be heeded; the screen's own. */
int screen_fd(void);

/* The next key that was typed; QUIT if a signal wants us to end.  Ours are
 * stopped here, too, by the terminal's. */
enum screen_key screen_key(void);

/* Begins another picture, empty, of the size that the terminal has now. */
void screen_begin(unsigned int *ret_rows, unsigned int *ret_columns);

/* Puts @text, of printable ASCII, on line @row; cut to the width. */
void screen_line(unsigned int row, const char *text, enum screen_colour colour);

/* Lets it be seen.  @kept: how many lines are worth to be left at the end. */
void screen_show(unsigned int kept);

#endif
