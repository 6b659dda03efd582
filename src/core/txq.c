// SPDX-License-Identifier: GPL-2.0
/*
 * The retransmission queue as ranges of sequence numbers, and the pool of
 * nodes behind it. A range is in exactly one of four conditions: in flight
 * (no flag), sacked, lost, retransmitted; the sums per flag are kept as the
 * flags change, so that the pipe of RFC 6675 costs nothing to know. What the
 * peer may still answer, in flight or retransmitted, is in the order of
 * transmission besides: RACK looks at what is older than what has arrived, and
 * at nothing else.
 *
 * An empty pool never stops the sender: ranges are merged, which can only
 * forget that the peer holds something, never claim it.
 */
#include "internal.h"

/**
 * xtcp_pool_put - give a node to the pool
 * @t: block
 * @r: node, contents irrelevant
 */
void xtcp_pool_put(struct xtcp_tcb *t, struct xtcp_rng *r)
{
	r->spare = t->pool;
	t->pool = r;
	t->n_pool++;
}

static bool rng_inline(const struct xtcp_tcb *t, const struct xtcp_rng *r)
{
	return r >= t->inl && r < t->inl + XTCP_INLINE_RNG;
}

/**
 * xtcp_pool_surplus - take one node the pool can spare
 * @t: block
 * @keep: how many to leave
 *
 * Inline nodes stay for ever, and one node stays while nothing is in flight:
 * the next transmission must not fail for want of it.
 *
 * Return: a node that came in through xtcp_pool_put(), or NULL.
 */
struct xtcp_rng *xtcp_pool_surplus(struct xtcp_tcb *t, unsigned int keep)
{
	struct xtcp_rng **p, *r;

	if (t->n_pool <= keep || (!t->n_txq && t->n_pool <= 1))
		return NULL;
	for (p = &t->pool; (r = *p); p = &r->spare) {
		if (rng_inline(t, r))
			continue;
		*p = r->spare;
		t->n_pool--;
		return r;
	}
	return NULL;
}

/* A zeroed node, or NULL. The last one is kept for an empty txq. */
xtcp_hot struct xtcp_rng *xtcp_pool_get(struct xtcp_tcb *t)
{
	struct xtcp_rng *r = t->pool;

	if (!r)
		return NULL;
	t->pool = r->spare;
	t->n_pool--;
	memset(r, 0, sizeof(*r));
	return r;
}

static void rng_account(struct xtcp_tcb *t, const struct xtcp_rng *r, int sign)
{
	u32 n = sign > 0 ? xtcp_rng_len(r) : 0 - xtcp_rng_len(r);

	if (r->sacked)
		t->sacked_bytes += n;
	else if (r->lost)
		t->lost_bytes += n;
	else if (r->retrans)
		t->retrans_bytes += n;
}

/*
 * Where it belongs; what comes back into doubt is among the oldest. Before its equals, of
 * which a burst is full: who puts back many begins with the youngest.
 */
static void sent_insert(struct xtcp_tcb *t, struct xtcp_rng *r)
{
	struct xtcp_rng *after;

	list_for_each_entry(after, &t->sent, sent)
		if (after->xmit_us >= r->xmit_us)
			break;
	list_add_tail(&r->sent, &after->sent);
}

void xtcp_rng_mark(struct xtcp_tcb *t, struct xtcp_rng *r, bool sacked, bool lost, bool retrans)
{
	bool out = xtcp_rng_out(r);

	rng_account(t, r, -1);
	r->sacked = sacked;
	r->lost = lost;
	r->retrans = retrans;
	rng_account(t, r, 1);
	if (lost && t->lost_from && seq_lt(r->seq, t->lost_from->seq))
		t->lost_from = r;
	if (out == xtcp_rng_out(r))
		return;
	if (out)
		list_del(&r->sent);
	else
		sent_insert(t, r);
}

/**
 * xtcp_rng_split - cut a range of the txq in two
 * @t: block
 * @r: range
 * @at: first sequence number of the second part, strictly inside
 *
 * Return: the second part, or NULL if the pool is empty or the scoreboard full
 * (nothing changed).
 */
struct xtcp_rng *xtcp_rng_split(struct xtcp_tcb *t, struct xtcp_rng *r, u32 at)
{
	struct xtcp_rng *b;

	if (t->n_txq >= XTCP_MAX_TXRNG)
		return NULL;
	b = xtcp_pool_get(t);
	if (!b)
		return NULL;
	b->seq = at;
	b->end = r->end;
	b->xmit_us = r->xmit_us;
	b->sacked = r->sacked;
	b->lost = r->lost;
	b->retrans = r->retrans;
	b->xmits = r->xmits;
	b->rs_bytes = r->rs_bytes;
	b->rs_us = r->rs_us;
	b->rs_first_us = r->rs_first_us;
	b->app_limited = r->app_limited;
	r->end = at;
	list_add(&b->link, &r->link);
	if (xtcp_rng_out(b))
		list_add(&b->sent, &r->sent);
	t->n_txq++;
	return b;
}

static void txq_free(struct xtcp_tcb *t, struct xtcp_rng *r)
{
	rng_account(t, r, -1);
	if (xtcp_rng_out(r))
		list_del(&r->sent);
	if (unlikely(t->lost_from == r))
		t->lost_from = list_is_last(&r->link, &t->txq) ? NULL : list_next_entry(r, link);
	list_del(&r->link);
	t->n_txq--;
	xtcp_pool_put(t, r);
}

/* @r goes into @prev, its neighbour in the same condition. */
static void txq_join(struct xtcp_tcb *t, struct xtcp_rng *prev, struct xtcp_rng *r)
{
	prev->xmits = max_t(u8, prev->xmits, r->xmits);
	rng_account(t, prev, -1);
	prev->end = r->end;
	rng_account(t, prev, 1);
	txq_free(t, r);
}

#define TXRNG_SPARE	32	/* few enough are left to look for some */

/*
 * The scoreboard is about to be full: neighbours that were sacked one by one
 * become one range. Without it a lost range could not be cut any more, and all
 * of it would pass for sent again when one segment was: one per timeout.
 */
static void txq_make_room(struct xtcp_tcb *t)
{
	struct xtcp_rng *r, *n, *prev = NULL;

	if (t->n_txq < XTCP_MAX_TXRNG - TXRNG_SPARE)
		return;
	list_for_each_entry_safe(r, n, &t->txq, link) {
		if (!prev || !prev->sacked || !r->sacked) {
			prev = r;
			continue;
		}
		txq_join(t, prev, r);
	}
}

/* [@seq, @end) is transmitted for the first time. */
xtcp_hot void xtcp_txq_append(struct xtcp_tcb *t, u32 seq, u32 end, u64 now_us)
{
	struct xtcp_rng *r;

	txq_make_room(t);
	r = t->n_txq < XTCP_MAX_TXRNG ? xtcp_pool_get(t) : NULL;
	if (r) {
		r->seq = seq;
		r->end = end;
		r->xmit_us = now_us;
		r->xmits = 1;
		xtcp_rate_sent(t, r, now_us);
		list_add_tail(&r->link, &t->txq);
		list_add_tail(&r->sent, &t->sent);
		t->n_txq++;
		return;
	}
	/* grow the last range; its older transmission time keeps RTT samples safe */
	r = list_last_entry(&t->txq, struct xtcp_rng, link);
	if (r->sacked || r->lost)
		xtcp_rng_mark(t, r, false, false, true);
	rng_account(t, r, -1);
	r->end = end;
	rng_account(t, r, 1);
}

/* Remove what @ack covers and note what it says about the round-trip time. */
void xtcp_txq_ack(struct xtcp_tcb *t, u32 ack, struct xtcp_ackctx *c)
{
	struct xtcp_rng *r, *n;

	list_for_each_entry_safe(r, n, &t->txq, link) {
		if (seq_geq(r->seq, ack))
			break;
		/* Karn: no sample from what was sent twice; nor from what was
		 * sacked earlier, its acknowledgment is old news; nor from
		 * what was given up for lost, for then an ACK was lost and
		 * our timeout is part of the time
		 */
		if (r->xmits > 1)
			c->resent_us = max_t(u64, c->resent_us, r->xmit_us);
		else if (r->lost)
			c->resent_us = c->now_us;
		else if (!c->sent_us && !r->sacked && seq_leq(r->end, ack))
			c->sent_us = r->xmit_us;
		if (seq_gt(r->end, ack)) {
			if (!r->sacked) {
				xtcp_rack_arrived(t, r, ack, c);
				xtcp_rate_arrived(t, r, ack - r->seq, c);
				c->fresh += ack - r->seq;
				t->delivered += (ack - r->seq) / max_t(u32, t->mss_now, 1);
			}
			rng_account(t, r, -1);
			r->seq = ack;
			rng_account(t, r, 1);
			break;
		}
		if (!r->sacked) {
			xtcp_rack_arrived(t, r, r->end, c);
			xtcp_rate_arrived(t, r, xtcp_rng_len(r), c);
			c->fresh += xtcp_rng_len(r);
			t->delivered += xtcp_segs_of(t, xtcp_rng_len(r));
		}
		txq_free(t, r);
	}
	if (c->resent_us)
		c->sent_us = 0;
	t->fack = seq_max(t->fack, ack);
}

/*
 * [@seq, @end), inside one range, was transmitted again. Without nodes the
 * whole of the range counts as such.
 */
void xtcp_txq_resent(struct xtcp_tcb *t, u32 seq, u32 end, u64 now_us)
{
	struct xtcp_rng *r;

	txq_make_room(t);
	list_for_each_entry(r, &t->txq, link) {
		if (seq_leq(r->end, seq))
			continue;
		if (seq_lt(r->seq, seq)) {
			struct xtcp_rng *b = xtcp_rng_split(t, r, seq);

			r = b ? b : r;
		}
		if (seq_lt(end, r->end))
			xtcp_rng_split(t, r, end);
		xtcp_rng_mark(t, r, r->sacked, false, !r->sacked);
		r->xmit_us = now_us;
		if (xtcp_rng_out(r))
			list_move_tail(&r->sent, &t->sent);
		xtcp_rate_sent(t, r, now_us);
		if (r->xmits < 255)
			r->xmits++;
		return;
	}
}

/* Small neighbours that go again go as one segment: fewer to lose. */
static void txq_merge_lost(struct xtcp_tcb *t)
{
	u32 mss = max_t(u32, xtcp_eff_mss(t), 1);
	struct xtcp_rng *r, *n, *prev = NULL;

	list_for_each_entry_safe(r, n, &t->txq, link) {
		if (!prev || !prev->lost || !r->lost || (prev->seq == t->iss && !t->syn_acked) ||
		    r->end - prev->seq > mss) {
			prev = r;
			continue;
		}
		txq_join(t, prev, r);
	}
}

/* A timeout: everything not sacked is lost; after reneging, all of it. */
void xtcp_txq_all_lost(struct xtcp_tcb *t, bool forget_sacks)
{
	struct xtcp_rng *r;

	list_for_each_entry(r, &t->txq, link)
		if (!r->sacked || forget_sacks)
			xtcp_rng_mark(t, r, false, true, false);
	txq_merge_lost(t);
}

/* What was deemed lost is not; what was sent twice is known as @resent says. */
void xtcp_txq_none_lost(struct xtcp_tcb *t, bool resent)
{
	struct xtcp_rng *r;

	/* from the end: each is older than the one before, and first in that order */
	list_for_each_entry_reverse(r, &t->txq, link)
		if (r->lost)
			xtcp_rng_mark(t, r, false, false, resent && r->xmits > 1);
}

/* F-RTO: the timeout was none too soon. What was out then and not repeated since is lost. */
void xtcp_txq_orig_lost(struct xtcp_tcb *t)
{
	struct xtcp_rng *r;

	list_for_each_entry(r, &t->txq, link)
		if (!r->sacked && !r->retrans && seq_lt(r->seq, t->high_seq))
			xtcp_rng_mark(t, r, false, true, false);
}

/*
 * The first lost range. It is asked for with each segment that may go, while a window of
 * ranges may stand before it that have been sent again: the search goes on where it ended.
 */
struct xtcp_rng *xtcp_txq_first_lost(struct xtcp_tcb *t)
{
	struct xtcp_rng *r = t->lost_from ?: xtcp_txq_head(t);

	list_for_each_entry_from(r, &t->txq, link) {
		if (r->lost) {
			t->lost_from = r;
			return r;
		}
	}
	return NULL;
}

/* The first segment in flight is lost (fast retransmit without better knowledge). */
void xtcp_txq_mark_head(struct xtcp_tcb *t)
{
	struct xtcp_rng *r;
	u32 mss = max_t(u32, xtcp_eff_mss(t), 1);

	if (list_empty(&t->txq))
		return;
	r = xtcp_txq_head(t);
	if (r->sacked || r->lost)
		return;
	if (xtcp_rng_len(r) > mss)
		xtcp_rng_split(t, r, r->seq + mss);
	xtcp_rng_mark(t, r, false, true, false);
}

static void drain(struct xtcp_tcb *t, struct list_head *q)
{
	struct xtcp_rng *r, *n;

	list_for_each_entry_safe(r, n, q, link) {
		list_del(&r->link);
		xtcp_pool_put(t, r);
	}
}

/**
 * xtcp_tcb_drain - move every range back to the pool, before freeing the block
 * @t: block
 */
void xtcp_tcb_drain(struct xtcp_tcb *t)
{
	drain(t, &t->txq);
	drain(t, &t->oooq);
	INIT_LIST_HEAD(&t->sent);
	t->lost_from = NULL;
	t->n_txq = 0;
	t->n_oooq = 0;
	t->n_sackb = 0;
	t->sacked_bytes = 0;
	t->lost_bytes = 0;
	t->retrans_bytes = 0;
}
