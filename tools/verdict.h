/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a comparison came to: in words, for programs, and as an exit code.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "json.h"
#include "pidtrack.h"

/* What ends a line: "same: the pidfs inode is the same (compared: boot,
 * inode)", without the newline. */
void verdict_print(const struct pidtrack_comparison *comparison);

/* Members verdict, evidence, reason. */
void verdict_json(const struct pidtrack_comparison *comparison,
		  struct json *json);

/* EXIT_AS_ASKED if it is the same, EXIT_UNTOLD if unproven, else EXIT_NO. */
int verdict_exit_code(uint32_t verdict);

#endif
