// SPDX-License-Identifier: GPL-2.0
/*
 * From the receive queue to the user. The queue holds payload in sequence, no
 * gaps; an skb's cb says which sequence numbers it has. copied_seq is how far
 * the user has read; the urgent byte, unless inline, is stepped over.
 */
#include "xtcp_mod.h"

#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <net/busy_poll.h>
#include <net/inet_common.h>

struct xtcp_rx {
	struct sock *sk;
	struct msghdr *msg;
	int flags;
	size_t len;		/* still wanted */
	int copied;
	u32 seq;		/* next byte; the core's copied_seq follows, unless MSG_PEEK */
	u32 urg_hole;		/* urgent bytes stepped over */
	u32 peek_off;		/* SO_PEEK_OFF: where a peek begins, beyond copied_seq */
	ktime_t tstamp, hwtstamp; /* of the last skb read that had one; 0: had it not */
};

/**
 * xtcp_recv_done - tell the core that the user has read
 * @sk: sock lock held; process context
 * @n: payload bytes behind copied_seq; the core moves it
 *
 * The window may open, the buffer may grow (RFC 9293 3.8.6.2.2).
 */
void xtcp_recv_done(struct sock *sk, u32 n)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_verdict v xtcp_unset;

	if (!n)
		return;
	xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
	xtcp_sock_rcv_space(sk);
	if (!xtcp_user_took(&x->tcb, n))
		return;
	xtcp_user_read_end(&x->tcb, xtcp_now_us(x->xn), &v);
	if (v.flags)
		xtcp_exec(sk, &v, NULL, NULL);
}

/* The reader goes to sleep until there is more. */
static int xtcp_rx_sleep(struct sock *sk, long *timeo, struct sk_buff *tail)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_verdict v xtcp_unset;

	if (xtcp_user_sleeps(&x->tcb)) {
		xtcp_sock_pool_fill(sk, XTCP_POOL_LEAST);
		xtcp_sock_rcv_space(sk);
		xtcp_user_read_end(&x->tcb, xtcp_now_us(x->xn), &v);
		xtcp_exec(sk, &v, NULL, NULL);
	}
	return min(sk_wait_data(sk, timeo, tail), 0);
}

static void xtcp_rx_tell(struct xtcp_rx *rx)
{
	if (!(rx->flags & MSG_PEEK))
		xtcp_recv_done(rx->sk, rx->seq - xtcp_sk(rx->sk)->tcb.copied_seq);
}

/**
 * xtcp_rx_eat - take an skb off the receive queue that has been read
 * @sk: sock lock held; any context
 * @skb: of its queue
 */
void xtcp_rx_eat(struct sock *sk, struct sk_buff *skb)
{
	__skb_unlink(skb, &sk->sk_receive_queue);
	/* the queue's was the only reference: IP unshares what taps look at */
	__kfree_skb(skb);
}

void xtcp_ooo_purge(struct sock *sk)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct rb_node *n;

	while ((n = rb_first(&x->ooo))) {
		struct sk_buff *skb = rb_to_skb(n);

		rb_erase(n, &x->ooo);
		RB_CLEAR_NODE(n);
		kfree_skb(skb);
	}
}

void xtcp_recv_purge(struct sock *sk)
{
	__skb_queue_purge(&sk->sk_receive_queue);
	xtcp_ooo_purge(sk);
}

/**
 * xtcp_ioctl_inq - SIOCINQ: bytes that can be read before EOF or the urgent byte
 * @sk: sock lock held, or a racy look
 */
int xtcp_ioctl_inq(struct sock *sk)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	u32 copied = READ_ONCE(x->tcb.copied_seq);
	u32 end = READ_ONCE(x->tcb.s.rcv_nxt) - x->tcb.fin_rcvd;

	if ((1 << sk->sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV))
		return 0;
	if (x->urg_valid && !sock_flag(sk, SOCK_URGINLINE) &&
	    seq_geq(x->urg_seq, copied) && seq_lt(x->urg_seq, end))
		return x->urg_seq - copied;
	return seq_gt(end, copied) ? end - copied : 0;
}

/* recv(MSG_OOB): RFC 9293 3.8.5, RFC 6093 */
static int xtcp_recv_urg(struct sock *sk, struct msghdr *msg, size_t len, int flags)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	u8 byte = x->urg_byte;

	if (sock_flag(sk, SOCK_URGINLINE) || !x->urg_valid || x->urg_read)
		return -EINVAL;
	if (sk->sk_state == TCP_CLOSE && !sock_flag(sk, SOCK_DONE))
		return -ENOTCONN;
	if (x->urg_here) {
		if (!(flags & MSG_PEEK))
			x->urg_read = 1;
		msg->msg_flags |= MSG_OOB;
		if (!len) {
			msg->msg_flags |= MSG_TRUNC;
			return 0;
		}
		if (!(flags & MSG_TRUNC) && memcpy_to_msg(msg, &byte, 1))
			return -EFAULT;
		return 1;
	}
	if (sk->sk_state == TCP_CLOSE || READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)
		return 0;
	/* it is announced, and on its way: never waits, as RFC 1122 has it in Linux */
	return -EAGAIN;
}

/* The skb the next byte stands in and where, or NULL. What is read already, goes. */
static struct sk_buff *xtcp_rx_find(struct xtcp_rx *rx, u32 *off)
{
	struct sk_buff *skb, *tmp;

	skb_queue_walk_safe(&rx->sk->sk_receive_queue, skb, tmp) {
		const struct xtcp_cb *cb = XTCP_CB(skb);

		if (seq_lt(rx->seq, cb->end_seq)) {
			*off = rx->seq - cb->seq;
			return skb;
		}
		/* an overlap that could not be cut off when it came in */
		if (!(rx->flags & MSG_PEEK))
			xtcp_rx_eat(rx->sk, skb);
	}
	return NULL;
}

/* Read before the mark, then after it, never across. */
static bool xtcp_rx_at_mark(const struct xtcp_rx *rx)
{
	const struct xtcp_sock *x = xtcp_sk(rx->sk);

	return x->urg_valid && x->urg_seq == rx->seq;
}

/*
 * How much of @used bytes at seq is before the urgent byte; steps over the
 * urgent byte itself if it is not inline.
 */
static u32 xtcp_rx_urg_cut(struct xtcp_rx *rx, u32 *off, u32 used)
{
	const struct xtcp_sock *x = xtcp_sk(rx->sk);
	u32 dist = x->urg_seq - rx->seq;

	if (!x->urg_valid || dist >= used)
		return used;
	if (dist)
		return dist;
	if (sock_flag(rx->sk, SOCK_URGINLINE))
		return used;
	rx->seq++;
	rx->urg_hole++;
	(*off)++;
	return used - 1;
}

/* Copy from one skb; negative errno if nothing could be copied at all. */
static int xtcp_rx_copy(struct xtcp_rx *rx, struct sk_buff *skb, u32 off)
{
	struct sock *sk = rx->sk;
	struct xtcp_sock *x = xtcp_sk(sk);
	u32 used = XTCP_CB(skb)->end_seq - XTCP_CB(skb)->seq - off;

	used = min_t(size_t, used, rx->len);
	used = xtcp_rx_urg_cut(rx, &off, used);
	if (used) {
		if (!(rx->flags & MSG_TRUNC) &&
		    skb_copy_datagram_msg(skb, off, rx->msg, used))
			return -EFAULT;
		rx->seq += used;
		rx->copied += used;
		rx->len -= used;
		if (skb->tstamp || skb_hwtstamps(skb)->hwtstamp) {
			rx->tstamp = skb->tstamp;
			rx->hwtstamp = skb_hwtstamps(skb)->hwtstamp;
		}
	}
	if (rx->flags & MSG_PEEK) {
		sk_peek_offset_fwd(sk, used);
		return 0;
	}
	sk_peek_offset_bwd(sk, used);
	if (x->urg_valid && seq_gt(rx->seq, x->urg_seq))
		x->urg_valid = 0;
	if (seq_geq(rx->seq, XTCP_CB(skb)->end_seq))
		xtcp_rx_eat(sk, skb);
	return 0;
}

/* Nothing (more) in the queue: 1: wait, 0: that is it, negative: why not. */
static int xtcp_rx_empty(const struct xtcp_rx *rx, long timeo)
{
	struct sock *sk = rx->sk;

	if (rx->copied) {
		if (!timeo || sk->sk_err || sk->sk_state == TCP_CLOSE ||
		    sk->sk_shutdown & RCV_SHUTDOWN || signal_pending(current))
			return 0;
		return 1;
	}
	if (sock_flag(sk, SOCK_DONE))
		return 0;
	if (sk->sk_err)
		return sock_error(sk);
	if (sk->sk_shutdown & RCV_SHUTDOWN)
		return 0;
	if (sk->sk_state == TCP_CLOSE)
		return -ENOTCONN;	/* never connected */
	if (!timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(timeo);
	return 1;
}

static int xtcp_rx_wait(struct xtcp_rx *rx, long *timeo, int target)
{
	struct sock *sk = rx->sk;
	struct xtcp_sock *x = xtcp_sk(sk);
	int err;

	xtcp_rx_tell(rx);
	if (rx->copied >= target) {
		__sk_flush_backlog(sk);
		/* a second mark may have taken the first one's byte out of the stream */
		if (!(rx->flags & MSG_PEEK))
			rx->seq = x->tcb.copied_seq;
		return 0;
	}
	err = xtcp_rx_sleep(sk, timeo, skb_peek_tail(&sk->sk_receive_queue));
	/* another thread may have read meanwhile, also what we peeked at */
	if (!(rx->flags & MSG_PEEK) ||
	    rx->seq - rx->peek_off - rx->copied - rx->urg_hole != x->tcb.copied_seq)
		rx->seq = x->tcb.copied_seq + rx->peek_off;
	return err;
}

/* The loop of recvmsg; an error counts only if nothing was copied. */
static int xtcp_rx_all(struct xtcp_rx *rx, long timeo, int target)
{
	struct sock *sk = rx->sk;
	struct sk_buff *skb;
	int err;
	u32 off;

	do {
		if (xtcp_rx_at_mark(rx)) {
			if (rx->copied)
				return 0;
			if (signal_pending(current))
				return timeo ? sock_intr_errno(timeo) : -EAGAIN;
		}
		skb = xtcp_rx_find(rx, &off);
		if (skb) {
			err = xtcp_rx_copy(rx, skb, off);
			if (err)
				return err;
			continue;
		}
		if (rx->copied >= target && !READ_ONCE(sk->sk_backlog.tail))
			return 0;
		err = xtcp_rx_empty(rx, timeo);
		if (err <= 0)
			return err;
		err = xtcp_rx_wait(rx, &timeo, target);
		if (err)
			return err;
	} while (rx->len);
	return 0;
}

static int xtcp_recvmsg_locked(struct xtcp_rx *rx)
{
	struct sock *sk = rx->sk;
	long timeo;
	int err;

	if (sk->sk_state == TCP_LISTEN)
		return -ENOTCONN;
	if (rx->flags & MSG_OOB)
		return xtcp_recv_urg(sk, rx->msg, rx->len, rx->flags);
	timeo = sock_rcvtimeo(sk, rx->flags & MSG_DONTWAIT);
	rx->peek_off = max(sk_peek_offset(sk, rx->flags), 0);
	rx->seq = xtcp_sk(sk)->tcb.copied_seq + rx->peek_off;
	err = xtcp_rx_all(rx, timeo, sock_rcvlowat(sk, rx->flags & MSG_WAITALL, rx->len));
	xtcp_rx_tell(rx);
	return rx->copied ? rx->copied : err;
}

/**
 * xtcp_recvmsg - proto.recvmsg
 * @sk: not locked; process context
 * @msg: where to
 * @len: how much
 * @flags: MSG_PEEK, TRUNC, WAITALL, DONTWAIT, OOB, ERRQUEUE
 *
 * Return: bytes, 0 at EOF, or a negative errno
 */
int xtcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags)
{
	struct xtcp_rx rx = {
		.sk = sk, .msg = msg, .flags = flags,
		.len = min_t(size_t, len, INT_MAX),
	};
	int ret;

	if (unlikely(flags & MSG_ERRQUEUE))
		return inet_recv_error(sk, msg, len);
	if (sk_can_busy_loop(sk) && skb_queue_empty_lockless(&sk->sk_receive_queue) &&
	    READ_ONCE(sk->sk_state) == TCP_ESTABLISHED)
		sk_busy_loop(sk, flags & MSG_DONTWAIT);
	lock_sock(sk);
	ret = xtcp_recvmsg_locked(&rx);
	release_sock(sk);
	if (ret > 0 && (rx.tstamp || rx.hwtstamp))
		xtcp_cmsg_stamps(sk, msg, rx.tstamp, rx.hwtstamp);
	if (ret >= 0)
		xtcp_cmsg_inq(sk, msg);
	return ret;
}

/**
 * xtcp_read_sock - feed received bytes to an actor in place
 * @sk: sock lock held; process context
 * @desc: count goes down as the actor takes; 0 ends
 * @actor: returns bytes taken, or a negative errno; keeps the lock
 *
 * Return: bytes taken, or the actor's errno if none
 */
int xtcp_read_sock(struct sock *sk, read_descriptor_t *desc, sk_read_actor_t actor)
{
	struct xtcp_sock *x = xtcp_sk(sk);
	struct xtcp_rx rx = { .sk = sk, .seq = x->tcb.copied_seq };
	struct sk_buff *skb;
	int n = 0;
	u32 off;

	if (sk->sk_state == TCP_LISTEN)
		return -ENOTCONN;
	while ((skb = xtcp_rx_find(&rx, &off))) {
		u32 len = XTCP_CB(skb)->end_seq - XTCP_CB(skb)->seq - off;

		len = xtcp_rx_urg_cut(&rx, &off, len);
		if (len) {
			n = actor(desc, skb, off, len);
			if (n <= 0)
				break;
			rx.seq += n;
			rx.copied += n;
		}
		if (x->urg_valid && seq_gt(rx.seq, x->urg_seq))
			x->urg_valid = 0;
		if (seq_geq(rx.seq, XTCP_CB(skb)->end_seq))
			xtcp_rx_eat(sk, skb);
		if (!desc->count || n < (int)len)
			break;
	}
	xtcp_rx_tell(&rx);
	return rx.copied ? rx.copied : n;
}

struct xtcp_splice {
	struct pipe_inode_info *pipe;
	size_t len;
	unsigned int flags;
};

static int xtcp_splice_actor(read_descriptor_t *desc, struct sk_buff *skb,
			     unsigned int off, size_t len)
{
	struct xtcp_splice *s = desc->arg.data;
	int ret;

	ret = skb_splice_bits(skb, skb->sk, off, s->pipe, min(desc->count, len), s->flags);
	if (ret > 0)
		desc->count -= ret;
	return ret;
}

/* One try to read into the pipe; sets what would make it wait. */
static ssize_t xtcp_splice_once(struct sock *sk, struct xtcp_splice *s)
{
	read_descriptor_t desc = { .arg.data = s, .count = s->len };

	return xtcp_read_sock(sk, &desc, xtcp_splice_actor);
}

static ssize_t xtcp_splice_locked(struct sock *sk, struct xtcp_splice *s, long timeo)
{
	const struct xtcp_rx rx = { .sk = sk };
	ssize_t ret = 0, done = 0;

	while (s->len) {
		ret = xtcp_splice_once(sk, s);
		if (ret < 0)
			break;
		if (!ret) {
			if (done)
				break;
			ret = xtcp_rx_empty(&rx, timeo);
			if (ret <= 0)
				break;
			/* bytes, but urgent or no room for them: waiting would not help */
			ret = 0;
			if (!skb_queue_empty(&sk->sk_receive_queue))
				break;
			ret = xtcp_rx_sleep(sk, &timeo, NULL);
			if (ret < 0)
				break;
			if (signal_pending(current)) {
				ret = sock_intr_errno(timeo);
				break;
			}
			continue;
		}
		s->len -= ret;
		done += ret;
		if (!timeo)
			break;
		/* let segments that came meanwhile in */
		release_sock(sk);
		lock_sock(sk);
		if (sk->sk_err || sk->sk_state == TCP_CLOSE ||
		    sk->sk_shutdown & RCV_SHUTDOWN || signal_pending(current))
			break;
	}
	return done ? done : ret;
}

/**
 * xtcp_splice_read - proto_ops.splice_read
 * @sock: socket; process context
 * @ppos: must be 0: a socket has no position
 * @pipe: where to
 * @len: how much
 * @flags: SPLICE_F_*
 *
 * Return: bytes, 0 at EOF, or a negative errno
 */
ssize_t xtcp_splice_read(struct socket *sock, loff_t *ppos, struct pipe_inode_info *pipe,
			 size_t len, unsigned int flags)
{
	struct xtcp_splice s = { .pipe = pipe, .len = len, .flags = flags };
	struct sock *sk = sock->sk;
	ssize_t ret;

	sock_rps_record_flow(sk);
	if (unlikely(*ppos))
		return -ESPIPE;
	lock_sock(sk);
	ret = xtcp_splice_locked(sk, &s, sock_rcvtimeo(sk, sock->file->f_flags & O_NONBLOCK));
	release_sock(sk);
	return ret;
}
