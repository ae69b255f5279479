# SPDX-License-Identifier: GPL-2.0-only
"""A virtual machine: a kernel, the guest's tree, and commands whose output comes back.

All in software (TCG), since there may be no /dev/kvm. The kernel's own words go to the
first serial port, the output of the commands to the second; it is over when the guest
reboots.
"""
import glob
import os
import shutil
import subprocess
import tempfile
import time

import tools
from cache import CACHE

MEMORY_MB = 1024
CPU_SECONDS = 900
SECONDS = 3600  # a machine that waits for ever uses none
COMMAND_LINE = ("console=ttyS0 quiet panic=-1 tsc=reliable tsc_early_khz=%d no_timer_check "
                "mitigations=off random.trust_cpu=on")
START = """
exec </dev/null >/dev/ttyS1 2>&1
cd /kloak
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root PYTHONDONTWRITEBYTECODE=1
export O=build TEST_AUTHORITY=/kloak/authority
%s
sleep 0.2
echo b >/proc/sysrq-trigger
"""


class Outcome:
    """output: of the commands; console: of QEMU and the kernel; cpu: seconds that QEMU used."""

    def __init__(self, output, console, seconds, cpu):
        self.output, self.console, self.seconds, self.cpu = output, console, seconds, cpu


def remove_leftovers():
    """Of runs that were killed."""
    for path in glob.glob(CACHE + "/machine-*.*"):
        pid = os.path.basename(path)[len("machine-"):].partition(".")[0]
        if not os.path.exists("/proc/" + pid):
            shutil.rmtree(path, ignore_errors=True)


_running = set()


def end_all():
    """The threads that wait for them go on."""
    for process in list(_running):
        process.kill()


def _wait(process):
    """What it used, as wait4(2) says; Popen does not."""
    end = time.monotonic() + SECONDS
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if time.monotonic() > end:
            process.kill()
        time.sleep(0.1)


def _text(path):
    """QEMU may not have come so far as to make the file."""
    if not os.path.exists(path):
        return ""
    with open(path, errors="replace") as file:
        return file.read().replace("\r", "")


class Machine:
    """payload: the directory that the guest has as /kloak; commands: shell text."""

    def __init__(self, kernel, initrd, image, tsc_khz, cpu="max", append=""):
        self.kernel, self.initrd, self.image = kernel, initrd, image
        self.cpu = cpu
        self.append = COMMAND_LINE % tsc_khz + " " + append

    def run(self, payload, commands):
        directory = tempfile.mkdtemp(prefix="machine-%d." % os.getpid(), dir=CACHE)
        try:
            self._write_initrd(directory, payload, commands)
            return self._run(directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _write_initrd(self, directory, payload, commands):
        """The kernel takes several archives, one after another."""
        stage = directory + "/stage"
        shutil.copytree(payload, stage + "/kloak")
        with open(stage + "/kloak/start", "w") as file:
            file.write(START % commands)
        tools.run("sh", "-c", 'cd "$1" && find . | cpio -o -H newc --quiet | '
                  'cat "$2" - >../initrd', "sh", tools.inside(stage), tools.inside(self.initrd))

    def _words(self, directory):
        place = tools.inside(directory)
        return tools.command(
            "prlimit", "--cpu=%d" % CPU_SECONDS, "qemu-system-x86_64", "-nodefaults",
            "-no-user-config", "-display", "none", "-no-reboot", "-M", "q35",
            "-accel", "tcg", "-cpu", self.cpu, "-m", str(MEMORY_MB),
            "-serial", "file:%s/console" % place, "-serial", "file:%s/output" % place,
            "-kernel", tools.inside(self.kernel.image), "-initrd", place + "/initrd",
            "-append", self.append, "-drive",
            "file=%s,if=none,id=disk,format=raw,readonly=on" % tools.inside(self.image),
            "-device", "virtio-blk-pci,drive=disk")

    def _run(self, directory):
        start = time.monotonic()
        with open(directory + "/qemu", "w") as said:
            process = subprocess.Popen(self._words(directory), stdin=subprocess.DEVNULL,
                                       stdout=said, stderr=said)
        _running.add(process)
        usage = _wait(process)
        _running.discard(process)
        seconds = time.monotonic() - start
        console = _text(directory + "/qemu") + _text(directory + "/console")
        if process.returncode:
            console += "\nQEMU ended with %d after %d s\n" % (process.returncode, seconds)
        return Outcome(_text(directory + "/output"), console, seconds,
                       usage.ru_utime + usage.ru_stime)
