#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# pidtrack watch on a terminal, as screen.py says it looks; see tool.bash.

. "$(dirname "$0")/tool.bash"

# Runs "watch $*" on a terminal.
begin() {
	need_table
	export TERM=${TERM_HERE-xterm}
	on_terminal "$PIDTRACK" watch "$@"
}

# A record for each of $1 names, row001 and so on, all of $pid, in box.
fill_box() {
	local i print

	mkdir box
	print=$("$PIDTRACK" fingerprint $pid)
	for ((i = 1; i <= $1; i++)); do
		echo "$print" >"box/row$(printf %03d $i)"
	done
}

# Until the age in the row $2 is $1 seconds more: or some more, as not every
# second is shown where others have the processors.
next_ages() {
	local age ages i

	[[ $2 =~ \ ([0-9]+m)?([0-9]+)s\ running ]] || die "no age: $2"
	age=$((10#${BASH_REMATCH[2]} + $1))
	ages=$((age % 60))
	for ((i = 1; i <= 50; i++)); do
		ages+="|$(((age + i) % 60))"
	done
	sees "^[0-9]+ +(row001|pt-shim) .*[m ]0?($ages)s running"
}

# ---- what it shows ----

HEADING='^PID +NAME +AGE STATE +VERDICT +CPU% +MEM LAST EVENT$'

test_a_row_says_what_there_is_to_know() {
	need_exit_info
	hold_recorded
	begin a.record
	sees "$HEADING"
	sees "^$pid +a web +[0-9]+s running +same +(-|[0-9.]+) +[0-9.]+[KM] -\$"
	sees "^q ends\$"
	kill -SEGV $pid
	# it ends with the last process, and what was seen stays
	ends 'code 0'
	sees "$HEADING"
	sees "^$pid +a web +[0-9]+s SIGSEGV(, core)? +same +- +- ..:..:.. (exited|reaped)\$"
	lacks '^q ends'
	finish
}

test_whatever_a_row_says_fits_80_columns() {
	hold
	begin $pid
	sees LAST
	ask line LAST
	# "12:34:56 exited" is the longest, and the cells before have their widths
	[[ $answer == *' LAST EVENT' && $((${#answer} + 5)) -le 80 ]] ||
		die "wider: '$answer'"
	ask types q
	ends 'code 0'
	finish
}

test_a_process_that_is_named_by_its_number_has_no_verdict() {
	hold
	begin $pid
	sees '^PID +COMMAND +AGE STATE +VERDICT'
	sees "^$pid +pt-shim +[0-9]+s running +- "
	ask types q
	ends 'code 0'
	finish
}

test_a_zombie_was_found_as_one() {
	hold_zombie
	"$PIDTRACK" fingerprint "$pid" >a.print 2>/dev/null || skip "no record"
	begin a.print
	sees "^$pid +a.print +[0-9]+s exited +exited +- +- "
	ask types q
	ends 'code 0'
	finish
	release
}

test_a_wide_terminal_has_room_for_more() {
	need_exit_info
	hold_recorded
	mv a.record "$(printf 'long%.0s' {1..10}).record"
	WIDTH=140 begin ./*.record
	sees '^PID +NAME +COMMAND +AGE STATE +VERDICT +SOURCE +CPU% +MEM LAST EVENT$'
	kill $pid
	ends 'code 0'
	sees "^$pid +a web +pt-shim +[0-9]+s SIGTERM +same +recovered +- +- "
	finish
}

test_a_narrow_one_leaves_out_what_is_missed_least() {
	hold
	WIDTH=40 begin $pid
	sees '^PID +COMMAND +STATE *$'
	sees "^$pid +pt-shim +running *\$"
	ask types q
	ends 'code 0'
	finish
}

test_names_are_in_order() {
	hold
	fill_box 3
	begin box/row003 $pid box/row001
	sees "$HEADING"
	ask line 'row|pt-shim'
	[[ $answer == "$pid"*row001* ]] || die "'$answer' is first"
	sees "^$pid +pt-shim +[0-9]+s running +- "
	ask types q
	ends 'code 0'
	finish
}

test_only_what_is_called_so_has_a_row() {
	hold
	fill_box 12
	begin --label 'row00[27]' --label row01? box
	sees row012
	sees row002
	ask counts '^[0-9]+ +row'
	[[ $answer == 5 ]] || die "$answer rows"
	ask types q
	ends 'code 0'
	finish
}

test_a_directory_is_shown_as_it_changes() {
	need_exit_info
	hold_recorded
	mkdir box
	gone_pid >box/gone.pid
	begin box
	sees "^1 without a process, see 'pidtrack list'\$"
	lacks 'a web'
	mv a.record box
	sees "^$pid +a web +[0-9]+s running +same "
	kill $pid
	sees "^$pid +a web +[0-9]+s SIGTERM +same "
	rm box/a.record
	lacks "^$pid"
	rm -r box
	ends 'code 1'
	# which is told where it can be read
	sees "^pidtrack: watch: 'box' was removed\$"
	finish
}

# ---- more rows than lines ----

test_more_rows_than_lines_are_scrolled() {
	hold
	fill_box 300
	begin box
	sees '^1 to 21 of 300, 279 more$'
	sees '^q ends; arrows and pages scroll$'
	sees row021
	ask counts '^[0-9]+ +row'
	[[ $answer == 21 ]] || die "$answer rows"
	ask types '\x1bOB'
	sees '^2 to 22 of 300, 279 more$'
	sees row022
	lacks row001
	ask types '\x1b[6~'
	sees '^23 to 43 of 300, 279 more$'
	ask types '\x1bOA\x1b[5~\x1b[5~'
	sees '^1 to 21 of 300'
	ask types G
	sees '^280 to 300 of 300'
	sees row300
	ask types '\x1bOB\x1b[6~'
	sees '^280 to 300 of 300'
	# one that comes is counted, before or after the last key was taken
	cp box/row001 box/row000
	sees '^(280 to 300|281 to 301) of 301, 280 more$'
	ask types g
	sees row000
	ask types q
	ends 'code 0'
	sees '^1 to 21 of 301, 280 more$'
	finish
}

test_it_takes_the_size_that_the_terminal_has_now() {
	hold
	fill_box 30
	begin box
	sees '^1 to 21 of 30, 9 more$'
	ask size 10 60
	sees '^1 to 7 of 30, 23 more$'
	sees '^PID +NAME +AGE STATE +LAST EVENT$'
	ask types G
	sees '^24 to 30 of 30'
	ask size 50 110
	sees '^PID +NAME +COMMAND +AGE STATE +VERDICT +SOURCE'
	sees row001
	sees row030
	sees '^q ends$'
	ask counts '^[0-9]+ +row'
	[[ $answer == 30 ]] || die "$answer rows"
	lacks ' of 30'
	# whatever is left of one
	for size in '3 20' '2 5' '1 1' '1 300' '24 80'; do
		ask size $size
	done
	sees '^1 to 21 of 30'
	ask types q
	ends 'code 0'
	finish
}

# Reads are counted, of files and what else there is: two for a file at most.
test_only_rows_that_are_seen_are_looked_at() {
	local job before between began i

	hold
	fill_box 999
	begin box
	sees '^1 to 21 of 999'
	ask job
	job=$answer
	[[ -r /proc/$job/io ]] || skip "no counts of reads"
	# the second look, and some seconds
	sees ' [0-9.]+ +[0-9.]+[KM] -$'
	ask line row001
	began=$SECONDS
	before=$(awk '/^syscr/ { print $2 }' "/proc/$job/io")
	next_ages 4 "$answer"
	# nor are they more often because they are drawn
	for ((i = 2; i <= 40; i++)); do
		ask types '\x1bOB'
		sees "^$i to $((i + 20)) of 999"
	done
	between=$(($(awk '/^syscr/ { print $2 }' "/proc/$job/io") - before))
	[[ $between -le $(((SECONDS - began + 2) * 21 * 5 * 2 + 40 * 10)) ]] ||
		die "$between reads in $((SECONDS - began)) s"
	ask types q
	ends 'code 0'
	finish
}

# ---- keys, signals and the terminal ----

test_those_it_showed_run_on_when_it_ends() {
	local how

	for how in 'types q:code 0' 'types \x03:signal INT' \
		'signal TERM:signal TERM' 'signal HUP:signal HUP'; do
		hold_once
		begin $pid
		sees "^$pid .* running"
		ask "${how%%:*}"
		ends "${how#*:}"
		sees "^$pid .* running"
		finish
		kill -0 $pid || die "it is gone"
	done
}

hold_once() {
	[[ -e held ]] || hold
}

test_it_can_be_stopped_and_goes_on() {
	hold
	begin $pid
	sees "^$pid .* running"
	ask types '\x1a'
	ask stopped
	[[ $answer == ok ]] || die "it is not stopped"
	ask given-back
	[[ $answer == ok ]] || die "the terminal has another: $answer"
	lacks running
	ask signal CONT
	sees "^$pid .* running"
	ask types q
	ends 'code 0'
	finish
}

test_a_signal_that_is_ignored_stays_so() {
	need_table
	hold
	TERM=xterm on_terminal bash -c \
		"trap '' HUP; exec '$PIDTRACK' watch $pid"
	sees "^$pid .* running"
	ask signal HUP
	ask types q
	ends 'code 0'
	finish
}

test_keys_are_the_terminals_whatever_the_input_is() {
	need_table
	hold
	TERM=xterm on_terminal sh -c "'$PIDTRACK' watch $pid </dev/null"
	sees "^$pid .* running"
	ask types q
	ends 'code 0'
	finish
}

test_complaints_do_not_disturb_the_table() {
	hold
	begin $pid ./nowhere
	sees "^$pid .* running"
	lacks nowhere
	sees '^1 complaint, told at the end$'
	ask types q
	ends 'code 4'
	sees "^pidtrack: watch: './nowhere': no such file"
	finish
}

test_it_has_colours_unless_told_otherwise() {
	local wanted

	need_exit_info
	hold_recorded
	for wanted in linux::32 linux:1: linux:0: xterm::32 vt100::; do
		IFS=: read -r TERM_HERE NO_COLOR wanted <<<"$wanted"
		export NO_COLOR
		begin a.record
		sees "^$pid .* running"
		ask types q
		ends 'code 0'
		ask colours
		[[ $answer == "$wanted" ]] ||
			die "colours '$answer' of $TERM_HERE with '$NO_COLOR'"
		finish
	done
	NO_COLOR='' TERM_HERE=linux begin a.record
	sees "^$pid .* running"
	kill $pid
	ends 'code 0'
	finish
}

# ---- lines ----

# A shell that does not wait writes there, too.
test_in_the_background_of_a_terminal_there_are_lines() {
	hold
	TERM=xterm on_terminal bash -mc "'$PIDTRACK' watch $pid & wait"
	sees "^$pid(:[0-9]+)? attached running "
	kill $pid
	ends 'code 0'
	sees '(exited|reaped) '
	lacks PID
	finish
}

test_a_terminal_that_cannot_move_its_cursor_has_lines() {
	local terminal

	hold
	for terminal in dumb nobody-knows-it ''; do
		TERM=$terminal on_terminal "$PIDTRACK" watch $pid
		sees "^$pid(:[0-9]+)? attached running "
		ask signal TERM
		ends 'signal TERM'
		lacks PID
		finish
	done
}

test_json_is_no_table() {
	hold
	TERM=xterm WIDTH=500 on_terminal "$PIDTRACK" watch --json $pid
	sees '^\{.*"event":"attached",'
	kill $pid
	ends 'code 0'
	lacks PID
	finish
}

# ---- what a process takes ----

test_a_busy_process_takes_a_cpu_and_what_it_has_of_memory() {
	mkfifo said
	python3 -c '
memory = bytearray(b"x") * (64 << 20)
print("ready", flush=True)
while True: pass' >said &
	pid=$!
	read -r _ <said
	begin $pid
	sees "^$pid .* [1-9][0-9.]* +[67][0-9]M -\$"
	kill $pid
	ends 'code 0'
	finish
}

test_a_cgroup_of_its_own_counts_in_whole() {
	cgroup2
	[[ -r $cgroup/cpu.stat ]] || skip "no cpu.stat"
	home=${cgroup%/*}$(sed -n 's/^0:://p' /proc/self/cgroup)
	hold
	"$SHIM" pause 9>&- &
	other=$!
	trap 'echo $$ >"$home/cgroup.procs"; exec 6>&-; kill -KILL $pid $other $busy; wait; rmdir "$cgroup"' EXIT
	bash -c 'echo $$ >"$1"; while :; do :; done' - "$cgroup/cgroup.procs" \
		9>&- &
	busy=$!
	echo $pid >"$cgroup/cgroup.procs"
	begin $pid $other
	# it does nothing itself
	sees "^$pid .* [1-9][0-9.]*\* +[0-9.]+[KMG]?\*? -\$"
	sees "^$other .* 0\.0 +[0-9.]+[KM] -\$"
	sees '^\* of all in its cgroup$'
	if [[ -e $cgroup/memory.current ]]; then
		sees "^$pid .*\* +[0-9.]+[KMG]?\* -\$"
	else
		sees "^$pid .*\* +[0-9.]+[KMG] -\$"
	fi
	# of two in one nobody has it
	echo $other >"$cgroup/cgroup.procs"
	lacks '\*'
	ask types q
	ends 'code 0'
	finish
	# nor who is where the parent is
	echo $other >"$home/cgroup.procs"
	begin $pid
	sees "^$pid .*\* +[^ ]+ -\$"
	echo $$ >"$cgroup/cgroup.procs"
	lacks '\*'
	ask types q
	ends 'code 0'
	finish
	# or pidtrack itself
	begin $pid
	sees "^$pid .* 0\.0 +[0-9.]+[KM] -\$"
	echo $$ >"$home/cgroup.procs"
	ask line running
	next_ages 3 "$answer"
	lacks '\*'
	ask types q
	ends 'code 0'
	finish
}

run_tests "$@"
