// SPDX-License-Identifier: GPL-2.0
/*
 * One connection as the kernel side keeps it: range nodes are allocated and
 * freed, payload is held and handed to the reader, the output loop runs, and
 * each verdict is executed in the order verdict.h gives. What the core says
 * about bytes must agree with a list of intervals that is kept here.
 */
#include "fz.h"

u64 fz_state_hits[XTCP_NR_STATES];

/* ---- range nodes */

static bool fails(u8 pattern, u8 *turn)
{
	return pattern >> ((*turn)++ & 7) & 1;
}

static void pool_fill(struct fz_conn *c, unsigned int want)
{
	while (xtcp_pool_hungry(&c->t, want) && !fails(c->starve, &c->n_alloc)) {
		struct xtcp_rng *r = malloc(sizeof(*r));

		if (!r)
			abort();
		memset(r, 0xc3, sizeof(*r));
		c->nodes++;
		xtcp_pool_put(&c->t, r);
	}
}

static void pool_trim(struct fz_conn *c, unsigned int keep)
{
	struct xtcp_rng *r;

	while ((r = xtcp_pool_surplus(&c->t, keep))) {
		c->nodes--;
		free(r);
	}
}

static void block_end(struct fz_conn *c)
{
	xtcp_tcb_drain(&c->t);
	pool_trim(c, 0);
	c->over = true;
}

void fz_conn_end(struct fz_conn *c)
{
	if (!c->over)
		block_end(c);
	FZ_NEED(!c->nodes);
}

/* ---- the reader's side: which bytes are here */

u32 fz_conn_unread(const struct fz_conn *c)
{
	return c->synced ? c->rcv_pos - c->t.copied_seq : 0;
}

static u32 held(const struct fz_conn *c)
{
	unsigned int i;
	u32 n = 0;

	for (i = 0; i < c->n_iv; i++)
		n += c->iv[i].end - c->iv[i].seq;
	return n;
}

/* Bytes [@seq, @end) are here now; touching intervals become one. */
static void hold(struct fz_conn *c, u32 seq, u32 end)
{
	unsigned int i = 0, k;

	while (i < c->n_iv && seq_lt(c->iv[i].end, seq))
		i++;
	for (k = i; k < c->n_iv && seq_leq(c->iv[k].seq, end); k++) {
		seq = seq_min(seq, c->iv[k].seq);
		end = seq_max(end, c->iv[k].end);
	}
	FZ_NEED(k > i || c->n_iv < FZ_MAX_IV);
	memmove(&c->iv[i + 1], &c->iv[k], (c->n_iv - k) * sizeof(c->iv[0]));
	c->n_iv += i + 1 - k;
	c->iv[i].seq = seq;
	c->iv[i].end = end;
}

static void to_reader(struct fz_conn *c)
{
	if (!c->n_iv || seq_gt(c->iv[0].seq, c->rcv_pos))
		return;
	FZ_NEED(c->iv[0].seq == c->rcv_pos);
	c->rcv_pos = c->iv[0].end;
	c->n_iv--;
	memmove(&c->iv[0], &c->iv[1], c->n_iv * sizeof(c->iv[0]));
}

static void payload(struct fz_conn *c, const struct xtcp_seg *g)
{
	u32 seq;

	if (!(c->v.flags & (XTCP_V_DELIVER | XTCP_V_OOO)))
		return;
	FZ_NEED(c->synced);
	seq = g->seq + !!(g->flags & XTCP_SYN) + c->v.data_off;
	if (c->v.flags & XTCP_V_DELIVER)
		FZ_NEED(seq == c->rcv_pos);
	else
		FZ_NEED(seq_gt(seq, c->rcv_pos));
	/* no more than was offered, or the sender could fill the memory */
	FZ_NEED(seq_leq(seq + c->v.data_len, c->t.s.rcv_adv));
	hold(c, seq, seq + c->v.data_len);
	if (c->v.flags & XTCP_V_DELIVER)
		to_reader(c);
}

static void check_bytes(const struct fz_conn *c)
{
	const struct xtcp_rng *r;
	unsigned int i = 0;

	if (!c->synced)
		return;
	FZ_NEED(c->rcv_pos + c->t.fin_rcvd == c->t.s.rcv_nxt);
	list_for_each_entry(r, &c->t.oooq, link) {
		FZ_NEED(i < c->n_iv && c->iv[i].seq == r->seq && c->iv[i].end == r->end);
		i++;
	}
	FZ_NEED(i == c->n_iv);
	/* rounding to the scale aside, only what there is room for */
	FZ_NEED(xtcp_rcv_wnd(&c->t.s) <= c->rcvbuf - min(c->rcvbuf, fz_conn_unread(c)) +
		(1u << c->t.rcv_wscale));
}

/* ---- output */

/* @x is on the wire. */
static void note_edge(struct fz_conn *c, const struct xtcp_xmit *x)
{
	u32 edge = x->ack + ((u32)x->wnd << c->t.rcv_wscale), unit = 1u << c->t.rcv_wscale;

	if (!(x->flags & XTCP_ACK) || (x->flags & XTCP_SYN))
		return;
	/* RFC 9293 3.8.6: the right edge does not move left */
	FZ_NEED(!c->edged || !seq_lt(edge + unit - 1, c->edge));
	if (!c->edged || seq_gt(edge, c->edge))
		c->edge = edge;
	c->edged = true;
}

static void check_xmit(struct fz_conn *c, const struct xtcp_xmit *x)
{
	const struct xtcp_tcb *t = &c->t;
	u32 end = x->seq + x->len + !!(x->flags & (XTCP_SYN | XTCP_FIN));
	/* a probe of the path's MTU is longer than other segments */
	u32 one = max_t(u32, t->mss_now, x->mtu_probe ? t->mss_cap : 0);

	FZ_NEED(x->optlen <= XTCP_MAX_OPT && x->optlen % 4 == 0);
	FZ_NEED(!x->len || seq_geq(x->seq, t->s.snd_una));
	FZ_NEED(!x->len || seq_leq(x->seq + x->len, t->write_seq));
	FZ_NEED(!(x->flags & XTCP_FIN) || x->seq + x->len == t->write_seq);
	FZ_NEED(!(x->flags & XTCP_ACK) || x->ack == t->s.rcv_nxt);
	FZ_NEED(x->len <= max_t(u32, t->gso_max, one));
	FZ_NEED(x->gso_size || x->len <= one);
	FZ_NEED(x->gso_size < 65535u && DIV_ROUND_UP(x->len, max_t(u32, x->gso_size, 1)) <= 65535);
	switch ((enum xtcp_xmit_kind)x->kind) {
	case XTCP_X_NEW:
		FZ_NEED(x->seq == t->s.snd_nxt);
		FZ_NEED((x->flags & XTCP_SYN) || seq_leq(end, t->s.snd_una + t->snd_wnd));
		break;
	case XTCP_X_REXMIT:
		FZ_NEED(seq_lt(x->seq, end) && seq_leq(end, t->s.snd_nxt));
		break;
	case XTCP_X_ACK:
	case XTCP_X_PROBE:
	case XTCP_X_KEEP:
		FZ_NEED(x->len <= 1 && (x->flags & XTCP_ACK));
		break;
	}
}

static void output(struct fz_conn *c)
{
	struct xtcp_xmit x;
	/* each byte once again and once for the first time, and a few segments without one */
	u32 n = 0, most = 2 * (c->t.write_seq - c->t.s.snd_una) + 16;
	bool due = true;

	fz_conn_prep(c);
	while (xtcp_output_next(&c->t, c->now_us, &x)) {
		FZ_NEED(due && ++n < most);
		check_xmit(c, &x);
		if (fails(c->lossy, &c->n_xmit) &&
		    !(x.seq & 1 && xtcp_output_refused(&c->t, &x, c->now_us))) {
			if (c->t.refused)
				continue;
			xtcp_output_failed(&c->t, c->now_us);
			return;
		}
		note_edge(c, &x);
		xtcp_output_sent(&c->t, &x, c->now_us);
		/* the module would stop here if it were not */
		due = xtcp_output_more(&c->t);
		fz_conn_prep(c);
	}
}

/* ---- verdicts */

void fz_conn_prep(struct fz_conn *c)
{
	u32 used = fz_conn_unread(c) + held(c);

	c->t.rcv_full = c->rcvbuf;
	c->t.rcv_free = c->rcvbuf > used ? c->rcvbuf - used : 0;
	pool_fill(c, XTCP_POOL_LEAST);
}

static void acked(struct fz_conn *c)
{
	u32 una = c->t.s.snd_una;

	FZ_NEED((una != c->una) == !!(c->v.flags & XTCP_V_ACKED));
	FZ_NEED(seq_leq(c->una, una) && seq_leq(una, c->t.s.snd_nxt));
	c->una = una;
}

static void note_state(struct fz_conn *c)
{
	const struct xtcp_verdict *v = &c->v;
	u8 state = c->t.state;

	FZ_NEED(!v->n_edges || v->edge[v->n_edges - 1].to == state);
	FZ_NEED(state && state < XTCP_NR_STATES);
	fz_state_hits[state]++;
	if (!c->synced && state != XTCP_CLOSE && state != XTCP_SYN_SENT) {
		c->synced = true;
		c->rcv_pos = c->t.irs + 1;
	}
}

static void compact(struct fz_conn *c)
{
	xtcp_tw_init(&c->tw, &c->t);
	c->in_tw = true;
	block_end(c);
}

/* @g: the segment the verdict is about, NULL: none */
void fz_conn_execute(struct fz_conn *c, const struct xtcp_seg *g)
{
	const struct xtcp_verdict *v = &c->v;
	const char *why = NULL;

	fz_verdict(v, g);
	note_state(c);
	if (v->flags & XTCP_V_CLOSED) {
		FZ_NEED(c->t.state == XTCP_CLOSE && !xtcp_next_deadline(&c->t));
		block_end(c);
		return;
	}
	acked(c);
	payload(c, g);
	if (v->flags & XTCP_V_RCVBUF)
		c->rcvbuf = max(c->rcvbuf, min_t(u32, v->rcv_want, c->p.tcp_rmem[2]));
	if (v->flags & XTCP_V_OUTPUT)
		output(c);
	FZ_NEED(!(v->flags & XTCP_V_TIMEWAIT) == (c->t.state != XTCP_TIME_WAIT));
	FZ_NEED(c->t.state != XTCP_CLOSE);
	if ((v->flags & XTCP_V_TIMEWAIT) || ((v->flags & XTCP_V_FINWAIT2) && c->handover)) {
		compact(c);
		return;
	}
	if (!xtcp_tcb_check(&c->t, &why))
		fz_fail("%s in %s", why, xtcp_state_name(c->t.state));
	check_bytes(c);
	pool_trim(c, XTCP_POOL_WANT);
}

static void tw_arrives(struct fz_conn *c, const struct xtcp_seg *g)
{
	struct xtcp_tw_env e = {
		.p = &c->p, .now_us = c->now_us, .last_ack_us = c->tw_ack_us,
		.ts_off = c->t.ts_off, .listener = c->handover,
	};

	fz_state_hits[c->tw.fin_wait2 ? XTCP_FIN_WAIT2 : XTCP_TIME_WAIT]++;
	if (xtcp_tw_segment(&c->tw, &e, g, &c->v) == XTCP_TW_FIN)
		xtcp_twc_begin(&c->tw);
	fz_verdict(&c->v, g);
	c->tw_ack_us = e.last_ack_us;
}

void fz_conn_arrives(struct fz_conn *c, const struct xtcp_seg *g)
{
	if (c->in_tw) {
		tw_arrives(c, g);
		return;
	}
	fz_conn_prep(c);
	pool_fill(c, xtcp_pool_want(g));
	xtcp_segment_arrives(&c->t, g, c->now_us, &c->v);
	fz_conn_execute(c, g);
}

void fz_conn_read(struct fz_conn *c, u32 n)
{
	n = min(n, fz_conn_unread(c));
	/* the reader has them: room is there before the core hears of it */
	c->t.copied_seq += n;
	fz_conn_prep(c);
	c->t.copied_seq -= n;
	xtcp_user_read(&c->t, n, c->now_us, &c->v);
	fz_conn_execute(c, NULL);
	/* who wanted more sleeps now */
	if (c->over || c->in_tw || n % 2 || !xtcp_user_sleeps(&c->t))
		return;
	fz_conn_prep(c);
	xtcp_user_read_end(&c->t, c->now_us, &c->v);
	fz_conn_execute(c, NULL);
}

static void tw_marks(const struct fz_conn *c, struct fz_marks *m)
{
	unsigned int i;

	for (i = 0; i < FZ_MARKS; i++) {
		m->seq[i] = c->tw.rcv_nxt - (i & 1);
		m->ack[i] = c->tw.snd_nxt;
	}
	m->seq[7] = c->tw.rcv_nxt + (1u << c->tw.wnd_log);
	m->edge = m->seq[7];
	m->ack[7] = c->tw.snd_nxt - 65535;
	m->ts_recent = c->tw.ts_recent;
}

void fz_conn_marks(const struct fz_conn *c, u8 pick, struct fz_marks *m)
{
	const struct xtcp_tcb *t = &c->t;
	const struct xtcp_rng *r;
	unsigned int at = 0, want = t->n_txq ? pick % t->n_txq : 0;

	m->ts_now = (u32)(c->now_us / 1000) + t->ts_off;
	if (c->in_tw) {
		tw_marks(c, m);
		return;
	}
	m->seq[0] = t->s.rcv_nxt;
	m->seq[1] = t->s.rcv_nxt;
	m->seq[2] = t->s.rcv_nxt + pick * 8;
	m->seq[3] = t->s.rcv_adv;
	m->seq[4] = t->irs;
	m->seq[5] = c->n_iv ? c->iv[pick % c->n_iv].seq : t->rcv_wup;
	m->seq[6] = c->n_iv ? c->iv[c->n_iv - 1].end : t->fin_seq;
	m->seq[7] = t->s.rcv_nxt + ((u32)pick << 24);
	m->ack[0] = t->s.snd_nxt;
	m->ack[1] = t->s.snd_nxt;
	m->ack[2] = t->s.snd_una;
	m->ack[3] = t->s.snd_una;
	m->ack[4] = t->iss;
	m->ack[5] = t->s.snd_una + ((u32)pick << 24);
	m->ack[6] = t->s.snd_una;
	m->ack[7] = t->s.snd_una - t->max_window;
	list_for_each_entry(r, &t->txq, link) {
		if (at++ != want)
			continue;
		m->ack[3] = r->seq;
		m->ack[6] = r->end;
		break;
	}
	m->edge = t->s.rcv_adv;
	m->ts_recent = t->s.ts_recent;
}

/* FZ_CONN_BYTES of @in. The knobs are set. */
void fz_conn_init(struct fz_conn *c, struct fz_in *in)
{
	u8 how = fz_u8(in), more = fz_u8(in);
	struct xtcp_tcb *t = &c->t;

	xtcp_tcb_init(t, &c->p, how & 1);
	t->nodelay = how >> 1;
	t->cork = how >> 2 & how >> 3;
	t->keepalive = how >> 4;
	t->retrans_rst = how >> 5;
	t->quickack_user = how >> 6 & how >> 7;
	c->handover = more & 1;
	t->adv_mss = 48 + fz_u16(in) % 9000;
	t->mss_cap = 48 + fz_u16(in) % 9000;
	t->gso_max = max_t(u32, more & 2 ? t->mss_cap : 65000, t->mss_cap);
	t->rcv_wscale = fz_u8(in) % (XTCP_MAX_WSCALE + 1);
	if (more & 4)
		t->window_clamp = fz_u32(in) >> (more >> 4);
	c->rcvbuf = (u32)fz_span(in, 30);
	c->starve = fz_u8(in) & (more & 8 ? 0xff : 0);
	c->lossy = fz_u8(in) & (more & 16 ? 0xff : 0);
	c->now_us = fz_clock(in);
	fz_conn_prep(c);
}
