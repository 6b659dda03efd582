// SPDX-License-Identifier: GPL-2.0
/*
 * BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00): a model of the
 * path, the largest delivery rate of the last rounds and the least round-trip
 * time of the last ten seconds, says how fast to send and how much to keep in
 * flight. Losses do not enter the model.
 *
 *	STARTUP		doubles the rate each round, till three bring nothing more
 *	DRAIN		takes what that left in the queue out again
 *	PROBE_BW	cycles: a quarter more, a quarter less, six rounds as it is
 *	PROBE_RTT	every ten seconds, 200 ms of next to nothing: shows the bare RTT
 *
 * Gains are in 1/256. Rates are in bytes a second, up to 34 Gbit/s: a path faster
 * than that is not paced.
 */
#include "internal.h"

enum { STARTUP, DRAIN, PROBE_BW, PROBE_RTT };

#define GAIN_ONE	256
#define HIGH_GAIN	739	/* 2 / ln 2: each round may double the rate */
#define DRAIN_GAIN	88	/* its inverse */
#define CWND_GAIN	512	/* room for ACKs that come late and in bunches */
#define BW_ROUNDS	8	/* the largest rate of 8 to 16 rounds: one cycle at least */
#define MIN_RTT_MS	10000	/* so long a least RTT is believed */
#define PROBE_RTT_MS	200
#define MIN_CWND	4
#define FULL_GAIN	320	/* a round of startup that brings less than 1.25 times */
#define FULL_ROUNDS	3	/* so many of them: the pipe is full */
#define SLOW_RATE	150000	/* 1.2 Mbit/s: below it not even two segments at once */
#define MARGIN		253	/* a hundredth below the rate, or the queue would never drain */

static const u16 cycle_gain[8] = {
	320, 192, GAIN_ONE, GAIN_ONE, GAIN_ONE, GAIN_ONE, GAIN_ONE, GAIN_ONE,
};

static u32 now_ms(u64 now_us)
{
	return (u32)div_u64(now_us, 1000);
}

static u32 bw_of(const struct xtcp_bbr *b)
{
	return max_t(u32, b->bw[0], b->bw[1]);
}

static u32 pacing_gain(const struct xtcp_bbr *b)
{
	switch (b->mode) {
	case STARTUP:
		return HIGH_GAIN;
	case DRAIN:
		return DRAIN_GAIN;
	case PROBE_BW:
		return cycle_gain[b->cycle];
	}
	return GAIN_ONE;
}

static u32 cwnd_gain(const struct xtcp_bbr *b)
{
	if (b->mode == PROBE_BW)
		return CWND_GAIN;
	return b->mode == PROBE_RTT ? GAIN_ONE : HIGH_GAIN;
}

/* Rate times least RTT, times a gain, in segments; without an RTT the initial window. */
static u32 bdp(const struct xtcp_tcb *t, u32 gain)
{
	const struct xtcp_bbr *b = &t->ca.bbr;
	u64 bytes;

	if (b->min_rtt_us == ~0U)
		return xtcp_init_cwnd(t);
	bytes = div_u64((u64)bw_of(b) * b->min_rtt_us, USEC_S) * gain / GAIN_ONE;
	return min_t(u64, div_u64(bytes, t->mss_now) + 1, XTCP_CWND_MAX);
}

/* What is in flight, on its way down and on the way back of large pieces beside the BDP. */
static u32 target(const struct xtcp_tcb *t, u32 gain)
{
	const struct xtcp_bbr *b = &t->ca.bbr;
	u32 piece = min_t(u32, xtcp_pacing_rate(t) >> 10, t->gso_max) / t->mss_now;
	u32 n = bdp(t, gain) + 3 * max_t(u32, piece, t->pacing_rate < SLOW_RATE ? 1 : 2);

	n = (n + 1) & ~1U;
	/* a quarter more of a small window must be more */
	if (b->mode == PROBE_BW && !b->cycle)
		n += 2;
	return n;
}

static void set_rate(struct xtcp_tcb *t, u32 gain)
{
	struct xtcp_bbr *b = &t->ca.bbr;
	u64 rate = (u64)bw_of(b) * gain / GAIN_ONE * MARGIN / GAIN_ONE;

	if (!b->rtt_seen && t->srtt_us) {
		b->rtt_seen = 1;
		t->pacing_rate = min_t(u64, div_u64((u64)t->cwnd * t->mss_now * 8 * USEC_S,
						    t->srtt_us) * HIGH_GAIN / GAIN_ONE,
				       XTCP_RATE_MAX);
	}
	if (bw_of(b) && (b->full || rate > t->pacing_rate))
		t->pacing_rate = min_t(u64, rate, XTCP_RATE_MAX);
}

/* Where in the cycle a flow begins is by chance, but not in the phase of less. */
static void probe_bw(struct xtcp_tcb *t, u64 now_us)
{
	struct xtcp_bbr *b = &t->ca.bbr;
	u32 chance = (t->iss ^ t->rs_bytes ^ (u32)now_us) * 0x9e3779b1u;

	b->mode = PROBE_BW;
	b->cycle = (8 - (chance >> 16) % 7) & 7;
	b->cycle_us = now_us;
}

static void leave_probe_rtt(struct xtcp_tcb *t, u64 now_us)
{
	struct xtcp_bbr *b = &t->ca.bbr;

	b->min_rtt_ms = now_ms(now_us);
	t->cwnd = max_t(u32, t->cwnd, b->prior_cwnd);
	if (b->full)
		probe_bw(t, now_us);
	else
		b->mode = STARTUP;
}

static void save_cwnd(struct xtcp_tcb *t)
{
	struct xtcp_bbr *b = &t->ca.bbr;

	if (b->prev_state < XTCP_CA_RECOVERY && b->mode != PROBE_RTT)
		b->prior_cwnd = t->cwnd;
	else
		b->prior_cwnd = max_t(u32, b->prior_cwnd, t->cwnd);
}

/* ---- the model */

static void update_rounds(struct xtcp_tcb *t, const struct xtcp_rs *rs)
{
	struct xtcp_bbr *b = &t->ca.bbr;

	b->round_start = 0;
	if (!rs->bytes || (s32)(rs->prior - b->round_end) < 0)
		return;
	b->round_end = t->rs_bytes;
	b->rounds++;
	b->round_start = 1;
	b->conserve = 0;
	if (b->rounds - b->bw_round >= BW_ROUNDS) {
		b->bw[1] = b->bw[0];
		b->bw[0] = 0;
		b->bw_round = b->rounds;
	}
}

/* A user that has too little to send says nothing about the path, unless it got more. */
static void update_bw(struct xtcp_tcb *t, const struct xtcp_rs *rs)
{
	struct xtcp_bbr *b = &t->ca.bbr;
	u32 bw;

	if (!rs->us)
		return;
	bw = min_t(u64, div_u64((u64)rs->bytes * USEC_S, rs->us), XTCP_RATE_MAX);
	if (!rs->app_limited || bw >= bw_of(b))
		b->bw[0] = max_t(u32, b->bw[0], bw);
}

static bool phase_over(const struct xtcp_tcb *t, const struct xtcp_rs *rs, u64 now_us)
{
	const struct xtcp_bbr *b = &t->ca.bbr;
	bool full_length = (u32)now_us - b->cycle_us > b->min_rtt_us;
	u32 gain = pacing_gain(b);

	/* more: till it is in flight, or lost; less: till the queue is gone */
	if (gain > GAIN_ONE)
		return full_length && (rs->lost ||
				       xtcp_segs_of(t, rs->prior_pipe) >= target(t, gain));
	if (gain < GAIN_ONE)
		return full_length || xtcp_segs_of(t, xtcp_pipe(t)) <= target(t, GAIN_ONE);
	return full_length;
}

static void update_cycle(struct xtcp_tcb *t, const struct xtcp_rs *rs, u64 now_us)
{
	struct xtcp_bbr *b = &t->ca.bbr;

	if (b->mode != PROBE_BW || !phase_over(t, rs, now_us))
		return;
	b->cycle++;
	b->cycle_us = now_us;
}

static void check_full(struct xtcp_tcb *t, const struct xtcp_rs *rs)
{
	struct xtcp_bbr *b = &t->ca.bbr;

	if (b->full || !b->round_start || rs->app_limited)
		return;
	if ((u64)bw_of(b) * GAIN_ONE >= (u64)b->full_bw * FULL_GAIN) {
		b->full_bw = bw_of(b);
		b->full_cnt = 0;
		return;
	}
	if (++b->full_cnt >= FULL_ROUNDS)
		b->full = 1;
}

static void check_drain(struct xtcp_tcb *t, u64 now_us)
{
	struct xtcp_bbr *b = &t->ca.bbr;

	if (b->mode == STARTUP && b->full)
		b->mode = DRAIN;
	if (b->mode == DRAIN && xtcp_segs_of(t, xtcp_pipe(t)) <= target(t, GAIN_ONE))
		probe_bw(t, now_us);
}

/* 200 ms and a round with next to nothing in flight. */
/* Counted from its beginning, because a connection may be idle for weeks in it. */
static bool probe_rtt_over(const struct xtcp_bbr *b, u32 ms)
{
	return ms - b->probe_end_ms + PROBE_RTT_MS > PROBE_RTT_MS;
}

static void run_probe_rtt(struct xtcp_tcb *t, u64 now_us)
{
	struct xtcp_bbr *b = &t->ca.bbr;
	u32 ms = now_ms(now_us) ?: 1;

	/* no rate measured now counts as the path's */
	t->app_limited = (t->rs_bytes + xtcp_pipe(t)) ?: 1;
	if (!b->probe_end_ms) {
		if (xtcp_segs_of(t, xtcp_pipe(t)) > MIN_CWND)
			return;
		b->probe_end_ms = (ms + PROBE_RTT_MS) ?: 1;
		b->probe_round = 0;
		b->round_end = t->rs_bytes;
		return;
	}
	b->probe_round |= b->round_start;
	if (b->probe_round && probe_rtt_over(b, ms))
		leave_probe_rtt(t, now_us);
}

static void update_min_rtt(struct xtcp_tcb *t, const struct xtcp_rs *rs, u64 now_us)
{
	struct xtcp_bbr *b = &t->ca.bbr;
	bool old = now_ms(now_us) - b->min_rtt_ms > MIN_RTT_MS;

	if (rs->rtt_us && (rs->rtt_us <= b->min_rtt_us || old)) {
		b->min_rtt_us = rs->rtt_us;
		b->min_rtt_ms = now_ms(now_us);
	}
	if (old && !b->idle_restart && b->mode != PROBE_RTT) {
		save_cwnd(t);
		b->mode = PROBE_RTT;
		b->probe_end_ms = 0;
	}
	if (b->mode == PROBE_RTT)
		run_probe_rtt(t, now_us);
	if (rs->acked)
		b->idle_restart = 0;
}

/* ---- the window */

/* A round of packet conservation when losses come to light, then slow start back. */
static bool recovers(struct xtcp_tcb *t, const struct xtcp_rs *rs, u32 acked)
{
	struct xtcp_bbr *b = &t->ca.bbr;
	u32 lost = xtcp_segs_of(t, rs->lost), pipe = xtcp_segs_of(t, xtcp_pipe(t));
	u8 state = t->ca_state;

	if (lost)
		t->cwnd = t->cwnd > lost ? t->cwnd - lost : 1;
	if (state == XTCP_CA_RECOVERY && b->prev_state != XTCP_CA_RECOVERY) {
		b->conserve = 1;
		b->round_end = t->rs_bytes;
		t->cwnd = max_t(u32, pipe + acked, 1);
	} else if (b->prev_state >= XTCP_CA_RECOVERY && state < XTCP_CA_RECOVERY) {
		t->cwnd = max_t(u32, t->cwnd, b->prior_cwnd);
		b->conserve = 0;
	}
	b->prev_state = state;
	if (!b->conserve)
		return false;
	t->cwnd = max_t(u32, t->cwnd, pipe + acked);
	return true;
}

static void set_cwnd(struct xtcp_tcb *t, const struct xtcp_rs *rs)
{
	struct xtcp_bbr *b = &t->ca.bbr;
	u32 acked = xtcp_segs_of(t, rs->acked), want;

	if (!acked)
		goto out;
	if (!recovers(t, rs, acked)) {
		want = target(t, cwnd_gain(b));
		if (b->full)
			t->cwnd = min_t(u32, t->cwnd + acked, want);
		else if (t->cwnd < want || t->delivered < xtcp_init_cwnd(t))
			t->cwnd += acked;
		t->cwnd = max_t(u32, t->cwnd, MIN_CWND);
	}
	t->cwnd = min_t(u32, t->cwnd, XTCP_CWND_MAX);
out:
	if (b->mode == PROBE_RTT)
		t->cwnd = min_t(u32, t->cwnd, MIN_CWND);
}

/* ---- hooks */

static void bbr_init(struct xtcp_tcb *t, u64 now_us)
{
	struct xtcp_bbr *b = &t->ca.bbr;

	memset(b, 0, sizeof(*b));
	b->min_rtt_us = t->min_rtt_us;
	b->min_rtt_ms = now_ms(now_us);
	b->round_end = t->rs_bytes;
	t->ssthresh = XTCP_INF_SSTHRESH;
	t->paced = 1;
	set_rate(t, HIGH_GAIN);
}

static void bbr_control(struct xtcp_tcb *t, const struct xtcp_rs *rs, u64 now_us)
{
	update_rounds(t, rs);
	update_bw(t, rs);
	update_cycle(t, rs, now_us);
	check_full(t, rs);
	check_drain(t, now_us);
	update_min_rtt(t, rs, now_us);
	set_rate(t, pacing_gain(&t->ca.bbr));
	set_cwnd(t, rs);
}

static u32 bbr_ssthresh(struct xtcp_tcb *t)
{
	save_cwnd(t);
	return t->ssthresh;
}

static void bbr_on_ack(struct xtcp_tcb *t, u32 acked, bool limited, u64 now_us)
{
}

/* What was measured before a pause is still the path's; only the queue is gone. */
static void bbr_event(struct xtcp_tcb *t, enum xtcp_cc_event e, u64 now_us)
{
	struct xtcp_bbr *b = &t->ca.bbr;

	if (!t->app_limited)
		return;
	b->idle_restart = 1;
	if (b->mode == PROBE_BW)
		set_rate(t, GAIN_ONE);
	else if (b->mode == PROBE_RTT && b->probe_end_ms && probe_rtt_over(b, now_ms(now_us)))
		leave_probe_rtt(t, now_us);
}

/* A timeout: whether the pipe was full has to be found out anew. */
static void bbr_set_state(struct xtcp_tcb *t, enum xtcp_ca_state s)
{
	struct xtcp_bbr *b = &t->ca.bbr;

	if (s != XTCP_CA_LOSS)
		return;
	b->prev_state = XTCP_CA_LOSS;
	b->full_bw = 0;
}

static void bbr_undo(struct xtcp_tcb *t)
{
	t->ca.bbr.full_bw = 0;
	t->ca.bbr.full_cnt = 0;
}

const struct xtcp_cc_ops xtcp_cc_bbr = {
	.name = "bbr",
	.id = XTCP_CC_BBR,
	.init = bbr_init,
	.ssthresh = bbr_ssthresh,
	.on_ack = bbr_on_ack,
	.control = bbr_control,
	.event = bbr_event,
	.set_state = bbr_set_state,
	.undo = bbr_undo,
};
