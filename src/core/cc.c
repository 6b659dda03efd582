// SPDX-License-Identifier: GPL-2.0
/*
 * Congestion control: the registry, what all of them share: the initial window
 * (RFC 6928), the restart after idle (RFC 5681 4.1) and window validation.
 */
#include "internal.h"

static const struct xtcp_cc_ops *const cc_all[XTCP_NR_CC] = {
	[XTCP_CC_RENO] = &xtcp_cc_reno,
	[XTCP_CC_CUBIC] = &xtcp_cc_cubic,
	[XTCP_CC_BBR] = &xtcp_cc_bbr,
};

const char xtcp_cc_names[sizeof("reno cubic bbr")] = "reno cubic bbr";

/**
 * xtcp_cc_nth - a congestion control by number
 * @id: enum xtcp_cc_id
 *
 * Return: its operations, NULL from XTCP_NR_CC on.
 */
const struct xtcp_cc_ops *xtcp_cc_nth(unsigned int id)
{
	return id < XTCP_NR_CC ? cc_all[id] : NULL;
}

/**
 * xtcp_cc_find - a congestion control by name
 * @name: as given to TCP_CONGESTION
 *
 * Return: its operations, NULL if there is none.
 */
const struct xtcp_cc_ops *xtcp_cc_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < XTCP_NR_CC; i++)
		if (!strcmp(name, cc_all[i]->name))
			return cc_all[i];
	return NULL;
}

/* RFC 6928: the route's, or the namespace's. */
u32 xtcp_init_cwnd(const struct xtcp_tcb *t)
{
	return t->init_cwnd ?: (u32)XTCP_P(t, tcp_init_cwnd);
}

/* RFC 5681 3.1: a segment per segment, up to ssthresh. Returns what is left of @acked. */
u32 xtcp_slow_start(struct xtcp_tcb *t, u32 acked)
{
	u32 n = min_t(u32, acked, t->ssthresh - t->cwnd);

	t->cwnd = min_t(u32, t->cwnd + n, XTCP_CWND_MAX);
	return acked - n;
}

/**
 * xtcp_cc_ack - an ACK outside fast recovery: cwnd may grow
 * @t: block
 * @acked_bytes: newly acknowledged
 * @now_us: now
 * @v: verdict
 *
 * Only a window that was what held us may grow (RFC 7661 4.1); in slow start
 * half of it is enough, or two round trips would pass where one does, unless it
 * is the queue below that holds the other half.
 */
void xtcp_cc_ack(struct xtcp_tcb *t, u32 acked_bytes, u64 now_us, struct xtcp_verdict *v)
{
	bool limited = t->cwnd_limited ||
		       (t->cwnd < t->ssthresh && t->cwnd < 2 * t->max_out && !t->held);
	u32 before = t->cwnd;

	if (!acked_bytes)
		return;
	t->cc->on_ack(t, xtcp_segs_of(t, acked_bytes), limited, now_us);
	if (t->cwnd > before)
		v->flags |= XTCP_V_SNDBUF;
}

/* The handshake is done: RFC 6928; RFC 5681 3.1: one segment if the SYN was lost. */
void xtcp_cc_start(struct xtcp_tcb *t, u64 now_us)
{
	t->cwnd = t->retransmits > 1 ? 1 : xtcp_init_cwnd(t);
	t->cwnd_cnt = 0;
	t->ssthresh = XTCP_INF_SSTHRESH;
	t->cwnd_us = now_us;
	t->cwv_seq = t->s.snd_una;
	t->max_out = 0;
	t->cwnd_used = 0;
	xtcp_pacing_update(t);
	t->cc->init(t, now_us);
}

/* RFC 5681 4.1, halved per idle RTO as RFC 2861 has it. */
void xtcp_cwnd_restart(struct xtcp_tcb *t, u64 now_us)
{
	u32 floor_segs = min_t(u32, xtcp_init_cwnd(t), t->cwnd);
	u64 idle = now_us - t->lsnd_us;

	if (t->cc->event)
		t->cc->event(t, XTCP_CC_TX_START, now_us);
	if (!XTCP_P(t, tcp_slow_start_after_idle) || idle <= t->rto_us || t->cc->control)
		return;
	/* all has arrived that the peer's echo was about */
	if (t->ca_state == XTCP_CA_CWR) {
		if (t->ssthresh != XTCP_INF_SSTHRESH)
			t->cwnd = t->ssthresh;
		xtcp_recovery_end(t);
	}
	t->ssthresh = max_t(u32, t->ssthresh, t->cwnd / 2 + t->cwnd / 4);
	for (; idle > t->rto_us && t->cwnd > floor_segs; idle -= t->rto_us)
		t->cwnd = max_t(u32, t->cwnd / 2, floor_segs);
	t->cwnd_us = now_us;
	t->cwnd_used = 0;
}

/*
 * Was the last window's worth of sending held by cwnd? Only then may it grow
 * (RFC 7661 4.1); long unused, it is brought down to what is used (RFC 2861),
 * unless there was enough to send, and only the pace or the device held it.
 */
void xtcp_cwnd_validate(struct xtcp_tcb *t, bool limited, u64 now_us)
{
	u32 out = xtcp_segs_of(t, t->s.snd_nxt - t->s.snd_una);

	if (seq_geq(t->s.snd_una, t->cwv_seq) || limited ||
	    (!t->cwnd_limited && out > t->max_out)) {
		t->cwnd_limited = limited;
		t->max_out = out;
		t->cwv_seq = t->s.snd_nxt;
	}
	if (t->cwnd_limited || (t->cwnd < t->ssthresh && t->cwnd < 2 * t->max_out) ||
	    t->held || t->deadline_us[XTCP_T_PACE] || t->cc->control) {
		t->cwnd_used = 0;
		t->cwnd_us = now_us;
		return;
	}
	t->cwnd_used = max_t(u32, t->cwnd_used, out);
	if (!XTCP_P(t, tcp_slow_start_after_idle) || t->ca_state != XTCP_CA_OPEN ||
	    now_us - t->cwnd_us < t->rto_us)
		return;
	if (t->cwnd_used < t->cwnd) {
		u32 used = max_t(u32, t->cwnd_used, xtcp_init_cwnd(t));

		t->ssthresh = max_t(u32, t->ssthresh, t->cwnd / 2 + t->cwnd / 4);
		t->cwnd = max_t(u32, (t->cwnd + used) / 2, 2);
	}
	t->cwnd_used = 0;
	t->cwnd_us = now_us;
}
