// SPDX-License-Identifier: GPL-2.0-only
/*
 * user/attach/plan.c and hook_table.c: which functions of a file would be
 * probed, depending on the functions that it defines. The compiler makes the files,
 * with the names that the libraries have.
 */
#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"

#include "user/attach/hook.h"

/* An ELF file that defines the functions @names: blank after each. */
static void make_library(const char *path, const char *names)
{
	char source[4096] = "", command[1200], name[256];
	int used;

	while (sscanf(names, "%255s%n", name, &used) == 1) {
		size_t size = strlen(source);

		snprintf(source + size, sizeof(source) - size,
			 "long %s(long a) { return a + %zu; }\n", name, size);
		names += used;
	}
	scratch_write("library.c", source, 0600);
	snprintf(command, sizeof(command), "gcc -O1 -fPIC -shared -o %s %s", path,
		 scratch_path("library.c"));
	ck_assert_int_eq(system(command), 0);
}

/* "openssl:SSL_write " for each function that is to be probed, in the table's order. */
static void plan_text(const char *path, char *text, size_t size)
{
	struct hook_plans plans;
	struct error err = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int count, seen = 0;

	ck_assert_int_ge(fd, 0);
	count = hook_plan_file(fd, path, &plans, &err);
	close(fd);
	ck_assert_int_ge(count, 0);
	*text = 0;
	for (size_t i = 0; i < hook_count; i++)
		for (size_t k = 0; k < plans.by_hook[i].count; k++, seen++) {
			size_t used = strlen(text);

			snprintf(text + used, size - used, "%s:%s ", hooks[i].name,
				 plans.by_hook[i].probes[k].function->symbol);
		}
	ck_assert_int_eq(seen, count);
	hook_plans_release(&plans);
}

#define LIBSSL	  "SSL_new SSL_read SSL_write SSL_write_early_data "
#define LIBCRYPTO "EVP_PKEY_derive EVP_PKEY_CTX_ctrl "

static const struct {
	const char *defined, *probed;
} files[] = {
	/* libssl of OpenSSL 1.1.1 and 3.0, then with SSL_write_ex2, to which SSL_write_ex jumps */
	{ LIBSSL "SSL_write_ex", "openssl:SSL_write openssl:SSL_write_ex " },
	{ LIBSSL "SSL_write_ex SSL_write_ex2 SSL_sendfile",
	  "openssl:SSL_write openssl:SSL_write_ex2 " },
	/* of BoringSSL; of AWS-LC, whose SSL_write_ex calls SSL_write */
	{ LIBSSL "SSL_CTX_set_grease_enabled", "boringssl:SSL_write " },
	{ LIBSSL "SSL_CTX_set_grease_enabled SSL_write_ex", "boringssl:SSL_write " },
	/* libcrypto of OpenSSL 3, and of 1.1.1 */
	{ LIBCRYPTO "EVP_KDF_derive EVP_KDF_fetch", "openssl:EVP_KDF_derive " },
	{ LIBCRYPTO, "openssl11:EVP_PKEY_CTX_ctrl openssl11:EVP_PKEY_derive " },
	/* of 1.1.1 where EVP_KDF_derive() was added by a distribution, with other arguments */
	{ LIBCRYPTO "EVP_KDF_derive EVP_KDF_ctrl",
	  "openssl11:EVP_PKEY_CTX_ctrl openssl11:EVP_PKEY_derive " },
	/* of BoringSSL, earlier and later */
	{ LIBCRYPTO "HKDF_expand CRYPTO_tls1_prf",
	  "boringssl:HKDF_expand boringssl:CRYPTO_tls1_prf " },
	{ LIBCRYPTO "HKDF_expand CRYPTO_tls1_prf BORINGSSL_integrity_test", "" },
	{ LIBCRYPTO "HKDF_expand CRYPTO_tls1_prf BORINGSSL_FIPS_abort", "" },
	{ LIBCRYPTO "HKDF_expand CRYPTO_tls1_prf CRYPTO_tls13_hkdf_expand_label",
	  "boringssl:CRYPTO_tls13_hkdf_expand_label boringssl:CRYPTO_tls1_prf " },
	/* linked into a program */
	{ LIBSSL LIBCRYPTO "SSL_write_ex EVP_KDF_derive EVP_KDF_fetch",
	  "openssl:EVP_KDF_derive openssl:SSL_write openssl:SSL_write_ex " },
	{ LIBSSL LIBCRYPTO "SSL_CTX_set_grease_enabled HKDF_expand CRYPTO_tls1_prf",
	  "boringssl:HKDF_expand boringssl:CRYPTO_tls1_prf boringssl:SSL_write " },
	/* libnettle and libgnutls */
	{ "nettle_hkdf_extract nettle_hkdf_expand", "gnutls:nettle_hkdf_expand " },
	{ "gnutls_record_send gnutls_record_send2 gnutls_record_uncork gnutls_record_cork "
	  "gnutls_deinit gnutls_record_send_range _gnutls_prf_raw",
	  "gnutls:_gnutls_prf_raw gnutls:gnutls_record_send2 gnutls:gnutls_record_send_range "
	  "gnutls:gnutls_record_cork gnutls:gnutls_record_uncork gnutls:gnutls_deinit " },
	/* mbedTLS: libmbedcrypto, libmbedtls of Debian 12, then linked into a program */
	{ "psa_key_derivation_input_bytes psa_key_derivation_output_bytes mbedtls_cipher_setkey",
	  "mbedtls:psa_key_derivation_input_bytes mbedtls:psa_key_derivation_output_bytes "
	  "mbedtls:mbedtls_cipher_setkey " },
	{ "mbedtls_ssl_read mbedtls_ssl_write", "mbedtls:mbedtls_ssl_write " },
	/* wolfSSL 5.5, 5.7, 5.9 */
	{ "wc_Tls13_HKDF_Expand_Label wc_PRF_TLS wolfSSL_send wolfSSL_write",
	  "wolfssl:wc_Tls13_HKDF_Expand_Label wolfssl:wc_PRF_TLS wolfssl:wolfSSL_write " },
	{ "wc_Tls13_HKDF_Expand_Label wc_Tls13_HKDF_Expand_Label_ex wc_PRF_TLS wolfSSL_write",
	  "wolfssl:wc_Tls13_HKDF_Expand_Label_ex wolfssl:wc_PRF_TLS wolfssl:wolfSSL_write " },
	{ "wolfSSL_write_ex wolfSSL_writev wolfSSL_write",
	  "wolfssl:wolfSSL_write wolfssl:wolfSSL_write_ex " },
	/* rustls: of two kinds of connections, each has its functions */
	{ "_RNvXs5_6rustls5tls13NtB5_16RingHkdfExpanderNtB9_12HkdfExpander12expand_slice "
	  "_RNvXs5_6rustls5tls13NtB5_16RingHkdfExpanderNtB9_12HkdfExpander12expand_block "
	  "_RNvXNt_6rustls5tls12NtB2_12PrfUsingHmacNtB2_3Prf10for_secret",
	  "rustls:*RingHkdfExpander*expand_slice* rustls:*rustls*PrfUsingHmac*for_secret* " },
	{ "_RNvXs6_6rustls16ConnectionCommonNtB9_6clientENtB5_13PlaintextSink5writeCs_1x "
	  "_RNvXs6_6rustls16ConnectionCommonNtB9_6serverENtB5_13PlaintextSink5writeCs_1x "
	  "_RNvXs6_6rustls16ConnectionCommonNtB9_6clientENtB5_13PlaintextSink14write_vectoredCs_1x "
	  "_RNvXs6_6rustls6streamINtB5_11StreamOwnedNtB9_2io5Write5writeCs_1x",
	  "rustls:*rustls*PlaintextSink*5write* rustls:*rustls*PlaintextSink*5write* "
	  "rustls:*rustls*PlaintextSink*14write_vectored* " },
	{ "_RNvXs6_6rustls6streamINtB5_11StreamOwnedNtB9_2io5Write5writeCs_1x",
	  "rustls:*rustls*stream*StreamOwned*Write*5write* " },
	/* nothing of it */
	{ "SSL_read HKDF_extract EVP_KDF_fetch", "" },
};

START_TEST(conditions)
{
	const char *path = scratch_path("library.so");
	char text[1024];

	make_library(path, files[_i].defined);
	plan_text(path, text, sizeof(text));
	ck_assert_str_eq(text, files[_i].probed);
}
END_TEST

/*
 * SSL_write is there, and is nothing that can be probed; SSL_write_ex2 is a function of
 * the same file, and gets its probe.
 */
static const struct {
	const char *what, *flags, *source;
} impossible[] = {
	{ "variable", "", "long (*SSL_write)(void); long *p = (long *)&SSL_write;" },
	{ "IFUNC", "",
	  "static long real(void) { return 1; }\n"
	  "static void *pick(void) { return real; }\n"
	  "long SSL_write(void) __attribute__((ifunc(\"pick\")));" },
	{ "thread-local", "", "__thread long SSL_write = 3;" },
	{ "no place", "-Wl,--defsym=SSL_write=0x1234", "" },
	{ "outside", "",
	  "__asm__(\".section .bss\\n.globl SSL_write\\n\"\n"
	  "\".type SSL_write, @function\\nSSL_write: .zero 8\\n.text\");" },
	/* e_data.S of the bug: "U" is push %rbp, the best place that there is */
	{ "outside", "-Wl,-z,separate-code",
	  "__asm__(\".section .rodata\\n.globl SSL_write\\nSSL_write: .asciz "
	  "\\\"UUUUUU\\\"\\n.text\");" },
	/* as linkers before 2.31 lay files out: constants and code in one segment */
	{ "constant data", "-Wl,-z,noseparate-code",
	  "__asm__(\".section .rodata\\n.globl SSL_write\\nSSL_write: .asciz "
	  "\\\"UUUUUU\\\"\\n.text\");" },
	{ "no instruction", "",
	  "__asm__(\".globl SSL_write\\n.type SSL_write, @function\\nSSL_write: .byte 6, 6, "
	  "6\");" },
	{ "may write", "-nostdlib -Wl,-N", "long SSL_write(void) { return 1; }" },
};

static void link_source(const char *path, const char *flags, const char *source)
{
	char command[1200];

	scratch_write("unusual.c", source, 0600);
	snprintf(command, sizeof(command), "gcc -O1 -fPIC -shared %s -o %s %s", flags, path,
		 scratch_path("unusual.c"));
	ck_assert_int_eq(system(command), 0);
}

static void plan_path(const char *path, struct hook_plans *plans)
{
	struct error err = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_msg(hook_plan_file(fd, path, plans, &err) >= 0, "%s", err.text);
	close(fd);
}

static const struct hook_plan *plan_of(const struct hook_plans *plans, const char *hook)
{
	for (size_t i = 0; i < hook_count; i++)
		if (strcmp(hooks[i].name, hook) == 0)
			return &plans->by_hook[i];
	ck_abort_msg("no hook %s", hook);
	return NULL;
}

START_TEST(what_cannot_be_probed_is_passed_over)
{
	const char *path = scratch_path("library.so");
	bool all = strcmp(impossible[_i].what, "may write") == 0;
	const struct hook_plan *openssl;
	struct hook_plans plans;
	char source[1024];

	snprintf(source, sizeof(source), "%s\nlong SSL_write_ex2(long a) { return a + 1; }\n",
		 impossible[_i].source);
	link_source(path, impossible[_i].flags, source);
	plan_path(path, &plans);
	openssl = plan_of(&plans, "openssl");
	ck_assert_uint_eq(openssl->count, !all);
	if (!all)
		ck_assert_str_eq(openssl->probes[0].function->symbol, "SSL_write_ex2");
	ck_assert_uint_eq(plans.passed_count, 1U + all);
	ck_assert_str_eq(plans.passed[0].symbol, "SSL_write");
	ck_assert_msg(strstr(plans.passed[0].why, impossible[_i].what), "%s", plans.passed[0].why);
	hook_plans_release(&plans);
}
END_TEST

/* Without section headers the type alone tells, and a name without one is no function. */
START_TEST(a_name_without_type_needs_its_section)
{
	const char *path = scratch_path("library.so");
	struct hook_plans plans;
	Elf64_Ehdr header;
	FILE *file;

	link_source(path, "-Wl,-z,noseparate-code",
		    "__asm__(\".section .rodata\\n.globl SSL_write\\nSSL_write: .asciz "
		    "\\\"UUUUUU\\\"\\n.text\");\nlong SSL_write_ex2(long a) { return a + 1; }\n");
	file = fopen(path, "r+");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fread(&header, sizeof(header), 1, file), 1);
	header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
	rewind(file);
	ck_assert_uint_eq(fwrite(&header, sizeof(header), 1, file), 1);
	fclose(file);
	plan_path(path, &plans);
	ck_assert_uint_eq(plan_of(&plans, "openssl")->count, 1);
	ck_assert_str_eq(plans.passed[0].why, "it is constant data");
	hook_plans_release(&plans);
}
END_TEST

/* A segment that is not executable, and has the same bytes of the file as the code. */
START_TEST(code_that_is_data_too_is_passed_over)
{
	const char *path = scratch_path("library.so");
	Elf64_Phdr segments[16], code = { 0 };
	struct hook_plans plans;
	Elf64_Ehdr header;
	FILE *file;

	link_source(path, "", "long SSL_write(long a) { return a + 1; }\n");
	file = fopen(path, "r+");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fread(&header, sizeof(header), 1, file), 1);
	ck_assert_uint_le(header.e_phnum, 16);
	fseek(file, (long)header.e_phoff, SEEK_SET);
	ck_assert_uint_eq(fread(segments, sizeof(segments[0]), header.e_phnum, file),
			  header.e_phnum);
	for (size_t i = 0; i < header.e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_flags & PF_X)
			code = segments[i];
	for (size_t i = 0; i < header.e_phnum; i++)
		if (segments[i].p_type == PT_NOTE) {
			segments[i] = code;
			segments[i].p_flags = PF_R;
			segments[i].p_vaddr = 0x700000;
		}
	fseek(file, (long)header.e_phoff, SEEK_SET);
	ck_assert_uint_eq(fwrite(segments, sizeof(segments[0]), header.e_phnum, file),
			  header.e_phnum);
	fclose(file);
	plan_path(path, &plans);
	ck_assert_uint_eq(plan_of(&plans, "openssl")->count, 0);
	ck_assert_uint_eq(plans.passed_count, 1);
	ck_assert_str_eq(plans.passed[0].why, "its code is data as well");
	hook_plans_release(&plans);
}
END_TEST

/* Generic functions: one for each type. r_16.c of the bug had 17. */
START_TEST(many_functions_of_one_pattern)
{
	static const unsigned int counts[] = { 17, HOOK_MATCHES, HOOK_MATCHES + 40 };
	const char *path = scratch_path("library.so"), *source = scratch_path("many.c");
	unsigned int count = counts[_i];
	struct hook_plans plans;
	char command[1200];
	FILE *file = fopen(source, "w");

	ck_assert_ptr_nonnull(file);
	for (unsigned int i = 0; i < count; i++)
		fprintf(file,
			"long w%u(long a) "
			"__asm__(\"_ZN84_rustls..conn..T%u..PlaintextSink$GT$5write"
			"17h%016xE\");\nlong w%u(long a) { return a + %u; }\n",
			i, i, i, i, i);
	fclose(file);
	snprintf(command, sizeof(command), "gcc -O1 -fPIC -shared -o %s %s", path, source);
	ck_assert_int_eq(system(command), 0);
	plan_path(path, &plans);
	ck_assert_uint_eq(plan_of(&plans, "rustls")->count,
			  count < HOOK_MATCHES ? count : HOOK_MATCHES);
	ck_assert_uint_eq(plans.passed_count, count > HOOK_MATCHES);
	hook_plans_release(&plans);
}
END_TEST

/* Everything but the headers of the file lies more than 5 GiB further on. */
static void move_away(const char *path)
{
	const uint64_t away = 5ULL << 30;
	Elf64_Phdr segments[16];
	Elf64_Shdr section;
	Elf64_Ehdr header;
	struct stat status;
	char *content;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &status), 0);
	content = malloc((size_t)status.st_size);
	ck_assert_ptr_nonnull(content);
	ck_assert_int_eq(pread(fd, content, (size_t)status.st_size, 0), status.st_size);
	memcpy(&header, content, sizeof(header));
	ck_assert_uint_le(header.e_phnum, 16);
	memcpy(segments, content + header.e_phoff, header.e_phnum * sizeof(segments[0]));
	for (size_t i = 0; i < header.e_phnum; i++)
		segments[i].p_offset += away;
	for (size_t i = 0; i < header.e_shnum; i++) {
		char *at = content + header.e_shoff + i * sizeof(section);

		memcpy(&section, at, sizeof(section));
		section.sh_offset += away;
		memcpy(at, &section, sizeof(section));
	}
	ck_assert_int_eq(ftruncate(fd, 4096), 0);
	ck_assert_int_eq(pwrite(fd, content, (size_t)status.st_size, (off_t)away), status.st_size);
	free(content);
	header.e_shoff += away;
	ck_assert_int_eq(
		pwrite(fd, segments, header.e_phnum * sizeof(segments[0]), (off_t)header.e_phoff),
		(ssize_t)(header.e_phnum * sizeof(segments[0])));
	ck_assert_int_eq(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	close(fd);
}

START_TEST(functions_beyond_4_gib)
{
	const char *path = scratch_path("library.so");
	struct hook_plans near, far;
	const struct hook_probe *probe;

	make_library(path, "SSL_write _R6rustls13PlaintextSink5write");
	plan_path(path, &near);
	move_away(path);
	plan_path(path, &far);
	ck_assert_uint_eq(plan_of(&far, "openssl")->count, 1);
	ck_assert_uint_eq(plan_of(&far, "rustls")->count, 1);
	probe = plan_of(&far, "openssl")->probes;
	ck_assert_uint_eq(probe->offset, plan_of(&near, "openssl")->probes->offset + (5ULL << 30));
	ck_assert_uint_eq(probe->symbol.value, plan_of(&near, "openssl")->probes->symbol.value);
	hook_plans_release(&near);
	hook_plans_release(&far);
}
END_TEST

/* A table that is too large to be read does not take away what the other one tells. */
START_TEST(a_symbol_table_that_is_too_large)
{
	const char *path = scratch_path("library.so");
	struct hook_plans plans;
	Elf64_Shdr section;
	Elf64_Ehdr header;
	int fd;

	make_library(path, "SSL_write");
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &header, sizeof(header), 0), sizeof(header));
	for (size_t i = 0; i < header.e_shnum; i++) {
		off_t at = (off_t)(header.e_shoff + i * sizeof(section));

		ck_assert_int_eq(pread(fd, &section, sizeof(section), at), sizeof(section));
		if (section.sh_type != SHT_SYMTAB)
			continue;
		section.sh_size = ELF_SYMTAB_MAX + sizeof(Elf64_Sym);
		ck_assert_int_eq(pwrite(fd, &section, sizeof(section), at), sizeof(section));
	}
	ck_assert_int_eq(ftruncate(fd, 2LL * ELF_SYMTAB_MAX), 0);
	close(fd);
	plan_path(path, &plans);
	ck_assert_uint_eq(plan_of(&plans, "openssl")->count, 1);
	ck_assert_uint_eq(plans.passed_count, 1);
	ck_assert_str_eq(plans.passed[0].symbol, ".symtab");
	hook_plans_release(&plans);
}
END_TEST

/* The libraries that are discovered before they are mapped, and what they are not. */
START_TEST(sonames)
{
	static const char *const wanted[] = {
		"libssl.so",	"libcrypto.so",	 "libboringssl.so",  "libgnutls.so",
		"libnettle.so", "libmbedtls.so", "libmbedcrypto.so", "libwolfssl.so",
	};
	const char *names[HOOK_SONAMES_MAX];
	size_t count = hook_sonames(names);

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		bool found = false;

		for (size_t k = 0; k < count; k++)
			found |= strcmp(names[k], wanted[i]) == 0;
		ck_assert_msg(found, "%s", wanted[i]);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = suite_case("plan", NULL, 0, 60, scratch_make, scratch_remove);

	tcase_add_loop_test(tcase, conditions, 0, (int)ARRAY_SIZE(files));
	tcase_add_loop_test(tcase, what_cannot_be_probed_is_passed_over, 0,
			    (int)ARRAY_SIZE(impossible));
	tcase_add_test(tcase, a_name_without_type_needs_its_section);
	tcase_add_test(tcase, code_that_is_data_too_is_passed_over);
	tcase_add_loop_test(tcase, many_functions_of_one_pattern, 0, 3);
	tcase_add_test(tcase, functions_beyond_4_gib);
	tcase_add_test(tcase, a_symbol_table_that_is_too_large);
	tcase_add_test(tcase, sonames);
	return suite_run_cases("plan", (TCase *const[]){ tcase }, 1);
}
