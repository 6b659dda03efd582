// SPDX-License-Identifier: GPL-2.0
/*
 * RFC 8985: what was sent clearly before something that has arrived is lost
 * (RACK), and a flight whose tail gets no answer is probed (TLP).
 *
 * RACK keeps the newest transmission known to have arrived. Every range that
 * was sent before it and has not come within its round-trip time and a window
 * for reordering is lost, be it a retransmission or not; what is not yet over
 * the limit waits for XTCP_T_REXMIT as XTCP_RT_REO.
 */
#include "internal.h"

/* Bits of tcp_recovery */
#define RACK_ON			1
#define RACK_STATIC		2	/* the reordering window does not follow DSACKs */
#define RACK_NO_DUPTHRESH	4	/* segments above a hole do not count */

#define REO_PERSIST		16	/* recoveries that a wider window outlives */
#define TLP_SLACK_US		(10 * USEC_MS)	/* both ends' timers are no finer */
#define TLP_EARLY_RETRANS	3	/* tcp_early_retrans: from here on TLP is on */

/* RFC 8985 6.1, RACK_sent_after() */
static bool sent_after(u64 us, u32 end, u64 us2, u32 end2)
{
	return us > us2 || (us == us2 && seq_gt(end, end2));
}

/**
 * xtcp_rack_on - does RACK find the losses of this connection?
 * @t: block
 *
 * Return: false if the peer sends no SACKs or tcp_recovery says so.
 */
bool xtcp_rack_on(const struct xtcp_tcb *t)
{
	return t->sack_ok && (XTCP_P(t, tcp_recovery) & RACK_ON);
}

/**
 * xtcp_rack_arrived - the peer has a range, or the first part of one (6.2, steps 1 to 3)
 * @t: block
 * @r: range
 * @end: how far the peer has it
 * @c: the ACK that says so; gets reord and orig
 *
 * Of a range sent twice the last transmission is meant only if it can have
 * come back by now and the ACK does not echo an earlier one.
 */
xtcp_hot void xtcp_rack_arrived(struct xtcp_tcb *t, const struct xtcp_rng *r, u32 end,
				struct xtcp_ackctx *c)
{
	u64 rtt_us = c->now_us - r->xmit_us;

	t->fack = seq_max(t->fack, end);
	if (r->xmits > 1) {
		if (rtt_us < t->min_rtt_us)
			return;
		if (c->has_ts && c->tsecr && seq_lt(c->tsecr, xtcp_ts_now(t->ts_off, r->xmit_us)))
			return;
	} else {
		if (unlikely(seq_lt(end, c->prior_fack))) {
			c->reord_seq = c->reord ? seq_min(c->reord_seq, r->seq) : r->seq;
			c->reord = true;
		}
		c->orig |= seq_leq(end, t->high_seq);
	}
	if (!sent_after(r->xmit_us, end, t->newest_us, t->newest_end))
		return;
	t->newest_us = r->xmit_us;
	t->newest_end = end;
	t->rack_rtt_us = min_t(u64, rtt_us, 1U << 28);
}

/**
 * xtcp_rack_dsack - a DSACK widens the reordering window, once a round trip (6.2, step 4)
 * @t: block
 * @c: the ACK
 */
void xtcp_rack_dsack(struct xtcp_tcb *t, const struct xtcp_ackctx *c)
{
	if (t->dsack_round && seq_geq(t->s.snd_una, t->dsack_seq))
		t->dsack_round = 0;
	if (!c->dsack || t->dsack_round)
		return;
	t->dsack_round = 1;
	t->dsack_seq = t->s.snd_nxt;
	t->reo_persist = REO_PERSIST;
	if (t->reo_mult < 255)
		t->reo_mult++;
}

/**
 * xtcp_rack_recovered - a recovery is over: so many, and the window is as at first
 * @t: block
 */
void xtcp_rack_recovered(struct xtcp_tcb *t)
{
	if (t->reo_persist && !--t->reo_persist)
		t->reo_mult = 1;
}

/* RFC 8985 6.2 step 4, RACK_update_reo_wnd() */
static u32 reo_wnd_us(const struct xtcp_tcb *t)
{
	u32 mode = XTCP_P(t, tcp_recovery), mult = mode & RACK_STATIC ? 1 : t->reo_mult;

	if (!t->reord_seen) {
		if (t->ca_state >= XTCP_CA_RECOVERY)
			return 0;
		if (!(mode & RACK_NO_DUPTHRESH) &&
		    xtcp_segs_of(t, t->sacked_bytes) >= xtcp_reordering(t))
			return 0;
	}
	return min_t(u64, (u64)(t->min_rtt_us / 4) * mult, t->srtt_us >> 3);
}

/**
 * xtcp_rack_detect - mark what is lost (6.2, step 5)
 * @t: block
 * @now_us: now
 * @v: verdict, for counters
 *
 * Return: after how many microseconds to look again, 0: no need to.
 */
u32 xtcp_rack_detect(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	struct xtcp_rng *r, *n;
	bool again = false;
	u64 wait_us, left_us = 0;

	if (!t->newest_us)
		return 0;
	wait_us = (u64)t->rack_rtt_us + reo_wnd_us(t);
	list_for_each_entry_safe(r, n, &t->sent, sent) {
		if (r->xmit_us > t->newest_us)
			break;
		if (!sent_after(t->newest_us, t->newest_end, r->xmit_us, r->end))
			continue;
		if (r->xmit_us + wait_us > now_us) {
			left_us = max_t(u64, left_us, r->xmit_us + wait_us - now_us);
			continue;
		}
		again |= r->retrans;
		xtcp_rng_mark(t, r, false, true, false);
	}
	if (again)
		xtcp_count(v, XTCP_MIB_LOST_RETRANSMIT);
	return left_us;
}

/**
 * xtcp_tlp_ok - may a probe of the tail be scheduled (7.2)?
 * @t: block
 *
 * Return: whether something is in flight, nothing is in doubt, and no probe is out.
 */
bool xtcp_tlp_ok(const struct xtcp_tcb *t)
{
	return t->n_txq && t->syn_acked && t->sack_ok && t->srtt_us &&
	       (t->ca_state == XTCP_CA_OPEN || t->ca_state == XTCP_CA_CWR) &&
	       !t->sacked_bytes && !t->lost_bytes && !t->tlp_out && !t->tlp_due &&
	       XTCP_P(t, tcp_early_retrans) >= TLP_EARLY_RETRANS;
}

/**
 * xtcp_tlp_arm - schedule the probe; the retransmission timeout is known already
 * @t: block, xtcp_tlp_ok()
 * @now_us: now
 *
 * Two round trips from now, but not after the timeout. A single segment's ACK
 * may be delayed; where that makes it the later of the two the timeout stays,
 * for it sends the very same segment.
 */
xtcp_hot void xtcp_tlp_arm(struct xtcp_tcb *t, u64 now_us)
{
	u64 pto_us = (t->srtt_us >> 2) + TLP_SLACK_US, rto_at;
	bool single = t->s.snd_nxt - t->s.snd_una <= t->mss_now;

	xtcp_early_off(t);
	rto_at = t->deadline_us[XTCP_T_REXMIT];
	if (single)
		pto_us += XTCP_DELACK_MAX_US;
	else if (now_us + pto_us > rto_at && rto_at > now_us)
		pto_us = rto_at - now_us;
	xtcp_early_arm(t, XTCP_RT_TLP, pto_us, now_us);
}

/**
 * xtcp_tlp_sent - the probe went out (7.3)
 * @t: block
 * @retrans: it was a retransmission
 */
void xtcp_tlp_sent(struct xtcp_tcb *t, bool retrans)
{
	t->tlp_due = 0;
	t->tlp_out = 1;
	t->tlp_retrans = retrans;
	t->tlp_end = t->s.snd_nxt;
}

/**
 * xtcp_tlp_ack - what an ACK says about the probe (7.4.2)
 * @t: block, snd_una up to date
 * @c: the ACK; a DSACK for the probe is about nothing else, and is taken out
 *
 * Return: whether the probe repaired a loss that nobody else has seen.
 */
bool xtcp_tlp_ack(struct xtcp_tcb *t, struct xtcp_ackctx *c)
{
	if (!t->tlp_out || seq_lt(t->s.snd_una, t->tlp_end))
		return false;
	if (!t->tlp_retrans) {
		t->tlp_out = 0;
		return false;
	}
	/* both came: a FIN is in no DSACK */
	if (c->dsack && seq_geq(c->dsack_end + t->fin_sent, t->tlp_end)) {
		t->tlp_out = 0;
		c->dsack = false;
		return false;
	}
	if (seq_gt(t->s.snd_una, t->tlp_end)) {
		t->tlp_out = 0;
		return true;
	}
	/* both came, and the peer does not tell of duplicates */
	if (c->again && !c->sacked)
		t->tlp_out = 0;
	return false;
}
