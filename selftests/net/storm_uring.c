// SPDX-License-Identifier: GPL-2.0
/* Some of the storm's calls again, a few at a time through io_uring. */
#include <errno.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "storm.h"

#define ENTRIES 8

struct ring {
	int fd;
	struct io_uring_params p;
	u8 *rings;
	size_t size;
	struct io_uring_sqe *sqes;
};

static bool ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, ENTRIES, &r->p);
	if (r->fd < 0)
		return false;
	/* IORING_FEAT_SINGLE_MMAP: since 5.4 */
	r->size = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	if (r->size < r->p.sq_off.array + r->p.sq_entries * sizeof(u32))
		r->size = r->p.sq_off.array + r->p.sq_entries * sizeof(u32);
	r->rings = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
			IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, ENTRIES * sizeof(*r->sqes), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	if (r->rings != MAP_FAILED && r->sqes != MAP_FAILED)
		return true;
	close(r->fd);
	return false;
}

static void fill(struct storm *s, struct io_uring_sqe *e)
{
	static const u8 ops[] = {
		IORING_OP_ACCEPT, IORING_OP_RECV, IORING_OP_SEND, IORING_OP_POLL_ADD,
		IORING_OP_SHUTDOWN, IORING_OP_READ, IORING_OP_WRITE, IORING_OP_SEND_ZC,
		IORING_OP_CLOSE,
	};

	memset(e, 0, sizeof(*e));
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

/* Accepted sockets come into the table; the rest is only counted. */
static void reap(struct storm *s, struct ring *r, const u8 *ops)
{
	u32 *head = (u32 *)(r->rings + r->p.cq_off.head);
	u32 *tail = (u32 *)(r->rings + r->p.cq_off.tail);
	u32 mask = *(u32 *)(r->rings + r->p.cq_off.ring_mask);
	struct io_uring_cqe *cqes = (void *)(r->rings + r->p.cq_off.cqes);

	while (*head != __atomic_load_n(tail, __ATOMIC_ACQUIRE)) {
		struct io_uring_cqe *c = &cqes[*head & mask];

		storm_count(N_URING, 1);
		if (ops[c->user_data] == IORING_OP_ACCEPT && c->res >= 0) {
			storm_count(N_ACCEPT, 1);
			slot_put(s, c->res);
		}
		__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	}
}

/**
 * call_uring() - a ring, some calls, and its end, with what is still under way
 * @s: the thread
 */
void call_uring(struct storm *s)
{
	u32 i, n = 1 + rnd(s, ENTRIES), *array, *tail;
	u8 ops[ENTRIES];
	struct ring r;

	if (s->child || !ring_open(&r))
		return;
	array = (u32 *)(r.rings + r.p.sq_off.array);
	tail = (u32 *)(r.rings + r.p.sq_off.tail);
	for (i = 0; i < n; i++) {
		fill(s, &r.sqes[i]);
		r.sqes[i].user_data = i;
		ops[i] = r.sqes[i].opcode;
		array[i] = i;
	}
	__atomic_store_n(tail, *tail + n, __ATOMIC_RELEASE);
	storm_result("io_uring_enter", syscall(SYS_io_uring_enter, r.fd, n, one_in(s, 2),
					       IORING_ENTER_GETEVENTS, NULL, 0));
	reap(s, &r, ops);
	munmap(r.rings, r.size);
	munmap(r.sqes, ENTRIES * sizeof(*r.sqes));
	close(r.fd);
}
