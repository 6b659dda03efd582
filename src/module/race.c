// SPDX-License-Identifier: GPL-2.0
/*
 * The delays of race.h; only in the module of "make module-race".
 *
 * /sys/module/xtcp/parameters: race_pm, how many of a thousand passes wait;
 * race_us, the longest wait; race_mask, which points do (bit by their order in
 * race.h); race_seed; race_hits, how often each was passed since loading.
 */
#include "xtcp_mod.h"

#include <linux/delay.h>
#include <linux/percpu.h>

#define RACE_US_MAX	10000u

static unsigned int race_pm;
module_param(race_pm, uint, 0644);
MODULE_PARM_DESC(race_pm, "Passes of a race point that wait, per thousand (default 0)");

static unsigned int race_us = 500;
module_param(race_us, uint, 0644);
MODULE_PARM_DESC(race_us, "Longest wait at a race point, in us, at most 10000 (default 500)");

static unsigned long long race_mask = ~0ULL;
module_param(race_mask, ullong, 0644);
MODULE_PARM_DESC(race_mask, "Race points that wait, one bit each (default all)");

static unsigned int race_seed = 1;
module_param(race_seed, uint, 0444);
MODULE_PARM_DESC(race_seed, "Seed of the waits");

struct race_cpu {
	u32 state;		/* xorshift; an interrupt in between does no harm */
	unsigned long hits[XTCP_NR_RACES];
};

static DEFINE_PER_CPU(struct race_cpu, race_cpu);

static_assert(XTCP_NR_RACES <= 64);

static u32 race_next(void)
{
	u32 x = this_cpu_read(race_cpu.state);

	if (!x)
		x = (race_seed + raw_smp_processor_id()) * 2654435761u | 1;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	this_cpu_write(race_cpu.state, x);
	return x;
}

/**
 * xtcp_race_delay - a race point: count it, and sometimes wait
 * @point: which
 *
 * Up to race_us; if that is a millisecond or less, seven of eight wait up to a
 * tenth of it. Any context; does not sleep.
 */
void xtcp_race_delay(enum xtcp_race point)
{
	u32 x, us = READ_ONCE(race_us);

	this_cpu_inc(race_cpu.hits[point]);
	if (!(READ_ONCE(race_mask) >> point & 1))
		return;
	x = race_next();
	if (x % 1000 >= READ_ONCE(race_pm))
		return;
	x = race_next();
	if (x % 8 && us <= 1000)
		us /= 10;
	us = 1 + (x >> 3) % clamp(us, 1u, RACE_US_MAX);
	for (; us > 1000; us -= 1000)
		mdelay(1);
	udelay(us);
}

static unsigned long race_hits(unsigned int point)
{
	unsigned long n = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		n += per_cpu(race_cpu.hits[point], cpu);
	return n;
}

static int race_hits_get(char *buf, const struct kernel_param *kp)
{
#define XTCP_RACE_NAME(name) #name,
	static const char * const names[] = { XTCP_RACE_POINTS(XTCP_RACE_NAME) };
#undef XTCP_RACE_NAME
	unsigned int i;
	int len = 0;

	for (i = 0; i < XTCP_NR_RACES; i++)
		len += scnprintf(buf + len, PAGE_SIZE - len, "%s %lu\n", names[i], race_hits(i));
	return len;
}

static const struct kernel_param_ops race_hits_ops = { .get = race_hits_get };
module_param_cb(race_hits, &race_hits_ops, NULL, 0444);
MODULE_PARM_DESC(race_hits, "How often each race point was passed");

/**
 * xtcp_race_report - what was passed, in the order of race.h, into the kernel log
 *
 * Module exit: the points there are over when the parameter has gone.
 */
void xtcp_race_report(void)
{
	char text[XTCP_NR_RACES * 12];
	unsigned int i;
	int len = 0;

	for (i = 0; i < XTCP_NR_RACES; i++)
		len += scnprintf(text + len, sizeof(text) - len, " %lu", race_hits(i));
	pr_info("race points:%s\n", text);
}
