// SPDX-License-Identifier: GPL-2.0
/* Loss: retransmission, fast retransmit, congestion window, probes. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

/* A window of ten segments of 1000 bytes on its way. */
static void ten_segments(struct peer *p, int write)
{
	int i;

	sut_opt(p->fd, SOL_SOCKET, SO_SNDBUF, 200000);
	sut_write(p, write);
	for (i = 0; i < 10; i++)
		peer_rx(p, 500, "A seq=%d len=1000", 1 + 1000 * i);
}

RAW_TEST(initial_window, "RFC 6928", T_BOTH)
{
	open_passive(p, "mss=1000");
	ten_segments(p, 20000);
	peer_rx_none(p, 50);
}

/* Ten segments go, and are acknowledged one by one. Return: how many have gone then. */
static int ten_acked(struct peer *p)
{
	int i;

	open_passive(p, "mss=1000");
	ten_segments(p, 40000);
	for (i = 1; i <= 10; i++)
		peer_tx(p, "A ack=%d", 1 + 1000 * i);
	while (peer_rx_any(p, 100))
		CHECK_EQ(p->last->len, 1000);
	return (p->sut_nxt - p->sut_isn - 1) / 1000;
}

RAW_TEST(slow_start, "RFC 5681 3.1", T_BOTH)
{
	int segs;

	if (raw.xtcp)
		sut_sysctl("tcp_tso_win_divisor", "255");
	segs = ten_acked(p);
	/* the window has doubled; Linux may keep some back to send them at once */
	CHECK_RANGE(segs, raw.xtcp ? 28 : 20, 30);
}

/* What little more may go is kept back, and goes when it is more or nothing else comes. */
RAW_TEST(knob_tso_win_divisor, "Linux", T_XTCP)
{
	int segs;

	sut_sysctl("tcp_tso_win_divisor", "3");
	segs = ten_acked(p);
	CHECK_RANGE(segs, 20, 27);
	peer_tx(p, "A ack=%d", 1 + segs * 1000);
	while (peer_rx_any(p, 100))
		CHECK_EQ(p->last->len, 1000);
	CHECK_EQ(p->sut_nxt, p->sut_isn + 1 + 40000);
}

RAW_TEST(fast_retransmit_sack, "4-37 RFC 6675", T_BOTH)
{
	long fast = sut_mib("TCPFastRetrans");

	sut_sysctl("tcp_early_retrans", "0");
	open_passive(p, "mss=1000 sackok");
	ten_segments(p, 10000);
	peer_tx(p, "A ack=1 sack=1001-2001");
	peer_tx(p, "A ack=1 sack=1001-3001");
	peer_tx(p, "A ack=1 sack=1001-4001");
	peer_rx(p, 150, "A seq=1 len=1000");
	/* the lost segment alone */
	peer_tx(p, "A ack=1 sack=1001-10001");
	peer_tx(p, "A ack=10001");
	peer_rx_none(p, 300);
	CHECK_EQ(sut_mib("TCPFastRetrans"), fast + 1);
}

RAW_TEST(fast_retransmit_two_holes, "RFC 6675", T_BOTH)
{
	sut_sysctl("tcp_early_retrans", "0");
	open_passive(p, "mss=1000 sackok");
	ten_segments(p, 10000);
	peer_tx(p, "A ack=1 sack=1001-2001");
	peer_tx(p, "A ack=1 sack=3001-5001 sack=1001-2001");
	peer_tx(p, "A ack=1 sack=3001-10001 sack=1001-2001");
	peer_rx(p, 150, "A seq=1 len=1000");
	peer_rx(p, 150, "A seq=2001 len=1000");
	peer_tx(p, "A ack=10001");
	peer_rx_none(p, 300);
}

RAW_TEST(fast_retransmit_reno, "RFC 5681 3.2 RFC 6582", T_BOTH)
{
	open_passive(p, "mss=1000");
	ten_segments(p, 10000);
	peer_tx(p, "A ack=1");
	peer_tx(p, "A ack=1");
	peer_tx(p, "A ack=1");
	peer_rx(p, 150, "A seq=1 len=1000");
	/* a partial ACK says the next hole */
	peer_tx(p, "A ack=3001");
	peer_rx(p, 150, "A seq=3001 len=1000");
	peer_tx(p, "A ack=10001");
	peer_rx_none(p, 300);
}

RAW_TEST(limited_transmit, "RFC 3042", T_XTCP)
{
	/* RACK would take the hole for a loss where ten segments take longer than an RTT */
	sut_sysctl("tcp_recovery", "0");
	sut_sysctl("tcp_early_retrans", "0");
	open_passive(p, "mss=1000 sackok");
	ten_segments(p, 20000);
	peer_tx(p, "A ack=1 sack=1001-2001");
	peer_rx(p, 150, "A seq=10001 len=1000");
	peer_tx(p, "A ack=1 sack=1001-3001");
	peer_rx(p, 150, "A seq=11001 len=1000");
}

RAW_TEST(rto_backs_off, "D-17 RFC 6298 5.5", T_BOTH)
{
	int i, want = 200, sum = 0;
	struct segment *first;

	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	sut_write(p, 100);
	peer_rx(p, 500, "PA seq=1 len=100");
	first = peer_keep(p);
	/* from the first on, so that one late timer does not shorten a gap */
	for (i = 0; i < 4; i++, want *= 2) {
		sum += want;
		peer_rx(p, want * 3 / 2 + 100, "PA seq=1 len=100");
		CHECK_MS(seg_gap_ms(first, p->last), sum - 10, sum * 5 / 4 + 60);
	}
	free(first);
	peer_tx(p, "A");
	peer_rx_none(p, 300);
}

RAW_TEST(rto_sends_one, "RFC 5681 3.1", T_BOTH)
{
	open_passive(p, "mss=1000");
	ten_segments(p, 10000);
	peer_rx(p, 1000, "A seq=1 len=1000");
	peer_rx_none(p, 100);
	peer_tx(p, "A ack=1001");
	peer_rx(p, 100, "A seq=1001 len=1000");
}

RAW_TEST(data_given_up, "RFC 9293 3.8.3 R2", T_BOTH)
{
	u64 t0;

	sut_sysctl("tcp_retries2", "3");
	open_passive(p, "mss=1000");
	sut_write(p, 100);
	t0 = raw_now_us();
	CHECK_EQ(sut_read_errno(p, 8000), ETIMEDOUT);
	/* 3 s by the hypothetical timeouts, seen when the next real one ends */
	CHECK_MS((raw_now_us() - t0) / 1000, 2700, 7000);
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(user_timeout_data, "X-12 RFC 5482", T_BOTH)
{
	u64 t0;

	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
	sut_write(p, 100);
	t0 = raw_now_us();
	CHECK_EQ(sut_read_errno(p, 4000), ETIMEDOUT);
	CHECK_MS((raw_now_us() - t0) / 1000, 900, 1900);
}

RAW_TEST(zero_window_probe, "RFC 9293 3.8.6.1", T_BOTH)
{
	struct segment *a, *b;
	u64 t0;

	p->win = 0;
	open_passive(p, "mss=1000");
	t0 = raw_now_us();
	sut_write(p, 100);
	/* Linux probes with nothing at SND.UNA-1, others with one byte */
	peer_rx(p, 1000, "A len<2");
	CHECK_MS((p->last->at_us - t0) / 1000, 180, 400);
	a = peer_keep(p);
	peer_tx(p, "A ack=1 win=0");
	peer_rx(p, 1500, "A len<2");
	b = peer_keep(p);
	CHECK_MS(seg_gap_ms(a, b), 2 * 180, 2 * 200 + 200);
	peer_tx(p, "A ack=1 win=0");
	peer_rx(p, 2500, "A len<2");
	CHECK_MS(seg_gap_ms(b, p->last), 4 * 180, 4 * 200 + 300);
	peer_tx(p, "A ack=1 win=5000");
	peer_rx(p, 500, "A seq=1 len=100");
}

RAW_TEST(zero_window_unanswered, "X-18", T_BOTH)
{
	sut_sysctl("tcp_retries2", "3");
	p->win = 0;
	open_passive(p, "mss=1000");
	sut_write(p, 100);
	CHECK_EQ(sut_read_errno(p, 9000), ETIMEDOUT);
}

RAW_TEST(zero_window_orphan, "X-18", T_BOTH)
{
	sut_sysctl("tcp_orphan_retries", "2");
	p->win = 0;
	open_passive(p, "mss=1000");
	sut_write(p, 100);
	sut_close(p);
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
	sut_wait_state(p, ST_NONE, 6000);
}

RAW_TEST(keepalive_answered, "4-111 4-113 4-114", T_BOTH)
{
	u64 t0;
	int i;

	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
	sut_opt(p->fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	sut_opt(p->fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
	peer_rx_none(p, 1300);
	sut_opt(p->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	for (i = 0; i < 2; i++) {
		t0 = raw_now_us();
		peer_rx(p, 2500, "A seq=0 len<2");
		if (i)
			/* Linux may look a little early and then wait once more */
			CHECK_MS((p->last->at_us - t0) / 1000, 900,
				 raw.xtcp ? 1300 : 2300);
		peer_tx(p, "A ack=1");
	}
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

/* The time begins with the last segment, not with who looks at it or says it again. */
RAW_TEST(keepalive_said_again, "4-111 4-113", T_BOTH)
{
	int i;

	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	sut_opt(p->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	peer_rx_none(p, 3000);
	sut_opt(p->fd, IPPROTO_TCP, TCP_KEEPIDLE, 2);
	peer_rx(p, 200, "A seq=0 len<2");
	peer_tx(p, "A ack=1");
	for (i = 0; i < 3; i++) {
		peer_rx_none(p, 600);
		sut_opt(p->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	}
	peer_rx(p, 1500, "A seq=0 len<2");
}

RAW_TEST(keepalive_dead, "4-112 4-116 D-14", T_BOTH)
{
	u64 t0;

	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
	sut_opt(p->fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	sut_opt(p->fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
	sut_opt(p->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	t0 = raw_now_us();
	peer_rx(p, 2000, "A seq=0");
	peer_rx(p, 2000, "A seq=0");
	peer_rx(p, 2000, "RA");
	CHECK_MS((p->last->at_us - t0) / 1000, 2900, 3900);
	CHECK_EQ(sut_read_errno(p, 500), ETIMEDOUT);
}

RAW_TEST(keepalive_rebooted, "4-115", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
	sut_opt(p->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	peer_rx(p, 2000, "A seq=0");
	peer_tx(p, "R seq=1");
	CHECK_EQ(sut_read_errno(p, 500), ECONNRESET);
}

/*
 * While nobody reads what the SUT has sent it is still on its way, and the same
 * bytes are in the send queue. Nothing that happens there may change it.
 */
RAW_TEST(resent_while_on_its_way, "RFC 9293 3.8.1", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_write(p, 300);
	peer_tx(p, "A seq=1 ack=1 len=10");
	CHECK(poll(NULL, 0, 1000) == 0);
	peer_rx(p, 100, "A seq=1 ack=1 len=300");
	while (peer_rx_any(p, 100) && !p->last->len)
		;
	CHECK(p->last);
	CHECK_EQ(p->last->seq - p->sut_isn, 1);
	CHECK_EQ(p->last->ack - p->isn, 11);
	CHECK_EQ(p->last->len, 300);
}

RAW_TEST(acked_while_on_its_way, "RFC 9293 3.8.1", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_write(p, 300);
	peer_tx(p, "A ack=101");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	peer_rx(p, 100, "A seq=1 ack=1 len=300");
	peer_rx(p, 1500, "A seq=101 len=200");
	peer_tx(p, "A ack=301");
	sut_write(p, 100);
	peer_rx(p, 100, "A seq=301 len=100");
}

RAW_TEST(written_while_on_its_way, "RFC 9293 3.8.1", T_BOTH)
{
	int i;

	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	for (i = 0; i < 3; i++)
		sut_write(p, 300);
	for (i = 0; i < 3; i++)
		peer_rx(p, 100, "A seq=%d len=300", 1 + 300 * i);
	/* what goes again now may span two of them */
	peer_rx(p, 1500, "A len>299");
	peer_tx(p, "A ack=901");
}
