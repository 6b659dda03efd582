// SPDX-License-Identifier: GPL-2.0
/*
 * One connection: what the kernel side does around the core. It owns the bytes, the
 * range nodes and the clock; it executes verdicts in the order verdict.h asks for.
 */
#include "sim.h"

/* ---- range nodes: every one is counted, allocation fails now and then */

void pool_fill(struct flow *f, unsigned int want)
{
	struct sim *s = f->host->sim;

	while (xtcp_pool_hungry(&f->t, want)) {
		struct xtcp_rng *r;

		if (!sim_alloc(s, AL_NODE))
			return;
		r = malloc(sizeof(*r));
		if (!r)
			abort();
		memset(r, 0xa5, sizeof(*r));
		s->live[AL_NODE]++;
		xtcp_pool_put(&f->t, r);
	}
}

static void pool_trim(struct flow *f, unsigned int keep)
{
	struct xtcp_rng *r;

	while ((r = xtcp_pool_surplus(&f->t, keep))) {
		f->host->sim->live[AL_NODE]--;
		free(r);
	}
}

/* Which wraps did it live through? */
static void saw_sequence(struct flow *f)
{
	struct host *h = f->host;
	u32 first = f->iss + 1, last = first + f->u.acked;
	u32 ts_first = (u32)(f->born_us / 1000) - h->ts_near;
	u32 ts_last = (u32)(host_now(h) / 1000) - h->ts_near;

	if (last < first)
		saw(h->sim, SEEN_SEQ_WRAP);
	if (first < 1u << 31 && last > 1u << 31)
		saw(h->sim, SEEN_SEQ_SIGN);
	if (f->t.ts_ok && h->ts_near && f->t.ts_off && ts_last < ts_first)
		saw(h->sim, SEEN_TS_WRAP);
}

/* The connection leaves the table; its socket may stay. */
void conn_end(struct flow *f)
{
	if (f->kind != F_CONN)
		return;
	saw_sequence(f);
	xtcp_tcb_drain(&f->t);
	pool_trim(f, 0);
	f->kind = F_OVER;
	memset(&f->t, 0x5a, sizeof(f->t));
	free(f->held);
	f->held = NULL;
	f->n_held = 0;
	f->cap_held = 0;
	flow_settle(f);
}

/* What the caller must set before each call (tcb.h). */
void conn_prep(struct flow *f)
{
	u32 used = f->u.delivered - f->u.read + f->ooo_bytes;

	f->t.rcv_full = f->rcvbuf;
	f->t.rcv_free = f->rcvbuf > used ? f->rcvbuf - used : 0;
	pool_fill(f, XTCP_POOL_LEAST);
}

void conn_setup(struct flow *f)
{
	struct host *h = f->host;

	f->kind = F_CONN;
	f->was_conn = true;
	f->born_us = host_now(h);
	f->mss_cap = h->mss_cap;
	f->rcvbuf = h->rcvbuf;
	xtcp_tcb_init(&f->t, &h->p, false);
	xtcp_tcb_inherit(&f->t, &h->opts);
	f->t.adv_mss = h->adv_mss;
	f->t.mss_cap = h->mss_cap;
	f->t.gso_max = h->gso_max;
	f->t.rcv_wscale = h->rcv_wscale;
	conn_prep(f);
}

/* ---- output */

struct pkt *pkt_from_reply(const struct xtcp_reply *r)
{
	struct pkt *k = pkt_new(0);

	k->seq = r->seq;
	k->ack = r->ack;
	k->wnd = r->wnd;
	k->flags = r->flags;
	k->optlen = r->optlen;
	memcpy(k->opt, r->opt, sizeof(k->opt));
	return k;
}

/* The right edge a connection offers must never move left (RFC 9293 3.8.6). */
static void note_edge(struct flow *f, u32 ack, u16 wnd, u8 scale)
{
	u32 edge = ack + ((u32)wnd << scale);

	/* in a SYN, where no scale holds, 65535 may mean more */
	if (f->edge_set && seq_lt(edge + (1u << scale) - 1, f->edge_seq) &&
	    (scale || wnd < 65535))
		sim_fail(f->host->sim, "%s: window shrinks by %u", f->name, f->edge_seq - edge);
	if (!f->edge_set || seq_gt(edge, f->edge_seq))
		f->edge_seq = edge;
	f->edge_set = true;
}

/* Is what the core wants to send ours to send, and the peer's to take? */
static void check_xmit(struct flow *f, const struct xtcp_xmit *x, u32 pos)
{
	struct sim *s = f->host->sim;
	u32 end = x->seq + x->len + !!(x->flags & XTCP_FIN);

	if (x->len && (seq_lt(x->seq, f->iss + 1 + f->u.acked) || pos + x->len > f->u.written))
		sim_fail(s, "%s: sends bytes [%u, %u) of [%u, %u)", f->name, pos, pos + x->len,
			 f->u.acked, f->u.written);
	if (x->len > (x->gso_size ? f->t.gso_max : f->mss_cap))
		sim_fail(s, "%s: segment of %u bytes, mss %u, gso %u", f->name, x->len,
			 f->mss_cap, f->t.gso_max);
	if (x->ect != (f->t.ecn_ok && x->kind == XTCP_X_NEW && x->len))
		sim_fail(s, "%s: ECN-capable %d, kind %u, %u bytes", f->name, x->ect, x->kind,
			 x->len);
	if (!(x->flags & XTCP_SYN) && !(x->flags & XTCP_ECE) != !f->t.ecn_echo)
		sim_fail(s, "%s: ECE %d, echo %d", f->name, !!(x->flags & XTCP_ECE),
			 f->t.ecn_echo);
	if (x->kind == XTCP_X_NEW && !(x->flags & XTCP_SYN) && seq_gt(end, f->snd_edge))
		sim_fail(s, "%s: sends %u beyond the window", f->name, end - f->snd_edge);
}

static struct pkt *pkt_from_xmit(struct flow *f, const struct xtcp_xmit *x)
{
	struct pkt *k = pkt_new(x->len);
	u32 pos = x->flags & XTCP_SYN ? 0 : x->seq - (f->iss + 1), i;

	check_xmit(f, x, pos);
	k->seq = x->seq;
	k->ack = x->ack;
	k->wnd = x->wnd;
	k->urg = x->urg;
	k->flags = x->flags;
	k->ecn = x->ect ? XTCP_ECN_ECT0 : XTCP_ECN_NOT;
	k->optlen = x->optlen;
	memcpy(k->opt, x->opt, sizeof(k->opt));
	k->mss = x->gso_size ? x->gso_size : x->len;
	for (i = 0; i < x->len; i++)
		k->data[i] = stream_byte(f->key_tx, pos + i);
	if (!(x->flags & XTCP_ACK))
		f->syn_wnd = x->wnd;
	else
		note_edge(f, x->ack, x->wnd, x->flags & XTCP_SYN ? 0 : f->t.rcv_wscale);
	return k;
}

/* How far the peer lets us send: it may take back what it offered, once used it stays. */
static void note_snd_edge(struct flow *f)
{
	u32 edge = f->t.s.snd_una + f->t.snd_wnd;

	if (seq_gt(edge, f->snd_edge))
		f->snd_edge = edge;
}

/* By the seed: a device that takes its time and has a small queue, a rate that is kept to. */
static void below(struct flow *f)
{
	struct host *h = f->host;
	u64 seed = h->sim->seed >> 2;

	f->t.held = 0;
	f->t.dev_least = (seed + h->id) % 4 == 1 && f->dev_us > host_now(h) + MS ? ~0U : 0;
	f->t.paced = f->t.cc->control || (seed + h->id) % 8 == 2;
	if (f->t.paced)
		f->t.pacing_max = 2000000;
}

static bool next_xmit(struct flow *f, struct xtcp_xmit *x)
{
	bool more, due = xtcp_output_more(&f->t);

	below(f);
	more = xtcp_output_next(&f->t, host_now(f->host), x);
	if (more && !due)
		sim_fail(f->host->sim, "%s: a segment that was not due", f->name);
	f->wake_us = f->t.held ? host_now(f->host) + MS : 0;
	if (more && x->len)
		f->dev_us = max_t(u64, f->dev_us, host_now(f->host)) + 500;
	return more;
}

/* It cannot be built or, with every other byte, the queue below drops it. Is it gone? */
static bool send_fails(struct flow *f, const struct xtcp_xmit *x)
{
	struct host *h = f->host;
	bool full = x->seq & 1, gone;

	sim_note(h->sim, "%s: %s, seq %u len %u", f->name,
		 full ? "the queue below is full" : "transmission fails", x->seq, x->len);
	if (!full) {
		xtcp_output_failed(&f->t, host_now(h));
		return false;
	}
	gone = xtcp_output_refused(&f->t, x, host_now(h));
	/* a reduction of our own, after which the peer's echoes count anew */
	if (f->t.ca_state == XTCP_CA_CWR) {
		f->ca_was = XTCP_CA_CWR;
		f->cwr_high = f->t.high_seq;
		f->cwr_set = true;
	}
	return gone;
}

static void output_loop(struct flow *f)
{
	struct host *h = f->host;
	struct sim *s = h->sim;
	struct xtcp_xmit x;
	unsigned int n = 0;
	struct pkt *k;

	while (next_xmit(f, &x)) {
		bool goes = sim_alloc(s, AL_XMIT);

		if (++n > 5000)
			sim_fail(s, "%s: segments without end", f->name);
		if (!goes && !send_fails(f, &x)) {
			if (f->t.refused)
				continue;
			break;
		}
		if (x.kind == XTCP_X_PROBE)
			saw(s, SEEN_PROBE);
		if (x.mtu_probe)
			saw(s, SEEN_LARGER);
		if (x.kind == XTCP_X_KEEP)
			saw(s, SEEN_KEEP);
		k = pkt_from_xmit(f, &x);
		if (goes)
			net_send(h, f->peer, f->lport, f->rport, k);
		else
			free(k);
		xtcp_output_sent(&f->t, &x, host_now(h));
		conn_prep(f);
	}
}

/* ---- payload */

/* Take [from, to) among the spans held; what is there already is not held twice. */
static void held_add(struct flow *f, u32 from, u32 to)
{
	u32 lo = 0, hi;

	while (lo < f->n_held && f->held[lo].to < from)
		lo++;
	for (hi = lo; hi < f->n_held && f->held[hi].from <= to; hi++) {
		from = min(from, f->held[hi].from);
		to = max(to, f->held[hi].to);
		f->ooo_bytes -= f->held[hi].to - f->held[hi].from;
	}
	if (hi == lo && f->n_held == f->cap_held) {
		f->cap_held = f->cap_held ? 2 * f->cap_held : 8;
		f->held = realloc(f->held, f->cap_held * sizeof(*f->held));
		if (!f->held)
			abort();
	}
	memmove(f->held + lo + 1, f->held + hi, (f->n_held - hi) * sizeof(*f->held));
	f->n_held += 1 - (hi - lo);
	f->held[lo] = (struct span){ from, to };
	f->ooo_bytes += to - from;
}

static void keep_bytes(struct flow *f, const struct pkt *k, u32 off, u32 len)
{
	struct sim *s = f->host->sim;
	u32 pos = k->seq + off - (f->irs + 1), i;

	if (off > k->len || len > k->len - off)
		sim_fail(s, "%s: keeps [%u, +%u) of a payload of %u", f->name, off, len, k->len);
	if (s->hostile || !len)
		return;
	if (pos >= STREAM_MAX || len > STREAM_MAX - pos)
		sim_fail(s, "%s: position %u is off the stream", f->name, pos);
	for (i = 0; i < len; i++)
		if (k->data[off + i] != stream_byte(f->key_rx, pos + i))
			sim_fail(s, "%s: byte %u is wrong", f->name, pos + i);
	held_add(f, pos, pos + len);
}

/* Take in-sequence bytes from the store to the reader. */
static void deliver_bytes(struct flow *f)
{
	struct sim *s = f->host->sim;
	u32 to = f->t.s.rcv_nxt - (f->irs + 1) - f->t.fin_rcvd;

	if (!s->hostile && to != f->u.delivered) {
		if (!f->n_held || f->held->from != f->u.delivered || f->held->to != to)
			sim_fail(s, "%s: bytes up to %u acknowledged, not held", f->name, to);
		f->ooo_bytes -= to - f->u.delivered;
		f->n_held--;
		memmove(f->held, f->held + 1, f->n_held * sizeof(*f->held));
		s->bytes += to - f->u.delivered;
		if (f->u.shut)
			saw(s, SEEN_HALF);
	}
	f->u.delivered = to;
	f->u.progress_us = s->now_us;
	s->progress_us = s->now_us;
}

static void execute_payload(struct flow *f, const struct pkt *k, struct xtcp_verdict *v)
{
	struct sim *s = f->host->sim;

	if (!(v->flags & (XTCP_V_DELIVER | XTCP_V_OOO)))
		return;
	if (!k)
		sim_fail(s, "%s: payload verdict without a segment", f->name);
	if (!s->hostile && (v->flags & XTCP_V_DELIVER) && v->data_len &&
	    k->seq + v->data_off != f->irs + 1 + f->u.delivered)
		sim_fail(s, "%s: delivers out of order", f->name);
	keep_bytes(f, k, v->data_off, v->data_len);
	if (v->flags & XTCP_V_DELIVER)
		deliver_bytes(f);
}

/* ---- verdicts, in the order verdict.h gives */

static void execute_acked(struct flow *f)
{
	u32 acked = f->t.s.snd_una - (f->iss + 1);

	/* a FIN or SYN acknowledged is no byte */
	if (acked == f->u.written + 1 && f->t.fin_queued)
		acked--;
	if ((s32)acked < (s32)f->u.acked || acked > f->u.written)
		sim_fail(f->host->sim, "%s: %u bytes acknowledged of %u written, %u before",
			 f->name, acked, f->u.written, f->u.acked);
	f->u.acked = acked;
	f->u.progress_us = f->host->sim->now_us;
	f->host->sim->progress_us = f->host->sim->now_us;
}

static void saw_edge(struct flow *f, const struct xtcp_edge *e)
{
	struct sim *s = f->host->sim;

	if (e->from == XTCP_SYN_RECV && e->to == XTCP_ESTABLISHED && !f->t.passive)
		saw(s, f->peer == f->host->id ? SEEN_SELF : SEEN_CROSSED);
	if (e->to == XTCP_CLOSE && f->orphan_us && !strcmp(e->cause, "timeout"))
		saw(s, SEEN_ORPHAN);
}

void note_edges(struct flow *f, const struct xtcp_verdict *v)
{
	struct sim *s = f->host->sim;
	unsigned int i;

	for (i = 0; i < v->n_edges; i++) {
		sim_note(s, "%s: %s -> %s (%s)", f->name, xtcp_state_name(v->edge[i].from),
			 xtcp_state_name(v->edge[i].to), v->edge[i].cause);
		saw_edge(f, &v->edge[i]);
		if (!xtcp_edge_ok(v->edge[i].from, v->edge[i].to))
			sim_fail(s, "%s: impossible edge", f->name);
	}
	if (v->n_edges && v->edge[v->n_edges - 1].to != f->t.state)
		sim_fail(s, "%s: last edge is not the state", f->name);
}

/* The urgent byte is one the peer marked; the two readings of RFC 1122 differ by one. */
static void execute_urgent(struct flow *f, const struct xtcp_verdict *v)
{
	struct sim *s = f->host->sim;
	u32 pos = v->urg_seq - (f->irs + 1);

	if (s->hostile || !(v->flags & XTCP_V_URG) || !f->mate)
		return;
	saw(s, SEEN_URGENT);
	if (pos > f->mate->u.oob_end)
		sim_fail(s, "%s: byte %u urgent, the last such ends at %u", f->name, pos,
			 f->mate->u.oob_end);
}

static void execute_user(struct flow *f, const struct xtcp_verdict *v)
{
	struct sim *s = f->host->sim;

	if (v->flags & XTCP_V_CONNECTED)
		f->u.connected = true;
	if (v->flags & XTCP_V_FIN)
		f->u.eof = true;
	if ((v->flags & XTCP_V_ERROR) && !f->u.err) {
		f->u.err = v->err;
		sim_note(s, "%s: error %d", f->name, v->err);
		if (v->err == ECONNREFUSED)
			saw(s, SEEN_REFUSED);
		if (v->err == ETIMEDOUT && f->peer == NOBODY)
			saw(s, SEEN_NOBODY);
		if (v->err == EHOSTUNREACH || v->err == ENETUNREACH)
			saw(s, SEEN_UNREACH);
	}
	if (v->flags & XTCP_V_RCVBUF)
		f->rcvbuf = max(f->rcvbuf, min(v->rcv_want, f->host->rcvbuf_max));
	if (v->flags & (XTCP_V_WAKE_RD | XTCP_V_WAKE_WR | XTCP_V_ERROR))
		user_wake(f);
}

static void execute_reply(struct flow *f, const struct xtcp_verdict *v)
{
	struct sim *s = f->host->sim;

	if (!(v->flags & XTCP_V_REPLY) || !sim_alloc(s, AL_REPLY))
		return;
	/* the namespace's limit */
	if ((v->flags & XTCP_V_CHALLENGE) && rnd_pm(&s->r, s->challenge_pm))
		return;
	net_send(f->host, f->peer, f->lport, f->rport, pkt_from_reply(&v->reply));
}

/* The end of a verdict: TIME-WAIT, CLOSED or FINWAIT2. Returns true if it was the end. */
static bool execute_end(struct flow *f, const struct xtcp_verdict *v)
{
	struct sim *s = f->host->sim;
	bool fin_wait2 = v->flags & XTCP_V_FINWAIT2;

	if (v->flags & (XTCP_V_TIMEWAIT | XTCP_V_CLOSED)) {
		if (v->flags & XTCP_V_TIMEWAIT)
			flow_timewait(f, false);
		conn_end(f);
		return true;
	}
	/* some stay as they are: the module does so without memory, and for a reader */
	if (!fin_wait2 || rnd_below(&s->r, 4) == 0 || !sim_alloc(s, AL_TIMEWAIT))
		return false;
	flow_timewait(f, true);
	conn_end(f);
	return true;
}

void conn_execute(struct flow *f, const struct pkt *k, struct xtcp_verdict *v)
{
	struct sim *s = f->host->sim;

	note_edges(f, v);
	if (v->drop != XTCP_DROP_NONE)
		sim_note(s, "%s: drop %s", f->name, drop_name(v->drop));
	if (v->drop >= XTCP_NR_DROPS)
		sim_fail(s, "%s: drop reason %d", f->name, v->drop);
	if (!f->irs_set && f->t.state != XTCP_SYN_SENT && f->t.state != XTCP_CLOSE) {
		find_mate(f);
		/* what the SYN offered counts from where the peer turned out to begin */
		if (!f->t.passive)
			note_edge(f, f->irs + 1, f->syn_wnd, 0);
	}
	if (v->flags & XTCP_V_ACKED)
		execute_acked(f);
	note_snd_edge(f);
	execute_payload(f, k, v);
	execute_urgent(f, v);
	execute_user(f, v);
	execute_reply(f, v);
	if (v->flags & XTCP_V_OUTPUT) {
		conn_prep(f);
		output_loop(f);
	}
	if (s->hostile) {
		const struct xtcp_rng *r;

		f->ooo_bytes = 0;
		list_for_each_entry(r, &f->t.oooq, link)
			f->ooo_bytes += r->end - r->seq;
	}
	if (f->t.state != XTCP_CLOSE)
		conn_check(f);
	if (execute_end(f, v))
		return;
	if (f->t.state == XTCP_CLOSE || f->t.state == XTCP_TIME_WAIT)
		sim_fail(s, "%s: %s without CLOSED or TIMEWAIT", f->name,
			 xtcp_state_name(f->t.state));
	pool_trim(f, XTCP_POOL_WANT);
}
