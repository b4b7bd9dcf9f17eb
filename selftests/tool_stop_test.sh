#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# pidtrack stop, sentence by sentence; see tool.bash.

. "$(dirname "$0")/tool.bash"

# As hold(), but it ignores SIGTERM.
hold_stubborn() {
	mkfifo held said
	"$SHIM" ignore TERM write ready wait <held >said &
	pid=$!
	exec 9>held
	read -r _ <said
	rm held said
}

# Begins "stop $*" in the background, and reads its first line: $out
begin_stop() {
	mkfifo lines
	"$PIDTRACK" stop "$@" >lines 2>err 9>&- &
	stopping=$!
	exec 8<lines
	rm lines
	read -r -u 8 out
}

stopped() {
	code=0
	wait $stopping || code=$?
	out='' err=$(<err)
}

still_runs() {
	kill -0 $pid || die "$pid does not run any more"
}

# ---- the ladder ----

test_a_process_is_sent_sigterm() {
	need_exit_info
	hold
	name=$(name_of $pid)
	pt stop $pid
	code_is 0
	silent
	out_matches "^$name stopping SIGTERM$NL($name exited$NL)?$name (exited|reaped) signal SIGTERM \(recovered\)\$"
}

test_what_ignores_a_signal_is_sent_the_next() {
	need_exit_info
	hold_stubborn
	pt stop --steps TERM:1ms,SIGterm:0.001,0:1ms,-:1ms,9:10s $pid
	code_is 0
	silent
	out=$(cut -d' ' -f2- out)
	out_matches "^stopping SIGTERM${NL}escalated SIGTERM${NL}escalated${NL}escalated${NL}escalated SIGKILL$NL(exited$NL)?(exited|reaped) signal SIGKILL \(recovered\)\$"
}

test_a_first_step_may_send_nothing() {
	need_exit_info
	hold exit 3
	begin_stop --steps 0:1h,KILL:1s $pid
	out_matches "^$pid[:0-9]* stopping\$"
	release
	out=$(cat <&8)
	out_matches "(exited|reaped) code 3 \(recovered\)\$"
	stopped
	code_is 0
}

test_what_ends_by_the_first_signal_is_sent_no_other() {
	hold
	pt stop --steps TERM:10s,KILL:10s $pid
	code_is 0
	[[ $out != *escalated* ]] || die "escalated"
}

test_what_is_not_over_in_time_is_1() {
	hold_stubborn
	pt stop --steps TERM:1ms,TERM:1ms $pid
	still_runs
	code_is 1
	out_matches "$NL$pid[:0-9]* escalated SIGTERM$NL$pid[:0-9]* stop-timed-out SIGTERM\$"
	out=
	err_says "has not ended, and the last signal was SIGTERM; 'KILL:2s' as the last of --steps would insist"
	pt stop --steps -:1ms $pid
	still_runs
	code_is 1
	out=
	err_says 'the last signal was nothing'
	release
}

test_several_are_stopped_at_the_same_time() {
	need_exit_info
	local i pids=()

	for i in 1 2 3; do
		"$SHIM" ignore TERM write ready pause >said$i &
		pids+=($!)
		until [[ -s said$i ]]; do :; done
	done
	pt stop --steps TERM:50ms,KILL:10s "${pids[@]}"
	code_is 0
	[[ $(head -n 3 "$PWD/out" | grep -c ' stopping') == 3 ]] ||
		die "one after the other"
	[[ $(grep -c ' escalated' "$PWD/out") == 3 ]] || die "not three steps"
	[[ $(grep -c 'signal SIGKILL (recovered)$' "$PWD/out") == 3 ]] ||
		die "not three ends"
}

test_one_that_is_named_twice_is_stopped_once() {
	hold
	pt stop --steps TERM:10s $pid $pid
	code_is 0
	[[ $out == *stopping* && $out != *stopping*stopping* ]] || die "twice"
}

test_a_child_of_its_own_is_reaped() {
	out=$(with_child 'pause' stop 2>err)
	code=$?
	code_is 0
	out_matches ' exited signal SIGTERM \(waited\)$'
}

test_a_zombie_has_ended() {
	hold_zombie
	pt stop "$pid"
	code_is 0
	silent
	out_matches "$pid[:0-9]* exited\$"
	[[ $(cut -d' ' -f3 "/proc/$pid/stat") == Z ]] || die "no zombie any more"
	release
}

test_json_tells_each_event() {
	need_exit_info
	hold_recorded
	pt stop --json --steps RTMIN+3:10s a.record
	code_is 0
	json
	json_is 'o["signal"], o["signal_name"], o["source"], o["record"], o["label"]' \
		"($(($(kill -l RTMIN) + 3)), 'SIGRTMIN+3', 'recovered', 'a.record', 'a web')"
	out=$(head -n 1 <<<"$out")
	json_is 'o["event"], o["pid"], o["signal_name"], o["record"], o["label"]' \
		"('stopping', $pid, 'SIGRTMIN+3', 'a.record', 'a web')"
}

test_json_tells_an_escalation_and_that_time_is_over() {
	hold_stubborn
	pt stop --json --steps -:1ms,TERM:1ms $pid
	code_is 1
	json
	json_is 'o["event"], o["signal"], "status" in o' \
		"('stop-timed-out', 15, False)"
	out=$(head -n 2 <<<"$out")
	json_is 'o["event"], o["signal_name"]' "('escalated', 'SIGTERM')"
	out=$(head -n 1 <<<"$out")
	json_is 'o["event"], "signal" in o' "('stopping', False)"
	release
}

# ---- those who end with it ----

# A process that leads a group of two children, one stubborn, launched with
# options $*: $pid and $children
launch_group() {
	local first second

	mkfifo said
	# shellcheck disable=SC2016
	"$PIDTRACK" run --pgroup "$@" bash -c '
		"$0" pause & first=$!
		"$0" ignore TERM write ready pause >ready & second=$!
		until [[ -s ready ]]; do :; done
		echo $$ $first $second
		wait' "$SHIM" >said 9>&- &
	read -r pid first second <said
	rm said
	children=("$first" "$second")
}

all_ended() {
	local it

	for it in "$pid" "${children[@]}"; do
		[[ $(cut -d' ' -f3 "/proc/$it/stat" 2>/dev/null) =~ ^Z?$ ]] ||
			die "$it has not ended"
	done
}

test_a_group_ends_with_the_process_that_leads_it() {
	need_exit_info
	launch_group
	pt stop --group --steps TERM:50ms,KILL:10s "$pid"
	code_is 0
	silent
	out_matches "^$pid[:0-9]* stopping SIGTERM$NL"
	out_matches "$NL$pid[:0-9]* escalated SIGKILL, 3 reached$NL"
	out_matches "$NL$pid[:0-9]* (exited|reaped) signal SIGTERM \(recovered\)(\$|$NL)"
	out_matches "$NL$pid[:0-9]* stop-done SIGKILL, 3 reached(\$|$NL)"
	all_ended
}

test_who_leads_no_group_is_told() {
	hold
	pt stop --group $pid
	code_is 1
	err_says "stop: $pid"
	err_says 'is not stopped: it leads no process group'
	still_runs
	release
}

test_a_tree_ends_whatever_sessions_it_has() {
	mkfifo said
	# None ends because the one below it did, which could be before its signal.
	# shellcheck disable=SC2016
	bash -c 'python3 -c "
import os, signal, sys
os.setsid()
pid = os.posix_spawn(sys.argv[1], [sys.argv[1], \"pause\"], os.environ)
print(os.getppid(), os.getpid(), pid, flush=True)
signal.pause()" "$0"; read -r <said' "$SHIM" >said &
	read -r pid first second <said
	children=("$first" "$second")
	pt stop --tree --json --steps TERM:10s,KILL:10s "$pid"
	code_is 0
	json
	out=$(grep '"stop-done"' out)
	json_is 'o["signal"], o["reached"], "status" in o' '(15, 3, False)'
	all_ended
}

test_those_who_have_not_ended_in_time_are_told_of() {
	launch_group
	pt stop --group --steps TERM:1ms "$pid"
	code_is 1
	out_matches "stop-timed-out SIGTERM, 3 reached(\$|$NL)"
	out=
	err_says 'or others with it, has not ended, and the last signal was SIGTERM'
	kill -KILL "${children[1]}"
}

test_a_cgroup_ends_with_the_process_that_has_it() {
	cgroup2
	launch_group --cgroup "$cgroup"
	leader=$pid
	hold
	pt stop --cgroup "$cgroup" $pid
	code_is 1
	err_says "is not stopped: it is not in the cgroup '$cgroup'"
	still_runs
	release
	pid=$leader
	pt stop --cgroup "$cgroup" --steps TERM:50ms,KILL:10s "$pid"
	code_is 0
	out_matches "stop-done SIGKILL, 3 reached"
	all_ended
}

test_a_cgroup_that_is_none_is_told() {
	hold
	pt stop --cgroup nowhere $pid
	code_is 4
	err_says "stop: cannot open the cgroup 'nowhere': No such file or directory"
	pt stop --cgroup . $pid
	code_is 4
	err_says "'.' is no directory of a cgroup2 mount, or was removed; see 'findmnt -t cgroup2'"
	still_runs
	release
}

test_who_would_end_itself_is_told() {
	pt stop --tree $$
	code_is 1
	err_says "is not stopped: this pidtrack would be among those who end"
}

# ---- who is stopped, and who is not ----

test_what_is_gone_counts_as_ended() {
	hold_recorded
	name=$(name_of $pid)
	release
	wait $host
	pt stop a.record
	code_is 0
	silent
	out_is 'a.record gone: no process has its number, ended: code 0 (waited)'
	pt stop $pid
	code_is 0
	out_is "$pid gone: no process has its number"
	[[ ! -e skipped ]] || return 0
	pt stop "$name"
	code_is 0
	out_is "$name gone: no process has its number"
	pt stop --json a.record
	code_is 0
	json
	json_is 'o["event"], o["reason"], o["record"], o["label"], o["pid"]' \
		"('gone', 'no process has its number', 'a.record', 'a web', $pid)"
	json_is 'o["exit_code"], o["source"]' "(0, 'waited')"
}

test_another_with_its_number_is_not_signalled() {
	need_inodes
	hold_recorded
	forge 'inode=[0-9]*' 'inode=1'
	pt stop another.record
	code_is 1
	err_says "stop: 'another.record': reused, the "
	forge 'boot=[^,]*' 'boot=00000000-0000-4000-8000-000000000000'
	pt stop --legacy another.record
	code_is 1
	err_says "'another.record': other-boot, the boot id is another"
	pt stop $pid:1
	code_is 1
	err_says "the process with pid $pid is not $pid:1"
	still_runs
	release
}

test_a_record_with_only_a_number_is_stopped_if_told_so() {
	hold
	echo $pid >old.pid
	pt stop old.pid
	code_is 3
	err_says "stop: 'old.pid': unproven, the record has only a number; --legacy believes it"
	still_runs
	pt stop --legacy old.pid
	code_is 0
	out_matches "^$pid[:0-9]* \(old.pid\) stopping SIGTERM"
}

test_some_are_never_stopped() {
	local name

	for name in 0 -1 -5 +7; do
		usage stop "$name" --- 'PID from 1 to 2147483647'
	done
	usage stop 1 --- "'1' is the first process, which takes all others with it, and is not stopped"
	hold
	usage stop $pid 1 --- "'1' is the first process"
	still_runs
	# shellcheck disable=SC2016
	code=0 out=$(bash -c 'exec "$0" stop $$' "$PIDTRACK" 2>err) || code=$?
	err=$(<err)
	code_is 2
	err_says "is this pidtrack itself, and is not stopped"
	# shellcheck disable=SC2016
	code=0 out=$(bash -c 'echo $$ >self.pid; exec "$0" stop --legacy self.pid' \
		"$PIDTRACK" 2>err) || code=$?
	err=$(<err)
	code_is 1
	err_says "(self.pid) is this pidtrack itself, and is not stopped"
	release
}

test_a_thread_is_not_stopped() {
	local thread

	mkfifo threads
	python3 -c '
import threading
def say():
    print(threading.get_native_id(), flush=True)
    threading.Event().wait()
threading.Thread(target=say, daemon=True).start()
threading.Event().wait()' >threads &
	pid=$!
	read -r thread <threads
	pt stop "$thread"
	code_is 1
	err_says "$thread is a thread of process $pid; name that one"
	still_runs
}

test_the_others_are_stopped_all_the_same() {
	hold
	"$PIDTRACK" stop nowhere $pid >out 2>err
	code=$? out=$(<out) err=$(<err)
	code_is 4
	out_matches "$pid[:0-9]* stopping SIGTERM$NL.*$pid[:0-9]* (exited|reaped)"
	out=
	err_says "'nowhere': no such file"
}

test_who_may_not_signal_is_told() {
	need_root
	hold
	pt run --user 65534:65534 "$PIDTRACK" stop $pid
	code_is 4
	err_says "stop: cannot signal $pid"
	err_says 'Operation not permitted'
	still_runs
	release
}

# ---- while it lasts ----

test_who_ends_it_is_told_what_is_left() {
	local signal

	hold_stubborn
	for signal in TERM HUP; do
		begin_stop --steps TERM:1h,KILL:1s $pid
		# which the shell has it ignore, as all in its background
		kill -INT $stopping
		kill -$signal $stopping
		stopped
		code_is $((128 + $(kill -l $signal)))
		err_says "stop: ended by SIG$signal: $pid"
		err_says 'still runs, and no further signal is sent'
		still_runs
	done
	release
}

test_it_stops_though_nobody_reads() {
	hold_stubborn
	begin_stop --steps TERM:10ms,KILL:10s $pid
	exec 8<&-
	stopped
	code_is 0
	[[ -z $err ]] || die "errors"
	! kill -0 $pid 2>/dev/null || die "it runs"
}

# ---- the command line ----

test_the_manual_shows_what_is_printed() {
	need_manual
	need_inodes
	need_exit_info
	hold_recorded
	pt stop --steps TERM:8s,KILL:2s a.record
	# that it has ended may be told before how
	sed -i '/ exited$/d; s/ exited / reaped /; s|a.record|/run/my.record|; s/[0-9]\+/N/g' out
	sed 's/[0-9]\+/N/g' "$MANUAL" | grep -A2 '^. pidtrack stop ' |
		grep -qxF -- "$(head -n 1 out)" || die "another first line"
	sed 's/[0-9]\+/N/g' "$MANUAL" | grep -A2 '^. pidtrack stop ' |
		grep -qxF -- "$(tail -n 1 out)" || die "another last line"
}

test_steps_are_checked() {
	local steps

	usage stop --- 'which PROCESS? PID, PID:INODE, a record file or a pin'
	usage stop --steps --- '--steps wants a value: --steps STEPS'
	for steps in , TERM:1s, ,TERM:1s TERM:1s,,KILL:1s; do
		usage stop --steps "$steps" 2 --- "--steps: a step is missing between commas; give SIGNAL:TIME,... such as TERM:8s,KILL:2s"
	done
	for steps in X:1s SIG:1s 65:1s -1:1s 00:1s +9:1s :1s RTMAX+1:1s \
		RTMIN-1:1s RTMIN+99:1s TERMS:1s "TERM :1s" "TERM:1s, KILL:1s"; do
		usage stop --steps "$steps" 2 --- "is no signal; give a name such as TERM, a number from 1 to 64, or 0 to wait only"
	done
	for steps in TERM KILL 0 TERM:1s,KILL; do
		usage stop --steps "$steps" 2 --- "has no time; give SIGNAL:TIME, such as ${steps##*,}:8s"
	done
	for steps in TERM: TERM:x TERM:-1s TERM:1s:2s TERM:8s,KILL:2y \
		"TERM:$(printf '1%.0s' {1..40})"; do
		usage stop --steps "$steps" 2 --- 'is no time for it to end, such as 500ms, 8s, 2m'
	done
	usage stop --steps TERM:50d 2 --- "'50d' is too long; 49 days are the most"
	usage stop --steps "$(printf 'TERM:1s,%.0s' {1..16})KILL:1s" 2 --- \
		'more than 16 steps'
	pt stop --steps "$(printf 'RTMIN+%s:49d,' {1..15})rtmax-2:0" 2147483647
	code_is 0
}

run_tests "$@"
