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
	out_matches "^RECORD +VERDICT +PID +AGE +LABEL$NL"
	out_matches "${NL}README +- +- +[0-9]+s  \(damaged, or no record\)$NL"
	out_matches "${NL}gone.pid +gone +[0-9]+ +[0-9]+s  -$NL"
	out_matches "${NL}here.pid +unproven +$$ +[0-9]+s  -$NL"
	out_matches "${NL}old.record +other-boot +$pid +[0-9]+s  a web$NL"
	out_matches "${NL}web.record +same +$pid +[0-9]+s  a web\$"
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
	out_matches '^RECORD +VERDICT +PID +AGE +LABEL$'
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
	json_is 'sorted(o)' "['age_of', 'age_seconds', 'capability', 'error', 'event', 'evidence', 'exe', 'format', 'inode', 'label', 'message', 'payload', 'pid', 'reason', 'record', 'time', 'verdict']"
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
	out_matches "${NL}aaab+\.\.\.b+.record +other-boot +$pid +[0-9]+s  a web$NL"
	out_matches "${NL}wide.record +same +$pid +[0-9]+s  b+\$"
	# elsewhere nothing is cut
	pt list box
	out_matches "${NL}aaa$long.record +other-boot +$pid +[0-9]+s  a web$NL"
	out_matches "${NL}wide.record +same +$pid +[0-9]+s  $long\$"
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
	mkdir box
	pt verify box
	code_is 4
	err_says "'box' is a directory; name the record in it, or see 'pidtrack list'"
}

run_tests "$@"
