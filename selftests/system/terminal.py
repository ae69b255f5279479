#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The command shares its caller's terminal: it cannot type there, and stops and continues as
without Kloak."""
import errno
import os
import re
import shlex

from lib import build, clients, identity, kloak, tap, terminal
from lib.terminal import CTRL_Z, PROMPT

VALUES = {"API_KEY": kloak.new_secret()}
RUN = [kloak.KLOAK, "run", "-s", "API_KEY@api.test"]
OTHER_USER = ["--user", "65534:65534"]
SETPRIV = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=65534"]


def words(command):
    return shlex.join(command)


def shell():
    return terminal.Shell(VALUES)


# --- typing ------------------------------------------------------------

TYPE = """
import fcntl, os, sys, termios
try:
    for byte in sys.argv[1].encode() + b"\\n":
        fcntl.ioctl(int(os.environ.get("FD", 0)), termios.TIOCSTI, bytes([byte]))
    print("errno 0.")
except OSError as error:
    print("errno %d." % error.errno)
"""


def type_as_command(prefix, path):
    """errno of the attempt; what is typed makes a file, once the shell reads it."""
    with shell() as root:
        root.type(words([*prefix, *identity.said(
            [clients.PYTHON, "-c", TYPE, "echo >" + path])]) + "\n")
        said = root.expect(r"(?s)(.*)errno (\d+)\.")
        identity.check(said.group(1).replace("\r", ""), 65534, 65534)
        root.expect(re.escape(PROMPT))
        root.type("echo all-$((1 + 1))-read\n")
        root.expect("all-2-read")
    return int(said.group(2))


def without_kloak():
    """Whether this kernel lets a process type at all; the same as under Kloak, as a control."""
    path = tap.scratch("typed-without")
    number = type_as_command(SETPRIV, path)
    if number == errno.EIO:
        return False  # dev.tty.legacy_tiocsti is 0
    tap.check_equal((number, os.path.exists(path)), (0, True), "the attempt without Kloak")
    return True


@tap.test("a command of another user cannot type into root's shell")
def typing():
    if not without_kloak():
        tap.skip("this kernel lets nobody type: dev.tty.legacy_tiocsti is 0")
    path = tap.scratch("typed")
    number = type_as_command([*RUN, *OTHER_USER, "--"], path)
    tap.check_equal((number, os.path.exists(path)), (errno.EPERM, False), "the attempt")


def answer(prefix, way, request):
    with shell() as root:
        root.type(words([*prefix, build.typing_client(), way, request]) + "; echo end $?.\n")
        said = root.expect(r"(?s)(?:(\d+)\r?\n)?end (\d+)\.")
    return int(said.group(1)) if said.group(2) == "0" else None


WAYS = ("x64", "x32", "x64-as-x32", "x32-as-x64", "i386")
TIOCSTI, TIOCLINUX, TIOCGWINSZ = "5412", "541c", "5413"


def way_test(way):
    @tap.test("terminal requests through " + way)
    def asked():
        without = answer([], way, TIOCGWINSZ)
        if without is None:
            tap.skip("this kernel has no such way in")
        kloak_run = [*RUN, "--"]
        for request in (TIOCSTI, TIOCLINUX, "1" + TIOCSTI.zfill(8), "ffffffff" + TIOCSTI.zfill(8)):
            tap.check_equal(answer(kloak_run, way, request), errno.EPERM, "request " + request)
        tap.check_equal(answer(kloak_run, way, TIOCGWINSZ), without, "a harmless request")


for the_way in WAYS:
    way_test(the_way)


@tap.test("the filter is there for whatever the command starts")
def inherited():
    attempt = "FD=3 %s -c %s x" % (clients.PYTHON, shlex.quote(TYPE))
    script = "exec 3</dev/tty; setsid -w %s; %s" % ("env " + attempt, attempt)
    with shell() as root:
        root.type(words([*RUN, "--", "sh", "-c", script]) + "\n")
        for _ in range(2):
            tap.check_equal(int(root.expect(r"errno (\d+)\.").group(1)), errno.EPERM, "errno")


# --- stopping ----------------------------------------------------------

WAIT = 'echo "begun $$."; read -r line; echo "got $line."'


def check_stopped(root, words_of_job="kloak"):
    """The shell has the terminal again, and can go on with the job."""
    root.expect(r"Stopped[^\r\n]*" + words_of_job)
    root.expect(re.escape(PROMPT))


def go_on(root):
    root.type("fg\n")
    root.expect("kloak")
    root.type("hello\n")
    root.expect("got hello\\.")
    root.expect(re.escape(PROMPT))


def kloak_of(root):
    return [pid for pid in root.processes() if terminal.name(pid) == "kloak"]


def stop_when(title, ready):
    @tap.test("Ctrl-Z while the command starts: " + title)
    def stopped():
        for _ in range(4):
            with shell() as root:
                root.type(words([*RUN, "--", "sh", "-c", WAIT]) + "\n")
                terminal.wait_until(lambda: ready(root), title)
                root.type(CTRL_Z)
                check_stopped(root)
                go_on(root)


stop_when("as soon as kloak is there", kloak_of)
stop_when("as soon as the command's process is there", lambda root: len(kloak_of(root)) >= 2)


@tap.test("Ctrl-Z, fg, bg and a read from the background, once the command runs")
def running():
    with shell() as root:
        root.type(words([*RUN, "--", "sh", "-c", WAIT]) + "\n")
        root.expect("begun")
        root.type(CTRL_Z)
        check_stopped(root)
        root.type("bg\n")
        root.expect("kloak")
        root.ask_until("jobs\n", "Stopped[^\r\n]*kloak")
        go_on(root)


@tap.test("a command that stops itself with SIGSTOP")
def stop_itself():
    with shell() as root:
        root.type(words([*RUN, "--", "sh", "-c", "kill -STOP $$; " + WAIT]) + "\n")
        check_stopped(root)
        go_on(root)


@tap.test("Ctrl-C while the command starts ends it")
def interrupted():
    for _ in range(4):
        with shell() as root:
            root.type(words([*RUN, "--", "sleep", "1000"]) + "\n")
            terminal.wait_until(lambda: len(kloak_of(root)) >= 2, "the command's process")
            root.type("\x03")
            root.expect(re.escape(PROMPT))
            root.type("echo status $?.\n")
            root.expect(r"status 130\.")


@tap.test("an interactive shell that is suspended gets the terminal back")
def inner_shell():
    with shell() as root:
        root.type(words([*RUN, "--", "bash", "--norc", "--noprofile", "--noediting", "-i"]) + "\n")
        root.expect(re.escape(PROMPT))
        for _ in range(2):
            root.type("kill -STOP $$\n")
            check_stopped(root)
            root.type("fg\n")
            root.expect("kloak")
            root.type("read -r line && echo inner $line.\nhello\n")
            root.expect(r"inner hello\.")
        root.type("exit\n")
        root.expect("exit")
        root.expect(re.escape(PROMPT))
        root.type("echo outer\n")
        root.expect("outer")


@tap.test("a stop that nobody would end does not stop kloak")
def orphaned():
    """In a session of its own there is no shell: the command continues by somebody else's hand."""
    run = kloak.Running(["sh", "-c", 'echo $$; kill -STOP $$; echo continued'], VALUES,
                        ["API_KEY@api.test"], popen={"start_new_session": True})
    command = int(run.read_line())
    terminal.wait_until(lambda: terminal.state(command) == "T", "the stop of the command")
    os.kill(command, 18)
    result = run.finish()
    tap.check_equal((result.status, result.output), (0, b"continued\n"), str(result))


tap.main(__doc__)
