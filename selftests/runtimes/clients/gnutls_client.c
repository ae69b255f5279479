// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test client with GnuTLS (tls_client.h): cc gnutls_client.c -lgnutls -lpthread
 * TEST_MODE says how it writes:
 *	send	gnutls_record_send() (if not set)
 *	pad	gnutls_record_send2() with padding, which TLS 1.3 has
 *	range	gnutls_record_send_range(), likewise
 *	cork	pieces between gnutls_record_cork() and gnutls_record_uncork()
 *	file	gnutls_record_send_file()
 *	resume	without blocking, a small send buffer; what was interrupted is gone on
 *		with by the same arguments and by none, in turn
 *	trickle	the same, corked
 *	small	records of 600 bytes at most
 *	early	each connection but the first of a thread resumes its session, and sends its
 *		first request as early data, which must be accepted
 *	abandon	the same as send, after a connection that is given up while it is corked
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include <gnutls/gnutls.h>

#include "tls_client.h"

#define PADDING	   100
#define PIECE	   700
#define SEND_SPACE 4096

/* Of the thread's last connection, to be resumed. */
static _Thread_local gnutls_datum_t resumable;

struct session {
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t tls;
	int fd;
	unsigned interrupted;
	int early; /* the handshake is left to the first write */
};

static int is_mode(const char *mode)
{
	return strcmp(setting("TEST_MODE", "send"), mode) == 0;
}

static void session_close(void *data)
{
	struct session *session = data;

	if (session->tls) {
		if (is_mode("early")) {
			gnutls_free(resumable.data);
			if (gnutls_session_get_data2(session->tls, &resumable))
				resumable.data = NULL;
		}
		gnutls_bye(session->tls, GNUTLS_SHUT_WR);
		gnutls_deinit(session->tls);
	}
	gnutls_certificate_free_credentials(session->credentials);
	free(session);
}

static void session_verify(struct session *session, const char *name)
{
	gnutls_server_name_set(session->tls, GNUTLS_NAME_DNS, name, strlen(name));
	gnutls_session_set_verify_cert(session->tls, name, 0);
}

/* The next session is likely to be at the same address. */
static int session_abandon(void)
{
	gnutls_session_t tls;

	if (gnutls_init(&tls, GNUTLS_CLIENT))
		return -1;
	gnutls_record_cork(tls);
	gnutls_deinit(tls);
	return 0;
}

static int session_shake(struct session *session)
{
	int ret;

	do
		ret = gnutls_handshake(session->tls);
	while (ret < 0 && !gnutls_error_is_fatal(ret));
	return ret < 0 ? failed(gnutls_strerror(ret), ret) : 0;
}

static int session_start(struct session *session, const char *name, const char *ca)
{
	int ret;

	gnutls_certificate_allocate_credentials(&session->credentials);
	ret = gnutls_certificate_set_x509_trust_file(session->credentials, ca, GNUTLS_X509_FMT_PEM);
	if (ret < 1)
		return failed("CA", ret);
	if (is_mode("abandon") && session_abandon())
		return failed("session", 0);
	if (gnutls_init(&session->tls, GNUTLS_CLIENT) || gnutls_set_default_priority(session->tls))
		return failed("session", 0);
	gnutls_credentials_set(session->tls, GNUTLS_CRD_CERTIFICATE, session->credentials);
	session_verify(session, name);
	if (is_mode("small") && gnutls_record_set_max_size(session->tls, 600))
		return failed("record size", 0);
	gnutls_transport_set_int(session->tls, session->fd);
	session->early = is_mode("early") && resumable.data &&
			 !gnutls_session_set_data(session->tls, resumable.data, resumable.size);
	return session->early ? 0 : session_shake(session);
}

/* From here on nothing blocks. */
static int session_unblock(struct session *session)
{
	int space = SEND_SPACE;

	if (setsockopt(session->fd, SOL_SOCKET, SO_SNDBUF, &space, sizeof(space)))
		return -1;
	return fcntl(session->fd, F_SETFL, O_NONBLOCK);
}

static void *session_open(int fd, const char *name, const char *ca)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->fd = fd;
	if (session_start(session, name, ca) ||
	    ((is_mode("resume") || is_mode("trickle")) && session_unblock(session))) {
		session_close(session);
		return NULL;
	}
	return session;
}

static void session_wait(struct session *session, short events)
{
	struct pollfd poller = { .fd = session->fd, .events = events };

	session->interrupted++;
	poll(&poller, 1, 10000);
}

static ssize_t write_resumed(struct session *session, const char *text, size_t size)
{
	ssize_t ret = gnutls_record_send(session->tls, text, size);

	while (ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED) {
		session_wait(session, POLLOUT);
		ret = session->interrupted % 2 ? gnutls_record_send(session->tls, NULL, 0)
					       : gnutls_record_send(session->tls, text, size);
	}
	return ret;
}

/*
 * Everything, in pieces, one of which is added when the connection is interrupted
 * first. No two have the same size.
 */
static ssize_t write_corked(struct session *session, const char *text, size_t size)
{
	size_t held = size > PIECE ? PIECE : 0, at, step, piece = PIECE;
	int ret;

	gnutls_record_cork(session->tls);
	for (at = 0; at < size - held; at += step) {
		piece++;
		step = size - held - at < piece ? size - held - at : piece;
		if (gnutls_record_send(session->tls, text + at, step) != (ssize_t)step)
			return -1;
	}
	while ((ret = gnutls_record_uncork(session->tls, 0)) < 0) {
		if (ret != GNUTLS_E_AGAIN && ret != GNUTLS_E_INTERRUPTED)
			return ret;
		if (held && gnutls_record_send(session->tls, text + at, held) != (ssize_t)held)
			return -1;
		at += held;
		held = 0;
		session_wait(session, POLLOUT);
	}
	return (ssize_t)at;
}

static ssize_t write_range(struct session *session, const char *text, size_t size)
{
	const gnutls_range_st range = { .low = size, .high = size + PADDING };

	return gnutls_record_send_range(session->tls, text, size, &range);
}

static ssize_t write_file(struct session *session, const char *text, size_t size)
{
#if GNUTLS_VERSION_NUMBER >= 0x030703
	int fd = memfd_create("request", MFD_CLOEXEC);
	off_t offset = 0;
	ssize_t ret = -1;

	if (fd < 0)
		return -1;
	if (write(fd, text, size) == (ssize_t)size && !lseek(fd, 0, SEEK_SET))
		ret = gnutls_record_send_file(session->tls, fd, &offset, size);
	close(fd);
	return ret;
#else
	return gnutls_record_send(session->tls, text, size);
#endif
}

static ssize_t write_early(struct session *session, const char *text, size_t size)
{
	session->early = 0;
	if (gnutls_record_send_early_data(session->tls, text, size) || session_shake(session))
		return -1;
	if (!(gnutls_session_get_flags(session->tls) & GNUTLS_SFLAGS_EARLY_DATA))
		return failed("early data were not accepted", 0);
	return (ssize_t)size;
}

static int session_write(void *data, const char *text, size_t size)
{
	struct session *session = data;

	if (session->early)
		return (int)write_early(session, text, size);
	if (is_mode("pad"))
		return (int)gnutls_record_send2(session->tls, text, size, PADDING, 0);
	if (is_mode("range"))
		return (int)write_range(session, text, size);
	if (is_mode("cork") || is_mode("trickle"))
		return (int)write_corked(session, text, size);
	if (is_mode("file"))
		return (int)write_file(session, text, size);
	return (int)write_resumed(session, text, size);
}

static int session_read(void *data, char *text, size_t size)
{
	struct session *session = data;
	ssize_t ret;

	while ((ret = gnutls_record_recv(session->tls, text, size)) == GNUTLS_E_AGAIN ||
	       ret == GNUTLS_E_INTERRUPTED)
		session_wait(session, POLLIN);
	return (int)ret;
}
