// SPDX-License-Identifier: GPL-2.0
/* SYN cookies: making and checking them. The layout is drawn in cookie.h. */
#include "internal.h"
#include "cookie.h"

#define SUM_BITS	26
#define SUM_MASK	((1U << SUM_BITS) - 1)
#define MSS_BITS	3
#define TICK_SHIFT	(SUM_BITS + MSS_BITS)
#define TICK_MASK	(~0U >> TICK_SHIFT)
/* A host of the fleet whose clock is ahead may be one tick ahead. */
#define TICK_AHEAD	TICK_MASK

#define COOKIE_RTT_MAX_US	(3 * USEC_S)	/* RFC 6298 5.7 */
#define TS_WSCALE	0x0f		/* 15: the SYN offered none */
#define TS_SACK		0x10
#define TS_ECN		0x20
#define COOKIE_TS_MASK	((1U << XTCP_COOKIE_TS_BITS) - 1)

/* In the hash only: there was a timestamp; our own window scale is above it. */
#define EXT_TS		0x40
#define EXT_WSCALE_SHIFT 8

/*
 * An MSS is rounded down, so that no client gets more than it asked for; the
 * least is the least that tcp_min_snd_mss allows. 536 and 1220 are what a SYN
 * without the option means, 1440 and 1460 are Ethernet, 1300 and 1400 tunnels,
 * 8960 jumbo frames.
 */
static const u16 mss_table[1 << MSS_BITS] = { 48, 536, 1220, 1300, 1400, 1440, 1460, 8960 };

static u8 *put16(u8 *p, u16 x)
{
	p[0] = x >> 8;
	p[1] = x;
	return p + 2;
}

/* Bytes, not words: hosts of either byte order make the same cookie. */
static u64 cookie_hash(const siphash_key_t *k, const struct xtcp_cookie_id *id, u32 isn,
		       u32 tick, u8 idx, u16 ext)
{
	u8 in[48], *p = in;

	memcpy(p, id->laddr, id->alen);
	p += id->alen;
	memcpy(p, id->faddr, id->alen);
	p += id->alen;
	p = put16(put16(p, id->lport), id->fport);
	p = xtcp_put32(xtcp_put32(p, isn), tick);
	*p++ = idx;
	*p++ = id->alen;
	p = put16(p, ext);
	return siphash(in, p - in, k);
}

static u8 mss_index(u16 mss)
{
	u8 i = ARRAY_SIZE(mss_table) - 1;

	while (i && mss < mss_table[i])
		i--;
	return i;
}

static u8 ts_bits(const struct xtcp_rq *rq)
{
	return (rq->wscale_ok ? rq->snd_wscale : TS_WSCALE) | (rq->sack_ok ? TS_SACK : 0) |
	       (rq->ecn_ok ? TS_ECN : 0);
}

/* What the hash covers beside the tuple. @bits: of TSval. */
static u16 hash_ext(bool has_ts, u8 bits, u8 rcv_wscale)
{
	u16 ext;

	if (!has_ts)
		return 0;
	ext = EXT_TS | bits;
	if ((bits & TS_WSCALE) != TS_WSCALE)
		ext |= (u16)(rcv_wscale << EXT_WSCALE_SHIFT);
	return ext;
}

/**
 * xtcp_cookie_make - turn a half-open request into one that need not be kept
 * @k: keys
 * @id: whose it is
 * @rq: as xtcp_rq_init() left it; what a cookie cannot carry is taken away, the
 *	ISN becomes the cookie
 * @real_s: wall clock, seconds
 */
void xtcp_cookie_make(const struct xtcp_cookie_keys *k, const struct xtcp_cookie_id *id,
		      struct xtcp_rq *rq, u64 real_s)
{
	u32 tick = xtcp_cookie_tick(real_s), hash;
	u8 idx = mss_index(rq->mss_peer);

	if (!rq->ts_ok) {
		rq->sack_ok = 0;
		rq->ecn_ok = 0;
		rq->wscale_ok = 0;
		rq->snd_wscale = 0;
		rq->rcv_wscale = 0;
	}
	rq->mss_peer = mss_table[idx];
	rq->cookie = 1;
	hash = (u32)cookie_hash(&k->key[0], id, rq->rcv_nxt - 1, tick, idx,
				hash_ext(rq->ts_ok, ts_bits(rq), rq->rcv_wscale));
	rq->iss = tick << TICK_SHIFT | (u32)idx << SUM_BITS | (hash & SUM_MASK);
}

/**
 * xtcp_cookie_tsval - the option bits into the timestamp of a SYN-ACK
 * @rq: request with timestamps
 * @tsval: what the clock says
 *
 * Never later than the clock: the next segment's timestamp must not be older.
 *
 * Return: TSval to send.
 */
u32 xtcp_cookie_tsval(const struct xtcp_rq *rq, u32 tsval)
{
	u32 ts = (tsval & ~COOKIE_TS_MASK) | ts_bits(rq);

	return seq_gt(ts, tsval) ? ts - COOKIE_TS_MASK - 1 : ts;
}

/* Is it what we would have sent at @tick, under one of the keys? */
static bool cookie_ours(const struct xtcp_cookie_keys *k, const struct xtcp_cookie_id *id,
			const struct xtcp_seg *g, u32 tick, u16 ext)
{
	u32 cookie = g->ack - 1;
	u8 idx = cookie >> SUM_BITS & (ARRAY_SIZE(mss_table) - 1), i;

	for (i = 0; i < k->n; i++) {
		u32 hash = (u32)cookie_hash(&k->key[i], id, g->seq - 1, tick, idx, ext);

		if ((hash & SUM_MASK) == (cookie & SUM_MASK))
			return true;
	}
	return false;
}

/**
 * xtcp_cookie_check - does an ACK bring back a cookie of ours?
 * @k: keys
 * @id: whose it would be
 * @g: segment with ACK and without SYN and RST
 * @rcv_wscale: window scale we would announce now
 * @real_s: wall clock, seconds
 * @syn: what the SYN said, for XTCP_COOKIE_OK
 *
 * Return: what it is.
 */
enum xtcp_cookie_act xtcp_cookie_check(const struct xtcp_cookie_keys *k,
				       const struct xtcp_cookie_id *id,
				       const struct xtcp_seg *g, u8 rcv_wscale, u64 real_s,
				       struct xtcp_cookie_syn *syn)
{
	u32 cookie = g->ack - 1, now = xtcp_cookie_tick(real_s);
	u32 age = (now - (cookie >> TICK_SHIFT)) & TICK_MASK;
	u8 bits = g->opt.tsecr & COOKIE_TS_MASK;
	u32 tick = age == TICK_AHEAD ? now + 1 : now - age;

	if (!cookie_ours(k, id, g, tick, hash_ext(g->opt.has_ts, bits, rcv_wscale)))
		return XTCP_COOKIE_BAD;
	if (age >= XTCP_COOKIE_TICKS && age != TICK_AHEAD)
		return XTCP_COOKIE_OLD;
	memset(syn, 0, sizeof(*syn));
	syn->mss = mss_table[cookie >> SUM_BITS & (ARRAY_SIZE(mss_table) - 1)];
	if (!g->opt.has_ts)
		return XTCP_COOKIE_OK;
	syn->has_ts = 1;
	syn->sack_ok = !!(bits & TS_SACK);
	syn->ecn_ok = !!(bits & TS_ECN);
	syn->has_wscale = (bits & TS_WSCALE) != TS_WSCALE;
	if (syn->has_wscale)
		syn->wscale = bits & TS_WSCALE;
	return XTCP_COOKIE_OK;
}

/**
 * xtcp_cookie_ts_off - timestamp offset of a connection made from a cookie
 * @off: what this host uses towards the peer
 * @tsecr: TSval of the SYN-ACK, echoed
 * @now_us: now
 *
 * If the SYN-ACK can have been ours, our clock goes on. If another host of the
 * fleet sent it, with another clock and offset, its clock goes on here, a little
 * later than it was: the peer's PAWS check must not see time go back.
 *
 * Return: milliseconds to add.
 */
u32 xtcp_cookie_ts_off(u32 off, u32 tsecr, u64 now_us)
{
	u32 age_ms = xtcp_ts_now(off, now_us) - tsecr;

	if (age_ms <= (XTCP_COOKIE_TICKS + 1) * XTCP_COOKIE_TICK_S * 1000)
		return off;
	/* that makes the echo too old for xtcp_cookie_rq(): nothing is to be measured by it */
	return tsecr + (u32)(COOKIE_RTT_MAX_US / USEC_MS) + 1 - xtcp_ts_now(0, now_us);
}

/**
 * xtcp_cookie_rq - the half-open request that a good cookie stands for
 * @rq: request, filled
 * @p: knobs
 * @g: the third segment
 * @syn: from xtcp_cookie_check()
 * @v6: IPv6 flow
 * @ts_off: timestamp offset, see xtcp_cookie_ts_off()
 * @rcv_wnd: initial window the SYN-ACK offered, bytes
 * @rcv_wscale: window scale it offered
 * @now_us: now
 *
 * What was negotiated holds, whatever the knobs have become since.
 */
void xtcp_cookie_rq(struct xtcp_rq *rq, const struct xtcp_params *p, const struct xtcp_seg *g,
		    const struct xtcp_cookie_syn *syn, bool v6, u32 ts_off, u32 rcv_wnd,
		    u8 rcv_wscale, u64 now_us)
{
	struct xtcp_seg s = {
		.seq = g->seq - 1, .flags = XTCP_SYN, .wnd = g->wnd, .opt.mss = syn->mss,
	};

	xtcp_rq_init(rq, p, &s, v6, g->ack - 1, ts_off, rcv_wnd, rcv_wscale, now_us);
	rq->cookie = 1;
	rq->sack_ok = syn->sack_ok;
	rq->ecn_ok = syn->ecn_ok;
	rq->wscale_ok = syn->has_wscale;
	if (rq->wscale_ok) {
		rq->snd_wscale = min_t(u8, syn->wscale, XTCP_MAX_WSCALE);
		rq->rcv_wscale = min_t(u8, rcv_wscale, XTCP_MAX_WSCALE);
	}
	rq->ts_ok = syn->has_ts;
	if (rq->ts_ok) {
		u64 age_us = (xtcp_ts_now(ts_off, now_us) - g->opt.tsecr) * USEC_MS;

		/*
		 * Up to 63 ms too long: TSval was rounded down for the option bits. Beyond
		 * the timeout that holds without a measurement it is none: the clock may
		 * be another host's, a little behind ours.
		 */
		if (age_us < now_us && age_us <= COOKIE_RTT_MAX_US)
			rq->synack_us = (u32)(now_us - age_us);
		rq->ts_off = ts_off;
		rq->ts_recent = g->opt.tsval;
	}
}

/**
 * xtcp_cookie_mark - what identifies a handshake, whichever cookie completed it
 * @k: a secret of this host; xtcp_ts_off(), for which there are no ports, may have the same
 * @id: whose it is
 * @isn: the client's ISN
 *
 * Return: 64 bits, to recognize a second use by.
 */
u64 xtcp_cookie_mark(const siphash_key_t *k, const struct xtcp_cookie_id *id, u32 isn)
{
	return xtcp_tuple_hash(k, id->laddr, id->faddr, id->alen,
			       (u64)isn << 32 | (u32)id->lport << 16 | id->fport);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 hex digits, dashes between pairs of them; NULL if that is not what stands there. */
static const char *key_parse(const char *s, siphash_key_t *k)
{
	u8 byte[16];
	int i, hi, lo;

	for (i = 0; i < 16; i++) {
		if (i && *s == '-')
			s++;
		hi = hex_digit(*s);
		lo = hi < 0 ? -1 : hex_digit(s[1]);
		if (lo < 0)
			return NULL;
		byte[i] = hi << 4 | lo;
		s += 2;
	}
	for (i = 0; i < 2; i++) {
		int j;

		k->key[i] = 0;
		for (j = 7; j >= 0; j--)
			k->key[i] = k->key[i] << 8 | byte[8 * i + j];
	}
	return s;
}

/**
 * xtcp_cookie_keys_parse - "current" or "current,previous" in hexadecimal
 * @s: text
 * @k: result; n says how many keys there were
 *
 * A key is 16 bytes, 32 digits, as SipHash's authors write it.
 *
 * Return: 0, or -EINVAL.
 */
int xtcp_cookie_keys_parse(const char *s, struct xtcp_cookie_keys *k)
{
	memset(k, 0, sizeof(*k));
	s = key_parse(s, &k->key[0]);
	if (!s)
		return -EINVAL;
	k->n = 1;
	if (*s != ',')
		return *s ? -EINVAL : 0;
	s = key_parse(s + 1, &k->key[1]);
	if (!s || *s)
		return -EINVAL;
	k->n = 2;
	return 0;
}
