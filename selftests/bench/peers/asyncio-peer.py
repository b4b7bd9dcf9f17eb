#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""
Python's asyncio, with the watcher that has a pidfd each, of which others have
a thread each.  What peer.c does, and orders.h says.
"""
import asyncio
import asyncio.unix_events
import errno
import itertools
import os
import resource
import socket
import struct
import sys
import time

LAUNCH, HOLD, ONE, ALL, TAX = range(5)
ORDER = struct.Struct('=4I')
ANSWER = struct.Struct('=iIIIQQQQQ')
WATCHERS = 'PidfdChildWatcher', '_PidfdChildWatcher'


class Peer:
    def __init__(self, control, program, slots):
        self.control = control
        self.program = program
        self.slots = slots
        self.live = {}  # who: the code it is to exit with
        self.told = asyncio.Event()
        self.watcher = next(
            getattr(asyncio.unix_events, name)() for name in WATCHERS
            if hasattr(asyncio.unix_events, name))
        if hasattr(self.watcher, 'attach_loop'):
            self.watcher.attach_loop(asyncio.get_running_loop())
        self.begin()

    def begin(self):
        self.n = self.wrong = self.turns = self.last = 0
        self.began = time.monotonic_ns()

    def ended(self, _pid, code, who):
        self.last = time.monotonic_ns()
        self.n += 1
        self.wrong += self.live.pop(who, None) != code
        self.told.set()

    def launch(self, who, *slots):
        code = who % 251
        self.live[who] = code
        pid = os.posix_spawn(
            self.program,
            [self.program, str(who if slots else code), *slots], os.environ)
        self.watcher.add_child_handler(pid, self.ended, who)

    async def turn(self):
        self.turns += 1
        await self.told.wait()
        self.told.clear()

    async def until_left(self, n):
        while len(self.live) > n:
            await self.turn()

    async def follow(self, kind, n, in_flight, _who):
        if kind == LAUNCH:
            whos = iter(range(n))
            for who in itertools.islice(whos, in_flight):
                self.launch(who)
            for who in whos:
                await self.until_left(in_flight - 1)
                self.launch(who)
            await self.until_left(0)
        elif kind == HOLD:
            for who in range(n):
                self.launch(who, self.slots)
        elif kind == ONE:
            await self.until_left(len(self.live) - 1)
        elif kind == ALL:
            await self.until_left(max(len(self.live) - n, 0))
        elif kind == TAX:  # it cannot vfork, and would be measured for that
            raise OSError(errno.EOPNOTSUPP, 'no vfork')

    async def obey(self, order):
        before = resource.getrusage(resource.RUSAGE_SELF)
        self.begin()
        error = 0
        try:
            await self.follow(*ORDER.unpack(order))
        except OSError as failed:
            error = -failed.errno
        after = resource.getrusage(resource.RUSAGE_SELF)
        return ANSWER.pack(
            error, self.n, self.wrong, self.turns, self.began, self.last,
            0, after.ru_nvcsw - before.ru_nvcsw,
            after.ru_nivcsw - before.ru_nivcsw)


async def main():
    control = socket.socket(fileno=int(sys.argv[1]))
    control.setblocking(True)  # there is nothing else to do
    peer = Peer(control, *sys.argv[2:])
    control.send(ANSWER.pack(*[0] * 9))
    while order := control.recv(ORDER.size):
        control.send(await peer.obey(order))


asyncio.run(main())
