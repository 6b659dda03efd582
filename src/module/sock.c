// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a sock: made, closed, over, reaped. A connection that is over
 * while a user holds it stays as a sock in CLOSE; one whose user is gone (an
 * orphan) is reaped on the spot, wherever that happens.
 *
 * References: the sock's life is one reference, given back by xtcp_sock_reap();
 * the flow table holds none (RCU and refcount_inc_not_zero), a pending timer
 * holds one.
 */
#include "xtcp_mod.h"

#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <net/inet_common.h>
#include <net/xfrm.h>

static struct kmem_cache *xtcp_rng_cache;

int xtcp_sock_cache_init(void)
{
	xtcp_rng_cache = KMEM_CACHE(xtcp_rng, SLAB_HWCACHE_ALIGN);
	return xtcp_rng_cache ? 0 : -ENOMEM;
}

void xtcp_sock_cache_exit(void)
{
	kmem_cache_destroy(xtcp_rng_cache);
}

/**
 * xtcp_sock_pool_grow - allocate range nodes, see xtcp_sock_pool_fill()
 * @sk: sock lock held; any context
 * @want: so many
 *
 * Without memory the core does with fewer nodes.
 */
void xtcp_sock_pool_grow(struct sock *sk, unsigned int want)
{
	struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;

	while (xtcp_pool_hungry(t, want)) {
		struct xtcp_rng *r = kmem_cache_alloc(xtcp_rng_cache,
						      GFP_ATOMIC | __GFP_NOWARN);

		if (!r)
			break;
		xtcp_pool_put(t, r);
	}
}

static void xtcp_sock_pool_free(struct sock *sk, unsigned int keep)
{
	struct xtcp_rng *r;

	while ((r = xtcp_pool_surplus(&xtcp_sk(sk)->tcb, keep)))
		kmem_cache_free(xtcp_rng_cache, r);
}

/**
 * xtcp_sock_pool_trim - take back nodes that a flight or its losses left behind
 * @sk: sock lock held; any context
 *
 * A busy connection keeps some, and does not go to the allocator per segment.
 */
void xtcp_sock_pool_trim(struct sock *sk)
{
	unsigned int keep = xtcp_sk(sk)->tcb.n_txq ? 4 * XTCP_POOL_WANT : XTCP_POOL_WANT;

	if (unlikely(xtcp_sk(sk)->tcb.n_pool > keep))
		xtcp_sock_pool_free(sk, keep / 2);
}

/**
 * xtcp_sock_rcv_space - tell the core how much payload could be stored
 * @sk: sock lock held; any context
 *
 * Half of the buffer is for what skbs cost beside their payload.
 */
xtcp_hot void xtcp_sock_rcv_space(struct sock *sk)
{
	struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;
	int rcvbuf = READ_ONCE(sk->sk_rcvbuf);
	int used = atomic_read(&sk->sk_rmem_alloc) + READ_ONCE(sk->sk_backlog.len);

	t->rcv_lowat = READ_ONCE(sk->sk_rcvlowat);
	t->rcv_full = rcvbuf >> 1;
	t->rcv_free = rcvbuf > used ? (rcvbuf - used) >> 1 : 0;
	/* memory is short: slow the peer before its segments must be dropped */
	if (t->rcv_free < t->rcv_full / 2 && sk_under_memory_pressure(sk))
		t->rcv_ssthresh = min_t(u32, t->rcv_ssthresh, 4U * t->adv_mss);
}

/**
 * xtcp_sock_wscale - receive window scale a sock should ask for
 * @sk: the connecting sock or the listener; any context
 *
 * Large enough for what autotuning may make of the buffer (RFC 7323 2.3).
 */
u8 xtcp_sock_wscale(const struct sock *sk)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	const struct xtcp_params *p = &x->xn->params;
	u32 space = READ_ONCE(sk->sk_rcvbuf) >> 1;
	u32 clamp = READ_ONCE(x->window_clamp);

	if (!READ_ONCE(p->tcp_window_scaling))
		return 0;
	if (!(sk->sk_userlocks & SOCK_RCVBUF_LOCK))
		space = max_t(u32, space, READ_ONCE(p->tcp_rmem[2]));
	if (clamp)
		space = min(space, clamp);
	if (space <= U16_MAX)
		return 0;
	return min(ilog2(space) - 15, XTCP_MAX_WSCALE);
}

static void xtcp_sock_destruct(struct sock *sk)
{
	kfree(xtcp_sk(sk)->lsn);
	kfree(xtcp_sk(sk)->pacer);
	if (sk->sk_family == AF_INET6)
		inet6_sock_destruct(sk);
	else
		inet_sock_destruct(sk);
}

/**
 * xtcp_sock_init - proto.init: what is ours in a new sock
 * @sk: zeroed beyond what sock_init_data() set; process context
 *
 * Return: 0 or a negative errno; xtcp_sock_destroy() undoes either.
 */
int xtcp_sock_init(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	int err;

	x->xn = xtcp_net(sock_net(sk));
	x->v4 = sk->sk_family == AF_INET;
	x->ooo = RB_ROOT;
	x->lsn = NULL;
	x->pacer = NULL;
	x->timewait_ms = -1;
	x->syncookies = -1;
	x->abort_on_overflow = -1;
	INIT_HLIST_NODE(&x->bind_node);
	xtcp_tcb_init(&x->tcb, &x->xn->params, !x->v4);
	x->tcb.cc = READ_ONCE(x->xn->cc);
	xtcp_timer_init(sk);

	sk->sk_destruct = xtcp_sock_destruct;
	/* without SOCK_USE_WRITE_QUEUE: sock_wfree() is to tell of each skb that has left */
	sk->sk_write_space = xtcp_tsq_write_space;
	sock_set_flag(sk, SOCK_RCU_FREE);
	WRITE_ONCE(sk->sk_sndbuf, READ_ONCE(x->xn->params.tcp_wmem[1]));
	WRITE_ONCE(sk->sk_rcvbuf, READ_ONCE(x->xn->params.tcp_rmem[1]));
	xtcp_socket_init(sk->sk_socket);
	sk_sockets_allocated_inc(sk);
	/* frozen: the clock is being set, see xtcp_clock_set() */
	if (unlikely(atomic_inc_return(&x->xn->socks) <= 0))
		wait_var_event(&x->xn->socks, atomic_read(&x->xn->socks) > 0);

	err = xtcp_takeover_get();
	x->takeover = !err;
	return err;
}

/**
 * xtcp_sock_destroy - proto.destroy: give back everything but the memory
 * @sk: nobody's any more; sock lock held or sock unreachable; any context
 */
void xtcp_sock_destroy(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	sk_stop_timer(sk, &x->timer);
	xtcp_pacer_stop(sk);
	sk->sk_prot->unhash(sk);
	xtcp_send_purge(sk);
	xtcp_recv_purge(sk);
	xtcp_tcb_drain(&x->tcb);
	xtcp_sock_pool_free(sk, 0);
	if (x->bind)
		xtcp_port_put(sk);
	if (sk->sk_frag.page) {
		put_page(sk->sk_frag.page);
		sk->sk_frag.page = NULL;
	}
	if (x->orphaned)
		atomic_dec(&x->xn->orphans);
	x->orphaned = 0;
	sk_sockets_allocated_dec(sk);
	if (atomic_dec_and_test(&x->xn->socks))
		xtcp_early_unused(x->xn);
	if (x->takeover)
		xtcp_takeover_put();
	x->takeover = 0;
}

/**
 * xtcp_sock_reap - an orphan is in CLOSE: last rites
 * @sk: sock lock held by the caller or in softirq; the caller has a reference
 *
 * Gives back the reference that is the sock's life. A second call is ignored.
 */
void xtcp_sock_reap(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	if (x->reaped)
		return;
	x->reaped = 1;
	xtcp_sock_destroy(sk);
	skb_queue_purge(&sk->sk_error_queue);
	xfrm_sk_free_policy(sk);
	xtcp_race_point(SOCK_REAP);
	sock_put(sk);
}

/**
 * xtcp_sock_done - the connection is over
 * @sk: sock lock held; tcb in CLOSE, or handed over to a TIME-WAIT entry
 *
 * An explicit bind outlives the connection, a port chosen by connect() does
 * not. What was received can still be read.
 */
void xtcp_sock_done(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_verdict unused = { };

	/* the entry stands for TIME_WAIT now: no edge of this sock to count */
	if (x->tcb.state != XTCP_CLOSE)
		xtcp_state_set(&x->tcb, XTCP_CLOSE, "handed over", &unused);
	if (sk->sk_state != TCP_CLOSE)
		inet_sk_set_state(sk, TCP_CLOSE);
	xtcp_flow_remove(&x->flow);
	xtcp_race_point(SOCK_DONE);
	sk_stop_timer(sk, &x->timer);
	xtcp_pacer_stop(sk);
	x->timer_us = 0;
	if (x->bind && !(sk->sk_userlocks & SOCK_BINDPORT_LOCK))
		xtcp_port_put(sk);
	xtcp_send_purge(sk);
	xtcp_ooo_purge(sk);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	if (sock_flag(sk, SOCK_DEAD))
		xtcp_sock_reap(sk);
	else
		sk->sk_state_change(sk);
}

/* Abort without a word to the user: close(), disconnect. @silent: not even to the peer. */
static void xtcp_sock_abort(struct sock *sk, bool silent)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_verdict v;

	xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
	xtcp_user_abort(&x->tcb, 0, xtcp_now_us(x->xn), &v);
	if (silent)
		v.flags &= ~(XTCP_V_REPLY | XTCP_V_OUTPUT);
	xtcp_exec(sk, &v, NULL, NULL);
}

static void xtcp_sock_listen_end(struct sock *sk)
{
	struct xtcp_verdict v = { };
	struct xtcp_sock *x = xtcp_sk(sk);

	xtcp_listen_stop(sk);
	if (x->tcb.state == XTCP_LISTEN) {
		xtcp_state_set(&x->tcb, XTCP_CLOSE, "close", &v);
		xtcp_exec(sk, &v, NULL, NULL);
	}
	if (sk->sk_state != TCP_CLOSE)
		inet_sk_set_state(sk, TCP_CLOSE);
	if (x->bind && !(sk->sk_userlocks & SOCK_BINDPORT_LOCK))
		xtcp_port_put(sk);
}

/* Bytes received and not read; they are thrown away (RFC 2525 2.17). */
static u32 xtcp_sock_flush_unread(struct sock *sk)
{
	struct sk_buff *skb;
	u32 unread = 0;

	while ((skb = __skb_dequeue(&sk->sk_receive_queue))) {
		unread += XTCP_CB(skb)->end_seq - XTCP_CB(skb)->seq;
		kfree_skb(skb);
	}
	return unread;
}

static bool xtcp_closing(const struct sock *sk)
{
	return (1 << sk->sk_state) & (TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_LAST_ACK);
}

/* SO_LINGER: wait until what was sent is acknowledged. */
static void xtcp_sock_linger(struct sock *sk, long timeout)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	if (!timeout)
		return;
	add_wait_queue(sk_sleep(sk), &wait);
	do {
		if (sk_wait_event(sk, &timeout, !xtcp_closing(sk), &wait))
			break;
	} while (!signal_pending(current) && timeout);
	remove_wait_queue(sk_sleep(sk), &wait);
}

/* RFC 9293 3.10.4 for a connection */
static void xtcp_sock_close_conn(struct sock *sk, long timeout)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	u32 unread = xtcp_sock_flush_unread(sk);
	struct xtcp_verdict v;

	if (sk->sk_state == TCP_CLOSE)
		return;
	if (!unread && sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime) {
		XTCP_INC(x->xn, ABORT_ON_DATA);
		xtcp_sock_abort(sk, false);
		return;
	}
	xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
	xtcp_sock_rcv_space(sk);
	xtcp_user_close(&x->tcb, unread, xtcp_now_us(x->xn), &v);
	xtcp_exec(sk, &v, NULL, NULL);
	/* part of the closing, so by the namespace's clock */
	xtcp_sock_linger(sk, xtcp_real_jiffies(x->xn, timeout));
}

static bool xtcp_too_many_orphans(const struct sock *sk, unsigned int shift)
{
	const struct xtcp_net *xn = xtcp_sk(sk)->xn;
	u64 n = (u64)max(atomic_read(&xn->orphans), 0) << shift;

	return n > READ_ONCE(xn->params.tcp_max_orphans);
}

static bool xtcp_out_of_memory(const struct sock *sk)
{
	return sk->sk_wmem_queued > SOCK_MIN_SNDBUF &&
	       sk_memory_allocated(sk) > READ_ONCE(xtcp_mem[2]);
}

/**
 * xtcp_sock_starved - is there no room for this orphan?
 * @sk: orphan, locked
 * @shift: how much worse than others it is: as if there were 2^@shift times as many orphans
 *
 * Return: whether it has to go now (SEEDS 4-11).
 */
bool xtcp_sock_starved(const struct sock *sk, unsigned int shift)
{
	return xtcp_too_many_orphans(sk, shift) || xtcp_out_of_memory(sk);
}

/* May this orphan live on until the protocol has finished? */
static void xtcp_sock_adjudge(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	if (sk->sk_state != TCP_CLOSE) {
		if (xtcp_sock_starved(sk, 0)) {
			XTCP_INC(x->xn, ABORT_ON_MEMORY);
			xtcp_sock_abort(sk, false);
		} else if (READ_ONCE(x->xn->dying) || !check_net(sock_net(sk))) {
			xtcp_sock_abort(sk, true);
		}
	}
	if (sk->sk_state == TCP_CLOSE)
		xtcp_sock_reap(sk);
}

/**
 * xtcp_sock_close - proto.close: the user is gone
 * @sk: sock; process context, not locked
 * @timeout: how long SO_LINGER lets the call wait, jiffies
 */
void xtcp_sock_close(struct sock *sk, long timeout)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	lock_sock(sk);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	if (sk->sk_state == TCP_LISTEN)
		xtcp_sock_listen_end(sk);
	else
		xtcp_sock_close_conn(sk, timeout);

	sock_hold(sk);
	sock_orphan(sk);
	if (sk->sk_state != TCP_CLOSE) {
		x->orphaned = 1;
		atomic_inc(&x->xn->orphans);
	}
	/* the last one: it empties the backlog, which may reap the orphan */
	release_sock(sk);

	xtcp_race_point(CLOSE_ORPHAN);
	local_bh_disable();
	bh_lock_sock(sk);
	if (!x->reaped)
		xtcp_sock_adjudge(sk);
	bh_unlock_sock(sk);
	local_bh_enable();
	xtcp_ports_flush(x->xn);	/* the port is free when close() returns */
	sock_put(sk);
}

/* Which ABORT tells the user that the connection was reset (Linux: tcp_disconnect). */
static bool xtcp_abort_resets(const struct sock *sk)
{
	if ((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT | TCPF_FIN_WAIT1 |
				   TCPF_FIN_WAIT2 | TCPF_SYN_RECV | TCPF_SYN_SENT))
		return true;
	return ((1 << sk->sk_state) & (TCPF_CLOSING | TCPF_LAST_ACK)) &&
	       xtcp_unsent(&xtcp_sk(sk)->tcb);
}

/* Make the block new, with the user's wishes kept. */
static void xtcp_tcb_renew(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_tcb old;

	xtcp_tcb_drain(&x->tcb);
	xtcp_sock_pool_free(sk, 0);
	old = x->tcb;
	x->v4 = sk->sk_family == AF_INET;
	xtcp_tcb_init(&x->tcb, &x->xn->params, !x->v4);
	xtcp_tcb_inherit(&x->tcb, &old);
	x->tcb.pingpong = 0;
}

/**
 * xtcp_sock_disconnect - proto.disconnect: connect(AF_UNSPEC), a failed
 *	connect(), shutdown() of a listener; the sock can be used again
 * @sk: sock lock held; process context
 * @flags: not used
 *
 * Return: 0
 */
int xtcp_sock_disconnect(struct sock *sk, int flags)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	if (sk->sk_state == TCP_LISTEN) {
		xtcp_sock_listen_end(sk);
	} else if (sk->sk_state != TCP_CLOSE) {
		bool reset = xtcp_abort_resets(sk);

		xtcp_sock_abort(sk, false);
		if (reset)
			WRITE_ONCE(sk->sk_err, ECONNRESET);
	}
	xtcp_send_purge(sk);
	xtcp_recv_purge(sk);
	xtcp_tcb_renew(sk);
	x->urg_valid = 0;
	x->urg_here = 0;
	x->urg_read = 0;
	x->mss_pmtu = 0;

	inet_sk(sk)->inet_dport = 0;
	if (!(sk->sk_userlocks & SOCK_BINDADDR_LOCK))
		inet_reset_saddr(sk);
	WRITE_ONCE(sk->sk_shutdown, 0);
	sock_reset_flag(sk, SOCK_DONE);
	sk_dst_reset(sk);
	xtcp_early_forget(sk);
	if (sk->sk_frag.page) {
		put_page(sk->sk_frag.page);
		sk->sk_frag.page = NULL;
		sk->sk_frag.offset = 0;
	}
	sk_error_report(sk);
	return 0;
}

/**
 * xtcp_sock_shutdown - proto.shutdown: half-close
 * @sk: sock lock held, sk_shutdown already says it; process context
 * @how: RCV_SHUTDOWN and/or SEND_SHUTDOWN
 */
void xtcp_sock_shutdown(struct sock *sk, int how)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_verdict v;

	if (how & RCV_SHUTDOWN)
		x->tcb.rcv_shut = 1;
	if (!(how & SEND_SHUTDOWN))
		return;
	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_SYN_SENT | TCPF_SYN_RECV |
				     TCPF_CLOSE_WAIT)))
		return;
	xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
	xtcp_sock_rcv_space(sk);
	xtcp_user_shutdown(&x->tcb, xtcp_now_us(x->xn), &v);
	xtcp_exec(sk, &v, NULL, NULL);
}
