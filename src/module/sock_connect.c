// SPDX-License-Identifier: GPL-2.0
/* Active open: addresses, route, port, and the first SYN (RFC 9293 3.10.1). */
#include "xtcp_mod.h"

#include <linux/bpf-cgroup.h>
#include <linux/errno.h>
#include <net/addrconf.h>
#include <net/flow.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/transp_v6.h>

/**
 * xtcp_sock_advmss - MSS to announce
 * @sk: connecting sock or listener
 * @dst: route to the peer
 *
 * Return: bytes, TCP_MAXSEG respected
 */
u16 xtcp_sock_advmss(const struct sock *sk, const struct dst_entry *dst)
{
	u32 mss = dst_metric_advmss(dst);
	u16 user = READ_ONCE(xtcp_sk(sk)->tcb.user_mss);

	if (user && user < mss)
		mss = user;
	return min_t(u32, mss, U16_MAX);
}

/* Fill in what the core must know before it opens, and open. */
static int xtcp_open(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	const struct xtcp_flow *f = &x->flow;
	const void *laddr, *faddr;
	unsigned int alen = xtcp_flow_addrs(f, &laddr, &faddr);
	struct xtcp_tcb *t = &x->tcb;
	struct dst_entry *dst;
	struct xtcp_verdict v;
	u32 iss, ts_off = 0;

	dst = xtcp_route(sk);
	if (!dst)
		return -ENETUNREACH;
	t->is_v6 = !x->v4;
	t->mss_peer = x->v4 ? XTCP_DEFAULT_MSS : XTCP_DEFAULT_MSS6;
	t->adv_mss = xtcp_sock_advmss(sk, dst);
	t->rcv_wscale = xtcp_sock_wscale(sk);
	t->window_clamp = x->window_clamp;
	xtcp_sync_mss(sk, dst_mtu(dst));
	xtcp_sock_rcv_space(sk);
	xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);

	iss = xtcp_isn(&x->xn->key, laddr, faddr, alen, (__force u16)f->lport,
		       (__force u16)f->fport, ktime_get_real_ns());
	if (x->tw_taken && seq_lt(iss, t->iss))
		iss = t->iss;
	if (READ_ONCE(x->xn->params.tcp_timestamps) == 1)
		ts_off = xtcp_ts_off(&x->xn->key, laddr, faddr, alen);
	/* TCP_DEFER_ACCEPT of a client: the third segment waits for his data */
	t->ack_third = !!x->defer_accept;
	xtcp_open_active(t, iss, ts_off, xtcp_now_us(x->xn), &v);
	xtcp_exec(sk, &v, NULL, NULL);
	return 0;
}

/* Take the 4-tuple, then open. Addresses are set. */
static int xtcp_connect_tail(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	int err;

	x->tw_taken = 0;
	x->tcb.s.ts_recent_s = 0;
	err = xtcp_port_connect(sk);
	if (err)
		goto err_port;
	sk_set_txhash(sk);
	atomic_set(&inet_sk(sk)->inet_id, get_random_u16());
	err = xtcp_open(sk);
	if (err)
		goto err_flow;
	return 0;

err_flow:
	xtcp_flow_remove(&x->flow);
err_port:
	if (x->bind && !(sk->sk_userlocks & SOCK_BINDPORT_LOCK))
		xtcp_port_put(sk);
	if (!(sk->sk_userlocks & SOCK_BINDADDR_LOCK))
		inet_reset_saddr(sk);
	sk_dst_reset(sk);
	sk->sk_route_caps = 0;
	inet_sk(sk)->inet_dport = 0;
	return err;
}

/* Route to @daddr, for the addresses only; the port is not known yet. */
static int xtcp_addresses_v4(struct sock *sk, __be32 daddr, __be16 dport)
{
	struct inet_sock *inet = inet_sk(sk);
	struct ip_options_rcu *opt;
	__be32 nexthop = daddr;
	struct flowi4 fl4;
	struct rtable *rt;

	opt = rcu_dereference_protected(inet->inet_opt, lockdep_sock_is_held(sk));
	if (opt && opt->opt.srr) {
		if (!daddr)
			return -EINVAL;
		nexthop = opt->opt.faddr;
	}
	memset(&fl4, 0, sizeof(fl4));
	/* the flow says TCP: that is what rules and policies will see on the wire */
	rt = ip_route_connect(&fl4, nexthop, inet->inet_saddr, sk->sk_bound_dev_if,
			      IPPROTO_TCP, inet->inet_sport, dport, sk);
	if (IS_ERR(rt)) {
		if (PTR_ERR(rt) == -ENETUNREACH)
			IP_INC_STATS(sock_net(sk), IPSTATS_MIB_OUTNOROUTES);
		return PTR_ERR(rt);
	}
	if (rt->rt_flags & (RTCF_MULTICAST | RTCF_BROADCAST)) {
		ip_rt_put(rt);
		return -ENETUNREACH;
	}
	if (!opt || !opt->opt.srr)
		daddr = fl4.daddr;
	if (!inet->inet_saddr)
		inet->inet_saddr = fl4.saddr;
	sk_rcv_saddr_set(sk, inet->inet_saddr);
	sk_daddr_set(sk, daddr);
	inet->inet_dport = dport;
	ip_rt_put(rt);
	return 0;
}

static int xtcp_connect_v4(struct sock *sk, __be32 daddr, __be16 dport)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	int err;

	x->v4 = 1;
	err = xtcp_addresses_v4(sk, daddr, dport);
	if (err)
		return err;
	sk->sk_gso_type = SKB_GSO_TCPV4;
	return xtcp_connect_tail(sk);
}

/**
 * xtcp_sock_pre_connect - proto.pre_connect for AF_INET: cgroup programs may
 *	forbid the connection or send it elsewhere
 * @sk: in CLOSE, sock lock held; process context
 * @uaddr: kernel copy of the address
 * @len: its length
 *
 * Return: 0 or a negative errno
 */
int xtcp_sock_pre_connect(struct sock *sk, struct sockaddr_unsized *uaddr, int len)
{
	if (len < (int)sizeof(struct sockaddr_in))
		return -EINVAL;
	return XTCP_CGROUP_CONNECT4(sk, uaddr, len);
}

/**
 * xtcp_sock_connect - proto.connect for AF_INET
 * @sk: in CLOSE, sock lock held; process context
 * @uaddr: kernel copy of the address
 * @len: its length
 *
 * Return: 0 with the SYN sent, or a negative errno
 */
int xtcp_sock_connect(struct sock *sk, struct sockaddr_unsized *uaddr, int len)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)uaddr;

	if (len < (int)sizeof(*sin))
		return -EINVAL;
	if (sin->sin_family != AF_INET)
		return -EAFNOSUPPORT;
	return xtcp_connect_v4(sk, sin->sin_addr.s_addr, sin->sin_port);
}

#if IS_ENABLED(CONFIG_IPV6)
static struct ipv6_pinfo *xtcp_pinfo(struct sock *sk)
{
	return &((struct xtcp6_sock *)sk)->inet6;
}

/* Flow label and scope of the destination, as connect() is told them. */
static int xtcp6_check_dest(struct sock *sk, struct sockaddr_in6 *sin6, int len,
			    __be32 *flowlabel)
{
	int type;

	*flowlabel = 0;
	if (inet_test_bit(SNDFLOW, sk)) {
		*flowlabel = sin6->sin6_flowinfo & IPV6_FLOWINFO_MASK;
		if (*flowlabel & IPV6_FLOWLABEL_MASK) {
			struct ip6_flowlabel *fl = fl6_sock_lookup(sk, *flowlabel);

			if (IS_ERR(fl))
				return -EINVAL;
			fl6_sock_release(fl);
		}
	}
	/* BSD: connect() to the unspecified address means this host */
	if (ipv6_addr_any(&sin6->sin6_addr)) {
		if (ipv6_addr_v4mapped(&sk->sk_v6_rcv_saddr))
			ipv6_addr_set_v4mapped(htonl(INADDR_LOOPBACK), &sin6->sin6_addr);
		else
			sin6->sin6_addr = in6addr_loopback;
	}
	type = ipv6_addr_type(&sin6->sin6_addr);
	if (type & IPV6_ADDR_MULTICAST)
		return -ENETUNREACH;
	if (type & IPV6_ADDR_LINKLOCAL) {
		if (len >= (int)sizeof(*sin6) && sin6->sin6_scope_id) {
			if (!sk_dev_equal_l3scope(sk, sin6->sin6_scope_id))
				return -EINVAL;
			WRITE_ONCE(sk->sk_bound_dev_if, sin6->sin6_scope_id);
		}
		if (!sk->sk_bound_dev_if)
			return -EINVAL;
	}
	return type;
}

/* A v4-mapped destination: IPv4 on the wire, the sock stays AF_INET6. */
static int xtcp6_connect_mapped(struct sock *sk, const struct sockaddr_in6 *sin6)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	int err;

	if (ipv6_only_sock(sk))
		return -ENETUNREACH;
	err = xtcp_connect_v4(sk, sin6->sin6_addr.s6_addr32[3], sin6->sin6_port);
	if (err)
		x->v4 = 0;
	else
		xtcp_pinfo(sk)->saddr = sk->sk_v6_rcv_saddr;
	return err;
}

static int xtcp6_addresses(struct sock *sk, __be16 dport)
{
	struct ipv6_pinfo *np = xtcp_pinfo(sk);
	struct inet_sock *inet = inet_sk(sk);
	struct in6_addr *final_p, final;
	struct ipv6_txoptions *opt;
	struct dst_entry *dst;
	struct flowi6 fl6;

	memset(&fl6, 0, sizeof(fl6));
	fl6.flowi6_proto = IPPROTO_TCP;
	fl6.daddr = sk->sk_v6_daddr;
	fl6.saddr = ipv6_addr_any(&sk->sk_v6_rcv_saddr) ? np->saddr : sk->sk_v6_rcv_saddr;
	fl6.flowlabel = ip6_make_flowinfo(np->tclass, np->flow_label);
	fl6.flowi6_oif = sk->sk_bound_dev_if;
	fl6.flowi6_mark = READ_ONCE(sk->sk_mark);
	fl6.fl6_dport = dport;
	fl6.fl6_sport = inet->inet_sport;
	fl6.flowi6_uid = sk_uid(sk);
	opt = rcu_dereference_protected(np->opt, lockdep_sock_is_held(sk));
	final_p = fl6_update_dst(&fl6, opt, &final);
	security_sk_classify_flow(sk, flowi6_to_flowi_common(&fl6));

	dst = ip6_dst_lookup_flow(sock_net(sk), sk, &fl6, final_p);
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	dst_release(dst);
	if (ipv6_addr_any(&sk->sk_v6_rcv_saddr))
		sk->sk_v6_rcv_saddr = fl6.saddr;
	np->saddr = sk->sk_v6_rcv_saddr;
	inet->inet_rcv_saddr = LOOPBACK4_IPV6;
	inet->inet_dport = dport;
	return 0;
}

/**
 * xtcp6_sock_pre_connect - proto.pre_connect for AF_INET6
 * @sk: in CLOSE, sock lock held; process context
 * @uaddr: kernel copy of the address
 * @len: its length
 *
 * Return: 0 or a negative errno
 */
int xtcp6_sock_pre_connect(struct sock *sk, struct sockaddr_unsized *uaddr, int len)
{
	if (len < SIN6_LEN_RFC2133)
		return -EINVAL;
	if (uaddr->sa_family == AF_INET)
		return xtcp_sock_pre_connect(sk, uaddr, len);
	return XTCP_CGROUP_CONNECT6(sk, uaddr, len);
}

/**
 * xtcp6_sock_connect - proto.connect for AF_INET6
 * @sk: in CLOSE, sock lock held; process context
 * @uaddr: kernel copy of the address
 * @len: its length
 *
 * Return: 0 with the SYN sent, or a negative errno
 */
int xtcp6_sock_connect(struct sock *sk, struct sockaddr_unsized *uaddr, int len)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)uaddr;
	__be32 flowlabel;
	int type, err;

	if (len < SIN6_LEN_RFC2133)
		return -EINVAL;
	if (sin6->sin6_family != AF_INET6)
		return -EAFNOSUPPORT;
	type = xtcp6_check_dest(sk, sin6, len, &flowlabel);
	if (type < 0)
		return type;
	sk->sk_v6_daddr = sin6->sin6_addr;
	xtcp_pinfo(sk)->flow_label = flowlabel;

	if (type & IPV6_ADDR_MAPPED) {
		err = xtcp6_connect_mapped(sk, sin6);
	} else {
		xtcp_sk(sk)->v4 = 0;
		sk->sk_gso_type = SKB_GSO_TCPV6;
		err = xtcp6_addresses(sk, sin6->sin6_port);
		if (!err)
			err = xtcp_connect_tail(sk);
	}
	if (err) {
		inet_sk(sk)->inet_dport = 0;
		sk->sk_route_caps = 0;
	}
	return err;
}
#endif
