// SPDX-License-Identifier: GPL-2.0
/*
 * SEGMENT ARRIVES in the synchronized states (RFC 9293 3.10.7.4): every check
 * against every state, sequence numbers just below the wrap.
 */
#include "unit.h"

enum { SR, ES, F1, F2, CW, CL, LA, NR_COL };

static const u8 col_state[NR_COL] = {
	XTCP_SYN_RECV, XTCP_ESTABLISHED, XTCP_FIN_WAIT1, XTCP_FIN_WAIT2, XTCP_CLOSE_WAIT,
	XTCP_CLOSING, XTCP_LAST_ACK,
};

#define D(x)	XTCP_DROP_##x
#define KEEP	0	/* the state stays */

/* What a cell expects: drop reason, answer ('A', 'R', 0), next state. */
struct want { u8 drop; char answer; u8 next; };

struct vec {
	const char *name;
	u8 flags;
	s32 seq;		/* from RCV.NXT */
	s32 ack;		/* from SND.NXT */
	u32 len;
	struct want all;	/* for every state ... */
	struct { u8 state; struct want w; } except[7];	/* ... but these */
};

#define DONE	XTCP_CLOSE
#define WHOLE_FIN	{ D(AFTER_FIN), 0, KEEP }

static const struct vec vecs[] = {
	/* first: sequence number */
	{ "bare ACK, acceptable", XTCP_ACK, 0, 0, 0, { 0, 0, KEEP },
	  { { XTCP_SYN_RECV, { 0, 0, XTCP_ESTABLISHED } },
	    { XTCP_FIN_WAIT1, { 0, 0, XTCP_FIN_WAIT2 } },
	    { XTCP_CLOSING, { 0, 0, XTCP_TIME_WAIT } },
	    { XTCP_LAST_ACK, { 0, 0, DONE } } } },
	{ "data received before: ACK (3.10.7.4 first)", XTCP_ACK, -10, 0, 9,
	  { D(OLD), 'A', KEEP }, { { 0 } } },
	{ "data beyond the window: ACK", XTCP_ACK, 70000, 0, 10, { D(SEQ), 'A', KEEP }, { { 0 } } },
	{ "data half a sequence space away: ACK", XTCP_ACK, -0x7ffffff0, 0, 10,
	  { D(OLD), 'A', KEEP }, { { 0 } } },
	/* second: RST, RFC 5961 3.2 */
	{ "RST at RCV.NXT resets", XTCP_RST, 0, 0, 0, { 0, 0, DONE }, { { 0 } } },
	{ "RST|ACK at RCV.NXT resets", XTCP_RST | XTCP_ACK, 0, 0, 0, { 0, 0, DONE }, { { 0 } } },
	{ "RST in the window: challenge ACK", XTCP_RST, 1, 0, 0,
	  { D(RST_CHALLENGE), 'A', KEEP }, { { 0 } } },
	{ "RST below the window: silence", XTCP_RST, -2, 0, 0, { D(RST_SEQ), 0, KEEP }, { { 0 } } },
	{ "RST above the window: silence", XTCP_RST, 100000, 0, 0,
	  { D(RST_SEQ), 0, KEEP }, { { 0 } } },
	/* fourth: SYN, RFC 5961 4.2 */
	{ "SYN in the window: challenge ACK", XTCP_SYN, 5, 0, 0,
	  { D(SYN_CHALLENGE), 'A', KEEP }, { { 0 } } },
	{ "SYN far below the window: challenge ACK", XTCP_SYN, -100000, 0, 0,
	  { D(SYN_CHALLENGE), 'A', KEEP }, { { 0 } } },
	{ "SYN far above the window: challenge ACK", XTCP_SYN, 1000000, 0, 0,
	  { D(SYN_CHALLENGE), 'A', KEEP }, { { 0 } } },
	{ "SYN|ACK again: challenge ACK", XTCP_SYN | XTCP_ACK, -1, 0, 0,
	  { D(SYN_CHALLENGE), 'A', KEEP }, { { 0 } } },
	/* fifth: ACK */
	{ "data without ACK: dropped", XTCP_PSH, 0, 0, 10, { D(NO_ACK), 0, KEEP }, { { 0 } } },
	{ "FIN without ACK: dropped", XTCP_FIN, 0, 0, 0, { D(NO_ACK), 0, KEEP }, { { 0 } } },
	{ "no flags at all", 0, 0, 0, 0, { D(NO_ACK), 0, KEEP }, { { 0 } } },
	{ "ACK of what was never sent (RFC 5961 5.2)", XTCP_ACK, 0, 1, 0,
	  { D(ACK_FUTURE), 'A', KEEP }, { { XTCP_SYN_RECV, { D(ACK_BAD), 'R', KEEP } } } },
	{ "ACK far below SND.UNA (RFC 5961 5.2)", XTCP_ACK, 0, -100000, 0,
	  { D(ACK_OLD), 'A', KEEP }, { { XTCP_SYN_RECV, { D(ACK_BAD), 'R', KEEP } } } },
	/* seventh: text */
	{ "text in order", XTCP_ACK | XTCP_PSH, 0, 0, 10, { 0, 'A', KEEP },
	  { { XTCP_SYN_RECV, { 0, 'A', XTCP_ESTABLISHED } },
	    { XTCP_FIN_WAIT1, { 0, 'A', XTCP_FIN_WAIT2 } },
	    { XTCP_CLOSE_WAIT, { D(AFTER_FIN), '*', KEEP } },
	    { XTCP_CLOSING, { D(AFTER_FIN), '*', XTCP_TIME_WAIT } },
	    { XTCP_LAST_ACK, { D(AFTER_FIN), '*', DONE } } } },
	{ "text, our FIN not acknowledged", XTCP_ACK, 0, -1, 10, { 0, 'A', KEEP },
	  { { XTCP_SYN_RECV, { D(ACK_BAD), 'R', KEEP } },
	    { XTCP_CLOSE_WAIT, { D(AFTER_FIN), '*', KEEP } },
	    { XTCP_CLOSING, { D(AFTER_FIN), '*', KEEP } },
	    { XTCP_LAST_ACK, { D(AFTER_FIN), '*', KEEP } } } },
	/* eighth: FIN */
	{ "FIN, our FIN not acknowledged", XTCP_ACK | XTCP_FIN, 0, -1, 0,
	  { 0, 'A', XTCP_CLOSE_WAIT },
	  { { XTCP_SYN_RECV, { D(ACK_BAD), 'R', KEEP } },
	    { XTCP_FIN_WAIT1, { 0, 'A', XTCP_CLOSING } },
	    { XTCP_FIN_WAIT2, { 0, 'A', XTCP_TIME_WAIT } },
	    { XTCP_CLOSE_WAIT, { D(AFTER_FIN), '*', KEEP } },
	    { XTCP_CLOSING, { D(AFTER_FIN), '*', KEEP } },
	    { XTCP_LAST_ACK, { D(AFTER_FIN), '*', KEEP } } } },
	{ "FIN in order", XTCP_ACK | XTCP_FIN, 0, 0, 0, { 0, 'A', XTCP_TIME_WAIT },
	  { { XTCP_SYN_RECV, { 0, 'A', XTCP_CLOSE_WAIT } },
	    { XTCP_ESTABLISHED, { 0, 'A', XTCP_CLOSE_WAIT } },
	    { XTCP_CLOSE_WAIT, { D(AFTER_FIN), '*', KEEP } },
	    { XTCP_CLOSING, { D(AFTER_FIN), '*', XTCP_TIME_WAIT } },
	    { XTCP_LAST_ACK, { D(AFTER_FIN), '*', DONE } } } },
	{ "FIN with text", XTCP_ACK | XTCP_FIN, 0, 0, 10, { 0, 'A', XTCP_TIME_WAIT },
	  { { XTCP_SYN_RECV, { 0, 'A', XTCP_CLOSE_WAIT } },
	    { XTCP_ESTABLISHED, { 0, 'A', XTCP_CLOSE_WAIT } },
	    { XTCP_CLOSE_WAIT, { D(AFTER_FIN), '*', KEEP } },
	    { XTCP_CLOSING, { D(AFTER_FIN), '*', XTCP_TIME_WAIT } },
	    { XTCP_LAST_ACK, { D(AFTER_FIN), '*', DONE } } } },
};

static void vec_run(const struct vec *w, unsigned int col)
{
	struct want want = w->all;
	u8 state = col_state[col], next;
	struct xtcp_seg g;
	unsigned int i;
	struct u u;

	for (i = 0; i < ARRAY_SIZE(w->except); i++)
		if (w->except[i].state == state)
			want = w->except[i].w;
	next = want.next == KEEP ? state : want.next;
	u_init(&u);
	u_to(&u, state);
	g = u_mk(&u, w->flags, u.t.s.rcv_nxt + w->seq, u.t.s.snd_nxt + w->ack, w->len);
	u_rx(&u, &g);
	is(u.v.drop, want.drop, "%s: %s: drop reason %s", xtcp_state_name(state), w->name,
	   drop_name(want.drop));
	if (u.v.drop != want.drop)
		printf("#   dropped as %s\n", drop_name(u.v.drop));
	/* what may wait (delayed ACK) is waited for */
	if (want.answer == 'A' && !u_answer(&u) && !u.over)
		u_run(&u, 300 * MS);
	if (want.answer != '*' && !(u.flags & XTCP_V_TIMEWAIT))
		is(u_answer(&u), want.answer, "%s: %s: answer", xtcp_state_name(state), w->name);
	is(u.t.state, next, "%s: %s: next state %s", xtcp_state_name(state), w->name,
	   xtcp_state_name(next));
	is(!!(u.flags & XTCP_V_CLOSED), next == DONE, "%s: %s: CLOSED verdict",
	   xtcp_state_name(state), w->name);
	is(!!(u.flags & XTCP_V_TIMEWAIT), next == XTCP_TIME_WAIT, "%s: %s: TIMEWAIT verdict",
	   xtcp_state_name(state), w->name);
	u_free(&u);
}

/* The answer to a challenge names what we expect: RFC 5961 3.2, 4.2 */
static void challenge_contents(void)
{
	static const u8 flags[] = { XTCP_RST, XTCP_SYN };
	unsigned int i;
	struct u u;

	for (i = 0; i < 2; i++) {
		u_init(&u);
		u_to(&u, XTCP_ESTABLISHED);
		u_seg(&u, flags[i], IRS + 11, 0, 0);
		ok((u.v.flags & XTCP_V_REPLY) && (u.v.flags & XTCP_V_CHALLENGE),
		   "challenge ACK is marked for the namespace's limit");
		is(u.v.reply.seq, u.t.s.snd_nxt, "challenge ACK: <SEQ=SND.NXT>");
		is(u.v.reply.ack, u.t.s.rcv_nxt, "challenge ACK: <ACK=RCV.NXT>");
		is(u.v.reply.flags, XTCP_ACK, "challenge ACK: <CTL=ACK>");
		u_clear(&u);
		u_seg(&u, flags[i], IRS + 12, 0, 0);
		ok(!(u.v.flags & XTCP_V_REPLY),
		   "second bad segment within tcp_invalid_ratelimit: silence");
		ok(u.v.drop == D(RST_CHALLENGE) || u.v.drop == D(SYN_CHALLENGE),
		   "... though the reason stays");
		u_clear(&u);
		u.now += 501 * MS;
		u_seg(&u, flags[i], IRS + 12, 0, 0);
		ok(u.v.flags & XTCP_V_REPLY, "after 500 ms the next one is answered");
		u_free(&u);
	}
}

/* An ACK as the last one, with a timestamp 16 + @ms before TS.Recent */
static struct xtcp_seg dup_ack(struct u *u, u32 ms)
{
	struct xtcp_seg g;

	u->now += SEC;
	u->peer_tsval = u->t.s.ts_recent - 16 - ms;
	g = u_mk(u, XTCP_ACK, u->t.s.rcv_nxt, u->t.s.snd_una, 0);
	g.wnd = u->t.snd_wnd >> u->t.snd_wscale;
	u_rx(u, &g);
	return g;
}

/* RFC 7323 5: old timestamps, in every state; RSTs are exempt (5.2) */
static void paws(void)
{
	struct xtcp_opts o = { .mss = MSS, .has_ts = 1, .tsval = 0xfffffff0, .sack_ok = 1 };
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	u.p.tcp_timestamps = 1;
	u_open_opts(&u, &o);
	ok(u.t.ts_ok, "timestamps agreed");
	u.peer_tsval = 0xffffffe0;
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 10);
	is(u.v.drop, D(PAWS), "data with an older timestamp: dropped (RFC 7323 5.3 R1)");
	is(u_answer(&u), 'A', "... and answered with an ACK");
	u_clear(&u);
	u.now += SEC;
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt - 1, u.t.s.snd_nxt, 0);
	is(u.v.drop, D(PAWS), "a bare ACK that was overtaken: dropped");
	is(u_answer(&u), 0, "... without an answer");
	u.peer_tsval -= 100000;
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	is(u_answer(&u), 'A', "a bare ACK with nothing behind it is answered");
	u_clear(&u);
	u.t.snd_wl1 = u.t.s.rcv_nxt;
	u.t.ts_off = 0;
	dup_ack(&u, 0);
	is(u.v.drop, 0, "... not so one that says nothing new, and is a little late");
	dup_ack(&u, u.t.rto_us / 1000 - 16);
	is(u.v.drop, 0, "... by a timeout at most");
	dup_ack(&u, u.t.rto_us / 1000 - 15);
	is(u.v.drop, D(PAWS), "... and not by more");
	g = dup_ack(&u, 0);
	g.wnd--;
	u_rx(&u, &g);
	is(u.v.drop, D(PAWS), "... nor one with another window");
	u_clear(&u);
	u.peer_tsval = 5;
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 10);
	is(u.v.drop, 0, "a timestamp past the wrap is newer");
	is(u.t.s.ts_recent, 5, "TS.Recent follows in-order segments");
	u_run(&u, SEC);
	u.peer_tsval = 50;
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt + 10, u.t.s.snd_nxt, 10);
	is(u.t.s.ts_recent, 5, "TS.Recent stays when the segment is out of order (4.3)");
	u.now += 25ULL * 24 * 3600 * SEC;
	u.peer_tsval = 3;
	u_clear(&u);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 10);
	is(u.v.drop, 0, "after 24 days idle TS.Recent is void (5.5)");
	u.peer_tsval = 0x90000000;
	u_seg(&u, XTCP_RST, u.t.s.rcv_nxt, 0, 0);
	is(u.t.state, XTCP_CLOSE, "RST with an old timestamp still resets (5.2)");
	u_free(&u);
}

/* What each reset tells the user: SEEDS X-15 */
static void reset_errors(void)
{
	static const struct { u8 state; int err; } row[] = {
		{ XTCP_ESTABLISHED, ECONNRESET }, { XTCP_FIN_WAIT1, ECONNRESET },
		{ XTCP_FIN_WAIT2, ECONNRESET }, { XTCP_CLOSE_WAIT, EPIPE },
	};
	unsigned int i;
	struct u u;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		u_init(&u);
		u_to(&u, row[i].state);
		u_seg(&u, XTCP_RST, u.t.s.rcv_nxt, 0, 0);
		is(u.err, row[i].err, "RST in %s reports errno %d",
		   xtcp_state_name(row[i].state), row[i].err);
		u_free(&u);
	}
}

/* Text is trimmed to the window on both sides, then delivered once. */
static void trimming(void)
{
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 1, 20);
	is(u.v.data_len, 20, "20 bytes across the sequence wrap");
	u_seg(&u, XTCP_ACK, IRS + 11, ISS + 1, 20);
	is(u.v.data_off, 10, "overlap: the first 10 bytes are skipped");
	is(u.v.data_len, 10, "overlap: the other 10 are delivered");
	ok(u.v.flags & XTCP_V_DELIVER, "overlap: delivered at once");
	u_seg(&u, XTCP_ACK, IRS + 41, ISS + 1, 9);
	ok((u.v.flags & XTCP_V_OOO) && !(u.v.flags & XTCP_V_DELIVER),
	   "a hole: kept, not delivered");
	u_seg(&u, XTCP_ACK, IRS + 41, ISS + 1, 10);
	ok(u.v.drop == 0 && (u.v.flags & XTCP_V_OOO), "one byte more than is held: kept");
	u_seg(&u, XTCP_ACK, IRS + 31, ISS + 1, 10);
	ok(u.v.flags & XTCP_V_DELIVER, "the hole is filled");
	is(u.t.s.rcv_nxt, IRS + 51, "RCV.NXT jumps over what was held");
	u_seg(&u, XTCP_ACK | XTCP_FIN, IRS + 61, ISS + 1, 0);
	is(u.t.state, XTCP_ESTABLISHED, "a FIN beyond a hole waits");
	ok(!(u.v.flags & XTCP_V_FIN), "... without EOF");
	u_seg(&u, XTCP_ACK, IRS + 51, ISS + 1, 10);
	is(u.t.state, XTCP_CLOSE_WAIT, "the hole filled, the FIN counts");
	ok(u.v.flags & XTCP_V_FIN, "... and EOF follows the data");
	is(u.t.s.rcv_nxt, IRS + 62, "the FIN takes one sequence number");
	u_free(&u);
}

static void no_room(void)
{
	struct xtcp_seg g;
	struct u u;
	u32 i;

	u_init(&u);
	u.nomem = true;
	u_to(&u, XTCP_ESTABLISHED);
	g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 10);
	g.no_mem = 1;
	u_rx(&u, &g);
	is(u.v.drop, D(NOMEM), "no memory for the payload: dropped with its reason");
	is(u.t.s.rcv_nxt, IRS + 1, "... and not acknowledged");
	for (i = 0; i < 2 * XTCP_POOL_WANT && u.v.drop != D(OOO_LIMIT) &&
	     !(i && u.v.drop == D(NOMEM)); i++)
		u_seg(&u, XTCP_ACK, IRS + 101 + 20 * i, ISS + 1, 10);
	ok(u.v.drop == D(NOMEM) || u.v.drop == D(OOO_LIMIT),
	   "no range node for one more hole: dropped with its reason");
	u_free(&u);
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	for (i = 0; i <= XTCP_MAX_OOO && !u.v.drop; i++)
		u_seg(&u, XTCP_ACK, IRS + 101 + 20 * i, ISS + 1, 10);
	is(i, XTCP_MAX_OOO + 1, "%d holes are remembered, no more", XTCP_MAX_OOO);
	is(u.v.drop, D(OOO_LIMIT), "one more hole than allowed: dropped with its reason");
	u_free(&u);
	/* the user reads nothing until the window is shut */
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	while (xtcp_rcv_wnd(&u.t.s) && u.unread < 200000) {
		u32 n = min_t(u32, 1000, xtcp_rcv_wnd(&u.t.s));

		u.unread += n;
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, n);
		u_run(&u, 300 * MS);
	}
	is(xtcp_rcv_wnd(&u.t.s), 0, "unread data closes the window");
	u_clear(&u);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, 1);
	is(u.v.drop, D(NO_WINDOW), "a zero-window probe is dropped with its reason");
	is(u_answer(&u), 'A', "... and answered (RFC 9293 3.8.6.1)");
	u_clear(&u);
	u.now += SEC;
	u_seg(&u, XTCP_RST, u.t.s.rcv_nxt, 0, 0);
	is(u.t.state, XTCP_CLOSE, "a RST at a zero window is acceptable (RFC 9293 3.10.7.4)");
	u_free(&u);
}

void test_vectors(void)
{
	unsigned int i, c;

	for (i = 0; i < ARRAY_SIZE(vecs); i++)
		for (c = 0; c < NR_COL; c++)
			vec_run(&vecs[i], c);
	challenge_contents();
	paws();
	reset_errors();
	trimming();
	no_room();
}
