// SPDX-License-Identifier: GPL-2.0
/*
 * How far the receive buffer of a bulk transfer is let grow: rcv_window NS_A NS_B
 * ADDRESS tcp|xtcp SECONDS [RCVBUF]. A process in namespace NS_A writes as fast as it
 * may to one in NS_B, which has set SO_RCVBUF first if it was given, and says after
 * so many seconds:
 *
 *	window FAMILY RCVBUF BYTES
 */
#include <arpa/inet.h>
#include <linux/xtcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "netns.h"

static char chunk[65536];

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static int sock(const char *family)
{
	int fd = strcmp(family, "xtcp") ? socket(AF_INET, SOCK_STREAM, 0) :
					  socket(AF_XTCP, SOCK_STREAM, XTCP_PROTO_IPV4);

	if (fd < 0)
		die("socket");
	return fd;
}

static void __attribute__((noreturn)) writer(const char *family, const struct sockaddr_in *to)
{
	int fd = sock(family);

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		die("connect");
	while (write(fd, chunk, sizeof(chunk)) > 0)
		;
	_exit(1);
}

static void reader(const char *family, int lsn, int seconds)
{
	struct timespec start, now;
	unsigned long long got = 0;
	int fd = accept(lsn, NULL, NULL), buf;
	socklen_t len = sizeof(buf);
	ssize_t n;

	if (fd < 0)
		die("accept");
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n <= 0)
			die("read");
		got += n;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < seconds);
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buf, &len))
		die("SO_RCVBUF");
	printf("window %s %d %llu\n", family, buf, got);
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(9100) };
	int lsn, buf, one = 1;
	pid_t pid;

	if (argc < 6 || inet_pton(AF_INET, argv[3], &sa.sin_addr) != 1) {
		fprintf(stderr, "usage: rcv_window NS_A NS_B ADDRESS tcp|xtcp SECONDS [RCVBUF]\n");
		return 2;
	}
	netns_enter(argv[2]);
	lsn = sock(argv[4]);
	buf = argc > 6 ? atoi(argv[6]) : 0;
	if (buf && setsockopt(lsn, SOL_SOCKET, SO_RCVBUF, &buf, sizeof(buf)))
		die("SO_RCVBUF");
	if (setsockopt(lsn, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(lsn, (struct sockaddr *)&sa, sizeof(sa)) || listen(lsn, 1))
		die("listen");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		netns_enter(argv[1]);
		writer(argv[4], &sa);
	}
	reader(argv[4], lsn, atoi(argv[5]));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}
