/* SPDX-License-Identifier: GPL-2.0 */
/* Between sendmsg.c and zerocopy.c: a message on its way into the send queue. */
#ifndef XTCP_SEND_H
#define XTCP_SEND_H

#include "xtcp_mod.h"

/* How its bytes come to be in the queue. */
enum xtcp_tx_how {
	XTCP_TX_COPY,		/* into pages of our own */
	XTCP_TX_SPLICE,		/* the caller's pages are referred to */
	XTCP_TX_ZEROCOPY,	/* so are the user's, who is told when they are free again */
};

struct xtcp_tx {
	struct sock *sk;
	struct msghdr *msg;
	u32 pending;		/* queued, and not yet told to the core */
	u32 batch;		/* tell it after so many */
	enum xtcp_tx_how how;
	struct ubuf_info *uarg;	/* our reference; what the user is told, or NULL */
};

/*
 * sendmsg.c. An skb of the queue is of the zerocopy kind as a whole or not at all: it has one
 * completion, and its pages are not charged, being the user's already (SKBFL_PURE_ZEROCOPY).
 */
struct sk_buff *xtcp_tx_tail(const struct xtcp_tx *tx);
struct sk_buff *xtcp_tx_begin(struct xtcp_tx *tx);
void xtcp_tx_queue(struct xtcp_tx *tx, struct sk_buff *skb, u32 seq, u32 overhead);
u32 xtcp_tx_goal(const struct sock *sk);
void xtcp_send_free(struct sock *sk, struct sk_buff *skb);

/* zerocopy.c */
int xtcp_tx_choose(struct xtcp_tx *tx);
void xtcp_tx_finish(struct xtcp_tx *tx, bool sent);
int xtcp_tx_pages(struct xtcp_tx *tx);

#endif /* XTCP_SEND_H */
