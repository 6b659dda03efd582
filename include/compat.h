/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel versions, 6.1 to 7.2: code is written in the newest kernel's spelling,
 * this file lends it to older ones. No other file looks at a version. Each
 * entry names the release it can go with. Names that stable kernels back-port
 * are probed, not compared, where the preprocessor can see them.
 */
#ifndef XTCP_COMPAT_H
#define XTCP_COMPAT_H

#include <linux/version.h>
#include <linux/hrtimer.h>
#include <linux/skbuff.h>
#include <linux/sysctl.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <net/inet_common.h>
#include <net/inet_hashtables.h>
#include <net/inet6_hashtables.h>
#include <net/inet_sock.h>
#include <net/net_namespace.h>
#include <net/protocol.h>
#include <net/route.h>
#include <net/sock.h>

#define XTCP_KERNEL_BEFORE(a, b) (KERNEL_VERSION(a, b, 0) > LINUX_VERSION_CODE)

/* 7.0 or before: a negative TCP_WINDOW_CLAMP is small; it was large, by SOCK_MIN_RCVBUF's type */
#if XTCP_KERNEL_BEFORE(7, 0)
#define XTCP_MIN_CLAMP	(SOCK_MIN_RCVBUF / 2)
#else
#define XTCP_MIN_CLAMP	((int)(SOCK_MIN_RCVBUF / 2))
#endif

/* 6.9: SO_PEEK_OFF for TCP, and so for us */
#if XTCP_KERNEL_BEFORE(6, 9)
#define XTCP_SET_PEEK_OFF
#else
#define XTCP_SET_PEEK_OFF	.set_peek_off = sk_set_peek_off,
#endif

/* 6.12: one header for unaligned access */
#if XTCP_KERNEL_BEFORE(6, 12)
#include <asm/unaligned.h>
#else
#include <linux/unaligned.h>
#endif

/* 6.10: headers of their own for what net/sock.h and linux/skbuff.h held */
#if !XTCP_KERNEL_BEFORE(6, 10)
#include <linux/skbuff_ref.h>
#include <net/proto_memory.h>
#include <net/rps.h>
#endif

/*
 * 6.11: a route's scope is the sock's; before, SO_DONTROUTE was the lowest bit
 * of the type of service
 */
#ifdef RT_CONN_FLAGS
#define ip_sock_rt_tos(sk)	RT_CONN_FLAGS(sk)
#endif

/* The flow labels' list left ipv6_pinfo, in some stable kernels too: Kbuild looks. */
#ifdef XTCP_INET_FL_LIST
#define XTCP_FL_LIST(sk)	(inet_sk(sk)->ipv6_fl_list)
#else
#define XTCP_FL_LIST(sk)	(inet6_sk(sk)->ipv6_fl_list)
#endif

/* 6.16 */
#ifndef timer_container_of
#define timer_container_of(var, callback_timer, timer_fieldname) \
	from_timer(var, callback_timer, timer_fieldname)
#endif

/* 6.6: inet_sock's bit-fields became atomic flags */
#ifndef inet_test_bit
#define XTCP_INET_FIELD_RECVERR(sk)		(inet_sk(sk)->recverr)
#define XTCP_INET_FIELD_RECVERR_RFC4884(sk)	(inet_sk(sk)->recverr_rfc4884)
#define XTCP_INET_FIELD_FREEBIND(sk)		(inet_sk(sk)->freebind)
#define XTCP_INET_FIELD_HDRINCL(sk)		(inet_sk(sk)->hdrincl)
#define XTCP_INET_FIELD_MC_LOOP(sk)		(inet_sk(sk)->mc_loop)
#define XTCP_INET_FIELD_MC_ALL(sk)		(inet_sk(sk)->mc_all)
#define XTCP_INET_FIELD_TRANSPARENT(sk)		(inet_sk(sk)->transparent)
#define XTCP_INET_FIELD_IS_ICSK(sk)		(inet_sk(sk)->is_icsk)
#define XTCP_INET_FIELD_NODEFRAG(sk)		(inet_sk(sk)->nodefrag)
#define XTCP_INET_FIELD_BIND_ADDRESS_NO_PORT(sk) (inet_sk(sk)->bind_address_no_port)
#define XTCP_INET_FIELD_DEFER_CONNECT(sk)	(inet_sk(sk)->defer_connect)
#define XTCP_INET_FIELD_MC6_LOOP(sk)		(inet6_sk(sk)->mc_loop)
#define XTCP_INET_FIELD_MC6_ALL(sk)		(inet6_sk(sk)->mc_all)
#define XTCP_INET_FIELD_RECVERR6(sk)		(inet6_sk(sk)->recverr)
#define XTCP_INET_FIELD_RECVERR6_RFC4884(sk)	(inet6_sk(sk)->recverr_rfc4884)
#define XTCP_INET_FIELD_REPFLOW(sk)		(inet6_sk(sk)->repflow)
#define XTCP_INET_FIELD_SNDFLOW(sk)		(inet6_sk(sk)->sndflow)
#define XTCP_INET_FIELD_DONTFRAG(sk)		(inet6_sk(sk)->dontfrag)
#define XTCP_INET_FIELD_AUTOFLOWLABEL(sk)	(inet6_sk(sk)->autoflowlabel)
#define XTCP_INET_FIELD_AUTOFLOWLABEL_SET(sk)	(inet6_sk(sk)->autoflowlabel_set)
#define inet_test_bit(nr, sk)		(XTCP_INET_FIELD_##nr(sk))
#define inet_set_bit(nr, sk)		((void)(XTCP_INET_FIELD_##nr(sk) = 1))
#define inet_clear_bit(nr, sk)		((void)(XTCP_INET_FIELD_##nr(sk) = 0))
#define inet_assign_bit(nr, sk, val)	((void)(XTCP_INET_FIELD_##nr(sk) = !!(val)))
#endif

/*
 * 6.8: the socket options' small fields of inet_sock stay where they were; the
 * flow label bits of ipv6_pinfo went to inet_flags in 6.8, too: see above.
 */

/* 6.18: the kernel's TCP table is implied */
#if XTCP_KERNEL_BEFORE(6, 18)
static inline struct sock *
xtcp_compat_lookup4(struct net *net, __be32 saddr, __be16 sport, __be32 daddr,
		    u16 hnum, int dif, int sdif)
{
	return __inet_lookup_established(net, net->ipv4.tcp_death_row.hashinfo, saddr,
					 sport, daddr, hnum, dif, sdif);
}

#define __inet_lookup_established	xtcp_compat_lookup4
#if IS_ENABLED(CONFIG_IPV6)
static inline struct sock *
xtcp_compat_lookup6(struct net *net, const struct in6_addr *saddr, __be16 sport,
		    const struct in6_addr *daddr, u16 hnum, int dif, int sdif)
{
	return __inet6_lookup_established(net, net->ipv4.tcp_death_row.hashinfo, saddr,
					  sport, daddr, hnum, dif, sdif);
}

#define __inet6_lookup_established	xtcp_compat_lookup6
#endif
#endif

/* 6.6: the size of the table is told */
#if XTCP_KERNEL_BEFORE(6, 6)
static inline struct ctl_table_header *
register_net_sysctl_sz(struct net *net, const char *path,
		       struct ctl_table *table, size_t table_size)
{
	return register_net_sysctl(net, path, table);	/* ends at the zeroed entry */
}
#endif

/* 6.11: handlers take a const table */
#if XTCP_KERNEL_BEFORE(6, 11)
#define XTCP_CTL_CONST
#else
#define XTCP_CTL_CONST	const
#endif

/* 6.10: proto.accept as XTCP_ACCEPT(name, fn) defines it; fn(sk, flags, &err, kern) */
#if XTCP_KERNEL_BEFORE(6, 10)
#define XTCP_ACCEPT(name, fn)						\
static struct sock *name(struct sock *sk, int flags, int *err, bool kern) \
{									\
	return fn(sk, flags, err, kern);				\
}
#else
#define XTCP_ACCEPT(name, fn)						\
static struct sock *name(struct sock *sk, struct proto_accept_arg *arg)	\
{									\
	return fn(sk, arg->flags, &arg->err, arg->kern);		\
}
#endif

/* 6.10: proto_ops.accept as XTCP_OPS_ACCEPT(name, fn) defines it; fn(newsock) after it */
#if XTCP_KERNEL_BEFORE(6, 10)
#define XTCP_OPS_ACCEPT(name, fn)					\
static int name(struct socket *sock, struct socket *newsock, int flags, bool kern) \
{									\
	int err = inet_accept(sock, newsock, flags, kern);		\
									\
	if (!err)							\
		fn(newsock);						\
	return err;							\
}
#else
#define XTCP_OPS_ACCEPT(name, fn)					\
static int name(struct socket *sock, struct socket *newsock,		\
		struct proto_accept_arg *arg)				\
{									\
	int err = inet_accept(sock, newsock, arg);			\
									\
	if (!err)							\
		fn(newsock);						\
	return err;							\
}
#endif

/* 6.5: proto.ioctl as XTCP_IOCTL(name, fn) defines it; fn(sk, cmd, &value) */
#if XTCP_KERNEL_BEFORE(6, 5)
#define XTCP_IOCTL(name, fn)						\
static int name(struct sock *sk, int cmd, unsigned long arg)		\
{									\
	int val, err = fn(sk, cmd, &val);				\
									\
	return err ? err : put_user(val, (int __user *)arg);		\
}
#else
#define XTCP_IOCTL(name, fn)						\
static int name(struct sock *sk, int cmd, int *karg)			\
{									\
	return fn(sk, cmd, karg);					\
}
#endif

/*
 * 7.1: the length of the address an error queue entry comes with goes into msg;
 * proto.recvmsg as XTCP_RECVMSG(name, fn) defines it; fn(sk, msg, len, flags)
 */
#if XTCP_KERNEL_BEFORE(7, 1)
static inline int xtcp_compat_recv_error(struct sock *sk, struct msghdr *msg, int len)
{
	int addr_len = 0, err = inet_recv_error(sk, msg, len, &addr_len);

	msg->msg_namelen = addr_len;
	return err;
}

#define inet_recv_error			xtcp_compat_recv_error
#define XTCP_RECVMSG(name, fn)						\
static int name(struct sock *sk, struct msghdr *msg, size_t len,	\
		int flags, int *addr_len)				\
{									\
	int ret;							\
									\
	msg->msg_namelen = 0;						\
	ret = fn(sk, msg, len, flags);					\
	*addr_len = msg->msg_namelen;					\
	return ret;							\
}
#else
#define XTCP_RECVMSG(name, fn)						\
static int name(struct sock *sk, struct msghdr *msg, size_t len, int flags) \
{									\
	return fn(sk, msg, len, flags);					\
}
#endif

/*
 * 6.5: sendpage went, MSG_SPLICE_PAGES came; proto.sendpage as XTCP_SENDPAGE(name, fn) defines
 * it; fn(sk, msg, len). One page at a time, and XTCP_MSG_NOTLAST is with all but the last.
 */
#if XTCP_KERNEL_BEFORE(6, 5)
#ifndef MSG_SPLICE_PAGES
#define MSG_SPLICE_PAGES	0x8000000
#endif
#define XTCP_MSG_NOTLAST	MSG_SENDPAGE_NOTLAST
#define XTCP_OPS_SENDPAGE	.sendpage = inet_sendpage,
#define XTCP_OPS_SENDPAGE_LOCKED(name)	.sendpage_locked = name,
#define XTCP_PROTO_SENDPAGE(name)	.sendpage = name,
#define XTCP_SENDPAGE(name, fn)						\
static int name(struct sock *sk, struct page *page, int offset, size_t size, int flags) \
{									\
	struct bio_vec bv = {						\
		.bv_page = page, .bv_len = size, .bv_offset = offset,	\
	};								\
	struct msghdr msg = { .msg_flags = flags & ~MSG_SPLICE_PAGES };	\
									\
	if (flags & MSG_SENDPAGE_NOTLAST)				\
		msg.msg_flags |= MSG_MORE;				\
	if (sendpage_ok(page))						\
		msg.msg_flags |= MSG_SPLICE_PAGES;			\
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, &bv, 1, size);	\
	return fn(sk, &msg, size);					\
}

/* What XTCP_SENDPAGE() hands over: the first of the vector's pieces. */
static inline ssize_t xtcp_compat_splice(struct sk_buff *skb, struct iov_iter *iter,
					 ssize_t maxsize)
{
	const struct bio_vec *bv = iter->bvec;
	size_t off = iter->iov_offset, n;

	n = min3((size_t)maxsize, iov_iter_count(iter), bv->bv_len - off);
	if (skb_append_pagefrags(skb, bv->bv_page, bv->bv_offset + off, n))
		return -EMSGSIZE;
	iov_iter_advance(iter, n);
	skb->len += n;
	skb->data_len += n;
	skb->truesize += n;
	return n;
}

#define skb_splice_from_iter(skb, iter, max)	xtcp_compat_splice(skb, iter, max)
/* the flag can come from a user, with an iterator of his */
#define XTCP_MAY_SPLICE(msg)	iov_iter_is_bvec(&(msg)->msg_iter)
#else
#define XTCP_MSG_NOTLAST	0
#define XTCP_OPS_SENDPAGE
#define XTCP_OPS_SENDPAGE_LOCKED(name)
#define XTCP_PROTO_SENDPAGE(name)
#define XTCP_SENDPAGE(name, fn)
#define XTCP_MAY_SPLICE(msg)	true
/* 6.17: does without the allocation mask */
#if XTCP_KERNEL_BEFORE(6, 17)
#define skb_splice_from_iter(skb, iter, max) skb_splice_from_iter(skb, iter, max, GFP_KERNEL)
#endif
#endif

/* 6.5, and stable kernels (Kbuild looks): a file ended before its reader had all of it */
#ifdef XTCP_HAS_SPLICE_EOF
#define XTCP_OPS_SPLICE_EOF(name)	.splice_eof = name,
#else
#define XTCP_OPS_SPLICE_EOF(name)
#endif

/*
 * 6.7 (Kbuild looks): SOL_SOCKET can come to proto_ops.setsockopt. Before, SO_ZEROCOPY is refused
 * to protocols the kernel does not know: XTCP_ZEROCOPY stands in for it.
 */
#ifdef XTCP_HAS_CUSTOM_SOCKOPT
#define xtcp_custom_sockopt(sock)	set_bit(SOCK_CUSTOM_SOCKOPT, &(sock)->flags)
#else
#define xtcp_custom_sockopt(sock)	do { } while (0)
#endif

/* 7.x (Kbuild looks): what SCM_TIMESTAMPING tells is made from ktime_t later on */
#ifdef XTCP_STAMPS_KTIME
#define xtcp_stamp(kt)		(kt)
#else
#define xtcp_stamp(kt)		ktime_to_timespec64(kt)
#endif

/* 6.16: pages may be a device's */
#if XTCP_KERNEL_BEFORE(6, 16)
#define msg_zerocopy_realloc(sk, size, uarg, devmem)	msg_zerocopy_realloc(sk, size, uarg)
#define skb_zerocopy_iter_stream(sk, skb, msg, len, uarg, binding) \
	skb_zerocopy_iter_stream(sk, skb, msg, len, uarg)
#endif

/* 6.6: where a sock's ipv6_pinfo is (before: at the end) */
#if XTCP_KERNEL_BEFORE(6, 6)
#define XTCP_PINFO_OFFSET(type, member)
#else
#define XTCP_PINFO_OFFSET(type, member)	.ipv6_pinfo_offset = offsetof(type, member),
#endif

/* 6.19: bind and connect take sockaddr_unsized */
#if XTCP_KERNEL_BEFORE(6, 19)
#define sockaddr_unsized	sockaddr
#endif

/* 6.7: cgroup connect programs are told the length of the address */
#if XTCP_KERNEL_BEFORE(6, 7)
#define XTCP_CGROUP_CONNECT4(sk, uaddr, len) \
	BPF_CGROUP_RUN_PROG_INET4_CONNECT(sk, uaddr)
#define XTCP_CGROUP_CONNECT6(sk, uaddr, len) \
	BPF_CGROUP_RUN_PROG_INET6_CONNECT(sk, uaddr)
#else
#define XTCP_CGROUP_CONNECT4(sk, uaddr, len) \
	BPF_CGROUP_RUN_PROG_INET4_CONNECT(sk, uaddr, &(len))
#define XTCP_CGROUP_CONNECT6(sk, uaddr, len) \
	BPF_CGROUP_RUN_PROG_INET6_CONNECT(sk, uaddr, &(len))
#endif

/* 6.17: a sock knows its owner without its socket */
#if XTCP_KERNEL_BEFORE(6, 17)
static inline kuid_t sk_uid(const struct sock *sk)
{
	return READ_ONCE(sk->sk_uid);
}
#endif

/* 6.12: device memory */
#if XTCP_KERNEL_BEFORE(6, 12)
static inline bool skb_frags_readable(const struct sk_buff *skb)
{
	return true;
}
#endif

/* 6.10: accept() got a struct of arguments */
#if XTCP_KERNEL_BEFORE(6, 10)
struct proto_accept_arg {
	int flags;
	int err;
	int is_empty;
	bool kern;
};
#endif

/* 6.17: a workqueue says where its work runs */
#if XTCP_KERNEL_BEFORE(6, 17)
#define WQ_PERCPU	0
#endif

/* 6.10: a trace string knows its source */
#if XTCP_KERNEL_BEFORE(6, 10)
#define XTCP_ASSIGN_STR(dst, src)	__assign_str(dst, src)
#else
#define XTCP_ASSIGN_STR(dst, src)	__assign_str(dst)
#endif

/* 6.13: a high-resolution timer is set up in one go */
#if XTCP_KERNEL_BEFORE(6, 13)
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*fn)(struct hrtimer *), clockid_t clock,
				 enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}
#endif

#endif /* XTCP_COMPAT_H */
