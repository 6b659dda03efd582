// SPDX-License-Identifier: GPL-2.0
/* RACK, tail loss probe, PRR, F-RTO, undo: RFC 8985, 6937bis, 5682, 3522, 3708; hostile SACKs. */
#include "unit.h"
#include "../../src/core/internal.h"

#define RTT	(40 * MS)	/* of the handshake: the one sample */
#define REO	(RTT / 4)
#define PTO	(2 * RTT + 10 * MS)

/* @n segments leave, of @total, after a handshake that took RTT. */
static void flight(struct u *u, struct xtcp_opts peer, u32 cwnd, u32 total)
{
	struct xtcp_seg g;

	u_init(u);
	u->p.tcp_init_cwnd = cwnd;
	u->p.tcp_timestamps = peer.has_ts;
	u->t.nodelay = 1;
	u->t.cc = &xtcp_cc_reno;
	u_open(u);
	u->now += RTT;
	peer.mss = MSS;
	if (peer.has_ts)
		u->t.mss_cap = MSS + 12;
	g = u_mk(u, XTCP_SYN | XTCP_ACK, IRS, ISS + 1, 0);
	g.opt = peer;
	if (peer.has_ts) {
		g.opt.mss += 12;
		g.opt.tsval = 1;
		g.opt.tsecr = (u32)((u->now - RTT) / 1000) + u->t.ts_off;
	}
	u_rx(u, &g);
	u_clear(u);
	u_send(u, total * MSS);
	if (u->n_out != min(cwnd, total))
		ok(false, "%u segments leave (%u)", min(cwnd, total), u->n_out);
	u_clear(u);
}

static void sack_flight(struct u *u, u32 cwnd, u32 total)
{
	flight(u, (struct xtcp_opts){ .sack_ok = 1 }, cwnd, total);
}

static u32 at(u32 segment)
{
	return ISS + 1 + segment * MSS;
}

/* An ACK of the first @n segments that reports [from, to) as held, [dfrom, dto) as come twice. */
static void ack4(struct u *u, u32 n, u32 dfrom, u32 dto, u32 from, u32 to)
{
	struct xtcp_seg g = u_mk(u, XTCP_ACK, IRS + 1, at(n), 0);

	if (dto > dfrom) {
		g.opt.sack[g.opt.nsack].start = at(dfrom);
		g.opt.sack[g.opt.nsack++].end = at(dto);
	}
	if (to > from) {
		g.opt.sack[g.opt.nsack].start = at(from);
		g.opt.sack[g.opt.nsack++].end = at(to);
	}
	u_clear(u);
	u_rx(u, &g);
}

static void ack(struct u *u, u32 n, u32 from, u32 to)
{
	ack4(u, n, 0, 0, from, to);
}

/* Is @segment, and nothing else, what left since u_clear()? */
static bool only(const struct u *u, u32 segment)
{
	return u->n_out == 1 && u->out[0].seq == at(segment) && u->out[0].len == MSS;
}

static unsigned int copies(const struct u *u, u32 segment)
{
	unsigned int i, n = 0;

	for (i = 0; i < u->n_out; i++)
		n += u->out[i].len && seq_leq(u->out[i].seq, at(segment)) &&
		     seq_gt(u->out[i].seq + u->out[i].len, at(segment));
	return n;
}

/* ---- RACK */

static void rack_reordering(void)
{
	struct u u;

	sack_flight(&u, 10, 10);
	u.now += RTT;
	ack(&u, 0, 1, 2);
	is(u.n_out, 0, "RACK: one segment above a hole: it may be reordering");
	is(u_deadline(&u), REO, "... for a quarter of the smallest RTT (RFC 8985 6.2)");
	u_run(&u, REO - 1);
	is(u.n_out, 0, "... not any sooner");
	u_run(&u, 1);
	ok(only(&u, 0), "RACK: the reordering window is over, the hole is lost");
	is(u.t.ca_state, XTCP_CA_RECOVERY, "... recovery");
	u_free(&u);

	sack_flight(&u, 10, 10);
	u.now += RTT;
	ack(&u, 0, 1, 2);
	u.now += REO / 2;
	ack(&u, 2, 0, 0);
	is(u.t.reord_seen, 1, "RACK: the hole fills by itself: reordering (6.2 step 3)");
	ok(u_counted(&u, XTCP_MIB_SACK_REORDER), "... counted");
	is(u.n_out + u.t.lost_bytes, 0, "... nothing is repeated");
	ack(&u, 2, 3, 9);
	is(u.n_out, 0, "RACK: reordering seen: any number of segments above wait for the window");
	u_run(&u, REO);
	is(copies(&u, 2), 1, "... and no longer");
	is(copies(&u, 3) + copies(&u, 8), 0, "... what the peer has is not repeated");
	u_free(&u);
}

/* The last of ten comes first, with RFC 6675 in force. */
static void overtaken(struct u *u, u32 max)
{
	sack_flight(u, 10, 40);
	u->p.tcp_recovery = 0;
	u->p.tcp_early_retrans = 0;
	u->p.tcp_max_reordering = max;
	is(xtcp_reordering(&u->t), 3, "reordering: tcp_reordering at first");
	u->now += RTT;
	ack(u, 0, 9, 10);
	ack(u, 10, 0, 0);
}

static void degree(void)
{
	struct u u;

	overtaken(&u, 300);
	is(xtcp_reordering(&u.t), 10, "reordering: ten segments up to what has come first");
	u_free(&u);

	overtaken(&u, 5);
	is(xtcp_reordering(&u.t), 5, "reordering: not beyond tcp_max_reordering");
	u.now += RTT;
	ack(&u, 10, 12, 16);
	is(u.t.lost_bytes + copies(&u, 10), 0, "reordering: four segments above are none too many");
	ack(&u, 10, 12, 17);
	is(copies(&u, 10), 1, "reordering: ... five are a loss");
	u_free(&u);

	/* what has come once more and late tells less: nothing is forgotten */
	overtaken(&u, 300);
	ack(&u, 10, 11, 12);
	ack(&u, 12, 0, 0);
	is(xtcp_reordering(&u.t), 10, "reordering: two segments: no less than before");
	ack(&u, 12, 13, 16);
	u_run(&u, u_deadline(&u));
	is(u.t.ca_state, XTCP_CA_LOSS, "reordering: three above, fewer than ten, and a timeout");
	is(xtcp_reordering(&u.t), 3, "reordering: ... it was too much to wait for");
	u_free(&u);

	flight(&u, (struct xtcp_opts){ .sack_ok = 0 }, 8, 8);
	u.now += RTT;
	ack4(&u, 0, 0, 0, 0, 0);
	ack4(&u, 0, 0, 0, 0, 0);
	is(xtcp_reordering(&u.t) + u.t.reord_seen, 3, "reordering, no SACK: two of seven");
	for (u32 i = 2; i < 7; i++)
		ack4(&u, 0, 0, 0, 0, 0);
	is(xtcp_reordering(&u.t) + u.t.reord_seen, 3, "reordering, no SACK: seven of them");
	ack4(&u, 0, 0, 0, 0, 0);
	is(xtcp_reordering(&u.t), 8, "reordering, no SACK: more than can be: all of them");
	is(u.t.reord_seen, 1, "reordering, no SACK: ... seen");
	ok(u_counted(&u, XTCP_MIB_RENO_REORDER), "reordering, no SACK: ... counted");
	u_free(&u);
}

static void rack_threshold(void)
{
	struct u u;

	sack_flight(&u, 10, 10);
	u.now += RTT;
	ack(&u, 0, 1, 4);
	ok(only(&u, 0), "RACK: tcp_reordering segments above, no reordering yet: lost at once");
	u_free(&u);
	sack_flight(&u, 10, 10);
	u.p.tcp_recovery = 5;
	u.now += RTT;
	ack(&u, 0, 1, 4);
	is(u.n_out, 0, "RACK: tcp_recovery 4: no such threshold");
	u_run(&u, REO);
	ok(only(&u, 0), "... the window decides");
	u_free(&u);
	/* the tail of a burst: all below it, whatever the number (RFC 8985 3.1) */
	sack_flight(&u, 10, 10);
	u.now += RTT;
	ack(&u, 0, 9, 10);
	u_run(&u, REO);
	is(u.t.lost_bytes + u.t.retrans_bytes, 9 * MSS, "RACK: one segment tells of nine lost");
	u_free(&u);
}

static void rack_lost_again(void)
{
	struct u u;

	sack_flight(&u, 10, 30);
	u.now += RTT;
	ack(&u, 0, 1, 4);
	is(copies(&u, 0), 1, "RACK: a hole is filled");
	u.now += 1;
	ack(&u, 0, 1, 10);
	ok(u.n_out && u.out[0].seq == at(10), "... new data follows");
	u.now += RTT;
	ack(&u, 0, 1, 11);
	is(copies(&u, 0), 1, "RACK: what was sent after the repetition came: that is lost (6.2)");
	ok(u_counted(&u, XTCP_MIB_LOST_RETRANSMIT), "... counted");
	is(u.t.ca_state, XTCP_CA_RECOVERY, "... no timeout");
	u_free(&u);
	sack_flight(&u, 10, 30);
	u.now += RTT;
	ack(&u, 0, 1, 4);
	u.now += 1;
	ack(&u, 0, 1, 10);
	u.now += RTT / 2;
	ack(&u, 1, 0, 0);
	is(u.t.newest_end, at(10), "RACK: an answer too soon is to the original");
	u_free(&u);
}

static void rack_dsack(void)
{
	int mode;
	struct u u;

	for (mode = 1; mode <= 3; mode += 2) {
		sack_flight(&u, 10, 20);
		u.p.tcp_recovery = mode;
		u.now += RTT;
		ack(&u, 0, 1, 2);
		u_run(&u, REO);
		is(copies(&u, 0), 1, "RACK: a segment late by more than the window is repeated");
		u.now += MS;
		ack(&u, 2, 0, 0);
		ack4(&u, 2, 0, 1, 0, 0);
		is(u.t.reo_mult, 2, "... a DSACK says for nothing (6.2 step 4)");
		ack(&u, 2, 3, 4);
		is(u_deadline(&u), (mode == 1 ? 2 : 1) * REO, "... the window is %s",
		   mode == 1 ? "twice as long" : "as before with tcp_recovery 2");
		u_free(&u);
	}
}

/* ---- TLP */

static void tlp_tail(void)
{
	struct u u;

	sack_flight(&u, 10, 5);
	is(u_deadline(&u), PTO, "TLP: two round trips (RFC 8985 7.2)");
	u_run(&u, PTO);
	ok(only(&u, 4), "TLP: the last segment goes again (7.3)");
	ok(u_counted(&u, XTCP_MIB_LOSS_PROBES), "... counted");
	is(u_deadline(&u), u.t.rto_us, "... the timeout is a whole one from here");
	is(u.t.ca_state, XTCP_CA_OPEN, "... nothing is lost yet");
	/* segments 2 to 4 were lost, the probe is answered */
	u.now += RTT;
	ack(&u, 2, 4, 5);
	u_run(&u, REO);
	is(copies(&u, 2) + copies(&u, 3), 2, "TLP: the answer shows the holes, no timeout (3.2)");
	is(u.t.retransmits, 0, "... none at all");
	u.now += RTT;
	ack(&u, 5, 0, 0);
	is(u.t.ca_state, XTCP_CA_OPEN, "... and that was it");
	u_free(&u);

	sack_flight(&u, 10, 5);
	u_run(&u, PTO + u.t.rto_us);
	is(copies(&u, 4) + copies(&u, 0), 2, "TLP: one probe in a flight, then the timeout");
	is(u.t.ca_state, XTCP_CA_LOSS, "... of the head");
	u_free(&u);

	sack_flight(&u, 10, 5);
	u_run(&u, PTO);
	u_send(&u, MSS);
	is(u_deadline(&u), u.t.rto_us, "TLP: no second one until the first is answered");
	u_free(&u);
}

static void tlp_new_data(void)
{
	struct u u;

	sack_flight(&u, 10, 20);
	u_run(&u, PTO);
	ok(only(&u, 10), "TLP: new data if there is any, cwnd or no cwnd (7.3)");
	is(u.t.total_retrans, 0, "... nothing is repeated");
	u.now += RTT;
	ack(&u, 11, 0, 0);
	ok(!u.t.tlp_out && u.t.ssthresh > 100, "TLP: acknowledged: no loss (7.4.2)");
	u_free(&u);
}

/* RFC 8985 7.4: did the probe repair a loss? */
static void tlp_verdict(void)
{
	struct u u;
	u32 cwnd;

	sack_flight(&u, 10, 5);
	u_run(&u, PTO);
	u.now += RTT;
	ack(&u, 5, 0, 0);
	cwnd = u.t.cwnd;
	ok(u.t.tlp_out, "TLP: acknowledged, by the original or by the probe?");
	u_send(&u, MSS);
	u.now += RTT;
	ack(&u, 6, 0, 0);
	ok(u.t.cwnd < cwnd && u.t.cwnd == u.t.ssthresh,
	   "TLP: no DSACK until more is acknowledged: the probe repaired a loss (7.4.2)");
	ok(u_counted(&u, XTCP_MIB_LOSS_PROBE_RECOVERY), "... counted");
	u_free(&u);

	sack_flight(&u, 10, 5);
	u_run(&u, PTO);
	u.now += RTT / 2;
	ack(&u, 5, 0, 0);
	cwnd = u.t.cwnd;
	u.now += RTT / 2;
	ack4(&u, 5, 4, 5, 0, 0);
	ok(!u.t.tlp_out, "TLP: a DSACK: both came");
	u_send(&u, MSS);
	u.now += RTT;
	ack(&u, 6, 0, 0);
	ok(u.t.cwnd >= cwnd, "... no loss, cwnd stays");
	is(u.t.reo_mult, 1, "... and the probe says nothing of reordering");
	u_free(&u);

	sack_flight(&u, 10, 5);
	u_run(&u, PTO);
	ack(&u, 5, 0, 0);
	ack(&u, 5, 0, 0);
	ok(!u.t.tlp_out, "TLP: a plain duplicate ACK says the same where there are no DSACKs");
	u_free(&u);
}

static void tlp_off(void)
{
	struct u u;

	sack_flight(&u, 10, 1);
	is(u_deadline(&u), u.t.rto_us, "TLP: a lone segment: the timeout is sooner");
	is(u.t.rexmit_kind, XTCP_RT_RTO, "... and stays");
	u_free(&u);
	sack_flight(&u, 10, 1);
	u.t.rto_us = 10 * SEC;
	u.t.deadline_us[XTCP_T_REXMIT] = u.now + 10 * SEC;
	u_send(&u, 0);
	xtcp_tlp_arm(&u.t, u.now);
	is(u_deadline(&u), PTO + 200 * MS, "TLP: a lone segment: 200 ms more (7.2 WCDelAckT)");
	u_free(&u);
	flight(&u, (struct xtcp_opts){ .sack_ok = 0 }, 10, 5);
	is(u_deadline(&u), u.t.rto_us, "TLP: not without SACK");
	u_free(&u);
	sack_flight(&u, 10, 0);
	u.p.tcp_early_retrans = 2;
	u_send(&u, 5 * MSS);
	is(u_deadline(&u), u.t.rto_us, "TLP: not with tcp_early_retrans 2");
	u_free(&u);
	/* never later than the timeout */
	sack_flight(&u, 10, 0);
	u.t.rto_us = 50 * MS;
	u_send(&u, 5 * MSS);
	is(u_deadline(&u), 50 * MS, "TLP: no later than the timeout, in its stead (7.2)");
	u_run(&u, 50 * MS);
	is(u.t.retransmits, 0, "... which comes after it");
	u_free(&u);
}

/* ---- PRR */

/* How many bytes left while the peer got segments [from, to) one by one? */
static u32 sacked_one_by_one(struct u *u, u32 una, u32 from, u32 to)
{
	u32 i, sum = 0;
	unsigned int k;

	for (i = from; i < to; i++) {
		ack(u, una, from, i + 1);
		for (k = 0; k < u->n_out; k++)
			sum += u->out[k].len;
	}
	return sum;
}

static void prr_proportional(void)
{
	struct u u;
	u32 sent, i, most = 0;

	/* RFC 6937 4, first example: one of 20 lost, reno halves */
	sack_flight(&u, 20, 60);
	u.now += RTT;
	ack(&u, 0, 1, 2);
	ack(&u, 0, 1, 3);
	ack(&u, 0, 1, 4);
	is(u.t.ca_state, XTCP_CA_RECOVERY, "PRR: recovery");
	is(u.t.ssthresh, 10, "PRR: to 10 segments from 20");
	is(copies(&u, 0), 1, "PRR: the first answer is the retransmission");
	for (i = 4, sent = 0; i < 20; i++) {
		ack(&u, 0, 1, i + 1);
		sent += u.n_out;
		most = max(most, u.n_out);
	}
	is(most, 1, "PRR: never a burst");
	ok(sent >= 7 && sent <= 9, "PRR: about one for each two that came (%u of 16)", sent);
	ok(xtcp_pipe(&u.t) <= 11 * MSS && xtcp_pipe(&u.t) >= 9 * MSS,
	   "PRR: at the end ssthresh is in flight (%u)", xtcp_pipe(&u.t));
	ack(&u, 20, 0, 0);
	is(u.t.cwnd, 10, "PRR: cwnd is ssthresh");
	u_free(&u);
}

static void prr_burst_loss(void)
{
	struct u u;
	u32 sent;

	/* RFC 6937 4, second example: 15 of 20 lost at once */
	sack_flight(&u, 20, 60);
	u.now += RTT;
	ack(&u, 0, 15, 16);
	ack(&u, 0, 15, 17);
	ack(&u, 0, 15, 18);
	is(u.t.lost_bytes + u.t.retrans_bytes, 15 * MSS, "PRR: 15 of 20 are lost");
	ok(u.n_out == 1, "PRR: little is in flight: no more than what came (%u)", u.n_out);
	sent = sacked_one_by_one(&u, 0, 15, 20) / MSS;
	ok(sent == 2, "PRR: a segment for each that comes (%u for 2, RFC 6937 PRR-CRB)", sent);
	u.now += RTT;
	ack(&u, 1, 15, 20);
	is(u.n_out, 2, "PRR: progress and no further loss: one more (SSRB, safeACK)");
	u_free(&u);
}

/* ---- F-RTO and undo */

static void frto(bool sack)
{
	const char *how = sack ? "SACK" : "no SACK";
	struct xtcp_opts o = { .sack_ok = sack };
	struct u u;

	/* a delay: the originals arrive after the timeout */
	flight(&u, o, 10, 20);
	u.p.tcp_early_retrans = 0;
	xtcp_early_off(&u.t);
	u_run(&u, u.t.rto_us);
	ok(only(&u, 0), "F-RTO, %s: the head goes again", how);
	is(u.t.cwnd, 1, "... cwnd is 1");
	/* as late as if it were for the repetition */
	u.now += RTT;
	ack(&u, 1, 0, 0);
	ok(u.n_out == 2 && u.out[0].seq == at(10), "F-RTO, %s: two new segments (2b)", how);
	ack(&u, 2, 0, 0);
	is(u.t.ca_state, XTCP_CA_OPEN, "F-RTO, %s: spurious (3b)", how);
	ok(u.t.cwnd >= 10, "... cwnd is as before");
	ok(u_counted(&u, XTCP_MIB_SPURIOUS_RTOS), "... counted");
	is(u.t.total_retrans, 1, "... nothing else was repeated");
	is(u.t.lost_bytes, 0, "... nothing is lost");
	u_free(&u);

	/* a loss: the answer to the retransmission, then duplicates */
	flight(&u, o, 10, 20);
	u.p.tcp_early_retrans = 0;
	xtcp_early_off(&u.t);
	u_run(&u, u.t.rto_us);
	u.now += RTT;
	ack(&u, 1, 0, 0);
	u.now += RTT;
	ack(&u, 1, 10, sack ? 11 : 10);
	is(u.t.ca_state, XTCP_CA_LOSS, "F-RTO, %s: a duplicate: the loss was real (3a)", how);
	is(copies(&u, 1), 1, "... the next one goes again");
	ok(u.t.cwnd <= 3 && u.t.ssthresh <= 5, "... in slow start");
	u_free(&u);

	flight(&u, o, 10, 10);
	u.p.tcp_early_retrans = 0;
	xtcp_early_off(&u.t);
	u_run(&u, u.t.rto_us);
	u.now += RTT;
	ack(&u, 1, 0, 0);
	is(copies(&u, 1), 1, "F-RTO, %s: no new data to ask with: the conventional way (2b)", how);
	u_free(&u);

	flight(&u, o, 10, 20);
	u.p.tcp_early_retrans = 0;
	u.p.tcp_frto = 0;
	xtcp_early_off(&u.t);
	u_run(&u, u.t.rto_us);
	u.now += RTT;
	ack(&u, 1, 0, 0);
	is(copies(&u, 1), 1, "F-RTO, %s: not with tcp_frto 0", how);
	u_free(&u);
}

static void undo_dsack(void)
{
	struct u u;

	sack_flight(&u, 10, 20);
	u.now += RTT;
	ack(&u, 0, 1, 4);
	is(u.t.ssthresh, 5, "undo: fast retransmit halves");
	u.now += MS;
	/* the original was only late */
	ack(&u, 10, 0, 0);
	ok(u.t.cwnd <= 6, "undo: recovery is over, the window is the smaller one");
	u.now += RTT;
	ack4(&u, 10, 0, 1, 0, 0);
	ok(u.t.cwnd >= 10 && u.t.ssthresh > 100, "undo: DSACKs for all repeated (RFC 3708)");
	ok(u_counted(&u, XTCP_MIB_DSACK_UNDO), "... counted");
	u_free(&u);

	/* two were repeated, one of them for nothing */
	sack_flight(&u, 10, 10);
	u.now += RTT;
	ack(&u, 0, 2, 5);
	u.now += 1;
	ack(&u, 0, 2, 10);
	is(u.t.total_retrans, 2, "undo: two are repeated");
	u.now += RTT;
	ack4(&u, 10, 0, 1, 0, 0);
	is(u.t.ssthresh, 5, "undo: a DSACK for one of two undoes nothing");
	u_free(&u);
	sack_flight(&u, 10, 10);
	u.now += RTT;
	ack(&u, 2, 3, 6);
	is(u.t.total_retrans, 1, "undo: the third segment is repeated");
	u.now += RTT;
	ack4(&u, 10, 0, 1, 0, 0);
	ok(u.t.ssthresh <= 6, "undo: not by a DSACK from before the recovery");
	ack4(&u, 10, 2, 3, 0, 0);
	ok(u.t.ssthresh <= 6, "undo: nor by one duplicate more than was repeated");
	u_free(&u);
}

/* A DSACK whose ends lie right to an edge each, of nothing that was ever sent. */
static void undo_far_side(void)
{
	struct xtcp_seg g;
	struct u u;

	sack_flight(&u, 10, 10);
	u.now += RTT;
	ack(&u, 0, 1, 10);
	is(u.t.ssthresh, 5, "undo: fast retransmit halves");
	u.now += MS;
	g = u_mk(&u, XTCP_ACK, IRS + 1, u.t.s.snd_una, 0);
	g.opt.nsack = 2;
	g.opt.sack[0].start = u.t.undo_una + 0x7fffff00;
	g.opt.sack[0].end = u.t.s.snd_nxt - 0x7fff0000;
	g.opt.sack[1] = g.opt.sack[0];
	u_rx(&u, &g);
	is(u.t.ssthresh, 5, "undo: not by a DSACK round the far side of the sequence space");
	u_free(&u);
}

/* A burst is as old as it is: what was put back into doubt comes in its own order. */
static void put_back(void)
{
	u32 n = 0, bad = 0, seq;
	struct xtcp_rng *r;
	struct u u;

	sack_flight(&u, 50, 50);
	xtcp_txq_all_lost(&u.t, false);
	xtcp_txq_none_lost(&u.t, false);
	seq = u.t.s.snd_una;
	list_for_each_entry(r, &u.t.sent, sent) {
		/* each insertion found its place at once */
		bad += r->seq != seq;
		seq = r->end;
		n++;
	}
	is(n, u.t.n_txq, "put back: all of them");
	is(bad, 0, "put back: a burst's ranges go before one another, not behind");
	u_free(&u);
}

static void undo_eifel(void)
{
	struct xtcp_seg g;
	struct u u;

	flight(&u, (struct xtcp_opts){ .sack_ok = 1, .has_ts = 1 }, 10, 20);
	u.now += RTT;
	ack(&u, 0, 1, 4);
	is(u.t.ca_state, XTCP_CA_RECOVERY, "undo: recovery with timestamps");
	u.now += MS;
	g = u_mk(&u, XTCP_ACK, IRS + 1, at(5), 0);
	g.opt.has_ts = 1;
	g.opt.tsval = 2;
	g.opt.tsecr = (u32)((u.now - RTT - MS) / 1000) + u.t.ts_off;
	u_rx(&u, &g);
	is(u.t.ca_state, XTCP_CA_OPEN, "undo: the echo is older than the repetition (RFC 3522)");
	ok(u.t.cwnd >= 10, "... cwnd is as before");
	ok(u_counted(&u, XTCP_MIB_PARTIAL_UNDO), "... counted");
	is(xtcp_reordering(&u.t), 5, "... five segments went by what was late");
	u_free(&u);
}

static void limited_transmit(void)
{
	struct u u;

	sack_flight(&u, 10, 20);
	u.now += RTT;
	ack(&u, 0, 1, 2);
	ok(only(&u, 10), "the first duplicate ACK lets a new segment out (RFC 3042)");
	ack(&u, 0, 1, 3);
	ok(only(&u, 11), "... the second another one");
	is(u.t.ca_state, XTCP_CA_DISORDER, "... and nothing is lost");
	u_free(&u);
}

/* ---- the SACK panic's family: what a peer can make us keep and look at is bounded */

static void hostile_sack(void)
{
	unsigned int i, worst = 0, before;
	struct xtcp_seg g;
	struct u u;

	flight(&u, (struct xtcp_opts){ .sack_ok = 1 }, 50, 50);
	for (i = 0; i < 20000; i++) {
		u32 off = (i * 8) % (50 * MSS - 32);
		unsigned int b;

		g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 0);
		g.opt.nsack = 4;
		for (b = 0; b < 4; b++) {
			g.opt.sack[b].start = ISS + 3 + off + 8 * (3 - b);
			g.opt.sack[b].end = g.opt.sack[b].start + 1;
		}
		before = u.t.n_txq;
		u_clear(&u);
		u_rx(&u, &g);
		worst = max(worst, u.t.n_txq - min(before, u.t.n_txq));
	}
	/* two of ours besides for each segment sent again */
	ok(u.t.n_txq <= XTCP_TXRNG_FREE + 3 * 50, "a byte here, a byte there: %u pieces (%u)",
	   XTCP_TXRNG_FREE + 3 * 50, u.t.n_txq);
	ok(worst && worst <= XTCP_POOL_WANT, "... one ACK makes no more than %u (%u)",
	   XTCP_POOL_WANT, worst);
	u_clear(&u);
	u_run(&u, 60 * SEC);
	ok(u.n_out >= 1, "... the flight goes on");
	ack(&u, 50, 0, 0);
	is(u.t.n_txq, 0, "... and ends");
	u_free(&u);
}

void test_rack(void)
{
	rack_reordering();
	degree();
	rack_threshold();
	rack_lost_again();
	rack_dsack();
	tlp_tail();
	tlp_new_data();
	tlp_verdict();
	tlp_off();
	prr_proportional();
	prr_burst_loss();
	frto(false);
	frto(true);
	undo_dsack();
	undo_far_side();
	put_back();
	undo_eifel();
	limited_transmit();
	hostile_sack();
}
