#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The packages that tools/deps installs can be installed together, on a Debian with none of them.

apt works out all of them against an empty list of installed packages, in a state of its
own that is kept below the build directory; nothing is installed. selftests/fresh
really installs some.
"""
import os
import subprocess

from lib import debian, kloak, tap

DEPS = os.path.join(kloak.TREE, "tools/deps")
O = os.path.abspath(os.path.join(kloak.TREE, os.environ.get("O", "build")))
STABLE = ("bookworm", "trixie")
ALL = ("check", "lint", "fresh")
# Without dpkg, nothing can be installed by mistake.
CONFIGURATION = """
Dir "%(state)s/";
Dir::State "%(state)s/state";
Dir::State::status "%(state)s/status";
Dir::Cache "%(state)s/cache";
Dir::Etc "%(state)s/etc";
Dir::Etc::TrustedParts "/etc/apt/trusted.gpg.d";
Dir::Bin::methods "/usr/lib/apt/methods";
Dir::Bin::dpkg "/bin/false";
Dir::Log "%(state)s/log";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Languages "none";
Acquire::Retries "0";
Acquire::http::Timeout "20";
"""


def packages(*groups):
    return subprocess.run([DEPS, "--list", *groups], check=True, capture_output=True,
                          text=True).stdout.split()


class Suite:
    """apt of a machine with nothing installed."""

    def __init__(self, name):
        self.name = name
        state = os.path.join(O, "apt", name)
        for directory in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d",
                          "etc/preferences.d", "log"):
            os.makedirs(os.path.join(state, directory), exist_ok=True)
        self._write(state + "/status", "")
        self._write(state + "/etc/sources.list", debian.source(name) + "\n")
        self._write(state + "/apt.conf", CONFIGURATION % {"state": state})
        self.environment = {**os.environ, "APT_CONFIG": state + "/apt.conf", "LC_ALL": "C"}

    @staticmethod
    def _write(path, text):
        with open(path, "w") as file:
            file.write(text)

    def apt_get(self, *words):
        """Exit status and what it said."""
        done = subprocess.run(["apt-get", "-q", *words], env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, errors="replace", check=False)
        return done.returncode, done.stdout

    def fetch_lists(self):
        status, output = self.apt_get("update")
        if status != 0:
            why = [line for line in output.splitlines() if line.startswith(("E:", "Err:", "W:"))]
            tap.skip("the lists of %s cannot be fetched: %s" % (self.name, "; ".join(why)[:300]))


def can_be_installed(name):
    def run():
        suite = Suite(name)
        suite.fetch_lists()
        wanted = packages(*ALL)
        # What would be fetched: the whole answer of the resolver, and nothing else is done.
        status, output = suite.apt_get("-y", "--print-uris", "--no-install-recommends", "install",
                                       *wanted)
        tap.check(status == 0, output[-1500:])
        missed = [name for name in wanted if "/%s_" % name not in output]
        tap.check_equal(missed, [], "packages that would not be fetched")
    tap.test("the packages of %s" % name)(run)


@tap.test("the table is sorted and names each package once")
def sorted_once():
    with open(DEPS) as file:
        rows = file.read().split("table='\n")[1].split("'\n")[0].splitlines()
    names = [row.split()[0] for row in rows]
    tap.check_equal(names, sorted(set(names)), "packages")
    for row in rows:
        tap.check(len(row.split()) > 3, "nothing says what it is for: " + row)


@tap.test("a group has the packages of those below it, and no others")
def groups():
    build, demo, check = (set(packages(group)) for group in ("build", "demo", "check"))
    tap.check(build < demo < check, "build, demo, check: %s, %s, %s" % (build, demo, check))
    tap.check_equal(set(packages("demo", "lint")), demo | set(packages("lint")), "two groups")


@tap.test("the packages of sid are called so")
def known_in_sid():
    """What can be installed there changes by the hour."""
    suite = Suite("sid")
    suite.fetch_lists()
    known = set(subprocess.run(["apt-cache", "pkgnames"], env=suite.environment, check=True,
                               capture_output=True, text=True).stdout.split())
    tap.check_equal(sorted(set(packages(*ALL)) - known), [], "packages that sid does not have")


for each in STABLE:
    can_be_installed(each)
tap.main(__doc__, workers=os.cpu_count() or 1)
