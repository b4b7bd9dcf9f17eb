#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That the harness finds fault with every bad test, and with nothing else.
#	harness_test.sh PROGRAM		harness_bad, built
set -u

program=$1
unset PIDTRACK_TEST_SKIPPED PIDTRACK_TEST_REFUSED
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0
failed=0

# Says how one of these tests went: what ? status
tell()
{
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n $1"
	else
		echo "not ok $n $1"
		failed=1
	fi
}

# Without what differs from run to run: paths, lines, pids, addresses, states.
plain()
{
	sed -E -e 's/^# [^ ]*\.c:[0-9]+:/# /' -e 's/0x[0-9a-f]+/ADDRESS/g' \
		-e 's/behind: [0-9]+ \(.*\) [A-Z]$/behind/' \
		-e 's/^(#   stat): [0-9]+ \(.*\) S .*/\1/' |
		grep -v -e '^#0' -e '^==' -e '^#   wchan:' -e '^#   syscall:'
}

expected()
{
	cat <<-END
	TAP version 13
	1..31
	ok 1 passes
	# asserts_what_is_not: Expected 0 (0) == -ENOENT (-2, No such file or directory)
	not ok 2 asserts_what_is_not
	# expects_what_is_not_and_goes_on: Expected 1U (1) == large (18446744073709551615)
	# expects_what_is_not_and_goes_on: Expected 'one' == 'two' ("two")
	# expects_what_is_not_and_goes_on: Expected NULL (0) == &large (ADDRESS)
	# expects_what_is_not_and_goes_on: a word more
	# expects_what_is_not_and_goes_on: Expected 2 (2) < 1 (1)
	not ok 3 expects_what_is_not_and_goes_on
	# a_child_of_it_expects_what_is_not: Expected 1 (1) == 2 (2)
	not ok 4 a_child_of_it_expects_what_is_not
	# leaves_a_descriptor: left descriptor 7 open: /dev/null
	not ok 5 leaves_a_descriptor
	# closes_a_descriptor_it_was_given: closed descriptor 0, not its own
	not ok 6 closes_a_descriptor_it_was_given
	# fails_without_an_output: Expected 1 (1) == 2 (2)
	not ok 7 fails_without_an_output
	# leaves_a_child: left a child behind
	not ok 8 leaves_a_child
	# leaves_an_orphan: left a child behind
	not ok 9 leaves_an_orphan
	# leaves_a_zombie: left a zombie behind
	not ok 10 leaves_a_zombie
	# is_aborted: killed by SIGABRT
	not ok 11 is_aborted
	# is_killed: killed by SIGKILL
	not ok 12 is_killed
	# ends_its_process: ended its process with 0
	not ok 13 ends_its_process
	# returns_in_a_child: a child came back from the test
	not ok 14 returns_in_a_child
	# takes_too_long: waits
	# takes_too_long: timed out after 2 s
	#   stat
	not ok 15 takes_too_long
	$loses_memory 16 loses_memory
	ok 17 skips # SKIP there is no moon
	# skips_and_leaves_a_child: left a child behind
	not ok 18 skips_and_leaves_a_child
	ok 19 skips_and_ends_its_process # SKIP there is no sun
	# skips_and_ends_its_process_with_1: ended its process with 1
	not ok 20 skips_and_ends_its_process_with_1
	ok 21 dies_as_it_should
	# does_not_die_as_it_should: not killed by SIGUSR1
	not ok 22 does_not_die_as_it_should
	# fixture.is_torn_down: torn down
	ok 23 fixture.is_torn_down
	# fixture.is_torn_down_after_a_failure: Expected -1 (-1, Operation not permitted) == self->fd (3)
	# fixture.is_torn_down_after_a_failure: torn down
	not ok 24 fixture.is_torn_down_after_a_failure
	ok 25 wants_what_is_not_there # SKIP there is no moon
	ok 26 wants_what_is_there
	ok 27 fixture.is_not_set_up_where_it_wants_what_is_not_there # SKIP there is no moon
	# waits_when_its_child_was_refused: Expected 0 (0) == -EPERM (-1, Operation not permitted)
	# waits_when_its_child_was_refused: timed out after 2 s
	#   stat
	not ok 28 waits_when_its_child_was_refused
	# waits_though_nothing_failed: timed out after 2 s
	#   stat
	not ok 29 waits_though_nothing_failed
	# ends_its_process_where_it_was_told: ended its process with 1
	not ok 30 ends_its_process_where_it_was_told
	# fixture_that_hangs.is_torn_down_where_it_was_refused: Expected 0 (0) == -EPERM (-1, Operation not permitted)
	# fixture_that_hangs.is_torn_down_where_it_was_refused: timed out after 2 s
	#   stat
	not ok 31 fixture_that_hangs.is_torn_down_where_it_was_refused
	END
}

echo "TAP version 13"
echo "1..12"

# LeakSanitizer comes with AddressSanitizer.
loses_memory="ok"
if nm "$program" | grep -q __asan_init; then
	loses_memory="# loses_memory: exit status 23, of a sanitizer?
not ok"
fi

# What a runner has open, or ignores, makes no difference.
seen=$(trap '' HUP INT QUIT USR1
	PIDTRACK_TEST_TIMEOUT=2 PIDTRACK_TEST_SLOW=1 LSAN_OPTIONS=exitcode=23 \
		"$program" 2>/dev/null </dev/null 3</dev/null 9</dev/null)
status=$?
expected >"$work/expected"
difference=$(echo "$seen" | plain | diff -u "$work/expected" -)
tell every_bad_test_is_found_out $?
[ -z "$difference" ] || echo "$difference" | sed 's/^/# /'

[ "$status" -eq 1 ]
tell a_program_with_a_failed_test_exits_with_1 $?

"$program" passes skips >/dev/null
tell a_program_without_one_exits_with_0 $?

"$program" skips >/dev/null
tell a_program_that_skips_all_exits_with_0 $?

exits_with()
{
	expected=$1
	shift
	PIDTRACK_TEST_SKIPPED=4 "$program" "$@" >/dev/null
	[ $? -eq "$expected" ]
}
exits_with 4 skips && exits_with 0 skips passes &&
	exits_with 1 skips expects_what_is_not_and_goes_on &&
	exits_with 1 no_such_test
tell a_program_that_skips_all_exits_as_it_is_told $?

[ "$("$program" skips passes | tail -n +2 | tr '\n' ' ')" = \
	"1..2 ok 1 passes ok 2 skips # SKIP there is no moon " ]
tell tests_can_be_chosen_by_name $?

! "$program" no_such_test >/dev/null
tell a_test_that_is_not_there_is_a_failure $?

# What a test of these says of itself where a sandbox refuses one thing.
refused()
{
	PIDTRACK_TEST_REFUSED="1 a door" PIDTRACK_TEST_TIMEOUT=$1 "$program" "$2"
}
refused 60 waits_when_its_child_was_refused |
	grep -q '^ok 1 .* # SKIP the sandbox refuses a door, as -EPERM is told$'
tell a_test_that_was_refused_and_waits_is_ended_and_skipped $?

refused 1 waits_though_nothing_failed |
	grep -q '^not ok 1 waits_though_nothing_failed$'
tell to_be_refused_is_no_reason_to_wait $?

refused 1 fixture_that_hangs.is_torn_down_where_it_was_refused |
	grep -q '^not ok 1 '
tell nor_is_it_one_to_hang_when_it_tears_down $?

refused 60 ends_its_process_where_it_was_told |
	grep -q '^not ok 1 '
tell nor_is_it_one_to_end $?

# The pipe ends when nobody is left who could write into it.
mkfifo "$work/pipe"
"$program" takes_too_long >"$work/pipe" &
pid=$!
while read -r line; do
	case $line in
	*waits) kill -TERM $pid ;;
	esac
done <"$work/pipe"
wait $pid
[ $? -eq 143 ]
tell a_program_told_to_end_takes_its_tests_with_it $?

exit $failed
