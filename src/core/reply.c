// SPDX-License-Identifier: GPL-2.0
/*
 * Segments that answer a segment and do not come from the send queue, and the
 * checks shared by connection, request and TIME-WAIT entry: RFC 9293 3.5.3 and
 * 3.10.7.1, RFC 5961, RFC 7323 5.
 */
#include "internal.h"

static void reply_opts(struct xtcp_reply *r, bool ts_ok, u32 tsval, u32 tsecr)
{
	struct xtcp_opts o = { 0 };

	if (!ts_ok)
		return;
	o.has_ts = 1;
	o.tsval = tsval;
	o.tsecr = tsecr;
	r->optlen = xtcp_opts_build(&o, r->opt);
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> with the window as it was last offered. */
void xtcp_reply_ack(const struct xtcp_seqspace *s, bool ts_ok, u32 ts_off, u8 wscale, u64 now_us,
		    struct xtcp_reply *r)
{
	memset(r, 0, sizeof(*r));
	r->seq = s->snd_nxt;
	r->ack = s->rcv_nxt;
	r->flags = XTCP_ACK;
	r->wnd = min_t(u32, xtcp_rcv_wnd(s) >> wscale, 65535);
	reply_opts(r, ts_ok, xtcp_ts_now(ts_off, now_us), s->ts_recent);
}

/* The RST of an abort: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK> (3.10.5). */
void xtcp_reply_rst(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	struct xtcp_reply *r = &v->reply;

	memset(r, 0, sizeof(*r));
	r->seq = t->s.snd_nxt;
	r->ack = t->s.rcv_nxt;
	r->flags = XTCP_RST | XTCP_ACK;
	reply_opts(r, t->ts_ok, xtcp_ts_now(t->ts_off, now_us), t->s.ts_recent);
	v->flags |= XTCP_V_REPLY;
}

/* The RST of 3.10.7.1; nothing for a RST. */
void xtcp_reply_closed(const struct xtcp_seg *g, struct xtcp_verdict *v)
{
	struct xtcp_reply *r = &v->reply;

	if (g->flags & XTCP_RST)
		return;
	memset(r, 0, sizeof(*r));
	if (g->flags & XTCP_ACK) {
		r->seq = g->ack;
		r->flags = XTCP_RST;
	} else {
		r->ack = xtcp_seg_end(g);
		r->flags = XTCP_RST | XTCP_ACK;
	}
	v->flags |= XTCP_V_REPLY;
}

/**
 * xtcp_segment_closed - a segment for no connection and no listener
 * @g: segment
 * @v: verdict, zeroed first
 *
 * RFC 9293 3.10.7.1.
 */
void xtcp_segment_closed(const struct xtcp_seg *g, struct xtcp_verdict *v)
{
	xtcp_verdict_zero(v);
	v->drop = XTCP_DROP_NO_SOCKET;
	xtcp_reply_closed(g, v);
}

/**
 * xtcp_listen_segment - a segment for a listener
 * @g: segment
 * @v: verdict, zeroed first
 *
 * RFC 9293 3.10.7.2: first RST, second ACK, third SYN. SYN with FIN is dropped
 * as Linux does: no honest peer sends it.
 *
 * Return: what to do.
 */
enum xtcp_listen_act xtcp_listen_segment(const struct xtcp_seg *g, struct xtcp_verdict *v)
{
	xtcp_verdict_zero(v);
	if (g->flags & XTCP_RST) {
		v->drop = XTCP_DROP_LISTEN_FLAGS;
		return XTCP_L_DROP;
	}
	if (g->flags & XTCP_ACK) {
		v->drop = XTCP_DROP_LISTEN_ACK;
		xtcp_reply_closed(g, v);
		return XTCP_L_RST;
	}
	if (!(g->flags & XTCP_SYN) || (g->flags & XTCP_FIN)) {
		v->drop = XTCP_DROP_LISTEN_FLAGS;
		return XTCP_L_DROP;
	}
	return XTCP_L_SYN;
}

/*
 * May an ACK that answers a bad segment go out? Segments with data or FIN do
 * not take part in an ACK loop and are not limited (Linux: tcp_oow_rate_limited).
 */
bool xtcp_oow_limited(u64 *last_us, const struct xtcp_params *p, const struct xtcp_seg *g,
		      u64 now_us)
{
	u64 gap_us = READ_ONCE(p->tcp_invalid_ratelimit) * USEC_MS;

	if (!(g->flags & XTCP_SYN) && (g->len || (g->flags & XTCP_FIN)))
		return false;
	if (*last_us && now_us - *last_us < gap_us)
		return true;
	*last_us = now_us;
	return false;
}

/* An unacceptable segment is answered with an ACK (3.10.7.4, first check). */
void xtcp_oow_ack(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us)
{
	if (!xtcp_oow_limited(&t->last_oow_us, t->p, g, now_us))
		t->ack_now = 1;
}

/* RFC 5961 3.2, 4.2, 5.2; the caller applies and counts the namespace's limit. */
void xtcp_reply_challenge(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			  struct xtcp_verdict *v)
{
	struct xtcp_seg bare = { .flags = g->flags & XTCP_SYN };

	/* unlike above data does not exempt: a blind attacker may add some */
	if (xtcp_oow_limited(&t->last_oow_us, t->p, &bare, now_us))
		return;
	xtcp_reply_ack(&t->s, t->ts_ok, t->ts_off, t->rcv_wscale, now_us, &v->reply);
	if (t->ecn_echo)
		v->reply.flags |= XTCP_ECE;
	v->flags |= XTCP_V_REPLY | XTCP_V_CHALLENGE;
}

/* RFC 7323 5.3 R1; 5.5: TS.Recent is void after 24 idle days. */
bool xtcp_paws_bad(const struct xtcp_seqspace *s, const struct xtcp_seg *g, u64 now_us)
{
	if (!g->opt.has_ts || !s->ts_recent_s || !seq_lt(g->opt.tsval, s->ts_recent))
		return false;
	return xtcp_paws_s(now_us) - s->ts_recent_s < XTCP_PAWS_IDLE_S;
}

/*
 * A bare ACK that newer segments have overtaken, as where several queues lead to the
 * peer. It asks for nothing: an answer would only tell the peer what it knows, or reach
 * one that has closed since, whose RST then looks like an abort to those between.
 */
bool xtcp_ack_late(const struct xtcp_seqspace *s, const struct xtcp_seg *g)
{
	return !g->len && !(g->flags & (XTCP_SYN | XTCP_FIN | XTCP_RST)) &&
	       (g->flags & XTCP_ACK) && seq_lt(g->seq, s->rcv_nxt) &&
	       seq_leq(g->ack, s->snd_nxt);
}

/* RFC 7323 4.3 (2): SEG.SEQ <= Last.ACK.sent, and TSval not older. */
void xtcp_ts_update(struct xtcp_seqspace *s, const struct xtcp_seg *g, u32 last_ack, u64 now_us)
{
	if (!g->opt.has_ts || seq_gt(g->seq, last_ack) || xtcp_paws_bad(s, g, now_us))
		return;
	s->ts_recent = g->opt.tsval;
	s->ts_recent_s = xtcp_paws_s(now_us);
}
