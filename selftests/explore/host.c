// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel side does around the core: range nodes, bytes, verdicts in
 * the order verdict.h asks for; after each step the core must have kept its
 * promises.
 */
#include "world.h"

char host_name(const struct host *h)
{
	return h == &W.h[0] ? 'A' : 'B';
}

struct host *host_peer(struct host *h)
{
	return h == &W.h[0] ? &W.h[1] : &W.h[0];
}

/* ---- range nodes */

void pool_fill(struct host *h, unsigned int want)
{
	unsigned int i;

	while (xtcp_pool_hungry(&h->t, want)) {
		for (i = 0; i < N_NODES && h->nodes_used >> i & 1; i++)
			;
		if (i == N_NODES)
			fail("%c: out of range nodes", host_name(h));
		h->nodes_used |= 1ULL << i;
		memset(&h->node[i], 0, sizeof(h->node[i]));
		xtcp_pool_put(&h->t, &h->node[i]);
	}
}

static void pool_trim(struct host *h, unsigned int keep)
{
	struct xtcp_rng *r;

	while ((r = xtcp_pool_surplus(&h->t, keep))) {
		h->nodes_used &= ~(1ULL << (r - h->node));
		memset(r, 0, sizeof(*r));
	}
}

void conn_drop(struct host *h)
{
	if (h->kind == K_CONN) {
		xtcp_tcb_drain(&h->t);
		pool_trim(h, 0);
		if (h->nodes_used)
			fail("%c: range nodes leaked", host_name(h));
	}
	h->kind = K_NONE;
	h->due_us = 0;
}

/* What the caller must set before each call (tcb.h). */
void conn_prep(struct host *h)
{
	u32 used = 0;
	unsigned int i;

	for (i = 0; i < STREAM_MAX / 64; i++)
		used += __builtin_popcountll(h->have[i]);
	used -= h->read;
	h->t.rcv_full = rcvbuf();
	h->t.rcv_free = rcvbuf() > used ? rcvbuf() - used : 0;
	pool_fill(h, XTCP_POOL_LEAST);
}

void conn_setup(struct host *h)
{
	xtcp_tcb_init(&h->t, &params, false);
	xtcp_tcb_inherit(&h->t, &wish);
	h->t.adv_mss = MSS;
	h->t.mss_cap = MSS;
	h->t.gso_max = MSS;
	h->kind = K_CONN;
	h->edge_set = false;
	h->edge = 0;
	memset(h->have, 0, sizeof(h->have));
	h->read = 0;
	conn_prep(h);
}

void user_attach(struct host *h)
{
	h->held = true;
	h->connected = false;
	h->eof = false;
	h->shut = false;
	h->rude = false;
	h->err = 0;
	h->written = 0;
	h->acked = 0;
	h->delivered = 0;
	h->read = 0;
	h->dups = 0;
}

/* ---- the wire */

void wire(struct host *from, const struct xtcp_seg *g, u32 off)
{
	struct pkt *k = &W.q[W.n_q];

	if (W.dead) {
		note("%c: goes nowhere", host_name(from));
		return;
	}
	if (W.n_q == N_PKTS)
		fail("%c: the wire is full", host_name(from));
	memset(k, 0, sizeof(*k));
	k->sent_us = W.now;
	k->off = off;
	k->to = host_peer(from) - W.h;
	k->gen = from->gen;
	k->g = *g;
	W.n_q++;
}

void wire_reply(struct host *from, const struct xtcp_reply *r)
{
	struct xtcp_seg g;

	memset(&g, 0, sizeof(g));
	g.seq = r->seq;
	g.ack = r->ack;
	g.wnd = r->wnd;
	g.flags = r->flags;
	g.segs = 1;
	xtcp_opts_parse(r->opt, r->optlen, r->flags & XTCP_SYN, &g.opt);
	wire(from, &g, 0);
}

/* No byte twice freed, none beyond what was written, none beyond the window. */
static void check_xmit(struct host *h, const struct xtcp_xmit *x)
{
	u32 pos = x->seq - (h->t.iss + 1), edge;
	u32 end = x->seq + x->len + !!(x->flags & XTCP_FIN);

	if (x->len && (pos < h->acked || pos + x->len > h->written))
		fail("%c: sends bytes [%u, %u) of [%u, %u)", host_name(h), pos, pos + x->len,
		     h->acked, h->written);
	if (x->len > MSS)
		fail("%c: segment of %u bytes", host_name(h), x->len);
	if (x->kind == XTCP_X_NEW && !(x->flags & XTCP_SYN) &&
	    seq_gt(end, h->t.s.snd_una + h->t.snd_wnd))
		fail("%c: sends beyond the window", host_name(h));
	if ((x->flags & XTCP_FIN) && end != h->t.iss + 2 + h->written)
		fail("%c: FIN not at the end of the stream", host_name(h));
	if (!(x->flags & XTCP_ACK) || (x->flags & XTCP_SYN))
		return;
	edge = x->ack + ((u32)x->wnd << h->t.rcv_wscale);
	if (h->edge_set && seq_lt(edge, h->edge))
		fail("%c: window shrinks by %u", host_name(h), h->edge - edge);
	h->edge = edge;
	h->edge_set = true;
}

static bool held(const struct host *h, u32 pos)
{
	return pos < STREAM_MAX && h->have[pos / 64] >> (pos % 64) & 1;
}

/* What a SACK block tells of is here (RFC 2018 4, RFC 2883). */
static void check_sack(const struct host *h, const struct xtcp_opts *o)
{
	unsigned int i;
	u32 pos;

	for (i = 0; i < o->nsack; i++)
		for (pos = o->sack[i].start; seq_lt(pos, o->sack[i].end); pos++)
			if (!held(h, pos - (h->t.irs + 1)))
				fail("%c: SACK of byte %d, not held", host_name(h),
				     (int)(pos - (h->t.irs + 1)));
}

static void output_loop(struct host *h)
{
	struct xtcp_xmit x;
	struct xtcp_seg g;
	unsigned int n = 0;

	while (xtcp_output_next(&h->t, W.now, &x)) {
		if (++n > N_PKTS)
			fail("%c: segments without end", host_name(h));
		check_xmit(h, &x);
		memset(&g, 0, sizeof(g));
		g.seq = x.seq;
		g.ack = x.ack;
		g.len = x.len;
		g.wnd = x.wnd;
		g.flags = x.flags;
		g.segs = 1;
		g.mss = x.len;
		xtcp_opts_parse(x.opt, x.optlen, x.flags & XTCP_SYN, &g.opt);
		check_sack(h, &g.opt);
		wire(h, &g, x.len ? x.seq - (h->t.iss + 1) : 0);
		xtcp_output_sent(&h->t, &x, W.now);
		if (!xtcp_output_more(&h->t)) {
			xtcp_output_over(&h->t, W.now);
			break;
		}
		conn_prep(h);
	}
}

/* ---- payload */

/* Is it the stream's byte, of this connection, at its place? */
static void keep_bytes(struct host *h, const struct pkt *k, u32 off, u32 len)
{
	u32 pos, i;

	if (!k || off > k->g.len || len > k->g.len - off)
		fail("%c: keeps what the segment does not hold", host_name(h));
	pos = k->g.seq + off - (h->t.irs + 1);
	if (k->forged || k->gen != h->peer_gen)
		fail("%c: takes a byte of another connection", host_name(h));
	if (pos != k->off + off || pos + len > host_peer(h)->written)
		fail("%c: puts byte %u of the stream at %u", host_name(h), k->off + off, pos);
	for (i = pos; i < pos + len; i++)
		h->have[i / 64] |= 1ULL << (i % 64);
}

static void deliver_bytes(struct host *h, const struct pkt *k, const struct xtcp_verdict *v)
{
	u32 to = h->t.s.rcv_nxt - (h->t.irs + 1) - h->t.fin_rcvd, i;

	if (k->g.seq + v->data_off != h->t.irs + 1 + h->delivered)
		fail("%c: delivers out of order, or twice", host_name(h));
	if (to < h->delivered || to > STREAM_MAX)
		fail("%c: RCV.NXT at byte %d", host_name(h), (int)to);
	for (i = h->delivered; i < to; i++)
		if (!held(h, i))
			fail("%c: byte %u acknowledged, not held", host_name(h), i);
	h->delivered = to;
}

static void execute_payload(struct host *h, const struct pkt *k, const struct xtcp_verdict *v)
{
	if (!(v->flags & (XTCP_V_DELIVER | XTCP_V_OOO)))
		return;
	keep_bytes(h, k, v->data_off, v->data_len);
	if (v->flags & XTCP_V_DELIVER)
		deliver_bytes(h, k, v);
}

static void execute_acked(struct host *h, const struct pkt *k)
{
	u32 acked = h->t.s.snd_una - (h->t.iss + 1);

	if (!k || k->forged || k->gen != h->peer_gen)
		fail("%c: believes an ACK of another connection", host_name(h));
	/* a FIN acknowledged is no byte */
	if (acked == (u32)h->written + 1 && h->t.fin_queued)
		acked--;
	if (acked > h->written || acked < h->acked)
		fail("%c: %u bytes acknowledged of %u written, %u before", host_name(h), acked,
		     h->written, h->acked);
	if (acked > host_peer(h)->delivered)
		fail("%c: %u bytes acknowledged, %u delivered", host_name(h), acked,
		     host_peer(h)->delivered);
	h->acked = acked;
}

static void execute_fin(struct host *h)
{
	struct host *p = host_peer(h);

	if (!p->shut)
		fail("%c: EOF, but the peer did not close", host_name(h));
	if (h->delivered != p->written)
		fail("%c: EOF after %u of %u bytes", host_name(h), h->delivered, p->written);
	h->eof = true;
}

/* ---- verdicts */

static void check_edges(struct host *h, const struct xtcp_verdict *v, u8 before)
{
	unsigned int i;
	u8 at = before;

	for (i = 0; i < v->n_edges; i++) {
		note("%c: %s -> %s (%s)", host_name(h), xtcp_state_name(v->edge[i].from),
		     xtcp_state_name(v->edge[i].to), v->edge[i].cause);
		if (v->edge[i].from != at)
			fail("%c: an edge from where it was not", host_name(h));
		at = v->edge[i].to;
		edge_taken(v->edge[i].from, at);
	}
	if (at != h->t.state)
		fail("%c: the edges lead to %s, the state is %s", host_name(h),
		     xtcp_state_name(at), xtcp_state_name(h->t.state));
	if ((v->flags & XTCP_V_TIMEWAIT) && h->t.state != XTCP_TIME_WAIT)
		fail("%c: TIME-WAIT entry in %s", host_name(h), xtcp_state_name(h->t.state));
	if ((v->flags & XTCP_V_FINWAIT2) && (h->t.state != XTCP_FIN_WAIT2 || !h->t.orphan))
		fail("%c: FIN_WAIT2 entry in %s", host_name(h), xtcp_state_name(h->t.state));
	if ((v->flags & XTCP_V_CLOSED) && h->t.state != XTCP_CLOSE &&
	    h->t.state != XTCP_TIME_WAIT)
		fail("%c: over in %s", host_name(h), xtcp_state_name(h->t.state));
}

/*
 * A FIN is acknowledged by who has it, and who closed first and in peace goes
 * through TIME-WAIT (RFC 9293 3.6.1).
 */
static void check_close(const struct host *h, const struct pkt *k, u8 before)
{
	const struct host *p = host_peer((struct host *)h);
	bool fin_acked = h->t.fin_sent && h->t.s.snd_una == h->t.write_seq + 1;

	if (fin_acked && p->gen == h->peer_gen && !p->eof)
		fail("%c: FIN acknowledged, but the peer has not got it", host_name(h));
	if (!k || h->t.state != XTCP_CLOSE || h->t.orphan * h->t.linger2_ms < 0)
		return;
	if ((before == XTCP_FIN_WAIT1 || before == XTCP_FIN_WAIT2 || before == XTCP_CLOSING) &&
	    !(k->g.flags & XTCP_RST) && !k->g.len)
		fail("%c: closed first, and no TIME-WAIT", host_name(h));
}

static void flow_over(struct host *h, const struct xtcp_verdict *v)
{
	u64 due_us = h->t.deadline_us[XTCP_T_LIFE];

	if (!(v->flags & (XTCP_V_TIMEWAIT | XTCP_V_FINWAIT2))) {
		conn_drop(h);
		return;
	}
	if (v->flags & XTCP_V_TIMEWAIT)
		due_us = W.now + params.tcp_timewait_ms * MS;
	xtcp_tw_init(&h->twc, &h->t);
	conn_drop(h);
	h->kind = K_ENTRY;
	h->tw_ack_us = 0;
	h->due_us = due_us;
}

static void check_conn(struct host *h)
{
	const char *why = "?";
	u32 room;

	if (!xtcp_tcb_check(&h->t, &why))
		fail("%c: invariant in %s: %s", host_name(h), xtcp_state_name(h->t.state), why);
	if (h->t.state == XTCP_CLOSE || h->t.state == XTCP_TIME_WAIT)
		fail("%c: %s without a verdict that says so", host_name(h),
		     xtcp_state_name(h->t.state));
	if (!h->t.syn_acked || h->t.irs == 0)
		return;
	/* never offer more than there is room for */
	room = rcvbuf() - min_t(u32, rcvbuf(), h->delivered - h->read);
	if (xtcp_rcv_wnd(&h->t.s) > room + (1u << h->t.rcv_wscale))
		fail("%c: window %u offered, room %u", host_name(h), xtcp_rcv_wnd(&h->t.s), room);
}

/**
 * conn_execute - do what the core decided
 * @h: host with a connection
 * @k: the segment that arrived, NULL: none
 * @v: verdict
 * @before: the state before the call
 */
void conn_execute(struct host *h, const struct pkt *k, struct xtcp_verdict *v, u8 before)
{
	if ((v->flags & XTCP_V_ERROR) && !h->err) {
		h->err = v->err;
		note("%c: error %d", host_name(h), v->err);
	}
	check_edges(h, v, before);
	if (v->drop != XTCP_DROP_NONE)
		note("%c: drops (reason %u)", host_name(h), v->drop);
	/* from now on it is the segment's connection and no other */
	if (k && before == XTCP_SYN_SENT && h->t.state != XTCP_SYN_SENT)
		h->peer_gen = k->gen;
	if (v->flags & XTCP_V_ACKED)
		execute_acked(h, k);
	if (v->flags & XTCP_V_CONNECTED)
		h->connected = true;
	execute_payload(h, k, v);
	if (v->flags & XTCP_V_FIN)
		execute_fin(h);
	check_close(h, k, before);
	if (v->flags & XTCP_V_REPLY)
		wire_reply(h, &v->reply);
	if (v->flags & XTCP_V_OUTPUT) {
		conn_prep(h);
		output_loop(h);
	}
	if (sc->no_entry)
		v->flags &= ~(u32)XTCP_V_FINWAIT2;
	if (v->flags & (XTCP_V_TIMEWAIT | XTCP_V_CLOSED | XTCP_V_FINWAIT2)) {
		flow_over(h, v);
		return;
	}
	check_conn(h);
	pool_trim(h, XTCP_POOL_WANT);
}
