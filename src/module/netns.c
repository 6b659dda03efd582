// SPDX-License-Identifier: GPL-2.0
/*
 * What each network namespace has of its own, and how it ends.
 *
 * User sockets pin their namespace, orphans included, so when one dies only
 * TIME-WAIT entries, cached shadows and files in /proc are left. pre_exit
 * runs before a grace period: it stops new TIME-WAIT entries. exit purges what
 * is there and only then frees what packets may have been looking at.
 */
#include "xtcp_mod.h"

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/wait_bit.h>
#include <net/netns/generic.h>

unsigned int xtcp_net_id __read_mostly;

static void net_clock_init(struct xtcp_net *xn)
{
	seqlock_init(&xn->clock_lock);
	xn->clock_scale = 1;
	/* "now" starts at one second: 0 means "not armed" to the core */
	xn->clock_base_us = ktime_get_ns() / NSEC_PER_USEC - USEC_PER_SEC;
}

/* One after the other, so that a writer meets frozen socks only by its own doing. */
static DEFINE_MUTEX(clock_mutex);

/**
 * xtcp_clock_set - let a namespace's clock run @scale times as fast as the real one
 * @xn: namespace
 * @scale: 1 or more
 *
 * "Now" goes on from where it is. Timers that are armed already would fire at
 * the wrong time, so there must be none: no sock, half-open request or
 * TIME-WAIT entry, and socket() waits for us. Process context.
 *
 * Return: 0 or -EBUSY.
 */
int xtcp_clock_set(struct xtcp_net *xn, u32 scale)
{
	u64 real_us, now_us;
	int err = -EBUSY;

	mutex_lock(&clock_mutex);
	if (scale == xn->clock_scale) {
		mutex_unlock(&clock_mutex);
		return 0;
	}
	if (!atomic_cmpxchg(&xn->socks, 0, XTCP_SOCKS_FROZEN)) {
		if (!atomic_read(&xn->req_count) && !atomic_read(&xn->tw_count)) {
			write_seqlock_bh(&xn->clock_lock);
			real_us = ktime_get_ns() / NSEC_PER_USEC;
			now_us = real_us * xn->clock_scale - xn->clock_base_us;
			WRITE_ONCE(xn->clock_scale, scale);
			xn->clock_base_us = real_us * scale - now_us;
			write_sequnlock_bh(&xn->clock_lock);
			err = 0;
		}
		atomic_sub(XTCP_SOCKS_FROZEN, &xn->socks);
		wake_up_var(&xn->socks);
	}
	mutex_unlock(&clock_mutex);
	return err;
}

static int __net_init xtcp_net_init(struct net *net)
{
	struct xtcp_net *xn = xtcp_net(net);
	int err = -ENOMEM;

	xn->net = net;
	xtcp_params_defaults(&xn->params);
	seqlock_init(&xn->range_lock);
	xn->port_range[0] = 32768;
	xn->port_range[1] = 60999;
	xn->cc = &xtcp_cc_cubic;
	xn->cc_allowed = BIT(XTCP_CC_RENO) | BIT(XTCP_CC_CUBIC) | BIT(XTCP_CC_BBR);
	get_random_bytes(&xn->key, sizeof(xn->key));
	net_clock_init(xn);
	xtcp_early_net_init(xn);
	xn->pcpu = alloc_percpu(struct xtcp_pcpu);
	if (!xn->pcpu)
		return err;
	err = xtcp_cookie_net_init(xn);
	if (err)
		goto free_pcpu;
	err = xtcp_ports_net_init(xn);
	if (err)
		goto exit_cookie;
	err = xtcp_sysctl_net_init(xn);
	if (err)
		goto exit_ports;
	err = xtcp_proc_net_init(net);
	if (err)
		goto exit_sysctl;
	return 0;

exit_sysctl:
	xtcp_sysctl_net_exit(xn);
exit_ports:
	xtcp_ports_net_exit(xn);
exit_cookie:
	xtcp_cookie_net_exit(xn);
free_pcpu:
	free_percpu(xn->pcpu);
	return err;
}

static void __net_exit xtcp_net_pre_exit(struct net *net)
{
	WRITE_ONCE(xtcp_net(net)->dying, 1);
	xtcp_early_net_pre_exit(xtcp_net(net));
	xtcp_race_point(NET_DYING);
}

/* One grace period for as many namespaces as die together. */
static void __net_exit xtcp_net_exit_batch(struct list_head *nets)
{
	struct net *net;

	list_for_each_entry(net, nets, exit_list) {
		xtcp_proc_net_exit(net);
		xtcp_sysctl_net_exit(xtcp_net(net));
		xtcp_purge(net);
	}
	xtcp_race_point(NET_PURGED);
	/* who was just ending an entry is done with it, and has put its claim */
	synchronize_net();
	list_for_each_entry(net, nets, exit_list) {
		xtcp_late_net_exit(xtcp_net(net));
		xtcp_ports_net_exit(xtcp_net(net));
		xtcp_cookie_net_exit(xtcp_net(net));
		free_percpu(xtcp_net(net)->pcpu);
	}
}

static struct pernet_operations xtcp_net_ops = {
	.init		= xtcp_net_init,
	.pre_exit	= xtcp_net_pre_exit,
	.exit_batch	= xtcp_net_exit_batch,
	.id		= &xtcp_net_id,
	.size		= sizeof(struct xtcp_net),
};

/**
 * xtcp_netns_init - every namespace, present and future, gets its own
 *
 * Return: 0 or -errno. Module init.
 */
int xtcp_netns_init(void)
{
	return register_pernet_subsys(&xtcp_net_ops);
}

/** xtcp_netns_exit - take it from all of them; module exit, no flow is left */
void xtcp_netns_exit(void)
{
	unregister_pernet_subsys(&xtcp_net_ops);
}
