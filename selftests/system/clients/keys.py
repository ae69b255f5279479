# SPDX-License-Identifier: GPL-2.0-only
"""Tries to read a key of the caller's session keyring. argv: NAME ID.

Prints a line for each attempt: its name, and what was read or errno's number.

With "make" in the place of ID it is the caller instead: as login does, it joins a session keyring
(the one of the name in KEYRING, or one without a name), adds a key NAME with the payload in
PAYLOAD, and executes the further arguments, in which {ID} becomes the key's number.
"""
import ctypes
import os
import sys

SYS_ADD_KEY, SYS_REQUEST_KEY, SYS_KEYCTL = 248, 249, 250
GET_KEYRING_ID, JOIN_SESSION, LINK, UNLINK, SEARCH, READ = 0, 1, 8, 9, 10, 11
SESSION, USER, USER_SESSION = -3, -4, -5
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    result = libc.syscall(number, *[ctypes.c_long(each) if isinstance(each, int) else each
                                    for each in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def make(name, command):
    keyring = os.environ.get("KEYRING", "").encode() or None
    payload = os.environ.pop("PAYLOAD").encode()
    call(SYS_KEYCTL, JOIN_SESSION, keyring)
    number = call(SYS_ADD_KEY, b"user", name, payload, len(payload), SESSION)
    os.execvp(command[0], [word.replace("{ID}", str(number)) for word in command])


def read(number):
    buffer = ctypes.create_string_buffer(256)
    size = call(SYS_KEYCTL, READ, number, buffer, 256)
    return buffer.raw[:size].decode()


def link_and_read(number, keyring):
    call(SYS_KEYCTL, LINK, number, keyring)
    try:
        return read(number)
    finally:
        call(SYS_KEYCTL, UNLINK, number, keyring)  # the user's own outlives the test


def all_sessions():
    """The keyrings that /proc/keys shows, each linked and then searched."""
    with open("/proc/keys") as lines:
        numbers = [int(line.split()[0], 16) for line in lines if " keyring " in line]
    for number in numbers:
        try:
            call(SYS_KEYCTL, LINK, number, SESSION)
        except OSError:
            pass


def attempt(name, function, *arguments):
    try:
        print("%s: read %s" % (name, function(*arguments)), flush=True)
    except OSError as error:
        print("%s: errno %d" % (name, error.errno), flush=True)


def main(name, number):
    attempt("by number", read, number)
    attempt("requested", lambda: read(call(SYS_REQUEST_KEY, b"user", name, None, 0)))
    for text, keyring in (("user", USER), ("user session", USER_SESSION), ("session", SESSION)):
        attempt("searched in the %s keyring" % text,
                lambda: read(call(SYS_KEYCTL, SEARCH, keyring, b"user", name, 0)))
        attempt("linked to the %s keyring" % text, link_and_read, number, keyring)
    all_sessions()
    attempt("by number, every keyring being linked", read, number)
    own = call(SYS_ADD_KEY, b"user", b"kloak-own", b"own", 3, SESSION)
    attempt("a key of its own", read, own)


if sys.argv[2] == "make":
    make(sys.argv[1].encode(), sys.argv[3:])
else:
    main(sys.argv[1].encode(), int(sys.argv[2]))
