/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A hashed timing wheel for things that are many and have lives of different
 * length: half-open requests and TIME-WAIT entries. Insert and remove are O(1);
 * an entry further away than one turn stays in its slot for another turn.
 * Advancing does at most a budget of work and says where it stopped, so that a
 * million expiries never stall a CPU. No lock, no clock, no allocation: the
 * caller owns those.
 */
#ifndef XTCP_CORE_WHEEL_H
#define XTCP_CORE_WHEEL_H

#include "shim.h"

#define WHEEL_SLOTS	4096		/* power of two */
#define WHEEL_TICK_US	8192		/* one turn: 33.5 s */

/* 24 bytes without a hole: who has a million of them counts each. */
struct wheel_entry {
	u16 kind;			/* caller's: what it is part of */
	u16 user;			/* caller's */
	/*
	 * Tick, modulo 2^32. The owner may move it further away while the
	 * entry is filed (WRITE_ONCE): the wheel finds out when the old one
	 * comes.
	 */
	u32 due;
	struct list_head link;		/* prev is NULL: not filed */
};

struct wheel {
	u64 tick;			/* every slot before it is done */
	unsigned int n;			/* entries filed */
	/* how far the slot of tick was examined; empty: not begun */
	struct list_head cursor;
	u64 used[WHEEL_SLOTS / 64];	/* slots that may hold something */
	struct list_head slot[WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, u64 now_us);

/* The tick at which something due at @due_us comes up, not before it. */
static inline u32 wheel_tick_at(u64 due_us)
{
	return (u32)div_u64(due_us + WHEEL_TICK_US - 1, WHEEL_TICK_US);
}

/* Is the time of an entry that came up still to come? Its owner moved it, then. */
static inline bool wheel_early(const struct wheel_entry *e, u64 now_us)
{
	return (s32)(READ_ONCE(e->due) - (u32)div_u64(now_us, WHEEL_TICK_US)) > 0;
}

/* File @e, which is not filed, to come up at e->due, within 2^31 ticks of @now_us. */
void wheel_file(struct wheel *w, struct wheel_entry *e, u64 now_us);
/* File @e to come up not before @due_us. */
static inline void wheel_add(struct wheel *w, struct wheel_entry *e, u64 due_us, u64 now_us)
{
	e->due = wheel_tick_at(due_us);
	wheel_file(w, e, now_us);
}

/* False if it was not filed. */
bool wheel_del(struct wheel *w, struct wheel_entry *e);

static inline void wheel_entry_init(struct wheel_entry *e)
{
	e->link.next = NULL;
	e->link.prev = NULL;
}

static inline bool wheel_filed(const struct wheel_entry *e)
{
	return e->link.prev;
}

/*
 * Put the entries due at @now_us before the chain @out, unfiled, examining at
 * most @budget. True if there is more to do at this same now_us.
 */
bool wheel_advance(struct wheel *w, u64 now_us, unsigned int budget, struct list_head **out);

/* Take the first off such a chain; NULL: it is empty. */
static inline struct wheel_entry *wheel_pop(struct list_head **out)
{
	struct list_head *p = *out;

	if (!p)
		return NULL;
	*out = p->next;
	return container_of(p, struct wheel_entry, link);
}

/* When to call wheel_advance() next, 0: nothing is filed. */
u64 wheel_next_us(const struct wheel *w);

#endif /* XTCP_CORE_WHEEL_H */
