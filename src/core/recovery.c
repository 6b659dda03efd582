// SPDX-License-Identifier: GPL-2.0
/*
 * Loss recovery: RFC 6675 where the peer sends SACK, NewReno (RFC 6582) where
 * it does not, limited transmit (RFC 3042) by way of the pipe in both, Eifel
 * detection (RFC 3522) by timestamps.
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

	if (!t->sack_ok && (t->ca_state == XTCP_CA_DISORDER || t->ca_state == XTCP_CA_RECOVERY))
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

/* Remember what to go back to if the loss turns out to be none. */
static void save_window(struct xtcp_tcb *t)
{
	t->prior_cwnd = t->cwnd;
	t->prior_ssthresh = t->ssthresh;
	t->undo_una = t->s.snd_una;
	t->retrans_us = 0;
}

static void enter_recovery(struct xtcp_tcb *t, struct xtcp_verdict *v)
{
	save_window(t);
	t->ssthresh = t->cc->ssthresh(t);
	t->cwnd = t->ssthresh;
	t->cwnd_cnt = 0;
	t->high_seq = t->s.snd_nxt;
	t->force_rexmit = 1;
	xtcp_txq_mark_head(t);
	xtcp_ca_set(t, XTCP_CA_RECOVERY);
	xtcp_count(v, t->sack_ok ? XTCP_MIB_SACK_RECOVERY : XTCP_MIB_RENO_RECOVERY);
	xtcp_count(v, XTCP_MIB_FAST_RETRANS);
}

static void end_recovery(struct xtcp_tcb *t)
{
	if (t->ca_state == XTCP_CA_RECOVERY)
		t->cwnd = min_t(u32, t->cwnd, t->ssthresh);
	t->dupacks = 0;
	t->prior_cwnd = 0;
	t->retrans_us = 0;
	xtcp_ca_set(t, t->sacked_bytes ? XTCP_CA_DISORDER : XTCP_CA_OPEN);
}

/*
 * RFC 3522: the ACK echoes a timestamp older than the first retransmission, so
 * the original was delivered after all.
 */
static bool try_undo(struct xtcp_tcb *t, const struct xtcp_ackctx *c, struct xtcp_verdict *v)
{
	struct xtcp_rng *r;

	if (!c->acked || !c->has_ts || !c->tsecr || !t->prior_cwnd || !t->retrans_us ||
	    c->prior_una != t->undo_una ||
	    !seq_lt(c->tsecr, xtcp_ts_now(t->ts_off, t->retrans_us)))
		return false;
	list_for_each_entry(r, &t->txq, link)
		if (r->lost)
			xtcp_rng_mark(t, r, false, false, r->xmits > 1);
	t->cwnd = max_t(u32, t->cwnd, t->prior_cwnd);
	t->ssthresh = max_t(u32, t->ssthresh, t->prior_ssthresh);
	t->force_rexmit = 0;
	if (t->ca_state == XTCP_CA_LOSS)
		xtcp_count(v, XTCP_MIB_SPURIOUS_RTOS);
	end_recovery(t);
	return true;
}

/* RFC 6582 3.2 step 3: a partial ACK exposes the next loss and deflates. */
static void partial_ack(struct xtcp_tcb *t, const struct xtcp_ackctx *c)
{
	u32 segs = xtcp_segs_of(t, c->acked);

	if (t->sack_ok) {
		xtcp_sack_detect(t);
		/* rule 3 of NextSeg(), RFC 6675 4: a hole that outlived a round trip */
		if (t->sacked_bytes && !xtcp_txq_head(t)->retrans)
			xtcp_txq_mark_head(t);
		return;
	}
	/* one of them was the retransmission, the others were dupacks */
	t->dupacks -= min_t(u32, t->dupacks, segs ? segs - 1 : 0);
	xtcp_txq_mark_head(t);
	t->force_rexmit = 1;
}

static void open_ack(struct xtcp_tcb *t, const struct xtcp_ackctx *c, struct xtcp_verdict *v)
{
	struct xtcp_rng *r;

	if (c->acked)
		t->dupacks = 0;
	if (!t->n_txq) {
		xtcp_ca_set(t, XTCP_CA_OPEN);
		return;
	}
	if (c->dup && t->dupacks < 65535)
		t->dupacks++;
	xtcp_ca_set(t, t->dupacks || t->sacked_bytes ? XTCP_CA_DISORDER : XTCP_CA_OPEN);
	/* RFC 6582 3.2 step 1: dupacks that the last recovery caused are none */
	if (!t->sack_ok && seq_leq(t->s.snd_una, t->high_seq))
		return;
	if (t->sack_ok)
		xtcp_sack_detect(t);
	r = xtcp_txq_head(t);
	if (t->dupacks >= XTCP_P(t, tcp_reordering) || (r->lost && !r->sacked))
		enter_recovery(t, v);
}

/* Outside recovery; nor by the ACK that ends it, most of what that covers is old news. */
static void grow(struct xtcp_tcb *t, const struct xtcp_ackctx *c, u64 now_us,
		 struct xtcp_verdict *v)
{
	bool ends = seq_lt(c->prior_una, t->high_seq) && seq_geq(t->s.snd_una, t->high_seq);

	if (c->acked && !ends && t->ca_state != XTCP_CA_RECOVERY)
		xtcp_cc_ack(t, c->acked, now_us, v);
}

/**
 * xtcp_recovery_ack - what an acceptable ACK means for loss recovery and cwnd
 * @t: block; snd_una, txq and scoreboard are up to date
 * @c: the ACK
 * @now_us: now
 * @v: verdict
 */
void xtcp_recovery_ack(struct xtcp_tcb *t, const struct xtcp_ackctx *c, u64 now_us,
		       struct xtcp_verdict *v)
{
	if (t->ca_state >= XTCP_CA_RECOVERY && !try_undo(t, c, v) &&
	    seq_geq(t->s.snd_una, t->high_seq))
		end_recovery(t);
	grow(t, c, now_us, v);
	switch ((enum xtcp_ca_state)t->ca_state) {
	case XTCP_CA_OPEN:
	case XTCP_CA_DISORDER:
		open_ack(t, c, v);
		break;
	case XTCP_CA_RECOVERY:
		if (c->acked)
			partial_ack(t, c);
		else if (t->sack_ok)
			xtcp_sack_detect(t);
		else if (c->dup && t->dupacks < 65535)
			t->dupacks++;
		break;
	case XTCP_CA_LOSS:
		/* all is marked lost already; slow start sends it again */
		if (c->acked)
			t->retrans_us = 0;
		if (t->sack_ok)
			xtcp_sack_detect(t);
		break;
	}
	/* keep "recover" within reach of the sequence comparison */
	if (t->ca_state <= XTCP_CA_DISORDER && seq_gt(t->s.snd_una, t->high_seq + (1U << 30)))
		t->high_seq = t->s.snd_una - 1;
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
	bool reneged = xtcp_txq_head(t)->sacked;

	if (t->ca_state <= XTCP_CA_DISORDER || seq_leq(t->high_seq, t->s.snd_una)) {
		save_window(t);
		t->ssthresh = t->cc->ssthresh(t);
	} else if (t->ca_state == XTCP_CA_RECOVERY) {
		/* a retransmission was lost: no way back */
		t->prior_cwnd = 0;
	}
	t->cwnd = 1;
	t->cwnd_cnt = 0;
	t->dupacks = 0;
	t->high_seq = t->s.snd_nxt;
	xtcp_txq_all_lost(t, reneged);
	t->force_rexmit = 1;
	xtcp_ca_set(t, XTCP_CA_LOSS);
	xtcp_count(v, XTCP_MIB_TIMEOUTS);
}
