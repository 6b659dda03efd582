// SPDX-License-Identifier: GPL-2.0
/* The wire of pair.h. */
#include "pair.h"

static struct end *other(struct pair *w, struct end *e)
{
	return e == &w->e[0] ? &w->e[1] : &w->e[0];
}

static enum kind kind_of(const struct xtcp_seg *g)
{
	if (g->flags & XTCP_RST)
		return K_RST;
	if (g->flags & XTCP_SYN)
		return g->flags & XTCP_ACK ? K_SYNACK : K_SYN;
	if (g->flags & XTCP_FIN)
		return K_FIN;
	return g->len ? K_DATA : K_ACK;
}

static void wire(struct pair *w, struct end *from, const struct xtcp_seg *g)
{
	enum kind k = kind_of(g);

	from->sent[k]++;
	if (from->lose[k]) {
		from->lose[k]--;
		return;
	}
	if (w->n_q == ARRAY_SIZE(w->q)) {
		ok(false, "the wire is full");
		return;
	}
	w->q[w->n_q++] = (struct packet) { w->now + ONE_WAY, other(w, from), *g };
}

static void wire_reply(struct pair *w, struct end *from, const struct xtcp_reply *r)
{
	struct xtcp_seg g = { .seq = r->seq, .ack = r->ack, .wnd = r->wnd, .flags = r->flags,
			      .segs = 1 };

	xtcp_opts_parse(r->opt, r->optlen, r->flags & XTCP_SYN, &g.opt);
	wire(w, from, &g);
}

static void wire_xmit(struct pair *w, struct end *from, const struct xtcp_xmit *x)
{
	struct xtcp_seg g = { .seq = x->seq, .ack = x->ack, .len = x->len, .wnd = x->wnd,
			      .urg = x->urg, .flags = x->flags, .segs = 1, .mss = x->len };

	xtcp_opts_parse(x->opt, x->optlen, x->flags & XTCP_SYN, &g.opt);
	wire(w, from, &g);
}

static void clock_set(struct pair *w, u64 us)
{
	w->now = us;
	w->e[0].u.now = us;
	w->e[1].u.now = us;
}

/* The block's verdict is in u.v: execute it, its segments go on the wire. */
static void carry_out(struct pair *w, struct end *e)
{
	unsigned int i;

	u_clear(&e->u);
	u_step(&e->u);
	if (e->u.v.flags & XTCP_V_REPLY)
		wire_reply(w, e, &e->u.v.reply);
	for (i = 0; i < e->u.n_out; i++)
		wire_xmit(w, e, &e->u.out[i]);
	if (e->u.v.flags & XTCP_V_TIMEWAIT) {
		xtcp_tw_init(&e->twc, &e->u.t);
		e->entry = true;
	}
	if (e->u.over && !e->over_us)
		e->over_us = w->now;
}

static void feed(struct pair *w, struct end *e, const struct xtcp_seg *g)
{
	u_prep(&e->u);
	xtcp_segment_arrives(&e->u.t, g, w->now, &e->u.v);
	carry_out(w, e);
}

static void synack(struct pair *w, struct end *e)
{
	struct xtcp_reply r;

	xtcp_rq_synack(&e->rq, MSS, w->now, &r);
	wire_reply(w, e, &r);
}

/* The kernel side's timer of a request: 1, 2, 4 ... times the first timeout. */
static void rq_arm(struct pair *w, struct end *e)
{
	e->rq_us = w->now + ((u64)e->u.p.tcp_init_rto_ms * MS << e->rq.retries);
}

static void rq_timeout(struct pair *w, struct end *e)
{
	if (e->rq.retries >= e->u.p.tcp_synack_retries) {
		e->half = false;
		e->over_us = w->now;
		return;
	}
	e->rq.retries++;
	synack(w, e);
	rq_arm(w, e);
}

static void rq_arrives(struct pair *w, struct end *e, const struct xtcp_seg *g)
{
	struct xtcp_verdict v;

	switch (xtcp_rq_segment(&e->rq, &e->u.p, g, w->now, &v)) {
	case XTCP_RQ_SYNACK:
		synack(w, e);
		break;
	case XTCP_RQ_KILL:
		e->half = false;
		e->over_us = w->now;
		break;
	case XTCP_RQ_COMPLETE:
		e->half = false;
		u_prep(&e->u);
		xtcp_open_child(&e->u.t, &e->rq, w->now, &e->u.v);
		carry_out(w, e);
		feed(w, e, g);
		break;
	case XTCP_RQ_DROP:
		if (v.flags & XTCP_V_REPLY)
			wire_reply(w, e, &v.reply);
		break;
	}
}

static void listen_arrives(struct pair *w, struct end *e, const struct xtcp_seg *g)
{
	struct xtcp_verdict v;

	if (xtcp_listen_segment(g, &v) == XTCP_L_SYN) {
		xtcp_rq_init(&e->rq, &e->u.p, g, false, e->iss, 0, e->u.rcvbuf, 0, w->now);
		e->half = true;
		synack(w, e);
		rq_arm(w, e);
	} else if (v.flags & XTCP_V_REPLY) {
		wire_reply(w, e, &v.reply);
	}
}

static void entry_arrives(struct pair *w, struct end *e, const struct xtcp_seg *g)
{
	struct xtcp_tw_env env = { .p = &e->u.p, .now_us = w->now,
				   .last_ack_us = e->tw_ack_us };
	struct xtcp_verdict v;

	switch (xtcp_tw_segment(&e->twc, &env, g, &v)) {
	case XTCP_TW_FIN:
		xtcp_twc_begin(&e->twc);
		break;
	case XTCP_TW_KILL:
	case XTCP_TW_ABORT:
	case XTCP_TW_REOPEN:
		e->entry = false;
		break;
	default:
		break;
	}
	e->tw_ack_us = env.last_ack_us;
	if (v.flags & XTCP_V_REPLY)
		wire_reply(w, e, &v.reply);
}

static void arrives(struct pair *w, struct end *e, const struct xtcp_seg *g)
{
	struct xtcp_verdict v;

	e->got_rst |= !!(g->flags & XTCP_RST);
	if (e->entry) {
		entry_arrives(w, e, g);
	} else if (e->half) {
		rq_arrives(w, e, g);
	} else if (!e->u.over && e->u.t.state != XTCP_CLOSE) {
		feed(w, e, g);
	} else if (e->listens && !e->u.over) {
		listen_arrives(w, e, g);
	} else {
		xtcp_segment_closed(g, &v);
		if (v.flags & XTCP_V_REPLY)
			wire_reply(w, e, &v.reply);
	}
}

static void deliver(struct pair *w)
{
	struct packet p = w->q[0];

	memmove(w->q, w->q + 1, --w->n_q * sizeof(w->q[0]));
	arrives(w, p.to, &p.g);
}

/* When something happens next at an end, 0: never. */
static u64 next_of(struct end *e)
{
	if (e->half)
		return e->rq_us;
	return e->u.over ? 0 : xtcp_next_deadline(&e->u.t);
}

void pair_run(struct pair *w, u64 us)
{
	u64 end = w->now + us, at, d;
	struct end *who;
	unsigned int i, n = 0;

	for (;;) {
		at = w->n_q ? w->q[0].at_us : ~0ULL;
		who = NULL;
		for (i = 0; i < 2; i++) {
			d = next_of(&w->e[i]);
			if (d && d < at) {
				at = d;
				who = &w->e[i];
			}
		}
		if (at > end || ++n > 5000)
			break;
		clock_set(w, at > w->now ? at : w->now);
		if (!who) {
			deliver(w);
		} else if (who->half) {
			rq_timeout(w, who);
		} else {
			u_prep(&who->u);
			xtcp_timeout(&who->u.t, w->now, &who->u.v);
			carry_out(w, who);
		}
	}
	if (n > 5000)
		ok(false, "two ends and a wire come to no rest");
	clock_set(w, end);
}

void pair_init(struct pair *w)
{
	unsigned int i;

	memset(w, 0, sizeof(*w));
	for (i = 0; i < 2; i++)
		u_init(&w->e[i].u);
	w->e[0].iss = ISS;
	w->e[1].iss = IRS - 100000;
	w->start = w->e[0].u.now;
	clock_set(w, w->start);
}

void pair_free(struct pair *w)
{
	u_free(&w->e[0].u);
	u_free(&w->e[1].u);
}

void pair_connect(struct pair *w, unsigned int side)
{
	struct end *e = &w->e[side];

	u_prep(&e->u);
	xtcp_open_active(&e->u.t, e->iss, 0, w->now, &e->u.v);
	carry_out(w, e);
}

void pair_send(struct pair *w, unsigned int side, u32 n)
{
	struct end *e = &w->e[side];

	u_prep(&e->u);
	xtcp_user_send(&e->u.t, n, false, false, w->now, &e->u.v);
	carry_out(w, e);
}

void pair_shutdown(struct pair *w, unsigned int side)
{
	struct end *e = &w->e[side];

	u_prep(&e->u);
	xtcp_user_shutdown(&e->u.t, w->now, &e->u.v);
	carry_out(w, e);
}

void pair_close(struct pair *w, unsigned int side)
{
	struct end *e = &w->e[side];

	u_prep(&e->u);
	xtcp_user_close(&e->u.t, 0, w->now, &e->u.v);
	carry_out(w, e);
}

u32 pair_got(const struct pair *w, unsigned int side)
{
	const struct xtcp_tcb *t = &w->e[side].u.t;
	u32 n = t->s.rcv_nxt - t->irs - 1;

	/* from CLOSE_WAIT on the FIN has been counted, too */
	return n - !!(w->e[side].u.t.fin_rcvd);
}

u8 pair_state(const struct pair *w, unsigned int side)
{
	const struct end *e = &w->e[side];

	if (e->entry)
		return e->twc.fin_wait2 ? XTCP_FIN_WAIT2 : XTCP_TIME_WAIT;
	return e->half ? XTCP_SYN_RECV : e->u.t.state;
}
