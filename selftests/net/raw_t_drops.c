// SPDX-License-Identifier: GPL-2.0
/*
 * Every reason of include/xtcp/drops.h: the segment that provokes it moves its
 * counter and no other one, and its tracepoint appears.
 */
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_addr.h"
#include "raw_peer.h"

/*
 * Which test proves a row, or why none here can. A new row of the table does
 * not build before it is said.
 */
#define proof_CSUM		"drop_csum"
#define proof_HDR		"drop_hdr"
#define proof_POLICY		"- job 36-views: wants an IPsec policy"
#define proof_FILTER		"drop_filter"
#define proof_MINTTL		"drop_minttl"
#define proof_NO_SOCKET		"drop_no_socket"
#define proof_BACKLOG		"- a user must hold the socket's lock during a flood: race_stress"
#define proof_NOMEM		"drop_nomem"
#define proof_LISTEN_FLAGS	"drop_listen_flags"
#define proof_LISTEN_ACK	"drop_listen_ack"
#define proof_COOKIE_BAD	"- raw_t_cookie.c"
#define proof_COOKIE_OLD	"- raw_t_cookie.c"
#define proof_SYNQ_FULL		"drop_synq_full"
#define proof_ACCEPTQ_FULL	"drop_acceptq_full"
#define proof_NO_ROUTE		"drop_no_route"
#define proof_SEQ		"drop_seq"
#define proof_OLD		"drop_old"
#define proof_PAWS		"drop_paws"
#define proof_RST_SEQ		"drop_rst_seq"
#define proof_RST_CHALLENGE	"drop_rst_challenge"
#define proof_SYN_CHALLENGE	"drop_syn_challenge"
#define proof_NO_ACK		"drop_no_ack"
#define proof_ACK_FUTURE	"drop_ack_future"
#define proof_ACK_OLD		"drop_ack_old"
#define proof_ACK_BAD		"drop_ack_bad"
#define proof_RST_BAD		"drop_rst_bad"
#define proof_NO_SYN		"drop_no_syn"
#define proof_NO_WINDOW		"drop_no_window"
#define proof_AFTER_CLOSE	"drop_after_close"
#define proof_AFTER_FIN		"drop_after_fin"
#define proof_OOO_LIMIT		"drop_ooo_limit"
#define proof_TW_OLD		"drop_tw_old"
#define proof_TW_RST		"drop_tw_rst"
#define proof_DEFER		"drop_defer"
#define proof_CLOSED		"- two CPUs meet at a closing socket: race_stress"
#define proof_ICMP_SEQ		"drop_icmp_seq"

static const struct { const char *name, *proof; } rows[] = {
#define XTCP_DROP(NAME, text, meaning) { #text, proof_##NAME },
#include <xtcp/drops.h>
#undef XTCP_DROP
};

#define N_ROWS ARRAY_SIZE(rows)

static long before[N_ROWS];
static const char *proving;

/* All at once: a file read for each takes a second on a slow machine. */
static void counters(long value[N_ROWS])
{
	static char names[8192], values[8192];
	char *name_at, *value_at, *name, *v, want[64];
	unsigned int i, found = 0;
	FILE *f;

	f = fopen("/proc/net/xtcp_netstat", "r");
	if (!f || !fgets(names, sizeof(names), f) || !fgets(values, sizeof(values), f))
		FAIL("/proc/net/xtcp_netstat: %m");
	fclose(f);
	name = strtok_r(names, " \n", &name_at);
	v = strtok_r(values, " \n", &value_at);
	for (; name && v; name = strtok_r(NULL, " \n", &name_at),
	     v = strtok_r(NULL, " \n", &value_at)) {
		for (i = 0; i < N_ROWS; i++) {
			snprintf(want, sizeof(want), "Drop%s", rows[i].name);
			if (strcmp(name, want))
				continue;
			value[i] = atol(v);
			found++;
		}
	}
	CHECK_EQ(found, N_ROWS);
}

/* What comes after this is the provocation. */
static void provoke(const char *name)
{
	proving = name;
	counters(before);
	raw_trace_clear();
}

/* That many segments were dropped, and for this reason alone. */
static void dropped(const char *reason, int n)
{
	long now[N_ROWS];
	bool found = false;
	char text[48];
	unsigned int i;

	counters(now);
	for (i = 0; i < N_ROWS; i++) {
		long moved = now[i] - before[i];
		bool this_one = !strcmp(rows[i].name, reason);

		if (moved != (this_one ? n : 0))
			FAIL("Drop%s moved by %ld", rows[i].name, moved);
		if (this_one && strcmp(rows[i].proof, proving))
			FAIL("%s is said to be proved by %s", reason, rows[i].proof);
		found |= this_one;
	}
	CHECK(found);
	snprintf(text, sizeof(text), "reason=%s", reason);
	CHECK_EQ(raw_trace_count("xtcp_drop: ", text), n);
	CHECK_EQ(raw_trace_count("xtcp_drop: ", ""), n);
}

/*
 * Switching tracepoints on takes seconds on a slow machine: before the
 * conversation, not in the midst of it.
 */
#define DROP_TEST(name, source)						\
	static void prove_##name(struct peer *p);			\
	RAW_TEST(name, source " 4-20", T_XTCP)				\
	{								\
		raw_trace_start();					\
		prove_##name(p);					\
	}								\
	static void prove_##name(struct peer *p)
#define PROVOKE() provoke(__func__ + sizeof("prove_") - 1)

/* ---- what is wrong whoever gets it */

DROP_TEST(drop_csum, "X-20")
{
	open_passive(p, "mss=1460");
	PROVOKE();
	peer_tx(p, "PA seq=1 len=10 badcsum");
	dropped("Csum", 1);
}

DROP_TEST(drop_hdr, "X-20")
{
	open_passive(p, "mss=1460");
	PROVOKE();
	peer_tx(p, "PA seq=1 len=10 doff=4");
	peer_tx(p, "PA seq=1 len=10 doff=15");
	dropped("Hdr", 2);
}

DROP_TEST(drop_filter, "X-20")
{
	struct sock_filter none[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog prog = { .len = 1, .filter = none };

	open_passive(p, "mss=1460");
	CHECK(!setsockopt(p->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	PROVOKE();
	peer_tx(p, "PA len=10");
	peer_tx(p, "R seq=1");
	dropped("Filter", 2);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

DROP_TEST(drop_minttl, "X-20")
{
	open_passive(p, "mss=1460");
	if (raw.v6)
		sut_opt(p->fd, IPPROTO_IPV6, 73 /* IPV6_MINHOPCOUNT */, 255);
	else
		sut_opt(p->fd, IPPROTO_IP, IP_MINTTL, 255);
	PROVOKE();
	peer_tx(p, "PA len=10");
	dropped("MinTtl", 1);
}

DROP_TEST(drop_no_socket, "4-31")
{
	struct peer q;

	/* the port is a connection's, so that no other TCP gets the segment */
	sut_connect(p);
	peer_rx(p, 500, "S");
	peer_init(&q);
	q.sut_port = p->sut_port;
	PROVOKE();
	peer_tx(&q, "S mss=1460");
	peer_rx(&q, 500, "RA ack=1");
	dropped("NoSocket", 1);
}

/* ---- at a listener */

DROP_TEST(drop_listen_flags, "RFC 9293 3.10.7.2")
{
	sut_listen(p, 8);
	PROVOKE();
	peer_tx(p, "R");
	peer_tx(p, "F");
	peer_tx(p, "-");
	dropped("ListenFlags", 3);
}

DROP_TEST(drop_listen_ack, "RFC 9293 3.10.7.2")
{
	sut_sysctl("tcp_syncookies", "0");
	sut_listen(p, 8);
	PROVOKE();
	peer_tx(p, "A ack=1");
	peer_rx(p, 500, "R len=0");
	dropped("ListenAck", 1);
}

/* A SYN from a peer of its own, which never answers. */
static void other_syn(const struct peer *p)
{
	struct peer q;

	peer_init(&q);
	q.sut_port = p->sut_port;
	peer_tx(&q, "S mss=1460");
}

DROP_TEST(drop_synq_full, "4-53 D-13")
{
	int i;

	sut_sysctl("tcp_syncookies", "0");
	sut_listen(p, 2);
	/* one more than the backlog, and one more for "more than" */
	for (i = 0; i < 3; i++)
		other_syn(p);
	PROVOKE();
	other_syn(p);
	other_syn(p);
	dropped("SynqFull", 2);
	CHECK_EQ(sut_mib("TCPReqQFullDrop"), 2);
}

DROP_TEST(drop_acceptq_full, "4-57 X-10")
{
	struct peer q[3];
	int i;

	/* a backlog of 1 holds two; the last two are begun before it is full */
	sut_listen(p, 1);
	for (i = 0; i < 3; i++) {
		peer_init(&q[i]);
		q[i].sut_port = p->sut_port;
		peer_tx(&q[i], "S mss=1460");
		peer_rx(&q[i], 500, "SA ack=1");
		if (!i)
			peer_tx(&q[i], "A");
	}
	peer_tx(&q[1], "A");
	PROVOKE();
	peer_tx(&q[2], "A");
	dropped("AcceptqFull", 1);
	CHECK_EQ(sut_mib("ListenOverflows"), 1);
}

DROP_TEST(drop_no_route, "X-14")
{
	sut_listen(p, 8);
	CHECK(!system(raw.v6 ? "ip -6 route add unreachable " PEER_ADDR6 :
			       "ip route add unreachable " PEER_ADDR4));
	PROVOKE();
	peer_tx(p, "S mss=1460");
	dropped("NoRoute", 1);
}

DROP_TEST(drop_defer, "X-15")
{
	p->lfd = sut_socket();
	sut_opt(p->lfd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 10);
	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	PROVOKE();
	peer_tx(p, "A");
	dropped("Defer", 1);
}

/* ---- before the connection is synchronized */

static void in_syn_sent(struct peer *p)
{
	sut_connect(p);
	peer_rx(p, 500, "S");
}

DROP_TEST(drop_ack_bad, "X-1")
{
	/* no second SYN between */
	sut_sysctl("tcp_init_rto_ms", "20000");
	in_syn_sent(p);
	PROVOKE();
	peer_tx(p, "A ack=100");
	peer_rx(p, 500, "R seq=100");
	dropped("AckBad", 1);
}

DROP_TEST(drop_rst_bad, "X-4")
{
	in_syn_sent(p);
	PROVOKE();
	peer_tx(p, "R");
	peer_tx(p, "RA ack=77");
	dropped("RstBad", 2);
	CHECK_EQ(sut_state(p), ST_SYN_SENT);
}

DROP_TEST(drop_no_syn, "4-3")
{
	in_syn_sent(p);
	PROVOKE();
	peer_tx(p, "A ack=1");
	dropped("NoSyn", 1);
	CHECK_EQ(sut_state(p), ST_SYN_SENT);
}

DROP_TEST(drop_icmp_seq, "X-14 RFC 5927 4.1")
{
	int hl = raw.v6 ? 40 : 20;
	struct segment *syn;

	in_syn_sent(p);
	syn = peer_keep(p);
	syn->ip[hl + 4] ^= 0x40;
	PROVOKE();
	raw_send_icmp(syn, 3, 3, 1, 4, 0);
	dropped("IcmpSeq", 1);
	CHECK_EQ(sut_state(p), ST_SYN_SENT);
	free(syn);
}

/* ---- on a connection */

DROP_TEST(drop_seq, "X-4")
{
	open_passive(p, "mss=1460");
	PROVOKE();
	peer_tx(p, "PA seq=900000 len=10");
	dropped("Seq", 1);
}

DROP_TEST(drop_old, "0-18")
{
	open_passive(p, "mss=1460");
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
	PROVOKE();
	peer_tx(p, "PA seq=1 len=10");
	dropped("Old", 1);
}

DROP_TEST(drop_paws, "4-32 4-96")
{
	open_passive(p, "mss=1460 ts");
	peer_tx(p, "PA len=10");
	p->ts_shift -= 100000;
	PROVOKE();
	peer_tx(p, "PA seq=11 len=10");
	dropped("Paws", 1);
}

DROP_TEST(drop_rst_seq, "X-4")
{
	open_passive(p, "mss=1460");
	PROVOKE();
	peer_tx(p, "R seq=0");
	peer_tx(p, "R seq=900000");
	dropped("RstSeq", 2);
}

DROP_TEST(drop_rst_challenge, "X-4")
{
	open_passive(p, "mss=1460");
	PROVOKE();
	peer_tx(p, "R seq=2");
	dropped("RstChallenge", 1);
}

DROP_TEST(drop_syn_challenge, "X-4")
{
	open_passive(p, "mss=1460");
	PROVOKE();
	peer_tx(p, "S seq=5");
	dropped("SynChallenge", 1);
}

DROP_TEST(drop_no_ack, "4-3")
{
	open_passive(p, "mss=1460");
	PROVOKE();
	peer_tx(p, "P seq=1 len=10");
	peer_tx(p, "F seq=1");
	dropped("NoAck", 2);
}

DROP_TEST(drop_ack_future, "X-4")
{
	open_passive(p, "mss=1460");
	PROVOKE();
	peer_tx(p, "PA ack=5000 len=10");
	dropped("AckFuture", 1);
}

DROP_TEST(drop_ack_old, "X-4")
{
	open_passive(p, "mss=1460");
	PROVOKE();
	peer_tx(p, "PA ack=-300000 len=10");
	dropped("AckOld", 1);
}

DROP_TEST(drop_no_window, "RFC 9293 3.10.7.4")
{
	int edge;

	sut_listen(p, 8);
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	edge = 1 + p->last->win;
	peer_tx(p, "A");
	sut_accept(p);
	PROVOKE();
	/* the first five bytes are kept, out of order, the rest is cut off */
	peer_tx(p, "PA seq=%d len=10", edge - 5);
	peer_rx(p, 500, "A ack=1");
	dropped("NoWindow", 1);
}

DROP_TEST(drop_after_close, "X-8")
{
	open_passive(p, "mss=1460");
	PROVOKE();
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "R seq=2");
	dropped("AfterClose", 1);
	CHECK_EQ(raw_trace_count("xtcp_state: ", "from=FIN_WAIT1 to=CLOSE"), 1);
}

DROP_TEST(drop_after_fin, "RFC 9293 3.10.7.4 eighth")
{
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
	PROVOKE();
	peer_tx(p, "PA len=10");
	dropped("AfterFin", 1);
}

DROP_TEST(drop_ooo_limit, "4-34")
{
	int i;

	p->lfd = sut_socket();
	sut_opt(p->lfd, SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20);
	sut_listen(p, 8);
	open_passive(p, "mss=1460 ws=7");
	for (i = 0; i < 512; i++) {
		peer_tx(p, "PA seq=%d len=1", 3 + 2 * i);
		while (peer_rx_any(p, 0))
			;
	}
	PROVOKE();
	peer_tx(p, "PA seq=%d len=1", 3 + 2 * 512);
	dropped("OooLimit", 1);
}

DROP_TEST(drop_nomem, "4-11")
{
	long first = sut_mib("DropNoMem");
	int i, n = 0;

	p->lfd = sut_socket();
	sut_opt(p->lfd, SOL_SOCKET, SO_RCVBUF, 4096);
	sut_listen(p, 8);
	open_passive(p, "mss=1460");
	/* bytes that stand alone cost a buffer each: more than the socket may have */
	for (i = 0; i < 200 && sut_mib("DropNoMem") == first; i++) {
		peer_tx(p, "PA seq=%d len=1", 3 + 2 * i);
		while (peer_rx_any(p, 0))
			;
	}
	CHECK(i < 200);
	PROVOKE();
	for (; n < 3; n++)
		peer_tx(p, "PA seq=%d len=1", 3 + 2 * (i + n));
	dropped("NoMem", 3);
}

/* ---- TIME-WAIT */

static void in_timewait(struct peer *p)
{
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

DROP_TEST(drop_tw_old, "0-18 4-79")
{
	in_timewait(p);
	PROVOKE();
	peer_tx(p, "PA seq=-100 len=10");
	dropped("TwOld", 1);
}

DROP_TEST(drop_tw_rst, "X-2")
{
	sut_sysctl("tcp_rfc1337", "1");
	in_timewait(p);
	PROVOKE();
	peer_tx(p, "R seq=2");
	dropped("TwRst", 1);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}
