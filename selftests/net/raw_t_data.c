// SPDX-License-Identifier: GPL-2.0
/* Data in both directions: order, acknowledgments, Nagle, windows, urgent. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_peer.h"

RAW_TEST(out_of_order, "4-6", T_BOTH)
{
	open_passive(p, "mss=1460");
	peer_tx(p, "PA seq=11 len=10");
	peer_rx(p, 500, "A ack=1 nosack");
	CHECK_EQ(sut_poll(p->fd, POLLIN, 0), 0);
	peer_tx(p, "PA seq=1 len=10");
	peer_rx(p, 500, "A ack=21");
	sut_read(p, 20);
}

RAW_TEST(sack_blocks, "RFC 2018 4", T_BOTH)
{
	open_passive(p, "mss=1460 sackok");
	peer_tx(p, "PA seq=11 len=10");
	peer_rx(p, 500, "A ack=1 sack=11-21");
	peer_tx(p, "PA seq=31 len=10");
	peer_rx(p, 500, "A ack=1 sack=31-41 sack=11-21");
	peer_tx(p, "PA seq=51 len=10");
	peer_rx(p, 500, "A ack=1 sack=51-61 sack=31-41 sack=11-21");
	/* two become one, and the latest goes first */
	peer_tx(p, "PA seq=21 len=10");
	peer_rx(p, 500, "A ack=1 sack=11-41 sack=51-61");
	peer_tx(p, "PA seq=1 len=10");
	peer_rx(p, 500, "A ack=41 sack=51-61");
	peer_tx(p, "PA seq=41 len=10");
	peer_rx(p, 500, "A ack=61 nosack");
	sut_read(p, 60);
}

RAW_TEST(sack_blocks_limit, "RFC 2018 3, RFC 7323 appendix A", T_BOTH)
{
	int i;

	/* with timestamps three blocks fit, the newest */
	open_passive(p, "mss=1460 sackok ts");
	for (i = 0; i < 5; i++) {
		peer_tx(p, "PA seq=%d len=10", 11 + 20 * i);
		peer_rx(p, 500, "A ack=1 sack=%d-%d", 11 + 20 * i, 21 + 20 * i);
	}
	CHECK_EQ(p->last->n_sack, 3);
}

RAW_TEST(dsack_old, "RFC 2883 4", T_BOTH)
{
	long sent = sut_mib("TCPDSACKOldSent");

	open_passive(p, "mss=1460 sackok");
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "A ack=11");
	peer_tx(p, "PA seq=1 len=10");
	peer_rx(p, 500, "A ack=11 sack=1-11");
	CHECK_EQ(p->last->n_sack, 1);
	CHECK_EQ(sut_mib("TCPDSACKOldSent"), sent + 1);
	sut_read(p, 10);
}

RAW_TEST(dsack_out_of_order, "RFC 2883 4.1.2", T_BOTH)
{
	open_passive(p, "mss=1460 sackok");
	peer_tx(p, "PA seq=101 len=100");
	peer_rx(p, 500, "A ack=1 sack=101-201");
	peer_tx(p, "PA seq=101 len=100");
	peer_rx(p, 500, "A ack=1 sack=101-201 sack=101-201");
}

RAW_TEST(overlap, "RFC 9293 3.10.7.4 seventh", T_BOTH)
{
	open_passive(p, "mss=1460");
	peer_tx(p, "PA seq=1 len=10");
	peer_rx(p, 500, "A ack=11");
	peer_tx(p, "PA seq=6 len=15");
	peer_rx(p, 500, "A ack=21");
	peer_tx(p, "PA seq=31 len=20");
	peer_rx(p, 500, "A ack=21");
	peer_tx(p, "PA seq=25 len=40");
	peer_rx(p, 500, "A ack=21");
	peer_tx(p, "PA seq=15 len=20");
	peer_rx(p, 500, "A ack=65");
	sut_read(p, 64);
	CHECK_EQ(sut_poll(p->fd, POLLIN, 0), 0);
}

RAW_TEST(sequence_wrap, "4-84", T_BOTH)
{
	int i;

	/* the peer's ISN is 256 below the wrap */
	open_passive(p, "mss=1460");
	for (i = 0; i < 8; i++) {
		peer_tx(p, "PA len=100");
		peer_rx(p, 500, "A ack=%d", 101 + 100 * i);
		sut_read(p, 100);
	}
}

RAW_TEST(ack_delayed, "1-8 RFC 9293 3.8.6.3", T_BOTH)
{
	struct segment *first;
	u64 t0;

	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_QUICKACK, 0);
	t0 = raw_now_us();
	peer_tx(p, "PA len=10");
	first = peer_rx(p, 500, "A ack=11 len=0");
	CHECK_MS((first->at_us - t0) / 1000, 20, 220);
}

RAW_TEST(ack_rides_on_data, "1-8 RFC 9293 3.8.6.3", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_QUICKACK, 0);
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
	sut_write(p, 20);
	peer_rx(p, 500, "PA ack=11 len=20");
	peer_tx(p, "A");
	peer_rx_none(p, 100);
}

/* One request and its answer: no segment but those that carry something. */
RAW_TEST(ack_rides_on_answer, "RFC 9293 3.8.6.3, tcp_delack_push_us", T_XTCP)
{
	sut_sysctl("tcp_delack_push_us", "20000");
	open_passive(p, "mss=1000");
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
	sut_write(p, 20);
	peer_rx(p, 500, "PA ack=11 len=20");
	peer_tx(p, "FA");
	sut_eof(p);
	sut_close(p);
	peer_rx(p, 500, "FA seq=21 ack=12");
	peer_tx(p, "A");
	peer_rx_none(p, 100);
}

RAW_TEST(ack_rides_on_fin, "RFC 9293 3.8.6.3, tcp_delack_push_us", T_XTCP)
{
	sut_sysctl("tcp_delack_push_us", "20000");
	open_active(p, "mss=1000");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
	peer_tx(p, "PA len=20");
	sut_read(p, 20);
	sut_close(p);
	peer_rx(p, 500, "FA seq=11 ack=21");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=22");
	peer_rx_none(p, 100);
}

/* "Not permanent" (tcp(7)): an answer that could carry the ACK ends it. */
RAW_TEST(quickack_ends, "TCP_QUICKACK", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_QUICKACK, 1);
	peer_tx(p, "PA len=10");
	peer_rx(p, 100, "A ack=11 len=0");
	sut_read(p, 10);
	sut_write(p, 10);
	peer_rx(p, 100, "PA seq=1 len=10");
	peer_tx(p, "PA ack=11 len=10");
	peer_rx_none(p, 15);
	sut_read(p, 10);
	sut_write(p, 10);
	peer_rx(p, 100, "PA seq=11 ack=21 len=10");
}

/* A reader that sleeps for more sends nothing that could carry the ACK. */
RAW_TEST(ack_reader_sleeps, "RFC 9293 3.8.6.3, tcp_delack_push_us", T_XTCP)
{
	int status;
	u64 t0;
	pid_t pid;
	u8 buf[20];

	sut_sysctl("tcp_delack_push_us", "40000");
	sut_sysctl("tcp_delack_min_ms", "400");
	open_passive(p, "mss=1000");
	CHECK(!fcntl(p->fd, F_SETFL, fcntl(p->fd, F_GETFL) & ~O_NONBLOCK));
	pid = fork();
	if (!pid)
		_exit(recv(p->fd, buf, 20, MSG_WAITALL) != 20);
	t0 = raw_now_us();
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "A ack=11 len=0");
	CHECK_RANGE((raw_now_us() - t0) / 1000, 0, 30);
	peer_tx(p, "PA len=10");
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

RAW_TEST(ack_unread, "RFC 5681 4.2", T_BOTH)
{
	int i, zero = 0, lowat = 20000;

	/*
	 * What nobody reads narrows the window: an ACK could not let more come, and
	 * waits for the reader, whose call sends it
	 */
	open_passive(p, "mss=1460 ws=7");
	CHECK(!setsockopt(p->fd, IPPROTO_TCP, TCP_QUICKACK, &zero, sizeof(zero)));
	for (i = 0; i < 4; i++)
		peer_tx(p, "A len=1000");
	peer_rx_none(p, 20);
	sut_read(p, 4000);
	peer_rx(p, 10, "A ack=4001");
	/* a reader that waits for more than that will not call */
	CHECK(!setsockopt(p->fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat)));
	for (i = 0; i < 4; i++)
		peer_tx(p, "A len=1000");
	peer_rx(p, 10, "A ack=6001");
	peer_rx(p, 10, "A ack=8001");
}

/*
 * The end of what the peer's user wrote: a peer whose window is odd in segments may
 * have to wait for this ACK (Linux since 6.6 and 6.1.57).
 */
RAW_TEST(ack_pushed_when_read, "RFC 9293 3.8.6.3", T_BOTH)
{
	int i;

	open_passive(p, "mss=1460 ws=7");
	/* the first ones are acknowledged at once */
	for (i = 0; i < 60; i++) {
		peer_tx(p, "A len=1000");
		sut_read(p, 1000);
	}
	while (peer_rx_any(p, 100))
		;
	peer_tx(p, "A len=1000");
	sut_read(p, 1000);
	peer_rx_none(p, 20);
	peer_rx(p, 100, "A ack=61001");
	peer_tx(p, "PA len=1000");
	sut_read(p, 1000);
	peer_rx(p, 10, "A ack=62001");
}

RAW_TEST(ack_every_second_segment, "RFC 5681 4.2", T_BOTH)
{
	int i, acks = 0, last = 0;

	/* a stream of full segments, read at once: at most two per ACK */
	open_passive(p, "mss=1460 ws=7");
	for (i = 0; i < 20; i++) {
		peer_tx(p, "A len=1000");
		sut_read(p, 1000);
	}
	while (last != 20001 && peer_rx_any(p, 300 + raw.slack_ms)) {
		last = p->last->ack - p->isn;
		acks++;
	}
	CHECK_EQ(last, 20001);
	CHECK(acks >= 10);
}

RAW_TEST(nagle, "RFC 896", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
	sut_write(p, 10);
	sut_write(p, 10);
	peer_rx_none(p, 50);
	peer_tx(p, "A");
	peer_rx(p, 500, "PA seq=11 len=20");
}

RAW_TEST(nagle_full_segment_goes, "RFC 896", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
	sut_write(p, 10);
	sut_write(p, 1000);
	peer_rx(p, 500, "A seq=11 len=1000");
	peer_rx_none(p, 50);
	peer_tx(p, "A");
	peer_rx(p, 500, "PA seq=1011 len=10");
}

RAW_TEST(nodelay, "TCP_NODELAY", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=11 len=10");
}

RAW_TEST(cork, "TCP_CORK", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_CORK, 1);
	sut_write(p, 10);
	sut_write(p, 10);
	peer_rx_none(p, 50);
	sut_opt(p->fd, IPPROTO_TCP, TCP_CORK, 0);
	peer_rx(p, 500, "PA seq=1 len=20");
}

RAW_TEST(cork_200_ms, "TCP_CORK", T_BOTH)
{
	u64 t0;

	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_CORK, 1);
	t0 = raw_now_us();
	sut_write(p, 10);
	peer_rx(p, 1000, "PA seq=1 len=10");
	CHECK_MS((p->last->at_us - t0) / 1000, 190, 450);
}

RAW_TEST(msg_more, "MSG_MORE", T_BOTH)
{
	open_passive(p, "mss=1000");
	CHECK_EQ(send(p->fd, "\1\10\17", 3, MSG_MORE), 3);
	p->wr_off = 3;
	peer_rx_none(p, 50);
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=13");
}

static void write_more(struct peer *p, int len)
{
	char buf[64];
	int i;

	for (i = 0; i < len; i++)
		buf[i] = raw_pattern(p->wr_off + i);
	CHECK_EQ(send(p->fd, buf, len, MSG_MORE), len);
	p->wr_off += len;
}

/* tcp(7): TCP_NODELAY "forces an explicit flush of pending output, even if TCP_CORK ..." */
RAW_TEST(nodelay_flushes, "TCP_NODELAY", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_CORK, 1);
	sut_write(p, 10);
	peer_rx_none(p, 30);
	sut_opt(p->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	peer_rx(p, 60, "PA seq=1 len=10");
	peer_tx(p, "A ack=11");
	/* once: what comes after is corked */
	sut_write(p, 10);
	peer_rx_none(p, 30);
	sut_opt(p->fd, IPPROTO_TCP, TCP_CORK, 0);
	peer_rx(p, 60, "PA seq=11 len=10");
	peer_tx(p, "A ack=21");
	write_more(p, 10);
	peer_rx_none(p, 30);
	sut_opt(p->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	peer_rx(p, 60, "A seq=21 len=10");
}

RAW_TEST(uncork_flushes_more, "TCP_CORK, MSG_MORE", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_CORK, 1);
	write_more(p, 10);
	peer_rx_none(p, 30);
	sut_opt(p->fd, IPPROTO_TCP, TCP_CORK, 0);
	peer_rx(p, 60, "A seq=1 len=10");
}

/* MSG_MORE is for what this call writes, and does not outlast the next ACK. */
RAW_TEST(msg_more_until_ack, "MSG_MORE", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_write(p, 1000);
	peer_rx(p, 500, "PA seq=1 len=1000");
	write_more(p, 10);
	peer_rx_none(p, 30);
	peer_tx(p, "A ack=1001");
	peer_rx(p, 60, "A seq=1001 len=10");
}

/* The last of segments that were cut from one carries PSH (Linux 5.5). */
static void burst_is_pushed(struct peer *p)
{
	int i;

	open_passive(p, "mss=1000");
	sut_write(p, 20000);
	peer_rx(p, 500, "A seq=1 len=1000");
	CHECK(!(p->last->flags & TH_PSH));
	for (i = 1; i < 9; i++)
		peer_rx(p, 500, "A seq=%d len=1000", 1 + i * 1000);
	peer_rx(p, 500, "PA seq=9001 len=1000");
	peer_rx_none(p, 50);
}

RAW_TEST(burst_pushed, "Linux 051ba67447de", T_BOTH)
{
	burst_is_pushed(p);
}

RAW_TEST(burst_pushed_gso_off, "sk_setup_caps()", T_BOTH)
{
	raw_gso_off();
	burst_is_pushed(p);
}

RAW_TEST(send_window_respected, "RFC 9293 3.8.6", T_BOTH)
{
	p->win = 1000;
	open_passive(p, "mss=500");
	sut_write(p, 3000);
	peer_rx(p, 500, "A seq=1 len=500");
	peer_rx(p, 500, "A seq=501 len=500");
	peer_rx_none(p, 50);
	peer_tx(p, "A ack=501 win=1500");
	peer_rx(p, 500, "A seq=1001 len=500");
	peer_rx(p, 500, "A seq=1501 len=500");
	peer_rx_none(p, 50);
	/* an old ACK does not close the window (SND.WL1, SND.WL2) */
	peer_tx(p, "A ack=1 win=0");
	peer_tx(p, "A ack=2001 win=5000");
	peer_rx(p, 500, "A seq=2001 len=500");
	peer_rx(p, 500, "A seq=2501 len=500");
}

RAW_TEST(send_window_scaled, "RFC 7323 2", T_BOTH)
{
	p->win = 500;
	open_passive(p, "mss=500 ws=2");
	sut_write(p, 5000);
	while (p->sut_nxt != p->sut_isn + 2001)
		peer_rx(p, 500, "A len=500");
	peer_rx_none(p, 50);
}

/* Fill the receive buffer until a probe finds no room; the bytes it took. */
static int fill_window(struct peer *p)
{
	int sent = 0, i, n;

	for (i = 0; i < 300; i++) {
		n = p->last->win < 100 ? p->last->win : 100;
		if (n) {
			peer_tx(p, "PA len=%d", n);
			sent += n;
			peer_rx(p, 500, "A ack=%d", sent + 1);
			continue;
		}
		/* a probe of one byte is refused, unless there is room again */
		peer_tx(p, "A seq=%d len=1", sent + 1);
		peer_rx(p, 500, "A");
		if (p->last->ack == p->isn + 1 + sent && !p->last->win)
			break;
		sent = p->last->ack - p->isn - 1;
		p->nxt = p->last->ack;
	}
	CHECK(i < 300);
	p->nxt = p->isn + 1 + sent;
	raw_log("      the window closed after %d", sent);
	return sent;
}

RAW_TEST(receive_window_closes, "RFC 9293 3.8.6.2", T_BOTH)
{
	int sent;

	sut_sysctl("tcp_invalid_ratelimit", "0");
	p->lfd = sut_socket();
	sut_opt(p->lfd, SOL_SOCKET, SO_RCVBUF, 4096);
	sut_listen(p, 8);
	open_passive(p, "mss=1000");
	sent = fill_window(p);
	CHECK(sent > 500);
	/* Linux's kind of probe, below the window */
	peer_tx(p, "A seq=%d", sent);
	peer_rx(p, 500, "A ack=%d win=0", sent + 1);
	sut_read(p, sent);
	/* reading opens it again and says so */
	peer_rx(p, 500, "A ack=%d win>900", sent + 1);
	peer_tx(p, "PA len=100");
	sut_read(p, 100);
}

RAW_TEST(send_buffer_holds_two_windows, "tcp_sndbuf_expand", T_BOTH)
{
	/* an untouched socket takes at once what two initial windows carry */
	open_passive(p, "mss=1460");
	sut_write(p, 28000);
}

RAW_TEST(urgent_in, "RFC 9293 3.8.5, RFC 6093", T_BOTH)
{
	char c = 0;
	int mark;

	open_passive(p, "mss=1460");
	peer_tx(p, "UPA len=10 urg=10");
	CHECK(sut_poll(p->fd, POLLPRI, 500) & POLLPRI);
	CHECK(!ioctl(p->fd, SIOCATMARK, &mark) && !mark);
	CHECK_EQ(recv(p->fd, &c, 1, MSG_OOB), 1);
	sut_read(p, 9);
	CHECK(!ioctl(p->fd, SIOCATMARK, &mark) && mark);
	CHECK_EQ((u8)c, (u8)(9 * 7 + 1));
	p->rd_off++;
	peer_tx(p, "PA len=5");
	sut_read(p, 5);
	CHECK(!sut_poll(p->fd, POLLPRI, 0));
}

RAW_TEST(urgent_out, "RFC 9293 3.8.5, RFC 6093", T_BOTH)
{
	open_passive(p, "mss=1460");
	CHECK_EQ(send(p->fd, "\1\10\17\26\35", 5, MSG_OOB), 5);
	peer_rx(p, 500, "UPA seq=1 len=5 urg=5");
	peer_tx(p, "A");
	p->wr_off = 5;
	sut_write(p, 5);
	peer_rx(p, 500, "PA seq=6 len=5");
}

RAW_TEST(window_update_opens_sender, "RFC 9293 3.10.7.4", T_BOTH)
{
	p->win = 0;
	open_passive(p, "mss=1000");
	sut_opt(p->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	sut_write(p, 100);
	peer_rx_none(p, 50);
	peer_tx(p, "A win=1000");
	peer_rx(p, 500, "PA seq=1 len=100");
}

RAW_TEST(shrunk_window, "RFC 9293 3.8.6 (MUST-34)", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_write(p, 2000);
	peer_rx(p, 500, "A seq=1 len=1000");
	peer_rx(p, 500, "A seq=1001 len=1000");
	/* the right edge moves left: nothing new, and no harm */
	peer_tx(p, "A ack=1 win=500");
	sut_write(p, 100);
	peer_tx(p, "A ack=2001 win=5000");
	peer_rx(p, 500, "A len=100 seq=2001 skip");
}

/* Out of order and in pages; then its first half comes again. The memory is accounted for. */
RAW_TEST(pages_overlap, "RFC 9293 3.10.7.4", T_BOTH)
{
	int i;

	raw.linear = 60;
	open_passive(p, "mss=1460");
	for (i = 0; i < 2; i++) {
		peer_tx(p, "A seq=%d len=8000", 9000 * i + 1001);
		peer_rx(p, 500, "A ack=%d len=0", 9000 * i + 1);
		peer_tx(p, "A seq=%d len=5000", 9000 * i + 1);
		peer_rx(p, 500, "A ack=%d len=0", 9000 * (i + 1) + 1);
		sut_read(p, 9000);
	}
}
