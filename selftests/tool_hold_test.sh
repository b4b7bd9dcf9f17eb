#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# pidtrack hold, sentence by sentence; see tool.bash.  Hosts here are a few lines
# of python that speak as pidtrack(1) has it, so that they can also do wrong.

. "$(dirname "$0")/tool.bash"

# Starts it, by the command $HOLD, with the options "$@": $holder
begin_hold() {
	mkfifo ready
	# shellcheck disable=SC2086
	${HOLD-} "${HOLDER-$PIDTRACK}" hold "$@" held.sock >ready 2>hold.err &
	holder=$!
	exec 6<ready
	rm ready
	read -r -u 6 out || die "it is not ready: $(<hold.err)"
	[[ $out == "holding at held.sock" ]] || die "it is not ready"
	out=
}

# Ends it: $code and $err
# shellcheck disable=SC2034
end_hold() {
	kill -TERM "$holder"
	code=0
	wait "$holder" || code=$?
	err=$(<hold.err)
}

# What a host may do, by hand.
read -r -d '' HOST_CAN <<'END'
import array, errno, os, random, signal, socket, sys, threading

def connect(path="held.sock"):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(30)
    s.connect(path)
    return s

def send(s, text, fds=()):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
    s.sendmsg([text if type(text) is bytes else text.encode()],
              rights if fds else [])

# errno, the lines behind it, and descriptors
def hear(s, tag=None):
    text, control, flags, _ = s.recvmsg(20000, 2000)
    fds = array.array("i")
    for _, _, rights in control:
        fds.frombytes(rights)
    lines = text.decode().splitlines()
    if tag is not None:
        is_(lines.pop(0), "TAG=%d" % tag)
    is_(lines[0][:6], "ERRNO=")
    return int(lines[0][6:]), lines[1:], list(fds)

# whether that is it; closes what comes before
def hear_out(s):
    text, control, _, _ = s.recvmsg(20000, 2000)
    fds = array.array("i")
    for _, _, rights in control:
        fds.frombytes(rights)
    for fd in fds:
        os.close(fd)
    return text == b"TAG=1000000\nERRNO=0\n"

tags = iter(range(1, 1 << 60))

def ask(s, text, fds=()):
    tag = next(tags)
    send(s, text + "\nTAG=%d\n" % tag, fds)
    return hear(s, tag)

def store(s, name, fd):
    return ask(s, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0" % name, [fd])[0]

# { name: descriptor }, of all
def listed(s):
    found, after = {}, 0
    while True:
        error, lines, fds = ask(s, "FDLIST=%d" % after)
        is_(error, 0)
        names = [l[7:] for l in lines if l[:7] == "FDNAME="]
        is_(len(names), len(fds))
        found.update(zip(names, fds))
        after = int(lines[0][5:])
        if after == 0:
            return found

def is_(a, b):
    if a != b:
        raise Exception("%r, not %r" % (a, b))

def inode(fd):
    return os.fstat(fd).st_ino

def hup():
    os.kill(holder, signal.SIGHUP)

# how often it has slept, and its memory in KiB
def status(key):
    for line in open("/proc/%d/status" % holder):
        if line.startswith(key + ":"):
            return int(line.split()[1])

me, holder = os.pidfd_open(os.getpid()), int(sys.argv[1])
END

# Runs the python on standard input as one.
host() {
	# shellcheck disable=SC2086
	${HOST-} python3 -c "$HOST_CAN$NL$(cat)" "$holder" ||
		die "the host failed"
}

# ---- keeping ----

test_what_is_stored_is_listed_with_its_descriptor() {
	begin_hold
	host <<-'END'
		s = connect()
		is_(ask(s, "HELLO=1")[:2], (0, []))
		is_(listed(s), {})
		is_(store(s, "pidtrack.7.web", me), 0)
		is_(ask(s, "FDSTORE=1\nFDNAME=x\nPAYLOAD=a%20b", [me])[0], 0)
		error, lines, fds = ask(s, "FDLIST=0")
		is_(lines[1:], ["FDNAME=pidtrack.7.web", "FDNAME=x",
		                "PAYLOAD=a%20b"])
		is_([inode(fd) for fd in fds], [inode(me)] * 2)
	END
	host <<-'END'
		is_(list(listed(connect())), ["pidtrack.7.web", "x"])
	END
	end_hold
}

test_what_is_removed_is_held_no_longer() {
	begin_hold
	host <<-'END'
		s = connect()
		for name in "abc":
		    is_(store(s, name, me), 0)
		is_(ask(s, "FDSTOREREMOVE=1\nFDNAME=b")[0], 0)
		is_(ask(s, "FDSTOREREMOVE=1\nFDNAME=b")[0], errno.ENOENT)
		is_(list(listed(s)), ["a", "c"])
		# without a tag, and so without an answer
		send(s, "FDSTOREREMOVE=1\nFDNAME=a")
		send(s, "FDSTOREREMOVE=1\nFDNAME=a")
		is_(list(listed(s)), ["c"])
		is_(store(s, "b", me), 0)
		is_(list(listed(s)), ["c", "b"])
	END
	[[ $(find "/proc/$holder/fd" -lname '*pidfd*' | wc -l) == 2 ]] ||
		die "it has descriptors of what it let go"
}

test_a_payload_can_become_another() {
	begin_hold
	host <<-'END'
		s = connect()
		is_(store(s, "a", me), 0)
		is_(ask(s, "FDPAYLOAD=1\nFDNAME=b\nPAYLOAD=x")[0], errno.ENOENT)
		for text in ["\nPAYLOAD=x", "\nPAYLOAD=y%20z", ""]:
		    is_(ask(s, "FDPAYLOAD=1\nFDNAME=a" + text)[0], 0)
		    is_("\n".join(ask(s, "FDLIST=0")[1][1:]), "FDNAME=a" + text)
	END
}

test_what_a_host_said_before_it_ended_is_done() {
	begin_hold
	host <<-'END'
		s = connect()
		os.kill(holder, signal.SIGSTOP)
		send(s, "TAG=1\nFDSTORE=1\nFDNAME=a", [me])
		send(s, "TAG=2\nFDSTORE=1\nFDNAME=b", [me])
		send(s, "FDSTOREREMOVE=1\nFDNAME=a")
		s.close()
		os.kill(holder, signal.SIGCONT)
		s = connect()
		while list(listed(s)) != ["b"]:
		    pass
	END
}

test_what_was_said_before_a_list_was_asked_for_is_done_by_then() {
	begin_hold
	host <<-'END'
		def names(first, last):
		    return ["FDNAME=pidtrack.1.%d" % i for i in range(first, last)]

		s, dead = connect(), connect()
		# whose end is told before what it said, as it has not read all
		send(dead, "HELLO=1\nTAG=1")
		for i in range(30):
		    is_(store(s, "pidtrack.1.%d" % i, me), 0)
		os.kill(holder, signal.SIGSTOP)
		send(s, "FDLIST=0\nTAG=1")
		for name in names(10, 20):
		    send(s, "FDSTOREREMOVE=1\n" + name)
		for name in names(20, 30):
		    send(dead, "FDSTOREREMOVE=1\n" + name)
		dead.close()
		another = connect()
		send(another, "HELLO=1\nTAG=1")
		send(another, "FDLIST=0\nTAG=2")
		os.kill(holder, signal.SIGCONT)
		is_(hear(s, 1)[1][1:], names(0, 20))
		is_(hear(another, 1)[0], 0)
		is_(hear(another, 2)[1][1:], names(0, 10))
	END
	end_hold
}

test_a_name_or_a_label_is_there_once() {
	begin_hold
	host <<-'END'
		s = connect()
		is_(store(s, "pidtrack.1.web", me), 0)
		is_(store(s, "pidtrack.1.web", me), errno.EEXIST)
		is_(store(s, "pidtrack.2.web", me), errno.EEXIST)
		is_(store(s, "pidtrack.2.web.1", me), 0)
		is_(len(listed(s)), 2)
	END
}

test_only_pidfds_are_held() {
	begin_hold
	host <<-'END'
		s, pipe = connect(), os.pipe()
		proc = os.open("/proc/self", os.O_RDONLY)
		for fd in [pipe[0], pipe[1], s.fileno(), proc]:
		    is_(store(s, "x", fd), errno.EBADF)
		is_(listed(s), {})
		os.close(pipe[1])
		is_(os.read(pipe[0], 1), b"")
	END
}

test_one_that_is_full_says_so_and_has_room_again_later() {
	begin_hold --max 2
	host <<-'END'
		s = connect()
		is_([store(s, name, me) for name in "abc"], [0, 0, errno.ENOSPC])
		is_(list(listed(s)), ["a", "b"])
		is_(ask(s, "FDSTOREREMOVE=1\nFDNAME=a")[0], 0)
		is_([store(s, name, me) for name in "cd"], [0, errno.ENOSPC])
	END
}

test_ten_thousand_are_held_and_listed() {
	[[ $(ulimit -Hn) == unlimited || $(ulimit -Hn) -ge 10200 ]] ||
		skip "RLIMIT_NOFILE has no room for so many"
	begin_hold
	ulimit -Sn "$(ulimit -Hn)"
	host <<-'END'
		s = connect()
		names = ["pidtrack.%d.box-%d" % (i, i) for i in range(10000)]
		for name in names:
		    is_(store(s, name, me), 0)
		is_(store(s, "one-more", me), errno.ENOSPC)
		for i in range(2):
		    found = listed(s)
		    is_(list(found), names)
		    is_({inode(fd) for fd in found.values()}, {inode(me)})
		    for fd in found.values():
		        os.close(fd)
		    hup()
	END
}

test_it_wants_no_more_than_rlimit_nofile_has_room_for() {
	ulimit -n 100
	pt hold --max 50 held.sock
	code_is 4
	err_says "RLIMIT_NOFILE has room to hold 4, not 50;"
	[[ ! -e held.sock ]] || die "there is a socket"
	ulimit -n 64
	pt hold held.sock
	code_is 4
	err_says "RLIMIT_NOFILE has room to hold 0, not 1;"
}

# ---- those who do wrong ----

test_rubbish_is_told_of_once_and_loses_nothing() {
	begin_hold
	host <<-'END'
		s = connect()
		is_(store(s, "a", me), 0)
		for text in ["x", "FDSTORE=1", "FDSTORE=1\nFDNAME=x", "=", "FDNAME=a",
		             "FDSTORE=2\nFDNAME=x", "FDSTOREREMOVE=1", "FDLIST=-1",
		             "FDLIST=18446744073709551616", "FDLIST=0\nHELLO=1",
		             "FDLIST=0\nFDNAME=a", "HELLO=1\nFDNAME=a\nFDNAME=a",
		             "FDSTOREREMOVE=1\nFDNAME=a:", "HELLO=1\nTAG=1\nTAG=1",
		             "FDSTOREREMOVE=1\nFDNAME=a\nPAYLOAD=x", "HELLO=1\n\0"]:
		    send(s, text)
		    is_(hear(s, 1 if "TAG" in text else None)[0], errno.EBADMSG)
		is_(ask(s, "FDNAME=" + "x" * 256 + "\nFDSTORE=1", [me])[0],
		    errno.EBADMSG)
		is_(ask(s, "FDLIST=0", [me])[0], errno.EBADMSG)
		is_(ask(s, "FDSTORE=1\nFDNAME=b", [me, me])[0], errno.EBADMSG)
		is_(ask(s, "FDSTORE=1\nFDNAME=b", [me] * 253)[0], errno.EBADMSG)
		send(s, "HELLO=1\n" + "x" * 5000)
		is_(hear(s)[0], errno.EMSGSIZE)
		is_(list(listed(s)), ["a"])

		seed = random.randrange(1 << 30)
		r = random.Random(seed)
		words = [b"FDSTORE=1\n", b"FDNAME=x", b"\n", b"TAG=", b"7", b"PAYLOAD=",
		         b"FDLIST=", b"\0", b"\xff", b"HELLO=1", b" ", b"FDPOLL=0\n"]
		for i in range(5000):
		    send(s, b"".join(r.choices(words, k=r.randrange(1, 8))),
		         [0] * r.randrange(0, 3))
		    # whatever it is answered, this one is the last
		    send(s, "HELLO=1\nTAG=1000000")
		    while not hear_out(s):
		        pass
		if "a" not in listed(connect()):
		    raise Exception("lost, with seed %d" % seed)
	END
	[[ $(find "/proc/$holder/fd" -lname '*pidfd*' | wc -l) == 1 ]] ||
		die "it has descriptors that it refused"
}

test_a_host_that_never_reads_neither_blocks_it_nor_makes_it_grow() {
	begin_hold
	host <<-'END'
		good, bad = connect(), connect()
		for i in range(300):
		    is_(store(good, "n%d" % i, me), 0)
		is_(len(listed(good)), 300)
		before = status("VmRSS")
		try:
		    while True:
		        send(bad, "FDLIST=0\nTAG=1")
		except (BrokenPipeError, ConnectionResetError):
		    pass
		is_(len(listed(good)), 300)
		if status("VmRSS") > before + 2048:
		    raise Exception("it grew by %d KiB" % (status("VmRSS") - before))
	END
}

test_more_hosts_than_it_serves_are_told() {
	begin_hold
	host <<-'END'
		all = [connect() for i in range(64)]
		for s in all:
		    is_(ask(s, "HELLO=1")[0], 0)
		more = connect()
		is_(hear(more)[0], errno.EUSERS)
		is_(more.recv(1), b"")
		all.pop().close()
		# it may not have seen that yet
		while True:
		    more = connect()
		    try:
		        send(more, "HELLO=1\nTAG=1")
		        if more.recv(100) == b"TAG=1\nERRNO=0\n":
		            break
		    except (BrokenPipeError, ConnectionResetError):
		        pass # refused before it was read
	END
}

test_another_user_is_refused_and_told() {
	need_root
	chmod 777 .
	HOLD='setpriv --reuid 65534 --regid 65534 --clear-groups' begin_hold
	[[ $(stat -c '%a %u' held.sock) == '600 65534' ]] || die "it is not its own"
	host <<-'END'
		s = connect()
		is_(hear(s)[0], errno.EPERM)
		is_(s.recv(1), b"")
	END
	HOST='setpriv --reuid 65534 --regid 65534 --clear-groups' host <<-'END'
		is_(store(connect(), "a", me), 0)
	END
	end_hold
	code_is 0
}

# ---- idle ----

test_idle_it_sleeps_without_an_end() {
	begin_hold
	host <<-'END'
		s = connect()
		is_(store(s, "a", me), 0)
		while True:
		    call = open("/proc/%d/syscall" % holder).read().split()
		    if call[0] != "running":
		        break
		# epoll_wait(epoll, events, 16, -1), or epoll_pwait
		is_((int(call[3], 16), int(call[4], 16) & 0xffffffff),
		    (16, 0xffffffff))
		for fd in os.listdir("/proc/%d/fd" % holder):
		    if "timerfd" in os.readlink("/proc/%d/fd/%s" % (holder, fd)):
		        raise Exception("there is a timer")
		# the processes it holds come and go, and do not wake it
		pid = os.fork()
		if pid == 0:
		    signal.pause()
		is_(store(s, "b", os.pidfd_open(pid)), 0)
		while open("/proc/%d/syscall" % holder).read().startswith("running"):
		    pass
		slept = status("voluntary_ctxt_switches")
		os.kill(pid, signal.SIGKILL)
		os.waitpid(pid, 0)
		for i in range(50):
		    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
		is_(status("voluntary_ctxt_switches"), slept)
	END
}

# ---- executed anew ----

test_sighup_executes_it_anew_and_loses_nothing_under_load() {
	begin_hold
	host <<-'END'
		def load(n):
		    try:
		        s = connect()
		        for i in range(300):
		            is_(store(s, "pidtrack.%d.%d-%d" % (n, n, i), me), 0)
		            if i % 3 == 0:
		                is_(ask(s, "FDSTOREREMOVE=1\nFDNAME=pidtrack.%d.%d-%d"
		                        % (n, n, i))[0], 0)
		            if i % 50 == 0:
		                for fd in listed(s).values():
		                    os.close(fd)
		    except Exception as e:
		        wrong.append(e)

		s, wrong = connect(), []
		is_(ask(s, "FDSTORE=1\nFDNAME=first\nPAYLOAD=x%20", [me])[0], 0)
		threads = [threading.Thread(target=load, args=(n,)) for n in range(4)]
		for t in threads:
		    t.start()
		n = 0
		while any(t.is_alive() for t in threads) or n < 20:
		    hup()
		    n += 1
		    is_(ask(s, "HELLO=1")[0], 0)
		for t in threads:
		    t.join()
		is_(wrong, [])
		found = listed(s)
		is_(set(found), {"first"} | {"pidtrack.%d.%d-%d" % (n, n, i)
		    for n in range(4) for i in range(300) if i % 3})
		is_({inode(fd) for fd in found.values()}, {inode(me)})
		is_(ask(s, "FDLIST=0")[1][1:3], ["FDNAME=first", "PAYLOAD=x%20"])
	END
	end_hold
	code_is 0
	[[ $err == *"801 processes are held no longer"* ]] || die "not 801"
	[[ ! -e held.sock ]] || die "there is a socket"
}

# A tool of our own, that can be replaced.
copy_tool() {
	cp "$PIDTRACK" tool
	export LD_LIBRARY_PATH=$PIDTRACK_BUILD/lib
	HOLDER=./tool
}

test_it_is_a_later_tool_that_is_executed() {
	copy_tool
	begin_hold
	rm tool
	cp "$PIDTRACK" tool
	host <<-'END'
		s = connect()
		is_(store(s, "a", me), 0)
		hup()
		is_(list(listed(s)), ["a"])
		while os.stat("/proc/%d/exe" % holder).st_ino != os.stat("tool").st_ino:
		    is_(ask(s, "HELLO=1")[0], 0)
		is_(list(listed(s)), ["a"])
	END
}

test_where_that_fails_it_goes_on() {
	copy_tool
	begin_hold
	rm tool
	host <<-'END'
		s = connect()
		is_(store(s, "a", me), 0)
		for i in range(3):
		    hup()
		    is_(list(listed(s)), ["a"])
	END
	end_hold
	code_is 0
	[[ $err == *"cannot execute "*/tool*", going on: No such file"* ]] ||
		die "it does not say so"
}

# ---- its socket ----

test_the_socket_is_its_users_alone_and_removed_in_the_end() {
	begin_hold
	[[ $(stat -c %a held.sock) == 600 ]] || die "it is not private"
	end_hold
	code_is 0
	silent
	[[ ! -e held.sock ]] || die "there is a socket"
}

test_a_socket_of_a_dead_one_is_replaced() {
	begin_hold
	kill -KILL "$holder"
	wait "$holder" 2>/dev/null
	[[ -S held.sock ]] || die "there is no socket"
	begin_hold
	host <<<'is_(ask(connect(), "HELLO=1")[0], 0)'
	end_hold
	code_is 0
}

test_two_at_one_socket_are_one_too_many() {
	begin_hold
	pt hold held.sock
	code_is 4
	err_says "somebody listens there"
	host <<<'is_(ask(connect(), "HELLO=1")[0], 0)'
}

test_what_is_no_socket_stays() {
	echo mine >held.sock
	pt hold held.sock
	code_is 4
	err_says "it is no socket"
	[[ $(<held.sock) == mine ]] || die "it is gone"
	pt hold none/held.sock
	code_is 4
	err_says "make the directory first"
	pt hold "$(printf %0108d 0)"
	code_is 4
	err_says "File name too long"
}

test_a_socket_that_took_its_place_stays() {
	begin_hold
	first=$holder
	rm held.sock
	begin_hold
	kill -TERM "$first"
	wait "$first"
	host <<<'is_(ask(connect(), "HELLO=1")[0], 0)'
}

test_its_words_are_checked() {
	usage hold --- 'which SOCKET?'
	usage hold a b --- 'one SOCKET'
	usage hold --max 0 a --- "no number from 1 to"
	usage hold --max x a --- "no number from 1 to"
	usage hold --mux 1 a --- "did you mean '--max'?"
}

run_tests "$@"
