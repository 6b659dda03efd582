// SPDX-License-Identifier: GPL-2.0
/*
 * A host's flow table, and which of the four kinds of flow a segment or an
 * expiry belongs to: connection, half-open request, TIME-WAIT entry, listener.
 */
#include "sim.h"

/* ---- the table */

static const enum alloc kind_alloc[] = {
	[F_OVER] = AL_SOCK, [F_REQUEST] = AL_REQUEST, [F_CONN] = AL_CHILD,
	[F_TIMEWAIT] = AL_TIMEWAIT,
};

struct flow *flow_new(struct host *h, u8 peer, u16 lport, u16 rport, enum flow_kind kind)
{
	struct sim *s = h->sim;
	struct flow *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	if (s->n_flow == MAX_FLOWS)
		sim_fail(s, "more than %u flows", MAX_FLOWS);
	f->host = h;
	f->peer = peer;
	f->lport = lport;
	f->rport = rport;
	f->kind = kind;
	f->born = ++s->order;
	snprintf(f->name, sizeof(f->name), "%c:%u-%c:%u", host_letter(h->id), lport,
		 host_letter(peer), rport);
	s->flow[s->n_flow++] = f;
	s->live[kind_alloc[kind]]++;
	h->requests += kind == F_REQUEST;
	return f;
}

static void flow_unlist(struct flow *f)
{
	struct sim *s = f->host->sim;
	u32 i;

	for (i = 0; s->flow[i] != f; i++)
		;
	s->flow[i] = s->flow[--s->n_flow];
}

/* A request or TIME-WAIT entry is gone. */
void flow_free(struct flow *f)
{
	flow_unlist(f);
	f->host->sim->live[kind_alloc[f->kind]]--;
	f->host->requests -= f->kind == F_REQUEST;
	free(f);
}

/* A socket that is in no table and in no program's hands is over; kept for the last checks. */
void flow_settle(struct flow *f)
{
	struct sim *s = f->host->sim;

	if (f->kind != F_OVER || f->u.open || f->u.start_us || f->queued)
		return;
	flow_unlist(f);
	s->live[f->child ? AL_CHILD : AL_SOCK]--;
	f->next = s->over;
	s->over = f;
}

struct flow *flow_find(struct host *h, u8 peer, u16 lport, u16 rport)
{
	struct sim *s = h->sim;
	u32 i;

	for (i = 0; i < s->n_flow; i++) {
		struct flow *f = s->flow[i];

		if (f->host == h && f->kind != F_OVER && f->peer == peer &&
		    f->lport == lport && f->rport == rport)
			return f;
	}
	return NULL;
}

/* ---- segments */

static void seg_from_pkt(struct host *h, const struct flow *f, const struct pkt *k,
			 struct xtcp_seg *g)
{
	memset(g, 0, sizeof(*g));
	g->seq = k->seq;
	g->ack = k->ack;
	g->len = k->len;
	g->wnd = k->wnd;
	g->urg = k->urg;
	g->flags = k->flags;
	g->ecn = k->ecn;
	g->segs = k->segs;
	g->mss = k->mss;
	if (k->len && f && f->kind == F_CONN)
		g->no_mem = !sim_alloc(h->sim, AL_PAYLOAD) ||
			    f->u.delivered - f->u.read + f->ooo_bytes + k->len >
			    h->rcvbuf_max + 65536;
	xtcp_opts_parse(k->opt, k->optlen, k->flags & XTCP_SYN, &g->opt);
}

/* An answer to @k that comes from no connection. */
void send_reply(struct host *h, const struct pkt *k, const struct xtcp_verdict *v)
{
	if (v->drop != XTCP_DROP_NONE)
		sim_note(h->sim, "%c: drop %s", host_letter(h->id), drop_name(v->drop));
	if ((v->flags & XTCP_V_REPLY) && sim_alloc(h->sim, AL_REPLY))
		net_send(h, k->from, k->dport, k->sport, pkt_from_reply(&v->reply));
}

/* ---- TIME-WAIT */

/* An entry takes the connection's place; FINWAIT2 has asked for memory before. */
void flow_timewait(struct flow *f, bool fin_wait2)
{
	struct host *h = f->host;
	struct flow *w;

	if (!fin_wait2 && !sim_alloc(h->sim, AL_TIMEWAIT)) {
		sim_note(h->sim, "%s: no memory for TIME-WAIT", f->name);
		saw(h->sim, SEEN_NO_TW);
		return;
	}
	w = flow_new(h, f->peer, f->lport, f->rport, F_TIMEWAIT);
	xtcp_tw_init(&w->tw, &f->t);
	w->tw_ts_off = f->t.ts_off;
	w->due_us = fin_wait2 ? f->t.deadline_us[XTCP_T_LIFE] :
		    host_now(h) + h->p.tcp_timewait_ms * MS;
	if (w->tw.fin_wait2 != fin_wait2)
		sim_fail(h->sim, "%s: entry in the wrong state", f->name);
}

static void timewait_reopen(struct flow *f, const struct pkt *k, struct xtcp_seg *g,
			    u32 iss)
{
	struct host *h = f->host;

	if (!h->listening || f->lport != PORT_SERVICE)
		sim_fail(h->sim, "%s: TIME-WAIT reopened without a listener", f->name);
	sim_note(h->sim, "%s: TIME-WAIT reopened", f->name);
	saw(h->sim, SEEN_REOPEN);
	flow_free(f);
	listen_rx(h, k, g, iss);
}

/* Its peer's FIN again: 2MSL must start anew, unless it is old by its timestamp. */
static void check_restart(const struct flow *f, const struct xtcp_seg *g, enum xtcp_tw_act act,
			  const struct xtcp_verdict *v)
{
	bool fin_again = (g->flags & (XTCP_FIN | XTCP_SYN | XTCP_RST)) == XTCP_FIN &&
			 xtcp_seg_end(g) == f->tw.rcv_nxt && !f->tw.fin_wait2;

	if (!fin_again || act == XTCP_TW_RESTART || act == XTCP_TW_FIN ||
	    v->drop == XTCP_DROP_PAWS || f->tw.restarts >= 15)
		return;
	sim_fail(f->host->sim, "%s: FIN again, and 2MSL goes on", f->name);
}

static void timewait_rx(struct flow *f, const struct pkt *k, struct xtcp_seg *g)
{
	struct host *h = f->host;
	struct xtcp_tw_env e = {
		.p = &h->p, .now_us = host_now(h),
		.listener = h->listening && f->lport == PORT_SERVICE,
		.last_ack_us = f->tw_ack_us, .ts_off = f->tw_ts_off,
	};
	enum xtcp_tw_act act;
	struct xtcp_verdict v;

	act = xtcp_tw_segment(&f->tw, &e, g, &v);
	f->tw_ack_us = e.last_ack_us;
	check_restart(f, g, act, &v);
	if (act != XTCP_TW_REOPEN)
		send_reply(h, k, &v);
	switch (act) {
	case XTCP_TW_DROP:
		break;
	case XTCP_TW_FIN:
		sim_note(h->sim, "%s: FIN_WAIT2 entry -> TIME_WAIT", f->name);
		xtcp_twc_begin(&f->tw);
		saw(h->sim, SEEN_FW2);
		fallthrough;
	case XTCP_TW_RESTART:
		f->due_us = host_now(h) + h->p.tcp_timewait_ms * MS;
		break;
	case XTCP_TW_ABORT:
	case XTCP_TW_KILL:
		sim_note(h->sim, "%s: TIME-WAIT reset", f->name);
		flow_free(f);
		break;
	case XTCP_TW_REOPEN:
		timewait_reopen(f, k, g, e.iss);
		break;
	}
}

/* ---- what arrives */

static void icmp_rx(struct flow *f, const struct pkt *k)
{
	struct host *h = f->host;
	struct xtcp_verdict v;

	if (f->kind != F_CONN)
		return;
	/* what it quotes must be in flight (RFC 5927 4.1) */
	if (seq_lt(k->seq, f->t.s.snd_una) || seq_geq(k->seq, f->t.s.snd_nxt))
		return;
	conn_prep(f);
	if (k->icmp != EMSGSIZE) {
		xtcp_icmp_error(&f->t, k->icmp, false, host_now(h), &v);
	} else {
		if (k->icmp_mss >= f->mss_cap)
			return;
		f->mss_cap = k->icmp_mss;
		saw(h->sim, SEEN_MTU);
		xtcp_mtu_changed(&f->t, k->icmp_mss, host_now(h), &v);
	}
	conn_execute(f, NULL, &v);
}

/* RFC 3168 6.1.2, 6.1.3: a mark on what is kept is echoed, an echo of what is new answered. */
static void conn_arrives(struct flow *f, const struct xtcp_seg *g, struct xtcp_verdict *v)
{
	bool echo = f->t.ecn_ok && (g->flags & (XTCP_SYN | XTCP_ECE)) == XTCP_ECE;
	u32 una = f->t.s.snd_una;

	pool_fill(f, xtcp_pool_want(g));
	xtcp_segment_arrives(&f->t, g, host_now(f->host), v);
	if (f->t.ecn_ok && g->ecn == XTCP_ECN_CE && !f->t.ecn_echo && v->data_len &&
	    (v->flags & (XTCP_V_DELIVER | XTCP_V_OOO)))
		sim_fail(f->host->sim, "%s: a mark is not echoed", f->name);
	if (echo && f->t.syn_acked && f->t.s.snd_una != una && una != f->iss &&
	    f->t.ca_state <= XTCP_CA_DISORDER && !f->t.ecn_cwr &&
	    seq_gt(f->t.s.snd_una, f->t.high_seq))
		sim_fail(f->host->sim, "%s: an echo is not answered", f->name);
}

void host_rx(struct host *h, const struct pkt *k)
{
	struct flow *f = flow_find(h, k->from, k->dport, k->sport);
	struct xtcp_verdict v;
	struct xtcp_seg g;

	if (k->icmp) {
		if (f)
			icmp_rx(f, k);
		return;
	}
	seg_from_pkt(h, f, k, &g);
	if (!f) {
		listen_rx(h, k, &g, 0);
		return;
	}
	switch (f->kind) {
	case F_REQUEST:
		request_rx(f, k, &g);
		break;
	case F_TIMEWAIT:
		timewait_rx(f, k, &g);
		break;
	case F_CONN:
		f->heard_us = h->sim->now_us;
		conn_prep(f);
		conn_arrives(f, &g, &v);
		conn_execute(f, k, &v);
		break;
	}
}

/* ---- time */

/* By the host's clock; 0: nothing. */
u64 flow_next_us(const struct flow *f)
{
	u64 due_us = xtcp_next_deadline(&f->t);

	if (f->kind == F_CONN)
		return f->wake_us && (!due_us || f->wake_us < due_us) ? f->wake_us : due_us;
	return f->kind == F_OVER ? 0 : f->due_us;
}

static void conn_timer(struct flow *f)
{
	struct sim *s = f->host->sim;
	struct xtcp_verdict v;

	sim_note(s, "%s: timeout, rto %u us, backoff %u", f->name, f->t.rto_us, f->t.backoff);
	if (s->n_jump && host_now(f->host) > xtcp_next_deadline(&f->t) + SEC)
		saw(s, SEEN_JUMP);
	f->wake_us = 0;
	conn_prep(f);
	f->t.no_resources = f->host->harsh && f->orphan_us && !rnd_below(&s->r, 20);
	xtcp_timeout(&f->t, host_now(f->host), &v);
	conn_execute(f, NULL, &v);
	if (f->kind == F_CONN && xtcp_next_deadline(&f->t) &&
	    xtcp_next_deadline(&f->t) <= host_now(f->host))
		sim_fail(s, "%s: the deadline stays in the past", f->name);
}

void flow_timer(struct flow *f)
{
	struct host *h = f->host;

	switch (f->kind) {
	case F_CONN:
		conn_timer(f);
		break;
	case F_REQUEST:
		if (f->rq.retries >= h->p.tcp_synack_retries) {
			sim_note(h->sim, "%s: request timed out", f->name);
			flow_free(f);
			break;
		}
		f->rq.retries++;
		send_synack(f);
		break;
	case F_TIMEWAIT:
		flow_free(f);
		break;
	case F_OVER:
		break;
	}
}
