// SPDX-License-Identifier: GPL-2.0
/*
 * One host's connection: what the kernel side does around the core. It owns the bytes, the
 * range nodes and the clock; it executes verdicts in the order verdict.h asks
 * for, and checks after each step that the core kept its promises.
 */
#include "sim.h"

/* ---- range nodes: every one is counted, allocation fails now and then */

static void pool_fill(struct host *h)
{
	while (xtcp_pool_hungry(&h->t)) {
		struct xtcp_rng *r;

		if (rnd_pm(&h->sim->r, h->sim->nomem_pm))
			return;
		r = malloc(sizeof(*r));
		if (!r)
			abort();
		memset(r, 0xa5, sizeof(*r));
		h->sim->nodes++;
		xtcp_pool_put(&h->t, r);
	}
}

static void pool_trim(struct host *h, unsigned int keep)
{
	struct xtcp_rng *r;

	while ((r = xtcp_pool_surplus(&h->t, keep))) {
		h->sim->nodes--;
		free(r);
	}
}

void host_drop_flow(struct host *h)
{
	if (h->kind == H_CONN) {
		xtcp_tcb_drain(&h->t);
		pool_trim(h, 0);
	}
	h->kind = H_NONE;
	h->due_us = 0;
}

/* What the caller must set before each call (tcb.h). */
void conn_prep(struct host *h)
{
	u32 used = h->u.delivered - h->u.read + h->ooo_bytes;

	h->t.rcv_full = h->rcvbuf;
	h->t.rcv_free = h->rcvbuf > used ? h->rcvbuf - used : 0;
	pool_fill(h);
}

static u32 list_bytes(const struct list_head *l)
{
	const struct xtcp_rng *r;
	u32 n = 0;

	list_for_each_entry(r, l, link)
		n += r->end - r->seq;
	return n;
}

static void conn_check(struct host *h)
{
	struct sim *s = h->sim;
	const char *why = "?";
	u32 held = list_bytes(&h->t.oooq), wnd, room;

	if (!xtcp_tcb_check(&h->t, &why))
		sim_fail(s, "%s: %s in %s", h->name, why, xtcp_state_name(h->t.state));
	if (s->hostile)
		return;
	if (held != h->ooo_bytes && held != h->ooo_bytes + h->t.fin_known)
		sim_fail(s, "%s: core counts %u bytes out of order, %u are held",
			 h->name, held, h->ooo_bytes);
	if (h->t.state < XTCP_ESTABLISHED || h->t.state == XTCP_SYN_SENT)
		return;
	/* never offer more than there is room for (rounding to the scale aside) */
	wnd = xtcp_rcv_wnd(&h->t.s);
	room = h->rcvbuf - min(h->rcvbuf, h->u.delivered - h->u.read);
	if (wnd > room + (1u << h->t.rcv_wscale))
		sim_fail(s, "%s: window %u offered, room %u", h->name, wnd, room);
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
static void note_edge(struct host *h, u32 ack, u16 wnd)
{
	u32 edge = ack + ((u32)wnd << h->t.rcv_wscale);

	if (h->edge_set && seq_lt(edge + (1u << h->t.rcv_wscale) - 1, h->edge_seq))
		sim_fail(h->sim, "%s: window shrinks by %u", h->name, h->edge_seq - edge);
	if (!h->edge_set || seq_gt(edge, h->edge_seq))
		h->edge_seq = edge;
	h->edge_set = true;
}

static struct pkt *pkt_from_xmit(struct host *h, const struct xtcp_xmit *x)
{
	struct pkt *k = pkt_new(x->len);
	u32 pos = x->seq - (h->t.iss + 1), i;

	if (x->flags & XTCP_SYN)
		pos = 0;
	if (x->len && (seq_lt(x->seq, h->t.iss + 1 + h->u.acked) ||
		       pos + x->len > h->u.written))
		sim_fail(h->sim, "%s: sends bytes [%u, %u) of [%u, %u)", h->name,
			 pos, pos + x->len, h->u.acked, h->u.written);
	if (x->len > (x->gso_size ? h->gso_max : h->mss_cap))
		sim_fail(h->sim, "%s: segment of %u bytes, mss %u, gso %u", h->name, x->len,
			 h->mss_cap, h->gso_max);
	k->seq = x->seq;
	k->ack = x->ack;
	k->wnd = x->wnd;
	k->urg = x->urg;
	k->flags = x->flags;
	k->optlen = x->optlen;
	memcpy(k->opt, x->opt, sizeof(k->opt));
	k->mss = x->gso_size ? x->gso_size : x->len;
	for (i = 0; i < x->len; i++)
		k->data[i] = stream_byte(h->key_tx, pos + i);
	if ((x->flags & XTCP_ACK) && !(x->flags & (XTCP_SYN | XTCP_RST)))
		note_edge(h, x->ack, x->wnd);
	return k;
}

static void output_loop(struct host *h)
{
	struct sim *s = h->sim;
	struct xtcp_xmit x;
	unsigned int n = 0;

	while (xtcp_output_next(&h->t, s->now_us, &x)) {
		if (++n > 5000)
			sim_fail(s, "%s: segments without end", h->name);
		if (rnd_pm(&s->r, s->xmitfail_pm)) {
			sim_note(s, "%s: transmission fails, seq %u len %u", h->name, x.seq,
				 x.len);
			xtcp_output_failed(&h->t, s->now_us);
			break;
		}
		net_send(s, h, pkt_from_xmit(h, &x));
		xtcp_output_sent(&h->t, &x, s->now_us);
		conn_prep(h);
	}
}

/* ---- payload */

static void keep_bytes(struct host *h, const struct pkt *k, u32 off, u32 len)
{
	u32 pos = k->seq + off - (h->t.irs + 1), i;

	if (off > k->len || len > k->len - off)
		sim_fail(h->sim, "%s: keeps [%u, +%u) of a payload of %u", h->name, off, len,
			 k->len);
	if (pos >= STREAM_MAX || len > STREAM_MAX - pos) {
		if (!h->sim->hostile)
			sim_fail(h->sim, "%s: position %u is off the stream", h->name, pos);
		return;
	}
	for (i = pos; i < pos + len; i++) {
		if (h->have[i])
			continue;
		h->rbuf[i] = k->data[off + i - pos];
		h->have[i] = 1;
		h->ooo_bytes++;
	}
	h->have_max = max(h->have_max, pos + len);
}

/* Take in-sequence bytes from the store to the reader, checking each. */
static void deliver_bytes(struct host *h)
{
	struct sim *s = h->sim;
	u32 to = h->t.s.rcv_nxt - (h->t.irs + 1) - h->t.fin_rcvd, i;

	if (s->hostile) {
		while (h->u.delivered < STREAM_MAX && h->u.delivered < to) {
			h->ooo_bytes -= h->have[h->u.delivered];
			h->u.delivered++;
		}
		return;
	}
	for (i = h->u.delivered; i != to; i++) {
		if (i >= STREAM_MAX || !h->have[i])
			sim_fail(s, "%s: byte %u acknowledged, not held", h->name, i);
		if (h->rbuf[i] != stream_byte(h->peer->key_tx, i))
			sim_fail(s, "%s: byte %u is wrong", h->name, i);
		h->ooo_bytes--;
	}
	s->bytes += to - h->u.delivered;
	h->u.delivered = to;
	h->u.progress_us = s->now_us;
}

static void execute_payload(struct host *h, const struct pkt *k, struct xtcp_verdict *v)
{
	if (!(v->flags & (XTCP_V_DELIVER | XTCP_V_OOO)))
		return;
	if (!k)
		sim_fail(h->sim, "%s: payload verdict without a segment", h->name);
	if (!h->sim->hostile && (v->flags & XTCP_V_DELIVER) && v->data_len &&
	    k->seq + v->data_off != h->t.irs + 1 + h->u.delivered)
		sim_fail(h->sim, "%s: delivers out of order", h->name);
	keep_bytes(h, k, v->data_off, v->data_len);
}

/* ---- verdicts, in the order verdict.h gives */

static void execute_acked(struct host *h)
{
	u32 acked = h->t.s.snd_una - (h->t.iss + 1);

	/* a FIN or SYN acknowledged is no byte */
	if (acked == h->u.written + 1 && h->t.fin_queued)
		acked--;
	if ((s32)acked < (s32)h->u.acked || acked > h->u.written)
		sim_fail(h->sim, "%s: %u bytes acknowledged of %u written, %u before", h->name,
			 acked, h->u.written, h->u.acked);
	h->u.acked = acked;
	h->u.progress_us = h->sim->now_us;
}

void note_edges(struct host *h, const struct xtcp_verdict *v)
{
	unsigned int i;

	for (i = 0; i < v->n_edges; i++) {
		sim_note(h->sim, "%s: %s -> %s (%s)", h->name, xtcp_state_name(v->edge[i].from),
			 xtcp_state_name(v->edge[i].to), v->edge[i].cause);
		if (!xtcp_edge_ok(v->edge[i].from, v->edge[i].to))
			sim_fail(h->sim, "%s: impossible edge", h->name);
	}
	if (v->n_edges && v->edge[v->n_edges - 1].to != h->t.state)
		sim_fail(h->sim, "%s: last edge is not the state", h->name);
}

static void flow_over(struct host *h, struct xtcp_verdict *v)
{
	if (v->flags & (XTCP_V_TIMEWAIT | XTCP_V_FINWAIT2)) {
		u64 due_us = v->flags & XTCP_V_FINWAIT2 ? h->t.deadline_us[XTCP_T_LIFE] :
			     h->sim->now_us + h->p.tcp_timewait_ms * MS;

		xtcp_tw_init(&h->tw, &h->t);
		host_drop_flow(h);
		h->kind = H_TIMEWAIT;
		h->due_us = due_us;
	} else {
		host_drop_flow(h);
	}
	user_wake(h);
}

void conn_execute(struct host *h, const struct pkt *k, struct xtcp_verdict *v)
{
	struct sim *s = h->sim;

	note_edges(h, v);
	if (v->drop != XTCP_DROP_NONE)
		sim_note(s, "%s: drop %s", h->name, drop_name(v->drop));
	if (v->drop >= XTCP_NR_DROPS)
		sim_fail(s, "%s: drop reason %d", h->name, v->drop);
	if (v->flags & XTCP_V_CONNECTED)
		h->u.connected = true;
	if (v->flags & XTCP_V_ACKED)
		execute_acked(h);
	execute_payload(h, k, v);
	if (v->flags & XTCP_V_DELIVER)
		deliver_bytes(h);
	if (v->flags & XTCP_V_FIN)
		h->u.eof = true;
	if ((v->flags & XTCP_V_ERROR) && !h->u.err) {
		h->u.err = v->err;
		sim_note(s, "%s: error %d", h->name, v->err);
	}
	if (v->flags & XTCP_V_RCVBUF)
		h->rcvbuf = max(h->rcvbuf, min(v->rcv_want, h->rcvbuf_max));
	if ((v->flags & XTCP_V_REPLY) && !(v->flags & XTCP_V_CHALLENGE && rnd_pm(&s->r, 10)))
		net_send(s, h, pkt_from_reply(&v->reply));
	if (v->flags & (XTCP_V_WAKE_RD | XTCP_V_WAKE_WR | XTCP_V_ERROR))
		user_wake(h);
	if (v->flags & XTCP_V_OUTPUT) {
		conn_prep(h);
		output_loop(h);
	}
	/* without memory for an entry the block stays in FIN_WAIT2 */
	if ((v->flags & XTCP_V_FINWAIT2) && !rnd_below(&s->r, 4))
		v->flags &= ~(u32)XTCP_V_FINWAIT2;
	if (v->flags & (XTCP_V_TIMEWAIT | XTCP_V_CLOSED | XTCP_V_FINWAIT2)) {
		flow_over(h, v);
		return;
	}
	if (h->t.state == XTCP_CLOSE || h->t.state == XTCP_TIME_WAIT)
		sim_fail(s, "%s: %s without CLOSED or TIMEWAIT", h->name,
			 xtcp_state_name(h->t.state));
	conn_check(h);
	pool_trim(h, XTCP_POOL_WANT);
}

/* ---- user calls */

void conn_setup(struct host *h)
{
	h->t.adv_mss = h->adv_mss;
	h->t.mss_cap = h->mss_cap;
	h->t.gso_max = h->gso_max;
	h->t.rcv_wscale = h->rcv_wscale;
	h->kind = H_CONN;
	h->ooo_bytes = 0;
	h->edge_set = false;
	memset(h->have, 0, h->have_max);
	h->have_max = 0;
	conn_prep(h);
}

void user_attach(struct host *h)
{
	h->u.open = true;
	h->u.progress_us = h->sim->now_us;
	user_wake(h);
}

void host_connect(struct host *h)
{
	static const u8 addr[2][4] = { { 10, 0, 0, 1 }, { 10, 0, 0, 2 } };
	struct xtcp_verdict v;
	u32 iss = xtcp_isn(&h->key, addr[h->id], addr[!h->id], 4, 1000, 80,
			   h->sim->now_us * 1000);

	xtcp_tcb_init(&h->t, &h->p, false);
	xtcp_tcb_inherit(&h->t, &h->listener);
	conn_setup(h);
	user_attach(h);
	xtcp_open_active(&h->t, iss, xtcp_ts_off(&h->key, addr[h->id], addr[!h->id], 4),
			 h->sim->now_us, &v);
	conn_execute(h, NULL, &v);
}

void host_send(struct host *h, u32 n, bool more, bool oob)
{
	struct xtcp_verdict v;

	conn_prep(h);
	h->u.written += n;
	xtcp_user_send(&h->t, n, more, oob, h->sim->now_us, &v);
	conn_execute(h, NULL, &v);
}

void host_read(struct host *h, u32 n)
{
	struct xtcp_verdict v;

	h->u.read += n;
	if (h->kind != H_CONN)
		return;
	conn_prep(h);
	xtcp_user_read(&h->t, n, h->sim->now_us, &v);
	conn_execute(h, NULL, &v);
}

void host_shutdown(struct host *h)
{
	struct xtcp_verdict v;

	if (h->kind != H_CONN)
		return;
	conn_prep(h);
	sim_note(h->sim, "%s: shutdown", h->name);
	xtcp_user_shutdown(&h->t, h->sim->now_us, &v);
	conn_execute(h, NULL, &v);
}

void host_close(struct host *h)
{
	struct xtcp_verdict v;

	h->u.open = false;
	if (h->kind != H_CONN)
		return;
	conn_prep(h);
	sim_note(h->sim, "%s: close, %u unread", h->name, h->u.delivered - h->u.read);
	xtcp_user_close(&h->t, h->u.delivered - h->u.read, h->sim->now_us, &v);
	conn_execute(h, NULL, &v);
}

void host_abort(struct host *h)
{
	struct xtcp_verdict v;

	h->u.open = false;
	if (h->kind != H_CONN)
		return;
	conn_prep(h);
	sim_note(h->sim, "%s: abort", h->name);
	xtcp_user_abort(&h->t, 0, h->sim->now_us, &v);
	conn_execute(h, NULL, &v);
}
