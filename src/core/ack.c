// SPDX-License-Identifier: GPL-2.0
/* SEGMENT ARRIVES, fifth check: the ACK field (RFC 9293 3.10.7.4, RFC 5961 5.2). */
#include "internal.h"

/* Is the ACK one we may use? Answers it if not. */
static bool ack_acceptable(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			   struct xtcp_verdict *v)
{
	if (!(g->flags & XTCP_ACK)) {
		xtcp_drop_seg(v, XTCP_DROP_NO_ACK);
		return false;
	}
	if (!t->syn_acked) {
		/* SYN-RECEIVED: anything but an ACK of our SYN gets a RST */
		if (seq_gt(g->ack, t->s.snd_una) && seq_leq(g->ack, t->s.snd_nxt))
			return true;
		xtcp_drop_seg(v, XTCP_DROP_ACK_BAD);
		xtcp_reply_closed(g, v);
		return false;
	}
	if (seq_gt(g->ack, t->s.snd_nxt)) {
		xtcp_drop_seg(v, XTCP_DROP_ACK_FUTURE);
		xtcp_reply_challenge(t, g, now_us, v);
		return false;
	}
	if (seq_lt(g->ack, t->s.snd_una - t->max_window)) {
		xtcp_drop_seg(v, XTCP_DROP_ACK_OLD);
		xtcp_reply_challenge(t, g, now_us, v);
		return false;
	}
	return true;
}

/* RFC 6298 3 (Karn) first, RFC 7323 4 where everything acked was resent. */
static void ack_rtt(struct xtcp_tcb *t, const struct xtcp_ackctx *c, u64 now_us)
{
	u32 ms;

	if (c->sent_us || c->sack_us) {
		u64 us = now_us - (c->sent_us ? c->sent_us : c->sack_us);

		xtcp_rtt_sample(t, min_t(u64, us, 1U << 28), now_us);
		return;
	}
	if (!c->acked || !c->has_ts || !c->tsecr)
		return;
	/* An echo from before the retransmission that this ACK answers has waited
	 * for our timer; as a sample it would make the timer longer and longer.
	 */
	if (c->resent_us && seq_lt(c->tsecr, xtcp_ts_now(t->ts_off, c->resent_us)))
		return;
	ms = xtcp_ts_now(t->ts_off, now_us) - c->tsecr;
	if (ms < 1U << 18)
		xtcp_rtt_sample(t, max_t(u32, ms, 1) * 1000, now_us);
}

/* RFC 5681 2: what makes an ACK a duplicate. */
static bool is_dup(const struct xtcp_tcb *t, const struct xtcp_seg *g, u32 wnd_before)
{
	return g->ack == t->s.snd_una && !g->len &&
	       !(g->flags & (XTCP_SYN | XTCP_FIN)) && t->snd_wnd == wnd_before;
}

/* SND.UNA moved: what waited for it. */
static void ack_progress(struct xtcp_tcb *t, const struct xtcp_ackctx *c, u64 now_us,
			 struct xtcp_verdict *v)
{
	t->bytes_acked += c->acked;
	t->retransmits = 0;
	/* MSG_MORE keeps back until the next ACK, as on Linux, and 200 ms at most */
	t->more = 0;
	t->una_us = t->n_txq || xtcp_pending(t) ? now_us : 0;
	if (t->urg_out && seq_geq(t->s.snd_una, t->snd_up))
		t->urg_out = 0;
	v->flags |= XTCP_V_ACKED | XTCP_V_WAKE_WR | XTCP_V_CONFIRM;
	if (t->n_txq) {
		xtcp_rto_arm(t, now_us);
		return;
	}
	t->deadline_us[XTCP_T_REXMIT] = 0;
	if (t->busy)
		t->busy_us += now_us;
	t->busy = 0;
}

/*
 * Header prediction, sending: nothing is in doubt, and the ACK has no news but that
 * something has arrived, of which xtcp_txq_ack() then says that it was sent first and
 * once. Loss recovery would find nothing to do.
 */
static bool ack_foreseen(const struct xtcp_tcb *t, const struct xtcp_seg *g)
{
	return t->ca_state == XTCP_CA_OPEN && g->ack != t->s.snd_una && !g->opt.nsack &&
	       !(g->flags & (XTCP_ECE | XTCP_CWR)) && !t->cc->control && !t->tlp_out &&
	       !(t->sacked_bytes | t->lost_bytes | t->retrans_bytes |
		 t->dupacks) && t->syn_acked;
}

static void ack_take(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		     struct xtcp_verdict *v)
{
	struct xtcp_ackctx c = { .prior_una = t->s.snd_una, .prior_fack = t->fack,
				 .now_us = now_us };
	u32 wnd_before = t->snd_wnd, delivered = t->delivered;
	bool foreseen = ack_foreseen(t, g);

	c.ece = xtcp_ecn_echoed(t, g);
	c.has_ts = t->ts_ok && g->opt.has_ts;
	c.tsecr = g->opt.tsecr;
	c.acked = g->ack - t->s.snd_una;
	xtcp_snd_window(t, g, c.acked, v);
	if (c.acked) {
		t->s.snd_una = g->ack;
		xtcp_txq_ack(t, g->ack, &c);
	}
	if (xtcp_foreseen(foreseen && c.sent_us && !c.reord)) {
		xtcp_rtt_sample(t, min_t(u64, now_us - c.sent_us, 1U << 28), now_us);
		xtcp_recovery_plain(t, &c, now_us, v);
		goto progress;
	}
	if (g->opt.nsack)
		c.sacked = xtcp_sack_arrives(t, g, &c, v);
	if (c.ece) {
		v->delivered_ce = t->delivered - delivered;
		t->delivered_ce += v->delivered_ce;
	}
	/* RFC 6675 2: with SACK, a duplicate is an ACK that brings SACK news */
	if (!c.acked) {
		c.again = is_dup(t, g, wnd_before);
		c.dup = t->sack_ok ? c.sacked > 0 : c.again && t->n_txq;
	}
	ack_rtt(t, &c, now_us);
	if (t->syn_acked)
		xtcp_recovery_ack(t, &c, now_us, v);
progress:
	if (c.acked) {
		xtcp_mtup_ack(t, v);
		ack_progress(t, &c, now_us, v);
	}
	xtcp_recovery_timer(t, &c, now_us);
}

/*
 * Header prediction, receiving: data from a peer that owes us no ACK and sends
 * none that could be news. ack_take() would come to the window and no further.
 */
static bool ack_only_window(const struct xtcp_tcb *t, const struct xtcp_seg *g)
{
	return g->len && g->ack == t->s.snd_una && !t->n_txq && !g->opt.nsack &&
	       !(g->flags & (XTCP_ECE | XTCP_CWR)) &&
	       t->ca_state == XTCP_CA_OPEN && !t->prior_cwnd && !t->tlp_out;
}

/* The ACK of our SYN, or SYN-ACK. */
static void ack_syn(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		    struct xtcp_verdict *v)
{
	u16 resent = t->retransmits;

	ack_take(t, g, now_us, v);
	if (t->state == XTCP_SYN_RECV)
		xtcp_state_set(t, XTCP_ESTABLISHED, "ACK of SYN", v);
	else if (t->state == XTCP_SYN_SENT)
		xtcp_state_set(t, XTCP_ESTABLISHED, "SYN-ACK", v);
	/* the window in a SYN-ACK was not scaled, so WL1 lets the next one in */
	t->retransmits = resent;
	xtcp_established(t, now_us, v);
	t->retransmits = 0;
	t->backoff = 0;
	/* RFC 6298 5.7: the SYN timed out and nothing was measured */
	if (!t->srtt_us && resent)
		t->rto_us = max_t(u32, t->rto_us, 3000000);
	t->retrans_us = 0;
	t->prior_cwnd = 0;
	t->high_seq = t->s.snd_una - 1;
	t->fack = t->s.snd_una;
	t->newest_us = 0;
	xtcp_ca_set(t, XTCP_CA_OPEN);
	if (t->n_txq)
		xtcp_rto_arm(t, now_us);
}

/* An old duplicate: only its SACK blocks may be news. */
static noinline void ack_old(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			     struct xtcp_verdict *v)
{
	struct xtcp_ackctx c = { .now_us = now_us, .prior_una = t->s.snd_una,
				 .prior_fack = t->fack };

	if (g->opt.nsack)
		c.sacked = xtcp_sack_arrives(t, g, &c, v);
	if (c.sacked) {
		xtcp_recovery_ack(t, &c, now_us, v);
		xtcp_recovery_timer(t, &c, now_us);
	}
}

/**
 * xtcp_check_ack - fifth check
 * @t: block, SYN-RECEIVED or synchronized
 * @g: segment, acceptable by the checks before
 * @now_us: now
 * @v: verdict
 *
 * Return: whether to go on with the sixth check.
 */
bool xtcp_check_ack(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		    struct xtcp_verdict *v)
{
	if (!ack_acceptable(t, g, now_us, v))
		return false;
	if (t->ts_ok)
		xtcp_ts_update(&t->s, g, t->rcv_wup, now_us);
	t->probes_out = 0;
	t->soft_err = 0;
	if (!t->syn_acked) {
		ack_syn(t, g, now_us, v);
	} else if (xtcp_foreseen(ack_only_window(t, g))) {
		xtcp_snd_window(t, g, false, v);
	} else if (seq_lt(g->ack, t->s.snd_una)) {
		ack_old(t, g, now_us, v);
	} else {
		if (!g->len)
			xtcp_count(v, XTCP_MIB_PURE_ACKS);
		ack_take(t, g, now_us, v);
	}
	if (!xtcp_fin_acked(t))
		return true;
	if (t->state == XTCP_CLOSING) {
		xtcp_state_set(t, XTCP_TIME_WAIT, "ACK of FIN", v);
		v->flags |= XTCP_V_TIMEWAIT;
	} else if (t->state == XTCP_LAST_ACK) {
		xtcp_die(t, 0, "ACK of FIN", v);
	}
	return true;
}
