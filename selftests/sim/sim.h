/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two-endpoint simulator: two hosts, a bad network between them, users who
 * behave at random, one virtual clock. A run is a pure function of its seed.
 *
 *	net.c	packets in flight: loss, duplicates, reordering, rate, outages, GSO and GRO
 *	host.c	what the kernel side does with a verdict; range nodes, bytes
 *	flow.c	connection, request, TIME-WAIT entry or listener: who gets a segment
 *	user.c	what programs do with a socket
 *	sim.c	scenario from the seed, event loop, final checks, ladder
 */
#ifndef XTCP_SIM_H
#define XTCP_SIM_H

#include "testlib.h"

#define STREAM_MAX	(512u << 10)	/* bytes one user may write in one connection */

struct pkt {
	u64 at_us, order;		/* arrival; ties in order of sending */
	u32 seq, ack, len;
	u16 wnd, urg, segs, mss;
	u8 flags, ecn, to, optlen;
	u8 opt[XTCP_MAX_OPT];
	u8 data[];
};

/* One direction of the network. */
struct link {
	u32 loss_pm, dup_pm, reorder_pm, corrupt_pm, gro_pm, inject_pm;
	u32 delay_us, jitter_us, late_us;
	u32 rate;			/* bytes per second, 0: no limit */
	u32 queue_us;			/* longest queue at that rate */
	u64 busy_us;			/* the rate limiter is busy until then */
	u64 down_us, up_us;		/* outage in [down, up) */
	u64 sent_at_us;			/* arrival of the last packet: FIFO unless reordered */
};

enum host_kind { H_NONE, H_REQUEST, H_CONN, H_TIMEWAIT };

enum user_end { U_SHUTDOWN, U_CLOSE, U_WAIT_EOF, U_ABORT, U_CLOSE_EARLY, U_NR };

struct user {
	u32 total;			/* bytes it means to write */
	u32 write_max, read_max;
	u32 think_us;			/* longest pause between two calls */
	u64 lazy_us;			/* one long pause before reading */
	u64 early_us;			/* U_ABORT, U_CLOSE_EARLY: when */
	u32 sndbuf;
	u8 end;				/* enum user_end */
	bool more, oob;

	bool open;			/* holds a socket */
	bool connected, eof, shut, rude, gave_up;
	int err;
	u32 written, acked;		/* bytes handed over, bytes the core released */
	u32 delivered, read;
	u64 due_us;			/* next call */
	u64 progress_us, lazy_until_us;
};

struct host {
	struct sim *sim;
	const char *name;
	u8 id;
	struct host *peer;
	struct xtcp_params p;
	struct xtcp_key key;
	struct xtcp_tcb listener;	/* options children inherit */
	bool listening;
	enum host_kind kind;
	struct xtcp_tcb t;
	struct xtcp_rq rq;
	struct xtcp_twc tw;
	u64 tw_ack_us;			/* last ACK of tw to a bad segment */
	u64 due_us;			/* of the request or TIME-WAIT entry */
	u32 reopen_iss;			/* least ISN after TIME-WAIT, 0: none */
	u16 adv_mss, mss_cap;
	u32 gso_max, rcvbuf, rcvbuf_max;
	u8 rcv_wscale;
	u32 ooo_bytes;
	u32 edge_seq;			/* right edge last offered to the peer */
	bool edge_set;
	u32 accepted;			/* connections born from the listener */
	u32 key_tx;			/* stream contents of this round */
	struct user u;
	u8 *rbuf, *have;		/* STREAM_MAX each */
	u32 have_max;
};

struct sim {
	u64 seed, now_us, order;
	struct rnd r;
	struct link link[2];		/* [i]: towards host i */
	struct host h[2];
	struct pkt **heap;
	unsigned int n_heap, cap_heap;
	bool ladder, self, simultaneous, hostile;
	u32 nomem_pm, xmitfail_pm, full_pm;
	long nodes;			/* range nodes alive */
	u32 rounds, round;
	u64 steps, packets, bytes;
	bool calm;			/* no loss, outage or memory fault: no error allowed */
	bool tw_at_start;		/* this connect() met TIME-WAIT at the server */
	const char *why;
};

/* Ends the run: prints nothing here, sim.c reports and replays. */
void __noreturn __printf(2, 3) sim_fail(struct sim *s, const char *fmt, ...);
void __printf(2, 3) sim_note(struct sim *s, const char *fmt, ...);

/* net.c */
struct pkt *pkt_new(u32 len);
void net_send(struct sim *s, struct host *from, struct pkt *k);
struct pkt *net_pop(struct sim *s);
u64 net_next_us(const struct sim *s);
void net_clear(struct sim *s);
void net_inject(struct sim *s, struct host *to);
void ladder_pkt(struct sim *s, const struct pkt *k, u8 from, const char *what);

/* host.c */
void conn_prep(struct host *h);
void conn_setup(struct host *h);
void conn_execute(struct host *h, const struct pkt *k, struct xtcp_verdict *v);
void note_edges(struct host *h, const struct xtcp_verdict *v);
void user_attach(struct host *h);
struct pkt *pkt_from_reply(const struct xtcp_reply *r);
void host_connect(struct host *h);
void host_send(struct host *h, u32 n, bool more, bool oob);
void host_read(struct host *h, u32 n);
void host_shutdown(struct host *h);
void host_close(struct host *h);
void host_abort(struct host *h);
void host_drop_flow(struct host *h);

/* flow.c */
void host_rx(struct host *h, const struct pkt *k);
void host_timer(struct host *h);
u64 host_next_us(const struct host *h);

/* user.c */
void user_init(struct sim *s, struct user *u);
void user_step(struct host *h);
void user_wake(struct host *h);

#endif /* XTCP_SIM_H */
