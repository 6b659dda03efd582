// SPDX-License-Identifier: GPL-2.0
/* unit [NAME]: runs all tests, or those of one group, and prints TAP. */
#include <stdarg.h>

#include "unit.h"

static unsigned int n_tests, n_failed;
static u8 edges[XTCP_NR_STATES][XTCP_NR_STATES];
static u8 drops[XTCP_NR_DROPS];

void ok(bool cond, const char *fmt, ...)
{
	va_list ap;

	n_tests++;
	n_failed += !cond;
	printf("%sok %u - ", cond ? "" : "not ", n_tests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void edge_seen(u8 from, u8 to)
{
	if (from < XTCP_NR_STATES && to < XTCP_NR_STATES)
		edges[from][to] = 1;
}

void drop_seen(unsigned int drop)
{
	if (drop < XTCP_NR_DROPS)
		drops[drop] = 1;
}

/* ---- nodes */

static void node_free(struct u *u, struct xtcp_rng *r)
{
	u->n_alive--;
	free(r);
}

void u_prep(struct u *u)
{
	u->t.rcv_full = u->rcvbuf;
	u->t.rcv_free = u->rcvbuf > u->unread ? u->rcvbuf - u->unread : 0;
	while (!u->nomem && xtcp_pool_hungry(&u->t, XTCP_POOL_WANT)) {
		struct xtcp_rng *r = malloc(sizeof(*r));

		if (!r)
			abort();
		memset(r, 0x5a, sizeof(*r));
		u->n_alive++;
		xtcp_pool_put(&u->t, r);
	}
}

void u_init(struct u *u)
{
	memset(u, 0, sizeof(*u));
	params_default(&u->p);
	u->p.tcp_timestamps = 0;
	u->now = 1000 * SEC;
	u->rcvbuf = 60000;
	xtcp_tcb_init(&u->t, &u->p, false);
	/* the numbers of the recovery tests are Reno's; t_cc.c asks for others */
	u->t.cc = &xtcp_cc_reno;
	u->t.adv_mss = MSS;
	u->t.mss_cap = MSS;
	u->t.gso_max = MSS;
	u_prep(u);
}

void u_free(struct u *u)
{
	struct xtcp_rng *r;

	xtcp_tcb_drain(&u->t);
	while ((r = xtcp_pool_surplus(&u->t, 0)))
		node_free(u, r);
	if (u->n_alive)
		ok(false, "%u range nodes leaked", u->n_alive);
}

bool u_counted(const struct u *u, enum xtcp_mib m)
{
	unsigned int i;

	for (i = 0; i < u->v.n_mib; i++)
		if (u->v.mib[i] == m)
			return true;
	return false;
}

void u_clear(struct u *u)
{
	u->n_out = 0;
	u->flags = 0;
}

static void check(struct u *u, const char *where)
{
	const char *why = "?";

	if (u->failed_check || xtcp_tcb_check(&u->t, &why))
		return;
	u->failed_check = true;
	ok(false, "invariant after %s in %s: %s", where, xtcp_state_name(u->t.state), why);
}

void u_step(struct u *u)
{
	struct xtcp_verdict *v = &u->v;
	struct xtcp_xmit x;
	unsigned int i;

	for (i = 0; i < v->n_edges; i++) {
		if (!xtcp_edge_ok(v->edge[i].from, v->edge[i].to))
			ok(false, "edge %s -> %s is not in the table",
			   xtcp_state_name(v->edge[i].from), xtcp_state_name(v->edge[i].to));
		edge_seen(v->edge[i].from, v->edge[i].to);
	}
	drop_seen(v->drop);
	u->flags |= v->flags;
	if ((v->flags & XTCP_V_ERROR) && !u->err)
		u->err = v->err;
	if (v->flags & XTCP_V_OUTPUT) {
		u_prep(u);
		while (xtcp_output_next(&u->t, u->now, &x)) {
			if (u->n_out < ARRAY_SIZE(u->out)) {
				u->out_us[u->n_out] = u->now;
				u->out[u->n_out++] = x;
			}
			xtcp_output_sent(&u->t, &x, u->now);
			if (!xtcp_output_more(&u->t)) {
				xtcp_output_over(&u->t, u->now);
				break;
			}
		}
	}
	if (v->flags & (XTCP_V_CLOSED | XTCP_V_TIMEWAIT))
		u->over = true;
	else
		check(u, "step");
}

struct xtcp_seg u_mk(const struct u *u, u8 flags, u32 seq, u32 ack, u32 len)
{
	struct xtcp_seg g = { .seq = seq, .ack = ack, .len = len, .flags = flags, .wnd = WND,
			      .segs = 1, .mss = len };

	if (u->peer_ts) {
		g.opt.has_ts = 1;
		g.opt.tsval = u->peer_tsval;
		g.opt.tsecr = (u32)(u->now / 1000) + u->t.ts_off;
	}
	return g;
}

void u_rx(struct u *u, struct xtcp_seg *g)
{
	u_prep(u);
	xtcp_segment_arrives(&u->t, g, u->now, &u->v);
	u_step(u);
}

void u_seg(struct u *u, u8 flags, u32 seq, u32 ack, u32 len)
{
	struct xtcp_seg g = u_mk(u, flags, seq, ack, len);

	u_rx(u, &g);
}

void u_run(struct u *u, u64 us)
{
	u64 end = u->now + us, d;
	unsigned int n = 0;

	while (!u->over && (d = xtcp_next_deadline(&u->t)) && d <= end) {
		if (++n > 10000) {
			ok(false, "deadline does not move");
			return;
		}
		if (d > u->now)
			u->now = d;
		u_prep(u);
		xtcp_timeout(&u->t, u->now, &u->v);
		u_step(u);
	}
	if (!u->over || u->now < end)
		u->now = u->over ? u->now : end;
}

void u_open(struct u *u)
{
	u_prep(u);
	xtcp_open_active(&u->t, ISS, 0, u->now, &u->v);
	u_step(u);
}

void u_open_opts(struct u *u, const struct xtcp_opts *peer)
{
	struct xtcp_seg g;

	u_open(u);
	u_clear(u);
	g = u_mk(u, XTCP_SYN | XTCP_ACK, IRS, ISS + 1, 0);
	if (peer)
		g.opt = *peer;
	if (peer && peer->has_ts) {
		u->peer_ts = true;
		u->peer_tsval = peer->tsval;
		g.opt.tsecr = (u32)(u->now / 1000) + u->t.ts_off;
	}
	u_rx(u, &g);
	u_clear(u);
}

void u_child(struct u *u)
{
	struct xtcp_rq rq;
	struct xtcp_seg g = u_mk(u, XTCP_SYN, IRS, 0, 0);

	g.opt.mss = MSS;
	g.opt.sack_ok = 1;
	xtcp_rq_init(&rq, &u->p, &g, false, ISS, 0, u->rcvbuf, 0, u->now);
	u_prep(u);
	xtcp_open_child(&u->t, &rq, u->now, &u->v);
	u_step(u);
	u_clear(u);
}

void u_to(struct u *u, u8 state)
{
	struct xtcp_opts o = { .mss = MSS, .sack_ok = 1 };

	if (state == XTCP_SYN_RECV) {
		u_child(u);
		return;
	}
	u_open_opts(u, &o);
	switch (state) {
	case XTCP_FIN_WAIT1:
		u_shutdown(u);
		break;
	case XTCP_FIN_WAIT2:
		u_shutdown(u);
		u_seg(u, XTCP_ACK, IRS + 1, ISS + 2, 0);
		break;
	case XTCP_CLOSING:
		u_shutdown(u);
		u_seg(u, XTCP_ACK | XTCP_FIN, IRS + 1, ISS + 1, 0);
		break;
	case XTCP_CLOSE_WAIT:
	case XTCP_LAST_ACK:
		u_seg(u, XTCP_ACK | XTCP_FIN, IRS + 1, ISS + 1, 0);
		if (state == XTCP_LAST_ACK)
			u_shutdown(u);
		break;
	default:
		break;
	}
	u_clear(u);
	if (u->t.state != state)
		ok(false, "cannot reach %s", xtcp_state_name(state));
}

void u_send(struct u *u, u32 n)
{
	u_prep(u);
	xtcp_user_send(&u->t, n, false, false, u->now, &u->v);
	u_step(u);
}

void u_read(struct u *u, u32 n)
{
	u->unread -= min(n, u->unread);
	u_prep(u);
	xtcp_user_read(&u->t, n, u->now, &u->v);
	u_step(u);
}

void u_shutdown(struct u *u)
{
	u_prep(u);
	xtcp_user_shutdown(&u->t, u->now, &u->v);
	u_step(u);
}

void u_close(struct u *u, u32 unread)
{
	u_prep(u);
	xtcp_user_close(&u->t, unread, u->now, &u->v);
	u_step(u);
}

void u_abort(struct u *u)
{
	u_prep(u);
	xtcp_user_abort(&u->t, 0, u->now, &u->v);
	u_step(u);
}

char u_answer(const struct u *u)
{
	u8 f;

	if (u->flags & XTCP_V_REPLY)
		f = u->v.reply.flags;
	else if (u->n_out)
		f = u->out[u->n_out - 1].flags;
	else
		return 0;
	return f & XTCP_RST ? 'R' : 'A';
}

u64 u_deadline(const struct u *u)
{
	u64 d = xtcp_next_deadline(&u->t);

	return d > u->now ? d - u->now : 0;
}

static void test_edges(void)
{
	static const struct { u8 from, to; } row[] = {
#define XTCP_EDGE(from, to, why) { XTCP_##from, XTCP_##to },
#include "../../include/xtcp/edges.h"
#undef XTCP_EDGE
	};
	unsigned int i, j, k;

	for (k = 0; k < ARRAY_SIZE(row); k++) {
		/* the listener and 2MSL are the caller's: see test_listen, timewait */
		ok(edges[row[k].from][row[k].to], "edge %s -> %s taken by a test",
		   xtcp_state_name(row[k].from), xtcp_state_name(row[k].to));
		edges[row[k].from][row[k].to] |= 2;
	}
	for (i = 0; i < XTCP_NR_STATES; i++) {
		for (j = 0; j < XTCP_NR_STATES; j++) {
			if (edges[i][j] & 1 && !(edges[i][j] & 2))
				ok(false, "edge %s -> %s taken but not listed",
				   xtcp_state_name(i), xtcp_state_name(j));
			if (!!(edges[i][j] & 2) != xtcp_edge_ok(i, j))
				ok(false, "xtcp_edge_ok(%u, %u) differs from the table", i, j);
		}
	}
}

/* Reasons the core itself can give; the others belong to the kernel side. */
static void test_drops(void)
{
	static const u8 core[] = {
		XTCP_DROP_LISTEN_FLAGS, XTCP_DROP_LISTEN_ACK, XTCP_DROP_SEQ, XTCP_DROP_OLD,
		XTCP_DROP_PAWS, XTCP_DROP_RST_SEQ, XTCP_DROP_RST_CHALLENGE,
		XTCP_DROP_SYN_CHALLENGE, XTCP_DROP_NO_ACK, XTCP_DROP_ACK_FUTURE,
		XTCP_DROP_ACK_OLD, XTCP_DROP_ACK_BAD, XTCP_DROP_RST_BAD, XTCP_DROP_NO_WINDOW,
		XTCP_DROP_AFTER_CLOSE, XTCP_DROP_AFTER_FIN, XTCP_DROP_OOO_LIMIT,
		XTCP_DROP_TW_OLD, XTCP_DROP_TW_RST, XTCP_DROP_NO_SOCKET, XTCP_DROP_NOMEM,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(core); i++)
		ok(drops[core[i]], "drop reason %s given by a test", drop_name(core[i]));
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(void); } group[] = {
		{ "seq", test_seq }, { "options", test_options }, { "isn", test_isn },
		{ "vectors", test_vectors }, { "syn_sent", test_syn_sent },
		{ "listen", test_listen }, { "request", test_request },
		{ "timewait", test_timewait }, { "life", test_life }, { "rto", test_rto },
		{ "schedules", test_schedules }, { "sched", test_sched },
		{ "keepalive", test_keepalive },
		{ "window", test_window }, { "nagle", test_nagle },
		{ "ack_policy", test_ack_policy }, { "probe", test_probe },
		{ "sack_gen", test_sack_gen }, { "recovery", test_recovery }, { "rack", test_rack },
		{ "icmp", test_icmp }, { "wheel", test_wheel },
		{ "cookie", test_cookie },
		{ "cc", test_cc }, { "ecn", test_ecn }, { "mtup", test_mtup },
		{ "pace", test_pace }, { "delack", test_delack },
		{ "pair", test_pair },
		/* last: they look at what the others did */
		{ "edges", test_edges }, { "drops", test_drops },
	};
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < ARRAY_SIZE(group); i++) {
		if (argc > 1 && strcmp(argv[1], group[i].name))
			continue;
		printf("# %s\n", group[i].name);
		group[i].run();
	}
	printf("1..%u\n", n_tests);
	if (n_failed)
		printf("# %u of %u failed\n", n_failed, n_tests);
	return !!n_failed;
}
