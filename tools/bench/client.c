// SPDX-License-Identifier: GPL-2.0-only
/*
 * The application of the benchmark: an OpenSSL client that does what it is told
 * on stdin, one line at a time, and answers with one line on stdout. Several of
 * them run at once, with and without Kloak, and take turns: see tools/bench/run.
 *
 *	client PORT CA-FILE PAYLOAD-FILE...
 *
 *	connect VERSION SUITE AUTH NODELAY	-> what the server found in payload 0
 *	write PAYLOAD COUNT PLACEHOLDER WALL	-> ns for one write
 *	handshake VERSION SUITE AUTH COUNT	-> ns for one connect() and SSL_connect(),
 *						   and how many of them this thread worked
 *
 * A payload has a hole of HOLE_SIZE bytes at HOLE; PLACEHOLDER 1 fills it with
 * environment variable BENCH_SECRET: a placeholder under Kloak, else the secret.
 * WALL 0 counts the time of this thread, including the kernel's work for it, but
 * not the time for which others had its processor. NODELAY 1 sends each write as a packet
 * of its own, NODELAY 0 lets TCP queue them until a packet is full.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/bench.h"

#define PAYLOADS   8
#define CONGESTION "reno" /* every kernel has it, and it does not change its pace as BBR does */
#define WARM_UP	   8 /* writes before the clock starts: caches after the other clients' turns */

struct payload {
	char bytes[PAYLOAD_MAX];
	size_t size;
};

struct client {
	SSL_CTX *context;
	struct sockaddr_in server;
	struct payload payloads[PAYLOADS];
	const char *secret;
	SSL *connection; /* NULL: none yet */
};

/* How to connect; texts as OpenSSL spells them. */
struct parameters {
	char version[8]; /* "1.2" or "1.3" */
	char suite[64];
	char auth[8]; /* "ecdsa" or "rsa" */
	int nodelay;  /* TCP_NODELAY */
};

static double now_on(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void payload_read(struct payload *payload, const char *path)
{
	FILE *file = fopen(path, "r");

	if (!file)
		die(path);
	payload->size = fread(payload->bytes, 1, sizeof(payload->bytes), file);
	fclose(file);
	if (payload->size < HOLE + HOLE_SIZE)
		die("payload too short");
}

static void payload_fill(const struct client *client, struct payload *payload, int placeholder)
{
	if (placeholder)
		memcpy(payload->bytes + HOLE, client->secret, HOLE_SIZE);
	else
		memset(payload->bytes + HOLE, 'n', HOLE_SIZE);
}

static void choose(SSL *ssl, const struct parameters *parameters)
{
	bool is_13 = strcmp(parameters->version, "1.3") == 0;
	int version = is_13 ? TLS1_3_VERSION : TLS1_2_VERSION;
	bool is_rsa = strcmp(parameters->auth, "rsa") == 0;
	int good = SSL_set_min_proto_version(ssl, version) &&
		   SSL_set_max_proto_version(ssl, version) &&
		   SSL_set1_sigalgs_list(ssl, is_rsa ? "RSA-PSS+SHA256" : "ECDSA+SHA256") &&
		   (is_13 ? SSL_set_ciphersuites(ssl, parameters->suite)
			  : SSL_set_cipher_list(ssl, parameters->suite));

	if (!good)
		die("OpenSSL does not know these parameters");
}

static SSL *open_connection(const struct client *client, const struct parameters *parameters)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL *ssl = SSL_new(client->context);
	int nodelay = parameters->nodelay;

	if (fd < 0 || !ssl || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof(nodelay)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, CONGESTION, sizeof(CONGESTION) - 1) ||
	    connect(fd, (const struct sockaddr *)&client->server, sizeof(client->server)))
		die("cannot connect");
	choose(ssl, parameters);
	if (!SSL_set_tlsext_host_name(ssl, SERVER_NAME) || !SSL_set1_host(ssl, SERVER_NAME) ||
	    !SSL_set_fd(ssl, fd) || SSL_connect(ssl) != 1) {
		ERR_print_errors_fp(stderr);
		die("handshake failed");
	}
	return ssl;
}

static void close_connection(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_free(ssl);
	close(fd);
}

/* Returns when the server has finished with it too, so that the next one finds it idle. */
static void finish_connection(SSL *ssl)
{
	char rest[4096];

	SSL_shutdown(ssl);
	shutdown(SSL_get_fd(ssl), SHUT_WR);
	while (read(SSL_get_fd(ssl), rest, sizeof(rest)) > 0)
		;
	close_connection(ssl);
}

static void do_connect(struct client *client, const char *line)
{
	struct payload *hello = &client->payloads[0];
	struct parameters parameters;
	char verdict;

	if (sscanf(line, "connect %7s %63s %7s %d", parameters.version, parameters.suite,
		   parameters.auth, &parameters.nodelay) != 4)
		die("connect: what?");
	if (client->connection)
		close_connection(client->connection);
	client->connection = open_connection(client, &parameters);
	payload_fill(client, hello, 1);
	if (SSL_write(client->connection, hello->bytes, (int)hello->size) != (int)hello->size ||
	    SSL_read(client->connection, &verdict, 1) != 1)
		die("the server did not answer");
	printf("%c\n", verdict);
}

static void do_write(struct client *client, const char *line)
{
	unsigned int index, count, placeholder, wall, i;
	struct payload *payload;
	clockid_t clock;
	double start = 0;

	if (sscanf(line, "write %u %u %u %u", &index, &count, &placeholder, &wall) != 4 ||
	    index >= PAYLOADS || !client->payloads[index].size || !client->connection)
		die("write: what?");
	payload = &client->payloads[index];
	payload_fill(client, payload, (int)placeholder);
	clock = wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
	for (i = 0; i < WARM_UP + count; i++) {
		if (i == WARM_UP)
			start = now_on(clock);
		if (SSL_write(client->connection, payload->bytes, (int)payload->size) !=
		    (int)payload->size)
			die("the connection broke");
	}
	printf("%.1f\n", (now_on(clock) - start) / count);
}

static void do_handshake(struct client *client, const char *line)
{
	struct parameters parameters = { .nodelay = 1 };
	double passed = 0, worked = 0;
	unsigned int count, i;

	if (sscanf(line, "handshake %7s %63s %7s %u", parameters.version, parameters.suite,
		   parameters.auth, &count) != 4)
		die("handshake: what?");
	for (i = 0; i < count; i++) {
		double start = now_on(CLOCK_MONOTONIC);
		double start_work = now_on(CLOCK_THREAD_CPUTIME_ID);
		SSL *ssl = open_connection(client, &parameters);

		worked += now_on(CLOCK_THREAD_CPUTIME_ID) - start_work;
		passed += now_on(CLOCK_MONOTONIC) - start;
		finish_connection(ssl);
		usleep(100);
	}
	printf("%.1f %.1f\n", passed / count, worked / count);
}

static void client_init(struct client *client, char **argv)
{
	int i;

	memset(client, 0, sizeof(*client));
	client->context = SSL_CTX_new(TLS_client_method());
	if (!client->context || SSL_CTX_load_verify_locations(client->context, argv[2], NULL) != 1)
		die("cannot read the certificates");
	SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(client->context, SSL_SESS_CACHE_OFF);
	client->server.sin_family = AF_INET;
	client->server.sin_port = htons((uint16_t)atoi(argv[1]));
	client->server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client->secret = getenv("BENCH_SECRET");
	if (!client->secret || strlen(client->secret) != HOLE_SIZE)
		die("BENCH_SECRET is not what it should be");
	for (i = 0; argv[3 + i] && i < PAYLOADS; i++)
		payload_read(&client->payloads[i], argv[3 + i]);
}

int main(int argc, char **argv)
{
	static struct client client;
	char line[256];

	if (argc < 4)
		die("usage: client PORT CA-FILE PAYLOAD-FILE...");
	client_init(&client, argv);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (line[0] == 'c')
			do_connect(&client, line);
		else if (line[0] == 'w')
			do_write(&client, line);
		else
			do_handshake(&client, line);
		fflush(stdout);
	}
	return 0;
}
