// SPDX-License-Identifier: GPL-2.0
/* SEGMENT ARRIVES, RFC 9293 3.10.7: the outline, SYN-SENT, and the first four checks. */
#include "internal.h"

/* The peer's RST was good: what the user is told (3.10.7.4, Linux's errno). */
static void reset_by_peer(struct xtcp_tcb *t, struct xtcp_verdict *v)
{
	int err = ECONNRESET;

	if (t->state == XTCP_CLOSE_WAIT)
		err = EPIPE;
	xtcp_die(t, err, "RST", v);
}

/* ---- 3.10.7.3: SYN-SENT */

/* Both ends opened at once: answer the SYN with a SYN-ACK. */
static void simultaneous_open(struct xtcp_tcb *t, struct xtcp_verdict *v)
{
	xtcp_state_set(t, XTCP_SYN_RECV, "SYN", v);
	if (!t->n_txq)
		return;	/* our own SYN is still to be sent, and will carry the ACK */
	xtcp_txq_mark_head(t);
	t->force_rexmit = 1;
}

/* The peer's SYN fixes the receive sequence (3.10.7.3, fourth). */
static void take_irs(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us)
{
	u32 wnd = xtcp_rcv_wnd(&t->s);

	t->irs = g->seq;
	t->s.rcv_nxt = g->seq + 1;
	t->s.rcv_adv = t->s.rcv_nxt + wnd;
	t->rcv_wup = t->s.rcv_nxt;
	t->copied_seq = t->s.rcv_nxt;
	t->rcvq_seq = t->s.rcv_nxt;
	xtcp_peer_opts(t, &g->opt, now_us);
	xtcp_ecn_peer_syn(t, g);
	t->snd_wnd = g->wnd;
	t->max_window = max_t(u32, t->max_window, g->wnd);
	t->snd_wl1 = g->seq;
	t->snd_wl2 = g->ack;
}

/* The SYN-ACK may carry data and FIN: they are what follows the SYN. */
static void syn_sent_rest(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			  struct xtcp_verdict *v)
{
	struct xtcp_seg rest = *g;

	xtcp_ack_synack(t, now_us);
	rest.flags &= ~XTCP_SYN;
	rest.seq++;
	if (rest.urg)
		rest.urg--;
	if (xtcp_check_urg(t, &rest, v) && xtcp_check_text(t, &rest, now_us, v))
		xtcp_check_fin(t, now_us, v);
}

/* An ACK of something else: the peer lives in the past (SEEDS 2-1). */
static void syn_sent_bad_ack(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			     struct xtcp_verdict *v)
{
	if (g->flags & XTCP_RST) {
		xtcp_drop_seg(v, XTCP_DROP_RST_BAD);
		return;
	}
	xtcp_drop_seg(v, XTCP_DROP_ACK_BAD);
	xtcp_reply_closed(g, v);
	/* the RST clears the way: do not wait a second for the next try */
	if (!t->retransmits && t->n_txq)
		t->deadline_us[XTCP_T_REXMIT] = now_us + 2 * USEC_MS;
}

static void syn_sent(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		     struct xtcp_verdict *v)
{
	bool ack = g->flags & XTCP_ACK;

	/* first: ACK */
	if (ack && (seq_leq(g->ack, t->iss) || seq_gt(g->ack, t->s.snd_nxt))) {
		syn_sent_bad_ack(t, g, now_us, v);
		return;
	}
	/* second: RST */
	if (g->flags & XTCP_RST) {
		if (ack)
			xtcp_die(t, ECONNREFUSED, "RST", v);
		else
			xtcp_drop_seg(v, XTCP_DROP_RST_BAD);
		return;
	}
	/* fourth: SYN; fifth: neither */
	if (!(g->flags & XTCP_SYN)) {
		xtcp_drop_seg(v, XTCP_DROP_NO_SYN);
		return;
	}
	/* of the connection whose TIME-WAIT connect() took over (RFC 6191 2) */
	if (!ack && xtcp_paws_bad(&t->s, g, now_us)) {
		xtcp_drop_seg(v, XTCP_DROP_PAWS);
		return;
	}
	take_irs(t, g, now_us);
	if (!ack) {
		simultaneous_open(t, v);
		return;
	}
	if (xtcp_check_ack(t, g, now_us, v))
		syn_sent_rest(t, g, now_us, v);
}

/* ---- 3.10.7.4: the other states */

/*
 * A duplicate ACK that others have overtaken: its timestamp is the older one, and what it
 * says of a loss is true all the same. Not older than a timeout, as on Linux: no sequence
 * number comes round in that time.
 */
static bool dup_overtaken(const struct xtcp_tcb *t, const struct xtcp_seg *g)
{
	return !g->len && (g->flags & (XTCP_SYN | XTCP_FIN | XTCP_ACK)) == XTCP_ACK &&
	       t->syn_acked && g->seq == t->s.rcv_nxt && g->ack == t->s.snd_una &&
	       (u32)g->wnd << t->snd_wscale == t->snd_wnd &&
	       (u64)(t->s.ts_recent - g->opt.tsval) * USEC_MS <= t->rto_us;
}

/* RFC 7323 5.3 R1, before the sequence number is looked at. */
static bool check_paws(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		       struct xtcp_verdict *v)
{
	if (!t->ts_ok || (g->flags & XTCP_RST) || !xtcp_paws_bad(&t->s, g, now_us) ||
	    dup_overtaken(t, g))
		return true;
	if (g->flags & XTCP_SYN) {
		xtcp_drop_seg(v, XTCP_DROP_SYN_CHALLENGE);
		xtcp_count(v, XTCP_MIB_SYN_CHALLENGE);
		xtcp_reply_challenge(t, g, now_us, v);
		return false;
	}
	xtcp_drop_seg(v, XTCP_DROP_PAWS);
	if (xtcp_ack_late(&t->s, g)) {
		xtcp_count(v, XTCP_MIB_PAWS_OLD_ACK);
		return false;
	}
	xtcp_count(v, XTCP_MIB_PAWS_ESTAB);
	xtcp_oow_ack(t, g, now_us);
	return false;
}

/*
 * First check. A segment without length may stand at the very edge, where a
 * peer that filled our window has its SND.NXT, and as far back as our last
 * ACK, which newer data may have overtaken. A closed window still lets the
 * ACK of a segment at RCV.NXT be seen.
 */
static bool seq_acceptable(const struct xtcp_tcb *t, const struct xtcp_seg *g)
{
	u32 nxt = t->s.rcv_nxt, edge = nxt + xtcp_rcv_wnd(&t->s), end = xtcp_seg_end(g);

	if (g->seq == end)
		return seq_between(g->seq, t->rcv_wup, edge);
	if (g->seq == nxt)
		return true;
	return seq_gt(end, nxt) && seq_lt(g->seq, edge);
}

/* RFC 5961 4.2: any SYN on a synchronized connection. */
static void syn_challenge(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			  struct xtcp_verdict *v)
{
	xtcp_drop_seg(v, XTCP_DROP_SYN_CHALLENGE);
	/* the peer's SYN again, before it saw ours: ours was lost */
	if (t->state == XTCP_SYN_RECV && g->seq == t->irs && !(g->flags & XTCP_ACK)) {
		if (!xtcp_oow_limited(&t->last_oow_us, t->p, g, now_us)) {
			xtcp_txq_mark_head(t);
			t->force_rexmit = 1;
		}
		return;
	}
	xtcp_count(v, XTCP_MIB_SYN_CHALLENGE);
	xtcp_reply_challenge(t, g, now_us, v);
}

static bool check_seq(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		      struct xtcp_verdict *v)
{
	u32 end = xtcp_seg_end(g);
	bool old = g->len && seq_leq(end, t->s.rcv_nxt);

	if (seq_acceptable(t, g))
		return true;
	if (g->flags & XTCP_RST) {
		xtcp_drop_seg(v, XTCP_DROP_RST_SEQ);
		return false;
	}
	if (g->flags & XTCP_SYN) {
		syn_challenge(t, g, now_us, v);
		return false;
	}
	xtcp_drop_seg(v, old ? XTCP_DROP_OLD : XTCP_DROP_SEQ);
	if (old && seq_lt(t->s.rcv_nxt - g->seq, 1U << 30)) {
		/* RFC 2883: tell what came twice */
		xtcp_dsack_set(t, g->seq, seq_min(g->seq + g->len, t->s.rcv_nxt));
		xtcp_count(v, XTCP_MIB_DSACK_OLD_SENT);
	}
	/* our ACKs may be getting lost */
	if (old)
		xtcp_ack_urgent(t);
	if (!xtcp_rcv_wnd(&t->s) && g->len)
		xtcp_count(v, XTCP_MIB_ZERO_WINDOW_DROP);
	xtcp_oow_ack(t, g, now_us);
	return false;
}

/* Second check: RST (RFC 5961 3.2). */
static bool check_rst(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		      struct xtcp_verdict *v)
{
	if (!(g->flags & XTCP_RST))
		return true;
	if (g->seq == t->s.rcv_nxt) {
		reset_by_peer(t, v);
		return false;
	}
	xtcp_drop_seg(v, XTCP_DROP_RST_CHALLENGE);
	xtcp_reply_challenge(t, g, now_us, v);
	return false;
}

/* A SYN-ACK for our SYN-ACK: simultaneous open is done (RFC 9293 figure 8). */
static bool crossing_syn_ack(const struct xtcp_tcb *t, const struct xtcp_seg *g)
{
	return t->state == XTCP_SYN_RECV && !t->passive &&
	       (g->flags & (XTCP_SYN | XTCP_ACK | XTCP_RST)) == (XTCP_SYN | XTCP_ACK) &&
	       g->seq + 1 == t->s.rcv_nxt && g->ack == t->s.snd_nxt;
}

/*
 * Header prediction: of an open connection the very segment that is next, with an ACK
 * and perhaps data, all of which fits. The first four checks and the sixth would let it
 * pass, the seventh would cut off nothing, and there is no FIN.
 */
static bool expected(const struct xtcp_tcb *t, const struct xtcp_seg *g)
{
	return t->state == XTCP_ESTABLISHED && g->seq == t->s.rcv_nxt &&
	       (g->flags & ~(XTCP_PSH | XTCP_ECE | XTCP_CWR)) == XTCP_ACK &&
	       g->len <= xtcp_rcv_wnd(&t->s) && !t->fin_known && !g->no_mem &&
	       (!g->opt.has_ts || seq_geq(g->opt.tsval, t->s.ts_recent));
}

static void synchronized(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			 struct xtcp_verdict *v)
{
	if (xtcp_foreseen(expected(t, g))) {
		if (xtcp_check_ack(t, g, now_us, v) && g->len)
			xtcp_text_next(t, g, now_us, v);
		return;
	}
	if (!check_paws(t, g, now_us, v) || !check_seq(t, g, now_us, v) ||
	    !check_rst(t, g, now_us, v))
		return;
	/* third: security, obsolete; fourth: SYN */
	if (g->flags & XTCP_SYN) {
		syn_challenge(t, g, now_us, v);
		return;
	}
	if (!xtcp_check_ack(t, g, now_us, v) || !xtcp_check_urg(t, g, v))
		return;
	if (xtcp_check_text(t, g, now_us, v))
		xtcp_check_fin(t, now_us, v);
	/* fifth, FIN-WAIT-1, put off so that FIN and ACK in one segment take one step */
	if (t->state == XTCP_FIN_WAIT1 && xtcp_fin_acked(t)) {
		xtcp_state_set(t, XTCP_FIN_WAIT2, "ACK of FIN", v);
		xtcp_fin_wait2(t, g, now_us, v);
	}
}

/* Without its SYN it is like any other ACK. */
static noinline void cross(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			   struct xtcp_verdict *v)
{
	struct xtcp_seg bare = *g;

	bare.flags &= ~(XTCP_SYN | XTCP_ECE | XTCP_CWR);
	bare.seq++;
	/* the window of a SYN is not scaled, that of an ACK is */
	bare.wnd >>= t->snd_wscale;
	synchronized(t, &bare, now_us, v);
}

/**
 * xtcp_segment_arrives - RFC 9293 3.10.7 for a connection
 * @t: block in any state
 * @g: segment, checksum and header already good
 * @now_us: now
 * @v: verdict, zeroed first
 */
void xtcp_segment_arrives(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			  struct xtcp_verdict *v)
{
	xtcp_verdict_zero(v);
	t->segs_in += max_t(u16, g->segs, 1);
	switch (t->state) {
	case XTCP_CLOSE:
	case XTCP_TIME_WAIT:
	case XTCP_LISTEN:
		v->drop = XTCP_DROP_CLOSED;
		xtcp_reply_closed(g, v);
		return;
	case XTCP_SYN_SENT:
		syn_sent(t, g, now_us, v);
		break;
	default:
		if (unlikely(crossing_syn_ack(t, g)))
			cross(t, g, now_us, v);
		else
			synchronized(t, g, now_us, v);
		break;
	}
	/* whatever it was, the peer lives (keepalive, 3.8.4) */
	if (v->drop == XTCP_DROP_NONE || t->ack_now)
		t->rcv_us = now_us;
	if (t->state != XTCP_TIME_WAIT)
		xtcp_ack_decide(t, now_us);
	xtcp_finish(t, now_us, v);
}
