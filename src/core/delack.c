// SPDX-License-Identifier: GPL-2.0
/*
 * When to acknowledge: RFC 9293 3.8.6.3, RFC 5681 4.2. The first segments and
 * those after a disturbance are acknowledged at once ("quick"), a connection
 * that answers what it receives ("pingpong") waits for its own data to carry
 * the ACK, and every second full-sized segment is acknowledged as soon as the
 * window allows the peer to send as much again.
 *
 * Linux acknowledges the first data of a connection when they arrive, and the end
 * of each write when it is read, unless the user is known to answer. Often he
 * is about to, to close, or to read what comes next, and an ACK that waited a moment
 * would have gone with that: on a connection for one request two of ten segments
 * are such ACKs. So the ACK of pushed data waits tcp_delack_push_us; but not
 * where the reader has gone to sleep, who sends nothing before more has come,
 * nor after a disturbance. If nothing came in that time, the peer may be one
 * who waits for it (Nagle): the next 4, 16, 64 such ACKs go as Linux's do.
 */
#include "internal.h"

u32 xtcp_ato_min_us(const struct xtcp_tcb *t)
{
	return (u32)XTCP_P(t, tcp_delack_min_ms) * 1000;
}

/* The next ACKs go out at once, as many as half a window can need. */
void xtcp_ack_quick(struct xtcp_tcb *t)
{
	u32 n = xtcp_rcv_wnd(&t->s) / max_t(u32, 2 * t->rcv_mss, 1);

	n = clamp_t(u32, n, 2, XTCP_QUICKACKS);
	if (n > t->quick)
		t->quick = n;
}

/*
 * The peer needs to hear of a loss, or that something came twice: all ACKs of
 * this time go at once.
 */
void xtcp_ack_urgent(struct xtcp_tcb *t)
{
	xtcp_ack_quick(t);
	t->ack_skip = max_t(u8, t->ack_skip, t->quick);
}

/* In-sequence data arrived: adapt the delay to the pace of the peer. */
void xtcp_ack_data(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us)
{
	u32 wire = g->mss ? min_t(u32, g->mss, g->len) : g->len, ato_min = xtcp_ato_min_us(t);
	u64 gap = now_us - t->lrcv_us;

	t->ack_sched = 1;
	if (wire >= t->rcv_mss)
		t->rcv_mss = min_t(u32, wire, max_t(u32, t->adv_mss, t->rcv_mss));
	/* the end of what the peer's user wrote: the peer may have to wait for this ACK */
	if (wire < t->rcv_mss || (g->flags & XTCP_PSH))
		t->ack_pushed = 1;
	if (!t->ato_us) {
		xtcp_ack_quick(t);
		t->ato_us = ato_min;
	} else if (gap <= ato_min / 2) {
		t->ato_us = t->ato_us / 2 + ato_min / 2;
	} else if (gap < t->ato_us) {
		t->ato_us = min_t(u64, t->ato_us / 2 + gap, t->rto_us);
	} else if (gap > t->rto_us) {
		/* a new burst: the peer may be in slow start again */
		xtcp_ack_quick(t);
	}
	t->lrcv_us = now_us;
	xtcp_ecn_data(t, g);
}

static u64 delack_us(const struct xtcp_tcb *t)
{
	u64 ato = t->ato_us, min_us = xtcp_ato_min_us(t), max_us = 500 * USEC_MS;

	if (ato > min_us) {
		if (t->pingpong || t->ack_pushed)
			max_us = XTCP_DELACK_MAX_US;
		if (t->srtt_us)
			max_us = min_t(u64, max_us, max_t(u64, t->srtt_us >> 3, min_us));
		ato = min_t(u64, ato, max_us);
	}
	return min_t(u64, ato, XTCP_DELACK_MAX_US);
}

/*
 * Does more than one full-sized segment wait for its ACK, and would that ACK
 * say all there is to say? If what it acknowledges stands unread in the buffer,
 * the right edge could not move: the reader's call sends it (or the timer), and
 * one ACK will do for both (Linux: __tcp_ack_snd_check()). A reader that
 * waits for more than there is will not call.
 */
static bool ack_two(const struct xtcp_tcb *t)
{
	u32 wnd = t->s.rcv_adv - t->rcv_wup;

	if (t->s.rcv_nxt - t->rcv_wup <= t->rcv_mss)
		return false;
	if (t->s.rcv_nxt - t->copied_seq < t->rcv_lowat)
		return true;
	/* what is wished for is no more than there is */
	return min_t(u32, t->rcv_free, t->rcv_ssthresh) >= wnd && xtcp_window_wish(t) >= wnd;
}

/* How long the ACK waits for an answer that may never come; 0: it does not. */
static u32 push_wait_us(const struct xtcp_tcb *t)
{
	if (!t->ack_pushed || t->pingpong || t->ack_skip ||
	    t->s.rcv_nxt - t->rcv_wup > XTCP_ACK_WAIT_BYTES)
		return 0;
	return min_t(u32, XTCP_P(t, tcp_delack_push_us), xtcp_ato_min_us(t));
}

/* It has waited in vain. */
void xtcp_ack_waited(struct xtcp_tcb *t)
{
	t->ack_waits = 0;
	t->ack_futile = min_t(u8, t->ack_futile + 1, XTCP_ACK_FUTILE_MAX);
	/* this one counts, too */
	t->ack_skip = (1U << 2 * t->ack_futile) + 1;
	t->ack_now = 1;
}

/*
 * The SYN-ACK. Its ACK goes at once, for the peer's accept() waits for it, unless the
 * user has said before connect() that his data follow (TCP_DEFER_ACCEPT, ack_third, or
 * TCP_QUICKACK 0, pingpong): then it goes with those, as on Linux, or when he goes to
 * sleep as a reader. tcp_delack_synack_us is for users who do not know of that.
 */
void xtcp_ack_synack(struct xtcp_tcb *t, u64 now_us)
{
	bool told = t->pingpong || t->ack_third;
	u32 us = told ? XTCP_DELACK_MAX_US : (u32)XTCP_P(t, tcp_delack_synack_us);

	if (!us || (t->quickack_user && !t->ack_third)) {
		t->ack_now = 1;
		return;
	}
	t->pingpong = 0;
	t->ack_sched = 1;
	t->ack_waits = 1;
	t->deadline_us[XTCP_T_DELACK] = now_us + us;
}

/* Something was received: acknowledge now, later, or not at all. */
void xtcp_ack_decide(struct xtcp_tcb *t, u64 now_us)
{
	u64 us;

	if (t->ack_now || !t->ack_sched)
		return;
	/* nothing but a SYN-ACK: xtcp_ack_synack() has said when */
	if (t->s.rcv_nxt == t->rcv_wup && !t->n_oooq)
		return;
	if (t->quickack_user || t->n_oooq || ack_two(t)) {
		t->ack_now = 1;
		return;
	}
	us = push_wait_us(t);
	t->ack_waits = us != 0;
	if (!us && (!t->quick || t->pingpong))
		us = delack_us(t);
	if (!us) {
		t->ack_now = 1;
		return;
	}
	if (!t->deadline_us[XTCP_T_DELACK] || t->deadline_us[XTCP_T_DELACK] > now_us + us)
		t->deadline_us[XTCP_T_DELACK] = now_us + us;
}

/* The user took @n bytes (RFC 9293 3.8.6.2.2: tell the peer when it is worth it). */
void xtcp_ack_after_read(struct xtcp_tcb *t, u32 n)
{
	u32 cur = xtcp_rcv_wnd(&t->s), wnd;

	if (t->ack_sched && (t->s.rcv_nxt - t->rcv_wup > t->rcv_mss ||
			     (n && t->ack_pushed && !t->pingpong && !t->ack_waits &&
			      t->copied_seq == t->s.rcv_nxt))) {
		t->ack_now = 1;
		return;
	}
	/* a window is no larger than rcv_ssthresh, unless it is that already */
	if (!n || t->fin_rcvd || (cur >= 1U << t->rcv_wscale && 2 * cur > t->rcv_ssthresh))
		return;
	wnd = xtcp_window_offer(t);
	if (wnd && wnd >= 2 * cur)
		t->ack_now = 1;
}

/*
 * A segment with an ACK went out. If that ACK has waited, it did not go alone, or for more
 * than it waited for.
 */
void xtcp_ack_sent(struct xtcp_tcb *t, u32 segs)
{
	if (t->ack_waits) {
		t->ack_waits = 0;
		t->ack_futile = 0;
	} else if (t->ack_skip) {
		t->ack_skip--;
	}
	t->rcv_wup = t->s.rcv_nxt;
	t->ack_now = 0;
	t->ack_sched = 0;
	t->ack_pushed = 0;
	t->dsack_set = 0;
	if (!t->out_retry)
		t->deadline_us[XTCP_T_DELACK] = 0;
	if (!t->quick)
		return;
	if (segs >= t->quick) {
		t->quick = 0;
		t->ato_us = xtcp_ato_min_us(t);
	} else {
		t->quick -= segs;
	}
}
