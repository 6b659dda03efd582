// SPDX-License-Identifier: GPL-2.0
/*
 * sendfile() and splice() into a socket: what arrives, what they return, and
 * that pages go as they are: who changes one before it is read, changes what
 * is read.
 */
#include <kselftest_harness.h>
#include <linux/sockios.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "diff.h"

DIFF_FIXTURE()

#define PAGE	4096

/* A file in memory of so many bytes that depend on their place. */
static int make_file(struct run *t, size_t size)
{
	char *buf = malloc(size + 1);
	int f = memfd_create("file", 0);

	fill(buf, size, 7);
	TRUE(t, f >= 0 && pwrite(f, buf, size, 0) == (ssize_t)size);
	free(buf);
	return f;
}

static unsigned long long hash_file(int f, off_t off, size_t len)
{
	char *buf = malloc(len + 1);
	unsigned long long h = HASH_INIT;

	if (pread(f, buf, len, off) == (ssize_t)len)
		h = hash(buf, len, h);
	free(buf);
	return h;
}

/* Offsets and lengths around pages, over the end of the file, and none. */
DIFF(ranges)
{
	static const struct { off_t off; size_t len; } r[] = {
		{ 0, 1 }, { 0, PAGE }, { 1, PAGE }, { PAGE - 1, 2 }, { PAGE - 1, PAGE + 2 },
		{ 100, 65536 }, { 0, 65536 }, { 4095, 65537 }, { 0, 300000 }, { 77, 200001 },
		{ 300000, 100 }, { 299999, 2 }, { 300001, 1 }, { 0, 0 }, { 1, 1 << 30 },
	};
	int fd[2], f = make_file(t, 300000);
	size_t i;

	pair(t, fd);
	for (i = 0; i < ARRAY_SIZE(r); i++) {
		size_t want = r[i].off >= 300000 ? 0 : (size_t)r[i].off + r[i].len > 300000 ?
			      300000 - (size_t)r[i].off : r[i].len;
		struct inflow s = { .fd = fd[1], .want = want };
		off_t off = r[i].off;
		pthread_t th;
		long sent, n;

		if (want)
			pthread_create(&th, NULL, inflow_read, &s);
		for (sent = 0; sent < (long)want; sent += n) {
			n = sendfile(fd[0], f, &off, r[i].len - sent);
			if (n <= 0)
				break;
		}
		IS(t, sent, want);
		IS(t, off, r[i].off + want);
		/* what is left of the call is over the end */
		IS(t, sendfile(fd[0], f, &off, 0), 0);
		if (!want) {
			IS(t, sendfile(fd[0], f, &off, r[i].len), 0);
			continue;
		}
		pthread_join(th, NULL);
		TRUE(t, s.done == want && s.hash == hash_file(f, r[i].off, want));
	}
}

DIFF(file_position)
{
	int fd[2], f = make_file(t, 10000);
	static char buf[10000];

	pair(t, fd);
	IS(t, lseek(f, 5000, SEEK_SET), 5000);
	IS(t, sendfile(fd[0], f, NULL, 3000), 3000);
	IS(t, lseek(f, 0, SEEK_CUR), 8000);
	IS(t, sendfile(fd[0], f, NULL, 3000), 2000);
	IS(t, sendfile(fd[0], f, NULL, 3000), 0);
	IS(t, recv(fd[1], buf, 5000, MSG_WAITALL), 5000);
	TRUE(t, hash(buf, 5000, HASH_INIT) == hash_file(f, 5000, 5000));
}

/*
 * A call that got less than it asked for from the file has said that more
 * would come: it must not leave anything waiting for that.
 */
DIFF(short_file)
{
	int fd[2], f = make_file(t, 5000), unsent = -1;
	static char buf[5000];

	pair(t, fd);
	IS(t, sendfile(fd[0], f, NULL, 100000), 5000);
	OK(t, ioctl(fd[0], SIOCOUTQNSD, &unsent));
	IS(t, unsent, 0);
	IS(t, recv(fd[1], buf, 5000, MSG_WAITALL), 5000);
}

/* A header held back by MSG_MORE goes with the file, a trailer follows. */
DIFF(header_and_trailer)
{
	int fd[2], f = make_file(t, 70000);
	static char buf[70008];

	pair(t, fd);
	IS(t, send(fd[0], "head", 4, MSG_MORE), 4);
	IS(t, sendfile(fd[0], f, NULL, 70000), 70000);
	IS(t, send(fd[0], "tail", 4, 0), 4);
	IS(t, recv(fd[1], buf, 70008, MSG_WAITALL), 70008);
	TRUE(t, !memcmp(buf, "head", 4) && !memcmp(buf + 70004, "tail", 4));
	TRUE(t, hash(buf + 4, 70000, HASH_INIT) == hash_file(f, 0, 70000));
}

/* The page that was sent is the page that is read: nobody made a copy. */
DIFF(no_copy_of_a_file)
{
	static char buf[3 * PAGE];
	int fd[2], f = make_file(t, 3 * PAGE);

	pair(t, fd);
	IS(t, sendfile(fd[0], f, NULL, 3 * PAGE), 3 * PAGE);
	IS(t, pwrite(f, "new", 3, PAGE), 3);
	IS(t, recv(fd[1], buf, 3 * PAGE, MSG_WAITALL), 3 * PAGE);
	TRUE(t, !memcmp(buf + PAGE, "new", 3));
	TRUE(t, hash(buf, sizeof(buf), HASH_INIT) == hash_file(f, 0, sizeof(buf)));
}

/* What is cut off a file stays what it was while it is on its way, but for the last page. */
DIFF(truncated_on_the_way)
{
	static char buf[4 * PAGE], zero[PAGE];
	int fd[2], f = make_file(t, 4 * PAGE);
	unsigned long long rest = hash_file(f, 2 * PAGE, 2 * PAGE);

	pair(t, fd);
	IS(t, sendfile(fd[0], f, NULL, 4 * PAGE), 4 * PAGE);
	OK(t, ftruncate(f, PAGE + 100));
	IS(t, recv(fd[1], buf, 4 * PAGE, MSG_WAITALL), 4 * PAGE);
	TRUE(t, hash(buf, PAGE + 100, HASH_INIT) == hash_file(f, 0, PAGE + 100));
	TRUE(t, !memcmp(buf + PAGE + 100, zero, PAGE - 100));
	TRUE(t, hash(buf + 2 * PAGE, 2 * PAGE, HASH_INIT) == rest);
	OK(t, ftruncate(f, 0));
	IS(t, sendfile(fd[0], f, NULL, PAGE), 0);
}

DIFF(closed_on_the_way)
{
	static char buf[100000];
	int fd[2], f = make_file(t, sizeof(buf));
	unsigned long long h = hash_file(f, 0, sizeof(buf));

	pair(t, fd);
	IS(t, sendfile(fd[0], f, NULL, sizeof(buf)), sizeof(buf));
	OK(t, close(f));
	OK(t, close(fd[0]));
	IS(t, recv(fd[1], buf, sizeof(buf), MSG_WAITALL), sizeof(buf));
	TRUE(t, hash(buf, sizeof(buf), HASH_INIT) == h);
	IS(t, recv(fd[1], buf, 1, 0), 0);
}

/* As much as there is room for; then, when the peer reads, the rest. */
DIFF(nonblocking)
{
	int fd[2], f = make_file(t, 16 << 20), calls = 0;
	struct inflow s = { .want = 16 << 20 };
	off_t off = 0;
	pthread_t th;
	long n;

	pair(t, fd);
	OK(t, fcntl(fd[0], F_SETFL, O_NONBLOCK));
	while ((n = sendfile(fd[0], f, &off, s.want - off)) > 0)
		calls++;
	TRUE(t, n == -1 && errno == EAGAIN);
	TRUE(t, calls && off > 0 && off < 16 << 20);
	s.fd = fd[1];
	pthread_create(&th, NULL, inflow_read, &s);
	while (off < 16 << 20) {
		n = sendfile(fd[0], f, &off, s.want - off);
		if (n > 0)
			continue;
		if (n == 0 || errno != EAGAIN || !await(fd[0], POLLOUT))
			break;
	}
	IS(t, off, 16 << 20);
	pthread_join(th, NULL);
	TRUE(t, s.done == s.want && s.hash == hash_file(f, 0, s.want));
}

DIFF(blocking)
{
	static const int sizes[] = { 1, 20000, 400000 };
	int fd[2], f = make_file(t, 3000000);
	off_t off = 0;
	pthread_t th;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct inflow s = { .want = 3000000 };

		pair(t, fd);
		s.fd = fd[1];
		set_int(t, fd[0], SOL_SOCKET, SO_SNDBUF, sizes[i]);
		pthread_create(&th, NULL, inflow_read, &s);
		off = 0;
		while (off < 3000000 && sendfile(fd[0], f, &off, 3000000 - off) > 0)
			;
		IS(t, off, 3000000);
		pthread_join(th, NULL);
		TRUE(t, s.done == s.want && s.hash == hash_file(f, 0, s.want));
		close(fd[0]);
		close(fd[1]);
	}
}

struct spoiler {
	int f;
	volatile bool stop;
};

static void *spoil(void *arg)
{
	struct spoiler *p = arg;
	static char buf[PAGE];
	int i = 0;

	while (!p->stop) {
		memset(buf, ++i, sizeof(buf));
		if (pwrite(p->f, buf, sizeof(buf), i % 200 * 1000) < 0 ||
		    ftruncate(p->f, 150000 + i % 100 * 1000))
			break;
	}
	return NULL;
}

/* A file that others write and cut meanwhile: as many bytes arrive as were sent. */
DIFF(changing_file)
{
	struct spoiler p = { .f = make_file(t, 300000) };
	struct inflow s = { };
	pthread_t th[2];
	size_t sent = 0;
	int fd[2], i;
	off_t off;
	long n;

	pair(t, fd);
	s.fd = fd[1];
	pthread_create(&th[0], NULL, spoil, &p);
	pthread_create(&th[1], NULL, inflow_read, &s);
	for (i = 0; i < 30; i++) {
		for (off = i * 7; (n = sendfile(fd[0], p.f, &off, 1 << 20)) > 0; )
			sent += n;
		if (n < 0)
			note(t, "sendfile: %s", errno_text(errno));
	}
	p.stop = true;
	OK(t, shutdown(fd[0], SHUT_WR));
	for (i = 0; i < 2; i++)
		pthread_join(th[i], NULL);
	TRUE(t, sent > 30 * 100000 && sent == s.done);
}

DIFF(errors)
{
	int fd[2], f = make_file(t, PAGE), l, s;
	struct addr a = { .len = 0 };
	struct linger now = { 1, 0 };
	off_t off = 0;

	signal(SIGPIPE, SIG_IGN);
	l = listener(t, &a, 1);
	CALL(t, sendfile(l, f, &off, 10));
	s = sock(t);
	CALL(t, sendfile(s, f, &off, 10));
	pair(t, fd);
	OK(t, setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	OK(t, close(fd[1]));
	settle(t, "reset", fd[0], POLLHUP);
	FAILS(t, sendfile(fd[0], f, &off, 10), ECONNRESET);
	FAILS(t, sendfile(fd[0], f, &off, 10), EPIPE);
	IS(t, off, 0);
	pair(t, fd);
	OK(t, shutdown(fd[0], SHUT_WR));
	FAILS(t, sendfile(fd[0], f, &off, 10), EPIPE);
	off = -1;
	CALL(t, sendfile(fd[1], f, &off, 10));
}

/* A connection that ends while the queue holds pages of a file. */
DIFF(reset_on_the_way)
{
	struct linger now = { 1, 0 };
	int fd[2], f = make_file(t, 4 << 20), i;
	off_t off = 0;

	for (i = 0; i < 2; i++) {
		pair(t, fd);
		OK(t, fcntl(fd[0], F_SETFL, O_NONBLOCK));
		off = 0;
		while (sendfile(fd[0], f, &off, 4 << 20) > 0)
			;
		TRUE(t, off > 0);
		OK(t, setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
		OK(t, close(fd[i]));
		settle(t, "the other end", fd[!i], POLLHUP);
		OK(t, close(fd[!i]));
	}
}

/* ---------------------------------------------------------------------- pipes */

/* The user's page goes through a pipe into the socket: it is his until it is read. */
DIFF(no_copy_of_a_user)
{
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { page, 2 * PAGE };
	static char buf[2 * PAGE];
	int fd[2], p[2];

	pair(t, fd);
	OK(t, pipe(p));
	fill(page, 2 * PAGE, 9);
	IS(t, vmsplice(p[1], &iov, 1, 0), 2 * PAGE);
	IS(t, splice(p[0], NULL, fd[0], NULL, 2 * PAGE, 0), 2 * PAGE);
	memcpy(page + PAGE + 5, "changed", 7);
	IS(t, recv(fd[1], buf, 2 * PAGE, MSG_WAITALL), 2 * PAGE);
	TRUE(t, !memcmp(buf, page, 2 * PAGE));
	TRUE(t, !memcmp(buf + PAGE + 5, "changed", 7));
}

/* The same pages into two connections. */
DIFF(tee_to_two)
{
	static char buf[50000], got[50000];
	int fd[4], p[2], q[2];

	pair(t, fd);
	pair(t, fd + 2);
	OK(t, pipe(p));
	OK(t, pipe(q));
	fill(buf, sizeof(buf), 3);
	IS(t, write(p[1], buf, sizeof(buf)), sizeof(buf));
	IS(t, tee(p[0], q[1], sizeof(buf), 0), sizeof(buf));
	IS(t, splice(p[0], NULL, fd[0], NULL, sizeof(buf), 0), sizeof(buf));
	IS(t, splice(q[0], NULL, fd[2], NULL, sizeof(buf), 0), sizeof(buf));
	IS(t, recv(fd[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
	TRUE(t, !memcmp(buf, got, sizeof(got)));
	IS(t, recv(fd[3], got, sizeof(got), MSG_WAITALL), sizeof(got));
	TRUE(t, !memcmp(buf, got, sizeof(got)));
}

/* Small pieces of pages, more of them than one segment can refer to. */
DIFF(small_pieces)
{
	static char page[PAGE], want[100000], got[100000];
	struct iovec iov = { .iov_len = 100 };
	int fd[2], p[2], i, k, n = 0;

	pair(t, fd);
	OK(t, pipe(p));
	fill(page, PAGE, 4);
	for (i = 0; i < 100; i++) {
		for (k = 0; k < 10; k++) {
			/* backwards, so that no piece continues the one before */
			iov.iov_base = page + (39 - (i + k) % 40) * 100;
			memcpy(want + n, iov.iov_base, 100);
			n += vmsplice(p[1], &iov, 1, 0);
		}
		if (splice(p[0], NULL, fd[0], NULL, 1000, i < 99 ? SPLICE_F_MORE : 0) != 1000)
			note(t, "splice %d: %s", i, errno_text(errno));
	}
	IS(t, n, sizeof(got));
	IS(t, recv(fd[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
	TRUE(t, !memcmp(want, got, sizeof(got)));
}

/* Out of one socket, into another, without ever being in user space. */
DIFF(proxy)
{
	int in[2], out[2], p[2], f = make_file(t, 2000000);
	struct inflow s = { .want = 2000000 };
	off_t off = 0;
	size_t done = 0;
	pthread_t th;
	long n, k;

	pair(t, in);
	pair(t, out);
	OK(t, pipe(p));
	s.fd = out[1];
	pthread_create(&th, NULL, inflow_read, &s);
	OK(t, fcntl(in[0], F_SETFL, O_NONBLOCK));
	while (done < s.want) {
		if (off < (off_t)s.want && sendfile(in[0], f, &off, s.want - off) < 0 &&
		    errno != EAGAIN)
			break;
		n = splice(in[1], NULL, p[1], NULL, 65536, 0);
		if (n <= 0)
			break;
		for (; n; n -= k, done += k) {
			k = splice(p[0], NULL, out[0], NULL, n, 0);
			if (k <= 0)
				break;
		}
	}
	IS(t, done, s.want);
	OK(t, shutdown(out[0], SHUT_WR));
	pthread_join(th, NULL);
	TRUE(t, s.done == s.want && s.hash == hash_file(f, 0, s.want));
}

/* A pipe that is never read to its end and a connection that is never read at all. */
DIFF(left_behind)
{
	static char buf[60000];
	int fd[2], p[2];

	pair(t, fd);
	OK(t, pipe(p));
	IS(t, write(p[1], buf, sizeof(buf)), sizeof(buf));
	IS(t, splice(p[0], NULL, fd[0], NULL, 30000, SPLICE_F_MORE), 30000);
	OK(t, close(fd[0]));
	OK(t, close(fd[1]));
	IS(t, read(p[0], buf, sizeof(buf)), 30000);
}

DIFF_MAIN
