/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel side's shared types and the doors between its rooms.
 *
 * Locking, in order (outer first):
 *   sock lock (lock_sock in process context; bh_lock_sock + backlog in softirq)
 *     > bind table lock of a namespace (xn->bind_lock, spin_lock_bh)
 *     > flow bucket lock (spin_lock_bh)
 *     > a listener's accept queue lock (lsn->lock, spin_lock_bh)
 *     > lock of a wheel
 * A listener's sock lock is never taken in softirq: SYNs and third ACKs touch
 * only lsn (its lock and atomics).
 *
 * Lookups run under RCU. Of a connection or request they take a reference
 * (refcount_inc_not_zero) and check the key again; a TIME-WAIT entry has none:
 * who wants one looks it up again under its bucket lock, where it cannot go.
 * Requests and TIME-WAIT entries come from SLAB_TYPESAFE_BY_RCU caches; socks
 * are freed after a grace period (SOCK_RCU_FREE), what TIME-WAIT entries share
 * (xtcp_home), too.
 */
#ifndef XTCP_MODULE_H
#define XTCP_MODULE_H

#define pr_fmt(fmt) "xtcp: " fmt

#include <linux/module.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/list_nulls.h>
#include <linux/llist.h>
#include <linux/percpu.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/skbuff.h>
#include <linux/stddef.h>
#include <linux/tcp.h>
#include <linux/timer.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include <linux/xtcp.h>
#include "compat.h"
#include "../core/tcb.h"
#include "../core/wheel.h"
#include "race.h"

extern int xtcp_family;			/* module parameter family=, AF_XTCP */

/* main.c, by the kernel's names: nothing of the module calls them (-fwhole-program) */
__visible int init_module(void);
__visible void cleanup_module(void);

/* ------------------------------------------------------------- namespace */

struct xtcp_bind;
struct xtcp_late;

#define XTCP_DEST_HEADS	64		/* power of two */

struct xtcp_pcpu {			/* per CPU counters of a namespace */
	unsigned long mib[XTCP_NR_MIB];
	unsigned long drop[XTCP_NR_DROPS];
	/* entered/left per state; now = entered - left, O(1) for /proc and tests */
	unsigned long entered[XTCP_NR_STATES], left[XTCP_NR_STATES];
};

#define XTCP_TW_ACKS	128		/* power of two */

struct xtcp_net {
	struct net *net;		/* valid until pernet exit has run */
	struct xtcp_params params;	/* written by sysctl, read once by all */
	int port_range[2];		/* ip_local_port_range; under range_lock */
	seqlock_t range_lock;
	const struct xtcp_cc_ops *cc;	/* tcp_congestion_control; READ_ONCE/WRITE_ONCE */
	u32 cc_allowed;			/* mask of enum xtcp_cc_id, for all; READ_ONCE/WRITE_ONCE */
	struct xtcp_pcpu __percpu *pcpu;
	struct xtcp_key key;		/* ISN and timestamp secrets; constant */
	struct xtcp_cookies *cookies;	/* SYN cookies: keys, what was used; constant */
	u32 cookie_tick;		/* last cookie of any listener; READ_ONCE/WRITE_ONCE */
	/* the clock; written under clock_lock, and only while no flow and no sock is here */
	seqlock_t clock_lock;
	u32 clock_scale;		/* lab_timescale; READ_ONCE outside clock_lock */
	u64 clock_base_us;		/* so that "now" starts small and never is 0 */
	struct ctl_table_header *ctl;
	void *ctl_table;

	spinlock_t bind_lock;		/* bind buckets, their owners lists */
	struct hlist_head *bind_hash;	/* by port; XTCP_BIND_SIZE heads; under bind_lock */
	/* 65536 bits: a bucket exists; set/cleared under bind_lock, read without */
	unsigned long *port_bitmap;
	/* making and releasing explicit claims; outside bind_lock */
	struct mutex bind_mutex;
	/* claims without a reference, made by bind() and by connect(); under bind_lock */
	struct list_head bind_idle, bind_idle_eph;
	/* those of bind() that left the list under bind_lock, and still have their shadow */
	atomic_t bind_dying;
	struct delayed_work bind_work;	/* releases them */
	/* read: connect() makes a claim; write: nobody does. Inside bind_mutex */
	struct rw_semaphore eph_sem;
	/*
	 * ports.h port_bit(): connect() found them bound, by our bind() or by the kernel.
	 * A hint, atomic bits; forgotten at shut_until (jiffies, racy: a hint, too)
	 */
	unsigned long *port_shut;
	unsigned long shut_until;
	spinlock_t dest_lock;		/* dest_hash, n_dests */
	/* busy destinations of connect(): ports_dest.c; dest_lock to write, RCU to read */
	struct hlist_head dest_hash[XTCP_DEST_HEADS];
	unsigned int n_dests;		/* READ_ONCE without the lock */
	struct delayed_work dest_work;	/* drops the idle ones */
	atomic_t orphans;		/* socks without a user */
	atomic_t tw_count;
	atomic_t req_count;
	atomic_t socks;			/* live ones; XTCP_SOCKS_FROZEN is added to stop more */
	/* challenge ACKs of the current second (RFC 5961 7); racy on purpose */
	u32 challenge_s;
	atomic_t challenge_n;
	struct xtcp_late *late;		/* late.c; NULL until it is needed, then constant */
	/*
	 * Last ACKs to bad segments of TIME-WAIT entries, which have no room
	 * for it: hash of whose in the upper half, ms in the lower. Racy on
	 * purpose.
	 */
	u64 tw_acks[XTCP_TW_ACKS];
	struct delayed_work early_work;	/* early.c: puts its hooks in, takes them out */
	bool early_hooked;		/* they are in; early_work to write, READ_ONCE without */
	u8 dying;			/* set by pre_exit: no new TIME-WAIT or request */
};

extern unsigned int xtcp_net_id;
static inline struct xtcp_net *xtcp_net(const struct net *net)
{
	return net_generic(net, xtcp_net_id);
}

/* The same under RCU, which the other one asks for. */
static inline struct xtcp_net *xtcp_net_rcu(const struct net *net)
{
	return rcu_dereference(net->gen)->ptr[xtcp_net_id];
}

#define XTCP_SOCKS_FROZEN	(INT_MIN / 2)

/*
 * The namespace's clock for the core: microseconds, never 0, never goes back. It
 * runs clock_scale times as fast as the real one (lab_timescale).
 */
static inline u64 xtcp_now_us(const struct xtcp_net *xn)
{
	unsigned int seq;
	u64 now_us;

	do {
		seq = read_seqbegin(&xn->clock_lock);
		now_us = ktime_get_ns() / NSEC_PER_USEC * xn->clock_scale - xn->clock_base_us;
	} while (read_seqretry(&xn->clock_lock, seq));
	return now_us;
}

/*
 * How long @us of the namespace's clock really are, rounded up: what kernel
 * timers and the wheels are told.
 */
static inline u64 xtcp_real_us(const struct xtcp_net *xn, u64 us)
{
	u32 scale = READ_ONCE(xn->clock_scale);

	return likely(scale == 1) ? us : div_u64(us + scale - 1, scale);
}

/* The same for a wait in jiffies that may be for ever. */
static inline long xtcp_real_jiffies(const struct xtcp_net *xn, long wait)
{
	return wait == MAX_SCHEDULE_TIMEOUT ? wait : DIV_ROUND_UP(wait, READ_ONCE(xn->clock_scale));
}

/* And back: a real delay, as the wheels know it, in the namespace's clock. */
static inline u64 xtcp_virtual_us(const struct xtcp_net *xn, u64 us)
{
	return us * READ_ONCE(xn->clock_scale);
}

/* Ticks from which on the kernel's timer wheel has a coarser grain than one tick. */
#define XTCP_TIMER_FINE	63

/*
 * What to tell a kernel timer for a wait of @real_us: it fires late, by up to a
 * tick for short waits, by up to an eighth of long ones. So ask for less and
 * look again: the last of these looks comes within a tick or two after the
 * deadline, and never before it.
 */
static inline unsigned long xtcp_timer_ticks(u64 real_us)
{
	unsigned long ticks = usecs_to_jiffies(min_t(u64, real_us, U32_MAX));

	if (ticks >= XTCP_TIMER_FINE)
		return ticks - (ticks >> 3);
	return ticks ? ticks - 1 : 0;
}

#define XTCP_INC(xn, NAME)	this_cpu_inc((xn)->pcpu->mib[XTCP_MIB_##NAME])
#define XTCP_ADD(xn, NAME, n)	this_cpu_add((xn)->pcpu->mib[XTCP_MIB_##NAME], n)

/* netns.c: register_pernet_subsys operations */
int xtcp_netns_init(void);
void xtcp_netns_exit(void);
int xtcp_clock_set(struct xtcp_net *xn, u32 scale);
/* sysctl.c */
int xtcp_sysctl_net_init(struct xtcp_net *xn);
void xtcp_sysctl_net_exit(struct xtcp_net *xn);
int xtcp_sysctl_init(void);		/* module-wide tcp_mem */
void xtcp_sysctl_exit(void);
void xtcp_params_defaults(struct xtcp_params *p);
/* cookie.c */
int xtcp_cookie_net_init(struct xtcp_net *xn);
void xtcp_cookie_net_exit(struct xtcp_net *xn);
int xtcp_cookie_key_sysctl(XTCP_CTL_CONST struct ctl_table *ctl, int write, void *buffer,
			   size_t *lenp, loff_t *ppos);
/* proc.c: /proc/net/xtcp, xtcp6, xtcp_netstat; proc_states.c: xtcp_states */
const char *xtcp_drop_name(u8 reason);
int xtcp_proc_states_init(struct net *net);
/* Objects of @xn that are in a state now, never negative; exact at rest. */
unsigned long xtcp_state_now(const struct xtcp_net *xn, u8 state);
int xtcp_proc_net_init(struct net *net);
void xtcp_proc_net_exit(struct net *net);
/* proc_listen.c: /proc/net/xtcp_listen */
int xtcp_proc_listen_show(struct seq_file *seq, void *v);

/* ------------------------------------------------------------------ flows */

enum xtcp_kind { XTCP_KIND_CONN = 1, XTCP_KIND_REQ, XTCP_KIND_TW };

#define XTCP_NODE_KIND	0x3		/* of info */
#define XTCP_NODE_V6	0x4		/* TIME-WAIT only, as what follows */
#define XTCP_NODE_DEAD	0x8		/* out of the table, in the hands of the wheel's timer */
#define XTCP_NODE_TWC	4		/* from this bit on: xtcp_twc_pack(); bucket lock */

/*
 * What everything in the flow table begins with is struct xtcp_node, a chain's
 * link and the place on a wheel. A chain is singly linked and ends with the
 * number of its bucket, as hlist_nulls does.
 *
 * struct xtcp_flow is the header of connections and requests, and a key to look
 * for. All fields but node's are constant while hashed. l* is ours, f* the
 * peer's; for a packet received, l = daddr/dest, f = saddr/source. An IPv4 request has no memory
 * beyond v4: copy with xtcp_flow_copy().
 */
struct xtcp_flow {
	/* next: bucket lock to write, RCU to read */
	struct_group_tagged(xtcp_node, node, struct xtcp_node *next;
		union {
			struct wheel_entry wheel;	/* wheel lock; see wheels.c */
			struct {
				/* enum xtcp_kind and, of a TIME-WAIT entry, its bits */
				u16 info;
				__be16 fport;	/* peer's; constant while hashed */
				/* connections, which are on no wheel; see struct xtcp_sock */
				u32 late_seq;
				u64 traced_due_us, traced_at_us;
			};
		};
	);
	u32 hash;
	int dif;			/* bound device (or l3mdev), 0: any */
	struct net *net;
	u8 kind;			/* enum xtcp_kind */
	u8 family;			/* AF_INET or AF_INET6: what is on the wire */
	u8 hashed;			/* bucket lock */
	u8 req_tos;			/* requests only */
	__be16 lport;
	u16 req_adv_mss;		/* requests only */
	union {				/* last */
		struct { __be32 laddr, faddr; } v4;
		struct { struct in6_addr laddr, faddr; } v6;
	};
};

#define XTCP_FLOW_V4_SIZE	offsetofend(struct xtcp_flow, v4)

/* Both addresses of a flow, for what hashes them. Returns the length of each. */
static inline unsigned int xtcp_flow_addrs(const struct xtcp_flow *f, const void **laddr,
					   const void **faddr)
{
	if (f->family == AF_INET) {
		*laddr = &f->v4.laddr;
		*faddr = &f->v4.faddr;
		return sizeof(f->v4.laddr);
	}
	*laddr = &f->v6.laddr;
	*faddr = &f->v6.faddr;
	return sizeof(f->v6.laddr);
}

/* The key of @from; not its place in the table. */
static inline void xtcp_flow_copy(struct xtcp_flow *to, const struct xtcp_flow *from)
{
	to->fport = from->fport;
	to->hash = from->hash;
	to->dif = from->dif;
	to->net = from->net;
	to->kind = from->kind;
	to->family = from->family;
	to->hashed = 0;
	to->lport = from->lport;
	if (from->family == AF_INET)
		to->v4 = from->v4;
	else
		to->v6 = from->v6;
}

struct xtcp_sock;

/*
 * A half-open request: no sock, no timer of its own. 120 bytes for IPv4, which
 * with SLUB's 8 is two cache lines; its tos and adv_mss fill holes of its flow.
 */
struct xtcp_req {
	refcount_t ref;			/* table 1, wheel 1, each user 1 */
	spinlock_t lock;		/* rq; its dead: taken out of the table */
	struct sock *listener;		/* reference held */
	u32 mark;
	struct xtcp_rq rq;
	struct xtcp_flow flow;		/* IPv4: ends with it */
	/* IPv6 only */
	int iif;			/* where the SYN came in (link-local, SO_BINDTODEVICE) */
	u32 flowlabel;
};

/*
 * What the TIME-WAIT entries of a local address and port share. Each holds a
 * reference; a home holds its bind, and hangs there to be found.
 */
struct xtcp_home_id {
	struct net *net;
	int dif;			/* bound device, 0: any */
	u32 mark;
	s32 timewait_ms;		/* the sockets' 2MSL, -1: the namespace's */
	u32 ts_delta;			/* of the timestamps from what the addresses say */
	__be16 lport;
	u8 family, tos;
	union {
		__be32 laddr4;
		struct in6_addr laddr6;
	};
};

struct xtcp_home {
	struct xtcp_home_id id;		/* constant */
	struct xtcp_bind *bind;		/* constant; holds the local port; may be NULL */
	refcount_t ref;
	struct hlist_node node;		/* bind->homes; bind_lock to write, RCU to read */
	struct rcu_head rcu;
};

/*
 * A TIME-WAIT entry, or one of FIN_WAIT2 whose socket is closed. No reference
 * count and no lock: all but wheel.due and wheel.link is constant or under the
 * bucket lock. SLUB adds 8 bytes to an object of a typesafe cache: 64 bytes for
 * IPv4, which has no memory beyond faddr4, 80 for IPv6.
 */
struct xtcp_tw {
	struct xtcp_node node;
	struct xtcp_home *home;		/* constant */
	u32 snd_nxt, rcv_nxt, ts_recent;
	union {				/* last; constant */
		__be32 faddr4;
		struct in6_addr faddr6;
	};
};

/* One entry as the walk over the table met it. */
struct xtcp_tw_view {
	struct xtcp_flow flow;		/* kind XTCP_KIND_TW */
	u8 state;			/* XTCP_TIME_WAIT or XTCP_FIN_WAIT2 */
	u64 left_us;			/* of its life, by the namespace's clock */
};

/* demux.c */
#define XTCP_FLOW_REFS	3
int xtcp_demux_init(void);
void xtcp_demux_exit(void);		/* tables must be empty */
void xtcp_flow_init_skb(struct xtcp_flow *f, struct net *net, u8 kind, const struct sk_buff *skb);
void xtcp_flow_init_sk(struct xtcp_flow *f, const struct sock *sk);
/*
 * References: insert makes those of a REQ put in (table, wheel, caller);
 * remove/replace give the table's reference of a REQ taken out to the caller. A
 * CONN is hashed without a reference of its own.
 *
 * Look up the flow of a received segment (IP and TCP headers set, pulled).
 * Returns it with a reference (sock_hold or ref), or NULL, or if it is a
 * TIME-WAIT entry @key with kind XTCP_KIND_TW: look again with the bucket locked
 * (xtcp_tw_rcv). RCU.
 */
struct xtcp_flow *xtcp_flow_lookup_skb(struct net *net, const struct sk_buff *skb,
				       struct xtcp_flow *key);
struct xtcp_flow *xtcp_flow_lookup(struct net *net, struct xtcp_flow *key, int iif, int sdif);
/* The connection of a segment that is not routed yet, no reference. Softirq, RCU. */
struct xtcp_sock *xtcp_flow_peek(struct net *net, struct sk_buff *skb);
void xtcp_flow_rehash(struct xtcp_flow *f);	/* key filled in by hand */
void xtcp_flow_put(struct xtcp_flow *f);	/* nothing to do for XTCP_KIND_TW */
/* Insert unless the 4-tuple is there: -EADDRNOTAVAIL then. */
int xtcp_flow_insert(struct xtcp_flow *f);
/* Put @new in the place of @old in one step; false if @old was not hashed any more. */
bool xtcp_flow_replace(struct xtcp_flow *old, struct xtcp_flow *new);
/* False if it was not hashed any more. */
bool xtcp_flow_remove(struct xtcp_flow *f);
static inline struct xtcp_sock *flow_conn(struct xtcp_flow *f);
/*
 * Walk every flow of a namespace, bucket by bucket; for proc and purge. Referenced, or
 * &view->flow with a picture of a TIME-WAIT entry.
 */
unsigned int xtcp_flow_buckets(void);
struct xtcp_flow *xtcp_flow_next(struct net *net, unsigned int *bucket, unsigned int *off,
				 struct xtcp_tw_view *view);

/*
 * Listener table: (netns, port) hash with scoring as compute_score() of Linux does: address,
 * device, family, reuseport group selection by hash.
 */
int xtcp_listener_hash(struct sock *sk);
void xtcp_listener_unhash(struct sock *sk);
struct sock *xtcp_listener_lookup(struct net *net, const struct sk_buff *skb); /* referenced */
struct sock *xtcp_listener_next(struct net *net, unsigned int *bucket, unsigned int *off);

/* ------------------------------------------------------------------ ports */

/*
 * One (namespace, port): who of ours is bound, and the kernel TCP sockets
 * (shadows) that keep the port from the kernel's own. ports.c owns the insides.
 * Referenced by every bound sock and TIME-WAIT entry.
 */
/*
 * proto.get_port: bind to snum (0: choose). Process context, sock locked. 0 or 1 (in use), as
 * get_port does.
 */
int xtcp_get_port(struct sock *sk, unsigned short snum);
/* listen(): check that nobody else may be in the way now; -EADDRINUSE. */
int xtcp_port_listen(struct sock *sk);
/*
 * connect(): pick a local port if none is bound (RFC 6056) and insert the
 * connection into the flow table; 0, -EADDRNOTAVAIL, -ENOMEM. Addresses are set.
 */
int xtcp_port_connect(struct sock *sk);
/* Child of an accepted request shares the listener's bucket. Softirq. */
void xtcp_port_inherit(struct sock *child, const struct sock *listener);
void xtcp_port_put(struct sock *sk);		/* any context; proto.put_port */
struct xtcp_bind *xtcp_bind_get(struct xtcp_bind *b);
void xtcp_bind_put(struct xtcp_bind *b);	/* any context; shadows are released by a worker */
/* One load: could this port be ours at all? */
static inline bool xtcp_port_ours(const struct xtcp_net *xn, __be16 port)
{
	return test_bit(ntohs(port), xn->port_bitmap);
}

void xtcp_dest_flow_gone(struct xtcp_net *xn, bool v6, const void *laddr, const void *faddr,
			 __be16 lport, __be16 fport);
/*
 * A 4-tuple has left the flow table for good: its port is free again for that
 * destination. After the flow is out, or under the bucket lock; any context.
 */
static inline void xtcp_ports_flow_gone(struct xtcp_net *xn, bool v6, const void *laddr,
					const void *faddr, __be16 lport, __be16 fport)
{
	if (unlikely(READ_ONCE(xn->n_dests)))
		xtcp_dest_flow_gone(xn, v6, laddr, faddr, lport, fport);
}

/* A shadow of ours covers (daddr, port): the kernel must not see this segment. Softirq. */
bool xtcp_port_shadowed(struct net *net, const struct sk_buff *skb);
/* Release idle shadows now, so that a close() frees the port before it returns. Sleeps. */
void xtcp_ports_flush(struct xtcp_net *xn);
int xtcp_ports_init(void);
void xtcp_ports_exit(void);
int xtcp_ports_net_init(struct xtcp_net *xn);
void xtcp_ports_net_exit(struct xtcp_net *xn);	/* releases every shadow, synchronously */

/* ------------------------------------------------------------------- sock */

/*
 * A listener's queues. Lives from listen() until the sock is destroyed (freed after a grace
 * period).
 */
struct xtcp_listener {
	spinlock_t lock;		/* queue, n, dead */
	/* by xtcp_sock.accept_next: ready for accept(), oldest first; READ_ONCE outside */
	struct xtcp_sock *queue;
	struct xtcp_sock *queue_end;	/* if there is one */
	u32 n;				/* length of queue; READ_ONCE outside */
	u32 max;			/* min(backlog, somaxconn); READ_ONCE/WRITE_ONCE */
	atomic_t n_req;			/* half-open requests */
	atomic_t n_young;		/* those whose SYN-ACK has not timed out yet */
	u32 cookie_tick;		/* last cookie sent, 0: none; READ_ONCE/WRITE_ONCE */
	u8 dead;			/* closing: nothing may be added; under lock */
	u32 defer_s;			/* TCP_DEFER_ACCEPT as retries, 0: off */
	/* for XTCP_LISTEN_INFO */
	atomic64_t overflows, cookies_sent, cookies_recv;
	struct rcu_head rcu;
};

struct xtcp_sock {
	struct inet_sock inet;		/* first; holds struct sock */
	/*
	 * Under sock lock: traced_due_us, the deadline that tracers were last told of, and
	 * traced_at_us, when; late_seq, see late_until_ms
	 */
	struct xtcp_flow flow;
	struct xtcp_tcb tcb;		/* sock lock */
	struct xtcp_net *xn;		/* constant */
	struct timer_list timer;	/* the one timer; sk_reset_timer/sk_stop_timer */
	/*
	 * when it will fire, 0: idle; sock lock. Re-armed lazily: an earlier expiry just looks
	 * and re-arms
	 */
	u64 timer_us;
	/* XTCP_DEFER_*: set in softirq while user owns the lock; XTCP_TSQ_*; atomic bits */
	unsigned long deferred;
	struct llist_node tsq_node;	/* in a CPU's list while XTCP_TSQ_QUEUED */
	struct xtcp_pacer *pacer;	/* made when first needed, then constant; sock lock */

	/* send: bytes [tcb.s.snd_una, tcb.write_seq) in sk_write_queue; sock lock */
	struct rb_root ooo;		/* skbs out of order, by seq; sock lock */
	u8 compact_skip, compact_futile;/* see xtcp_rcv_compact(); sock lock */
	u8 urg_valid:1,			/* not yet read (or inline); sock lock */
	   urg_here:1,			/* its byte has arrived, in urg_byte */
	   urg_read:1;
	u8 urg_byte;
	u32 urg_seq;			/* urgent byte, valid with urg_valid; sock lock */

	struct xtcp_bind *bind;		/* sock lock; list membership under xn->bind_lock */
	struct hlist_node bind_node;	/* xn->bind_lock */
	u8 bind_listen;			/* passed the listen() conflict check; WRITE_ONCE */
	/* bound by bind() or listen(), not a child; xn->bind_lock */
	u8 bind_binder;
	u8 recvmsg_inq:1;		/* TCP_INQ; sock lock, a bit of its own to read without */
	u8 v4;				/* the wire is IPv4 (also for a mapped AF_INET6 sock) */
	/* TCP_DEFER_ACCEPT as retransmissions of the SYN-ACK, inherited */
	u8 defer_accept;
	u8 takeover:1;			/* holds a xtcp_takeover_get(); sock lock */
	u8 orphaned:1;			/* counted in xn->orphans; sock lock */
	u8 reaped:1;			/* xtcp_sock_reap() ran; sock lock */
	u8 tw_taken:1;			/* connect() took over a TIME-WAIT: tcb.iss is the least
					 * ISN it may choose; sock lock
					 */
	s8 syncookies;			/* XTCP_SYNCOOKIES, -1; listener; READ_ONCE/WRITE_ONCE */
	s8 abort_on_overflow;		/* XTCP_ABORT_ON_OVERFLOW, -1; likewise */

	struct xtcp_listener *lsn;	/* listener only; RCU */
	struct xtcp_sock *accept_next;	/* parent's lsn->lock */
	struct sock *parent;		/* child waiting for accept(); parent's lsn->lock */

	struct hlist_nulls_node listen_node;
	/* MTU an ICMP told while the user owned the lock; sock lock */
	u32 mtu_info;
	u32 mss_pmtu;			/* path MTU the tcb's mss_cap was made from; sock lock */
	s32 timewait_ms;		/* XTCP_TIMEWAIT_MS, -1: the namespace's; inherited */
	/*
	 * This connection was born over a TIME-WAIT: what arrives at or below flow.late_seq
	 * (its RCV.NXT) until then is late, see late_ms(); 0: it was not. Sock lock
	 */
	u32 late_until_ms;
	u32 notsent_lowat;		/* TCP_NOTSENT_LOWAT, 0: the namespace's */
	u32 window_clamp;
};

struct xtcp6_sock {
	struct xtcp_sock x;
	struct ipv6_pinfo inet6;	/* last: inet6_sk_generic() of 6.1 finds it by size */
};

#define XTCP_DEFER_TIMER	0	/* timer fired while the user owned the lock */
#define XTCP_DEFER_MTU		1	/* ICMP frag-needed likewise */
#define XTCP_DEFER_OUTPUT	2	/* write space / TSQ: run the output loop */
#define XTCP_DEFER_ALL		7UL	/* the mask of these */
/* the output loop has stopped at a full queue below: what leaves it calls again */
#define XTCP_TSQ_THROTTLED	3
#define XTCP_TSQ_QUEUED		4	/* on its way to the output loop, with a reference */

/* Bits read without the lock, which READ_ONCE() cannot do: they are of a moment ago. */
#define xtcp_racy_bit(expr)	data_race(!!(expr))

static inline struct xtcp_sock *xtcp_sk(const struct sock *sk)
{
	return (struct xtcp_sock *)sk;
}

static inline struct sock *xtcp_to_sk(struct xtcp_sock *x)
{
	return &x->inet.sk;
}

static inline struct xtcp_sock *flow_conn(struct xtcp_flow *f)
{
	return container_of(f, struct xtcp_sock, flow);
}

/* How long a request waits after its last SYN-ACK, by the namespace's clock. */
static inline u64 xtcp_req_timeout_us(const struct xtcp_req *req)
{
	const struct xtcp_sock *lx = xtcp_sk(req->listener);

	return xtcp_rq_timeout_us(&req->rq, &lx->xn->params, READ_ONCE(lx->tcb.init_rto_ms));
}

/* Data skbs, queued to send or received: where their payload stands. */
struct xtcp_cb {
	union {
		struct inet_skb_parm h4;
		struct inet6_skb_parm h6;
	};				/* IP's, valid in receive until queued; first */
	u32 seq, end_seq;		/* payload only, no SYN or FIN; before: xtcp_flow_peek() */
	u16 mss;
};

#define XTCP_CB(skb)	((struct xtcp_cb *)&(skb)->cb[0])

/* family.c: socket(), proto_ops, protosw */
int xtcp_family_init(void);
void xtcp_family_exit(void);
extern struct proto xtcp_prot, xtcp6_prot;
extern const struct proto_ops xtcp_stream_ops, xtcp6_stream_ops;
extern struct percpu_counter xtcp_sockets_allocated;
extern atomic_long_t xtcp_memory_allocated;
extern unsigned long xtcp_memory_pressure;	/* jiffies when it began, 0: none */
extern long xtcp_mem[3];			/* tcp_mem, pages */

/* sock.c: life of a sock */
int xtcp_sock_init(struct sock *sk);		/* proto.init */
void xtcp_sock_destroy(struct sock *sk);	/* proto.destroy: queues, ranges, ports */
void xtcp_sock_close(struct sock *sk, long timeout);
int xtcp_sock_connect(struct sock *sk, struct sockaddr_unsized *uaddr, int len);	/* v4 */
int xtcp6_sock_connect(struct sock *sk, struct sockaddr_unsized *uaddr, int len);
int xtcp_sock_pre_connect(struct sock *sk, struct sockaddr_unsized *uaddr, int len);
int xtcp6_sock_pre_connect(struct sock *sk, struct sockaddr_unsized *uaddr, int len);
int xtcp_sock_disconnect(struct sock *sk, int flags);
void xtcp_sock_shutdown(struct sock *sk, int how);
/*
 * The connection is over (CLOSED or handed to TIME-WAIT): unhash, stop the
 * timer, tell the user; an orphan is destroyed. Sock lock held (either way).
 */
void xtcp_sock_done(struct sock *sk);
/* An orphan in state CLOSE: last rites. Sock lock held by us, not by a user. */
void xtcp_sock_reap(struct sock *sk);
/*
 * Too many orphans, counting this one 2^@shift times, or too little memory for this one? Sock
 * lock held.
 */
bool xtcp_sock_starved(const struct sock *sk, unsigned int shift);
/*
 * A child of @listener for @req; locked (bh_lock_sock), state CLOSE, not hashed; NULL: no
 * memory. Softirq.
 */
struct sock *xtcp_sock_child(struct sock *listener, struct xtcp_req *req, struct sk_buff *skb);
/* Free payload room, in bytes, as the window sees it; sets tcb.rcv_free, rcv_full. Sock lock. */
void xtcp_sock_rcv_space(struct sock *sk);
/* Top up / trim the tcb's node pool. Sock lock; GFP_ATOMIC. */
void xtcp_sock_pool_grow(struct sock *sk, unsigned int want);
void xtcp_sock_pool_trim(struct sock *sk);

/* Before a call of the core: range nodes to work with. Sock lock held; any context. */
static inline void xtcp_sock_pool_fill(struct sock *sk, unsigned int want)
{
	if (xtcp_pool_hungry(&xtcp_sk(sk)->tcb, want))
		xtcp_sock_pool_grow(sk, want);
}

/* Receive window scale to ask for in a SYN or SYN-ACK of @sk. Any context. */
u8 xtcp_sock_wscale(const struct sock *sk);
/* MSS to put into our SYN for a route. */
u16 xtcp_sock_advmss(const struct sock *sk, const struct dst_entry *dst);
/* xtcp_rng nodes' cache */
int xtcp_sock_cache_init(void);
void xtcp_sock_cache_exit(void);
/* At least @target bytes to read, or so short of memory that less must do: wake readers. */
bool xtcp_readable(const struct sock *sk, int target);
int xtcp_set_rcvlowat(struct sock *sk, int val);
int xtcp_ioctl(struct sock *sk, int cmd, int *val);
__poll_t xtcp_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait);

/* sendmsg.c */
int xtcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t len);
int xtcp_sendmsg_locked(struct sock *sk, struct msghdr *msg, size_t len);
/* what MSG_MORE held back goes. Sock lock */
void xtcp_send_push(struct sock *sk);
/* free sk_write_queue below snd_una, wake writers */
void xtcp_send_acked(struct sock *sk);
void xtcp_send_purge(struct sock *sk);
/* wake writers if there is room */
void xtcp_write_space(struct sock *sk);
/* the same, if somebody found none. After ACKs and output */
void xtcp_check_space(struct sock *sk);
bool xtcp_stream_memory_free(const struct sock *sk, int wake);
/* zerocopy.c */
void xtcp_splice_eof(struct socket *sock);
int xtcp_ops_setsockopt(struct socket *sock, int level, int optname, sockptr_t optval,
			unsigned int optlen);
void xtcp_socket_init(struct socket *sock);
/* recvmsg.c */
int xtcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags);
ssize_t xtcp_splice_read(struct socket *sock, loff_t *ppos, struct pipe_inode_info *pipe,
			 size_t len, unsigned int flags);
int xtcp_ioctl_inq(struct sock *sk);
/* rcvcmsg.c */
void xtcp_cmsg_stamps(struct sock *sk, struct msghdr *msg, ktime_t sw, ktime_t hw);
void xtcp_cmsg_inq(struct sock *sk, struct msghdr *msg);
int xtcp_read_sock(struct sock *sk, read_descriptor_t *desc, sk_read_actor_t actor);
void xtcp_ooo_purge(struct sock *sk);
/* shared by recvmsg and read_sock: @n bytes more were read. Sock lock. */
void xtcp_recv_done(struct sock *sk, u32 n);
void xtcp_rx_eat(struct sock *sk, struct sk_buff *skb);
void xtcp_recv_purge(struct sock *sk);
/* sockopt.c */
int xtcp_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval, unsigned int optlen);
int xtcp_getsockopt(struct sock *sk, int level, int optname, char __user *optval,
		    int __user *optlen);

/* ----------------------------------------------------------------- packets */

/* takeover.c: the receive hook */
int xtcp_takeover_get(void);	/* an AF_XTCP sock appears (process context); hooks on first use */
void xtcp_takeover_put(void);	/* it is gone; unhooks takeover_linger_ms after the last flow */
unsigned long xtcp_linger(void);	/* how long, in jiffies */
int xtcp_takeover_init(void);
int xtcp_takeover_exit(void);	/* unhook now, synchronize; -EBUSY if somebody stacked on us */
/* Pass on to the handler that was there before us; consumes skb. */
int xtcp_pass4(struct sk_buff *skb);
int xtcp_pass6(struct sk_buff *skb);
int xtcp_pass_err4(struct sk_buff *skb, u32 info);
int xtcp_pass_err6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code,
		   int offset, __be32 info);

/* early.c: the input route of one segment for the next ones */
void xtcp_early_note(struct sock *sk, const struct sk_buff *skb);
void xtcp_early_forget(struct sock *sk);
void xtcp_early_unused(struct xtcp_net *xn);
void xtcp_early_net_init(struct xtcp_net *xn);
void xtcp_early_net_pre_exit(struct xtcp_net *xn);

/* input.c: what the hook calls */
int xtcp_rcv4(struct sk_buff *skb);
int xtcp_rcv6(struct sk_buff *skb);
/* Backlog receive: sock lock held. proto.backlog_rcv / sk->sk_backlog_rcv. */
int xtcp_backlog_rcv(struct sock *sk, struct sk_buff *skb);
void xtcp_release_cb(struct sock *sk);
/* drop.c: count, trace, free. The one function that drops a received segment. */
void xtcp_drop_skb(struct xtcp_net *xn, struct sk_buff *skb, enum xtcp_drop reason);
/* The same without an skb: a part of a segment, or what an ICMP quotes. */
void xtcp_drop_part(const struct xtcp_flow *f, const struct xtcp_seg *g, enum xtcp_drop reason);

/* exec.c: carry out a verdict. Sock lock held. Returns true if skb was kept. */
bool xtcp_exec(struct sock *sk, struct xtcp_verdict *v, struct sk_buff *skb,
	       const struct xtcp_seg *g);
/* Only counters, traces: for verdicts on requests and TIME-WAIT entries. */
void xtcp_exec_stats(struct xtcp_net *xn, const struct xtcp_verdict *v);
/* State changed outside an edge list (request/TIME-WAIT made or gone): counters and trace. */
void xtcp_note_edge(struct xtcp_net *xn, const struct xtcp_flow *f, u8 from, u8 to,
		    const char *cause);

/* Does a verdict's reply go out? Challenge ACKs are limited per second (RFC 5961 7). */
bool xtcp_may_reply(struct xtcp_net *xn, const struct xtcp_verdict *v);

/* output.c */
void xtcp_output(struct sock *sk, u64 now_us);	/* the output loop; sock lock */
void xtcp_output_again(struct sock *sk);	/* the same, and what follows a verdict */
/* A control segment without a sock, answering @skb (RST, challenge ACK, TIME-WAIT ACK, SYN-ACK). */
void xtcp_reply_skb(struct net *net, const struct sock *sk, struct sk_buff *skb,
		    const struct xtcp_reply *r, u8 tos, u32 mark);
/*
 * The same with a flow instead of a packet (SYN-ACK retransmission, RST of a closed listener's
 * request). 0 or -errno.
 */
int xtcp_reply_flow(const struct xtcp_flow *f, const struct sock *sk, const struct xtcp_reply *r,
		    int oif, u8 tos, u32 mark, struct ip_options_rcu *opt);
/* A control segment of a connection (verdict reply): uses its route and options. */
void xtcp_reply_sk(struct sock *sk, const struct xtcp_reply *r);
/*
 * Route of a connection, (re)built if needed: dst referenced by sk, or NULL. Sets mss_cap by
 * path MTU.
 */
struct dst_entry *xtcp_route(struct sock *sk);
void xtcp_sync_mss(struct sock *sk, u32 pmtu);

/* tsq.c: small queues. sk->sk_write_space: something of @sk has left the queue below, or */
void xtcp_tsq_write_space(struct sock *sk);	/* the kernel thinks that writers may go on */
u32 xtcp_tsq_least(const struct sock *sk);	/* for tcb.dev_least; sock lock */
bool xtcp_tsq_wait(struct sock *sk, u32 least);	/* stop until then; false: it is then already */
void xtcp_tsq_output(struct sock *sk);		/* run the loop, or see to it; softirq */
int xtcp_tsq_init(void);
void xtcp_tsq_exit(void);

/* listen.c */
int xtcp_listen(struct socket *sock, int backlog);		/* proto_ops.listen */
struct sock *xtcp_accept(struct sock *sk, int flags, int *err, bool kern);	/* proto.accept */
void xtcp_listen_stop(struct sock *sk);		/* close/shutdown of a listener: children get RST */
/* SYN at a listener; consumes skb. @iss: least ISN (TIME-WAIT reopened), or 0. */
void xtcp_listen_rcv(struct sock *listener, struct sk_buff *skb, const struct xtcp_seg *g, u32 iss);
/* Segment for a half-open request; consumes skb. */
void xtcp_req_rcv(struct xtcp_req *req, struct sk_buff *skb, const struct xtcp_seg *g);
void xtcp_req_kill(struct xtcp_req *req);	/* out of table and wheel */
void xtcp_req_expired(struct wheel_entry *e);	/* wheel: resend SYN-ACK or give up */
void xtcp_req_icmp(struct xtcp_req *req, int err, bool hard);
void xtcp_req_free_rcu(struct xtcp_req *req);	/* last reference gone (called by xtcp_flow_put) */
/* XTCP_LISTEN_INFO; @sk listens or has done so */
void xtcp_listen_info(struct sock *sk, struct xtcp_listen_info *info);
int xtcp_listen_init(void);			/* caches */
void xtcp_listen_exit(void);
static inline bool xtcp_acceptq_full(const struct xtcp_listener *l)
{
	return READ_ONCE(l->n) > READ_ONCE(l->max);	/* holds one more than max, as Linux */
}

/* timewait.c */
/*
 * Connection reached TIME_WAIT: hand the tuple to an entry (or skip: tcp_max_tw_buckets), end
 * the sock.
 */
void xtcp_tw_enter(struct sock *sk);
/* Likewise FIN_WAIT2 of a sock without a user; false: no entry to be had, the sock stays. */
bool xtcp_tw_fin_wait2(struct sock *sk);
/*
 * Segment for the TIME-WAIT entry @key, as a lookup returned it; consumes skb unless it returns
 * true: then the entry is gone and the SYN goes to a listener with ISN *iss.
 */
bool xtcp_tw_rcv(const struct xtcp_flow *key, struct sk_buff *skb, const struct xtcp_seg *g,
		 u32 *iss);
/*
 * connect(): the sock's 4-tuple is taken. If by a TIME-WAIT entry that tcp_tw_reuse lets go, take
 * its place; else -EADDRNOTAVAIL. Process context, sock lock.
 */
int xtcp_tw_take(struct sock *sk);
void xtcp_tw_view(const struct xtcp_tw *tw, struct xtcp_tw_view *view);
void xtcp_tw_expired(struct wheel_entry *e);
int xtcp_tw_init_module(void);
void xtcp_tw_exit_module(void);
/*
 * Kill all TIME-WAIT entries and requests of a namespace (net) or of all (NULL). Process
 * context.
 */
void xtcp_purge(struct net *net);

/*
 * late.c: TIME_WAIT_LATE. What TIME-WAIT should last, RFC 9293 3.6.1: an entry that lasted
 * less is noted when it ends.
 */
#define XTCP_LATE_US	(60 * (u64)USEC_PER_SEC)
void xtcp_late_note(struct xtcp_net *xn, u32 hash);
bool xtcp_late_seen(struct xtcp_net *xn, u32 hash);
/* nobody there: count the segment if it is late. Softirq */
void xtcp_late_stray(struct xtcp_net *xn, const struct sk_buff *skb, const struct xtcp_seg *g);
/* a SYN ended an entry; its child is made; connect() took an entry */
void xtcp_late_reopened(struct xtcp_net *xn, u32 hash, u32 rcv_nxt);
void xtcp_late_child(struct sock *child);
void xtcp_late_taken(struct sock *sk, u32 rcv_nxt);
void xtcp_late_dropped(struct sock *sk, const struct xtcp_seg *g, enum xtcp_drop why);
void xtcp_late_net_exit(struct xtcp_net *xn);

/* wheels.c: as many wheels as CPUs, one timer each; @hash, the flow's, says which */
int xtcp_wheels_init(void);
void xtcp_wheels_exit(void);
/* File an entry; its reference, if it has any, goes with it. */
void xtcp_wheel_add(struct wheel_entry *e, u32 hash, u64 delay_us);
void xtcp_wheel_file(struct wheel_entry *e, u32 hash);	/* e->due is set */
/* True if it was still filed: the reference comes back to the caller. */
bool xtcp_wheel_del(struct wheel_entry *e, u32 hash);
u64 xtcp_wheel_now_us(void);

/* timers.c: the connection's one timer */
void xtcp_timer_init(struct sock *sk);
/* arm for xtcp_next_deadline(); sock lock */
void xtcp_timer_sync(struct sock *sk, u64 now_us);
void xtcp_timer_run(struct sock *sk);		/* deadlines due: xtcp_timeout + exec; sock lock */

/* pacer.c: a fine timer for those that are paced and have no qdisc that does it; sock lock */
void xtcp_pacer_mode(struct sock *sk);
bool xtcp_pacer_arm(struct sock *sk, u64 due_us);	/* false: there is none */
void xtcp_pacer_stop(struct sock *sk);

/* icmp.c */
/* path MTU told by ICMP; sock lock (also from release_cb) */
void xtcp_icmp_mtu(struct sock *sk, u32 mtu);
int xtcp_err4(struct sk_buff *skb, u32 info);
int xtcp_err6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code,
	      int offset, __be32 info);

#endif /* XTCP_MODULE_H */
