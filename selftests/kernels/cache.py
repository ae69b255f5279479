# SPDX-License-Identifier: GPL-2.0-only
"""Where kernels, images and tools are kept: $KLOAK_KERNELS, or /var/cache/kloak-kernels."""
import os

CACHE = os.environ.get("KLOAK_KERNELS", "/var/cache/kloak-kernels")
