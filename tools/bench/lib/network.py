# SPDX-License-Identifier: GPL-2.0-only
"""The parts that need a connection: writes, handshakes, bulk, and the programs one by one."""
from lib import actors, figures, programs, rig as rigs, writes
from lib.cast import cast

SIZES = (("200 B", rigs.REQUEST, 100), ("16 KB", rigs.JSON, 30))  # and writes a turn
LIMITS = {("200 B", False): 2.0, ("200 B", True): 3.5, ("16 KB", False): 3.5, ("16 KB", True): 3.5}
FILLS = (("base64", rigs.BASE64), ("random bytes", rigs.BINARY))
SUITES = (actors.TLS13_256, actors.TLS13_128, actors.TLS12_256, actors.TLS12_128,
          actors.TLS13_PACKETS)
HANDSHAKES = ((actors.TLS13_256, 1.15), (actors.TLS12_256, 1.15), (actors.TLS13_RSA, None))
WARM_UP = 8  # writes before those that are timed, as in client.c
HANDSHAKE_SECONDS = 9
BULK_ROUNDS = 64  # of 16 MiB each: 1 GiB for each client


def show(title, unit, results, scale):
    figures.heading(title)
    figures.spread_header(unit)
    base = results["base"]
    for name, samples in results.items():
        figures.spread(name, samples, base, results["again"], scale)


def show_writes(table, suite, size, results):
    show("SSL_write of %s, %s" % (size, suite), "us a write", results, 1e3)
    for placeholder, name in ((False, "inside"), (True, "inside, placeholder")):
        added = results[name].minus(results["base"])
        table.add("SSL_write of %s%s, %s" % (
            size, " with placeholder" if placeholder else "", suite),
                  added.median / 1e3, "us", LIMITS[size, placeholder],
                  note="  (quiet %.2f)" % (added.when_fast(results["again"]).median / 1e3))
    names = results["inside"].minus(results["by-address"])
    table.add("of that for watching name servers", names.median / 1e3, "us")


def run_writes(rig, table):
    with cast(rig) as clients:
        for suite in SUITES:
            clients.connect(suite)
            main = suite is SUITES[0]
            for size, payload, count in SIZES:
                cells = writes.write_cells(clients, payload, main)
                show_writes(table, suite, size,
                            writes.measure_writes(cells, count, 9 if main else 4))
        clients.connect(SUITES[0])
        for name, payload in FILLS:
            cells = writes.write_cells(clients, payload, False)
            show("SSL_write of 16 KB of %s, %s" % (name, SUITES[0]), "us a write",
                 writes.measure_writes(cells, SIZES[1][2], 3), 1e3)


def run_handshake(rig, table):
    with cast(rig) as clients:
        chosen = [clients[name] for name in (
            "base", "again", "outside", "to-outside", "inside", "by-address", "floor-derive")]
        for suite, limit in HANDSHAKES:
            measured = writes.measure_handshakes(chosen, suite, HANDSHAKE_SECONDS)
            for what, results in zip(("time", "work of both sides"), measured):
                show_handshakes(table, "%s, %s, %s" % (suite, suite.auth, what), limit, results)


def show_handshakes(table, title, limit, results):
    show("Handshake with connect(), " + title, "us a handshake", results, 1e3)
    ratio = results["inside"].over(results["base"])
    table.add("handshake, " + title, ratio.median, "x", limit)


def run_bulk(rig, table):
    with cast(rig) as clients:
        clients.connect(actors.TLS13_256)
        cells = [writes.Cell(clients[name], rigs.JSON)
                 for name in ("base", "again", "inside", "floor-both")]
        cells.append(writes.Cell(clients["inside"], rigs.JSON, True))
        results = writes.measure_bulk(cells, BULK_ROUNDS)
    show("1 GiB in writes of 16 KB, the server reading, " + str(actors.TLS13_256), "us a write",
         results, 1e3)
    for name in ("inside", "inside, placeholder", "floor-both"):
        ratio = results["base"].over(results[name])
        table.add("throughput of 1 GiB, " + name, ratio.median, "x",
                  0.85 if name == "inside" else None, True,
                  "  (quiet %.2f)" % ratio.when_fast(results["again"]).median)


def run_programs(rig, table):
    """How long each program runs. Counting costs time itself, so it is done separately."""
    del table
    figures.heading("Kloak's programs, ns a run (kernel.bpf_stats)")
    with cast(rig) as clients, programs.statistics():
        inside = clients["inside"]
        inside.connect(actors.TLS13_PACKETS, "S")
        for size, payload, count in SIZES:
            for placeholder in (False, True):
                programs.show("%s%s" % (size, ", placeholder" if placeholder else ""),
                              10 * (count + WARM_UP),
                              lambda: [inside.write(payload, count, placeholder)
                                       for _ in range(10)])
        for suite in (actors.TLS13_256, actors.TLS12_256):
            programs.show("handshake, %s" % suite, 20, lambda: inside.handshake(suite, 20))
