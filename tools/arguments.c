/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "arguments.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "complain.h"
#include "format.h"
#include "nearest.h"
#include "output.h"

static void print_option(const char *name, const char *value, const char *help)
{
	int width;

	width = printf("  --%s%s%s", name, value ? " " : "",
		       value ? value : "");
	if (width > 26)
		printf("\n%28s%s\n", "", help);
	else
		printf("%*s%s\n", 28 - width, "", help);
}

static int print_help(const struct command *command)
{
	const struct command_option *option;

	output_begin();
	printf("Usage: pidtrack %s [OPTION]...%s%s\n\n%s.\n\nOptions:\n",
	       command->name, *command->operands ? " " : "", command->operands,
	       command->purpose);
	for (option = command->options; option->name; option++)
		print_option(option->name, option->value, option->help);
	print_option("help", NULL, "this text");
	printf("\n%s", command->more);
	return output_finish(EXIT_AS_ASKED);
}

/* Whether @word is --NAME or --NAME=VALUE; *ret_value NULL or the VALUE. */
static bool is_named(const char *word, const char *name, const char **ret_value)
{
	size_t n = strlen(name);

	if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, n) != 0 ||
	    (word[2 + n] && word[2 + n] != '='))
		return false;
	*ret_value = word[2 + n] ? word + 3 + n : NULL;
	return true;
}

static int unknown_option(const struct command *command, const char *word)
{
	const struct command_option *option;
	char name[32];
	struct nearest nearest = { .word = name };

	word += strspn(word, "-");
	format_text(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	for (option = command->options; option->name; option++)
		nearest_consider(&nearest, option->name);

	if (nearest.best)
		return complain_usage("no option '--%s'; did you mean '--%s'?",
				      name, nearest.best);
	return complain_usage("no option '%s%s'",
			      strlen(name) == 1 ? "-" : "--", name);
}

static const struct command_option *find_option(const struct command *command,
						const char *word,
						const char **ret_value)
{
	const struct command_option *option;

	for (option = command->options; option->name; option++) {
		if (is_named(word, option->name, ret_value))
			return option;
	}
	return NULL;
}

/* @next: the word after it, or NULL.  *ret_used says whether it was the value.
 */
static int take_option(const struct command *command, void *to,
		       const char *word, const char *next, bool *ret_used)
{
	const struct command_option *option;
	const char *value = NULL;
	int r;

	*ret_used = false;
	if (strcmp(word, "-h") == 0 || is_named(word, "help", &value))
		return value ? complain_usage("--help takes no value") :
			       print_help(command);
	option = find_option(command, word, &value);
	if (!option)
		return unknown_option(command, word);

	if (!option->value && value)
		return complain_usage("--%s takes no value", option->name);
	if (option->value && !value) {
		value = next;
		*ret_used = true;
	}
	if (option->value && (!value || !*value))
		return complain_usage("--%s wants a value: --%s %s",
				      option->name, option->name,
				      option->value);
	r = option->set(to, value);
	return r ? r : ARGUMENTS_FINE;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] && !isdigit((unsigned char)word[1]);
}

int arguments_parse(const struct command *command, void *to, int *argc,
		    char ***argv)
{
	char **words = *argv;
	int operands = 0, i = 1;

	while (i < *argc) {
		bool used;
		int r;

		if (strcmp(words[i], "--") == 0) {
			i++;
			break;
		}
		if (!is_option(words[i])) {
			if (command->passes_on)
				break;
			words[operands++] = words[i++];
			continue;
		}
		r = take_option(command, to, words[i], words[i + 1], &used);
		if (r != ARGUMENTS_FINE)
			return r;
		i += used ? 2 : 1;
	}

	while (i < *argc)
		words[operands++] = words[i++];
	words[operands] = NULL;
	*argc = operands;
	return ARGUMENTS_FINE;
}
