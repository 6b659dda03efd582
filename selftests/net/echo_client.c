// SPDX-License-Identifier: GPL-2.0
/*
 * Echo over AF_XTCP, the client: echo_client ADDRESS PORT [TEXT]
 * Sends TEXT (or "hello"), prints what comes back. An example: besides libc it
 * needs <linux/xtcp.h> only.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/xtcp.h>

int main(int argc, char **argv)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr *addr = (struct sockaddr *)&in;
	socklen_t addrlen = sizeof(in);
	const char *text = argc > 3 ? argv[3] : "hello";
	int fd, proto = XTCP_PROTO_IPV4;
	char buf[4096];
	ssize_t n;

	if (argc < 3) {
		fprintf(stderr, "usage: %s ADDRESS PORT [TEXT]\n", argv[0]);
		return 2;
	}
	in.sin_port = htons(atoi(argv[2]));
	in6.sin6_port = in.sin_port;
	if (inet_pton(AF_INET6, argv[1], &in6.sin6_addr) == 1) {
		proto = XTCP_PROTO_IPV6;
		addr = (struct sockaddr *)&in6;
		addrlen = sizeof(in6);
	} else if (inet_pton(AF_INET, argv[1], &in.sin_addr) != 1) {
		fprintf(stderr, "%s: not an address: %s\n", argv[0], argv[1]);
		return 2;
	}

	fd = socket(AF_XTCP, SOCK_STREAM, proto);
	if (fd < 0) {
		perror("socket(AF_XTCP)");
		return 1;
	}
	if (connect(fd, addr, addrlen)) {
		perror("connect");
		return 1;
	}
	if (send(fd, text, strlen(text), 0) < 0 || shutdown(fd, SHUT_WR)) {
		perror("send");
		return 1;
	}
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		fwrite(buf, 1, n, stdout);
	putchar('\n');
	if (n < 0)
		perror("recv");
	return n < 0;
}
