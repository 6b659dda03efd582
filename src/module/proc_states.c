// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/net/xtcp_states: how many connections, half-open requests and TIME-WAIT
 * entries of a namespace are in each state now, and how many have entered and
 * left it since the namespace was made. O(CPUs), whatever their number.
 *
 * Whoever changes a state counts "left" and then "entered", each on its own CPU,
 * without a lock. A reader that sums up "left" first and "entered" afterwards
 * sees for every exit it counts the entry that came before it (which happened
 * before it under the same lock), so "now" is never negative; at rest it is
 * exact.
 */
#include "xtcp_mod.h"

#include <linux/proc_fs.h>
#include <linux/seq_file.h>

struct state_sums {
	unsigned long entered[XTCP_NR_STATES], left[XTCP_NR_STATES];
};

static void sum_states(const struct xtcp_net *xn, struct state_sums *s)
{
	unsigned int i;
	int cpu;

	memset(s, 0, sizeof(*s));
	for_each_possible_cpu(cpu)
		for (i = 0; i < XTCP_NR_STATES; i++)
			s->left[i] += READ_ONCE(per_cpu_ptr(xn->pcpu, cpu)->left[i]);
	/* pairs with the locks between two changes of one object's state */
	smp_rmb();
	for_each_possible_cpu(cpu)
		for (i = 0; i < XTCP_NR_STATES; i++)
			s->entered[i] += READ_ONCE(per_cpu_ptr(xn->pcpu, cpu)->entered[i]);
}

/*
 * In CLOSE is every sock that is in no other state: nobody enters it who is
 * born there. All others than socks (requests, TIME-WAIT entries) just end.
 */
static unsigned long closed_now(const struct xtcp_net *xn, const struct state_sums *s)
{
	long n = atomic_read(&xn->socks) + (long)atomic_read(&xn->req_count) +
		 atomic_read(&xn->tw_count);
	unsigned int i;

	for (i = 1; i < XTCP_NR_STATES; i++) {
		if (i != XTCP_CLOSE)
			n -= s->entered[i] - s->left[i];
	}
	return max(n, 0L);
}

/**
 * xtcp_state_now - how many are in a state
 * @xn: namespace
 * @state: enum xtcp_state
 *
 * Return: connections, requests and TIME-WAIT entries in it; exact at rest.
 */
unsigned long xtcp_state_now(const struct xtcp_net *xn, u8 state)
{
	struct state_sums s;

	sum_states(xn, &s);
	return state == XTCP_CLOSE ? closed_now(xn, &s) : s.entered[state] - s.left[state];
}

static int states_show(struct seq_file *seq, void *v)
{
	const struct xtcp_net *xn = xtcp_net(seq->private);
	struct state_sums s;
	unsigned int i;

	sum_states(xn, &s);
	seq_puts(seq, "state              now      entered         left\n");
	for (i = 1; i < XTCP_NR_STATES; i++) {
		seq_printf(seq, "%-11s %10lu %12lu %12lu\n", xtcp_state_name(i),
			   i == XTCP_CLOSE ? closed_now(xn, &s) : s.entered[i] - s.left[i],
			   s.entered[i], s.left[i]);
	}
	return 0;
}

/**
 * xtcp_proc_states_init - make a namespace's xtcp_states
 * @net: namespace
 *
 * xtcp_proc_net_exit() takes it away.
 *
 * Return: 0 or -ENOMEM.
 */
int xtcp_proc_states_init(struct net *net)
{
	return proc_create_net_single("xtcp_states", 0444, net->proc_net, states_show, NULL) ?
	       0 : -ENOMEM;
}
