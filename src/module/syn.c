// SPDX-License-Identifier: GPL-2.0
/* A SYN meets a listener: may it come in, and the half-open request made of it. */
#include "packets.h"
#include "listen.h"

#include <linux/security.h>
#include <net/ip6_route.h>
#include <net/request_sock.h>
#include <net/route.h>
#include <net/tcp.h>

/*
 * Linux's limits, SEEDS 4-53 to 4-57, D-13; xtcp_listen_info() shows them. With
 * cookies (of this listener) tcp_max_syn_backlog means nothing. *cookie: take
 * the SYN, but keep nothing of it.
 */
static enum xtcp_drop syn_limits(struct xtcp_net *xn, const struct sock *listener, u32 iss,
				 bool *cookie)
{
	const struct xtcp_listener *l = xtcp_sk(listener)->lsn;
	int mode = xtcp_listener_cookies(listener);
	u32 n = atomic_read(&l->n_req);
	u32 max = READ_ONCE(xn->params.tcp_max_syn_backlog);

	*cookie = false;
	if (READ_ONCE(l->dead) || READ_ONCE(xn->dying))
		return XTCP_DROP_CLOSED;
	if ((n > READ_ONCE(l->max) || mode == 2) && !iss) {
		if (!mode) {
			XTCP_INC(xn, REQ_Q_FULL_DROP);
			return XTCP_DROP_SYNQ_FULL;
		}
		XTCP_INC(xn, REQ_Q_FULL_COOKIES);
		*cookie = true;
	}
	if (xtcp_acceptq_full(l)) {
		XTCP_INC(xn, LISTEN_OVERFLOWS);
		return XTCP_DROP_ACCEPTQ_FULL;
	}
	/* The last quarter is for peers known to be real; a reopened TIME-WAIT is one. */
	if (!mode && !iss && (s32)(max - n) < (s32)(max >> 2))
		return XTCP_DROP_SYNQ_FULL;
	return XTCP_DROP_NONE;
}

/* RFC 9293 3.9.2.3: a SYN to or from a broadcast or multicast address is ignored. */
static bool syn_unicast(const struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return skb_rtable(skb) && !(skb_rtable(skb)->rt_flags &
					    (RTCF_BROADCAST | RTCF_MULTICAST));
	return skb_dst(skb) && ipv6_unicast_destination(skb) &&
	       !ipv6_addr_v4mapped(&ipv6_hdr(skb)->saddr);
}

/* Options that a security module hung on a request. */
static void syn_labels_free(struct inet_request_sock *ireq)
{
	if (ireq->ireq_family == AF_INET) {
		kfree(rcu_dereference_protected(ireq->ireq_opt, 1));
		return;
	}
#if IS_ENABLED(CONFIG_IPV6)
	if (ireq->ipv6_opt) {
		atomic_sub(ireq->ipv6_opt->tot_len, &ireq->req.rsk_listener->sk_omem_alloc);
		txopt_put(ireq->ipv6_opt);
	}
#endif
}

/**
 * xtcp_syn_security - ask the security modules
 * @listener: referenced by the caller
 * @skb: the SYN, or the ACK that brings its cookie back
 * @f: the flow
 *
 * What they want to see of a request is the kernel's own kind. IP options that they want
 * it to answer with (CIPSO, CALIPSO) are not sent.
 *
 * Return: 0 or -errno.
 */
int xtcp_syn_security(struct sock *listener, struct sk_buff *skb, const struct xtcp_flow *f)
{
	static const struct request_sock_ops ops4 = { .family = AF_INET };
	static const struct request_sock_ops ops6 = { .family = AF_INET6 };
	struct inet_request_sock ireq = { };
	int err;

	/* or it would pass for a sock, with all that those have behind it */
	ireq.req.__req_common.skc_state = TCP_NEW_SYN_RECV;
	ireq.req.rsk_ops = f->family == AF_INET ? &ops4 : &ops6;
	ireq.req.rsk_listener = listener;
	ireq.ireq_family = f->family;
	ireq.ir_num = ntohs(f->lport);
	ireq.ir_rmt_port = f->fport;
	if (f->family == AF_INET) {
		ireq.ir_loc_addr = f->v4.laddr;
		ireq.ir_rmt_addr = f->v4.faddr;
	} else {
#if IS_ENABLED(CONFIG_IPV6)
		ireq.ir_v6_loc_addr = f->v6.laddr;
		ireq.ir_v6_rmt_addr = f->v6.faddr;
#endif
	}
	err = security_inet_conn_request(listener, skb, &ireq.req);
	syn_labels_free(&ireq);
	return err;
}

/**
 * xtcp_syn_window - the window of a SYN-ACK: what the listener's buffer would give
 * @listener: listener
 * @mss: our MSS
 *
 * Return: bytes, unscaled.
 */
u32 xtcp_syn_window(const struct sock *listener, u16 mss)
{
	u32 space = READ_ONCE(listener->sk_rcvbuf) >> 1;
	u32 clamp = READ_ONCE(xtcp_sk(listener)->window_clamp);

	if (clamp)
		space = min(space, clamp);
	if (mss && space > mss)
		space = rounddown(space, mss);
	return min_t(u32, space, U16_MAX);
}

static void req_fill_rq(struct xtcp_req *req, const struct xtcp_seg *g, u32 iss,
			const struct dst_entry *dst)
{
	struct xtcp_net *xn = xtcp_net(req->flow.net);
	const struct xtcp_flow *f = &req->flow;
	const void *l, *r;
	unsigned int alen = xtcp_flow_addrs(f, &l, &r);
	u32 ts_off = 0;

	if (!iss)
		iss = xtcp_isn(&xn->key, l, r, alen, (__force u16)f->lport,
			       (__force u16)f->fport, ktime_get_ns());
	if (READ_ONCE(xn->params.tcp_timestamps) == 1)
		ts_off = xtcp_ts_off(&xn->key, l, r, alen);
	xtcp_rq_init(&req->rq, &xn->params, g, f->family == AF_INET6, iss, ts_off,
		     xtcp_syn_window(req->listener, req->flow.req_adv_mss),
		     xtcp_sock_wscale(req->listener), xtcp_now_us(xn));
	if (dst_feature(dst, RTAX_FEATURE_ECN))
		xtcp_rq_ecn_route(&req->rq, g);
}

/**
 * xtcp_syn_path - where the answer to a SYN goes
 * @listener: listener
 * @skb: SYN, or the third segment of a cookie
 * @f: its flow
 * @p: filled; borrows the flow and the listener
 */
void xtcp_syn_path(struct sock *listener, struct sk_buff *skb, const struct xtcp_flow *f,
		   struct xtcp_path *p)
{
	memset(p, 0, sizeof(*p));
	p->f = f;
	p->sk = listener;
	p->oif = f->dif;
	p->mark = inet_request_mark(listener, skb);
	if (READ_ONCE(xtcp_sk(listener)->xn->params.tcp_reflect_tos))
		p->tos = xtcp_skb_tos(skb) & ~INET_ECN_MASK;
	else if (f->family == AF_INET)
		p->tos = inet_sk(listener)->tos & ~INET_ECN_MASK;
	else
		p->tos = inet6_sk(listener)->tclass & ~INET_ECN_MASK;
	if (f->family == AF_INET)
		return;
	if (inet_test_bit(REPFLOW, listener))
		p->flowlabel = ntohl(ip6_flowlabel(ipv6_hdr(skb)));
	if (!p->oif && rt6_need_strict(&f->v6.faddr))
		p->oif = inet6_iif(skb);
}

/**
 * xtcp_syn_req - a half-open request
 * @net: namespace
 * @listener: referenced by the caller
 * @skb: a segment of it
 *
 * Not hashed yet: no lookup can get a reference; the first ones come with its
 * place there.
 *
 * Return: a request with everything but adv_mss and rq, or NULL.
 */
struct xtcp_req *xtcp_syn_req(struct net *net, struct sock *listener, struct sk_buff *skb)
{
	struct xtcp_req *req = xtcp_req_alloc(skb->protocol == htons(ETH_P_IPV6));
	struct xtcp_path p;

	if (!req)
		return NULL;
	/* flow.next stays as it is: a reader of its previous life may stand on it. */
	xtcp_flow_init_skb(&req->flow, net, XTCP_KIND_REQ, skb);
	if (READ_ONCE(listener->sk_bound_dev_if))
		req->flow.dif = READ_ONCE(listener->sk_bound_dev_if);
	refcount_set(&req->ref, 0);
	spin_lock_init(&req->lock);
	xtcp_syn_path(listener, skb, &req->flow, &p);
	req->mark = p.mark;
	req->flow.req_tos = p.tos;
	if (req->flow.family == AF_INET6) {
		req->iif = inet6_iif(skb);
		req->flowlabel = p.flowlabel;
	}
	sock_hold(listener);
	req->listener = listener;
	wheel_entry_init(&req->flow.wheel);
	return req;
}

/**
 * xtcp_syn_file - into the table, onto the wheel, into the counts
 * @req: complete; referenced for the caller on success
 * @cause: for the tracepoint
 *
 * Return: false if the tuple is taken.
 */
bool xtcp_syn_file(struct xtcp_req *req, const char *cause)
{
	struct xtcp_net *xn = xtcp_net(req->flow.net);
	struct xtcp_listener *l = xtcp_sk(req->listener)->lsn;

	atomic_inc(&l->n_req);
	atomic_inc(&l->n_young);
	atomic_inc(&xn->req_count);
	if (xtcp_flow_insert(&req->flow)) {
		atomic_dec(&l->n_req);
		atomic_dec(&l->n_young);
		atomic_dec(&xn->req_count);
		return false;
	}
	xtcp_note_edge(xn, &req->flow, XTCP_CLOSE, XTCP_SYN_RECV, cause);

	xtcp_race_point(SYN_FILED);
	spin_lock_bh(&req->lock);
	if (!req->rq.dead) {
		xtcp_wheel_add(&req->flow.wheel, req->flow.hash,
			       xtcp_real_us(xn, xtcp_req_timeout_us(req)));
		spin_unlock_bh(&req->lock);
	} else {
		spin_unlock_bh(&req->lock);
		xtcp_flow_put(&req->flow);
	}
	xtcp_race_point(SYN_DEAD);
	/* Pairs with the barrier in xtcp_listen_stop(). */
	smp_mb();
	if (READ_ONCE(l->dead) || READ_ONCE(xn->dying))
		xtcp_req_kill(req);
	return true;
}

/* A SYN that a listener may take: make the request, answer. */
static enum xtcp_drop syn_take(struct net *net, struct sock *listener, struct sk_buff *skb,
			       const struct xtcp_seg *g, u32 iss)
{
	struct xtcp_net *xn = xtcp_net(net);
	struct dst_entry *dst;
	struct xtcp_req *req;
	struct xtcp_path p;
	struct xtcp_reply r;

	req = xtcp_syn_req(net, listener, skb);
	if (!req)
		return XTCP_DROP_NOMEM;
	if (xtcp_syn_security(listener, skb, &req->flow)) {
		xtcp_req_free_rcu(req);
		return XTCP_DROP_FILTER;
	}
	xtcp_req_path(req, &p);
	dst = xtcp_path_route(net, &p);
	if (IS_ERR(dst)) {
		xtcp_req_free_rcu(req);
		return XTCP_DROP_NO_ROUTE;
	}
	req->flow.req_adv_mss = xtcp_sock_advmss(listener, dst);
	req_fill_rq(req, g, iss, dst);
	xtcp_rq_synack(&req->rq, req->flow.req_adv_mss, xtcp_now_us(xn), &r);
	if (!xtcp_syn_file(req, "SYN")) {
		/* The same SYN on another CPU was quicker and is answered already. */
		dst_release(dst);
		xtcp_req_free_rcu(req);
		return XTCP_DROP_NONE;
	}
	xtcp_path_reply(net, &p, &r, dst);
	xtcp_flow_put(&req->flow);
	return XTCP_DROP_NONE;
}

/* A SYN at a listener; consumes skb. */
static void listen_syn(struct sock *listener, struct sk_buff *skb, const struct xtcp_seg *g,
		       u32 iss)
{
	struct net *net = sock_net(listener);
	struct xtcp_net *xn = xtcp_net(net);
	enum xtcp_drop why;
	bool cookie;

	if (!syn_unicast(skb)) {
		xtcp_drop_skb(xn, skb, XTCP_DROP_LISTEN_FLAGS);
		return;
	}
	why = syn_limits(xn, listener, iss, &cookie);
	xtcp_race_point(SYN_LIMITS);
	if (!why && cookie) {
		why = xtcp_cookie_syn(listener, skb, g);
		if (!why)
			return;
	} else if (!why) {
		why = syn_take(net, listener, skb, g, iss);
	}
	if (why) {
		XTCP_INC(xn, LISTEN_DROPS);
		atomic_inc(&listener->sk_drops);
	}
	xtcp_drop_skb(xn, skb, why);
}

/**
 * xtcp_listen_rcv - a segment for a listener
 * @listener: listener, referenced by the caller
 * @skb: segment, consumed
 * @g: the same, parsed
 * @iss: ISN to use (a TIME-WAIT entry gave way), or 0
 *
 * RFC 9293 3.10.7.2. Context: softirq, RCU.
 */
void xtcp_listen_rcv(struct sock *listener, struct sk_buff *skb, const struct xtcp_seg *g, u32 iss)
{
	struct net *net = sock_net(listener);
	struct xtcp_net *xn = xtcp_net(net);
	struct xtcp_verdict v;

	switch (xtcp_listen_segment(g, &v)) {
	case XTCP_L_SYN:
		listen_syn(listener, skb, g, iss);
		return;
	case XTCP_L_RST:
		if (!(g->flags & XTCP_SYN)) {
			v.drop = xtcp_cookie_ack(listener, skb, g);
			if (!v.drop)
				return;
		}
		xtcp_exec_stats(xn, &v);
		xtcp_late_stray(xn, skb, g);
		xtcp_reply_skb(net, listener, skb, &v.reply, xtcp_skb_tos(skb), 0);
		break;
	default:
		xtcp_exec_stats(xn, &v);
		break;
	}
	xtcp_drop_skb(xn, skb, v.drop);
}
