// SPDX-License-Identifier: GPL-2.0
/*
 * Packetization layer path MTU discovery (RFC 4821), with Linux's knobs: where no
 * ICMP tells of a narrow path, segments that get no answer are made smaller, and
 * a larger one is tried now and then. A segment that is lost because it was too
 * large tells nothing of congestion.
 *
 * Sizes here are those of mss_cap: of an IP packet less its own header and a bare
 * TCP header. Within [mtup_low, mtup_high] lies the largest that gets through.
 */
#include "internal.h"

#define MTUP_CWND	11	/* less is too few to notice a loss and go on */

/* What every segment carries beside its payload. */
static u32 opts_len(const struct xtcp_tcb *t)
{
	return t->ts_ok ? XTCP_TS_LEN : 0;
}

/* No segment may be larger, whatever the path. */
static u32 range_end(const struct xtcp_tcb *t)
{
	return t->user_mss ? min_t(u32, t->mss_peer, t->user_mss) : t->mss_peer;
}

static void range_set(struct xtcp_tcb *t, u32 low, u64 now_us)
{
	t->mtup_low = min_t(u32, low, 65535);
	t->mtup_high = range_end(t);
	t->mtup_size = 0;
	t->mtup_s = xtcp_paws_s(now_us);
}

static u32 base(const struct xtcp_tcb *t)
{
	return min_t(u32, XTCP_P(t, tcp_base_mss), 65535 - XTCP_TS_LEN);
}

/**
 * xtcp_mtup_init - the connection is established
 * @t: block, options agreed on
 * @now_us: now
 */
void xtcp_mtup_init(struct xtcp_tcb *t, u64 now_us)
{
	t->mtup_on = XTCP_P(t, tcp_mtu_probing) > 1;
	range_set(t, base(t) + opts_len(t), now_us);
}

/**
 * xtcp_mtup_black_hole - retransmission after retransmission gets no answer
 * @t: block
 * @now_us: now
 *
 * It may be their size: first tcp_base_mss, then half as much each time.
 */
void xtcp_mtup_black_hole(struct xtcp_tcb *t, u64 now_us)
{
	u32 mss;

	if (!XTCP_P(t, tcp_mtu_probing))
		return;
	if (!t->mtup_on) {
		t->mtup_on = 1;
		t->mtup_s = xtcp_paws_s(now_us);
	} else {
		mss = (t->mtup_low - min_t(u32, t->mtup_low, opts_len(t))) / 2;
		mss = min_t(u32, mss, base(t));
		mss = max_t(u32, mss, XTCP_P(t, tcp_mtu_probe_floor));
		mss = max_t(u32, mss, XTCP_P(t, tcp_min_snd_mss));
		t->mtup_low = min_t(u32, mss + opts_len(t), 65535);
	}
	t->mtup_size = 0;
	xtcp_mss_update(t);
}

/* Nothing larger is worth trying; after a while the path may have become wider. */
static void reprobe(struct xtcp_tcb *t, u64 now_us)
{
	if (xtcp_paws_s(now_us) - t->mtup_s < (u32)XTCP_P(t, tcp_probe_interval))
		return;
	range_set(t, t->mss_now + opts_len(t), now_us);
}

/**
 * xtcp_mtup_next - is a probe to go instead of what comes next?
 * @t: block with data to send
 * @now_us: now
 * @wait: set if nothing new shall go before it can
 *
 * The rules are Linux's: nothing is in doubt, enough is left to send behind it for
 * duplicate ACKs to tell of its loss, and cwnd has room for two.
 *
 * Return: its payload, 0: none now.
 */
u32 xtcp_mtup_next(struct xtcp_tcb *t, u64 now_us, bool *wait)
{
	u32 high = min_t(u32, t->mtup_high, t->mss_cap), size = (t->mtup_low + high) / 2;
	u32 pipe = xtcp_pipe(t), mss = t->mss_now, payload, need;

	if (!t->mtup_on || t->mtup_size || t->ca_state != XTCP_CA_OPEN || t->cwnd < MTUP_CWND ||
	    t->n_sackb || t->dsack_set)
		return 0;
	if (high <= t->mtup_low ||
	    high - t->mtup_low < (u32)max_t(int, XTCP_P(t, tcp_probe_threshold), 2)) {
		reprobe(t, now_us);
		return 0;
	}
	payload = size - min_t(u32, size, opts_len(t));
	need = payload + (xtcp_reordering(t) + 1) * mss;
	if (payload <= mss || t->write_seq - t->s.snd_nxt < need || t->snd_wnd < need)
		return 0;
	/* something is in flight in both cases, and will make room */
	if (seq_gt(t->s.snd_nxt + need, xtcp_wnd_end(t)))
		*wait = true;
	else if (pipe + 2 * mss > (u64)t->cwnd * mss)
		*wait = pipe;
	else
		return payload;
	return 0;
}

/**
 * xtcp_mtup_sent - the probe went out
 * @t: block
 * @seq: where it begins
 * @payload: its length
 *
 * It takes the room of two segments.
 */
void xtcp_mtup_sent(struct xtcp_tcb *t, u32 seq, u32 payload)
{
	t->mtup_seq = seq;
	t->mtup_size = payload + opts_len(t);
	t->cwnd--;
}

/**
 * xtcp_mtup_ack - SND.UNA moved: has the probe arrived?
 * @t: block
 * @v: verdict
 */
void xtcp_mtup_ack(struct xtcp_tcb *t, struct xtcp_verdict *v)
{
	u64 cwnd;

	if (!t->mtup_size || seq_lt(t->s.snd_una, t->mtup_seq + t->mtup_size - opts_len(t)))
		return;
	/* the same number of bytes in larger segments */
	cwnd = div_u64((u64)t->cwnd * t->mtup_low, t->mtup_size);
	t->cwnd = max_t(u32, cwnd, 1);
	t->cwnd_cnt = 0;
	t->mtup_low = t->mtup_size;
	t->mtup_size = 0;
	xtcp_mss_update(t);
	xtcp_count(v, XTCP_MIB_MTUP_SUCCESS);
}

/**
 * xtcp_mtup_lost - a loss comes to light: is it the probe's?
 * @t: block, no reduction going on
 * @v: verdict
 *
 * Then it goes again in segments of the size of before, and cwnd stays.
 *
 * Return: whether it was; there is nothing else to do.
 */
bool xtcp_mtup_lost(struct xtcp_tcb *t, struct xtcp_verdict *v)
{
	struct xtcp_rng *r;

	if (!t->mtup_size || t->s.snd_una != t->mtup_seq)
		return false;
	r = xtcp_txq_head(t);
	if (r->sacked)
		return false;
	t->mtup_high = t->mtup_size - 1;
	t->mtup_size = 0;
	t->cwnd++;
	xtcp_count(v, XTCP_MIB_MTUP_FAIL);
	xtcp_rng_mark(t, r, false, true, false);
	t->force_rexmit = 1;
	t->high_seq = t->s.snd_nxt;
	t->dupacks = 0;
	t->prior_cwnd = 0;
	xtcp_ca_set(t, XTCP_CA_LOSS);
	return true;
}
