// SPDX-License-Identifier: GPL-2.0
/*
 * sim [--seed N] [--count N] [--ladder] [--verbose]
 *
 * Runs seeds N, N+1, ...; the first that fails is run again with its packet
 * ladder printed, and ends the program with status 1.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include "sim.h"

static struct sim sim;
static jmp_buf failed;
static char fail_text[256];
static u8 store[2][2][STREAM_MAX];
static u64 current_seed;

/* A sanitizer's report must name the seed too. */
void __asan_on_error(void)
{
	fprintf(stderr, "seed %llu (replay: sim --seed %llu --ladder)\n",
		(unsigned long long)current_seed, (unsigned long long)current_seed);
}

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

/* ---- scenario */

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
	if (bad) {
		l->loss_pm = rnd_below(r, 2) ? rnd_below(r, 60) : rnd_below(r, 300);
		l->corrupt_pm = rnd_below(r, 2) ? rnd_below(r, 30) : 0;
		l->inject_pm = rnd_below(r, 4) ? 0 : rnd_below(r, 100);
		if (!rnd_below(r, 10)) {
			l->down_us = rnd_range(r, 0, 5 * SEC);
			l->up_us = l->down_us + rnd_range(r, 0, 30 * SEC);
		}
	}
}

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
	p->tcp_slow_start_after_idle = !!rnd_below(r, 4);
	p->tcp_init_cwnd = rnd_below(r, 4) ? 10 : 1 + rnd_below(r, 40);
	p->tcp_invalid_ratelimit = rnd_below(r, 4) ? 500 : rnd_below(r, 2000);
	p->tcp_delack_min_ms = rnd_below(r, 4) ? 40 : rnd_below(r, 500);
	p->tcp_syn_retries = rnd_below(r, 2) ? 5 : 12;
	p->tcp_synack_retries = rnd_below(r, 2) ? 5 : 12;
	p->tcp_stdurg = !rnd_below(r, 8);
	p->tcp_timewait_ms = rnd_below(r, 4) ? 60000 : rnd_below(r, 120000);
}

static void host_init(struct sim *s, int id)
{
	struct host *h = &s->h[id];
	struct rnd *r = &s->r;
	unsigned int i;

	memset(h, 0, sizeof(*h));
	h->sim = s;
	h->id = id;
	h->name = id ? "B" : "A";
	h->peer = s->self ? h : &s->h[!id];
	h->rbuf = store[id][0];
	h->have = store[id][1];
	memset(h->have, 0, STREAM_MAX);
	pick_params(s, &h->p);
	for (i = 0; i < sizeof(h->key); i++)
		((u8 *)&h->key)[i] = rnd_u32(r);
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
	xtcp_tcb_init(&h->listener, &h->p, false);
	h->listener.nodelay = !rnd_below(r, 3);
	h->listener.keepalive = !rnd_below(r, 4);
	h->listener.keep_idle_ms = rnd_below(r, 2) ? 0 : 1000 + rnd_below(r, 20000);
	h->listener.keep_intvl_ms = rnd_below(r, 2) ? 0 : 1000 + rnd_below(r, 5000);
	h->listener.quickack_user = !rnd_below(r, 8);
	if (!s->calm && !rnd_below(r, 20))
		h->listener.user_timeout_ms = 1000 + rnd_below(r, 60000);
}

static void scenario(struct sim *s, u64 seed, bool ladder)
{
	struct rnd *r = &s->r;

	memset(s, 0, offsetof(struct sim, heap));
	s->seed = seed;
	s->r.s = seed;
	s->ladder = ladder;
	s->n_heap = 0;
	s->nodes = 0;
	s->steps = 0;
	s->packets = 0;
	s->bytes = 0;
	s->now_us = 1 + rnd_range(r, 0, 300 * SEC);
	s->calm = !rnd_below(r, 5);
	s->self = !rnd_below(r, 40);
	s->simultaneous = !s->self && !rnd_below(r, 10);
	s->hostile = !s->calm && !rnd_below(r, 30);
	s->nomem_pm = s->calm || rnd_below(r, 3) ? 0 : rnd_below(r, 200);
	s->xmitfail_pm = s->calm || rnd_below(r, 3) ? 0 : rnd_below(r, 50);
	s->full_pm = s->calm || rnd_below(r, 4) ? 0 : rnd_below(r, 300);
	s->rounds = 1 + (rnd_below(r, 4) ? 0 : rnd_below(r, 3));
	s->round = 0;
	link_init(s, &s->link[0]);
	link_init(s, &s->link[1]);
	host_init(s, 0);
	host_init(s, 1);
}

/* Of 1000 round trips, how many are spoiled? */
static u32 misery(const struct sim *s)
{
	return s->link[0].loss_pm + s->link[0].corrupt_pm + s->link[1].loss_pm +
	       s->link[1].corrupt_pm + s->nomem_pm + s->xmitfail_pm;
}

static void start_round(struct sim *s)
{
	u32 mss = min(s->h[0].mss_cap, s->h[1].mss_cap);
	int i;

	s->tw_at_start = s->h[1].kind == H_TIMEWAIT;
	s->round++;
	sim_note(s, "---- connection %u", s->round);
	for (i = 0; i < 2; i++) {
		struct host *h = &s->h[i];

		user_init(s, &h->u);
		h->u.early_us += s->now_us;
		h->key_tx = rnd_u32(&s->r);
		h->listening = i == 1 && !s->self && !s->simultaneous;
		h->accepted = 0;
		s->link[i].down_us += s->now_us;
		s->link[i].up_us += s->now_us;
	}
	/* a long stream takes hours where one segment in three is lost */
	if (misery(s) > 80)
		for (i = 0; i < 2; i++)
			s->h[i].u.total = min(s->h[i].u.total, 60 * mss);
	/* two programs that wait for each other's EOF wait for ever */
	if (s->h[0].u.end == U_WAIT_EOF && (s->self || s->h[1].u.end == U_WAIT_EOF))
		s->h[0].u.end = U_SHUTDOWN;
	if (s->self && s->h[0].u.end == U_CLOSE)
		s->h[0].u.end = U_SHUTDOWN;
	host_connect(&s->h[0]);
	if (s->simultaneous)
		host_connect(&s->h[1]);
}

/* ---- end of a connection */

static void check_user(struct sim *s, struct host *h)
{
	struct user *u = &h->u, *pu = &h->peer->u;

	/* 15 minutes without progress: a deadlock, unless half of everything is lost */
	if (u->gave_up && u->connected && pu->connected && !pu->err &&
	    (!pu->rude || pu->gave_up) && misery(s) < 350)
		sim_fail(s, "%s: stalled, no error, peer not gone", h->name);
	/* EOF is a promise: everything written before it was delivered */
	if (u->eof && u->delivered != pu->written)
		sim_fail(s, "%s: EOF after %u of %u bytes", h->name, u->delivered, pu->written);
	if (!s->calm || u->rude || pu->rude)
		return;
	/* the ISN clock may have wrapped below what TIME-WAIT remembers */
	if (s->round > 1 && s->tw_at_start && (!u->connected || !pu->connected))
		return;
	if (u->err)
		sim_fail(s, "%s: error %d on a calm network", h->name, u->err);
	if (!u->connected || u->delivered != pu->total || u->read != pu->total)
		sim_fail(s, "%s: %u of %u bytes arrived, %u read, no error", h->name,
			 u->delivered, pu->total, u->read);
}

static void end_round(struct sim *s)
{
	if (s->hostile)
		return;
	check_user(s, &s->h[0]);
	if (s->self)
		return;
	check_user(s, &s->h[1]);
	if (s->h[1].accepted > 1)
		sim_fail(s, "one connect, %u connections accepted", s->h[1].accepted);
}

/* ---- the event loop */

/* The server may still be in TIME-WAIT or hold a request when the next SYN comes. */
static bool quiet(const struct sim *s)
{
	bool last = s->round == s->rounds || s->simultaneous;

	return s->h[0].kind == H_NONE && !s->h[0].u.open && !s->h[1].u.open && !s->n_heap &&
	       (last ? s->h[1].kind == H_NONE : s->h[1].kind != H_CONN) &&
	       !(s->h[1].kind == H_TIMEWAIT && s->h[1].tw.fin_wait2);
}

static void sooner(u64 *next, u64 t)
{
	if (t && (!*next || t < *next))
		*next = t;
}

/* Advance to the next event and run all that is due; false if none is left. */
static bool step(struct sim *s)
{
	u64 next = 0;
	int i;

	sooner(&next, net_next_us(s));
	for (i = 0; i < 2; i++) {
		sooner(&next, host_next_us(&s->h[i]));
		sooner(&next, s->h[i].u.due_us);
	}
	if (!next)
		return false;
	s->now_us = max(s->now_us, next);
	s->steps++;
	if (s->n_heap && net_next_us(s) <= s->now_us) {
		struct pkt *k = net_pop(s);
		struct host *h = &s->h[k->to];

		ladder_pkt(s, k, !k->to, "arrives");
		host_rx(h, k);
		free(k);
		if (rnd_pm(&s->r, s->link[h->id].inject_pm))
			net_inject(s, h);
		return true;
	}
	for (i = 0; i < 2; i++) {
		struct host *h = &s->h[i];

		if (host_next_us(h) && host_next_us(h) <= s->now_us)
			host_timer(h);
		else if (h->u.due_us && h->u.due_us <= s->now_us)
			user_step(h);
	}
	return true;
}

static void run_round(struct sim *s)
{
	u64 start = s->now_us;
	u64 first = s->steps;

	start_round(s);
	while (!quiet(s)) {
		if (!step(s))
			sim_fail(s, "nothing left to happen, but %s is in %s", s->h[0].name,
				 s->h[0].kind == H_CONN ? xtcp_state_name(s->h[0].t.state) : "-");
		if (s->now_us - start > 4 * 3600 * SEC)
			sim_fail(s, "not over after 4 hours");
		if (s->steps - first > 2000000)
			sim_fail(s, "not over after 2,000,000 events");
		if (s->steps - first > 50000 && s->packets > 400000)
			sim_fail(s, "packet storm");
	}
	end_round(s);
}

/* Returns true if the seed passed. */
static bool run_seed(struct sim *s, u64 seed, bool ladder)
{
	current_seed = seed;
	if (setjmp(failed)) {
		net_clear(s);
		return false;
	}
	scenario(s, seed, ladder);
	while (s->round < s->rounds)
		run_round(s);
	host_drop_flow(&s->h[0]);
	host_drop_flow(&s->h[1]);
	if (s->nodes)
		sim_fail(s, "%ld range nodes leaked", s->nodes);
	return true;
}

struct totals {
	u64 packets, bytes, steps, errors, users, rude;
};

static const char *weather(const struct sim *s)
{
	if (s->hostile)
		return "hostile";
	if (s->calm)
		return "calm";
	return s->h[0].u.rude || s->h[1].u.rude ? "rude" : "bad";
}

static void count(struct totals *t, const struct sim *s)
{
	int i;

	t->packets += s->packets;
	t->bytes += s->bytes;
	t->steps += s->steps;
	for (i = 0; i < 2 && !s->hostile; i++) {
		t->users++;
		t->rude += s->h[i].u.rude || s->h[i].peer->u.rude;
		t->errors += s->h[i].u.err && !s->h[i].u.rude && !s->h[i].peer->u.rude;
	}
}

/* A failed run lies as it fell: a leak report would only hide the reason. */
static void __noreturn stop(void)
{
	fflush(NULL);
	_exit(1);
}

static int run_many(u64 first, u64 n, bool verbose)
{
	struct totals t = { 0 };
	u64 seed;

	for (seed = first; seed < first + n; seed++) {
		if (!run_seed(&sim, seed, false)) {
			printf("seed %llu: %s\n", (unsigned long long)seed, fail_text);
			run_seed(&sim, seed, true);
			printf("not ok - seed %llu: %s (replay: sim --seed %llu --ladder)\n",
			       (unsigned long long)seed, fail_text, (unsigned long long)seed);
			stop();
		}
		count(&t, &sim);
		if (verbose)
			printf("seed %llu: %llu packets, %llu bytes, %s, errors %d %d\n",
			       (unsigned long long)seed, (unsigned long long)sim.packets,
			       (unsigned long long)sim.bytes, weather(&sim),
			       sim.h[0].u.err, sim.h[1].u.err);
	}
	printf("ok - %llu seeds: %llu packets, %llu bytes in order, %llu events",
	       (unsigned long long)n, (unsigned long long)t.packets,
	       (unsigned long long)t.bytes, (unsigned long long)t.steps);
	printf("; %llu of %llu polite users saw an error\n", (unsigned long long)t.errors,
	       (unsigned long long)(t.users - t.rude));
	/* reporting an error is allowed in bad weather; doing so often is not */
	if (n >= 1000 && t.errors * 20 > t.users - t.rude) {
		printf("not ok - more than one polite user in 20 saw an error\n");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	u64 seed = 1, n = 0;
	bool ladder = false, verbose = false;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
			seed = strtoull(argv[++i], NULL, 0);
		} else if (!strcmp(argv[i], "--count") && i + 1 < argc) {
			n = strtoull(argv[++i], NULL, 0);
		} else if (!strcmp(argv[i], "--ladder")) {
			ladder = true;
		} else if (!strcmp(argv[i], "--verbose")) {
			verbose = true;
		} else {
			fprintf(stderr, "usage: %s [--seed N] [--count N] [--ladder] [--verbose]\n",
				argv[0]);
			return 2;
		}
	}
	if (ladder) {
		bool ok = run_seed(&sim, seed, true);

		printf("%s - seed %llu%s%s\n", ok ? "ok" : "not ok", (unsigned long long)seed,
		       ok ? "" : ": ", ok ? "" : fail_text);
		if (!ok)
			stop();
		free(sim.heap);
		return 0;
	}
	i = run_many(seed, n ? n : 1, verbose);
	free(sim.heap);
	return i;
}
