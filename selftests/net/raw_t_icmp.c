// SPDX-License-Identifier: GPL-2.0
/* ICMP errors: which end a connect(), which are only remembered, path MTU. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

#define PORT_UNREACH	3, 3, 1, 4, 0
#define HOST_UNREACH	3, 1, 1, 3, 0
#define PROHIBITED	3, 13, 1, 1, 0
#define TTL_EXCEEDED	11, 0, 3, 0, 0

static int connect_meets(struct peer *p, int t4, int c4, int t6, int c6, u32 mtu)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
	raw_send_icmp(p->last, t4, c4, t6, c6, mtu);
	return sut_connect_errno(p, 1000);
}

RAW_TEST(icmp_port_unreachable, "X-14", T_BOTH)
{
	CHECK_EQ(connect_meets(p, PORT_UNREACH), ECONNREFUSED);
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(icmp_host_unreachable, "X-14", T_BOTH)
{
	CHECK_EQ(connect_meets(p, HOST_UNREACH), EHOSTUNREACH);
}

RAW_TEST(icmp_prohibited, "X-14", T_BOTH)
{
	CHECK_EQ(connect_meets(p, PROHIBITED), raw.v6 ? EACCES : EHOSTUNREACH);
}

RAW_TEST(icmp_ttl_exceeded, "X-14 4-80", T_BOTH)
{
	CHECK_EQ(connect_meets(p, TTL_EXCEEDED), EHOSTUNREACH);
}

RAW_TEST(icmp_wrong_seq_ignored, "RFC 5927 4.1", T_BOTH)
{
	struct segment *syn;
	int hl = raw.v6 ? 40 : 20;

	sut_connect(p);
	peer_rx(p, 500, "S");
	syn = peer_keep(p);
	syn->ip[hl + 4] ^= 0x40;
	raw_send_icmp(syn, PORT_UNREACH);
	CHECK_EQ(sut_state(p), ST_SYN_SENT);
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A");
	CHECK_EQ(sut_connect_errno(p, 500), 0);
}

RAW_TEST(icmp_soft_when_established, "RFC 9293 3.9.2.2", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_write(p, 100);
	peer_rx(p, 500, "PA len=100");
	raw_send_icmp(p->last, HOST_UNREACH);
	raw_send_icmp(p->last, PORT_UNREACH);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	peer_tx(p, "A");
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
}

static int so_error(struct peer *p)
{
	socklen_t len = sizeof(int);
	int err = -1;

	CHECK(!getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &len));
	return err;
}

/* SO_ERROR tells of it once, and no more when something arrives again. */
RAW_TEST(icmp_soft_in_so_error, "RFC 9293 3.9.2.2", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_write(p, 100);
	peer_rx(p, 500, "PA len=100");
	raw_send_icmp(p->last, HOST_UNREACH);
	CHECK_EQ(so_error(p), EHOSTUNREACH);
	CHECK_EQ(so_error(p), 0);
	raw_send_icmp(p->last, HOST_UNREACH);
	peer_tx(p, "A ack=101");
	CHECK_EQ(so_error(p), 0);
}

RAW_TEST(icmp_path_mtu, "4-36 X-14", T_BOTH)
{
	int room = 1300 - 20 - (raw.v6 ? 40 : 20), sent = 0;

	open_passive(p, "mss=1440");
	sut_write(p, 5000);
	peer_rx(p, 500, "A seq=1 len=1440");
	raw_send_icmp(p->last, 3, 4, 2, 0, 1300);
	/* what was on its way comes again, in pieces that fit */
	for (;;) {
		CHECK(peer_rx_any(p, 2000));
		if (p->last->len <= room && p->last->seq == p->sut_isn + 1)
			break;
	}
	CHECK(p->last->len > room - 100);
	do {
		sent = p->last->seq + p->last->len - p->sut_isn - 1;
		if (p->last->len <= room)
			peer_tx(p, "A ack=%d", sent + 1);
		if (sent < 5000)
			CHECK(peer_rx_any(p, 2000));
		CHECK(p->last->len <= room || p->last->len == 1440);
	} while (sent < 5000);
}

RAW_TEST(icmp_path_mtu_wrong_seq, "RFC 5927 7", T_BOTH)
{
	struct segment *seg;
	int hl = raw.v6 ? 40 : 20;

	open_passive(p, "mss=1440");
	sut_write(p, 1440);
	peer_rx(p, 500, "A seq=1 len=1440");
	seg = peer_keep(p);
	peer_tx(p, "A");
	/* acknowledged already: whoever quotes it now is late or lying */
	seg->ip[hl + 4] ^= 0x40;
	raw_send_icmp(seg, 3, 4, 2, 0, 1300);
	sut_write(p, 1440);
	peer_rx(p, 500, "A seq=1441 len=1440");
}
