// SPDX-License-Identifier: GPL-2.0
/* The header and its options: RFC 9293 3.1, RFC 7323 (scale, timestamps), RFC 2018 (SACK). */
#include "segment.h"

enum {
	OPT_EOL, OPT_NOP, OPT_MSS, OPT_WSCALE, OPT_SACK_OK, OPT_SACK, OPT_TS = 8,
};

#define TS_WORD	(OPT_NOP << 24 | OPT_NOP << 16 | OPT_TS << 8 | 10)

static u16 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static u32 get32(const u8 *p)
{
	return (u32)get16(p) << 16 | get16(p + 2);
}

/* One option of a known kind; a wrong length makes it count for nothing. */
static void opt_parse(u8 kind, const u8 *p, unsigned int len, bool syn, struct xtcp_opts *o)
{
	switch (kind) {
	case OPT_MSS:
		if (syn && len == 4)
			o->mss = get16(p + 2);
		break;
	case OPT_WSCALE:
		if (syn && len == 3) {
			o->has_wscale = 1;
			/* RFC 7323 2.3: a larger shift counts as 14 */
			o->wscale = min_t(u8, p[2], XTCP_MAX_WSCALE);
		}
		break;
	case OPT_SACK_OK:
		if (syn && len == 2)
			o->sack_ok = 1;
		break;
	case OPT_SACK:
		if (syn || len < 10 || (len - 2) % 8)
			break;
		o->nsack = 0;
		for (; len >= 10 && o->nsack < XTCP_MAX_SACK; len -= 8, p += 8) {
			o->sack[o->nsack].start = get32(p + 2);
			o->sack[o->nsack++].end = get32(p + 6);
		}
		break;
	case OPT_TS:
		if (len == 10) {
			o->has_ts = 1;
			o->tsval = get32(p + 2);
			o->tsecr = get32(p + 6);
		}
		break;
	}
}

int xtcp_opts_parse(const u8 *p, unsigned int len, bool syn, struct xtcp_opts *o)
{
	memset(o, 0, offsetof(struct xtcp_opts, sack));
	/* RFC 7323 appendix A: how timestamps come, and in most segments nothing else */
	if (len == XTCP_TS_LEN && get32(p) == TS_WORD) {
		o->has_ts = 1;
		o->tsval = get32(p + 4);
		o->tsecr = get32(p + 8);
		return 0;
	}
	while (len) {
		unsigned int n;

		if (*p == OPT_EOL)
			return 0;
		if (*p == OPT_NOP) {
			p++;
			len--;
			continue;
		}
		if (len < 2)
			return -1;
		n = p[1];
		if (n < 2 || n > len)
			return -1;
		opt_parse(*p, p, n, syn, o);
		p += n;
		len -= n;
	}
	return 0;
}

static u8 *sack_build(const struct xtcp_opts *o, u8 *p, const u8 *out)
{
	unsigned int room = XTCP_MAX_OPT - (p - out), i;
	unsigned int n = room < 12 ? 0 : min_t(unsigned int, o->nsack, (room - 4) / 8);

	if (!n)
		return p;
	*p++ = OPT_NOP;
	*p++ = OPT_NOP;
	*p++ = OPT_SACK;
	*p++ = 2 + 8 * n;
	for (i = 0; i < n; i++)
		p = xtcp_put32(xtcp_put32(p, o->sack[i].start), o->sack[i].end);
	return p;
}

unsigned int xtcp_opts_build(const struct xtcp_opts *o, u8 out[XTCP_MAX_OPT])
{
	u8 *p = out;

	if (o->mss) {
		*p++ = OPT_MSS;
		*p++ = 4;
		*p++ = o->mss >> 8;
		*p++ = o->mss;
	}
	if (o->sack_ok || o->has_ts) {
		*p++ = o->sack_ok ? OPT_SACK_OK : OPT_NOP;
		*p++ = o->sack_ok ? 2 : OPT_NOP;
		if (o->has_ts) {
			*p++ = OPT_TS;
			*p++ = 10;
			p = xtcp_put32(xtcp_put32(p, o->tsval), o->tsecr);
		} else {
			*p++ = OPT_NOP;
			*p++ = OPT_NOP;
		}
	}
	if (o->has_wscale) {
		*p++ = OPT_NOP;
		*p++ = OPT_WSCALE;
		*p++ = 3;
		*p++ = o->wscale;
	}
	return sack_build(o, p, out) - out;
}

unsigned int xtcp_opts_build_ts(u32 tsval, u32 tsecr, u8 *out)
{
	xtcp_put32(xtcp_put32(xtcp_put32(out, TS_WORD), tsval), tsecr);
	return XTCP_TS_LEN;
}

void xtcp_hdr_parse(const u8 *h, unsigned int hlen, struct xtcp_seg *g)
{
	memset(g, 0, offsetof(struct xtcp_seg, opt));
	g->seq = get32(h + 4);
	g->ack = get32(h + 8);
	g->res = h[12] & 15;
	g->flags = h[13];
	g->wnd = get16(h + 14);
	g->urg = get16(h + 18);
	xtcp_opts_parse(h + XTCP_HDR_LEN, hlen - XTCP_HDR_LEN, g->flags & XTCP_SYN, &g->opt);
}
