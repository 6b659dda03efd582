// SPDX-License-Identifier: GPL-2.0
/*
 * raw_load load FILE TIMES: load and unload the module, each time with the
 * receive path taken over by a socket, every tenth time with a connection whose
 * TIME-WAIT entry is left behind.
 * raw_load toggle TIMES MS: a socket comes and goes, MS apart.
 * raw_load hold [ADDRESS PORT]: a socket, or a connection, until standard input ends.
 *
 * Meanwhile somebody else watches that the kernel's TCP loses nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/xtcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "raw_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int xtcp_socket(void)
{
	int fd = socket(AF_XTCP, SOCK_STREAM | SOCK_CLOEXEC, XTCP_PROTO_IPV4);

	if (fd < 0)
		die("socket");
	return fd;
}

/* Listen, connect, say a word, close actively: TIME-WAIT stays. */
static void one_connection(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = xtcp_socket(), c = xtcp_socket(), s;
	char buf[16];

	if (bind(l, (struct sockaddr *)&a, len) || listen(l, 4) ||
	    getsockname(l, (struct sockaddr *)&a, &len))
		die("listen");
	if (connect(c, (struct sockaddr *)&a, len))
		die("connect");
	s = accept(l, NULL, NULL);
	if (s < 0 || write(s, "hello", 5) != 5 || read(c, buf, sizeof(buf)) != 5)
		die("exchange");
	/* a half-open connection and an orphan would be ordinary, too */
	close(c);
	if (read(s, buf, sizeof(buf)) != 0)
		die("end");
	close(s);
	close(l);
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		die(path);
	close(fd);
}

/* The last socket is freed after a grace period: busy for a moment is fine. */
static void unload(int nth)
{
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		if (!syscall(SYS_delete_module, "xtcp", O_NONBLOCK))
			return;
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EBUSY)
			break;
		poll(NULL, 0, 5);
	}
	fprintf(stderr, "raw_load: at the %dth time\n", nth);
	die("unload");
}

static void load_loop(const char *path, int times)
{
	int i;

	for (i = 1; i <= times; i++) {
		load(path);
		if (i % 10)
			close(xtcp_socket());
		else
			one_connection();
		unload(i);
	}
	printf("loaded and unloaded %d times\n", times);
}

static void toggle_loop(int times, int ms)
{
	int i;

	for (i = 0; i < times; i++) {
		if (i % 10)
			close(xtcp_socket());
		else
			one_connection();
		poll(NULL, 0, ms);
	}
	printf("toggled %d times\n", times);
}

static void hold(const char *addr, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = xtcp_socket();
	char c;

	if (addr) {
		a.sin_port = htons(atoi(port));
		if (inet_pton(AF_INET, addr, &a.sin_addr) != 1 ||
		    connect(fd, (struct sockaddr *)&a, sizeof(a)))
			die(addr);
	}
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "load")) {
		load_loop(argv[2], atoi(argv[3]));
	} else if (argc == 4 && !strcmp(argv[1], "toggle")) {
		toggle_loop(atoi(argv[2]), atoi(argv[3]));
	} else if ((argc == 2 || argc == 4) && !strcmp(argv[1], "hold")) {
		hold(argv[2], argc == 4 ? argv[3] : NULL);
	} else {
		fprintf(stderr,
			"usage: raw_load load FILE TIMES | toggle TIMES MS | hold [ADDRESS PORT]\n");
		return 2;
	}
	return 0;
}
