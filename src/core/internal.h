/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the core share with each other and nobody else needs. */
#ifndef XTCP_CORE_INTERNAL_H
#define XTCP_CORE_INTERNAL_H

#include "tcb.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#endif

#define USEC_MS		1000ULL
#define USEC_S		1000000ULL
#define XTCP_CORK_US	(200 * USEC_MS)	/* longest hold of a partial segment */
#define XTCP_RETRY_US	(5 * USEC_MS)	/* after a transmission the caller could not make */
#define XTCP_REFUSED_US	(500 * USEC_MS)	/* after one that the queue below has refused (as Linux) */
#define XTCP_DELACK_MAX_US (200 * USEC_MS)
#define XTCP_QUICKACKS	16
#define XTCP_ACK_WAIT_BYTES	4096	/* more may be all that the peer's buffer holds */
#define XTCP_ACK_FUTILE_MAX	3	/* t->ack_futile has two bits */
#define XTCP_PAWS_IDLE_S (24u * 86400)	/* RFC 7323 5.5 */
#define XTCP_INF_SSTHRESH 0x7fffffffu

/*
 * A short way for what is usual. It must come to what the long one comes to: the simulator
 * is run with and without (XTCP_NOTHING_FORESEEN), and has to send the same.
 */
#ifdef XTCP_NOTHING_FORESEEN
#define xtcp_foreseen(x)	(false && (x))
#else
#define xtcp_foreseen(x)	likely(x)
#endif

/* What one acceptable ACK told us; made by ack.c for recovery.c. */
struct xtcp_ackctx {
	u64 now_us;
	u32 prior_una;
	u32 acked;		/* bytes newly acknowledged cumulatively */
	u32 sacked;		/* bytes newly acknowledged selectively */
	u32 tsecr;
	u64 sent_us;		/* transmission of the oldest acked range, never resent; 0: none */
	u64 sack_us;		/* transmission of a range newly sacked, never resent; 0: none */
	u64 resent_us;		/* newest retransmission among what was acked; 0: none */
	u32 fresh;		/* of acked, what no SACK had told of */
	u32 prior_fack;		/* fack before this ACK */
	u32 dsack_start, dsack_end;	/* with dsack */
	u32 reord_seq;		/* with reord: where the lowest of that begins */
	u32 reo_left_us;	/* RACK wants to look again then; 0: not */
	u64 rs_xmit_us;		/* rate.c, of the newest range that arrived; 0: none did */
	u32 rs_prior, rs_prior_us, rs_send_us;
	bool rs_app_limited;
	bool has_ts;
	bool dup;		/* duplicate ACK by RFC 5681 2, or new SACK information */
	bool dsack;
	bool again;		/* the ACK of before once more: no data, the same window */
	bool reord;		/* something came after what was sent later */
	bool ece;		/* the peer saw a congestion mark (RFC 3168 6.1.2) */
	bool orig;		/* of what was sent once and before high_seq something came */
};

static inline void xtcp_count(struct xtcp_verdict *v, enum xtcp_mib m)
{
	if (v->n_mib < XTCP_MAX_VMIB)
		v->mib[v->n_mib++] = m;
}

static inline void xtcp_verdict_zero(struct xtcp_verdict *v)
{
	/* what follows counts only as far as n_edges, n_mib and XTCP_V_REPLY say */
	memset(v, 0, offsetof(struct xtcp_verdict, edge));
}

static inline void xtcp_drop_seg(struct xtcp_verdict *v, enum xtcp_drop why)
{
	if (v->drop == XTCP_DROP_NONE)
		v->drop = why;
}

static inline u32 xtcp_ts_now(u32 off, u64 now_us)
{
	return (u32)div_u64(now_us, 1000) + off;
}

/* Seconds of the PAWS clock; never 0, which means "none". */
static inline u32 xtcp_paws_s(u64 now_us)
{
	return (u32)div_u64(now_us, 1000000) + 1;
}

/* End of the send sequence, FIN included once the user has closed. */
static inline u32 xtcp_snd_end(const struct xtcp_tcb *t)
{
	return t->write_seq + t->fin_queued;
}

static inline bool xtcp_pending(const struct xtcp_tcb *t)
{
	return t->s.snd_nxt != xtcp_snd_end(t);
}

/*
 * What may be due beside what is pending. Neither: xtcp_output_next() will find
 * nothing to send, whatever window, cwnd and memory say.
 */
static inline bool xtcp_output_due_else(const struct xtcp_tcb *t)
{
	return t->ack_now || t->probe_due || t->keep_due || t->force_rexmit || t->tlp_due ||
	       t->lost_bytes || t->refused || t->s.snd_nxt == t->iss;
}

static inline bool xtcp_fin_acked(const struct xtcp_tcb *t)
{
	return t->fin_sent && t->s.snd_una == t->write_seq + 1;
}

static inline u32 xtcp_wnd_end(const struct xtcp_tcb *t)
{
	return t->s.snd_una + t->snd_wnd;
}

static inline u32 xtcp_rng_len(const struct xtcp_rng *r)
{
	return r->end - r->seq;
}

/* May the peer still answer it? Then it is in the order of transmission, tcb.sent. */
static inline bool xtcp_rng_out(const struct xtcp_rng *r)
{
	return !r->sacked && !r->lost;
}

static inline struct xtcp_rng *xtcp_txq_head(const struct xtcp_tcb *t)
{
	return list_first_entry(&t->txq, struct xtcp_rng, link);
}

/* txq.c */
struct xtcp_rng *xtcp_pool_get(struct xtcp_tcb *t);
void xtcp_rng_mark(struct xtcp_tcb *t, struct xtcp_rng *r, bool sacked, bool lost, bool retrans);
struct xtcp_rng *xtcp_rng_split(struct xtcp_tcb *t, struct xtcp_rng *r, u32 at);
void xtcp_txq_append(struct xtcp_tcb *t, u32 seq, u32 end, u64 now_us);
void xtcp_txq_ack(struct xtcp_tcb *t, u32 ack, struct xtcp_ackctx *c);
void xtcp_txq_resent(struct xtcp_tcb *t, u32 seq, u32 end, u64 now_us);
void xtcp_txq_all_lost(struct xtcp_tcb *t, bool forget_sacks);
void xtcp_txq_none_lost(struct xtcp_tcb *t, bool resent);
void xtcp_txq_orig_lost(struct xtcp_tcb *t);
struct xtcp_rng *xtcp_txq_first_lost(struct xtcp_tcb *t);
static inline struct xtcp_rng *xtcp_txq_next_lost(struct xtcp_tcb *t)
{
	return t->lost_bytes ? xtcp_txq_first_lost(t) : NULL;
}

void xtcp_txq_mark_head(struct xtcp_tcb *t);

/* oooq.c */
enum xtcp_ooo { XTCP_OOO_KEPT, XTCP_OOO_DUP, XTCP_OOO_FULL };
enum xtcp_ooo xtcp_oooq_insert(struct xtcp_tcb *t, u32 seq, u32 end);
void xtcp_oooq_advance(struct xtcp_tcb *t);
void xtcp_dsack_set(struct xtcp_tcb *t, u32 start, u32 end);

/* sack.c */
u32 xtcp_sack_arrives(struct xtcp_tcb *t, const struct xtcp_seg *g, struct xtcp_ackctx *c,
		      struct xtcp_verdict *v);
void xtcp_sack_detect(struct xtcp_tcb *t);

/* rack.c */
bool xtcp_rack_on(const struct xtcp_tcb *t);
void xtcp_rack_arrived(struct xtcp_tcb *t, const struct xtcp_rng *r, u32 end,
		       struct xtcp_ackctx *c);
void xtcp_rack_dsack(struct xtcp_tcb *t, const struct xtcp_ackctx *c);
void xtcp_rack_recovered(struct xtcp_tcb *t);
u32 xtcp_rack_detect(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v);
bool xtcp_tlp_ok(const struct xtcp_tcb *t);
void xtcp_tlp_arm(struct xtcp_tcb *t, u64 now_us);
void xtcp_tlp_sent(struct xtcp_tcb *t, bool retrans);
bool xtcp_tlp_ack(struct xtcp_tcb *t, struct xtcp_ackctx *c);

/* undo.c */
bool xtcp_undo_ack(struct xtcp_tcb *t, const struct xtcp_ackctx *c, struct xtcp_verdict *v);
void xtcp_undo(struct xtcp_tcb *t, enum xtcp_mib why, struct xtcp_verdict *v);
void xtcp_frto_begin(struct xtcp_tcb *t);
bool xtcp_frto_ack(struct xtcp_tcb *t, const struct xtcp_ackctx *c);

/* ecn.c */
bool xtcp_ecn_asked(const struct xtcp_seg *g);
void xtcp_ecn_peer_syn(struct xtcp_tcb *t, const struct xtcp_seg *g);
bool xtcp_ecn_echoed(struct xtcp_tcb *t, const struct xtcp_seg *g);
void xtcp_ecn_data(struct xtcp_tcb *t, const struct xtcp_seg *g);
void xtcp_ecn_mark(const struct xtcp_tcb *t, struct xtcp_xmit *x);

/* mtup.c */
void xtcp_mtup_init(struct xtcp_tcb *t, u64 now_us);
void xtcp_mtup_black_hole(struct xtcp_tcb *t, u64 now_us);
u32 xtcp_mtup_next(struct xtcp_tcb *t, u64 now_us, bool *wait);
void xtcp_mtup_sent(struct xtcp_tcb *t, u32 seq, u32 payload);
void xtcp_mtup_ack(struct xtcp_tcb *t, struct xtcp_verdict *v);
bool xtcp_mtup_lost(struct xtcp_tcb *t, struct xtcp_verdict *v);

/* recovery.c */
void xtcp_reordering_seen(struct xtcp_tcb *t, u32 segs);
void xtcp_recovery_local(struct xtcp_tcb *t);
void xtcp_recovery_end(struct xtcp_tcb *t);
void xtcp_recovery_reo(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v);
u32 xtcp_pipe(const struct xtcp_tcb *t);
u32 xtcp_cwnd_room(const struct xtcp_tcb *t);
void xtcp_recovery_plain(struct xtcp_tcb *t, const struct xtcp_ackctx *c, u64 now_us,
			 struct xtcp_verdict *v);
void xtcp_recovery_ack(struct xtcp_tcb *t, struct xtcp_ackctx *c, u64 now_us,
		       struct xtcp_verdict *v);
void xtcp_recovery_timer(struct xtcp_tcb *t, const struct xtcp_ackctx *c, u64 now_us);
void xtcp_recovery_rto(struct xtcp_tcb *t, struct xtcp_verdict *v);
void xtcp_ca_set(struct xtcp_tcb *t, enum xtcp_ca_state s);

/* cc.c */
#define XTCP_CWND_MAX	1000000
u32 xtcp_init_cwnd(const struct xtcp_tcb *t);
void xtcp_cc_start(struct xtcp_tcb *t, u64 now_us);
void xtcp_cc_ack(struct xtcp_tcb *t, u32 acked_bytes, u64 now_us, struct xtcp_verdict *v);
u32 xtcp_slow_start(struct xtcp_tcb *t, u32 acked);
void xtcp_cwnd_restart(struct xtcp_tcb *t, u64 now_us);
void xtcp_cwnd_validate(struct xtcp_tcb *t, bool limited, u64 now_us);

/* rto.c */
u32 xtcp_rto_min_us(const struct xtcp_tcb *t);
void xtcp_rtt_sample(struct xtcp_tcb *t, u32 rtt_us, u64 now_us);
u64 xtcp_init_rto_us(const struct xtcp_params *p, u32 sock_ms, bool synack);
bool xtcp_syn_spent(const struct xtcp_tcb *t, u64 now_us);
void xtcp_rto_arm(struct xtcp_tcb *t, u64 now_us);
void xtcp_early_arm(struct xtcp_tcb *t, enum xtcp_rexmit_kind kind, u64 us, u64 now_us);
void xtcp_rto_again(struct xtcp_tcb *t, u64 now_us);
void xtcp_early_off(struct xtcp_tcb *t);
void xtcp_persist_arm(struct xtcp_tcb *t, u64 now_us);
u64 xtcp_user_timeout_left(const struct xtcp_tcb *t, u64 now_us);
bool xtcp_retries_spent(const struct xtcp_tcb *t, u32 limit, u64 now_us);
u32 xtcp_orphan_limit(const struct xtcp_tcb *t);

/* window.c */
u32 xtcp_window_wish(const struct xtcp_tcb *t);
u32 xtcp_window_offer(const struct xtcp_tcb *t);
u16 xtcp_window_wire(const struct xtcp_tcb *t, bool syn);
void xtcp_window_init(struct xtcp_tcb *t);
void xtcp_window_grow(struct xtcp_tcb *t, u32 len);
void xtcp_snd_window(struct xtcp_tcb *t, const struct xtcp_seg *g, bool advanced,
		     struct xtcp_verdict *v);
void xtcp_drs_data(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us);
void xtcp_drs_read(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v);

/* delack.c */
void xtcp_ack_data(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us);
void xtcp_ack_quick(struct xtcp_tcb *t);
void xtcp_ack_urgent(struct xtcp_tcb *t);
void xtcp_ack_waited(struct xtcp_tcb *t);
void xtcp_ack_synack(struct xtcp_tcb *t, u64 now_us);
u32 xtcp_ato_min_us(const struct xtcp_tcb *t);
void xtcp_ack_decide(struct xtcp_tcb *t, u64 now_us);
void xtcp_ack_after_read(struct xtcp_tcb *t, u32 n);
void xtcp_ack_sent(struct xtcp_tcb *t, u32 segs);

/* state.c */
void xtcp_finish(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v);
void xtcp_die(struct xtcp_tcb *t, int err, const char *cause, struct xtcp_verdict *v);
void xtcp_established(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v);
/* Segments that @bytes of sequence space took. */
static inline u32 xtcp_segs_of(const struct xtcp_tcb *t, u32 bytes)
{
	return bytes ? DIV_ROUND_UP(bytes, max_t(u32, t->mss_now, 1)) : 0;
}

void xtcp_fin_wait2(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		    struct xtcp_verdict *v);
void xtcp_peer_opts(struct xtcp_tcb *t, const struct xtcp_opts *o, u64 now_us);

/* reply.c */
void xtcp_reply_closed(const struct xtcp_seg *g, struct xtcp_verdict *v);
void xtcp_reply_rst(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v);
void xtcp_reply_challenge(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			  struct xtcp_verdict *v);
void xtcp_oow_ack(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us);
bool xtcp_oow_limited(u64 *last_us, const struct xtcp_params *p, const struct xtcp_seg *g,
		      u64 now_us);
bool xtcp_paws_bad(const struct xtcp_seqspace *s, const struct xtcp_seg *g, u64 now_us);
bool xtcp_ack_late(const struct xtcp_seqspace *s, const struct xtcp_seg *g);
void xtcp_ts_update(struct xtcp_seqspace *s, const struct xtcp_seg *g, u32 last_ack, u64 now_us);
void xtcp_reply_ack(const struct xtcp_seqspace *s, bool ts_ok, u32 ts_off, u8 wscale, u64 now_us,
		    struct xtcp_reply *r);

/* ack.c, text.c: the checks of RFC 9293 3.10.7.4; true: go on with the next */
bool xtcp_check_ack(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		    struct xtcp_verdict *v);
bool xtcp_check_urg(struct xtcp_tcb *t, const struct xtcp_seg *g, struct xtcp_verdict *v);
void xtcp_text_next(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		    struct xtcp_verdict *v);
bool xtcp_check_text(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
		     struct xtcp_verdict *v);
void xtcp_check_fin(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v);

/* cc_cubic.c, cc_hystart.c */
u32 xtcp_cbrt(u64 x);
void xtcp_hystart_init(struct xtcp_tcb *t, struct xtcp_hystart *h);
void xtcp_hystart_rtt(struct xtcp_hystart *h, u32 rtt_us);
u32 xtcp_hystart_ack(struct xtcp_tcb *t, struct xtcp_hystart *h, u32 acked, bool limited);

/* pacing.c */
void xtcp_pacing_update(struct xtcp_tcb *t);
void xtcp_pace_sent(struct xtcp_tcb *t, u32 len, u64 now_us);
bool xtcp_piece_waits(const struct xtcp_tcb *t, u32 limit, u32 piece, u32 mss, u64 now_us);
bool xtcp_held(struct xtcp_tcb *t, u32 len, u64 now_us);

/* rate.c */
void xtcp_rate_sent(struct xtcp_tcb *t, struct xtcp_rng *r, u64 now_us);
void xtcp_rate_arrived(struct xtcp_tcb *t, const struct xtcp_rng *r, u32 n,
		       struct xtcp_ackctx *c);
u32 xtcp_rate_update(struct xtcp_tcb *t, const struct xtcp_ackctx *c);
void xtcp_rate_sample(struct xtcp_tcb *t, const struct xtcp_ackctx *c, struct xtcp_rs *rs);
void xtcp_rate_idle(struct xtcp_tcb *t);

/* output.c */
u32 xtcp_eff_mss(const struct xtcp_tcb *t);

#endif /* XTCP_CORE_INTERNAL_H */
