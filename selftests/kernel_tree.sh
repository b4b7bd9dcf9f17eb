#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That Kbuild-compat/install places in a kernel tree what meson builds, nothing
# else, and nothing over what is not ours; and takes it all away again.  The tree
# is a small one, in git.
#	kernel_tree.sh ROOT BUILD
set -u
. "$(dirname "$0")/tap.sh"

root=$1
build=$2
install=$root/Kbuild-compat/install
tree=$work/tree
export LC_ALL=C GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1

lib=tools/lib/pidtrack
tool=tools/pidtrack
tests=tools/testing/selftests/pidtrack
sample=samples/pidtrack

git_tree()
{
	git -C "$tree" -c user.name=test -c user.email=test@localhost "$@"
}

# As much of a tree as is looked at, with the kernel's own way to ignore.
make_tree()
{
	rm -rf "$tree"
	mkdir -p "$tree"/tools/{build,scripts,lib,testing/selftests} \
		"$tree"/samples || return 1
	printf 'VERSION = 6\nPATCHLEVEL = 1\n' >"$tree/Makefile"
	printf '.*\n*.o\n*.a\n*.so\n!.gitignore\n' >"$tree/.gitignore"
	touch "$tree/tools/build/Makefile.build" "$tree/tools/lib/string.c" \
		"$tree/tools/scripts/Makefile.include" \
		"$tree/tools/testing/selftests/lib.mk"
	printf '%s\n' 'clean: acpi_clean' '' '.PHONY: FORCE' \
		>"$tree/tools/Makefile"
	printf '%s\n' 'TARGETS = alsa' 'TARGETS += pidfd' 'TARGETS += powerpc' \
		'' 'all:' >"$tree/tools/testing/selftests/Makefile"
	printf 'subdir-$(CONFIG_SAMPLE_%s)\t+= %s\n' LANDLOCK landlock \
		PIDFD pidfd VFS vfs >"$tree/samples/Makefile"
	printf '%s\n' 'if SAMPLES' '' 'endif # SAMPLES' '' 'config AFTER' \
		>"$tree/samples/Kconfig"
	git_tree init -q && git_tree add -A && git_tree commit -qm tree
}

# One that was placed in once, as often as it is wanted.
placed_tree()
{
	if [ ! -d "$work/placed" ]; then
		make_tree && "$install" "$tree" && cp -a "$tree" "$work/placed"
		return
	fi
	rm -rf "$tree" && cp -a "$work/placed" "$tree"
}

unchanged()
{
	git_tree status --porcelain --untracked-files=all >"$work/status" &&
		cat "$work/status" && [ ! -s "$work/status" ]
}

# Nor what git ignores.
untouched()
{
	git_tree status --porcelain --ignored >"$work/status" &&
		cat "$work/status" && [ ! -s "$work/status" ]
}

# Usage: exits_with STATUS TEXT WORD...: and says that
exits_with()
{
	local wanted=$1 text=$2 status

	shift 2
	"$install" "$@" >"$work/said.install" 2>&1
	status=$?
	cat "$work/said.install"
	[ $status = "$wanted" ] && grep -qF -- "$text" "$work/said.install"
}

sums()
{
	(cd "$tree" && find . -path ./.git -prune -o -type f \
		-printf '%p %T@ %m ' -exec sha256sum {} \; | sort)
}

# ---- the command line ----

check help_is_there exits_with 0 'Usage: ' --help
check a_tree_must_be_said exits_with 2 'which tree?'
check two_trees_are_too_many exits_with 2 'one tree' a b
check an_unknown_option_is_refused exits_with 2 'no option --delete' \
	--delete "$work"
check a_directory_that_is_not_there_is_refused \
	exits_with 1 'no such directory' "$work/nowhere"

refuses_strangers()
{
	mkdir -p "$work/stranger/tools" && echo 'all:' >"$work/stranger/Makefile"
	exits_with 1 'is no kernel tree' "$work/stranger" &&
		exits_with 1 'is no kernel tree' --remove "$work/stranger" &&
		exits_with 1 'is no kernel tree' "$root" &&
		[ "$(cd "$work/stranger" && find . | sort | xargs)" = \
			'. ./Makefile ./tools' ]
}
check what_is_no_kernel_tree_is_refused refuses_strangers

refuses_headers()
{
	make_tree && rm -r "$tree/tools/testing" &&
		exits_with 1 'has no tools/testing/selftests/Makefile' "$tree" &&
		[ ! -e "$tree/$lib" ]
}
check headers_alone_are_refused refuses_headers

# ---- what is placed ----

places_no_more()
{
	placed_tree && git_tree status --porcelain >"$work/status" &&
		diff - "$work/status" <<-END
		 M samples/Kconfig
		 M samples/Makefile
		 M tools/Makefile
		 M tools/testing/selftests/Makefile
		?? $sample/
		?? $lib/
		?? $tool/
		?? $tests/
		END
}
check four_directories_and_lines_in_four_files places_no_more

leads_there()
{
	diff - <(git_tree diff -U0 | grep '^[-+]' | grep -v '^[-+][-+]') <<-'END'
	+source "samples/pidtrack/Kconfig"
	+
	+subdir-$(CONFIG_SAMPLE_PIDTRACK)	+= pidtrack
	+pidtrack: FORCE
	+	$(call descend,pidtrack)
	+
	+pidtrack_install:
	+	$(call descend,pidtrack,install)
	+
	+pidtrack_clean:
	+	$(call descend,pidtrack,clean)
	+
	+clean: pidtrack_clean
	+
	+TARGETS += pidtrack
	END
}
check lines_are_added_and_none_is_changed leads_there
check they_stand_in_order diff \
	<(grep -A1 pidfd "$tree/tools/testing/selftests/Makefile" \
		"$tree/samples/Makefile" | sed 's/.*= //') \
	<(printf 'pidfd\npidtrack\n--\npidfd\npidtrack\n')

# What meson itself says that it builds and runs.
meson_says()
{
	python3 - "$build" "$1" <<-'END'
	import json, os, subprocess, sys
	build, what = sys.argv[1:]
	def ask(kind):
	    return json.loads(subprocess.run(
	        ["meson", "introspect", kind, build], check=True,
	        capture_output=True, text=True).stdout)
	if what == "tests":
	    for test in ask("--tests"):
	        suites = {suite.partition(":")[2] for suite in test["suite"]}
	        name = test["name"]
	        if "unit" in suites:
	            print(name + "-unit")
	        elif suites & {"system", "tool"} and \
	                name.rpartition("-")[0] not in ("readme", "tool_words"):
	            print(name)
	else:
	    for target in ask("--targets"):
	        if target["name"] == "pidtrack" and target["type"] == what:
	            for source in target["target_sources"]:
	                for path in source["sources"]:
	                    if path.endswith(".c"):
	                        print(os.path.basename(path)[:-2] + ".o")
	END
}

builds_as_meson()
{
	meson_says "$1" | sort >"$work/meson"
	[ -s "$work/meson" ] && sed -n "s/^$2-y += //p" "$tree/$3/Build" | sort |
		diff "$work/meson" -
}
check the_library_is_what_meson_builds \
	builds_as_meson 'shared library' libpidtrack $lib
check the_tool_is_what_meson_builds builds_as_meson executable pidtrack $tool

# lib.mk does no more than this with the names
runs_as_meson()
{
	meson_says tests | sort >"$work/meson"
	echo 'show: ; @printf "%s\n" $(TEST_GEN_PROGS)' \
		>"$tree/tools/testing/selftests/lib.mk"
	[ -s "$work/meson" ] &&
		make -s -C "$tree/$tests" show 2>/dev/null | sort |
		diff "$work/meson" -
	set -- "${PIPESTATUS[@]}"
	git_tree checkout -q tools/testing/selftests/lib.mk
	[ "${*: -1}" = 0 ]
}
check the_tests_are_those_meson_runs runs_as_meson

has_sources()
{
	local name

	for name in $(sed -n 's/^[us][a-z]*_tests += //p' "$tree/$tests/tests.mk")
	do
		[ -f "$tree/$tests/${name}_test.c" ] || return 1
	done
	! diff -rq "$root/lib" "$tree/$lib" |
		grep -vE ': (man|meson.build|Build|Makefile|PLACED|.gitignore)$' &&
		! diff -rq "$root/tools" "$tree/$tool" |
		grep -vE ': (quickstart|meson.build|Build|Makefile|PLACED|.gitignore)$' &&
		! diff -rq "$root/selftests" "$tree/$tests" | grep -v '^Only'
}
check sources_are_copied_as_they_are has_sources

# What they include of ours is there.
includes_are_there()
{
	local header wanted=$tree/$1

	for header in $(sed -n 's/^#include "\(.*\)"/\1/p' "$wanted"/*.[ch] | sort -u)
	do
		[ -e "$wanted/$header" ] || [ -e "$tree/$lib/$header" ] || {
			echo "no $header"
			return 1
		}
	done
}
check the_library_includes_what_is_there includes_are_there $lib
check the_tool_includes_what_is_there includes_are_there $tool
check the_tests_include_what_is_there includes_are_there $tests

licensed()
{
	! find "$tree"/{$lib,$tool,$tests,$sample} -type f -print0 |
		xargs -0 grep -L 'SPDX-License-Identifier: LGPL-2.1' | grep .
}
check every_placed_file_says_its_license licensed

# ---- again ----

places_again()
{
	sums >"$work/before" && "$install" "$tree" && sums |
		grep -v /PLACED >"$work/after" &&
		grep -v /PLACED "$work/before" | diff - "$work/after"
}
check placed_again_nothing_is_written places_again

brings_up_to_date()
{
	local file=$tree/$tool/run.c was=$tree/$tool/was.c

	echo '/* older */' >"$file" && echo '/* once */' >"$was" &&
		sed -i "s/^.*  run\.c\$/$(sha256sum <"$file" | cut -c1-64)  run.c/" \
			"$tree/$tool/PLACED" &&
		echo "$(sha256sum <"$was" | cut -c1-64)  was.c" \
			>>"$tree/$tool/PLACED" &&
		"$install" "$tree" && cmp "$root/tools/run.c" "$file" &&
		[ ! -e "$was" ]
}
check an_older_one_is_brought_up_to_date brings_up_to_date

# ---- what is not ours ----

refuses_theirs()
{
	make_tree && mkdir "$tree/$tool" && echo theirs >"$tree/$tool/run.c" &&
		sums >"$work/before" &&
		exits_with 1 "$tool is not ours" "$tree" &&
		exits_with 1 "$tool is not ours" --remove "$tree" &&
		sums | diff "$work/before" -
}
check a_directory_that_is_not_ours_is_refused refuses_theirs

refuses_links()
{
	placed_tree && mv "$tree/$tool" "$work/elsewhere" &&
		ln -s "$work/elsewhere" "$tree/$tool" && sums >"$work/before" &&
		exits_with 1 "$tool is not ours" "$tree" &&
		exits_with 1 "$tool is not ours" --remove "$tree" &&
		sums | diff "$work/before" - && [ -f "$work/elsewhere/run.c" ]
}
check a_link_is_not_followed refuses_links

refuses_changed()
{
	placed_tree && echo '/* mine */' >>"$tree/$lib/set.c" &&
		sums >"$work/before" &&
		exits_with 1 "$lib/set.c was changed" "$tree" &&
		exits_with 1 "$lib/set.c was changed" --remove "$tree" &&
		sums | diff "$work/before" -
}
check what_was_changed_is_not_written_or_removed refuses_changed

refuses_in_the_way()
{
	placed_tree && sed -i '/  run\.c$/d' "$tree/$tool/PLACED" &&
		sums >"$work/before" &&
		exits_with 1 "$tool/run.c is not ours" "$tree" &&
		sums | diff "$work/before" -
}
check a_file_of_theirs_is_in_the_way refuses_in_the_way

# ---- away ----

# As make does, wherever it writes beside the sources.
make_leftovers()
{
	local directory

	for directory in $lib $tool; do
		touch "$tree/$directory"/{run.o,.run.o.cmd,.run.o.d,fixdep}
	done
	touch "$tree/$lib"/libpidtrack.{a,so,so.0,so.0.1.0} "$tree/$tool/pidtrack"
	mkdir "$tree/$tool/libpidtrack" "$tree/$tests/tool" "$tree/$sample/lib"
	touch "$tree/$tests"/{set-unit,set_test,.set_test.d,attach-uring,pt-shim} \
		"$tree/$tool/libpidtrack/set.o" "$tree/$sample/host"
}

removes()
{
	placed_tree && make_leftovers &&
		git_tree status --porcelain --untracked-files=all >"$work/status" &&
		! grep -E '\.(o|a|so)|_test$|-uring|/host$' "$work/status" &&
		exits_with 0 "removed from $tree: " --remove "$tree" &&
		unchanged && untouched
}
check remove_leaves_the_tree_as_it_was removes
check what_make_left_is_ignored_and_removed [ ! -e "$tree/$lib" ]
check removed_again_there_is_nothing \
	exits_with 0 'there was nothing of ours' --remove "$tree"
check placed_and_removed_in_a_path_relative_to_here sh -c \
	'cd "$1" && "$2" . && "$2" --remove . && git status --porcelain |
	cmp - /dev/null' - "$tree" "$install"

keeps_theirs()
{
	placed_tree && echo mine >"$tree/$tool/notes" &&
		echo 'TARGETS += mine' >>"$tree/tools/testing/selftests/Makefile" &&
		exits_with 0 "left, not ours: $tool/notes" --remove "$tree" &&
		[ "$(git_tree status --porcelain --untracked-files=all | xargs)" = \
			"M tools/testing/selftests/Makefile ?? $tool/notes" ] &&
		[ "$(git_tree diff -U0 | grep '^[-+][^-+]')" = '+TARGETS += mine' ]
}
check remove_keeps_what_is_theirs keeps_theirs

# What is left of a directory once theirs is moved away: git shows nothing of it.
is_nobodys()
{
	make_tree && mkdir "$tree/$tool" &&
		exits_with 0 'there was nothing of ours' --remove "$tree" &&
		exits_with 0 'placed in' "$tree" &&
		[ -f "$tree/$tool/PLACED" ] &&
		exits_with 0 'removed from' --remove "$tree" && untouched &&
		[ ! -e "$tree/$tool" ]
}
check an_empty_directory_is_in_nobodys_way is_nobodys

says_where_not()
{
	make_tree && echo '# SAMPLES' >"$tree/samples/Kconfig" &&
		git_tree commit -qam other &&
		exits_with 0 'samples/Kconfig: not edited' "$tree" &&
		exits_with 0 'removed from' --remove "$tree" && unchanged
}
check a_file_that_is_quite_different_is_not_edited says_where_not

# A copy that lacks a source is not placed by halves.
refuses_half()
{
	local install=$work/copy/Kbuild-compat/install

	make_tree && mkdir "$work/copy" &&
		cp -R "$root"/{lib,tools,selftests,Kbuild-compat,README.md} \
			"$work/copy" && rm "$work/copy/selftests/stop_test.c"
	exits_with 1 'nothing was written' "$tree" && untouched
}
check sources_that_are_not_whole_are_not_placed refuses_half

finish
