// SPDX-License-Identifier: GPL-2.0
/*
 * When two states have the same future: the digest of all that matters, and
 * of nothing else. Times count from now, the order of packets and of spare
 * nodes does not count, statistics do not count.
 *
 * What is not named here counts as it stands. So a field added to the control
 * block makes more states, never fewer.
 */
#include "world.h"

#define MOMENT	0x4000000000000ULL	/* tells a moment from none */
#define K1	0x9e3779b97f4a7c15ULL
#define K2	0xc2b2ae3d27d4eb4fULL

static void mix(struct digest *d, u64 w)
{
	unsigned __int128 a = (unsigned __int128)(d->a ^ w ^ K2) * K1;
	unsigned __int128 b = (unsigned __int128)(d->b + w + K1) * K2;

	d->a = (u64)a ^ (u64)(a >> 64) ^ d->b;
	d->b = (u64)b ^ (u64)(b >> 64);
}

static void mix_bytes(struct digest *d, const void *p, size_t n)
{
	const u8 *b = p;
	u64 w;

	for (; n >= 8; n -= 8, b += 8) {
		memcpy(&w, b, 8);
		mix(d, w);
	}
	if (n) {
		w = 0;
		memcpy(&w, b, n);
		mix(d, w);
	}
}

/* A moment counts by how far off it is; the longest that matters is @cap_us. */
static u64 rel(u64 us, u64 cap_us)
{
	u64 age = W.now - us;

	if (!us)
		return 0;
	if ((s64)age > (s64)cap_us)
		age = cap_us;
	return age + MOMENT;
}

#define NO_CAP	0x1000000000000ULL

/* As long as no keepalive looks, nobody asks for more than the longest RTO. */
static u64 rel_idle(const struct xtcp_tcb *t, u64 us)
{
	return rel(us, t->keepalive ? NO_CAP : params.tcp_rto_max_ms * MS + 1);
}

/* Rate-limited ACKs: long ago is as good as never. */
static u64 rel_limit(u64 us)
{
	return us && W.now - us < params.tcp_invalid_ratelimit * MS ? rel(us, NO_CAP) : 0;
}

static void mix_list(struct digest *d, const struct list_head *l)
{
	const struct xtcp_rng *r;

	list_for_each_entry(r, l, link) {
		mix(d, (u64)r->seq << 32 | r->end);
		mix(d, rel(r->xmit_us, NO_CAP));
		mix(d, r->sacked | r->lost << 1 | r->retrans << 2 | r->xmits << 3);
	}
	mix(d, ~0ULL);
}

static void forget_lists(struct xtcp_tcb *c)
{
	memset(&c->txq, 0, sizeof(c->txq));
	memset(&c->sent, 0, sizeof(c->sent));
	memset(&c->oooq, 0, sizeof(c->oooq));
	c->lost_from = NULL;
	c->pool = NULL;
	memset(c->inl, 0, sizeof(c->inl));
	c->n_pool = 0;
	c->p = NULL;
	c->cc = NULL;
}

static void forget_statistics(struct xtcp_tcb *c)
{
	c->bytes_acked = 0;
	c->bytes_received = 0;
	c->bytes_sent = 0;
	c->bytes_retrans = 0;
	c->segs_in = 0;
	c->segs_out = 0;
	c->data_segs_in = 0;
	c->data_segs_out = 0;
	c->delivered = 0;
	c->busy_us = 0;
	c->busy = 0;
	c->total_retrans = 0;
	c->dsack_dups = 0;
	c->reord_seen = !!c->reord_seen;
	c->rcv_ooopack = 0;
}

/* Was anything that is in flight sent before what arrived last? Else RACK has nothing to say. */
static bool rack_matters(const struct xtcp_tcb *t)
{
	const struct xtcp_rng *r;

	list_for_each_entry(r, &t->txq, link)
		if (!r->sacked && (r->xmit_us < t->newest_us ||
				   (r->xmit_us == t->newest_us && seq_lt(r->end, t->newest_end))))
			return t->sack_ok;
	return false;
}

/* What only a knob would look at that these worlds leave off. */
static void forget_unused(struct xtcp_tcb *c)
{
	if (!params.tcp_moderate_rcvbuf) {
		c->rcvq_seq = 0;
		c->rcvq_space = 0;
		c->rcvq_us = 0;
		c->rcv_rtt_us = 0;
		c->rcv_rtt_seq = 0;
		c->rcv_rtt_start_us = 0;
		c->rcv_tsecr = 0;
	}
	if (!params.tcp_slow_start_after_idle) {
		c->lsnd_us = 0;
		c->cwnd_us = 0;
		c->cwnd_used = 0;
	}
	if (!c->user_timeout_ms && !params.tcp_syn_linear_timeouts)
		c->una_us = 0;
	if (!c->sack_ok)
		c->fack = 0;
	if (!c->dsack_round)
		c->dsack_seq = 0;
	/* nothing more can prove the last recovery wrong */
	if (c->ca_state < XTCP_CA_RECOVERY && !c->undo_bytes) {
		c->prior_cwnd = 0;
		c->prior_ssthresh = 0;
		c->undo_una = 0;
	}
	if (!c->tlp_out) {
		c->tlp_end = 0;
		c->tlp_retrans = 0;
	}
	if (c->ca_state != XTCP_CA_RECOVERY && c->ca_state != XTCP_CA_CWR) {
		c->prr_fs = 0;
		c->prr_delivered = 0;
		c->prr_out = 0;
	}
	if (c->rexmit_kind != XTCP_RT_TLP && c->rexmit_kind != XTCP_RT_REO)
		c->rto_after_us = 0;
}

static void mix_tcb(struct digest *d, const struct xtcp_tcb *t)
{
	struct xtcp_tcb c = *t;
	unsigned int i;

	forget_lists(&c);
	forget_statistics(&c);
	forget_unused(&c);
	if (!rack_matters(t)) {
		c.newest_us = 0;
		c.newest_end = 0;
		c.rack_rtt_us = 0;
	}
	c.una_us = rel(c.una_us, NO_CAP);
	c.lrcv_us = rel_idle(t, c.lrcv_us);
	c.rcv_us = rel_idle(t, c.rcv_us);
	c.lsnd_us = rel(c.lsnd_us, NO_CAP);
	c.cwnd_us = rel(c.cwnd_us, NO_CAP);
	c.retrans_us = rel(c.retrans_us, NO_CAP);
	c.newest_us = rel(c.newest_us, NO_CAP);
	c.last_oow_us = rel_limit(c.last_oow_us);
	c.rcvq_us = rel(c.rcvq_us, NO_CAP);
	c.rcv_rtt_start_us = rel(c.rcv_rtt_start_us, NO_CAP);
	for (i = 0; i < XTCP_NR_TIMERS; i++)
		c.deadline_us[i] = rel(c.deadline_us[i], NO_CAP);
	if (c.s.ts_recent_s) {
		c.s.ts_recent -= (u32)(W.now / MS);
		c.s.ts_recent_s -= (u32)(W.now / SEC);
	}
	mix_bytes(d, &c, sizeof(c));
	mix_list(d, &t->txq);
	mix_list(d, &t->oooq);
}

static void mix_request(struct digest *d, const struct xtcp_rq *rq)
{
	struct xtcp_rq c = *rq;

	c.synack_us -= (u32)W.now;
	c.last_oow_us = c.last_oow_us ? (u32)rel_limit(W.now - (u32)((u32)W.now -
							      c.last_oow_us)) : 0;
	c.ts_recent -= c.ts_ok ? (u32)(W.now / MS) : 0;
	mix_bytes(d, &c, sizeof(c));
}

static void mix_entry(struct digest *d, const struct host *h)
{
	struct xtcp_twc c = h->twc;

	c.ts_recent -= c.ts_ok ? (u32)(W.now / MS) : 0;
	mix_bytes(d, &c, sizeof(c));
	mix(d, rel_limit(h->tw_ack_us));
}

static void mix_host(struct digest *d, const struct host *h)
{
	mix(d, h->kind | h->gen << 8 | h->peer_gen << 16 | h->listening << 24 |
	    (u64)h->pc << 32 | (u64)h->held << 40 | (u64)h->connected << 41 |
	    (u64)h->eof << 42 | (u64)h->shut << 43 | (u64)h->rude << 44 | (u64)h->err << 48);
	mix(d, h->written | h->acked << 16 | (u64)h->delivered << 32 | (u64)h->read << 48);
	mix(d, h->dups);
	mix_bytes(d, h->have, sizeof(h->have));
	switch ((enum kind)h->kind) {
	case K_NONE:
		return;
	case K_REQUEST:
		mix_request(d, &h->rq);
		break;
	case K_ENTRY:
		mix_entry(d, h);
		break;
	case K_CONN:
		mix(d, (u64)h->edge << 1 | h->edge_set);
		mix_tcb(d, &h->t);
		break;
	}
	mix(d, rel(h->due_us, NO_CAP));
}

/* Age counts while packets can still be overtaken by a timer. */
static struct digest pkt_digest(const struct pkt *k)
{
	struct digest d = { K2, K1 };
	struct xtcp_seg g = k->g;

	mix(&d, k->to | k->gen << 8 | k->forged << 16 | (u64)k->off << 32);
	mix(&d, W.late ? rel(k->sent_us, NO_CAP) : 0);
	if (g.opt.has_ts) {
		g.opt.tsval -= (u32)(W.now / MS);
		g.opt.tsecr -= g.opt.tsecr ? (u32)(W.now / MS) : 0;
	}
	mix_bytes(&d, &g, sizeof(g));
	return d;
}

/**
 * world_digest - what two states have in common that have the same future
 *
 * Return: 128 bits.
 */
struct digest world_digest(void)
{
	struct digest d = { K1, K2 }, sum = { 0 };
	unsigned int i;

	for (i = 0; i < W.n_q; i++) {
		struct digest p = pkt_digest(&W.q[i]);

		sum.a += p.a;
		sum.b += p.b;
	}
	mix(&d, W.loss | W.dup << 8 | W.late << 16 | W.slow << 24 | (u64)W.abort << 32 |
	    (u64)W.forge << 40 | (u64)W.down << 48 | (u64)W.dead << 56);
	mix(&d, sum.a);
	mix(&d, sum.b);
	if (params.tcp_timestamps)
		mix(&d, W.now % SEC);
	mix_host(&d, &W.h[0]);
	mix_host(&d, &W.h[1]);
	return d;
}
