/* SPDX-License-Identifier: GPL-2.0 */
/* Socket options as far as they are numbers: ranges and what they become in a block. */
#ifndef XTCP_CORE_OPTVAL_H
#define XTCP_CORE_OPTVAL_H

#include "tcb.h"

#ifdef __KERNEL__
#include <uapi/linux/tcp.h>
#else
#include <linux/tcp.h>
#endif
#include "../../include/uapi/linux/xtcp.h"

#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US	45	/* Linux 6.15 */
#endif

int xtcp_opt_tcp(struct xtcp_tcb *t, int optname, int val);
int xtcp_opt_own(struct xtcp_tcb *t, int optname, int val);
u8 xtcp_secs_to_retrans(int secs);
int xtcp_retrans_to_secs(u8 n);

#endif /* XTCP_CORE_OPTVAL_H */
