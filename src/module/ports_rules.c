// SPDX-License-Identifier: GPL-2.0
/*
 * Which addresses and ports are in each other's way: keys, overlap and the
 * conflict rules between our own socks, those of bind(2) on the kernel's TCP.
 */
#include "ports.h"

#include <net/addrconf.h>

/**
 * port_key_sk - the local address and device a sock binds
 * @k: filled
 * @sk: address set
 */
void port_key_sk(struct port_key *k, const struct sock *sk)
{
	memset(k, 0, sizeof(*k));
	k->dev = READ_ONCE(sk->sk_bound_dev_if);
	k->family = AF_INET;
	k->v4 = sk->sk_rcv_saddr;
	if (sk->sk_family != AF_INET6)
		return;
	if (ipv6_addr_v4mapped(&sk->sk_v6_rcv_saddr)) {
		k->v4 = sk->sk_v6_rcv_saddr.s6_addr32[3];
		return;
	}
	k->family = AF_INET6;
	k->v4 = 0;
	k->v6 = sk->sk_v6_rcv_saddr;
	/* a specific IPv6 address never means IPv4 */
	k->v6only = ipv6_only_sock(sk) || !ipv6_addr_any(&k->v6);
}

/**
 * port_key_equal - the same address and device
 * @a: one
 * @b: other
 *
 * Return: true if so.
 */
bool port_key_equal(const struct port_key *a, const struct port_key *b)
{
	return a->family == b->family && a->dev == b->dev && a->v6only == b->v6only &&
	       a->v4 == b->v4 && ipv6_addr_equal(&a->v6, &b->v6);
}

/**
 * port_key_overlap - some packet could be for both
 * @a: one
 * @b: other
 *
 * Return: true if so.
 */
bool port_key_overlap(const struct port_key *a, const struct port_key *b)
{
	if (a->dev && b->dev && a->dev != b->dev)
		return false;
	if (a->family != b->family)
		return a->family == AF_INET6 ? !a->v6only : !b->v6only;
	if (a->family == AF_INET)
		return a->v4 == b->v4 || !a->v4 || !b->v4;
	if (ipv6_addr_equal(&a->v6, &b->v6))
		return true;
	return ipv6_addr_any(&a->v6) || ipv6_addr_any(&b->v6);
}

/* Would @sk2, bound to the same port, keep @sk (its key is @k) from binding or listening? */
static bool sock_conflict(const struct sock *sk, const struct port_key *k,
			  const struct sock *sk2)
{
	struct port_key k2;
	bool listens = READ_ONCE(sk2->sk_state) == TCP_LISTEN ||
		       READ_ONCE(xtcp_sk(sk2)->bind_listen);

	if (sk == sk2)
		return false;
	if (sk->sk_reuse && sk2->sk_reuse && !listens)
		return false;
	if (sk->sk_reuseport && sk2->sk_reuseport && uid_eq(sk_uid(sk), sk_uid(sk2)))
		return false;
	port_key_sk(&k2, sk2);
	return port_key_overlap(k, &k2);
}

/**
 * port_conflict - would another of ours keep a sock from a port?
 * @xn: namespace; bind_lock held
 * @sk: address and device set
 * @port: host order
 *
 * Return: true if bind(2) or listen(2) must say EADDRINUSE.
 */
bool port_conflict(struct xtcp_net *xn, const struct sock *sk, u16 port)
{
	struct port_key k;
	struct xtcp_bind *b;
	struct xtcp_sock *x;

	lockdep_assert_held(&xn->bind_lock);
	port_key_sk(&k, sk);
	hlist_for_each_entry(b, bind_head(xn, port), node) {
		if (b->port != port)
			continue;
		hlist_for_each_entry(x, &b->owners, bind_node) {
			if (sock_conflict(sk, &k, xtcp_to_sk(x)))
				return true;
		}
		/* references beyond the socks' are TIME-WAIT entries */
		if (atomic_read(&b->ref) > b->n_owners && port_key_overlap(&k, &b->k) &&
		    !(sk->sk_reuse && b->reuse) && !(sk->sk_reuseport && b->reuseport))
			return true;
	}
	return false;
}

/**
 * xtcp_port_shadowed - would the kernel meet a shadow of ours?
 * @net: namespace
 * @skb: a segment that found no flow and no listener; headers pulled
 *
 * A claim held by leftovers only does not count: a program of the kernel's
 * may listen there.
 *
 * Return: true if the segment's destination is ours alone. Softirq, RCU.
 */
bool xtcp_port_shadowed(struct net *net, const struct sk_buff *skb)
{
	struct xtcp_net *xn = xtcp_net(net);
	u16 port = ntohs(tcp_hdr(skb)->dest);
	struct port_key k = {};
	struct xtcp_bind *b;
	bool found = false;

	k.family = AF_INET6;
	k.v6only = 1;
	if (skb->protocol == htons(ETH_P_IP)) {
		k.family = AF_INET;
		k.v4 = ip_hdr(skb)->daddr;
	} else {
		k.v6 = ipv6_hdr(skb)->daddr;
	}
	k.dev = skb->skb_iif;
	rcu_read_lock();
	hlist_for_each_entry_rcu(b, bind_head(xn, port), node) {
		if (b->port == port && !READ_ONCE(b->weak) && port_key_overlap(&k, &b->k)) {
			found = true;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}
