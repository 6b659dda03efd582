// SPDX-License-Identifier: GPL-2.0
/* The path MTU where no ICMP tells of it: black holes and probes (RFC 4821). */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "raw_info.h"

#define PEER_MSS 1400
#define INF_SSTHRESH 0x7fffffff

static void mtup_open(struct peer *p, const char *mode)
{
	sut_sysctl("tcp_mtu_probing", mode);
	sut_sysctl("tcp_early_retrans", "0");
	/* Linux takes their room off tcp_base_mss before it knows whether the peer has them */
	sut_sysctl("tcp_timestamps", "0");
	/* leaves slow start for nothing but a loss */
	sut_sysctl("tcp_congestion_control", "reno");
	/* Linux forgets tcp_base_mss where it is the server, until the first timeouts */
	if (mode[0] == '2')
		open_active(p, "mss=1400 sackok");
	else
		open_passive(p, "mss=1400 sackok");
	sut_opt(p->fd, SOL_SOCKET, SO_SNDBUF, 400000);
}

static u32 ssthresh(const struct peer *p)
{
	return raw_info(p->fd).tcpi_snd_ssthresh;
}

/* What a narrow path leaves of a stream: what came in order, and beyond one hole. */
struct path {
	u32 limit;		/* longest payload that gets through */
	u32 nxt, hole, end;	/* [nxt, hole) is missing, [hole, end) came; hole 0: nothing */
	u32 largest;		/* that got through */
};

static void path_ack(struct peer *p, const struct path *w)
{
	if (w->hole)
		peer_tx(p, "A ack=%u sack=%u-%u", w->nxt, w->hole, w->end);
	else
		peer_tx(p, "A ack=%u", w->nxt);
}

static void path_segment(struct peer *p, struct path *w, const struct segment *seg)
{
	u32 at = seg->seq - p->sut_isn, to = at + seg->len;

	if ((u32)seg->len > w->limit)
		return;
	if ((u32)seg->len > w->largest)
		w->largest = seg->len;
	if (at == w->nxt) {
		w->nxt = to;
		if (w->hole && w->nxt >= w->hole) {
			w->nxt = w->end;
			w->hole = 0;
		}
	} else if (at > w->nxt) {
		if (!w->hole)
			w->hole = at;
		CHECK(!w->end || w->hole == at || at == w->end);
		w->end = to;
	}
	path_ack(p, w);
}

/* @total bytes over the path; what came of them and how large. */
static void stream(struct peer *p, struct path *w, u32 total)
{
	u32 until = w->nxt + total;
	struct segment *seg;

	w->largest = 0;
	while (total) {
		u32 n = total < 50000 ? total : 50000;

		sut_write(p, n);
		total -= n;
		while (w->nxt < until - total) {
			seg = peer_rx_any(p, 3000);
			if (!seg)
				FAIL("stopped at %u", w->nxt);
			if (seg->len)
				path_segment(p, w, seg);
		}
	}
}

/* At most 6 retransmissions of the head until they are shorter than @len; that length. */
static int shorter(struct peer *p, int len, int *times)
{
	struct segment *seg;

	for (*times = 0; *times < 6; (*times)++) {
		seg = peer_rx_any(p, 60000);
		CHECK(seg && seg->seq - p->sut_isn == 1);
		if (seg->len < len)
			return seg->len;
	}
	return len;
}

static void unanswered(struct peer *p)
{
	int i;

	sut_write(p, 50000);
	for (i = 0; i < 10; i++)
		peer_rx(p, 500, "A seq=%d len=1400", 1 + PEER_MSS * i);
}

RAW_TEST(mtup_black_hole, "RFC 4821 7.7, tcp_mtu_probing 1", T_BOTH)
{
	struct path w = { .limit = 1024, .nxt = 1 };
	int times;

	mtup_open(p, "1");
	unanswered(p);
	/* as many as tcp_retries1 allows, by the time they take */
	CHECK_EQ(shorter(p, PEER_MSS, &times), 1024);
	CHECK_RANGE(times, 3, 4);
	path_segment(p, &w, p->last);
	while (w.nxt < 50001) {
		struct segment *seg = peer_rx_any(p, 60000);

		CHECK(seg && seg->len && seg->len <= 1024);
		path_segment(p, &w, seg);
	}
}

RAW_TEST(mtup_black_hole_deeper, "RFC 4821 7.7, tcp_base_mss, tcp_mtu_probe_floor", T_BOTH)
{
	int times;

	sut_sysctl("tcp_base_mss", "1000");
	sut_sysctl("tcp_mtu_probe_floor", "300");
	sut_sysctl("tcp_retries1", "1");
	mtup_open(p, "1");
	unanswered(p);
	CHECK_EQ(shorter(p, PEER_MSS, &times), 1000);
	CHECK_EQ(shorter(p, 1000, &times), 500);
	CHECK_EQ(shorter(p, 500, &times), 300);
	CHECK(peer_rx_any(p, 60000));
	CHECK_EQ(p->last->len, 300);
}

RAW_TEST(mtup_off, "tcp_mtu_probing 0", T_BOTH)
{
	int times;

	mtup_open(p, "0");
	unanswered(p);
	CHECK_EQ(shorter(p, PEER_MSS, &times), PEER_MSS);
}

RAW_TEST(mtup_search, "RFC 4821 7.2, tcp_mtu_probing 2", T_BOTH)
{
	struct path w = { .limit = 1500, .nxt = 1 };
	long good;

	mtup_open(p, "2");
	good = sut_mib("TCPMTUPSuccess");
	sut_write(p, 5000);
	peer_rx(p, 500, "A seq=1 len=1024");
	path_segment(p, &w, p->last);
	while (w.nxt < 5001)
		path_segment(p, &w, peer_rx_any(p, 500));
	stream(p, &w, 1000000);
	/* 1024 to 1400 by halves, until less than 8 is left */
	CHECK_RANGE(w.largest, PEER_MSS - 8, PEER_MSS);
	CHECK_RANGE(sut_mib("TCPMTUPSuccess") - good, 5, 6);
	CHECK_EQ(ssthresh(p), INF_SSTHRESH);
}

RAW_TEST(mtup_probe_lost, "RFC 4821 7.6.2: the loss of a probe is no congestion", T_BOTH)
{
	struct path w = { .limit = 1100, .nxt = 1 };
	long bad;

	mtup_open(p, "2");
	bad = sut_mib("TCPMTUPFail");
	stream(p, &w, 1000000);
	CHECK_RANGE(w.largest, 1100 - 8, 1100);
	CHECK_RANGE(sut_mib("TCPMTUPFail") - bad, 2, 6);
	CHECK_EQ(ssthresh(p), INF_SSTHRESH);
}

RAW_TEST(mtup_threshold, "tcp_probe_threshold", T_BOTH)
{
	struct path w = { .limit = 1500, .nxt = 1 };

	sut_sysctl("tcp_probe_threshold", "400");
	mtup_open(p, "2");
	stream(p, &w, 300000);
	CHECK_EQ(w.largest, 1024);
}

RAW_TEST(mtup_interval, "tcp_probe_interval", T_BOTH)
{
	struct path w = { .limit = 1100, .nxt = 1 };

	sut_sysctl("tcp_probe_interval", "2");
	mtup_open(p, "2");
	stream(p, &w, 300000);
	/* the path is wider now, and that long has passed */
	w.limit = 1500;
	peer_rx_none(p, 2500);
	stream(p, &w, 1000000);
	CHECK_RANGE(w.largest, PEER_MSS - 8, PEER_MSS);
}

RAW_TEST(mtup_interval_not_over, "tcp_probe_interval", T_BOTH)
{
	struct path w = { .limit = 1100, .nxt = 1 };

	mtup_open(p, "2");
	stream(p, &w, 300000);
	w.limit = 1500;
	peer_rx_none(p, 2500);
	stream(p, &w, 300000);
	CHECK_RANGE(w.largest, 1024, 1100);
}
