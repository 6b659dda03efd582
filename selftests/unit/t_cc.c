// SPDX-License-Identifier: GPL-2.0
/*
 * Congestion control: the curve of CUBIC (RFC 9438) against its formula, HyStart++
 * (RFC 9406), validation and restart of the window.
 */
#include <math.h>

#include "unit.h"
#include "../../src/core/internal.h"

#define INF	XTCP_INF_SSTHRESH

/* ---- cube root */

static void cube_root(void)
{
	static const u64 roots[] = { 0, 1, 2, 3, 10, 1023, 1024, 65535, 65536, 1000003, 2642245 };
	unsigned int i, bad = 0;
	u64 r, x;

	for (i = 0; i < ARRAY_SIZE(roots); i++) {
		r = roots[i];
		bad += xtcp_cbrt(r * r * r) != r;
		bad += r && xtcp_cbrt(r * r * r - 1) != r - 1;
		if (r < 2642245)
			bad += xtcp_cbrt((r + 1) * (r + 1) * (r + 1) - 1) != r;
	}
	is(bad, 0, "cube root: exact at cubes and beside them");
	is(xtcp_cbrt(~0ULL), 2642245, "cube root: of the largest number");
	for (x = 1, bad = 0; x < 1ULL << 62; x = x * 5 / 3 + 1) {
		r = xtcp_cbrt(x);
		bad += r * r * r > x || (r + 1) * (r + 1) * (r + 1) <= x;
	}
	is(bad, 0, "cube root: rounds down");
}

/* ---- a block without a network: each ACK by hand */

struct fake {
	struct u u;
	u64 rtt_us;
	bool limited;			/* of ss_round(), as what follows */
	u32 unsent;
	u32 in_use;			/* segments in flight, 0: all of cwnd */
};

static void fake_init(struct fake *f, const struct xtcp_cc_ops *cc, u32 cwnd, u64 rtt_us)
{
	u_init(&f->u);
	f->u.t.cc = cc;
	f->u.t.cwnd = cwnd;
	f->u.t.ssthresh = INF;
	f->u.t.cwnd_limited = 1;
	f->u.t.rto_us = rtt_us + 200 * MS;
	f->u.t.srtt_us = rtt_us << 3;
	f->rtt_us = rtt_us;
	f->limited = true;
	f->unsent = 0;
	f->in_use = 0;
	f->u.t.s.snd_nxt = f->u.t.s.snd_una + cwnd * MSS;
	cc->init(&f->u.t, f->u.now);
}

static void fake_loss(struct fake *f)
{
	struct xtcp_tcb *t = &f->u.t;

	t->prior_cwnd = t->cwnd;
	t->prior_ssthresh = t->ssthresh;
	t->ssthresh = t->cc->ssthresh(t);
	t->cwnd = t->ssthresh;
	t->cwnd_cnt = 0;
}

static void fake_undo(struct fake *f)
{
	struct xtcp_tcb *t = &f->u.t;

	t->cwnd = max(t->cwnd, t->prior_cwnd);
	t->ssthresh = max(t->ssthresh, t->prior_ssthresh);
	t->cc->undo(t);
}

/* A window's worth of ACKs, one for each segment, spread over a round trip. */
static void fake_round(struct fake *f, bool limited)
{
	struct xtcp_tcb *t = &f->u.t;
	u32 i, n = t->cwnd;
	u64 start = f->u.now;

	for (i = 1; i <= n; i++) {
		f->u.now = start + f->rtt_us * i / n;
		t->cc->on_ack(t, 1, limited, f->u.now);
	}
}

static void fake_run(struct fake *f, u64 us, bool limited)
{
	u64 end = f->u.now + us;

	while (f->u.now < end)
		fake_round(f, limited);
}

static double curve(double w_max, double epoch, double t)
{
	double k = cbrt((w_max - epoch) / 0.4);

	return 0.4 * pow(t - k, 3) + w_max;
}

static void cubic_curve(u32 w, u64 rtt_us)
{
	double off, worst = 0, k = cbrt(0.3 * w / 0.4);
	struct fake f;
	u64 start;
	u32 from;

	fake_init(&f, &xtcp_cc_cubic, w, rtt_us);
	fake_loss(&f);
	from = f.u.t.cwnd;
	is(from, w * 7 / 10, "cubic: %u segments are 0.7 of it after a loss (RFC 9438 4.6)", w);
	fake_round(&f, true);
	start = f.u.now - rtt_us;
	while (f.u.now - start < 2 * k * SEC) {
		fake_round(&f, true);
		off = fabs(f.u.t.cwnd / curve(w, from, (f.u.now - start) / 1e6) - 1);
		worst = fmax(worst, off);
	}
	ok(worst < 0.05, "cubic: from %u on, rtt %llu ms: %.2f %% off the formula",
	   from, rtt_us / MS, 100 * worst);
	ok(f.u.t.cwnd > w * 1.2, "cubic: beyond K it probes (%u)", f.u.t.cwnd);
	u_free(&f.u);
}

static void cubic_reno_friendly(void)
{
	struct fake f;
	unsigned int i;

	fake_init(&f, &xtcp_cc_cubic, 40, 10 * MS);
	fake_loss(&f);
	for (i = 0; i < 10; i++)
		fake_round(&f, true);
	ok(f.u.t.cwnd >= 32 && f.u.t.cwnd <= 34,
	   "cubic, short rtt: 10 rounds add 9/17 each, %u (RFC 9438 4.3)", f.u.t.cwnd);
	while (f.u.t.cwnd < 41)
		fake_round(&f, true);
	for (i = 0; i < 10; i++)
		fake_round(&f, true);
	ok(f.u.t.cwnd >= 50 && f.u.t.cwnd <= 52,
	   "cubic, short rtt: above the old window one each, %u", f.u.t.cwnd);
	u_free(&f.u);
}

static void cubic_losses(void)
{
	struct fake f;

	fake_init(&f, &xtcp_cc_cubic, 1000, 100 * MS);
	fake_loss(&f);
	is(f.u.t.ca.cubic.c.w_max, 1000 << 10, "cubic: the plateau is where the loss was");
	fake_run(&f, SEC, true);
	f.u.t.cwnd = 800;
	fake_loss(&f);
	is(f.u.t.ca.cubic.c.w_max, 680 << 10, "cubic: fast convergence: 0.85 of it (RFC 9438 4.7)");
	is(f.u.t.cwnd, 560, "cubic: ... but 0.7 for the window");
	f.u.t.cwnd = 2;
	fake_loss(&f);
	is(f.u.t.cwnd, 2, "cubic: never less than two segments");
	u_free(&f.u);

	fake_init(&f, &xtcp_cc_cubic, 1000, 100 * MS);
	fake_loss(&f);
	xtcp_ca_set(&f.u.t, XTCP_CA_LOSS);
	f.u.t.cwnd = 1;
	fake_run(&f, 2 * SEC, true);
	ok(f.u.t.cwnd > 700 && f.u.t.cwnd < 800,
	   "cubic: a timeout: slow start to 700, then from a plateau there (RFC 9438 4.8): %u",
	   f.u.t.cwnd);
	is(f.u.t.ca.cubic.c.k, 0, "cubic: ... K is 0");
	u_free(&f.u);
}

/* Only time in which cwnd holds the sender counts (RFC 9438 4.2). */
static void cubic_clock(void)
{
	struct fake a, b;
	u32 w;

	fake_init(&a, &xtcp_cc_cubic, 1000, 100 * MS);
	fake_init(&b, &xtcp_cc_cubic, 1000, 100 * MS);
	fake_loss(&a);
	fake_loss(&b);
	fake_run(&a, 3 * SEC, true);
	fake_run(&b, 3 * SEC, true);
	w = a.u.t.cwnd;
	fake_run(&a, 60 * SEC, false);
	is(a.u.t.cwnd, w, "cubic: no growth while the application is what limits");
	fake_run(&a, 3 * SEC, true);
	fake_run(&b, 3 * SEC, true);
	ok(a.u.t.cwnd + 2 >= b.u.t.cwnd && a.u.t.cwnd <= b.u.t.cwnd + 2,
	   "cubic: after it the curve goes on where it was: %u, without %u", a.u.t.cwnd,
	   b.u.t.cwnd);
	a.u.now += 3600 * SEC;
	a.u.t.cc->event(&a.u.t, XTCP_CC_TX_START, a.u.now);
	fake_run(&a, 2 * SEC, true);
	fake_run(&b, 2 * SEC, true);
	ok(a.u.t.cwnd <= b.u.t.cwnd + 2, "cubic: an hour idle does not count: %u, without %u",
	   a.u.t.cwnd, b.u.t.cwnd);
	w = a.u.t.cwnd;
	a.u.now += 3600 * SEC;
	fake_round(&a, true);
	ok(a.u.t.cwnd <= w + w / 50, "cubic: a clock that leaps an hour: %u, then %u", w,
	   a.u.t.cwnd);
	u_free(&a.u);
	u_free(&b.u);
}

static void cubic_undone(void)
{
	struct fake a, b;
	u32 before;

	fake_init(&a, &xtcp_cc_cubic, 1000, 100 * MS);
	fake_init(&b, &xtcp_cc_cubic, 1000, 100 * MS);
	fake_loss(&a);
	fake_loss(&b);
	fake_run(&a, 4 * SEC, true);
	fake_run(&b, 4 * SEC, true);
	before = a.u.t.cwnd;
	fake_loss(&a);
	xtcp_ca_set(&a.u.t, XTCP_CA_LOSS);
	a.u.t.cwnd = 1;
	fake_undo(&a);
	xtcp_ca_set(&a.u.t, XTCP_CA_OPEN);
	is(a.u.t.cwnd, before, "cubic: a spurious loss undone: the window is back");
	fake_run(&a, 8 * SEC, true);
	fake_run(&b, 8 * SEC, true);
	ok(a.u.t.cwnd + 2 >= b.u.t.cwnd && a.u.t.cwnd <= b.u.t.cwnd + 2,
	   "cubic: ... and so is the curve (RFC 9438 4.9): %u, without %u", a.u.t.cwnd,
	   b.u.t.cwnd);
	u_free(&a.u);
	u_free(&b.u);

	fake_init(&a, &xtcp_cc_cubic, 100, 100 * MS);
	fake_loss(&a);
	fake_undo(&a);
	is(a.u.t.ssthresh, INF, "cubic: undone in the initial slow start: it goes on");
	fake_round(&a, true);
	is(a.u.t.cwnd, 200, "cubic: ... and doubles");
	u_free(&a.u);
}

/* An ACK of more than was ever sent must neither overflow nor overtake. */
static void cubic_monster_ack(void)
{
	struct fake f;

	fake_init(&f, &xtcp_cc_cubic, 100, 100 * MS);
	fake_loss(&f);
	fake_round(&f, true);
	f.u.now += 100 * MS;
	f.u.t.ca.cubic.c.t_us = 1U << 30;
	f.u.t.cc->on_ack(&f.u.t, 30 << 20, true, f.u.now);
	ok(f.u.t.cwnd <= XTCP_CWND_MAX, "cubic: an ACK of 30 million segments: %u", f.u.t.cwnd);
	f.u.t.cwnd = XTCP_CWND_MAX;
	fake_loss(&f);
	f.u.t.cwnd = XTCP_CWND_MAX;
	f.u.t.cc->on_ack(&f.u.t, 1000, true, f.u.now);
	f.u.t.cc->on_ack(&f.u.t, 30 << 20, true, f.u.now + SEC);
	is(f.u.t.cwnd, XTCP_CWND_MAX, "cubic: the window has an upper end");
	u_free(&f.u);
}

/* ---- HyStart++ */

/* One round of slow start with that RTT; samples come before their ACK is counted. */
static void ss_round(struct fake *f, u32 rtt_us, u32 samples)
{
	struct xtcp_tcb *t = &f->u.t;
	u32 i, n = f->in_use ?: t->cwnd;

	for (i = 0; i < n; i++) {
		t->s.snd_nxt = t->s.snd_una + (f->in_use ?: t->cwnd) * MSS;
		t->write_seq = t->s.snd_nxt + f->unsent;
		if (i < samples)
			t->cc->rtt(t, rtt_us + (i ? 500 : 0));
		t->s.snd_una += MSS;
		t->cc->on_ack(t, 1, f->limited, f->u.now);
	}
}

static void hystart_delay(void)
{
	struct fake f;
	unsigned int i;
	u32 w;

	fake_init(&f, &xtcp_cc_cubic, 16, 40 * MS);
	ss_round(&f, 40 * MS, 16);
	ss_round(&f, 40 * MS, 16);
	ss_round(&f, 44 * MS, 16);
	is(f.u.t.cwnd, 128, "hystart: 4 ms more of 40 are no queue: it doubles");
	is(f.u.t.ca.cubic.hs.css_rounds, 0, "hystart: ... no conservative slow start");
	ss_round(&f, 52 * MS, 7);
	is(f.u.t.cwnd, 256, "hystart: seven samples say nothing (RFC 9406 4.2)");
	ss_round(&f, 44 * MS, 16);
	is(f.u.t.cwnd, 512, "hystart: ... and leave no trace");
	ss_round(&f, 60 * MS, 16);
	ok(f.u.t.ca.cubic.hs.css_rounds > 0, "hystart: 16 ms more of 44: conservative slow start");
	w = f.u.t.cwnd;
	ss_round(&f, 60 * MS, 16);
	is(f.u.t.cwnd, w + w / 4, "hystart: ... at a quarter of the pace");
	is(f.u.t.ssthresh, INF, "hystart: ... which is not yet the end");
	for (i = 0; i < 3; i++)
		ss_round(&f, 60 * MS, 16);
	ok(f.u.t.ssthresh != INF, "hystart: ... after five rounds it is");
	ok(f.u.t.ssthresh == f.u.t.cwnd, "hystart: ... ssthresh is the window");
	w = f.u.t.cwnd;
	fake_round(&f, true);
	ok(f.u.t.cwnd <= w + 1, "hystart: ... congestion avoidance");
	u_free(&f.u);
}

static void hystart_false_alarm(void)
{
	struct fake f;
	u32 w;

	fake_init(&f, &xtcp_cc_cubic, 16, 40 * MS);
	ss_round(&f, 40 * MS, 16);
	ss_round(&f, 50 * MS, 16);
	ok(f.u.t.ca.cubic.hs.css_rounds > 0, "hystart: 10 ms more of 40: conservative slow start");
	ss_round(&f, 40 * MS, 16);
	is(f.u.t.ca.cubic.hs.css_rounds, 0, "hystart: the delay is gone: slow start again");
	w = f.u.t.cwnd;
	ss_round(&f, 40 * MS, 16);
	is(f.u.t.cwnd, 2 * w, "hystart: ... and it doubles");
	fake_loss(&f);
	ss_round(&f, 90 * MS, 16);
	is(f.u.t.ca.cubic.saved.w_max, 0, "hystart: samples after the initial slow start: unused");
	u_free(&f.u);
}

/* A queue that grows by less than a round has to, round after round. */
static void hystart_slowly(void)
{
	struct fake f;
	u32 w;

	fake_init(&f, &xtcp_cc_cubic, 16, 20 * MS);
	ss_round(&f, 20 * MS, 16);
	ss_round(&f, 22 * MS, 16);
	ss_round(&f, 23900, 16);
	is(f.u.t.ca.cubic.hs.css_rounds, 0, "hystart: 3.9 ms more of the best 20: slow start");
	ss_round(&f, 24 * MS, 16);
	ok(f.u.t.ca.cubic.hs.css_rounds > 0, "hystart: 4 ms more of the best 20, 0.1 of the last");
	w = f.u.t.cwnd;
	ss_round(&f, 24 * MS - 1, 16);
	is(f.u.t.ca.cubic.hs.css_rounds, 0, "hystart: less than that: a false alarm");
	ok(f.u.t.cwnd > 2 * w - 8, "hystart: ... and it doubles, but for seven samples");
	ss_round(&f, 30 * MS, 16);
	ss_round(&f, 29 * MS, 16);
	ok(f.u.t.ca.cubic.hs.css_rounds > 0, "hystart: 29 after 30: the delay has not gone");
	w = f.u.t.cwnd;
	f.u.t.cwnd_limited = 0;
	ss_round(&f, 29 * MS, 16);
	is(f.u.t.cwnd, w, "hystart: no growth in it where cwnd is not the limit");
	u_free(&f.u);

	/* who uses little makes no queue: the last round counts, as in the RFC */
	fake_init(&f, &xtcp_cc_cubic, 16, 20 * MS);
	f.limited = false;
	ss_round(&f, 20 * MS, 16);
	ss_round(&f, 23 * MS, 16);
	ss_round(&f, 26 * MS, 16);
	ss_round(&f, 26 * MS, 16);
	is(f.u.t.ca.cubic.hs.css_rounds, 0,
	   "hystart: where cwnd does not limit: the last round only");
	ss_round(&f, 31 * MS, 16);
	ss_round(&f, 31 * MS, 16);
	ok(f.u.t.ca.cubic.hs.css_rounds > 0, "hystart: ... which counts");
	u_free(&f.u);
}

/* Data waits for the queue below, and cwnd is not full. */
static void hystart_local(void)
{
	struct xtcp_tcb *t;
	struct fake f;
	unsigned int i;
	u32 w;

	fake_init(&f, &xtcp_cc_cubic, 64, 20 * MS);
	t = &f.u.t;
	t->mss_now = MSS;
	t->syn_acked = 1;
	t->cwnd_limited = 0;
	t->held = 1;
	t->max_out = 50;
	/* cc.c says so, cwnd being less than twice of what is in use */
	f.limited = false;
	f.unsent = MSS - 1;
	ss_round(&f, 20 * MS, 16);
	is(t->ca.cubic.hs.css_rounds, 0, "hystart: a small write waits for company: slow start");
	f.unsent = MSS;
	t->held = 0;
	ss_round(&f, 20 * MS, 16);
	is(t->ca.cubic.hs.css_rounds, 0, "hystart: nothing waits for the queue below: slow start");
	t->held = 1;
	ss_round(&f, 20 * MS, 16);
	ok(t->ca.cubic.hs.css_rounds > 0, "hystart: the queue below is the limit");
	t->cwnd_limited = 1;
	f.limited = true;
	w = t->cwnd;
	ss_round(&f, 20 * MS, 16);
	is(t->cwnd, 2 * w, "hystart: ... then cwnd is again: it doubles");
	t->cwnd = w;
	t->cwnd_limited = 0;
	f.limited = false;
	f.in_use = 50;
	/* two or three of them are the round that has begun */
	for (i = 0; i < 20 && t->ssthresh == INF; i++)
		ss_round(&f, 20 * MS, 16);
	ok(i >= 7 && i <= 8, "hystart: ... five rounds of it (%u)", i);
	is(t->ssthresh, 50, "hystart: ... and slow start ends with what is in use");
	is(t->cwnd, 50, "hystart: ... which is the window");
	u_free(&f.u);

	/* what else lets a window grow that is half full */
	fake_init(&f, &xtcp_cc_reno, 64, 20 * MS);
	t = &f.u.t;
	t->mss_now = MSS;
	t->cwnd_limited = 0;
	t->max_out = 50;
	xtcp_cc_ack(t, MSS, f.u.now, &f.u.v);
	is(t->cwnd, 65, "slow start: more than half is in use");
	t->held = 1;
	xtcp_cc_ack(t, MSS, f.u.now, &f.u.v);
	is(t->cwnd, 65, "slow start: ... not if the queue below holds the rest");
	u_free(&f.u);
}

/* ---- what all share */

static void registry(void)
{
	char names[64] = "";
	unsigned int i;

	for (i = 0; i < XTCP_NR_CC; i++) {
		const struct xtcp_cc_ops *cc = xtcp_cc_nth(i);

		is(cc->id, i, "cc: %s knows its number", cc->name);
		ok(xtcp_cc_find(cc->name) == cc, "cc: %s is found", cc->name);
		strcat(names, i ? " " : "");
		strcat(names, cc->name);
	}
	ok(!strcmp(names, xtcp_cc_names), "cc: the list of names is theirs");
	ok(!xtcp_cc_nth(XTCP_NR_CC) && !xtcp_cc_find("nosuch") && !xtcp_cc_find(""),
	   "cc: others are not");
}

static void connected(struct u *u, const struct xtcp_cc_ops *cc, bool idle_knob, u32 route)
{
	struct xtcp_opts o = { .mss = MSS, .sack_ok = 1 };

	u_init(u);
	u->p.tcp_slow_start_after_idle = idle_knob;
	u->t.init_cwnd = route;
	u->t.cc = cc;
	u->t.nodelay = 1;
	u_open_opts(u, &o);
}

/* @n segments are sent and acknowledged after 10 ms. */
static void trip(struct u *u, u32 n)
{
	u32 i, una = u->t.s.snd_una;

	u_send(u, n * MSS);
	u->now += 10 * MS;
	for (i = 1; i <= n && !u->over; i++)
		u_seg(u, XTCP_ACK, IRS + 1, una + i * MSS, 0);
	u_clear(u);
}

static void idle_restart(const struct xtcp_cc_ops *cc)
{
	struct u u;
	u32 w;

	connected(&u, cc, true, 0);
	is(u.t.cwnd, 10, "%s: initial window (RFC 6928)", cc->name);
	trip(&u, 10);
	trip(&u, 20);
	w = u.t.cwnd;
	is(w, 40, "%s: slow start doubles", cc->name);
	u.now += 150 * MS;
	u_send(&u, MSS);
	is(u.t.cwnd, w, "%s: idle for less than an RTO: the window stays", cc->name);
	u_seg(&u, XTCP_ACK, IRS + 1, u.t.s.snd_nxt, 0);
	u.now += u.t.rto_us * 3 / 2;
	u_send(&u, MSS);
	is(u.t.cwnd, w / 2, "%s: idle for one RTO: half of it (RFC 2861)", cc->name);
	is(u.t.ssthresh, INF, "%s: ... slow start may go on", cc->name);
	u_seg(&u, XTCP_ACK, IRS + 1, u.t.s.snd_nxt, 0);
	u.now += 100 * SEC;
	u_send(&u, MSS);
	is(u.t.cwnd, 10, "%s: idle for long: the initial window (RFC 5681 4.1)", cc->name);
	u_free(&u);

	connected(&u, cc, false, 0);
	trip(&u, 10);
	u.now += 100 * SEC;
	u_send(&u, MSS);
	is(u.t.cwnd, 20, "%s: tcp_slow_start_after_idle 0: the window stays", cc->name);
	u_free(&u);

	connected(&u, cc, true, 25);
	is(u.t.cwnd, 25, "%s: the route's initial window goes before", cc->name);
	trip(&u, 25);
	u.now += 100 * SEC;
	u_send(&u, MSS);
	is(u.t.cwnd, 25, "%s: ... and is where idleness ends", cc->name);
	u_free(&u);
}

static void app_limited(const struct xtcp_cc_ops *cc)
{
	unsigned int i;
	struct u u;

	connected(&u, cc, true, 0);
	for (i = 0; i < 50; i++)
		trip(&u, 2);
	is(u.t.cwnd, 10, "%s: two segments a round trip: the window does not grow (RFC 7661)",
	   cc->name);
	u.t.cwnd = 60;
	u.t.ssthresh = 60;
	for (i = 0; i < 200; i++)
		trip(&u, 2);
	ok(u.t.cwnd < 60 && u.t.cwnd >= 10, "%s: long unused, it shrinks to what is used: %u",
	   cc->name, u.t.cwnd);
	u_free(&u);
}

/* More segments sacked one by one than the scoreboard has ranges. */
/* TCP_CONGESTION in a recovery that another algorithm began, which then turns out vain. */
static void changed_in_recovery(void)
{
	struct xtcp_seg g;
	struct u u;
	u32 una;

	connected(&u, &xtcp_cc_reno, true, 10);
	u.p.tcp_early_retrans = 0;
	una = u.t.s.snd_una;
	u_send(&u, 10 * MSS);
	u.now += 10 * MS;
	g = u_mk(&u, XTCP_ACK, IRS + 1, una, 0);
	g.opt.nsack = 1;
	g.opt.sack[0] = (struct xtcp_sack){ una + MSS, una + 10 * MSS };
	u_rx(&u, &g);
	is(u.t.ca_state, XTCP_CA_RECOVERY, "changed in recovery: recovery");
	u.t.cc = &xtcp_cc_cubic;
	u.t.cc->init(&u.t, u.now);
	u.now += 10 * MS;
	g = u_mk(&u, XTCP_ACK, IRS + 1, una + 10 * MSS, 0);
	g.opt.nsack = 1;
	g.opt.sack[0] = (struct xtcp_sack){ una, una + MSS };
	u_rx(&u, &g);
	is(u.t.ssthresh, 5, "changed in recovery: what another reduced stays so");
	is(u.t.ca.cubic.c.w_max, 0, "changed in recovery: and the curve has no top yet");
	u_free(&u);
}

static void scoreboard_full(void)
{
	u32 i, seq, sum;
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	seq = u.t.s.snd_una;
	for (i = 0; i < 3 * XTCP_MAX_TXRNG; i++) {
		u_prep(&u);
		xtcp_txq_append(&u.t, seq + i * MSS, seq + (i + 1) * MSS, u.now);
		if (i % 200)
			xtcp_rng_mark(&u.t, list_last_entry(&u.t.txq, struct xtcp_rng, link), true,
				      false, false);
	}
	sum = 3 * XTCP_MAX_TXRNG / 200 + 1;
	is(u.t.sacked_bytes, (3 * XTCP_MAX_TXRNG - sum) * MSS,
	   "full scoreboard: no SACK is forgotten");
	seq = list_last_entry(&u.t.txq, struct xtcp_rng, link)->seq;
	is(seq, u.t.s.snd_una + (3 * XTCP_MAX_TXRNG - 1) * MSS,
	   "full scoreboard: nor is a range grown");
	xtcp_txq_all_lost(&u.t, false);
	is(u.t.lost_bytes, sum * MSS, "full scoreboard: the holes are what is lost");
	u_free(&u);
}

void test_cc(void)
{
	scoreboard_full();
	changed_in_recovery();
	registry();
	cube_root();
	cubic_curve(1000, 100 * MS);
	cubic_curve(300, 200 * MS);
	cubic_curve(5000, 30 * MS);
	cubic_reno_friendly();
	cubic_losses();
	cubic_clock();
	cubic_undone();
	cubic_monster_ack();
	hystart_delay();
	hystart_false_alarm();
	hystart_slowly();
	hystart_local();
	idle_restart(&xtcp_cc_reno);
	idle_restart(&xtcp_cc_cubic);
	app_limited(&xtcp_cc_reno);
	app_limited(&xtcp_cc_cubic);
}
