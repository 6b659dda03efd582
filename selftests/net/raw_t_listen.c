// SPDX-License-Identifier: GPL-2.0
/* Listening: half-open requests, the accept queue and their limits. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

/* Another connection to the same listener. */
static void sibling(struct peer *q, const struct peer *p)
{
	u16 port = p->sut_port;
	int lfd = p->lfd;

	peer_init(q);
	q->sut_port = port;
	q->lfd = lfd;
}

/* Ask with a SYN whether the port still answers: an event instead of a wait. */
static void still_answers(struct peer *p)
{
	struct peer q;

	sibling(&q, p);
	peer_tx(&q, "S mss=1460");
	peer_rx(&q, 500, "SA ack=1");
	peer_tx(&q, "RA ack=1");
}

RAW_TEST(listen_bad_flags, "X-6", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "A seq=1 ack=100");
	peer_rx(p, 500, "R seq=100 len=0");
	peer_tx(p, "SA seq=0 ack=200");
	peer_rx(p, 500, "R seq=200 len=0");
	peer_tx(p, "R seq=0");
	peer_tx(p, "F seq=0");
	peer_tx(p, "SF seq=0");
	peer_tx(p, "SR seq=0");
	peer_tx(p, "- seq=0");
	still_answers(p);
	peer_rx_none(p, 50);
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(listen_bad_flags_counted, "X-6 drops.h", T_XTCP)
{
	long flags0 = sut_mib("DropListenFlags"), ack0 = sut_mib("DropListenAck");

	sut_listen(p, 8);
	peer_tx(p, "R seq=0");
	peer_tx(p, "F seq=0");
	peer_tx(p, "A seq=1 ack=100");
	peer_rx(p, 500, "R seq=100");
	CHECK_EQ(sut_mib("DropListenFlags"), flags0 + 2);
	CHECK_EQ(sut_mib("DropListenAck"), ack0 + 1);
}

RAW_TEST(syn_data_ignored, "4-17", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460 len=10");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "PA seq=1 ack=1 len=10");
	sut_accept(p);
	sut_read(p, 10);
}

RAW_TEST(third_ack_with_data, "4-19", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "PA len=7");
	sut_accept(p);
	sut_read(p, 7);
	peer_rx(p, 500, "A ack=8");
}

RAW_TEST(third_ack_with_data_fin, "4-19", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "FPA len=7");
	sut_accept(p);
	sut_read(p, 7);
	sut_eof(p);
	peer_rx(p, 500, "A ack=9");
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
}

RAW_TEST(third_ack_lost_data_follows, "4-27", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	/* the second segment of the stream comes first: out of order */
	peer_tx(p, "PA seq=11 ack=1 len=10");
	peer_rx(p, 500, "A ack=1");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	peer_tx(p, "PA seq=1 ack=1 len=10");
	sut_accept(p);
	sut_read(p, 20);
	peer_rx(p, 500, "A ack=21");
}

RAW_TEST(third_ack_wrong, "0-5", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A ack=55");
	peer_rx(p, 500, "R seq=55 len=0");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	peer_tx(p, "A ack=1");
	sut_accept(p);
}

RAW_TEST(established_without_accept, "4-126", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	peer_tx(p, "PA len=100");
	peer_rx(p, 500, "A ack=101");
	sut_accept(p);
	sut_read(p, 100);
}

RAW_TEST(syn_again_resends_synack, "4-25 4-29", T_BOTH)
{
	int i;

	sut_sysctl("tcp_invalid_ratelimit", "0");
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	for (i = 0; i < 5; i++) {
		peer_tx(p, "S seq=0 mss=1460");
		peer_rx(p, 500, "SA seq=0 ack=1");
	}
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 1);
	peer_tx(p, "A");
	sut_accept(p);
}

RAW_TEST(synrecv_other_syn_tcp, "4-24 D-4", T_TCP)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_tx(p, "S seq=10 mss=1460");
	peer_rx(p, 500, "RA");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(synrecv_other_syn, "4-24 D-4", T_XTCP)
{
	sut_listen(p, 8);
	sut_sysctl("tcp_invalid_ratelimit", "0");
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_tx(p, "S seq=10 mss=1460");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	peer_tx(p, "S seq=-1000 mss=1460");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	/* 4-23: the client sees a wrong ack and resets the old request */
	peer_tx(p, "R seq=1");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(synrecv_rst_exact, "2-5 2-6 0-6", T_BOTH)
{
	long resets = sut_mib("EmbryonicRsts");
	u32 old_isn;

	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	old_isn = p->sut_isn;
	peer_tx(p, "R seq=1");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_mib("EmbryonicRsts"), resets + 1);
	p->isn += 5000;
	p->nxt = p->isn;
	p->sut_known = false;
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	CHECK(p->sut_isn != old_isn);
	peer_tx(p, "A");
	sut_accept(p);
}

RAW_TEST(synrecv_rst_in_window, "X-5", T_BOTH)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "R seq=2");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	/* outside the window: nothing */
	peer_tx(p, "R seq=-5");
	peer_tx(p, "R seq=1000000");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	peer_tx(p, "A");
	sut_accept(p);
}

RAW_TEST(synrecv_no_ack_bit, "4-3 RFC 9293 3.10.7.4 fifth", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "F seq=1");
	peer_tx(p, "P seq=1 len=5");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	peer_tx(p, "A seq=1");
	sut_accept(p);
}

RAW_TEST(accept_queue_overflow, "4-53 4-123 D-13 D-16", T_BOTH)
{
	struct peer q[3];
	long overflows;
	int i;

	/* one more than the backlog fits */
	sut_listen(p, 1);
	for (i = 0; i < 2; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
		peer_tx(&q[i], "A");
		CHECK_EQ(sut_state(&q[i]), ST_ESTABLISHED);
	}
	overflows = sut_mib("ListenOverflows");
	sibling(&q[2], p);
	peer_tx(&q[2], "S mss=1460");
	peer_rx_none(&q[2], 100);
	CHECK(sut_mib("ListenOverflows") > overflows);
	sut_accept(p);
	peer_tx(&q[2], "S seq=0 mss=1460");
	peer_rx(&q[2], 500, "SA ack=1");
	peer_tx(&q[2], "A");
	CHECK_EQ(sut_state(&q[2]), ST_ESTABLISHED);
}

RAW_TEST(accept_queue_full_third_ack, "4-53 D-16", T_BOTH)
{
	struct peer q[3];
	int i;

	/* three SYNs get in while there is room for two connections */
	sut_listen(p, 1);
	for (i = 0; i < 2; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
	}
	for (i = 0; i < 2; i++)
		peer_tx(&q[i], "A");
	sut_accept(p);
	sibling(&q[2], p);
	peer_tx(&q[2], "S mss=1460");
	peer_rx(&q[2], 500, "SA ack=1");
	sibling(p, p);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(&q[2], "A");
	CHECK_EQ(sut_state(&q[2]), ST_ESTABLISHED);
	/* full now: the third ACK is dropped, the SYN-ACK comes again */
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	peer_rx(p, 2500, "SA seq=0 ack=1");
	sut_accept(p);
	close(p->fd);
	sut_accept(p);
	close(p->fd);
	/* room again: data completes it */
	peer_tx(p, "PA len=5");
	sut_accept(p);
	sut_read(p, 5);
}

RAW_TEST(abort_on_overflow, "X-10", T_BOTH)
{
	struct peer q;

	/* two half-open requests, one place in the queue */
	sut_sysctl("tcp_abort_on_overflow", "1");
	sut_listen(p, 0);
	sibling(&q, p);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	if (!raw.xtcp)
		sut_sysctl("tcp_max_syn_backlog", "1024");
	peer_tx(&q, "S mss=1460");
	if (!peer_rx_any(&q, 100)) {
		/* a backlog of 0 admits a single request: make room */
		peer_tx(p, "A");
		close(sut_accept(p));
		CHECK_EQ(sut_state(&q), ST_NONE);
		return;
	}
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	peer_tx(&q, "A seq=1");
	peer_rx(&q, 500, "R seq=1");
	CHECK_EQ(sut_state(&q), ST_NONE);
}

RAW_TEST(syn_queue_limit, "4-54", T_TCP)
{
	struct peer q[20];
	int i, answered = 0;

	sut_sysctl("tcp_max_syn_backlog", "8");
	sut_listen(p, 8);
	for (i = 0; i < 20; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		answered += !!peer_rx_any(&q[i], 30);
	}
	CHECK_RANGE(answered, 6, 9);
}

RAW_TEST(syn_queue_limit_xtcp, "4-54 D-13", T_XTCP)
{
	struct peer q[20];
	int i, answered = 0;

	sut_sysctl("tcp_syncookies", "0");
	sut_sysctl("tcp_max_syn_backlog", "8");
	sut_listen(p, 8);
	for (i = 0; i < 20; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		answered += !!peer_rx_any(&q[i], 30);
	}
	CHECK_RANGE(answered, 6, 9);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), answered);
	CHECK_EQ(sut_mib("DropSynqFull"), 20 - answered);
}

RAW_TEST(listener_close_children, "X-9", T_BOTH)
{
	struct peer half;

	sut_listen(p, 8);
	sibling(&half, p);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	peer_tx(&half, "S mss=1460");
	peer_rx(&half, 500, "SA ack=1");
	close(p->lfd);
	peer_rx(p, 500, "RA seq=1");
	peer_tx(&half, "A");
	peer_rx(&half, 500, "R seq=1");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_state(&half), ST_NONE);
}

RAW_TEST(listener_close_keeps_accepted, "4-121", T_BOTH)
{
	open_passive(p, "mss=1460");
	close(p->lfd);
	sut_write(p, 10);
	peer_rx(p, 500, "PA len=10");
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
}

RAW_TEST(defer_accept, "X-13", T_BOTH)
{
	p->lfd = sut_socket();
	sut_opt(p->lfd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 10);
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	CHECK_EQ(sut_poll(p->lfd, POLLIN, 0), 0);
	peer_tx(p, "PA len=5");
	sut_accept(p);
	sut_read(p, 5);
}

RAW_TEST(reset_while_in_accept_queue, "RFC 9293 3.10.7.4", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	peer_tx(p, "R seq=1");
	/* Linux hands the dead connection over; its first read says so */
	sut_accept(p);
	CHECK_EQ(sut_read_errno(p, 500), ECONNRESET);
}

RAW_TEST(fin_while_in_accept_queue, "4-126", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	peer_tx(p, "FPA len=3");
	peer_rx(p, 500, "A ack=5");
	sut_accept(p);
	sut_read(p, 3);
	sut_eof(p);
}
