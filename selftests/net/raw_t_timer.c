// SPDX-License-Identifier: GPL-2.0
/* Retransmission schedules of SYN, SYN-ACK and FIN, and how they end. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

/*
 * Expect n repetitions of a segment, gaps doubling from first_ms. Measured from
 * the first on, so that one late timer does not shorten the gap after it.
 */
static void expect_schedule(struct peer *p, const char *what, int first_ms, int n)
{
	int i, gap = first_ms, sum = 0;
	struct segment *first;

	peer_rx(p, 500, "%s", what);
	first = peer_keep(p);
	for (i = 0; i < n; i++, gap *= 2) {
		sum += gap;
		peer_rx(p, gap * 3 / 2 + 300, "%s", what);
		CHECK_MS(seg_gap_ms(first, p->last), sum - 10, sum * 5 / 4 + 60);
	}
	free(first);
}

RAW_TEST(syn_schedule, "4-38 4-41 4-42", T_BOTH)
{
	u64 t0 = raw_now_us();

	sut_sysctl("tcp_syn_retries", "2");
	sut_connect(p);
	expect_schedule(p, "S seq=0", 1000, 2);
	CHECK_EQ(sut_connect_errno(p, 5500), ETIMEDOUT);
	CHECK_MS((raw_now_us() - t0) / 1000, 6900, 7800);
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(syn_schedule_init_rto, "4-39 4-41 D-1 D-2", T_XTCP)
{
	u64 t0 = raw_now_us();

	/* five retransmissions by default: 63 times the first timeout */
	sut_sysctl("tcp_init_rto_ms", "100");
	sut_connect(p);
	expect_schedule(p, "S seq=0", 100, 5);
	CHECK_EQ(sut_connect_errno(p, 5000), ETIMEDOUT);
	CHECK_MS((raw_now_us() - t0) / 1000, 6200, 7000);
}

RAW_TEST(syn_answered_after_retransmit, "4-43", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S seq=0");
	peer_rx(p, 1500, "S seq=0");
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A seq=1 ack=1");
	CHECK_EQ(sut_connect_errno(p, 500), 0);
}

RAW_TEST(synack_schedule, "4-43 4-44 4-48 4-49", T_BOTH)
{
	u64 t0 = raw_now_us();

	sut_sysctl("tcp_synack_retries", "1");
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	expect_schedule(p, "SA seq=0 ack=1", 1000, 1);
	sut_wait_state(p, ST_NONE, 3500);
	CHECK_MS((raw_now_us() - t0) / 1000, 2900, 4000);
	/* the client thinks it is connected; its data is answered with RST */
	peer_tx(p, "PA seq=1 ack=1 len=10");
	peer_rx(p, 500, "R seq=1");
}

RAW_TEST(synack_schedule_init_rto, "4-44 D-2", T_XTCP)
{
	u64 t0 = raw_now_us();

	sut_sysctl("tcp_init_rto_ms", "50");
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	expect_schedule(p, "SA seq=0 ack=1", 50, 5);
	sut_wait_state(p, ST_NONE, 3000);
	CHECK_MS((raw_now_us() - t0) / 1000, 3100, 3700);
}

RAW_TEST(third_ack_lost_synack_again, "4-46 4-47", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_rx(p, 1500, "SA seq=0 ack=1");
	peer_tx(p, "A seq=1 ack=1");
	sut_accept(p);
}

RAW_TEST(syncnt, "X-12", T_BOTH)
{
	u64 t0 = raw_now_us();

	p->fd = sut_socket();
	sut_opt(p->fd, IPPROTO_TCP, TCP_SYNCNT, 1);
	sut_connect(p);
	expect_schedule(p, "S seq=0", 1000, 1);
	CHECK_EQ(sut_connect_errno(p, 3000), ETIMEDOUT);
	CHECK_MS((raw_now_us() - t0) / 1000, 2900, 3600);
}

RAW_TEST(user_timeout_connect, "X-12", T_BOTH)
{
	u64 t0 = raw_now_us();

	p->fd = sut_socket();
	sut_opt(p->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 2500);
	sut_connect(p);
	CHECK_EQ(sut_connect_errno(p, 4000), ETIMEDOUT);
	CHECK_MS((raw_now_us() - t0) / 1000, 2400, 3300);
}

/*
 * An orphan's FIN: D-3. Linux sends one more than it was told; AF_XTCP exactly
 * what it was told, then waits twice the last timeout.
 */
static void orphan_fin(struct peer *p, int retries, const char *fin)
{
	int i, n = raw.xtcp ? retries : retries + 1;
	struct segment *prev = NULL;
	long gap = 0;
	u64 end_us;

	peer_rx(p, 500, "%s", fin);
	prev = peer_keep(p);
	for (i = 0; i < n; i++) {
		/* Linux's model is of time, and now and then leaves out the last */
		if (i == retries && !peer_rx_any(p, 1200))
			break;
		if (i < retries)
			peer_rx(p, 3000, "%s", fin);
		gap = seg_gap_ms(prev, p->last);
		prev = peer_keep(p);
	}
	sut_wait_state(p, ST_NONE, 6000);
	end_us = raw_now_us();
	if (raw.xtcp)
		CHECK_MS((end_us - prev->at_us) / 1000, gap * 3 / 2, gap * 3);
	/* and no RST is sent: D-15 */
	peer_rx_none(p, 30);
}

RAW_TEST(finwait1_orphan, "4-66 4-67 4-69 D-3", T_BOTH)
{
	sut_sysctl("tcp_orphan_retries", "2");
	open_passive(p, "mss=1460");
	sut_close(p);
	orphan_fin(p, 2, "FA seq=1 ack=1");
}

RAW_TEST(last_ack_orphan, "1-13 1-18 4-76 4-77 D-15", T_BOTH)
{
	sut_sysctl("tcp_orphan_retries", "2");
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_close(p);
	orphan_fin(p, 2, "FA seq=1 ack=2");
}

RAW_TEST(shutdown_fin_uses_retries2, "4-73", T_BOTH)
{
	int i;

	sut_sysctl("tcp_orphan_retries", "1");
	open_passive(p, "mss=1460");
	sut_shutdown(p);
	for (i = 0; i < 5; i++)
		peer_rx(p, 4000, "FA seq=1");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
}
