// SPDX-License-Identifier: GPL-2.0
/*
 * The flow table: connections, half-open requests and TIME-WAIT entries by
 * (namespace, 4-tuple, device).
 *
 * Readers walk under RCU only; writers hold one of the hashed spinlocks. The
 * chains are singly linked, they are short, and end with the number of their
 * bucket: an object that is freed and reused in another chain while a reader
 * stands on it leads that reader to the wrong end, and the walk starts again.
 * What a reader meets was in the table at some time since its RCU section began,
 * so what that points to (a TIME-WAIT entry's home) is still there, too.
 *
 * References: hashing a request makes XTCP_FLOW_REFS of them (the table's, the
 * wheel's, the caller's), removing it gives the table's to the caller; a
 * connection is hashed without one, as in the kernel's own table, and must be
 * removed before its last sock_put(). A TIME-WAIT entry has none: it is touched
 * with its bucket locked only, but for what a lookup compares.
 */
#include "xtcp_mod.h"

#include <linux/mm.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/vmalloc.h>
#include <net/l3mdev.h>
#include <net/route.h>

#include "demux.h"

static unsigned int flow_buckets;
module_param(flow_buckets, uint, 0444);
MODULE_PARM_DESC(flow_buckets, "Size of the flow table (default: one bucket per 32 KB of memory)");

#define FLOW_LOCKS_MAX		4096u
#define FLOW_BUCKETS_MAX	(4u << 20)

struct flow_table {
	struct xtcp_node **head;	/* chains; bucket lock to write, RCU to read */
	spinlock_t *lock;		/* hashed: writers of the buckets */
	u32 mask, lock_mask;
	siphash_key_t key;
	hsiphash_key_t flow_key;
};

static struct flow_table ft __read_mostly;
static DEFINE_PER_CPU(long, flow_count);

static spinlock_t *bucket_lock(u32 slot)
{
	return &ft.lock[slot & ft.lock_mask];
}

/* The end of a chain. Addresses are even. */
static struct xtcp_node *node_end(u32 slot)
{
	return (struct xtcp_node *)((unsigned long)slot << 1 | 1);
}

static bool node_is_end(const struct xtcp_node *n)
{
	return (unsigned long)n & 1;
}

/* What is read through the result was written before the node went in. */
static struct xtcp_node *node_follow(struct xtcp_node *const *link)
{
	return READ_ONCE(*link);	/* pairs with bucket_add(), by address dependency */
}

static u8 node_kind(const struct xtcp_node *n)
{
	return READ_ONCE(n->info) & XTCP_NODE_KIND;
}

static struct xtcp_flow *node_flow(struct xtcp_node *n)
{
	return container_of(n, struct xtcp_flow, node);
}

static struct xtcp_tw *node_tw(struct xtcp_node *n)
{
	return container_of(n, struct xtcp_tw, node);
}

static void bucket_add(struct xtcp_node *n, u32 slot)
{
	WRITE_ONCE(n->next, ft.head[slot]);
	/* pairs with node_follow() */
	smp_store_release(&ft.head[slot], n);
}

/* What leads to @n, or NULL. */
static struct xtcp_node **bucket_link(const struct xtcp_node *n, u32 slot)
{
	struct xtcp_node **link;

	lockdep_assert_held(bucket_lock(slot));
	for (link = &ft.head[slot]; !node_is_end(*link); link = &(*link)->next) {
		if (*link == n)
			return link;
	}
	return NULL;
}

/* n->next stays: a reader may stand on n. False: it was not there. */
static bool bucket_del(const struct xtcp_node *n, u32 slot)
{
	struct xtcp_node **link = bucket_link(n, slot);

	if (link)
		WRITE_ONCE(*link, n->next);
	return link;
}

/*
 * @new in the very place of @old, which is there: wherever before it a reader is, he comes
 * to one of them. At the head of the chain @new would be behind who has begun to walk.
 */
static void bucket_swap(const struct xtcp_node *old, struct xtcp_node *new, u32 slot)
{
	struct xtcp_node **link = bucket_link(old, slot);

	if (WARN_ON_ONCE(!link))
		return;
	WRITE_ONCE(new->next, old->next);
	/* pairs with node_follow() */
	smp_store_release(link, new);
}

/* HSipHash is what the kernel has for tables: its result is not seen outside. */
static u32 flow_hash(const struct xtcp_flow *f)
{
	u32 ports = (__force u32)f->lport << 16 | (__force u32)f->fport;
	u32 mix = net_hash_mix(f->net);

	if (f->family == AF_INET)
		return hsiphash_3u32((__force u32)f->v4.laddr ^ mix, (__force u32)f->v4.faddr,
				     ports, &ft.flow_key);
	return hsiphash_3u32(hsiphash(&f->v6, sizeof(f->v6), &ft.flow_key), ports, mix,
			     &ft.flow_key);
}

/**
 * xtcp_addr_hash - hash a local address and port under the table's secret
 * @net: namespace
 * @port: network order
 * @addr: IPv4 address, or NULL
 * @addr6: IPv6 address, if @addr is NULL
 *
 * All wildcards are one, and a v4-mapped address is the IPv4 one.
 *
 * Return: 32 bits.
 */
u32 xtcp_addr_hash(const struct net *net, __be16 port, const __be32 *addr,
		   const struct in6_addr *addr6)
{
	u64 tail = (u64)(__force u16)port << 32 | net_hash_mix(net);
	__be32 v4 = 0;

	if (addr)
		v4 = *addr;
	else if (ipv6_addr_v4mapped(addr6))
		v4 = addr6->s6_addr32[3];
	else if (!ipv6_addr_any(addr6))
		return siphash_2u64(siphash(addr6, sizeof(*addr6), &ft.key), tail, &ft.key);
	return siphash_2u64((__force u32)v4, tail, &ft.key);
}

/**
 * xtcp_flow_init_skb - key of a received segment
 * @f: filled but for node
 * @net: namespace
 * @kind: what @f will be
 * @skb: IP and TCP headers set and pulled; ours is the destination
 *
 * dif is 0 except for link-local peers, which exist once per device, and in a
 * VRF with tcp_l3mdev_accept. The listener's bound device is the caller's to
 * set.
 */
void xtcp_flow_init_skb(struct xtcp_flow *f, struct net *net, u8 kind, const struct sk_buff *skb)
{
	const struct tcphdr *th = tcp_hdr(skb);

	f->net = net;
	f->kind = kind;
	f->info = kind;
	f->hashed = 0;
	f->dif = 0;
	f->lport = th->dest;
	f->fport = th->source;
	if (skb->protocol == htons(ETH_P_IP)) {
		f->family = AF_INET;
		f->v4.laddr = ip_hdr(skb)->daddr;
		f->v4.faddr = ip_hdr(skb)->saddr;
	} else {
		f->family = AF_INET6;
		f->v6.laddr = ipv6_hdr(skb)->daddr;
		f->v6.faddr = ipv6_hdr(skb)->saddr;
		if (ipv6_addr_type(&f->v6.faddr) & IPV6_ADDR_LINKLOCAL)
			f->dif = inet6_iif(skb);
	}
#if IS_ENABLED(CONFIG_NET_L3_MASTER_DEV)
	if (!f->dif && READ_ONCE(net->ipv4.sysctl_tcp_l3mdev_accept))
		f->dif = l3mdev_master_ifindex_by_index(net, skb->skb_iif);
#endif
	f->hash = flow_hash(f);
}

/**
 * xtcp_flow_init_sk - key of a connection from its sock's addresses
 * @f: usually the sock's own flow, not hashed
 * @sk: addresses and ports set; sock lock held
 */
void xtcp_flow_init_sk(struct xtcp_flow *f, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

	f->net = sock_net(sk);
	f->kind = XTCP_KIND_CONN;
	f->info = XTCP_KIND_CONN;
	f->hashed = 0;
	f->dif = READ_ONCE(sk->sk_bound_dev_if);
	f->lport = inet->inet_sport;
	f->fport = inet->inet_dport;
	if (xtcp_sk(sk)->v4 || sk->sk_family == AF_INET) {
		f->family = AF_INET;
		f->v4.laddr = inet->inet_rcv_saddr;
		f->v4.faddr = inet->inet_daddr;
	} else {
		f->family = AF_INET6;
		f->v6.laddr = sk->sk_v6_rcv_saddr;
		f->v6.faddr = sk->sk_v6_daddr;
	}
	f->hash = flow_hash(f);
}

/**
 * xtcp_flow_rehash - complete a key whose addresses were filled in by hand
 * @f: net, family, ports and addresses set
 */
void xtcp_flow_rehash(struct xtcp_flow *f)
{
	f->hash = flow_hash(f);
}

/* A connection may be bound to another device at any time (SO_BINDTODEVICE). */
static int flow_bound(const struct xtcp_flow *f)
{
	if (f->kind != XTCP_KIND_CONN)
		return f->dif;
	return READ_ONCE(container_of(f, struct xtcp_sock, flow)->inet.sk.sk_bound_dev_if);
}

static __always_inline bool flow_match(const struct xtcp_flow *f, const struct xtcp_flow *key,
				       int dif, int sdif)
{
	if (f->hash != key->hash || f->family != key->family ||
	    f->lport != key->lport || f->fport != key->fport || f->net != key->net)
		return false;
	if (key->family == AF_INET) {
		if (f->v4.laddr != key->v4.laddr || f->v4.faddr != key->v4.faddr)
			return false;
	} else if (!ipv6_addr_equal(&f->v6.laddr, &key->v6.laddr) ||
		   !ipv6_addr_equal(&f->v6.faddr, &key->v6.faddr)) {
		return false;
	}
	return inet_sk_bound_dev_eq(key->net, flow_bound(f), dif, sdif);
}

/* The same of a TIME-WAIT entry: first what tells most. */
static bool tw_match(const struct xtcp_tw *tw, const struct xtcp_flow *key, int dif, int sdif)
{
	const struct xtcp_home *h;

	if (tw->node.fport != key->fport)
		return false;
	if (READ_ONCE(tw->node.info) & XTCP_NODE_V6) {
		if (key->family != AF_INET6 || !ipv6_addr_equal(&tw->faddr6, &key->v6.faddr))
			return false;
		h = READ_ONCE(tw->home);
		if (!ipv6_addr_equal(&h->id.laddr6, &key->v6.laddr))
			return false;
	} else {
		if (key->family != AF_INET || tw->faddr4 != key->v4.faddr)
			return false;
		h = READ_ONCE(tw->home);
		if (h->id.laddr4 != key->v4.laddr)
			return false;
	}
	return h->id.lport == key->lport && h->id.net == key->net &&
	       inet_sk_bound_dev_eq(key->net, h->id.dif, dif, sdif);
}

static bool node_match(struct xtcp_node *n, const struct xtcp_flow *key, int dif, int sdif)
{
	if (node_kind(n) == XTCP_KIND_TW)
		return tw_match(node_tw(n), key, dif, sdif);
	return flow_match(node_flow(n), key, dif, sdif);
}

/* Of a connection or request. */
static refcount_t *flow_ref(struct xtcp_flow *f)
{
	if (node_kind(&f->node) == XTCP_KIND_CONN)
		return &xtcp_to_sk(flow_conn(f))->sk_refcnt;
	return &container_of(f, struct xtcp_req, flow)->ref;
}

static bool flow_hold(struct xtcp_flow *f)
{
	if (!refcount_inc_not_zero(flow_ref(f)))
		return false;
	/* what is read from here on is of the life the reference is of; see flow_publish() */
	smp_acquire__after_ctrl_dep();
	return true;
}

/*
 * Into the table, or in the place of @old. A request gets its references (table, wheel, maker)
 * here, under the bucket lock, and not before: a reader may stand on its memory since
 * a previous life, and must not get hold of what may not be hashed after all.
 */
static void flow_publish(struct xtcp_flow *f, const struct xtcp_node *old, u32 slot)
{
	WRITE_ONCE(f->hashed, 1);
	if (f->kind == XTCP_KIND_REQ) {
		/* pairs with flow_hold() */
		smp_wmb();
		refcount_set(flow_ref(f), XTCP_FLOW_REFS);
	}
	if (old)
		bucket_swap(old, &f->node, slot);
	else
		bucket_add(&f->node, slot);
}

/**
 * xtcp_flow_put - drop a reference that a lookup gave
 * @f: may be NULL
 *
 * Any context.
 */
void xtcp_flow_put(struct xtcp_flow *f)
{
	struct xtcp_req *req;

	if (!f)
		return;
	switch (f->kind) {
	case XTCP_KIND_CONN:
		sock_put(xtcp_to_sk(flow_conn(f)));
		break;
	case XTCP_KIND_REQ:
		req = container_of(f, struct xtcp_req, flow);
		if (refcount_dec_and_test(&req->ref))
			xtcp_req_free_rcu(req);
		break;
	}
}

/* Tell the caller in his key what was found: only a second look counts. */
static struct xtcp_flow *tw_found(const struct xtcp_tw *tw, struct xtcp_flow *key)
{
	key->kind = XTCP_KIND_TW;
	key->dif = READ_ONCE(tw->home)->id.dif;
	return key;
}

/**
 * xtcp_flow_lookup - find a flow by key
 * @net: namespace, equal to the key's
 * @key: 4-tuple, family and hash valid (xtcp_flow_init_*)
 * @iif: device the packet came by
 * @sdif: its enslaved device if @iif is an L3 master, else 0
 *
 * Return: the flow, referenced; @key, its kind and dif set, if it is a
 * TIME-WAIT entry; or NULL. RCU.
 */
xtcp_hot struct xtcp_flow *xtcp_flow_lookup(struct net *net, struct xtcp_flow *key, int iif,
					    int sdif)
{
	u32 slot = key->hash & ft.mask;
	struct xtcp_flow *f;
	struct xtcp_node *n;

	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "xtcp: flow looked up without RCU");
begin:
	for (n = node_follow(&ft.head[slot]); !node_is_end(n); n = node_follow(&n->next)) {
		if (node_kind(n) == XTCP_KIND_TW) {
			if (tw_match(node_tw(n), key, iif, sdif))
				return tw_found(node_tw(n), key);
			continue;
		}
		f = node_flow(n);
		if (READ_ONCE(f->hash) != key->hash)
			continue;
		xtcp_race_point(FLOW_MATCHED);
		/*
		 * Who is in the table can be held. This one has left it: another may stand in
		 * its place, its request's child, which the rest of this chain does not lead to.
		 */
		if (!flow_hold(f))
			goto begin;
		xtcp_race_point(FLOW_HELD);
		if (likely(flow_match(f, key, iif, sdif)))
			return f;
		/* another device's, or reused under our feet: the chain's end will tell */
		xtcp_flow_put(f);
	}
	if (n != node_end(slot))
		goto begin;
	return NULL;
}

/* What a received segment is looked up by; all but kind, dif and hash of @key. */
static __always_inline void key_skb(struct xtcp_flow *key, struct net *net,
				    const struct sk_buff *skb, int *iif, int *sdif)
{
	const struct tcphdr *th = tcp_hdr(skb);

	key->net = net;
	key->lport = th->dest;
	key->fport = th->source;
	if (skb->protocol == htons(ETH_P_IP)) {
		key->family = AF_INET;
		key->v4.laddr = ip_hdr(skb)->daddr;
		key->v4.faddr = ip_hdr(skb)->saddr;
		*iif = inet_iif(skb);
		*sdif = inet_sdif(skb);
	} else {
		key->family = AF_INET6;
		key->v6.laddr = ipv6_hdr(skb)->daddr;
		key->v6.faddr = ipv6_hdr(skb)->saddr;
		*iif = inet6_iif(skb);
		*sdif = inet6_sdif(skb);
	}
}

/**
 * xtcp_flow_lookup_skb - find the flow of a received segment
 * @net: namespace
 * @skb: IP and TCP headers set and pulled, IP's control block still there
 * @key: room for the segment's key
 *
 * Return: as xtcp_flow_lookup(). RCU.
 */
xtcp_hot struct xtcp_flow *xtcp_flow_lookup_skb(struct net *net, const struct sk_buff *skb,
						struct xtcp_flow *key)
{
	u32 noted = XTCP_CB(skb)->seq;
	struct xtcp_flow *f;
	int iif, sdif;

	key_skb(key, net, skb, &iif, &sdif);
	/*
	 * By xtcp_flow_peek(), or by chance, or the sender's will: then it finds nobody, for
	 * it is compared. Not so with a TIME-WAIT entry, which has none: that is on the
	 * wheel, and would be taken off it, by the hash it really has.
	 */
	if (noted == ~XTCP_CB(skb)->end_seq) {
		key->hash = noted;
		f = xtcp_flow_lookup(net, key, iif, sdif);
		if (f && f->kind != XTCP_KIND_TW)
			return f;
	}
	key->hash = flow_hash(key);
	return xtcp_flow_lookup(net, key, iif, sdif);
}

/**
 * xtcp_flow_peek - the connection a segment will find, if it gets there
 * @net: namespace
 * @skb: as for xtcp_flow_lookup_skb(); it may not have a route yet. If there is a
 *	connection, its hash is noted where IP keeps nothing
 *
 * Return: the connection, not referenced: it may be over, but is not freed in
 * the caller's RCU section; or NULL. Softirq.
 */
struct xtcp_sock *xtcp_flow_peek(struct net *net, struct sk_buff *skb)
{
	struct xtcp_flow key xtcp_unset;
	struct xtcp_node *n;
	int iif, sdif;
	u32 slot;

	key_skb(&key, net, skb, &iif, &sdif);
	key.hash = flow_hash(&key);
	slot = key.hash & ft.mask;
	do {
		for (n = node_follow(&ft.head[slot]); !node_is_end(n); n = node_follow(&n->next)) {
			if (node_kind(n) != XTCP_KIND_CONN ||
			    !flow_match(node_flow(n), &key, iif, sdif))
				continue;
			XTCP_CB(skb)->seq = key.hash;
			XTCP_CB(skb)->end_seq = ~key.hash;
			return flow_conn(node_flow(n));
		}
	} while (n != node_end(slot));
	return NULL;
}

/* What in @slot @f would collide with. Bucket lock. */
static struct xtcp_node *flow_find_locked(const struct xtcp_flow *f, u32 slot)
{
	int sdif = f->dif ? l3mdev_master_ifindex_by_index(f->net, f->dif) : 0;
	struct xtcp_node *n;

	lockdep_assert_held(bucket_lock(slot));
	for (n = node_follow(&ft.head[slot]); !node_is_end(n); n = node_follow(&n->next)) {
		if (n != &f->node && node_match(n, f, f->dif, sdif))
			return n;
	}
	return NULL;
}

/**
 * xtcp_flow_insert - make a flow findable, unless its 4-tuple is taken
 * @f: initialised; a request has no reference yet and gets XTCP_FLOW_REFS
 *
 * Return: 0, or -EADDRNOTAVAIL (nobody has seen @f: free it). Any context.
 */
int xtcp_flow_insert(struct xtcp_flow *f)
{
	u32 slot = f->hash & ft.mask;
	spinlock_t *lock = bucket_lock(slot);
	int err = 0;

	xtcp_race_point(FLOW_INSERT);
	spin_lock_bh(lock);
	if (flow_find_locked(f, slot)) {
		err = -EADDRNOTAVAIL;
	} else {
		flow_publish(f, NULL, slot);
		this_cpu_inc(flow_count);
	}
	spin_unlock_bh(lock);
	return err;
}

/**
 * xtcp_flow_replace - put one flow in the place of another in one step
 * @old: the same 4-tuple
 * @new: initialised; its references are made and @old's of the table comes out,
 *	 as for insert and remove
 *
 * Readers meet @old or @new, never nothing; who cannot hold @old any more looks again.
 *
 * Return: false if @old was not hashed any more; then nothing happened.
 */
bool xtcp_flow_replace(struct xtcp_flow *old, struct xtcp_flow *new)
{
	u32 slot = old->hash & ft.mask;
	spinlock_t *lock = bucket_lock(slot);
	bool done = false;

	if (WARN_ON_ONCE(old->hash != new->hash))
		return false;
	spin_lock_bh(lock);
	if (old->hashed) {
		flow_publish(new, &old->node, slot);
		xtcp_race_point(FLOW_REPLACE);
		WRITE_ONCE(old->hashed, 0);
		done = true;
	}
	spin_unlock_bh(lock);
	return done;
}

/* ------------------------------------------- the bucket's part of timewait.c */

/**
 * xtcp_flow_bucket - the lock of a flow's bucket
 * @hash: of the flow
 *
 * Return: to be taken with spin_lock_bh().
 */
spinlock_t *xtcp_flow_bucket(u32 hash)
{
	return bucket_lock(hash & ft.mask);
}

/**
 * xtcp_flow_find_tw - the TIME-WAIT entry of a key
 * @key: dif and hash set; its bucket locked
 *
 * Return: the entry, good until the bucket is unlocked, or NULL.
 */
struct xtcp_tw *xtcp_flow_find_tw(const struct xtcp_flow *key)
{
	u32 slot = key->hash & ft.mask;
	struct xtcp_node *n;

	lockdep_assert_held(bucket_lock(slot));
	/* an entry has no hash to compare: its wheel is found by this one */
	RCU_LOCKDEP_WARN(key->hash != flow_hash(key), "xtcp: a flow by another's hash");
	for (n = node_follow(&ft.head[slot]); !node_is_end(n); n = node_follow(&n->next)) {
		if (node_kind(n) == XTCP_KIND_TW && node_tw(n)->home->id.dif == key->dif &&
		    tw_match(node_tw(n), key, key->dif, 0))
			return node_tw(n);
	}
	return NULL;
}

/**
 * xtcp_flow_tw_conflict - the TIME-WAIT entry in the way of a connection
 * @f: complete, not hashed; its bucket locked
 *
 * Return: the entry; NULL: there is none, or something else is in the way, too.
 */
struct xtcp_tw *xtcp_flow_tw_conflict(const struct xtcp_flow *f)
{
	struct xtcp_node *n = flow_find_locked(f, f->hash & ft.mask);

	return n && node_kind(n) == XTCP_KIND_TW ? node_tw(n) : NULL;
}

/**
 * xtcp_flow_to_tw - a TIME-WAIT entry takes a connection's place
 * @old: connection
 * @tw: entry; its bucket, which is @old's, locked
 *
 * Return: false if @old was not hashed any more; then nothing happened.
 */
bool xtcp_flow_to_tw(struct xtcp_flow *old, struct xtcp_tw *tw)
{
	u32 slot = old->hash & ft.mask;

	lockdep_assert_held(bucket_lock(slot));
	if (!old->hashed)
		return false;
	bucket_swap(&old->node, &tw->node, slot);
	xtcp_race_point(TW_SWAP);
	WRITE_ONCE(old->hashed, 0);
	return true;
}

/**
 * xtcp_flow_from_tw - and the other way round
 * @tw: entry; its bucket locked
 * @new: connection of the same 4-tuple
 */
void xtcp_flow_from_tw(struct xtcp_tw *tw, struct xtcp_flow *new)
{
	u32 slot = new->hash & ft.mask;

	flow_publish(new, &tw->node, slot);
}

/**
 * xtcp_flow_del_tw - take a TIME-WAIT entry out of the table
 * @tw: entry; its bucket locked
 * @hash: its key's
 */
void xtcp_flow_del_tw(struct xtcp_tw *tw, u32 hash)
{
	const struct xtcp_home_id *id = &tw->home->id;

	if (!bucket_del(&tw->node, hash & ft.mask))
		return;
	this_cpu_dec(flow_count);
	xtcp_ports_flow_gone(xtcp_net(id->net), id->family == AF_INET6, &id->laddr6, &tw->faddr6,
			     id->lport, tw->node.fport);
}

/**
 * xtcp_flow_remove - take a flow out of the table
 * @f: flow
 *
 * Return: true if this call removed it (its table reference, if of a kind that
 * has one, is the caller's now), false if it was not there. Any context.
 */
bool xtcp_flow_remove(struct xtcp_flow *f)
{
	spinlock_t *lock = bucket_lock(f->hash & ft.mask);
	bool done = false;

	if (!READ_ONCE(f->hashed))
		return false;
	xtcp_race_point(FLOW_REMOVE);
	spin_lock_bh(lock);
	if (f->hashed) {
		WRITE_ONCE(f->hashed, 0);
		bucket_del(&f->node, f->hash & ft.mask);
		this_cpu_dec(flow_count);
		done = true;
	}
	spin_unlock_bh(lock);
	xtcp_race_point(FLOW_GONE);
	if (done)
		xtcp_ports_flow_gone(xtcp_net(f->net), f->family == AF_INET6, &f->v6.laddr,
				     f->family == AF_INET6 ? (void *)&f->v6.faddr :
							     (void *)&f->v4.faddr,
				     f->lport, f->fport);
	return done;
}

/**
 * xtcp_flow_total - flows hashed on the whole machine
 *
 * Return: their number; exact when nothing changes meanwhile.
 */
long xtcp_flow_total(void)
{
	long n = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		n += READ_ONCE(per_cpu(flow_count, cpu));
	return n;
}

/**
 * xtcp_flow_buckets - size of the flow table
 *
 * Return: number of buckets.
 */
unsigned int xtcp_flow_buckets(void)
{
	return ft.mask + 1;
}

static struct net *node_net(struct xtcp_node *n)
{
	return node_kind(n) == XTCP_KIND_TW ? node_tw(n)->home->id.net : node_flow(n)->net;
}

/**
 * xtcp_flow_next - next flow at or after a position
 * @net: only of this namespace; NULL: any
 * @bucket: position, in and out
 * @off: position within the bucket: how many of this namespace to skip
 * @view: filled if it is a TIME-WAIT entry
 *
 * The position counts entries, so one that is removed between calls makes the
 * walk skip another of the same bucket: whoever removes what it finds starts
 * again with *off 0, until a whole walk finds nothing.
 *
 * Return: the flow, referenced, or &view->flow, or NULL at the end. Any context.
 */
struct xtcp_flow *xtcp_flow_next(struct net *net, unsigned int *bucket, unsigned int *off,
				 struct xtcp_tw_view *view)
{
	struct xtcp_flow *f = NULL;
	struct xtcp_node *n;
	unsigned int i;

	for (; *bucket <= ft.mask; ++*bucket, *off = 0) {
		spinlock_t *lock = bucket_lock(*bucket);

		if (node_is_end(READ_ONCE(ft.head[*bucket])))
			continue;
		i = 0;
		spin_lock_bh(lock);
		for (n = node_follow(&ft.head[*bucket]); !node_is_end(n);
		     n = node_follow(&n->next)) {
			if ((net && node_net(n) != net) || i++ < *off)
				continue;
			if (node_kind(n) == XTCP_KIND_TW) {
				xtcp_tw_view(node_tw(n), view);
				f = &view->flow;
			} else if (flow_hold(node_flow(n))) {
				f = node_flow(n);
			} else {
				continue;
			}
			*off = i;
			break;
		}
		spin_unlock_bh(lock);
		if (f) {
			xtcp_race_point(FLOW_WALKED);
			return f;
		}
	}
	return NULL;
}

/**
 * xtcp_demux_init - make the tables, sized for the machine
 *
 * Return: 0 or -ENOMEM. Module init.
 */
int xtcp_demux_init(void)
{
	unsigned long n = totalram_pages() >> (15 - PAGE_SHIFT);
	u32 i, buckets, locks;

	buckets = rounddown_pow_of_two(clamp_t(unsigned long, n, 1024, FLOW_BUCKETS_MAX));
	if (flow_buckets)
		buckets = roundup_pow_of_two(min(flow_buckets, FLOW_BUCKETS_MAX));
	locks = min(roundup_pow_of_two(num_possible_cpus()) * 64u, min(buckets, FLOW_LOCKS_MAX));
	ft.head = kvmalloc_array(buckets, sizeof(*ft.head), GFP_KERNEL);
	ft.lock = kvmalloc_array(locks, sizeof(*ft.lock), GFP_KERNEL);
	if (!ft.head || !ft.lock) {
		xtcp_demux_exit();
		return -ENOMEM;
	}
	for (i = 0; i < buckets; i++)
		ft.head[i] = node_end(i);
	for (i = 0; i < locks; i++)
		spin_lock_init(&ft.lock[i]);
	ft.mask = buckets - 1;
	ft.lock_mask = locks - 1;
	get_random_bytes(&ft.key, sizeof(ft.key));
	xtcp_listeners_init();
	return 0;
}

/**
 * xtcp_demux_exit - free the tables
 *
 * They are empty and every reader is gone (RCU barrier). Module exit.
 */
void xtcp_demux_exit(void)
{
	kvfree(ft.lock);
	kvfree(ft.head);
	ft.lock = NULL;
	ft.head = NULL;
}
