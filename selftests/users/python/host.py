#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""A host in Python, in one asyncio loop: see ../cpp/host.cc for what it does.

    host.py RECORDS [PINS]
    host.py --declared      what is said of pidtrack.h, for C to check
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pidtrack

HANDED = "HOST_HANDED"  # to the next program: a number


def say(*words):
    # in one piece, however little is buffered: a shim writes there, too
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def ending(event):
    if event.status is None:
        return event.source
    code = os.waitstatus_to_exitcode(event.status)
    kind = "signal" if code < 0 else "code"
    return f"{kind} {abs(code)} {event.source}"


class Host:
    def __init__(self, tracker, records, pins):
        self.tracker, self.records, self.pins = tracker, Path(records), pins
        self.shims = {}

    def record(self, label):
        return self.records / f"{label}.record"

    # ---- after a life before ----

    def take_up(self):
        found = []
        if HANDED in os.environ:
            found = self.tracker.resume(int(os.environ.pop(HANDED)))
        elif self.pins:
            found = self.tracker.recover()
        for label, shim, verdict in found:
            say(label, "is", verdict)
            if shim:
                self.shims[label] = shim
        for path in sorted(self.records.glob("*.record")):
            if path.stem not in self.shims:
                self.take_up_record(path)
        say("ready")

    def take_up_record(self, path):
        try:
            shim, verdict = self.tracker.attach(pidtrack.Record(path))
        except OSError as error:  # nobody's to remove
            say(f"{path.stem}: {error}")
            return
        say(path.stem, "is", verdict)
        if shim:
            self.shims[path.stem] = shim
        elif verdict.may_clean_up:
            path.unlink()

    # ---- commands ----

    def launch(self, label, *argv):
        flags = pidtrack.SPAWN_DETACHED
        if self.pins:
            flags |= pidtrack.SPAWN_KEEP
        shim = self.tracker.spawn(argv, label, self.record(label), flags)
        self.shims[label] = shim
        say(label, "launched", shim.pid)

    def verify(self, label):
        verdict = pidtrack.Record(self.record(label)).verify()
        say(f"{label} {verdict}: {verdict.reason}")

    def stop(self, label, ms):
        self.shims[label].stop((signal.SIGTERM, int(ms)),
                               (signal.SIGKILL, 2000))

    def wait(self, label):
        pid = self.shims[label].pid
        say(label, "awaited")
        os.waitpid(pid, 0)
        say(label, "waited for")

    def again(self):
        os.environ[HANDED] = str(self.tracker.handoff())
        try:
            os.execv(sys.executable, [sys.executable, *sys.argv])
        except OSError:
            self.tracker.cancel()
            raise

    def obey(self, command, label=None, *arguments):
        try:
            if command == "again":
                self.again()
            elif command in ("launch", "verify", "stop", "wait"):
                getattr(self, command)(label, *arguments)
        except KeyError:
            say(f"{label}: nobody")
        except OSError as error:
            say(f"{label}: {error}")

    # ---- what happens ----

    def tell_events(self):
        for event in self.tracker.events():
            label = event.process.label
            if event.kind == pidtrack.ESCALATED:
                say(label, "escalated", event.signal)
            if event.last:
                say(label, "ended", ending(event))
                self.record(label).unlink(missing_ok=True)
                self.shims.pop(label).forget()

    async def run(self):
        loop, commands = asyncio.get_running_loop(), asyncio.StreamReader()
        loop.add_reader(self.tracker.fileno(), self.tell_events)
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        async for line in commands:
            if words := line.decode().split():
                self.obey(*words)
        loop.remove_reader(self.tracker.fileno())


def main(records, pins=None):
    try:
        with pidtrack.Tracker(pins) as tracker:
            host = Host(tracker, records, pins)
            host.take_up()
            asyncio.run(host.run())
    except OSError as error:
        print("host:", error, file=sys.stderr)
        sys.exit(4)


if sys.argv[1:] == ["--declared"]:
    print(*pidtrack.declared(), sep="\n")
elif __name__ == "__main__":
    main(*sys.argv[1:])
