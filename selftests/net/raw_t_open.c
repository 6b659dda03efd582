// SPDX-License-Identifier: GPL-2.0
/* Opening: handshake fields, options, wrong acks, simultaneous open. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

static int mss_of_link(void)
{
	return 1500 - 20 - (raw.v6 ? 40 : 20);
}

RAW_TEST(open_active_fields, "0-2 0-3 0-5 4-35 4-80", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S ack=%d len=0 mss=%d ws<15 sackok ts ecr=0",
		(int)-p->isn, mss_of_link());
	CHECK_EQ(p->last->ttl, 64);
	CHECK(p->last->df);
	CHECK(p->last->win >= 4 * 536);
	CHECK_EQ(sut_state(p), ST_SYN_SENT);
	peer_tx(p, "SA ack=1 mss=1460 sackok ws=7");
	peer_rx(p, 500, "A seq=1 ack=1 len=0 nots nomss nows");
	CHECK_EQ(sut_connect_errno(p, 1000), 0);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(open_passive_fields, "0-4 0-5 0-7 4-18 4-35", T_BOTH)
{
	sut_listen(p, 8);
	p->ts = true;
	peer_tx(p, "S mss=1460 sackok ws=7 ts");
	peer_rx(p, 500, "SA ack=1 len=0 mss=%d sackok ts ws<15", mss_of_link());
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	peer_tx(p, "A");
	sut_accept(p);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(open_passive_echoes_options, "RFC 9293 3.7.1, RFC 7323", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1000");
	peer_rx(p, 500, "SA ack=1 mss>0 nosackok nots nows");
	peer_tx(p, "A");
	sut_accept(p);
	sut_write(p, 3000);
	peer_rx(p, 500, "A len=1000 nots");
}

RAW_TEST(open_ts_echo, "4-95 RFC 7323 3.2", T_BOTH)
{
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460 tsval=77777 ecr=0");
	peer_rx(p, 500, "SA ack=1 ts ecr=77777 nows nosackok");
	peer_tx(p, "A tsval=77800 ecr=%u", p->last->tsval);
	sut_accept(p);
	sut_write(p, 10);
	peer_rx(p, 500, "PA len=10 ts ecr=77800");
}

RAW_TEST(open_no_mss_means_536, "4-35", T_BOTH)
{
	/* RFC 9293 3.7.1: 536 for IPv4, 1220 for IPv6; Linux has 536 for both */
	open_passive(p, "");
	sut_write(p, 3000);
	peer_rx(p, 500, "A len<1221");
	if (!raw.v6)
		CHECK_EQ(p->last->len, 536);
	else
		CHECK(p->last->len == 536 || p->last->len == 1220);
}

RAW_TEST(open_peer_mss_536, "4-35", T_BOTH)
{
	open_active(p, "mss=536");
	sut_write(p, 2000);
	peer_rx(p, 500, "A len=536");
	peer_rx(p, 500, "A len=536");
}

RAW_TEST(open_ts_shrink_payload, "RFC 6691", T_BOTH)
{
	open_active(p, "mss=1000 ts");
	sut_write(p, 3000);
	peer_rx(p, 500, "A len=988 ts");
}

RAW_TEST(open_tiny_mss_is_raised, "SACK panic 2019", T_BOTH)
{
	open_passive(p, "mss=1");
	sut_write(p, 200);
	peer_rx(p, 500, "A len>7");
}

RAW_TEST(open_wscale_15_means_14, "RFC 7323 2.3", T_BOTH)
{
	open_passive(p, "mss=1460 ws=15");
	peer_tx(p, "A win=1");
	/* 1 << 14 bytes of window, not 1 << 15; here bounded by cwnd */
	sut_write(p, 10000);
	while (p->sut_nxt != p->sut_isn + 10001)
		peer_rx(p, 500, "A len>0");
}

RAW_TEST(open_window_in_syn_is_not_scaled, "RFC 7323 2.2", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "SA ack=1 mss=500 ws=7 win=1000");
	peer_rx(p, 500, "A");
	sut_write(p, 3000);
	peer_rx(p, 500, "A len=500");
	peer_rx(p, 500, "A len=500");
	peer_rx_none(p, 100);
}

/* A client that says it will write at once need not send the third segment alone. */
static void speaks_first(struct peer *p, int optname, int val)
{
	if (p->fd < 0)
		p->fd = sut_socket();
	sut_opt(p->fd, IPPROTO_TCP, optname, val);
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "SA ack=1 mss=1460");
	CHECK_EQ(sut_connect_errno(p, 500), 0);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

static void third_rides(struct peer *p)
{
	peer_rx_none(p, 15);
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 ack=1 len=10");
}

RAW_TEST(third_ack_rides_on_data, "RFC 9293 3.5, TCP_QUICKACK", T_BOTH)
{
	speaks_first(p, TCP_QUICKACK, 0);
	third_rides(p);
	peer_tx(p, "PA ack=11 len=10");
	peer_rx(p, 500, "A ack=11");
}

RAW_TEST(third_ack_defer_accept, "RFC 9293 3.5, TCP_DEFER_ACCEPT", T_BOTH)
{
	speaks_first(p, TCP_DEFER_ACCEPT, 10);
	third_rides(p);
}

/* ... whatever else it has said of its ACKs, of which this says nothing. */
RAW_TEST(third_ack_defer_accept_quickack, "RFC 9293 3.5, TCP_DEFER_ACCEPT", T_BOTH)
{
	socklen_t len = sizeof(int);
	int quick = -1;

	p->fd = sut_socket();
	sut_opt(p->fd, IPPROTO_TCP, TCP_QUICKACK, 1);
	speaks_first(p, TCP_DEFER_ACCEPT, 10);
	CHECK(!getsockopt(p->fd, IPPROTO_TCP, TCP_QUICKACK, &quick, &len));
	CHECK_EQ(quick, 1);
	third_rides(p);
}

RAW_TEST(third_ack_waits_in_vain, "RFC 9293 3.5, TCP_QUICKACK", T_BOTH)
{
	u64 t0 = raw_now_us();
	struct segment *ack;

	speaks_first(p, TCP_QUICKACK, 0);
	ack = peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_MS((ack->at_us - t0) / 1000, 30, 220);
}

RAW_TEST(synsent_wrong_ack, "2-1 2-4 4-23", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "SA ack=-9 mss=1460");
	peer_rx(p, 500, "R seq=-9 len=0");
	CHECK_EQ(sut_state(p), ST_SYN_SENT);
	peer_rx(p, 1500, "S seq=0");
	peer_tx(p, "SA seq=0 ack=1 mss=1460");
	peer_rx(p, 500, "A seq=1 ack=1");
	CHECK_EQ(sut_connect_errno(p, 1000), 0);
}

RAW_TEST(synsent_rst_rules, "2-9", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "R seq=0");
	peer_tx(p, "RA seq=0 ack=7");
	CHECK_EQ(sut_state(p), ST_SYN_SENT);
	peer_tx(p, "RA seq=0 ack=1");
	CHECK_EQ(sut_connect_errno(p, 1000), ECONNREFUSED);
	CHECK_EQ(sut_state(p), ST_NONE);
	/* Linux answers a bad ack, even of a RST, with its SYN again */
	while (peer_rx_any(p, 50))
		CHECK(p->last->flags == TH_SYN);
}

RAW_TEST(synsent_ignores_ack_fin_data, "RFC 9293 3.10.7.3", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "F");
	peer_tx(p, "P len=10");
	p->nxt = p->isn;
	/* a good ACK without SYN: dropped, the wait goes on */
	peer_tx(p, "A ack=1");
	CHECK_EQ(sut_state(p), ST_SYN_SENT);
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A seq=1 ack=1");
	CHECK_EQ(sut_connect_errno(p, 1000), 0);
}

RAW_TEST(synsent_future_ack, "RFC 9293 3.10.7.3 first", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "A ack=2");
	peer_rx(p, 500, "R seq=2 len=0");
	CHECK_EQ(sut_state(p), ST_SYN_SENT);
}

RAW_TEST(synack_with_data, "4-19 RFC 9293 3.10.7.3 sixth", T_BOTH)
{
	/* Data on a SYN-ACK need not be kept, but nothing may break. */
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "SA ack=1 mss=1460 len=5");
	peer_rx(p, 500, "A seq=1");
	peer_tx(p, "PA seq=1 ack=1 len=5");
	sut_read(p, 5);
}

RAW_TEST(simultaneous_open, "4-128", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	peer_tx(p, "A ack=1");
	CHECK_EQ(sut_connect_errno(p, 1000), 0);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
}

RAW_TEST(simultaneous_open_synack, "4-128 RFC 9293 figure 8", T_BOTH)
{
	/* As figure 8 has it: both ends answer the SYN with a SYN-ACK. */
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_tx(p, "SA seq=0 ack=1 mss=1460");
	CHECK_EQ(sut_connect_errno(p, 1000), 0);
	sut_write(p, 10);
	do {
		CHECK(peer_rx_any(p, 500));
	} while (!p->last->len);
	CHECK_EQ(p->last->seq, p->sut_isn + 1);
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
}

RAW_TEST(simultaneous_open_retransmits, "4-128", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	peer_rx(p, 2500, "SA seq=0 ack=1");
	peer_tx(p, "RA ack=1");
	/* RFC 9293 3.10.7.4 second says refused; Linux says reset, and so do we */
	CHECK_EQ(sut_connect_errno(p, 1000), ECONNRESET);
}

RAW_TEST(syn_to_closed_port, "4-129", T_BOTH)
{
	/* AF_XTCP has taken over, but the kernel answers for what is not ours */
	int fd = sut_socket();

	p->sut_port = 999;
	peer_tx(p, "S");
	peer_rx(p, 500, "RA seq=%d ack=1 len=0", (int)-p->sut_isn);
	peer_tx(p, "S seq=0 len=9");
	peer_rx(p, 500, "RA ack=10 len=0");
	peer_tx(p, "A seq=1 ack=1234 len=9");
	peer_rx(p, 500, "R seq=1234 len=0");
	peer_tx(p, "R seq=1");
	peer_tx(p, "RA seq=1 ack=5");
	peer_rx_none(p, 50);
	close(fd);
}

RAW_TEST(port_65535, "4-8", T_BOTH)
{
	p->port = 65535;
	p->sut_port = 65535;
	open_active(p, "mss=1460");
	sut_write(p, 5);
	peer_rx(p, 500, "PA len=5");
}

RAW_TEST(isn_differs, "4-30", T_BOTH)
{
	u32 isn[3];
	int i;

	for (i = 0; i < 3; i++) {
		p->fd = -1;
		p->sut_port = 0;
		p->sut_known = false;
		sut_connect(p);
		peer_rx(p, 500, "S");
		isn[i] = p->sut_isn;
		sut_close(p);
		p->port++;
	}
	CHECK(isn[0] != isn[1] && isn[1] != isn[2] && isn[0] != isn[2]);
}

RAW_TEST(close_in_synsent, "RFC 9293 3.10.4", T_BOTH)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
	sut_close(p);
	CHECK_EQ(sut_state(p), ST_NONE);
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "R seq=1 len=0");
}

RAW_TEST(sysctl_options_off, "4-94 RFC 9293 3.1", T_BOTH)
{
	sut_sysctl("tcp_timestamps", "0");
	sut_sysctl("tcp_sack", "0");
	sut_sysctl("tcp_window_scaling", "0");
	sut_connect(p);
	peer_rx(p, 500, "S mss=%d nots nosackok nows", mss_of_link());
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A");
}

RAW_TEST(maxseg_in_syn, "TCP_MAXSEG", T_BOTH)
{
	p->fd = sut_socket();
	sut_opt(p->fd, IPPROTO_TCP, TCP_MAXSEG, 700);
	sut_connect(p);
	peer_rx(p, 500, "S mss=700");
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A");
	sut_write(p, 2000);
	peer_rx(p, 500, "A len=700");
}

RAW_TEST(mss_follows_mtu, "4-35", T_BOTH)
{
	raw_set_mtu(1300);
	sut_connect(p);
	peer_rx(p, 500, "S mss=%d", mss_of_link() - 200);
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A");
	sut_write(p, 4000);
	peer_rx(p, 500, "A len=%d", mss_of_link() - 200);
}

RAW_TEST(mss_jumbo, "4-35", T_BOTH)
{
	raw_set_mtu(9000);
	sut_listen(p, 8);
	peer_tx(p, "S mss=8960 ws=7");
	peer_rx(p, 500, "SA mss=%d", mss_of_link() + 7500);
	peer_tx(p, "A");
	sut_accept(p);
	sut_opt(p->fd, SOL_SOCKET, SO_SNDBUF, 100000);
	sut_write(p, 20000);
	peer_rx(p, 500, "A len=%d", raw.v6 ? 8940 : 8960);
}

RAW_TEST(ttl_and_tos, "IP_TTL IP_TOS IPV6_UNICAST_HOPS IPV6_TCLASS", T_BOTH)
{
	p->fd = sut_socket();
	if (raw.v6) {
		sut_opt(p->fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9);
		sut_opt(p->fd, IPPROTO_IPV6, IPV6_TCLASS, 0x48);
	} else {
		sut_opt(p->fd, IPPROTO_IP, IP_TTL, 9);
		sut_opt(p->fd, IPPROTO_IP, IP_TOS, 0x48);
	}
	sut_connect(p);
	peer_rx(p, 500, "S");
	CHECK_EQ(p->last->ttl, 9);
	CHECK_EQ(p->last->tos, 0x48);
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A");
	CHECK_EQ(p->last->ttl, 9);
	CHECK_EQ(p->last->tos, 0x48);
	sut_write(p, 10);
	peer_rx(p, 500, "PA");
	CHECK_EQ(p->last->ttl, 9);
}
