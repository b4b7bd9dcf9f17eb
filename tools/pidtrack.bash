# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
# Completion of pidtrack's words in bash, from what its --help says.

# The first words of the lines of help that begin with two blanks.
_pidtrack_words()
{
	"$1" "${@:2}" --help 2>/dev/null |
		sed -nE 's/^  (--)?([a-z][a-z-]*)( .*)?$/\1\2/p'
}

_pidtrack()
{
	local tool=$1 word=$2 before=$3 command=${COMP_WORDS[1]-}

	COMPREPLY=()
	if [[ $COMP_CWORD == 1 ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"help $(_pidtrack_words "$tool")" -- "$word")
	elif [[ $command == help ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_pidtrack_words "$tool" | grep -v ^-)" -- "$word")
	elif [[ $before =~ ^--(pin|cgroup|cwd)$ ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
	elif [[ $before == --require ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$("$tool" features 2>/dev/null |
				awk 'NR > 1 { print $1 }')" -- "$word")
	elif [[ $before == --steps ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"TERM:8s,KILL:2s INT:2s,TERM:8s,KILL:2s" -- "$word")
	elif [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_pidtrack_words "$tool" "$command")" -- "$word")
	elif [[ $command == run ]]; then
		mapfile -t COMPREPLY < <(compgen -c -f -- "$word" | sort -u)
	elif [[ $command == hold ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	elif [[ $command == list ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
	elif [[ $command =~ ^(watch|verify|wait|stop|fingerprint)$ ]]; then
		mapfile -t COMPREPLY < <(compgen -f -W \
			"$(cd /proc && echo [1-9]*)" -- "$word")
	fi
}

complete -F _pidtrack pidtrack
