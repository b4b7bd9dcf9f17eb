#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That no file, function or struct of the library is named by a word that says
# nothing.  Names that mirror the kernel's (sys_, PIDFD_GET_INFO) are its own.
#	words.sh ROOT LIBRARY.a
set -u
. "$(dirname "$0")/tap.sh"

root=$1
static=$2
empty='handle|context|ctx|manager|mgr|entry|data|info|util|utils|helper|misc'

names()
{
	(cd "$root/lib" && printf '%s\n' *.[ch]) | sed 's/\.[ch]$//'
	nm "$static" | awk 'NF == 3 && $2 ~ /[TtDdBbRr]/ { print $3 }' |
		sed 's/\..*//'
	grep -ohE '^(struct|enum|union) [a-z_0-9]+ \{' "$root"/lib/*.[ch] |
		awk '{ print $2 }'
}

# What the kernel calls so: PIDFD_GET_INFO, file handles.
theirs='^(sys_|_)|pidfd_info$|^(probe|try)_(exit_)?info$|handle(_open)?$'

meaningful()
{
	! sort -u "$1" | grep -vE "$theirs" | tr 'A-Z' 'a-z' |
		grep -E "(^|_)($empty)s?(_|$)"
}

names >"$work/names"
check no_name_says_nothing meaningful "$work/names"
{ cat "$work/names"; echo pt_process_helper; } >"$work/planted"
refuse a_planted_empty_name_is_found meaningful "$work/planted"

finish
