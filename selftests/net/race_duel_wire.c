// SPDX-License-Identifier: GPL-2.0
/* Duels of a program's calls against segments of a hand-made peer. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/xtcp.h>

#include "race_smp.h"

/* What one round is about. */
static struct {
	struct wire w;
	int lfd, lport, fd;
	int children[4];		/* accepted in this round */
	unsigned int n_children;
} a;

static void begin(void)
{
	wire_init();
	a.lfd = wire_listen(&a.lport, 64);
}

static void end(void)
{
	close(a.lfd);
}

static void setup_open(unsigned int round)
{
	(void)round;
	a.fd = wire_open(&a.w, a.lfd, a.lport);
}

/* In the middle of a handshake: the SYN-ACK has come. */
static void setup_syn(unsigned int round)
{
	(void)round;
	wire_flush();
	wire_fresh(&a.w, a.lport);
	a.n_children = 0;
	wire_tx(&a.w, TH_SYN, 0, 0, 0);
	wire_await(&a.w, TH_SYN | TH_ACK);
}

/* The peer dies: whatever is left of the connection goes at once. */
static void check_reset(unsigned int round)
{
	static const unsigned int at[] = { 1, 2, 11, 12, 21, 22, 31 };
	unsigned int i;

	(void)round;
	for (i = 0; i < ARRAY_SIZE(at); i++)
		wire_tx(&a.w, TH_RST, at[i], 0, 0);
}

static void check_read(unsigned int round)
{
	char buf[64];
	ssize_t i, n;

	while ((n = recv(a.fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		for (i = 0; i < n; i++)
			if (buf[i] != 'a' + (1 + i) % 26)
				strange("byte %zd is %#x", i, buf[i]);
	}
	close(a.fd);
	check_reset(round);
}

/* Data, the same again in two parts, and an ACK of what was never sent. */
static void act_data(unsigned int round)
{
	if (rnd(2))
		wire_tx(&a.w, TH_ACK, 1, 1, 10);
	wire_tx(&a.w, TH_ACK, 11, 1, 10);
	wire_tx(&a.w, TH_ACK, 1, 1, 20);
	if (round % 2)
		wire_tx(&a.w, TH_ACK, 21, 2, 10);
}

static void act_ack(unsigned int round)
{
	(void)round;
	wire_tx(&a.w, TH_ACK, 1, 1, 0);
	wire_tx(&a.w, TH_ACK, 1, 2, 0);
}

static void act_rst(unsigned int round)
{
	wire_tx(&a.w, TH_RST, 1, 0, 0);
	if (round % 2)
		wire_tx(&a.w, TH_RST | TH_ACK, 11, 1, 0);
}

static void act_fin(unsigned int round)
{
	(void)round;
	wire_tx(&a.w, TH_FIN | TH_ACK, 1, 1, 0);
	wire_tx(&a.w, TH_ACK, 2, 2, 0);
}

static void act_close(unsigned int round)
{
	if (round % 4 == 3)
		abort_fd(a.fd);
	else
		close(a.fd);
}

static void act_shutdown(unsigned int round)
{
	shutdown(a.fd, round % 3);
	send(a.fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void act_disconnect(unsigned int round)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	(void)round;
	connect(a.fd, &none, sizeof(none));
}

static void act_look(unsigned int round)
{
	struct pollfd p = { .fd = a.fd, .events = POLLIN | POLLOUT };
	struct tcp_info ti;
	socklen_t len = sizeof(ti);
	int v = round % 2;

	getsockopt(a.fd, IPPROTO_TCP, TCP_INFO, &ti, &len);
	poll(&p, 1, 0);
	setsockopt(a.fd, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v));
	setsockopt(a.fd, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof(v));
}

/* -------------------------------------------------------------- handshakes */

static void act_third(unsigned int round)
{
	(void)round;
	wire_tx(&a.w, TH_ACK, 1, 1, 0);
}

static void act_third_data(unsigned int round)
{
	(void)round;
	wire_tx(&a.w, TH_ACK, 1, 1, 10);
}

static void act_syn(unsigned int round)
{
	(void)round;
	wire_tx(&a.w, TH_SYN, 0, 0, 0);
}

/* A few looks, so that one falls between queueing and waking. */
static void act_accept(unsigned int round)
{
	int i, fd;

	(void)round;
	for (i = 0; i < 6 && a.n_children < ARRAY_SIZE(a.children); i++) {
		fd = accept4(a.lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			a.children[a.n_children++] = fd;
	}
}

static void close_children(void)
{
	while (a.n_children)
		close(a.children[--a.n_children]);
}

/* Of however many ACKs there is one child, and nothing more in the queue; and no RST. */
static void check_one_child(unsigned int round)
{
	int fd;

	if (wire_has(&a.w, TH_RST))
		strange("a good segment got a RST");
	if (!a.n_children && await(a.lfd, POLLIN, "the child"))
		act_accept(round);
	fd = accept4(a.lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (a.n_children != 1 || fd >= 0)
		strange("%u children of one handshake", a.n_children + (fd >= 0));
	if (fd >= 0)
		close(fd);
	close_children();
	check_reset(round);
}

static void check_child_data(unsigned int round)
{
	char buf[20] = "";
	ssize_t n;

	if (!a.n_children && await(a.lfd, POLLIN, "the child"))
		act_accept(round);
	if (a.n_children) {
		await(a.children[0], POLLIN, "the third segment's data");
		n = recv(a.children[0], buf, sizeof(buf), MSG_DONTWAIT);
		if (n != 10 || memcmp(buf, "bcdefghijk", 10))
			strange("%zd bytes \"%.20s\" came with the third segment", n, buf);
	}
	check_one_child(round);
}

/* The request is found, and has become a child before it is held. */
static void begin_matched(void)
{
	begin();
	race_focus("FLOW_MATCHED", "1000");
}

static void end_matched(void)
{
	race_focus(NULL, NULL);
	end();
}

/* RST or not: a child at most. */
static void check_children(unsigned int round)
{
	act_accept(round);
	if (a.n_children > 1)
		strange("%u children of one handshake", a.n_children);
	close_children();
	check_reset(round);
}

/* SYN-ACKs are repeated once, after 10 ms, and given up 20 ms later. */
static void begin_expiring(void)
{
	begin();
	sysctl_set("tcp_synack_rto_ms", "10");
	sysctl_set("tcp_synack_retries", "1");
}

/* The SYN-ACK has come again: the request's next timeout is its last. */
static void setup_expiring(unsigned int round)
{
	setup_syn(round);
	wire_await(&a.w, TH_SYN | TH_ACK);
}

/* At about the moment the request is given up. */
static void act_third_late(unsigned int round)
{
	poll(NULL, 0, 15 + rnd(8));
	jitter();
	act_third(round);
}

static void act_rst_late(unsigned int round)
{
	if (round % 2)
		return;
	poll(NULL, 0, 15 + rnd(8));
	act_rst(round);
}

static void begin_cookies(void)
{
	begin();
	sysctl_set("tcp_syncookies", "2");
}

static void begin_cookies_late(void)
{
	begin_cookies();
	race_focus("COOKIE_ACK", "1000");
}

/* A listener per round, that closes meanwhile. */
static void setup_listener(unsigned int round)
{
	a.lfd = wire_listen(&a.lport, 4);
	setup_syn(round);
}

static void act_close_listener(unsigned int round)
{
	if (round % 3 == 2)
		shutdown(a.lfd, SHUT_RDWR);
	else
		close(a.lfd);
}

static void check_listener(unsigned int round)
{
	if (round % 3 == 2)
		close(a.lfd);
	close_children();
	check_reset(round);
}

/* ------------------------------------------------------------- active open */

static void setup_connect(unsigned int round)
{
	struct sockaddr_in to;

	(void)round;
	wire_flush();
	wire_fresh(&a.w, 0);
	to = wire_addr(&a.w);
	a.fd = xsock(0, SOCK_NONBLOCK);
	if (connect(a.fd, (void *)&to, sizeof(to)) && errno != EINPROGRESS)
		strange("connect: %s", strerror(errno));
	wire_await(&a.w, TH_SYN);
}

static void act_synack(unsigned int round)
{
	(void)round;
	wire_tx(&a.w, TH_SYN | TH_ACK, 0, 1, 0);
	wire_tx(&a.w, TH_ACK, 1, 1, 10);
}

static void act_refuse(unsigned int round)
{
	wire_tx(&a.w, TH_RST | TH_ACK, round % 2, 1, 0);
}

static void check_connect(unsigned int round)
{
	if (round % 2)
		close(a.fd);
	check_reset(round);
}

static void act_end_connect(unsigned int round)
{
	if (round % 2)
		act_disconnect(round);
	else
		close(a.fd);
}

/* --------------------------------------------------------------- TIME-WAIT */

/* Closed by the sut first, all the way: an entry stands for it. */
static void setup_tw(unsigned int round)
{
	a.n_children = 0;
	setup_open(round);
	if (a.fd < 0)
		return;
	shutdown(a.fd, SHUT_WR);
	wire_await(&a.w, TH_FIN);
	wire_tx(&a.w, TH_FIN | TH_ACK, 1, 2, 0);
	close(a.fd);
}

/* A FIN again, old data, an ACK: each answered, 2MSL begins anew or ends. */
static void act_late(unsigned int round)
{
	int i;

	for (i = 0; i < 12; i++) {
		wire_tx(&a.w, TH_FIN | TH_ACK, 1, 2, 0);
		wire_tx(&a.w, TH_ACK, 1, 1, round % 2 ? 10 : 0);
		jitter();
	}
}

static void act_new_syn(unsigned int round)
{
	(void)round;
	wire_tx(&a.w, TH_SYN, 100, 0, 0);
}

/* At the moment the entry's time is over. */
static void act_late_long(unsigned int round)
{
	int i;

	for (i = 0; i < 8; i++) {
		act_late(round);
		poll(NULL, 0, 1);
	}
}

static void act_purge_walk(unsigned int round)
{
	char buf[4096];
	int fd = open("/proc/net/xtcp", O_RDONLY | O_CLOEXEC);

	(void)round;
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void begin_short(void)
{
	begin();
	sysctl_set("tcp_timewait_ms", "3");
}

static void begin_rfc1337(void)
{
	begin();
	sysctl_set("tcp_timewait_ms", "20");
}

static void check_reopened(unsigned int round)
{
	/* whoever answers the new SYN has one request of it at most */
	a.w.isn += 100;
	act_accept(round);
	close_children();
	check_reset(round);
	a.w.isn -= 100;
	check_reset(round);
}

const struct duel wire_duels[] = {
	{ "input against close()", 150, begin, setup_open,
	  { act_close, act_data, act_data, act_ack }, check_reset, end },
	{ "input against shutdown()", 120, begin, setup_open,
	  { act_shutdown, act_data, act_fin, act_look }, check_read, end },
	{ "RST against close()", 150, begin, setup_open,
	  { act_close, act_rst, act_data, act_rst }, check_reset, end },
	{ "FIN against close()", 150, begin, setup_open,
	  { act_close, act_fin, act_fin, act_ack }, check_reset, end },
	{ "RST and FIN against disconnect and options", 120, begin, setup_open,
	  { act_disconnect, act_rst, act_fin, act_look }, check_read, end },
	{ "two third segments and accept()", 150, begin, setup_syn,
	  { act_third, act_accept, act_third, act_third }, check_one_child, end },
	{ "two third segments with data and accept()", 120, begin, setup_syn,
	  { act_third_data, act_accept, act_third_data, act_syn }, check_child_data, end },
	{ "two third segments, the request gone when it is held", 120, begin_matched, setup_syn,
	  { act_third_data, act_third, act_third_data, act_third }, check_child_data, end_matched },
	{ "SYN again, third segment, RST", 150, begin, setup_syn,
	  { act_syn, act_third, act_rst, act_accept }, check_children, end },
	{ "third segment and RST against the request's last timeout", 40, begin_expiring,
	  setup_expiring, { act_third_late, act_third_late, act_rst_late, act_accept },
	  check_children, end },
	{ "two third segments of one SYN cookie", 100, begin_cookies, setup_syn,
	  { act_third, act_third, act_accept, act_third }, check_one_child, end },
	{ "two third segments of one SYN cookie, one held up", 100, begin_cookies_late, setup_syn,
	  { act_third, act_third, act_third, act_third }, check_one_child, end_matched },
	{ "third segment and accept() against the listener's close()", 120, wire_init,
	  setup_listener, { act_close_listener, act_third_data, act_accept, act_syn },
	  check_listener, NULL },
	{ "SYN-ACK and RST against close() and disconnect", 120, wire_init, setup_connect,
	  { act_end_connect, act_synack, act_refuse, act_look }, check_connect, NULL },
	{ "new SYNs on TIME-WAIT", 100, begin_rfc1337, setup_tw,
	  { act_new_syn, act_late, act_new_syn, act_purge_walk }, check_reopened, end },
	{ "late segments while TIME-WAIT ends", 60, begin_short, setup_tw,
	  { act_late_long, act_late_long, act_new_syn, act_purge_walk }, check_reopened, end },
};

const unsigned int n_wire_duels = ARRAY_SIZE(wire_duels);
