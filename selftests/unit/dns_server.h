/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A name server for tests: a thread that answers on a loopback port over UDP and
 * TCP, with messages that the test's own function makes byte by byte.
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

#define DNS_TEST_QUESTION 12 /* where the question stands */

/* A message that is being made. */
struct dns_draft {
	uint8_t byte[8192];
	size_t size;
};

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

/* ---- making messages ---- */

static inline void put(struct dns_draft *d, const void *bytes, size_t size)
{
	ck_assert_uint_le(d->size + size, sizeof(d->byte));
	memcpy(d->byte + d->size, bytes, size);
	d->size += size;
}

static inline void put_u16(struct dns_draft *d, unsigned value)
{
	const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	put(d, bytes, 2);
}

static inline void put_u32(struct dns_draft *d, uint32_t value)
{
	put_u16(d, value >> 16);
	put_u16(d, value & 0xffff);
}

static inline void set_u16(struct dns_draft *d, size_t at, unsigned value)
{
	d->byte[at] = (uint8_t)(value >> 8);
	d->byte[at + 1] = (uint8_t)value;
}

/* "a.example" in wire form. */
static inline void put_name(struct dns_draft *d, const char *name)
{
	while (*name) {
		uint8_t size = (uint8_t)strcspn(name, ".");

		put(d, &size, 1);
		put(d, name, size);
		name += size + (name[size] == '.');
	}
	put(d, "", 1);
}

/* Header with one question and no records; put_record() counts them. */
static inline void put_question(struct dns_draft *d, unsigned id, unsigned flags, const char *name,
				unsigned type)
{
	d->size = 0;
	put_u16(d, id);
	put_u16(d, flags);
	put_u16(d, 1);
	put_u16(d, 0);
	put_u32(d, 0);
	put_name(d, name);
	put_u16(d, type);
	put_u16(d, 1);
}

/* The beginning of a record of the answer section; NULL: the question's name, compressed. */
static inline void put_record(struct dns_draft *d, const char *owner, unsigned type, uint32_t ttl)
{
	set_u16(d, 6, (unsigned)(d->byte[6] << 8 | d->byte[7]) + 1);
	if (owner)
		put_name(d, owner);
	else
		put_u16(d, 0xc000 | DNS_TEST_QUESTION);
	put_u16(d, type);
	put_u16(d, 1);
	put_u32(d, ttl);
}

static inline void put_address(struct dns_draft *d, const char *owner, uint32_t ttl,
			       const char *address)
{
	bool v6 = strchr(address, ':');
	uint8_t bytes[16];

	ck_assert_int_eq(inet_pton(v6 ? AF_INET6 : AF_INET, address, bytes), 1);
	put_record(d, owner, v6 ? 28 : 1, ttl);
	put_u16(d, v6 ? 16 : 4);
	put(d, bytes, v6 ? 16 : 4);
}

static inline void put_alias(struct dns_draft *d, const char *owner, uint32_t ttl,
			     const char *target)
{
	size_t at;

	put_record(d, owner, 5, ttl);
	at = d->size;
	put_u16(d, 0);
	put_name(d, target);
	set_u16(d, at, (unsigned)(d->size - at - 2));
}

/* ---- answering ---- */

#define DNS_TEST_FLAGS 0x8180 /* response, recursion desired and available */

/* The beginning of an answer: the question's own header and question. */
static inline void answer_begin(struct dns_draft *d, const struct dns_request *request,
				unsigned flags)
{
	d->size = 0;
	put(d, request->byte, 2);
	put_u16(d, flags);
	put_u16(d, 1);
	put_u16(d, 0);
	put_u32(d, 0);
	put(d, request->byte + DNS_TEST_QUESTION, request->question_size);
}

static inline void answer_from(int fd, const struct dns_request *request, const struct dns_draft *d)
{
	sendto(fd, d->byte, d->size, MSG_NOSIGNAL, (const struct sockaddr *)&request->from,
	       request->from_size);
}

static inline void answer_send(const struct dns_request *request, const struct dns_draft *d)
{
	const uint8_t length[2] = {(uint8_t)(d->size >> 8), (uint8_t)d->size};

	if (request->tcp < 0) {
		answer_from(request->server->udp, request, d);
		return;
	}
	send(request->tcp, length, 2, MSG_NOSIGNAL);
	send(request->tcp, d->byte, d->size, MSG_NOSIGNAL);
}

/* ---- the thread ---- */

static inline void serve(struct dns_request *request)
{
	size_t at = DNS_TEST_QUESTION;

	while (at < request->size && request->byte[at])
		at += request->byte[at] + 1u;
	request->question_size = at + 5 - DNS_TEST_QUESTION;
	request->type = (uint16_t)(request->byte[at + 1] << 8 | request->byte[at + 2]);
	request->edns = request->byte[11] != 0;
	request->server->answer(request);
}

static inline void serve_tcp(struct dns_server *server)
{
	struct dns_request request = {.server = server};
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
	struct dns_request request = {.server = server, .tcp = -1};
	ssize_t size;

	request.from_size = sizeof(request.from);
	size = recvfrom(server->udp, request.byte, sizeof(request.byte), 0,
			(struct sockaddr *)&request.from, &request.from_size);
	if (size < DNS_TEST_QUESTION)
		return;
	request.size = (size_t)size;
	atomic_fetch_add(&server->asked_udp, 1);
	serve(&request);
}

static inline void *serve_all(void *data)
{
	struct dns_server *server = data;
	struct pollfd fds[2] = {{.fd = server->udp, .events = POLLIN},
				{.fd = server->tcp, .events = POLLIN}};

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
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(*port)};
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
