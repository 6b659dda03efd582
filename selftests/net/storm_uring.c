// SPDX-License-Identifier: GPL-2.0
/* Some of the storm's calls again, a few at a time through io_uring. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "storm.h"
#include "uring.h"

static void fill(struct storm *s, struct io_uring_sqe *e)
{
	static const u8 ops[] = {
		IORING_OP_ACCEPT, IORING_OP_RECV, IORING_OP_SEND, IORING_OP_POLL_ADD,
		IORING_OP_SHUTDOWN, IORING_OP_READ, IORING_OP_WRITE, IORING_OP_SEND_ZC,
		IORING_OP_CLOSE,
	};

	e->opcode = ops[rnd(s, sizeof(ops))];
	e->fd = slot_get(s);
	switch (e->opcode) {
	case IORING_OP_CLOSE:
		/* one that nobody else will close by this number */
		e->fd = dup(e->fd);
		break;
	case IORING_OP_ACCEPT:
		e->ioprio = one_in(s, 4) ? IORING_ACCEPT_MULTISHOT : 0;
		break;
	case IORING_OP_POLL_ADD:
		e->poll32_events = rnd(s, 0x4000);
		break;
	case IORING_OP_SHUTDOWN:
		e->len = rnd(s, 3);
		break;
	default:
		e->addr = (uintptr_t)(s->buf + rnd(s, BUF_SIZE / 2));
		e->len = rnd(s, 8192);
		e->msg_flags = e->opcode == IORING_OP_READ || e->opcode == IORING_OP_WRITE ? 0 :
			       MSG_NOSIGNAL | (one_in(s, 2) ? MSG_DONTWAIT : 0);
	}
	if (one_in(s, 4))
		e->flags = IOSQE_IO_LINK;
	if (one_in(s, 4))
		e->flags |= IOSQE_ASYNC;
}

/**
 * call_uring() - a ring, some calls, and its end, with what is still under way
 * @s: the thread
 *
 * Accepted sockets come into the table; the rest is only counted.
 */
void call_uring(struct storm *s)
{
	u32 i, n = 1 + rnd(s, RING_ENTRIES);
	struct io_uring_cqe c;
	struct ring r;

	if (s->child || !ring_open(&r))
		return;
	for (i = 0; i < n; i++) {
		struct io_uring_sqe *e = ring_sqe(&r);

		fill(s, e);
		e->user_data = e->opcode;
	}
	storm_result("io_uring_enter", ring_enter(&r, one_in(s, 2)));
	while (ring_cqe(&r, &c)) {
		storm_count(N_URING, 1);
		if (c.user_data == IORING_OP_ACCEPT && c.res >= 0) {
			storm_count(N_ACCEPT, 1);
			slot_put(s, c.res);
		}
	}
	ring_close(&r);
}
