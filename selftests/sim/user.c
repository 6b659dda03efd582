// SPDX-License-Identifier: GPL-2.0
/* Programs: they write and read in odd sizes, pause, half-close, close, abort. */
#include "sim.h"

void user_init(struct sim *s, struct user *u)
{
	struct rnd *r = &s->r;

	memset(u, 0, sizeof(*u));
	u->total = rnd_below(r, 4) ? rnd_log(r, 64 << 10) : 0;
	if (!rnd_below(r, 50))
		u->total = rnd_below(r, STREAM_MAX);
	u->write_max = rnd_log(r, 32 << 10);
	u->read_max = rnd_log(r, 64 << 10);
	/* tiny calls would make a long run of a long stream */
	u->write_max = max(u->write_max, u->total / 200);
	u->read_max = max(u->read_max, 1 + (STREAM_MAX >> 12));
	u->think_us = rnd_log(r, rnd_below(r, 3) ? 2000 : 400000);
	u->lazy_us = rnd_below(r, 8) ? 0 : rnd_range(r, 100 * MS, 40 * SEC);
	u->early_us = rnd_range(r, 0, 3 * SEC);
	u->sndbuf = 2048 + rnd_log(r, 256 << 10);
	u->more = !rnd_below(r, 8);
	u->oob = !rnd_below(r, 20);
	switch (rnd_below(r, 16)) {
	case 0:
		u->end = U_ABORT;
		break;
	case 1:
		u->end = U_CLOSE_EARLY;
		break;
	case 2: case 3: case 4:
		u->end = U_CLOSE;
		break;
	case 5: case 6: case 7: case 8:
		u->end = U_WAIT_EOF;
		break;
	default:
		u->end = U_SHUTDOWN;
		break;
	}
	if (s->calm && (u->end == U_ABORT || u->end == U_CLOSE_EARLY))
		u->end = U_SHUTDOWN;
}

/* Let the program run soon: it was woken. */
void user_wake(struct host *h)
{
	u64 at = h->sim->now_us + 1 + rnd_below(&h->sim->r, 200);

	if (h->u.open && (!h->u.due_us || at < h->u.due_us))
		h->u.due_us = at;
}

static void user_close(struct host *h, bool rude)
{
	h->u.rude |= rude;
	host_close(h);
}

static void do_read(struct host *h)
{
	struct user *u = &h->u;
	u32 n = u->delivered - u->read;

	if (!n || h->sim->now_us < u->lazy_until_us)
		return;
	if (u->lazy_us && u->read > h->peer->u.total / 3) {
		u->lazy_until_us = h->sim->now_us + u->lazy_us;
		u->lazy_us = 0;
		sim_note(h->sim, "%s: stops reading for a while", h->name);
		return;
	}
	u->progress_us = h->sim->now_us;
	host_read(h, min(n, 1 + rnd_below(&h->sim->r, u->read_max)));
}

static void do_write(struct host *h)
{
	struct user *u = &h->u;
	u32 queued = u->written - u->acked, n;
	bool oob;

	if (!u->connected || u->shut || u->written == u->total || queued >= u->sndbuf ||
	    h->kind != H_CONN)
		return;
	n = 1 + rnd_below(&h->sim->r, u->write_max);
	n = min(n, min(u->sndbuf - queued, u->total - u->written));
	oob = u->oob && !rnd_below(&h->sim->r, 6);
	host_send(h, n, u->more && rnd_below(&h->sim->r, 2) && u->written + n < u->total, oob);
}

/* May be over for this user now? Returns true if it closed. */
static bool do_end(struct host *h)
{
	struct user *u = &h->u;
	bool wrote = u->written == u->total && u->connected;
	bool drained = u->eof && u->read == u->delivered;

	if (u->err || (u->connected && h->kind != H_CONN && !u->eof)) {
		user_close(h, false);
		return true;
	}
	if (u->end == U_ABORT && h->sim->now_us >= u->early_us) {
		u->rude = true;
		host_abort(h);
		return true;
	}
	if (u->end == U_CLOSE_EARLY && h->sim->now_us >= u->early_us) {
		user_close(h, true);
		return true;
	}
	if (wrote && u->end == U_CLOSE) {
		/* what the peer still sends will be answered by a RST */
		user_close(h, h->peer->u.total > 0);
		return true;
	}
	if (wrote && u->end == U_SHUTDOWN && !u->shut) {
		u->shut = true;
		host_shutdown(h);
		if (!u->open)
			return true;
	}
	if (drained && (wrote || h->kind != H_CONN)) {
		user_close(h, false);
		return true;
	}
	/* a program's own idle timeout, far beyond any retransmission gap */
	if (h->sim->now_us - u->progress_us > 900 * SEC) {
		sim_note(h->sim, "%s: user gives up", h->name);
		u->gave_up = true;
		user_close(h, true);
		return true;
	}
	return false;
}

void user_step(struct host *h)
{
	struct user *u = &h->u;
	u32 before = u->written + u->read;

	u->due_us = 0;
	if (h->kind == H_CONN && !rnd_below(&h->sim->r, 64)) {
		h->t.nodelay ^= rnd_below(&h->sim->r, 2);
		h->t.cork ^= rnd_below(&h->sim->r, 2) && u->more;
	}
	do_read(h);
	if (u->open)
		do_write(h);
	if (u->open && do_end(h))
		return;
	if (!u->open)
		return;
	/* come back soon if there was work, else look in now and then */
	if (u->written + u->read != before)
		u->due_us = h->sim->now_us + 1 + rnd_below(&h->sim->r, u->think_us + 1);
	else
		u->due_us = h->sim->now_us + 300 * MS + rnd_below(&h->sim->r, SEC);
}
