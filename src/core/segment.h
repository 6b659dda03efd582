/* SPDX-License-Identifier: GPL-2.0 */
/* A segment as the core sees it, and the option codec (RFC 9293 3.1, 3.2). */
#ifndef XTCP_CORE_SEGMENT_H
#define XTCP_CORE_SEGMENT_H

#include "shim.h"

enum {
	XTCP_FIN = 0x01, XTCP_SYN = 0x02, XTCP_RST = 0x04, XTCP_PSH = 0x08,
	XTCP_ACK = 0x10, XTCP_URG = 0x20, XTCP_ECE = 0x40, XTCP_CWR = 0x80,
};

#define XTCP_HDR_LEN		20	/* without options */
#define XTCP_MAX_OPT		40
#define XTCP_MAX_SACK		4
#define XTCP_MAX_WSCALE		14
#define XTCP_DEFAULT_MSS	536	/* RFC 9293 3.7.1, IPv4 */
#define XTCP_DEFAULT_MSS6	1220

struct xtcp_sack { u32 start, end; };

/* Options of one segment. Absent ones are zero; has_* say which came. */
struct xtcp_opts {
	u32 tsval, tsecr;
	u16 mss;			/* 0: no option */
	u8 wscale;			/* as sent; at most XTCP_MAX_WSCALE */
	u8 has_ts:1, has_wscale:1, sack_ok:1;
	u8 nsack;
	struct xtcp_sack sack[XTCP_MAX_SACK];
};

struct xtcp_seg {
	u32 seq, ack;
	u32 len;			/* payload bytes */
	u16 wnd;			/* as on the wire, unscaled */
	u16 urg;
	u8 flags;			/* XTCP_FIN ... XTCP_CWR */
	u8 ecn;				/* IP ECN bits: 3 is CE */
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

/**
 * xtcp_opts_parse - decode an option list (RFC 9293 3.1, 7323, 2018)
 * @p: options, @len bytes (0..40)
 * @syn: SYN options (MSS, window scale, SACK-permitted) count only in a SYN
 * @o: result, zeroed first
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
 * xtcp_hdr_parse - decode a header (RFC 9293 3.1)
 * @h: header, @hlen bytes by its data offset: 20 to 60, all readable
 * @hlen: its length
 * @g: sequence numbers, flags, window, urgent pointer and options are filled in;
 *     what the header does not say is 0: the payload's length, how many segments
 */
void xtcp_hdr_parse(const u8 *h, unsigned int hlen, struct xtcp_seg *g);

#endif /* XTCP_CORE_SEGMENT_H */
