// SPDX-License-Identifier: GPL-2.0
/*
 * IPv4 below us. The header is ours: ip_queue_xmit() would write the sock's
 * (private) protocol into it.
 */
#include "packets.h"

#include <linux/security.h>
#include <net/route.h>

/**
 * xtcp_ip4_route - route of a connection
 * @sk: sock, locked
 *
 * Return: the route, held by the sock, or ERR_PTR.
 */
struct dst_entry *xtcp_ip4_route(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);
	struct dst_entry *dst = __sk_dst_check(sk, 0);
	const struct ip_options_rcu *opt;
	__be32 daddr = inet->inet_daddr;
	struct flowi4 fl4;
	struct rtable *rt;

	if (dst)
		return dst;
	rcu_read_lock();
	opt = rcu_dereference(inet->inet_opt);
	if (opt && opt->opt.srr)
		daddr = opt->opt.faddr;
	rcu_read_unlock();
	rt = ip_route_output_ports(sock_net(sk), &fl4, sk, daddr, inet->inet_saddr,
				   inet->inet_dport, inet->inet_sport, IPPROTO_TCP,
				   ip_sock_rt_tos(sk), READ_ONCE(sk->sk_bound_dev_if));
	if (IS_ERR(rt))
		return ERR_CAST(rt);
	sk_setup_caps(sk, &rt->dst);
	xtcp_route_caps(sk, &rt->dst);
	return &rt->dst;
}

static int select_ttl(const struct net *net, const struct sock *sk, const struct dst_entry *dst)
{
	int ttl = sk ? READ_ONCE(inet_sk(sk)->uc_ttl) : -1;

	if (ttl < 0)
		ttl = dst_metric_raw(dst, RTAX_HOPLIMIT);
	/* 0: a route that has none. ip4_dst_hoplimit() would take the way by its device */
	return ttl ?: READ_ONCE(net->ipv4.sysctl_ip_default_ttl);
}

/* RFC 791 3.1: milliseconds since midnight UT. */
static __be32 options_timestamp(void)
{
	u32 ms;

	div_u64_rem(ktime_to_ms(ktime_get_real()), 24 * 60 * 60 * MSEC_PER_SEC, &ms);
	return htonl(ms);
}

/* Write IP options behind the fixed header, as ip_options_build() (not exported) does. */
static void options_write(struct sk_buff *skb, const struct ip_options *opt, __be32 daddr)
{
	struct iphdr *iph = ip_hdr(skb);
	u8 *p = (u8 *)iph;

	memcpy(&IPCB(skb)->opt, opt, sizeof(*opt));
	memcpy(iph + 1, opt->__data, opt->optlen);
	if (opt->srr)
		memcpy(p + opt->srr + p[opt->srr + 1] - 4, &daddr, 4);
	if (opt->rr_needaddr)
		memcpy(p + opt->rr + p[opt->rr + 2] - 5, &iph->saddr, 4);
	if (opt->ts_needaddr)
		memcpy(p + opt->ts + p[opt->ts + 2] - 9, &iph->saddr, 4);
	if (opt->ts_needtime) {
		__be32 now = options_timestamp();

		memcpy(p + opt->ts + p[opt->ts + 2] - 5, &now, 4);
	}
}

static struct iphdr *header_push(struct sk_buff *skb, unsigned int optlen, u8 tos, int ttl)
{
	struct iphdr *iph = __skb_push(skb, sizeof(*iph) + optlen);

	skb_reset_network_header(skb);
	iph->version = 4;
	iph->ihl = (sizeof(*iph) + optlen) / 4;
	iph->tos = tos;
	iph->frag_off = 0;
	iph->ttl = ttl;
	iph->protocol = IPPROTO_TCP;
	return iph;
}

/**
 * xtcp_ip4_xmit - send a connection's segment
 * @sk: connection, locked
 * @skb: data at the TCP header; consumed
 * @dst: route, held by the sock
 * @ecn: ECN field
 *
 * Context: RCU.
 *
 * Return: 0, NET_XMIT_* or -errno.
 */
int xtcp_ip4_xmit(struct sock *sk, struct sk_buff *skb, struct dst_entry *dst, u8 ecn)
{
	struct inet_sock *inet = inet_sk(sk);
	struct ip_options_rcu *opt = rcu_dereference(inet->inet_opt);
	struct rtable *rt = (struct rtable *)dst;
	struct iphdr *iph;

	if (opt && opt->opt.is_strictroute && rt->rt_uses_gateway) {
		kfree_skb(skb);
		return -EHOSTUNREACH;
	}
	skb_dst_set_noref(skb, dst);
	/* setsockopt() lets nobody but us at the ECN bits of a stream's TOS */
	iph = header_push(skb, opt ? opt->opt.optlen : 0, inet->tos | ecn,
			  select_ttl(sock_net(sk), sk, dst));
	if (ip_dont_fragment(sk, dst))
		iph->frag_off = htons(IP_DF);
	iph->saddr = inet->inet_saddr;
	iph->daddr = opt && opt->opt.srr ? opt->opt.faddr : inet->inet_daddr;
	if (opt && opt->opt.optlen)
		options_write(skb, &opt->opt, inet->inet_daddr);
	ip_select_ident_segs(sock_net(sk), skb, sk, skb_shinfo(skb)->gso_segs ?: 1);
	skb->priority = READ_ONCE(sk->sk_priority);
	skb->mark = READ_ONCE(sk->sk_mark);
	return ip_local_out(sock_net(sk), sk, skb);
}

/**
 * xtcp_ip4_path - route for a segment that no connection sends
 * @net: namespace
 * @p: where to
 *
 * Return: a referenced route, or ERR_PTR.
 */
struct dst_entry *xtcp_ip4_path(struct net *net, const struct xtcp_path *p)
{
	const struct xtcp_flow *f = p->f;
	struct flowi4 fl4;
	struct rtable *rt;

	flowi4_init_output(&fl4, p->oif, p->mark, RT_TOS(p->tos), RT_SCOPE_UNIVERSE, IPPROTO_TCP,
			   p->sk ? inet_sk_flowi_flags(p->sk) : 0, f->v4.faddr, f->v4.laddr,
			   f->fport, f->lport, sock_net_uid(net, p->sk));
	if (p->sk)
		security_sk_classify_flow(p->sk, flowi4_to_flowi_common(&fl4));
	rt = ip_route_output_flow(net, &fl4, p->sk);
	return IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst;
}

/**
 * xtcp_ip4_reply - send a segment that no connection sends
 * @net: namespace
 * @p: where to
 * @skb: data at the TCP header; consumed
 * @dst: route; the reference goes with it
 *
 * Small, never fragmented, so it needs no IP identification (RFC 6864 4.1).
 *
 * Return: 0, NET_XMIT_* or -errno.
 */
int xtcp_ip4_reply(struct net *net, const struct xtcp_path *p, struct sk_buff *skb,
		   struct dst_entry *dst)
{
	struct iphdr *iph;

	skb_dst_set(skb, dst);
	iph = header_push(skb, 0, p->tos, select_ttl(net, p->sk, dst));
	iph->frag_off = htons(IP_DF);
	iph->id = 0;
	iph->saddr = p->f->v4.laddr;
	iph->daddr = p->f->v4.faddr;
	return ip_local_out(net, NULL, skb);
}
