#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That lists which exist twice are the same.
#	lists.sh ROOT
set -u
. "$(dirname "$0")/tap.sh"

root=$1

meson_sources()
{
	sed -n '/^libpidtrack_sources = files(/,/^)/p' "$1" |
		grep -o "'[^']*'" | tr -d "'"
}

make_sources()
{
	make -s -C "$root/Kbuild-compat" "LIB=$1" sources | tr ' ' '\n'
}

same()
{
	[ -s "$1" ] && diff -u "$1" "$2"
}

meson_sources "$root/lib/meson.build" >"$work/meson"
make_sources ../lib >"$work/make"
check make_builds_what_meson_builds same "$work/meson" "$work/make"

sort "$work/meson" >"$work/listed"
(cd "$root/lib" && printf '%s\n' *.c) | sort >"$work/there"
check every_source_is_built same "$work/listed" "$work/there"

# The names in every list of tests, and the files they stand for.
(cd "$root/selftests" && printf '%s\n' *_test.c *_test.sh) |
	sed 's/_test\..*//' | sort -u >"$work/there"
grep -oE "'[a-z_0-9]+'" "$root/selftests/meson.build" | tr -d "'" |
	sort -u >"$work/listed"
check every_test_is_listed sh -c \
	'[ -s "$1" ] && ! comm -23 "$1" "$2" | grep .' - \
	"$work/there" "$work/listed"

(cd "$root/selftests/users" && printf '%s\n' *_host.c *_test.c) |
	sed 's/_[a-z]*\.c$//' | grep -vx languages | sort -u >"$work/there"
sed -n '/^hosts = {/,/^}/p' "$root/selftests/users/meson.build" |
	grep -oE "^  '[a-z_]+'" | tr -d " '" | sort >"$work/listed"
check every_host_is_listed same "$work/there" "$work/listed"
(cd "$root/selftests/users" && printf '%s\n' */) | tr -d / >"$work/there"
sed -n '/^languages = {/,/^}/p' "$root/selftests/users/meson.build" |
	grep -oE "^  '[a-z]+'" | tr -d " '" | sort >"$work/listed"
check every_language_is_listed same "$work/there" "$work/listed"

version()
{
	sed -n "$2" "$1" | head -n 1
}
version "$root/meson.build" "s/^ *version: '\(.*\)',/\1/p" >"$work/project"
version "$root/lib/pidtrack.h" \
	's/^#define PIDTRACK_VERSION "\(.*\)"/\1/p' >"$work/header"
version "$root/lib/meson.build" "s/^ *version: '\(.*\)',/\1/p" >"$work/library"
check the_header_has_the_version_of_the_project same \
	"$work/project" "$work/header"
check the_library_has_the_version_of_the_project same \
	"$work/project" "$work/library"

sed '$d' "$work/make" >"$work/fewer"
refuse a_planted_missing_source_is_found same "$work/meson" "$work/fewer"

finish
