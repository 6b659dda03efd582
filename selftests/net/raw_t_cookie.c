// SPDX-License-Identifier: GPL-2.0
/* SYN cookies: when they are sent, what they carry, which are believed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/xtcp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "raw_mint.h"
#include "raw_peer.h"

#define KEY_A "00112233-44556677-8899aabb-ccddeeff"
#define KEY_B "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define KEY_C "deadbeefdeadbeefdeadbeefdeadbeef"

/* Another client of the same listener. */
static void sibling(struct peer *q, const struct peer *p)
{
	u16 port = p->sut_port;
	int lfd = p->lfd;

	peer_init(q);
	q->sut_port = port;
	q->lfd = lfd;
}

static void listen_mode(struct peer *p, int backlog, const char *mode)
{
	if (!sut_sysctl("tcp_syncookies", mode))
		raw_skip("kernel without SYN cookies");
	if (p->lfd < 0)
		p->lfd = sut_socket();
	sut_opt(p->lfd, SOL_SOCKET, SO_SNDBUF, 100000);
	sut_listen(p, backlog);
}

/* A listener that answers every SYN with a cookie, and the cookie to one. */
static void cookie_syn(struct peer *p, const char *opts)
{
	listen_mode(p, 8, "2");
	p->ts = strstr(opts, " ts");
	peer_tx(p, "S %s", opts);
	peer_rx(p, 500, "SA ack=1");
	CHECK_EQ(sut_state(p), ST_NONE);
}

static void write_key(const char *text)
{
	CHECK(sut_sysctl("tcp_syncookies_key", text));
}

/* How much comes if nothing is acknowledged. */
static int burst(struct peer *p)
{
	u32 begin = p->sut_nxt;

	/* a slow machine sees retransmissions, too: they are nothing new */
	while (peer_rx_any(p, 100))
		;
	return p->sut_nxt - begin;
}

/* ---- when: SEEDS 4-59, and the limits that come before them */

static int flood_answered(struct peer *p, int n)
{
	int i, answered = 0;

	for (i = 0; i < n; i++) {
		struct peer q;

		sibling(&q, p);
		peer_tx(&q, "S mss=1460");
		answered += !!peer_rx_any(&q, 30);
	}
	return answered;
}

RAW_TEST(synq_off_backlog, "4-53 4-54 D-13", T_BOTH)
{
	long drops = sut_mib("TCPReqQFullDrop"), sent = sut_mib("SyncookiesSent");

	sut_sysctl("tcp_max_syn_backlog", "1024");
	listen_mode(p, 8, "0");
	CHECK_EQ(flood_answered(p, 20), 9);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 9);
	CHECK_EQ(sut_mib("TCPReqQFullDrop"), drops + 11);
	CHECK_EQ(sut_mib("SyncookiesSent"), sent);
}

RAW_TEST(synq_off_max_syn_backlog, "4-54 4-56 D-13", T_BOTH)
{
	long drops = sut_mib("ListenDrops");

	sut_sysctl("tcp_max_syn_backlog", "8");
	listen_mode(p, 64, "0");
	CHECK_EQ(flood_answered(p, 20), 7);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 7);
	CHECK_EQ(sut_mib("ListenDrops"), drops + 13);
}

RAW_TEST(synq_on_max_syn_backlog, "3-14 D-13", T_BOTH)
{
	/* without effect while cookies are allowed */
	sut_sysctl("tcp_max_syn_backlog", "8");
	listen_mode(p, 64, "1");
	CHECK_EQ(flood_answered(p, 20), 20);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 20);
}

RAW_TEST(cookie_when_full, "0-8 3-9 4-56 4-57 4-59 D-9 D-13", T_BOTH)
{
	long full = sut_mib("TCPReqQFullDoCookies"), sent = sut_mib("SyncookiesSent");

	sut_sysctl("tcp_max_syn_backlog", "8");
	listen_mode(p, 8, "1");
	CHECK_EQ(flood_answered(p, 20), 20);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 9);
	CHECK_EQ(sut_mib("TCPReqQFullDoCookies"), full + 11);
	CHECK_EQ(sut_mib("SyncookiesSent"), sent + 11);
}

RAW_TEST(cookie_always, "3-1 4-59", T_BOTH)
{
	long sent = sut_mib("SyncookiesSent");

	listen_mode(p, 8, "2");
	CHECK_EQ(flood_answered(p, 20), 20);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 0);
	CHECK_EQ(sut_mib("SyncookiesSent"), sent + 20);
}

/* Connect until nobody answers any more. */
static int fill_acceptq(struct peer *p)
{
	int n;

	for (n = 0; n < 100; n++) {
		struct peer q;

		sibling(&q, p);
		peer_tx(&q, "S mss=1460");
		if (!peer_rx_any(&q, 30))
			break;
		peer_tx(&q, "A");
		CHECK_EQ(sut_state(&q), ST_ESTABLISHED);
	}
	return n;
}

static void acceptq_holds(struct peer *p, const char *mode)
{
	static const struct { int backlog, holds; } rows[] = {
		{ 0, 1 }, { 1, 2 }, { 2, 3 }, { 5, 5 }, { -1, 5 },
	};
	unsigned int i;
	long overflows;
	int fd = open("/proc/sys/net/core/somaxconn", O_WRONLY);

	CHECK(write(fd, "4", 1) == 1);
	close(fd);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct peer q;

		peer_init(&q);
		overflows = sut_mib("ListenOverflows");
		listen_mode(&q, rows[i].backlog, mode);
		raw_log("      backlog %d", rows[i].backlog);
		CHECK_EQ(fill_acceptq(&q), rows[i].holds);
		CHECK_EQ(sut_mib("ListenOverflows"), overflows + 1);
		close(q.lfd);
	}
	(void)p;
}

RAW_TEST(acceptq_limit, "4-52 4-53 4-123 D-13", T_BOTH)
{
	acceptq_holds(p, "1");
}

RAW_TEST(acceptq_limit_cookies, "4-53 4-58 4-123 D-13", T_BOTH)
{
	acceptq_holds(p, "2");
}

/* ---- what: SEEDS 4-58, 4-60 */

RAW_TEST(cookie_connects, "4-58", T_BOTH)
{
	long recv = sut_mib("SyncookiesRecv"), opens = sut_mib("PassiveOpens");

	cookie_syn(p, "mss=1460");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	CHECK_EQ(sut_mib("SyncookiesRecv"), recv + 1);
	CHECK_EQ(sut_mib("PassiveOpens"), opens + 1);
	sut_accept(p);
	sut_write(p, 100);
	peer_rx(p, 500, "PA seq=1 len=100");
	peer_tx(p, "PA len=50");
	sut_read(p, 50);
}

RAW_TEST(cookie_not_resent, "4-58 4-61", T_BOTH)
{
	cookie_syn(p, "mss=1460");
	peer_rx_none(p, 3500);
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(cookie_syn_again, "4-25 4-58", T_BOTH)
{
	cookie_syn(p, "mss=1460");
	peer_tx(p, "S seq=0 mss=1460");
	/* the tick may have gone on, so the cookie need not be the same */
	peer_rx(p, 500, "SA ack=1");
	p->sut_isn = p->last->seq;
	p->sut_nxt = p->sut_isn + 1;
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(cookie_ack_with_data, "4-19 4-58", T_BOTH)
{
	cookie_syn(p, "mss=1460");
	peer_tx(p, "PA len=7");
	peer_rx(p, 500, "A ack=8");
	sut_accept(p);
	sut_read(p, 7);
}

RAW_TEST(cookie_ack_with_data_fin, "4-19 4-58", T_BOTH)
{
	cookie_syn(p, "mss=1460");
	peer_tx(p, "FPA len=7");
	sut_accept(p);
	sut_read(p, 7);
	sut_eof(p);
	peer_rx(p, 500, "A ack=9");
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
}

RAW_TEST(cookie_plain_options, "4-60", T_BOTH)
{
	cookie_syn(p, "mss=1460 ws=7 sackok");
	CHECK(!(p->last->opts & (OPT_WS | OPT_SACKOK | OPT_TS)));
	p->win = 4000;
	peer_tx(p, "A");
	sut_accept(p);
	/* no scale: 4000 bytes are 4000 bytes */
	sut_write(p, 8000);
	CHECK_RANGE(burst(p), 4000 - 1460, 4000);
	/* no SACK */
	peer_tx(p, "PA seq=11 len=10");
	peer_rx(p, 500, "A ack=1 nosack nots skip");
}

RAW_TEST(cookie_ts_options, "4-60", T_BOTH)
{
	u32 tsval;

	cookie_syn(p, "mss=1400 ws=7 sackok ts");
	CHECK(p->last->opts & OPT_WS && p->last->opts & OPT_SACKOK && p->last->opts & OPT_TS);
	tsval = p->last->tsval;
	p->win = 100;		/* 12800 bytes */
	peer_tx(p, "A");
	sut_accept(p);
	peer_tx(p, "PA seq=11 len=10");
	peer_rx(p, 500, "A ack=1 ts sack=11-21");
	/* timestamps do not go back */
	CHECK((int)(p->last->tsval - tsval) >= 0);
	sut_write(p, 20000);
	CHECK_RANGE(burst(p), 12800 - 1460, 12800);
}

RAW_TEST(cookie_ts_no_wscale, "4-60", T_BOTH)
{
	cookie_syn(p, "mss=1460 ts");
	CHECK(!(p->last->opts & (OPT_WS | OPT_SACKOK)) && p->last->opts & OPT_TS);
	p->win = 4000;
	peer_tx(p, "A");
	sut_accept(p);
	sut_write(p, 8000);
	CHECK_RANGE(burst(p), 4000 - 1460, 4000);
	peer_tx(p, "PA seq=11 len=10");
	peer_rx(p, 500, "A ack=1 nosack ts skip");
}

/* A window scale of its own for each of 0 to 14: the option bits one by one. */
RAW_TEST(cookie_every_wscale, "4-60", T_BOTH)
{
	int ws;

	listen_mode(p, 64, "2");
	for (ws = 0; ws <= 14; ws++) {
		struct peer q;

		sibling(&q, p);
		q.ts = true;
		q.win = ws < 13 ? 8192 >> ws : 1;
		peer_tx(&q, "S mss=1460 ts ws=%d%s", ws, ws & 1 ? " sackok" : "");
		peer_rx(&q, 500, "SA ack=1 ts");
		peer_tx(&q, "A");
		sut_accept(&q);
		sut_write(&q, 30000);
		raw_log("      scale %d", ws);
		/* whole segments; the last is more than a first flight, which may be ten of them */
		if (ws < 14)
			CHECK_RANGE(burst(&q), 8192 - 1460, 8192);
		else
			CHECK_RANGE(burst(&q), 8193, 10 * (raw.v6 ? 1428 : 1448));
		sut_linger(q.fd, 1, 0);
		close(q.fd);
	}
}

/* The MSS survives rounded down to one of eight. */
RAW_TEST(cookie_every_mss, "4-58 4-60", T_XTCP)
{
	static const struct { int asked, got; } rows[] = {
		{ 100, 48 }, { 535, 48 }, { 536, 536 }, { 700, 536 }, { 1219, 536 },
		{ 1220, 1220 }, { 1300, 1300 }, { 1399, 1300 }, { 1400, 1400 },
		{ 1440, 1440 }, { 1459, 1440 }, { 1460, 1460 }, { 2000, 1460 },
		{ 8960, 8960 }, { 65535, 8960 },
	};
	unsigned int i;

	raw_set_mtu(9500);
	listen_mode(p, 64, "2");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct peer q;

		sibling(&q, p);
		peer_tx(&q, "S mss=%d", rows[i].asked);
		peer_rx(&q, 500, "SA ack=1");
		peer_tx(&q, "A");
		sut_accept(&q);
		sut_write(&q, 20000);
		peer_rx(&q, 500, "A seq=1 len=%d", rows[i].got);
		sut_linger(q.fd, 1, 0);
		close(q.fd);
	}
}

RAW_TEST(cookie_no_mss_option, "4-60 RFC 9293 3.7.1", T_BOTH)
{
	cookie_syn(p, "win=65535");
	peer_tx(p, "A");
	sut_accept(p);
	sut_write(p, 3000);
	peer_rx(p, 500, "A seq=1");
	CHECK_EQ(p->last->len, raw.v6 ? 1220 : 536);
}

static void first_rto(struct peer *p, const char *opts, int lo, int hi)
{
	struct segment *first;

	cookie_syn(p, opts);
	poll(NULL, 0, 300);
	peer_tx(p, "A");
	sut_accept(p);
	sut_write(p, 100);
	peer_rx(p, 500, "PA seq=1 len=100");
	first = peer_keep(p);
	peer_rx(p, hi + 500, "PA seq=1 len=100");
	/* a coarse timer may be an eighth late */
	CHECK_MS(seg_gap_ms(first, p->last), lo, hi + hi / 8);
}

/* Nobody knows when the SYN-ACK went. */
RAW_TEST(cookie_first_rto, "4-58 RFC 6298 5.7", T_BOTH)
{
	first_rto(p, "mss=1460", 3000, 3000);
}

/* Its timestamp does: 300 ms, rounded up to 364, and four times half of it. */
RAW_TEST(cookie_first_rto_ts, "4-58 RFC 6298 2.2", T_BOTH)
{
	first_rto(p, "mss=1460 ts", 900, 1400);
}

/* ---- whose: forged, stale, replayed, keys */

RAW_TEST(cookie_forged, "4-58", T_BOTH)
{
	long failed;
	struct peer q;

	cookie_syn(p, "mss=1460");
	failed = sut_mib("SyncookiesFailed");
	/* a guess, a near miss (Linux takes some for another MSS), another port */
	peer_tx(p, "A ack=1000000");
	peer_rx(p, 500, "R seq=1000000 len=0");
	peer_tx(p, "A ack=100");
	peer_rx(p, 500, "R seq=100 len=0");
	sibling(&q, p);
	q.sut_isn = p->sut_isn;
	q.sut_known = true;
	peer_tx(&q, "A seq=1 ack=1");
	peer_rx(&q, 500, "R seq=1 len=0");
	CHECK_EQ(sut_mib("SyncookiesFailed"), failed + 3);
	CHECK_EQ(sut_count_state(ST_ESTABLISHED), 0);
	if (raw.xtcp)
		CHECK_EQ(sut_mib("DropCookieBad"), 3);
	/* the right one is good still */
	p->nxt = p->isn + 1;
	peer_tx(p, "A seq=1 ack=1");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

/* Linux takes the one below for a cookie with another MSS. */
RAW_TEST(cookie_forged_isn, "4-58", T_XTCP)
{
	int off;

	cookie_syn(p, "mss=1460");
	for (off = -3; off <= 3; off++) {
		if (!off)
			continue;
		peer_tx(p, "A seq=%d ack=1", 1 + off);
		peer_rx(p, 500, "R seq=1 len=0");
		peer_tx(p, "A seq=%d ack=%d", 1 + off, 1 + off);
		peer_rx(p, 500, "R seq=%d len=0", 1 + off);
		peer_tx(p, "A seq=1 ack=%d", 1 + off);
		peer_rx(p, 500, "R seq=%d len=0", 1 + off);
	}
	CHECK_EQ(sut_mib("DropCookieBad"), 18);
	peer_tx(p, "A seq=1 ack=1");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(cookie_forged_options, "4-58 4-60", T_XTCP)
{
	u32 bit;

	cookie_syn(p, "mss=1460 ws=7 sackok ts");
	for (bit = 1; bit < 64; bit <<= 1) {
		peer_tx(p, "A seq=1 ack=1 ecr=%u", p->sut_tsval ^ bit);
		peer_rx(p, 500, "R seq=1");
	}
	peer_tx(p, "A seq=1 ack=1 nots");
	peer_rx(p, 500, "R seq=1");
	CHECK_EQ(sut_mib("DropCookieBad"), 7);
	peer_tx(p, "A seq=1 ack=1");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(cookie_unasked, "4-59", T_BOTH)
{
	long failed = sut_mib("SyncookiesFailed");

	/* no cookie was sent: nobody looks */
	listen_mode(p, 8, "1");
	peer_tx(p, "A seq=1 ack=1000");
	peer_rx(p, 500, "R seq=1000 len=0");
	CHECK_EQ(sut_mib("SyncookiesFailed"), failed);
}

RAW_TEST(cookie_switched_off, "4-59", T_BOTH)
{
	cookie_syn(p, "mss=1460");
	sut_sysctl("tcp_syncookies", "0");
	peer_tx(p, "A");
	peer_rx(p, 500, "R seq=1 len=0");
	CHECK_EQ(sut_state(p), ST_NONE);
}

/* A third segment with a cookie that this test has made itself. */
static void minted_ack(struct peer *p, const char *key, int ticks)
{
	struct mint m = {
		.key = key, .ticks = ticks, .sut_port = p->sut_port, .peer_port = p->port,
		.peer_isn = p->isn, .mss = 1460, .ws = -1, .sut_ws = -1,
	};

	CHECK(raw_mint(&m, raw.v6));
	p->sut_isn = m.isn;
	p->sut_known = true;
	p->sut_nxt = m.isn + 1;
	peer_tx(p, "A seq=1 ack=1");
}

RAW_TEST(cookie_stale, "4-58", T_XTCP)
{
	enum { GOOD, OLD, BAD };
	static const struct { int ticks, is; } rows[] = {
		{ 1, GOOD }, { 0, GOOD }, { -1, GOOD }, { -2, OLD }, { -3, OLD }, { -4, OLD },
		{ -5, OLD }, { -6, OLD }, { 2, BAD }, { -7, BAD }, { -8, BAD }, { -16, BAD },
	};
	unsigned int i;
	long old, bad;

	write_key(KEY_A);
	listen_mode(p, 64, "2");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct peer q;

		old = sut_mib("DropCookieOld");
		bad = sut_mib("DropCookieBad");
		sibling(&q, p);
		/* not while a tick ends */
		while (time(NULL) % 64 > 61)
			poll(NULL, 0, 100);
		minted_ack(&q, KEY_A, rows[i].ticks);
		raw_log("      ticks %d", rows[i].ticks);
		if (rows[i].is == GOOD) {
			CHECK_EQ(sut_state(&q), ST_ESTABLISHED);
			continue;
		}
		peer_rx(&q, 500, "R seq=1 len=0");
		CHECK_EQ(sut_mib("DropCookieOld"), old + (rows[i].is == OLD));
		CHECK_EQ(sut_mib("DropCookieBad"), bad + (rows[i].is == BAD));
	}
}

RAW_TEST(cookie_keys, "4-58 fleet", T_XTCP)
{
	struct peer q[5];
	int i;

	listen_mode(p, 64, "2");
	for (i = 0; i < 5; i++)
		sibling(&q[i], p);
	write_key(KEY_A);
	minted_ack(&q[0], KEY_A, 0);
	CHECK_EQ(sut_state(&q[0]), ST_ESTABLISHED);
	write_key(KEY_B);
	/* the previous one still counts */
	minted_ack(&q[1], KEY_A, 0);
	CHECK_EQ(sut_state(&q[1]), ST_ESTABLISHED);
	minted_ack(&q[2], KEY_B, 0);
	CHECK_EQ(sut_state(&q[2]), ST_ESTABLISHED);
	write_key(KEY_C);
	/* the one before it does not */
	minted_ack(&q[3], KEY_A, 0);
	peer_rx(&q[3], 500, "R seq=1");
	write_key(KEY_A "," KEY_B "\n");
	minted_ack(&q[3], KEY_A, 0);
	CHECK_EQ(sut_state(&q[3]), ST_ESTABLISHED);
	minted_ack(&q[4], KEY_C, 0);
	peer_rx(&q[4], 500, "R seq=1");
}

RAW_TEST(cookie_keys_changed_meanwhile, "4-58", T_XTCP)
{
	struct peer q;

	cookie_syn(p, "mss=1460");
	sibling(&q, p);
	peer_tx(&q, "S mss=1460");
	peer_rx(&q, 500, "SA ack=1");
	write_key(KEY_A);
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	write_key(KEY_B);
	peer_tx(&q, "A");
	peer_rx(&q, 500, "R seq=1");
	CHECK_EQ(sut_mib("DropCookieBad"), 1);
}

/* The cookie of another host of the fleet, whose clock is another, too. */
RAW_TEST(cookie_fleet, "4-58 fleet", T_XTCP)
{
	static const u32 clocks[] = { 0x12345678, 0xffffffc0, 64, 0x80000000 };
	unsigned int i;
	int sut_ws;

	write_key(KEY_A);
	listen_mode(p, 64, "2");
	peer_tx(p, "S mss=1460 ws=7 ts sackok");
	peer_rx(p, 500, "SA ack=1");
	sut_ws = p->last->ws;
	for (i = 0; i < 4; i++) {
		struct mint m = {
			.key = KEY_A, .mss = 1460, .ws = 7, .sut_ws = sut_ws, .ts = true,
			.sackok = true, .tsval = clocks[i],
		};
		struct peer q;

		sibling(&q, p);
		m.sut_port = q.sut_port;
		m.peer_port = q.port;
		m.peer_isn = q.isn;
		CHECK(raw_mint(&m, raw.v6));
		q.sut_isn = m.isn;
		q.sut_known = true;
		q.sut_nxt = m.isn + 1;
		q.sut_tsval = m.tsval;
		q.ts = true;
		peer_tx(&q, "PA seq=1 ack=1 len=10");
		CHECK_EQ(sut_state(&q), ST_ESTABLISHED);
		peer_rx(&q, 500, "A ack=11 ts");
		/* for the client it is one clock that goes on; it measures no round trip */
		CHECK_RANGE((int)(q.last->tsval - m.tsval), 3000, 4000);
		sut_accept(&q);
		sut_read(&q, 10);
	}
}

RAW_TEST(cookie_key_texts, "4-58", T_XTCP)
{
	static const char * const good[] = {
		KEY_A, KEY_B, KEY_A "\n", KEY_A "," KEY_B, KEY_B "," KEY_A "\n",
		"00-11-22-33-44-55-66-77-88-99-aa-bb-cc-dd-ee-ff",
		"0F1E2D3C4B5A69788796A5B4C3D2E1F0",
	};
	static const char * const bad[] = {
		"", "\n", "0", "-" KEY_B, KEY_B "-", KEY_B "0", KEY_B ",", "," KEY_B,
		KEY_A "," KEY_B "," KEY_C, KEY_A " " KEY_B, KEY_A ",,", "xyz",
		"0f1e2d3c4b5a69788796a5b4c3d2e1f", "0f1e2d3c4b5a69788796a5b4c3d2e1fg",
		"0-f1e2d3c4b5a69788796a5b4c3d2e1f0", "00--112233445566778899aabbccddee",
		KEY_A "," KEY_A KEY_A KEY_A KEY_A KEY_A KEY_A KEY_A KEY_A,
	};
	const char *path = "/proc/sys/net/xtcp/tcp_syncookies_key";
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		write_key(good[i]);
	listen_mode(p, 8, "2");
	write_key(KEY_A);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ssize_t n;

		fd = open(path, O_WRONLY);
		CHECK(fd >= 0);
		n = write(fd, bad[i], strlen(bad[i]));
		/* an empty write never gets to the knob */
		if (*bad[i] && (n >= 0 || errno != EINVAL))
			FAIL("'%s': %zd, %m", bad[i], n);
		close(fd);
	}
	/* nobody reads it, and no refused text has changed it */
	CHECK(open(path, O_RDONLY) < 0);
	CHECK_EQ(errno, EACCES);
	minted_ack(p, KEY_A, 0);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(cookie_replayed, "4-58", T_XTCP)
{
	cookie_syn(p, "mss=1460");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	/* it meets the connection while that lives */
	peer_tx(p, "A seq=1 ack=1");
	CHECK_EQ(sut_count_state(ST_ESTABLISHED), 1);
	CHECK_EQ(sut_mib("SyncookiesRecv"), 1);
	peer_tx(p, "R seq=1");
	CHECK_EQ(sut_state(p), ST_NONE);
	/* and nothing afterwards */
	peer_tx(p, "A seq=1 ack=1");
	peer_rx(p, 500, "R seq=1 len=0");
	peer_tx(p, "PA seq=1 ack=1 len=10");
	peer_rx(p, 500, "R seq=1 len=0");
	CHECK_EQ(sut_mib("DropCookieOld"), 2);
	CHECK_EQ(sut_mib("SyncookiesFailed"), 2);
	CHECK_EQ(sut_state(p), ST_NONE);
	/* a new SYN is no replay */
	p->isn += 1000;
	p->nxt = p->isn;
	p->sut_known = false;
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(cookie_replayed_after_close, "4-58", T_XTCP)
{
	cookie_syn(p, "mss=1460");
	peer_tx(p, "A");
	sut_accept(p);
	/* the peer closes first: no TIME-WAIT here */
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_NONE);
	peer_tx(p, "A seq=1 ack=1");
	peer_rx(p, 500, "R seq=1 len=0");
	CHECK_EQ(sut_mib("DropCookieOld"), 1);
	CHECK_EQ(sut_state(p), ST_NONE);
}

/* ---- a listener's own wishes */

/* The other listener of the namespace keeps to the sysctl. */
RAW_TEST(cookie_per_listener, "4-59 D-9", T_XTCP)
{
	static const struct { const char *sysctl; int own; bool cookie; } rows[] = {
		{ "0", 2, true }, { "2", 0, false }, { "2", 1, false }, { "2", -1, true },
		{ "0", -1, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct peer q;

		peer_init(&q);
		listen_mode(&q, 8, rows[i].sysctl);
		sut_opt(q.lfd, SOL_XTCP, XTCP_SYNCOOKIES, rows[i].own);
		raw_log("      sysctl %s, own %d", rows[i].sysctl, rows[i].own);
		peer_tx(&q, "S mss=1460");
		peer_rx(&q, 500, "SA ack=1");
		CHECK_EQ(sut_state(&q), rows[i].cookie ? ST_NONE : ST_SYN_RECV);
		peer_tx(&q, "A");
		CHECK_EQ(sut_state(&q), ST_ESTABLISHED);
		close(q.lfd);
	}
	(void)p;
}

RAW_TEST(abort_on_overflow_per_listener, "X-10", T_XTCP)
{
	struct peer q;
	int own;

	for (own = 0; own < 2; own++) {
		struct peer l;

		peer_init(&l);
		sut_sysctl("tcp_abort_on_overflow", own ? "0" : "1");
		listen_mode(&l, 0, "2");
		sut_opt(l.lfd, SOL_XTCP, XTCP_ABORT_ON_OVERFLOW, own);
		peer_tx(&l, "S mss=1460");
		peer_rx(&l, 500, "SA ack=1");
		sibling(&q, &l);
		peer_tx(&q, "S mss=1460");
		peer_rx(&q, 500, "SA ack=1");
		peer_tx(&q, "A");
		CHECK_EQ(sut_state(&q), ST_ESTABLISHED);
		peer_tx(&l, "A");
		if (own)
			peer_rx(&l, 500, "R seq=1");
		else
			peer_rx_none(&l, 50);
		CHECK_EQ(sut_state(&l), ST_NONE);
		close(l.lfd);
	}
	(void)p;
}

/* ---- the accept queue */

RAW_TEST(cookie_acceptq_full, "4-53 4-58 D-16", T_BOTH)
{
	struct peer q[2];
	int i;

	listen_mode(p, 1, "2");
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	for (i = 0; i < 2; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
		peer_tx(&q[i], "A");
		CHECK_EQ(sut_state(&q[i]), ST_ESTABLISHED);
	}
	/* dropped, and nothing is kept; the client thinks it is connected */
	peer_tx(p, "A");
	peer_rx_none(p, 50);
	CHECK_EQ(sut_state(p), ST_NONE);
	close(sut_accept(p));
	/* its data completes it when there is room */
	peer_tx(p, "PA seq=1 ack=1 len=5");
	peer_rx(p, 500, "A ack=6");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

RAW_TEST(cookie_acceptq_full_abort, "X-10", T_XTCP)
{
	struct peer q;

	sut_sysctl("tcp_abort_on_overflow", "1");
	listen_mode(p, 0, "2");
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	sibling(&q, p);
	peer_tx(&q, "S mss=1460");
	peer_rx(&q, 500, "SA ack=1");
	peer_tx(&q, "A");
	peer_tx(p, "A");
	peer_rx(p, 500, "R seq=1");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(abort_on_overflow_request, "X-10", T_BOTH)
{
	struct peer q;

	sut_sysctl("tcp_abort_on_overflow", "1");
	listen_mode(p, 1, "0");
	sibling(&q, p);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(&q, "S mss=1460");
	peer_rx(&q, 500, "SA ack=1");
	peer_tx(p, "A");
	sibling(p, p);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(&q, "A");
	CHECK_EQ(sut_state(&q), ST_ESTABLISHED);
	peer_tx(p, "A");
	peer_rx(p, 500, "R seq=1");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(cookie_defer_accept, "X-13 4-58", T_BOTH)
{
	/* nothing is kept that could wait: the bare ACK makes the connection */
	p->lfd = sut_socket();
	sut_opt(p->lfd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 10);
	cookie_syn(p, "mss=1460");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	sut_accept(p);
}

RAW_TEST(cookie_listener_closed, "X-9 4-58", T_BOTH)
{
	cookie_syn(p, "mss=1460");
	close(p->lfd);
	peer_tx(p, "A");
	peer_rx(p, 500, "R seq=1 len=0");
}

/* ---- SO_REUSEPORT */

RAW_TEST(reuseport_member_closes, "X-9", T_BOTH)
{
	int other = sut_socket(), i, reset = 0, done = 0, before;
	struct peer q[24];

	p->lfd = sut_socket();
	sut_opt(p->lfd, SOL_SOCKET, SO_REUSEPORT, 1);
	sut_opt(other, SOL_SOCKET, SO_REUSEPORT, 1);
	sut_listen(p, 64);
	q[0].lfd = p->lfd;
	p->lfd = other;
	sut_listen(p, 64);
	p->lfd = q[0].lfd;
	for (i = 0; i < 24; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
	}
	before = sut_count_state(ST_SYN_RECV);
	CHECK_EQ(before, 24);
	close(p->lfd);
	for (i = 0; i < 24; i++) {
		struct segment *s;

		peer_tx(&q[i], "A");
		/* a SYN-ACK sent again on a slow machine is no answer */
		while ((s = peer_rx_any(&q[i], 20)) && s->flags & TH_SYN)
			;
		if (s) {
			CHECK_EQ(s->flags & TH_RST, TH_RST);
			CHECK_EQ(sut_state(&q[i]), ST_NONE);
			reset++;
		} else {
			CHECK_EQ(sut_state(&q[i]), ST_ESTABLISHED);
			done++;
		}
	}
	/* each member had some */
	CHECK(reset && done);
	CHECK_EQ(sut_count_state(ST_SYN_RECV), 0);
	/* and the one that is left takes new ones */
	for (i = 0; i < 4; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
		peer_tx(&q[i], "A");
		CHECK_EQ(sut_state(&q[i]), ST_ESTABLISHED);
	}
}

RAW_TEST(reuseport_cookie_any_member, "4-58 X-9", T_BOTH)
{
	int other = sut_socket(), first = sut_socket(), i;
	struct peer q[12];

	/* a member that closes does not take cookies with it */
	if (!sut_sysctl("tcp_syncookies", "2"))
		raw_skip("kernel without SYN cookies");
	sut_opt(first, SOL_SOCKET, SO_REUSEPORT, 1);
	sut_opt(other, SOL_SOCKET, SO_REUSEPORT, 1);
	p->lfd = first;
	sut_listen(p, 64);
	p->lfd = other;
	sut_listen(p, 64);
	for (i = 0; i < 12; i++) {
		sibling(&q[i], p);
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
	}
	close(first);
	if (raw.xtcp)
		sut_sysctl("tcp_syncookies", "1");
	for (i = 0; i < 12; i++) {
		peer_tx(&q[i], "A");
		CHECK_EQ(sut_state(&q[i]), ST_ESTABLISHED);
	}
}
