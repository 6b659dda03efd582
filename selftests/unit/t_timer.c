// SPDX-License-Identifier: GPL-2.0
/* Closing, retransmission timeouts, schedules, keepalive, ICMP errors. */
#include "unit.h"
#include "../../src/core/optval.h"

/* Offsets of the segments sent since u_clear(), in ms from @t0; "0 1000 3000". */
static const char *times(const struct u *u, u64 t0, char buf[256])
{
	unsigned int i;
	int n = 0;

	buf[0] = 0;
	for (i = 0; i < u->n_out && n < 230; i++)
		n += snprintf(buf + n, 256 - n, "%s%llu", i ? " " : "",
			      (unsigned long long)((u->out_us[i] - t0) / 1000));
	return buf;
}

static void is_times(const struct u *u, u64 t0, const char *want, const char *what)
{
	char buf[256];

	ok(!strcmp(times(u, t0, buf), want), "%s", what);
	if (strcmp(buf, want))
		printf("#   got %s\n#   want %s\n", buf, want);
}

/* ---- RFC 9293 3.6, 3.10.4: the ways to close */

static void active_close(void)
{
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_send(&u, 10);
	u_clear(&u);
	u_shutdown(&u);
	is(u.t.state, XTCP_FIN_WAIT1, "close: FIN_WAIT1");
	ok(u.n_out == 1 && u.out[0].flags == (XTCP_FIN | XTCP_ACK) && u.out[0].seq == ISS + 11,
	   "close: FIN|ACK after the data (SEEDS 0-12)");
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 11, 0);
	is(u.t.state, XTCP_FIN_WAIT1, "close: an ACK of the data only changes nothing");
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 12, 0);
	is(u.t.state, XTCP_FIN_WAIT2, "close: ACK of the FIN: FIN_WAIT2");
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 12, 10);
	ok(u.flags & XTCP_V_DELIVER, "half-closed: data still arrives (SEEDS 1-4)");
	u_clear(&u);
	u_seg(&u, XTCP_ACK | XTCP_FIN, IRS + 11, ISS + 12, 0);
	ok(u.t.state == XTCP_TIME_WAIT && u.flags & XTCP_V_TIMEWAIT, "close: FIN: TIME_WAIT");
	ok(u_answer(&u) == 'A', "close: the last ACK goes out (RFC 9293 3.6)");
	u_free(&u);
	/* three segments: FIN rides on data, the peer's FIN acknowledges (SEEDS 0-10, 1-3) */
	u_init(&u);
	u.t.cork = 1;
	u_to(&u, XTCP_ESTABLISHED);
	u_send(&u, 4);
	is(u.n_out, 0, "cork holds a partial segment");
	u_shutdown(&u);
	ok(u.n_out == 1 && u.out[0].len == 4 && u.out[0].flags & XTCP_FIN,
	   "the FIN rides on the last data (SEEDS 1-3)");
	u_seg(&u, XTCP_ACK | XTCP_FIN, IRS + 1, ISS + 6, 0);
	is(u.t.state, XTCP_TIME_WAIT, "FIN with the ACK of ours: FIN_WAIT1 to TIME_WAIT");
	u_free(&u);
}

static void passive_close(void)
{
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_CLOSE_WAIT);
	u_send(&u, 10);
	ok(u.n_out == 1 && u.out[0].len == 10, "CLOSE_WAIT still sends (SEEDS 0-11)");
	u_run(&u, 10 * SEC);
	is(u.t.state, XTCP_CLOSE_WAIT, "CLOSE_WAIT has no timer of its own (SEEDS 0-21)");
	u_seg(&u, XTCP_ACK, IRS + 2, ISS + 11, 0);
	u_clear(&u);
	u_close(&u, 0);
	is(u.t.state, XTCP_LAST_ACK, "close in CLOSE_WAIT: LAST_ACK");
	ok(u.n_out == 1 && u.out[0].flags & XTCP_FIN, "... with a FIN");
	u_seg(&u, XTCP_ACK, IRS + 2, ISS + 12, 0);
	ok(u.t.state == XTCP_CLOSE && u.flags & XTCP_V_CLOSED,
	   "the last ACK ends it at once (SEEDS 1-12)");
	u_free(&u);
	/* simultaneous close: CLOSING (RFC 9293 fig. 13, SEEDS X-1) */
	u_init(&u);
	u_to(&u, XTCP_CLOSING);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	is(u.t.state, XTCP_TIME_WAIT, "simultaneous close: CLOSING to TIME_WAIT");
	u_free(&u);
}

static void aborts(void)
{
	static const u8 st[] = {
		XTCP_SYN_RECV, XTCP_ESTABLISHED, XTCP_FIN_WAIT1, XTCP_FIN_WAIT2,
		XTCP_CLOSE_WAIT, XTCP_CLOSING, XTCP_LAST_ACK,
	};
	unsigned int i;
	struct u u;

	for (i = 0; i < ARRAY_SIZE(st); i++) {
		/* 3.10.5: RST for SYN_RECV, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT */
		bool rst = st[i] != XTCP_CLOSING && st[i] != XTCP_LAST_ACK;

		u_init(&u);
		u_to(&u, st[i]);
		u_abort(&u);
		is(u.t.state, XTCP_CLOSE, "abort in %s: CLOSE", xtcp_state_name(st[i]));
		if (rst)
			is(u_answer(&u), 'R', "abort in %s: RST", xtcp_state_name(st[i]));
		u_free(&u);
	}
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_close(&u, 5);
	ok(u.t.state == XTCP_CLOSE && u_answer(&u) == 'R',
	   "close with unread data: RST (RFC 2525 2.17, SEEDS X-7)");
	u_free(&u);
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_close(&u, 0);
	is(u.t.state, XTCP_FIN_WAIT1, "close with nothing unread: FIN");
	u_clear(&u);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 10);
	is(u.v.drop, XTCP_DROP_AFTER_CLOSE, "data after close: drop reason");
	ok(u.t.state == XTCP_CLOSE && u_answer(&u) == 'R', "data after close: RST (SEEDS X-8)");
	u_free(&u);
	/* a FIN alone after close is no data */
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_close(&u, 0);
	u_seg(&u, XTCP_ACK | XTCP_FIN, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	is(u.t.state, XTCP_TIME_WAIT, "FIN after close: TIME_WAIT, no RST");
	u_free(&u);
}

static void fin_wait2(void)
{
	struct u u;
	u64 t0;

	u_init(&u);
	u.p.tcp_fin_timeout = 5;
	u_to(&u, XTCP_ESTABLISHED);
	u_close(&u, 0);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	is(u.t.state, XTCP_FIN_WAIT2, "closed socket: FIN_WAIT2");
	t0 = u.now;
	u_run(&u, 3600 * SEC);
	is((u.now - t0) / MS, 5000, "closed socket: FIN_WAIT2 lasts tcp_fin_timeout (SEEDS 4-71)");
	is(u.t.state, XTCP_CLOSE, "... and ends");
	u_free(&u);
	u_init(&u);
	u.p.tcp_fin_timeout = 3;
	u_to(&u, XTCP_FIN_WAIT2);
	u_run(&u, 3600 * SEC);
	is(u.t.state, XTCP_FIN_WAIT2, "shutdown(): FIN_WAIT2 is unbounded (SEEDS 4-72)");
	t0 = u.now;
	u_close(&u, 0);
	u_run(&u, 3600 * SEC);
	is((u.now - t0) / MS, 3000, "... until close() (SEEDS 4-72)");
	u_free(&u);
	u_init(&u);
	u.t.linger2_ms = -1;
	u_to(&u, XTCP_ESTABLISHED);
	u_close(&u, 0);
	u_clear(&u);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	ok(u.t.state == XTCP_CLOSE && u_answer(&u) == 'R',
	   "TCP_LINGER2 -1: RST instead of FIN_WAIT2 (SEEDS X-11)");
	u_free(&u);
	u_init(&u);
	u.t.linger2_ms = 2000;
	u_to(&u, XTCP_ESTABLISHED);
	u_close(&u, 0);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	t0 = u.now;
	u_run(&u, 3600 * SEC);
	is((u.now - t0) / MS, 2000, "TCP_LINGER2 2 s: FIN_WAIT2 lasts 2 s (SEEDS X-11)");
	u_free(&u);
}

void test_life(void)
{
	active_close();
	passive_close();
	aborts();
	fin_wait2();
}

/* ---- RFC 6298 */

/* Send 10 bytes, get the ACK @rtt later. */
static void exchange(struct u *u, u64 rtt)
{
	u_send(u, 10);
	u->now += rtt;
	u_seg(u, XTCP_ACK, u->t.s.rcv_nxt, u->t.s.snd_nxt, 0);
}

void test_rto(void)
{
	struct u u;
	u64 t0, rto;
	u32 i;

	u_init(&u);
	u_open(&u);
	is(u.t.rto_us, SEC, "RTO is 1 s before the first sample (RFC 6298 2.1)");
	u.now += 100 * MS;
	u_seg(&u, XTCP_SYN | XTCP_ACK, IRS, ISS + 1, 0);
	is(u.t.srtt_us >> 3, 100 * MS, "first sample: SRTT = R (2.2)");
	is(u.t.rto_us, 100 * MS + max_t(u64, 4 * 50 * MS, 200 * MS),
	   "first sample: RTO = R + max(4 * R/2, rto_min) (2.2, 2.4)");
	for (i = 0; i < 100; i++)
		exchange(&u, 100 * MS);
	is((u.t.srtt_us >> 3) / MS, 100, "steady samples: SRTT = R");
	is(u.t.rto_us / MS, 300, "steady samples: the variance is floored at rto_min (2.4)");
	for (i = 0; i < 200; i++)
		exchange(&u, i & 1 ? 100 * MS : 500 * MS);
	ok(u.t.rto_us > 700 * MS && u.t.rto_us < 3 * SEC, "jumping samples: the variance counts");
	u_free(&u);
	/* the least RTO: the namespace's, before it the socket's, before that the route's */
	u_init(&u);
	ok(!xtcp_opt_tcp(&u.t, TCP_RTO_MIN_US, 20000) && u.t.rto_min_us == 20000 &&
	   xtcp_opt_tcp(&u.t, TCP_RTO_MIN_US, 200001) == -EINVAL &&
	   xtcp_opt_tcp(&u.t, TCP_RTO_MIN_US, 999) == -EINVAL && u.t.rto_min_us == 20000,
	   "TCP_RTO_MIN_US: 1000 to 200000");
	u_open_opts(&u, NULL);
	for (i = 0; i < 20; i++)
		exchange(&u, 10 * MS);
	ok(u.t.rto_us >= 29 * MS && u.t.rto_us <= 31 * MS, "a socket's own rto_min");
	u.t.route_rto_min_ms = 400;
	for (i = 0; i < 20; i++)
		exchange(&u, 10 * MS);
	ok(u.t.rto_us >= 400 * MS && u.t.rto_us <= 420 * MS, "a route's rto_min goes first");
	u_free(&u);
	/* Karn: no sample from a retransmitted segment; back-off stays until a new sample */
	u_init(&u);
	u_open_opts(&u, NULL);
	for (i = 0; i < 20; i++)
		exchange(&u, 10 * MS);
	rto = u.t.rto_us;
	ok(rto >= 200 * MS && rto <= 220 * MS, "short path: RTO is srtt + rto_min");
	u_send(&u, 10);
	u_clear(&u);
	t0 = u.now;
	u_run(&u, 2 * SEC);
	ok(u.n_out == 3, "three timeouts in 2 s: 0.2, 0.6, 1.4 (SEEDS D-17)");
	ok(u.n_out >= 3 && (u.out_us[0] - t0) / MS == rto / MS &&
	   (u.out_us[1] - u.out_us[0]) / MS == 2 * rto / MS &&
	   (u.out_us[2] - u.out_us[1]) / MS == 4 * rto / MS, "each timeout doubles (5.5)");
	ok(u.out[0].kind == XTCP_X_REXMIT && u.out[0].seq == u.t.s.snd_una && u.out[0].len == 10,
	   "the earliest segment is retransmitted (5.4)");
	is(u.t.cwnd, 1, "a timeout sets cwnd to 1 (RFC 5681 3.1)");
	i = u.t.srtt_us;
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	is(u.t.srtt_us, i, "no sample from a retransmitted segment (Karn, RFC 6298 3)");
	ok(u_deadline(&u) == 0 || u.t.deadline_us[XTCP_T_REXMIT] == 0,
	   "all acknowledged: the timer is off (5.2)");
	u_free(&u);
	/* upper bound */
	u_init(&u);
	u.p.tcp_rto_max_ms = 3000;
	u_open_opts(&u, NULL);
	u_send(&u, 10);
	u_clear(&u);
	u_run(&u, 30 * SEC);
	ok(u.n_out > 4 && u.out_us[u.n_out - 1] - u.out_us[u.n_out - 2] <= 3 * SEC,
	   "RTO is bounded by tcp_rto_max_ms (2.5)");
	u_free(&u);
	/* the timer restarts with each ACK of new data (5.3) */
	u_init(&u);
	u_open_opts(&u, NULL);
	for (i = 0; i < 20; i++)
		exchange(&u, 10 * MS);
	u.t.nodelay = 1;
	u_send(&u, 10);
	u.now += 100 * MS;
	u_send(&u, 10);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_una + 10, 0);
	ok(u_deadline(&u) >= 180 * MS, "an ACK of new data restarts the timer (5.3)");
	u_free(&u);
}

/* ---- schedules and limits */

static void syn_schedule(void)
{
	struct u u;
	u64 t0;

	u_init(&u);
	t0 = u.now;
	u_open(&u);
	u_run(&u, 3600 * SEC);
	is_times(&u, t0, "0 1000 3000 7000 15000 31000",
		 "SYN at 0, 1, 3, 7, 15, 31 s (SEEDS 4-41)");
	is((u.now - t0) / MS, 63000, "connect() fails after 63 s (SEEDS 4-41, D-1)");
	is(u.err, ETIMEDOUT, "... with ETIMEDOUT");
	u_free(&u);
	u_init(&u);
	u.p.tcp_syn_retries = 3;
	t0 = u.now;
	u_open(&u);
	u_run(&u, 3600 * SEC);
	is_times(&u, t0, "0 1000 3000 7000", "tcp_syn_retries 3 (SEEDS 4-42)");
	is((u.now - t0) / MS, 15000, "... fails after 15 s");
	u_free(&u);
	u_init(&u);
	u.t.syn_retries = 2;
	t0 = u.now;
	u_open(&u);
	u_run(&u, 3600 * SEC);
	is((u.now - t0) / MS, 7000, "TCP_SYNCNT 2: 7 s (SEEDS X-12)");
	u_free(&u);
	u_init(&u);
	u.p.tcp_init_rto_ms = 100;
	t0 = u.now;
	u_open(&u);
	u_run(&u, 3600 * SEC);
	is_times(&u, t0, "0 100 300 700 1500 3100", "tcp_init_rto_ms 100 (SEEDS 4-39, D-2)");
	u_free(&u);
	u_init(&u);
	u.t.user_timeout_ms = 2500;
	t0 = u.now;
	u_open(&u);
	u_run(&u, 3600 * SEC);
	is((u.now - t0) / MS, 2500, "TCP_USER_TIMEOUT bounds connect() (SEEDS X-12)");
	is(u.err, ETIMEDOUT, "... with ETIMEDOUT");
	u_free(&u);
}

/* SEEDS D-3: exactly N retransmissions of the FIN, then twice the last timeout */
static void orphan_schedule(void)
{
	static const struct { int retries; unsigned int n; } row[] = {
		{ 1, 1 }, { 2, 2 }, { 3, 3 }, { 0, 8 },
	};
	unsigned int i, j;
	struct u u;
	char what[80];
	u64 t0, gap;

	for (i = 0; i < 2 * ARRAY_SIZE(row); i++) {
		u_init(&u);
		u.p.tcp_orphan_retries = row[i / 2].retries;
		u_to(&u, i & 1 ? XTCP_CLOSE_WAIT : XTCP_ESTABLISHED);
		t0 = u.now;
		u_close(&u, 0);
		u_run(&u, 3600 * SEC);
		snprintf(what, sizeof(what), "orphan in %s, tcp_orphan_retries %d",
			 i & 1 ? "LAST_ACK" : "FIN_WAIT1", row[i / 2].retries);
		is(u.n_out, row[i / 2].n + 1, "%s: FIN retransmissions (SEEDS D-3)", what);
		for (j = 1, gap = 0; j + 1 < u.n_out; j++)
			gap |= u.out_us[j + 1] - u.out_us[j] != 2 * (u.out_us[j] - u.out_us[j - 1]);
		is(gap, 0, "%s: each timeout doubles", what);
		if (u.n_out > 1)
			is(u.now - u.out_us[u.n_out - 1],
			   2 * (u.out_us[u.n_out - 1] - u.out_us[u.n_out - 2]),
			   "%s: gone after twice the last timeout", what);
		is(u.t.state, XTCP_CLOSE, "%s: CLOSE", what);
		for (j = 0; j < u.n_out; j++)
			if (!(u.out[j].flags & XTCP_FIN) || u.out[j].seq != u.out[0].seq)
				ok(false, "%s: retransmission %u is not the FIN", what, j);
		ok(!(u.v.flags & XTCP_V_REPLY), "%s: silent end, no RST (SEEDS D-15)", what);
		(void)t0;
		u_free(&u);
	}
	/* a shutdown() FIN obeys tcp_retries2 instead (SEEDS 4-73) */
	u_init(&u);
	u.p.tcp_orphan_retries = 2;
	u_to(&u, XTCP_FIN_WAIT1);
	u_run(&u, 100 * SEC);
	is(u.t.state, XTCP_FIN_WAIT1, "shutdown(): FIN goes on past orphan_retries (SEEDS 4-73)");
	u_free(&u);
}

static void data_limits(void)
{
	struct u u;
	u64 t0, took;

	u_init(&u);
	u_open_opts(&u, NULL);
	t0 = u.now;
	u_send(&u, 10);
	u_run(&u, 7200 * SEC);
	took = (u.now - t0) / SEC;
	is(u.err, ETIMEDOUT, "tcp_retries2: data unanswered ends in ETIMEDOUT");
	ok(took >= 800 && took <= 1200, "tcp_retries2 15: about 924 s (took %llu s)",
	   (unsigned long long)took);
	ok(u.flags & XTCP_V_BADROUTE, "tcp_retries1 passed: the route is doubted (3.8.3 R1)");
	u_free(&u);
	u_init(&u);
	u.p.tcp_retries2 = 3;
	u_open_opts(&u, NULL);
	t0 = u.now;
	u_send(&u, 10);
	u_run(&u, 7200 * SEC);
	took = (u.now - t0) / MS;
	ok(u.over && took >= 2000 && took <= 20000, "tcp_retries2 3 ends sooner (%llu ms)",
	   (unsigned long long)took);
	u_free(&u);
	u_init(&u);
	u_open_opts(&u, NULL);
	u.t.user_timeout_ms = 5000;
	t0 = u.now;
	u_send(&u, 10);
	u_run(&u, 7200 * SEC);
	took = (u.now - t0) / MS;
	ok(u.over && took >= 4900 && took <= 5300, "TCP_USER_TIMEOUT 5 s: over after 5 s (%llu ms)",
	   (unsigned long long)took);
	is(u.err, ETIMEDOUT, "... with ETIMEDOUT");
	u_free(&u);
}

void test_schedules(void)
{
	syn_schedule();
	orphan_schedule();
	data_limits();
}

/* RFC 9293 3.8.4; SEEDS 4-111 to 4-116, D-14 */
void test_keepalive(void)
{
	struct u u;
	u64 t0;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_run(&u, 86400 * SEC);
	is(u.n_out, 0, "no keepalive unless asked for (SEEDS 4-113)");
	u.t.keepalive = 1;
	t0 = u.now;
	u.t.rcv_us = u.now;
	xtcp_user_keepalive(&u.t, true, u.now);
	u_run(&u, 86400 * SEC);
	is((u.now - t0) / SEC, 7875, "7200 + 9 * 75 s = 2 h 11 min 15 s (SEEDS 4-112)");
	is(u.err, ETIMEDOUT, "... ETIMEDOUT");
	is(u.t.state, XTCP_CLOSE, "... CLOSE");
	ok(u.n_out >= 9 && u.out[0].kind == XTCP_X_KEEP && u.out[0].seq == u.t.s.snd_nxt - 1,
	   "probes repeat the last sequence number");
	is((u.out_us[0] - t0) / SEC, 7200, "first probe after tcp_keepalive_time");
	is(u_answer(&u), 'R', "RST as it gives up (SEEDS D-14)");
	u_free(&u);
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u.t.keepalive = 1;
	u.t.keep_idle_ms = 1000;
	u.t.keep_intvl_ms = 1000;
	u.t.keep_cnt = 3;
	u.t.rcv_us = u.now;
	xtcp_user_keepalive(&u.t, true, u.now);
	t0 = u.now;
	u_run(&u, 1000 * MS);
	is(u.n_out, 1, "TCP_KEEPIDLE 1 s: one probe");
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	u_clear(&u);
	u_run(&u, 990 * MS);
	is(u.n_out, 0, "an answer starts the idle time anew (SEEDS 4-114)");
	u_run(&u, 20 * MS);
	is(u.n_out, 1, "... then the next probe");
	u_seg(&u, XTCP_RST, u.t.s.rcv_nxt, 0, 0);
	is(u.err, ECONNRESET, "a rebooted peer's RST is noticed (SEEDS 4-115)");
	u_free(&u);
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u.t.keepalive = 1;
	u.t.keep_idle_ms = 1000;
	u.t.keep_intvl_ms = 1000;
	u.t.keep_cnt = 3;
	u.t.rcv_us = u.now;
	xtcp_user_keepalive(&u.t, true, u.now);
	t0 = u.now;
	u_run(&u, 100 * SEC);
	is((u.now - t0) / MS, 4000, "1/1/3: dead after 4 s (SEEDS 4-112)");
	u_free(&u);
}

/* RFC 9293 3.9.2.2; SEEDS X-14 */
void test_icmp(void)
{
	struct u u;

	u_init(&u);
	u_open(&u);
	u_prep(&u);
	xtcp_icmp_error(&u.t, ECONNREFUSED, true, u.now, &u.v);
	u_step(&u);
	ok(u.t.state == XTCP_CLOSE && u.err == ECONNREFUSED,
	   "port unreachable in SYN_SENT: refused at once");
	u_free(&u);
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_prep(&u);
	xtcp_icmp_error(&u.t, EHOSTUNREACH, false, u.now, &u.v);
	u_step(&u);
	is(u.t.state, XTCP_ESTABLISHED, "soft error on a connection: it lives");
	is(u.err, 0, "... and nothing is reported yet");
	u_send(&u, 10);
	u.p.tcp_retries2 = 2;
	u_run(&u, 3600 * SEC);
	is(u.err, EHOSTUNREACH, "the soft error is what the timeout reports");
	u_free(&u);
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u.t.nodelay = 1;
	u_send(&u, 3000);
	is(u.n_out, 3, "three segments of 1000 bytes");
	u_clear(&u);
	u_prep(&u);
	xtcp_mtu_changed(&u.t, 500, u.now, &u.v);
	u_step(&u);
	is(u.t.mss_now, 500, "path MTU: the MSS shrinks");
	u_run(&u, 2 * SEC);
	ok(u.n_out && u.out[0].seq == ISS + 1 && u.out[0].len <= 500,
	   "path MTU: what was too big goes again, smaller");
	u_free(&u);
}
