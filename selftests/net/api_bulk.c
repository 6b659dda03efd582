// SPDX-License-Identifier: GPL-2.0
/* Much data and many connections: every byte once, in order, nothing lost. */
#include <kselftest_harness.h>
#include <sys/resource.h>

#include "diff.h"

DIFF_FIXTURE()

struct stream {
	int fd;
	size_t size, chunk;
	unsigned int seed;
	unsigned long long hash;
	size_t done;
};

static void *writer(void *arg)
{
	struct stream *s = arg;
	char *buf = malloc(s->chunk);
	ssize_t n;

	s->hash = HASH_INIT;
	for (s->done = 0; s->done < s->size; s->done += n) {
		size_t len = s->size - s->done < s->chunk ? s->size - s->done : s->chunk;

		fill(buf, len, s->seed + s->done);
		n = send(s->fd, buf, len, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		s->hash = hash(buf, n, s->hash);
	}
	shutdown(s->fd, SHUT_WR);
	free(buf);
	return NULL;
}

static void *reader(void *arg)
{
	struct stream *s = arg;
	char *buf = malloc(s->chunk);
	ssize_t n;

	s->hash = HASH_INIT;
	s->done = 0;
	while ((n = recv(s->fd, buf, s->chunk, 0)) > 0) {
		s->hash = hash(buf, n, s->hash);
		s->done += n;
	}
	free(buf);
	return NULL;
}

/* One stream from a to b, with the reader in another thread. */
static void transfer(struct run *t, int a, int b, size_t size, size_t chunk)
{
	struct stream out = { .fd = a, .size = size, .chunk = chunk, .seed = size };
	struct stream in = { .fd = b, .chunk = chunk / 2 + 1 };
	pthread_t th;

	pthread_create(&th, NULL, reader, &in);
	writer(&out);
	pthread_join(th, NULL);
	note(t, "sent %zu received %zu", out.done, in.done);
	TRUE(t, out.done == size && in.done == size && in.hash == out.hash);
}

DIFF(sizes)
{
	static const size_t sizes[] = { 1, 2, 535, 536, 537, 1447, 1448, 1449, 32767, 65483,
					65535, 65536, 65537, 131072, 1000000 };
	int fd[2];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		pair(t, fd);
		transfer(t, fd[0], fd[1], sizes[i], 32768);
		close(fd[0]);
		close(fd[1]);
	}
}

DIFF(large)
{
	int fd[2];

	pair(t, fd);
	transfer(t, fd[0], fd[1], 20 << 20, 1 << 16);
}

DIFF(small_writes)
{
	int fd[2], nodelay;

	for (nodelay = 0; nodelay < 2; nodelay++) {
		pair(t, fd);
		set_int(t, fd[0], IPPROTO_TCP, TCP_NODELAY, nodelay);
		transfer(t, fd[0], fd[1], 20000, 17);
	}
}

DIFF(buffers)
{
	static const int sizes[] = { 1, 8192, 32768, 200000 };
	struct addr a;
	size_t i, k;
	int l, s, c;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (k = 0; k < ARRAY_SIZE(sizes); k++) {
			a.len = 0;
			l = sock(t);
			set_int(t, l, SOL_SOCKET, SO_RCVBUF, sizes[k]);
			addr_loop(t, &a, 0);
			OK(t, bind(l, &a.sa, a.len));
			OK(t, listen(l, 1));
			addr_name(t, l, &a);
			s = sock(t);
			set_int(t, s, SOL_SOCKET, SO_SNDBUF, sizes[i]);
			/* Segments that fit a small buffer, so that no side stalls. */
			set_int(t, s, IPPROTO_TCP, TCP_MAXSEG, 536);
			OK(t, connect(s, &a.sa, a.len));
			c = accept(l, NULL, NULL);
			note(t, "sndbuf %d rcvbuf %d", sizes[i], sizes[k]);
			transfer(t, s, c, sizes[i] == 1 || sizes[k] == 1 ? 10000 : 300000, 9000);
			close(l);
			close(s);
			close(c);
		}
	}
}

/* Both directions at once, two threads per end. */
DIFF(both_ways)
{
	struct stream s[4];
	pthread_t th[4];
	int fd[2], i;

	pair(t, fd);
	for (i = 0; i < 4; i++)
		s[i] = (struct stream){ .fd = fd[i & 1], .size = 3000000, .chunk = 20000,
					.seed = 5 + (i & 1) };
	for (i = 0; i < 4; i++)
		pthread_create(&th[i], NULL, i < 2 ? writer : reader, &s[i]);
	for (i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	for (i = 0; i < 2; i++) {
		note(t, "sent %zu received %zu", s[i].done, s[3 - i].done);
		TRUE(t, s[i].hash == s[3 - i].hash);
	}
}

DIFF(parallel)
{
	struct stream s[16];
	pthread_t th[16];
	int fd[2], i;

	for (i = 0; i < 16; i += 2) {
		pair(t, fd);
		s[i] = (struct stream){ .fd = fd[0], .size = 500000, .chunk = 10000, .seed = i };
		s[i + 1] = (struct stream){ .fd = fd[1], .chunk = 30000 };
	}
	for (i = 0; i < 16; i++)
		pthread_create(&th[i], NULL, i & 1 ? reader : writer, &s[i]);
	for (i = 0; i < 16; i++)
		pthread_join(th[i], NULL);
	for (i = 0; i < 16; i += 2)
		TRUE(t, s[i].done == 500000 && s[i + 1].done == 500000 &&
		     s[i].hash == s[i + 1].hash);
}

/* One after the other; TIME-WAIT of thousands must not hinder the next. */
DIFF(short_connections)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 8), i, s, c, bad = 0;
	char buf[4];

	for (i = 0; i < 1000 && !bad; i++) {
		s = sock(t);
		c = connect(s, &a.sa, a.len) ? -1 : accept(l, NULL, NULL);
		if (c < 0 || send(s, "ping", 4, 0) != 4 ||
		    recv(c, buf, 4, MSG_WAITALL) != 4 ||
		    send(c, "pong", 4, 0) != 4 || recv(s, buf, 4, MSG_WAITALL) != 4 ||
		    memcmp(buf, "pong", 4)) {
			note(t, "connection %d: %s", i, errno_text(errno));
			bad++;
			break;
		}
		/* Client first, then server first. */
		close(i & 1 ? s : c);
		bad += recv(i & 1 ? c : s, buf, 1, 0) != 0;
		close(i & 1 ? c : s);
	}
	note(t, "%d connections, %d bad", i, bad);
	IS(t, bad, 0);
}

#define MANY 400

/* All open at once, each with a word of its own. */
DIFF(many_open)
{
	struct rlimit limit = { 4096, 4096 };
	struct addr a = { .len = 0 }, from;
	static int s[MANY], c[MANY], port[65536];
	int l, i, got, bad = 0;

	OK(t, setrlimit(RLIMIT_NOFILE, &limit));
	l = listener(t, &a, MANY);
	for (i = 0; i < MANY; i++) {
		s[i] = sock(t);
		if (connect(s[i], &a.sa, a.len))
			bad++;
		addr_name(t, s[i], &from);
		port[addr_port(&from)] = i + 1;
		if (send(s[i], &i, sizeof(i), 0) != sizeof(i))
			bad++;
	}
	IS(t, bad, 0);
	for (i = 0; i < MANY; i++) {
		from.len = sizeof(from.ss);
		c[i] = accept(l, &from.sa, &from.len);
		/* What is read belongs to the port it came from. */
		if (recv(c[i], &got, sizeof(got), MSG_WAITALL) != sizeof(got) ||
		    port[addr_port(&from)] != got + 1)
			bad++;
	}
	IS(t, bad, 0);
	for (i = 0; i < MANY; i++) {
		close(c[i]);
		close(s[i]);
	}
}

struct acceptor {
	int fd, count;
};

static void *acceptor(void *arg)
{
	struct acceptor *a = arg;
	int c;

	while ((c = accept(a->fd, NULL, NULL)) >= 0) {
		a->count++;
		close(c);
	}
	return NULL;
}

/* Several threads in accept() on one listener: each connection goes to one. */
DIFF(accept_threads)
{
	struct acceptor a[4] = { };
	struct addr addr = { .len = 0 };
	pthread_t th[4];
	int l = listener(t, &addr, 64), i, s, sum = 0;
	char x;

	for (i = 0; i < 4; i++) {
		a[i].fd = l;
		pthread_create(&th[i], NULL, acceptor, &a[i]);
	}
	for (i = 0; i < 200; i++) {
		s = sock(t);
		if (connect(s, &addr.sa, addr.len) || recv(s, &x, 1, 0))
			note(t, "connection %d: %s", i, errno_text(errno));
		close(s);
	}
	OK(t, shutdown(l, SHUT_RD));
	for (i = 0; i < 4; i++) {
		pthread_join(th[i], NULL);
		sum += a[i].count;
	}
	IS(t, sum, 200);
}

/* SO_REUSEPORT spreads connections over its listeners. */
DIFF(reuseport_balance)
{
	struct addr a;
	int l[4], i, s, sum = 0, count;

	addr_loop(t, &a, fixed_port(t));
	for (i = 0; i < 4; i++) {
		l[i] = sock_flags(t, SOCK_NONBLOCK);
		set_int(t, l[i], SOL_SOCKET, SO_REUSEPORT, 1);
		OK(t, bind(l[i], &a.sa, a.len));
		OK(t, listen(l[i], 256));
	}
	for (i = 0; i < 200; i++) {
		s = sock(t);
		if (connect(s, &a.sa, a.len))
			note(t, "connection %d: %s", i, errno_text(errno));
	}
	for (i = 0; i < 4; i++) {
		for (count = 0; accept(l[i], NULL, NULL) >= 0; count++)
			;
		/* 50 on average; 15 is more than five standard deviations away. */
		TRUE(t, count > 15 && count < 100);
		sum += count;
	}
	IS(t, sum, 200);
	/* When one goes, the rest get everything. */
	close(l[0]);
	for (i = 0; i < 20; i++)
		OK(t, connect(sock(t), &a.sa, a.len));
	for (i = 1, count = 0; i < 4; i++) {
		while (accept(l[i], NULL, NULL) >= 0)
			count++;
	}
	IS(t, count, 20);
}

DIFF_MAIN
