// SPDX-License-Identifier: GPL-2.0
/*
 * CUBIC (RFC 9438). Windows on the curve count in 1/1024 of a segment, times in
 * units of 1024 us, so that the curve costs multiplications and shifts only:
 *
 *	W_cubic(t) = C (t - K)^3 + W_max	C = 0.4 segments / s^3
 *
 * with t - K = d units of 1024 us is d^3 * 0.4 * 1024 * (1024e-6)^3 of 1/1024
 * segments off W_max. Time counts only while cwnd is what holds the sender
 * (RFC 9438 4.2): the clock of the curve advances from ACK to ACK.
 */
#include "internal.h"

#define CUBE_MUL	483568ULL	/* 0.4 * 1024 * (1024e-6)^3 * 2^40 */
#define CUBE_INV	2273737ULL	/* 1 / (0.4 * 1024 * (1024e-6)^3) */
#define UNIT		10		/* log2 of 1024 */
#define T_MAX_US	0x40000000u	/* the curve is beyond all bounds long before */
/* alpha_cubic = 3 (1 - beta) / (1 + beta) = 9/17 with beta = 0.7 (RFC 9438 4.3) */
#define ALPHA_NUM	9
#define ALPHA_DEN	17

/**
 * xtcp_cbrt - integer cube root
 * @x: any
 *
 * Return: the largest r with r^3 <= @x. Three bits of @x make one of the root.
 */
u32 xtcp_cbrt(u64 x)
{
	u64 r = 0, b;
	int s;

	for (s = 63; s >= 0; s -= 3) {
		r <<= 1;
		/* (r + 1)^3 - r^3 */
		b = 3 * r * (r + 1) + 1;
		if (x >> s >= b) {
			x -= b << s;
			r++;
		}
	}
	return r;
}

static void cubic_init(struct xtcp_tcb *t, u64 now_us)
{
	struct xtcp_cubic *q = &t->ca.cubic;

	memset(q, 0, sizeof(*q));
	q->last_us = now_us;
	t->cwnd_cnt = 0;
	/* another's reduction is not undone: the curve of before is not known */
	t->prior_cwnd = 0;
	xtcp_hystart_init(t, &q->hs);
}

/* RFC 9438 4.6 and 4.7 (fast convergence: whoever lost before its old window makes room). */
static u32 cubic_ssthresh(struct xtcp_tcb *t)
{
	struct xtcp_cubic *q = &t->ca.cubic;
	u32 w = t->cwnd << UNIT;

	q->saved = q->c;
	/* (1 + beta) / 2 of 1024 is 870.4 */
	q->c.w_max = w < q->c.w_max ? t->cwnd * 870 + t->cwnd * 2 / 5 : w;
	q->c.cwnd_prior = t->cwnd;
	q->c.w_est = 0;
	return max_t(u32, t->cwnd * 7 / 10, 2);
}

/* Congestion avoidance begins (RFC 9438 4.2). */
static void epoch_begins(struct xtcp_tcb *t)
{
	struct xtcp_cubic *q = &t->ca.cubic;
	u32 w = t->cwnd << UNIT;

	q->est_cnt = 0;
	q->c.t_us = 0;
	q->c.w_est = t->cwnd;
	q->c.k = 0;
	if (q->c.w_max > w)
		q->c.k = xtcp_cbrt((q->c.w_max - w) * CUBE_INV);
	else
		q->c.w_max = w;
}

/* W_cubic, 1/1024 segments, @at units of 1024 us into the epoch. */
static u64 w_cubic(const struct xtcp_cubic_curve *c, u32 at)
{
	u64 d = at > c->k ? at - c->k : c->k - at;
	u64 off = ((d * d * d >> 20) * CUBE_MUL) >> 20;

	if (at > c->k)
		return c->w_max + off;
	return c->w_max > off ? c->w_max - off : 0;
}

/*
 * RFC 9438 4.3: the window Reno would have. It grows by alpha a window, and by 1
 * once it is back where the reduction began.
 */
static void reno_estimate(struct xtcp_tcb *t, u32 acked)
{
	struct xtcp_cubic *q = &t->ca.cubic;
	u32 den = t->cwnd * ALPHA_DEN;

	q->est_cnt += acked * (q->c.w_est < q->c.cwnd_prior ? ALPHA_NUM : ALPHA_DEN);
	if (q->est_cnt >= den) {
		q->c.w_est += q->est_cnt / den;
		q->est_cnt %= den;
	}
}

/* RFC 9438 4.4 and 4.5: towards where the curve is a round trip from now. */
static void follow_curve(struct xtcp_tcb *t, u32 acked)
{
	struct xtcp_cubic *q = &t->ca.cubic;
	u64 w = (u64)t->cwnd << UNIT, cnt = t->cwnd_cnt;
	u64 target = w_cubic(&q->c, (q->c.t_us + (t->srtt_us >> 3)) >> UNIT);
	u32 n;

	target = min_t(u64, target, w + w / 2);
	if (target <= w)
		return;
	cnt += acked * (target - w);
	if (cnt >= w) {
		n = div_u64(cnt, w);
		cnt -= n * w;
		/* an ACK of many windows is no reason to overtake the curve */
		n = min_t(u32, n, DIV_ROUND_UP(target - w, 1U << UNIT));
		t->cwnd += n;
	}
	t->cwnd_cnt = cnt;
}

static void cubic_on_ack(struct xtcp_tcb *t, u32 acked, bool limited, u64 now_us)
{
	struct xtcp_cubic *q = &t->ca.cubic;
	u32 passed_us = (u32)now_us - q->last_us;

	q->last_us = now_us;
	if (t->ssthresh == XTCP_INF_SSTHRESH)
		acked = xtcp_hystart_ack(t, &q->hs, acked, limited);
	else if (limited && t->cwnd < t->ssthresh)
		acked = xtcp_slow_start(t, acked);
	if (!limited || !acked)
		return;
	/* a clock that leaps must not make the window leap */
	if (q->c.w_est)
		q->c.t_us = min_t(u64, q->c.t_us + min_t(u64, passed_us, t->rto_us), T_MAX_US);
	else
		epoch_begins(t);
	reno_estimate(t, acked);
	if (w_cubic(&q->c, q->c.t_us >> UNIT) < (u64)q->c.w_est << UNIT)
		t->cwnd = max_t(u32, t->cwnd, q->c.w_est);
	else
		follow_curve(t, acked);
	t->cwnd = min_t(u32, t->cwnd, XTCP_CWND_MAX);
}

static void cubic_rtt(struct xtcp_tcb *t, u32 rtt_us)
{
	if (t->ssthresh == XTCP_INF_SSTHRESH)
		xtcp_hystart_rtt(&t->ca.cubic.hs, rtt_us);
}

/* RFC 9438 4.9: as if nothing had been lost. */
static void cubic_undo(struct xtcp_tcb *t)
{
	struct xtcp_cubic *q = &t->ca.cubic;

	q->c = q->saved;
	q->est_cnt = 0;
	if (t->ssthresh == XTCP_INF_SSTHRESH)
		xtcp_hystart_init(t, &q->hs);
}

/* The time without anything in flight does not count. */
static void cubic_event(struct xtcp_tcb *t, enum xtcp_cc_event e, u64 now_us)
{
	t->ca.cubic.last_us = now_us;
}

/* RFC 9438 4.8: after a timeout the window of before is no guide. */
static void cubic_set_state(struct xtcp_tcb *t, enum xtcp_ca_state s)
{
	if (s != XTCP_CA_LOSS)
		return;
	t->ca.cubic.c.w_max = 0;
	t->ca.cubic.c.w_est = 0;
}

const struct xtcp_cc_ops xtcp_cc_cubic = {
	.name = "cubic",
	.id = XTCP_CC_CUBIC,
	.init = cubic_init,
	.ssthresh = cubic_ssthresh,
	.on_ack = cubic_on_ack,
	.rtt = cubic_rtt,
	.undo = cubic_undo,
	.event = cubic_event,
	.set_state = cubic_set_state,
};
