// SPDX-License-Identifier: GPL-2.0
/*
 * Choosing a local port: for bind() to port 0 and for connect() without bind().
 *
 * connect() follows RFC 6056 3.3.4 (algorithm 4): a keyed hash of the
 * destination picks where to begin and which of a table of counters to advance,
 * so that ports are hard to guess and each destination walks the range in its
 * own order. As in the kernel, connect() prefers the parity of the range's
 * first port and bind() the other, so that they stay out of each other's way.
 * The ports known to be taken are skipped by bitmap (ports_dest.c), so that a
 * connect() costs about the same however few are left.
 */
#include "ports.h"

#include <linux/random.h>
#include <linux/slab.h>

#include "demux.h"

#define PERTURB_SIZE	1024		/* RFC 6056 3.3.4 TABLE_LENGTH, power of two */
#define DEST_HITS	8		/* own ports met in one search: a busy destination */
#define PICK_TRIES	16		/* searches of one connect() while ports come and go */
#define SHUT_BELIEVED	HZ		/* how long a port bound by the kernel is left alone */

static u32 perturb[PERTURB_SIZE];	/* racy on purpose: any value will do */

static void port_range(struct xtcp_net *xn, int *low, int *high)
{
	unsigned int seq;

	do {
		seq = read_seqbegin(&xn->range_lock);
		*low = xn->port_range[0];
		xtcp_race_point(PORT_RANGE);
		*high = xn->port_range[1];
	} while (read_seqretry(&xn->range_lock, seq));
}

/* The i-th candidate of a range of n, starting at offset: one parity, then the other. */
static u16 candidate(int low, u32 n, u32 offset, u32 i)
{
	u32 even = (n + 1) / 2;

	if (i < even)
		return low + 2 * ((offset / 2 + i) % even);
	return low + 2 * ((offset / 2 + i) % (n - even)) + 1;
}

/**
 * port_bind_any - bind to a port of ip_local_port_range that nobody uses
 * @sk: address and device set; sock lock held
 *
 * Return: 0, -EADDRINUSE or -ENOMEM. Process context.
 */
int port_bind_any(struct sock *sk)
{
	struct xtcp_net *xn = xtcp_net(sock_net(sk));
	int low, high, err = -EADDRINUSE;
	u32 n, i, offset, odd;
	u16 port;

	port_range(xn, &low, &high);
	n = high - low + 1;
	odd = n / 2;
	offset = get_random_u32() % n;
	for (i = 0; i < n; i++) {
		/* the other parity first */
		port = candidate(low, n, offset, i < odd ? n - odd + i : i - odd);
		if (inet_is_local_reserved_port(sock_net(sk), port) ||
		    test_bit(port, xn->port_bitmap))
			continue;
		err = xtcp_get_port(sk, port);
		if (err != -EADDRINUSE)
			return err;
		cond_resched();
	}
	return -EADDRINUSE;
}

/* A claim found for connect(), referenced; NULL: none yet; ERR_PTR: bound by somebody. */
static struct xtcp_bind *eph_find(struct xtcp_net *xn, u16 port)
{
	struct xtcp_bind *b, *found = NULL;

	if (!test_bit(port, xn->port_bitmap))
		return NULL;
	spin_lock_bh(&xn->bind_lock);
	hlist_for_each_entry(b, bind_head(xn, port), node) {
		if (b->port != port)
			continue;
		if (!b->eph) {
			found = ERR_PTR(-EADDRINUSE);
			break;
		}
		found = b;
	}
	if (!IS_ERR_OR_NULL(found))
		bind_hold(found);
	spin_unlock_bh(&xn->bind_lock);
	return found;
}

/*
 * A new claim of @port for connections, any address. *shadow is the socket
 * tried on port after port, NULL once it is used up. eph_sem.
 */
static struct xtcp_bind *eph_make(struct xtcp_net *xn, u16 port, struct socket **shadow)
{
	struct port_key k = { .family = AF_INET };
	struct xtcp_bind *b;
	int err;

	if (IS_ENABLED(CONFIG_IPV6) && ipv6_mod_enabled())
		k.family = AF_INET6;
	if (!*shadow) {
		struct socket *s = shadow_create(xn->net, &k);

		if (IS_ERR(s))
			return ERR_CAST(s);
		*shadow = s;
	}
	err = shadow_bind(*shadow, &k, port, false);
	if (err) {
		/* by another connect() just now, perhaps */
		b = err == -EADDRINUSE ? eph_find(xn, port) : NULL;
		return b ?: ERR_PTR(err == -ENOMEM ? err : -EADDRINUSE);
	}
	/* bound: the socket is spent, whatever happens now */
	b = bind_alloc(xn, &k, port, true);
	if (!b) {
		sock_release(*shadow);
		*shadow = NULL;
		return ERR_PTR(-ENOMEM);
	}
	b->shadow = *shadow;
	*shadow = NULL;
	spin_lock_bh(&xn->bind_lock);
	bind_hash_add(b);
	spin_unlock_bh(&xn->bind_lock);
	return b;
}

/*
 * One search. The quick one leaves out the ports that a bitmap says are taken.
 * The thorough one, which alone may say that there is none, tries the ports
 * themselves, and nobody else is half-way with one meanwhile.
 */
struct port_pick {
	struct sock *sk;
	struct xtcp_net *xn;
	struct dest_key key;
	u64 hash;			/* of key */
	struct xtcp_dest *dest;		/* referenced; NULL: not known to be busy */
	struct socket *shadow;		/* for the next claim, or NULL */
	int low, high;
	u32 offset;			/* where to begin */
	unsigned int hits;		/* ports found taken by ourselves */
	bool thorough;			/* bind_mutex and eph_sem are held */
	bool skip_busy, skip_shut;	/* believe dest->busy, xn->port_shut */
};

/* A claim for connections: the one there is, or a new one. */
static struct xtcp_bind *eph_get(struct port_pick *pk, u16 port)
{
	struct xtcp_net *xn = pk->xn;
	struct xtcp_bind *b = eph_find(xn, port);

	if (b)
		return b;
	if (pk->thorough)
		return eph_make(xn, port, &pk->shadow);
	down_read(&xn->eph_sem);
	b = eph_make(xn, port, &pk->shadow);
	up_read(&xn->eph_sem);
	return b;
}

static int flow_insert_sk(struct sock *sk, u16 port)
{
	struct inet_sock *inet = inet_sk(sk);
	struct xtcp_flow *f = &xtcp_sk(sk)->flow;
	int err;

	inet->inet_num = port;
	inet->inet_sport = htons(port);
	xtcp_flow_init_sk(f, sk);
	err = xtcp_flow_insert(f);
	if (err)
		err = xtcp_tw_take(sk);
	if (!err)
		xtcp_takeover_ensure();
	return err;
}

static void pick_dest(struct port_pick *pk)
{
	if (!pk->dest)
		pk->dest = dest_make(pk->xn, &pk->key, pk->hash,
				     READ_ONCE(pk->sk->sk_bound_dev_if));
}

/*
 * Take @port for the connection. -EADDRINUSE: somebody has bound it;
 * -EADDRNOTAVAIL: a connection of ours to the same destination uses it.
 */
static int pick_try(struct port_pick *pk, u16 port)
{
	bool fresh = pk->dest && dest_mark(pk->dest, port);
	struct xtcp_bind *b;
	int err;

	if (pk->dest && !fresh && pk->skip_busy)
		return -EADDRNOTAVAIL;	/* somebody was quicker */
	b = eph_get(pk, port);
	if (IS_ERR(b)) {
		if (fresh)
			dest_unmark(pk->dest, port);
		if (PTR_ERR(b) == -EADDRINUSE)
			set_bit(port_bit(port), pk->xn->port_shut);
		return PTR_ERR(b);
	}
	xtcp_race_point(PICK_CLAIM);
	err = flow_insert_sk(pk->sk, port);
	if (err) {
		xtcp_bind_put(b);
		return err;
	}
	xtcp_race_point(PICK_OWN);
	spin_lock_bh(&pk->xn->bind_lock);
	bind_own(b, pk->sk, false);
	spin_unlock_bh(&pk->xn->bind_lock);
	return 0;
}

/* First bit of [at, end) that is clear in both bitmaps, each may be NULL; else end. */
static u32 next_clear(const unsigned long *a, const unsigned long *b, u32 at, u32 end)
{
	while (at < end) {
		u32 w = at / BITS_PER_LONG;
		unsigned long taken = (a ? READ_ONCE(a[w]) : 0) | (b ? READ_ONCE(b[w]) : 0);

		taken |= ~(~0UL << (at % BITS_PER_LONG));
		if (~taken)
			return min_t(u32, end, w * BITS_PER_LONG + ffz(taken));
		at = (w + 1) * BITS_PER_LONG;
	}
	return end;
}

/* Try the bits [at, end). */
static int pick_run(struct port_pick *pk, u32 at, u32 end)
{
	const unsigned long *busy, *shut = pk->skip_shut ? pk->xn->port_shut : NULL;
	u16 port;
	int err;

	for (;; at++) {
		busy = pk->dest && pk->skip_busy ? pk->dest->busy : NULL;
		at = next_clear(busy, shut, at, end);
		if (at >= end)
			return -EADDRNOTAVAIL;
		port = bit_port(at);
		if (inet_is_local_reserved_port(sock_net(pk->sk), port))
			continue;
		err = pick_try(pk, port);
		if (err != -EADDRINUSE && err != -EADDRNOTAVAIL)
			return err;
		if (err == -EADDRNOTAVAIL && ++pk->hits == DEST_HITS)
			pick_dest(pk);
		cond_resched();
	}
}

/* The whole range, from the offset on: one parity, then the other. */
static int pick_range(struct port_pick *pk)
{
	u32 n = pk->high - pk->low + 1, first, count, at, odd;
	int err;

	for (odd = 0; odd < 2; odd++) {
		count = (n + !odd) / 2;
		if (!count)
			break;
		first = port_bit(pk->low + odd);
		at = first + pk->offset / 2 % count;
		err = pick_run(pk, at, first + count);
		if (err == -EADDRNOTAVAIL)
			err = pick_run(pk, first, at);
		if (err != -EADDRNOTAVAIL)
			return err;
	}
	return -EADDRNOTAVAIL;
}

/* How many candidates pick_range() has come past with @port. */
static u32 pick_distance(const struct port_pick *pk, u16 port)
{
	u32 n = pk->high - pk->low + 1, rel = port - pk->low, odd = rel & 1;
	u32 count = (n + !odd) / 2;

	return (rel / 2 + count - pk->offset / 2 % count) % count + (odd ? (n + 1) / 2 : 0) + 1;
}

/*
 * Could a TIME-WAIT entry in the way become takeable by mere time
 * (tcp_tw_reuse, SEEDS D-8)? Then no search is good for the next.
 */
static bool pick_may_ripen(const struct sock *sk)
{
	const struct xtcp_params *p = &xtcp_sk(sk)->xn->params;
	u32 mode = READ_ONCE(p->tcp_tw_reuse);

	if (!mode || !READ_ONCE(p->tcp_timestamps))
		return false;
	if (mode == 1 || sk->sk_bound_dev_if == LOOPBACK_IFINDEX)
		return true;
	if (sk->sk_family == AF_INET6 && !xtcp_sk(sk)->v4)
		return ipv6_addr_loopback(&sk->sk_v6_daddr) ||
		       ipv6_addr_loopback(&sk->sk_v6_rcv_saddr);
	return ipv4_is_loopback(inet_sk(sk)->inet_daddr) ||
	       ipv4_is_loopback(inet_sk(sk)->inet_rcv_saddr);
}

/*
 * The bitmaps have no port left. With claims neither being made nor released,
 * a port that is free is found now; a bitmap full of connections is believed
 * if such a search has just confirmed it and nothing has left since.
 */
static int pick_thorough(struct port_pick *pk)
{
	struct xtcp_net *xn = pk->xn;
	bool lasting = !pick_may_ripen(pk->sk), skipped;
	int err, gone, tries = 0;

	pick_dest(pk);
	mutex_lock(&xn->bind_mutex);
	bind_reap(xn, false);
	down_write(&xn->eph_sem);
	pk->thorough = true;
	pk->skip_shut = false;
	skipped = pk->dest && lasting && dest_full(pk->dest, pk->low, pk->high);
	pk->skip_busy = skipped;
	do {
		gone = pk->dest ? atomic_read(&pk->dest->gone) : 0;
		err = pick_range(pk);
		if (err != -EADDRNOTAVAIL || !pk->dest)
			break;
		if (gone == atomic_read(&pk->dest->gone)) {
			if (lasting && !skipped)
				dest_set_full(pk->dest, pk->low, pk->high, gone);
			break;
		}
		/* something left behind our back while others took what was before us */
		skipped = true;
		pk->skip_busy = true;
	} while (++tries < PICK_TRIES);
	up_write(&xn->eph_sem);
	mutex_unlock(&xn->bind_mutex);
	return err;
}

/* What the kernel's programs had bound may be free again. */
static void shut_forget(struct xtcp_net *xn)
{
	unsigned int i;

	if (time_before(jiffies, READ_ONCE(xn->shut_until)))
		return;
	WRITE_ONCE(xn->shut_until, jiffies + SHUT_BELIEVED);
	for (i = 0; i < BITS_TO_LONGS(XTCP_PORTS); i++)
		WRITE_ONCE(xn->port_shut[i], 0);
}

static int connect_pick(struct sock *sk)
{
	struct port_pick pk = {
		.sk = sk, .xn = xtcp_net(sock_net(sk)), .skip_busy = true, .skip_shut = true,
	};
	u32 *step;
	int err;

	shut_forget(pk.xn);
	port_range(pk.xn, &pk.low, &pk.high);
	pk.hash = dest_key_sk(&pk.key, sk);
	pk.dest = dest_find(pk.xn, &pk.key, pk.hash, READ_ONCE(sk->sk_bound_dev_if));
	step = &perturb[pk.hash & (PERTURB_SIZE - 1)];
	pk.offset = (READ_ONCE(*step) + (u32)(pk.hash >> 32)) % (pk.high - pk.low + 1);
	err = pick_range(&pk);
	if (err == -EADDRNOTAVAIL)
		err = pick_thorough(&pk);
	if (!err)
		WRITE_ONCE(*step, READ_ONCE(*step) + 2 * pick_distance(&pk, inet_sk(sk)->inet_num));
	if (pk.shadow)
		sock_release(pk.shadow);
	dest_put(pk.dest);
	return err;
}

/**
 * xtcp_port_connect - local port and place in the flow table for connect()
 * @sk: both addresses and the peer's port set, flow not hashed; sock lock held
 *
 * A sock that is bound keeps its port.
 *
 * Return: 0, -EADDRNOTAVAIL (4-tuple taken, ports exhausted) or -ENOMEM.
 * Process context.
 */
int xtcp_port_connect(struct sock *sk)
{
	int err;

	xtcp_sk(sk)->late_until_ms = 0;
	if (xtcp_sk(sk)->bind)
		return flow_insert_sk(sk, xtcp_sk(sk)->bind->port);
	err = connect_pick(sk);
	if (err) {
		inet_sk(sk)->inet_num = 0;
		inet_sk(sk)->inet_sport = 0;
	}
	return err;
}

/** xtcp_ports_init - secrets; module init. Return: 0 */
int xtcp_ports_init(void)
{
	get_random_bytes(perturb, sizeof(perturb));
	dest_init();
	return 0;
}

/** xtcp_ports_exit - namespaces released their claims; what they freed is gone after this */
void xtcp_ports_exit(void)
{
	dest_exit();
}
