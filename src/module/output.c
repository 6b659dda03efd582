// SPDX-License-Identifier: GPL-2.0
/*
 * Segments on their way out: the output loop of a connection, and control
 * segments that no send queue knows (RST, challenge ACK, SYN-ACK).
 */
#include "packets.h"

#include <linux/if_vlan.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/tcp.h>

#include <trace/events/xtcp.h>

/* --------------------------------------------------------------- TCP header */

struct hdr {
	__be16 sport, dport;
	u32 seq, ack;
	u16 wnd, urg;
	u8 flags, optlen;
	u8 ecn;			/* of the IP header, INET_ECN_* */
	const u8 *opt;
};

/* There is room for all headers: MAX_TCP_HEADER, or those that were received. */
static xtcp_hot void hdr_push(struct sk_buff *skb, const struct hdr *h)
{
	struct tcphdr *th = __skb_push(skb, sizeof(*th) + h->optlen);

	skb_reset_transport_header(skb);
	th->source = h->sport;
	th->dest = h->dport;
	th->seq = htonl(h->seq);
	th->ack_seq = htonl(h->ack);
	/* data offset in words, reserved bits, flags */
	((__be16 *)th)[6] = htons((sizeof(*th) + h->optlen) << 10 | h->flags);
	th->window = htons(h->wnd);
	th->check = 0;
	th->urg_ptr = htons(h->urg);
	/* what most segments have: a copy of known length needs no call */
	if (likely(h->optlen == XTCP_TS_LEN))
		memcpy(th + 1, h->opt, XTCP_TS_LEN);
	else
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
		.segs = xtcp_skb_segs(skb),
	};

	trace_xtcp_segment_out(f, &g);
}

/* skb_set_owner_w() for one that is new, and for a full sock. */
static void skb_charge(struct sk_buff *skb, struct sock *sk)
{
	skb->sk = sk;
	skb->destructor = sock_wfree;
	refcount_add(skb->truesize, &sk->sk_wmem_alloc);
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
	skb_charge(skb, sk);
	skb_set_hash_from_sk(skb, sk);
	skb_set_dst_pending_confirm(skb, READ_ONCE(sk->sk_dst_pending_confirm));
	XTCP_ADD(xn, OUT_SEGS, xtcp_skb_segs(skb));
	if (h->flags & XTCP_RST)
		XTCP_INC(xn, OUT_RSTS);
	if (trace_xtcp_segment_out_enabled())
		trace_out(&xtcp_sk(sk)->flow, skb, h);

	rcu_read_lock();
	if (xtcp_sock_v4(sk)) {
		hdr_sum4(skb, inet_sk(sk)->inet_saddr, inet_sk(sk)->inet_daddr);
		err = xtcp_ip4_xmit(sk, skb, dst, h->ecn);
	} else {
		hdr_sum6(skb, &inet6_sk(sk)->saddr, &sk->sk_v6_daddr);
		err = xtcp_ip6_xmit(sk, skb, dst, h->ecn);
	}
	rcu_read_unlock();
	return err;
}

/* @cwr: of the segments only the first may carry CWR; what cuts it up must know */
static void gso_mark(const struct sock *sk, struct sk_buff *skb, u16 size, bool cwr)
{
	struct skb_shared_info *si = skb_shinfo(skb);

	if (!size || skb->len <= size)
		return;
	si->gso_size = size;
	si->gso_segs = DIV_ROUND_UP(skb->len, size);
	si->gso_type = xtcp_sock_v4(sk) ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6;
	if (cwr)
		si->gso_type |= SKB_GSO_TCP_ECN;
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
 * in several. -ENOBUFS: it could not be built; NET_XMIT_DROP: the queue below is full.
 *
 * What IP or a firewall refuses is as good as lost on the way: the
 * retransmission timer, with its backoff, is the right one to try again.
 */
static int xmit_one(struct sock *sk, const struct xtcp_xmit *x, struct dst_entry *dst)
{
	u32 off = 0;

	do {
		struct hdr h = {
			.seq = x->seq + off, .ack = x->ack,
			.wnd = x->wnd, .flags = x->flags,
			.optlen = x->optlen, .opt = x->opt,
			.ecn = x->ect ? INET_ECN_ECT_0 : INET_ECN_NOT_ECT,
		};
		u32 len = x->len - off;
		struct sk_buff *skb = len ? xtcp_payload_skb(sk, x, x->seq + off, &len) :
					    xtcp_sock_skb(sk, 0);
		int err;

		if (!skb)
			return -ENOBUFS;
		if (off)
			h.flags &= ~XTCP_CWR;
		gso_mark(sk, skb, x->gso_size, h.flags & XTCP_CWR);
		if (off + len < x->len)
			h.flags &= ~(XTCP_FIN | (skb_is_gso(skb) ? 0 : XTCP_PSH));
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
		if (err == NET_XMIT_DROP)
			return err;
		if (err == -ENOBUFS || err == -ENOMEM)
			return -ENOBUFS;
	} while (off < x->len);
	return 0;
}

/**
 * xtcp_output - send all that may be sent now
 * @sk: connection, locked
 * @now_us: now, or a moment ago
 *
 * Context: softirq or process.
 */
void xtcp_output(struct sock *sk, u64 now_us)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_tcb *t = &x->tcb;
	struct xtcp_xmit xm xtcp_unset;
	struct dst_entry *dst;
	int err;

	if (t->state == XTCP_CLOSE || t->state == XTCP_LISTEN)
		return;
	xtcp_pacer_mode(sk);
	dst = xtcp_route(sk);
	if (dst && unlikely(dst_mtu(dst) != x->mss_pmtu))
		xtcp_mss_set(sk, dst_mtu(dst));
	else if (unlikely(t->gso_stale))
		xtcp_gso_set(sk);
	for (;;) {
		xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
		xtcp_sock_rcv_space(sk);
		t->dev_least = xtcp_tsq_least(sk);
		t->held = 0;
		if (!xtcp_output_next(t, now_us, &xm)) {
			if (unlikely(t->held) && !xtcp_tsq_wait(sk, t->dev_least))
				continue;
			break;
		}
		err = xmit_one(sk, &xm, dst);
		if (unlikely(err < 0)) {
			xtcp_output_failed(t, now_us);
			break;
		}
		if (unlikely(err) && !xtcp_output_refused(t, &xm, now_us))
			continue;
		xmit_count(sk, &xm);
		xtcp_output_sent(t, &xm, now_us);
		if (!xtcp_output_more(t)) {
			xtcp_output_over(t, now_us);
			break;
		}
	}
}

/**
 * xtcp_output_again - what had to wait may go on
 * @sk: connection, locked
 *
 * Context: softirq or process.
 */
void xtcp_output_again(struct sock *sk)
{
	u64 now_us = xtcp_now_us(xtcp_sk(sk)->xn);

	xtcp_output(sk, now_us);
	xtcp_check_space(sk);
	xtcp_timer_sync(sk, now_us);
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
	skb = xtcp_sock_skb(sk, 0);
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
