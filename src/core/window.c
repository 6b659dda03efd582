// SPDX-License-Identifier: GPL-2.0
/*
 * Windows, both directions: what we offer (RFC 9293 3.8.6.2.2 silly window
 * avoidance, RFC 7323 2 scaling), what the peer offers (3.10.7.4), and dynamic
 * right-sizing of the receive buffer.
 */
#include "internal.h"

static u32 window_limit(const struct xtcp_tcb *t)
{
	u32 lim = 65535U << t->rcv_wscale;

	if (t->window_clamp)
		lim = min_t(u32, lim, max_t(u32, t->window_clamp, t->rcv_mss));
	return lim;
}

/* The window we would like to offer, before the rule that it never shrinks. */
xtcp_hot u32 xtcp_window_wish(const struct xtcp_tcb *t)
{
	u32 free = t->rcv_free, full = t->rcv_full;
	u32 mss = min_t(u32, t->rcv_mss, full), cur = xtcp_rcv_wnd(&t->s);

	if (free < full / 2 && (free < full >> 4 || free < mss))
		return 0;
	free = min_t(u32, free, t->rcv_ssthresh);
	free = min_t(u32, free, window_limit(t));
	if (t->rcv_wscale)
		return free >> t->rcv_wscale << t->rcv_wscale;
	/* the right edge moves by whole segments only */
	if (mss && (cur + mss <= free || cur > free))
		return free / mss * mss;
	if (mss == full && free > cur + full / 2)
		return free;
	return cur;
}

/**
 * xtcp_window_offer - RCV.WND for a segment sent now
 * @t: block with rcv_free and rcv_full fresh
 *
 * Never less than what is already on offer, except for the rounding by the
 * scale that RFC 7323 2.4 permits; data up to rcv_adv is accepted anyhow.
 *
 * Return: bytes, a multiple of 1 << rcv_wscale.
 */
u32 xtcp_window_offer(const struct xtcp_tcb *t)
{
	u32 cur = xtcp_rcv_wnd(&t->s), unit = 1U << t->rcv_wscale;
	u32 wish = xtcp_window_wish(t), up;

	if (wish >= cur)
		return wish;
	up = (cur + unit - 1) & ~(unit - 1);
	if (up > t->rcv_free)
		up = cur & ~(unit - 1);
	return min_t(u32, up, 65535U << t->rcv_wscale);
}

/* As it goes on the wire; in a SYN it is not scaled (RFC 7323 2.2). */
u16 xtcp_window_wire(const struct xtcp_tcb *t, bool syn)
{
	if (syn)
		return min_t(u32, 65535, max_t(u32, xtcp_rcv_wnd(&t->s),
					       min_t(u32, t->rcv_free, t->rcv_ssthresh)));
	return min_t(u32, 65535, xtcp_window_offer(t) >> t->rcv_wscale);
}

/* Before the SYN: start modestly and let good traffic widen the window. */
void xtcp_window_init(struct xtcp_tcb *t)
{
	t->rcv_ssthresh = min_t(u32, t->rcv_free, 65535);
	if (t->window_clamp)
		t->rcv_ssthresh = min_t(u32, t->rcv_ssthresh, max_t(u32, t->window_clamp, 1));
}

/*
 * In-sequence data of @len came and found room: the sender's slow start may
 * answer its ACK with twice as much.
 */
void xtcp_window_grow(struct xtcp_tcb *t, u32 len)
{
	u32 lim = min_t(u32, window_limit(t), t->rcv_full);

	if (t->rcv_ssthresh < lim && len >= 128)
		t->rcv_ssthresh = min_t(u32, lim, t->rcv_ssthresh +
					2 * max_t(u32, t->adv_mss, len));
}

/*
 * 3.10.7.4, fifth check: SND.WL1 and SND.WL2 keep old segments from
 * changing the window. An ACK that advances SND.UNA is newer than all before.
 */
void xtcp_snd_window(struct xtcp_tcb *t, const struct xtcp_seg *g, bool advanced,
		     struct xtcp_verdict *v)
{
	u32 wnd = (u32)g->wnd << (g->flags & XTCP_SYN ? 0 : t->snd_wscale);

	if (!advanced && !seq_lt(t->snd_wl1, g->seq) &&
	    !(t->snd_wl1 == g->seq && seq_leq(t->snd_wl2, g->ack)))
		return;
	t->snd_wl1 = g->seq;
	t->snd_wl2 = g->ack;
	if (wnd > t->snd_wnd)
		v->flags |= XTCP_V_WAKE_WR;
	t->snd_wnd = wnd;
	if (wnd <= t->max_window)
		return;
	t->max_window = wnd;
	/* segments of half a window were too short for that one */
	if (t->syn_acked)
		xtcp_mss_update(t);
}

static void rcv_rtt_sample(struct xtcp_tcb *t, u32 us, bool smooth)
{
	us = max_t(u32, us, 1000);
	if (!t->rcv_rtt_us)
		t->rcv_rtt_us = us;
	else if (smooth)
		t->rcv_rtt_us += us / 8 - t->rcv_rtt_us / 8;
	else
		t->rcv_rtt_us = min_t(u32, t->rcv_rtt_us, us);
}

/* Round-trip time as the receiver sees it: by timestamps, else per window of data. */
void xtcp_drs_data(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us)
{
	if (t->ts_ok && g->opt.has_ts && g->opt.tsecr) {
		u32 ms = xtcp_ts_now(t->ts_off, now_us) - g->opt.tsecr;

		if (g->opt.tsecr == t->rcv_tsecr || g->len < t->rcv_mss || ms > 60000)
			return;
		t->rcv_tsecr = g->opt.tsecr;
		rcv_rtt_sample(t, ms * 1000, true);
		return;
	}
	if (seq_lt(t->s.rcv_nxt, t->rcv_rtt_seq))
		return;
	rcv_rtt_sample(t, min_t(u64, now_us - t->rcv_rtt_start_us, 60 * USEC_S), false);
	t->rcv_rtt_seq = t->s.rcv_nxt + xtcp_rcv_wnd(&t->s);
	t->rcv_rtt_start_us = now_us;
}

/* The user read: once per round trip, has it read more than ever in one? */
void xtcp_drs_read(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	u32 copied = t->copied_seq - t->rcvq_seq;
	u64 want, grow;

	if (!t->rcv_rtt_us || now_us - t->rcvq_us < t->rcv_rtt_us)
		return;
	if (copied > t->rcvq_space) {
		/* twice the rate, for the peer's slow start doubles it meanwhile */
		want = 2ULL * copied + 16 * (u64)t->adv_mss;
		grow = div_u64(want * (copied - t->rcvq_space), max_t(u32, t->rcvq_space, 1));
		want = min_t(u64, want + 2 * grow, 1U << 30);
		t->rcvq_space = copied;
		if (XTCP_P(t, tcp_moderate_rcvbuf)) {
			v->flags |= XTCP_V_RCVBUF;
			v->rcv_want = want;
		}
	}
	t->rcvq_seq = t->copied_seq;
	t->rcvq_us = now_us;
}
