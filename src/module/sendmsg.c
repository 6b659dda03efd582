// SPDX-License-Identifier: GPL-2.0
/*
 * From the user to the send queue. sk_write_queue holds every byte of
 * [snd_una, write_seq) in order, in skbs whose payload stands in page
 * fragments and whose cb says which sequence numbers it has. The output loop
 * copies references out of them and never changes them, so bytes can be
 * appended to the last skb and taken from the first, unless it is on its way as
 * a clone (payload.c), which sees the same list of fragments.
 */
#include "send.h"

#include <linux/sched/signal.h>
#include <net/tcp.h>

#define XTCP_SKB_GOAL	65536U	/* payload bytes per queued skb */

/* What sk_stream_write_space() of the kernel does, which it does not export. */
void xtcp_write_space(struct sock *sk)
{
	struct socket_wq *wq;
	struct socket *sock;

	/* without the sock lock RCU keeps the socket's memory */
	rcu_read_lock();
	sock = READ_ONCE(sk->sk_socket);
	if (!sock || !__sk_stream_is_writeable(sk, 1))
		goto out;
	clear_bit(SOCK_NOSPACE, &sock->flags);
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	if (wq && wq->fasync_list && !(READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN))
		sock_wake_async(wq, SOCK_WAKE_SPACE, POLL_OUT);
out:
	rcu_read_unlock();
}

/**
 * xtcp_check_space - wake writers if one of them found no room
 * @sk: sock lock held; after room was made
 */
void xtcp_check_space(struct sock *sk)
{
	/* pairs with the barrier between SOCK_NOSPACE and the second look in poll */
	smp_mb();
	if (sk->sk_socket && test_bit(SOCK_NOSPACE, &sk->sk_socket->flags))
		xtcp_write_space(sk);
}

/**
 * xtcp_stream_memory_free - proto.stream_memory_free: TCP_NOTSENT_LOWAT
 * @sk: read without its lock
 * @wake: 1: asked in order to wake a writer, so that half must be free
 */
bool xtcp_stream_memory_free(const struct sock *sk, int wake)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	u32 lowat = READ_ONCE(x->notsent_lowat);

	if (!lowat)
		lowat = READ_ONCE(x->xn->params.tcp_notsent_lowat);
	return (u64)xtcp_unsent(&x->tcb) << wake < lowat;
}

/* Take an skb off the queue. */
xtcp_hot void xtcp_send_free(struct sock *sk, struct sk_buff *skb)
{
	u32 charged = skb_zcopy_pure(skb) ? SKB_TRUESIZE(skb_end_offset(skb)) : skb->truesize;

	__skb_unlink(skb, &sk->sk_write_queue);
	sk_wmem_queued_add(sk, -(int)skb->truesize);
	sk_mem_uncharge(sk, charged);
	/* it was never anybody else's; its clones are skbs of their own */
	__kfree_skb(skb);
}

/* Take @n bytes off the front of a queued skb: all of them stand in fragments. */
static void xtcp_send_eat(struct sock *sk, struct sk_buff *skb, u32 n)
{
	struct skb_shared_info *si = skb_shinfo(skb);
	u32 left = n;
	int i, k = 0;

	/* they go with the rest */
	if (skb_cloned(skb))
		return;
	for (i = 0; i < si->nr_frags; i++) {
		u32 size = skb_frag_size(&si->frags[i]);

		if (size <= left) {
			skb_frag_unref(skb, i);
			left -= size;
			continue;
		}
		si->frags[k] = si->frags[i];
		if (left) {
			skb_frag_off_add(&si->frags[k], left);
			skb_frag_size_sub(&si->frags[k], left);
			left = 0;
		}
		k++;
	}
	si->nr_frags = k;
	skb->len -= n;
	skb->data_len -= n;
	skb->truesize -= n;
	XTCP_CB(skb)->seq += n;
	sk_wmem_queued_add(sk, -(int)n);
	if (!skb_zcopy_pure(skb))
		sk_mem_uncharge(sk, n);
}

/**
 * xtcp_send_acked - free what the peer has acknowledged
 * @sk: sock lock held; any context
 *
 * Writers are woken later, when what the ACK let out has gone (xtcp_check_space()).
 */
void xtcp_send_acked(struct sock *sk)
{
	u32 una = xtcp_sk(sk)->tcb.s.snd_una;
	struct sk_buff *skb;

	while ((skb = skb_peek(&sk->sk_write_queue))) {
		struct xtcp_cb *cb = XTCP_CB(skb);

		if (seq_leq(cb->end_seq, una)) {
			xtcp_send_free(sk, skb);
			continue;
		}
		if (seq_lt(cb->seq, una))
			xtcp_send_eat(sk, skb, una - cb->seq);
		break;
	}
}

void xtcp_send_purge(struct sock *sk)
{
	struct sk_buff *skb;

	while ((skb = skb_peek(&sk->sk_write_queue)))
		xtcp_send_free(sk, skb);
}

/*
 * Tell the core about queued bytes; it decides what goes out now. Without any,
 * it must still hear that no more will come: it may be keeping a partial segment.
 */
static void xtcp_tx_push(struct xtcp_tx *tx, bool more, bool oob)
{
	struct xtcp_sock *x = xtcp_sk(tx->sk);
	struct xtcp_verdict v xtcp_unset;

	if (!tx->pending && (more || !x->tcb.more))
		return;
	xtcp_sock_pool_fill(tx->sk, XTCP_POOL_LEAST);
	x->tcb.dev_busy = sk_wmem_alloc_get(tx->sk) >= SKB_TRUESIZE(1);
	xtcp_user_send(&x->tcb, tx->pending, more, oob, xtcp_now_us(x->xn), &v);
	tx->pending = 0;
	xtcp_exec(tx->sk, &v, NULL, NULL);
	x->tcb.dev_busy = 0;
}

/* More bytes come at once, in the next call: many small ones shall go as few large ones. */
static bool xtcp_tx_holds(const struct xtcp_tx *tx)
{
	const struct xtcp_tcb *t = &xtcp_sk(tx->sk)->tcb;

	return tx->how == XTCP_TX_SPLICE && tx->msg->msg_flags & XTCP_MSG_NOTLAST &&
	       xtcp_unsent(t) + tx->pending < tx->batch;
}

static void xtcp_tx_hold(struct xtcp_tx *tx)
{
	struct xtcp_sock *x = xtcp_sk(tx->sk);
	u64 now_us = xtcp_now_us(x->xn);

	xtcp_user_hold(&x->tcb, tx->pending, now_us);
	tx->pending = 0;
	xtcp_timer_sync(tx->sk, now_us);
}

/**
 * xtcp_send_push - nothing follows what MSG_MORE held back
 * @sk: sock lock held; process context
 */
void xtcp_send_push(struct sock *sk)
{
	struct xtcp_tx tx = { .sk = sk };

	if (!skb_queue_empty(&sk->sk_write_queue))
		xtcp_tx_push(&tx, false, false);
}

/* Bytes an skb should have in the end. */
u32 xtcp_tx_goal(const struct sock *sk)
{
	const struct xtcp_tcb *t = &xtcp_sk(sk)->tcb;
	u32 half = READ_ONCE(sk->sk_sndbuf) / 2;

	/* not one skb for the whole buffer: it could not be refilled while in flight */
	return clamp(half, max_t(u32, t->mss_now, 2048), XTCP_SKB_GOAL);
}

/* The skb to append to, or NULL if a new one must be begun. */
struct sk_buff *xtcp_tx_tail(const struct xtcp_tx *tx)
{
	struct sk_buff *skb = skb_peek_tail(&tx->sk->sk_write_queue);

	if (!skb || skb->len >= xtcp_tx_goal(tx->sk) || skb_cloned(skb))
		return NULL;
	/* what has been sent in part cannot go as a clone: not for much more */
	if (msg_data_left(tx->msg) >= XTCP_SKB_GOAL / 2 &&
	    seq_lt(XTCP_CB(skb)->seq, xtcp_sk(tx->sk)->tcb.s.snd_nxt))
		return NULL;
	return skb_zcopy_pure(skb) == (tx->how == XTCP_TX_ZEROCOPY) ? skb : NULL;
}

/* A new skb, for which there is memory and room in the send buffer; NULL: there is none. */
struct sk_buff *xtcp_tx_begin(struct xtcp_tx *tx)
{
	struct sock *sk = tx->sk;
	struct sk_buff *skb;

	if (!sk_stream_memory_free(sk))
		return NULL;
	skb = alloc_skb_fclone(MAX_TCP_HEADER, sk->sk_allocation);
	if (!skb) {
		sk->sk_prot->enter_memory_pressure(sk);
		sk_stream_moderate_sndbuf(sk);
		return NULL;
	}
	if (!sk_wmem_schedule(sk, skb->truesize)) {
		kfree_skb(skb);
		return NULL;
	}
	/* whose clones may write headers before the payload (payload.c) */
	skb_reserve(skb, MAX_TCP_HEADER);
	__skb_header_release(skb);
	/* the checksum is the NIC's or ip's business: do not compute it while copying */
	skb->ip_summed = CHECKSUM_PARTIAL;
	return skb;
}

/* Hang a new skb, its first bytes in it, at the end of the queue. */
void xtcp_tx_queue(struct xtcp_tx *tx, struct sk_buff *skb, u32 seq, u32 overhead)
{
	struct sock *sk = tx->sk;

	XTCP_CB(skb)->seq = seq;
	XTCP_CB(skb)->end_seq = seq;
	__skb_queue_tail(&sk->sk_write_queue, skb);
	sk_wmem_queued_add(sk, overhead);
	sk_mem_charge(sk, overhead);
}

/*
 * The next @n bytes of the message, into @pf. Where that is one page, the kernel's copy
 * into a page is the one that checks least: a page's end is all there is to keep to.
 */
static int tx_fill(struct xtcp_tx *tx, struct sk_buff *skb, const struct page_frag *pf, u32 n)
{
	struct iov_iter *from = &tx->msg->msg_iter;
	struct sock *sk = tx->sk;
	size_t done;

	if (offset_in_page(pf->offset) + n > PAGE_SIZE ||
	    unlikely(sk->sk_route_caps & NETIF_F_NOCACHE_COPY))
		return skb_copy_to_page_nocache(sk, from, skb, pf->page, pf->offset, n);
	done = copy_page_from_iter(pf->page, pf->offset, n, from);
	if (unlikely(done != n)) {
		iov_iter_revert(from, done);
		return -EFAULT;
	}
	skb_len_add(skb, n);
	sk_wmem_queued_add(sk, n);
	sk_mem_charge(sk, n);
	return 0;
}

/*
 * Copy some bytes of the message to the end of the queue.
 * Return: bytes, -ENOBUFS: wait for memory, -EFAULT.
 */
static int xtcp_tx_copy(struct xtcp_tx *tx)
{
	struct sock *sk = tx->sk;
	struct page_frag *pf = sk_page_frag(sk);
	struct sk_buff *skb = xtcp_tx_tail(tx);
	u32 seq = xtcp_sk(sk)->tcb.write_seq + tx->pending;
	bool merge, fresh = false;
	int i, copy, err;

	if (!sk_page_frag_refill(sk, pf))
		return -ENOBUFS;
	if (skb) {
		i = skb_shinfo(skb)->nr_frags;
		merge = skb_can_coalesce(skb, i, pf->page, pf->offset);
		if (!merge && i >= MAX_SKB_FRAGS)
			skb = NULL;
	}
	if (!skb) {
		skb = xtcp_tx_begin(tx);
		if (!skb)
			return -ENOBUFS;
		fresh = true;
		merge = false;
		i = 0;
	}
	copy = min_t(size_t, msg_data_left(tx->msg), pf->size - pf->offset);
	copy = min_t(u32, copy, max_t(u32, xtcp_tx_goal(sk), skb->len + 1) - skb->len);
	err = -ENOBUFS;
	if (!sk_wmem_schedule(sk, copy + (fresh ? skb->truesize : 0)))
		goto err_free;
	if (fresh)
		xtcp_tx_queue(tx, skb, seq, skb->truesize);
	err = tx_fill(tx, skb, pf, copy);
	if (err) {
		if (fresh)
			xtcp_send_free(sk, skb);
		return err;
	}
	if (merge) {
		skb_frag_size_add(&skb_shinfo(skb)->frags[i - 1], copy);
	} else {
		skb_fill_page_desc(skb, i, pf->page, pf->offset, copy);
		get_page(pf->page);
	}
	pf->offset += copy;
	XTCP_CB(skb)->end_seq += copy;
	tx->pending += copy;
	return copy;

err_free:
	if (fresh)
		kfree_skb(skb);
	return err;
}

/* RFC 9293 3.10.2: may this sock send now? Waits for the handshake. */
static int xtcp_tx_ready(struct sock *sk, long *timeo)
{
	int err;

	if ((1 << sk->sk_state) & ~(TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) {
		err = sk_stream_wait_connect(sk, timeo);
		if (err)
			return err;
	}
	return 0;
}

/* May bytes be queued? FIN_WAIT1 and beyond are told by sk_shutdown. */
static bool xtcp_tx_open(const struct sock *sk)
{
	return (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT) ||
	       READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN;
}

/* Everything but the error path; *copied also when it fails. */
static int xtcp_tx_all(struct xtcp_tx *tx, long *timeo, int *copied)
{
	struct sock *sk = tx->sk;
	unsigned int rounds = 0;
	int n, err;

	for (;;) {
		if (sk->sk_err || READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
			return -EPIPE;
		if (!msg_data_left(tx->msg))
			return 0;
		n = tx->how == XTCP_TX_COPY ? xtcp_tx_copy(tx) : xtcp_tx_pages(tx);
		if (n > 0) {
			*copied += n;
			/* the last bytes go with MSG_MORE and MSG_OOB as the user said */
			if (tx->pending < tx->batch || !msg_data_left(tx->msg))
				continue;
			xtcp_tx_push(tx, true, false);
			/* let ACKs that came meanwhile in */
			if (++rounds % 4 == 0 && unlikely(READ_ONCE(sk->sk_backlog.tail)))
				__sk_flush_backlog(sk);
			continue;
		}
		if (n != -ENOBUFS)
			return n;
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		xtcp_tx_push(tx, false, false);
		err = sk_stream_wait_memory(sk, timeo);
		if (err)
			return err;
		/* another thread may have disconnected it, and even begun anew */
		if (!xtcp_tx_open(sk))
			return -EPIPE;
	}
}

/* Return: bytes queued, also if it failed then, or a negative errno. */
static int xtcp_tx_msg(struct xtcp_tx *tx)
{
	struct sock *sk = tx->sk;
	struct msghdr *msg = tx->msg;
	int flags = msg->msg_flags, copied = 0, err;
	struct sockcm_cookie sockc;
	long timeo;

	/* no Fast Open here; what a second connect() would be told comes first */
	if (flags & MSG_FASTOPEN)
		return sk->sk_socket->state == SS_CONNECTED ? -EISCONN :
		       sk->sk_socket->state == SS_CONNECTING ? -EALREADY : -EOPNOTSUPP;
	timeo = sock_sndtimeo(sk, flags & MSG_DONTWAIT);
	err = xtcp_tx_ready(sk, &timeo);
	if (err)
		goto out;
	if (msg->msg_controllen) {
		sockcm_init(&sockc, sk);
		if (sock_cmsg_send(sk, msg, &sockc))
			return -EINVAL;
	}
	sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	tx->batch = clamp_t(u32, xtcp_sk(sk)->tcb.max_window / 2, 1, XTCP_SKB_GOAL);
	err = xtcp_tx_all(tx, &timeo, &copied);
out:
	if (copied) {
		if (!err && xtcp_tx_holds(tx))
			xtcp_tx_hold(tx);
		else
			xtcp_tx_push(tx, flags & MSG_MORE && !err, flags & MSG_OOB && !err);
		return copied;
	}
	if (!err)
		return 0;
	err = sk_stream_error(sk, flags, err);
	/* an edge-triggered waiter would hear nothing more if nothing is in flight */
	if (err == -EAGAIN && skb_queue_empty(&sk->sk_write_queue))
		xtcp_write_space(sk);
	return err;
}

/**
 * xtcp_sendmsg_locked - proto_ops.sendmsg_locked
 * @sk: sock lock held; process context
 * @msg: bytes and flags; MSG_SPLICE_PAGES: its pages may be referred to
 * @len: not used: the iterator knows
 *
 * Return: bytes queued, or a negative errno
 */
int xtcp_sendmsg_locked(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct xtcp_tx tx = { .sk = sk, .msg = msg };
	int ret = xtcp_tx_choose(&tx);

	if (ret)
		return ret;
	ret = xtcp_tx_msg(&tx);
	xtcp_tx_finish(&tx, ret >= 0);
	return ret;
}

/**
 * xtcp_sendmsg - proto.sendmsg
 * @sk: not locked; process context
 * @msg: bytes and flags
 * @len: not used: the iterator knows
 *
 * Return: bytes queued, or a negative errno
 */
int xtcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)
{
	int ret;

	lock_sock(sk);
	ret = xtcp_sendmsg_locked(sk, msg, len);
	release_sock(sk);
	return ret;
}
