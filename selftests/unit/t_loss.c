// SPDX-License-Identifier: GPL-2.0
/* SACK and DSACK generation, the scoreboard, loss recovery. */
#include "unit.h"

static void last_sacks(const struct u *u, struct xtcp_opts *o)
{
	memset(o, 0, sizeof(*o));
	if (u->n_out)
		xtcp_opts_parse(u->out[u->n_out - 1].opt, u->out[u->n_out - 1].optlen, false, o);
}

static void is_sack(const struct u *u, const char *what, unsigned int n,
		    const u32 *want)
{
	struct xtcp_opts o;
	bool same;
	unsigned int i;

	last_sacks(u, &o);
	same = o.nsack == n;
	for (i = 0; same && i < n; i++)
		same = o.sack[i].start - IRS == want[2 * i] &&
		       o.sack[i].end - IRS == want[2 * i + 1];
	ok(same, "%s", what);
	if (same)
		return;
	printf("#   got");
	for (i = 0; i < o.nsack; i++)
		printf(" %d-%d", (int)(o.sack[i].start - IRS), (int)(o.sack[i].end - IRS));
	printf("\n");
}

/* RFC 2018 4: newest block first, blocks repeated; RFC 2883: duplicates first */
void test_sack_gen(void)
{
	struct xtcp_opts o;
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_seg(&u, XTCP_ACK, IRS + 101, ISS + 1, 100);
	is_sack(&u, "a hole: one block", 1, (u32[]){ 101, 201 });
	u_seg(&u, XTCP_ACK, IRS + 301, ISS + 1, 100);
	is_sack(&u, "the newest block comes first (RFC 2018 4)", 2,
		(u32[]){ 301, 401, 101, 201 });
	u_seg(&u, XTCP_ACK, IRS + 501, ISS + 1, 100);
	u_seg(&u, XTCP_ACK, IRS + 701, ISS + 1, 100);
	is_sack(&u, "four blocks without timestamps",
		4, (u32[]){ 701, 801, 501, 601, 301, 401, 101, 201 });
	u_seg(&u, XTCP_ACK, IRS + 901, ISS + 1, 100);
	is_sack(&u, "the oldest falls out", 4,
		(u32[]){ 901, 1001, 701, 801, 501, 601, 301, 401 });
	u_seg(&u, XTCP_ACK, IRS + 401, ISS + 1, 100);
	last_sacks(&u, &o);
	ok(o.nsack >= 1 && o.sack[0].start == IRS + 301 && o.sack[0].end == IRS + 601,
	   "blocks that meet are merged, and come first");
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 1, 100);
	last_sacks(&u, &o);
	is(u.t.s.rcv_nxt, IRS + 201, "the first hole is filled");
	ok(o.nsack >= 1 && o.sack[0].start != IRS + 101, "... and its block gone");
	u_free(&u);

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 1, 100);
	u.now += SEC;
	u_clear(&u);
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 1, 100);
	is(u.v.drop, XTCP_DROP_OLD, "a duplicate is dropped");
	if (u.v.flags & XTCP_V_REPLY) {
		u.out[0].optlen = u.v.reply.optlen;
		memcpy(u.out[0].opt, u.v.reply.opt, sizeof(u.out[0].opt));
		u.n_out = 1;
	}
	is_sack(&u, "... and reported by DSACK (RFC 2883 4)", 1, (u32[]){ 1, 101 });
	u_seg(&u, XTCP_ACK, IRS + 201, ISS + 1, 100);
	u_clear(&u);
	u_seg(&u, XTCP_ACK, IRS + 201, ISS + 1, 100);
	is_sack(&u, "a duplicate out of order: DSACK, then the block (RFC 2883 4.2)",
		2, (u32[]){ 201, 301, 201, 301 });
	u_free(&u);

	u_init(&u);
	u.p.tcp_sack = 0;
	u_to(&u, XTCP_ESTABLISHED);
	u_seg(&u, XTCP_ACK, IRS + 101, ISS + 1, 100);
	is_sack(&u, "tcp_sack 0: no blocks", 0, NULL);
	u_free(&u);
}

/* ---- recovery: ten segments in flight, some lost */

static void flight(struct u *u, bool sack)
{
	struct xtcp_opts o = { .mss = MSS, .sack_ok = sack };

	u_init(u);
	u->t.nodelay = 1;
	u_open_opts(u, &o);
	u_send(u, 10 * MSS);
	if (u->n_out != 10)
		ok(false, "ten segments leave (%u)", u->n_out);
	u->now += 50 * MS;
	u_clear(u);
}

/* An ACK of the first @n segments that reports segments [from, to) as held. */
static void ack(struct u *u, u32 n, u32 from, u32 to)
{
	struct xtcp_seg g = u_mk(u, XTCP_ACK, IRS + 1, ISS + 1 + n * MSS, 0);

	if (to > from) {
		g.opt.nsack = 1;
		g.opt.sack[0].start = ISS + 1 + from * MSS;
		g.opt.sack[0].end = ISS + 1 + to * MSS;
	}
	u_rx(u, &g);
}

static unsigned int sent_count(const struct u *u, u32 segment)
{
	unsigned int i, n = 0;

	for (i = 0; i < u->n_out; i++)
		n += u->out[i].len && seq_leq(u->out[i].seq, ISS + 1 + segment * MSS) &&
		     seq_gt(u->out[i].seq + u->out[i].len, ISS + 1 + segment * MSS);
	return n;
}

static void reno_fast_retransmit(void)
{
	struct u u;

	flight(&u, false);
	ack(&u, 1, 0, 0);
	u_clear(&u);
	ack(&u, 1, 0, 0);
	ack(&u, 1, 0, 0);
	is(sent_count(&u, 1), 0, "two duplicate ACKs: no retransmission");
	ack(&u, 1, 0, 0);
	is(sent_count(&u, 1), 1, "the third: fast retransmit (RFC 5681 3.2)");
	is(u.t.ca_state, XTCP_CA_RECOVERY, "... recovery");
	ok(u.t.ssthresh >= 2 && u.t.ssthresh <= 6, "ssthresh is about half the flight");
	ack(&u, 1, 0, 0);
	is(sent_count(&u, 1), 1, "further duplicates do not retransmit again");
	u_clear(&u);
	ack(&u, 4, 0, 0);
	is(sent_count(&u, 4), 1, "partial ACK: the next hole at once (NewReno, RFC 6582 3.2)");
	is(u.t.ca_state, XTCP_CA_RECOVERY, "... recovery goes on");
	u_clear(&u);
	ack(&u, 10, 0, 0);
	is(sent_count(&u, 1) + sent_count(&u, 4), 0, "full ACK: nothing more to repeat");
	ok(u.t.ca_state != XTCP_CA_RECOVERY, "... recovery ends");
	ok(u.t.cwnd <= u.t.ssthresh + 1, "... with cwnd at ssthresh");
	u_free(&u);
}

static void sack_recovery(void)
{
	struct u u;

	flight(&u, true);
	u.p.tcp_recovery = 0;
	/* segments 2 and 5 lost */
	ack(&u, 2, 0, 0);
	u_clear(&u);
	ack(&u, 2, 3, 4);
	ack(&u, 2, 3, 5);
	is(sent_count(&u, 2), 0, "SACK: two segments above the hole: no loss yet");
	ack(&u, 2, 6, 7);
	is(sent_count(&u, 2), 1, "SACK: three segments above: lost (RFC 6675 5, DupThresh)");
	is(sent_count(&u, 5), 0, "SACK: the second hole has only one above");
	ack(&u, 2, 6, 9);
	ack(&u, 2, 6, 10);
	is(sent_count(&u, 5), 1, "SACK: the second hole follows when three lie above it");
	is(sent_count(&u, 2), 1, "SACK: no hole is filled twice");
	is(sent_count(&u, 3) + sent_count(&u, 4) + sent_count(&u, 6) + sent_count(&u, 7), 0,
	   "SACK: what the peer holds is not repeated (SEEDS 4-37)");
	u_clear(&u);
	ack(&u, 10, 0, 0);
	ok(u.t.ca_state != XTCP_CA_RECOVERY && u.t.ca_state != XTCP_CA_LOSS, "SACK: recovery ends");
	is(u.t.n_txq, 0, "SACK: nothing left in flight");
	is(u.t.sacked_bytes + u.t.lost_bytes + u.t.retrans_bytes, 0, "SACK: counters back to zero");
	u_free(&u);
}

static void rexmit_lost(void)
{
	struct u u;

	flight(&u, true);
	ack(&u, 0, 1, 4);
	is(sent_count(&u, 0), 1, "SACK: fast retransmit of the head");
	u_clear(&u);
	u_run(&u, 3 * SEC);
	ok(sent_count(&u, 0) >= 1, "the retransmission lost too: the timeout repeats it");
	is(u.t.ca_state, XTCP_CA_LOSS, "... in loss state");
	is(sent_count(&u, 2), 0, "... but not what was SACKed");
	u_clear(&u);
	ack(&u, 4, 0, 0);
	ok(sent_count(&u, 4) == 1, "after a timeout the rest is resent in slow start");
	u_free(&u);
}

/* RFC 2018 8: the peer may take back what it sacked; a timeout believes none of it */
static void reneging(void)
{
	struct u u;

	flight(&u, true);
	ack(&u, 0, 1, 10);
	u_clear(&u);
	/* the head arrives, but what was sacked behind it is gone again */
	ack(&u, 1, 0, 0);
	is(u.t.s.snd_una, ISS + 1 + MSS, "SACK taken back: the ACK stops below what was sacked");
	u_clear(&u);
	u_run(&u, 5 * SEC);
	ok(sent_count(&u, 1) >= 1, "SACK taken back: a timeout sends the sacked head again");
	u_clear(&u);
	ack(&u, 2, 0, 0);
	ack(&u, 4, 0, 0);
	ok(sent_count(&u, 4) + sent_count(&u, 5) >= 1, "SACK taken back: ... and what follows it");
	ack(&u, 10, 0, 0);
	is(u.t.n_txq, 0, "SACK taken back: all arrives in the end");
	u_free(&u);
}

static void bad_sacks(void)
{
	static const struct { const char *name; s32 a, b; } row[] = {
		{ "above SND.NXT", 10 * MSS, 11 * MSS }, { "below SND.UNA", -2000, -1000 },
		{ "empty", 1000, 1000 }, { "inverted", 3000, 2000 },
		{ "half the space", 0, 0x7fffffff }, { "everything", -5, 20 * MSS },
		/* each end on the right side of one edge, and of each other */
		{ "round the far side", 0x7f000000, -0x40000000 },
		{ "at the far side", 0x7ffffff0, -0x7fffffff },
		{ "from SND.NXT round to SND.UNA", 0x7ffffff0, -0x10 },
		{ "from within round to SND.UNA", MSS, -0x7fffffff + MSS },
	};
	unsigned int i;
	struct u u;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		struct xtcp_seg g;

		flight(&u, true);
		g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 0);
		g.opt.nsack = 1;
		g.opt.sack[0].start = ISS + 1 + row[i].a;
		g.opt.sack[0].end = ISS + 1 + row[i].b;
		u_rx(&u, &g);
		is(u.t.sacked_bytes, 0, "SACK block %s is not believed", row[i].name);
		u_free(&u);
	}
	/* a block that cuts through ranges marks its own bytes, no more */
	flight(&u, true);
	{
		struct xtcp_seg g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 0);

		g.opt.nsack = 1;
		g.opt.sack[0].start = ISS + 1 + MSS / 2;
		g.opt.sack[0].end = ISS + 1 + 2 * MSS + MSS / 4;
		u_rx(&u, &g);
	}
	is(u.t.sacked_bytes, MSS / 2 + MSS + MSS / 4, "a block across ranges: its bytes, no more");
	u_free(&u);
	/* nodes run out: SACK loses precision, nothing else */
	flight(&u, true);
	u.nomem = true;
	for (i = 1; i < 9; i += 2)
		ack(&u, 0, i, i + 1);
	u_run(&u, 10 * SEC);
	ack(&u, 10, 0, 0);
	is(u.t.s.snd_una, ISS + 1 + 10 * MSS, "no range nodes: the flight still completes");
	u_free(&u);
}

static void slow_start(void)
{
	struct u u;
	u32 before;
	unsigned int i;

	flight(&u, true);
	before = u.t.cwnd;
	for (i = 1; i <= 10; i++)
		ack(&u, i, 0, 0);
	is(u.t.cwnd, 2 * before, "slow start: cwnd doubles per round trip (RFC 5681 3.1)");
	u_free(&u);
	flight(&u, true);
	u.t.ssthresh = u.t.cwnd;
	before = u.t.cwnd;
	ack(&u, 10, 0, 0);
	ok(u.t.cwnd <= before + 1, "congestion avoidance: one segment per round trip");
	u_free(&u);
}

void test_recovery(void)
{
	reno_fast_retransmit();
	sack_recovery();
	rexmit_lost();
	reneging();
	bad_sacks();
	slow_start();
}
