// SPDX-License-Identifier: GPL-2.0
/* What can happen in a state, and making it happen. */
#include "world.h"

enum { A_USER, A_DELIVER, A_TIMER, A_DUP, A_LOSE, A_ABORT, A_FORGE, A_DOWN };

#define ACT(what, arg)	((what) << 8 | (arg))

/* ---- the user */

/* The flow under a socket has gone: calls fail, reads end. */
static bool over(const struct host *h)
{
	return h->held && h->kind != K_CONN;
}

static char next_call(const struct host *h)
{
	return sc->prog[h - W.h][h->pc];
}

bool user_ready(const struct host *h)
{
	switch (next_call(h)) {
	case 0:
		return false;
	case 'L':
		return true;
	case 'o':
		return h->kind == K_NONE && !h->held;
	case 'H':
		return h->held && (h->t.state != XTCP_SYN_SENT || over(h));
	case 'C':
	case 'A':
		return h->held;
	case 's':
	case 'S':
	case 'h':
	case 'c':
	case 'a':
		return h->held && (h->connected || over(h));
	case 'r':
	case 'e':
		return h->held && (h->delivered > h->read || h->eof || over(h));
	}
	fail("%c: what is the call %c?", host_name(h), next_call(h));
}

static void call_open(struct host *h)
{
	struct xtcp_verdict v;

	user_attach(h);
	conn_setup(h);
	h->gen++;
	xtcp_open_active(&h->t, 0xfffffffeu - (h - W.h) * 1000 + 140000u * (h->gen - 1), 0, W.now,
			 &v);
	conn_execute(h, NULL, &v, XTCP_CLOSE);
}

static void call_listen(struct host *h)
{
	struct xtcp_verdict v = { 0 };
	u8 to = h->listening ? XTCP_CLOSE : XTCP_LISTEN;

	if (h->listening) {
		xtcp_user_close(&h->l, 0, W.now, &v);
		if (h->kind == K_REQUEST)
			conn_drop(h);
	} else {
		xtcp_tcb_init(&h->l, &params, false);
		xtcp_state_set(&h->l, XTCP_LISTEN, "listen", &v);
	}
	if (v.n_edges != 1 || h->l.state != to)
		fail("%c: listener in %s", host_name(h), xtcp_state_name(h->l.state));
	edge_taken(v.edge[0].from, v.edge[0].to);
	h->listening = to == XTCP_LISTEN;
}

static void call_send(struct host *h, u32 n)
{
	struct xtcp_verdict v;

	h->written += n;
	conn_prep(h);
	xtcp_user_send(&h->t, n, false, false, W.now, &v);
	conn_execute(h, NULL, &v, h->t.state);
}

static void call_read(struct host *h)
{
	u32 n = h->delivered - h->read;
	struct xtcp_verdict v;
	u8 before = h->t.state;

	h->read += n;
	if (h->kind != K_CONN || !n)
		return;
	conn_prep(h);
	xtcp_user_read(&h->t, n, W.now, &v);
	conn_execute(h, NULL, &v, before);
}

static void call_end(struct host *h, char c)
{
	u32 unread = h->delivered - h->read;
	struct xtcp_verdict v;
	u8 before = h->t.state;

	h->rude |= c == 'a' || (c == 'c' && (unread || !h->connected));
	h->shut |= c != 'a';
	if (c != 'h')
		h->held = false;
	if (h->kind != K_CONN)
		return;
	conn_prep(h);
	if (c == 'h')
		xtcp_user_shutdown(&h->t, W.now, &v);
	else if (c == 'c')
		xtcp_user_close(&h->t, unread, W.now, &v);
	else
		xtcp_user_abort(&h->t, 0, W.now, &v);
	conn_execute(h, NULL, &v, before);
	/* RFC 2525 2.17 */
	if (c == 'c' && unread && h->kind != K_NONE)
		fail("%c: close() with unread data, and no RST", host_name(h));
}

static void call(struct host *h)
{
	char c = next_call(h);

	note("%c: user calls %c", host_name(h), c);
	/* reading to the end is one call for each piece */
	if (c != 'e' || h->eof || over(h))
		h->pc++;
	switch (c) {
	case 'l':
	case 'L':
		call_listen(h);
		break;
	case 'o':
		call_open(h);
		break;
	case 's':
	case 'S':
		if (h->kind == K_CONN && !h->shut)
			call_send(h, c == 's' ? 1 : sc->big);
		break;
	case 'r':
	case 'e':
		call_read(h);
		break;
	default:
		call_end(h, c | 0x20);
	}
}

/* ---- the world */

void world_init(void)
{
	unsigned int i;

	memset(&W, 0, sizeof(W));
	W.now = 1000 * SEC;
	W.loss = sc->loss;
	W.dup = sc->dup;
	W.late = sc->late;
	W.slow = sc->slow;
	W.abort = sc->abort;
	W.forge = sc->forge;
	W.down = sc->down;
	for (i = 2; i-- > 0;) {
		struct host *h = &W.h[i];

		h->t.state = XTCP_CLOSE;
		while (next_call(h) != '|')
			call(h);
		h->pc++;
	}
}

static bool same_pkt(const struct pkt *a, const struct pkt *b)
{
	return a->to == b->to && a->gen == b->gen && a->off == b->off && a->forged == b->forged &&
	       !memcmp(&a->g, &b->g, sizeof(a->g));
}

/*
 * Sequence numbers that a forger would have to know are known here. A SYN
 * above those of TIME-WAIT is a new connection (RFC 9293 3.6.1), and no forgery.
 */
static bool forgeable(const struct host *h, unsigned int what)
{
	return h->kind == K_REQUEST || (h->kind == K_ENTRY && what != FORGE_SYN) ||
	       (h->kind == K_CONN && h->t.state != XTCP_SYN_SENT);
}

static bool user_thinks(void)
{
	return user_ready(&W.h[0]) || user_ready(&W.h[1]);
}

/*
 * Time moves to the next deadline. Past a packet in flight (it is slow) or a
 * user with something to do (it thinks) only as often as the world says; past
 * a packet not longer than it can live, and a polite user does not think longer.
 */
static bool time_may_pass(u64 to_us)
{
	bool user = user_thinks();
	unsigned int i;

	if ((W.n_q && !W.late) || (user && !W.slow))
		return false;
	for (i = 0; i < W.n_q; i++)
		if (to_us > W.q[i].sent_us + MSL_US)
			return false;
	return !user || !sc->polite || to_us <= W.now + MSL_US;
}

static unsigned int timers(u16 *act)
{
	u64 next[2], first;
	unsigned int i, n = 0;

	for (i = 0; i < 2; i++)
		next[i] = host_next_us(&W.h[i]);
	first = next[0] && (!next[1] || next[0] < next[1]) ? next[0] : next[1];
	if (!first || !time_may_pass(first))
		return 0;
	for (i = 0; i < 2; i++)
		if (next[i] == first)
			act[n++] = ACT(A_TIMER, i);
	return n;
}

static unsigned int packets(u16 *act)
{
	unsigned int i, j, n = 0;

	for (i = 0; i < W.n_q; i++) {
		for (j = 0; j < i && !same_pkt(&W.q[i], &W.q[j]); j++)
			;
		if (j < i)
			continue;
		act[n++] = ACT(A_DELIVER, i);
		if (W.dup)
			act[n++] = ACT(A_DUP, i);
		if (W.loss)
			act[n++] = ACT(A_LOSE, i);
	}
	return n;
}

/**
 * actions - what can happen now
 * @act: filled
 *
 * Return: how many.
 */
unsigned int actions(u16 act[MAX_ACTIONS])
{
	unsigned int i, b, n;

	n = packets(act);
	n += timers(act + n);
	for (i = 0; i < 2; i++) {
		struct host *h = &W.h[i];

		if (user_ready(h))
			act[n++] = ACT(A_USER, i);
		if (W.abort && h->held && h->kind == K_CONN)
			act[n++] = ACT(A_ABORT, i);
		for (b = 0; W.forge && b < 4; b++)
			if (sc->forge_mask & 1 << b && forgeable(h, 1 << b))
				act[n++] = ACT(A_FORGE, i << 4 | b);
	}
	if (W.down)
		act[n++] = ACT(A_DOWN, 0);
	return n;
}

static struct pkt take(unsigned int i)
{
	struct pkt k = W.q[i];

	W.n_q--;
	memmove(W.q + i, W.q + i + 1, (W.n_q - i) * sizeof(W.q[0]));
	memset(&W.q[W.n_q], 0, sizeof(W.q[0]));
	return k;
}

static void note_pkt(const char *what, const struct pkt *k)
{
	static const char c[] = "FSRP.UEW";
	char f[9] = "";
	unsigned int i, n = 0;

	if (!verbose)
		return;
	for (i = 0; i < 8; i++)
		if (k->g.flags & 1u << i)
			f[n++] = c[i];
	note("%s %s seq %u ack %u len %u win %u [%s] %s%s", k->to ? "-->" : "<--", what,
	     k->g.seq, k->g.ack, k->g.len, k->g.wnd, f, k->g.opt.nsack ? "sack" : "",
	     k->forged ? "forged" : "");
}

static void pass_time(u64 to_us)
{
	W.late -= W.n_q > 0;
	W.slow -= user_thinks();
	W.now = max(W.now, to_us);
}

static void forge(struct host *h, unsigned int what)
{
	struct pkt k = { .to = h - W.h, .forged = true, .sent_us = W.now };
	u32 rcv = h->kind == K_CONN ? h->t.s.rcv_nxt :
		  h->kind == K_ENTRY ? h->twc.rcv_nxt : h->rq.rcv_nxt;
	u64 last_us = h->t.last_oow_us;
	bool answer = what != FORGE_RST && h->kind == K_CONN && h->t.syn_acked && !W.dead &&
		      (!last_us || W.now - last_us >= params.tcp_invalid_ratelimit * MS);
	unsigned int n_q = W.n_q;
	u32 snd = h->kind == K_CONN ? h->t.s.snd_nxt :
		  h->kind == K_ENTRY ? h->twc.snd_nxt : h->rq.iss + 1;

	k.g.seq = rcv + (what == FORGE_RST_NEAR || what == FORGE_SYN);
	k.g.flags = what == FORGE_SYN ? XTCP_SYN : what == FORGE_ACK ? XTCP_ACK : XTCP_RST;
	k.g.wnd = 1;
	k.g.segs = 1;
	if (what == FORGE_ACK)
		k.g.ack = snd + (1U << 30);
	if (what == FORGE_RST) {
		W.h[0].rude = true;
		W.h[1].rude = true;
	}
	note_pkt("arrives:", &k);
	host_rx(h, &k);
	/* RFC 5961 3.2, 4.2, 5.2 */
	if (answer && W.n_q == n_q)
		fail("%c: no challenge ACK", host_name(h));
}

static void act_packet(unsigned int what, unsigned int i)
{
	struct pkt k = W.q[i];

	if (what != A_DUP)
		take(i);
	if (what == A_LOSE) {
		W.loss--;
		note_pkt("is lost:", &k);
		return;
	}
	W.dup -= what == A_DUP;
	note_pkt(what == A_DUP ? "arrives, and will again:" : "arrives:", &k);
	host_rx(&W.h[k.to], &k);
}

/**
 * act - make one thing happen
 * @a: of actions()
 */
void act(u16 a)
{
	unsigned int arg = a & 255;
	struct host *h = &W.h[arg & 1];

	switch (a >> 8) {
	case A_USER:
		call(h);
		break;
	case A_DELIVER:
	case A_DUP:
	case A_LOSE:
		act_packet(a >> 8, arg);
		break;
	case A_TIMER:
		pass_time(host_next_us(h));
		note("%c: timer", host_name(h));
		host_timer(h);
		break;
	case A_ABORT:
		W.abort--;
		note("%c: user aborts", host_name(h));
		h->pc = strlen(sc->prog[arg]);
		call_end(h, 'a');
		break;
	case A_FORGE:
		W.forge--;
		forge(&W.h[arg >> 4], 1 << (arg & 15));
		break;
	case A_DOWN:
		W.down--;
		W.dead = true;
		note("the network dies");
		while (W.n_q)
			take(0);
		break;
	}
}

/* ---- ends */

static bool done(const struct host *h)
{
	return h->kind == K_NONE && !h->held && !next_call(h);
}

/* Both users are done and nothing is left; a polite world ended well. */
bool world_over(void)
{
	unsigned int i;

	if (W.n_q || !done(&W.h[0]) || !done(&W.h[1]))
		return false;
	for (i = 0; sc->polite && i < 2; i++) {
		struct host *h = &W.h[i], *p = host_peer(h);

		if (h->err)
			fail("%c: error %d in a polite world", host_name(h), h->err);
		if (h->delivered != p->written || h->read != p->written || !h->connected)
			fail("%c: %u of %u bytes arrived, %u read", host_name(h), h->delivered,
			     p->written, h->read);
	}
	return true;
}

/* May it stand for ever? Nothing of ours may wait for an answer. */
static const char *host_silent(const struct host *h)
{
	if (done(h))
		return "gone";
	if (h->kind == K_NONE && !h->held && !sc->polite)
		return "a program that waits for a connection";
	if (h->kind == K_CONN && h->held && sc->silent_ok && h->t.syn_acked && !h->t.n_txq &&
	    !xtcp_unacked(&h->t) && !user_ready(h))
		return "a user who waits for a dead peer, without keepalive";
	return NULL;
}

/**
 * world_silent - nothing can happen any more; is there a good reason?
 *
 * Return: the reason, NULL if there is none.
 */
const char *world_silent(void)
{
	const char *why[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		why[i] = host_silent(&W.h[i]);
		if (!why[i])
			return NULL;
	}
	return strcmp(why[0], "gone") ? why[0] : why[1];
}

/* What must hold of every state beyond what each step has checked. */
void world_check(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		const struct host *h = &W.h[i];

		if ((h->kind == K_REQUEST || h->kind == K_ENTRY) && !h->due_us)
			fail("%c: nothing would end it", host_name(h));
		if (h->kind == K_ENTRY && !h->twc.fin_wait2 &&
		    h->due_us > W.now + params.tcp_timewait_ms * MS)
			fail("%c: more than 2MSL", host_name(h));
		if (h->held && h->kind == K_NONE && !h->connected && !h->err && !h->rude)
			fail("%c: connection gone, the user was not told", host_name(h));
	}
}
