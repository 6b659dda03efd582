/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the core takes from its surroundings, in both worlds: fixed-width
 * types, min/max, byte order, list.h's intrusive list and SipHash. Nothing
 * else of the kernel may be included below src/core.
 */
#ifndef XTCP_CORE_SHIM_H
#define XTCP_CORE_SHIM_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/siphash.h>
#include <linux/string.h>
#else
#include "user_shim.h"
#endif

/*
 * A local variable that is filled before it is read, as far as it counts. The kernel has the
 * compiler zero what it cannot see to be (CONFIG_INIT_STACK_ALL_ZERO), and for something large
 * on the path of every segment that is more work than most of what is done there.
 */
#if __has_attribute(uninitialized)
#define xtcp_unset	__attribute__((uninitialized))
#else
#define xtcp_unset
#endif

/*
 * A function on the path of every segment, with several callers: where all is compiled as one
 * unit (Kbuild) none of them pays for a call. It stands by itself, too, for other files.
 */
#ifdef __KERNEL__
#define xtcp_hot	__always_inline
#else
#define xtcp_hot
#endif

#endif /* XTCP_CORE_SHIM_H */
