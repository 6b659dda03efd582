// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading. Set-up reads down, unwinding reads up.
 *
 * The module's reference count is held by every sock (proto.owner), so that it
 * cannot go while a program has a socket or an orphan still ends. What may be
 * left is TIME-WAIT entries: the receive path is given back first, so that no
 * segment makes new ones, then they are purged, then what they hang on goes.
 */
#include "xtcp_mod.h"

#include <linux/module.h>
#include <linux/rcupdate.h>

#define CREATE_TRACE_POINTS
#include <trace/events/xtcp.h>
#undef CREATE_TRACE_POINTS

#define XTCP_VERSION	"0.1.0"

int xtcp_family = AF_XTCP;
module_param_named(family, xtcp_family, int, 0444);
MODULE_PARM_DESC(family, "Number of the address family, should a kernel take ours (default 18)");

/* Tables and caches that know of no socket and no packet. */
static int __init xtcp_init_tables(void)
{
	int err;

	err = xtcp_demux_init();
	if (err)
		return err;
	err = xtcp_listen_init();
	if (err)
		goto exit_demux;
	err = xtcp_tw_init_module();
	if (err)
		goto exit_listen;
	err = xtcp_wheels_init();
	if (err)
		goto exit_tw;
	err = xtcp_ports_init();
	if (err)
		goto exit_wheels;
	return 0;

exit_wheels:
	xtcp_wheels_exit();
exit_tw:
	xtcp_tw_exit_module();
exit_listen:
	xtcp_listen_exit();
exit_demux:
	xtcp_demux_exit();
	return err;
}

/* All but the wheels, which go before the namespaces. */
static void xtcp_exit_tables(void)
{
	xtcp_ports_exit();
	xtcp_tw_exit_module();
	xtcp_listen_exit();
	xtcp_demux_exit();
}

static int __init xtcp_init(void)
{
	int err;

	err = xtcp_init_tables();
	if (err)
		return err;
	err = xtcp_sysctl_init();
	if (err)
		goto exit_tables;
	err = xtcp_netns_init();
	if (err)
		goto exit_sysctl;
	err = xtcp_tsq_init();
	if (err)
		goto exit_netns;
	err = xtcp_takeover_init();
	if (err)
		goto exit_tsq;
	err = xtcp_family_init();
	if (err)
		goto exit_takeover;
	pr_info("version " XTCP_VERSION ", address family %d\n", xtcp_family);
	return 0;

exit_takeover:
	xtcp_takeover_exit();
exit_tsq:
	xtcp_tsq_exit();
exit_netns:
	xtcp_netns_exit();
exit_sysctl:
	xtcp_sysctl_exit();
exit_tables:
	xtcp_wheels_exit();
	xtcp_exit_tables();
	return err;
}

static void __exit xtcp_exit(void)
{
	xtcp_family_exit();
	xtcp_takeover_exit();
	xtcp_race_point(EXIT_UNHOOKED);
	xtcp_purge(NULL);
	xtcp_race_point(EXIT_PURGED);
	/* an entry somebody was just ending has ended */
	synchronize_net();
	xtcp_wheels_exit();
	xtcp_tsq_exit();
	xtcp_netns_exit();
	xtcp_sysctl_exit();
	/* every callback of ours has run before its code and its cache go */
	rcu_barrier();
	xtcp_exit_tables();
	xtcp_race_report();
}

module_init(xtcp_init);
module_exit(xtcp_exit);

MODULE_LICENSE("GPL");
MODULE_VERSION(XTCP_VERSION);
MODULE_DESCRIPTION("An alternative, wire-compatible TCP as an address family of its own");
MODULE_ALIAS_NETPROTO(AF_XTCP);
/* socket(AF_INET or AF_INET6, SOCK_STREAM, IPPROTO_XTCP) */
MODULE_ALIAS_NET_PF_PROTO_TYPE(2, IPPROTO_XTCP, 1);
MODULE_ALIAS_NET_PF_PROTO_TYPE(10, IPPROTO_XTCP, 1);
