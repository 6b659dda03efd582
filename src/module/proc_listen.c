// SPDX-License-Identifier: GPL-2.0
/* /proc/net/xtcp_listen: what an operator asks about listeners under load. */
#include "xtcp_mod.h"
#include "listen.h"

#include <linux/seq_file.h>

static void show_addr(struct seq_file *seq, const struct sock *sk)
{
	char text[64];

	if (sk->sk_family == AF_INET6)
		snprintf(text, sizeof(text), "[%pI6c]:%u", &sk->sk_v6_rcv_saddr,
			 inet_sk(sk)->inet_num);
	else
		snprintf(text, sizeof(text), "%pI4:%u", &inet_sk(sk)->inet_rcv_saddr,
			 inet_sk(sk)->inet_num);
	seq_printf(seq, "%-24s", text);
}

/**
 * xtcp_proc_listen_show - one line per listener, limits as they really work
 * @seq: of a namespace's file
 * @v: unused
 *
 * Return: 0.
 */
int xtcp_proc_listen_show(struct seq_file *seq, void *v)
{
	struct net *net = seq->private;
	unsigned int bucket = 0, off = 0;
	struct xtcp_listen_info i;
	struct sock *sk;

	seq_printf(seq, "%-24s %6s %6s %7s %7s %7s %9s %9s %11s %11s\n", "address", "accept",
		   "max", "request", "max", "cookies", "overflows", "drops", "cookie_sent",
		   "cookie_recv");
	while ((sk = xtcp_listener_next(net, &bucket, &off))) {
		xtcp_listen_info(sk, &i);
		show_addr(seq, sk);
		seq_printf(seq, " %6u %6u %7u %7u %7d %9llu %9llu %11llu %11llu\n", i.accept_len,
			   i.accept_max, i.request_len, i.request_max, xtcp_listener_cookies(sk),
			   i.overflows, i.drops, i.cookies_sent, i.cookies_recv);
		sock_put(sk);
		cond_resched();
	}
	return 0;
}
