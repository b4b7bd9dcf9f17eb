#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# What pidtrack watch tells programs: JSON and traces; see tool.bash.

. "$(dirname "$0")/tool.bash"

# Waits until python's expression $2 of the bytes of file $1, as b, is true.
# Whoever writes it does so while we look.
await_file() {
	timeout 20 python3 -c '
import os, select, sys
def there():
    try:
        b = open(sys.argv[1], "rb").read()
    except FileNotFoundError:
        return False
    return eval(sys.argv[2])
while not there():
    select.select([], [], [], 0.01)' "$1" "$2" || die "$1: not $2"
}

# A box with a record of a shim that runs: $pid, $host
fill_box() {
	mkdir -p box
	hold_recorded "$@"
	mv a.record box/web.record
}

# ---- JSON ----

# Whether the objects in file $1 have the members that the manual $2 has for
# their events, and each of those is in one of them.
cat_check_members() {
	cat <<-'END'
	import json, re, sys

	documented, events, inside = {}, [], False
	for line in open(sys.argv[2]):
	    if re.match(r"\.S[sh] ", line):
	        inside = line == ".Ss JSON of watch\n"
	    elif inside and line == ".El\n":
	        break
	    elif inside and line.startswith(".It "):
	        events = re.findall(r"Q[qo] ([a-z-]+)", line) or ["any"]
	    elif inside and line.startswith(".Va "):
	        for event in events:
	            documented.setdefault(event, set()).update(
	                re.findall(r"[a-z_]+", line[4:]))
	everywhere = documented.pop("any")
	documented["removed"] = set() # no more, it says

	seen = {}
	for line in open(sys.argv[1], "rb"):
	    o = json.loads(line.decode())
	    assert everywhere <= o.keys(), (everywhere - o.keys(), o)
	    assert o["schema"] == 1
	    seen.setdefault(o["event"], set()).update(o.keys() - everywhere)

	# what is said of exited is said of reaped: which of the two tells how
	# depends on who is quicker
	for of in documented, seen:
	    ends = of.get("exited", set()) | of.get("reaped", set())
	    of["exited"] = of["reaped"] = ends
	for event in documented.keys() | seen.keys():
	    a, b = documented.get(event), seen.get(event)
	    assert a == b, f"{event}: the manual has {a}, watch tells {b}"
	END
}

check_members() {
	python3 <(cat_check_members) "$1" "$2"
}

test_the_members_of_json_are_those_of_the_manual() {
	need_manual
	need_exit_info
	local fault

	fill_box exit 3
	gone_pid >box/gone.pid
	begin_watch --json box
	cat <&8 >told 9>&- &
	launch_other other.record
	mv other.record box/other.record
	await_file told 'b.count(b"attached") == 2 and b"verified" in b'
	kill -KILL "$other"
	release
	await_file told 'b.count(b"\"source\"") == 2'
	rm box/web.record
	await_file told 'b"removed" in b'
	rm -r box
	watched
	wait
	check_members told "$MANUAL" || die "other members"
	# and that this would have been found
	for fault in '/^\.Ss JSON of watch/,$s/^\.Va state ,/.Va/' \
		'/^\.Ss JSON of watch/,$s/^\.Va state ,/.Va state , mood ,/'; do
		sed "$fault" "$MANUAL" >planted
		! cmp -s "$MANUAL" planted || die "nothing is planted"
		! check_members told planted 2>/dev/null ||
			die "not found: $fault"
	done
}

test_every_object_says_of_which_schema_it_is() {
	local words

	echo $$ >here.pid
	mkdir box
	cp here.pid box
	for words in "features" "fingerprint $$" "verify ./here.pid" "list box" \
		"wait --timeout 0 $(gone_pid)" \
		"run --detach $SHIM"; do
		# shellcheck disable=SC2086
		pt ${words%% *} --json ${words#"${words%% *}"}
		[[ $words == wait* ]] || [[ -n $out ]] || die "$words: nothing"
		[[ -z $out ]] || json_is 'o["schema"]' 1
	done
}

# Labels have no control characters, names of files may have any.
test_json_is_utf8_whatever_things_are_called() {
	mkdir box
	hold_recorded
	forge 'label=[^\n]*' 'label=a%22b%5c%c3%a4%ff%ed%a0%80'
	mv another.record "$(printf 'box/q"\\\t\001\n\177\303\244\377\360\237.r')"
	begin_watch --json box
	IFS= read -r -t 20 -u 8 out || die "nothing is told"
	printf '%s\n' "$out" >told
	python3 - <<-'END' || die "it is something else"
	import json
	o = json.loads(open("told", "rb").read().decode("utf-8", "strict"))
	bad = "\ufffd"
	assert o["event"] == "attached", o
	assert o["label"] == 'a"b\\\u00e4' + 4 * bad, ascii(o["label"])
	assert o["record"] == 'box/q"\\\t\x01\n\x7f\u00e4' + 3 * bad + ".r", \
	    ascii(o["record"])
	END
	kill $watching
	release
	wait
}

# ---- traces ----

# Whether file $1 is a trace as the format has it; $2 of lives have ended, $3
# have not.  What python says in $4 of its events, e, is true as well.
check_trace() {
	python3 - "$@" <<-'END'
	import json, sys

	text = open(sys.argv[1], "rb").read().decode("utf-8", "strict")
	if not text.endswith("]\n"): # the format does without
	    text += "]"
	e = json.loads(text)
	rows, ts, ended = {}, 0, 0
	for x in e:
	    assert type(x["name"]) is str and x["name"], x
	    assert x["ph"] in ("B", "E", "i", "M"), x
	    assert type(x["pid"]) is int and type(x["tid"]) is int, x
	    assert type(x["args"]) is dict, x
	    known = {"name", "ph", "ts", "pid", "tid", "s", "args"}
	    assert x.keys() <= known, x
	    if x["ph"] == "M":
	        assert x["name"] in ("process_name", "thread_name",
	                             "thread_sort_index"), x
	        continue
	    assert type(x["ts"]) is int and x["ts"] >= ts, x
	    ts = x["ts"]
	    row = rows.setdefault((x["pid"], x["tid"]), [])
	    if x["ph"] == "B":
	        row.append(x)
	    elif x["ph"] == "E":
	        assert row and row.pop()["name"] == x["name"], x
	        assert x["args"]["source"] and "status" in x["args"], x
	        ended += 1
	    else:
	        assert x["s"] in ("t", "p", "g"), x
	assert ended == int(sys.argv[2]), ended
	assert sum(map(len, rows.values())) == int(sys.argv[3]), rows
	# each row of a life is named as its slice
	names = {x["tid"]: x["args"]["name"] for x in e
	         if x["name"] == "thread_name"}
	for x in e:
	    assert x["ph"] != "B" or names[x["tid"]] == x["name"], x
	assert eval(" ".join(sys.argv[4].split())), e
	END
}

test_a_trace_has_a_slice_for_each_life() {
	need_exit_info
	fill_box exit 3
	gone_pid >box/gone.pid
	begin_watch --trace a.trace box
	next_line
	next_line
	release
	next_line
	[[ $out != *' exited' ]] || next_line
	rm box/web.record
	next_line
	out_matches 'removed$'
	rm -r box
	watched
	code_is 1
	tail -n 1 a.trace | grep -qx ']' || die "it has no end"
	check_trace a.trace 1 0 '
		[x["args"]["exit_code"] for x in e if x["ph"] == "E"] == [3] and
		[x["name"] for x in e if x["ph"] == "B"] == ["a web"] and
		{"exited", "verified", "removed"} <=
			{x["name"] for x in e if x["ph"] == "i"} and
		[x["args"]["verdict"] for x in e if x["name"] == "verified"] ==
			["gone"]' || die "another trace"
}

test_who_is_watched_twice_has_two_lives() {
	need_exit_info
	hold exit 0
	begin_watch --trace a.trace $pid $pid
	next_line
	next_line
	release
	watched
	code_is 0
	check_trace a.trace 2 0 '
		len({x["tid"] for x in e if x["ph"] == "B"}) == 2' ||
		die "another trace"
}

test_a_trace_of_a_killed_watch_can_be_read() {
	fill_box
	begin_watch --trace a.trace box
	await_file a.trace 'b"\"B\"" in b'
	kill -KILL $watching
	wait $watching
	! grep -qx ']' a.trace || die "it has an end"
	check_trace a.trace 0 1 '"fingerprint" in e[-1]["args"]' ||
		die "another trace"
	release
	wait
}

test_an_interrupted_watch_ends_what_it_writes() {
	local number

	fill_box
	for number in 1 2 15; do
		rm -f a.trace
		# bash has what it begins in the background ignore SIGINT
		mkfifo lines
		python3 -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$PIDTRACK" watch --trace a.trace \
			box >lines 2>err 9>&- &
		watching=$!
		exec 8<lines
		rm lines
		await_file a.trace 'b"\"B\"" in b'
		kill -$number $watching
		watched
		code_is $((128 + number))
		[[ -z $err ]] || die "it says something"
		tail -n 1 a.trace | grep -qx ']' || die "$number: no end"
		check_trace a.trace 0 1 True || die "another trace"
	done
	release
	wait
}

test_a_trace_ends_when_the_reader_of_lines_leaves() {
	fill_box
	"$PIDTRACK" watch --trace a.trace box 9>&- | head -n 1 >out
	[[ "${PIPESTATUS[*]}" == '0 0' ]] || die "codes ${PIPESTATUS[*]}"
	tail -n 1 a.trace | grep -qx ']' || die "no end"
	release
	wait
}

test_a_trace_that_cannot_be_made_is_refused() {
	mkfifo a.fifo
	mkdir box
	pt watch --trace nowhere/a.trace $$
	code_is 4
	err_says "cannot trace into 'nowhere/a.trace': No such file or directory"
	for file in a.fifo /dev/null; do
		pt watch --trace $file $$
		code_is 4
		err_says "cannot trace into '$file': it is no regular file"
	done
	pt watch --trace box $$
	code_is 4
	err_says "cannot trace into 'box': Is a directory"
	usage watch --trace - $$ --- 'standard output has the lines'
	usage watch --trace --- '--trace wants a value: --trace FILE'
	# it would be told of itself, and so on
	usage watch --trace box/a.trace box --- 'is in a directory that is watched'
	[[ -z $(ls box) ]] || die "it was made"
	# and what there is nobody for is not touched
	echo before >a.trace
	pt watch --trace a.trace "$(gone_pid)"
	code_is 1
	grep -qx before a.trace || die "it is gone"
}

test_a_trace_that_cannot_be_written_any_more_is_told_of_once() {
	fill_box exit 3
	(
		trap '' XFSZ
		ulimit -f 1
		exec "$PIDTRACK" watch --trace a.trace $pid $pid $pid $pid
	) > >(exec cat >out 9>&-) 2>err 9>&- & # no limit for that
	await_file out 'b.count(b"attached") == 4'
	release
	code=0
	wait $! || code=$?
	out='' err=$(<err)
	code_is 4
	err_says "cannot write the trace 'a.trace': File too large"
	await_file out 'b.count(b"code 3") == 4'
	wait
}

run_tests "$@"
