// SPDX-License-Identifier: GPL-2.0
/*
 * The two kinds of flow without a sock: a half-open request under fire until
 * it is killed, dies of age or becomes a connection, and a TIME-WAIT entry (or
 * FIN_WAIT2 without a user) until it is killed or gives way to a new SYN.
 */
#include "fz.h"

#define HEAD	(FZ_PARAM_BYTES + FZ_CONN_BYTES + FZ_SEG_BYTES + 24)
#define RECORD	(2 + 1 + FZ_SEG_BYTES)

const struct fz_shape fz_shape = { HEAD, RECORD };

static u64 rq_acts[XTCP_RQ_COMPLETE + 1], tw_acts[XTCP_TW_REOPEN + 1];

/* FIN_WAIT2 without a user and the FIN that ends it, or a FIN again in TIME-WAIT. */
static void seed_fin(u8 *out, bool again)
{
	u8 *mini = out + FZ_PARAM_BYTES + FZ_CONN_BYTES, *seg = out + HEAD + 3;

	mini[0] &= ~1;
	mini[1 + 3 + 3 + 4 + 1] &= ~(1 << 2);
	mini[1 + 3 + 3 + 4 + 1] |= again ? 0 : 1 << 2;
	memset(seg, 0, FZ_SEG_BYTES);
	seg[0] = 5;	/* ACK, FIN */
	seg[2] = again;	/* one before RCV.NXT */
	seg[9] = 1;	/* the timestamp expected */
}

size_t fz_seed(unsigned int n, u8 *out, size_t room)
{
	if (n >= 300)
		return 0;
	fz_seed_random(n, out, HEAD + (1 + n % 20) * RECORD);
	if (n % 2)
		memset(out, 0, FZ_PARAM_BYTES);
	if (n % 4 == 0)
		seed_fin(out, n % 8);
	return HEAD + (1 + n % 20) * RECORD;
}

const char *fz_missing(void)
{
	static const char *const rq[] = { "RQ_DROP", "RQ_SYNACK", "RQ_KILL", "RQ_COMPLETE" };
	static const char *const tw[] = {
		"TW_DROP", "TW_RESTART", "TW_FIN", "TW_KILL", "TW_ABORT", "TW_REOPEN",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rq_acts); i++)
		if (!rq_acts[i])
			return rq[i];
	for (i = 0; i < ARRAY_SIZE(tw_acts); i++)
		if (!tw_acts[i])
			return tw[i];
	return NULL;
}

/* ---- requests */

static void check_synack(const struct xtcp_rq *rq, u16 adv_mss, u64 now_us)
{
	struct xtcp_reply r;
	struct xtcp_opts o;

	xtcp_rq_synack(rq, adv_mss, now_us, &r);
	FZ_NEED(r.optlen <= XTCP_MAX_OPT && !xtcp_opts_parse(r.opt, r.optlen, true, &o));
	FZ_NEED(r.seq == rq->iss && r.ack == rq->rcv_nxt && r.wnd == rq->rcv_wnd);
	FZ_NEED(r.flags == (XTCP_SYN | XTCP_ACK | (rq->ecn_ok ? XTCP_ECE : 0)) && o.mss == adv_mss);
	FZ_NEED(o.has_ts == rq->ts_ok && o.sack_ok == rq->sack_ok);
	FZ_NEED(o.has_wscale == rq->wscale_ok && o.wscale == rq->rcv_wscale);
	FZ_NEED(!rq->ts_ok || o.tsecr == rq->ts_recent);
}

static void check_timeout(struct xtcp_rq *rq, const struct xtcp_params *p, u32 init_ms)
{
	u64 us = xtcp_rq_timeout_us(rq, p, init_ms), next;
	struct xtcp_rq later = *rq;

	FZ_NEED(us && us <= max(p->tcp_rto_max_ms, 60000) * MS);
	later.retries += later.retries < 255;
	next = xtcp_rq_timeout_us(&later, p, init_ms);
	FZ_NEED(next >= us && next <= 2 * us);
}

static void become_connection(struct fz_conn *c, const struct xtcp_rq *rq,
			      const struct xtcp_seg *g)
{
	c->una = rq->iss;
	xtcp_open_child(&c->t, rq, c->now_us, &c->v);
	fz_conn_execute(c, NULL);
	FZ_NEED(!c->over && c->t.s.rcv_nxt == rq->rcv_nxt && c->t.iss == rq->iss);
	FZ_NEED(c->t.mss_now && c->t.snd_wscale <= XTCP_MAX_WSCALE);
	fz_conn_arrives(c, g);
	/* whatever is wrong with what it carries, its ACK is that of our SYN */
	FZ_NEED(c->over || c->t.syn_acked || c->v.drop);
}

static bool rq_step(struct fz_conn *c, struct xtcp_rq *rq, struct fz_in *in)
{
	struct fz_marks m = {
		.seq = { rq->rcv_nxt, rq->rcv_nxt, rq->rcv_nxt - 1, rq->rcv_nxt + rq->rcv_wnd,
			 rq->rcv_nxt + 1, rq->rcv_nxt + (rq->rcv_wnd >> 1), 0, rq->rcv_nxt - 1 },
		.ack = { rq->iss + 1, rq->iss + 1, rq->iss, rq->iss + 2, 0, rq->iss + 1,
			 rq->iss + 1, rq->iss - 65535 },
		.edge = rq->rcv_nxt + rq->rcv_wnd, .ts_recent = rq->ts_recent,
		.ts_now = (u32)(c->now_us / 1000) + rq->ts_off,
	};
	u32 rcv_nxt = rq->rcv_nxt, iss = rq->iss;
	enum xtcp_rq_act act;
	struct xtcp_seg g;

	fz_segment(in, &m, &g);
	act = xtcp_rq_segment(rq, &c->p, &g, c->now_us, &c->v);
	rq_acts[act]++;
	fz_verdict(&c->v, &g);
	FZ_NEED(rq->rcv_nxt == rcv_nxt && rq->iss == iss);
	switch (act) {
	case XTCP_RQ_DROP:
		FZ_NEED(c->v.drop);
		return true;
	case XTCP_RQ_SYNACK:
		FZ_NEED((g.flags & (XTCP_SYN | XTCP_ACK | XTCP_RST)) == XTCP_SYN);
		rq->synack_us = (u32)c->now_us;
		return true;
	case XTCP_RQ_KILL:
		FZ_NEED((g.flags & XTCP_RST) && g.seq == rcv_nxt);
		return false;
	case XTCP_RQ_COMPLETE:
		FZ_NEED((g.flags & (XTCP_SYN | XTCP_ACK | XTCP_RST)) == XTCP_ACK);
		FZ_NEED(g.ack == iss + 1);
		become_connection(c, rq, &g);
		return false;
	}
	return true;
}

static void request(struct fz_conn *c, struct fz_in *head, struct fz_in *in)
{
	struct fz_marks none = { .edge = 65535 };
	struct xtcp_seg syn;
	struct xtcp_rq rq;
	struct fz_in part;
	u32 init_ms, iss = fz_isn(head);

	none.seq[0] = fz_isn(head);
	init_ms = fz_u8(head) & 1 ? 10 + fz_u16(head) % 59991 : 0;
	fz_segment(head, &none, &syn);
	syn.flags = (syn.flags | XTCP_SYN) & ~(XTCP_ACK | XTCP_RST);
	xtcp_rq_init(&rq, &c->p, &syn, c->t.is_v6, iss, 77, min_t(u32, c->rcvbuf, 65535),
		     c->t.rcv_wscale, c->now_us);
	FZ_NEED(rq.mss_peer && rq.rcv_nxt == syn.seq + 1);
	do {
		part = fz_cut(in, RECORD);
		c->now_us += fz_span(&part, 24);
		check_synack(&rq, c->t.adv_mss, c->now_us);
		check_timeout(&rq, &c->p, init_ms);
		rq.retries += rq.retries < 255 && c->now_us % 4 == 0;
	} while (rq_step(c, &rq, &part) && in->n);
}

/* ---- TIME-WAIT entries */

static void check_bits(const struct xtcp_twc *w)
{
	struct xtcp_twc copy;

	memset(&copy, 0, sizeof(copy));
	copy.snd_nxt = w->snd_nxt;
	copy.rcv_nxt = w->rcv_nxt;
	copy.ts_recent = w->ts_recent;
	FZ_NEED(!(xtcp_twc_pack(w) >> 12));
	xtcp_twc_unpack(&copy, xtcp_twc_pack(w));
	FZ_NEED(!memcmp(&copy, w, sizeof(copy)));
}

static bool tw_act(const struct xtcp_twc *was, struct xtcp_twc *w, const struct xtcp_tw_env *e,
		   const struct xtcp_seg *g, enum xtcp_tw_act act, const struct xtcp_verdict *v)
{
	u8 three = g->flags & (XTCP_SYN | XTCP_ACK | XTCP_RST);

	FZ_NEED(w->snd_nxt == was->snd_nxt);
	FZ_NEED(w->rcv_nxt == was->rcv_nxt + (act == XTCP_TW_FIN));
	switch (act) {
	case XTCP_TW_DROP:
		/* dropped for a reason, or an ACK that says nothing new */
		FZ_NEED(v->drop || was->fin_wait2 || (v->flags & XTCP_V_REPLY));
		return true;
	case XTCP_TW_RESTART:
		FZ_NEED(!was->fin_wait2 && (g->flags & XTCP_FIN) && was->restarts < 15 &&
			w->restarts == was->restarts + 1);
		return true;
	case XTCP_TW_FIN:
		FZ_NEED(was->fin_wait2 && !w->fin_wait2 && (g->flags & XTCP_FIN));
		FZ_NEED(v->reply.ack == w->rcv_nxt);
		xtcp_twc_begin(w);
		return true;
	case XTCP_TW_KILL:
		FZ_NEED((g->flags & XTCP_RST) && g->seq == was->rcv_nxt);
		FZ_NEED(was->fin_wait2 || !e->p->tcp_rfc1337);
		return false;
	case XTCP_TW_ABORT:
		FZ_NEED(was->fin_wait2 && g->len && (v->reply.flags & XTCP_RST));
		return false;
	case XTCP_TW_REOPEN:
		FZ_NEED(e->listener && three == XTCP_SYN && !was->fin_wait2);
		FZ_NEED(e->iss == was->snd_nxt + 65537);
		return false;
	}
	return true;
}

static bool tw_step(struct fz_conn *c, struct xtcp_twc *w, struct xtcp_tw_env *e,
		    struct fz_in *in)
{
	u32 edge = w->rcv_nxt + (1u << w->wnd_log);
	struct fz_marks m = {
		.seq = { w->rcv_nxt, w->rcv_nxt - 1, w->rcv_nxt, edge, edge - 1, w->rcv_nxt - 1,
			 w->rcv_nxt + 0x7fffffff, 0 },
		.ack = { w->snd_nxt, w->snd_nxt, w->snd_nxt - 1, w->snd_nxt + 1,
			 w->snd_nxt - 65535, w->snd_nxt + 0x7fffffff, 0, w->snd_nxt },
		.edge = edge, .ts_recent = w->ts_recent,
		.ts_now = (u32)(c->now_us / 1000) + e->ts_off,
	};
	struct xtcp_twc was = *w;
	enum xtcp_tw_act act;
	struct xtcp_seg g;

	fz_segment(in, &m, &g);
	e->now_us = c->now_us;
	act = xtcp_tw_segment(w, e, &g, &c->v);
	tw_acts[act]++;
	fz_verdict(&c->v, &g);
	return tw_act(&was, w, e, &g, act, &c->v);
}

static void time_wait(struct fz_conn *c, struct fz_in *head, struct fz_in *in)
{
	struct xtcp_tw_env e = { .p = &c->p };
	struct xtcp_twc w;
	struct fz_in part;

	memset(&w, 0, sizeof(w));
	w.snd_nxt = fz_isn(head);
	w.rcv_nxt = fz_isn(head);
	w.ts_recent = fz_u32(head);
	xtcp_twc_unpack(&w, fz_u16(head) & 0xfff);
	e.ts_off = w.ts_plain ? 0 : fz_u32(head);
	e.listener = fz_u8(head) & 1;
	do {
		check_bits(&w);
		part = fz_cut(in, RECORD);
		c->now_us += fz_span(&part, 26);
	} while (tw_step(c, &w, &e, &part) && in->n);
	check_bits(&w);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fz_in in = { data, size }, part;
	static struct fz_conn c;

	memset(&c, 0, sizeof(c));
	fz_params(&c.p, &in);
	part = fz_cut(&in, FZ_CONN_BYTES);
	fz_conn_init(&c, &part);
	part = fz_cut(&in, HEAD - FZ_PARAM_BYTES - FZ_CONN_BYTES);
	if (fz_u8(&part) & 1)
		request(&c, &part, &in);
	else
		time_wait(&c, &part, &in);
	fz_conn_end(&c);
	return 0;
}
