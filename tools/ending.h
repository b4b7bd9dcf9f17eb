/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * How a process ended: in words, for programs, and as a shell would pass it on.
 */
#ifndef ENDING_H
#define ENDING_H

#include <stddef.h>

#include "json.h"
#include "pidtrack.h"

#define ENDING_SIZE 64	     /* bytes of its words, the final NUL included */
#define ENDING_BRIEF_SIZE 32 /* likewise of its brief words */

struct ending {
	int32_t status;	 /* as of wait(2); -1 while the source is unknown */
	uint32_t source; /* enum pidtrack_source */
};

/* "code 3", "signal SIGKILL", "signal SIGSEGV, core dumped", "status unknown"
 */
void ending_words(const struct ending *ending, char ret_words[ENDING_SIZE]);

/* The end of a line: ", ended: code 3 (waited)"; nothing if @ending is NULL. */
void ending_print(const struct ending *ending);

/* For a column that says what it is of: "code 3", "SIGKILL", "SIGSEGV, core",
 * "unknown". */
void ending_brief(const struct ending *ending,
		  char ret_words[ENDING_BRIEF_SIZE]);

/* Members status, exit_code, signal, signal_name, core_dumped, source. */
void ending_json(const struct ending *ending, struct json *json);

/* The code, 128 and the signal, or EXIT_UNTOLD. */
int ending_exit_code(const struct ending *ending);

#endif
