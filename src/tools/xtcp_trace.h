/* SPDX-License-Identifier: GPL-2.0 */
/* Between the parts of xtcp-trace: events as parsed, the ladder that is drawn. */
#ifndef XTCP_TRACE_H
#define XTCP_TRACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum event_kind {
	EV_STATE, EV_IN, EV_OUT, EV_DROP, EV_RETRANSMIT, EV_TIMER, EV_COOKIE, EV_LOST, EV_NONE
};

/* One line of trace_pipe. Strings are cut to fit and hold printable characters only. */
struct event {
	enum event_kind kind;
	double time_s;
	uint32_t netns;
	struct in6_addr laddr, faddr;
	uint16_t lport, fport;
	uint32_t seq, ack, len, wnd, segs, n, cookie, mss;
	uint64_t us, lost;
	char flags[12], from[16], to[16], state[16], reason[24], what[12], which[16], cause[48];
};

/* trace_parse.c: false: not an event of ours, or not understood */
bool trace_parse(const char *line, struct event *e);

struct ladder_opts {
	bool color, timers, verbose;
};

/* trace_ladder.c */
void ladder_init(const struct ladder_opts *o);
/* Draws; returns the number of lines drawn so far. */
unsigned long ladder_event(const struct event *e);
/* What a drop reason means, in words; the name itself if it is not known. */
const char *drop_words(const char *reason);

#endif /* XTCP_TRACE_H */
