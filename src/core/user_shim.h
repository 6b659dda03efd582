/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user-space half of shim.h: the few kernel helpers the core uses, so that
 * the same files build into the unit tests, the simulator and the fuzzers.
 */
#ifndef XTCP_CORE_USER_SHIM_H
#define XTCP_CORE_USER_SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef long long s64;

#ifndef likely
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#endif

#ifndef noinline
#define noinline	__attribute__((noinline))
#endif

#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))
#ifndef fallthrough
#define fallthrough	__attribute__((__fallthrough__))
#endif

#define min(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define max(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })
#define min_t(t, a, b) ({ t at_ = (a); t bt_ = (b); at_ < bt_ ? at_ : bt_; })
#define max_t(t, a, b) ({ t at_ = (a); t bt_ = (b); at_ > bt_ ? at_ : bt_; })
#define clamp(v, lo, hi) min((__typeof__(v))max(v, lo), hi)
#define clamp_t(t, v, lo, hi) min_t(t, max_t(t, v, lo), hi)

static inline u64 div_u64(u64 n, u32 d)
{
	return n / d;
}

/* ---- an intrusive doubly linked list with list.h's names */

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *h)
{
	h->next = h;
	h->prev = h;
}

static inline void xtcp_list_link(struct list_head *n, struct list_head *prev,
				  struct list_head *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

static inline void list_add(struct list_head *n, struct list_head *h)
{
	xtcp_list_link(n, h, h->next);
}

static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	xtcp_list_link(n, h->prev, h);
}

/* The stale links are poisoned so that a use after removal faults. */
static inline void list_del(struct list_head *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = NULL;
	n->prev = NULL;
}

static inline void list_del_init(struct list_head *e)
{
	list_del(e);
	INIT_LIST_HEAD(e);
}

static inline void list_move(struct list_head *n, struct list_head *h)
{
	list_del(n);
	list_add(n, h);
}

static inline void list_move_tail(struct list_head *n, struct list_head *h)
{
	list_del(n);
	list_add_tail(n, h);
}

static inline bool list_empty(const struct list_head *h)
{
	return h->next == h;
}

static inline bool list_is_last(const struct list_head *n, const struct list_head *h)
{
	return n->next == h;
}

static inline bool list_is_first(const struct list_head *n, const struct list_head *h)
{
	return n->prev == h;
}

#define list_entry(p, type, member)	container_of(p, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
#define list_last_entry(h, type, member) list_entry((h)->prev, type, member)
#define list_first_entry_or_null(h, type, member) \
	(list_empty(h) ? NULL : list_first_entry(h, type, member))
#define list_next_entry(p, member) list_entry((p)->member.next, __typeof__(*(p)), member)
#define list_prev_entry(p, member) list_entry((p)->member.prev, __typeof__(*(p)), member)
#define list_entry_is_head(p, h, member) (&(p)->member == (h))
#define list_for_each_entry(p, h, member) \
	for (p = list_first_entry(h, __typeof__(*(p)), member); \
	     !list_entry_is_head(p, h, member); p = list_next_entry(p, member))
#define list_for_each_entry_from(p, h, member) \
	for (; !list_entry_is_head(p, h, member); p = list_next_entry(p, member))
#define list_for_each_entry_reverse(p, h, member) \
	for (p = list_last_entry(h, __typeof__(*(p)), member); \
	     !list_entry_is_head(p, h, member); p = list_prev_entry(p, member))
#define list_for_each_entry_safe(p, n, h, member) \
	for (p = list_first_entry(h, __typeof__(*(p)), member), \
	     n = list_next_entry(p, member); \
	     !list_entry_is_head(p, h, member); p = n, n = list_next_entry(n, member))

/* ---- SipHash-2-4, from "SipHash: a fast short-input PRF", section 2 */

typedef struct {
	u64 key[2];
} siphash_key_t;

static inline u64 xtcp_rol64(u64 x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void xtcp_sip_round(u64 v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = xtcp_rol64(v[1], 13) ^ v[0];
	v[3] = xtcp_rol64(v[3], 16) ^ v[2];
	v[0] = xtcp_rol64(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = xtcp_rol64(v[1], 17) ^ v[2];
	v[3] = xtcp_rol64(v[3], 21) ^ v[0];
	v[2] = xtcp_rol64(v[2], 32);
}

static inline u64 siphash(const void *data, size_t len, const siphash_key_t *k)
{
	const u8 *p = (const u8 *)data;
	u64 v[4] = {
		k->key[0] ^ 0x736f6d6570736575ULL, k->key[1] ^ 0x646f72616e646f6dULL,
		k->key[0] ^ 0x6c7967656e657261ULL, k->key[1] ^ 0x7465646279746573ULL,
	};
	size_t i, words = len / 8 + 1;

	for (i = 0; i < words; i++) {
		size_t n = i + 1 < words ? 8 : len % 8, j;
		u64 m = i + 1 < words ? 0 : (u64)(len & 0xff) << 56;

		for (j = 0; j < n; j++)
			m |= (u64)p[8 * i + j] << (8 * j);
		v[3] ^= m;
		xtcp_sip_round(v);
		xtcp_sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		xtcp_sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline u64 siphash_2u64(u64 a, u64 b, const siphash_key_t *k)
{
	u64 in[2] = { a, b };

	return siphash(in, sizeof(in), k);
}

#endif /* XTCP_CORE_USER_SHIM_H */
