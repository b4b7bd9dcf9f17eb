#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That every file says its license, and nothing stands at the top that was not
# agreed on.
#	spdx.sh ROOT
set -u
. "$(dirname "$0")/tap.sh"

root=$1
licence='SPDX-License-Identifier: LGPL-2.1-or-later OR MIT'

# What is or would be committed; in a copy without git, everything.
files()
{
	git -C "$1" ls-files -co --exclude-standard 2>/dev/null ||
		(cd "$1" && find . -type f | sed 's|^\./||')
}

# Texts and lists of bytes cannot say it in a comment.
licensed()
{
	files "$1" | grep -vxE 'LICENSE|.*\.abi|selftests/fuzz/corpus.*' |
		while read -r file; do
			[ ! -f "$1/$file" ] ||
				head -n 5 "$1/$file" | grep -qF "$licence" ||
				echo "$file"
		done >"$work/unlicensed"
	cat "$work/unlicensed"
	[ ! -s "$work/unlicensed" ]
}

agreed='README.md|LICENSE|meson.build|meson_options.txt|\.ci|\.clang-format'
agreed="$agreed|\.clang-tidy|\.gitignore|lib|tools|selftests|Kbuild-compat"

top_is_as_agreed()
{
	! files "$1" | cut -d/ -f1 | sort -u | grep -vxE "$agreed"
}

check every_file_says_its_license licensed "$root"
check nothing_else_is_at_the_top top_is_as_agreed "$root"

mkdir -p "$work/planted/lib"
echo 'int x;' >"$work/planted/lib/x.c"
refuse a_planted_file_without_license_is_found licensed "$work/planted"
echo "/* $licence */" >"$work/planted/lib/x.c"
check a_planted_file_with_license_is_fine licensed "$work/planted"
mkdir "$work/planted/src"
echo "/* $licence */" >"$work/planted/src/x.c"
refuse a_planted_directory_is_found top_is_as_agreed "$work/planted"

finish
