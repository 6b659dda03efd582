// SPDX-License-Identifier: GPL-2.0
/* Life of a control block: birth, inheritance, the one place where the state changes, death. */
#include "internal.h"

static const struct { u8 nr; const char *name; } states[] = {
#define XTCP_STATE(name, nr, ss) { nr, ss },
#include "../../include/xtcp/states.h"
#undef XTCP_STATE
};

static const struct { u8 from, to; } edges[] = {
#define XTCP_EDGE(from, to, why) { XTCP_##from, XTCP_##to },
#include "../../include/xtcp/edges.h"
#undef XTCP_EDGE
};

/**
 * xtcp_state_name - the name /proc readers print
 * @state: enum xtcp_state
 *
 * Return: a static string, "?" for a number that is no state.
 */
const char *xtcp_state_name(u8 state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++)
		if (states[i].nr == state)
			return states[i].name;
	return "?";
}

/**
 * xtcp_edge_ok - is this a row of include/xtcp/edges.h?
 * @from: enum xtcp_state
 * @to: enum xtcp_state
 *
 * Return: whether the engine may take this transition.
 */
bool xtcp_edge_ok(u8 from, u8 to)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges); i++)
		if (edges[i].from == from && edges[i].to == to)
			return true;
	return false;
}

/**
 * xtcp_state_set - the one function that assigns the state
 * @t: block
 * @to: enum xtcp_state
 * @cause: short static text for the tracepoint
 * @v: gets the edge and its counters
 *
 * A pair that is not a row of include/xtcp/edges.h is refused.
 */
void xtcp_state_set(struct xtcp_tcb *t, u8 to, const char *cause, struct xtcp_verdict *v)
{
	u8 from = t->state;

	if (!xtcp_edge_ok(from, to))
		return;
	t->state = to;
	if (v->n_edges < XTCP_MAX_EDGES) {
		v->edge[v->n_edges].from = from;
		v->edge[v->n_edges].to = to;
		v->edge[v->n_edges++].cause = cause;
	}
	if (to != XTCP_CLOSE)
		return;
	/* RFC 1213 tcpEstabResets, tcpAttemptFails */
	if (from == XTCP_ESTABLISHED || from == XTCP_CLOSE_WAIT)
		xtcp_count(v, XTCP_MIB_ESTAB_RESETS);
	else if (from == XTCP_SYN_SENT || from == XTCP_SYN_RECV)
		xtcp_count(v, XTCP_MIB_ATTEMPT_FAILS);
}

/**
 * xtcp_tcb_init - a fresh block in CLOSE
 * @t: zeroed or garbage
 * @p: knobs; must outlive the block
 * @v6: IPv6 flow
 */
void xtcp_tcb_init(struct xtcp_tcb *t, const struct xtcp_params *p, bool v6)
{
	int i;

	memset(t, 0, sizeof(*t));
	t->p = p;
	t->state = XTCP_CLOSE;
	t->is_v6 = v6;
	INIT_LIST_HEAD(&t->txq);
	INIT_LIST_HEAD(&t->sent);
	INIT_LIST_HEAD(&t->oooq);
	for (i = 0; i < XTCP_INLINE_RNG; i++)
		xtcp_pool_put(t, &t->inl[i]);
	t->cc = &xtcp_cc_cubic;
	t->rto_us = xtcp_init_rto_us(p, 0, false);
	t->cwnd = XTCP_P(t, tcp_init_cwnd);
	t->ssthresh = XTCP_INF_SSTHRESH;
	t->mss_peer = v6 ? XTCP_DEFAULT_MSS6 : XTCP_DEFAULT_MSS;
	t->mss_cap = t->mss_peer;
	t->adv_mss = t->mss_peer;
	t->mss_now = t->mss_peer;
	t->rcv_mss = XTCP_DEFAULT_MSS;
	t->min_rtt_us = ~0U;
	t->min_rtt_new_us = ~0U;
	t->pacing_rate = XTCP_RATE_MAX;
	t->pacing_max = XTCP_RATE_MAX;
	t->orphan_retries = -1;
	t->reo_mult = 1;
	t->write_seq = t->iss + 1;
}

/**
 * xtcp_tcb_inherit - copy the user's wishes
 * @t: child
 * @listener: whose options they are
 */
void xtcp_tcb_inherit(struct xtcp_tcb *t, const struct xtcp_tcb *listener)
{
	t->nodelay = listener->nodelay;
	t->cork = listener->cork;
	t->keepalive = listener->keepalive;
	t->retrans_rst = listener->retrans_rst;
	t->thin_lto = listener->thin_lto;
	t->pingpong = listener->pingpong;
	t->syn_retries = listener->syn_retries;
	t->keep_cnt = listener->keep_cnt;
	t->keep_idle_ms = listener->keep_idle_ms;
	t->keep_intvl_ms = listener->keep_intvl_ms;
	t->user_timeout_ms = listener->user_timeout_ms;
	t->linger2_ms = listener->linger2_ms;
	t->connect_timeout_ms = listener->connect_timeout_ms;
	t->init_rto_ms = listener->init_rto_ms;
	t->orphan_retries = listener->orphan_retries;
	t->user_mss = listener->user_mss;
	t->window_clamp = listener->window_clamp;
	t->rto_min_us = listener->rto_min_us;
	t->cc = listener->cc;
	t->cc_user = listener->cc_user;
}

static void timers_clear(struct xtcp_tcb *t)
{
	memset(t->deadline_us, 0, sizeof(t->deadline_us));
	t->probe_due = 0;
	t->keep_due = 0;
	t->force_rexmit = 0;
	t->force_send = 0;
	t->tlp_due = 0;
	t->out_retry = 0;
	t->rto_fired = 0;
}

/* The connection is over. @err positive, 0: nothing to report. */
void xtcp_die(struct xtcp_tcb *t, int err, const char *cause, struct xtcp_verdict *v)
{
	if (t->state == XTCP_CLOSE)
		return;
	xtcp_state_set(t, XTCP_CLOSE, cause, v);
	timers_clear(t);
	t->ack_now = 0;
	t->ack_sched = 0;
	v->flags |= XTCP_V_CLOSED | XTCP_V_WAKE_RD | XTCP_V_WAKE_WR;
	v->flags &= ~(u32)XTCP_V_OUTPUT;
	if (err) {
		v->flags |= XTCP_V_ERROR;
		v->err = err;
	}
}

/* What the peer's SYN agreed to (RFC 7323 1.3, 2.2, 3.2; RFC 2018 2). */
void xtcp_peer_opts(struct xtcp_tcb *t, const struct xtcp_opts *o, u64 now_us)
{
	t->ts_ok = t->ts_ok && o->has_ts;
	t->sack_ok = t->sack_ok && o->sack_ok;
	t->wscale_ok = t->wscale_ok && o->has_wscale;
	if (t->wscale_ok) {
		t->snd_wscale = o->wscale;
	} else {
		t->snd_wscale = 0;
		t->rcv_wscale = 0;
	}
	if (t->ts_ok) {
		t->s.ts_recent = o->tsval;
		t->s.ts_recent_s = xtcp_paws_s(now_us);
	}
	if (o->mss)
		t->mss_peer = o->mss;
	else
		t->mss_peer = t->is_v6 ? XTCP_DEFAULT_MSS6 : XTCP_DEFAULT_MSS;
	xtcp_mss_update(t);
	t->rcv_mss = clamp_t(u32, t->mss_now, 88, XTCP_DEFAULT_MSS);
}

/* Our SYN was acknowledged and we have the peer's: data may flow. */
void xtcp_established(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	t->syn_acked = 1;
	t->deadline_us[XTCP_T_LIFE] = 0;	/* XTCP_CONNECT_TIMEOUT_MS has been met */
	xtcp_mtup_init(t, now_us);
	xtcp_mss_update(t);
	xtcp_cc_start(t, now_us);
	t->rcv_us = now_us;
	t->lsnd_us = now_us;
	t->rcvq_seq = t->copied_seq;
	t->rcvq_us = now_us;
	/* no more than fits now, or a large MSS would keep the buffer from ever growing */
	t->rcvq_space = min_t(u32, xtcp_init_cwnd(t) * t->adv_mss,
			      min_t(u32, t->rcv_ssthresh, xtcp_rcv_wnd(&t->s)));
	t->rcv_rtt_seq = t->s.rcv_nxt + xtcp_rcv_wnd(&t->s);
	t->rcv_rtt_start_us = now_us;
	xtcp_user_keepalive(t, true, now_us);
	v->flags |= XTCP_V_CONNECTED | XTCP_V_WAKE_WR | XTCP_V_WAKE_RD;
}

/*
 * FIN_WAIT2 of a closed socket is bounded (SEEDS 4-71), of a half-closed one
 * it is not (4-72); a negative TCP_LINGER2 asks for a RST instead, in
 * answer to the segment @g that acknowledged our FIN, if that brought us here.
 */
void xtcp_fin_wait2(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		    struct xtcp_verdict *v)
{
	u64 us;

	if (!t->orphan)
		return;
	if (t->linger2_ms < 0) {
		if (g)
			xtcp_reply_closed(g, v);
		else
			xtcp_reply_rst(t, now_us, v);
		xtcp_count(v, XTCP_MIB_ABORT_ON_LINGER);
		xtcp_die(t, 0, "linger2", v);
		return;
	}
	if (t->linger2_ms)
		us = t->linger2_ms * USEC_MS;
	else
		us = XTCP_P(t, tcp_fin_timeout) * USEC_S;
	/* long enough for the peer's FIN to be retransmitted once or twice */
	us = max_t(u64, us, ((u64)t->rto_us << 2) - (t->rto_us >> 1));
	t->deadline_us[XTCP_T_LIFE] = now_us + us;
	/* an ACK that waits for company would be lost with the block */
	if (t->ack_sched)
		t->ack_now = 1;
	v->flags |= XTCP_V_FINWAIT2;
}

/*
 * The end of every entry point: what has to go out, which deadline stands. One that does
 * without lets nothing out and moves no deadline.
 */
xtcp_hot void xtcp_finish(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	bool out;

	v->now_us = now_us;
	if (t->state == XTCP_CLOSE || t->state == XTCP_LISTEN) {
		timers_clear(t);
		return;
	}
	if (t->state == XTCP_TIME_WAIT) {
		timers_clear(t);
		out = t->ack_now;
	} else {
		out = xtcp_pending(t) || xtcp_output_due_else(t);
	}
	if (out)
		v->flags |= XTCP_V_OUTPUT;
	if (t->n_txq && !t->deadline_us[XTCP_T_REXMIT])
		xtcp_rto_arm(t, now_us);
}
