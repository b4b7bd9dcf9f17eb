# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""pidtrack.h for Python, by ctypes: what a host needs of it.

A Tracker is for the thread that made it.  Errors are OSErrors, so a file that
is not there is a FileNotFoundError; a launch that failed is a LaunchError,
which tells the stage.  A status is what os.waitstatus_to_exitcode() takes.
"""

import ctypes
import errno
import os
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_size_t
from ctypes import c_uint32, c_uint64, c_void_p
from typing import NamedTuple, Optional

SPAWN_DETACHED = 1 << 0
SPAWN_KEEP = 1 << 13
ESCALATED = 5
EVENT_LAST = 1 << 0
SOURCE_UNKNOWN = 0
VERDICT_REUSED, VERDICT_GONE, VERDICT_OTHER_BOOT = 3, 4, 5


class _Options(ctypes.Structure):
    """One of those with their size in front."""

    def __init__(self, **fields):
        super().__init__(size=ctypes.sizeof(self), **fields)


class TrackerOptions(_Options):
    _fields_ = [("size", c_uint32), ("flags", c_uint32), ("pins", c_char_p),
                ("orphans", c_uint32), ("orphan_time_ms", c_uint32),
                ("store", c_char_p)]


class SpawnOptions(_Options):
    _fields_ = [("size", c_uint32), ("flags", c_uint32),
                ("namespaces", c_uint64), ("signal_mask", c_uint64),
                ("signal_ignore", c_uint64), ("argv", POINTER(c_char_p)),
                ("envp", POINTER(c_char_p)), ("program", c_char_p),
                ("cwd", c_char_p), ("fds", c_void_p), ("rlimits", c_void_p),
                ("groups", c_void_p), ("caps", c_char_p), ("label", c_char_p),
                ("record", c_char_p), ("payload", c_char_p),
                ("n_fds", c_uint32), ("n_rlimits", c_uint32),
                ("n_groups", c_uint32), ("payload_size", c_uint32),
                ("program_fd", c_int32), ("cgroup_fd", c_int32),
                ("pgid", c_int32), ("parent_death_signal", c_int32),
                ("uid", c_uint32), ("gid", c_uint32), ("umask", c_uint32),
                ("reserved", c_uint32)]


class StopStep(ctypes.Structure):
    _fields_ = [("signal", c_int32), ("time_ms", c_uint32)]


class StopOptions(_Options):
    _fields_ = [("size", c_uint32), ("flags", c_uint32),
                ("steps", POINTER(StopStep)), ("n_steps", c_uint32),
                ("cgroup_fd", c_int32)]


class EventStruct(ctypes.Structure):
    _fields_ = [("kind", c_uint32), ("flags", c_uint32), ("status", c_int32),
                ("source", c_uint32), ("process", c_void_p),
                ("signal", c_int32), ("reached", c_uint32), ("pid", c_int32),
                ("pidfd", c_int32)]


class Comparison(ctypes.Structure):
    _fields_ = [("verdict", c_uint32), ("evidence", c_uint32),
                ("reason", c_char_p)]


class Recovered(ctypes.Structure):
    _fields_ = [("process", c_void_p), ("comparison", POINTER(Comparison)),
                ("error", c_int32), ("reserved", c_uint32),
                ("name", c_char_p), ("label", c_char_p),
                ("fingerprint", c_char_p), ("payload", c_void_p),
                ("payload_size", c_size_t)]


def declared():
    """All that is said here of pidtrack.h, as C can check it."""
    for name, struct in {
            "options": TrackerOptions, "spawn_options": SpawnOptions,
            "stop_step": StopStep, "stop_options": StopOptions,
            "event": EventStruct, "comparison": Comparison,
            "recovered": Recovered}.items():
        yield f"sizeof(struct pidtrack_{name}) == {ctypes.sizeof(struct)}"
        for field, _ in struct._fields_:
            at = getattr(struct, field).offset
            yield f"offsetof(struct pidtrack_{name}, {field}) == {at}"
    for name in ("SPAWN_DETACHED", "SPAWN_KEEP", "ESCALATED", "EVENT_LAST",
                 "SOURCE_UNKNOWN", "VERDICT_REUSED", "VERDICT_GONE",
                 "VERDICT_OTHER_BOOT"):
        yield f"PIDTRACK_{name} == {globals()[name]}"


_library = ctypes.CDLL("libpidtrack.so.0")


def _declare(name, result, *arguments):
    function = getattr(_library, "pidtrack_" + name)
    function.restype = result
    function.argtypes = arguments
    return function


_new = _declare("new", c_int, POINTER(TrackerOptions), POINTER(c_void_p))
_free = _declare("free", c_void_p, c_void_p)
_fd = _declare("fd", c_int, c_void_p)
_spawn = _declare("spawn", c_int, c_void_p, POINTER(SpawnOptions),
                  POINTER(c_void_p), POINTER(c_uint32))
_next = _declare("next", c_int, c_void_p, POINTER(POINTER(EventStruct)))
_attach_record = _declare("attach_record", c_int, c_void_p, c_void_p, c_uint32,
                          POINTER(c_void_p), POINTER(Comparison), c_size_t)
_recover = _declare("recover", c_int, c_void_p, POINTER(c_void_p))
_recovery_next = _declare("recovery_next", c_int, c_void_p,
                          POINTER(POINTER(Recovered)))
_recovery_free = _declare("recovery_free", c_void_p, c_void_p)
_handoff_prepare = _declare("handoff_prepare", c_int, c_void_p, POINTER(c_int))
_handoff_cancel = _declare("handoff_cancel", c_int, c_void_p)
_handoff_resume = _declare("handoff_resume", c_int, c_void_p, c_int,
                           POINTER(c_void_p))
_process_free = _declare("process_free", c_void_p, c_void_p)
_process_pid = _declare("process_pid", c_int, c_void_p)
_process_label = _declare("process_label", c_char_p, c_void_p)
_process_stop = _declare("process_stop", c_int, c_void_p, POINTER(StopOptions))
_record_read = _declare("record_read", c_int, c_char_p, POINTER(c_void_p))
_record_free = _declare("record_free", c_void_p, c_void_p)
_verify = _declare("verify", c_int, c_void_p, c_void_p, POINTER(Comparison),
                   c_size_t)
_stage_name = _declare("stage_name", c_char_p, c_uint32)
_source_name = _declare("source_name", c_char_p, c_uint32)
_verdict_name = _declare("verdict_name", c_char_p, c_uint32)


class LaunchError(OSError):
    stage = ""

    def __str__(self):
        return f"{self.stage}: {self.strerror}"


def _check(r, filename=None):
    if r < 0:
        raise OSError(-r, os.strerror(-r), filename)
    return r


class Verdict(NamedTuple):
    verdict: int
    reason: str

    @property
    def may_clean_up(self):
        return self.verdict in (VERDICT_GONE, VERDICT_REUSED,
                                VERDICT_OTHER_BOOT)

    def __str__(self):
        return _verdict_name(self.verdict).decode()


def _verdict(comparison):
    reason = comparison.reason
    return Verdict(comparison.verdict, reason.decode() if reason else "")


class Process:
    """One that is tracked, until it is forgotten or its tracker closed."""

    def __init__(self, tracker, pointer):
        self._tracker, self._pointer = tracker, pointer
        tracker._processes[pointer] = self
        label = _process_label(pointer)
        self.pid = _process_pid(pointer)
        self.label = label.decode() if label else None

    def stop(self, *steps):
        """Sends the first of (signal, ms), and later, by events, the rest."""
        array = (StopStep * len(steps))(*steps)
        _check(_process_stop(self._living(), byref(
            StopOptions(steps=array, n_steps=len(steps)))))

    def forget(self):
        """Nothing more is told of it; if it runs, it does so on."""
        if self._pointer:
            del self._tracker._processes[self._pointer]
            _process_free(self._pointer)
            self._pointer = None

    def _living(self):
        if not self._pointer:
            raise ProcessLookupError(errno.ESRCH, "it was forgotten")
        return self._pointer


class Record:
    """What a file says of a process."""

    def __init__(self, path):
        self._pointer = c_void_p()
        _check(_record_read(os.fsencode(path), byref(self._pointer)),
               os.fspath(path))

    def __del__(self):
        _record_free(self._pointer)

    def verify(self):
        found = Comparison()
        _check(_verify(None, self._pointer, byref(found),
                       ctypes.sizeof(found)))
        return _verdict(found)


class Event(NamedTuple):
    process: Process
    kind: int
    last: bool
    status: Optional[int]  # None: nobody could tell
    source: str
    signal: int


class Tracker:
    """A set of processes; close() leaves them running, as does "with"."""

    def __init__(self, pins=None):
        self._processes = {}
        self._pointer = c_void_p()
        options = TrackerOptions(pins=pins and os.fsencode(pins))
        _check(_new(byref(options), byref(self._pointer)), pins)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        for process in self._processes.values():
            process._pointer = None
        self._processes.clear()
        self._pointer = _free(self._pointer)

    def fileno(self):
        """Readable when events() has some."""
        return _fd(self._pointer)

    def spawn(self, argv, label=None, record=None, flags=0):
        words = [os.fsencode(word) for word in argv]
        options = SpawnOptions(
            flags=flags, argv=(c_char_p * (len(words) + 1))(*words),
            label=label and label.encode(),
            record=record and os.fsencode(record))
        pointer, stage = c_void_p(), c_uint32()
        r = _spawn(self._pointer, byref(options), byref(pointer), byref(stage))
        if r < 0:
            error = LaunchError(-r, os.strerror(-r))
            error.stage = _stage_name(stage).decode()
            raise error
        return Process(self, pointer.value)

    def events(self):
        """Those there are; each is acknowledged when the next is asked for."""
        event = POINTER(EventStruct)()
        while _check(_next(self._pointer, byref(event))):
            it = event.contents
            known = it.source != SOURCE_UNKNOWN
            yield Event(self._processes.get(it.process), it.kind,
                        bool(it.flags & EVENT_LAST),
                        it.status if known else None,
                        _source_name(it.source).decode(), it.signal)

    def attach(self, record):
        """The process of a record, or None, and the verdict."""
        pointer, found = c_void_p(), Comparison()
        r = _attach_record(self._pointer, record._pointer, 0, byref(pointer),
                           byref(found), ctypes.sizeof(found))
        if r in (-errno.ESRCH, -errno.ESTALE, -errno.ENODATA):
            return None, _verdict(found)
        _check(r)
        return Process(self, pointer.value), _verdict(found)

    def recover(self):
        """All that is kept: a list of name, process or None, and verdict."""
        recovery = c_void_p()
        _check(_recover(self._pointer, byref(recovery)))
        return self._recovered(recovery)

    def handoff(self):
        """A descriptor for resume(), in the program that is executed next."""
        fd = c_int()
        _check(_handoff_prepare(self._pointer, byref(fd)))
        return fd.value

    def cancel(self):
        _check(_handoff_cancel(self._pointer))

    def resume(self, fd):
        """As recover(), of what the program before has handed over."""
        recovery = c_void_p()
        _check(_handoff_resume(self._pointer, fd, byref(recovery)))
        return self._recovered(recovery)

    def _recovered(self, recovery):
        found, told = [], POINTER(Recovered)()
        while _recovery_next(recovery, byref(told)) > 0:
            it = told.contents
            process = Process(self, it.process) if it.process else None
            found.append(((it.label or it.name or b"").decode(), process,
                          _verdict(it.comparison.contents)))
        _recovery_free(recovery)
        return found
