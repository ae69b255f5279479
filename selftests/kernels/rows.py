# SPDX-License-Identifier: GPL-2.0-only
"""What is booted, and which test files run there."""

# QEMU's processor in software has everything that it can do; 6.x kernels are slow to the
# point of lockups with its cmpxchg16b, 7.x kernels need that for BPF's memory.
WITHOUT_CX16, WITH_CX16 = "max,-cx16", "max"

DOCTOR = "selftests/kernels/guest/doctor-agrees.py"
# Without the compiler everything takes its time: on the oldest kernel and the newest.
DOCTOR_IN_SHORT = DOCTOR + " 'as it is' CAP_NET_ADMIN"
DOCTOR_AS_IT_IS = DOCTOR + " 'as it is'"
SWAPS = "selftests/kernels/guest/swaps.py"
NAMES = "selftests/system/verified-destinations.py 'a name, IPv4' 'an answer by TCP, IPv4'"
NO_STORAGE = "selftests/kernels/guest/no-storage.py"
WARNINGS = "selftests/kernels/guest/kernel-warnings.py"


class Row:
    """series: the newest kernel of it is booted; files: test files, with their arguments.
    append: words for the kernel's command line; variant: how that differs from the others."""

    def __init__(self, series, cpu, files, variant="", append=""):
        self.series, self.cpu, self.files = series, cpu, (*files, WARNINGS)
        self.variant, self.append = variant, append

    def title(self, version):
        return version + (" " + self.variant if self.variant else "")


ALL = (DOCTOR, SWAPS, NAMES)
BETWEEN = (DOCTOR_IN_SHORT, SWAPS, NAMES)
LOCKDOWN = {"variant": "lockdown", "append": "lockdown=confidentiality"}

ROWS = (
    Row("6.1", WITHOUT_CX16, ALL),
    Row("6.12", WITHOUT_CX16, BETWEEN),
    Row("6.18", WITHOUT_CX16, BETWEEN),
    Row("7", WITH_CX16, ALL),
    Row("6.1", WITHOUT_CX16, (DOCTOR_AS_IT_IS,), **LOCKDOWN),
    Row("7", WITH_CX16, (DOCTOR_AS_IT_IS,), **LOCKDOWN),
    Row("7", WITHOUT_CX16, (DOCTOR_AS_IT_IS, NO_STORAGE), variant="no cx16"),
)
