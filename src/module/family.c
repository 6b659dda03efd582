// SPDX-License-Identifier: GPL-2.0
/*
 * The socket family: socket(AF_XTCP, SOCK_STREAM, 0 or 1), the same through
 * AF_INET and AF_INET6 with IPPROTO_XTCP, and the two tables of operations.
 * What the kernel's inet layer exports is used as it is; only addresses that
 * say AF_XTCP are rewritten to the sock's own family on their way in.
 */
#include "xtcp_mod.h"

#include <linux/bpf-cgroup.h>
#include <net/inet_common.h>
#include <net/protocol.h>
#include <net/tcp.h>
#include <net/transp_v6.h>

struct percpu_counter xtcp_sockets_allocated;
atomic_long_t xtcp_memory_allocated;
static DEFINE_PER_CPU(int, xtcp_memory_per_cpu_fw_alloc);
unsigned long xtcp_memory_pressure;
long xtcp_mem[3];

/* What memory accounting falls back to; sockets take theirs from the namespace. */
static int xtcp_wmem[3] = { PAGE_SIZE, 16 * 1024, 4 * 1024 * 1024 };
static int xtcp_rmem[3] = { PAGE_SIZE, 131072, 6 * 1024 * 1024 };

static void xtcp_enter_memory_pressure(struct sock *sk)
{
	if (READ_ONCE(xtcp_memory_pressure))
		return;
	/* never 0, which means "none" */
	if (!cmpxchg(&xtcp_memory_pressure, 0, jiffies | 1))
		XTCP_INC(xtcp_sk(sk)->xn, MEMORY_PRESSURES);
}

static void xtcp_leave_memory_pressure(struct sock *sk)
{
	if (READ_ONCE(xtcp_memory_pressure))
		WRITE_ONCE(xtcp_memory_pressure, 0);
}

static int xtcp_hash(struct sock *sk)
{
	return sk->sk_state == TCP_LISTEN ? xtcp_listener_hash(sk) : 0;
}

static void xtcp_unhash(struct sock *sk)
{
	if (sk->sk_state == TCP_LISTEN)
		xtcp_listener_unhash(sk);
	else
		xtcp_flow_remove(&xtcp_sk(sk)->flow);
}

static void xtcp_keepalive(struct sock *sk, int on)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	u64 now_us;

	/* said once more it begins nothing anew: the flag is set after this */
	if (on && sock_flag(sk, SOCK_KEEPOPEN))
		return;
	x->tcb.keepalive = !!on;
	if ((1 << sk->sk_state) & (TCPF_CLOSE | TCPF_LISTEN))
		return;
	now_us = xtcp_now_us(x->xn);
	xtcp_user_keepalive(&x->tcb, true, now_us);
	xtcp_timer_sync(sk, now_us);
}

XTCP_ACCEPT(xtcp_proto_accept, xtcp_accept)
XTCP_IOCTL(xtcp_proto_ioctl, xtcp_ioctl)
XTCP_RECVMSG(xtcp_proto_recvmsg, xtcp_recvmsg)
XTCP_SENDPAGE(xtcp_proto_sendpage, xtcp_sendmsg)
XTCP_SENDPAGE(xtcp_ops_sendpage_locked, xtcp_sendmsg_locked)
XTCP_OPS_ACCEPT(xtcp_ops_accept, xtcp_socket_init)

#define XTCP_PROTO_COMMON						\
	.owner			= THIS_MODULE,				\
	.close			= xtcp_sock_close,			\
	.disconnect		= xtcp_sock_disconnect,			\
	.accept			= xtcp_proto_accept,			\
	.ioctl			= xtcp_proto_ioctl,			\
	.init			= xtcp_sock_init,			\
	.destroy		= xtcp_sock_destroy,			\
	.shutdown		= xtcp_sock_shutdown,			\
	.setsockopt		= xtcp_setsockopt,			\
	.getsockopt		= xtcp_getsockopt,			\
	.keepalive		= xtcp_keepalive,			\
	.recvmsg		= xtcp_proto_recvmsg,			\
	.sendmsg		= xtcp_sendmsg,				\
	XTCP_PROTO_SENDPAGE(xtcp_proto_sendpage)			\
	.backlog_rcv		= xtcp_backlog_rcv,			\
	.release_cb		= xtcp_release_cb,			\
	.hash			= xtcp_hash,				\
	.unhash			= xtcp_unhash,				\
	.get_port		= xtcp_get_port,			\
	.put_port		= xtcp_port_put,			\
	.enter_memory_pressure	= xtcp_enter_memory_pressure,		\
	.leave_memory_pressure	= xtcp_leave_memory_pressure,		\
	.stream_memory_free	= xtcp_stream_memory_free,		\
	.sockets_allocated	= &xtcp_sockets_allocated,		\
	.memory_allocated	= &xtcp_memory_allocated,		\
	.per_cpu_fw_alloc	= &xtcp_memory_per_cpu_fw_alloc,	\
	.memory_pressure	= &xtcp_memory_pressure,		\
	.sysctl_mem		= xtcp_mem,				\
	.sysctl_wmem		= xtcp_wmem,				\
	.sysctl_rmem		= xtcp_rmem,				\
	.max_header		= MAX_TCP_HEADER,			\
	.no_autobind		= true

struct proto xtcp_prot = {
	.name			= "XTCP",
	.pre_connect		= xtcp_sock_pre_connect,
	.connect		= xtcp_sock_connect,
	.obj_size		= sizeof(struct xtcp_sock),
	XTCP_PROTO_COMMON,
};

struct proto xtcp6_prot = {
	.name			= "XTCPv6",
	.pre_connect		= xtcp6_sock_pre_connect,
	.connect		= xtcp6_sock_connect,
	.obj_size		= sizeof(struct xtcp6_sock),
	XTCP_PINFO_OFFSET(struct xtcp6_sock, inet6)
	XTCP_PROTO_COMMON,
};

/* AF_XTCP in an address means the sock's own family. */
static void xtcp_own_family(const struct socket *sock, struct sockaddr *uaddr, int addr_len)
{
	if (addr_len >= (int)sizeof(uaddr->sa_family) && uaddr->sa_family == xtcp_family)
		uaddr->sa_family = sock->sk->sk_family;
}

static int xtcp4_bind(struct socket *sock, struct sockaddr_unsized *uaddr, int addr_len)
{
	xtcp_own_family(sock, (struct sockaddr *)uaddr, addr_len);
	return inet_bind(sock, uaddr, addr_len);
}

static int xtcp6_bind(struct socket *sock, struct sockaddr_unsized *uaddr, int addr_len)
{
	xtcp_own_family(sock, (struct sockaddr *)uaddr, addr_len);
	return inet6_bind(sock, uaddr, addr_len);
}

static int xtcp_stream_connect(struct socket *sock, struct sockaddr_unsized *uaddr,
			       int addr_len, int flags)
{
	xtcp_own_family(sock, (struct sockaddr *)uaddr, addr_len);
	return inet_stream_connect(sock, uaddr, addr_len, flags);
}

#define XTCP_OPS_COMMON							\
	.owner		= THIS_MODULE,					\
	.connect	= xtcp_stream_connect,				\
	.socketpair	= sock_no_socketpair,				\
	.accept		= xtcp_ops_accept,				\
	.poll		= xtcp_poll,					\
	.gettstamp	= sock_gettstamp,				\
	.listen		= xtcp_listen,					\
	.shutdown	= inet_shutdown,				\
	.setsockopt	= xtcp_ops_setsockopt,				\
	.getsockopt	= sock_common_getsockopt,			\
	.sendmsg	= inet_sendmsg,					\
	.recvmsg	= inet_recvmsg,					\
	.mmap		= sock_no_mmap,					\
	XTCP_OPS_SENDPAGE						\
	XTCP_OPS_SENDPAGE_LOCKED(xtcp_ops_sendpage_locked)		\
	XTCP_OPS_SPLICE_EOF(xtcp_splice_eof)				\
	.sendmsg_locked	= xtcp_sendmsg_locked,				\
	.splice_read	= xtcp_splice_read,				\
	.read_sock	= xtcp_read_sock,				\
	.peek_len	= xtcp_peek_len,				\
	XTCP_SET_PEEK_OFF						\
	.set_rcvlowat	= xtcp_set_rcvlowat

static int xtcp_peek_len(struct socket *sock)
{
	return xtcp_ioctl_inq(sock->sk);
}

const struct proto_ops xtcp_stream_ops = {
	.family		= PF_INET,
	.release	= inet_release,
	.bind		= xtcp4_bind,
	.getname	= inet_getname,
	.ioctl		= inet_ioctl,
	XTCP_OPS_COMMON,
};

const struct proto_ops xtcp6_stream_ops = {
	.family		= PF_INET6,
	.release	= inet6_release,
	.bind		= xtcp6_bind,
	.getname	= inet6_getname,
	.ioctl		= inet6_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl	= inet6_compat_ioctl,
#endif
	XTCP_OPS_COMMON,
};

/* The part of inet_create() and inet6_create() that both families share. */
static void xtcp_inet_defaults(struct sock *sk)
{
	struct net *net = sock_net(sk);
	struct inet_sock *inet = inet_sk(sk);

	sk->sk_protocol = IPPROTO_XTCP;
	sk->sk_backlog_rcv = sk->sk_prot->backlog_rcv;
	sk->sk_txrehash = READ_ONCE(net->core.sysctl_txrehash);
	inet->pmtudisc = READ_ONCE(net->ipv4.sysctl_ip_no_pmtu_disc) ?
			 IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
	inet->uc_ttl = -1;
	inet->mc_ttl = 1;
	inet_set_bit(MC_LOOP, sk);
	inet_set_bit(MC_ALL, sk);
	RCU_INIT_POINTER(inet->mc_list, NULL);
	inet->mc_index = 0;
	inet->rcv_tos = 0;
}

static void xtcp6_defaults(struct sock *sk)
{
	struct net *net = sock_net(sk);
	struct ipv6_pinfo *np = &((struct xtcp6_sock *)sk)->inet6;

	inet_sk(sk)->pinet6 = np;
	np->hop_limit = -1;
	np->mcast_hops = IPV6_DEFAULT_MCASTHOPS;
	np->pmtudisc = IPV6_PMTUDISC_WANT;
	inet_set_bit(MC6_LOOP, sk);
	inet_set_bit(MC6_ALL, sk);
	inet_assign_bit(REPFLOW, sk, net->ipv6.sysctl.flowlabel_reflect &
			FLOWLABEL_REFLECT_ESTABLISHED);
	sk->sk_ipv6only = net->ipv6.sysctl.bindv6only;
}

static int xtcp_create_family(struct net *net, struct socket *sock, int family, int kern)
{
	bool v6 = family == PF_INET6;
	struct sock *sk;
	int err;

	sk = sk_alloc(net, family, GFP_KERNEL, v6 ? &xtcp6_prot : &xtcp_prot, kern);
	if (!sk)
		return -ENOBUFS;
	sock->state = SS_UNCONNECTED;
	sock->ops = v6 ? &xtcp6_stream_ops : &xtcp_stream_ops;
	sock_init_data(sock, sk);
	xtcp_inet_defaults(sk);
	if (v6)
		xtcp6_defaults(sk);

	err = xtcp_sock_init(sk);
	if (!err && !kern)
		err = BPF_CGROUP_RUN_PROG_INET_SOCK(sk);
	if (err) {
		sk_common_release(sk);
		sock->sk = NULL;
	}
	return err;
}

static int xtcp_create(struct net *net, struct socket *sock, int protocol, int kern)
{
	if (sock->type != SOCK_STREAM)
		return -ESOCKTNOSUPPORT;
	switch (protocol) {
	case XTCP_PROTO_IPV4:
		return xtcp_create_family(net, sock, PF_INET, kern);
	case XTCP_PROTO_IPV6:
		if (!IS_ENABLED(CONFIG_IPV6) || !ipv6_mod_enabled())
			return -EAFNOSUPPORT;
		return xtcp_create_family(net, sock, PF_INET6, kern);
	default:
		return -EPROTONOSUPPORT;
	}
}

static struct net_proto_family xtcp_net_family = {
	.create	= xtcp_create,
	.owner	= THIS_MODULE,
};

/* socket(AF_INET, SOCK_STREAM, IPPROTO_XTCP): made by inet_create() itself */
static struct inet_protosw xtcp_protosw = {
	.type		= SOCK_STREAM,
	.protocol	= IPPROTO_XTCP,
	.prot		= &xtcp_prot,
	.ops		= &xtcp_stream_ops,
};

static struct inet_protosw xtcp6_protosw = {
	.type		= SOCK_STREAM,
	.protocol	= IPPROTO_XTCP,
	.prot		= &xtcp6_prot,
	.ops		= &xtcp6_stream_ops,
};

/**
 * xtcp_family_init - make AF_XTCP and IPPROTO_XTCP known to socket()
 *
 * Context: process, module load; last step, since sockets may appear at once.
 * Return: 0 or a negative errno (-EEXIST: the family number is taken).
 */
int xtcp_family_init(void)
{
	int err;

	err = xtcp_sock_cache_init();
	if (err)
		return err;
	err = percpu_counter_init(&xtcp_sockets_allocated, 0, GFP_KERNEL);
	if (err)
		goto err_cache;
	err = proto_register(&xtcp_prot, 1);
	if (err)
		goto err_counter;
	err = proto_register(&xtcp6_prot, 1);
	if (err)
		goto err_proto;
	xtcp_net_family.family = xtcp_family;
	err = sock_register(&xtcp_net_family);
	if (err)
		goto err_proto6;
	inet_register_protosw(&xtcp_protosw);
	if (ipv6_mod_enabled()) {
		err = inet6_register_protosw(&xtcp6_protosw);
		if (err)
			goto err_sock;
	}
	return 0;

err_sock:
	inet_unregister_protosw(&xtcp_protosw);
	sock_unregister(xtcp_family);
err_proto6:
	proto_unregister(&xtcp6_prot);
err_proto:
	proto_unregister(&xtcp_prot);
err_counter:
	percpu_counter_destroy(&xtcp_sockets_allocated);
err_cache:
	xtcp_sock_cache_exit();
	return err;
}

/**
 * xtcp_family_exit - undo xtcp_family_init()
 *
 * No sock is left: each holds the module. Waits for socks that are being freed
 * after their grace period.
 */
void xtcp_family_exit(void)
{
	if (ipv6_mod_enabled())
		inet6_unregister_protosw(&xtcp6_protosw);
	inet_unregister_protosw(&xtcp_protosw);
	sock_unregister(xtcp_family);
	rcu_barrier();		/* SOCK_RCU_FREE: destructors live in this module */
	proto_unregister(&xtcp6_prot);
	proto_unregister(&xtcp_prot);
	percpu_counter_destroy(&xtcp_sockets_allocated);
	xtcp_sock_cache_exit();
}
