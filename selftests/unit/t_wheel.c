// SPDX-License-Identifier: GPL-2.0
/* The timing wheel: nothing early, nothing late, nothing lost, bounded work per call. */
#include "../../src/core/wheel.h"
#include "unit.h"

#define N	300

struct item {
	struct wheel_entry e;
	u64 due_us;
	bool filed;
};

struct wheel_test {
	struct wheel w;
	struct item it[N];
	struct rnd r;
	u64 now;
	unsigned int n_filed, early, late, lost, ghosts, over_budget, fired;
};

static void collect(struct wheel_test *t, struct list_head *out)
{
	struct wheel_entry *e;

	while ((e = wheel_pop(&out))) {
		struct item *i = container_of(e, struct item, e);

		t->ghosts += wheel_filed(e);
		t->ghosts += !i->filed;
		t->early += t->now < i->due_us;
		/* the caller looked in at wheel_next_us(): a tick or two is all it may take */
		t->late += t->now > i->due_us + 2 * WHEEL_TICK_US;
		i->filed = false;
		t->n_filed--;
		t->fired++;
	}
}

static void advance(struct wheel_test *t)
{
	unsigned int budget = 1 + rnd_below(&t->r, 20), n, rounds = 0;
	bool more;

	do {
		struct list_head *out = NULL;

		more = wheel_advance(&t->w, t->now, budget, &out);
		n = t->fired;
		collect(t, out);
		t->over_budget += t->fired - n > budget;
	} while (more && ++rounds < 10000);
	t->lost += rounds >= 10000;
}

static void file(struct wheel_test *t)
{
	static const u64 span[] = { 20000, 1000000, 30000000, 60000000, 400000000 };
	struct item *i = &t->it[rnd_below(&t->r, N)];

	if (i->filed && rnd_below(&t->r, 2)) {
		/* its owner moves it further away, behind the wheel's back */
		i->due_us += rnd_below(&t->r, 60000000);
		WRITE_ONCE(i->e.due, wheel_tick_at(i->due_us));
		return;
	}
	if (i->filed) {
		t->lost += !wheel_del(&t->w, &i->e);
		t->n_filed--;
		i->filed = false;
		return;
	}
	wheel_entry_init(&i->e);
	i->due_us = t->now + rnd_below(&t->r, span[rnd_below(&t->r, ARRAY_SIZE(span))]);
	wheel_add(&t->w, &i->e, i->due_us, t->now);
	i->filed = true;
	t->n_filed++;
}

/* One life: bursts of filing, silences long enough for the wheel to run dry. */
static void wheel_run(struct wheel_test *t, u64 seed)
{
	unsigned int i, k;

	memset(t, 0, sizeof(*t));
	t->r.s = seed;
	t->now = rnd_range(&t->r, 1, 1ULL << 40);
	/* half of the lives pass the end of the 32-bit ticks */
	if (seed % 2)
		t->now = (1ULL << 32) * WHEEL_TICK_US - rnd_range(&t->r, 1, 100000000);
	wheel_init(&t->w, t->now);
	for (i = 0; i < N; i++)
		wheel_entry_init(&t->it[i].e);
	for (k = 0; k < 400; k++) {
		u64 next, until;

		for (i = rnd_below(&t->r, 12); i; i--)
			file(t);
		until = t->now + rnd_log(&t->r, rnd_below(&t->r, 40) ? 2000000 : 2000000000);
		/* more than half of the 32-bit ticks without a visitor */
		if (!rnd_below(&t->r, 200))
			until += 210ULL * 24 * 3600 * SEC;
		while ((next = wheel_next_us(&t->w)) && next <= until) {
			t->now = max(t->now, next);
			advance(t);
			if (t->now == next && wheel_next_us(&t->w) == next) {
				t->lost++;
				return;
			}
		}
		t->now = until;
		t->lost += t->w.n != t->n_filed;
	}
}

void test_wheel(void)
{
	unsigned int early = 0, late = 0, lost = 0, ghosts = 0, over = 0, fired = 0;
	struct wheel_test *t = malloc(sizeof(*t));
	u64 seed;

	if (!t)
		abort();
	for (seed = 1; seed <= 40; seed++) {
		wheel_run(t, seed);
		early += t->early;
		late += t->late;
		lost += t->lost;
		ghosts += t->ghosts;
		over += t->over_budget;
		fired += t->fired;
	}
	ok(fired > 5000, "wheel: %u entries came up", fired);
	is(early, 0, "wheel: none before its time");
	is(late, 0, "wheel: none more than two ticks late");
	is(lost, 0, "wheel: none lost, the count is right");
	is(ghosts, 0, "wheel: none came up after its removal");
	is(over, 0, "wheel: never more work than the budget");
	wheel_init(&t->w, 0);
	is(wheel_next_us(&t->w), 0, "wheel: nothing filed, nothing to come");
	wheel_entry_init(&t->it[0].e);
	wheel_add(&t->w, &t->it[0].e, 0, 0);
	ok(wheel_next_us(&t->w), "wheel: what is due in the first tick of all comes");
	free(t);
}
