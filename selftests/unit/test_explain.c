// SPDX-License-Identifier: GPL-2.0-only
/*
 * kloak explain: strings in files, the verdict on what was found, both reports. Real
 * programs and processes are the business of selftests/system/explain.py.
 */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "selftests/unit/scratch.h"
#include "selftests/unit/suite.h"
#include "user/explain/explain.h"
#include "user/explain/proc_text.h"

#define CHUNK (256U << 10) /* of mark.c */

/* --- strings --------------------------------------------------------------- */

static struct marks search(const char *text)
{
	struct marks marks = { 0 };

	marks_search(&marks, (const uint8_t *)text, strlen(text), strlen(text));
	return marks;
}

static const struct {
	const char *text;
	enum mark mark;
	const char *version;
} samples[] = {
	{ "c ap traffic", MARK_TLS, "" },
	{ "x client finished x", MARK_TLS, "" },
	{ "tls13 quic hp", MARK_QUIC, "" },
	{ "../third_party/boringssl/src/ssl/ssl_lib.cc", MARK_BORINGSSL, "" },
	{ "AWS-LC 1.69.0", MARK_AWSLC, "1.69.0" },
	{ "../ssl/ssl_lib.c", MARK_OPENSSL, "" },
	{ "OpenSSL 3.0.17 1 Jul 2025", MARK_OPENSSL_VERSION, "3.0.17" },
	{ "OpenSSL 1.1.1w  11 Sep 2023", MARK_OPENSSL_VERSION, "1.1.1w" },
	{ "OpenSSL 3.6.0-beta1 x", MARK_OPENSSL_VERSION, "3.6.0-beta1" },
	{ "as of OpenSSL 3.0, OpenSSL 3.0.19 1 Jan", MARK_OPENSSL_VERSION, "3.0.19" },
	{ "LibreSSL 3.8.2", MARK_LIBRESSL, "3.8.2" },
	{ "Enabled GnuTLS 3.7.9 logging...", MARK_GNUTLS, "3.7.9" },
	{ "$Header: NSS 3.87.1 Version: NSS 3.87.1", MARK_NSS, "3.87.1" },
	{ "mbed TLS 2.28.3", MARK_MBEDTLS, "2.28.3" },
	{ "Mbed TLS 3.6.6", MARK_MBEDTLS, "3.6.6" },
	{ "wolfSSL 5.5.4.", MARK_WOLFSSL, "5.5.4" },
	{ "/registry/src/rustls-0.23.26/src/x.rs", MARK_RUSTLS, "0.23.26" },
	{ "\xff Go buildinf:", MARK_GO, "" },
};

START_TEST(a_mark_is_found_with_its_version)
{
	uint32_t all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct marks marks = search(samples[i].text);

		ck_assert_msg(marks_have(&marks, samples[i].mark), "%s", samples[i].text);
		ck_assert_str_eq(marks.version[samples[i].mark], samples[i].version);
		all |= marks.found;
	}
	ck_assert_uint_eq(all, (1U << MARK_COUNT) - 1);
}
END_TEST

START_TEST(half_a_mark_is_none)
{
	static const char *const texts[] = { "",
					     "c",
					     "c ap traffi",
					     "OpenSSL",
					     "OpenSSL ",
					     "OpenSSL error",
					     "GnuTLS error",
					     "rustls-0.23",
					     "AWS-LC FIPS" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		ck_assert_msg(search(texts[i]).found == 0, "%s", texts[i]);
}
END_TEST

START_TEST(a_version_is_cut_to_its_room)
{
	char text[200] = "OpenSSL ";
	struct marks marks;

	memset(text + 8, '1', sizeof(text) - 9);
	text[sizeof(text) - 1] = '\0';
	marks = search(text);
	ck_assert_uint_eq(strlen(marks.version[MARK_OPENSSL_VERSION]), MARK_VERSION_MAX - 1);
}
END_TEST

/* An ELF file without section headers, with @text at @offset. */
static void write_image(const char *path, const char *text, size_t offset, size_t size)
{
	char *bytes = calloc(1, size);
	Elf64_Ehdr *header = (Elf64_Ehdr *)bytes;
	Elf64_Phdr *segment = (Elf64_Phdr *)(bytes + sizeof(*header));

	ck_assert_ptr_nonnull(bytes);
	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	header->e_type = ET_EXEC;
	header->e_machine = EM_X86_64;
	header->e_version = EV_CURRENT;
	header->e_ehsize = sizeof(*header);
	header->e_phoff = sizeof(*header);
	header->e_phentsize = sizeof(*segment);
	header->e_phnum = 1;
	segment->p_type = PT_LOAD;
	segment->p_flags = PF_R | PF_X;
	segment->p_filesz = segment->p_memsz = size;
	memcpy(bytes + offset, text, strlen(text));
	write_file(path, bytes, size, 0755);
	free(bytes);
}

START_TEST(a_mark_is_found_wherever_it_is_in_the_file)
{
	static const char text[] = "OpenSSL 3.0.17-and-a-long-tail";
	const size_t size = 3 * CHUNK;
	size_t steps[] = { 0, 1, 7, 8, 20, 31, 60, 64, 65, 100 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct elf_image image;
		struct marks marks;
		FILE *file;

		write_image(scratch_path("image"), text, CHUNK - steps[i], size);
		file = fopen(scratch_path("image"), "r");
		ck_assert_ptr_nonnull(file);
		ck_assert_int_eq(elf_image_open(&image, fileno(file)), 0);
		ck_assert_int_eq(marks_find(&image, &marks), 0);
		elf_image_close(&image);
		fclose(file);
		ck_assert_msg(strcmp(marks.version[MARK_OPENSSL_VERSION], text + 8) == 0,
			      "%zu before the end of a chunk: %s", steps[i],
			      marks.version[MARK_OPENSSL_VERSION]);
	}
}
END_TEST

/* --- texts of /proc -------------------------------------------------------- */

START_TEST(a_workload_is_told_by_its_cgroup)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{ "0::/\n", "" },
		{ "0::/user.slice/kloak-run-12-ab\n", "kloak-run-12-ab" },
		{ "1:cpu:/kloak-run-1-a\n0::/x\n", "" },
		{ "1:cpu:/\n0::/a/kloak-run-1-a/b/kloak-run-2-b/c\n", "kloak-run-2-b" },
		{ "0::/my-kloak-run-1\n", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[100], name[64];

		strcpy(text, cases[i].text);
		proc_workload(text, name, sizeof(name));
		ck_assert_str_eq(name, cases[i].name);
	}
}
END_TEST

START_TEST(kernel_tls_is_told_by_its_counters)
{
	char none[] = "TlsCurrTxSw                     \t0\nTlsTxSw  \t5\nTlsCurrTxDevice  \t0\n";
	char some[] = "TlsCurrRxSw  \t0\nTlsCurrTxSw                     \t2\n";
	char device[] = "TlsCurrTxDevice \t1\n";
	char cut[] = "TlsCurrTxSw";

	ck_assert(!proc_uses_ktls(none));
	ck_assert(proc_uses_ktls(some));
	ck_assert(proc_uses_ktls(device));
	ck_assert(!proc_uses_ktls(cut));
}
END_TEST

/* --- the table ------------------------------------------------------------- */

START_TEST(every_reason_has_name_sentence_and_remedy)
{
	for (unsigned int i = 1; i < EXPLAIN_REASONS; i++) {
		const struct reason_row *row = &explain_reasons[i];

		ck_assert_msg(row->name && row->name[0] && row->text && row->text[0] &&
				      row->remedy && row->remedy[0],
			      "reason %u", i);
		for (unsigned int k = 1; k < i; k++)
			ck_assert_str_ne(row->name, explain_reasons[k].name);
	}
}
END_TEST

/* What explain takes for a hook's halves must be both there, or it can never be "hooked". */
START_TEST(every_hook_gives_keys_and_plaintext)
{
	bool all_writes = false;

	for (size_t i = 0; i < hook_count; i++) {
		bool keys = false, writes = false;

		for (size_t k = 0; k < HOOK_FUNCTIONS && hooks[i].functions[k].symbol; k++) {
			bool write = explain_is_write(&hooks[i].functions[k]);

			keys |= !write;
			writes |= write;
		}
		all_writes |= writes;
		ck_assert_msg(keys, "%s", hooks[i].name);
		ck_assert_msg(writes || strncmp(hooks[i].name, "openssl", 7) == 0, "%s",
			      hooks[i].name);
	}
	ck_assert(all_writes);
}
END_TEST

/* --- the verdict ------------------------------------------------------------- */

static struct explain subject;

static struct explain_file *add(const char *path, enum explain_role role)
{
	struct explain_file *file;

	ck_assert_int_eq(explain_add_file(&subject, path, role, -1, 0), 0);
	file = &subject.files[subject.count - 1];
	file->machine = EM_X86_64;
	file->type = ET_DYN;
	return file;
}

static size_t hook_number(const char *name)
{
	for (size_t i = 0; i < hook_count; i++)
		if (strcmp(hooks[i].name, name) == 0)
			return i;
	ck_abort_msg("no hook %s", name);
	return 0;
}

/* Plans a probe for @symbol of the hook of that name. */
static struct hook_probe *plan(struct explain_file *file, const char *hook, const char *symbol)
{
	file->plans = file->plans ? file->plans : calloc(1, sizeof(*file->plans));
	ck_assert_ptr_nonnull(file->plans);

	struct hook_plan *of = &file->plans->by_hook[hook_number(hook)];
	const struct hook_function *function = hooks[hook_number(hook)].functions;

	of->probes = reallocarray(of->probes, of->count + 1, sizeof(*of->probes));
	ck_assert_ptr_nonnull(of->probes);
	for (size_t k = 0; k < HOOK_FUNCTIONS && function->symbol; k++, function++)
		if (strcmp(function->symbol, symbol) == 0) {
			of->probes[of->count] = (struct hook_probe){ .function = function };
			return &of->probes[of->count++];
		}
	ck_abort_msg("no function %s of %s", symbol, hook);
	return NULL;
}

static struct explain_file *add_openssl(enum explain_role role)
{
	struct explain_file *file = add("/lib/libssl.so.3", role);

	plan(file, "openssl", "SSL_write");
	file = add("/lib/libcrypto.so.3", role);
	plan(file, "openssl", "EVP_KDF_derive");
	strcpy(file->marks.version[MARK_OPENSSL_VERSION], "3.0.17");
	return file;
}

static void expect(enum explain_state state, enum explain_reason reason, const char *runtime)
{
	explain_judge(&subject);
	ck_assert_str_eq(explain_state_name(subject.state), explain_state_name(state));
	ck_assert_str_eq(explain_reasons[subject.reason].name, explain_reasons[reason].name);
	ck_assert_str_eq(subject.runtime ? subject.runtime->title : "", runtime);
}

START_TEST(a_program_with_openssl_would_be_hooked)
{
	add("/bin/x", EXPLAIN_PROGRAM);
	add_openssl(EXPLAIN_LOADED);
	expect(EXPLAIN_WOULD, EXPLAIN_NONE, "OpenSSL");
	ck_assert_str_eq(subject.version, "3.0.17");
}
END_TEST

START_TEST(libraries_of_later_count_if_the_program_can_load_them)
{
	add("/bin/x", EXPLAIN_PROGRAM);
	add_openssl(EXPLAIN_LATER);
	expect(EXPLAIN_NOT, EXPLAIN_NO_TLS, "");
	ck_assert_uint_eq(subject.later, 0);
	subject.files[0].loads_more = true;
	expect(EXPLAIN_WOULD_LATER, EXPLAIN_NONE, "");
	ck_assert_uint_eq(subject.later, 1U << hook_number("openssl"));
	ck_assert_str_eq(subject.later_version[hook_number("openssl")], "3.0.17");
	subject.files[0].reasons = EXPLAIN_BIT(EXPLAIN_JSSE);
	expect(EXPLAIN_NOT, EXPLAIN_JSSE, "");
	ck_assert_uint_eq(subject.later, 1U << hook_number("openssl"));
}
END_TEST

/* As chromium: BoringSSL inside, and libcups needs GnuTLS. */
START_TEST(what_a_library_needs_is_not_what_the_program_has)
{
	add("/bin/x", EXPLAIN_PROGRAM)->reasons = EXPLAIN_BIT(EXPLAIN_BORINGSSL_STRIPPED);
	add_openssl(EXPLAIN_LOADED);
	subject.files[1].is_indirect = subject.files[2].is_indirect = true;
	expect(EXPLAIN_NOT, EXPLAIN_BORINGSSL_STRIPPED, "");
	subject.files[1].is_indirect = false;
	expect(EXPLAIN_WOULD, EXPLAIN_NONE, "OpenSSL");
	subject.files[0].reasons = 0;
	subject.files[1].is_indirect = true;
	expect(EXPLAIN_WOULD, EXPLAIN_NONE, "OpenSSL");
}
END_TEST

static void expect_doubt(enum explain_reason reason, bool once, bool certain)
{
	explain_judge(&subject);
	ck_assert_ptr_eq(explain_doubt(&subject, false),
			 once ? explain_reasons[reason].text : NULL);
	ck_assert_ptr_eq(explain_doubt(&subject, true),
			 certain ? explain_reasons[reason].text : NULL);
}

START_TEST(doubts_are_for_what_nothing_may_come_of)
{
	struct explain_file *file = add("/bin/x", EXPLAIN_PROGRAM);

	expect_doubt(EXPLAIN_NO_TLS, true, false);
	file->starts_others = true;
	expect_doubt(EXPLAIN_NO_TLS, false, false);
	file->reasons = EXPLAIN_BIT(EXPLAIN_CUSTOM);
	expect_doubt(EXPLAIN_CUSTOM, false, false);
	file->reasons = EXPLAIN_BIT(EXPLAIN_NSS);
	expect_doubt(EXPLAIN_NSS, true, true);
	file->starts_others = false;
	file->loads_more = true;
	expect_doubt(EXPLAIN_NSS, true, true);
	file->reasons = 0;
	expect_doubt(EXPLAIN_NO_TLS, false, false);
	file->loads_more = false;
	file->reasons = EXPLAIN_BIT(EXPLAIN_CUSTOM);
	expect_doubt(EXPLAIN_CUSTOM, true, true);
	file->is_32_bit = true;
	expect_doubt(EXPLAIN_32_BIT, true, false);
	file->is_32_bit = false;
	file = add_openssl(EXPLAIN_LOADED);
	expect_doubt(EXPLAIN_NONE, false, false);
}
END_TEST

START_TEST(half_of_a_library_is_not_tls)
{
	plan(add("/bin/x", EXPLAIN_PROGRAM), "openssl", "EVP_KDF_derive");
	expect(EXPLAIN_NOT, EXPLAIN_CRYPTO_ONLY, "");
	subject.files[0].is_library = true; /* it is what other programs load */
	expect(EXPLAIN_WOULD, EXPLAIN_NONE, "OpenSSL");
	subject.files[0].loads_more = true;
	add_openssl(EXPLAIN_LATER);
	expect(EXPLAIN_WOULD, EXPLAIN_NONE, "OpenSSL");
	ck_assert_uint_eq(subject.later, 0);
}
END_TEST

START_TEST(what_only_looks_like_a_hooked_library_is_not_hooked)
{
	add("/bin/x", EXPLAIN_PROGRAM);
	add_openssl(EXPLAIN_LOADED);
	subject.files[1].reasons = subject.files[2].reasons = EXPLAIN_BIT(EXPLAIN_LIBRESSL);
	expect(EXPLAIN_NOT, EXPLAIN_LIBRESSL, "");
}
END_TEST

START_TEST(another_library_besides_is_a_note)
{
	add("/bin/x", EXPLAIN_PROGRAM)->reasons = EXPLAIN_BIT(EXPLAIN_NSS) |
						  EXPLAIN_BIT(EXPLAIN_QUIC);
	add_openssl(EXPLAIN_LOADED);
	expect(EXPLAIN_WOULD, EXPLAIN_NONE, "OpenSSL");
	ck_assert(subject.notes == (EXPLAIN_BIT(EXPLAIN_NSS) | EXPLAIN_BIT(EXPLAIN_QUIC)));
}
END_TEST

START_TEST(files_that_cannot_run_here_are_said_to)
{
	static const struct {
		int error;
		bool is_32_bit;
		uint16_t machine, type;
		enum explain_reason reason;
	} cases[] = {
		{ -ENOTSUP, true, 0, 0, EXPLAIN_32_BIT },
		{ -ENOTSUP, false, 0, 0, EXPLAIN_MACHINE },
		{ 0, false, EM_AARCH64, ET_DYN, EXPLAIN_MACHINE },
		{ -ENOEXEC, false, 0, 0, EXPLAIN_NOT_PROGRAM },
		{ 0, false, EM_X86_64, ET_REL, EXPLAIN_NOT_PROGRAM },
		{ 0, false, EM_X86_64, ET_CORE, EXPLAIN_NOT_PROGRAM },
		{ -EIO, false, 0, 0, EXPLAIN_UNREADABLE },
		{ 0, false, EM_X86_64, ET_EXEC, EXPLAIN_NO_TLS },
	};

	add("/bin/x", EXPLAIN_PROGRAM);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		subject.files[0].error = cases[i].error;
		subject.files[0].is_32_bit = cases[i].is_32_bit;
		subject.files[0].machine = cases[i].machine;
		subject.files[0].type = cases[i].type;
		expect(EXPLAIN_NOT, cases[i].reason, "");
	}
}
END_TEST

START_TEST(without_a_file_it_is_no_program)
{
	expect(EXPLAIN_NOT, EXPLAIN_NOT_PROGRAM, "");
	subject.is_script = true;
	expect(EXPLAIN_NOT, EXPLAIN_NO_INTERPRETER, "");
}
END_TEST

START_TEST(the_last_interpreter_of_a_script_decides)
{
	add("/usr/bin/env", EXPLAIN_PROGRAM);
	add("/bin/arm", EXPLAIN_PROGRAM)->machine = EM_AARCH64;
	subject.is_script = true;
	expect(EXPLAIN_NOT, EXPLAIN_MACHINE, "");
}
END_TEST

START_TEST(a_go_program_without_tls_is_told_apart)
{
	struct explain_file *file = add("/bin/x", EXPLAIN_PROGRAM);

	file->marks.found = 1U << MARK_GO;
	expect(EXPLAIN_NOT, EXPLAIN_GO_WITHOUT_TLS, "");
	file->reasons = EXPLAIN_BIT(EXPLAIN_CUSTOM);
	expect(EXPLAIN_NOT, EXPLAIN_CUSTOM, "");
}
END_TEST

START_TEST(a_build_without_a_place_for_probes_is_said_to_be_one)
{
	strcpy(add("/bin/x", EXPLAIN_PROGRAM)->trouble, "cannot find a place");
	expect(EXPLAIN_NOT, EXPLAIN_UNUSUAL_BUILD, "");
}
END_TEST

/* A name of the table that is a variable there says nothing of TLS; a function does. */
START_TEST(what_was_passed_over_is_a_reason_if_it_is_a_function)
{
	struct explain_file *file = add("/bin/x", EXPLAIN_PROGRAM);

	file->passed_count = 1;
	file->passed[0] = (struct hook_passed){ .symbol = "SSL_write", .why = "a variable" };
	expect(EXPLAIN_NOT, EXPLAIN_NO_TLS, "");
	file->passed[0].is_function = true;
	expect(EXPLAIN_NOT, EXPLAIN_UNUSUAL_BUILD, "");
}
END_TEST

static void expect_live(const char *workload, const char *unknown, bool programs, bool attached,
			uint64_t keys, enum explain_state state, enum explain_reason reason)
{
	struct explain_live *live = &subject.live;

	strcpy(live->workload, workload);
	strcpy(live->unknown, unknown);
	live->links_known = programs;
	live->programs = programs;
	live->keys = keys;
	subject.files[2].plans->by_hook[hook_number("openssl")].probes[0].attached = attached;
	expect(state, reason, "OpenSSL");
}

START_TEST(a_process_stands_as_the_kernel_says)
{
	subject.pid = 12;
	add("/bin/x", EXPLAIN_PROGRAM);
	add_openssl(EXPLAIN_LOADED);
	expect_live("", "", false, false, 0, EXPLAIN_WOULD, EXPLAIN_NONE);
	expect_live("", "", true, true, 0, EXPLAIN_WOULD, EXPLAIN_NONE);
	expect_live("kloak-run-1", "", true, true, 0, EXPLAIN_WAITING, EXPLAIN_NONE);
	expect_live("kloak-run-1", "", true, true, 4, EXPLAIN_HOOKED, EXPLAIN_NONE);
	expect_live("kloak-run-1", "", true, false, 0, EXPLAIN_NOT, EXPLAIN_NOT_PROBED);
	expect_live("kloak-run-1", "", false, false, 0, EXPLAIN_NOT, EXPLAIN_NOT_PROBED);
	expect_live("kloak-run-1", "use sudo", false, false, 0, EXPLAIN_UNKNOWN, EXPLAIN_NONE);
	subject.live.run_over = true;
	expect_live("kloak-run-1", "use sudo", false, false, 0, EXPLAIN_NOT, EXPLAIN_RUN_ENDED);
	expect_live("kloak-run-1", "", true, true, 0, EXPLAIN_NOT, EXPLAIN_RUN_ENDED);
	subject.live.run_over = false;
	subject.live.links_known = false; /* Linux before 6.8: programs are all that can be seen */
	subject.live.unknown[0] = '\0';
	subject.live.programs = true;
	expect(EXPLAIN_WAITING, EXPLAIN_NONE, "OpenSSL");
}
END_TEST

START_TEST(what_a_process_does_besides_is_noted)
{
	subject.pid = 12;
	add("/bin/x", EXPLAIN_PROGRAM);
	add_openssl(EXPLAIN_LOADED);
	subject.files[2].deleted = true;
	subject.files[0].deleted = true; /* says nothing of TLS */
	subject.live.io_uring = subject.live.ktls = true;
	subject.live.unserved = 2;
	explain_judge(&subject);
	ck_assert(subject.notes == (EXPLAIN_BIT(EXPLAIN_DELETED) | EXPLAIN_BIT(EXPLAIN_IO_URING) |
				    EXPLAIN_BIT(EXPLAIN_KTLS) | EXPLAIN_BIT(EXPLAIN_SUITE)));
}
END_TEST

START_TEST(a_process_that_cannot_be_read_is_not_said_to_have_no_tls)
{
	subject.pid = 12;
	add("/bin/x", EXPLAIN_PROGRAM);
	add("/lib/y.so", EXPLAIN_LOADED)->error = -EACCES;
	expect(EXPLAIN_NOT, EXPLAIN_UNREADABLE, "");
	subject.files[1].error = -ENOEXEC; /* code of a JIT in a memfd */
	expect(EXPLAIN_NOT, EXPLAIN_NO_TLS, "");
	subject.files[0].loads_more = true;
	expect(EXPLAIN_NOT, EXPLAIN_NO_TLS_YET, "");
}
END_TEST

/* --- reports ----------------------------------------------------------------- */

#define HOSTILE "/tmp/\x1b[2J\"\xff"

static char *report(bool json)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	if (json)
		ck_assert_int_eq(explain_print_json(out, &subject), 0);
	else
		explain_print(out, &subject);
	fclose(out);
	return text;
}

static void make_report(void)
{
	struct explain_file *file;
	struct hook_probe *probe;

	strcpy(subject.path, HOSTILE);
	file = add(HOSTILE, EXPLAIN_PROGRAM);
	probe = plan(file, "openssl", "EVP_KDF_derive");
	file->build_id.size = 2;
	memcpy(file->build_id.bytes, "\x0a\xf0", 2);
	probe->symbol.value = 0x401000;
	probe->offset = 0x1000;
	probe->site.offset = 3;
	probe->site.kind = INSN_JCC;
	probe->site.cost = SITE_EMULATED;
	explain_judge(&subject);
}

START_TEST(json_is_as_documented)
{
	char *text;

	make_report();
	text = report(true);
	ck_assert_str_eq(
		text,
		"{\"kloak\":\"" KLOAK_VERSION "\",\"path\":\"/tmp/\\u001b[2J\\\"\\ufffd\","
		"\"state\":\"not-hooked\",\"hookable\":false,\"runtime\":\"\",\"version\":\"\","
		"\"reason\":\"crypto-only\","
		"\"text\":\"it uses a TLS library's cryptography, but not its TLS\","
		"\"remedy\":\"nothing: what it sends itself is not TLS of this library\","
		"\"later\":[],\"notes\":[],\"files\":[{\"path\":\"/tmp/\\u001b[2J\\\"\\ufffd\","
		"\"role\":\"program\",\"deleted\":false,\"soname\":\"\",\"build_id\":\"0af0\","
		"\"error\":\"\",\"hooks\":[{\"hook\":\"openssl\",\"library\":\"OpenSSL\","
		"\"version\":\"\",\"functions\":[{\"symbol\":\"EVP_KDF_derive\",\"gives\":\"keys\","
		"\"address\":\"0x401000\",\"offset\":\"0x1000\",\"site\":3,"
		"\"instruction\":\"jcc\",\"cost\":\"emulated\",\"stack_moved\":0,"
		"\"on_return\":true,\"attached\":false}]}],\"not_probed\":[],\"known\":[]}],"
		"\"files_left_out\":0}\n");
	free(text);
}
END_TEST

START_TEST(json_of_many_hostile_files_fits)
{
	char path[PATH_MAX], *text;

	memset(path, 1, sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (int i = 0; i < 40; i++)
		add(path, EXPLAIN_LOADED)->reasons = ~0ULL >> (64 - EXPLAIN_REASONS);
	explain_judge(&subject);
	text = report(true);
	ck_assert_uint_gt(strlen(text), (size_t)40 * 6 * (PATH_MAX - 1));
	free(text);
}
END_TEST

START_TEST(the_report_for_people_is_safe_on_a_terminal)
{
	char *text;

	make_report();
	subject.pid = 12;
	strcpy(subject.live.comm, "\x1b]0;x\x07");
	explain_judge(&subject);
	text = report(false);
	for (const char *at = text; *at; at++)
		ck_assert_msg(*at == '\n' || (*at >= 0x20 && *at < 0x7f), "byte %d", *at);
	ck_assert_ptr_nonnull(strstr(text, "crypto"));
	ck_assert_ptr_nonnull(
		strstr(text, "EVP_KDF_derive at 0x401000 (file offset 0x1000), probe at +3: "
			     "jcc, emulated, and at the return"));
	free(text);
}
END_TEST

START_TEST(files_beyond_the_limit_are_counted)
{
	for (int i = 0; i < EXPLAIN_FILES_MAX + 3; i++)
		ck_assert_int_eq(explain_add_file(&subject, "/x", EXPLAIN_LOADED, -1, 0), 0);
	ck_assert_uint_eq(subject.count, EXPLAIN_FILES_MAX);
	ck_assert_uint_eq(subject.left_out, 3);
}
END_TEST

static void before(void)
{
	scratch_make();
	memset(&subject, 0, sizeof(subject));
}

static void after(void)
{
	explain_release(&subject);
	scratch_remove();
}

int main(void)
{
	const TTest *const tests[] = {
		a_mark_is_found_with_its_version,
		half_a_mark_is_none,
		a_version_is_cut_to_its_room,
		a_mark_is_found_wherever_it_is_in_the_file,
		a_workload_is_told_by_its_cgroup,
		kernel_tls_is_told_by_its_counters,
		every_reason_has_name_sentence_and_remedy,
		every_hook_gives_keys_and_plaintext,
		a_program_with_openssl_would_be_hooked,
		libraries_of_later_count_if_the_program_can_load_them,
		what_a_library_needs_is_not_what_the_program_has,
		doubts_are_for_what_nothing_may_come_of,
		half_of_a_library_is_not_tls,
		what_only_looks_like_a_hooked_library_is_not_hooked,
		another_library_besides_is_a_note,
		files_that_cannot_run_here_are_said_to,
		without_a_file_it_is_no_program,
		the_last_interpreter_of_a_script_decides,
		a_go_program_without_tls_is_told_apart,
		a_build_without_a_place_for_probes_is_said_to_be_one,
		what_was_passed_over_is_a_reason_if_it_is_a_function,
		a_process_stands_as_the_kernel_says,
		what_a_process_does_besides_is_noted,
		a_process_that_cannot_be_read_is_not_said_to_have_no_tls,
		json_is_as_documented,
		json_of_many_hostile_files_fits,
		the_report_for_people_is_safe_on_a_terminal,
		files_beyond_the_limit_are_counted,
	};

	return suite_run("explain", tests, ARRAY_SIZE(tests), 60, before, after);
}
