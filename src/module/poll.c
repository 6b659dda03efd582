// SPDX-License-Identifier: GPL-2.0
/* poll(), ioctl() and what "readable" means. Event masks are the kernel's TCP's. */
#include "xtcp_mod.h"

#include <linux/poll.h>
#include <linux/sockios.h>
#include <asm/ioctls.h>

/**
 * xtcp_readable - is there enough to read to wake a reader?
 * @sk: read without its lock
 * @target: bytes asked for (SO_RCVLOWAT)
 *
 * Less is enough when the sender could not send more: memory is short or the
 * window is nearly shut.
 */
bool xtcp_readable(const struct sock *sk, int target)
{
	const struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;
	int avail = READ_ONCE(t->s.rcv_nxt) - READ_ONCE(t->copied_seq);

	if (avail <= 0)
		return false;
	if (avail >= target || READ_ONCE(xtcp_memory_pressure))
		return true;
	if (atomic_read(&sk->sk_rmem_alloc) > READ_ONCE(sk->sk_rcvbuf) -
					      (READ_ONCE(sk->sk_rcvbuf) >> 3))
		return true;
	return xtcp_rcv_wnd(&t->s) <= READ_ONCE(t->rcv_mss);
}

static __poll_t xtcp_poll_listen(const struct sock *sk)
{
	struct xtcp_listener *l = READ_ONCE(xtcp_sk(sk)->lsn);

	return l && READ_ONCE(l->queue) ? EPOLLIN | EPOLLRDNORM : 0;
}

static __poll_t xtcp_poll_write(struct sock *sk)
{
	if (__sk_stream_is_writeable(sk, 1))
		return EPOLLOUT | EPOLLWRNORM;
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	/*
	 * Room made between the look and the bit would wake nobody: look again.
	 * Pairs with the barrier in xtcp_check_space().
	 */
	smp_mb__after_atomic();
	return __sk_stream_is_writeable(sk, 1) ? EPOLLOUT | EPOLLWRNORM : 0;
}

/* The handshake is done, or the connection is over. */
static __poll_t xtcp_poll_data(struct sock *sk, u8 shutdown)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	int target = sock_rcvlowat(sk, 0, INT_MAX);
	__poll_t mask = 0;
	bool urgent;

	/* bits, which READ_ONCE() cannot read: who changes them under the lock wakes us later */
	urgent = xtcp_racy_bit(x->urg_valid);
	/* the urgent byte out of line is no byte to read */
	if (unlikely(urgent) && READ_ONCE(x->urg_seq) == READ_ONCE(x->tcb.copied_seq) &&
	    !sock_flag(sk, SOCK_URGINLINE))
		target++;
	if (xtcp_readable(sk, target))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (shutdown & SEND_SHUTDOWN)
		mask |= EPOLLOUT | EPOLLWRNORM;
	else
		mask |= xtcp_poll_write(sk);
	/* the same */
	if (xtcp_racy_bit(x->urg_valid && x->urg_here && !x->urg_read))
		mask |= EPOLLPRI;
	return mask;
}

/**
 * xtcp_poll - proto_ops.poll
 * @file: file of the socket
 * @sock: socket; not locked
 * @wait: poll table
 *
 * Return: events
 */
__poll_t xtcp_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait)
{
	struct sock *sk = sock->sk;
	__poll_t mask = 0;
	u8 shutdown;
	int state;

	sock_poll_wait(file, sock, wait);
	/* pairs with the release in inet_sk_set_state(): what came before the state is seen */
	state = smp_load_acquire(&sk->sk_state);
	if (state == TCP_LISTEN)
		return xtcp_poll_listen(sk);

	xtcp_race_point(POLL_STATE);
	shutdown = READ_ONCE(sk->sk_shutdown);
	if (shutdown == SHUTDOWN_MASK || state == TCP_CLOSE)
		mask |= EPOLLHUP;
	if (shutdown & RCV_SHUTDOWN)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (state != TCP_SYN_SENT && state != TCP_SYN_RECV)
		mask |= xtcp_poll_data(sk, shutdown);
	/* sk_err is written before the state: do not miss it */
	smp_rmb();
	if (READ_ONCE(sk->sk_err) || !skb_queue_empty_lockless(&sk->sk_error_queue))
		mask |= EPOLLERR;
	return mask;
}

static int ioctl_value(struct sock *sk, int cmd)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	bool opening = (1 << sk->sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV);

	switch (cmd) {
	case SIOCINQ:
		return xtcp_ioctl_inq(sk);
	case SIOCATMARK:
		return x->urg_valid && x->urg_seq == x->tcb.copied_seq;
	case SIOCOUTQ:
		return opening ? 0 : xtcp_unacked(&x->tcb);
	default:
		return opening ? 0 : xtcp_unsent(&x->tcb);
	}
}

/**
 * xtcp_ioctl - proto.ioctl
 * @sk: not locked; process context
 * @cmd: SIOCINQ (FIONREAD), SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD
 * @val: result
 *
 * Return: 0, -EINVAL for a listener, -ENOIOCTLCMD
 */
int xtcp_ioctl(struct sock *sk, int cmd, int *val)
{
	int err = -EINVAL;
	bool slow;

	switch (cmd) {
	case SIOCINQ:
	case SIOCATMARK:
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		break;
	default:
		return -ENOIOCTLCMD;
	}
	/* The difference of two moving edges: without the lock it can be negative. */
	slow = lock_sock_fast(sk);
	if (sk->sk_state != TCP_LISTEN || cmd == SIOCATMARK) {
		*val = ioctl_value(sk, cmd);
		err = 0;
	}
	unlock_sock_fast(sk, slow);
	return err;
}

/**
 * xtcp_set_rcvlowat - proto_ops.set_rcvlowat: SO_RCVLOWAT
 * @sk: sock lock held; process context
 * @val: bytes
 *
 * The buffer must be able to hold that many, or nobody would ever be woken.
 *
 * Return: 0
 */
int xtcp_set_rcvlowat(struct sock *sk, int val)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	bool locked = sk->sk_userlocks & SOCK_RCVBUF_LOCK;
	int cap = locked ? sk->sk_rcvbuf >> 1 : READ_ONCE(x->xn->params.tcp_rmem[2]) >> 1;

	val = min(val, cap);
	WRITE_ONCE(sk->sk_rcvlowat, val ? : 1);
	if (xtcp_readable(sk, sk->sk_rcvlowat) || sock_flag(sk, SOCK_DONE))
		sk->sk_data_ready(sk);
	if (!locked && val << 1 > sk->sk_rcvbuf)
		WRITE_ONCE(sk->sk_rcvbuf, val << 1);
	return 0;
}
