// SPDX-License-Identifier: GPL-2.0
/*
 * Segments on their way out: the output loop of a connection, and control
 * segments that no send queue knows (RST, challenge ACK, SYN-ACK).
 *
 * Payload stays where sendmsg put it, in the skbs of sk_write_queue; what goes
 * to IP refers to the same pages. The queue's skbs are never touched here, so a
 * retransmission is made as the first transmission was.
 */
#include "packets.h"

#include <linux/if_vlan.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/tcp.h>

#include <trace/events/xtcp.h>

/* Payload up to this is copied: cheaper than a page reference. */
#define COPY_MAX	192u

/* --------------------------------------------------------------- TCP header */

struct hdr {
	__be16 sport, dport;
	u32 seq, ack;
	u16 wnd, urg;
	u8 flags, optlen;
	const u8 *opt;
};

static void hdr_push(struct sk_buff *skb, const struct hdr *h)
{
	struct tcphdr *th = skb_push(skb, sizeof(*th) + h->optlen);

	skb_reset_transport_header(skb);
	memset(th, 0, sizeof(*th));
	th->source = h->sport;
	th->dest = h->dport;
	th->seq = htonl(h->seq);
	th->ack_seq = htonl(h->ack);
	th->doff = (sizeof(*th) + h->optlen) / 4;
	((u8 *)th)[13] = h->flags;
	th->window = htons(h->wnd);
	th->urg_ptr = htons(h->urg);
	memcpy(th + 1, h->opt, h->optlen);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
}

static void hdr_sum4(struct sk_buff *skb, __be32 saddr, __be32 daddr)
{
	tcp_hdr(skb)->check = ~csum_tcpudp_magic(saddr, daddr, skb->len, IPPROTO_TCP, 0);
}

static void hdr_sum6(struct sk_buff *skb, const struct in6_addr *saddr,
		     const struct in6_addr *daddr)
{
	tcp_hdr(skb)->check = ~csum_ipv6_magic(saddr, daddr, skb->len, IPPROTO_TCP, 0);
}

static void trace_out(const struct xtcp_flow *f, const struct sk_buff *skb, const struct hdr *h)
{
	struct xtcp_trace_seg g = {
		.seq = h->seq, .ack = h->ack, .wnd = h->wnd, .flags = h->flags,
		.len = skb->len - sizeof(struct tcphdr) - h->optlen,
		.segs = max_t(u16, skb_shinfo(skb)->gso_segs, 1),
	};

	trace_xtcp_segment_out(f, &g);
}

/* Header of a connection's segment on top of @skb's payload, then to IP. */
static int sock_xmit(struct sock *sk, struct sk_buff *skb, struct hdr *h, struct dst_entry *dst)
{
	struct xtcp_net *xn = xtcp_sk(sk)->xn;
	int err;

	h->sport = inet_sk(sk)->inet_sport;
	h->dport = inet_sk(sk)->inet_dport;
	hdr_push(skb, h);
	skb->ooo_okay = sk_wmem_alloc_get(sk) < SKB_TRUESIZE(1);
	skb_set_owner_w(skb, sk);
	skb_set_hash_from_sk(skb, sk);
	skb_set_dst_pending_confirm(skb, READ_ONCE(sk->sk_dst_pending_confirm));
	XTCP_ADD(xn, OUT_SEGS, max_t(unsigned int, skb_shinfo(skb)->gso_segs, 1));
	if (h->flags & XTCP_RST)
		XTCP_INC(xn, OUT_RSTS);
	if (trace_xtcp_segment_out_enabled())
		trace_out(&xtcp_sk(sk)->flow, skb, h);

	rcu_read_lock();
	if (xtcp_sock_v4(sk)) {
		hdr_sum4(skb, inet_sk(sk)->inet_saddr, inet_sk(sk)->inet_daddr);
		err = xtcp_ip4_xmit(sk, skb, dst);
	} else {
		hdr_sum6(skb, &inet6_sk(sk)->saddr, &sk->sk_v6_daddr);
		err = xtcp_ip6_xmit(sk, skb, dst);
	}
	rcu_read_unlock();
	return err;
}

static struct sk_buff *sock_skb(struct sock *sk, unsigned int linear)
{
	struct sk_buff *skb = alloc_skb(MAX_TCP_HEADER + linear,
					sk_gfp_mask(sk, GFP_ATOMIC | __GFP_NOWARN));

	if (skb)
		skb_reserve(skb, MAX_TCP_HEADER);
	return skb;
}

/* ------------------------------------------------------------------ payload */

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
			skb_fill_page_desc(to, last, skb_frag_page(f),
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
	to->len += taken;
	to->data_len += taken;
	to->truesize += taken;
	return taken;
}

/* Refer to as much of [seq, seq + len) as fits into @to. */
static u32 txq_refer(struct sock *sk, struct sk_buff *from, u32 seq, u32 len, struct sk_buff *to)
{
	u32 got = 0;

	while (from && got < len) {
		u32 off = seq + got - XTCP_CB(from)->seq;
		u32 n = frags_take(to, from, off, len - got);

		got += n;
		if (!n || off + n < from->len)
			break;
		from = skb_peek_next(from, &sk->sk_write_queue);
	}
	return got;
}

/*
 * An skb with [seq, seq + *len) as payload. *len shrinks to a multiple of @size
 * if the pages are too scattered for one skb; a single segment too scattered
 * even so is copied.
 */
static struct sk_buff *payload_skb(struct sock *sk, const struct xtcp_xmit *x, u32 seq, u32 *len)
{
	struct sk_buff *from = txq_find(sk, seq, x->kind == XTCP_X_NEW), *skb;
	u32 size = x->gso_size ?: *len, got = 0;

	if (!from)
		return NULL;
	if (*len > COPY_MAX) {
		skb = sock_skb(sk, 0);
		if (!skb)
			return NULL;
		got = txq_refer(sk, from, seq, *len, skb);
		if (got == *len)
			return skb;
		got = rounddown(got, size);
		if (got && !pskb_trim(skb, got)) {
			*len = got;
			return skb;
		}
		kfree_skb(skb);
		*len = min(*len, size);
	}
	skb = sock_skb(sk, *len);
	if (skb && !txq_copy(sk, from, seq, *len, skb)) {
		kfree_skb(skb);
		skb = NULL;
	}
	return skb;
}

static void gso_mark(const struct sock *sk, struct sk_buff *skb, u16 size)
{
	struct skb_shared_info *si = skb_shinfo(skb);

	if (!size || skb->len <= size)
		return;
	si->gso_size = size;
	si->gso_segs = DIV_ROUND_UP(skb->len, size);
	si->gso_type = xtcp_sock_v4(sk) ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6;
}

/* ---------------------------------------------------------- the output loop */

/* Probes and repeated SYNs are the core's to count. */
static void xmit_count(struct sock *sk, const struct xtcp_xmit *x)
{
	struct xtcp_net *xn = xtcp_sk(sk)->xn;
	unsigned int segs = x->gso_size && x->len ? DIV_ROUND_UP(x->len, x->gso_size) : 1;

	switch (x->kind) {
	case XTCP_X_NEW:
		if (x->len)
			XTCP_ADD(xn, ORIG_DATA_SENT, segs);
		break;
	case XTCP_X_REXMIT:
		XTCP_ADD(xn, RETRANS_SEGS, segs);
		trace_xtcp_retransmit(sk, x->seq, x->len);
		break;
	default:
		break;
	}
}

/*
 * Send what the core decided, in one skb or, if its pages are too many for one,
 * in several. False: it could not be built or the queue below is full.
 *
 * What IP or a firewall refuses is as good as lost on the way: the
 * retransmission timer, with its backoff, is the right one to try again.
 */
static bool xmit_one(struct sock *sk, const struct xtcp_xmit *x, struct dst_entry *dst)
{
	u32 off = 0;

	do {
		struct hdr h = {
			.seq = x->seq + off, .ack = x->ack,
			.wnd = x->wnd, .flags = x->flags,
			.optlen = x->optlen, .opt = x->opt,
		};
		u32 len = x->len - off;
		struct sk_buff *skb = len ? payload_skb(sk, x, x->seq + off, &len) :
					    sock_skb(sk, 0);
		int err;

		if (!skb)
			return false;
		gso_mark(sk, skb, x->gso_size);
		if (off + len < x->len)
			h.flags &= ~(XTCP_PSH | XTCP_FIN);
		if (x->urg > off)
			h.urg = x->urg - off;
		else
			h.flags &= ~XTCP_URG;
		off += len;
		if (!dst) {
			kfree_skb(skb);
			continue;
		}
		err = sock_xmit(sk, skb, &h, dst);
		if (err == NET_XMIT_DROP || err == -ENOBUFS || err == -ENOMEM)
			return false;
	} while (off < x->len);
	return true;
}

/**
 * xtcp_output - send all that may be sent now
 * @sk: connection, locked
 *
 * Context: softirq or process.
 */
void xtcp_output(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_tcb *t = &x->tcb;
	u64 now_us = xtcp_now_us(x->xn);
	struct dst_entry *dst;
	struct xtcp_xmit xm;

	if (t->state == XTCP_CLOSE || t->state == XTCP_LISTEN)
		return;
	dst = xtcp_route(sk);
	if (dst && unlikely(dst_mtu(dst) != x->mss_pmtu))
		xtcp_mss_set(sk, dst_mtu(dst));
	else
		xtcp_gso_set(sk);
	for (;;) {
		if (xtcp_pool_hungry(t))
			xtcp_sock_pool_fill(sk);
		xtcp_sock_rcv_space(sk);
		if (!xtcp_output_next(t, now_us, &xm))
			break;
		if (!xmit_one(sk, &xm, dst)) {
			xtcp_output_failed(t, now_us);
			break;
		}
		xmit_count(sk, &xm);
		xtcp_output_sent(t, &xm, now_us);
	}
}

/* ----------------------------------------------------------- control segments */

static void hdr_from_reply(struct hdr *h, const struct xtcp_reply *r)
{
	memset(h, 0, sizeof(*h));
	h->seq = r->seq;
	h->ack = r->ack;
	h->wnd = r->wnd;
	h->flags = r->flags;
	h->optlen = r->optlen;
	h->opt = r->opt;
}

/**
 * xtcp_reply_sk - a control segment of a connection
 * @sk: connection, locked
 * @r: what to say
 *
 * Lost if there is no memory or route, as it could be on the way.
 */
void xtcp_reply_sk(struct sock *sk, const struct xtcp_reply *r)
{
	struct dst_entry *dst = xtcp_route(sk);
	struct sk_buff *skb;
	struct hdr h;

	if (!dst)
		return;
	skb = sock_skb(sk, 0);
	if (!skb)
		return;
	hdr_from_reply(&h, r);
	sock_xmit(sk, skb, &h, dst);
}

/**
 * xtcp_path_route - a route for a segment that no connection sends
 * @net: namespace
 * @p: where to
 *
 * Return: a referenced route, or ERR_PTR.
 */
struct dst_entry *xtcp_path_route(struct net *net, const struct xtcp_path *p)
{
	return p->f->family == AF_INET ? xtcp_ip4_path(net, p) : xtcp_ip6_path(net, p);
}

/* Headers around @skb, which is empty and has the room, and away; @dst goes with it. */
static int path_send(struct net *net, const struct xtcp_path *p, const struct xtcp_reply *r,
		     struct dst_entry *dst, struct sk_buff *skb)
{
	struct xtcp_net *xn = xtcp_net(net);
	const struct xtcp_flow *f = p->f;
	struct hdr h;

	hdr_from_reply(&h, r);
	h.sport = f->lport;
	h.dport = f->fport;
	hdr_push(skb, &h);
	XTCP_INC(xn, OUT_SEGS);
	if (r->flags & XTCP_RST)
		XTCP_INC(xn, OUT_RSTS);
	if (trace_xtcp_segment_out_enabled())
		trace_out(f, skb, &h);
	skb->mark = p->mark;
	if (p->sk)
		skb->priority = READ_ONCE(p->sk->sk_priority);
	if (f->family == AF_INET) {
		hdr_sum4(skb, f->v4.laddr, f->v4.faddr);
		return xtcp_ip4_reply(net, p, skb, dst);
	}
	hdr_sum6(skb, &f->v6.laddr, &f->v6.faddr);
	return xtcp_ip6_reply(net, p, skb, dst);
}

/**
 * xtcp_path_reply - send a control segment along a route
 * @net: namespace
 * @p: where to
 * @r: what to say
 * @dst: route; the reference goes with it
 *
 * Return: 0, NET_XMIT_* or -errno.
 */
int xtcp_path_reply(struct net *net, const struct xtcp_path *p, const struct xtcp_reply *r,
		    struct dst_entry *dst)
{
	struct sk_buff *skb = alloc_skb(MAX_TCP_HEADER, GFP_ATOMIC | __GFP_NOWARN);

	if (!skb) {
		dst_release(dst);
		return -ENOBUFS;
	}
	skb_reserve(skb, MAX_TCP_HEADER);
	return path_send(net, p, r, dst, skb);
}

/*
 * Empty a received segment, so that its answer can be built in it: with room
 * for @hlen bytes of TCP header in front of skb->data, and for IP's where the
 * old one stood. False: somebody else looks at it, or it is no plain buffer.
 */
static bool skb_turn(struct sk_buff *skb, unsigned int hlen)
{
	if (skb_shared(skb) || skb_cloned(skb) || skb_is_nonlinear(skb) || skb_zcopy(skb) ||
	    skb_pfmemalloc(skb) || skb->destructor || skb->len + skb_tailroom(skb) < hlen)
		return false;
	/* What receiving left behind, as for a packet that changes direction. */
	skb_scrub_packet(skb, false);
	skb_clear_hash(skb);
	skb_set_queue_mapping(skb, 0);
	skb_reset_redirect(skb);
	__vlan_hwaccel_clear_tag(skb);
	skb->dev = NULL;
	skb->tstamp = 0;
	skb->encapsulation = 0;
	skb->csum_level = 0;
	memset(skb->cb, 0, sizeof(skb->cb));
	memset(skb_shinfo(skb), 0, offsetof(struct skb_shared_info, dataref));
	__skb_trim(skb, 0);
	skb_reserve(skb, hlen);
	return true;
}

/**
 * xtcp_path_turn - answer a segment in its own skb, if that can be
 * @net: namespace
 * @p: where to
 * @r: what to say
 * @dst: route; the reference goes with it
 * @skb: the segment, data at its TCP header; consumed
 *
 * Allocates nothing, unless the skb is shared with somebody.
 *
 * Return: 0, NET_XMIT_* or -errno.
 */
int xtcp_path_turn(struct net *net, const struct xtcp_path *p, const struct xtcp_reply *r,
		   struct dst_entry *dst, struct sk_buff *skb)
{
	if (!skb_turn(skb, sizeof(struct tcphdr) + r->optlen)) {
		consume_skb(skb);
		return xtcp_path_reply(net, p, r, dst);
	}
	XTCP_INC(xtcp_net(net), SYNCOOKIES_IN_PLACE);
	return path_send(net, p, r, dst, skb);
}

/**
 * xtcp_reply_flow - a control segment to a flow
 * @f: flow
 * @sk: listener it belongs to, or NULL
 * @r: what to say
 * @oif: device, or 0
 * @tos: TOS or traffic class
 * @mark: fwmark
 * @opt: not used: IP options of a SYN are not echoed
 *
 * Return: 0 or -errno.
 */
int xtcp_reply_flow(const struct xtcp_flow *f, const struct sock *sk, const struct xtcp_reply *r,
		    int oif, u8 tos, u32 mark, struct ip_options_rcu *opt)
{
	struct xtcp_path p = {
		.f = f, .sk = (struct sock *)sk, .oif = oif, .tos = tos, .mark = mark,
	};
	struct dst_entry *dst = xtcp_path_route(f->net, &p);

	if (IS_ERR(dst))
		return PTR_ERR(dst);
	return net_xmit_errno(xtcp_path_reply(f->net, &p, r, dst));
}

/* Only an address of this host may be answered for. */
static bool reply_allowed(const struct sk_buff *skb)
{
	if (!skb_dst(skb))
		return false;
	if (skb->protocol == htons(ETH_P_IP))
		return skb_rtable(skb)->rt_type == RTN_LOCAL;
	return ipv6_unicast_destination(skb);
}

/**
 * xtcp_reply_skb - answer a received segment with a control segment
 * @net: namespace
 * @sk: listener, or NULL
 * @skb: the segment; IP's control block intact
 * @r: what to say
 * @tos: TOS or traffic class; its ECN bits are not sent (RFC 3168 6.1.4)
 * @mark: fwmark if the packet's own is not to be reflected
 *
 * Context: softirq.
 */
void xtcp_reply_skb(struct net *net, const struct sock *sk, struct sk_buff *skb,
		    const struct xtcp_reply *r, u8 tos, u32 mark)
{
	struct xtcp_path p = { .sk = (struct sock *)sk, .tos = tos & ~INET_ECN_MASK };
	struct xtcp_flow f;
	struct dst_entry *dst;

	if (!sk && !reply_allowed(skb))
		return;
	xtcp_flow_init_skb(&f, net, XTCP_KIND_REQ, skb);
	p.f = &f;
	p.oif = sk ? READ_ONCE(sk->sk_bound_dev_if) : 0;
	if (!p.oif && netif_index_is_l3_master(net, skb->skb_iif))
		p.oif = skb->skb_iif;
	if (f.family == AF_INET) {
		p.mark = IP4_REPLY_MARK(net, skb->mark) ?: mark;
	} else {
		p.mark = IP6_REPLY_MARK(net, skb->mark) ?: mark;
		if (rt6_need_strict(&f.v6.faddr) && !p.oif)
			p.oif = inet6_iif(skb);
	}
	dst = xtcp_path_route(net, &p);
	if (!IS_ERR(dst))
		xtcp_path_reply(net, &p, r, dst);
}

/**
 * xtcp_output_init - nothing to prepare: skbs come from the kernel's own caches
 *
 * Return: 0.
 */
int xtcp_output_init(void)
{
	return 0;
}

/** xtcp_output_exit - counterpart of xtcp_output_init() */
void xtcp_output_exit(void)
{
}
