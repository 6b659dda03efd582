// SPDX-License-Identifier: GPL-2.0
/*
 * MSG_ZEROCOPY: what arrives, and what the user is told about his pages: each
 * call that sent something has a number, from 0, and each number comes back once,
 * when nothing refers to its pages any more. In which order, and which together,
 * is left to chance; on loopback all were copied in the end.
 */
#include <kselftest_harness.h>
#include <linux/errqueue.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>

#include "diff.h"

DIFF_FIXTURE()

#define PAGE	4096
#define ZC	MSG_ZEROCOPY

/* SO_ZEROCOPY; before Linux 6.7 AF_XTCP has it under a name of its own. */
static int zerocopy_set(struct run *t, int fd, int val)
{
	int ret = setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &val, sizeof(val));

	if (ret && errno == EOPNOTSUPP && t->xtcp)
		ret = setsockopt(fd, SOL_XTCP, XTCP_ZEROCOPY, &val, sizeof(val));
	return ret;
}

static void zpair(struct run *t, int fd[2])
{
	pair(t, fd);
	OK(t, zerocopy_set(t, fd[0], 1));
	IS(t, get_int(fd[0], SOL_SOCKET, SO_ZEROCOPY), 1);
}

/* One notification: 1, 0: there is none, -1: it is not what it should be. */
static int told(struct run *t, int fd, struct sock_extended_err *e)
{
	char control[256];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
	int want[2] = { t->v6 ? SOL_IPV6 : SOL_IP, t->v6 ? IPV6_RECVERR : IP_RECVERR };
	struct cmsghdr *c;

	if (recvmsg(fd, &msg, MSG_ERRQUEUE))
		return errno == EAGAIN ? 0 : -1;
	c = CMSG_FIRSTHDR(&msg);
	if (!(msg.msg_flags & MSG_ERRQUEUE) || !c || c->cmsg_level != want[0] ||
	    c->cmsg_type != want[1])
		return -1;
	memcpy(e, CMSG_DATA(c), sizeof(*e));
	return e->ee_errno || e->ee_origin != SO_EE_ORIGIN_ZEROCOPY || e->ee_type ? -1 : 1;
}

#define NUMBERS	1000

/* All numbers from first to last, each once, and no more. */
static void told_all(struct run *t, int fd, unsigned int first, unsigned int last)
{
	unsigned int missing = last + 1 - first, copied = 0, n = 0, i;
	unsigned char seen[NUMBERS] = { };
	struct sock_extended_err e;
	int ret = 0;

	while (missing && await(fd, POLLERR) & POLLERR) {
		ret = told(t, fd, &e);
		if (ret < 1 || e.ee_info < first || e.ee_data < e.ee_info || e.ee_data > last) {
			note(t, "notification %d: %u to %u of %u to %u", ret, e.ee_info,
			     e.ee_data, first, last);
			break;
		}
		for (i = e.ee_info; i <= e.ee_data; i++)
			missing -= !seen[i]++;
		copied += e.ee_code == SO_EE_CODE_ZEROCOPY_COPIED;
		n++;
	}
	for (i = first; i <= last; i++)
		if (seen[i] != 1)
			note(t, "%u: %d times", i, seen[i]);
	IS(t, missing, 0);
	TRUE(t, copied == n);
	IS(t, told(t, fd, &e), 0);
	TRUE(t, !(mask(fd) & POLLERR));
}

DIFF(option)
{
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 1), s, c, v;

	IS(t, get_int(l, SOL_SOCKET, SO_ZEROCOPY), 0);
	for (v = -1; v <= 2; v++)
		note(t, "%d: %s", v, zerocopy_set(t, l, v) ? errno_text(errno) : "yes");
	OK(t, zerocopy_set(t, l, 0));
	IS(t, get_int(l, SOL_SOCKET, SO_ZEROCOPY), 0);
	OK(t, zerocopy_set(t, l, 1));
	s = sock(t);
	OK(t, connect(s, &a.sa, a.len));
	c = accept(l, NULL, NULL);
	/* children inherit it, and can be told otherwise */
	IS(t, get_int(c, SOL_SOCKET, SO_ZEROCOPY), 1);
	IS(t, get_int(s, SOL_SOCKET, SO_ZEROCOPY), 0);
	IS(t, send(c, "x", 1, ZC), 1);
	told_all(t, c, 0, 0);
	OK(t, zerocopy_set(t, c, 0));
	IS(t, get_int(c, SOL_SOCKET, SO_ZEROCOPY), 0);
}

/* Other options of SOL_SOCKET are what they were. */
DIFF(other_options)
{
	struct linger linger = { 1, 5 };
	struct timeval tv = { 3, 0 };
	int fd[2], v = 1;

	zpair(t, fd);
	OK(t, setsockopt(fd[1], SOL_SOCKET, SO_KEEPALIVE, &v, sizeof(v)));
	IS(t, get_int(fd[1], SOL_SOCKET, SO_KEEPALIVE), 1);
	OK(t, setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	OK(t, setsockopt(fd[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	FAILS(t, setsockopt(fd[1], SOL_SOCKET, SO_KEEPALIVE, &v, 2), EINVAL);
	FAILS(t, setsockopt(fd[1], SOL_SOCKET, 9999, &v, sizeof(v)), ENOPROTOOPT);
	FAILS(t, setsockopt(fd[1], SOL_SOCKET, SO_KEEPALIVE, (void *)1, sizeof(v)), EFAULT);
}

/* Who has not asked for it gets a copy and no word. */
DIFF(not_asked_for)
{
	static char buf[20000], got[20000];
	int fd[2];

	pair(t, fd);
	fill(buf, sizeof(buf), 1);
	IS(t, send(fd[0], buf, sizeof(buf), ZC), sizeof(buf));
	memset(buf, 0, 100);
	IS(t, recv(fd[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
	fill(buf, sizeof(buf), 1);
	TRUE(t, !memcmp(buf, got, sizeof(got)));
	FAILS(t, recv(fd[0], got, 1, MSG_ERRQUEUE), EAGAIN);
}

DIFF(one)
{
	static char buf[100000], got[100000];
	struct sock_extended_err e;
	int fd[2];

	zpair(t, fd);
	fill(buf, sizeof(buf), 1);
	IS(t, send(fd[0], buf + 5, 70000, ZC), 70000);
	IS(t, recv(fd[1], got, 70000, MSG_WAITALL), 70000);
	TRUE(t, !memcmp(buf + 5, got, 70000));
	settle(t, "sent", fd[0], POLLERR);
	IS(t, told(t, fd[0], &e), 1);
	note(t, "%u to %u code %u", e.ee_info, e.ee_data, e.ee_code);
	/* no byte, no number */
	IS(t, send(fd[0], buf, 0, ZC), 0);
	IS(t, send(fd[0], buf, 1, ZC | MSG_OOB), 1);
	told_all(t, fd[0], 1, 1);
}

/* Many calls of all sizes, with copies and files between them. */
DIFF(many)
{
	static const size_t sizes[] = { 1, 100, PAGE, PAGE + 1, 1448, 20000, 65483, 65536,
					100000, 3, 600000 };
	static char buf[600000];
	struct inflow s = { };
	unsigned long long h = HASH_INIT;
	int fd[2], i, f = memfd_create("file", 0), bad = 0;
	size_t len, total = 0, k;
	pthread_t th;
	off_t off;
	ssize_t n;

	zpair(t, fd);
	fill(buf, sizeof(buf), 5);
	TRUE(t, write(f, buf, 50000) == 50000);
	s.fd = fd[1];
	pthread_create(&th, NULL, inflow_read, &s);
	for (i = 0; i < 66; i++) {
		len = sizes[i % ARRAY_SIZE(sizes)];
		k = sizeof(buf) - len < (size_t)i * 13 ? 0 : i * 13;
		n = send(fd[0], buf + k, len, ZC | (i % 3 == 0 ? MSG_MORE : 0));
		bad += n != (ssize_t)len;
		h = hash(buf + k, len, h);
		total += len;
		if (i % 2) {
			bad += send(fd[0], buf + i, 1000 + i, 0) != 1000 + i;
			h = hash(buf + i, 1000 + i, h);
			total += 1000 + i;
		}
		if (i % 5 == 0) {
			off = i;
			bad += sendfile(fd[0], f, &off, 20000) != 20000;
			h = hash(buf + i, 20000, h);
			total += 20000;
		}
	}
	IS(t, bad, 0);
	OK(t, shutdown(fd[0], SHUT_WR));
	pthread_join(th, NULL);
	note(t, "%zu bytes", total);
	TRUE(t, s.done == total && s.hash == h);
	told_all(t, fd[0], 0, 65);
}

/* Small calls that share segments, and notifications. */
DIFF(small)
{
	static char buf[3000], got[30000];
	int fd[2], i, k, n;

	zpair(t, fd);
	fill(buf, sizeof(buf), 5);
	for (k = 0; k < 2; k++) {
		set_int(t, fd[0], IPPROTO_TCP, TCP_CORK, 1);
		for (i = n = 0; i < 300; i++)
			n += send(fd[0], buf + i * 10, 10 + i % 50, ZC);
		set_int(t, fd[0], IPPROTO_TCP, TCP_CORK, 0);
		IS(t, recv(fd[1], got, n, MSG_WAITALL), n);
		for (i = n = 0; i < 300; n += 10 + i % 50, i++)
			if (memcmp(got + n, buf + i * 10, 10 + i % 50))
				break;
		IS(t, i, 300);
		told_all(t, fd[0], k * 300, k * 300 + 299);
	}
}

/* A call that finds no room has no number; one that finds some says how much. */
DIFF(nonblocking)
{
	static char buf[300000];
	struct inflow s = { };
	int fd[2], calls = 0;
	size_t total = 0;
	pthread_t th;
	ssize_t n;

	zpair(t, fd);
	fill(buf, sizeof(buf), 2);
	OK(t, fcntl(fd[0], F_SETFL, O_NONBLOCK));
	while ((n = send(fd[0], buf, sizeof(buf), ZC)) > 0) {
		total += n;
		calls++;
	}
	TRUE(t, n == -1 && errno == EAGAIN && calls > 0);
	FAILS(t, send(fd[0], buf, sizeof(buf), ZC), EAGAIN);
	s.fd = fd[1];
	pthread_create(&th, NULL, inflow_read, &s);
	told_all(t, fd[0], 0, calls - 1);
	OK(t, fcntl(fd[0], F_SETFL, 0));
	IS(t, send(fd[0], buf, sizeof(buf), ZC), sizeof(buf));
	OK(t, shutdown(fd[0], SHUT_WR));
	pthread_join(th, NULL);
	TRUE(t, s.done == total + sizeof(buf));
	told_all(t, fd[0], calls, calls);
}

/* Addresses that are not there. */
DIFF(faults)
{
	char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static char got[4 * PAGE];
	int fd[2];

	zpair(t, fd);
	fill(map, 4 * PAGE, 6);
	OK(t, munmap(map + 2 * PAGE, 2 * PAGE));
	FAILS(t, send(fd[0], (void *)16, 100, ZC), EFAULT);
	FAILS(t, send(fd[0], map + 2 * PAGE, 100, ZC), EFAULT);
	/* the half that is there does not go either */
	FAILS(t, send(fd[0], map + PAGE, 2 * PAGE, ZC), EFAULT);
	IS(t, send(fd[0], map, 2 * PAGE, ZC), 2 * PAGE);
	FAILS(t, send(fd[0], map + PAGE, 2 * PAGE, ZC), EFAULT);
	IS(t, recv(fd[1], got, 2 * PAGE, MSG_WAITALL), 2 * PAGE);
	TRUE(t, !memcmp(got, map, 2 * PAGE));
	told_all(t, fd[0], 0, 0);
	/* pages that go away meanwhile */
	IS(t, send(fd[0], map, 2 * PAGE, ZC), 2 * PAGE);
	memcpy(got + PAGE, map, PAGE);
	OK(t, munmap(map, 2 * PAGE));
	IS(t, recv(fd[1], got, PAGE, MSG_WAITALL), PAGE);
	TRUE(t, !memcmp(got, got + PAGE, PAGE));
}

/* Who may lock few pages may have few on their way. */
DIFF(too_many_pages)
{
	struct rlimit few = { 16 * PAGE, 16 * PAGE };
	static char buf[64 * PAGE];
	int fd[2];

	zpair(t, fd);
	OK(t, setrlimit(RLIMIT_MEMLOCK, &few));
	OK(t, seteuid(65534));
	FAILS(t, send(fd[0], buf, sizeof(buf), ZC), ENOBUFS);
	FAILS(t, send(fd[0], buf, sizeof(buf), ZC | MSG_DONTWAIT), ENOBUFS);
	IS(t, send(fd[0], buf, 10, 0), 10);
	IS(t, send(fd[0], buf, 2 * PAGE, ZC), 2 * PAGE);
	told_all(t, fd[0], 0, 0);
	/* those are free again */
	IS(t, send(fd[0], buf, 12 * PAGE, ZC), 12 * PAGE);
	told_all(t, fd[0], 1, 1);
	OK(t, seteuid(0));
	IS(t, send(fd[0], buf, sizeof(buf), ZC), sizeof(buf));
}

/* Ends of a connection with pages on their way. */
DIFF(ends)
{
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct linger now = { 1, 0 };
	static char buf[1 << 20];
	struct inflow s = { };
	int fd[2], how;
	size_t total;
	pthread_t th;
	ssize_t n;

	fill(buf, sizeof(buf), 3);
	for (how = 0; how < 5; how++) {
		zpair(t, fd);
		OK(t, fcntl(fd[0], F_SETFL, O_NONBLOCK));
		for (total = 0; (n = send(fd[0], buf, sizeof(buf), ZC)) > 0; )
			total += n;
		note(t, "how %d", how);
		switch (how) {
		case 0:		/* close: the rest goes all the same */
			OK(t, close(fd[0]));
			memset(&s, 0, sizeof(s));
			s.fd = fd[1];
			pthread_create(&th, NULL, inflow_read, &s);
			pthread_join(th, NULL);
			TRUE(t, s.done == total);
			break;
		case 1:		/* reset by us */
			OK(t, setsockopt(fd[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
			OK(t, close(fd[0]));
			settle(t, "reset", fd[1], POLLHUP);
			break;
		case 2:		/* by the peer: all pages are free, and told of */
			OK(t, setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
			OK(t, close(fd[1]));
			await(fd[0], POLLHUP);
			FAILS(t, send(fd[0], buf, 1, ZC), ECONNRESET);
			TRUE(t, mask(fd[0]) & POLLERR);
			break;
		case 3:		/* both, quickly */
			OK(t, close(fd[0]));
			OK(t, close(fd[1]));
			break;
		case 4:		/* disconnected */
			OK(t, connect(fd[0], &nobody, sizeof(nobody)));
			settle(t, "disconnected", fd[0], POLLERR);
			break;
		}
	}
}

/* Numbers go on after a connection that is over, and errors take none. */
DIFF(numbers)
{
	struct sock_extended_err e;
	int fd[2], s = sock(t);
	char c;

	signal(SIGPIPE, SIG_IGN);
	OK(t, zerocopy_set(t, s, 1));
	CALL(t, send(s, "x", 1, ZC));
	IS(t, told(t, s, &e), 0);
	zpair(t, fd);
	IS(t, send(fd[0], "x", 1, ZC), 1);
	IS(t, recv(fd[1], &c, 1, 0), 1);
	told_all(t, fd[0], 0, 0);
	OK(t, shutdown(fd[0], SHUT_WR));
	FAILS(t, send(fd[0], "x", 1, ZC), EPIPE);
	IS(t, told(t, fd[0], &e), 0);
}

static void *writer(void *arg)
{
	static char buf[10000];
	struct inflow *s = arg;
	int i;

	for (i = 0; i < 100; i++)
		if (send(s->fd, buf, sizeof(buf), ZC) != sizeof(buf))
			break;
	s->done = i;
	return NULL;
}

/* Two who write and one who hears: no number is lost or comes twice. */
DIFF(two_writers)
{
	struct inflow w[2], r = { };
	unsigned char seen[200] = { };
	struct sock_extended_err e;
	unsigned int i, n = 0, bad = 0;
	pthread_t th[3];
	int fd[2];

	zpair(t, fd);
	r.fd = fd[1];
	pthread_create(&th[2], NULL, inflow_read, &r);
	for (i = 0; i < 2; i++) {
		w[i] = (struct inflow){ .fd = fd[0] };
		pthread_create(&th[i], NULL, writer, &w[i]);
	}
	while (n < 200 && await(fd[0], POLLERR) & POLLERR) {
		if (told(t, fd[0], &e) != 1 || e.ee_data >= 200)
			break;
		for (i = e.ee_info; i <= e.ee_data; i++, n++)
			bad += seen[i]++;
	}
	for (i = 0; i < 2; i++)
		pthread_join(th[i], NULL);
	OK(t, shutdown(fd[0], SHUT_WR));
	pthread_join(th[2], NULL);
	IS(t, n, 200);
	IS(t, bad, 0);
	TRUE(t, r.done == 2000000);
}

DIFF_MAIN
