// SPDX-License-Identifier: GPL-2.0
/*
 * What recvmsg() tells beside the bytes: when the last of them came in
 * (SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING) and how many more there are
 * (TCP_INQ, and io_uring's question).
 */
#include "xtcp_mod.h"

#include <linux/errqueue.h>

/* SO_TIMESTAMP, SO_TIMESTAMPNS */
static void cmsg_stamp(const struct sock *sk, struct msghdr *msg, const struct timespec64 *ts)
{
	bool new = sock_flag(sk, SOCK_TSTAMP_NEW);

	if (sock_flag(sk, SOCK_RCVTSTAMPNS)) {
		struct __kernel_timespec k = { ts->tv_sec, ts->tv_nsec };
		struct __kernel_old_timespec o = { ts->tv_sec, ts->tv_nsec };

		if (new)
			put_cmsg(msg, SOL_SOCKET, SO_TIMESTAMPNS_NEW, sizeof(k), &k);
		else
			put_cmsg(msg, SOL_SOCKET, SO_TIMESTAMPNS_OLD, sizeof(o), &o);
	} else {
		struct __kernel_sock_timeval k = { ts->tv_sec, ts->tv_nsec / NSEC_PER_USEC };
		struct __kernel_old_timeval o = { ts->tv_sec, ts->tv_nsec / NSEC_PER_USEC };

		if (new)
			put_cmsg(msg, SOL_SOCKET, SO_TIMESTAMP_NEW, sizeof(k), &k);
		else
			put_cmsg(msg, SOL_SOCKET, SO_TIMESTAMP_OLD, sizeof(o), &o);
	}
}

/**
 * xtcp_cmsg_stamps - tell when what was read came in
 * @sk: not locked; process context
 * @msg: where to
 * @sw: software stamp of the last skb read that had one, 0: none
 * @hw: the NIC's stamp of the same, 0: none
 */
void xtcp_cmsg_stamps(struct sock *sk, struct msghdr *msg, ktime_t sw, ktime_t hw)
{
	u32 flags = READ_ONCE(sk->sk_tsflags);
	struct scm_timestamping_internal tss = { };

	if (sw && sock_flag(sk, SOCK_RCVTSTAMP)) {
		struct timespec64 ts = ktime_to_timespec64(sw);

		cmsg_stamp(sk, msg, &ts);
	}
	if (sw && (flags & SOF_TIMESTAMPING_SOFTWARE))
		tss.ts[0] = xtcp_stamp(sw);
	else
		sw = 0;
	if (hw && (flags & SOF_TIMESTAMPING_RAW_HARDWARE))
		tss.ts[2] = xtcp_stamp(hw);
	else
		hw = 0;
	if (!sw && !hw)
		return;
	if (sock_flag(sk, SOCK_TSTAMP_NEW))
		put_cmsg_scm_timestamping64(msg, &tss);
	else
		put_cmsg_scm_timestamping(msg, &tss);
}

/* At the end of the stream there is one more thing to read: the end. */
static int inq_hint(struct sock *sk)
{
	const struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;
	u32 copied = READ_ONCE(t->copied_seq);
	int inq = READ_ONCE(t->s.rcv_nxt) - copied;

	/* both edges move: a difference that cannot be, or may not, is taken at rest */
	if (unlikely(inq < 0 || copied != READ_ONCE(t->copied_seq))) {
		lock_sock(sk);
		inq = t->s.rcv_nxt - t->copied_seq;
		release_sock(sk);
	}
	return !inq && sock_flag(sk, SOCK_DONE) ? 1 : inq;
}

/**
 * xtcp_cmsg_inq - tell how much more there is to read, if that was asked for
 * @sk: not locked; process context
 * @msg: where to
 */
void xtcp_cmsg_inq(struct sock *sk, struct msghdr *msg)
{
	bool cmsg = xtcp_racy_bit(xtcp_sk(sk)->recvmsg_inq);
	int inq;

	if (likely(!cmsg && !msg->msg_get_inq))
		return;
	inq = inq_hint(sk);
	if (msg->msg_get_inq)
		msg->msg_inq = inq;
	if (cmsg)
		put_cmsg(msg, SOL_TCP, TCP_CM_INQ, sizeof(inq), &inq);
}
