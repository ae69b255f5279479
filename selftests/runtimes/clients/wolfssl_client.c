// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test client with wolfSSL (tls_client.h): cc wolfssl_client.c -lwolfssl -lpthread
 * TEST_WRITE=ex writes with wolfSSL_write_ex() (5.9), TEST_WRITE=send with wolfSSL_send().
 *
 * Clients of TLS 1.3 send an encrypted ClientHello without need (GREASE) since 5.6, and
 * Kloak believes no name then. It is switched off here where it can be (5.9); with
 * TEST_ECH=1 it is not.
 */
#define _GNU_SOURCE
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/version.h>

#include "tls_client.h"

struct session {
	WOLFSSL_CTX *context;
	WOLFSSL *ssl;
};

static void session_close(void *data)
{
	struct session *session = data;

	if (session->ssl) {
		wolfSSL_shutdown(session->ssl);
		wolfSSL_free(session->ssl);
	}
	if (session->context)
		wolfSSL_CTX_free(session->context);
	free(session);
}

static int session_start(struct session *session, int fd, const char *name, const char *ca)
{
	session->context = wolfSSL_CTX_new(wolfSSLv23_client_method());
	if (!session->context ||
	    wolfSSL_CTX_load_verify_locations(session->context, ca, NULL) != WOLFSSL_SUCCESS)
		return failed("context", 0);
#if defined(HAVE_ECH) && LIBWOLFSSL_VERSION_HEX >= 0x05009000
	if (!number("TEST_ECH", "0"))
		wolfSSL_CTX_SetEchEnable(session->context, 0);
#endif
	session->ssl = wolfSSL_new(session->context);
	if (!session->ssl || wolfSSL_check_domain_name(session->ssl, name) != WOLFSSL_SUCCESS ||
	    wolfSSL_UseSNI(session->ssl, WOLFSSL_SNI_HOST_NAME, name,
			   (unsigned short)strlen(name)) != WOLFSSL_SUCCESS ||
	    wolfSSL_set_fd(session->ssl, fd) != WOLFSSL_SUCCESS)
		return failed("session", 0);
	if (wolfSSL_connect(session->ssl) != WOLFSSL_SUCCESS)
		return failed("handshake", wolfSSL_get_error(session->ssl, 0));
	return 0;
}

static void *session_open(int fd, const char *name, const char *ca)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct session *session = calloc(1, sizeof(*session));

	pthread_once(&once, (void (*)(void))wolfSSL_Init);
	if (session && session_start(session, fd, name, ca)) {
		session_close(session);
		return NULL;
	}
	return session;
}

static int session_write(void *data, const char *text, size_t size)
{
	const char *how = setting("TEST_WRITE", "write");
	struct session *session = data;

	if (strcmp(how, "send") == 0)
		return wolfSSL_send(session->ssl, text, (int)size, MSG_NOSIGNAL);
#if LIBWOLFSSL_VERSION_HEX >= 0x05009000
	if (strcmp(how, "ex") == 0) {
		size_t written;

		return wolfSSL_write_ex(session->ssl, text, size, &written) ? (int)written : -1;
	}
#endif
	return wolfSSL_write(session->ssl, text, (int)size);
}

static int session_read(void *data, char *text, size_t size)
{
	struct session *session = data;

	return wolfSSL_read(session->ssl, text, (int)size);
}
