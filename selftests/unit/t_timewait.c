// SPDX-License-Identifier: GPL-2.0
/* The compact entry: every segment that can meet TIME_WAIT, or FIN_WAIT2 without a user. */
#include "unit.h"

#define D(name) XTCP_DROP_##name

struct tw_row {
	const char *name;
	u8 flags;
	s32 seq, ack;		/* from RCV.NXT, SND.NXT */
	u32 len;
	enum xtcp_tw_act act;
	u8 drop;
	char answer;
};

static const struct tw_row tw_rows[] = {
	{ "FIN again: ACK, 2MSL restarts (SEEDS D-5)", XTCP_FIN | XTCP_ACK, -1, 0, 0,
	  XTCP_TW_RESTART, 0, 'A' },
	{ "bare ACK: nothing", XTCP_ACK, 0, 0, 0, XTCP_TW_DROP, D(TW_OLD), 0 },
	{ "late bare ACK: nothing", XTCP_ACK, -1, 0, 0, XTCP_TW_DROP, D(TW_OLD), 0 },
	{ "late bare ACK of what was never sent: ACK", XTCP_ACK, -1, 1, 0,
	  XTCP_TW_DROP, D(TW_OLD), 'A' },
	{ "bare ACK from ahead: ACK", XTCP_ACK, 1, 0, 0, XTCP_TW_DROP, D(TW_OLD), 'A' },
	{ "old data: ACK", XTCP_ACK, -10, 0, 5, XTCP_TW_DROP, D(TW_OLD), 'A' },
	{ "exact RST kills (SEEDS X-2)", XTCP_RST, 0, 0, 0, XTCP_TW_KILL, 0, 0 },
	{ "RST elsewhere does not (SEEDS X-2)", XTCP_RST, 100, 0, 0, XTCP_TW_DROP, D(TW_RST), 0 },
	{ "RST below does not", XTCP_RST, -100, 0, 0, XTCP_TW_DROP, D(TW_RST), 0 },
	{ "SYN beyond the old sequence: reopened (SEEDS X-3)", XTCP_SYN, 1000, 0, 0,
	  XTCP_TW_REOPEN, 0, 0 },
	{ "SYN below it: ACK, stays (SEEDS X-3)", XTCP_SYN, -1000, 0, 0,
	  XTCP_TW_DROP, D(TW_OLD), 'A' },
	{ "SYN|ACK does not reopen", XTCP_SYN | XTCP_ACK, 1000, 0, 0, XTCP_TW_DROP, 0xff, '*' },
};

static struct xtcp_tw_env env;

static struct xtcp_tw_env *tw_env(const struct u *u)
{
	env = (struct xtcp_tw_env) { .p = &u->p, .now_us = u->now, .listener = true };
	return &env;
}

static void tw_make(struct u *u, struct xtcp_twc *w)
{
	u_to(u, XTCP_FIN_WAIT2);
	u_seg(u, XTCP_FIN | XTCP_ACK, u->t.s.rcv_nxt, u->t.s.snd_nxt, 0);
	ok(u->over && u->t.state == XTCP_TIME_WAIT, "TIME-WAIT reached");
	xtcp_tw_init(w, &u->t);
}

static void tw_row(const struct tw_row *row, bool rfc1337)
{
	struct xtcp_verdict v;
	enum xtcp_tw_act act;
	struct xtcp_twc w;
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	tw_make(&u, &w);
	u.now += SEC;
	u.p.tcp_rfc1337 = rfc1337;
	g = u_mk(&u, row->flags, w.rcv_nxt + row->seq, w.snd_nxt + row->ack, row->len);
	act = xtcp_tw_segment(&w, tw_env(&u), &g, &v);
	drop_seen(v.drop);
	if (rfc1337 && row->act == XTCP_TW_KILL) {
		is(act, XTCP_TW_DROP, "TIME-WAIT: tcp_rfc1337: a RST does not kill");
		is(v.drop, D(TW_RST), "TIME-WAIT: tcp_rfc1337: drop reason");
	} else {
		is(act, row->act, "TIME-WAIT: %s", row->name);
		if (row->drop != 0xff)
			is(v.drop, row->drop, "TIME-WAIT: %s: drop reason", row->name);
		if (row->answer != '*')
			is(!!(v.flags & XTCP_V_REPLY), !!row->answer, "TIME-WAIT: %s: answer",
			   row->name);
	}
	if (row->answer == 'A')
		ok(v.reply.flags == XTCP_ACK && v.reply.ack == w.rcv_nxt &&
		   v.reply.seq == w.snd_nxt, "TIME-WAIT: %s: <SEQ=SND.NXT><ACK=RCV.NXT>",
		   row->name);
	if (act == XTCP_TW_REOPEN)
		ok(seq_geq(env.iss, w.snd_nxt + 65535 + 1),
		   "TIME-WAIT: the new ISN lies past the old space (SEEDS X-3)");
	u_free(&u);
}

/* RFC 7323: timestamps decide where sequence numbers cannot (SEEDS X-3, 4-96) */
static void tw_timestamps(void)
{
	struct xtcp_opts o = { .mss = MSS, .has_ts = 1, .tsval = 1000, .sack_ok = 1 };
	struct xtcp_verdict v;
	struct xtcp_twc w;
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	u.p.tcp_timestamps = 1;
	u_open_opts(&u, &o);
	u_shutdown(&u);
	u_seg(&u, XTCP_FIN | XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	xtcp_tw_init(&w, &u.t);
	u.now += SEC;
	u.peer_tsval = 2000;
	g = u_mk(&u, XTCP_SYN, w.rcv_nxt - 5000, 0, 0);
	is(xtcp_tw_segment(&w, tw_env(&u), &g, &v), XTCP_TW_REOPEN,
	   "TIME-WAIT: a newer timestamp reopens at any sequence number");
	u.peer_tsval = 500;
	g = u_mk(&u, XTCP_SYN, w.rcv_nxt + 5000, 0, 0);
	is(xtcp_tw_segment(&w, tw_env(&u), &g, &v), XTCP_TW_DROP,
	   "TIME-WAIT: an older timestamp does not reopen");
	ok(v.drop == D(PAWS) || v.drop == D(TW_OLD), "TIME-WAIT: ... and says why");
	g = u_mk(&u, XTCP_ACK, w.rcv_nxt, w.snd_nxt, 10);
	u.now += SEC;
	is(xtcp_tw_segment(&w, tw_env(&u), &g, &v), XTCP_TW_DROP,
	   "TIME-WAIT: old duplicate data stays outside (SEEDS 4-96)");
	is(v.drop, D(PAWS), "TIME-WAIT: ... recognised by its timestamp");
	ok(v.flags & XTCP_V_REPLY, "TIME-WAIT: ... and answered");
	g = u_mk(&u, XTCP_ACK, w.rcv_nxt - 1, w.snd_nxt, 0);
	u.now += SEC;
	xtcp_tw_segment(&w, tw_env(&u), &g, &v);
	ok(v.drop == D(PAWS) && !(v.flags & XTCP_V_REPLY),
	   "TIME-WAIT: a bare ACK overtaken by the FIN is not");
	w.fin_wait2 = 1;
	xtcp_tw_segment(&w, tw_env(&u), &g, &v);
	ok(v.drop == D(PAWS) && !(v.flags & XTCP_V_REPLY), "FIN_WAIT2: nor here");
	g.len = 1;
	xtcp_tw_segment(&w, tw_env(&u), &g, &v);
	ok(v.drop == D(PAWS) && v.flags & XTCP_V_REPLY, "FIN_WAIT2: old data are");
	u_free(&u);
}

/* ---- FIN_WAIT2 of a closed socket as an entry (SEEDS 4-71, X-8) */

static const struct tw_row fw2_rows[] = {
	{ "FIN in sequence: ACK, TIME_WAIT", XTCP_FIN | XTCP_ACK, 0, 0, 0,
	  XTCP_TW_FIN, 0, 'F' },
	{ "bare ACK: nothing", XTCP_ACK, 0, 0, 0, XTCP_TW_DROP, 0, 0 },
	{ "keepalive probe: ACK", XTCP_ACK, -1, 0, 0, XTCP_TW_DROP, D(SEQ), 'A' },
	{ "old data: ACK", XTCP_ACK, -10, 0, 5, XTCP_TW_DROP, D(SEQ), 'A' },
	{ "new data: RST", XTCP_ACK, 0, 0, 5, XTCP_TW_ABORT, D(AFTER_CLOSE), 'R' },
	{ "half old, half new data: RST", XTCP_ACK, -5, 0, 10, XTCP_TW_ABORT, D(AFTER_CLOSE), 'R' },
	{ "data with FIN: RST", XTCP_FIN | XTCP_ACK, 0, 0, 5, XTCP_TW_ABORT, D(AFTER_CLOSE), 'R' },
	{ "old data with the FIN: TIME_WAIT", XTCP_FIN | XTCP_ACK, -5, 0, 5, XTCP_TW_FIN, 0, 'F' },
	{ "FIN with a hole before it: ACK, stays", XTCP_FIN | XTCP_ACK, 10, 0, 0,
	  XTCP_TW_DROP, D(AFTER_CLOSE), 'A' },
	{ "exact RST ends it", XTCP_RST, 0, 0, 0, XTCP_TW_KILL, 0, 0 },
	{ "RST in the window: challenge ACK", XTCP_RST, 10, 0, 0,
	  XTCP_TW_DROP, D(RST_CHALLENGE), 'A' },
	{ "RST elsewhere: nothing", XTCP_RST, -10, 0, 0, XTCP_TW_DROP, D(RST_SEQ), 0 },
	{ "SYN: challenge ACK", XTCP_SYN, 1000, 0, 0, XTCP_TW_DROP, D(SYN_CHALLENGE), 'A' },
	{ "SYN|ACK: challenge ACK", XTCP_SYN | XTCP_ACK, -1, 0, 0,
	  XTCP_TW_DROP, D(SYN_CHALLENGE), 'A' },
	{ "no ACK bit: nothing", XTCP_FIN, 0, 0, 0, XTCP_TW_DROP, D(NO_ACK), 0 },
	{ "ACK of what was never sent: challenge ACK", XTCP_ACK, 0, 1, 0,
	  XTCP_TW_DROP, D(ACK_FUTURE), 'A' },
	{ "data with an ancient ACK: challenge ACK", XTCP_ACK, 0, -100000, 5,
	  XTCP_TW_DROP, D(ACK_OLD), 'A' },
};

static void fw2_row(const struct tw_row *row)
{
	bool ack = row->answer == 'A' || row->answer == 'F';
	struct xtcp_verdict v;
	struct xtcp_twc w;
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_FIN_WAIT2);
	u_clear(&u);
	u_close(&u, 0);
	ok(u.flags & XTCP_V_FINWAIT2, "FIN_WAIT2: close() offers an entry");
	is(u_deadline(&u), 60 * SEC, "FIN_WAIT2: ... for tcp_fin_timeout (SEEDS 4-71)");
	xtcp_tw_init(&w, &u.t);
	g = u_mk(&u, row->flags, w.rcv_nxt + row->seq, w.snd_nxt + row->ack, row->len);
	is(xtcp_tw_segment(&w, tw_env(&u), &g, &v), row->act, "FIN_WAIT2: %s", row->name);
	drop_seen(v.drop);
	is(v.drop, row->drop, "FIN_WAIT2: %s: drop reason", row->name);
	is(!!(v.flags & XTCP_V_REPLY), !!row->answer, "FIN_WAIT2: %s: answer", row->name);
	if (ack)
		ok(v.reply.flags == XTCP_ACK && v.reply.ack == w.rcv_nxt &&
		   v.reply.seq == w.snd_nxt, "FIN_WAIT2: %s: <SEQ=SND.NXT><ACK=RCV.NXT>",
		   row->name);
	if (row->answer == 'R')
		ok(v.reply.flags == XTCP_RST && v.reply.seq == g.ack,
		   "FIN_WAIT2: %s: <SEQ=SEG.ACK><CTL=RST>", row->name);
	if (row->answer == 'F') {
		ok(!w.fin_wait2 && w.rcv_nxt == xtcp_seg_end(&g),
		   "FIN_WAIT2: %s: RCV.NXT is past the FIN", row->name);
		xtcp_twc_begin(&w);
		is(xtcp_tw_segment(&w, tw_env(&u), &g, &v), XTCP_TW_RESTART,
		   "FIN_WAIT2: %s: a second FIN restarts 2MSL", row->name);
	}
	u_free(&u);
}

/* The last FIN answered is not the last FIN that comes (SEEDS D-5, 1-20, 4-79) */
static void tw_restarts(void)
{
	struct xtcp_verdict v;
	unsigned int n = 0, acks = 0, i;
	struct xtcp_twc w;
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	tw_make(&u, &w);
	g = u_mk(&u, XTCP_FIN | XTCP_ACK, w.rcv_nxt - 1, w.snd_nxt, 0);
	for (i = 0; i < 100; i++) {
		n += xtcp_tw_segment(&w, tw_env(&u), &g, &v) == XTCP_TW_RESTART;
		acks += !!(v.flags & XTCP_V_REPLY);
	}
	is(n, 15, "TIME-WAIT: 2MSL restarts a limited number of times (SEEDS D-5)");
	is(acks, 100, "TIME-WAIT: every FIN is acknowledged");
	u_free(&u);
}

/* 500 ms between two ACKs to bad segments (4-87) */
static void tw_limited(void)
{
	struct xtcp_tw_env e;
	struct xtcp_verdict v;
	unsigned int acks = 0, i;
	struct xtcp_twc w;
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	tw_make(&u, &w);
	e = *tw_env(&u);
	g = u_mk(&u, XTCP_SYN, w.rcv_nxt - 1000, 0, 0);
	for (i = 0; i < 20; i++) {
		xtcp_tw_segment(&w, &e, &g, &v);
		acks += !!(v.flags & XTCP_V_REPLY);
		e.now_us += 100 * MS;
	}
	is(acks, 4, "TIME-WAIT: tcp_invalid_ratelimit holds for old SYNs");
	u_free(&u);
}

/* tcp_tw_recycle: 3.5 RTO, or what is left of it in FIN_WAIT2's four bits (D-7) */
static void tw_brief(void)
{
	struct xtcp_twc w;
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_FIN_WAIT2);
	u.t.rto_us = 200000;
	is(xtcp_tw_brief_us(&u.t), 700 * MS, "tcp_tw_recycle: 3.5 RTO (SEEDS D-7)");
	u.t.rto_us = 10;
	is(xtcp_tw_brief_us(&u.t), u.p.tcp_rto_min_us, "tcp_tw_recycle: not below tcp_rto_min");
	u.t.rto_us = 200000;
	xtcp_tw_init(&w, &u.t);
	is(xtcp_twc_brief_us(&w), 1024 * MS, "tcp_tw_recycle: an entry knows it as 2^n ms");
	u.t.rto_us = 73142;
	xtcp_tw_init(&w, &u.t);
	is(xtcp_twc_brief_us(&w), 256 * MS, "tcp_tw_recycle: exactly 256 ms are 256 ms");
	u.t.rto_us = 120 * SEC;
	xtcp_tw_init(&w, &u.t);
	is(xtcp_twc_brief_us(&w), 0, "tcp_tw_recycle: nothing to gain from minutes");
	u_free(&u);
}

void test_timewait(void)
{
	unsigned int i;
	struct u u;

	for (i = 0; i < ARRAY_SIZE(tw_rows); i++) {
		tw_row(&tw_rows[i], false);
		tw_row(&tw_rows[i], true);
	}
	tw_timestamps();
	for (i = 0; i < ARRAY_SIZE(fw2_rows); i++)
		fw2_row(&fw2_rows[i]);
	tw_restarts();
	tw_limited();
	tw_brief();
	u_init(&u);
	u_to(&u, XTCP_FIN_WAIT2);
	u_seg(&u, XTCP_FIN | XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	memset(&u.v, 0, sizeof(u.v));
	xtcp_state_set(&u.t, XTCP_CLOSE, "2MSL", &u.v);
	u_step(&u);
	is(u.t.state, XTCP_CLOSE, "TIME_WAIT ends in CLOSE");
	u_free(&u);
}
