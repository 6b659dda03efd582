// SPDX-License-Identifier: GPL-2.0
/*
 * Half-open requests: a SYN came, the SYN-ACK went out, the third segment is
 * awaited. No sock, no timer, no more than the handshake needs.
 *
 * References: one for the flow table, one for the wheel, one for each user.
 * Whoever sets dead (under req->lock) takes the request out of both, and gives
 * back its place in the listener's count. The listener is held until the
 * request is free.
 *
 * Locks: req->lock, then the child's, then a bucket's or the accept queue's.
 */
#include "packets.h"
#include "listen.h"

#include <linux/slab.h>
#include <net/ip6_route.h>
#include <net/tcp.h>

#include <trace/events/xtcp.h>

static struct kmem_cache *req_cache4, *req_cache6;

/* An IPv4 request ends here. */
#define REQ4_SIZE	(offsetof(struct xtcp_req, flow) + XTCP_FLOW_V4_SIZE)
#define SLUB_EXTRA	8	/* the free pointer of a typesafe cache stands outside */

/* a spinlock that is watched is larger */
static_assert(sizeof(spinlock_t) > 4 || REQ4_SIZE + SLUB_EXTRA <= 128);

static struct xtcp_req *flow_req(struct xtcp_flow *f)
{
	return container_of(f, struct xtcp_req, flow);
}

static struct xtcp_listener *req_lsn(const struct xtcp_req *req)
{
	return xtcp_sk(req->listener)->lsn;
}

/* --------------------------------------------------------------- life and death */

/* Mark dead; false if somebody was quicker. */
static bool req_claim(struct xtcp_req *req)
{
	bool ours;

	spin_lock_bh(&req->lock);
	ours = !req->rq.dead;
	req->rq.dead = 1;
	spin_unlock_bh(&req->lock);
	return ours;
}

/* Dead and out of the table: what else it held. The wheel's reference is not ours to know. */
static void req_settle(struct xtcp_req *req, const char *cause)
{
	struct xtcp_net *xn = xtcp_net(req->flow.net);

	atomic_dec(&req_lsn(req)->n_req);
	/* dead: nobody counts a timeout any more */
	if (!req->rq.retries)
		atomic_dec(&req_lsn(req)->n_young);
	atomic_dec(&xn->req_count);
	xtcp_note_edge(xn, &req->flow, XTCP_SYN_RECV, XTCP_CLOSE, cause);
}

static void req_end(struct xtcp_req *req, const char *cause)
{
	if (xtcp_flow_remove(&req->flow))
		xtcp_flow_put(&req->flow);
	req_settle(req, cause);
}

/**
 * xtcp_req_kill - end a request now
 * @req: request, referenced by the caller
 */
void xtcp_req_kill(struct xtcp_req *req)
{
	if (!req_claim(req))
		return;
	xtcp_race_point(REQ_KILL);
	req_end(req, "killed");
	if (xtcp_wheel_del(&req->flow.wheel, req->flow.hash))
		xtcp_flow_put(&req->flow);
}

/**
 * xtcp_req_alloc - memory for a request
 * @v6: IPv6
 *
 * Not zeroed: readers of its previous life may still stand on it.
 *
 * Return: a request without a reference, or NULL. Softirq.
 */
struct xtcp_req *xtcp_req_alloc(bool v6)
{
	return kmem_cache_alloc(v6 ? req_cache6 : req_cache4, GFP_ATOMIC | __GFP_NOWARN);
}

/**
 * xtcp_req_free_rcu - the last reference has gone
 * @req: request
 *
 * The memory stays a request for a grace period (SLAB_TYPESAFE_BY_RCU).
 */
void xtcp_req_free_rcu(struct xtcp_req *req)
{
	sock_put(req->listener);
	kmem_cache_free(req->flow.family == AF_INET6 ? req_cache6 : req_cache4, req);
}

/* One pass over the table; true if something was killed. */
static bool req_purge_pass(struct sock *listener)
{
	unsigned int bucket = 0, off = 0;
	struct xtcp_tw_view view;
	struct xtcp_flow *f;
	bool killed = false;

	while ((f = xtcp_flow_next(sock_net(listener), &bucket, &off, &view))) {
		if (f->kind == XTCP_KIND_REQ && flow_req(f)->listener == listener) {
			xtcp_req_kill(flow_req(f));
			killed = true;
		}
		xtcp_flow_put(f);
		cond_resched();
	}
	return killed;
}

/**
 * xtcp_req_purge - end every request of a listener that is closing
 * @listener: marked dead
 *
 * Context: process.
 */
void xtcp_req_purge(struct sock *listener)
{
	/* Removal shifts the walk, so walk until there was nothing to remove. */
	while (atomic_read(&xtcp_sk(listener)->lsn->n_req) && req_purge_pass(listener))
		;
}

/* ----------------------------------------------------------------- the SYN-ACK */

/**
 * xtcp_req_path - where a request's segments go
 * @req: request
 * @p: filled; borrows the request's flow and listener
 */
void xtcp_req_path(const struct xtcp_req *req, struct xtcp_path *p)
{
	const struct in6_addr *faddr = &req->flow.v6.faddr;

	memset(p, 0, sizeof(*p));
	p->f = &req->flow;
	p->sk = req->listener;
	p->oif = req->flow.dif;
	if (!p->oif && req->flow.family == AF_INET6 && rt6_need_strict(faddr))
		p->oif = req->iif;
	p->tos = req->flow.req_tos;
	p->mark = req->mark;
	if (req->flow.family == AF_INET6)
		p->flowlabel = req->flowlabel;
}

static int req_synack(const struct xtcp_req *req, const struct xtcp_reply *r)
{
	struct net *net = req->flow.net;
	struct dst_entry *dst;
	struct xtcp_path p;

	xtcp_req_path(req, &p);
	dst = xtcp_path_route(net, &p);
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	return xtcp_path_reply(net, &p, r, dst);
}

/* TCP_DEFER_ACCEPT as a number of SYN-ACK timeouts; setsockopt() converted it. */
static u32 defer_retries(const struct sock *listener)
{
	return READ_ONCE(xtcp_sk(listener)->defer_accept);
}

/*
 * How many SYN-ACK timeouts a request may live through: fewer where old ones
 * crowd the queue, so that half of it is left to young ones (SEEDS 4-61).
 */
static u32 req_patience(const struct xtcp_req *req)
{
	const struct xtcp_net *xn = xtcp_net(req->flow.net);
	const struct xtcp_listener *l = req_lsn(req);
	u32 max = READ_ONCE(xtcp_sk(req->listener)->tcb.syn_retries) ?:
		  READ_ONCE(xn->params.tcp_synack_retries);
	u64 n = atomic_read(&l->n_req), young;

	if (2 * n <= max_t(u32, 8, READ_ONCE(l->max)))
		return max;
	for (young = 2 * (u64)atomic_read(&l->n_young); max > 2 && n >= young; young *= 2)
		max--;
	return max;
}

/* Has the request waited long enough? And if not, is a SYN-ACK due? */
static bool req_expires(const struct xtcp_req *req, bool *resend)
{
	u32 max = req_patience(req);
	u32 defer = defer_retries(req->listener);

	*resend = !defer || !req->rq.acked || req->rq.retries + 1 >= defer;
	if (READ_ONCE(req_lsn(req)->dead))
		return true;
	return req->rq.retries >= max &&
	       (!defer || !req->rq.acked || req->rq.retries >= defer);
}

/**
 * xtcp_req_expired - the wheel brought a request up
 * @e: its wheel part; the wheel's reference is ours now
 *
 * RFC 9293 3.10.8, RFC 6298: the SYN-ACK is repeated with doubled timeouts; the
 * request dies at the timeout after its last repetition.
 *
 * Context: softirq, or process when the module goes.
 */
void xtcp_req_expired(struct wheel_entry *e)
{
	struct xtcp_req *req = container_of(e, struct xtcp_req, flow.wheel);
	struct xtcp_net *xn;
	struct xtcp_reply r;
	bool resend;
	u64 now_us;

	xtcp_race_point(REQ_EXPIRED);
	spin_lock_bh(&req->lock);
	if (req->rq.dead) {
		spin_unlock_bh(&req->lock);
		goto put;
	}
	xn = xtcp_net(req->flow.net);
	if (READ_ONCE(xn->dying) || req_expires(req, &resend)) {
		req->rq.dead = 1;
		spin_unlock_bh(&req->lock);
		req_end(req, "SYN-ACK timeout");
		goto put;
	}
	now_us = xtcp_now_us(xn);
	trace_xtcp_timer(&req->flow, "fired", "synack", (u32)now_us - req->rq.synack_us,
			 req->rq.retries);
	if (!req->rq.retries)
		atomic_dec(&req_lsn(req)->n_young);
	if (req->rq.retries < U8_MAX)
		req->rq.retries++;
	if (resend) {
		xtcp_rq_synack(&req->rq, req->flow.req_adv_mss, now_us, &r);
		req->rq.synack_us = (u32)now_us;
	}
	refcount_inc(&req->ref);	/* ours; the wheel's goes back with it */
	xtcp_wheel_add(e, req->flow.hash, xtcp_real_us(xn, xtcp_req_timeout_us(req)));
	spin_unlock_bh(&req->lock);
	if (resend) {
		XTCP_INC(xn, RETRANS_SEGS);
		XTCP_INC(xn, SYN_RETRANS);
		req_synack(req, &r);
	}
put:
	xtcp_flow_put(&req->flow);
}

/* ------------------------------------------------------------ the third segment */

/*
 * The child of a completed request, hashed in the request's place and in the
 * accept queue; locked, with a reference. req->lock held; the request is dead
 * and out of the table when this succeeds. NULL: *why says why not.
 */
static struct sock *req_child(struct xtcp_req *req, struct sk_buff *skb, enum xtcp_drop *why)
{
	struct sock *listener = req->listener, *child;
	struct xtcp_net *xn = xtcp_net(req->flow.net);
	struct xtcp_sock *x;
	struct xtcp_verdict v;

	*why = XTCP_DROP_ACCEPTQ_FULL;
	if (xtcp_acceptq_full(req_lsn(req))) {
		XTCP_INC(xn, LISTEN_OVERFLOWS);
		atomic64_inc(&req_lsn(req)->overflows);
		return NULL;
	}
	*why = XTCP_DROP_NOMEM;
	child = xtcp_sock_child(listener, req, skb);
	if (!child)
		return NULL;
	x = xtcp_sk(child);
	*why = XTCP_DROP_CLOSED;
	xtcp_race_point(REQ_CHILD);
	if (!xtcp_flow_replace(&req->flow, &x->flow)) {
		xtcp_child_abort(child);
		xtcp_child_let_go(child);
		return NULL;
	}
	req->rq.dead = 1;
	xtcp_open_child(&x->tcb, &req->rq, xtcp_now_us(xn), &v);
	xtcp_exec(child, &v, NULL, NULL);
	/* Full or closed since we looked: the peer must hear of it, there is no way back. */
	if (!xtcp_acceptq_add(listener, child))
		xtcp_child_abort(child);
	return child;
}

/*
 * TCP_DEFER_ACCEPT: a bare ACK does not wake anybody yet. A cookie's request
 * would have to be kept for it, so it does not wait.
 */
static bool req_defers(struct xtcp_req *req, const struct xtcp_seg *g)
{
	if (req->rq.cookie || req->rq.retries >= defer_retries(req->listener) || g->len ||
	    (g->flags & XTCP_FIN))
		return false;
	req->rq.acked = 1;
	XTCP_INC(xtcp_net(req->flow.net), DEFER_ACCEPT_DROP);
	return true;
}

static bool req_aborts(const struct xtcp_req *req)
{
	int abort = READ_ONCE(xtcp_sk(req->listener)->abort_on_overflow);

	return abort < 0 ? READ_ONCE(xtcp_net(req->flow.net)->params.tcp_abort_on_overflow) :
			   abort;
}

/*
 * The handshake is complete. req->lock held, released here; skb consumed.
 * False: there is no child.
 */
static bool req_complete(struct xtcp_req *req, struct sk_buff *skb, const struct xtcp_seg *g)
	__releases(&req->lock)
{
	struct xtcp_net *xn = xtcp_net(req->flow.net);
	struct sock *listener = req->listener, *child;
	struct xtcp_verdict v = { };
	enum xtcp_drop why;

	if (req_defers(req, g)) {
		spin_unlock_bh(&req->lock);
		xtcp_drop_skb(xn, skb, XTCP_DROP_DEFER);
		return false;
	}
	child = req_child(req, skb, &why);
	if (child) {
		spin_unlock_bh(&req->lock);
		xtcp_flow_put(&req->flow);	/* the table's */
		xtcp_race_point(REQ_SETTLE);
		req_settle(req, "became a connection");
		if (xtcp_wheel_del(&req->flow.wheel, req->flow.hash))
			xtcp_flow_put(&req->flow);
		xtcp_child_rcv(child, skb, g);
		xtcp_child_let_go(child);
		xtcp_race_point(ACCEPT_WAKE);
		listener->sk_data_ready(listener);
		return true;
	}
	XTCP_INC(xn, LISTEN_DROPS);
	atomic_inc(&listener->sk_drops);
	/* SEEDS X-10: keep silent, so that a retransmission may find room; or say so. */
	req->rq.acked = 1;
	spin_unlock_bh(&req->lock);
	if (req_aborts(req) && why == XTCP_DROP_ACCEPTQ_FULL) {
		xtcp_segment_closed(g, &v);
		if (v.flags & XTCP_V_REPLY)
			xtcp_reply_skb(req->flow.net, listener, skb, &v.reply,
				       req->flow.req_tos, req->mark);
		XTCP_INC(xn, EMBRYONIC_RSTS);
		xtcp_req_kill(req);
	}
	xtcp_drop_skb(xn, skb, why);
	return false;
}

/**
 * xtcp_req_accept - the handshake of a SYN cookie is complete
 * @req: request made from the cookie, in the table; referenced by the caller
 * @skb: third segment, consumed
 * @g: the same, parsed
 *
 * There is a connection afterwards or nothing. Context: softirq, RCU.
 *
 * Return: true if there is a connection.
 */
bool xtcp_req_accept(struct xtcp_req *req, struct sk_buff *skb, const struct xtcp_seg *g)
{
	bool done;

	spin_lock_bh(&req->lock);
	if (req->rq.dead) {
		spin_unlock_bh(&req->lock);
		xtcp_drop_skb(xtcp_net(req->flow.net), skb, XTCP_DROP_CLOSED);
		return false;
	}
	done = req_complete(req, skb, g);
	if (!done)
		xtcp_req_kill(req);
	return done;
}

/**
 * xtcp_req_rcv - a segment for a half-open request
 * @req: request, referenced by the caller
 * @skb: segment, consumed
 * @g: the same, parsed
 *
 * Context: softirq, RCU.
 */
void xtcp_req_rcv(struct xtcp_req *req, struct sk_buff *skb, const struct xtcp_seg *g)
{
	struct net *net = req->flow.net;
	struct xtcp_net *xn = xtcp_net(net);
	struct xtcp_reply synack;
	struct xtcp_verdict v;
	enum xtcp_rq_act act;
	u64 now_us;

	xtcp_race_point(REQ_SEGMENT);
	spin_lock_bh(&req->lock);
	if (req->rq.dead) {
		spin_unlock_bh(&req->lock);
		xtcp_rcv_again(net, skb);
		return;
	}
	now_us = xtcp_now_us(xn);
	act = xtcp_rq_segment(&req->rq, &xn->params, g, now_us, &v);
	if (act == XTCP_RQ_COMPLETE) {
		xtcp_exec_stats(xn, &v);
		req_complete(req, skb, g);
		return;
	}
	if (act == XTCP_RQ_SYNACK) {
		xtcp_rq_synack(&req->rq, req->flow.req_adv_mss, now_us, &synack);
		req->rq.synack_us = (u32)now_us;
	}
	spin_unlock_bh(&req->lock);

	xtcp_exec_stats(xn, &v);
	if (act == XTCP_RQ_SYNACK) {
		XTCP_INC(xn, RETRANS_SEGS);
		XTCP_INC(xn, SYN_RETRANS);
		req_synack(req, &synack);
	} else if (act == XTCP_RQ_KILL) {
		XTCP_INC(xn, EMBRYONIC_RSTS);
		xtcp_req_kill(req);
	}
	if (xtcp_may_reply(xn, &v))
		xtcp_reply_skb(net, req->listener, skb, &v.reply, req->flow.req_tos, req->mark);
	xtcp_drop_skb(xn, skb, v.drop);
}

/**
 * xtcp_req_icmp - an ICMP error quotes our SYN-ACK
 * @req: request, referenced by the caller
 * @err: positive errno; nobody to tell
 * @hard: end the request
 */
void xtcp_req_icmp(struct xtcp_req *req, int err, bool hard)
{
	if (!hard)
		return;
	XTCP_INC(xtcp_net(req->flow.net), LISTEN_DROPS);
	xtcp_req_kill(req);
}

/**
 * xtcp_listen_init - make the slab caches of requests
 *
 * Return: 0 or -ENOMEM.
 */
int xtcp_listen_init(void)
{
	req_cache4 = kmem_cache_create("xtcp_req", REQ4_SIZE, 0, SLAB_TYPESAFE_BY_RCU, NULL);
	req_cache6 = kmem_cache_create("xtcp_req6", sizeof(struct xtcp_req), 0,
				       SLAB_TYPESAFE_BY_RCU, NULL);
	if (req_cache4 && req_cache6)
		return 0;
	xtcp_listen_exit();
	return -ENOMEM;
}

/** xtcp_listen_exit - destroy the slab caches; all requests are free */
void xtcp_listen_exit(void)
{
	kmem_cache_destroy(req_cache4);
	kmem_cache_destroy(req_cache6);
}
