// SPDX-License-Identifier: GPL-2.0
/* Sequence arithmetic, the option codec, initial sequence numbers. */
#include "unit.h"

/* RFC 9293 3.4: comparisons are modulo 2^32 */
void test_seq(void)
{
	static const struct { u32 a, b; bool lt; } row[] = {
		{ 0, 1, true }, { 1, 0, false }, { 0xffffffff, 0, true },
		{ 0, 0xffffffff, false }, { 0xfffffff0, 0x10, true },
		{ 0x10, 0xfffffff0, false }, { 5, 5, false },
		{ 0x7fffffff, 0x80000000, true }, { 0x80000000, 0x7fffffff, false },
		{ 0, 0x7fffffff, true }, { 0x80000001, 0, true }, { 0, 0x80000001, false },
	};
	struct rnd r = { 1 };
	unsigned int i, bad = 0;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		is(seq_lt(row[i].a, row[i].b), row[i].lt, "%#x < %#x", row[i].a, row[i].b);
		is(seq_gt(row[i].b, row[i].a), row[i].lt, "%#x > %#x", row[i].b, row[i].a);
		is(seq_leq(row[i].a, row[i].b), row[i].lt || row[i].a == row[i].b,
		   "%#x <= %#x", row[i].a, row[i].b);
		is(seq_geq(row[i].b, row[i].a), row[i].lt || row[i].a == row[i].b,
		   "%#x >= %#x", row[i].b, row[i].a);
	}
	ok(seq_between(0, 0xfffffff0, 0x10), "0 lies between 2^32-16 and 16");
	ok(!seq_between(0x11, 0xfffffff0, 0x10), "17 does not");
	ok(seq_between(0x10, 0xfffffff0, 0x10) && seq_between(0xfffffff0, 0xfffffff0, 0x10),
	   "both ends belong to the interval");
	/* the same truth from every origin */
	for (i = 0; i < 100000; i++) {
		u32 o = rnd_u32(&r), d = rnd_below(&r, 0x7fffffff) + 1;

		bad += !seq_lt(o, o + d) || seq_lt(o + d, o) || seq_max(o, o + d) != o + d ||
		       seq_min(o, o + d) != o || !seq_between(o + d / 2, o, o + d) ||
		       seq_between(o + d + 1, o, o + d);
	}
	is(bad, 0, "100,000 random pairs agree wherever the origin is");
}

struct opt_row {
	const char *name;
	u8 len, b[40];
	bool syn;
	int ret;
	struct xtcp_opts want;
};

static const struct opt_row opt_rows[] = {
	{ "none", 0, { 0 }, true, 0, { 0 } },
	{ "MSS (RFC 9293 3.7.1)", 4, { 2, 4, 0x05, 0xb4 }, true, 0, { .mss = 1460 } },
	{ "MSS outside a SYN is ignored", 4, { 2, 4, 0x05, 0xb4 }, false, 0, { 0 } },
	{ "MSS of wrong length 3", 4, { 2, 3, 5, 1 }, true, 0, { 0 } },
	{ "MSS of wrong length 5", 8, { 2, 5, 5, 1, 1, 1, 1, 0 }, true, 0, { 0 } },
	{ "MSS cut off by the end", 3, { 2, 4, 5 }, true, -1, { 0 } },
	{ "window scale (RFC 7323 2.2)", 4, { 1, 3, 3, 7 }, true, 0,
	  { .has_wscale = 1, .wscale = 7 } },
	{ "window scale 0", 3, { 3, 3, 0 }, true, 0, { .has_wscale = 1 } },
	{ "window scale above 14 counts as 14 (RFC 7323 2.3)", 3, { 3, 3, 15 }, true, 0,
	  { .has_wscale = 1, .wscale = 14 } },
	{ "window scale 255", 3, { 3, 3, 255 }, true, 0, { .has_wscale = 1, .wscale = 14 } },
	{ "window scale outside a SYN", 3, { 3, 3, 7 }, false, 0, { 0 } },
	{ "window scale of wrong length", 4, { 3, 4, 7, 7 }, true, 0, { 0 } },
	{ "SACK-permitted (RFC 2018 2)", 2, { 4, 2 }, true, 0, { .sack_ok = 1 } },
	{ "SACK-permitted outside a SYN", 2, { 4, 2 }, false, 0, { 0 } },
	{ "SACK-permitted of wrong length", 3, { 4, 3, 0 }, true, 0, { 0 } },
	{ "timestamps (RFC 7323 3.2)", 12, { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 }, false, 0,
	  { .has_ts = 1, .tsval = 0x01020304, .tsecr = 0x05060708 } },
	{ "timestamps unaligned", 11, { 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 }, false, 0,
	  { .has_ts = 1, .tsval = 0x01020304, .tsecr = 0x05060708 } },
	{ "timestamps of wrong length 9", 9, { 8, 9, 1, 2, 3, 4, 5, 6, 7 }, false, 0, { 0 } },
	{ "timestamps cut off", 9, { 8, 10, 1, 2, 3, 4, 5, 6, 7 }, false, -1, { 0 } },
	{ "one SACK block", 12, { 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9 }, false, 0,
	  { .nsack = 1, .sack = { { 1, 9 } } } },
	{ "four SACK blocks", 34,
	  { 5, 34, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6,
	    0, 0, 0, 7, 0, 0, 0, 8 }, false, 0,
	  { .nsack = 4, .sack = { { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 } } } },
	{ "SACK without blocks", 2, { 5, 2 }, false, 0, { 0 } },
	{ "SACK of odd length", 11, { 5, 11, 0, 0, 0, 1, 0, 0, 0, 2, 0 }, false, 0, { 0 } },
	{ "SACK cut off", 9, { 5, 10, 0, 0, 0, 1, 0, 0, 0 }, false, -1, { 0 } },
	{ "end of list stops the walk", 8, { 0, 2, 4, 5, 2, 4, 5, 5 }, true, 0, { 0 } },
	{ "length 0", 4, { 2, 0, 5, 1 }, true, -1, { 0 } },
	{ "length 1", 4, { 2, 1, 5, 1 }, true, -1, { 0 } },
	{ "kind without length at the end", 1, { 2 }, true, -1, { 0 } },
	{ "unknown kind is skipped by its length", 8, { 77, 4, 9, 9, 2, 4, 5, 0xb4 }, true, 0,
	  { .mss = 1460 } },
	{ "unknown kind past the end", 4, { 77, 9, 9, 9 }, true, -1, { 0 } },
	{ "unknown kind of length 0", 4, { 77, 0, 9, 9 }, true, -1, { 0 } },
	{ "what came before the damage stands", 8, { 2, 4, 5, 0xb4, 8, 1, 0, 0 }, true, -1,
	  { .mss = 1460 } },
	{ "only NOPs", 4, { 1, 1, 1, 1 }, true, 0, { 0 } },
	{ "a whole Linux SYN", 20,
	  { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7 }, true, 0,
	  { .mss = 1460, .sack_ok = 1, .has_ts = 1, .tsval = 9, .has_wscale = 1, .wscale = 7 } },
};

static bool opts_eq(const struct xtcp_opts *a, const struct xtcp_opts *b)
{
	unsigned int i;

	if (a->has_ts != b->has_ts || a->has_wscale != b->has_wscale ||
	    a->sack_ok != b->sack_ok || a->mss != b->mss || a->nsack != b->nsack)
		return false;
	if (a->has_ts && (a->tsval != b->tsval || a->tsecr != b->tsecr))
		return false;
	if (a->has_wscale && min_t(u8, a->wscale, 14) != min_t(u8, b->wscale, 14))
		return false;
	for (i = 0; i < a->nsack; i++)
		if (a->sack[i].start != b->sack[i].start || a->sack[i].end != b->sack[i].end)
			return false;
	return true;
}

/* Parse from a heap block of exact size, so that ASan sees a byte too far. */
static int parse_exact(const u8 *b, unsigned int len, bool syn, struct xtcp_opts *o)
{
	u8 *copy = malloc(len ? len : 1);
	int ret;

	if (!copy)
		abort();
	memcpy(copy, b, len);
	memset(o, 0xff, sizeof(*o));
	ret = xtcp_opts_parse(copy, len, syn, o);
	free(copy);
	return ret;
}

static void random_opts(struct rnd *r, struct xtcp_opts *o)
{
	unsigned int i;

	memset(o, 0, sizeof(*o));
	if (rnd_below(r, 2))
		o->mss = 1 + rnd_below(r, 65535);
	o->has_wscale = rnd_below(r, 2);
	o->wscale = o->has_wscale ? rnd_below(r, 15) : 0;
	o->sack_ok = rnd_below(r, 2);
	o->has_ts = rnd_below(r, 2);
	o->tsval = o->has_ts ? rnd_u32(r) : 0;
	o->tsecr = o->has_ts ? rnd_u32(r) : 0;
	/* a SYN carries no SACK blocks: the others leave 40 - 20 bytes anyway */
	if (!o->mss && !o->has_wscale && !o->sack_ok)
		o->nsack = rnd_below(r, 5);
	for (i = 0; i < o->nsack; i++) {
		o->sack[i].start = rnd_u32(r);
		o->sack[i].end = o->sack[i].start + 1 + rnd_below(r, 100000);
	}
}

static void options_round_trip(struct rnd *r)
{
	unsigned int i, bad = 0, fit;

	for (i = 0; i < 20000; i++) {
		struct xtcp_opts o, back;
		u8 b[XTCP_MAX_OPT];
		unsigned int n;

		random_opts(r, &o);
		n = xtcp_opts_build(&o, b);
		fit = (XTCP_MAX_OPT - 4 - (o.has_ts ? 12 : 0)) / 8;
		o.nsack = min_t(u8, o.nsack, fit);
		bad += n > XTCP_MAX_OPT || n % 4 || parse_exact(b, n, !o.nsack, &back) ||
		       !opts_eq(&o, &back);
	}
	is(bad, 0, "20,000 random option sets survive encoding and decoding");
}

void test_options(void)
{
	struct rnd r = { 7 };
	struct xtcp_opts o;
	unsigned int i, len, bad = 0;
	u8 b[40];

	for (i = 0; i < ARRAY_SIZE(opt_rows); i++) {
		const struct opt_row *w = &opt_rows[i];
		int ret = parse_exact(w->b, w->len, w->syn, &o);

		is(ret, w->ret, "options: %s: return value", w->name);
		ok(opts_eq(&o, &w->want), "options: %s: meaning", w->name);
		/* every shorter prefix must be safe too, and never invent an option */
		for (len = 0; len < w->len; len++) {
			parse_exact(w->b, len, w->syn, &o);
			bad += o.nsack > XTCP_MAX_SACK;
		}
	}
	is(bad, 0, "every prefix of every row decodes within bounds");
	for (i = 0, bad = 0; i < 300000; i++) {
		len = i % 41;
		for (unsigned int j = 0; j < len; j++)
			b[j] = rnd_below(&r, 3) ? rnd_below(&r, 12) : rnd_u32(&r);
		parse_exact(b, len, rnd_below(&r, 2), &o);
		bad += o.nsack > XTCP_MAX_SACK || (o.has_wscale && o.wscale > XTCP_MAX_WSCALE);
	}
	is(bad, 0, "300,000 random option lists of every length 0..40 decode within bounds");
	options_round_trip(&r);
}

/* The vector of the SipHash paper, appendix A: our user-space copy is the real one. */
static void siphash_vector(void)
{
	siphash_key_t k = { { 0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL } };
	u64 aligned[2];
	u8 *m = (u8 *)aligned;
	unsigned int i;

	for (i = 0; i < 15; i++)
		m[i] = i;
	ok(siphash(m, 15, &k) == 0xa129ca6149be45e5ULL, "SipHash-2-4 gives the paper's value");
}

/* RFC 6528: per-tuple offset, shared clock; SEEDS 4-30, 4-33, D-12 */
void test_isn(void)
{
	struct xtcp_key k, k2;
	u8 a[16] = { 10, 0, 0, 1 }, b[16] = { 10, 0, 0, 2 };
	u32 x, y, hist[16] = { 0 };
	unsigned int i, spread = 0;

	siphash_vector();
	memset(&k, 0x11, sizeof(k));
	memset(&k2, 0x22, sizeof(k2));
	x = xtcp_isn(&k, a, b, 4, 1, 2, 1000000);
	is(xtcp_isn(&k, a, b, 4, 1, 2, 1000000), x, "ISN: same tuple and time, same number");
	y = xtcp_isn(&k, a, b, 4, 1, 2, 1000000 + 64000);
	is(y - x, 1000, "ISN: one step per 64 ns (SEEDS D-12)");
	x = xtcp_isn(&k, a, b, 4, 1, 2, 0);
	y = xtcp_isn(&k, a, b, 4, 1, 2, 64ULL << 32);
	is(y, x, "ISN: the clock wraps after 274.9 s");
	ok(xtcp_isn(&k, a, b, 4, 1, 3, 0) != x, "ISN: the port counts");
	ok(xtcp_isn(&k, b, a, 4, 1, 2, 0) != x, "ISN: the addresses count");
	ok(xtcp_isn(&k2, a, b, 4, 1, 2, 0) != x, "ISN: the key counts");
	a[15] = 1;
	y = xtcp_isn(&k, a, b, 16, 1, 2, 0);
	a[15] = 2;
	ok(xtcp_isn(&k, a, b, 16, 1, 2, 0) != y, "ISN: all 16 bytes of an IPv6 address count");
	is(xtcp_isn(&k, a, b, 4, 1, 2, 0), x, "ISN: only 4 bytes of an IPv4 address count");
	/* chi-square of 16 bins over 16,000 ports: 15 degrees of freedom, p = 0.001 is 37.7 */
	for (i = 0; i < 16000; i++)
		hist[xtcp_isn(&k, a, b, 4, i, 80, 0) >> 28]++;
	for (i = 0; i < 16; i++)
		spread += ((int)hist[i] - 1000) * ((int)hist[i] - 1000);
	ok(spread < 37700, "ISN: 16,000 ports spread evenly (chi-square %u.%03u)",
	   spread / 1000, spread % 1000);
	ok(xtcp_ts_off(&k, a, b, 4) == xtcp_ts_off(&k, a, b, 4) &&
	   xtcp_ts_off(&k, a, b, 4) != xtcp_ts_off(&k, b, a, 4) &&
	   xtcp_ts_off(&k, a, b, 4) != xtcp_ts_off(&k2, a, b, 4),
	   "timestamp offset depends on addresses and key, not on the port (RFC 7323 7.1)");
}
