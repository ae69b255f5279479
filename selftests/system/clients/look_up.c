// SPDX-License-Identifier: GPL-2.0-only
// argv[1]: a name. Prints its addresses as getaddrinfo() of the libc gives them, a line each.
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found, *item;
	char text[64];

	if (argc != 2 || getaddrinfo(argv[1], "443", &hints, &found) != 0)
		return 1;
	for (item = found; item; item = item->ai_next)
		if (getnameinfo(item->ai_addr, item->ai_addrlen, text, sizeof(text), NULL, 0,
				NI_NUMERICHOST) == 0)
			puts(text);
	freeaddrinfo(found);
	return 0;
}
