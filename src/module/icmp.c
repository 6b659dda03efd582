// SPDX-License-Identifier: GPL-2.0
/*
 * ICMP errors for our flows (RFC 9293 3.9.2.2, RFC 5927). The packet quoted is
 * one we sent, so "local" is its source. An error counts only if the sequence
 * number it quotes is in flight; anybody can send the rest.
 */
#include "xtcp_mod.h"

#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/icmp.h>
#include <net/ip6_route.h>

enum icmp_what { ICMP_ERROR, ICMP_MTU, ICMP_REDIRECTED };

/* One ICMP message, whatever its IP version. */
struct icmp_msg {
	enum icmp_what what;
	int err;			/* positive errno */
	bool hard;			/* ends a handshake's hope (RFC 9293 3.9.2.2) */
	bool req;			/* ends a half-open request, as Linux has it */
	u32 mtu;
	u32 info;			/* what the error queue is told */
	u32 seq;			/* quoted */
	struct sk_buff *skb;
	const struct tcphdr *th;	/* quoted */
};

/**
 * xtcp_icmp_mtu - the path's MTU became smaller
 * @sk: connection, locked
 * @mtu: as the ICMP says
 *
 * Context: softirq, or process from release_sock().
 */
void xtcp_icmp_mtu(struct sock *sk, u32 mtu)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct dst_entry *dst;
	bool dont;

	if (sk->sk_state == TCP_CLOSE || sk->sk_state == TCP_LISTEN)
		return;
	dont = x->v4 ? inet_sk(sk)->pmtudisc == IP_PMTUDISC_DONT :
		       inet6_sk(sk)->pmtudisc == IPV6_PMTUDISC_DONT;
	dst = xtcp_route(sk);
	if (!dst || dont)
		return;
	dst->ops->update_pmtu(dst, sk, NULL, mtu, true);
	/* The exception may have replaced the route. */
	dst = xtcp_route(sk);
	if (dst && dst_mtu(dst) < x->mss_pmtu)
		xtcp_sync_mss(sk, dst_mtu(dst));
}

/*
 * A failed connect() can ask the error queue who refused, as on Linux: always
 * over IPv4, with IPV6_RECVERR over IPv6. sock_queue_err_skb() bounds it.
 */
static void icmp_queue(struct sock *sk, const struct icmp_msg *m)
{
	bool v4 = xtcp_sk(sk)->v4;
	struct sock_exterr_skb *serr;
	struct sk_buff *skb;
	const u8 *daddr;

	if (!v4 && !inet_test_bit(RECVERR6, sk))
		return;
	skb = skb_clone(m->skb, GFP_ATOMIC);
	if (!skb)
		return;
	serr = SKB_EXT_ERR(skb);
	memset(&serr->ee, 0, sizeof(serr->ee));
	serr->ee.ee_errno = m->err;
	serr->ee.ee_info = m->info;
	if (v4) {
		serr->ee.ee_origin = SO_EE_ORIGIN_ICMP;
		serr->ee.ee_type = icmp_hdr(skb)->type;
		serr->ee.ee_code = icmp_hdr(skb)->code;
		daddr = (const u8 *)&((const struct iphdr *)(icmp_hdr(skb) + 1))->daddr;
	} else {
		skb->protocol = htons(ETH_P_IPV6);
		serr->ee.ee_origin = SO_EE_ORIGIN_ICMP6;
		serr->ee.ee_type = icmp6_hdr(skb)->icmp6_type;
		serr->ee.ee_code = icmp6_hdr(skb)->icmp6_code;
		daddr = (const u8 *)&((const struct ipv6hdr *)(icmp6_hdr(skb) + 1))->daddr;
	}
	serr->addr_offset = daddr - skb_network_header(skb);
	serr->port = m->th->dest;
	__skb_pull(skb, (const u8 *)m->th - skb->data);
	skb_reset_transport_header(skb);
	if (sock_queue_err_skb(sk, skb))
		kfree_skb(skb);
}

static void icmp_conn_error(struct sock *sk, const struct icmp_msg *m)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	bool recverr = x->v4 ? inet_test_bit(RECVERR, sk) : inet_test_bit(RECVERR6, sk);
	u8 state = sk->sk_state;
	struct xtcp_verdict v;

	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		icmp_queue(sk, m);
	xtcp_icmp_error(&x->tcb, m->err, m->hard, xtcp_now_us(x->xn), &v);
	xtcp_exec(sk, &v, NULL, NULL);
	if (x->tcb.soft_err && !recverr)
		WRITE_ONCE(sk->sk_err_soft, m->err);
	if (recverr && state != TCP_SYN_SENT && state != TCP_SYN_RECV &&
	    sk->sk_state != TCP_CLOSE) {
		WRITE_ONCE(sk->sk_err, m->err);
		sk_error_report(sk);
	}
}

static void icmp_conn(struct sock *sk, const struct icmp_msg *m)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct dst_entry *dst;

	bh_lock_sock(sk);
	if (sk->sk_state == TCP_CLOSE)
		goto out;
	if (!seq_between(m->seq, x->tcb.s.snd_una, x->tcb.s.snd_nxt)) {
		const struct xtcp_seg quoted = { .seq = m->seq };

		xtcp_drop_part(&x->flow, &quoted, XTCP_DROP_ICMP_SEQ);
		goto out;
	}
	if (m->what == ICMP_MTU) {
		if (!sock_owned_by_user(sk)) {
			xtcp_icmp_mtu(sk, m->mtu);
		} else {
			x->mtu_info = m->mtu;
			if (!test_and_set_bit(XTCP_DEFER_MTU, &x->deferred))
				sock_hold(sk);
		}
	} else if (sock_owned_by_user(sk)) {
		/* As Linux: an error that finds the user busy is lost, retransmission stays. */
		XTCP_INC(x->xn, LOCK_DROPPED_ICMPS);
	} else if (m->what == ICMP_REDIRECTED) {
		dst = xtcp_route(sk);
		if (dst)
			dst->ops->redirect(dst, sk, m->skb);
	} else {
		icmp_conn_error(sk, m);
	}
out:
	bh_unlock_sock(sk);
}

/* Deliver to the flow @key; false if there is none of ours. */
static bool icmp_flow(struct net *net, struct xtcp_flow *key, int iif, int sdif,
		      const struct icmp_msg *m)
{
	struct xtcp_flow *f = xtcp_flow_lookup(net, key, iif, sdif);
	struct xtcp_req *req;

	if (!f)
		return false;
	switch (f->kind) {
	case XTCP_KIND_CONN:
		icmp_conn(xtcp_to_sk(flow_conn(f)), m);
		break;
	case XTCP_KIND_REQ:
		req = container_of(f, struct xtcp_req, flow);
		if (m->what == ICMP_ERROR && m->seq == READ_ONCE(req->rq.iss))
			xtcp_req_icmp(req, m->err, m->req);
		break;
	default:
		break;		/* TIME-WAIT: nothing to tell anybody */
	}
	xtcp_flow_put(f);
	return true;
}

/* Translate; false if it means nothing to TCP. */
static bool icmp4_parse(const struct sk_buff *skb, u32 info, struct icmp_msg *m)
{
	u8 type = icmp_hdr(skb)->type, code = icmp_hdr(skb)->code;

	m->what = ICMP_ERROR;
	m->hard = true;
	m->req = true;
	switch (type) {
	case ICMP_REDIRECT:
		m->what = ICMP_REDIRECTED;
		return true;
	case ICMP_PARAMETERPROB:
		m->err = EPROTO;
		return true;
	case ICMP_TIME_EXCEEDED:
		m->err = EHOSTUNREACH;
		return true;
	case ICMP_DEST_UNREACH:
		if (code > NR_ICMP_UNREACH)
			return false;
		if (code == ICMP_FRAG_NEEDED) {
			m->what = ICMP_MTU;
			m->mtu = info;
			return true;
		}
		m->err = icmp_err_convert[code].errno;
		m->req = code == ICMP_NET_UNREACH || code == ICMP_HOST_UNREACH;
		return true;
	default:
		return false;	/* source quench among them: RFC 6633 */
	}
}

/**
 * xtcp_err4 - ICMP error that quotes a TCP segment
 * @skb: data stands at the quoted IP header; at least 8 bytes of TCP follow it
 * @info: next-hop MTU of a fragmentation-needed
 *
 * Context: softirq, RCU.
 *
 * Return: 0.
 */
int xtcp_err4(struct sk_buff *skb, u32 info)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	const struct tcphdr *th = (const struct tcphdr *)(skb->data + iph->ihl * 4);
	struct net *net = dev_net(skb->dev);
	struct icmp_msg m = { .skb = skb, .info = info, .th = th };
	struct xtcp_flow key = {
		.net = net, .family = AF_INET, .lport = th->source, .fport = th->dest,
		.v4 = { .laddr = iph->saddr, .faddr = iph->daddr },
	};

	if (!xtcp_port_ours(xtcp_net(net), th->source))
		return xtcp_pass_err4(skb, info);
	xtcp_flow_rehash(&key);
	m.seq = ntohl(th->seq);
	if (!icmp4_parse(skb, info, &m) ||
	    !icmp_flow(net, &key, inet_iif(skb), inet_sdif(skb), &m))
		return xtcp_pass_err4(skb, info);
	return 0;
}

#if IS_ENABLED(CONFIG_IPV6)
static void icmp6_parse(u8 type, u8 code, __be32 info, struct icmp_msg *m)
{
	switch (type) {
	case NDISC_REDIRECT:
		m->what = ICMP_REDIRECTED;
		break;
	case ICMPV6_PKT_TOOBIG:
		m->what = ICMP_MTU;
		m->mtu = ntohl(info);
		break;
	default:
		m->what = ICMP_ERROR;
		icmpv6_err_convert(type, code, &m->err);
		m->hard = true;
		m->req = true;
		break;
	}
}

/**
 * xtcp_err6 - ICMPv6 error that quotes a TCP segment
 * @skb: data stands at the quoted IPv6 header
 * @opt: its parsed extension headers
 * @type: ICMPv6 type
 * @code: ICMPv6 code
 * @offset: of the TCP header from skb->data
 * @info: MTU of a packet-too-big
 *
 * Context: softirq, RCU.
 *
 * Return: 0.
 */
int xtcp_err6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code,
	      int offset, __be32 info)
{
	const struct ipv6hdr *hdr = (const struct ipv6hdr *)skb->data;
	const struct tcphdr *th = (const struct tcphdr *)(skb->data + offset);
	struct net *net = dev_net(skb->dev);
	struct icmp_msg m = { .skb = skb, .info = ntohl(info), .th = th };
	struct xtcp_flow key = {
		.net = net, .family = AF_INET6, .lport = th->source, .fport = th->dest,
		.v6 = { .laddr = hdr->saddr, .faddr = hdr->daddr },
	};

	if (!xtcp_port_ours(xtcp_net(net), th->source))
		return xtcp_pass_err6(skb, opt, type, code, offset, info);
	xtcp_flow_rehash(&key);
	m.seq = ntohl(th->seq);
	icmp6_parse(type, code, info, &m);
	if (!icmp_flow(net, &key, inet6_iif(skb), inet6_sdif(skb), &m))
		return xtcp_pass_err6(skb, opt, type, code, offset, info);
	return 0;
}
#endif
