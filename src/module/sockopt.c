// SPDX-License-Identifier: GPL-2.0
/*
 * Socket options. SOL_SOCKET is the kernel's, IPPROTO_IP and IPPROTO_IPV6 go to
 * its ip and ipv6 code; here is IPPROTO_TCP, with Linux's ranges and errors, and
 * SOL_XTCP.
 */
#include "xtcp_mod.h"
#include "sockopt.h"
#include "../core/optval.h"

#include <linux/tcp.h>
#include <linux/uaccess.h>
#include <net/tcp.h>

static void xtcp_rearm_keepalive(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	u64 now_us;

	if (!sock_flag(sk, SOCK_KEEPOPEN) ||
	    (1 << sk->sk_state) & (TCPF_CLOSE | TCPF_LISTEN))
		return;
	now_us = xtcp_now_us(x->xn);
	xtcp_user_keepalive(&x->tcb, false, now_us);
	xtcp_timer_sync(sk, now_us);
}

/* What an option held back may go now. */
static void xtcp_push(struct sock *sk)
{
	struct xtcp_verdict v = { .flags = XTCP_V_OUTPUT };

	if ((1 << sk->sk_state) & (TCPF_CLOSE | TCPF_LISTEN | TCPF_SYN_SENT))
		return;
	xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
	xtcp_exec(sk, &v, NULL, NULL);
}

static void xtcp_set_nodelay(struct sock *sk, int val)
{
	struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;

	t->nodelay = !!val;
	if (!val)
		return;
	/* tcp(7): what is pending goes, whatever keeps it */
	t->more = 0;
	t->cork_due = xtcp_unsent(t) != 0;
	xtcp_push(sk);
}

static void xtcp_set_cork(struct sock *sk, int val)
{
	struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;

	t->cork = !!val;
	if (val)
		return;
	t->more = 0;
	xtcp_push(sk);
}

/*
 * Odd: quick until the next answer that could carry one; even and not 0: once; 0: delay,
 * also of the SYN-ACK's ACK.
 */
static void xtcp_set_quickack(struct sock *sk, int val)
{
	struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;

	if (!val) {
		t->pingpong = 1;
		t->quickack_user = 0;
		return;
	}
	t->pingpong = 0;
	t->quickack_user = val & 1;
	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) || !t->ack_sched)
		return;
	t->ack_now = 1;
	xtcp_push(sk);
	if (!(val & 1))
		t->pingpong = 1;
}

static int xtcp_set_keepidle(struct sock *sk, int val)
{
	int err = xtcp_opt_tcp(&xtcp_sk(sk)->tcb, TCP_KEEPIDLE, val);

	if (!err)
		xtcp_rearm_keepalive(sk);
	return err;
}

/* What bounds the window: the user's wish, else what the buffer and the scale allow. */
static int xtcp_get_clamp(const struct sock *sk)
{
	const struct xtcp_sock *x = xtcp_sk(sk);

	if (x->window_clamp || sk->sk_state == TCP_CLOSE || sk->sk_state == TCP_LISTEN)
		return x->window_clamp;
	return min_t(u32, READ_ONCE(sk->sk_rcvbuf) >> 1, 65535U << x->tcb.rcv_wscale);
}

static int xtcp_set_clamp(struct sock *sk, int val)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	if (!val) {
		if (sk->sk_state != TCP_CLOSE)
			return -EINVAL;
		x->window_clamp = 0;
	} else {
		x->window_clamp = val < XTCP_MIN_CLAMP ? XTCP_MIN_CLAMP : val;
	}
	x->tcb.window_clamp = x->window_clamp;
	if (val)
		x->tcb.rcv_ssthresh = min(x->tcb.rcv_ssthresh, x->window_clamp);
	return 0;
}

static void xtcp_set_defer(struct sock *sk, int val)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	x->defer_accept = xtcp_secs_to_retrans(val);
	if (x->lsn)
		WRITE_ONCE(x->lsn->defer_s, x->defer_accept);
}

static int xtcp_set_int(struct sock *sk, int optname, int val)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	switch (optname) {
	case TCP_NODELAY:
		xtcp_set_nodelay(sk, val);
		return 0;
	case TCP_CORK:
		xtcp_set_cork(sk, val);
		return 0;
	case TCP_KEEPIDLE:
		return xtcp_set_keepidle(sk, val);
	case TCP_DEFER_ACCEPT:
		xtcp_set_defer(sk, val);
		return 0;
	case TCP_WINDOW_CLAMP:
		return xtcp_set_clamp(sk, val);
	case TCP_QUICKACK:
		xtcp_set_quickack(sk, val);
		return 0;
	case TCP_INQ:
		if (val < 0 || val > 1)
			return -EINVAL;
		x->recvmsg_inq = val;
		return 0;
	case TCP_NOTSENT_LOWAT:
		WRITE_ONCE(x->notsent_lowat, val);
		xtcp_write_space(sk);
		return 0;
	default:
		return xtcp_opt_tcp(&x->tcb, optname, val);
	}
}

/* ------------------------------------------------------------------ SOL_XTCP */

/* What is not in the block. Listeners are read by softirqs that do not hold the lock. */
static void xtcp_own_store(struct xtcp_sock *x, int optname, int val)
{
	switch (optname) {
	case XTCP_TIMEWAIT_MS:
		WRITE_ONCE(x->timewait_ms, val);
		break;
	case XTCP_SYNCOOKIES:
		WRITE_ONCE(x->syncookies, val);
		break;
	case XTCP_ABORT_ON_OVERFLOW:
		WRITE_ONCE(x->abort_on_overflow, val);
		break;
	case XTCP_ZEROCOPY:
		sock_valbool_flag(xtcp_to_sk(x), SOCK_ZEROCOPY, val);
		break;
	}
}

static int xtcp_set_own(struct sock *sk, int optname, sockptr_t optval, unsigned int optlen)
{
	int val, err;

	if (optname < XTCP_TIMEWAIT_MS || optname > XTCP_ZEROCOPY || optname == XTCP_LISTEN_INFO)
		return -ENOPROTOOPT;
	if (optlen != sizeof(val))
		return -EINVAL;
	if (copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;
	lock_sock(sk);
	err = xtcp_opt_own(&xtcp_sk(sk)->tcb, optname, val);
	if (!err)
		xtcp_own_store(xtcp_sk(sk), optname, val);
	release_sock(sk);
	return err;
}

static int xtcp_get_own_int(const struct xtcp_sock *x, int optname, int *val)
{
	switch (optname) {
	case XTCP_TIMEWAIT_MS:
		*val = x->timewait_ms;
		break;
	case XTCP_CONNECT_TIMEOUT_MS:
		*val = x->tcb.connect_timeout_ms;
		break;
	case XTCP_INIT_RTO_MS:
		*val = x->tcb.init_rto_ms;
		break;
	case XTCP_ORPHAN_RETRIES:
		*val = x->tcb.orphan_retries;
		break;
	case XTCP_SYNCOOKIES:
		*val = x->syncookies;
		break;
	case XTCP_ABORT_ON_OVERFLOW:
		*val = x->abort_on_overflow;
		break;
	case XTCP_ZEROCOPY:
		*val = sock_flag(&x->inet.sk, SOCK_ZEROCOPY);
		break;
	default:
		return -ENOPROTOOPT;
	}
	return 0;
}

static int xtcp_put(const void *src, int len, char __user *optval, int __user *optlen)
{
	if (put_user(len, optlen))
		return -EFAULT;
	return copy_to_user(optval, src, len) ? -EFAULT : 0;
}

static int xtcp_get_listen_info(struct sock *sk, int len, char __user *optval,
				int __user *optlen)
{
	struct xtcp_listen_info info = { };
	int err = -EINVAL;

	lock_sock(sk);
	if (sk->sk_state == TCP_LISTEN) {
		xtcp_listen_info(sk, &info);
		err = 0;
	}
	release_sock(sk);
	/* a program may know less of the struct than we do */
	return err ?: xtcp_put(&info, min_t(int, len, sizeof(info)), optval, optlen);
}

static int xtcp_get_own(struct sock *sk, int optname, char __user *optval, int __user *optlen)
{
	int val, len, err;

	if (get_user(len, optlen))
		return -EFAULT;
	err = optname == XTCP_LISTEN_INFO ? 0 : xtcp_get_own_int(xtcp_sk(sk), optname, &val);
	if (err)
		return err;
	if (len < (int)sizeof(val))
		return -EINVAL;
	if (optname == XTCP_LISTEN_INFO)
		return xtcp_get_listen_info(sk, len, optval, optlen);
	return xtcp_put(&val, sizeof(val), optval, optlen);
}

/* ---------------------------------------------------------------------------- */

static int xtcp_set_congestion(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	const struct xtcp_cc_ops *cc;
	char name[TCP_CA_NAME_MAX];
	int n;

	if (optlen < 1)
		return -EINVAL;
	n = strncpy_from_sockptr(name, optval, min_t(long, TCP_CA_NAME_MAX - 1, optlen));
	if (n < 0)
		return -EFAULT;
	name[n] = 0;
	cc = xtcp_cc_find(name);
	if (!cc)
		return -ENOENT;
	lock_sock(sk);
	if (x->tcb.cc != cc && !(READ_ONCE(x->xn->cc_allowed) & BIT(cc->id)) &&
	    !ns_capable(x->xn->net->user_ns, CAP_NET_ADMIN)) {
		release_sock(sk);
		return -EPERM;
	}
	x->tcb.cc_user = 1;
	if (x->tcb.cc != cc) {
		x->tcb.cc = cc;
		if (cc->init && !((1 << sk->sk_state) & (TCPF_CLOSE | TCPF_LISTEN)))
			cc->init(&x->tcb, xtcp_now_us(x->xn));
	}
	release_sock(sk);
	return 0;
}

/* IP options and extension headers take room from every segment. */
static void xtcp_resize(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);

	lock_sock(sk);
	if (!((1 << sk->sk_state) & (TCPF_CLOSE | TCPF_LISTEN)) && x->mss_pmtu)
		xtcp_sync_mss(sk, x->mss_pmtu);
	release_sock(sk);
}

static int xtcp_set_ip(struct sock *sk, int level, int optname, sockptr_t optval,
		       unsigned int optlen)
{
	int err;

	/* SOL_IP on AF_INET6 is for IPv4 on the wire: not for ipv6_setsockopt() */
	if (sk->sk_family == AF_INET6 && level != SOL_IP)
		err = ipv6_setsockopt(sk, level, optname, optval, optlen);
	else
		err = ip_setsockopt(sk, level, optname, optval, optlen);
	if (!err && (level == SOL_IPV6 || optname == IP_OPTIONS))
		xtcp_resize(sk);
	return err;
}

/**
 * xtcp_setsockopt - proto.setsockopt
 * @sk: not locked; process context
 * @level: protocol level
 * @optname: option
 * @optval: value
 * @optlen: its length
 *
 * Return: 0 or a negative errno
 */
int xtcp_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		    unsigned int optlen)
{
	int val, err;

	if (level == SOL_XTCP)
		return xtcp_set_own(sk, optname, optval, optlen);
	if (level != SOL_TCP)
		return xtcp_set_ip(sk, level, optname, optval, optlen);

	switch (optname) {
	case TCP_CONGESTION:
		return xtcp_set_congestion(sk, optval, optlen);
	case TCP_ULP:
	case TCP_FASTOPEN_KEY:
		return -ENOPROTOOPT;
	}
	if (optlen < sizeof(int))
		return -EINVAL;
	if (copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;
	lock_sock(sk);
	err = xtcp_set_int(sk, optname, val);
	release_sock(sk);
	return err;
}

static int xtcp_get_linger2(const struct sock *sk)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	int ms = x->tcb.linger2_ms;

	if (ms < 0)
		return -1;
	return ms ? ms / (int)MSEC_PER_SEC : READ_ONCE(x->xn->params.tcp_fin_timeout);
}

static int xtcp_get_mss(const struct sock *sk)
{
	const struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;

	if ((1 << sk->sk_state) & (TCPF_CLOSE | TCPF_LISTEN))
		return t->user_mss ? : TCP_MSS_DEFAULT;
	return t->mss_now;
}

static int xtcp_get_int(const struct sock *sk, int optname, int *val)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	const struct xtcp_params *p = &x->xn->params;
	const struct xtcp_tcb *t = &x->tcb;

	switch (optname) {
	case TCP_MAXSEG:
		*val = xtcp_get_mss(sk);
		break;
	case TCP_NODELAY:
		*val = t->nodelay;
		break;
	case TCP_CORK:
		*val = t->cork;
		break;
	case TCP_KEEPIDLE:
		*val = t->keep_idle_ms ? t->keep_idle_ms / MSEC_PER_SEC :
					 READ_ONCE(p->tcp_keepalive_time);
		break;
	case TCP_KEEPINTVL:
		*val = t->keep_intvl_ms ? t->keep_intvl_ms / MSEC_PER_SEC :
					  READ_ONCE(p->tcp_keepalive_intvl);
		break;
	case TCP_KEEPCNT:
		*val = t->keep_cnt ? : READ_ONCE(p->tcp_keepalive_probes);
		break;
	case TCP_SYNCNT:
		*val = t->syn_retries ? : READ_ONCE(p->tcp_syn_retries);
		break;
	case TCP_LINGER2:
		*val = xtcp_get_linger2(sk);
		break;
	case TCP_DEFER_ACCEPT:
		*val = xtcp_retrans_to_secs(x->defer_accept);
		break;
	case TCP_WINDOW_CLAMP:
		*val = xtcp_get_clamp(sk);
		break;
	case TCP_QUICKACK:
		*val = !t->pingpong;
		break;
	case TCP_USER_TIMEOUT:
		*val = t->user_timeout_ms;
		break;
	case TCP_THIN_LINEAR_TIMEOUTS:
		*val = t->thin_lto;
		break;
	case TCP_THIN_DUPACK:
		*val = 0;
		break;
	case TCP_RTO_MIN_US:
		*val = t->rto_min_us ? : READ_ONCE(p->tcp_rto_min_us);
		break;
	case TCP_INQ:
		*val = x->recvmsg_inq;
		break;
	case TCP_NOTSENT_LOWAT:
		*val = x->notsent_lowat;
		break;
	default:
		return -ENOPROTOOPT;
	}
	return 0;
}

static int xtcp_get_tcp_info(struct sock *sk, int len, char __user *optval, int __user *optlen)
{
	struct tcp_info info;

	lock_sock(sk);
	xtcp_get_info(sk, &info);
	release_sock(sk);
	return xtcp_put(&info, min_t(int, len, sizeof(info)), optval, optlen);
}

static int xtcp_get_congestion(struct sock *sk, int len, char __user *optval,
			       int __user *optlen)
{
	char name[TCP_CA_NAME_MAX] = "";

	lock_sock(sk);
	strscpy(name, xtcp_sk(sk)->tcb.cc->name, sizeof(name));
	release_sock(sk);
	return xtcp_put(name, min(len, TCP_CA_NAME_MAX), optval, optlen);
}

/**
 * xtcp_getsockopt - proto.getsockopt
 * @sk: not locked; process context
 * @level: protocol level
 * @optname: option
 * @optval: where to
 * @optlen: room, and the length of the value
 *
 * Return: 0 or a negative errno
 */
int xtcp_getsockopt(struct sock *sk, int level, int optname, char __user *optval,
		    int __user *optlen)
{
	int val, len, err;

	if (level == SOL_XTCP)
		return xtcp_get_own(sk, optname, optval, optlen);
	if (level != SOL_TCP) {
		if (sk->sk_family == AF_INET6 && level != SOL_IP)
			return ipv6_getsockopt(sk, level, optname, optval, optlen);
		return ip_getsockopt(sk, level, optname, optval, optlen);
	}
	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	switch (optname) {
	case TCP_INFO:
		return xtcp_get_tcp_info(sk, len, optval, optlen);
	case TCP_CONGESTION:
		return xtcp_get_congestion(sk, len, optval, optlen);
	}
	lock_sock(sk);
	err = xtcp_get_int(sk, optname, &val);
	release_sock(sk);
	if (err)
		return err;
	return xtcp_put(&val, min_t(int, len, sizeof(val)), optval, optlen);
}
