// SPDX-License-Identifier: GPL-2.0
/* Each knob changes what it says: those that no other test turns. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_info.h"

RAW_TEST(knob_keepalive, "4-111 4-112 4-116 3-15", T_BOTH)
{
	u64 t0;

	sut_sysctl("tcp_keepalive_time", "2");
	sut_sysctl("tcp_keepalive_intvl", "1");
	sut_sysctl("tcp_keepalive_probes", "2");
	open_passive(p, "mss=1000");
	t0 = raw_now_us();
	sut_opt(p->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	peer_rx(p, 2500, "A seq=0");
	CHECK_MS((p->last->at_us - t0) / 1000, 1990, 2200);
	peer_rx(p, 1500, "A seq=0");
	peer_rx(p, 1500, "RA");
	CHECK_MS((p->last->at_us - t0) / 1000, 3990, 4300);
	CHECK_EQ(sut_read_errno(p, 500), ETIMEDOUT);
}

static u32 flow_label(const struct segment *seg)
{
	return (seg->ip[1] & 15) << 16 | seg->ip[2] << 8 | seg->ip[3];
}

/* The route is doubted after R1 retransmissions: the flow label asks for another path. */
RAW_TEST(knob_retries1, "RFC 9293 3.8.3 R1", T_XTCP | T_V6)
{
	u32 label;

	sut_sysctl("tcp_rto_min_us", "50000");
	sut_sysctl("tcp_retries1", "1");
	open_passive(p, "mss=1000");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
	label = flow_label(p->last);
	CHECK(label);
	peer_rx(p, 500, "PA seq=1 len=10");
	CHECK_EQ(flow_label(p->last), label);
	peer_rx(p, 500, "PA seq=1 len=10");
	CHECK(flow_label(p->last) != label);
	label = flow_label(p->last);
	peer_rx(p, 900, "PA seq=1 len=10");
	CHECK_EQ(flow_label(p->last), label);
}

static void rexmits(struct peer *p, int n, int within_ms)
{
	while (n--)
		peer_rx(p, within_ms, "PA seq=1 len=10");
}

RAW_TEST(knob_rto_min, "RFC 6298 2.4 D-17 1-19", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_rto_min_us", "1000000");
	open_passive(p, "mss=1000");
	sut_write(p, 10);
	rexmits(p, 1, 500);
	t0 = p->last->at_us;
	rexmits(p, 1, 1500);
	CHECK_MS((p->last->at_us - t0) / 1000, 1000, 1200);
}

/* Ten bytes get no answer: six timeouts alike, then they double. */
static void thin(struct peer *p)
{
	struct segment *first, *seventh;

	sut_write(p, 10);
	rexmits(p, 1, 500);
	rexmits(p, 1, 500);
	first = peer_keep(p);
	rexmits(p, 6, 500);
	seventh = peer_keep(p);
	CHECK_MS(seg_gap_ms(first, seventh), 6 * 195, 6 * 220);
	rexmits(p, 1, 800);
	CHECK_MS(seg_gap_ms(seventh, p->last), 390, 450);
}

RAW_TEST(knob_thin_linear_timeouts, "tcp_thin_linear_timeouts", T_BOTH)
{
	sut_sysctl("tcp_thin_linear_timeouts", "1");
	open_passive(p, "mss=1000");
	thin(p);
}

RAW_TEST(thin_linear_option, "TCP_THIN_LINEAR_TIMEOUTS, of a listener", T_BOTH)
{
	p->lfd = sut_socket();
	sut_opt(p->lfd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1);
	sut_listen(p, 8);
	open_passive(p, "mss=1000");
	thin(p);
}

/* @n segments are in flight, of which the first one goes again after @t0 and @t1 ms. */
static void thick(struct peer *p, int n, int t0, int t1)
{
	struct segment *first;
	int i;

	sut_write(p, n * 1000);
	for (i = 0; i < n; i++)
		peer_rx(p, 500, "A seq=%d len=1000", 1 + i * 1000);
	peer_rx(p, 500, "A seq=1 len=1000");
	first = peer_keep(p);
	peer_rx(p, 800, "A seq=1 len=1000");
	CHECK_MS(seg_gap_ms(first, p->last), t0, t1);
}

RAW_TEST(thin_is_three_segments, "tcp_thin_linear_timeouts", T_BOTH)
{
	sut_sysctl("tcp_thin_linear_timeouts", "1");
	open_passive(p, "mss=1000");
	thick(p, 3, 195, 220);
}

RAW_TEST(thin_is_not_four_segments, "tcp_thin_linear_timeouts", T_BOTH)
{
	sut_sysctl("tcp_thin_linear_timeouts", "1");
	open_passive(p, "mss=1000");
	thick(p, 4, 390, 450);
}

RAW_TEST(thin_is_established, "tcp_thin_linear_timeouts", T_BOTH)
{
	sut_sysctl("tcp_thin_linear_timeouts", "1");
	open_passive(p, "mss=1000");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_wait_state(p, ST_CLOSE_WAIT, 500);
	thick(p, 1, 390, 450);
}

/* The path becomes longer, and after a while the least RTT does, too. */
RAW_TEST(knob_min_rtt_wlen, "tcp_min_rtt_wlen", T_BOTH)
{
	u64 until;

	sut_sysctl("tcp_min_rtt_wlen", "2");
	open_passive(p, "mss=1000");
	sut_write(p, 10);
	peer_rx(p, 500, "PA len=10");
	peer_tx(p, "A");
	CHECK(raw_info(p->fd).tcpi_min_rtt < 50000);
	sut_write(p, 10);
	peer_rx(p, 500, "PA len=10");
	peer_rx_none(p, 100);
	peer_tx(p, "A");
	CHECK(raw_info(p->fd).tcpi_min_rtt < 50000);
	until = raw_now_us() + 3 * 1000 * 1000;
	while (raw_now_us() < until) {
		sut_write(p, 10);
		peer_rx(p, 500, "PA len=10");
		peer_rx_none(p, 100);
		peer_tx(p, "A");
	}
	CHECK(raw_info(p->fd).tcpi_min_rtt >= 90000);
}

RAW_TEST(knob_rto_max, "RFC 6298 2.5", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_rto_min_us", "400000");
	sut_sysctl("tcp_rto_max_ms", "1000");
	open_passive(p, "mss=1000");
	sut_write(p, 10);
	rexmits(p, 1, 500);
	t0 = p->last->at_us;
	/* 0.4 + 0.8 + 1 + 1 + 1, not 0.4 * 31 */
	rexmits(p, 5, 1500);
	CHECK_MS((p->last->at_us - t0) / 1000, 4200, 4600);
}

RAW_TEST(knob_delack_min, "RFC 9293 3.8.6.3", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_delack_min_ms", "400");
	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_QUICKACK, 0);
	t0 = raw_now_us();
	peer_tx(p, "PA len=10");
	peer_rx(p, 1000, "A ack=11 len=0");
	/* in spite of Linux's usual 40 */
	CHECK_MS((p->last->at_us - t0) / 1000, 190, 520);
}

/* How long an ACK waits for the answer that could carry it. */
RAW_TEST(knob_delack_push, "RFC 9293 3.8.6.3", T_XTCP)
{
	struct peer q;
	u64 t0;

	peer_init(&q);
	sut_sysctl("tcp_delack_push_us", "40000");
	open_passive(p, "mss=1000");
	t0 = raw_now_us();
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "A ack=11 len=0");
	CHECK_MS((p->last->at_us - t0) / 1000, 25, 200);
	/* in vain: the next four wait for nothing */
	peer_tx(p, "PA len=10");
	peer_rx(p, 20, "A ack=21 len=0");
	/* 0: at once, like Linux's */
	sut_sysctl("tcp_delack_push_us", "0");
	open_passive(&q, "mss=1000");
	peer_tx(&q, "PA len=10");
	peer_rx(&q, 20, "A ack=11 len=0");
}

/* How long the third segment waits for the request that could carry it. */
RAW_TEST(knob_delack_synack, "RFC 9293 3.8.6.3", T_XTCP)
{
	struct peer q;
	u64 t0;

	peer_init(&q);
	sut_sysctl("tcp_delack_synack_us", "100000");
	sut_connect(p);
	peer_rx(p, 500, "S");
	t0 = raw_now_us();
	peer_tx(p, "SA ack=1 mss=1000");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_MS((p->last->at_us - t0) / 1000, 80, 200);
	sut_connect(&q);
	peer_rx(&q, 500, "S");
	peer_tx(&q, "SA ack=1 mss=1000");
	CHECK_EQ(sut_connect_errno(&q, 500), 0);
	sut_write(&q, 10);
	peer_rx(&q, 500, "PA seq=1 ack=1 len=10");
}

RAW_TEST(knob_init_cwnd, "RFC 6928", T_XTCP)
{
	sut_sysctl("tcp_init_cwnd", "3");
	open_passive(p, "mss=1000");
	sut_write(p, 10000);
	peer_rx(p, 500, "A seq=1 len=1000");
	peer_rx(p, 500, "A seq=1001 len=1000");
	peer_rx(p, 500, "A seq=2001 len=1000");
	peer_rx_none(p, 50);
}

RAW_TEST(knob_dsack, "RFC 2883", T_BOTH)
{
	sut_sysctl("tcp_dsack", "0");
	open_passive(p, "mss=1460 sackok");
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "A ack=11");
	peer_tx(p, "PA seq=1 len=10");
	peer_rx(p, 500, "A ack=11 nosack");
	sut_read(p, 10);
}

/* Six duplicate ACKs instead of three. */
RAW_TEST(knob_reordering, "RFC 5681 3.2", T_XTCP)
{
	int i;

	sut_sysctl("tcp_reordering", "6");
	sut_sysctl("tcp_rto_min_us", "2000000");
	open_passive(p, "mss=1000");
	sut_write(p, 10000);
	for (i = 0; i < 10; i++)
		peer_rx(p, 500, "A seq=%d len=1000", 1 + i * 1000);
	for (i = 0; i < 5; i++)
		peer_tx(p, "A ack=1");
	peer_rx_none(p, 100);
	peer_tx(p, "A ack=1");
	peer_rx(p, 300, "A seq=1 len=1000");
}

/* Ten segments are out, SACKs allowed, and no timeout is near. */
static void ten_out(struct peer *p, int write, const char *opts)
{
	int i;

	sut_sysctl("tcp_rto_min_us", "3000000");
	open_passive(p, opts);
	sut_write(p, write);
	for (i = 0; i < 10; i++)
		peer_rx(p, 500, "A seq=%d len=1000", 1 + i * 1000);
}

/* The last of ten comes first: the degree of reordering after that */
static u32 degree(struct peer *p, const char *max)
{
	sut_sysctl("tcp_recovery", "0");
	sut_sysctl("tcp_early_retrans", "0");
	sut_sysctl("tcp_max_reordering", max);
	ten_out(p, 10000, "mss=1000 sackok");
	CHECK_EQ(raw_info(p->fd).tcpi_reordering, 3);
	peer_tx(p, "A ack=1 sack=9001-10001");
	peer_tx(p, "A ack=10001");
	return raw_info(p->fd).tcpi_reordering;
}

RAW_TEST(reordering_degree, "tcp_reordering adapts", T_BOTH)
{
	long seen = sut_mib("TCPSACKReorder");

	CHECK_EQ(degree(p, "300"), 10);
	CHECK_EQ(raw_info(p->fd).tcpi_reord_seen, 1);
	CHECK_EQ(sut_mib("TCPSACKReorder"), seen + 1);
}

/* Five segments above a hole are a loss from now on, and neither three nor ten. */
RAW_TEST(reordering_limit, "tcp_max_reordering", T_BOTH)
{
	int i;

	CHECK_EQ(degree(p, "5"), 5);
	sut_write(p, 10000);
	for (i = 10; i < 20; i++)
		peer_rx(p, 500, "A seq=%d len=1000", 1 + i * 1000);
	peer_tx(p, "A ack=10001 sack=11001-15001");
	peer_rx_none(p, 100);
	peer_tx(p, "A ack=10001 sack=11001-16001");
	peer_rx(p, 50, "A seq=10001 len=1000");
}

RAW_TEST(reordering_without_sack, "tcp_max_reordering", T_BOTH)
{
	long seen = sut_mib("TCPRenoReorder");
	int i;

	sut_sysctl("tcp_max_reordering", "7");
	ten_out(p, 10000, "mss=1000");
	for (i = 0; i < 9; i++)
		peer_tx(p, "A ack=1");
	CHECK_EQ(raw_info(p->fd).tcpi_reordering, 3);
	peer_tx(p, "A ack=1");
	CHECK_EQ(raw_info(p->fd).tcpi_reordering, 7);
	CHECK_EQ(sut_mib("TCPRenoReorder"), seen + 1);
}

/* Linux takes the first namespace's limit here. */
RAW_TEST(reordering_at_first, "tcp_reordering, at most tcp_max_reordering", T_XTCP)
{
	CHECK(sut_sysctl("tcp_max_reordering", "400"));
	CHECK(sut_sysctl("tcp_reordering", "400"));
	open_passive(p, "mss=1000");
	CHECK_EQ(raw_info(p->fd).tcpi_reordering, 400);
}

/* The last segment came, the others did not: RACK gives them the reordering window. */
RAW_TEST(knob_recovery_1, "RFC 8985 6", T_XTCP)
{
	sut_sysctl("tcp_recovery", "1");
	sut_sysctl("tcp_early_retrans", "0");
	ten_out(p, 10000, "mss=1000 sackok");
	peer_tx(p, "A ack=1 sack=9001-10001");
	peer_rx(p, 1000, "A seq=1 len=1000");
}

/* RFC 6675 wants two more. */
RAW_TEST(knob_recovery_0, "RFC 6675", T_XTCP)
{
	sut_sysctl("tcp_recovery", "0");
	sut_sysctl("tcp_early_retrans", "0");
	ten_out(p, 10000, "mss=1000 sackok");
	peer_tx(p, "A ack=1 sack=9001-10001");
	peer_rx_none(p, 300);
	peer_tx(p, "A ack=1 sack=7001-10001");
	peer_rx(p, 1000, "A seq=1 len=1000");
}

/* The tail is probed long before the timeout. */
RAW_TEST(knob_early_retrans_3, "RFC 8985 7", T_XTCP)
{
	long probes = sut_mib("TCPLossProbes");

	sut_sysctl("tcp_early_retrans", "3");
	ten_out(p, 10000, "mss=1000 sackok");
	peer_rx(p, 1500, "A seq=9001 len=1000");
	CHECK_EQ(sut_mib("TCPLossProbes"), probes + 1);
}

RAW_TEST(knob_early_retrans_0, "RFC 8985 7", T_XTCP)
{
	sut_sysctl("tcp_early_retrans", "0");
	ten_out(p, 10000, "mss=1000 sackok");
	peer_rx_none(p, 500);
}

/* The head goes again and is acknowledged: what comes next? */
static void after_timeout(struct peer *p, const char *knob)
{
	int i;

	sut_sysctl("tcp_frto", knob);
	/* what may go is to go at once */
	sut_sysctl("tcp_tso_win_divisor", "255");
	open_passive(p, "mss=1000");
	sut_write(p, 20000);
	for (i = 0; i < 10; i++)
		peer_rx(p, 500, "A seq=%d len=1000", 1 + i * 1000);
	peer_rx(p, 1000, "A seq=1 len=1000");
	peer_tx(p, "A ack=1001");
}

RAW_TEST(knob_frto_2, "RFC 5682", T_XTCP)
{
	after_timeout(p, "2");
	peer_rx(p, 300, "A seq=10001 len=1000");
	peer_rx(p, 300, "A seq=11001 len=1000");
	/* nothing of the flight was lost */
	peer_tx(p, "A ack=2001");
	peer_rx(p, 300, "A seq=12001");
}

RAW_TEST(knob_frto_0, "RFC 5682", T_XTCP)
{
	after_timeout(p, "0");
	peer_rx(p, 300, "A seq=1001 len=1000");
}

/* How many of 8 segments go at once after 8 were acknowledged and a second of nothing? */
static int burst_after_idle(struct peer *p, const char *knob)
{
	int i, n;

	sut_sysctl("tcp_slow_start_after_idle", knob);
	sut_sysctl("tcp_init_cwnd", "2");
	open_passive(p, "mss=1000");
	for (i = 0; i < 4; i++) {
		sut_write(p, 8000);
		do {
			peer_rx(p, 500, "A len>0");
			peer_tx(p, "A ack=%u", p->sut_nxt - p->sut_isn);
		} while (p->sut_nxt - p->sut_isn != 1 + (u32)p->wr_off);
	}
	/* longer than the retransmission timeout */
	peer_rx_none(p, 1000);
	sut_write(p, 8000);
	for (n = 0; peer_rx_any(p, 100); n++)
		CHECK_EQ(p->last->len, 1000);
	return n;
}

RAW_TEST(knob_slow_start_after_idle_1, "RFC 5681 4.1", T_XTCP | T_LONG)
{
	CHECK_EQ(burst_after_idle(p, "1"), 2);
}

RAW_TEST(knob_slow_start_after_idle_0, "RFC 5681 4.1", T_XTCP | T_LONG)
{
	CHECK_RANGE(burst_after_idle(p, "0"), 4, 8);
}

RAW_TEST(knob_min_snd_mss, "SACK panic, 2019", T_BOTH)
{
	sut_sysctl("tcp_min_snd_mss", "300");
	open_passive(p, "mss=100");
	sut_write(p, 600);
	peer_rx(p, 500, "A seq=1 len=300");
}

/* A challenge ACK per second, in spite of one for each segment. */
RAW_TEST(knob_challenge_ack_limit, "RFC 5961 7", T_XTCP)
{
	int i, n = 0;

	sut_sysctl("tcp_invalid_ratelimit", "0");
	sut_sysctl("tcp_challenge_ack_limit", "1");
	open_passive(p, "mss=1460");
	for (i = 0; i < 8; i++)
		peer_tx(p, "S seq=1");
	while (peer_rx_any(p, 100))
		n++;
	/* two if a second began meanwhile */
	CHECK_RANGE(n, 1, 2);
}

/* The largest window offered while the user reads all that 60 bursts bring. */
static u32 widest(struct peer *p, const char *knob)
{
	u32 win, widest = 0, off = 0;
	int i, k;

	sut_sysctl("tcp_moderate_rcvbuf", knob);
	sut_sysctl("tcp_rmem", "4096 32768 4000000");
	open_passive(p, "mss=1460 ws=7");
	for (i = 0; i < 60; i++) {
		for (k = 0; k < 8; k++, off += 1000)
			peer_tx(p, "A seq=%u len=1000", 1 + off);
		sut_read(p, 8000);
		/* let a round trip pass */
		poll(NULL, 0, 5);
		while (peer_rx_any(p, 1)) {
			win = p->last->win << 7;
			widest = win > widest ? win : widest;
		}
	}
	return widest;
}

RAW_TEST(knob_moderate_rcvbuf_0, "dynamic right-sizing", T_XTCP)
{
	CHECK_RANGE(widest(p, "0"), 8000, 32768);
}

RAW_TEST(knob_moderate_rcvbuf_1, "dynamic right-sizing", T_XTCP)
{
	CHECK(widest(p, "1") > 32768);
}

/* Writable or not with more than 2000 bytes unsent? */
static bool writable(struct peer *p, const char *knob)
{
	static const char bytes[5000];

	if (knob)
		sut_sysctl("tcp_notsent_lowat", knob);
	p->win = 1000;
	open_passive(p, "mss=1000");
	/* Linux takes no more than a segment too many */
	CHECK(send(p->fd, bytes, sizeof(bytes), MSG_NOSIGNAL) >= 3000);
	return sut_poll(p->fd, POLLOUT, 0) & POLLOUT;
}

RAW_TEST(knob_notsent_lowat, "Linux", T_BOTH)
{
	CHECK(!writable(p, "2000"));
}

RAW_TEST(knob_notsent_lowat_off, "Linux", T_BOTH)
{
	CHECK(writable(p, NULL));
}

static u8 urgent_byte(struct peer *p, const char *knob)
{
	u8 c = 0;

	sut_sysctl("tcp_stdurg", knob);
	open_passive(p, "mss=1460");
	peer_tx(p, "UPA len=10 urg=5");
	CHECK(sut_poll(p->fd, POLLPRI, 500) & POLLPRI);
	CHECK_EQ(recv(p->fd, &c, 1, MSG_OOB), 1);
	return c;
}

RAW_TEST(knob_stdurg_0, "RFC 6093", T_BOTH)
{
	CHECK_EQ(urgent_byte(p, "0"), raw_pattern(4));
}

RAW_TEST(knob_stdurg_1, "RFC 6093", T_BOTH)
{
	CHECK_EQ(urgent_byte(p, "1"), raw_pattern(5));
}

static int buffer(int fd, int which)
{
	socklen_t len = sizeof(int);
	int v = -1;

	CHECK(!getsockopt(fd, SOL_SOCKET, which, &v, &len));
	return v;
}

RAW_TEST(knob_rmem, "Linux", T_BOTH)
{
	sut_sysctl("tcp_rmem", "4096 20000 30000");
	p->lfd = sut_socket();
	CHECK_EQ(buffer(p->lfd, SO_RCVBUF), 20000);
	sut_listen(p, 8);
	open_passive(p, "mss=1460");
	/* and so is the window: half of it is for what skbs cost */
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "A ack=11");
	CHECK_RANGE(p->last->win, 1000, 20000);
}

RAW_TEST(knob_wmem, "Linux", T_BOTH)
{
	sut_sysctl("tcp_wmem", "4096 20000 30000");
	p->fd = sut_socket();
	CHECK_EQ(buffer(p->fd, SO_SNDBUF), 20000);
}

RAW_TEST(knob_congestion_control, "Linux", T_BOTH)
{
	char name[16] = "";
	socklen_t len = sizeof(name);

	sut_sysctl("tcp_congestion_control", "reno");
	p->fd = sut_socket();
	CHECK(!getsockopt(p->fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	CHECK(!strcmp(name, "reno"));
}

/* Orphans that may be kept: one is reset at once, none is with the default. */
RAW_TEST(knob_max_orphans_default, "4-11", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	peer_rx_none(p, 50);
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
}

/* Two ACKs to bad segments, however quick: the knob is the time between them. */
RAW_TEST(knob_invalid_ratelimit, "RFC 5961 7", T_XTCP)
{
	int i, n = 0;

	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	for (i = 0; i < 5; i++)
		peer_tx(p, "R seq=2");
	while (peer_rx_any(p, 100))
		n++;
	CHECK_EQ(n, 5);
}

/* ---- tcp_reflect_tos */

#define EF	0xb8	/* of SYNs */
#define AF21	0x48	/* of third segments */
#define AF11	0x28	/* of listeners */

static void tos_listen(struct peer *p, const char *knob)
{
	sut_sysctl("tcp_reflect_tos", knob);
	p->lfd = sut_socket();
	sut_opt(p->lfd, raw.v6 ? IPPROTO_IPV6 : IPPROTO_IP, raw.v6 ? IPV6_TCLASS : IP_TOS, AF11);
	sut_listen(p, 8);
}

/* Data, and the ACK of the peer's FIN in TIME_WAIT, go with @tos. */
static void tos_goes_on(struct peer *p, int tos)
{
	int val = 0;
	socklen_t len = sizeof(val);

	sut_accept(p);
	CHECK(!getsockopt(p->fd, raw.v6 ? IPPROTO_IPV6 : IPPROTO_IP,
			  raw.v6 ? IPV6_TCLASS : IP_TOS, &val, &len));
	CHECK_EQ(val, tos);
	sut_write(p, 10);
	peer_rx(p, 500, "A seq=1 len=10 tos=%d", tos);
	peer_tx(p, "A tos=%d", AF21);
	sut_close(p);
	peer_rx(p, 500, "FA seq=11 tos=%d", tos);
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2 tos=%d", tos);
	sut_wait_state(p, ST_TIME_WAIT, 500);
	peer_tx(p, "FA seq=1");
	peer_rx(p, 500, "A ack=2 tos=%d", tos);
}

RAW_TEST(reflect_tos, "tcp_reflect_tos", T_BOTH)
{
	tos_listen(p, "1");
	/* without the ECN field: ECT(1) is a bit of the network's */
	peer_tx(p, "S mss=1000 tos=%d", EF | 1);
	peer_rx(p, 500, "SA ack=1 tos=%d", EF);
	/* of the request, whoever asks and when */
	peer_rx(p, 1500, "SA ack=1 tos=%d", EF);
	peer_tx(p, "S seq=0 mss=1000");
	peer_rx(p, 500, "SA ack=1 tos=%d", EF);
	peer_tx(p, "A seq=1 tos=%d", AF21);
	tos_goes_on(p, EF);
}

RAW_TEST(reflect_tos_zero, "tcp_reflect_tos", T_BOTH)
{
	tos_listen(p, "1");
	peer_tx(p, "S mss=1000");
	peer_rx(p, 500, "SA ack=1 tos=0");
	peer_tx(p, "A tos=%d", AF21);
	tos_goes_on(p, 0);
}

RAW_TEST(reflect_tos_off, "tcp_reflect_tos", T_BOTH)
{
	tos_listen(p, "0");
	peer_tx(p, "S mss=1000 tos=%d", EF);
	peer_rx(p, 500, "SA ack=1 tos=%d", AF11);
	peer_tx(p, "A tos=%d", AF21);
	tos_goes_on(p, AF11);
}

/* A cookie has no room for it: the third segment's counts then. */
RAW_TEST(reflect_tos_cookie, "tcp_reflect_tos", T_BOTH)
{
	if (!sut_sysctl("tcp_syncookies", "2"))
		raw_skip("kernel without SYN cookies");
	tos_listen(p, "1");
	peer_tx(p, "S mss=1000 tos=%d", EF);
	peer_rx(p, 500, "SA ack=1 tos=%d", EF);
	peer_tx(p, "A tos=%d", AF21);
	tos_goes_on(p, AF21);
}

RAW_TEST(reflect_tos_ecn, "tcp_reflect_tos beside RFC 3168", T_BOTH)
{
	tos_listen(p, "1");
	peer_tx(p, "SEC mss=1000 tos=%d", EF);
	peer_rx(p, 500, "SAE ack=1 tos=%d", EF);
	peer_tx(p, "A");
	sut_accept(p);
	sut_write(p, 10);
	peer_rx(p, 500, "A seq=1 len=10 tos=%d", EF | 2);
}
