/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bulk transfers of the real core over one bottleneck in virtual time: a rate, a
 * drop-tail queue, a round-trip time, and each n-th data segment of a flow lost, or
 * marked (RFC 3168).
 */
#ifndef XTCP_FLOWS_PATH_H
#define XTCP_FLOWS_PATH_H

#include "../sim/testlib.h"

#define MAX_FLOWS	4
#define MSS		1448u		/* payload, timestamps beside it */
#define WIRE		(MSS + 66)	/* Ethernet, IP, TCP with timestamps */

struct path;

/* Between two lost segments: exactly mean, or uniform from its half to half more. */
struct gaps {
	u32 mean;			/* 0: none is lost */
	struct rnd r;			/* 0: exactly */
};

static inline u32 gap_next(struct gaps *g)
{
	return g->r.s ? rnd_range(&g->r, g->mean / 2, g->mean + g->mean / 2) : g->mean;
}

struct end {
	struct path *path;
	u8 flow, side;
	bool half;			/* the passive end's request */
	struct xtcp_params p;
	struct xtcp_rq rq;
	struct xtcp_tcb t;
	struct xtcp_verdict v;
};

struct flow {
	struct end e[2];		/* sender, receiver */
	const struct xtcp_cc_ops *cc;
	u64 start_us;
	u32 delay_us;			/* more than the path's, each way */
	u64 data_segs;			/* passed or lost */
	u64 queue_drops, marks;
	u64 acked;			/* bytes */
	u64 cwnd_sum, cwnd_n;		/* seen at ACKs */
	u64 burst_us, gap_us;		/* it sends for so long, then pauses; 0: always */
};

struct pkt {
	u64 at_us, order;
	struct end *to;
	struct xtcp_seg g;
};

struct path {
	u64 now_us, order;
	u32 rtt_us;
	u64 rate;			/* bytes per second, 0: no limit */
	u64 queue_bytes;
	u64 mark_bytes;			/* a longer queue marks one in 4 rtt, 0: none does */
	u64 marked_us;			/* when it last did */
	bool mark;			/* what would be lost by gaps is marked */
	u64 busy_ns;			/* the link is busy until then */
	double queue_sum, queue_n;	/* bytes that each segment found before it */
	struct gaps gaps;
	u64 lose_at;			/* the data segment to lose */
	struct rnd r;
	u32 jitter_us;			/* of the sender's processing */
	unsigned int n_flow;
	struct flow f[MAX_FLOWS];
	struct pkt *heap;
	unsigned int n_heap, cap_heap;
};

void path_init(struct path *w, u32 rtt_us, u64 seed);
struct flow *path_flow(struct path *w, const char *cc, u64 start_us);
void path_run(struct path *w, u64 us);
void path_free(struct path *w);

#endif /* XTCP_FLOWS_PATH_H */
