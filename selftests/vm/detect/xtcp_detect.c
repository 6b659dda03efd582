// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on purpose, one per word written to the parameter "fault": does the
 * kernel that runs the tests see them? Never part of xtcp.ko.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

/* What the compiler must not see through. */
static int hide_int(int v)
{
	OPTIMIZER_HIDE_VAR(v);
	return v;
}

static int fault_use_after_free(void)
{
	char *p = kmalloc(64, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	return READ_ONCE(p[8]) ? 0 : 0;
}

static int fault_out_of_bounds(void)
{
	char *p = kmalloc(60, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	WRITE_ONCE(p[hide_int(60)], 1);
	kfree(p);
	return 0;
}

static int fault_shift(void)
{
	int v = hide_int(1) << hide_int(40);

	OPTIMIZER_HIDE_VAR(v);
	return 0;
}

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static int fault_lock_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static DEFINE_SPINLOCK(spin);

static int fault_sleep(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
	return 0;
}

static int fault_rcu(void)
{
	static int __rcu *pointer;

	return rcu_dereference(pointer) ? 0 : 0;
}

struct timed {
	struct timer_list timer;
};

static void timed_out(struct timer_list *t)
{
}

static int fault_timer(void)
{
	struct timed *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	timer_setup(&p->timer, timed_out, 0);
	mod_timer(&p->timer, jiffies + 3600 * HZ);
	kfree(p);	/* debugobjects says it, and stops the timer */
	return 0;
}

static int fault_list(void)
{
	static LIST_HEAD(head);
	static LIST_HEAD(one);
	static LIST_HEAD(two);

	list_add(&one, &head);
	one.prev = &two;
	list_del(&one);
	INIT_LIST_HEAD(&head);
	return 0;
}

static int fault_refcount(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
	return 0;
}

static int fault_leak(void)
{
	int i;

	/* several: an address may stay behind in a register or on a stack */
	for (i = 0; i < 8; i++)
		if (!kmalloc(1000, GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

/* Not one: the allocation itself, which the job makes fail. */
static int fault_slab(void)
{
	void *p = kmalloc(64, GFP_KERNEL);

	kfree(p);
	return p ? 0 : -ENOMEM;
}

static int fault_page(void)
{
	unsigned long p = __get_free_page(GFP_KERNEL);

	free_page(p);
	return p ? 0 : -ENOMEM;
}

static unsigned long racy;

static int racer(void *unused)
{
	while (!kthread_should_stop()) {
		racy++;
		cond_resched();
	}
	return 0;
}

static int fault_race(void)
{
	struct task_struct *a, *b;

	a = kthread_run(racer, NULL, "racer/a");
	b = kthread_run(racer, NULL, "racer/b");
	msleep(3000);
	if (!IS_ERR(a))
		kthread_stop(a);
	if (!IS_ERR(b))
		kthread_stop(b);
	return IS_ERR(a) ? PTR_ERR(a) : PTR_ERR_OR_ZERO(b);
}

static const struct {
	const char *name;
	int (*commit)(void);
} faults[] = {
	{ "use-after-free", fault_use_after_free },
	{ "out-of-bounds", fault_out_of_bounds },
	{ "shift", fault_shift },
	{ "lock-order", fault_lock_order },
	{ "sleep", fault_sleep },
	{ "rcu", fault_rcu },
	{ "timer", fault_timer },
	{ "list", fault_list },
	{ "refcount", fault_refcount },
	{ "leak", fault_leak },
	{ "slab", fault_slab },
	{ "page", fault_page },
	{ "race", fault_race },
};

static int fault_set(const char *val, const struct kernel_param *kp)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (sysfs_streq(val, faults[i].name))
			return faults[i].commit();
	return -EINVAL;
}

static const struct kernel_param_ops fault_ops = { .set = fault_set };

module_param_cb(fault, &fault_ops, NULL, 0200);
MODULE_PARM_DESC(fault, "which fault to commit");

MODULE_DESCRIPTION("faults on purpose, for the detectors of a debug kernel");
MODULE_LICENSE("GPL");
