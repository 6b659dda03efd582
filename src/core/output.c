// SPDX-License-Identifier: GPL-2.0
/*
 * What goes out next: SYN, probes, retransmissions, new data, FIN, pure ACK,
 * in that order. RFC 9293 3.7.4 (Nagle), 3.8.6.2.1 (silly window), RFC 6675
 * NextSeg(); Minshall's variant of Nagle as in Linux.
 */
#include "internal.h"

/*
 * Two segments should fit into the largest window the peer ever offered, or
 * sender's silly window avoidance would wait for the last of it (RFC 9293
 * 3.8.6.2.1); tiny windows are taken as they are.
 */
static u32 half_window(const struct xtcp_tcb *t, u32 mss)
{
	u32 cut = t->max_window > XTCP_DEFAULT_MSS ? t->max_window / 2 : t->max_window;

	cut = max_t(u32, cut, XTCP_P(t, tcp_min_snd_mss) - XTCP_TS_LEN);
	return t->max_window ? min_t(u32, mss, cut) : mss;
}

/**
 * xtcp_mss_update - recompute mss_now
 * @t: block with mss_cap, mss_peer, user_mss
 *
 * Return: payload bytes of a full segment, the usual options deducted
 * (RFC 9293 3.7.1, RFC 6691).
 */
u32 xtcp_mss_update(struct xtcp_tcb *t)
{
	u32 mss = min_t(u32, t->mss_cap, t->mss_peer);

	if (t->user_mss)
		mss = min_t(u32, mss, t->user_mss);
	mss = max_t(u32, mss, XTCP_P(t, tcp_min_snd_mss));
	if (t->mtup_on)
		mss = min_t(u32, mss, t->mtup_low);
	if (t->ts_ok)
		mss -= XTCP_TS_LEN;
	t->mss_now = half_window(t, mss);
	t->gso_stale = 1;
	return t->mss_now;
}

static unsigned int sack_blocks(const struct xtcp_tcb *t, struct xtcp_opts *o)
{
	unsigned int i, n = 0, room = t->ts_ok ? 3 : XTCP_MAX_SACK;

	if (!t->sack_ok)
		return 0;
	if (t->dsack_set)
		o->sack[n++] = t->dsack;
	for (i = 0; i < t->n_sackb && n < room; i++)
		o->sack[n++] = t->sackb[i];
	return n;
}

static noinline u32 sack_mss(const struct xtcp_tcb *t)
{
	struct xtcp_opts o;
	unsigned int n = sack_blocks(t, &o);

	return t->mss_now - (n ? min_t(u32, 4 + 8 * n, t->mss_now - 1) : 0);
}

/* Payload that fits next to the SACK blocks that are due. */
u32 xtcp_eff_mss(const struct xtcp_tcb *t)
{
	return likely(!t->n_sackb && !t->dsack_set) ? t->mss_now : sack_mss(t);
}

/* Other options than a timestamp. */
static noinline void set_more_opts(const struct xtcp_tcb *t, u32 tsval, u32 tsecr,
				   struct xtcp_xmit *x)
{
	struct xtcp_opts o = { };

	if (x->flags & XTCP_SYN) {
		o.mss = t->adv_mss;
		if (t->user_mss && t->user_mss < o.mss)
			o.mss = t->user_mss;
		o.sack_ok = t->sack_ok;
		o.has_wscale = t->wscale_ok;
		o.wscale = t->rcv_wscale;
		x->syn_opts = 1;
	} else {
		o.nsack = sack_blocks(t, &o);
	}
	if (t->ts_ok) {
		o.has_ts = 1;
		o.tsval = tsval;
		o.tsecr = tsecr;
	}
	x->optlen = xtcp_opts_build(&o, x->opt);
}

static void set_opts(const struct xtcp_tcb *t, u64 now_us, struct xtcp_xmit *x)
{
	u32 tsval = t->ts_ok ? xtcp_ts_now(t->ts_off, now_us) : 0;
	u32 tsecr = x->flags & XTCP_ACK ? t->s.ts_recent : 0;

	if (likely(!(x->flags & XTCP_SYN) && !t->n_sackb && !t->dsack_set))
		x->optlen = t->ts_ok ? xtcp_opts_build_ts(tsval, tsecr, x->opt) : 0;
	else
		set_more_opts(t, tsval, tsecr, x);
}

static void set_urg(const struct xtcp_tcb *t, struct xtcp_xmit *x)
{
	u32 ptr = t->snd_up - x->seq - (XTCP_P(t, tcp_stdurg) ? 1 : 0);

	if (!t->urg_out || seq_geq(x->seq, t->snd_up) || ptr > 0xffff)
		return;
	x->urg = ptr;
	x->flags |= XTCP_URG;
}

/* Fill @x; the header fields are those of this very moment. */
static bool build(const struct xtcp_tcb *t, u8 kind, u32 seq, u32 len, u8 flags, u64 now_us,
		  struct xtcp_xmit *x)
{
	u32 mss = xtcp_eff_mss(t), end = seq + len;

	memset(x, 0, offsetof(struct xtcp_xmit, opt));
	x->kind = kind;
	x->seq = seq;
	x->len = len;
	x->flags = flags;
	if (t->state != XTCP_SYN_SENT) {
		x->flags |= XTCP_ACK;
		x->ack = t->s.rcv_nxt;
	}
	x->wnd = xtcp_window_wire(t, flags & XTCP_SYN);
	if (len > mss) {
		/* a peer's GRO then hands the burst on, and its end is acknowledged (Linux 5.5) */
		x->gso_size = mss;
		x->flags |= XTCP_PSH;
	}
	if (len && (flags & XTCP_FIN || (seq_lt(seq, t->push_seq) && seq_geq(end, t->push_seq)) ||
		    end == t->write_seq))
		x->flags |= XTCP_PSH;
	if (len)
		set_urg(t, x);
	xtcp_ecn_mark(t, x);
	set_opts(t, now_us, x);
	return true;
}

static bool out_syn(struct xtcp_tcb *t, u64 now_us, struct xtcp_xmit *x)
{
	if (t->syn_acked || t->s.snd_nxt != t->iss)
		return false;
	return build(t, XTCP_X_NEW, t->iss, 0, XTCP_SYN, now_us, x);
}

/* A segment the peer must answer: one below what it expects (3.8.4, 3.8.6.1). */
static bool out_probe(struct xtcp_tcb *t, u64 now_us, struct xtcp_xmit *x)
{
	if (!t->probe_due && !t->keep_due)
		return false;
	return build(t, t->probe_due ? XTCP_X_PROBE : XTCP_X_KEEP, t->s.snd_una - 1, 0, 0,
		     now_us, x);
}

/*
 * The tail loss probe (RFC 8985 7.3): new data if there is any that may go,
 * beyond cwnd and Nagle but not beyond the window, else the last segment again.
 */
static bool out_tlp(struct xtcp_tcb *t, u64 now_us, struct xtcp_xmit *x)
{
	u32 mss, edge = xtcp_wnd_end(t), nxt = t->s.snd_nxt, len, end;
	const struct xtcp_rng *r;
	bool fin;

	if (likely(!t->tlp_due))
		return false;
	mss = xtcp_eff_mss(t);
	t->tlp_due = 0;
	if (!t->n_txq || !t->syn_acked ||
	    (t->ca_state != XTCP_CA_OPEN && t->ca_state != XTCP_CA_CWR))
		return false;
	if (!t->fin_sent && t->write_seq != nxt && seq_gt(edge, nxt)) {
		len = min_t(u32, min_t(u32, t->write_seq - nxt, edge - nxt), mss);
		fin = t->fin_queued && nxt + len == t->write_seq && seq_gt(edge, nxt + len);
		t->tlp_due = 1;
		return build(t, XTCP_X_NEW, nxt, len, fin ? XTCP_FIN : 0, now_us, x);
	}
	r = list_last_entry(&t->txq, struct xtcp_rng, link);
	fin = t->fin_sent && r->end == t->write_seq + 1;
	end = r->end - fin;
	len = min_t(u32, end - r->seq, mss);
	if (r->sacked || r->lost || seq_gt(r->end, edge))
		return false;
	t->tlp_due = 1;
	return build(t, XTCP_X_REXMIT, end - len, len, fin ? XTCP_FIN : 0, now_us, x);
}

/* How much of a lost range may go now; 0: nothing. */
static u32 rexmit_len(const struct xtcp_tcb *t, const struct xtcp_rng *r, u32 want, u32 mss)
{
	u32 room, wnd = seq_gt(xtcp_wnd_end(t), r->seq) ? xtcp_wnd_end(t) - r->seq : 0;

	/* beyond a window that shrank only the head is tried (3.8.6) */
	if (r->seq == t->s.snd_una)
		wnd = max_t(u32, wnd, min_t(u32, want, mss));
	want = min_t(u32, want, wnd);
	if (t->force_rexmit)
		return min_t(u32, want, mss);
	room = xtcp_cwnd_room(t);
	if (want > room && room < mss)
		return 0;
	if (want <= room)
		return min_t(u32, want, max_t(u32, xtcp_tso_goal(t) / mss * mss, mss));
	room = min_t(u32, room, max_t(u32, xtcp_tso_goal(t), mss));
	return room / mss * mss;
}

static bool out_rexmit(struct xtcp_tcb *t, u64 now_us, struct xtcp_xmit *x)
{
	struct xtcp_rng *r = xtcp_txq_next_lost(t);
	u32 mss, len, want;
	bool fin;
	u8 flags = 0;

	if (!r) {
		t->force_rexmit = 0;
		return false;
	}
	if (r->seq == t->iss && !t->syn_acked) {
		if (!t->force_rexmit)
			return false;
		return build(t, XTCP_X_REXMIT, r->seq, 0, XTCP_SYN, now_us, x);
	}
	mss = xtcp_eff_mss(t);
	fin = t->fin_sent && r->end == t->write_seq + 1;
	want = xtcp_rng_len(r) - fin;
	len = want ? rexmit_len(t, r, want, mss) : 0;
	if (want && !len)
		return false;
	if (!t->force_rexmit && xtcp_held(t, len, now_us))
		return false;
	if (fin && len == want)
		flags = XTCP_FIN;
	return build(t, XTCP_X_REXMIT, r->seq, len, flags, now_us, x);
}

/* May a segment shorter than the MSS go that empties the queue? */
static bool tail_ok(const struct xtcp_tcb *t)
{
	if (t->fin_queued || t->force_send)
		return true;
	if (t->urg_out && seq_gt(t->snd_up, t->s.snd_nxt))
		return true;
	if (t->cork || t->more)
		return t->cork_due;
	/* Nagle as Minshall has it: one small segment in flight at a time */
	return t->nodelay || !t->n_txq || seq_leq(t->snd_sml, t->s.snd_una);
}

/* How much new data goes in the next transmission; 0: none. */
static u32 new_len(struct xtcp_tcb *t, u32 unsent, u32 wnd, u32 mss, u64 now_us, bool *limited)
{
	u32 room = xtcp_cwnd_room(t), len = min_t(u32, unsent, wnd), may, piece;

	if (len > room && room < mss) {
		*limited = true;
		return 0;
	}
	if (len > mss) {
		piece = max_t(u32, xtcp_tso_goal(t) / mss * mss, mss);
		may = min_t(u32, room, wnd);
		if (may < unsent && xtcp_piece_waits(t, may, piece, mss, now_us)) {
			*limited = room < wnd;
			return 0;
		}
		len = min_t(u32, len, piece);
	}
	if (len > room) {
		len = room / mss * mss;
		*limited = true;
	}
	if (len >= mss)
		return len == unsent && tail_ok(t) ? len : len - len % mss;
	if (len == unsent)
		return tail_ok(t) ? len : 0;
	/* 3.8.6.2.1: the window cuts it short; half the largest window will do */
	return t->force_send || len >= max_t(u32, t->max_window / 2, 1) ? len : 0;
}

/* A probe of the path's MTU is one segment, whatever can cut up larger ones. */
static bool out_mtu_probe(struct xtcp_tcb *t, u32 len, u64 now_us, struct xtcp_xmit *x)
{
	build(t, XTCP_X_NEW, t->s.snd_nxt, len, 0, now_us, x);
	x->gso_size = 0;
	x->mtu_probe = 1;
	return true;
}

static bool out_new(struct xtcp_tcb *t, u64 now_us, struct xtcp_xmit *x, bool *limited)
{
	u32 seq = t->s.snd_nxt, unsent = t->write_seq - seq, mss = xtcp_eff_mss(t), wnd, len = 0;
	u8 flags = 0;

	if (!t->syn_acked || t->fin_sent || !xtcp_pending(t))
		return false;
	wnd = seq_gt(xtcp_wnd_end(t), seq) ? xtcp_wnd_end(t) - seq : 0;
	if (!wnd)
		return false;
	if (unsent) {
		if (!t->n_txq)
			xtcp_cwnd_restart(t, now_us);
		if (t->mtup_on) {
			len = xtcp_mtup_next(t, now_us, limited);
			if (len)
				return out_mtu_probe(t, len, now_us, x);
			if (*limited)
				return false;
		}
		len = new_len(t, unsent, wnd, mss, now_us, limited);
		if (!len || xtcp_held(t, len, now_us))
			return false;
	}
	if (t->fin_queued && len == unsent && wnd > len)
		flags = XTCP_FIN;
	return build(t, XTCP_X_NEW, seq, len, flags, now_us, x);
}

static bool out_ack(struct xtcp_tcb *t, u64 now_us, struct xtcp_xmit *x)
{
	u32 seq = t->s.snd_nxt, edge = xtcp_wnd_end(t);

	if (!t->ack_now || t->state == XTCP_SYN_SENT)
		return false;
	/* stay acceptable to a peer that shrank its window */
	if (t->syn_acked && seq_gt(seq, edge) && seq - edge >= 1U << t->snd_wscale)
		seq = seq_max(edge, t->s.snd_una);
	return build(t, XTCP_X_ACK, seq, 0, 0, now_us, x);
}

/* Nothing may go now: see to it that something happens later. */
static void out_idle(struct xtcp_tcb *t, bool limited, u64 now_us)
{
	u32 unsent = t->write_seq - t->s.snd_nxt;

	if (!t->syn_acked)
		return;
	if (!t->fin_sent && unsent && (t->cork || t->more) && !t->cork_due && !t->fin_queued &&
	    unsent < t->mss_now) {
		if (!t->deadline_us[XTCP_T_CORK])
			t->deadline_us[XTCP_T_CORK] = now_us + XTCP_CORK_US;
	}
	if (t->n_txq || !xtcp_pending(t) || t->fin_sent)
		t->force_send = 0;
	else if (!t->deadline_us[XTCP_T_REXMIT] && !t->deadline_us[XTCP_T_CORK] &&
		 !t->deadline_us[XTCP_T_PACE])
		xtcp_persist_arm(t, now_us);
	xtcp_cwnd_validate(t, limited, now_us);
}

/**
 * xtcp_output_next - decide the next segment to transmit now
 * @t: block; rcv_free, rcv_full and dev_least fresh
 * @now_us: now
 * @x: the segment
 *
 * Return: whether there is one; then xtcp_output_sent() or xtcp_output_failed()
 * must follow.
 */
bool xtcp_output_next(struct xtcp_tcb *t, u64 now_us, struct xtcp_xmit *x)
{
	bool limited = false;

	if (t->state == XTCP_CLOSE || t->state == XTCP_LISTEN)
		return false;
	if (unlikely(t->refused)) {
		t->refused = 0;
		return out_ack(t, now_us, x);
	}
	t->deadline_us[XTCP_T_PACE] = 0;
	if (t->state != XTCP_TIME_WAIT) {
		if (out_syn(t, now_us, x) || out_probe(t, now_us, x) || out_tlp(t, now_us, x) ||
		    out_rexmit(t, now_us, x) || out_new(t, now_us, x, &limited))
			return true;
	}
	if (out_ack(t, now_us, x))
		return true;
	if (t->state != XTCP_TIME_WAIT)
		out_idle(t, limited, now_us);
	return false;
}

/*
 * Bulk data ends like this: of a write a piece shorter than a segment is left, and Nagle
 * keeps it. That is out_new()'s answer where nothing else has a say in it.
 */
static bool tail_waits(const struct xtcp_tcb *t)
{
	u32 unsent = t->write_seq - t->s.snd_nxt;

	return unsent < t->mss_now && t->n_txq && !tail_ok(t) && !t->mtup_on && !t->n_sackb &&
	       !t->dsack_set && seq_leq(t->write_seq, xtcp_wnd_end(t)) &&
	       unsent <= xtcp_cwnd_room(t);
}

/**
 * xtcp_output_more - after a segment: has xtcp_output_next() to be asked again?
 * @t: block
 *
 * Return: false if it would find nothing; xtcp_output_over() then ends the loop.
 */
bool xtcp_output_more(const struct xtcp_tcb *t)
{
	return (xtcp_pending(t) && !tail_waits(t)) || xtcp_output_due_else(t);
}

/**
 * xtcp_output_over - the same as xtcp_output_next() where that has nothing to send
 * @t: block; xtcp_output_more() says so
 * @now_us: now
 *
 * For the end of a loop, which is as frequent as its first round.
 */
void xtcp_output_over(struct xtcp_tcb *t, u64 now_us)
{
	if (t->state == XTCP_CLOSE || t->state == XTCP_LISTEN)
		return;
	t->held = 0;
	t->deadline_us[XTCP_T_PACE] = 0;
	if (t->state != XTCP_TIME_WAIT)
		out_idle(t, false, now_us);
}

static void sent_new(struct xtcp_tcb *t, u32 seq, u32 end, u64 now_us)
{
	bool was_idle = !t->n_txq;

	xtcp_txq_append(t, seq, end, now_us);
	t->s.snd_nxt = end;
	t->cork_due = 0;
	t->force_send = 0;
	t->deadline_us[XTCP_T_CORK] = 0;
	if (was_idle || t->rexmit_kind == XTCP_RT_PERSIST || !t->deadline_us[XTCP_T_REXMIT]) {
		if (t->rexmit_kind == XTCP_RT_PERSIST) {
			t->backoff = 0;
			t->probes_out = 0;
		}
		if (was_idle) {
			t->una_us = now_us;
			if (!t->busy)
				t->busy_us -= now_us;
			t->busy = 1;
		}
		xtcp_rto_arm(t, now_us);
	}
	if (t->rexmit_kind != XTCP_RT_REO && xtcp_tlp_ok(t))
		xtcp_tlp_arm(t, now_us);
}

static void sent_rexmit(struct xtcp_tcb *t, u32 seq, u32 end, u32 segs, u64 now_us)
{
	/* whatever becomes of it now says nothing of its size */
	t->mtup_size = 0;
	xtcp_txq_resent(t, seq, end, now_us);
	t->bytes_retrans += end - seq;
	t->total_retrans += segs;
	if (t->tlp_due)
		return;
	t->force_rexmit = 0;
	t->undo_bytes += end - seq;
	if (!t->retrans_us)
		t->retrans_us = now_us;
	/* after a timeout it has been running since the moment it was due */
	if (seq == t->s.snd_una && !t->rto_fired)
		xtcp_rto_again(t, now_us);
	t->rto_fired = 0;
}

/**
 * xtcp_output_sent - what xtcp_output_next() gave went out
 * @t: block
 * @x: the segment, as given
 * @now_us: now
 */
void xtcp_output_sent(struct xtcp_tcb *t, const struct xtcp_xmit *x, u64 now_us)
{
	u32 segs = x->gso_size ? DIV_ROUND_UP(x->len, x->gso_size) : 1;
	u32 end = x->seq + x->len + !!(x->flags & XTCP_SYN) + !!(x->flags & XTCP_FIN);
	u32 edge;

	t->segs_out += segs;
	t->out_retry = 0;
	if (x->flags & XTCP_FIN)
		t->fin_sent = 1;
	if (x->len) {
		t->data_segs_out += segs;
		t->bytes_sent += x->len;
		t->lsnd_us = now_us;
		if (x->flags & XTCP_CWR)
			t->ecn_cwr = 0;
		if (t->paced)
			xtcp_pace_sent(t, x->len, now_us);
	}
	if (t->ca_state == XTCP_CA_RECOVERY || t->ca_state == XTCP_CA_CWR)
		t->prr_out += x->len;
	switch ((enum xtcp_xmit_kind)x->kind) {
	case XTCP_X_NEW:
		sent_new(t, x->seq, end, now_us);
		if (x->mtu_probe)
			xtcp_mtup_sent(t, x->seq, x->len);
		else if (x->gso_size ? x->len % x->gso_size : x->len && x->len != xtcp_eff_mss(t))
			t->snd_sml = end;
		else if (seq_lt(t->snd_sml, t->s.snd_una))
			t->snd_sml = t->s.snd_una;	/* or it would be ahead, 2 GB later */
		/* it answers what just came: ACKs may wait for the next answer */
		if (x->len && t->lrcv_us && now_us - t->lrcv_us < t->ato_us) {
			t->pingpong = 1;
			t->quickack_user = 0;
		}
		if (t->tlp_due)
			xtcp_tlp_sent(t, false);
		break;
	case XTCP_X_REXMIT:
		sent_rexmit(t, x->seq, end, segs, now_us);
		if (t->tlp_due)
			xtcp_tlp_sent(t, true);
		break;
	case XTCP_X_PROBE:
		t->probe_due = 0;
		break;
	case XTCP_X_KEEP:
		t->keep_due = 0;
		break;
	case XTCP_X_ACK:
		break;
	}
	/* RFC 7323 2.4: remember the rightmost edge ever offered */
	edge = x->ack + ((u32)x->wnd << (x->flags & XTCP_SYN ? 0 : t->rcv_wscale));
	if (!(x->flags & XTCP_ACK)) {
		/* the window of a bare SYN counts from a rcv_nxt yet unknown */
		t->s.rcv_adv = t->s.rcv_nxt + x->wnd;
		return;
	}
	t->s.rcv_adv = seq_max(t->s.rcv_adv, edge);
	xtcp_ack_sent(t, segs);
}

/*
 * Not sent: again after @us, if not by then for another reason. Nothing changed in the
 * block but deadlines, so the retry decides anew. What has never been in flight has no
 * retransmission timer: one is needed here, or a host that can send nothing would keep
 * its SYNs and orphans for ever.
 */
static void output_retry(struct xtcp_tcb *t, u64 us, u64 now_us)
{
	u64 *due_us = &t->deadline_us[XTCP_T_DELACK];

	t->out_retry = 1;
	if (!*due_us || *due_us > now_us + us)
		*due_us = now_us + us;
	if (t->n_txq || !xtcp_pending(t) || t->deadline_us[XTCP_T_REXMIT])
		return;
	if (t->syn_acked)
		xtcp_persist_arm(t, now_us);
	else
		xtcp_rto_arm(t, now_us);
}

/**
 * xtcp_output_failed - it could not be built: arm a retry
 * @t: block
 * @now_us: now
 */
void xtcp_output_failed(struct xtcp_tcb *t, u64 now_us)
{
	output_retry(t, XTCP_RETRY_US, now_us);
}

/**
 * xtcp_output_refused - the queue below has dropped it: there is congestion here
 * @t: block
 * @x: what was decided
 * @now_us: now
 *
 * Data is as if it had not been tried, and waits for an ACK, a timer, or half a
 * second; trying sooner would only keep the queue full. The ACK that it carried
 * goes alone, it may be small enough. The rest is lost on the way; a probe of the
 * path's MTU says nothing of congestion by that, its size is as likely the cause.
 *
 * Return: whether it counts as sent, so that xtcp_output_sent() must follow
 */
bool xtcp_output_refused(struct xtcp_tcb *t, const struct xtcp_xmit *x, u64 now_us)
{
	if (x->mtu_probe)
		return true;
	xtcp_recovery_local(t);
	if (!x->len || (x->kind != XTCP_X_NEW && x->kind != XTCP_X_REXMIT))
		return true;
	t->refused = 1;
	output_retry(t, XTCP_REFUSED_US, now_us);
	return false;
}

/**
 * xtcp_unsent - SIOCOUTQNSD
 * @t: block
 *
 * Return: bytes the user wrote that were never sent.
 */
u32 xtcp_unsent(const struct xtcp_tcb *t)
{
	if (!t->syn_acked)
		return t->write_seq - t->iss - 1;
	return t->fin_sent ? 0 : t->write_seq - t->s.snd_nxt;
}

/**
 * xtcp_unacked - SIOCOUTQ
 * @t: block
 *
 * Return: bytes the user wrote that were never acknowledged.
 */
u32 xtcp_unacked(const struct xtcp_tcb *t)
{
	if (!t->syn_acked)
		return t->write_seq - t->iss - 1;
	return xtcp_fin_acked(t) ? 0 : t->write_seq - t->s.snd_una;
}
