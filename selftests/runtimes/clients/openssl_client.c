// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests through the API that OpenSSL 1.1.1 to 3.6 and BoringSSL have in
 * common. What it does is said by the environment:
 *
 *	TEST_ADDRESS, TEST_PORT	where to connect
 *	TEST_NAME		for SNI and the header Host
 *	TEST_CA			PEM file of the server's authority
 *	TEST_CONNECTIONS	1 by default
 *	TEST_REQUESTS		on each connection, 1 by default
 *	TEST_THREADS		that the connections are spread over, 1 by default
 *	TEST_EARLY		n: each connection but the first of a thread resumes its
 *				session, and sends its first request as early data, in
 *				n writes: all but the last are of one byte
 *	TEST_WAIT		1: says "ready" at the end, and waits for a line
 *	API_KEY			for the header X-Api-Key
 *
 * Ends with 0 only if every response was 200.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define BUFFER	    65536
#define THREADS_MAX 64

static long connections, requests, threads;
static int early;
static const char *name, *key;
static SSL_CTX *context;

/* What a thread works with. */
struct worker {
	pthread_t id;
	long first; /* its connections are first, first + threads, ... */
	int failed;
	SSL_SESSION *session;
};

/* Sessions of TLS 1.3 come after the handshake: in this thread, as its data. */
static _Thread_local struct worker *current;

static const char *setting(const char *variable, const char *fallback)
{
	const char *value = getenv(variable);

	if (value && *value)
		return value;
	if (!fallback) {
		fprintf(stderr, "openssl_client: %s is not set\n", variable);
		exit(2);
	}
	return fallback;
}

static int complain(const char *what)
{
	fprintf(stderr, "openssl_client: %s\n", what);
	ERR_print_errors_fp(stderr);
	return -1;
}

static int connect_socket(void)
{
	const char *address = setting("TEST_ADDRESS", NULL);
	int port = atoi(setting("TEST_PORT", NULL));
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	int fd, ret;

	memset(&six, 0, sizeof(six));
	memset(&four, 0, sizeof(four));
	if (inet_pton(AF_INET, address, &four.sin_addr) == 1) {
		four.sin_family = AF_INET;
		four.sin_port = htons((unsigned short)port);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		ret = connect(fd, (struct sockaddr *)&four, sizeof(four));
	} else if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1) {
		six.sin6_family = AF_INET6;
		six.sin6_port = htons((unsigned short)port);
		fd = socket(AF_INET6, SOCK_STREAM, 0);
		ret = connect(fd, (struct sockaddr *)&six, sizeof(six));
	} else {
		fprintf(stderr, "openssl_client: %s is no address\n", address);
		return -1;
	}
	if (ret) {
		perror("openssl_client: connect");
		close(fd);
		return -1;
	}
	return fd;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	if (current->session)
		SSL_SESSION_free(current->session);
	current->session = session;
	return 1;
}

static int request_text(char *buffer, size_t size, long connection, long number)
{
	return snprintf(buffer, size, "GET /%ld/%ld HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\n\r\n",
			connection, number, name, key);
}

/* The first bytes of a request may have gone as early data: what is left to send. */
static int send_all(SSL *ssl, const char *text, int size)
{
	while (size > 0) {
		int sent = SSL_write(ssl, text, size);

		if (sent <= 0)
			return complain("SSL_write failed");
		text += sent;
		size -= sent;
	}
	return 0;
}

/* Bytes of the body, or -1. */
static long content_length(const char *head)
{
	const char *line = head;

	while ((line = strstr(line, "\r\n"))) {
		line += 2;
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			return atol(line + 15);
	}
	return -1;
}

static int read_response(SSL *ssl)
{
	char buffer[BUFFER];
	size_t have = 0;
	char *body = NULL;
	long length = 0;

	for (;;) {
		int got = SSL_read(ssl, buffer + have, (int)(sizeof(buffer) - 1 - have));

		if (got <= 0)
			return complain("the connection ended within a response");
		have += (size_t)got;
		buffer[have] = 0;
		if (!body && (body = strstr(buffer, "\r\n\r\n"))) {
			body += 4;
			length = content_length(buffer);
		}
		if (body && have >= (size_t)(body - buffer) + (size_t)length)
			break;
	}
	if (length < 0 || strncmp(buffer, "HTTP/1.1 200", 12) != 0) {
		fprintf(stderr, "openssl_client: response: %.40s\n", buffer);
		return -1;
	}
	return 0;
}

/* Early data: OpenSSL has a function of its own for them, BoringSSL ends SSL_connect() early. */
#ifdef OPENSSL_IS_BORINGSSL
#if BORINGSSL_API_VERSION < 10 /* that of Android 10 cannot tell */
#define SSL_SESSION_early_data_capable(session) 1
#endif
static int begin_early(SSL *ssl)
{
	SSL_set_early_data_enabled(ssl, 1);
	return SSL_SESSION_early_data_capable(current->session) &&
	       SSL_set_session(ssl, current->session) == 1 && SSL_connect(ssl) == 1 &&
	       SSL_in_early_data(ssl);
}

static int write_early(SSL *ssl, const char *text, int size)
{
	return SSL_write(ssl, text, size);
}

static int was_early_accepted(SSL *ssl)
{
	return SSL_early_data_accepted(ssl);
}
#else
static int begin_early(SSL *ssl)
{
	return SSL_SESSION_get_max_early_data(current->session) &&
	       SSL_set_session(ssl, current->session) == 1;
}

static int write_early(SSL *ssl, const char *text, int size)
{
	size_t sent;

	return SSL_write_early_data(ssl, text, (size_t)size, &sent) == 1 ? (int)sent : -1;
}

static int was_early_accepted(SSL *ssl)
{
	return SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED;
}
#endif

/* How many bytes of the request went as early data. */
static int send_early(SSL *ssl, const char *text, int size)
{
	int done = 0, i;

	if (!current->session || !begin_early(ssl))
		return complain("there is no session that allows early data");
	for (i = 1; i <= early; i++) {
		int sent = write_early(ssl, text + done, i < early ? 1 : size - done);

		if (sent <= 0)
			return complain("early data cannot be written");
		done += sent;
	}
	return done;
}

static int use_connection(SSL *ssl, long connection)
{
	char text[4096];
	long number;

	for (number = 0; number < requests; number++) {
		int size = request_text(text, sizeof(text), connection, number);
		int sent = 0;

		if (!number) {
			if (early && connection != current->first)
				sent = send_early(ssl, text, size);
			if (sent < 0)
				return -1;
			if (SSL_connect(ssl) != 1)
				return complain("SSL_connect failed");
			if (sent && !was_early_accepted(ssl)) {
				fprintf(stderr, "openssl_client: early data was not accepted\n");
				return -1;
			}
		}
		if (send_all(ssl, text + sent, size - sent) || read_response(ssl))
			return -1;
	}
	return 0;
}

static int run_connection(long connection)
{
	int fd = connect_socket();
	SSL *ssl = fd < 0 ? NULL : SSL_new(context);
	int ret = -1;

	if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1) {
		ret = use_connection(ssl, connection);
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	if (fd >= 0)
		close(fd);
	return ret;
}

static void *work(void *data)
{
	struct worker *worker = data;
	long i;

	current = worker;
	for (i = worker->first; i < connections && !worker->failed; i += threads)
		worker->failed = run_connection(i) != 0;
	if (worker->session)
		SSL_SESSION_free(worker->session);
	return NULL;
}

static int make_context(void)
{
	context = SSL_CTX_new(TLS_client_method());
	if (!context || SSL_CTX_load_verify_locations(context, setting("TEST_CA", NULL), NULL) != 1)
		return complain("cannot read TEST_CA");
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(context), name, strlen(name));
	SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION); /* BoringSSL 10 ends with 1.2 */
	if (early) {
		SSL_CTX_set_session_cache_mode(context,
					       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(context, keep_session);
	}
	return 0;
}

int main(void)
{
	static struct worker workers[THREADS_MAX];
	int failed = 0;
	long i;

	name = setting("TEST_NAME", NULL);
	key = setting("API_KEY", NULL);
	connections = atol(setting("TEST_CONNECTIONS", "1"));
	requests = atol(setting("TEST_REQUESTS", "1"));
	threads = atol(setting("TEST_THREADS", "1"));
	early = atoi(setting("TEST_EARLY", "0"));
	if (threads < 1 || threads > THREADS_MAX || make_context())
		return 2;
	for (i = 0; i < threads; i++) {
		workers[i].first = i;
		if (pthread_create(&workers[i].id, NULL, work, &workers[i]))
			return 2;
	}
	for (i = 0; i < threads; i++) {
		pthread_join(workers[i].id, NULL);
		failed |= workers[i].failed;
	}
	SSL_CTX_free(context);
	if (!failed && atoi(setting("TEST_WAIT", "0"))) {
		puts("ready");
		fflush(stdout);
		(void)!getchar();
	}
	return failed;
}
