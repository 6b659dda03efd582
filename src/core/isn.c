// SPDX-License-Identifier: GPL-2.0
/* Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 7.1). */
#include "internal.h"

/**
 * xtcp_tuple_hash - SipHash of a pair of addresses and a number
 * @k: secret
 * @laddr: our address, @alen bytes
 * @raddr: the peer's
 * @alen: 4 or 16
 * @x: goes into it as well
 *
 * Two words are the least a pair of IPv4 addresses and the rest take, and a third of
 * what hashing room for IPv6 costs. The families' hashes differ in length: none is the
 * other's.
 *
 * Return: 64 bits.
 */
u64 xtcp_tuple_hash(const siphash_key_t *k, const void *laddr, const void *raddr,
		    unsigned int alen, u64 x)
{
	u32 v4[2];
	u64 in[5];

	if (alen == sizeof(v4[0])) {
		memcpy(&v4[0], laddr, sizeof(v4[0]));
		memcpy(&v4[1], raddr, sizeof(v4[1]));
		return siphash_2u64((u64)v4[0] << 32 | v4[1], x, k);
	}
	memcpy(&in[0], laddr, 16);
	memcpy(&in[2], raddr, 16);
	in[4] = x;
	return siphash(in, sizeof(in), k);
}

/**
 * xtcp_isn - an initial sequence number
 * @k: secret keys
 * @laddr: our address, @alen bytes
 * @raddr: the peer's
 * @alen: 4 or 16
 * @lport: our port, network order
 * @rport: the peer's
 * @now_ns: a clock that does not go back
 *
 * M + F(4-tuple, secret), RFC 6528 3; M ticks every 64 ns (SEEDS D-12), so a
 * 4-tuple reused within 274 s gets higher numbers.
 *
 * Return: ISN.
 */
u32 xtcp_isn(const struct xtcp_key *k, const void *laddr, const void *raddr,
	     unsigned int alen, u16 lport, u16 rport, u64 now_ns)
{
	u64 hash = xtcp_tuple_hash(&k->isn, laddr, raddr, alen, (u32)lport << 16 | rport);

	return (u32)hash + (u32)(now_ns >> 6);
}

/**
 * xtcp_ts_off - offset of our timestamp clock towards one peer
 * @k: secret keys
 * @laddr: our address, @alen bytes
 * @raddr: the peer's
 * @alen: 4 or 16
 *
 * Per address pair, not per port: timestamps of successive connections between
 * two hosts must not go back, or TIME-WAIT reuse would be refused.
 *
 * Return: milliseconds to add.
 */
u32 xtcp_ts_off(const struct xtcp_key *k, const void *laddr, const void *raddr,
		unsigned int alen)
{
	return (u32)xtcp_tuple_hash(&k->ts, laddr, raddr, alen, 0);
}
