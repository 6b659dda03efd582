// SPDX-License-Identifier: GPL-2.0
/* SYN_SENT, LISTEN, half-open requests, CLOSED (RFC 9293 3.10.7.1-3). */
#include "unit.h"

#define D(x)	XTCP_DROP_##x

/* 3.10.7.3: every branch */
struct syn_sent_row {
	const char *name;
	u8 flags;
	s32 ack;		/* from ISS */
	u32 len;
	u8 drop;
	char answer;
	u8 next;
	int err;
};

static const struct syn_sent_row syn_sent_rows[] = {
	{ "bad ACK: RST with SEQ=SEG.ACK (SEEDS 2-1)", XTCP_ACK, 0, 0, D(ACK_BAD), 'R',
	  XTCP_SYN_SENT, 0 },
	{ "SYN-ACK of an older SYN: RST (SEEDS 2-1)", XTCP_SYN | XTCP_ACK, -9, 0, D(ACK_BAD),
	  'R', XTCP_SYN_SENT, 0 },
	{ "SYN-ACK of what was not sent: RST", XTCP_SYN | XTCP_ACK, 2, 0, D(ACK_BAD), 'R',
	  XTCP_SYN_SENT, 0 },
	{ "RST with a bad ACK: ignored (SEEDS 2-9)", XTCP_RST | XTCP_ACK, 0, 0, D(RST_BAD), 0,
	  XTCP_SYN_SENT, 0 },
	{ "RST without ACK: ignored (SEEDS 2-9)", XTCP_RST, 0, 0, D(RST_BAD), 0,
	  XTCP_SYN_SENT, 0 },
	{ "RST|ACK with a good ACK: refused", XTCP_RST | XTCP_ACK, 1, 0, 0, 0,
	  XTCP_CLOSE, ECONNREFUSED },
	{ "good ACK without SYN: ignored", XTCP_ACK, 1, 0, D(LISTEN_FLAGS), 0,
	  XTCP_SYN_SENT, 0 },
	{ "neither SYN nor RST: ignored", XTCP_FIN, 0, 0, D(LISTEN_FLAGS), 0,
	  XTCP_SYN_SENT, 0 },
	{ "SYN-ACK: established, ACK at once", XTCP_SYN | XTCP_ACK, 1, 0, 0, 'A',
	  XTCP_ESTABLISHED, 0 },
	{ "SYN: simultaneous open, SYN-ACK (RFC 9293 3.5)", XTCP_SYN, 0, 0, 0, 'A',
	  XTCP_SYN_RECV, 0 },
};

static void syn_sent_row(const struct syn_sent_row *w)
{
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	u_open(&u);
	u_clear(&u);
	g = u_mk(&u, w->flags, IRS, ISS + w->ack, w->len);
	u_rx(&u, &g);
	if (w->drop == D(LISTEN_FLAGS))
		ok(u.v.drop != 0, "SYN_SENT: %s: a drop reason is given", w->name);
	else
		is(u.v.drop, w->drop, "SYN_SENT: %s: drop reason %s", w->name,
		   drop_name(w->drop));
	is(u_answer(&u), w->answer, "SYN_SENT: %s: answer", w->name);
	if (w->answer == 'R' && u.v.flags & XTCP_V_REPLY)
		is(u.v.reply.seq, ISS + w->ack, "SYN_SENT: %s: <SEQ=SEG.ACK>", w->name);
	is(u.t.state, w->next, "SYN_SENT: %s: next state", w->name);
	is(u.err, w->err, "SYN_SENT: %s: errno", w->name);
	u_free(&u);
}

/* A good SYN-ACK after a bad one still completes (SEEDS 2-1, 2-6) */
static void bad_then_good(void)
{
	struct u u;
	u64 d;

	u_init(&u);
	u_open(&u);
	u.now += 100 * MS;
	u_seg(&u, XTCP_SYN | XTCP_ACK, IRS, ISS - 9, 0);
	d = u_deadline(&u);
	ok(d && d <= 50 * MS, "SYN_SENT: a bad SYN-ACK makes the SYN go again almost at once");
	u_clear(&u);
	u_run(&u, d);
	ok(u.n_out == 1 && u.out[0].flags == XTCP_SYN && u.out[0].seq == ISS,
	   "SYN_SENT: the SYN keeps its number (SEEDS 4-38)");
	u_clear(&u);
	u_seg(&u, XTCP_SYN | XTCP_ACK, IRS, ISS + 1, 0);
	is(u.t.state, XTCP_ESTABLISHED, "SYN_SENT: the right SYN-ACK then completes");
	ok(u.v.flags & XTCP_V_CONNECTED, "... with CONNECTED");
	u_free(&u);
}

static void syn_contents(void)
{
	struct xtcp_opts o;
	struct u u;

	u_init(&u);
	u.p.tcp_timestamps = 1;
	u.t.rcv_wscale = 7;
	u_open(&u);
	is(u.n_out, 1, "SYN: one segment");
	is(u.out[0].flags & (XTCP_SYN | XTCP_ACK | XTCP_FIN | XTCP_RST), XTCP_SYN,
	   "SYN: <CTL=SYN>");
	is(u.out[0].seq, ISS, "SYN: <SEQ=ISS>");
	is(u.out[0].len, 0, "SYN: no data (SEEDS 4-17)");
	xtcp_opts_parse(u.out[0].opt, u.out[0].optlen, true, &o);
	is(o.mss, MSS, "SYN: MSS of the route");
	ok(o.has_ts && o.tsecr == 0, "SYN: timestamps, TSecr 0 (RFC 7323 3.2)");
	ok(o.has_wscale && o.wscale == 7, "SYN: window scale as wished");
	ok(o.sack_ok, "SYN: SACK permitted");
	is(u.out[0].wnd, min_t(u32, 65535, u.rcvbuf), "SYN: window not scaled (RFC 7323 2.2)");
	u_free(&u);
	u_init(&u);
	u.p.tcp_sack = 0;
	u.p.tcp_window_scaling = 0;
	u_open(&u);
	xtcp_opts_parse(u.out[0].opt, u.out[0].optlen, true, &o);
	ok(!o.has_ts && !o.has_wscale && !o.sack_ok && o.mss == MSS,
	   "SYN: options that are off are absent");
	u_free(&u);
}

/* A SYN-ACK may carry text and FIN; a SYN may not (SEEDS 4-17, 4-19) */
static void synack_with_text(void)
{
	struct u u;

	u_init(&u);
	u_open(&u);
	u_clear(&u);
	u_seg(&u, XTCP_SYN | XTCP_ACK, IRS, ISS + 1, 10);
	is(u.t.state, XTCP_ESTABLISHED, "SYN-ACK with text: established");
	ok(u.t.s.rcv_nxt == IRS + 1 || u.t.s.rcv_nxt == IRS + 11,
	   "SYN-ACK with text: text wholly taken or wholly left");
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 1, 10);
	is(u.t.s.rcv_nxt, IRS + 11, "SYN-ACK with text: repeated text fits");
	u_free(&u);
}

static void simultaneous_open(void)
{
	struct u u;

	u_init(&u);
	u_open(&u);
	u_clear(&u);
	u_seg(&u, XTCP_SYN, IRS, 0, 0);
	ok(u.n_out == 1 && u.out[0].flags == (XTCP_SYN | XTCP_ACK) && u.out[0].seq == ISS &&
	   u.out[0].ack == IRS + 1, "simultaneous open: SYN-ACK, same ISS (RFC 9293 fig. 7)");
	u_clear(&u);
	u_seg(&u, XTCP_SYN | XTCP_ACK, IRS, ISS + 1, 0);
	is(u.t.state, XTCP_ESTABLISHED, "simultaneous open: the peer's SYN-ACK completes");
	u_free(&u);
	u_init(&u);
	u_open(&u);
	u_seg(&u, XTCP_SYN, IRS, 0, 0);
	u_shutdown(&u);
	is(u.t.state, XTCP_FIN_WAIT1, "close in SYN_RECV: FIN_WAIT1 (RFC 9293 3.10.4)");
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 1, 0);
	u_clear(&u);
	u_run(&u, 2 * SEC);
	ok(u.n_out && u.out[u.n_out - 1].flags & XTCP_FIN, "... and the FIN goes out");
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 2, 0);
	is(u.t.state, XTCP_FIN_WAIT2, "... and is acknowledged");
	u_free(&u);
	u_init(&u);
	u_open(&u);
	u_seg(&u, XTCP_SYN, IRS, 0, 0);
	u_seg(&u, XTCP_RST, IRS + 1, 0, 0);
	is(u.t.state, XTCP_CLOSE, "simultaneous open: an exact RST ends it");
	is(u.err, ECONNRESET, "... with ECONNRESET, as on Linux (RFC 9293 3.10.7.4 second)");
	u_free(&u);
}

/* SEEDS 4-127: a socket that connects to itself */
static void self_connect(void)
{
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	u_open(&u);
	u_clear(&u);
	g = u_mk(&u, XTCP_SYN, ISS, 0, 0);
	u_rx(&u, &g);
	is(u.t.state, XTCP_SYN_RECV, "self-connect: our own SYN is a simultaneous open");
	g = u_mk(&u, XTCP_SYN | XTCP_ACK, ISS, ISS + 1, 0);
	u_rx(&u, &g);
	is(u.t.state, XTCP_ESTABLISHED, "self-connect: our own SYN-ACK completes it");
	u_send(&u, 10);
	g = u_mk(&u, XTCP_ACK | XTCP_PSH, ISS + 1, ISS + 1, 10);
	u_rx(&u, &g);
	ok(u.v.flags & XTCP_V_DELIVER && u.v.data_len == 10, "self-connect: it hears itself");
	u_free(&u);
}

void test_syn_sent(void)
{
	unsigned int i;
	struct u u;

	for (i = 0; i < ARRAY_SIZE(syn_sent_rows); i++)
		syn_sent_row(&syn_sent_rows[i]);
	bad_then_good();
	syn_contents();
	synack_with_text();
	simultaneous_open();
	self_connect();
	u_init(&u);
	u_open(&u);
	u_close(&u, 0);
	is(u.t.state, XTCP_CLOSE, "close in SYN_SENT: CLOSE");
	ok(u.flags & XTCP_V_CLOSED, "... and over");
	u_free(&u);
}

void test_listen(void)
{
	static const struct {
		const char *name;
		u8 flags;
		enum xtcp_listen_act act;
		u8 drop;
	} row[] = {
		{ "SYN", XTCP_SYN, XTCP_L_SYN, 0 },
		{ "SYN with ECN set-up", XTCP_SYN | XTCP_ECE | XTCP_CWR, XTCP_L_SYN, 0 },
		{ "ACK: RST (SEEDS X-6)", XTCP_ACK, XTCP_L_RST, D(LISTEN_ACK) },
		{ "SYN|ACK: RST", XTCP_SYN | XTCP_ACK, XTCP_L_RST, D(LISTEN_ACK) },
		{ "FIN|ACK: RST", XTCP_FIN | XTCP_ACK, XTCP_L_RST, D(LISTEN_ACK) },
		{ "RST: ignored", XTCP_RST, XTCP_L_DROP, D(LISTEN_FLAGS) },
		{ "RST|ACK: ignored", XTCP_RST | XTCP_ACK, XTCP_L_DROP, D(LISTEN_FLAGS) },
		{ "RST|SYN: ignored", XTCP_RST | XTCP_SYN, XTCP_L_DROP, D(LISTEN_FLAGS) },
		{ "FIN: ignored", XTCP_FIN, XTCP_L_DROP, D(LISTEN_FLAGS) },
		{ "SYN|FIN: ignored", XTCP_SYN | XTCP_FIN, XTCP_L_DROP, D(LISTEN_FLAGS) },
		{ "nothing: ignored", 0, XTCP_L_DROP, D(LISTEN_FLAGS) },
	};
	struct xtcp_verdict v;
	unsigned int i;
	struct u u;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		struct xtcp_seg g = { .seq = IRS, .ack = ISS, .flags = row[i].flags, .segs = 1 };

		is(xtcp_listen_segment(&g, &v), row[i].act, "LISTEN: %s", row[i].name);
		is(v.drop, row[i].drop, "LISTEN: %s: drop reason", row[i].name);
		drop_seen(v.drop);
		is(!!(v.flags & XTCP_V_REPLY), row[i].act == XTCP_L_RST, "LISTEN: %s: answer",
		   row[i].name);
		if (row[i].act == XTCP_L_RST)
			ok(v.reply.flags == XTCP_RST && v.reply.seq == ISS,
			   "LISTEN: %s: <SEQ=SEG.ACK><CTL=RST>", row[i].name);
		memset(&v, 0, sizeof(v));
		xtcp_segment_closed(&g, &v);
		drop_seen(v.drop);
		if (row[i].flags & XTCP_RST) {
			ok(!(v.flags & XTCP_V_REPLY), "CLOSED: %s: no RST answers a RST",
			   row[i].name);
			continue;
		}
		if (row[i].flags & XTCP_ACK)
			ok(v.reply.flags == XTCP_RST && v.reply.seq == ISS,
			   "CLOSED: %s: <SEQ=SEG.ACK><CTL=RST> (SEEDS 4-31)", row[i].name);
		else
			ok(v.reply.flags == (XTCP_RST | XTCP_ACK) && !v.reply.seq &&
			   v.reply.ack == xtcp_seg_end(&g),
			   "CLOSED: %s: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> (SEEDS 4-129)",
			   row[i].name);
		is(v.drop, D(NO_SOCKET), "CLOSED: %s: drop reason", row[i].name);
	}
	u_init(&u);
	memset(&u.v, 0, sizeof(u.v));
	xtcp_state_set(&u.t, XTCP_LISTEN, "listen", &u.v);
	u_step(&u);
	is(u.t.state, XTCP_LISTEN, "listen(): CLOSE to LISTEN");
	memset(&u.v, 0, sizeof(u.v));
	xtcp_state_set(&u.t, XTCP_CLOSE, "close", &u.v);
	u_step(&u);
	is(u.t.state, XTCP_CLOSE, "close(): LISTEN to CLOSE");
	u_free(&u);
}

struct rq_row {
	const char *name;
	u8 flags;
	s32 seq, ack;		/* from IRS + 1, ISS + 1 */
	u32 len;
	enum xtcp_rq_act act;
	u8 drop;
	char answer;
};

static const struct rq_row rq_rows[] = {
	{ "third ACK", XTCP_ACK, 0, 0, 0, XTCP_RQ_COMPLETE, 0, 0 },
	{ "third ACK with text (SEEDS 4-19)", XTCP_ACK, 0, 0, 10, XTCP_RQ_COMPLETE, 0, 0 },
	{ "third ACK lost, text out of order (SEEDS 4-27)", XTCP_ACK, 100, 0, 10,
	  XTCP_RQ_COMPLETE, 0, 0 },
	{ "third segment with FIN (SEEDS 4-19)", XTCP_ACK | XTCP_FIN, 0, 0, 5,
	  XTCP_RQ_COMPLETE, 0, 0 },
	{ "same SYN again: SYN-ACK (SEEDS 4-25)", XTCP_SYN, -1, 0, 0, XTCP_RQ_SYNACK, 0, 0 },
	{ "another SYN: ACK of the old one, never RST (SEEDS D-4)", XTCP_SYN, 90, 0, 0,
	  XTCP_RQ_DROP, D(SYN_CHALLENGE), 'A' },
	{ "another SYN far away: the same", XTCP_SYN, 1000000, 0, 0,
	  XTCP_RQ_DROP, D(SYN_CHALLENGE), 'A' },
	{ "exact RST: killed (SEEDS 2-5)", XTCP_RST, 0, 0, 0, XTCP_RQ_KILL, 0, 0 },
	{ "RST in the window: challenge ACK (SEEDS X-5)", XTCP_RST, 5, 0, 0,
	  XTCP_RQ_DROP, D(RST_CHALLENGE), 'A' },
	{ "RST outside: silence", XTCP_RST, -5, 0, 0, XTCP_RQ_DROP, D(RST_SEQ), 0 },
	{ "bad ACK: RST, request kept (SEEDS 0-5)", XTCP_ACK, 0, 1, 0,
	  XTCP_RQ_DROP, D(ACK_BAD), 'R' },
	{ "ACK of an older ISS: RST", XTCP_ACK, 0, -1, 0, XTCP_RQ_DROP, D(ACK_BAD), 'R' },
	{ "no ACK: dropped", XTCP_PSH, 0, 0, 10, XTCP_RQ_DROP, D(NO_ACK), 0 },
	{ "FIN without ACK: dropped", XTCP_FIN, 0, 0, 0, XTCP_RQ_DROP, D(NO_ACK), 0 },
	{ "text beyond the window: ACK", XTCP_ACK, 100000, 0, 10, XTCP_RQ_DROP, D(SEQ), 'A' },
};

static void rq_make(struct u *u, struct xtcp_rq *rq)
{
	struct xtcp_seg g = u_mk(u, XTCP_SYN, IRS, 0, 100);

	g.opt.mss = 777;
	g.opt.sack_ok = 1;
	g.opt.has_wscale = 1;
	g.opt.wscale = 9;
	xtcp_rq_init(rq, &u->p, &g, false, ISS, 0, 50000, 4, u->now);
	rq->synack_us = (u32)u->now;
}

static void rq_row(const struct rq_row *w)
{
	struct xtcp_verdict v;
	struct xtcp_seg g;
	struct xtcp_rq rq;
	struct u u;

	u_init(&u);
	rq_make(&u, &rq);
	u.now += 600 * MS;
	g = u_mk(&u, w->flags, IRS + 1 + w->seq, ISS + 1 + w->ack, w->len);
	is(xtcp_rq_segment(&rq, &u.p, &g, u.now, &v), w->act, "request: %s", w->name);
	is(v.drop, w->drop, "request: %s: drop reason", w->name);
	drop_seen(v.drop);
	is(!!(v.flags & XTCP_V_REPLY), !!w->answer, "request: %s: answer", w->name);
	if (w->answer == 'R')
		ok(v.reply.flags == XTCP_RST && v.reply.seq == g.ack,
		   "request: %s: <SEQ=SEG.ACK><CTL=RST>", w->name);
	if (w->answer == 'A')
		ok(v.reply.flags == XTCP_ACK && v.reply.ack == IRS + 1 && v.reply.seq == ISS + 1,
		   "request: %s: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>", w->name);
	if (w->answer == 'A')
		is(v.reply.wnd, 50000 >> 4, "request: %s: window scaled (RFC 7323 2.3)", w->name);
	if (w->act == XTCP_RQ_COMPLETE) {
		u.t.rcv_wscale = 4;
		u_prep(&u);
		xtcp_open_child(&u.t, &rq, u.now, &u.v);
		u_step(&u);
		u_rx(&u, &g);
		is(u.t.state, w->flags & XTCP_FIN ? XTCP_CLOSE_WAIT : XTCP_ESTABLISHED,
		   "request: %s: the child's state", w->name);
		ok(u.flags & XTCP_V_CONNECTED, "request: %s: CONNECTED", w->name);
	}
	u_free(&u);
}

static void rq_synack(void)
{
	struct xtcp_reply r;
	struct xtcp_opts o;
	struct xtcp_rq rq;
	struct u u;

	u_init(&u);
	rq_make(&u, &rq);
	xtcp_rq_synack(&rq, 1460, u.now, &r);
	is(r.flags, XTCP_SYN | XTCP_ACK, "SYN-ACK: flags");
	is(r.seq, ISS, "SYN-ACK: <SEQ=ISS>");
	is(r.ack, IRS + 1, "SYN-ACK: <ACK=IRS+1>, SYN data not acknowledged (SEEDS 4-17)");
	is(r.wnd, 50000, "SYN-ACK: window not scaled");
	xtcp_opts_parse(r.opt, r.optlen, true, &o);
	ok(o.mss == 1460 && o.sack_ok && o.has_wscale && o.wscale == 4 && !o.has_ts,
	   "SYN-ACK: answers exactly the options the SYN had and we have on");
	/* every option off in the SYN: off in the SYN-ACK */
	{
		struct xtcp_seg g = u_mk(&u, XTCP_SYN, IRS, 0, 0);

		xtcp_rq_init(&rq, &u.p, &g, false, ISS, 0, 50000, 4, u.now);
	}
	xtcp_rq_synack(&rq, 1460, u.now, &r);
	xtcp_opts_parse(r.opt, r.optlen, true, &o);
	ok(o.mss == 1460 && !o.sack_ok && !o.has_wscale && !o.has_ts,
	   "SYN-ACK: offers nothing the SYN had not");
	is(rq.mss_peer, XTCP_DEFAULT_MSS, "no MSS option: 536 (RFC 9293 3.7.1)");
	u_free(&u);
}

void test_request(void)
{
	u64 sum = 0, want = SEC;
	struct xtcp_rq rq;
	unsigned int i;
	struct u u;

	for (i = 0; i < ARRAY_SIZE(rq_rows); i++)
		rq_row(&rq_rows[i]);
	rq_synack();
	u_init(&u);
	rq_make(&u, &rq);
	for (i = 0; i <= 5; i++, want *= 2) {
		rq.retries = i;
		is(xtcp_rq_timeout_us(&rq, &u.p, 0), want, "SYN-ACK timeout %u", i);
		sum += xtcp_rq_timeout_us(&rq, &u.p, 0);
	}
	is(sum, 63 * SEC, "SYN-ACK: 5 retries take 63 s (SEEDS 4-44)");
	rq.retries = 40;
	is(xtcp_rq_timeout_us(&rq, &u.p, 0), 120 * SEC, "SYN-ACK timeout is bounded");
	u.p.tcp_init_rto_ms = 250;
	rq.retries = 0;
	is(xtcp_rq_timeout_us(&rq, &u.p, 0), 250 * MS, "SYN-ACK timeout follows tcp_init_rto_ms");
	u_free(&u);
}
