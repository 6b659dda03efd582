// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: listeners that come, go and are left full, clients that
 * give up at any moment, resets, half-closes, unread data, sockets used again.
 * Threads act at random from a seed; nothing here waits for anything to succeed.
 * What is looked for are crashes, warnings and leaks: the harness sees them.
 *
 *	race_stress SECONDS [SEED]
 *
 * Prints what happened; exit status 1 if nothing did.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/xtcp.h>

#define PORT	7900
#define PORTS	4
#define SERVERS	3
#define CLIENTS	5

static time_t end_s;
static unsigned long n_accepted, n_connected, n_bytes, n_listened;

static unsigned int rnd(unsigned int *seed, unsigned int n)
{
	return rand_r(seed) % n;
}

static int over(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec >= end_s;
}

static void pause_ms(unsigned int ms)
{
	poll(NULL, 0, ms);
}

static int sock(int v6)
{
	int proto = v6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4;
	int fd = socket(AF_XTCP, SOCK_STREAM | SOCK_NONBLOCK, proto);

	if (fd < 0 && errno != ENOMEM && errno != ENOBUFS && errno != EMFILE) {
		perror("socket");
		exit(1);
	}
	return fd;
}

/* The any address, loopback, or (a v6 sock) loopback as a mapped address. */
static socklen_t address(struct sockaddr_storage *ss, int v6, const char *text, int port)
{
	struct sockaddr_in6 *a6 = (void *)ss;
	struct sockaddr_in *a4 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (v6) {
		a6->sin6_family = AF_INET6;
		a6->sin6_port = htons(port);
		inet_pton(AF_INET6, text, &a6->sin6_addr);
		return sizeof(*a6);
	}
	a4->sin_family = AF_INET;
	a4->sin_port = htons(port);
	inet_pton(AF_INET, text, &a4->sin_addr);
	return sizeof(*a4);
}

/* A few random things to a connection in whatever state, then its end. */
static void abuse(int fd, unsigned int *seed)
{
	static char buf[1 << 16];
	struct linger lg = { .l_onoff = 1, .l_linger = 0 };
	struct sockaddr sa = { .sa_family = AF_UNSPEC };
	int i, v, steps = rnd(seed, 8);
	struct tcp_info ti;
	socklen_t len = sizeof(ti);
	ssize_t n;

	for (i = 0; i < steps; i++) {
		switch (rnd(seed, 11)) {
		case 0:
		case 1:
			n = send(fd, buf, 1 + rnd(seed, sizeof(buf) - 1), MSG_NOSIGNAL);
			if (n > 0)
				__atomic_add_fetch(&n_bytes, n, __ATOMIC_RELAXED);
			break;
		case 2:
		case 3:
			recv(fd, buf, 1 + rnd(seed, sizeof(buf) - 1), 0);
			break;
		case 4:
			shutdown(fd, rnd(seed, 3));
			break;
		case 5:
			pause_ms(rnd(seed, 20));
			break;
		case 6:
			send(fd, "!", 1, MSG_OOB | MSG_NOSIGNAL);
			break;
		case 7:
			v = rnd(seed, 2);
			setsockopt(fd, IPPROTO_TCP, rnd(seed, 2) ? TCP_CORK : TCP_NODELAY, &v,
				   sizeof(v));
			break;
		case 8:
			v = 2048 << rnd(seed, 6);
			setsockopt(fd, SOL_SOCKET, rnd(seed, 2) ? SO_RCVBUF : SO_SNDBUF, &v,
				   sizeof(v));
			break;
		case 9:
			getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len);
			break;
		case 10:
			recv(fd, buf, sizeof(buf), MSG_PEEK);
			break;
		}
	}
	if (!rnd(seed, 5))
		connect(fd, &sa, sizeof(sa));		/* disconnect */
	if (!rnd(seed, 4))
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
	close(fd);
}

static void serve(unsigned int *seed)
{
	int v6 = rnd(seed, 2), one = 1, i, fd = sock(v6);
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, v6, v6 ? "::" : "0.0.0.0", PORT + rnd(seed, PORTS));

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, rnd(seed, 3) ? SO_REUSEADDR : SO_REUSEPORT, &one, sizeof(one));
	if (!rnd(seed, 6))
		setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof(one));
	if (bind(fd, (void *)&ss, len) || listen(fd, rnd(seed, 5))) {
		close(fd);
		pause_ms(1);
		return;
	}
	__atomic_add_fetch(&n_listened, 1, __ATOMIC_RELAXED);
	for (i = rnd(seed, 60); i > 0 && !over(); i--) {
		int c = accept4(fd, NULL, NULL, SOCK_NONBLOCK);

		if (c < 0) {
			pause_ms(1);
			continue;
		}
		__atomic_add_fetch(&n_accepted, 1, __ATOMIC_RELAXED);
		abuse(c, seed);
	}
	if (!rnd(seed, 4)) {		/* stop, and start again on the same sock */
		shutdown(fd, SHUT_RDWR);
		if (!listen(fd, 1))
			pause_ms(rnd(seed, 5));
	}
	close(fd);			/* children and requests perhaps still in it */
}

static void client(unsigned int *seed)
{
	static const char * const to[] = { "127.0.0.1", "::1", "::ffff:127.0.0.1" };
	int which = rnd(seed, 3), v6 = which > 0, fd = sock(v6), err;
	struct sockaddr_storage ss;
	socklen_t len = address(&ss, v6, to[which], PORT + rnd(seed, PORTS));
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (fd < 0)
		return;
	err = connect(fd, (void *)&ss, len) ? errno : 0;
	if (!err || err == EINPROGRESS) {
		if (rnd(seed, 6))
			poll(&p, 1, rnd(seed, 30));
		if ((p.revents & (POLLOUT | POLLERR)) == POLLOUT)
			__atomic_add_fetch(&n_connected, 1, __ATOMIC_RELAXED);
	}
	abuse(fd, seed);
}

struct worker {
	pthread_t thread;
	unsigned int seed;
	void (*act)(unsigned int *seed);
};

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!over())
		w->act(&w->seed);
	return NULL;
}

int main(int argc, char **argv)
{
	struct worker w[SERVERS + CLIENTS];
	unsigned int seed, i;
	struct timespec ts;

	if (argc < 2) {
		fprintf(stderr, "usage: race_stress SECONDS [SEED]\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	end_s = ts.tv_sec + atoi(argv[1]);
	seed = argc > 2 ? strtoul(argv[2], NULL, 0) : (unsigned int)ts.tv_nsec;
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < SERVERS + CLIENTS; i++) {
		w[i].seed = seed + i * 7919;
		w[i].act = i < SERVERS ? serve : client;
		if (pthread_create(&w[i].thread, NULL, work, &w[i])) {
			perror("pthread_create");
			return 1;
		}
	}
	for (i = 0; i < SERVERS + CLIENTS; i++)
		pthread_join(w[i].thread, NULL);
	printf("# seed %u: %lu listens, %lu connected, %lu accepted, %lu bytes\n", seed,
	       n_listened, n_connected, n_accepted, n_bytes);
	return !(n_listened && n_connected && n_accepted && n_bytes);
}
