# SPDX-License-Identifier: GPL-2.0-only
"""How long it takes until the command runs, and where that time goes."""
import os
import re
import shutil
import subprocess
import time
from collections import defaultdict

from lib import figures, rig as rigs
from lib.actors import kloak_prefix
from lib.node import NoServer
from lib.writes import in_turns

ROUNDS = 15
PYTHON = ["/usr/bin/python3", "-I", "-S", "-c", "import time; print(time.monotonic_ns())"]
SLOW = 0.002  # s: system calls that are listed by themselves
TRACED = "bpf,perf_event_open,execve,clone,clone3,close"


def environment(rig):
    return {"PATH": "/usr/bin:/bin", "BENCH_SECRET": rig.secret}


def launch(rig, command):
    """ms from here to the command's own time stamp, and to its end."""
    begin = time.monotonic_ns()
    done = subprocess.run(command, env=environment(rig), stdin=subprocess.DEVNULL,
                          capture_output=True)
    end = time.monotonic_ns()
    if done.returncode:
        raise rigs.CannotMeasure("%s: status %d, %s" % (
            " ".join(command), done.returncode, done.stderr.decode(errors="replace")[-400:]))
    return (int(done.stdout) - begin) / 1e6, (end - begin) / 1e6


def run_start(rig, table):
    commands = {"python3": PYTHON, "static": [rigs.program("stamp")]}
    for name, command in commands.items():
        # in_turns() wants one figure an action: the pair stays together here.
        plain, under = in_turns([lambda: launch(rig, command),
                                 lambda: launch(rig, kloak_prefix(NoServer) + command)], ROUNDS)
        for which, what in ((0, "start to running"), (1, "start to end")):
            show(table, name, what, *(figures.Samples(pair[which] for pair in side.values)
                                      for side in (plain, under)))
    show_breakdown(rig)


def show(table, name, what, plain, under):
    figures.heading("kloak run, %s program, %s" % (name, what))
    figures.spread_header("ms")
    figures.spread("plain", plain, plain, plain, 1)
    figures.spread("under kloak run", under, plain, plain, 1)
    limit = 60 if (name, what) == ("python3", "start to running") else None
    table.add("kloak run, %s: %s" % (name, what), under.minus(plain).median, "ms", limit,
              note="%s(of minima %.1f)" % ("  " if limit else "", under.least - plain.least))


class Call:
    """One line of strace -ttt -T: when it was made, how long it took."""

    LINE = re.compile(r"^(\d+\.\d+) (\w+)\((.*)<(\d+\.\d+)>$")

    def __init__(self, match):
        self.begin, self.name = float(match[1]), match[2]
        self.text, self.seconds = match[3], float(match[4])

    @property
    def kind(self):
        if self.name == "bpf":
            return "bpf " + self.text.split(",")[0]
        return self.name

    @property
    def program(self):
        found = re.search(r'prog_name="(\w+)"', self.text)
        return found[1] if found else ""


def trace(rig):
    """The system calls that matter in a kloak run, in order; [] without strace."""
    if not shutil.which("strace"):
        return []
    prefix = os.path.join(rig.directory, "trace")
    subprocess.run(
        ["strace", "-ff", "--seccomp-bpf", "-ttt", "-T", "-s", "64", "-e", "trace=" + TRACED,
         "-o", prefix] + kloak_prefix(NoServer)
        + [rigs.program("stamp")], env=environment(rig), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    calls = []
    for name in os.listdir(rig.directory):
        if name.startswith("trace."):
            with open(os.path.join(rig.directory, name), errors="replace") as lines:
                calls += [Call(match) for match in map(Call.LINE.match, lines) if match]
    return sorted(calls, key=lambda call: call.begin)


def show_breakdown(rig):
    figures.heading("Where the start goes: system calls (strace makes each slower, by about 50 us)")
    calls = trace(rig)
    if not calls:
        print("not measured: strace is not installed")
        return
    show_timeline(calls)
    totals = defaultdict(lambda: [0, 0.0])
    for call in calls:
        totals[call.kind][0] += 1
        totals[call.kind][1] += call.seconds
    print("by kind:")
    for kind, (count, seconds) in sorted(totals.items(), key=lambda item: -item[1][1])[:12]:
        print("    %-28s %4d calls %8.2f ms" % (kind, count, seconds * 1e3))


def show_timeline(calls):
    """What took long, between which marks."""
    begin = calls[0].begin
    marks = {"execve", "bpf BPF_PROG_LOAD", "clone", "clone3", "vfork", "exit_group"}
    print("in order, calls of 2 ms and more:")
    for call in calls:
        if call.seconds >= SLOW or call.kind in marks:
            print("    at %7.2f ms  %-24s %-18s %8.2f ms" % (
                (call.begin - begin) * 1e3, call.kind, call.program, call.seconds * 1e3))
