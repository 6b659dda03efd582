// SPDX-License-Identifier: GPL-2.0
/* IPv6 below us. */
#include "packets.h"

#include <linux/security.h>
#include <net/ip6_route.h>

#if IS_ENABLED(CONFIG_IPV6)

static void flow_init(struct sock *sk, struct flowi6 *fl6)
{
	const struct ipv6_pinfo *np = inet6_sk(sk);
	const struct inet_sock *inet = inet_sk(sk);

	memset(fl6, 0, sizeof(*fl6));
	fl6->flowi6_proto = IPPROTO_TCP;	/* sk_protocol is private: rules look for TCP */
	fl6->daddr = sk->sk_v6_daddr;
	fl6->saddr = np->saddr;
	fl6->flowlabel = np->flow_label;
	fl6->flowi6_oif = READ_ONCE(sk->sk_bound_dev_if);
	fl6->flowi6_mark = READ_ONCE(sk->sk_mark);
	fl6->fl6_sport = inet->inet_sport;
	fl6->fl6_dport = inet->inet_dport;
	fl6->flowi6_uid = sk_uid(sk);
	security_sk_classify_flow(sk, flowi6_to_flowi_common(fl6));
}

/**
 * xtcp_ip6_route - route of a connection
 * @sk: sock, locked
 *
 * Return: the route, held by the sock, or ERR_PTR.
 */
struct dst_entry *xtcp_ip6_route(struct sock *sk)
{
	struct ipv6_pinfo *np = inet6_sk(sk);
	struct dst_entry *dst = __sk_dst_check(sk, np->dst_cookie);
	struct in6_addr *final_p, final;
	struct flowi6 fl6;

	if (dst)
		return dst;
	flow_init(sk, &fl6);
	rcu_read_lock();
	final_p = fl6_update_dst(&fl6, rcu_dereference(np->opt), &final);
	rcu_read_unlock();
	dst = ip6_dst_lookup_flow(sock_net(sk), sk, &fl6, final_p);
	if (IS_ERR(dst))
		return dst;
	ip6_dst_store(sk, dst, NULL, NULL);
	xtcp_route_caps(sk, dst);
	return dst;
}

/**
 * xtcp_ip6_xmit - send a connection's segment
 * @sk: connection, locked
 * @skb: data at the TCP header; consumed
 * @dst: route, held by the sock
 * @ecn: ECN field
 *
 * Context: RCU.
 *
 * Return: 0, NET_XMIT_* or -errno.
 */
int xtcp_ip6_xmit(struct sock *sk, struct sk_buff *skb, struct dst_entry *dst, u8 ecn)
{
	struct ipv6_pinfo *np = inet6_sk(sk);
	struct flowi6 fl6;

	flow_init(sk, &fl6);
	skb_dst_set_noref(skb, dst);
	return ip6_xmit(sk, skb, &fl6, READ_ONCE(sk->sk_mark), rcu_dereference(np->opt),
			np->tclass | ecn, READ_ONCE(sk->sk_priority));
}

/**
 * xtcp_ip6_path - route for a segment that no connection sends
 * @net: namespace
 * @p: where to
 *
 * Return: a referenced route, or ERR_PTR.
 */
struct dst_entry *xtcp_ip6_path(struct net *net, const struct xtcp_path *p)
{
	const struct xtcp_flow *f = p->f;
	struct flowi6 fl6 = {
		.flowi6_proto = IPPROTO_TCP, .flowi6_oif = p->oif, .flowi6_mark = p->mark,
		.daddr = f->v6.faddr, .saddr = f->v6.laddr, .flowlabel = htonl(p->flowlabel),
		.fl6_sport = f->lport, .fl6_dport = f->fport,
		.flowi6_uid = sock_net_uid(net, p->sk),
	};

	if (p->sk)
		security_sk_classify_flow(p->sk, flowi6_to_flowi_common(&fl6));
	return ip6_dst_lookup_flow(net, p->sk, &fl6, NULL);
}

/**
 * xtcp_ip6_reply - send a segment that no connection sends
 * @net: namespace
 * @p: where to
 * @skb: data at the TCP header; consumed
 * @dst: route; the reference goes with it
 *
 * ip6_xmit() wants a sock, which a RST has not got; hence our own header.
 *
 * Return: 0, NET_XMIT_* or -errno.
 */
int xtcp_ip6_reply(struct net *net, const struct xtcp_path *p, struct sk_buff *skb,
		   struct dst_entry *dst)
{
	unsigned int len = skb->len;
	struct ipv6hdr *hdr;
	int hops = -1;

	if (p->sk && p->sk->sk_family == AF_INET6)
		hops = inet6_sk(p->sk)->hop_limit;
	if (hops < 0)
		hops = ip6_dst_hoplimit(dst);
	skb_dst_set(skb, dst);
	hdr = skb_push(skb, sizeof(*hdr));
	skb_reset_network_header(skb);
	ip6_flow_hdr(hdr, p->tos, htonl(p->flowlabel));
	hdr->payload_len = htons(len);
	hdr->nexthdr = IPPROTO_TCP;
	hdr->hop_limit = hops;
	hdr->saddr = p->f->v6.laddr;
	hdr->daddr = p->f->v6.faddr;
	skb->protocol = htons(ETH_P_IPV6);
	return ip6_local_out(net, NULL, skb);
}

#else

struct dst_entry *xtcp_ip6_route(struct sock *sk)
{
	return ERR_PTR(-EAFNOSUPPORT);
}

int xtcp_ip6_xmit(struct sock *sk, struct sk_buff *skb, struct dst_entry *dst, u8 ecn)
{
	kfree_skb(skb);
	return -EAFNOSUPPORT;
}

struct dst_entry *xtcp_ip6_path(struct net *net, const struct xtcp_path *p)
{
	return ERR_PTR(-EAFNOSUPPORT);
}

int xtcp_ip6_reply(struct net *net, const struct xtcp_path *p, struct sk_buff *skb,
		   struct dst_entry *dst)
{
	dst_release(dst);
	kfree_skb(skb);
	return -EAFNOSUPPORT;
}

#endif
