// SPDX-License-Identifier: GPL-2.0
/* ECN: who agrees to it, what is sent ECN-capable, echoes and reductions (RFC 3168). */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_info.h"

#define MSS 1000

/* A connection with ECN, as the peer asked for; @opts of its SYN. */
static void ecn_passive(struct peer *p, const char *opts)
{
	sut_sysctl("tcp_early_retrans", "0");
	sut_listen(p, 8);
	peer_tx(p, "SEC %s", opts);
	peer_rx(p, 500, "SAE ack=1 ecn=0");
	peer_tx(p, "A");
	sut_accept(p);
	sut_opt(p->fd, SOL_SOCKET, SO_SNDBUF, 400000);
	CHECK(raw_info(p->fd).tcpi_options & TCPI_OPT_ECN);
}

/* A SYN that gets a SYN-ACK without ECE, and a connection whose data is not ECN-capable. */
static void ecn_refused(struct peer *p, const char *syn)
{
	sut_listen(p, 8);
	peer_tx(p, "%s mss=1000", syn);
	peer_rx(p, 500, "SA ack=1 ecn=0");
	peer_tx(p, "A");
	sut_accept(p);
	CHECK(!(raw_info(p->fd).tcpi_options & TCPI_OPT_ECN));
	sut_write(p, 100);
	peer_rx(p, 500, "A seq=1 len=100 ecn=0");
}

RAW_TEST(ecn_passive, "RFC 3168 6.1.1", T_BOTH)
{
	ecn_passive(p, "mss=1000");
	sut_write(p, MSS);
	peer_rx(p, 500, "A seq=1 len=1000 ecn=2");
	CHECK(!(raw_info(p->fd).tcpi_options & TCPI_OPT_ECN_SEEN));
}

RAW_TEST(ecn_passive_off, "tcp_ecn", T_BOTH)
{
	sut_sysctl("tcp_ecn", "0");
	ecn_refused(p, "SEC");
}

RAW_TEST(ecn_passive_plain_syn, "RFC 3168 6.1.1", T_BOTH)
{
	ecn_refused(p, "S");
}

RAW_TEST(ecn_passive_ece_only, "RFC 3168 6.1.1", T_BOTH)
{
	ecn_refused(p, "SE");
}

RAW_TEST(ecn_passive_cwr_only, "RFC 3168 6.1.1", T_BOTH)
{
	ecn_refused(p, "SC");
}

RAW_TEST(ecn_passive_capable_syn, "RFC 3168 6.1.1: no ECT on a SYN", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "SEC mss=1000 ecn=2");
	peer_rx(p, 500, "SA ack=1 ecn=0");
}

RAW_TEST(ecn_passive_marked_syn, "RFC 3168 6.1.1: no CE on a SYN", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "SEC mss=1000 ecn=3");
	peer_rx(p, 500, "SA ack=1 ecn=0");
}

/* The SYN-ACK keeps its ECE: a host that sent it once must not take it back (6.1.1). */
RAW_TEST(ecn_synack_again, "RFC 3168 6.1.1", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "SEC mss=1000");
	peer_rx(p, 500, "SAE ack=1");
	peer_rx(p, 2000, "SAE ack=1 ecn=0");
}

RAW_TEST(ecn_cookie, "RFC 4987 3.6, ECN in the timestamp", T_BOTH)
{
	if (!sut_sysctl("tcp_syncookies", "2"))
		raw_skip("kernel without SYN cookies");
	sut_listen(p, 8);
	p->ts = true;
	peer_tx(p, "SEC mss=1460 sackok ts");
	peer_rx(p, 500, "SAE ack=1");
	peer_tx(p, "A");
	sut_accept(p);
	CHECK(raw_info(p->fd).tcpi_options & TCPI_OPT_ECN);
	sut_write(p, 100);
	peer_rx(p, 500, "A seq=1 len=100 ecn=2");
}

RAW_TEST(ecn_cookie_not_asked, "RFC 4987 3.6", T_BOTH)
{
	if (!sut_sysctl("tcp_syncookies", "2"))
		raw_skip("kernel without SYN cookies");
	p->ts = true;
	open_passive(p, "mss=1460 sackok ts");
	CHECK(!(raw_info(p->fd).tcpi_options & TCPI_OPT_ECN));
	sut_write(p, 100);
	peer_rx(p, 500, "A seq=1 len=100 ecn=0");
}

/* Without a timestamp a cookie has no room for it. */
RAW_TEST(ecn_cookie_no_ts, "RFC 4987 3.6, 4-60", T_BOTH)
{
	if (!sut_sysctl("tcp_syncookies", "2"))
		raw_skip("kernel without SYN cookies");
	ecn_refused(p, "SEC");
}

/* ---- active */

RAW_TEST(ecn_active_default, "tcp_ecn", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S ecn=0");
}

static void ecn_connect(struct peer *p, const char *answer, bool agreed)
{
	sut_sysctl("tcp_ecn", "1");
	sut_connect(p);
	peer_rx(p, 500, "SEC ecn=0");
	peer_tx(p, "%s ack=1 mss=1000", answer);
	peer_rx(p, 500, "A seq=1 ack=1 len=0 ecn=0");
	CHECK_EQ(sut_connect_errno(p, 500), 0);
	CHECK_EQ(!!(raw_info(p->fd).tcpi_options & TCPI_OPT_ECN), agreed);
	sut_write(p, MSS);
	peer_rx(p, 500, "A seq=1 len=1000 ecn=%d", agreed ? 2 : 0);
}

RAW_TEST(ecn_active, "RFC 3168 6.1.1", T_BOTH)
{
	ecn_connect(p, "SAE", true);
}

RAW_TEST(ecn_active_refused, "RFC 3168 6.1.1", T_BOTH)
{
	ecn_connect(p, "SA", false);
}

/* The reserved bits sent back by somebody who knows nothing of them. */
RAW_TEST(ecn_active_reflected, "RFC 3168 6.1.1", T_BOTH)
{
	ecn_connect(p, "SAEC", false);
}

RAW_TEST(ecn_fallback, "RFC 3168 6.1.1.1", T_BOTH)
{
	sut_sysctl("tcp_ecn", "1");
	sut_connect(p);
	peer_rx(p, 500, "SEC");
	peer_rx(p, 2000, "S seq=0");
	/* the answer to the first SYN may be late: it holds */
	peer_tx(p, "SAE ack=1 mss=1000");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK(raw_info(p->fd).tcpi_options & TCPI_OPT_ECN);
}

RAW_TEST(ecn_no_fallback, "tcp_ecn_fallback", T_BOTH)
{
	sut_sysctl("tcp_ecn", "1");
	sut_sysctl("tcp_ecn_fallback", "0");
	sut_connect(p);
	peer_rx(p, 500, "SEC");
	peer_rx(p, 2000, "SEC seq=0 ecn=0");
}

RAW_TEST(ecn_simultaneous, "RFC 3168 6.1.1", T_BOTH)
{
	sut_sysctl("tcp_ecn", "1");
	sut_connect(p);
	peer_rx(p, 500, "SEC");
	peer_tx(p, "SEC mss=1000");
	peer_rx(p, 500, "SAE seq=0 ack=1 ecn=0");
	peer_tx(p, "SAE seq=0 ack=1 mss=1000");
	CHECK_EQ(sut_connect_errno(p, 500), 0);
	CHECK(raw_info(p->fd).tcpi_options & TCPI_OPT_ECN);
}

/* ---- the receiver */

RAW_TEST(ecn_echo, "RFC 3168 6.1.3", T_BOTH)
{
	ecn_passive(p, "mss=1000");
	peer_tx(p, "A len=1000 ecn=2");
	peer_rx(p, 500, "A ack=1001 ecn=0");
	CHECK(raw_info(p->fd).tcpi_options & TCPI_OPT_ECN_SEEN);
	peer_tx(p, "A len=1000 ecn=3");
	peer_rx(p, 500, "AE ack=2001 ecn=0");
	/* until the sender says that it has slowed down */
	peer_tx(p, "A len=1000 ecn=2");
	peer_rx(p, 500, "AE ack=3001");
	sut_write(p, 100);
	peer_rx(p, 500, "AE seq=1 len=100 ecn=2");
	peer_tx(p, "AC len=1000 ack=101 ecn=2");
	peer_rx(p, 500, "A ack=4001");
	peer_tx(p, "A len=1000 ecn=2");
	peer_rx(p, 500, "A ack=5001");
}

RAW_TEST(ecn_echo_again, "RFC 3168 6.1.3: CE on the segment with CWR", T_BOTH)
{
	ecn_passive(p, "mss=1000");
	peer_tx(p, "A len=1000 ecn=3");
	peer_rx(p, 500, "AE ack=1001");
	peer_tx(p, "AC len=1000 ecn=3");
	peer_rx(p, 500, "AE ack=2001");
	peer_tx(p, "AC len=0");
	peer_tx(p, "A len=1000 ecn=2");
	peer_rx(p, 500, "A ack=3001");
}

RAW_TEST(ecn_echo_out_of_order, "RFC 3168 6.1.3", T_BOTH)
{
	ecn_passive(p, "mss=1000 sackok");
	peer_tx(p, "A seq=1001 len=1000 ecn=3");
	peer_rx(p, 500, "AE ack=1 sack=1001-2001");
}

/* Who is off the path must not slow anybody down: nothing outside the window counts. */
RAW_TEST(ecn_echo_not_out_of_window, "RFC 3168 6.1.3", T_BOTH)
{
	ecn_passive(p, "mss=1000");
	peer_tx(p, "A len=1000 ecn=2");
	peer_rx(p, 500, "A ack=1001");
	peer_tx(p, "A seq=1 len=1000 ecn=3");
	peer_rx(p, 500, "A ack=1001");
	peer_tx(p, "A seq=10000001 len=1000 ecn=3");
	peer_rx(p, 500, "A ack=1001");
}

RAW_TEST(ecn_echo_pure_ack, "RFC 3168 6.1.4: CE on a pure ACK means nothing", T_BOTH)
{
	ecn_passive(p, "mss=1000");
	sut_write(p, MSS);
	peer_rx(p, 500, "A seq=1 len=1000");
	peer_tx(p, "A ack=1001 ecn=3");
	sut_write(p, MSS);
	peer_rx(p, 500, "A seq=1001 len=1000");
}

RAW_TEST(ecn_echo_not_negotiated, "RFC 3168 6.1.3", T_BOTH)
{
	open_passive(p, "mss=1000");
	peer_tx(p, "A len=1000 ecn=3");
	peer_rx(p, 500, "A ack=1001");
	CHECK(!(raw_info(p->fd).tcpi_options & TCPI_OPT_ECN_SEEN));
}

RAW_TEST(ecn_echo_retransmission, "RFC 3168 6.1.5: the echo goes with it, ECT does not", T_BOTH)
{
	ecn_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	peer_tx(p, "A len=1000 ecn=3");
	peer_rx(p, 500, "AE ack=1001");
	sut_write(p, MSS);
	peer_rx(p, 500, "AE seq=1 len=1000 ecn=2");
	peer_rx(p, 1000, "AE seq=1 len=1000 ecn=0");
}

/* ---- the sender */

static void ten_segments(struct peer *p, int write)
{
	int i;

	sut_write(p, write);
	for (i = 0; i < 10; i++)
		peer_rx(p, 500, "A seq=%d len=1000 ecn=2", 1 + MSS * i);
}

/* How much comes now; counts retransmissions and CWRs, all of them in *@cwr. */
static int take_all(struct peer *p, u32 from, int *cwr)
{
	struct segment *seg;
	int n = 0;

	while ((seg = peer_rx_any(p, 100))) {
		if (seg->flags & TH_CWR) {
			CHECK_EQ(seg->seq - p->sut_isn, from);
			*cwr += 1;
		}
		if (!seg->len)
			continue;
		CHECK((int)(seg->seq - p->sut_isn - from) >= 0);
		CHECK_EQ(seg->tos & 3, 2);
		n += seg->len;
	}
	return n;
}

RAW_TEST(ecn_reduction, "RFC 3168 6.1.2", T_BOTH)
{
	int i, cwr = 0, got;

	ecn_passive(p, "mss=1000");
	ten_segments(p, 40000);
	for (i = 1; i <= 10; i++)
		peer_tx(p, "AE ack=%d", 1 + MSS * i);
	got = take_all(p, 10001, &cwr);
	/* 0.7 of ten segments; nothing is sent twice, CWR is said once */
	CHECK_EQ(cwr, 1);
	CHECK_RANGE(got, 6 * MSS, 8 * MSS);
	CHECK_EQ(raw_info(p->fd).tcpi_ca_state, 2);
	CHECK_EQ(raw_info(p->fd).tcpi_snd_ssthresh, 7);
	CHECK_EQ(raw_info(p->fd).tcpi_total_retrans, 0);
	CHECK_EQ(raw_info(p->fd).tcpi_delivered_ce, 10);
	/* it arrived: once more the peer saw a mark, once more half the rate */
	peer_tx(p, "A ack=%d", 10001 + MSS);
	CHECK_RANGE(raw_info(p->fd).tcpi_snd_cwnd, 6, 8);
	CHECK_EQ(raw_info(p->fd).tcpi_ca_state, 0);
	cwr = 0;
	got = take_all(p, 10001 + got, &cwr);
	CHECK_EQ(cwr, 0);
}

RAW_TEST(ecn_reduction_each_window, "RFC 3168 6.1.2", T_BOTH)
{
	int cwr = 0, got, from = 10001;

	ecn_passive(p, "mss=1000");
	ten_segments(p, 60000);
	peer_tx(p, "AE ack=10001");
	got = take_all(p, from, &cwr);
	CHECK_EQ(cwr, 1);
	CHECK_EQ(raw_info(p->fd).tcpi_snd_ssthresh, 7);
	/* an echo that comes with the ACK of the CWR is a new one */
	from += got;
	peer_tx(p, "AE ack=%d", from);
	got = take_all(p, from, &cwr);
	CHECK_EQ(cwr, 2);
	CHECK_EQ(raw_info(p->fd).tcpi_snd_ssthresh, 4);
	CHECK_EQ(raw_info(p->fd).tcpi_total_retrans, 0);
}

RAW_TEST(ecn_smallest_window, "RFC 3168 6.1.2: never below one segment", T_BOTH)
{
	int i, cwr = 0, got, from = 10001;

	ecn_passive(p, "mss=1000");
	ten_segments(p, 60000);
	peer_tx(p, "AE ack=10001");
	for (i = 0; i < 8; i++) {
		got = take_all(p, from, &cwr);
		CHECK(got >= MSS);
		from += got;
		peer_tx(p, "AE ack=%d", from);
	}
	CHECK_EQ(raw_info(p->fd).tcpi_snd_ssthresh, 2);
	CHECK_RANGE(raw_info(p->fd).tcpi_snd_cwnd, 1, 2);
}

RAW_TEST(ecn_lie_not_negotiated, "RFC 3168: ECE without ECN means nothing", T_BOTH)
{
	int i;

	open_passive(p, "mss=1000");
	sut_opt(p->fd, SOL_SOCKET, SO_SNDBUF, 400000);
	sut_write(p, 40000);
	for (i = 0; i < 10; i++)
		peer_rx(p, 500, "A seq=%d len=1000 ecn=0", 1 + MSS * i);
	for (i = 1; i <= 10; i++)
		peer_tx(p, "AEC ack=%d", 1 + MSS * i);
	for (i = 0; i < 10; i++)
		peer_rx(p, 500, "A seq=%d len=1000 ecn=0", 10001 + MSS * i);
	CHECK(raw_info(p->fd).tcpi_snd_cwnd > 10);
	CHECK_EQ(raw_info(p->fd).tcpi_delivered_ce, 0);
}

RAW_TEST(ecn_lie_old_ack, "RFC 3168: ECE on an ACK of the past", T_BOTH)
{
	int cwr = 0;

	ecn_passive(p, "mss=1000");
	ten_segments(p, 40000);
	peer_tx(p, "A ack=2001");
	peer_tx(p, "AE ack=1001");
	peer_tx(p, "AE ack=1");
	CHECK(take_all(p, 10001, &cwr) >= 2 * MSS);
	CHECK_EQ(cwr, 0);
	CHECK_EQ(raw_info(p->fd).tcpi_ca_state, 0);
	CHECK_EQ(raw_info(p->fd).tcpi_snd_cwnd, 12);
}

RAW_TEST(ecn_lie_idle, "RFC 3168: ECE with nothing in flight", T_BOTH)
{
	ecn_passive(p, "mss=1000");
	sut_write(p, MSS);
	peer_rx(p, 500, "A seq=1 len=1000");
	peer_tx(p, "A ack=1001");
	peer_tx(p, "AE ack=1001");
	peer_tx(p, "AE ack=1001 len=10");
	peer_rx(p, 500, "A ack=11");
	CHECK_EQ(raw_info(p->fd).tcpi_ca_state, 0);
	CHECK(raw_info(p->fd).tcpi_snd_cwnd >= 10);
	sut_write(p, MSS);
	peer_rx(p, 500, "A seq=1001 len=1000 ecn=2");
}

RAW_TEST(ecn_loss, "RFC 3168 6.1.2, 6.1.5: CWR after a loss, no ECT on what goes again", T_BOTH)
{
	ecn_passive(p, "mss=1000 sackok");
	ten_segments(p, 30000);
	peer_tx(p, "A ack=1 sack=1001-10001");
	peer_rx(p, 200, "A seq=1 len=1000 ecn=0");
	peer_rx(p, 200, "AC seq=10001 len=1000 ecn=2");
	peer_rx(p, 200, "A seq=11001 len=1000 ecn=2");
}

/* Loss and echo in one window: one reduction for both. */
RAW_TEST(ecn_loss_and_echo, "RFC 3168 6.1.2", T_BOTH)
{
	int i, cwr = 0;

	ecn_passive(p, "mss=1000 sackok");
	ten_segments(p, 30000);
	/* Linux holds back what is less than a third of the window */
	for (i = 1; i <= 6; i++)
		peer_tx(p, "AE ack=%d", 1 + MSS * i);
	CHECK_RANGE(take_all(p, 10001, &cwr), MSS, 5 * MSS);
	CHECK_EQ(cwr, 1);
	CHECK_EQ(raw_info(p->fd).tcpi_snd_ssthresh, 7);
	peer_tx(p, "AE ack=6001 sack=7001-10001");
	peer_rx(p, 200, "A seq=6001 len=1000 ecn=0");
	CHECK_EQ(raw_info(p->fd).tcpi_ca_state, 3);
	CHECK_EQ(raw_info(p->fd).tcpi_snd_ssthresh, 7);
}

RAW_TEST(ecn_timeout, "RFC 3168 6.1.2, 6.1.5", T_BOTH)
{
	ecn_passive(p, "mss=1000");
	sut_write(p, MSS);
	peer_rx(p, 500, "A seq=1 len=1000 ecn=2");
	peer_rx(p, 1000, "A seq=1 len=1000 ecn=0");
	peer_tx(p, "A ack=1001");
	sut_write(p, MSS);
	peer_rx(p, 500, "AC seq=1001 len=1000 ecn=2");
}

RAW_TEST(ecn_not_on_the_rest, "RFC 3168 6.1.4, 6.1.6: ACK, FIN, RST, probe", T_BOTH)
{
	ecn_passive(p, "mss=1000");
	p->win = 0;
	peer_tx(p, "A len=1000 ecn=2");
	peer_rx(p, 500, "A ack=1001 ecn=0");
	/* at the SYN's sequence number it would be no update */
	peer_tx(p, "A");
	sut_write(p, 100);
	peer_rx(p, 1000, "A len<2 ecn=0");
	p->win = 65535;
	peer_tx(p, "A ack=1");
	peer_rx(p, 500, "A seq=1 len=100 ecn=2");
	peer_tx(p, "A ack=101");
	sut_shutdown(p);
	peer_rx(p, 500, "FA seq=101 ecn=0");
	peer_tx(p, "A ack=102");
	/* with 1000 bytes unread */
	sut_close(p);
	peer_rx(p, 500, "RA seq=102 ecn=0");
	peer_tx(p, "A len=100 ecn=2");
	peer_rx(p, 500, "R ecn=0");
}

RAW_TEST(ecn_not_in_timewait, "RFC 3168 6.1.4", T_BOTH)
{
	ecn_passive(p, "mss=1000");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ecn=0");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A ack=2 ecn=0");
	peer_tx(p, "FA seq=1 ack=2 ecn=3");
	peer_rx(p, 500, "A ack=2 ecn=0");
}

/* A program's TOS leaves the two bits alone. */
RAW_TEST(ecn_tos, "RFC 3168 5, IP_TOS", T_BOTH | T_V4)
{
	int tos = 0x13;
	socklen_t len = sizeof(tos);

	ecn_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_IP, IP_TOS, tos);
	CHECK(!getsockopt(p->fd, IPPROTO_IP, IP_TOS, &tos, &len));
	CHECK_EQ(tos, 0x10);
	sut_write(p, MSS);
	peer_rx(p, 500, "A seq=1 len=1000");
	CHECK_EQ(p->last->tos, 0x12);
	peer_tx(p, "A len=1000 ecn=3 ack=1001");
	peer_rx(p, 500, "AE ack=1001");
	CHECK_EQ(p->last->tos, 0x10);
}
