// SPDX-License-Identifier: GPL-2.0
/* Duels of programs' calls over loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <linux/xtcp.h>

#include "race_smp.h"

static struct {
	int v6, lfd, lport, fd[2], port;
	unsigned int over;		/* the round's main part is done */
	unsigned int holders, done;
} a;

static bool over(void)
{
	return __atomic_load_n(&a.over, __ATOMIC_ACQUIRE);
}

static void set_over(unsigned int v)
{
	__atomic_store_n(&a.over, v, __ATOMIC_RELEASE);
}

static int connect_to(int v6, int port)
{
	struct sockaddr_storage ss;
	socklen_t len = loop_addr(&ss, v6, port);
	int fd = xsock(v6, 0);

	if (connect(fd, (void *)&ss, len)) {
		strange("connect: %s", strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static int accept_one(int lfd)
{
	int fd;

	do {
		if (!await(lfd, POLLIN, "a child"))
			return -1;
		fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
	} while (fd < 0 && errno == EAGAIN);
	if (fd < 0)
		strange("accept: %s", strerror(errno));
	return fd;
}

static void setup_pair(unsigned int round)
{
	int lfd, port;

	set_over(0);
	a.v6 = round % 2;
	lfd = xlisten(a.v6, &port, 4);
	a.fd[0] = connect_to(a.v6, port);
	a.fd[1] = accept_one(lfd);
	close(lfd);
}

static void check_pair(unsigned int round)
{
	(void)round;
	close(a.fd[0]);
	close(a.fd[1]);
}

/* ----------------------------------------------- options, polling and input */

#define BULK	60000

static void act_send_bulk(unsigned int round)
{
	(void)round;
	put_bytes(a.fd[0], 0, BULK);
	shutdown(a.fd[0], SHUT_WR);
}

static void act_recv_bulk(unsigned int round)
{
	char c;

	(void)round;
	get_bytes(a.fd[1], 0, BULK);
	if (await(a.fd[1], POLLIN, "the end") && recv(a.fd[1], &c, 1, MSG_DONTWAIT))
		strange("more than was sent");
	set_over(1);
}

static void act_options(unsigned int round)
{
	struct tcp_info ti;
	socklen_t len;
	int v, fd, on = 0;

	while (!over()) {
		fd = a.fd[rnd(2)];
		on = !on;
		setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		v = 8192 << rnd(4);
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v));
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
		v = 1 + rnd(2000);
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof(v));
		v = 1;
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof(v));
		len = sizeof(ti);
		getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len);
		jitter();
	}
	on = 0;
	for (fd = 0; fd < 2; fd++)
		setsockopt(a.fd[fd], IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	(void)round;
}

/* The sleeper must wake, whether by data, end or reset; nothing else does it. */
static void act_sleep(unsigned int round)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | (round & 2 ? EPOLLET : 0) };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (round & 1) {
		await(a.fd[0], POLLIN, "poll()'s event");
	} else {
		epoll_ctl(ep, EPOLL_CTL_ADD, a.fd[0], &ev);
		if (epoll_wait(ep, &ev, 1, PATIENCE_MS) != 1)
			strange("epoll slept through it");
	}
	close(ep);
}

static void act_wake(unsigned int round)
{
	int fd;

	switch (round % 3) {
	case 0:
		send(a.fd[1], "x", 1, MSG_NOSIGNAL);
		break;
	case 1:
		shutdown(a.fd[1], SHUT_WR);
		break;
	default:
		fd = a.fd[1];
		a.fd[1] = -1;
		abort_fd(fd);
	}
}

/* In the same round another thread polls and closes its own name of it. */
static void act_dup_close(unsigned int round)
{
	struct pollfd p = { .events = POLLIN | POLLOUT };
	int i;

	(void)round;
	for (i = 0; i < 5; i++) {
		p.fd = dup(a.fd[i % 2]);
		poll(&p, 1, 0);
		close(p.fd);
	}
}

/* ----------------------------------------------------- accept() and clients */

#define CLIENTS	6
/* set again and again it is the current and the previous one: no cookie gets stale */
#define KEY	"00112233445566778899aabbccddeeff"

static void begin_echo(void)
{
	a.lfd = xlisten(0, &a.lport, 16);
	sysctl_set("tcp_syncookies_key", KEY);
	sysctl_set("tcp_syncookies_key", KEY);
}

static void end_echo(void)
{
	close(a.lfd);
}

static void setup_echo(unsigned int round)
{
	sysctl_set("tcp_syncookies", round % 3 == 2 ? "2" : "1");
	set_over(0);
	a.done = 0;
}

static void act_client(unsigned int round)
{
	int i, fd;

	for (i = 0; i < CLIENTS; i++) {
		fd = connect_to(0, a.lport);
		if (fd < 0)
			break;
		put_bytes(fd, 0, 100 + round);
		get_bytes(fd, 0, 100 + round);
		close(fd);
	}
	if (__atomic_add_fetch(&a.done, 1, __ATOMIC_ACQ_REL) == 2)
		set_over(1);
}

static void act_server(unsigned int round)
{
	int i, fd;

	for (i = 0; i < 2 * CLIENTS; i++) {
		fd = accept_one(a.lfd);
		if (fd < 0)
			break;
		get_bytes(fd, 0, 100 + round);
		put_bytes(fd, 0, 100 + round);
		close(fd);
	}
}

static void swallow(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[4096];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void act_dump(unsigned int round)
{
	static const char * const files[] = {
		"/proc/net/xtcp", "/proc/net/xtcp6", "/proc/net/xtcp_states",
		"/proc/net/xtcp_listen", "/proc/net/xtcp_netstat",
	};
	char text[80];
	unsigned int i;

	(void)round;
	while (!over()) {
		for (i = 0; i < ARRAY_SIZE(files); i++)
			swallow(files[i]);
		snprintf(text, sizeof(text), "%u %u", 20000 + rnd(100), 30000 + rnd(100));
		sysctl_set("ip_local_port_range", text);
		snprintf(text, sizeof(text), "4096 %u 6291456", 65536 + rnd(65536));
		sysctl_set("tcp_rmem", text);
		sysctl_set("tcp_syncookies_key", KEY);
	}
}

/* ------------------------------------------------ one 4-tuple, two connect() */

static void begin_tuple(void)
{
	begin_echo();
	sysctl_set("tcp_tw_reuse_delay", "1");
	a.port = 15000;
}

static void setup_tuple(unsigned int round)
{
	if (!(round % 8))
		a.port++;
	a.holders = 0;
	set_over(0);
}

static void act_tuple(unsigned int round)
{
	struct sockaddr_storage ss;
	socklen_t len = loop_addr(&ss, 0, a.port);
	int fd = xsock(0, 0), one = 1;

	(void)round;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&ss, len)) {
		if (errno != EADDRINUSE)
			strange("bind: %s", strerror(errno));
	} else {
		len = loop_addr(&ss, 0, a.lport);
		if (!connect(fd, (void *)&ss, len)) {
			if (__atomic_add_fetch(&a.holders, 1, __ATOMIC_RELAXED) != 1)
				strange("one 4-tuple for two connections");
			jitter();
			__atomic_sub_fetch(&a.holders, 1, __ATOMIC_RELAXED);
		} else if (errno != EADDRNOTAVAIL && errno != EADDRINUSE) {
			strange("connect: %s", strerror(errno));
		}
	}
	close(fd);
}

static void check_tuple(unsigned int round)
{
	int fd;

	(void)round;
	while ((fd = accept4(a.lfd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
}

/* ------------------------------------------------------- one port, two TCPs */

#define BINDS	25

static void setup_port(unsigned int round)
{
	a.port = 16000 + round % 50;
	a.holders = 0;
}

/* Without SO_REUSEADDR a port has one owner, whichever TCP it belongs to. */
static void fight_for_port(int family, unsigned int how)
{
	struct sockaddr_storage ss;
	socklen_t len = loop_addr(&ss, 0, a.port);
	int i, fd;

	for (i = 0; i < BINDS; i++) {
		fd = family == AF_XTCP ? xsock(0, SOCK_NONBLOCK) :
			       socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!bind(fd, (void *)&ss, len)) {
			if (__atomic_add_fetch(&a.holders, 1, __ATOMIC_SEQ_CST) != 1)
				strange("port %d has two owners", a.port);
			if (how && listen(fd, 2))
				strange("listen on a port of ours: %s", strerror(errno));
			jitter();
			__atomic_sub_fetch(&a.holders, 1, __ATOMIC_SEQ_CST);
		} else if (errno != EADDRINUSE) {
			strange("bind: %s", strerror(errno));
		}
		close(fd);
	}
}

static void act_own(unsigned int round)
{
	fight_for_port(AF_XTCP, round % 2);
}

static void act_kernel(unsigned int round)
{
	fight_for_port(AF_INET, round % 2);
}

static __thread int own_port;
static int last_port = 15000;

static void begin_regain(void)
{
	race_focus("BIND_FREE", "2000");
}

static void end_regain(void)
{
	race_focus(NULL, NULL);
}

/* When close() has returned, the port is free: also for the kernel's TCP. */
static void act_regain(unsigned int round)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int i, fd;

	(void)round;
	if (!own_port)
		own_port = __atomic_add_fetch(&last_port, 1, __ATOMIC_RELAXED);
	len = loop_addr(&ss, 0, own_port);
	for (i = 0; i < 10; i++) {
		fd = xsock(0, SOCK_NONBLOCK);
		if (bind(fd, (void *)&ss, len))
			strange("bind after the kernel's close(): %s", strerror(errno));
		close(fd);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(fd, (void *)&ss, len))
			strange("the kernel's bind after our close(): %s", strerror(errno));
		close(fd);
	}
}

/* ------------------------------------------------------------------ takeover */

static void begin_takeover(void)
{
	param_set("takeover_linger_ms", "0");
	race_focus("TAKEOVER_", "8000");
}

static void end_takeover(void)
{
	param_set("takeover_linger_ms", "10000");
	race_focus(NULL, NULL);
}

/*
 * A whole life, alone in the world or nearly so: the receive path is ours while
 * any of it lasts, or the kernel's TCP answers the SYN with a RST. The client is
 * the kernel's, which believes it.
 */
static void act_alone(unsigned int round)
{
	struct sockaddr_storage ss;
	int lfd, fd, c, port;
	socklen_t len;

	poll(NULL, 0, rnd(6));
	lfd = xlisten(0, &port, 1);
	len = loop_addr(&ss, 0, port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (void *)&ss, len)) {
		strange("connect: %s", strerror(errno));
	} else {
		c = accept_one(lfd);
		if (c >= 0) {
			put_bytes(fd, round, 10);
			get_bytes(c, round, 10);
			abort_fd(c);	/* no TIME-WAIT that would keep it */
		}
	}
	close(fd);
	close(lfd);
}

/* An accepted socket listens, and nobody else is left: its SYNs are ours all the same. */
static void act_heir(unsigned int round)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_storage ss;
	socklen_t len;
	int i, c, heir, port, lfd = xlisten(0, &port, 1);

	(void)round;
	len = loop_addr(&ss, 0, port);
	c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(c, (void *)&ss, len))
		strange("connect: %s", strerror(errno));
	heir = accept_one(lfd);
	close(lfd);
	connect(heir, &none, sizeof(none));
	close(c);
	len = loop_addr(&ss, 0, 0);
	if (bind(heir, (void *)&ss, len) || listen(heir, 1) ||
	    getsockname(heir, (void *)&ss, &len))
		strange("listen on an accepted socket: %s", strerror(errno));
	for (i = 0; i < 5; i++) {
		poll(NULL, 0, rnd(6));
		c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(c, (void *)&ss, len))
			strange("connect to an accepted socket: %s", strerror(errno));
		else
			abort_fd(accept_one(heir));
		close(c);
	}
	close(heir);
}

static void check_alone(unsigned int round)
{
	(void)round;
	poll(NULL, 0, rnd(3));
}

const struct duel sock_duels[] = {
	{ "options against input", 12, NULL, setup_pair,
	  { act_send_bulk, act_recv_bulk, act_options, act_options }, check_pair, NULL },
	{ "poll() and epoll against data, end, reset and close()", 150, NULL, setup_pair,
	  { act_sleep, act_wake, act_dup_close }, check_pair, NULL },
	{ "dumps and sysctls against echo", 18, begin_echo, setup_echo,
	  { act_client, act_client, act_server, act_dump }, NULL, end_echo },
	{ "two connect() of one 4-tuple over TIME-WAIT", 120, begin_tuple, setup_tuple,
	  { act_tuple, act_tuple, act_tuple }, check_tuple, end_echo },
	{ "bind() against bind(), ours and the kernel's", 12, NULL, setup_port,
	  { act_own, act_own, act_kernel, act_kernel }, NULL, NULL },
	{ "the kernel's bind() after our close()", 12, begin_regain, NULL,
	  { act_regain, act_regain, act_regain }, NULL, end_regain },
	{ "takeover against the first and the last socket", 100, begin_takeover, NULL,
	  { act_alone, act_alone, act_alone }, check_alone, end_takeover },
	{ "takeover against an accepted socket that listens", 20, begin_takeover, NULL,
	  { act_heir }, check_alone, end_takeover },
};

const unsigned int n_sock_duels = ARRAY_SIZE(sock_duels);
