/* SPDX-License-Identifier: GPL-2.0 */
/* Between listen.c, request.c, syn.c and cookie.c only. */
#ifndef XTCP_LISTEN_H
#define XTCP_LISTEN_H

#include "packets.h"

bool xtcp_acceptq_add(struct sock *listener, struct sock *child);
void xtcp_child_abort(struct sock *sk);
void xtcp_child_let_go(struct sock *sk);
struct xtcp_req *xtcp_req_alloc(bool v6);
void xtcp_req_path(const struct xtcp_req *req, struct xtcp_path *p);
void xtcp_req_purge(struct sock *listener);
bool xtcp_req_accept(struct xtcp_req *req, struct sk_buff *skb, const struct xtcp_seg *g);

/* syn.c: the steps of a SYN that its cookie goes through, too */
int xtcp_syn_security(struct sock *listener, struct sk_buff *skb, const struct xtcp_flow *f);
u32 xtcp_syn_window(const struct sock *listener, u16 mss);
void xtcp_syn_path(struct sock *listener, struct sk_buff *skb, const struct xtcp_flow *f,
		   struct xtcp_path *p);
struct xtcp_req *xtcp_syn_req(struct net *net, struct sock *listener, struct sk_buff *skb);
bool xtcp_syn_file(struct xtcp_req *req, const char *cause);

enum xtcp_drop xtcp_cookie_syn(struct sock *listener, struct sk_buff *skb,
			       const struct xtcp_seg *g);
enum xtcp_drop xtcp_cookie_ack(struct sock *listener, struct sk_buff *skb,
			       const struct xtcp_seg *g);

/* SYN cookies in force for a listener: 0 never, 1 when the queue is full, 2 always. */
static inline int xtcp_listener_cookies(const struct sock *listener)
{
	int mode = READ_ONCE(xtcp_sk(listener)->syncookies);

	return mode < 0 ? READ_ONCE(xtcp_sk(listener)->xn->params.tcp_syncookies) : mode;
}

#endif /* XTCP_LISTEN_H */
