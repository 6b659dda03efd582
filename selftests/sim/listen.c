// SPDX-License-Identifier: GPL-2.0
/* The passive side: listeners, half-open requests, SYN cookies, children. */
#include "../../src/core/cookie.h"
#include "sim.h"

/* ---- children */

/*
 * The third segment: a child is born in the request's place and gets the
 * segment. False: there is none, the request stays.
 */
static bool child_rx(struct flow *rq, const struct pkt *k, struct xtcp_seg *g)
{
	struct host *h = rq->host;
	struct sim *s = h->sim;
	struct xtcp_verdict v;
	struct flow *f;

	if (h->queued > h->backlog)
		saw(s, SEEN_BACKLOG);
	if (h->queued > h->backlog || rnd_pm(&s->r, s->accept_full_pm) ||
	    !sim_alloc(s, AL_CHILD)) {
		sim_note(s, "%s: drop AcceptqFull", rq->name);
		return false;
	}
	f = flow_new(h, rq->peer, rq->lport, rq->rport, F_CONN);
	f->child = true;
	if (f->peer == h->id)
		saw(s, SEEN_LOCAL);
	f->iss = rq->rq.iss;
	f->snd_edge = f->iss + 1;
	f->key_tx = (f->iss ^ (u32)s->seed) + h->id;
	f->met_tw = rq->met_tw;
	/* what the SYN-ACK offered */
	f->edge_seq = rq->rq.rcv_nxt + rq->rq.rcv_wnd;
	f->edge_set = true;
	conn_setup(f);
	xtcp_open_child(&f->t, &rq->rq, host_now(h), &v);
	flow_free(rq);
	f->queued = true;
	f->u.progress_us = s->now_us;
	h->queued++;
	h->accepted++;
	conn_execute(f, NULL, &v);
	if (!h->accept_us)
		h->accept_us = s->now_us + 1 + rnd_below(&s->r, h->accept_think_us);
	if (f->kind != F_CONN)
		return true;
	conn_prep(f);
	pool_fill(f, xtcp_pool_want(g));
	xtcp_segment_arrives(&f->t, g, host_now(h), &v);
	conn_execute(f, k, &v);
	return true;
}

/* ---- SYN cookies: nothing is kept */

struct cookie_at {
	u8 laddr[4], faddr[4];
	struct xtcp_cookie_id id;
	struct xtcp_cookie_keys keys;
	u64 real_s;
};

static void cookie_at(struct host *h, const struct pkt *k, struct cookie_at *c)
{
	const u8 net[4] = { 10, 0, 0, 0 };

	memcpy(c->laddr, net, 4);
	memcpy(c->faddr, net, 4);
	c->laddr[3] = h->id;
	c->faddr[3] = k->from;
	c->id = (struct xtcp_cookie_id){ c->laddr, c->faddr, 4, k->dport, k->sport };
	c->keys = (struct xtcp_cookie_keys){ { h->key.ts, h->key.isn }, 2 };
	c->real_s = host_now(h) / SEC;
}

static void cookie_synack(struct host *h, const struct pkt *k, const struct xtcp_seg *g)
{
	struct cookie_at c;
	struct xtcp_reply r;
	struct xtcp_rq rq;

	cookie_at(h, k, &c);
	xtcp_rq_init(&rq, &h->p, g, false, 0, g->opt.has_ts ? pick_ts_off(h, k->from) : 0,
		     min_t(u32, h->rcvbuf, 65535), h->rcv_wscale, host_now(h));
	xtcp_cookie_make(&c.keys, &c.id, &rq, c.real_s);
	xtcp_rq_synack(&rq, h->adv_mss, host_now(h), &r);
	h->cookie_tick = xtcp_cookie_tick(c.real_s) + 1;
	sim_note(h->sim, "%c: answers with a cookie", host_letter(h->id));
	if (sim_alloc(h->sim, AL_REPLY))
		net_send(h, k->from, k->dport, k->sport, pkt_from_reply(&r));
}

/* Did this SYN get its connection already? An old third segment must not make another. */
static bool cookie_used(const struct host *h, const struct pkt *k)
{
	const struct sim *s = h->sim;
	const struct flow *f;
	u32 i;

	for (f = s->over; f; f = f->next)
		if (f->host == h && f->child && f->peer == k->from && f->rport == k->sport &&
		    f->irs == k->seq - 1)
			return true;
	for (i = 0; i < s->n_flow; i++) {
		f = s->flow[i];
		if (f->host == h && f->child && f->peer == k->from && f->rport == k->sport &&
		    f->irs == k->seq - 1)
			return true;
	}
	return false;
}

/* An ACK at a listener: the third segment of a cookie? */
static bool cookie_ack(struct host *h, const struct pkt *k, struct xtcp_seg *g)
{
	bool plain = (g->flags & (XTCP_SYN | XTCP_ACK | XTCP_RST)) == XTCP_ACK;
	struct xtcp_cookie_syn syn;
	struct cookie_at c;
	struct flow *f;
	u32 ts_off = 0;

	cookie_at(h, k, &c);
	if (!plain || !h->cookie_tick ||
	    xtcp_cookie_tick(c.real_s) + 1 - h->cookie_tick > XTCP_COOKIE_TICKS ||
	    xtcp_cookie_check(&c.keys, &c.id, g, h->rcv_wscale, c.real_s, &syn) !=
	    XTCP_COOKIE_OK || cookie_used(h, k))
		return false;
	if (!sim_alloc(h->sim, AL_REQUEST))
		return true;
	f = flow_new(h, k->from, k->dport, k->sport, F_REQUEST);
	if (syn.has_ts)
		ts_off = xtcp_cookie_ts_off(pick_ts_off(h, k->from), g->opt.tsecr, host_now(h));
	xtcp_cookie_rq(&f->rq, &h->p, g, &syn, false, ts_off, min_t(u32, h->rcvbuf, 65535),
		       h->rcv_wscale, host_now(h));
	saw(h->sim, SEEN_COOKIE);
	/* without a child the cookie stays all there is */
	if (!child_rx(f, k, g))
		flow_free(f);
	return true;
}

/* ---- requests */

void send_synack(struct flow *f)
{
	struct host *h = f->host;
	struct xtcp_reply r;

	xtcp_rq_synack(&f->rq, h->adv_mss, host_now(h), &r);
	f->rq.synack_us = (u32)host_now(h);
	f->due_us = host_now(h) + xtcp_rq_timeout_us(&f->rq, &h->p, 0);
	if (sim_alloc(h->sim, AL_REPLY))
		net_send(h, f->peer, f->lport, f->rport, pkt_from_reply(&r));
}

static void new_request(struct host *h, const struct pkt *k, const struct xtcp_seg *g,
			u32 least_iss)
{
	struct sim *s = h->sim;
	struct flow *f;
	u32 iss;

	if (!least_iss && (h->cookies == 2 || (h->cookies && h->requests > h->backlog))) {
		cookie_synack(h, k, g);
		return;
	}
	if (h->requests > 2 * h->backlog || h->queued > h->backlog ||
	    !sim_alloc(s, AL_REQUEST)) {
		sim_note(s, "%c: drop SynqFull", host_letter(h->id));
		return;
	}
	iss = pick_iss(h, k->from, k->dport, k->sport);
	if (least_iss && seq_lt(iss, least_iss))
		iss = least_iss;
	f = flow_new(h, k->from, k->dport, k->sport, F_REQUEST);
	xtcp_rq_init(&f->rq, &h->p, g, false, iss, pick_ts_off(h, k->from),
		     min_t(u32, h->rcvbuf, 65535), h->rcv_wscale, host_now(h));
	f->met_tw = least_iss;
	send_synack(f);
}

void request_rx(struct flow *f, const struct pkt *k, struct xtcp_seg *g)
{
	struct host *h = f->host;
	struct xtcp_verdict v;

	switch (xtcp_rq_segment(&f->rq, &h->p, g, host_now(h), &v)) {
	case XTCP_RQ_DROP:
		send_reply(h, k, &v);
		break;
	case XTCP_RQ_SYNACK:
		send_synack(f);
		break;
	case XTCP_RQ_KILL:
		sim_note(h->sim, "%s: request reset", f->name);
		flow_free(f);
		break;
	case XTCP_RQ_COMPLETE:
		child_rx(f, k, g);
		break;
	}
}

/* ---- segments */

void listen_rx(struct host *h, const struct pkt *k, struct xtcp_seg *g, u32 least_iss)
{
	struct xtcp_verdict v;

	if (!h->listening || k->dport != PORT_SERVICE) {
		xtcp_segment_closed(g, &v);
		send_reply(h, k, &v);
		return;
	}
	if (cookie_ack(h, k, g))
		return;
	if (xtcp_listen_segment(g, &v) == XTCP_L_SYN)
		new_request(h, k, g, least_iss);
	else
		send_reply(h, k, &v);
}

/* The listener closes: requests vanish, children nobody accepted are aborted. */
void host_deaf(struct host *h)
{
	struct sim *s = h->sim;
	struct xtcp_verdict v;
	u32 i = 0;

	sim_note(s, "%c: the listener closes", host_letter(h->id));
	h->deaf_us = 0;
	h->accept_us = 0;
	h->listening = false;
	h->deaf = true;
	while (i < s->n_flow) {
		struct flow *f = s->flow[i];

		if (f->host != h || (f->kind != F_REQUEST && !f->queued)) {
			i++;
			continue;
		}
		if (f->kind == F_REQUEST) {
			flow_free(f);
			continue;
		}
		f->queued = false;
		f->u.rude = true;
		f->orphan_us = s->now_us;
		h->queued--;
		saw(s, SEEN_DEAF);
		if (f->kind == F_CONN) {
			conn_prep(f);
			xtcp_user_abort(&f->t, 0, host_now(h), &v);
			conn_execute(f, NULL, &v);
		} else {
			flow_settle(f);
		}
		/* another flow stands in its place now */
	}
}
