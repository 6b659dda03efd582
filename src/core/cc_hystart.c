// SPDX-License-Identifier: GPL-2.0
/*
 * HyStart++ (RFC 9406): the initial slow start ends when the round-trip time
 * shows a queue that grows, not with the loss of half a window. First comes
 * conservative slow start, at a quarter of the pace; if the round-trip time
 * falls again it was a false alarm.
 *
 * The RFC does not know of a queue below us that is kept short (Linux's small
 * queues), so that it is what holds us and not cwnd. The round-trip time grows by
 * less in each round than the RFC asks for, and slow start would never end. So:
 *
 * - A round whose end finds data waiting for that queue, and cwnd not full in it,
 *   begins conservative slow start as a delay does; cwnd being the limit again is
 *   what shows that it was a false alarm. If it never is, it ends as what was in use.
 * - As on Linux, a round is also compared with the best one of all, as long as half
 *   the window is used: less makes no queue.
 * - A delay has gone when it is back below that mark; a hair less than at the alarm
 *   is no proof of a false one.
 * - In conservative slow start cwnd grows only where it is what holds us, not up
 *   to twice of what is in use.
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

/* Is it the queue below that holds us? A small write may wait for its company there. */
static bool held_below(const struct xtcp_tcb *t)
{
	return t->held && !t->cwnd_limited && xtcp_unsent(t) >= t->mss_now;
}

/* A round is over. Returns whether conservative slow start is, too. */
static bool round_ends(struct xtcp_tcb *t, struct xtcp_hystart *h)
{
	bool css = h->css_rounds;

	h->round_end = t->s.snd_nxt;
	h->last_min_us = h->cur_min_us;
	if (h->cur_min_us && (!h->least_us || h->cur_min_us < h->least_us))
		h->least_us = h->cur_min_us;
	h->cur_min_us = 0;
	h->samples = 0;
	if (css)
		return !--h->css_rounds;
	h->local = held_below(t);
	if (h->local)
		h->css_rounds = CSS_ROUNDS;
	return false;
}

/* From where on a round is slow beside one that took @us (RFC 9406 4.2). */
static u32 slow_us(u32 us)
{
	return us + clamp_t(u32, us / MIN_RTT_DIVISOR, MIN_RTT_THRESH_US, MAX_RTT_THRESH_US);
}

/* RFC 9406 4.2: has the delay grown, or has it been a false alarm? */
static void look(struct xtcp_hystart *h, bool limited)
{
	bool slow;

	if (h->samples < N_RTT_SAMPLE || !h->least_us)
		return;
	slow = h->cur_min_us >= slow_us(h->least_us);
	if (!slow) {
		h->css_rounds = 0;
		return;
	}
	/* what is slow beside the last round is so beside the best one, too */
	if (!limited)
		slow = h->last_min_us && h->cur_min_us >= slow_us(h->last_min_us);
	if (slow && !h->css_rounds)
		h->css_rounds = CSS_ROUNDS;
}

/* Of a window that was never full for so long, what is in use is what counts (RFC 7661 4.1). */
static void cwnd_trim(struct xtcp_tcb *t)
{
	u32 used = max_t(u32, t->max_out, xtcp_segs_of(t, t->s.snd_nxt - t->s.snd_una));

	t->cwnd = min_t(u32, t->cwnd, max_t(u32, used, xtcp_init_cwnd(t)));
}

/*
 * @acked segments in the initial slow start: cwnd grows if it was what held
 * us, and ssthresh becomes finite when slow start is over. Returns what is left of @acked.
 */
u32 xtcp_hystart_ack(struct xtcp_tcb *t, struct xtcp_hystart *h, u32 acked, bool limited)
{
	if (h->local && t->cwnd_limited) {
		h->local = 0;
		h->css_rounds = 0;
	}
	if (!h->local)
		look(h, limited);
	if (h->css_rounds)
		limited = t->cwnd_limited;
	if (limited && h->css_rounds) {
		t->cwnd_cnt += acked;
		acked = t->cwnd_cnt / CSS_GROWTH_DIVISOR;
		t->cwnd_cnt %= CSS_GROWTH_DIVISOR;
	}
	if (limited)
		xtcp_slow_start(t, acked);
	if (seq_geq(t->s.snd_una, h->round_end) && round_ends(t, h)) {
		if (h->local)
			cwnd_trim(t);
		t->ssthresh = max_t(u32, t->cwnd, 2);
		t->cwnd_cnt = 0;
	}
	return 0;
}
