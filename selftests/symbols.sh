#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That the library exports what its map and its header say, and nothing else.
#	symbols.sh LIBRARY.so LIBRARY.a MAP HEADER CC...
set -u
. "$(dirname "$0")/tap.sh"

shared=$1
static=$2
map=$3
header=$4
shift 4

exported()
{
	nm -D --defined-only --without-symbol-versions "$1" |
		awk '$2 != "A" { print $3 }' | sort -u
}

# The names between "global:" and "local:" of every node.
mapped()
{
	sed -e 's|/\*.*\*/||' -e 's|#.*||' "$1" | awk '
	/global:/ { global = 1; next }
	/local:|}/ { global = 0 }
	global { gsub(/[ \t;]/, ""); if ($0 != "") print }' | sort -u
}

# "NAME@VERSION" for each name that a map exports, and each version.
versioned()
{
	sed -e 's|/\*.*\*/||' -e 's|#.*||' "$1" | awk '
	/\{/ { version = $1; print version "@" version }
	/global:/ { global = 1; next }
	/local:|}/ { global = 0 }
	global {
		gsub(/[ \t;]/, "")
		if ($0 != "") print $0 "@" version
	}' | sort -u
}

# The same, as the list of a Debian package has them.
packaged()
{
	sed -n 's/^ \([^ ]*@[^ ]*\) .*/\1/p' "$1" | sort -u
}

packages_what_is_mapped()
{
	versioned "$map" >"$work/versioned"
	packaged "$1" >"$work/packaged"
	same "$work/versioned" "$work/packaged"
}

# Functions the header declares: a name and "(" once comments are gone.
declared()
{
	header_=$1
	shift
	"$@" -E -P "$header_" | grep -o 'pidtrack_[a-z0-9_]* *(' |
		tr -d ' (' | sort -u
}

# Every name is ours by its prefix; sanitizers add theirs, and sys/sdt.h one.
prefixed()
{
	nm -g --defined-only "$1" | awk 'NF == 3 { print $3 }' |
		grep -vE '^(pidtrack_|pt_|__odr_asan|_\.stapsdt\.)' && return 1
	return 0
}

same()
{
	[ -s "$1" ] && diff -u "$1" "$2"
}

exported "$shared" >"$work/exported"
mapped "$map" >"$work/mapped"
declared "$header" "$@" >"$work/declared"

check the_map_has_what_the_library_exports same "$work/mapped" "$work/exported"
check the_header_declares_what_the_map_has same "$work/mapped" "$work/declared"
check every_global_name_begins_with_ours prefixed "$static"
list=$(dirname "$map")/../.ci/debian/libpidtrack0.symbols
if [ -f "$list" ]; then
	check the_list_of_the_package_has_what_the_map_has \
		packages_what_is_mapped "$list"
	sed '/ pidtrack_fd@/d' "$list" >"$work/list"
	refuse a_planted_gap_of_that_list_is_found \
		packages_what_is_mapped "$work/list"
else
	skip the_list_of_the_package_has_what_the_map_has "no list"
fi

# The checks above find what they are for.
{ cat "$work/exported"; echo zz_stray; } >"$work/more"
refuse a_planted_stray_export_is_found same "$work/mapped" "$work/more"
sed 1d "$work/exported" >"$work/fewer"
refuse a_planted_missing_export_is_found same "$work/mapped" "$work/fewer"
{ cat "$header"; echo 'int pidtrack_zz_stray(void);'; } >"$work/planted.h"
declared "$work/planted.h" "$@" >"$work/declared"
refuse a_planted_stray_declaration_is_found \
	same "$work/mapped" "$work/declared"
echo 'int zz_stray; int zz_stray_function(void) { return zz_stray; }' \
	>"$work/stray.c"
"$@" -c -o "$work/stray.o" "$work/stray.c"
refuse a_planted_stray_global_is_found prefixed "$work/stray.o"

finish
