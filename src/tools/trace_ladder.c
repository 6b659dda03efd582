// SPDX-License-Identifier: GPL-2.0
/*
 * The ladder: this end on the left with its state, the peer on the right,
 * segments as arrows, time running down. 80 columns:
 *
 *	#1    1.234 ESTABLISHED |-- PSH,ACK seq=1 ack=1 len=100 ---------------->|
 *
 * Sequence numbers are relative to each side's first, as in the RFC's figures.
 * Connections live in a table of fixed size; the one that was quiet longest
 * gives way.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xtcp_trace.h"

#define MAX_CONNS	1024
#define RECENT		16
#define HEAD		26		/* columns before the ladder */
#define ARROW		50		/* columns between the two ends, nearly */
#define NOTE		(ARROW - 1)

struct conn {
	bool used;
	unsigned long id, stamp;	/* stamp: when it was last heard of, in events */
	uint32_t netns;
	struct in6_addr laddr, faddr;
	uint16_t lport, fport;
	bool l_known, f_known;		/* first sequence numbers */
	uint32_t l_isn, f_isn;
	char state[16];
	double start_s;
	uint32_t recent[RECENT];	/* sequence numbers of the last segments in */
	unsigned int n_recent;
};

static struct conn conns[MAX_CONNS];
static struct ladder_opts opts;
static unsigned long next_id, events, lines;

enum color { C_NONE, C_DIM, C_RED, C_GREEN, C_YELLOW, C_BLUE, C_CYAN };
static const char *const codes[] = {
	"", "\033[2m", "\033[31m", "\033[32m", "\033[33m", "\033[34m", "\033[36m"
};

static const struct { const char *name, *words; } drops[] = {
#define XTCP_DROP(NAME, text, meaning) { #text, meaning },
#include <xtcp/drops.h>
#undef XTCP_DROP
};

const char *drop_words(const char *reason)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(drops); i++)
		if (!strcmp(drops[i].name, reason))
			return drops[i].words;
	return reason;
}

void ladder_init(const struct ladder_opts *o)
{
	opts = *o;
	memset(conns, 0, sizeof(conns));
	next_id = 0;
	events = 0;
	lines = 0;
}

static void put(enum color c, const char *text)
{
	if (opts.color && c)
		printf("%s%s\033[0m", codes[c], text);
	else
		fputs(text, stdout);
}

/* A line's first columns: which connection, when (s since its first event), its state. */
static void put_head(const struct conn *c, double now_s)
{
	char head[64];

	snprintf(head, sizeof(head), "#%-3lu %8.3f ", c->id % 1000, now_s - c->start_s);
	put(C_DIM, head);
	snprintf(head, sizeof(head), "%-11.11s ", c->state);
	put(C_GREEN, head);
	lines++;
}

/* How much of @text fits into one line of a note, broken at a blank if it has one. */
static int note_cut(const char *text)
{
	int n = strlen(text), cut;

	if (n <= NOTE)
		return n;
	for (cut = NOTE; cut > NOTE / 2; cut--)
		if (text[cut] == ' ')
			return cut;
	return NOTE;
}

static void __attribute__((format(printf, 4, 5)))
note(const struct conn *c, double now_s, enum color color, const char *fmt, ...)
{
	char text[160], line[80];
	char *at = text;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	do {
		int cut = note_cut(at);

		if (at == text)
			put_head(c, now_s);
		else
			printf("%*s", HEAD, "");
		snprintf(line, sizeof(line), "|  %-*.*s|", NOTE, cut, at);
		put(color, line);
		putchar('\n');
		at += cut;
		at += strspn(at, " ");
		if (*at) {		/* continued under its first word */
			at -= 2;
			memcpy(at, "  ", 2);
		}
	} while (*at);
}

static const char *addr_text(const struct in6_addr *a, uint16_t port, char *to, size_t room)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = IN6_IS_ADDR_V4MAPPED(a);

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? (const void *)&a->s6_addr[12] : a, text,
		  sizeof(text));
	snprintf(to, room, v4 ? "%s:%u" : "[%s]:%u", text, port);
	return to;
}

static bool same(const struct conn *c, const struct event *e)
{
	return c->used && c->netns == e->netns && c->lport == e->lport &&
	       c->fport == e->fport && IN6_ARE_ADDR_EQUAL(&c->laddr, &e->laddr) &&
	       IN6_ARE_ADDR_EQUAL(&c->faddr, &e->faddr);
}

static void introduce(const struct conn *c)
{
	char l[80], f[80], line[200];

	addr_text(&c->laddr, c->lport, l, sizeof(l));
	addr_text(&c->faddr, c->fport, f, sizeof(f));
	if (c->fport)
		snprintf(line, sizeof(line), "#%-3lu %s  <->  %s", c->id % 1000, l, f);
	else
		snprintf(line, sizeof(line), "#%-3lu %s (listener)", c->id % 1000, l);
	put(C_CYAN, line);
	putchar('\n');
	lines++;
}

/* The connection an event is about, made if it is new. */
static struct conn *find(const struct event *e)
{
	struct conn *c, *oldest = conns;
	unsigned int i;

	for (i = 0; i < MAX_CONNS; i++) {
		c = &conns[i];
		if (same(c, e)) {
			c->stamp = events;
			return c;
		}
		if (!c->used && oldest->used)
			oldest = c;
		else if (oldest->used && c->stamp < oldest->stamp)
			oldest = c;
	}
	c = oldest;
	memset(c, 0, sizeof(*c));
	c->used = true;
	c->id = ++next_id;
	c->stamp = events;
	c->netns = e->netns;
	c->laddr = e->laddr;
	c->faddr = e->faddr;
	c->lport = e->lport;
	c->fport = e->fport;
	c->start_s = e->time_s;
	strcpy(c->state, "-");
	introduce(c);
	return c;
}

/* ---------------------------------------------------------------- segments */

static void flag_words(const char *letters, char *to, size_t room)
{
	static const struct { char letter; const char *word; } words[] = {
		{ 'S', "SYN" }, { 'F', "FIN" }, { 'R', "RST" }, { 'P', "PSH" },
		{ 'A', "ACK" }, { 'U', "URG" }, { 'E', "ECE" }, { 'C', "CWR" },
	};
	size_t n = 0;
	unsigned int i;

	to[0] = 0;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strchr(letters, words[i].letter) && n < room)
			n += snprintf(to + n, room - n, "%s%s", n ? "," : "", words[i].word);
	if (!n)
		snprintf(to, room, "none");
}

/*
 * Remember the first sequence numbers. A SYN names its sender's; a connection
 * met half-way counts from what it is at.
 */
static void learn(struct conn *c, const struct event *e, bool out)
{
	bool syn = strchr(e->flags, 'S'), ack = strchr(e->flags, 'A'), rst = strchr(e->flags, 'R');
	bool *mine = out ? &c->l_known : &c->f_known, *other = out ? &c->f_known : &c->l_known;
	uint32_t *isn = out ? &c->l_isn : &c->f_isn, *other_isn = out ? &c->f_isn : &c->l_isn;

	if (rst)
		return;
	/* A SYN when they are known is an old or a bad one, or leaves TIME_WAIT. */
	if (!*mine) {
		*isn = syn ? e->seq : e->seq - 1;
		*mine = true;
	}
	if (ack && !*other) {
		*other_isn = e->ack - 1;
		*other = true;
	}
}

static void segment_text(const struct conn *c, const struct event *e, bool out, char *to,
			 size_t room)
{
	uint32_t seq = e->seq, ack = e->ack;
	char flags[40];
	int n;

	if (out ? c->l_known : c->f_known)
		seq -= out ? c->l_isn : c->f_isn;
	if (out ? c->f_known : c->l_known)
		ack -= out ? c->f_isn : c->l_isn;
	flag_words(e->flags, flags, sizeof(flags));
	n = snprintf(to, room, "%s seq=%u", flags, seq);
	if (strchr(e->flags, 'A'))
		n += snprintf(to + n, room - n, " ack=%u", ack);
	if (e->len)
		n += snprintf(to + n, room - n, " len=%u", e->len);
	if (opts.verbose)
		n += snprintf(to + n, room - n, " win=%u", e->wnd);
	if (opts.verbose && e->segs > 1)
		snprintf(to + n, room - n, " segs=%u", e->segs);
}

static void arrow(struct conn *c, const struct event *e, bool out)
{
	char text[120], line[200], dashes[ARROW + 1];
	enum color color = out ? C_BLUE : C_YELLOW;
	int room;

	learn(c, e, out);
	segment_text(c, e, out, text, sizeof(text));
	if (strchr(e->flags, 'R'))
		color = C_RED;
	room = ARROW - 4 - (int)strlen(text);
	memset(dashes, '-', sizeof(dashes));
	dashes[room > 0 ? room : 0] = 0;
	if (out)
		snprintf(line, sizeof(line), "|-- %s %s>|", text, dashes);
	else
		snprintf(line, sizeof(line), "|<%s %s --|", dashes, text);
	put_head(c, e->time_s);
	put(color, line);
	putchar('\n');
	if (!out)
		c->recent[c->n_recent++ % RECENT] = e->seq;
}

static bool seen(const struct conn *c, uint32_t seq)
{
	unsigned int i;

	for (i = 0; i < RECENT && i < c->n_recent; i++)
		if (c->recent[i] == seq)
			return true;
	return false;
}

/* Its arrival was drawn, unless the tracer came late; an ICMP error only quotes one. */
static void draw_drop(struct conn *c, const struct event *e)
{
	if (strcmp(e->reason, "IcmpSeq") && !seen(c, e->seq))
		arrow(c, e, false);
	note(c, e->time_s, C_RED, "x dropped: %s", drop_words(e->reason));
}

/* ------------------------------------------------------- states and timers */

static void draw_state(struct conn *c, const struct event *e)
{
	/* A request that becomes a connection leaves, the connection has entered. */
	if (!strcmp(e->cause, "became a connection"))
		return;
	if (!strcmp(c->state, e->to) && !strcmp(e->from, "CLOSE"))
		return;
	snprintf(c->state, sizeof(c->state), "%s", e->to);
	note(c, e->time_s, C_GREEN, "* %s -> %s%s%s%s", e->from, e->to, e->cause[0] ? " (" : "",
	     e->cause, e->cause[0] ? ")" : "");
	if (strcmp(e->to, "CLOSE"))
		return;
	/* another connection of the same 4-tuple starts anew */
	c->l_known = false;
	c->f_known = false;
}

static void draw_timer(const struct conn *c, const struct event *e)
{
	char after[40] = "";

	if (!strcmp(e->what, "armed")) {
		if (opts.timers)
			note(c, e->time_s, C_DIM, "  timer %s in %.3f s", e->which, e->us / 1e6);
		return;
	}
	if (e->us)
		snprintf(after, sizeof(after), " after %.3f s", e->us / 1e6);
	note(c, e->time_s, C_YELLOW, "! timer %s%s (tries so far: %u)", e->which, after, e->n);
}

unsigned long ladder_event(const struct event *e)
{
	struct conn *c;
	char line[96];

	if (e->kind == EV_NONE)
		return lines;
	events++;
	if (e->kind == EV_LOST) {
		snprintf(line, sizeof(line), "%llu events were lost: the ladder has gaps here",
			 (unsigned long long)e->lost);
		put(C_RED, line);
		putchar('\n');
		lines++;
		return lines;
	}
	c = find(e);
	switch (e->kind) {
	case EV_STATE:
		draw_state(c, e);
		break;
	case EV_IN:
	case EV_OUT:
		arrow(c, e, e->kind == EV_OUT);
		break;
	case EV_DROP:
		draw_drop(c, e);
		break;
	case EV_RETRANSMIT:
		/* told just after the segment went out: said on a line of its own */
		note(c, e->time_s, C_RED, "^ retransmission");
		break;
	case EV_TIMER:
		draw_timer(c, e);
		break;
	case EV_COOKIE:
		note(c, e->time_s, C_CYAN, e->mss ? "cookie %s (MSS %u)" : "cookie %s", e->what,
		     e->mss);
		break;
	default:
		break;
	}
	return lines;
}
