// SPDX-License-Identifier: GPL-2.0
/*
 * The scenario a seed stands for: hosts and their knobs, the network and its
 * bad days, and who connects to whom. A calm one has no faults at all, and
 * nobody in it may see an error.
 */
#include "sim.h"

/* ---- the network */

static void link_init(struct sim *s, struct link *l)
{
	struct rnd *r = &s->r;
	bool bad = !s->calm && rnd_below(r, 4);

	memset(l, 0, sizeof(*l));
	l->delay_us = 50 + rnd_log(r, 300000);
	l->jitter_us = rnd_below(r, 2) ? rnd_log(r, 20000) : 0;
	l->late_us = 1 + rnd_log(r, 500000);
	l->gro_pm = rnd_below(r, 2) ? rnd_below(r, 1001) : 0;
	if (!rnd_below(r, 4)) {
		l->rate = 3000 + rnd_log(r, 10000000);
		l->queue_us = s->calm ? 3600 * SEC : rnd_range(r, 20 * MS, SEC);
	}
	l->dup_pm = rnd_below(r, 3) ? 0 : rnd_log(r, 300);
	l->reorder_pm = rnd_below(r, 3) ? 0 : rnd_log(r, 400);
	if (!bad)
		return;
	l->loss_pm = rnd_below(r, 2) ? rnd_below(r, 60) : rnd_below(r, 300);
	l->corrupt_pm = rnd_below(r, 2) ? rnd_below(r, 30) : 0;
	l->trunc_pm = rnd_below(r, 4) ? 0 : rnd_below(r, 60);
	l->inject_pm = rnd_below(r, 4) ? 0 : rnd_below(r, 100);
	if (!rnd_below(r, 12)) {
		l->narrow_us = s->now_us + rnd_range(r, 0, 3 * SEC);
		l->narrow_mss = 256 + rnd_below(r, 1200);
	}
}

/* Routers that mark: by the seed and no random number, so that seeds keep their worlds. */
static void marks_init(struct sim *s)
{
	static const u16 pm[] = { 0, 0, 5, 50, 300, 1000 };
	u32 i, j;

	for (i = 0; i < s->n_host; i++)
		for (j = 0; j < s->n_host; j++)
			s->link[i][j].mark_pm = pm[(s->seed / 3 + i + 2 * j) % ARRAY_SIZE(pm)];
}

/* The net falls apart and heals, several times, one way or both. */
static void cuts_init(struct sim *s)
{
	struct rnd *r = &s->r;
	u32 want = rnd_below(r, 2) ? 0 : 1 + rnd_below(r, MAX_CUTS);
	u8 all = (1u << s->n_host) - 1;

	while (s->n_cut < want) {
		struct cut *c = &s->cut[s->n_cut++];

		c->a = rnd_below(r, all + 1u);
		c->b = rnd_below(r, 4) ? all & ~c->a : rnd_below(r, all + 1u);
		c->from_us = s->now_us + rnd_range(r, 0, rnd_below(r, 4) ? 4 * SEC : 100 * SEC);
		c->to_us = c->from_us + rnd_log(r, rnd_below(r, 4) ? 10 * SEC : 100 * SEC);
		if (!rnd_below(r, 12)) {
			c->to_us = ~0ULL;
			s->cut_for_ever = true;
		}
		if (rnd_below(r, 2) && s->n_cut < want) {
			s->cut[s->n_cut] = *c;
			s->cut[s->n_cut].a = c->b;
			s->cut[s->n_cut++].b = c->a;
		}
	}
}

static void jumps_init(struct sim *s)
{
	struct rnd *r = &s->r;
	u64 at = s->now_us;

	s->n_jump = rnd_below(r, 6) ? 0 : 1 + rnd_below(r, MAX_JUMPS);
	for (u32 i = 0; i < s->n_jump; i++) {
		struct jump *j = &s->jump[i];

		at += rnd_log(r, 30 * SEC);
		j->at_us = at;
		j->by_us = rnd_range(r, 1, 2) * MS << rnd_below(r, 24);
		j->host = rnd_below(r, s->n_host);
	}
}

/* Of 1000 round trips between two hosts, how many are spoiled? */
u32 misery(const struct sim *s, u8 a, u8 b)
{
	const struct link *x, *y;

	if (a >= s->n_host || b >= s->n_host)
		return 0;
	x = &s->link[a][b];
	y = &s->link[b][a];
	return x->loss_pm + x->corrupt_pm + x->trunc_pm + y->loss_pm + y->corrupt_pm +
	       y->trunc_pm + s->pm[AL_PAYLOAD] + s->pm[AL_XMIT];
}

/* ---- hosts */

static u16 pick_mss(struct rnd *r)
{
	static const u16 mss[] = { 1460, 1448, 536, 8960, 88, 1220, 65483, 216 };

	return mss[rnd_below(r, 3) ? 0 : rnd_below(r, ARRAY_SIZE(mss))];
}

static void pick_params(struct sim *s, struct xtcp_params *p)
{
	struct rnd *r = &s->r;

	params_default(p);
	p->tcp_timestamps = rnd_below(r, 3);
	p->tcp_sack = !!rnd_below(r, 4);
	p->tcp_dsack = !!rnd_below(r, 4);
	p->tcp_window_scaling = !!rnd_below(r, 4);
	p->tcp_moderate_rcvbuf = !!rnd_below(r, 4);
	p->tcp_rfc1337 = !rnd_below(r, 4);
	p->tcp_reordering = rnd_below(r, 4) ? 3 : 1 + rnd_below(r, 10);
	p->tcp_recovery = rnd_below(r, 4) ? 1 : (int)rnd_below(r, 8);
	p->tcp_early_retrans = rnd_below(r, 4) ? 3 : 0;
	p->tcp_frto = rnd_below(r, 4) ? 2 : 0;
	p->tcp_slow_start_after_idle = !!rnd_below(r, 4);
	p->tcp_init_cwnd = rnd_below(r, 4) ? 10 : 1 + rnd_below(r, 40);
	p->tcp_invalid_ratelimit = rnd_below(r, 4) ? 500 : rnd_below(r, 2000);
	p->tcp_delack_min_ms = rnd_below(r, 4) ? 40 : rnd_below(r, 500);
	p->tcp_delack_push_us = rnd_below(r, 3) ? 1000 : rnd_below(r, 40001);
	p->tcp_delack_synack_us = p->tcp_delack_push_us % 3 ? 0 : p->tcp_delack_push_us;
	/* clients that retry in step share a backlog of one: each gets its turn in the end */
	p->tcp_syn_retries = rnd_below(r, 2) && !s->calm ? 5 : 12;
	p->tcp_synack_retries = rnd_below(r, 2) ? 5 : 12;
	p->tcp_stdurg = !rnd_below(r, 8);
	p->tcp_timewait_ms = rnd_below(r, 4) ? 60000 : rnd_below(r, 120000);
	p->tcp_keepalive_time = rnd_below(r, 2) ? 7200 : 1 + rnd_below(r, 300);
	p->tcp_keepalive_intvl = rnd_below(r, 2) ? 75 : 1 + rnd_below(r, 100);
	p->tcp_thin_linear_timeouts = !rnd_below(r, 4);
}

/* Options that may end a connection without the peer's or the network's fault. */
static void pick_harsh(struct sim *s, struct host *h)
{
	struct rnd *r = &s->r;
	struct xtcp_tcb *o = &h->opts;

	h->harsh = true;
	o->user_timeout_ms = rnd_below(r, 3) ? 0 : 1000 + rnd_below(r, 60000);
	o->linger2_ms = rnd_below(r, 3) ? 0 : (int)rnd_below(r, 4000) - 1000;
	o->orphan_retries = (int)rnd_below(r, 8) - 1;
	o->syn_retries = rnd_below(r, 4);
	o->connect_timeout_ms = rnd_below(r, 3) ? 0 : 1 + rnd_below(r, 20000);
	o->init_rto_ms = rnd_below(r, 3) ? 0 : 10 + rnd_below(r, 5000);
	o->retrans_rst = rnd_below(r, 2);
	h->p.tcp_retries2 = 1 + rnd_below(r, 15);
	h->p.tcp_fin_timeout = 1 + rnd_below(r, 60);
	h->p.tcp_orphan_rst = rnd_below(r, 2);
	h->p.tcp_keepalive_probes = 1 + rnd_below(r, 9);
}

static void clock_init(struct sim *s, struct host *h)
{
	struct rnd *r = &s->r;
	u64 wrap_us = rnd_below(r, 2) ? 1ULL << 32 : (1ULL << 32) * MS;

	h->ahead_us = rnd_range(r, 0, 100 * SEC);
	/* the clock itself close to where its low 32 bits start anew, in us or in ms */
	if (!rnd_below(r, 4))
		h->ahead_us = wrap_us - s->now_us - rnd_log(r, 60 * SEC);
	h->ts_near = rnd_below(r, 3) ? 0 : rnd_log(r, 100000);
	if (h->ts_near)
		h->ts_near += (u32)((s->now_us + h->ahead_us) / 1000);
}

/*
 * A full accept queue loses a cookie's third segment for good, and data that
 * overtakes it meets a RST.
 */
static bool cookies_safe(const struct host *h)
{
	const struct sim *s = h->sim;
	u32 i;

	for (i = 0; i < s->n_host; i++)
		if (s->link[i][h->id].reorder_pm)
			return false;
	return h->backlog == 8;
}

static void host_init(struct sim *s, int id)
{
	struct host *h = &s->h[id];
	struct rnd *r = &s->r;
	unsigned int i;

	h->sim = s;
	h->id = id;
	pick_params(s, &h->p);
	h->p.tcp_ecn = (s->seed >> id) % 3;
	h->p.tcp_mtu_probing = (s->seed >> (id + 3)) % 3;
	h->p.tcp_base_mss = s->seed % 4 ? 1024 : 512;
	h->p.tcp_ecn_fallback = !!(s->seed % 5);
	for (i = 0; i < sizeof(h->key); i++)
		((u8 *)&h->key)[i] = rnd_u32(r);
	clock_init(s, h);
	h->mss_cap = pick_mss(r);
	h->adv_mss = h->mss_cap;
	h->gso_max = rnd_below(r, 2) ? 65000 : h->mss_cap;
	h->gso_max = max_t(u32, h->gso_max, h->mss_cap);
	h->rcvbuf = max_t(u32, 2048, rnd_log(r, 256 << 10));
	h->rcvbuf_max = max_t(u32, h->rcvbuf, rnd_log(r, 1 << 20));
	h->rcv_wscale = rnd_below(r, 2) ? 7 : rnd_below(r, 15);
	/* a sane kernel picks a scale that its buffer can use */
	while (h->rcv_wscale && (h->rcvbuf >> h->rcv_wscale) < 512)
		h->rcv_wscale--;
	h->backlog = rnd_below(r, 3) ? 8 : rnd_below(r, 3);
	if (!rnd_below(r, 4) && (!s->calm || cookies_safe(h)))
		h->cookies = 1 + rnd_below(r, 2);
	h->accept_think_us = s->calm || rnd_below(r, 4) ? rnd_log(r, 2 * SEC) : 10 * SEC;
	xtcp_tcb_init(&h->opts, &h->p, false);
	/* by the seed and no random number, so that seeds keep their worlds */
	h->opts.cc = xtcp_cc_nth((s->seed + id) % XTCP_NR_CC);
	h->opts.nodelay = !rnd_below(r, 3);
	h->opts.keepalive = !rnd_below(r, 4);
	h->opts.keep_idle_ms = rnd_below(r, 2) ? 0 : 1000 + rnd_below(r, 20000);
	h->opts.keep_intvl_ms = rnd_below(r, 2) ? 0 : 1000 + rnd_below(r, 5000);
	h->opts.quickack_user = !rnd_below(r, 8);
	if (!s->calm && !rnd_below(r, 8))
		pick_harsh(s, h);
}

/* Two ISNs of one tuple are as far apart as its clock says, wherever the first one lies. */
u32 pick_iss(struct host *h, u8 peer, u16 lport, u16 rport)
{
	const u8 laddr[4] = { 10, 0, 0, h->id }, raddr[4] = { 10, 0, 0, peer };
	u32 iss = xtcp_isn(&h->key, laddr, raddr, 4, lport, rport, host_now(h) * 1000), i;
	struct sim *s = h->sim;
	struct tuple *t;

	if (!s->near_iss)
		return iss;
	for (i = 0; i < s->n_tuple; i++) {
		t = &s->tuple[i];
		if (t->host == h->id && t->peer == peer && t->lport == lport && t->rport == rport)
			return iss + t->base;
	}
	if (s->n_tuple == MAX_TUPLES)
		return iss;
	t = &s->tuple[s->n_tuple++];
	*t = (struct tuple){ h->id, peer, lport, rport, 0 };
	t->base = (s->near_iss == 2 ? 1u << 31 : 0) - rnd_log(&s->r, 70000) - iss;
	return iss + t->base;
}

u32 pick_ts_off(struct host *h, u8 peer)
{
	const u8 laddr[4] = { 10, 0, 0, h->id }, raddr[4] = { 10, 0, 0, peer };

	return h->ts_near ? -h->ts_near : xtcp_ts_off(&h->key, laddr, raddr, 4);
}

/* ---- memory */

/**
 * sim_alloc - may this allocation succeed?
 * @s: simulation
 * @what: kind
 */
bool sim_alloc(struct sim *s, enum alloc what)
{
	if (++s->n_alloc != s->fail_at)
		return !rnd_pm(&s->r, s->pm[what]);
	s->failed_what = what;
	sim_note(s, "allocation %llu fails, kind %u", s->n_alloc, what);
	return false;
}

static void memory_init(struct sim *s)
{
	struct rnd *r = &s->r;

	s->failed_what = -1;
	if (s->calm)
		return;
	if (!rnd_below(r, 3)) {
		s->pm[AL_NODE] = rnd_below(r, 200);
		s->pm[AL_PAYLOAD] = s->pm[AL_NODE];
	}
	if (!rnd_below(r, 3))
		s->pm[AL_XMIT] = rnd_below(r, 50);
	if (!rnd_below(r, 4)) {
		s->pm[AL_REQUEST] = rnd_below(r, 300);
		s->pm[AL_CHILD] = rnd_below(r, 300);
		s->pm[AL_REPLY] = rnd_below(r, 100);
		s->pm[AL_TIMEWAIT] = rnd_below(r, 500);
		s->pm[AL_SOCK] = rnd_below(r, 20);
	}
	s->accept_full_pm = rnd_below(r, 4) ? 0 : rnd_below(r, 300);
	s->challenge_pm = 10;
}

/* ---- who connects to whom */

static void plan(struct sim *s, u8 c, u8 d, u16 lport, u16 rport)
{
	s->plan[s->n_plan++] = (struct plan){ c, d, lport, rport, false };
}

/* Both ends connect to each other, from and to the same ports. */
static void plan_cross(struct sim *s, u8 c, u8 d, u16 lport, u16 rport)
{
	plan(s, c, d, lport, rport);
	plan(s, d, c, rport, lport);
	s->plan[s->n_plan - 2].cross = true;
	s->plan[s->n_plan - 1].cross = true;
}

static void plan_any(struct sim *s)
{
	struct rnd *r = &s->r;
	u8 c = rnd_below(r, s->n_host), d = (c + 1 + rnd_below(r, s->n_host - 1)) % s->n_host;
	u16 port = 1000 + s->n_plan;

	switch (rnd_below(r, 16)) {
	case 0:
		plan_cross(s, c, d, port, port + 100);
		break;
	case 1:
		/* both listen there, too */
		plan_cross(s, c, d, PORT_SERVICE, PORT_SERVICE);
		s->service |= 1u << c | 1u << d;
		break;
	case 2:
		plan(s, c, c, port, port);
		break;
	case 3:
		plan(s, c, NOBODY, port, PORT_SERVICE);
		break;
	case 4:
		plan(s, c, d, port, PORT_CLOSED);
		break;
	default:
		/* a few servers, and clients that go to whoever serves */
		if (s->service)
			while (!(s->service >> d & 1))
				d = (d + 1) % s->n_host;
		if (!s->service || !rnd_below(r, 4))
			s->service |= 1u << d;
		plan(s, c, d, port, PORT_SERVICE);
		break;
	}
}

/* Ports stand once: a plan whose tuple is taken is none. */
static void plan_unique(struct sim *s)
{
	u32 i, j, n = 0;

	for (i = 0; i < s->n_plan; i++) {
		for (j = 0; j < n; j++)
			if (!memcmp(&s->plan[i], &s->plan[j], offsetof(struct plan, cross)))
				break;
		if (j == n)
			s->plan[n++] = s->plan[i];
	}
	s->n_plan = n;
}

static void plans_init(struct sim *s)
{
	u32 kind = rnd_below(&s->r, 100), want;

	s->n_host = 2;
	if (kind < 45) {
		plan(s, 0, 1, 1000, PORT_SERVICE);
		s->service = 2;
	} else if (kind < 53) {
		plan_cross(s, 0, 1, 1000, 1001);
	} else if (kind < 56) {
		plan(s, 0, 0, 1000, 1000);
	} else {
		s->n_host = 2 + rnd_below(&s->r, MAX_HOSTS - 1);
		want = 2 + rnd_below(&s->r, MAX_PLANS - 3);
		while (s->n_plan < want)
			plan_any(s);
		plan_unique(s);
	}
}

/**
 * world_init - everything but the connections
 * @s: simulation; small, ladder and fail_at are set and stay
 * @seed: which one
 */
void world_init(struct sim *s, u64 seed)
{
	struct rnd *r = &s->r;
	u64 fail_at = s->fail_at;
	bool ladder = s->ladder, small = s->small;
	u32 i, j;

	memset(s, 0, offsetof(struct sim, heap));
	s->seed = seed;
	s->r.s = seed;
	s->ladder = ladder;
	s->small = small;
	s->fail_at = fail_at;
	s->now_us = 1 + rnd_range(r, 0, 300 * SEC);
	s->calm = !rnd_below(r, 5);
	s->hostile = !s->calm && !rnd_below(r, 30);
	s->near_iss = rnd_below(r, 2) ? 0 : 1 + !rnd_below(r, 3);
	s->icmp_pm = rnd_below(r, 2) ? rnd_below(r, 1001) : 0;
	s->rounds = 1 + (rnd_below(r, 4) ? 0 : rnd_below(r, 3));
	memory_init(s);
	plans_init(s);
	if (!s->calm) {
		cuts_init(s);
		jumps_init(s);
	}
	for (i = 0; i < s->n_host; i++)
		for (j = 0; j < s->n_host; j++)
			link_init(s, &s->link[i][j]);
	marks_init(s);
	for (i = 0; i < s->n_host; i++)
		host_init(s, i);
}

static void start_plan(struct sim *s, const struct plan *p, bool first)
{
	struct flow *f = flow_new(&s->h[p->c], p->d, p->lport, p->rport, F_OVER);
	u32 mss = f->host->mss_cap;

	user_init(s, &f->u);
	f->hopeless = p->d == NOBODY || p->rport == PORT_CLOSED;
	f->cross = p->cross;
	if (p->d < s->n_host)
		mss = min(mss, (u32)s->h[p->d].mss_cap);
	/* a long stream takes hours where one segment in three is lost */
	if (misery(s, p->c, p->d) > 80)
		f->u.total = min(f->u.total, 60 * mss);
	/* two programs that wait for each other's EOF wait for ever */
	if (f->u.end == U_WAIT_EOF && (p->cross || (p->c == p->d && p->lport == p->rport)))
		f->u.end = U_SHUTDOWN;
	if (f->u.end == U_CLOSE && p->c == p->d && p->lport == p->rport)
		f->u.end = U_SHUTDOWN;
	f->u.start_us = s->now_us;
	/* a simultaneous open must meet within a round trip */
	if (p->cross)
		f->u.start_us += rnd_below(&s->r, 4) ? 0 : rnd_log(&s->r, 100 * MS);
	else if (!first)
		f->u.start_us += rnd_log(&s->r, 3 * SEC);
}

/**
 * world_round - the programs start
 * @s: simulation, nothing going on but what outlives a connection
 */
void world_round(struct sim *s)
{
	u32 i;

	s->round++;
	s->connects = 0;
	sim_note(s, "---- round %u", s->round);
	if (s->n_plan > 1)
		saw(s, SEEN_MANY);
	if (s->n_host > 2)
		saw(s, SEEN_HOSTS);
	for (i = 0; i < s->n_host; i++) {
		struct host *h = &s->h[i];

		h->listening = s->service >> i & 1;
		h->accepted = 0;
		h->deaf = false;
		h->deaf_us = 0;
		if (!s->calm && h->listening && !rnd_below(&s->r, 8))
			h->deaf_us = s->now_us + rnd_log(&s->r, 4 * SEC);
	}
	for (i = 0; i < s->n_plan; i++)
		start_plan(s, &s->plan[i], !i);
}
