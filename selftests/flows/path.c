// SPDX-License-Identifier: GPL-2.0
/* The bottleneck of path.h and the two ends of each flow. */
#include "path.h"

#define RCVBUF		(32u << 20)
#define AHEAD		(8u << 20)	/* the sender always has so much to say */
#define START_US	(1000 * SEC)

/* ---- packets in flight */

static bool before(const struct pkt *a, const struct pkt *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void push(struct path *w, const struct pkt *k)
{
	unsigned int i;

	if (w->n_heap == w->cap_heap) {
		w->cap_heap = w->cap_heap ? 2 * w->cap_heap : 1024;
		w->heap = realloc(w->heap, w->cap_heap * sizeof(*w->heap));
		if (!w->heap)
			abort();
	}
	for (i = w->n_heap++; i && before(k, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = *k;
}

static struct pkt pop(struct path *w)
{
	struct pkt top = w->heap[0], *last = &w->heap[--w->n_heap];
	unsigned int i = 0, c;

	while ((c = 2 * i + 1) < w->n_heap) {
		if (c + 1 < w->n_heap && before(&w->heap[c + 1], &w->heap[c]))
			c++;
		if (!before(&w->heap[c], last))
			break;
		w->heap[i] = w->heap[c];
		i = c;
	}
	w->heap[i] = *last;
	return top;
}

static void mark(struct flow *f, struct pkt *k)
{
	k->g.ecn = XTCP_ECN_CE;
	f->marks++;
}

/* The data of all flows share the link; ACKs come back unhindered. */
static bool through_link(struct path *w, struct flow *f, u32 len, struct pkt *k)
{
	bool ect = k->g.ecn == XTCP_ECN_ECT0;
	u64 now_ns = w->now_us * 1000, queue;

	f->data_segs++;
	if (w->gaps.mean) {
		if (!w->lose_at)
			w->lose_at = gap_next(&w->gaps);
		if (f->data_segs >= w->lose_at) {
			w->lose_at += gap_next(&w->gaps);
			if (!w->mark || !ect)
				return false;
			mark(f, k);
		}
	}
	if (!w->rate)
		return true;
	if (w->busy_ns < now_ns)
		w->busy_ns = now_ns;
	queue = (w->busy_ns - now_ns) * w->rate / 1000000000;
	if (queue > w->queue_bytes) {
		f->queue_drops++;
		return false;
	}
	/* as CoDel does: one tells it, and it takes a while to see what that has brought */
	if (w->mark_bytes && queue > w->mark_bytes && ect &&
	    w->now_us - w->marked_us > 4 * w->rtt_us) {
		w->marked_us = w->now_us;
		mark(f, k);
	}
	w->queue_sum += (w->busy_ns - now_ns) * w->rate / 1e9;
	w->queue_n++;
	w->busy_ns += (u64)len * 1000000000 / w->rate;
	k->at_us = w->busy_ns / 1000;
	return true;
}

static void transmit(struct end *from, const struct xtcp_seg *g)
{
	struct path *w = from->path;
	struct flow *f = &w->f[from->flow];
	struct pkt k = { .at_us = w->now_us, .order = ++w->order, .to = &f->e[!from->side],
			 .g = *g };

	if (g->len && !through_link(w, f, g->len + WIRE - MSS, &k))
		return;
	k.at_us += w->rtt_us / 2 + f->delay_us;
	if (g->len && w->jitter_us)
		k.at_us += rnd_below(&w->r, w->jitter_us);
	push(w, &k);
}

static void send_reply(struct end *e, const struct xtcp_reply *r)
{
	struct xtcp_seg g = { .seq = r->seq, .ack = r->ack, .wnd = r->wnd, .flags = r->flags,
			      .segs = 1 };

	xtcp_opts_parse(r->opt, r->optlen, r->flags & XTCP_SYN, &g.opt);
	transmit(e, &g);
}

/* ---- the two ends */

static void prep(struct end *e)
{
	e->t.rcv_full = RCVBUF;
	e->t.rcv_free = RCVBUF;
	while (xtcp_pool_hungry(&e->t, XTCP_POOL_WANT)) {
		struct xtcp_rng *r = calloc(1, sizeof(*r));

		if (!r)
			abort();
		xtcp_pool_put(&e->t, r);
	}
}

static void carry_out(struct end *e)
{
	u64 now_us = e->path->now_us;
	struct xtcp_verdict v = e->v;
	struct xtcp_xmit x;

	if (v.flags & XTCP_V_CLOSED) {
		fprintf(stderr, "a connection died: error %d\n", v.err);
		exit(1);
	}
	if (v.flags & XTCP_V_REPLY)
		send_reply(e, &v.reply);
	if (!(v.flags & XTCP_V_OUTPUT))
		return;
	prep(e);
	while (xtcp_output_next(&e->t, now_us, &x)) {
		struct xtcp_seg g = { .seq = x.seq, .ack = x.ack, .len = x.len, .wnd = x.wnd,
				      .flags = x.flags, .segs = 1, .mss = x.len,
				      .ecn = x.ect ? XTCP_ECN_ECT0 : XTCP_ECN_NOT };

		xtcp_opts_parse(x.opt, x.optlen, x.flags & XTCP_SYN, &g.opt);
		transmit(e, &g);
		xtcp_output_sent(&e->t, &x, now_us);
	}
}

static bool talks(const struct path *w, const struct flow *f)
{
	u64 cycle = f->burst_us + f->gap_us;

	return !cycle || (w->now_us - START_US) % cycle < f->burst_us;
}

/* What the programs do: one writes what there is room for, the other reads all. */
static void programs(struct end *e, u32 una)
{
	struct path *w = e->path;
	struct flow *f = &w->f[e->flow];
	u32 n = e->t.s.rcv_nxt - e->t.copied_seq;

	if (e->side && n) {
		prep(e);
		xtcp_user_read(&e->t, n, w->now_us, &e->v);
		carry_out(e);
	}
	if (e->side || !e->t.syn_acked)
		return;
	f->acked += e->t.s.snd_una - una;
	f->cwnd_sum += e->t.cwnd;
	f->cwnd_n++;
	n = e->t.write_seq - e->t.s.snd_nxt;
	if (n < AHEAD / 2 && talks(w, f)) {
		prep(e);
		xtcp_user_send(&e->t, f->gap_us ? 64 * MSS : AHEAD, false, false, w->now_us,
			       &e->v);
		carry_out(e);
	}
}

static void feed(struct end *e, const struct xtcp_seg *g)
{
	u32 una = e->t.s.snd_una;

	prep(e);
	xtcp_segment_arrives(&e->t, g, e->path->now_us, &e->v);
	carry_out(e);
	programs(e, una);
}

/* The passive end: a SYN makes a request, the third segment the connection. */
static void listens(struct end *e, const struct xtcp_seg *g)
{
	u64 now_us = e->path->now_us;
	struct xtcp_reply r;

	if (!e->half) {
		if (xtcp_listen_segment(g, &e->v) != XTCP_L_SYN)
			return;
		xtcp_rq_init(&e->rq, &e->p, g, false, 1u << 30, 0, 65535, 12, now_us);
		e->half = true;
		xtcp_rq_synack(&e->rq, MSS + 12, now_us, &r);
		send_reply(e, &r);
		return;
	}
	if (xtcp_rq_segment(&e->rq, &e->p, g, now_us, &e->v) != XTCP_RQ_COMPLETE)
		return;
	e->half = false;
	prep(e);
	xtcp_open_child(&e->t, &e->rq, now_us, &e->v);
	carry_out(e);
	feed(e, g);
}

static void end_init(struct path *w, struct flow *f, u8 side)
{
	struct end *e = &f->e[side];

	e->path = w;
	e->flow = f - w->f;
	e->side = side;
	params_default(&e->p);
	e->p.tcp_moderate_rcvbuf = 0;
	e->p.tcp_ecn = w->mark || w->mark_bytes;
	xtcp_tcb_init(&e->t, &e->p, false);
	e->t.cc = f->cc;
	e->t.adv_mss = MSS + 12;
	e->t.mss_cap = MSS + 12;
	e->t.gso_max = MSS;
	e->t.rcv_wscale = 12;
	e->t.nodelay = 1;
	prep(e);
}

static void begin(struct flow *f)
{
	struct end *e = &f->e[0];

	f->start_us = 0;
	prep(e);
	xtcp_open_active(&e->t, rnd_u32(&e->path->r), 0, e->path->now_us, &e->v);
	carry_out(e);
}

/* ---- time */

/* What comes first after the packets: a deadline, or the start of a flow. */
static u64 next_of(const struct path *w, struct end **who)
{
	u64 at = ~0ULL, d;
	unsigned int i, s;

	for (i = 0; i < w->n_flow; i++) {
		for (s = 0; s < 2; s++) {
			const struct end *e = &w->f[i].e[s];

			d = w->f[i].start_us ? (s ? 0 : w->f[i].start_us)
					     : xtcp_next_deadline(&e->t);
			if (d && d < at) {
				at = d;
				*who = (struct end *)e;
			}
		}
	}
	return at;
}

static void step(struct path *w, struct end *who)
{
	if (w->f[who->flow].start_us) {
		begin(&w->f[who->flow]);
		return;
	}
	prep(who);
	xtcp_timeout(&who->t, w->now_us, &who->v);
	carry_out(who);
}

void path_run(struct path *w, u64 us)
{
	u64 end = w->now_us + us, at;
	struct end *who = NULL;
	struct pkt k;

	for (;;) {
		at = next_of(w, &who);
		if (w->n_heap && w->heap[0].at_us <= at) {
			if (w->heap[0].at_us > end)
				break;
			k = pop(w);
			w->now_us = max_t(u64, w->now_us, k.at_us);
			if (k.to->t.state == XTCP_CLOSE)
				listens(k.to, &k.g);
			else
				feed(k.to, &k.g);
			continue;
		}
		if (at > end)
			break;
		w->now_us = max_t(u64, w->now_us, at);
		step(w, who);
	}
	w->now_us = end;
}

void path_init(struct path *w, u32 rtt_us, u64 seed)
{
	memset(w, 0, sizeof(*w));
	w->now_us = START_US;
	w->rtt_us = rtt_us;
	w->r.s = seed;
}

struct flow *path_flow(struct path *w, const char *cc, u64 start_us)
{
	struct flow *f = &w->f[w->n_flow++];

	f->cc = xtcp_cc_find(cc);
	if (!f->cc)
		abort();
	f->start_us = w->now_us + 1 + start_us;
	end_init(w, f, 0);
	end_init(w, f, 1);
	return f;
}

void path_free(struct path *w)
{
	struct xtcp_rng *r;
	unsigned int i;

	for (i = 0; i < 2 * w->n_flow; i++) {
		struct xtcp_tcb *t = &w->f[i / 2].e[i % 2].t;

		xtcp_tcb_drain(t);
		while ((r = xtcp_pool_surplus(t, 0)))
			free(r);
	}
	free(w->heap);
	w->heap = NULL;
	w->n_heap = 0;
	w->cap_heap = 0;
}
