// SPDX-License-Identifier: GPL-2.0
/* The hashed timing wheel; see wheel.h. */
#include "wheel.h"

#define MASK	(WHEEL_SLOTS - 1)

void wheel_init(struct wheel *w, u64 now_us)
{
	unsigned int i;

	w->tick = div_u64(now_us, WHEEL_TICK_US);
	w->n = 0;
	INIT_LIST_HEAD(&w->cursor);
	for (i = 0; i < ARRAY_SIZE(w->used); i++)
		w->used[i] = 0;
	for (i = 0; i < WHEEL_SLOTS; i++)
		INIT_LIST_HEAD(&w->slot[i]);
}

void wheel_file(struct wheel *w, struct wheel_entry *e, u64 now_us)
{
	unsigned int s;

	/*
	 * An idle wheel is not advanced, and its tick falls behind: after half a
	 * year so far that what is due in a minute would seem to be over. It must
	 * not be guessed from the due tick: what is filed next may be due earlier.
	 */
	if (!w->n) {
		/* a mark in a slot that has been emptied since */
		list_del_init(&w->cursor);
		w->tick = max_t(u64, w->tick, div_u64(now_us, WHEEL_TICK_US));
	}
	if ((s32)(e->due - (u32)w->tick) < 0)
		e->due = (u32)w->tick;
	s = e->due & MASK;
	list_add_tail(&e->link, &w->slot[s]);
	w->used[s / 64] |= 1ULL << (s % 64);
	w->n++;
}

bool wheel_del(struct wheel *w, struct wheel_entry *e)
{
	if (!wheel_filed(e))
		return false;
	list_del(&e->link);
	wheel_entry_init(e);
	w->n--;
	return true;
}

/* Not due: stays for another turn, or goes where its owner moved its time to. */
static void wheel_keep(struct wheel *w, struct wheel_entry *e, unsigned int s, u32 due)
{
	unsigned int to = due & MASK;

	if (to == s)
		return;
	list_move_tail(&e->link, &w->slot[to]);
	w->used[to / 64] |= 1ULL << (to % 64);
}

/*
 * Examine the slot of w->tick from the cursor on. True when the slot is done,
 * false when the budget ran out first (the cursor stays behind as a mark).
 */
static bool wheel_slot(struct wheel *w, u64 now, unsigned int *budget, struct list_head **out)
{
	unsigned int s = w->tick & MASK;
	struct list_head *head = &w->slot[s], *p, *next;
	u32 due;

	p = list_empty(&w->cursor) ? head->next : w->cursor.next;
	list_del_init(&w->cursor);
	for (; p != head; p = next) {
		struct wheel_entry *e = container_of(p, struct wheel_entry, link);

		if (!*budget) {
			list_add_tail(&w->cursor, p);
			return false;
		}
		--*budget;
		next = p->next;
		due = READ_ONCE(e->due);
		if ((s32)(due - (u32)now) > 0) {
			wheel_keep(w, e, s, due);
			continue;
		}
		list_del(p);
		p->prev = NULL;
		p->next = *out;
		*out = p;
		w->n--;
	}
	if (list_empty(head))
		w->used[s / 64] &= ~(1ULL << (s % 64));
	return true;
}

bool wheel_advance(struct wheel *w, u64 now_us, unsigned int budget, struct list_head **out)
{
	u64 now = div_u64(now_us, WHEEL_TICK_US);

	/* One turn meets every entry; more turns would meet them again. */
	if (list_empty(&w->cursor) && now >= w->tick + WHEEL_SLOTS)
		w->tick = now - MASK;
	while (w->tick <= now) {
		unsigned int s = w->tick & MASK;

		if (!w->n && list_empty(&w->cursor)) {
			w->tick = now + 1;
			break;
		}
		if (w->used[s / 64] & (1ULL << (s % 64))) {
			if (!budget || !wheel_slot(w, now, &budget, out))
				return true;
		}
		w->tick++;
	}
	return false;
}

u64 wheel_next_us(const struct wheel *w)
{
	unsigned int i, s;
	u64 used;

	if (!w->n)
		return 0;
	for (i = 0; i < WHEEL_SLOTS; i += 64 - s % 64) {
		s = (w->tick + i) & MASK;
		used = w->used[s / 64] >> (s % 64);
		if (used) {
			i += __builtin_ctzll(used);
			break;
		}
	}
	/* tick 0 is a time, too */
	return (w->tick + i) * WHEEL_TICK_US ?: 1;
}
