// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a received segment that is dropped, and what the tracepoints say
 * of one that comes in. Nobody else touches the counters of include/xtcp/drops.h.
 */
#include "packets.h"

#include <trace/events/xtcp.h>

static void trace_fill(struct xtcp_flow *f, struct xtcp_trace_seg *g, struct net *net,
		       const struct sk_buff *skb)
{
	const struct tcphdr *th = tcp_hdr(skb);
	int len = (int)skb->len - skb_transport_offset(skb) - th->doff * 4;

	xtcp_flow_init_skb(f, net, XTCP_KIND_REQ, skb);
	g->seq = ntohl(th->seq);
	g->ack = ntohl(th->ack_seq);
	g->len = max(len, 0);
	g->wnd = ntohs(th->window);
	g->segs = xtcp_skb_segs(skb);
	g->flags = ((const u8 *)th)[13];
}

/**
 * xtcp_trace_in - tell tracers of a segment that is ours
 * @net: namespace
 * @skb: segment; at least the fixed header pulled
 *
 * Called by xtcp_note_in() when somebody traces. Softirq.
 */
void xtcp_trace_in(struct net *net, const struct sk_buff *skb)
{
	struct xtcp_trace_seg g;
	struct xtcp_flow f;

	trace_fill(&f, &g, net, skb);
	trace_xtcp_segment_in(&f, &g);
}

static void drop_count(struct xtcp_net *xn, enum xtcp_drop reason)
{
	this_cpu_inc(xn->pcpu->drop[reason]);
}

/**
 * xtcp_drop_skb - drop a received segment
 * @xn: namespace that counts it
 * @skb: the segment, freed here
 * @reason: why; XTCP_DROP_NONE: it has served its purpose, nothing is counted
 *
 * The one function that drops a received segment. Any context.
 */
void xtcp_drop_skb(struct xtcp_net *xn, struct sk_buff *skb, enum xtcp_drop reason)
{
	if (reason == XTCP_DROP_NONE) {
		consume_skb(skb);
		return;
	}
	drop_count(xn, reason);
	if (trace_xtcp_drop_enabled()) {
		struct xtcp_trace_seg g;
		struct xtcp_flow f;

		trace_fill(&f, &g, xn->net, skb);
		trace_xtcp_drop(&f, &g, reason);
	}
	kfree_skb(skb);
}

/**
 * xtcp_drop_part - the rest of a segment is dropped, or what only quotes one
 * @f: flow it was for
 * @g: the segment
 * @reason: why
 *
 * For a segment whose other part was kept, and for ICMP errors that are not
 * believed: there is no skb to free. Any context.
 */
void xtcp_drop_part(const struct xtcp_flow *f, const struct xtcp_seg *g, enum xtcp_drop reason)
{
	drop_count(xtcp_net(f->net), reason);
	if (trace_xtcp_drop_enabled()) {
		struct xtcp_trace_seg t = {
			.seq = g->seq, .ack = g->ack, .len = g->len, .wnd = g->wnd,
			.segs = max_t(u16, g->segs, 1), .flags = g->flags,
		};

		trace_xtcp_drop(f, &t, reason);
	}
}
