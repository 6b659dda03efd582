// SPDX-License-Identifier: GPL-2.0
/* Every way to send and receive, every flag, urgent data, queue sizes. */
#include <kselftest_harness.h>
#include <linux/sockios.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "diff.h"

DIFF_FIXTURE()

DIFF(calls)
{
	struct iovec io[2] = { { "ab", 2 }, { "cde", 3 } };
	struct msghdr msg = { .msg_iov = io, .msg_iovlen = 2 };
	char buf[64] = "", one[2] = "", two[8] = "";
	struct iovec in[2] = { { one, 1 }, { two, 7 } };
	struct addr from = { .len = sizeof(from.ss) };
	int fd[2];

	pair(t, fd);
	IS(t, write(fd[0], "w", 1), 1);
	IS(t, send(fd[0], "s", 1, 0), 1);
	IS(t, sendto(fd[0], "t", 1, 0, NULL, 0), 1);
	IS(t, writev(fd[0], io, 2), 5);
	IS(t, sendmsg(fd[0], &msg, 0), 5);
	await_bytes(fd[1], 13);
	IS(t, read(fd[1], buf, 1), 1);
	IS(t, recv(fd[1], buf + 1, 1, 0), 1);
	memset(&from.ss, 0x5a, sizeof(from.ss));
	IS(t, recvfrom(fd[1], buf + 2, 1, 0, &from.sa, &from.len), 1);
	note(t, "source length %u", from.len);
	IS(t, readv(fd[1], in, 2), 8);
	note(t, "%s %s %.7s", buf, one, two);
	msg.msg_iov = in;
	msg.msg_name = &from;
	msg.msg_namelen = sizeof(from.ss);
	msg.msg_control = buf;
	msg.msg_controllen = sizeof(buf);
	IS(t, recvmsg(fd[1], &msg, 0), 2);
	note(t, "%s %.1s name %u control %zu flags %x", one, two, msg.msg_namelen,
	     msg.msg_controllen, msg.msg_flags);
	FAILS(t, recv(fd[1], buf, 1, MSG_DONTWAIT), EAGAIN);
}

DIFF(mmsg)
{
	struct iovec io[3] = { { "one", 3 }, { "two!", 4 }, { "three", 5 } };
	struct mmsghdr m[3] = { };
	char buf[3][8] = { };
	int fd[2], i;

	pair(t, fd);
	for (i = 0; i < 3; i++) {
		m[i].msg_hdr.msg_iov = &io[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	IS(t, sendmmsg(fd[0], m, 3, 0), 3);
	note(t, "%u %u %u", m[0].msg_len, m[1].msg_len, m[2].msg_len);
	await_bytes(fd[1], 12);
	for (i = 0; i < 3; i++) {
		io[i].iov_base = buf[i];
		io[i].iov_len = 4;
	}
	IS(t, recvmmsg(fd[1], m, 3, MSG_DONTWAIT, NULL), 3);
	note(t, "%.4s %.4s %.4s", buf[0], buf[1], buf[2]);
	FAILS(t, recvmmsg(fd[1], m, 3, MSG_DONTWAIT, NULL), EAGAIN);
}

DIFF(peek_trunc)
{
	char buf[16] = "";
	int fd[2];

	pair(t, fd);
	IS(t, send(fd[0], "0123456789", 10, 0), 10);
	await_bytes(fd[1], 10);
	IS(t, recv(fd[1], buf, 4, MSG_PEEK), 4);
	IS(t, recv(fd[1], buf, 16, MSG_PEEK), 10);
	note(t, "%.10s", buf);
	/* On a stream MSG_TRUNC throws bytes away and tells how many. */
	memset(buf, '-', 16);
	IS(t, recv(fd[1], buf, 3, MSG_TRUNC), 3);
	note(t, "%.4s", buf);
	IS(t, recv(fd[1], buf, 2, MSG_TRUNC | MSG_PEEK), 2);
	note(t, "%.4s", buf);
	IS(t, recv(fd[1], NULL, 2, MSG_TRUNC), 2);
	IS(t, recv(fd[1], buf, 16, 0), 5);
	note(t, "%.5s", buf);
	FAILS(t, recv(fd[1], buf, 1, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	OK(t, shutdown(fd[0], SHUT_WR));
	await(fd[1], POLLRDHUP);
	IS(t, recv(fd[1], buf, 1, MSG_PEEK), 0);
}

DIFF(peek_offset)
{
	char buf[16] = "";
	int fd[2], off = 0;

	pair(t, fd);
	/* Linux gained SO_PEEK_OFF for TCP in 6.9; both sides must agree. */
	CALL(t, setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)));
	IS(t, send(fd[0], "abcdef", 6, 0), 6);
	await_bytes(fd[1], 6);
	IS(t, recv(fd[1], buf, 2, MSG_PEEK), 2);
	IS(t, recv(fd[1], buf + 2, 2, MSG_PEEK), 2);
	note(t, "%s", buf);
}

struct later {
	int fd;
	const char *text;
};

/* Sends once the reader has had the first part in hand for a while. */
static void *send_later(void *arg)
{
	struct later *l = arg;
	int out = -1;

	/* The first part is acknowledged: it sits in the reader's queue. */
	while (!ioctl(l->fd, SIOCOUTQ, &out) && out)
		poll(NULL, 0, 1);
	send(l->fd, l->text, strlen(l->text), 0);
	return NULL;
}

DIFF(waitall)
{
	struct later later = { .text = "world" };
	char buf[16] = "";
	pthread_t th;
	int fd[2];

	pair(t, fd);
	later.fd = fd[0];
	IS(t, send(fd[0], "hello", 5, 0), 5);
	OK(t, pthread_create(&th, NULL, send_later, &later));
	IS(t, recv(fd[1], buf, 10, MSG_WAITALL), 10);
	note(t, "%s", buf);
	pthread_join(th, NULL);
	IS(t, send(fd[0], "short", 5, 0), 5);
	OK(t, shutdown(fd[0], SHUT_WR));
	IS(t, recv(fd[1], buf, 10, MSG_WAITALL), 5);
	IS(t, recv(fd[1], buf, 10, MSG_WAITALL), 0);
}

DIFF(waitall_peek)
{
	char buf[16] = "";
	int fd[2];

	pair(t, fd);
	IS(t, send(fd[0], "12345", 5, 0), 5);
	await_bytes(fd[1], 5);
	IS(t, recv(fd[1], buf, 5, MSG_WAITALL | MSG_PEEK), 5);
	IS(t, recv(fd[1], buf, 10, MSG_WAITALL | MSG_DONTWAIT), 5);
	FAILS(t, recv(fd[1], buf, 10, MSG_WAITALL | MSG_DONTWAIT), EAGAIN);
}

/* MSG_MORE and TCP_CORK hold back a partial segment. */
DIFF(more)
{
	int fd[2], n = -1, m = -1;
	char buf[32];

	pair(t, fd);
	IS(t, send(fd[0], "held", 4, MSG_MORE), 4);
	OK(t, ioctl(fd[1], FIONREAD, &n));
	OK(t, ioctl(fd[0], SIOCOUTQ, &m));
	note(t, "more: readable %d queued %d", n, m);
	OK(t, ioctl(fd[0], SIOCOUTQNSD, &m));
	note(t, "not sent %d", m);
	IS(t, send(fd[0], "gone", 4, 0), 4);
	await_bytes(fd[1], 8);
	IS(t, recv(fd[1], buf, 32, 0), 8);
	set_int(t, fd[0], IPPROTO_TCP, TCP_CORK, 1);
	IS(t, send(fd[0], "corked", 6, 0), 6);
	IS(t, send(fd[0], "again", 5, 0), 5);
	OK(t, ioctl(fd[1], FIONREAD, &n));
	note(t, "corked: readable %d", n);
	set_int(t, fd[0], IPPROTO_TCP, TCP_CORK, 0);
	await_bytes(fd[1], 11);
	IS(t, recv(fd[1], buf, 32, 0), 11);
}

DIFF(bad_arguments)
{
	struct iovec io = { (void *)8, 4 }, huge = { "x", -1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };
	struct addr a;
	char buf[8] = "";
	int fd[2];

	pair(t, fd);
	FAILS(t, send(fd[0], (void *)8, 4, 0), EFAULT);
	FAILS(t, sendmsg(fd[0], &msg, 0), EFAULT);
	IS(t, send(fd[0], NULL, 0, 0), 0);
	IS(t, send(fd[0], "abcd", 4, 0), 4);
	await_bytes(fd[1], 4);
	FAILS(t, recv(fd[1], (void *)8, 4, 0), EFAULT);
	FAILS(t, recvmsg(fd[1], &msg, 0), EFAULT);
	/* Nothing was lost by a read that failed. */
	IS(t, recv(fd[1], buf, 8, 0), 4);
	msg.msg_iov = &huge;
	FAILS(t, sendmsg(fd[0], &msg, 0), EINVAL);
	msg.msg_iovlen = 1025;
	FAILS(t, sendmsg(fd[0], &msg, 0), EMSGSIZE);
	FAILS(t, sendmsg(fd[0], NULL, 0), EFAULT);
	FAILS(t, recv(fd[1], buf, 0, MSG_DONTWAIT), EAGAIN);
	/* An address given to a connected socket: ignored by sendto. */
	addr_loop(t, &a, 9);
	CALL(t, sendto(fd[0], "x", 1, 0, &a.sa, a.len));
	CALL(t, sendto(fd[0], "x", 1, 0, &a.sa, 1));
	CALL(t, sendto(sock(t), "x", 1, MSG_NOSIGNAL, &a.sa, a.len));
	CALL(t, send(fd[0], "f", 1, MSG_FASTOPEN));
	CALL(t, recv(fd[1], buf, 8, MSG_DONTWAIT | MSG_ERRQUEUE));
}

/* Each flag bit alone, to a socket with data: ignored or refused alike. */
DIFF(wild_flags)
{
	char buf[8];
	int fd[2], bit;

	pair(t, fd);
	for (bit = 0; bit < 31; bit++) {
		/* The splice bits are the kernel's own and masked off. */
		if (1 << bit == MSG_FASTOPEN || 1 << bit == MSG_OOB)
			continue;
		note(t, "bit %d", bit);
		CALL(t, send(fd[0], "x", 1, 1 << bit | MSG_DONTWAIT));
		if (1 << bit == MSG_MORE)
			set_int(t, fd[0], IPPROTO_TCP, TCP_NODELAY, 1);
		await(fd[1], POLLIN);
		CALL(t, recv(fd[1], buf, 1, 1 << bit | MSG_DONTWAIT));
		while (recv(fd[1], buf, 8, MSG_DONTWAIT) > 0)
			;
	}
}

DIFF(control_messages)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { };
	struct iovec io = { "x", 1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = &u,
			      .msg_controllen = sizeof(u) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd[2], level;
	static const int levels[] = { SOL_SOCKET, SOL_IP, SOL_IPV6, IPPROTO_TCP, 999 };

	pair(t, fd);
	for (level = 0; level < 5; level++) {
		c->cmsg_level = levels[level];
		c->cmsg_type = 99;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		note(t, "level %d", levels[level]);
		CALL(t, sendmsg(fd[0], &msg, MSG_NOSIGNAL));
		c->cmsg_len = 3;
		CALL(t, sendmsg(fd[0], &msg, MSG_NOSIGNAL));
	}
}

DIFF(queue_sizes)
{
	static char big[50000];
	int fd[2], n = -1;
	struct addr a = { .len = 0 };
	int l = listener(t, &a, 1);

	OK(t, ioctl(sock(t), FIONREAD, &n));
	note(t, "fresh %d", n);
	FAILS(t, ioctl(l, FIONREAD, &n), EINVAL);
	FAILS(t, ioctl(l, SIOCOUTQ, &n), EINVAL);
	FAILS(t, ioctl(l, SIOCOUTQNSD, &n), EINVAL);
	FAILS(t, ioctl(l, SIOCATMARK, NULL), EFAULT);
	pair(t, fd);
	OK(t, ioctl(fd[0], SIOCOUTQ, &n));
	note(t, "idle %d", n);
	IS(t, send(fd[0], big, sizeof(big), 0), sizeof(big));
	await_bytes(fd[1], sizeof(big));
	OK(t, ioctl(fd[1], FIONREAD, &n));
	note(t, "readable %d", n);
	OK(t, ioctl(fd[1], SIOCINQ, &n));
	IS(t, recv(fd[1], big, 1000, 0), 1000);
	OK(t, ioctl(fd[1], FIONREAD, &n));
	note(t, "readable %d", n);
	OK(t, shutdown(fd[0], SHUT_WR));
	await(fd[1], POLLRDHUP);
	OK(t, ioctl(fd[1], FIONREAD, &n));
	note(t, "with FIN %d", n);
	FAILS(t, ioctl(fd[1], FIONREAD, NULL), EFAULT);
}

DIFF(oob)
{
	int fd[2], mark = -1, n = -1;
	char buf[16] = "";

	pair(t, fd);
	FAILS(t, recv(fd[1], buf, 1, MSG_OOB), EINVAL);
	IS(t, send(fd[0], "abc", 3, 0), 3);
	IS(t, send(fd[0], "X", 1, MSG_OOB), 1);
	IS(t, send(fd[0], "def", 3, 0), 3);
	await(fd[1], POLLPRI);
	await_bytes(fd[1], 6);
	OK(t, ioctl(fd[1], FIONREAD, &n));
	note(t, "readable %d", n);
	OK(t, ioctl(fd[1], SIOCATMARK, &mark));
	note(t, "at mark %d", mark);
	IS(t, recv(fd[1], buf, 1, MSG_OOB | MSG_PEEK), 1);
	note(t, "peeked %c", buf[0]);
	/* Reads stop at the mark. */
	IS(t, recv(fd[1], buf, 16, 0), 3);
	OK(t, ioctl(fd[1], SIOCATMARK, &mark));
	note(t, "%.3s at mark %d", buf, mark);
	IS(t, recv(fd[1], buf, 1, MSG_OOB), 1);
	note(t, "urgent %c", buf[0]);
	FAILS(t, recv(fd[1], buf, 1, MSG_OOB), EINVAL);
	IS(t, recv(fd[1], buf, 16, 0), 3);
	note(t, "%.3s", buf);
	OK(t, ioctl(fd[1], SIOCATMARK, &mark));
	note(t, "at mark %d", mark);
}

DIFF(oob_inline)
{
	int fd[2], mark = -1;
	char buf[16] = "";

	pair(t, fd);
	set_int(t, fd[1], SOL_SOCKET, SO_OOBINLINE, 1);
	IS(t, send(fd[0], "abcX", 4, MSG_OOB), 4);
	IS(t, send(fd[0], "def", 3, 0), 3);
	await_bytes(fd[1], 7);
	note_mask(t, "inline", fd[1]);
	FAILS(t, recv(fd[1], buf, 1, MSG_OOB), EINVAL);
	IS(t, recv(fd[1], buf, 16, 0), 3);
	OK(t, ioctl(fd[1], SIOCATMARK, &mark));
	note(t, "at mark %d", mark);
	IS(t, recv(fd[1], buf, 16, 0), 4);
	note(t, "%.4s", buf);
}

static volatile sig_atomic_t urgent_signals;

static void on_urgent(int sig)
{
	urgent_signals += sig == SIGURG;
}

DIFF(oob_signal)
{
	int fd[2];
	char c;

	pair(t, fd);
	signal(SIGURG, on_urgent);
	OK(t, fcntl(fd[1], F_SETOWN, getpid()));
	IS(t, send(fd[0], "!", 1, MSG_OOB), 1);
	settle(t, "urgent", fd[1], POLLPRI);
	IS(t, urgent_signals, 1);
	/* A second mark takes the place of the first. */
	IS(t, send(fd[0], "ab?", 3, MSG_OOB), 3);
	await_bytes(fd[1], 3);
	IS(t, recv(fd[1], &c, 1, MSG_OOB), 1);
	note(t, "urgent %c", c);
	OK(t, shutdown(fd[0], SHUT_WR));
	await(fd[1], POLLRDHUP);
	CALL(t, recv(fd[1], &c, 1, MSG_OOB));
}

/* Of what @how says, 1: the first is read; 2: data between; 4: inline */
static void oob_twice(struct run *t, int how)
{
	int fd[2], mark = -1, n = -1;
	char buf[16] = "";
	ssize_t got;

	pair(t, fd);
	if (how & 4)
		set_int(t, fd[1], SOL_SOCKET, SO_OOBINLINE, 1);
	IS(t, send(fd[0], "A", 1, MSG_OOB), 1);
	await(fd[1], POLLPRI);
	if ((how & 5) == 1)
		IS(t, recv(fd[1], buf, 1, MSG_OOB), 1);
	if (how & 2) {
		IS(t, send(fd[0], "mid", 3, 0), 3);
		await_bytes(fd[1], how & 4 ? 4 : 3);
	}
	IS(t, send(fd[0], "B", 1, MSG_OOB), 1);
	IS(t, send(fd[0], "end", 3, 0), 3);
	await_bytes(fd[1], how & 2 ? 8 : how & 4 ? 5 : 3);
	note_mask(t, "two marks", fd[1]);
	OK(t, ioctl(fd[1], FIONREAD, &n));
	OK(t, ioctl(fd[1], SIOCATMARK, &mark));
	note(t, "%d: readable %d, at mark %d", how, n, mark);
	while ((got = recv(fd[1], buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		note(t, "%d: %.*s", how, (int)got, buf);
	if (!(how & 4))
		IS(t, recv(fd[1], buf, 1, MSG_OOB), -1);
	close(fd[0]);
	/* nothing is left to be lost */
	IS(t, recv(fd[1], buf, sizeof(buf), 0), 0);
	close(fd[1]);
}

DIFF(oob_again)
{
	int how;

	for (how = 0; how < 8; how++)
		oob_twice(t, how);
}

static volatile sig_atomic_t io_signals;

static void on_io(int sig)
{
	io_signals += sig == SIGIO;
}

DIFF(async_signal)
{
	int fd[2], on = 1;

	pair(t, fd);
	signal(SIGIO, on_io);
	OK(t, fcntl(fd[1], F_SETOWN, getpid()));
	OK(t, ioctl(fd[1], FIOASYNC, &on));
	IS(t, send(fd[0], "!", 1, 0), 1);
	await(fd[1], POLLIN);
	TRUE(t, io_signals >= 1);
	OK(t, ioctl(fd[1], FIONBIO, &on));
	TRUE(t, fcntl(fd[1], F_GETFL) & O_NONBLOCK);
	TRUE(t, fcntl(fd[1], F_GETFL) & O_ASYNC);
}

/* A file of so many bytes that depend on their place. */
static int make_file(struct run *t, size_t size)
{
	char *buf = malloc(size);
	FILE *f = tmpfile();

	fill(buf, size, 7);
	TRUE(t, fwrite(buf, 1, size, f) == size && !fflush(f));
	rewind(f);
	free(buf);
	return fileno(f);
}

DIFF(sendfile)
{
	off_t off = 100;
	static char buf[20000];
	int fd[2], f = make_file(t, 20000);
	unsigned long long h;

	pair(t, fd);
	IS(t, sendfile(fd[0], f, &off, 10000), 10000);
	note(t, "offset %ld", (long)off);
	IS(t, recv(fd[1], buf, 10000, MSG_WAITALL), 10000);
	h = hash(buf, 10000, HASH_INIT);
	IS(t, sendfile(fd[0], f, NULL, 20000), 20000);
	IS(t, recv(fd[1], buf, 20000, MSG_WAITALL), 20000);
	TRUE(t, hash(buf + 100, 10000, HASH_INIT) == h);
	IS(t, sendfile(fd[0], f, NULL, 1), 0);
	/* A socket cannot be the source. */
	CALL(t, sendfile(f, fd[1], NULL, 1));
	OK(t, close(fd[1]));
	OK(t, shutdown(fd[0], SHUT_WR));
	signal(SIGPIPE, SIG_IGN);
	off = 0;
	FAILS(t, sendfile(fd[0], f, &off, 1), EPIPE);
}

DIFF(splice)
{
	static char buf[30000], got[30000];
	int fd[2], p[2], q[2];

	pair(t, fd);
	OK(t, pipe(p));
	OK(t, pipe(q));
	fill(buf, sizeof(buf), 3);
	/* pipe -> socket */
	IS(t, write(p[1], buf, 30000), 30000);
	IS(t, splice(p[0], NULL, fd[0], NULL, 30000, SPLICE_F_MORE), 30000);
	OK(t, shutdown(fd[0], SHUT_WR));
	await(fd[1], POLLRDHUP);
	/* socket -> pipe, tee to a second pipe, both read */
	IS(t, splice(fd[1], NULL, p[1], NULL, 100, 0), 100);
	IS(t, tee(p[0], q[1], 100, 0), 100);
	IS(t, read(q[0], got, 100), 100);
	TRUE(t, !memcmp(got, buf, 100));
	IS(t, read(p[0], got, 100), 100);
	TRUE(t, !memcmp(got, buf, 100));
	IS(t, recv(fd[1], got, 30000, MSG_WAITALL), 29900);
	TRUE(t, !memcmp(got, buf + 100, 29900));
	IS(t, splice(fd[1], NULL, p[1], NULL, 10, 0), 0);
}

DIFF(splice_errors)
{
	int fd[2], p[2];
	off_t off = 0;

	pair(t, fd);
	OK(t, pipe(p));
	/* Only O_NONBLOCK counts here, SPLICE_F_NONBLOCK is about the pipe. */
	OK(t, fcntl(fd[1], F_SETFL, O_NONBLOCK));
	FAILS(t, splice(fd[1], NULL, p[1], NULL, 10, 0), EAGAIN);
	CALL(t, splice(fd[1], &off, p[1], NULL, 10, 0));
	FAILS(t, splice(fd[1], NULL, fd[0], NULL, 10, 0), EINVAL);
	FAILS(t, tee(fd[1], p[1], 10, 0), EINVAL);
	FAILS(t, pread(fd[1], &off, 1, 0), ESPIPE);
	FAILS(t, pwrite(fd[1], &off, 1, 0), ESPIPE);
	CALL(t, splice(sock(t), NULL, p[1], NULL, 10, SPLICE_F_NONBLOCK));
	OK(t, shutdown(fd[0], SHUT_WR));
	await(fd[1], POLLRDHUP);
	IS(t, splice(fd[1], NULL, p[1], NULL, 10, 0), 0);
	OK(t, close(fd[0]));
	IS(t, splice(fd[1], NULL, p[1], NULL, 10, SPLICE_F_NONBLOCK), 0);
}

DIFF_MAIN
