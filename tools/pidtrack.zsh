#compdef pidtrack
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# Completion of pidtrack's words in zsh, from what its --help says; see
# pidtrack.bash.

# The commands, and what each does.
_pidtrack_commands()
{
	local -a commands

	commands=(${(f)"$(_call_program commands $tool --help 2>/dev/null |
		sed -nE 's/^  ([a-z]+) +(.*)/\1:\2/p')"})
	_describe -t commands command commands "$@"
}

_pidtrack_processes()
{
	_alternative 'processes:process:_pids' 'files:record or pin:_files'
}

_pidtrack_features()
{
	local -a features

	features=($(_call_program features $tool features 2>/dev/null |
		awk 'NR > 1 { print $1 }'))
	_describe -t features feature features
}

_pidtrack_steps()
{
	local -a steps=('TERM\:8s,KILL\:2s' 'INT\:2s,TERM\:8s,KILL\:2s')

	_describe -t steps steps steps
}

# Sets $reply to what completes a value that help calls $1.
_pidtrack_action()
{
	case $1 in
	*PROCESS*)	reply=_pidtrack_processes ;;
	DIR*)		reply='_files -/' ;;
	*FILE*|SOCKET)	reply=_files ;;
	NAME)		reply=_pidtrack_features ;;
	STEPS)		reply=_pidtrack_steps ;;
	*)		reply=' ' ;;
	esac
}

# Sets $specs to the options and operands of a command, as _arguments has them.
_pidtrack_specs()
{
	local line name value text reply
	local -a match mbegin mend

	specs=()
	for line in ${(f)"$(_call_program options $tool $1 --help 2>/dev/null)"}
	do
		if [[ $line =~ '^  (--[a-z-]+)( ([^ ]+))?(  +(.*))?$' ]]; then
			name=$match[1] value=${match[3]//:/\\:}
			text=${${match[5]//\[/\\[}//\]/\\]}
			_pidtrack_action $match[3]
			if [[ -n $value ]]; then
				specs+=("*${name}=[$text]:$value:$reply")
			else
				specs+=("${name}[$text]")
			fi
		elif [[ $line =~ '^Usage: .*\[OPTION\]\.\.\. ?(.*)$' ]]; then
			_pidtrack_action $match[1]
			case $match[1] in
			*CMD*)	specs+=('(-):command: _command_names -e'
				'*:: : _normal') ;;
			*...)	specs+=("*: :$reply") ;;
			?*)	specs+=(": :$reply") ;;
			esac
		fi
	done
}

_pidtrack()
{
	local tool=$words[1] curcontext=$curcontext state
	local -a line specs
	local -A opt_args

	_arguments -C '(- *)'{-h,--help}'[what there is]' \
		'(- *)--version[that of the library]' \
		': :->command' '*:: :->rest' && return
	case $state in
	command)
		local -a help=('help:What there is')

		_pidtrack_commands -- help ;;
	rest)
		if [[ $words[1] == help ]]; then
			(( CURRENT > 2 )) || _pidtrack_commands
			return
		fi
		curcontext=${curcontext%:*}-$words[1]:
		_pidtrack_specs $words[1]
		(( $#specs )) && _arguments -S $specs ;;
	esac
}

_pidtrack "$@"
