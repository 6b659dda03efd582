// SPDX-License-Identifier: GPL-2.0
/*
 * flows [--long]: what congestion control makes of a path, beside what the
 * models say. TAP. Everything is a function of the numbers below.
 */
#include <math.h>
#include <stdarg.h>

#include "path.h"

static unsigned int n_tests, n_failed;
static unsigned int longer = 1;

static void __printf(2, 3) ok(bool cond, const char *fmt, ...)
{
	va_list ap;

	n_failed += !cond;
	printf("%sok %u - ", cond ? "" : "not ", ++n_tests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static double goodput(const struct flow *f, u64 before, u64 us)
{
	return (f->acked - before) * 8.0 / us;	/* Mbit/s */
}

/* ---- each 1/p-th segment lost, no other limit: the response functions */

/* RFC 3649 2 and RFC 9438 5.1, in segments: published, for large windows */
static double formula(bool cubic, double p, double rtt)
{
	double reno = sqrt(1.5 / p);

	/* in the Reno-friendly region alpha is such that the average is Reno's */
	return cubic ? fmax(1.0538 * pow(rtt / p, 0.75), reno) : reno;
}

/* The same algorithms as flows of real numbers; times in seconds, windows in segments. */
struct model {
	bool cubic;
	double w, w_max, w_est, prior, k, t;
};

static void model_loss(struct model *m)
{
	/* fast convergence; whole segments count */
	m->w_max = m->w < m->w_max - 1 ? m->w * 0.85 : m->w;
	m->prior = m->w;
	m->w *= m->cubic ? 0.7 : 0.5;
	m->w_est = m->w;
	m->k = m->w_max > m->w ? cbrt((m->w_max - m->w) / 0.4) : 0;
	m->w_max = fmax(m->w_max, m->w);
	m->t = 0;
}

static void model_grow(struct model *m, double dt, double rtt)
{
	double now = 0.4 * pow(m->t - m->k, 3) + m->w_max;
	double next = 0.4 * pow(m->t + rtt - m->k, 3) + m->w_max;

	if (!m->cubic) {
		m->w += dt / rtt;
		return;
	}
	m->t += dt;
	m->w_est += (m->w_est < m->prior ? 9.0 / 17 : 1) * dt / rtt;
	if (now < m->w_est)
		m->w = fmax(m->w, m->w_est);
	else
		m->w += fmax(fmin(next, 1.5 * m->w) - m->w, 0) * dt / rtt;
}

/*
 * Segments per round trip. After @gap segments one is lost, which is known a
 * round trip later; in the next one, that of the recovery, cwnd stays as it is.
 */
static double computed(bool cubic, double rtt, struct gaps *gaps, double secs)
{
	double dt = rtt / 50, t, sent = 0, known = 0, still = 0, counted = 0;
	double lost_at = gap_next(gaps), w0 = sqrt(1.5 * lost_at);
	struct model m = { .cubic = cubic, .w = w0, .w_est = w0, .w_max = w0 };

	for (t = 0; t < secs * 4 / 3; t += dt) {
		if (t > still)
			model_grow(&m, dt, rtt);
		sent += m.w * dt / rtt;
		counted += t > secs / 3 ? m.w * dt / rtt : 0;
		if (sent >= lost_at) {
			lost_at += gap_next(gaps);
			known = t + rtt;
			counted -= t > secs / 3;
		}
		if (known && t >= known) {
			model_loss(&m);
			known = 0;
			still = t + rtt;
		}
	}
	return counted / secs * rtt;
}

struct loss_cell {
	const char *cc;
	u32 rtt_ms, every, s;
	bool judged;
};

static bool near(double got, double want)
{
	return fabs(got / want - 1) <= 0.05;
}

/* Goodput of a cell's one flow, when the beginning is over. */
static double steady(struct path *w, struct flow *f, const struct loss_cell *c)
{
	u64 us = c->s * longer * SEC, before;

	/* the models know of no delayed ACKs */
	f->e[1].t.quickack_user = 1;
	path_run(w, us / 3);
	before = f->acked;
	path_run(w, us);
	return goodput(f, before, us);
}

static double measured(const struct loss_cell *c, const struct gaps *gaps)
{
	struct path w;
	struct flow *f;
	double got;

	path_init(&w, c->rtt_ms * MS, 1);
	w.gaps = *gaps;
	f = path_flow(&w, c->cc, 0);
	got = steady(&w, f, c);
	path_free(&w);
	return got;
}

/*
 * Exactly each n-th segment lost, against the published formulas. Judged are Reno
 * and the Reno-friendly region. Around its plateau CUBIC has no opinion on which
 * of many windows repeats itself, and the formula is for one of them: shown only,
 * irregular losses judge the curve.
 */
static const struct loss_cell regular_cells[] = {
	{ "reno", 100, 10000, 600, true },
	{ "reno", 20, 10000, 200, true },
	{ "reno", 100, 3000, 300, true },
	{ "cubic", 200, 10000, 900, false },
	{ "cubic", 100, 30000, 900, false },
	{ "cubic", 20, 10000, 200, true },
	{ "cubic", 10, 10000, 100, true },
};

static void regular_cell(const struct loss_cell *c)
{
	struct gaps gaps = { .mean = c->every };
	double unit = MSS * 8 / (c->rtt_ms * 1e3), p = 1.0 / c->every;
	double want = formula(!strcmp(c->cc, "cubic"), p, c->rtt_ms / 1e3) * unit * (1 - p);
	double got = measured(c, &gaps);

	ok(!c->judged || near(got, want),
	   "%s, rtt %u ms, each %uth lost: %.2f Mbit/s, formula %.2f, %+.1f %%%s", c->cc,
	   c->rtt_ms, c->every, got, want, 100 * (got / want - 1),
	   c->judged ? "" : " (not judged)");
}

/*
 * RFC 5348 3.1 (Padhye et al.), segments per round trip of Reno, and so of CUBIC
 * where it is as friendly as that: some losses end in a timeout.
 */
static double with_timeouts(double rtt, double p)
{
	double rto = rtt + 0.2;

	return rtt / (rtt * sqrt(2 * p / 3) +
		      rto * fmin(1, 3 * sqrt(3 * p / 8)) * p * (1 + 32 * p * p));
}

/*
 * Now and then one lost, against the algorithm with the same losses. That knows of
 * no timeouts; where the window is so small that they matter (not judged by it alone)
 * the truth is between it and the published formula with more of them than SACK leaves.
 */
static const struct loss_cell random_cells[] = {
	{ "reno", 100, 10000, 600, true },
	{ "reno", 20, 1000, 100, true },
	{ "reno", 20, 100, 60, false },
	{ "cubic", 200, 10000, 900, true },
	{ "cubic", 100, 30000, 900, true },
	{ "cubic", 100, 10000, 600, true },
	{ "cubic", 100, 1000, 300, true },
	{ "cubic", 20, 10000, 200, true },
	{ "cubic", 20, 1000, 100, true },
	{ "cubic", 20, 100, 60, false },
};

static void random_cell(const struct loss_cell *c)
{
	struct gaps gaps = { .mean = c->every, .r.s = 11 }, same = gaps;
	double unit = MSS * 8 / (c->rtt_ms * 1e3);
	double want = computed(!strcmp(c->cc, "cubic"), c->rtt_ms / 1e3, &same,
			       c->s * longer) * unit;
	double least = with_timeouts(c->rtt_ms / 1e3, 1.0 / c->every) * unit;
	double got = measured(c, &gaps);

	if (!c->judged) {
		ok(got >= 0.95 * least && got <= 1.05 * want,
		   "%s, rtt %u ms, about each %uth lost: %.2f Mbit/s, with timeouts %.2f, without %.2f",
		   c->cc, c->rtt_ms, c->every, got, least, want);
		return;
	}
	ok(near(got, want),
	   "%s, rtt %u ms, about each %uth lost: %.2f Mbit/s, computed %.2f, %+.1f %%", c->cc,
	   c->rtt_ms, c->every, got, want, 100 * (got / want - 1));
}

/* ---- a link with a queue: it must be full */

struct rate_cell {
	const char *cc;
	u32 mbit, rtt_ms, queue_pct;	/* of rate times rtt */
	u32 s;
	double least;			/* share of the link */
};

static const struct rate_cell rate_cells[] = {
	{ "reno", 10, 20, 100, 60, 0.95 },
	{ "reno", 50, 50, 100, 120, 0.95 },
	{ "cubic", 10, 20, 100, 60, 0.95 },
	{ "cubic", 50, 50, 100, 120, 0.95 },
	{ "cubic", 50, 50, 50, 120, 0.95 },
	{ "cubic", 100, 40, 100, 60, 0.95 },
	{ "bbr", 10, 20, 100, 60, 0.95 },
	{ "bbr", 50, 50, 100, 60, 0.95 },
	{ "bbr", 100, 40, 400, 60, 0.95 },
};

static void rate_cell(const struct rate_cell *c)
{
	double want = c->mbit * (double)MSS / WIRE, got;
	u64 us = c->s * longer * SEC, before;
	struct path w;
	struct flow *f;

	path_init(&w, c->rtt_ms * MS, 1);
	w.rate = c->mbit * 125000ULL;
	w.queue_bytes = w.rate * c->rtt_ms / 1000 * c->queue_pct / 100;
	f = path_flow(&w, c->cc, 0);
	path_run(&w, 10 * SEC);
	before = f->acked;
	path_run(&w, us);
	got = goodput(f, before, us);
	ok(got >= c->least * want && got <= 1.001 * want,
	   "%s, %u Mbit/s, rtt %u ms, queue %u %%: %.2f Mbit/s of %.2f, %llu drops", c->cc,
	   c->mbit, c->rtt_ms, c->queue_pct, got, want, f->queue_drops);
	path_free(&w);
}

/* ---- ECN: marks instead of losses */

/* Each n-th segment marked: what the formula says of losses, and nothing is sent twice. */
static void mark_cell(const struct loss_cell *c)
{
	double unit = MSS * 8 / (c->rtt_ms * 1e3), p = 1.0 / c->every, want, got;
	struct path w;
	struct flow *f;

	path_init(&w, c->rtt_ms * MS, 1);
	w.gaps.mean = c->every;
	w.mark = true;
	f = path_flow(&w, c->cc, 0);
	got = steady(&w, f, c);
	want = formula(!strcmp(c->cc, "cubic"), p, c->rtt_ms / 1e3) * unit;
	ok(near(got, want) && f->marks && !f->e[0].t.total_retrans,
	   "%s, rtt %u ms, each %uth marked: %.2f Mbit/s, formula %.2f, %+.1f %%, %u sent twice",
	   c->cc, c->rtt_ms, c->every, got, want, 100 * (got / want - 1),
	   f->e[0].t.total_retrans);
	path_free(&w);
}

static const struct loss_cell mark_cells[] = {
	{ "reno", 100, 10000, 600, true },
	{ "reno", 20, 10000, 200, true },
	{ "cubic", 20, 10000, 200, true },
};

/* A queue that marks beyond @queue_pct of rate times rtt, and could hold three of it. */
static void mark_rate_cell(const struct rate_cell *c)
{
	double want = c->mbit * (double)MSS / WIRE, got;
	u64 us = c->s * longer * SEC, before, drops;
	struct path w;
	struct flow *f;
	u32 resent;

	path_init(&w, c->rtt_ms * MS, 1);
	w.rate = c->mbit * 125000ULL;
	w.queue_bytes = w.rate * c->rtt_ms / 1000 * 3;
	w.mark_bytes = w.rate * c->rtt_ms / 1000 * c->queue_pct / 100;
	f = path_flow(&w, c->cc, 0);
	path_run(&w, 10 * SEC);
	before = f->acked;
	drops = f->queue_drops;
	resent = f->e[0].t.total_retrans;
	path_run(&w, us);
	got = goodput(f, before, us);
	drops = f->queue_drops - drops;
	resent = f->e[0].t.total_retrans - resent;
	ok(got >= c->least * want && got <= 1.001 * want && f->marks && !drops && !resent,
	   "%s, %u Mbit/s, rtt %u ms, marks at %u %%: %.2f Mbit/s of %.2f, %llu marks, %llu drops",
	   c->cc, c->mbit, c->rtt_ms, c->queue_pct, got, want, f->marks, drops);
	path_free(&w);
}

static const struct rate_cell mark_rate_cells[] = {
	{ "reno", 10, 20, 100, 60, 0.95 },
	{ "cubic", 10, 20, 100, 60, 0.95 },
	{ "cubic", 50, 50, 50, 120, 0.95 },
};

/* ---- BBR: losses do not count, the queue is short, the least RTT is looked for */

struct bbr_cell {
	u32 mbit, rtt_ms, queue_pct, every;	/* each so many'th is lost, 0: none */
	u32 s;
	double least;			/* share of the link less the losses */
	double most;			/* of rate times rtt in the queue, on average */
};

static const struct bbr_cell bbr_cells[] = {
	{ 10, 20, 400, 0, 60, 0.93, 1 },
	{ 10, 100, 400, 0, 60, 0.93, 1 },
	{ 50, 50, 400, 0, 60, 0.93, 1 },
	{ 200, 20, 400, 0, 30, 0.93, 1 },
	{ 10, 20, 400, 100, 60, 0.90, 1 },
	{ 10, 100, 400, 100, 60, 0.90, 1 },
	{ 50, 50, 400, 100, 60, 0.90, 1 },
	{ 200, 20, 400, 100, 30, 0.90, 1 },
	{ 50, 50, 100, 20, 60, 0.90, 1 },
};

static void bbr_cell(const struct bbr_cell *c)
{
	double p = c->every ? 1.0 / c->every : 0, bdp, queue, got;
	double want = c->mbit * (double)MSS / WIRE * (1 - p);
	u64 us = c->s * longer * SEC, before, t;
	u32 low = 0, ms = 0;
	struct path w;
	struct flow *f;
	bool full;

	path_init(&w, c->rtt_ms * MS, 3);
	w.rate = c->mbit * 125000ULL;
	bdp = w.rate * c->rtt_ms / 1e3;
	w.queue_bytes = bdp * c->queue_pct / 100;
	w.gaps = (struct gaps){ .mean = c->every, .r.s = 5 };
	f = path_flow(&w, "bbr", 0);
	/* a round doubles the rate, from the first window on; losses may cost some */
	path_run(&w, 40 * c->rtt_ms * MS);
	full = f->e[0].t.ca.bbr.full;
	path_run(&w, 5 * SEC);
	before = f->acked;
	w.queue_sum = 0;
	w.queue_n = 0;
	/* in PROBE_RTT the window is four segments; not if the bare RTT shows by itself */
	for (t = 0; t < us; t += 10 * MS) {
		path_run(&w, 10 * MS);
		low += f->e[0].t.cwnd == 4;
		ms += 10;
	}
	got = goodput(f, before, us);
	queue = w.queue_sum / w.queue_n / bdp;
	ok(full && got >= c->least * want && got <= 1.001 * want && queue <= c->most,
	   "bbr, %u Mbit/s, rtt %u ms, %u in 1000 lost: %.2f Mbit/s of %.2f, queue %.2f of a BDP",
	   c->mbit, c->rtt_ms, c->every ? 1000 / c->every : 0, got, want, queue);
	ok(low * 10 >= 200 && low * 10 <= ms / 20 &&
	   f->e[0].t.ca.bbr.min_rtt_us < c->rtt_ms * 1150,
	   "bbr: %u ms of %u spent on the least RTT, %u us", low * 10, ms,
	   f->e[0].t.ca.bbr.min_rtt_us);
	path_free(&w);
}

/* ---- several flows on one link: Jain's index */

struct fair_cell {
	const char *cc[MAX_FLOWS];
	u32 mbit, rtt_ms, queue_pct, s;
	double least;			/* Jain's index, 0: shown only */
};

static const struct fair_cell fair_cells[] = {
	{ { "cubic", "cubic" }, 20, 40, 100, 60, 0.95 },
	{ { "cubic", "cubic" }, 50, 20, 100, 60, 0.95 },
	{ { "cubic", "cubic", "cubic", "cubic" }, 50, 40, 100, 60, 0.95 },
	{ { "reno", "reno" }, 20, 40, 100, 60, 0.95 },
	{ { "cubic", "reno" }, 20, 20, 100, 60, 0 },
	{ { "bbr", "bbr" }, 20, 40, 200, 60, 0.95 },
	{ { "bbr", "bbr" }, 50, 20, 400, 60, 0.95 },
	{ { "bbr", "cubic" }, 20, 40, 100, 60, 0 },
	{ { "bbr", "cubic" }, 20, 40, 400, 60, 0 },
};

static void fair_cell(const struct fair_cell *c)
{
	u64 us = c->s * longer * SEC, before[MAX_FLOWS];
	double x, sum = 0, squares = 0, jain;
	unsigned int i, n;
	struct path w;

	path_init(&w, c->rtt_ms * MS, 7);
	w.rate = c->mbit * 125000ULL;
	w.queue_bytes = w.rate * c->rtt_ms / 1000 * c->queue_pct / 100;
	w.jitter_us = 100;	/* or a drop-tail queue prefers one by phase alone */
	for (n = 0; n < MAX_FLOWS && c->cc[n]; n++)
		path_flow(&w, c->cc[n], n * 3 * SEC);
	path_run(&w, 20 * SEC);
	for (i = 0; i < n; i++)
		before[i] = w.f[i].acked;
	path_run(&w, us);
	printf("# ");
	for (i = 0; i < n; i++) {
		x = goodput(&w.f[i], before[i], us);
		printf("%s %.2f Mbit/s ", c->cc[i], x);
		sum += x;
		squares += x * x;
	}
	jain = sum * sum / (n * squares);
	printf("\n");
	ok(jain >= c->least && sum >= 0.9 * c->mbit * MSS / WIRE,
	   "%u flows, %s, %u Mbit/s, rtt %u ms, %llu s: Jain's index %.3f, %.2f Mbit/s together",
	   n, c->cc[0], c->mbit, c->rtt_ms, us / SEC, jain, sum);
	path_free(&w);
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc > 1 && !strcmp(argv[1], "--long"))
		longer = 10;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < ARRAY_SIZE(regular_cells); i++)
		regular_cell(&regular_cells[i]);
	for (i = 0; i < ARRAY_SIZE(random_cells); i++)
		random_cell(&random_cells[i]);
	for (i = 0; i < ARRAY_SIZE(rate_cells); i++)
		rate_cell(&rate_cells[i]);
	for (i = 0; i < ARRAY_SIZE(mark_cells); i++)
		mark_cell(&mark_cells[i]);
	for (i = 0; i < ARRAY_SIZE(mark_rate_cells); i++)
		mark_rate_cell(&mark_rate_cells[i]);
	for (i = 0; i < ARRAY_SIZE(bbr_cells); i++)
		bbr_cell(&bbr_cells[i]);
	for (i = 0; i < ARRAY_SIZE(fair_cells); i++)
		fair_cell(&fair_cells[i]);
	printf("1..%u\n# %u passed, %u failed\n", n_tests, n_tests - n_failed, n_failed);
	return !!n_failed;
}
