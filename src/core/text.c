// SPDX-License-Identifier: GPL-2.0
/* SEGMENT ARRIVES, sixth to eighth check: URG, text, FIN (RFC 9293 3.10.7.4). */
#include "internal.h"

/* What of a segment is left to use. */
struct piece {
	u32 seq, end;	/* payload */
	bool fin;	/* FIN stands at end */
};

/* Sixth: the urgent pointer (RFC 6093: the byte after, or tcp_stdurg: the last one). */
bool xtcp_check_urg(struct xtcp_tcb *t, const struct xtcp_seg *g, struct xtcp_verdict *v)
{
	u32 ptr;

	if (!(g->flags & XTCP_URG) || t->fin_rcvd)
		return true;
	if (!g->urg && !XTCP_P(t, tcp_stdurg))
		return true;
	ptr = g->seq + g->urg - (XTCP_P(t, tcp_stdurg) ? 0 : 1);
	if (seq_gt(t->copied_seq, ptr) || seq_lt(ptr, t->s.rcv_nxt))
		return true;
	if (t->urg_in && seq_leq(ptr, t->rcv_up))
		return true;
	t->urg_in = 1;
	t->rcv_up = ptr;
	v->flags |= XTCP_V_URG | XTCP_V_WAKE_RD;
	v->urg_seq = ptr;
	return true;
}

/* Cut away what was received before and what lies beyond the window. */
static void trim(struct xtcp_tcb *t, struct piece *p, struct xtcp_verdict *v)
{
	u32 edge = t->s.rcv_nxt + xtcp_rcv_wnd(&t->s);

	if (seq_lt(p->seq, t->s.rcv_nxt)) {
		u32 cut = seq_min(t->s.rcv_nxt, p->end);

		if (cut != p->seq) {
			xtcp_dsack_set(t, p->seq, cut);
			xtcp_count(v, XTCP_MIB_DSACK_OLD_SENT);
		}
		p->seq = cut;
	}
	if (seq_gt(p->end, edge)) {
		p->end = seq_max(edge, p->seq);
		p->fin = false;
		t->ack_now = 1;
		xtcp_drop_seg(v, XTCP_DROP_NO_WINDOW);
		if (!xtcp_rcv_wnd(&t->s))
			xtcp_count(v, XTCP_MIB_ZERO_WINDOW_DROP);
	}
}

/* Nothing may lie beyond the peer's FIN, and the FIN does not move. */
static void trim_fin(struct xtcp_tcb *t, struct piece *p, struct xtcp_verdict *v)
{
	struct xtcp_rng *last;

	if (p->fin && !t->fin_known && t->n_oooq) {
		last = list_last_entry(&t->oooq, struct xtcp_rng, link);
		if (seq_gt(last->end, p->end)) {
			p->fin = false;
			xtcp_drop_seg(v, XTCP_DROP_AFTER_FIN);
		}
	}
	if (!t->fin_known)
		return;
	if (p->fin && p->end != t->fin_seq)
		p->fin = false;
	if (seq_gt(p->end, t->fin_seq)) {
		p->end = seq_max(t->fin_seq, p->seq);
		xtcp_drop_seg(v, XTCP_DROP_AFTER_FIN);
	}
}

static xtcp_hot void text_in_order(struct xtcp_tcb *t, const struct xtcp_seg *g,
				   const struct piece *p, u64 now_us, struct xtcp_verdict *v)
{
	u32 before = t->s.rcv_nxt, len = p->end - p->seq;
	bool holes = t->n_oooq;

	if (!len)
		return;
	v->flags |= XTCP_V_DELIVER | XTCP_V_WAKE_RD;
	v->data_off = p->seq - g->seq;
	v->data_len = len;
	t->s.rcv_nxt = p->end;
	t->rcv_free -= min_t(u32, len, t->rcv_free);
	if (holes) {
		/* RFC 5681 4.2: at once when a gap is filled */
		t->ack_now = 1;
		xtcp_oooq_advance(t);
	}
	t->bytes_received += t->s.rcv_nxt - before;
	xtcp_ack_data(t, g, now_us);
	xtcp_drs_data(t, g, now_us);
	xtcp_window_grow(t, len);
}

static void text_out_of_order(struct xtcp_tcb *t, const struct xtcp_seg *g,
			      const struct piece *p, struct xtcp_verdict *v)
{
	/* RFC 5681 4.2: a duplicate ACK at once */
	t->ack_now = 1;
	t->lrcv_us = t->lrcv_us ? t->lrcv_us : 1;
	xtcp_ack_urgent(t);
	if (p->seq == p->end)
		return;
	xtcp_ecn_data(t, g);
	switch (xtcp_oooq_insert(t, p->seq, p->end)) {
	case XTCP_OOO_KEPT:
		v->flags |= XTCP_V_OOO;
		v->data_off = p->seq - g->seq;
		v->data_len = p->end - p->seq;
		t->rcv_ooopack += max_t(u16, g->segs, 1);
		xtcp_count(v, XTCP_MIB_OFO_QUEUE);
		break;
	case XTCP_OOO_DUP:
		xtcp_drop_seg(v, XTCP_DROP_OLD);
		xtcp_count(v, XTCP_MIB_DSACK_OFO_SENT);
		break;
	case XTCP_OOO_FULL:
		xtcp_drop_seg(v, XTCP_DROP_OOO_LIMIT);
		xtcp_count(v, XTCP_MIB_OFO_DROP);
		break;
	}
}

/*
 * Nobody will ever read what comes after close(), so the peer must learn that
 * it is lost (RFC 9293 3.6.1, RFC 2525 2.17; SEEDS X-8).
 */
static bool text_after_close(struct xtcp_tcb *t, const struct xtcp_seg *g,
			     struct xtcp_verdict *v)
{
	if (!(t->orphan || t->rcv_shut) ||
	    (t->state != XTCP_FIN_WAIT1 && t->state != XTCP_FIN_WAIT2))
		return false;
	if (!g->len || !seq_gt(g->seq + g->len, t->s.rcv_nxt))
		return false;
	xtcp_drop_seg(v, XTCP_DROP_AFTER_CLOSE);
	xtcp_count(v, XTCP_MIB_ABORT_ON_DATA);
	xtcp_reply_closed(g, v);
	xtcp_die(t, ECONNRESET, "data after close", v);
	return true;
}

/**
 * xtcp_text_next - the seventh check where it has nothing to object to
 * @t: block, ESTABLISHED, no FIN known
 * @g: segment with payload and room for it, all of it in the window, at its left edge
 * @now_us: now
 * @v: verdict
 */
void xtcp_text_next(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		    struct xtcp_verdict *v)
{
	struct piece p = { g->seq, g->seq + g->len, false };

	t->data_segs_in += max_t(u16, g->segs, 1);
	text_in_order(t, g, &p, now_us, v);
}

/**
 * xtcp_check_text - seventh check: the payload, and where the peer's FIN stands
 * @t: block
 * @g: segment, acceptable, without SYN
 * @now_us: now
 * @v: verdict
 *
 * Return: whether to go on with the eighth check.
 */
bool xtcp_check_text(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		     struct xtcp_verdict *v)
{
	struct piece p = { g->seq, g->seq + g->len, g->flags & XTCP_FIN };

	if (!g->len && !p.fin)
		return true;
	if (t->fin_rcvd) {
		if (seq_gt(xtcp_seg_end(g), t->s.rcv_nxt))
			xtcp_drop_seg(v, XTCP_DROP_AFTER_FIN);
		return false;
	}
	if (text_after_close(t, g, v))
		return false;
	if (g->len)
		t->data_segs_in += max_t(u16, g->segs, 1);
	trim(t, &p, v);
	trim_fin(t, &p, v);
	if (g->no_mem && p.seq != p.end) {
		xtcp_drop_seg(v, XTCP_DROP_NOMEM);
		return false;
	}
	if (p.seq == p.end && !p.fin)
		return true;
	if (p.seq == t->s.rcv_nxt)
		text_in_order(t, g, &p, now_us, v);
	else
		text_out_of_order(t, g, &p, v);
	/* without its data a FIN would close a hole that is not filled */
	if (p.fin && v->drop != XTCP_DROP_OOO_LIMIT) {
		t->fin_known = 1;
		t->fin_seq = p.end;
	}
	return true;
}

/* Eighth: the FIN, once everything before it is here. */
void xtcp_check_fin(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	if (!t->fin_known || t->fin_rcvd || t->s.rcv_nxt != t->fin_seq)
		return;
	t->s.rcv_nxt++;
	t->fin_rcvd = 1;
	v->flags |= XTCP_V_FIN | XTCP_V_WAKE_RD | XTCP_V_WAKE_WR;
	switch (t->state) {
	case XTCP_ESTABLISHED:
		xtcp_state_set(t, XTCP_CLOSE_WAIT, "FIN", v);
		/* our FIN may soon carry the ACK; on a fresh connection ato is 0 */
		t->ack_sched = 1;
		t->pingpong = 1;
		break;
	case XTCP_FIN_WAIT1:
		t->ack_now = 1;
		if (!xtcp_fin_acked(t)) {
			xtcp_state_set(t, XTCP_CLOSING, "FIN", v);
			break;
		}
		xtcp_state_set(t, XTCP_TIME_WAIT, "FIN", v);
		v->flags |= XTCP_V_TIMEWAIT;
		break;
	case XTCP_FIN_WAIT2:
		t->ack_now = 1;
		xtcp_state_set(t, XTCP_TIME_WAIT, "FIN", v);
		v->flags |= XTCP_V_TIMEWAIT;
		break;
	}
}
