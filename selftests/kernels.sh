#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That no machine of kernels/ passes which did not get to its end; what they say
# is planted, none is booted.
#	kernels.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/tap.sh"

# What a machine with the tests a and b says.
whole()
{
	cat <<-END
	[    0.000000] Linux
	@@ kernel 6.1.0-56-cloud-amd64 x86_64
	@@ begin a
	@1 TAP version 13
	@1 1..2
	@1 ok 1 one
	@1 ok 2 two # SKIP not here
	@@ end a 0 1
	@@ begin b
	@1 1..1
	@1 ok 1 three
	@@ end b 0 1
	@@ done
	END
}

# counts LINE < CONSOLE: that this is said last of it, and the status fits
counts()
{
	PYTHONPATH=$here/kernels python3 -B -c '
import sys
import boot
account = boot.Account()
for line in sys.stdin:
    account.take(boot.Machine.plain(line.encode()).rstrip("\n"))
tests = [{"name": name, "protocol": "tap"} for name in "ab"]
sys.exit(boot.report(boot.count(tests, account), "planted"))
' >"$work/report"
	status=$?
	cat "$work/report"
	[ "$(tail -n 1 "$work/report")" = "$1" ] || return 1
	case $1 in
	*' 0 failed,'*) [ $status = 0 ] ;;
	*) [ $status = 1 ] ;;
	esac
}

whole >"$work/whole"
told()
{
	sed "$2" "$work/whole" | counts "$1"
}

check what_all_tests_say_is_counted told '2 passed, 0 failed, 1 skipped' ''
check carriage_returns_are_no_matter \
	told '2 passed, 0 failed, 1 skipped' 's/$/\r/'
check a_test_that_fails_is_counted \
	told '1 passed, 1 failed, 1 skipped' 's/ok 1 three/not &/'
check a_status_that_is_not_0_is_a_failure \
	told '2 passed, 1 failed, 1 skipped' 's/end b 0/end b 143/'
check a_machine_that_dies_in_a_test_fails_twice \
	told '1 passed, 2 failed, 1 skipped' '/ok 1 three/,$d'
check a_machine_that_dies_after_the_tests_fails \
	told '2 passed, 1 failed, 1 skipped' '$d'
check a_test_that_was_not_run_is_a_failure \
	told '1 passed, 1 failed, 1 skipped' '/begin b/,/end b/d'
check a_machine_that_says_nothing_fails told '0 passed, 3 failed, 0 skipped' 1,\$d

finish
