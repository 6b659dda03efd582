// SPDX-License-Identifier: GPL-2.0
/*
 * A connection's one timer. The core keeps a deadline for each of its timers;
 * the kernel timer is armed for the earliest. It is moved only when it would
 * fire too late: firing too early costs one look at the deadlines, moving it
 * with every ACK would cost a lot more.
 *
 * Deadlines are times of the namespace's clock (xtcp_now_us()); only what the
 * kernel's timer is told is converted to real time, so a faster clock
 * (lab_timescale) changes no schedule but by the tick, which it makes that
 * many times longer.
 */
#include "packets.h"

#include <trace/events/xtcp.h>

/* Longest wait asked of the kernel's timer: jiffies are 32 bits on some machines. */
#define TIMER_MAX_US	(3600ULL * USEC_PER_SEC)

static const char *rexmit_name(const struct xtcp_tcb *t)
{
	switch (t->rexmit_kind) {
	case XTCP_RT_PERSIST:
		return "persist";
	case XTCP_RT_TLP:
		return "tlp";
	case XTCP_RT_REO:
		return "reorder";
	}
	return "rexmit";
}

static const char *timer_name(const struct xtcp_tcb *t, unsigned int which)
{
	switch (which) {
	case XTCP_T_REXMIT:
		return rexmit_name(t);
	case XTCP_T_DELACK:
		return "delack";
	case XTCP_T_KEEP:
		return "keepalive";
	case XTCP_T_LIFE:
		return t->state == XTCP_FIN_WAIT2 ? "fin_wait2" : "life";
	case XTCP_T_PACE:
		return "pace";
	case XTCP_T_CORK:
		return "cork";
	}
	return "other";
}

/* Retransmissions or probes so far */
static u32 timer_tries(const struct xtcp_tcb *t, unsigned int which)
{
	if (which == XTCP_T_KEEP ||
	    (which == XTCP_T_REXMIT && t->rexmit_kind == XTCP_RT_PERSIST))
		return t->probes_out;
	return which == XTCP_T_REXMIT ? t->retransmits : 0;
}

/* The earliest deadline has moved. The kernel's timer is lazy: tracers hear of deadlines. */
static void trace_armed(struct xtcp_sock *x, u64 due_us, u64 now_us)
{
	const struct xtcp_tcb *t = &x->tcb;
	unsigned int i;

	if (due_us == x->flow.traced_due_us)
		return;
	x->flow.traced_due_us = due_us;
	x->flow.traced_at_us = now_us;
	for (i = 0; due_us && i < XTCP_NR_TIMERS; i++) {
		if (t->deadline_us[i] == due_us)
			trace_xtcp_timer(&x->flow, "armed", timer_name(t, i),
					 due_us > now_us ? due_us - now_us : 0,
					 timer_tries(t, i));
	}
}

static void trace_fired(const struct xtcp_sock *x, u64 now_us)
{
	const struct xtcp_tcb *t = &x->tcb;
	unsigned int i;

	for (i = 0; i < XTCP_NR_TIMERS; i++) {
		u64 due_us = t->deadline_us[i];

		if (due_us && due_us <= now_us)
			trace_xtcp_timer(&x->flow, "fired", timer_name(t, i),
					 due_us == x->flow.traced_due_us ?
					 now_us - x->flow.traced_at_us : 0, timer_tries(t, i));
	}
}

static void timer_fired(struct timer_list *timer)
{
	struct xtcp_sock *x = timer_container_of(x, timer, timer);
	struct sock *sk = xtcp_to_sk(x);

	xtcp_race_point(TIMER_FIRED);
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk))
		xtcp_timer_run(sk);
	else if (!test_and_set_bit(XTCP_DEFER_TIMER, &x->deferred))
		sock_hold(sk);		/* until xtcp_release_cb() */
	bh_unlock_sock(sk);
	sock_put(sk);
}

/**
 * xtcp_timer_init - make the timer ready
 * @sk: new sock
 */
void xtcp_timer_init(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	timer_setup(&x->timer, timer_fired, 0);
	x->timer_us = 0;
	x->deferred = 0;
}

static noinline void timer_arm(struct xtcp_sock *x, u64 due_us, u64 now_us)
{
	u64 real_us = due_us > now_us ? xtcp_real_us(x->xn, due_us - now_us) : 0;

	x->timer_us = due_us;
	if (real_us > TIMER_MAX_US) {
		real_us = TIMER_MAX_US;
		x->timer_us = now_us + TIMER_MAX_US * READ_ONCE(x->xn->clock_scale);
	}
	xtcp_race_point(TIMER_ARM);
	sk_reset_timer(xtcp_to_sk(x), &x->timer, jiffies + xtcp_timer_ticks(real_us));
}

/* The earliest deadline but for pacing's, which has a timer of its own if it can be had. */
static noinline u64 timer_paced(struct xtcp_sock *x)
{
	u64 pace_us = x->tcb.deadline_us[XTCP_T_PACE], due_us;

	if (!xtcp_pacer_arm(xtcp_to_sk(x), pace_us))
		return xtcp_next_deadline(&x->tcb);
	x->tcb.deadline_us[XTCP_T_PACE] = 0;
	due_us = xtcp_next_deadline(&x->tcb);
	x->tcb.deadline_us[XTCP_T_PACE] = pace_us;
	return due_us;
}

/**
 * xtcp_timer_sync - arm the timer for the core's earliest deadline
 * @sk: sock, locked
 * @now_us: now, or a moment ago
 */
xtcp_hot void xtcp_timer_sync(struct sock *sk, u64 now_us)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	u64 due_us;

	if (x->tcb.state == XTCP_CLOSE || x->tcb.state == XTCP_LISTEN)
		return;
	if (unlikely(x->tcb.deadline_us[XTCP_T_PACE]))
		due_us = timer_paced(x);
	else
		due_us = xtcp_next_deadline(&x->tcb);
	if (trace_xtcp_timer_enabled())
		trace_armed(x, due_us, now_us);
	if (due_us && (!x->timer_us || x->timer_us > due_us))
		timer_arm(x, due_us, now_us);
}

/*
 * tcp_max_orphans and tcp_mem are looked at again each time an orphan's timer
 * comes up. As on Linux an orphan counts twice that has not sent for long, and
 * twice again if ICMP said that its peer is out of reach.
 */
static bool timer_starved(const struct sock *sk, u64 now_us)
{
	const struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;
	unsigned int shift = 0;

	if (!t->orphan)
		return false;
	if (now_us - t->lsnd_us > 2ULL * XTCP_P(t, tcp_rto_max_ms) * USEC_PER_MSEC)
		shift++;
	if (t->soft_err)
		shift++;
	return xtcp_sock_starved(sk, shift);
}

/**
 * xtcp_timer_run - carry out the deadlines that are due
 * @sk: sock, locked
 *
 * Context: softirq, or process from release_sock().
 */
void xtcp_timer_run(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_verdict v;
	u64 due_us, now_us;

	x->timer_us = 0;
	if (x->tcb.state == XTCP_CLOSE || x->tcb.state == XTCP_LISTEN)
		return;
	due_us = xtcp_next_deadline(&x->tcb);
	now_us = xtcp_now_us(x->xn);
	if (!due_us || due_us > now_us) {
		xtcp_timer_sync(sk, now_us);
		return;
	}
	if (trace_xtcp_timer_enabled())
		trace_fired(x, now_us);
	xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
	xtcp_sock_rcv_space(sk);
	x->tcb.no_resources = timer_starved(sk, now_us);
	xtcp_timeout(&x->tcb, now_us, &v);
	xtcp_exec(sk, &v, NULL, NULL);
}

/**
 * xtcp_release_cb - the user lets go of the lock: do what was put off
 * @sk: sock, lock still held
 *
 * proto.release_cb. Each deferred bit but OUTPUT came with a reference.
 */
void xtcp_release_cb(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	if (likely(!(READ_ONCE(x->deferred) & XTCP_DEFER_ALL)))
		return;
	if (test_and_clear_bit(XTCP_DEFER_TIMER, &x->deferred)) {
		xtcp_timer_run(sk);
		__sock_put(sk);
	}
	if (test_and_clear_bit(XTCP_DEFER_MTU, &x->deferred)) {
		xtcp_icmp_mtu(sk, x->mtu_info);
		__sock_put(sk);
	}
	if (test_and_clear_bit(XTCP_DEFER_OUTPUT, &x->deferred) &&
	    x->tcb.state != XTCP_CLOSE)
		xtcp_output_again(sk);
}
