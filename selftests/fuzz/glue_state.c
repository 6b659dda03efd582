// SPDX-License-Identifier: GPL-2.0
/* The shortest way to each state, by segments that a sound peer could send. */
#include "fz.h"

/* What the peer would send now. */
static struct xtcp_seg good(struct fz_conn *c, u8 flags, u16 wnd)
{
	struct xtcp_seg g = {
		.seq = c->t.s.rcv_nxt, .ack = c->t.s.snd_nxt, .flags = flags, .wnd = wnd,
		.segs = 1,
	};

	if (c->t.ts_ok) {
		g.opt.has_ts = 1;
		g.opt.tsval = c->t.s.ts_recent;
		g.opt.tsecr = (u32)(c->now_us / 1000) + c->t.ts_off;
	}
	return g;
}

static void good_opts(struct xtcp_opts *o, u8 how)
{
	o->mss = how & 1 ? 1460 : 0;
	o->has_wscale = how >> 1 & 1;
	o->wscale = o->has_wscale ? how % (XTCP_MAX_WSCALE + 1) : 0;
	o->sack_ok = how >> 2 & 1;
	o->has_ts = how >> 3 & 1;
	o->tsval = o->has_ts ? (u32)how << 24 | 0xfffff0 : 0;
}

static void open_passive(struct fz_conn *c, u32 iss, u32 irs, u16 wnd, u8 opts)
{
	struct xtcp_seg syn = { .seq = irs, .flags = XTCP_SYN, .wnd = wnd, .segs = 1 };
	struct xtcp_rq rq;
	struct xtcp_seg g;

	good_opts(&syn.opt, opts);
	xtcp_rq_init(&rq, &c->p, &syn, c->t.is_v6, iss, 77, min_t(u32, c->rcvbuf, 65535),
		     c->t.rcv_wscale, c->now_us);
	c->una = iss;
	xtcp_open_child(&c->t, &rq, c->now_us, &c->v);
	fz_conn_execute(c, NULL);
	if (c->over || opts >> 6 == 3)
		return;
	g = good(c, XTCP_ACK, wnd);
	fz_conn_arrives(c, &g);
}

static void open_active(struct fz_conn *c, u32 iss, u32 irs, u16 wnd, u8 opts, bool crossing)
{
	struct xtcp_seg g;

	c->una = iss;
	c->t.pingpong = iss & 1;
	c->t.ack_third = iss >> 1;
	xtcp_open_active(&c->t, iss, 77, c->now_us, &c->v);
	fz_conn_execute(c, NULL);
	if (c->over || opts >> 6 == 3 || c->t.s.snd_nxt == iss)
		return;
	g = good(c, crossing ? XTCP_SYN : XTCP_SYN | XTCP_ACK, wnd);
	g.seq = irs;
	good_opts(&g.opt, opts);
	g.opt.tsecr = (u32)(c->now_us / 1000) + c->t.ts_off;
	fz_conn_arrives(c, &g);
}

static void call_shutdown(struct fz_conn *c)
{
	if (c->over)
		return;
	fz_conn_prep(c);
	xtcp_user_shutdown(&c->t, c->now_us, &c->v);
	fz_conn_execute(c, NULL);
}

static void call_close(struct fz_conn *c)
{
	if (c->over)
		return;
	fz_conn_prep(c);
	c->orphan = true;
	xtcp_user_close(&c->t, 0, c->now_us, &c->v);
	fz_conn_execute(c, NULL);
}

static void arrives(struct fz_conn *c, u8 flags, u16 wnd, bool all)
{
	struct xtcp_seg g = good(c, flags, wnd);

	if (c->over)
		return;
	if (!all)
		g.ack = c->t.s.snd_una;
	fz_conn_arrives(c, &g);
}

/* From ESTABLISHED on. */
static void go_to(struct fz_conn *c, u8 state, u16 wnd, bool gone)
{
	switch (state) {
	case XTCP_FIN_WAIT1:
	case XTCP_FIN_WAIT2:
	case XTCP_TIME_WAIT:
	case XTCP_CLOSING:
		if (gone)
			call_close(c);
		else
			call_shutdown(c);
		if (state == XTCP_FIN_WAIT2 || state == XTCP_TIME_WAIT)
			arrives(c, XTCP_ACK, wnd, true);
		if (state == XTCP_TIME_WAIT || state == XTCP_CLOSING)
			arrives(c, XTCP_ACK | XTCP_FIN, wnd, state == XTCP_TIME_WAIT);
		break;
	case XTCP_CLOSE_WAIT:
	case XTCP_LAST_ACK:
		arrives(c, XTCP_ACK | XTCP_FIN, wnd, true);
		if (state == XTCP_LAST_ACK)
			call_close(c);
		break;
	}
}

/* FZ_OPEN_BYTES of @in: which state, by which way. It may end elsewhere. */
void fz_conn_open(struct fz_conn *c, struct fz_in *in)
{
	u8 state = 1 + fz_u8(in) % (XTCP_NR_STATES - 1), way = fz_u8(in), opts = fz_u8(in);
	u32 iss = fz_isn(in), irs = fz_isn(in);
	u16 wnd = fz_u16(in);

	if (state == XTCP_CLOSE || state == XTCP_LISTEN) {
		fz_state_hits[state]++;
		c->t.state = state;
		return;
	}
	if (state == XTCP_SYN_SENT)
		opts |= 0xc0;
	if (way & 1 && state != XTCP_SYN_SENT)
		open_passive(c, iss, irs, wnd, opts);
	else
		open_active(c, iss, irs, wnd, opts, state == XTCP_SYN_RECV || way & 2);
	if (state == XTCP_SYN_SENT || state == XTCP_SYN_RECV)
		return;
	if (!c->over && way & 2 && c->t.state == XTCP_SYN_RECV)
		arrives(c, XTCP_ACK, wnd, true);
	if (!c->over && way & 4) {
		fz_conn_prep(c);
		xtcp_user_send(&c->t, 5000, false, false, c->now_us, &c->v);
		fz_conn_execute(c, NULL);
	}
	go_to(c, state, wnd, way & 8);
}
