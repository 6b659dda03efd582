// SPDX-License-Identifier: GPL-2.0
/* User calls, RFC 9293 3.10.1 to 3.10.6, and what ICMP and the route tell. */
#include "internal.h"

static void send_seq_init(struct xtcp_tcb *t, u32 iss)
{
	t->iss = iss;
	t->s.snd_una = iss;
	t->s.snd_nxt = iss;
	t->write_seq = iss + 1;
	t->push_seq = iss;
	t->snd_sml = iss;
	t->snd_up = iss;
	t->high_seq = iss;
	t->rto_us = xtcp_init_rto_us(t->p, t->init_rto_ms, t->passive);
}

/**
 * xtcp_open_active - OPEN, active (3.10.1)
 * @t: block in CLOSE
 * @iss: initial sequence number
 * @ts_off: timestamp offset
 * @now_us: now
 * @v: verdict, zeroed first
 */
void xtcp_open_active(struct xtcp_tcb *t, u32 iss, u32 ts_off, u64 now_us,
		      struct xtcp_verdict *v)
{
	int ts = XTCP_P(t, tcp_timestamps);

	xtcp_verdict_zero(v);
	send_seq_init(t, iss);
	t->ts_ok = ts != 0;
	t->ts_off = ts == 2 ? 0 : ts_off;
	t->sack_ok = XTCP_P(t, tcp_sack);
	t->wscale_ok = XTCP_P(t, tcp_window_scaling);
	t->rcv_wscale = t->wscale_ok ? min_t(u8, t->rcv_wscale, XTCP_MAX_WSCALE) : 0;
	t->ecn_ok = t->ecn_route || XTCP_P(t, tcp_ecn) == 1;
	xtcp_mss_update(t);
	xtcp_window_init(t);
	xtcp_state_set(t, XTCP_SYN_SENT, "connect", v);
	xtcp_count(v, XTCP_MIB_ACTIVE_OPENS);
	if (t->connect_timeout_ms)
		t->deadline_us[XTCP_T_LIFE] = now_us + t->connect_timeout_ms * USEC_MS;
	xtcp_finish(t, now_us, v);
}

/**
 * xtcp_open_child - the connection of a completed half-open request
 * @t: block in CLOSE
 * @rq: the request
 * @now_us: now
 * @v: verdict, zeroed first
 *
 * The SYN-ACK stands in the retransmission queue as if @t had sent it, so the
 * third segment is processed like any ACK.
 */
void xtcp_open_child(struct xtcp_tcb *t, const struct xtcp_rq *rq, u64 now_us,
		     struct xtcp_verdict *v)
{
	struct xtcp_rng *r;

	xtcp_verdict_zero(v);
	t->passive = 1;
	send_seq_init(t, rq->iss);
	t->s.snd_nxt = rq->iss + 1;
	t->s.rcv_nxt = rq->rcv_nxt;
	t->s.rcv_adv = rq->rcv_nxt + rq->rcv_wnd;
	if (rq->ts_ok) {
		t->s.ts_recent = rq->ts_recent;
		t->s.ts_recent_s = xtcp_paws_s(now_us);
	}
	t->irs = rq->rcv_nxt - 1;
	t->rcv_wup = rq->rcv_nxt;
	t->copied_seq = rq->rcv_nxt;
	t->ts_off = rq->ts_off;
	t->ts_ok = rq->ts_ok;
	t->sack_ok = rq->sack_ok;
	t->wscale_ok = rq->wscale_ok;
	t->ecn_ok = rq->ecn_ok;
	t->snd_wscale = rq->snd_wscale;
	t->rcv_wscale = rq->rcv_wscale;
	t->mss_peer = rq->mss_peer;
	t->snd_wnd = rq->wnd;
	t->max_window = rq->wnd;
	t->snd_wl1 = t->irs;
	xtcp_mss_update(t);
	t->rcv_mss = clamp_t(u32, t->mss_now, 88, XTCP_DEFAULT_MSS);
	xtcp_window_init(t);
	xtcp_txq_append(t, t->iss, t->iss + 1, xtcp_rq_synack_us(rq, now_us));
	r = xtcp_txq_head(t);
	r->xmits += min_t(u8, rq->retries, 200);
	if (rq->cookie)
		r->xmits++;	/* Karn: nobody knows when it went, unless by its timestamp */
	/* RFC 6298 5.7 also for a cookie: a SYN-ACK may have been lost before this one */
	t->retransmits = rq->retries ?: rq->cookie;
	t->backoff = rq->retries;
	t->total_retrans = rq->retries;
	t->una_us = now_us;
	xtcp_state_set(t, XTCP_SYN_RECV, "third segment", v);
	xtcp_count(v, XTCP_MIB_PASSIVE_OPENS);
	xtcp_rto_arm(t, now_us);
	xtcp_finish(t, now_us, v);
}

/**
 * xtcp_user_send - SEND (3.10.2): @n more bytes stand in the send queue
 * @t: block
 * @n: bytes
 * @more: MSG_MORE: keep back a partial segment
 * @oob: the last byte is urgent
 * @now_us: now
 * @v: verdict, zeroed first
 */
void xtcp_user_send(struct xtcp_tcb *t, u32 n, bool more, bool oob, u64 now_us,
		    struct xtcp_verdict *v)
{
	xtcp_verdict_zero(v);
	if (t->fin_queued)
		return;
	if (n)
		xtcp_rate_idle(t);
	t->write_seq += n;
	t->more = more;
	if (!more)
		t->push_seq = t->write_seq;
	if (oob && n) {
		t->snd_up = t->write_seq;
		t->urg_out = 1;
	}
	xtcp_finish(t, now_us, v);
}

/**
 * xtcp_user_hold - @n more bytes stand in the send queue, and more will at once
 * @t: block
 * @n: bytes
 * @now_us: now
 *
 * For bytes that come in small pieces whose last is xtcp_user_send()'s, so that
 * they go out as few large segments. Nothing goes now; should the last piece
 * never come, they go as MSG_MORE's do.
 */
void xtcp_user_hold(struct xtcp_tcb *t, u32 n, u64 now_us)
{
	if (t->fin_queued)
		return;
	t->write_seq += n;
	t->more = 1;
	if (!t->n_txq && !t->deadline_us[XTCP_T_REXMIT] && !t->deadline_us[XTCP_T_CORK])
		t->deadline_us[XTCP_T_CORK] = now_us + XTCP_CORK_US;
}

/**
 * xtcp_user_took - RECEIVE (3.10.3): the user took @n bytes
 * @t: block, rcv_free already larger
 * @n: bytes
 *
 * Return: whether anything follows from it; then xtcp_user_read_end() has to be
 * called. A peer who sends little and gets an answer is most often told nothing,
 * and the clock need not be read.
 */
bool xtcp_user_took(struct xtcp_tcb *t, u32 n)
{
	t->copied_seq += n;
	if (t->urg_in && seq_gt(t->copied_seq, t->rcv_up))
		t->urg_in = 0;
	if (t->state == XTCP_CLOSE || t->state == XTCP_TIME_WAIT || t->state == XTCP_LISTEN)
		return false;
	xtcp_ack_after_read(t, n);
	return t->ack_now || t->rcv_rtt_us;
}

/**
 * xtcp_user_sleeps - RECEIVE (3.10.3): the user has read all there is and sleeps for more
 * @t: block
 *
 * Until more has come, there is no answer that could carry an ACK.
 *
 * Return: whether one has to go now; then xtcp_user_read_end() has to be called.
 */
bool xtcp_user_sleeps(struct xtcp_tcb *t)
{
	if (!t->ack_waits)
		return false;
	t->ack_waits = 0;
	t->ack_now = 1;
	return true;
}

/**
 * xtcp_user_read_end - what follows from it
 * @t: block; xtcp_user_took() said so
 * @now_us: now
 * @v: verdict, zeroed first
 */
void xtcp_user_read_end(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	xtcp_verdict_zero(v);
	xtcp_drs_read(t, now_us, v);
	/* else nothing may go out, and no deadline stands, that did not before */
	if (t->ack_now)
		xtcp_finish(t, now_us, v);
}

/**
 * xtcp_user_read - both, for whom the time costs nothing
 * @t: block, rcv_free already larger
 * @n: bytes
 * @now_us: now
 * @v: verdict, zeroed first
 */
void xtcp_user_read(struct xtcp_tcb *t, u32 n, u64 now_us, struct xtcp_verdict *v)
{
	if (xtcp_user_took(t, n))
		xtcp_user_read_end(t, now_us, v);
	else
		xtcp_verdict_zero(v);
}

/* The user will send no more: FIN behind what is queued (3.10.4). */
static void queue_fin(struct xtcp_tcb *t, const char *cause, struct xtcp_verdict *v)
{
	u8 to = t->state == XTCP_CLOSE_WAIT ? XTCP_LAST_ACK : XTCP_FIN_WAIT1;

	if (t->state != XTCP_SYN_RECV && t->state != XTCP_ESTABLISHED &&
	    t->state != XTCP_CLOSE_WAIT)
		return;
	t->fin_queued = 1;
	t->push_seq = t->write_seq;
	xtcp_state_set(t, to, cause, v);
}

/**
 * xtcp_user_shutdown - shutdown(SHUT_WR): FIN behind what is queued (3.10.4)
 * @t: block
 * @now_us: now
 * @v: verdict, zeroed first
 */
void xtcp_user_shutdown(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	xtcp_verdict_zero(v);
	queue_fin(t, "shutdown", v);
	xtcp_finish(t, now_us, v);
}

/**
 * xtcp_user_close - close(): an orphan from now on (3.10.4)
 * @t: block in any state
 * @unread: payload bytes the user never read
 * @now_us: now
 * @v: verdict, zeroed first
 */
void xtcp_user_close(struct xtcp_tcb *t, u32 unread, u64 now_us, struct xtcp_verdict *v)
{
	xtcp_verdict_zero(v);
	t->orphan = 1;
	switch (t->state) {
	case XTCP_CLOSE:
	case XTCP_TIME_WAIT:
		v->flags |= XTCP_V_CLOSED;
		return;
	case XTCP_LISTEN:
	case XTCP_SYN_SENT:
		xtcp_die(t, 0, "close", v);
		break;
	case XTCP_SYN_RECV:
	case XTCP_ESTABLISHED:
	case XTCP_CLOSE_WAIT:
	case XTCP_FIN_WAIT1:
	case XTCP_FIN_WAIT2:
	case XTCP_CLOSING:
	case XTCP_LAST_ACK:
		if (unread) {
			/* RFC 2525 2.17: the peer must not believe it was read */
			xtcp_reply_rst(t, now_us, v);
			xtcp_count(v, XTCP_MIB_ABORT_ON_CLOSE);
			xtcp_die(t, 0, "close with unread data", v);
			break;
		}
		queue_fin(t, "close", v);
		if (t->state == XTCP_FIN_WAIT2)
			xtcp_fin_wait2(t, NULL, now_us, v);
		break;
	}
	xtcp_finish(t, now_us, v);
}

/**
 * xtcp_user_abort - ABORT (3.10.5): SO_LINGER 0, disconnect, orphan limits
 * @t: block in any state
 * @err: positive errno for the user, 0: none
 * @now_us: now
 * @v: verdict, zeroed first
 */
void xtcp_user_abort(struct xtcp_tcb *t, int err, u64 now_us, struct xtcp_verdict *v)
{
	xtcp_verdict_zero(v);
	switch (t->state) {
	case XTCP_SYN_RECV:
	case XTCP_ESTABLISHED:
	case XTCP_FIN_WAIT1:
	case XTCP_FIN_WAIT2:
	case XTCP_CLOSE_WAIT:
		/* 3.10.5 */
		xtcp_reply_rst(t, now_us, v);
		break;
	}
	xtcp_die(t, err, "abort", v);
	v->flags |= XTCP_V_CLOSED;
	xtcp_finish(t, now_us, v);
}

/**
 * xtcp_user_keepalive - SO_KEEPALIVE or a TCP_KEEP* option changed (3.8.4)
 * @t: block
 * @begin: SO_KEEPALIVE: the time begins now; else it has begun with the last segment
 * @now_us: now
 */
void xtcp_user_keepalive(struct xtcp_tcb *t, bool begin, u64 now_us)
{
	u64 ms = t->keep_idle_ms, last = max_t(u64, t->rcv_us, t->lrcv_us);

	if (!ms)
		ms = XTCP_P(t, tcp_keepalive_time) * 1000ULL;
	if (begin)
		t->probes_out = t->rexmit_kind == XTCP_RT_PERSIST ? t->probes_out : 0;
	if (!t->keepalive || !t->syn_acked || t->state == XTCP_CLOSE ||
	    t->state == XTCP_TIME_WAIT)
		t->deadline_us[XTCP_T_KEEP] = 0;
	else
		t->deadline_us[XTCP_T_KEEP] = begin ? now_us + ms * USEC_MS :
					      max_t(u64, last + ms * USEC_MS, now_us + 1);
}

/**
 * xtcp_icmp_error - an ICMP error for this connection (RFC 9293 3.9.2.2)
 * @t: block
 * @err: positive errno
 * @hard: protocol, port or administratively unreachable
 * @now_us: now
 * @v: verdict, zeroed first
 *
 * During the handshake any error ends the attempt, as on Linux (SEEDS X-14).
 * Later none does: it is kept and reported should the connection time out.
 */
void xtcp_icmp_error(struct xtcp_tcb *t, int err, bool hard, u64 now_us,
		     struct xtcp_verdict *v)
{
	xtcp_verdict_zero(v);
	if (t->state == XTCP_SYN_SENT || (t->state == XTCP_SYN_RECV && !t->passive) ||
	    (t->state == XTCP_SYN_RECV && hard))
		xtcp_die(t, err, "ICMP", v);
	else if (t->state != XTCP_CLOSE)
		t->soft_err = err;
	xtcp_finish(t, now_us, v);
}

/**
 * xtcp_mtu_changed - the path MTU changed (RFC 9293 3.7.2, RFC 1191 6.5)
 * @t: block
 * @mss_cap: path MTU less IP and bare TCP header
 * @now_us: now
 * @v: verdict, zeroed first
 *
 * What is in flight and too big now is sent again at once; it was not lost to
 * congestion, so cwnd and ssthresh stay.
 */
void xtcp_mtu_changed(struct xtcp_tcb *t, u16 mss_cap, u64 now_us, struct xtcp_verdict *v)
{
	u32 before = t->mss_now;
	struct xtcp_rng *r;

	xtcp_verdict_zero(v);
	t->mss_cap = mss_cap;
	if (xtcp_mss_update(t) >= before || !t->syn_acked) {
		xtcp_finish(t, now_us, v);
		return;
	}
	xtcp_count(v, XTCP_MIB_PMTU_UPDATE);
	list_for_each_entry(r, &t->txq, link)
		if (!r->sacked && xtcp_rng_len(r) > t->mss_now)
			xtcp_rng_mark(t, r, false, true, false);
	if (t->lost_bytes) {
		t->force_rexmit = 1;
		if (t->ca_state <= XTCP_CA_DISORDER) {
			t->high_seq = t->s.snd_nxt;
			t->dupacks = 0;
			t->prior_cwnd = 0;
			xtcp_ca_set(t, XTCP_CA_LOSS);
		}
	}
	xtcp_finish(t, now_us, v);
}
