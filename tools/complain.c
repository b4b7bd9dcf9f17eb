/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "complain.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "format.h"
#include "owned.h"

#define TEXT_SIZE 800 /* bytes; a longer one is left out in the middle */

static const char
	*complaining; /* the command's name, NULL before it is known */

static struct {
	FILE *file; /* NULL: none are kept */
	char *lines;
	size_t size;
	unsigned int n;
} kept;

void complain_later(void)
{
	if (!kept.file && isatty(STDERR_FILENO))
		kept.file = open_memstream(&kept.lines, &kept.size);
}

void complain_now(void)
{
	if (!kept.file)
		return;
	(void)fclose(kept.file);
	(void)fputs(kept.lines, stderr);
	free(kept.lines);
	kept.file = NULL;
	kept.n = 0;
}

unsigned int complaints_kept(void)
{
	return kept.n;
}

void complain_as(const char *command)
{
	complaining = command;
}

/* On one line, whatever was named in it. */
static void show(char *text, const char *hint)
{
	FILE *file = kept.file ? kept.file : stderr;
	size_t n = strlen(text);

	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	kept.n += kept.file != NULL;
	(void)fprintf(file, "pidtrack: %s%s", complaining ? complaining : "",
		      complaining ? ": " : "");
	if (n > TEXT_SIZE)
		(void)fprintf(file, "%.*s...%s%s\n", TEXT_SIZE / 2, text,
			      text + n - TEXT_SIZE / 2, hint);
	else
		(void)fprintf(file, "%s%s\n", text, hint);
}

static void complain_list(const char *hint, const char *format,
			  va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void complain_list(const char *hint, const char *format,
			  va_list arguments)
{
	CLEANUP(freep) char *text = NULL;

	if (vasprintf(&text, format, arguments) < 0) {
		text = NULL;
		return;
	}
	show(text, hint);
}

void complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complain_list("", format, arguments);
	va_end(arguments);
}

int complain_usage(const char *format, ...)
{
	const char *end = strrchr(format, '?');
	bool asked = end && !end[1];
	va_list arguments;
	char hint[64];

	format_text(hint, sizeof(hint), "%s 'pidtrack%s%s --help'",
		    asked ? " See" : "; see", complaining ? " " : "",
		    complaining ? complaining : "");
	va_start(arguments, format);
	complain_list(hint, format, arguments);
	va_end(arguments);
	return EXIT_USAGE;
}
