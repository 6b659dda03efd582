// SPDX-License-Identifier: GPL-2.0
/*
 * HyStart++ (RFC 9406): the initial slow start ends when the round-trip time
 * shows a queue that grows, not with the loss of half a window. First comes
 * conservative slow start, at a quarter of the pace; if the round-trip time
 * falls again it was a false alarm.
 *
 * L, the most segments one ACK may add, is infinite: where the peer's GRO
 * makes one ACK of forty segments, 8 would be slower than congestion
 * avoidance is later.
 */
#include "internal.h"

#define MIN_RTT_THRESH_US	4000
#define MAX_RTT_THRESH_US	16000
#define MIN_RTT_DIVISOR		8
#define N_RTT_SAMPLE		8
#define CSS_GROWTH_DIVISOR	4
#define CSS_ROUNDS		5

void xtcp_hystart_init(struct xtcp_tcb *t, struct xtcp_hystart *h)
{
	memset(h, 0, sizeof(*h));
	h->round_end = t->s.snd_nxt;
}

/* One sample of this round. */
void xtcp_hystart_rtt(struct xtcp_hystart *h, u32 rtt_us)
{
	if (!h->cur_min_us || rtt_us < h->cur_min_us)
		h->cur_min_us = rtt_us;
	if (h->samples < N_RTT_SAMPLE)
		h->samples++;
}

/* A round is over. Returns whether conservative slow start is, too. */
static bool round_ends(struct xtcp_tcb *t, struct xtcp_hystart *h)
{
	h->round_end = t->s.snd_nxt;
	h->last_min_us = h->cur_min_us;
	h->cur_min_us = 0;
	h->samples = 0;
	return h->css_rounds && !--h->css_rounds;
}

/* RFC 9406 4.2: has the delay grown, or has it been a false alarm? */
static void look(struct xtcp_hystart *h)
{
	u32 thresh_us;

	if (h->samples < N_RTT_SAMPLE)
		return;
	if (h->css_rounds) {
		if (h->cur_min_us < h->css_base_us)
			h->css_rounds = 0;
		return;
	}
	thresh_us = clamp_t(u32, h->last_min_us / MIN_RTT_DIVISOR, MIN_RTT_THRESH_US,
			    MAX_RTT_THRESH_US);
	if (!h->last_min_us || h->cur_min_us < h->last_min_us + thresh_us)
		return;
	h->css_base_us = h->cur_min_us;
	h->css_rounds = CSS_ROUNDS;
}

/*
 * @acked segments in the initial slow start: cwnd grows if it was what held
 * us, and ssthresh becomes finite when slow start is over. Returns what is left of @acked.
 */
u32 xtcp_hystart_ack(struct xtcp_tcb *t, struct xtcp_hystart *h, u32 acked, bool limited)
{
	look(h);
	if (limited && h->css_rounds) {
		t->cwnd_cnt += acked;
		acked = t->cwnd_cnt / CSS_GROWTH_DIVISOR;
		t->cwnd_cnt %= CSS_GROWTH_DIVISOR;
	}
	if (limited)
		xtcp_slow_start(t, acked);
	if (seq_geq(t->s.snd_una, h->round_end) && round_ends(t, h)) {
		t->ssthresh = max_t(u32, t->cwnd, 2);
		t->cwnd_cnt = 0;
	}
	return 0;
}
