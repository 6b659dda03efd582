/* SPDX-License-Identifier: GPL-2.0 */
/* As much of io_uring as the tests need, without its library. */
#ifndef XTCP_URING_H
#define XTCP_URING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_ENTRIES 8

struct ring {
	int fd;
	struct io_uring_params p;
	uint8_t *rings;
	size_t size;
	struct io_uring_sqe *sqes;
	unsigned int pending;		/* made, not yet submitted */
};

static inline uint32_t *ring_word(const struct ring *r, uint32_t off)
{
	return (uint32_t *)(r->rings + off);
}

static inline bool ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, RING_ENTRIES, &r->p);
	if (r->fd < 0)
		return false;
	/* IORING_FEAT_SINGLE_MMAP: since 5.4 */
	r->size = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	if (r->size < r->p.sq_off.array + r->p.sq_entries * sizeof(uint32_t))
		r->size = r->p.sq_off.array + r->p.sq_entries * sizeof(uint32_t);
	r->rings = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
			IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, RING_ENTRIES * sizeof(*r->sqes), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	if (r->rings != MAP_FAILED && r->sqes != MAP_FAILED)
		return true;
	close(r->fd);
	return false;
}

static inline void ring_close(struct ring *r)
{
	munmap(r->rings, r->size);
	munmap(r->sqes, RING_ENTRIES * sizeof(*r->sqes));
	close(r->fd);
}

/* The next entry, all zero; at most RING_ENTRIES before ring_enter(). */
static inline struct io_uring_sqe *ring_sqe(struct ring *r)
{
	uint32_t at = (*ring_word(r, r->p.sq_off.tail) + r->pending++) & (RING_ENTRIES - 1);

	ring_word(r, r->p.sq_off.array)[at] = at;
	memset(&r->sqes[at], 0, sizeof(r->sqes[at]));
	return &r->sqes[at];
}

/* Hand them over and wait for @want completions; what io_uring_enter() says. */
static inline long ring_enter(struct ring *r, unsigned int want)
{
	uint32_t *tail = ring_word(r, r->p.sq_off.tail);
	unsigned int n = r->pending;

	r->pending = 0;
	__atomic_store_n(tail, *tail + n, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, r->fd, n, want, IORING_ENTER_GETEVENTS, NULL, 0);
}

/* Take a completion, if there is one. */
static inline bool ring_cqe(struct ring *r, struct io_uring_cqe *c)
{
	uint32_t *head = ring_word(r, r->p.cq_off.head);
	struct io_uring_cqe *cqes = (void *)(r->rings + r->p.cq_off.cqes);

	if (*head == __atomic_load_n(ring_word(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE))
		return false;
	*c = cqes[*head & *ring_word(r, r->p.cq_off.ring_mask)];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return true;
}

#endif
