#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That what becomes of a process is right in whatever order things happen:
# model/process.pml has it, with the table of lib/process.c; wrong tables are
# found.
#	model.sh TABLE CC...
# TABLE is the program of model/table.c.
set -u
if [ $# -lt 2 ] || [ ! -x "$1" ]; then
	sed -n '3,/^set/s/^# \?//p' "$0" >&2
	exit 2
fi
model=$(cd "$(dirname "$0")" && pwd)/model
. "$(dirname "$0")/tap.sh"

table=$1
shift

is_the_table()
{
	"$table" >"$work/printed" && diff -u "$1" "$work/printed"
}

# another STATE SEEN STATE DOES: the table with another cell
another()
{
	awk -v was="state == PT_STATE_$1 " -v saw="saw == PT_SEEN_$2 " \
		-v cell="state = PT_STATE_$3; does = $4" '
	here { print "\t\t" cell; here = 0; next }
	{ print; here = index($0, was) && index($0, saw) }' \
		"$model/table.pml"
}

# build FLAG EXECS CC...: the search for what is wrong, with the table in $work
build()
{
	flag=$1 execs=$2
	shift 2
	cp "$model/process.pml" "$work" && cd "$work" &&
		spin "-DN_EXECS=$execs" -a process.pml &&
		"$@" -O0 -w -DCOLLAPSE "$flag" -o search pan.c
}

# All runs, none of which does what it must not, or stops before its end.
holds()
{
	"$work/search" -m100000 "$@" >"$work/found" 2>&1
	cat "$work/found"
	grep -q 'errors: 0$' "$work/found" &&
		! grep -qE 'not completed|max search depth|out of' "$work/found"
}

# An assertion with the words $1 does not hold.
is_found()
{
	"$work/search" -m100000 >"$work/found" 2>&1
	cat "$work/found"
	grep '^pan:1: assertion violated' "$work/found" | grep -qF -- "$1"
}

plant()
{
	another "$@" >"$work/table.pml"
	! cmp -s "$model/table.pml" "$work/table.pml"
}

check the_model_has_the_table_of_the_library is_the_table "$model/table.pml"
plant OURS ACK REAPED 0
refuse a_planted_other_table_is_found is_the_table "$work/table.pml"

if ! command -v spin >/dev/null; then
	skip what_must_hold_does_in_every_order "no spin"
	finish
fi

cp "$model/table.pml" "$work"
check the_model_builds build -DSAFETY 2 "$@"
check what_must_hold_does_in_every_order holds
check the_model_of_progress_builds build -DNP 1 "$@"
check nothing_goes_on_for_ever holds -l

# planted NAME ASSERTION CELL CC...
planted()
{
	name=$1 words=$2
	# shellcheck disable=SC2086 # words
	plant $3
	shift 3
	build -DSAFETY 1 "$@" >"$work/built" 2>&1
	check "$name" is_found "$words"
}

planted a_zombie_left_is_found '' \
	'OURS ACK REAPED 0' "$@"
planted a_reap_before_the_answer_is_found 'answered' \
	'RUNNING STATUS OURS PT_DO_EXITED|PT_DO_REAP' "$@"
planted a_reap_of_who_is_not_ours_is_found '!(observed)' \
	'ZOMBIE ACK ZOMBIE PT_DO_REAP' "$@"
planted an_end_told_twice_is_found '!(told_exited)' \
	'ZOMBIE EXIT ZOMBIE PT_DO_EXITED' "$@"
planted a_status_not_told_is_found '' \
	'ZOMBIE REAP REAPED 0' "$@"

finish
