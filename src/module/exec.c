// SPDX-License-Identifier: GPL-2.0
/*
 * Carrying out what the core decided, in the order verdict.h gives.
 */
#include "packets.h"

#include <linux/random.h>
#include <linux/security.h>
#include <net/tcp.h>

#include <trace/events/xtcp.h>

/**
 * xtcp_note_edge - count and trace a change of state
 * @xn: namespace
 * @f: whose
 * @from: old state
 * @to: new state
 * @cause: short static string
 *
 * Any context.
 */
void xtcp_note_edge(struct xtcp_net *xn, const struct xtcp_flow *f, u8 from, u8 to,
		    const char *cause)
{
	this_cpu_inc(xn->pcpu->left[from]);
	this_cpu_inc(xn->pcpu->entered[to]);
	trace_xtcp_state(f, from, to, cause);
}

/**
 * xtcp_exec_stats - the part of a verdict that concerns no sock: counters
 * @xn: namespace
 * @v: verdict on a request, a TIME-WAIT entry or a segment without a flow
 */
void xtcp_exec_stats(struct xtcp_net *xn, const struct xtcp_verdict *v)
{
	unsigned int i;

	for (i = 0; i < v->n_mib; i++)
		this_cpu_inc(xn->pcpu->mib[v->mib[i]]);
	if (unlikely(v->delivered_ce))
		XTCP_ADD(xn, DELIVERED_CE, v->delivered_ce);
}

/**
 * xtcp_may_reply - does a verdict's reply go out?
 * @xn: namespace
 * @v: verdict
 *
 * A challenge ACK only within tcp_challenge_ack_limit per second (RFC 5961 7).
 * The budget of a second is drawn at random around the limit, so that an
 * off-path attacker learns nothing from counting them (CVE-2016-5696). Racy on
 * purpose: a few more do no harm.
 *
 * Return: true: send it, a challenge ACK is counted as sent; false: keep silent.
 */
bool xtcp_may_reply(struct xtcp_net *xn, const struct xtcp_verdict *v)
{
	u32 limit = READ_ONCE(xn->params.tcp_challenge_ack_limit);
	u32 now_s;

	if (!(v->flags & XTCP_V_REPLY))
		return false;
	if (!(v->flags & XTCP_V_CHALLENGE))
		return true;
	now_s = div_u64(xtcp_now_us(xn), USEC_PER_SEC) + 1;
	if (READ_ONCE(xn->challenge_s) != now_s) {
		WRITE_ONCE(xn->challenge_s, now_s);
		atomic_set(&xn->challenge_n, min_t(u32, (limit + 1) / 2 +
						   get_random_u32_below(limit), INT_MAX));
	}
	if (atomic_dec_if_positive(&xn->challenge_n) < 0)
		return false;
	XTCP_INC(xn, CHALLENGE_ACK);
	return true;
}

/* A listener is in no flow: tracers get its address and no peer. */
static void exec_listen_edge(const struct sock *sk, const struct xtcp_edge *e)
{
	struct xtcp_flow f = { };

	if (trace_xtcp_state_enabled())
		xtcp_flow_init_sk(&f, sk);
	else
		f.net = sock_net(sk);
	xtcp_note_edge(xtcp_sk(sk)->xn, &f, e->from, e->to, e->cause);
}

static void exec_edges(struct sock *sk, const struct xtcp_verdict *v)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	unsigned int i;
	u8 state;

	for (i = 0; i < v->n_edges; i++) {
		const struct xtcp_edge *e = &v->edge[i];

		if (e->from == XTCP_LISTEN || e->to == XTCP_LISTEN)
			exec_listen_edge(sk, e);
		else
			xtcp_note_edge(x->xn, &x->flow, e->from, e->to, e->cause);
	}
	/* A full sock never shows TIME_WAIT: the kernel would take it for a small one. */
	state = x->tcb.state == XTCP_TIME_WAIT ? XTCP_CLOSE : x->tcb.state;
	if (!v->n_edges || sk->sk_state == state)
		return;
	/* pairs with xtcp_poll(): who sees the end sees both halves shut */
	if (state == TCP_CLOSE && (v->flags & (XTCP_V_CLOSED | XTCP_V_TIMEWAIT)))
		WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	inet_sk_set_state(sk, state);
}

/* True if skb was kept. */
static xtcp_hot bool exec_payload(struct sock *sk, struct xtcp_verdict *v, struct sk_buff *skb)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	bool kept = false;

	if (skb && v->data_len && (v->flags & XTCP_V_DELIVER)) {
		xtcp_rcvq_deliver(sk, skb, v->data_off, v->data_len);
		kept = true;
	} else if (skb && v->data_len && (v->flags & XTCP_V_OOO)) {
		kept = xtcp_rcvq_keep(sk, skb, v->data_off, v->data_len);
	}
	if ((v->flags & XTCP_V_DELIVER) && !RB_EMPTY_ROOT(&x->ooo))
		xtcp_rcvq_drain(sk);
	return kept;
}

/* RFC 6093: where the urgent byte is; the byte itself is found in the queue when read. */
static void exec_urgent(struct sock *sk, const struct xtcp_verdict *v)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct sk_buff *skb = skb_peek(&sk->sk_receive_queue);

	/* the byte of the mark before, which the user is at, was not for the stream (Linux) */
	if (x->urg_valid && x->urg_here && x->urg_seq == x->tcb.copied_seq &&
	    !sock_flag(sk, SOCK_URGINLINE)) {
		WRITE_ONCE(x->tcb.copied_seq, x->urg_seq + 1);
		if (skb && seq_geq(x->tcb.copied_seq, XTCP_CB(skb)->end_seq))
			xtcp_rx_eat(sk, skb);
	}
	x->urg_seq = v->urg_seq;
	x->urg_valid = 1;
	x->urg_here = 0;
	x->urg_read = 0;
	sk_send_sigurg(sk);
}

/* The urgent byte has come in (or is what the last segments brought): keep a copy. */
static void exec_urgent_byte(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct sk_buff *skb;

	if (!seq_lt(x->urg_seq, x->tcb.s.rcv_nxt))
		return;
	skb_queue_reverse_walk(&sk->sk_receive_queue, skb) {
		u32 off = x->urg_seq - XTCP_CB(skb)->seq;

		if (seq_geq(x->urg_seq, XTCP_CB(skb)->end_seq))
			break;
		if (seq_lt(x->urg_seq, XTCP_CB(skb)->seq))
			continue;
		if (skb_copy_bits(skb, off, &x->urg_byte, 1))
			break;
		x->urg_here = 1;
		if (!sock_flag(sk, SOCK_DEAD))
			sk->sk_data_ready(sk);
		return;
	}
}

/* Bound a window autotuning asked for by tcp_rmem[2], unless SO_RCVBUF fixed it. */
static void exec_rcvbuf(struct sock *sk, const struct xtcp_verdict *v)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	u64 want = (u64)v->rcv_want * 2;	/* half of the buffer is overhead */
	u64 max = max(READ_ONCE(x->xn->params.tcp_rmem[2]), 0);

	if (sk->sk_userlocks & SOCK_RCVBUF_LOCK)
		return;
	want = min(want, max);
	if (want > READ_ONCE(sk->sk_rcvbuf))
		WRITE_ONCE(sk->sk_rcvbuf, want);
}

/* Enough send buffer for two congestion windows, one in flight and one to come. */
static void exec_sndbuf(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	u64 per_seg, want;

	if ((sk->sk_userlocks & SOCK_SNDBUF_LOCK) || sk_under_memory_pressure(sk) ||
	    sk_memory_allocated(sk) >= sk_prot_mem_limits(sk, 0))
		return;
	per_seg = SKB_TRUESIZE((u32)x->tcb.mss_now + MAX_TCP_HEADER);
	want = 2 * per_seg * max_t(u32, x->tcb.cwnd, XTCP_P(&x->tcb, tcp_init_cwnd));
	want = min_t(u64, want, max(READ_ONCE(x->xn->params.tcp_wmem[2]), 0));
	if (want > READ_ONCE(sk->sk_sndbuf))
		WRITE_ONCE(sk->sk_sndbuf, want);
}

static void exec_reply(struct sock *sk, const struct xtcp_verdict *v)
{
	if (!xtcp_may_reply(xtcp_sk(sk)->xn, v))
		return;
	xtcp_reply_sk(sk, &v->reply);
}

static void exec_route(struct sock *sk, const struct xtcp_verdict *v)
{
	if (v->flags & XTCP_V_CONFIRM)
		sk_dst_confirm(sk);
	/* another route if there is one; for IPv6 another flow label, so maybe another path */
	if (v->flags & XTCP_V_BADROUTE)
		dst_negative_advice(sk);
}

/* Is what can be read worth waking somebody (SO_RCVLOWAT)? */
static bool exec_readable(const struct sock *sk)
{
	return xtcp_sk(sk)->tcb.fin_rcvd || xtcp_readable(sk, READ_ONCE(sk->sk_rcvlowat));
}

static void exec_wake(struct sock *sk, const struct xtcp_verdict *v)
{
	bool dead = sock_flag(sk, SOCK_DEAD);

	if (v->flags & XTCP_V_FIN) {
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | RCV_SHUTDOWN);
		sock_set_flag(sk, SOCK_DONE);
	}
	if (dead)
		return;
	if (v->flags & XTCP_V_CONNECTED) {
		sk->sk_state_change(sk);
		sk_wake_async(sk, SOCK_WAKE_IO, POLL_OUT);
	}
	if ((v->flags & XTCP_V_WAKE_RD) && exec_readable(sk))
		sk->sk_data_ready(sk);
	if (v->flags & XTCP_V_FIN) {
		sk->sk_state_change(sk);
		if (sk->sk_shutdown == SHUTDOWN_MASK || sk->sk_state == TCP_CLOSE)
			sk_wake_async(sk, SOCK_WAKE_WAITD, POLL_HUP);
		else
			sk_wake_async(sk, SOCK_WAKE_WAITD, POLL_IN);
	}
	/* room in the buffer is told by xtcp_check_space(), if somebody asked for it */
	if ((v->flags & XTCP_V_WAKE_WR) && v->n_edges)
		xtcp_write_space(sk);
}

/* A connection that closes otherwise than by TIME_WAIT: state changes wake close() too. */
static void exec_progress(struct sock *sk, const struct xtcp_verdict *v)
{
	/* FIN acknowledged: both a lingering close() and shutdown() wait for it. */
	if (v->n_edges && (sk->sk_state == TCP_FIN_WAIT2 || sk->sk_state == TCP_CLOSE) &&
	    !(v->flags & (XTCP_V_CLOSED | XTCP_V_TIMEWAIT)) && !sock_flag(sk, SOCK_DEAD))
		sk->sk_state_change(sk);
}

/* Some of what was sent has arrived: its bytes may go, and the nodes it took. */
static xtcp_hot void exec_acked(struct sock *sk)
{
	xtcp_send_acked(sk);
	xtcp_sock_pool_trim(sk);
	/* what ICMP said, or a route that was missing, is over */
	if (unlikely(sk->sk_err_soft))
		WRITE_ONCE(sk->sk_err_soft, 0);
}

/* What no segment of a transfer under way asks for, no more than for a new state. */
#define EXEC_RARE (XTCP_V_ERROR | XTCP_V_CONNECTED | XTCP_V_FIN | XTCP_V_URG | XTCP_V_REPLY | \
		   XTCP_V_BADROUTE | XTCP_V_TIMEWAIT | XTCP_V_CLOSED | XTCP_V_FINWAIT2)

/* What a segment brought, in the order of exec_all(). */
static bool exec_usual_in(struct sock *sk, struct xtcp_verdict *v, struct sk_buff *skb)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	bool kept = false;

	if (v->flags & XTCP_V_ACKED)
		exec_acked(sk);
	if (v->flags & (XTCP_V_DELIVER | XTCP_V_OOO))
		kept = exec_payload(sk, v, skb);
	if (unlikely(x->urg_valid && !x->urg_here && !x->urg_read))
		exec_urgent_byte(sk);
	if (v->flags & XTCP_V_CONFIRM)
		sk_dst_confirm(sk);
	if (unlikely(v->flags & (XTCP_V_RCVBUF | XTCP_V_SNDBUF))) {
		if (v->flags & XTCP_V_RCVBUF)
			exec_rcvbuf(sk, v);
		if (v->flags & XTCP_V_SNDBUF)
			exec_sndbuf(sk);
	}
	if ((v->flags & XTCP_V_WAKE_RD) && !sock_flag(sk, SOCK_DEAD) && exec_readable(sk))
		sk->sk_data_ready(sk);
	return kept;
}

/* The same steps in the same order as in exec_all(), without those. */
static bool exec_usual(struct sock *sk, struct xtcp_verdict *v, struct sk_buff *skb)
{
	bool kept = false;

	if (v->n_mib | v->delivered_ce)
		xtcp_exec_stats(xtcp_sk(sk)->xn, v);
	/* what a user writes goes out, and that is all */
	if (v->flags & ~XTCP_V_OUTPUT)
		kept = exec_usual_in(sk, v, skb);
	if (v->flags & XTCP_V_OUTPUT)
		xtcp_output(sk, v->now_us);
	if (v->flags & (XTCP_V_ACKED | XTCP_V_OUTPUT))
		xtcp_check_space(sk);
	xtcp_timer_sync(sk, v->now_us);
	return kept;
}

static noinline bool exec_all(struct sock *sk, struct xtcp_verdict *v, struct sk_buff *skb)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	bool kept;

	if (v->flags & XTCP_V_ERROR) {
		WRITE_ONCE(sk->sk_err, v->err);
		/* pairs with xtcp_poll(): who sees the end sees its reason */
		smp_wmb();
	}
	exec_edges(sk, v);
	xtcp_exec_stats(x->xn, v);
	if ((v->flags & XTCP_V_CONNECTED) && skb && !x->tcb.passive)
		security_inet_conn_established(sk, skb);
	if (v->flags & XTCP_V_ACKED)
		exec_acked(sk);
	if (v->flags & XTCP_V_URG)
		exec_urgent(sk, v);
	kept = exec_payload(sk, v, skb);
	if (unlikely(x->urg_valid && !x->urg_here && !x->urg_read))
		exec_urgent_byte(sk);
	if (v->flags & XTCP_V_REPLY)
		exec_reply(sk, v);
	exec_route(sk, v);
	if (v->flags & XTCP_V_RCVBUF)
		exec_rcvbuf(sk, v);
	if (v->flags & (XTCP_V_SNDBUF | XTCP_V_CONNECTED))
		exec_sndbuf(sk);
	exec_wake(sk, v);
	exec_progress(sk, v);
	if (v->flags & XTCP_V_OUTPUT)
		xtcp_output(sk, v->now_us);
	/* after the output: TCP_NOTSENT_LOWAT counts what has not gone out */
	if (v->flags & (XTCP_V_ACKED | XTCP_V_OUTPUT))
		xtcp_check_space(sk);
	if (v->flags & XTCP_V_TIMEWAIT)
		xtcp_tw_enter(sk);
	else if (v->flags & XTCP_V_CLOSED)
		xtcp_sock_done(sk);
	else if (!(v->flags & XTCP_V_FINWAIT2) || !xtcp_tw_fin_wait2(sk))
		xtcp_timer_sync(sk, v->now_us);
	if ((v->flags & XTCP_V_ERROR) && !sock_flag(sk, SOCK_DEAD))
		sk_error_report(sk);
	return kept;
}

/**
 * xtcp_exec - carry out a verdict
 * @sk: connection, locked (by a user or by softirq)
 * @v: what the core decided
 * @skb: the segment it decided about, data at its payload; NULL for timers and user calls
 * @g: the same, parsed, or NULL
 *
 * An orphan may be destroyed here: the caller holds a reference.
 *
 * Context: softirq or process.
 *
 * Return: true if skb was kept; else the caller frees it.
 */
xtcp_hot bool xtcp_exec(struct sock *sk, struct xtcp_verdict *v, struct sk_buff *skb,
			const struct xtcp_seg *g)
{
	/* what goes out because of it goes now: the clock has been read for it */
	if (!v->now_us)
		v->now_us = xtcp_now_us(xtcp_sk(sk)->xn);
	if (likely(!(v->flags & EXEC_RARE) && !v->n_edges))
		return exec_usual(sk, v, skb);
	return exec_all(sk, v, skb);
}
