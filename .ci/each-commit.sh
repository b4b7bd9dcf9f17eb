#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Builds every commit of a series and runs its quick suites, so that each stands
# by itself and "git bisect" works.  The work tree is not touched.
#
#	.ci/each-commit.sh BASE [TIP]
set -u
exec </dev/null

[ $# -ge 1 ] || { echo "usage: $0 BASE [TIP]" >&2; exit 2; }
series=$(git rev-list --reverse "$1..${2:-HEAD}") || exit 2
[ -n "$series" ] || { echo "no commits" >&2; exit 2; }

work=$(mktemp -d) || exit 1
trap 'git worktree remove --force "$work/tree" 2>/dev/null; rm -rf "$work"' EXIT

one()
{
	rm -rf "$work/build"
	git -C "$work/tree" checkout -q --detach "$1" &&
		meson setup "$work/build" "$work/tree" -Dwerror=true &&
		ninja -C "$work/build" &&
		meson test -C "$work/build" --no-rebuild --suite pidtrack:unit \
			--suite pidtrack:house --print-errorlogs
}

git worktree add -q --detach "$work/tree" || exit 1
for commit in $series; do
	git log -1 --format='== %h %s' "$commit"
	one "$commit" >"$work/log" 2>&1 || {
		tail -n 60 "$work/log"
		exit 1
	}
done
echo "every commit builds and passes"
