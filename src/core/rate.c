// SPDX-License-Identifier: GPL-2.0
/*
 * Delivery rate (draft-cheng-iccrg-delivery-rate-estimation): how many bytes the
 * peer got between the transmission of a range and the ACK that tells of it,
 * over the longer of two times: the one in which they were sent, and the one in
 * which they were acknowledged. The shorter may be the work of a queue or of
 * ACKs that came in a bunch.
 *
 * Bytes and times count modulo 2^32; what is in flight is much younger.
 */
#include "internal.h"

/**
 * xtcp_rate_sent - a range goes out, for the first time or again
 * @t: block
 * @r: range, in the txq or about to be
 * @now_us: now
 */
void xtcp_rate_sent(struct xtcp_tcb *t, struct xtcp_rng *r, u64 now_us)
{
	if (!t->n_txq) {
		t->rs_first_us = now_us;
		t->rs_us = now_us;
	}
	r->rs_first_us = t->rs_first_us;
	r->rs_us = t->rs_us;
	r->rs_bytes = t->rs_bytes;
	r->app_limited = !!t->app_limited;
}

/**
 * xtcp_rate_arrived - the peer has @n bytes of a range that it was not known to have
 * @t: block
 * @r: range, or the one they are a part of
 * @n: bytes
 * @c: the ACK that says so
 *
 * The range sent last among those of an ACK makes the sample.
 */
void xtcp_rate_arrived(struct xtcp_tcb *t, const struct xtcp_rng *r, u32 n, struct xtcp_ackctx *c)
{
	t->rs_bytes += n;
	if (c->rs_xmit_us > r->xmit_us)
		return;
	c->rs_xmit_us = r->xmit_us;
	c->rs_prior = r->rs_bytes;
	c->rs_prior_us = r->rs_us;
	c->rs_send_us = (u32)r->xmit_us - r->rs_first_us;
	c->rs_app_limited = r->app_limited;
}

/**
 * xtcp_rate_update - the best rate so far, for TCP_INFO
 * @t: block; every range the ACK covers has been through xtcp_rate_arrived()
 * @c: the ACK
 *
 * As long as the user has too little to send, a slower one is the user's.
 *
 * Return: in how many microseconds t->rs_bytes - c->rs_prior bytes arrived, 0: not known.
 */
u32 xtcp_rate_update(struct xtcp_tcb *t, const struct xtcp_ackctx *c)
{
	u32 us, bytes = t->rs_bytes - c->rs_prior;

	if (t->app_limited && (s32)(t->rs_bytes - t->app_limited) > 0)
		t->app_limited = 0;
	if (!c->rs_xmit_us)
		return 0;
	us = max_t(u32, c->rs_send_us, (u32)c->now_us - c->rs_prior_us);
	t->rs_us = c->now_us;
	t->rs_first_us = c->rs_xmit_us;
	/* so fast nobody is: ACKs of what has been sent twice */
	if (!us || us < t->min_rtt_us)
		return 0;
	if (c->rs_app_limited && (u64)bytes * t->rate_us < (u64)t->rate_bytes * us)
		return us;
	t->rate_bytes = bytes;
	t->rate_us = us;
	t->rate_app_limited = c->rs_app_limited;
	return us;
}

/**
 * xtcp_rate_sample - what an ACK says about the rate, for who goes by it
 * @t: block, as for xtcp_rate_update(), which this is
 * @c: the ACK
 * @rs: filled in
 */
void xtcp_rate_sample(struct xtcp_tcb *t, const struct xtcp_ackctx *c, struct xtcp_rs *rs)
{
	memset(rs, 0, sizeof(*rs));
	rs->acked = c->fresh + c->sacked;
	rs->us = xtcp_rate_update(t, c);
	if (!c->rs_xmit_us)
		return;
	rs->prior = c->rs_prior;
	rs->bytes = t->rs_bytes - c->rs_prior;
	rs->app_limited = c->rs_app_limited;
}

/**
 * xtcp_rate_idle - the user writes: had everything gone out, and was there room for more?
 * @t: block, before the new bytes; dev_busy as it is
 *
 * Then what is in flight now tells how fast the user is, not the path.
 */
void xtcp_rate_idle(struct xtcp_tcb *t)
{
	u32 pipe;

	if (!t->syn_acked || t->dev_busy || t->lost_bytes ||
	    t->write_seq - t->s.snd_nxt >= t->mss_now)
		return;
	pipe = xtcp_pipe(t);
	if (pipe < (u64)t->cwnd * t->mss_now)
		t->app_limited = (t->rs_bytes + pipe) ?: 1;
}

/**
 * xtcp_delivery_rate - for TCP_INFO
 * @t: block
 *
 * Return: bytes a second, 0: not known.
 */
u64 xtcp_delivery_rate(const struct xtcp_tcb *t)
{
	return t->rate_us ? div_u64((u64)t->rate_bytes * USEC_S, t->rate_us) : 0;
}
