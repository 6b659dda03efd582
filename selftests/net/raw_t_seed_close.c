// SPDX-License-Identifier: GPL-2.0
/* Closing: each step and state, what may be lost, what lasts and what does not. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_peer.h"

static int so_error(int fd)
{
	socklen_t len = sizeof(int);
	int err = -1;

	CHECK(!getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	return err;
}

/* Every segment of the sut until the line has been quiet for so long. */
static void count_rest(struct peer *p, int quiet_ms, int *fins, int *acks)
{
	*fins = 0;
	*acks = 0;
	while (peer_rx_any(p, quiet_ms)) {
		*fins += !!(p->last->flags & TH_FIN);
		*acks += p->last->flags == TH_ACK;
		CHECK(!(p->last->flags & TH_RST));
	}
}

/* The sut closes first, with all states on the way. */
static void sut_closes_first(struct peer *p)
{
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1 len=0");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	peer_tx(p, "FA");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

/* The peer closes first. */
static void peer_closes_first(struct peer *p)
{
	peer_tx(p, "FA");
	peer_rx(p, 500, "A seq=1 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_LAST_ACK);
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 0);
}

RAW_TEST(close_server_first, "0-10 3-2 4-63 4-64 1-5 1-7", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_closes_first(p);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 1);
}

RAW_TEST(close_client_first, "0-10 3-2 4-63 4-64 1-5 1-7", T_BOTH)
{
	open_active(p, "mss=1460");
	sut_closes_first(p);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 1);
}

RAW_TEST(close_server_second, "0-10 3-2 4-64 1-5 1-7 1-12", T_BOTH)
{
	open_passive(p, "mss=1460");
	peer_closes_first(p);
}

RAW_TEST(close_client_second, "0-10 3-2 4-64 1-5 1-7 1-12", T_BOTH)
{
	open_active(p, "mss=1460");
	peer_closes_first(p);
}

RAW_TEST(close_frees_everything, "4-62 3-4 0-16", T_XTCP)
{
	int st;

	/* after 2MSL nothing of it is left, and the tuple starts anew */
	sut_sysctl("tcp_timewait_ms", "300");
	open_passive(p, "mss=1460");
	sut_closes_first(p);
	close(p->lfd);
	p->lfd = -1;
	sut_wait_state(p, ST_NONE, 1000);
	for (st = ST_ESTABLISHED; st <= ST_CLOSING; st++)
		CHECK_EQ(sut_count_state(st), 0);
	p->isn -= 5000;
	p->nxt = p->isn;
	p->sut_known = false;
	open_passive(p, "mss=1460");
}

RAW_TEST(close_one_fin_one_ack_each, "1-6 0-20 4-65", T_BOTH)
{
	int fins, acks;

	/* with time between them: four packets, two of them ours */
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	peer_tx(p, "A");
	peer_rx_none(p, 100);
	peer_tx(p, "FA");
	count_rest(p, 800, &fins, &acks);
	CHECK_EQ(fins, 0);
	CHECK_EQ(acks, 1);
}

RAW_TEST(close_passive_one_fin_one_ack, "1-6 4-47 4-65", T_BOTH)
{
	int fins, acks;

	open_active(p, "mss=1460");
	peer_tx(p, "FA");
	count_rest(p, 800, &fins, &acks);
	CHECK_EQ(fins, 0);
	CHECK_EQ(acks, 1);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=2");
	peer_tx(p, "A");
	peer_rx_none(p, 800);
}

RAW_TEST(close_three_packets, "0-20 1-9 4-65 1-8", T_BOTH)
{
	/*
	 * A connection that answers what it is asked delays its ACKs; closed while
	 * it does, ACK and FIN are one segment.
	 */
	open_passive(p, "mss=1000");
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10 skip");
	peer_tx(p, "A");
	sut_opt(p->fd, IPPROTO_TCP, TCP_QUICKACK, 0);
	peer_tx(p, "FA");
	sut_eof(p);
	sut_close(p);
	peer_rx(p, 500, "FA seq=11 ack=12 len=0");
	CHECK_EQ(sut_state(p), ST_LAST_ACK);
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_NONE);
	peer_rx_none(p, 100);
}

RAW_TEST(fin_acked_without_application, "4-74 1-8 0-13 0-21 1-1", T_BOTH)
{
	u64 t0;

	/* the kernel acknowledges at once or nearly, and closes nothing, however long */
	open_passive(p, "mss=1460");
	t0 = raw_now_us();
	peer_tx(p, "FA");
	peer_rx(p, 500, "A seq=1 ack=2 len=0");
	CHECK_MS((p->last->at_us - t0) / 1000, 0, 60);
	peer_rx_none(p, 15000);
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
	sut_eof(p);
}

RAW_TEST(close_wait_piles_up, "0-21 4-104 4-109", T_BOTH)
{
	struct peer q[8];
	int i;

	/* eight clients gone, an application that never closes: nothing goes by itself */
	sut_listen(p, 16);
	for (i = 0; i < 8; i++) {
		peer_init(&q[i]);
		q[i].sut_port = p->sut_port;
		q[i].lfd = p->lfd;
		open_passive(&q[i], "mss=1460");
		peer_tx(&q[i], "FA");
		peer_rx(&q[i], 500, "A ack=2");
		sut_eof(&q[i]);
	}
	peer_rx_none(&q[0], 10000);
	CHECK_EQ(sut_count_state(ST_CLOSE_WAIT), 8);
	for (i = 0; i < 8; i++) {
		sut_close(&q[i]);
		peer_rx(&q[i], 500, "FA seq=1 ack=2");
		peer_tx(&q[i], "A");
		CHECK_EQ(sut_state(&q[i]), ST_NONE);
	}
	CHECK_EQ(sut_count_state(ST_CLOSE_WAIT), 0);
}

RAW_TEST(idle_for_ever, "1-1 4-110", T_BOTH)
{
	/* nobody closes, nobody sends: not a segment, and the connection stays */
	open_active(p, "mss=1460");
	peer_rx_none(p, 20000);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
}

RAW_TEST(finwait2_waits, "4-70 3-3 0-11", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_shutdown(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	/* the peer has more to say before it closes */
	peer_tx(p, "PA len=500");
	peer_rx(p, 500, "A ack=501");
	peer_rx_none(p, 1000);
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	peer_tx(p, "FPA len=500");
	peer_rx(p, 500, "A seq=2 ack=1002");
	sut_read(p, 1000);
	sut_eof(p);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(close_wait_sends_then_fin, "3-3 0-11 0-14 4-75", T_BOTH)
{
	open_passive(p, "mss=1000");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_write(p, 2500);
	sut_close(p);
	/* all of it goes before the FIN, which may ride on the last of it */
	peer_rx(p, 500, "A seq=1 len=1000 ack=2");
	peer_rx(p, 500, "A seq=1001 len=1000 ack=2");
	CHECK_EQ(sut_state(p), ST_LAST_ACK);
	peer_tx(p, "A ack=2001");
	while (p->sut_nxt != p->sut_isn + 2502)
		CHECK(peer_rx_any(p, 500));
	CHECK(p->last->flags & TH_FIN);
	/* the data acknowledged is not the FIN acknowledged */
	peer_tx(p, "A ack=2501");
	CHECK_EQ(sut_state(p), ST_LAST_ACK);
	peer_tx(p, "A ack=2502");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(half_closed_both_ways, "0-11 1-2 1-4", T_BOTH)
{
	/* both have sent FIN, one after the other, while their data was in flight */
	open_passive(p, "mss=1000");
	sut_write(p, 100);
	sut_shutdown(p);
	peer_rx(p, 500, "PA seq=1 len=100");
	if (!(p->last->flags & TH_FIN))
		peer_rx(p, 500, "FA seq=101 len=0");
	peer_tx(p, "FPA len=50 ack=1");
	CHECK_EQ(sut_state(p), ST_CLOSING);
	peer_rx(p, 500, "A seq=102 ack=52");
	sut_read(p, 50);
	sut_eof(p);
	CHECK(send(p->fd, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	peer_tx(p, "A ack=101");
	CHECK_EQ(sut_state(p), ST_CLOSING);
	peer_tx(p, "A ack=102");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(fin_in_pieces, "0-12 4-5", T_BOTH)
{
	/* the peer has the data, not the FIN: the FIN alone comes again */
	open_passive(p, "mss=1000");
	sut_write(p, 500);
	sut_close(p);
	peer_rx(p, 500, "PA seq=1 len=500");
	if (!(p->last->flags & TH_FIN))
		peer_rx(p, 500, "FA seq=501 len=0");
	peer_tx(p, "A ack=501");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
	peer_rx(p, 1500, "FA seq=501 len=0");
	peer_tx(p, "A ack=502");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
}

/* ---- what is lost of the four packets */

RAW_TEST(lost_first_fin, "4-66 1-19 0-12", T_BOTH)
{
	struct segment *a, *b;

	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	a = peer_keep(p);
	peer_rx(p, 1000, "FA seq=1 ack=1");
	b = peer_keep(p);
	peer_rx(p, 1500, "FA seq=1 ack=1");
	/* the second wait is twice the first */
	CHECK_MS(seg_gap_ms(a, p->last), 3 * 180, 3 * 230 + 60);
	CHECK_MS(seg_gap_ms(a, b), 180, 300);
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	free(a);
	free(b);
}

RAW_TEST(lost_ack_of_our_fin, "4-68 0-12", T_BOTH)
{
	/* the peer had it: its ACK of the second is that of the first */
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	peer_rx(p, 1000, "FA seq=1 ack=1");
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	peer_rx_none(p, 1000);
}

RAW_TEST(lost_ack_of_their_fin, "4-68 4-47", T_BOTH)
{
	/* our ACK is not sent again by itself; the FIN again brings it again */
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A seq=1 ack=2");
	peer_rx_none(p, 1500);
	peer_tx(p, "FA seq=1");
	peer_rx(p, 500, "A seq=1 ack=2");
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
}

RAW_TEST(lost_last_ack_passive, "1-13 4-78 4-76", T_BOTH)
{
	/* LAST_ACK until the FIN has come a third time and is acknowledged */
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=2");
	peer_rx(p, 1000, "FA seq=1 ack=2");
	CHECK_EQ(sut_state(p), ST_LAST_ACK);
	peer_rx(p, 1500, "FA seq=1 ack=2");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_NONE);
	peer_rx_none(p, 1500);
}

RAW_TEST(lost_last_ack_active, "0-18 4-78 4-82 4-87 1-11", T_BOTH)
{
	int i;

	/* each FIN again is acknowledged again; and old data is not taken */
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	sut_closes_first(p);
	for (i = 0; i < 3; i++) {
		peer_rx_none(p, 300);
		peer_tx(p, "FA seq=1");
		peer_rx(p, 500, "A seq=2 ack=2 len=0");
	}
	peer_tx(p, "PA seq=-20 len=10");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(last_ack_wrong_ack, "0-14 1-12", T_BOTH)
{
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=2");
	/* neither an old ACK nor one of what was not sent */
	peer_tx(p, "A ack=1");
	CHECK_EQ(sut_state(p), ST_LAST_ACK);
	peer_tx(p, "A ack=3");
	CHECK_EQ(sut_state(p), ST_LAST_ACK);
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(last_ack_meets_rst, "4-86 0-18 X-15", T_BOTH)
{
	/* the peer has no TIME_WAIT: our FIN is answered with RST, and we hear of it */
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_shutdown(p);
	peer_rx(p, 500, "FA seq=1 ack=2");
	CHECK_EQ(sut_state(p), ST_LAST_ACK);
	peer_tx(p, "R seq=2");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(so_error(p->fd), ECONNRESET);
}

RAW_TEST(no_timewait_fin_gets_rst, "4-86 0-18", T_XTCP)
{
	/* length 0: the last ACK is lost, the FIN comes again and meets nobody */
	sut_sysctl("tcp_timewait_ms", "0");
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_NONE);
	peer_tx(p, "FA seq=1 ack=2");
	peer_rx(p, 500, "R seq=2 len=0");
}

/* ---- simultaneous close, and what is lost of it */

static void both_fins(struct peer *p)
{
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1");
	peer_tx(p, "FA ack=1");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_CLOSING);
}

RAW_TEST(simclose_our_fin_lost, "X-1 4-66", T_BOTH)
{
	both_fins(p);
	/* in CLOSING the FIN comes again, and now acknowledges theirs */
	peer_rx(p, 1000, "FA seq=1 ack=2");
	CHECK_EQ(sut_state(p), ST_CLOSING);
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(simclose_our_ack_lost, "X-1 4-68", T_BOTH)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	both_fins(p);
	/*
	 * The peer, who had our FIN but not our ACK, repeats its own. It lies before
	 * the window, so its ACK does not count (3.10.7.4 first); Linux lets it.
	 */
	peer_tx(p, "FA seq=1 ack=2");
	if (raw.xtcp) {
		peer_rx(p, 500, "A seq=2 ack=2 len=0");
		CHECK_EQ(sut_state(p), ST_CLOSING);
		peer_rx(p, 500, "FA seq=1 ack=2");
	}
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(simclose_their_ack_lost, "X-1 4-68", T_BOTH)
{
	both_fins(p);
	/* the ACK of our FIN is lost twice */
	peer_rx(p, 1000, "FA seq=1 ack=2");
	peer_rx(p, 1500, "FA seq=1 ack=2");
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	peer_rx_none(p, 1000);
}

RAW_TEST(simclose_never_answered, "X-1 D-3", T_XTCP)
{
	/* CLOSING has the limit of any orphan: two more FINs, no RST, gone */
	sut_sysctl("tcp_orphan_retries", "2");
	both_fins(p);
	peer_rx(p, 1000, "FA seq=1 ack=2");
	peer_rx(p, 1500, "FA seq=1 ack=2");
	sut_wait_state(p, ST_NONE, 4000);
	peer_rx_none(p, 1000);
}

RAW_TEST(simclose_rst, "X-1 4-4", T_BOTH)
{
	both_fins(p);
	peer_tx(p, "R seq=2");
	CHECK_EQ(sut_state(p), ST_NONE);
}

/* ---- aborts */

RAW_TEST(rst_in_every_state, "4-4 X-4", T_BOTH)
{
	static const int to[] = { ST_ESTABLISHED, ST_FIN_WAIT1, ST_FIN_WAIT2,
				  ST_CLOSE_WAIT, ST_LAST_ACK };
	struct peer q;
	size_t i;

	sut_listen(p, 8);
	for (i = 0; i < ARRAY_SIZE(to); i++) {
		bool theirs = to[i] == ST_CLOSE_WAIT || to[i] == ST_LAST_ACK;

		peer_init(&q);
		q.sut_port = p->sut_port;
		q.lfd = p->lfd;
		open_passive(&q, "mss=1460");
		if (theirs) {
			peer_tx(&q, "FA");
			peer_rx(&q, 500, "A ack=2");
		}
		if (to[i] != ST_ESTABLISHED && to[i] != ST_CLOSE_WAIT) {
			sut_shutdown(&q);
			peer_rx(&q, 500, "FA seq=1");
		}
		if (to[i] == ST_FIN_WAIT2)
			peer_tx(&q, "A");
		CHECK_EQ(sut_state(&q), to[i]);
		/* not exact: nothing ends; exact: it is over, and nothing answers */
		peer_tx(&q, "R seq=-5");
		CHECK_EQ(sut_state(&q), to[i]);
		peer_tx(&q, "R seq=%d", theirs ? 2 : 1);
		CHECK_EQ(sut_state(&q), ST_NONE);
		while (peer_rx_any(&q, 20))
			CHECK(!(q.last->flags & TH_RST));
	}
}

RAW_TEST(linger_acked_in_time, "4-98", T_BOTH)
{
	int ready[2], status;
	pid_t pid;
	char c;
	u64 t0;

	/* {1, 5}: close() returns as soon as all is acknowledged and closed */
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_linger(p->fd, 1, 5);
	CHECK(!pipe(ready));
	pid = fork();
	if (!pid) {
		/* the peer lives in another process, as close() blocks this one */
		close(p->fd);
		CHECK_EQ(write(ready[1], "", 1), 1);
		peer_rx(p, 1000, "FA seq=1");
		peer_tx(p, "A");
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	t0 = raw_now_us();
	sut_close(p);
	CHECK_MS((raw_now_us() - t0) / 1000, 0, 1000);
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
}

RAW_TEST(linger_zero_each_state, "4-98 4-92", T_BOTH)
{
	struct peer q;

	/* {1, 0} after the peer's FIN: RST all the same, no LAST_ACK, no TIME_WAIT */
	sut_listen(p, 8);
	peer_init(&q);
	q.sut_port = p->sut_port;
	q.lfd = p->lfd;
	open_passive(&q, "mss=1460");
	peer_tx(&q, "FA");
	peer_rx(&q, 500, "A ack=2");
	sut_linger(q.fd, 1, 0);
	sut_close(&q);
	peer_rx(&q, 500, "RA seq=1 ack=2");
	CHECK_EQ(sut_state(&q), ST_NONE);
	open_passive(p, "mss=1460");
	sut_linger(p->fd, 1, 0);
	sut_close(p);
	peer_rx(p, 500, "RA seq=1 ack=1");
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 0);
}

RAW_TEST(close_unread_close_wait, "X-7 D-18", T_BOTH)
{
	/* data and FIN came, nothing was read: the peer must not believe it was */
	open_passive(p, "mss=1460");
	peer_tx(p, "FPA len=10");
	peer_rx(p, 500, "A ack=12");
	sut_close(p);
	peer_rx(p, 500, "RA seq=1 ack=12");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(data_after_close_lost_fin, "X-8 1-4", T_BOTH)
{
	/* closed with all read; data that comes later is answered with RST, in CLOSING none can */
	open_passive(p, "mss=1460");
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
	peer_rx(p, 500, "A ack=11");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=11");
	/* what was received before is old, not new: an ACK */
	peer_tx(p, "PA seq=1 ack=1 len=10");
	peer_rx(p, 500, "A ack=11");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
	peer_tx(p, "PA seq=11 ack=2 len=10");
	peer_rx(p, 500, "R");
	CHECK_EQ(sut_state(p), ST_NONE);
}

/* ---- TIME_WAIT guards the next connection */

RAW_TEST(old_segment_meets_new_connection, "0-19 1-14 4-84", T_BOTH)
{
	u32 shift = 100000;

	/* SEQ=300 of the old connection is delayed, the ports are used again */
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	peer_tx(p, "PA len=300");
	sut_read(p, 300);
	peer_rx(p, 500, "A ack=301");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=302");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	p->isn += shift;
	p->nxt = p->isn;
	p->sut_known = false;
	p->rd_off = 0;
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	sut_accept(p);
	/* now the old segment: told where we are, and not delivered */
	peer_tx(p, "PA seq=%d ack=1 len=100", 201 - (int)shift);
	peer_rx(p, 500, "A seq=1 ack=1 len=0");
	CHECK_EQ(sut_poll(p->fd, POLLIN, 0), 0);
	peer_tx(p, "PA seq=1 len=10");
	sut_read(p, 10);
}

RAW_TEST(timewait_sixty_seconds, "1-17 0-16 3-4 4-82", T_BOTH | T_V4)
{
	u64 t0;

	/* by default; the timers of both are coarse */
	sut_sysctl("tcp_fin_timeout", "60");
	open_passive(p, "mss=1460");
	t0 = raw_now_us();
	sut_closes_first(p);
	peer_rx_none(p, 59500);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	sut_wait_state(p, ST_NONE, 8000);
	CHECK_MS((raw_now_us() - t0) / 1000, 60000, raw.xtcp ? 61500 : 66000);
}

/* Of a server that closes first and one that closes second: calls it makes until all has gone. */
RAW_TEST(close_calls_of_a_server, "4-101", T_BOTH)
{
	struct pollfd e;
	char c;

	open_passive(p, "mss=1460");
	/* first: close(), and the rest happens without it */
	sut_closes_first(p);

	peer_init(p);
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A seq=1 ack=2 len=0");
	/* second: it must be told, must look, and only then can close */
	e = (struct pollfd){ .fd = p->fd, .events = POLLIN };
	CHECK_EQ(poll(&e, 1, 500), 1);
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
	CHECK_EQ(read(p->fd, &c, 1), 0);
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=2");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_NONE);
}
