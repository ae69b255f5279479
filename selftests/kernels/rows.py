# SPDX-License-Identifier: GPL-2.0-only
"""What is booted, and which test files run there."""

# Not every case: each takes some 3 seconds. What depends on the kernel is tried on the
# oldest and on the newest.
DOCTOR_AS_IT_IS = "selftests/system/doctor.py 'as this machine is'"
DOCTOR_IN_SHORT = DOCTOR_AS_IT_IS + " 'root without CAP_NET_ADMIN'"
DOCTOR = (DOCTOR_IN_SHORT + " 'least but CAP_NET_ADMIN' 'least capabilities' 'JIT compiler'"
          " 'remedy of few descriptors'")
SWAPS = "selftests/kernels/guest/swaps.py"
NAMES = "selftests/system/verified-destinations.py 'a name, IPv4' 'an answer by TCP, IPv4'"
# Debian's 6.1 has no sysctl against typing, and its kernels take 32-bit calls.
TYPING = "selftests/system/terminal.py 'cannot type' requests"
KEYS = "selftests/system/keyring.py"
NO_ROOM = "selftests/system/no-room.py"
WARNINGS = "selftests/kernels/guest/kernel-warnings.py"


class Row:
    """series: the newest kernel of it is booted; files: test files, with their arguments.
    variant: how the machine differs from others; cpu: QEMU's processor; append: words for the
    kernel's command line."""

    def __init__(self, series, files, variant="", cpu="max", append=""):
        self.series, self.files, self.variant = series, (*files, WARNINGS), variant
        self.cpu, self.append = cpu, append

    def title(self, version):
        return version + (" " + self.variant if self.variant else "")


ALL = (DOCTOR, SWAPS, NAMES)
BETWEEN = (DOCTOR_IN_SHORT, SWAPS, NAMES)
LOCKDOWN = {"variant": "lockdown", "append": "lockdown=confidentiality"}
# Linux 7 gives sockets no storage on such a processor.
NO_CX16 = {"variant": "no cx16", "cpu": "max,-cx16"}

ROWS = (
    Row("6.1", (*ALL, TYPING, KEYS)),
    Row("6.12", BETWEEN),
    Row("6.18", BETWEEN),
    Row("7", (*ALL, NO_ROOM)),
    Row("6.1", (DOCTOR_AS_IT_IS,), **LOCKDOWN),
    Row("7", (DOCTOR_AS_IT_IS,), **LOCKDOWN),
    Row("7", (DOCTOR_AS_IT_IS,), **NO_CX16),
)
