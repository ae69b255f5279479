/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel side knows about one client socket of a workload.
 *
 * Life cycle: the sockops program makes it when a connection is established,
 * fills in address, port and time, and puts the socket into the sockhash. From
 * then on the sk_msg program sees every message that is sent, with the socket
 * locked: nothing here needs another lock. The kernel frees it with the socket.
 *
 * Everything is counted in bytes of the stream, since messages (what one
 * sendmsg(2) hands over) cut records anywhere:
 *
 *	position	offset in the stream of the message being looked at
 *	cursor		offset in that message of the next byte to be framed
 *	left		bytes of the current record behind the cursor
 */
#ifndef KLOAK_NET_SOCKET_STATE_H
#define KLOAK_NET_SOCKET_STATE_H

#include "kernel/abi.h"
#include "kernel/crypto/chacha20.h"
#include "kernel/crypto/gcm.h"
#include "kernel/crypto/poly1305.h"
#include "kernel/net/names.h"
#include "kernel/tls/hello.h"

#define PATCHES	  24
#define TAIL_SIZE 16
/* Blocks that a secret at any offset in a block lies in. */
#define SCRATCH_BLOCKS	(SECRET_MAX / GCM_BLOCK + 1)
#define CHACHA20_BLOCKS (SECRET_MAX / CHACHA20_BLOCK + 1)
#define DELTA_TAG	(SCRATCH_BLOCKS * GCM_BLOCK)  /* where .delta has that of the tag */
#define DELTA_SIZE	(DELTA_TAG + RECORD_TAG + 64) /* room to read on in whole pieces */

enum stream_state {
	STREAM_START = 0, /* nothing sent yet */
	STREAM_RECORDS,	  /* a sequence of TLS records */
	STREAM_LOST,	  /* was one; waiting for a message that begins with a record */
	STREAM_NOT_TLS,	  /* began with something else */
};

enum hello_state {
	HELLO_NONE = 0, /* not seen */
	HELLO_NAME,	/* server_name is in .name */
	HELLO_NO_NAME,
	HELLO_ENCRYPTED, /* encrypted_client_hello extension */
	HELLO_BAD,	 /* malformed, cut, or not at the start */
	HELLO_CHANGED,	 /* a second one with another name */
};

enum patch_kind {
	PATCH_TEXT = 0,
	PATCH_TAG,
	PATCH_SEAL, /* a tag that has to be computed anew: see kernel/net/seal.h */
};

/* What the tag of a ChaCha20-Poly1305 record depends on besides its ciphertext. */
struct seal {
	u32 key[8]; /* of Poly1305 */
	u64 sequence;
	u32 head;    /* type and version */
	u16 counted; /* the sequence number is in the additional data */
	u16 cipher_size;
};

/*
 * Bytes of the stream that have to be changed on their way out. They are kept
 * until the stream is past them for certain: after a partial send the library
 * hands over the rest again, unchanged.
 */
struct patch {
	u64 start; /* stream offset */
	u32 size;
	u16 kind;  /* enum patch_kind */
	u16 known; /* with PATCH_SEAL: bytes of .tag_delta */
	union {
		u8 head[PLACEHOLDER_HEAD]; /* of the placeholder: the key to its delta */
		u64 tag_delta[2];
		struct seal seal; /* until hashing begins */
	};
};

/* The ChaCha20-Poly1305 record that is being hashed, and how far that is. */
struct sealing {
	u64 at;	 /* stream offset of the next byte */
	u64 end; /* ... of the tag; 0: no record is */
	u32 additional_size;
	u32 cipher_size;
	u32 partial; /* bytes in .block, which is zero behind them */
	u32 done;    /* .tag is the record's new one */
	u8 block[POLY1305_BLOCK];
	u32 tag[POLY1305_TAG / 4];
	struct poly1305 hash;
};

/*
 * The static part of the nonce as the upper 96 bits of a counter block: the
 * write IV of TLS 1.3, to which the sequence number is added (RFC 8446, 5.3),
 * and of TLS 1.2 ChaCha20 (RFC 7905, section 2), or the salt of TLS 1.2 GCM,
 * behind which the explicit nonce comes (RFC 5288, section 3). All are an XOR of
 * the same 64 bits into the same place.
 */
struct record_iv {
	u64 hi;
	u64 lo;
};

struct tls_socket {
	/* Set by sockops. */
	u64 cookie;
	u64 connected; /* time */
	u32 workload;
	u32 port;
	u8 address[16];
	secret_mask by_address; /* may go to this address and port whatever the name is */

	/* Set by the ClientHello. */
	u32 hello; /* enum hello_state */
	u32 foreign_netns;
	u32 bound_device; /* packets leave by the device that the application chose */
	u32 peer_changed; /* the socket points elsewhere than when it connected */
	u32 unverified;	  /* enum reason: why the address is not known to be the name's */
	struct name_rules sni;

	/* The stream. */
	u32 stream; /* enum stream_state */
	u32 left;
	u64 position;
	u32 cursor;
	u32 size; /* of the message */
	u32 head_size;
	u8 head[RECORD_HEAD + 3];
	struct tls_record record;
	u32 version; /* enum tls_version */
	u32 suite;   /* enum cipher, as far as the handshake tells; with a bound key, its own */
	u32 after_ccs;
	u32 reserved_suite;
	u64 protected_records; /* of type application_data */
	u64 update_at;	       /* protected records up to a possible KeyUpdate, else 0 */

	/* The write that records are being matched with. */
	u64 write_id;
	u64 write_done; /* bytes of it in earlier records */
	u64 session;	/* of the write that something was served of last */
	u64 now;
	u64 match_thread; /* key of map "staged", if it is not the sender's */
	u32 matching;	  /* the current record is being matched */
	u32 match_movers; /* how many other threads have been looked at; 0: it is the sender's turn */
	u32 match_turn;	  /* which of the thread's writes is next */
	u32 match_index; /* which of its placeholders */
	u32 match_found; /* a placeholder was proved, and the size is that of its write */
	u32 movers;	 /* writes of this process may be sent by another thread */

	/* The key, once a record has proved it. */
	u32 bound;    /* enum cipher; 0: none */
	u32 key_tgid; /* the process whose key ring serves this socket */
	u32 key_hint; /* head of that ring at the first protected record */
	u32 key_hint_set;
	u64 sequence_base; /* application_data records before sequence number 0 */
	struct record_iv iv;
	union {
		struct gcm_key gcm;
		struct {
			struct chacha20_key chacha20;
			struct sealing sealing;
		};
	} key;

	/* What is being changed, and how to recognise the rest of a partial send. */
	u32 patch_count;
	u32 tag_patch; /* index of the last tag's patch */
	u32 reserved;
	u32 patched; /* this message has patched bytes, or more are to come */
	u32 tail_armed;
	u32 tail_size;
	u64 tail_start; /* stream range of the last patched message */
	u64 tail_end;
	u8 tail[TAIL_SIZE];
	struct patch patch[PATCHES];

	/* Scratch: valid within one call of the program only. */
	u32 laid_out; /* 1 + index of the patch that .delta is of, 0: of none */
	u32 shift;    /* where it begins there */
	u32 relative; /* of the placeholder in the record's plaintext */
	u32 failure;  /* enum reason: why the last candidate failed */
	u32 found;
	u32 searched;
	u32 unsupported;
	u64 sequence; /* that the search found */
	u32 trial_cipher;
	u32 keystream_at; /* where that of the placeholder begins in .keystream */
	struct record_iv trial_iv;
	union {
		struct aes_key aes;
		struct chacha20_key chacha20;
	} trial;
	struct block z;
	union {
		u8 cipher_text[SECRET_MAX + 8];
		struct { /* of a ClientHello */
			struct hello scratch_hello;
			struct verified_key name_key;
		};
	};
	union {
		u8 byte[CHACHA20_BLOCKS * CHACHA20_BLOCK];
		struct aes_block aes[SCRATCH_BLOCKS + 1];
		struct chacha20_block chacha20[CHACHA20_BLOCKS];
	} keystream;
	u8 delta[DELTA_SIZE];
};

#endif
