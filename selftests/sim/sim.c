// SPDX-License-Identifier: GPL-2.0
/* The event loop, and what must hold at the end. */
#include <setjmp.h>
#include <stdarg.h>

#include "sim.h"

static jmp_buf failed;
static char fail_text[256];

void sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fail_text, sizeof(fail_text), fmt, ap);
	va_end(ap);
	s->why = fail_text;
	longjmp(failed, 1);
}

void sim_note(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->ladder)
		return;
	printf("%12.6f  ", s->now_us / 1e6);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

/* ---- end of a connection */

static void check_hopeless(struct sim *s, const struct flow *f)
{
	const struct user *u = &f->u;

	if (u->connected)
		sim_fail(s, "%s: connected to nobody", f->name);
	if (u->rude)
		return;
	if (!u->err)
		sim_fail(s, "%s: gone without an error, and nobody there", f->name);
	if (u->err == ECONNREFUSED && f->peer == NOBODY)
		sim_fail(s, "%s: refused by nobody", f->name);
	if (u->err == ETIMEDOUT && s->calm && f->peer != NOBODY && s->failed_what < 0)
		sim_fail(s, "%s: timed out, not refused, on a calm network", f->name);
}

/* What one failed allocation may cost: the call that asked for it, or TIME-WAIT. */
static bool spoiled(const struct flow *f)
{
	const struct sim *s = f->host->sim;

	/* of a cookie nothing is left but the third segment */
	if (f->peer < s->n_host && (f->host->cookies || s->h[f->peer].cookies) &&
	    (s->failed_what == AL_CHILD || s->failed_what == AL_REQUEST))
		return true;
	return s->failed_what == AL_SOCK || s->failed_what == AL_TIMEWAIT;
}

/* Nobody's connection just goes away: connect() fails, or EOF or an error comes. */
static void check_told(struct sim *s, const struct flow *f)
{
	const struct user *u = &f->u;

	if (u->rude || u->gave_up || u->err)
		return;
	if (!u->connected)
		sim_fail(s, "%s: neither connected nor an error", f->name);
	if (!u->eof && u->end != U_CLOSE)
		sim_fail(s, "%s: gone without EOF or error", f->name);
}

static void check_user(struct sim *s, const struct flow *f)
{
	const struct user *u = &f->u;
	const struct flow *m = f->mate;

	if (f->hopeless) {
		check_hopeless(s, f);
		return;
	}
	check_told(s, f);
	/* an hour without progress: a deadlock, unless half of everything is lost */
	if (u->gave_up && u->connected && m && m->u.connected && !m->u.err &&
	    (!m->u.rude || m->u.gave_up) && misery(s, f->host->id, f->peer) < 350 &&
	    !s->cut_for_ever && !f->host->harsh && !m->host->harsh)
		sim_fail(s, "%s: stalled, no error, peer not gone", f->name);
	/* EOF is a promise: everything written before it was delivered */
	if (u->eof && (!m || u->delivered != m->u.written))
		sim_fail(s, "%s: EOF after %u of %u bytes", f->name, u->delivered,
			 m ? m->u.written : 0);
	if (!s->calm || u->rude || (m && m->u.rude) || f->met_tw || spoiled(f))
		return;
	/*
	 * Whoever comes first to a simultaneous open finds nobody there; the RST that says so may
	 * be overtaken by the other's SYN, and then ends what both have begun
	 */
	if (f->cross && u->err && (!u->connected || (m && !m->u.connected && m->u.err)))
		return;
	/* where cookies keep no request, a connect() may take the tuple of one */
	if (f->cross && (f->host->cookies || s->h[f->peer].cookies))
		return;
	if (u->err)
		sim_fail(s, "%s: error %d on a calm network", f->name, u->err);
	if (!m || !u->connected || u->delivered != m->u.total || u->read != m->u.total)
		sim_fail(s, "%s: %u of %u bytes arrived, %u read, no error", f->name,
			 u->delivered, m ? m->u.total : 0, u->read);
}

static bool trouble(const struct host *h)
{
	return h->harsh || h->cookies || h->deaf;
}

/* Its own end, the other one, or one of the two hosts, is reason enough for an error. */
static bool excused(const struct flow *f)
{
	const struct sim *s = f->host->sim;
	const struct flow *m = f->mate;

	if (f->hopeless || f->u.rude || f->u.hold_us || trouble(f->host))
		return true;
	if (trouble(&s->h[f->peer]) || s->n_jump || s->cut_for_ever || s->pm[AL_TIMEWAIT])
		return true;
	return m ? m->u.rude || m->u.hold_us : f->cross;
}

static void count_users(struct sim *s)
{
	const struct flow *f;

	for (f = s->over; f && !s->hostile; f = f->next) {
		s->users++;
		if (excused(f))
			continue;
		s->polite++;
		s->errors += f->u.err != 0;
	}
}

static void end_round(struct sim *s)
{
	const struct flow *f;
	u32 i, accepted = 0;

	if (s->hostile)
		return;
	for (f = s->over; f; f = f->next)
		check_user(s, f);
	for (i = 0; i < s->n_host; i++)
		accepted += s->h[i].accepted;
	if (accepted > s->connects)
		sim_fail(s, "%u connections accepted, %u connects", accepted, s->connects);
}

/* ---- the event loop */

/* Is all over but what outlives a connection, and in the last round that, too? */
static bool quiet(const struct sim *s)
{
	u32 i;

	if (s->n_heap)
		return false;
	if (s->round == s->rounds)
		return !s->n_flow;
	for (i = 0; i < s->n_flow; i++) {
		const struct flow *f = s->flow[i];

		if (f->kind == F_CONN || f->kind == F_OVER ||
		    (f->kind == F_TIMEWAIT && f->tw.fin_wait2))
			return false;
	}
	return true;
}

enum event { E_NONE, E_PACKET, E_TIMER, E_USER, E_START, E_ACCEPT, E_DEAF, E_JUMP };

struct due {
	u64 at_us;
	enum event what;
	u32 nr;
};

static void sooner(struct due *d, u64 at_us, enum event what, u32 nr)
{
	if (at_us && (!d->at_us || at_us < d->at_us))
		*d = (struct due){ at_us, what, nr };
}

/* The next event of all. */
static struct due next_event(const struct sim *s)
{
	struct due d = { 0 };
	u32 i;

	sooner(&d, net_next_us(s), E_PACKET, 0);
	for (i = 0; i < s->n_flow; i++) {
		const struct flow *f = s->flow[i];
		u64 at = flow_next_us(f);

		/* by the host's clock; what that has passed in a leap is late already */
		if (at)
			sooner(&d, at > f->host->ahead_us + 1 ? at - f->host->ahead_us : 1,
			       E_TIMER, i);
		sooner(&d, f->u.due_us, E_USER, i);
		sooner(&d, f->u.start_us, E_START, i);
	}
	for (i = 0; i < s->n_host; i++) {
		sooner(&d, s->h[i].accept_us, E_ACCEPT, i);
		sooner(&d, s->h[i].deaf_us, E_DEAF, i);
	}
	if (s->jumps_done < s->n_jump)
		sooner(&d, s->jump[s->jumps_done].at_us, E_JUMP, 0);
	return d;
}

static void packet_event(struct sim *s)
{
	struct pkt *k = net_pop(s);
	struct host *h = &s->h[k->to];
	u32 inject_pm = k->from < s->n_host ? s->link[k->from][k->to].inject_pm : 0;

	ladder_pkt(s, k, "arrives");
	host_rx(h, k);
	free(k);
	if (rnd_pm(&s->r, inject_pm))
		net_inject(h);
}

static void jump_event(struct sim *s)
{
	const struct jump *j = &s->jump[s->jumps_done++];

	sim_note(s, "%c: the clock leaps %llu us", host_letter(j->host), j->by_us);
	s->h[j->host].ahead_us += j->by_us;
}

/* Advance to the next event and let it happen; false if there is none. */
static bool step(struct sim *s)
{
	struct due d = next_event(s);

	if (d.what == E_NONE)
		return false;
	s->now_us = max(s->now_us, d.at_us);
	s->steps++;
	switch (d.what) {
	case E_NONE:
		break;
	case E_PACKET:
		packet_event(s);
		break;
	case E_TIMER:
		flow_timer(s->flow[d.nr]);
		break;
	case E_USER:
		user_step(s->flow[d.nr]);
		break;
	case E_START:
		user_open(s->flow[d.nr]);
		break;
	case E_ACCEPT:
		user_accept(&s->h[d.nr]);
		break;
	case E_DEAF:
		host_deaf(&s->h[d.nr]);
		break;
	case E_JUMP:
		jump_event(s);
		break;
	}
	return true;
}

/* Too long: what still lives, and why? */
static void __noreturn too_long(struct sim *s, const char *what)
{
	const struct flow *f = s->n_flow ? s->flow[0] : NULL;
	u32 i;

	for (i = 0; i < s->n_flow; i++)
		if (!why_alive(s->flow[i]))
			f = s->flow[i];
	sim_fail(s, "not over after %s: %s is in %s, %s", what, f ? f->name : "nobody",
		 !f ? "-" : f->kind == F_CONN ? xtcp_state_name(f->t.state) :
		 f->kind == F_OVER ? "no table" : f->kind == F_REQUEST ? "SYN-RECV" : "TIME-WAIT",
		 f && why_alive(f) ? why_alive(f) : "for no reason");
}

/* Their names in reports. */
const char *const alloc_names[AL_NR] = {
	[AL_NODE] = "range node", [AL_SOCK] = "socket", [AL_REQUEST] = "request",
	[AL_CHILD] = "child", [AL_TIMEWAIT] = "TIME-WAIT entry", [AL_XMIT] = "segment",
	[AL_REPLY] = "reply", [AL_PAYLOAD] = "payload",
};

static void free_over(struct sim *s)
{
	while (s->over) {
		struct flow *f = s->over;

		s->over = f->next;
		free(f->held);
		free(f);
	}
}

static void run_round(struct sim *s)
{
	u64 start = s->now_us, first = s->steps, packets = s->packets;

	world_round(s);
	while (!quiet(s)) {
		if (!step(s))
			too_long(s, "the last event");
		/* 48 bytes every two minutes is no deadlock */
		if (s->now_us - max(start, s->progress_us) > 8 * 3600 * SEC)
			too_long(s, "8 hours without progress");
		if (s->steps - first > 2000000)
			too_long(s, "2,000,000 events");
		if (s->packets - packets > 1000000)
			sim_fail(s, "packet storm");
	}
	end_round(s);
	count_users(s);
	free_over(s);
}

/**
 * sim_run - run one seed
 * @s: simulation; small, ladder and fail_at are set
 * @seed: which one
 *
 * After a failure everything lies as it fell.
 *
 * Return: NULL if it passed, else what failed.
 */
const char *sim_run(struct sim *s, u64 seed)
{
	u32 i;

	if (setjmp(failed)) {
		s->n_heap = 0;
		return fail_text;
	}
	world_init(s, seed);
	while (s->round < s->rounds)
		run_round(s);
	for (i = 0; i < AL_NR; i++)
		if (s->live[i])
			sim_fail(s, "%ld of kind \"%s\" left", s->live[i], alloc_names[i]);
	return NULL;
}
