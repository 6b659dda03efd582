// SPDX-License-Identifier: GPL-2.0
/*
 * Loss recovery: RACK-TLP (RFC 8985, rack.c) where the peer sends SACK, or RFC
 * 6675 if tcp_recovery asks for it; NewReno (RFC 6582) where it does not.
 * Limited transmit (RFC 3042) comes by way of the pipe in all of them, the rate
 * of recovery is PRR's (RFC 6937bis). What turns out to be no loss: undo.c.
 *
 * An echo of ECN (RFC 3168 6.1.2) reduces cwnd likewise, once for all that was in
 * flight, and there is no way back: the congestion was real. XTCP_CA_CWR lasts
 * until something that was sent after the reduction has arrived, and with it CWR.
 *
 * cwnd is compared with the pipe, never inflated: without SACK each duplicate
 * ACK takes one segment out of the pipe.
 */
#include "internal.h"

/**
 * xtcp_pipe - bytes deemed to be in the network (RFC 6675 4, SetPipe)
 * @t: block
 *
 * Return: bytes; SYN and FIN count one each.
 */
u32 xtcp_pipe(const struct xtcp_tcb *t)
{
	u32 n = t->s.snd_nxt - t->s.snd_una - t->sacked_bytes - t->lost_bytes;

	if (!t->sack_ok && t->ca_state != XTCP_CA_OPEN && t->ca_state != XTCP_CA_LOSS)
		n -= min_t(u32, n, (u32)t->dupacks * t->mss_now);
	return n;
}

/**
 * xtcp_cwnd_room - what cwnd lets go out now
 * @t: block
 *
 * Return: bytes; at least one segment if the network is empty.
 */
u32 xtcp_cwnd_room(const struct xtcp_tcb *t)
{
	u64 all = (u64)t->cwnd * t->mss_now;
	u32 pipe = xtcp_pipe(t);

	if (!pipe)
		all = max_t(u64, all, t->mss_now);
	return all > pipe ? min_t(u64, all - pipe, 1U << 30) : 0;
}

void xtcp_ca_set(struct xtcp_tcb *t, enum xtcp_ca_state s)
{
	if (t->ca_state == s)
		return;
	t->ca_state = s;
	if (t->cc->set_state)
		t->cc->set_state(t, s);
}

/**
 * xtcp_reordering_seen - so many segments went by one that was only late
 * @t: block
 * @segs: from it to the last of them
 *
 * From now on fewer than that are no sign of loss; tcp_max_reordering bounds it.
 */
void xtcp_reordering_seen(struct xtcp_tcb *t, u32 segs)
{
	if (segs > xtcp_reordering(t))
		t->reordering = min_t(u32, segs, min_t(u32, XTCP_P(t, tcp_max_reordering), 65535));
}

/*
 * A duplicate ACK. Without SACK, more of them than segments beside the one that is missing
 * mean that it is not.
 */
static void dupack(struct xtcp_tcb *t, struct xtcp_verdict *v)
{
	u32 segs;

	if (t->dupacks == 65535)
		return;
	t->dupacks++;
	segs = max_t(u32, xtcp_segs_of(t, t->s.snd_nxt - t->s.snd_una), t->n_txq);
	if (t->sack_ok || t->dupacks < segs)
		return;
	t->reord_seen++;
	xtcp_count(v, XTCP_MIB_RENO_REORDER);
	xtcp_reordering_seen(t, segs);
}

/* Remember what to go back to if the loss turns out to be none. */
static void save_window(struct xtcp_tcb *t)
{
	t->prior_cwnd = t->cwnd;
	t->prior_ssthresh = t->ssthresh;
	t->undo_una = t->s.snd_una;
	t->undo_bytes = 0;
	t->retrans_us = 0;
}

/*
 * Proportional Rate Reduction (RFC 6937bis): while more than ssthresh is in
 * flight the share of what arrives that brings it down there in one round
 * trip, then no more than arrives, and a segment beside it if no loss came to
 * light. All in bytes and summed up, so that rounding to segments loses nothing.
 */
static void prr(struct xtcp_tcb *t, u32 delivered, bool safe)
{
	u32 mss = max_t(u32, t->mss_now, 1), pipe = xtcp_pipe(t);
	u64 target = (u64)t->ssthresh * mss, room;

	t->prr_delivered += delivered;
	if (t->cc->control)
		return;
	if (pipe > target) {
		room = div_u64(t->prr_delivered * target + t->prr_fs - 1, t->prr_fs);
		room -= min_t(u64, room, t->prr_out);
	} else {
		room = t->prr_delivered - min_t(u32, t->prr_delivered, t->prr_out);
		room = max_t(u64, room, delivered) + (safe ? mss : 0);
		room = min_t(u64, room, target - pipe);
	}
	if (!t->prr_out)
		room = max_t(u64, room, mss);
	t->cwnd = max_t(u32, div_u64(pipe + room, mss), 1);
}

/* What duplicate ACKs tell where there is no SACK. */
static u32 dup_bytes(const struct xtcp_tcb *t)
{
	return t->sack_ok ? 0 : (u32)t->dupacks * t->mss_now;
}

/* A window's one reduction; PRR carries it out. The peer's echoes of ECN end with it. */
static void reduce(struct xtcp_tcb *t, u32 delivered)
{
	u32 before = t->sacked_bytes + dup_bytes(t), flight = t->s.snd_nxt - t->s.snd_una;

	t->ssthresh = t->cc->ssthresh(t);
	t->cwnd_cnt = 0;
	/* RecoverFS: what is in flight, with what came by this ACK and nothing that came before */
	t->prr_fs = max_t(u32, flight - min_t(u32, flight, before) + delivered, 1);
	t->prr_delivered = 0;
	t->prr_out = 0;
	t->ecn_cwr = t->ecn_ok;
}

/* Was what is lost sent before the reduction that an echo of ECN has brought? */
static bool reduced(struct xtcp_tcb *t)
{
	const struct xtcp_rng *r = xtcp_txq_next_lost(t);

	return t->ca_state == XTCP_CA_CWR && seq_lt(r ? r->seq : t->s.snd_una, t->high_seq);
}

static void enter_recovery(struct xtcp_tcb *t, u32 delivered, struct xtcp_verdict *v)
{
	bool again = reduced(t);

	if (t->ca_state < XTCP_CA_CWR && xtcp_mtup_lost(t, v))
		return;
	save_window(t);
	if (again)
		t->prior_cwnd = 0;
	else
		reduce(t, delivered);
	t->high_seq = t->s.snd_nxt;
	t->force_rexmit = 1;
	if (!xtcp_rack_on(t))
		xtcp_txq_mark_head(t);
	xtcp_ca_set(t, XTCP_CA_RECOVERY);
	xtcp_count(v, t->sack_ok ? XTCP_MIB_SACK_RECOVERY : XTCP_MIB_RENO_RECOVERY);
	xtcp_count(v, XTCP_MIB_FAST_RETRANS);
	prr(t, delivered, false);
}

/* RFC 3168 6.1.2: as at a loss, but nothing is sent again. */
static void enter_cwr(struct xtcp_tcb *t, u32 delivered)
{
	t->prior_cwnd = 0;
	t->tlp_out = 0;
	reduce(t, delivered);
	t->high_seq = t->s.snd_nxt;
	xtcp_ca_set(t, XTCP_CA_CWR);
	prr(t, delivered, false);
}

/* Congestion right here: what we sent was dropped before it was on the way. */
void xtcp_recovery_local(struct xtcp_tcb *t)
{
	if (t->syn_acked && t->n_txq && t->ca_state < XTCP_CA_CWR && !t->cc->control)
		enter_cwr(t, 0);
}

/**
 * xtcp_recovery_end - nothing is deemed lost any more
 * @t: block; cwnd and ssthresh are as they shall be
 *
 * What there is to undo stays known: a DSACK may come later.
 */
void xtcp_recovery_end(struct xtcp_tcb *t)
{
	t->dupacks = 0;
	t->frto = 0;
	t->retrans_us = 0;
	xtcp_ca_set(t, t->sacked_bytes ? XTCP_CA_DISORDER : XTCP_CA_OPEN);
}

/* All that was in flight when the loss was seen is acknowledged. */
static void recovered(struct xtcp_tcb *t)
{
	/* RFC 6937bis: where PRR was heading to */
	if (t->ca_state != XTCP_CA_LOSS && t->ssthresh != XTCP_INF_SSTHRESH)
		t->cwnd = t->ssthresh;
	if (t->ca_state != XTCP_CA_CWR)
		xtcp_rack_recovered(t);
	xtcp_recovery_end(t);
}

/* A tail loss probe filled the only hole, and nobody noticed: it was a loss (RFC 8985 7.4.2). */
static void probe_repaired(struct xtcp_tcb *t, struct xtcp_verdict *v)
{
	xtcp_count(v, XTCP_MIB_LOSS_PROBE_RECOVERY);
	if (t->ca_state > XTCP_CA_DISORDER)
		return;
	t->ssthresh = t->cc->ssthresh(t);
	t->cwnd = min_t(u32, t->cwnd, t->ssthresh);
	t->cwnd_cnt = 0;
	t->prior_cwnd = 0;
	t->ecn_cwr = t->ecn_ok;
}

/* Losses by SACK: RFC 8985, or RFC 6675. */
static void detect(struct xtcp_tcb *t, struct xtcp_ackctx *c, struct xtcp_verdict *v)
{
	if (xtcp_rack_on(t))
		c->reo_left_us = xtcp_rack_detect(t, c->now_us, v);
	else if (t->sack_ok)
		xtcp_sack_detect(t);
}

/*
 * RFC 6582 3.2 step 3: a partial ACK exposes the next loss. Returns how many
 * bytes are known to have arrived with it.
 */
static u32 reno_partial(struct xtcp_tcb *t, const struct xtcp_ackctx *c)
{
	u32 segs = xtcp_segs_of(t, c->acked), known;

	/* one of them was the retransmission, the others were dupacks */
	known = min_t(u32, t->dupacks, segs ? segs - 1 : 0);
	t->dupacks -= known;
	xtcp_txq_mark_head(t);
	t->force_rexmit = 1;
	return c->acked - min_t(u64, c->acked, (u64)known * t->mss_now);
}

static void recovery_ack(struct xtcp_tcb *t, struct xtcp_ackctx *c, struct xtcp_verdict *v)
{
	u32 lost = t->lost_bytes, delivered = c->fresh + c->sacked;

	if (t->sack_ok) {
		detect(t, c, v);
		/* rule 3 of NextSeg(), RFC 6675 4: a hole that outlived a round trip */
		if (c->acked && !xtcp_rack_on(t) && t->sacked_bytes && !xtcp_txq_head(t)->retrans)
			xtcp_txq_mark_head(t);
	} else if (c->acked) {
		delivered = reno_partial(t, c);
	} else if (c->dup) {
		dupack(t, v);
		delivered = t->mss_now;
	}
	if (delivered)
		prr(t, delivered, c->acked && t->lost_bytes <= lost);
}

/* Does this ACK, outside recovery, tell of a loss? */
static bool loss_seen(struct xtcp_tcb *t, struct xtcp_ackctx *c, struct xtcp_verdict *v)
{
	bool cwr = t->ca_state == XTCP_CA_CWR;
	u32 lost = t->lost_bytes;
	struct xtcp_rng *r;

	if (!t->n_txq) {
		t->dupacks = 0;
		if (!cwr)
			xtcp_ca_set(t, XTCP_CA_OPEN);
		return false;
	}
	if (c->dup)
		dupack(t, v);
	if (!cwr)
		xtcp_ca_set(t, t->dupacks || t->sacked_bytes ? XTCP_CA_DISORDER : XTCP_CA_OPEN);
	/* RFC 6582 3.2 step 1: dupacks that the last recovery caused are none */
	if (!cwr && !t->sack_ok && seq_leq(t->s.snd_una, t->high_seq))
		return false;
	detect(t, c, v);
	r = xtcp_txq_head(t);
	if (xtcp_rack_on(t))
		return t->lost_bytes > lost;
	return t->dupacks >= xtcp_reordering(t) || (r->lost && !r->sacked);
}

/*
 * The peer repeats its echo until it has our CWR: an echo on the ACK of what was in
 * flight at the last reduction, whatever that was for, asks for no other one.
 */
static bool echo_is_new(const struct xtcp_tcb *t)
{
	return !t->ecn_cwr && seq_gt(t->s.snd_una, t->high_seq);
}

static void open_ack(struct xtcp_tcb *t, struct xtcp_ackctx *c, struct xtcp_verdict *v)
{
	u32 dups = dup_bytes(t), delivered = c->fresh + c->sacked;

	/* where there is no SACK, duplicates have told of some of it */
	if (c->acked) {
		delivered -= min_t(u32, dups, delivered);
		t->dupacks = 0;
	} else if (c->dup && !t->sack_ok) {
		delivered = t->mss_now;
	}
	if (loss_seen(t, c, v)) {
		enter_recovery(t, t->sack_ok ? delivered : t->mss_now, v);
		if (c->ece)
			t->prior_cwnd = 0;
	} else if (t->ca_state == XTCP_CA_CWR) {
		if (delivered)
			prr(t, delivered, c->acked);
	} else if (c->ece && (c->acked || t->n_txq) && echo_is_new(t)) {
		enter_cwr(t, delivered);
	}
}

/*
 * Outside recovery; nor by the ACK that ends it, most of what that covers is old
 * news; nor by one that tells of congestion.
 */
static xtcp_hot void grow(struct xtcp_tcb *t, const struct xtcp_ackctx *c, u64 now_us,
			  struct xtcp_verdict *v)
{
	bool ends = seq_lt(c->prior_una, t->high_seq) && seq_geq(t->s.snd_una, t->high_seq);

	if (ends || c->ece || t->ca_state == XTCP_CA_RECOVERY || t->ca_state == XTCP_CA_CWR)
		return;
	if (c->acked && !t->cc->control)
		xtcp_cc_ack(t, c->acked, now_us, v);
}

/* Has all arrived that was in flight at the reduction; after an echo of ECN something beyond? */
static bool all_answered(const struct xtcp_tcb *t)
{
	if (t->ca_state == XTCP_CA_CWR)
		return seq_gt(t->s.snd_una, t->high_seq);
	return t->ca_state >= XTCP_CA_RECOVERY && seq_geq(t->s.snd_una, t->high_seq);
}

/* The rate, and who goes by it. @lost: bytes that were lost before this ACK was looked at. */
static void told(struct xtcp_tcb *t, const struct xtcp_ackctx *c, u32 lost, u64 now_us,
		 struct xtcp_verdict *v)
{
	u64 sent_us = c->sent_us ?: c->sack_us;
	u32 before = t->cwnd;
	struct xtcp_rs rs;

	if (!t->cc->control) {
		xtcp_rate_update(t, c);
		xtcp_pacing_update(t);
		return;
	}
	/* nothing was on its way: what comes says nothing of the path */
	if (!c->acked && !t->n_txq)
		return;
	xtcp_rate_sample(t, c, &rs);
	rs.lost = t->lost_bytes - min_t(u32, lost, t->lost_bytes);
	rs.prior_pipe = xtcp_pipe(t) + rs.acked + rs.lost;
	if (sent_us && sent_us <= now_us)
		rs.rtt_us = clamp_t(u64, now_us - sent_us, 1, 1U << 28);
	t->cc->control(t, &rs, now_us);
	if (t->cwnd > before)
		v->flags |= XTCP_V_SNDBUF;
}

/* Keep "recover" within reach of the sequence comparison. */
static void recover_near(struct xtcp_tcb *t)
{
	if (t->ca_state <= XTCP_CA_DISORDER && seq_gt(t->s.snd_una, t->high_seq + (1U << 30)))
		t->high_seq = t->s.snd_una - 1;
}

/**
 * xtcp_recovery_ack - what an acceptable ACK means for loss recovery and cwnd
 * @t: block; snd_una, txq and scoreboard are up to date
 * @c: the ACK; xtcp_recovery_timer() has to follow
 * @now_us: now
 * @v: verdict
 */
void xtcp_recovery_ack(struct xtcp_tcb *t, struct xtcp_ackctx *c, u64 now_us,
		       struct xtcp_verdict *v)
{
	u32 lost = t->lost_bytes;

	if (xtcp_tlp_ack(t, c))
		probe_repaired(t, v);
	if (c->reord && t->sack_ok) {
		t->reord_seen++;
		xtcp_count(v, XTCP_MIB_SACK_REORDER);
		xtcp_reordering_seen(t, xtcp_segs_of(t, t->fack - c->reord_seq));
	}
	xtcp_rack_dsack(t, c);
	/* RFC 3168: some of it was congestion, whatever else this ACK proves */
	if (c->ece)
		t->prior_cwnd = 0;
	if (!xtcp_undo_ack(t, c, v) && all_answered(t))
		recovered(t);
	grow(t, c, now_us, v);
	switch ((enum xtcp_ca_state)t->ca_state) {
	case XTCP_CA_OPEN:
	case XTCP_CA_DISORDER:
	case XTCP_CA_CWR:
		open_ack(t, c, v);
		break;
	case XTCP_CA_RECOVERY:
		recovery_ack(t, c, v);
		break;
	case XTCP_CA_LOSS:
		if (c->acked)
			t->retrans_us = 0;
		/* all is marked lost, unless F-RTO doubts it; slow start sends it again */
		if (!xtcp_frto_ack(t, c))
			detect(t, c, v);
		break;
	}
	told(t, c, lost, now_us, v);
	recover_near(t);
}

/**
 * xtcp_recovery_plain - xtcp_recovery_ack() where nothing is in doubt
 * @t: block; XTCP_CA_OPEN, all in flight has been sent once, there is nothing to undo
 * @c: the ACK; all it tells is that what was sent first has come
 * @now_us: now
 * @v: verdict
 */
void xtcp_recovery_plain(struct xtcp_tcb *t, const struct xtcp_ackctx *c, u64 now_us,
			 struct xtcp_verdict *v)
{
	if (unlikely(t->dsack_round))
		xtcp_rack_dsack(t, c);
	grow(t, c, now_us, v);
	xtcp_rate_update(t, c);
	xtcp_pacing_update(t);
	recover_near(t);
}

/**
 * xtcp_recovery_timer - the ACK has been dealt with: which timer comes next?
 * @t: block; the retransmission timeout has been restarted if snd_una moved
 * @c: the ACK
 * @now_us: now
 */
void xtcp_recovery_timer(struct xtcp_tcb *t, const struct xtcp_ackctx *c, u64 now_us)
{
	if (!t->n_txq || !t->syn_acked)
		return;
	if (c->reo_left_us)
		xtcp_early_arm(t, XTCP_RT_REO, c->reo_left_us, now_us);
	else if (!xtcp_tlp_ok(t))
		xtcp_early_off(t);
	else if (c->acked || t->rexmit_kind == XTCP_RT_REO)
		xtcp_tlp_arm(t, now_us);
}

/**
 * xtcp_recovery_reo - the time to tell reordering from loss is over (RFC 8985 6.3)
 * @t: block, something is in flight; XTCP_T_REXMIT is the retransmission timeout again
 * @now_us: now
 * @v: verdict
 */
void xtcp_recovery_reo(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v)
{
	u32 lost = t->lost_bytes, left_us;

	if (!xtcp_rack_on(t) || t->frto)
		return;
	left_us = xtcp_rack_detect(t, now_us, v);
	if (t->lost_bytes > lost) {
		if (t->ca_state < XTCP_CA_RECOVERY)
			enter_recovery(t, 0, v);
		else if (t->ca_state == XTCP_CA_RECOVERY)
			prr(t, 0, false);
	}
	if (left_us)
		xtcp_early_arm(t, XTCP_RT_REO, left_us, now_us);
}

/**
 * xtcp_recovery_rto - the retransmission timer expired with data in flight
 * @t: block
 * @v: verdict
 *
 * RFC 5681 3.1 (7), RFC 6675 5.1. A sacked range at the head means the peer
 * took back what it sacked (RFC 2018 8): believe none of it.
 */
void xtcp_recovery_rto(struct xtcp_tcb *t, struct xtcp_verdict *v)
{
	bool reneged = xtcp_txq_head(t)->sacked, first = t->ca_state < XTCP_CA_RECOVERY;

	if (t->ca_state <= XTCP_CA_DISORDER || seq_leq(t->high_seq, t->s.snd_una)) {
		save_window(t);
		t->ssthresh = t->cc->ssthresh(t);
	} else if (t->ca_state != XTCP_CA_LOSS) {
		/* a retransmission was lost, or it was congestion: no way back */
		t->prior_cwnd = 0;
	}
	/* so many went by, and the head was lost: it was too much to wait for (Linux) */
	if (t->ca_state <= XTCP_CA_DISORDER && xtcp_segs_of(t, t->sacked_bytes + dup_bytes(t)) >=
					       (u32)XTCP_P(t, tcp_reordering))
		t->reordering = 0;
	t->ecn_cwr = t->ecn_ok;
	t->cwnd = 1;
	t->cwnd_cnt = 0;
	t->dupacks = 0;
	t->high_seq = t->s.snd_nxt;
	t->tlp_out = 0;
	t->tlp_due = 0;
	t->frto = 0;
	xtcp_txq_all_lost(t, reneged);
	if (first && !reneged && XTCP_P(t, tcp_frto))
		xtcp_frto_begin(t);
	t->force_rexmit = 1;
	xtcp_ca_set(t, XTCP_CA_LOSS);
	xtcp_count(v, XTCP_MIB_TIMEOUTS);
}
