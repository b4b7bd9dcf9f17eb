/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Standard output, whose reader may leave: that ends a command quietly, while
 * output that cannot be written for another reason is a failure.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

/* Before the first line: from now on a reader that left is -EPIPE. */
void output_begin(void);

/*
 * Writes out what was printed.
 *
 * Return: 0; -EPIPE if the reader has left; another negative errno.
 */
int output_flush(void);

/* The last words: @code, or EXIT_FAILED having complained. */
int output_finish(int code);

/* Complains that output could not be written.  Return: EXIT_FAILED. */
int output_failed(int error);

#endif
