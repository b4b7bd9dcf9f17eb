# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
# For scripts that test the tool, to be sourced first; they end with
#
#	run_tests "$@"
#
# Each function of theirs whose name begins with test_ is a test of what its
# name says, and runs in a process and a directory of its own.  Processes are
# waited for by fifos and by the tool itself, never by sleeping.
#
# PIDTRACK: the tool; PIDTRACK_TEST_SHIM: the shim to launch;
# PIDTRACK_TEST_MANUAL: the tool's page, or that beside the sources.
# Argument: the name of one test, to run that alone and see what it says.

set -u
export LC_ALL=C

# Orphans come to us, and bash reaps what comes to it: a machine whose first
# process does not would otherwise keep their statuses from us.
if [[ -z ${PT_SUBREAPER-} ]]; then
	export PT_SUBREAPER=1
	exec python3 -c '
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
signal.signal(signal.SIGPIPE, signal.SIG_DFL) # which python ignores
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$BASH" "$0" "$@"
fi

: "${PIDTRACK:?the path of the tool}" "${PIDTRACK_TEST_SHIM:?that of pt-shim}"
PIDTRACK=$(realpath "$PIDTRACK")
SHIM=$(realpath "$PIDTRACK_TEST_SHIM")
SELF=$(realpath "$0")
MANUAL=${PIDTRACK_TEST_MANUAL-$(dirname "$SELF")/../tools/pidtrack.1}
NL=$'\n' ESC=$'\033'

# ---- what tests are written with ----

die() {
	echo "$*" >&2
	echo "code ${code-}, output '${out-}', errors '${err-}'" >&2
	exit 1
}

skip() {
	echo "$*" >skipped
	exit 0
}

# Runs the tool, with $PATH_HERE as PATH: $code, $out and $err.
pt() {
	code=0
	PATH=${PATH_HERE-$PATH} "$PIDTRACK" "$@" >out 2>err || code=$?
	out=$(<out) err=$(<err)
}

code_is() {
	[[ $code == "$1" ]] || die "exit code is not $1"
}

out_is() {
	[[ $out == "$1" ]] || die "output is not '$1'"
}

out_matches() {
	[[ $out =~ $1 ]] || die "output does not match '$1'"
}

# One line of errors, of our form, that says this; nothing on output.
err_says() {
	[[ $err == "pidtrack: "* && $err != *"$NL"* && $err == *"$1"* ]] ||
		die "errors are no line that says '$1'"
	[[ $err != *"$ESC"* && -z $out ]] || die "more than one line of errors"
}

silent() {
	[[ -z $err ]] || die "there are errors"
}

# Usage: usage WORD... --- WHAT IT SAYS
usage() {
	local words=()

	while [[ $1 != --- ]]; do
		words+=("$1")
		shift
	done
	pt "${words[@]}"
	code_is 2
	err_says "$2"
}

# Whether each line of $out is JSON by itself, and what python says of it.
json() {
	python3 -m json.tool --json-lines >/dev/null <<<"$out" ||
		die "output is not JSON"
}

# Usage: json_is EXPRESSION VALUE, of the last line, as the object o
json_is() {
	local value

	value=$(python3 -c '
import json, sys
o = json.loads(sys.argv[1].splitlines()[-1])
print(eval(sys.argv[2]))' "$out" "$1") || die "no $1"
	[[ $value == "$2" ]] || die "$1 is '$value', not '$2'"
}

# Starts a shim that waits until release(), then does the rest: $pid.  Whatever
# else runs beside it must not have descriptor 9, which is what it waits for.
hold() {
	mkfifo held said
	"$SHIM" write ready wait "$@" <held >said &
	pid=$!
	exec 9>held
	read -r _ <said
	rm said
}

release() {
	exec 9>&-
}

# A zombie whose parent never asks: $pid, until release().
hold_zombie() {
	mkfifo held ends named
	# shellcheck disable=SC2016
	bash -c '"$0" wait exit 5 <ends >/dev/null & exec "$0" write $! wait' \
		"$SHIM" <held >named &
	exec 9>held
	read -r pid <named
	exec 7>ends
	exec 7>&-
	# ends when its reader leaves, which is once the shim has ended
	"$PIDTRACK" watch "$pid" | grep -m 1 -q ' exited$'
}

# Runs the tool with a child of its own, which it has by exec: a shim that does
# $1, its pid put after the first of the other words.
with_child() {
	# not by bash, which may have waited for it before
	exec python3 -c '
import os, sys
shim, does, tool, *words = sys.argv[1:]
child = os.posix_spawn(shim, [shim] + does.split(), os.environ)
os.execv(tool, [tool] + words[:1] + [str(child)] + words[1:])' \
		"$SHIM" "$1" "$PIDTRACK" "${@:2}"
}

# Begins "wait $*" in the background: its lines on descriptor 8, until the
# status is in $code by waited().  A child of its own that ends at once, and is
# told of first, shows that it has all of them.
begin_wait() {
	mkfifo lines
	with_child 'exit 0' wait "$@" >lines 9>&- 7>&- &
	waiting=$!
	exec 8<lines
	read -r -u 8 _
	rm lines
}

waited() {
	code=0
	wait $waiting || code=$?
}

# Begins "watch $*" in the background: its lines on descriptor 8.
begin_watch() {
	mkfifo lines
	"$PIDTRACK" watch "$@" >lines 2>err 9>&- &
	watching=$!
	exec 8<lines
	rm lines
}

next_line() {
	read -r -t 20 -u 8 out || die "no further line"
}

# After its directory was removed.
watched() {
	code=0
	wait $watching || code=$?
	out='' err=$(<err)
}

# Another process with a record, until it is killed: $other, and $other_host
launch_other() {
	"$PIDTRACK" run --record "$1" "$SHIM" pause 9>&- 8<&- &
	other_host=$!
	until [[ -s $1 ]]; do :; done
	other=$(head -n 1 "$1")
}

# The same with a record of it, a.record, and a label: $pid, and $host, which
# passes its status on.
hold_recorded() {
	mkfifo held said
	"$PIDTRACK" run --label 'a web' --record a.record \
		"$SHIM" write ready wait "$@" <held >said &
	host=$!
	exec 9>held
	read -r _ <said
	rm said
	pid=$(head -n 1 a.record)
}

# A record like a.record, with its checksum, in which $1 became $2: another.record
forge() {
	python3 -c '
import re, sys, zlib
text = open("a.record", "rb").read()
text = text[:text.rindex(b"crc32=")]
forged = re.sub(sys.argv[1].encode(), sys.argv[2].encode(), text)
assert forged != text
forged += b"crc32=%08x\n" % zlib.crc32(forged)
open("another.record", "wb").write(forged)' "$1" "$2" || die "no '$1'"
}

name_of() {
	local text inode

	text=$("$PIDTRACK" fingerprint "$1")
	inode=${text#*,inode=}
	[[ $inode != "$text" ]] || skip "no inodes of processes, Linux < 6.9"
	echo "$1:${inode%%,*}"
}

need_inodes() {
	name_of $$ >/dev/null
	[[ ! -e skipped ]] || exit 0
}

need_exit_info() {
	"$PIDTRACK" features --require "$EXIT_INFO" >/dev/null ||
		skip "no statuses of others' children, Linux < 6.15"
}
EXIT_INFO=exit-info

need_root() {
	[[ $(id -u) == 0 ]] || skip "not root"
}

gone_pid() {
	"$SHIM" &
	wait $!
	echo $!
}

cgroup2() {
	local place

	place=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[[ -n $place ]] || skip "no cgroup2 mount"
	cgroup=$place/pidtrack-tool-test-$$
	mkdir "$cgroup" 2>/dev/null || skip "no right to make a cgroup"
	trap 'rmdir "$cgroup"' EXIT
}

# ---- on a terminal ----

need_manual() {
	[[ -r $MANUAL ]] || skip "no manual beside the test"
}

need_table() {
	"$PIDTRACK" watch --help | grep -q '^A table in the foreground' ||
		skip "built without ncurses"
}

# Runs "$*" on a terminal, of $ROWS rows and $WIDTH columns; who asks what is on
# it has descriptors 5 and 6.
on_terminal() {
	coproc SCREEN {
		exec python3 "$(dirname "$SELF")/screen.py" "${ROWS-24}" \
			"${WIDTH-80}" "$@" 2>seen 9>&-
	}
	screen=$SCREEN_PID
	exec 5<&"${SCREEN[0]}" 6>&"${SCREEN[1]}"
	eval "exec ${SCREEN[0]}<&- ${SCREEN[1]}>&-"
}

ask() {
	echo "$*" >&6
	IFS= read -r -u 5 answer || die "$* is not answered: $(<seen)"
}

sees() {
	ask sees "$1"
	[[ $answer == ok ]] || die "'$1' is not seen:$NL$(<seen)"
}

lacks() {
	ask lacks "$1"
	[[ $answer == ok ]] || die "'$1' is still seen:$NL$(<seen)"
}

# Usage: ends HOW: with the terminal as it was
ends() {
	ask ends
	[[ $answer == "$1" ]] || die "it ends with $answer:$NL$(<seen)"
	ask given-back
	[[ $answer == ok ]] || die "the terminal has another: $answer"
}

finish() {
	exec 6>&-
	wait "$screen" || die "the terminal failed: $(<seen)"
	exec 5<&-
}

# ---- running them ----

# What is still there some time after a test: said, and killed.
children_left() {
	local left pid

	# which has no newline at its end
	read -r -a left <"/proc/$$/task/$$/children" || true
	for pid in "${left[@]}"; do
		[[ $("$PIDTRACK" wait --timeout 10 "$pid" 2>&1) == *"not in time"* ]] ||
			continue
		echo "left: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
		kill -KILL "$pid"
	done
}

run_one() {
	local name=$1 result

	directory=$(mktemp -d)
	chmod 755 "$directory"
	timeout -k 5 $((60 * ${PIDTRACK_TEST_SLOW:-1})) \
		"$BASH" "$SELF" "$name" "$directory" >"$directory/log" 2>&1
	result=$?
	children_left >"$directory/left"
	if [[ $result != 0 || -s $directory/left ]]; then
		sed 's/^/# /' "$directory/log" "$directory/left"
		[[ $result != 124 ]] || echo "# not in time"
		echo "not ok $number $title"
		failed=1
	elif [[ -e $directory/skipped ]]; then
		echo "ok $number $title # SKIP $(<"$directory/skipped")"
	else
		echo "ok $number $title"
	fi
	rm -rf "$directory"
}

run_tests() {
	if [[ $# == 2 ]]; then
		cd "$2" || exit
		trap 'kill $(jobs -p) 2>/dev/null' EXIT
		"$1"
		exit 0
	fi

	mapfile -t names < <(grep -o '^test_[a-z0-9_]*' "$SELF")
	if [[ $# != 0 && " ${names[*]} " != *" $1 "* ]]; then
		echo "${0##*/}: no test is called $1" >&2
		exit 2
	fi
	[[ $# == 0 ]] || names=("$1")
	directory=
	trap 'rm -rf "$directory"' EXIT
	failed=0 number=0
	echo "TAP version 13"
	echo "1..${#names[@]}"
	for name in "${names[@]}"; do
		number=$((number + 1))
		title=${name#test_}
		title=${title//_/ }
		run_one "$name"
	done
	exit $failed
}
