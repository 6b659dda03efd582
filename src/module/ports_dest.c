// SPDX-License-Identifier: GPL-2.0
/*
 * Busy destinations: which local ports our connections to one (address, port)
 * use already, a bit per port, so that connect() finds a free one without
 * trying the taken ones (SEEDS 1-22, 4-89).
 *
 * A destination gets its bits when connect() has met a few taken ports in one
 * search, and loses them when nobody has connected to it for a minute; at most
 * DEST_MAX of a namespace have any. The bits are a hint: a wrong one costs
 * time, never an answer, since only a search that tries the ports themselves
 * says EADDRNOTAVAIL. They are nearly always right: a bit is set *before* its
 * flow is put into the table and cleared after a flow has left it, so that
 * whoever set the bit and then found the 4-tuple taken is followed by the clear
 * of what was there. Only what a flow does to itself while it lives (another
 * device, SO_BINDTODEVICE) goes unnoticed.
 *
 * Locks: xn->dest_lock to change the table, RCU to read it. Bits and counters
 * are atomic.
 */
#include "ports.h"

#include <linux/bitmap.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/siphash.h>
#include <linux/slab.h>

#define DEST_MAX	256		/* of a namespace: 2 MB at most */
#define DEST_IDLE	(60 * HZ)	/* kept so long after the last connect() */
/* a full destination is believed full so long, if nothing is seen to leave */
#define DEST_FULL	max(HZ / 10, 1)

static siphash_key_t dest_secret;

static void dest_key_fill(struct dest_key *k, bool v6, const void *laddr, const void *faddr,
			  __be16 fport)
{
	memset(k, 0, sizeof(*k));
	k->v6 = v6;
	k->fport = fport;
	if (v6) {
		memcpy(&k->laddr, laddr, sizeof(k->laddr));
		memcpy(&k->faddr, faddr, sizeof(k->faddr));
	} else {
		memcpy(&k->laddr, laddr, 4);
		memcpy(&k->faddr, faddr, 4);
	}
}

/**
 * dest_key_sk - where a sock connects to, and from
 * @k: filled
 * @sk: both addresses and the peer's port set; sock lock held
 *
 * Return: a keyed hash of it.
 */
u64 dest_key_sk(struct dest_key *k, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

	if (sk->sk_family == AF_INET6 && !xtcp_sk(sk)->v4)
		dest_key_fill(k, true, &sk->sk_v6_rcv_saddr, &sk->sk_v6_daddr, inet->inet_dport);
	else
		dest_key_fill(k, false, &inet->inet_rcv_saddr, &inet->inet_daddr,
			      inet->inet_dport);
	return siphash(k, sizeof(*k), &dest_secret);
}

static struct hlist_head *dest_head(struct xtcp_net *xn, u64 hash)
{
	return &xn->dest_hash[hash & (XTCP_DEST_HEADS - 1)];
}

static bool dest_is(const struct xtcp_dest *d, const struct dest_key *k, u64 hash)
{
	return d->hash == hash && !memcmp(&d->k, k, sizeof(*k));
}

/**
 * dest_find - the bits of a destination, if it has any
 * @xn: namespace
 * @k: from dest_key_sk()
 * @hash: likewise
 * @dif: bound device of the sock, 0: any
 *
 * Return: referenced, or NULL. Process context.
 */
struct xtcp_dest *dest_find(struct xtcp_net *xn, const struct dest_key *k, u64 hash, int dif)
{
	struct xtcp_dest *d, *found = NULL;

	if (!READ_ONCE(xn->n_dests))
		return NULL;
	rcu_read_lock();
	hlist_for_each_entry_rcu(d, dest_head(xn, hash), node) {
		if (dest_is(d, k, hash) && d->dif == dif && refcount_inc_not_zero(&d->ref)) {
			found = d;
			break;
		}
	}
	rcu_read_unlock();
	if (found)
		WRITE_ONCE(found->used, jiffies);
	return found;
}

static void dest_free(struct xtcp_dest *d)
{
	bitmap_free(d->busy);
	kfree(d);
}

static void dest_free_rcu(struct rcu_head *rcu)
{
	dest_free(container_of(rcu, struct xtcp_dest, rcu));
}

/**
 * dest_put - drop a reference
 * @d: may be NULL
 */
void dest_put(struct xtcp_dest *d)
{
	if (d && refcount_dec_and_test(&d->ref))
		call_rcu(&d->rcu, dest_free_rcu);
}

/**
 * dest_make - a destination turns out to be busy
 * @xn: namespace
 * @k: from dest_key_sk()
 * @hash: likewise
 * @dif: bound device, 0: any
 *
 * Return: referenced, perhaps made by somebody else meanwhile; NULL if there is
 * no memory or there are too many. Process context.
 */
struct xtcp_dest *dest_make(struct xtcp_net *xn, const struct dest_key *k, u64 hash, int dif)
{
	struct xtcp_dest *d = dest_find(xn, k, hash, dif), *e;

	if (d || READ_ONCE(xn->n_dests) >= DEST_MAX)
		return d;
	d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!d)
		return NULL;
	d->busy = bitmap_zalloc(XTCP_PORTS, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!d->busy) {
		kfree(d);
		return NULL;
	}
	d->k = *k;
	d->hash = hash;
	d->dif = dif;
	d->used = jiffies;
	d->full_until = jiffies;
	refcount_set(&d->ref, 2);	/* table, caller */
	spin_lock_bh(&xn->dest_lock);
	hlist_for_each_entry(e, dest_head(xn, hash), node) {
		/* of the same age: not about to be dropped */
		if (dest_is(e, k, hash) && e->dif == dif && refcount_inc_not_zero(&e->ref)) {
			spin_unlock_bh(&xn->dest_lock);
			dest_free(d);
			return e;
		}
	}
	hlist_add_head_rcu(&d->node, dest_head(xn, hash));
	WRITE_ONCE(xn->n_dests, xn->n_dests + 1);
	spin_unlock_bh(&xn->dest_lock);
	queue_delayed_work(system_unbound_wq, &xn->dest_work, DEST_IDLE);
	return d;
}

/**
 * dest_mark - a port is about to be used for a destination
 * @d: destination
 * @port: host order
 *
 * Return: false if it was marked already.
 */
bool dest_mark(struct xtcp_dest *d, u16 port)
{
	return !test_and_set_bit(port_bit(port), d->busy);
}

/**
 * dest_unmark - a port was not to be had after all
 * @d: destination
 * @port: host order; marked by the caller
 */
void dest_unmark(struct xtcp_dest *d, u16 port)
{
	clear_bit(port_bit(port), d->busy);
}

/**
 * dest_full - has a whole search just found nothing?
 * @d: destination
 * @low: first port of the range now
 * @high: last
 *
 * Return: true if so, the range is the same and nothing has left since.
 */
bool dest_full(const struct xtcp_dest *d, int low, int high)
{
	/* pairs with dest_set_full() */
	unsigned long until = smp_load_acquire(&d->full_until);

	return time_before(jiffies, until) && READ_ONCE(d->full_gone) == atomic_read(&d->gone) &&
	       READ_ONCE(d->full_low) == low && READ_ONCE(d->full_high) == high;
}

/**
 * dest_set_full - a whole search found nothing
 * @d: destination; xn->bind_mutex held
 * @low: first port searched
 * @high: last
 * @gone: d->gone when the search began
 */
void dest_set_full(struct xtcp_dest *d, int low, int high, int gone)
{
	/* not valid while it changes */
	WRITE_ONCE(d->full_until, jiffies);
	/* orders it before the rest */
	smp_wmb();
	WRITE_ONCE(d->full_low, low);
	WRITE_ONCE(d->full_high, high);
	WRITE_ONCE(d->full_gone, gone);
	/* and the rest before this; pairs with dest_full() */
	smp_store_release(&d->full_until, jiffies + DEST_FULL);
}

/* A port has become free. */
static void dest_leave(struct xtcp_dest *d, u16 port)
{
	clear_bit(port_bit(port), d->busy);
	/* whoever sees the count unchanged sees the bit as it was; see dest_full() */
	smp_mb__after_atomic();
	atomic_inc(&d->gone);
}

/**
 * xtcp_dest_flow_gone - a 4-tuple has left the flow table for good
 * @xn: namespace
 * @v6: IPv6 on the wire
 * @laddr: our address, 4 or 16 bytes
 * @faddr: the peer's
 * @lport: our port
 * @fport: the peer's
 *
 * To be called after (or under the bucket lock while) the flow is taken out.
 * Any context.
 */
void xtcp_dest_flow_gone(struct xtcp_net *xn, bool v6, const void *laddr, const void *faddr,
			 __be16 lport, __be16 fport)
{
	struct xtcp_dest *d;
	struct dest_key k;
	u64 hash;

	dest_key_fill(&k, v6, laddr, faddr, fport);
	hash = siphash(&k, sizeof(k), &dest_secret);
	rcu_read_lock();
	/* whatever the device: an unbound flow is in the way of a bound one, too */
	hlist_for_each_entry_rcu(d, dest_head(xn, hash), node) {
		if (dest_is(d, &k, hash) && test_bit(port_bit(ntohs(lport)), d->busy))
			dest_leave(d, ntohs(lport));
	}
	rcu_read_unlock();
}

/* Forget destinations; all, or those nobody has connected to for long. */
static void dest_drop(struct xtcp_net *xn, bool all)
{
	struct hlist_node *n;
	struct xtcp_dest *d;
	int i;

	for (i = 0; i < XTCP_DEST_HEADS; i++) {
		spin_lock_bh(&xn->dest_lock);
		hlist_for_each_entry_safe(d, n, &xn->dest_hash[i], node) {
			if (!all && time_before(jiffies, READ_ONCE(d->used) + DEST_IDLE))
				continue;
			hlist_del_rcu(&d->node);
			WRITE_ONCE(xn->n_dests, xn->n_dests - 1);
			dest_put(d);
		}
		spin_unlock_bh(&xn->dest_lock);
	}
}

static void dest_work(struct work_struct *work)
{
	struct xtcp_net *xn = container_of(work, struct xtcp_net, dest_work.work);

	dest_drop(xn, false);
	if (READ_ONCE(xn->n_dests))
		queue_delayed_work(system_unbound_wq, &xn->dest_work, DEST_IDLE / 2);
}

/**
 * dest_net_init - a namespace's table, empty
 * @xn: new namespace
 */
void dest_net_init(struct xtcp_net *xn)
{
	spin_lock_init(&xn->dest_lock);
	INIT_DELAYED_WORK(&xn->dest_work, dest_work);
}

/**
 * dest_net_exit - forget all; nobody connects any more and no flow is left
 * @xn: namespace
 */
void dest_net_exit(struct xtcp_net *xn)
{
	cancel_delayed_work_sync(&xn->dest_work);
	dest_drop(xn, true);
}

/** dest_init - the hash's secret; module init */
void dest_init(void)
{
	get_random_bytes(&dest_secret, sizeof(dest_secret));
}

/** dest_exit - wait until what was dropped is free; module exit */
void dest_exit(void)
{
	rcu_barrier();
}
