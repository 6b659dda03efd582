// SPDX-License-Identifier: GPL-2.0
/*
 * The receive queue and the out-of-order tree of a connection. An skb in either
 * holds payload only, charged to the sock; cb.seq is the number of its first
 * byte and cb.end_seq - cb.seq its length.
 *
 * Neighbours may overlap (the front of a paged skb cannot be cut off): whoever
 * reads goes by sequence number, so the bytes that stand first in the order win
 * and every byte is delivered once.
 */
#include "packets.h"

#include <net/xfrm.h>

/* Payload of @skb; its len may be more if the tail could not be cut off. */
static u32 rcvq_len(const struct sk_buff *skb)
{
	return XTCP_CB(skb)->end_seq - XTCP_CB(skb)->seq;
}

/* Cut the tail off. What somebody shares would be copied, into memory that nobody has charged. */
static bool rcvq_trim(struct sk_buff *skb, u32 len)
{
	return skb->len <= len || (!skb_cloned(skb) && !pskb_trim(skb, len));
}

/*
 * Cut to payload [off, off + len). The front stays, with its numbers, where it is in pages:
 * pulling it into the head would make that larger than the sock was charged for. So may the
 * tail, beyond end_seq. Both are skipped when read.
 */
static void rcvq_cut(struct sk_buff *skb, u32 off, u32 len)
{
	XTCP_CB(skb)->end_seq = XTCP_CB(skb)->seq + off + len;
	rcvq_trim(skb, off + len);
	if (off && off <= skb_headlen(skb)) {
		__skb_pull(skb, off);
		XTCP_CB(skb)->seq += off;
	}
}

/* What the network layer hung on the skb must not outlive it by minutes. */
static void rcvq_strip(struct sk_buff *skb)
{
	skb_dst_drop(skb);
	secpath_reset(skb);
	skb->dev = NULL;
}

/* Append @skb's bytes to @to, which ends where @skb begins; true: skb is gone. */
static bool rcvq_coalesce(struct sock *sk, struct sk_buff *to, struct sk_buff *skb)
{
	bool stolen;
	int delta;

	if (XTCP_CB(to)->end_seq != XTCP_CB(skb)->seq ||
	    to->len != rcvq_len(to) || skb->len != rcvq_len(skb) ||
	    !skb_try_coalesce(to, skb, &stolen, &delta))
		return false;
	atomic_add(delta, &sk->sk_rmem_alloc);
	sk_mem_charge(sk, delta);
	XTCP_CB(to)->end_seq = XTCP_CB(skb)->end_seq;
	if (skb->tstamp) {
		to->tstamp = skb->tstamp;
		skb_hwtstamps(to)->hwtstamp = skb_hwtstamps(skb)->hwtstamp;
	}
	XTCP_INC(xtcp_sk(sk)->xn, RCV_COALESCE);
	kfree_skb_partial(skb, stolen);
	return true;
}

/* Append; takes @skb, charged or not. */
static void rcvq_append(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *tail = skb_peek_tail(&sk->sk_receive_queue);

	if (tail && rcvq_coalesce(sk, tail, skb))
		return;
	if (skb->sk != sk)
		skb_set_owner_r(skb, sk);
	__skb_queue_tail(&sk->sk_receive_queue, skb);
}

/**
 * xtcp_rcvq_deliver - in-order payload: to the end of the receive queue
 * @sk: connection, locked
 * @skb: segment, data stands at its payload
 * @off: first byte wanted
 * @len: bytes wanted
 *
 * Takes skb. The room was made sure of before the core was asked.
 */
void xtcp_rcvq_deliver(struct sock *sk, struct sk_buff *skb, u32 off, u32 len)
{
	rcvq_cut(skb, off, len);
	rcvq_strip(skb);
	rcvq_append(sk, skb);
}

static void ooo_erase(struct xtcp_sock *x, struct sk_buff *skb)
{
	rb_erase(&skb->rbnode, &x->ooo);
	/* rbnode shares its place with these */
	skb->next = NULL;
	skb->prev = NULL;
	skb->dev = NULL;
}

/* @skb was just linked in: make it and what follows it disjoint as far as possible. */
static void ooo_trim_right(struct xtcp_sock *x, struct sk_buff *skb)
{
	struct rb_node *n;

	while ((n = rb_next(&skb->rbnode))) {
		struct sk_buff *next = rb_to_skb(n);
		u32 seq = XTCP_CB(next)->seq;

		if (seq_geq(seq, XTCP_CB(skb)->end_seq))
			return;
		if (seq_gt(XTCP_CB(next)->end_seq, XTCP_CB(skb)->end_seq)) {
			/* Bytes already held win; if not cut, readers skip the overlap. */
			if (rcvq_trim(skb, seq - XTCP_CB(skb)->seq))
				XTCP_CB(skb)->end_seq = seq;
			return;
		}
		/* Covered whole. */
		ooo_erase(x, next);
		kfree_skb(next);
	}
}

/**
 * xtcp_rcvq_keep - out-of-order payload: to its place in the tree
 * @sk: connection, locked
 * @skb: segment, data stands at its payload
 * @off: first byte wanted
 * @len: bytes wanted
 *
 * Return: true if skb is taken; false if all its bytes are held already.
 */
bool xtcp_rcvq_keep(struct sock *sk, struct sk_buff *skb, u32 off, u32 len)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct rb_node **p = &x->ooo.rb_node, *parent = NULL;
	struct sk_buff *before = NULL;

	rcvq_cut(skb, off, len);
	rcvq_strip(skb);
	while (*p) {
		struct sk_buff *at = rb_to_skb(*p);

		parent = *p;
		if (seq_lt(XTCP_CB(skb)->seq, XTCP_CB(at)->seq)) {
			p = &parent->rb_left;
			continue;
		}
		if (seq_leq(XTCP_CB(skb)->end_seq, XTCP_CB(at)->end_seq))
			return false;
		off = XTCP_CB(at)->end_seq - XTCP_CB(skb)->seq;
		if ((s32)off > 0)
			rcvq_cut(skb, off, rcvq_len(skb) - off);
		before = at;
		p = &parent->rb_right;
	}
	if (before && rcvq_coalesce(sk, before, skb)) {
		ooo_trim_right(x, before);
		return true;
	}
	skb_set_owner_r(skb, sk);
	rb_link_node(&skb->rbnode, parent, p);
	rb_insert_color(&skb->rbnode, &x->ooo);
	ooo_trim_right(x, skb);
	return true;
}

/**
 * xtcp_rcvq_drain - rcv_nxt moved: what was out of order may be in order now
 * @sk: connection, locked
 */
void xtcp_rcvq_drain(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct rb_node *n;

	while ((n = rb_first(&x->ooo))) {
		struct sk_buff *skb = rb_to_skb(n);
		struct sk_buff *tail = skb_peek_tail(&sk->sk_receive_queue);
		u32 have = tail ? XTCP_CB(tail)->end_seq : x->tcb.copied_seq;
		u32 dup;

		if (seq_gt(XTCP_CB(skb)->seq, x->tcb.s.rcv_nxt))
			break;
		ooo_erase(x, skb);
		if (seq_leq(XTCP_CB(skb)->end_seq, have)) {
			kfree_skb(skb);
			continue;
		}
		dup = have - XTCP_CB(skb)->seq;
		if ((s32)dup > 0)
			rcvq_cut(skb, dup, rcvq_len(skb) - dup);
		rcvq_append(sk, skb);
	}
}

/* ---------------------------------------------------------------- compaction */

/* Neighbours worth copying into one buffer. */
struct run {
	unsigned int n, len, truesize;
};

#define RUN_MAX		SKB_MAX_ORDER(0, 0)
#define COMPACT_FUTILE_MAX	7	/* skip 128 at most */

static bool run_add(struct run *r, const struct sk_buff *prev, const struct sk_buff *skb)
{
	if (prev && XTCP_CB(prev)->end_seq != XTCP_CB(skb)->seq)
		return false;
	if (r->len + rcvq_len(skb) > RUN_MAX)
		return false;
	r->n++;
	r->len += rcvq_len(skb);
	r->truesize += skb->truesize;
	return true;
}

static bool run_pays(const struct run *r)
{
	return r->n && r->truesize > 2 * SKB_TRUESIZE(r->len);
}

static struct sk_buff *run_buffer(const struct run *r, const struct sk_buff *first)
{
	struct sk_buff *skb = alloc_skb(r->len, GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return NULL;
	memcpy(skb->cb, first->cb, sizeof(skb->cb));
	XTCP_CB(skb)->end_seq = XTCP_CB(skb)->seq;
	return skb;
}

static void run_copy(struct sk_buff *to, const struct sk_buff *from)
{
	/* Cannot fail: the range is the skb's own. */
	if (skb_copy_bits(from, 0, skb_put(to, rcvq_len(from)), rcvq_len(from)))
		pr_debug_once("short copy\n");
	XTCP_CB(to)->end_seq = XTCP_CB(from)->end_seq;
	to->tstamp = from->tstamp;
}

static bool compact_queue(struct sock *sk)
{
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct sk_buff *first = skb_peek(q), *skb, *prev, *to;
	bool moved = false;

	while (first) {
		struct run r = {};

		prev = NULL;
		for (skb = first; skb && run_add(&r, prev, skb); skb = skb_peek_next(skb, q))
			prev = skb;
		if (!run_pays(&r)) {
			first = r.n ? skb : skb_peek_next(first, q);
			continue;
		}
		to = run_buffer(&r, first);
		if (!to)
			break;
		__skb_queue_before(q, first, to);
		while (r.n--) {
			skb = skb_peek_next(to, q);
			run_copy(to, skb);
			__skb_unlink(skb, q);
			kfree_skb(skb);
		}
		skb_set_owner_r(to, sk);
		moved = true;
		first = skb_peek_next(to, q);
	}
	return moved;
}

static bool compact_ooo(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct rb_node *n = rb_first(&x->ooo);
	struct sk_buff *prev, *to;
	bool moved = false;

	while (n) {
		struct run r = {};
		struct rb_node *first = n;

		prev = NULL;
		while (n && run_add(&r, prev, rb_to_skb(n))) {
			prev = rb_to_skb(n);
			n = rb_next(n);
		}
		if (!run_pays(&r)) {
			if (!r.n)
				n = rb_next(first);
			continue;
		}
		to = run_buffer(&r, rb_to_skb(first));
		if (!to)
			break;
		run_copy(to, rb_to_skb(first));
		rb_replace_node(first, &to->rbnode, &x->ooo);
		kfree_skb(rb_to_skb(first));
		while (--r.n) {
			struct sk_buff *skb = rb_to_skb(rb_next(&to->rbnode));

			run_copy(to, skb);
			ooo_erase(x, skb);
			kfree_skb(skb);
		}
		skb_set_owner_r(to, sk);
		moved = true;
	}
	return moved;
}

/**
 * xtcp_rcv_compact - copy small payloads out of big buffers
 * @sk: connection, locked, over its receive buffer
 *
 * The window counts payload, the buffer counts memory. A peer (or a driver)
 * that puts one byte into a page would fill the one long before the other.
 *
 * A walk of both queues that finds nothing to gain is not worth repeating for
 * every segment that follows: so many of them go without, twice as many each time.
 */
void xtcp_rcv_compact(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	if (x->compact_skip) {
		x->compact_skip--;
		return;
	}
	if (compact_queue(sk) | compact_ooo(sk)) {
		sk_mem_reclaim(sk);
		x->compact_futile = 0;
		return;
	}
	x->compact_futile = min(x->compact_futile + 1, COMPACT_FUTILE_MAX);
	x->compact_skip = 1U << x->compact_futile;
}
