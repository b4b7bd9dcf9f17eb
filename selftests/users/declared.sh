#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That what a language says by itself of pidtrack.h is what that says: sizes and
# places in structs, and constants.
#	declared.sh HOST CC...
set -u
. "$(dirname "$0")/../tap.sh"

host=$1
shift

are_true()
{
	[ -s "$1" ] || return 1
	{
		echo '#include <errno.h>'
		echo '#include <pidtrack.h>'
		echo '#include <poll.h>'
		sed 's/.*/_Static_assert(&, "");/' "$1"
	} >"$work/declared.c"
	shift
	"$@" -std=gnu11 -S -o /dev/null "$work/declared.c"
}

"$host" --declared >"$work/declared"
check what_is_declared_is_true are_true "$work/declared" "$@"
sed 's/\(spawn_options, label) == \)/\1 8 + /' "$work/declared" >"$work/planted"
refuse a_planted_other_place_is_found are_true "$work/planted" "$@"
sed 's/\(PIDTRACK_SPAWN_KEEP == \)/\1 2 * /' "$work/declared" >"$work/planted"
refuse a_planted_other_constant_is_found are_true "$work/planted" "$@"

finish
