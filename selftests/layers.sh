#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# Who may include whom.
#	layers.sh ROOT SYSTEM-TEST...	(names of test files without .c)
set -u
. "$(dirname "$0")/tap.sh"

root=$1
shift

# From the bottom: a file includes only from lines above its own, and its own
# header.  A word is a file's name without .c or .h.
layers()
{
	cat <<-END
	pidtrack base
	checked options sys text probes
	lines
	quiet owner claims sightings file timer
	memfd foreign clone names directory procfs caps dumpable descriptors message pin stored
	fingerprint child pids pins given
	request store attempt
	record launchpad status cgroup image
	label
	recorded sweep
	reading
	verify removal tree ending
	watch recovery handed
	uring epoll
	lots ring stop
	features process
	slots
	parked
	told ladder keeper orphans
	set
	seen
	telling
	tracker
	launch attach member records registry handoff resume
	recover
	END
}

# Without comments; line numbers stay.
code()
{
	awk '{
		rest = $0; line = ""
		while (rest != "") {
			if (comment) {
				i = index(rest, "*/")
				if (!i) break
				rest = substr(rest, i + 2); comment = 0
			} else {
				i = index(rest, "/*")
				if (!i) { line = line rest; break }
				line = line substr(rest, 1, i - 1)
				rest = substr(rest, i + 2); comment = 1
			}
		}
		print FILENAME ":" FNR ": " line
	}' "$@"
}

# One that does not follow the layers fails, as does one that is in none.
follows()
{
	for file in "$1"/*.c "$1"/*.h; do
		code "$file"
	done | layers_of "$1"
}

layers_of()
{
	layers >"$work/layers"
	awk -v dir="$1" '
	function name(path) {
		sub(/.*\//, "", path); sub(/\.[ch]:?$/, "", path)
		return path
	}
	FNR == NR {
		for (i = 1; i <= NF; i++) layer[$i] = FNR
		next
	}
	{
		path = $1; sub(/:[0-9]+:$/, "", path)
		me = name(path)
		if (!(me in layer) && !(me in told)) {
			print path " is in no layer"; told[me] = 1; bad = 1
		}
	}
	$2 == "#include" && $3 ~ /^"/ {
		it = $3; gsub(/"/, "", it); it = name(it)
		if (it != me && !(layer[it] && layer[it] < layer[me])) {
			print $1, me, "must not include", $3; bad = 1
		}
	}
	END { exit bad }' "$work/layers" -
}

# Nothing in $1 has what $2 matches, but files whose names $3 matches.
only_in()
{
	for file in "$1"/*.c "$1"/*.h; do
		echo "${file##*/}" | grep -qxE "$3" || code "$file"
	done | grep -E "$2" && return 1
	return 0
}

# Of "..." includes, these files have only those that $1 matches.
includes_only()
{
	allowed=$1
	shift
	code "$@" | grep -E '^[^ ]+ #include "' | grep -vE "\"($allowed)\"" &&
		return 1
	return 0
}

liburing='#include <liburing'
libcap='#include <sys/capability\.h>'
kernel='(^|[^A-Za-z0-9_])(syscall|ioctl) ?\('

tools_own=$(cd "$root/tools" && echo *.h | sed 's/\./\\./g; s/ /|/g')
tests_own=$(cd "$root/selftests" && echo *.h | sed 's/\./\\./g; s/ /|/g')
system=
for test in "$@"; do
	system="$system $root/selftests/$test.c"
done

check a_file_of_the_library_includes_only_from_below follows "$root/lib"
check liburing_is_used_by_uring_and_lots_only \
	only_in "$root/lib" "$liburing" 'uring\.c|lots\.c'
check libcap_is_used_by_caps_only only_in "$root/lib" "$libcap" 'caps\.c'
check syscall_and_ioctl_are_in_base_sys_and_clone_only \
	only_in "$root/lib" "$kernel" '(base|sys|clone)\.h'
check the_tool_includes_only_the_public_header \
	includes_only "pidtrack\.h|$tools_own" "$root"/tools/*.[ch]
# What tests share must not give them more.
check headers_of_tests_include_only_the_public_header \
	includes_only "pidtrack\.h|$tests_own" "$root"/selftests/*.h
check hosts_include_only_the_public_header \
	includes_only "pidtrack\.h|host\.h" "$root"/selftests/users/*_host.c \
	"$root/selftests/users/host.h"
check hosts_of_cpp_include_only_the_public_header \
	includes_only "pidtrack\.(h|hh)" "$root"/selftests/users/cpp/*
check tests_of_hosts_include_only_the_public_header \
	includes_only "pidtrack\.h|hosted\.h|\.\./(launch|mounts)\.h" \
	"$root"/selftests/users/*_test.c "$root/selftests/users/hosted.h"
if [ -n "$system" ]; then
	# shellcheck disable=SC2086 # words
	check system_tests_include_only_the_public_header \
		includes_only "pidtrack\.h|$tests_own" $system
fi

# The checks above find what they are for.
plant()
{
	rm -rf "${work:?}/lib"
	cp -R "$root/lib" "$work/lib"
	echo "$2" >>"$work/lib/$1"
}

plant procfs.c '#include "tracker.h"'
refuse a_planted_include_of_a_higher_file_is_found follows "$work/lib"
plant procfs.c '#include "caps.h"'
refuse a_planted_include_of_a_sibling_is_found follows "$work/lib"
plant procfs.c '/* #include "tracker.h" */'
check a_comment_is_not_mistaken_for_an_include follows "$work/lib"
plant stranger.c ''
refuse a_planted_file_without_a_layer_is_found follows "$work/lib"
plant procfs.c '#include <liburing.h>'
refuse a_planted_use_of_liburing_is_found \
	only_in "$work/lib" "$liburing" 'uring\.c|lots\.c'
plant procfs.c '#include <sys/capability.h>'
refuse a_planted_use_of_libcap_is_found only_in "$work/lib" "$libcap" 'caps\.c'
plant procfs.c 'int f(void) { return syscall(1); }'
refuse a_planted_system_call_is_found \
	only_in "$work/lib" "$kernel" '(base|sys|clone)\.h'
echo '#include "sys.h"' >"$work/planted.c"
refuse a_planted_private_include_in_the_tool_is_found \
	includes_only "pidtrack\.h|$tools_own" "$work/planted.c"

finish
