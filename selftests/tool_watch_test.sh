#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# What pidtrack watch tells programs: JSON; see tool.bash.

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

run_tests "$@"
