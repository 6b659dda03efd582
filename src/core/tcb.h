/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The transmission control block and the engine's entry points.
 *
 * The core is pure: it never allocates, locks, sleeps or reads a clock. The
 * caller (kernel module, simulator, unit test, fuzzer) owns the bytes and the
 * clock; the core owns the sequence numbers, the state, the deadlines and every
 * decision. All entry points for one tcb are serialized by the caller (the
 * socket lock in the kernel).
 *
 *   caller                              core
 *   bytes to send, at write_seq   ->    xtcp_user_send()
 *   parsed segment                ->    xtcp_segment_arrives()  -> verdict
 *   earliest deadline passed      ->    xtcp_timeout()          -> verdict
 *   "what goes out now?"          ->    xtcp_output_next() / xtcp_output_sent()
 *
 * Before each call the caller sets rcv_free (bytes of payload it could store),
 * rcv_full (bytes it could store if its queue were empty) and rcv_lowat (with
 * fewer to read the user is not woken; 0 and 1 are the same), and tops up the
 * pool of range nodes with xtcp_pool_put() as far as memory allows. An empty
 * pool costs precision (a SACK block ignored, a segment out of order dropped),
 * never correctness.
 *
 * Time is a u64 of microseconds that never goes back and never is 0.
 */
#ifndef XTCP_CORE_TCB_H
#define XTCP_CORE_TCB_H

#include "shim.h"
#include "params.h"
#include "segment.h"
#include "seq.h"
#include "verdict.h"

/*
 * What the sequence, RST, SYN and PAWS checks of 3.10.7.4 need; shared by the
 * connection, the half-open request and the TIME-WAIT entry so that none of
 * them repeats another.
 */
struct xtcp_seqspace {
	u32 snd_una;
	u32 snd_nxt;
	u32 rcv_nxt;
	u32 rcv_adv;		/* right edge offered; RCV.WND = rcv_adv - rcv_nxt */
	u32 ts_recent;		/* RFC 7323 TS.Recent */
	u32 ts_recent_s;	/* when it was taken, seconds; 24 days void it; 0: none */
};

static inline u32 xtcp_rcv_wnd(const struct xtcp_seqspace *s)
{
	/* poll() asks without the lock: each edge is looked at once */
	u32 adv = READ_ONCE(s->rcv_adv), nxt = READ_ONCE(s->rcv_nxt);

	return seq_gt(adv, nxt) ? adv - nxt : 0;
}

/* A range of sequence numbers: sent and unacknowledged, or received out of order. */
struct xtcp_rng {
	union {
		struct list_head link;
		struct xtcp_rng *spare;	/* in the pool: the next one */
	};
	struct list_head sent;		/* while neither sacked nor lost */
	u32 seq, end;		/* [seq, end) */
	u64 xmit_us;		/* last transmission */
	u32 rs_bytes, rs_us, rs_first_us;	/* of the block then (rate.c) */
	u8 sacked:1;		/* peer holds it */
	u8 lost:1;		/* deemed lost, not retransmitted since */
	u8 retrans:1;		/* retransmitted at least once and not acknowledged */
	u8 app_limited:1;	/* the user had too little to send when it went */
	u8 xmits;		/* transmissions, saturating */
};

#define XTCP_RATE_MAX	0xffffffffu	/* bytes a second: that or more */

#define XTCP_POOL_LEAST	2	/* nodes anything may need: a range cut twice, or a new one */
#define XTCP_POOL_WANT	10	/* what a segment with SACK may: 4 blocks cut twice, 2 more */
#define XTCP_MAX_TXRNG	1024	/* ranges in the scoreboard; beyond it SACK loses precision */
#define XTCP_TXRNG_FREE	64	/* so many, and one for each segment, are cut on demand */
#define XTCP_MAX_OOO	512	/* holes in the receive sequence; beyond it segments are dropped */
#define XTCP_INLINE_RNG	2

enum xtcp_timer {
	XTCP_T_REXMIT,		/* SYN, data, FIN, zero-window probe */
	XTCP_T_DELACK,
	XTCP_T_KEEP,
	XTCP_T_LIFE,		/* FIN_WAIT2 of a closed socket; XTCP_CONNECT_TIMEOUT_MS */
	XTCP_T_CORK,		/* a corked or Nagled partial segment goes after 200 ms of cork */
	XTCP_T_PACE,		/* pacing lets the next piece go; needs a fine timer */
	XTCP_NR_TIMERS
};

/* What XTCP_T_REXMIT is; TLP and REO come before a retransmission timeout. */
enum xtcp_rexmit_kind {
	XTCP_RT_RTO,		/* retransmission timeout */
	XTCP_RT_PERSIST,	/* zero-window probe */
	XTCP_RT_TLP,		/* tail loss probe (RFC 8985 7) */
	XTCP_RT_REO,		/* the reordering window of a segment passes (RFC 8985 6.3) */
};

enum xtcp_ca_state {
	XTCP_CA_OPEN, XTCP_CA_DISORDER,
	XTCP_CA_CWR,		/* the peer echoed congestion: cwnd comes down, nothing was lost */
	XTCP_CA_RECOVERY, XTCP_CA_LOSS
};

struct xtcp_tcb;

enum xtcp_cc_id { XTCP_CC_RENO, XTCP_CC_CUBIC, XTCP_CC_BBR, XTCP_NR_CC };

enum xtcp_cc_event {
	XTCP_CC_TX_START,	/* data goes out again after nothing was in flight */
};

/* What one ACK says about the path (rate.c). */
struct xtcp_rs {
	u32 bytes, us;			/* the rate: bytes in that time; us 0: not known */
	u32 prior;			/* rs_bytes when the newest of what arrived was sent */
	u32 acked;			/* bytes that came to light with this ACK */
	u32 lost;			/* bytes marked lost by it */
	u32 prior_pipe;			/* in flight before it */
	u32 rtt_us;			/* of something sent once, 0: none */
	bool app_limited;		/* the user could have sent no more than that */
};

/*
 * Congestion control, chosen per connection. All hooks run with the tcb
 * serialized. cwnd and ssthresh are in segments of mss_now.
 *
 * Loss recovery sets cwnd at a loss and brings cwnd and ssthresh back when the
 * loss was none; here is what else changes then, and how cwnd grows.
 */
struct xtcp_cc_ops {
	const char *name;
	u8 id;				/* enum xtcp_cc_id */
	void (*init)(struct xtcp_tcb *t, u64 now_us);
	u32 (*ssthresh)(struct xtcp_tcb *t);	/* new one at a loss or an echo of ECN */
	/*
	 * @acked segments were acknowledged outside fast recovery. @limited: it
	 * was cwnd that held the sender; else cwnd must not grow.
	 */
	void (*on_ack)(struct xtcp_tcb *t, u32 acked, bool limited, u64 now_us);
	void (*rtt)(struct xtcp_tcb *t, u32 rtt_us);	/* a sample; may be NULL */
	void (*event)(struct xtcp_tcb *t, enum xtcp_cc_event e, u64 now_us);	/* may be NULL */
	void (*set_state)(struct xtcp_tcb *t, enum xtcp_ca_state s);	/* may be NULL */
	/* the loss was none, cwnd and ssthresh are as before it; may be NULL */
	void (*undo)(struct xtcp_tcb *t);
	/*
	 * If there is one it is told of every ACK after loss recovery has seen it, and sets
	 * pacing_rate and, in all states, cwnd; on_ack, PRR and window validation do not.
	 */
	void (*control)(struct xtcp_tcb *t, const struct xtcp_rs *rs, u64 now_us);
};

extern const struct xtcp_cc_ops xtcp_cc_reno;
extern const struct xtcp_cc_ops xtcp_cc_cubic;
extern const struct xtcp_cc_ops xtcp_cc_bbr;
/* NULL if no such name */
const struct xtcp_cc_ops *xtcp_cc_find(const char *name);
/* by enum xtcp_cc_id; NULL from XTCP_NR_CC on */
const struct xtcp_cc_ops *xtcp_cc_nth(unsigned int id);
/* names, space separated, for tcp_available_congestion_control */
extern const char xtcp_cc_names[];

/* HyStart++ (RFC 9406): rounds and their round-trip times. 0: none yet. */
struct xtcp_hystart {
	u32 round_end;			/* this round ends when that is acknowledged */
	u32 last_min_us, cur_min_us;	/* least RTT of the last round and of this one */
	u32 least_us;			/* of all rounds that are over */
	u8 samples;			/* of this round, saturating */
	u8 css_rounds;			/* of conservative slow start, left; 0: not in it */
	u8 local;			/* in it for the queue below us, not for the delay */
};

/* The part of a CUBIC epoch that a spurious loss must not cost. */
struct xtcp_cubic_curve {
	u32 w_max;			/* 1/1024 segment: the plateau */
	u32 k;				/* 1024 us: from the start of the epoch to the plateau */
	u32 t_us;			/* time of the epoch in which cwnd could grow */
	u32 w_est;			/* segments: what Reno would have */
	u32 cwnd_prior;			/* cwnd before the last reduction */
};

struct xtcp_cubic {
	u32 last_us;			/* last ACK or start after idle, modulo 2^32 */
	struct xtcp_cubic_curve c;
	u32 est_cnt;			/* fraction of w_est, 1 / (17 cwnd) */
	union {
		struct xtcp_hystart hs;	/* while ssthresh is infinite */
		struct xtcp_cubic_curve saved;	/* after that: before the last reduction */
	};
};

/* The model of the path that BBR keeps. Rounds are round trips by what is delivered. */
struct xtcp_bbr {
	u32 bw[2];			/* bytes a second: of these rounds, those before */
	u32 bw_round;			/* when the first of these began */
	u32 rounds;			/* so many so far */
	u32 round_end;			/* rs_bytes: what is sent from then on ends this round */
	u32 min_rtt_us, min_rtt_ms;	/* and when it was seen */
	u32 probe_end_ms;		/* PROBE_RTT ends then, 0: it has not begun to count */
	u32 cycle_us;			/* when this phase of PROBE_BW began, modulo 2^32 */
	u32 full_bw;			/* startup: the rate that was not exceeded since */
	u32 prior_cwnd;			/* to go back to after a recovery or PROBE_RTT */
	u8 mode:2, full_cnt:2, full:1, round_start:1, idle_restart:1, rtt_seen:1;
	u8 cycle:3, prev_state:3, conserve:1, probe_round:1;
};

struct xtcp_tcb {
	struct xtcp_seqspace s;
	const struct xtcp_params *p;	/* the namespace's knobs; outlives the tcb */

	/* ---- state, identity */
	u8 state;			/* enum xtcp_state; assigned by xtcp_state_set() only */
	u8 passive:1,			/* born from a half-open request */
	   is_v6:1,			/* default MSS, header size */
	   fin_queued:1,		/* user closed its direction: FIN sits at write_seq */
	   fin_sent:1,			/* FIN was transmitted at least once */
	   fin_rcvd:1,			/* peer's FIN is in sequence */
	   orphan:1,			/* user closed the socket: nobody will read */
	   rcv_shut:1;			/* user shut down reading */
	u8 syn_acked:1;			/* our SYN was acknowledged; data may flow */
	u8 ts_ok:1, sack_ok:1, wscale_ok:1, ecn_ok:1;
	u8 ecn_route:1,			/* the route has RTAX_FEATURE_ECN; set by the caller */
	   ecn_seen:1,			/* an ECN-capable packet came */
	   ecn_echo:1,			/* CE came: ECE with all we send, until CWR comes */
	   ecn_cwr:1,			/* cwnd was reduced: CWR goes with the next new data */
	   mtup_on:1;			/* segments are no larger than mtup_low (RFC 4821) */
	/* a piece waits for the queue below, see dev_least; cleared by the caller */
	u8 held:1,
	   paced:1,			/* set by the caller or cc: nobody else does the pacing */
	   dev_busy:1,			/* caller's, during xtcp_user_send(): not all is gone */
	   rate_app_limited:1,		/* of the last good sample (rate.c) */
	   busy:1,			/* see busy_us */
	   refused:1,			/* the queue below is full: this time nothing but an ACK */
	   cwnd_limited:1;		/* the last window's worth filled cwnd */
	u8 snd_wscale, rcv_wscale;
	u16 init_rto_ms;		/* XTCP_INIT_RTO_MS, 0: the namespace's */
	u32 iss, irs;
	u32 ts_off;			/* added to our timestamp clock (ms) */

	/* ---- send sequence */
	u32 write_seq;			/* end of what the user handed over */
	u32 snd_wnd;			/* scaled */
	u32 max_window;			/* largest snd_wnd ever seen */
	u32 snd_wl1, snd_wl2;
	u32 snd_sml;			/* end of the last small segment (Minshall) */
	u32 snd_up;			/* urgent pointer to send, valid with urg_out */
	u32 push_seq;			/* PSH goes with the segment that ends here */
	u8 more:1,			/* MSG_MORE: hold a partial segment */
	   cork_due:1,			/* held long enough */
	   force_rexmit:1,		/* the first lost range goes out whatever cwnd says */
	   force_send:1,		/* persist timer: send what fits, however small */
	   probe_due:1, keep_due:1,	/* a zero-window / keepalive probe is to be sent */
	   out_retry:1,			/* XTCP_T_DELACK also retries a failed transmission */
	   rto_fired:1;			/* XTCP_T_REXMIT already runs for the retransmission due */
	u8 tlp_due:1,			/* a tail loss probe is to be sent */
	   tlp_out:1,			/* one is out and not judged, up to tlp_end */
	   tlp_retrans:1,		/* it was a retransmission */
	   frto:2,			/* RFC 5682: which step the next ACK decides; 0: none */
	   dsack_round:1,		/* a DSACK widened the reordering window, till dsack_seq */
	   gso_stale:1;			/* mss_now is another one; cleared by who sets gso_max */
	u16 n_txq;
	struct list_head txq;		/* xtcp_rng, in flight, by seq */
	struct list_head sent;		/* those neither sacked nor lost, by xmit_us */
	u64 una_us;			/* since when something waits for the peer, 0: nothing */
	u32 lost_bytes, sacked_bytes, retrans_bytes;	/* sums over txq, by flag */

	/* ---- MSS and offload */
	u16 adv_mss;			/* in our SYN: from the route's MTU */
	u16 mss_peer;			/* peer's MSS option or the default */
	u16 mss_cap;			/* path MTU less IP and bare TCP header */
	u16 user_mss;			/* TCP_MAXSEG, 0: none */
	u16 mss_now;			/* payload per segment, options deducted */
	u16 init_cwnd;			/* of the route, 0: the namespace's */
	u16 route_rto_min_ms;		/* of the route, before the user's; 0: none */
	u16 mtup_low, mtup_high;	/* mss_cap that got through, that may */
	u16 mtup_size;			/* of the probe in flight, 0: none */
	u32 mtup_seq;			/* where it begins */
	u32 mtup_s;			/* when the range was last set, seconds */
	u32 gso_max;			/* payload per xtcp_xmit; mss_now if no GSO */
	u32 pacing_rate;		/* bytes a second, XTCP_RATE_MAX: no limit */
	u32 pacing_max;			/* set by the caller: SO_MAX_PACING_RATE, likewise */
	/*
	 * set by the caller before xtcp_output_next(): so much of ours is in the queue below that
	 * pieces shorter than this have to wait, 0: none
	 */
	u32 dev_least;
	u64 pace_us;			/* paced: data may go from then on */

	/* ---- delivery rate (rate.c) */
	u32 rs_bytes;			/* what the peer has, by ACK or SACK */
	u32 rs_us;			/* when that grew */
	u32 rs_first_us;		/* when the newest of it was sent */
	u32 app_limited;		/* samples are so until rs_bytes passes it; 0: no */
	u32 rate_bytes, rate_us;	/* the last good sample; us 0: none */

	/* ---- receive sequence */
	u32 rcv_free, rcv_full, rcv_lowat;	/* set by the caller before each call */
	u32 rcv_ssthresh;		/* window clamp that grows with good traffic */
	u32 window_clamp;		/* TCP_WINDOW_CLAMP, 0: none */
	u32 rcv_wup;			/* last ACK we sent (RFC 7323 Last.ACK.sent) */
	u32 copied_seq;			/* how far the user has read */
	u32 fin_seq;			/* valid with fin_known: where the peer's stream ends */
	struct list_head oooq;		/* xtcp_rng, out of order, by seq, disjoint, not adjacent */
	u16 n_oooq;
	u8 n_sackb;			/* recent blocks, newest first (RFC 2018 4) */
	u8 dsack_set:1,			/* dsack goes first in the next ACK (RFC 2883) */
	   fin_known:1, urg_in:1, urg_out:1;
	struct xtcp_sack sackb[XTCP_MAX_SACK], dsack;
	u32 rcv_up;			/* urgent byte, valid with urg_in */

	/* ---- acknowledgment policy (RFC 9293 3.8.6.3; Linux's quick-ACK mode) */
	u32 ato_us;
	u32 rcv_mss;			/* estimate of the peer's segment size */
	u64 lrcv_us, lsnd_us;		/* last data in, out */
	u64 last_oow_us;		/* last ACK to a bad segment (tcp_invalid_ratelimit) */
	u8 ack_now:1, ack_sched:1, pingpong:1, quickack_user:1;
	u8 ack_pushed:1;		/* small, or pushed: ACK when it is read */
	u8 ack_waits:1, ack_futile:2;	/* for an answer; how often in vain (delack.c) */
	u8 ack_third:1;			/* user: the SYN-ACK's ACK goes with data */
	u8 quick;			/* ACKs still to be sent at once */

	/* ---- RTT and timeouts (RFC 6298) */
	u8 backoff;
	u8 probes_out;			/* unanswered zero-window or keepalive probes */
	u32 srtt_us;			/* << 3 */
	u32 mdev_us;			/* << 2 */
	u32 rttvar_us;			/* << 2, smoothed maximum */
	u32 mdev_max_us, rtt_seq;	/* largest mdev in this round trip, and its end */
	u32 min_rtt_us;			/* least of about tcp_min_rtt_wlen */
	u32 min_rtt_new_us, min_rtt_ms;	/* least since then, half of that time at most */
	u32 rto_us;
	u16 retransmits;		/* of the head, since progress */
	u8 rexmit_kind;			/* enum xtcp_rexmit_kind: what XTCP_T_REXMIT is */
	u8 ca_state;			/* enum xtcp_ca_state */
	u32 rto_after_us;		/* TLP, REO: the timeout is due so long after it */
	u64 retrans_us;			/* first retransmission of this episode, 0: none */
	u64 deadline_us[XTCP_NR_TIMERS];/* 0: not armed */
	u64 rcv_us;			/* last segment from the peer (keepalive) */

	/* ---- congestion and loss recovery */
	const struct xtcp_cc_ops *cc;
	u32 cwnd, cwnd_cnt, ssthresh;	/* segments */
	u32 prior_cwnd, prior_ssthresh;
	u32 high_seq;			/* snd_nxt when recovery began */
	u32 undo_una;
	u16 dupacks;
	u8 reo_mult, reo_persist;
	/* RFC 8985 6.2: RACK.xmit_ts, end_seq, rtt, fack; reo_wnd_mult, _persist, dsack_round */
	u64 newest_us;			/* latest transmission known to have arrived, 0: none */
	u32 newest_end, rack_rtt_us;
	u32 fack;			/* highest sequence number the peer is known to hold */
	u32 dsack_seq;
	u32 tlp_end;			/* snd_nxt when the tail loss probe went out */
	u32 prr_fs, prr_delivered, prr_out;	/* RFC 6937: RecoverFS and what came, went since */
	u32 undo_bytes;			/* retransmitted since undo_una and not reported by DSACK */
	u32 max_out, cwv_seq, cwnd_used;/* congestion window validation, RFC 7661's forerunner */
	u64 cwnd_us;			/* when cwnd was last full */
	union {
		struct xtcp_cubic cubic;
		struct xtcp_bbr bbr;
	} ca;				/* congestion control's own */
	u16 reordering;			/* see xtcp_reordering(); 0: as at first */
	s16 soft_err;			/* positive errno from ICMP, reported at timeout */

	/* ---- receive buffer autotuning (DRS) */
	u32 rcvq_seq;
	struct xtcp_rng *lost_from;	/* of the txq: before it none is lost; NULL: not known */
	u64 rcvq_us;
	u32 rcv_rtt_us, rcv_rtt_seq;
	u64 rcv_rtt_start_us;
	u32 rcv_tsecr;			/* last echo used for rcv_rtt_us */

	/* ---- user's wishes, inherited from a listener; 0: the namespace's */
	u8 nodelay:1, cork:1, keepalive:1, retrans_rst:1;
	u8 cc_user:1;			/* cc was chosen for this socket, not by the namespace */
	/* set by the caller before xtcp_timeout(): no means to keep this orphan any longer */
	u8 no_resources:1,
	   thin_lto:1;			/* TCP_THIN_LINEAR_TIMEOUTS */
	u8 syn_retries;			/* TCP_SYNCNT */
	u8 keep_cnt;
	u8 ack_skip;			/* ACKs that do not wait for an answer; here is room */
	u32 keep_idle_ms, keep_intvl_ms;
	u32 user_timeout_ms;		/* TCP_USER_TIMEOUT */
	s32 linger2_ms;			/* TCP_LINGER2: <0 RST instead of FIN_WAIT2, 0 default */
	u32 connect_timeout_ms;		/* XTCP_CONNECT_TIMEOUT_MS, 0: none */
	u32 rto_min_us;			/* TCP_RTO_MIN_US, 0: the namespace's */
	s16 orphan_retries;		/* XTCP_ORPHAN_RETRIES, -1: the namespace's */
	u16 n_pool;			/* length of pool */
	u32 rcvq_space;

	/* ---- what TCP_INFO shows */
	u64 bytes_acked, bytes_received, bytes_sent, bytes_retrans;
	u32 segs_in, segs_out, data_segs_in, data_segs_out;
	u32 delivered;			/* segments the peer has, by ACK or SACK */
	u32 delivered_ce;		/* of them, those whose ACK said ECE */
	u64 busy_us;			/* time with something in flight; if busy less its start */
	u32 total_retrans, dsack_dups, reord_seen, rcv_ooopack;

	struct xtcp_rng *pool;		/* spare nodes */
	struct xtcp_rng inl[XTCP_INLINE_RNG];
};

/* One segment to transmit, decided by xtcp_output_next(). */
struct xtcp_xmit {
	u32 seq, ack;
	/* payload: send-queue bytes [seq, seq+len) (SYN and FIN not counted) */
	u32 len;
	u16 wnd, urg;
	u16 gso_size;		/* payload per wire segment; 0: one segment */
	u8 flags;
	u8 kind;		/* enum xtcp_xmit_kind */
	u8 optlen;
	u8 syn_opts:1,
	   ect:1,		/* ECN-capable: ECT(0) in the IP header */
	   mtu_probe:1;		/* larger than mss_now, and one segment all the same */
	u8 opt[XTCP_MAX_OPT];	/* last; beyond optlen not even zeroed */
};

enum xtcp_xmit_kind {
	XTCP_X_NEW, XTCP_X_REXMIT, XTCP_X_ACK, XTCP_X_PROBE, XTCP_X_KEEP,
};

/* ---- life (state.c) */

/**
 * xtcp_tcb_init - a fresh block in CLOSE
 * @t: zeroed or garbage
 * @p: knobs; referenced for the block's whole life
 * @v6: IPv6 flow (default MSS, header sizes)
 */
void xtcp_tcb_init(struct xtcp_tcb *t, const struct xtcp_params *p, bool v6);

/* TCP_INFO's busy time: how long something was in flight so far. */
static inline u64 xtcp_busy_us(const struct xtcp_tcb *t, u64 now_us)
{
	return t->busy_us + (t->busy ? now_us : 0);
}

/* Copy what a child inherits from its listener (options, cc, clamps). */
void xtcp_tcb_inherit(struct xtcp_tcb *t, const struct xtcp_tcb *listener);

/* The one function that assigns the state; records the edge in @v. */
void xtcp_state_set(struct xtcp_tcb *t, u8 to, const char *cause, struct xtcp_verdict *v);
const char *xtcp_state_name(u8 state);
bool xtcp_edge_ok(u8 from, u8 to);

/* Give a node to the pool / take surplus ones back (never the inline ones). */
void xtcp_pool_put(struct xtcp_tcb *t, struct xtcp_rng *r);
struct xtcp_rng *xtcp_pool_surplus(struct xtcp_tcb *t, unsigned int keep);
static inline unsigned int xtcp_pool_want(const struct xtcp_seg *g)
{
	return g->opt.nsack ? XTCP_POOL_WANT : XTCP_POOL_LEAST;
}

static inline bool xtcp_pool_hungry(const struct xtcp_tcb *t, unsigned int want)
{
	return t->n_pool < want;
}

/* Move every range back to the pool: before freeing the block. */
void xtcp_tcb_drain(struct xtcp_tcb *t);

/* ---- user calls (user.c), RFC 9293 3.10.1 to 3.10.6 */

/*
 * Active open: mss/window fields (adv_mss, mss_cap, gso_max, rcv_free,
 * rcv_full, rcv_wscale wish) are set by the caller before; state must be CLOSE.
 */
void xtcp_open_active(struct xtcp_tcb *t, u32 iss, u32 ts_off, u64 now_us,
		      struct xtcp_verdict *v);
/* @n more bytes stand at the old write_seq; @more: MSG_MORE; @oob: last is urgent. */
void xtcp_user_send(struct xtcp_tcb *t, u32 n, bool more, bool oob, u64 now_us,
		    struct xtcp_verdict *v);
/* The same, of which the rest comes at once: nothing goes now. */
void xtcp_user_hold(struct xtcp_tcb *t, u32 n, u64 now_us);
/* @n bytes were read: window update, autotuning. In one, or the end of it only if asked for. */
bool xtcp_user_took(struct xtcp_tcb *t, u32 n);
bool xtcp_user_sleeps(struct xtcp_tcb *t);
void xtcp_user_read_end(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v);
void xtcp_user_read(struct xtcp_tcb *t, u32 n, u64 now_us, struct xtcp_verdict *v);
/* shutdown(SHUT_WR): FIN after what is queued. */
void xtcp_user_shutdown(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v);
/*
 * close(): the socket is an orphan from now on. @unread: payload bytes the
 * user never read -> RST (RFC 2525 2.17). Handles every state.
 */
void xtcp_user_close(struct xtcp_tcb *t, u32 unread, u64 now_us, struct xtcp_verdict *v);
/* Abort (SO_LINGER 0, disconnect, orphan limits): RST if the state asks for one. */
void xtcp_user_abort(struct xtcp_tcb *t, int err, u64 now_us, struct xtcp_verdict *v);
/* SO_KEEPALIVE or a TCP_KEEP* option changed: re-arm. */
void xtcp_user_keepalive(struct xtcp_tcb *t, bool begin, u64 now_us);

/* ---- segments (arrive.c), RFC 9293 3.10.7 */

/* Connection in any state but LISTEN and TIME_WAIT. */
void xtcp_segment_arrives(struct xtcp_tcb *t, const struct xtcp_seg *g, u64 now_us,
			  struct xtcp_verdict *v);
/*
 * No flow and no listener (3.10.7.1): the RST that answers @g, in v->reply
 * with XTCP_V_REPLY; nothing for a RST.
 */
void xtcp_segment_closed(const struct xtcp_seg *g, struct xtcp_verdict *v);

/* ICMP hard or soft error for this connection (RFC 9293 3.9.2.2); err positive. */
void xtcp_icmp_error(struct xtcp_tcb *t, int err, bool hard, u64 now_us,
		     struct xtcp_verdict *v);
/* Path MTU changed: set mss_cap (at least tcp_min_snd_mss), resend what is too big. */
void xtcp_mtu_changed(struct xtcp_tcb *t, u16 mss_cap, u64 now_us, struct xtcp_verdict *v);

/* ---- timeouts (timeout.c), RFC 9293 3.10.8 */

/* Fires every deadline that is due. */
void xtcp_timeout(struct xtcp_tcb *t, u64 now_us, struct xtcp_verdict *v);
/* The retransmission timeout in force: with backoff, at most tcp_rto_max_ms. */
u64 xtcp_rto_now_us(const struct xtcp_tcb *t);
/* Earliest deadline: when xtcp_timeout() has to be called; 0 if none stands. */
static inline u64 xtcp_next_deadline(const struct xtcp_tcb *t)
{
	u64 next = t->deadline_us[0] - 1;
	unsigned int i;

	/* less one, what is not armed is the latest of all */
	for (i = 1; i < XTCP_NR_TIMERS; i++)
		next = min_t(u64, next, t->deadline_us[i] - 1);
	return next + 1;
}

/* ---- output (output.c) */

/*
 * Decide the next segment to transmit now; false if none. Call in a loop; each
 * true must be followed by xtcp_output_sent() or, if the caller could not
 * build it, xtcp_output_failed() (which arms a retry) and the end of the loop. If
 * the queue below drops it xtcp_output_refused() says whether it counts as sent;
 * the loop goes on, an ACK may still be due.
 */
bool xtcp_output_next(struct xtcp_tcb *t, u64 now_us, struct xtcp_xmit *x);
/* Asked after a segment; false: xtcp_output_next() would find nothing to send. */
bool xtcp_output_more(const struct xtcp_tcb *t);
/* Instead of a last one that would say false, if xtcp_output_more() does. */
void xtcp_output_over(struct xtcp_tcb *t, u64 now_us);
void xtcp_output_sent(struct xtcp_tcb *t, const struct xtcp_xmit *x, u64 now_us);
void xtcp_output_failed(struct xtcp_tcb *t, u64 now_us);
bool xtcp_output_refused(struct xtcp_tcb *t, const struct xtcp_xmit *x, u64 now_us);
/* Bytes the user wrote that were never sent / never acknowledged (SIOCOUTQNSD, SIOCOUTQ). */
u32 xtcp_unsent(const struct xtcp_tcb *t);
u32 xtcp_unacked(const struct xtcp_tcb *t);
u32 xtcp_mss_update(struct xtcp_tcb *t);	/* recompute mss_now */
/* Payload handed down in one piece: TSO autosizing (pacing.c). */
u32 xtcp_tso_goal(const struct xtcp_tcb *t);
/* How many segments may be overtaken before that means loss: DupThresh. */
static inline u32 xtcp_reordering(const struct xtcp_tcb *t)
{
	return t->reordering ?: (u32)XTCP_P(t, tcp_reordering);
}

/* The rate in force, bytes a second; XTCP_RATE_MAX: no limit. */
static inline u32 xtcp_pacing_rate(const struct xtcp_tcb *t)
{
	return min_t(u32, t->pacing_rate, t->pacing_max);
}

u64 xtcp_delivery_rate(const struct xtcp_tcb *t);	/* bytes a second; 0: not known */

/* ---- initial sequence number and timestamp offset (isn.c), RFC 6528 */

struct xtcp_key { siphash_key_t isn, ts; };
/* Addresses: 4 or 16 bytes each; ports in network order. 64 ns clock. */
u32 xtcp_isn(const struct xtcp_key *k, const void *laddr, const void *raddr,
	     unsigned int alen, u16 lport, u16 rport, u64 now_ns);
u64 xtcp_tuple_hash(const siphash_key_t *k, const void *laddr, const void *raddr,
		    unsigned int alen, u64 x);
u32 xtcp_ts_off(const struct xtcp_key *k, const void *laddr, const void *raddr,
		unsigned int alen);

/* ---- half-open requests (request.c): LISTEN and passive SYN_RECEIVED */

/* The core's part of a half-open request. */
struct xtcp_rq {
	u32 iss, rcv_nxt;
	u32 ts_recent;		/* with ts_ok */
	u32 ts_off;
	/* Times modulo 2^32 us: no request lives an hour. See xtcp_rq_synack_us(). */
	u32 synack_us;		/* last SYN-ACK, for the 500 ms limit and the RTT sample */
	u32 last_oow_us;	/* last ACK to a bad segment, 0: none */
	u16 mss_peer;
	u16 wnd;		/* window of the peer's SYN, unscaled */
	u16 rcv_wnd;		/* of our SYN-ACK, unscaled (RFC 7323 2.2) */
	u8 snd_wscale:4, rcv_wscale:4;
	/* acked: bare ACK seen (DEFER_ACCEPT) */
	/* cookie: its SYN-ACK carries a SYN cookie; when it was sent is not known */
	/* dead: caller's */
	u8 ts_ok:1, sack_ok:1, wscale_ok:1, ecn_ok:1, is_v6:1, acked:1, cookie:1, dead:1;
	u8 retries;		/* SYN-ACK retransmissions so far */
};

/* When the last SYN-ACK was sent. */
static inline u64 xtcp_rq_synack_us(const struct xtcp_rq *rq, u64 now_us)
{
	return now_us - (u32)((u32)now_us - READ_ONCE(rq->synack_us));
}

enum xtcp_listen_act { XTCP_L_DROP, XTCP_L_RST, XTCP_L_SYN };
/*
 * 3.10.7.2: RST -> drop, ACK -> RST (v->reply), SYN -> XTCP_L_SYN (make a
 * request if the queues have room), else drop (v->drop says why).
 */
enum xtcp_listen_act xtcp_listen_segment(const struct xtcp_seg *g, struct xtcp_verdict *v);

/* Fill @rq from the SYN @g. @rcv_wnd: initial window to offer, bytes. */
void xtcp_rq_init(struct xtcp_rq *rq, const struct xtcp_params *p, const struct xtcp_seg *g,
		  bool v6, u32 iss, u32 ts_off, u32 rcv_wnd, u8 rcv_wscale, u64 now_us);
/* The route to the peer of @rq has RTAX_FEATURE_ECN, which is as good as tcp_ecn. */
void xtcp_rq_ecn_route(struct xtcp_rq *rq, const struct xtcp_seg *g);
/* The SYN-ACK, ready for the wire. */
void xtcp_rq_synack(const struct xtcp_rq *rq, u16 adv_mss, u64 now_us, struct xtcp_reply *r);

enum xtcp_rq_act {
	XTCP_RQ_DROP,		/* v->drop; v->reply if XTCP_V_REPLY (challenge ACK, RST) */
	XTCP_RQ_SYNACK,		/* resend the SYN-ACK (retransmitted SYN) */
	XTCP_RQ_KILL,		/* exact RST: free the request (EmbryonicRsts) */
	XTCP_RQ_COMPLETE,	/* third segment good: make the child, feed it @g */
};

enum xtcp_rq_act xtcp_rq_segment(struct xtcp_rq *rq, const struct xtcp_params *p,
				 const struct xtcp_seg *g, u64 now_us, struct xtcp_verdict *v);
/*
 * Next SYN-ACK timeout after @rq->retries retransmissions, in us: the first one
 * (the listener's XTCP_INIT_RTO_MS, @init_rto_ms, or 0) doubled each time,
 * bounded by rto_max. The request dies at the timeout that follows its last
 * permitted retransmission.
 */
u64 xtcp_rq_timeout_us(const struct xtcp_rq *rq, const struct xtcp_params *p, u32 init_rto_ms);

/*
 * A connection from a completed request: state SYN_RECV; the caller then feeds
 * the third segment to xtcp_segment_arrives(). adv_mss, mss_cap, gso_max,
 * rcv_free, rcv_full set before.
 */
void xtcp_open_child(struct xtcp_tcb *t, const struct xtcp_rq *rq, u64 now_us,
		     struct xtcp_verdict *v);

/* ---- TIME-WAIT, and FIN_WAIT2 without a user (timewait.c) */

/* All that is kept of the connection; 12 bytes and 12 bits. */
struct xtcp_twc {
	u32 snd_nxt, rcv_nxt;
	u32 ts_recent;		/* with ts_ok */
	u8 ts_ok:1,
	   ts_plain:1,		/* our timestamps go without an offset */
	   fin_wait2:1,		/* the peer's FIN is still to come */
	   brief:1;		/* tcp_tw_recycle cut it short (caller's) */
	/*
	 * of 2MSL by FIN; capped, so that no peer holds the tuple. In FIN_WAIT2:
	 * 3.5 RTO, see xtcp_twc_brief_us()
	 */
	u8 restarts;
	u8 wnd_log;		/* window as it stood on the wire, power of two not above */
};

/* The fields that are no sequence numbers, in 12 bits. */
static inline u16 xtcp_twc_pack(const struct xtcp_twc *w)
{
	return w->ts_ok | w->ts_plain << 1 | w->fin_wait2 << 2 | w->brief << 3 |
	       w->restarts << 4 | w->wnd_log << 8;
}

static inline void xtcp_twc_unpack(struct xtcp_twc *w, u16 bits)
{
	w->ts_ok = bits;
	w->ts_plain = bits >> 1;
	w->fin_wait2 = bits >> 2;
	w->brief = bits >> 3;
	w->restarts = bits >> 4 & 15;
	w->wnd_log = bits >> 8 & 15;
}

void xtcp_tw_init(struct xtcp_twc *w, const struct xtcp_tcb *t);
u64 xtcp_tw_brief_us(const struct xtcp_tcb *t);
u64 xtcp_twc_brief_us(const struct xtcp_twc *w);
void xtcp_twc_begin(struct xtcp_twc *w);

/* What a segment for an entry needs beside it. */
struct xtcp_tw_env {
	const struct xtcp_params *p;
	u64 now_us;
	u64 last_ack_us;	/* in and out: last ACK to a bad segment, 0: none */
	u32 ts_off;		/* of our timestamps towards this peer */
	u32 iss;		/* out, with XTCP_TW_REOPEN: least ISN of the new connection */
	bool listener;		/* somebody listens; else a new SYN is only acknowledged */
};

enum xtcp_tw_act {
	XTCP_TW_DROP,		/* v->drop; v->reply if XTCP_V_REPLY */
	XTCP_TW_RESTART,	/* FIN again: v->reply acknowledges it, 2MSL starts anew */
	XTCP_TW_FIN,		/* FIN in FIN_WAIT2: acknowledged, TIME_WAIT begins */
	XTCP_TW_KILL,		/* RST: free the entry (not with tcp_rfc1337) */
	XTCP_TW_ABORT,		/* data in FIN_WAIT2: v->reply is a RST, free the entry */
	/* acceptable new SYN: free the entry, give it to the listener with an ISN from iss on */
	XTCP_TW_REOPEN,
};

enum xtcp_tw_act xtcp_tw_segment(struct xtcp_twc *w, struct xtcp_tw_env *e,
				 const struct xtcp_seg *g, struct xtcp_verdict *v);

/* ---- self-check (check.c) */

/*
 * Do the invariants hold between two calls (verdict executed, output loop run)?
 * On false *@why names the broken one.
 */
bool xtcp_tcb_check(const struct xtcp_tcb *t, const char **why);

#endif /* XTCP_CORE_TCB_H */
