// SPDX-License-Identifier: GPL-2.0-only
/*
 * race(): one thread sends on a connected socket, another points the socket at
 * another address at the same moment. A shared library, for Python.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct turn {
	int fd;
	long delay; /* turns of an empty loop */
	struct sockaddr_in elsewhere;
	atomic_int state; /* 1: the other thread runs, 2: the sender is about to send */
};

static void *connect_elsewhere(void *argument)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct turn *turn = argument;

	atomic_store(&turn->state, 1);
	while (atomic_load(&turn->state) != 2)
		;
	for (volatile long i = 0; i < turn->delay; i++)
		;
	if (connect(turn->fd, &nobody, sizeof(nobody)) == 0)
		connect(turn->fd, (struct sockaddr *)&turn->elsewhere, sizeof(turn->elsewhere));
	return NULL;
}

long race(int fd, const void *data, size_t size, const char *address, int port, long delay)
{
	struct turn turn = { .fd = fd, .delay = delay };
	pthread_t other;
	long sent;

	turn.elsewhere.sin_family = AF_INET;
	turn.elsewhere.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, address, &turn.elsewhere.sin_addr) != 1 ||
	    pthread_create(&other, NULL, connect_elsewhere, &turn))
		return -1;
	while (atomic_load(&turn.state) != 1)
		;
	atomic_store(&turn.state, 2);
	sent = send(fd, data, size, MSG_NOSIGNAL);
	pthread_join(other, NULL);
	return sent;
}
