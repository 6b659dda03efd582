// SPDX-License-Identifier: GPL-2.0
/* Which of a host's four kinds of flow a segment or an expiry belongs to. */
#include "world.h"

static void reply(struct host *h, const struct xtcp_verdict *v)
{
	if (v->drop != XTCP_DROP_NONE)
		note("%c: drops (reason %u)", host_name(h), v->drop);
	if (v->flags & XTCP_V_REPLY)
		wire_reply(h, &v->reply);
}

static void synack(struct host *h)
{
	struct xtcp_reply r;

	xtcp_rq_synack(&h->rq, MSS, W.now, &r);
	h->rq.synack_us = (u32)W.now;
	h->due_us = W.now + xtcp_rq_timeout_us(&h->rq, &params, 0);
	wire_reply(h, &r);
}

/* @least: of a connection that follows TIME-WAIT, 0: none */
static void listen_rx(struct host *h, const struct pkt *k, u32 least)
{
	struct xtcp_verdict v;
	u32 iss;

	if (!h->listening)
		xtcp_segment_closed(&k->g, &v);
	else if (xtcp_listen_segment(&k->g, &v) == XTCP_L_SYN)
		goto request;
	reply(h, &v);
	return;
request:
	h->gen++;
	h->peer_gen = k->gen;
	/* another connection, another number: the clock of RFC 6528 */
	iss = 0xfffffff0u + 70000u * h->gen;
	if (least && seq_lt(iss, least))
		iss = least;
	xtcp_rq_init(&h->rq, &params, &k->g, false, iss, 0, rcvbuf(), 0, W.now);
	h->kind = K_REQUEST;
	synack(h);
}

static void child_rx(struct host *h, const struct pkt *k)
{
	struct xtcp_verdict v;

	/* one accepted socket at a time: the queue is full, the request stays */
	if (h->held) {
		note("%c: accept queue full", host_name(h));
		return;
	}
	conn_setup(h);
	h->due_us = 0;
	user_attach(h);
	xtcp_open_child(&h->t, &h->rq, W.now, &v);
	conn_execute(h, NULL, &v, XTCP_CLOSE);
	conn_prep(h);
	pool_fill(h, xtcp_pool_want(&k->g));
	xtcp_segment_arrives(&h->t, &k->g, W.now, &v);
	conn_execute(h, k, &v, XTCP_SYN_RECV);
}

static void request_rx(struct host *h, const struct pkt *k)
{
	struct xtcp_verdict v;

	switch (xtcp_rq_segment(&h->rq, &params, &k->g, W.now, &v)) {
	case XTCP_RQ_DROP:
		reply(h, &v);
		break;
	case XTCP_RQ_SYNACK:
		synack(h);
		break;
	case XTCP_RQ_KILL:
		note("%c: request reset", host_name(h));
		conn_drop(h);
		break;
	case XTCP_RQ_COMPLETE:
		if (k->gen != h->peer_gen || k->forged)
			fail("%c: request completed by another connection", host_name(h));
		child_rx(h, k);
		break;
	}
}

static void entry_edge(struct host *h, u8 to, const char *why)
{
	u8 from = h->twc.fin_wait2 && to != XTCP_TIME_WAIT ? XTCP_FIN_WAIT2 : XTCP_TIME_WAIT;

	if (to == XTCP_TIME_WAIT)
		from = XTCP_FIN_WAIT2;
	note("%c: %s -> %s (%s)", host_name(h), xtcp_state_name(from), xtcp_state_name(to), why);
	edge_taken(from, to);
}

static void entry_over(struct host *h, const char *why)
{
	entry_edge(h, XTCP_CLOSE, why);
	conn_drop(h);
}

static void entry_rx(struct host *h, const struct pkt *k)
{
	struct xtcp_tw_env e = {
		.p = &params, .now_us = W.now, .listener = h->listening,
		.last_ack_us = h->tw_ack_us,
	};
	bool fin = (k->g.flags & (XTCP_FIN | XTCP_SYN | XTCP_RST)) == XTCP_FIN &&
		   xtcp_seg_end(&k->g) == h->twc.rcv_nxt && !h->twc.fin_wait2 && !k->forged &&
		   k->gen == h->peer_gen && h->twc.restarts < 15;
	bool later = k->gen > h->peer_gen, reopened;
	enum xtcp_tw_act a;
	struct xtcp_verdict v;

	a = xtcp_tw_segment(&h->twc, &e, &k->g, &v);
	/* RFC 9293 3.6.1: the SYN of a later connection, and no other */
	reopened = a == XTCP_TW_REOPEN;
	if (h->listening && !h->twc.fin_wait2 && !k->forged && k->g.flags == XTCP_SYN &&
	    reopened != later)
		fail("%c: TIME-WAIT and a SYN of connection %u", host_name(h), k->gen);
	h->tw_ack_us = e.last_ack_us;
	if (a != XTCP_TW_REOPEN)
		reply(h, &v);
	switch (a) {
	case XTCP_TW_DROP:
		break;
	case XTCP_TW_FIN:
		if (k->gen != h->peer_gen)
			fail("%c: FIN of another connection", host_name(h));
		h->eof = true;
		entry_edge(h, XTCP_TIME_WAIT, "FIN");
		xtcp_twc_begin(&h->twc);
		h->due_us = W.now + params.tcp_timewait_ms * MS;
		break;
	case XTCP_TW_RESTART:
		note("%c: 2MSL starts anew", host_name(h));
		h->due_us = W.now + params.tcp_timewait_ms * MS;
		break;
	case XTCP_TW_ABORT:
		host_peer(h)->rude = true;
		entry_over(h, "data after close");
		break;
	case XTCP_TW_KILL:
		entry_over(h, "RST");
		break;
	case XTCP_TW_REOPEN:
		if (!h->listening)
			fail("%c: TIME-WAIT reopened without a listener", host_name(h));
		entry_over(h, "new SYN");
		listen_rx(h, k, e.iss);
		break;
	}
	/* RFC 9293 3.10.7.4, eighth: the peer's FIN again */
	if (fin && h->due_us != W.now + params.tcp_timewait_ms * MS)
		fail("%c: FIN in TIME-WAIT, and 2MSL does not start anew", host_name(h));
}

/*
 * Without SACK the third duplicate ACK, and none before, makes the sender
 * repeat (RFC 5681 3.2). Asked as long as nothing else was ever repeated.
 */
static void check_dups(struct host *h, const struct pkt *k, u32 una, u32 wnd)
{
	const struct xtcp_tcb *t = &h->t;
	bool dup = k->g.flags == XTCP_ACK && !k->g.len && k->g.ack == una && t->n_txq &&
		   t->s.snd_una == una && k->g.wnd == wnd;

	h->dups = t->s.snd_una == una ? h->dups + dup : 0;
	if (t->total_retrans && t->ca_state == XTCP_CA_RECOVERY &&
	    h->dups < params.tcp_reordering)
		fail("%c: repeats after %u duplicate ACKs", host_name(h), h->dups);
	if (!t->total_retrans && dup && h->dups == params.tcp_reordering)
		fail("%c: %u duplicate ACKs, and nothing repeated", host_name(h), h->dups);
}

static void conn_rx(struct host *h, const struct pkt *k)
{
	u32 una = h->t.s.snd_una, wnd = h->t.snd_wnd;
	bool dups = h->t.syn_acked && !h->t.sack_ok && !h->t.total_retrans;
	u8 before = h->t.state;
	struct xtcp_verdict v;

	conn_prep(h);
	pool_fill(h, xtcp_pool_want(&k->g));
	xtcp_segment_arrives(&h->t, &k->g, W.now, &v);
	conn_execute(h, k, &v, before);
	if (dups && h->kind == K_CONN)
		check_dups(h, k, una, wnd);
	else
		h->dups = 0;
}

void host_rx(struct host *h, const struct pkt *k)
{
	switch ((enum kind)h->kind) {
	case K_NONE:
		listen_rx(h, k, 0);
		break;
	case K_REQUEST:
		request_rx(h, k);
		break;
	case K_ENTRY:
		entry_rx(h, k);
		break;
	case K_CONN:
		conn_rx(h, k);
		break;
	}
}

/* When something happens next by itself, 0: never. */
u64 host_next_us(const struct host *h)
{
	if (h->kind == K_CONN)
		return xtcp_next_deadline(&h->t);
	return h->kind == K_NONE ? 0 : h->due_us;
}

/* A deadline that passed makes room for a later one; RFC 6298 5.5: twice as far off. */
static void conn_timer(struct host *h)
{
	u64 due_us = host_next_us(h), rto_us = 2 * xtcp_rto_now_us(&h->t);
	bool rexmit = h->t.deadline_us[XTCP_T_REXMIT] == due_us && h->t.n_txq &&
		      h->t.rexmit_kind == XTCP_RT_RTO;
	u16 retransmits = h->t.retransmits;
	u8 before = h->t.state;
	struct xtcp_verdict v;

	conn_prep(h);
	xtcp_timeout(&h->t, W.now, &v);
	conn_execute(h, NULL, &v, before);
	if (h->kind != K_CONN)
		return;
	if (host_next_us(h) == due_us)
		fail("%c: the deadline stays in the past", host_name(h));
	/* of a peer that closed its window and answers no timeout counts */
	if (!rexmit || !h->t.snd_wnd)
		return;
	rto_us = min_t(u64, rto_us, params.tcp_rto_max_ms * MS);
	if (h->t.retransmits != retransmits + 1)
		fail("%c: a retransmission that does not count", host_name(h));
	if (h->t.deadline_us[XTCP_T_REXMIT] < due_us + rto_us && !h->t.user_timeout_ms)
		fail("%c: the next retransmission comes after %llu us, not %llu", host_name(h),
		     h->t.deadline_us[XTCP_T_REXMIT] - due_us, rto_us);
}

void host_timer(struct host *h)
{
	switch ((enum kind)h->kind) {
	case K_CONN:
		conn_timer(h);
		break;
	case K_REQUEST:
		if (h->rq.retries >= params.tcp_synack_retries) {
			note("%c: request timed out", host_name(h));
			conn_drop(h);
			break;
		}
		h->rq.retries++;
		synack(h);
		break;
	case K_ENTRY:
		entry_over(h, h->twc.fin_wait2 ? "FIN_WAIT2 timeout" : "2MSL");
		break;
	case K_NONE:
		break;
	}
}
