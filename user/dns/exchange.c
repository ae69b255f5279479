// SPDX-License-Identifier: GPL-2.0-only
/* One question to one name server: see exchange.h. */
#include "user/dns/exchange.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "lib/cleanup.h"

#define LENGTH_SIZE 2 /* of a message, in front of it in a stream: RFC 1035, 4.2.2 */

union server_name {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t server_name(const struct resolver_endpoint *server, union server_name *name)
{
	memset(name, 0, sizeof(*name));
	if (address_mapped(server->address)) {
		name->v4.sin_family = AF_INET;
		name->v4.sin_port = htons(server->port);
		memcpy(&name->v4.sin_addr, server->address + ADDRESS_MAPPED_BITS / 8,
		       sizeof(name->v4.sin_addr));
		return sizeof(name->v4);
	}
	name->v6.sin6_family = AF_INET6;
	name->v6.sin6_port = htons(server->port);
	memcpy(&name->v6.sin6_addr, server->address, sizeof(name->v6.sin6_addr));
	return sizeof(name->v6);
}

/* A socket that is connected to the server, or will be (TCP). */
static int open_socket(const struct resolver_endpoint *server, int type)
{
	union server_name name;
	socklen_t size = server_name(server, &name);
	CLEANUP_FD int fd = socket(name.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, &name.any, size) && errno != EINPROGRESS)
		return -errno;
	return TAKE_FD(fd);
}

static int start_udp(struct dns_exchange *exchange, uint64_t now)
{
	uint8_t query[DNS_QUERY_MAX];
	size_t size = dns_query_build(query, &exchange->question, exchange->id, exchange->edns);

	exchange->deadline = now + DNS_UDP_TIMEOUT;
	exchange->fd = open_socket(exchange->server, SOCK_DGRAM);
	if (exchange->fd < 0)
		return exchange->fd;
	return send(exchange->fd, query, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -errno;
}

static int start_tcp(struct dns_exchange *exchange, uint64_t now)
{
	if (exchange->fd >= 0)
		close(exchange->fd);
	exchange->deadline = now + DNS_TCP_TIMEOUT;
	exchange->fd = open_socket(exchange->server, SOCK_STREAM);
	if (exchange->fd < 0)
		return exchange->fd;
	exchange->stream = malloc(LENGTH_SIZE + DNS_ANSWER_SIZE);
	return exchange->stream ? 0 : -ENOMEM;
}

int dns_exchange_start(struct dns_exchange *exchange, const struct dns_question *question,
		       const struct resolver_endpoint *server, unsigned int way, uint64_t now)
{
	int ret;

	*exchange = (struct dns_exchange){
		.question = *question,
		.server = server,
		.edns = way & DNS_EXCHANGE_EDNS,
		.fd = -1,
	};
	if (getrandom(&exchange->id, sizeof(exchange->id), 0) != sizeof(exchange->id))
		return -EIO;
	ret = way & DNS_EXCHANGE_TCP ? start_tcp(exchange, now) : start_udp(exchange, now);
	if (ret < 0)
		dns_exchange_end(exchange);
	return ret;
}

/* ---- TCP ---- */

/* The question is made again for each turn, the same each time. */
static size_t stream_query(const struct dns_exchange *exchange,
			   uint8_t stream[static LENGTH_SIZE + DNS_QUERY_MAX])
{
	size_t size = dns_query_build(stream + LENGTH_SIZE, &exchange->question, exchange->id,
				      exchange->edns);

	stream[0] = (uint8_t)(size >> 8);
	stream[1] = (uint8_t)size;
	return size + LENGTH_SIZE;
}

static bool is_later(int error)
{
	return error == EAGAIN || error == EINTR || error == EINPROGRESS;
}

/* EAGAIN also while the connection is being made. */
static int send_stream(struct dns_exchange *exchange)
{
	uint8_t stream[LENGTH_SIZE + DNS_QUERY_MAX];
	size_t size = stream_query(exchange, stream);
	ssize_t done;

	if (exchange->sent == size)
		return 1;
	done = send(exchange->fd, stream + exchange->sent, size - exchange->sent, MSG_NOSIGNAL);
	if (done < 0)
		return is_later(errno) ? 0 : -errno;
	exchange->sent += (size_t)done;
	return exchange->sent == size;
}

/* Of the message after the length; what does not fit is not read. */
static size_t message_size(const struct dns_exchange *exchange)
{
	size_t size = (size_t)exchange->stream[0] << 8 | exchange->stream[1];

	return size < DNS_ANSWER_SIZE ? size : DNS_ANSWER_SIZE;
}

/* Reads on. Returns 1 when the message is whole. */
static int receive_stream(struct dns_exchange *exchange)
{
	for (;;) {
		size_t wanted = LENGTH_SIZE;
		ssize_t got;

		if (exchange->got >= LENGTH_SIZE)
			wanted += message_size(exchange);
		if (exchange->got >= LENGTH_SIZE && exchange->got == wanted)
			return 1;
		got = recv(exchange->fd, exchange->stream + exchange->got, wanted - exchange->got,
			   0);
		if (got == 0)
			return -ECONNRESET;
		if (got < 0)
			return is_later(errno) ? 0 : -errno;
		exchange->got += (size_t)got;
	}
}

static int step_tcp(struct dns_exchange *exchange, struct dns_reader *reader,
		    struct dns_answer *answer)
{
	int ret = send_stream(exchange);

	if (ret > 0)
		ret = receive_stream(exchange);
	if (ret > 0)
		ret = dns_answer_read(reader, exchange->stream + LENGTH_SIZE,
				      message_size(exchange), &exchange->question, exchange->id,
				      answer);
	else
		return ret;
	return ret < 0 ? ret : 1;
}

/* ---- UDP ---- */

/*
 * What is no answer to the question is not taken for the end of it: it may be
 * forged. -EBADMSG if there are too many.
 */
static int step_udp(struct dns_exchange *exchange, struct dns_reader *reader,
		    struct dns_answer *answer)
{
	uint8_t data[DNS_ANSWER_SIZE];

	while (exchange->strangers < DNS_STRANGERS) {
		ssize_t size = recv(exchange->fd, data, sizeof(data), 0);

		if (size < 0)
			return is_later(errno) ? 0 : -errno;
		if (dns_answer_read(reader, data, (size_t)size, &exchange->question, exchange->id,
				    answer) == 0)
			return 1;
		exchange->strangers++;
	}
	return -EBADMSG;
}

int dns_exchange_step(struct dns_exchange *exchange, struct dns_reader *reader, uint64_t now,
		      struct dns_answer *answer)
{
	int ret = exchange->stream ? step_tcp(exchange, reader, answer)
				   : step_udp(exchange, reader, answer);

	if (ret == -EBADMSG && !exchange->stream)
		exchange->forged = true;
	if (!exchange->stream && (exchange->forged || (ret > 0 && answer->truncated)))
		ret = start_tcp(exchange, now);
	if (ret == 0 && now >= exchange->deadline)
		ret = -ETIMEDOUT;
	if (ret != 0)
		dns_exchange_end(exchange);
	return ret;
}

short dns_exchange_events(const struct dns_exchange *exchange)
{
	return exchange->stream && exchange->sent == 0 ? POLLOUT : POLLIN;
}

void dns_exchange_end(struct dns_exchange *exchange)
{
	if (exchange->fd >= 0)
		close(exchange->fd);
	free(exchange->stream);
	exchange->fd = -1;
	exchange->stream = NULL;
}
