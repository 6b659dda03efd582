// SPDX-License-Identifier: GPL-2.0
/*
 * The long schedules at real speed, where time is virtual, and the same ones
 * by a faster clock (lab_timescale): a minute in a second, two hours in eight.
 *
 * Times in these tests are milliseconds of the stack's clock. What is late is
 * late by real time: nothing is ever early, and a scale is small enough if
 * the machine's slack is less than the gaps between the events told apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

/* where time is virtual, in us: two ticks of HZ=100, and one more of the wheel's */
#define EXACT_TIMER_US	21000
#define EXACT_WHEEL_US	30000

static int scale = 1;

static void lab(int s)
{
	char text[16];

	scale = s;
	snprintf(text, sizeof(text), "%d", s);
	CHECK(sut_sysctl("lab_timescale", text));
}

/* Is @us, a real time, what @ms of the stack's clock should be? */
static void check_us(long long us, long ms, long exact_us)
{
	long long want = ms * 1000ll / scale;

	if (raw.virt)
		CHECK_RANGE(us, want - 500, want + exact_us);
	else
		CHECK_RANGE(us, want - raw.slack_ms * 200, want + raw.slack_ms * 1000ll);
}

/* Expect a segment @ms after @t0. */
static void rx_at(struct peer *p, u64 t0, long ms, long exact_us, const char *what)
{
	long long left = ms * 1000ll / scale - (long long)(raw_now_us() - t0);

	peer_rx(p, (left > 0 ? left / 1000 : 0) + 100, "%s", what);
	check_us(p->last->at_us - t0, ms, exact_us);
}

/* Nothing more comes, and the state stays, until it ends @ms after @t0. */
static void ends_at(struct peer *p, u64 t0, long ms, long exact_us)
{
	long long left = ms * 950ll / scale - (long long)(raw_now_us() - t0);
	int state = sut_state(p);

	if (left > 0)
		peer_rx_none(p, left / 1000);
	CHECK_EQ(sut_state(p), state);
	sut_wait_state(p, ST_NONE, ms / 10 / scale + 500);
	check_us(raw_now_us() - t0, ms, exact_us + 5000);
}

/* ---- the schedules */

/* SYN at 0, 1, 3, 7, 15, 31 s, the end at 63 s */
static void syn_63_s(struct peer *p)
{
	u64 t0 = raw_now_us();
	int i;

	sut_connect(p);
	for (i = 0; i <= 5; i++)
		rx_at(p, t0, ((1 << i) - 1) * 1000, EXACT_TIMER_US, "S seq=0");
	CHECK_EQ(sut_connect_errno(p, 40000 / scale), ETIMEDOUT);
	check_us(raw_now_us() - t0, 63000, EXACT_TIMER_US);
}

/* SYN-ACK likewise; each is filed on the wheel anew, and rounded up there */
static void synack_63_s(struct peer *p)
{
	int i;
	u64 t0;

	sut_listen(p, 8);
	t0 = raw_now_us();
	peer_tx(p, "S mss=1460");
	for (i = 0; i <= 5; i++)
		rx_at(p, t0, ((1 << i) - 1) * 1000, i * EXACT_WHEEL_US + 500, "SA seq=0 ack=1");
	ends_at(p, t0, 63000, 6 * EXACT_WHEEL_US);
}

/* FIN of an orphan: 8 times by default, then twice the last timeout: 511 times the first */
static void orphan_fin(struct peer *p, int ending)
{
	int i, in = ending == ST_LAST_ACK ? 2 : 1;
	struct tcp_info info;
	socklen_t len = sizeof(info);
	char fin[64];
	long rto;
	u64 t0;

	open_passive(p, "mss=1460");
	if (ending == ST_LAST_ACK) {
		peer_tx(p, "FA");
		peer_rx(p, 500, "A ack=2");
	}
	snprintf(fin, sizeof(fin), "FA seq=1 ack=%d", in);
	CHECK(!getsockopt(p->fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	rto = info.tcpi_rto / 1000;
	CHECK(rto >= 200);
	sut_close(p);
	peer_rx(p, 500, "%s", fin);
	CHECK_EQ(sut_state(p), ending);
	t0 = p->last->at_us;
	for (i = 1; i <= 8; i++)
		rx_at(p, t0, rto * ((1 << i) - 1), 2 * EXACT_TIMER_US, fin);
	ends_at(p, t0, rto * 511, 2 * EXACT_TIMER_US);
	peer_rx_none(p, 30);
}

/* 7200 s idle, 9 probes, 75 s apart: dead after 2 h 11 min 15 s */
static void keepalive_7875_s(struct peer *p)
{
	u64 t0;
	int i;

	open_passive(p, "mss=1460");
	t0 = raw_now_us();
	sut_opt(p->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	for (i = 0; i < 9; i++)
		rx_at(p, t0, 7200000 + i * 75000, EXACT_TIMER_US, "A seq=0 ack=1");
	rx_at(p, t0, 7875000, EXACT_TIMER_US, "RA seq=1 ack=1");
	CHECK_EQ(sut_read_errno(p, 500), ETIMEDOUT);
}

/* 2MSL */
static void timewait_60_s(struct peer *p)
{
	u64 t0;

	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	t0 = raw_now_us();
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	ends_at(p, t0, 60000, EXACT_WHEEL_US);
}

/* FIN_WAIT2 of a closed socket, the default of a minute */
static void finwait2_60_s(struct peer *p)
{
	u64 t0;

	sut_sysctl("tcp_fin_timeout", "60");
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	t0 = raw_now_us();
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	ends_at(p, t0, 60000, EXACT_WHEEL_US);
}

/*
 * Unanswered data: retransmitted for the 924.6 s that 15 retransmissions would
 * take from 0.2 s on, given up at the timeout after that.
 */
static void data_924_s(struct peer *p)
{
	long long first_us = 0, last_us = 0, end_us;
	int n = 0;

	open_passive(p, "mss=1460");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
	while (peer_rx_any(p, 125000 / scale + raw.slack_ms)) {
		CHECK(p->last->flags & TH_ACK && p->last->len == 10);
		last_us = p->last->at_us;
		first_us = n++ ? first_us : last_us;
	}
	CHECK_EQ(sut_read_errno(p, 125000 / scale), ETIMEDOUT);
	end_us = raw_now_us();
	CHECK_RANGE(n, 13, 16);
	/* the peer is silent from the last one on, the wait above is real time */
	CHECK_RANGE((last_us - first_us) * scale / 1000, 700000, 924600);
	CHECK((end_us - first_us) * scale / 1000 >= 924600);
}

/* close() with a closed window: probes, answered each time, and yet an end */
static void zero_window_324_s(struct peer *p)
{
	u64 t0;
	int n = 0;

	p->win = 0;
	open_passive(p, "mss=1000");
	sut_write(p, 100);
	sut_close(p);
	t0 = raw_now_us();
	while (sut_state(p) == ST_FIN_WAIT1 && raw_now_us() - t0 < 500000000ull / scale)
		if (peer_rx_any(p, scale == 1 ? 500 : 20)) {
			n++;
			peer_tx(p, "A ack=1 win=0");
		}
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_RANGE(n, 8, 14);
	CHECK_RANGE((long)(raw_now_us() - t0) * scale / 1000, 200000,
		    460000 + raw.slack_ms * scale);
}

#define LAB(name, rows, run, s) LAB_FLAGS(name, rows, run, s, (s) == 1 ? T_LONG : 0)
/* gaps of milliseconds, or a wheel's rounding that adds up: not for slow machines */
#define LAB_FINE(name, rows, run, s) LAB_FLAGS(name, rows, run, s, T_LONG)

#define LAB_FLAGS(name, rows, run, s, flags)				\
	RAW_TEST(name, rows, T_XTCP | (flags))				\
	{								\
		lab(s);							\
		run;							\
	}

LAB(lab_1_syn, "4-41 4-40 1-19 D-1", syn_63_s(p), 1)
LAB(lab_60_syn, "4-41 4-40 1-19 D-1", syn_63_s(p), 60)
LAB(lab_1_synack, "4-44", synack_63_s(p), 1)
LAB_FINE(lab_10_synack, "4-44", synack_63_s(p), 10)
LAB_FINE(lab_60_synack, "4-44", synack_63_s(p), 60)
LAB(lab_1_finwait1, "4-66 D-3", orphan_fin(p, ST_FIN_WAIT1), 1)
LAB(lab_10_finwait1, "4-66 D-3", orphan_fin(p, ST_FIN_WAIT1), 10)
LAB(lab_1_last_ack, "4-76 D-3", orphan_fin(p, ST_LAST_ACK), 1)
LAB(lab_10_last_ack, "4-76 D-3", orphan_fin(p, ST_LAST_ACK), 10)
LAB(lab_1_keepalive, "4-112 3-15 D-14", keepalive_7875_s(p), 1)
LAB(lab_1000_keepalive, "4-112 3-15 D-14", keepalive_7875_s(p), 1000)
LAB(lab_1_timewait, "0-16 1-17 4-82 4-83", timewait_60_s(p), 1)
LAB(lab_60_timewait, "0-16 1-17 4-82 4-83", timewait_60_s(p), 60)
LAB(lab_1_finwait2, "4-71", finwait2_60_s(p), 1)
LAB(lab_60_finwait2, "4-71", finwait2_60_s(p), 60)
LAB(lab_1_data, "RFC 9293 3.8.3 R2", data_924_s(p), 1)
LAB_FINE(lab_60_data, "RFC 9293 3.8.3 R2", data_924_s(p), 60)
LAB(lab_1_zero_window, "X-18", zero_window_324_s(p), 1)
LAB(lab_60_zero_window, "X-18", zero_window_324_s(p), 60)

/* ---- the knob itself */

static void fcntl_block(int fd)
{
	CHECK(!fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK));
}

static int put_scale(const char *text)
{
	FILE *f = fopen("/proc/sys/net/xtcp/lab_timescale", "w");
	int err = 0;

	CHECK(f);
	if (fputs(text, f) < 0 || fflush(f))
		err = errno;
	fclose(f);
	return err;
}

RAW_TEST(lab_busy, "lab clock: refused while anything runs by it", T_XTCP)
{
	int fd = sut_socket();

	CHECK_EQ(put_scale("60"), EBUSY);
	CHECK_EQ(put_scale("1"), 0);		/* no change is no harm */
	close(fd);
	CHECK_EQ(put_scale("60"), 0);
	CHECK_EQ(put_scale("0"), EINVAL);
	CHECK_EQ(put_scale("1001"), EINVAL);
	/* half-open */
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	CHECK_EQ(put_scale("2"), EBUSY);
	peer_tx(p, "A");
	sut_accept(p);
	CHECK_EQ(put_scale("2"), EBUSY);
	close(p->lfd);
	p->lfd = -1;
	/* an orphan, then TIME-WAIT, which lasts a real second */
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	CHECK_EQ(put_scale("2"), EBUSY);
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	CHECK_EQ(put_scale("2"), EBUSY);
	sut_wait_state(p, ST_NONE, 2000);
	CHECK_EQ(put_scale("2"), 0);
}

/* The stack's clock in ms, as its timestamps tell, and when that was, in us. */
static u32 clock_ms(struct peer *p, u64 *at_us)
{
	u32 ms;

	p->fd = -1;
	p->sut_known = false;
	p->sut_port = 0;
	sut_connect(p);
	peer_rx(p, 500, "S");
	*at_us = p->last->at_us;
	ms = p->last->tsval;
	CHECK(p->last->opts & OPT_TS);
	close(p->fd);
	p->fd = -1;
	return ms;
}

/* It goes on from where it is at each change, and then at the speed told. */
RAW_TEST(lab_clock_goes_on, "lab clock", T_XTCP | T_LONG)
{
	static const int scales[] = { 1, 1000, 60, 1, 7, 1000, 1 };
	u64 at_us, last_us = 0;
	u32 ms, last_ms = 0;
	unsigned int i;

	sut_sysctl("tcp_timestamps", "2");
	for (i = 0; i < ARRAY_SIZE(scales); i++) {
		ms = clock_ms(p, &at_us);
		/* between two readings it ran at the scale that was set between them */
		if (i) {
			long want = (at_us - last_us) * scale / 1000;

			CHECK_RANGE((int)(ms - last_ms), want - (20 + raw.slack_ms / 5) * scale,
				    want + (20 + raw.slack_ms) * scale);
			CHECK((int)(ms - last_ms) >= 0);
		}
		last_ms = ms;
		last_us = at_us;
		lab(scales[i]);
		poll(NULL, 0, 100);
	}
}

/* SO_LINGER is part of the closing and goes by the stack's clock. */
RAW_TEST(lab_linger, "4-98 lab clock", T_XTCP)
{
	u64 t0;

	lab(60);
	open_passive(p, "mss=1460");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
	sut_linger(p->fd, 1, 30);
	fcntl_block(p->fd);
	t0 = raw_now_us();
	sut_close(p);
	check_us(raw_now_us() - t0, 30000, 3 * EXACT_TIMER_US);
}

/* What a program waits for by itself is real time: SO_RCVTIMEO, SO_SNDTIMEO, poll(). */
RAW_TEST(lab_timeouts_of_programs, "lab clock", T_XTCP)
{
	struct timeval tv = { .tv_usec = 300000 };
	u64 t0;
	char c;

	lab(1000);
	open_passive(p, "mss=1460");
	CHECK(!setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	fcntl_block(p->fd);
	t0 = raw_now_us();
	CHECK(read(p->fd, &c, 1) == -1 && errno == EAGAIN);
	CHECK_MS((raw_now_us() - t0) / 1000, 295, 400);
}
