#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That the library says nothing, ends nobody, and handles no signal: it calls
# none of the functions that do.  What assert() calls is fine.
#	quiet.sh LIBRARY.a CC...
set -u
. "$(dirname "$0")/tap.sh"

static=$1
shift

says='_?_?(v?f?printf|v?dprintf)(_chk)?|puts|fputs|putchar|putc|fputc|fwrite|
	|perror|psignal|stdout|stderr|v?err|v?errx|v?warn|v?warnx|error|
	|v?syslog|openlog|write'
ends='exit|_exit|_Exit|quick_exit|abort|kill|raise|pthread_kill|pthread_exit'
handles='signal|bsd_signal|__sysv_signal|sigaction|sigset|siginterrupt|
	|setitimer|alarm|timer_create'
hooks='atexit|__cxa_atexit|on_exit|pthread_atfork|__register_atfork|setenv|
	|putenv|unsetenv|chdir|umask'

# Object files of $1 need none of the names that $2 matches.
needs_none()
{
	names=$(echo "$2" | tr -d ' \t\n' | sed 's/||/|/g')
	nm -u "$1" | awk 'NF == 2 { print $2 }' | sed 's/@.*//' | sort -u |
		grep -xE "$names" && return 1
	return 0
}

plant()
{
	echo "$1" >"$work/planted.c"
	shift
	"$@" -O0 -c -o "$work/planted.o" "$work/planted.c"
}

check the_library_prints_nothing needs_none "$static" "$says"
check the_library_ends_nobody needs_none "$static" "$ends"
check the_library_handles_no_signal needs_none "$static" "$handles"
check the_library_leaves_the_process_as_it_is needs_none "$static" "$hooks"

plant '#include <stdio.h>
int f(int i) { return printf("%d", i) + fputs("x", stderr); }' "$@"
refuse a_planted_printf_is_found needs_none "$work/planted.o" "$says"
plant '#include <stdlib.h>
void f(void) { exit(1); }' "$@"
refuse a_planted_exit_is_found needs_none "$work/planted.o" "$ends"
plant '#include <signal.h>
void f(void) { signal(SIGCHLD, SIG_IGN); }' "$@"
refuse a_planted_signal_is_found needs_none "$work/planted.o" "$handles"
plant '#include <assert.h>
void f(int i) { assert(i); }' "$@"
check an_assert_is_fine needs_none "$work/planted.o" "$says|$ends|$handles"

finish
