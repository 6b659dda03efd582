// SPDX-License-Identifier: GPL-2.0
/*
 * A line of trace_pipe, taken apart:
 *
 *	task-pid [cpu] flags seconds: xtcp_state: netns=N l=[A]:P f=[A]:P from=...
 *
 * The task's name is any user's to choose, so the line is searched from the
 * event's own text: ": xtcp_NAME: netns=". A name that imitates all that makes
 * at worst an event of its own kind appear; nothing of a line is printed unless
 * it is a number, an address or passed copy_word().
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xtcp_trace.h"

static const struct { const char *name; enum event_kind kind; } kinds[] = {
	{ "xtcp_state", EV_STATE }, { "xtcp_segment_in", EV_IN },
	{ "xtcp_segment_out", EV_OUT }, { "xtcp_drop", EV_DROP },
	{ "xtcp_retransmit", EV_RETRANSMIT }, { "xtcp_timer", EV_TIMER },
	{ "xtcp_cookie", EV_COOKIE },
};

/* The value of @name in "a=b c=d": up to the next blank, or with @rest to the end. */
static bool word(const char *args, const char *name, bool rest, char *to, size_t room)
{
	size_t n = strlen(name), len, i;
	const char *at = args;

	while ((at = strstr(at, name))) {
		if ((at == args || at[-1] == ' ') && at[n] == '=')
			break;
		at += n;
	}
	if (!at)
		return false;
	at += n + 1;
	len = strcspn(at, rest ? "\n" : " \n");
	if (len >= room)
		len = room - 1;
	for (i = 0; i < len; i++)
		to[i] = isascii((unsigned char)at[i]) && isprint((unsigned char)at[i]) ?
			at[i] : '?';
	to[len] = 0;
	return true;
}

#define WORD(args, name, to)	word(args, name, false, to, sizeof(to))

static uint64_t number(const char *args, const char *name)
{
	char text[24];

	return WORD(args, name, text) ? strtoull(text, NULL, 10) : 0;
}

/* [address]:port */
static bool end_point(const char *args, const char *name, struct in6_addr *addr, uint16_t *port)
{
	char text[INET6_ADDRSTRLEN + 10], *close;

	if (!WORD(args, name, text) || text[0] != '[')
		return false;
	close = strstr(text, "]:");
	if (!close)
		return false;
	*close = 0;
	*port = strtoul(close + 2, NULL, 10);
	return inet_pton(AF_INET6, text + 1, addr) == 1;
}

/* The seconds stand before the event's name: "  12.345678: xtcp_..." */
static double stamp(const char *line, const char *colon)
{
	const char *at = colon;

	while (at > line && (isdigit((unsigned char)at[-1]) || at[-1] == '.'))
		at--;
	return strtod(at, NULL);
}

/* CPU:0 [LOST 123 EVENTS] */
static bool parse_lost(const char *line, struct event *e)
{
	const char *at = strstr(line, "[LOST ");

	if (strncmp(line, "CPU:", 4) || !at)
		return false;
	e->kind = EV_LOST;
	e->lost = strtoull(at + 6, NULL, 10);
	return true;
}

static const char *find_event(const char *line, struct event *e)
{
	const char *at = line;
	unsigned int i;

	while ((at = strstr(at, ": xtcp_"))) {
		for (i = 0; i < ARRAY_SIZE(kinds); i++) {
			size_t n = strlen(kinds[i].name);

			if (strncmp(at + 2, kinds[i].name, n) ||
			    strncmp(at + 2 + n, ": netns=", 8))
				continue;
			e->kind = kinds[i].kind;
			e->time_s = stamp(line, at);
			return at + 4 + n;
		}
		at += 2;
	}
	return NULL;
}

/**
 * trace_parse - take a line apart
 * @line: text, NUL-terminated
 * @e: filled, all of it
 *
 * Return: true: an event of xtcp, or the news that some were lost.
 */
bool trace_parse(const char *line, struct event *e)
{
	const char *args;

	memset(e, 0, sizeof(*e));
	e->kind = EV_NONE;
	if (parse_lost(line, e))
		return true;
	args = find_event(line, e);
	if (!args || !end_point(args, "l", &e->laddr, &e->lport) ||
	    !end_point(args, "f", &e->faddr, &e->fport))
		return false;
	e->netns = number(args, "netns");
	e->seq = number(args, "seq");
	e->ack = number(args, "ack");
	e->len = number(args, "len");
	e->wnd = number(args, "wnd");
	e->segs = number(args, "segs");
	e->us = number(args, "us");
	e->n = number(args, "n");
	e->cookie = number(args, "cookie");
	e->mss = number(args, "mss");
	WORD(args, "flags", e->flags);
	WORD(args, "from", e->from);
	WORD(args, "to", e->to);
	WORD(args, "state", e->state);
	WORD(args, "reason", e->reason);
	WORD(args, "what", e->what);
	WORD(args, "which", e->which);
	word(args, "cause", true, e->cause, sizeof(e->cause));
	return true;
}
