/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files ports*.c and timewait.c only. */
#ifndef XTCP_PORTS_H
#define XTCP_PORTS_H

#include "xtcp_mod.h"

#define XTCP_BIND_SIZE	4096		/* heads of xn->bind_hash, power of two */
#define XTCP_PORTS	65536

/*
 * A port's place in a bitmap: even ports first, then odd ones, since connect()
 * and bind() walk a range by parity.
 */
static inline u32 port_bit(u16 port)
{
	return port >> 1 | (port & 1) << 15;
}

static inline u16 bit_port(u32 bit)
{
	return (bit & 0x7fff) << 1 | bit >> 15;
}

/* A local address and device. A v4-mapped address is its IPv4 one. */
struct port_key {
	struct in6_addr v6;
	__be32 v4;
	u8 family;
	u8 v6only;
	int dev;
};

/*
 * A claim: our right to (address, device, port), made good by a kernel TCP
 * socket, the shadow, bound to the same. Every bound sock and home of TIME-WAIT
 * entries holds one reference. Several claims of different addresses may share a port.
 */
struct xtcp_bind {
	struct hlist_node node;		/* xn->bind_hash; bind_lock to write, RCU to read */
	struct list_head idle;		/* on xn->bind_idle* while ref is 0; bind_lock */
	struct xtcp_net *xn;		/* constant */
	struct port_key k;		/* constant */
	u16 port;			/* constant */
	u8 eph;				/* made by connect(), any address; constant */
	u8 weak;			/* leftovers only, no sock that bound it; bind_lock */
	u8 reuse;			/* SO_REUSEADDR of the last that bound it; bind_lock */
	u8 reuseport;
	atomic_t ref;			/* 0 -> 1 under bind_lock only */
	unsigned int n_owners;		/* socks; bind_lock */
	unsigned int n_binders;		/* of these, by bind() or listen(); bind_lock */
	struct hlist_head owners;	/* xtcp_sock.bind_node; bind_lock */
	struct hlist_head homes;	/* xtcp_home.node; bind_lock to write, RCU to read */
	struct socket *shadow;		/* constant while hashed */
	struct rcu_head rcu;
};

/* Where connections go, and from which address; no holes: it is hashed. */
struct dest_key {
	struct in6_addr laddr, faddr;	/* IPv4: the first four bytes */
	__be16 fport;
	u16 v6;
	u32 zero;
};

/* A destination with so many connections that their ports are worth a bitmap. */
struct xtcp_dest {
	struct hlist_node node;		/* xn->dest_hash; dest_lock to write, RCU to read */
	struct dest_key k;		/* constant */
	u64 hash;			/* constant */
	int dif;			/* bound device of the connecting socks; constant */
	refcount_t ref;			/* table 1, each user 1 */
	unsigned long *busy;		/* XTCP_PORTS bits by port_bit(); atomic, a hint */
	atomic_t gone;			/* bits cleared so far */
	unsigned long used;		/* jiffies of the last connect(); WRITE_ONCE */
	/* the last whole search found nothing; bind_mutex to write, see dest_full() */
	unsigned long full_until;	/* jiffies */
	int full_gone, full_low, full_high;
	struct rcu_head rcu;
};

static inline struct hlist_head *bind_head(const struct xtcp_net *xn, u16 port)
{
	return &xn->bind_hash[port & (XTCP_BIND_SIZE - 1)];
}

/* ports_rules.c */
void port_key_sk(struct port_key *k, const struct sock *sk);
bool port_key_equal(const struct port_key *a, const struct port_key *b);
bool port_key_overlap(const struct port_key *a, const struct port_key *b);
bool port_conflict(struct xtcp_net *xn, const struct sock *sk, u16 port);

/* ports.c */
struct xtcp_bind *bind_alloc(struct xtcp_net *xn, const struct port_key *k, u16 port, bool eph);
void bind_hash_add(struct xtcp_bind *b);
void bind_own(struct xtcp_bind *b, struct sock *sk, bool binder);
void bind_hold(struct xtcp_bind *b);
void bind_reap_port(struct xtcp_net *xn, u16 port);

void bind_reap(struct xtcp_net *xn, bool eph);

/* ports_dest.c */
u64 dest_key_sk(struct dest_key *k, const struct sock *sk);
struct xtcp_dest *dest_find(struct xtcp_net *xn, const struct dest_key *k, u64 hash, int dif);
struct xtcp_dest *dest_make(struct xtcp_net *xn, const struct dest_key *k, u64 hash, int dif);
void dest_put(struct xtcp_dest *d);
bool dest_mark(struct xtcp_dest *d, u16 port);
void dest_unmark(struct xtcp_dest *d, u16 port);
bool dest_full(const struct xtcp_dest *d, int low, int high);
void dest_set_full(struct xtcp_dest *d, int low, int high, int gone);
void dest_net_init(struct xtcp_net *xn);
void dest_net_exit(struct xtcp_net *xn);
void dest_init(void);
void dest_exit(void);

/* ports_pick.c */
int port_bind_any(struct sock *sk);

/* ports_shadow.c */
struct socket *shadow_create(struct net *net, const struct port_key *k);
int shadow_bind(struct socket *shadow, const struct port_key *k, u16 port, bool reuse);
int shadow_claim(struct socket *shadow);
void shadow_set_reuse(struct socket *shadow, bool reuse);

#endif /* XTCP_PORTS_H */
