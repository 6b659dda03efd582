// SPDX-License-Identifier: GPL-2.0
/*
 * The timing wheel beside an array of due times: nothing comes up early, twice
 * or after its removal, nothing is lost, nothing is later than the tick after
 * it was due once somebody looked, no call does more than its budget.
 */
#include "../../src/core/wheel.h"
#include "fz.h"

#define HEAD	8
#define RECORD	6
#define N	32

const struct fz_shape fz_shape = { HEAD, RECORD };

struct item {
	struct wheel_entry e;
	u64 due_us;		/* of the model */
	bool filed;
};

static struct model {
	struct wheel w;
	struct item it[N];
	u64 now_us;
	unsigned int n;
	bool behind;		/* a budget ran out, the rest is to come */
} m;

static u64 n_fired, n_moved, n_cut_short;

size_t fz_seed(unsigned int n, u8 *out, size_t room)
{
	return n < 200 ? fz_seed_random(n, out, HEAD + (1 + n) * RECORD) : 0;
}

const char *fz_missing(void)
{
	if (!n_fired)
		return "an entry that came up";
	if (!n_moved)
		return "an entry moved by its owner";
	return n_cut_short ? NULL : "a budget that ran out";
}

static void add(struct item *i, u64 span_us)
{
	if (i->filed) {
		FZ_NEED(wheel_filed(&i->e));
		/* its owner moves it further away, behind the wheel's back */
		i->due_us += span_us;
		WRITE_ONCE(i->e.due, wheel_tick_at(i->due_us));
		n_moved++;
		return;
	}
	i->due_us = m.now_us + span_us;
	wheel_add(&m.w, &i->e, i->due_us, m.now_us);
	i->filed = true;
	m.n++;
}

static void del(struct item *i)
{
	FZ_NEED(wheel_del(&m.w, &i->e) == i->filed);
	FZ_NEED(!wheel_filed(&i->e));
	m.n -= i->filed;
	i->filed = false;
}

static unsigned int collect(struct list_head *out)
{
	struct wheel_entry *e;
	unsigned int n = 0;

	while ((e = wheel_pop(&out))) {
		struct item *i = container_of(e, struct item, e);

		FZ_NEED(i >= m.it && i < m.it + N && i->filed && !wheel_filed(e));
		FZ_NEED(i->due_us <= m.now_us && !wheel_early(e, m.now_us));
		i->filed = false;
		m.n--;
		n++;
	}
	n_fired += n;
	return n;
}

static void advance(unsigned int budget, bool all)
{
	struct list_head *out;
	unsigned int calls = 0, i;

	do {
		out = NULL;
		m.behind = wheel_advance(&m.w, m.now_us, budget, &out);
		FZ_NEED(collect(out) <= budget);
		n_cut_short += m.behind;
		/* each call but the last uses its budget up: a turn has N entries */
		FZ_NEED(++calls <= 4 * N + 4);
	} while (all && m.behind);
	FZ_NEED(m.w.n == m.n);
	if (m.behind)
		return;
	for (i = 0; i < N; i++)
		FZ_NEED(!m.it[i].filed ||
			m.it[i].due_us + WHEEL_TICK_US > m.now_us / WHEEL_TICK_US * WHEEL_TICK_US);
}

/* Whoever sleeps until wheel_next_us() is there in time for everything. */
static void check_next(void)
{
	u64 next = wheel_next_us(&m.w), first = ~0ULL;
	unsigned int i;

	FZ_NEED(!m.n == !next);
	FZ_NEED(m.w.n == m.n);
	for (i = 0; i < N; i++)
		if (m.it[i].filed)
			first = min(first, m.it[i].due_us);
	FZ_NEED(!m.n || next <= max(first, m.now_us) + WHEEL_TICK_US);
	if (!m.n || m.behind)
		return;
	/* and not before there is something to be done, or it would spin */
	FZ_NEED(next / WHEEL_TICK_US > m.now_us / WHEEL_TICK_US ||
		next / WHEEL_TICK_US >= m.w.tick);
}

static void step(struct fz_in *in)
{
	u8 op = fz_u8(in);
	struct item *i = &m.it[fz_u8(in) % N];
	u64 span_us = fz_span(in, op & 8 ? 28 : 22);

	switch (op & 7) {
	case 7:			/* nothing for more than half of 2^32 ticks */
		if (!m.n)
			m.now_us += 210ULL * 24 * 3600 * 1000000;
		add(i, span_us);
		break;
	default:
		add(i, span_us);
		break;
	case 3:
		del(i);
		break;
	case 4:
		m.now_us += span_us;
		advance(1 + fz_u8(in) % 8, op & 16);
		break;
	case 5:
		m.now_us = max(m.now_us, wheel_next_us(&m.w));
		advance(1 + fz_u8(in) % 100, true);
		break;
	case 6:
		advance(fz_u8(in) % 3, false);
		break;
	}
	check_next();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fz_in in = { data, size }, part = fz_cut(&in, HEAD);
	unsigned int i, left;

	m.now_us = fz_clock(&part);
	/* 2^32 ticks */
	if (fz_u8(&part) & 1)
		m.now_us = (1ULL << 32) * WHEEL_TICK_US - fz_u32(&part);
	m.n = 0;
	m.behind = false;
	wheel_init(&m.w, m.now_us);
	for (i = 0; i < N; i++) {
		wheel_entry_init(&m.it[i].e);
		m.it[i].filed = false;
	}
	while (in.n) {
		part = fz_cut(&in, RECORD);
		step(&part);
	}
	/* at the end of time all of them come up */
	for (left = 0; m.n; left++) {
		FZ_NEED(left < 200 * N);
		m.now_us = max(m.now_us, wheel_next_us(&m.w));
		advance(N, true);
	}
	FZ_NEED(!wheel_next_us(&m.w));
	return 0;
}
