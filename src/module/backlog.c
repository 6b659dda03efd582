// SPDX-License-Identifier: GPL-2.0
/*
 * Segments that come while a user holds the sock lock wait in the sock's
 * backlog. A bulk transfer's are made one as they come, so that whoever lets go
 * of the lock has a few large ones to work through and not hundreds of small ones.
 */
#include "packets.h"

/* TCP payload of a segment whose data stands at the header. */
static u32 seg_len(const struct sk_buff *skb)
{
	return skb->len - ((const struct tcphdr *)skb->data)->doff * 4;
}

/*
 * May @skb become part of @tail? Both are data, without a SYN, RST or urgent
 * pointer, and with the same ECN bits and options: the engine must not be able to
 * tell the result from a segment that GRO made. Pure ACKs are counted one by one.
 */
static bool backlog_alike(const struct sk_buff *tail, const struct sk_buff *skb)
{
	const struct tcphdr *a = (const struct tcphdr *)tail->data;
	const struct tcphdr *b = (const struct tcphdr *)skb->data;
	__be32 fa = tcp_flag_word(a), fb = tcp_flag_word(b);

	return seg_len(tail) && seg_len(skb) && ntohl(a->seq) + seg_len(tail) == ntohl(b->seq) &&
	       !((fa | fb) & (TCP_FLAG_SYN | TCP_FLAG_RST | TCP_FLAG_URG)) &&
	       !(fa & TCP_FLAG_FIN) && (fa & fb & TCP_FLAG_ACK) &&
	       !((fa ^ fb) & (TCP_FLAG_ECE | TCP_FLAG_CWR)) &&
	       xtcp_skb_tos(tail) == xtcp_skb_tos(skb) && a->doff == b->doff &&
	       !memcmp(a + 1, b + 1, a->doff * 4 - sizeof(*a));
}

/**
 * xtcp_backlog_merge - append a segment to the last one of the backlog
 * @sk: connection; bh_lock_sock() held, owned by a user
 * @skb: segment, sound and admitted, data at the TCP header
 *
 * Return: true: skb is gone; false: nothing happened.
 */
bool xtcp_backlog_merge(struct sock *sk, struct sk_buff *skb)
{
	const struct tcphdr *th = (const struct tcphdr *)skb->data;
	struct sk_buff *tail = sk->sk_backlog.tail;
	unsigned int hlen = th->doff * 4;
	struct skb_shared_info *si;
	u32 segs;
	u16 mss;
	struct tcphdr *to;
	bool stolen;
	int delta;

	if (!tail || !backlog_alike(tail, skb))
		return false;
	si = skb_shinfo(tail);
	mss = max(xtcp_skb_mss(tail, seg_len(tail)), xtcp_skb_mss(skb, seg_len(skb)));
	segs = xtcp_skb_segs(tail) + xtcp_skb_segs(skb);
	__skb_pull(skb, hlen);
	if (!skb_try_coalesce(tail, skb, &stolen, &delta)) {
		__skb_push(skb, hlen);
		return false;
	}
	/* nobody else has the tail's header: it would not have been appended to */
	to = (struct tcphdr *)tail->data;
	if (!seq_lt(ntohl(th->ack_seq), ntohl(to->ack_seq))) {
		to->ack_seq = th->ack_seq;
		to->window = th->window;
	}
	to->fin = th->fin;
	to->psh |= th->psh;
	si->gso_size = mss;
	si->gso_segs = min_t(u32, segs, U16_MAX);
	if (skb->tstamp || skb_hwtstamps(skb)->hwtstamp) {
		tail->tstamp = skb->tstamp;
		skb_hwtstamps(tail)->hwtstamp = skb_hwtstamps(skb)->hwtstamp;
	}
	sk->sk_backlog.len += delta;
	XTCP_INC(xtcp_sk(sk)->xn, BACKLOG_COALESCE);
	kfree_skb_partial(skb, stolen);
	return true;
}
