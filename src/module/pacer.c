// SPDX-License-Identifier: GPL-2.0
/*
 * Pacing. The core knows the rate. A qdisc that paces (fq) goes by
 * sk->sk_pacing_rate, and says in sk->sk_pacing_status that it is there; where
 * there is none, and only if somebody asks for pacing (SO_MAX_PACING_RATE, or a
 * congestion control that lives by it), the core says when the next piece may
 * go and a high-resolution timer wakes the output loop then.
 *
 * The timer holds a reference while it is queued. It is made when it is first
 * armed and goes with the sock's memory, a grace period after the last reference.
 */
#include "xtcp_mod.h"

#include <linux/hrtimer.h>
#include <linux/slab.h>

struct xtcp_pacer {
	struct hrtimer timer;
	struct sock *sk;
};

static enum hrtimer_restart pacer_fired(struct hrtimer *timer)
{
	struct sock *sk = container_of(timer, struct xtcp_pacer, timer)->sk;

	xtcp_tsq_output(sk);
	sock_put(sk);
	return HRTIMER_NORESTART;
}

static struct xtcp_pacer *pacer_get(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_pacer *p = x->pacer;

	if (p)
		return p;
	p = kmalloc(sizeof(*p), GFP_ATOMIC | __GFP_NOWARN);
	if (!p)
		return NULL;
	p->sk = sk;
	hrtimer_setup(&p->timer, pacer_fired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_SOFT);
	x->pacer = p;
	return p;
}

/**
 * xtcp_pacer_mode - who paces this connection, and how fast
 * @sk: connection, locked; before the output loop
 */
void xtcp_pacer_mode(struct sock *sk)
{
	struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;
	/* pairs with fq, which sets its own rate before */
	u32 status = smp_load_acquire(&sk->sk_pacing_status);
	unsigned long rate = READ_ONCE(sk->sk_max_pacing_rate);

	if (unlikely(t->cc->control) && status == SK_PACING_NONE) {
		cmpxchg(&sk->sk_pacing_status, SK_PACING_NONE, SK_PACING_NEEDED);
		status = READ_ONCE(sk->sk_pacing_status);
	}
	t->paced = status == SK_PACING_NEEDED;
	t->pacing_max = min_t(unsigned long, rate, XTCP_RATE_MAX);
	rate = xtcp_pacing_rate(t);
	if (rate == XTCP_RATE_MAX)
		rate = ~0UL;
	if (sk->sk_pacing_rate != rate)
		WRITE_ONCE(sk->sk_pacing_rate, rate);
}

/**
 * xtcp_pacer_arm - wake the output loop when the next piece may go
 * @sk: connection, locked
 * @due_us: when, by the namespace's clock
 *
 * Return: false if there is no memory for a timer; the coarse one has to do.
 */
bool xtcp_pacer_arm(struct sock *sk, u64 due_us)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_pacer *p = pacer_get(sk);
	u64 now_us, real_us;

	if (!p)
		return false;
	/* for the piece before, or as good as that: it looks again */
	if (hrtimer_is_queued(&p->timer))
		return true;
	now_us = xtcp_now_us(x->xn);
	real_us = due_us > now_us ? xtcp_real_us(x->xn, due_us - now_us) : 0;
	sock_hold(sk);
	hrtimer_start(&p->timer, ktime_add_us(ktime_get(), real_us),
		      HRTIMER_MODE_ABS_PINNED_SOFT);
	return true;
}

/**
 * xtcp_pacer_stop - nothing more is to go out
 * @sk: sock, locked or unreachable
 *
 * A timer that is just firing finds the connection closed.
 */
void xtcp_pacer_stop(struct sock *sk)
{
	struct xtcp_pacer *p = xtcp_sk(sk)->pacer;

	if (p && hrtimer_try_to_cancel(&p->timer) == 1)
		__sock_put(sk);
}
