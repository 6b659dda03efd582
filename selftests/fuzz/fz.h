/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the libFuzzer targets share. An input is a list of decisions: a head of
 * fixed size and records of fixed size, so that the mutator can cut, double and
 * swap whole steps; who reads past the end reads zeros. Each fz_NAME.c is one
 * target:
 *
 *	fz_options	header and options, decoded, encoded, decoded
 *	fz_arrive	a connection in every state: segments, user calls, timeouts
 *	fz_minis	half-open requests and TIME-WAIT entries
 *	fz_cookie	SYN cookies: minted, mutated, aged, under two keys
 *	fz_wheel	the timing wheel beside a list that cannot be wrong
 *	fz_knobs	socket options, sysctl texts
 *	fz_trace	xtcp-trace's view of the kernel's text
 *
 *	glue_main.c	seeds, mutator, failure
 *	glue_seg.c	knobs, hostile segments, what holds of any verdict
 *	glue_conn.c	one connection as the kernel side keeps it, and its bytes
 *	glue_state.c	the shortest way to each state
 */
#ifndef XTCP_FZ_H
#define XTCP_FZ_H

#include "../../src/core/cookie.h"
#include "../sim/testlib.h"

/* ---- the input */

struct fz_in {
	const u8 *p;
	size_t n;
};

static inline u8 fz_u8(struct fz_in *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->p++;
}

static inline u16 fz_u16(struct fz_in *in)
{
	u16 hi = fz_u8(in);

	return hi << 8 | fz_u8(in);
}

static inline u32 fz_u32(struct fz_in *in)
{
	u32 hi = fz_u16(in);

	return hi << 16 | fz_u16(in);
}

static inline u64 fz_u64(struct fz_in *in)
{
	u64 hi = fz_u32(in);

	return hi << 32 | fz_u32(in);
}

/* At most @n bytes of @in, as an input of their own. */
static inline struct fz_in fz_cut(struct fz_in *in, size_t n)
{
	struct fz_in cut = { in->p, min_t(size_t, n, in->n) };

	in->p += cut.n;
	in->n -= cut.n;
	return cut;
}

/* 2^0 to 2^max, with the bits below filled: short and long spans alike */
static inline u64 fz_span(struct fz_in *in, u8 max)
{
	u8 log = fz_u8(in) % (max + 1);

	return (1ULL << log) + (((u64)fz_u16(in) << log) >> 16);
}

/* ---- what a target gives */

/* Sizes of the head and of a record; record 0: bytes, mutated as such. */
extern const struct fz_shape { u16 head, record; } fz_shape;

/* Seed number @n into @out; its size, 0: there are no more. */
size_t fz_seed(unsigned int n, u8 *out, size_t room);
/* At the end of a run: what was never reached, NULL: all there is was. */
const char *fz_missing(void);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* ---- glue_main.c */

void __noreturn __printf(1, 2) fz_fail(const char *fmt, ...);
#define FZ_NEED(cond) ((cond) ? (void)0 : fz_fail("%s:%d: %s", __FILE__, __LINE__, #cond))
/* Random bytes, the same for the same @n. */
size_t fz_seed_random(unsigned int n, u8 *out, size_t len);

/* libFuzzer's own, and what it asks for */
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const u8 *a, size_t na, const u8 *b, size_t nb, u8 *out,
				 size_t max, unsigned int seed);

/* ---- glue_seg.c */

/* Numbers near which a segment for somebody gets interesting. */
#define FZ_MARKS	8
struct fz_marks {
	u32 seq[FZ_MARKS], ack[FZ_MARKS];
	u32 edge;		/* right edge of the window */
	u32 ts_recent, ts_now;
};

#define FZ_SEG_BYTES	15

/* Any legal values of all knobs. */
void fz_params(struct xtcp_params *p, struct fz_in *from);
#define FZ_PARAM_BYTES	64
void fz_segment(struct fz_in *in, const struct fz_marks *m, struct xtcp_seg *g);
/* A start of the clock, some of them close to where a counter of it wraps. */
u64 fz_clock(struct fz_in *in);
/* An initial sequence number, most of them near the wrap. */
u32 fz_isn(struct fz_in *in);
/* The rules of verdict.h; @g: the segment it is about, or NULL. */
void fz_verdict(const struct xtcp_verdict *v, const struct xtcp_seg *g);

/* ---- glue_conn.c */

struct fz_iv { u32 seq, end; };
#define FZ_MAX_IV	(XTCP_MAX_OOO + 1)

struct fz_conn {
	struct xtcp_params p;
	struct xtcp_tcb t;
	struct xtcp_verdict v;
	struct xtcp_twc tw;
	u64 now_us;
	u64 tw_ack_us;
	/* patterns, read round and round: which allocation, which transmission fails */
	u8 starve, lossy, n_alloc, n_xmit;
	bool orphan, over, in_tw, handover, synced;
	u32 rcvbuf;
	u32 una;		/* snd_una after the last call */
	u32 rcv_pos;		/* next byte for the reader, with synced */
	u32 edge;		/* rightmost edge offered, with edged */
	bool edged;
	long nodes;
	unsigned int n_iv;
	struct fz_iv iv[FZ_MAX_IV];	/* bytes held out of order: sorted, disjoint, apart */
};

/* Calls in each state, over the whole run. */
extern u64 fz_state_hits[XTCP_NR_STATES];

#define FZ_CONN_BYTES	32
void fz_conn_init(struct fz_conn *c, struct fz_in *in);
/* To be called before and after every entry point of the core that has a verdict. */
void fz_conn_prep(struct fz_conn *c);
void fz_conn_execute(struct fz_conn *c, const struct xtcp_seg *g);
void fz_conn_arrives(struct fz_conn *c, const struct xtcp_seg *g);
u32 fz_conn_unread(const struct fz_conn *c);
void fz_conn_read(struct fz_conn *c, u32 n);
void fz_conn_marks(const struct fz_conn *c, u8 pick, struct fz_marks *m);
void fz_conn_end(struct fz_conn *c);

/* ---- glue_state.c */

#define FZ_OPEN_BYTES	16
void fz_conn_open(struct fz_conn *c, struct fz_in *in);

#endif /* XTCP_FZ_H */
