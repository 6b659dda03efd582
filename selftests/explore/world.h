/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exhaustive mode: every interleaving of a small world. Two hosts, the
 * packets between them, two user programs and one clock make a state; what can
 * happen next are its actions. The search visits every state that can be
 * reached, checks it, and knows that each can still come to an end.
 *
 *	worlds.c	the table of small worlds
 *	host.c		what the kernel side does with a verdict; checks after each step
 *	flow.c		connection, request, entry or listener: who gets a segment or expiry
 *	action.c	what can happen in a state, and making it happen
 *	canon.c		when two states have the same future
 *	search.c	breadth first, liveness, path to a failure
 *	explore.c	options, edges, report
 *
 * A packet takes no time unless a timer overtakes it; so the order of all
 * events is free, and time moves from one deadline to the next.
 */
#ifndef XTCP_EXPLORE_WORLD_H
#define XTCP_EXPLORE_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/core/tcb.h"

#define MS		1000ULL		/* in microseconds */
#define SEC		1000000ULL
#define MSL_US		(30 * SEC)	/* no packet lives longer */

#define N_NODES		40
#define N_PKTS		24
#define STREAM_MAX	256		/* bytes a program may write */
#define MSS		48

enum kind { K_NONE, K_REQUEST, K_CONN, K_ENTRY };

struct pkt {
	u64 sent_us;
	u32 off;			/* of the payload in the sender's stream */
	u8 to;
	u8 gen;				/* which of the sender's connections it is of */
	bool forged;
	struct xtcp_seg g;
};

struct host {
	u8 kind;			/* enum kind */
	u8 gen, peer_gen;		/* connections begun; which of the peer's this one knows */
	bool listening;
	struct xtcp_tcb t, l;		/* connection, listener */
	struct xtcp_rq rq;
	struct xtcp_twc twc;
	u64 due_us;			/* of the request or entry */
	u64 tw_ack_us;			/* last ACK of the entry to a bad segment */
	u32 edge;			/* right edge last offered */
	bool edge_set;
	u64 nodes_used;
	struct xtcp_rng node[N_NODES];

	/* the user */
	u8 pc;				/* next letter of the program */
	bool held;			/* holds a socket */
	bool connected, eof, shut, rude;
	int err;
	u16 written, acked, delivered, read;
	u8 dups;			/* duplicate ACKs since the last good one */
	u64 have[STREAM_MAX / 64];	/* bytes held, in order or not */
};

struct world {
	u64 now;
	struct host h[2];
	unsigned int n_q;
	struct pkt q[N_PKTS];
	/* how often each may still happen */
	u8 loss, dup, late, slow, abort, forge, down;
	bool dead;			/* the network carries nothing any more */
};

/* Forged segments a world may contain. */
enum forgery {
	FORGE_RST	= 1 << 0,	/* at RCV.NXT: believed */
	FORGE_RST_NEAR	= 1 << 1,	/* in window: challenge ACK */
	FORGE_SYN	= 1 << 2,	/* challenge ACK */
	FORGE_ACK	= 1 << 3,	/* of what was never sent: challenge ACK */
};

/*
 * A program is a string of calls: before the bar at once, the rest whenever it
 * pleases.
 *	l listen	L close the listener	o connect, once no flow stands
 *	s send 1 byte	S send @big bytes	r read what came	e read to the end
 *	h shutdown	c close			a abort
 *	H, C, A		the same three without waiting for the connection
 */
struct scenario {
	const char *name, *what;
	const char *prog[2];
	u8 loss, dup, late, slow, abort, down;
	u8 forge, forge_mask;
	bool polite;			/* no user sees an error, every byte arrives */
	bool silent_ok;			/* may end with a user who waits for a dead peer */
	bool no_entry;			/* FIN_WAIT2 stays a full block */
	u8 big;
	u32 rcvbuf;			/* 0: 200 bytes */
	/* knobs, and what the programs wish for their sockets */
	void (*tune)(struct xtcp_params *p, struct xtcp_tcb *wish);
	bool large;			/* only with --large */
};

extern struct world W;			/* at one address: a copy of it is a snapshot */
extern const struct scenario *sc;
extern struct xtcp_params params;
extern struct xtcp_tcb wish;

static inline u32 rcvbuf(void)
{
	return sc->rcvbuf ? sc->rcvbuf : 200;
}

extern bool verbose;			/* print the ladder */

/* Ends the step: the search reports it with the path that led there. */
void __attribute__((__noreturn__, __format__(printf, 1, 2))) fail(const char *fmt, ...);
void __attribute__((__format__(printf, 1, 2))) note(const char *fmt, ...);

/* explore.c */
void edge_taken(u8 from, u8 to);
bool edge_listed(u8 from, u8 to);

/* worlds.c */
extern const struct scenario scenarios[];
extern const unsigned int n_scenarios;
void world_tune(void);

/* host.c */
char host_name(const struct host *h);
struct host *host_peer(struct host *h);
void host_init(struct host *h);
void conn_setup(struct host *h);
void pool_fill(struct host *h, unsigned int want);
void conn_prep(struct host *h);
void conn_execute(struct host *h, const struct pkt *k, struct xtcp_verdict *v, u8 before);
void conn_drop(struct host *h);
void user_attach(struct host *h);
void wire(struct host *from, const struct xtcp_seg *g, u32 off);
void wire_reply(struct host *from, const struct xtcp_reply *r);

/* flow.c */
void host_rx(struct host *h, const struct pkt *k);
void host_timer(struct host *h);
u64 host_next_us(const struct host *h);

/* action.c */
#define MAX_ACTIONS	160
void world_init(void);
unsigned int actions(u16 act[MAX_ACTIONS]);
void act(u16 a);
/* Has everything ended? Else NULL or the reason why what stands may stand. */
bool world_over(void);
const char *world_silent(void);
void world_check(void);
bool user_ready(const struct host *h);

/* canon.c */
struct digest { u64 a, b; };
struct digest world_digest(void);

/* search.c */
struct result {
	u32 states, ends, silent;
	struct { const char *why; u32 n; } reason[4];	/* of the silent ones */
	u64 transitions;
	u32 depth;
	bool bounded;			/* stopped at the limit */
};

bool search(u32 max_states, struct result *r);

#endif /* XTCP_EXPLORE_WORLD_H */
