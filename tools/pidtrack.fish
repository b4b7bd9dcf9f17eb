# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# Completion of pidtrack's words in fish, from what its --help says; see
# pidtrack.bash.

# The words before the one that is completed, the tool's own excepted.
function __pidtrack_before
    set -l words (commandline -opc)
    set -q words[2]
    and printf '%s\n' $words[2..]
end

function __pidtrack_help
    set -l words (commandline -opc)
    command -q $words[1]
    and $words[1] $argv --help 2>/dev/null
end

# A word and what it means, a line each.
function __pidtrack_commands
    __pidtrack_help | string replace -rf '^  ([a-z]+) +(.*)' '$1\t$2'
end

# What help calls the value of option $argv[2]; nothing if it takes none.
function __pidtrack_value
    __pidtrack_help $argv[1] |
        string replace -rf "^  $argv[2] (\S+).*" '$1'
end

# What help calls $argv[1], for a word that begins so.
function __pidtrack_kind
    switch $argv[1]
        case '*PROCESS*'
            __fish_complete_pids
            __fish_complete_path $argv[2]
        case 'DIR*'
            __fish_complete_directories $argv[2]
        case '*FILE*' SOCKET
            __fish_complete_path $argv[2]
        case NAME
            set -l words (commandline -opc)
            $words[1] features 2>/dev/null |
                string replace -rf '^([a-z][a-z0-9-]*) .*' '$1'
        case STEPS
            printf '%s\n' TERM:8s,KILL:2s INT:2s,TERM:8s,KILL:2s
    end
end

# The number of words up to an operand, with the tool's own; 0 if there is none.
function __pidtrack_operand
    set -l words (commandline -opc)
    set -l i 3
    while test $i -le (count $words)
        switch $words[$i]
            case --
                math $i + 1
                return
            case '--*=*'
            case '-*'
                test -z "$(__pidtrack_value $words[2] $words[$i])"
                or set i (math $i + 1)
            case '*'
                echo $i
                return
        end
        set i (math $i + 1)
    end
    echo 0
end

# The words of what run launches are that command's own.
function __pidtrack_launched
    set -l first (__pidtrack_operand)
    set -l words (commandline -opc) (commandline -ct)
    if test $first -eq 0 -o $first -eq (count $words)
        __fish_complete_command
        __fish_complete_path (commandline -ct)
    else
        complete -C (string join ' ' -- (string escape -- $words[$first..-2]) \
            $words[-1])
    end
end

# Options, or the value of one, in $argv[2], of command $argv[1].
function __pidtrack_options
    set -l option (string match -r '^(--[a-z-]+)=(.*)' -- $argv[2])
    if set -q option[1]
        __pidtrack_kind "$(__pidtrack_value $argv[1] $option[2])" $option[3] |
            string replace -r '^' -- "$option[2]="
    else
        __pidtrack_help $argv[1] |
            string replace -rf '^  (--[a-z-]+)(?: \S+)?(?:  +(.*))?$' '$1\t$2'
    end
end

function __pidtrack
    set -l before (__pidtrack_before)
    set -l word (commandline -ct)
    set -l command $before[1]
    if not set -q before[1]
        __pidtrack_commands
        printf '%s\t%s\n' help 'What there is' --help 'What there is' \
            --version 'That of the library'
        return
    else if test $command = help
        set -q before[2]
        or __pidtrack_commands
        return
    end

    set -l operands (__pidtrack_help $command |
        string replace -rf '^Usage: .*\[OPTION\]\.\.\. ?(.*)' '$1')
    set -l value
    string match -qr '^--.' -- $before[-1]
    and not string match -q -- '*=*' $before[-1]
    and set value (__pidtrack_value $command $before[-1])
    if string match -q '*CMD*' -- $operands
        and test (__pidtrack_operand) -gt 0
        __pidtrack_launched
    else if set -q value[1]
        __pidtrack_kind $value $word
    else if string match -q -- '-*' $word
        and not contains -- -- $before
        __pidtrack_options $command $word
    else if string match -q '*CMD*' -- $operands
        __pidtrack_launched
    else
        __pidtrack_kind "$operands" $word
    end
end

complete -c pidtrack -f -a '(__pidtrack)'
