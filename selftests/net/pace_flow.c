// SPDX-License-Identifier: GPL-2.0
/*
 * pace_flow FAMILY KEY=VALUE... - one bulk transfer from namespace A to namespace
 * B, looked at from its sender every 5 ms. FAMILY is tcp or xtcp.
 *
 *	addr=10.88.0.2	B's address, of either family
 *	warm=MS ms=MS	look from then on, for so long (500, 2000)
 *	rate=N		SO_MAX_PACING_RATE, bytes a second
 *	late=N		the same, but set only when the warm-up is over
 *	cc=NAME		TCP_CONGESTION
 *	burst=N gap=MS	write N bytes, pause so long; else write all the time
 *	writes=N	so many of these before each pause (1)
 *	nodelay=1	TCP_NODELAY
 *	end=abort	end with a reset while data is queued; else close()
 *
 * Prints one line of KEY=VALUE: what arrived (kbit, kbit/s), what stood in qdisc
 * and device (wmem_max, wmem_avg: bytes of memory), TCP_INFO's rates (of the pacing
 * rate the last and the highest) and round-trip time.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/xtcp.h>

#include "netns.h"

#ifndef SO_MAX_PACING_RATE
#define SO_MAX_PACING_RATE	47
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO		55
#endif

static struct {
	const char *addr, *cc;
	long warm, ms, burst, gap, writes;
	unsigned long rate, late;
	int abort, nodelay;
} o = { .addr = "10.88.0.2", .warm = 500, .ms = 2000, .writes = 1 };

static atomic_ullong arrived;
static atomic_int over;

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static void pause_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static int open_sock(int xtcp)
{
	int v6 = !!strchr(o.addr, ':'), fd;

	if (xtcp)
		fd = socket(AF_XTCP, SOCK_STREAM | SOCK_CLOEXEC, v6);
	else
		fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "socket");
	return fd;
}

static socklen_t address(struct sockaddr_storage *ss, int port)
{
	struct sockaddr_in6 *a6 = (void *)ss;
	struct sockaddr_in *a4 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, o.addr, &a4->sin_addr) == 1) {
		a4->sin_family = AF_INET;
		a4->sin_port = htons(port);
		return sizeof(*a4);
	}
	if (inet_pton(AF_INET6, o.addr, &a6->sin6_addr) != 1)
		errx(1, "%s: no address", o.addr);
	a6->sin6_family = AF_INET6;
	a6->sin6_port = htons(port);
	return sizeof(*a6);
}

/* Long enough for the slowest link here to say something, and then fail. */
static void limit_waits(int fd)
{
	struct timeval tv = { 120, 0 };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)))
		err(1, "timeouts");
}

static void *reader(void *arg)
{
	static char buf[1 << 18];
	int fd = *(int *)arg;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		atomic_fetch_add(&arrived, n);
	if (n < 0 && !(o.abort && errno == ECONNRESET))
		err(1, "recv");
	return NULL;
}

static void *writer(void *arg)
{
	static char buf[1 << 16];
	int fd = *(int *)arg;
	long left = o.burst, writes = 0;
	ssize_t n;

	while (!atomic_load(&over)) {
		size_t want = o.burst && left < (long)sizeof(buf) ? left : (long)sizeof(buf);

		n = send(fd, buf, want, MSG_NOSIGNAL);
		if (n < 0)
			err(1, "send");
		left -= n;
		if (o.burst && !left) {
			left = o.burst;
			if (++writes % o.writes == 0)
				pause_ms(o.gap);
		}
	}
	return NULL;
}

static void set_rate(int fd, unsigned long rate)
{
	if (rate && setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)))
		err(1, "SO_MAX_PACING_RATE");
}

static void get_info(int fd, struct tcp_info *i)
{
	socklen_t len = sizeof(*i);

	memset(i, 0, sizeof(*i));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, i, &len))
		err(1, "TCP_INFO");
}

static void look(int fd)
{
	unsigned int mem[SK_MEMINFO_VARS], most = 0;
	unsigned long long sum = 0, n = 0, before, fastest = 0;
	socklen_t len = sizeof(mem);
	long long start, end, us;
	struct tcp_info i, at;

	get_info(fd, &at);
	before = atomic_load(&arrived);
	start = now_us();
	for (end = start + o.ms * 1000; now_us() < end; n++) {
		if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &len))
			err(1, "SO_MEMINFO");
		sum += mem[SK_MEMINFO_WMEM_ALLOC];
		if (mem[SK_MEMINFO_WMEM_ALLOC] > most)
			most = mem[SK_MEMINFO_WMEM_ALLOC];
		get_info(fd, &i);
		if (i.tcpi_pacing_rate > fastest)
			fastest = i.tcpi_pacing_rate;
		pause_ms(5);
	}
	us = now_us() - start;
	before = atomic_load(&arrived) - before;
	get_info(fd, &i);
	printf("kbit=%llu kbps=%llu wmem_max=%u wmem_avg=%llu pacing_kbps=%llu", before / 125,
	       before * 8000 / us, most, sum / n,
	       (unsigned long long)i.tcpi_pacing_rate / 125);
	printf(" pacing_max_kbps=%llu", fastest / 125);
	printf(" delivery_kbps=%llu app_limited=%u rtt_us=%u min_rtt_us=%u retrans=%u cwnd=%u",
	       (unsigned long long)i.tcpi_delivery_rate / 125, i.tcpi_delivery_rate_app_limited,
	       i.tcpi_rtt, i.tcpi_min_rtt, i.tcpi_total_retrans, i.tcpi_snd_cwnd);
	printf(" segs=%u busy_ms=%llu rwnd_ms=%llu sndbuf_ms=%llu\n",
	       i.tcpi_data_segs_out - at.tcpi_data_segs_out,
	       (unsigned long long)(i.tcpi_busy_time - at.tcpi_busy_time) / 1000,
	       (unsigned long long)(i.tcpi_rwnd_limited - at.tcpi_rwnd_limited) / 1000,
	       (unsigned long long)(i.tcpi_sndbuf_limited - at.tcpi_sndbuf_limited) / 1000);
	fflush(stdout);
}

static void option(char *arg)
{
	char *val = strchr(arg, '=');

	if (!val)
		errx(2, "%s?", arg);
	*val++ = 0;
	if (!strcmp(arg, "addr"))
		o.addr = val;
	else if (!strcmp(arg, "cc"))
		o.cc = val;
	else if (!strcmp(arg, "warm"))
		o.warm = atol(val);
	else if (!strcmp(arg, "ms"))
		o.ms = atol(val);
	else if (!strcmp(arg, "rate"))
		o.rate = atol(val);
	else if (!strcmp(arg, "late"))
		o.late = atol(val);
	else if (!strcmp(arg, "burst"))
		o.burst = atol(val);
	else if (!strcmp(arg, "gap"))
		o.gap = atol(val);
	else if (!strcmp(arg, "writes"))
		o.writes = atol(val);
	else if (!strcmp(arg, "nodelay"))
		o.nodelay = atoi(val);
	else if (!strcmp(arg, "end"))
		o.abort = !strcmp(val, "abort");
	else
		errx(2, "%s?", arg);
}

/* A connection from A to B. */
static int connected(int xtcp, int *peer)
{
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, 5555);
	int l, fd, one = 1;

	netns_enter("B");
	l = open_sock(xtcp);
	if (setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(l, (struct sockaddr *)&ss, len) || listen(l, 1))
		err(1, "listen");
	netns_enter("A");
	fd = open_sock(xtcp);
	limit_waits(fd);
	set_rate(fd, o.rate);
	if (o.cc && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, o.cc, strlen(o.cc)))
		err(1, "%s", o.cc);
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &o.nodelay, sizeof(o.nodelay)))
		err(1, "TCP_NODELAY");
	if (connect(fd, (struct sockaddr *)&ss, len))
		err(1, "connect");
	*peer = accept(l, NULL, NULL);
	if (*peer < 0)
		err(1, "accept");
	limit_waits(*peer);
	close(l);
	return fd;
}

int main(int argc, char **argv)
{
	struct linger reset = { 1, 0 };
	int i, fd, peer;
	pthread_t r, w;

	if (argc < 2)
		errx(2, "usage: pace_flow tcp|xtcp [KEY=VALUE...]");
	for (i = 2; i < argc; i++)
		option(argv[i]);
	fd = connected(!strcmp(argv[1], "xtcp"), &peer);
	if (pthread_create(&r, NULL, reader, &peer) || pthread_create(&w, NULL, writer, &fd))
		errx(1, "threads");
	pause_ms(o.warm);
	if (o.late) {
		set_rate(fd, o.late);
		/* what was under way arrives */
		pause_ms(200);
	}
	look(fd);
	if (o.abort) {
		/* what is queued below outlives the socket, and the module's use of it */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		_exit(0);
	}
	atomic_store(&over, 1);
	pthread_join(w, NULL);
	close(fd);
	pthread_join(r, NULL);
	return 0;
}
