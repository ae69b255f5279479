# SPDX-License-Identifier: GPL-2.0-only
"""TAP 13 from functions.

A test file registers functions with @test("what must be true") and ends with
main(PROMISE). A test passes by returning and fails by raising; it calls
skip("reason") if this machine cannot run it. Arguments of the test file choose
tests by a part of their name.
"""
import concurrent.futures
import os
import shutil
import signal
import sys
import tempfile
import traceback

_tests = []
_cleanups = []


# Seconds by the clock, on a machine that may be busy: not how long something may take.
HANGS = 900  # a process that has not ended by then waits for something
HAPPENS = 60  # what has not happened by then does not happen


class Failure(Exception):
    """What was promised and what was seen instead."""


class Skip(Exception):
    """Why this machine cannot run the test."""


def test(name):
    def register(function):
        _tests.append((name, function))
        return function
    return register


def skip(reason):
    raise Skip(reason)


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)


def check_equal(got, want, what):
    if got != want:
        raise Failure("%s\n got: %s\nwant: %s" % (what, _short(got), _short(want)))


def _short(value):
    text = repr(value)
    return text if len(text) <= 600 else "%s ... (%d characters)" % (text[:600], len(text))


def cleanup(function, *arguments):
    """Calls function at the end of the test file, last registered first."""
    _cleanups.append((function, arguments))


def clean_up():
    while _cleanups:
        function, arguments = _cleanups.pop()
        function(*arguments)


_scratch = None


def scratch(name=""):
    """A path in this test file's own temporary directory, which any user may enter."""
    global _scratch
    if _scratch is None:
        _scratch = tempfile.mkdtemp(prefix="kloak-test.")
        os.chmod(_scratch, 0o755)
        cleanup(shutil.rmtree, _scratch, True)
    return os.path.join(_scratch, name)


def _comment(text):
    return "".join("\n# " + line for line in text.rstrip().splitlines())


def _run(number, name, function):
    """Whether it passed, and what to print."""
    try:
        function()
    except Skip as reason:
        return True, "ok %d - %s # SKIP %s" % (number, name, reason)
    except Failure as failure:
        return False, "not ok %d - %s" % (number, name) + _comment(str(failure))
    except Exception:  # pylint: disable=broad-except
        return False, "not ok %d - %s" % (number, name) + _comment(traceback.format_exc())
    return True, "ok %d - %s" % (number, name)


def _run_all(tests, workers):
    """In their order, `workers` at a time."""
    if workers == 1:  # in this thread, which alone may set signal handlers
        for number, item in enumerate(tests):
            passed, text = _run(number + 1, *item)
            print(text, flush=True)
            yield passed
        return
    scratch()
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        running = [pool.submit(_run, i + 1, *t) for i, t in enumerate(tests)]
        for future in running:
            passed, text = future.result()
            print(text, flush=True)
            yield passed
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def main(promise, workers=1):
    """workers: how many tests may run at a time; they must not share servers then."""
    chosen = [t for t in _tests
              if len(sys.argv) < 2 or any(part in t[0] for part in sys.argv[1:])]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # A shell ignores these for what it runs in the background, and no program may then trap them.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    print("TAP version 13" + _comment(promise))
    print("1..%d" % len(chosen), flush=True)
    try:
        results = list(_run_all(chosen, workers))
    finally:
        clean_up()
    sys.exit(0 if all(results) else 1)
