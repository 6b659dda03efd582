// SPDX-License-Identifier: GPL-2.0
/* Local ports: which one connect() gets, when there is none left, when one is back. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_addr.h"
#include "raw_peer.h"

/* A SYN that nobody answers: the socket, or -errno. */
static int dial(int port)
{
	int fd = sut_socket(), err;
	socklen_t len;
	union raw_addr a;

	len = raw_addr(&a, true, port);
	if (connect(fd, &a.sa, len) == -1 && errno == EINPROGRESS) {
		raw_log("      connect to %d", port);
		return fd;
	}
	err = errno;
	raw_log("      connect to %d: %s", port, strerror(err));
	close(fd);
	return -err;
}

static int must_dial(int port)
{
	int fd = dial(port);

	if (fd < 0)
		FAIL("connect: %s", strerror(-fd));
	return fd;
}

static int local_port(int fd)
{
	socklen_t len = sizeof(union raw_addr);
	union raw_addr a;

	CHECK(!getsockname(fd, &a.sa, &len));
	return ntohs(raw.v6 ? a.v6.sin6_port : a.v4.sin_port);
}

static int bind_port(int fd, int port)
{
	union raw_addr a;
	socklen_t len = raw_addr(&a, false, port);

	return bind(fd, &a.sa, len) ? errno : 0;
}

static void range(int low, int high)
{
	char text[32];

	snprintf(text, sizeof(text), "%d %d", low, high);
	CHECK(sut_sysctl("ip_local_port_range", text));
}

/* The kernel's list counts for both stacks. */
static void reserve(const char *ports)
{
	int fd = open("/proc/sys/net/ipv4/ip_local_reserved_ports", O_WRONLY);

	CHECK(fd >= 0 && write(fd, ports, strlen(ports)) == (ssize_t)strlen(ports));
	close(fd);
}

/* An active open and close by the stack under test, its port chosen by it. */
static void port_into_timewait(struct peer *p, int peer_port)
{
	peer_init(p);
	p->port = peer_port;
	open_active(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
}

RAW_TEST(ports_range_used_up, "1-22 3-7 D-11 4-89", T_BOTH)
{
	int a, b, c;

	range(45000, 45001);
	a = must_dial(p->port);
	b = must_dial(p->port);
	CHECK(local_port(a) != local_port(b));
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	/* and again: what was learnt must not be wrong */
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	/* 3-7: per destination, not per host */
	c = must_dial(p->port + 1);
	close(c);
	/* back at once */
	c = local_port(b);
	close(b);
	b = must_dial(p->port);
	CHECK_EQ(local_port(b), c);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	close(a);
	close(b);
}

RAW_TEST(ports_all_timewait, "1-22 4-90 1-16 4-15", T_BOTH)
{
	struct peer q[3];

	sut_sysctl("tcp_tw_reuse", "0");
	range(45000, 45001);
	port_into_timewait(&q[0], p->port);
	port_into_timewait(&q[1], p->port);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 2);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	/* another destination, from the very same ports */
	port_into_timewait(&q[2], p->port + 1);
	CHECK(q[2].sut_port == q[0].sut_port || q[2].sut_port == q[1].sut_port);
	/* a RST ends the first: its port is back at once */
	peer_tx(&q[0], "R seq=2");
	CHECK_EQ(local_port(must_dial(p->port)), q[0].sut_port);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
}

RAW_TEST(ports_back_after_timewait, "1-16 4-90", T_XTCP)
{
	struct peer q[2];

	sut_sysctl("tcp_tw_reuse", "0");
	sut_sysctl("tcp_timewait_ms", "400");
	range(45000, 45001);
	port_into_timewait(&q[0], p->port);
	port_into_timewait(&q[1], p->port);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	sut_wait_state(&q[0], ST_NONE, 2000);
	sut_wait_state(&q[1], ST_NONE, 2000);
	must_dial(p->port);
	must_dial(p->port);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
}

RAW_TEST(ports_range_live, "3-16", T_BOTH)
{
	char text[64], path[64];
	int fd, n, low, high;

	range(45000, 45001);
	must_dial(p->port);
	must_dial(p->port);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	range(45000, 45003);
	snprintf(path, sizeof(path), "/proc/sys/net/%s/ip_local_port_range",
		 raw.xtcp ? "xtcp" : "ipv4");
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n] = 0;
	close(fd);
	CHECK_EQ(sscanf(text, "%d %d", &low, &high), 2);
	CHECK_EQ(low, 45000);
	CHECK_EQ(high, 45003);
	CHECK_RANGE(local_port(must_dial(p->port)), 45002, 45003);
	CHECK_RANGE(local_port(must_dial(p->port)), 45002, 45003);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	range(46000, 46000);
	CHECK_EQ(local_port(must_dial(p->port)), 46000);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
}

/* 3-16's default is what the seed's kernel has, less one. */
RAW_TEST(ports_range_default, "3-16 D-11", T_BOTH)
{
	int i, fd;

	for (i = 0; i < 20; i++) {
		fd = must_dial(p->port + i % 2);
		CHECK_RANGE(local_port(fd), 32768, 60999);
		/* the parity of the range's first port, while there are enough */
		CHECK_EQ(local_port(fd) & 1, 0);
	}
}

RAW_TEST(ports_reserved, "3-16", T_BOTH)
{
	range(45000, 45001);
	reserve("45000");
	CHECK_EQ(local_port(must_dial(p->port)), 45001);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	reserve("\n");
	CHECK_EQ(local_port(must_dial(p->port)), 45000);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
}

/* One port of the range is bound: by a program of ours, or of the kernel's TCP. */
static void held_by(struct peer *p, bool kernel)
{
	bool xtcp = raw.xtcp;
	int hold;

	range(45000, 45001);
	raw.xtcp = xtcp && !kernel;
	hold = sut_socket();
	CHECK_EQ(bind_port(hold, 45000), 0);
	raw.xtcp = xtcp;
	CHECK_EQ(local_port(must_dial(p->port)), 45001);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	close(hold);
	CHECK_EQ(local_port(must_dial(p->port)), 45000);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
}

RAW_TEST(ports_bound_by_us, "4-15 1-22", T_BOTH)
{
	held_by(p, false);
}

RAW_TEST(ports_bound_by_kernel, "4-15 1-22", T_XTCP)
{
	held_by(p, true);
}

RAW_TEST(ports_same_for_two_peers, "4-8", T_BOTH)
{
	struct peer q;

	p->sut_port = 45000;
	open_active(p, "mss=1460");
	peer_init(&q);
	q.sut_port = 45000;
	open_active(&q, "mss=1460");
	sut_write(p, 10);
	peer_rx(p, 500, "PA seq=1 len=10");
	sut_write(&q, 20);
	peer_rx(&q, 500, "PA seq=1 len=20");
	peer_tx(&q, "A");
	peer_tx(p, "A");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	CHECK_EQ(sut_state(&q), ST_ESTABLISHED);
}

RAW_TEST(ports_65535, "4-8", T_BOTH)
{
	p->port = 65535;
	p->sut_port = 65535;
	open_active(p, "mss=1460");
	sut_write(p, 100);
	peer_rx(p, 500, "PA seq=1 len=100");
	peer_tx(p, "PA seq=1 len=50");
	sut_read(p, 50);
}

RAW_TEST(ports_udp_beside, "4-14", T_BOTH)
{
	const int port = p->port;
	int udp = socket(raw.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), fd;

	CHECK_EQ(bind_port(udp, port), 0);
	fd = sut_socket();
	CHECK_EQ(bind_port(fd, port), 0);
	CHECK(!listen(fd, 1));
	close(udp);
	udp = socket(raw.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(bind_port(udp, port), 0);
}

RAW_TEST(ports_restart_over_timewait, "4-15", T_BOTH)
{
	int fd;

	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	close(p->lfd);
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
	fd = sut_socket();
	CHECK_EQ(bind_port(fd, p->sut_port), EADDRINUSE);
	sut_opt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_EQ(bind_port(fd, p->sut_port), 0);
	CHECK(!listen(fd, 1));
	CHECK_EQ(sut_state(p), ST_TIME_WAIT);
}

RAW_TEST(ports_server_full_of_timewait, "4-91 1-1", T_BOTH)
{
	struct peer q;
	int i;

	sut_listen(p, 8);
	for (i = 0; i < 100; i++) {
		peer_init(&q);
		q.lfd = p->lfd;
		q.sut_port = p->sut_port;
		open_passive(&q, "mss=1460");
		sut_close(&q);
		peer_rx(&q, 500, "FA seq=1");
		peer_tx(&q, "FA ack=2");
		peer_rx(&q, 500, "A seq=2 ack=2");
	}
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), 100);
	open_passive(p, "mss=1460");
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}

/*
 * Two hundred ports: enough for the destination to get its bitmap; ports leave
 * and come back in every order, and every count is exact.
 */
RAW_TEST(ports_bitmap_is_right, "1-22 D-11", T_BOTH)
{
	int fd[200], i, k, n = 200;
	unsigned int rnd = 1;

	range(45000, 45199);
	for (i = 0; i < n; i++)
		fd[i] = must_dial(p->port);
	for (k = 0; k < 20; k++) {
		int gone = 1 + rnd % 7, j;

		CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
		for (j = 0; j < gone; j++) {
			rnd = rnd * 1103515245 + 12345;
			i = rnd >> 8 & 127;
			if (fd[i + j] >= 0)
				close(fd[i + j]);
			fd[i + j] = -1;
		}
		for (i = 0; i < n; i++) {
			if (fd[i] < 0)
				fd[i] = must_dial(p->port);
		}
	}
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	CHECK_EQ(sut_count_state(ST_SYN_SENT), n);
	/* the other destination has its own 200 */
	for (i = 0; i < n; i++)
		must_dial(p->port + 1);
	CHECK_EQ(dial(p->port + 1), -EADDRNOTAVAIL);
}

/* ---- late segments: a shortened or reused TIME-WAIT */

static void late_timewait(struct peer *p)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	open_passive(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
}

RAW_TEST(late_after_short_2msl, "late 4-83 1-14", T_XTCP)
{
	struct peer q;

	sut_sysctl("tcp_timewait_ms", "100");
	late_timewait(p);
	sut_wait_state(p, ST_NONE, 2000);
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 0);
	peer_tx(p, "PA seq=-99 len=100");
	peer_rx(p, 500, "R");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 1);
	/* a stranger is not late, nor is a RST */
	peer_init(&q);
	q.sut_port = p->sut_port;
	peer_tx(&q, "PA seq=1 ack=1 len=10");
	peer_rx(&q, 500, "R");
	peer_tx(p, "R seq=2");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 1);
	/* the peer's FIN again, its ACK lost: the RST it gets is the price */
	peer_tx(p, "FA seq=1");
	peer_rx(p, 500, "R");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 2);
	/* a SYN opens something new */
	p->isn += 100000;
	p->nxt = p->isn;
	p->sut_known = false;
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 2);
}

RAW_TEST(late_without_listener, "late 4-83", T_XTCP)
{
	int hold = sut_socket();

	sut_sysctl("tcp_timewait_ms", "100");
	p->sut_port = 45000;
	open_active(p, "mss=1460");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	/* so that the port stays ours */
	sut_opt(hold, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_EQ(bind_port(hold, 45000), 0);
	sut_wait_state(p, ST_NONE, 2000);
	peer_tx(p, "PA seq=-9 len=10");
	peer_rx(p, 500, "R");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 1);
}

RAW_TEST(late_after_rst, "late X-2 RFC 1337", T_XTCP)
{
	late_timewait(p);
	peer_tx(p, "R seq=2");
	CHECK_EQ(sut_state(p), ST_NONE);
	peer_tx(p, "PA seq=-9 len=10");
	peer_rx(p, 500, "R");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 1);
}

RAW_TEST(late_after_overflow, "late D-6 4-97", T_XTCP)
{
	sut_sysctl("tcp_max_tw_buckets", "0");
	late_timewait(p);
	CHECK_EQ(sut_state(p), ST_NONE);
	peer_tx(p, "PA seq=-9 len=10");
	peer_rx(p, 500, "R");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 1);
}

RAW_TEST(late_without_timewait, "late 4-86", T_XTCP)
{
	sut_sysctl("tcp_timewait_ms", "0");
	late_timewait(p);
	CHECK_EQ(sut_state(p), ST_NONE);
	peer_tx(p, "FA seq=1");
	peer_rx(p, 500, "R");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 1);
}

/* The whole 2MSL was kept: nothing is late after it. And after 2 minutes nothing ever is. */
RAW_TEST(late_not_after_2msl, "late 0-16 1-17", T_XTCP)
{
	late_timewait(p);
	sut_wait_state(p, ST_NONE, 62000);
	peer_tx(p, "PA seq=-9 len=10");
	peer_rx(p, 500, "R");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 0);
}

/* tcp_tw_reuse gave the port to a new connection; then the old one's data come. */
RAW_TEST(late_in_taken, "late 4-93 4-84 0-19", T_XTCP)
{
	sut_sysctl("tcp_invalid_ratelimit", "0");
	sut_sysctl("tcp_tw_reuse", "1");
	sut_sysctl("tcp_tw_reuse_delay", "200");
	range(45000, 45000);
	open_active(p, "mss=1460 ts");
	sut_close(p);
	peer_rx(p, 500, "FA seq=1");
	peer_tx(p, "FA ack=2");
	peer_rx(p, 500, "A seq=2 ack=2");
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	peer_rx_none(p, 400);
	p->isn += 1000;
	p->nxt = p->isn;
	p->sut_known = false;
	p->sut_port = 0;
	open_active(p, "mss=1460 ts");
	CHECK_EQ(p->sut_port, 45000);
	CHECK_EQ(sut_mib("TWRecycled"), 1);
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 0);
	peer_tx(p, "PA seq=-1098 len=100");
	peer_rx(p, 500, "A ack=1 len=0");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 1);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
}

/* Many TIME-WAITs to one destination end: as many ports come back, no more. */
RAW_TEST(ports_bitmap_and_timewait, "1-22 4-90 1-16", T_XTCP)
{
	enum { N = 40 };
	struct peer q[N];
	int i;

	sut_sysctl("tcp_tw_reuse", "0");
	sut_sysctl("tcp_timewait_ms", "5000");
	range(45000, 45000 + N - 1);
	for (i = 0; i < N; i++)
		port_into_timewait(&q[i], p->port);
	CHECK_EQ(sut_count_state(ST_TIME_WAIT), N);
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	for (i = 0; i < N; i += 3) {
		peer_tx(&q[i], "R seq=2");
		CHECK_EQ(local_port(must_dial(p->port)), q[i].sut_port);
		CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
	}
	for (i = 0; i < N; i++) {
		if (i % 3)
			sut_wait_state(&q[i], ST_NONE, 7000);
	}
	for (i = 0; i < N; i++) {
		if (i % 3)
			must_dial(p->port);
	}
	CHECK_EQ(dial(p->port), -EADDRNOTAVAIL);
}

RAW_TEST(late_in_reopened, "late 0-19 1-14 4-84 X-3", T_XTCP)
{
	late_timewait(p);
	/* old RCV.NXT was 2; it is -998 now */
	p->isn += 1000;
	p->nxt = p->isn;
	p->sut_known = false;
	peer_tx(p, "S mss=1460");
	peer_rx(p, 500, "SA ack=1");
	peer_tx(p, "A");
	sut_accept(p);
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 0);
	peer_tx(p, "PA seq=-1098 len=100");
	peer_rx(p, 500, "A ack=1 len=0");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 1);
	/* the new connection's own segments, twice: old, not late */
	peer_tx(p, "PA seq=1 len=10");
	sut_read(p, 10);
	peer_tx(p, "PA seq=1 len=10");
	/* between the two connections: nobody's */
	peer_tx(p, "PA seq=-500 len=10");
	/* far below */
	peer_tx(p, "PA seq=-2000000 len=10");
	CHECK_EQ(sut_mib("TCPTimeWaitLate"), 1);
	CHECK_EQ(sut_state(p), ST_ESTABLISHED);
}
