/* SPDX-License-Identifier: GPL-2.0 */
/* Between sockopt.c and tcp_info.c. */
#ifndef XTCP_SOCKOPT_H
#define XTCP_SOCKOPT_H

struct sock;
struct tcp_info;

void xtcp_get_info(struct sock *sk, struct tcp_info *i);

#endif /* XTCP_SOCKOPT_H */
