// SPDX-License-Identifier: GPL-2.0
/* Path MTU without ICMP (RFC 4821): black holes, the search, probes that are lost. */
#include "unit.h"
#include "../../src/core/internal.h"

#define CAP	1500u	/* of the path, as far as we know */
#define BASE	1000

static void mtup_open(struct u *u, int mode, bool ts, bool sack)
{
	struct xtcp_opts o = { .mss = 1400, .has_ts = ts, .tsval = 1, .sack_ok = sack };

	u_init(u);
	u->p.tcp_mtu_probing = mode;
	u->p.tcp_base_mss = BASE;
	u->p.tcp_timestamps = ts;
	u->t.mss_cap = CAP;
	u->t.gso_max = 65000;
	u_open_opts(u, &o);
	u->t.cwnd = 20;
}

/* All that is in flight is acknowledged. */
static void ack_all(struct u *u)
{
	u_clear(u);
	u_seg(u, XTCP_ACK, IRS + 1, u->t.s.snd_nxt, 0);
}

static void black_hole(int mode)
{
	struct u u;
	u32 mss = 1400;

	mtup_open(&u, mode, false, true);
	is(u.t.mss_now, mode == 2 ? BASE : 1400, "mtup %d: MSS to begin with", mode);
	u_send(&u, 5000);
	u_clear(&u);
	u_run(&u, 4 * SEC);
	is(u.out[u.n_out - 1].len, mode == 2 ? BASE : 1400, "mtup %d: not too early", mode);
	u_clear(&u);
	u_run(&u, 4 * SEC);
	mss = mode == 0 ? 1400 : mode == 1 ? BASE : BASE / 2;
	is(u.t.mss_now, mss, "mtup %d: MSS when tcp_retries1 have had their time", mode);
	is(u.out[u.n_out - 1].len, mss, "... the head goes in that size");
	u_run(&u, 100 * SEC);
	ok(mode ? u.t.mss_now < mss : u.t.mss_now == mss, "... later still less, if any");
	ok(u.t.mss_now >= 48, "... but not below tcp_mtu_probe_floor");
	u_free(&u);
}

/* The probe among what has left, NULL: none. */
static const struct xtcp_xmit *probe(const struct u *u)
{
	unsigned int i;

	for (i = 0; i < u->n_out; i++)
		if (u->out[i].mtu_probe)
			return &u->out[i];
	return NULL;
}

static void search(bool ts)
{
	u32 low = BASE + (ts ? 12 : 0), n = 0, cwnd;
	const struct xtcp_xmit *x;
	struct u u;

	mtup_open(&u, 2, ts, true);
	u_send(&u, 400000);
	u.v.flags = XTCP_V_OUTPUT;
	while ((x = probe(&u)) || n < 20) {
		if (x) {
			is(x->len, (low + 1400) / 2 - (ts ? 12 : 0), "mtup: probe %u", n);
			is(x->gso_size, 0, "... one segment");
			low = (low + 1400) / 2;
			cwnd = u.t.cwnd;
			ack_all(&u);
			ok(u_counted(&u, XTCP_MIB_MTUP_SUCCESS), "... arrives");
			is(u.t.mss_now, low - (ts ? 12 : 0), "... and is the MSS");
			ok(u.t.cwnd <= 2 * cwnd, "... cwnd counts larger segments");
		} else {
			ack_all(&u);
		}
		if (++n > 40)
			break;
	}
	ok(1400 - low < 8, "mtup: %u is close enough to 1400", low);
	u_free(&u);
}

static void lost(bool sack)
{
	const struct xtcp_xmit *x;
	u32 seq, cwnd, i;
	struct xtcp_seg g;
	struct u u;

	mtup_open(&u, 2, false, sack);
	u_send(&u, 400000);
	x = probe(&u);
	ok(x && x->len == 1200, "mtup: a probe, SACK %d", sack);
	seq = x ? x->seq : 0;
	is(seq, ISS + 1, "... is first");
	cwnd = u.t.cwnd;
	for (i = 1; i <= 3 && u.t.mtup_size; i++) {
		g = u_mk(&u, XTCP_ACK, IRS + 1, seq, 0);
		g.opt.nsack = sack;
		g.opt.sack[0] = (struct xtcp_sack){ seq + 1200, seq + 1200 + i * BASE };
		u_clear(&u);
		u.now += 50 * MS;
		u_rx(&u, &g);
	}
	ok(u_counted(&u, XTCP_MIB_MTUP_FAIL), "mtup: at most three ACKs tell that it is lost");
	is(u.t.ssthresh, XTCP_INF_SSTHRESH, "... no congestion");
	ok(u.t.cwnd > cwnd, "... cwnd gets back what the probe took");
	is(u.out[0].seq, seq, "... it goes again");
	is(u.out[0].len, BASE, "... in the size of before");
	is(u.t.mtup_high, 1199, "... and that was too large");
	u_free(&u);
}

/* The probe is sent again by a timeout: nobody knows why it was lost. */
static void inconclusive(void)
{
	struct u u;

	mtup_open(&u, 2, false, true);
	u_send(&u, 400000);
	ok(probe(&u) && u.t.mtup_size, "mtup: a probe is out");
	u_run(&u, 3 * SEC);
	is(u.t.mtup_size, 0, "mtup: after a timeout it proves nothing");
	ack_all(&u);
	is(u.t.mtup_low, BASE, "... even if it is acknowledged");
	u_free(&u);
}

/* The queue below drops it: as likely for its size as for congestion. */
/* A peer with a window so small that half of it is less than tcp_min_snd_mss. */
static void small_window(void)
{
	struct xtcp_seg g;
	struct u u;

	u_init(&u);
	u.p.tcp_mtu_probing = 2;
	u.p.tcp_base_mss = 512;
	u.p.tcp_min_snd_mss = 1400;
	u.t.mss_cap = 1460;
	u_open(&u);
	g = u_mk(&u, XTCP_SYN | XTCP_ACK, IRS, ISS + 1, 0);
	g.opt.mss = 1460;
	g.wnd = 500;
	u_rx(&u, &g);
	ok(u.t.mtup_on && u.t.mss_now <= u.t.mtup_low,
	   "mtup: no larger than what is known to get through, whatever the window (%u, %u)",
	   u.t.mss_now, u.t.mtup_low);
	u_free(&u);
}

static void refused(void)
{
	struct xtcp_xmit x;
	struct u u;

	mtup_open(&u, 2, false, true);
	u_send(&u, 100);
	u_prep(&u);
	xtcp_user_send(&u.t, 400000, false, false, u.now, &u.v);
	ok(xtcp_output_next(&u.t, u.now, &x) && x.mtu_probe &&
	   xtcp_output_refused(&u.t, &x, u.now), "mtup: a refused probe is lost on the way");
	xtcp_output_sent(&u.t, &x, u.now);
	is(u.t.ca_state, XTCP_CA_OPEN, "... that is no congestion");
	is(u.t.cwnd, 19, "... and takes the room of two");
	u_free(&u);
}

static void no_probe(const char *why, u32 cwnd, u32 total, u32 wnd, u32 threshold)
{
	struct u u;

	mtup_open(&u, 2, false, true);
	u.p.tcp_probe_threshold = threshold;
	u.t.cwnd = cwnd;
	u.t.snd_wnd = wnd;
	u_send(&u, total);
	ok(!probe(&u), "mtup: no probe: %s", why);
	ok(u.n_out > 0, "... but data");
	u_free(&u);
}

void test_mtup(void)
{
	black_hole(0);
	black_hole(1);
	black_hole(2);
	search(false);
	search(true);
	lost(true);
	lost(false);
	inconclusive();
	refused();
	small_window();
	no_probe("small cwnd", 10, 100000, 60000, 8);
	no_probe("little to send", 20, 5000, 60000, 8);
	no_probe("small window", 20, 100000, 5100, 8);
	no_probe("known closely enough", 20, 100000, 60000, 401);
}
