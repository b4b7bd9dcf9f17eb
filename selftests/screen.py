# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""A terminal that tells what is on its screen.

    screen.py ROWS COLUMNS COMMAND...

runs COMMAND in the foreground of a terminal of its own, as a shell would, and
does what each line of standard input asks for, which it answers with one line.
REGEX is looked for in the lines of the screen; what is waited for must come in
20 seconds (times PIDTRACK_TEST_SLOW), else the answer is "no", and the screen
is on standard error, with what the kernel says of COMMAND.

    sees REGEX      when it does
    lacks REGEX     when it does not
    line REGEX      the first such line, when there is one
    counts REGEX    how many lines there are now
    types KEYS      as Python writes them: q, \\x1b[B
    size ROWS COLUMNS
    signal NAME     to COMMAND: TERM
    stopped         when it is
    ends            when it has: "code N" or "signal NAME"
    colours         those there were so far: "31 32"
    given-back      whether the terminal is as it was: modes, cursor, screen
    job             COMMAND's number
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 20 * int(os.environ.get("PIDTRACK_TEST_SLOW") or 1)  # seconds


class Screen:
    """What the sequences of linux, vt100 and xterm make of it, as far as ncurses
    uses them; another one is an error."""

    def __init__(self, rows, columns):
        self.cursor_shown = True
        self.other = None  # the screen that is shown again later
        self.colours = set()
        self.rest = ""
        self.last = " "
        self.rows = self.columns = 0
        self.cells = []
        self.y = self.x = 0
        self.top = self.bottom = 0  # what scrolls
        self.resize(rows, columns)

    def resize(self, rows, columns):
        lines = ["".join(line) for line in self.cells[:rows]]
        lines += [""] * (rows - len(lines))
        self.cells = [list(line.ljust(columns)[:columns]) for line in lines]
        self.rows, self.columns = rows, columns
        self.top, self.bottom = 0, rows - 1
        self.y, self.x = min(self.y, rows - 1), min(self.x, columns)

    def lines(self):
        return ["".join(line).rstrip() for line in self.cells]

    def feed(self, text):
        text = self.rest + text
        self.rest = ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self.character(text[at])
                at += 1
                continue
            match = re.match(r"\x1b(\[[?>]?([0-9;]*)([@-~])|[()].|[78=>McDE])",
                             text[at:])
            if not match:
                if len(text) - at > 32:
                    raise ValueError(f"unknown: {text[at:at + 32]!r}")
                self.rest = text[at:]
                return
            self.sequence(match)
            at += match.end()

    def character(self, c):
        if c == "\r":
            self.x = 0
        elif c == "\n":
            self.down()
        elif c == "\b":
            self.x = max(self.x - 1, 0)
        elif c == "\t":
            self.x = min(self.x // 8 * 8 + 8, self.columns - 1)
        elif c >= " ":
            if self.x == self.columns:
                self.x = 0
                self.down()
            self.cells[self.y][self.x] = c
            self.x += 1
            self.last = c

    def down(self):
        if self.y == self.bottom:
            self.scroll(self.top, 1)
        else:
            self.y = min(self.y + 1, self.rows - 1)

    def scroll(self, top, n):
        """What is below top goes n lines up, or -n down."""
        part = self.cells[top:self.bottom + 1]
        blank = [[" "] * self.columns for _ in part[:abs(n)]]
        part = part[n:] + blank if n > 0 else blank + part[:n]
        self.cells[top:self.bottom + 1] = part

    def sequence(self, match):
        whole, words, final = match.groups()
        if whole == "M" and self.y == self.top:
            self.scroll(self.top, -1)
        elif whole == "M":
            self.y = max(self.y - 1, 0)
        if whole[0] != "[":
            return
        if whole[1] in "?>":
            self.mode(words, final)
            return
        numbers = [int(word or 0) for word in words.split(";")]
        n = numbers[0] or 1
        if final in "Hf":
            self.y = min(n, self.rows) - 1
            self.x = min((numbers + [0])[1] or 1, self.columns) - 1
        elif final == "A":
            self.y = max(self.y - n, 0)
        elif final == "B":
            self.y = min(self.y + n, self.rows - 1)
        elif final == "C":
            self.x = min(self.x + n, self.columns - 1)
        elif final == "D":
            self.x = max(min(self.x, self.columns - 1) - n, 0)
        elif final == "G":
            self.x = min(n, self.columns) - 1
        elif final == "d":
            self.y = min(n, self.rows) - 1
        elif final == "b":
            for _ in range(n):
                self.character(self.last)
        elif final in "JKX":
            self.erase(final, numbers[0])
        elif final == "P":
            line = self.cells[self.y]
            line[self.x:] = (line[self.x + n:] + [" "] * n)[:self.columns - self.x]
        elif final == "@":
            line = self.cells[self.y]
            line[self.x:] = ([" "] * n + line[self.x:])[:self.columns - self.x]
        elif final == "m":
            self.colours |= {n for n in numbers if 30 <= n <= 37 or
                             40 <= n <= 47 or n in (38, 48)}
        elif final in "SMTL":
            n = min(n, self.bottom + 1 - self.top)
            self.scroll(self.top if final in "ST" else self.y,
                        n if final in "SM" else -n)
        elif final == "r":
            self.top = n - 1
            self.bottom = ((numbers + [0])[1] or self.rows) - 1
            self.y = self.x = 0
        elif final not in "hltn":
            raise ValueError(f"unknown: {match.group()!r}")

    def erase(self, final, how):
        x, line = self.x, self.cells[self.y]
        if final == "X":
            n = min(how or 1, self.columns - x)
            line[x:x + n] = [" "] * n
        elif how == 0:
            line[x:] = [" "] * (self.columns - x)
        elif how == 1:
            line[:x + 1] = [" "] * min(x + 1, self.columns)
        else:
            line[:] = [" "] * self.columns
        if final == "J":
            below = range(self.y + 1, self.rows)
            above = range(self.y)
            for y in {0: below, 1: above}.get(how, range(self.rows)):
                self.cells[y] = [" "] * self.columns

    def mode(self, words, final):
        for word in words.split(";"):
            if word == "25":
                self.cursor_shown = final == "h"
            elif word in ("1049", "47", "1047") and final == "h":
                self.other = self.cells, self.y, self.x
                self.cells = [[" "] * self.columns for _ in range(self.rows)]
            elif word in ("1049", "47", "1047") and self.other:
                self.cells, self.y, self.x = self.other
                self.other = None
                self.resize(self.rows, self.columns)


def lead(command, tell, until):
    """What a shell does: a job in the foreground, of which each change is told.
    It is not reaped until the other end is closed, so that its number is nobody
    else's."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.read(until, 1)  # the terminal is ready
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        for number in signal.SIGTTOU, signal.SIGHUP, signal.SIGPIPE:
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)
    os.write(tell, f"job {job}\n".encode())
    while True:
        flags = os.WEXITED | os.WSTOPPED | os.WCONTINUED
        change = os.waitid(os.P_PID, job, flags | os.WNOWAIT)
        if change.si_code == os.CLD_EXITED:
            word = f"code {change.si_status}"
        elif change.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
            word = f"signal {signal.Signals(change.si_status).name[3:]}"
        else:
            os.waitid(os.P_PID, job, os.WSTOPPED | os.WCONTINUED)
            stopped = change.si_code == os.CLD_STOPPED
            word = "stopped" if stopped else "continued"
        os.write(tell, f"{word}\n".encode())
        if " " in word:
            os.read(until, 1)
            os._exit(0)


class Terminal:
    def __init__(self, rows, columns, command):
        self.screen = Screen(rows, columns)
        self.told, tell = os.pipe()
        until, self.until = os.pipe()
        pid, self.fd = pty.fork()
        if pid == 0:
            os.close(self.told)
            os.close(self.until)
            lead(command, tell, until)
        self.resize(rows, columns)
        self.leader = pid
        os.close(tell)
        os.close(until)
        self.job = None
        self.state = []
        self.partial = ""
        self.before = termios.tcgetattr(self.fd)
        os.write(self.until, b"!")
        self.open = True

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("4H", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def take(self, seconds):
        fds = [self.told] + [self.fd] * self.open
        ready = select.select(fds, [], [], seconds)[0]
        if self.fd in ready:
            try:
                text = os.read(self.fd, 65536)
            except OSError:
                text = b""
            self.open = bool(text)
            self.screen.feed(text.decode("latin-1"))
        if self.told in ready:
            self.partial += os.read(self.told, 4096).decode()
            *words, self.partial = self.partial.split("\n")
            for word in words:
                if word.startswith("job "):
                    self.job = int(word[4:])
                else:
                    self.state.append(word)
        return bool(ready)

    def complain(self):
        for line in self.screen.lines():
            print(f"|{line}", file=sys.stderr)
        print(f"its states were: {self.state}", file=sys.stderr)
        for name in "stat", "wchan", "syscall":
            try:
                with open(f"/proc/{self.job}/{name}") as file:
                    print(f"{name}: {file.read().strip()}", file=sys.stderr)
            except OSError:
                pass

    def when(self, condition):
        end = time.monotonic() + LIMIT
        while not (result := condition()):
            if not self.take(max(end - time.monotonic(), 0)) and \
                    time.monotonic() >= end:
                self.complain()
                return "no"
        return result

    def lines(self, regex):
        return [line for line in self.screen.lines() if re.search(regex, line)]

    def ended(self):
        if not self.state or " " not in self.state[-1]:
            return False
        while self.take(0):
            pass  # what it wrote before
        return self.state[-1]

    def given_back(self):
        now = termios.tcgetattr(self.fd)
        wrong = ["modes"] * (now != self.before)
        wrong += ["cursor"] * (not self.screen.cursor_shown)
        wrong += ["screen"] * bool(self.screen.other)
        return " ".join(wrong) or "ok"

    def do(self, request):
        verb, _, words = request.partition(" ")
        if verb == "sees":
            return self.when(lambda: self.lines(words) and "ok")
        if verb == "lacks":
            return self.when(lambda: not self.lines(words) and "ok")
        if verb == "line":
            return self.when(lambda: (self.lines(words) or [None])[0])
        if verb == "counts":
            return str(len(self.lines(words)))
        if verb == "types":
            os.write(self.fd, words.encode().decode("unicode_escape").encode())
        elif verb == "size":
            self.resize(*map(int, words.split()))
        elif verb == "signal":
            self.when(lambda: self.job)
            os.kill(self.job, signal.Signals["SIG" + words])
        elif verb == "stopped":
            return self.when(lambda: "stopped" in self.state[-1:] and "ok")
        elif verb == "ends":
            return self.when(self.ended)
        elif verb == "colours":
            return " ".join(map(str, sorted(self.screen.colours)))
        elif verb == "given-back":
            # what it wrote last may come after the word that it has ended
            self.when(lambda: self.given_back() == "ok")
            return self.given_back()
        elif verb == "job":
            return self.when(lambda: self.job and str(self.job))
        else:
            return f"no such request: {verb}"
        return "ok"


def main():
    terminal = Terminal(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    rest = b""
    while True:
        # what is written to the terminal is read all the time
        fds = [0, terminal.told] + [terminal.fd] * terminal.open
        if 0 not in select.select(fds, [], [])[0]:
            terminal.take(0)
            continue
        text = os.read(0, 4096)
        if not text:
            break
        *requests, rest = (rest + text).split(b"\n")
        for request in requests:
            print(terminal.do(request.decode()), flush=True)
    if terminal.job and not terminal.ended():
        os.kill(terminal.job, signal.SIGKILL)
        terminal.when(terminal.ended)
    os.close(terminal.until)
    os.close(terminal.fd)
    os.waitpid(terminal.leader, 0)


main()
