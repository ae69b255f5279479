// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peer of the benchmark: reads and discards.
 *
 *	server CERTIFICATE KEY [CERTIFICATE KEY]	prints the port it listens on
 *
 * It says with one byte what arrived in the first write of a connection: 'S'
 * the secret (environment variable BENCH_SECRET), 'P' a placeholder, '-' something
 * else. What follows is dropped undecrypted, and inside the kernel: this
 * process shall cost the client as little as it can.
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/bench/bench.h"

#define WAKE_UP (64 * 1024) /* bytes: waking for each small write would be paid by the client */

static char verdict_on(const char *first, const char *secret)
{
	if (!memcmp(first + HOLE, secret, HOLE_SIZE))
		return 'S';
	return !memcmp(first + HOLE, "kloak:", 6) ? 'P' : '-';
}

static void *sink(void *argument)
{
	static char nothing[1 << 20];
	int fd = (int)(intptr_t)argument;
	int enough = WAKE_UP;

	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &enough, sizeof(enough));
	while (recv(fd, nothing, sizeof(nothing), MSG_TRUNC) > 0)
		;
	close(fd);
	return NULL;
}

/* Handshakes are done one after the other, here, where no thread has to be started for them. */
static void serve(SSL_CTX *context, int fd, const char *secret)
{
	SSL *ssl = SSL_new(context);
	char first[PAYLOAD_MAX];
	pthread_t thread;
	char verdict;

	if (!ssl || !SSL_set_fd(ssl, fd))
		die("no memory");
	if (SSL_accept(ssl) != 1 || SSL_read(ssl, first, sizeof(first)) < HOLE + HOLE_SIZE) {
		close(fd);
		SSL_free(ssl);
		return;
	}
	verdict = verdict_on(first, secret);
	if (SSL_write(ssl, &verdict, 1) != 1 ||
	    pthread_create(&thread, NULL, sink, (void *)(intptr_t)fd))
		die("cannot serve");
	pthread_detach(thread);
	SSL_free(ssl);
}

static int listen_anywhere(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&address, &size))
		die("cannot listen");
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	const char *secret = getenv("BENCH_SECRET");
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	int listener, i;

	if (!secret || strlen(secret) != HOLE_SIZE || !context)
		die("BENCH_SECRET is not what it should be");
	signal(SIGPIPE, SIG_IGN);
	for (i = 1; i + 1 < argc; i += 2)
		if (SSL_CTX_use_certificate_file(context, argv[i], SSL_FILETYPE_PEM) != 1 ||
		    SSL_CTX_use_PrivateKey_file(context, argv[i + 1], SSL_FILETYPE_PEM) != 1)
			die(argv[i]);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
	listener = listen_anywhere();
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			serve(context, fd, secret);
	}
}
