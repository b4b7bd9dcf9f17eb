#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The tool, sentence by sentence; see tool.bash.

. "$(dirname "$0")/tool.bash"

# ---- the command line ----

COMMANDS='run watch list verify wait stop fingerprint hold features'

test_without_a_command_it_lists_them() {
	usage --- 'which command? run, watch, list, verify, wait, stop, fingerprint, hold, features'
	err_says "see 'pidtrack --help'"
}

test_an_unknown_command_is_told_what_there_is() {
	usage frobnicate --- "no command 'frobnicate'; there are run, watch"
	usage wach 1 --- "did you mean 'watch'?"
	usage "" --- "no command ''"
	usage --frob --- "no option '--frob' before a command"
	usage -- --- "no option '--'"
}

test_version_is_one_line() {
	pt --version
	code_is 0
	out_matches '^pidtrack [0-9]+\.[0-9]+\.[0-9]+$'
}

test_help_names_every_command() {
	local flag command

	for flag in --help -h; do
		pt $flag
		code_is 0
		silent
		for command in $COMMANDS; do
			out_matches "$NL  $command "
		done
	done
}

test_each_command_has_help() {
	local command flag

	for command in $COMMANDS; do
		for flag in --help -h; do
			pt $command $flag
			code_is 0
			silent
			out_matches "^Usage: pidtrack $command "
			out_matches "$NL  --help "
			out_matches "${NL}Exits with |${NL}Exits as "
		done
	done
	pt run --label x --help
	code_is 0
	out_matches '^Usage: pidtrack run '
}

test_help_can_be_asked_for_in_words() {
	local command word

	for command in "" $COMMANDS; do
		# shellcheck disable=SC2086
		pt $command --help
		cp out asked
		# shellcheck disable=SC2086
		pt help $command
		code_is 0
		silent
		cmp out asked || die "another text"
	done
	pt --help
	cp out asked
	for word in help --help -h; do
		pt help $word
		code_is 0
		cmp out asked || die "another text"
	done
	usage hlep --- "did you mean 'help'?"
	usage help wach --- "no command 'wach'; did you mean 'watch'?"
	usage help run wait --- 'help for one command at a time, not 2'
}

test_no_line_of_help_is_wider_than_a_terminal() {
	local command

	for command in "" $COMMANDS; do
		# shellcheck disable=SC2086
		pt $command --help
		out_matches .
		! grep -q '.\{81\}' out || die "a line is too wide"
	done
}

test_the_manual_is_clean() {
	need_manual
	command -v mandoc >/dev/null || skip "no mandoc"
	mandoc -T lint -W warning "$MANUAL" || die "mandoc complains"
}

# Whether the manual has a line like $out, whatever the numbers are.
in_the_manual() {
	need_manual
	sed -E 's/[0-9]+/N/g' "$MANUAL" |
		grep -qxF -- "$(sed -E 's/[0-9]+/N/g' <<<"$out")" ||
		die "the manual shows something else"
}

test_the_manual_shows_what_is_printed() {
	need_exit_info
	need_inodes
	hold_zombie
	begin_wait $pid
	release
	out=$(cat <&8)
	waited
	in_the_manual
	"$PIDTRACK" features --require handle >/dev/null ||
		skip "no processes by inode alone, Linux < 6.14"
	"$PIDTRACK" fingerprint $$ >yesterday
	pt verify yesterday
	in_the_manual
}

test_an_unknown_option_is_told_the_nearest() {
	usage run --detatch true --- "no option '--detatch'; did you mean '--detach'? See 'pidtrack run --help'"
	usage run --recrd=x true --- "did you mean '--record'?"
	usage watch --jsn 1 --- "did you mean '--json'?"
	usage wait --time 1 1 --- "no option '--time'; did you mean '--timeout'?"
	usage features --xyzzy --- "no option '--xyzzy'; see 'pidtrack features --help'"
	usage watch -x 1 --- "no option '-x'"
	usage watch --=x 1 --- "no option '--'"
}

test_an_option_without_its_value_says_what_it_wants() {
	usage run --label --- '--label wants a value: --label TEXT'
	usage run --label= true --- '--label wants a value'
	usage run --label '' true --- '--label wants a value'
	usage wait 1 --timeout --- '--timeout wants a value: --timeout DURATION'
	usage watch --json=yes 1 --- '--json takes no value'
	usage run --help=yes --- '--help takes no value'
	usage run --help= true --- '--help takes no value'
}

test_two_dashes_end_options() {
	usage watch -- -1x --- "'-1x' is no process"
	pt run -- "$SHIM" exit 3
	code_is 3
	pt run "$SHIM" argv -- --json --help
	code_is 126
	out_matches '\[--json\] \[--help\]'
}

test_options_may_follow_a_process() {
	pt fingerprint $$ --json
	code_is 0
	json
	pt wait $$ --timeout 0
	code_is 1
	err_says 'not in time'
}

test_nothing_to_do_is_a_usage_error() {
	usage run --- 'which command?'
	usage run -- --- 'which command?'
	usage run --detach --- 'which command?'
	usage watch --- \
		'which PROCESS or DIR? PID, PID:INODE, a record file or a pin, or a directory of such'
	usage wait --- 'which PROCESS?'
	usage verify --- 'which PROCESS? PID, PID:INODE, a record file or a pin'
	usage fingerprint --- 'which PROCESS?'
	usage fingerprint 1 1 --- 'one PROCESS at a time, not 2'
	usage features clone3 --- '--require NAME'
}

test_a_process_is_named_by_strict_numbers() {
	local name

	for name in 0 -1 -5 +7 07x 1x ' 1' '1 ' 0x1 2147483648 \
		99999999999999999999999 1.5 '' ' ' -; do
		usage watch "$name" --- 'PID from 1 to 2147483647'
		usage fingerprint "$name" --- 'PID, PID:INODE, a record file or a pin'
	done
	for name in 1: 1:0 1:x 1:-1 1:+1 1:1:1 1:18446744073709551616; do
		usage wait "$name" --- 'from 1 to 18446744073709551615'
	done
}

test_what_is_neither_a_number_nor_a_file_is_told_what_there_is() {
	local name

	for name in x nonsense a.record ./1 1/2 /nonexistent; do
		pt watch -- "$name"
		code_is 4
		err_says "watch: '$name': no such file or directory; a PROCESS is PID, PID:INODE, a record file or a pin"
	done
	# a number is never a file, unless by its directory
	echo 2147483647 >./2147483646
	pt watch 2147483646
	code_is 1
	err_says 'no process has the pid 2147483646'
	pt watch ./2147483646
	code_is 1
	err_says "'./2147483646': gone, no process has its number"
	mv 2147483646 1x
	pt watch 1x
	code_is 1
	err_says "'1x': gone, "
}

test_a_wrong_name_among_right_ones_stops_all() {
	usage watch $$ 1x --- "'1x' is no process"
	usage wait $$ 0 --- "'0' is no process"
}

test_errors_stay_one_line_whatever_is_named() {
	usage watch "1$NL${ESC}[31mred" --- "'1??[31mred' is no process"
	usage "x${NL}y" --- "no command 'x?y'"
	usage watch "1$(printf 'x%.0s' {1..5000})" --- "xxxx"
	pt watch "x${NL}y"
	code_is 4
	err_says "'x?y': no such file"
	pt run "/nonexistent$NL${ESC}[1m"
	code_is 127
	err_says "'/nonexistent??[1m'"
}

# ---- run ----

# Waits for the signals of its arguments, one each, without missing any; then
# exits with the first argument.
CATCHER='
import signal, sys
code, *signals = map(int, sys.argv[1:])
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print("ready", flush=True)
for _ in signals:
    print("caught", int(signal.sigwait(signals)), flush=True)
sys.exit(code)'

test_run_passes_the_code_on() {
	local n

	for n in 0 1 2 3 4 42 126 127 128 255; do
		pt run "$SHIM" exit $n
		code_is $n
		silent
	done
}

test_run_passes_a_signal_on_as_a_shell_does() {
	ulimit -c 0
	pt run "$SHIM" kill KILL
	code_is 137
	silent
	pt run "$SHIM" kill TERM
	code_is 143
	pt run "$SHIM" kill SEGV
	code_is 139
	pt run "$SHIM" kill 64
	code_is 192
}

test_run_passes_stdio_through() {
	local text

	text=$(echo in | "$PIDTRACK" run sh -c 'cat; echo out; echo err >&2' 2>err)
	[[ $text == "in${NL}out" && $(<err) == err ]] || die "it is '$text'"
}

test_run_leaves_no_process_behind() {
	pt run "$SHIM" session
	code_is 0
	[[ ! -e /proc/${out%% *} ]] || die "${out%% *} is there"
}

test_run_stays_in_the_process_group() {
	pt run "$SHIM" session
	[[ $(cut -d' ' -f3 <<<"$out") == $(cut -d' ' -f5 </proc/$$/stat) ]] ||
		die "another group"
}

test_run_searches_path_as_a_shell_does() {
	mkdir first second
	ln -s "$SHIM" second/a-shim
	printf '#!/bin/sh\nexit 1\n' >first/a-shim # may not be executed
	PATH_HERE=first:second:$PATH pt run a-shim exit 5
	code_is 5
	PATH_HERE=second pt run a-shim argv
	out_is '[a-shim] [argv]'
	ln -s "$SHIM" here
	PATH_HERE=/nonexistent: pt run here exit 6
	code_is 6
	PATH_HERE=first pt run a-shim
	code_is 126
	err_says "exec: 'a-shim': Permission denied"
	pt run --env PATH="$PWD/second" a-shim exit 7
	code_is 7
	(unset PATH && "$PIDTRACK" run sh -c 'exit 8')
	[[ $? == 8 ]] || die "without PATH there is no default"
}

test_run_of_what_is_not_there_is_127() {
	pt run no-such-command
	code_is 127
	err_says "run: exec: 'no-such-command': No such file or directory; there is none in PATH"
	pt run ./no-such-command
	code_is 127
	err_says "exec: './no-such-command': No such file"
	pt run ''
	code_is 127
	err_says "exec: '': No such file"
	pt run "$SHIM/x"
	code_is 127
	err_says 'Not a directory'
}

test_a_directory_of_path_that_is_closed_to_us_has_nothing() {
	local as=()

	mkdir hidden
	chmod 0 hidden
	chmod 755 .
	[[ $(id -u) != 0 ]] ||
		as=(run --user 65534:65534 --cwd "$PWD" "$PIDTRACK")
	PATH_HERE=$PWD/hidden:$PATH pt "${as[@]}" run no-such-command
	code_is 127
	err_says 'there is none in PATH'
}

test_run_of_what_cannot_be_executed_is_126() {
	echo text >file
	pt run ./file
	code_is 126
	err_says 'Permission denied; it must be a file'
	pt run /
	code_is 126
	err_says 'Permission denied'
	chmod +x file
	pt run ./file
	code_is 126
	err_says 'Exec format error; a script begins with'
	printf '#!/nonexistent/interpreter\n' >file
	pt run ./file
	code_is 127
	err_says 'it is there, but not the interpreter that it names'
}

test_huge_arguments_are_refused_with_a_reason() {
	# each may have 128 KiB on Linux
	pt run "$SHIM" exit "$(printf '%0131000d' 7)"
	code_is 7
	python3 -c '
import os, sys
# so many that the tool itself still starts, and its command does not
os.execv(sys.argv[1], [sys.argv[1], "run", "--env", "X=" + "x" * 131000,
	sys.argv[2], "exit"] + ["0" * 100000] * 19)' "$PIDTRACK" "$SHIM" 2>err
	code=$? out='' err=$(<err)
	[[ $code == 0 ]] && return # a stack limit that has room for both
	code_is 126
	err_says 'Argument list too long'
}

test_options_after_the_command_are_its_own() {
	pt run "$SHIM" argv --detach --help -x
	out_matches '\[argv\] \[--detach\] \[--help\] \[-x\]$'
}

test_run_passes_signals_on() {
	local signal number

	mkfifo said
	for signal in HUP INT QUIT TERM USR1 USR2 ALRM CONT TSTP WINCH; do
		number=$(kill -l $signal)
		"$PIDTRACK" run python3 -c "$CATCHER" 9 "$number" >said &
		pid=$!
		exec 8<said
		read -r -u 8 out
		out_is ready
		kill -$signal $pid
		read -r -u 8 out
		out_is "caught $number"
		code=0
		wait $pid || code=$?
		code_is 9
		exec 8<&-
	done
}

test_run_ends_as_the_signal_it_passed_on_ends_the_command() {
	mkfifo said
	"$PIDTRACK" run "$SHIM" write ready pause >said &
	read -r _ <said
	kill -TERM $!
	code=0
	wait $! || code=$?
	code_is 143
}

test_run_gives_the_command_the_signals_it_was_started_with() {
	local ignored

	ignored=$(awk '/SigIgn/ { print $2 }' /proc/self/status)
	# two are libc's, which keeps them to itself: make has them ignored
	ignored=$(printf %016x $((0x$ignored & ~0x180000000)))
	pt run "$SHIM" sigs
	out_matches "^blk 0+ ign $ignored "
	out=$(trap '' HUP USR1 PIPE && exec "$PIDTRACK" run "$SHIM" sigs)
	out_matches "^blk 0+ ign $(printf %016x $((0x$ignored | 0x1201))) "
	out=$(trap '' CHLD && "$PIDTRACK" run "$SHIM" exit 4)
	[[ $? == 4 ]] || die "SIGCHLD ignored took the status"
	out=$(python3 -c '
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.execv(sys.argv[1], sys.argv[1:])' "$PIDTRACK" run "$SHIM" sigs)
	out_matches '^blk 0*4000 '
}

# Runs $1 as python with a terminal: type(TEXT), and expect(TEXT) on it
typist() {
	python3 -c '
import os, pty, signal, sys
tool, shim, catcher = sys.argv[1:]
signal.alarm(30)
def begin(*words):
    global terminal, child
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(words[0], words)
seen = ""
def expect(text):
    global seen
    while text not in seen:
        try:
            more = os.read(terminal, 4096).decode()
        except OSError:
            more = ""
        if not more:
            sys.exit("no " + repr(text) + " in " + repr(seen))
        seen += more
    before, seen = seen.split(text, 1)
    return before
def type(text):
    os.write(terminal, text.encode())
def ended(code):
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != code:
        sys.exit("ended with " + str(status))
'"$1" "$PIDTRACK" "$SHIM" "$CATCHER" || die "not as expected"
}

test_an_interrupt_from_the_terminal_reaches_the_command_once() {
	typist '
begin(tool, "run", "python3", "-c", catcher, "7", "2", "15")
expect("ready")
type("\x03")
expect("caught 2")
os.kill(child, signal.SIGTERM)
expect("caught 15")
ended(7)'
}

test_an_interrupt_reaches_a_command_in_a_session_of_its_own() {
	typist '
begin(tool, "run", "--session", "python3", "-c", catcher, "7", "2")
expect("ready")
type("\x03")
expect("caught 2")
ended(7)'
}

test_run_and_its_command_are_one_job_of_a_shell() {
	typist '
os.environ["PS1"] = "> "
begin("bash", "--norc", "--noprofile", "-i")
# reads itself: a shell that is just making a process by vfork() cannot stop
type(tool + " run python3 -c \"import sys; print(10**6, flush=True);"
     " print(sys.stdin.read()); sys.exit(9)\"\n")
expect("1000000\r\n")
type("\x1a")
expect("Stopped")
expect("exit(9)")
type("fg; echo code=$?\n")
# what bash says when the terminal is no longer its own
expect("exit(9)")
type("awake\n\x04")
expect("awake\r\nawake\r\n")
expect("code=9")
type(tool + " run " + shim + " stop exit 3\n")
expect("Stopped")
type("fg; echo code=$?\n")
expect("code=3")
type("exit 0\n")
ended(0)'
}

test_run_does_not_wait_for_other_children() {
	# exec makes a child that was there before the tool's own
	# shellcheck disable=SC2016
	bash -c '"$0" exit 3 & exec "$1" run "$0" exit 6' "$SHIM" "$PIDTRACK"
	[[ $? == 6 ]] || die "it is another's status"
}

test_run_without_stdout_or_stdin_works() {
	"$PIDTRACK" run "$SHIM" exit 4 <&- >&- 2>&-
	[[ $? == 4 ]] || die "closed descriptors"
}

test_record_is_there_before_the_command() {
	pt run --record a.record -- sh -c 'head -n 1 a.record; echo $$'
	code_is 0
	[[ ${out%%"$NL"*} == "${out##*"$NL"}" ]] || die "record and pid differ"
	pt run --record sync.record --record-sync -- test -s sync.record
	code_is 0
}

test_its_end_is_written_beside_the_record() {
	pt run --record a.record -- sh -c 'exit 3'
	code_is 3
	grep -qx status=768 a.record.exit || die "no status: $(<a.record.exit)"
	pt run --record a.record -- true
	grep -qx status=768 a.record.exit.previous || die "it was not kept"
	grep -qx status=0 a.record.exit || die "not the last one"
	pt run --detach --record b.record -- true
	[[ ! -e b.record.exit ]] || die "nobody saw that end"
	pt run --record c.record -- mkdir c.record.exit
	code_is 0
	err_says 'run: how it ended could not be written beside its record'
}

test_a_record_that_cannot_be_written_runs_nothing() {
	pt run --record nowhere/record -- touch ran
	code_is 4
	err_says "run: record: 'nowhere/record': No such file or directory"
	[[ ! -e ran ]] || die "it ran"
	usage run --record-sync true --- 'Give --record FILE'
}

test_a_record_of_one_that_runs_is_not_written_over() {
	hold_recorded exit 0
	cp a.record before
	for how in --detach --umask=022; do
		pt run "$how" --record a.record -- touch ran
		code_is 4
		err_says "run: 'a.record' is the record of $pid, which runs; stop that first, or give another file"
	done
	cmp -s before a.record || die "it was"
	[[ ! -e ran && ! -e a.record.exit ]] || die "it ran"
	release
	wait $host
	pt run --record a.record -- true
	code_is 0
	echo $$ >a.pid
	pt run --record a.pid -- true
	code_is 0
}

test_nor_is_one_that_cannot_be_read() {
	printf 'pidtrack9:pid=1,x=y\n' >later
	cp later before
	pt run --record later -- touch ran
	code_is 4
	err_says "run: 'later' was made by a later pidtrack; ask that"
	cmp -s before later || die "it was"
	[[ ! -e ran ]] || die "it ran"
}

test_nor_is_one_of_whom_nothing_is_known() {
	unshare -p -f true 2>/dev/null || skip "no pid namespaces here"
	hold_recorded exit 0
	cp a.record before
	unshare -p -f "$PIDTRACK" run --record a.record -- touch ran 2>said
	[[ $? == 4 ]] || die "it was"
	grep -q "^pidtrack: run: whether the process that 'a.record' is the record of runs is not known here: " said ||
		die "$(<said)"
	cmp -s before a.record || die "it was"
	[[ ! -e ran ]] || die "it ran"
	release
	wait $host
}

test_run_sets_what_it_is_told() {
	pt run --umask 027 "$SHIM" umask
	out_is 0027
	pt run --cwd / "$SHIM" cwd
	out_is /
	pt run --no-new-privs "$SHIM" nnp
	out_is 1
	pt run --rlimit nofile=100:200 --rlimit core=0 "$SHIM" limits
	out_matches '(^| )7=100:200 '
	out_matches '(^| )4=0:0 '
	pt run --rlimit nofile=100 --rlimit nofile=50 "$SHIM" limits
	out_matches '(^| )7=50:50 '
	pt run --env A=1 --env A=2 --env B= "$SHIM" env B env A
	out_is "${NL}2"
	X=1 pt run --clear-env --env A=b=c "$SHIM" env A env X env PATH
	out_is "b=c${NL}unset${NL}unset"
}

test_run_makes_groups_and_sessions() {
	local pid group session

	pt run --pgroup "$SHIM" session
	read -r pid _ group session <<<"$out"
	[[ $group == "$pid" && $session != "$pid" ]] || die "no group"
	pt run --session "$SHIM" session
	read -r pid _ group session <<<"$out"
	[[ $group == "$pid" && $session == "$pid" ]] || die "no session"
}

test_run_maps_descriptors() {
	echo five >file
	exec 5<file
	pt run --fd 7=5 --fd 8=null "$SHIM" fds fd 7 fd 8
	out_is "0 1 2 7 8$NL$PWD/file$NL/dev/null"
	pt run --fd 0=5 cat
	out_is five
	pt run --fd 5=5 --fd 6=5 --fd 5=null "$SHIM" fd 5 fd 6
	out_is "/dev/null$NL$PWD/file"
	exec 5<&-
	pt run "$SHIM" fds
	out_is '0 1 2'
}

test_a_descriptor_that_is_not_open_is_refused() {
	local fd

	# whatever numbers the tool's own will have
	for fd in {3..40}; do
		eval "exec $fd>&-"
		usage run --fd 3=$fd touch ran --- "we have no descriptor $fd"
	done
	[[ ! -e ran ]] || die "it ran"
}

test_run_changes_users() {
	need_root
	pt run --user 12345:54321 "$SHIM" ids
	out_is 'uid 12345 12345 12345 gid 54321 54321 54321 groups'
	pt run --user 12345 "$SHIM" ids
	out_is 'uid 12345 12345 12345 gid 0 0 0 groups'
	pt run --user 1 --env A=b --user 2:3 "$SHIM" ids
	out_matches '^uid 2 2 2 gid 3 3 3 '
}

test_run_without_rights_to_change_users_says_so() {
	need_root
	chmod 755 .
	pt run --user 65534:65534 "$PIDTRACK" run --user 0 "$SHIM" ids
	code_is 4
	err_says "ids: '0': Operation not permitted; this wants CAP_SETUID"
}

test_run_limits_capabilities() {
	need_root
	pt run --caps cap_net_admin=ep "$SHIM" caps
	out_matches 'prm 0*1000 eff 0*1000 bnd 0*1000 amb 0*1000'
	pt run --caps = "$SHIM" caps
	out_matches 'prm 0+ eff 0+ bnd 0+ amb 0+$'
}

test_capabilities_that_do_not_parse_are_a_usage_error() {
	usage run --caps cap_nonsense=ep touch ran --- "--caps 'cap_nonsense=ep' is not as cap_from_text(3) has it"
	[[ ! -e ran ]] || die "it ran"
}

test_run_starts_in_a_cgroup() {
	cgroup2
	pt run --cgroup "$cgroup" "$SHIM" cgroup
	code_is 0
	out_matches "/${cgroup##*/}\$"
}

test_a_cgroup_that_is_none_is_refused() {
	mkdir directory
	pt run --cgroup directory touch ran
	code_is 4
	err_says "cgroup: 'directory': Bad file descriptor; it is not on a cgroup2 mount: see 'findmnt -t cgroup2'"
	pt run --cgroup nowhere touch ran
	code_is 4
	err_says "cgroup: 'nowhere': No such file or directory; make the directory first, on a cgroup2 mount: see 'findmnt -t cgroup2'"
	touch file
	pt run --cgroup file touch ran
	code_is 4
	err_says "cgroup: 'file': Not a directory; give the directory"
	[[ ! -e ran ]] || die "it ran"
}

test_a_working_directory_that_is_missing_is_refused() {
	pt run --cwd nowhere touch ran
	code_is 4
	err_says "cwd: 'nowhere': No such file or directory"
	[[ ! -e nowhere && ! -e ran ]] || die "it ran"
}

test_a_relative_command_is_relative_to_the_working_directory() {
	mkdir -p there/bin
	ln -s "$SHIM" there/bin/a-shim
	pt run --cwd there ./bin/a-shim exit 5
	code_is 5
	PATH=bin:$PATH pt run --cwd there a-shim exit 6
	code_is 6
}

test_labels_are_checked() {
	usage run --label "a${NL}b" touch ran --- "--label 'a?b' has a control character"
	usage run --label "$(printf 'x%.0s' {1..256})" touch ran --- '256 bytes are too long'
	usage run --label "$(printf 'x%.0s' {1..4096})" touch ran --- '4096 bytes are too long'
	[[ ! -e ran ]] || die "it ran"
	pt run --label "$(printf 'x%.0s' {1..255})" "$SHIM" exit 3
	code_is 3
}

test_values_of_run_are_checked() {
	usage run --umask 888 true --- "--umask '888' is no octal number"
	usage run --umask 1000 true --- 'from 0 to 777'
	usage run --umask -1 true --- 'octal'
	usage run --env =x true --- "--env '=x' is not NAME=VALUE"
	usage run --env x true --- "--env 'x' is not NAME=VALUE"
	usage run --user root true --- "--user 'root' is not UID or UID:GID"
	usage run --user 1: true --- 'UID or UID:GID'
	usage run --user 4294967295 true --- 'UID or UID:GID'
	usage run --fd 3 true --- "--fd '3' is not CHILD=OURS"
	usage run --fd 3= true --- 'CHILD=OURS'
	usage run --fd =3 true --- 'CHILD=OURS'
	usage run --fd -1=0 true --- 'CHILD=OURS'
	usage run --rlimit nofile true --- 'NAME=SOFT[:HARD]'
	usage run --rlimit files=1 true --- 'with a NAME of as, core'
	usage run --rlimit nofile=x true --- "with numbers, or 'unlimited'"
	usage run --rlimit nofile=2:1 true --- 'SOFT is more than HARD'
	usage run --rlimit nofile=1: true --- 'with numbers'
}

test_options_that_exclude_each_other_are_refused() {
	usage run --detach --bound true --- 'exclude each other'
	usage run --detach --pgroup true --- 'a group of its own'
	usage run --session --pgroup true --- 'a group of its own'
	usage run --json true --- '--json goes with --detach'
}

test_a_bound_command_dies_with_the_tool() {
	mkfifo held said
	exec 9<>held
	"$PIDTRACK" run --bound sh -c 'echo $$ >said; exec "$0" wait <held' \
		"$SHIM" &
	tool=$!
	read -r pid <said
	kill -KILL $tool
	wait $tool 2>/dev/null
	"$PIDTRACK" wait --timeout 20 "$pid" >out
	[[ $? == 137 || $? == 1 ]] || die "it lives"
	[[ ! -e /proc/$pid ]] || die "it is there"
}

# ---- run --detach ----

# Launches a detached shim, which does not outlive us: $pid, $name
detach() {
	mkfifo held
	exec 9<>held 7<held
	pt run --detach --fd 0=7 "$@"
	code_is 0
	silent
	name=$out pid=${out%%:*}
}

detached_end() {
	begin_wait "$name"
	kill -TERM "$pid"
	waited
	code_is 143
}

test_detach_prints_the_name_of_what_it_left_running() {
	need_exit_info
	detach "$SHIM" wait
	out_matches '^[1-9][0-9]*:[1-9][0-9]*$'
	[[ $name == "$(name_of "$pid")" ]] || die "another name"
	detached_end
}

test_detach_does_not_keep_a_reader_waiting() {
	local name

	# a command substitution ends when nobody has its pipe any more
	name=$("$PIDTRACK" run --detach "$SHIM" pause 2>&1)
	kill -KILL "${name%%:*}" || die "no process '$name'"
}

# What a detached shim has: $out, of its descriptors and its session.  The tool
# writes to $1.
detached_shows() {
	mkfifo said
	exec 8<>said
	# shellcheck disable=SC2016
	"$PIDTRACK" run --detach --fd 3=8 sh -c '
		fds=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2)
		echo $fds >&3
		exec "$0" session >&3' "$SHIM" >"$1" 2>&1 || die "code $?"
	read -r -u 8 out
	read -r -u 8 session
}

test_detach_has_a_session_of_its_own_and_reads_nothing() {
	local pid parent group leader

	detached_shows file
	out_is "/dev/null $PWD/file $PWD/file"
	read -r pid parent group leader <<<"$session"
	[[ $pid == "$group" && $pid == "$leader" ]] || die "$session, $parent"
}

test_detach_writes_to_null_when_output_is_no_file() {
	detached_shows >(cat >/dev/null)
	out_is '/dev/null /dev/null /dev/null'
}

test_detach_prints_json() {
	need_exit_info
	detach --json --label 'a "b" \c' --record 'a record' "$SHIM" wait
	json
	json_is 'o["event"]' launched
	json_is 'o["label"]' 'a "b" \c'
	json_is 'o["record"]' 'a record'
	json_is 'o["fingerprint"].split(":")[0]' pidtrack1
	json_is 'o["time"][-1]' Z
	json_is 'sorted(o)' "['event', 'fingerprint', 'inode', 'label', 'pid', 'record', 'schema', 'time']"
	json_is 'o["pid"]' "$(head -n 1 'a record')"
	json_is 'o["pid"]' "$(python3 -c 'import json; print(json.load(open("out"))["pid"])')"
	pid=$(head -n 1 'a record') name=$pid
	detached_end
}

test_json_is_utf8_whatever_a_label_is() {
	pt run --detach --json --label $'\xff"\\\xc3\xa4\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf\xe2\x82' "$SHIM"
	code_is 0
	json
	json_is 'ascii(o["label"])' "'\\ufffd\"\\\\\\xe4\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd'"
}

test_a_detached_launch_that_fails_says_why() {
	pt run --detach --record a.record no-such-command
	code_is 127
	err_says 'No such file'
	[[ ! -e a.record ]] || die "a record is left"
	pt run --detach --record a.record ./no-such-command
	code_is 127
	[[ ! -e a.record ]] || die "a record is left"
}

test_detach_that_cannot_tell_the_name_says_it() {
	mkfifo held
	exec 9<>held 7<held
	code=0
	"$PIDTRACK" run --detach --fd 0=7 "$SHIM" wait 2>err >/dev/full || code=$?
	out='' err=$(<err)
	code_is 4
	err_says 'cannot write that: No space left on device'
	[[ $err =~ launched\ ([0-9]+) ]] || die "no name"
	kill -KILL "${BASH_REMATCH[1]}" || die "it does not run"
}

# ---- watch ----

test_watch_tells_state_and_events_of_a_child_of_others() {
	need_exit_info
	hold exit 7
	name=$(name_of $pid)
	mkfifo lines
	"$PIDTRACK" watch $pid >lines 9>&- &
	exec 8<lines
	read -r -u 8 out
	out_matches "^$name attached running pidtrack1:[!-~]+\$"
	release
	out=$(cat <&8)
	# the end and the status are one event when both are there at once
	[[ $out == "$name exited code 7 (recovered)" ||
		$out == "$name exited$NL$name reaped code 7 (recovered)" ]] ||
		die "other events"
	wait $! || die "it failed"
}

test_watch_tells_the_end_before_the_status_of_a_zombie() {
	need_exit_info
	hold_zombie
	name=$(name_of "$pid")
	mkfifo lines
	"$PIDTRACK" watch "$pid" >lines 9>&- &
	exec 8<lines
	read -r -u 8 out
	out_matches "^$name attached exited pidtrack1:[!-~]+\$"
	read -r -u 8 out
	out_is "$name exited"
	# its parent ends, and we are asked
	release
	read -r -u 8 out
	out_is "$name reaped code 5 (recovered)"
	! read -r -u 8 out || die "more"
	wait $! || die "it failed"
}

test_watch_of_several_ends_with_the_last() {
	need_exit_info
	hold exit 1
	first=$pid
	mkfifo lines other
	"$SHIM" wait kill KILL <other 9>&- &
	second=$!
	exec 7>other
	"$PIDTRACK" watch $first $second >lines 7>&- 9>&- &
	exec 8<lines
	read -r -u 8 out
	out_matches "^$first(:[0-9]+)? attached running "
	read -r -u 8 out
	out_matches "^$second(:[0-9]+)? attached running "
	release
	while read -r -u 8 out; do
		[[ $out != *code* ]] || break
	done
	out_matches "^$first(:[0-9]+)? (exited|reaped) code 1 "
	exec 7>&-
	out=$(cat <&8)
	out_matches "$second(:[0-9]+)? (exited|reaped) signal SIGKILL \(recovered\)\$"
	wait $! || die "it failed"
}

test_watch_prints_json() {
	need_exit_info
	hold_zombie
	mkfifo lines
	"$PIDTRACK" watch --json "$pid" >lines 9>&- &
	exec 8<lines
	read -r -u 8 out
	json
	json_is 'o["event"], o["pid"], o["state"], o["label"]' \
		"('attached', $pid, 'exited', None)"
	json_is 'o["inode"]' "$(name_of "$pid" | cut -d: -f2)"
	json_is 'o["fingerprint"]' "$("$PIDTRACK" fingerprint "$pid")"
	read -r -u 8 out
	json
	json_is 'o["event"], "status" in o, "source" in o' \
		"('exited', False, False)"
	release
	read -r -u 8 out
	json
	json_is 'o["event"], o["status"], o["exit_code"], o["source"]' \
		"('reaped', 1280, 5, 'recovered')"
	json_is '"signal" in o' False
	wait $! || die "it failed"
}

test_json_tells_a_signal() {
	ulimit -c 0
	out=$(with_child 'kill TERM' wait --json)
	json
	json_is 'o["event"], o["status"], o["signal"], o["signal_name"], o["core_dumped"], o["source"]' \
		"('exited', 15, 15, 'SIGTERM', False, 'waited')"
	json_is '"exit_code" in o' False
}

test_watch_ends_quietly_when_its_reader_leaves() {
	hold exit 0
	"$PIDTRACK" watch $pid 2>err 9>&- | head -n 1 >out
	[[ "${PIPESTATUS[*]}" == '0 0' ]] || die "codes ${PIPESTATUS[*]}"
	[[ -s out && ! -s err ]] || die "$(<err)"
	[[ -e /proc/$pid ]] || die "the process ended first"
	release
}

test_watch_ends_quietly_when_output_is_closed() {
	hold exit 0
	"$PIDTRACK" watch $pid 2>err >&- 9>&- || die "code $?"
	[[ ! -s err && -e /proc/$pid ]] || die "$(<err)"
	release
}

test_output_that_cannot_be_written_is_a_failure() {
	local words

	[[ -c /dev/full ]] || skip "no /dev/full"
	hold exit 0
	for words in "watch $pid" "watch --json $pid" "fingerprint $pid" \
		"verify $pid" "verify --json $pid" "fingerprint --json $pid" features "features --json" --help \
		--version "run --help"; do
		code=0
		# shellcheck disable=SC2086
		"$PIDTRACK" $words 2>err >/dev/full 9>&- || code=$?
		out='' err=$(<err)
		code_is 4
		err_says 'cannot write the output: No space left on device'
	done
	release
	wait $pid
}

test_output_nobody_reads_is_none() {
	local words

	for words in "fingerprint $$" features --help --version "wait --help"; do
		# shellcheck disable=SC2086
		"$PIDTRACK" $words 2>err | true
		[[ ${PIPESTATUS[0]} == 0 && ! -s err ]] || die "$words: $(<err)"
		# shellcheck disable=SC2086
		"$PIDTRACK" $words 2>err >&- || die "$words >&-: $?"
		[[ ! -s err ]] || die "$words >&-: $(<err)"
	done
}

test_a_process_that_is_not_there_is_not_watched() {
	local none

	none=$(gone_pid)
	pt watch "$none"
	code_is 1
	err_says "watch: no process has the pid $none"
	pt watch 2147483647
	code_is 1
	err_says 'no process has the pid 2147483647'
}

test_the_others_are_watched_all_the_same() {
	local none

	none=$(gone_pid)
	hold exit 0
	mkfifo lines
	"$PIDTRACK" watch "$none" $pid >lines 2>err 9>&- &
	exec 8<lines
	read -r -u 8 out
	out_matches "^$pid(:[0-9]+)? attached running "
	release
	cat <&8 >rest
	code=0
	wait $! || code=$?
	out='' err=$(<err)
	code_is 1
	[[ -s rest ]] || die "no event"
	err_says "no process has the pid $none"
}

test_a_name_with_an_inode_is_no_other_process() {
	need_inodes
	hold exit 0
	name=$(name_of $pid)
	pt fingerprint "$name"
	code_is 0
	pt fingerprint "$pid:18446744073709551615"
	code_is 1
	err_says "the process with pid $pid is not $pid:18446744073709551615 (it is $name)"
	pt wait "$pid:1"
	code_is 1
	err_says "the process with pid $pid is not $pid:1 (it is $name)"
	release
}

test_a_thread_is_no_process_and_told_so() {
	mkfifo held said
	python3 -c '
import threading, sys, os
go = threading.Event()
t = threading.Thread(target=go.wait)
t.start()
print(os.getpid(), t.native_id, file=open("said", "w"))
open("held").read()
go.set()' &
	read -r process thread <said
	exec 9>held
	pt watch "$thread"
	code_is 1
	err_says "$thread is a thread of process $process; name that one"
	exec 9>&-
	wait
}

test_a_kernel_thread_can_be_looked_at() {
	[[ $(cat /proc/2/comm 2>/dev/null) == kthreadd ]] ||
		skip "pid 2 is not kthreadd"
	pt fingerprint 2
	code_is 0
	out_matches '^pidtrack1:pid=2,'
	pt wait --timeout 0 2
	code_is 1
	err_says 'not in time: 2:'
}

test_watch_of_an_own_child_reaps_it() {
	out=$(with_child 'exit 3' watch)
	code=$?
	code_is 0
	out_matches ' exited code 3 \(waited\)$'
}

test_a_process_may_be_named_twice() {
	hold exit 4
	begin_wait "$(name_of $pid)" $pid $pid
	release
	out=$(cat <&8)
	[[ $(grep -c ' code 4 ' <<<"$out") == 3 ]] || die "not three lines"
	waited
	code_is 4
}

test_only_processes_that_are_called_so_are_watched() {
	hold_recorded
	# nothing to wait for, then
	pt watch --label b* --label web a.record $$
	code_is 0
	out_is ''
	silent
	pt watch --json --label 'a' ./a.record
	out_is ''
	# whatever it is called, it should be there
	pt watch --label b* nowhere
	code_is 4
	mkfifo lines
	"$PIDTRACK" watch --label 'a w?b' $$ a.record $PPID >lines 9>&- &
	exec 8<lines
	read -r -u 8 out
	out_matches "^$pid.* attached running "
	release
	read -r -u 8 out
	out_matches "^$pid.* (exited|reaped)"
	# those that are not watched run on
	wait $! || die "it does not end with the last"
	wait $host
}

# ---- escapes ----

test_nothing_but_a_terminal_is_sent_escapes() {
	local words

	for words in features --help "fingerprint $$" "wait --timeout 0 $$"; do
		# shellcheck disable=SC2086
		TERM=xterm pt $words
		[[ $out$err != *"$ESC"* ]] || die "escapes in $words"
	done
	hold_zombie
	out=$(TERM=xterm "$PIDTRACK" watch "$pid" | head -n 2)
	[[ $out == *' exited'* && $out != *"$ESC"* ]] || die "escapes in watch"
	release
}

# ---- wait ----

test_wait_passes_the_status_of_others_children_on() {
	need_exit_info
	local end

	for end in 'exit 0' 'exit 1' 'exit 77' 'kill KILL' 'kill TERM'; do
		# shellcheck disable=SC2086
		hold $end
		name=$(name_of $pid)
		begin_wait $pid
		release
		read -r -u 8 out
		waited
		case $end in
		exit*)
			code_is "${end#exit }"
			out_matches "^$name (exited|reaped) code ${end#exit } \(recovered\)\$"
			;;
		*)
			code_is $((128 + $(kill -l "${end#kill }")))
			out_matches "^$name (exited|reaped) signal SIG${end#kill } \(recovered\)\$"
			;;
		esac
		rm held
	done
}

test_wait_passes_the_status_of_the_last_on() {
	need_exit_info
	hold exit 3
	first=$pid
	mkfifo other
	"$SHIM" wait exit 4 <other 9>&- &
	second=$!
	exec 7>other
	begin_wait $second $first
	release
	read -r -u 8 out
	out_matches "^$first(:[0-9]+)? (exited|reaped) code 3 "
	exec 7>&-
	read -r -u 8 out
	out_matches "^$second(:[0-9]+)? (exited|reaped) code 4 "
	waited
	code_is 3
}

test_wait_of_an_own_child_reaps_it() {
	out=$(with_child 'exit 3' wait)
	code=$?
	code_is 3
	out_matches ' exited code 3 \(waited\)$'
}

test_wait_prints_json() {
	need_exit_info
	hold exit 3
	begin_wait --json $pid
	release
	out=$(cat <&8)
	json
	json_is 'o["pid"], o["status"], o["exit_code"], o["source"], "signal" in o' \
		"($pid, 768, 3, 'recovered', False)"
	[[ $(wc -l <<<"$out") == 1 ]] || die "not one line"
}

test_wait_gives_up_in_time() {
	hold exit 0
	for duration in 0 1ms 10ms 0.01 0.01s 0.0001m; do
		pt wait --timeout $duration $pid
		code_is 1
		err_says "not in time: $pid"
	done
	pt wait --timeout 0 $pid $$
	code_is 1
	err_says 'and others still run'
	release
}

test_durations_are_checked() {
	local duration

	for duration in x -1 +1 1x '1 s' 1. .5 1.0000001 1e3 1ss \
		99999999999999999999; do
		usage wait --timeout "$duration" 1 --- 'is no duration, such as'
	done
}

test_wait_of_what_is_not_there_waits_for_nothing() {
	hold exit 0
	none=$(gone_pid)
	pt wait "$none"
	code_is 1
	err_says "no process has the pid $none"
	pt wait $pid "$none"
	code_is 1
	err_says "no process has the pid $none"
	release
}

test_wait_for_a_zombie_cannot_tell_until_its_parent_asks() {
	need_exit_info
	hold_zombie
	pt wait --timeout 0.01 "$pid"
	code_is 3
	err_says 'has ended, but its parent has not asked how'
	begin_wait "$pid"
	# its parent ends, and we are asked
	release
	waited
	code_is 5
}

test_wait_waits_though_nobody_reads() {
	need_exit_info
	hold exit 6
	begin_wait $pid 2>err
	exec 8<&-
	release
	waited
	code_is 6
	[[ ! -s err ]] || die "$(<err)"
	(with_child 'exit 8' wait >&- 2>err)
	code=$?
	code_is 8
	[[ ! -s err ]] || die "$(<err)"
}

test_wait_that_cannot_write_fails() {
	[[ -c /dev/full ]] || skip "no /dev/full"
	code=0
	(with_child 'exit 8' wait >/dev/full 2>err) || code=$?
	out='' err=$(<err)
	code_is 4
	err_says 'cannot write the output'
}

# ---- records ----

test_wait_waits_for_the_process_of_a_record() {
	need_exit_info
	hold_recorded exit 7
	begin_wait a.record
	release
	read -r -u 8 out
	out_matches "^$pid(:[0-9]+)? \(a.record\) (exited|reaped) code 7 \(recovered\)\$"
	waited
	code_is 7
}

test_watch_tells_of_which_record_a_process_is() {
	need_exit_info
	hold_recorded exit 0
	mkfifo lines
	"$PIDTRACK" watch a.record $$ >lines 9>&- &
	exec 8<lines
	read -r -u 8 out
	out_matches "^$pid(:[0-9]+)? \(a.record\) attached running pidtrack1:"
	read -r -u 8 out
	out_matches "^$$(:[0-9]+)? attached running "
	release
	read -r -u 8 out
	out_matches "^$pid(:[0-9]+)? \(a.record\) (exited|reaped)"
	kill $!
}

test_json_tells_of_which_record_a_process_is() {
	need_exit_info
	hold_recorded kill TERM
	"$PIDTRACK" watch --json a.record 9>&- | {
		read -r out
		json
		json_is 'o["event"], o["pid"], o["record"], o["label"]' \
			"('attached', $pid, 'a.record', 'a web')"
	} || exit
	begin_wait --json ./a.record
	release
	read -r -u 8 out
	json
	json_is 'o["record"], o["label"], o["signal"]' \
		"('./a.record', 'a web', 15)"
	waited
	code_is 143
	pt fingerprint --json $$
	json_is 'o["record"], o["label"]' '(None, None)'
}

test_a_long_name_of_a_record_is_cut_in_lines_for_people() {
	local long

	hold_recorded exit 0
	long=$(printf './%.0s' {1..1000})a$NL${ESC}b.record
	cp a.record "$long"
	pt wait --timeout 0 "$long"
	code_is 1
	err_says 'a??b.record) still runs'
	[[ ${#err} -lt 400 ]] || die "a long line"
	release
}

test_a_record_whose_process_is_not_there_is_not_waited_for() {
	local command

	hold_recorded exit 0
	forge 'inode=[0-9]*' 'inode=1'
	for command in wait watch fingerprint; do
		pt $command another.record
		code_is 1
		err_says "$command: 'another.record': reused, the "
	done
	forge 'boot=.' 'boot=x'
	pt wait another.record
	code_is 4
	err_says "'another.record' is damaged, or no record"
	forge 'boot=[^,]*' 'boot=00000000-0000-4000-8000-000000000000'
	pt wait $$ another.record
	code_is 1
	err_says "'another.record': other-boot, the boot id is another"
	forge 'pidns=[0-9]*,' 'pidns=1,'
	sed -i 's/inode=[0-9]*,//' a.record
	forge 'pidns=[0-9]*,' 'pidns=1,'
	pt wait another.record
	code_is 3
	err_says "'another.record': unproven, the pid is of another pid namespace"
	release
	wait $host
	forge 'label=.*' 'label=b'
	pt watch another.record
	code_is 1
	err_says "'another.record': gone, no process has its number"
}

test_of_several_records_those_are_watched_whose_processes_are_there() {
	need_exit_info
	hold_recorded exit 0
	forge 'boot=[^,]*' 'boot=00000000-0000-4000-8000-000000000000'
	mkfifo lines
	"$PIDTRACK" watch nowhere another.record a.record >lines 2>err 9>&- &
	exec 8<lines
	read -r -u 8 out
	out_matches "^$pid(:[0-9]+)? \(a.record\) attached "
	release
	cat <&8 >rest
	code=0
	wait $! || code=$?
	code_is 4
	[[ $(wc -l <err) == 2 ]] || die "$(<err)"
}

test_a_fingerprint_can_be_that_of_a_records_process() {
	hold_recorded exit 0
	text=$("$PIDTRACK" fingerprint $pid)
	pt fingerprint a.record
	code_is 0
	out_is "$text"
	pt fingerprint --compare "$text" a.record
	code_is 0
	out_matches "^$pid(:[0-9]+)? \(a.record\) same: "
	release
}

test_a_record_with_only_a_number_is_believed_if_told_so() {
	need_exit_info
	local command

	hold exit 6
	echo $pid >old.pid
	for command in wait watch fingerprint; do
		pt $command old.pid
		code_is 3
		err_says "$command: 'old.pid': unproven, the record has only a number; --legacy believes it"
	done
	pt fingerprint --legacy old.pid
	code_is 0
	out_is "$("$PIDTRACK" fingerprint $pid)"
	pt fingerprint --legacy --compare "$out" old.pid
	code_is 0
	mkfifo lines
	"$PIDTRACK" watch --legacy old.pid >lines 9>&- &
	exec 8<lines
	read -r -u 8 out
	out_matches "^$pid(:[0-9]+)? \(old.pid\) attached running "
	rm lines
	begin_wait --legacy old.pid
	release
	waited
	code_is 6
	wait $pid
	pt wait --legacy old.pid
	code_is 1
	err_says "'old.pid': gone, no process has its number"
}

test_legacy_believes_no_number_of_a_better_record() {
	hold_recorded exit 0
	printf '%s\n/nonexistent/shim\n' $pid >other.pid
	pt wait --legacy --timeout 0 other.pid
	code_is 3
	err_says "'other.pid': unproven, it executes another path, as after an update"
	[[ $err != *legacy* ]] || die "told to do what was done"
	forge 'boot=[^,]*' 'boot=00000000-0000-4000-8000-000000000000'
	pt wait --legacy --timeout 0 another.record
	code_is 1
	err_says 'other-boot'
	sed -i 's/inode=[0-9]*,//' a.record
	forge 'pidns=[0-9]*,' 'pidns=1,'
	pt wait --legacy --timeout 0 another.record
	code_is 3
	pt wait --legacy --timeout 0 a.record
	code_is 4
	err_says 'damaged'
	pt wait --legacy --timeout 0 $pid
	code_is 1
	err_says 'not in time'
	release
}

# Every way a record cannot be read: unreadable COMMAND...
unreadable() {
	local as=()

	pt "$@" nowhere/record
	code_is 4
	err_says "'nowhere/record': no such file"
	touch empty file
	pt "$@" file/record
	code_is 4
	err_says "'file/record': no such file"
	pt "$@" empty
	code_is 4
	err_says "'empty' is damaged, or no record"
	[[ -p fifo ]] || mkfifo fifo
	pt "$@" ./fifo
	code_is 4
	err_says "'./fifo' is no regular file and no pin, so no record"
	ln -sf empty link
	pt "$@" link
	code_is 4
	err_says "'link' is a symbolic link, and through one no record is read; name the file itself"
	head -c 5000 /dev/zero | tr '\0' 1 >large
	pt "$@" large
	code_is 4
	err_says "'large' is too large for a record, which has 4096 bytes at most"
	echo 1 >init
	pt "$@" init
	code_is 4
	err_says "'init' is damaged, or no record"
	echo pidtrack2:pid=5 >later
	pt "$@" later
	code_is 3
	err_says "'later' was made by a later pidtrack; ask that"
	chmod 0 empty
	chmod 755 .
	[[ $(id -u) != 0 ]] ||
		as=(run --user 65534:65534 --cwd "$PWD" "$PIDTRACK")
	pt "${as[@]}" "$@" empty
	code_is 4
	err_says "cannot read 'empty': Permission denied"
	chmod 600 empty
}

test_a_record_that_cannot_be_read_is_told_why() {
	local command

	unreadable verify
	unreadable verify --json --strict
	unreadable wait
	unreadable watch
	mkdir directory
	for command in verify wait fingerprint stop; do
		pt $command directory
		code_is 4
		err_says "'directory' is a directory; name the record in it, or see 'pidtrack list'"
	done
}

# ---- verify ----

# Usage: verdict_is CODE VERDICT EVIDENCE NAME [STRICT], of verify, as lines and
# as JSON; EVIDENCE is a pattern, STRICT the code with --strict if it is another
verdict_is() {
	local evidence strict=${5-$1}

	pt verify "$4"
	code_is "$1"
	silent
	out_matches "^$4(:[0-9]+)? $2: [a-z/][^:]* \(compared: ($3)\)(, ended: .*)?\$"
	evidence=${BASH_REMATCH[2]}
	pt verify --strict --json "$4"
	code_is "$strict"
	[[ $strict == "$1" ]] || [[ $(<err) == "pidtrack: verify: $4 is $2 by what was compared, which for --strict is not enough" ]] ||
		die "it does not say why"
	json_is 'o["event"], o["verdict"], ", ".join(o["evidence"]) or "nothing"' \
		"('verified', '$2', '$evidence')"
}

test_verify_tells_whether_the_process_of_a_record_is_there() {
	need_inodes
	hold_recorded exit 0
	verdict_is 0 same 'boot, .*inode' a.record
	forge 'boot=[^,]*' 'boot=00000000-0000-4000-8000-000000000000'
	verdict_is 1 other-boot boot another.record
	forge 'inode=[0-9]*' 'inode=1'
	verdict_is 1 reused 'boot, .*inode' another.record
	forge 'inode=[0-9]*,(.*)pidns=[0-9]*' '\1pidns=1'
	verdict_is 3 unproven nothing another.record
	forge 'inode=[0-9]*,' ''
	verdict_is 0 same 'boot, pid, start' another.record 3
	release
	wait $host
	verdict_is 1 gone 'boot, pid' a.record
}

test_verify_knows_a_zombie() {
	need_inodes
	hold_zombie
	"$PIDTRACK" fingerprint "$pid" >a.fingerprint
	verdict_is 1 exited 'boot, .*inode' a.fingerprint
	verdict_is 1 exited 'boot, .*inode' "$(name_of "$pid")"
	# and leaves it one
	[[ $(cut -d' ' -f3 "/proc/$pid/stat") == Z ]] || die "no zombie any more"
	release
}

test_verify_knows_records_of_others() {
	hold exit 0
	printf '%s\n' $pid >a.pid
	verdict_is 3 unproven pid a.pid
	printf '%s\n%s\n' $pid "$(cut -d' ' -f22 /proc/$pid/stat)" >box.pid
	verdict_is 0 same 'pid, start' box.pid 3
	printf '%s\n%s\n' $pid 1 >box.pid
	verdict_is 1 reused 'pid, start' box.pid
	printf '%s\n%s\n' $pid "$(realpath /proc/$pid/exe)" >brood.pid
	verdict_is 3 unproven 'pid, exe' brood.pid
	pt verify --json brood.pid
	json_is 'o["format"], o["exe"], o["pid"]' \
		"('brood-box', '$(realpath /proc/$pid/exe)', $pid)"
	printf '%s\n\nservices-mux-v1\n' $pid >box.pid
	pt verify --json box.pid
	json_is 'o["format"], o["capability"]' "('boxlite', 'services-mux-v1')"
	release
	wait $pid
	verdict_is 1 gone pid a.pid 3
}

test_verify_prints_what_a_record_says() {
	hold_recorded exit 0
	pt verify --json a.record
	json_is 'sorted(o)' "['capability', 'event', 'evidence', 'exe', 'format', 'inode', 'label', 'payload', 'pid', 'reason', 'record', 'schema', 'time', 'verdict']"
	json_is 'o["format"], o["pid"], o["label"], o["record"], o["payload"]' \
		"('native', $pid, 'a web', 'a.record', None)"
	printf 'payload=%%00a b%%25%%ff"\n' | tr -d ' "' >payload
	forge 'label=.*' "$(<payload)"
	pt verify --json another.record
	json_is 'o["label"], o["payload"]' "(None, '%00ab%25%ff')"
	forge 'label=.*' 'payload='
	pt verify --json another.record
	json_is 'o["payload"]' None
	# also of one that ended
	forge 'label=.*' "payload=$(printf '%%00%.0s' {1..1024})"
	release
	wait $host
	pt verify --json another.record
	json_is 'o["verdict"], len(o["payload"])' "('gone', 3072)"
}

test_verify_takes_pids_and_inodes() {
	need_inodes
	hold exit 0
	name=$(name_of $pid)
	verdict_is 0 same 'boot, .*inode' "$name"
	verdict_is 3 unproven pid $pid
	verdict_is 1 reused 'pid, inode' $pid:1
	out_matches '"the pidfs inode is another, if that was ever one"'
	pt verify --json "$name"
	json_is 'o["record"], o["format"], o["pid"], o["payload"], o["inode"]' \
		"(None, None, $pid, None, ${name#*:})"
	release
	wait $pid
	verdict_is 1 gone pid "$name"
	verdict_is 1 gone pid $pid
}

test_verify_of_several_exits_with_the_highest_code() {
	hold_recorded exit 0
	forge 'boot=[^,]*' 'boot=00000000-0000-4000-8000-000000000000'
	pt verify a.record a.record
	code_is 0
	[[ $(wc -l <out) == 2 ]] || die "not two lines"
	pt verify a.record another.record
	code_is 1
	pt verify another.record $pid a.record
	code_is 3
	"$PIDTRACK" verify nowhere another.record $pid a.record >out 2>err
	[[ $? == 4 ]] || die "not 4"
	[[ $(wc -l <out) == 3 && $(wc -l <err) == 1 ]] || die "lines"
	usage verify a.record 0 --- "'0' is no process"
	release
}

test_of_a_process_that_is_gone_it_is_told_how_it_ended() {
	hold_recorded exit 7
	release
	wait $host
	[[ -e a.record.exit ]] || die "no exit record"
	pt verify a.record
	code_is 1
	out_matches '^a.record gone: no process has its number \(compared: [^)]*\), ended: code 7 \(waited\)$'
	pt verify --json a.record
	json_is 'o["verdict"], o["exit_code"], o["source"]' "('gone', 7, 'waited')"
	pt wait a.record
	code_is 7
	silent
	out_is 'a.record exited code 7 (waited)'
	pt wait --json a.record
	code_is 7
	json_is 'o["event"], o["exit_code"], o["record"]' \
		"('exited', 7, 'a.record')"
	pt stop a.record
	code_is 0
	out_is 'a.record gone: no process has its number, ended: code 7 (waited)'
	# another process's is not its
	forge 'inode=[0-9]*' 'inode=1'
	cp a.record.exit another.record.exit
	pt verify another.record
	[[ $out != *ended* ]] || die "it is another's"
	pt wait another.record
	code_is 1
	err_says "'another.record': "
}

test_verify_changes_nothing() {
	hold_recorded exit 0
	kill -STOP $pid
	until [[ $(cut -d' ' -f3 /proc/$pid/stat) == T ]]; do :; done
	mkdir closed
	cp a.record closed
	chmod 500 closed
	chmod 400 closed/a.record
	stat -c '%i %s %Y %Z %a' closed closed/a.record >before
	pt verify --strict closed/a.record
	code_is 0
	stat -c '%i %s %Y %Z %a' closed closed/a.record >after
	cmp before after || die "it is another"
	[[ $(cut -d' ' -f3 /proc/$pid/stat) == T ]] || die "it was continued"
	chmod 700 closed
	kill -CONT $pid
	release
}

test_a_records_name_cannot_forge_a_line() {
	hold_recorded exit 0
	cp a.record "x${NL}a.record same: y"
	pt verify "x${NL}a.record same: y"
	code_is 0
	[[ $(wc -l <out) == 1 && $out == "x?a.record same: y same: "* ]] || die "$out"
	release
}

# ---- fingerprint ----

test_a_fingerprint_is_one_line_without_blanks() {
	pt fingerprint $$
	code_is 0
	silent
	out_matches '^pidtrack1:pid='"$$"',[!-~]+$'
	[[ $out != *[\"\'\\\ ]* && $(wc -l <out) == 1 ]] || die "blanks or quotes"
	text=$out
	pt fingerprint $$
	out_is "$text"
}

test_a_fingerprint_is_that_of_the_same_process_only() {
	hold exit 0
	text=$("$PIDTRACK" fingerprint $pid)
	pt fingerprint --compare "$text" $pid
	code_is 0
	out_matches "^$pid(:[0-9]+)? same: .* \(compared: boot, "
	other=$(sed 's/,inode=[0-9]*/,inode=1/; s/,start=[0-9]*/,start=1/' <<<"$text")
	pt fingerprint --compare "$other" $pid
	code_is 1
	out_matches "^$pid(:[0-9]+)? reused: "
	# of another number nothing is said
	pt fingerprint --compare "$text" $$
	[[ $code != 0 ]] || die "the same"
	release
}

test_a_fingerprint_is_compared_by_what_it_has() {
	local boot

	hold exit 0
	text=$("$PIDTRACK" fingerprint $pid)
	boot=${text#*,boot=}
	boot=${boot%%,*}
	pt fingerprint --compare "${text/$boot/00000000-0000-4000-8000-000000000000}" $pid
	code_is 1
	out_matches 'other-boot: .* \(compared: boot\)$'
	pt fingerprint --compare "pidtrack1:pid=$pid,boot=$boot" $pid
	code_is 3
	out_matches 'unproven: '
	pt fingerprint --compare "pidtrack1:pid=$pid" $pid
	code_is 3
	out_matches 'unproven: .* \(compared: nothing\)$'
	release
}

test_a_zombie_is_the_same_process_but_exited() {
	hold_zombie
	pt fingerprint "$pid"
	code_is 0
	pt fingerprint --compare "$out" "$pid"
	code_is 1
	out_matches "^$pid(:[0-9]+)? exited: "
	release
}

test_what_is_no_fingerprint_is_a_usage_error() {
	local text

	for text in nonsense pidtrack1: pidtrack1:pid=0 pidtrack:pid=1 \
		'pidtrack1:pid=1,start=x' "pidtrack1:pid=1$NL" \
		"pidtrack1:pid=1,boot=$(printf 'x%.0s' {1..2000})"; do
		usage fingerprint --compare "$text" $$ --- 'is no fingerprint'
	done
}

test_a_record_is_no_fingerprint_and_told_what_to_do() {
	local advice="and --compare takes the text itself; 'pidtrack verify' tells of the process in a file"

	pt run --record 'a record' "$SHIM"
	usage fingerprint --compare 'a record' $$ --- "'a record' is a file, $advice"
	usage fingerprint --compare "$(<'a record')" $$ --- 'a whole record is no fingerprint: give only what follows fingerprint= in it'
	text=$(grep -o 'pidtrack1:.*' 'a record')
	pt fingerprint --compare "$text" "$(head -n 1 'a record')"
	code_is 1
	out_matches ' gone: '
}

test_a_later_fingerprint_cannot_be_told() {
	pt fingerprint --compare pidtrack2:pid=1 $$
	code_is 3
	err_says 'was made by a later pidtrack'
}

test_fingerprint_prints_json() {
	pt fingerprint --json $$
	code_is 0
	json
	json_is 'o["event"], o["pid"], o["fingerprint"]' \
		"('fingerprint', $$, '$("$PIDTRACK" fingerprint $$)')"
	pt fingerprint --json --compare "$("$PIDTRACK" fingerprint $$)" $$
	code_is 0
	json
	json_is 'o["event"], o["verdict"], o["evidence"][0]' \
		"('compared', 'same', 'boot')"
	json_is 'isinstance(o["reason"], str)' True
}

test_fingerprint_of_what_is_not_there_says_so() {
	none=$(gone_pid)
	pt fingerprint "$none"
	code_is 1
	err_says "no process has the pid $none"
}

test_what_nobody_has_the_number_of_is_gone() {
	hold exit 0
	text=$("$PIDTRACK" fingerprint $pid)
	release
	wait $pid
	pt fingerprint --compare "$text" $pid
	code_is 1
	silent
	out_is "$pid gone: no process has the pid (compared: boot, pid)"
	pt fingerprint --compare "$text" $pid:1
	code_is 1
	out_matches "^$pid:1 gone: "
	pt fingerprint --json --compare "$text" $pid
	code_is 1
	json
	json_is 'o["event"], o["pid"], o["inode"], o["label"], o["verdict"]' \
		"('compared', $pid, None, None, 'gone')"
	json_is 'o["evidence"], o["reason"]' \
		"(['boot', 'pid'], 'no process has the pid')"
	json_is '"fingerprint" in o' False
}

test_whose_number_another_has_is_reused() {
	need_inodes
	hold exit 0
	text=$("$PIDTRACK" fingerprint $pid)
	pt fingerprint --compare "${text/,inode=*,start=/,inode=1,start=}" $pid:1
	code_is 1
	silent
	out_matches "^$pid(:[0-9]+) reused: the pidfs inode is another "
	# it is of the other one, which lives
	pt fingerprint --compare "$text" $pid:1
	code_is 1
	err_says "the process with pid $pid is not $pid:1 (it is $(name_of $pid))"
	release
}

test_what_may_live_elsewhere_is_not_gone() {
	local boot none

	none=$(gone_pid)
	text=$("$PIDTRACK" fingerprint $$)
	# it lives, by another number
	pt fingerprint --compare "$text" "$none"
	code_is 3
	out_is "$none unproven: the process compared with has another pid (compared: boot, pid)"
	text=${text/:pid=$$,/:pid=$none,}
	pt fingerprint --compare "$text" "$none"
	code_is 1
	out_matches 'gone: '
	# or in another pid namespace
	pt fingerprint --compare "$(sed 's/pidns=[0-9]*/pidns=1/' <<<"$text")" "$none"
	code_is 3
	out_is "$none unproven: the pid is of another pid namespace (compared: boot)"
	pt fingerprint --compare "pidtrack1:pid=$none" "$none"
	code_is 3
	out_is "$none unproven: no boot id to compare (compared: nothing)"
	boot=${text#*,boot=}
	boot=${boot%%,*}
	pt fingerprint --compare "${text/$boot/00000000-0000-4000-8000-000000000000}" "$none"
	code_is 1
	out_is "$none other-boot: the boot id is another (compared: boot)"
	usage fingerprint --compare nonsense "$none" --- 'is no fingerprint'
	pt fingerprint --compare pidtrack2:pid=1 "$none"
	code_is 3
	err_says 'was made by a later pidtrack'
}

# ---- features ----

test_features_lists_what_works_and_what_does_not() {
	pt features
	code_is 0
	silent
	out_matches '^FEATURE +WORKS +LINUX '
	! grep -Ev '^(FEATURE .*|[a-z0-9-]+ +yes +([0-9]+\.[0-9]+|any)|[a-z0-9-]+ +no +([0-9]+\.[0-9]+|any) +E[A-Z0-9]+ \(.+\): .+)$' out ||
		die "a line of another form"
	[[ $(wc -l <out) -gt 10 ]] || die "too few"
}

test_features_prints_json() {
	pt features --json
	code_is 0
	json
	json_is 'sorted(o)' "['error', 'feature', 'linux', 'loss', 'message', 'schema', 'works']"
	python3 -c '
import json
for line in open("out"):
    o = json.loads(line)
    assert o["works"] == (o["error"] is None) == (o["message"] is None), line
    assert o["loss"] and o["linux"], line' || die "not consistent"
}

test_features_required_are_features_that_work() {
	local name works

	pt features
	while read -r name works _; do
		[[ $name != FEATURE ]] || continue
		"$PIDTRACK" features --require "$name" >/dev/null
		[[ $?$works == 0yes || $?$works == 1no ]] || die "$name $works"
	done <out
}

# One line on standard error, wherever the table goes.
test_missing_features_that_are_required_are_named() {
	local name works linux error words=() missing=

	pt features
	while read -r name works linux error _; do
		[[ $name != FEATURE ]] || continue
		words+=(--require "$name")
		[[ $works == yes ]] || missing+="${missing:+, }$name ($error)"
	done <out
	[[ -n $missing ]] || skip "nothing is missing"
	pt features "${words[@]}"
	code_is 1
	[[ $err == "pidtrack: features: missing: $missing" ]] ||
		die "not what is missing: $missing"
	pt features --json "${words[@]}"
	code_is 1
	json
	[[ $err == "pidtrack: features: missing: $missing" ]] ||
		die "not what is missing: $missing"
	pt features
	silent
}

test_a_feature_there_is_not_cannot_be_required() {
	usage features --require xyzzy --- "no feature 'xyzzy'; 'pidtrack features' lists them"
	usage features --require clon3 --- "did you mean 'clone3'?"
}

test_features_leave_nothing_behind() {
	bash -c '"$0" features >/dev/null; cat /proc/$$/task/*/children' \
		"$PIDTRACK" >out
	[[ $(wc -w <out) -le 1 ]] || die "children: $(<out)"
}

# ---- in all ----

test_a_backend_there_is_not_is_told() {
	PIDTRACK_BACKEND=poll pt watch $$
	code_is 4
	err_says "cannot make a tracker with PIDTRACK_BACKEND=poll: Invalid argument; give uring or epoll"
}

test_no_descriptors_left_is_told() {
	pt run --rlimit nofile=4 "$PIDTRACK" wait $$
	code_is 4
	err_says "Too many open files; raise 'ulimit -n'"
}

run_tests "$@"
