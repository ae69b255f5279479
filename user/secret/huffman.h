/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The HPACK Huffman code, as far as Kloak needs it in user space: how many bits
 * a string takes (RFC 7541, Appendix B).
 */
#ifndef KLOAK_SECRET_HUFFMAN_H
#define KLOAK_SECRET_HUFFMAN_H

#include <stddef.h>
#include <stdint.h>

/* Bits of the code of each byte: 5 to 30. */
extern const uint8_t huffman_code_bits[256];

/* Bits that @size bytes of @data take, without the padding to a whole byte. */
size_t huffman_bits(const void *data, size_t size);

#endif
