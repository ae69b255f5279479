/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A name server for tests: a thread that answers on a loopback port over UDP and
 * TCP, with messages that the test's own function makes (dns_wire.h).
 */
#ifndef KLOAK_SELFTESTS_DNS_SERVER_H
#define KLOAK_SELFTESTS_DNS_SERVER_H

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "selftests/unit/dns_wire.h"

struct dns_server;

/* One question. */
struct dns_request {
	struct dns_server *server;
	uint8_t byte[600];
	size_t size;
	size_t question_size; /* name, type, class */
	uint16_t type;
	bool edns;
	int tcp; /* its connection, or -1 */
	struct sockaddr_storage from;
	socklen_t from_size;
};

struct dns_server {
	int udp, tcp, other; /* .other answers from another port */
	uint16_t port;
	void (*answer)(struct dns_request *request); /* in the thread */
	atomic_uint asked_udp, asked_tcp;
	atomic_bool stop;
	pthread_t thread;
};

/* ---- answering ---- */

/* The beginning of an answer: the question's own number and question. */
static inline void answer_begin(struct wire *w, const struct dns_request *request,
				unsigned int flags)
{
	w->random = 0;
	wire_begin(w, 0, flags);
	memcpy(w->byte, request->byte, 2);
	wire_count(w, 0);
	wire_put(w, request->byte + WIRE_HEADER, request->question_size);
}

static inline void answer_address(struct wire *w, const char *owner, uint32_t ttl,
				  const char *address)
{
	bool v6 = strchr(address, ':');
	uint8_t bytes[16];

	ck_assert_int_eq(inet_pton(v6 ? AF_INET6 : AF_INET, address, bytes), 1);
	wire_record(w, owner, v6 ? WIRE_AAAA : WIRE_A, ttl, bytes, v6 ? 16 : 4);
}

static inline void answer_from(int fd, const struct dns_request *request, const struct wire *w)
{
	sendto(fd, w->byte, w->size, MSG_NOSIGNAL, (const struct sockaddr *)&request->from,
	       request->from_size);
}

static inline void answer_send(const struct dns_request *request, const struct wire *w)
{
	const uint8_t length[2] = { (uint8_t)(w->size >> 8), (uint8_t)w->size };

	if (request->tcp < 0) {
		answer_from(request->server->udp, request, w);
		return;
	}
	send(request->tcp, length, 2, MSG_NOSIGNAL);
	send(request->tcp, w->byte, w->size, MSG_NOSIGNAL);
}

/* ---- the thread ---- */

static inline void serve(struct dns_request *request)
{
	size_t at = WIRE_HEADER;

	while (at < request->size && request->byte[at])
		at += request->byte[at] + 1u;
	request->question_size = at + 5 - WIRE_HEADER;
	request->type = (uint16_t)(request->byte[at + 1] << 8 | request->byte[at + 2]);
	request->edns = request->byte[11] != 0;
	request->server->answer(request);
}

static inline void serve_tcp(struct dns_server *server)
{
	struct dns_request request = { .server = server };
	uint8_t length[2];
	size_t size;

	request.tcp = accept(server->tcp, NULL, NULL);
	if (recv(request.tcp, length, 2, MSG_WAITALL) == 2) {
		size = (size_t)length[0] << 8 | length[1];
		if (size <= sizeof(request.byte) &&
		    recv(request.tcp, request.byte, size, MSG_WAITALL) == (ssize_t)size) {
			request.size = size;
			atomic_fetch_add(&server->asked_tcp, 1);
			serve(&request);
		}
	}
	close(request.tcp);
}

static inline void serve_udp(struct dns_server *server)
{
	struct dns_request request = { .server = server, .tcp = -1 };
	ssize_t size;

	request.from_size = sizeof(request.from);
	size = recvfrom(server->udp, request.byte, sizeof(request.byte), 0,
			(struct sockaddr *)&request.from, &request.from_size);
	if (size < WIRE_HEADER)
		return;
	request.size = (size_t)size;
	atomic_fetch_add(&server->asked_udp, 1);
	serve(&request);
}

static inline void *serve_all(void *data)
{
	struct dns_server *server = data;
	struct pollfd fds[2] = { { .fd = server->udp, .events = POLLIN },
				 { .fd = server->tcp, .events = POLLIN } };

	while (!atomic_load(&server->stop)) {
		poll(fds, 2, 20);
		if (fds[0].revents & POLLIN)
			serve_udp(server);
		if (fds[1].revents & POLLIN)
			serve_tcp(server);
	}
	return NULL;
}

/* A socket at 127.0.0.1 or ::1; *port 0 takes any, and is set. */
static inline int dns_socket(int family, int type, uint16_t *port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(*port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(*port) };
	void *name = family == AF_INET ? (void *)&v4 : (void *)&v6;
	socklen_t size = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	v6.sin6_addr = in6addr_loopback;
	ck_assert_int_ge(fd, 0);
	if (bind(fd, name, size)) {
		close(fd);
		return -1;
	}
	ck_assert_int_eq(getsockname(fd, name, &size), 0);
	*port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

/* UDP and TCP at the same port: the one that UDP gets may be taken for TCP. */
static inline void dns_server_start(struct dns_server *server, int family,
				    void (*answer)(struct dns_request *request))
{
	uint16_t other = 0;

	memset(server, 0, sizeof(*server));
	server->answer = answer;
	for (server->tcp = -1; server->tcp < 0;) {
		server->port = 0;
		server->udp = dns_socket(family, SOCK_DGRAM, &server->port);
		ck_assert_int_ge(server->udp, 0);
		server->tcp = dns_socket(family, SOCK_STREAM, &server->port);
		if (server->tcp < 0)
			close(server->udp);
	}
	server->other = dns_socket(family, SOCK_DGRAM, &other);
	ck_assert_int_ge(server->other, 0);
	ck_assert_int_eq(listen(server->tcp, 16), 0);
	ck_assert_int_eq(pthread_create(&server->thread, NULL, serve_all, server), 0);
}

static inline void dns_server_stop(struct dns_server *server)
{
	atomic_store(&server->stop, true);
	pthread_join(server->thread, NULL);
	close(server->udp);
	close(server->tcp);
	close(server->other);
}

#endif
