// SPDX-License-Identifier: GPL-2.0
/* getsockopt(TCP_INFO): the tcb in the terms of struct tcp_info. */
#include "xtcp_mod.h"
#include "sockopt.h"

static u32 xtcp_ms_since(u64 then_us, u64 now_us)
{
	return then_us ? div_u64(now_us - then_us, USEC_PER_MSEC) : 0;
}

static void xtcp_info_listener(const struct sock *sk, struct tcp_info *i)
{
	const struct xtcp_listener *l = xtcp_sk(sk)->lsn;

	/* a listener shows its accept queue where a connection shows segments */
	i->tcpi_unacked = READ_ONCE(l->n);
	i->tcpi_sacked = READ_ONCE(l->max);
}

static void xtcp_info_options(const struct xtcp_tcb *t, struct tcp_info *i)
{
	if (t->ts_ok)
		i->tcpi_options |= TCPI_OPT_TIMESTAMPS;
	if (t->sack_ok)
		i->tcpi_options |= TCPI_OPT_SACK;
	if (t->wscale_ok) {
		i->tcpi_options |= TCPI_OPT_WSCALE;
		i->tcpi_snd_wscale = t->snd_wscale;
		i->tcpi_rcv_wscale = t->rcv_wscale;
	}
	if (t->ecn_ok)
		i->tcpi_options |= TCPI_OPT_ECN;
	if (t->ecn_seen)
		i->tcpi_options |= TCPI_OPT_ECN_SEEN;
}

static u8 xtcp_info_ca_state(const struct xtcp_tcb *t)
{
	switch (t->ca_state) {
	case XTCP_CA_DISORDER:
		return TCP_CA_Disorder;
	case XTCP_CA_CWR:
		return TCP_CA_CWR;
	case XTCP_CA_RECOVERY:
		return TCP_CA_Recovery;
	case XTCP_CA_LOSS:
		return TCP_CA_Loss;
	default:
		return TCP_CA_Open;
	}
}

static void xtcp_info_times(const struct xtcp_sock *x, struct tcp_info *i)
{
	const struct xtcp_tcb *t = &x->tcb;
	u64 now_us = xtcp_now_us(x->xn);

	i->tcpi_rto = xtcp_rto_now_us(t);
	i->tcpi_busy_time = xtcp_busy_us(t, now_us);
	i->tcpi_ato = t->ato_us;
	i->tcpi_last_data_sent = xtcp_ms_since(t->lsnd_us, now_us);
	i->tcpi_last_data_recv = xtcp_ms_since(t->lrcv_us, now_us);
	i->tcpi_last_ack_recv = xtcp_ms_since(t->rcv_us, now_us);
	i->tcpi_rtt = t->srtt_us >> 3;
	i->tcpi_rttvar = t->mdev_us >> 2;
	i->tcpi_rcv_rtt = t->rcv_rtt_us;
	i->tcpi_min_rtt = t->min_rtt_us;
}

static void xtcp_info_counts(const struct xtcp_tcb *t, struct tcp_info *i)
{
	u32 mss = max_t(u32, t->mss_now, 1);

	i->tcpi_retransmits = min_t(u32, t->retransmits, U8_MAX);
	i->tcpi_probes = t->probes_out;
	i->tcpi_backoff = t->backoff;
	i->tcpi_unacked = DIV_ROUND_UP(t->s.snd_nxt - t->s.snd_una, mss);
	i->tcpi_sacked = DIV_ROUND_UP(t->sacked_bytes, mss);
	i->tcpi_lost = DIV_ROUND_UP(t->lost_bytes, mss);
	i->tcpi_retrans = DIV_ROUND_UP(t->retrans_bytes, mss);
	i->tcpi_total_retrans = t->total_retrans;
	i->tcpi_delivered = t->delivered;
	i->tcpi_delivered_ce = t->delivered_ce;
	i->tcpi_bytes_acked = t->bytes_acked;
	i->tcpi_bytes_received = t->bytes_received;
	i->tcpi_bytes_sent = t->bytes_sent;
	i->tcpi_bytes_retrans = t->bytes_retrans;
	i->tcpi_segs_in = t->segs_in;
	i->tcpi_segs_out = t->segs_out;
	i->tcpi_data_segs_in = t->data_segs_in;
	i->tcpi_data_segs_out = t->data_segs_out;
	i->tcpi_notsent_bytes = xtcp_unsent(t);
	i->tcpi_dsack_dups = t->dsack_dups;
	i->tcpi_reord_seen = t->reord_seen;
	i->tcpi_rcv_ooopack = t->rcv_ooopack;
	i->tcpi_snd_wnd = t->snd_wnd;
}

/**
 * xtcp_get_info - fill struct tcp_info
 * @sk: sock lock held
 * @i: zeroed here; fields we have no truth for stay 0
 */
void xtcp_get_info(struct sock *sk, struct tcp_info *i)
{
	const struct xtcp_sock *x = xtcp_sk(sk);
	const struct xtcp_tcb *t = &x->tcb;

	memset(i, 0, sizeof(*i));
	i->tcpi_state = sk->sk_state;
	i->tcpi_pacing_rate = READ_ONCE(sk->sk_pacing_rate);
	i->tcpi_max_pacing_rate = READ_ONCE(sk->sk_max_pacing_rate);
	i->tcpi_reordering = xtcp_reordering(t);
	i->tcpi_snd_cwnd = t->cwnd;
	if (sk->sk_state == TCP_LISTEN) {
		xtcp_info_listener(sk, i);
		return;
	}
	i->tcpi_ca_state = xtcp_info_ca_state(t);
	xtcp_info_options(t, i);
	xtcp_info_times(x, i);
	xtcp_info_counts(t, i);
	i->tcpi_snd_mss = t->mss_now;
	i->tcpi_rcv_mss = t->rcv_mss;
	/* what is left for payload beside the timestamps */
	i->tcpi_advmss = t->adv_mss - (t->ts_ok ? XTCP_TS_LEN : 0);
	i->tcpi_pmtu = x->mss_pmtu;
	i->tcpi_rcv_ssthresh = t->rcv_ssthresh;
	i->tcpi_snd_ssthresh = t->ssthresh;
	i->tcpi_rcv_space = t->rcvq_space;
	i->tcpi_delivery_rate = xtcp_delivery_rate(t);
	i->tcpi_delivery_rate_app_limited = t->rate_app_limited;
}
