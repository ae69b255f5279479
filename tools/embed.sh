#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Writes an assembler file that embeds the BPF objects given as arguments:
# kernel/hook/openssl.bpf.o becomes bpf_openssl_start and bpf_openssl_end.
set -eu

echo '	.section .rodata'
for object in "$@"; do
	name=$(basename "$object" .bpf.o)
	cat <<-TEXT
		.balign 8
		.global bpf_${name}_start, bpf_${name}_end
	bpf_${name}_start:
		.incbin "$object"
	bpf_${name}_end:
	TEXT
done
echo '	.section .note.GNU-stack,"",@progbits'
