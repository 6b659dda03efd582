// SPDX-License-Identifier: GPL-2.0
/*
 * The SACK panic's family of 2019 on the wire: a peer that acknowledges in crumbs
 * makes the sender keep no more than a bound, and the connection lives on.
 */
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "raw_peer.h"

#define SNDBUF	400000

static u32 sent(const struct peer *p)
{
	return p->sut_nxt - p->sut_isn - 1;
}

/*
 * Acknowledge segment by segment until @flight bytes are on their way at once;
 * return how many have been acknowledged before.
 */
static u32 grow(struct peer *p, u32 seg, u32 flight)
{
	u32 una = 0;

	raw_log("acknowledged, until %u bytes are on their way", flight);
	raw_log_pause(true);
	sut_opt(p->fd, SOL_SOCKET, SO_SNDBUF, SNDBUF);
	for (;;) {
		while (p->wr_off < sent(p) + flight)
			sut_write(p, flight / 4);
		while (peer_rx_any(p, 20))
			CHECK(p->last->len <= (int)seg);
		if (sent(p) - una >= flight) {
			raw_log_pause(false);
			return una;
		}
		while (una + seg <= sent(p)) {
			una += seg;
			peer_tx(p, "A ack=%u", 1 + una);
		}
	}
}

static u32 queued_mem(struct peer *p)
{
	u32 mem[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(mem);

	CHECK(!getsockopt(p->fd, SOL_SOCKET, SO_MEMINFO, mem, &len));
	return mem[SK_MEMINFO_WMEM_QUEUED];
}

/* What is unacknowledged is sent and acknowledged after all, to the last byte. */
static void lives(struct peer *p)
{
	u32 end = p->wr_off;
	int quiet = 0;

	while (sent(p) < end && quiet < 20) {
		peer_tx(p, "A ack=%u", 1 + sent(p));
		quiet = peer_rx_any(p, 250) ? 0 : quiet + 1;
	}
	CHECK_EQ(sent(p), end);
	peer_tx(p, "A ack=%u", 1 + end);
	while (peer_rx_any(p, 50))
		;
	sut_opt(p->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	sut_write(p, 8);
	peer_rx(p, 500, "PA seq=%u len=8", 1 + end);
}

/* CVE-2019-11478 and -5599: a byte here and there, so that the queue is cut to crumbs. */
static void crumbs(struct peer *p, unsigned int seg)
{
	u32 una = grow(p, seg, 100 * seg), flight = sent(p) - una;
	u32 before = queued_mem(p), worst = 0;
	unsigned int i, b, off;
	char sack[128];

	raw_log("%u acknowledged, %u on their way; %u bytes of memory", una, flight, before);
	raw_log_pause(true);
	for (i = 0; i < 3000; i++) {
		int len = 0;

		for (b = 0; b < 4; b++) {
			off = una + (i * 37 + b * (flight / 4)) % (flight - 2);
			len += sprintf(sack + len, " sack=%u-%u", 2 + off, 3 + off);
		}
		peer_tx(p, "A ack=%u%s", 1 + una, sack);
		/* resends and new data, as the window lets them */
		while (peer_rx_any(p, 0))
			;
		if (queued_mem(p) > worst)
			worst = queued_mem(p);
	}
	raw_log_pause(false);
	raw_log("at most %u bytes of memory", worst);
	/* memory: what was there, what the user may add, and half of that again */
	CHECK_RANGE(worst, 0, before + 2 * SNDBUF + SNDBUF);
	/*
	 * Ranges: one for each segment and 64 more, of tests that run beside each other. KASAN
	 * (in User Mode Linux) keeps what is freed for a while, and it counts.
	 */
	if (raw.xtcp && !raw.virt)
		CHECK_RANGE(sut_slab_objects("xtcp_rng"), 150, 8 * 300);
	lives(p);
}

RAW_TEST(sack_crumbs, "CVE-2019-11478 CVE-2019-5599", T_BOTH)
{
	open_passive(p, "mss=1000 sackok ws=7");
	crumbs(p, 1000);
}

RAW_TEST(sack_crumbs_small, "CVE-2019-11478 CVE-2019-11479", T_BOTH)
{
	open_passive(p, "mss=48 sackok ws=7");
	crumbs(p, 48);
}

/*
 * CVE-2019-11477: segments of 8 bytes, for the options take the other 40 of a
 * maximum of 48, joined again by SACK until their number overflows 16 bits (in
 * a queue of pages it does; here a number is not kept at all).
 */
RAW_TEST(sack_panic, "CVE-2019-11477", T_BOTH)
{
	u32 una, end, n;

	open_passive(p, "mss=48 sackok ts ws=7");
	/* three islands: all the room for options is used from now on */
	for (n = 0; n < 3; n++) {
		peer_tx(p, "A seq=%u len=10", 101 + 100 * n);
		peer_rx(p, 500, "A ack=1");
	}
	una = grow(p, 8, 1600);
	end = sent(p);
	raw_log("%u acknowledged, %u on their way", una, end - una);
	raw_log_pause(true);
	/* from its end to its beginning, a segment at a time; then all at once */
	for (n = end - 8; n > una + 8; n -= 8) {
		peer_tx(p, "A ack=%u sack=%u-%u", 1 + una, 1 + n, 1 + end);
		while (peer_rx_any(p, 0))
			;
	}
	raw_log_pause(false);
	peer_tx(p, "A ack=%u sack=%u-%u", 1 + una, 1 + una + 8, 1 + end);
	while (peer_rx_any(p, 50))
		;
	lives(p);
}

/* Blocks that say what cannot be: ignored, and neither loss nor progress. */
RAW_TEST(sack_nonsense, "RFC 2018 8", T_BOTH)
{
	static const char * const block[] = {
		"sack=3001-2001",			/* reversed */
		"sack=2001-2001",			/* empty */
		"sack=90001-95001",			/* never sent */
		"sack=5001-90001",			/* half of it never sent */
		"sack=2147483000-2147484000",		/* half the space away */
		"sack=1-5000000",
		"sack=2130706433-3221225473",		/* round the far side of it */
		"sack=2147483633-4294967281",
	};
	unsigned int i, k;

	sut_sysctl("tcp_early_retrans", "0");
	open_passive(p, "mss=1000 sackok");
	sut_write(p, 10000);
	for (i = 0; i < 10; i++)
		peer_rx(p, 500, "A seq=%u len=1000", 1 + 1000 * i);
	for (k = 0; k < 5; k++)
		for (i = 0; i < sizeof(block) / sizeof(*block); i++)
			peer_tx(p, "A ack=1 %s", block[i]);
	/* nothing is sacked, so nothing is known to be lost */
	peer_rx_none(p, 100);
	peer_tx(p, "A ack=10001");
	lives(p);
}
