#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Records anew what the library costs: counts.txt, from what counts_test says.

    counts.py BUILD...      build directories; of each kind of build its own

Lines that none of these builds has a word about are kept.
"""
import pathlib
import re
import subprocess
import sys

FILE = pathlib.Path(__file__).with_name('counts.txt')


def seen(build):
    """Of one build: {(name, backend, kind): value}."""
    log = pathlib.Path(build, 'meson-logs', 'counts.txt')
    log.unlink(missing_ok=True)
    # a test fails where it sees what is not recorded
    subprocess.run(['meson', 'test', '-C', build, '--logbase', 'counts',
                    'counts-uring', 'counts-epoll'],
                   check=False, stdout=sys.stderr)
    said = log.read_text()
    if re.search('^not ok', said, re.M):
        print('some differ', file=sys.stderr)
    return {tuple(words[:3]): words[3] for words in
            (line.split() for line in re.findall(': count (.*)', said))}


def check(words):
    """Before anything is written: that these are build directories."""
    if words[:1] in (['-h'], ['--help']):
        print(__doc__, end='')
        sys.exit(0)
    if not words or words[0].startswith('-'):
        print(__doc__, end='', file=sys.stderr)
        sys.exit(2)
    for build in words:
        if not pathlib.Path(build, 'build.ninja').exists():
            print(f'{build}: no build directory', file=sys.stderr)
            sys.exit(2)


def main():
    check(sys.argv[1:])
    old = FILE.read_text().splitlines()
    head = [line for line in old if line.startswith('#')]
    counts = {tuple(words[:3]): words[3] for words in
              (line.split() for line in old if line and line[0] != '#')}
    for build in sys.argv[1:]:
        counts.update(seen(build))
    FILE.write_text('\n'.join(head + [
        ' '.join(key + (value,)) for key, value in sorted(counts.items())]) +
        '\n')


if __name__ == '__main__':
    main()
