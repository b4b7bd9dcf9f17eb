/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A launch as the command line asks for it: its options, the launch itself, and
 * in words why it failed.
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

#include "command.h"
#include "pidtrack.h"

enum {
	EXIT_CANNOT_EXECUTE = 126,
	EXIT_NOT_FOUND = 127,
};

struct launch {
	struct pidtrack_spawn_options spawn;
	struct pidtrack_fd_map *fds; /* of spawn; owned */
	struct pidtrack_rlimit rlimits[RLIM_NLIMITS];

	const char *pins;   /* directory of pins; NULL: none */
	const char *cgroup; /* directory; NULL: none */
	const char *user;   /* as it was written; NULL: ours */
	char **env;	    /* NAME=VALUE each; owned, the words are not */
	size_t n_env;
	bool clear_env;
	bool detach;
	bool json;

	char **argv;
	char program[PATH_MAX];
	int cgroup_fd; /* owned; -1: none */
};

/* For struct launch. */
extern const struct command_option launch_options[];

/* @words: there are as many on the command line, so no option comes oftener. */
int launch_init(struct launch *launch, size_t words);
void launch_done(struct launch *launch);

/*
 * What no single option can tell is wrong.
 *
 * Return: 0, or EXIT_USAGE, having complained.
 */
int launch_check(const struct launch *launch);

/*
 * Launches @launch->argv.  Our own environment becomes the shim's.
 *
 * Return: 0, or the exit code to end with, having complained.
 */
int launch_now(struct launch *launch, struct pidtrack *tracker,
	       struct pidtrack_process **ret_process);

#endif
