// SPDX-License-Identifier: GPL-2.0
/* Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 7.1). */
#include "internal.h"

struct isn_input {
	u8 laddr[16], raddr[16];
	u16 lport, rport;
	u32 alen;
};

static u64 isn_hash(const siphash_key_t *k, const void *laddr, const void *raddr,
		    unsigned int alen, u16 lport, u16 rport)
{
	struct isn_input in;

	memset(&in, 0, sizeof(in));
	memcpy(in.laddr, laddr, min_t(unsigned int, alen, 16));
	memcpy(in.raddr, raddr, min_t(unsigned int, alen, 16));
	in.lport = lport;
	in.rport = rport;
	in.alen = alen;
	return siphash(&in, sizeof(in), k);
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
	return (u32)isn_hash(&k->isn, laddr, raddr, alen, lport, rport) + (u32)(now_ns >> 6);
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
	return (u32)isn_hash(&k->ts, laddr, raddr, alen, 0, 0);
}
