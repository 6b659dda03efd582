// SPDX-License-Identifier: GPL-2.0
/*
 * Segments on their way in: whose is it, is it sound, may it pass; then to the
 * connection, request, TIME-WAIT entry or listener it belongs to.
 *
 * What the takeover's handler gets has gone through GRO, IP and LOCAL_IN. IP
 * did nothing else for us: pkt_type, IPsec policy, conntrack reset, checksum,
 * IP_MINTTL and socket filter are ours to check. Until a segment is known to be
 * ours it is not touched beyond pskb_may_pull().
 */
#include "packets.h"

#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/random.h>
#include <net/busy_poll.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/inet_timewait_sock.h>
#include <net/ip6_checksum.h>
#include <net/xfrm.h>

static bool rx_is_v6(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IPV6);
}

static int rx_pass(struct sk_buff *skb, bool v6)
{
	return v6 ? xtcp_pass6(skb) : xtcp_pass4(skb);
}

/* ------------------------------------------------------------ the segment */

/* Fill @g from the headers; skb->data stands at the TCP header, all pulled. */
static xtcp_hot void rx_parse(struct sk_buff *skb, struct xtcp_seg *g)
{
	const struct tcphdr *th = tcp_hdr(skb);
	struct xtcp_cb *cb = XTCP_CB(skb);
	unsigned int hlen = th->doff * 4;

	xtcp_hdr_parse((const u8 *)th, hlen, g);
	g->len = skb->len - hlen;
	g->ecn = xtcp_skb_tos(skb) & INET_ECN_MASK;
	g->segs = xtcp_skb_segs(skb);
	g->mss = xtcp_skb_mss(skb, g->len);

	cb->seq = g->seq + !!(g->flags & XTCP_SYN);
	cb->end_seq = cb->seq + g->len;
	cb->mss = g->mss;
}

/*
 * The duties that do not depend on whose the segment is, done once it is known
 * to be ours. RFC 9293 3.1, 3.9.1: the checksum covers the pseudo header.
 */
static xtcp_hot enum xtcp_drop rx_sound(struct sk_buff *skb, bool v6)
{
	const struct tcphdr *th = (const struct tcphdr *)skb->data;
	__sum16 bad;

	if (th->doff < sizeof(*th) / 4 || !pskb_may_pull(skb, th->doff * 4))
		return XTCP_DROP_HDR;
	bad = v6 ? skb_checksum_init(skb, IPPROTO_TCP, ip6_compute_pseudo) :
		   skb_checksum_init(skb, IPPROTO_TCP, inet_compute_pseudo);
	if (bad || (!skb_csum_unnecessary(skb) && __skb_checksum_complete(skb)))
		return XTCP_DROP_CSUM;
	/* Pulled headers would make a complete sum wrong; it has served. */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (!skb_frags_readable(skb))
		return XTCP_DROP_NOMEM;
	return XTCP_DROP_NONE;
}

/* @known: of a flow, perhaps of one that a program opened to port 0. */
static xtcp_hot enum xtcp_drop rx_sound_counted(struct xtcp_net *xn, struct sk_buff *skb, bool v6,
						bool known)
{
	enum xtcp_drop why = rx_sound(skb, v6);

	if (!why && !known && !((const struct tcphdr *)skb->data)->source)
		why = XTCP_DROP_HDR;
	if (why == XTCP_DROP_CSUM)
		XTCP_INC(xn, IN_CSUM_ERRORS);
	if (why)
		XTCP_INC(xn, IN_ERRS);
	return why;
}

/* What @sk (NULL: nobody) demands of whoever talks to it. */
static xtcp_hot enum xtcp_drop rx_admit(struct sock *sk, struct sk_buff *skb, bool v6)
{
	if (v6) {
		if (sk && sk->sk_family == AF_INET6 &&
		    ipv6_hdr(skb)->hop_limit < READ_ONCE(inet6_sk(sk)->min_hopcount))
			return XTCP_DROP_MINTTL;
		if (!xfrm6_policy_check(sk, XFRM_POLICY_IN, skb))
			return XTCP_DROP_POLICY;
	} else {
		if (sk && ip_hdr(skb)->ttl < READ_ONCE(inet_sk(sk)->min_ttl))
			return XTCP_DROP_MINTTL;
		if (!xfrm4_policy_check(sk, XFRM_POLICY_IN, skb))
			return XTCP_DROP_POLICY;
	}
	nf_reset_ct(skb);
	if (sk && sk_filter_trim_cap(sk, skb, tcp_hdr(skb)->doff * 4))
		return XTCP_DROP_FILTER;
	return XTCP_DROP_NONE;
}

/* ------------------------------------------------------------- connections */

/*
 * Make sure the payload can be kept if the core wants it: after the core has
 * said so (and acknowledged, or SACKed it) it is too late to fail. In-order
 * data for an empty queue always gets in, whatever the limits say, so that a
 * full out-of-order queue cannot stop the one segment that would empty it.
 */
static bool rx_room(struct sock *sk, struct sk_buff *skb, const struct xtcp_seg *g)
{
	struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;
	bool next = seq_leq(g->seq, t->s.rcv_nxt) && skb_queue_empty(&sk->sk_receive_queue);
	u32 seq = g->seq + !!(g->flags & XTCP_SYN);

	/* Nothing of it will be kept: it must not cost memory, nor time to make room. */
	if (t->state != XTCP_SYN_SENT &&
	    (seq_leq(seq + g->len, t->s.rcv_nxt) || seq_geq(seq, t->s.rcv_adv)))
		return true;
	if (atomic_read(&sk->sk_rmem_alloc) > READ_ONCE(sk->sk_rcvbuf)) {
		xtcp_rcv_compact(sk);
		if (atomic_read(&sk->sk_rmem_alloc) > READ_ONCE(sk->sk_rcvbuf) && !next)
			return false;
	}
	if (!sk_rmem_schedule(sk, skb, skb->truesize) && !next)
		return false;
	/*
	 * The core may cut the tail off (right window edge, data past FIN):
	 * cutting a shared or chained skb can fail, so unshare it now.
	 */
	if (seq_gt(g->seq + g->len, t->s.rcv_adv) || t->fin_known || t->fin_rcvd) {
		if (skb_has_frag_list(skb))
			return !skb_linearize(skb);
		return !skb_unclone(skb, GFP_ATOMIC);
	}
	return true;
}

/*
 * The connection ended while this segment waited: an entry may stand for it
 * now. Not for a SYN, which would go on to a listener: this is under a sock lock.
 */
static void rx_conn_over(struct sock *sk, struct sk_buff *skb, const struct xtcp_seg *g)
{
	struct xtcp_flow key, *f = NULL;
	u32 iss;

	rcu_read_lock();
	if (!(g->flags & XTCP_SYN))
		f = xtcp_flow_lookup_skb(sock_net(sk), skb, &key);
	rcu_read_unlock();
	if (f && f->kind == XTCP_KIND_TW)
		xtcp_tw_rcv(f, skb, g, &iss);
	else
		xtcp_drop_skb(xtcp_sk(sk)->xn, skb, XTCP_DROP_CLOSED);
	xtcp_flow_put(f);
}

/* Sock lock held, by whichever holder; consumes skb. */
static void rx_conn_locked(struct sock *sk, struct sk_buff *skb, struct xtcp_seg *g)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_verdict v xtcp_unset;

	if (x->tcb.state == XTCP_CLOSE || x->tcb.state == XTCP_LISTEN) {
		rx_conn_over(sk, skb, g);
		return;
	}
	g->no_mem = g->len && !rx_room(sk, skb, g);
	__skb_pull(skb, tcp_hdrlen(skb));
	xtcp_sock_pool_fill(sk, xtcp_pool_want(g));
	xtcp_sock_rcv_space(sk);
	xtcp_segment_arrives(&x->tcb, g, xtcp_now_us(x->xn), &v);
	if (unlikely(x->late_until_ms) && v.drop)
		xtcp_late_dropped(sk, g, v.drop);
	if (!xtcp_exec(sk, &v, skb, g)) {
		xtcp_drop_skb(x->xn, skb, v.drop);
		if (g->len)
			sk_mem_reclaim(sk);	/* what rx_room() set aside */
	} else if (v.drop) {
		xtcp_drop_part(&x->flow, g, v.drop);
	}
}

/**
 * xtcp_child_rcv - the third segment meets the child it made
 * @sk: child, locked, not owned by a user
 * @skb: segment, consumed
 * @g: the same, parsed
 */
void xtcp_child_rcv(struct sock *sk, struct sk_buff *skb, const struct xtcp_seg *g)
{
	struct xtcp_seg seg = *g;

	sk_mark_napi_id(sk, skb);
	sock_rps_save_rxhash(sk, skb);
	xtcp_early_note(sk, skb);
	rx_conn_locked(sk, skb, &seg);
}

/**
 * xtcp_backlog_rcv - a segment that waited for the user to let go of the lock
 * @sk: connection, lock held
 * @skb: segment; data stands at the TCP header; consumed
 *
 * Context: process (release_sock) or softirq.
 *
 * Return: 0.
 */
int xtcp_backlog_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct xtcp_seg g xtcp_unset;

	rx_parse(skb, &g);
	rx_conn_locked(sk, skb, &g);
	return 0;
}

/* The same bound as Linux's: both buffers and some headroom. False: full. */
static bool rx_backlog(struct sock *sk, struct sk_buff *skb)
{
	u64 limit = (u64)READ_ONCE(sk->sk_rcvbuf) * 2 +
		    ((u32)READ_ONCE(sk->sk_sndbuf) >> 1) + 64 * 1024;

	skb_dst_drop(skb);
	if (xtcp_backlog_merge(sk, skb))
		return true;
	return !sk_add_backlog(sk, skb, min_t(u64, limit, UINT_MAX));
}

static xtcp_hot void rx_conn(struct sock *sk, struct sk_buff *skb, bool v6)
{
	struct xtcp_net *xn = xtcp_sk(sk)->xn;
	enum xtcp_drop why = rx_admit(sk, skb, v6);
	struct xtcp_seg g xtcp_unset;

	if (why) {
		atomic_inc(&sk->sk_drops);
		xtcp_drop_skb(xn, skb, why);
		return;
	}
	sk_incoming_cpu_update(sk);
	sk_mark_napi_id(sk, skb);
	sock_rps_save_rxhash(sk, skb);

	bh_lock_sock_nested(sk);
	skb->dev = NULL;
	if (!sock_owned_by_user(sk)) {
		if (unlikely(skb->skb_iif != sk->sk_rx_dst_ifindex))
			xtcp_early_note(sk, skb);
		rx_parse(skb, &g);
		rx_conn_locked(sk, skb, &g);
	} else if (!rx_backlog(sk, skb)) {
		bh_unlock_sock(sk);
		atomic_inc(&sk->sk_drops);
		XTCP_INC(xn, BACKLOG_DROP);
		xtcp_drop_skb(xn, skb, XTCP_DROP_BACKLOG);
		return;
	}
	bh_unlock_sock(sk);
}

/* -------------------------------------------------------- everything else */

/* RFC 9293 3.10.7.1: nobody there. Consumes skb. */
static void rx_closed(struct net *net, struct sk_buff *skb, bool v6)
{
	struct xtcp_net *xn = xtcp_net(net);
	enum xtcp_drop why = rx_admit(NULL, skb, v6);
	struct xtcp_verdict v;
	struct xtcp_seg g;

	if (!why) {
		rx_parse(skb, &g);
		xtcp_late_stray(xn, skb, &g);
		xtcp_segment_closed(&g, &v);
		xtcp_exec_stats(xn, &v);
		if (v.flags & XTCP_V_REPLY)
			xtcp_reply_skb(net, NULL, skb, &v.reply, xtcp_skb_tos(skb), 0);
		why = XTCP_DROP_NO_SOCKET;
	}
	xtcp_drop_skb(xn, skb, why);
}

/*
 * @again: somebody has looked at it before, and traced it. False: no listener; skb untouched
 * then, else consumed.
 */
static bool rx_listener(struct net *net, struct sk_buff *skb, bool v6, u32 iss, bool again)
{
	struct sock *sk = xtcp_listener_lookup(net, skb);
	enum xtcp_drop why;
	struct xtcp_seg g;

	if (!sk)
		return false;
	if (!again)
		xtcp_note_in(net, skb);
	why = rx_sound_counted(xtcp_net(net), skb, v6, false);
	if (!why)
		why = rx_admit(sk, skb, v6);
	if (why) {
		atomic_inc(&sk->sk_drops);
		xtcp_drop_skb(xtcp_net(net), skb, why);
	} else {
		rx_parse(skb, &g);
		xtcp_listen_rcv(sk, skb, &g, iss);
	}
	sock_put(sk);
	return true;
}

/* Consumes skb. */
static void rx_req(struct net *net, struct xtcp_req *req, struct sk_buff *skb, bool v6)
{
	enum xtcp_drop why = rx_admit(req->listener, skb, v6);
	struct xtcp_seg g;

	if (why) {
		atomic_inc(&req->listener->sk_drops);
		xtcp_drop_skb(xtcp_net(net), skb, why);
		return;
	}
	rx_parse(skb, &g);
	xtcp_req_rcv(req, skb, &g);
}

/* Consumes skb. */
static void rx_tw(struct net *net, const struct xtcp_flow *key, struct sk_buff *skb, bool v6)
{
	enum xtcp_drop why = rx_admit(NULL, skb, v6);
	struct xtcp_seg g;
	u32 iss = 0;

	if (why) {
		xtcp_drop_skb(xtcp_net(net), skb, why);
		return;
	}
	rx_parse(skb, &g);
	if (xtcp_tw_rcv(key, skb, &g, &iss) && !rx_listener(net, skb, v6, iss, true))
		rx_closed(net, skb, v6);
}

/* False: no flow of ours. */
static bool rx_flow(struct net *net, struct xtcp_net *xn, struct sk_buff *skb, bool v6)
{
	struct xtcp_flow key xtcp_unset, *f = xtcp_flow_lookup_skb(net, skb, &key);
	enum xtcp_drop why;

	if (!f)
		return false;
	xtcp_race_point(FLOW_FOUND);
	xtcp_note_in(net, skb);
	why = rx_sound_counted(xn, skb, v6, true);
	if (why)
		xtcp_drop_skb(xn, skb, why);
	else if (f->kind == XTCP_KIND_CONN)
		rx_conn(xtcp_to_sk(flow_conn(f)), skb, v6);
	else if (f->kind == XTCP_KIND_REQ)
		rx_req(net, container_of(f, struct xtcp_req, flow), skb, v6);
	else
		rx_tw(net, f, skb, v6);
	xtcp_flow_put(f);
	return true;
}

/**
 * xtcp_rcv_taken - has another CPU made a flow of this segment's handshake meanwhile?
 * @net: namespace
 * @skb: segment that passed every check; data at the TCP header
 *
 * Then it is for that one: two segments that complete a handshake may meet on two
 * CPUs, and the second belongs to the child the first one made. Context: softirq.
 *
 * Return: false if nobody has the tuple, skb untouched; else it is consumed.
 */
bool xtcp_rcv_taken(struct net *net, struct sk_buff *skb)
{
	struct xtcp_flow key, *f = xtcp_flow_lookup_skb(net, skb, &key);

	xtcp_race_point(RCV_AGAIN);
	if (!f)
		return false;
	if (f->kind == XTCP_KIND_CONN)
		rx_conn(xtcp_to_sk(flow_conn(f)), skb, rx_is_v6(skb));
	else
		xtcp_drop_skb(xtcp_net(net), skb, XTCP_DROP_CLOSED);
	xtcp_flow_put(f);
	return true;
}

/**
 * xtcp_rcv_again - the request a segment was for has become something else
 * @net: namespace
 * @skb: segment that passed every check; data at the TCP header; consumed
 *
 * Context: softirq.
 */
void xtcp_rcv_again(struct net *net, struct sk_buff *skb)
{
	bool v6 = rx_is_v6(skb);

	if (!xtcp_rcv_taken(net, skb) && !rx_listener(net, skb, v6, 0, true))
		rx_closed(net, skb, v6);
}

/* ---------------------------------------------- the kernel's own TCP's part */

static struct sock *rx_kernel_lookup(struct net *net, const struct sk_buff *skb, bool v6)
{
	const struct tcphdr *th = (const struct tcphdr *)skb->data;

#if IS_ENABLED(CONFIG_IPV6)
	if (v6)
		return __inet6_lookup_established(net, &ipv6_hdr(skb)->saddr, th->source,
						  &ipv6_hdr(skb)->daddr, ntohs(th->dest),
						  inet6_iif(skb), inet6_sdif(skb));
#endif
	return __inet_lookup_established(net, ip_hdr(skb)->saddr, th->source,
					 ip_hdr(skb)->daddr, ntohs(th->dest),
					 inet_iif(skb), inet_sdif(skb));
}

/* Would the kernel's TIME-WAIT give way to this SYN (RFC 1122 4.2.2.13, RFC 6191)? */
static bool rx_tw_yields(const struct inet_timewait_sock *tw, struct sk_buff *skb, u32 *iss)
{
	const struct tcp_timewait_sock *tcptw = tcp_twsk((const struct sock *)tw);
	const struct tcphdr *th = (const struct tcphdr *)skb->data;
	u32 ts_recent = tcptw->tw_ts_recent;
	struct xtcp_opts o;
	bool paws;

	if (!th->syn || th->rst || th->ack || th->doff < sizeof(*th) / 4 ||
	    !pskb_may_pull(skb, th->doff * 4))
		return false;
	th = (const struct tcphdr *)skb->data;
	xtcp_opts_parse((const u8 *)(th + 1), th->doff * 4 - sizeof(*th), true, &o);
	paws = o.has_ts && tcptw->tw_ts_recent_stamp;
	if (paws && (s32)(o.tsval - ts_recent) < 0)
		return false;
	if (!seq_gt(ntohl(th->seq), tcptw->tw_rcv_nxt) &&
	    !(paws && (s32)(o.tsval - ts_recent) > 0))
		return false;
	*iss = tcptw->tw_snd_nxt + 65537;
	if (!*iss)
		*iss = 1;
	return true;
}

/* ACK what the TIME-WAIT @tw of the kernel stands for, in its name. Consumes skb. */
static void rx_tw_ack(struct net *net, const struct inet_timewait_sock *tw,
		      struct sk_buff *skb, bool v6)
{
	const struct tcp_timewait_sock *tcptw = tcp_twsk((const struct sock *)tw);
	struct xtcp_reply r = {
		.seq = tcptw->tw_snd_nxt, .ack = tcptw->tw_rcv_nxt,
		.wnd = tcptw->tw_rcv_wnd >> tw->tw_rcv_wscale, .flags = XTCP_ACK,
	};
	enum xtcp_drop why;

	xtcp_note_in(net, skb);
	why = rx_sound_counted(xtcp_net(net), skb, v6, true);
	if (!why)
		why = rx_admit(NULL, skb, v6);
	if (!why) {
		xtcp_reply_skb(net, NULL, skb, &r, tw->tw_tos, tw->tw_mark);
		why = XTCP_DROP_TW_OLD;
	}
	xtcp_drop_skb(xtcp_net(net), skb, why);
}

/*
 * The kernel knows this 4-tuple. Everything is its business but for one thing:
 * a SYN that its TIME-WAIT would hand to "the listener". That would be the
 * shadow that keeps the port for us, and the shadow must never shake hands.
 * False: take it on (the TIME-WAIT has gone). True: consumed.
 */
static bool rx_kernel(struct net *net, struct sk_buff *skb, bool v6, u32 *iss)
{
	struct sock *sk = rx_kernel_lookup(net, skb, v6);
	struct inet_timewait_sock *tw;
	struct sock *listener;

	if (!sk)
		return false;
	if (sk->sk_state != TCP_TIME_WAIT)
		goto pass;
	tw = inet_twsk(sk);
	if (!rx_tw_yields(tw, skb, iss))
		goto pass;
	listener = xtcp_listener_lookup(net, skb);
	if (listener) {
		sock_put(listener);
		if (rx_sound(skb, v6)) {
			*iss = 0;	/* broken: the listener's path drops and counts it */
			sock_gen_put(sk);
			return false;
		}
		inet_twsk_deschedule_put(tw);
		return false;
	}
	if (!xtcp_port_shadowed(net, skb))
		goto pass;
	rx_tw_ack(net, tw, skb, v6);
	inet_twsk_put(tw);
	return true;
pass:
	sock_gen_put(sk);
	rx_pass(skb, v6);
	return true;
}

/* To a port of ours: a flow's, a listener's, or one that the kernel has beside us. */
static noinline int rx_port(struct net *net, struct xtcp_net *xn, struct sk_buff *skb, bool v6)
{
	enum xtcp_drop why;
	u32 iss = 0;

	if (rx_flow(net, xn, skb, v6))
		goto ours;
	if (rx_kernel(net, skb, v6, &iss))
		return 0;
	if (rx_listener(net, skb, v6, iss, false))
		goto ours;
	if (!xtcp_port_shadowed(net, skb))
		return rx_pass(skb, v6);
	xtcp_note_in(net, skb);
	why = rx_sound_counted(xn, skb, v6, false);
	if (why)
		xtcp_drop_skb(xn, skb, why);
	else
		rx_closed(net, skb, v6);
ours:
	XTCP_INC(xn, IN_SEGS);
	return 0;
}

/* What is not ours goes from here as it came: the kernel's TCP pays for each line. */
static int rx_segment(struct sk_buff *skb, bool v6)
{
	struct net *net = dev_net(skb->dev);
	struct xtcp_net *xn = xtcp_net_rcu(net);

	/* Early demux (or TPROXY) gave it to a kernel socket; or not for this host. */
	if (skb->sk || skb->pkt_type != PACKET_HOST ||
	    !pskb_may_pull(skb, sizeof(struct tcphdr)) ||
	    !xtcp_port_ours(xn, ((const struct tcphdr *)skb->data)->dest))
		return rx_pass(skb, v6);
	return rx_port(net, xn, skb, v6);
}

/**
 * xtcp_rcv4 - handler of IP protocol 6, IPv4
 * @skb: packet for this host; data stands at the TCP header; consumed
 *
 * Context: softirq, RCU.
 *
 * Return: 0, or what the handler before us returns.
 */
int xtcp_rcv4(struct sk_buff *skb)
{
	return rx_segment(skb, false);
}

/**
 * xtcp_rcv6 - handler of IP protocol 6, IPv6
 * @skb: packet for this host; data stands at the TCP header; consumed
 *
 * Context: softirq, RCU.
 *
 * Return: 0, or what the handler before us returns.
 */
int xtcp_rcv6(struct sk_buff *skb)
{
	return rx_segment(skb, true);
}
