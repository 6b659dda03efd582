// SPDX-License-Identifier: GPL-2.0
/*
 * Payload of segments on their way out. It stays where sendmsg put it, in the
 * skbs of sk_write_queue; what goes to IP refers to the same pages. The queue's
 * skbs are never touched here, so a retransmission is made as the first
 * transmission was.
 *
 * A segment that is all of one skb goes as its clone: headers are written before
 * the payload, where the queue's skb has room and no bytes. One clone at a time,
 * or the second's headers would be written over those of the first.
 */
#include "packets.h"

#include <net/tcp.h>

/* Payload up to this is copied: cheaper than a page reference. */
#define COPY_MAX	192u

/*
 * A segment whose pages are too many for an skb is copied if it is no longer than SCATTER_MAX;
 * a longer one (there are no such on Ethernet) is cut, unless into pieces below SCATTER_MIN.
 */
#define SCATTER_MAX	9000u
#define SCATTER_MIN	1024u

/**
 * xtcp_sock_skb - an skb with room for all headers
 * @sk: connection, locked; softirq or process
 * @linear: and for so many bytes of payload
 *
 * Return: the skb or NULL
 */
struct sk_buff *xtcp_sock_skb(struct sock *sk, unsigned int linear)
{
	struct sk_buff *skb = alloc_skb(MAX_TCP_HEADER + linear,
					sk_gfp_mask(sk, GFP_ATOMIC | __GFP_NOWARN));

	if (skb)
		skb_reserve(skb, MAX_TCP_HEADER);
	return skb;
}

/* The queue's skb that holds byte @seq. */
static struct sk_buff *txq_find(struct sock *sk, u32 seq, bool near_tail)
{
	struct sk_buff *skb;

	if (near_tail) {
		skb_queue_reverse_walk(&sk->sk_write_queue, skb)
			if (seq_leq(XTCP_CB(skb)->seq, seq))
				return seq_lt(seq, XTCP_CB(skb)->end_seq) ? skb : NULL;
		return NULL;
	}
	skb_queue_walk(&sk->sk_write_queue, skb)
		if (seq_lt(seq, XTCP_CB(skb)->end_seq))
			return seq_geq(seq, XTCP_CB(skb)->seq) ? skb : NULL;
	return NULL;
}

/* Copy [seq, seq + len) of the queue to the end of @to, which has the room. */
static bool txq_copy(struct sock *sk, struct sk_buff *from, u32 seq, u32 len, struct sk_buff *to)
{
	while (len) {
		u32 off, n;

		if (!from)
			return false;
		off = seq - XTCP_CB(from)->seq;
		if (off >= from->len)
			return false;
		n = min(len, from->len - off);
		if (skb_copy_bits(from, off, skb_put(to, n), n))
			return false;
		seq += n;
		len -= n;
		from = skb_peek_next(from, &sk->sk_write_queue);
	}
	return true;
}

/* Refer to up to @len bytes at @off of @from; what was taken is less if @to is full. */
static u32 frags_take(struct sk_buff *to, const struct sk_buff *from, u32 off, u32 len)
{
	const struct skb_shared_info *si = skb_shinfo(from);
	u32 pos = skb_headlen(from), taken = 0;
	int i;

	if (off < pos)
		return 0;
	for (i = 0; i < si->nr_frags && len; i++) {
		const skb_frag_t *f = &si->frags[i];
		int last = skb_shinfo(to)->nr_frags;
		u32 n;

		if (off >= pos + skb_frag_size(f)) {
			pos += skb_frag_size(f);
			continue;
		}
		n = min(len, pos + skb_frag_size(f) - off);
		if (skb_can_coalesce(to, last, skb_frag_page(f), skb_frag_off(f) + off - pos)) {
			skb_frag_size_add(&skb_shinfo(to)->frags[last - 1], n);
		} else if (last < MAX_SKB_FRAGS) {
			get_page(skb_frag_page(f));
			/* it may be somebody else's, whose fields say nothing to us */
			skb_fill_page_desc_noacc(to, last, skb_frag_page(f),
						 skb_frag_off(f) + off - pos, n);
		} else {
			break;
		}
		pos += skb_frag_size(f);
		off += n;
		len -= n;
		taken += n;
	}
	skb_shinfo(to)->flags |= si->flags & SKBFL_SHARED_FRAG;
	to->pfmemalloc |= from->pfmemalloc;
	skb_len_add(to, taken);
	return taken;
}

/*
 * Refer to as much of [seq, seq + len) as fits into @to. A user whose pages these
 * are is not told that they are free before @to is gone; it can tell only one.
 */
static u32 txq_refer(struct sock *sk, struct sk_buff *from, u32 seq, u32 len, struct sk_buff *to)
{
	struct ubuf_info *uarg = NULL;
	u32 got = 0;

	while (from && got < len) {
		struct ubuf_info *mine = skb_zcopy(from);
		u32 off = seq + got - XTCP_CB(from)->seq, n;

		if (unlikely(mine)) {
			if (uarg && uarg != mine)
				break;
			uarg = mine;
		}
		n = frags_take(to, from, off, len - got);
		got += n;
		if (!n || off + n < from->len)
			break;
		from = skb_peek_next(from, &sk->sk_write_queue);
	}
	skb_zcopy_set(to, uarg, NULL);
	return got;
}

/* Do users keep some of the bytes up to @end still for us? */
static bool txq_pinned(struct sock *sk, struct sk_buff *from, u32 end)
{
	for (; from && seq_lt(XTCP_CB(from)->seq, end);
	     from = skb_peek_next(from, &sk->sk_write_queue))
		if (skb_zcopy(from))
			return true;
	return false;
}

/* A clone of @from, if [seq, seq + len) is all of it and nobody else has one; or NULL. */
static struct sk_buff *txq_clone(struct sock *sk, struct sk_buff *from, u32 seq, u32 len)
{
	struct skb_shared_info *si;
	struct sk_buff *skb;

	if (seq != XTCP_CB(from)->seq || len != from->len || skb_cloned(from) || skb_zcopy(from))
		return NULL;
	skb = skb_clone(from, sk_gfp_mask(sk, GFP_ATOMIC | __GFP_NOWARN));
	if (!skb)
		return NULL;
	memset(skb->cb, 0, sizeof(skb->cb));
	/* what the last one was cut into */
	si = skb_shinfo(skb);
	si->gso_size = 0;
	si->gso_segs = 0;
	si->gso_type = 0;
	return skb;
}

/* How much of @got bytes of a segment or more, all there is room for, goes by reference. */
static u32 payload_cut(struct sk_buff *skb, u32 got, u32 len, u32 size)
{
	if (got >= size)
		return rounddown(got, size);
	if (skb_zcopy(skb))
		return got;
	return len > SCATTER_MAX && got >= SCATTER_MIN ? got : 0;
}

/**
 * xtcp_payload_skb - an skb with bytes of the queue as payload
 * @sk: connection, locked; softirq or process
 * @x: what they are part of
 * @seq: first of them
 * @len: how many; shrinks, to whole segments if it can, where the pages are too scattered for
 *	one skb or more than one user waits for his
 *
 * Short payload is copied, but not what a user keeps still for us.
 *
 * Return: the skb, or NULL: no memory, or the bytes are not in the queue
 */
struct sk_buff *xtcp_payload_skb(struct sock *sk, const struct xtcp_xmit *x, u32 seq, u32 *len)
{
	struct sk_buff *from = txq_find(sk, seq, x->kind == XTCP_X_NEW), *skb;
	u32 size = x->gso_size ?: *len, got;

	if (!from)
		return NULL;
	skb = txq_clone(sk, from, seq, *len);
	if (skb)
		return skb;
	if (*len > COPY_MAX || txq_pinned(sk, from, seq + *len)) {
		skb = xtcp_sock_skb(sk, 0);
		if (!skb)
			return NULL;
		got = txq_refer(sk, from, seq, *len, skb);
		if (got == *len)
			return skb;
		*len = min(*len, size);
		got = payload_cut(skb, got, *len, size);
		if (got && !pskb_trim(skb, got)) {
			*len = got;
			return skb;
		}
		kfree_skb(skb);
	}
	skb = xtcp_sock_skb(sk, *len);
	if (skb && !txq_copy(sk, from, seq, *len, skb)) {
		kfree_skb(skb);
		skb = NULL;
	}
	return skb;
}
