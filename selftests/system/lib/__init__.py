# SPDX-License-Identifier: GPL-2.0-only
"""What the system tests share. Standard library only."""
