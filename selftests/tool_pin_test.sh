#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# pidtrack with pins, sentence by sentence; see tool.bash.  Each test has a mount
# namespace of its own.

. "$(dirname "$0")/tool.bash"

REAL=$PIDTRACK

# Goes on with the test that calls it, in a room of its own.
room() {
	[[ -z ${PT_ROOM-} ]] || return 0
	need_root
	need_exit_info
	"$PIDTRACK" features --require pin >/dev/null ||
		skip "pidfds cannot be mounted, Linux < 6.14"
	export PT_ROOM=1
	exec unshare -m --propagation private "$BASH" "$SELF" \
		"${FUNCNAME[1]}" "$PWD"
}

# A shim that is pinned as pins/$1 and waits until release(), then does the rest.
pinned() {
	[[ -p held ]] || mkfifo held
	exec 9<>held
	"$PIDTRACK" run --pin pins --detach --label "$1" --fd 0=8 \
		"$SHIM" wait "${@:2}" 8<held >name || die "not pinned"
}

# Until its parent, which is the script's, has asked how it ended.
await_reaped() {
	"$PIDTRACK" wait --timeout 10 "$1" >waited || true
	grep -qE ' (reaped|exited) (code|signal) ' waited || die "not reaped"
}

# A host that holds pins/, with web in it: $host
host_in() {
	mkfifo held said
	"$PIDTRACK" run --pin pins --label web "$SHIM" write ready wait "$@" \
		<held >said &
	host=$!
	exec 9>held
	read -r _ <said
	rm said
}

no_pins() {
	[[ ! -e pins ]] && ! grep -q "$PWD/pins" /proc/self/mountinfo ||
		die "there are still pins"
}

# ---- whoever is killed ----

test_a_shim_outlives_its_host_and_so_does_its_status() {
	room
	host_in exit 7
	pt verify pins/web
	code_is 0
	kill -KILL $host
	wait $host 2>/dev/null
	pt verify --strict pins/web
	code_is 0
	out_matches '^pins/web same: the pin is of it \(compared: pin\)$'
	pt list pins
	code_is 0
	out_matches "^RECORD .*${NL}web +same +[0-9]+ +[0-9]+s  - +web\$"
	release
	await_reaped pins/web
	for _ in 1 2; do
		pt wait pins/web
		code_is 7
		out_is 'pins/web reaped code 7 (recovered)'
		silent
	done
	pt verify --strict pins/web
	code_is 1
	out_matches 'exited: .* \(compared: pin\), ended: code 7 \(recovered\)$'
	pt list --prune pins
	code_is 0
	no_pins
}

test_a_shim_whose_host_lives_leaves_nothing() {
	room
	host_in exit 3
	release
	code=0
	wait $host || code=$?
	code_is 3
	no_pins
}

test_waiting_begins_before_the_end() {
	room
	pinned web kill 15
	mkfifo lines
	"$PIDTRACK" wait pins/web >lines 9>&- &
	exec 8<lines
	release
	code=0
	wait $! || code=$?
	code_is 143
	out=$(cat <&8)
	out_matches 'reaped signal SIGTERM \(recovered\)$'
}

test_it_is_stopped_by_its_pin() {
	room
	pinned web exit 7
	pt stop pins/web
	code_is 0
	out_matches "^$(<name) \(pins/web\) stopping SIGTERM$NL"
	await_reaped pins/web
	pt stop pins/web
	code_is 0
	out_is "pins/web exited${NL}pins/web reaped signal SIGTERM (recovered)"
	silent
}

# The pin tells in which cgroup it was; whose child was whose nobody does.
test_what_one_left_behind_is_found_by_its_cgroup_alone() {
	room
	cgroup2
	# shellcheck disable=SC2016
	"$PIDTRACK" run --pin pins --detach --label web --cgroup "$cgroup" \
		bash -c '"$0" pause & exit 7' "$SHIM" >name
	await_reaped pins/web
	pt stop --tree pins/web
	code_is 3
	out_is "pins/web exited${NL}pins/web reaped code 7 (recovered)"
	[[ $err == "pidtrack: stop: pins/web had ended before, so whom it left behind is not known; name its cgroup, with --cgroup DIR" ]] ||
		die "not in these words"
	grep -q . "$cgroup/cgroup.procs" || die "nobody was left behind"
	pt stop --tree --cgroup "$cgroup" pins/web
	code_is 0
	silent
	out_matches 'stop-done SIGTERM, 1 reached'
	! grep -q . "$cgroup/cgroup.procs" || die "not stopped"
	pt list --prune pins
	no_pins
}

test_from_another_pid_namespace_it_is_seen_and_not_signalled() {
	local elsewhere=(unshare -p -f)

	room
	pinned web exit 7
	PIDTRACK=$PWD/elsewhere
	# shellcheck disable=SC2016
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${elsewhere[*]}" "$REAL" >elsewhere
	chmod +x elsewhere
	pt verify --strict pins/web
	code_is 0
	pt stop pins/web
	code_is 4
	err_says 'is in another pid namespace, from which this one is not seen'
	pt stop --tree pins/web
	code_is 4
	err_says 'is in another pid namespace'
	release
	PIDTRACK=$REAL await_reaped pins/web
	# the kernel keeps its status to those who could see it
	pt list --prune pins
	code_is 3
	out_matches "${NL}web +exited +- +[0-9]+s  unknown +- +web\$"
	[[ $err == "pidtrack: list: 'pins/web' stays: how it ended is not told here, but may be elsewhere, such as outside of this pid namespace" ]] ||
		die "not in these words"
	PIDTRACK=$REAL
	pt wait pins/web
	code_is 7
	pt list --prune pins
	code_is 0
	no_pins
}

test_any_path_to_it_will_do() {
	room
	pinned web exit 7
	ln -s pins linked
	ln -s pins/web link
	for path in ./pins/web "$PWD/pins/web" pins//web linked/web; do
		pt verify "$path"
		code_is 0
		out_matches "^$path same: "
	done
	(cd pins && "$PIDTRACK" verify web) >said || die "not from there"
	grep -q '^web same: ' said || die "$(<said)"
	pt verify link
	code_is 4
	err_says "'link' is a symbolic link"
	pt list linked
	code_is 0
	out_matches "${NL}web +same "
	pt list --prune linked
	code_is 4
	err_says "'linked' is no directory; name it itself, not a link to it"
	pt stop pins/none
	code_is 4
	err_says "'pins/none': no such file or directory"
	release
	await_reaped pins/web
	pt list --prune ./pins/
	code_is 0
	no_pins
}

test_what_is_told_is_json() {
	room
	pinned 'a b/c' exit 7
	pt verify --json pins/a%20b%2fc
	json
	json_is 'o["verdict"], o["evidence"], o["format"], o["label"], o["record"], "%d:%d" % (o["pid"], o["inode"])' \
		"('same', ['pin'], 'pin', 'a b/c', 'pins/a%20b%2fc', '$(<name)')"
	release
	await_reaped pins/a%20b%2fc
	pt list --json pins
	json
	json_is 'o["verdict"], o["pid"], o["exit_code"], o["source"], o["label"], "pruned" in o' \
		"('exited', None, 7, 'recovered', 'a b/c', False)"
	pt wait --json pins/a%20b%2fc
	code_is 7
	json_is 'o["event"], o["pid"], o["exit_code"], o["record"]' \
		"('reaped', None, 7, 'pins/a%20b%2fc')"
	pt list --prune --json pins
	json_is 'o["exit_code"], o["pruned"]' '(7, True)'
	no_pins
}

# ---- launching ----

test_a_launch_that_cannot_be_pinned_does_not_run() {
	room
	usage run --pin pins -- touch ran --- '--pin pins by which name? Give --label TEXT'
	no_pins
	pinned web exit 7
	pt run --pin pins --label web -- touch ran
	code_is 4
	err_says "keep: 'web': File exists; one of that label is pinned already"
	pt run --pin pins --label "$(printf '/%.0s' {1..255})" -- touch ran
	code_is 4
	err_says 'no file has such a long name: shorten --label'
	mkdir other
	touch other/file
	pt run --pin other --label web -- touch ran
	code_is 4
	err_says "'other' has something else in it; pins want a directory of their own"
	pt run --pin none/pins --label web -- touch ran
	code_is 4
	err_says "'none/pins' cannot be made; make the directory that it is in first"
	[[ ! -e ran ]] || die "it ran"
	release
}

test_without_the_right_it_is_said_what_does_without() {
	room
	pt run --caps = --no-new-privs -- "$PIDTRACK" run --pin pins --label web true
	code_is 4
	[[ $err == *"'pins' cannot have pins: that wants CAP_SYS_ADMIN"* ]] ||
		die "another complaint"
	no_pins
}

# One of eight, again if the others took longer than it waits for them.
launch_one_of() {
	local until=$((SECONDS + 20 * ${PIDTRACK_TEST_SLOW:-1}))

	until "$PIDTRACK" run --pin pins --detach --label "shim $1" -- \
		"$SHIM" exit "$1" >>names 2>"errors.$1"; do
		grep -q 'is in use' "errors.$1" && ((SECONDS < until)) || break
	done
	cat "errors.$1" >>errors
}

test_who_launches_waits_for_others_who_launch() {
	local i

	room
	exec 9>&1
	for i in {1..8}; do
		launch_one_of "$i" &
	done
	wait
	[[ ! -s errors && $(wc -l <names) == 8 ]] || die "$(<errors)"
	for i in {1..8}; do
		await_reaped "pins/shim%20$i"
	done
	pt list --prune pins
	[[ $(grep -c ' pruned ' out) == 8 ]] || die "not all"
	for i in {1..8}; do
		out_matches " code $i +pruned shim $i($NL|\$)"
	done
	no_pins
}

# ---- pruning ----

test_only_those_that_are_reaped_are_let_go_of() {
	room
	pinned stays exit 1
	"$PIDTRACK" run --pin pins --detach --label goes "$SHIM" exit 5 >name
	await_reaped pins/goes
	pt list --prune pins
	code_is 0
	silent
	out_matches "^RECORD +VERDICT +PID +AGE +STATUS +PRUNED +LABEL$NL"
	out_matches "${NL}goes +exited +- +[0-9]+s  code 5 +pruned goes$NL"
	out_matches "${NL}stays +same +[0-9]+ +[0-9]+s  - +- +stays\$"
	[[ ! -e pins/goes ]] || die "not let go of"
	pt verify pins/stays
	code_is 0
	release
	await_reaped pins/stays
	pt list --prune pins
	no_pins
}

# Its parent may ask still.
test_one_that_nobody_has_waited_for_stays() {
	room
	host_in exit 5
	kill -STOP $host
	release
	"$PIDTRACK" watch pins/web 8>&- | grep -m 1 -q ' exited$'
	pt list pins
	out_matches "${NL}web +exited +[0-9]+ +[0-9]+s  - +web\$"
	kill -KILL $host
	wait $host 2>/dev/null
	await_reaped pins/web
	pt wait pins/web
	code_is 5
}

test_a_directory_that_a_host_has_is_left_alone() {
	room
	host_in exit 3
	pt list --prune pins
	code_is 4
	err_says "'pins' is in use by a host that lives"
	pt verify pins/web
	code_is 0
	release
	wait $host
	no_pins
}

test_what_was_not_told_is_not_let_go_of() {
	room
	"$PIDTRACK" run --pin pins --detach --label web "$SHIM" exit 5 >name
	await_reaped pins/web
	code=0
	"$PIDTRACK" list --prune pins >/dev/full 2>err || code=$?
	code_is 4
	pt wait pins/web
	code_is 5
	pt list --prune pins
	no_pins
}

# The one who ends while that is on its way to the reader was told to be running.
test_who_ends_while_all_is_told_is_not_let_go_of() {
	room
	pinned stays exit 6
	"$PIDTRACK" run --pin pins --detach --label goes "$SHIM" exit 5 >name
	await_reaped pins/goes
	mkfifo full
	exec 6<>full
	dd if=/dev/zero of=full oflag=nonblock bs=65536 count=1 2>/dev/null
	"$PIDTRACK" list --prune pins >full 6>&- 9>&- &
	until grep -q pipe_write /proc/$!/wchan; do
		[[ -d /proc/$! ]] || die "it is through"
	done
	release
	await_reaped pins/stays
	head -c 65536 <&6 >/dev/null
	wait $! || die "not pruned"
	[[ ! -e pins/goes ]] || die "not let go of"
	pt wait pins/stays
	code_is 6
	pt list --prune pins
	no_pins
}

test_of_two_who_prune_one_lets_go() {
	local i

	room
	for i in {1..8}; do
		"$PIDTRACK" run --pin pins --detach --label "$i" "$SHIM" \
			exit "$i" >name
	done
	for i in {1..8}; do
		await_reaped "pins/$i"
	done
	"$PIDTRACK" list --prune pins >one 2>errors &
	"$PIDTRACK" list --prune pins >two 2>>errors
	wait
	for i in {1..8}; do
		[[ $(cat one two | grep -cE "^$i +exited .* code $i +pruned $i\$") == 1 ]] ||
			die "$i is not told once"
	done
	no_pins
}

test_what_is_no_pin_stays() {
	room
	pinned web exit 5
	release
	await_reaped pins/web
	echo notes >pins/notes
	mkdir pins/directory
	echo $$ >pins/here.pid
	gone_pid >pins/gone.pid
	ln -s web pins/link
	pt list --prune pins
	code_is 3
	silent
	out_matches "${NL}gone.pid +gone .* - +-$NL"
	out_matches "${NL}here.pid +unproven .* - +-$NL"
	out_matches "${NL}notes .* - +\(damaged, or no record\)$NL"
	out_matches "${NL}web +exited .* pruned web\$"
	[[ $(echo pins/*) == "pins/directory pins/gone.pid pins/here.pid pins/link pins/notes" ]] ||
		die "there is $(echo pins/*)"
	rm -r pins/*
	pt list --prune pins
	code_is 0
	no_pins
}

test_a_half_made_one_is_told_and_removed() {
	room
	pinned web exit 5
	touch pins/half
	pt list pins
	code_is 3
	out_matches "${NL}half +- .*\(damaged, or no record\)"
	pt list --prune pins
	code_is 0
	out_matches "${NL}half +- .* pruned \(damaged, or no record\)"
	[[ ! -e pins/half && -e pins/web ]] || die "the wrong one"
	release
}

# As a host leaves it that is killed between unmounting and removing.
test_what_is_left_of_one_that_was_let_go_is_removed_in_silence() {
	room
	pinned web exit 5
	release
	await_reaped pins/web
	umount pins/web
	touch pins/half
	pt list --prune pins
	code_is 0
	silent
	out_matches "${NL}half +- .* pruned \(damaged, or no record\)"
	! grep -q web out || die "it is told of"
	no_pins
}

test_an_empty_one_goes() {
	room
	pinned web exit 5
	release
	await_reaped pins/web
	umount pins/web
	rm pins/web
	pt list --prune pins
	code_is 0
	no_pins
}

test_records_that_are_proven_dead_are_removed() {
	mkdir box
	hold_recorded exit 3
	cp a.record box/web.record
	forge 'boot=[^,]*' 'boot=00000000-0000-4000-8000-000000000000'
	cp another.record box/old.record
	gone_pid >box/gone.pid
	echo $$ >box/here.pid
	echo no record >box/README
	"$PIDTRACK" run --record box/done.record "$SHIM" exit 6
	pt list --prune box
	code_is 3
	silent
	out_matches "${NL}done.record +gone .* code 6 +pruned -$NL"
	out_matches "${NL}gone.pid +gone .* pruned -$NL"
	out_matches "${NL}old.record +other-boot .* pruned a web$NL"
	out_matches "${NL}here.pid +unproven .* - +-$NL"
	out_matches "${NL}web.record +same .* - +a web\$"
	[[ $(echo box/*) == "box/README box/done.record.exit box/here.pid box/web.record" ]] ||
		die "there is $(echo box/*)"
	chmod 500 box
	release
	wait $host
	if [[ $(id -u) != 0 ]]; then
		pt list --prune box
		code_is 4
	fi
	chmod 700 box
	rm box/README box/here.pid
	pt list --prune --json box
	code_is 0
	json_is 'o["verdict"], o["pruned"]' "('gone', True)"
	[[ $(echo box/*) == box/done.record.exit ]] || die "another is left"
	pt wait box/done.record.exit
	code_is 6
	out_is 'box/done.record.exit exited code 6 (waited)'
}

# ---- following ----

test_pins_are_watched_as_they_come_and_go() {
	room
	pinned web exit 5
	mkfifo lines
	"$PIDTRACK" watch pins >lines 9>&- &
	exec 7<lines
	read -r -u 7 line
	[[ $line == "$(<name) (pins/web) attached running "* ]] || die "$line"
	"$PIDTRACK" run --pin pins --detach --label db "$SHIM" exit 6 9>&- >name
	read -r -u 7 line
	[[ $line == *"pins/db"*" attached "* ]] || die "$line"
	while [[ $line != *"pins/db"*" code 6 (recovered)" ]]; do
		read -r -u 7 line || die "no end"
	done
	"$PIDTRACK" list --prune pins >out
	read -r -u 7 line
	[[ $line == *"pins/db"*" removed" ]] || die "$line"
	release
	while [[ $line != *"pins/web"*" code 5 (recovered)" ]]; do
		read -r -u 7 line || die "no end"
	done
	# who watches keeps the directory busy, and no pin
	"$PIDTRACK" list --prune pins >out
	read -r -u 7 line
	[[ $line == *"pins/web"*" removed" ]] || die "$line"
	kill $!
	wait $! 2>/dev/null
	"$PIDTRACK" list --prune pins >out
	no_pins
}

run_tests "$@"
