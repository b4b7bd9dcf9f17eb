/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "ending.h"

#include <stdio.h>
#include <sys/wait.h>

#include "command.h"
#include "format.h"
#include "signal_name.h"

void ending_words(const struct ending *ending, char ret_words[ENDING_SIZE])
{
	char name[SIGNAL_NAME_SIZE];

	if (ending->source == PIDTRACK_SOURCE_UNKNOWN) {
		format_text(ret_words, ENDING_SIZE, "status unknown");
	} else if (WIFEXITED(ending->status)) {
		format_text(ret_words, ENDING_SIZE, "code %d",
			    WEXITSTATUS(ending->status));
	} else {
		signal_name(WTERMSIG(ending->status), name);
		format_text(ret_words, ENDING_SIZE, "signal %s%s", name,
			    WCOREDUMP(ending->status) ? ", core dumped" : "");
	}
}

void ending_print(const struct ending *ending)
{
	char words[ENDING_SIZE];

	if (!ending)
		return;
	ending_words(ending, words);
	printf(", ended: %s", words);
	if (ending->source != PIDTRACK_SOURCE_UNKNOWN)
		printf(" (%s)", pidtrack_source_name(ending->source));
}

void ending_brief(const struct ending *ending,
		  char ret_words[ENDING_BRIEF_SIZE])
{
	char name[SIGNAL_NAME_SIZE];

	if (ending->source == PIDTRACK_SOURCE_UNKNOWN) {
		format_text(ret_words, ENDING_BRIEF_SIZE, "unknown");
	} else if (WIFEXITED(ending->status)) {
		format_text(ret_words, ENDING_BRIEF_SIZE, "code %d",
			    WEXITSTATUS(ending->status));
	} else {
		signal_name(WTERMSIG(ending->status), name);
		format_text(ret_words, ENDING_BRIEF_SIZE, "%s%s", name,
			    WCOREDUMP(ending->status) ? ", core" : "");
	}
}

static void signal_json(int status, struct json *json)
{
	char name[SIGNAL_NAME_SIZE];

	signal_name(WTERMSIG(status), name);
	json_number(json, "signal", (uint64_t)WTERMSIG(status));
	json_string(json, "signal_name", name);
	json_bool(json, "core_dumped", WCOREDUMP(status));
}

void ending_json(const struct ending *ending, struct json *json)
{
	if (ending->source == PIDTRACK_SOURCE_UNKNOWN) {
		json_null(json, "status");
	} else {
		json_number(json, "status", (uint64_t)ending->status);
		if (WIFEXITED(ending->status))
			json_number(json, "exit_code",
				    (uint64_t)WEXITSTATUS(ending->status));
		else
			signal_json(ending->status, json);
	}
	json_string(json, "source", pidtrack_source_name(ending->source));
}

int ending_exit_code(const struct ending *ending)
{
	if (ending->source == PIDTRACK_SOURCE_UNKNOWN)
		return EXIT_UNTOLD;
	if (WIFEXITED(ending->status))
		return WEXITSTATUS(ending->status);
	return 128 + WTERMSIG(ending->status);
}
