#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""
Boots a kernel under QEMU with the tests of a build directory, at their own
paths, and nothing else but busybox; or without a kernel runs them here, by
meson.  Prints a line for each program, what failed, and "N passed, N failed, N
skipped"; what the machine said goes as KTAP to meson-logs/kernel-NAME.ktap of
the build directory.
"""
import argparse
import collections
import gzip
import json
import os
import pathlib
import re
import resource
import select
import shlex
import stat
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))
import tally  # noqa: E402

# -M microvm has no clock that works without KVM: half of all boots hang.  Where
# this machine is busy, the kernel would see no tick in time and give up.
QEMU = {
    "amd64": ("qemu-system-x86_64 -M q35 -cpu max -serial stdio",
              "ttyS0 no_timer_check"),
    "arm64": ("qemu-system-aarch64 -M virt -cpu cortex-a76 -serial stdio",
              "ttyAMA0"),
    "s390x": ("qemu-system-s390x -M s390-ccw-virtio -cpu max "
              "-chardev stdio,id=out -device sclpconsole,chardev=out",
              "ttysclp0"),
}
COMMON = ("-accel tcg,thread=multi -smp 2 -m 768M -nodefaults -no-user-config "
          "-display none -no-reboot")
LIKE = "selftests/pt-like.so"  # of the build directory
SYSTEM_LIBRARIES = "/lib"  # of the machine; the linker looks there last


class Image:
    """An initramfs: a cpio archive of paths that need not be files here."""

    def __init__(self):
        self.files = {}  # path, without / in front: mode, bytes, device

    def add(self, path, mode, content=b"", device=(0, 0)):
        path = os.path.normpath(str(path)).lstrip("/")
        parent = os.path.dirname(path)
        if parent and parent not in self.files:
            self.add(parent, stat.S_IFDIR | 0o755)
        self.files.setdefault(path, (mode, content, device))

    def add_file(self, path, source=None):
        """A file of this machine; below any directory of links a real one."""
        source = pathlib.Path(source or path)
        mode = 0o755 if os.access(source, os.X_OK) else 0o644
        self.add(path, stat.S_IFREG | mode, source.read_bytes())

    def has(self, path):
        return os.path.normpath(str(path)).lstrip("/") in self.files

    def write(self, path):
        with gzip.open(path, "wb", compresslevel=1) as out:
            number = 0
            for name in [*sorted(self.files), "TRAILER!!!"]:
                mode, content, device = self.files.get(name, (0, b"", (0, 0)))
                number += 1
                fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0,
                          *device, len(name.encode()) + 1, 0]
                head = "070701" + "".join(f"{field:08x}" for field in fields)
                for part in (head.encode() + name.encode() + b"\0", content):
                    out.write(part + bytes(-len(part) % 4))


class Elf:
    """What the dynamic linker will look for."""

    def __init__(self, path):
        said = subprocess.run(["readelf", "-Wdl", path], text=True,
                              capture_output=True).stdout
        self.needed = re.findall(r"\(NEEDED\).*\[(.*)\]", said)
        found = re.search(r"interpreter: (.*)\]", said)
        self.interpreter = found and found[1]
        found = re.search(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", said)
        origin = str(pathlib.Path(path).parent)
        self.paths = [os.path.normpath(part.replace("$ORIGIN", origin))
                      for part in (found[1].split(":") if found else [])]


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def find(name, directories):
    for directory in directories:
        path = pathlib.Path(directory, name)
        if path.is_file():
            return path
    sys.exit(f"FAILED   no {name} in {':'.join(map(str, directories))}")


def add_program(image, path, own, system):
    """@path, and the libraries of @own directories, and of the system's."""
    image.add_file(path)
    if not is_elf(path):
        # a script has others beside it that it reads
        for other in pathlib.Path(path).parent.glob("*.sh"):
            image.add_file(other)
        return
    elf = Elf(path)
    if elf.interpreter:
        name = os.path.basename(elf.interpreter)
        image.add_file(elf.interpreter, find(name, system))
        # what pthread_cancel() loads, without a word about it
        add_library(image, "libgcc_s.so.1", [], system)
    for name in elf.needed:
        add_library(image, name, elf.paths + own, system)


def add_library(image, name, own, system):
    source = find(name, own + system)
    path = source if str(source.parent) in own else \
        pathlib.Path(SYSTEM_LIBRARIES, name)
    if image.has(path):
        return
    image.add_file(path, source)
    elf = Elf(source)
    for needed in elf.needed:
        add_library(image, needed, elf.paths + own, system)


def introspect(build, what):
    return json.loads(subprocess.run(
        ["meson", "introspect", f"--{what}", build],
        check=True, capture_output=True, text=True).stdout)


def names_of(test):
    """What a word may say for it."""
    suites = {suite.rpartition(":")[2] for suite in test["suite"]}
    name, _, backend = test["name"].rpartition("-")
    return suites | {test["name"], name} | {
        f"{suite}-{backend}" for suite in suites}


def tests_wanted(build, words):
    """Those that a word names, and none says -NAME of."""
    tests = introspect(build, "tests")
    unknown = {word.removeprefix("-") for word in words}.difference(
        *map(names_of, tests))
    if unknown:
        sys.exit("FAILED   no such suite, test or machine: "
                 + " ".join(sorted(unknown)))
    return [test for test in tests
            if names_of(test) & set(words)
            and not {f"-{name}" for name in names_of(test)} & set(words)]


def script(test, build, slow):
    """Runs @test as meson would."""
    lines = ["#!/bin/sh", f"cd {shlex.quote(build)} || exit 99"]
    for name, value in {**test["env"], "PIDTRACK_TEST_SLOW": slow}.items():
        lines.append(f"export {name}={shlex.quote(str(value))}")
    lines.append("exec " + " ".join(map(shlex.quote, test["cmd"])))
    return ("\n".join(lines) + "\n").encode()


def make_image(options, tests):
    image = Image()
    image.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    for directory in ("proc", "sys", "tmp", "usr", options.build):
        image.add(directory, stat.S_IFDIR | 0o755)
    for link in ("usr/bin", "sbin"):
        image.add(link, stat.S_IFLNK | 0o777,
                  os.path.relpath("bin", os.path.dirname(link)).encode())
    image.add_file("bin/busybox", options.busybox)
    image.add_file("init", HERE / "init")
    image.add("tests.env", stat.S_IFREG | 0o644,
              f"SECONDS_EACH={options.seconds_each}\n".encode())
    system = options.libraries.split(":")
    for number, test in enumerate(tests):
        own = [path for path
               in test["env"].get("LD_LIBRARY_PATH", "").split(":") if path]
        for word in [*test["cmd"], *test["env"].values()]:
            path = os.path.join(options.build, word)
            if os.path.isfile(path):
                add_program(image, path, own, system)
        image.add(f"tests/{number:03}-{test['name']}", stat.S_IFREG | 0o755,
                  script(test, options.build, options.slow))
    return image


class Machine:
    """One boot: lines of its console, until it is off or time is up."""

    def __init__(self, options, initramfs):
        command, console = QEMU[options.arch]
        self.until = time.monotonic() + options.seconds
        self.late = False
        self.process = subprocess.Popen(
            [*command.split(), *COMMON.split(), "-kernel", options.kernel,
             "-initrd", initramfs, "-append",
             f"console={console} panic=-1 quiet loglevel=1 {options.boot}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    def lines(self):
        out, pending = self.process.stdout.fileno(), b""
        while True:
            left = self.until - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                self.late = True
                return
            some = os.read(out, 65536)
            if not some:
                break
            *lines, pending = (pending + some).split(b"\n")
            for line in lines:
                yield self.plain(line)
        yield self.plain(pending)

    @staticmethod
    def plain(line):
        """Without what firmware and terminals need."""
        text = line.decode(errors="replace").replace("\r", "")
        return re.sub(r"\x1b[\[\]c][0-9;?=]*[A-Za-z]?", "", text)

    def used(self):
        """Seconds of a processor: what the tests cost however busy it is."""
        fields = pathlib.Path("/proc", str(self.process.pid),
                              "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        if self.late:
            self.process.kill()
        self.process.stdout.close()
        self.process.wait()


class Account:
    """What the machine says, taken apart."""

    def __init__(self):
        self.logs = {}  # of ended tests, as meson's
        self.kernel = None
        self.done = False
        self.why = "died"  # if it is not
        self.running = None
        self.other = collections.deque(maxlen=30)  # the kernel's own lines
        self.clear()

    def clear(self):
        self.said = {"@1": [], "@2": []}

    def take(self, line):
        """The test that ended with it, or None."""
        mark, _, rest = line.partition(" ")
        if mark in self.said:
            self.said[mark].append(rest)
        elif mark == "@@":
            return self.take_mark(rest.split())
        else:
            self.other.append(line)
        return None

    def take_mark(self, words):
        if words[0] == "kernel":
            self.kernel = " ".join(words[1:])
        elif words[0] == "begin":
            self.running = words[1]
            self.clear()
        elif words[0] == "done":
            self.done = True
        elif words[0] == "end":
            return self.end(*words[1:])
        return None

    def end(self, name, status, seconds):
        self.running = None
        self.logs[name] = {
            "result": "OK" if status == "0" else f"status {status}",
            "stdout": "\n".join(self.said["@1"]),
            "stderr": "\n".join(self.said["@2"]),
            "seconds": int(seconds),
        }
        return name


def watch(machine, number):
    """Prints a line for each test as it ends."""
    account = Account()
    used = 0
    for line in machine.lines():
        ended = account.take(line)
        if not ended:
            continue
        log = account.logs[ended]
        before, used = used, machine.used()
        print(f"{len(account.logs):3}/{number} {ended:30} {log['result']:12}"
              f"{log['seconds']:4} s, {used - before:4.0f} s of a processor",
              flush=True)
    machine.end()
    return account


def run_here(options, tests):
    """By meson, as it runs them for everybody."""
    base = f"kernel-{options.name}"
    env = {**os.environ}
    if options.like:
        env["PIDTRACK_TEST_LIKE"] = options.like
        env["LD_PRELOAD"] = os.path.join(options.build, LIKE)
    if options.heir:
        env["PIDTRACK_TEST_HEIR_OTHER"] = os.path.abspath(options.heir)
    subprocess.run(["meson", "test", "-C", options.build, "--no-rebuild",
                    "--logbase", base, "-t", str(options.slow),
                    *(test["name"] for test in tests)],
                   stdin=subprocess.DEVNULL, env=env)
    account = Account()
    account.logs = tally.logs_of(options.build, base)
    account.kernel = f"{os.uname().release} {options.arch}" + (
        f", looking like {options.like}" if options.like else "")
    account.done = True
    return account


def run_booted(options, tests):
    with tempfile.TemporaryDirectory() as work:
        initramfs = os.path.join(work, "initramfs")
        make_image(options, tests).write(initramfs)
        machine = Machine(options, initramfs)
        try:
            account = watch(machine, len(tests))
        finally:
            if machine.process.poll() is None:
                machine.process.kill()
                machine.process.wait()
    if machine.late:
        account.why = f"not at its end after {options.seconds} s"
    return account


def programs_of(build, tests):
    """The files that the tests need of @build, as ninja calls them."""
    words = {os.path.join(build, word) for test in tests
             for word in [*test["cmd"], *test["env"].values()]}
    made = {path for target in introspect(build, "targets")
            for path in target["filename"]}
    return sorted(os.path.relpath(path, build) for path in words & made)


def write_ktap(path, options, tests, account):
    path.parent.mkdir(exist_ok=True)
    with open(path, "w") as out:
        print("KTAP version 1", file=out)
        print(f"# {options.name}: Linux {account.kernel}", file=out)
        print(f"1..{len(tests)}", file=out)
        for number, test in enumerate(tests, 1):
            log = account.logs.get(test["name"], {})
            for line in log.get("stdout", "").splitlines():
                print(f"    {line}", file=out)
            for line in log.get("stderr", "").splitlines():
                print(f"    # {line}", file=out)
            ok = "ok" if log.get("result") == "OK" else "not ok"
            print(f"{ok} {number} {test['name']}", file=out)


def count(tests, account):
    """All of the machine's tests, and that it is at its end."""
    total = tally.Tally()
    for test in tests:
        total.add_program(test["name"], test["protocol"],
                          account.logs.get(test["name"]))
    if not account.done:
        where = account.running or "no test"
        total.fail(f"the machine: {account.why}, in {where}", account.other)
    return total


def report(total, name):
    for test, said in total.failed:
        print(f"FAILED   {name} {test}")
        for line in said[-60:]:
            print(f"         {line[:200]}")
    reasons = collections.Counter(reason for _, reason in total.skipped)
    for reason, times in reasons.most_common():
        print(f"SKIPPED  {times} x {reason or 'no reason given'}")
    print(f"{total.passed} passed, {len(total.failed)} failed, "
          f"{len(total.skipped)} skipped")
    return 1 if total.failed or not total.passed else 0


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--programs", action="store_true",
                        help="only say what ninja has to make for the tests")
    parser.add_argument("--name")
    parser.add_argument("--arch")
    parser.add_argument("--kernel", help="without: the one that runs here")
    parser.add_argument("--like", help="... and answers as another")
    parser.add_argument("--heir", help="... of another word size")
    parser.add_argument("--boot", default="", help="more for the kernel")
    parser.add_argument("--busybox")
    parser.add_argument("--libraries")
    parser.add_argument("--slow", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=2400)
    parser.add_argument("tests", nargs="+")
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    # a program that hangs leaves time for the others
    options.seconds_each = min(300 * options.slow, options.seconds // 2)
    return options


def main():
    options = arguments()
    tests = tests_wanted(options.build, options.tests)
    if options.programs:
        print(*programs_of(options.build, tests),
              *([LIKE] if options.like else []))
        return 0
    start = time.monotonic()
    run = run_booted if options.kernel else run_here
    account = run(options, tests)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.monotonic() - start:.0f} s, "
          f"{used.ru_utime + used.ru_stime:.0f} s of a processor", flush=True)
    write_ktap(pathlib.Path(options.build, "meson-logs",
                            f"kernel-{options.name}.ktap"),
               options, tests, account)
    return report(count(tests, account), options.name)


if __name__ == "__main__":
    sys.exit(main())
