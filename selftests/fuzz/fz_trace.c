// SPDX-License-Identifier: GPL-2.0
/*
 * xtcp-trace reads the kernel's text, in which any user's task name stands:
 * whatever the lines hold, what the ladder shows of them is printable and in
 * lines of the length that it promises.
 */
#include "fz.h"

#undef ARRAY_SIZE	/* the same there */
#include "../../src/tools/xtcp_trace.h"

const struct fz_shape fz_shape = { 0, 0 };

#define L4	" l=[::ffff:10.0.0.1]:80 f=[::ffff:10.0.0.2]:41000"
#define L6	" l=[fd77::1]:80 f=[fd77::2]:41000"
#define AT	" x-1 [0] 9.: "

static const char *const lines[] = {
	"   <idle>-0       [000] ..s1.    12.345678: xtcp_state: netns=4026531840" L4
		" from=SYN_RECV to=ESTABLISHED cause=ACK of SYN\n",
	"  xtcp_cl-ient-123 [001] b.s2.  1.000001: xtcp_segment_in: netns=1" L6
		" flags=SA seq=4294967295 ack=1 len=0 wnd=65535 segs=1 state=SYN_SENT\n",
	" a: xtcp_drop: netns=: xtcp_drop: netns=7" L6 " reason=Paws seq=1 len=2\n",
	AT "xtcp_timer: netns=1" L4 " which=rexmit us=18446744073709551615\n",
	AT "xtcp_cookie: netns=1" L4 " what=sent cookie=12345 mss=1460 n=3\n",
	AT "xtcp_retransmit: netns=1" L4 " seq=9 len=1460 n=2 state=ESTABLISHED\n",
	AT "xtcp_segment_out: netns=1" L4 " flags=. seq=1 ack=2 len=3\n",
	"CPU:0 [LOST 123 EVENTS]\n",
	"#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n",
};

static u64 kinds[EV_NONE + 1];

size_t fz_seed(unsigned int n, u8 *out, size_t room)
{
	size_t total = ARRAY_SIZE(lines), len = 0, i;

	/* each alone, then all of them */
	if (n > total)
		return 0;
	for (i = 0; i < total; i++) {
		if (n != total && i != n)
			continue;
		memcpy(out + len, lines[i], strlen(lines[i]));
		len += strlen(lines[i]);
	}
	return len;
}

const char *fz_missing(void)
{
	unsigned int i;

	for (i = 0; i < EV_NONE; i++)
		if (!kinds[i])
			return "a kind of event";
	return NULL;
}

/* A word of the trace: ended, printable, free of what a terminal obeys. */
static void check_text(const char *text, size_t room)
{
	size_t n = strnlen(text, room), i;

	FZ_NEED(n < room);
	for (i = 0; i < n; i++)
		FZ_NEED(text[i] >= ' ' && text[i] <= '~');
}

static void check_event(const struct event *e)
{
	check_text(e->flags, sizeof(e->flags));
	check_text(e->from, sizeof(e->from));
	check_text(e->to, sizeof(e->to));
	check_text(e->state, sizeof(e->state));
	check_text(e->reason, sizeof(e->reason));
	check_text(e->what, sizeof(e->what));
	check_text(e->which, sizeof(e->which));
	check_text(e->cause, sizeof(e->cause));
	FZ_NEED(!strchr(e->from, ' ') && !strchr(e->reason, ' '));
}

static void one_line(const char *text, size_t len)
{
	char *line = malloc(len + 1);
	struct event e;

	if (!line)
		abort();
	memcpy(line, text, len);
	line[len] = 0;
	memset(&e, 0xa5, sizeof(e));
	if (trace_parse(line, &e)) {
		FZ_NEED(e.kind < EV_NONE);
		kinds[e.kind]++;
		check_event(&e);
		FZ_NEED(e.kind == EV_LOST || strstr(line, ": xtcp_"));
		ladder_event(&e);
	} else {
		check_event(&e);
	}
	free(line);
}

static void check_drawn(const char *text, size_t len)
{
	size_t i, column = 0;

	for (i = 0; i < len; i++) {
		column = text[i] == '\n' ? 0 : column + 1;
		FZ_NEED(column <= 160);
		FZ_NEED(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const struct ladder_opts all = { .timers = true, .verbose = true };
	FILE *terminal = stdout, *drawn;
	char *text = NULL;
	size_t len = 0, at, n;

	drawn = open_memstream(&text, &len);
	if (!drawn)
		abort();
	stdout = drawn;
	ladder_init(&all);
	for (at = 0; at < size; at += n + 1) {
		const u8 *end = memchr(data + at, '\n', size - at);

		n = end ? (size_t)(end - data - at) : size - at;
		one_line((const char *)data + at, n);
	}
	stdout = terminal;
	fclose(drawn);
	check_drawn(text, len);
	free(text);
	return 0;
}
