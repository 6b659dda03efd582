// SPDX-License-Identifier: GPL-2.0
/*
 * SYN cookies on the wire (RFC 4987 3.6): a SYN answered without keeping
 * anything, the ACK that brings the cookie back, and the keys.
 *
 * The SYN's way takes no lock and allocates nothing: its own skb becomes the
 * SYN-ACK (xtcp_path_turn()). The ACK's way makes an ordinary half-open request
 * of a good cookie and completes it at once.
 *
 * A cookie can complete one handshake only. What has been used is remembered
 * in a table of fixed size, in sets of four with the oldest giving way: sure
 * for the last few, likely for the last few thousand; nothing can be made sure
 * without state for each. While the connection lives, or its TIME-WAIT entry
 * does, a second use meets that, whatever the table has forgotten.
 */
#include "packets.h"
#include "listen.h"
#include "../core/cookie.h"

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/sysctl.h>
#include <net/ip6_route.h>

#include <trace/events/xtcp.h>

#define USED_SETS	1024u
#define USED_WAYS	4u

/* A handshake completed by a cookie. */
struct used {
	u32 mark;
	u32 tick;		/* when; 0: never */
};

struct xtcp_cookies {
	/* read under RCU */
	struct xtcp_cookie_keys __rcu *keys;
	struct mutex key_mutex;	/* writers of keys */
	spinlock_t used_lock;	/* used */
	struct used used[USED_SETS][USED_WAYS];
};

/* The wall clock: hosts of a fleet share it. The lab's clock does not change it. */
static u64 cookie_real_s(void)
{
	return ktime_get_real_seconds();
}

static void cookie_id(const struct xtcp_flow *f, struct xtcp_cookie_id *id)
{
	id->alen = xtcp_flow_addrs(f, &id->laddr, &id->faddr);
	id->lport = ntohs(f->lport);
	id->fport = ntohs(f->fport);
}

/* ------------------------------------------------------------------- the SYN */

static u32 cookie_ts_off(const struct xtcp_net *xn, const struct xtcp_cookie_id *id)
{
	if (READ_ONCE(xn->params.tcp_timestamps) == 2)
		return 0;
	return xtcp_ts_off(&xn->key, id->laddr, id->faddr, id->alen);
}

/* The SYN-ACK to @g. */
static void cookie_synack(struct sock *listener, const struct xtcp_flow *f,
			  const struct xtcp_seg *g, const struct dst_entry *dst,
			  struct xtcp_reply *r)
{
	struct xtcp_net *xn = xtcp_net(f->net);
	u16 adv_mss = xtcp_sock_advmss(listener, dst);
	u64 now_us = xtcp_now_us(xn);
	struct xtcp_cookie_id id;
	struct xtcp_rq rq;

	cookie_id(f, &id);
	xtcp_rq_init(&rq, &xn->params, g, f->family == AF_INET6, 0,
		     g->opt.has_ts ? cookie_ts_off(xn, &id) : 0,
		     xtcp_syn_window(listener, adv_mss), xtcp_sock_wscale(listener), now_us);
	if (dst_feature(dst, RTAX_FEATURE_ECN))
		xtcp_rq_ecn_route(&rq, g);
	rcu_read_lock();
	xtcp_cookie_make(rcu_dereference(xn->cookies->keys), &id, &rq, cookie_real_s());
	rcu_read_unlock();
	xtcp_rq_synack(&rq, adv_mss, now_us, r);
}

/* For as long as a cookie lives its ACK may come: see cookie_expected(). */
static void cookie_sent(struct xtcp_net *xn, struct xtcp_listener *l)
{
	u32 tick = xtcp_cookie_tick(cookie_real_s());

	if (READ_ONCE(l->cookie_tick) != tick)
		WRITE_ONCE(l->cookie_tick, tick);
	if (READ_ONCE(xn->cookie_tick) != tick)
		WRITE_ONCE(xn->cookie_tick, tick);
	atomic64_inc(&l->cookies_sent);
	XTCP_INC(xn, SYNCOOKIES_SENT);
}

/**
 * xtcp_cookie_syn - answer a SYN with a cookie
 * @listener: referenced by the caller
 * @skb: the SYN; consumed if XTCP_DROP_NONE is returned
 * @g: the same, parsed
 *
 * Context: softirq, RCU.
 *
 * Return: why not, or XTCP_DROP_NONE.
 */
enum xtcp_drop xtcp_cookie_syn(struct sock *listener, struct sk_buff *skb,
			       const struct xtcp_seg *g)
{
	struct net *net = sock_net(listener);
	struct xtcp_net *xn = xtcp_net(net);
	struct dst_entry *dst;
	struct xtcp_reply r;
	struct xtcp_path p;
	struct xtcp_flow f;

	xtcp_flow_init_skb(&f, net, XTCP_KIND_REQ, skb);
	if (READ_ONCE(listener->sk_bound_dev_if))
		f.dif = READ_ONCE(listener->sk_bound_dev_if);
	if (xtcp_syn_security(listener, skb, &f))
		return XTCP_DROP_FILTER;
	xtcp_syn_path(listener, skb, &f, &p);
	dst = xtcp_path_route(net, &p);
	if (IS_ERR(dst))
		return XTCP_DROP_NO_ROUTE;
	cookie_synack(listener, &f, g, dst, &r);
	cookie_sent(xn, xtcp_sk(listener)->lsn);
	trace_xtcp_cookie(&f, "sent", r.seq, 0);
	xtcp_path_turn(net, &p, &r, dst, skb);
	return XTCP_DROP_NONE;
}

/* ---------------------------------------------------- cookies used already */

/*
 * Was this handshake completed before, within the life of a cookie? With
 * @remember, it is now.
 */
static bool cookie_used(struct xtcp_cookies *c, u64 mark, u32 tick, bool remember)
{
	struct used *set = c->used[(u32)mark % USED_SETS], *to = set;
	unsigned int i;
	bool found = false;

	spin_lock_bh(&c->used_lock);
	for (i = 0; i < USED_WAYS; i++) {
		/* one tick more: a cookie of a host whose clock is ahead */
		if (set[i].mark == mark >> 32 && set[i].tick &&
		    tick - set[i].tick <= XTCP_COOKIE_TICKS + 1)
			found = true;
		if (tick - set[i].tick > tick - to->tick)
			to = &set[i];
	}
	if (remember && !found) {
		to->mark = mark >> 32;
		to->tick = tick;
	}
	spin_unlock_bh(&c->used_lock);
	return found;
}

/* ------------------------------------------------------------------- the ACK */

/*
 * May an ACK be a cookie's? Mode 1 looks only where cookies were sent lately;
 * members of a SO_REUSEPORT group answer for one another.
 */
static bool cookie_expected(const struct xtcp_net *xn, const struct sock *listener)
{
	int mode = xtcp_listener_cookies(listener);
	u32 last;

	if (mode != 1)
		return mode == 2;
	last = listener->sk_reuseport ? READ_ONCE(xn->cookie_tick) :
					READ_ONCE(xtcp_sk(listener)->lsn->cookie_tick);
	/* from one tick ahead, should the clock have been set back by a little */
	return last && xtcp_cookie_tick(cookie_real_s()) - last + 1 <= XTCP_COOKIE_TICKS + 1;
}

/* The request that the cookie stands for, in its place in the table, referenced. */
static struct xtcp_req *cookie_req(struct sock *listener, struct sk_buff *skb,
				   const struct xtcp_seg *g, const struct xtcp_cookie_syn *syn,
				   u8 wscale, enum xtcp_drop *why)
{
	struct net *net = sock_net(listener);
	struct xtcp_net *xn = xtcp_net(net);
	u64 now_us = xtcp_now_us(xn);
	struct xtcp_cookie_id id;
	struct dst_entry *dst;
	struct xtcp_req *req;
	struct xtcp_path p;
	u32 ts_off = 0;

	req = xtcp_syn_req(net, listener, skb);
	*why = XTCP_DROP_NOMEM;
	if (!req)
		return NULL;
	*why = XTCP_DROP_FILTER;
	if (xtcp_syn_security(listener, skb, &req->flow))
		goto free;
	xtcp_req_path(req, &p);
	dst = xtcp_path_route(net, &p);
	*why = XTCP_DROP_NO_ROUTE;
	if (IS_ERR(dst))
		goto free;
	req->flow.req_adv_mss = xtcp_sock_advmss(listener, dst);
	dst_release(dst);
	cookie_id(&req->flow, &id);
	if (syn->has_ts)
		ts_off = xtcp_cookie_ts_off(cookie_ts_off(xn, &id), g->opt.tsecr, now_us);
	xtcp_cookie_rq(&req->rq, &xn->params, g, syn, req->flow.family == AF_INET6, ts_off,
		       xtcp_syn_window(listener, req->flow.req_adv_mss), wscale, now_us);
	/* Somebody holds the tuple: the same ACK on another CPU was quicker. */
	*why = XTCP_DROP_CLOSED;
	if (xtcp_syn_file(req, "SYN cookie"))
		return req;
free:
	xtcp_req_free_rcu(req);
	return NULL;
}

/* A good cookie: make the connection. skb consumed. */
static bool cookie_take(struct sock *listener, struct sk_buff *skb, const struct xtcp_seg *g,
			const struct xtcp_cookie_syn *syn, u8 wscale)
{
	struct xtcp_net *xn = xtcp_net(sock_net(listener));
	enum xtcp_drop why;
	struct xtcp_req *req;
	bool done;

	req = cookie_req(listener, skb, g, syn, wscale, &why);
	if (!req) {
		XTCP_INC(xn, LISTEN_DROPS);
		atomic_inc(&listener->sk_drops);
		xtcp_drop_skb(xn, skb, why);
		return false;
	}
	xtcp_race_point(COOKIE_REQ);
	done = xtcp_req_accept(req, skb, g);
	xtcp_flow_put(&req->flow);
	return done;
}

/**
 * xtcp_cookie_ack - an ACK at a listener: the third segment of a cookie?
 * @listener: referenced by the caller
 * @skb: segment with ACK, without SYN and RST; consumed unless a reason is
 *	returned
 * @g: the same, parsed
 *
 * Data and FIN of the segment go to the connection. If the accept queue is full
 * that is as with a request, but that nothing is kept: the segment is dropped
 * and may come again, or answered with RST (SEEDS X-10).
 *
 * Context: softirq, RCU.
 *
 * Return: why it is none and gets a RST; XTCP_DROP_NONE: all is done.
 */
enum xtcp_drop xtcp_cookie_ack(struct sock *listener, struct sk_buff *skb,
			       const struct xtcp_seg *g)
{
	struct net *net = sock_net(listener);
	struct xtcp_net *xn = xtcp_net(net);
	u8 wscale = xtcp_sock_wscale(listener);
	u64 real_s = cookie_real_s(), mark;
	struct xtcp_cookie_syn syn;
	struct xtcp_cookie_id id;
	enum xtcp_cookie_act act;
	struct xtcp_flow f;

	if (!cookie_expected(xn, listener))
		return XTCP_DROP_LISTEN_ACK;
	xtcp_race_point(COOKIE_ACK);
	xtcp_flow_init_skb(&f, net, XTCP_KIND_REQ, skb);
	cookie_id(&f, &id);
	rcu_read_lock();
	act = xtcp_cookie_check(rcu_dereference(xn->cookies->keys), &id, g, wscale, real_s, &syn);
	rcu_read_unlock();
	mark = xtcp_cookie_mark(&xn->key.ts, &id, g->seq - 1);
	if (act == XTCP_COOKIE_OK &&
	    cookie_used(xn->cookies, mark, xtcp_cookie_tick(real_s), false)) {
		/* just now, maybe, and the segment on another CPU: then it is the connection's */
		if (xtcp_rcv_taken(net, skb))
			return XTCP_DROP_NONE;
		act = XTCP_COOKIE_OLD;
	}
	if (act != XTCP_COOKIE_OK) {
		XTCP_INC(xn, SYNCOOKIES_FAILED);
		trace_xtcp_cookie(&f, "refused", g->ack - 1, 0);
		return act == XTCP_COOKIE_OLD ? XTCP_DROP_COOKIE_OLD : XTCP_DROP_COOKIE_BAD;
	}
	XTCP_INC(xn, SYNCOOKIES_RECV);
	trace_xtcp_cookie(&f, "received", g->ack - 1, syn.mss);
	if (cookie_take(listener, skb, g, &syn, wscale)) {
		cookie_used(xn->cookies, mark, xtcp_cookie_tick(real_s), true);
		atomic64_inc(&xtcp_sk(listener)->lsn->cookies_recv);
	}
	return XTCP_DROP_NONE;
}

/* ------------------------------------------------------------------ the keys */

/* The text has been parsed: make it the keys of the namespace. Sleeps. */
static int keys_set(struct xtcp_cookies *c, const struct xtcp_cookie_keys *new)
{
	struct xtcp_cookie_keys *k = kmemdup(new, sizeof(*new), GFP_KERNEL), *old;

	if (!k)
		return -ENOMEM;
	mutex_lock(&c->key_mutex);
	old = rcu_dereference_protected(c->keys, lockdep_is_held(&c->key_mutex));
	if (k->n == 1) {
		k->key[1] = old->key[0];
		k->n = 2;
	}
	rcu_assign_pointer(c->keys, k);
	mutex_unlock(&c->key_mutex);
	synchronize_rcu();
	kfree_sensitive(old);
	return 0;
}

/**
 * xtcp_cookie_key_sysctl - tcp_syncookies_key: write only
 * @ctl: row; extra1 is the namespace
 * @write: write?
 * @buffer: kernel buffer with the text
 * @lenp: its length
 * @ppos: file position
 *
 * "current" makes the old current key the previous one, "current,previous"
 * sets both.
 *
 * Return: 0, -EINVAL, -EPERM or -ENOMEM.
 */
int xtcp_cookie_key_sysctl(XTCP_CTL_CONST struct ctl_table *ctl, int write, void *buffer,
			   size_t *lenp, loff_t *ppos)
{
	struct xtcp_net *xn = ctl->extra1;
	struct xtcp_cookie_keys k;
	char text[128] = "";
	struct ctl_table tbl = { .data = text, .maxlen = sizeof(text) };
	int err;

	if (!write)
		return -EPERM;
	if (*ppos || *lenp >= sizeof(text))
		return -EINVAL;
	err = proc_dostring(&tbl, write, buffer, lenp, ppos);
	if (!err)
		err = xtcp_cookie_keys_parse(text, &k);
	if (!err)
		err = keys_set(xn->cookies, &k);
	memzero_explicit(text, sizeof(text));
	memzero_explicit(&k, sizeof(k));
	return err;
}

/**
 * xtcp_cookie_net_init - a namespace's keys, random until somebody sets them
 * @xn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int xtcp_cookie_net_init(struct xtcp_net *xn)
{
	struct xtcp_cookies *c = kvzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	struct xtcp_cookie_keys *k = kzalloc(sizeof(*k), GFP_KERNEL_ACCOUNT);

	if (!c || !k) {
		kvfree(c);
		kfree(k);
		return -ENOMEM;
	}
	get_random_bytes(&k->key[0], sizeof(k->key[0]));
	k->n = 1;
	RCU_INIT_POINTER(c->keys, k);
	mutex_init(&c->key_mutex);
	spin_lock_init(&c->used_lock);
	xn->cookies = c;
	return 0;
}

/**
 * xtcp_cookie_net_exit - no packet and no sysctl looks at them any more
 * @xn: namespace
 */
void xtcp_cookie_net_exit(struct xtcp_net *xn)
{
	kfree_sensitive(rcu_dereference_protected(xn->cookies->keys, true));
	kvfree(xn->cookies);
}
