// SPDX-License-Identifier: GPL-2.0
/*
 * What stands beside the figures: the least that calls and other protocols cost,
 * in ticks of the time stamp counter. floors [UNITS]
 *
 *	syscall		an empty system call
 *	unix.crr	connect, accept, a byte each way, both close, over AF_UNIX
 *	udp.rr		a byte each way over UDP, on the loopback
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

static uint64_t unit_syscall(void)
{
	uint64_t start = ticks();

	syscall(SYS_getppid);
	return ticks() - start;
}

static void pass_byte(int from, int to)
{
	char c = 'x';

	if (write(from, &c, 1) != 1 || read(to, &c, 1) != 1)
		die("byte");
}

static uint64_t unit_unix(void)
{
	static struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "\0floors" };
	static int lsn = -1;
	uint64_t start;
	int a, b;

	if (lsn < 0) {
		lsn = socket(AF_UNIX, SOCK_STREAM, 0);
		if (bind(lsn, (struct sockaddr *)&sa, sizeof(sa)) || listen(lsn, 128))
			die("AF_UNIX listener");
	}
	start = ticks();
	a = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(a, (struct sockaddr *)&sa, sizeof(sa)))
		die("AF_UNIX connect");
	b = accept(lsn, NULL, NULL);
	pass_byte(a, b);
	pass_byte(b, a);
	close(a);
	close(b);
	return ticks() - start;
}

static int udp_socket(struct sockaddr_in *sa)
{
	socklen_t len = sizeof(*sa);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memset(sa, 0, sizeof(*sa));
	sa->sin_family = AF_INET;
	sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)sa, len) ||
	    getsockname(fd, (struct sockaddr *)sa, &len))
		die("UDP socket");
	return fd;
}

static uint64_t unit_udp(void)
{
	static int a = -1, b = -1;
	uint64_t start;

	if (a < 0) {
		struct sockaddr_in sa, sb;

		a = udp_socket(&sa);
		b = udp_socket(&sb);
		if (connect(a, (struct sockaddr *)&sb, sizeof(sb)) ||
		    connect(b, (struct sockaddr *)&sa, sizeof(sa)))
			die("UDP connect");
	}
	start = ticks();
	pass_byte(a, b);
	pass_byte(b, a);
	return ticks() - start;
}

static void measure(const char *name, uint64_t (*unit)(void), int units)
{
	struct series s = { 0 };
	int i;

	for (i = -300; i < units; i++) {
		uint64_t t = unit();

		if (i >= 0)
			series_add(&s, t);
	}
	/* neither of the two: shown in kernel TCP's column */
	figure(name, TCP, &s, series_median(&s));
	free(s.v);
}

int main(int argc, char **argv)
{
	int units = argc > 1 ? atoi(argv[1]) : 1000;

	random_seed();
	measure("syscall", unit_syscall, units);
	measure("unix.crr", unit_unix, units);
	measure("udp.rr", unit_udp, units);
	return 0;
}
