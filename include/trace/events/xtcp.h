/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: every segment in and out, every change of state, every drop with
 * its reason, retransmissions, timers, cookies. Include xtcp_mod.h first.
 *
 * Their text is an interface, read by xtcp-trace and by tests: words NAME=VALUE
 * in a fixed order, new words at the end. netns is the inode of the namespace,
 * "l" this end and "f" the peer (IPv6 notation, IPv4 addresses mapped), seq and
 * ack are as on the wire. cause= comes last and may hold spaces.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xtcp

#if !defined(_TRACE_XTCP_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_XTCP_H

#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/tracepoint.h>
#include <net/ipv6.h>

#ifndef XTCP_TRACE_FLOW_FIELDS
/* What the events say of a segment. */
struct xtcp_trace_seg {
	u32 seq, ack, len;
	u16 wnd, segs;			/* window as on the wire; wire segments (GSO, GRO) */
	u8 flags;
};

static inline void xtcp_trace_addr(u8 *to, const struct xtcp_flow *f, bool local)
{
	if (f->family == AF_INET)
		ipv6_addr_set_v4mapped(local ? f->v4.laddr : f->v4.faddr, (struct in6_addr *)to);
	else
		memcpy(to, local ? &f->v6.laddr : &f->v6.faddr, sizeof(struct in6_addr));
}

#define XTCP_TRACE_FLOW_FIELDS						\
	__field(__u32, netns)						\
	__field(__u16, lport)						\
	__field(__u16, fport)						\
	__array(__u8, laddr, 16)					\
	__array(__u8, faddr, 16)

#define XTCP_TRACE_FLOW_ASSIGN(f)					\
	do {								\
		__entry->netns = (f)->net->ns.inum;			\
		__entry->lport = ntohs((f)->lport);			\
		__entry->fport = ntohs((f)->fport);			\
		xtcp_trace_addr(__entry->laddr, f, true);		\
		xtcp_trace_addr(__entry->faddr, f, false);		\
	} while (0)

#define XTCP_TRACE_FLOW_FMT	"netns=%u l=[%pI6c]:%u f=[%pI6c]:%u "
#define XTCP_TRACE_FLOW_ARGS						\
	__entry->netns, __entry->laddr, __entry->lport,			\
	__entry->faddr, __entry->fport

#define XTCP_TRACE_SEG_FIELDS						\
	__field(__u32, seq)						\
	__field(__u32, ack)						\
	__field(__u32, len)						\
	__field(__u16, wnd)						\
	__field(__u16, segs)						\
	__field(__u8, flags)

#define XTCP_TRACE_SEG_ASSIGN(g)					\
	do {								\
		__entry->seq = (g)->seq;				\
		__entry->ack = (g)->ack;				\
		__entry->len = (g)->len;				\
		__entry->wnd = (g)->wnd;				\
		__entry->segs = (g)->segs;				\
		__entry->flags = (g)->flags;				\
	} while (0)

#define XTCP_TRACE_SEG_FMT	"flags=%s seq=%u ack=%u len=%u wnd=%u segs=%u"
#define XTCP_TRACE_SEG_ARGS						\
	__print_flags(__entry->flags, "",				\
		      { 0x02, "S" }, { 0x01, "F" }, { 0x04, "R" },	\
		      { 0x08, "P" }, { 0x10, "A" }, { 0x20, "U" },	\
		      { 0x40, "E" }, { 0x80, "C" }),			\
	__entry->seq, __entry->ack, __entry->len, __entry->wnd, __entry->segs
#endif

TRACE_EVENT(xtcp_state,
	TP_PROTO(const struct xtcp_flow *f, u8 from, u8 to, const char *cause),

	TP_ARGS(f, from, to, cause),

	TP_STRUCT__entry(
		XTCP_TRACE_FLOW_FIELDS
		__field(__u8, from)
		__field(__u8, to)
		__string(from_name, xtcp_state_name(from))
		__string(to_name, xtcp_state_name(to))
		__string(cause, cause ? cause : "")
	),

	TP_fast_assign(
		XTCP_TRACE_FLOW_ASSIGN(f);
		__entry->from = from;
		__entry->to = to;
		XTCP_ASSIGN_STR(from_name, xtcp_state_name(from));
		XTCP_ASSIGN_STR(to_name, xtcp_state_name(to));
		XTCP_ASSIGN_STR(cause, cause ? cause : "");
	),

	TP_printk(XTCP_TRACE_FLOW_FMT "from=%s to=%s cause=%s", XTCP_TRACE_FLOW_ARGS,
		  __get_str(from_name), __get_str(to_name), __get_str(cause))
);

DECLARE_EVENT_CLASS(xtcp_segment,
	TP_PROTO(const struct xtcp_flow *f, const struct xtcp_trace_seg *g),

	TP_ARGS(f, g),

	TP_STRUCT__entry(
		XTCP_TRACE_FLOW_FIELDS
		XTCP_TRACE_SEG_FIELDS
	),

	TP_fast_assign(
		XTCP_TRACE_FLOW_ASSIGN(f);
		XTCP_TRACE_SEG_ASSIGN(g);
	),

	TP_printk(XTCP_TRACE_FLOW_FMT XTCP_TRACE_SEG_FMT, XTCP_TRACE_FLOW_ARGS,
		  XTCP_TRACE_SEG_ARGS)
);

/* A segment that is ours came in, before anything is checked or done. */
DEFINE_EVENT(xtcp_segment, xtcp_segment_in,
	TP_PROTO(const struct xtcp_flow *f, const struct xtcp_trace_seg *g),
	TP_ARGS(f, g)
);

/* A segment goes to IP. */
DEFINE_EVENT(xtcp_segment, xtcp_segment_out,
	TP_PROTO(const struct xtcp_flow *f, const struct xtcp_trace_seg *g),
	TP_ARGS(f, g)
);

/* A segment was dropped, whole or in part: include/xtcp/drops.h says why. */
TRACE_EVENT(xtcp_drop,
	TP_PROTO(const struct xtcp_flow *f, const struct xtcp_trace_seg *g, u8 reason),

	TP_ARGS(f, g, reason),

	TP_STRUCT__entry(
		XTCP_TRACE_FLOW_FIELDS
		XTCP_TRACE_SEG_FIELDS
		__field(__u8, reason)
		__string(name, xtcp_drop_name(reason))
	),

	TP_fast_assign(
		XTCP_TRACE_FLOW_ASSIGN(f);
		XTCP_TRACE_SEG_ASSIGN(g);
		__entry->reason = reason;
		XTCP_ASSIGN_STR(name, xtcp_drop_name(reason));
	),

	TP_printk(XTCP_TRACE_FLOW_FMT XTCP_TRACE_SEG_FMT " reason=%s", XTCP_TRACE_FLOW_ARGS,
		  XTCP_TRACE_SEG_ARGS, __get_str(name))
);

/* Data or a FIN goes out again; the segment itself is a xtcp_segment_out. */
TRACE_EVENT(xtcp_retransmit,
	TP_PROTO(const struct sock *sk, u32 seq, u32 len),

	TP_ARGS(sk, seq, len),

	TP_STRUCT__entry(
		XTCP_TRACE_FLOW_FIELDS
		__field(__u32, seq)
		__field(__u32, len)
		__field(__u8, state)
		__string(name, xtcp_state_name(sk->sk_state))
	),

	TP_fast_assign(
		XTCP_TRACE_FLOW_ASSIGN(&xtcp_sk(sk)->flow);
		__entry->seq = seq;
		__entry->len = len;
		__entry->state = sk->sk_state;
		XTCP_ASSIGN_STR(name, xtcp_state_name(sk->sk_state));
	),

	TP_printk(XTCP_TRACE_FLOW_FMT "state=%s seq=%u len=%u", XTCP_TRACE_FLOW_ARGS,
		  __get_str(name), __entry->seq, __entry->len)
);

/*
 * A timer was armed to fire in @us, or fired after @us (0: not
 * known). @n: retransmissions or probes before this one.
 */
TRACE_EVENT(xtcp_timer,
	TP_PROTO(const struct xtcp_flow *f, const char *what, const char *which, u64 us, u32 n),

	TP_ARGS(f, what, which, us, n),

	TP_STRUCT__entry(
		XTCP_TRACE_FLOW_FIELDS
		__field(__u64, us)
		__field(__u32, n)
		__string(what, what)
		__string(which, which)
	),

	TP_fast_assign(
		XTCP_TRACE_FLOW_ASSIGN(f);
		__entry->us = us;
		__entry->n = n;
		XTCP_ASSIGN_STR(what, what);
		XTCP_ASSIGN_STR(which, which);
	),

	TP_printk(XTCP_TRACE_FLOW_FMT "what=%s which=%s us=%llu n=%u", XTCP_TRACE_FLOW_ARGS,
		  __get_str(what), __get_str(which), (unsigned long long)__entry->us,
		  __entry->n)
);

/* A SYN cookie was "sent", "received" (and made a connection) or "refused". */
TRACE_EVENT(xtcp_cookie,
	TP_PROTO(const struct xtcp_flow *f, const char *what, u32 cookie, u16 mss),

	TP_ARGS(f, what, cookie, mss),

	TP_STRUCT__entry(
		XTCP_TRACE_FLOW_FIELDS
		__field(__u32, cookie)
		__field(__u16, mss)
		__string(what, what)
	),

	TP_fast_assign(
		XTCP_TRACE_FLOW_ASSIGN(f);
		__entry->cookie = cookie;
		__entry->mss = mss;
		XTCP_ASSIGN_STR(what, what);
	),

	TP_printk(XTCP_TRACE_FLOW_FMT "what=%s cookie=%u mss=%u", XTCP_TRACE_FLOW_ARGS,
		  __get_str(what), __entry->cookie, __entry->mss)
);

#endif /* _TRACE_XTCP_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
