/* SPDX-License-Identifier: GPL-2.0 */
/* Sequence numbers: arithmetic modulo 2^32, RFC 9293 3.4. */
#ifndef XTCP_CORE_SEQ_H
#define XTCP_CORE_SEQ_H

#include "shim.h"

static inline bool seq_lt(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}

static inline bool seq_leq(u32 a, u32 b)
{
	return (s32)(a - b) <= 0;
}

static inline bool seq_gt(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}

static inline bool seq_geq(u32 a, u32 b)
{
	return (s32)(a - b) >= 0;
}

/* lo <= s <= hi, going round from lo */
static inline bool seq_between(u32 s, u32 lo, u32 hi)
{
	return hi - lo >= s - lo;
}

static inline u32 seq_max(u32 a, u32 b)
{
	return seq_gt(a, b) ? a : b;
}

static inline u32 seq_min(u32 a, u32 b)
{
	return seq_lt(a, b) ? a : b;
}

#endif /* XTCP_CORE_SEQ_H */
