/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the core decided. Every entry point zeroes it and fills it; the caller
 * executes it. Nothing here needs a second question to the core.
 *
 * Order of execution: ERROR (so that who sees the end sees its reason) -> edges
 * (count, trace, publish the state) -> ACKED (free the send buffer) -> payload
 * (DELIVER/OOO/none) -> URG -> reply ->
 * wake-ups -> OUTPUT loop -> TIMEWAIT, CLOSED or FINWAIT2 -> re-arm the timer.
 *
 * mib[] holds protocol events only. What depends on execution is the caller's
 * to count: segments, retransmissions and RSTs sent, challenge ACKs that passed
 * the namespace's limit, TIME-WAIT entries, requests killed.
 */
#ifndef XTCP_CORE_VERDICT_H
#define XTCP_CORE_VERDICT_H

#include "shim.h"
#include "segment.h"

enum xtcp_state {
#define XTCP_STATE(name, nr, ss) XTCP_##name = nr,
#include "../../include/xtcp/states.h"
#undef XTCP_STATE
	XTCP_NR_STATES = 12
};

enum xtcp_drop {
	XTCP_DROP_NONE,
#define XTCP_DROP(NAME, Name, meaning) XTCP_DROP_##NAME,
#include "../../include/xtcp/drops.h"
#undef XTCP_DROP
	XTCP_NR_DROPS
};

enum xtcp_mib {
#define XTCP_MIB(NAME, Name) XTCP_MIB_##NAME,
#include "../../include/xtcp/mib.h"
#undef XTCP_MIB
	XTCP_NR_MIB
};

enum {
	/*
	 * append payload[data_off, +data_len), then all out-of-order bytes below the new
	 * rcv_nxt
	 */
	XTCP_V_DELIVER	 = 1 << 0,
	/*
	 * keep payload[data_off, +data_len) at its place; bytes already held win over new ones
	 */
	XTCP_V_OOO	 = 1 << 1,
	XTCP_V_ACKED	 = 1 << 2,  /* snd_una moved: free send data below snd_una */
	XTCP_V_FIN	 = 1 << 3,  /* peer's FIN is in sequence now: EOF */
	XTCP_V_URG	 = 1 << 4,  /* new urgent pointer in urg_seq */
	XTCP_V_ERROR	 = 1 << 5,  /* report err (positive errno) to the user */
	XTCP_V_REPLY	 = 1 << 6,  /* send reply now (RST or challenge ACK) */
	XTCP_V_CHALLENGE = 1 << 7,  /* reply is a challenge ACK: namespace limit applies */
	XTCP_V_CONNECTED = 1 << 8,  /* handshake done (both kinds of open) */
	XTCP_V_WAKE_RD	 = 1 << 9,
	XTCP_V_WAKE_WR	 = 1 << 10, /* send space or state of sending changed */
	XTCP_V_OUTPUT	 = 1 << 11, /* run the output loop */
	XTCP_V_TIMEWAIT	 = 1 << 12, /* hand over to a TIME-WAIT entry (xtcp_tw_init) */
	XTCP_V_CLOSED	 = 1 << 13, /* connection over: unhash, free when user is gone */
	XTCP_V_RCVBUF	 = 1 << 14, /* autotuning asks for a window of rcv_want bytes */
	XTCP_V_SNDBUF	 = 1 << 15, /* autotuning: cwnd grew, room for more send data */
	XTCP_V_CONFIRM	 = 1 << 16, /* forward progress: dst_confirm / neighbour alive */
	XTCP_V_BADROUTE	 = 1 << 17, /* tcp_retries1 passed: dst_negative_advice */
	/*
	 * FIN_WAIT2 without a user: may be handed over to a compact entry
	 * (xtcp_tw_init), which lives until deadline_us[XTCP_T_LIFE]
	 */
	XTCP_V_FINWAIT2	 = 1 << 18,
};

#define XTCP_MAX_EDGES	6
#define XTCP_MAX_VMIB	16

/* One state change; cause is a short static string for the tracepoint. */
struct xtcp_edge { u8 from, to; const char *cause; };

/* A control segment that does not come from the send queue. */
struct xtcp_reply {
	u32 seq, ack;
	u16 wnd;
	u8 flags;
	u8 optlen;
	u8 opt[XTCP_MAX_OPT];
};

struct xtcp_verdict {
	u32 flags;			/* XTCP_V_* */
	enum xtcp_drop drop;		/* why (part of) the segment was dropped */
	int err;
	u32 data_off, data_len;		/* within the segment's payload */
	u32 urg_seq;			/* the urgent byte's sequence number */
	u32 rcv_want;
	u32 delivered_ce;		/* segments acknowledged with ECE, for the counter */
	u64 now_us;			/* when it was decided; 0: see xtcp_finish() */
	u8 n_edges, n_mib;
	/* from here on not zeroed */
	struct xtcp_edge edge[XTCP_MAX_EDGES];
	u8 mib[XTCP_MAX_VMIB];		/* enum xtcp_mib, each +1 */
	struct xtcp_reply reply;
};

#endif /* XTCP_CORE_VERDICT_H */
