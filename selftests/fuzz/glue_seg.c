// SPDX-License-Identifier: GPL-2.0
/* Knobs over their whole range, segments somebody hostile would send, the rules of verdict.h. */
#include "fz.h"

/* The default four times in eight, both ends, anything between. */
static int param(struct fz_in *in, int def, int lo, int hi)
{
	u64 span = (u64)hi - lo + 1;

	switch (fz_u8(in) % 8) {
	case 4:
		return lo;
	case 5:
		return hi;
	case 6:
		return lo + (int)(fz_u32(in) % span);
	case 7:
		return lo + (int)(fz_u8(in) % span);
	default:
		return def;
	}
}

/* FZ_PARAM_BYTES of @from. */
void fz_params(struct xtcp_params *p, struct fz_in *from)
{
	struct fz_in cut = fz_cut(from, FZ_PARAM_BYTES), *in = &cut;

#define XTCP_PARAM(name, def, lo, hi, unit, source, meaning) p->name = param(in, def, lo, hi);
#define XTCP_PARAM3(name, d0, d1, d2, lo, hi, unit, source, meaning)	\
	p->name[0] = param(in, d0, lo, hi);				\
	p->name[1] = param(in, d1, lo, hi);				\
	p->name[2] = param(in, d2, lo, hi);
#include "../../include/xtcp/params.h"
}

u64 fz_clock(struct fz_in *in)
{
	u8 how = fz_u8(in);
	u64 back = fz_span(in, 40);

	switch (how % 6) {
	case 0:
		return 1;
	case 1:			/* 32 bits of us */
		return (1ULL << 32) + (1ULL << 41) - back;
	case 2:			/* 32 bits of ms */
		return (1ULL << 32) * 1000 - min_t(u64, back, 1ULL << 40);
	case 3:			/* 32 bits of s */
		return (1ULL << 32) * SEC - back;
	default:
		return 1000 * SEC + back;
	}
}

u32 fz_isn(struct fz_in *in)
{
	u8 how = fz_u8(in);
	u32 x = fz_u16(in);

	switch (how % 4) {
	case 0:
		return 0u - x;
	case 1:
		return 0x80000000u - x;
	case 2:
		return how % 8 ? 0xffffffffu : 0;
	default:
		return x << 16 | how;
	}
}

static u8 seg_flags(struct fz_in *in)
{
	static const u8 usual[] = {
		XTCP_ACK, XTCP_ACK, XTCP_ACK, XTCP_ACK, XTCP_ACK | XTCP_PSH,
		XTCP_ACK | XTCP_FIN, XTCP_ACK | XTCP_URG, XTCP_SYN, XTCP_SYN | XTCP_ACK,
		XTCP_RST, XTCP_RST | XTCP_ACK, XTCP_FIN, XTCP_ACK | XTCP_PSH | XTCP_FIN,
		XTCP_ACK | XTCP_URG | XTCP_FIN, XTCP_SYN | XTCP_FIN, 0,
	};
	u8 sel = fz_u8(in), raw = fz_u8(in);

	return sel < 208 ? usual[sel % ARRAY_SIZE(usual)] : raw;
}

static u32 seg_len(struct fz_in *in, u8 class, const struct fz_marks *m, u32 seq)
{
	u16 raw = fz_u16(in);

	switch (class) {
	case 0:
		return 0;
	case 1:
		return raw % 3000;
	case 2:			/* to the very edge, or a byte or two beside it */
		return (m->edge - seq + (s8)(raw % 5) - 2) & 0xffff;
	default:
		return raw;
	}
}

static void seg_opts_syn(struct xtcp_opts *o, u8 how, u32 x)
{
	o->mss = how & 8 ? x >> 16 : 1460;
	o->has_wscale = how >> 4 & 1;
	o->wscale = x % (XTCP_MAX_WSCALE + 1);
	o->sack_ok = how >> 2 & 1;
}

/* Where a block begins, from a mark on: the last is the far side of the sequence space. */
static const u32 sack_by_700[] = { 0, 700, 1400, 2100 }, sack_by_1[] = { 0, 1, 2, 0x7fff0000 };

/* Blocks between the marks of what is in flight. */
static void seg_opts_sack(struct xtcp_opts *o, u8 how, u32 x, const struct fz_marks *m)
{
	unsigned int i;

	o->nsack = min_t(u8, how >> 2 & 7, XTCP_MAX_SACK);
	for (i = 0; i < o->nsack; i++) {
		u8 b = x >> 8 * i;

		o->sack[i].start = m->ack[b & 7] + (b & 0x20 ? sack_by_1 : sack_by_700)[b >> 6];
		o->sack[i].end = b & 0x20 ? m->ack[b >> 3 & 7] :
				 o->sack[i].start + (b >> 3 & 3) * 1000 + 1;
	}
}

static void seg_opts(struct fz_in *in, const struct fz_marks *m, struct xtcp_seg *g)
{
	u8 how = fz_u8(in);
	u32 x = fz_u32(in);

	switch (how & 3) {
	case 0:
		break;
	case 1:
		g->opt.has_ts = 1;
		g->opt.tsval = m->ts_recent;
		g->opt.tsecr = m->ts_now;
		break;
	case 2:
		g->opt.has_ts = 1;
		g->opt.tsval = m->ts_recent + (s8)x;
		g->opt.tsecr = m->ts_now - (x & 0xff);
		break;
	case 3:
		g->opt.has_ts = 1;
		g->opt.tsval = m->ts_recent + x;
		g->opt.tsecr = m->ts_now - (x >> 16 << 16 | how);
		break;
	}
	if (g->flags & XTCP_SYN)
		seg_opts_syn(&g->opt, how, x);
	else
		seg_opts_sack(&g->opt, how, x, m);
	g->no_mem = how >> 5 == 7;
	g->ecn = how & 0x40 ? 3 : 0;
	g->segs = how & 0x80 && g->len ? 1 + x % 45 : 1;
	g->mss = g->segs > 1 ? DIV_ROUND_UP(g->len, g->segs) : min_t(u32, g->len, 65535);
}

/* FZ_SEG_BYTES of @in. */
void fz_segment(struct fz_in *in, const struct fz_marks *m, struct xtcp_seg *g)
{
	u8 where;
	s8 dseq, dack;

	memset(g, 0, sizeof(*g));
	g->flags = seg_flags(in);
	where = fz_u8(in);
	dseq = fz_u8(in);
	dack = fz_u8(in);
	/* near the mark, or somewhere about it */
	g->seq = m->seq[where & 7] + (dseq > -64 && dseq < 64 ? dseq / 8 : dseq * 16);
	g->ack = m->ack[where >> 3 & 7] + (dack > -64 && dack < 64 ? dack / 16 : dack * 16);
	g->len = seg_len(in, where >> 6, m, g->seq);
	g->wnd = fz_u16(in);
	seg_opts(in, m, g);
	g->urg = fz_u8(in);
	if (g->urg > 200)
		g->urg = g->urg << 8 | 0x55;
}

void fz_verdict(const struct xtcp_verdict *v, const struct xtcp_seg *g)
{
	unsigned int i;

	FZ_NEED(v->n_edges < XTCP_MAX_EDGES && v->n_mib < XTCP_MAX_VMIB);
	FZ_NEED(v->drop < XTCP_NR_DROPS);
	for (i = 0; i < v->n_mib; i++)
		FZ_NEED(v->mib[i] < XTCP_NR_MIB);
	for (i = 0; i < v->n_edges; i++) {
		FZ_NEED(xtcp_edge_ok(v->edge[i].from, v->edge[i].to) && v->edge[i].cause);
		FZ_NEED(!i || v->edge[i].from == v->edge[i - 1].to);
	}
	FZ_NEED(!(v->flags & (XTCP_V_DELIVER | XTCP_V_OOO)) || g);
	FZ_NEED((v->flags & (XTCP_V_DELIVER | XTCP_V_OOO)) != (XTCP_V_DELIVER | XTCP_V_OOO));
	if (v->flags & (XTCP_V_DELIVER | XTCP_V_OOO)) {
		FZ_NEED(v->data_len && v->data_off <= g->len &&
			v->data_len <= g->len - v->data_off);
		FZ_NEED(!g->no_mem);
	}
	FZ_NEED(!(v->flags & XTCP_V_ERROR) || v->err > 0);
	if (!(v->flags & XTCP_V_REPLY))
		return;
	FZ_NEED(v->reply.optlen <= XTCP_MAX_OPT && v->reply.optlen % 4 == 0);
	/* RFC 9293 3.10.7.1: never a RST for a RST */
	FZ_NEED(!g || !(g->flags & XTCP_RST) || !(v->reply.flags & XTCP_RST));
	FZ_NEED(v->reply.flags & (XTCP_RST | XTCP_ACK));
}
