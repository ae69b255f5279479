// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hook object for GnuTLS 3.6.3 and later, with Nettle.
 *
 * Keys:
 *	TLS 1.3	nettle_hkdf_expand(mac, update, digest, digest size, info size, info,
 *		size, out), libnettle, documented; info is an HkdfLabel
 *	TLS 1.2	_gnutls_prf_raw(mac, master size, master, label size, label, seed size,
 *		seed, size, out), libgnutls, exported for its self tests
 * The last arguments of both are on the stack.
 *
 * Plaintext: all goes through gnutls_record_send2(), to which gnutls_record_send()
 * and gnutls_record_send_file() lead, but what gnutls_record_send_range() is given.
 *
 * Between gnutls_record_cork() and gnutls_record_uncork() a write is only kept.
 * The latter sends what was kept by gnutls_record_send2(), so that it is seen
 * there, as it was put together; and what is only kept is passed over. Early data
 * likewise: the handshake sends it by gnutls_record_send2().
 */
#include "kernel/arch.h"
#include "kernel/hook/label.h"
#include "kernel/hook/rest.h"

/* ---- keys ---- */

KERNEL_INLINE int is_watched(void)
{
	const struct config *settings = config_get();

	return settings && workload_current(settings);
}

/*
 * nettle_hkdf_expand() is called: remember where its output goes, if it is one of
 * those that matter. Reads registers, the stack and the label; writes map deriving.
 */
SEC("uprobe.s/nettle_hkdf_expand")
int gnutls_expand(struct pt_regs *ctx)
{
	u64 output[2]; /* size, address */

	if (!is_watched())
		return 0;
	if (!bpf_copy_from_user(output, sizeof(output), (void *)stack_argument(ctx, 0)))
		derive_begin(label_hkdf(arg6(ctx), arg5(ctx)), output[1], output[0]);
	return 0;
}

/* The same for _gnutls_prf_raw(), which has a seed in front of them on the stack. */
SEC("uprobe.s/_gnutls_prf_raw")
int gnutls_prf(struct pt_regs *ctx)
{
	u64 output[2]; /* size, address */

	if (!is_watched())
		return 0;
	if (!bpf_copy_from_user(output, sizeof(output), (void *)stack_argument(ctx, 1)))
		derive_begin(label_prf(arg5(ctx), arg4(ctx)), output[1], output[0]);
	return 0;
}

/*
 * One of them returns: its output is there. Reads user memory; writes maps
 * deriving, keys. Lengths of key blocks tell the suite: two keys, two IVs. Suites
 * with CBC have MAC keys as well, and no such length.
 */
SEC("uretprobe.s/_gnutls_prf_raw")
int gnutls_derived(__attribute__((unused)) struct pt_regs *ctx)
{
	struct deriving *d = derive_end();

	if (d)
		derive_take_exact(d);
	return 0;
}

/* ---- corked connections ---- */

struct corked_key {
	u64 tgid;
	u64 session;
};

/*
 * An uncork that would block has a record left that is made already, and is called
 * again. The first write of that one sends just this record, whatever it is given:
 * the same, and what the application may have added.
 */
enum corked_state {
	CORKED = 1,  /* writes are kept */
	INTERRUPTED, /* the same; the last uncork would have blocked */
	RESUMING,    /* by gnutls_record_uncork(): sends the record that is left */
	FLUSHING,    /* by gnutls_record_uncork(): writes are sent */
};

#define GNUTLS_E_AGAIN	     (-28)
#define GNUTLS_E_INTERRUPTED (-52)

/* From cork to the end of uncork, or of the connection. */
BPF_MAP(gnutls_corked, BPF_MAP_TYPE_LRU_HASH, sizeof(struct corked_key), sizeof(u32), MAX_PROCESSES,
	0);
/* pid_tgid -> the session that the thread flushes. */
BPF_MAP(gnutls_flushing, BPF_MAP_TYPE_LRU_HASH, sizeof(u64), sizeof(u64), MAX_THREADS, 0);

KERNEL_INLINE u32 *corked_get(u64 session)
{
	struct corked_key key = { .tgid = bpf_get_current_pid_tgid() >> 32, .session = session };

	return bpf_map_lookup_elem(&gnutls_corked, &key);
}

KERNEL_INLINE void corked_end(u64 session)
{
	struct corked_key key = { .tgid = bpf_get_current_pid_tgid() >> 32, .session = session };

	bpf_map_delete_elem(&gnutls_corked, &key);
}

/* void gnutls_record_cork(session). Reads registers; writes map gnutls_corked. */
SEC("uprobe.s/gnutls_record_cork")
int gnutls_cork(struct pt_regs *ctx)
{
	struct corked_key key = {
		.tgid = bpf_get_current_pid_tgid() >> 32,
		.session = arg1(ctx),
	};
	u32 state = CORKED;

	if (is_watched())
		bpf_map_update_elem(&gnutls_corked, &key, &state, BPF_ANY);
	return 0;
}

/* int gnutls_record_uncork(session, flags). Reads registers; writes maps gnutls_*. */
SEC("uprobe.s/gnutls_record_uncork")
int gnutls_uncork(struct pt_regs *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	u64 session = arg1(ctx);
	u32 *state = corked_get(session);

	if (!state)
		return 0;
	*state = *state == INTERRUPTED ? RESUMING : FLUSHING;
	bpf_map_update_elem(&gnutls_flushing, &thread, &session, BPF_ANY);
	return 0;
}

/* It returns. If it failed, the connection stays corked. */
SEC("uretprobe.s/gnutls_record_uncork")
int gnutls_uncorked(struct pt_regs *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	u64 *session = bpf_map_lookup_elem(&gnutls_flushing, &thread);
	int ret = return_value(ctx);
	u32 *state;

	if (!session)
		return 0;
	state = corked_get(*session);
	if (state && (ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED))
		*state = INTERRUPTED;
	else if (state && ret < 0)
		*state = CORKED;
	else
		corked_end(*session);
	bpf_map_delete_elem(&gnutls_flushing, &thread);
	return 0;
}

/* void gnutls_deinit(session): the next one may be at the same address. */
SEC("uprobe.s/gnutls_deinit")
int gnutls_end(struct pt_regs *ctx)
{
	corked_end(arg1(ctx));
	return 0;
}

/* ---- plaintext ---- */

/*
 * ssize_t gnutls_record_send2(session, data, data_size, pad, flags) takes a record's
 * worth. Reads registers and the buffer; writes maps staged, events.
 */
SEC("uprobe.s/gnutls_record_send2")
int gnutls_send(struct pt_regs *ctx)
{
	u64 session = arg1(ctx);
	u32 *state = corked_get(session);

	if (!state || *state == FLUSHING)
		scan_record(session, arg2(ctx), arg3(ctx));
	else if (*state == RESUMING)
		*state = FLUSHING;
	return 0;
}

/*
 * ssize_t gnutls_record_send_range(session, data, data_size, range) sends all, in
 * records that have padding behind the data, and does not ask for corks. It is never
 * called again with the same data: the time makes it a write that is like no other.
 */
SEC("uprobe.s/gnutls_record_send_range")
int gnutls_send_range(struct pt_regs *ctx)
{
	scan_plaintext(bpf_ktime_get_ns(), arg2(ctx), arg3(ctx));
	return 0;
}

LICENSE("GPL");
