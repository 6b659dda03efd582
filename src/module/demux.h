/* SPDX-License-Identifier: GPL-2.0 */
/* Between demux.c, demux_listen.c, ports.c, timewait.c and takeover.c only. */
#ifndef XTCP_DEMUX_H
#define XTCP_DEMUX_H

#include <linux/spinlock.h>
#include <linux/types.h>

struct net;
struct xtcp_flow;
struct xtcp_tw;
struct in6_addr;

u32 xtcp_addr_hash(const struct net *net, __be16 port, const __be32 *addr,
		   const struct in6_addr *addr6);
void xtcp_listeners_init(void);
long xtcp_flow_total(void);

/* The bucket of a flow by its hash, and TIME-WAIT entries in it */
spinlock_t *xtcp_flow_bucket(u32 hash);
struct xtcp_tw *xtcp_flow_find_tw(const struct xtcp_flow *key);
struct xtcp_tw *xtcp_flow_tw_conflict(const struct xtcp_flow *f);
bool xtcp_flow_to_tw(struct xtcp_flow *old, struct xtcp_tw *tw);
void xtcp_flow_from_tw(struct xtcp_tw *tw, struct xtcp_flow *new);
void xtcp_flow_del_tw(struct xtcp_tw *tw, u32 hash);

/* The hook must be in place now that a flow is hashed. */
void xtcp_takeover_ensure(void);

#endif /* XTCP_DEMUX_H */
