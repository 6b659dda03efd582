/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Harness of the unit tests: one control block, a clock that moves only when
 * told, every segment that leaves kept for inspection. Output is TAP.
 */
#ifndef XTCP_UNIT_H
#define XTCP_UNIT_H

#include <errno.h>

#include "../sim/testlib.h"

/* Both sequence spaces wrap within the first bytes of every test. */
#define ISS	0xfffffff8u
#define IRS	0xfffffff0u
#define WND	60000u		/* what the peer offers (unscaled in tests) */
#define MSS	1000u

struct u {
	struct xtcp_params p;
	struct xtcp_tcb t;
	struct xtcp_verdict v;		/* of the last step */
	u64 now;
	struct xtcp_xmit out[128];	/* left since u_clear() */
	u64 out_us[128];
	unsigned int n_out;
	unsigned int n_alive;		/* nodes on loan to the core */
	u32 err;			/* first error reported */
	u32 flags;			/* verdict flags since u_clear() */
	u32 rcvbuf, unread;
	bool over;			/* CLOSED or TIMEWAIT seen */
	bool nomem;			/* no more nodes for the pool */
	bool peer_ts;			/* u_seg() adds timestamps */
	u32 peer_tsval;
	bool failed_check;
};

/* TAP */
void __printf(2, 3) ok(bool cond, const char *fmt, ...);
#define is(got, want, ...) do {						\
	long long got_ = (long long)(got), want_ = (long long)(want);	\
	ok(got_ == want_, __VA_ARGS__);					\
	if (got_ != want_)						\
		printf("#   %s:%d got %lld, want %lld\n", __FILE__, __LINE__, got_, want_); \
} while (0)

void u_init(struct u *u);
void u_free(struct u *u);
void u_clear(struct u *u);
bool u_counted(const struct u *u, enum xtcp_mib m);	/* by the last step */
void u_step(struct u *u);		/* execute u->v: edges, output ... */
void u_prep(struct u *u);		/* before each call into the core */

/* One segment arrives; offsets are absolute sequence numbers. */
void u_rx(struct u *u, struct xtcp_seg *g);
void u_seg(struct u *u, u8 flags, u32 seq, u32 ack, u32 len);
struct xtcp_seg u_mk(const struct u *u, u8 flags, u32 seq, u32 ack, u32 len);
/* Let time pass, firing every deadline on the way. */
void u_run(struct u *u, u64 us);

void u_open(struct u *u);			/* SYN_SENT */
void u_open_opts(struct u *u, const struct xtcp_opts *peer);	/* ... ESTABLISHED */
void u_to(struct u *u, u8 state);		/* any synchronized state */
void u_child(struct u *u);			/* SYN_RECV of a passive open */
void u_send(struct u *u, u32 n);
void u_read(struct u *u, u32 n);
void u_shutdown(struct u *u);
void u_close(struct u *u, u32 unread);
void u_abort(struct u *u);

/* What answered: 'R' RST, 'A' ACK or challenge ACK, 0 nothing; out or reply. */
char u_answer(const struct u *u);
u64 u_deadline(const struct u *u);		/* from now, us; 0 none */

void edge_seen(u8 from, u8 to);
bool all_edges_seen(void);
void drop_seen(unsigned int drop);

void test_seq(void);
void test_options(void);
void test_isn(void);
void test_vectors(void);
void test_syn_sent(void);
void test_listen(void);
void test_request(void);
void test_timewait(void);
void test_life(void);
void test_rto(void);
void test_schedules(void);
void test_sched(void);
void test_keepalive(void);
void test_window(void);
void test_nagle(void);
void test_ack_policy(void);
void test_probe(void);
void test_sack_gen(void);
void test_recovery(void);
void test_rack(void);
void test_icmp(void);
void test_wheel(void);
void test_cookie(void);
void test_cc(void);
void test_ecn(void);
void test_mtup(void);
void test_pace(void);
void test_delack(void);
void test_pair(void);

#endif /* XTCP_UNIT_H */
