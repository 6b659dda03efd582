// SPDX-License-Identifier: GPL-2.0
/* The little segment language of raw_peer.h: sending and expecting. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raw_peer.h"

#define FLAG_LETTERS "FSRPAUEC"

/* Payload byte at stream offset off: what both directions carry. */
u8 raw_pattern(u32 off)
{
	return off * 7 + (off >> 8) * 13 + 1;
}

void peer_init(struct peer *p)
{
	static u16 next_port = 40000;

	memset(p, 0, sizeof(*p));
	p->port = next_port++;
	p->isn = 0xffffff00;	/* the first kilobyte wraps */
	p->nxt = p->isn;
	p->win = 65535;
	p->ts_shift = 100000;	/* a timestamp of 0 is none to Linux */
	p->fd = -1;
	p->lfd = -1;
}

static u32 peer_clock(struct peer *p)
{
	return (u32)(raw_now_us() / 1000) + p->ts_shift;
}

static int parse_flags(const char *word)
{
	int flags = 0;

	for (; *word && *word != '-'; word++) {
		const char *l = strchr(FLAG_LETTERS, *word);

		if (!l)
			FAIL("test bug: flag %c", *word);
		flags |= 1 << (l - FLAG_LETTERS);
	}
	return flags;
}

/* One word of a line: name, comparison, value. */
struct word {
	char name[24];
	char op;		/* '=' '>' '<' or 0 */
	long long val, val2;	/* val2: right edge of sack=L-R */
};

static void parse_word(const char *text, struct word *w)
{
	size_t n = strcspn(text, "=<>");
	char *end;

	memset(w, 0, sizeof(*w));
	if (n >= sizeof(w->name))
		FAIL("test bug: %s", text);
	memcpy(w->name, text, n);
	w->op = text[n];
	if (!w->op)
		return;
	w->val = strtoll(text + n + 1, &end, 0);
	if (*end == '-')
		w->val2 = strtoll(end + 1, &end, 0);
	if (*end)
		FAIL("test bug: %s", text);
}

static bool is(const struct word *w, const char *name)
{
	return !strcmp(w->name, name);
}

/* ---- sending */

static void tx_word(struct peer *p, struct segment *seg, const struct word *w)
{
	if (is(w, "seq")) {
		seg->seq = p->isn + (u32)w->val;
	} else if (is(w, "ack")) {
		seg->ack = p->sut_isn + (u32)w->val;
	} else if (is(w, "len")) {
		seg->len = w->val;
	} else if (is(w, "win")) {
		seg->win = w->val;
	} else if (is(w, "urg")) {
		seg->urg = w->val;
	} else if (is(w, "mss")) {
		seg->opts |= OPT_MSS;
		seg->mss = w->val;
	} else if (is(w, "ws")) {
		seg->opts |= OPT_WS;
		seg->ws = w->val;
	} else if (is(w, "sackok")) {
		seg->opts |= OPT_SACKOK;
	} else if (is(w, "ts")) {
		seg->opts |= OPT_TS;
	} else if (is(w, "nots")) {
		seg->opts &= ~OPT_TS;
	} else if (is(w, "tsval")) {
		seg->opts |= OPT_TS;
		seg->tsval = w->val;
	} else if (is(w, "ecr")) {
		seg->opts |= OPT_TS;
		seg->tsecr = w->val;
	} else if (is(w, "sack")) {
		seg->sack[seg->n_sack].l = p->sut_isn + (u32)w->val;
		seg->sack[seg->n_sack++].r = p->sut_isn + (u32)w->val2;
	} else if (is(w, "ecn")) {
		seg->tos = w->val;
	} else if (is(w, "tos")) {
		seg->tos = w->val;
	} else if (is(w, "badcsum")) {
		seg->bad_csum = true;
	} else if (is(w, "doff")) {
		seg->doff = w->val;
	} else if (is(w, "sport")) {
		seg->sport = w->val;
	} else if (is(w, "dport")) {
		seg->dport = w->val;
	} else {
		FAIL("test bug: tx word %s", w->name);
	}
}

/**
 * peer_tx() - send one segment
 * @p: connection
 * @fmt: the segment, see raw_peer.h
 */
void peer_tx(struct peer *p, const char *fmt, ...)
{
	static u8 payload[65536];
	char line[512], *word, *save;
	struct segment seg = { 0 };
	struct word w;
	va_list ap;
	u32 end;
	int i;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	raw_log("      tx: %s", line);
	word = strtok_r(line, " ", &save);
	seg.flags = parse_flags(word);
	seg.sport = p->port;
	seg.dport = p->sut_port;
	seg.seq = p->nxt;
	seg.ack = seg.flags & TH_ACK ? p->sut_nxt : 0;
	seg.win = p->win;
	seg.opts = p->ts ? OPT_TS : 0;
	seg.tsval = peer_clock(p);
	seg.tsecr = p->sut_tsval;
	seg.data = payload;
	while ((word = strtok_r(NULL, " ", &save))) {
		parse_word(word, &w);
		tx_word(p, &seg, &w);
	}
	for (i = 0; i < seg.len; i++)
		payload[i] = raw_pattern(seg.seq - p->isn - !(seg.flags & TH_SYN) + i);
	raw_send_segment(&seg);
	if (seg.bad_csum || seg.doff || seg.flags & TH_RST)
		return;
	end = seg.seq + seg.len + !!(seg.flags & TH_SYN) + !!(seg.flags & TH_FIN);
	if ((int)(end - p->nxt) > 0)
		p->nxt = end;
}

/* ---- expecting */

static const char *compare(const struct word *w, long long got)
{
	static char msg[100];

	if ((w->op == '=' && got == w->val) || (w->op == '>' && got > w->val) ||
	    (w->op == '<' && got < w->val))
		return NULL;
	snprintf(msg, sizeof(msg), "%s is %lld, not %c %lld", w->name, got,
		 w->op, w->val);
	return msg;
}

static const char *has(const struct segment *seg, u8 opt, bool wanted)
{
	return !!(seg->opts & opt) == wanted ? NULL : wanted ? "option missing" :
		"option not expected";
}

static const char *rx_sack(struct peer *p, const struct segment *seg,
			   const struct word *w, int nth)
{
	static char msg[100];
	long long l, r;

	if (nth >= seg->n_sack)
		return "too few SACK blocks";
	l = (int)(seg->sack[nth].l - p->isn);
	r = (int)(seg->sack[nth].r - p->isn);
	if (l == w->val && r == w->val2)
		return NULL;
	snprintf(msg, sizeof(msg), "SACK block %d is %lld-%lld", nth, l, r);
	return msg;
}

/* NULL if the segment is as the word says, else why not. */
static const char *rx_word(struct peer *p, const struct segment *seg,
			   const struct word *w, int *n_sack)
{
	if (is(w, "seq"))
		return compare(w, (int)(seg->seq - p->sut_isn));
	if (is(w, "ack"))
		return compare(w, (int)(seg->ack - p->isn));
	if (is(w, "len"))
		return compare(w, seg->len);
	if (is(w, "win"))
		return compare(w, seg->win);
	if (is(w, "urg"))
		return compare(w, seg->urg);
	if (is(w, "mss"))
		return has(seg, OPT_MSS, true) ?: compare(w, seg->mss);
	if (is(w, "ws"))
		return has(seg, OPT_WS, true) ?: compare(w, seg->ws);
	if (is(w, "tsval"))
		return has(seg, OPT_TS, true) ?: compare(w, seg->tsval);
	if (is(w, "ecr"))
		return has(seg, OPT_TS, true) ?: compare(w, seg->tsecr);
	if (is(w, "sack"))
		return rx_sack(p, seg, w, (*n_sack)++);
	if (is(w, "ecn"))
		return compare(w, seg->tos & 3);
	if (is(w, "tos"))
		return compare(w, seg->tos);
	if (is(w, "sackok"))
		return has(seg, OPT_SACKOK, true);
	if (is(w, "ts"))
		return has(seg, OPT_TS, true);
	if (is(w, "nomss"))
		return has(seg, OPT_MSS, false);
	if (is(w, "nows"))
		return has(seg, OPT_WS, false);
	if (is(w, "nosackok"))
		return has(seg, OPT_SACKOK, false);
	if (is(w, "nots"))
		return has(seg, OPT_TS, false);
	if (is(w, "nosack"))
		return has(seg, OPT_SACK, false);
	FAIL("test bug: rx word %s", w->name);
}

static void check_payload(struct peer *p, const struct segment *seg)
{
	u32 off = seg->seq - p->sut_isn - 1;
	int i;

	if (seg->flags & (TH_SYN | TH_RST))
		return;
	for (i = 0; i < seg->len; i++)
		if (seg->data[i] != raw_pattern(off + i))
			FAIL("payload wrong at stream offset %u", off + i);
}

static void absorb(struct peer *p, struct segment *seg)
{
	u32 end = seg->seq + seg->len + !!(seg->flags & TH_SYN) +
		  !!(seg->flags & TH_FIN);

	if (seg->flags & TH_SYN && !(seg->flags & TH_RST) && !p->sut_known) {
		p->sut_known = true;
		p->sut_isn = seg->seq;
		p->sut_nxt = end;
		p->sut_port = seg->sport;
	}
	if (p->sut_known)
		check_payload(p, seg);
	if (p->sut_known && !(seg->flags & TH_RST) && (int)(end - p->sut_nxt) > 0)
		p->sut_nxt = end;
	if (seg->opts & OPT_TS && !(seg->flags & TH_RST))
		p->sut_tsval = seg->tsval;
	if (p->last != seg)
		free(p->last);
	p->last = seg;
}

/**
 * peer_rx_any() - whatever comes next
 * @p: connection
 * @timeout_ms: how long to wait
 *
 * Return: the segment, valid until the next call, or NULL
 */
struct segment *peer_rx_any(struct peer *p, int timeout_ms)
{
	struct segment *seg = raw_recv_segment(p->sut_port, p->port, timeout_ms);

	if (seg)
		absorb(p, seg);
	return seg;
}

static bool pure_ack(const struct segment *seg)
{
	return !seg->len && (seg->flags & ~TH_ECE) == TH_ACK;
}

/**
 * peer_rx() - expect one segment
 * @p: connection
 * @timeout_ms: longest wait, to which the slack of the machine is added
 * @fmt: the segment, see raw_peer.h
 *
 * Return: the segment, valid until the next call
 */
struct segment *peer_rx(struct peer *p, int timeout_ms, const char *fmt, ...)
{
	char line[512], *word, *save;
	int flags, mask, n_sack = 0;
	struct segment *seg;
	const char *why;
	struct word w;
	va_list ap;
	bool skip;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	raw_log("      rx within %d ms: %s", timeout_ms, line);
	skip = strstr(line, " skip");
	word = strtok_r(line, " ", &save);
	flags = parse_flags(word);
	mask = flags & TH_PSH ? 0xff : 0xff & ~TH_PSH;
	do {
		seg = peer_rx_any(p, timeout_ms + raw.slack_ms);
		if (!seg)
			FAIL("no segment");
	} while (skip && pure_ack(seg));
	if ((seg->flags & mask) != flags)
		FAIL("wrong flags");
	while ((word = strtok_r(NULL, " ", &save))) {
		if (!strcmp(word, "skip"))
			continue;
		parse_word(word, &w);
		why = rx_word(p, seg, &w, &n_sack);
		if (why)
			FAIL("%s (%s)", why, word);
	}
	return seg;
}

/**
 * peer_rx_none() - expect silence
 * @p: connection
 * @quiet_ms: for how long
 */
void peer_rx_none(struct peer *p, int quiet_ms)
{
	raw_log("      rx nothing for %d ms", quiet_ms);
	if (peer_rx_any(p, quiet_ms))
		FAIL("a segment where none was expected");
}

struct segment *peer_keep(struct peer *p)
{
	struct segment *seg = p->last;

	p->last = NULL;
	return seg;
}

long seg_gap_ms(const struct segment *a, const struct segment *b)
{
	return ((long long)(b->at_us - a->at_us) + 500) / 1000;
}
