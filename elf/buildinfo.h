/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a Go program says about how it was built: the version of Go, and options
 * that change how it encrypts. It is in every program since Go 1.13, stripped or
 * not, for `go version`.
 *
 * Source: Go's src/debug/buildinfo/buildinfo.go. Up to 1.17 there are pointers to
 * two Go strings; since then the strings themselves, each after its length.
 */
#ifndef KLOAK_ELF_BUILDINFO_H
#define KLOAK_ELF_BUILDINFO_H

#include "elf/image.h"

#define BUILDINFO_VERSION_MAX 128
#define BUILDINFO_MODULES_MAX (256U << 10) /* bytes of the list of modules and settings */

struct buildinfo {
	char version[BUILDINFO_VERSION_MAX]; /* "go1.24.4", "go1.17 X:noregabi", "devel ..." */
	unsigned int minor;		     /* of "go1.minor"; 0: it does not say */
	bool stack_arguments; /* its functions take arguments on the stack: 1.16 and older */
	bool boring;	      /* GOEXPERIMENT=boringcrypto */
	bool fips;	      /* GOFIPS140, or GODEBUG=fips140=on by default */
};

/*
 * -ENOENT: not there; -EBADMSG: it lies; -ENAMETOOLONG: a version over
 * BUILDINFO_VERSION_MAX; other errors of reading.
 */
int buildinfo_read(const struct elf_image *image, struct buildinfo *info);

#endif
