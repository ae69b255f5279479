// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peer of the benchmark: reads and discards.
 *
 *	server CERTIFICATE KEY [CERTIFICATE KEY]	prints the port it listens on
 *
 * It answers the first write of a connection with one byte, which says what
 * arrived: 'S' the secret (environment variable BENCH_SECRET), 'P' a placeholder,
 * '-' something else. What follows is dropped undecrypted, inside the kernel. Lines
 * on stdin say when, and each is answered with one:
 *
 *	drain	now, all that has arrived
 *	flow	from now on, as it arrives
 *	still	from now on, only at "drain"
 *	worked	(drops nothing; answers with the processor time of this process, in ns)
 *
 * A reader at work costs the writer more than anything that is measured here
 * (wake-ups, the socket's lock), and not always the same: hence "drain".
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tools/bench/bench.h"

#define FIXED	    2 /* stdin and the listener */
#define SINKS	    256
#define QUEUE_BYTES (16 << 20) /* what may wait for "drain" */

struct server {
	SSL_CTX *context;
	const char *secret;
	struct pollfd fds[FIXED + SINKS];
	nfds_t count;
	bool flowing;
};

static char verdict_on(const char *first, const char *secret)
{
	if (memcmp(first + HOLE, secret, HOLE_SIZE) == 0)
		return 'S';
	return memcmp(first + HOLE, "kloak:", 6) == 0 ? 'P' : '-';
}

/* Whether the connection goes on: one that is closed after the handshake was nothing else. */
static bool greet(const struct server *server, SSL *ssl)
{
	char first[PAYLOAD_MAX];
	char verdict;

	if (SSL_accept(ssl) != 1 || SSL_read(ssl, first, sizeof(first)) < HOLE + HOLE_SIZE)
		return false;
	verdict = verdict_on(first, server->secret);
	return SSL_write(ssl, &verdict, 1) == 1;
}

static void take_connection(struct server *server)
{
	int fd = accept(server->fds[1].fd, NULL, NULL);
	SSL *ssl = SSL_new(server->context);

	if (fd < 0 || !ssl || !SSL_set_fd(ssl, fd))
		die("cannot accept");
	if (greet(server, ssl) && server->count < FIXED + SINKS) {
		struct pollfd sink = { .fd = fd, .events = POLLIN };

		server->fds[server->count++] = sink;
	} else {
		close(fd);
	}
	SSL_free(ssl);
}

/* False: the peer has closed. */
static bool drain(int fd)
{
	static char nothing[4 << 20];
	ssize_t got;

	do {
		got = recv(fd, nothing, sizeof(nothing), MSG_TRUNC | MSG_DONTWAIT);
	} while (got > 0);
	return got < 0 && errno == EAGAIN;
}

static void drain_all(struct server *server)
{
	nfds_t i = FIXED;

	while (i < server->count) {
		if (drain(server->fds[i].fd)) {
			i++;
			continue;
		}
		close(server->fds[i].fd);
		server->fds[i] = server->fds[--server->count];
	}
}

static long long time_worked(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void obey(struct server *server)
{
	char line[64];

	if (!fgets(line, sizeof(line), stdin))
		exit(0);
	if (line[0] == 'd')
		drain_all(server);
	else if (line[0] != 'w')
		server->flowing = line[0] == 'f';
	printf("%lld\n", time_worked());
	fflush(stdout);
}

static int listen_anywhere(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int queue = QUEUE_BYTES;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue)) ||
	    bind(fd, (struct sockaddr *)&address, size) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&address, &size))
		die("cannot listen");
	printf("%u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void server_init(struct server *server, int argc, char **argv)
{
	int i;

	server->context = SSL_CTX_new(TLS_server_method());
	server->secret = getenv("BENCH_SECRET");
	if (!server->context || !server->secret || strlen(server->secret) != HOLE_SIZE)
		die("BENCH_SECRET is not what it should be");
	for (i = 1; i + 1 < argc; i += 2)
		if (SSL_CTX_use_certificate_file(server->context, argv[i], SSL_FILETYPE_PEM) != 1 ||
		    SSL_CTX_use_PrivateKey_file(server->context, argv[i + 1], SSL_FILETYPE_PEM) !=
			    1)
			die(argv[i]);
	SSL_CTX_set_session_cache_mode(server->context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(server->context, 0);
	server->fds[0].fd = STDIN_FILENO;
	server->fds[1].fd = listen_anywhere();
	server->fds[0].events = server->fds[1].events = POLLIN;
	server->count = FIXED;
}

int main(int argc, char **argv)
{
	static struct server server;

	signal(SIGPIPE, SIG_IGN);
	server_init(&server, argc, argv);
	for (;;) {
		if (poll(server.fds, server.flowing ? server.count : FIXED, -1) < 0)
			die("poll");
		if (server.fds[1].revents & POLLIN)
			take_connection(&server);
		if (server.fds[0].revents)
			obey(&server);
		else if (server.flowing)
			drain_all(&server);
	}
}
