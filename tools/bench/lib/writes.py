# SPDX-License-Identifier: GPL-2.0-only
"""Writes, handshakes and bulk: turns of a few hundred microseconds, in varying order."""
import time

from lib.figures import Samples

BULK_WRITES = 1024  # of 16 KB: 16 MiB a turn


class Cell:
    """One client doing one thing. placeholder: whether the hole is filled with BENCH_SECRET."""

    def __init__(self, client, payload, placeholder=False):
        self.client, self.payload, self.placeholder = client, payload, placeholder

    @property
    def name(self):
        return self.client.name + (", placeholder" if self.placeholder else "")


def in_turns(actions, rounds=None, seconds=None):
    """Does all actions in each round, starting with a different one each time: one Samples each."""
    results = [[] for _ in actions]
    end = time.monotonic() + seconds if seconds else None
    number = 0
    while number < rounds if rounds else time.monotonic() < end or number < 10:
        for step in range(len(actions)):
            index = (step + number) % len(actions)
            results[index].append(actions[index]())
        number += 1
    return [Samples(values) for values in results]


def write_cells(cast, payload, floors):
    names = ["base", "again", "outside", "inside", "by-address"]
    cells = [Cell(cast[name], payload) for name in names] + [Cell(cast["inside"], payload, True)]
    if floors:
        cells += [Cell(cast[name], payload)
                  for name in ("floor-probe", "floor-message", "floor-both", "floor-redirect")]
    return cells


def measure_writes(cells, count, seconds):
    """ns for one write: {cell name: Samples}."""
    samples = in_turns([
        lambda cell=cell: cell.client.write(cell.payload, count, cell.placeholder)
        for cell in cells], seconds=seconds)
    return {cell.name: sample for cell, sample in zip(cells, samples)}


def measure_bulk(cells, rounds):
    """ns for one write, in long turns."""
    samples = in_turns([
        lambda cell=cell: cell.client.stream(cell.payload, BULK_WRITES, cell.placeholder)
        for cell in cells], rounds=rounds)
    return {cell.name: sample for cell, sample in zip(cells, samples)}


def measure_handshakes(clients, suite, seconds):
    """ns for one handshake, by the wall clock and of work: two {client name: Samples}."""
    pairs = in_turns([lambda client=client: client.handshake(suite, 2) for client in clients],
                     seconds=seconds)
    return [{client.name: Samples(pair[which] for pair in samples.values)
             for client, samples in zip(clients, pairs)} for which in (0, 1)]
