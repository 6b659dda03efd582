// SPDX-License-Identifier: GPL-2.0
/*
 * TIME-WAIT, and FIN_WAIT2 of a closed socket: RFC 9293 3.10.7.4, RFC 1337,
 * RFC 5961, RFC 6191. What is left of the connection fits in 12 bytes and 12 bits.
 */
#include "internal.h"

/* A peer may restart 2MSL with its FIN this often, no more (SEEDS D-5). */
#define TW_RESTARTS	15
/* xtcp_twc.restarts in FIN_WAIT2: 3.5 RTO as the power of two ms above; this one: too long */
#define TW_RTO_LONG	15

static u8 log2_floor(u32 n, u8 max)
{
	u8 log = 0;

	while (log < max && n >> (log + 1))
		log++;
	return log;
}

/**
 * xtcp_tw_brief_us - TIME_WAIT with tcp_tw_recycle (SEEDS D-7)
 * @t: block
 *
 * Return: max(3.5 RTO, tcp_rto_min), us.
 */
u64 xtcp_tw_brief_us(const struct xtcp_tcb *t)
{
	u64 us = ((u64)t->rto_us << 2) - (t->rto_us >> 1);

	return max_t(u64, us, XTCP_P(t, tcp_rto_min_us));
}

/**
 * xtcp_tw_init - what TIME-WAIT or FIN_WAIT2 needs of a connection
 * @w: filled
 * @t: block in TIME_WAIT, or in FIN_WAIT2 without a user
 */
void xtcp_tw_init(struct xtcp_twc *w, const struct xtcp_tcb *t)
{
	u64 ms;

	memset(w, 0, sizeof(*w));
	w->snd_nxt = t->s.snd_nxt;
	w->rcv_nxt = t->s.rcv_nxt;
	w->ts_recent = t->s.ts_recent;
	w->ts_ok = t->ts_ok;
	w->ts_plain = !t->ts_off;
	w->wnd_log = log2_floor(xtcp_rcv_wnd(&t->s) >> t->rcv_wscale, 15);
	w->fin_wait2 = t->state == XTCP_FIN_WAIT2;
	if (!w->fin_wait2)
		return;
	ms = div_u64(xtcp_tw_brief_us(t) + USEC_MS - 1, USEC_MS);
	w->restarts = log2_floor(min_t(u64, ms, 1 << TW_RTO_LONG), TW_RTO_LONG);
	if (w->restarts < TW_RTO_LONG && ms > 1ULL << w->restarts)
		w->restarts++;
}

/**
 * xtcp_twc_brief_us - the same of an entry that stands in FIN_WAIT2
 * @w: entry; XTCP_TW_FIN was the last answer about it
 *
 * Rounded up to a power of two ms.
 *
 * Return: us, 0: too long to be worth it.
 */
u64 xtcp_twc_brief_us(const struct xtcp_twc *w)
{
	return w->restarts < TW_RTO_LONG ? (1ULL << w->restarts) * USEC_MS : 0;
}

/**
 * xtcp_twc_begin - TIME_WAIT begins where FIN_WAIT2 ended
 * @w: entry; the field counts restarts from now on
 */
void xtcp_twc_begin(struct xtcp_twc *w)
{
	w->restarts = 0;
}

/* The entry as the shared checks know it; its life is too short for TS.Recent to age. */
static struct xtcp_seqspace tw_space(const struct xtcp_twc *w, u64 now_us)
{
	return (struct xtcp_seqspace) {
		.snd_una = w->snd_nxt, .snd_nxt = w->snd_nxt,
		.rcv_nxt = w->rcv_nxt, .rcv_adv = w->rcv_nxt + (1U << w->wnd_log),
		.ts_recent = w->ts_recent, .ts_recent_s = w->ts_ok ? xtcp_paws_s(now_us) : 0,
	};
}

/* RFC 6191 2 and RFC 9293 3.6.1: a SYN that cannot be an old one. */
static bool tw_syn_ok(const struct xtcp_twc *w, const struct xtcp_seg *g)
{
	if ((g->flags & (XTCP_SYN | XTCP_ACK | XTCP_RST | XTCP_FIN)) != XTCP_SYN)
		return false;
	if (seq_gt(g->seq, w->rcv_nxt))
		return true;
	return w->ts_ok && g->opt.has_ts && seq_gt(g->opt.tsval, w->ts_recent);
}

static void tw_ack(const struct xtcp_twc *w, const struct xtcp_tw_env *e,
		   struct xtcp_verdict *v)
{
	struct xtcp_seqspace s = tw_space(w, e->now_us);

	xtcp_reply_ack(&s, w->ts_ok, e->ts_off, 0, e->now_us, &v->reply);
	v->flags |= XTCP_V_REPLY;
}

/* An ACK in answer to what is no good, not too often. */
static enum xtcp_tw_act tw_bad(const struct xtcp_twc *w, struct xtcp_tw_env *e,
			       const struct xtcp_seg *g, enum xtcp_drop why,
			       struct xtcp_verdict *v)
{
	v->drop = why;
	if (!xtcp_oow_limited(&e->last_ack_us, e->p, g, e->now_us))
		tw_ack(w, e, v);
	return XTCP_TW_DROP;
}

/* RFC 7323 5.3 R1, in both states */
static enum xtcp_tw_act tw_paws(const struct xtcp_twc *w, struct xtcp_tw_env *e, bool late,
				const struct xtcp_seg *g, struct xtcp_verdict *v)
{
	if (late) {
		xtcp_count(v, XTCP_MIB_PAWS_OLD_ACK);
		v->drop = XTCP_DROP_PAWS;
		return XTCP_TW_DROP;
	}
	xtcp_count(v, w->fin_wait2 ? XTCP_MIB_PAWS_ESTAB : XTCP_MIB_PAWS_TIMEWAIT);
	return tw_bad(w, e, g, XTCP_DROP_PAWS, v);
}

/* RFC 5961 3.2, 4.2, 5.2; data does not exempt here, see xtcp_reply_challenge() */
static enum xtcp_tw_act tw_challenge(const struct xtcp_twc *w, struct xtcp_tw_env *e,
				     const struct xtcp_seg *g, enum xtcp_drop why,
				     struct xtcp_verdict *v)
{
	struct xtcp_seg bare = { .flags = g->flags & XTCP_SYN };

	tw_bad(w, e, &bare, why, v);
	if (v->flags & XTCP_V_REPLY)
		v->flags |= XTCP_V_CHALLENGE;
	return XTCP_TW_DROP;
}

static bool fw2_seq_ok(const struct xtcp_twc *w, const struct xtcp_seg *g)
{
	u32 edge = w->rcv_nxt + (1U << w->wnd_log), end = xtcp_seg_end(g);

	if (g->seq == end)
		return seq_between(g->seq, w->rcv_nxt, edge);
	return seq_gt(end, w->rcv_nxt) && seq_lt(g->seq, edge);
}

/* Text and FIN in FIN_WAIT2: nobody reads any more (SEEDS X-8). */
static enum xtcp_tw_act fw2_text(struct xtcp_twc *w, struct xtcp_tw_env *e,
				 const struct xtcp_seg *g, struct xtcp_verdict *v)
{
	if (g->len && seq_gt(g->seq + g->len, w->rcv_nxt)) {
		v->drop = XTCP_DROP_AFTER_CLOSE;
		xtcp_count(v, XTCP_MIB_ABORT_ON_DATA);
		xtcp_reply_closed(g, v);
		return XTCP_TW_ABORT;
	}
	if (g->opt.has_ts && w->ts_ok && seq_leq(g->seq, w->rcv_nxt))
		w->ts_recent = g->opt.tsval;
	if (!(g->flags & XTCP_FIN))
		return XTCP_TW_DROP;
	/* the data before it is missing, and not wanted when it comes */
	if (g->seq + g->len != w->rcv_nxt)
		return tw_bad(w, e, g, XTCP_DROP_AFTER_CLOSE, v);
	w->rcv_nxt++;
	w->fin_wait2 = 0;
	tw_ack(w, e, v);
	return XTCP_TW_FIN;
}

/* The other checks of 3.10.7.4 in their order, as far as they can matter here. */
static enum xtcp_tw_act fw2_segment(struct xtcp_twc *w, struct xtcp_tw_env *e,
				    const struct xtcp_seg *g, struct xtcp_verdict *v)
{
	if (g->flags & XTCP_RST) {
		if (g->seq == w->rcv_nxt)
			return XTCP_TW_KILL;
		if (fw2_seq_ok(w, g))
			return tw_challenge(w, e, g, XTCP_DROP_RST_CHALLENGE, v);
		v->drop = XTCP_DROP_RST_SEQ;
		return XTCP_TW_DROP;
	}
	if (g->flags & XTCP_SYN) {
		xtcp_count(v, XTCP_MIB_SYN_CHALLENGE);
		return tw_challenge(w, e, g, XTCP_DROP_SYN_CHALLENGE, v);
	}
	if (!fw2_seq_ok(w, g))
		return tw_bad(w, e, g, XTCP_DROP_SEQ, v);
	if (!(g->flags & XTCP_ACK)) {
		v->drop = XTCP_DROP_NO_ACK;
		return XTCP_TW_DROP;
	}
	if (seq_gt(g->ack, w->snd_nxt))
		return tw_challenge(w, e, g, XTCP_DROP_ACK_FUTURE, v);
	/* what RFC 5961 5.2 allows below SND.UNA: no window was larger without scaling */
	if (seq_lt(g->ack, w->snd_nxt - 65535) && g->len)
		return tw_challenge(w, e, g, XTCP_DROP_ACK_OLD, v);
	return fw2_text(w, e, g, v);
}

/* Only an exact RST counts, and RFC 1337 would believe none. */
static enum xtcp_tw_act tw_rst(const struct xtcp_twc *w, const struct xtcp_tw_env *e,
			       const struct xtcp_seg *g, struct xtcp_verdict *v)
{
	if (g->seq == w->rcv_nxt && !READ_ONCE(e->p->tcp_rfc1337))
		return XTCP_TW_KILL;
	v->drop = XTCP_DROP_TW_RST;
	return XTCP_TW_DROP;
}

/**
 * xtcp_tw_segment - a segment for a TIME-WAIT entry
 * @w: entry
 * @e: what surrounds it; last_ack_us and iss are results, too
 * @g: segment
 * @v: verdict, zeroed first
 *
 * In TIME_WAIT only the peer's FIN restarts 2MSL; a bare ACK does nothing,
 * at RCV.NXT or, come late, before; everything else is answered with an ACK,
 * rate-limited.
 *
 * Return: what to do.
 */
enum xtcp_tw_act xtcp_tw_segment(struct xtcp_twc *w, struct xtcp_tw_env *e,
				 const struct xtcp_seg *g, struct xtcp_verdict *v)
{
	struct xtcp_seqspace s = tw_space(w, e->now_us);
	bool late = xtcp_ack_late(&s, g);
	u32 end = xtcp_seg_end(g);

	xtcp_verdict_zero(v);
	if (!(g->flags & XTCP_RST) && xtcp_paws_bad(&s, g, e->now_us))
		return tw_paws(w, e, late, g, v);
	if (w->fin_wait2)
		return fw2_segment(w, e, g, v);
	if (g->flags & XTCP_RST)
		return tw_rst(w, e, g, v);
	if (e->listener && tw_syn_ok(w, g)) {
		/* SEEDS X-3; 65537 clears any window without scaling */
		e->iss = w->snd_nxt + 65537;
		return XTCP_TW_REOPEN;
	}
	/* the bare ACK of our last one, as keepalives in flight look, or one before it */
	if (late || (g->seq == end && g->seq == w->rcv_nxt && (g->flags & XTCP_ACK))) {
		v->drop = XTCP_DROP_TW_OLD;
		return XTCP_TW_DROP;
	}
	if ((g->flags & XTCP_FIN) && !(g->flags & XTCP_SYN) && end == w->rcv_nxt) {
		tw_ack(w, e, v);
		if (w->restarts >= TW_RESTARTS)
			return XTCP_TW_DROP;
		w->restarts++;
		return XTCP_TW_RESTART;
	}
	return tw_bad(w, e, g, XTCP_DROP_TW_OLD, v);
}
