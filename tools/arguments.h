/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A command's words, told apart into options and operands by its own table.
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "command.h"

#define ARGUMENTS_FINE (-1)

/*
 * Sets the options in @to, and leaves the operands in *@argv, NULL after the
 * last of *@argc.  Options may stand anywhere before "--", unless the command
 * passes on what follows its first operand.  "-5" is an operand: no option has
 * a digit for a name, and a negative number deserves its own complaint.
 *
 * Return: ARGUMENTS_FINE, or the exit code to end with: a complaint was made,
 *         or help was asked for and given.
 */
int arguments_parse(const struct command *command, void *to, int *argc,
		    char ***argv);

#endif
