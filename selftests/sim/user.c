// SPDX-License-Identifier: GPL-2.0
/*
 * Programs: they connect and accept, write and read in odd sizes, pause,
 * half-close, close, abort. Who has nothing to do sleeps until the core wakes
 * it; now and then it looks up, and work it was not woken for is a failure.
 */
#include "sim.h"

#define PATIENCE_US	(3000 * SEC)	/* far beyond any retransmission gap */
#define POLL_US		(60 * SEC)

/* What a program is up to. */
void user_init(struct sim *s, struct user *u)
{
	struct rnd *r = &s->r;

	u->total = rnd_below(r, 4) ? rnd_log(r, s->small ? 3000 : 64 << 10) : 0;
	if (!s->small && !rnd_below(r, 60))
		u->total = rnd_below(r, STREAM_MAX);
	u->write_max = rnd_log(r, 32 << 10);
	u->read_max = rnd_log(r, 64 << 10);
	/* tiny calls would make a long run of a long stream */
	u->write_max = max(u->write_max, u->total / 100);
	u->read_max = max(u->read_max, 1 + (STREAM_MAX >> 11));
	u->think_us = rnd_log(r, rnd_below(r, 3) ? 2000 : 400000);
	u->lazy_us = rnd_below(r, 8) ? 0 : rnd_range(r, 100 * MS, 40 * SEC);
	u->hold_us = rnd_below(r, 16) ? 0 : rnd_range(r, 1 * SEC, 1200 * SEC);
	u->early_us = s->now_us + rnd_range(r, 0, 3 * SEC);
	u->sndbuf = 2048 + rnd_log(r, 256 << 10);
	u->more = !rnd_below(r, 8);
	u->oob = !rnd_below(r, 20);
	switch (rnd_below(r, 32)) {
	case 0: case 1:
		u->end = U_ABORT;
		break;
	case 2: case 3:
		u->end = U_CLOSE_EARLY;
		break;
	case 4: case 5: case 6: case 7: case 8: case 9:
		u->end = U_CLOSE;
		break;
	case 10:
		u->end = U_SHUT_BOTH;
		break;
	case 11: case 12: case 13: case 14: case 15: case 16: case 17:
		u->end = U_WAIT_EOF;
		break;
	default:
		u->end = U_SHUTDOWN;
		break;
	}
	if (s->calm && (u->end == U_ABORT || u->end == U_CLOSE_EARLY || u->end == U_SHUT_BOTH))
		u->end = U_SHUTDOWN;
}

/* Let the program run soon: it was woken. */
void user_wake(struct flow *f)
{
	struct sim *s = f->host->sim;
	u64 at = s->now_us + 1 + rnd_below(&s->r, 200);

	if (!f->u.open)
		return;
	f->u.asleep = false;
	if (!f->u.due_us || at < f->u.due_us)
		f->u.due_us = at;
}

static u32 mate_total(const struct flow *f)
{
	return f->mate ? f->mate->u.total : 0;
}

/* ---- calls */

static void call_send(struct flow *f, u32 n, bool more, bool oob)
{
	struct xtcp_verdict v;

	conn_prep(f);
	f->u.written += n;
	if (oob)
		f->u.oob_end = f->u.written;
	if (more && !oob && n % 4 == 0) {
		memset(&v, 0, sizeof(v));
		xtcp_user_hold(&f->t, n, host_now(f->host));
	} else {
		xtcp_user_send(&f->t, n, more, oob, host_now(f->host), &v);
	}
	conn_execute(f, NULL, &v);
}

static void call_read(struct flow *f, u32 n)
{
	struct xtcp_verdict v;

	f->u.read += n;
	if (f->kind != F_CONN)
		return;
	conn_prep(f);
	xtcp_user_read(&f->t, n, host_now(f->host), &v);
	conn_execute(f, NULL, &v);
	/* some come back for more at once, and sleep */
	if (f->kind != F_CONN || n % 3 || f->t.copied_seq != f->t.s.rcv_nxt)
		return;
	conn_prep(f);
	if (!xtcp_user_sleeps(&f->t))
		return;
	xtcp_user_read_end(&f->t, host_now(f->host), &v);
	conn_execute(f, NULL, &v);
}

static void call_shutdown(struct flow *f, bool both)
{
	struct xtcp_verdict v;

	f->u.shut = true;
	if (f->kind != F_CONN)
		return;
	sim_note(f->host->sim, "%s: shutdown%s", f->name, both ? ", both ways" : "");
	conn_prep(f);
	f->t.rcv_shut |= both;
	xtcp_user_shutdown(&f->t, host_now(f->host), &v);
	conn_execute(f, NULL, &v);
}

static void let_go(struct flow *f, bool rude)
{
	f->u.rude |= rude;
	f->u.open = false;
	f->u.due_us = 0;
	f->orphan_us = f->host->sim->now_us;
}

static void call_close(struct flow *f, bool rude)
{
	u32 unread = f->u.delivered - f->u.read;
	struct xtcp_verdict v;

	let_go(f, rude);
	if (f->kind != F_CONN) {
		flow_settle(f);
		return;
	}
	sim_note(f->host->sim, "%s: close, %u unread", f->name, unread);
	if (unread)
		saw(f->host->sim, SEEN_UNREAD);
	conn_prep(f);
	xtcp_user_close(&f->t, unread, host_now(f->host), &v);
	conn_execute(f, NULL, &v);
}

static void call_abort(struct flow *f)
{
	struct xtcp_verdict v;

	let_go(f, true);
	if (f->kind != F_CONN) {
		flow_settle(f);
		return;
	}
	sim_note(f->host->sim, "%s: abort", f->name);
	if (f->u.written != f->u.acked)
		saw(f->host->sim, SEEN_ABORT);
	conn_prep(f);
	xtcp_user_abort(&f->t, 0, host_now(f->host), &v);
	conn_execute(f, NULL, &v);
}

/* socket() and connect(). */
void user_open(struct flow *f)
{
	struct host *h = f->host;
	struct user *u = &f->u;
	struct xtcp_verdict v;

	if (flow_find(h, f->peer, f->lport, f->rport)) {
		/* the tuple is taken: EADDRNOTAVAIL, and the program tries again */
		u->start_us = h->sim->now_us + rnd_range(&h->sim->r, 1, 20) * SEC;
		return;
	}
	u->start_us = 0;
	if (!sim_alloc(h->sim, AL_SOCK)) {
		u->err = ENOMEM;
		u->rude = true;
		flow_settle(f);
		return;
	}
	h->sim->connects++;
	if (f->peer < h->sim->n_host) {
		const struct flow *m = flow_find(&h->sim->h[f->peer], h->id, f->rport, f->lport);

		f->met_tw = m && m->kind != F_CONN;
	}
	u->open = true;
	u->progress_us = h->sim->now_us;
	f->iss = pick_iss(h, f->peer, f->lport, f->rport);
	f->snd_edge = f->iss + 1;
	f->key_tx = (f->iss ^ (u32)h->sim->seed) + h->id;
	conn_setup(f);
	sim_note(h->sim, "%s: connect", f->name);
	/* a quarter of the users say before that they write first (TCP_QUICKACK 0) */
	f->t.pingpong = f->iss % 4 == 0;
	xtcp_open_active(&f->t, f->iss, pick_ts_off(h, f->peer), host_now(h), &v);
	conn_execute(f, NULL, &v);
	user_wake(f);
}

/* accept(): the oldest child. */
void user_accept(struct host *h)
{
	struct sim *s = h->sim;
	struct flow *f = NULL;
	u32 i;

	h->accept_us = 0;
	for (i = 0; i < s->n_flow; i++)
		if (s->flow[i]->queued && s->flow[i]->host == h &&
		    (!f || s->flow[i]->born < f->born))
			f = s->flow[i];
	if (!f)
		return;
	f->queued = false;
	if (--h->queued)
		h->accept_us = s->now_us + 1 + rnd_below(&s->r, h->accept_think_us);
	user_init(s, &f->u);
	if (!f->mate)
		find_mate(f);
	/* two programs that wait for each other's EOF wait for ever */
	if (f->u.end == U_WAIT_EOF && (!f->mate || f->mate->u.end == U_WAIT_EOF))
		f->u.end = U_SHUTDOWN;
	if (misery(s, h->id, f->peer) > 80)
		f->u.total = min(f->u.total, 60 * (u32)f->mss_cap);
	sim_note(s, "%s: accept", f->name);
	f->u.open = true;
	f->u.progress_us = s->now_us;
	user_wake(f);
}

/* ---- what a program does next */

static u32 readable(const struct flow *f)
{
	const struct user *u = &f->u;

	return f->host->sim->now_us < u->lazy_until_us ? 0 : u->delivered - u->read;
}

static u32 writable(const struct flow *f)
{
	const struct user *u = &f->u;
	u32 queued = u->written - u->acked;

	if (!u->connected || u->shut || queued >= u->sndbuf || f->kind != F_CONN)
		return 0;
	return min(u->sndbuf - queued, u->total - u->written);
}

static void do_read(struct flow *f)
{
	struct sim *s = f->host->sim;
	struct user *u = &f->u;
	u32 n = readable(f);

	if (!n)
		return;
	if (u->lazy_us && u->read > mate_total(f) / 3) {
		u->lazy_until_us = s->now_us + u->lazy_us;
		u->lazy_us = 0;
		sim_note(s, "%s: stops reading for a while", f->name);
		return;
	}
	u->progress_us = s->now_us;
	call_read(f, min(n, 1 + rnd_below(&s->r, u->read_max)));
}

static void do_write(struct flow *f)
{
	struct sim *s = f->host->sim;
	struct user *u = &f->u;
	u32 n = writable(f);
	bool oob, more;

	if (!n)
		return;
	n = min(n, 1 + rnd_below(&s->r, u->write_max));
	oob = u->oob && !rnd_below(&s->r, 6);
	more = u->more && rnd_below(&s->r, 2) && u->written + n < u->total;
	call_send(f, n, more, oob);
}

/* All is said: does the program sit on its socket for a while? */
static bool holding(struct flow *f)
{
	u64 now_us = f->host->sim->now_us;
	struct user *u = &f->u;

	if (!u->hold_us)
		return false;
	if (!u->hold_until_us)
		u->hold_until_us = now_us + u->hold_us;
	/* longer, and the peer's FIN_WAIT2 may time out */
	if (u->eof && f->host->sim->calm)
		u->hold_until_us = min(u->hold_until_us, now_us + 10 * SEC);
	return now_us < u->hold_until_us;
}

enum todo { TODO_NOTHING, TODO_CLOSE, TODO_RUDE, TODO_ABORT, TODO_SHUTDOWN, TODO_SHUT_BOTH,
	    TODO_GIVE_UP };

/* What to do about the end of the connection now. */
static enum todo what_end(struct flow *f)
{
	u64 now_us = f->host->sim->now_us;
	struct user *u = &f->u;
	bool wrote = u->written == u->total && u->connected;
	bool drained = u->eof && u->read == u->delivered;

	if (u->err || (u->connected && f->kind != F_CONN && !u->eof))
		return TODO_CLOSE;
	if (u->end == U_ABORT && now_us >= u->early_us)
		return TODO_ABORT;
	if (u->end == U_CLOSE_EARLY && now_us >= u->early_us)
		return TODO_RUDE;
	if (wrote && u->end == U_CLOSE && !holding(f))
		/* what the peer still sends will be answered by a RST */
		return mate_total(f) || !f->mate || f->mate->queued ? TODO_RUDE : TODO_CLOSE;
	if (wrote && u->end == U_SHUTDOWN && !u->shut && !holding(f))
		return TODO_SHUTDOWN;
	if (wrote && u->end == U_SHUT_BOTH && !u->shut)
		return TODO_SHUT_BOTH;
	if (drained && (wrote || f->kind != F_CONN) && !holding(f))
		return TODO_CLOSE;
	if (now_us - u->progress_us > PATIENCE_US)
		return TODO_GIVE_UP;
	return TODO_NOTHING;
}

static void do_end(struct flow *f)
{
	switch (what_end(f)) {
	case TODO_NOTHING:
		break;
	case TODO_CLOSE:
		call_close(f, false);
		break;
	case TODO_RUDE:
		call_close(f, true);
		break;
	case TODO_ABORT:
		call_abort(f);
		break;
	case TODO_SHUTDOWN:
		call_shutdown(f, false);
		break;
	case TODO_SHUT_BOTH:
		f->u.rude = true;
		call_shutdown(f, true);
		break;
	case TODO_GIVE_UP:
		sim_note(f->host->sim, "%s: user gives up", f->name);
		f->u.gave_up = true;
		/* reason enough: nothing was said because nobody had anything to say */
		call_close(f, true);
		break;
	}
}

static void earlier(u64 *due, u64 at, u64 now_us)
{
	if (at > now_us && at < *due)
		*due = at;
}

/* Nothing to do: when would this program act unless somebody wakes it? */
static void go_to_sleep(struct flow *f)
{
	struct sim *s = f->host->sim;
	struct user *u = &f->u;
	u64 poll = s->now_us + POLL_US + rnd_below(&s->r, POLL_US);

	u->due_us = poll;
	if (u->read != u->delivered)
		earlier(&u->due_us, u->lazy_until_us, s->now_us);
	if (u->end == U_ABORT || u->end == U_CLOSE_EARLY)
		earlier(&u->due_us, u->early_us, s->now_us);
	earlier(&u->due_us, u->hold_until_us, s->now_us);
	earlier(&u->due_us, u->progress_us + PATIENCE_US + 1, s->now_us);
	u->asleep = u->due_us == poll;
	if (u->hold_until_us > s->now_us && f->kind == F_CONN && !xtcp_next_deadline(&f->t))
		saw(s, SEEN_IDLE);
}

void user_step(struct flow *f)
{
	struct sim *s = f->host->sim;
	struct user *u = &f->u;
	u32 before = u->written + u->read + u->shut;

	u->due_us = 0;
	if (u->asleep && (readable(f) || writable(f) || what_end(f) != TODO_NOTHING))
		sim_fail(s, "%s: nobody woke the program (%u to read, %u to write)", f->name,
			 readable(f), writable(f));
	u->asleep = false;
	if (f->kind == F_CONN && !rnd_below(&s->r, 64)) {
		f->t.nodelay ^= rnd_below(&s->r, 2);
		f->t.cork ^= rnd_below(&s->r, 2) && u->more;
	}
	do_read(f);
	if (u->open)
		do_write(f);
	if (u->open)
		do_end(f);
	if (!u->open)
		return;
	/* come back soon if there was work */
	if (u->written + u->read + u->shut != before)
		u->due_us = s->now_us + 1 + rnd_below(&s->r, u->think_us + 1);
	else
		go_to_sleep(f);
}
