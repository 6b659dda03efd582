/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every user-space test shares: a seedable random generator, default
 * knobs, names for messages, and stream contents that are a function of the
 * position, so that no test needs to remember what it sent.
 */
#ifndef XTCP_TESTLIB_H
#define XTCP_TESTLIB_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/core/tcb.h"

#ifndef __printf
#define __printf(a, b)	__attribute__((__format__(printf, a, b)))
#endif
#ifndef __noreturn
#define __noreturn	__attribute__((__noreturn__))
#endif

#define MS		1000ULL		/* in microseconds */
#define SEC		1000000ULL

/* splitmix64: every seed, 0 included, gives a good stream */
struct rnd { u64 s; };

static inline u64 rnd_u64(struct rnd *r)
{
	u64 z = (r->s += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline u32 rnd_u32(struct rnd *r)
{
	return rnd_u64(r) >> 32;
}

/* uniform in [0, n) */
static inline u32 rnd_below(struct rnd *r, u32 n)
{
	return n ? (u32)((rnd_u64(r) >> 32) * n >> 32) : 0;
}

/* uniform in [lo, hi] */
static inline u64 rnd_range(struct rnd *r, u64 lo, u64 hi)
{
	return lo + (hi > lo ? rnd_u64(r) % (hi - lo + 1) : 0);
}

/* true @n times in 1000 */
static inline bool rnd_pm(struct rnd *r, u32 n)
{
	return n && rnd_below(r, 1000) < n;
}

/* small values as often as large ones: what sizes look like in life */
static inline u32 rnd_log(struct rnd *r, u32 max)
{
	unsigned int bits = 0;

	while (bits < 31 && (1u << bits) < max)
		bits++;
	bits = rnd_below(r, bits + 1);
	return bits ? min_t(u32, rnd_below(r, 1u << bits) + 1, max) : 1;
}

#define XTCP_AUTO	4096
static inline void params_default(struct xtcp_params *p)
{
	static const struct xtcp_params defaults = {
#define XTCP_PARAM(name, def, min, max, unit, source, meaning) .name = (def),
#define XTCP_PARAM3(name, d0, d1, d2, min, max, unit, source, meaning) .name = { d0, d1, d2 },
#include "../../include/xtcp/params.h"
	};

	*p = defaults;
}

/* Called by AddressSanitizer before it reports: say which seed it was. */
void __asan_on_error(void);

/* Byte @pos of the stream @key. */
static inline u8 stream_byte(u32 key, u32 pos)
{
	u32 x = (pos + key) * 0x9e3779b1u;

	return (x ^ (x >> 15)) >> 8;
}

static inline const char *drop_name(unsigned int d)
{
	static const char *const names[] = {
		"None",
#define XTCP_DROP(NAME, Name, meaning) #Name,
#include "../../include/xtcp/drops.h"
#undef XTCP_DROP
	};

	return d < ARRAY_SIZE(names) ? names[d] : "?";
}

static inline const char *flags_name(unsigned int f, char buf[12])
{
	static const char c[] = "FSRP.UEW";
	unsigned int i, n = 0;

	for (i = 0; i < 8; i++)
		if (f & (1u << i))
			buf[n++] = c[i];
	if (!n)
		buf[n++] = '-';
	buf[n] = 0;
	return buf;
}

#endif /* XTCP_TESTLIB_H */
