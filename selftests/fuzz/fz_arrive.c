// SPDX-License-Identifier: GPL-2.0
/*
 * SEGMENT ARRIVES in every state, among user calls, timeouts, path MTU changes
 * and ICMP errors, with any legal knobs, sequence numbers near the wrap,
 * allocations and transmissions that fail. glue_conn.c watches.
 */
#include <errno.h>

#include "../../src/core/optval.h"
#include "fz.h"

#define HEAD	(FZ_PARAM_BYTES + FZ_CONN_BYTES + FZ_OPEN_BYTES)
#define RECORD	(1 + 1 + FZ_SEG_BYTES)

const struct fz_shape fz_shape = { HEAD, RECORD };

size_t fz_seed(unsigned int n, u8 *out, size_t room)
{
	unsigned int records = 1 + n % 40;

	if (n >= 400)
		return 0;
	fz_seed_random(n, out, HEAD + records * RECORD);
	/* half of them with the knobs as they come */
	if (n % 2)
		memset(out, 0, FZ_PARAM_BYTES);
	out[FZ_PARAM_BYTES + FZ_CONN_BYTES] = n;
	return HEAD + records * RECORD;
}

const char *fz_missing(void)
{
	unsigned int i;

	for (i = 1; i < XTCP_NR_STATES; i++)
		if (!fz_state_hits[i])
			return xtcp_state_name(i);
	return NULL;
}

static void timeout(struct fz_conn *c)
{
	fz_conn_prep(c);
	xtcp_timeout(&c->t, c->now_us, &c->v);
	fz_conn_execute(c, NULL);
	/* whoever asks again at once would spin */
	FZ_NEED(c->over || !xtcp_next_deadline(&c->t) ||
		xtcp_next_deadline(&c->t) > c->now_us);
}

static void call_send(struct fz_conn *c, struct fz_in *in)
{
	u32 n = (u32)fz_span(in, 16);
	u8 how = fz_u8(in);

	/* what sendmsg() has waited for, and what the send buffer bounds */
	if (c->t.fin_queued || !c->t.syn_acked || c->t.write_seq - c->t.s.snd_una > 1u << 20)
		return;
	if (how & 4) {
		memset(&c->v, 0, sizeof(c->v));
		xtcp_user_hold(&c->t, n, c->now_us);
	} else {
		xtcp_user_send(&c->t, n, how & 1, how & 2, c->now_us, &c->v);
	}
	fz_conn_execute(c, NULL);
}

static void call_close(struct fz_conn *c, struct fz_in *in)
{
	u8 how = fz_u8(in);

	c->orphan = true;
	if (how % 4)
		xtcp_user_close(&c->t, how & 16 ? fz_conn_unread(c) : 0, c->now_us, &c->v);
	else
		xtcp_user_abort(&c->t, how & 16 ? ECONNABORTED : 0, c->now_us, &c->v);
	fz_conn_execute(c, NULL);
}

/* Options that change under way, with what the socket layer does then. */
static void call_option(struct fz_conn *c, struct fz_in *in)
{
	u8 how = fz_u8(in);
	int val = how & 0x80 ? (int)fz_u32(in) : fz_u8(in);

	/* any value: what is in no range is refused */
	xtcp_opt_tcp(&c->t, fz_u8(in) % 32, val);
	xtcp_opt_own(&c->t, fz_u8(in) % 8, val);
	c->t.nodelay = how;
	c->t.cork = how >> 1;
	if ((how & 4) && c->t.keepalive == (how >> 3 & 1)) {
		c->t.keepalive = !c->t.keepalive;
		xtcp_user_keepalive(&c->t, how & 0x10, c->now_us);
	}
	memset(&c->v, 0, sizeof(c->v));
	c->v.flags = c->t.state == XTCP_SYN_SENT ? 0 : XTCP_V_OUTPUT;
	fz_conn_execute(c, NULL);
}

static void call_network(struct fz_conn *c, struct fz_in *in)
{
	u8 how = fz_u8(in);

	if (how & 1)
		xtcp_icmp_error(&c->t, EHOSTUNREACH, how & 2, c->now_us, &c->v);
	else
		xtcp_mtu_changed(&c->t, 48 + fz_u16(in) % 9000, c->now_us, &c->v);
	fz_conn_execute(c, NULL);
}

static void user_call(struct fz_conn *c, u8 op, struct fz_in *in)
{
	fz_conn_prep(c);
	switch (op) {
	case 0: case 1: case 2: case 3:
		call_send(c, in);
		break;
	case 4: case 5: case 6:
		fz_conn_read(c, fz_u8(in) & 1 ? ~0u : fz_u16(in));
		break;
	case 7:
		xtcp_user_shutdown(&c->t, c->now_us, &c->v);
		fz_conn_execute(c, NULL);
		break;
	case 8:
		call_close(c, in);
		break;
	case 9:
		c->t.rcv_shut = 1;
		break;
	default:
		call_option(c, in);
		break;
	}
}

static void step(struct fz_conn *c, u8 op, struct fz_in *in)
{
	struct fz_marks m;
	struct xtcp_seg g;
	u64 due_us;

	switch (op >> 4) {
	default:
		fz_conn_marks(c, fz_u8(in), &m);
		fz_segment(in, &m, &g);
		fz_conn_arrives(c, &g);
		return;
	case 9:
		due_us = c->over ? 0 : xtcp_next_deadline(&c->t);
		c->now_us = max(c->now_us, due_us);
		break;
	case 10:
		c->now_us += fz_span(in, op & 1 ? 46 : 20);
		break;
	case 11:
		if (c->over)
			return;
		c->t.no_resources = op & 1;
		fz_conn_prep(c);
		call_network(c, in);
		return;
	case 12: case 13: case 14: case 15:
		if (!c->over && !c->orphan)
			user_call(c, op & 15, in);
		return;
	}
	if (!c->over)
		timeout(c);
}

/* Nobody there (3.10.7.1), or a listener (3.10.7.2). */
static void without_block(const struct xtcp_seg *g)
{
	struct xtcp_verdict v;

	memset(&v, 0, sizeof(v));
	xtcp_segment_closed(g, &v);
	fz_verdict(&v, g);
	FZ_NEED(!(g->flags & XTCP_RST) == !!(v.flags & XTCP_V_REPLY));
	switch (xtcp_listen_segment(g, &v)) {
	case XTCP_L_SYN:
		FZ_NEED((g->flags & (XTCP_SYN | XTCP_ACK | XTCP_RST)) == XTCP_SYN);
		break;
	case XTCP_L_RST:
		FZ_NEED((g->flags & XTCP_ACK) && (v.flags & XTCP_V_REPLY));
		break;
	case XTCP_L_DROP:
		FZ_NEED(v.drop);
		break;
	}
	fz_verdict(&v, g);
}

static void no_connection(struct fz_conn *c, struct fz_in *in)
{
	struct fz_marks m = { .edge = 65535 };
	struct xtcp_seg g;

	for (; in->n; fz_cut(in, RECORD - FZ_SEG_BYTES)) {
		fz_segment(in, &m, &g);
		without_block(&g);
		xtcp_segment_arrives(&c->t, &g, c->now_us, &c->v);
		fz_verdict(&c->v, &g);
	}
	xtcp_tcb_drain(&c->t);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fz_in in = { data, size }, part;
	static struct fz_conn c;

	memset(&c, 0, sizeof(c));
	fz_params(&c.p, &in);
	part = fz_cut(&in, FZ_CONN_BYTES);
	fz_conn_init(&c, &part);
	part = fz_cut(&in, FZ_OPEN_BYTES);
	fz_conn_open(&c, &part);
	if (!c.over && (c.t.state == XTCP_CLOSE || c.t.state == XTCP_LISTEN))
		no_connection(&c, &in);
	while (in.n && (!c.over || c.in_tw)) {
		part = fz_cut(&in, RECORD);
		step(&c, fz_u8(&part), &part);
	}
	fz_conn_end(&c);
	return 0;
}
