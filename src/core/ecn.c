// SPDX-License-Identifier: GPL-2.0
/*
 * Explicit congestion notification, classic (RFC 3168). A router marks (CE)
 * what it would have dropped; the receiver says so in each segment (ECE) until
 * the sender tells that it has slowed down (CWR). How it slows down: recovery.c.
 *
 * Only new data is sent ECN-capable: a mark on anything else would tell of
 * nothing the sender can answer, or be a way round the checks of RFC 5961.
 */
#include "internal.h"

/**
 * xtcp_ecn_asked - is this SYN one that asks for ECN (6.1.1)?
 * @g: SYN without ACK
 *
 * One that came ECN-capable is none, for a SYN must not be; but AccECN's may.
 *
 * Return: whether ECN may be agreed to.
 */
bool xtcp_ecn_asked(const struct xtcp_seg *g)
{
	return (g->flags & (XTCP_ECE | XTCP_CWR)) == (XTCP_ECE | XTCP_CWR) &&
	       (g->ecn == XTCP_ECN_NOT || g->res);
}

/**
 * xtcp_rq_ecn_route - the route wants ECN, whatever tcp_ecn says
 * @rq: request, as xtcp_rq_init() left it
 * @g: its SYN
 */
void xtcp_rq_ecn_route(struct xtcp_rq *rq, const struct xtcp_seg *g)
{
	rq->ecn_ok = xtcp_ecn_asked(g);
}

/**
 * xtcp_ecn_peer_syn - the answer to our SYN, or a SYN that crossed it (6.1.1)
 * @t: block in SYN-SENT
 * @g: SYN
 *
 * A SYN-ACK with both flags is our SYN's reserved bits sent back by a host that
 * knows nothing of them.
 */
void xtcp_ecn_peer_syn(struct xtcp_tcb *t, const struct xtcp_seg *g)
{
	u8 want = g->flags & XTCP_ACK ? XTCP_ECE : XTCP_ECE | XTCP_CWR;

	if ((g->flags & (XTCP_ECE | XTCP_CWR)) != want)
		t->ecn_ok = 0;
}

/**
 * xtcp_ecn_echoed - the ECN flags of an acceptable ACK that is not old
 * @t: block
 * @g: segment
 *
 * CWR counts on a segment without data, too: many TCPs send it so. Its sender's
 * cwnd may be a single segment, whose ACK must not be delayed.
 *
 * Return: whether the peer tells of congestion.
 */
bool xtcp_ecn_echoed(struct xtcp_tcb *t, const struct xtcp_seg *g)
{
	if (!t->ecn_ok)
		return false;
	if (g->flags & XTCP_CWR) {
		t->ecn_echo = 0;
		if (g->len || (g->flags & XTCP_FIN))
			t->ack_now = 1;
	}
	return (g->flags & (XTCP_ECE | XTCP_SYN)) == XTCP_ECE;
}

/* The next two ACKs go out at once: the sender must hear of it soon. */
static void ecn_quick(struct xtcp_tcb *t)
{
	t->quick = max_t(u8, t->quick, 2);
	t->ack_skip = max_t(u8, t->ack_skip, 2);
	t->pingpong = 0;
	t->ato_us = xtcp_ato_min_us(t);
}

/**
 * xtcp_ecn_data - data came that is kept: was it marked on the way?
 * @t: block
 * @g: segment
 *
 * Data that is not ECN-capable where other data was is a retransmission: the
 * sender is in trouble, and waits for ACKs.
 */
void xtcp_ecn_data(struct xtcp_tcb *t, const struct xtcp_seg *g)
{
	if (!t->ecn_ok)
		return;
	if (g->ecn == XTCP_ECN_NOT) {
		if (t->ecn_seen)
			ecn_quick(t);
		return;
	}
	t->ecn_seen = 1;
	if (g->ecn == XTCP_ECN_CE && !t->ecn_echo) {
		t->ecn_echo = 1;
		ecn_quick(t);
	}
}

/**
 * xtcp_ecn_mark - the ECN part of a segment on its way out
 * @t: block
 * @x: the segment; all its fields but flags' ECN bits and ect are set
 *
 * 6.1.1: in a SYN both flags ask for ECN; the repeated one asks no more, should
 * something on the path drop those that do (6.1.1.1). Else 6.1.2 and 6.1.5.
 */
void xtcp_ecn_mark(const struct xtcp_tcb *t, struct xtcp_xmit *x)
{
	if (!t->ecn_ok)
		return;
	if (x->flags & XTCP_SYN) {
		if (x->flags & XTCP_ACK)
			x->flags |= XTCP_ECE;
		else if (x->kind == XTCP_X_NEW || !XTCP_P(t, tcp_ecn_fallback))
			x->flags |= XTCP_ECE | XTCP_CWR;
		return;
	}
	if (t->ecn_echo)
		x->flags |= XTCP_ECE;
	if (x->kind != XTCP_X_NEW || !x->len)
		return;
	x->ect = 1;
	if (t->ecn_cwr)
		x->flags |= XTCP_CWR;
}
