/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "screen.h"

#ifdef PT_HAVE_NCURSES

#include <curses.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <term.h>
#include <unistd.h>

#include "complain.h"
#include "owned.h"

/* Milliseconds in which what follows an escape is still of the same key. */
#define ESCAPE_MS 50

/* Those that end us come first, and are not taken where they are ignored. */
static const int signals[] = { SIGHUP,	SIGINT,	 SIGQUIT, SIGTERM,
			       SIGTSTP, SIGCONT, SIGWINCH };

static struct {
	SCREEN *terminal;
	FILE *keys;	 /* owned, unless it is stdin; NULL: there are none */
	int signals, fd; /* owned; the second is of all there is to wait for */
	int end;	 /* the signal that wants us to end; 0: none */
	int kept;
	bool colours;
	bool apart; /* what was on the terminal before comes back */
	sigset_t taken, before;
} screen = { .signals = -1, .fd = -1 };

/* ---- signals ---- */

/* They wait until they are read, so that nothing is interrupted by them. */
static bool take_signals(void)
{
	sigemptyset(&screen.taken);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction action;

		if (sigaction(signals[i], NULL, &action) == 0 &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&screen.taken, signals[i]);
	}
	screen.signals =
		signalfd(-1, &screen.taken, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen.signals < 0)
		return false;
	sigprocmask(SIG_BLOCK, &screen.taken, &screen.before);
	return true;
}

/* Does what it would have done, had it not been blocked. */
static void obey(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	(void)raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* The terminal is as it was until something is shown again. */
static void leave(void)
{
	if (!isendwin())
		endwin();
}

static void heed(int number)
{
	switch (number) {
	case SIGTSTP:
		leave();
		obey(number);
		break;
	case SIGCONT: /* whoever had the terminal may have changed it */
		leave();
		break;
	case SIGWINCH: /* screen_begin() asks */
		break;
	default:
		screen.end = number;
	}
}

static void heed_signals(void)
{
	struct signalfd_siginfo signal;

	while (read(screen.signals, &signal, sizeof(signal)) == sizeof(signal))
		heed((int)signal.ssi_signo);
}

/* ---- begin and end ---- */

static bool is_described(const char *name)
{
	const char *sequence = tigetstr(name);

	return sequence && sequence != (char *)-1;
}

bool screen_wanted(void)
{
	bool wanted;
	int error;

	if (tcgetpgrp(STDOUT_FILENO) != getpgrp() ||
	    setupterm(NULL, STDOUT_FILENO, &error) != OK)
		return false;
	wanted = is_described("cup");
	del_curterm(cur_term);
	return wanted;
}

/* ncurses would end us with a status that says something else. */
static void make_terminal(void)
{
	struct sigaction actions[ARRAY_SIZE(signals)];

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], NULL, &actions[i]);
	screen.terminal = newterm(NULL, stdout, screen.keys ?: stdin);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &actions[i], NULL);
}

static void wait_for(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	(void)epoll_ctl(screen.fd, EPOLL_CTL_ADD, fd, &event);
}

static void close_keys(void)
{
	if (screen.keys && screen.keys != stdin)
		(void)fclose(screen.keys);
	screen.keys = NULL;
}

static void begin_colours(void)
{
	static const short colours[] = {
		[SCREEN_GREEN] = COLOR_GREEN,
		[SCREEN_YELLOW] = COLOR_YELLOW,
		[SCREEN_RED] = COLOR_RED,
	};
	const char *no_colour = getenv("NO_COLOR");

	screen.colours = (!no_colour || !*no_colour) && has_colors() &&
			 start_color() == OK && use_default_colors() == OK;
	if (!screen.colours)
		return;
	for (int i = SCREEN_GREEN; i <= SCREEN_RED; i++)
		init_pair((short)i, colours[i], -1);
}

static void begin_modes(void)
{
	screen.apart = is_described("rmcup");
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
}

bool screen_open(void)
{
	if (!take_signals())
		return false;
	/* who gave us another input has keys all the same */
	screen.keys = isatty(STDIN_FILENO) ? stdin : fopen("/dev/tty", "re");
	screen.fd = epoll_create1(EPOLL_CLOEXEC);
	if (screen.fd >= 0)
		make_terminal();
	if (!screen.terminal) {
		screen_close();
		return false;
	}
	wait_for(screen.signals);
	if (screen.keys)
		wait_for(fileno(screen.keys));
	begin_modes();
	begin_colours();
	return true;
}

/* What was seen last, as lines that stay where the screen does not. */
static void print_kept(void)
{
	char text[1024];

	for (int row = 0; row < screen.kept; row++) {
		int n = mvinnstr(row, 0, text, sizeof(text) - 1);

		while (n > 0 && text[n - 1] == ' ')
			n--;
		printf("%.*s\n", n > 0 ? n : 0, text);
	}
}

void screen_close(void)
{
	if (screen.terminal) {
		leave();
		if (screen.apart)
			print_kept();
		(void)fflush(stdout);
		delscreen(screen.terminal);
		screen.terminal = NULL;
	}
	close_keys();
	fd_closep(&screen.signals);
	fd_closep(&screen.fd);
	complain_now();
	if (screen.end)
		obey(screen.end);
	sigprocmask(SIG_SETMASK, &screen.before, NULL);
}

/* ---- keys ---- */

int screen_fd(void)
{
	return screen.fd;
}

static enum screen_key key_of(int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		return SCREEN_QUIT;
	case KEY_UP:
	case 'k':
		return SCREEN_UP;
	case KEY_DOWN:
	case 'j':
		return SCREEN_DOWN;
	case KEY_PPAGE:
		return SCREEN_PAGE_UP;
	case KEY_NPAGE:
	case ' ':
		return SCREEN_PAGE_DOWN;
	case KEY_HOME:
	case 'g':
		return SCREEN_FIRST;
	case KEY_END:
	case 'G':
		return SCREEN_LAST;
	default:
		return SCREEN_NO_KEY;
	}
}

enum screen_key screen_key(void)
{
	heed_signals();
	if (screen.end)
		return SCREEN_QUIT;
	if (!screen.keys)
		return SCREEN_NO_KEY;
	for (int key; (key = getch()) != ERR;) {
		enum screen_key known = key_of(key);

		if (known != SCREEN_NO_KEY)
			return known;
	}
	return SCREEN_NO_KEY;
}

/* ---- what is seen ---- */

void screen_begin(unsigned int *ret_rows, unsigned int *ret_columns)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 &&
	    size.ws_col > 0 && is_term_resized(size.ws_row, size.ws_col))
		resizeterm(size.ws_row, size.ws_col);
	erase();
	*ret_rows = (unsigned int)getmaxy(stdscr);
	*ret_columns = (unsigned int)getmaxx(stdscr);
}

static attr_t attribute_of(enum screen_colour colour)
{
	if (!screen.colours || colour == SCREEN_PLAIN)
		return A_NORMAL;
	if (colour == SCREEN_BOLD)
		return A_BOLD;
	return colour == SCREEN_DIM ? A_DIM : (attr_t)COLOR_PAIR(colour);
}

void screen_line(unsigned int row, const char *text, enum screen_colour colour)
{
	attrset(attribute_of(colour));
	mvaddnstr((int)row, 0, text, getmaxx(stdscr));
	attrset(A_NORMAL);
}

void screen_show(unsigned int kept)
{
	screen.kept = (int)kept;
	refresh();
}

#else

bool screen_wanted(void)
{
	return false;
}

bool screen_open(void)
{
	return false;
}

void screen_close(void)
{
}

int screen_fd(void)
{
	return -1;
}

enum screen_key screen_key(void)
{
	return SCREEN_NO_KEY;
}

void screen_begin(unsigned int *ret_rows, unsigned int *ret_columns)
{
	*ret_rows = *ret_columns = 0;
}

void screen_line(unsigned int row, const char *text, enum screen_colour colour)
{
}

void screen_show(unsigned int kept)
{
}

#endif
