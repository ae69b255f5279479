# SPDX-License-Identifier: GPL-2.0-only
"""An interactive shell on a terminal of its own, as somebody uses it who types."""
import os
import pty
import re
import select
import signal
import time

from lib import tap

PROMPT = "PROMPT> "
SECONDS = 60  # for what takes a moment: only what never happens takes so long
CTRL_Z = "\x1a"


class Shell:
    """with Shell(values) as shell: shell.type("..."); shell.expect("...")"""

    def __init__(self, values):
        self.text, self.place = "", 0
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "TERM": "dumb",
                       "HOME": "/nonexistent", "PS1": PROMPT, "PS2": "", **values}
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(tap.scratch())
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], environment)

    def __enter__(self):
        self.expect(re.escape(PROMPT))
        self.type("stty -echo\n")  # so that what is expected is not what was typed
        self.expect(re.escape(PROMPT))
        return self

    def __exit__(self, *_):
        """The hangup of a session ends what is in it, but for what is stopped in a group of its
        own."""
        for pid in reversed(self.processes()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os.close(self.master)
        os.waitpid(self.pid, 0)

    def processes(self):
        """Pids of the session, the shell's first."""
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.getsid(int(name)) == self.pid:
                    found.append(int(name))
            except ProcessLookupError:
                pass
        return sorted(found, key=lambda pid: (pid != self.pid, pid))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern):
        """Waits until this comes, after what was expected before, and returns the match."""
        end = time.monotonic() + SECONDS
        while True:
            match = re.compile(pattern).search(self.text, self.place)
            if match:
                self.place = match.end()
                return match
            if time.monotonic() > end or not self._read():
                raise tap.Failure("%r does not come on the terminal, but %r; processes: %s" % (
                    pattern, self.text[self.place:], self.describe()))

    def ask_until(self, command, pattern):
        """Types the command again and again, until this is in its output."""
        def asked():
            self.type(command)
            start = self.place
            self.expect(re.escape(PROMPT))
            return re.search(pattern, self.text[start:self.place])
        wait_until(asked, pattern)

    def _read(self):
        try:
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 4096).decode(errors="replace")
        except OSError:
            return False  # nobody has the terminal any more
        return True

    def describe(self):
        return ", ".join("%s %s" % (name(pid), state(pid)) for pid in self.processes())


def state(pid):
    """A letter, as ps(1) shows it; empty if there is no such process."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def name(pid):
    try:
        with open("/proc/%d/comm" % pid) as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_until(condition, what):
    """The first true value of condition(), which is asked again and again."""
    end = time.monotonic() + SECONDS
    while True:
        value = condition()
        if value:
            return value
        tap.check(time.monotonic() < end, "never came: " + what)
        time.sleep(0.001)
