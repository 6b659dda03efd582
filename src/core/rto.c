// SPDX-License-Identifier: GPL-2.0
/* Round-trip time and the retransmission timer (RFC 6298), the limit R2 of RFC 9293 3.8.3. */
#include "internal.h"

/* Smallest timeout of a SYN-ACK: tcp_synack_rto_ms has 0 for "none" below it */
#define SYNACK_RTO_MIN_MS	10

/*
 * The first timeout of a SYN or SYN-ACK (RFC 6298 2.1, SEEDS D-2): the socket's
 * own (XTCP_INIT_RTO_MS), else the namespace's.
 */
u64 xtcp_init_rto_us(const struct xtcp_params *p, u32 sock_ms, bool synack)
{
	u32 ms = sock_ms;

	if (!ms && synack) {
		ms = READ_ONCE(p->tcp_synack_rto_ms);
		if (ms)
			ms = max_t(u32, ms, SYNACK_RTO_MIN_MS);
	}
	if (!ms)
		ms = READ_ONCE(p->tcp_init_rto_ms);
	return ms * USEC_MS;
}

/**
 * xtcp_rto_min_us - the least RTO (RFC 6298 2.4): the route's, the socket's, the namespace's
 * @t: block
 */
u32 xtcp_rto_min_us(const struct xtcp_tcb *t)
{
	if (t->route_rto_min_ms)
		return t->route_rto_min_ms * USEC_MS;
	return t->rto_min_us ?: (u32)XTCP_P(t, tcp_rto_min_us);
}

/*
 * The least of tcp_min_rtt_wlen: of the half of it that runs and of the half
 * before, for a path that became longer shall not be measured by what it was.
 */
static void min_rtt(struct xtcp_tcb *t, u32 rtt_us, u64 now_us)
{
	u32 half_ms = (u32)XTCP_P(t, tcp_min_rtt_wlen) * 500;
	u32 now_ms = div_u64(now_us, USEC_MS), past_ms = now_ms - t->min_rtt_ms;

	if (past_ms >= half_ms) {
		t->min_rtt_us = past_ms / 2 >= half_ms ? rtt_us : t->min_rtt_new_us;
		t->min_rtt_new_us = rtt_us;
		t->min_rtt_ms = now_ms;
	}
	t->min_rtt_new_us = min(t->min_rtt_new_us, rtt_us);
	t->min_rtt_us = min(t->min_rtt_us, rtt_us);
}

/**
 * xtcp_rtt_sample - one measurement (RFC 6298 2.2, 2.3)
 * @t: block
 * @rtt_us: microseconds, from a segment never retransmitted or by timestamps
 * @now_us: now
 *
 * The variance is the largest seen in the last round trip, never below
 * the least RTO, so that RTO is SRTT plus at least that (as Linux does).
 */
xtcp_hot void xtcp_rtt_sample(struct xtcp_tcb *t, u32 rtt_us, u64 now_us)
{
	u32 floor_us = xtcp_rto_min_us(t), max_us, m = clamp_t(u32, rtt_us, 1, 1U << 28);
	s32 err;

	min_rtt(t, m, now_us);
	if (!t->srtt_us) {
		t->srtt_us = m << 3;
		t->mdev_us = m << 1;
		t->rttvar_us = max_t(u32, t->mdev_us, floor_us);
		t->mdev_max_us = t->rttvar_us;
		t->rtt_seq = t->s.snd_nxt;
	} else {
		err = (s32)m - (s32)(t->srtt_us >> 3);
		t->srtt_us += err;
		if (err < 0) {
			err = -err - (s32)(t->mdev_us >> 2);
			/* a falling RTT must not blow the variance up */
			if (err > 0)
				err >>= 3;
		} else {
			err -= (s32)(t->mdev_us >> 2);
		}
		t->mdev_us += err;
		if (t->mdev_us > t->mdev_max_us) {
			t->mdev_max_us = t->mdev_us;
			t->rttvar_us = max_t(u32, t->rttvar_us, t->mdev_max_us);
		}
		if (seq_gt(t->s.snd_una, t->rtt_seq)) {
			if (t->mdev_max_us < t->rttvar_us)
				t->rttvar_us -= (t->rttvar_us - t->mdev_max_us) >> 2;
			t->rtt_seq = t->s.snd_nxt;
			t->mdev_max_us = floor_us;
		}
	}
	t->rttvar_us = max_t(u32, t->rttvar_us, floor_us);
	max_us = (u32)XTCP_P(t, tcp_rto_max_ms) * 1000;
	t->rto_us = min_t(u32, (t->srtt_us >> 3) + t->rttvar_us, max_us);
	/* RFC 6298 5.7 and Karn: a valid sample ends the backoff */
	t->backoff = 0;
	if (t->cc->rtt)
		t->cc->rtt(t, m);
}

/**
 * xtcp_rto_now_us - the timeout with its backoff (RFC 6298 5.5)
 * @t: block
 *
 * Return: microseconds, at most tcp_rto_max_ms.
 */
u64 xtcp_rto_now_us(const struct xtcp_tcb *t)
{
	u64 max_us = (u64)XTCP_P(t, tcp_rto_max_ms) * 1000;

	return min_t(u64, (u64)t->rto_us << min_t(u8, t->backoff, 20), max_us);
}

/* What TCP_USER_TIMEOUT (RFC 5482) leaves; 0 if it is over, ~0 if there is none. */
u64 xtcp_user_timeout_left(const struct xtcp_tcb *t, u64 now_us)
{
	u64 lim = t->user_timeout_ms * USEC_MS;

	if (!lim || !t->una_us)
		return ~0ULL;
	return t->una_us + lim > now_us ? t->una_us + lim - now_us : 0;
}

static void rexmit_at(struct xtcp_tcb *t, u64 us, u64 now_us)
{
	u64 left = xtcp_user_timeout_left(t, now_us);

	t->deadline_us[XTCP_T_REXMIT] = now_us + max_t(u64, min_t(u64, us, left), 1);
}

/* Something is in flight: the retransmission timer runs from now. */
void xtcp_rto_arm(struct xtcp_tcb *t, u64 now_us)
{
	t->rexmit_kind = XTCP_RT_RTO;
	t->rto_fired = 0;
	rexmit_at(t, xtcp_rto_now_us(t), now_us);
}

/* What came before the retransmission timeout is not to come: that is the timer again. */
void xtcp_early_off(struct xtcp_tcb *t)
{
	if (t->rexmit_kind != XTCP_RT_TLP && t->rexmit_kind != XTCP_RT_REO)
		return;
	t->rexmit_kind = XTCP_RT_RTO;
	if (t->deadline_us[XTCP_T_REXMIT])
		t->deadline_us[XTCP_T_REXMIT] += t->rto_after_us;
}

/* @us from now, if the retransmission timeout comes no sooner, @kind is due (RFC 8985 6.3, 7.2). */
void xtcp_early_arm(struct xtcp_tcb *t, enum xtcp_rexmit_kind kind, u64 us, u64 now_us)
{
	u64 at = now_us + max_t(u64, us, 1), rto_at;

	xtcp_early_off(t);
	rto_at = t->deadline_us[XTCP_T_REXMIT];
	if (t->rexmit_kind != XTCP_RT_RTO || at > rto_at)
		return;
	t->rexmit_kind = kind;
	t->rto_after_us = rto_at - at;
	t->deadline_us[XTCP_T_REXMIT] = at;
}

/* The head goes again: its timeout runs from now, behind the reordering window if there is one. */
void xtcp_rto_again(struct xtcp_tcb *t, u64 now_us)
{
	u64 reo_at = t->rexmit_kind == XTCP_RT_REO ? t->deadline_us[XTCP_T_REXMIT] : 0;

	xtcp_rto_arm(t, now_us);
	if (reo_at)
		xtcp_early_arm(t, XTCP_RT_REO, reo_at > now_us ? reo_at - now_us : 0, now_us);
}

/* Nothing is in flight and the window stands in the way (3.8.6.1). */
void xtcp_persist_arm(struct xtcp_tcb *t, u64 now_us)
{
	u64 max_us = (u64)XTCP_P(t, tcp_rto_max_ms) * 1000;
	u64 us = max_t(u64, t->rto_us, xtcp_rto_min_us(t));

	t->rexmit_kind = XTCP_RT_PERSIST;
	if (!t->una_us)
		t->una_us = now_us;
	rexmit_at(t, min_t(u64, us << min_t(u8, t->backoff, 20), max_us), now_us);
}

/* 0 means 8 (SEEDS D-3). */
u32 xtcp_orphan_limit(const struct xtcp_tcb *t)
{
	int n = t->orphan_retries;

	if (n < 0)
		n = XTCP_P(t, tcp_orphan_retries);
	return n ? n : 8;
}

/* How long @limit retransmissions and the wait after them take: @step, doubling up to rto_max. */
static u64 model_us(const struct xtcp_tcb *t, u64 step, u32 limit)
{
	u64 max_us = (u64)XTCP_P(t, tcp_rto_max_ms) * 1000, sum = 0;
	u32 i;

	for (i = 0; i <= limit; i++) {
		sum += min_t(u64, step, max_us);
		if (step < max_us)
			step <<= 1;
	}
	return sum;
}

/*
 * Have @limit retransmissions had their time? Linux counts time, not
 * retransmissions: the sum of @limit timeouts that begin at tcp_rto_min_us and double
 * up to rto_max, since the first retransmission of this episode.
 */
bool xtcp_retries_spent(const struct xtcp_tcb *t, u32 limit, u64 now_us)
{
	if (!t->retransmits || !t->retrans_us)
		return false;
	return now_us - t->retrans_us >= model_us(t, XTCP_P(t, tcp_rto_min_us), limit);
}

/*
 * Has our SYN, or SYN-ACK, been repeated often enough (SEEDS 4-41, 4-44)? TCP_SYNCNT
 * bounds both kinds. Linear retransmissions come on top of the limit, but as
 * on Linux not beyond the time that the limit would take without them.
 */
bool xtcp_syn_spent(const struct xtcp_tcb *t, u64 now_us)
{
	u32 limit = t->syn_retries, linear = 0;

	if (!limit)
		limit = t->passive ? XTCP_P(t, tcp_synack_retries) : XTCP_P(t, tcp_syn_retries);
	if (t->state == XTCP_SYN_SENT)
		linear = XTCP_P(t, tcp_syn_linear_timeouts);
	if (t->retransmits >= limit + linear)
		return true;
	return linear && t->una_us && now_us - t->una_us >= model_us(t, t->rto_us, limit);
}
