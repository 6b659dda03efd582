// SPDX-License-Identifier: GPL-2.0
/* The scoreboard: SACK blocks in (RFC 2018 5, RFC 2883 5), losses out (RFC 6675 4). */
#include "internal.h"

/* Mark [@start, @end) as held by the peer; return how many bytes are news. */
static u32 sack_mark(struct xtcp_tcb *t, u32 start, u32 end, struct xtcp_ackctx *c)
{
	struct xtcp_rng *r;
	u32 news = 0;

	list_for_each_entry(r, &t->txq, link) {
		if (seq_leq(r->end, start))
			continue;
		if (seq_geq(r->seq, end))
			break;
		if (r->sacked)
			continue;
		if (seq_lt(r->seq, start)) {
			/* the second part comes up next; without a node the
			 * block is believed only where it covers whole ranges
			 */
			xtcp_rng_split(t, r, start);
			continue;
		}
		if (seq_gt(r->end, end) && !xtcp_rng_split(t, r, end))
			break;
		/* sent once, so the time it took is a good sample (Karn);
		 * unless a timeout came between, for then an ACK was lost
		 */
		if (r->xmits == 1 && !r->lost && !c->sack_us)
			c->sack_us = r->xmit_us;
		xtcp_rack_arrived(t, r, r->end, c);
		xtcp_rng_mark(t, r, true, false, false);
		news += xtcp_rng_len(r);
		t->delivered += xtcp_segs_of(t, xtcp_rng_len(r));
	}
	return news;
}

/* RFC 2883 4: the first block lies below the ACK or within the second. */
static bool is_dsack(const struct xtcp_seg *g)
{
	const struct xtcp_sack *b = g->opt.sack;

	if (seq_lt(b[0].start, g->ack))
		return true;
	return g->opt.nsack > 1 && seq_geq(b[0].start, b[1].start) &&
	       seq_leq(b[0].end, b[1].end);
}

/**
 * xtcp_sack_arrives - take in the SACK blocks of an acceptable ACK
 * @t: block, snd_una already advanced
 * @g: segment
 * @c: gets dsack and what came first
 * @v: verdict, for counters
 *
 * A block that is empty, reversed or outside what is in flight is ignored.
 *
 * Return: bytes newly known to be held by the peer.
 */
u32 xtcp_sack_arrives(struct xtcp_tcb *t, const struct xtcp_seg *g, struct xtcp_ackctx *c,
		      struct xtcp_verdict *v)
{
	unsigned int i = 0;
	u32 news = 0;

	if (!t->sack_ok || !g->opt.nsack)
		return 0;
	if (is_dsack(g)) {
		c->dsack = seq_lt(g->opt.sack[0].start, g->opt.sack[0].end);
		c->dsack_start = g->opt.sack[0].start;
		c->dsack_end = g->opt.sack[0].end;
		t->dsack_dups++;
		xtcp_count(v, XTCP_MIB_DSACK_RECV);
		i = 1;
	}
	for (; i < g->opt.nsack; i++) {
		const struct xtcp_sack *b = &g->opt.sack[i];

		if (!seq_lt(b->start, b->end) || seq_lt(b->start, t->s.snd_una) ||
		    seq_gt(b->end, t->s.snd_nxt))
			continue;
		news += sack_mark(t, b->start, b->end, c);
	}
	return news;
}

/* A retransmission is lost if one made clearly later has arrived (RFC 8985 6.2). */
static bool resend_lost(const struct xtcp_tcb *t, const struct xtcp_rng *r)
{
	return r->retrans && r->xmit_us + max_t(u32, t->min_rtt_us / 4, 1000) < t->newest_us;
}

/*
 * RFC 6675 4, IsLost(): DupThresh discontiguous sacked pieces, or more than
 * (DupThresh - 1) * SMSS sacked bytes, lie above.
 */
void xtcp_sack_detect(struct xtcp_tcb *t)
{
	u32 thresh = XTCP_P(t, tcp_reordering), above = 0, pieces = 0;
	u32 limit = (thresh - 1) * t->mss_now;
	bool in_piece = false;
	struct xtcp_rng *r;

	if (!t->sacked_bytes)
		return;
	list_for_each_entry_reverse(r, &t->txq, link) {
		if (r->sacked) {
			above += xtcp_rng_len(r);
			pieces += !in_piece;
			in_piece = true;
			continue;
		}
		in_piece = false;
		if (r->lost || (r->retrans && !resend_lost(t, r)))
			continue;
		if (above > limit || pieces >= thresh)
			xtcp_rng_mark(t, r, false, true, false);
	}
}
