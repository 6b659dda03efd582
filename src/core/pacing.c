// SPDX-License-Identifier: GPL-2.0
/*
 * How fast data leaves, and in pieces of which size. The rate of a window-based
 * congestion control is its window spread over a round trip, with some room to
 * grow, as Linux has it; a model-based one sets its own. From it follow how
 * much is handed down in one piece (TSO autosizing) and, where pacing is asked
 * for, when the next piece may go.
 */
#include "internal.h"

#define FREE_SEGS	10	/* go unpaced */
#define RATE_SHIFT	10	/* a piece is what goes out in 2^-10 s */
#define WAIT_US		1000	/* for a larger piece, no longer after the last one */
#define WAIT_SEGS	3	/* more of them do not wait, tcp_tso_win_divisor 0 */

/* Linux takes the window of slow start for half of the next one. */
static u32 rate_ratio(const struct xtcp_tcb *t)
{
	return t->cwnd < t->ssthresh / 2 ? XTCP_P(t, tcp_pacing_ss_ratio) :
					   XTCP_P(t, tcp_pacing_ca_ratio);
}

/**
 * xtcp_pacing_update - the rate of a window-based congestion control
 * @t: block; cwnd and srtt are up to date
 */
void xtcp_pacing_update(struct xtcp_tcb *t)
{
	u64 rate = (u64)t->cwnd * t->mss_now;

	rate = max_t(u64, rate, t->s.snd_nxt - t->s.snd_una);
	/* srtt_us is eight times the round-trip time, the ratio is in percent */
	rate *= rate_ratio(t) * (8 * USEC_S / 100);
	if (t->srtt_us)
		rate = div_u64(rate, t->srtt_us);
	t->pacing_rate = min_t(u64, rate, XTCP_RATE_MAX);
}

/**
 * xtcp_tso_goal - how much payload is handed down in one piece
 * @t: block
 *
 * About a millisecond of it, but more to a peer that is near: there a larger
 * burst does no harm (tcp_tso_rtt_log), and at least tcp_min_tso_segs segments.
 *
 * Return: bytes, at most what the route lets be cut up.
 */
u32 xtcp_tso_goal(const struct xtcp_tcb *t)
{
	u32 away = t->min_rtt_us >> XTCP_P(t, tcp_tso_rtt_log);
	u64 goal = xtcp_pacing_rate(t) >> RATE_SHIFT;

	goal += away < 32 ? t->gso_max >> away : 0;
	goal = max_t(u64, goal, (u64)XTCP_P(t, tcp_min_tso_segs) * t->mss_now);
	return min_t(u64, goal, t->gso_max);
}

/**
 * xtcp_piece_waits - does less than a piece wait for ACKs that allow more?
 * @t: block
 * @limit: bytes that may go now, of more that is there
 * @piece: bytes of a whole one
 * @mss: bytes of a segment
 * @now_us: now
 *
 * As on Linux (tcp_tso_win_divisor). Small pieces cost both ends; and where a flow has
 * its share of a queue that is full, each burst with one segment more, as cwnd grows,
 * would lose that one. Not once sending has paused, nor where the next ACK is far.
 *
 * Return: whether it has to wait.
 */
bool xtcp_piece_waits(const struct xtcp_tcb *t, u32 limit, u32 piece, u32 mss, u64 now_us)
{
	u32 div = XTCP_P(t, tcp_tso_win_divisor);
	const struct xtcp_rng *head;
	u64 all;

	if (limit >= piece || now_us - t->lsnd_us > WAIT_US || !t->n_txq || t->fin_queued ||
	    (t->ca_state != XTCP_CA_OPEN && t->ca_state != XTCP_CA_CWR))
		return false;
	all = min_t(u64, (u64)t->cwnd * mss, t->snd_wnd);
	if (div ? (u64)limit * div >= all : limit > WAIT_SEGS * mss)
		return false;
	head = list_first_entry(&t->txq, struct xtcp_rng, link);
	/* srtt_us is eight times the round-trip time: half of one has passed */
	return now_us - head->xmit_us >= t->srtt_us >> 4;
}

/**
 * xtcp_pace_sent - data went out: from when on may more of it?
 * @t: block, paced
 * @len: bytes
 * @now_us: now
 *
 * A timer that comes late makes the gap after it shorter, by up to half: the
 * rate is kept, and no burst makes up for long ago. The first ten segments of a
 * connection go at once. All as on Linux.
 */
void xtcp_pace_sent(struct xtcp_tcb *t, u32 len, u64 now_us)
{
	u32 rate = xtcp_pacing_rate(t);
	u64 us, late_us = now_us - min_t(u64, now_us, t->pace_us);

	if (rate == XTCP_RATE_MAX || !rate || t->data_segs_out <= FREE_SEGS)
		return;
	us = div_u64((u64)len * USEC_S, rate);
	us -= min_t(u64, us / 2, late_us);
	t->pace_us = max_t(u64, now_us, t->pace_us) + us;
}

/**
 * xtcp_held - may no data go out, though cwnd and the window would let it?
 * @t: block
 * @len: bytes that are to go
 * @now_us: now
 *
 * What is below is full (the caller says so, and comes again when it is not).
 * As on Linux, not while one piece or none is in flight: its completion may be
 * late, and no ACK would make up for that.
 *
 * Return: whether it has to wait.
 */
bool xtcp_held(struct xtcp_tcb *t, u32 len, u64 now_us)
{
	if (unlikely(len < t->dev_least) && t->n_txq > 1) {
		t->held = 1;
		return true;
	}
	if (t->paced && t->pace_us > now_us) {
		t->deadline_us[XTCP_T_PACE] = t->pace_us;
		return true;
	}
	return false;
}
