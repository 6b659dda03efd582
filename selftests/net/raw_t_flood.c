// SPDX-License-Identifier: GPL-2.0
/* SYN floods from addresses that are not the sender's, and what becomes of honest clients. */
#include <linux/xtcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

#define FLOOD_PORT 30000	/* the flood's source ports begin here */

static void sibling(struct peer *q, const struct peer *p)
{
	peer_init(q);
	q->sut_port = p->sut_port;
	q->lfd = p->lfd;
}

static void need_cookies(const char *mode)
{
	if (!sut_sysctl("tcp_syncookies", mode))
		raw_skip("kernel without SYN cookies");
}

/* One SYN of a flood: the answer goes to somebody who never asked. 1: answered. */
static int flood_syn(struct peer *p, int nth)
{
	struct segment syn = {
		.sport = FLOOD_PORT + nth / 250, .dport = p->sut_port, .seq = nth * 2654435761u,
		.win = 65535, .flags = TH_SYN, .opts = OPT_MSS, .mss = 1460,
	};
	struct segment *seg;
	int answered;

	raw.spoof = 3 + nth % 250;
	raw_send_segment(&syn);
	raw.spoof = 0;
	seg = raw_recv_segment(p->sut_port, syn.sport, 0);
	answered = seg && (seg->flags & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK);
	free(seg);
	return answered;
}

/* Take what is still on its way. */
static int flood_drain(struct peer *p, int n)
{
	struct segment *seg;
	int i, answered = 0;

	for (i = 0; i <= n / 250; i++)
		while ((seg = raw_recv_segment(p->sut_port, FLOOD_PORT + i, i ? 0 : 20))) {
			answered += (seg->flags & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK);
			free(seg);
		}
	return answered;
}

/* A client that means it: from SYN to data both ways to its end. */
static void honest(struct peer *p)
{
	struct peer q;

	sibling(&q, p);
	peer_tx(&q, "S mss=1460");
	peer_rx(&q, 500, "SA ack=1");
	peer_tx(&q, "PA len=10");
	peer_rx(&q, 500, "A ack=11");
	sut_accept(&q);
	sut_read(&q, 10);
	sut_write(&q, 20);
	peer_rx(&q, 500, "PA seq=1 len=20");
	peer_tx(&q, "RA");
	close(q.fd);
}

RAW_TEST(flood_served, "0-8 0-9 4-50 4-57", T_BOTH)
{
	int i, answered = 0, n = 5000;
	long sent = sut_mib("SyncookiesSent");

	need_cookies("1");
	sut_listen(p, 16);
	for (i = 0; i < n; i++) {
		answered += flood_syn(p, i);
		if (i % 50 == 49)
			honest(p);
		/* the per-state count is the symptom an operator sees */
		if (i % 1000 == 999)
			CHECK_RANGE(sut_count_state(ST_SYN_RECV), 9, 17);
	}
	answered += flood_drain(p, n);
	/* every SYN got an answer, repeated SYN-ACKs of the queued ones come on top */
	CHECK_RANGE(answered, n, n + 17 * 6);
	CHECK(sut_mib("SyncookiesSent") - sent >= n - 17 * 6);
}

/* The same without cookies: nobody gets in (SEEDS 0-8). */
RAW_TEST(flood_denied, "0-8 4-50", T_BOTH)
{
	struct peer q;
	int i;

	need_cookies("0");
	sut_listen(p, 16);
	for (i = 0; i < 200; i++)
		flood_syn(p, i);
	flood_drain(p, 200);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 17);
	sibling(&q, p);
	peer_tx(&q, "S mss=1460");
	peer_rx_none(&q, 200);
}

RAW_TEST(flood_stateless, "3-1 4-57 4-58", T_XTCP)
{
	long before = sut_slab_objects("xtcp_req"), in_place;
	int i, answered = 0, n = 5000;

	need_cookies("2");
	sut_listen(p, 16);
	for (i = 0; i < n; i++)
		answered += flood_syn(p, i);
	answered += flood_drain(p, n);
	CHECK_EQ(answered, n);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 0);
	CHECK_EQ(sut_mib("SyncookiesSent"), n);
	/* TUN's packets are nobody else's: each became its own answer */
	in_place = sut_mib("SyncookiesInPlace");
	CHECK_EQ(in_place, n);
	/* other tests may run meanwhile: some, but not thousands */
	CHECK(before < 0 || sut_slab_objects("xtcp_req") < before + n / 2);
	honest(p);
}

/* Forged ACKs cost nothing and open nothing. */
RAW_TEST(flood_of_acks, "4-58", T_BOTH)
{
	long failed = sut_mib("SyncookiesFailed");
	int i, resets = 0, n = 2000;

	need_cookies("2");
	sut_listen(p, 16);
	honest(p);
	for (i = 0; i < n; i++) {
		struct segment ack = {
			.sport = FLOOD_PORT + i / 250, .dport = p->sut_port,
			.seq = i * 2654435761u, .ack = i * 40503u * 65537u, .win = 1000,
			.flags = TH_ACK,
		};
		struct segment *seg;

		raw.spoof = 3 + i % 250;
		raw_send_segment(&ack);
		raw.spoof = 0;
		while ((seg = raw_recv_segment(p->sut_port, ack.sport, resets > i ? 0 : 20))) {
			CHECK_EQ(seg->flags, TH_RST);
			CHECK_EQ(seg->seq, ack.ack);
			free(seg);
			resets++;
		}
	}
	CHECK_EQ(resets, n);
	CHECK_EQ(sut_mib("SyncookiesFailed"), failed + n);
	CHECK_EQ(sut_count_state(ST_ESTABLISHED), 0);
	honest(p);
}

/*
 * SEEDS 4-61: in a crowded queue old requests give way after two timeouts: the
 * SYN-ACKs come at 0, 1 and 3 s and the request ends at 7 s. When the crowd is
 * gone the last ones live on.
 */
RAW_TEST(synack_retries_shrink, "4-61", T_BOTH)
{
	struct peer q[9];
	int i, synacks = 0;
	u64 start;

	sut_sysctl("tcp_synack_retries", "5");
	sut_sysctl("tcp_max_syn_backlog", "1024");
	sut_sysctl("tcp_syncookies", "0");
	sut_listen(p, 8);
	start = raw_now_us();
	for (i = 0; i < 9; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
	}
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 9);
	/* half of eight is what the old ones may keep */
	while (raw_now_us() < start + 6000000)
		synacks += !!raw_recv_segment(p->sut_port, q[0].port, 100);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 9);
	CHECK_EQ(synacks, 2);
	while (raw_now_us() < start + (u64)(9000 + raw.slack_ms) * 1000)
		synacks += !!raw_recv_segment(p->sut_port, q[0].port, 100);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 4);
}

/* The same few requests in a queue with room keep their five. */
RAW_TEST(synack_retries_room, "4-61", T_BOTH)
{
	struct peer q[4];
	u64 start;
	int i;

	sut_sysctl("tcp_synack_retries", "5");
	sut_listen(p, 8);
	start = raw_now_us();
	for (i = 0; i < 4; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
	}
	while (raw_now_us() < start + (u64)(9000 + raw.slack_ms) * 1000)
		free(raw_recv_segment(p->sut_port, q[0].port, 500));
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 4);
}

/* ---- what an operator sees: /proc/net/xtcp_listen */

struct listen_row {
	unsigned int accept, accept_max, request, request_max;
	int cookies;
	unsigned long overflows, drops, sent, recv;
};

static void listen_row(struct peer *p, struct listen_row *r)
{
	FILE *f = fopen("/proc/net/xtcp_listen", "r");
	char line[256], addr[64], end[16];
	struct xtcp_listen_info i;
	socklen_t len = sizeof(i);
	bool found = false;

	CHECK(f);
	snprintf(end, sizeof(end), ":%u", p->sut_port);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %u %u %u %u %d %lu %lu %lu %lu", addr, &r->accept,
			   &r->accept_max, &r->request, &r->request_max, &r->cookies,
			   &r->overflows, &r->drops, &r->sent, &r->recv) == 10 &&
		    strrchr(addr, ':') && !strcmp(strrchr(addr, ':'), end))
			found = true;
	}
	fclose(f);
	CHECK(found);
	/* the option says the same */
	CHECK(!getsockopt(p->lfd, SOL_XTCP, XTCP_LISTEN_INFO, &i, &len));
	CHECK_EQ(len, sizeof(i));
	CHECK_EQ(i.accept_len, r->accept);
	CHECK_EQ(i.accept_max, r->accept_max);
	CHECK_EQ(i.request_len, r->request);
	CHECK_EQ(i.request_max, r->request_max);
	CHECK_EQ(i.overflows, r->overflows);
	CHECK_EQ(i.drops, r->drops);
	CHECK_EQ(i.cookies_sent, r->sent);
	CHECK_EQ(i.cookies_recv, r->recv);
}

RAW_TEST(listen_view, "4-51 4-53 4-56 D-13 D-16", T_XTCP)
{
	struct listen_row r;
	struct peer q[4];
	int i;

	sut_sysctl("tcp_max_syn_backlog", "8");
	sut_sysctl("tcp_syncookies", "0");
	sut_listen(p, 64);
	listen_row(p, &r);
	CHECK_EQ(r.accept_max, 65);
	CHECK_EQ(r.request_max, 7);
	CHECK_EQ(r.cookies, 0);
	CHECK(!listen(p->lfd, 2));
	listen_row(p, &r);
	CHECK_EQ(r.accept_max, 3);
	CHECK_EQ(r.request_max, 3);
	for (i = 0; i < 4; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		CHECK_EQ(!!peer_rx_any(&q[i], 50), i < 3);
	}
	listen_row(p, &r);
	CHECK_EQ(r.request, 3);
	CHECK_EQ(r.drops, 1);
	sut_sysctl("tcp_syncookies", "1");
	peer_tx(&q[3], "S seq=0 mss=1460");
	peer_rx(&q[3], 500, "SA ack=1");
	for (i = 1; i < 4; i++)
		peer_tx(&q[i], "A");
	listen_row(p, &r);
	CHECK_EQ(r.accept, 3);
	CHECK_EQ(r.request, 1);
	CHECK_EQ(r.cookies, 1);
	CHECK_EQ(r.sent, 1);
	CHECK_EQ(r.recv, 1);
	CHECK_EQ(r.overflows, 0);
	/* the one that is left finds no room */
	peer_tx(&q[0], "A");
	listen_row(p, &r);
	CHECK_EQ(r.overflows, 1);
	CHECK_EQ(r.drops, 2);
	sut_sysctl("tcp_syncookies", "2");
	listen_row(p, &r);
	CHECK_EQ(r.request_max, 0);
}
