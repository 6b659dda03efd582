// SPDX-License-Identifier: GPL-2.0
/*
 * Timing wheels for half-open requests and TIME-WAIT entries: as many as CPUs,
 * each with a lock and a timer. The hash of its flow says on which wheel an
 * entry is, so that nothing of it needs to be stored. A request brings a
 * reference along; whoever takes it off the wheel owns that reference. A
 * TIME-WAIT entry that came up belongs to the timer: who kills it then only
 * marks it.
 *
 * A timer's run takes entries in small lots until it has used up its time, and
 * comes back a jiffy later for the rest, so that a burst of expiries is spread
 * and never stalls a CPU; wheels whose timers meet in one softirq share that
 * time. Expiries run under rcu_read_lock(): a dying namespace waits a grace
 * period after its purge and so for every expiry that still sees it.
 */
#include "xtcp_mod.h"

#include <linux/hash.h>
#include <linux/slab.h>

#define WHEEL_LOT	32		/* entries examined under one hold of the lock */
#define WHEEL_RUN_NS	NSEC_PER_MSEC
#define WHEELS_MAX	256

struct xtcp_wheel {
	spinlock_t lock;		/* w, and link of entries filed here */
	struct timer_list timer;
	struct wheel w;
};

static struct xtcp_wheel **wheels;	/* n_wheels, a power of two; constant after init */
static unsigned int n_wheels;

/* The jiffy in which wheels ran here, and for how long; local CPU in softirq only. */
struct wheel_run { unsigned long when; u64 used_ns; };
static DEFINE_PER_CPU(struct wheel_run, wheel_run);

/**
 * xtcp_wheel_now_us - the clock of all wheels
 *
 * Return: microseconds of real time.
 */
u64 xtcp_wheel_now_us(void)
{
	return ktime_get_ns() / NSEC_PER_USEC;
}

/* Not the hash's low bits: they choose the bucket. */
static struct xtcp_wheel *wheel_of(u32 hash)
{
	return wheels[(hash >> 20) & (n_wheels - 1)];
}

static void wheel_arm(struct xtcp_wheel *xw, u64 now_us)
{
	u64 next_us = wheel_next_us(&xw->w);
	unsigned long when;

	lockdep_assert_held(&xw->lock);
	if (!next_us)
		return;
	when = jiffies;
	if (next_us > now_us)
		when += xtcp_timer_ticks(min_t(u64, next_us - now_us, 60 * USEC_PER_SEC));
	if (!timer_pending(&xw->timer) || time_before(when, xw->timer.expires))
		mod_timer(&xw->timer, when);
}

static void wheel_expire(struct wheel_entry *e)
{
	if ((READ_ONCE(e->kind) & XTCP_NODE_KIND) == XTCP_KIND_REQ)
		xtcp_req_expired(e);
	else
		xtcp_tw_expired(e);
}

static void wheel_tick(struct timer_list *timer)
{
	struct xtcp_wheel *xw = timer_container_of(xw, timer, timer);
	struct wheel_run *run = this_cpu_ptr(&wheel_run);
	u64 began_ns = ktime_get_ns();
	struct wheel_entry *e;
	bool more;

	if (time_after(jiffies, run->when)) {
		run->when = jiffies;
		run->used_ns = 0;
	}
	rcu_read_lock();
	do {
		struct list_head *due = NULL;

		spin_lock_bh(&xw->lock);
		more = wheel_advance(&xw->w, xtcp_wheel_now_us(), WHEEL_LOT, &due);
		spin_unlock_bh(&xw->lock);
		while ((e = wheel_pop(&due))) {
			xtcp_race_point(WHEEL_POP);
			wheel_expire(e);
		}
	} while (more && run->used_ns + (ktime_get_ns() - began_ns) < WHEEL_RUN_NS);
	run->used_ns += ktime_get_ns() - began_ns;

	spin_lock_bh(&xw->lock);
	wheel_arm(xw, xtcp_wheel_now_us());
	spin_unlock_bh(&xw->lock);
	rcu_read_unlock();
}

/**
 * xtcp_wheel_file - file an entry
 * @e: entry, not filed, due set
 * @hash: of its flow
 *
 * Any context with softirqs on or off.
 */
void xtcp_wheel_file(struct wheel_entry *e, u32 hash)
{
	struct xtcp_wheel *xw = wheel_of(hash);
	u64 now_us = xtcp_wheel_now_us();

	spin_lock_bh(&xw->lock);
	wheel_file(&xw->w, e, now_us);
	wheel_arm(xw, now_us);
	spin_unlock_bh(&xw->lock);
}

/**
 * xtcp_wheel_add - file an entry for a time from now
 * @e: entry, not filed; a reference to its owner, if it has any, goes with it
 * @hash: of its flow
 * @delay_us: real time until it comes up, rounded up to WHEEL_TICK_US
 *
 * Any context with softirqs on or off.
 */
void xtcp_wheel_add(struct wheel_entry *e, u32 hash, u64 delay_us)
{
	e->due = wheel_tick_at(xtcp_wheel_now_us() + delay_us);
	xtcp_wheel_file(e, hash);
}

/**
 * xtcp_wheel_del - take an entry off its wheel
 * @e: entry
 * @hash: of its flow
 *
 * Return: true if it was filed; its reference is the caller's then. False if
 * it was not, or is about to expire on another CPU.
 */
bool xtcp_wheel_del(struct wheel_entry *e, u32 hash)
{
	struct xtcp_wheel *xw = wheel_of(hash);
	bool filed;

	spin_lock_bh(&xw->lock);
	filed = wheel_del(&xw->w, e);
	spin_unlock_bh(&xw->lock);
	return filed;
}

/**
 * xtcp_wheels_init - make the wheels
 *
 * Return: 0 or -ENOMEM.
 */
int xtcp_wheels_init(void)
{
	unsigned int i;

	n_wheels = roundup_pow_of_two(min_t(unsigned int, num_possible_cpus(), WHEELS_MAX));
	wheels = kcalloc(n_wheels, sizeof(*wheels), GFP_KERNEL);
	if (!wheels)
		return -ENOMEM;
	for (i = 0; i < n_wheels; i++) {
		struct xtcp_wheel *xw = kvmalloc(sizeof(*xw), GFP_KERNEL);

		if (!xw) {
			xtcp_wheels_exit();
			return -ENOMEM;
		}
		spin_lock_init(&xw->lock);
		wheel_init(&xw->w, xtcp_wheel_now_us());
		timer_setup(&xw->timer, wheel_tick, 0);
		wheels[i] = xw;
	}
	return 0;
}

/* What is still filed comes up now. */
static void wheel_drain(struct wheel *w)
{
	struct list_head *p, *next;
	unsigned int i;

	for (i = 0; i < WHEEL_SLOTS; i++) {
		list_for_each_safe(p, next, &w->slot[i]) {
			struct wheel_entry *e = container_of(p, struct wheel_entry, link);

			if (p == &w->cursor)
				continue;
			wheel_del(w, e);
			wheel_expire(e);
		}
	}
}

/**
 * xtcp_wheels_exit - free the wheels; every entry is dead or off by now
 *
 * Requests that lost a race between kill and filing are still filed: they get
 * their expiry here and drop their last reference.
 */
void xtcp_wheels_exit(void)
{
	unsigned int i;

	for (i = 0; i < n_wheels; i++) {
		if (!wheels[i])
			continue;
		timer_shutdown_sync(&wheels[i]->timer);
		wheel_drain(&wheels[i]->w);
		kvfree(wheels[i]);
	}
	kfree(wheels);
	wheels = NULL;
	n_wheels = 0;
}
