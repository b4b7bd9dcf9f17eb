#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# What pidtrack watch tells programs: JSON, traces and metrics; see tool.bash.

. "$(dirname "$0")/tool.bash"

# Waits until python's expression $2 of the bytes of file $1, as b, is true.
# Whoever writes it does so while we look.
await_file() {
	timeout 20 python3 -c '
import os, select, sys
def there():
    try:
        b = open(sys.argv[1], "rb").read()
    except FileNotFoundError:
        return False
    return eval(sys.argv[2])
while not there():
    select.select([], [], [], 0.01)' "$1" "$2" || die "$1: not $2"
}

# A box with a record of a shim that runs: $pid, $host
fill_box() {
	mkdir -p box
	hold_recorded "$@"
	mv a.record box/web.record
}

# ---- JSON ----

# Whether the objects in file $1 have the members that the manual $2 has for
# their events, and each of those is in one of them.
cat_check_members() {
	cat <<-'END'
	import json, re, sys

	documented, events, inside = {}, [], False
	for line in open(sys.argv[2]):
	    if re.match(r"\.S[sh] ", line):
	        inside = line == ".Ss JSON of watch\n"
	    elif inside and line == ".El\n":
	        break
	    elif inside and line.startswith(".It "):
	        events = re.findall(r"Q[qo] ([a-z-]+)", line) or ["any"]
	    elif inside and line.startswith(".Va "):
	        for event in events:
	            documented.setdefault(event, set()).update(
	                re.findall(r"[a-z_]+", line[4:]))
	everywhere = documented.pop("any")
	documented["removed"] = set() # no more, it says

	seen = {}
	for line in open(sys.argv[1], "rb"):
	    o = json.loads(line.decode())
	    assert everywhere <= o.keys(), (everywhere - o.keys(), o)
	    assert o["schema"] == 1
	    seen.setdefault(o["event"], set()).update(o.keys() - everywhere)

	# what is said of exited is said of reaped: which of the two tells how
	# depends on who is quicker
	for of in documented, seen:
	    ends = of.get("exited", set()) | of.get("reaped", set())
	    of["exited"] = of["reaped"] = ends
	for event in documented.keys() | seen.keys():
	    a, b = documented.get(event), seen.get(event)
	    assert a == b, f"{event}: the manual has {a}, watch tells {b}"
	END
}

check_members() {
	python3 <(cat_check_members) "$1" "$2"
}

test_the_members_of_json_are_those_of_the_manual() {
	need_manual
	need_exit_info
	local fault

	fill_box exit 3
	gone_pid >box/gone.pid
	begin_watch --json box
	cat <&8 >told 9>&- &
	launch_other other.record
	mv other.record box/other.record
	await_file told 'b.count(b"attached") == 2 and b"verified" in b'
	kill -KILL "$other"
	release
	await_file told 'b.count(b"\"source\"") == 2'
	rm box/web.record
	await_file told 'b"removed" in b'
	rm -r box
	watched
	wait
	check_members told "$MANUAL" || die "other members"
	# and that this would have been found
	for fault in '/^\.Ss JSON of watch/,$s/^\.Va state ,/.Va/' \
		'/^\.Ss JSON of watch/,$s/^\.Va state ,/.Va state , mood ,/'; do
		sed "$fault" "$MANUAL" >planted
		! cmp -s "$MANUAL" planted || die "nothing is planted"
		! check_members told planted 2>/dev/null ||
			die "not found: $fault"
	done
}

test_every_object_says_of_which_schema_it_is() {
	local words

	echo $$ >here.pid
	mkdir box
	cp here.pid box
	for words in "features" "fingerprint $$" "verify ./here.pid" "list box" \
		"wait --timeout 0 $(gone_pid)" \
		"run --detach $SHIM"; do
		# shellcheck disable=SC2086
		pt ${words%% *} --json ${words#"${words%% *}"}
		[[ $words == wait* ]] || [[ -n $out ]] || die "$words: nothing"
		[[ -z $out ]] || json_is 'o["schema"]' 1
	done
}

# Labels have no control characters, names of files may have any.
test_json_is_utf8_whatever_things_are_called() {
	mkdir box
	hold_recorded
	forge 'label=[^\n]*' 'label=a%22b%5c%c3%a4%ff%ed%a0%80'
	mv another.record "$(printf 'box/q"\\\t\001\n\177\303\244\377\360\237.r')"
	begin_watch --json box
	IFS= read -r -t 20 -u 8 out || die "nothing is told"
	printf '%s\n' "$out" >told
	python3 - <<-'END' || die "it is something else"
	import json
	o = json.loads(open("told", "rb").read().decode("utf-8", "strict"))
	bad = "\ufffd"
	assert o["event"] == "attached", o
	assert o["label"] == 'a"b\\\u00e4' + 4 * bad, ascii(o["label"])
	assert o["record"] == 'box/q"\\\t\x01\n\x7f\u00e4' + 3 * bad + ".r", \
	    ascii(o["record"])
	END
	kill $watching
	release
	wait
}

# ---- traces ----

# Whether file $1 is a trace as the format has it; $2 of lives have ended, $3
# have not.  What python says in $4 of its events, e, is true as well.
check_trace() {
	python3 - "$@" <<-'END'
	import json, sys

	text = open(sys.argv[1], "rb").read().decode("utf-8", "strict")
	if not text.endswith("]\n"): # the format does without
	    text += "]"
	e = json.loads(text)
	rows, ts, ended = {}, 0, 0
	for x in e:
	    assert type(x["name"]) is str and x["name"], x
	    assert x["ph"] in ("B", "E", "i", "M"), x
	    assert type(x["pid"]) is int and type(x["tid"]) is int, x
	    assert type(x["args"]) is dict, x
	    known = {"name", "ph", "ts", "pid", "tid", "s", "args"}
	    assert x.keys() <= known, x
	    if x["ph"] == "M":
	        assert x["name"] in ("process_name", "thread_name",
	                             "thread_sort_index"), x
	        continue
	    assert type(x["ts"]) is int and x["ts"] >= ts, x
	    ts = x["ts"]
	    row = rows.setdefault((x["pid"], x["tid"]), [])
	    if x["ph"] == "B":
	        row.append(x)
	    elif x["ph"] == "E":
	        assert row and row.pop()["name"] == x["name"], x
	        assert x["args"]["source"] and "status" in x["args"], x
	        ended += 1
	    else:
	        assert x["s"] in ("t", "p", "g"), x
	assert ended == int(sys.argv[2]), ended
	assert sum(map(len, rows.values())) == int(sys.argv[3]), rows
	# each row of a life is named as its slice
	names = {x["tid"]: x["args"]["name"] for x in e
	         if x["name"] == "thread_name"}
	for x in e:
	    assert x["ph"] != "B" or names[x["tid"]] == x["name"], x
	assert eval(" ".join(sys.argv[4].split())), e
	END
}

test_a_trace_has_a_slice_for_each_life() {
	need_exit_info
	fill_box exit 3
	gone_pid >box/gone.pid
	begin_watch --trace a.trace box
	next_line
	next_line
	release
	next_line
	[[ $out != *' exited' ]] || next_line
	rm box/web.record
	next_line
	out_matches 'removed$'
	rm -r box
	watched
	code_is 1
	tail -n 1 a.trace | grep -qx ']' || die "it has no end"
	check_trace a.trace 1 0 '
		[x["args"]["exit_code"] for x in e if x["ph"] == "E"] == [3] and
		[x["name"] for x in e if x["ph"] == "B"] == ["a web"] and
		{"exited", "verified", "removed"} <=
			{x["name"] for x in e if x["ph"] == "i"} and
		[x["args"]["verdict"] for x in e if x["name"] == "verified"] ==
			["gone"]' || die "another trace"
}

test_who_is_watched_twice_has_two_lives() {
	need_exit_info
	hold exit 0
	begin_watch --trace a.trace $pid $pid
	next_line
	next_line
	release
	watched
	code_is 0
	check_trace a.trace 2 0 '
		len({x["tid"] for x in e if x["ph"] == "B"}) == 2' ||
		die "another trace"
}

test_a_trace_of_a_killed_watch_can_be_read() {
	fill_box
	begin_watch --trace a.trace box
	await_file a.trace 'b"\"B\"" in b'
	kill -KILL $watching
	wait $watching
	! grep -qx ']' a.trace || die "it has an end"
	check_trace a.trace 0 1 '"fingerprint" in e[-1]["args"]' ||
		die "another trace"
	release
	wait
}

test_an_interrupted_watch_ends_what_it_writes() {
	local number

	fill_box
	for number in 1 2 15; do
		rm -f a.trace
		# bash has what it begins in the background ignore SIGINT
		mkfifo lines
		python3 -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$PIDTRACK" watch --trace a.trace \
			--openmetrics a.prom box >lines 2>err 9>&- &
		watching=$!
		exec 8<lines
		rm lines
		await_file a.trace 'b"\"B\"" in b'
		kill -$number $watching
		watched
		code_is $((128 + number))
		[[ -z $err ]] || die "it says something"
		tail -n 1 a.trace | grep -qx ']' || die "$number: no end"
		check_trace a.trace 0 1 True || die "another trace"
		grep -qx 'pidtrack_live_processes 1' a.prom ||
			die "not the last metrics"
	done
	release
	wait
}

test_a_trace_ends_when_the_reader_of_lines_leaves() {
	fill_box
	"$PIDTRACK" watch --trace a.trace box 9>&- | head -n 1 >out
	[[ "${PIPESTATUS[*]}" == '0 0' ]] || die "codes ${PIPESTATUS[*]}"
	tail -n 1 a.trace | grep -qx ']' || die "no end"
	release
	wait
}

test_a_trace_that_cannot_be_made_is_refused() {
	mkfifo a.fifo
	mkdir box
	pt watch --trace nowhere/a.trace $$
	code_is 4
	err_says "cannot trace into 'nowhere/a.trace': No such file or directory"
	for file in a.fifo /dev/null; do
		pt watch --trace $file $$
		code_is 4
		err_says "cannot trace into '$file': it is no regular file"
	done
	pt watch --trace box $$
	code_is 4
	err_says "cannot trace into 'box': Is a directory"
	usage watch --trace - $$ --- 'standard output has the lines'
	usage watch --trace --- '--trace wants a value: --trace FILE'
	# it would be told of itself, and so on
	usage watch --trace box/a.trace box --- 'is in a directory that is watched'
	usage watch --openmetrics ./box/a.prom box --- \
		'is in a directory that is watched'
	[[ -z $(ls box) ]] || die "it was made"
	# and what there is nobody for is not touched
	echo before >a.trace
	pt watch --trace a.trace "$(gone_pid)"
	code_is 1
	grep -qx before a.trace || die "it is gone"
}

test_a_trace_that_cannot_be_written_any_more_is_told_of_once() {
	fill_box exit 3
	(
		trap '' XFSZ
		ulimit -f 1
		exec "$PIDTRACK" watch --trace a.trace $pid $pid $pid $pid
	) > >(exec cat >out 9>&-) 2>err 9>&- & # no limit for that
	await_file out 'b.count(b"attached") == 4'
	release
	code=0
	wait $! || code=$?
	out='' err=$(<err)
	code_is 4
	err_says "cannot write the trace 'a.trace': File too large"
	await_file out 'b.count(b"code 3") == 4'
	wait
}

# ---- metrics ----

# Whether the text in file $1 is OpenMetrics, and has the samples of the other
# arguments, NAME=VALUE, with {label="..."} in NAME.
check_metrics() {
	python3 - "$@" <<-'END'
	import re, sys

	text = open(sys.argv[1]).read()
	assert text.endswith("\n# EOF\n")
	samples, types = {}, {}
	for line in text.splitlines()[:-1]:
	    m = re.fullmatch(r"# TYPE (pidtrack_\w+) (counter|gauge)", line)
	    if m:
	        assert m[1] not in types, line
	        name = m[1]
	        types[name] = m[2]
	        continue
	    m = re.fullmatch(r"# (HELP|UNIT) (pidtrack_\w+) \S.*", line)
	    if m:
	        assert m[2] == name, line
	        assert m[1] == "HELP" or name.endswith("_" + line.split()[3])
	        continue
	    m = re.fullmatch(r'(\w+)(\{\w+="[\w-]+"\})? ([0-9.]+)', line)
	    assert m, line
	    assert m[1] == name + ("_total" if types[name] == "counter" else "")
	    assert (m[1] + (m[2] or "")) not in samples, line
	    samples[m[1] + (m[2] or "")] = float(m[3])
	for wanted in sys.argv[2:]:
	    name, value = wanted.rsplit("=", 1)
	    assert samples[name] == float(value), (wanted, samples[name])
	END
}

test_a_file_of_metrics_counts_what_happened() {
	need_exit_info
	ulimit -c 0
	umask 077
	mkdir box collected
	hold_recorded exit 3
	mv a.record box/web.record
	gone_pid >box/gone.pid
	echo nothing >box/README
	launch_other other.record
	mv other.record box
	"$PIDTRACK" watch --openmetrics collected/a.prom box >lines 2>err 9>&- &
	watching=$!
	await_file collected/a.prom 'b"live_processes 2\n" in b'
	check_metrics collected/a.prom pidtrack_live_processes=2 \
		pidtrack_watched_processes_total=2 \
		pidtrack_records_without_process=2 \
		'pidtrack_absences_total{verdict="gone"}=1' \
		'pidtrack_absences_total{verdict="none"}=1' ||
		die "other metrics"
	before=$(stat -c %i collected/a.prom)
	# whose number is not another's as long as it is open
	exec 6<collected/a.prom
	kill -KILL "$other"
	await_file collected/a.prom 'b"kind=\"killed\"} 1\n" in b'
	[[ $(stat -c %i collected/a.prom) != "$before" ]] ||
		die "it is written in its place"
	check_metrics /dev/fd/6 pidtrack_live_processes=2 ||
		die "it is not what it was"
	release
	await_file lines 'b"code 3" in b'
	rm -r box
	wait $watching
	wait
	check_metrics collected/a.prom pidtrack_live_processes=0 \
		pidtrack_untold_exits=0 pidtrack_records_removed_total=4 \
		'pidtrack_exits_total{kind="failed"}=1' \
		'pidtrack_exits_total{kind="killed"}=1' \
		'pidtrack_exits_total{kind="exited"}=0' \
		'pidtrack_statuses_total{source="recovered"}=2' ||
		die "other metrics in the end"
	[[ $(ls collected) == a.prom ]] || die "$(ls collected) is left"
	[[ $(stat -c %a collected/a.prom) == 644 ]] || die "another mode"
}

test_an_end_nobody_told_is_one_of_its_own() {
	hold_zombie
	"$PIDTRACK" watch --openmetrics a.prom "$pid" >lines 9>&- 7>&- &
	await_file a.prom 'b"untold_exits 1\n" in b'
	check_metrics a.prom pidtrack_live_processes=0 pidtrack_untold_exits=1 \
		'pidtrack_statuses_total{source="recovered"}=0' ||
		die "other metrics"
	release
	wait $! || die "it failed"
	check_metrics a.prom pidtrack_untold_exits=0 || die "other metrics"
}

# By who wrote the parser of Prometheus's own library.
test_others_read_the_metrics() {
	local python=python3 import='import prometheus_client.openmetrics.parser'

	# Debian's package is Debian's python3's
	$python -c "$import" 2>/dev/null || python=/usr/bin/python3
	$python -c "$import" 2>/dev/null || skip "no python3-prometheus-client"
	hold exit 0
	"$PIDTRACK" watch --openmetrics a.prom $pid >/dev/null 9>&- &
	await_file a.prom 'b"live_processes 1\n" in b'
	$python - <<-'END' || die "it reads something else"
	from prometheus_client.openmetrics import parser
	families = {f.name: f for f in
	            parser.text_string_to_metric_families(open("a.prom").read())}
	assert families["pidtrack_live_processes"].samples[0].value == 1
	assert families["pidtrack_exits"].type == "counter"
	assert families["pidtrack_start_time_seconds"].unit == "seconds"
	assert all(f.documentation for f in families.values())
	END
	release
	wait $! || die "it failed"
}

test_a_file_of_metrics_is_written_once_a_second_at_most() {
	need_exit_info
	mkdir collected
	cat >many <<-'END'
	import ctypes, os, subprocess, sys, time
	shim, tool = sys.argv[1:]
	libc = ctypes.CDLL(None)
	fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
	libc.inotify_add_watch(fd, b"collected", 0x40) # IN_MOVED_FROM
	shims = [subprocess.Popen([shim, "wait"], stdin=subprocess.PIPE)
	         for i in range(30)]
	begun = time.monotonic()
	watch = subprocess.Popen([tool, "watch", "--openmetrics",
	                          "collected/a.prom"] +
	                         [str(s.pid) for s in shims],
	                         stdout=subprocess.PIPE)
	for s in shims:
	    watch.stdout.readline()
	for s in shims: # each is told before the next one ends
	    s.stdin.close()
	    s.wait()
	    while b" code 0 " not in watch.stdout.readline():
	        pass
	assert watch.wait() == 0
	seconds = time.monotonic() - begun
	n = os.read(fd, 65536).count(b"a.prom.")
	# the first, empty one, that at once, and the last
	assert 2 <= n <= seconds + 3, (n, seconds)
	END
	python3 many "$SHIM" "$PIDTRACK" || die "too often"
	check_metrics collected/a.prom 'pidtrack_exits_total{kind="exited"}=30' ||
		die "other metrics"
}

test_metrics_that_cannot_be_written_are_refused() {
	mkdir box
	pt watch --openmetrics nowhere/a.prom $$
	code_is 4
	err_says "cannot write the metrics 'nowhere/a.prom': No such file or directory"
	pt watch --openmetrics ./box $$
	code_is 4
	err_says "cannot write the metrics './box': Is a directory"
	[[ $(ls) != *box.* ]] || die "$(ls) is left"
}

test_an_address_is_one_of_the_loopback() {
	local word

	for word in 0.0.0.0:9 192.0.2.1:9100 '[::]:9100' '*:9100' \
		'[2001:db8::1]:9100' example.org:9100 128.0.0.1:9100 ::1:9100 \
		'[::ffff:127.0.0.1]:9100' 127.1:9100; do
		usage watch --openmetrics "$word" $$ --- \
			"'$word' is no address of this machine's loopback"
	done
	for word in a:b :65536 127.0.0.1: ':-1' '[::1]'; do
		usage watch --openmetrics "$word" $$ --- \
			"'$word' has no port from 0 to 65535 at its end"
	done
	usage watch --openmetrics 9100 $$ --- "'./9100' or ':9100'"
	usage watch --openmetrics - $$ --- 'standard output has the lines'
}

# Begins a watch of a shim with metrics at $1: $port
begin_scraped() {
	hold
	mkfifo lines
	"$PIDTRACK" watch --openmetrics "$1" $pid >lines 2>err 9>&- &
	watching=$!
	exec 8<lines
	rm lines
	next_line
	port=$(sed -n 's/.*the metrics are at .*:\([0-9]*\)$/\1/p' err)
	[[ -n $port ]] || die "no port: $(<err)"
}

test_metrics_are_scraped() {
	local host

	for host in 127.0.0.1 localhost '' 127.0.0.2; do
		rm -f held
		begin_scraped "$host:0"
		python3 - "${host:-127.0.0.1}" "$port" <<-'END' ||
		import sys, urllib.error, urllib.request
		at = f"http://{sys.argv[1]}:{sys.argv[2]}"
		for path in "/metrics", "/metrics?name=x":
		    with urllib.request.urlopen(at + path) as answer:
		        assert answer.status == 200
		        assert answer.headers["Content-Type"] == (
		            "application/openmetrics-text; version=1.0.0; "
		            "charset=utf-8")
		        assert answer.headers["Connection"] == "close"
		        body = answer.read()
		        assert len(body) == int(answer.headers["Content-Length"])
		    open("scraped", "wb").write(body)
		def fails(code, *args, **kwargs):
		    try:
		        urllib.request.urlopen(
		            urllib.request.Request(*args, **kwargs))
		    except urllib.error.HTTPError as error:
		        assert error.code == code, error
		        return error
		    assert False, args
		for path in "/", "/metric", "/metricss", "/metrics/":
		    fails(404, at + path)
		for method in "POST", "HEAD", "DELETE":
		    error = fails(405, at + "/metrics", method=method)
		    assert error.headers["Allow"] == "GET"
		fails(405, at + "/metrics", method="POST", data=b"x" * 50000)
		END
			die "not by $host"
		check_metrics scraped pidtrack_live_processes=1 || die "not so"
		release
		watched
		code_is 0
	done
}

test_metrics_are_scraped_by_ipv6() {
	python3 -c 'import socket
socket.create_server(("::1", 0), family=socket.AF_INET6)' 2>/dev/null ||
		skip "no ::1"
	begin_scraped '[::1]:0'
	python3 -c 'import sys, urllib.request
assert urllib.request.urlopen(f"http://[::1]:{sys.argv[1]}/metrics").read()' \
		"$port" || die "no answer"
	# a port that is taken
	pt watch --openmetrics "[::1]:$port" $$
	code_is 4
	err_says "cannot listen at '[::1]:$port': Address already in use"
	release
	watched
	code_is 0
}

test_a_bad_request_is_refused() {
	begin_scraped :0
	python3 - "$port" <<-'END' || die "another answer"
	import socket, sys
	def ask(request):
	    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
	        s.sendall(request)
	        answer = b""
	        while True:
	            more = s.recv(65536)
	            if not more:
	                return answer
	            answer += more
	end = b"\r\n\r\n"
	for bad in b"x", b"GET", b"GET /metrics", b"GET /metrics FTP/1.1", \
	           b"GET /metrics HTTP/2", b" /metrics HTTP/1.1x\0", b"\0", b"":
	    assert ask(bad + end).startswith(b"HTTP/1.1 400 "), bad
	assert ask(b"GET /\r\nfoo HTTP/1.1" + end).startswith(b"HTTP/1.1 400 ")
	for n in 5000, 60000, 200000:
	    try:
	        answer = ask(b"GET /metrics HTTP/1.1\r\nx: " + b"x" * n + end)
	    except ConnectionError: # who talks without an end is left
	        assert n > 60000
	        continue
	    assert answer.startswith(b"HTTP/1.1 431 "), (n, answer)
	# byte by byte, without \r, and with more than was waited for
	s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
	for byte in b"GET /metrics HTTP/1.0\n\n":
	    s.send(bytes([byte]))
	assert s.recv(12) == b"HTTP/1.1 200"
	s.close()
	for more in b"more", b"\0", b"x" * 8000:
	    assert ask(b"GET /metrics HTTP/1.1" + end + more).startswith(
	        b"HTTP/1.1 200 ")
	END
	release
	watched
	code_is 0
}

test_nobody_who_asks_can_stop_the_watching() {
	begin_scraped :0
	cat >crowd <<-'END'
	import socket, struct, sys, urllib.request
	at = ("127.0.0.1", int(sys.argv[1]))
	def scrape():
	    answer = urllib.request.urlopen(f"http://127.0.0.1:{at[1]}/metrics")
	    return answer.read()
	silent = [socket.create_connection(at) for i in range(60)]
	half = [socket.create_connection(at) for i in range(8)]
	for s in half:
	    s.sendall(b"GET /metrics")
	asked = [socket.create_connection(at) for i in range(4)] # and do not read
	for s in asked:
	    s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
	for i in range(20): # and go without a word
	    s = socket.create_connection(at)
	    s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
	    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
	                 struct.pack("ii", 1, 0))
	    s.close()
	assert b"live_processes 1\n" in scrape()
	left = 0
	for s in silent + half:
	    s.setblocking(False)
	    try:
	        s.recv(1)
	    except BlockingIOError:
	        left += 1
	    except ConnectionError:
	        pass
	assert left <= 16, left
	print(left, flush=True)
	sys.stdin.read()
	END
	mkfifo stays
	python3 crowd "$port" <stays >crowded 9>&- 8<&- &
	crowd=$!
	exec 7>stays
	await_file crowded 'b.endswith(b"\n")'
	# they are there still, and watching goes on
	release
	next_line
	watched
	code_is 0
	exec 7>&-
	wait $crowd || die "the crowd failed"
}

# ---- together ----

test_a_table_a_trace_and_metrics_go_together() {
	need_exit_info
	need_table
	hold_recorded exit 3
	TERM=xterm on_terminal "$PIDTRACK" watch --trace a.trace \
		--openmetrics a.prom a.record
	sees "^$pid +a web +[0-9]+s running"
	kill -TERM $pid
	ends 'code 0'
	sees "^$pid +a web +[0-9]+s SIGTERM"
	finish
	check_trace a.trace 1 0 True || die "another trace"
	check_metrics a.prom 'pidtrack_exits_total{kind="killed"}=1' ||
		die "other metrics"
	release
	wait
}

run_tests "$@"
