// SPDX-License-Identifier: GPL-2.0
/* TIME-WAIT: what it answers, what ends it, what opens the tuple again. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

/* An active close as far as TIME-WAIT; the listener stays. */
static void into_timewait(struct peer *p, const char *opts)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, opts);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_fin_is_acked_again, "0-18 4-79", T_BOTH)
{
	into_timewait(p, "mss=1460");
	peer_tx(p, "FA seq=1");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_rst_kills, "X-2", T_BOTH)
{
	into_timewait(p, "mss=1460");
	peer_tx(p, "R seq=2");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(tw_rst_wrong_seq, "X-2", T_BOTH)
{
	into_timewait(p, "mss=1460");
	peer_tx(p, "R seq=-1000");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_rfc1337, "X-2 RFC 1337", T_BOTH)
{
	sut_sysctl("tcp_rfc1337", "1");
	into_timewait(p, "mss=1460");
	peer_tx(p, "R seq=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	peer_tx(p, "FA seq=1");
	peer_rx(p, 500, "A ack=2");
}

RAW_TEST(tw_new_syn_reopens, "X-3 0-19", T_BOTH)
{
	u32 old_nxt;

	into_timewait(p, "mss=1460");
	old_nxt = p->sut_nxt;
	p->isn += 1000;
	p->nxt = p->isn;
	p->sut_known = false;
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	/* Linux before 6.10 loses the number on the way and takes any ISN */
	if (raw.xtcp)
		CHECK_EQ((int)(p->sut_isn - old_nxt), 65537);
	else
		CHECK(p->sut_isn != old_nxt);
	peer_tx(p, "A");
	sut_accept(p);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(tw_old_syn_does_not, "X-3", T_BOTH)
{
	into_timewait(p, "mss=1460");
	peer_tx(p, "S seq=-1000 mss=1460");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_newer_timestamp_reopens, "X-3 RFC 6191", T_BOTH)
{
	into_timewait(p, "mss=1460 ts");
	p->isn -= 100000;
	p->nxt = p->isn;
	p->sut_known = false;
	p->ts_shift += 5000;
	peer_tx(p, "S mss=1460 ecr=0");
	peer_rx(p, 500, "SA ack=1 ts");
	peer_tx(p, "A");
	sut_accept(p);
}

RAW_TEST(tw_old_data, "0-19 1-14", T_BOTH)
{
	into_timewait(p, "mss=1460");
	peer_tx(p, "PA seq=1 len=0");
	peer_tx(p, "PA seq=-500 len=20");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_paws, "4-96 0-19", T_BOTH)
{
	into_timewait(p, "mss=1460 ts");
	/* an old segment, its clock far behind */
	peer_tx(p, "PA seq=2 len=10 tsval=%u", p->sut_tsval - 100);
	p->ts_shift -= 1000000;
	peer_tx(p, "PA seq=2 len=10");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

/*
 * A bare ACK of the peer's that its FIN has overtaken: the peer may have closed
 * since, and would reset what it no longer knows.
 */
RAW_TEST(tw_late_ack, "RFC 9293 3.10.7.4", T_XTCP)
{
	long late = sut_mib("PAWSOldAck");

	into_timewait(p, "mss=1460 ts");
	peer_tx(p, "A seq=1 ack=2");
	peer_rx_none(p, 30);
	p->ts_shift -= 1000000;
	peer_tx(p, "A seq=1 ack=2");
	peer_rx_none(p, 30);
	CHECK_EQ(sut_mib("PAWSOldAck"), late + 1);
	peer_tx(p, "PA seq=2 len=10");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_simultaneous_close_fin, "X-1 1-7", T_BOTH)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=1");
	peer_rx(p, 500, "A seq=2 ack=2");
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	peer_tx(p, "FA seq=1 ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
}

RAW_TEST(tw_length, "4-83 0-16 D-5", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_timewait_ms", "500");
	t0 = raw_now_us();
	into_timewait(p, "mss=1460");
	sut_wait_state(p, ST_NONE, 1500);
	CHECK_MS((raw_now_us() - t0) / 1000, 490, 1000);
	peer_tx(p, "FA seq=1");
	peer_rx(p, 500, "R seq=2");
}

RAW_TEST(tw_fin_restarts, "1-20 4-79 4-82 D-5", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_timewait_ms", "800");
	into_timewait(p, "mss=1460");
	peer_rx_none(p, 500);
	t0 = raw_now_us();
	peer_tx(p, "FA seq=1");
	peer_rx(p, 200, "A ack=2");
	sut_wait_state(p, ST_NONE, 2000);
	CHECK_MS((raw_now_us() - t0) / 1000, 780, 1400);
}

RAW_TEST(tw_ack_does_not_restart, "D-5", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_timewait_ms", "800");
	t0 = raw_now_us();
	into_timewait(p, "mss=1460");
	peer_rx_none(p, 600);
	peer_tx(p, "A seq=2 ack=2");
	sut_wait_state(p, ST_NONE, 2000);
	CHECK_MS((raw_now_us() - t0) / 1000, 790, 1200);
}

RAW_TEST(tw_bucket_limit, "3-13 4-97 D-6", T_XTCP)
{
	long over = sut_mib("TCPTimeWaitOverflow");

	sut_sysctl("tcp_max_tw_buckets", "0");
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_mib("TCPTimeWaitOverflow"), over + 1);
}
