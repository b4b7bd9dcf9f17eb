#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That README.md is true: its program compiles and does what it says, its
# commands can be pasted, its map has every file, its examples every option
# right, its table the features.
#
# PIDTRACK: the tool; PIDTRACK_SOURCES, PIDTRACK_BUILD: where the sources and
# the build are; CC and CFLAGS: how that was compiled.
set -u
. "$(dirname "$0")/tap.sh"

root=$PIDTRACK_SOURCES
readme=$root/README.md

# ---- the program ----

# Usage: block LANGUAGE N FILE: what stands in the Nth block of that language
block()
{
	awk -v fence='```'"$1" -v wanted="$2" '
	$0 == fence { inside = ++n == wanted; next }
	$0 == "```" { inside = 0 }
	inside' "$3"
}

# As README says it, against a build that is not installed.
export PKG_CONFIG_PATH="$PIDTRACK_BUILD/meson-uninstalled"

# Usage: compile NAME FLAG...
compile()
{
	compiled=$work/$1
	shift
	# shellcheck disable=SC2086 # words
	$CC ${CFLAGS-} -Wall -Wextra -Werror -std=c11 -o "$compiled" \
		"$work/host.c" "$@"
}

compile_shared()
{
	# shellcheck disable=SC2046 # words
	compile shared $(pkg-config --cflags --libs pidtrack) &&
		readelf -d "$work/shared" | grep -q 'NEEDED.*libpidtrack'
}

compile_static()
{
	# shellcheck disable=SC2046 # words
	compile static $(pkg-config --static --cflags --libs pidtrack |
		sed 's/-lpidtrack/-l:libpidtrack.a/') &&
		! readelf -d "$work/static" | grep 'NEEDED.*libpidtrack'
}

hosts_a_shim()
{
	LD_LIBRARY_PATH=$PIDTRACK_BUILD/lib "$work/$1" >"$work/printed" ||
		return 1
	cat "$work/printed"
	[ "$(cat "$work/printed")" = "web exited: status 0x300, waited" ]
}

# ---- what can be pasted ----

# A place as README has it: build/ with host.c in it, of which only what is made
# here is written, and a cc that makes what that was made with.  "sleep 1" is
# long enough however slow the machine is: it ends when pidtrack wait has a
# pidfd.
prepare_paste()
{
	paste=$work/paste
	mkdir -p "$paste/build" "$work/bin"
	ln -s "$PIDTRACK_BUILD"/* "$paste/build"
	rm -rf "$paste/build"/host* "$paste/build"/web.* \
		"$paste/build"/shims "$paste/build"/records "$paste/build"/pins
	cp "$work/host.c" "$work/host2.c" "$paste/build"
	cat >"$work/bin/cc" <<-END
	#!/bin/sh
	PATH='$PATH'
	exec $CC ${CFLAGS-} "\$@"
	END
	cat >"$work/bin/sleep" <<-END
	#!/bin/sh
	[ "\$1" = 1 ] || exec $(command -v sleep) "\$@"
	END
	cat >>"$work/bin/sleep" <<-'END'
	for try in $(seq 300); do
		# all at once: others may have thousands
		for process in $(grep -lszx wait /proc/[0-9]*/cmdline); do
			process=${process%/cmdline}
			[ "$(readlink "$process/cwd")" = "$PWD" ] &&
				readlink "$process"/fd/* | grep -q pidfd &&
				exit
		done 2>/dev/null
		"$0" 0.1
	done
	END
	chmod +x "$work/bin/cc" "$work/bin/sleep"
}

# Runs the Nth block of sh of a file, as somebody who pastes it, with the
# orphans coming to the shell.  Usage: pasted N FILE
pasted()
{
	block sh "$1" "$2" >"$work/commands"
	[ -s "$work/commands" ] || return 1
	# shellcheck disable=SC2086 # words
	(cd "$paste" && PATH=$work/bin:$PATH ${in_room-} python3 -c '
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
os.execvp("bash", ["bash", "-c", ". ../commands; wait"])' \
		</dev/null >"$work/pasted" 2>"$work/errors")
	cat "$work/pasted" "$work/errors"
	[ ! -s "$work/errors" ] && only_build_is_written
}

# What lies beside README would be taken for a part of the sources.
only_build_is_written()
{
	(cd "$paste" && echo *) >"$work/beside"
	cat "$work/beside"
	[ "$(cat "$work/beside")" = "build${sources_too-}" ]
}

# With each library the program prints what README says.
compiles_and_runs()
{
	pasted 3 "$readme" || return 1
	{ block text 1 "$readme"; block text 1 "$readme"; } |
		sort >"$work/expected"
	[ -s "$work/expected" ] && sort "$work/pasted" |
		diff "$work/expected" -
}

survives_its_host()
{
	# what it left there if it failed goes with the namespace
	in_room='unshare -m --propagation private' pasted 2 "$1" && shows '^web +(same|exited) ' \
		' reaped code 7 \(recovered\)$' '^7$' \
		'^web +exited .* code 7 +pruned web$' &&
		[ ! -e "$paste/build/pins" ]
}

is_taken_up()
{
	in_room='unshare -m --propagation private' pasted 4 "$1" &&
		shows '^web is (same|exited)$' \
			'^web: status 0x300, recovered$' &&
		[ ! -e "$paste/build/pins" ]
}

# Nothing is written beside their sources, either.
hosts_in_every_language()
{
	mkdir -p "$paste/selftests"
	cp -R "$root/selftests/users" "$paste/selftests"
	GOCACHE=$PIDTRACK_BUILD/selftests/users/go-cache
	export GOCACHE
	sources_too=' selftests'
	pasted 5 "$1" &&
		[ "$(grep -c '^web ended signal 15 waited$' \
			"$work/pasted")" = 4 ] &&
		diff -r "$root/selftests/users" "$paste/selftests/users"
	said=$?
	rm -r "$paste/selftests"
	unset sources_too
	return $said
}

has_every_language()
{
	for compiler in c++ go rustc; do
		command -v $compiler >/dev/null || {
			lacks=$compiler
			return 1
		}
	done
	[ -z "${CFLAGS-}" ] || {
		lacks="library without a sanitizer"
		return 1
	}
}

may_make_pins()
{
	[ "$(id -u)" = 0 ] && "$PIDTRACK" features --require pin \
		--require exit-info
}

# Usage: shows PATTERN..., each of a line of what was printed
shows()
{
	for pattern in "$@"; do
		grep -qE "$pattern" "$work/pasted" || {
			echo "no $pattern"
			return 1
		}
	done
}

shows_the_tool()
{
	pasted 6 "$1" || return 1
	shows '^/ 80$' '^3$' '^100$' ' same: ' '^{"schema":1,"event":"attached",' \
		'^web.record +same ' \
		'^build/shims/web.record same: ' '^{"schema":1,"event":"verified",.*"label":"web"' \
		'^build/shims/web.record gone: ' \
		' attached running ' ' (exited|reaped) signal SIGTERM ' \
		'^143$' ' gone: ' '^FEATURE ' '^at least the floor$'
}

shows_it_to_root()
{
	pasted 7 "$readme" && shows '^65534$' '^0::.*/box1$'
}

may_make_cgroups()
{
	[ "$(id -u)" = 0 ] || return 1
	cgroup=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
	[ -n "$cgroup" ] && mkdir "$cgroup/pidtrack-readme-test-$$" &&
		rmdir "$cgroup/pidtrack-readme-test-$$"
}

# ---- the map ----

# The files of directory $1, as the map in $2 has them.
mapped()
{
	awk -v wanted="$1/" '
	/^README.md  LICENSE/ { map = 1 }
	/^```/ { map = 0 }
	map && /^[^ ]/ { here = $1 }
	map && here == wanted && /^    / {
		sub(/^ +/, ""); sub(/  .*/, "")
		for (n = split($0, names, " "); n > 0; n--) {
			if (sub(/\.\[ch\]$/, "", names[n]))
				print names[n] ".c\n" names[n] ".h"
			else
				print names[n]
		}
	}' "$2" | sort
}

there()
{
	(cd "$root/$1" && for file in *; do
		[ ! -d "$file" ] || file=$file/
		echo "$file"
	done) | grep -vE '~$|\.orig$|\.rej$' | sort
}

maps()
{
	mapped "$1" "$2" >"$work/mapped"
	there "$1" >"$work/there"
	[ -s "$work/mapped" ] && diff -u "$work/there" "$work/mapped"
}

# ---- the examples ----

# A line for each command of the tool, and its options, in blocks of sh.
examples()
{
	awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 }
	inside' "$1" | sed 's/^ *#.*//' | grep -oE '(^|[ $(])pidtrack [a-z].*' |
		sed -E 's/^.?pidtrack //; s/ -- .*//; s/[|>)].*//'
}

is_accepted()
{
	command=$1
	shift
	"$PIDTRACK" "$command" --help >"$work/help" || return 1
	for word in "$@"; do
		case $word in
		--*)
			grep -qE "^  ${word%%=*}( |\$)" "$work/help" || {
				echo "pidtrack $command has no $word"
				return 1
			}
			;;
		esac
	done
}

are_accepted()
{
	examples "$1" >"$work/examples"
	[ -s "$work/examples" ] || return 1
	while read -r line; do
		# shellcheck disable=SC2086 # words
		is_accepted $line || return 1
	done <"$work/examples"
}

shows_every_command()
{
	"$PIDTRACK" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' |
		sort >"$work/commands"
	examples "$readme" | cut -d' ' -f1 | sort -u |
		diff -u "$work/commands" -
}

# ---- the table ----

tool_features()
{
	"$PIDTRACK" features | awk 'NR > 1 { print $3, $1 }' | sort
}

table_features()
{
	sed -n 's/^| \([a-z0-9.]*\) | `\([a-z0-9-]*\)` |.*/\1 \2/p' "$1" | sort
}

has_features()
{
	tool_features >"$work/tool"
	table_features "$1" >"$work/table"
	[ -s "$work/tool" ] && diff -u "$work/tool" "$work/table"
}

block c 1 "$readme" >"$work/host.c"
block c 2 "$readme" >"$work/host2.c"
check the_program_compiles_with_the_shared_library compile_shared
check the_program_compiles_with_the_static_library compile_static
for name in shared static; do
	check "the_${name}_program_prints_the_exit" hosts_a_shim $name
done

prepare_paste
check the_program_is_made_by_what_can_be_pasted compiles_and_runs
if has_every_language; then
	check what_shows_other_languages_can_be_pasted \
		hosts_in_every_language "$readme"
else
	skip what_shows_other_languages_can_be_pasted "no $lacks"
fi
if "$PIDTRACK" features --require exit-info >"$work/said"; then
	check what_shows_the_tool_can_be_pasted shows_the_tool "$readme"
else
	skip what_shows_the_tool_can_be_pasted \
		"no statuses of others' children, Linux < 6.15"
fi
if may_make_pins >"$work/said" 2>&1; then
	check what_kills_the_host_can_be_pasted survives_its_host "$readme"
	check a_program_that_is_killed_takes_up_what_it_had is_taken_up "$readme"
else
	skip what_kills_the_host_can_be_pasted "no pins, or no exit info"
	skip a_program_that_is_killed_takes_up_what_it_had \
		"no pins, or no exit info"
fi
# One at a time, of all who run this on the machine: its cgroup has one name.
in_turn()
{
	flock -w 60 9 && "$@" 9<&-
}

if may_make_cgroups >"$work/said" 2>&1; then
	check what_shows_it_to_root_can_be_pasted in_turn shows_it_to_root \
		9<"$readme"
else
	skip what_shows_it_to_root_can_be_pasted "no right to make a cgroup"
fi

check the_map_has_every_file_of_lib maps lib "$readme"
check the_map_has_every_file_of_tools maps tools "$readme"
check the_tool_accepts_every_example are_accepted "$readme"
check there_is_an_example_of_every_command shows_every_command
check the_table_has_every_feature_and_its_version has_features "$readme"

# The checks above find what they are for.
plant()
{
	sed "$1" "$readme" >"$work/planted"
}

plant '/^    procfs\./d'
refuse a_planted_gap_of_the_map_is_found maps lib "$work/planted"
plant 's/^    json\./    yaml./'
refuse a_planted_stranger_in_the_map_is_found maps tools "$work/planted"
plant 's/ --detach / --depart /'
refuse a_planted_wrong_option_is_found are_accepted "$work/planted"
plant 's/^pidtrack features$/pidtrack futures/'
refuse a_planted_wrong_command_is_found are_accepted "$work/planted"
plant 's/--require pidfd-wait/--require pidfd-wit/'
refuse a_planted_command_that_fails_is_found shows_the_tool "$work/planted"
if may_make_pins >"$work/said" 2>&1; then
	plant 's/exit 7/exit 8/'
	refuse a_planted_other_status_is_found survives_its_host "$work/planted"
fi
plant '/^| 6.9 /s/6\.9/6.8/'
refuse a_planted_wrong_version_is_found has_features "$work/planted"

finish
