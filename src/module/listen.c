// SPDX-License-Identifier: GPL-2.0
/*
 * listen() and accept(), and the queue between them. The half-open requests are
 * in request.c.
 *
 * A listener's sock lock is not taken in softirq: what softirq needs is in
 * struct xtcp_listener, under its own lock or atomic. It lives as long as the
 * sock, so a sock that stops listening and starts again keeps it.
 */
#include "packets.h"
#include "demux.h"
#include "listen.h"

#include <linux/slab.h>

static struct xtcp_listener *listener_get(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_listener *l = x->lsn;

	if (!l) {
		l = kzalloc(sizeof(*l), GFP_KERNEL_ACCOUNT);
		if (!l)
			return NULL;
		spin_lock_init(&l->lock);
		atomic_set(&l->n_req, 0);
		/* readers find it by way of the hash table */
		x->lsn = l;
	}
	return l;
}

static void listen_state(struct sock *sk, u8 state)
{
	struct xtcp_verdict v = { };

	xtcp_state_set(&xtcp_sk(sk)->tcb, state, "listen", &v);
	xtcp_exec(sk, &v, NULL, NULL);
}

static int listen_start(struct sock *sk, int backlog)
{
	struct xtcp_listener *l = listener_get(sk);
	struct inet_sock *inet = inet_sk(sk);
	struct xtcp_sock *x = xtcp_sk(sk);
	int err;

	if (!l)
		return -ENOMEM;
	/* an accepted child has been no user of the hook, and a listener is no flow */
	if (!x->takeover) {
		err = xtcp_takeover_get();
		if (err)
			return err;
		x->takeover = 1;
	}
	if (!inet->inet_num && sk->sk_prot->get_port(sk, 0))
		return -EADDRINUSE;
	inet->inet_sport = htons(inet->inet_num);
	/* what is said of ACKs from now on is for the connections */
	xtcp_sk(sk)->tcb.pingpong = 0;
	sk_dst_reset(sk);
	sk->sk_ack_backlog = 0;
	WRITE_ONCE(l->max, backlog);
	spin_lock_bh(&l->lock);
	l->dead = 0;
	l->n = 0;
	spin_unlock_bh(&l->lock);

	/* LISTEN first: two socks that try at once must see each other. */
	listen_state(sk, XTCP_LISTEN);
	err = xtcp_port_listen(sk);
	if (!err)
		err = xtcp_listener_hash(sk);
	xtcp_race_point(LISTEN_HASHED);
	if (err) {
		spin_lock_bh(&l->lock);
		l->dead = 1;
		spin_unlock_bh(&l->lock);
		listen_state(sk, XTCP_CLOSE);
		WRITE_ONCE(xtcp_sk(sk)->bind_listen, 0);
	}
	return err;
}

/**
 * xtcp_listen - proto_ops.listen
 * @sock: socket
 * @backlog: longest accept queue; the system call has bounded it by somaxconn
 *
 * A second call only changes the backlog, as on Linux.
 *
 * Return: 0, -EINVAL, -EADDRINUSE or -ENOMEM.
 */
int xtcp_listen(struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;
	int err = -EINVAL;

	lock_sock(sk);
	if (sock->state != SS_UNCONNECTED || sock->type != SOCK_STREAM ||
	    !((1 << sk->sk_state) & (TCPF_CLOSE | TCPF_LISTEN)))
		goto out;
	err = 0;
	WRITE_ONCE(sk->sk_max_ack_backlog, backlog);
	if (sk->sk_state == TCP_LISTEN)
		WRITE_ONCE(xtcp_sk(sk)->lsn->max, backlog);
	else
		err = listen_start(sk, backlog);
out:
	release_sock(sk);
	return err;
}

/* ------------------------------------------------------------------ accept() */

static bool acceptq_empty(const struct sock *sk)
{
	return !READ_ONCE(xtcp_sk(sk)->lsn->n);
}

/* Wait for a child; exclusively, so that one comer wakes one waiter. */
static int accept_wait(struct sock *sk, long timeout)
{
	DEFINE_WAIT(wait);
	int err;

	for (;;) {
		prepare_to_wait_exclusive(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
		release_sock(sk);
		if (acceptq_empty(sk))
			timeout = schedule_timeout(timeout);
		sched_annotate_sleep();
		lock_sock(sk);
		err = 0;
		if (!acceptq_empty(sk))
			break;
		err = -EINVAL;
		if (sk->sk_state != TCP_LISTEN)
			break;
		err = sock_intr_errno(timeout);
		if (signal_pending(current))
			break;
		err = -EAGAIN;
		if (!timeout)
			break;
	}
	finish_wait(sk_sleep(sk), &wait);
	return err;
}

static struct sock *acceptq_take(struct sock *sk)
{
	struct xtcp_listener *l = xtcp_sk(sk)->lsn;
	struct xtcp_sock *child;

	spin_lock_bh(&l->lock);
	child = l->queue;
	if (child) {
		WRITE_ONCE(l->queue, child->accept_next);
		child->parent = NULL;
		WRITE_ONCE(l->n, l->n - 1);
		sk_acceptq_removed(sk);
	}
	spin_unlock_bh(&l->lock);
	return child ? xtcp_to_sk(child) : NULL;
}

/**
 * xtcp_accept - proto.accept: take the oldest child
 * @sk: listener
 * @flags: O_NONBLOCK
 * @err: set to a negative errno if there is none
 * @kern: caller is the kernel; means nothing here
 *
 * A child that died in the queue is handed out all the same, as on Linux: its
 * user finds the error.
 *
 * Context: process, may sleep.
 *
 * Return: the child, or NULL.
 */
struct sock *xtcp_accept(struct sock *sk, int flags, int *err, bool kern)
{
	struct sock *child = NULL;
	int ret = -EINVAL;

	lock_sock(sk);
	if (sk->sk_state != TCP_LISTEN)
		goto out;
	if (acceptq_empty(sk)) {
		long timeout = sock_rcvtimeo(sk, flags & O_NONBLOCK);

		ret = -EAGAIN;
		if (!timeout)
			goto out;
		ret = accept_wait(sk, timeout);
		if (ret)
			goto out;
	}
	child = acceptq_take(sk);
	xtcp_race_point(ACCEPT_TAKEN);
	ret = child ? 0 : -EAGAIN;
out:
	release_sock(sk);
	if (ret)
		*err = ret;
	return child;
}

/**
 * xtcp_acceptq_add - a child is ready for accept()
 * @listener: its parent; the child holds no reference to it
 * @child: locked; its life's reference goes to the queue
 *
 * Context: softirq.
 *
 * Return: false if the listener is closing or the queue has filled up.
 */
bool xtcp_acceptq_add(struct sock *listener, struct sock *child)
{
	struct xtcp_listener *l = xtcp_sk(listener)->lsn;
	bool room;

	spin_lock_bh(&l->lock);
	room = !l->dead && !xtcp_acceptq_full(l);
	if (room) {
		xtcp_sk(child)->accept_next = NULL;
		if (l->queue)
			l->queue_end->accept_next = xtcp_sk(child);
		else
			WRITE_ONCE(l->queue, xtcp_sk(child));
		l->queue_end = xtcp_sk(child);
		xtcp_sk(child)->parent = listener;
		WRITE_ONCE(l->n, l->n + 1);
		sk_acceptq_added(listener);
	}
	spin_unlock_bh(&l->lock);
	return room;
}

/* --------------------------------------------------------------- the end of it */

/**
 * xtcp_child_abort - nobody will ever accept this child
 * @sk: child, in no queue; bh-locked; the caller has a reference of his own
 *
 * The peer gets a RST (SEEDS X-9) and the sock its last rites.
 */
void xtcp_child_abort(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_verdict v;

	x->parent = NULL;
	sock_orphan(sk);
	if (x->tcb.state != XTCP_CLOSE) {
		xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
		xtcp_sock_rcv_space(sk);
		xtcp_user_abort(&x->tcb, 0, xtcp_now_us(x->xn), &v);
		xtcp_exec(sk, &v, NULL, NULL);
	}
	xtcp_sock_reap(sk);
}

/**
 * xtcp_child_let_go - softirq is done with a child
 * @sk: child, as xtcp_sock_child() gave it: unlocked here, the reference dropped
 */
void xtcp_child_let_go(struct sock *sk)
	__releases(&sk->sk_lock.slock)
{
	bh_unlock_sock(sk);
	sock_put(sk);
}

/**
 * xtcp_listen_stop - a listener closes, or stops listening
 * @sk: listener, locked; process context
 *
 * Children not accepted get a RST, half-open requests vanish: their third
 * segment will find nobody and get a RST, too (SEEDS X-9). The caller changes
 * the state.
 */
void xtcp_listen_stop(struct sock *sk)
{
	struct xtcp_listener *l = xtcp_sk(sk)->lsn;
	struct xtcp_sock *child, *next;

	if (!l)
		return;
	xtcp_listener_unhash(sk);
	spin_lock_bh(&l->lock);
	l->dead = 1;
	child = l->queue;
	WRITE_ONCE(l->queue, NULL);
	WRITE_ONCE(l->n, 0);
	sk->sk_ack_backlog = 0;
	spin_unlock_bh(&l->lock);

	xtcp_race_point(LISTEN_DEAD);
	/*
	 * Whoever inserts a request looks at dead after that: either the purge
	 * finds the request or its maker finds the listener dead.
	 */
	smp_mb();
	xtcp_req_purge(sk);

	for (; child; child = next) {
		struct sock *csk = xtcp_to_sk(child);

		next = child->accept_next;
		sock_hold(csk);
		xtcp_race_point(LISTEN_ABORT);
		local_bh_disable();
		bh_lock_sock(csk);
		xtcp_child_abort(csk);
		bh_unlock_sock(csk);
		local_bh_enable();
		sock_put(csk);
		cond_resched();
	}
}

/* Half-open requests there can be until SYNs are dropped or answered with cookies. */
static u32 request_max(const struct sock *sk, const struct xtcp_listener *l)
{
	u32 backlog = READ_ONCE(xtcp_sk(sk)->xn->params.tcp_max_syn_backlog);
	u32 max = READ_ONCE(l->max) + 1;

	switch (xtcp_listener_cookies(sk)) {
	case 0:
		/* the last quarter is kept back: syn_limits() */
		return min(max, backlog - (backlog >> 2) + 1);
	case 1:
		return max;
	default:
		return 0;
	}
}

/**
 * xtcp_listen_info - XTCP_LISTEN_INFO: the queues as they are, the limits as they work
 * @sk: sock that listens or has done so
 * @info: filled; zeros if it never listened
 *
 * Context: any; needs no lock, and the values are of no one moment.
 */
void xtcp_listen_info(struct sock *sk, struct xtcp_listen_info *info)
{
	const struct xtcp_listener *l = READ_ONCE(xtcp_sk(sk)->lsn);

	memset(info, 0, sizeof(*info));
	if (!l)
		return;
	info->accept_len = READ_ONCE(l->n);
	info->accept_max = READ_ONCE(l->max) + 1;
	info->request_len = atomic_read(&l->n_req);
	info->request_max = request_max(sk, l);
	info->overflows = atomic64_read(&l->overflows);
	info->drops = (u32)atomic_read(&sk->sk_drops);
	info->cookies_sent = atomic64_read(&l->cookies_sent);
	info->cookies_recv = atomic64_read(&l->cookies_recv);
}
