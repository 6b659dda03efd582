// SPDX-License-Identifier: GPL-2.0
/* Established: numbers, header, order, damage, and who may disturb it. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_addr.h"
#include "raw_peer.h"

#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US	45
#endif

static int ip_header(void)
{
	return raw.v6 ? 40 : 20;
}

static int unacked(int fd)
{
	int n = -1;

	CHECK(!ioctl(fd, SIOCOUTQ, &n));
	return n;
}

RAW_TEST(seq_advances_by_bytes, "4-1 4-2", T_BOTH)
{
	static const int size[] = { 1, 100, 7, 1400, 2 };
	int i, seq = 1, ack = 1;

	/* SYN counts one, every byte one, FIN one; the ack is the next one expected */
	open_passive(p, "mss=1460");
	for (i = 0; i < 5; i++) {
		sut_write(p, size[i]);
		peer_rx(p, 500, "A seq=%d len=%d", seq, size[i]);
		seq += size[i];
		peer_tx(p, "A");
		peer_tx(p, "PA len=%d", size[i]);
		ack += size[i];
		peer_rx(p, 500, "A seq=%d ack=%d len=0", seq, ack);
		sut_read(p, size[i]);
	}
	sut_shutdown(p);
	peer_rx(p, 500, "FA seq=%d ack=%d", seq, ack);
	peer_tx(p, "A");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A seq=%d ack=%d len=0", seq + 1, ack + 1);
}

RAW_TEST(flags_mean, "4-4 4-3", T_BOTH)
{
	/* SYN set the number, ACK is in all that follows, FIN ends, RST ends at once */
	open_passive(p, "mss=1460");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 ack=1 len=10");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_eof(p);
	peer_tx(p, "R seq=2");
	CHECK_EQ(sut_state(p), ST_NONE);
	peer_tx(p, "A seq=2 ack=11");
	peer_rx(p, 500, "R seq=11 len=0");
}

RAW_TEST(header_twenty_bytes, "4-12 4-35", T_BOTH)
{
	/* five words without options, the stream cut at the MSS agreed */
	open_passive(p, "mss=500");
	sut_write(p, 1200);
	peer_rx(p, 500, "A seq=1 len=500");
	CHECK_EQ(p->last->doff, 5);
	CHECK_EQ(p->last->ip_len, ip_header() + 20 + 500);
	peer_rx(p, 500, "A seq=501 len=500");
	CHECK_EQ(p->last->ip_len, ip_header() + 20 + 500);
	peer_tx(p, "A ack=1001");
	if (p->sut_nxt != p->sut_isn + 1201)
		peer_rx(p, 500, "PA seq=1001 len=200");
	CHECK_EQ(p->last->doff, 5);
	CHECK_EQ(p->last->ip_len, ip_header() + 20 + 200);
}

RAW_TEST(header_length_says_where, "4-13 4-95", T_BOTH)
{
	/* with timestamps eight words; the data still begins where the field says */
	open_passive(p, "mss=500 ts");
	sut_write(p, 100);
	peer_rx(p, 500, "PA seq=1 len=100 ts");
	CHECK_EQ(p->last->doff, 8);
	CHECK_EQ(p->last->ip_len, ip_header() + 32 + 100);
	peer_tx(p, "PA len=100");
	sut_read(p, 100);
}

RAW_TEST(header_length_impossible, "4-13 X-20", T_BOTH)
{
	long drops = raw.xtcp ? sut_mib("DropHdr") : 0;
	int d;

	/* below five words, or beyond the end of a segment without data */
	open_passive(p, "mss=1460");
	for (d = 1; d < 5; d++)
		peer_tx(p, "A seq=1 doff=%d", d);
	for (d = 6; d < 16; d++)
		peer_tx(p, "A seq=1 doff=%d", d);
	peer_rx_none(p, 50);
	if (raw.xtcp)
		CHECK_EQ(sut_mib("DropHdr"), drops + 14);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
}

RAW_TEST(damage_and_disorder, "4-5 4-6 4-28", T_BOTH)
{
	static const int at[] = { 3, 1, 1, 7, 5, 3, 0, 9, 2, 2, 8, 4, 6, 0, 9 };
	bool have[10] = { false };
	int i, got = 0;

	/* ten pieces in any order, some twice, each first with a wrong checksum */
	open_passive(p, "mss=1460");
	for (i = 0; i < 15; i++) {
		peer_tx(p, "PA seq=%d len=100 badcsum", 1 + 100 * at[i]);
		peer_tx(p, "PA seq=%d len=100", 1 + 100 * at[i]);
		have[at[i]] = true;
		while (got < 10 && have[got])
			got++;
		/* what is complete is acknowledged and readable, no more */
		peer_rx(p, 500, "A ack=%d len=0", 1 + 100 * got);
	}
	CHECK_EQ(got, 10);
	sut_read(p, 1000);
	CHECK_EQ(sut_poll(p->fd, POLLIN, 0), 0);
}

RAW_TEST(sender_sees_what_arrived, "4-28 4-2", T_BOTH)
{
	open_passive(p, "mss=500");
	sut_write(p, 1000);
	peer_rx(p, 500, "A seq=1 len=500");
	peer_rx(p, 500, "A seq=501 len=500");
	CHECK_EQ(unacked(p->fd), 1000);
	peer_tx(p, "A ack=501");
	CHECK_EQ(unacked(p->fd), 500);
	peer_tx(p, "A ack=1");
	CHECK_EQ(unacked(p->fd), 500);
	peer_tx(p, "A ack=1001");
	CHECK_EQ(unacked(p->fd), 0);
}

RAW_TEST(lost_one_of_ten, "4-37 4-12 4-5", T_BOTH)
{
	int i, n = 0;

	/* the fourth is lost: it alone comes again */
	sut_sysctl("tcp_early_retrans", "0");
	open_passive(p, "mss=1000 sackok");
	sut_write(p, 10000);
	while (p->sut_nxt != p->sut_isn + 10001)
		CHECK(peer_rx_any(p, 500));
	peer_tx(p, "A ack=3001");
	for (i = 5; i <= 10; i++)
		peer_tx(p, "A ack=3001 sack=4001-%d", 1 + 1000 * i);
	while (peer_rx_any(p, 150)) {
		CHECK_EQ((int)(p->last->seq - p->sut_isn), 3001);
		CHECK_EQ(p->last->len, 1000);
		n++;
		peer_tx(p, "A ack=10001");
	}
	CHECK_EQ(n, 1);
	CHECK_EQ(unacked(p->fd), 0);
}

RAW_TEST(no_fragments, "4-36 4-12", T_BOTH)
{
	/* no packet is larger than the link, and IPv4 says that none may be cut */
	raw_set_mtu(1280);
	open_passive(p, "mss=9000");
	sut_write(p, 5000);
	while (p->sut_nxt != p->sut_isn + 5001) {
		CHECK(peer_rx_any(p, 1000));
		CHECK(p->last->ip_len <= 1280);
		CHECK(p->last->df);
		peer_tx(p, "A ack=%d", (int)(p->sut_nxt - p->sut_isn));
	}
}

RAW_TEST(rto_doubles, "1-19 D-17 4-47", T_BOTH)
{
	struct segment *first;
	int i, want = 200, sum = 0;

	/* 0.2, 0.4, 0.8, 1.6 s after a round trip of next to nothing */
	open_passive(p, "mss=1000");
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10 skip");
	first = peer_keep(p);
	for (i = 0; i < 4; i++, want *= 2) {
		sum += want;
		peer_rx(p, want * 3 / 2 + 100, "PA seq=1 len=10");
		CHECK_MS(seg_gap_ms(first, p->last), sum - 10, sum * 5 / 4 + 60);
	}
	free(first);
}

RAW_TEST(rto_follows_rtt, "D-17 1-19", T_BOTH)
{
	struct segment *first;
	int i;

	/* every answer takes 300 ms, from the handshake on: the timeout is more than that */
	sut_listen(p, 8);
	peer_tx(p, "S mss=1000");
	peer_rx(p, 500, "SA ack=1");
	peer_rx_none(p, 300);
	peer_tx(p, "A");
	sut_accept(p);
	for (i = 0; i < 4; i++) {
		sut_write(p, 10);
		peer_rx(p, 500, "PA seq=%d len=10", 1 + 10 * i);
		peer_rx_none(p, 300);
		peer_tx(p, "A");
	}
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=41 len=10");
	first = peer_keep(p);
	peer_rx(p, 2000, "PA seq=41 len=10");
	CHECK_MS(seg_gap_ms(first, p->last), 450, 1100);
	free(first);
}

static void one_timeout(struct peer *p, int min_ms, int max_ms)
{
	struct segment *first;

	open_passive(p, "mss=1000");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
	first = peer_keep(p);
	peer_rx(p, 1000, "PA seq=1 len=10");
	CHECK_MS(seg_gap_ms(first, p->last), min_ms, max_ms);
	free(first);
}

RAW_TEST(rto_min_is_a_knob, "D-17", T_XTCP)
{
	sut_sysctl("tcp_rto_min_us", "50000");
	one_timeout(p, 45, 90);
}

static void route_rto_min(const char *value)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "ip -%d route add %s dev raw0 rto_min %s", raw.v6 ? 6 : 4,
		 raw.v6 ? PEER_ADDR6 : PEER_ADDR4, value);
	CHECK(!system(cmd));
}

RAW_TEST(rto_min_of_the_route, "D-17 RFC 6298 2.4", T_BOTH)
{
	route_rto_min("50ms");
	one_timeout(p, 45, 110);
}

/* The user's, which a child inherits, before the namespace's; but a route's goes first. */
RAW_TEST(rto_min_of_the_socket, "D-17 RFC 6298 2.4", T_XTCP)
{
	sut_listen(p, 8);
	sut_opt(p->lfd, IPPROTO_TCP, TCP_RTO_MIN_US, 60000);
	one_timeout(p, 55, 110);
}

RAW_TEST(rto_min_route_goes_first, "D-17 RFC 6298 2.4", T_XTCP)
{
	route_rto_min("400ms");
	sut_listen(p, 8);
	sut_opt(p->lfd, IPPROTO_TCP, TCP_RTO_MIN_US, 60000);
	one_timeout(p, 395, 480);
}

/* ---- RFC 5961 */

RAW_TEST(blind_attacker, "X-4", T_BOTH)
{
	/* what one can send who does not know the numbers: each gets an ACK or nothing */
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	peer_tx(p, "R seq=5000");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	peer_tx(p, "R seq=-100000");
	peer_rx_none(p, 30);
	peer_tx(p, "S seq=100 mss=1460");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	peer_tx(p, "SA seq=-1000 ack=1");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	peer_tx(p, "FA seq=300000 ack=1");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	p->nxt = p->isn + 1;
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
}

RAW_TEST(challenge_limit_per_namespace, "X-4 RFC 5961 7", T_XTCP)
{
	long sent = sut_mib("TCPChallengeACK");
	int i, n = 0;

	sut_sysctl("tcp_invalid_ratelimit", "0");
	sut_sysctl("tcp_challenge_ack_limit", "5");
	open_passive(p, "mss=1460");
	for (i = 0; i < 50; i++)
		peer_tx(p, "R seq=5000");
	while (peer_rx_any(p, 50))
		n++;
	/* five a second, half as much again at random so that nobody can count them */
	CHECK_RANGE(n, 2, 16);
	CHECK_EQ(sut_mib("TCPChallengeACK"), sent + n);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(old_connection_data_after_restart, "4-31", T_BOTH)
{
	/* the server forgot all: RST to what is of before, and a new one on the same ports */
	open_passive(p, "mss=1460");
	sut_linger(p->fd, 1, 0);
	sut_close(p);
	peer_rx(p, 500, "RA");
	peer_tx(p, "PA seq=1 ack=1 len=10");
	peer_rx(p, 500, "R seq=1 len=0");
	p->isn += 500000;
	p->nxt = p->isn;
	p->sut_known = false;
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	sut_accept(p);
	/* data of the old one does not fit into the new window */
	peer_tx(p, "PA seq=-499989 ack=1 len=10");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_EQ(sut_poll(p->fd, POLLIN, 0), 0);
	peer_tx(p, "PA seq=1 len=10");
	sut_read(p, 10);
}

RAW_TEST(wrapped_numbers_need_timestamps, "4-32 4-96 4-84", T_BOTH)
{
	long paws = sut_mib("PAWSEstab");

	/* the number fits, the clock is of before the wrap: not taken */
	sut_sysctl("tcp_invalid_ratelimit", "0");
	p->ts_shift = 100000 - (u32)(raw_now_us() / 1000);
	open_passive(p, "mss=1460 ts");
	peer_tx(p, "PA len=10 tsval=200000");
	sut_read(p, 10);
	peer_rx(p, 500, "A ack=11 ecr=200000");
	peer_tx(p, "PA seq=11 len=10 tsval=199990");
	peer_rx(p, 500, "A seq=1 ack=11 len=0");
	CHECK_EQ(sut_mib("PAWSEstab"), paws + 1);
	CHECK_EQ(sut_poll(p->fd, POLLIN, 0), 0);
	/* the timestamp clock wraps, too: later is what is less than 2^31 ahead */
	peer_tx(p, "PA seq=11 len=10 tsval=%u", 200000 + (1u << 31) - 1);
	peer_rx(p, 500, "A ack=21");
	sut_read(p, 10);
}
