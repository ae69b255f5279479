#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A command on a terminal stops and continues as without Kloak."""
import os
import re
import shlex

from lib import kloak, tap, terminal
from lib.terminal import CTRL_Z, PROMPT

VALUES = {"API_KEY": kloak.new_secret()}
RUN = [kloak.KLOAK, "run", "-s", "API_KEY@api.test"]


def words(command):
    return shlex.join(command)


def shell():
    return terminal.Shell(VALUES)


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
