// SPDX-License-Identifier: GPL-2.0
/*
 * storm --fail-nth [-m MODULE] [SCENARIO...]: the first allocation of a call
 * fails, then in another try the second, and so on until a try sees none fail.
 * The call must succeed or say ENOMEM or ENOBUFS (or what the kernel's own says
 * there), and succeed when it is made again: nothing may be half done. With -m:
 * loading that module, nothing else.
 *
 * Needs CONFIG_FAULT_INJECTION and a failslab (fail_page_alloc) that is told not
 * to spare allocations which may sleep: see the job.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/errqueue.h>
#include <linux/xtcp.h>

#include "storm.h"

#define DATA 100000

/* What a scenario works on; -1 or 0: not there. */
struct stage {
	bool v6;
	int lfd, fd, peer, file;
	struct sockaddr_in6 addr;	/* of the listener */
	socklen_t len;
	int sent;
	bool failed;			/* an allocation has */
};

struct scenario {
	const char *name;
	bool (*set)(struct stage *g);	/* nothing fails here */
	int (*act)(struct stage *g);	/* the call; below 0: failed, errno */
	bool (*check)(struct stage *g);	/* after it has succeeded */
	int step;			/* 1: every allocation; n: the first n, then fewer */
	int also;			/* an errno that the kernel's TCP uses, too */
};

static u8 data[DATA], got[DATA];
static int fail_fd = -1;
static const char *module;

static void fail_nth(int n)
{
	char text[16];
	int len = sprintf(text, "%d", n);

	if (pwrite(fail_fd, text, len, 0) != len) {
		perror("fail-nth");
		exit(2);
	}
}

/* Allocations still to be made before one fails; 0: it has. */
static int fail_left(void)
{
	char text[16] = "";

	if (pread(fail_fd, text, sizeof(text) - 1, 0) <= 0) {
		perror("fail-nth");
		exit(2);
	}
	return atoi(text);
}

/* ---- stages */

static int new_socket(const struct stage *g)
{
	struct timeval tv = { .tv_sec = 20 };
	int fd = socket(AF_XTCP, SOCK_STREAM | SOCK_CLOEXEC,
			g->v6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4);

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	}
	return fd;
}

static void any_address(struct stage *g)
{
	struct sockaddr_in *a4 = (void *)&g->addr;

	memset(&g->addr, 0, sizeof(g->addr));
	if (g->v6) {
		g->addr.sin6_family = AF_INET6;
		g->addr.sin6_addr = in6addr_loopback;
		g->len = sizeof(g->addr);
	} else {
		a4->sin_family = AF_INET;
		a4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		g->len = sizeof(*a4);
	}
}

static bool set_nothing(struct stage *g)
{
	any_address(g);
	return true;
}

static bool set_socket(struct stage *g)
{
	any_address(g);
	g->fd = new_socket(g);
	return g->fd >= 0;
}

static bool set_bound(struct stage *g)
{
	return set_socket(g) && !bind(g->fd, (void *)&g->addr, g->len);
}

static bool set_listener(struct stage *g)
{
	any_address(g);
	g->lfd = new_socket(g);
	return g->lfd >= 0 && !bind(g->lfd, (void *)&g->addr, g->len) && !listen(g->lfd, 8) &&
	       !getsockname(g->lfd, (void *)&g->addr, &g->len);
}

static bool set_client(struct stage *g)
{
	if (!set_listener(g))
		return false;
	g->fd = new_socket(g);
	return g->fd >= 0;
}

static bool set_connected(struct stage *g)
{
	return set_client(g) && !connect(g->fd, (void *)&g->addr, g->len);
}

static bool set_pair(struct stage *g)
{
	if (!set_connected(g))
		return false;
	g->peer = accept(g->lfd, NULL, NULL);
	return g->peer >= 0;
}

static bool set_data(struct stage *g)
{
	struct pollfd p = { .events = POLLIN };

	if (!set_pair(g) || send(g->peer, data, 5000, 0) != 5000)
		return false;
	p.fd = g->fd;
	return poll(&p, 1, 20000) == 1;
}

static bool set_file(struct stage *g)
{
	g->file = memfd_create("storm", MFD_CLOEXEC);
	return g->file >= 0 && write(g->file, data, DATA) == DATA && set_pair(g);
}

static bool set_zerocopy(struct stage *g)
{
	int on = 1;

	return set_pair(g) && !setsockopt(g->fd, SOL_XTCP, XTCP_ZEROCOPY, &on, sizeof(on));
}

static bool set_module(struct stage *g)
{
	g->file = open(module, O_RDONLY | O_CLOEXEC);
	return g->file >= 0;
}

static void strike(struct stage *g)
{
	int *fds[] = { &g->fd, &g->peer, &g->lfd, &g->file };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/* ---- calls */

static int act_socket(struct stage *g)
{
	g->fd = socket(AF_XTCP, SOCK_STREAM, g->v6);
	return g->fd;
}

static int act_bind(struct stage *g)
{
	return bind(g->fd, (void *)&g->addr, g->len);
}

static int act_listen(struct stage *g)
{
	return listen(g->fd, 8);
}

static int act_connect(struct stage *g)
{
	return connect(g->fd, (void *)&g->addr, g->len);
}

static int act_accept(struct stage *g)
{
	g->peer = accept(g->lfd, NULL, NULL);
	return g->peer;
}

static int take(struct stage *g, int n)
{
	if (n > 0)
		g->sent += n;
	return n;
}

static int act_send(struct stage *g)
{
	return take(g, send(g->fd, data, 1000, MSG_DONTWAIT));
}

static int act_send_much(struct stage *g)
{
	return take(g, send(g->fd, data, DATA, MSG_DONTWAIT));
}

static int act_sendfile(struct stage *g)
{
	off_t off = 0;

	g->sent = 0;
	return take(g, sendfile(g->fd, g->file, &off, 30000));
}

static int act_zerocopy(struct stage *g)
{
	return take(g, send(g->fd, data, DATA, MSG_DONTWAIT | MSG_ZEROCOPY));
}

static int act_recv(struct stage *g)
{
	return recv(g->fd, got, 5000, MSG_DONTWAIT);
}

static int act_shutdown(struct stage *g)
{
	return shutdown(g->fd, SHUT_WR);
}

static int act_close(struct stage *g)
{
	int fd = g->fd;

	g->fd = -1;
	return close(fd);
}

static int act_congestion(struct stage *g)
{
	return setsockopt(g->fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

static int act_fcntl(struct stage *g)
{
	return fcntl(g->fd, F_SETFL, O_ASYNC | O_NONBLOCK);
}

static int act_sysctl(struct stage *g)
{
	static const char key[] = "0123456789abcdef0123456789abcdef";
	static const char * const names[] = { "tcp_syncookies_key", "tcp_congestion_control" };
	static const char * const values[] = { key, "reno" };
	char path[96];
	int fd, n;

	/* open() may fail for the same reason, and is the first half of it */
	sprintf(path, "/proc/sys/net/xtcp/%s", names[g->v6]);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return fd;
	n = write(fd, values[g->v6], strlen(values[g->v6]));
	if (n < 0) {
		int err = errno;

		close(fd);
		errno = err;
		return n;
	}
	return close(fd);
}

static int act_proc(struct stage *g)
{
	static const char * const names[] = { "xtcp", "xtcp_netstat" };
	char path[64];
	int fd, n, err;

	sprintf(path, "/proc/thread-self/net/%s", names[g->v6]);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	n = read(fd, got, 8000);
	err = errno;
	close(fd);
	errno = err;
	return n;
}

static int act_netns(struct stage *g)
{
	(void)g;
	return unshare(CLONE_NEWNET);
}

static int act_module(struct stage *g)
{
	return syscall(SYS_finit_module, g->file, "", 0);
}

/* ---- what must hold when it has worked */

static bool check_nothing(struct stage *g)
{
	(void)g;
	return true;
}

/* What send() says it took comes out, byte for byte. */
static bool check_sent(struct stage *g)
{
	int off = 0, n;

	while (off < g->sent) {
		n = recv(g->peer, got, sizeof(got), 0);
		/* a retry starts again from the first byte */
		if (n <= 0 || memcmp(got, data + off, n))
			return false;
		off += n;
	}
	return off == g->sent;
}

/* All of it arrived, and the user hears that his pages are free: the numbers from 0 on. */
static bool check_zerocopy(struct stage *g)
{
	struct pollfd p = { .fd = g->fd };
	char control[256];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct sock_extended_err e;

	if (!check_sent(g) || poll(&p, 1, 20000) != 1 || recvmsg(g->fd, &msg, MSG_ERRQUEUE))
		return false;
	memcpy(&e, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(e));
	return e.ee_origin == SO_EE_ORIGIN_ZEROCOPY && !e.ee_info;
}

static bool check_received(struct stage *g)
{
	(void)g;
	return !memcmp(got, data, 5000);
}

static bool check_end(struct stage *g)
{
	return recv(g->peer, got, 1, 0) == 0;
}

static bool check_reset(struct stage *g)
{
	int n = recv(g->peer, got, 1, 0);

	/* the RST that could not be made is as good as lost */
	return n < 0 && (errno == ECONNRESET || (g->failed && errno == EAGAIN));
}

static bool check_netns(struct stage *g)
{
	(void)g;
	return !access("/proc/sys/net/xtcp/tcp_fin_timeout", F_OK);
}

/* It goes again, too; a socket of ours is freed after a grace period. */
static bool check_module(struct stage *g)
{
	int i;

	(void)g;
	if (access("/proc/net/xtcp", F_OK))
		return false;
	for (i = 0; i < 1000; i++) {
		if (!syscall(SYS_delete_module, "xtcp", O_NONBLOCK))
			return access("/proc/net/xtcp", F_OK);
		poll(NULL, 0, 10);
	}
	return false;
}

static const struct scenario scenarios[] = {
	{ "socket", set_nothing, act_socket, check_nothing, 1, ENFILE },
	{ "bind", set_socket, act_bind, check_nothing, 1, 0 },
	{ "listen", set_bound, act_listen, check_nothing, 1, 0 },
	{ "connect", set_client, act_connect, check_nothing, 1, 0 },
	{ "accept", set_connected, act_accept, check_nothing, 1, ENFILE },
	{ "send", set_pair, act_send, check_sent, 1, EAGAIN },
	{ "send-much", set_pair, act_send_much, check_sent, 1, EAGAIN },
	{ "sendfile", set_file, act_sendfile, check_sent, 1, EAGAIN },
	{ "zerocopy", set_zerocopy, act_zerocopy, check_zerocopy, 1, EAGAIN },
	{ "recv", set_data, act_recv, check_received, 1, 0 },
	{ "shutdown", set_pair, act_shutdown, check_end, 1, 0 },
	{ "close", set_pair, act_close, check_end, 1, 0 },
	{ "close-unread", set_data, act_close, check_reset, 1, 0 },
	{ "congestion", set_socket, act_congestion, check_nothing, 1, 0 },
	{ "async", set_socket, act_fcntl, check_nothing, 1, 0 },
	{ "sysctl", set_nothing, act_sysctl, check_nothing, 1, 0 },
	{ "proc", set_nothing, act_proc, check_nothing, 1, 0 },
	{ "netns", set_nothing, act_netns, check_netns, 100, 0 },
};

static const struct scenario load = {
	"module", set_module, act_module, check_module, 1000, 0,
};

static void complain(const struct scenario *sc, const struct stage *g, int n, const char *what)
{
	printf("# %s, IPv%d, allocation %d: %s: %s\n", sc->name, g->v6 ? 6 : 4, n, what,
	       strerror(errno));
}

/*
 * One try. Return: 1 an allocation failed and all was well, 0 none failed, -1 bad.
 */
static int attempt(const struct scenario *sc, bool v6, int n)
{
	struct stage g = { .v6 = v6, .lfd = -1, .fd = -1, .peer = -1, .file = -1 };
	int ret, err, left, good = -1;

	if (!sc->set(&g)) {
		complain(sc, &g, n, "set-up");
		strike(&g);
		return -1;
	}
	fail_nth(n);
	ret = sc->act(&g);
	err = errno;
	left = fail_left();
	fail_nth(0);
	g.failed = !left;
	errno = err;
	if (ret < 0 && left)
		complain(sc, &g, n, "failed without a reason");
	else if (ret < 0 && err != ENOMEM && err != ENOBUFS && err != sc->also)
		complain(sc, &g, n, "unclear error");
	else if (ret < 0 && sc == &load && !access("/proc/net/xtcp_netstat", F_OK))
		complain(sc, &g, n, "something stays of a module that is not there");
	else if (ret < 0 && sc->act(&g) < 0)
		complain(sc, &g, n, "failed again, for no reason");
	else if (!sc->check(&g))
		complain(sc, &g, n, ret < 0 ? "not good after an error" : "not good");
	else
		good = !left;
	strike(&g);
	return good;
}

static bool run(const struct scenario *sc, bool v6)
{
	int n = 1, ret, tries = 0, bad = 0;

	for (;;) {
		ret = attempt(sc, v6, n);
		if (!ret)
			break;
		tries++;
		if (ret < 0 && ++bad == 5)
			break;
		n += n < sc->step || sc->step == 1 ? 1 : 1 + n / 32;
	}
	printf("# %s, IPv%d: %d allocations, %d of them failed in turn\n", sc->name, v6 ? 6 : 4,
	       n - 1, tries);
	return !bad;
}

/* Is it there at all, and does it do what is asked? */
static void fail_init(void)
{
	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_fd < 0) {
		perror("fail-nth");
		exit(2);
	}
	fail_nth(1);
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || fail_left()) {
		fprintf(stderr, "storm: no allocation fails\n");
		exit(2);
	}
	fail_nth(0);
}

/**
 * storm_fail() - the scenarios
 * @argc: as of main()
 * @argv: their names; all of them if there is none
 *
 * Return: exit status.
 */
int storm_fail(int argc, char **argv)
{
	bool good = true;
	u32 i;
	int c;

	while ((c = getopt(argc, argv, "m:")) != -1) {
		if (c != 'm')
			return 2;
		module = optarg;
	}
	for (i = 0; i < DATA; i++)
		data[i] = i * 2654435761u >> 13;
	/* a page fault is an allocation, too */
	memset(got, 1, sizeof(got));
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		perror("mlockall");
		return 2;
	}
	fail_init();
	if (module)
		return !run(&load, false);
	for (i = 0; i < ARRAY_SIZE(scenarios); i++) {
		const struct scenario *sc = &scenarios[i];
		bool asked = optind == argc;

		for (c = optind; c < argc; c++)
			asked |= !strcmp(argv[c], sc->name);
		if (asked)
			good = run(sc, false) & run(sc, true) & good;
		fflush(stdout);
	}
	return !good;
}
