// SPDX-License-Identifier: GPL-2.0
/*
 * Early demux: the input route of a connection's last segment serves the next.
 *
 * IP asks the kernel's TCP, by name, whether it knows a segment's route before
 * it looks one up (local table, FIB, source validation); it asks nobody else. A
 * hook at the very end of PRE_ROUTING stands where IP would ask: it finds the
 * connection and lends the segment the route that the sock keeps in sk_rx_dst,
 * unless routing has changed since, or the segment came by another device. The
 * sock itself is not handed on: what a segment may do is decided after LOCAL_IN.
 *
 * sk_rx_dst, sk_rx_dst_cookie: sock lock to write, RCU to read. sk_rx_dst_ifindex
 * says by which device a segment came that sk_rx_dst, or that there is none, is
 * right for; sock lock to write, READ_ONCE without; the hook puts 0 there when it finds
 * the route stale, and the next segment to reach the connection brings a new one.
 *
 * Every packet of a namespace with hooks in PRE_ROUTING pays for them, kernel
 * TCP's, too. So they are there only from the first connection that can use
 * them (the loopback's packets have their route from the sender) until
 * takeover_linger_ms after the namespace's last sock has gone.
 */
#include "xtcp_mod.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/workqueue.h>
#include <net/dst.h>
#include <net/ip6_fib.h>
#include <net/l3mdev.h>
#include <net/route.h>

#ifdef CONFIG_NETFILTER

/* Lend @skb, which stands at its IP header, its connection's route; a SYN's connection has none. */
static void early_route(struct net *net, struct xtcp_net *xn, struct sk_buff *skb)
{
	unsigned int need = skb_transport_offset(skb) + sizeof(struct tcphdr);
	struct dst_entry *dst;
	struct xtcp_sock *x;
	struct sock *sk;

	if (skb->pkt_type != PACKET_HOST || netif_is_l3_slave(skb->dev) ||
	    netif_is_l3_master(skb->dev) || !pskb_may_pull(skb, need) ||
	    tcp_hdr(skb)->syn || !xtcp_port_ours(xn, tcp_hdr(skb)->dest) ||
	    !READ_ONCE(xn->params.tcp_early_demux))
		return;
	x = xtcp_flow_peek(net, skb);
	if (!x)
		return;
	xtcp_race_point(EARLY_FOUND);
	sk = xtcp_to_sk(x);
	dst = rcu_dereference(sk->sk_rx_dst);
	if (!dst || READ_ONCE(sk->sk_rx_dst_ifindex) != skb->skb_iif)
		return;
	if (likely(dst_check(dst, READ_ONCE(sk->sk_rx_dst_cookie))))
		skb_dst_set_noref(skb, dst);
	else
		WRITE_ONCE(sk->sk_rx_dst_ifindex, 0);
}

static unsigned int early_hook4(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct iphdr *iph = ip_hdr(skb);

	if (!skb_dst(skb) && !skb->sk && iph->protocol == IPPROTO_TCP && !ip_is_fragment(iph) &&
	    READ_ONCE(state->net->ipv4.sysctl_ip_early_demux))
		early_route(state->net, xtcp_net_rcu(state->net), skb);
	return NF_ACCEPT;
}

#if IS_ENABLED(CONFIG_IPV6)
static unsigned int early_hook6(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (!skb_dst(skb) && !skb->sk && ipv6_hdr(skb)->nexthdr == IPPROTO_TCP &&
	    READ_ONCE(state->net->ipv4.sysctl_ip_early_demux))
		early_route(state->net, xtcp_net_rcu(state->net), skb);
	return NF_ACCEPT;
}
#endif

/* After everybody who may change the packet, or drop it. */
static const struct nf_hook_ops early_ops[] = {
	{
		.hook		= early_hook4,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP_PRI_LAST,
	},
#if IS_ENABLED(CONFIG_IPV6)
	{
		.hook		= early_hook6,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_PRE_ROUTING,
		.priority	= NF_IP6_PRI_LAST,
	},
#endif
};

/* In or out, as the namespace's socks want it; only this, or its end, changes early_hooked. */
static void early_work(struct work_struct *work)
{
	struct xtcp_net *xn = container_of(to_delayed_work(work), struct xtcp_net, early_work);
	bool want = atomic_read(&xn->socks) > 0;

	if (want == xn->early_hooked)
		return;
	if (want && nf_register_net_hooks(xn->net, early_ops, ARRAY_SIZE(early_ops)))
		return;		/* no memory: the next connection asks again */
	if (!want)
		nf_unregister_net_hooks(xn->net, early_ops, ARRAY_SIZE(early_ops));
	WRITE_ONCE(xn->early_hooked, want);
}

static void early_wanted(struct xtcp_net *xn)
{
	if (!READ_ONCE(xn->early_hooked) && READ_ONCE(xn->params.tcp_early_demux))
		mod_delayed_work(system_unbound_wq, &xn->early_work, 0);
}

/**
 * xtcp_early_unused - the last sock of a namespace has gone
 * @xn: namespace
 *
 * Any context.
 */
void xtcp_early_unused(struct xtcp_net *xn)
{
	if (READ_ONCE(xn->early_hooked))
		mod_delayed_work(system_unbound_wq, &xn->early_work, xtcp_linger());
}

/** xtcp_early_net_init - of a new namespace: no hook yet */
void xtcp_early_net_init(struct xtcp_net *xn)
{
	INIT_DELAYED_WORK(&xn->early_work, early_work);
}

/**
 * xtcp_early_net_pre_exit - the namespace ends, its socks have gone
 * @xn: namespace; a grace period follows
 */
void xtcp_early_net_pre_exit(struct xtcp_net *xn)
{
	cancel_delayed_work_sync(&xn->early_work);
	if (xn->early_hooked)
		nf_unregister_net_hooks(xn->net, early_ops, ARRAY_SIZE(early_ops));
	xn->early_hooked = false;
}

#else /* without netfilter every segment looks its route up */

static void early_wanted(struct xtcp_net *xn) { }
void xtcp_early_unused(struct xtcp_net *xn) { }
void xtcp_early_net_init(struct xtcp_net *xn) { }
void xtcp_early_net_pre_exit(struct xtcp_net *xn) { }

#endif

/**
 * xtcp_early_forget - the sock's next segment will not be the same connection's
 * @sk: sock lock held
 */
void xtcp_early_forget(struct sock *sk)
{
	WRITE_ONCE(sk->sk_rx_dst_ifindex, 0);
	dst_release(unrcu_pointer(xchg(&sk->sk_rx_dst, NULL)));
}

/**
 * xtcp_early_note - keep a segment's input route for those to come
 * @sk: connection, locked
 * @skb: one of its segments, as IP delivered it
 *
 * Context: softirq, RCU.
 */
void xtcp_early_note(struct sock *sk, const struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst(skb);

	xtcp_early_forget(sk);
	if (skb->skb_iif != LOOPBACK_IFINDEX) {
		if (!dst || !dst_hold_safe(dst))
			return;
#if IS_ENABLED(CONFIG_IPV6)
		if (skb->protocol == htons(ETH_P_IPV6))
			WRITE_ONCE(sk->sk_rx_dst_cookie, rt6_get_cookie(dst_rt6_info(dst)));
#endif
		rcu_assign_pointer(sk->sk_rx_dst, dst);
		early_wanted(xtcp_sk(sk)->xn);
	}
	smp_wmb();	/* the route before what says that it is right: early_route() */
	WRITE_ONCE(sk->sk_rx_dst_ifindex, skb->skb_iif);
}
