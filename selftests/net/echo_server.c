// SPDX-License-Identifier: GPL-2.0
/*
 * Echo over AF_XTCP, the server: echo_server PORT [CONNECTIONS]
 * Listens on IPv6 and IPv4, says on which port (0 picks one), echoes one
 * connection after the other and ends after CONNECTIONS. An example: besides
 * libc it needs <linux/xtcp.h> only.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/xtcp.h>

static int echo(int fd)
{
	char buf[4096];
	ssize_t n, done, sent;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		for (done = 0; done < n; done += sent) {
			sent = send(fd, buf + done, n - done, MSG_NOSIGNAL);
			if (sent < 0)
				return -1;
		}
	}
	return n;
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
	long left = argc > 2 ? atol(argv[2]) : -1;
	socklen_t len = sizeof(addr);
	char name[INET6_ADDRSTRLEN];
	int fd, c, on = 1;

	if (argc < 2) {
		fprintf(stderr, "usage: %s PORT [CONNECTIONS]\n", argv[0]);
		return 2;
	}
	addr.sin6_port = htons(atoi(argv[1]));
	fd = socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV6);
	if (fd < 0) {
		perror("socket(AF_XTCP)");
		return 1;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len)) {
		perror("listen");
		return 1;
	}
	printf("listening on port %d\n", ntohs(addr.sin6_port));
	fflush(stdout);
	while (left < 0 || left-- > 0) {
		len = sizeof(addr);
		c = accept(fd, (struct sockaddr *)&addr, &len);
		if (c < 0) {
			perror("accept");
			return 1;
		}
		inet_ntop(AF_INET6, &addr.sin6_addr, name, sizeof(name));
		printf("connection from %s port %d\n", name, ntohs(addr.sin6_port));
		fflush(stdout);
		if (echo(c))
			perror("echo");
		close(c);
	}
	return 0;
}
