/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The simulator: two to four hosts, a bad network between them, programs that
 * behave at random, one virtual clock. A run is a pure function of its seed.
 *
 *	world.c	the scenario a seed stands for: hosts, links, connections to be
 *	net.c	packets in flight: loss, duplicates, reordering, rate, cuts, GSO and GRO
 *	flow.c	connection, request, TIME-WAIT entry or listener: who gets a segment
 *	listen.c the passive side: listeners, requests, cookies, children
 *	conn.c	what the kernel side does with a verdict; range nodes, bytes
 *	check.c	the invariants after every step
 *	user.c	what programs do with a socket
 *	sim.c	event loop, final checks
 *	main.c	seeds by the million, one allocation failing after the other, replay
 */
#ifndef XTCP_SIM_H
#define XTCP_SIM_H

#include "testlib.h"

#define STREAM_MAX	(512u << 10)	/* bytes one user may write in one connection */
#define MAX_HOSTS	4
#define NOBODY		MAX_HOSTS	/* an address without a machine */
#define MAX_FLOWS	64		/* alive at a time */
#define MAX_TUPLES	64
#define MAX_CUTS	6
#define MAX_PLANS	8
#define MAX_JUMPS	4
#define PORT_SERVICE	80		/* where a host listens, if it does */
#define PORT_CLOSED	81

struct pkt {
	u64 at_us, order;		/* arrival; ties in order of sending */
	u32 seq, ack, len;
	u16 wnd, urg, segs, mss, sport, dport;
	u8 flags, ecn, from, to, optlen;
	u8 icmp;			/* errno of an ICMP error about a segment of @to, 0: TCP */
	u16 icmp_mss;			/* with EMSGSIZE: what fits */
	u8 opt[XTCP_MAX_OPT];
	u8 data[];
};

/* One direction between two hosts. */
struct link {
	u32 loss_pm, dup_pm, reorder_pm, corrupt_pm, trunc_pm, gro_pm, inject_pm;
	u32 mark_pm;			/* ECN-capable packets that are marked, of 1000 */
	u32 delay_us, jitter_us, late_us;
	u32 rate;			/* bytes per second, 0: no limit */
	u32 queue_us;			/* longest queue at that rate */
	u64 busy_us;			/* the rate limiter is busy until then */
	u64 sent_at_us;			/* arrival of the last packet: FIFO unless reordered */
	u64 narrow_us;			/* from then on the path takes narrow_mss only, 0: never */
	u16 narrow_mss;
};

/* For a while nothing passes from the hosts in @a to those in @b. */
struct cut {
	u64 from_us, to_us;
	u8 a, b;
};

/* The clock of a host leaps, as after a suspend. */
struct jump {
	u64 at_us, by_us;
	u8 host;
};

/* All that the kernel side allocates. */
enum alloc { AL_NODE, AL_SOCK, AL_REQUEST, AL_CHILD, AL_TIMEWAIT, AL_XMIT, AL_REPLY, AL_PAYLOAD,
	     AL_NR };

enum user_end { U_SHUTDOWN, U_CLOSE, U_WAIT_EOF, U_ABORT, U_CLOSE_EARLY, U_SHUT_BOTH };

struct user {
	u32 total;			/* bytes it means to write */
	u32 write_max, read_max;
	u32 think_us;			/* longest pause between two calls */
	u64 lazy_us;			/* one long pause before reading */
	u64 hold_us;			/* how long it keeps the socket once all is said */
	u64 early_us;			/* U_ABORT, U_CLOSE_EARLY: when */
	u32 sndbuf;
	u8 end;				/* enum user_end */
	bool more, oob;

	u64 start_us;			/* connect() is still to come, 0: no */
	bool open;			/* holds a socket */
	bool connected, eof, shut, rude, gave_up;
	bool asleep;			/* has nothing to do until it is woken */
	int err;
	u32 written, acked;		/* bytes handed over, bytes the core released */
	u32 oob_end;			/* behind the last urgent byte */
	u32 delivered, read;
	u64 due_us;			/* next call */
	u64 progress_us, lazy_until_us, hold_until_us;
};

/* Bytes held out of order: positions in the stream, sorted, neither touching nor empty. */
struct span { u32 from, to; };

enum flow_kind { F_OVER, F_REQUEST, F_CONN, F_TIMEWAIT };

/*
 * One row of a host's flow table, and the socket of a connection, which stays
 * (F_OVER, in no table) until its program has closed it.
 */
struct flow {
	struct host *host;
	u8 peer;			/* host number or NOBODY */
	u16 lport, rport;
	u8 kind;			/* enum flow_kind */
	char name[24];
	u64 born;			/* order of appearance */
	u64 born_us;
	u64 due_us;			/* of a request or TIME-WAIT entry, by the host's clock */
	struct xtcp_rq rq;
	struct xtcp_twc tw;
	u64 tw_ack_us;			/* last ACK of tw to a bad segment */
	u32 tw_ts_off;

	struct xtcp_tcb t;
	struct user u;
	bool was_conn;			/* a connection once: checked at the end */
	bool child;			/* born from a request */
	bool queued;			/* waits for accept() */
	bool met_tw;			/* its SYN met an older flow at the other side */
	bool hopeless;			/* nobody there to answer, or only with a RST */
	bool cross;			/* the other end connects, too */
	u16 mss_cap;
	u32 rcvbuf, ooo_bytes;
	u32 iss, irs, key_tx, key_rx;
	bool irs_set;
	u32 edge_seq;			/* right edge last offered to the peer */
	bool edge_set;
	u16 syn_wnd;			/* of our SYN, when the peer's ISN is not known yet */
	u32 snd_edge;			/* rightmost edge the peer ever offered */
	u8 ca_was;			/* ca_state at the last check */
	bool cwr_set;			/* an echo of ECN has reduced cwnd, at cwr_high */
	u32 cwr_high;
	u64 orphan_us;			/* when its program let go, 0: not yet */
	u64 heard_us;			/* last segment of the peer */
	u64 waits_us;			/* since when something waits for the peer, 0: nothing */
	u64 waited_us;			/* when something did last */
	u64 dev_us;			/* its device has work until then */
	u64 wake_us;			/* and tells then that some is done, 0: nobody waits */
	struct flow *mate;		/* the other end, once known */
	struct span *held;
	u32 n_held, cap_held;
	struct flow *next;		/* among those that are over */
};

struct host {
	struct sim *sim;
	u8 id;
	struct xtcp_params p;
	struct xtcp_key key;
	u64 ahead_us;			/* its clock less the simulator's; only grows */
	u32 ts_near;			/* timestamps start below the wrap: their offset, 0: not */
	struct xtcp_tcb opts;		/* options new sockets and children inherit */
	bool listening, deaf;		/* deaf: did so, and closed the listener */
	bool harsh;			/* options that may reset a good connection */
	u32 backlog, queued, requests;
	u8 cookies;			/* 0: no SYN cookies, 1: beyond the backlog, 2: always */
	u32 cookie_tick;		/* when one was sent last, plus 1; 0: never */
	u64 accept_us;			/* next accept(), 0: nobody waits */
	u64 deaf_us;			/* the listener closes then, 0: never */
	u32 accept_think_us;
	u16 adv_mss, mss_cap;
	u32 gso_max, rcvbuf, rcvbuf_max;
	u8 rcv_wscale;
	u32 accepted;			/* connections born from the listener */
};

/* Who connects to whom. */
struct plan {
	u8 c, d;			/* client, and whom it wants: host number or NOBODY */
	u16 lport, rport;
	bool cross;			/* the other end connects, too */
};

struct tuple {
	u8 host, peer;
	u16 lport, rport;
	u32 base;
};

/* What a run has met; many runs together must meet all of it. */
enum seen {
#define SIM_SEEN(NAME, text) SEEN_##NAME,
#include "seen.h"
#undef SIM_SEEN
	SEEN_NR
};

struct sim {
	u64 seed, now_us, order;
	struct rnd r;
	bool ladder, hostile, small;
	bool calm;			/* no loss, cut, jump or memory fault: no error allowed */
	u32 n_host;
	struct host h[MAX_HOSTS];
	struct link link[MAX_HOSTS][MAX_HOSTS];	/* [from][to] */
	struct cut cut[MAX_CUTS];
	struct jump jump[MAX_JUMPS];
	u32 n_cut, n_jump, jumps_done;
	bool cut_for_ever;
	u32 icmp_pm;			/* how often ICMP tells of nobody */
	u32 near_iss;			/* 1: ISNs start below 2^32, 2: below 2^31, 0: at random */
	struct plan plan[MAX_PLANS];
	u32 n_plan;
	u8 service;			/* mask of hosts that listen */
	struct tuple tuple[MAX_TUPLES];
	u32 n_tuple;
	u32 pm[AL_NR];			/* allocations that fail, of 1000 */
	u32 challenge_pm, accept_full_pm;
	u64 n_alloc, fail_at;		/* fail_at: that allocation fails, 0: none */
	int failed_what;		/* which kind it was, -1: none yet */
	long live[AL_NR];		/* things alive */
	u32 rounds, round, connects;
	u64 progress_us;		/* when a byte was last delivered or acknowledged */
	u64 steps, packets, bytes, users, polite, errors;
	u64 digest;			/* of what was sent, and when */
	u64 seen;			/* mask of enum seen */
	struct flow *flow[MAX_FLOWS];
	u32 n_flow;
	struct flow *over;		/* sockets closed in this round */
	const char *why;
	struct pkt **heap;		/* stays when the rest is zeroed */
	unsigned int n_heap, cap_heap;
};

static inline u64 host_now(const struct host *h)
{
	return h->sim->now_us + h->ahead_us;
}

static inline char host_letter(u8 id)
{
	return id < MAX_HOSTS ? 'A' + id : '?';
}

static inline void saw(struct sim *s, enum seen what)
{
	s->seen |= 1ULL << what;
}

/* Ends the run: prints nothing here, sim.c reports and replays. */
void __noreturn __printf(2, 3) sim_fail(struct sim *s, const char *fmt, ...);
void __printf(2, 3) sim_note(struct sim *s, const char *fmt, ...);

/* sim.c */
extern const char *const alloc_names[AL_NR];
const char *sim_run(struct sim *s, u64 seed);

/* world.c */
void world_init(struct sim *s, u64 seed);
void world_round(struct sim *s);
u32 misery(const struct sim *s, u8 a, u8 b);
bool sim_alloc(struct sim *s, enum alloc what);
u32 pick_iss(struct host *h, u8 peer, u16 lport, u16 rport);
u32 pick_ts_off(struct host *h, u8 peer);

/* net.c */
struct pkt *pkt_new(u32 len);
void net_send(struct host *from, u8 to, u16 lport, u16 rport, struct pkt *k);
struct pkt *net_pop(struct sim *s);
u64 net_next_us(const struct sim *s);
void net_clear(struct sim *s);
void net_inject(struct host *to);
void ladder_pkt(struct sim *s, const struct pkt *k, const char *what);

/* conn.c */
void pool_fill(struct flow *f, unsigned int want);
void conn_prep(struct flow *f);
void conn_setup(struct flow *f);
void conn_execute(struct flow *f, const struct pkt *k, struct xtcp_verdict *v);
void conn_end(struct flow *f);
void note_edges(struct flow *f, const struct xtcp_verdict *v);
struct pkt *pkt_from_reply(const struct xtcp_reply *r);

/* check.c */
void conn_check(struct flow *f);
const char *why_alive(const struct flow *f);
void find_mate(struct flow *f);

/* flow.c */
struct flow *flow_new(struct host *h, u8 peer, u16 lport, u16 rport, enum flow_kind kind);
void flow_free(struct flow *f);
void flow_settle(struct flow *f);
struct flow *flow_find(struct host *h, u8 peer, u16 lport, u16 rport);
void flow_timewait(struct flow *f, bool fin_wait2);
void host_rx(struct host *h, const struct pkt *k);
void flow_timer(struct flow *f);
void send_reply(struct host *h, const struct pkt *k, const struct xtcp_verdict *v);
u64 flow_next_us(const struct flow *f);

/* listen.c */
void listen_rx(struct host *h, const struct pkt *k, struct xtcp_seg *g, u32 least_iss);
void request_rx(struct flow *f, const struct pkt *k, struct xtcp_seg *g);
void send_synack(struct flow *f);
void host_deaf(struct host *h);

/* user.c */
void user_init(struct sim *s, struct user *u);
void user_open(struct flow *f);
void user_step(struct flow *f);
void user_wake(struct flow *f);
void user_accept(struct host *h);

#endif /* XTCP_SIM_H */
