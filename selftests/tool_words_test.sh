#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# That what is said of the tool's words elsewhere, in the manual and by the
# completions of shells, is what --help says; see tool.bash.

. "$(dirname "$0")/tool.bash"

TOOLS=$(dirname "$SELF")/../tools
PATH=$(dirname "$PIDTRACK"):$PATH

# The commands and options that --help lists, in the order of sort.
commands() {
	"$PIDTRACK" --help | sed -nE '/^Commands:/,/^$/s/^  ([a-z]+) .*/\1/p' |
		sort
}

options() {
	"$PIDTRACK" "$1" --help | grep -oE '^  --[a-z-]+' | tr -d ' ' | sort
}

# Usage: same EXPECTED FILE, in the order of sort
same() {
	[[ -s $1 ]] && diff "$1" <(sort -u "$2") >&2
}

# ---- the manual ----

need_manual() {
	[[ -r $TOOLS/pidtrack.1 ]] || skip "no manual beside the test"
}

# The options that the page has in the section of command $1, or of all.
explained() {
	awk -v wanted="$1" '
	/^\.S[hs] / { inside = $0 == ".Ss pidtrack " wanted }
	/^\.Sh DESCRIPTION/ { inside = wanted == "" }
	inside && /^\.It Fl Fl / { print "--" $4 }' "$2" | sort -u
}

test_the_manual_explains_the_options_of_help_and_no_others() {
	local command page=${1-$TOOLS/pidtrack.1}

	need_manual
	explained '' "$page" >common
	for command in $(commands); do
		options "$command" >help
		explained "$command" "$page" >own
		comm -23 help <(sort -u own common) >missing
		comm -13 help own >besides
		[[ -s help && ! -s missing && ! -s besides ]] ||
			die "$command: $(<missing) not explained, $(<besides) no more"
	done
}

# "COMMAND --OPTION" for each of the synopsis; "COMMAND" for each command there.
in_synopsis() {
	awk '
	/^\.Sh / { inside = $2 == "SYNOPSIS" }
	!inside { next }
	/^\.Nm/ { command = "" }
	/^\.Cm / { command = $2; print command }
	/^\.Op Ar option / { print command, "all" }
	/^\.Op Fl Fl / { print command, "--" $4 }' "$1" | sort -u
}

test_the_synopsis_has_every_command_and_option() {
	local command page=${1-$TOOLS/pidtrack.1}

	need_manual
	in_synopsis "$page" >synopsis
	for command in $(commands); do
		if grep -qx "$command all" synopsis; then
			printf '%s\n' "$command" "$command all"
		else
			echo "$command"
			options "$command" | grep -v -e --help | sed "s/^/$command /"
		fi
	done | sort >help
	diff help <(grep -v -e '^help' synopsis) >&2 || die "another synopsis"
}

test_planted_faults_of_the_manual_are_found() {
	local page=$TOOLS/pidtrack.1 fault

	need_manual
	for fault in '/^\.It Fl Fl timeout/s/timeout/timeouts/' \
		'/^\.It Fl Fl strict/d'; do
		sed "$fault" "$page" >planted
		! (test_the_manual_explains_the_options_of_help_and_no_others \
			planted) 2>/dev/null || die "not found: $fault"
	done
	for fault in '/^\.Op Fl Fl prune/d' '/^\.Cm hold$/,/^\.Ar/d' \
		'/^\.Op Fl Fl max/s/max/most/'; do
		sed "$fault" "$page" >planted
		! (test_the_synopsis_has_every_command_and_option planted) \
			2>/dev/null || die "not found: $fault"
	done
}

# ---- bash ----

need_completion() {
	completion=$TOOLS/pidtrack.$1
	[[ -r $completion ]] || skip "no completion beside the test"
	command -v "$1" >/dev/null || skip "no $1"
}

# What bash would complete: completes LAST WORD BEFORE... (the words before it)
completes() {
	local words=("$PIDTRACK" "${@:2}" "$1")

	# shellcheck disable=SC2034
	COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
	_pidtrack "$PIDTRACK" "$1" "${words[-2]}"
	out=$(printf '%s ' "${COMPREPLY[@]}")
}

load_in_bash() {
	need_completion bash
	# shellcheck disable=SC1090
	. "$completion" || die "it is no bash"
}

test_bash_completes_what_help_lists() {
	local command

	load_in_bash
	completes ''
	tr ' ' '\n' <<<"${out% }" >completed
	{ commands; printf '%s\n' help --help --version; } | sort >help
	same help completed || die "other commands"
	for command in $(commands); do
		completes -- "$command"
		tr ' ' '\n' <<<"${out% }" >completed
		options "$command" >help
		same help completed || die "other options of $command"
	done
}

test_bash_completes_what_a_word_stands_for() {
	load_in_bash
	completes --s stop
	out_is '--steps '
	completes TERM:8s, stop --steps
	out_is 'TERM:8s,KILL:2s '
	completes $$ stop
	out_matches "(^| )$$ "
	completes wa
	out_is 'wait watch '
	completes f help
	out_is 'features fingerprint '
	completes --re run
	out_is '--record --record-sync '
	completes exit features --require
	out_is 'exit-info '
	completes $$ watch
	out_matches "(^| )$$ "
	touch a.record
	completes a.rec wait
	out_is 'a.record '
	mkdir a.directory
	completes a. list
	out_is 'a.directory '
	completes a.rec verify
	out_is 'a.record '
	completes tru run --
	out_matches '(^| )true '
}

test_bash_knows_whose_word_it_is() {
	load_in_bash
	touch a.record
	completes a.rec run --record
	out_is 'a.record '
	completes a.rec run --record '='
	out_is 'a.record '
	completes '=' run --record
	out_matches '(^| )a.record '
	completes a run --label
	out_is ' '
	completes -- run --label a true
	out_is ' '
	completes a.r run --record '=' x true
	out_is 'a.record '
	completes -- wait -- a
	out_is ' '
	completes '' nosuch
	out_is ' '
}

# completes_what_help_lists SHELL: by SHELL_completes, "N WORD" a line for each
# of its arguments.
completes_what_help_lists() {
	local lines=('pidtrack ' 'pidtrack --') command n=2

	need_completion "$1"
	"$1" -n "$completion" || die "it is no $1"
	for command in $(commands); do
		lines+=("pidtrack $command --")
	done
	"$1_completes" "${lines[@]}" >all
	# it offers options without being asked for them
	[[ $1 != fish ]] || sed -i '/^1 --/d' all
	{ commands; echo help; } | sort >help
	sed -n 's/^1 //p' all >words
	same help words || die "other commands"
	printf '%s\n' --help --version >help
	sed -n 's/^2 //p' all >words
	same help words || die "other options without a command"
	for command in $(commands); do
		n=$((n + 1))
		options "$command" >help
		sed -nE "s/^$n (.+)/\1/p" all >words
		same help words || die "other options of $command"
	done
}

# ---- zsh ----

# A shell on a terminal of its own, where each argument is typed, and then the
# key that completes.  Prints "N WORD" for each word that could be what the Nth
# line goes on with.
zsh_completes() {
	mkdir -p functions
	cp "$completion" functions/_pidtrack
	cat >rc <<-'END'
	PROMPT=
	fpath=($PWD/functions $fpath)
	autoload -Uz compinit
	compinit -D -u
	unsetopt autolist
	compadd() {
		local -a hits
		if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
			builtin compadd -A hits "$@"
			printf "$typed %s\n" $hits >>completed
		fi
		builtin compadd "$@"
	}
	complete-and-tell() {
		(( typed++ ))
		zle complete-word
		print '<told>'
	}
	zle -N complete-and-tell
	bindkey '^I' complete-and-tell
	END
	cat >typist <<-'END'
	zmodload zsh/zpty
	zpty it zsh -f -i
	zpty -w it '. ./rc; print "<"ready">"'
	zpty -r it said '*<ready>*'
	for line in "$@"; do
		zpty -w -n it $'\C-u'"$line"$'\t'
		zpty -r it said '*<told>*'
	done
	END
	: >completed
	zsh -f typist "$@"
	sort -u completed | grep ' .'
}

test_zsh_completes_what_help_lists() {
	completes_what_help_lists zsh
}

test_zsh_completes_what_a_word_stands_for() {
	need_completion zsh
	touch a.record
	mkdir a.directory
	zsh_completes 'pidtrack verify a.r' 'pidtrack list a.' \
		'pidtrack features --require exit' 'pidtrack run --record=a.r' \
		'pidtrack run --label x fals' 'pidtrack help wai' \
		'pidtrack stop --steps TE' 'pidtrack run -- ls a.r' \
		'pidtrack nosuch --' >all
	diff - all >&2 <<-'END' || die "other words"
	1 a.record
	2 a.directory
	3 exit-info
	4 a.record
	5 false
	6 wait
	7 TERM:8s,KILL:2s
	8 a.record
	END
}

# ---- fish ----

# As zsh_completes.
# shellcheck disable=SC2016 # fish's
fish_completes() {
	mkdir -p home
	HOME=$PWD/home XDG_DATA_HOME=$PWD/home XDG_CONFIG_HOME=$PWD/home \
		fish --no-config -c '
	source $argv[1]
	for n in (seq 2 (count $argv))
		complete -C $argv[$n] |
			string replace -r "^([^\t]*).*" (math $n - 1)" \$1"
	end' "$completion" "$@" | sort -u
}

test_fish_completes_what_help_lists() {
	completes_what_help_lists fish
}

test_fish_completes_what_a_word_stands_for() {
	need_completion fish
	touch a.record
	mkdir a.directory
	fish_completes 'pidtrack verify a.r' 'pidtrack list a.' \
		'pidtrack features --require exit' 'pidtrack run --record=a.r' \
		'pidtrack run --label x /bin/fals' 'pidtrack help wai' \
		'pidtrack stop --steps TE' 'pidtrack run -- ls a.r' \
		'pidtrack nosuch --' "$PIDTRACK wai" >all
	diff - all >&2 <<-'END' || die "other words"
	1 a.record
	10 wait
	2 a.directory/
	3 exit-info
	4 --record=a.record
	5 /bin/false
	6 wait
	7 TERM:8s,KILL:2s
	8 a.record
	END
}

run_tests "$@"
