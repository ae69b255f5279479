# SPDX-License-Identifier: GPL-2.0-only
"""TAP 13 from functions.

A test file registers functions with @test("what must be true") and ends with
main(PROMISE). A test passes by returning, fails by raising, and says with
skip("reason") that this machine cannot run it. Arguments of the test file
choose tests by a part of their name.
"""
import os
import shutil
import signal
import sys
import tempfile
import traceback

_tests = []
_cleanups = []


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


def _print_comment(text):
    for line in text.rstrip().splitlines():
        print("# " + line)


def _run(number, name, function):
    try:
        function()
    except Skip as reason:
        print("ok %d - %s # SKIP %s" % (number, name, reason))
    except Failure as failure:
        print("not ok %d - %s" % (number, name))
        _print_comment(str(failure))
        return False
    except Exception:  # pylint: disable=broad-except
        print("not ok %d - %s" % (number, name))
        _print_comment(traceback.format_exc())
        return False
    else:
        print("ok %d - %s" % (number, name))
    finally:
        sys.stdout.flush()
    return True


def main(promise):
    chosen = [t for t in _tests
              if len(sys.argv) < 2 or any(part in t[0] for part in sys.argv[1:])]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print("TAP version 13")
    _print_comment(promise)
    print("1..%d" % len(chosen), flush=True)
    try:
        results = [_run(i + 1, *t) for i, t in enumerate(chosen)]
    finally:
        clean_up()
    sys.exit(0 if all(results) else 1)
