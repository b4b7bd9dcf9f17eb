#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That the manual is what the header says: every function has a page and can be
# found by its name, with its prototype and its errnos, and its examples compile.
#	man.sh ROOT LIBRARY.so CC...
set -u
. "$(dirname "$0")/tap.sh"

root=$1
header=$root/lib/pidtrack.h
library=$2
shift 2

# Pages of section 3 in directory $1.
pages()
{
	printf '%s\n' "$1"/*.3
}

same()
{
	[ -s "$1" ] && diff -u "$1" "$2"
}

# ---- names ----

# "PAGE NAME" for each name that a page's first section has.
named()
{
	for page in $(pages "$1"); do
		awk -v page="$(basename "$page" .3)" '
		/^\.Sh / { inside = $2 == "NAME" }
		inside && $1 == ".Nm" { print page, $2 }' "$page"
	done | sort
}

# The same, as meson.build has them.
installed()
{
	awk -v quote="'" '
	/^pages = \{/ { inside = 1 }
	/^\}/ { inside = 0 }
	!inside { next }
	split($0, part, quote) < 2 { next }
	/: \[/ { page = part[2]; print page, page; next }
	{ print page, part[2] }' "$1/meson.build" | sort
}

names_are_installed()
{
	named "$1" >"$work/named"
	installed "$1" >"$work/installed"
	same "$work/named" "$work/installed"
}

pages_include_each_other()
{
	grep -qx '\.so man3/@page@\.3' "$1/name.3.in"
}

# ---- prototypes ----

# As "int f(int a,char *b)", one a line.
tidy()
{
	sed -E 's/[ \t]+/ /g; s/ ?([(),]) ?/\1/g; s/ ?(\*+) ?/ \1/g' |
		sed -E 's/^ //; s/ $//' | sort
}

declared()
{
	header_=$1
	shift
	"$@" -E -P "$header_" | tr '\n' ' ' | tr ';' '\n' |
		grep -E '[ *]pidtrack_[a-z0-9_]+ *\(' | tidy
}

written()
{
	pages "$1" | xargs awk '
	function words(line,   n, i, part, list) {
		# those in quotes, or between blanks
		list = ""
		n = split(line, part, "\"")
		for (i = 1; i <= n; i++) {
			if (i % 2 == 0)
				list = list (list ? "," : "") part[i]
			else if (part[i] !~ /^ *$/)
				list = list (list ? "," : "") part[i]
		}
		return list
	}
	/^\.Sh / { inside = $2 == "SYNOPSIS" }
	!inside { next }
	/^\.Ft / { type = $0; sub(/^\.Ft /, "", type); gsub(/"/, "", type) }
	/^\.Fn / {
		name = $2; sub(/^\.Fn [^ ]+ /, "")
		print type " " name "(" words($0) ")"
	}
	/^\.Fo / { name = $2; list = "" }
	/^\.Fa / {
		sub(/^\.Fa /, "")
		list = list (list ? "," : "") words($0)
	}
	/^\.Fc/ { print type " " name "(" list ")" }' | tidy
}

prototypes_are_the_same()
{
	written "$1" >"$work/written"
	same "$work/declared" "$work/written"
}

# ---- errnos and constants ----

# "FUNCTION ERRNO" for each errno that the comment before a function names.
promised()
{
	awk '
	/^$/ { n = 0; next }
	/^\/\*|^ \*/ {
		while (match($0, /-E[A-Z0-9]+/)) {
			found[++n] = substr($0, RSTART + 1, RLENGTH - 1)
			$0 = substr($0, RSTART + RLENGTH)
		}
		next
	}
	match($0, /pidtrack_[a-z0-9_]+\(/) {
		name = substr($0, RSTART, RLENGTH - 1)
		for (i = 1; i <= n; i++) print name, found[i]
	}' "$header" | sort -u
}

# "PAGE ERRNO" for each errno that a page names.
said()
{
	pages "$1" | xargs awk '
	/^\.(It Bq )?Er / {
		page = FILENAME; sub(/.*\//, "", page); sub(/\.3$/, "", page)
		for (i = 2; i <= NF; i++) print page, $i
	}' | sort -u
}

keeps_promises()
{
	promised >"$work/promised"
	named "$1" >"$work/named"
	# those of a function, as those of its page
	awk 'FNR == NR { page[$2] = $1; next } { print page[$1], $2 }' \
		"$work/named" "$work/promised" | sort -u >"$work/owed"
	said "$1" >"$work/said_errnos"
	[ -s "$work/owed" ] &&
		! comm -23 "$work/owed" "$work/said_errnos" | grep .
}

# What the header defines, less the word that guards it.
constants()
{
	grep -ohE '\bPIDTRACK_[A-Z0-9_]+' "$header" | grep -vE '_$|_H$' |
		sort -u
}

explains_constants()
{
	constants >"$work/constants"
	grep -ohE '\bPIDTRACK_[A-Z0-9_]+' "$1"/*.[37] | sort -u >"$work/explained"
	[ -s "$work/constants" ] &&
		! comm -23 "$work/constants" "$work/explained" | grep .
}

# Why a verdict is unproven, as the library and the tool say it.
reasons()
{
	{
		cat "$root"/lib/*.c "$root"/tools/*.c | tr -s '\n\t' ' ' |
			grep -oE -e 'UNPROVEN,( [a-z]+,| 0,)?( \.evidence = [A-Z_]+,)?( \.reason =)? "[^"]+"' \
				-e 'conclude_legacy\(it, [A-Za-z_]+, "[^"]+"' \
				-e '[( ]reason = "[^"]+"'
		sed -n '/^static const char \*reason_of(/,/^}/p' \
			"$root/lib/recover.c" | grep -o 'return ".*"'
	} | sed 's/[^"]*"\(.*\)"/\1/' | sort -u
}

explains_unproven()
{
	reasons >"$work/reasons"
	sed -n 's/^\.It //p' "$1/pidtrack.7" | sort -u >"$work/answers"
	[ "$(wc -l <"$work/reasons")" -gt 20 ] &&
		! comm -23 "$work/reasons" "$work/answers" | grep .
}

# ---- form ----

has_sections()
{
	for page in $(pages "$1"); do
		for line in '.Sh RETURN VALUES' '.Sh EXAMPLES' '.Sh ERRORS' \
			'.Sh HISTORY' '.Ss Threads' '.Ss Linux versions'; do
			grep -qxF "$line" "$page" || {
				echo "$page has no $line"
				return 1
			}
		done
	done
}

# Whether another page is there depends on what is installed; ours are looked at
# below.  What mandoc thinks of an index that is out of date it says as an error.
is_clean()
{
	! mandoc -T lint "$@" 2>/dev/null |
		grep -v ': referenced manual not found: ' | grep .
}

# That there is every page of ours that another, or the tool's, leads to.
leads_somewhere()
{
	{
		installed "$1" | awk '{ print $2, 3 }'
		printf 'pidtrack %s\n' 1 7
	} | sort -u >"$work/pages"
	sed -n 's/^\.Xr \(pidtrack[a-z_0-9]*\) \([0-9]\).*/\1 \2/p' \
		"$1"/*.[37] "$root/tools/pidtrack.1" | sort -u >"$work/led_to"
	[ -s "$work/led_to" ] && ! comm -13 "$work/pages" "$work/led_to" | grep .
}

# ---- examples ----

# Makes $1.1.c and so on of the literal blocks under EXAMPLES of page $2.
extract()
{
	awk -v file="$1" '
	/^\.Sh / { inside = $2 == "EXAMPLES" }
	inside && /^\.Bd -literal/ { n++; code = 1; next }
	/^\.Ed/ { code = 0 }
	code {
		gsub(/\\e/, "\\")
		gsub(/\\&/, "")
		print >(file "." n ".c")
	}' "$2"
}

# Each is a file as it stands: a program, or functions for one.
compiles()
{
	source=$1
	shift
	grep -q '^int main(' "$source" || set -- "$@" -shared -fPIC -Wl,-z,defs
	"$@" -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$root/lib" \
		-o "$work/example" "$source" "$library" \
		-Wl,--allow-shlib-undefined
}

examples_compile()
{
	directory=$1
	shift
	rm -rf "$work/examples"
	mkdir "$work/examples"
	for page in $(pages "$directory"); do
		name=$(basename "$page" .3)
		extract "$work/examples/$name" "$page"
		[ -f "$work/examples/$name.1.c" ] || {
			echo "$page has no example"
			return 1
		}
	done
	for source in "$work"/examples/*.c; do
		compiles "$source" "$@" || return 1
	done
}

man=$root/lib/man
declared "$header" "$@" >"$work/declared"

check every_name_is_installed names_are_installed "$man"
check other_names_are_pages_that_include_one pages_include_each_other "$man"
check every_prototype_is_that_of_the_header prototypes_are_the_same "$man"
check a_page_says_every_errno_of_the_header keeps_promises "$man"
check every_constant_is_explained explains_constants "$man"
check every_reason_for_unproven_is_explained explains_unproven "$man"
check every_page_has_its_sections has_sections "$man"
check every_reference_to_a_page_leads_there leads_somewhere "$man"
check every_page_has_an_example_that_compiles examples_compile "$man" "$@"
if command -v mandoc >/dev/null; then
	check the_pages_are_clean is_clean "$man"/*.[37] \
		"$root/tools/pidtrack.1"
else
	skip the_pages_are_clean "no mandoc"
fi

# The checks above find what they are for.
plant()
{
	rm -rf "$work/man"
	cp -R "$man" "$work/man"
	sed -i "$2" "$work/man/$1"
}

plant meson.build "/'pidtrack_wait',/d"
refuse a_planted_missing_name_is_found names_are_installed "$work/man"
plant pidtrack_next.3 's/int timeout_ms/long timeout/'
refuse a_planted_wrong_prototype_is_found prototypes_are_the_same "$work/man"
plant pidtrack_attach.3 '/Er ESTALE/d'
refuse a_planted_missing_errno_is_found keeps_promises "$work/man"
plant pidtrack_new.3 's/PIDTRACK_THREAD/PIDTRACK_THRED/'
sed -i s/PIDTRACK_THREAD/X/ "$work"/man/*.[37]
refuse a_planted_missing_constant_is_found explains_constants "$work/man"
plant pidtrack.7 '/^\.It the record has only a number/d'
refuse a_planted_reason_without_an_answer_is_found \
	explains_unproven "$work/man"
plant pidtrack_spawn.3 's/^\.Ss Threads/.Ss Treads/'
refuse a_planted_missing_section_is_found has_sections "$work/man"
plant pidtrack_new.3 's/^\.Xr pidtrack_spawn 3/.Xr pidtrack_spwan 3/'
refuse a_planted_reference_to_nothing_is_found leads_somewhere "$work/man"
for fault in 's/PIDTRACK_STOP_TREE |/PIDTRACK_STOP_TRE |/' \
	's/pidtrack_process_stop(shim,/pidtrack_process_stopp(shim,/' \
	's/struct pidtrack_process \*shim)/struct pidtrack *shim)/' \
	's/^\.Bd -literal -offset indent/.Bd -ragged/'; do
	plant pidtrack_process_stop.3 "$fault"
	find "$work/man" -name '*.3' ! -name pidtrack_process_stop.3 -delete
	refuse a_planted_fault_of_an_example_is_found \
		examples_compile "$work/man" "$@"
done
if command -v mandoc >/dev/null; then
	plant pidtrack.7 's/^\.Sh SEE ALSO/.Sx/'
	refuse a_planted_fault_of_form_is_found is_clean "$work"/man/*.[37]
fi

finish
