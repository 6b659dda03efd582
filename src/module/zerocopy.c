// SPDX-License-Identifier: GPL-2.0
/*
 * Sending without a copy. The pages of sendfile() and splice() and, with
 * MSG_ZEROCOPY, those of the user's buffer are referred to by the skbs of the
 * send queue as its own pages are, and by what output.c makes of them.
 *
 * A page of a file may change while it is on its way: its skbs are marked
 * SKBFL_SHARED_FRAG, so that whoever needs a checksum in software makes a copy
 * first. A user's buffer may not; he learns when nothing refers to it any more
 * by a struct ubuf_info, which each skb that refers to it holds: those of the
 * queue until all their bytes are acknowledged, those on their way until the
 * device is done. The last reference to go, in any context, puts the
 * notification on the error queue; the sock lives as long as that.
 */
#include "send.h"

#include <linux/errqueue.h>

/* MSG_ZEROCOPY: whom to tell. */
static int tx_choose_zerocopy(struct xtcp_tx *tx)
{
	struct sk_buff *tail = skb_peek_tail(&tx->sk->sk_write_queue);
	bool sg = tx->sk->sk_route_caps & NETIF_F_SG;

	if (tx->msg->msg_ubuf) {
		tx->uarg = tx->msg->msg_ubuf;
		net_zcopy_get(tx->uarg);
	} else if (sock_flag(tx->sk, SOCK_ZEROCOPY)) {
		tx->uarg = msg_zerocopy_realloc(tx->sk, msg_data_left(tx->msg),
						skb_zcopy(tail), false);
		if (!tx->uarg)
			return -ENOBUFS;
		if (!sg)
			uarg_to_msgzc(tx->uarg)->zerocopy = 0;
	} else {
		return 0;
	}
	if (sg)
		tx->how = XTCP_TX_ZEROCOPY;
	return 0;
}

/**
 * xtcp_tx_choose - copy a message or refer to its pages?
 * @tx: sock locked by the user; how and uarg are set
 *
 * Pages are only referred to where the device can gather them, as kernel TCP has it.
 *
 * Return: 0, or -ENOBUFS: no room for one more notification; else xtcp_tx_finish() must follow
 */
int xtcp_tx_choose(struct xtcp_tx *tx)
{
	int flags = tx->msg->msg_flags;

	tx->how = XTCP_TX_COPY;
	if (!msg_data_left(tx->msg))
		return 0;
	if (flags & MSG_ZEROCOPY)
		return tx_choose_zerocopy(tx);
	if (flags & MSG_SPLICE_PAGES && XTCP_MAY_SPLICE(tx->msg) &&
	    tx->sk->sk_route_caps & NETIF_F_SG)
		tx->how = XTCP_TX_SPLICE;
	return 0;
}

/**
 * xtcp_tx_finish - the call is over
 * @tx: sock locked by the user
 * @sent: it did not fail; a call that fails has no number, and no notification
 */
void xtcp_tx_finish(struct xtcp_tx *tx, bool sent)
{
	if (sent)
		net_zcopy_put(tx->uarg);
	else
		net_zcopy_put_abort(tx->uarg, true);
}

static int tx_splice(struct xtcp_tx *tx, struct sk_buff *skb, u32 len)
{
	struct sock *sk = tx->sk;
	int n;

	if (!sk_wmem_schedule(sk, len))
		return -ENOBUFS;
	n = skb_splice_from_iter(skb, &tx->msg->msg_iter, len);
	if (n <= 0)
		return n;
	skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
	sk_wmem_queued_add(sk, n);
	sk_mem_charge(sk, n);
	return n;
}

static int tx_zerocopy(struct xtcp_tx *tx, struct sk_buff *skb, u32 len)
{
	if (!skb->len)
		skb_shinfo(skb)->flags |= SKBFL_PURE_ZEROCOPY;
	/* it does the accounting */
	return skb_zerocopy_iter_stream(tx->sk, skb, tx->msg, len, tx->uarg, NULL);
}

/* Refer to some pages of the message at the end of @skb. */
static int tx_attach(struct xtcp_tx *tx, struct sk_buff *skb)
{
	u32 len = min_t(size_t, msg_data_left(tx->msg), xtcp_tx_goal(tx->sk) - skb->len);

	return tx->how == XTCP_TX_SPLICE ? tx_splice(tx, skb, len) : tx_zerocopy(tx, skb, len);
}

/**
 * xtcp_tx_pages - refer to some pages of the message at the end of the queue
 * @tx: sock locked by the user
 *
 * Return: bytes, -ENOBUFS: wait for memory, or another negative errno.
 */
int xtcp_tx_pages(struct xtcp_tx *tx)
{
	struct sock *sk = tx->sk;
	u32 seq = xtcp_sk(sk)->tcb.write_seq + tx->pending;
	struct sk_buff *skb = xtcp_tx_tail(tx);
	int n;

	if (skb) {
		n = tx_attach(tx, skb);
		/* full, or what it holds is another notification's */
		if (n == -EMSGSIZE || n == -EEXIST)
			skb = NULL;
	}
	if (!skb) {
		skb = xtcp_tx_begin(tx);
		if (!skb)
			return -ENOBUFS;
		xtcp_tx_queue(tx, skb, seq, skb->truesize);
		n = tx_attach(tx, skb);
		if (n <= 0)
			xtcp_send_free(sk, skb);
	}
	if (n <= 0)
		return n ? n : -EFAULT;
	XTCP_CB(skb)->end_seq += n;
	tx->pending += n;
	return n;
}

/**
 * xtcp_splice_eof - proto_ops.splice_eof: what sendfile() reads ended early
 * @sock: socket; process context
 *
 * The bytes before had MSG_MORE, as if more would come.
 */
void xtcp_splice_eof(struct socket *sock)
{
	struct sock *sk = sock->sk;

	lock_sock(sk);
	xtcp_send_push(sk);
	release_sock(sk);
}

/* SO_ZEROCOPY, which the kernel grants to protocols it knows. */
static int set_zerocopy(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	int val;

	if (optlen < sizeof(val))
		return -EINVAL;
	if (copy_from_sockptr(&val, optval, sizeof(val)))
		return -EFAULT;
	if (val < 0 || val > 1)
		return -EINVAL;
	lock_sock(sk);
	sock_valbool_flag(sk, SOCK_ZEROCOPY, val);
	release_sock(sk);
	return 0;
}

/**
 * xtcp_ops_setsockopt - proto_ops.setsockopt, for SOL_SOCKET too
 * @sock: socket, with SOCK_CUSTOM_SOCKOPT; process context
 * @level: level
 * @optname: option
 * @optval: value
 * @optlen: its length
 *
 * Return: 0 or a negative errno
 */
int xtcp_ops_setsockopt(struct socket *sock, int level, int optname, sockptr_t optval,
			unsigned int optlen)
{
	if (level != SOL_SOCKET)
		return sock_common_setsockopt(sock, level, optname, optval, optlen);
	if (optname == SO_ZEROCOPY)
		return set_zerocopy(sock->sk, optval, optlen);
	return sock_setsockopt(sock, level, optname, optval, optlen);
}

/**
 * xtcp_socket_init - what must be said of a struct socket of ours
 * @sock: new, not yet the user's
 */
void xtcp_socket_init(struct socket *sock)
{
	/* SOL_SOCKET comes to xtcp_ops_setsockopt() */
	xtcp_custom_sockopt(sock);
	/* io_uring may send with completions of its own */
	set_bit(SOCK_SUPPORT_ZC, &sock->flags);
}
