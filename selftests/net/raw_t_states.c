// SPDX-License-Identifier: GPL-2.0
/*
 * One connection in each of the eleven states: /proc/net/xtcp_states counts
 * them without a walk, and says what the walk through /proc/net/xtcp says.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

#define N_STATES 12

struct counts {
	long now[N_STATES], entered[N_STATES], left[N_STATES];
};

static const char *const names[N_STATES] = {
#define XTCP_STATE(name, nr, ss) [nr] = ss,
#include <xtcp/states.h>
#undef XTCP_STATE
};

static void read_states(struct counts *c)
{
	FILE *f = fopen("/proc/net/xtcp_states", "r");
	long now, entered, left;
	int i, lines = 0;
	char line[128], name[32];

	if (!f)
		FAIL("xtcp_states: %m");
	memset(c, 0, sizeof(*c));
	CHECK(fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f)) {
		CHECK(sscanf(line, "%31s %ld %ld %ld", name, &now, &entered, &left) == 4);
		for (i = 1; i < N_STATES && strcmp(names[i], name); i++)
			;
		CHECK(i < N_STATES);
		c->now[i] = now;
		c->entered[i] = entered;
		c->left[i] = left;
		lines++;
	}
	fclose(f);
	CHECK_EQ(lines, N_STATES - 1);
}

/* Another peer at the same listener. */
static void next_peer(const struct peer *p, struct peer *q)
{
	peer_init(q);
	q->lfd = p->lfd;
	q->sut_port = p->sut_port;
}

static void accepted(const struct peer *p, struct peer *q)
{
	next_peer(p, q);
	open_passive(q, "mss=1460");
}

static void half_closed(const struct peer *p, struct peer *q)
{
	accepted(p, q);
	sut_shutdown(q);
	peer_rx(q, 500, "FA seq=1");
}

static void open_all(struct peer *p)
{
	static struct peer q[10];

	sut_listen(p, 16);
	next_peer(p, &q[0]);			/* SYN_RECV: the third segment is missing */
	peer_tx(&q[0], "S mss=1460");
	peer_rx(&q[0], 500, "SA ack=1");
	accepted(p, &q[1]);			/* ESTABLISHED */
	half_closed(p, &q[2]);			/* FIN_WAIT1 */
	half_closed(p, &q[3]);			/* FIN_WAIT2 */
	peer_tx(&q[3], "A");
	half_closed(p, &q[4]);			/* CLOSING: both FINs crossed */
	peer_tx(&q[4], "FA ack=1");
	half_closed(p, &q[5]);			/* TIME_WAIT */
	peer_tx(&q[5], "FA");
	accepted(p, &q[6]);			/* CLOSE_WAIT */
	peer_tx(&q[6], "FA");
	accepted(p, &q[7]);			/* LAST_ACK */
	peer_tx(&q[7], "FA");
	sut_close(&q[7]);
	peer_init(&q[8]);			/* SYN_SENT */
	sut_connect(&q[8]);
	peer_rx(&q[8], 500, "S");
	CHECK(sut_socket() >= 0);		/* CLOSE */
}

RAW_TEST(states_all_eleven, "3-5 3-6 0-9", T_XTCP)
{
	struct counts c;
	int i;

	/* nothing may move while we look */
	sut_sysctl("tcp_init_rto_ms", "60000");
	read_states(&c);
	for (i = 1; i < N_STATES; i++) {
		CHECK_EQ(c.now[i], 0);
		CHECK_EQ(c.entered[i], 0);
	}
	open_all(p);
	read_states(&c);
	for (i = 1; i < N_STATES; i++) {
		raw_log("%s: now %ld, entered %ld, left %ld", names[i], c.now[i],
			c.entered[i], c.left[i]);
		/* a socket in CLOSE and the one that has gone into TIME_WAIT */
		if (i == ST_CLOSE) {
			CHECK_EQ(c.now[i], 2);
			CHECK_EQ(sut_count_state(i), 0);
			continue;
		}
		CHECK_EQ(c.now[i], 1);
		CHECK_EQ(sut_count_state(i), 1);
		CHECK_EQ(c.entered[i] - c.left[i], 1);
		CHECK_EQ(sut_mib(names[i]), 1);
	}
}

RAW_TEST(states_follow, "3-5", T_XTCP)
{
	struct counts a, b;

	sut_listen(p, 8);
	read_states(&a);
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 skip");
	peer_tx(p, "A");
	read_states(&b);
	CHECK_EQ(b.entered[ST_ESTABLISHED] - a.entered[ST_ESTABLISHED], 1);
	CHECK_EQ(b.left[ST_ESTABLISHED] - a.left[ST_ESTABLISHED], 1);
	CHECK_EQ(b.entered[ST_CLOSE_WAIT] - a.entered[ST_CLOSE_WAIT], 1);
	CHECK_EQ(b.entered[ST_LAST_ACK] - a.entered[ST_LAST_ACK], 1);
	CHECK_EQ(b.left[ST_LAST_ACK] - a.left[ST_LAST_ACK], 1);
	CHECK_EQ(b.entered[ST_TIME_WAIT] - a.entered[ST_TIME_WAIT], 0);
	CHECK_EQ(b.now[ST_LISTEN], 1);
}

/* What xtcp-trace is shown in job 36-views: a whole life with one of everything. */
RAW_TEST(trace_life, "4-20", T_XTCP)
{
	sut_sysctl("tcp_timewait_ms", "300");
	open_passive(p, "mss=1460");
	peer_tx(p, "PA len=20");
	sut_read(p, 20);
	sut_write(p, 100);
	peer_rx(p, 500, "PA seq=1 len=100 skip");
	peer_rx(p, 1000, "PA seq=1 len=100");
	peer_tx(p, "A");
	peer_tx(p, "R seq=23");
	peer_rx(p, 500, "A seq=101 ack=21");
	sut_close(p);
	peer_rx(p, 500, "FA seq=101");
	peer_tx(p, "A");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A seq=102 ack=22");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	sut_wait_state(p, ST_NONE, 2000);
}

/* Both SYNs crossed and the user is gone before ours was acknowledged. */
RAW_TEST(close_in_syn_recv, "RFC 9293 3.10.4", T_XTCP)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA seq=0 ack=1");
	CHECK_EQ(sut_state(p), ST_SYN_RECV);
	sut_shutdown(p);
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
	peer_tx(p, "A ack=1");
	peer_rx(p, 500, "FA seq=1 ack=1");
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
}
