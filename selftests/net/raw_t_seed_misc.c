// SPDX-License-Identifier: GPL-2.0
/* The programmer's side: calls, errors, two queues, limits, defaults. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_addr.h"
#include "raw_info.h"

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t set_addr(union addr *a, const char *v4, const char *v6, u16 port)
{
	memset(a, 0, sizeof(*a));
	if (raw.v6) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		CHECK(inet_pton(AF_INET6, v6, &a->v6.sin6_addr) == 1);
		return sizeof(a->v6);
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(port);
	CHECK(inet_pton(AF_INET, v4, &a->v4.sin_addr) == 1);
	return sizeof(a->v4);
}

static u16 port_of(const union addr *a)
{
	return ntohs(raw.v6 ? a->v6.sin6_port : a->v4.sin_port);
}

#define FAILS(call, err) do {						\
	errno = 0;							\
	if ((call) != -1)						\
		FAIL("%s did not fail", #call);				\
	CHECK_EQ(errno, err);						\
} while (0)

static void sibling(struct peer *q, const struct peer *p)
{
	u16 port = p->sut_port;
	int lfd = p->lfd;

	peer_init(q);
	q->sut_port = port;
	q->lfd = lfd;
}

RAW_TEST(errno_table, "X-17", T_BOTH)
{
	union addr own, peer, far, foreign;
	socklen_t len, got = sizeof(own);
	int fd = sut_socket(), l = sut_socket(), fd2 = sut_socket();
	char c;

	len = set_addr(&own, SUT_ADDR4, SUT_ADDR6, 5001);
	set_addr(&peer, PEER_ADDR4, PEER_ADDR6, p->port);
	set_addr(&far, "203.0.113.1", "2001:db8:1::1", 80);
	set_addr(&foreign, "198.51.100.1", "2001:db8:2::1", 5001);
	/* fresh */
	FAILS(getpeername(fd, &peer.sa, &got), ENOTCONN);
	FAILS(recv(fd, &c, 1, 0), ENOTCONN);
	FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	FAILS(shutdown(fd, SHUT_WR), ENOTCONN);
	FAILS(accept(fd, NULL, NULL), EINVAL);
	FAILS(connect(fd, &far.sa, len), ENETUNREACH);
	FAILS(bind(fd, &foreign.sa, len), EADDRNOTAVAIL);
	FAILS(bind(fd, &own.sa, 3), EINVAL);
	/* bound */
	CHECK(!bind(fd, &own.sa, len));
	FAILS(bind(fd, &own.sa, len), EINVAL);
	FAILS(bind(fd2, &own.sa, len), EADDRINUSE);
	/* listening */
	set_addr(&own, SUT_ADDR4, SUT_ADDR6, 5002);
	CHECK(!bind(l, &own.sa, len));
	CHECK(!listen(l, 1));
	FAILS(connect(l, &peer.sa, len), EISCONN);
	FAILS(recv(l, &c, 1, 0), ENOTCONN);
	FAILS(accept(l, NULL, NULL), EAGAIN);
	FAILS(bind(fd2, &own.sa, len), EADDRINUSE);
	/* connecting */
	set_addr(&peer, PEER_ADDR4, PEER_ADDR6, p->port);
	FAILS(connect(fd, &peer.sa, len), EINPROGRESS);
	FAILS(connect(fd, &peer.sa, len), EALREADY);
	FAILS(listen(fd, 1), EINVAL);
	FAILS(getpeername(fd, &far.sa, &got), ENOTCONN);
	/* connected */
	p->fd = fd;
	p->sut_port = 5001;
	peer_rx(p, 500, "S");
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A");
	CHECK(!connect(fd, &peer.sa, len));
	FAILS(connect(fd, &peer.sa, len), EISCONN);
	FAILS(listen(fd, 1), EINVAL);
	FAILS(accept(fd, NULL, NULL), EINVAL);
	FAILS(recv(fd, &c, 1, 0), EAGAIN);
	sut_shutdown(p);
	FAILS(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	close(fd2);
	close(l);
}

/* A socket on an address and port of its own that connects to them. */
RAW_TEST(self_connect, "4-127 1-7", T_BOTH)
{
	union addr a, me, you;
	socklen_t len, l1 = sizeof(me), l2 = sizeof(you);
	char buf[16];

	p->fd = sut_socket();
	len = set_addr(&a, SUT_ADDR4, SUT_ADDR6, 5003);
	CHECK(!bind(p->fd, &a.sa, len));
	FAILS(connect(p->fd, &a.sa, len), EINPROGRESS);
	p->sut_port = 5003;
	p->port = 5003;
	CHECK_EQ(sut_connect_errno(p, 1000), 0);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	CHECK_EQ(sut_count_state(ST_LISTEN), 0);
	CHECK(!getsockname(p->fd, &me.sa, &l1) && !getpeername(p->fd, &you.sa, &l2));
	CHECK(port_of(&me) == 5003 && port_of(&you) == 5003);
	/* it hears itself */
	CHECK_EQ(send(p->fd, "echo", 4, 0), 4);
	CHECK(sut_poll(p->fd, POLLIN, 1000) & POLLIN);
	CHECK_EQ(recv(p->fd, buf, sizeof(buf), 0), 4);
	CHECK(!memcmp(buf, "echo", 4));
	/* and its own FIN: a simultaneous close with itself */
	sut_shutdown(p);
	CHECK(sut_poll(p->fd, POLLIN, 1000) & POLLIN);
	CHECK_EQ(recv(p->fd, buf, sizeof(buf), 0), 0);
	sut_wait_state(p, ST_TIME_WAIT, 1000);
}

RAW_TEST(two_sockets, "4-121", T_BOTH)
{
	union addr a, b;
	socklen_t la = sizeof(a), lb = sizeof(b);
	struct peer q;
	int on = -1;

	/* same name, different sockets: only one has a peer, either can go first */
	open_passive(p, "mss=1460");
	CHECK(p->fd != p->lfd);
	CHECK(!getsockname(p->lfd, &a.sa, &la) && !getsockname(p->fd, &b.sa, &lb));
	CHECK_EQ(port_of(&a), port_of(&b));
	FAILS(getpeername(p->lfd, &a.sa, &la), ENOTCONN);
	CHECK(!getpeername(p->fd, &b.sa, &lb));
	CHECK_EQ(port_of(&b), p->port);
	lb = sizeof(on);
	CHECK(!getsockopt(p->lfd, SOL_SOCKET, SO_ACCEPTCONN, &on, &lb) && on == 1);
	CHECK(!getsockopt(p->fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &lb) && !on);
	/* the connection goes, the listener takes the next; the listener goes, that stays */
	sut_linger(p->fd, 1, 0);
	sut_close(p);
	peer_rx(p, 500, "RA");
	sibling(&q, p);
	open_passive(&q, "mss=1460");
	close(p->lfd);
	peer_tx(&q, "PA len=10");
	sut_read(&q, 10);
}

RAW_TEST(two_queues, "4-52 4-122 4-51", T_BOTH)
{
	struct peer q[3];
	int i, fd[2];

	/* the states of the queues: SYN_RECV in the one, ESTABLISHED in the other */
	sut_listen(p, 8);
	for (i = 0; i < 3; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
	}
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 3);
	CHECK_EQ(sut_count_state(ST_ESTABLISHED), 0);
	peer_tx(&q[2], "A");
	peer_tx(&q[0], "A");
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 1);
	CHECK_EQ(sut_count_state(ST_ESTABLISHED), 2);
	/* accept() takes them in the order of their third packets */
	for (i = 0; i < 2; i++) {
		union addr a;
		socklen_t len = sizeof(a);

		fd[i] = accept(p->lfd, &a.sa, &len);
		CHECK(fd[i] >= 0);
		CHECK_EQ(port_of(&a), q[i ? 0 : 2].port);
	}
	FAILS(accept(p->lfd, NULL, NULL), EAGAIN);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 1);
}

RAW_TEST(never_accepted, "4-106 4-107 4-126", T_BOTH)
{
	/* nobody calls accept(): the connection sits in the queue, data and FIN and all */
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	peer_tx(p, "PA len=100");
	peer_rx(p, 500, "A ack=101");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=102");
	peer_rx_none(p, 3000);
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
	CHECK_EQ(sut_poll(p->lfd, POLLIN, 0), POLLIN);
	sut_accept(p);
	sut_read(p, 100);
	sut_eof(p);
}

RAW_TEST(descriptors_run_out, "4-10", T_BOTH)
{
	struct peer q[6];
	struct rlimit old, few;
	int i, n, fd[6], next;

	/* room for three more descriptors, six clients */
	sut_listen(p, 16);
	for (i = 0; i < 6; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
		peer_tx(&q[i], "A");
	}
	next = dup(p->lfd);
	close(next);
	CHECK(!getrlimit(RLIMIT_NOFILE, &old));
	few = old;
	few.rlim_cur = next + 3;
	CHECK(!setrlimit(RLIMIT_NOFILE, &few));
	for (n = 0; n < 6; n++) {
		fd[n] = accept(p->lfd, NULL, NULL);
		if (fd[n] < 0)
			break;
	}
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(n, 3);
	/* the listener still stands and says so; with room again it gives the rest */
	CHECK_EQ(sut_poll(p->lfd, POLLIN, 0), POLLIN);
	close(fd[0]);
	fd[0] = accept(p->lfd, NULL, NULL);
	CHECK(fd[0] >= 0);
	FAILS(accept(p->lfd, NULL, NULL), EMFILE);
	CHECK(!setrlimit(RLIMIT_NOFILE, &old));
	for (n = 4; n < 6; n++)
		CHECK(accept(p->lfd, NULL, NULL) >= 0);
	FAILS(accept(p->lfd, NULL, NULL), EAGAIN);
	/* whom nobody had room for has lost nothing */
	peer_tx(&q[5], "PA len=10");
	peer_rx(&q[5], 500, "A ack=11");
	CHECK_EQ(sut_state(&q[5]), ST_ESTABLISHED);
}

RAW_TEST(six_step_server, "4-105 4-120 4-109", T_BOTH)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0), i;
	char buf[64];

	/* socket, bind, listen; epoll; accept; register; read and write; EOF and close */
	sut_listen(p, 8);
	ev.data.fd = p->lfd;
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, p->lfd, &ev));
	CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 0);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 0);
	peer_tx(p, "A");
	for (i = 0; i < 3; i++) {
		CHECK_EQ(epoll_wait(ep, &ev, 1, 1000), 1);
		if (ev.data.fd == p->lfd) {
			CHECK_EQ(i, 0);
			ev.data.fd = sut_accept(p);
			ev.events = EPOLLIN | EPOLLRDHUP;
			CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, p->fd, &ev));
			peer_tx(p, "PA len=20");
			continue;
		}
		CHECK_EQ(ev.data.fd, p->fd);
		if (!(ev.events & EPOLLRDHUP)) {
			CHECK_EQ(i, 1);
			sut_read(p, 20);
			sut_write(p, 20);
			peer_rx(p, 500, "PA seq=1 len=20 skip");
			peer_tx(p, "A");
			CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 0);
			peer_tx(p, "FA");
			continue;
		}
		CHECK_EQ(i, 2);
		CHECK_EQ(read(p->fd, buf, sizeof(buf)), 0);
		sut_close(p);
	}
	do {
		CHECK(peer_rx_any(p, 500));
	} while (!(p->last->flags & TH_FIN));
	CHECK_EQ(sut_state(p), ST_LAST_ACK);
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_NONE);
	/* closing took it out of the set, too */
	CHECK_EQ(epoll_wait(ep, &ev, 1, 0), 0);
	close(ep);
}

RAW_TEST(fin_nobody_waits_for, "4-108", T_BOTH)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	/* accepted but not registered: the FIN wakes nobody, CLOSE_WAIT stays */
	sut_listen(p, 8);
	ev.data.fd = p->lfd;
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, p->lfd, &ev));
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	CHECK_EQ(epoll_wait(ep, &ev, 1, 1000), 1);
	sut_accept(p);
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	CHECK_EQ(epoll_wait(ep, &ev, 1, 2000), 0);
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
	/* registered late it is still told */
	ev.events = EPOLLIN | EPOLLRDHUP;
	ev.data.fd = p->fd;
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, p->fd, &ev));
	CHECK_EQ(epoll_wait(ep, &ev, 1, 1000), 1);
	CHECK(ev.events & EPOLLRDHUP && ev.data.fd == p->fd);
	close(ep);
}

RAW_TEST(info_shows_connection, "4-7 4-16", T_BOTH)
{
	struct tcp_info ti;

	/* socket, numbers and window in one place, from closed to closed */
	p->fd = sut_socket();
	CHECK_EQ(raw_info(p->fd).tcpi_state, ST_CLOSE);
	sut_connect(p);
	CHECK_EQ(raw_info(p->fd).tcpi_state, ST_SYN_SENT);
	peer_rx(p, 500, "S");
	peer_tx(p, "SA ack=1 mss=1000 sackok ws=7 win=30000");
	peer_rx(p, 500, "A");
	ti = raw_info(p->fd);
	CHECK_EQ(ti.tcpi_state, ST_ESTABLISHED);
	CHECK_EQ(ti.tcpi_snd_mss, 1000);
	CHECK_EQ(ti.tcpi_snd_wscale, 7);
	CHECK(ti.tcpi_options & TCPI_OPT_SACK && ti.tcpi_options & TCPI_OPT_WSCALE);
	CHECK(!(ti.tcpi_options & TCPI_OPT_TIMESTAMPS));
	CHECK(ti.tcpi_rcv_space > 0 && ti.tcpi_snd_cwnd == 10);
	sut_write(p, 2500);
	peer_rx(p, 500, "A seq=1 len=1000");
	peer_rx(p, 500, "A seq=1001 len=1000");
	ti = raw_info(p->fd);
	CHECK(ti.tcpi_unacked >= 2);
	peer_tx(p, "A ack=2001");
	while (p->sut_nxt != p->sut_isn + 2501)
		CHECK(peer_rx_any(p, 500));
	peer_tx(p, "PA ack=2501 len=700");
	sut_read(p, 700);
	ti = raw_info(p->fd);
	CHECK_EQ(ti.tcpi_unacked, 0);
	CHECK_RANGE(ti.tcpi_bytes_acked, 2500, 2501);
	CHECK_EQ(ti.tcpi_bytes_received, 700);
	peer_tx(p, "FA");
	CHECK_EQ(raw_info(p->fd).tcpi_state, ST_CLOSE_WAIT);
	peer_tx(p, "R");
	CHECK_EQ(raw_info(p->fd).tcpi_state, ST_CLOSE);
}

RAW_TEST(port_kept_by_idle_connection, "1-1", T_BOTH)
{
	union addr a;
	socklen_t len;
	int fd = sut_socket();

	/* the connection is forgotten by everyone, its port is not free */
	open_active(p, "mss=1460");
	len = set_addr(&a, SUT_ADDR4, SUT_ADDR6, p->sut_port);
	peer_rx_none(p, 3000);
	FAILS(bind(fd, &a.sa, len), EADDRINUSE);
	sut_linger(p->fd, 1, 0);
	sut_close(p);
	peer_rx(p, 500, "RA");
	CHECK(!bind(fd, &a.sa, len));
	close(fd);
}

static long knob(const char *name)
{
	char path[128];
	long v;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/xtcp/%s", name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%ld", &v) != 1)
		FAIL("%s: %m", path);
	fclose(f);
	return v;
}

/* What a namespace starts with, where the founding documents name a number. */
RAW_TEST(defaults, "0-17 1-17 3-15 4-39 4-40 4-44 4-112 D-1 D-2 D-8 D-9", T_XTCP | T_V4)
{
	(void)p;
	CHECK_EQ(knob("tcp_timewait_ms"), 2 * 30000);
	CHECK_EQ(knob("tcp_syn_retries"), 5);
	CHECK_EQ(knob("tcp_syn_linear_timeouts"), 0);
	CHECK_EQ(knob("tcp_synack_retries"), 5);
	CHECK_EQ(knob("tcp_init_rto_ms"), 1000);
	CHECK_EQ(knob("tcp_keepalive_time"), 7200);
	CHECK_EQ(knob("tcp_keepalive_intvl"), 75);
	CHECK_EQ(knob("tcp_keepalive_probes"), 9);
	CHECK_EQ(knob("tcp_syncookies"), 1);
	CHECK_EQ(knob("tcp_tw_reuse"), 2);
	CHECK_EQ(knob("tcp_tw_reuse_delay"), 1000);
	CHECK_EQ(knob("tcp_timestamps"), 1);
	CHECK_EQ(knob("tcp_orphan_retries"), 0);
	CHECK_EQ(knob("tcp_rto_min_us"), 200000);
}

/* Size of one object of a slab cache, 0: there is no such cache. */
/* Of an object of a slab cache, without what the allocator's debugging adds. */
static long slab_size(const char *name)
{
	char path[96];
	long size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/object_size", name);
	f = fopen(path, "r");
	if (!f)
		FAIL("%s: %m", path);
	if (fscanf(f, "%ld", &size) != 1)
		FAIL("%s: no number", path);
	fclose(f);
	return size;
}

static int lowest_free_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* n connections that the sut closes first; their entries stay. */
static void churn(struct peer *p, int n)
{
	struct peer q;
	int i;

	if (p->lfd < 0)
		sut_listen(p, 8);
	for (i = 0; i < n; i++) {
		sibling(&q, p);
		open_passive(&q, "mss=1460 ts");
		sut_close(&q);
		peer_rx(&q, 500, "FA seq=1");
		peer_tx(&q, "FA ack=2");
		peer_rx(&q, 500, "A seq=2 ack=2");
		free(q.last);
	}
}

RAW_TEST(timewait_costs, "1-21 4-88 D-10 3-1", T_XTCP)
{
	long entry, request;
	int fd;

	/*
	 * No descriptor, and one or two cache lines where a socket has kilobytes. The
	 * allocator adds 8 bytes for its free list to make 64, 96 and 128.
	 */
	sut_listen(p, 8);
	fd = lowest_free_fd();
	churn(p, 30);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 30);
	CHECK_EQ(lowest_free_fd(), fd);
	entry = slab_size(raw.v6 ? "xtcp_tw6" : "xtcp_tw");
	request = slab_size(raw.v6 ? "xtcp_req6" : "xtcp_req");
	CHECK_RANGE(entry, 1, raw.v6 ? 88 : 56);
	/* a half-open request is between the two */
	/* lock debugging makes its lock larger, and so does PREEMPT_RT */
	if (access("/proc/lockdep_stats", F_OK) && access("/sys/kernel/realtime", F_OK))
		CHECK_RANGE(request, 1, raw.v6 ? 160 : 120);
	CHECK(slab_size(raw.v6 ? "XTCPv6" : "XTCP") > 4 * request);
	CHECK(slab_size(raw.v6 ? "XTCPv6" : "XTCP") > 8 * entry);
}

RAW_TEST(fewer_timewaits, "3-17 3-13 4-92", T_XTCP)
{
	/* the same load before and after the settings */
	sut_sysctl("tcp_timewait_ms", "3000");
	churn(p, 25);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 25);
	peer_rx_none(p, 4000);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 0);
	sut_sysctl("tcp_max_tw_buckets", "5");
	churn(p, 25);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 5);
}

RAW_TEST(settings_of_the_article, "3-8 3-15 3-16", T_XTCP | T_V4)
{
	static const struct { const char *name; int value; } set[] = {
		{ "tcp_syncookies", 1 }, { "tcp_tw_reuse", 1 }, { "tcp_tw_recycle", 1 },
		{ "tcp_max_tw_buckets", 5000 }, { "tcp_max_syn_backlog", 8192 },
		{ "tcp_keepalive_time", 1200 },
	};
	int low = 0, high = 0;
	char text[16];
	size_t i;
	FILE *f;

	for (i = 0; i < ARRAY_SIZE(set); i++) {
		snprintf(text, sizeof(text), "%d", set[i].value);
		CHECK(sut_sysctl(set[i].name, text));
		CHECK_EQ(knob(set[i].name), set[i].value);
	}
	CHECK(sut_sysctl("ip_local_port_range", "1024 65000"));
	f = fopen("/proc/sys/net/xtcp/ip_local_port_range", "r");
	CHECK(f && fscanf(f, "%d %d", &low, &high) == 2);
	fclose(f);
	CHECK(low == 1024 && high == 65000);
	/* and are used: a range of one port leaves no choice */
	CHECK(sut_sysctl("ip_local_port_range", "2345 2345"));
	sut_connect(p);
	peer_rx(p, 500, "S");
	CHECK_EQ(p->sut_port, 2345);
	close(p->fd);
	p->fd = -1;
	CHECK(sut_sysctl("ip_local_port_range", "1024 65000"));
	/* with them a connection opens and closes as before */
	p->sut_port = 0;
	p->sut_known = false;
	churn(p, 3);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 3);
}
