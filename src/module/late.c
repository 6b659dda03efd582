// SPDX-License-Identifier: GPL-2.0
/*
 * Late segments: what arrives for a connection whose TIME-WAIT was shortened or
 * taken over, within the 2MSL that it should have lasted (RFC 9293 3.6.1). They
 * are the evidence whether a short 2MSL is safe: TCPTimeWaitLate.
 *
 * Shortened: the 4-tuple of an entry that ended early is remembered for 60 to
 * 120 s in a Bloom filter of two generations; the older one is thrown away
 * every 60 s. A generation is up to 64 pages, each made when it is needed: the
 * hash picks a page and four bits in it. With n such ends a minute a segment
 * without any flow is taken for late by mistake with a chance of about
 * 2 (1 - exp(-4n / 2^21))^4: 2 in 100,000 at n = 30,000, 0.2 % at 100,000, 2 %
 * at 200,000. Nothing but this counter depends on it.
 *
 * Taken over: a SYN or tcp_tw_reuse puts a new connection in the entry's place.
 * It keeps the old one's RCV.NXT for 60 s; what it drops at or just below that,
 * outside its own sequence numbers, was late. Between a SYN and the child that
 * comes of it the number waits in a small table, so that half-open requests need
 * not carry it.
 *
 * Locks: the filter is read and filled under RCU with atomic bits, turned by
 * one work; the table has a lock of its own.
 */
#include "packets.h"

#include <linux/jhash.h>
#include <linux/slab.h>

#include "../core/seq.h"

#define LATE_PAGES	64		/* of a generation */
#define LATE_PAGE_BITS	(PAGE_SIZE * BITS_PER_BYTE)
#define LATE_BITS	4		/* set per tuple */
#define LATE_SPAN	(1024 * 1024U)	/* how far below RCV.NXT old data may lie */
#define REBORN_SLOTS	256		/* power of two */

/* One generation: pages appear by cmpxchg and go with the generation. */
struct late_gen {
	unsigned long *page[LATE_PAGES];
};

/* A TIME-WAIT that a SYN has ended; the child is on its way. */
struct late_reborn {
	u32 hash;
	u32 rcv_nxt;
	u64 until_us;			/* 0: empty */
};

/* Made when the first TIME-WAIT of the namespace ends early. */
struct xtcp_late {
	struct late_gen gen[2];
	unsigned int cur;		/* the one that is filled; WRITE_ONCE by the work */
	struct xtcp_net *xn;		/* constant */
	struct delayed_work turn;
	spinlock_t lock;		/* reborn */
	struct late_reborn reborn[REBORN_SLOTS];
};

static void gen_clear(struct late_gen *g)
{
	unsigned int i;

	for (i = 0; i < LATE_PAGES; i++) {
		free_page((unsigned long)g->page[i]);
		g->page[i] = NULL;
	}
}

static unsigned long turn_delay(const struct xtcp_net *xn)
{
	return usecs_to_jiffies(xtcp_real_us(xn, XTCP_LATE_US));
}

/* The older generation goes, the current one becomes the older. */
static void late_turn(struct work_struct *work)
{
	struct xtcp_late *l = container_of(work, struct xtcp_late, turn.work);
	unsigned int old = !l->cur, i;
	unsigned long *page[LATE_PAGES];

	for (i = 0; i < LATE_PAGES; i++)
		page[i] = xchg(&l->gen[old].page[i], NULL);
	synchronize_rcu();
	for (i = 0; i < LATE_PAGES; i++)
		free_page((unsigned long)page[i]);
	WRITE_ONCE(l->cur, old);
	queue_delayed_work(system_unbound_wq, &l->turn, turn_delay(l->xn));
}

/* Softirq or process; NULL: no memory. */
static struct xtcp_late *late_get(struct xtcp_net *xn)
{
	struct xtcp_late *l = READ_ONCE(xn->late), *old;

	if (l)
		return l;
	l = kzalloc(sizeof(*l), GFP_ATOMIC | __GFP_NOWARN);
	if (!l)
		return NULL;
	l->xn = xn;
	spin_lock_init(&l->lock);
	INIT_DELAYED_WORK(&l->turn, late_turn);
	/* pairs with the dependent reads of whoever finds it */
	old = cmpxchg(&xn->late, NULL, l);
	if (old) {
		kfree(l);
		return old;
	}
	queue_delayed_work(system_unbound_wq, &l->turn, turn_delay(xn));
	return l;
}

static unsigned int late_slot(u32 hash)
{
	return hash & (LATE_PAGES - 1);
}

/* The four bits of a tuple in its page. */
static void late_bits(u32 hash, u32 bit[LATE_BITS])
{
	u32 a = jhash_1word(hash, 0), b = jhash_1word(hash, a);

	bit[0] = a % LATE_PAGE_BITS;
	bit[1] = (a >> 16) % LATE_PAGE_BITS;
	bit[2] = b % LATE_PAGE_BITS;
	bit[3] = (b >> 16) % LATE_PAGE_BITS;
}

/**
 * xtcp_late_note - a TIME-WAIT entry ended before its 60 s were over
 * @xn: namespace
 * @hash: of the flow
 *
 * Without memory it is forgotten: then a late segment is not counted.
 * Any context.
 */
void xtcp_late_note(struct xtcp_net *xn, u32 hash)
{
	unsigned long **slot, *page, *old;
	struct xtcp_late *l;
	u32 bit[LATE_BITS], i;

	if (READ_ONCE(xn->dying))
		return;
	l = late_get(xn);
	if (!l)
		return;
	rcu_read_lock();
	slot = &l->gen[READ_ONCE(l->cur)].page[late_slot(hash)];
	page = READ_ONCE(*slot);
	if (!page) {
		page = (unsigned long *)get_zeroed_page(GFP_ATOMIC | __GFP_NOWARN);
		if (!page)
			goto out;
		old = cmpxchg(slot, NULL, page);
		if (old) {
			free_page((unsigned long)page);
			page = old;
		}
	}
	late_bits(hash, bit);
	for (i = 0; i < LATE_BITS; i++)
		set_bit(bit[i], page);
out:
	rcu_read_unlock();
}

static bool late_in(const struct late_gen *g, u32 hash)
{
	const unsigned long *page = READ_ONCE(g->page[late_slot(hash)]);
	u32 bit[LATE_BITS], i;

	if (!page)
		return false;
	late_bits(hash, bit);
	for (i = 0; i < LATE_BITS; i++) {
		if (!test_bit(bit[i], page))
			return false;
	}
	return true;
}

/**
 * xtcp_late_seen - did a TIME-WAIT of this tuple end early, not long ago?
 * @xn: namespace
 * @hash: of the flow it would be
 *
 * Return: true if so, or by a mistake as rare as said above. Any context.
 */
bool xtcp_late_seen(struct xtcp_net *xn, u32 hash)
{
	struct xtcp_late *l = READ_ONCE(xn->late);
	bool seen;

	if (!l)
		return false;
	rcu_read_lock();
	seen = late_in(&l->gen[0], hash) || late_in(&l->gen[1], hash);
	rcu_read_unlock();
	return seen;
}

/**
 * xtcp_late_stray - a segment has found neither flow nor use
 * @xn: namespace
 * @skb: the segment; headers pulled
 * @g: the same, parsed
 *
 * Counts it if it is late. A SYN opens something new and a RST is nobody's data.
 * Softirq.
 */
void xtcp_late_stray(struct xtcp_net *xn, const struct sk_buff *skb, const struct xtcp_seg *g)
{
	struct xtcp_flow key;

	if (!READ_ONCE(xn->late) || (g->flags & (XTCP_SYN | XTCP_RST)))
		return;
	xtcp_flow_init_skb(&key, xn->net, XTCP_KIND_TW, skb);
	if (xtcp_late_seen(xn, key.hash))
		XTCP_INC(xn, TIME_WAIT_LATE);
}

/**
 * xtcp_late_reopened - a SYN has ended a TIME-WAIT entry
 * @xn: namespace
 * @hash: of the flow
 * @rcv_nxt: RCV.NXT of the connection that was
 *
 * Softirq.
 */
void xtcp_late_reopened(struct xtcp_net *xn, u32 hash, u32 rcv_nxt)
{
	struct xtcp_late *l = late_get(xn);
	struct late_reborn *r;

	if (!l)
		return;
	r = &l->reborn[hash & (REBORN_SLOTS - 1)];
	spin_lock_bh(&l->lock);
	r->hash = hash;
	r->rcv_nxt = rcv_nxt;
	r->until_us = xtcp_now_us(xn) + XTCP_LATE_US;
	spin_unlock_bh(&l->lock);
}

/* A time of the namespace's clock as late_until_ms has it: never 0, and it may wrap. */
static u32 late_ms(u64 us)
{
	return (u32)div_u64(us, USEC_PER_MSEC) ?: 1;
}

/**
 * xtcp_late_child - a child is made: was its 4-tuple in TIME-WAIT?
 * @child: its flow's key complete; locked
 *
 * Softirq.
 */
void xtcp_late_child(struct sock *child)
{
	struct xtcp_sock *x = xtcp_sk(child);
	struct xtcp_late *l = READ_ONCE(x->xn->late);
	struct late_reborn *r;

	if (!l)
		return;
	r = &l->reborn[x->flow.hash & (REBORN_SLOTS - 1)];
	spin_lock_bh(&l->lock);
	if (r->until_us > xtcp_now_us(x->xn) && r->hash == x->flow.hash) {
		x->flow.late_seq = r->rcv_nxt;
		x->late_until_ms = late_ms(r->until_us);
		r->until_us = 0;
	}
	spin_unlock_bh(&l->lock);
}

/**
 * xtcp_late_taken - connect() has taken a TIME-WAIT entry's place
 * @sk: sock lock held
 * @rcv_nxt: RCV.NXT of the connection that was
 */
void xtcp_late_taken(struct sock *sk, u32 rcv_nxt)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	x->flow.late_seq = rcv_nxt;
	x->late_until_ms = late_ms(xtcp_now_us(x->xn) + XTCP_LATE_US);
}

/**
 * xtcp_late_dropped - a connection born over a TIME-WAIT dropped a segment
 * @sk: sock lock held; late_until_ms is not 0
 * @g: the segment
 * @why: for what reason
 */
void xtcp_late_dropped(struct sock *sk, const struct xtcp_seg *g, enum xtcp_drop why)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	if ((s32)(late_ms(xtcp_now_us(x->xn)) - x->late_until_ms) >= 0) {
		x->late_until_ms = 0;
		return;
	}
	if (why != XTCP_DROP_SEQ && why != XTCP_DROP_OLD && why != XTCP_DROP_PAWS)
		return;
	/* the old connection's, and not one of the new one's, were its numbers lower */
	if (seq_leq(g->seq, x->flow.late_seq) && seq_gt(g->seq, x->flow.late_seq - LATE_SPAN) &&
	    (x->tcb.state == XTCP_SYN_SENT || seq_lt(g->seq, x->tcb.irs)))
		XTCP_INC(x->xn, TIME_WAIT_LATE);
}

/**
 * xtcp_late_net_exit - forget all
 * @xn: namespace; nobody looks any more
 */
void xtcp_late_net_exit(struct xtcp_net *xn)
{
	struct xtcp_late *l = xn->late;

	if (!l)
		return;
	cancel_delayed_work_sync(&l->turn);
	gen_clear(&l->gen[0]);
	gen_clear(&l->gen[1]);
	kfree(l);
}
