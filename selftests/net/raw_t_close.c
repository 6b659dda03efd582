// SPDX-License-Identifier: GPL-2.0
/* Closing: four-way, half-close, simultaneous, aborts. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw_peer.h"

RAW_TEST(close_active_four_way, "0-10 0-12 0-15 1-5 1-10", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=1 len=0");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	peer_tx(p, "FA");
	peer_rx(p, 500, "A seq=2 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(close_passive_four_way, "0-13 0-14 1-12 4-75", T_BOTH)
{
	open_active(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A seq=1 ack=2 len=0");
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
	sut_eof(p);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1 ack=2");
	CHECK_EQ(sut_state(p), ST_LAST_ACK);
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(close_fin_acks_fin, "0-15 1-9", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(close_fin_carries_data, "1-3", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_opt(p->fd, IPPROTO_TCP, TCP_CORK, 1);
	sut_write(p, 4);
	sut_close(p);
	peer_rx(p, 500, "FPA seq=1 len=4");
}

RAW_TEST(close_data_then_eof, "4-125", T_BOTH)
{
	open_passive(p, "mss=1460");
	peer_tx(p, "FPA len=3");
	peer_rx(p, 500, "A ack=5");
	sut_read(p, 3);
	sut_eof(p);
	sut_eof(p);
}

RAW_TEST(half_close, "1-2 1-4 0-11", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_shutdown(p);
	peer_rx(p, 500, "FA seq=1");
	CHECK(send(p->fd, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "A ack=11");
	sut_read(p, 10);
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=12");
	sut_eof(p);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(close_wait_still_sends, "0-11 3-3", T_BOTH)
{
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	sut_write(p, 100);
	peer_rx(p, 500, "PA seq=1 len=100 ack=2");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
}

RAW_TEST(simultaneous_close, "X-1 1-7", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=1");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(sut_state(p), ST_CLOSING);
	peer_tx(p, "A ack=2");
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(close_with_unread_data, "X-7", T_BOTH)
{
	long aborts = sut_mib("TCPAbortOnClose");

	open_passive(p, "mss=1460");
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "A ack=11");
	sut_close(p);
	peer_rx(p, 500, "RA seq=1 ack=11");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_mib("TCPAbortOnClose"), aborts + 1);
}

RAW_TEST(data_after_close_finwait1, "X-8 1-4", T_BOTH)
{
	long aborts = sut_mib("TCPAbortOnData");

	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "PA ack=1 len=10");
	peer_rx(p, 500, "R");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_mib("TCPAbortOnData"), aborts + 1);
}

RAW_TEST(data_after_close_finwait2, "X-8 1-4", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "A");
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "R seq=2");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(linger_zero, "4-98", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_write(p, 10);
	peer_rx(p, 500, "PA len=10");
	sut_linger(p->fd, 1, 0);
	sut_close(p);
	peer_rx(p, 500, "RA seq=11 ack=1");
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(linger_blocks, "4-98", T_BOTH)
{
	u64 t0;

	open_passive(p, "mss=1460");
	sut_write(p, 10);
	peer_rx(p, 500, "PA len=10");
	sut_linger(p->fd, 1, 1);
	t0 = raw_now_us();
	sut_close(p);
	CHECK_MS((raw_now_us() - t0) / 1000, 950, 1300);
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
}

RAW_TEST(linger2_negative, "X-11", T_BOTH)
{
	open_passive(p, "mss=1460");
	sut_opt(p->fd, IPPROTO_TCP, TCP_LINGER2, -1);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "A");
	CHECK(peer_rx_any(p, 500));
	CHECK(p->last->flags & TH_RST && p->last->seq == p->sut_isn + 2);
	CHECK_EQ(sut_state(p), ST_NONE);
}

RAW_TEST(linger2_one_second, "X-11", T_BOTH)
{
	u64 t0;

	open_passive(p, "mss=1460");
	sut_opt(p->fd, IPPROTO_TCP, TCP_LINGER2, 1);
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	t0 = raw_now_us();
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	sut_wait_state(p, ST_NONE, 3000);
	CHECK_MS((raw_now_us() - t0) / 1000, 900, 2500);
	peer_tx(p, "FA");
	peer_rx(p, 500, "R seq=2");
}

RAW_TEST(finwait2_timeout, "4-71 0-18", T_BOTH)
{
	u64 t0;

	sut_sysctl("tcp_fin_timeout", "1");
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	t0 = raw_now_us();
	peer_tx(p, "A");
	sut_wait_state(p, ST_NONE, 3000);
	CHECK_MS((raw_now_us() - t0) / 1000, 900, 2500);
	peer_tx(p, "FA");
	peer_rx(p, 500, "R seq=2");
}

RAW_TEST(finwait2_shutdown_unbounded, "4-72", T_BOTH)
{
	sut_sysctl("tcp_fin_timeout", "1");
	open_passive(p, "mss=1460");
	sut_shutdown(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "A");
	peer_rx_none(p, 2500);
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
	peer_tx(p, "PA len=10");
	sut_read(p, 10);
	sut_close(p);
	sut_wait_state(p, ST_NONE, 3000);
}

RAW_TEST(rst_then_errors, "X-15", T_BOTH)
{
	open_passive(p, "mss=1460");
	peer_tx(p, "R seq=1");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK_EQ(sut_read_errno(p, 500), ECONNRESET);
	CHECK(send(p->fd, "x", 1, MSG_NOSIGNAL) == -1);
	CHECK_EQ(errno, EPIPE);
}

RAW_TEST(rst_in_close_wait, "X-15", T_BOTH)
{
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	peer_tx(p, "R seq=2");
	CHECK_EQ(sut_state(p), ST_NONE);
	CHECK(send(p->fd, "x", 1, MSG_NOSIGNAL) == -1);
	CHECK_EQ(errno, EPIPE);
}

RAW_TEST(poll_masks, "X-16", T_BOTH)
{
	const short all = POLLIN | POLLOUT | POLLRDHUP | POLLPRI;

	p->fd = sut_socket();
	CHECK_EQ(sut_poll(p->fd, all, 0), POLLOUT | POLLHUP);
	sut_connect(p);
	CHECK_EQ(sut_poll(p->fd, all, 0), 0);
	peer_rx(p, 500, "S");
	peer_tx(p, "SA ack=1 mss=1460");
	peer_rx(p, 500, "A");
	CHECK_EQ(sut_poll(p->fd, all, 0), POLLOUT);
	peer_tx(p, "FA");
	CHECK_EQ(sut_poll(p->fd, all, 0), POLLIN | POLLOUT | POLLRDHUP);
	peer_rx(p, 500, "A");
	sut_shutdown(p);
	peer_rx(p, 500, "FA");
	peer_tx(p, "A");
	CHECK_EQ(sut_poll(p->fd, all, 0), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

RAW_TEST(poll_mask_reset, "X-16", T_BOTH)
{
	const short all = POLLIN | POLLOUT | POLLRDHUP | POLLPRI;

	open_passive(p, "mss=1460");
	peer_tx(p, "R seq=1");
	CHECK_EQ(sut_poll(p->fd, all, 0),
		 POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
}

RAW_TEST(process_killed, "4-118", T_BOTH)
{
	int status;
	pid_t pid;

	open_passive(p, "mss=1460");
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	close(p->fd);
	/* the child holds the connection alone now */
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	kill(pid, SIGKILL);
	peer_rx(p, 1000, "FA seq=1");
	waitpid(pid, &status, 0);
}

RAW_TEST(process_killed_unread, "4-118 D-18", T_BOTH)
{
	int status;
	pid_t pid;

	open_passive(p, "mss=1460");
	peer_tx(p, "PA len=10");
	peer_rx(p, 500, "A ack=11");
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	close(p->fd);
	kill(pid, SIGKILL);
	peer_rx(p, 1000, "RA seq=1");
	waitpid(pid, &status, 0);
}

RAW_TEST(leftover_close_wait_meets_syn, "X-19", T_BOTH)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	/* the client has restarted and uses the same port */
	peer_tx(p, "S seq=500000 mss=1460");
	peer_rx(p, 500, "A seq=1 ack=2");
	peer_tx(p, "R seq=2");
	CHECK_EQ(sut_state(p), ST_NONE);
	p->isn += 500000;
	p->nxt = p->isn;
	p->sut_known = false;
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	sut_accept(p);
}

RAW_TEST(fin_out_of_order, "RFC 9293 3.10.7.4 eighth", T_BOTH)
{
	open_passive(p, "mss=1460 sackok");
	peer_tx(p, "FA seq=11");
	peer_rx(p, 500, "A ack=1");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	peer_tx(p, "PA seq=1 len=10");
	peer_rx(p, 500, "A ack=12");
	sut_read(p, 10);
	sut_eof(p);
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
}

RAW_TEST(fin_again_in_close_wait, "4-68 RFC 9293 3.10.7.4", T_BOTH)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	peer_tx(p, "FA");
	peer_rx(p, 500, "A ack=2");
	peer_tx(p, "FA seq=1");
	peer_rx(p, 500, "A ack=2");
	CHECK_EQ(sut_state(p), ST_CLOSE_WAIT);
}

RAW_TEST(fin_while_data_unacked, "RFC 9293 3.10.4", T_BOTH)
{
	open_passive(p, "mss=1000");
	sut_write(p, 2500);
	sut_close(p);
	peer_rx(p, 500, "A seq=1 len=1000");
	peer_rx(p, 500, "A seq=1001 len=1000");
	/* the FIN goes with the last bytes if Nagle has held them, else alone */
	CHECK(peer_rx_any(p, 500));
	CHECK_EQ(p->last->len, 500);
	if (!(p->last->flags & TH_FIN))
		peer_rx(p, 500, "FA seq=2501 len=0");
	peer_tx(p, "A ack=1001");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT1);
	peer_tx(p, "A ack=2502");
	CHECK_EQ(sut_state(p), ST_FIN_WAIT2);
}
