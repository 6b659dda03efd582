// SPDX-License-Identifier: GPL-2.0
/* Values of socket options, with Linux's ranges and errors. */
#include "internal.h"
#include "optval.h"

/* As Linux has them. */
#define MSS_MIN		88
#define MSS_MAX		32767
#define KEEP_MAX_S	32767
#define COUNT_MAX	127
#define LINGER2_MAX_S	120
#define MSEC_S		1000
#define USER_TIMEOUT_MAX_MS 0x7fffffff
/* Of TCP_RTO_MIN_US. Linux begins at two of its ticks, we with tcp_rto_min_us. */
#define RTO_MIN_LEAST_US	1000
#define RTO_MIN_MOST_US		200000

/* Longest 2MSL, as of tcp_timewait_ms; and the range of a first timeout. */
#define TIMEWAIT_MAX_MS	86400000
#define INIT_RTO_MIN_MS	10
#define INIT_RTO_MAX_MS	60000

/* What TCP_DEFER_ACCEPT reckons with: the first timeout of a SYN-ACK and the longest. */
#define DEFER_RTO_S	1
#define DEFER_RTO_MAX_S	120

static int set_range(u32 *field, int val, int lo, int hi, u32 scale)
{
	if (val < lo || val > hi)
		return -EINVAL;
	WRITE_ONCE(*field, val * scale);
	return 0;
}

static int set_count(u8 *field, int val)
{
	if (val < 1 || val > COUNT_MAX)
		return -EINVAL;
	WRITE_ONCE(*field, val);
	return 0;
}

/**
 * xtcp_opt_tcp - an option of IPPROTO_TCP that is a number kept in the block
 * @t: block, a listener's is read by others at the same time
 * @optname: TCP_*
 * @val: as the user gave it
 *
 * Return: 0, -EINVAL, or -ENOPROTOOPT if it is no such option.
 */
int xtcp_opt_tcp(struct xtcp_tcb *t, int optname, int val)
{
	switch (optname) {
	case TCP_MAXSEG:
		if (val && (val < MSS_MIN || val > MSS_MAX))
			return -EINVAL;
		t->user_mss = val;
		return 0;
	case TCP_THIN_LINEAR_TIMEOUTS:
		if (val < 0 || val > 1)
			return -EINVAL;
		t->thin_lto = val;
		return 0;
	case TCP_THIN_DUPACK:
		/* Linux has not done anything with it since 4.11 */
		return val < 0 || val > 1 ? -EINVAL : 0;
	case TCP_KEEPIDLE:
		return set_range(&t->keep_idle_ms, val, 1, KEEP_MAX_S, MSEC_S);
	case TCP_KEEPINTVL:
		return set_range(&t->keep_intvl_ms, val, 1, KEEP_MAX_S, MSEC_S);
	case TCP_KEEPCNT:
		return set_count(&t->keep_cnt, val);
	case TCP_SYNCNT:
		return set_count(&t->syn_retries, val);
	case TCP_LINGER2:
		t->linger2_ms = val < 0 ? -1 : min(val, LINGER2_MAX_S) * MSEC_S;
		return 0;
	case TCP_USER_TIMEOUT:
		return set_range(&t->user_timeout_ms, val, 0, USER_TIMEOUT_MAX_MS, 1);
	case TCP_RTO_MIN_US:
		return set_range(&t->rto_min_us, val, RTO_MIN_LEAST_US, RTO_MIN_MOST_US, 1);
	default:
		return -ENOPROTOOPT;
	}
}

static bool own_ok(int optname, int val)
{
	switch (optname) {
	case XTCP_TIMEWAIT_MS:
		return val >= -1 && val <= TIMEWAIT_MAX_MS;
	case XTCP_CONNECT_TIMEOUT_MS:
		return val >= 0;
	case XTCP_INIT_RTO_MS:
		return !val || (val >= INIT_RTO_MIN_MS && val <= INIT_RTO_MAX_MS);
	case XTCP_ORPHAN_RETRIES:
		return val >= -1 && val <= 255;
	case XTCP_SYNCOOKIES:
		return val >= -1 && val <= 2;
	case XTCP_ABORT_ON_OVERFLOW:
		return val >= -1 && val <= 1;
	case XTCP_ZEROCOPY:
		return val >= 0 && val <= 1;
	default:
		return false;
	}
}

/**
 * xtcp_opt_own - an option of SOL_XTCP
 * @t: block, a listener's is read by others at the same time
 * @optname: XTCP_*
 * @val: as the user gave it
 *
 * What is not kept in the block is only checked.
 *
 * Return: 0 or -EINVAL.
 */
int xtcp_opt_own(struct xtcp_tcb *t, int optname, int val)
{
	if (!own_ok(optname, val))
		return -EINVAL;
	switch (optname) {
	case XTCP_CONNECT_TIMEOUT_MS:
		WRITE_ONCE(t->connect_timeout_ms, val);
		break;
	case XTCP_INIT_RTO_MS:
		WRITE_ONCE(t->init_rto_ms, val);
		break;
	case XTCP_ORPHAN_RETRIES:
		WRITE_ONCE(t->orphan_retries, val);
		break;
	}
	return 0;
}

/**
 * xtcp_secs_to_retrans - TCP_DEFER_ACCEPT is told in seconds, kept as retransmissions
 * @secs: as the user gave it
 *
 * Return: retransmissions of the SYN-ACK that take at least so long, at most 255.
 */
u8 xtcp_secs_to_retrans(int secs)
{
	int timeout = DEFER_RTO_S, period = timeout;
	u8 n;

	if (secs <= 0)
		return 0;
	for (n = 1; secs > period && n < 255; n++) {
		timeout = min(timeout * 2, DEFER_RTO_MAX_S);
		period += timeout;
	}
	return n;
}

/**
 * xtcp_retrans_to_secs - the way back
 * @n: retransmissions
 *
 * Return: seconds, 0 for 0.
 */
int xtcp_retrans_to_secs(u8 n)
{
	int timeout = DEFER_RTO_S, period = timeout;

	if (!n)
		return 0;
	while (--n) {
		timeout = min(timeout * 2, DEFER_RTO_MAX_S);
		period += timeout;
	}
	return period;
}
