/* SPDX-License-Identifier: GPL-2.0 */
/*
 * SYN cookies (RFC 4987 3.6): the half-open connection travels in the SYN-ACK
 * and comes back with the third segment, so that the listener keeps nothing.
 *
 *  ISS   31      29 28     26 25                                              0
 *       +----------+---------+-------------------------------------------------+
 *       |   tick   |   MSS   |                 keyed hash                      |
 *       +----------+---------+-------------------------------------------------+
 *  TSval 31                                          6    5      4    3        0
 *       +---------------------------------------------+-----+------+-----------+
 *       |              timestamp clock                | ECN | SACK |  wscale   |
 *       +---------------------------------------------+-----+------+-----------+
 *
 * tick counts 64 s of the wall clock, so that hosts with the same keys agree.
 * The hash covers addresses, ports, the client's ISN, the whole tick, the MSS,
 * the option bits of TSval and our own window scale: neither a cookie nor what
 * it says about options can be made up, and one whose window scale we would not
 * announce today is refused, not misread. A guess is right once in 2^26 (2^25
 * with two keys), and is worth one connection from an address that the guesser
 * has to be able to send from.
 *
 * Without timestamps there is room for the MSS only (SEEDS 4-60).
 */
#ifndef XTCP_CORE_COOKIE_H
#define XTCP_CORE_COOKIE_H

#include "tcb.h"

#define XTCP_COOKIE_TICK_S	64
/* A cookie lives in its own tick and the next one: 64 to 128 s. */
#define XTCP_COOKIE_TICKS	2

#define XTCP_COOKIE_TS_BITS	6

/* The current key makes and checks, the previous one only checks. */
struct xtcp_cookie_keys {
	siphash_key_t key[2];
	u8 n;			/* 1: no previous key */
};

/* Whose cookie: addresses of 4 or 16 bytes, ports in host order. */
struct xtcp_cookie_id {
	const void *laddr, *faddr;
	u8 alen;
	u16 lport, fport;
};

/* What a cookie said about the client's SYN. */
struct xtcp_cookie_syn {
	u16 mss;
	u8 wscale;
	u8 has_ts:1, has_wscale:1, sack_ok:1, ecn_ok:1;
};

enum xtcp_cookie_act {
	XTCP_COOKIE_BAD,	/* not ours */
	XTCP_COOKIE_OLD,	/* ours, of at most 6 ticks ago, expired */
	XTCP_COOKIE_OK,
};

static inline u32 xtcp_cookie_tick(u64 real_s)
{
	return (u32)div_u64(real_s, XTCP_COOKIE_TICK_S);
}

void xtcp_cookie_make(const struct xtcp_cookie_keys *k, const struct xtcp_cookie_id *id,
		      struct xtcp_rq *rq, u64 real_s);
u32 xtcp_cookie_tsval(const struct xtcp_rq *rq, u32 tsval);
enum xtcp_cookie_act xtcp_cookie_check(const struct xtcp_cookie_keys *k,
				       const struct xtcp_cookie_id *id,
				       const struct xtcp_seg *g, u8 rcv_wscale, u64 real_s,
				       struct xtcp_cookie_syn *syn);
u32 xtcp_cookie_ts_off(u32 off, u32 tsecr, u64 now_us);
void xtcp_cookie_rq(struct xtcp_rq *rq, const struct xtcp_params *p, const struct xtcp_seg *g,
		    const struct xtcp_cookie_syn *syn, bool v6, u32 ts_off, u32 rcv_wnd,
		    u8 rcv_wscale, u64 now_us);
u64 xtcp_cookie_mark(const siphash_key_t *k, const struct xtcp_cookie_id *id, u32 isn);
int xtcp_cookie_keys_parse(const char *s, struct xtcp_cookie_keys *k);

#endif /* XTCP_CORE_COOKIE_H */
