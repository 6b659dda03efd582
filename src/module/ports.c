// SPDX-License-Identifier: GPL-2.0
/*
 * Who owns which local port: claims and their life.
 *
 * Explicit binds and the release of claims are serialized by bind_mutex, so
 * that a shadow on its way out is never met by a bind; connect() creates claims
 * without it, under eph_sem for reading: what it meets half-way looks like a
 * busy port, and it goes on to the next. Before it gives up it takes bind_mutex
 * and eph_sem for writing and so meets nothing half-way. The tables themselves
 * are under bind_lock.
 */
#include "ports.h"

#include <linux/net.h>
#include <linux/slab.h>

#include "demux.h"

#define EPH_LINGER	(HZ / 4)	/* idle ephemeral claims wait for a new user */

/**
 * bind_alloc - a claim, not hashed, without a shadow
 * @xn: namespace
 * @k: address
 * @port: host order
 * @eph: made by connect()
 *
 * Return: the claim with one reference, or NULL. Process context.
 */
struct xtcp_bind *bind_alloc(struct xtcp_net *xn, const struct port_key *k, u16 port, bool eph)
{
	struct xtcp_bind *b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);

	if (!b)
		return NULL;
	INIT_LIST_HEAD(&b->idle);
	INIT_HLIST_HEAD(&b->owners);
	b->xn = xn;
	b->k = *k;
	b->port = port;
	b->eph = eph;
	atomic_set(&b->ref, 1);
	return b;
}

/**
 * bind_hash_add - make a claim findable
 * @b: with its shadow; bind_lock held
 */
void bind_hash_add(struct xtcp_bind *b)
{
	lockdep_assert_held(&b->xn->bind_lock);
	if (b->eph)
		clear_bit(port_bit(b->port), b->xn->port_shut);
	hlist_add_head_rcu(&b->node, bind_head(b->xn, b->port));
	set_bit(b->port, b->xn->port_bitmap);
}

/* Out of the table; bind_lock held. The caller frees it. */
static void bind_hash_del(struct xtcp_bind *b)
{
	struct xtcp_bind *c;

	lockdep_assert_held(&b->xn->bind_lock);
	hlist_del_rcu(&b->node);
	hlist_for_each_entry(c, bind_head(b->xn, b->port), node) {
		if (c->port == b->port)
			return;
	}
	clear_bit(b->port, b->xn->port_bitmap);
}

/**
 * bind_hold - one more reference, idle or not
 * @b: hashed; bind_lock held
 */
void bind_hold(struct xtcp_bind *b)
{
	lockdep_assert_held(&b->xn->bind_lock);
	atomic_inc(&b->ref);
	if (!list_empty(&b->idle))
		list_del_init(&b->idle);
}

/**
 * bind_own - a sock becomes an owner; a reference goes in
 * @b: claim; bind_lock held
 * @sk: not bound
 * @binder: by bind() or listen() itself
 */
void bind_own(struct xtcp_bind *b, struct sock *sk, bool binder)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	lockdep_assert_held(&b->xn->bind_lock);
	x->bind = b;
	x->bind_binder = binder;
	x->bind_listen = 0;
	hlist_add_head(&x->bind_node, &b->owners);
	b->n_owners++;
	if (binder) {
		b->n_binders++;
		b->reuse = !!sk->sk_reuse;
		b->reuseport = sk->sk_reuseport;
	}
	inet_sk(sk)->inet_num = b->port;
}

/* The owner leaves; its reference is the caller's. bind_lock. */
static void bind_disown(struct xtcp_bind *b, struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	hlist_del_init(&x->bind_node);
	b->n_owners--;
	if (x->bind_binder) {
		b->reuse = !!sk->sk_reuse;
		b->reuseport = sk->sk_reuseport;
		if (!--b->n_binders) {
			b->weak = 1;
			shadow_set_reuse(b->shadow, b->reuse);
		}
	}
	x->bind = NULL;
	x->bind_binder = 0;
	x->bind_listen = 0;
}

/**
 * xtcp_bind_get - one more reference to a claim
 * @b: claim the caller holds, or NULL
 *
 * Return: @b. Any context.
 */
struct xtcp_bind *xtcp_bind_get(struct xtcp_bind *b)
{
	if (b)
		atomic_inc(&b->ref);
	return b;
}

/**
 * xtcp_bind_put - drop a reference to a claim
 * @b: may be NULL
 *
 * Any context: the shadow of an idle claim is released by a worker.
 */
void xtcp_bind_put(struct xtcp_bind *b)
{
	struct xtcp_net *xn;

	if (!b)
		return;
	xn = b->xn;
	local_bh_disable();
	if (atomic_dec_and_lock(&b->ref, &xn->bind_lock)) {
		bool eph = b->eph;

		list_add_tail(&b->idle, eph ? &xn->bind_idle_eph : &xn->bind_idle);
		spin_unlock(&xn->bind_lock);
		xtcp_race_point(BIND_IDLE);
		if (eph)
			queue_delayed_work(system_unbound_wq, &xn->bind_work, EPH_LINGER);
		else
			mod_delayed_work(system_unbound_wq, &xn->bind_work, 0);
	}
	local_bh_enable();
}

static void bind_free(struct xtcp_bind *b)
{
	xtcp_race_point(BIND_FREE);
	sock_release(b->shadow);
	if (!b->eph)
		atomic_dec(&b->xn->bind_dying);
	/* whoever found the port bound may look again */
	clear_bit(port_bit(b->port), b->xn->port_shut);
	kfree_rcu(b, rcu);
}

/* An idle claim leaves the table; bind_lock, and bind_mutex until it is freed. */
static void bind_condemn(struct xtcp_bind *b, struct list_head *gone)
{
	if (!b->eph) {
		atomic_inc(&b->xn->bind_dying);
		smp_wmb();	/* before the list tells xtcp_ports_flush() that it is gone */
	}
	bind_hash_del(b);
	list_move(&b->idle, gone);
}

/* Take idle claims of a list out of the table, a bounded number at a time. */
static void bind_collect(struct xtcp_net *xn, struct list_head *idle, struct list_head *gone)
{
	unsigned int n = 0;
	struct xtcp_bind *b;

	spin_lock_bh(&xn->bind_lock);
	while ((b = list_first_entry_or_null(idle, struct xtcp_bind, idle))) {
		bind_condemn(b, gone);
		if (++n % 64)
			continue;
		spin_unlock_bh(&xn->bind_lock);
		cond_resched();
		spin_lock_bh(&xn->bind_lock);
	}
	spin_unlock_bh(&xn->bind_lock);
}

/**
 * bind_reap - release idle claims
 * @xn: namespace; bind_mutex held
 * @eph: those that connect() made, too
 */
void bind_reap(struct xtcp_net *xn, bool eph)
{
	struct xtcp_bind *b, *tmp;
	LIST_HEAD(gone);

	lockdep_assert_held(&xn->bind_mutex);
	bind_collect(xn, &xn->bind_idle, &gone);
	if (eph)
		bind_collect(xn, &xn->bind_idle_eph, &gone);
	list_for_each_entry_safe(b, tmp, &gone, idle) {
		bind_free(b);
		cond_resched();
	}
}

/**
 * bind_reap_port - release the idle claims of a port now
 * @xn: namespace; bind_mutex held
 * @port: host order
 */
void bind_reap_port(struct xtcp_net *xn, u16 port)
{
	struct xtcp_bind *b, *tmp;
	struct hlist_node *n;
	LIST_HEAD(gone);

	lockdep_assert_held(&xn->bind_mutex);
	spin_lock_bh(&xn->bind_lock);
	hlist_for_each_entry_safe(b, n, bind_head(xn, port), node) {
		if (b->port != port || list_empty(&b->idle))
			continue;
		bind_condemn(b, &gone);
	}
	spin_unlock_bh(&xn->bind_lock);
	list_for_each_entry_safe(b, tmp, &gone, idle)
		bind_free(b);
}

static void bind_sweep(struct xtcp_net *xn, bool eph)
{
	mutex_lock(&xn->bind_mutex);
	bind_reap(xn, eph);
	mutex_unlock(&xn->bind_mutex);
}

static void bind_work(struct work_struct *work)
{
	struct xtcp_net *xn = container_of(work, struct xtcp_net, bind_work.work);

	/* who closes a bound socket may wait for this, but not for the other */
	bind_sweep(xn, false);
	bind_sweep(xn, true);
}

/**
 * xtcp_ports_flush - release the claims nobody uses, before returning
 * @xn: namespace
 *
 * So that a program that has closed its socket can bind the port elsewhere at
 * once. Process context.
 */
void xtcp_ports_flush(struct xtcp_net *xn)
{
	/* what is not on the list any more, the worker may be about to release */
	if (list_empty_careful(&xn->bind_idle)) {
		smp_rmb();	/* bind_condemn() counts before it takes off the list */
		if (!atomic_read(&xn->bind_dying))
			return;
	}
	bind_sweep(xn, false);
}

/* Open or close the way past our own shadows that overlap @k. bind_lock. */
static bool shadows_yield(struct xtcp_net *xn, const struct port_key *k, u16 port, bool yield)
{
	struct xtcp_bind *b;
	bool any = false;

	hlist_for_each_entry(b, bind_head(xn, port), node) {
		if (b->port != port || !port_key_overlap(k, &b->k))
			continue;
		shadow_set_reuse(b->shadow, yield || (b->weak && b->reuse));
		any = true;
	}
	return any;
}

/* A new claim of @port for @sk, shadow and all. bind_mutex. */
static int bind_create(struct xtcp_net *xn, struct sock *sk, const struct port_key *k, u16 port)
{
	struct xtcp_bind *b = bind_alloc(xn, k, port, false);
	struct socket *shadow;
	bool overlap;
	int err;

	if (!b)
		return -ENOMEM;
	shadow = shadow_create(sock_net(sk), k);
	if (IS_ERR(shadow)) {
		kfree(b);
		return PTR_ERR(shadow);
	}
	spin_lock_bh(&xn->bind_lock);
	overlap = shadows_yield(xn, k, port, true);
	spin_unlock_bh(&xn->bind_lock);

	err = shadow_bind(shadow, k, port, sk->sk_reuse || overlap);
	if (!err) {
		xtcp_race_point(BIND_CREATE);
		/* from here nobody of the kernel's listens, and until the shadow has
		 * stopped to listen, no segment may find it
		 */
		spin_lock_bh(&xn->bind_lock);
		b->shadow = shadow;
		bind_hash_add(b);
		spin_unlock_bh(&xn->bind_lock);
		err = shadow_claim(shadow);
	}
	spin_lock_bh(&xn->bind_lock);
	if (overlap)
		shadows_yield(xn, k, port, false);
	if (!err)
		bind_own(b, sk, true);
	else if (b->shadow)
		bind_hash_del(b);
	spin_unlock_bh(&xn->bind_lock);
	if (err) {
		sock_release(shadow);
		kfree_rcu(b, rcu);
	}
	return err;
}

/* Join a claim of exactly our address. bind_mutex; bind_lock is dropped. */
static int bind_join(struct xtcp_bind *b, struct sock *sk)
	__releases(&b->xn->bind_lock)
{
	struct xtcp_net *xn = b->xn;
	bool weak = b->weak;
	int err = 0;

	bind_hold(b);
	bind_own(b, sk, true);
	if (weak)
		shadows_yield(xn, &b->k, b->port, true);
	spin_unlock_bh(&xn->bind_lock);
	if (!weak)
		return 0;
	/* only leftovers held it: a program of the kernel's may have come since */
	err = shadow_claim(b->shadow);
	spin_lock_bh(&xn->bind_lock);
	if (err)
		bind_disown(b, sk);
	else
		b->weak = 0;
	shadows_yield(xn, &b->k, b->port, false);
	spin_unlock_bh(&xn->bind_lock);
	if (err) {
		inet_sk(sk)->inet_num = 0;
		xtcp_bind_put(b);
	}
	return err;
}

static int port_bind(struct sock *sk, u16 port)
{
	struct xtcp_net *xn = xtcp_net(sock_net(sk));
	struct xtcp_bind *b;
	struct port_key k;
	int err;

	port_key_sk(&k, sk);
	mutex_lock(&xn->bind_mutex);
	spin_lock_bh(&xn->bind_lock);
	if (port_conflict(xn, sk, port)) {
		spin_unlock_bh(&xn->bind_lock);
		err = -EADDRINUSE;
		goto out;
	}
	hlist_for_each_entry(b, bind_head(xn, port), node) {
		if (b->port == port && !b->eph && port_key_equal(&b->k, &k)) {
			err = bind_join(b, sk);
			goto out;
		}
	}
	spin_unlock_bh(&xn->bind_lock);
	bind_reap_port(xn, port);
	err = bind_create(xn, sk, &k, port);
out:
	mutex_unlock(&xn->bind_mutex);
	return err;
}

/**
 * xtcp_get_port - bind a sock to a local port (proto.get_port)
 * @sk: address and device set; sock lock held
 * @snum: port in host order, 0: choose one of ip_local_port_range
 *
 * Return: 0 or -errno, -EADDRINUSE as bind(2) has it. Process context.
 */
int xtcp_get_port(struct sock *sk, unsigned short snum)
{
	int err;

	if (xtcp_sk(sk)->bind)
		return xtcp_sk(sk)->bind->port == snum || !snum ? 0 : -EINVAL;
	err = snum ? port_bind(sk, snum) : port_bind_any(sk);
	if (err == -EACCES || err == -EADDRNOTAVAIL)
		err = -EADDRINUSE;	/* the shadow's trouble, not the address's */
	return err;
}

/**
 * xtcp_port_listen - may this sock listen on its port now?
 * @sk: bound or not (then a port is chosen); sock lock held
 *
 * Return: 0, -EADDRINUSE if another of ours listens there, or -errno of
 * binding. Process context.
 */
int xtcp_port_listen(struct sock *sk)
{
	struct xtcp_net *xn = xtcp_net(sock_net(sk));
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_bind *b;
	int err;

	if (!x->bind) {
		err = xtcp_get_port(sk, inet_sk(sk)->inet_num);
		if (err)
			return err;
		inet_sk(sk)->inet_sport = htons(inet_sk(sk)->inet_num);
	}
	mutex_lock(&xn->bind_mutex);
	spin_lock_bh(&xn->bind_lock);
	b = x->bind;
	err = port_conflict(xn, sk, b->port) ? -EADDRINUSE : 0;
	if (!err) {
		x->bind_listen = 1;
		b->reuse = !!sk->sk_reuse;
	}
	spin_unlock_bh(&xn->bind_lock);
	mutex_unlock(&xn->bind_mutex);
	return err;
}

/**
 * xtcp_port_inherit - a child shares its listener's claim
 * @child: not bound
 * @listener: its listener; may have lost its port meanwhile
 *
 * Softirq.
 */
void xtcp_port_inherit(struct sock *child, const struct sock *listener)
{
	struct xtcp_net *xn = xtcp_net(sock_net(child));
	struct xtcp_bind *b;

	spin_lock_bh(&xn->bind_lock);
	b = xtcp_sk(listener)->bind;
	if (b) {
		bind_hold(b);
		bind_own(b, child, false);
	}
	spin_unlock_bh(&xn->bind_lock);
}

/**
 * xtcp_port_put - give the local port back (proto.put_port)
 * @sk: bound or not
 *
 * Any context.
 */
void xtcp_port_put(struct sock *sk)
{
	struct xtcp_net *xn = xtcp_net(sock_net(sk));
	struct xtcp_bind *b;

	spin_lock_bh(&xn->bind_lock);
	b = xtcp_sk(sk)->bind;
	if (b) {
		bind_disown(b, sk);
		inet_sk(sk)->inet_num = 0;
	}
	spin_unlock_bh(&xn->bind_lock);
	xtcp_bind_put(b);
}

/**
 * xtcp_ports_net_init - a namespace's bind table
 * @xn: new namespace
 *
 * Return: 0 or -ENOMEM.
 */
int xtcp_ports_net_init(struct xtcp_net *xn)
{
	spin_lock_init(&xn->bind_lock);
	mutex_init(&xn->bind_mutex);
	INIT_LIST_HEAD(&xn->bind_idle);
	INIT_LIST_HEAD(&xn->bind_idle_eph);
	INIT_DELAYED_WORK(&xn->bind_work, bind_work);
	init_rwsem(&xn->eph_sem);
	dest_net_init(xn);
	xn->bind_hash = kvcalloc(XTCP_BIND_SIZE, sizeof(*xn->bind_hash), GFP_KERNEL);
	xn->port_bitmap = bitmap_zalloc(XTCP_PORTS, GFP_KERNEL);
	xn->port_shut = bitmap_zalloc(XTCP_PORTS, GFP_KERNEL);
	xn->shut_until = jiffies;
	if (xn->bind_hash && xn->port_bitmap && xn->port_shut)
		return 0;
	kvfree(xn->bind_hash);
	bitmap_free(xn->port_bitmap);
	bitmap_free(xn->port_shut);
	return -ENOMEM;
}

/**
 * xtcp_ports_net_exit - release every claim
 * @xn: namespace without socks, TIME-WAIT entries or requests
 *
 * The kernel's sockets do not pin the namespace, so they must be gone when
 * this returns.
 */
void xtcp_ports_net_exit(struct xtcp_net *xn)
{
	dest_net_exit(xn);
	cancel_delayed_work_sync(&xn->bind_work);
	bind_sweep(xn, true);
	bitmap_free(xn->port_shut);
	bitmap_free(xn->port_bitmap);
	kvfree(xn->bind_hash);
}
