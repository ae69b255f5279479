#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The manual pages name what the program knows: commands, options, reasons, exit codes."""
import os
import re
import subprocess

from lib import kloak, tap


def read(path):
    with open(os.path.join(kloak.TREE, path)) as file:
        return file.read()


def page(name):
    return read("Documentation/man/" + name)


def section(text, title):
    """What stands below a heading, to the next of the same rank."""
    heading = re.search(r"^\.(S[hs]) %s$" % re.escape(title), text, re.MULTILINE)
    if not heading:
        raise tap.Failure("no heading %r" % title)
    after = text[heading.end():]
    end = re.search(r"^\.(Sh|%s) " % heading.group(1), after, re.MULTILINE)
    return after[:end.start()] if end else after


def tags(text):
    """The words of its tagged list that are literal: the names of reasons."""
    return re.findall(r"^\.It Li (.*)$", text, re.MULTILINE)


def names_in(path, prefix):
    """What the rows of a table in C are called: [PREFIX_...] = { "name", ... } or { .name = "name"."""
    return re.findall(r'\[%s_\w+\] =\s*\{\s*(?:\.name = )?"([^"]+)"' % prefix, read(path))


def usage(*arguments):
    return subprocess.run([kloak.KLOAK, *arguments], capture_output=True, text=True,
                          check=True).stdout


@tap.test("every reason of a refusal is in kloak-events(5), and no other")
def refusals():
    names = names_in("user/event/reason.c", "REASON")
    tap.check(len(names) > 20, str(names))
    documented = tags(section(page("kloak-events.5"), "Reasons of a refusal"))
    tap.check_equal(documented, sorted(set(names) - {"none"}), "reasons, sorted")


@tap.test("every reason of explain is in kloak-events(5), and no other")
def explain():
    names = names_in("user/explain/reason.c", "EXPLAIN")
    tap.check(len(names) > 25, str(names))
    documented = tags(section(page("kloak-events.5"), "Reasons of explain"))
    tap.check_equal(documented, sorted(names), "reasons, sorted")


@tap.test("every option of run is in kloak(1), and no other")
def options():
    known = set(re.findall(r"--([a-z][a-z-]+)", usage("run", "--help"))) | {"help"}
    text = section(page("kloak.1"), "Options of run")
    documented = set(re.findall(r"^\.It .*?Fl Fl ([a-z-]+)", text, re.MULTILINE))
    tap.check_equal(sorted(documented), sorted(known), "options")


@tap.test("every command is in kloak(1)")
def commands():
    known = re.findall(r"^  (\w+) ", usage("--help"), re.MULTILINE)
    tap.check(len(known) >= 4, str(known))
    text = section(page("kloak.1"), "Commands")
    documented = re.findall(r"^\.It Nm Cm (\w+)", text, re.MULTILINE)
    tap.check_equal(sorted(documented), sorted(known), "commands")


@tap.test("cross references between the pages lead to pages that exist")
def references():
    directory = os.path.join(kloak.TREE, "Documentation/man")
    pages = sorted(os.listdir(directory))
    for name in pages:
        for title, number in re.findall(r"\bXr (kloak\S*) (\d)", page(name)):
            tap.check("%s.%s" % (title, number) in pages,
                      "%s refers to %s(%s)" % (name, title, number))
        for title in re.findall(r"\bSx (.+?)(?: \.)?$", page(name), re.MULTILINE):
            section(page(name), title)


tap.main(__doc__)
