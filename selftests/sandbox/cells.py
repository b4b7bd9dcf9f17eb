#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""
Runs tests of a build directory in sandboxes.  Prints a line for each sandbox
and what failed in it; then why tests were skipped, what the tests of promises
counted, and "N passed, N failed, N skipped".

    cells.py BUILD SLOW WORD...

WORD is a cell of launch.c, "calls" for all that refuse one call, "places" for
all others, "alone" to refuse calls to the library alone, or a suite, a test, or
its name without the backend, also a suite with one: "system-epoll"; -TEST is
left out.

Where several calls are refused to the library alone, the tests run as it is
first; those in which the library does not make a call then need no run without
it.  PIDTRACK_TEST_NOTES names a directory that has that of a run before.
"""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent))
import tally  # noqa: E402

COUNTED = ("launched", "refused", "told", "given up", "lost",
           "strangers signalled", "foreign reaped", "zombies")
MUST_BE_0 = COUNTED[4:]
NOTES_PAY = 4  # sandboxes


class Build:
    def __init__(self, path, slow):
        self.path = os.path.abspath(path)
        self.slow = slow
        notes = os.environ.pop("PIDTRACK_TEST_NOTES", None)
        self.notes = {"PIDTRACK_TEST_NOTES": notes} if notes else {}
        self.launch = os.path.join(self.path, "selftests/sandbox/pt-sandbox")
        self.tool = os.path.join(self.path, "tools/pidtrack")
        out = self.run("meson", "introspect", "--tests", self.path).stdout
        self.tests = [test for test in json.loads(out)
                      if test["protocol"] == "tap"]
        self.cells = [line.split("\t")[0] for line
                      in self.run(self.launch, "--list").stdout.splitlines()]
        self.cells.remove("alone")
        self.as_it_is = self.features("as-it-is")

    @staticmethod
    def run(*command, **env):
        return subprocess.run(command, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, env=os.environ | env)

    def features(self, cell):
        """None for each that works, else its errno; and what went wrong."""
        done = self.run(self.launch, cell, self.tool, "features", "--json")
        said = [json.loads(line) for line in done.stdout.splitlines()]
        return {one["feature"]: one["error"] for one in said}

    def lost(self, cell):
        said = self.run(self.launch, "--lost", cell).stdout.split()
        return dict(line.split("=") for line in said)

    @staticmethod
    def words_for(test):
        name, _, backend = test["name"].rpartition("-")
        suites = {suite.rpartition(":")[2] for suite in test["suite"]}
        return (suites | {f"{suite}-{backend}" for suite in suites} |
                {test["name"], name})

    def tests_of(self, words):
        left_out = {word[1:] for word in words if word.startswith("-")}
        for test in self.tests:
            its = self.words_for(test)
            if its & words and not its & left_out:
                yield test["name"]


def check_features(build, seen, lost, total):
    """That the tool tells what is lost here, by its errno, and nothing else."""
    for name, error in build.as_it_is.items():
        expected = lost.get(name, error)
        told = seen.get(name, "nothing")
        maybe = expected and expected.endswith("?")
        if told == expected or maybe and told in (error, expected[:-1]):
            total.passed += 1
            continue
        total.fail(f"features: {name}",
                   [f"expected {expected or 'that it works'}, "
                    f"told {told or 'that it works'}"])


def run_tests(build, cell, names, total, counts):
    base = "sandbox-" + cell
    # meson adds the wrapper's name
    logged = f"{base}-{os.path.basename(build.launch)}"
    log = pathlib.Path(build.path, "meson-logs", logged + ".json")
    log.unlink(missing_ok=True)
    build.run("meson", "test", "-C", build.path, "--no-rebuild", "--logbase",
              base, "--wrapper", f"{build.launch} {cell}", "-t", build.slow,
              *names, **build.notes)
    logs = tally.logs_of(build.path, logged)
    for name in names:
        said = logs.get(name)
        total.add_program(name, "tap", said)
        for line in (said or {}).get("stdout", "").splitlines():
            if "launched" not in line:
                continue
            for what in COUNTED:
                found = re.search(what + r" (\d+)", line)
                counts[what] += int(found[1]) if found else 0


def run_cell(build, cell, words, counts):
    total = tally.Tally()
    tried = build.run(build.launch, cell, "true")
    if tried.returncode == 77:
        total.skipped.append(("all", tried.stderr.strip()))
        return total
    seen = build.features(cell)
    check_features(build, seen, build.lost(cell), total)
    rings = not seen.get("ring-waitid", "nothing")
    names = [name for name in build.tests_of(words)
             if rings or not name.endswith("-uring")]
    if names:
        run_tests(build, cell, names, total, counts)
    return total


def split(build, words):
    """Into cells and words for tests."""
    groups = {"calls": [cell for cell in build.cells if "=" in cell],
              "places": [cell for cell in build.cells if "=" not in cell]}
    known = set().union(*map(build.words_for, build.tests))
    cells, tests, alone = [], set(), ""
    for word in words:
        if word == "alone":
            alone = "alone+"
        elif word in groups:
            cells += groups[word]
        elif all(part in build.cells + ["alone"] for part in word.split("+")):
            cells.append(word)
        elif word.removeprefix("-") in known:
            tests.add(word)
        else:
            sys.exit(f"FAILED   no such sandbox, suite or test: {word}\n"
                     "0 passed, 1 failed, 0 skipped")
    return ([alone * ("=" in cell) + cell for cell in cells or build.cells],
            tests or {"promises"})


def run_all(build, cells, words):
    passed, failed = 0, 0
    counts = collections.Counter()
    reasons = collections.Counter()
    for cell in cells:
        total = run_cell(build, cell, words, counts)
        print(f"{cell:28} {total.passed} passed, {len(total.failed)} failed, "
              f"{len(total.skipped)} skipped", flush=True)
        for name, said in total.failed:
            print(f"FAILED   {cell} {name}")
            for line in said[-40:]:
                print(f"         {line[:200]}", flush=True)
        passed += total.passed
        failed += len(total.failed)
        reasons.update(re.sub(r", as .* is told$", "", reason)
                       for _, reason in total.skipped)
    for reason, times in reasons.most_common():
        print(f"SKIPPED  {times} x {reason or 'no reason given'}")
    print(f"In {len(cells)} sandboxes: " + ", ".join(
        f"{what} {counts[what]}" for what in COUNTED))
    failed += any(counts[what] for what in MUST_BE_0) and not failed
    print(f"{passed} passed, {failed} failed, {sum(reasons.values())} skipped")
    return 1 if failed or not passed else 0


def main():
    build = Build(sys.argv[1], sys.argv[2])
    cells, words = split(build, sys.argv[3:])
    with tempfile.TemporaryDirectory(prefix="pidtrack-notes-") as notes:
        os.chmod(notes, 0o755)  # some of the tests are nobody's
        if len(cells) >= NOTES_PAY and all("alone+" in cell for cell in cells):
            build.notes = {"PIDTRACK_TEST_NOTES": notes}
            cells.insert(0, "as-it-is")
        return run_all(build, cells, words)


if __name__ == "__main__":
    sys.exit(main())
