/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Resource limits by name, as setrlimit(2) has them in small letters.
 */
#ifndef RLIMIT_H
#define RLIMIT_H

#include "pidtrack.h"

/* "nofile=1024", "nofile=1024:4096", "core=unlimited".
 * Return: 0, or EXIT_USAGE, having complained. */
int rlimit_parse(const char *text, struct pidtrack_rlimit *ret_limit);

#endif
