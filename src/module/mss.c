// SPDX-License-Identifier: GPL-2.0
/* The route of a connection, and what follows from it: MSS and offload sizes. */
#include "packets.h"

#include <net/route.h>
#include <net/tcp.h>

static unsigned int ip_header_len(const struct sock *sk)
{
	const struct ip_options_rcu *opt4;
	unsigned int len;

	rcu_read_lock();
	if (xtcp_sock_v4(sk)) {
		opt4 = rcu_dereference(inet_sk(sk)->inet_opt);
		len = sizeof(struct iphdr) + (opt4 ? opt4->opt.optlen : 0);
	} else {
		len = sizeof(struct ipv6hdr);
#if IS_ENABLED(CONFIG_IPV6)
		{
			const struct ipv6_txoptions *opt6 = rcu_dereference(inet6_sk(sk)->opt);

			if (opt6)
				len += opt6->opt_nflen + opt6->opt_flen;
		}
#endif
	}
	rcu_read_unlock();
	return len;
}

/**
 * xtcp_route_caps - what a new route's device can do, after sk_setup_caps()
 * @sk: sock, locked
 * @dst: the route
 *
 * For TCP's segments GSO is always on: a device that is not to have it gets what
 * was cut just above it, which is cheaper than to send each through the layers.
 * sk_setup_caps() knows TCP by AF_INET and AF_INET6.
 */
void xtcp_route_caps(struct sock *sk, struct dst_entry *dst)
{
	const struct net_device *dev;

	xtcp_sk(sk)->tcb.gso_stale = 1;
	if (sk->sk_route_caps & NETIF_F_GSO || sk->sk_gso_disabled || dst->header_len)
		return;
	rcu_read_lock();
	dev = READ_ONCE(dst->dev);
	sk->sk_gso_max_size = READ_ONCE(dev->gso_max_size) - (MAX_TCP_HEADER + 1);
	sk->sk_gso_max_segs = max_t(u32, READ_ONCE(dev->gso_max_segs), 1);
	rcu_read_unlock();
	sk->sk_route_caps |= NETIF_F_GSO | NETIF_F_GSO_SOFTWARE | NETIF_F_SG | NETIF_F_HW_CSUM;
}

/**
 * xtcp_gso_set - how much one xtcp_xmit may carry
 * @sk: sock, locked
 *
 * As much as the route lets TSO or GSO cut up; to be called when the route or mss_now is
 * another one.
 */
void xtcp_gso_set(struct sock *sk)
{
	struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;
	u32 mss = max_t(u32, t->mss_now, 1);
	u64 max = mss;

	if (sk_can_gso(sk)) {
		max = min_t(u32, sk->sk_gso_max_size, GSO_LEGACY_MAX_SIZE - 1 - MAX_TCP_HEADER);
		max = min(max, (u64)max_t(u32, sk->sk_gso_max_segs, 1) * mss);
		max = max_t(u32, (u32)max / mss, 1) * mss;
	}
	t->gso_max = max;
	t->gso_stale = 0;
}

/**
 * xtcp_mss_set - take over a path MTU, without a word to what is in flight
 * @sk: sock, locked
 * @pmtu: bytes, IP header included
 */
void xtcp_mss_set(struct sock *sk, u32 pmtu)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	u32 hlen = ip_header_len(sk) + sizeof(struct tcphdr);
	u32 cap = pmtu > hlen ? pmtu - hlen : 0;

	x->tcb.mss_cap = clamp_t(u32, cap, XTCP_P(&x->tcb, tcp_min_snd_mss), U16_MAX);
	x->mss_pmtu = pmtu;
	xtcp_mss_update(&x->tcb);
	xtcp_gso_set(sk);
}

/**
 * xtcp_sync_mss - the path's MTU is known, or known better
 * @sk: sock, locked
 * @pmtu: bytes, IP header included
 *
 * A smaller one makes the core cut again what is in flight and too big for the
 * path (RFC 1191, RFC 8201).
 */
void xtcp_sync_mss(struct sock *sk, u32 pmtu)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	u16 old = x->tcb.mss_cap;
	struct xtcp_verdict v;

	xtcp_mss_set(sk, pmtu);
	if (x->tcb.mss_cap >= old || x->tcb.state == XTCP_CLOSE || x->tcb.state == XTCP_LISTEN)
		return;
	xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
	xtcp_sock_rcv_space(sk);
	xtcp_mtu_changed(&x->tcb, x->tcb.mss_cap, xtcp_now_us(x->xn), &v);
	xtcp_exec(sk, &v, NULL, NULL);
}

/* `ip route ... rto_min`, which locks what it sets. */
static void rto_min_set(struct xtcp_tcb *t, const struct dst_entry *dst)
{
	t->route_rto_min_ms = dst_metric_locked(dst, RTAX_RTO_MIN) ?
			      clamp_t(u32, dst_metric(dst, RTAX_RTO_MIN), 1, U16_MAX) : 0;
}

/* Look it up again: there was none, or it has gone stale. */
static noinline struct dst_entry *route_anew(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct dst_entry *dst;

	if (xtcp_sock_v4(sk)) {
		sk->sk_gso_type = SKB_GSO_TCPV4;
		dst = xtcp_ip4_route(sk);
	} else {
		sk->sk_gso_type = SKB_GSO_TCPV6;
		dst = xtcp_ip6_route(sk);
	}
	if (IS_ERR(dst)) {
		x->tcb.soft_err = -PTR_ERR(dst);
		WRITE_ONCE(sk->sk_err_soft, -PTR_ERR(dst));
		return NULL;
	}
	rto_min_set(&x->tcb, dst);
	if (!x->mss_pmtu) {
		xtcp_mss_set(sk, dst_mtu(dst));
		x->tcb.init_cwnd = min_t(u32, dst_metric(dst, RTAX_INITCWND), U16_MAX);
		x->tcb.ecn_route = !!dst_feature(dst, RTAX_FEATURE_ECN);
	}
	return dst;
}

/**
 * xtcp_route - the route of a connection, looked up again if it has gone stale
 * @sk: sock, locked; addresses and ports set
 *
 * Return: the route (the sock holds the reference), or NULL with the reason in
 * the tcb's soft error.
 */
struct dst_entry *xtcp_route(struct sock *sk)
{
	u32 cookie = xtcp_sock_v4(sk) ? 0 : inet6_sk(sk)->dst_cookie;
	struct dst_entry *dst = __sk_dst_check(sk, cookie);

	return likely(dst && xtcp_sk(sk)->mss_pmtu) ? dst : route_anew(sk);
}
