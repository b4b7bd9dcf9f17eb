# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=sh
# For scripts that are tests, to be sourced: they say TAP with
#
#	check NAME COMMAND...		ok if it succeeds; its output explains
#	refuse NAME COMMAND...		ok if it fails
#	skip NAME REASON
#	finish				at the end, prints the plan and exits
#
# and find a directory of their own in $work, removed when they end.

tap_n=0
tap_failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM

tap_tell()
{
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_n $2"
		return
	fi
	tap_failed=1
	[ ! -s "$work/said" ] || head -n 60 "$work/said" | sed 's/^/# /'
	echo "not ok $tap_n $2"
}

check()
{
	tap_name=$1
	shift
	"$@" >"$work/said" 2>&1
	tap_tell $? "$tap_name"
}

refuse()
{
	tap_name=$1
	shift
	! "$@" >"$work/said" 2>&1
	tap_tell $? "$tap_name"
}

skip()
{
	tap_n=$((tap_n + 1))
	echo "ok $tap_n $1 # SKIP $2"
}

finish()
{
	echo "1..$tap_n"
	exit $tap_failed
}

echo "TAP version 13"
