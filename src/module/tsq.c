// SPDX-License-Identifier: GPL-2.0
/*
 * Small queues: of one socket about a millisecond of data, at its pacing rate,
 * stands in the qdisc and the device. When there is more, the output loop stops
 * and marks the sock; the next of its skbs to leave starts it again.
 *
 * An skb carries the kernel's own destructor, sock_wfree(): a qdisc that cuts
 * it up knows how to hand that on, and no code of ours is left in a queue when
 * the module goes. sock_wfree() calls sk->sk_write_space in the middle, while
 * the sock, and by it the module, cannot go. It may be called from under the
 * locks of a qdisc or a driver, and from within our own output loop: so it only
 * puts the sock, with a reference, on this CPU's list, for a tasklet.
 */
#include "xtcp_mod.h"

#include <linux/interrupt.h>
#include <linux/llist.h>
#include <net/tcp.h>

/* One per CPU; who gets to it on another one does no harm. */
struct tsq {
	struct tasklet_struct tasklet;
	struct llist_head socks;	/* by tsq_node; lock-free */
};

static DEFINE_PER_CPU(struct tsq, tsq);

#define TSQ_OVERHEAD	SKB_TRUESIZE(MAX_TCP_HEADER)	/* of a piece, beside its pages */

/*
 * tcp_autocorking, under Linux's conditions: the user writes while something is in the
 * queue below that is more than what waits takes in memory, so not just an ACK, and
 * what waits is no whole piece yet. It stays: more may come before that has left.
 */
static bool autocorks(const struct sock *sk, u32 used)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	const struct xtcp_tcb *t = &x->tcb;
	const struct sk_buff *tail;

	if (!t->dev_busy || t->more || !READ_ONCE(x->xn->params.tcp_autocorking))
		return false;
	tail = skb_peek_tail(&sk->sk_write_queue);
	return tail && used > tail->truesize && xtcp_unsent(t) < xtcp_tso_goal(t);
}

/**
 * xtcp_tsq_least - how much of this sock is in the queue below?
 * @sk: connection, locked
 *
 * The limits are Linux's: a millisecond's worth, or two pieces as large as the
 * next one if that is more; not beyond tcp_limit_output_bytes.
 *
 * Return: pieces shorter than so many bytes have to wait, 0: none.
 */
u32 xtcp_tsq_least(const struct sock *sk)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	u32 used = refcount_read(&sk->sk_wmem_alloc);

	if (unlikely(autocorks(sk, used)))
		return U32_MAX;
	/* the usual case: it is empty, or nearly so */
	if (likely(used <= 2 * TSQ_OVERHEAD))
		return 0;
	if (READ_ONCE(sk->sk_pacing_status) == SK_PACING_NONE &&
	    used > READ_ONCE(x->xn->params.tcp_limit_output_bytes))
		return U32_MAX;
	if (used <= sk->sk_pacing_rate >> READ_ONCE(sk->sk_pacing_shift))
		return 0;
	return DIV_ROUND_UP(used, 2) - TSQ_OVERHEAD;
}

/**
 * xtcp_tsq_wait - the output loop stops until some of it has left
 * @sk: connection, locked
 * @least: what xtcp_tsq_least() said a moment ago
 *
 * Return: false if some has left meanwhile, and nobody would call again.
 */
bool xtcp_tsq_wait(struct sock *sk, u32 least)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	/* a full barrier, pairs with xtcp_tsq_write_space() */
	if (!test_and_set_bit(XTCP_TSQ_THROTTLED, &x->deferred) &&
	    autocorks(sk, refcount_read(&sk->sk_wmem_alloc)))
		XTCP_INC(x->xn, AUTO_CORKING);
	return xtcp_tsq_least(sk) >= least;
}

/* Process or softirq, under whatever locks; something of @sk keeps it alive. */
static void tsq_kick(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct tsq *q;

	if (test_and_set_bit(XTCP_TSQ_QUEUED, &x->deferred))
		return;
	/* the last reference but this skb's is gone: nothing more to send */
	if (!refcount_inc_not_zero(&sk->sk_refcnt))
		return;
	q = get_cpu_ptr(&tsq);
	if (llist_add(&x->tsq_node, &q->socks))
		tasklet_schedule(&q->tasklet);
	put_cpu_ptr(&tsq);
}

static bool tsq_writer_waits(const struct sock *sk)
{
	const struct socket *sock;
	bool waits;

	rcu_read_lock();
	sock = READ_ONCE(sk->sk_socket);
	waits = sock && test_bit(SOCK_NOSPACE, &sock->flags);
	rcu_read_unlock();
	return waits;
}

/**
 * xtcp_tsq_write_space - sk->sk_write_space
 * @sk: sock; not locked by us, perhaps by our caller's caller
 *
 * Of sock_wfree(), for each skb; and of the kernel where a socket option makes
 * room for a writer.
 */
void xtcp_tsq_write_space(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	/* pairs with xtcp_tsq_wait(): sock_wfree() has taken the skb out of the count */
	smp_mb__after_atomic();
	if (test_bit(XTCP_TSQ_THROTTLED, &x->deferred) &&
	    test_and_clear_bit(XTCP_TSQ_THROTTLED, &x->deferred))
		tsq_kick(sk);
	if (tsq_writer_waits(sk))
		xtcp_write_space(sk);
}

/**
 * xtcp_tsq_output - the output loop may go on
 * @sk: connection, referenced, not locked
 *
 * Context: softirq.
 */
void xtcp_tsq_output(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	bh_lock_sock(sk);
	if (sock_owned_by_user(sk))
		set_bit(XTCP_DEFER_OUTPUT, &x->deferred);
	else if (x->tcb.state != XTCP_CLOSE)
		xtcp_output_again(sk);
	bh_unlock_sock(sk);
}

static void tsq_run(struct tasklet_struct *tasklet)
{
	struct tsq *q = from_tasklet(q, tasklet, tasklet);
	struct llist_node *list = llist_del_all(&q->socks);
	struct xtcp_sock *x, *next;

	llist_for_each_entry_safe(x, next, list, tsq_node) {
		struct sock *sk = xtcp_to_sk(x);

		clear_bit(XTCP_TSQ_QUEUED, &x->deferred);
		/* it is, should its skbs leave from here on; pairs with tsq_kick() */
		smp_mb__after_atomic();
		xtcp_tsq_output(sk);
		sock_put(sk);
	}
}

/**
 * xtcp_tsq_init - make each CPU's list and tasklet
 *
 * Return: 0.
 */
int xtcp_tsq_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct tsq *q = per_cpu_ptr(&tsq, cpu);

		init_llist_head(&q->socks);
		tasklet_setup(&q->tasklet, tsq_run);
	}
	return 0;
}

/** xtcp_tsq_exit - no sock is left, so none is queued; a tasklet may be on its last steps */
void xtcp_tsq_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		tasklet_kill(&per_cpu_ptr(&tsq, cpu)->tasklet);
}
