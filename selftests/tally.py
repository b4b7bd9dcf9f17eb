#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""
Counts tests by what they said in TAP, not by programs.

    tally.py BUILD SUITE...

reads BUILD/meson-logs/SUITE.json of each suite, and what meson knows of the
tests there are.  Prints failures, then skips with their reasons, then one line
"N passed, N failed, N skipped".  Exits with 1 unless all is well and at least
one test passed.
"""
import json
import pathlib
import re
import subprocess
import sys

LINE = re.compile(r"(not )?ok\b *(\d+)?(?: +-)? *(.*?)(?: *# *(skip|todo)\S*(.*))?$",
                  re.IGNORECASE)
PLAN = re.compile(r"1\.\.(\d+)(?: *# *skip\S*(.*))?$", re.IGNORECASE)


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = []  # name, what was said before it
        self.skipped = []  # name, reason

    def fail(self, name, said=()):
        self.failed.append((name, list(said)))

    def add_tap(self, program, text):
        """The tests of one program; False if it said no TAP."""
        planned = None
        seen = 0
        said = []
        for line in text.splitlines():
            plan = PLAN.match(line)
            found = LINE.match(line)
            if plan:
                planned = int(plan[1])
                if not planned:
                    self.skipped.append((program, (plan[2] or "").strip()))
            elif found:
                seen += 1
                name = f"{program}: {found[3]}"
                if (found[4] or "").lower() == "skip":
                    self.skipped.append((name, found[5].strip()))
                elif found[1]:
                    self.fail(name, said)
                else:
                    self.passed += 1
                said = []
            else:
                said.append(line)
        if planned is None and not seen:
            return False
        if planned is None or planned > seen:
            self.fail(f"{program}: said {seen} of {planned} tests", said)
        return True

    def add_program(self, name, protocol, log):
        if log is None:
            self.fail(f"{name}: was not run")
            return
        result = log["result"]
        stderr = (log.get("stderr") or "").splitlines()[-40:]
        failed_before = len(self.failed)
        if self.add_tap(name, log.get("stdout") or ""):
            bad = result not in ("OK", "SKIP")
            if bad and len(self.failed) == failed_before:
                self.fail(f"{name}: {result}")
        elif protocol == "tap":
            self.fail(f"{name}: {result}, said no TAP")
        elif result == "OK":
            self.passed += 1
        elif result == "SKIP":
            self.skipped.append((name, "it did not say why"))
        else:
            self.fail(f"{name}: {result}")
        if len(self.failed) > failed_before:
            self.failed[-1][1].extend(stderr)


def tests_of(build):
    """Suite, name and protocol of each."""
    out = subprocess.run(["meson", "introspect", "--tests", build],
                         check=True, capture_output=True, text=True).stdout
    for test in json.loads(out):
        for suite in test["suite"]:
            yield suite.partition(":")[2], test["name"], test["protocol"]


def logs_of(build, suite):
    path = pathlib.Path(build, "meson-logs", f"{suite}.json")
    logs = {}
    if path.exists():
        for line in path.read_text(errors="replace").splitlines():
            log = json.loads(line)
            logs[log["name"].rpartition(" / ")[2]] = log
    return logs


def main():
    build, suites = sys.argv[1], sys.argv[2:]
    tally = Tally()
    logs = {suite: logs_of(build, suite) for suite in suites}
    for suite, name, protocol in tests_of(build):
        if suite in logs:
            tally.add_program(name, protocol, logs[suite].get(name))

    for name, said in tally.failed:
        print(f"FAILED   {name}")
        for line in said[-60:]:
            print(f"         {line[:200]}")
    for name, reason in tally.skipped:
        print(f"SKIPPED  {name}: {reason or 'no reason given'}")
    print(f"{tally.passed} passed, {len(tally.failed)} failed, "
          f"{len(tally.skipped)} skipped")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
