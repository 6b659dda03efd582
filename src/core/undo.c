// SPDX-License-Identifier: GPL-2.0
/*
 * A loss that was none: Eifel detection by timestamps (RFC 3522), DSACKs for
 * all that was sent twice (RFC 3708), F-RTO (RFC 5682); the response is to go
 * back to the window of before (RFC 4015).
 */
#include "internal.h"

/* What the next ACK decides (RFC 5682 2.1) */
enum { FRTO_OFF, FRTO_FIRST, FRTO_SECOND };

#define FRTO_CWND	3	/* step 3a */

/*
 * The ACK echoes a timestamp older than the first retransmission, so the
 * original was delivered after all (RFC 3522 3.2).
 */
static bool eifel(const struct xtcp_tcb *t, const struct xtcp_ackctx *c)
{
	return t->ca_state >= XTCP_CA_RECOVERY && c->acked && c->has_ts && c->tsecr &&
	       t->retrans_us && c->prior_una == t->undo_una &&
	       seq_lt(c->tsecr, xtcp_ts_now(t->ts_off, t->retrans_us));
}

/* Has the peer told of a duplicate of all that was sent twice since undo_una? */
static bool all_twice(struct xtcp_tcb *t, const struct xtcp_ackctx *c)
{
	if (!c->dsack || !t->undo_bytes || t->dsack_dups > t->total_retrans ||
	    !seq_between(c->dsack_start, t->undo_una, t->s.snd_nxt) ||
	    !seq_between(c->dsack_end, t->undo_una, t->s.snd_nxt))
		return false;
	t->undo_bytes -= min_t(u32, t->undo_bytes, c->dsack_end - c->dsack_start);
	return !t->undo_bytes;
}

/**
 * xtcp_undo - nothing was lost: the window of before, and on
 * @t: block
 * @why: what is counted
 * @v: verdict
 */
void xtcp_undo(struct xtcp_tcb *t, enum xtcp_mib why, struct xtcp_verdict *v)
{
	xtcp_count(v, why);
	if (t->ca_state == XTCP_CA_LOSS)
		xtcp_count(v, XTCP_MIB_SPURIOUS_RTOS);
	else
		t->reord_seen++;
	xtcp_txq_none_lost(t, true);
	t->cwnd = max_t(u32, t->cwnd, t->prior_cwnd);
	t->ssthresh = max_t(u32, t->ssthresh, t->prior_ssthresh);
	t->force_rexmit = 0;
	/* it may be the retransmission that is taken for the newest arrival */
	t->newest_us = 0;
	t->prior_cwnd = 0;
	t->ecn_cwr = 0;
	if (t->cc->undo)
		t->cc->undo(t);
	xtcp_recovery_end(t);
}

/**
 * xtcp_undo_ack - does this ACK prove that nothing was lost?
 * @t: block
 * @c: the ACK
 * @v: verdict
 *
 * A DSACK may come when the recovery is long over.
 *
 * Return: whether it did, and all is as before.
 */
bool xtcp_undo_ack(struct xtcp_tcb *t, const struct xtcp_ackctx *c, struct xtcp_verdict *v)
{
	bool twice, echo;

	if (!t->prior_cwnd)
		return false;
	twice = all_twice(t, c);
	echo = eifel(t, c);
	/* RFC 5682, step 3b: for something that was never repeated */
	if (!twice && !echo && !(t->frto == FRTO_SECOND && c->orig))
		return false;
	if (t->ca_state == XTCP_CA_LOSS) {
		xtcp_undo(t, XTCP_MIB_LOSS_UNDO, v);
	} else if (!echo) {
		xtcp_undo(t, XTCP_MIB_DSACK_UNDO, v);
	} else if (seq_geq(t->s.snd_una, t->high_seq)) {
		xtcp_undo(t, XTCP_MIB_FULL_UNDO, v);
	} else {
		if (t->sack_ok)
			xtcp_reordering_seen(t, xtcp_segs_of(t, t->fack - c->prior_una));
		xtcp_undo(t, XTCP_MIB_PARTIAL_UNDO, v);
	}
	return true;
}

/* Step 2b wants new data on its way: is there any, and may it go? */
static bool new_data(const struct xtcp_tcb *t)
{
	u32 nxt = t->s.snd_nxt;

	return !t->fin_sent && t->write_seq - nxt >= t->mss_now &&
	       seq_geq(xtcp_wnd_end(t), nxt + t->mss_now);
}

/**
 * xtcp_frto_begin - only the head is repeated until F-RTO knows more
 * @t: block, all of the flight marked lost by a first timeout
 */
void xtcp_frto_begin(struct xtcp_tcb *t)
{
	t->frto = FRTO_FIRST;
	xtcp_txq_none_lost(t, false);
	xtcp_txq_mark_head(t);
}

/**
 * xtcp_frto_ack - was the timeout spurious (RFC 5682 2.1, 3.1, steps 2 and 3)?
 * @t: block, XTCP_CA_LOSS, high_seq not yet reached
 * @c: the ACK
 *
 * The first ACK that advances lets new data out instead of repetitions. If the
 * next one is for something that was never repeated, xtcp_undo_ack() sees it:
 * the flight was only late.
 *
 * Return: whether nothing else is to be made of this ACK.
 */
bool xtcp_frto_ack(struct xtcp_tcb *t, const struct xtcp_ackctx *c)
{
	if (t->frto == FRTO_OFF)
		return false;
	if (!c->acked && !c->dup)
		return true;
	if (t->frto == FRTO_FIRST && c->acked && new_data(t)) {
		t->frto = FRTO_SECOND;
		t->cwnd = xtcp_segs_of(t, xtcp_pipe(t)) + 2;
		t->cwnd_cnt = 0;
		return true;
	}
	if (t->frto == FRTO_SECOND) {
		if (!c->dup)
			return true;
		t->cwnd = min_t(u32, t->cwnd, FRTO_CWND);
	}
	t->frto = FRTO_OFF;
	xtcp_txq_orig_lost(t);
	return false;
}
