// SPDX-License-Identifier: GPL-2.0
/* Timeouts: RFC 9293 3.10.8, RFC 6298 5, 3.8.3 (limits), 3.8.4 (keepalive), 3.8.6.1 (persist). */
#include "internal.h"

/* What a thin flow is, and how often it tries at the same pace (Linux) */
#define THIN_SEGS	4	/* fewer in flight */
#define THIN_TIMEOUTS	6

static void timed_out(struct xtcp_tcb *t, const char *cause, bool rst, u64 now_us,
		      struct xtcp_verdict *v)
{
	if (rst || t->retrans_rst)
		xtcp_reply_rst(t, now_us, v);
	xtcp_count(v, XTCP_MIB_ABORT_ON_TIMEOUT);
	xtcp_die(t, t->soft_err ? t->soft_err : ETIMEDOUT, cause, v);
}

/* Has the peer had its chances? (R2, SEEDS 4-41, D-3, 4-73) */
static bool give_up(const struct xtcp_tcb *t, u64 now_us)
{
	if (!xtcp_user_timeout_left(t, now_us))
		return true;
	if (!t->syn_acked)
		return xtcp_syn_spent(t, now_us);
	/* exactly that many, then twice the last timeout has passed */
	if (t->orphan)
		return t->retransmits >= xtcp_orphan_limit(t);
	return xtcp_retries_spent(t, XTCP_P(t, tcp_retries2), now_us);
}

/* The end of the patience with a peer that does not answer; D-15: an orphan's is silent. */
static void peer_lost(struct xtcp_tcb *t, const char *cause, u64 now_us, struct xtcp_verdict *v)
{
	timed_out(t, cause, t->orphan && XTCP_P(t, tcp_orphan_rst), now_us, v);
}

/* Too many orphans or too little memory for this one (SEEDS 4-11). */
static bool orphan_dropped(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	if (!t->orphan || !t->no_resources)
		return false;
	xtcp_reply_rst(t, now_us, v);
	xtcp_count(v, XTCP_MIB_ABORT_ON_MEMORY);
	xtcp_die(t, 0, "orphan limits", v);
	return true;
}

/* A peer that shrank its window below what is in flight but answers is alive. */
static bool shrunk_window(const struct xtcp_tcb *t, u64 now_us)
{
	return t->syn_acked && !t->snd_wnd && !t->orphan &&
	       now_us - t->rcv_us <= XTCP_P(t, tcp_rto_max_ms) * USEC_MS;
}

/*
 * A timer that fired late must not make the whole schedule late: the next
 * timeout counts from when this one was due, unless that is long ago.
 */
static u64 due_base(u64 due_us, u64 interval_us, u64 now_us)
{
	return now_us - due_us < interval_us / 2 ? due_us : now_us;
}

/*
 * A flow of a few segments at a time has no duplicate ACKs to tell of a loss, and its
 * timeouts are what its user waits for: the first of them come without backoff.
 * Also by tcp_thin_linear_timeouts, whose limits these are on Linux.
 */
static bool linear(const struct xtcp_tcb *t)
{
	const struct xtcp_rng *r;
	u32 segs = 0;

	if (t->state != XTCP_ESTABLISHED || t->retransmits > THIN_TIMEOUTS ||
	    t->ssthresh == XTCP_INF_SSTHRESH ||
	    (!t->thin_lto && !XTCP_P(t, tcp_thin_linear_timeouts)))
		return false;
	list_for_each_entry(r, &t->txq, link) {
		segs += xtcp_segs_of(t, xtcp_rng_len(r));
		if (segs >= THIN_SEGS)
			return false;
	}
	return true;
}

/* The next timeout is twice as long, unless it may be as long as this one. */
static void back_off(struct xtcp_tcb *t)
{
	/* the first few of a SYN may come without backoff (SEEDS D-1) */
	if (t->state == XTCP_SYN_SENT && t->retransmits <= XTCP_P(t, tcp_syn_linear_timeouts))
		return;
	if (linear(t))
		t->backoff = 0;
	else if (t->backoff < 255)
		t->backoff++;
}

static void rexmit_timeout(struct xtcp_tcb *t, u64 due_us, u64 now_us, struct xtcp_verdict *v)
{
	bool alive = shrunk_window(t, now_us) && xtcp_user_timeout_left(t, now_us);

	if (orphan_dropped(t, now_us, v))
		return;
	if (!alive && give_up(t, now_us)) {
		peer_lost(t, "timeout", now_us, v);
		return;
	}
	if (t->syn_acked) {
		if (xtcp_retries_spent(t, XTCP_P(t, tcp_retries1), now_us))
			xtcp_mtup_black_hole(t, now_us);
		xtcp_recovery_rto(t, v);
	} else {
		if (t->n_txq) {
			xtcp_txq_mark_head(t);
			t->force_rexmit = 1;
			xtcp_count(v, XTCP_MIB_SYN_RETRANS);
		}
		xtcp_count(v, XTCP_MIB_TIMEOUTS);
	}
	if (!alive && t->retransmits < 65535)
		t->retransmits++;
	/* from here on time counts, also if nothing can be sent */
	if (!t->retrans_us)
		t->retrans_us = now_us;
	back_off(t);
	if (t->retransmits == XTCP_P(t, tcp_retries1) + 1)
		v->flags |= XTCP_V_BADROUTE;
	xtcp_rto_arm(t, due_base(due_us, xtcp_rto_now_us(t), now_us));
	t->rto_fired = 1;
}

/* What came before the retransmission timeout is over: that is due when it was before. */
static void early_over(struct xtcp_tcb *t, u64 due_us, u64 now_us)
{
	t->rexmit_kind = XTCP_RT_RTO;
	t->deadline_us[XTCP_T_REXMIT] = max_t(u64, due_us + t->rto_after_us, now_us + 1);
}

/* The flight's tail gets no answer (RFC 8985 7.3): the timeout waits for what the probe brings. */
static void tlp_timeout(struct xtcp_tcb *t, u64 due_us, u64 now_us, struct xtcp_verdict *v)
{
	if (!xtcp_tlp_ok(t)) {
		early_over(t, due_us, now_us);
		return;
	}
	xtcp_rto_arm(t, now_us);
	t->tlp_due = 1;
	xtcp_count(v, XTCP_MIB_LOSS_PROBES);
}

/* The reordering window has passed (RFC 8985 6.3). */
static void reo_timeout(struct xtcp_tcb *t, u64 due_us, u64 now_us, struct xtcp_verdict *v)
{
	early_over(t, due_us, now_us);
	xtcp_recovery_reo(t, now_us, v);
}

/* Something is in flight, and XTCP_T_REXMIT has fired. */
static void flight_timeout(struct xtcp_tcb *t, u64 due_us, u64 now_us, struct xtcp_verdict *v)
{
	if (t->rexmit_kind == XTCP_RT_TLP)
		tlp_timeout(t, due_us, now_us, v);
	else if (t->rexmit_kind == XTCP_RT_REO)
		reo_timeout(t, due_us, now_us, v);
	else
		rexmit_timeout(t, due_us, now_us, v);
}

/* The window has been closed for too long: ask (3.8.6.1), or send what fits. */
static void persist_timeout(struct xtcp_tcb *t, u64 due_us, u64 now_us, struct xtcp_verdict *v)
{
	u32 limit = XTCP_P(t, tcp_retries2);
	bool over = !xtcp_user_timeout_left(t, now_us);

	if (!xtcp_pending(t) || orphan_dropped(t, now_us, v))
		return;
	if (t->orphan) {
		limit = xtcp_orphan_limit(t);
		/* answered or not, an orphan is not kept for ever (SEEDS X-18) */
		over |= t->backoff >= limit && (u64)t->rto_us << min_t(u8, t->backoff, 20) >=
			XTCP_P(t, tcp_rto_max_ms) * USEC_MS;
	}
	if (over || t->probes_out >= limit) {
		peer_lost(t, "zero window", now_us, v);
		return;
	}
	if (t->probes_out < 255)
		t->probes_out++;
	if (t->backoff < 255)
		t->backoff++;
	xtcp_count(v, XTCP_MIB_WIN_PROBE);
	if (seq_gt(xtcp_wnd_end(t), t->s.snd_nxt))
		t->force_send = 1;
	else
		t->probe_due = 1;
	xtcp_persist_arm(t, due_base(due_us, xtcp_rto_now_us(t), now_us));
}

static void keep_timeout(struct xtcp_tcb *t, u64 due_us, u64 now_us, struct xtcp_verdict *v)
{
	u64 idle_us = (t->keep_idle_ms ? t->keep_idle_ms :
		       XTCP_P(t, tcp_keepalive_time) * 1000ULL) * USEC_MS;
	u64 intvl_us = (t->keep_intvl_ms ? t->keep_intvl_ms :
			XTCP_P(t, tcp_keepalive_intvl) * 1000ULL) * USEC_MS;
	u32 cnt = t->keep_cnt ? t->keep_cnt : XTCP_P(t, tcp_keepalive_probes);
	u64 last = max_t(u64, t->rcv_us, t->lrcv_us), idle = now_us - last;
	bool over;

	if (!t->keepalive || !t->syn_acked)
		return;
	/* data in flight or waiting has its own timer */
	if (t->n_txq || xtcp_pending(t)) {
		t->deadline_us[XTCP_T_KEEP] = now_us + idle_us;
		return;
	}
	if (idle < idle_us) {
		t->deadline_us[XTCP_T_KEEP] = last + idle_us;
		return;
	}
	if (t->user_timeout_ms)
		over = t->probes_out && idle >= t->user_timeout_ms * USEC_MS;
	else
		over = t->probes_out >= cnt;
	if (over) {
		/* SEEDS D-14: the RST frees a peer that is only one-way dead */
		timed_out(t, "keepalive", true, now_us, v);
		return;
	}
	if (t->probes_out < 255)
		t->probes_out++;
	t->keep_due = 1;
	xtcp_count(v, XTCP_MIB_KEEP_ALIVE);
	t->deadline_us[XTCP_T_KEEP] = due_base(due_us, intvl_us, now_us) + intvl_us;
}

static void delack_timeout(struct xtcp_tcb *t, struct xtcp_verdict *v)
{
	if (t->out_retry) {
		t->out_retry = 0;
		v->flags |= XTCP_V_OUTPUT;
	}
	if (!t->ack_sched || t->ack_now)
		return;
	if (t->ack_waits) {
		xtcp_ack_waited(t);
	} else if (!t->pingpong) {
		/* the delay was too short to gather company */
		t->ato_us = min_t(u64, (u64)t->ato_us << 1, t->rto_us);
	} else {
		/* the user does not answer after all */
		t->pingpong = 0;
		t->ato_us = xtcp_ato_min_us(t);
	}
	t->ack_now = 1;
	xtcp_count(v, XTCP_MIB_DELAYED_ACKS);
}

/* FIN_WAIT2 of a closed socket has lasted long enough, or connect() has. */
static void life_timeout(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	if (t->state == XTCP_FIN_WAIT2)
		xtcp_die(t, 0, "FIN_WAIT2 timeout", v);
	else if (!t->syn_acked)
		timed_out(t, "connect timeout", false, now_us, v);
}

static void fire(struct xtcp_tcb *t, enum xtcp_timer which, u64 due_us, u64 now_us,
		 struct xtcp_verdict *v)
{
	switch (which) {
	case XTCP_T_REXMIT:
		if (t->n_txq || !t->syn_acked)
			flight_timeout(t, due_us, now_us, v);
		else
			persist_timeout(t, due_us, now_us, v);
		break;
	case XTCP_T_DELACK:
		delack_timeout(t, v);
		break;
	case XTCP_T_KEEP:
		keep_timeout(t, due_us, now_us, v);
		break;
	case XTCP_T_LIFE:
		life_timeout(t, now_us, v);
		break;
	case XTCP_T_CORK:
		t->cork_due = 1;
		break;
	case XTCP_T_PACE:
	case XTCP_NR_TIMERS:
		break;
	}
}

/**
 * xtcp_timeout - fire every deadline that is due
 * @t: block
 * @now_us: now
 * @v: verdict, zeroed first
 */
void xtcp_timeout(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	unsigned int i;
	u64 due_us;

	xtcp_verdict_zero(v);
	for (i = 0; i < XTCP_NR_TIMERS; i++) {
		due_us = t->deadline_us[i];
		if (!due_us || due_us > now_us)
			continue;
		t->deadline_us[i] = 0;
		fire(t, i, due_us, now_us, v);
	}
	xtcp_finish(t, now_us, v);
}
