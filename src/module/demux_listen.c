// SPDX-License-Identifier: GPL-2.0
/*
 * The listener table, by (namespace, port, address). A lookup probes the
 * packet's address, then the wildcard; within each the best score wins, and a
 * SO_REUSEPORT group picks its member by the flow's hash or its BPF program.
 */
#include "xtcp_mod.h"

#include <linux/rculist_nulls.h>
#include <linux/smp.h>
#include <net/addrconf.h>
#include <net/route.h>
#include <net/sock_reuseport.h>

#include "demux.h"

#define LISTEN_BUCKETS	1024	/* power of two */

struct listen_bucket {
	struct hlist_nulls_head head;
	spinlock_t lock;		/* writers; readers use RCU */
};

static struct listen_bucket lt[LISTEN_BUCKETS];

/* What a listener is scored against. */
struct listen_key {
	struct net *net;
	const struct sk_buff *skb;
	__be32 addr;
	const struct in6_addr *addr6;	/* NULL: IPv4 */
	u16 num;
	int dif, sdif;
	int cpu;
};

static const struct in6_addr any6 = IN6ADDR_ANY_INIT;

static u32 listen_slot_sk(const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);
	__be16 port = htons(inet->inet_num);
	u32 h;

	if (sk->sk_family == AF_INET6)
		h = xtcp_addr_hash(sock_net(sk), port, NULL, &sk->sk_v6_rcv_saddr);
	else
		h = xtcp_addr_hash(sock_net(sk), port, &inet->inet_rcv_saddr, NULL);
	return h & (LISTEN_BUCKETS - 1);
}

/* inet_rcv_saddr_any() and inet_rcv_saddr_equal() are not for modules. */
static bool listen_any(const struct sock *sk)
{
	if (sk->sk_family == AF_INET6)
		return ipv6_addr_any(&sk->sk_v6_rcv_saddr);
	return !sk->sk_rcv_saddr;
}

/* Both of one family, and no v4-mapped address is v6only. */
static bool listen_addr_equal(const struct sock *sk, const struct sock *sk2)
{
	if (sk->sk_family == AF_INET6)
		return ipv6_addr_equal(&sk->sk_v6_rcv_saddr, &sk2->sk_v6_rcv_saddr);
	return sk->sk_rcv_saddr == sk2->sk_rcv_saddr;
}

/* Join the group of an equal listener, or start one. Bucket lock held. */
static int listen_group(struct sock *sk, struct listen_bucket *b)
{
	bool any = listen_any(sk);
	struct hlist_nulls_node *n;
	struct xtcp_sock *x;

	hlist_nulls_for_each_entry(x, n, &b->head, listen_node) {
		struct sock *sk2 = xtcp_to_sk(x);

		if (sk2 != sk && net_eq(sock_net(sk2), sock_net(sk)) &&
		    inet_sk(sk2)->inet_num == inet_sk(sk)->inet_num &&
		    sk2->sk_family == sk->sk_family &&
		    ipv6_only_sock(sk2) == ipv6_only_sock(sk) &&
		    sk2->sk_bound_dev_if == sk->sk_bound_dev_if &&
		    sk2->sk_reuseport && uid_eq(sk_uid(sk), sk_uid(sk2)) &&
		    listen_addr_equal(sk, sk2))
			return reuseport_add_sock(sk, sk2, any);
	}
	return reuseport_alloc(sk, any);
}

/**
 * xtcp_listener_hash - make a listener findable
 * @sk: bound, in state LISTEN; sock lock held
 *
 * Return: 0, or -errno if the SO_REUSEPORT group could not be joined.
 */
int xtcp_listener_hash(struct sock *sk)
{
	struct listen_bucket *b = &lt[listen_slot_sk(sk)];
	struct xtcp_sock *x = xtcp_sk(sk);
	int err = 0;

	spin_lock_bh(&b->lock);
	if (hlist_nulls_unhashed(&x->listen_node)) {
		if (sk->sk_reuseport)
			err = listen_group(sk, b);
		if (!err)
			hlist_nulls_add_head_rcu(&x->listen_node, &b->head);
	}
	spin_unlock_bh(&b->lock);
	return err;
}

/**
 * xtcp_listener_unhash - no new SYN finds this listener
 * @sk: its address and port unchanged since it was hashed; sock lock held
 */
void xtcp_listener_unhash(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct listen_bucket *b;

	WRITE_ONCE(x->bind_listen, 0);
	if (hlist_nulls_unhashed(&x->listen_node))
		return;
	b = &lt[listen_slot_sk(sk)];
	spin_lock_bh(&b->lock);
	if (!hlist_nulls_unhashed(&x->listen_node)) {
		if (rcu_access_pointer(sk->sk_reuseport_cb))
			reuseport_detach_sock(sk);
		hlist_nulls_del_init_rcu(&x->listen_node);
	}
	spin_unlock_bh(&b->lock);
}

/*
 * How well a listener fits, -1: not at all. A bound device beats none, a
 * listener of the packet's own family beats a dual-stack one, the CPU breaks
 * ties, as the kernel's table has it.
 */
static int listen_score(const struct sock *sk, const struct listen_key *k, bool wild)
{
	int score, bound = READ_ONCE(sk->sk_bound_dev_if);

	if (sock_net(sk) != k->net || inet_sk(sk)->inet_num != k->num)
		return -1;
	if (k->addr6) {
		if (sk->sk_family != AF_INET6 ||
		    !ipv6_addr_equal(&sk->sk_v6_rcv_saddr, wild ? &any6 : k->addr6))
			return -1;
	} else {
		/* a v6 sock bound to :: or a mapped address has the IPv4 one here */
		if (ipv6_only_sock(sk) || sk->sk_rcv_saddr != (wild ? 0 : k->addr))
			return -1;
		if (sk->sk_family == AF_INET6 && !ipv6_addr_any(&sk->sk_v6_rcv_saddr) &&
		    !ipv6_addr_v4mapped(&sk->sk_v6_rcv_saddr))
			return -1;
	}
	if (!inet_sk_bound_dev_eq(k->net, bound, k->dif, k->sdif))
		return -1;
	score = bound ? 4 : 1;
	if (!k->addr6 && sk->sk_family == AF_INET)
		score += 2;
	if (READ_ONCE(sk->sk_incoming_cpu) == k->cpu)
		score++;
	return score;
}

/* Best listener of one bucket, not referenced. RCU. */
static struct sock *listen_best(const struct listen_key *k, u32 slot, bool wild)
{
	struct sock *best;
	struct hlist_nulls_node *n;
	struct xtcp_sock *x;
	int score, hi;

again:
	best = NULL;
	hi = 0;
	hlist_nulls_for_each_entry_rcu(x, n, &lt[slot].head, listen_node) {
		score = listen_score(xtcp_to_sk(x), k, wild);
		if (score > hi) {
			hi = score;
			best = xtcp_to_sk(x);
		}
	}
	if (get_nulls_value(n) != slot)
		goto again;
	return best;
}

static struct sock *listen_pick(struct sock *sk, struct sk_buff *skb)
{
	struct xtcp_flow f;
	struct sock *sk2;

	if (!sk->sk_reuseport || !rcu_access_pointer(sk->sk_reuseport_cb))
		return sk;
	xtcp_flow_init_skb(&f, sock_net(sk), XTCP_KIND_REQ, skb);
	sk2 = reuseport_select_sock(sk, f.hash, skb, tcp_hdrlen(skb));
	return IS_ERR_OR_NULL(sk2) ? sk : sk2;
}

/**
 * xtcp_listener_lookup - who takes this SYN
 * @net: namespace
 * @skb: IP and TCP headers set and pulled
 *
 * Return: a listener, referenced, or NULL. Softirq, under RCU.
 */
struct sock *xtcp_listener_lookup(struct net *net, const struct sk_buff *skb)
{
	struct listen_key k = { .net = net, .cpu = raw_smp_processor_id() };
	__be16 port = tcp_hdr(skb)->dest;
	u32 exact, wild;
	struct sock *sk;
	int tries;

	k.num = ntohs(port);
	if (skb->protocol == htons(ETH_P_IP)) {
		k.addr = ip_hdr(skb)->daddr;
		k.dif = inet_iif(skb);
		k.sdif = inet_sdif(skb);
		exact = xtcp_addr_hash(net, port, &k.addr, NULL);
	} else {
		k.addr6 = &ipv6_hdr(skb)->daddr;
		k.dif = inet6_iif(skb);
		k.sdif = inet6_sdif(skb);
		exact = xtcp_addr_hash(net, port, NULL, k.addr6);
	}
	wild = xtcp_addr_hash(net, port, NULL, &any6);

	/* a listener that dies between finding and holding is no listener: look again */
	for (tries = 0; tries < 3; tries++) {
		/* a filter that chose among them may have moved the headers */
		if (k.addr6)
			k.addr6 = &ipv6_hdr(skb)->daddr;
		sk = listen_best(&k, exact & (LISTEN_BUCKETS - 1), false);
		if (!sk)
			sk = listen_best(&k, wild & (LISTEN_BUCKETS - 1), true);
		if (!sk)
			return NULL;
		sk = listen_pick(sk, (struct sk_buff *)skb);
		xtcp_race_point(LISTEN_FOUND);
		if (refcount_inc_not_zero(&sk->sk_refcnt))
			return sk;
	}
	return NULL;
}

/**
 * xtcp_listener_next - next listener at or after a position
 * @net: only of this namespace
 * @bucket: position, in and out
 * @off: position within the bucket
 *
 * Return: a listener, referenced, or NULL at the end. Any context.
 */
struct sock *xtcp_listener_next(struct net *net, unsigned int *bucket, unsigned int *off)
{
	struct hlist_nulls_node *n;
	struct xtcp_sock *x;
	unsigned int i;

	for (; *bucket < LISTEN_BUCKETS; ++*bucket, *off = 0) {
		struct listen_bucket *b = &lt[*bucket];

		if (hlist_nulls_empty(&b->head))
			continue;
		i = 0;
		spin_lock_bh(&b->lock);
		hlist_nulls_for_each_entry(x, n, &b->head, listen_node) {
			struct sock *sk = xtcp_to_sk(x);

			if (sock_net(sk) != net || i++ < *off ||
			    !refcount_inc_not_zero(&sk->sk_refcnt))
				continue;
			*off = i;
			spin_unlock_bh(&b->lock);
			return sk;
		}
		spin_unlock_bh(&b->lock);
	}
	return NULL;
}

/** xtcp_listeners_init - empty the listener table; module init */
void xtcp_listeners_init(void)
{
	u32 i;

	for (i = 0; i < LISTEN_BUCKETS; i++) {
		INIT_HLIST_NULLS_HEAD(&lt[i].head, i);
		spin_lock_init(&lt[i].lock);
	}
}
