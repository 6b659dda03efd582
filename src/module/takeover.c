// SPDX-License-Identifier: GPL-2.0
/*
 * Taking TCP's place in the IP layers' tables of protocols, and giving it back.
 *
 * One compare-and-exchange per IP version puts our copy of the entry, with our
 * handlers, in the place of the one that was there; the latter is where
 * everything that is not ours goes on to. Nothing else of IP knows, and the
 * exchange back is as atomic, followed by a grace period. If it fails, somebody
 * else has stacked on us and holds our entry: then the module stays.
 *
 * Users are socks made by programs, and accepted ones that listen. The hook also
 * stays while any flow is hashed (children in the accept queue, orphans,
 * TIME-WAIT), which the worker looks at every takeover_linger_ms after the last
 * user has gone.
 */
#include "xtcp_mod.h"

#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <net/protocol.h>

#include "demux.h"

static unsigned int takeover_linger_ms = 10000;
module_param(takeover_linger_ms, uint, 0644);
MODULE_PARM_DESC(takeover_linger_ms,
		 "How long TCP's receive path stays ours after the last socket, in ms (default 10000)");

/** xtcp_linger - takeover_linger_ms, in jiffies. Any context. Return: at least 1 */
unsigned long xtcp_linger(void)
{
	return max(msecs_to_jiffies(READ_ONCE(takeover_linger_ms)), 1UL);
}

static DEFINE_MUTEX(takeover_lock);	/* hook and unhook */
static atomic_t users = ATOMIC_INIT(0);
static bool hooked;			/* takeover_lock to write */
static bool pinned;			/* takeover_lock */

/*
 * Ours, and what was there before: constant while somebody may use them. in4,
 * in6: our entry is in the table, or in the hands of who stacked on us; such a
 * one must never become our "before", so it is not hooked twice.
 */
static bool in4, in6;			/* takeover_lock */
static struct net_protocol ours4;
static const struct net_protocol *saved4;
#if IS_ENABLED(CONFIG_IPV6)
static struct inet6_protocol ours6;
static const struct inet6_protocol *saved6;
#endif

static void unhook_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(unhook, unhook_work);

static struct net_protocol **slot4(void)
{
	return (struct net_protocol __force **)&inet_protos[IPPROTO_TCP];
}

#if IS_ENABLED(CONFIG_IPV6)
static struct inet6_protocol **slot6(void)
{
	return (struct inet6_protocol __force **)&inet6_protos[IPPROTO_TCP];
}

static int hook6(void)
{
	struct inet6_protocol *old = READ_ONCE(*slot6());

	if (!old || in6)
		return 0;	/* IPv6 is off, or we are there already */
	ours6 = *old;
	ours6.handler = xtcp_rcv6;
	ours6.err_handler = xtcp_err6;
	WRITE_ONCE(saved6, old);
	if (cmpxchg(slot6(), old, &ours6) != old)
		return -EAGAIN;
	in6 = true;
	return 0;
}

static bool unhook6(void)
{
	if (in6 && cmpxchg(slot6(), &ours6, (struct inet6_protocol *)saved6) == &ours6)
		in6 = false;
	return !in6;
}

static bool stacked6(void)
{
	return in6 && READ_ONCE(*slot6()) != &ours6;
}
#else
static int hook6(void) { return 0; }
static bool unhook6(void) { return true; }
static bool stacked6(void) { return false; }
#endif

static int hook4(void)
{
	struct net_protocol *old = READ_ONCE(*slot4());

	if (!old)
		return -EPROTONOSUPPORT;
	if (in4)
		return 0;
	ours4 = *old;
	ours4.handler = xtcp_rcv4;
	ours4.err_handler = xtcp_err4;
	WRITE_ONCE(saved4, old);
	if (cmpxchg(slot4(), old, &ours4) != old)
		return -EAGAIN;
	in4 = true;
	return 0;
}

static bool unhook4(void)
{
	if (in4 && cmpxchg(slot4(), &ours4, (struct net_protocol *)saved4) == &ours4)
		in4 = false;
	return !in4;
}

static bool stacked4(void)
{
	return in4 && READ_ONCE(*slot4()) != &ours4;
}

/* Both versions, or neither. takeover_lock. */
static int takeover_hook(void)
{
	int err;

	lockdep_assert_held(&takeover_lock);
	err = hook4();
	if (err)
		return err;
	xtcp_race_point(TAKEOVER_IN);
	err = hook6();
	if (err) {
		unhook4();
		synchronize_net();
		return err;
	}
	WRITE_ONCE(hooked, true);
	return 0;
}

/* Somebody has put himself before us: he will call us for ever. takeover_lock. */
static void takeover_pin(void)
{
	if (pinned)
		return;
	pinned = true;
	__module_get(THIS_MODULE);
	pr_warn("another module has taken TCP's receive path after us: staying loaded\n");
}

/* True if the receive path is as it was before us. takeover_lock. */
static bool takeover_unhook(void)
{
	bool out;

	lockdep_assert_held(&takeover_lock);
	out = unhook4();
	out = unhook6() && out;
	if (!out)
		return false;
	WRITE_ONCE(hooked, false);
	xtcp_race_point(TAKEOVER_OUT);
	synchronize_net();
	return true;
}

/*
 * Nobody uses us? Then whoever comes from now on finds us unhooked and waits for
 * takeover_lock; whoever came before that is seen here, and nothing has been
 * undone yet: to him the receive path was ours all the time. takeover_lock.
 */
static bool takeover_unused(void)
{
	lockdep_assert_held(&takeover_lock);
	WRITE_ONCE(hooked, false);
	smp_mb();	/* hooked before users and flows, see xtcp_takeover_get(), _ensure() */
	if (!atomic_read(&users) && xtcp_flow_total() <= 0)
		return true;
	WRITE_ONCE(hooked, true);
	return false;
}

static void unhook_work(struct work_struct *work)
{
	mutex_lock(&takeover_lock);
	if (!hooked || pinned)
		goto out;
	if (stacked4() || stacked6()) {
		takeover_pin();
		goto out;
	}
	if (atomic_read(&users))
		goto out;	/* the last of them calls again */
	xtcp_race_point(TAKEOVER_LEAVE);
	if (!takeover_unused()) {
		queue_delayed_work(system_unbound_wq, &unhook, xtcp_linger());
		goto out;
	}
	if (!takeover_unhook()) {
		takeover_hook();
		takeover_pin();
	}
out:
	mutex_unlock(&takeover_lock);
}

/**
 * xtcp_takeover_get - a sock of a program's appears
 *
 * Return: 0, or -errno if TCP's receive path could not be taken. Process context.
 */
int xtcp_takeover_get(void)
{
	int err = 0;

	atomic_inc(&users);
	xtcp_race_point(TAKEOVER_GET);
	smp_mb__after_atomic();		/* users before hooked, see takeover_unused() */
	if (likely(READ_ONCE(hooked)))
		return 0;
	mutex_lock(&takeover_lock);
	if (!hooked)
		err = takeover_hook();
	mutex_unlock(&takeover_lock);
	if (err)
		atomic_dec(&users);
	return err;
}

/** xtcp_takeover_put - it is gone. Any context. */
void xtcp_takeover_put(void)
{
	if (atomic_dec_and_test(&users))
		mod_delayed_work(system_unbound_wq, &unhook, xtcp_linger());
}

/**
 * xtcp_takeover_ensure - hooked, now that a flow is hashed
 *
 * For a sock that is no user (an accepted child that connects anew). Process
 * context; costs one load otherwise.
 */
void xtcp_takeover_ensure(void)
{
	smp_mb();	/* the flow before hooked, see takeover_unused() */
	if (likely(READ_ONCE(hooked)))
		return;
	mutex_lock(&takeover_lock);
	if (!hooked)
		takeover_hook();
	mutex_unlock(&takeover_lock);
	mod_delayed_work(system_unbound_wq, &unhook, xtcp_linger());
}

/**
 * xtcp_pass4 - on to the handler that was there before us
 * @skb: consumed
 *
 * Return: its return value. Softirq, RCU.
 */
int xtcp_pass4(struct sk_buff *skb)
{
	return READ_ONCE(saved4)->handler(skb);
}

/**
 * xtcp_pass_err4 - an ICMP error that is not ours
 * @skb: as err_handler has it
 * @info: as err_handler has it
 *
 * Return: the kernel handler's return value. Softirq, RCU.
 */
int xtcp_pass_err4(struct sk_buff *skb, u32 info)
{
	return READ_ONCE(saved4)->err_handler(skb, info);
}

/**
 * xtcp_pass6 - on to the handler that was there before us
 * @skb: consumed
 *
 * Return: its return value. Softirq, RCU.
 */
int xtcp_pass6(struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_IPV6)
	return READ_ONCE(saved6)->handler(skb);
#else
	kfree_skb(skb);
	return 0;
#endif
}

/**
 * xtcp_pass_err6 - an ICMPv6 error that is not ours
 * @skb: as err_handler has it
 * @opt: as err_handler has it
 * @type: as err_handler has it
 * @code: as err_handler has it
 * @offset: as err_handler has it
 * @info: as err_handler has it
 *
 * Return: the kernel handler's return value. Softirq, RCU.
 */
int xtcp_pass_err6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code,
		   int offset, __be32 info)
{
#if IS_ENABLED(CONFIG_IPV6)
	return READ_ONCE(saved6)->err_handler(skb, opt, type, code, offset, info);
#else
	return -ENOENT;
#endif
}

/** xtcp_takeover_init - nothing is taken before the first sock. Return: 0 */
int xtcp_takeover_init(void)
{
	return 0;
}

/**
 * xtcp_takeover_exit - give the receive path back, wait for who is in it
 *
 * Module exit: no sock is left. If somebody stacked on us since the last look,
 * leaving would crash the machine, so this waits until he has gone.
 *
 * Return: 0.
 */
int xtcp_takeover_exit(void)
{
	cancel_delayed_work_sync(&unhook);
	mutex_lock(&takeover_lock);
	while (hooked && !takeover_unhook()) {
		pr_warn_ratelimited("another module stands on TCP's receive path: unload it first\n");
		msleep(200);
	}
	mutex_unlock(&takeover_lock);
	return 0;
}
