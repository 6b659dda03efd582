// SPDX-License-Identifier: GPL-2.0
/* Schedules of opening and closing, their knobs, and the bound on every orphan. */
#include "unit.h"

/* Offsets of the segments sent since u_clear(), in ms from @t0. */
static void is_times(const struct u *u, u64 t0, const char *want, const char *what)
{
	char buf[1024] = "";
	unsigned int i;
	int n = 0;

	for (i = 0; i < u->n_out && n < 1000; i++)
		n += snprintf(buf + n, sizeof(buf) - n, "%s%llu", i ? " " : "",
			      (unsigned long long)((u->out_us[i] - t0) / 1000));
	ok(!strcmp(buf, want), "%s", what);
	if (strcmp(buf, want))
		printf("#   got %s\n#   want %s\n", buf, want);
}

/* ---- SYN and SYN-ACK */

/* 4-41, 4-42, 4-45, D-1, X-12: Linux's figures for each pair of knobs */
static void syn_linear(void)
{
	static const struct { int retries, linear; u32 end_ms; const char *at; } row[] = {
		{ 5, 0, 63000, "0 1000 3000 7000 15000 31000" },
		{ 3, 0, 15000, "0 1000 3000 7000" },
		{ 2, 0, 7000, "0 1000 3000" },
		{ 1, 0, 3000, "0 1000" },
		{ 5, 1, 64000, "0 1000 2000 4000 8000 16000 32000" },
		{ 5, 4, 67000, "0 1000 2000 3000 4000 5000 7000 11000 19000 35000" },
		{ 6, 4, 131000, "0 1000 2000 3000 4000 5000 7000 11000 19000 35000 67000" },
		{ 2, 4, 7000, "0 1000 2000 3000 4000 5000" },
	};
	unsigned int i;
	char what[80];
	struct u u;
	u64 t0;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		u_init(&u);
		u.p.tcp_syn_retries = row[i].retries;
		u.p.tcp_syn_linear_timeouts = row[i].linear;
		t0 = u.now;
		u_open(&u);
		u_run(&u, 3600 * SEC);
		snprintf(what, sizeof(what), "%d SYN retries, %d linear", row[i].retries,
			 row[i].linear);
		is_times(&u, t0, row[i].at, what);
		is((u.now - t0) / MS, row[i].end_ms, "%s: the end (SEEDS 4-41, D-1, X-12)", what);
		is(u.err, ETIMEDOUT, "%s: ETIMEDOUT", what);
		u_free(&u);
	}
}

static void syn_init_rto(void)
{
	struct xtcp_seg g;
	struct xtcp_rq rq;
	struct u u;
	u64 t0;

	u_init(&u);
	u.p.tcp_init_rto_ms = 100;
	u.t.init_rto_ms = 250;
	t0 = u.now;
	u_open(&u);
	u_run(&u, 3600 * SEC);
	is_times(&u, t0, "0 250 750 1750 3750 7750",
		 "XTCP_INIT_RTO_MS goes before tcp_init_rto_ms (SEEDS D-2)");
	is((u.now - t0) / MS, 15750, "... 63 times the first timeout");
	u_free(&u);

	u_init(&u);
	g = u_mk(&u, XTCP_SYN, IRS, 0, 0);
	xtcp_rq_init(&rq, &u.p, &g, false, ISS, 0, u.rcvbuf, 0, u.now);
	u.p.tcp_init_rto_ms = 700;
	is(xtcp_rq_timeout_us(&rq, &u.p, 0), 700 * MS, "SYN-ACK: tcp_init_rto_ms by default");
	u.p.tcp_synack_rto_ms = 300;
	is(xtcp_rq_timeout_us(&rq, &u.p, 0), 300 * MS, "SYN-ACK: tcp_synack_rto_ms (SEEDS D-2)");
	u.p.tcp_synack_rto_ms = 1;
	is(xtcp_rq_timeout_us(&rq, &u.p, 0), 10 * MS, "SYN-ACK: at least 10 ms");
	is(xtcp_rq_timeout_us(&rq, &u.p, 50), 50 * MS, "SYN-ACK: the listener's own first");
	u_open(&u);
	is(u_deadline(&u), 700 * MS, "tcp_synack_rto_ms does not touch the SYN");
	u_free(&u);
}

/* XTCP_CONNECT_TIMEOUT_MS: exactly then, whatever the SYNs do */
static void connect_deadline(void)
{
	static const struct { u32 ms, end_ms; const char *at; } row[] = {
		{ 2500, 2500, "0 1000" },
		{ 1000, 1000, "0" },		/* due with a SYN: no SYN any more */
		{ 1, 1, "0" },
		{ 3001, 3001, "0 1000 3000" },
		{ 100000, 63000, "0 1000 3000 7000 15000 31000" },
	};
	unsigned int i;
	struct u u;
	u64 t0;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		u_init(&u);
		u.t.connect_timeout_ms = row[i].ms;
		t0 = u.now;
		u_open(&u);
		u_run(&u, 3600 * SEC);
		is_times(&u, t0, row[i].at, "connect deadline: SYNs before it");
		is((u.now - t0) / MS, row[i].end_ms, "connect deadline %u ms", row[i].ms);
		is(u.err, ETIMEDOUT, "connect deadline %u ms: ETIMEDOUT", row[i].ms);
		u_free(&u);
	}
	u_init(&u);
	u.t.connect_timeout_ms = 5000;
	u_to(&u, XTCP_ESTABLISHED);
	u_run(&u, 3600 * SEC);
	is(u.t.state, XTCP_ESTABLISHED, "connect deadline: met, then forgotten");
	u_free(&u);
	u_init(&u);
	u.t.connect_timeout_ms = 5000;
	t0 = u.now;
	u_open(&u);
	u_seg(&u, XTCP_SYN, IRS, 0, 0);
	is(u.t.state, XTCP_SYN_RECV, "simultaneous open under a deadline");
	u_run(&u, 3600 * SEC);
	is((u.now - t0) / MS, 5000, "connect deadline: of a simultaneous open, too");
	u_free(&u);
}

/*
 * @segs segments of @len bytes without an answer: how often the timer fires at the same
 * pace before the timeout doubles
 */
static unsigned int linear_timeouts(struct u *u, u32 segs, u32 len)
{
	unsigned int n = 0;
	u64 rto_us;

	u->t.nodelay = 1;
	while (segs--)
		u_send(u, len);
	rto_us = u->t.rto_us;
	while (u_deadline(u) == rto_us && n < 20) {
		u_run(u, rto_us);
		n++;
	}
	is(u_deadline(u), 2 * rto_us, "thin: ... then twice as long");
	return n;
}

static void thin(void)
{
	static const struct { u32 segs, len; unsigned int linear; const char *what; } row[] = {
		{ 1, 10, 7, "one small segment" },
		{ 3, MSS, 7, "three segments" },
		{ 4, MSS, 1, "four are not thin" },
		{ 4, 10, 7, "four of them that go again as one" },
	};
	struct xtcp_opts o = { .mss = MSS };
	struct xtcp_tcb child;
	unsigned int i;
	struct u u;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		u_init(&u);
		u.p.tcp_thin_linear_timeouts = 1;
		u_open_opts(&u, &o);
		is(linear_timeouts(&u, row[i].segs, row[i].len), row[i].linear,
		   "tcp_thin_linear_timeouts: %s", row[i].what);
		u_free(&u);
	}
	u_init(&u);
	u_open_opts(&u, &o);
	is(linear_timeouts(&u, 1, 10), 1, "tcp_thin_linear_timeouts 0: each is longer");
	u_free(&u);
	u_init(&u);
	u.t.thin_lto = 1;
	u_open_opts(&u, &o);
	is(linear_timeouts(&u, 1, 10), 7, "TCP_THIN_LINEAR_TIMEOUTS: as the knob");
	xtcp_tcb_init(&child, &u.p, false);
	xtcp_tcb_inherit(&child, &u.t);
	is(child.thin_lto, 1, "TCP_THIN_LINEAR_TIMEOUTS: is inherited");
	u_free(&u);
	u_init(&u);
	u.p.tcp_thin_linear_timeouts = 1;
	u_to(&u, XTCP_CLOSE_WAIT);
	is(linear_timeouts(&u, 1, 10), 1, "thin: not in CLOSE_WAIT");
	u_free(&u);
}

/* A tick of lateness at each firing stays a tick; it does not add up. */
static void late_timers(void)
{
	static const u32 late_us = 4 * MS;
	unsigned int i;
	struct u u;
	u64 t0, d;

	u_init(&u);
	t0 = u.now;
	u_open(&u);
	while (!u.over && (d = xtcp_next_deadline(&u.t))) {
		u.now = d + late_us;
		u_prep(&u);
		xtcp_timeout(&u.t, u.now, &u.v);
		u_step(&u);
	}
	for (i = 1; i < u.n_out; i++)
		is(u.out_us[i] - t0, ((1u << i) - 1) * SEC + late_us,
		   "late timers: SYN %u is late by one tick only", i);
	is(u.n_out, 6, "late timers: six SYNs");
	is(u.now - t0, 63 * SEC + late_us, "late timers: 63 s and one tick (SEEDS 4-41)");
	u_free(&u);
}

/* ---- closing */

static const u8 closing[] = { XTCP_FIN_WAIT1, XTCP_CLOSING, XTCP_LAST_ACK };

/* Close in the state before, or after shutdown(); the FIN may not have been acknowledged. */
static void orphan_in(struct u *u, u8 state)
{
	switch (state) {
	case XTCP_FIN_WAIT1:
		u_to(u, XTCP_ESTABLISHED);
		break;
	case XTCP_LAST_ACK:
		u_to(u, XTCP_CLOSE_WAIT);
		break;
	default:
		u_to(u, state);
	}
	u_close(u, 0);
	if (u->t.state != state)
		ok(false, "orphan is in %s, not %s", xtcp_state_name(u->t.state),
		   xtcp_state_name(state));
}

/* SEEDS D-3: N retransmissions, then twice the last timeout; the socket's N goes first */
static void orphan_retries(void)
{
	static const struct { int sock, sysctl; unsigned int n; } row[] = {
		{ -1, 3, 3 }, { -1, 0, 8 }, { 1, 5, 1 }, { 0, 2, 8 }, { 12, 1, 12 },
	};
	unsigned int i, k;
	struct u u;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		for (k = 0; k < ARRAY_SIZE(closing); k++) {
			const char *st = xtcp_state_name(closing[k]);
			u64 last;

			u_init(&u);
			u.p.tcp_orphan_retries = row[i].sysctl;
			u.t.orphan_retries = row[i].sock;
			orphan_in(&u, closing[k]);
			u_clear(&u);
			u_run(&u, 7200 * SEC);
			is(u.n_out, row[i].n, "%s, XTCP_ORPHAN_RETRIES %d, sysctl %d (SEEDS D-3)",
			   st, row[i].sock, row[i].sysctl);
			is(u.t.state, XTCP_CLOSE, "%s: ends", st);
			ok(!(u.v.flags & XTCP_V_REPLY), "%s: silently (SEEDS D-15)", st);
			if (u.n_out < 2)
				goto next;
			last = u.out_us[u.n_out - 1] - u.out_us[u.n_out - 2];
			is(u.now - u.out_us[u.n_out - 1],
			   min_t(u64, 2 * last, u.p.tcp_rto_max_ms * MS),
			   "%s: after twice the last timeout (SEEDS 4-66)", st);
next:
			u_free(&u);
		}
	}
}

static void orphan_rst(void)
{
	unsigned int k;
	struct u u;

	for (k = 0; k < ARRAY_SIZE(closing); k++) {
		u_init(&u);
		u.p.tcp_orphan_retries = 1;
		u.p.tcp_orphan_rst = 1;
		orphan_in(&u, closing[k]);
		u_run(&u, 7200 * SEC);
		ok(u.t.state == XTCP_CLOSE && u_answer(&u) == 'R',
		   "tcp_orphan_rst: RST at the end of %s (SEEDS D-15, 1-18)",
		   xtcp_state_name(closing[k]));
		u_free(&u);
	}
	u_init(&u);
	u.p.tcp_orphan_rst = 1;
	u.p.tcp_retries2 = 2;
	u_to(&u, XTCP_ESTABLISHED);
	u_send(&u, 10);
	u_run(&u, 7200 * SEC);
	ok(u.over && u_answer(&u) != 'R', "tcp_orphan_rst is about orphans only");
	u_free(&u);
}

/* SEEDS 4-11: limits are looked at again whenever an orphan's timer fires */
static void orphan_memory(void)
{
	unsigned int k;
	struct u u;

	for (k = 0; k < ARRAY_SIZE(closing); k++) {
		u_init(&u);
		orphan_in(&u, closing[k]);
		u_run(&u, u_deadline(&u));
		is(u.t.state, closing[k], "orphan in %s lives", xtcp_state_name(closing[k]));
		u.t.no_resources = 1;
		u_run(&u, u_deadline(&u));
		ok(u.t.state == XTCP_CLOSE && u_answer(&u) == 'R',
		   "no resources: reset at the next timeout (SEEDS 4-11)");
		ok(u_counted(&u, XTCP_MIB_ABORT_ON_MEMORY), "no resources: counted");
		u_free(&u);
	}
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u.t.no_resources = 1;
	u_send(&u, 10);
	u_run(&u, 10 * SEC);
	is(u.t.state, XTCP_ESTABLISHED, "no resources: not the users' fault");
	u_free(&u);
}

/* ---- no orphan is for ever */

enum peer { SILENT, NO_WAY_OUT, ZERO_WINDOW };

/* Time passes; nothing can be sent, or every probe is answered with window 0. */
static void pass(struct u *u, u64 us, enum peer peer)
{
	u64 end = u->now + us, d;
	unsigned int n = 0;
	struct xtcp_seg g;
	struct xtcp_xmit x;

	while (!u->over && (d = xtcp_next_deadline(&u->t)) && d <= end && ++n < 100000000) {
		u->now = max_t(u64, u->now, d);
		u_prep(u);
		xtcp_timeout(&u->t, u->now, &u->v);
		if (peer == NO_WAY_OUT) {
			if (u->v.flags & XTCP_V_OUTPUT &&
			    xtcp_output_next(&u->t, u->now, &x))
				xtcp_output_failed(&u->t, u->now);
			u->v.flags &= ~(u32)XTCP_V_OUTPUT;
		}
		u_clear(u);
		u_step(u);
		if (peer == ZERO_WINDOW && u->n_out && !u->over) {
			g = u_mk(u, XTCP_ACK, u->t.s.rcv_nxt, u->t.s.snd_una, 0);
			g.wnd = 0;
			u_rx(u, &g);
		}
	}
}

/* The FIN, and data before it, wait for a window or a route. */
static void orphan_waiting(struct u *u, u8 state, enum peer peer)
{
	struct xtcp_seg g;
	struct xtcp_xmit x;

	u_to(u, state == XTCP_LAST_ACK ? XTCP_CLOSE_WAIT : XTCP_ESTABLISHED);
	if (peer == ZERO_WINDOW) {
		g = u_mk(u, XTCP_ACK, u->t.s.rcv_nxt, u->t.s.snd_una, 0);
		g.wnd = 0;
		u_rx(u, &g);
		u_send(u, 100);
	}
	u_prep(u);
	xtcp_user_close(&u->t, 0, u->now, &u->v);
	if (peer == NO_WAY_OUT) {
		if (xtcp_output_next(&u->t, u->now, &x))
			xtcp_output_failed(&u->t, u->now);
		u->v.flags &= ~(u32)XTCP_V_OUTPUT;
	}
	u_step(u);
	if (state != XTCP_CLOSING)
		return;
	/* the peer closes, too, and has not heard of our FIN */
	g = u_mk(u, XTCP_ACK | XTCP_FIN, u->t.s.rcv_nxt, u->t.s.snd_una, 0);
	g.wnd = peer == ZERO_WINDOW ? 0 : WND;
	u_prep(u);
	xtcp_segment_arrives(&u->t, &g, u->now, &u->v);
	if (peer == NO_WAY_OUT && u->v.flags & XTCP_V_OUTPUT) {
		if (xtcp_output_next(&u->t, u->now, &x))
			xtcp_output_failed(&u->t, u->now);
		u->v.flags &= ~(u32)XTCP_V_OUTPUT;
	}
	u_step(u);
}

/* What there is to send the test takes from the core itself. */
static void hand_over(struct u *u, u32 n)
{
	u_prep(u);
	xtcp_user_send(&u->t, n, false, false, u->now, &u->v);
	u->v.flags &= ~(u32)XTCP_V_OUTPUT;
}

static void begin(struct u *u)
{
	u_prep(u);
	xtcp_open_active(&u->t, ISS, 0, u->now, &u->v);
	u->v.flags &= ~(u32)XTCP_V_OUTPUT;
}

/* The queue below drops what we send (Linux: tcp_enter_cwr() and half a second). */
static void refused(void)
{
	struct xtcp_xmit x;
	struct u u;
	u64 t0;
	u32 n;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u.t.nodelay = 1;
	u_send(&u, 100);
	u_clear(&u);
	n = u.t.cwnd;
	hand_over(&u, 100);
	ok(xtcp_output_next(&u.t, u.now, &x) && !xtcp_output_refused(&u.t, &x, u.now),
	   "data that the queue below drops is not sent");
	is(u.t.ca_state, XTCP_CA_CWR, "... but there is congestion");
	ok(u.t.ssthresh < n, "... half the window, or so (%u of %u)", u.t.ssthresh, n);
	is(xtcp_unsent(&u.t), 100, "... and the bytes are still to be sent");
	u.t.ack_sched = 1;
	u.t.ack_now = 1;
	ok(xtcp_output_next(&u.t, u.now, &x) && x.kind == XTCP_X_ACK && !x.len,
	   "... an ACK goes without them");
	xtcp_output_sent(&u.t, &x, u.now);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	ok(u.n_out == 1 && u.out[0].len == 100, "an ACK lets it go");
	u_free(&u);

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	hand_over(&u, 100);
	xtcp_output_next(&u.t, u.now, &x);
	xtcp_output_refused(&u.t, &x, u.now);
	t0 = u.now;
	u_clear(&u);
	while (!u.n_out && u.now - t0 < SEC)
		u_run(&u, 10 * MS);
	ok(u.n_out && u.out[0].len == 100 && u.now - t0 >= 190 * MS && u.now - t0 <= 500 * MS,
	   "nothing in flight: again after a timeout, and not at once (%llu ms)",
	   (unsigned long long)((u.now - t0) / MS));
	u_free(&u);

	u_init(&u);
	begin(&u);
	ok(xtcp_output_next(&u.t, u.now, &x) && xtcp_output_refused(&u.t, &x, u.now),
	   "a SYN that the queue below drops is lost on the way");
	xtcp_output_sent(&u.t, &x, u.now);
	u_free(&u);
}

static void orphans_end(void)
{
	static const char * const who[] = { "silent peer", "no way out", "zero window" };
	static const int retries[] = { 0, 1, 15 };
	unsigned int i, k, n;
	struct u u;
	u64 t0;

	for (i = 0; i < ARRAY_SIZE(closing); i++) {
		for (k = SILENT; k <= ZERO_WINDOW; k++) {
			for (n = 0; n < ARRAY_SIZE(retries); n++) {
				u_init(&u);
				u.p.tcp_orphan_retries = retries[n];
				orphan_waiting(&u, closing[i], k);
				is(u.t.state, closing[i], "%s: orphan", who[k]);
				t0 = u.now;
				pass(&u, 86400 * SEC, k);
				is(u.t.state, XTCP_CLOSE,
				   "%s: %s of an orphan ends, retries %d, %llu s (SEEDS X-18)",
				   who[k], xtcp_state_name(closing[i]), retries[n],
				   (unsigned long long)((u.now - t0) / SEC));
				u_free(&u);
			}
		}
	}
	/* the same before there is a connection */
	u_init(&u);
	u_to(&u, XTCP_SYN_RECV);
	u_close(&u, 0);
	u_run(&u, 86400 * SEC);
	is(u.t.state, XTCP_CLOSE, "closed in SYN_RECV: ends");
	u_free(&u);
	u_init(&u);
	t0 = u.now;
	begin(&u);
	xtcp_output_failed(&u.t, u.now);
	u_step(&u);
	pass(&u, 86400 * SEC, NO_WAY_OUT);
	is((u.now - t0) / MS, 63000, "a SYN that cannot be sent fails after 63 s as well");
	is(u.err, ETIMEDOUT, "... with ETIMEDOUT");
	u_free(&u);
}

/* ---- R2 and the user timeout */

/* 15 retransmissions in Linux's sense: the first timeout after the time they would take */
static void retries2(void)
{
	static const struct { int retries2; u64 ms; } row[] = {
		{ 15, 924600 }, { 8, 102200 }, { 3, 3000 },
	};
	struct u u;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		u_init(&u);
		u.p.tcp_retries2 = row[i].retries2;
		u_open_opts(&u, NULL);
		u_send(&u, 10);
		u_clear(&u);
		u_run(&u, 7200 * SEC);
		ok(u.over && u.n_out >= 2 && u.now - u.out_us[0] >= row[i].ms * MS &&
		   u.out_us[u.n_out - 1] - u.out_us[0] < row[i].ms * MS,
		   "tcp_retries2 %d: %llu ms of retransmissions", row[i].retries2,
		   (unsigned long long)row[i].ms);
		is(u.err, ETIMEDOUT, "tcp_retries2 %d: ETIMEDOUT", row[i].retries2);
		u_free(&u);
	}
}

static void keepalive_user_timeout(void)
{
	struct u u;
	u64 t0;

	u_init(&u);
	u.t.keepalive = 1;
	u.t.keep_idle_ms = 1000;
	u.t.keep_intvl_ms = 1000;
	u.t.keep_cnt = 9;
	u.t.user_timeout_ms = 2500;
	u_to(&u, XTCP_ESTABLISHED);
	t0 = u.now;
	u_run(&u, 100 * SEC);
	is_times(&u, t0, "1000 2000", "keepalive with TCP_USER_TIMEOUT 2.5 s: two probes");
	is((u.now - t0) / MS, 3000, "... and the end at the probe after it (SEEDS 4-116)");
	u_free(&u);
}

void test_sched(void)
{
	syn_linear();
	syn_init_rto();
	connect_deadline();
	thin();
	late_timers();
	orphan_retries();
	orphan_rst();
	orphan_memory();
	refused();
	orphans_end();
	retries2();
	keepalive_user_timeout();
}
