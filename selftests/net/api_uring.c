// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring: what it sends without a copy (IORING_OP_SEND_ZC). Each call that has
 * sent something completes twice: with the number of bytes, and, marked as
 * notification, when nothing refers to its pages any more.
 */
#include <kselftest_harness.h>

#include "diff.h"
#include "uring.h"

DIFF_FIXTURE()

static void ring_new(struct run *t, struct ring *r)
{
	if (!ring_open(r)) {
		note(t, "io_uring_setup: %s", errno_text(errno));
		_exit(1);
	}
}

static struct io_uring_sqe *send_zc(struct ring *r, int fd, const void *buf, size_t len)
{
	struct io_uring_sqe *e = ring_sqe(r);

	e->opcode = IORING_OP_SEND_ZC;
	e->fd = fd;
	e->addr = (uintptr_t)buf;
	e->len = len;
	e->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
	return e;
}

/* The next completion; with none to come this waits, and the run's limit ends it. */
static void completion(struct ring *r, struct io_uring_cqe *c)
{
	while (!ring_cqe(r, c))
		ring_enter(r, 1);
}

static void note_completion(struct run *t, struct ring *r, const char *text)
{
	struct io_uring_cqe c;

	completion(r, &c);
	note(t, "%s: %s %d%s%s", text, errno_text(c.res < 0 ? -c.res : 0), c.res,
	     c.flags & IORING_CQE_F_MORE ? " more" : "",
	     c.flags & IORING_CQE_F_NOTIF ? " notification" : "");
}

DIFF(send_zc_one)
{
	static char buf[100000], got[100000];
	struct ring r;
	int fd[2], i;

	pair(t, fd);
	ring_new(t, &r);
	/* both the connecting side's socket and the accepted one */
	for (i = 0; i < 2; i++) {
		fill(buf, sizeof(buf), 1 + i);
		send_zc(&r, fd[i], buf + 5, 70000);
		note_completion(t, &r, "sent");
		IS(t, recv(fd[!i], got, 70000, MSG_WAITALL), 70000);
		TRUE(t, !memcmp(buf + 5, got, 70000));
		note_completion(t, &r, "free");
	}
	ring_close(&r);
}

/* From a buffer that is registered, so that its pages are known already. */
DIFF(send_zc_fixed)
{
	static char buf[100000] __attribute__((aligned(4096))), got[100000];
	struct iovec iov = { buf, sizeof(buf) };
	struct io_uring_sqe *e;
	struct ring r;
	int fd[2], i;

	pair(t, fd);
	ring_new(t, &r);
	OK(t, syscall(SYS_io_uring_register, r.fd, IORING_REGISTER_BUFFERS, &iov, 1));
	fill(buf, sizeof(buf), 3);
	for (i = 0; i < 4; i++) {
		e = send_zc(&r, fd[0], buf + i * 4097, 50000 - i);
		e->ioprio = IORING_RECVSEND_FIXED_BUF;
		note_completion(t, &r, "sent");
		IS(t, recv(fd[1], got, 50000 - i, MSG_WAITALL), 50000 - i);
		TRUE(t, !memcmp(buf + i * 4097, got, 50000 - i));
		note_completion(t, &r, "free");
	}
	/* beyond its end */
	e = send_zc(&r, fd[0], buf + 90000, 20000);
	e->ioprio = IORING_RECVSEND_FIXED_BUF;
	note_completion(t, &r, "beyond");
	ring_close(&r);
}

/* Linked, so that they go in their order, with ordinary calls in between. */
DIFF(send_zc_many)
{
	static const size_t sizes[] = { 1, 100, 4096, 4097, 1448, 20000, 65536, 100000, 3, 300000 };
	static char buf[300000];
	unsigned int sent = 0, freed = 0, i, k;
	unsigned long long h = HASH_INIT;
	struct inflow s = { .fd = -1 };
	struct io_uring_cqe c;
	struct io_uring_sqe *e;
	size_t total = 0, len;
	struct ring r;
	pthread_t th;
	int fd[2];

	pair(t, fd);
	ring_new(t, &r);
	fill(buf, sizeof(buf), 5);
	s.fd = fd[1];
	pthread_create(&th, NULL, inflow_read, &s);
	for (i = 0; i < 25; i++) {
		for (k = 0; k < 4; k++) {
			len = sizes[(i + 3 * k) % ARRAY_SIZE(sizes)];
			e = send_zc(&r, fd[0], buf, len);
			e->opcode = k == 2 ? IORING_OP_SEND : IORING_OP_SEND_ZC;
			e->user_data = len;
			e->flags = k < 3 ? IOSQE_IO_LINK : 0;
			h = hash(buf, len, h);
			total += len;
		}
		for (k = 0; k < 4;) {
			completion(&r, &c);
			if (c.flags & IORING_CQE_F_NOTIF) {
				freed++;
				continue;
			}
			k++;
			sent += !!(c.flags & IORING_CQE_F_MORE);
			if (c.res < 0 || (size_t)c.res != c.user_data)
				note(t, "%d of %llu", c.res, c.user_data);
		}
	}
	OK(t, shutdown(fd[0], SHUT_WR));
	pthread_join(th, NULL);
	TRUE(t, s.done == total && s.hash == h);
	for (; freed < sent; freed++) {
		completion(&r, &c);
		if (!(c.flags & IORING_CQE_F_NOTIF))
			note(t, "%d, and no notification", c.res);
	}
	note(t, "%u calls, %u free", sent, freed);
	ring_close(&r);
}

DIFF(send_zc_errors)
{
	static const struct linger abort_it = { .l_onoff = 1 };
	static char buf[400000];
	struct ring r;
	int fd[2];

	pair(t, fd);
	ring_new(t, &r);
	send_zc(&r, fd[0], (void *)16, 100);
	note_completion(t, &r, "no such address");
	note_completion(t, &r, "free");
	send_zc(&r, fd[0], buf, 100)->msg_flags |= MSG_DONTWAIT;
	note_completion(t, &r, "sent");
	IS(t, recv(fd[1], buf, 100, MSG_WAITALL), 100);
	note_completion(t, &r, "free");
	/* reset: no more of it */
	OK(t, setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it)));
	OK(t, close(fd[1]));
	settle(t, "reset", fd[0], POLLERR);
	send_zc(&r, fd[0], buf, 100);
	note_completion(t, &r, "after a reset");
	note_completion(t, &r, "free");
	send_zc(&r, fd[0], buf, 100);
	note_completion(t, &r, "and again");
	note_completion(t, &r, "free");
	ring_close(&r);
}

/* The socket goes first, then the ring with its notifications. */
DIFF(send_zc_close)
{
	static char buf[60000], got[60000];
	struct ring r;
	int fd[2];

	pair(t, fd);
	ring_new(t, &r);
	fill(buf, sizeof(buf), 7);
	send_zc(&r, fd[0], buf, sizeof(buf));
	note_completion(t, &r, "sent");
	OK(t, close(fd[0]));
	IS(t, recv(fd[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
	TRUE(t, !memcmp(got, buf, sizeof(got)));
	IS(t, recv(fd[1], got, 1, 0), 0);
	note_completion(t, &r, "free");
	ring_close(&r);
	pair(t, fd);
	ring_new(t, &r);
	send_zc(&r, fd[0], buf, sizeof(buf));
	note_completion(t, &r, "sent");
	ring_close(&r);
	IS(t, recv(fd[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
	TRUE(t, !memcmp(got, buf, sizeof(got)));
}

DIFF_MAIN
