// SPDX-License-Identifier: GPL-2.0-only
/* The texts of enum reason. */
#include "user/event/reason.h"

#include "lib/cleanup.h"

static const struct reason_text texts[] = {
	[REASON_NONE] = { "none", "" },
	[REASON_UNKNOWN_PLACEHOLDER] = { "unknown-placeholder",
					 "no secret of this workload has this placeholder; is it "
					 "from another run?" },
	[REASON_HOST] = { "host", "no rule of the secret names this host; add it to -s NAME@HOST" },
	[REASON_PORT] = { "port", "the host is allowed at other ports; write -s NAME@HOST:PORT" },
	[REASON_NOT_VERIFIED] = { "address-not-verified",
				  "no trusted name server told this run that this host has this "
				  "address; let the "
				  "program ask one (not DoH, not a daemon), or write --resolve or "
				  "--pin HOST=ADDRESS" },
	[REASON_EXPIRED] = { "address-expired",
			     "the answer's TTL was over when the program connected; let it resolve "
			     "again, or write --min-ttl SECONDS" },
	[REASON_NO_SNI] = { "no-sni", "the TLS handshake names no host; let the client send SNI, "
				      "or allow the address: -s NAME@ADDRESS" },
	[REASON_ECH] = { "ech",
			 "the TLS handshake hides the host; switch encrypted ClientHello off" },
	[REASON_HELLO] = { "no-client-hello",
			   "the connection does not begin with a whole ClientHello; "
			   "STARTTLS and proxies are not supported" },
	[REASON_SNI_CHANGED] = { "sni-changed", "the connection asked for two different hosts" },
	[REASON_NETNS] = { "network-namespace",
			   "the socket is of another network namespace than kloak was started in" },
	[REASON_NO_KEY] = { "no-key",
			    "no traffic key was captured for this connection, or its suite is CCM; "
			    "let client or server choose AES-GCM or ChaCha20-Poly1305" },
	[REASON_SUITE] = { "cipher-suite", "the cipher suite is neither AES-GCM nor "
					   "ChaCha20-Poly1305; let client or "
					   "server choose one of these" },
	[REASON_SPLIT] = { "split",
			   "the placeholder was cut in two by a write, a record or a send" },
	[REASON_TOO_MANY] = { "too-many", "too many placeholders in one write" },
	[REASON_UNSEEN] = { "unseen",
			    "given to TLS, but seen on no TCP connection made by this workload" },
	[REASON_STREAM] = { "record-layer-lost",
			    "the records of the connection could not be followed" },
	[REASON_NO_STATE] = { "no-socket-state", "the kernel gave no storage for the socket" },
	[REASON_UNREADABLE] = { "unreadable", "the application's buffer could not be read" },
	[REASON_BUSY] = { "busy", "too many writes at the same moment" },
	[REASON_WORKLOAD] = { "other-workload", "the connection was made by another workload" },
	[REASON_RESOLVER] = { "resolver-not-trusted",
			      "the address came from a name server that is not trusted, or that "
			      "the program itself "
			      "imitates; if it is yours, write --resolver ADDRESS" },
	[REASON_QUERY] = { "query-not-matched", "the address came in an answer that the program "
						"had not asked for, or too "
						"late; resolve it again" },
	[REASON_DEVICE] = { "bound-device", "the program chose the network device itself "
					    "(SO_BINDTODEVICE), where the "
					    "address can be another host's; let routes decide" },
	[REASON_PEER] = { "peer-changed", "the socket was disconnected and pointed at another "
					  "address; open a new one" },
};
_Static_assert(ARRAY_SIZE(texts) == REASON_COUNT, "a text for every reason");

const struct reason_text *reason_text(unsigned int reason)
{
	static const struct reason_text unknown = { "unknown", "please report this" };

	return reason < REASON_COUNT && texts[reason].name ? &texts[reason] : &unknown;
}
