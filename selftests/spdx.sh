#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That every file says its license, and nothing stands at the top that was not
# agreed on.
#	spdx.sh ROOT
set -u
. "$(dirname "$0")/tap.sh"

root=$1
licence='SPDX-License-Identifier: LGPL-2.1-or-later OR MIT'

# What git knows; where it is not to be asked, everything but what is built.  A
# repository that a copy lies in knows nothing of the copy.
files()
{
	{ [ -e "$1/.git" ] && git -C "$1" ls-files 2>/dev/null; } ||
		(cd "$1" && find . \( -path ./.git -o -path './build*' \) -prune \
			-o -type f -print | sed 's|^\./||')
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
mkdir "$work/copy" "$work/copy/build"
echo "/* $licence */" >"$work/copy/LICENSE"
echo 'int main(void) { return 0; }' >"$work/copy/build/host.c"
check what_is_built_needs_no_license licensed "$work/copy"
check what_is_built_may_be_at_the_top top_is_as_agreed "$work/copy"

# What somebody wrote beside README is theirs until git is told of it.
mkdir "$work/repository"
git init -q "$work/repository"
echo "/* $licence */" >"$work/repository/LICENSE"
git -C "$work/repository" add LICENSE
echo 'int main(void) { return 0; }' >"$work/repository/host.c"
check what_git_does_not_know_needs_no_license licensed "$work/repository"
check what_git_does_not_know_is_not_at_the_top top_is_as_agreed "$work/repository"
git -C "$work/repository" add host.c
refuse a_planted_file_git_knows_is_found licensed "$work/repository"
refuse a_planted_stranger_git_knows_is_found top_is_as_agreed "$work/repository"

finish
