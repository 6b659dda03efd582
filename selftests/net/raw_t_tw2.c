// SPDX-License-Identifier: GPL-2.0
/*
 * TIME-WAIT and closed FIN_WAIT2 as compact entries: their length, who may take
 * their place (tcp_tw_reuse), what cuts them short (tcp_tw_recycle), limits.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_addr.h"
#include "raw_peer.h"

/* sut has connected and closes first, the peer closes in the same breath. */
static void close_into_timewait(struct peer *p)
{
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

#define ONE_PORT 20000

/* From the only port there is, so that the next connect() must take it, too. */
static void open_one_port(struct peer *p, const char *opts)
{
	char range[32];

	snprintf(range, sizeof(range), "%u %u", ONE_PORT, ONE_PORT);
	sut_sysctl("ip_local_port_range", range);
	open_active(p, opts);
	CHECK_EQ(p->sut_port, ONE_PORT);
}

/* connect() from that port again, to @port of the peer: 0 if under way, else errno */
static int connect_again(struct peer *p, u16 port, bool bound)
{
	union raw_addr a;
	socklen_t len = raw_addr(&a, false, p->sut_port);
	int err;

	p->fd = sut_socket();
	if (bound) {
		sut_opt(p->fd, SOL_SOCKET, SO_REUSEADDR, 1);
		if (bind(p->fd, &a.sa, len))
			FAIL("bind: %m");
	}
	len = raw_addr(&a, true, port);
	err = connect(p->fd, &a.sa, len) ? errno : 0;
	raw_log("      connect again: %s", strerror(err));
	if (err == EINPROGRESS)
		return 0;
	close(p->fd);
	p->fd = -1;
	return err;
}

/* The handshake of the connection that took the TIME-WAIT's place. */
static void second_life(struct peer *p, u32 old_nxt, u32 old_tsval)
{
	struct segment *s;

	p->sut_known = false;
	p->isn += 5000;
	p->nxt = p->isn;
	s = peer_rx(p, 500, "S ts");
	/* RFC 6191 2, RFC 1122 4.2.2.13: beyond all that the old one used */
	CHECK_RANGE((int)(s->seq - old_nxt), 65537, 0x7fffffff);
	CHECK_RANGE((int)(s->tsval - old_tsval), 0, 100000);
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_EQ(sut_connect_errno(p, 500), 0);
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
}

RAW_TEST(tw_reuse_after_delay, "4-93 3-10 4-92 D-8", T_BOTH)
{
	long n = sut_mib("TWRecycled");
	u32 nxt, tsval;

	sut_sysctl("tcp_tw_reuse", "1");
	open_one_port(p, "mss=1460 ts");
	close_into_timewait(p);
	nxt = p->sut_nxt;
	tsval = p->sut_tsval;
	CHECK_EQ(connect_again(p, p->port, false), EADDRNOTAVAIL);
	/* the kernel counts whole seconds */
	peer_rx_none(p, 2200);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	CHECK_EQ(connect_again(p, p->port, false), 0);
	second_life(p, nxt, tsval);
	CHECK_EQ(sut_mib("TWRecycled"), n + 1);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 0);
}

RAW_TEST(tw_reuse_delay_knob, "4-93 D-8", T_XTCP)
{
	u32 nxt, tsval;

	sut_sysctl("tcp_tw_reuse", "1");
	sut_sysctl("tcp_tw_reuse_delay", "600");
	open_one_port(p, "mss=1460 ts");
	close_into_timewait(p);
	nxt = p->sut_nxt;
	tsval = p->sut_tsval;
	peer_rx_none(p, 200);
	CHECK_EQ(connect_again(p, p->port, false), EADDRNOTAVAIL);
	peer_rx_none(p, 500);
	CHECK_EQ(connect_again(p, p->port, false), 0);
	second_life(p, nxt, tsval);
}

/* Who binds the very port knows what he does: at once, whatever the mode, as Linux. */
RAW_TEST(tw_reuse_bound_port, "4-93 D-8", T_BOTH)
{
	u32 nxt, tsval;

	sut_sysctl("tcp_tw_reuse", "0");
	p->sut_port = ONE_PORT;
	open_active(p, "mss=1460 ts");
	close_into_timewait(p);
	nxt = p->sut_nxt;
	tsval = p->sut_tsval;
	CHECK_EQ(connect_again(p, p->port, true), 0);
	second_life(p, nxt, tsval);
}

RAW_TEST(tw_reuse_bound_needs_timestamps, "4-94", T_BOTH)
{
	p->sut_port = ONE_PORT;
	open_active(p, "mss=1460");
	close_into_timewait(p);
	peer_rx_none(p, 2200);
	CHECK_EQ(connect_again(p, p->port, true), EADDRNOTAVAIL);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_reuse_needs_timestamps, "4-94", T_BOTH)
{
	sut_sysctl("tcp_tw_reuse", "1");
	open_one_port(p, "mss=1460");
	close_into_timewait(p);
	peer_rx_none(p, 2200);
	CHECK_EQ(connect_again(p, p->port, false), EADDRNOTAVAIL);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_reuse_timestamps_off, "4-94", T_XTCP)
{
	sut_sysctl("tcp_tw_reuse", "1");
	open_one_port(p, "mss=1460 ts");
	close_into_timewait(p);
	sut_sysctl("tcp_timestamps", "0");
	peer_rx_none(p, 1500);
	CHECK_EQ(connect_again(p, p->port, false), EADDRNOTAVAIL);
	sut_sysctl("tcp_timestamps", "1");
	CHECK_EQ(connect_again(p, p->port, false), 0);
}

RAW_TEST(tw_reuse_off, "3-10 4-93 D-8", T_BOTH)
{
	sut_sysctl("tcp_tw_reuse", "0");
	open_one_port(p, "mss=1460 ts");
	close_into_timewait(p);
	peer_rx_none(p, 2200);
	CHECK_EQ(connect_again(p, p->port, false), EADDRNOTAVAIL);
}

RAW_TEST(tw_reuse_default_is_loopback_only, "3-10 D-8", T_BOTH)
{
	open_one_port(p, "mss=1460 ts");
	close_into_timewait(p);
	peer_rx_none(p, 2200);
	CHECK_EQ(connect_again(p, p->port, false), EADDRNOTAVAIL);
}

static int loopback_socket(struct sockaddr_in6 *a, socklen_t *len)
{
	struct sockaddr_in *a4 = (struct sockaddr_in *)a;
	int fd = sut_socket();

	sut_opt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	memset(a, 0, sizeof(*a));
	if (raw.v6) {
		a->sin6_family = AF_INET6;
		a->sin6_addr = in6addr_loopback;
		*len = sizeof(*a);
	} else {
		a4->sin_family = AF_INET;
		a4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*len = sizeof(*a4);
	}
	return fd;
}

RAW_TEST(tw_reuse_on_loopback, "3-10 4-93 D-8", T_BOTH)
{
	struct sockaddr_in6 srv, cli;
	socklen_t len;
	int i, s, c;

	p->lfd = loopback_socket(&srv, &len);
	CHECK(!bind(p->lfd, (struct sockaddr *)&srv, len) && !listen(p->lfd, 4));
	CHECK(!getsockname(p->lfd, (struct sockaddr *)&srv, &len));
	for (i = 0; i < 2; i++) {
		c = loopback_socket(&cli, &len);
		if (i)		/* sin_port and sin6_port stand in the same place */
			cli.sin6_port = htons(p->sut_port);
		CHECK(!bind(c, (struct sockaddr *)&cli, len));
		CHECK(!connect(c, (struct sockaddr *)&srv, len) || errno == EINPROGRESS);
		CHECK(!getsockname(c, (struct sockaddr *)&cli, &len));
		p->sut_port = ntohs(cli.sin6_port);
		s = sut_accept(p);
		p->fd = -1;
		close(c);
		sut_poll(s, 1, 1000);	/* POLLIN: the FIN */
		close(s);
		p->port = ntohs(srv.sin6_port);
		sut_wait_state(p, ST_TIME_WAIT, 1000);
		peer_rx_none(p, 2200);
	}
	CHECK_EQ(sut_mib("TWRecycled"), 1);
}

RAW_TEST(tw_other_destination_at_once, "1-16 4-90", T_BOTH)
{
	open_one_port(p, "mss=1460");
	close_into_timewait(p);
	CHECK_EQ(connect_again(p, p->port + 1, false), 0);
	p->port++;
	p->sut_known = false;
	peer_rx(p, 500, "S");
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	p->port--;
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_lasts_sixty_seconds, "0-16 0-17 4-83 4-82", T_BOTH)
{
	open_passive(p, "mss=1460");
	close_into_timewait(p);
	peer_rx_none(p, 59000);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	/* the kernel's timer has a slack of its own */
	sut_wait_state(p, ST_NONE, raw.xtcp ? 1500 : 8000);
	CHECK_EQ(sut_mib(raw.xtcp ? "TW" : "TCPTimeWaitOverflow"), raw.xtcp ? 1 : 0);
}

RAW_TEST(tw_restart_is_capped, "D-5 1-20 4-87", T_XTCP)
{
	int fins = 0, acks = 0;
	struct segment *s;

	sut_sysctl("tcp_timewait_ms", "500");
	open_passive(p, "mss=1460");
	close_into_timewait(p);
	do {
		peer_rx_none(p, 200);
		peer_tx(p, "FA seq=1 ack=2");
		s = peer_rx_any(p, 500 + raw.slack_ms);
		CHECK(s);
		acks += !(s->flags & TH_RST);
	} while (!(s->flags & TH_RST) && ++fins < 60);
	/* 15 restarts, and the FINs that fit into the last 500 ms */
	CHECK_RANGE(acks, 16, 18);
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(tw_length_zero, "4-86 0-18", T_XTCP)
{
	sut_sysctl("tcp_timewait_ms", "0");
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_NONE);
	/* that ACK is lost: the FIN again, and "connection reset by peer" */
	peer_tx(p, "FA seq=1 ack=2");
	peer_rx(p, 500, "R seq=2");
}

RAW_TEST(tw_paws_counted, "4-96 D-8", T_XTCP)
{
	long n = sut_mib("PAWSTimewait"), drops = sut_mib("DropPaws");

	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460 ts");
	close_into_timewait(p);
	p->ts_shift -= 1000000;
	peer_tx(p, "PA seq=2 len=10");
	peer_rx(p, 500, "A seq=2 ack=2 len=0 ts");
	CHECK_EQ(sut_mib("PAWSTimewait"), n + 1);
	CHECK_EQ(sut_mib("DropPaws"), drops + 1);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_timestamps_go_on, "RFC 7323 3.2 4-95", T_BOTH)
{
	u32 before;

	open_passive(p, "mss=1460 ts");
	close_into_timewait(p);
	before = p->sut_tsval;
	peer_rx_none(p, 300);
	peer_tx(p, "FA seq=1 ack=2");
	peer_rx(p, 500, "A seq=2 ack=2 ts");
	/* the clock and the offset of the connection's own segments */
	CHECK_RANGE((int)(p->sut_tsval - before), 250, 5000);
}

RAW_TEST(tw_old_syns_limited, "X-3 RFC 5961 7", T_BOTH)
{
	open_passive(p, "mss=1460");
	close_into_timewait(p);
	peer_tx(p, "S seq=-1000 mss=1460");
	peer_rx(p, 500, "A seq=2 ack=2");
	peer_tx(p, "S seq=-1000 mss=1460");
	peer_rx_none(p, 100);
	peer_rx_none(p, 700);
	peer_tx(p, "S seq=-1000 mss=1460");
	peer_rx(p, 500, "A seq=2 ack=2");
}

RAW_TEST(tw_killed_is_counted, "X-2", T_XTCP)
{
	long n = sut_mib("TWKilled");

	open_passive(p, "mss=1460");
	close_into_timewait(p);
	peer_tx(p, "R seq=2");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_mib("TWKilled"), n + 1);
	CHECK_EQ(sut_mib("TW"), 0);
}

RAW_TEST(tw_old_data_in_next_life, "0-19 4-84", T_BOTH)
{
	u32 old = p->isn;

	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	peer_tx(p, "PA seq=1 len=100");
	peer_rx(p, 500, "A ack=101");
	sut_read(p, 100);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=102");
	/* the same tuple once more */
	p->isn += 100000;
	p->nxt = p->isn;
	p->sut_known = false;
	p->rd_off = 0;
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	sut_accept(p);
	/* a late duplicate of the first life */
	peer_tx(p, "PA seq=%d len=100", (int)(old - p->isn) + 1);
	peer_rx(p, 500, "A ack=1 len=0");
	peer_tx(p, "PA seq=1 len=50");
	peer_rx(p, 500, "A ack=51");
	sut_read(p, 50);
}

RAW_TEST(tw_bucket_limit_counts, "3-13 4-97 4-92 D-6", T_XTCP)
{
	sut_sysctl("tcp_max_tw_buckets", "1");
	open_passive(p, "mss=1460");
	close_into_timewait(p);
	p->port++;
	p->sut_known = false;
	p->nxt = p->isn;
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	/* skipped without a word to the peer */
	CHECK_EQ(sut_state(p), ST_NONE);
	peer_rx_none(p, 300);
	CHECK_EQ(sut_mib("TCPTimeWaitOverflow"), 1);
	p->port--;
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

/* ---- tcp_tw_recycle */

RAW_TEST(tw_recycle_shortens, "3-11 D-7", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_tw_recycle", "1");
	open_passive(p, "mss=1460 ts");
	t0 = raw_now_us();
	close_into_timewait(p);
	sut_wait_state(p, ST_NONE, 2500);
	/* 3.5 times an RTO of about 200 ms */
	CHECK_MS((raw_now_us() - t0) / 1000, 690, 1700);
}

RAW_TEST(tw_recycle_from_finwait2, "3-11 D-7", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_tw_recycle", "1");
	open_passive(p, "mss=1460 ts");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	t0 = raw_now_us();
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	sut_wait_state(p, ST_NONE, 2600);
	CHECK_MS((raw_now_us() - t0) / 1000, 690, 2100);
}

RAW_TEST(tw_recycle_needs_timestamps, "3-11 D-7", T_XTCP)
{
	sut_sysctl("tcp_tw_recycle", "1");
	open_passive(p, "mss=1460");
	close_into_timewait(p);
	peer_rx_none(p, 3000);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(tw_recycle_behind_nat, "3-12 D-7", T_XTCP)
{
	sut_sysctl("tcp_tw_recycle", "1");
	open_passive(p, "mss=1460 ts");
	close_into_timewait(p);
	/* another host behind the same address, its clock days behind */
	p->port++;
	p->ts_shift -= 1000000000;
	p->sut_known = false;
	p->nxt = p->isn;
	open_passive(p, "mss=1460 ts");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
}

/* ---- FIN_WAIT2 without a user, as an entry and (no entry to be had) as a sock */

static void into_finwait2(struct peer *p, const char *opts, bool entry)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	if (!entry)
		sut_sysctl("tcp_max_tw_buckets", "0");
	open_passive(p, opts);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
}

static void finwait2_answers(struct peer *p)
{
	peer_tx(p, "A seq=0 ack=2");
	peer_rx(p, 500, "A seq=2 ack=1 len=0");
	peer_tx(p, "PA seq=-99 len=50");
	peer_rx(p, 500, "A seq=2 ack=1 len=0");
	peer_tx(p, "R seq=100");
	peer_rx(p, 500, "A seq=2 ack=1 len=0");
	peer_tx(p, "R seq=-100");
	peer_rx_none(p, 100);
	peer_tx(p, "S seq=1000 mss=1460");
	peer_rx(p, 500, "A seq=2 ack=1 len=0");
	peer_tx(p, "A seq=1 ack=1000");
	peer_rx(p, 500, "A seq=2 ack=1 len=0");
	peer_tx(p, "A seq=1 ack=2");
	peer_rx_none(p, 100);
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
}

RAW_TEST(finwait2_entry_answers, "4-71 X-4 D-10", T_XTCP)
{
	into_finwait2(p, "mss=1460", true);
	finwait2_answers(p);
	peer_tx(p, "FA seq=1 ack=2");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	peer_tx(p, "FA seq=1 ack=2");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
}

RAW_TEST(finwait2_sock_answers_alike, "4-71 X-4 D-6", T_XTCP)
{
	into_finwait2(p, "mss=1460", false);
	finwait2_answers(p);
	peer_tx(p, "FA seq=1 ack=2");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_mib("TCPTimeWaitOverflow"), 1);
}

RAW_TEST(finwait2_entry_data_is_reset, "X-8 1-4", T_BOTH)
{
	long n = sut_mib("TCPAbortOnData");

	into_finwait2(p, "mss=1460 ts", true);
	peer_tx(p, "PA seq=1 len=10 ack=2");
	peer_rx(p, 500, "R seq=2");
	CHECK_EQ(sut_state(p), ST_NONE);
	/* Linux does not count it for its compact ones */
	CHECK_EQ(sut_mib("TCPAbortOnData"), n + raw.xtcp);
}

RAW_TEST(finwait2_entry_rst_ends_it, "RFC 9293 3.10.7.4", T_BOTH)
{
	into_finwait2(p, "mss=1460", true);
	peer_tx(p, "R seq=1");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(finwait2_entry_paws, "RFC 7323 5", T_XTCP)
{
	into_finwait2(p, "mss=1460 ts", true);
	p->ts_shift -= 1000000;
	peer_tx(p, "FA seq=1 ack=2");
	peer_rx(p, 500, "A seq=2 ack=1 len=0 ts");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	p->ts_shift += 1000000;
	peer_tx(p, "FA seq=1 ack=2");
	peer_rx(p, 500, "A seq=2 ack=2 len=0 ts");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(finwait2_then_full_2msl, "4-82 4-71 1-20", T_XTCP)
{
	u64 t0;

	sut_sysctl("tcp_fin_timeout", "10");
	sut_sysctl("tcp_timewait_ms", "800");
	into_finwait2(p, "mss=1460", true);
	peer_rx_none(p, 1500);
	t0 = raw_now_us();
	/* 2MSL counts from the FIN, and is nearer than the end of FIN_WAIT2 was */
	peer_tx(p, "FA seq=1 ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	sut_wait_state(p, ST_NONE, 2000);
	CHECK_MS((raw_now_us() - t0) / 1000, 790, 1400);
}

RAW_TEST(finwait2_after_shutdown_and_close, "4-71 4-72", T_BOTH)
{
	u64 t0;

	sut_sysctl("tcp_fin_timeout", "1");
	open_passive(p, "mss=1460");
	sut_shutdown(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "A ack=2");
	peer_rx_none(p, 1500);
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	/* an ACK that waits when close() comes must not be lost */
	peer_tx(p, "PA seq=1 len=10 ack=2");
	sut_read(p, 10);
	t0 = raw_now_us();
	sut_close(p);
	peer_rx(p, 500, "A seq=2 ack=11 len=0");
	sut_wait_state(p, ST_NONE, 2500);
	CHECK_MS((raw_now_us() - t0) / 1000, 900, 2000);
	peer_tx(p, "FA seq=11 ack=2");
	peer_rx(p, 500, "R seq=2");
}
