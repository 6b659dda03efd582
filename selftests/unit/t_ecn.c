// SPDX-License-Identifier: GPL-2.0
/* ECN (RFC 3168): negotiation, echo, one reduction a window; what an echo meets in recovery. */
#include "unit.h"
#include "../../src/core/internal.h"
#include "../../src/core/cookie.h"

#define ECN	(XTCP_ECE | XTCP_CWR)
#define RTT	(40 * MS)

static u32 at(u32 segment)
{
	return ISS + 1 + segment * MSS;
}

/* ---- who agrees to what */

static void passive(int knob, u8 flags, u8 ecn, u8 res, bool route, bool want)
{
	struct xtcp_params p;
	struct xtcp_reply r;
	struct xtcp_rq rq;
	struct xtcp_seg g = { .seq = IRS, .flags = XTCP_SYN | flags, .ecn = ecn, .res = res };

	params_default(&p);
	p.tcp_ecn = knob;
	xtcp_rq_init(&rq, &p, &g, false, ISS, 0, 65535, 0, SEC);
	if (route)
		xtcp_rq_ecn_route(&rq, &g);
	xtcp_rq_synack(&rq, MSS, SEC, &r);
	is(rq.ecn_ok, want, "ecn: tcp_ecn %d, SYN with flags %x, field %u, reserved %x, route %d",
	   knob, flags, ecn, res, route);
	is(r.flags, XTCP_SYN | XTCP_ACK | (want ? XTCP_ECE : 0), "... SYN-ACK");
}

static void active(int knob, bool route, u8 answer, bool asks, bool want)
{
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	u.p.tcp_ecn = knob;
	u.t.ecn_route = route;
	u_open(&u);
	is(u.out[0].flags, XTCP_SYN | (asks ? ECN : 0), "ecn: tcp_ecn %d, route %d: SYN", knob,
	   route);
	g = u_mk(&u, XTCP_SYN | XTCP_ACK | answer, IRS, ISS + 1, 0);
	g.opt.mss = MSS;
	u_rx(&u, &g);
	is(u.t.ecn_ok, want, "... answered with %x", answer);
	u_clear(&u);
	u_send(&u, MSS);
	is(u.out[0].ect, want, "... data is ECN-capable or not");
	u_free(&u);
}

static void negotiation(void)
{
	passive(0, ECN, 0, 0, false, false);
	passive(0, ECN, 0, 0, true, true);
	passive(0, XTCP_ECE, 0, 0, true, false);
	passive(1, ECN, 0, 0, false, true);
	passive(2, ECN, 0, 0, false, true);
	passive(2, 0, 0, 0, false, false);
	passive(2, XTCP_ECE, 0, 0, false, false);
	passive(2, XTCP_CWR, 0, 0, false, false);
	passive(2, ECN, XTCP_ECN_ECT0, 0, false, false);
	passive(2, ECN, XTCP_ECN_CE, 0, false, false);
	/* AccECN's SYN may come ECN-capable, and takes classic ECN for an answer */
	passive(2, ECN, XTCP_ECN_ECT1, 1, false, true);
	active(0, false, XTCP_ECE, false, false);
	active(2, false, XTCP_ECE, false, false);
	active(2, true, XTCP_ECE, true, true);
	active(1, false, XTCP_ECE, true, true);
	active(1, false, 0, true, false);
	active(1, false, ECN, true, false);
	active(1, false, XTCP_CWR, true, false);
}

static void fallback(bool on)
{
	struct u u;

	u_init(&u);
	u.p.tcp_ecn = 1;
	u.p.tcp_ecn_fallback = on;
	u_open(&u);
	u_clear(&u);
	u_run(&u, SEC);
	is(u.out[0].flags, XTCP_SYN | (on ? 0 : ECN), "ecn: the SYN again, fallback %d", on);
	u_free(&u);
}

static void cookies(bool ts)
{
	static const u8 addr[4] = { 192, 0, 2, 1 };
	const struct xtcp_cookie_id id = { addr, addr, 4, 80, 40000 };
	struct xtcp_cookie_keys k = { .n = 1, .key = { { { 1, 2 } } } };
	struct xtcp_seg g = { .seq = IRS, .flags = XTCP_SYN | ECN };
	struct xtcp_cookie_syn syn;
	struct xtcp_params p;
	struct xtcp_reply r;
	struct xtcp_opts o;
	struct xtcp_rq rq;

	params_default(&p);
	g.opt.has_ts = ts;
	xtcp_rq_init(&rq, &p, &g, false, 0, 0, 65535, 0, 100 * SEC);
	xtcp_cookie_make(&k, &id, &rq, 6400);
	xtcp_rq_synack(&rq, MSS, 100 * SEC, &r);
	is(r.flags & XTCP_ECE, ts ? XTCP_ECE : 0, "ecn: cookie, timestamps %d: SYN-ACK", ts);
	xtcp_opts_parse(r.opt, r.optlen, true, &o);
	g = (struct xtcp_seg){ .seq = IRS + 1, .ack = r.seq + 1, .flags = XTCP_ACK };
	g.opt.has_ts = ts;
	g.opt.tsecr = o.tsval;
	is(xtcp_cookie_check(&k, &id, &g, 0, 6400, &syn), XTCP_COOKIE_OK, "... is good");
	is(syn.ecn_ok, ts, "... and says so");
	/* the client cannot make itself what was not agreed to */
	g.opt.tsecr ^= 0x20;
	is(xtcp_cookie_check(&k, &id, &g, 0, 6400, &syn),
	   ts ? XTCP_COOKIE_BAD : XTCP_COOKIE_OK, "... with the bit turned round");
}

/* ---- the receiver */

static void data(struct u *u, u32 n, u8 flags, u8 ecn)
{
	struct xtcp_seg g = u_mk(u, XTCP_ACK | flags, u->t.s.rcv_nxt, u->t.s.snd_nxt, n);

	g.ecn = ecn;
	u_clear(u);
	u_rx(u, &g);
	if (n >= MSS)
		u_read(u, n);
}

static void ecn_open(struct u *u, bool sack)
{
	struct xtcp_seg g;

	u_init(u);
	u->p.tcp_ecn = 1;
	u->t.nodelay = 1;
	u_open(u);
	u->now += RTT;
	g = u_mk(u, XTCP_SYN | XTCP_ACK | XTCP_ECE, IRS, ISS + 1, 0);
	g.opt.mss = MSS;
	g.opt.sack_ok = sack;
	u_rx(u, &g);
	u_clear(u);
}

static void echo(void)
{
	struct u u;
	int i;

	ecn_open(&u, false);
	/* let the quick ACKs of the beginning pass */
	for (i = 0; i < 40; i++)
		data(&u, MSS, 0, XTCP_ECN_ECT0);
	u_run(&u, 100 * MS);
	is(u.t.quick, 0, "ecn: quick ACKs are over");
	data(&u, 100, 0, XTCP_ECN_ECT0);
	is(u.n_out, 0, "... an ACK may wait");
	data(&u, 100, 0, XTCP_ECN_CE);
	is(u.n_out, 1, "ecn: a mark is told at once");
	is(u.out[0].flags, XTCP_ACK | XTCP_ECE, "... by ECE");
	ok(!u.out[0].ect, "... not ECN-capable itself");
	data(&u, 100, 0, XTCP_ECN_ECT0);
	data(&u, MSS, 0, XTCP_ECN_ECT0);
	is(u.out[0].flags & XTCP_ECE, XTCP_ECE, "... and again");
	u_clear(&u);
	u_seg(&u, XTCP_RST, u.t.s.rcv_nxt + 1, 0, 0);
	is(u.v.reply.flags & XTCP_ECE, XTCP_ECE, "... by a challenge ACK, too");
	data(&u, 100, XTCP_CWR, XTCP_ECN_ECT0);
	is(u.n_out, 1, "ecn: CWR with data is acknowledged at once");
	is(u.out[0].flags, XTCP_ACK, "... and ends the echo");
	data(&u, 100, XTCP_CWR, XTCP_ECN_CE);
	is(u.out[0].flags, XTCP_ACK | XTCP_ECE, "ecn: CWR that is marked begins a new one");
	data(&u, 0, XTCP_CWR, XTCP_ECN_NOT);
	ok(!u.t.ecn_echo, "ecn: CWR of a bare ACK counts");
	/* data that is not ECN-capable is a retransmission */
	u_run(&u, SEC);
	u.t.quick = 0;
	data(&u, 100, 0, XTCP_ECN_NOT);
	is(u.n_out, 1, "ecn: what looks like a retransmission is acknowledged at once");
	u_free(&u);
}

/* ---- the sender */

static void flight(struct u *u, bool sack, u32 cwnd, u32 total)
{
	ecn_open(u, sack);
	u->t.cwnd = cwnd;
	u_send(u, total * MSS);
	is(u->n_out, min(cwnd, total), "ecn: %u segments leave", min(cwnd, total));
	u_clear(u);
}

/* An ACK of @n segments with @flags, and of [from, to) by SACK; u_clear() before it. */
static void ack(struct u *u, u8 flags, u32 n, u32 from, u32 to)
{
	struct xtcp_seg g = u_mk(u, XTCP_ACK | flags, IRS + 1, at(n), 0);

	if (to > from) {
		g.opt.sack[g.opt.nsack].start = at(from);
		g.opt.sack[g.opt.nsack++].end = at(to);
	}
	u_clear(u);
	u_rx(u, &g);
}

static void reduction(bool sack)
{
	unsigned int i, n, sent = 0, cwr = 0;
	struct u u;

	flight(&u, sack, 20, 100);
	for (n = 1; n <= 20; n++) {
		ack(&u, XTCP_ECE, n, 0, 0);
		is(u.v.delivered_ce, 1, "ecn: segment %u delivered with an echo", n);
		for (i = 0; i < u.n_out; i++) {
			is(u.out[i].kind, XTCP_X_NEW, "... nothing goes twice");
			cwr += !!(u.out[i].flags & XTCP_CWR);
		}
		if (!sent && u.n_out)
			is(u.out[0].flags & XTCP_CWR, XTCP_CWR, "... CWR with the first");
		sent += u.n_out;
	}
	is(cwr, 1, "ecn: one CWR, SACK %d", sack);
	/* Reno: from 20 to 10 over the round trip, each second ACK lets one out */
	is(sent, 10, "ecn: half as much goes in the round trip after");
	is(u.t.ssthresh, 10, "... ssthresh");
	is(u.t.ca_state, XTCP_CA_CWR, "... until one of them has arrived");
	ack(&u, 0, 21, 0, 0);
	is(u.t.ca_state, XTCP_CA_OPEN, "ecn: CWR has arrived");
	is(u.t.cwnd, 10, "... cwnd is where it was heading to");
	is(u.t.delivered_ce, 20, "... what was delivered with echoes");
	/* and a mark on what was sent after it counts anew */
	ack(&u, XTCP_ECE, 22, 0, 0);
	is(u.t.ca_state, XTCP_CA_CWR, "ecn: an echo of the next window");
	is(u.t.ssthresh, 5, "... halves it again");
	u_free(&u);
}

/* The last ACK of the window brings the first echo; what comes then waits for data. */
static void reduction_idle(void)
{
	struct u u;

	flight(&u, true, 10, 10);
	ack(&u, XTCP_ECE, 10, 0, 0);
	is(u.t.ca_state, XTCP_CA_CWR, "ecn: echo with the last ACK");
	is(u.t.ssthresh, 5, "... reduces");
	ack(&u, XTCP_ECE, 10, 0, 0);
	is(u.t.ssthresh, 5, "... an echo while nothing is in flight does not");
	u_run(&u, 10 * SEC);
	u_clear(&u);
	u_send(&u, MSS);
	is(u.out[0].flags & XTCP_CWR, XTCP_CWR, "ecn: CWR, after a pause");
	is(u.t.cwnd, 5, "... cwnd as reduced, no more than it was");
	ack(&u, 0, 11, 0, 0);
	is(u.t.ca_state, XTCP_CA_OPEN, "... over");
	u_free(&u);
}

static void ignored(void)
{
	struct u u;

	flight(&u, true, 10, 10);
	ack(&u, 0, 10, 0, 0);
	ack(&u, XTCP_ECE, 10, 0, 0);
	ack(&u, XTCP_ECE, 5, 0, 0);
	is(u.t.ca_state, XTCP_CA_OPEN, "ecn: echo with nothing in flight, echo on an old ACK");
	ok(u.t.cwnd >= 10, "... nothing happens");
	u_free(&u);
	flight(&u, true, 10, 30);
	u.t.ecn_ok = 0;
	ack(&u, ECN, 1, 0, 0);
	is(u.t.ca_state, XTCP_CA_OPEN, "ecn: echo of one who has not agreed to it");
	is(u.t.delivered_ce, 0, "... counts for nothing");
	ok(!u.out[0].ect && !(u.out[0].flags & ECN), "... and what is sent is plain");
	u_free(&u);
}

/* A tail loss probe has reduced cwnd, and the peer has not been told yet. */
static void not_told_yet(void)
{
	struct u u;

	flight(&u, true, 20, 60);
	u.t.ecn_cwr = 1;
	ack(&u, XTCP_ECE, 1, 0, 0);
	is(u.t.ca_state, XTCP_CA_OPEN, "ecn: an echo before our CWR went is no news");
	is(u.out[0].flags & XTCP_CWR, XTCP_CWR, "... CWR goes now");
	ack(&u, XTCP_ECE, 2, 0, 0);
	is(u.t.ca_state, XTCP_CA_CWR, "... and after that it is");
	u_free(&u);
}

/* A segment of the window that was reduced turns out lost: no second reduction. */
static void loss_same_window(bool sack)
{
	struct u u;
	u32 i;

	flight(&u, sack, 20, 60);
	for (i = 1; i <= 4; i++)
		ack(&u, XTCP_ECE, i, 0, 0);
	is(u.t.ssthresh, 10, "ecn: reduced, SACK %d", sack);
	for (i = 5; u.t.ca_state == XTCP_CA_CWR && i < 10; i++)
		ack(&u, XTCP_ECE, 4, 5, sack ? i + 1 : 0);
	is(u.t.ca_state, XTCP_CA_RECOVERY, "ecn: then one is lost");
	is(u.t.ssthresh, 10, "... no second reduction");
	is(u.t.prior_cwnd, 0, "... and no way back");
	is(u.out[0].seq, at(4), "... it goes again");
	ok(!u.out[0].ect && !(u.out[0].flags & XTCP_CWR), "... neither ECN-capable nor with CWR");
	u_free(&u);
}

/* What was sent after the reduction is lost: that is another window. */
static void loss_next_window(void)
{
	struct u u;
	u32 i;

	flight(&u, true, 20, 60);
	for (i = 1; i <= 20; i++)
		ack(&u, i < 10 ? XTCP_ECE : 0, i, 0, 0);
	is(u.t.ca_state, XTCP_CA_CWR, "ecn: the window is acknowledged, CWR is not");
	ack(&u, 0, 20, 21, 24);
	is(u.t.ca_state, XTCP_CA_RECOVERY, "ecn: what followed is lost");
	is(u.t.ssthresh, 5, "... which reduces again");
	ok(u.t.ecn_cwr || (u.out[1].flags & XTCP_CWR), "... and is told");
	u_free(&u);
}

static void timeout(bool cwr)
{
	struct u u;

	flight(&u, false, 10, 30);
	if (cwr)
		ack(&u, XTCP_ECE, 1, 0, 0);
	u_clear(&u);
	while (u.t.ca_state != XTCP_CA_LOSS)
		u_run(&u, 10 * MS);
	is(u.t.ssthresh, 5, "ecn: timeout, in the window of an echo %d: one reduction", cwr);
	is(u.out[0].seq, at(cwr), "... the head goes again");
	ok(!u.out[0].ect, "... not ECN-capable");
	ok(u.t.ecn_cwr, "... CWR is to follow");
	is(!!u.t.prior_cwnd, !cwr, "... a way back unless it was congestion");
	u_free(&u);
}

/* An ACK that proves the loss to be none, and echoes a mark: the reduction stays. */
static void no_undo(bool ece)
{
	struct xtcp_seg g;
	struct u u;

	flight(&u, true, 10, 30);
	ack(&u, 0, 0, 1, 5);
	is(u.t.ca_state, XTCP_CA_RECOVERY, "ecn: recovery");
	ack(&u, ece ? XTCP_ECE : 0, 5, 0, 0);
	g = u_mk(&u, XTCP_ACK | (ece ? XTCP_ECE : 0), IRS + 1, at(5), 0);
	g.opt.nsack = 1;
	g.opt.sack[0] = (struct xtcp_sack){ at(0), at(1) };
	u_clear(&u);
	u_rx(&u, &g);
	is(u_counted(&u, XTCP_MIB_DSACK_UNDO), !ece, "ecn: DSACK, echo %d: undone or not", ece);
	is(u.t.ssthresh, ece ? 5 : XTCP_INF_SSTHRESH, "... ssthresh");
	u_free(&u);
}

/* The probe of a tail comes while cwnd is being reduced, as new data with CWR. */
static void tail_probe(void)
{
	struct u u;

	flight(&u, true, 4, 20);
	u.t.srtt_us = RTT << 3;
	ack(&u, XTCP_ECE, 1, 0, 0);
	is(u.t.ca_state, XTCP_CA_CWR, "ecn: reducing");
	ok(xtcp_tlp_ok(&u.t), "... a tail may be probed");
	u_free(&u);
}

static void cubic(void)
{
	struct u u;

	ecn_open(&u, true);
	u.t.cc = &xtcp_cc_cubic;
	u.t.cc->init(&u.t, u.now);
	u.t.cwnd = 100;
	u_send(&u, 100 * MSS);
	u_clear(&u);
	ack(&u, XTCP_ECE, 1, 0, 0);
	is(u.t.ssthresh, 70, "ecn: CUBIC's factor is 0.7 (RFC 9438 4.6)");
	is(u.t.ca.cubic.c.w_max, 100 << 10, "... and its plateau where it was");
	u_free(&u);
}

void test_ecn(void)
{
	negotiation();
	fallback(true);
	fallback(false);
	cookies(true);
	cookies(false);
	echo();
	reduction(true);
	reduction(false);
	reduction_idle();
	ignored();
	not_told_yet();
	loss_same_window(true);
	loss_same_window(false);
	loss_next_window();
	timeout(false);
	timeout(true);
	no_undo(false);
	no_undo(true);
	tail_probe();
	cubic();
}
