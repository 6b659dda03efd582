// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/sys/net/xtcp, one per network namespace, made from include/xtcp/params.h.
 */
#include "xtcp_mod.h"

#include <linux/mm.h>
#include <linux/percpu_counter.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/sysctl.h>

#define XTCP_CC_NAME_MAX	16
#define XTCP_CC_NAMES_MAX	(XTCP_NR_CC * XTCP_CC_NAME_MAX)

/* A default that is not a number: see xtcp_params_defaults() */
#define XTCP_AUTO		0

enum {
#define XTCP_PARAM(name, def, min, max, unit, source, meaning) P_##name,
#define XTCP_PARAM3(name, d0, d1, d2, min, max, unit, source, meaning) P_##name,
#include <xtcp/params.h>
	NR_PARAMS
};

struct limits { int min, max; };

static struct limits limits[] = {
#define XTCP_PARAM(name, def, lo, hi, unit, source, meaning) \
	[P_##name] = { lo, hi },
#define XTCP_PARAM3(name, d0, d1, d2, lo, hi, unit, source, meaning) \
	[P_##name] = { lo, hi },
#include <xtcp/params.h>
};

static const struct xtcp_params defaults = {
#define XTCP_PARAM(name, def, lo, hi, unit, source, meaning) .name = (def),
#define XTCP_PARAM3(name, d0, d1, d2, lo, hi, unit, source, meaning) .name = { d0, d1, d2 },
#include <xtcp/params.h>
};

static int lab_limits[] = {
#define XTCP_PARAM_LAB(name, def, lo, hi, unit, source, meaning) lo, hi
#include <xtcp/params.h>
};

static int port_limits[2] = { 1, 65535 };

/**
 * xtcp_params_defaults - what a new namespace starts with
 * @p: filled
 *
 * The values that depend on the size of the machine are computed as Linux
 * computes them: its established table has a bucket per 128 KB of memory, at
 * most 512 k; half of that many TIME-WAIT entries and orphans, a 128th of it
 * half-open requests; a socket may have a 128th of the low memory.
 */
void xtcp_params_defaults(struct xtcp_params *p)
{
	unsigned long ehash, share;

	*p = defaults;
	ehash = totalram_pages() >> (17 - PAGE_SHIFT);
	ehash = roundup_pow_of_two(clamp(ehash, 512UL, 512UL * 1024));
	p->tcp_max_tw_buckets = ehash / 2;
	p->tcp_max_orphans = ehash / 2;
	p->tcp_max_syn_backlog = max(128UL, ehash / 128);

	/*
	 * 1/128 of the pages that are not highmem. nr_free_buffer_pages() said so when kernel TCP
	 * asked at boot, by now it leaves out what the zones keep free.
	 */
	share = (totalram_pages() - totalhigh_pages()) << (PAGE_SHIFT - 7);
	p->tcp_wmem[2] = max(64 * 1024UL, min(4UL * 1024 * 1024, share));
	p->tcp_rmem[2] = max(131072UL, min(6UL * 1024 * 1024, share));
}

static int proc_cc(XTCP_CTL_CONST struct ctl_table *ctl, int write, void *buffer,
		   size_t *lenp, loff_t *ppos)
{
	struct xtcp_net *xn = ctl->extra1;
	char name[XTCP_CC_NAME_MAX];
	struct ctl_table tbl = { .data = name, .maxlen = sizeof(name) };
	const struct xtcp_cc_ops *cc;
	int err;

	strscpy(name, READ_ONCE(xn->cc)->name, sizeof(name));
	err = proc_dostring(&tbl, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	cc = xtcp_cc_find(name);
	if (!cc)
		return -ENOENT;
	/* as on Linux, what is the default is everybody's */
	WRITE_ONCE(xn->cc_allowed, READ_ONCE(xn->cc_allowed) | BIT(cc->id));
	WRITE_ONCE(xn->cc, cc);
	return 0;
}

static int proc_available_cc(XTCP_CTL_CONST struct ctl_table *ctl, int write, void *buffer,
			     size_t *lenp, loff_t *ppos)
{
	struct ctl_table tbl = {
		.data	= (char *)xtcp_cc_names,
		.maxlen	= strlen(xtcp_cc_names) + 1,
	};

	if (write)
		return -EPERM;
	return proc_dostring(&tbl, write, buffer, lenp, ppos);
}

/* What sockets without CAP_NET_ADMIN may choose: all names are good or nothing changes. */
static int proc_allowed_cc(XTCP_CTL_CONST struct ctl_table *ctl, int write, void *buffer,
			   size_t *lenp, loff_t *ppos)
{
	struct xtcp_net *xn = ctl->extra1;
	u32 allowed = READ_ONCE(xn->cc_allowed);
	char names[XTCP_CC_NAMES_MAX] = "", *at = names, *name;
	struct ctl_table tbl = { .data = names, .maxlen = sizeof(names) };
	const struct xtcp_cc_ops *cc;
	unsigned int i;
	int err;

	for (i = 0; i < XTCP_NR_CC; i++) {
		if (!(allowed & BIT(i)))
			continue;
		if (*names)
			strlcat(names, " ", sizeof(names));
		strlcat(names, xtcp_cc_nth(i)->name, sizeof(names));
	}
	err = proc_dostring(&tbl, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	allowed = 0;
	while ((name = strsep(&at, " \t"))) {
		if (!*name)
			continue;
		cc = xtcp_cc_find(name);
		if (!cc)
			return -ENOENT;
		allowed |= BIT(cc->id);
	}
	WRITE_ONCE(xn->cc_allowed, allowed);
	return 0;
}

static int proc_port_range(XTCP_CTL_CONST struct ctl_table *ctl, int write, void *buffer,
			   size_t *lenp, loff_t *ppos)
{
	struct xtcp_net *xn = ctl->extra1;
	int range[2];
	struct ctl_table tbl = {
		.data	= range,
		.maxlen	= sizeof(range),
		.extra1	= &port_limits[0],
		.extra2	= &port_limits[1],
	};
	int err;

	/* process context is the only one that writes, and none reads in softirq */
	read_seqlock_excl(&xn->range_lock);
	memcpy(range, xn->port_range, sizeof(range));
	read_sequnlock_excl(&xn->range_lock);
	err = proc_dointvec_minmax(&tbl, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	if (range[0] > range[1])
		return -EINVAL;
	write_seqlock(&xn->range_lock);
	memcpy(xn->port_range, range, sizeof(range));
	write_sequnlock(&xn->range_lock);
	return 0;
}

static int proc_mem(XTCP_CTL_CONST struct ctl_table *ctl, int write, void *buffer,
		    size_t *lenp, loff_t *ppos)
{
	unsigned long mem[3], lo = 1, hi = LONG_MAX;
	struct ctl_table tbl = {
		.data	= mem,
		.maxlen	= sizeof(mem),
		.extra1	= &lo,
		.extra2	= &hi,
	};
	int i, err;

	for (i = 0; i < 3; i++)
		mem[i] = READ_ONCE(xtcp_mem[i]);
	err = proc_doulongvec_minmax(&tbl, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	for (i = 0; i < 3; i++)
		WRITE_ONCE(xtcp_mem[i], mem[i]);
	return 0;
}

/* lab_timescale; the first namespace's clock is the real one */
static int proc_timescale(XTCP_CTL_CONST struct ctl_table *ctl, int write, void *buffer,
			  size_t *lenp, loff_t *ppos)
{
	struct xtcp_net *xn = ctl->extra1;
	int scale = READ_ONCE(xn->clock_scale);
	struct ctl_table tbl = {
		.data	= &scale,
		.maxlen	= sizeof(scale),
		.extra1	= &lab_limits[0],
		.extra2	= &lab_limits[1],
	};
	int err;

	err = proc_dointvec_minmax(&tbl, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	if (net_eq(xn->net, &init_net))
		return scale == 1 ? 0 : -EPERM;
	return xtcp_clock_set(xn, scale);
}

/* Triples are all in range or not written at all. */
static int proc_ints(XTCP_CTL_CONST struct ctl_table *ctl, int write, void *buffer,
		     size_t *lenp, loff_t *ppos)
{
	int v[3], *data = ctl->data;
	unsigned int i, n = ctl->maxlen / sizeof(int);
	struct ctl_table tbl = {
		.data	= v,
		.maxlen	= ctl->maxlen,
		.extra1	= ctl->extra1,
		.extra2	= ctl->extra2,
	};
	int err;

	for (i = 0; i < n; i++)
		v[i] = READ_ONCE(data[i]);
	err = proc_dointvec_minmax(&tbl, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	for (i = 0; i < n; i++)
		WRITE_ONCE(data[i], v[i]);
	return 0;
}

/*
 * extra1/extra2 of a param are its limits, but that a knob is the upper one of
 * tcp_reordering; of the others, extra1 is the namespace. data is an offset into
 * struct xtcp_params until a namespace has its copy.
 */
static const struct ctl_table xtcp_table[] = {
#define XTCP_PARAM(name, def, lo, hi, unit, source, meaning) {		\
		.procname	= #name,				\
		.data		= (void *)offsetof(struct xtcp_params, name), \
		.maxlen		= sizeof(int),				\
		.mode		= 0644,					\
		.proc_handler	= proc_ints,				\
		.extra1		= &limits[P_##name].min,		\
		.extra2		= &limits[P_##name].max,		\
	},
#define XTCP_PARAM3(name, d0, d1, d2, lo, hi, unit, source, meaning) {	\
		.procname	= #name,				\
		.data		= (void *)offsetof(struct xtcp_params, name), \
		.maxlen		= 3 * sizeof(int),			\
		.mode		= 0644,					\
		.proc_handler	= proc_ints,				\
		.extra1		= &limits[P_##name].min,		\
		.extra2		= &limits[P_##name].max,		\
	},
#define XTCP_PARAM_LAB(name, def, lo, hi, unit, source, meaning) {	\
		.procname	= #name,				\
		.maxlen		= sizeof(int),				\
		.mode		= 0644,					\
		.proc_handler	= proc_timescale,			\
	},
#include <xtcp/params.h>
	{
		.procname	= "tcp_mem",
		.maxlen		= sizeof(xtcp_mem),
		.mode		= 0644,
		.proc_handler	= proc_mem,
	}, {
		.procname	= "tcp_congestion_control",
		.maxlen		= XTCP_CC_NAME_MAX,
		.mode		= 0644,
		.proc_handler	= proc_cc,
	}, {
		.procname	= "tcp_available_congestion_control",
		.maxlen		= XTCP_CC_NAME_MAX,
		.mode		= 0444,
		.proc_handler	= proc_available_cc,
	}, {
		.procname	= "tcp_allowed_congestion_control",
		.maxlen		= XTCP_CC_NAMES_MAX,
		.mode		= 0644,
		.proc_handler	= proc_allowed_cc,
	}, {
		.procname	= "ip_local_port_range",
		.maxlen		= 2 * sizeof(int),
		.mode		= 0644,
		.proc_handler	= proc_port_range,
	}, {
		.procname	= "tcp_syncookies_key",
		.mode		= 0200,
		.proc_handler	= xtcp_cookie_key_sysctl,
	},
};

/**
 * xtcp_sysctl_net_init - a namespace's own copy of the table
 * @xn: its values are set
 *
 * Return: 0 or -ENOMEM.
 */
int xtcp_sysctl_net_init(struct xtcp_net *xn)
{
	struct ctl_table *t;
	unsigned int i, n = ARRAY_SIZE(xtcp_table);

	/* one zeroed entry more ends the table for kernels that look for it */
	t = kcalloc(n + 1, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	memcpy(t, xtcp_table, sizeof(xtcp_table));
	for (i = 0; i < n; i++) {
		if (i < NR_PARAMS)
			t[i].data = (char *)&xn->params + (unsigned long)t[i].data;
		else
			t[i].extra1 = xn;
		if (i == P_tcp_reordering)
			t[i].extra2 = &xn->params.tcp_max_reordering;
		/* tcp_mem is the machine's: the first namespace sets it, the others see it */
		if (t[i].proc_handler == proc_mem && !net_eq(xn->net, &init_net))
			t[i].mode = 0444;
	}
	xn->ctl = register_net_sysctl_sz(xn->net, "net/xtcp", t, n);
	if (!xn->ctl) {
		kfree(t);
		return -ENOMEM;
	}
	xn->ctl_table = t;
	return 0;
}

/**
 * xtcp_sysctl_net_exit - wait for readers, take the directory away
 * @xn: namespace
 */
void xtcp_sysctl_net_exit(struct xtcp_net *xn)
{
	unregister_net_sysctl_table(xn->ctl);
	kfree(xn->ctl_table);
}

/**
 * xtcp_sysctl_init - the module-wide memory limits, as Linux computes them
 *
 * Return: 0. Module init.
 */
int xtcp_sysctl_init(void)
{
	long limit = max_t(long, nr_free_buffer_pages() / 16, 128);

	xtcp_mem[0] = limit / 4 * 3;	/* 4.68 % */
	xtcp_mem[1] = limit;		/* 6.25 % */
	xtcp_mem[2] = xtcp_mem[0] * 2;	/* 9.37 % */
	return 0;
}

/** xtcp_sysctl_exit - nothing module-wide is registered */
void xtcp_sysctl_exit(void)
{
}
