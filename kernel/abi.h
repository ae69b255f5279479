/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the BPF programs and user space: maps, records, events.
 * Both sides include this file; nothing else is shared but the maps
 * themselves, which every object refers to by name (kernel/maps.h).
 *
 * Who writes what:
 *	user space	config, workloads, secrets, rules, nets, resolvers, verified
 *	hook objects	keys, key_heads, staged          (one per TLS library)
 *	socket object	sockets, sockhash                (TLS seen from the kernel)
 *	DNS object	verified, rejections, resolvers      (answers of name servers)
 *	all             events, counters
 *
 * Addresses are 16 bytes in network order; IPv4 is v4-mapped (::ffff:a.b.c.d).
 * Ports are in host order. Names are lower case A-labels without trailing dot,
 * padded with zeros to NAME_SIZE. Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef KLOAK_ABI_H
#define KLOAK_ABI_H

#include <linux/types.h>

/* Sizes in bytes. A secret and its placeholder always have the same length. */
#define SECRET_MIN		8
#define SECRET_MAX		512
#define PLACEHOLDER_PREFIX	"kloak:"
#define PLACEHOLDER_PREFIX_SIZE 6
#define PLACEHOLDER_HEAD	32 /* bytes that tell two placeholders of a node apart */
#define NAME_SIZE		256
#define COMM_SIZE		16
#define WORKLOAD_SECRETS	64 /* secrets of one workload: one bit each in a secret_mask */
#define CGROUP_LEVELS		64 /* deepest cgroup */
#define CGROUP_DEPTHS		4

typedef __u64 secret_mask;

/* ---- map "config": one element, written before anything is attached ---- */

struct config {
	__u32 cgroup_level[CGROUP_DEPTHS]; /* depths that workloads' cgroups have, the root's
					    * is 0; unused ones repeat the first */
	__u32 report_swaps;		   /* 1: an event for every swap; 0: refusals only */
	__u32 movers; /* 1: a hook is attached whose writes may be sent by another thread */
	__u64 placeholder_lengths; /* bit n (8 <= n <= 31): a placeholder of n bytes exists;
				    * bit 32: one of 32 bytes or more exists */
};

/* ---- map "workloads": cgroup id (__u64) -> struct workload ---- */

struct workload {
	__u32 id; /* never 0 */
	__u32 reserved;
	__u64 netns_cookie; /* sockets of another network namespace are refused; 0: any */
};

/* ---- map "secrets": struct secret_key -> struct secret ---- */

struct secret_key {
	__u32 workload;
	__u8 head[PLACEHOLDER_HEAD]; /* first bytes of the placeholder, zero padded */
};

struct secret {
	__u32 index; /* bit in secret_mask, and index of the name in user space */
	__u32 size;
	__u8 placeholder[SECRET_MAX];
	__u8 delta[SECRET_MAX]; /* placeholder XOR secret value */
};

/* ---- map "rules": struct rule_key -> secret_mask ---- */

struct rule_key {
	__u32 workload;
	__u32 port;	      /* 0: the row that joins the ports of this name, for reasons only */
	__u8 name[NAME_SIZE]; /* "api.example.com" or "*.example.com" */
};

/* ---- map "nets": LPM trie, struct net_key -> secret_mask ----
 *
 * Address rules need neither name nor SNI. prefix_bits counts from .workload
 * on: 64 + the address prefix (IPv4: 64 + 96 + n). A row holds also the secrets
 * of every shorter prefix that covers it. "*" is the prefix of length 0.
 */
struct net_key {
	__u32 prefix_bits;
	__u32 workload; /* big endian */
	__u32 port;	/* big endian; never 0 */
	__u8 address[16];
};

/* ---- map "verified": struct verified_key -> struct verified ----
 *
 * "A trusted resolver, or a static pin, says that @name has @address." Of two
 * that say so, the later end counts. Rows are kept for a while when they are
 * over, since that is what the reason will be; user space removes them then.
 */
struct verified_key {
	__u32 workload;
	__u8 address[16];
	__u8 name[NAME_SIZE];
};

struct verified {
	__u64 expires; /* asked at connect time; ~0: a static pin */
};

#define VERIFIED_KEPT 600000000000ULL /* ns that a row is kept behind its end */
#define TTL_MAX	      86400	      /* seconds; a longer TTL is cut, as resolvers do */
#define TTL_MIN	      30	      /* default of the shortest time that an answer counts */

/* ---- map "rejections": struct verified_key -> struct rejection ----
 *
 * "Somebody said so, who does not count": only for the reason in an event.
 */
struct rejection {
	__u64 time;
	__u32 reason; /* REASON_RESOLVER or REASON_QUERY */
	__u32 reserved;
};

/* ---- map "resolvers": struct resolver_key -> struct resolver_state ----
 *
 * The name servers whose answers count for a workload.
 */
struct resolver_key {
	__u32 workload;
	__u32 port;
	__u8 address[16];
};

struct resolver_state {
	__u32 impersonated; /* enum resolver_side bits: this workload has sent in its name */
	__u32 reserved;
};

enum resolver_side {
	RESOLVER_UDP = 1,
	RESOLVER_TCP = 2,
};

/* ---- map "keys": struct key_slot -> struct traffic_key ----
 *
 * A ring of traffic keys per process: writers take the next index from
 * key_heads, readers walk backwards from it. The map is an LRU, so a reader
 * must expect holes.
 */
struct key_slot {
	__u32 tgid;
	__u32 index;
};

enum tls_version {
	TLS_VERSION_UNKNOWN = 0,
	TLS_VERSION_12 = 12,
	TLS_VERSION_13 = 13,
};

enum cipher {
	CIPHER_UNKNOWN = 0,
	CIPHER_AES_GCM = 1,	  /* key_size 16 or 32 */
	CIPHER_UNSUPPORTED = 2,	  /* a key block of a suite that Kloak does not swap in */
	CIPHER_CHACHA20_POLY1305, /* key_size 32 */
	CIPHER_ANY, /* the derivation does not tell: AES-GCM, or, with 32 bytes, ChaCha20 */
};

struct traffic_key {
	__u32 tid;
	__u8 cipher;
	__u8 version;  /* enum tls_version */
	__u8 key_size; /* bytes */
	__u8 iv_size;  /* 12 (TLS 1.3, ChaCha20), 4 (TLS 1.2 GCM salt: the rest is unused) */
	__u8 key[32];
	__u8 iv[12];
	__u32 reserved;
};

/* ---- map "staged": pid_tgid (__u64) -> struct staged ----
 *
 * Placeholders that this thread has given to its TLS library and that have not
 * been seen leaving. A hint: the socket object changes nothing that it has not
 * proved. Written by hook objects; the socket object clears what it served.
 */
#define STAGED_WRITES	    64 /* node stages one for each connection that is not ready yet */
#define STAGED_PLACEHOLDERS 8
#define STAGED_TIMEOUT	    30000000000ULL /* ns: older writes are not tried any more */

struct staged_placeholder {
	__u32 offset; /* in the write, or in what is sent together with it */
	__u32 size;
	__u64 served; /* 0, or 1 when swapped or refused by a socket */
	__u8 head[PLACEHOLDER_HEAD];
};

/* Whether it is news if nobody sees a staged write leaving. */
enum staged_repeat {
	REPEAT_NONE = 0,
	REPEAT_OF_SERVED,  /* no: it may be the retry of a write that was served */
	REPEAT_SUPERSEDED, /* no: a newer write may be its retry, and that one is news */
};

struct staged_write {
	__u64 id; /* node-wide, increasing; 0: free */
	__u64 time;
	__u64 session; /* the library's connection object, only to recognise retries */
	__u32 size;
	__u32 count;	/* placeholders in use */
	__u32 reason;	/* enum reason of the last failed attempt */
	__u32 attempts; /* searches for a key in vain */
	__u32 repeat;	/* enum staged_repeat */
	__u32 missed;	/* a record went by that fits, and proved nothing */
	__u32 served;	/* how many of its placeholders were */
	__u32 searches; /* for a key in vain, when other threads of the process sent */
	__u32 end;	/* lower half of the address where the application's buffer ends */
	__u32 begin;	/* lower half of the user address that offset 0 has */
	struct staged_placeholder placeholder[STAGED_PLACEHOLDERS];
};

struct staged {
	__u32 workload;
	__u32 pending; /* placeholders not served yet, over all writes */
	__u32 used;    /* slots from here on were never used */
	__u32 last;    /* slot of the write that was staged last, or once more */
	__u64 next_id;
	__u64 search_rank; /* scratch of the search for a slot: see kernel/loop.h */
	__u64 search_id;
	__u8 comm[COMM_SIZE];
	struct staged_write write[STAGED_WRITES];
};

/* ---- map "movers": tgid (__u32) -> struct movers ----
 *
 * Threads of a process that staged something last, where a write may be sent by
 * another thread than the one that gave it to the library: a goroutine, or a
 * task of an asynchronous runtime, goes on elsewhere. The socket object looks
 * there when the sending thread has nothing that fits.
 */
#define MOVERS 16

struct movers {
	__u32 head; /* increases; the newest is at head - 1 */
	__u32 reserved;
	__u64 thread[MOVERS]; /* keys of map "staged" */
};

/* ---- ring buffer "events" ---- */

enum verdict {
	VERDICT_SWAPPED = 1,
	VERDICT_REFUSED = 2,
};

/* Why a placeholder left unchanged. The texts are in user/event/reason.c. */
enum reason {
	REASON_NONE = 0,
	REASON_UNKNOWN_PLACEHOLDER, /* not granted to this workload */
	REASON_HOST,		    /* no rule of the secret names this host */
	REASON_PORT,		    /* the host is right, the port is not */
	REASON_NOT_VERIFIED,	    /* host and SNI fit, the address is not verified for it */
	REASON_EXPIRED,		    /* the address was verified, but its TTL was over */
	REASON_NO_SNI,		    /* ClientHello without server_name */
	REASON_ECH,		    /* encrypted ClientHello */
	REASON_HELLO,		    /* no complete ClientHello at the start of the stream */
	REASON_SNI_CHANGED,	    /* a second ClientHello with another name */
	REASON_NETNS,		    /* socket of another network namespace */
	REASON_NO_KEY,		    /* no captured key proves the record */
	REASON_SUITE,		    /* only keys of suites that are not supported */
	REASON_SPLIT,		    /* the placeholder is cut by a record or message boundary */
	REASON_TOO_MANY,	    /* more placeholders in one write than can be staged */
	REASON_UNSEEN,		    /* staged, but no watched socket sent it */
	REASON_STREAM,		    /* the record layer of this socket was lost */
	REASON_NO_STATE,	    /* the kernel gave no socket storage */
	REASON_UNREADABLE,	    /* the application's buffer could not be read */
	REASON_BUSY,		    /* no scratch buffer was free */
	REASON_WORKLOAD,	    /* writer and socket belong to different workloads */
	REASON_RESOLVER,	    /* the answer came from a server that is not trusted */
	REASON_QUERY,		    /* the answer matches no query of the workload */
	REASON_PEER,		    /* the socket was connected anew, to somewhere else */
	REASON_DEVICE,		    /* the socket is bound to a device */
	REASON_COUNT,
};

struct event {
	__u64 time;
	__u32 verdict;
	__u32 reason;
	__u32 workload;
	__u32 pid; /* as the initial pid namespace sees it */
	__u32 tid;
	__u32 secret; /* index, or ~0 if unknown */
	__u32 port;   /* 0 if no socket is known */
	__u32 size;   /* of the placeholder */
	__u8 address[16];
	__u8 comm[COMM_SIZE];
	__u8 head[PLACEHOLDER_HEAD]; /* of the placeholder (it is no secret) */
	__u8 name[NAME_SIZE];	     /* SNI, empty if none */
};

/* ---- map "counters": array of __u64, per CPU ---- */

enum counter {
	COUNTER_SWAPPED,
	COUNTER_REFUSED,
	COUNTER_EVENTS_LOST,  /* ring buffer full */
	COUNTER_WRITES,	      /* plaintext writes scanned */
	COUNTER_KEYS,	      /* traffic keys captured */
	COUNTER_SOCKETS,      /* client sockets watched */
	COUNTER_MESSAGES,     /* messages seen by the socket program */
	COUNTER_TAILS,	      /* rest of a partial send recognised */
	COUNTER_RESYNCS,      /* record layer lost and found again */
	COUNTER_NO_STATE,     /* sockets refused: no storage or no map slot */
	COUNTER_QUERIES,      /* DNS queries noted: for names that some rule covers */
	COUNTER_ANSWERS,      /* DNS answers that counted */
	COUNTER_ANSWERS_LOST, /* ... that could not be taken: no room, or segments missing */
	COUNTER_NO_DNS_STATE, /* sockets that got no storage for queries and answers */
	COUNTER_IMPERSONATED, /* packets that the workload sent in a resolver's name */
	COUNTER_COUNT,
};

#endif
