// SPDX-License-Identifier: GPL-2.0
/* Half-open requests: the passive side of the handshake, RFC 9293 3.10.7.2 and 3.10.7.4. */
#include "internal.h"
#include "cookie.h"

/**
 * xtcp_rq_init - a half-open request from a SYN
 * @rq: request
 * @p: knobs
 * @g: the SYN
 * @v6: IPv6 flow
 * @iss: our initial sequence number
 * @ts_off: timestamp offset
 * @rcv_wnd: initial window to offer, bytes
 * @rcv_wscale: scale to offer, if the peer offers one
 * @now_us: now
 */
void xtcp_rq_init(struct xtcp_rq *rq, const struct xtcp_params *p, const struct xtcp_seg *g,
		  bool v6, u32 iss, u32 ts_off, u32 rcv_wnd, u8 rcv_wscale, u64 now_us)
{
	int ts = READ_ONCE(p->tcp_timestamps);

	memset(rq, 0, sizeof(*rq));
	rq->is_v6 = v6;
	rq->iss = iss;
	rq->rcv_nxt = g->seq + 1;
	/* the window in a SYN-ACK is not scaled (RFC 7323 2.2) */
	rq->rcv_wnd = min_t(u32, rcv_wnd, 65535);
	rq->wnd = g->wnd;
	rq->mss_peer = g->opt.mss ? g->opt.mss : v6 ? XTCP_DEFAULT_MSS6 : XTCP_DEFAULT_MSS;
	rq->sack_ok = g->opt.sack_ok && READ_ONCE(p->tcp_sack);
	rq->wscale_ok = g->opt.has_wscale && READ_ONCE(p->tcp_window_scaling);
	if (rq->wscale_ok) {
		rq->snd_wscale = min_t(u8, g->opt.wscale, XTCP_MAX_WSCALE);
		rq->rcv_wscale = min_t(u8, rcv_wscale, XTCP_MAX_WSCALE);
	}
	rq->ecn_ok = READ_ONCE(p->tcp_ecn) && xtcp_ecn_asked(g);
	rq->ts_ok = g->opt.has_ts && ts;
	if (rq->ts_ok) {
		rq->ts_off = ts == 2 ? 0 : ts_off;
		rq->ts_recent = g->opt.tsval;
	}
	rq->synack_us = (u32)now_us;
}

/**
 * xtcp_rq_synack - the SYN-ACK, ready for the wire
 * @rq: request
 * @adv_mss: MSS option
 * @now_us: now
 * @r: result
 */
void xtcp_rq_synack(const struct xtcp_rq *rq, u16 adv_mss, u64 now_us, struct xtcp_reply *r)
{
	struct xtcp_opts o = { 0 };

	memset(r, 0, sizeof(*r));
	r->seq = rq->iss;
	r->ack = rq->rcv_nxt;
	r->flags = XTCP_SYN | XTCP_ACK | (rq->ecn_ok ? XTCP_ECE : 0);
	r->wnd = rq->rcv_wnd;
	o.mss = adv_mss;
	o.sack_ok = rq->sack_ok;
	o.has_wscale = rq->wscale_ok;
	o.wscale = rq->rcv_wscale;
	if (rq->ts_ok) {
		o.has_ts = 1;
		o.tsval = xtcp_ts_now(rq->ts_off, now_us);
		if (rq->cookie)
			o.tsval = xtcp_cookie_tsval(rq, o.tsval);
		o.tsecr = rq->ts_recent;
	}
	r->optlen = xtcp_opts_build(&o, r->opt);
}

/* The request as the shared checks know it; its life is too short for TS.Recent to age. */
static struct xtcp_seqspace rq_space(const struct xtcp_rq *rq, u64 now_us)
{
	return (struct xtcp_seqspace) {
		.snd_una = rq->iss, .snd_nxt = rq->iss + 1,
		.rcv_nxt = rq->rcv_nxt, .rcv_adv = rq->rcv_nxt + rq->rcv_wnd,
		.ts_recent = rq->ts_recent, .ts_recent_s = rq->ts_ok ? xtcp_paws_s(now_us) : 0,
	};
}

static bool rq_limited(struct xtcp_rq *rq, const struct xtcp_params *p,
		       const struct xtcp_seg *g, u64 now_us)
{
	u64 last_us = rq->last_oow_us ? now_us - (u32)((u32)now_us - rq->last_oow_us) : 0;
	bool limited = xtcp_oow_limited(&last_us, p, g, now_us);

	rq->last_oow_us = last_us && !(u32)last_us ? 1 : (u32)last_us;
	return limited;
}

/* An ACK that tells the peer where we stand, within the limits of RFC 5961 7. */
static enum xtcp_rq_act rq_ack(struct xtcp_rq *rq, const struct xtcp_params *p,
			       const struct xtcp_seg *g, enum xtcp_drop why, u64 now_us,
			       struct xtcp_verdict *v)
{
	struct xtcp_seqspace s = rq_space(rq, now_us);

	v->drop = why;
	if (rq_limited(rq, p, g, now_us))
		return XTCP_RQ_DROP;
	/* its window is scaled: this is no SYN (RFC 7323 2.3) */
	xtcp_reply_ack(&s, rq->ts_ok, rq->ts_off, rq->rcv_wscale, now_us, &v->reply);
	v->flags |= XTCP_V_REPLY | XTCP_V_CHALLENGE;
	return XTCP_RQ_DROP;
}

static bool rq_seq_ok(const struct xtcp_rq *rq, const struct xtcp_seg *g)
{
	u32 nxt = rq->rcv_nxt, edge = nxt + rq->rcv_wnd, end = xtcp_seg_end(g);

	if (g->seq == end)
		return seq_between(g->seq, nxt, edge);
	return seq_gt(end, nxt) && seq_lt(g->seq, edge);
}

/**
 * xtcp_rq_segment - a segment for a half-open request
 * @rq: request
 * @p: knobs
 * @g: segment
 * @now_us: now
 * @v: verdict, zeroed first
 *
 * The checks of 3.10.7.4 in their order. A retransmitted SYN gets the SYN-ACK
 * again (4-25); another SYN gets the old ACK, never a RST, so that the owner
 * of the tuple can tell (SEEDS D-4, RFC 5961 4.2).
 *
 * Return: what to do.
 */
enum xtcp_rq_act xtcp_rq_segment(struct xtcp_rq *rq, const struct xtcp_params *p,
				 const struct xtcp_seg *g, u64 now_us, struct xtcp_verdict *v)
{
	struct xtcp_seqspace s = rq_space(rq, now_us);
	bool syn_again = (g->flags & (XTCP_SYN | XTCP_ACK | XTCP_RST)) == XTCP_SYN &&
			 g->seq == rq->rcv_nxt - 1;

	xtcp_verdict_zero(v);
	if (rq->ts_ok && !(g->flags & XTCP_RST) && xtcp_paws_bad(&s, g, now_us)) {
		xtcp_count(v, XTCP_MIB_PAWS_ESTAB);
		return rq_ack(rq, p, g, XTCP_DROP_PAWS, now_us, v);
	}
	if (syn_again) {
		if (rq_limited(rq, p, g, now_us)) {
			v->drop = XTCP_DROP_OLD;
			return XTCP_RQ_DROP;
		}
		if (rq->ts_ok && g->opt.has_ts)
			rq->ts_recent = g->opt.tsval;
		return XTCP_RQ_SYNACK;
	}
	if (g->flags & XTCP_RST) {
		if (g->seq == rq->rcv_nxt)
			return XTCP_RQ_KILL;
		if (rq_seq_ok(rq, g))
			return rq_ack(rq, p, g, XTCP_DROP_RST_CHALLENGE, now_us, v);
		v->drop = XTCP_DROP_RST_SEQ;
		return XTCP_RQ_DROP;
	}
	if (g->flags & XTCP_SYN) {
		xtcp_count(v, XTCP_MIB_SYN_CHALLENGE);
		return rq_ack(rq, p, g, XTCP_DROP_SYN_CHALLENGE, now_us, v);
	}
	if (!rq_seq_ok(rq, g))
		return rq_ack(rq, p, g, XTCP_DROP_SEQ, now_us, v);
	if (!(g->flags & XTCP_ACK)) {
		v->drop = XTCP_DROP_NO_ACK;
		return XTCP_RQ_DROP;
	}
	if (g->ack != rq->iss + 1) {
		v->drop = XTCP_DROP_ACK_BAD;
		xtcp_reply_closed(g, v);
		return XTCP_RQ_DROP;
	}
	return XTCP_RQ_COMPLETE;
}

/**
 * xtcp_rq_timeout_us - how long to wait after the last SYN-ACK (RFC 6298 5.5)
 * @rq: request
 * @p: knobs
 * @init_rto_ms: the listener's XTCP_INIT_RTO_MS, 0: none
 *
 * Return: microseconds.
 */
u64 xtcp_rq_timeout_us(const struct xtcp_rq *rq, const struct xtcp_params *p, u32 init_rto_ms)
{
	u64 us = xtcp_init_rto_us(p, init_rto_ms, true);

	return min_t(u64, us << min_t(u8, rq->retries, 20),
		     READ_ONCE(p->tcp_rto_max_ms) * USEC_MS);
}
