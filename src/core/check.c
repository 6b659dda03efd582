// SPDX-License-Identifier: GPL-2.0
/* The invariants of a control block, for the tests. */
#include "internal.h"

/* The first one that does not hold stays in the local why. */
#define NEED(cond) (why = why ? why : (cond) ? NULL : #cond)

static const char *check_txq(const struct xtcp_tcb *t)
{
	const char *why = NULL;
	u32 at = t->s.snd_una, sacked = 0, lost = 0, retrans = 0, n = 0, out = 0;
	bool before = t->lost_from;
	const struct xtcp_rng *r;
	u64 sent_us = 0;

	list_for_each_entry(r, &t->txq, link) {
		u32 len = r->end - r->seq;

		before &= r != t->lost_from;
		NEED(!before || !r->lost);

		NEED(r->seq == at);
		NEED(seq_lt(r->seq, r->end));
		NEED(!r->sacked || (!r->lost && !r->retrans));
		NEED(!r->lost || !r->retrans);
		NEED(r->xmits > 0 && r->xmit_us);
		sacked += r->sacked ? len : 0;
		lost += r->lost ? len : 0;
		retrans += r->retrans ? len : 0;
		at = r->end;
		n++;
		out += xtcp_rng_out(r);
	}
	list_for_each_entry(r, &t->sent, sent) {
		NEED(xtcp_rng_out(r));
		NEED(r->xmit_us >= sent_us);
		sent_us = r->xmit_us;
		NEED(out);
		if (why)
			return why;
		out--;
	}
	NEED(!out);
	NEED(!before);
	NEED(at == t->s.snd_nxt);
	NEED(n == t->n_txq && n <= XTCP_MAX_TXRNG);
	NEED(sacked == t->sacked_bytes);
	NEED(lost == t->lost_bytes);
	NEED(retrans == t->retrans_bytes);
	return why;
}

/* Each SACK block tells of bytes that are held, and no two of the same ones. */
static const char *check_sackb(const struct xtcp_tcb *t)
{
	const char *why = NULL;
	const struct xtcp_rng *r;
	unsigned int i, j;

	NEED(t->n_sackb <= XTCP_MAX_SACK);
	for (i = 0; i < t->n_sackb && !why; i++) {
		const struct xtcp_sack *b = &t->sackb[i];
		bool held = false;

		NEED(seq_gt(b->start, t->s.rcv_nxt));
		NEED(seq_lt(b->start, b->end));
		list_for_each_entry(r, &t->oooq, link)
			held |= seq_leq(r->seq, b->start) && seq_geq(r->end, b->end);
		NEED(held);
		for (j = 0; j < i; j++)
			NEED(seq_lt(b->end, t->sackb[j].start) ||
			     seq_gt(b->start, t->sackb[j].end));
	}
	return why;
}

static const char *check_oooq(const struct xtcp_tcb *t)
{
	const char *why = NULL;
	u32 at = t->s.rcv_nxt, n = 0;
	const struct xtcp_rng *r;

	list_for_each_entry(r, &t->oooq, link) {
		NEED(seq_gt(r->seq, at));
		NEED(seq_lt(r->seq, r->end));
		at = r->end;
		n++;
	}
	NEED(n == t->n_oooq && n <= XTCP_MAX_OOO);
	NEED(!n || seq_leq(at, t->s.rcv_adv));
	NEED(!n || !t->fin_known || seq_leq(at, t->fin_seq));
	return why;
}

static const char *check_pool(const struct xtcp_tcb *t)
{
	const struct xtcp_rng *r;
	const char *why = NULL;
	u32 n = 0;

	for (r = t->pool; r; r = r->spare)
		n++;
	NEED(n == t->n_pool);
	NEED(t->n_txq || t->n_pool);
	NEED(t->n_pool + t->n_txq + t->n_oooq >= XTCP_INLINE_RNG);
	return why;
}

static const char *check_sequence(const struct xtcp_tcb *t)
{
	const char *why = NULL;

	NEED(seq_leq(t->s.snd_una, t->s.snd_nxt));
	NEED(seq_leq(t->s.snd_nxt, xtcp_snd_end(t)) || t->s.snd_nxt == t->iss);
	NEED(!t->fin_sent || t->fin_queued);
	NEED(!t->fin_sent || t->s.snd_nxt == t->write_seq + 1);
	NEED(seq_leq(t->copied_seq, t->s.rcv_nxt));
	NEED(!t->fin_rcvd || (t->fin_known && t->s.rcv_nxt == t->fin_seq + 1));
	NEED(t->cwnd >= 1 && t->ssthresh >= 2);
	NEED(t->mss_now > 0);
	return why;
}

/* Whoever waits for something must be woken. */
static const char *check_deadlines(const struct xtcp_tcb *t)
{
	const char *why = NULL;
	u64 next = xtcp_next_deadline(t);

	if (t->state == XTCP_CLOSE || t->state == XTCP_TIME_WAIT || t->state == XTCP_LISTEN) {
		NEED(!next);
		return why;
	}
	NEED(!t->n_txq || t->deadline_us[XTCP_T_REXMIT]);
	NEED(!xtcp_pending(t) || next);
	NEED(!t->ack_sched || t->ack_now || t->deadline_us[XTCP_T_DELACK]);
	NEED(!t->ack_now || t->deadline_us[XTCP_T_DELACK] || t->state == XTCP_SYN_SENT);
	NEED(t->state != XTCP_FIN_WAIT2 || !t->orphan || t->deadline_us[XTCP_T_LIFE]);
	/* nobody will ever come back for an orphan: it must end by itself */
	NEED(!t->orphan || t->deadline_us[XTCP_T_REXMIT] || t->deadline_us[XTCP_T_LIFE] ||
	     t->deadline_us[XTCP_T_CORK] || t->deadline_us[XTCP_T_PACE]);
	return why;
}

/**
 * xtcp_tcb_check - do the invariants hold?
 * @t: block, between two calls: verdict executed, output loop run
 * @why: the broken one as text, NULL if none; may be NULL
 *
 * Return: whether all hold.
 */
bool xtcp_tcb_check(const struct xtcp_tcb *t, const char **why)
{
	const char *bad = check_pool(t);

	if (!bad && t->state != XTCP_CLOSE && t->state != XTCP_LISTEN) {
		bad = check_txq(t);
		if (!bad)
			bad = check_oooq(t);
		if (!bad)
			bad = check_sackb(t);
		if (!bad)
			bad = check_sequence(t);
		if (!bad)
			bad = check_deadlines(t);
	}
	if (why)
		*why = bad;
	return !bad;
}
