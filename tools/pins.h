/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Directories of pins, as the command line names them: used as a host uses its
 * own, one at a time.
 */
#ifndef PINS_H
#define PINS_H

#include <stdbool.h>
#include <stddef.h>

#include "pidtrack.h"

/* Whether @path is one that was made before. */
bool pins_are_in(const char *path);

/*
 * Makes a tracker that has the directory, which is made if there is none; waits
 * a little for others who launch into it.
 *
 * Return: 0, or EXIT_FAILED, having complained.
 */
int pins_open(const char *path, struct pidtrack **ret_tracker);

#endif
