// SPDX-License-Identifier: GPL-2.0
/* The table of small worlds. Together they take every row of edges.h. */
#include "world.h"

const struct scenario *sc;
struct xtcp_params params;
struct xtcp_tcb wish;

#define XTCP_AUTO	4096
static const struct xtcp_params defaults = {
#define XTCP_PARAM(name, def, min, max, unit, source, meaning) .name = (def),
#define XTCP_PARAM3(name, d0, d1, d2, min, max, unit, source, meaning) .name = { d0, d1, d2 },
#include "../../include/xtcp/params.h"
};

/* RACK and the tail loss probe: each round-trip time makes states of its own. */
static void rack(struct xtcp_params *p, struct xtcp_tcb *wish)
{
	p->tcp_reordering = 2;
}

/* Two segments above a hole are enough. */
static void sack(struct xtcp_params *p, struct xtcp_tcb *wish)
{
	p->tcp_reordering = 2;
	p->tcp_early_retrans = 0;
	p->tcp_recovery = 0;
}

static void reno(struct xtcp_params *p, struct xtcp_tcb *wish)
{
	p->tcp_reordering = 2;
	p->tcp_sack = 0;
}

static void timestamps(struct xtcp_params *p, struct xtcp_tcb *wish)
{
	p->tcp_timestamps = 2;
}

/* Nobody answers: the limits are reached soon. */
static void impatient(struct xtcp_params *p, struct xtcp_tcb *wish)
{
	p->tcp_syn_retries = 2;
	p->tcp_synack_retries = 2;
	p->tcp_retries2 = 2;
	p->tcp_orphan_retries = 2;
}

static void keepalive(struct xtcp_params *p, struct xtcp_tcb *wish)
{
	impatient(p, wish);
	wish->keepalive = 1;
	wish->keep_idle_ms = 10000;
	wish->keep_intvl_ms = 10000;
	wish->keep_cnt = 2;
}

static void user_timeout(struct xtcp_params *p, struct xtcp_tcb *wish)
{
	impatient(p, wish);
	wish->user_timeout_ms = 700;
	wish->connect_timeout_ms = 1500;
}

static void no_linger2(struct xtcp_params *p, struct xtcp_tcb *wish)
{
	wish->linger2_ms = -1;
}

const struct scenario scenarios[] = {
	{ .name = "polite", .what = "one byte each way, then both close",
	  .prog = { "o|src", "l|src" }, .polite = true,
	  .loss = 2, .dup = 1 },
	{ .name = "late", .what = "the same, packets slower than timers",
	  .prog = { "o|src", "l|src" }, .polite = true,
	  .loss = 1, .late = 1 },
	{ .name = "think", .what = "the same, users slower than timers, too",
	  .prog = { "o|src", "l|src" }, .polite = true,
	  .late = 1, .slow = 1 },
	{ .name = "half-close", .what = "each way until the end, one after the other",
	  .prog = { "o|shec", "l|esc" }, .polite = true,
	  .loss = 1, .dup = 1, .slow = 1 },
	{ .name = "twins", .what = "both open at once",
	  .prog = { "o|src", "o|src" }, .polite = true,
	  .loss = 2 },
	{ .name = "timestamps", .what = "one byte each way, with timestamps",
	  .prog = { "o|src", "l|src" }, .polite = true, .tune = timestamps,
	  .loss = 2, .slow = 1 },
	{ .name = "blind", .what = "forged RST, SYN and ACK, none of them exact",
	  .prog = { "o|src", "l|src" }, .polite = true,
	  .loss = 1, .forge = 1, .forge_mask = FORGE_RST_NEAR | FORGE_SYN | FORGE_ACK },
	{ .name = "window", .what = "four bytes through a window of two",
	  .prog = { "o|Shec", "l|ec" }, .polite = true, .rcvbuf = 2, .big = 4,
	  .loss = 1, .dup = 1, .slow = 1 },
	{ .name = "probe", .what = "the same, a slow reader and slow packets",
	  .prog = { "o|Shec", "l|ec" }, .polite = true, .rcvbuf = 2, .big = 4,
	  .loss = 1, .late = 1, .slow = 2 },
	{ .name = "reno", .what = "three segments without SACK",
	  .prog = { "o|Sc", "l|ec" }, .polite = true, .tune = reno, .big = 3 * MSS,
	  .loss = 2 },
	{ .name = "sack", .what = "three segments with SACK, RFC 6675",
	  .prog = { "o|Sc", "l|ec" }, .polite = true, .tune = sack, .big = 3 * MSS,
	  .loss = 2 },
	{ .name = "rack", .what = "two segments with RACK and the tail loss probe",
	  .prog = { "o|Sc", "l|ec" }, .polite = true, .tune = rack, .big = 2 * MSS,
	  .loss = 2 },
	{ .name = "again", .what = "the same two ports twice; TIME-WAIT at the listener",
	  .prog = { "o|ecosec", "l|csrc" }, .polite = true,
	  .loss = 1, .slow = 1 },
	{ .name = "again-dup", .what = "the same, with a duplicate",
	  .prog = { "o|ecosec", "l|csrc" }, .polite = true,
	  .dup = 1 },
	{ .name = "rude", .what = "closes and aborts at any moment",
	  .prog = { "o|sC", "l|sC" }, .silent_ok = true,
	  .loss = 1, .late = 1, .abort = 1 },
	{ .name = "early", .what = "both open at once and close before it is done",
	  .prog = { "o|Hec", "o|C" }, .silent_ok = true, .no_entry = true,
	  .loss = 1, .dup = 1, .abort = 1 },
	{ .name = "reset", .what = "an exact RST at any moment",
	  .prog = { "o|src", "l|src" }, .silent_ok = true,
	  .loss = 1, .forge = 1, .forge_mask = FORGE_RST },
	{ .name = "dead", .what = "the network dies at any moment",
	  .prog = { "o|src", "l|src" }, .silent_ok = true, .tune = impatient,
	  .loss = 1, .down = 1, .slow = 1 },
	{ .name = "dead-twins", .what = "both open at once, the network dies at any moment",
	  .prog = { "o|sc", "o|sc" }, .silent_ok = true, .no_entry = true, .tune = impatient,
	  .loss = 1, .down = 1 },
	{ .name = "keepalive", .what = "two users who wait, the network dies at any moment",
	  .prog = { "o|rc", "l|rc" }, .tune = keepalive,
	  .loss = 2, .dup = 1, .down = 1, .late = 1 },
	{ .name = "patience", .what = "user timeout, connect timeout",
	  .prog = { "o|src", "l|src" }, .silent_ok = true, .tune = user_timeout,
	  .loss = 1, .down = 1, .slow = 1 },
	{ .name = "linger2", .what = "no FIN_WAIT2 without a user",
	  .prog = { "o|sc", "l|rc" }, .tune = no_linger2,
	  .loss = 1, .dup = 1, .slow = 1 },
	{ .name = "listener", .what = "the listener closes at any moment",
	  .prog = { "o|sC", "l|Lc" }, .silent_ok = true, .tune = impatient,
	  .loss = 1, .dup = 1, .late = 1 },
	{ .name = "twins-dup", .what = "both open at once, a loss and a duplicate",
	  .prog = { "o|src", "o|src" }, .polite = true, .large = true,
	  .loss = 1, .dup = 1 },
	{ .name = "four", .what = "four segments with SACK, three duplicate ACKs",
	  .prog = { "o|Sc", "l|ec" }, .polite = true, .big = 4 * MSS, .large = true,
	  .loss = 1 },
	{ .name = "late-twice", .what = "packets slower than timers, twice",
	  .prog = { "o|src", "l|src" }, .polite = true, .large = true,
	  .late = 2, .slow = 1 },
};

const unsigned int n_scenarios = ARRAY_SIZE(scenarios);

/**
 * world_tune - knobs and wishes of the world sc
 */
void world_tune(void)
{
	params = defaults;
	params.tcp_timestamps = 0;
	params.tcp_window_scaling = 0;
	params.tcp_moderate_rcvbuf = 0;
	params.tcp_slow_start_after_idle = 0;
	params.tcp_synack_retries = 3;
	xtcp_tcb_init(&wish, &params, false);
	/* three segments say nothing about a curve; its times would only make states */
	wish.cc = &xtcp_cc_reno;
	if (sc->tune)
		sc->tune(&params, &wish);
}
