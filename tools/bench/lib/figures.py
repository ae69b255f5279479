# SPDX-License-Identifier: GPL-2.0-only
"""Samples, and the table of results."""
import statistics


class Samples:
    """Measurements of one thing, in the order in which they were taken."""

    def __init__(self, values):
        self.values = list(values)

    @property
    def least(self):
        return min(self.values)

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def p90(self):
        return sorted(self.values)[int(len(self.values) * 0.9)]

    def minus(self, other):
        """Differences of pairs that were taken one right after the other."""
        return Samples(a - b for a, b in zip(self.values, other.values))

    def when_fast(self, other):
        """Those that were taken when `other` was in its fastest quarter: a quiet machine."""
        limit = statistics.quantiles(other.values, n=4)[0]
        return Samples(a for a, b in zip(self.values, other.values) if b <= limit)

    def over(self, other):
        return Samples(a / b for a, b in zip(self.values, other.values))


class Table:
    """Rows with a target get a verdict; the others explain them."""

    FORMAT = "%-66s %16s %10s  %s"

    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, limit=None, at_least=False, note=""):
        met = None if limit is None else value >= limit if at_least else value <= limit
        self.rows.append((name, value, unit, limit, at_least, met, note))

    @property
    def missed(self):
        return [row[0] for row in self.rows if row[5] is False]

    def __str__(self):
        lines = [self.FORMAT % ("", "measured", "target", "verdict")]
        for name, value, unit, limit, at_least, met, note in self.rows:
            target = "" if limit is None else "%s %g" % (">=" if at_least else "<=", limit)
            verdict = {None: "", True: "met", False: "MISSED"}[met]
            lines.append((self.FORMAT % (
                name, "%.2f %-5s" % (value, unit), target, verdict + note)).rstrip())
        return "\n".join(lines)


def heading(text):
    print("\n%s\n%s" % (text, "-" * len(text)), flush=True)


def spread_header(unit):
    print("%-24s %9s %9s %9s   %9s %9s %9s" % (
        unit, "min", "median", "p90", "minima", "quiet", "pairs"))


def spread(name, samples, base, control, scale):
    """One line: the samples, and what is added to the base: that of the minima, and the medians of
    the differences of pairs, in the rounds where the control was quick and in all."""
    added = samples.minus(base)
    print("%-24s %9.2f %9.2f %9.2f   %+9.2f %+9.2f %+9.2f" % (
        name, samples.least / scale, samples.median / scale, samples.p90 / scale,
        (samples.least - base.least) / scale, added.when_fast(control).median / scale,
        added.median / scale), flush=True)
