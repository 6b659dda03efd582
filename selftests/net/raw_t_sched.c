// SPDX-License-Identifier: GPL-2.0
/* Knobs and socket options of the schedules of opening and closing. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/xtcp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_addr.h"
#include "raw_peer.h"

#ifndef ARRAY_SIZE
#endif

/* Expect @what at each of the times, ms after the first one, which comes now. */
static u64 expect_at(struct peer *p, const char *what, const int *ms, int n)
{
	u64 t0 = 0;
	int i;

	for (i = 0; i < n; i++) {
		peer_rx(p, i ? ms[i] - ms[i - 1] + 300 : 500, "%s", what);
		if (!i)
			t0 = p->last->at_us;
		CHECK_MS((long)(p->last->at_us - t0) / 1000, ms[i], ms[i] + 25);
	}
	return t0;
}

#define EXPECT_AT(p, what, ...) ({					\
	static const int _ms[] = { __VA_ARGS__ };			\
	expect_at(p, what, _ms, ARRAY_SIZE(_ms));		\
})

static void ends_after(u64 t0, int ms)
{
	CHECK_MS((long)(raw_now_us() - t0) / 1000, ms, ms + 25);
}

/* ---- SYN */

RAW_TEST(sched_syn_linear, "D-1 4-41 X-12", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_init_rto_ms", "200");
	sut_sysctl("tcp_syn_retries", "2");
	sut_sysctl("tcp_syn_linear_timeouts", "1");
	sut_connect(p);
	t0 = EXPECT_AT(p, "S seq=0", 0, 200, 400, 800);
	CHECK_EQ(sut_connect_errno(p, 1000), ETIMEDOUT);
	ends_after(t0, 1600);
}

/* Linux 6.5: as many more, but not longer than the backoff would have taken */
RAW_TEST(sched_syn_linear_bounded, "D-1 X-12", T_XTCP | T_LONG)
{
	u64 t0;

	sut_sysctl("tcp_init_rto_ms", "200");
	sut_sysctl("tcp_syn_linear_timeouts", "4");
	p->fd = sut_socket();
	sut_opt(p->fd, IPPROTO_TCP, TCP_SYNCNT, 2);
	sut_connect(p);
	t0 = EXPECT_AT(p, "S seq=0", 0, 200, 400, 600, 800, 1000);
	CHECK_EQ(sut_connect_errno(p, 1000), ETIMEDOUT);
	ends_after(t0, 1400);
}

RAW_TEST(sched_syn_3_retries, "4-42", T_BOTH)
{
	u64 t0;

	sut_sysctl("tcp_syn_retries", "3");
	sut_connect(p);
	peer_rx(p, 500, "S seq=0");
	t0 = p->last->at_us;
	peer_rx(p, 1500, "S seq=0");
	peer_rx(p, 3000, "S seq=0");
	peer_rx(p, 6000, "S seq=0");
	CHECK_MS((long)(p->last->at_us - t0) / 1000, 7000, raw.xtcp ? 7025 : 7900);
	CHECK_EQ(sut_connect_errno(p, 10000), ETIMEDOUT);
	CHECK_MS((long)(raw_now_us() - t0) / 1000, 15000, raw.xtcp ? 15025 : 17000);
}

RAW_TEST(sched_syn_init_rto_option, "D-2 4-39", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_init_rto_ms", "5000");
	p->fd = sut_socket();
	sut_opt(p->fd, SOL_XTCP, XTCP_INIT_RTO_MS, 100);
	sut_opt(p->fd, IPPROTO_TCP, TCP_SYNCNT, 3);
	sut_connect(p);
	t0 = EXPECT_AT(p, "S seq=0", 0, 100, 300, 700);
	CHECK_EQ(sut_connect_errno(p, 2000), ETIMEDOUT);
	ends_after(t0, 1500);
}

/* ---- the deadline of connect() */

RAW_TEST(sched_connect_deadline, "X-12", T_XTCP)
{
	u64 t0;

	p->fd = sut_socket();
	sut_opt(p->fd, SOL_XTCP, XTCP_CONNECT_TIMEOUT_MS, 1500);
	sut_connect(p);
	t0 = EXPECT_AT(p, "S seq=0", 0, 1000);
	CHECK_EQ(sut_connect_errno(p, 2000), ETIMEDOUT);
	ends_after(t0, 1500);
	peer_rx_none(p, 2000);
	CHECK_EQ(sut_state(p), ST_NONE);
}

/* Shorter than the first timeout: one SYN. A SYN-ACK that comes too late gets RST. */
RAW_TEST(sched_connect_deadline_short, "X-12", T_XTCP)
{
	u64 t0;

	p->fd = sut_socket();
	sut_opt(p->fd, SOL_XTCP, XTCP_CONNECT_TIMEOUT_MS, 250);
	sut_connect(p);
	t0 = EXPECT_AT(p, "S seq=0", 0);
	CHECK_EQ(sut_connect_errno(p, 1000), ETIMEDOUT);
	ends_after(t0, 250);
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "R seq=1");
}

RAW_TEST(sched_connect_deadline_met, "X-12", T_XTCP)
{
	p->fd = sut_socket();
	sut_opt(p->fd, SOL_XTCP, XTCP_CONNECT_TIMEOUT_MS, 300);
	open_active(p, "mss=1460");
	peer_rx_none(p, 700);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(sched_connect_deadline_blocking, "X-12", T_XTCP)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(p->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->port) };
	u64 t0;

	inet_pton(AF_INET, PEER_ADDR4, &v4.sin_addr);
	inet_pton(AF_INET6, PEER_ADDR6, &v6.sin6_addr);
	p->fd = sut_socket();
	fcntl(p->fd, F_SETFL, fcntl(p->fd, F_GETFL) & ~O_NONBLOCK);
	sut_opt(p->fd, SOL_XTCP, XTCP_CONNECT_TIMEOUT_MS, 1200);
	t0 = raw_now_us();
	CHECK_EQ(connect(p->fd, raw.v6 ? (void *)&v6 : (void *)&v4,
			 raw.v6 ? sizeof(v6) : sizeof(v4)), -1);
	CHECK_EQ(errno, ETIMEDOUT);
	ends_after(t0, 1200);
}

/* ---- SYN-ACK */

RAW_TEST(sched_synack_rto, "D-2 4-44", T_XTCP)
{
	sut_sysctl("tcp_init_rto_ms", "5000");
	sut_sysctl("tcp_synack_rto_ms", "200");
	sut_sysctl("tcp_synack_retries", "2");
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_rx(p, 300, "SA seq=0 ack=1");
	peer_rx(p, 600, "SA seq=0 ack=1");
	sut_wait_state(p, ST_NONE, 1200);
	/* the SYN has its own */
	p->sut_port = 0;
	p->sut_known = false;
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_rx_none(p, 700);
}

RAW_TEST(sched_synack_init_rto_option, "D-2 4-44", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_synack_rto_ms", "5000");
	sut_sysctl("tcp_synack_retries", "3");
	p->lfd = sut_socket();
	sut_opt(p->lfd, SOL_XTCP, XTCP_INIT_RTO_MS, 200);
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	t0 = p->last->at_us;
	peer_rx(p, 300, "SA seq=0 ack=1");
	peer_rx(p, 600, "SA seq=0 ack=1");
	peer_rx(p, 1200, "SA seq=0 ack=1");
	CHECK_MS((long)(p->last->at_us - t0) / 1000, 1400, 1480);
	sut_wait_state(p, ST_NONE, 2000);
	CHECK_MS((long)(raw_now_us() - t0) / 1000, 3000, 3120);
}

/* Client tries 1, server 2: each SYN of the client draws a SYN-ACK, too. */
RAW_TEST(sched_both_lose, "4-45 4-48 4-49", T_BOTH)
{
	int synacks = 0;
	u64 t0;

	sut_sysctl("tcp_synack_retries", "2");
	sut_listen(p, 8);
	t0 = raw_now_us();
	peer_tx(p, "S mss=1460");
	do {
		synacks += !!peer_rx_any(p, 20);
	} while (sut_state(p) == ST_SYN_RECV && raw_now_us() - t0 < 20000000);
	CHECK_EQ(synacks, 3);
	CHECK_MS((long)(raw_now_us() - t0) / 1000, 7000, raw.xtcp ? 7150 : 8200);
}

/* ---- orphans */

static void opened_quick(struct peer *p)
{
	/* timeouts from 50 ms on */
	sut_sysctl("tcp_rto_min_us", "50000");
	open_passive(p, "mss=1460");
}

static void fin_times(struct peer *p, const char *fin, int n)
{
	struct segment *prev;
	long gap = 0, was;
	int i;

	peer_rx(p, 500, "%s", fin);
	prev = peer_keep(p);
	for (i = 0; i < n; i++) {
		was = gap;
		peer_rx(p, 3000, "%s", fin);
		gap = seg_gap_ms(prev, p->last);
		CHECK_MS(gap, i ? was * 2 - 25 : 50, i ? was * 2 + 25 : 80);
		free(prev);
		prev = peer_keep(p);
	}
	if (raw_recv_segment(p->sut_port, p->port, gap * 3 / 2))
		FAIL("a retransmission too many");
	free(prev);
}

RAW_TEST(sched_orphan_option, "4-67 4-69 D-3", T_XTCP | T_LONG)
{
	sut_sysctl("tcp_orphan_retries", "7");
	p->lfd = sut_socket();
	/* inherited */
	sut_opt(p->lfd, SOL_XTCP, XTCP_ORPHAN_RETRIES, 3);
	sut_listen(p, 8);
	opened_quick(p);
	sut_close(p);
	fin_times(p, "FA seq=1 ack=1", 3);
	sut_wait_state(p, ST_NONE, 600);
}

RAW_TEST(sched_orphan_closing, "X-1 4-66 D-3 D-15", T_XTCP | T_LONG)
{
	sut_sysctl("tcp_orphan_retries", "2");
	opened_quick(p);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	peer_tx(p, "FA ack=1");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_CLOSING);
	peer_rx(p, 500, "FA seq=1 ack=2");
	peer_rx(p, 500, "FA seq=1 ack=2");
	sut_wait_state(p, ST_NONE, 400);
	peer_rx_none(p, 30);
}

static void gone_with_rst(struct peer *p, const char *fin, const char *rst)
{
	peer_rx(p, 500, "%s", fin);
	peer_rx(p, 500, "%s", fin);
	peer_rx(p, 500, "%s", rst);
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(sched_orphan_rst_finwait1, "D-15", T_XTCP)
{
	sut_sysctl("tcp_orphan_rst", "1");
	sut_sysctl("tcp_orphan_retries", "1");
	opened_quick(p);
	sut_close(p);
	gone_with_rst(p, "FA seq=1 ack=1", "RA seq=2 ack=1");
}

RAW_TEST(sched_orphan_rst_last_ack, "1-18 D-15", T_XTCP)
{
	sut_sysctl("tcp_orphan_rst", "1");
	sut_sysctl("tcp_orphan_retries", "1");
	opened_quick(p);
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_close(p);
	gone_with_rst(p, "FA seq=1 ack=2", "RA seq=2 ack=2");
}

/* Half-closed is no orphan; what comes after close() counts from there. */
RAW_TEST(sched_shutdown_then_close, "4-73 D-3", T_XTCP)
{
	int i;

	sut_sysctl("tcp_orphan_retries", "2");
	opened_quick(p);
	sut_shutdown(p);
	for (i = 0; i < 5; i++)
		peer_rx(p, 2000, "FA seq=1");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
	/* it has had more than two already: no more than one timeout is left */
	sut_close(p);
	sut_wait_state(p, ST_NONE, 2000);
	peer_rx_none(p, 100);
}

RAW_TEST(sched_orphan_limit, "4-11", T_XTCP)
{
	long aborts = sut_mib("TCPAbortOnMemory");

	sut_sysctl("tcp_max_orphans", "0");
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	peer_rx(p, 500, "RA seq=2 ack=1");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_mib("TCPAbortOnMemory"), aborts + 1);
}

/* The limit is looked at again at each timeout. */
RAW_TEST(sched_orphan_limit_later, "4-11", T_XTCP)
{
	long aborts = sut_mib("TCPAbortOnMemory");

	opened_quick(p);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	peer_rx(p, 500, "FA seq=1 ack=1");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
	sut_sysctl("tcp_max_orphans", "0");
	peer_rx(p, 500, "RA seq=2 ack=1");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_mib("TCPAbortOnMemory"), aborts + 1);
}

/* ---- options of SOL_XTCP: what they take, and that children have them */

static int opt_get(int fd, int name)
{
	socklen_t len = sizeof(int);
	int v = -1000;

	CHECK(!getsockopt(fd, SOL_XTCP, name, &v, &len));
	CHECK_EQ(len, sizeof(int));
	return v;
}

RAW_TEST(sched_options_inherited, "SOL_XTCP", T_XTCP)
{
	static const struct { int name, val; } o[] = {
		{ XTCP_TIMEWAIT_MS, 1234 }, { XTCP_CONNECT_TIMEOUT_MS, 4321 },
		{ XTCP_INIT_RTO_MS, 500 }, { XTCP_ORPHAN_RETRIES, 5 },
		{ XTCP_SYNCOOKIES, 0 }, { XTCP_ABORT_ON_OVERFLOW, 1 },
	};
	unsigned int i;

	p->lfd = sut_socket();
	for (i = 0; i < ARRAY_SIZE(o); i++)
		sut_opt(p->lfd, SOL_XTCP, o[i].name, o[i].val);
	sut_listen(p, 8);
	open_passive(p, "mss=1460");
	for (i = 0; i < ARRAY_SIZE(o); i++)
		CHECK_EQ(opt_get(p->fd, o[i].name), o[i].val);
}
