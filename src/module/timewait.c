// SPDX-License-Identifier: GPL-2.0
/*
 * TIME-WAIT entries: what is left of a connection for 2MSL (RFC 9293 3.6.1),
 * and of one in FIN_WAIT2 whose socket is closed. No sock, no timer, no
 * reference count and no lock of its own: the entry stands in the flow table in
 * the connection's place and hangs on a wheel, and whoever wants something of it
 * locks its bucket and looks it up there. What entries of one local address and
 * port have in common stands once, in their home, which holds the port.
 *
 * Its end: out of the table and off the wheel under the bucket lock, then free.
 * If the wheel's timer has it in its hands just then, it is marked dead and the
 * timer frees it.
 */
#include "ports.h"
#include "demux.h"

#include <linux/slab.h>
#include <net/inet_ecn.h>
#include <net/ip6_route.h>

#include <trace/events/xtcp.h>

static struct kmem_cache *tw_cache4, *tw_cache6;

/* An IPv4 entry ends here. */
#define TW4_SIZE	offsetofend(struct xtcp_tw, faddr4)
#define SLUB_EXTRA	8	/* the free pointer of a typesafe cache stands outside */

static_assert(TW4_SIZE + SLUB_EXTRA <= 64);
static_assert(sizeof(struct xtcp_tw) + SLUB_EXTRA <= 96);
static_assert(offsetof(struct xtcp_tw, node.wheel.link) == 16);

/* ------------------------------------------------------------------- homes */

/* TOS or traffic class of the connection's segments; ACKs carry no ECN (RFC 3168 6.1.4). */
static u8 home_tos(const struct sock *sk)
{
	u8 tos = inet_sk(sk)->tos;

#if IS_ENABLED(CONFIG_IPV6)
	if (xtcp_sk(sk)->flow.family == AF_INET6)
		tos = inet6_sk(sk)->tclass;
#endif
	return tos & ~INET_ECN_MASK;
}

/* The offset of a connection's timestamps: it depends on the addresses only. */
static u32 tw_ts_off(const struct xtcp_net *xn, const struct xtcp_flow *key)
{
	const void *laddr, *faddr;
	unsigned int alen = xtcp_flow_addrs(key, &laddr, &faddr);

	return xtcp_ts_off(&xn->key, laddr, faddr, alen);
}

static void home_id(struct xtcp_home_id *id, const struct sock *sk)
{
	const struct xtcp_sock *x = xtcp_sk(sk);

	memset(id, 0, sizeof(*id));
	id->net = x->flow.net;
	id->dif = x->flow.dif;
	id->mark = sk->sk_mark;
	id->timewait_ms = x->timewait_ms;
	id->lport = x->flow.lport;
	id->family = x->flow.family;
	id->tos = home_tos(sk);
	/* another host of a fleet began it, and its clock goes on here (SYN cookies) */
	if (x->tcb.ts_ok && x->tcb.ts_off)
		id->ts_delta = x->tcb.ts_off - tw_ts_off(x->xn, &x->flow);
	if (id->family == AF_INET)
		id->laddr4 = x->flow.v4.laddr;
	else
		id->laddr6 = x->flow.v6.laddr;
}

static struct xtcp_home *home_find(struct xtcp_bind *b, const struct xtcp_home_id *id)
{
	struct xtcp_home *h;

	hlist_for_each_entry_rcu(h, &b->homes, node, lockdep_is_held(&b->xn->bind_lock)) {
		if (!memcmp(&h->id, id, sizeof(*id)) && refcount_inc_not_zero(&h->ref))
			return h;
	}
	return NULL;
}

/* The home of a sock's entries, referenced; NULL: no memory. Sock lock. */
static struct xtcp_home *home_get(struct sock *sk)
{
	struct xtcp_bind *b = xtcp_sk(sk)->bind;
	struct xtcp_home *h = NULL, *new;
	struct xtcp_home_id id;
	bool shared;

	home_id(&id, sk);
	/* one of a kind is not put where others look for theirs */
	shared = b && !id.ts_delta;
	rcu_read_lock();
	if (shared)
		h = home_find(b, &id);
	rcu_read_unlock();
	if (h)
		return h;
	new = kmalloc(sizeof(*new), GFP_ATOMIC | __GFP_NOWARN);
	if (!new)
		return NULL;
	new->id = id;
	new->bind = xtcp_bind_get(b);
	refcount_set(&new->ref, 1);
	INIT_HLIST_NODE(&new->node);
	if (!shared)
		return new;
	spin_lock_bh(&b->xn->bind_lock);
	h = home_find(b, &id);
	if (!h)
		hlist_add_head_rcu(&new->node, &b->homes);
	spin_unlock_bh(&b->xn->bind_lock);
	if (!h)
		return new;
	xtcp_bind_put(b);
	kfree(new);
	return h;
}

static void home_put(struct xtcp_home *h)
{
	if (!refcount_dec_and_test(&h->ref))
		return;
	xtcp_race_point(HOME_PUT);
	if (h->bind) {
		spin_lock_bh(&h->bind->xn->bind_lock);
		hlist_del_init_rcu(&h->node);
		spin_unlock_bh(&h->bind->xn->bind_lock);
		xtcp_bind_put(h->bind);
	}
	kfree_rcu(h, rcu);
}

/* 2MSL of a socket's connections, 0: none. */
static u64 tw_length_us(const struct xtcp_net *xn, s32 timewait_ms)
{
	if (timewait_ms < 0)
		timewait_ms = READ_ONCE(xn->params.tcp_timewait_ms);
	return (u64)timewait_ms * USEC_PER_MSEC;
}

/* ----------------------------------------------------------- life and death */

static u32 tick_after(const struct xtcp_net *xn, u64 us)
{
	return wheel_tick_at(xtcp_wheel_now_us() + xtcp_real_us(xn, us));
}

/* What the entry still lives, by the namespace's clock. */
static u64 tw_left_us(const struct xtcp_net *xn, const struct xtcp_tw *tw)
{
	u32 now = (u32)div_u64(xtcp_wheel_now_us(), WHEEL_TICK_US);
	s32 ticks = READ_ONCE(tw->node.wheel.due) - now;

	return ticks > 0 ? xtcp_virtual_us(xn, (u64)ticks * WHEEL_TICK_US) : 0;
}

static void tw_load(const struct xtcp_tw *tw, struct xtcp_twc *w)
{
	w->snd_nxt = tw->snd_nxt;
	w->rcv_nxt = tw->rcv_nxt;
	w->ts_recent = tw->ts_recent;
	xtcp_twc_unpack(w, tw->node.info >> XTCP_NODE_TWC);
}

/* Bucket locked, or not hashed yet. */
static void tw_store(struct xtcp_tw *tw, const struct xtcp_twc *w)
{
	u16 low = tw->node.info & ((1 << XTCP_NODE_TWC) - 1);

	tw->snd_nxt = w->snd_nxt;
	tw->rcv_nxt = w->rcv_nxt;
	tw->ts_recent = w->ts_recent;
	WRITE_ONCE(tw->node.info, low | xtcp_twc_pack(w) << XTCP_NODE_TWC);
}

/* node.next stays as it is: a reader of the memory's previous life may stand on it. */
static struct xtcp_tw *tw_alloc(struct sock *sk)
{
	const struct xtcp_flow *f = &xtcp_sk(sk)->flow;
	bool v6 = f->family == AF_INET6;
	struct xtcp_home *home = home_get(sk);
	struct xtcp_tw *tw;

	if (!home)
		return NULL;
	tw = kmem_cache_alloc(v6 ? tw_cache6 : tw_cache4, GFP_ATOMIC | __GFP_NOWARN);
	if (!tw) {
		home_put(home);
		return NULL;
	}
	WRITE_ONCE(tw->node.info, XTCP_KIND_TW | (v6 ? XTCP_NODE_V6 : 0));
	tw->node.fport = f->fport;
	wheel_entry_init(&tw->node.wheel);
	WRITE_ONCE(tw->home, home);
	if (v6)
		tw->faddr6 = f->v6.faddr;
	else
		tw->faddr4 = f->v4.faddr;
	return tw;
}

static void tw_free(struct xtcp_tw *tw)
{
	xtcp_race_point(TW_FREE);
	home_put(tw->home);
	kmem_cache_free(tw->node.info & XTCP_NODE_V6 ? tw_cache6 : tw_cache4, tw);
}

/* Its key; the bucket locked, or the entry in our hands. */
static void tw_key(const struct xtcp_tw *tw, struct xtcp_flow *key)
{
	const struct xtcp_home_id *id = &tw->home->id;

	key->info = XTCP_KIND_TW;
	key->kind = XTCP_KIND_TW;
	key->hashed = 0;
	key->net = id->net;
	key->dif = id->dif;
	key->family = id->family;
	key->lport = id->lport;
	key->fport = tw->node.fport;
	if (id->family == AF_INET) {
		key->v4.laddr = id->laddr4;
		key->v4.faddr = tw->faddr4;
	} else {
		key->v6.laddr = id->laddr6;
		key->v6.faddr = tw->faddr6;
	}
}

static u8 entry_state(const struct xtcp_tw *tw)
{
	struct xtcp_twc w;

	xtcp_twc_unpack(&w, tw->node.info >> XTCP_NODE_TWC);
	return w.fin_wait2 ? XTCP_FIN_WAIT2 : XTCP_TIME_WAIT;
}

/*
 * It is out of the table: off the wheel, too. Bucket locked. True: the caller
 * frees it; false: the wheel's timer, which has it.
 */
static bool tw_release(struct xtcp_tw *tw, u32 hash)
{
	if (xtcp_wheel_del(&tw->node.wheel, hash))
		return true;
	WRITE_ONCE(tw->node.info, tw->node.info | XTCP_NODE_DEAD);
	return false;
}

/* It has gone: counters and trace. */
static void tw_gone(const struct xtcp_flow *key, u8 state, const char *cause)
{
	struct xtcp_net *xn = xtcp_net(key->net);

	xtcp_note_edge(xn, key, state, XTCP_CLOSE, cause);
	atomic_dec(&xn->tw_count);
}

/* One more, if the limit allows. */
static bool tw_admit(struct xtcp_net *xn)
{
	if (atomic_inc_return(&xn->tw_count) <= READ_ONCE(xn->params.tcp_max_tw_buckets))
		return true;
	atomic_dec(&xn->tw_count);
	return false;
}

/* An entry in the place of a connection for @us; false: none is to be had. */
static bool tw_make(struct sock *sk, struct xtcp_twc *w, u64 us)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_net *xn = x->xn;
	u32 hash = x->flow.hash;
	struct xtcp_tw *tw;
	bool done;

	tw = tw_alloc(sk);
	if (!tw)
		return false;
	tw_store(tw, w);
	tw->node.wheel.due = tick_after(xn, us);
	xtcp_race_point(TW_MAKE);
	spin_lock_bh(xtcp_flow_bucket(hash));
	done = xtcp_flow_to_tw(&x->flow, tw);
	if (done)
		xtcp_wheel_file(&tw->node.wheel, hash);
	spin_unlock_bh(xtcp_flow_bucket(hash));
	if (!done)
		tw_free(tw);
	return done;
}

/* False: no entry is wanted or to be had. */
static bool tw_enter(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_net *xn = x->xn;
	u64 us = tw_length_us(xn, x->timewait_ms);
	struct xtcp_twc w;

	if (READ_ONCE(xn->dying))
		return false;
	if (!us)
		goto skip;
	xtcp_tw_init(&w, &x->tcb);
	w.fin_wait2 = 0;
	/* SEEDS D-7: the tuple's own RTO, nothing is remembered per host */
	if (w.ts_ok && READ_ONCE(xn->params.tcp_tw_recycle) && xtcp_tw_brief_us(&x->tcb) < us) {
		us = xtcp_tw_brief_us(&x->tcb);
		w.brief = 1;
	}
	if (!tw_admit(xn)) {
		net_warn_ratelimited("xtcp: tcp_max_tw_buckets reached, TIME_WAIT skipped\n");
		goto overflow;
	}
	if (tw_make(sk, &w, us))
		return true;
	atomic_dec(&xn->tw_count);
overflow:
	XTCP_INC(xn, TIME_WAIT_OVERFLOW);
skip:
	xtcp_late_note(xn, x->flow.hash);
	return false;
}

/**
 * xtcp_tw_enter - a connection reached TIME_WAIT
 * @sk: sock, locked; its edge to TIME_WAIT is already noted
 *
 * Hands the 4-tuple and the port over to an entry and ends the sock. Beyond
 * tcp_max_tw_buckets, without memory or with a 2MSL of 0 there is no entry: the
 * tuple is free at once (SEEDS D-6).
 *
 * Context: softirq or process.
 */
void xtcp_tw_enter(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	if (!tw_enter(sk))
		xtcp_note_edge(x->xn, &x->flow, XTCP_TIME_WAIT, XTCP_CLOSE, "TIME_WAIT skipped");
	xtcp_sock_done(sk);
}

/**
 * xtcp_tw_fin_wait2 - a closed socket reached FIN_WAIT2 (SEEDS 4-71)
 * @sk: sock, locked; its edge to FIN_WAIT2 is already noted
 *
 * As xtcp_tw_enter(), but without an entry the sock goes on as it is.
 *
 * Context: softirq or process.
 *
 * Return: whether the sock is done.
 */
bool xtcp_tw_fin_wait2(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	u64 due_us = x->tcb.deadline_us[XTCP_T_LIFE], now_us = xtcp_now_us(x->xn);
	struct xtcp_twc w;

	if (READ_ONCE(x->xn->dying) || !tw_admit(x->xn))
		return false;
	xtcp_tw_init(&w, &x->tcb);
	if (!tw_make(sk, &w, due_us > now_us ? due_us - now_us : 0)) {
		atomic_dec(&x->xn->tw_count);
		return false;
	}
	xtcp_sock_done(sk);
	return true;
}

/* Did it last less than a segment may live in the network? */
static bool tw_was_short(const struct xtcp_net *xn, const struct xtcp_tw *tw)
{
	struct xtcp_twc w;

	tw_load(tw, &w);
	return w.brief || tw_length_us(xn, tw->home->id.timewait_ms) < XTCP_LATE_US;
}

/**
 * xtcp_tw_expired - the wheel brought an entry up
 * @e: its wheel part; it is in our hands
 *
 * A FIN may have restarted 2MSL meanwhile: then the entry is filed again for
 * the rest.
 *
 * Context: softirq, or process when the module goes.
 */
void xtcp_tw_expired(struct wheel_entry *e)
{
	struct xtcp_tw *tw = container_of(e, struct xtcp_tw, node.wheel);
	struct xtcp_flow key;
	struct xtcp_net *xn;
	bool dead;
	u8 state;

	tw_key(tw, &key);
	xtcp_flow_rehash(&key);
	xn = xtcp_net(key.net);
	xtcp_race_point(TW_EXPIRED);
	spin_lock_bh(xtcp_flow_bucket(key.hash));
	dead = tw->node.info & XTCP_NODE_DEAD;
	if (!dead && wheel_early(e, xtcp_wheel_now_us())) {
		xtcp_wheel_file(e, key.hash);
		spin_unlock_bh(xtcp_flow_bucket(key.hash));
		return;
	}
	state = entry_state(tw);
	if (!dead)
		xtcp_flow_del_tw(tw, key.hash);
	spin_unlock_bh(xtcp_flow_bucket(key.hash));
	if (!dead) {
		trace_xtcp_timer(&key, "fired", state == XTCP_TIME_WAIT ? "2msl" : "fin_wait2",
				 0, 0);
		XTCP_INC(xn, TIME_WAITED);
		if (state == XTCP_TIME_WAIT && tw_was_short(xn, tw))
			xtcp_late_note(xn, key.hash);
		tw_gone(&key, state, state == XTCP_TIME_WAIT ? "2MSL" : "FIN_WAIT2 timeout");
	}
	tw_free(tw);
}

/* End the entry of @key now, if it is still there. */
static bool tw_kill(const struct xtcp_flow *key, const char *cause)
{
	struct xtcp_tw *tw;
	bool ours = false;
	u8 state = 0;

	spin_lock_bh(xtcp_flow_bucket(key->hash));
	tw = xtcp_flow_find_tw(key);
	if (tw) {
		state = entry_state(tw);
		xtcp_flow_del_tw(tw, key->hash);
		ours = tw_release(tw, key->hash);
	}
	spin_unlock_bh(xtcp_flow_bucket(key->hash));
	if (!tw)
		return false;
	tw_gone(key, state, cause);
	if (ours)
		tw_free(tw);
	return true;
}

/* ------------------------------------------------------------ segments for it */

/* Is there a listener that would take this SYN? */
static bool tw_listener(struct net *net, const struct sk_buff *skb)
{
	struct sock *sk = xtcp_listener_lookup(net, skb);

	if (sk)
		sock_put(sk);
	return sk;
}

/* A bound connection's last words go by its device; link-local ones by where the peer is. */
static int tw_oif(const struct xtcp_flow *key, const struct sk_buff *skb)
{
	if (key->dif)
		return key->dif;
	if (netif_index_is_l3_master(key->net, skb->skb_iif))
		return skb->skb_iif;
	if (key->family == AF_INET6 && rt6_need_strict(&key->v6.faddr))
		return inet6_iif(skb);
	return 0;
}

/* What one segment did to an entry. */
struct tw_step {
	enum xtcp_tw_act act;
	struct xtcp_verdict v;
	u32 rcv_nxt;
	u8 from;			/* state before */
	u8 tos;
	u32 mark;
	bool last;			/* the entry has gone */
	struct xtcp_tw *free;		/* and is ours to free */
};

/* How long TIME_WAIT shall last now, 0: not at all. */
static u64 tw_next_us(const struct xtcp_net *xn, struct xtcp_tw *tw, struct xtcp_twc *w,
		      enum xtcp_tw_act act)
{
	u64 us = tw_length_us(xn, tw->home->id.timewait_ms), brief_us = 0;

	if (act != XTCP_TW_FIN)
		return us;
	if (w->ts_ok && READ_ONCE(xn->params.tcp_tw_recycle))
		brief_us = xtcp_twc_brief_us(w);
	xtcp_twc_begin(w);
	w->brief = brief_us && brief_us < us;
	return w->brief ? brief_us : us;
}

/* The entry moves to another time: further away lazily, nearer at once. Bucket locked. */
static void tw_move(struct xtcp_tw *tw, u32 hash, u32 due)
{
	bool nearer = (s32)(due - tw->node.wheel.due) < 0;

	if (nearer && xtcp_wheel_del(&tw->node.wheel, hash)) {
		tw->node.wheel.due = due;
		xtcp_wheel_file(&tw->node.wheel, hash);
	} else {
		/* if the timer has it: it looks at due again */
		WRITE_ONCE(tw->node.wheel.due, due);
	}
}

/* Bucket locked. */
static void tw_step(struct xtcp_tw *tw, const struct xtcp_flow *key, const struct xtcp_seg *g,
		    struct xtcp_tw_env *e, struct tw_step *s)
{
	const struct xtcp_net *xn = xtcp_net(key->net);
	struct xtcp_twc w;
	u64 us;

	s->from = entry_state(tw);
	s->rcv_nxt = tw->rcv_nxt;
	s->tos = tw->home->id.tos;
	s->mark = tw->home->id.mark;
	tw_load(tw, &w);
	if (w.ts_ok && !w.ts_plain)
		e->ts_off = tw_ts_off(xn, key) + tw->home->id.ts_delta;
	s->act = xtcp_tw_segment(&w, e, g, &s->v);
	if (s->act == XTCP_TW_RESTART || s->act == XTCP_TW_FIN) {
		us = tw_next_us(xn, tw, &w, s->act);
		s->last = !us;
		if (us)
			tw_move(tw, key->hash, tick_after(xn, us));
	} else {
		s->last = s->act != XTCP_TW_DROP;
	}
	tw_store(tw, &w);
	if (!s->last)
		return;
	xtcp_flow_del_tw(tw, key->hash);
	s->free = tw_release(tw, key->hash) ? tw : NULL;
}

/* Edges and counters of a step. */
static void tw_account(struct xtcp_net *xn, const struct xtcp_flow *key,
		       const struct tw_step *s)
{
	static const char * const cause[] = {
		[XTCP_TW_RESTART] = "TIME_WAIT skipped", [XTCP_TW_FIN] = "TIME_WAIT skipped",
		[XTCP_TW_KILL] = "RST", [XTCP_TW_ABORT] = "data after close",
		[XTCP_TW_REOPEN] = "new SYN",
	};
	u8 state = s->from;

	xtcp_exec_stats(xn, &s->v);
	if (s->act == XTCP_TW_FIN) {
		xtcp_note_edge(xn, key, XTCP_FIN_WAIT2, XTCP_TIME_WAIT, "FIN");
		state = XTCP_TIME_WAIT;
	}
	if (s->act == XTCP_TW_KILL && state == XTCP_TIME_WAIT) {
		XTCP_INC(xn, TIME_WAIT_KILLED);
		xtcp_late_note(xn, key->hash);
	}
	if (s->act == XTCP_TW_REOPEN)
		xtcp_late_reopened(xn, key->hash, s->rcv_nxt);
	if (s->last)
		tw_gone(key, state, cause[s->act]);
}

/* Where the last ACK to a bad segment for this entry is remembered. */
static u64 *tw_ack_slot(struct xtcp_net *xn, const struct xtcp_flow *key)
{
	return &xn->tw_acks[key->hash & (XTCP_TW_ACKS - 1)];
}

static u64 tw_ack_load(struct xtcp_net *xn, const struct xtcp_flow *key, u64 now_us)
{
	u64 was = READ_ONCE(*tw_ack_slot(xn, key));
	u32 ago_ms = (u32)div_u64(now_us, USEC_PER_MSEC) - (u32)was;

	if (was >> 32 != key->hash || (u64)ago_ms * USEC_PER_MSEC >= now_us)
		return 0;
	return now_us - (u64)ago_ms * USEC_PER_MSEC;
}

static void tw_ack_store(struct xtcp_net *xn, const struct xtcp_flow *key, u64 at_us)
{
	WRITE_ONCE(*tw_ack_slot(xn, key),
		   (u64)key->hash << 32 | (u32)div_u64(at_us, USEC_PER_MSEC));
}

/**
 * xtcp_tw_rcv - a segment met a TIME-WAIT entry
 * @key: whose, as a lookup returned it
 * @skb: the segment
 * @g: the same, parsed
 * @iss: least ISN for the connection that a new SYN opens
 *
 * Context: softirq, or process with a sock locked (backlog; then no SYN).
 *
 * Return: true if the entry has gone and the SYN is the listener's; else skb
 * is consumed.
 */
bool xtcp_tw_rcv(const struct xtcp_flow *key, struct sk_buff *skb, const struct xtcp_seg *g,
		 u32 *iss)
{
	struct xtcp_net *xn = xtcp_net(key->net);
	u64 now_us = xtcp_now_us(xn), acked_us = tw_ack_load(xn, key, now_us);
	struct xtcp_tw_env e = {
		.p = &xn->params, .now_us = now_us, .last_ack_us = acked_us,
		.listener = (g->flags & XTCP_SYN) && tw_listener(key->net, skb),
	};
	struct tw_step s = { };
	struct xtcp_tw *tw;

	xtcp_race_point(TW_RCV);
	spin_lock_bh(xtcp_flow_bucket(key->hash));
	tw = xtcp_flow_find_tw(key);
	if (tw)
		tw_step(tw, key, g, &e, &s);
	spin_unlock_bh(xtcp_flow_bucket(key->hash));
	if (!tw) {
		xtcp_drop_skb(xn, skb, XTCP_DROP_TW_OLD);
		return false;
	}
	if (e.last_ack_us != acked_us)
		tw_ack_store(xn, key, e.last_ack_us);
	tw_account(xn, key, &s);
	if (s.free)
		tw_free(s.free);
	if (xtcp_may_reply(xn, &s.v))
		xtcp_reply_flow(key, NULL, &s.v.reply, tw_oif(key, skb), s.tos, s.mark, NULL);
	if (s.act == XTCP_TW_REOPEN) {
		*iss = e.iss;
		xtcp_race_point(TW_REOPEN);
		return true;
	}
	xtcp_drop_skb(xn, skb, s.v.drop);
	return false;
}

/* --------------------------------------------------------------- taking over */

/* Does one end stand on the loopback device? */
static bool tw_loopback(const struct xtcp_flow *f)
{
	if (f->dif == LOOPBACK_IFINDEX)
		return true;
	if (f->family == AF_INET)
		return ipv4_is_loopback(f->v4.laddr) || ipv4_is_loopback(f->v4.faddr);
	return ipv6_addr_loopback(&f->v6.laddr) || ipv6_addr_loopback(&f->v6.faddr);
}

/*
 * SEEDS D-8, 4-93 to 4-96: only timestamps tell old segments from new, so both
 * connections must have them; and those of the old one must have had time to
 * move on. Who bound the very port wants it now, whatever the mode, as on Linux.
 * A life cut short by tcp_tw_recycle does not say when it began: such an entry
 * is about to go anyway.
 */
static bool tw_may_take(const struct sock *sk, const struct xtcp_tw *tw,
			const struct xtcp_twc *w)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	const struct xtcp_params *p = &x->xn->params;
	u64 delay_us = (u64)READ_ONCE(p->tcp_tw_reuse_delay) * USEC_PER_MSEC;
	int mode = READ_ONCE(p->tcp_tw_reuse);

	if (w->fin_wait2 || !w->ts_ok || !READ_ONCE(p->tcp_timestamps))
		return false;
	if (sk->sk_userlocks & SOCK_BINDPORT_LOCK)
		return true;
	if (!mode || (mode == 2 && !tw_loopback(&x->flow)) || w->brief)
		return false;
	return tw_left_us(x->xn, tw) + delay_us <=
	       tw_length_us(x->xn, tw->home->id.timewait_ms);
}

/**
 * xtcp_tw_take - connect() in the place of a TIME-WAIT entry
 * @sk: flow key complete, not hashed; sock lock held
 *
 * On success the flow is hashed, and the sock knows how the new ISN and the
 * peer's timestamps must follow on (RFC 6191 2).
 *
 * Return: 0 or -EADDRNOTAVAIL. Process context.
 */
int xtcp_tw_take(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_flow *f = &x->flow;
	bool taken = false, ours = false;
	struct xtcp_twc w;
	struct xtcp_tw *tw;

	xtcp_race_point(TW_TAKE);
	spin_lock_bh(xtcp_flow_bucket(f->hash));
	tw = xtcp_flow_tw_conflict(f);
	if (tw) {
		tw_load(tw, &w);
		taken = tw_may_take(sk, tw, &w);
	}
	if (taken) {
		xtcp_flow_from_tw(tw, f);
		ours = tw_release(tw, f->hash);
	}
	spin_unlock_bh(xtcp_flow_bucket(f->hash));
	if (!taken)
		return -EADDRNOTAVAIL;
	tw_gone(f, XTCP_TIME_WAIT, "reused");
	XTCP_INC(x->xn, TIME_WAIT_RECYCLED);
	if (ours)
		tw_free(tw);
	xtcp_late_taken(sk, w.rcv_nxt);
	x->tw_taken = 1;
	x->tcb.iss = w.snd_nxt + 65537;
	x->tcb.s.ts_recent = w.ts_recent;
	x->tcb.s.ts_recent_s = (u32)div_u64(xtcp_now_us(x->xn), USEC_PER_SEC) + 1;
	return 0;
}

/* ------------------------------------------------------------ walk and purge */

/**
 * xtcp_tw_view - picture of an entry
 * @tw: entry, its bucket locked
 * @view: filled
 */
void xtcp_tw_view(const struct xtcp_tw *tw, struct xtcp_tw_view *view)
{
	tw_key(tw, &view->flow);
	view->state = entry_state(tw);
	view->left_us = tw_left_us(xtcp_net(view->flow.net), tw);
}

/* One pass; true if something was killed. */
static bool purge_pass(struct net *net)
{
	unsigned int bucket = 0, off = 0;
	struct xtcp_tw_view view;
	struct xtcp_flow *f;
	bool any = false;

	while ((f = xtcp_flow_next(net, &bucket, &off, &view))) {
		if (f->kind == XTCP_KIND_TW) {
			xtcp_flow_rehash(f);
			if (tw_kill(f, "purged"))
				off--;	/* the next one stands in its place */
			any = true;
		} else if (f->kind == XTCP_KIND_REQ) {
			xtcp_req_kill(container_of(f, struct xtcp_req, flow));
			any = true;
		}
		xtcp_flow_put(f);
		cond_resched();
	}
	return any;
}

/**
 * xtcp_purge - end every TIME-WAIT entry and half-open request
 * @net: of this namespace, or NULL: of all
 *
 * New ones must be impossible by now. Process context. An entry that another
 * CPU is just ending may still be running its end when this returns: wait a
 * grace period before freeing what it looks at.
 */
void xtcp_purge(struct net *net)
{
	const struct xtcp_net *xn = net ? xtcp_net(net) : NULL;

	/*
	 * Removal shifts the walk, so walk until there was nothing to remove. An
	 * entry leaves the table before it leaves the counts.
	 */
	while ((!xn || atomic_read(&xn->tw_count) || atomic_read(&xn->req_count)) &&
	       purge_pass(net))
		;
}

/**
 * xtcp_tw_init_module - make the slab caches
 *
 * Not aligned to cache lines: SLUB's 8 bytes make an IPv4 entry exactly one.
 *
 * Return: 0 or -ENOMEM.
 */
int xtcp_tw_init_module(void)
{
	tw_cache4 = kmem_cache_create("xtcp_tw", TW4_SIZE, 0, SLAB_TYPESAFE_BY_RCU, NULL);
	tw_cache6 = kmem_cache_create("xtcp_tw6", sizeof(struct xtcp_tw), 0,
				      SLAB_TYPESAFE_BY_RCU, NULL);
	if (tw_cache4 && tw_cache6)
		return 0;
	xtcp_tw_exit_module();
	return -ENOMEM;
}

/**
 * xtcp_tw_exit_module - destroy the slab caches; all entries are free
 */
void xtcp_tw_exit_module(void)
{
	kmem_cache_destroy(tw_cache4);
	kmem_cache_destroy(tw_cache6);
}
