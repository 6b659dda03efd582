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

#endif /* XTCP_CORE_SHIM_H */
