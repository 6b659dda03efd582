/* SPDX-License-Identifier: GPL-2.0 */
/* Doors between the files that handle packets; nobody else needs them. */
#ifndef XTCP_PACKETS_H
#define XTCP_PACKETS_H

#include "xtcp_mod.h"

#include <net/dsfield.h>
#include <linux/tracepoint-defs.h>
#include <net/inet_ecn.h>

/* TOS or traffic class of a received packet. */
static inline u8 xtcp_skb_tos(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IPV6) ? ipv6_get_dsfield(ipv6_hdr(skb)) :
						    ip_hdr(skb)->tos;
}

/* How many segments an skb is, GRO's and GSO's large ones. */
static inline u16 xtcp_skb_segs(const struct sk_buff *skb)
{
	return max_t(u16, skb_shinfo(skb)->gso_segs, 1);
}

/* The longest of them, where all have @len bytes of payload. */
static inline u16 xtcp_skb_mss(const struct sk_buff *skb, u32 len)
{
	return skb_shinfo(skb)->gso_size ?: min_t(u32, len, U16_MAX);
}

/* Is IPv4 on the wire? */
static inline bool xtcp_sock_v4(const struct sock *sk)
{
	return sk->sk_family == AF_INET || xtcp_sk(sk)->v4;
}

/* drop.c */
DECLARE_TRACEPOINT(xtcp_segment_in);
void xtcp_trace_in(struct net *net, const struct sk_buff *skb);

/* A segment that is ours came in: seen once, before anything else is done with it. */
static inline void xtcp_note_in(struct net *net, const struct sk_buff *skb)
{
	if (tracepoint_enabled(xtcp_segment_in))
		xtcp_trace_in(net, skb);
}

/* input.c */
void xtcp_child_rcv(struct sock *sk, struct sk_buff *skb, const struct xtcp_seg *g);
bool xtcp_rcv_taken(struct net *net, struct sk_buff *skb);
void xtcp_rcv_again(struct net *net, struct sk_buff *skb);

/* backlog.c: bh_lock_sock() held, a user owns the lock; true: it is part of the last one now */
bool xtcp_backlog_merge(struct sock *sk, struct sk_buff *skb);

/* rcvq.c: the receive and out-of-order queues; sock lock held */
void xtcp_rcvq_deliver(struct sock *sk, struct sk_buff *skb, u32 off, u32 len);
bool xtcp_rcvq_keep(struct sock *sk, struct sk_buff *skb, u32 off, u32 len);
void xtcp_rcvq_drain(struct sock *sk);
void xtcp_rcv_compact(struct sock *sk);

/* What IP needs to know to carry a segment that no connection sends. */
struct xtcp_path {
	const struct xtcp_flow *f;
	struct sock *sk;		/* listener, or NULL; not locked */
	int oif;
	u8 tos;
	u32 mark;
	u32 flowlabel;
};

/* ip4.c, ip6.c: consume skb (data at the TCP header); 0, NET_XMIT_* or -errno */
struct dst_entry *xtcp_ip4_route(struct sock *sk);
struct dst_entry *xtcp_ip6_route(struct sock *sk);
int xtcp_ip4_xmit(struct sock *sk, struct sk_buff *skb, struct dst_entry *dst, u8 ecn);
int xtcp_ip6_xmit(struct sock *sk, struct sk_buff *skb, struct dst_entry *dst, u8 ecn);
/* A referenced route for @p, or ERR_PTR. */
struct dst_entry *xtcp_ip4_path(struct net *net, const struct xtcp_path *p);
struct dst_entry *xtcp_ip6_path(struct net *net, const struct xtcp_path *p);
/* Send along @dst, whose reference goes with it. */
int xtcp_ip4_reply(struct net *net, const struct xtcp_path *p, struct sk_buff *skb,
		   struct dst_entry *dst);
int xtcp_ip6_reply(struct net *net, const struct xtcp_path *p, struct sk_buff *skb,
		   struct dst_entry *dst);

/* mss.c; sock lock held */
void xtcp_route_caps(struct sock *sk, struct dst_entry *dst);
void xtcp_gso_set(struct sock *sk);
void xtcp_mss_set(struct sock *sk, u32 pmtu);

/* payload.c; sock lock held */
struct sk_buff *xtcp_sock_skb(struct sock *sk, unsigned int linear);
struct sk_buff *xtcp_payload_skb(struct sock *sk, const struct xtcp_xmit *x, u32 seq, u32 *len);

/* output.c */
struct dst_entry *xtcp_path_route(struct net *net, const struct xtcp_path *p);
int xtcp_path_reply(struct net *net, const struct xtcp_path *p, const struct xtcp_reply *r,
		    struct dst_entry *dst);

/* The same, in the skb that is answered if that can be; @skb is consumed. */
int xtcp_path_turn(struct net *net, const struct xtcp_path *p, const struct xtcp_reply *r,
		   struct dst_entry *dst, struct sk_buff *skb);

#endif /* XTCP_PACKETS_H */
