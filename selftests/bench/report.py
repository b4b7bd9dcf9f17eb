#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""What came of benchmarks, from figures as bench.h has them.

    report.py table FILE...         tables for people
    report.py plot FILE...          NAME-*.svg beside each NAME.json, by gnuplot
    report.py readme DIRECTORY FILE the tables in FILE are written anew
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys

LICENSE = 'SPDX-License-Identifier: LGPL-2.1-or-later OR MIT'


def short(value):
    """Three digits, or all before the point; never an exponent."""
    if value is None:
        return ''
    size = abs(value)
    return f'{value:.{0 if size >= 100 else 1 if size >= 10 else 2}f}'


def ratio(row):
    """With its quartiles; of who is 1, the time."""
    if not row or not row['ratio']:
        return ''
    if row['unit']:
        return short(row['ns']['median'] / 1000) + ' us'
    return '{} ({}-{})'.format(
        *(short(row['ratio'][part]) for part in ('median', 'q1', 'q3')))


def counts_of(rows):
    return list(dict.fromkeys(name for row in rows for name in row['counts']))


def flat(rows):
    """A line for each result."""
    names = counts_of(rows)
    return [['who', 'what', 'ratio', 'us'] + names] + [
        [row['who'], row['what'], ratio(row),
         short(row['ns'] and row['ns']['median'] / 1000)] +
        [short(row['counts'].get(name)) for name in names] for row in rows]


def swept(rows):
    """A line for everybody, a column for each x, and what was counted at one."""
    there = {(row['who'], row['x']): row for row in rows}
    values = sorted({row['x'] for row in rows})
    counted = [(x, name) for x in values
               for name in counts_of([row for row in rows if row['x'] == x])]
    return [['who'] + [f'{x}' for x in values] +
            [f'{name}, {x}' for x, name in counted]] + [
        [who] + [ratio(there.get((who, x))) for x in values] +
        [short((there.get((who, x)) or row)['counts'].get(name))
         for x, name in counted]
        for who, row in {row['who']: row for row in rows}.items()]


def tables(job):
    """Pairs: what it is of, and lists of cells, the first one being the head."""
    rows = job['results']
    if not job['x']:
        yield '', flat(rows)
        return
    for what in dict.fromkeys(row['what'] for row in rows):
        yield what, swept([row for row in rows if row['what'] == what])


def with_something(table):
    """Without the columns that nobody has anything in, and who has nothing."""
    kept = [i for i in range(len(table[0])) if any(row[i] for row in table[1:])]
    return [[row[i] for i in kept] for row in table if any(row[1:])]


def is_number(cell):
    return not cell or cell[0].isdigit()


def right(table):
    """Which columns are numbers."""
    return [all(is_number(row[i]) for row in table[1:])
            for i in range(len(table[0]))]


def about(job):
    return (f"{job['title']}; {job['unit']} = 1, {job['rounds']} rounds"
            + (', ' + job['size'] if job['size'] != 'full' else ''))


def remarks(job):
    for name, value in job['facts'].items():
        yield f'{name}: {value:g}'
    for who, why in job['left_out'].items():
        yield f'left out: {who}, {why}'
    wrong = sum(row['wrong'] for row in job['results'])
    yield f"checked: {sum(row['n'] for row in job['results'])}, wrong: {wrong}"


def print_table(table):
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    numbers = right(table)
    for row in table:
        print('  '.join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers)).rstrip())


def print_tables(job):
    print(f"\n{job['job']}: {about(job)}")
    for what, table in tables(job):
        print(f'\n{what}' if what else '')
        print_table(with_something(table))
    print('\n' + '\n'.join(remarks(job)) + '\n')


# ---- plots

def quoted(text):
    return '"' + re.sub(r'(["\\])', r'\\\1', text) + '"'


def block(name, rows):
    return '\n'.join([f'${name} << END'] + rows + ['END'])


def is_ours(who):
    return who.startswith('pidtrack')


def lines_plot(job, rows):
    """Against x, a line for everybody."""
    blocks, plots = [], []
    for i, who in enumerate(dict.fromkeys(row['who'] for row in rows)):
        own = [row for row in rows if row['who'] == who and row['ns']]
        if not own:
            continue
        blocks.append(block(f'd{i}', [
            f"{row['x']} {row['ns']['median'] / 1000} "
            f"{row['ns']['q1'] / 1000} {row['ns']['q3'] / 1000}"
            for row in own]))
        plots.append(f'$d{i} using 1:2:3:4 with yerrorlines '
                     f'title {quoted(who)} lc {i + 1} pt {i % 13 + 1} '
                     f'dt {1 + i // 8} lw {3 if is_ours(who) else 1}')
    return '\n'.join(blocks + [
        'set logscale xy', 'set key outside right',
        f"set xlabel {quoted(job['x'])}", 'set ylabel "microseconds"',
        'plot ' + ', '.join(plots)])


def bars_plot(job, rows):
    """A bar for everybody, which is a ratio, with its quartiles."""
    body = [f"{quoted(row['who'])} {row['ratio']['median']} "
            f"{row['ratio']['q1']} {row['ratio']['q3']} "
            f"{2 if is_ours(row['who']) else 1}" for row in rows]
    return '\n'.join([
        block('d', body), 'set style fill solid 0.5', 'unset key',
        'set xtics rotate by -30', 'set yrange [0:*]',
        f"set ylabel {quoted(job['unit'] + ' = 1')}",
        'plot $d using 0:2:3:4:(0.6):5:xtic(1) with boxerrorbars lc variable, '
        '1 with lines lc 0 dt 2'])


def svg_of(path, what):
    name = re.sub(r'[^a-z0-9]+', '-', what.lower()).strip('-')
    return path.with_name(f'{path.stem}-{name}.svg')


def plot(path):
    job = json.loads(path.read_text())
    for old in path.parent.glob(path.stem + '-*.svg'):
        old.unlink()
    rows = [row for row in job['results'] if row['ns']]
    for what in dict.fromkeys(row['what'] for row in rows):
        own = [row for row in rows if row['what'] == what]
        if not job['x']:
            own = [row for row in own if row['ratio']]
        if len(own) < 2:
            continue
        svg = svg_of(path, what)
        script = '\n'.join([
            'set terminal svg size 900,500 background "white" '
            'font "sans-serif,13"',
            'set grid', f"set title {quoted(job['title'] + ': ' + what)}",
            (lines_plot if job['x'] else bars_plot)(job, own), ''])
        drawn = subprocess.run(['gnuplot'], input=script, check=True,
                               capture_output=True, text=True).stdout
        head, rest = drawn.split('\n', 1)
        svg.write_text(f'{head}\n<!-- {LICENSE} -->\n{rest}')
        print(svg, file=sys.stderr)


def plots(paths):
    if not shutil.which('gnuplot'):
        print('no plots: gnuplot is not there (gnuplot-nox)', file=sys.stderr)
        return
    for path in paths:
        plot(path)


# ---- bars

def medians(job, who, what):
    """By x, which is None where nothing is swept."""
    return {row['x']: row['ratio']['median'] for row in job['results']
            if (row['who'], row['what']) == (who, what) and row['ratio']}


def counted(job, who, what, name):
    return next(row['counts'][name] for row in job['results']
                if (row['who'], row['what']) == (who, what)
                and name in row['counts'])


def ahead(job, what, x, ours):
    """Whose median is less than ours, as told, of all but the floor."""
    return [f"{row['who']} {short(row['ratio']['median'])}"
            for row in job['results']
            if (row['what'], row['x']) == (what, x) and row['ratio']
            and not row['unit'] and not is_ours(row['who'])
            and round(row['ratio']['median'], 2) < round(ours, 2)]


def nobody_ahead(name, names):
    return [name, 'none', ', '.join(names) or 'none',
            'missed' if names else 'held']


def at_most(name, limit, value, unit=''):
    return [name, f'at most {limit:g}{unit}', short(value), 'held'
            if value <= limit else f'missed by {short(value - limit)}']


def launch_bars(job):
    own = medians(job, 'pidtrack, ring', 'launches')[None]
    yield at_most('a launch, of what the floor takes', 1.05, own)
    yield nobody_ahead('who is ahead of it', ahead(job, 'launches', None, own))


def live_bars(job):
    own = medians(job, 'pidtrack, ring', 'one ends')
    for who in 'pidtrack, ring', 'pidtrack, parked':
        its = medians(job, who, 'one ends')
        if {100, 15000} <= its.keys():
            yield at_most(f"one of 15000 ends, of what one of 100 takes, "
                          f"beyond the growth of the floor "
                          f"({who.split(', ')[1]})", 1.2,
                          its[15000] / its[100])
    for x in sorted(x for x in own if x >= 1000):
        yield nobody_ahead(f'who is ahead when one of {x} ends',
                           ahead(job, 'one ends', x, own[x]))
    yield at_most('system calls for each of many that ended', 0.1, counted(
        job, 'pidtrack, ring', 'many ended', 'system calls'))
    for who in 'pidtrack, ring', 'pidtrack, parked':
        yield [f"the same, while the host waits ({who.split(', ')[1]})", '',
               short(counted(job, who, 'many end', 'system calls')), '']
    for who in 'pidtrack, parked', 'pidtrack, ring':
        x, worst = max(medians(job, who, 'tax').items(), key=lambda at: at[1])
        yield at_most(f"a child of no concern, of what it takes without any "
                      f"({who.split(', ')[1]}; the worst, with {x})",
                      1.1, worst)


def spawn_bars(job):
    for what in dict.fromkeys(row['what'] for row in job['results']):
        x, worst = max(medians(job, 'pidtrack_spawn', what).items(),
                       key=lambda at: at[1])
        yield at_most(f'a launch of a larger host, of the smallest, by {what} '
                      f'(the worst, with {x})', 1.2, worst)


def verify_bars(job):
    value = medians(job, 'start time', 'at hand')[None]
    yield ['a record by its start time, of what ours takes', 'at least 3',
           short(value), 'held' if value >= 3 else
           f'missed by {short(3 - value)}']
    value = medians(job, 'start time', 'file')[None]
    yield ['the same, with the file still to be read', '', short(value), '']


def idle_bars(job):
    def worst(name):
        return max(row['counts'][name] for row in job['results']
                   if is_ours(row['who']))
    yield at_most('wake-ups in an idle minute', 0, worst('wake-ups a minute'))
    yield at_most('bytes of ours for each that lives, beyond the floor\'s', 256,
                  worst('own bytes') - counted(job, 'floor', 'idle',
                                               'own bytes'))


def bars(paths):
    """What each was to reach, as far as that was measured."""
    table = [['what', 'wanted', 'measured', '']]
    for path in paths:
        job = json.loads(path.read_text())
        of_job = globals().get(f"{job['job']}_bars")
        try:
            table += of_job(job) if of_job else []
        except (KeyError, RuntimeError, ValueError):
            print(f'{path}: who is to be compared was not there',
                  file=sys.stderr)
    return markdown(table)


# ---- README

def markdown(table):
    rows = [table[0], ['--:' if number else '---' for number in right(table)]]
    return '\n'.join('| ' + ' | '.join(row) + ' |' for row in rows + table[1:])


def parts(job, path):
    """Each table, and the plot of what it is of."""
    for what, table in tables(job):
        yield (f'{what}:\n\n' if what else '') + markdown(
            with_something(table))
        shown = svg_of(path, what) if what else None
        for svg in ([shown] if shown else
                    sorted(path.parent.glob(path.stem + '-*.svg'))):
            if svg.exists():
                yield f'![{svg.stem}](selftests/bench/figures/{svg.name})'


def chapter(path):
    job = json.loads(path.read_text())
    return '\n\n'.join([f"**{job['job']}**: {about(job)}.", *parts(job, path),
                        '; '.join(remarks(job)) + '.'])


def machines(jobs):
    """Where they were measured: a ratio is of one job, so of one machine."""
    names = {}
    for job in jobs:
        names.setdefault(f"{job['cpu']}, {job['cpus']} processors, "
                         f"Linux {job['linux']}, version {job['version']}",
                         []).append(job['job'])
    if len(names) == 1:
        return f'On {next(iter(names))}.'
    return '\n\n'.join(f"{', '.join(jobs)}: on {name}."
                       for name, jobs in names.items())


def readme(directory, file):
    paths = sorted(directory.glob('*.json'))
    if not paths:
        sys.exit(f'report.py: no figures in {directory}')
    where = machines(json.loads(path.read_text()) for path in paths)
    text = '\n\n'.join([where, bars(paths)] + [chapter(path) for path in paths])
    old = file.read_text()
    marks = '<!-- figures -->', '<!-- end of figures -->'
    before, rest = old.split(marks[0], 1)
    after = rest.split(marks[1], 1)[1]
    file.write_text(f'{before}{marks[0]}\n{text}\n{marks[1]}{after}')


def usage(status):
    print(__doc__, end='', file=sys.stderr if status else sys.stdout)
    sys.exit(status)


def main():
    what = ''.join(sys.argv[1:2])
    paths = [pathlib.Path(path) for path in sys.argv[2:]]
    if what in ('-h', '--help'):
        usage(0)
    taken = {'table': len(paths), 'plot': len(paths), 'readme': 2}
    if not paths or taken.get(what) != len(paths):
        usage(2)
    if what == 'table':
        for path in paths:
            print_tables(json.loads(path.read_text()))
    elif what == 'plot':
        plots(paths)
    else:
        readme(*paths)


if __name__ == '__main__':
    try:
        main()
    except OSError as problem:
        sys.exit(f'report.py: {problem}')
