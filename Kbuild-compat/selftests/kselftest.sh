#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# One test, by the name this is called by, told where the programs are that it
# launches:
#	NAME-unit	runs NAME_test
#	NAME-BACKEND	runs NAME_test, NAME_test.sh or NAME, waiting by that
# 4 is the status of a program all of whose tests were skipped.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
called=${0##*/}
name=${called%-*}
case $called in
*-unit) ;;
*) export PIDTRACK_BACKEND="${called##*-}" ;;
esac

export PIDTRACK="$here/pidtrack"
export PIDTRACK_BUILD="$here"
export PIDTRACK_TEST_SHIM="$here/pt-shim"
export PIDTRACK_TEST_HEIR="$here/pt-heir"
export PIDTRACK_TEST_HEIR_STATIC="$here/pt-heir-static"
export PIDTRACK_TEST_TOOL="$here/pidtrack"
export PIDTRACK_TEST_SKIPPED=4
# installed, or in the tree
for beside in "$here" "$here/../../../pidtrack"; do
	[ -e "$beside/pidtrack.1" ] || continue
	export PIDTRACK_TEST_MANUAL="$beside/pidtrack.1"
	export PIDTRACK_TEST_COMPLETION="$beside/pidtrack.bash"
done

# These are runner.sh's; a test's first is 3.
exec 3>&- 4>&-

# By which runner.sh has a line written at once, in all that is launched, too.
unset LD_PRELOAD _STDBUF_I _STDBUF_O _STDBUF_E

for program in "${name}_test" "${name}_test.sh" "$name"; do
	[ "$name" != harness_bad ] || break
	[ ! -x "$here/$program" ] || exec "$here/$program" "$@"
done
[ "$name" = harness_bad ] &&
	exec "$here/harness_test.sh" "$here/harness_bad"
echo "1..0 # SKIP $name is not built"
exit 4
