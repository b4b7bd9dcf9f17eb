#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That each header stands alone and may be included twice, and that the public
# one is C99 and C++, with no holes in its structs.
#	headers.sh ROOT CC...
set -u
. "$(dirname "$0")/tap.sh"

root=$1
shift
public=$root/lib/pidtrack.h

for header in "$root"/lib/*.h; do
	name=${header##*/}
	printf '#include "%s"\n#include "%s"\nextern int not_empty;\n' \
		"$name" "$name" >"$work/alone.c"
	check "$name stands alone" "$@" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra \
		-Wno-unused-parameter -Wno-missing-field-initializers -Werror \
		-I"$root/lib" -S -o /dev/null "$work/alone.c"
done

# With each of the option macros used, since they are text until then.
cat >"$work/user.c" <<-END
	#include "pidtrack.h"
	#include "pidtrack.h"
	int user(struct pidtrack *tracker);
	int user(struct pidtrack *tracker)
	{
		struct pidtrack_options options =
			PIDTRACK_OPTIONS(.flags = PIDTRACK_THREAD);
		struct pidtrack_spawn_options spawn =
			PIDTRACK_SPAWN_OPTIONS(.cwd = "/");
		return tracker && options.flags && spawn.size;
	}
END
# Some compilers look at a struct only when its size is asked for.
sizes()
{
	sed -n 's/^struct \(pidtrack_[a-z_]*\) {$/\1/p' "$public" |
		while read -r name; do
			echo "extern char size_of_${name}[sizeof(struct $name)];"
		done
}
sizes >>"$work/user.c"
cat >"$work/user.cc" <<-END
	#include "pidtrack.h"
	#include "pidtrack.h"
	static_assert(sizeof(pidtrack_event) == 40 || sizeof(void *) != 8, "");
	int main()
	{
		pidtrack_options options = {};
		options.size = sizeof(options);
		return pidtrack_new(&options, nullptr) < 0;
	}
END

strict="-pedantic -pedantic-errors -Wall -Wextra -Wpadded -Werror -I$root/lib"
# shellcheck disable=SC2086 # words
{
	for std in c99 c11 c17; do
		check "pidtrack.h as $std, without holes" "$@" -std=$std \
			$strict -S -o /dev/null "$work/user.c"
	done
	# Freestanding: libc's own headers for 32 bits are rarely there.
	mkdir -p "$work/free/sys"
	echo 'typedef int pid_t; typedef unsigned int gid_t;' \
		>"$work/free/sys/types.h"
	if "$@" -m32 -ffreestanding -x c -S -o /dev/null /dev/null 2>/dev/null
	then
		check "pidtrack.h with 32 bits, without holes" "$@" -m32 \
			-ffreestanding -nostdinc -isystem "$work/free" \
			-isystem "$("$@" -print-file-name=include)" \
			-std=c99 $strict -S -o /dev/null "$work/user.c"
	else
		skip "pidtrack.h with 32 bits, without holes" \
			"this compiler has no -m32"
	fi

	printf 'struct hole { char a; long b; };\nextern char %s;\n' \
		'size[sizeof(struct hole)]' >"$work/hole.c"
	refuse "a planted hole is found" "$@" -std=c99 $strict -S -o /dev/null \
		"$work/hole.c"

	cxx=
	for candidate in "${CXX:-}" c++ g++ clang++; do
		[ -z "$candidate" ] || [ -n "$cxx" ] ||
			! command -v "$candidate" >/dev/null ||
			cxx=$candidate
	done
	for std in c++11 c++20; do
		if [ -n "$cxx" ]; then
			check "pidtrack.h as $std" "$cxx" -std=$std $strict \
				-Wno-padded -S -o /dev/null "$work/user.cc"
		else
			skip "pidtrack.h as $std" "no C++ compiler"
		fi
	done
}

finish
