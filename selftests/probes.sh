#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That the probes of the library are those that pidtrack(7) lists, with as many
# arguments.
#	probes.sh LIBRARY.so MANUAL
set -u
. "$(dirname "$0")/tap.sh"

library=$1
manual=$2

# "NAME ARGUMENTS", once
built()
{
	readelf -n "$1" | awk '
	/Provider: / { ours = $2 == "pidtrack" }
	/Name: / { name = $2 }
	/Arguments: / && ours { print name, NF - 1 }' | sort -u
}

listed()
{
	awk '
	/^.Sh / { here = $2 == "PROBES" }
	here && /^.It Fn / { print $3, gsub(/"/, "") / 2 }' "$1" | sort -u
}

same()
{
	built "$library" >"$work/built"
	listed "$1" >"$work/listed"
	diff -u "$work/listed" "$work/built"
}

if [ -z "$(built "$library")" ]; then
	skip the_manual_lists_the_probes "built without sys/sdt.h"
	finish
fi
check the_manual_lists_the_probes same "$manual"
sed 's/^.It Fn reaped .*/.It Fn reaped "pid"/' "$manual" >"$work/manual"
refuse an_argument_that_is_not_listed_is_found same "$work/manual"
sed '/^.It Fn resume /d' "$manual" >"$work/manual"
refuse a_probe_that_is_not_listed_is_found same "$work/manual"
finish
