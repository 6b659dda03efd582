/* SPDX-License-Identifier: GPL-2.0 */
/* A segment as the core sees it, and the option codec (RFC 9293 3.1, 3.2). */
#ifndef XTCP_CORE_SEGMENT_H
#define XTCP_CORE_SEGMENT_H

#include "shim.h"

enum {
	XTCP_FIN = 0x01, XTCP_SYN = 0x02, XTCP_RST = 0x04, XTCP_PSH = 0x08,
	XTCP_ACK = 0x10, XTCP_URG = 0x20, XTCP_ECE = 0x40, XTCP_CWR = 0x80,
};

/* The ECN field of an IP header (RFC 3168 5) */
enum { XTCP_ECN_NOT, XTCP_ECN_ECT1, XTCP_ECN_ECT0, XTCP_ECN_CE };

#define XTCP_HDR_LEN		20	/* without options */
#define XTCP_MAX_OPT		40
#define XTCP_TS_LEN	12	/* RFC 7323 3.2, padded */
#define XTCP_MAX_SACK		4
#define XTCP_MAX_WSCALE		14
#define XTCP_DEFAULT_MSS	536	/* RFC 9293 3.7.1, IPv4 */
#define XTCP_DEFAULT_MSS6	1220

#define XTCP_TS_LEN	12	/* timestamps, aligned (RFC 7323 appendix A) */

struct xtcp_sack { u32 start, end; };

/* Options of one segment. Absent ones are zero; has_* say which came, nsack how many blocks. */
struct xtcp_opts {
	u32 tsval, tsecr;
	u16 mss;			/* 0: no option */
	u8 wscale;			/* as sent; at most XTCP_MAX_WSCALE */
	u8 has_ts:1, has_wscale:1, sack_ok:1;
	u8 nsack;
	struct xtcp_sack sack[XTCP_MAX_SACK];	/* last; beyond nsack not even zeroed */
};

struct xtcp_seg {
	u32 seq, ack;
	u32 len;			/* payload bytes */
	u16 wnd;			/* as on the wire, unscaled */
	u16 urg;
	u8 flags;			/* XTCP_FIN ... XTCP_CWR */
	u8 ecn;				/* IP ECN bits, XTCP_ECN_* */
	u8 res;				/* the header's reserved bits; AccECN's AE is one */
	u8 no_mem;			/* caller cannot store payload: treat as no buffer */
	u16 segs;			/* wire segments in this one (GRO), at least 1 */
	u16 mss;			/* payload of one wire segment, for the ACK rule */
	struct xtcp_opts opt;
};

/* SEG.SEQ + SEG.LEN, SYN and FIN counted */
static inline u32 xtcp_seg_end(const struct xtcp_seg *g)
{
	return g->seq + g->len + !!(g->flags & XTCP_SYN) + !!(g->flags & XTCP_FIN);
}

/* Network byte order at @p; returns what follows. */
static inline u8 *xtcp_put32(u8 *p, u32 x)
{
	p[0] = x >> 24;
	p[1] = x >> 16 & 0xff;
	p[2] = x >> 8 & 0xff;
	p[3] = x & 0xff;
	return p + 4;
}

/**
 * xtcp_opts_parse - decode an option list (RFC 9293 3.1, 7323, 2018)
 * @p: options, @len bytes (0..40)
 * @syn: SYN options (MSS, window scale, SACK-permitted) count only in a SYN
 * @o: result, zeroed first but for sack
 *
 * Unknown options are skipped. A length below 2 or past the end stops the
 * walk; what came before it stands. An option of a known kind with a wrong
 * length is ignored, as Linux does.
 *
 * Return: 0, or -1 if the walk met an impossible length.
 */
int xtcp_opts_parse(const u8 *p, unsigned int len, bool syn, struct xtcp_opts *o);

/**
 * xtcp_opts_build - encode for the wire, padded with NOPs to 4 bytes
 * @o: what to send; mss 0 and absent has_* are left out. SACK blocks are cut to
 *     what fits in 40 bytes.
 * @out: 40 bytes
 *
 * Return: number of bytes, a multiple of 4.
 */
unsigned int xtcp_opts_build(const struct xtcp_opts *o, u8 out[XTCP_MAX_OPT]);

/**
 * xtcp_opts_build_ts - the options of most segments: a timestamp and nothing else
 * @tsval: our clock
 * @tsecr: the peer's
 * @out: at least 12 bytes
 *
 * Return: number of bytes, as xtcp_opts_build() would have written them.
 */
unsigned int xtcp_opts_build_ts(u32 tsval, u32 tsecr, u8 *out);

/**
 * xtcp_hdr_parse - decode a header (RFC 9293 3.1)
 * @h: header, @hlen bytes by its data offset: 20 to 60, all readable
 * @hlen: its length
 * @g: sequence numbers, flags, window, urgent pointer and options are filled in;
 *     what the header does not say is 0: the payload's length, how many segments
 */
void xtcp_hdr_parse(const u8 *h, unsigned int hlen, struct xtcp_seg *g);

#endif /* XTCP_CORE_SEGMENT_H */
