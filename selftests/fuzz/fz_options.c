// SPDX-License-Identifier: GPL-2.0
/*
 * Header and options: what hostile bytes mean is asked twice, of the core and
 * of a reader that only looks for the last sound option of a kind; what was
 * understood survives encoding and decoding.
 */
#include "fz.h"

const struct fz_shape fz_shape = { 0, 0 };

/* Byte 0: which fixed options; then the header, 20 bytes, and up to 40 of options. */
static const struct { u8 len, b[40]; } lists[] = {
	{ 20, { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7 } },
	{ 12, { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ 24, { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9 } },
	{ 36, { 1, 1, 5, 34, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0,
		0, 6, 0, 0, 0, 7, 0, 0, 0, 8 } },
	{ 8, { 0, 2, 4, 5, 2, 4, 5, 5 } },
	{ 8, { 77, 4, 9, 9, 2, 4, 5, 0xb4 } },
	{ 8, { 2, 4, 5, 0xb4, 8, 1, 0, 0 } },
	{ 8, { 3, 3, 255, 1, 4, 2, 4, 3 } },
	{ 40, { 30, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 1, 34, 2 } },
	{ 0, { 0 } },
};

static unsigned int both_ways;

size_t fz_seed(unsigned int n, u8 *out, size_t room)
{
	static const u8 flags[] = { XTCP_SYN, XTCP_SYN | XTCP_ACK, XTCP_ACK, XTCP_RST };
	unsigned int list = n / ARRAY_SIZE(flags);

	if (list >= ARRAY_SIZE(lists))
		return 0;
	fz_seed_random(n, out, XTCP_HDR_LEN);
	out[13] = flags[n % ARRAY_SIZE(flags)];
	memcpy(out + XTCP_HDR_LEN, lists[list].b, lists[list].len);
	return XTCP_HDR_LEN + lists[list].len;
}

const char *fz_missing(void)
{
	return both_ways ? NULL : "an option list with all that can be said";
}

static u32 word(const u8 *p)
{
	return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static bool sound_len(u8 kind, unsigned int n)
{
	switch (kind) {
	case 2:
		return n == 4;
	case 3:
		return n == 3;
	case 4:
		return n == 2;
	case 5:
		return n > 2 && n % 8 == 2;
	default:
		return n == 10;
	}
}

/* The last option of @kind with a length that it can have; NULL: none. */
static const u8 *last_of(const u8 *p, unsigned int len, u8 kind)
{
	const u8 *found = NULL;
	unsigned int i = 0;

	while (i < len && p[i]) {
		if (p[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= len || p[i + 1] < 2 || i + p[i + 1] > len)
			break;
		if (p[i] == kind && sound_len(kind, p[i + 1]))
			found = p + i;
		i += p[i + 1];
	}
	return found;
}

static void check_sack(const u8 *at, const struct xtcp_opts *o)
{
	unsigned int i, n = at ? (at[1] - 2) / 8 : 0;

	FZ_NEED(o->nsack == min_t(unsigned int, n, XTCP_MAX_SACK));
	for (i = 0; i < o->nsack; i++)
		FZ_NEED(o->sack[i].start == word(at + 2 + 8 * i) &&
			o->sack[i].end == word(at + 6 + 8 * i));
}

static void check_meaning(const u8 *p, unsigned int len, bool syn, const struct xtcp_opts *o)
{
	const u8 *at = syn ? last_of(p, len, 2) : NULL;

	FZ_NEED(o->mss == (at ? at[2] << 8 | at[3] : 0));
	at = syn ? last_of(p, len, 3) : NULL;
	FZ_NEED(o->has_wscale == !!at && o->wscale == (at ? min_t(u8, at[2], 14) : 0));
	FZ_NEED(o->sack_ok == (syn && last_of(p, len, 4)));
	at = last_of(p, len, 8);
	FZ_NEED(o->has_ts == !!at);
	FZ_NEED(o->tsval == (at ? word(at + 2) : 0) && o->tsecr == (at ? word(at + 6) : 0));
	check_sack(syn ? NULL : last_of(p, len, 5), o);
}

static void round_trip(struct xtcp_opts *o, bool syn)
{
	struct xtcp_opts back;
	u8 b[XTCP_MAX_OPT], *exact;
	unsigned int n = xtcp_opts_build(o, b);

	FZ_NEED(n <= XTCP_MAX_OPT && n % 4 == 0);
	exact = malloc(n ? n : 1);
	if (!exact)
		abort();
	memcpy(exact, b, n);
	memset(&back, 0xa5, sizeof(back));
	FZ_NEED(!xtcp_opts_parse(exact, n, syn, &back));
	free(exact);
	/* what fits beside a timestamp */
	if (o->has_ts)
		o->nsack = min_t(u8, o->nsack, 3);
	FZ_NEED(o->mss == back.mss && o->wscale == back.wscale && o->nsack == back.nsack);
	FZ_NEED(o->has_ts == back.has_ts && o->has_wscale == back.has_wscale);
	FZ_NEED(o->sack_ok == back.sack_ok);
	FZ_NEED(o->tsval == back.tsval && o->tsecr == back.tsecr);
	FZ_NEED(!memcmp(o->sack, back.sack, o->nsack * sizeof(o->sack[0])));
	if (o->has_ts && (o->nsack == 3 || (o->mss && o->has_wscale && o->sack_ok)))
		both_ways++;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	unsigned int len = min_t(size_t, size, XTCP_HDR_LEN + XTCP_MAX_OPT);
	struct xtcp_seg g;
	bool syn;
	u8 *h;

	if (len < XTCP_HDR_LEN)
		return 0;
	/* a block of exactly that size: a byte too far is seen */
	h = malloc(len);
	if (!h)
		abort();
	memcpy(h, data, len);
	memset(&g, 0xa5, sizeof(g));
	xtcp_hdr_parse(h, len, &g);
	FZ_NEED(g.seq == word(h + 4) && g.ack == word(h + 8) && g.flags == h[13]);
	FZ_NEED(g.wnd == word(h + 12) % 65536 && g.urg == word(h + 16) % 65536);
	FZ_NEED(!g.len && !g.segs && !g.mss && !g.no_mem && !g.ecn);
	syn = h[13] & 2;
	check_meaning(h + XTCP_HDR_LEN, len - XTCP_HDR_LEN, syn, &g.opt);
	free(h);
	round_trip(&g.opt, syn);
	return 0;
}
