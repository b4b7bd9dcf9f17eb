/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a command of pidtrack is, and how it may end.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

/* `run` and `wait` pass a process's own status on instead of EXIT_AS_ASKED. */
enum exit_code {
	EXIT_AS_ASKED = 0,
	EXIT_NO = 1,	 /* not so; no such process; not in time */
	EXIT_USAGE = 2,	 /* the command line is wrong, and nothing was done */
	EXIT_UNTOLD = 3, /* nobody can tell */
	EXIT_FAILED = 4, /* the system refused something that was needed */
};

/* One option of a command, always long; the table also makes its help. */
struct command_option {
	const char *name;  /* without the dashes */
	const char *value; /* what it takes, in capitals; NULL: nothing */
	const char *help;

	/*
	 * @to: what the command keeps its options in
	 * @value: never empty; NULL if the option takes none
	 *
	 * Return: 0, or an exit_code, having complained.
	 */
	int (*set)(void *to, const char *value);
};

struct command {
	const char *name;
	const char *operands;		      /* as the usage line has them */
	const char *purpose;		      /* one line */
	const char *more;		      /* what else --help says */
	const struct command_option *options; /* the last has no name */
	bool passes_on; /* what follows the first operand is not ours */

	/* @argv[0] is the command's name.  Return: the exit code. */
	int (*run)(int argc, char **argv);
};

extern const struct command command_run;
extern const struct command command_watch;
extern const struct command command_list;
extern const struct command command_verify;
extern const struct command command_wait;
extern const struct command command_stop;
extern const struct command command_fingerprint;
extern const struct command command_hold;
extern const struct command command_features;

#endif
