# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
# Completion of pidtrack's words in bash, from what its --help says: a command
# or an option that it has is completed, and what it calls DIR is a directory.

# The first words of the lines of help that begin with two blanks.
_pidtrack_words()
{
	"$1" "${@:2}" --help 2>/dev/null |
		sed -nE 's/^  (--)?([a-z][a-z-]*)( .*)?$/\1\2/p'
}

# What option $3 of command $2 takes, in help's word; none if it takes nothing.
_pidtrack_value()
{
	"$1" "$2" --help 2>/dev/null | sed -nE "s/^  $3 ([^ ]+).*/\1/p"
}

# The operands of command $2, in help's words.
_pidtrack_operands()
{
	"$1" "$2" --help 2>/dev/null |
		sed -nE 's/^Usage: .*\[OPTION\]\.\.\. ?//p'
}

# Usage: _pidtrack_reply WORD COMPGEN'S OPTION...
_pidtrack_reply()
{
	mapfile -t COMPREPLY < <(compgen "${@:2}" -- "$1" | sort -u)
}

# The same, where names of files are among them, whose blanks need a backslash.
_pidtrack_reply_files()
{
	compopt -o filenames 2>/dev/null
	_pidtrack_reply "$@"
}

# For word $2, what help calls $3.
_pidtrack_kind()
{
	case $3 in
	*PROCESS*)
		_pidtrack_reply_files "$2" -f -W "$(cd /proc && echo [1-9]*)" ;;
	*CMD*)
		_pidtrack_reply_files "$2" -c -f ;;
	DIR*)
		_pidtrack_reply_files "$2" -d ;;
	*FILE* | SOCKET)
		_pidtrack_reply_files "$2" -f ;;
	NAME)
		_pidtrack_reply "$2" -W "$("$1" features 2>/dev/null |
			awk 'NR > 1 { print $1 }')" ;;
	STEPS)
		_pidtrack_reply "$2" -W \
			"TERM:8s,KILL:2s INT:2s,TERM:8s,KILL:2s" ;;
	esac
}

# Sets the caller's $first to the index of the first operand, or of the word
# that is completed.
_pidtrack_find_operand()
{
	for ((first = 2; first < COMP_CWORD; first++)); do
		case ${COMP_WORDS[first]} in
		--)
			first=$((first + 1))
			return ;;
		-*)
			# bash makes three words of --option=value
			if [[ ${COMP_WORDS[first + 1]} == '=' ]]; then
				first=$((first + 2))
			elif [[ -n $(_pidtrack_value "$1" "$2" \
				"${COMP_WORDS[first]}") ]]; then
				first=$((first + 1))
			fi ;;
		*)
			return ;;
		esac
	done
}

# The words of what run launches are that command's own.
_pidtrack_passed_on()
{
	local first

	_pidtrack_find_operand "$1" "$3"
	[[ $first -lt $COMP_CWORD && $4 == *CMD* ]] || return 1
	if declare -F _command_offset >/dev/null; then
		_command_offset "$first"
	else
		_pidtrack_reply_files "$2" -f
	fi
}

_pidtrack()
{
	local tool=$1 word=$2 before=$3 command=${COMP_WORDS[1]-}
	local operands value

	COMPREPLY=()
	if [[ $COMP_CWORD == 1 ]]; then
		_pidtrack_reply "$word" -W "help $(_pidtrack_words "$tool")"
		return
	elif [[ $command == help ]]; then
		_pidtrack_reply "$word" -W \
			"$(_pidtrack_words "$tool" | grep -v ^-)"
		return
	fi

	operands=$(_pidtrack_operands "$tool" "$command")
	_pidtrack_passed_on "$tool" "$word" "$command" "$operands" && return
	if [[ $before == '=' ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	elif [[ $word == '=' ]]; then
		word=
	fi
	[[ $before != --?* ]] ||
		value=$(_pidtrack_value "$tool" "$command" "$before")
	if [[ -n ${value-} ]]; then
		_pidtrack_kind "$tool" "$word" "$value"
	elif [[ $word == -* && " ${COMP_WORDS[*]:0:COMP_CWORD} " != *" -- "* ]]; then
		_pidtrack_reply "$word" -W "$(_pidtrack_words "$tool" "$command")"
	else
		_pidtrack_kind "$tool" "$word" "$operands"
	fi
}

complete -F _pidtrack pidtrack
