/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two ends on a wire that loses what the script says, on one clock: what the
 * raw tests play against one end, with the core at both. 10 ms each way.
 */
#ifndef XTCP_UNIT_PAIR_H
#define XTCP_UNIT_PAIR_H

#include "unit.h"

#define ONE_WAY		(10 * MS)

/* What a packet is to the script; a FIN with data is a FIN. */
enum kind { K_SYN, K_SYNACK, K_ACK, K_DATA, K_FIN, K_RST, K_NR };

struct end {
	struct u u;
	bool listens;			/* SYNs make a request */
	bool half;			/* the request is there */
	bool entry;			/* TIME_WAIT, or FIN_WAIT2 without a user */
	bool got_rst;
	struct xtcp_rq rq;
	u64 rq_us;			/* its next SYN-ACK, or its end */
	struct xtcp_twc twc;
	u64 tw_ack_us;
	u32 iss;
	unsigned int sent[K_NR];	/* lost ones counted */
	unsigned int lose[K_NR];	/* so many of the next ones are lost */
	u64 over_us;			/* when the block ended */
};

struct packet {
	u64 at_us;
	struct end *to;
	struct xtcp_seg g;
};

struct pair {
	struct end e[2];
	struct packet q[64];
	unsigned int n_q;
	u64 now, start;
};

void pair_init(struct pair *w);
void pair_free(struct pair *w);
/* Let so much time pass, events in their order. */
void pair_run(struct pair *w, u64 us);
void pair_connect(struct pair *w, unsigned int side);
void pair_send(struct pair *w, unsigned int side, u32 n);
void pair_shutdown(struct pair *w, unsigned int side);
void pair_close(struct pair *w, unsigned int side);
/* Bytes of the other end's stream received in order. */
u32 pair_got(const struct pair *w, unsigned int side);
/* The state, of a request or an entry, too. */
u8 pair_state(const struct pair *w, unsigned int side);

#endif /* XTCP_UNIT_PAIR_H */
