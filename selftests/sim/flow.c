// SPDX-License-Identifier: GPL-2.0
/*
 * Which of a host's four kinds of flow a segment or an expiry belongs to:
 * connection, half-open request, TIME-WAIT entry, listener or nobody.
 */
#include "sim.h"

/* ---- segments */

static void seg_from_pkt(struct host *h, const struct pkt *k, struct xtcp_seg *g)
{
	u32 used = h->u.delivered - h->u.read + h->ooo_bytes;

	memset(g, 0, sizeof(*g));
	g->seq = k->seq;
	g->ack = k->ack;
	g->len = k->len;
	g->wnd = k->wnd;
	g->urg = k->urg;
	g->flags = k->flags;
	g->segs = k->segs;
	g->mss = k->mss;
	g->no_mem = k->len && (rnd_pm(&h->sim->r, h->sim->nomem_pm) ||
			       used + k->len > h->rcvbuf_max + 65536);
	xtcp_opts_parse(k->opt, k->optlen, k->flags & XTCP_SYN, &g->opt);
}

static void send_reply(struct host *h, const struct xtcp_verdict *v)
{
	if (v->drop != XTCP_DROP_NONE)
		sim_note(h->sim, "%s: drop %s", h->name, drop_name(v->drop));
	if (v->flags & XTCP_V_REPLY)
		net_send(h->sim, h, pkt_from_reply(&v->reply));
}

static void send_synack(struct host *h)
{
	struct xtcp_reply r;

	xtcp_rq_synack(&h->rq, h->adv_mss, h->sim->now_us, &r);
	h->rq.synack_us = (u32)h->sim->now_us;
	h->due_us = h->sim->now_us + xtcp_rq_timeout_us(&h->rq, &h->p, 0);
	net_send(h->sim, h, pkt_from_reply(&r));
}

static void listen_rx(struct host *h, const struct xtcp_seg *g)
{
	static const u8 addr[2][4] = { { 10, 0, 0, 1 }, { 10, 0, 0, 2 } };
	struct sim *s = h->sim;
	struct xtcp_verdict v;
	u32 iss;

	if (!h->listening) {
		xtcp_segment_closed(g, &v);
		send_reply(h, &v);
		return;
	}
	if (xtcp_listen_segment(g, &v) != XTCP_L_SYN) {
		send_reply(h, &v);
		return;
	}
	if (rnd_pm(&s->r, s->full_pm)) {
		sim_note(s, "%s: drop SynqFull", h->name);
		return;
	}
	iss = xtcp_isn(&h->key, addr[h->id], addr[!h->id], 4, 80, 1000, s->now_us * 1000);
	if (h->reopen_iss && seq_lt(iss, h->reopen_iss))
		iss = h->reopen_iss;
	xtcp_rq_init(&h->rq, &h->p, g, false, iss, rnd_u32(&s->r),
		     min_t(u32, h->rcvbuf, 65535), h->rcv_wscale, s->now_us);
	h->kind = H_REQUEST;
	send_synack(h);
}

/* The third segment: a child is born and gets the segment. */
static void child_rx(struct host *h, const struct pkt *k, struct xtcp_seg *g)
{
	struct xtcp_verdict v;

	if (h->u.open || rnd_pm(&h->sim->r, h->sim->full_pm)) {
		sim_note(h->sim, "%s: drop AcceptqFull", h->name);
		return;
	}
	xtcp_tcb_init(&h->t, &h->p, false);
	xtcp_tcb_inherit(&h->t, &h->listener);
	conn_setup(h);
	xtcp_open_child(&h->t, &h->rq, h->sim->now_us, &v);
	note_edges(h, &v);
	h->accepted++;
	user_attach(h);
	xtcp_segment_arrives(&h->t, g, h->sim->now_us, &v);
	conn_execute(h, k, &v);
}

static void request_rx(struct host *h, const struct pkt *k, struct xtcp_seg *g)
{
	struct xtcp_verdict v;

	switch (xtcp_rq_segment(&h->rq, &h->p, g, h->sim->now_us, &v)) {
	case XTCP_RQ_DROP:
		send_reply(h, &v);
		break;
	case XTCP_RQ_SYNACK:
		send_synack(h);
		break;
	case XTCP_RQ_KILL:
		sim_note(h->sim, "%s: request reset", h->name);
		host_drop_flow(h);
		break;
	case XTCP_RQ_COMPLETE:
		child_rx(h, k, g);
		break;
	}
}

static void timewait_rx(struct host *h, struct xtcp_seg *g)
{
	struct xtcp_tw_env e = {
		.p = &h->p, .now_us = h->sim->now_us, .listener = h->listening,
		.last_ack_us = h->tw_ack_us, .ts_off = h->t.ts_off,
	};
	enum xtcp_tw_act act;
	struct xtcp_verdict v;

	act = xtcp_tw_segment(&h->tw, &e, g, &v);
	h->tw_ack_us = e.last_ack_us;
	switch (act) {
	case XTCP_TW_DROP:
		send_reply(h, &v);
		break;
	case XTCP_TW_FIN:
		sim_note(h->sim, "%s: FIN_WAIT2 entry -> TIME_WAIT", h->name);
		xtcp_twc_begin(&h->tw);
		fallthrough;
	case XTCP_TW_RESTART:
		send_reply(h, &v);
		h->due_us = h->sim->now_us + h->p.tcp_timewait_ms * MS;
		break;
	case XTCP_TW_ABORT:
		send_reply(h, &v);
		fallthrough;
	case XTCP_TW_KILL:
		sim_note(h->sim, "%s: TIME-WAIT reset", h->name);
		host_drop_flow(h);
		break;
	case XTCP_TW_REOPEN:
		if (!h->listening)
			sim_fail(h->sim, "%s: TIME-WAIT reopened without a listener", h->name);
		sim_note(h->sim, "%s: TIME-WAIT reopened", h->name);
		host_drop_flow(h);
		h->reopen_iss = e.iss;
		listen_rx(h, g);
		h->reopen_iss = 0;
		break;
	}
}

void host_rx(struct host *h, const struct pkt *k)
{
	struct xtcp_verdict v;
	struct xtcp_seg g;

	seg_from_pkt(h, k, &g);
	switch (h->kind) {
	case H_NONE:
		listen_rx(h, &g);
		break;
	case H_REQUEST:
		request_rx(h, k, &g);
		break;
	case H_TIMEWAIT:
		timewait_rx(h, &g);
		break;
	case H_CONN:
		conn_prep(h);
		xtcp_segment_arrives(&h->t, &g, h->sim->now_us, &v);
		conn_execute(h, k, &v);
		break;
	}
}

/* ---- time */

u64 host_next_us(const struct host *h)
{
	if (h->kind == H_CONN)
		return xtcp_next_deadline(&h->t);
	return h->kind == H_NONE ? 0 : h->due_us;
}

void host_timer(struct host *h)
{
	struct xtcp_verdict v;
	u64 due = host_next_us(h);

	switch (h->kind) {
	case H_CONN:
		conn_prep(h);
		sim_note(h->sim, "%s: timeout, rto %u us, backoff %u", h->name, h->t.rto_us,
			 h->t.backoff);
		xtcp_timeout(&h->t, h->sim->now_us, &v);
		conn_execute(h, NULL, &v);
		if (h->kind == H_CONN && host_next_us(h) == due)
			sim_fail(h->sim, "%s: the deadline stays in the past", h->name);
		break;
	case H_REQUEST:
		if (h->rq.retries >= h->p.tcp_synack_retries) {
			sim_note(h->sim, "%s: request timed out", h->name);
			host_drop_flow(h);
			break;
		}
		h->rq.retries++;
		send_synack(h);
		break;
	case H_TIMEWAIT:
		host_drop_flow(h);
		break;
	case H_NONE:
		break;
	}
}
