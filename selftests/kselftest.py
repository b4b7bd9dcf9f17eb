#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""
Compares what the kernel's runner said of our tests with what meson did.

    kselftest.py [--only NAME,...] BUILD SUITE,... KTAP

reads BUILD/meson-logs/SUITE.json of each suite, and KTAP, the output of run_tests or
run_kselftest.sh.  Every test of every program must have come to the same, and
neither may have one that the other has not.  Prints what differs and how many
are the same; exits with 1 if one differs, failed, or there is none.
"""
import argparse
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tally  # noqa: E402

# Tests of what README and the manual say, which are not in a kernel tree.
ONLY_MESON = {"readme-uring", "readme-epoll", "tool_words-epoll"}
BEGIN = re.compile(r"# selftests: (?:\S+/)?pidtrack: (\S+)$")
END = re.compile(r"(not )?ok \d+ selftests: (?:\S+/)?pidtrack: (\S+)(?: # (.*))?$")


def tests_in(text):
    """What each test in the TAP of one program came to."""
    tests = {}
    for line in text.splitlines():
        found = tally.LINE.match(line)
        if found:
            skipped = (found[4] or "").lower() == "skip"
            tests[found[3]] = ("failed" if found[1] else
                               "skipped" if skipped else "passed")
    return tests


def of_meson(build, suites):
    """By program: what it came to, and its tests."""
    programs = {}
    for suite in suites:
        for name, log in tally.logs_of(build, suite).items():
            ended = "passed" if log["result"] in ("OK", "SKIP") else "failed"
            programs[name] = ended, tests_in(log.get("stdout") or "")
    return programs


def of_kernel(path):
    """The same, of programs that say TAP with "# " in front."""
    programs, said = {}, []
    for line in path.read_text(errors="replace").splitlines():
        end = END.match(line)
        if BEGIN.match(line):
            said = []
        elif end:
            tests = tests_in("\n".join(said))
            ended = "failed" if end[1] else "passed"
            skip = (end[3] or "").startswith("SKIP")
            if skip != (set(tests.values()) == {"skipped"}):
                ended = "skipped, though not all of its tests are"
            programs[end[2].removesuffix("-unit")] = ended, tests
        elif line.startswith("# "):
            said.append(line[2:])
    return programs


def differences(meson, kernel):
    for name in sorted(meson.keys() | kernel.keys()):
        if name not in meson or name not in kernel:
            yield f"{name}: {'meson' if name in meson else 'the kernel'} only"
            continue
        (ended, tests), (ended_there, tests_there) = meson[name], kernel[name]
        for test in sorted(tests.keys() | tests_there.keys()):
            here, there = tests.get(test), tests_there.get(test)
            if here != there or here == "failed":
                yield f"{name}: {test}: {here} with meson, {there} in the tree"
        if ended != ended_there or ended == "failed":
            yield f"{name}: {ended} with meson, {ended_there} in the tree"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", metavar="NAME,...")
    parser.add_argument("build")
    parser.add_argument("suites")
    parser.add_argument("ktap", type=pathlib.Path)
    options = parser.parse_args()
    meson = of_meson(options.build, options.suites.split(","))
    kernel = of_kernel(options.ktap)
    for name in ONLY_MESON:
        meson.pop(name, None)
    if options.only:
        wanted = set(options.only.split(","))
        meson = {name: meson[name] for name in wanted & meson.keys()}
    found = list(differences(meson, kernel))
    for line in found:
        print(f"FAILED   {line}")
    same = sum(len(tests) for _, tests in kernel.values())
    print(f"{len(kernel)} programs, {same} tests in the kernel's tree, "
          f"{len(found)} unlike meson's or failed")
    return 1 if found or not same else 0


if __name__ == "__main__":
    sys.exit(main())
