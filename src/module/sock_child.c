// SPDX-License-Identifier: GPL-2.0
/* The sock of a passive open: made from its listener and a completed request. */
#include "xtcp_mod.h"

#include <linux/memcontrol.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/transp_v6.h>

/* A clone is a byte copy of the listener: forget what was the listener's own. */
static void xtcp_child_forget(struct xtcp_sock *x)
{
	struct sock *sk = xtcp_to_sk(x);

	RCU_INIT_POINTER(sk->sk_rx_dst, NULL);
	sk->sk_rx_dst_ifindex = 0;
	memset(&x->flow, 0, sizeof(x->flow));
	x->ooo = RB_ROOT;
	x->urg_valid = 0;
	x->urg_here = 0;
	x->urg_read = 0;
	x->bind = NULL;
	INIT_HLIST_NODE(&x->bind_node);
	x->lsn = NULL;
	x->parent = NULL;
	memset(&x->listen_node, 0, sizeof(x->listen_node));
	x->deferred = 0;
	x->pacer = NULL;
	x->timer_us = 0;
	x->mss_pmtu = 0;
	x->compact_skip = 0;
	x->compact_futile = 0;
	x->takeover = 0;
	x->orphaned = 0;
	x->reaped = 0;
}

static void xtcp_child_addr4(struct sock *sk, struct xtcp_req *req, struct sk_buff *skb)
{
	struct inet_sock *inet = inet_sk(sk);

	sk_daddr_set(sk, req->flow.v4.faddr);
	sk_rcv_saddr_set(sk, req->flow.v4.laddr);
	inet->inet_saddr = req->flow.v4.laddr;
	inet->mc_index = inet_iif(skb);
	inet->mc_ttl = ip_hdr(skb)->ttl;
	inet->rcv_tos = ip_hdr(skb)->tos;
	sk->sk_gso_type = SKB_GSO_TCPV4;
}

#if IS_ENABLED(CONFIG_IPV6)
/* Own ipv6_pinfo, whatever is on the wire; pointers of the listener's are not ours. */
static void xtcp_child_pinfo(struct sock *sk, const struct ipv6_pinfo *from)
{
	struct ipv6_pinfo *np = &((struct xtcp6_sock *)sk)->inet6;

	inet_sk(sk)->pinet6 = np;
	np->ipv6_mc_list = NULL;
	np->ipv6_ac_list = NULL;
	RCU_INIT_POINTER(XTCP_FL_LIST(sk), NULL);
	np->pktoptions = NULL;
	np->dst_cookie = 0;
	np->daddr_cache = NULL;
#ifdef CONFIG_IPV6_SUBTREES
	np->saddr_cache = NULL;
#endif
	RCU_INIT_POINTER(np->opt, NULL);
	np->rxopt.all = from->rxopt.all;
}

static void xtcp_child_addr6(struct sock *sk, const struct ipv6_pinfo *from,
			     struct xtcp_req *req, struct sk_buff *skb)
{
	struct ipv6_pinfo *np = &((struct xtcp6_sock *)sk)->inet6;
	struct inet_sock *inet = inet_sk(sk);
	struct ipv6_txoptions *opt;

	sk->sk_v6_daddr = req->flow.v6.faddr;
	sk->sk_v6_rcv_saddr = req->flow.v6.laddr;
	np->saddr = req->flow.v6.laddr;
	inet->inet_daddr = LOOPBACK4_IPV6;
	inet->inet_saddr = LOOPBACK4_IPV6;
	inet->inet_rcv_saddr = LOOPBACK4_IPV6;
	np->mcast_oif = req->iif;
	np->mcast_hops = ipv6_hdr(skb)->hop_limit;
	np->rcv_flowinfo = ip6_flowinfo(ipv6_hdr(skb));
	if (inet_test_bit(REPFLOW, sk))
		np->flow_label = ip6_flowlabel(ipv6_hdr(skb));
	opt = rcu_dereference(from->opt);
	if (opt)
		RCU_INIT_POINTER(np->opt, ipv6_dup_options(sk, opt));
	sk->sk_gso_type = SKB_GSO_TCPV6;
}

static void xtcp_child_v6(struct sock *sk, const struct sock *listener,
			  struct xtcp_req *req, struct sk_buff *skb)
{
	const struct ipv6_pinfo *from = &((const struct xtcp6_sock *)listener)->inet6;

	xtcp_child_pinfo(sk, from);
	if (req->flow.family == AF_INET6) {
		xtcp_child_addr6(sk, from, req, skb);
	} else {
		/* v4-mapped addresses come with sk_daddr_set() and sk_rcv_saddr_set() */
		xtcp_child_addr4(sk, req, skb);
		((struct xtcp6_sock *)sk)->inet6.saddr = sk->sk_v6_rcv_saddr;
	}
}
#else
static void xtcp_child_v6(struct sock *sk, const struct sock *listener,
			  struct xtcp_req *req, struct sk_buff *skb)
{
}
#endif

/*
 * Charge the child to its listener's memory cgroup: there is no task to ask here. Not where
 * accept() will, to that of the task, and would charge it twice.
 */
static void xtcp_child_memcg(struct sock *sk, const struct sock *listener)
{
#if defined(CONFIG_MEMCG) && !defined(XTCP_ACCEPT_CHARGES)
	struct mem_cgroup *memcg = READ_ONCE(listener->sk_memcg);

	if (memcg && css_tryget(&memcg->css))
		sk->sk_memcg = memcg;
#endif
}

/* tcp_reflect_tos: what the SYN-ACK was sent with, the connection goes on with. */
static void xtcp_child_tos(struct sock *sk, const struct xtcp_req *req)
{
	if (!READ_ONCE(xtcp_sk(sk)->xn->params.tcp_reflect_tos))
		return;
	if (req->flow.family == AF_INET)
		inet_sk(sk)->tos = req->flow.req_tos;
#if IS_ENABLED(CONFIG_IPV6)
	else
		inet6_sk(sk)->tclass = req->flow.req_tos;
#endif
}

static void xtcp_child_identity(struct sock *sk, const struct sock *listener,
				struct xtcp_req *req, struct sk_buff *skb)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct inet_sock *inet = inet_sk(sk);
	int dif = req->flow.dif;

	inet->inet_dport = req->flow.fport;
	inet->inet_num = ntohs(req->flow.lport);
	inet->inet_sport = req->flow.lport;
	RCU_INIT_POINTER(inet->mc_list, NULL);
	RCU_INIT_POINTER(inet->inet_opt, NULL);
	inet->pinet6 = NULL;
	if (sk->sk_family == AF_INET6)
		xtcp_child_v6(sk, listener, req, skb);
	else
		xtcp_child_addr4(sk, req, skb);
	atomic_set(&inet->inet_id, get_random_u16());
	if (!dif && req->flow.family == AF_INET6 &&
	    ipv6_addr_type(&req->flow.v6.faddr) & IPV6_ADDR_LINKLOCAL)
		dif = req->iif;
	sk->sk_bound_dev_if = dif;
	sk->sk_mark = req->mark;
	atomic64_set(&sk->sk_cookie, 0);
	xtcp_child_tos(sk, req);

	/* the request's place in the table will be the child's: same key, same hash */
	xtcp_flow_copy(&x->flow, &req->flow);
	x->flow.kind = XTCP_KIND_CONN;
	x->flow.info = XTCP_KIND_CONN;
	x->late_until_ms = 0;
	xtcp_late_child(sk);
}

/* Nobody has seen this child yet. */
static void xtcp_child_discard(struct sock *sk)
{
	sock_set_flag(sk, SOCK_DEAD);
	xtcp_sock_reap(sk);
	__acquire(&sk->sk_lock.slock);	/* by sk_clone_lock(), which does not say so */
	bh_unlock_sock(sk);
	sock_put(sk);
}

/**
 * xtcp_sock_child - a sock for a completed request
 * @listener: where it came in; reference held, not locked
 * @req: the request, complete
 * @skb: the third segment, IP header set
 *
 * Context: softirq, RCU.
 * Return: a sock in CLOSE, bh-locked, with two references (its life and the
 * caller's), not hashed, its port shared with the listener; or NULL: no memory
 * or no route. To give it back: set SOCK_DEAD, xtcp_sock_reap(), bh_unlock_sock(),
 * sock_put().
 */
struct sock *xtcp_sock_child(struct sock *listener, struct xtcp_req *req, struct sk_buff *skb)
{
	struct xtcp_sock *x, *lx = xtcp_sk(listener);
	struct dst_entry *dst;
	struct sock *sk;

	sk = sk_clone_lock(listener, GFP_ATOMIC);
	if (!sk)
		return NULL;
	x = xtcp_sk(sk);
	xtcp_child_forget(x);
	sk->sk_state = TCP_CLOSE;	/* not visible yet */
	x->v4 = req->flow.family == AF_INET;
	xtcp_tcb_init(&x->tcb, &x->xn->params, !x->v4);
	xtcp_tcb_inherit(&x->tcb, &lx->tcb);
	if (!x->tcb.cc_user)
		x->tcb.cc = READ_ONCE(x->xn->cc);
	xtcp_timer_init(sk);
	atomic_inc(&x->xn->socks);
	xtcp_child_memcg(sk, listener);
	xtcp_child_identity(sk, listener, req, skb);
	xtcp_port_inherit(sk, listener);

	dst = xtcp_route(sk);
	if (!dst) {
		xtcp_child_discard(sk);
		return NULL;
	}
	sk_set_txhash(sk);
	x->tcb.adv_mss = req->flow.req_adv_mss;
	x->tcb.window_clamp = x->window_clamp;
	xtcp_sync_mss(sk, dst_mtu(dst));
	xtcp_sock_rcv_space(sk);
	xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
	return sk;
}
