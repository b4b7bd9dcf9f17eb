/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Signals by name.
 */
#ifndef SIGNAL_NAME_H
#define SIGNAL_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define SIGNAL_NAME_SIZE 32 /* bytes, the final NUL included */

/* "SIGTERM", "SIGRTMIN+1"; the number of one without a name. */
void signal_name(int number, char ret_name[SIGNAL_NAME_SIZE]);

/* The first @n bytes of @text, a name with or without SIG, in letters of any
 * size, or a number from 1 to 64. */
bool signal_parse(const char *text, size_t n, int *ret_number);

#endif
