// SPDX-License-Identifier: GPL-2.0
/*
 * smoke ROUNDS [FIRST]: random and half-right segments, user calls and time
 * steps at connections, requests and TIME-WAIT entries in every state. Nothing
 * is expected of the answers but that they keep the rules of verdict.h and the
 * invariants of tcb.h; the sanitizers watch the rest. Deterministic: round N
 * is a pure function of N.
 */
#include <errno.h>

#include "../../src/core/cookie.h"
#include "../sim/testlib.h"

struct fz {
	struct rnd r;
	struct xtcp_params p;
	struct xtcp_tcb t;
	struct xtcp_verdict v;
	u64 now, round;
	u32 unread, rcvbuf;
	long nodes;
	bool over, orphan;
	u64 segs, calls, states;
};

static u64 state_hits[XTCP_NR_STATES];
static u64 current_round;

void __asan_on_error(void)
{
	fprintf(stderr, "round %llu\n", (unsigned long long)current_round);
}

static void __noreturn fail(const struct fz *f, const char *why)
{
	printf("not ok - fuzz round %llu, state %s: %s (replay: smoke 1 %llu)\n",
	       (unsigned long long)f->round, xtcp_state_name(f->t.state), why,
	       (unsigned long long)f->round);
	exit(1);
}

static void prep(struct fz *f)
{
	f->t.rcv_full = f->rcvbuf;
	f->t.rcv_free = f->rcvbuf > f->unread ? f->rcvbuf - f->unread : 0;
	while (xtcp_pool_hungry(&f->t) && !rnd_pm(&f->r, 20)) {
		struct xtcp_rng *r = malloc(sizeof(*r));

		if (!r)
			abort();
		memset(r, 0xc3, sizeof(*r));
		f->nodes++;
		xtcp_pool_put(&f->t, r);
	}
}

static void trim(struct fz *f, unsigned int keep)
{
	struct xtcp_rng *r;

	while ((r = xtcp_pool_surplus(&f->t, keep))) {
		f->nodes--;
		free(r);
	}
}

static void verdict_check(struct fz *f, const struct xtcp_seg *g)
{
	const struct xtcp_verdict *v = &f->v;
	unsigned int i;

	if (v->n_edges > XTCP_MAX_EDGES || v->n_mib > XTCP_MAX_VMIB)
		fail(f, "verdict overflows");
	if (v->drop >= XTCP_NR_DROPS)
		fail(f, "no such drop reason");
	for (i = 0; i < v->n_mib; i++)
		if (v->mib[i] >= XTCP_NR_MIB)
			fail(f, "no such counter");
	for (i = 0; i < v->n_edges; i++)
		if (!xtcp_edge_ok(v->edge[i].from, v->edge[i].to) || !v->edge[i].cause)
			fail(f, "impossible edge");
	if ((v->flags & (XTCP_V_DELIVER | XTCP_V_OOO)) && !g)
		fail(f, "payload from nowhere");
	if (g && (v->flags & (XTCP_V_DELIVER | XTCP_V_OOO)) &&
	    (v->data_off > g->len || v->data_len > g->len - v->data_off))
		fail(f, "payload verdict outside the segment");
	if ((v->flags & XTCP_V_ERROR) && v->err <= 0)
		fail(f, "ERROR without a positive errno");
	if ((v->flags & XTCP_V_REPLY) && (v->reply.optlen > XTCP_MAX_OPT || v->reply.optlen % 4))
		fail(f, "reply options of impossible length");
	/* RFC 9293 3.10.7.1: never a RST for a RST */
	if (g && (v->flags & XTCP_V_REPLY) && (g->flags & XTCP_RST) &&
	    (v->reply.flags & XTCP_RST))
		fail(f, "a RST answers a RST");
}

static void output(struct fz *f)
{
	struct xtcp_xmit x;
	unsigned int n = 0;

	prep(f);
	while (xtcp_output_next(&f->t, f->now, &x)) {
		if (++n > 5000)
			fail(f, "segments without end");
		if (x.optlen > XTCP_MAX_OPT || x.optlen % 4)
			fail(f, "options of impossible length");
		if (x.len && seq_gt(x.seq + x.len, f->t.write_seq))
			fail(f, "sends what was never written");
		if (rnd_pm(&f->r, 10)) {
			xtcp_output_failed(&f->t, f->now);
			return;
		}
		xtcp_output_sent(&f->t, &x, f->now);
		prep(f);
	}
}

static void execute(struct fz *f, const struct xtcp_seg *g)
{
	const char *why = "?";

	f->calls++;
	verdict_check(f, g);
	if (f->t.state < XTCP_NR_STATES)
		state_hits[f->t.state]++;
	if (f->v.flags & XTCP_V_DELIVER)
		f->unread += f->v.data_len;
	if (f->v.flags & XTCP_V_OUTPUT)
		output(f);
	if (f->v.flags & (XTCP_V_CLOSED | XTCP_V_TIMEWAIT)) {
		f->over = true;
		return;
	}
	if (!xtcp_tcb_check(&f->t, &why))
		fail(f, why);
	trim(f, XTCP_POOL_WANT);
}

/* A number near one that matters, or anything. */
static u32 near(struct fz *f, u32 a, u32 b)
{
	switch (rnd_below(&f->r, 8)) {
	case 0:
		return rnd_u32(&f->r);
	case 1: case 2:
		return a + rnd_below(&f->r, 5) - 2;
	case 3:
		return b + rnd_below(&f->r, 5) - 2;
	case 4:
		return a + rnd_below(&f->r, 70000) - 2000;
	case 5:
		return a + rnd_below(&f->r, b - a + 1);
	default:
		return rnd_below(&f->r, 2) ? a : b;
	}
}

static void random_seg(struct fz *f, const struct xtcp_seqspace *s, struct xtcp_seg *g)
{
	static const u8 usual[] = {
		XTCP_ACK, XTCP_ACK, XTCP_ACK, XTCP_ACK | XTCP_PSH, XTCP_ACK | XTCP_FIN,
		XTCP_SYN, XTCP_SYN | XTCP_ACK, XTCP_RST, XTCP_RST | XTCP_ACK,
		XTCP_ACK | XTCP_URG,
	};
	struct rnd *r = &f->r;
	unsigned int i;

	memset(g, 0, sizeof(*g));
	g->flags = rnd_below(r, 8) ? usual[rnd_below(r, ARRAY_SIZE(usual))] : rnd_u32(r);
	/* resets and FINs end the fun: few of them */
	if ((g->flags & (XTCP_RST | XTCP_FIN)) && rnd_below(r, 8))
		g->flags = XTCP_ACK;
	g->seq = rnd_below(r, 3) ? s->rcv_nxt : near(f, s->rcv_nxt, s->rcv_adv);
	g->ack = near(f, s->snd_una, s->snd_nxt);
	g->len = rnd_below(r, 2) ? 0 : rnd_below(r, 20) ? rnd_below(r, 3000) : rnd_below(r, 65536);
	g->wnd = rnd_below(r, 3) ? rnd_u32(r) : rnd_below(r, 2) ? 65535 : rnd_below(r, 3);
	g->urg = rnd_u32(r);
	g->ecn = rnd_below(r, 4);
	g->no_mem = rnd_pm(r, 20);
	g->segs = 1 + (rnd_below(r, 4) ? 0 : rnd_below(r, 45));
	g->mss = g->len / g->segs;
	if (rnd_below(r, 4))
		g->opt.has_ts = 1;
	g->opt.tsval = rnd_below(r, 8) ? s->ts_recent + rnd_below(r, 3) : rnd_u32(r);
	g->opt.tsecr = rnd_below(r, 2) ? (u32)(f->now / 1000) - rnd_below(r, 2000) : rnd_u32(r);
	if (g->flags & XTCP_SYN) {
		g->opt.mss = rnd_below(r, 3) ? 1460 : rnd_u32(r);
		g->opt.has_wscale = rnd_below(r, 2);
		g->opt.wscale = rnd_below(r, XTCP_MAX_WSCALE + 1);
		g->opt.sack_ok = !!rnd_below(r, 4);
	} else if (rnd_below(r, 2)) {
		g->opt.nsack = rnd_below(r, XTCP_MAX_SACK + 1);
		for (i = 0; i < g->opt.nsack; i++) {
			g->opt.sack[i].start = near(f, s->snd_una, s->snd_nxt);
			g->opt.sack[i].end = rnd_below(r, 4) ?
				g->opt.sack[i].start + rnd_below(r, 4000) :
				near(f, s->snd_una, s->snd_nxt);
		}
	}
}

static void random_params(struct fz *f)
{
	struct rnd *r = &f->r;

	params_default(&f->p);
	f->p.tcp_timestamps = rnd_below(r, 3);
	f->p.tcp_sack = !!rnd_below(r, 4);
	f->p.tcp_dsack = !!rnd_below(r, 4);
	f->p.tcp_window_scaling = !!rnd_below(r, 4);
	f->p.tcp_rfc1337 = rnd_below(r, 2);
	f->p.tcp_stdurg = rnd_below(r, 2);
	f->p.tcp_retries2 = rnd_below(r, 16);
	f->p.tcp_retries1 = rnd_below(r, 4);
	f->p.tcp_orphan_retries = rnd_below(r, 9);
	f->p.tcp_fin_timeout = 1 + rnd_below(r, 100);
	f->p.tcp_reordering = 1 + rnd_below(r, 20);
	f->p.tcp_init_cwnd = 1 + rnd_below(r, 100);
	f->p.tcp_delack_min_ms = rnd_below(r, 501);
	f->p.tcp_invalid_ratelimit = rnd_below(r, 3) ? 500 : 0;
	f->p.tcp_rto_min_us = 1000 + rnd_below(r, 1000000);
	f->p.tcp_rto_max_ms = 1000 + rnd_below(r, 119001);
	f->p.tcp_min_snd_mss = 48 + (rnd_below(r, 4) ? 0 : rnd_below(r, 65488));
	f->p.tcp_rmem[2] = 1 + rnd_below(r, 6291456);
	f->p.tcp_moderate_rcvbuf = rnd_below(r, 2);
}

static void setup(struct fz *f)
{
	struct rnd *r = &f->r;

	xtcp_tcb_init(&f->t, &f->p, rnd_below(r, 2));
	f->t.adv_mss = 48 + rnd_below(r, 9000);
	f->t.mss_cap = 48 + rnd_below(r, 9000);
	f->t.gso_max = rnd_below(r, 2) ? f->t.mss_cap : 65000;
	f->t.gso_max = max_t(u32, f->t.gso_max, f->t.mss_cap);
	f->t.user_mss = rnd_below(r, 8) ? 0 : 48 + rnd_below(r, 2000);
	f->t.rcv_wscale = rnd_below(r, XTCP_MAX_WSCALE + 1);
	f->t.window_clamp = rnd_below(r, 8) ? 0 : rnd_below(r, 70000);
	f->t.nodelay = rnd_below(r, 2);
	f->t.cork = !rnd_below(r, 4);
	f->t.keepalive = rnd_below(r, 2);
	f->t.keep_idle_ms = rnd_below(r, 2) ? 0 : 1000 * (1 + rnd_below(r, 100));
	f->t.keep_intvl_ms = rnd_below(r, 2) ? 0 : 1000 * (1 + rnd_below(r, 100));
	f->t.user_timeout_ms = rnd_below(r, 4) ? 0 : rnd_below(r, 100000);
	f->t.linger2_ms = rnd_below(r, 4) ? 0 : (int)rnd_below(r, 100000) - 1000;
	f->rcvbuf = 1 + rnd_log(r, 1 << 22);
	prep(f);
}

/* Half the rounds begin as a passive open, through a request under fire. */
/* The request of the SYN @syn goes out as a cookie and comes back; a bit of it must not. */
static void cookie_trip(struct fz *f, const struct xtcp_seg *syn, struct xtcp_rq *rq)
{
	u8 laddr[16] = { rnd_u32(&f->r) }, faddr[16] = { rnd_u32(&f->r) };
	struct xtcp_cookie_id id = {
		laddr, faddr, f->t.is_v6 ? 16 : 4, rnd_u32(&f->r), rnd_u32(&f->r),
	};
	struct xtcp_cookie_keys k = { { { { rnd_u64(&f->r), rnd_u64(&f->r) } } }, 1 };
	u64 real_s = rnd_u64(&f->r) >> 20;
	struct xtcp_seg ack = { .seq = syn->seq + 1, .flags = XTCP_ACK, .wnd = syn->wnd };
	struct xtcp_cookie_syn back;
	struct xtcp_reply rep;
	struct xtcp_opts o;
	struct xtcp_rq made;
	u8 wscale = f->t.rcv_wscale;

	xtcp_cookie_make(&k, &id, rq, real_s);
	xtcp_rq_synack(rq, f->t.adv_mss, f->now, &rep);
	xtcp_opts_parse(rep.opt, rep.optlen, true, &o);
	ack.ack = rep.seq + 1;
	ack.opt.has_ts = o.has_ts;
	ack.opt.tsecr = o.tsval;
	ack.opt.tsval = rnd_u32(&f->r);
	if (xtcp_cookie_check(&k, &id, &ack, wscale, real_s + rnd_below(&f->r, 65), &back) !=
	    XTCP_COOKIE_OK)
		fail(f, "cookie did not come back");
	xtcp_cookie_rq(&made, &f->p, &ack, &back, f->t.is_v6, rq->ts_off, 1000, wscale, f->now);
	if (made.mss_peer != rq->mss_peer || made.sack_ok != rq->sack_ok ||
	    made.wscale_ok != rq->wscale_ok || made.snd_wscale != rq->snd_wscale ||
	    made.rcv_wscale != rq->rcv_wscale || made.ts_ok != rq->ts_ok ||
	    made.rcv_nxt != rq->rcv_nxt || made.iss != rq->iss)
		fail(f, "cookie came back otherwise");
	ack.ack = ((ack.ack - 1) ^ 1u << rnd_below(&f->r, 29)) + 1;
	if (xtcp_cookie_check(&k, &id, &ack, wscale, real_s, &back) != XTCP_COOKIE_BAD)
		fail(f, "forged cookie taken");
	*rq = made;
}

static bool begin_passive(struct fz *f)
{
	struct xtcp_seg g;
	struct xtcp_rq rq;
	struct xtcp_reply rep;
	struct xtcp_seqspace s = { .rcv_nxt = rnd_u32(&f->r), .snd_nxt = rnd_u32(&f->r) };
	unsigned int i;

	do {
		random_seg(f, &s, &g);
		memset(&f->v, 0, sizeof(f->v));
		xtcp_segment_closed(&g, &f->v);
		verdict_check(f, &g);
		i = xtcp_listen_segment(&g, &f->v);
		verdict_check(f, &g);
	} while (i != XTCP_L_SYN);
	xtcp_rq_init(&rq, &f->p, &g, f->t.is_v6, rnd_u32(&f->r), rnd_u32(&f->r),
		     min_t(u32, f->rcvbuf, 65535), f->t.rcv_wscale, f->now);
	if (rnd_pm(&f->r, 300))
		cookie_trip(f, &g, &rq);
	for (i = 0; i < 200; i++) {
		f->segs++;
		f->now += rnd_log(&f->r, 2000000);
		s.snd_una = rq.iss;
		s.snd_nxt = rq.iss + 1;
		s.rcv_nxt = rq.rcv_nxt;
		s.rcv_adv = rq.rcv_nxt + rq.rcv_wnd;
		s.ts_recent = rq.ts_recent;
		random_seg(f, &s, &g);
		xtcp_rq_synack(&rq, f->t.adv_mss, f->now, &rep);
		if (rep.optlen > XTCP_MAX_OPT)
			fail(f, "SYN-ACK options too long");
		switch (xtcp_rq_segment(&rq, &f->p, &g, f->now, &f->v)) {
		case XTCP_RQ_KILL:
			return false;
		case XTCP_RQ_COMPLETE:
			xtcp_open_child(&f->t, &rq, f->now, &f->v);
			execute(f, NULL);
			prep(f);
			xtcp_segment_arrives(&f->t, &g, f->now, &f->v);
			execute(f, &g);
			return true;
		default:
			verdict_check(f, &g);
			rq.retries += !rnd_below(&f->r, 8);
			if (xtcp_rq_timeout_us(&rq, &f->p, 0) == 0)
				fail(f, "request timeout of 0");
			break;
		}
	}
	return false;
}

static void one_call(struct fz *f)
{
	struct rnd *r = &f->r;
	struct xtcp_seg g;
	bool syn = f->t.state == XTCP_SYN_SENT;
	u32 n;
	u64 d;

	prep(f);
	switch (rnd_below(r, f->orphan ? 14 : 24)) {
	default:
		f->segs++;
		random_seg(f, &f->t.s, &g);
		/* let half the attempts in SYN_SENT get somewhere */
		if (syn && rnd_below(r, 2)) {
			g.flags = rnd_below(r, 2) ? XTCP_SYN : XTCP_SYN | XTCP_ACK;
			g.ack = f->t.s.snd_nxt;
			g.seq = rnd_u32(r);
		}
		xtcp_segment_arrives(&f->t, &g, f->now, &f->v);
		execute(f, &g);
		return;
	case 10: case 11:
		d = xtcp_next_deadline(&f->t);
		if (d > f->now)
			f->now = d;
		xtcp_timeout(&f->t, f->now, &f->v);
		break;
	case 12:
		f->now += rnd_log(r, 100000000);
		xtcp_timeout(&f->t, f->now, &f->v);
		break;
	case 13:
		if (rnd_below(r, 8))
			xtcp_icmp_error(&f->t, EHOSTUNREACH, !rnd_below(r, 20), f->now, &f->v);
		else
			xtcp_mtu_changed(&f->t, 48 + rnd_below(r, 9000), f->now, &f->v);
		break;
	case 14: case 15: case 16: case 17:
		if (f->t.fin_queued || f->t.write_seq - f->t.s.snd_una > (1u << 20) || syn ||
		    f->t.state == XTCP_SYN_RECV)
			return;
		xtcp_user_send(&f->t, rnd_log(r, 30000), !rnd_below(r, 4), !rnd_below(r, 20),
			       f->now, &f->v);
		break;
	case 18: case 19: case 20: case 21:
		n = rnd_below(r, f->unread + 1);
		f->unread -= n;
		prep(f);
		xtcp_user_read(&f->t, n, f->now, &f->v);
		break;
	case 22:
		if (rnd_below(r, 20))
			return;
		xtcp_user_shutdown(&f->t, f->now, &f->v);
		break;
	case 23:
		if (rnd_below(r, 40))
			return;
		f->orphan = true;
		if (rnd_below(r, 6))
			xtcp_user_close(&f->t, rnd_below(r, 2) ? f->unread : 0, f->now, &f->v);
		else
			xtcp_user_abort(&f->t, 0, f->now, &f->v);
		break;
	}
	execute(f, NULL);
}

static void timewait(struct fz *f)
{
	struct xtcp_tw_env e = { .p = &f->p, .ts_off = f->t.ts_off };
	struct xtcp_seqspace s = f->t.s;
	enum xtcp_tw_act act;
	struct xtcp_twc w, copy;
	struct xtcp_seg g;
	unsigned int i;

	xtcp_tw_init(&w, &f->t);
	for (i = 0; i < 200; i++) {
		f->segs++;
		f->now += rnd_log(&f->r, 2000000);
		state_hits[w.fin_wait2 ? XTCP_FIN_WAIT2 : XTCP_TIME_WAIT]++;
		s.rcv_nxt = w.rcv_nxt;
		s.ts_recent = w.ts_recent;
		random_seg(f, &s, &g);
		e.now_us = f->now;
		e.listener = rnd_below(&f->r, 2);
		act = xtcp_tw_segment(&w, &e, &g, &f->v);
		verdict_check(f, &g);
		if (act == XTCP_TW_REOPEN && !(g.flags & XTCP_SYN))
			fail(f, "reopened without a SYN");
		if (act == XTCP_TW_FIN) {
			if (w.fin_wait2)
				fail(f, "FIN, but still FIN_WAIT2");
			xtcp_twc_begin(&w);
		}
		/* through the bits it is kept in, and back */
		memset(&copy, 0, sizeof(copy));
		copy.snd_nxt = w.snd_nxt;
		copy.rcv_nxt = w.rcv_nxt;
		copy.ts_recent = w.ts_recent;
		if (xtcp_twc_pack(&w) >> 12)
			fail(f, "entry does not fit its 12 bits");
		xtcp_twc_unpack(&copy, xtcp_twc_pack(&w));
		if (memcmp(&copy, &w, sizeof(w)))
			fail(f, "entry lost something in its bits");
	}
}

static void options(struct fz *f)
{
	struct xtcp_opts o;
	u8 b[XTCP_MAX_OPT], *copy;
	unsigned int i, n;

	n = rnd_below(&f->r, XTCP_MAX_OPT + 1);
	copy = malloc(n ? n : 1);
	if (!copy)
		abort();
	for (i = 0; i < n; i++)
		copy[i] = rnd_below(&f->r, 2) ? rnd_below(&f->r, 12) : rnd_u32(&f->r);
	xtcp_opts_parse(copy, n, rnd_below(&f->r, 2), &o);
	free(copy);
	if (o.nsack > XTCP_MAX_SACK || xtcp_opts_build(&o, b) > XTCP_MAX_OPT)
		fail(f, "option list out of bounds");
}

static void round_run(struct fz *f, u64 round)
{
	unsigned int i;

	memset(f, 0, offsetof(struct fz, segs));
	f->round = round;
	current_round = round;
	f->r.s = round;
	f->now = 1 + rnd_range(&f->r, 0, 1000000 * SEC);
	random_params(f);
	setup(f);
	options(f);
	if (rnd_below(&f->r, 2)) {
		xtcp_open_active(&f->t, rnd_u32(&f->r), rnd_u32(&f->r), f->now, &f->v);
		execute(f, NULL);
	} else if (!begin_passive(f)) {
		f->over = true;
	}
	for (i = 0; i < 1500 && !f->over; i++) {
		f->now += rnd_below(&f->r, 2) ? 0 : rnd_log(&f->r, 300000);
		one_call(f);
	}
	if ((f->v.flags & XTCP_V_TIMEWAIT) || (f->t.state == XTCP_FIN_WAIT2 && f->t.orphan))
		timewait(f);
	xtcp_tcb_drain(&f->t);
	trim(f, 0);
	if (f->nodes)
		fail(f, "range nodes leaked");
}

int main(int argc, char **argv)
{
	u64 rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000;
	u64 first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, i;
	static struct fz f;
	bool all = true;

	for (i = first; i < first + rounds; i++)
		round_run(&f, i);
	printf("ok - %llu rounds, %llu segments, %llu calls; calls per state:",
	       (unsigned long long)rounds, (unsigned long long)f.segs,
	       (unsigned long long)f.calls);
	for (i = 1; i < XTCP_NR_STATES; i++) {
		printf(" %s %llu", xtcp_state_name(i), (unsigned long long)state_hits[i]);
		all &= state_hits[i] || i == XTCP_LISTEN;
	}
	printf("\n");
	if (rounds >= 500 && !all) {
		printf("not ok - a state was never visited\n");
		return 1;
	}
	return 0;
}
