#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""
Adds up what gcov says of lib/ in a build with -Db_coverage=true.

    coverage.py ROOT BUILD UNREACHED

A line of a header is reached if it was in any of the files that include it.  A
branch is what gcov calls one in C that is not optimized: each way out of each
condition, those in macros too, and none is left out.

UNREACHED has lines "FILE FUNCTION LINES REASON": so many lines of it need not
be reached, and why.  "#" begins a comment.
"""
import collections
import json
import pathlib
import subprocess
import sys

LINES, BRANCHES = 95, 85  # per cent


class File:
    def __init__(self):
        self.lines = collections.Counter()  # of each, how often
        self.branches = collections.Counter()  # of each line and place there
        self.functions = {}  # of each line

    def add(self, line):
        number = line["line_number"]
        self.lines[number] += line["count"]
        self.functions[number] = line.get("function_name", "")
        for place, branch in enumerate(line["branches"]):
            self.branches[number, place] += branch["count"]

    def unreached(self):
        """The lines of each function that were not."""
        found = collections.defaultdict(list)
        for number, count in sorted(self.lines.items()):
            if not count:
                found[self.functions[number]].append(number)
        return found


def gcov(build):
    """What it says of each object of the library."""
    for counts in sorted(build.glob("lib/libpidtrack.so*.p/*.gcda")):
        out = subprocess.run(
            ["gcov", "--json-format", "--stdout", "--branch-probabilities",
             counts.name],
            cwd=counts.parent, check=True, capture_output=True).stdout
        for text in out.splitlines():
            yield json.loads(text)


def read(root, build):
    files = collections.defaultdict(File)
    for said in gcov(build):
        for file in said["files"]:
            path = pathlib.Path(said["current_working_directory"],
                                file["file"]).resolve()
            if path.parent != root / "lib":
                continue
            for line in file["lines"]:
                files[path.name].add(line)
    return files


def known(path):
    """How many lines, and why, of each file and function."""
    reasons = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            file, function, lines, reason = line.split(None, 3)
            reasons[file, function] = int(lines), reason
    return reasons


def share(counts):
    return 100 * sum(map(bool, counts)) / len(counts) if counts else 100


def say(name, lines, branches):
    print(f"{name:24}{sum(map(bool, lines)):6}/{len(lines):<6}"
          f"{share(lines):5.1f} %{sum(map(bool, branches)):8}/"
          f"{len(branches):<6}{share(branches):5.1f} %")


def compare(files, reasons):
    """Says what is not as it is listed: how many lines more are not reached."""
    more = 0
    for name, file in sorted(files.items()):
        for function, numbers in file.unreached().items():
            listed, _ = reasons.pop((name, function), (0, ""))
            if len(numbers) > listed:
                more += len(numbers) - listed
                print(f"not reached: {name} {function}: lines "
                      f"{', '.join(map(str, numbers))}; listed {listed}")
    for (name, function), (listed, _) in reasons.items():
        print(f"reached by now: {name} {function}: listed {listed}")
    return more


def main():
    root, build, unreached = map(pathlib.Path, sys.argv[1:])
    files = read(root.resolve(), build.resolve())
    lines, branches = [], []

    print(f"{'':24}{'lines':>9}{'branches':>24}")
    for name, file in sorted(files.items()):
        say(name, file.lines.values(), file.branches.values())
        lines += file.lines.values()
        branches += file.branches.values()
    say("lib/", lines, branches)
    more = compare(files, known(unreached))
    print(f"{more} lines are not reached and not listed")
    if share(lines) < LINES or share(branches) < BRANCHES or not lines:
        print(f"FAILED   less than {LINES} % of the lines, "
              f"or {BRANCHES} % of the branches")
        return 1
    return 1 if more else 0


if __name__ == "__main__":
    sys.exit(main())
