// SPDX-License-Identifier: GPL-2.0
/* Reno (RFC 5681): one segment more per round trip, half the window at a loss. */
#include "internal.h"

static void reno_init(struct xtcp_tcb *t, u64 now_us)
{
	t->cwnd_cnt = 0;
}

static u32 reno_ssthresh(struct xtcp_tcb *t)
{
	return max_t(u32, t->cwnd / 2, 2);
}

/* RFC 5681 3.1: one segment per segment, then one per window. */
static void reno_on_ack(struct xtcp_tcb *t, u32 acked, bool limited, u64 now_us)
{
	if (!limited)
		return;
	if (t->cwnd < t->ssthresh)
		acked = xtcp_slow_start(t, acked);
	t->cwnd_cnt += acked;
	while (t->cwnd_cnt >= t->cwnd) {
		t->cwnd_cnt -= t->cwnd;
		t->cwnd++;
	}
	t->cwnd = min_t(u32, t->cwnd, XTCP_CWND_MAX);
}

const struct xtcp_cc_ops xtcp_cc_reno = {
	.name = "reno",
	.id = XTCP_CC_RENO,
	.init = reno_init,
	.ssthresh = reno_ssthresh,
	.on_ack = reno_on_ack,
};
