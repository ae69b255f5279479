// SPDX-License-Identifier: GPL-2.0-only
/*
 * From what was found to one state and one reason: see explain.h.
 *
 * A TLS library is hooked if its keys and its plaintext are seen. Both may be in one
 * file or in two (libcrypto, libssl): what counts is the whole of a process.
 */
#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "user/explain/explain.h"

/* Which halves of each hook are there. */
struct tally {
	bool keys[HOOKS_MAX];
	bool writes[HOOKS_MAX];
	bool any_writes;
};

/* --- names ------------------------------------------------------------- */

static const struct {
	const char *name, *text;
} states[] = {
	[EXPLAIN_HOOKED] = { "hooked", "hooked and keys seen" },
	[EXPLAIN_WAITING] = { "waiting", "hooked, no TLS handshake seen yet" },
	[EXPLAIN_WOULD] = { "would", "would be hooked under kloak run" },
	[EXPLAIN_WOULD_LATER] = { "would-later", "no TLS library of its own" },
	[EXPLAIN_UNKNOWN] = { "unknown",
			      "belongs to a kloak run; whether it is hooked is not known" },
	[EXPLAIN_NOT] = { "not-hooked", "not hooked" },
};

const char *explain_state_name(enum explain_state state)
{
	return states[state].name;
}

const char *explain_state_text(enum explain_state state)
{
	return states[state].text;
}

const char *explain_role_name(enum explain_role role)
{
	static const char *const names[] = {
		[EXPLAIN_PROGRAM] = "program",
		[EXPLAIN_LOADED] = "loaded",
		[EXPLAIN_LATER] = "found for later",
	};

	return names[role];
}

/* --- the runtime ------------------------------------------------------- */

/* What is planned in a file of LibreSSL, say, does not give what it seems to. */
static bool is_deceptive(const struct explain_file *file)
{
	for (unsigned int i = EXPLAIN_LIBRESSL; i < EXPLAIN_QUIC; i++)
		if (file->reasons & EXPLAIN_BIT(i) && explain_reasons[i].always)
			return true;
	return false;
}

static void tally_file(struct tally *tally, const struct explain_file *file)
{
	for (size_t i = 0; file->plans && !is_deceptive(file) && i < hook_count; i++)
		for (size_t k = 0; k < file->plans->by_hook[i].count; k++) {
			bool write = explain_is_write(file->plans->by_hook[i].probes[k].function);

			tally->keys[i] |= !write;
			tally->writes[i] |= write;
			tally->any_writes |= write;
		}
}

static struct tally tally_take(const struct explain *explain, enum explain_role last)
{
	struct tally tally = { 0 };

	for (size_t i = 0; i < explain->count; i++)
		if (explain->files[i].role <= last)
			tally_file(&tally, &explain->files[i]);
	return tally;
}

static bool has_writes(const struct hook *hook)
{
	for (size_t i = 0; i < HOOK_FUNCTIONS && hook->functions[i].symbol; i++)
		if (explain_is_write(&hook->functions[i]))
			return true;
	return false;
}

/* A hook for keys only goes with the writes of another: OpenSSL 1.1.1 with those of OpenSSL. */
static bool is_served(const struct tally *tally, size_t hook)
{
	return tally->keys[hook] &&
	       (has_writes(&hooks[hook]) ? tally->writes[hook] : tally->any_writes);
}

/* What is in the executable comes before what it loads; else the order of the hooks. */
static const struct hook *find_runtime(const struct explain *explain, enum explain_role last)
{
	for (unsigned int role = EXPLAIN_PROGRAM; role <= last; role++) {
		struct tally tally = tally_take(explain, role);

		for (size_t i = 0; i < hook_count; i++)
			if (is_served(&tally, i))
				return &hooks[i];
	}
	return NULL;
}

/* For half a library, such as libcrypto: what it is a half of. */
static const struct hook *find_half(const struct explain_file *file)
{
	for (size_t i = 0; file->plans && !is_deceptive(file) && i < hook_count; i++)
		if (file->plans->by_hook[i].count)
			return &hooks[i];
	return NULL;
}

/* --- versions ------------------------------------------------------------ */

const char *explain_version(const struct explain_file *file, size_t hook)
{
	static const struct {
		const char *hook; /* how its name begins */
		enum mark mark;
	} marks[] = {
		{ "openssl", MARK_OPENSSL_VERSION }, { "gnutls", MARK_GNUTLS },
		{ "mbedtls", MARK_MBEDTLS },	     { "wolfssl", MARK_WOLFSSL },
		{ "rustls", MARK_RUSTLS },	     { "go", MARK_GO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strncmp(hooks[hook].name, marks[i].hook, strlen(marks[i].hook)) == 0)
			return file->marks.version[marks[i].mark];
	return "";
}

/* A file that is hooked knows best; of mbedTLS the version is in another one. */
static const char *find_version(const struct explain *explain, size_t hook)
{
	for (int planned = 1; planned >= 0; planned--)
		for (size_t i = 0; i < explain->count; i++) {
			const struct explain_file *file = &explain->files[i];
			const char *version = explain_version(file, hook);

			if (version[0] &&
			    (!planned || (file->plans && file->plans->by_hook[hook].count)))
				return version;
		}
	return "";
}

/* --- the reason ------------------------------------------------------------ */

static const struct explain_file *main_file(const struct explain *explain)
{
	const struct explain_file *found = NULL;

	/* Of a script: the last interpreter, which env(1) has started. */
	for (size_t i = 0; i < explain->count; i++)
		if (explain->files[i].role == EXPLAIN_PROGRAM)
			found = &explain->files[i];
	return found;
}

/* Why the program itself is out of the question. */
static enum explain_reason judge_file(const struct explain_file *file)
{
	if (file->is_32_bit && (!file->error || file->error == -ENOTSUP))
		return EXPLAIN_32_BIT;
	if (file->error == -ENOTSUP || (!file->error && file->machine != EM_X86_64))
		return EXPLAIN_MACHINE;
	if (file->error == -ENOEXEC || file->error == -E2BIG ||
	    (!file->error && file->type != ET_EXEC && file->type != ET_DYN))
		return EXPLAIN_NOT_PROGRAM;
	return file->error ? EXPLAIN_UNREADABLE : EXPLAIN_NONE;
}

/* What is no ELF file of ours (compiled code of a JIT, say) has nothing to be read. */
bool explain_is_unread(const struct explain_file *file)
{
	return file->error && file->error != -ENOEXEC && file->error != -ENOTSUP;
}

/* A function of a TLS library will not be seen. */
static bool is_incomplete(const struct explain_file *file)
{
	for (size_t i = 0; i < file->passed_count; i++)
		if (file->passed[i].is_function)
			return true;
	return file->trouble[0];
}

/* All that is known of the files which are loaded. */
static uint64_t collect_reasons(const struct explain *explain)
{
	uint64_t reasons = 0;

	for (size_t i = 0; i < explain->count; i++) {
		const struct explain_file *file = &explain->files[i];

		if (file->role == EXPLAIN_LATER)
			continue;
		reasons |= file->reasons;
		if (is_incomplete(file))
			reasons |= EXPLAIN_BIT(EXPLAIN_UNUSUAL_BUILD);
		if (explain_is_unread(file) && file->role == EXPLAIN_LOADED)
			reasons |= EXPLAIN_BIT(EXPLAIN_UNREADABLE);
		if (file->deleted && file->plans)
			reasons |= EXPLAIN_BIT(EXPLAIN_DELETED);
		if (marks_have(&file->marks, MARK_GO) && file->role == EXPLAIN_PROGRAM &&
		    !file->plans)
			reasons |= EXPLAIN_BIT(EXPLAIN_GO_WITHOUT_TLS);
	}
	if (explain->live.unserved)
		reasons |= EXPLAIN_BIT(EXPLAIN_SUITE);
	if (explain->live.ktls)
		reasons |= EXPLAIN_BIT(EXPLAIN_KTLS);
	if (explain->live.io_uring)
		reasons |= EXPLAIN_BIT(EXPLAIN_IO_URING);
	return reasons;
}

static bool has_half(const struct tally *tally)
{
	for (size_t i = 0; i < hook_count; i++)
		if (tally->keys[i] || tally->writes[i])
			return true;
	return false;
}

static bool loads_more(const struct explain *explain)
{
	for (size_t i = 0; i < explain->count; i++)
		if (explain->files[i].role != EXPLAIN_LATER && explain->files[i].loads_more)
			return true;
	return false;
}

/* Of what is known of the files, the first that says why TLS is not seen. */
static enum explain_reason first_reason(uint64_t reasons)
{
	for (unsigned int i = EXPLAIN_PACKED; i < EXPLAIN_QUIC; i++)
		if (reasons & EXPLAIN_BIT(i))
			return i;
	return EXPLAIN_NONE;
}

static enum explain_reason judge_rest(const struct explain *explain, uint64_t reasons)
{
	const struct tally tally = tally_take(explain, EXPLAIN_LOADED);

	if (reasons & EXPLAIN_BIT(EXPLAIN_UNREADABLE))
		return EXPLAIN_UNREADABLE;
	if (reasons & EXPLAIN_BIT(EXPLAIN_GO_WITHOUT_TLS))
		return EXPLAIN_GO_WITHOUT_TLS;
	if (has_half(&tally))
		return EXPLAIN_CRYPTO_ONLY;
	if (reasons & EXPLAIN_BIT(EXPLAIN_QUIC))
		return EXPLAIN_QUIC;
	return explain->pid && loads_more(explain) ? EXPLAIN_NO_TLS_YET : EXPLAIN_NO_TLS;
}

/* --- the state --------------------------------------------------------------- */

static bool has_attached(const struct hook_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->probes[i].attached)
			return true;
	return false;
}

static bool is_attached(const struct explain *explain)
{
	for (size_t i = 0; i < explain->count; i++)
		for (size_t k = 0; explain->files[i].plans && k < hook_count; k++)
			if (has_attached(&explain->files[i].plans->by_hook[k]))
				return true;
	return false;
}

/* A process whose TLS library is one that is hooked. */
static void judge_process(struct explain *explain)
{
	const struct explain_live *live = &explain->live;

	if (!live->workload[0])
		explain->state = EXPLAIN_WOULD;
	else if (live->run_over)
		explain->reason = EXPLAIN_RUN_ENDED;
	else if (live->unknown[0])
		explain->state = EXPLAIN_UNKNOWN;
	else if (live->links_known ? !is_attached(explain) : !live->programs)
		explain->reason = EXPLAIN_NOT_PROBED;
	else
		explain->state = live->keys ? EXPLAIN_HOOKED : EXPLAIN_WAITING;
}

static void judge_unserved(struct explain *explain, const struct explain_file *file,
			   uint64_t reasons)
{
	explain->reason = first_reason(reasons);
	if (explain->reason)
		return;
	explain->runtime = file->is_library ? find_half(file) : NULL;
	if (explain->runtime) {
		explain->state = EXPLAIN_WOULD;
		return;
	}
	explain->reason = judge_rest(explain, reasons);
	if (explain->reason != EXPLAIN_NO_TLS || !explain->later)
		return;
	explain->state = EXPLAIN_WOULD_LATER;
	explain->reason = EXPLAIN_NONE;
}

/* What it would get from a dlopen(3), if it makes one: nobody knows whether it will. */
static void judge_later(struct explain *explain)
{
	const struct tally own = tally_take(explain, EXPLAIN_LOADED);
	const struct tally all = tally_take(explain, EXPLAIN_LATER);

	if (!loads_more(explain))
		return;
	for (size_t i = 0; i < hook_count; i++) {
		if (!is_served(&all, i) || is_served(&own, i))
			continue;
		explain->later |= 1U << i;
		explain->later_version[i] = find_version(explain, i);
	}
}

/*
 * Whether the runtime is what the program itself uses. A library may need GnuTLS for
 * something else (libcups), while the program has a TLS library inside that is not hooked.
 */
static bool is_own(const struct explain *explain, const struct explain_file *program,
		   const struct hook *runtime)
{
	if (explain->pid || !program || !first_reason(program->reasons))
		return true;
	for (size_t i = 0; i < explain->count; i++) {
		const struct explain_file *file = &explain->files[i];

		if (file->role != EXPLAIN_LATER && !file->is_indirect && file->plans &&
		    file->plans->by_hook[runtime - hooks].count)
			return true;
	}
	return false;
}

static void judge(struct explain *explain)
{
	const struct explain_file *file = main_file(explain);
	uint64_t reasons = collect_reasons(explain);

	if (!file && !explain->pid) {
		explain->reason = explain->is_script ? EXPLAIN_NO_INTERPRETER : EXPLAIN_NOT_PROGRAM;
		return;
	}
	explain->reason = file ? judge_file(file) : EXPLAIN_UNREADABLE;
	if (explain->reason)
		return;
	judge_later(explain);
	explain->runtime = find_runtime(explain, EXPLAIN_LOADED);
	if (explain->runtime && !is_own(explain, file, explain->runtime)) {
		explain->runtime = NULL;
		explain->reason = first_reason(file->reasons);
	} else if (!explain->runtime)
		judge_unserved(explain, file, reasons);
	else if (explain->pid)
		judge_process(explain);
	else
		explain->state = EXPLAIN_WOULD;
	explain->notes = reasons & ~EXPLAIN_BIT(explain->reason) &
			 ~EXPLAIN_BIT(EXPLAIN_GO_WITHOUT_TLS);
}

void explain_judge(struct explain *explain)
{
	explain->state = EXPLAIN_NOT;
	explain->reason = EXPLAIN_NONE;
	explain->runtime = NULL;
	explain->version = "";
	explain->later = 0;
	explain->notes = 0;
	judge(explain);
	if (!explain->runtime)
		return;
	/* Of half a library, such as libcrypto, the other half may come later. */
	explain->later &= ~(1U << (explain->runtime - hooks));
	explain->version = find_version(explain, (size_t)(explain->runtime - hooks));
}
