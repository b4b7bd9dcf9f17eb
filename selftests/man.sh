#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# That the manual is what the header says: every function has a page and can be
# found by its name, with its prototype and its errnos.
#	man.sh ROOT CC...
set -u
. "$(dirname "$0")/tap.sh"

root=$1
header=$root/lib/pidtrack.h
shift

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

# ---- form ----

has_sections()
{
	for page in $(pages "$1"); do
		for line in '.Sh RETURN VALUES' '.Sh ERRORS' '.Sh HISTORY' \
			'.Ss Threads' '.Ss Linux versions'; do
			grep -qxF "$line" "$page" || {
				echo "$page has no $line"
				return 1
			}
		done
	done
}

is_clean()
{
	! mandoc -T lint -W warning "$@" | grep .
}

man=$root/lib/man
declared "$header" "$@" >"$work/declared"

check every_name_is_installed names_are_installed "$man"
check other_names_are_pages_that_include_one pages_include_each_other "$man"
check every_prototype_is_that_of_the_header prototypes_are_the_same "$man"
check a_page_says_every_errno_of_the_header keeps_promises "$man"
check every_constant_is_explained explains_constants "$man"
check every_page_has_its_sections has_sections "$man"
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
plant pidtrack_spawn.3 's/^\.Ss Threads/.Ss Treads/'
refuse a_planted_missing_section_is_found has_sections "$work/man"
if command -v mandoc >/dev/null; then
	plant pidtrack.7 's/^\.Sh SEE ALSO/.Sx/'
	refuse a_planted_fault_of_form_is_found is_clean "$work"/man/*.[37]
fi

finish
