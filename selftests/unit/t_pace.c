// SPDX-License-Identifier: GPL-2.0
/* Pieces, pacing, full queues below, the delivery rate, and BBR's hooks. */
#include "unit.h"
#include "../../src/core/internal.h"

#define RTT	(40 * MS)

/* A connection with cwnd 30 that has measured RTT; @n segments are written. */
static void begin(struct u *u, const struct xtcp_cc_ops *cc, u32 n)
{
	struct xtcp_seg g;

	u_init(u);
	u->p.tcp_init_cwnd = 30;
	u->t.nodelay = 1;
	u->t.cc = cc;
	u_open(u);
	u->now += RTT;
	g = u_mk(u, XTCP_SYN | XTCP_ACK, IRS, ISS + 1, 0);
	g.opt.mss = MSS;
	g.opt.sack_ok = 1;
	u_rx(u, &g);
	u_clear(u);
	if (n)
		u_send(u, n * MSS);
}

static void ack(struct u *u, u32 segs)
{
	u_clear(u);
	u_seg(u, XTCP_ACK, IRS + 1, ISS + 1 + segs * MSS, 0);
}

/* ---- how large a piece is */

static u32 goal(struct u *u, u32 rate, u32 rtt_us)
{
	u->t.pacing_rate = rate;
	u->t.min_rtt_us = rtt_us;
	return xtcp_tso_goal(&u->t);
}

static void pieces(void)
{
	struct u u;

	u_init(&u);
	u.t.mss_now = 1000;
	u.t.gso_max = 64000;
	is(goal(&u, 20480000, 1000000), 20000, "pieces: a 1024th of a second's data");
	is(goal(&u, 1000000000, 1000000), 64000, "pieces: not more than the route can cut up");
	is(goal(&u, 1000, 1000000), 2000, "pieces: at least two segments");
	u.p.tcp_min_tso_segs = 5;
	is(goal(&u, 1000, 1000000), 5000, "pieces: at least tcp_min_tso_segs");
	u.p.tcp_min_tso_segs = 2;
	is(goal(&u, 2048000, 100), 64000, "pieces: as large as can be to a peer next door");
	is(goal(&u, 2048000, 1024), 18000, "pieces: a quarter more for one 1 ms away");
	u.p.tcp_tso_rtt_log = 10;
	is(goal(&u, 2048000, 1024), 34000, "pieces: half as much more with tcp_tso_rtt_log 10");
	u.t.pacing_max = 1024000;
	is(goal(&u, 2048000, 1000000), 2000, "pieces: SO_MAX_PACING_RATE makes them smaller");
	u.t.gso_max = 1000;
	is(goal(&u, 2048000, 1000000), 1000, "pieces: without GSO a segment");
	u_free(&u);
}

/*
 * cwnd 10 is in flight and 20 segments wait, pieces are of 5; @rtt_us later, when
 * something has just been sent.
 */
static void wait_begin(struct u *u, u64 rtt_us)
{
	begin(u, &xtcp_cc_reno, 0);
	u->p.tcp_min_tso_segs = 5;
	u->t.gso_max = 64000;
	u->t.cwnd = 10;
	u->t.ssthresh = 5;
	u_send(u, 30 * MSS);
	u_run(u, rtt_us);
	u->t.lsnd_us = u->now;
}

/* @segs are acknowledged. Return: segments that go at once. */
static u32 wait_gone(struct u *u, u32 segs)
{
	u32 nxt = u->t.s.snd_nxt;

	ack(u, segs);
	return (u->t.s.snd_nxt - nxt) / MSS;
}

static u32 wait_plain(u32 div, u32 segs)
{
	struct u u;
	u32 gone;

	wait_begin(&u, RTT);
	u.p.tcp_tso_win_divisor = div;
	gone = wait_gone(&u, segs);
	u_free(&u);
	return gone;
}

static void waits(void)
{
	struct u u;

	is(wait_plain(3, 3), 0, "waits: less than a third of cwnd");
	is(wait_plain(3, 4), 4, "waits: not a third of it");
	is(wait_plain(5, 2), 2, "waits: tcp_tso_win_divisor is the part");
	is(wait_plain(5, 1), 0, "waits: and what is less waits");
	is(wait_plain(0, 3), 0, "waits: three segments with tcp_tso_win_divisor 0");
	is(wait_plain(0, 4), 4, "waits: not four");
	is(wait_plain(3, 7), 5, "waits: a whole piece goes, and the rest of what may go waits");

	wait_begin(&u, RTT);
	u.t.cwnd_limited = 0;
	is(wait_gone(&u, 3), 0, "waits: for ACKs ...");
	is(u.t.cwnd_limited, 1, "waits: cwnd is the limit meanwhile");
	is(wait_gone(&u, 5), 5, "waits: ... and goes with what they allow");
	u_free(&u);

	wait_begin(&u, RTT);
	u.t.lsnd_us -= 1001;
	is(wait_gone(&u, 3), 3, "waits: not after a pause");
	u_free(&u);

	wait_begin(&u, RTT / 2 - 1);
	u.t.srtt_us = RTT << 3;
	u.t.rttvar_us = 0;
	is(wait_gone(&u, 3), 3, "waits: not if the next ACK is half a round trip away");
	u_free(&u);

	wait_begin(&u, RTT);
	u_shutdown(&u);
	is(wait_gone(&u, 3), 3, "waits: not if nothing can follow");
	u_free(&u);

	wait_begin(&u, RTT);
	u.t.ca_state = XTCP_CA_RECOVERY;
	u.t.high_seq = u.t.s.snd_nxt;
	u.t.prr_fs = 10 * MSS;
	ok(wait_gone(&u, 3), "waits: not in recovery");
	u_free(&u);

	wait_begin(&u, RTT);
	u.t.write_seq -= 17 * MSS;
	is(wait_gone(&u, 3), 3, "waits: not if nothing is left behind");
	u_free(&u);
}

/* The peer's window is what lets little go. */
static void waits_window(void)
{
	struct u u;

	wait_begin(&u, RTT);
	u.t.cwnd = 100;
	u.t.cwnd_limited = 0;
	u.t.snd_wnd = 12 * MSS;
	u.v.flags = XTCP_V_OUTPUT;
	u_step(&u);
	is(u.t.s.snd_nxt - u.t.s.snd_una, 10 * MSS, "waits: for the peer's window, too");
	is(u.t.cwnd_limited, 0, "waits: cwnd is not the limit then");
	u.p.tcp_min_tso_segs = 8;
	u.t.snd_wnd = 15 * MSS;
	u.v.flags = XTCP_V_OUTPUT;
	u_step(&u);
	is(u.t.s.snd_nxt - u.t.s.snd_una, 15 * MSS, "waits: but not for a third of that");
	u_free(&u);
}

static void ratios(void)
{
	struct u u;

	begin(&u, &xtcp_cc_reno, 0);
	u.t.srtt_us = RTT << 3;
	u.t.cwnd = 20;
	u.t.ssthresh = 100;
	xtcp_pacing_update(&u.t);
	is(u.t.pacing_rate, 20 * MSS * 25 * 2, "rate: twice the window a round trip, slow start");
	u.t.ssthresh = 40;
	xtcp_pacing_update(&u.t);
	is(u.t.pacing_rate, 20 * MSS * 30, "rate: a fifth more than it, near ssthresh and above");
	u.p.tcp_pacing_ca_ratio = 100;
	xtcp_pacing_update(&u.t);
	is(u.t.pacing_rate, 20 * MSS * 25, "rate: tcp_pacing_ca_ratio");
	u.t.srtt_us = 8;
	u.t.cwnd = 1000000;
	xtcp_pacing_update(&u.t);
	is(u.t.pacing_rate, XTCP_RATE_MAX, "rate: what does not fit is no limit");
	u_free(&u);
}

/* ---- when the next may go */

static void paced(void)
{
	unsigned int i, bad = 0;
	struct u u;
	u64 start;

	begin(&u, &xtcp_cc_reno, 0);
	u.t.paced = 1;
	u.t.pacing_max = 100000;	/* a segment in 10 ms */
	u_send(&u, 20 * MSS);
	start = u.now;
	is(u.n_out, 11, "paced: ten segments at once, and the one that starts the clock");
	is(u.t.deadline_us[XTCP_T_PACE], start + 5 * MS, "paced: the next after half a gap");
	u_run(&u, 30 * MS);
	for (i = 11; i < u.n_out; i++)
		bad += u.out_us[i] != start + (5 + 10 * (i - 11)) * MS;
	is(bad, 0, "paced: each to its time");
	is(u.n_out, 14, "paced: none beyond");
	/* nobody looks for 100 ms: one goes, and the next comes half a gap later */
	u_clear(&u);
	u.now += 100 * MS;
	xtcp_timeout(&u.t, u.now, &u.v);
	u_step(&u);
	is(u.n_out, 1, "paced: being late brings no burst");
	is(u.t.deadline_us[XTCP_T_PACE], u.now + 5 * MS, "paced: but a shorter gap");
	u_free(&u);
}

static void paced_alone(void)
{
	struct u u;

	begin(&u, &xtcp_cc_reno, 12);
	ack(&u, 12);
	u.t.paced = 1;
	u.t.pacing_max = 1000;		/* a segment a second */
	u_send(&u, MSS);
	ack(&u, 13);
	u_clear(&u);
	u_send(&u, MSS);
	is(u.n_out, 0, "paced: with nothing in flight, too");
	ok(u.t.deadline_us[XTCP_T_PACE] && !u.t.deadline_us[XTCP_T_REXMIT],
	   "paced: the window is not probed for it");
	u_run(&u, 400 * MS);
	is(u.n_out, 0, "paced: and not before its time");
	u_run(&u, 200 * MS);
	ok(u.n_out && u.out[0].kind == XTCP_X_NEW, "paced: it goes when it may");
	u_free(&u);
}

static void paced_rexmit(void)
{
	struct u u;

	begin(&u, &xtcp_cc_reno, 12);
	u.p.tcp_early_retrans = 0;
	ack(&u, 1);
	u.t.paced = 1;
	u.t.pacing_max = 1000;
	u.t.pace_us = u.now + SEC;
	u_clear(&u);
	u_run(&u, 700 * MS);
	ok(u.n_out && u.out[0].kind == XTCP_X_REXMIT && u.out[0].seq == ISS + 1 + MSS,
	   "paced: a timeout's retransmission does not wait");
	u_free(&u);
}

/* ---- a full queue below */

static void full(void)
{
	struct u u;

	begin(&u, &xtcp_cc_reno, 0);
	u.t.dev_least = 5 * MSS;
	u_send(&u, 10 * MSS);
	is(u.n_out, 2, "full: two pieces go all the same");
	ok(u.t.held, "full: the caller hears that more would have gone");
	u_clear(&u);
	u.t.held = 0;
	u.t.dev_least = MSS;
	u.v.flags = XTCP_V_OUTPUT;
	u_step(&u);
	is(u.n_out, 8, "full: pieces as long as the limit may go");
	ok(!u.t.held, "full: none is held then");
	u_clear(&u);
	u.t.dev_least = ~0U;
	u_seg(&u, XTCP_ACK | XTCP_PSH, IRS + 1, ISS + 1, MSS);
	u_run(&u, 300 * MS);
	ok(u.n_out && u.t.s.rcv_adv, "full: ACKs go whatever stands below");
	u_free(&u);
}

static void full_cwnd(void)
{
	struct u u;

	begin(&u, &xtcp_cc_reno, 0);
	u.t.cwnd = 4;
	u_send(&u, 10 * MSS);
	u.t.dev_least = ~0U;
	u.v.flags = XTCP_V_OUTPUT;
	u_step(&u);
	ok(!u.t.held, "full: nothing is held if cwnd would not let it go either");
	u_free(&u);
}

/* ---- delivery rate */

static void rate_steady(void)
{
	struct u u;
	u32 i;

	/* ten segments a round trip, one each 4 ms, acknowledged one by one */
	begin(&u, &xtcp_cc_reno, 10);
	u.t.cwnd = 10;
	u_send(&u, 40 * MSS);
	u_run(&u, RTT);
	for (i = 1; i <= 30; i++) {
		ack(&u, i);
		u_run(&u, 4 * MS);
	}
	is(xtcp_delivery_rate(&u.t), 250000, "delivery rate: a segment each 4 ms");
	ok(!u.t.rate_app_limited, "delivery rate: not the user's doing");
	u_free(&u);
}

static void rate_bunch(void)
{
	struct u u;

	/* all in one go, and one ACK for them: no faster than a round trip */
	begin(&u, &xtcp_cc_reno, 30);
	u_run(&u, RTT);
	ack(&u, 30);
	is(xtcp_delivery_rate(&u.t), 30 * MSS * 25, "delivery rate: a burst counts a round trip");
	u_free(&u);
}

static void rate_app_limited(void)
{
	struct u u;

	begin(&u, &xtcp_cc_reno, 60);
	u.t.ssthresh = 30;
	u_run(&u, RTT);
	ack(&u, 30);
	ok(u.t.rate_app_limited, "app-limited: nothing was in flight when it was written");
	u_run(&u, RTT);
	ack(&u, 60);
	ok(!u.t.rate_app_limited, "app-limited: cwnd was full");
	u_send(&u, 2 * MSS);
	u_run(&u, RTT);
	ack(&u, 62);
	is(xtcp_delivery_rate(&u.t), 30 * MSS * 25,
	   "app-limited: a lower rate for want of data is not taken");
	u.t.rate_bytes = 1;
	u_send(&u, 2 * MSS);
	u_run(&u, RTT);
	ack(&u, 64);
	is(xtcp_delivery_rate(&u.t), 2 * MSS * 25, "app-limited: a higher one is");
	ok(u.t.rate_app_limited, "app-limited: and it is told");
	u.t.dev_busy = 1;
	u.t.app_limited = 0;
	u_send(&u, 2 * MSS);
	is(u.t.app_limited, 0, "app-limited: not while the device has work");
	u_free(&u);
}

static void rate_sack(void)
{
	struct xtcp_seg g;
	struct u u;

	begin(&u, &xtcp_cc_reno, 10);
	u_run(&u, RTT);
	g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 0);
	g.opt.nsack = 1;
	g.opt.sack[0].start = ISS + 1 + 2 * MSS;
	g.opt.sack[0].end = ISS + 1 + 10 * MSS;
	u_rx(&u, &g);
	is(xtcp_delivery_rate(&u.t), 8 * MSS * 25, "delivery rate: what is sacked is delivered");
	u_run(&u, RTT / 2);
	ack(&u, 10);
	is(u.t.rs_bytes, 1 + 10 * MSS, "delivery rate: and once only");
	u_free(&u);
}

/* ---- BBR, where the simulator of selftests/flows does not look */

/* A connection that fell idle while BBR probed for the bare round trip. */
static void bbr_idle_in_probe(u32 days)
{
	struct u u;
	u32 i;

	begin(&u, &xtcp_cc_bbr, 0);
	for (i = 0; i < 2000 && !u.t.ca.bbr.probe_end_ms; i++) {
		u_clear(&u);
		u_send(&u, 3 * MSS);
		u_run(&u, RTT + (i > 20) * MS);
		u_seg(&u, XTCP_ACK, IRS + 1, u.t.s.snd_nxt - MSS, 0);
	}
	ok(u.t.ca.bbr.probe_end_ms && u.t.cwnd <= 4, "bbr: probes for the round trip (%u)",
	   u.t.cwnd);
	u_seg(&u, XTCP_ACK, IRS + 1, u.t.s.snd_nxt, 0);
	u.now += days * 24ULL * 3600 * SEC;
	for (i = 0; i < 100 && u.t.cwnd <= 4; i++) {
		u_clear(&u);
		u_send(&u, 30 * MSS);
		u_run(&u, RTT);
		u_seg(&u, XTCP_ACK, IRS + 1, u.t.s.snd_nxt, 0);
	}
	ok(u.t.cwnd > 4, "bbr: %u days later that is over (%u)", days, u.t.cwnd);
	u_free(&u);
}

static void bbr_leaves(void)
{
	struct u u;

	begin(&u, &xtcp_cc_bbr, 30);
	ok(u.t.paced && u.t.pacing_rate != XTCP_RATE_MAX, "bbr: paced from the start");
	u_run(&u, RTT);
	/* three segments above a hole, and on till it is a loss */
	{
		struct xtcp_seg g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 0);

		g.opt.nsack = 1;
		g.opt.sack[0].start = ISS + 1 + MSS;
		g.opt.sack[0].end = ISS + 1 + 5 * MSS;
		u_rx(&u, &g);
	}
	is(u.t.ca_state, XTCP_CA_RECOVERY, "bbr: in recovery");
	ok(u.t.ssthresh == XTCP_INF_SSTHRESH, "bbr: a loss sets no threshold");
	/* the user chooses another one meanwhile */
	u.t.cc = &xtcp_cc_cubic;
	u.t.cc->init(&u.t, u.now);
	u_run(&u, 100 * MS);
	ack(&u, u.t.s.snd_nxt - ISS - 1 > 0 ? (u.t.s.snd_nxt - ISS - 1) / MSS : 0);
	ok(u.t.ca_state == XTCP_CA_OPEN && u.t.cwnd < 100,
	   "bbr: whoever follows it in a recovery inherits no boundless window (%u)", u.t.cwnd);
	u_free(&u);
}

void test_pace(void)
{
	pieces();
	waits();
	waits_window();
	ratios();
	paced();
	paced_alone();
	paced_rexmit();
	full();
	full_cwnd();
	rate_steady();
	rate_bunch();
	rate_app_limited();
	rate_sack();
	bbr_leaves();
	bbr_idle_in_probe(1);
	bbr_idle_in_probe(26);
	bbr_idle_in_probe(48);
}
