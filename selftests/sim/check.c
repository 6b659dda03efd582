// SPDX-License-Identifier: GPL-2.0
/*
 * The invariants, checked after every step, that is whenever a verdict about a
 * connection has been executed and its output has run: no step changes another.
 *
 *	what				holds because
 *	block				src/core/check.c: ranges in flight tile
 *					[SND.UNA, SND.NXT); the sums sacked, lost and
 *					retransmitted are theirs, and no range is two of
 *					these; holes are ordered, disjoint, inside the window;
 *					nodes are in one list each; a timer runs wherever
 *					something waits for the peer
 *	acked + in flight + unsent	each byte handed over has one owner: the peer
 *	  = written			(released here), the wire, or the queue
 *	delivered + held = received	each byte that came in has one: the reader,
 *					or one span out of order; the core's list of
 *					holes is exactly that of the bytes kept
 *	SND.NXT <= edge			nothing was sent beyond the rightmost edge the
 *					peer ever offered
 *	window <= room			nothing is offered that could not be stored,
 *					and the right edge never moves left (note_edge())
 *	EOF = FIN			told once all before it is with the reader
 *	the two ends			SND.UNA <= the peer's RCV.NXT <= SND.NXT, and no
 *					window is seen that the peer did not offer
 *	a deadline, soon enough		no timer is set further than its knob says, and a
 *					silent peer is given up
 *	echoes answered once		cwnd is reduced once for all that was in flight at
 *					the first echo of a mark; marks are echoed, ECE and
 *					ECT go where RFC 3168 wants them (flow.c, conn.c)
 *	a reason to live		a deadline, or a program that holds the socket,
 *					and nobody waits for anything (why_alive())
 */
#include "sim.h"

static void try_mate(struct flow *f, struct flow *m)
{
	if (!m->was_conn || m->host->id != f->peer || m->lport != f->rport ||
	    m->rport != f->lport || m->peer != f->host->id || m->iss != f->irs)
		return;
	f->mate = m;
	m->mate = f;
}

/* Whose SYN did this connection take? Known once the peer's ISN is. */
void find_mate(struct flow *f)
{
	struct sim *s = f->host->sim;
	struct flow *m;
	u32 i;

	if (!f->irs_set) {
		f->irs_set = true;
		f->irs = f->t.irs;
		f->key_rx = (f->irs ^ (u32)s->seed) + f->peer;
	}
	for (i = 0; i < s->n_flow; i++)
		try_mate(f, s->flow[i]);
	for (m = s->over; m; m = m->next)
		try_mate(f, m);
}

static void check_bytes_out(struct flow *f)
{
	struct sim *s = f->host->sim;
	const struct xtcp_tcb *t = &f->t;
	u32 una = t->s.snd_una - f->iss, fin = t->fin_sent && t->s.snd_una == t->write_seq + 1;

	if (t->write_seq - f->iss - 1 != f->u.written)
		sim_fail(s, "%s: %u bytes written, the core has %u", f->name, f->u.written,
			 t->write_seq - f->iss - 1);
	if (una != (t->syn_acked ? f->u.acked + 1 + fin : 0))
		sim_fail(s, "%s: SND.UNA at %u, %u bytes released", f->name, una, f->u.acked);
	if ((u32)t->bytes_acked != una)
		sim_fail(s, "%s: %u acknowledged, %llu counted", f->name, una, t->bytes_acked);
	if (t->syn_acked && seq_gt(t->s.snd_nxt, f->snd_edge))
		sim_fail(s, "%s: SND.NXT %u beyond the window", f->name,
			 t->s.snd_nxt - f->snd_edge);
}

/* The core's list of holes and the bytes kept must be the same. */
static void check_held(struct flow *f)
{
	struct sim *s = f->host->sim;
	const struct xtcp_rng *r;
	u32 i = 0, base = f->irs + 1;

	list_for_each_entry(r, &f->t.oooq, link) {
		if (i == f->n_held || f->held[i].from != r->seq - base ||
		    f->held[i].to != r->end - base)
			sim_fail(s, "%s: [%u, %u) is not what is held", f->name, r->seq - base,
				 r->end - base);
		i++;
	}
	if (i != f->n_held)
		sim_fail(s, "%s: %u spans held, %u known", f->name, f->n_held, i);
}

static void check_bytes_in(struct flow *f)
{
	struct sim *s = f->host->sim;
	const struct xtcp_tcb *t = &f->t;
	u32 in = t->s.rcv_nxt - f->irs - 1 - t->fin_rcvd, wnd, room;

	if (in != f->u.delivered || (u32)t->bytes_received != in)
		sim_fail(s, "%s: %u bytes in sequence, %u delivered, %llu counted", f->name, in,
			 f->u.delivered, t->bytes_received);
	if (t->copied_seq - f->irs - 1 != f->u.read)
		sim_fail(s, "%s: %u bytes read, the core has %u", f->name, f->u.read,
			 t->copied_seq - f->irs - 1);
	if (f->u.eof != t->fin_rcvd)
		sim_fail(s, "%s: EOF %d, FIN %d", f->name, f->u.eof, t->fin_rcvd);
	check_held(f);
	wnd = xtcp_rcv_wnd(&t->s);
	room = f->rcvbuf - min(f->rcvbuf, f->u.delivered - f->u.read);
	/* rounding to the scale aside */
	if (wnd > room + (1u << t->rcv_wscale))
		sim_fail(s, "%s: window %u offered, room %u", f->name, wnd, room);
}

static void check_mate(struct flow *f)
{
	struct sim *s = f->host->sim;
	struct flow *m = f->mate;
	u32 nxt = f->t.s.snd_nxt;

	if (!m || m->kind != F_CONN || m->t.state == XTCP_SYN_SENT || !f->t.syn_acked)
		return;
	if (seq_gt(f->t.s.snd_una, m->t.s.rcv_nxt) || seq_gt(m->t.s.rcv_nxt, nxt))
		sim_fail(s, "%s: UNA %u, NXT %u, but the peer is at %u", f->name, f->u.acked,
			 nxt - f->iss, m->t.s.rcv_nxt - f->iss);
	if (m->edge_set && seq_gt(f->snd_edge, m->edge_seq))
		sim_fail(s, "%s: edge %u taken, the peer offered %u", f->name,
			 f->snd_edge - f->iss, m->edge_seq - f->iss);
}

/**
 * why_alive - why may this go on existing?
 * @f: flow
 *
 * Return: a reason, NULL if there is none.
 */
const char *why_alive(const struct flow *f)
{
	const struct xtcp_tcb *t = &f->t;

	if (f->kind == F_REQUEST || f->kind == F_TIMEWAIT)
		return f->due_us ? "timer" : NULL;
	if (f->kind == F_OVER)
		return f->u.open || f->u.start_us || f->queued ? "program holds the socket" : NULL;
	if (xtcp_next_deadline(t))
		return "timer";
	/* nothing to wait for, and somebody who may still do something */
	if (t->n_txq || t->s.snd_nxt != t->write_seq + t->fin_queued || t->ack_sched)
		return NULL;
	if (!f->u.open && !f->queued)
		return NULL;
	if (t->state == XTCP_ESTABLISHED || t->state == XTCP_CLOSE_WAIT ||
	    t->state == XTCP_FIN_WAIT2)
		return f->queued ? "waits for accept()" : "idle, program holds the socket";
	return NULL;
}

/* No orphan lives an hour without a word from its peer. */
static void check_orphan(struct flow *f)
{
	u64 since = max(f->orphan_us, f->u.progress_us);

	if (f->orphan_us && f->host->sim->now_us - since > 3600 * SEC)
		sim_fail(f->host->sim, "%s: an orphan for an hour, in %s", f->name,
			 xtcp_state_name(f->t.state));
}

/* And whoever keeps a connection alive must find out that it is not. */
static void check_keepalive(const struct flow *f)
{
	const struct xtcp_tcb *t = &f->t;
	u64 idle_ms = t->keep_idle_ms ? t->keep_idle_ms : t->p->tcp_keepalive_time * 1000ULL;
	u64 intvl_ms = t->keep_intvl_ms ? t->keep_intvl_ms : t->p->tcp_keepalive_intvl * 1000ULL;
	u64 most_ms = idle_ms + intvl_ms * (t->p->tcp_keepalive_probes + 2);
	u64 silent_ms = (f->host->sim->now_us - max(f->heard_us, f->waited_us)) / MS;

	/* TCP_USER_TIMEOUT counts time, not probes */
	if (t->user_timeout_ms)
		most_ms = max(idle_ms, (u64)t->user_timeout_ms) + 2 * intvl_ms;
	if (t->keepalive && t->syn_acked && silent_ms > most_ms)
		sim_fail(f->host->sim, "%s: %llu s of silence in spite of keepalive, in %s",
			 f->name, silent_ms / 1000, xtcp_state_name(t->state));
}

/*
 * Who has something for a peer that says nothing must give up, after at most
 * tcp_retries2 timeouts of tcp_rto_max_ms and what comes before them.
 */
static void check_silence(struct flow *f)
{
	u64 now_us = f->host->sim->now_us, since;

	if (!f->t.n_txq && f->t.s.snd_nxt == f->t.write_seq + f->t.fin_queued) {
		f->waits_us = 0;
		check_keepalive(f);
		return;
	}
	if (!f->waits_us)
		f->waits_us = now_us;
	f->waited_us = now_us;
	since = max(f->waits_us, f->heard_us);
	if (now_us - since > 2500 * SEC)
		sim_fail(f->host->sim, "%s: talks to a silent peer for %llu s, in %s", f->name,
			 (now_us - since) / SEC, xtcp_state_name(f->t.state));
}

/* Whoever waits for a timer must not wait longer than the longest it may be set to. */
static void check_deadlines(struct flow *f)
{
	const struct xtcp_tcb *t = &f->t;
	u64 now_us = host_now(f->host);
	u64 most_us = now_us + t->p->tcp_rto_max_ms * MS;

	if (t->deadline_us[XTCP_T_REXMIT] > most_us)
		sim_fail(f->host->sim, "%s: the retransmission timer is %llu us away", f->name,
			 t->deadline_us[XTCP_T_REXMIT] - now_us);
	/* it may be what the queue below has refused that is tried again then */
	most_us = now_us + (t->out_retry && !t->ack_sched ? 500 : 200) * MS;
	if (t->deadline_us[XTCP_T_DELACK] > most_us)
		sim_fail(f->host->sim, "%s: the delayed ACK is %llu us away", f->name,
			 t->deadline_us[XTCP_T_DELACK] - now_us);
	if (t->deadline_us[XTCP_T_CORK] > now_us + 200 * MS)
		sim_fail(f->host->sim, "%s: the cork is %llu us away", f->name,
			 t->deadline_us[XTCP_T_CORK] - now_us);
}

/* One reduction for the peer's echoes in all that is in flight at the first of them. */
static void check_cwr(struct flow *f)
{
	const struct xtcp_tcb *t = &f->t;
	bool is = t->ca_state == XTCP_CA_CWR;

	if (is && (f->ca_was != XTCP_CA_CWR || t->high_seq != f->cwr_high)) {
		saw(f->host->sim, SEEN_SLOWED);
		if (f->cwr_set && seq_leq(t->s.snd_una, f->cwr_high))
			sim_fail(f->host->sim, "%s: reduced twice in a window", f->name);
		f->cwr_set = true;
	}
	if (is)
		f->cwr_high = t->high_seq;
	f->ca_was = t->ca_state;
}

void conn_check(struct flow *f)
{
	struct sim *s = f->host->sim;
	const char *why = "?";

	/* in TIME_WAIT the block is on its way out: an entry takes over, or nothing does */
	if (f->t.state != XTCP_TIME_WAIT) {
		if (!xtcp_tcb_check(&f->t, &why))
			sim_fail(s, "%s: %s in %s", f->name, why, xtcp_state_name(f->t.state));
		if (!why_alive(f))
			sim_fail(s, "%s: alive in %s without a reason", f->name,
				 xtcp_state_name(f->t.state));
		check_deadlines(f);
		check_silence(f);
		check_orphan(f);
	}
	check_cwr(f);
	if (s->hostile)
		return;
	check_bytes_out(f);
	if (f->t.state == XTCP_SYN_SENT)
		return;
	check_bytes_in(f);
	check_mate(f);
}
