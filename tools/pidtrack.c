/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * pidtrack: what operators debug a host and its shims with.
 */
#include "pidtrack.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "complain.h"
#include "format.h"
#include "nearest.h"
#include "output.h"
#include "owned.h"

static const struct command *const commands[] = {
	&command_run,	      &command_watch, &command_list,
	&command_verify,      &command_wait,  &command_stop,
	&command_fingerprint, &command_hold,  &command_features,
};

/* Where nobody will ever read, so that writing is like to a reader who left. */
static void open_unread(int fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	dup3(ends[1], fd, O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		if (ends[i] != fd)
			close(ends[i]);
	}
}

/*
 * A standard descriptor we were started without must not become the number of
 * something else.  What stands in for it is closed when a shim is executed.
 */
static void occupy_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (fd == STDIN_FILENO)
			open("/dev/null", O_RDONLY | O_CLOEXEC);
		else
			open_unread(fd);
	}
}

static int print_help(void)
{
	output_begin();
	puts("Usage: pidtrack COMMAND [OPTION]... [OPERAND]...\n"
	     "\n"
	     "Holds on to the process you meant, not to its number.\n"
	     "\n"
	     "Commands:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-13s%s\n", commands[i]->name, commands[i]->purpose);
	puts("\n"
	     "  --help       this text; after a COMMAND, that of the command;\n"
	     "               'pidtrack help [COMMAND]' is the same\n"
	     "  --version    the library's version\n"
	     "\n"
	     "Exits with 0 as asked, 1 no or not so, 2 for a wrong command\n"
	     "line, 3 could not tell, 4 failed; run and wait pass the status\n"
	     "of a process on.");
	return output_finish(EXIT_AS_ASKED);
}

static int print_version(void)
{
	output_begin();
	printf("pidtrack %s\n", pidtrack_version());
	return output_finish(EXIT_AS_ASKED);
}

/* The commands' names, as a sentence has them. */
static const char *command_names(char *buffer, size_t size)
{
	size_t n = 0;

	buffer[0] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(commands) && n < size; i++)
		n += format_text(buffer + n, size - n, "%s%s", i ? ", " : "",
				 commands[i]->name);
	return buffer;
}

static int no_command(const char *word)
{
	struct nearest nearest = { .word = word };
	char names[256];

	if (word[0] == '-')
		return complain_usage("no option '%s' before a command", word);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		nearest_consider(&nearest, commands[i]->name);
	nearest_consider(&nearest, "help");
	command_names(names, sizeof(names));
	if (nearest.best)
		return complain_usage("no command '%s'; did you mean '%s'? "
				      "There are %s",
				      word, nearest.best, names);
	return complain_usage("no command '%s'; there are %s", word, names);
}

static const struct command *find_command(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(word, commands[i]->name) == 0)
			return commands[i];
	}
	return NULL;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	complain_as(command->name);
	return command->run(argc, argv);
}

/* What --help says, for those who ask in words. */
static int help(int argc, char **argv)
{
	char option[] = "--help";
	char *words[] = { argv[1], option, NULL };
	const struct command *command;

	if (argc > 2)
		return complain_usage("help for one command at a time, not %d",
				      argc - 1);
	if (argc == 1 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return print_help();
	command = find_command(argv[1]);
	return command ? run_command(command, 2, words) : no_command(argv[1]);
}

int main(int argc, char **argv)
{
	const struct command *command;
	char names[256];

	occupy_standard_descriptors();
	if (argc < 2)
		return complain_usage("which command? %s",
				      command_names(names, sizeof(names)));
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0)
		return print_version();

	if (strcmp(argv[1], "help") == 0)
		return help(argc - 1, argv + 1);

	command = find_command(argv[1]);
	return command ? run_command(command, argc - 1, argv + 1) :
			 no_command(argv[1]);
}
