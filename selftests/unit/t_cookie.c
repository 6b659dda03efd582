// SPDX-License-Identifier: GPL-2.0
/* SYN cookies: vectors, every MSS and option, every age, forgeries, keys. */
#include "unit.h"

#include "../../src/core/cookie.h"

#define NOW_S	1600000000ULL	/* a multiple of 64 */
#define ISN	0xfffffff0u

static const u8 l4[4] = { 192, 0, 2, 1 }, f4[4] = { 198, 51, 100, 7 };
static const u8 l6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
static const u8 f6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 7 };
static const struct xtcp_cookie_id id4 = { l4, f4, 4, 80, 40000 };
static const struct xtcp_cookie_id id6 = { l6, f6, 16, 80, 40000 };

static struct xtcp_params par;

static void keys(struct xtcp_cookie_keys *k, const char *text)
{
	is(xtcp_cookie_keys_parse(text, k), 0, "cookie: key %s is well formed", text);
}

/* What the client's SYN said. */
static struct xtcp_seg syn_seg(u16 mss, bool ts, int wscale, bool sack)
{
	struct xtcp_seg g = { .seq = ISN, .flags = XTCP_SYN, .wnd = 65535 };

	g.opt.mss = mss;
	g.opt.has_ts = ts;
	g.opt.tsval = 1000;
	g.opt.has_wscale = wscale >= 0;
	g.opt.wscale = wscale < 0 ? 0 : wscale;
	g.opt.sack_ok = sack;
	return g;
}

/* A SYN is answered at @real_s: the SYN-ACK as the client gets it, and the ACK it sends. */
static struct xtcp_seg handshake(const struct xtcp_cookie_keys *k,
				 const struct xtcp_cookie_id *id, const struct xtcp_seg *syn,
				 u64 real_s, u64 now_us, struct xtcp_rq *rq)
{
	struct xtcp_seg ack = { .seq = syn->seq + 1, .flags = XTCP_ACK, .wnd = 500 };
	struct xtcp_reply r;
	struct xtcp_opts o;

	xtcp_rq_init(rq, &par, syn, id->alen == 16, 0, 0x1000, 65535, 9, now_us);
	xtcp_cookie_make(k, id, rq, real_s);
	xtcp_rq_synack(rq, 1460, now_us, &r);
	xtcp_opts_parse(r.opt, r.optlen, true, &o);
	is(o.has_ts, syn->opt.has_ts, "cookie: timestamp offered if asked for");
	is(o.has_wscale, syn->opt.has_ts && syn->opt.has_wscale,
	   "cookie: window scale with timestamps only (SEEDS 4-60)");
	is(o.sack_ok, syn->opt.has_ts && syn->opt.sack_ok,
	   "cookie: SACK with timestamps only (SEEDS 4-60)");
	if (o.has_ts) {
		u32 clock = now_us / 1000 + 0x1000;

		ok((s32)(clock - o.tsval) >= 0 && clock - o.tsval < 64 + 64,
		   "cookie: TSval at most 127 ms before the clock, never after");
	}
	ack.ack = r.seq + 1;
	ack.opt.has_ts = o.has_ts;
	ack.opt.tsecr = o.tsval;
	ack.opt.tsval = 1001;
	return ack;
}

static void cookie_vectors_fixed(void)
{
	struct xtcp_cookie_keys k;
	struct xtcp_seg syn = syn_seg(1460, false, -1, false);
	struct xtcp_rq rq;

	keys(&k, "000102030405060708090a0b0c0d0e0f");
	ok(k.key[0].key[0] == 0x0706050403020100ULL && k.key[0].key[1] == 0x0f0e0d0c0b0a0908ULL,
	   "cookie: a key's bytes are SipHash's");
	handshake(&k, &id4, &syn, NOW_S, SEC, &rq);
	is(rq.iss >> 29, NOW_S / 64 & 7, "cookie: tick in the top bits");
	is(rq.iss >> 26 & 7, 6, "cookie: 1460 is number 6");
	/* an independent SipHash-2-4 of the 24 bytes that cookie.h describes */
	is(rq.iss, 0x1a202685u, "cookie: IPv4 vector");
	handshake(&k, &id6, &syn, NOW_S, SEC, &rq);
	is(rq.iss, 0x1aae61c2u, "cookie: IPv6 vector");
}

static void cookie_mss(void)
{
	static const struct { u16 in, out; } rows[] = {
		{ 1, 48 }, { 48, 48 }, { 535, 48 }, { 536, 536 }, { 1219, 536 }, { 1220, 1220 },
		{ 1300, 1300 }, { 1400, 1400 }, { 1439, 1400 }, { 1440, 1440 }, { 1452, 1440 },
		{ 1460, 1460 }, { 8959, 1460 }, { 8960, 8960 }, { 65535, 8960 },
	};
	struct xtcp_cookie_syn back;
	struct xtcp_cookie_keys k;
	struct xtcp_rq rq;
	unsigned int i;

	keys(&k, "000102030405060708090a0b0c0d0e0f");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct xtcp_seg syn = syn_seg(rows[i].in, false, -1, false);
		struct xtcp_seg ack = handshake(&k, &id4, &syn, NOW_S, SEC, &rq);

		is(xtcp_cookie_check(&k, &id4, &ack, 9, NOW_S, &back), XTCP_COOKIE_OK,
		   "cookie: MSS %u comes back", rows[i].in);
		is(back.mss, rows[i].out, "cookie: MSS %u as %u", rows[i].in, rows[i].out);
		is(back.has_ts | back.has_wscale | back.sack_ok, 0, "cookie: and nothing else");
	}
}

static void cookie_options(void)
{
	struct xtcp_cookie_syn back;
	struct xtcp_cookie_keys k;
	struct xtcp_rq rq, made;
	int ws, sack, ms;

	keys(&k, "000102030405060708090a0b0c0d0e0f");
	for (ws = -1; ws <= 14; ws++)
		for (sack = 0; sack < 2; sack++) {
			struct xtcp_seg syn = syn_seg(1460, true, ws, sack), ack;

			ms = (ws * 7 + sack * 3) & 63;
			ack = handshake(&k, &id6, &syn, NOW_S, SEC + ms * MS, &rq);
			is(xtcp_cookie_check(&k, &id6, &ack, 9, NOW_S, &back), XTCP_COOKIE_OK,
			   "cookie: wscale %d, SACK %d come back", ws, sack);
			is(back.has_wscale, ws >= 0, "cookie: wscale %d: whether", ws);
			is(back.wscale, ws < 0 ? 0 : ws, "cookie: wscale %d: how much", ws);
			is(back.sack_ok, sack, "cookie: SACK %d", sack);
			xtcp_cookie_rq(&made, &par, &ack, &back, true, 0x1000, 65535, 9,
				       2 * SEC);
			is(made.iss, rq.iss, "cookie: the request again: ISS");
			is(made.rcv_nxt, rq.rcv_nxt, "cookie: IRS");
			is(made.mss_peer, rq.mss_peer, "cookie: MSS");
			is(made.snd_wscale, rq.snd_wscale, "cookie: peer's window scale");
			is(made.rcv_wscale, rq.rcv_wscale, "cookie: our window scale");
			is(made.sack_ok, rq.sack_ok, "cookie: SACK");
			is(made.ts_ok, 1, "cookie: timestamps");
			is(made.ts_recent, 1001, "cookie: TS.Recent is the ACK's");
		}
}

/* What was negotiated holds even if the knobs have been turned off meanwhile. */
static void cookie_knobs_off(void)
{
	struct xtcp_seg syn = syn_seg(1460, true, 7, true), ack;
	struct xtcp_params off;
	struct xtcp_cookie_syn back;
	struct xtcp_cookie_keys k;
	struct xtcp_rq rq, made;

	keys(&k, "000102030405060708090a0b0c0d0e0f");
	ack = handshake(&k, &id4, &syn, NOW_S, SEC, &rq);
	is(xtcp_cookie_check(&k, &id4, &ack, 9, NOW_S, &back), XTCP_COOKIE_OK, "cookie: good");
	off = par;
	off.tcp_sack = 0;
	off.tcp_window_scaling = 0;
	off.tcp_timestamps = 0;
	xtcp_cookie_rq(&made, &off, &ack, &back, false, 5, 65535, 9, 2 * SEC);
	ok(made.sack_ok && made.wscale_ok && made.ts_ok && made.snd_wscale == 7 &&
	   made.rcv_wscale == 9 && made.ts_off == 5, "cookie: what was negotiated holds");
}

static void cookie_age(void)
{
	struct xtcp_seg syn = syn_seg(1460, true, 7, true), ack;
	struct xtcp_cookie_syn back;
	struct xtcp_cookie_keys k;
	struct xtcp_rq rq;
	int age;

	keys(&k, "000102030405060708090a0b0c0d0e0f");
	ack = handshake(&k, &id4, &syn, NOW_S, SEC, &rq);
	for (age = -9; age <= 20; age++) {
		enum xtcp_cookie_act want = age >= -1 && age <= 1 ? XTCP_COOKIE_OK :
					    age > 1 && age <= 6 ? XTCP_COOKIE_OLD :
								  XTCP_COOKIE_BAD;

		is(xtcp_cookie_check(&k, &id4, &ack, 9, NOW_S + age * 64, &back), want,
		   "cookie: %d ticks old", age);
	}
	is(xtcp_cookie_check(&k, &id4, &ack, 9, NOW_S + 127, &back), XTCP_COOKIE_OK,
	   "cookie: good for 127 s after a tick's begin");
	is(xtcp_cookie_check(&k, &id4, &ack, 9, NOW_S + 128, &back), XTCP_COOKIE_OLD,
	   "cookie: old after 128 s");
}

static void cookie_forged(void)
{
	struct xtcp_seg syn = syn_seg(1460, true, 7, true), ack, g;
	struct xtcp_cookie_syn back;
	struct xtcp_cookie_keys k;
	struct xtcp_cookie_id id;
	struct rnd r = { 1 };
	struct xtcp_rq rq;
	u8 addr[4];
	u32 i, hits = 0;

	keys(&k, "000102030405060708090a0b0c0d0e0f");
	ack = handshake(&k, &id4, &syn, NOW_S, SEC, &rq);
#define BAD(ident, seg, ws, what) \
	is(xtcp_cookie_check(&k, ident, seg, ws, NOW_S, &back), XTCP_COOKIE_BAD, "cookie: " what)
	for (i = 0; i < 29; i++) {
		g = ack;
		g.ack = ((ack.ack - 1) ^ 1u << i) + 1;
		BAD(&id4, &g, 9, "a bit of it flipped");
	}
	for (i = 0; i < 32; i++) {
		g = ack;
		g.seq ^= 1u << i;
		BAD(&id4, &g, 9, "another client ISN");
	}
	for (i = 0; i < 6; i++) {
		g = ack;
		g.opt.tsecr ^= 1u << i;
		BAD(&id4, &g, 9, "an option bit flipped");
	}
	g = ack;
	g.opt.tsecr ^= 1u << 6;
	is(xtcp_cookie_check(&k, &id4, &g, 9, NOW_S, &back), XTCP_COOKIE_OK,
	   "cookie: the clock above the option bits is the peer's own affair");
	g = ack;
	g.opt.has_ts = 0;
	BAD(&id4, &g, 9, "timestamps left out");
	BAD(&id4, &ack, 8, "our window scale has changed");
	id = id4;
	id.fport++;
	BAD(&id, &ack, 9, "another port");
	id = id4;
	id.lport++;
	BAD(&id, &ack, 9, "another port of ours");
	for (i = 0; i < 4; i++) {
		memcpy(addr, f4, 4);
		addr[i] ^= 1;
		id = id4;
		id.faddr = addr;
		BAD(&id, &ack, 9, "another address");
	}
	id = id4;
	id.laddr = f4;
	id.faddr = l4;
	BAD(&id, &ack, 9, "addresses swapped");
	for (i = 0; i < 1000000; i++) {
		g = ack;
		g.ack = rnd_u32(&r);
		hits += xtcp_cookie_check(&k, &id4, &g, 9, NOW_S, &back) == XTCP_COOKIE_OK;
	}
	is(hits, 0, "cookie: a million guesses");
}

static void cookie_keys(void)
{
	static const char *const bad[] = {
		"", "0", "g00102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0",
		"000102030405060708090a0b0c0d0e0f0", "000102030405060708090a0b0c0d0e0f,",
		"0-00102030405060708090a0b0c0d0e0f", "-000102030405060708090a0b0c0d0e0f",
		"000102030405060708090a0b0c0d0e0f-", ",000102030405060708090a0b0c0d0e0f",
		"000102030405060708090a0b0c0d0e0f 000102030405060708090a0b0c0d0e0f",
		"000102030405060708090a0b0c0d0e0f,000102030405060708090a0b0c0d0e0f,",
	};
	struct xtcp_seg syn = syn_seg(1460, false, -1, false), ack;
	struct xtcp_cookie_keys a, b, ba;
	struct xtcp_cookie_syn back;
	struct xtcp_rq rq;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		is(xtcp_cookie_keys_parse(bad[i], &a), -EINVAL, "cookie: '%s' is no key", bad[i]);
	keys(&a, "00010203-04050607-08090A0B-0C0D0E0F");
	keys(&b, "ffeeddccbbaa99887766554433221100");
	keys(&ba, "ffeeddccbbaa99887766554433221100,000102030405060708090a0b0c0d0e0f");
	is(ba.n, 2, "cookie: two keys");
	ack = handshake(&a, &id4, &syn, NOW_S, SEC, &rq);
	is(xtcp_cookie_check(&a, &id4, &ack, 9, NOW_S, &back), XTCP_COOKIE_OK,
	   "cookie: under its own key");
	is(xtcp_cookie_check(&b, &id4, &ack, 9, NOW_S, &back), XTCP_COOKIE_BAD,
	   "cookie: under another");
	is(xtcp_cookie_check(&ba, &id4, &ack, 9, NOW_S, &back), XTCP_COOKIE_OK,
	   "cookie: under the previous one");
	ack = handshake(&ba, &id4, &syn, NOW_S, SEC, &rq);
	is(xtcp_cookie_check(&b, &id4, &ack, 9, NOW_S, &back), XTCP_COOKIE_OK,
	   "cookie: made with the current one");
}

static void cookie_fleet_clock(void)
{
	u64 now_us = 5000 * SEC;
	u32 off = 0x80000000u, clock = off + 5000000, echo, i;

	is(xtcp_cookie_ts_off(off, clock - 130, now_us), off, "cookie: our own clock goes on");
	is(xtcp_cookie_ts_off(off, clock, now_us), off, "cookie: our own clock, at once");
	/* anywhere on the circle but in the last 192 s before our clock */
	for (i = 0; i < 1000; i++) {
		echo = clock + 1 + i * 4294000;
		is(5000000 + xtcp_cookie_ts_off(off, echo, now_us), echo + 3001,
		   "cookie: another host's clock goes on");
	}
	is(xtcp_cookie_ts_off(off, clock + 1, now_us) + 5000000, clock + 3002,
	   "cookie: a clock ahead of ours is another host's");
}

/* A connection from a cookie that was sent 250 ms ago by a host @skew_ms ahead of us. */
static void cookie_rtt(struct u *u, u32 skew_ms)
{
	struct xtcp_cookie_syn syn = { .mss = 1460, .has_ts = 1, .sack_ok = 1 };
	u32 off = 12345, echo;
	struct xtcp_seg g;
	struct xtcp_rq rq;

	u_init(u);
	u->p.tcp_timestamps = 1;
	echo = ((u32)(u->now / MS) - 250 + off + skew_ms) & ~63u;
	g = u_mk(u, XTCP_ACK, IRS + 1, ISS + 1, 0);
	g.opt.has_ts = 1;
	g.opt.tsval = 77;
	g.opt.tsecr = echo;
	xtcp_cookie_rq(&rq, &u->p, &g, &syn, false, xtcp_cookie_ts_off(off, echo, u->now), 60000, 0,
		       u->now);
	u_prep(u);
	xtcp_open_child(&u->t, &rq, u->now, &u->v);
	u_step(u);
	u_rx(u, &g);
	is(u->t.state, XTCP_ESTABLISHED, "cookie: connected");
}

static void cookie_measures(void)
{
	struct u u;

	cookie_rtt(&u, 0);
	ok(u.t.srtt_us >> 3 >= 250 * MS && u.t.srtt_us >> 3 < 320 * MS,
	   "cookie: our own echo is a sample of the round trip");
	u_free(&u);
	cookie_rtt(&u, 200000000);
	is(u.t.srtt_us, 0, "cookie: another host's is none");
	is(u.t.rto_us, 3 * SEC, "cookie: ... and the timeout is that of RFC 6298 5.7");
	u_free(&u);
}

static void cookie_mark(void)
{
	siphash_key_t k = { { 1, 2 } };
	u64 m = xtcp_cookie_mark(&k, &id4, ISN);
	struct xtcp_cookie_id id = id4;

	ok(m == xtcp_cookie_mark(&k, &id4, ISN), "cookie: a handshake has one mark");
	ok(m != xtcp_cookie_mark(&k, &id4, ISN + 1), "cookie: another SYN has another");
	id.fport++;
	ok(m != xtcp_cookie_mark(&k, &id, ISN), "cookie: another client has another");
}

/* The connection made from a cookie goes on where the SYN-ACK left it. */
static void cookie_child(void)
{
	struct xtcp_seg syn = syn_seg(1400, true, 7, true), ack;
	struct xtcp_cookie_syn back;
	struct xtcp_cookie_keys k;
	struct xtcp_rq rq, made;
	const char *why = "";
	struct u u;

	keys(&k, "000102030405060708090a0b0c0d0e0f");
	u_init(&u);
	u.now = 10 * SEC;
	ack = handshake(&k, &id4, &syn, NOW_S, u.now - 200 * MS, &rq);
	is(xtcp_cookie_check(&k, &id4, &ack, 9, NOW_S, &back), XTCP_COOKIE_OK, "cookie: good");
	xtcp_cookie_rq(&made, &u.p, &ack, &back, false, 0x1000, 65535, 9, u.now);
	u_prep(&u);
	xtcp_open_child(&u.t, &made, u.now, &u.v);
	u_step(&u);
	ack.len = 10;
	u_rx(&u, &ack);
	is(u.t.state, XTCP_ESTABLISHED, "cookie: established");
	is(u.t.s.rcv_nxt, ISN + 11, "cookie: data on the third segment");
	is(u.t.snd_wnd, 500 << 7, "cookie: window scaled");
	ok(u.t.srtt_us >> 3 >= 200 * MS && u.t.srtt_us >> 3 < 330 * MS,
	   "cookie: round trip measured by the timestamp: %u us", u.t.srtt_us >> 3);
	is(u.t.cwnd, 10, "cookie: initial window");
	ok(xtcp_tcb_check(&u.t, &why), "cookie: invariants %s", why);
	u_free(&u);
}

/* An echo of long ago is another host's clock, not a round trip. */
static void cookie_other_clock(void)
{
	struct xtcp_seg syn = syn_seg(1400, true, 7, true), ack;
	struct xtcp_cookie_syn back;
	struct xtcp_cookie_keys k;
	struct xtcp_rq rq, made;
	struct u u;

	keys(&k, "000102030405060708090a0b0c0d0e0f");
	u_init(&u);
	u.now = 100 * SEC;
	ack = handshake(&k, &id4, &syn, NOW_S, u.now - 40 * SEC, &rq);
	is(xtcp_cookie_check(&k, &id4, &ack, 9, NOW_S, &back), XTCP_COOKIE_OK, "cookie: good");
	xtcp_cookie_rq(&made, &u.p, &ack, &back, false, 0x1000, 65535, 9, u.now);
	u_prep(&u);
	xtcp_open_child(&u.t, &made, u.now, &u.v);
	u_step(&u);
	u_rx(&u, &ack);
	is(u.t.state, XTCP_ESTABLISHED, "cookie: established");
	is(u.t.srtt_us, 0, "cookie: 40 s are no round trip");
	is(u.t.rto_us, 3 * SEC, "cookie: RFC 6298 5.7");
	u_free(&u);
}

void test_cookie(void)
{
	params_default(&par);
	cookie_other_clock();
	cookie_vectors_fixed();
	cookie_mss();
	cookie_options();
	cookie_knobs_off();
	cookie_age();
	cookie_forged();
	cookie_keys();
	cookie_fleet_clock();
	cookie_measures();
	cookie_mark();
	cookie_child();
}
