// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test client with mbedTLS 2.28 or 3 (tls_client.h):
 * cc mbedtls_client.c -lmbedtls -lmbedx509 -lmbedcrypto -lpthread
 *
 * TEST_TLS=1.2 makes a client of TLS 1.2 only. Of both versions, 3.6.6 offers signatures
 * (RSA-PSS) that it then refuses in TLS 1.2, whenever the server has an RSA certificate
 * and OpenSSL: "handshake: -26112". 3.6.7 does not.
 */
#define _GNU_SOURCE
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>

#include "tls_client.h"

struct session {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_x509_crt ca;
	mbedtls_ssl_config config;
	mbedtls_ssl_context ssl;
	mbedtls_net_context net;
};

static void session_close(void *data)
{
	struct session *session = data;

	mbedtls_ssl_close_notify(&session->ssl);
	mbedtls_ssl_free(&session->ssl);
	mbedtls_ssl_config_free(&session->config);
	mbedtls_x509_crt_free(&session->ca);
	mbedtls_ctr_drbg_free(&session->random);
	mbedtls_entropy_free(&session->entropy);
	free(session);
}

#if MBEDTLS_VERSION_NUMBER >= 0x03060000
static const uint16_t signatures_12[] = {
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
	MBEDTLS_TLS1_3_SIG_NONE,
};
#endif

static int session_start(struct session *session, const char *name, const char *ca)
{
	mbedtls_ssl_config *config = &session->config;
	int ret;

	ret = mbedtls_ctr_drbg_seed(&session->random, mbedtls_entropy_func, &session->entropy, NULL,
				    0);
	if (ret)
		return failed("random", ret);
	ret = mbedtls_x509_crt_parse_file(&session->ca, ca);
	if (ret)
		return failed("ca", ret);
	ret = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT,
					  MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
	if (ret)
		return failed("defaults", ret);
	mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &session->random);
	mbedtls_ssl_conf_ca_chain(config, &session->ca, NULL);
	mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
#if MBEDTLS_VERSION_NUMBER >= 0x03060000
	if (strcmp(setting("TEST_TLS", ""), "1.2") == 0) {
		mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
		mbedtls_ssl_conf_sig_algs(config, signatures_12);
	}
#endif
	ret = mbedtls_ssl_setup(&session->ssl, config);
	if (ret)
		return failed("setup", ret);
	ret = mbedtls_ssl_set_hostname(&session->ssl, name);
	if (ret)
		return failed("hostname", ret);
	mbedtls_ssl_set_bio(&session->ssl, &session->net, mbedtls_net_send, mbedtls_net_recv, NULL);
	ret = mbedtls_ssl_handshake(&session->ssl);
	return ret ? failed("handshake", ret) : 0;
}

static void *session_open(int fd, const char *name, const char *ca)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct session *session = calloc(1, sizeof(*session));

	pthread_once(&once, (void (*)(void))psa_crypto_init);
	if (!session)
		return NULL;
	mbedtls_entropy_init(&session->entropy);
	mbedtls_ctr_drbg_init(&session->random);
	mbedtls_x509_crt_init(&session->ca);
	mbedtls_ssl_config_init(&session->config);
	mbedtls_ssl_init(&session->ssl);
	session->net.fd = fd;
	if (session_start(session, name, ca)) {
		session_close(session);
		return NULL;
	}
	return session;
}

static int session_write(void *data, const char *text, size_t size)
{
	struct session *session = data;

	return mbedtls_ssl_write(&session->ssl, (const unsigned char *)text, size);
}

static int session_read(void *data, char *text, size_t size)
{
	struct session *session = data;
	int ret;

	do {
		ret = mbedtls_ssl_read(&session->ssl, (unsigned char *)text, size);
#if MBEDTLS_VERSION_NUMBER >= 0x03060000
	} while (ret == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
#else
	} while (0);
#endif
	return ret;
}
