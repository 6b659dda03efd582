// SPDX-License-Identifier: GPL-2.0
/* Opening and closing with each packet lost, the core at both ends of the wire. */
#include "pair.h"

/* Both ends are ESTABLISHED and 1500 bytes get through each way. */
static void talks(struct pair *w, const char *name)
{
	u32 got0, got1;

	is(pair_state(w, 0), XTCP_ESTABLISHED, "pair: %s: one end is ESTABLISHED", name);
	is(pair_state(w, 1), XTCP_ESTABLISHED, "pair: %s: the other is", name);
	got0 = pair_got(w, 0);
	got1 = pair_got(w, 1);
	pair_send(w, 0, 1500);
	pair_send(w, 1, 1500);
	pair_run(w, 5 * SEC);
	is(pair_got(w, 0) - got0, 1500, "pair: %s: data arrives", name);
	is(pair_got(w, 1) - got1, 1500, "pair: %s: both ways", name);
	is(w->e[0].u.err | w->e[1].u.err, 0, "pair: %s: nobody saw an error", name);
}

struct open_row {
	const char *name;
	u8 lose[2][K_NR];	/* of end 0, the client, and end 1 */
	bool both;		/* simultaneous open */
	u8 sent[2][3];		/* SYNs and SYN-ACKs; then whether data is sent early */
	u32 ms;			/* until both are connected */
};

static const struct open_row open_rows[] = {
	{ "nothing lost: three packets (0-2 0-20)", { { 0 }, { 0 } }, false,
	  { { 1, 0 }, { 0, 1 } }, 30 },
	{ "SYN lost (4-38)", { { [K_SYN] = 1 }, { 0 } }, false, { { 2, 0 }, { 0, 1 } }, 1030 },
	{ "three SYNs lost: 1 + 2 + 4 s (4-38 4-41)", { { [K_SYN] = 3 }, { 0 } }, false,
	  { { 4, 0 }, { 0, 1 } }, 7030 },
	/* the server's second goes by its timer at 1.010 s, its third answers the second SYN */
	{ "SYN-ACK lost: both repeat (4-43)", { { 0 }, { [K_SYNACK] = 1 } }, false,
	  { { 2, 0 }, { 0, 3 } }, 1030 },
	/* the second SYN-ACK goes a second after the first, before the third SYN */
	{ "SYN and SYN-ACK lost (4-43)", { { [K_SYN] = 1 }, { [K_SYNACK] = 1 } }, false,
	  { { 2, 0 }, { 0, 2 } }, 2030 },
	{ "third packet lost: SYN-ACK again (4-46)", { { [K_ACK] = 1 }, { 0 } }, false,
	  { { 1, 0 }, { 0, 2 } }, 1030 },
	{ "third packet lost twice (4-46)", { { [K_ACK] = 2 }, { 0 } }, false,
	  { { 1, 0 }, { 0, 3 } }, 3030 },
	{ "third packet lost, data behind it (4-27)", { { [K_ACK] = 1 }, { 0 } }, false,
	  { { 1, 0, 1 }, { 0, 1 } }, 60 },
	{ "simultaneous, nothing lost (4-128)", { { 0 }, { 0 } }, true,
	  { { 1, 1 }, { 1, 1 } }, 30 },
	/* its SYN lost it hears the other's, and answers: only one was in SYN_RECV */
	{ "simultaneous, one SYN lost (4-128)", { { [K_SYN] = 1 }, { 0 } }, true,
	  { { 1, 1 }, { 1, 0 } }, 30 },
	{ "simultaneous, the other SYN lost (4-128)", { { 0 }, { [K_SYN] = 1 } }, true,
	  { { 1, 0 }, { 1, 1 } }, 30 },
	{ "simultaneous, both SYNs lost (4-128 4-38)", { { [K_SYN] = 1 }, { [K_SYN] = 1 } },
	  true, { { 2, 1 }, { 2, 1 } }, 1030 },
	{ "simultaneous, one SYN-ACK lost (4-128)", { { [K_SYNACK] = 1 }, { 0 } }, true,
	  { { 1, 1 }, { 1, 2 } }, 1100 },
	{ "simultaneous, both SYN-ACKs lost (4-128)", { { [K_SYNACK] = 1 }, { [K_SYNACK] = 1 } },
	  true, { { 1, 2 }, { 1, 2 } }, 1100 },
};

static void open_row(const struct open_row *r)
{
	struct pair w;
	u64 at = 0;
	int i, k;

	pair_init(&w);
	w.e[1].listens = !r->both;
	for (i = 0; i < 2; i++)
		for (k = 0; k < K_NR; k++)
			w.e[i].lose[k] = r->lose[i][k];
	pair_connect(&w, 0);
	if (r->both)
		pair_connect(&w, 1);
	for (i = 0; i < 800 && !at; i++) {
		pair_run(&w, 10 * MS);
		if (r->sent[0][2] && i == 2)
			pair_send(&w, 0, 100);
		if (pair_state(&w, 0) == XTCP_ESTABLISHED &&
		    pair_state(&w, 1) == XTCP_ESTABLISHED)
			at = w.now;
	}
	ok(at && (at - w.start) / MS <= r->ms, "pair: open: %s: within %u ms", r->name, r->ms);
	if (!at || (at - w.start) / MS > r->ms)
		printf("#   after %llu ms\n", (unsigned long long)(at - w.start) / MS);
	pair_run(&w, 50 * MS);
	for (i = 0; i < 2; i++) {
		is(w.e[i].sent[K_SYN], r->sent[i][0], "pair: open: %s: SYNs of end %d", r->name,
		   i);
		is(w.e[i].sent[K_SYNACK], r->sent[i][1], "pair: open: %s: SYN-ACKs of end %d",
		   r->name, i);
	}
	talks(&w, r->name);
	pair_free(&w);
}

/* SEEDS 4-45: every SYN-ACK lost, one SYN and two SYN-ACKs more */
static void synacks_all_lost(void)
{
	struct pair w;

	pair_init(&w);
	w.e[0].u.p.tcp_syn_retries = 1;
	w.e[1].u.p.tcp_synack_retries = 2;
	w.e[1].listens = true;
	w.e[1].lose[K_SYNACK] = 100;
	pair_connect(&w, 0);
	pair_run(&w, 30 * SEC);
	is(w.e[0].sent[K_SYN], 2, "pair: every SYN-ACK lost: two SYNs (4-45)");
	is((w.e[0].over_us - w.start) / MS, 3000, "pair: the client gives up in 1 + 2 s (4-45)");
	is(w.e[0].u.err, ETIMEDOUT, "pair: ... with ETIMEDOUT (4-45)");
	is((w.e[1].over_us - w.start) / MS, 7010, "pair: the server after 1 + 2 + 4 s (4-45)");
	is(w.e[1].sent[K_SYNACK], 4, "pair: three by its timer, one for the second SYN (4-45)");
	pair_free(&w);
}

/* SEEDS 4-48, 4-49: third packet always lost; the client's data then meets nobody */
static void acks_all_lost(void)
{
	struct pair w;

	pair_init(&w);
	w.e[1].u.p.tcp_synack_retries = 2;
	w.e[1].listens = true;
	w.e[0].lose[K_ACK] = 100;
	pair_connect(&w, 0);
	pair_run(&w, 10 * SEC);
	is(pair_state(&w, 0), XTCP_ESTABLISHED, "pair: third packets lost: client is up (4-48)");
	is(w.e[1].sent[K_SYNACK], 3, "pair: two more SYN-ACKs (4-48)");
	is(w.e[0].sent[K_ACK], 3, "pair: each answered, none repeated by itself (4-47)");
	is((w.e[1].over_us - w.start) / MS, 7010, "pair: dropped after 1 + 2 + 4 s (4-48)");
	pair_send(&w, 0, 10);
	pair_run(&w, SEC);
	ok(w.e[0].got_rst, "pair: the client's data is answered with RST (4-49)");
	is(w.e[0].u.err, ECONNRESET, "pair: ... and it hears of it (4-49)");
	pair_free(&w);
}

static void established(struct pair *w)
{
	pair_init(w);
	w->e[1].listens = true;
	pair_connect(w, 0);
	pair_run(w, 100 * MS);
	pair_send(w, 0, 100);
	pair_send(w, 1, 100);
	pair_run(w, 500 * MS);
	memset(w->e[0].sent, 0, sizeof(w->e[0].sent));
	memset(w->e[1].sent, 0, sizeof(w->e[1].sent));
}

struct close_row {
	const char *name;
	u8 lose[2][K_NR];
	u32 second_ms;		/* when end 1 closes; 0: at the same time */
	u8 fins[2];		/* sent */
	u8 last[2];		/* states at the end */
};

static const struct close_row close_rows[] = {
	{ "nothing lost (0-10 1-5 1-6)", { { 0 }, { 0 } }, 100, { 1, 1 },
	  { XTCP_TIME_WAIT, XTCP_CLOSE } },
	{ "first FIN lost (4-66)", { { [K_FIN] = 1 }, { 0 } }, 2000, { 2, 1 },
	  { XTCP_TIME_WAIT, XTCP_CLOSE } },
	{ "its ACK lost (4-68)", { { 0 }, { [K_ACK] = 1 } }, 2000, { 2, 1 },
	  { XTCP_TIME_WAIT, XTCP_CLOSE } },
	{ "its ACK lost, the other FIN comes in between (4-68 1-9)", { { 0 }, { [K_ACK] = 1 } },
	  100, { 1, 1 }, { XTCP_TIME_WAIT, XTCP_CLOSE } },
	{ "second FIN lost (1-13)", { { 0 }, { [K_FIN] = 1 } }, 100, { 1, 2 },
	  { XTCP_TIME_WAIT, XTCP_CLOSE } },
	{ "last ACK lost (0-18 1-13 4-78)", { { [K_ACK] = 1 }, { 0 } }, 100, { 1, 2 },
	  { XTCP_TIME_WAIT, XTCP_CLOSE } },
	{ "last ACK lost three times (0-18 4-78)", { { [K_ACK] = 3 }, { 0 } }, 100, { 1, 4 },
	  { XTCP_TIME_WAIT, XTCP_CLOSE } },
	{ "both at once (X-1)", { { 0 }, { 0 } }, 0, { 1, 1 },
	  { XTCP_TIME_WAIT, XTCP_TIME_WAIT } },
	{ "both at once, one FIN lost (X-1)", { { [K_FIN] = 1 }, { 0 } }, 0, { 2, 1 },
	  { XTCP_TIME_WAIT, XTCP_TIME_WAIT } },
	{ "both at once, both FINs lost (X-1)", { { [K_FIN] = 1 }, { [K_FIN] = 1 } }, 0, { 2, 2 },
	  { XTCP_TIME_WAIT, XTCP_TIME_WAIT } },
	{ "both at once, an ACK lost (X-1 4-68)", { { [K_ACK] = 1 }, { 0 } }, 0, { 1, 2 },
	  { XTCP_TIME_WAIT, XTCP_TIME_WAIT } },
	{ "both at once, both ACKs lost (X-1 4-68)", { { [K_ACK] = 1 }, { [K_ACK] = 1 } }, 0,
	  { 2, 2 }, { XTCP_TIME_WAIT, XTCP_TIME_WAIT } },
};

static void close_row(const struct close_row *r)
{
	struct pair w;
	int i, k;

	established(&w);
	for (i = 0; i < 2; i++)
		for (k = 0; k < K_NR; k++)
			w.e[i].lose[k] = r->lose[i][k];
	pair_shutdown(&w, 0);
	pair_run(&w, r->second_ms * MS);
	pair_shutdown(&w, 1);
	pair_run(&w, 20 * SEC);
	for (i = 0; i < 2; i++) {
		is(pair_state(&w, i), r->last[i], "pair: close: %s: state of end %d", r->name, i);
		is(w.e[i].sent[K_FIN], r->fins[i], "pair: close: %s: FINs of end %d", r->name, i);
		is(w.e[i].sent[K_RST], 0, "pair: close: %s: no RST of end %d", r->name, i);
		is(w.e[i].u.err, 0, "pair: close: %s: no error at end %d", r->name, i);
	}
	pair_free(&w);
}

/* SEEDS 0-11, 3-3, 4-70, 4-72: one end is done, the other sends on for a long time */
static void half_close(void)
{
	unsigned int i;
	struct pair w;

	established(&w);
	pair_shutdown(&w, 0);
	for (i = 0; i < 10; i++) {
		pair_run(&w, 100 * SEC);
		/* every third piece is lost once */
		w.e[1].lose[K_DATA] = i % 3 == 2;
		pair_send(&w, 1, 500);
	}
	pair_run(&w, 100 * SEC);
	is(pair_state(&w, 0), XTCP_FIN_WAIT2, "pair: half-closed 1000 s: FIN_WAIT2 (4-70 4-72)");
	is(pair_state(&w, 1), XTCP_CLOSE_WAIT, "pair: half-closed: CLOSE_WAIT for ever (0-21)");
	is(pair_got(&w, 0), 100 + 5000, "pair: half-closed: all of it arrives (0-11 3-3)");
	pair_shutdown(&w, 1);
	pair_run(&w, SEC);
	is(pair_state(&w, 0), XTCP_TIME_WAIT, "pair: then the other FIN: TIME_WAIT (3-3)");
	is(pair_state(&w, 1), XTCP_CLOSE, "pair: ... and CLOSE (1-12)");
	pair_free(&w);
}

/* Close with data in flight, all kinds of loss: the stream arrives whole before its FIN. */
static void data_before_fin(void)
{
	unsigned int lost;
	struct pair w;

	for (lost = 0; lost < 4; lost++) {
		established(&w);
		w.e[0].lose[K_DATA] = lost;
		pair_send(&w, 0, 3500);
		pair_shutdown(&w, 0);
		pair_run(&w, 20 * SEC);
		is(pair_got(&w, 1), 100 + 3500, "pair: %u pieces before FIN lost: all arrive (4-5)",
		   lost);
		is(pair_state(&w, 1), XTCP_CLOSE_WAIT,
		   "pair: %u pieces lost: the FIN counts when they are there (4-125)", lost);
		is(pair_state(&w, 0), XTCP_FIN_WAIT2, "pair: %u pieces lost: FIN_WAIT2", lost);
		pair_free(&w);
	}
}

/* SEEDS 1-18, D-15, X-1: a closed end never stays, whatever is lost */
static void nobody_answers(void)
{
	struct pair w;
	u64 t0;

	established(&w);
	w.e[0].u.p.tcp_orphan_retries = 3;
	w.e[1].lose[K_ACK] = 1000;
	w.e[1].lose[K_FIN] = 1000;
	t0 = w.now;
	pair_close(&w, 0);
	pair_run(&w, 600 * SEC);
	is(w.e[0].sent[K_FIN], 4, "pair: FIN never answered: three more (4-67 D-3)");
	is(pair_state(&w, 0), XTCP_CLOSE, "pair: ... and FIN_WAIT1 ends (4-66)");
	ok(w.e[0].over_us - t0 < 10 * SEC, "pair: ... within seconds (4-66)");
	is(w.e[0].sent[K_RST], 0, "pair: ... without a RST (D-15)");
	pair_free(&w);
	established(&w);
	w.e[1].u.p.tcp_orphan_retries = 3;
	pair_shutdown(&w, 0);
	pair_run(&w, SEC);
	w.e[0].lose[K_ACK] = 1000;
	w.e[1].lose[K_FIN] = 1000;
	pair_close(&w, 1);
	pair_run(&w, 600 * SEC);
	is(w.e[1].sent[K_FIN], 4, "pair: LAST_ACK not answered: three FINs more (1-18 4-76)");
	is(pair_state(&w, 1), XTCP_CLOSE, "pair: ... and LAST_ACK ends (1-18)");
	is(w.e[1].sent[K_RST], 0, "pair: ... without a RST (D-15)");
	is(pair_state(&w, 0), XTCP_FIN_WAIT2, "pair: the half-closed end waits on (4-72)");
	pair_free(&w);
}

void test_pair(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(open_rows); i++)
		open_row(&open_rows[i]);
	synacks_all_lost();
	acks_all_lost();
	for (i = 0; i < ARRAY_SIZE(close_rows); i++)
		close_row(&close_rows[i]);
	half_close();
	data_before_fin();
	nobody_answers();
}
