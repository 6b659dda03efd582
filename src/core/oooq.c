// SPDX-License-Identifier: GPL-2.0
/* What arrived out of order, and the SACK blocks that tell of it (RFC 2018, RFC 2883). */
#include "internal.h"

void xtcp_dsack_set(struct xtcp_tcb *t, u32 start, u32 end)
{
	if (!t->sack_ok || !XTCP_P(t, tcp_dsack))
		return;
	t->dsack_set = 1;
	t->dsack.start = start;
	t->dsack.end = end;
}

/* RFC 2018 4: the block that holds the newest arrival comes first. */
static void sackb_touch(struct xtcp_tcb *t, u32 seq, u32 end)
{
	struct xtcp_sack keep[XTCP_MAX_SACK];
	unsigned int i, n = 0;

	for (i = 0; i < t->n_sackb; i++)
		if (seq_lt(t->sackb[i].end, seq) || seq_gt(t->sackb[i].start, end))
			keep[n++] = t->sackb[i];
	n = min_t(unsigned int, n, XTCP_MAX_SACK - 1);
	t->sackb[0].start = seq;
	t->sackb[0].end = end;
	for (i = 0; i < n; i++)
		t->sackb[i + 1] = keep[i];
	t->n_sackb = n + 1;
}

static void ooo_free(struct xtcp_tcb *t, struct xtcp_rng *r)
{
	list_del(&r->link);
	t->n_oooq--;
	xtcp_pool_put(t, r);
}

/* @r was widened: swallow the ranges behind it that it now touches. */
static void ooo_merge(struct xtcp_tcb *t, struct xtcp_rng *r)
{
	while (!list_is_last(&r->link, &t->oooq)) {
		struct xtcp_rng *n = list_next_entry(r, link);

		if (seq_gt(n->seq, r->end))
			return;
		r->end = seq_max(r->end, n->end);
		ooo_free(t, n);
	}
}

/**
 * xtcp_oooq_insert - note that [@seq, @end) arrived, above rcv_nxt
 * @t: block
 * @seq: first
 * @end: one past the last
 *
 * Return: XTCP_OOO_KEPT: keep the bytes; XTCP_OOO_DUP: all of them are held
 * already (a DSACK is set); XTCP_OOO_FULL: no node, drop them.
 */
enum xtcp_ooo xtcp_oooq_insert(struct xtcp_tcb *t, u32 seq, u32 end)
{
	struct list_head *at = &t->oooq;
	struct xtcp_rng *r;

	/* usually it belongs at the end: search backwards for the range before */
	list_for_each_entry_reverse(r, &t->oooq, link) {
		if (seq_gt(r->seq, end))
			continue;
		if (seq_lt(r->end, seq)) {
			at = &r->link;
			break;
		}
		if (seq_leq(r->seq, seq) && seq_geq(r->end, end)) {
			xtcp_dsack_set(t, seq, end);
			sackb_touch(t, r->seq, r->end);
			return XTCP_OOO_DUP;
		}
		/* touches: the lowest such range takes it all in */
		if (!list_is_first(&r->link, &t->oooq) &&
		    seq_geq(list_prev_entry(r, link)->end, seq))
			continue;
		if (seq_lt(seq_max(r->seq, seq), seq_min(r->end, end)))
			xtcp_dsack_set(t, seq_max(r->seq, seq), seq_min(r->end, end));
		r->seq = seq_min(r->seq, seq);
		r->end = seq_max(r->end, end);
		ooo_merge(t, r);
		sackb_touch(t, r->seq, r->end);
		return XTCP_OOO_KEPT;
	}
	/* the last node is the sender's while nothing is in flight */
	if (t->n_oooq >= XTCP_MAX_OOO || (!t->n_txq && t->n_pool < 2))
		return XTCP_OOO_FULL;
	r = xtcp_pool_get(t);
	if (!r)
		return XTCP_OOO_FULL;
	r->seq = seq;
	r->end = end;
	list_add(&r->link, at);
	t->n_oooq++;
	sackb_touch(t, seq, end);
	return XTCP_OOO_KEPT;
}

/* rcv_nxt moved: ranges it reached are in sequence now. */
void xtcp_oooq_advance(struct xtcp_tcb *t)
{
	struct xtcp_rng *r, *nx;
	unsigned int i, n = 0;

	list_for_each_entry_safe(r, nx, &t->oooq, link) {
		if (seq_gt(r->seq, t->s.rcv_nxt))
			break;
		t->s.rcv_nxt = seq_max(t->s.rcv_nxt, r->end);
		ooo_free(t, r);
	}
	for (i = 0; i < t->n_sackb; i++)
		if (seq_gt(t->sackb[i].start, t->s.rcv_nxt))
			t->sackb[n++] = t->sackb[i];
	t->n_sackb = n;
}
