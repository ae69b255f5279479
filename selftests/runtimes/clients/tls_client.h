/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test client in C does, whatever its TLS library: connections, threads,
 * requests and answers. A client defines the four functions below for its
 * library and includes this last; main() is here.
 *
 * Configured by the environment, as all clients are:
 *	TEST_ADDRESS, TEST_PORT	where to connect
 *	TEST_NAME		SNI and Host; the certificate is checked against it
 *	TEST_CA			PEM file
 *	TEST_CONNECTIONS	connections (1)
 *	TEST_REQUESTS		requests of each (1)
 *	TEST_THREADS		threads that the connections are spread over (1)
 *	API_KEY			sent in X-Api-Key
 * and, in addition to them,
 *	TEST_BODY		each request is a POST with so many bytes, which begin and
 *				end with API_KEY and have it in the middle
 *	TEST_WAIT		print "ready" when all is answered and wait for a line
 *
 * Exit status 0 if every response was 200.
 */
#ifndef KLOAK_TLS_CLIENT_H
#define KLOAK_TLS_CLIENT_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A verified connection over the socket @fd, or NULL. */
static void *session_open(int fd, const char *name, const char *ca);

/* Bytes taken, or less than 1. */
static int session_write(void *session, const char *data, size_t size);

/* Bytes read, or less than 1. */
static int session_read(void *session, char *data, size_t size);

static void session_close(void *session);

static const char *setting(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	if (value && *value)
		return value;
	if (!otherwise) {
		fprintf(stderr, "%s is not set\n", name);
		exit(2);
	}
	return otherwise;
}

static int number(const char *name, const char *otherwise)
{
	return atoi(setting(name, otherwise));
}

static int failed(const char *what, int code)
{
	fprintf(stderr, "%s: %d\n", what, code);
	return -1;
}

static int connect_socket(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)number("TEST_PORT", NULL)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || inet_pton(AF_INET, setting("TEST_ADDRESS", NULL), &address.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return failed("connect", fd);
	return fd;
}

static void fill_body(char *body, size_t size, const char *key)
{
	size_t i, length = strlen(key);

	for (i = 0; i < size; i++)
		body[i] = (char)('a' + i % 26);
	if (size < 3 * length)
		return;
	memcpy(body, key, length);
	memcpy(body + size / 2, key, length);
	memcpy(body + size - length, key, length);
}

/* The bytes of a request; to be freed. */
static char *make_request(int connection, int count, size_t *size)
{
	size_t body = (size_t)number("TEST_BODY", "0");
	const char *key = setting("API_KEY", NULL);
	char *text = malloc(1024 + strlen(key) + body);
	int head;

	if (!text)
		return NULL;
	head = sprintf(text, "%s /%d/%d HTTP/1.1\r\nHost: %.200s\r\nX-Api-Key: %s\r\n",
		       body ? "POST" : "GET", connection, count, setting("TEST_NAME", NULL), key);
	if (body)
		head += sprintf(text + head, "Content-Length: %zu\r\n", body);
	head += sprintf(text + head, "\r\n");
	fill_body(text + head, body, key);
	*size = (size_t)head + body;
	return text;
}

static int write_all(void *session, const char *text, size_t size)
{
	size_t at;
	int taken;

	for (at = 0; at < size; at += (size_t)taken) {
		taken = session_write(session, text + at, size - at);
		if (taken < 1)
			return failed("write", taken);
	}
	return 0;
}

/* Reads one response with its body, which Content-Length tells. */
static int read_response(void *session)
{
	char text[16384], *end = NULL, *length;
	size_t have = 0, whole = 0;
	int got;

	while (!end || have < whole) {
		got = session_read(session, text + have, sizeof(text) - 1 - have);
		if (got < 1)
			return failed("read", got);
		have += (size_t)got;
		text[have] = '\0';
		if (end || !(end = strstr(text, "\r\n\r\n")))
			continue;
		length = strcasestr(text, "\r\nContent-Length:");
		whole = (size_t)(end + 4 - text) + (length ? strtoul(length + 17, NULL, 10) : 0);
	}
	return strncmp(text, "HTTP/1.1 200", 12) != 0 ? failed("response", atoi(text + 9)) : 0;
}

static int send_requests(void *session, int connection)
{
	int count, ret = 0, requests = number("TEST_REQUESTS", "1");
	size_t size = 0;
	char *text;

	for (count = 0; count < requests && !ret; count++) {
		text = make_request(connection, count, &size);
		if (!text)
			return -1;
		ret = write_all(session, text, size);
		if (!ret)
			ret = read_response(session);
		free(text);
	}
	return ret;
}

static int run_connection(int connection)
{
	int ret = -1, fd = connect_socket();
	void *session;

	if (fd < 0)
		return -1;
	session = session_open(fd, setting("TEST_NAME", NULL), setting("TEST_CA", NULL));
	if (session) {
		ret = send_requests(session, connection);
		session_close(session);
	}
	close(fd);
	return ret;
}

struct worker {
	pthread_t thread;
	int first;
	int ret;
};

static void *run_worker(void *data)
{
	int connections = number("TEST_CONNECTIONS", "1"), threads = number("TEST_THREADS", "1");
	struct worker *worker = data;
	int connection;

	for (connection = worker->first; connection < connections && !worker->ret;
	     connection += threads)
		worker->ret = run_connection(connection);
	return NULL;
}

static int run_workers(void)
{
	int i, ret = 0, threads = number("TEST_THREADS", "1");
	struct worker *workers = calloc((size_t)threads, sizeof(*workers));

	if (!workers)
		return -1;
	for (i = 0; i < threads; i++) {
		workers[i].first = i;
		if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]))
			exit(2);
	}
	for (i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		ret |= workers[i].ret;
	}
	free(workers);
	return ret;
}

int main(void)
{
	int ret = run_workers();

	if (getenv("TEST_WAIT")) {
		puts("ready");
		fflush(stdout);
		getchar();
	}
	return ret ? 1 : 0;
}

#endif
