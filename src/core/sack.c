// SPDX-License-Identifier: GPL-2.0
/* The scoreboard: SACK blocks in (RFC 2018 5, RFC 2883 5), losses out (RFC 6675 4). */
#include "internal.h"

/*
 * Cut a range because the peer has a part of it; NULL if that is not to be. A peer
 * that sacks what has arrived makes no more pieces than there are segments, but
 * for some that were cut on the way. One that sacks crumbs would have us look
 * through them with each ACK.
 */
static struct xtcp_rng *sack_cut(struct xtcp_tcb *t, struct xtcp_rng *r, u32 at)
{
	if (t->n_txq >= XTCP_TXRNG_FREE && t->n_txq >= XTCP_TXRNG_FREE +
	    xtcp_segs_of(t, t->s.snd_nxt - t->s.snd_una))
		return NULL;
	return xtcp_rng_split(t, r, at);
}

/* The peer has all of @r; return how many bytes that is. */
static u32 sack_range(struct xtcp_tcb *t, struct xtcp_rng *r, struct xtcp_ackctx *c)
{
	u32 len = xtcp_rng_len(r);

	/* sent once, so the time it took is a good sample (Karn);
	 * unless a timeout came between, for then an ACK was lost
	 */
	if (r->xmits == 1 && !r->lost && !c->sack_us)
		c->sack_us = r->xmit_us;
	xtcp_rack_arrived(t, r, r->end, c);
	xtcp_rate_arrived(t, r, len, c);
	xtcp_rng_mark(t, r, true, false, false);
	t->delivered += xtcp_segs_of(t, len);
	return len;
}

/*
 * The range that has @seq, which is in flight; from @r on, or @r itself if that is beyond.
 * For the @last block from the end, if that is nearer. The ranges have no gaps, so there is
 * no end of the list to look for.
 */
static struct xtcp_rng *sack_find(const struct xtcp_tcb *t, struct xtcp_rng *r, u32 seq, bool last)
{
	if (last && (s32)(seq - r->seq) > (s32)(t->s.snd_nxt - seq)) {
		r = list_last_entry(&t->txq, struct xtcp_rng, link);
		while (seq_gt(r->seq, seq))
			r = list_prev_entry(r, link);
		return r;
	}
	while (seq_leq(r->end, seq))
		r = list_next_entry(r, link);
	return r;
}

/*
 * Mark what @n blocks at @b, by start, say the peer holds; return how many bytes
 * are news. Once over the scoreboard for all of them, whatever they say, and what
 * lies before a block costs next to nothing: there may be a thousand ranges.
 */
static u32 sack_mark(struct xtcp_tcb *t, const struct xtcp_sack *b, unsigned int n,
		     struct xtcp_ackctx *c)
{
	struct xtcp_rng *r = xtcp_txq_head(t);
	const struct xtcp_sack *last = b + n;
	u32 news = 0;

	for (; b < last; b++) {
		u32 start = b->start, end = b->end;

		/* the one before ended with the last of all; what begins there is known by now */
		if (list_entry_is_head(r, &t->txq, link))
			break;
		r = sack_find(t, r, start, b + 1 == last);
		list_for_each_entry_from(r, &t->txq, link) {
			if (seq_leq(end, r->seq))
				break;
			if (r->sacked)
				continue;
			if (seq_lt(r->seq, start)) {
				/* the second part comes up next; without a node the
				 * block is believed only where it covers whole ranges
				 */
				sack_cut(t, r, start);
				continue;
			}
			/* the second part may have the next block's start */
			if (seq_gt(r->end, end) && !sack_cut(t, r, end))
				break;
			news += sack_range(t, r, c);
		}
	}
	return news;
}

/*
 * Is @b about what is on its way, and nothing else? Each end is measured from SND.UNA:
 * compared with one edge each, a block the other way round the sequence space would pass.
 */
static bool in_flight(const struct xtcp_tcb *t, const struct xtcp_sack *b)
{
	return seq_lt(b->start, b->end) && seq_between(b->start, t->s.snd_una, t->s.snd_nxt) &&
	       seq_between(b->end, t->s.snd_una, t->s.snd_nxt);
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
 * @g: segment, with such blocks
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
	struct xtcp_sack by_start[XTCP_MAX_SACK];
	unsigned int i = 0, k, n = 0;

	if (!t->sack_ok)
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

		if (!in_flight(t, b))
			continue;
		for (k = n++; k && seq_lt(b->start, by_start[k - 1].start); k--)
			by_start[k] = by_start[k - 1];
		by_start[k] = *b;
	}
	return n ? sack_mark(t, by_start, n, c) : 0;
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
	u32 thresh = xtcp_reordering(t), above = 0, pieces = 0;
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
