// SPDX-License-Identifier: GPL-2.0
/* Windows, Nagle and cork, acknowledgment policy, zero-window probes. */
#include "unit.h"

static void scaling(void)
{
	struct xtcp_opts o = { .mss = MSS, .has_wscale = 1, .wscale = 5 };
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	u.t.rcv_wscale = 3;
	u_open(&u);
	g = u_mk(&u, XTCP_SYN | XTCP_ACK, IRS, ISS + 1, 0);
	g.opt = o;
	g.wnd = 1000;
	u_clear(&u);
	u_rx(&u, &g);
	is(u.t.snd_wnd, 1000, "the window of a SYN-ACK is not scaled (RFC 7323 2.2)");
	g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 1);
	g.wnd = 1000;
	u_rx(&u, &g);
	is(u.t.snd_wnd, 32000, "later windows are (RFC 7323 2.3)");
	ok(u.n_out && ((u32)u.out[0].wnd << 3) <= u.rcvbuf + 8,
	   "our windows are scaled and within the buffer");
	u_free(&u);
	u_init(&u);
	u.t.rcv_wscale = 3;
	o.has_wscale = 0;
	u_open_opts(&u, &o);
	is(u.t.rcv_wscale, 0, "no window scale from the peer: none from us");
	is(u.t.snd_wscale, 0, "... in either direction");
	u_free(&u);
}

/* RFC 9293 3.10.7.4 fifth: SND.WL1, SND.WL2 */
static void window_update(void)
{
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 1, 10);
	g = u_mk(&u, XTCP_ACK, IRS + 11, ISS + 1, 0);
	g.wnd = 5000;
	u_rx(&u, &g);
	is(u.t.snd_wnd, 5000, "a newer segment updates the window");
	u_send(&u, 100);
	g = u_mk(&u, XTCP_ACK, IRS + 11, ISS + 101, 0);
	g.wnd = 7000;
	u_rx(&u, &g);
	is(u.t.snd_wnd, 7000, "a newer ACK of the same sequence updates it");
	g = u_mk(&u, XTCP_ACK, IRS + 11, ISS + 1, 0);
	g.wnd = 100;
	u_rx(&u, &g);
	is(u.t.snd_wnd, 7000, "an older ACK of the same sequence does not");
	u_free(&u);
}

/* The right edge never moves left, whatever the buffer does. */
static void never_shrink(void)
{
	u32 edge, n = 0, shrunk = 0;
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	edge = u.t.s.rcv_adv;
	u.rcvbuf = 1000;
	for (n = 0; n < 60; n++) {
		u32 len = min_t(u32, 700, xtcp_rcv_wnd(&u.t.s));

		u.unread += len;
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, len);
		u_run(&u, 50 * MS);
		shrunk += seq_lt(u.t.s.rcv_adv, edge);
		edge = seq_max(edge, u.t.s.rcv_adv);
	}
	is(shrunk, 0, "the right edge never moves left when the buffer shrinks (RFC 9293 3.8.6)");
	u_free(&u);
}

/* Receiver's silly window avoidance (RFC 9293 3.8.6.2.2) */
static void receiver_sws(void)
{
	u32 i, small = 0;
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	while (xtcp_rcv_wnd(&u.t.s)) {
		u32 n = min_t(u32, MSS, xtcp_rcv_wnd(&u.t.s));

		u.unread += n;
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, n);
		u_run(&u, 300 * MS);
		if (u.unread > 300000)
			break;
	}
	is(xtcp_rcv_wnd(&u.t.s), 0, "an unread buffer closes the window");
	u_clear(&u);
	for (i = 0; i < 10; i++) {
		u_read(&u, 10);
		small += u.n_out;
	}
	is(small, 0, "reading 10 bytes at a time opens no silly window");
	u_read(&u, 30000);
	ok(u.n_out == 1 && u.out[0].len == 0 && xtcp_rcv_wnd(&u.t.s) >= 2 * MSS,
	   "reading much sends a window update");
	u_free(&u);
}

void test_window(void)
{
	scaling();
	window_update();
	never_shrink();
	receiver_sws();
}

/* RFC 896, Minshall's variant; RFC 9293 3.7.4 */
static void nagle(void)
{
	struct u u;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_send(&u, 10);
	is(u.n_out, 1, "Nagle: the first small segment goes at once");
	u_send(&u, 10);
	is(u.n_out, 1, "Nagle: the second waits for the ACK");
	u_send(&u, 2000);
	ok(u.n_out == 3 && u.out[1].len == MSS && u.out[2].len == MSS,
	   "Nagle: full segments do not wait");
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 11, 0);
	is(u.n_out, 4, "Nagle: the small one acknowledged, the rest goes");
	is(u.out[3].len, 10, "... all of it");
	u_free(&u);
	u_init(&u);
	u.t.nodelay = 1;
	u_to(&u, XTCP_ESTABLISHED);
	u_send(&u, 10);
	u_send(&u, 10);
	is(u.n_out, 2, "TCP_NODELAY: nothing waits");
	u_free(&u);
}

/* Nothing but full segments for more than half of the sequence space. */
static void nagle_far(void)
{
	struct xtcp_opts o = { .mss = MSS, .sack_ok = 1 };
	struct u u;
	u32 i;

	u_init(&u);
	u.t.gso_max = 50 * MSS;
	u_open_opts(&u, &o);
	u.t.gso_max = 50 * MSS;
	u_send(&u, 10);
	for (i = 0; i < 45000; i++) {
		u_clear(&u);
		u_send(&u, 50 * MSS);
		while (u.t.s.snd_una != u.t.write_seq) {
			u.now += 10 * MS;
			u_seg(&u, XTCP_ACK, IRS + 1, u.t.s.snd_nxt, 0);
		}
	}
	u_clear(&u);
	u_send(&u, MSS);
	u_send(&u, 10);
	is(u.n_out, 2, "Nagle: 2 GB later the small segment of then is not in flight");
	u_free(&u);
}

static void cork(void)
{
	struct u u;
	u64 t0;

	u_init(&u);
	u.t.cork = 1;
	u_to(&u, XTCP_ESTABLISHED);
	t0 = u.now;
	u_send(&u, 10);
	u_send(&u, 10);
	is(u.n_out, 0, "TCP_CORK: partial segments wait");
	u_run(&u, 250 * MS);
	ok(u.n_out == 1 && u.out[0].len == 20, "TCP_CORK: ... no longer than 200 ms");
	is(u.n_out ? (u.out_us[0] - t0) / MS : 0, 200, "TCP_CORK: 200 ms");
	u_free(&u);
	u_init(&u);
	u.t.cork = 1;
	u_to(&u, XTCP_ESTABLISHED);
	u_send(&u, 1500);
	ok(u.n_out == 1 && u.out[0].len == MSS, "TCP_CORK: full segments go");
	u.t.cork = 0;
	u_send(&u, 0);
	ok(u.n_out == 2 && u.out[1].len == 500, "uncorked: the rest goes");
	u_free(&u);
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_prep(&u);
	xtcp_user_send(&u.t, 10, true, false, u.now, &u.v);
	u_step(&u);
	is(u.n_out, 0, "MSG_MORE: waits");
	u_send(&u, 10);
	ok(u.n_out == 1 && u.out[0].len == 20, "... for the next write");
	u_free(&u);
}

static void hold(struct u *u, u32 n)
{
	u_prep(u);
	memset(&u->v, 0, sizeof(u->v));
	xtcp_user_hold(&u->t, n, u->now);
	u_step(u);
}

/* Pages of a file come one by one: large segments are made of them. */
static void held_back(void)
{
	struct u u;
	u64 t0;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	hold(&u, 2500);
	is(u.n_out, 0, "held back: not even full segments go");
	u_send(&u, 10);
	ok(u.n_out == 3 && u.out[0].len == MSS && u.out[2].len == 510,
	   "... all go with the last piece");
	u_free(&u);
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	t0 = u.now;
	hold(&u, 2500);
	u_run(&u, 250 * MS);
	is(u.n_out, 3, "... or without it");
	is(u.n_out ? (u.out_us[0] - t0) / MS : 0, 200, "... after 200 ms");
	u_free(&u);
}

static void segment_sizes(void)
{
	struct xtcp_opts o = { .mss = 700, .sack_ok = 1 };
	struct u u;

	u_init(&u);
	u_open_opts(&u, &o);
	u.t.nodelay = 1;
	u_send(&u, 1500);
	ok(u.n_out == 3 && u.out[0].len == 700 && u.out[2].len == 100,
	   "the peer's MSS cuts our segments (SEEDS 4-35)");
	ok(u.out[2].flags & XTCP_PSH, "PSH on the last of a write (RFC 9293 3.9.1.2)");
	ok(!(u.out[0].flags & XTCP_PSH), "... not on the first");
	u_free(&u);
	u_init(&u);
	u_open_opts(&u, NULL);
	is(u.t.mss_now, 536, "no MSS option: 536 (SEEDS 4-35)");
	u_free(&u);
	u_init(&u);
	o.mss = 1;
	u_open_opts(&u, &o);
	ok(u.t.mss_now >= 40, "an MSS of 1 is not believed (tcp_min_snd_mss)");
	u_free(&u);
	u_init(&u);
	u.t.gso_max = 8 * MSS;
	o.mss = MSS;
	u_open_opts(&u, &o);
	u.t.gso_max = 8 * MSS;
	u_send(&u, 5000);
	ok(u.n_out && u.out[0].len == 5000 && u.out[0].gso_size == MSS,
	   "GSO: one supersegment of five");
	u_free(&u);
	u_init(&u);
	o.mss = MSS;
	u_open_opts(&u, &o);
	u_send(&u, 50000);
	is(u.n_out, 10, "initial window: 10 segments (RFC 6928)");
	u_free(&u);
}

void test_nagle(void)
{
	nagle();
	nagle_far();
	cork();
	held_back();
	segment_sizes();
}

/* What nobody has read narrows the window: the ACK comes with the reading, or by the timer. */
static void test_ack_unread(void)
{
	struct u u;
	u32 i;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u.t.rcv_ssthresh = u.rcvbuf;
	for (i = 0; i < 40; i++) {
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, MSS);
		u_read(&u, MSS);
	}
	u_clear(&u);
	for (i = 0; i < 10; i++)
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, MSS);
	ok(u.n_out <= 1, "ten segments nobody reads: no ACK that could not open the window (%u)",
	   u.n_out);
	u_read(&u, 10 * MSS);
	is(u.out[u.n_out ? u.n_out - 1 : 0].ack, u.t.s.rcv_nxt, "... the reader sends it");
	u_clear(&u);
	for (i = 0; i < 4; i++)
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, MSS);
	u_run(&u, 500 * MS);
	is(u.out[u.n_out ? u.n_out - 1 : 0].ack, u.t.s.rcv_nxt, "... or the timer");
	u_clear(&u);
	u.t.rcv_lowat = 60 * MSS;
	for (i = 0; i < 10; i++)
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, MSS);
	ok(u.n_out >= 5, "... or every second segment, if the reader waits for more (%u)", u.n_out);
	u_free(&u);
}

/* RFC 9293 3.8.6.3, RFC 5681 4.2, Linux's quick-ACK mode */
void test_ack_policy(void)
{
	struct u u;
	u64 t0;
	u32 i, n;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	u_seg(&u, XTCP_ACK, IRS + 1, ISS + 1, MSS);
	is(u.n_out, 1, "a fresh connection acknowledges at once");
	/* request and response: ping-pong, ACKs wait for data */
	for (i = 0; i < 40; i++) {
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 10);
		u.now += MS;
		u_send(&u, 10);
		u.now += MS;
	}
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	u_clear(&u);
	t0 = u.now;
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 10);
	is(u.n_out, 0, "request/response: the ACK waits");
	u_run(&u, 600 * MS);
	is(u.n_out, 1, "... and goes by itself");
	ok(u.n_out && u.out_us[0] - t0 >= 39 * MS && u.out_us[0] - t0 <= 500 * MS,
	   "... after at least 40 ms and at most 500 ms (%llu ms)",
	   (unsigned long long)(u.n_out ? (u.out_us[0] - t0) / MS : 0));
	/* one answer in time, and it is request/response again */
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 10);
	u_send(&u, 10);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 0);
	u_clear(&u);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, u.t.s.snd_nxt, 10);
	u_send(&u, 10);
	ok(u.n_out == 1 && u.out[0].len == 10 && u.out[0].ack == u.t.s.rcv_nxt,
	   "... or rides on data");
	u_free(&u);
	/* bulk: at least one ACK per two full segments */
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	for (i = 0; i < 100; i++) {
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, MSS);
		u_read(&u, MSS);
		u.now += 100;
	}
	n = u.n_out;
	ok(n >= 50, "bulk: an ACK for every second full segment at least (%u of 100)", n);
	u_free(&u);
	test_ack_unread();
	/* out of order: at once, each time (RFC 5681 4.2) */
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	for (i = 0; i < 40; i++)
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, MSS);
	u_clear(&u);
	for (i = 0; i < 5; i++)
		u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt + MSS * (i + 1), ISS + 1, MSS);
	is(u.n_out, 5, "out of order: a duplicate ACK for each segment");
	u_clear(&u);
	u_seg(&u, XTCP_ACK, u.t.s.rcv_nxt, ISS + 1, MSS);
	is(u.n_out, 1, "filling the hole: ACK at once");
	u_free(&u);
}

/* RFC 9293 3.8.6.1, SEEDS X-18 */
void test_probe(void)
{
	struct xtcp_seg g;
	unsigned int i;
	struct u u;
	u64 gap1, gap2;

	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 0);
	g.wnd = 0;
	u_rx(&u, &g);
	u_clear(&u);
	u_send(&u, 100);
	is(u.n_out, 0, "zero window: nothing is sent");
	ok(u_deadline(&u), "... but a probe is scheduled");
	u_run(&u, 10 * SEC);
	ok(u.n_out >= 3, "zero window: probes go out");
	ok(u.n_out && u.out[0].len <= 1, "a probe is at most one byte");
	gap1 = u.n_out >= 3 ? u.out_us[1] - u.out_us[0] : 0;
	gap2 = u.n_out >= 3 ? u.out_us[2] - u.out_us[1] : 0;
	ok(gap2 >= gap1 * 3 / 2, "probes back off");
	/* an answering peer keeps the connection alive for ever */
	for (i = 0; i < 40 && !u.over; i++) {
		u_clear(&u);
		u_run(&u, u_deadline(&u));
		g = u_mk(&u, XTCP_ACK, IRS + 1, u.t.s.snd_una, 0);
		g.wnd = 0;
		u_rx(&u, &g);
	}
	ok(!u.over, "answered probes never time out (RFC 9293 3.8.6.1)");
	u_clear(&u);
	g = u_mk(&u, XTCP_ACK, IRS + 1, u.t.s.snd_una, 0);
	u_rx(&u, &g);
	ok(u.n_out && u.out[0].seq == u.t.s.snd_una &&
	   u.out[u.n_out - 1].seq + u.out[u.n_out - 1].len == ISS + 101,
	   "the window opens: the data goes at once");
	u_free(&u);
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 0);
	g.wnd = 0;
	u_rx(&u, &g);
	u_send(&u, 100);
	u_run(&u, 7200 * SEC);
	ok(u.over && u.err == ETIMEDOUT, "probes never answered: ETIMEDOUT");
	u_free(&u);
	/* closed, zero window, answering peer: the orphan limit still ends it */
	u_init(&u);
	u.p.tcp_orphan_retries = 3;
	u_to(&u, XTCP_ESTABLISHED);
	g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 0);
	g.wnd = 0;
	u_rx(&u, &g);
	u_send(&u, 100);
	u_close(&u, 0);
	u_run(&u, 7200 * SEC);
	ok(u.over, "zero window and closed: the orphan limit ends it (SEEDS X-18)");
	u_free(&u);
	/* sender's SWS avoidance (RFC 9293 3.8.6.2.1) */
	u_init(&u);
	u_to(&u, XTCP_ESTABLISHED);
	g = u_mk(&u, XTCP_ACK, IRS + 1, ISS + 1, 0);
	g.wnd = 60000;
	u_rx(&u, &g);
	g.wnd = 100;
	g.seq = IRS + 1;
	u_rx(&u, &g);
	u_clear(&u);
	u_send(&u, 5000);
	is(u.n_out, 0, "a window of 100 bytes is not worth a segment (SWS)");
	u_run(&u, 10 * SEC);
	ok(u.n_out, "... until the override timer (RFC 9293 3.8.6.2.1)");
	ok(u.n_out && u.out[0].len <= 100, "... and then within the window");
	u_free(&u);
}
