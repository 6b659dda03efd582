// SPDX-License-Identifier: GPL-2.0
/*
 * Congestion control: the registry, Reno (RFC 5681), the initial window (RFC
 * 6928), the restart after idle (RFC 5681 4.1) and window validation.
 */
#include "internal.h"

#define XTCP_CWND_MAX 1000000

static void reno_init(struct xtcp_tcb *t, u64 now_us)
{
	t->cwnd_cnt = 0;
}

static u32 reno_ssthresh(struct xtcp_tcb *t)
{
	return max_t(u32, t->cwnd / 2, 2);
}

/* RFC 5681 3.1: one segment per segment, then one per window. */
static void reno_cong_avoid(struct xtcp_tcb *t, u32 acked, u64 now_us)
{
	if (t->cwnd < t->ssthresh) {
		u32 n = min_t(u32, acked, t->ssthresh - t->cwnd);

		t->cwnd += n;
		acked -= n;
	}
	t->cwnd_cnt += acked;
	while (t->cwnd_cnt >= t->cwnd) {
		t->cwnd_cnt -= t->cwnd;
		t->cwnd++;
	}
	t->cwnd = min_t(u32, t->cwnd, XTCP_CWND_MAX);
}

const struct xtcp_cc_ops xtcp_cc_reno = {
	.name = "reno",
	.init = reno_init,
	.ssthresh = reno_ssthresh,
	.cong_avoid = reno_cong_avoid,
};

const char xtcp_cc_names[sizeof("reno")] = "reno";

/**
 * xtcp_cc_find - a congestion control by name
 * @name: as given to TCP_CONGESTION
 *
 * Return: its operations, NULL if there is none.
 */
const struct xtcp_cc_ops *xtcp_cc_find(const char *name)
{
	return strcmp(name, xtcp_cc_reno.name) ? NULL : &xtcp_cc_reno;
}

/* The handshake is done: RFC 6928; RFC 5681 3.1: one segment if the SYN was lost. */
void xtcp_cc_start(struct xtcp_tcb *t, u64 now_us)
{
	t->cwnd = t->retransmits > 1 ? 1 : XTCP_P(t, tcp_init_cwnd);
	t->cwnd_cnt = 0;
	t->ssthresh = XTCP_INF_SSTHRESH;
	t->cwnd_us = now_us;
	t->cwv_seq = t->s.snd_una;
	t->max_out = 0;
	t->cwnd_used = 0;
	t->cc->init(t, now_us);
}

/* RFC 5681 4.1, halved per idle RTO as RFC 2861 has it. */
void xtcp_cwnd_restart(struct xtcp_tcb *t, u64 now_us)
{
	u32 floor_segs = min_t(u32, XTCP_P(t, tcp_init_cwnd), t->cwnd);
	u64 idle = now_us - t->lsnd_us;

	if (!XTCP_P(t, tcp_slow_start_after_idle) || idle <= t->rto_us)
		return;
	t->ssthresh = max_t(u32, t->ssthresh, t->cwnd / 2 + t->cwnd / 4);
	for (; idle > t->rto_us && t->cwnd > floor_segs; idle -= t->rto_us)
		t->cwnd = max_t(u32, t->cwnd / 2, floor_segs);
	t->cwnd_us = now_us;
	t->cwnd_used = 0;
}

/*
 * Was the last window's worth of sending held by cwnd? Only then may it grow
 * (RFC 7661 4.1); long unused, it is brought down to what is used (RFC 2861).
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
	if (t->cwnd_limited || (t->cwnd < t->ssthresh && t->cwnd < 2 * t->max_out)) {
		t->cwnd_used = 0;
		t->cwnd_us = now_us;
		return;
	}
	t->cwnd_used = max_t(u32, t->cwnd_used, out);
	if (!XTCP_P(t, tcp_slow_start_after_idle) || t->ca_state != XTCP_CA_OPEN ||
	    now_us - t->cwnd_us < t->rto_us)
		return;
	if (t->cwnd_used < t->cwnd) {
		u32 used = max_t(u32, t->cwnd_used, XTCP_P(t, tcp_init_cwnd));

		t->ssthresh = max_t(u32, t->ssthresh, t->cwnd / 2 + t->cwnd / 4);
		t->cwnd = max_t(u32, (t->cwnd + used) / 2, 2);
	}
	t->cwnd_used = 0;
	t->cwnd_us = now_us;
}
