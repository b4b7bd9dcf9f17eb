#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# pidtrack list and pidtrack watch, of directories of records, sentence by
# sentence; see tool.bash.

. "$(dirname "$0")/tool.bash"

# ---- list ----

# A directory with one of each kind: box/
fill_box() {
	mkdir box
	hold_recorded
	cp a.record box/web.record
	forge 'boot=[^,]*' 'boot=00000000-0000-4000-8000-000000000000'
	cp another.record box/old.record
	gone_pid >box/gone.pid
	echo $$ >box/here.pid
	echo no record >box/README
	touch box/.hidden
	mkdir box/directory
}

test_a_directory_is_listed_with_verdicts() {
	local lines

	fill_box
	pt list box
	code_is 3
	silent
	mapfile -t lines <out
	[[ ${#lines[@]} == 6 ]] || die "not a heading and 5 lines"
	out_matches "^RECORD +VERDICT +PID +AGE +STATUS +LABEL$NL"
	out_matches "${NL}README +- +- +[0-9]+s  - +\(damaged, or no record\)$NL"
	out_matches "${NL}gone.pid +gone +[0-9]+ +[0-9]+s  - +-$NL"
	out_matches "${NL}here.pid +unproven +$$ +[0-9]+s  - +-$NL"
	out_matches "${NL}old.record +other-boot +$pid +[0-9]+s  - +a web$NL"
	out_matches "${NL}web.record +same +$pid +[0-9]+s  - +a web\$"
	release
	wait $host
	rm box/README box/here.pid
	pt list box/
	code_is 0
	out_matches "${NL}web.record +gone +$pid "
}

test_an_empty_directory_is_no_failure() {
	mkdir box
	pt list box
	code_is 0
	out_matches '^RECORD +VERDICT +PID +AGE +STATUS +LABEL$'
	pt list --json box
	code_is 0
	silent
	out_is ''
}

test_what_is_listed_is_json_line_by_line() {
	fill_box
	pt list --json box
	code_is 3
	silent
	json
	[[ $(wc -l <out) == 5 ]] || die "not 5 lines"
	cp out all
	out=$(grep '"box/web.record"' all)
	json_is 'sorted(o)' "['age_of', 'age_seconds', 'capability', 'error', 'event', 'evidence', 'exe', 'format', 'inode', 'label', 'message', 'payload', 'pid', 'reason', 'record', 'schema', 'time', 'verdict']"
	json_is 'o["event"], o["verdict"], o["pid"], o["label"], o["format"], o["age_of"], o["error"]' \
		"('listed', 'same', $pid, 'a web', 'native', 'process', None)"
	out=$(grep '"box/old.record"' all)
	json_is 'o["verdict"], o["age_of"]' "('other-boot', 'record')"
	out=$(grep '"box/README"' all)
	json_is 'o["error"], o["message"], o["pid"], o["verdict"], o["format"]' \
		"('EBADMSG', 'damaged, or no record', None, None, None)"
	pt list --json box/
	grep -q '"box/web.record"' out || die "another path"
	release
}

test_the_age_is_that_of_the_process_if_it_is_there() {
	fill_box
	touch -d '3 days ago' box/*.*
	pt list box
	out_matches "${NL}web.record +same +$pid +[0-9]+s "
	out_matches "${NL}old.record +other-boot +$pid +3d00h "
	release
}

test_a_list_fits_the_terminal() {
	local long

	command -v script >/dev/null || skip "no script(1)"
	fill_box
	long=$(printf 'b%.0s' {1..200})
	cp box/old.record "box/aaa$long.record"
	forge 'label=.*' "label=$long"
	cp another.record box/wide.record
	out=$(script -qec "stty cols 80; '$PIDTRACK' list box" /dev/null \
		</dev/null | tr -d '\r')
	! grep -q '.\{81\}' <<<"$out" || die "a line is too wide"
	out_matches "${NL}aaab+\.\.\.b+.record +other-boot +$pid +[0-9]+s  - +a web$NL"
	out_matches "${NL}wide.record +same +$pid +[0-9]+s  - +b+\$"
	# elsewhere nothing is cut
	pt list box
	out_matches "${NL}aaa$long.record +other-boot +$pid +[0-9]+s  - +a web$NL"
	out_matches "${NL}wide.record +same +$pid +[0-9]+s  - +$long\$"
	release
}

test_names_cannot_forge_a_line() {
	mkdir box
	gone_pid >"box/a$NL${ESC}[31mb.pid"
	pt list box
	code_is 0
	[[ $(wc -l <out) == 2 && $out != *"$ESC"* ]] || die "forged"
	out_matches "${NL}a\?\?\[31mb.pid +gone "
}

test_listing_changes_nothing() {
	fill_box
	rm box/README box/here.pid
	chmod 500 box
	stat -c "%n %i %s %Y %Z %a" box box/* >before
	pt list box
	code_is 0
	stat -c "%n %i %s %Y %Z %a" box box/* >after
	chmod 700 box
	cmp before after || die "something is another"
	release
}

test_what_is_no_directory_is_told() {
	usage list --- 'which DIR? A directory of records'
	usage list a b --- 'one DIR at a time, not 2'
	touch file
	pt list file
	code_is 4
	err_says "list: 'file' is no directory; for one record see 'pidtrack verify'"
	pt list nowhere
	code_is 4
	err_says "list: 'nowhere': no such directory"
}

# ---- watch ----

test_a_directory_is_watched_as_records_come_and_go() {
	need_exit_info
	mkdir box
	hold_recorded exit 3
	mv a.record box/web.record
	begin_watch box
	next_line
	out_matches "^$pid[:0-9]* \(box/web.record\) attached running pidtrack1:"
	launch_other box/other.record
	next_line
	out_matches "^$other[:0-9]* \(box/other.record\) attached running pidtrack1:"
	kill -KILL "$other"
	next_line
	[[ $out != *' exited' ]] || next_line
	out_matches "^$other[:0-9]* \(box/other.record\) (exited|reaped) signal SIGKILL \(recovered\)\$"
	rm box/other.record
	next_line
	out_matches "^$other[:0-9]* \(box/other.record\) removed\$"
	# whose process is watched all the same
	rm box/web.record
	next_line
	out_matches "^$pid[:0-9]* \(box/web.record\) removed\$"
	release
	next_line
	[[ $out != *' exited' ]] || next_line
	out_matches "^$pid[:0-9]* \(box/web.record\) (exited|reaped) code 3 \(recovered\)\$"
	wait "$other_host" $host
	rm -r box
	watched
	code_is 1
	err_says "watch: 'box' was removed"
}

test_json_tells_what_comes_and_goes() {
	need_exit_info
	mkdir box
	begin_watch --json box/
	hold_recorded exit 3
	mv a.record box/web.record
	next_line
	json
	json_is 'o["event"], o["pid"], o["label"], o["record"]' \
		"('attached', $pid, 'a web', 'box/web.record')"
	release
	next_line
	json_is 'o["event"] in ("exited", "reaped")' True
	[[ $out != *'"exited"'* || $out == *'"status"'* ]] || next_line
	json_is 'o["exit_code"]' 3
	rm box/web.record
	next_line
	json
	json_is 'o["event"], o["pid"], o["label"], o["record"]' \
		"('removed', $pid, 'a web', 'box/web.record')"
	gone_pid >gone.pid
	mv gone.pid box
	next_line
	json
	json_is 'o["event"], o["verdict"], o["record"], o["format"]' \
		"('verified', 'gone', 'box/gone.pid', 'pid')"
	rm -r box
	next_line
	json_is 'o["event"], o["record"]' "('removed', 'box/gone.pid')"
	watched
	code_is 1
}

test_a_record_that_is_replaced_is_of_another_process() {
	need_inodes
	mkdir box
	hold_recorded
	cp a.record box/web.record
	begin_watch box
	next_line
	out_matches "^$pid[:0-9]* \(box/web.record\) attached "
	# written anew it is of the same one, and nothing is told
	mv a.record box/web.record
	launch_other other.record
	mv other.record box/web.record
	next_line
	out_matches "^$other[:0-9]* \(box/web.record\) attached "
	# the one before is watched all the same
	release
	next_line
	out_matches "^$pid[:0-9]* \(box/web.record\) (exited|reaped)"
	rm -r box
	kill -KILL "$other"
	cat <&8 >rest
	grep -q "^$other[:0-9]* (box/web.record) removed\$" rest ||
		die "its removal was not told"
	grep -qE "^$other[:0-9]* \(box/web.record\) (exited|reaped)" rest ||
		die "its end was not told"
	watched
	code_is 1
}

test_records_without_a_process_are_told_with_their_verdict() {
	need_inodes
	mkdir box
	hold_recorded
	forge 'inode=[0-9]*' 'inode=1'
	mv another.record box
	begin_watch box
	next_line
	out_matches '^box/another.record reused: [^(]+ \(compared: boot, .*inode\)$'
	echo $pid >old.pid
	mv old.pid box
	next_line
	out_matches '^box/old.pid unproven: the record has only a number \(compared: pid\)$'
	echo no record >noise
	mv noise box
	rm box/another.record
	next_line
	out_is 'box/another.record removed'
	rm -r box
	out=$(cat <&8)
	out_matches 'box/old.pid removed'
	out_matches 'box/noise removed'
	watched
	[[ $(wc -l <<<"$err") == 2 ]] || die "not two lines"
	[[ $err == *"'box/noise' is damaged, or no record"*"'box' was removed" ]] ||
		die "other errors"
	release
}

test_legacy_records_in_a_directory_are_believed_if_told_so() {
	mkdir box
	hold
	echo $pid >old.pid
	mv old.pid box
	begin_watch --legacy box
	next_line
	out_matches "^$pid[:0-9]* \(box/old.pid\) attached running"
	kill $watching
	release
}

test_of_a_directory_only_what_is_called_so_is_watched() {
	local options

	need_exit_info
	for options in '' --json; do
		mkdir box
		hold_recorded
		gone_pid >box/gone.pid
		echo nothing >box/nothing
		echo nothing >box/some.nothing
		# shellcheck disable=SC2086
		begin_watch $options --label '[ab] w*' --label 'o*r.record' \
			--label=some.* box
		# a file that is no record is called as the file is
		until [[ -s err ]]; do :; done
		mv a.record box/web.record
		next_line
		[[ $out == *attached* ]] || die "not attached"
		out_matches "$pid"
		# nor is one that comes, or is written anew, or goes
		gone_pid >gone.pid
		mv gone.pid box
		cp box/gone.pid box/gone2.pid
		launch_other box/stranger.record
		kill -KILL "$other"
		wait "$other_host"
		rm box/gone* box/nothing box/stranger.record
		launch_other box/other.record
		next_line
		[[ $out == *attached* ]] || die "not attached"
		out_matches "$other"
		kill -KILL "$other"
		next_line
		[[ $out == *SIGKILL* ]] || next_line
		out_matches "$other.*SIGKILL"
		release
		next_line
		[[ $out == *recovered* ]] || next_line
		out_matches "$pid.*recovered"
		wait "$other_host" $host
		rm -r box
		watched
		code_is 1
		[[ $err == *"some.nothing' is damaged, or"*"$NL"*" was removed" &&
			$err != *"/nothing"* && $err != *gone* ]] ||
			die "other complaints"
		rm held
	done
}

test_directories_and_processes_are_watched_together() {
	mkdir box cellar
	hold_recorded
	mv a.record box
	launch_other cellar/other.record
	begin_watch box $$ cellar nowhere
	next_line
	out_matches "^$$[:0-9]* attached "
	next_line
	out_matches "^$pid[:0-9]* \(box/a.record\) attached "
	next_line
	out_matches "^$other[:0-9]* \(cellar/other.record\) attached "
	rm -r box
	next_line
	out_matches "^$pid[:0-9]* \(box/a.record\) removed\$"
	kill -KILL "$other"
	next_line
	out_matches "^$other[:0-9]* \(cellar/other.record\) (exited|reaped)"
	kill $watching
	grep -q "'nowhere': no such file" err || die "one is not told of"
	release
}

test_a_name_in_a_directory_cannot_forge_a_line() {
	mkdir box
	begin_watch box
	gone_pid >gone.pid
	mv gone.pid "box/a$NL${ESC}b same: x"
	next_line
	out_matches '^box/a\?\?b same: x gone: no process has its number \(compared: pid\)$'
	rm box/*
	next_line
	out_is 'box/a??b same: x removed'
	kill $watching
}

test_watching_a_directory_ends_quietly_when_its_reader_leaves() {
	mkdir box
	gone_pid >box/a.pid
	"$PIDTRACK" watch box 2>err | read -r _
	[[ ${PIPESTATUS[0]} == 0 && ! -s err ]] || die "$(<err)"
}

run_tests "$@"
