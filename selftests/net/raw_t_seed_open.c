// SPDX-License-Identifier: GPL-2.0
/* Opening: three packets and no more, what may be lost of them, old and new SYNs, numbers. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

static void sibling(struct peer *q, const struct peer *p)
{
	u16 port = p->sut_port;
	int lfd = p->lfd;

	peer_init(q);
	q->sut_port = port;
	q->lfd = lfd;
}

/* The client starts again on the same port, its ISN so much further on. */
static void new_attempt(struct peer *p, u32 further)
{
	p->isn += further;
	p->nxt = p->isn;
	p->sut_known = false;
}

static void talk(struct peer *p)
{
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=%u len=10 skip", p->wr_off - 9);
	peer_tx(p, "A");
}

RAW_TEST(open_passive_one_segment, "0-2 0-20 4-47", T_BOTH)
{
	/* SYN and ACK are one segment, and nothing follows the third packet */
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1 len=0");
	peer_tx(p, "A");
	sut_accept(p);
	peer_rx_none(p, 1500);
	talk(p);
}

RAW_TEST(open_active_two_segments, "0-2 4-47 4-21", T_BOTH)
{
	/* SYN, ACK; the ACK is not repeated although nobody answers it */
	open_active(p, "mss=1460");
	peer_rx_none(p, 1500);
	talk(p);
}

RAW_TEST(open_states, "4-16 0-3 0-7", T_BOTH)
{
	CHECK_EQ(sut_count_state(ST_LISTEN), 0);
	p->lfd = sut_socket();
	CHECK_EQ(sut_count_state(ST_LISTEN), 0);
	sut_listen(p, 8);
	CHECK_EQ(sut_count_state(ST_LISTEN), 1);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	CHECK_EQ(sut_count_state(ST_LISTEN), 1);
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	close(p->lfd);
	CHECK_EQ(sut_count_state(ST_LISTEN), 0);
}

RAW_TEST(open_returns, "4-124", T_BOTH)
{
	struct peer q;

	/* connect() has ended when the SYN-ACK is in, accept() only by the third packet */
	peer_init(&q);
	sut_connect(&q);
	CHECK_EQ(sut_poll(q.fd, POLLOUT, 0), 0);
	peer_rx(&q, 500, "S");
	CHECK_EQ(sut_poll(q.fd, POLLOUT, 0), 0);
	peer_tx(&q, "SA ack=1 mss=1460");
	CHECK_EQ(sut_poll(q.fd, POLLOUT, 0), POLLOUT);
	CHECK_EQ(sut_connect_errno(&q, 0), 0);
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	CHECK_EQ(sut_poll(p->lfd, POLLIN, 0), 0);
	CHECK(accept(p->lfd, NULL, NULL) == -1 && errno == EAGAIN);
	peer_tx(p, "A");
	CHECK_EQ(sut_poll(p->lfd, POLLIN, 0), POLLIN);
	sut_accept(p);
}

RAW_TEST(no_data_before_established, "2-8 4-17", T_BOTH)
{
	/* neither in SYN_SENT nor, after a simultaneous open, in SYN_RECV */
	sut_connect(p);
	CHECK(send(p->fd, "x", 1, MSG_NOSIGNAL) == -1 && errno == EAGAIN);
	peer_rx(p, 500, "S len=0");
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 len=0");
	CHECK(send(p->fd, "x", 1, MSG_NOSIGNAL) == -1 && errno == EAGAIN);
	peer_rx_none(p, 100);
	peer_tx(p, "A ack=1");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
}

RAW_TEST(no_data_to_half_open, "2-8 4-18 4-52", T_BOTH)
{
	/* a half-open request gives the application nothing it could write to */
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1 len=0");
	peer_rx_none(p, 700);
	CHECK_EQ(sut_poll(p->lfd, POLLIN, 0), 0);
	peer_tx(p, "A");
	sut_accept(p);
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
}

RAW_TEST(syn_again_same_number, "2-2 4-38 4-30", T_BOTH)
{
	u32 first;

	sut_connect(p);
	peer_rx(p, 500, "S seq=0");
	first = p->sut_isn;
	peer_rx(p, 1500, "S seq=0");
	peer_rx(p, 2500, "S seq=0");
	sut_close(p);
	/* a new attempt from the same port has a new, later number */
	p->sut_known = false;
	sut_connect(p);
	peer_rx(p, 500, "S");
	CHECK((int)(p->sut_isn - first) > 0);
}

RAW_TEST(old_syn_then_new, "2-3 2-5 2-6 4-21 4-22 4-23", T_BOTH)
{
	long resets = sut_mib("EmbryonicRsts");

	/* SYN(90) comes late, but before SYN(100) */
	sut_listen(p, 8);
	peer_tx(p, "S seq=-10 mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=-9");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	/* the client expects another ack; a RST that is not exact does not count */
	peer_tx(p, "R seq=-10");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	peer_tx(p, "R seq=-9");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_mib("EmbryonicRsts"), resets + 1);
	new_attempt(p, 0);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_tx(p, "A");
	sut_accept(p);
	talk(p);
}

/* Old SYN, then the new one, shift from it, before the client's RST: D-4. */
static void crossing_syns(struct peer *p, int shift)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_tx(p, "S seq=%d mss=1460", shift);
	/* the ACK of the old one, by which the client knows */
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	p->nxt = p->isn;
	peer_tx(p, "R seq=1");
	CHECK_EQ(sut_state(p), ST_NONE);
	new_attempt(p, shift);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_tx(p, "A");
	sut_accept(p);
	talk(p);
}

RAW_TEST(crossing_syn_in_window, "4-24 D-4", T_XTCP)
{
	crossing_syns(p, 100);
}

RAW_TEST(crossing_syn_beyond_window, "4-24 D-4", T_XTCP)
{
	crossing_syns(p, 1000000);
}

RAW_TEST(crossing_syn_below, "4-24 D-4", T_XTCP)
{
	crossing_syns(p, -100);
}

RAW_TEST(crossing_syn_rate_limit, "D-4 RFC 5961 7", T_XTCP)
{
	int i;

	/* 500 ms by default between two such ACKs of one request */
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	for (i = 1; i < 6; i++)
		peer_tx(p, "S seq=%d mss=1460", 100 * i);
	peer_rx(p, 500, "A seq=1 ack=1");
	peer_rx_none(p, 100);
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	p->nxt = p->isn + 1;
	peer_tx(p, "A ack=1");
	sut_accept(p);
	talk(p);
}

RAW_TEST(identical_syns_one_request, "4-25 4-29", T_BOTH)
{
	int i;

	/* ten at once: one request, one SYN-ACK more, the rest within 500 ms is silence */
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	for (i = 0; i < 9; i++)
		peer_tx(p, "S seq=0 mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_rx_none(p, 300);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 1);
	peer_tx(p, "A");
	sut_accept(p);
	CHECK(accept(p->lfd, NULL, NULL) == -1 && errno == EAGAIN);
	talk(p);
}

RAW_TEST(stray_synack, "0-6 2-4", T_BOTH)
{
	/* the client's host, which has no such attempt any more, resets what answers it */
	int keep = sut_socket();

	p->sut_port = 4321;
	peer_tx(p, "SA seq=0 ack=91 mss=1460");
	peer_rx(p, 500, "R seq=91 len=0");
	CHECK_EQ(sut_state(p), ST_NONE);
	close(keep);
}

/* ---- what is lost of the three packets */

RAW_TEST(lost_synack_passive, "0-8 4-43", T_BOTH)
{
	/* SYN-ACK lost: our timer and the client's SYN both bring another */
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_rx(p, 1500, "SA seq=0 ack=1");
	peer_tx(p, "S seq=0 mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_tx(p, "A");
	sut_accept(p);
	talk(p);
}

RAW_TEST(lost_synack_and_ack, "4-43 4-46", T_BOTH)
{
	struct segment *first;

	/* both lost, one after the other: the third SYN-ACK gets through */
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	first = peer_keep(p);
	peer_rx(p, 1500, "SA seq=0 ack=1");
	/* this one arrives, its ACK does not */
	peer_rx(p, 2500, "SA seq=0 ack=1");
	CHECK_MS(seg_gap_ms(first, p->last), 2990, 3800);
	peer_tx(p, "A");
	sut_accept(p);
	talk(p);
	free(first);
}

RAW_TEST(lost_ack_active, "4-46 4-47", T_BOTH)
{
	int i;

	/* ours was lost, twice: each SYN-ACK gets it again, we alone are ESTABLISHED */
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_active(p, "mss=1460");
	for (i = 0; i < 2; i++) {
		peer_rx_none(p, 1000);
		peer_tx(p, "SA seq=0 ack=1 mss=1460");
		peer_rx(p, 500, "A seq=1 ack=1 len=0");
	}
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	talk(p);
}

RAW_TEST(lost_ack_data_completes, "4-27 4-19", T_BOTH)
{
	/* in order this time, and the FIN behind it */
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "PA seq=1 ack=1 len=10");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	peer_tx(p, "FPA len=10");
	sut_accept(p);
	sut_read(p, 20);
	sut_eof(p);
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
}

RAW_TEST(third_packet_is_fin, "4-19", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "FA");
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
	peer_rx(p, 500, "A seq=1 ack=2 len=0");
	sut_accept(p);
	sut_eof(p);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=2");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(synrecv_bad_segments, "X-5 4-3", T_BOTH)
{
	/* none of these ends the request or makes a connection */
	sut_sysctl("tcp_invalid_ratelimit", "0");
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "F seq=1");
	peer_tx(p, "P seq=1 len=10");
	peer_tx(p, "- seq=1");
	peer_tx(p, "R seq=0");
	peer_rx_none(p, 50);
	peer_tx(p, "R seq=100");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	/* beyond the window */
	peer_tx(p, "PA seq=200001 ack=1 len=10");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	CHECK_EQ(sut_poll(p->lfd, POLLIN, 0), 0);
	p->nxt = p->isn + 1;
	peer_tx(p, "A");
	sut_accept(p);
	talk(p);
}

/* ---- simultaneous open, and what is lost of it */

static void both_syns(struct peer *p)
{
	sut_connect(p);
	peer_rx(p, 500, "S seq=0");
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1 len=0");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
}

static void opened(struct peer *p)
{
	CHECK_EQ(sut_connect_errno(p, 500), 0);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	talk(p);
}

RAW_TEST(simopen_peer_syn_lost, "4-128 4-38", T_BOTH)
{
	/* the peer's first SYN never came; it meets our second */
	sut_connect(p);
	peer_rx(p, 500, "S seq=0");
	peer_rx(p, 1500, "S seq=0");
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_tx(p, "A ack=1");
	opened(p);
}

RAW_TEST(simopen_our_synack_lost, "4-128", T_BOTH)
{
	both_syns(p);
	peer_rx(p, 2500, "SA seq=0 ack=1");
	peer_tx(p, "A ack=1");
	opened(p);
}

RAW_TEST(simopen_our_synack_lost_syn_again, "4-128 4-25", T_XTCP)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	both_syns(p);
	/* the peer's SYN again says that ours was lost */
	peer_tx(p, "S seq=0 mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_tx(p, "A ack=1");
	opened(p);
}

RAW_TEST(simopen_peer_synack_lost, "4-128", T_BOTH)
{
	both_syns(p);
	/* its SYN-ACK was lost, its answer to our second one is not */
	peer_rx(p, 2500, "SA seq=0 ack=1");
	peer_tx(p, "SA seq=0 ack=1 mss=1460");
	CHECK_EQ(sut_connect_errno(p, 500), 0);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	talk(p);
}

RAW_TEST(simopen_data_completes, "4-128 4-27", T_BOTH)
{
	both_syns(p);
	peer_tx(p, "PA seq=1 ack=1 len=10");
	CHECK_EQ(sut_connect_errno(p, 500), 0);
	sut_read(p, 10);
	talk(p);
}

RAW_TEST(simopen_fin_completes, "4-128 4-19", T_BOTH)
{
	both_syns(p);
	peer_tx(p, "FPA seq=1 ack=1 len=10");
	CHECK_EQ(sut_connect_errno(p, 500), 0);
	sut_read(p, 10);
	sut_eof(p);
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
}

RAW_TEST(simopen_wrong_ack, "4-128 0-5", T_BOTH)
{
	both_syns(p);
	/* RFC 9293 3.10.7.4 fifth: an ACK of something else is reset, the attempt goes on */
	peer_tx(p, "A seq=1 ack=77");
	peer_rx(p, 500, "R seq=77 len=0");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	peer_tx(p, "A seq=1 ack=1");
	opened(p);
}

/* ---- initial numbers */

/* Our ISN for the peer's next SYN, and when it was chosen. */
static u32 isn_for_syn(struct peer *p, u64 *before_us, u64 *after_us)
{
	new_attempt(p, 100000);
	*before_us = raw_now_us();
	peer_tx(p, "S mss=1460");
	*after_us = raw_now_us();
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_tx(p, "R seq=1");
	return p->sut_isn;
}

RAW_TEST(isn_clock_64_ns, "4-33 4-34 D-12", T_BOTH)
{
	u64 b0, a0, b1, a1;
	u32 isn0, isn1;
	int i;

	/* one four-tuple: the same hash, so the difference is the clock's, 15.625 per us */
	sut_listen(p, 8);
	isn0 = isn_for_syn(p, &b0, &a0);
	for (i = 0; i < 4; i++) {
		peer_rx_none(p, 250);
		isn1 = isn_for_syn(p, &b1, &a1);
		/* 0.1 % and 1 ms for clocks that are being disciplined */
		CHECK_RANGE((int)(isn1 - isn0), (long long)(b1 - a0) * 15609 / 1000 - 15625,
			    (long long)(a1 - b0) * 15641 / 1000 + 15625);
	}
}

RAW_TEST(isn_unrelated_across_tuples, "4-34 4-30 0-3 0-4", T_BOTH)
{
	enum { N = 400 };
	int ones[32] = { 0 }, i, b, near = 0;
	u32 isn, last = 0;
	struct peer q;

	sut_listen(p, 8);
	for (i = 0; i < N; i++) {
		sibling(&q, p);
		peer_tx(&q, "S mss=1460");
		peer_rx(&q, 500, "SA seq=0 ack=1");
		isn = q.sut_isn;
		peer_tx(&q, "R seq=1");
		/* the port before says nothing: 1 in 2048 is within 2^20 by chance */
		near += i && isn - last + (1 << 20) < 1 << 21;
		last = isn;
		for (b = 0; b < 32; b++)
			ones[b] += isn >> b & 1;
		free(q.last);
	}
	CHECK_RANGE(near, 0, 5);
	/* each bit is one half the time; 6 standard deviations are 60 of 400 */
	for (b = 0; b < 32; b++)
		CHECK_RANGE(ones[b], N / 2 - 60, N / 2 + 60);
}
