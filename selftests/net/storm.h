/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The syscall storm: threads that make random calls on shared AF_XTCP sockets.
 *
 *	storm.c		threads, descriptors, the end
 *	storm_calls.c	calls on sockets
 *	storm_opts.c	socket options, ioctls, garbage addresses
 *	storm_net.c	namespaces, devices, sysctls, /proc
 *	storm_uring.c	a few of the calls again, through io_uring
 *	storm_fail.c	allocations that fail on demand
 */
#ifndef STORM_H
#define STORM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define SLOTS		48
#define SPACES		6
#define PORT		7900
#define PORTS		4
#define BUF_SIZE	0x20000

/* What a thread has of its own. */
struct storm {
	u64 rng;
	u8 *buf;		/* BUF_SIZE bytes */
	u8 *edge;		/* the first byte that cannot be touched */
	int pipe[2], epoll, file;
	bool child;		/* of fork(): on its own, and soon gone */
};

/* Descriptors that all threads share, -1: none. Nobody owns them: they may be
 * closed, and their numbers used again, at any moment. That is the point.
 */
extern atomic_int storm_slots[SLOTS];

/* storm.c */
u32 rnd(struct storm *s, u32 n);
bool one_in(struct storm *s, u32 n);
int slot_get(struct storm *s);
void slot_put(struct storm *s, int fd);
/* what a call returned; errors that no program may see are noted */
long storm_result(const char *call, long ret);
void storm_some(struct storm *s, int calls);
void storm_thread_init(struct storm *s, u64 seed);
void storm_thread_exit(struct storm *s);

enum counted { N_SOCKET, N_LISTEN, N_CONNECT, N_ACCEPT, N_BYTES, N_NETNS, N_SYSCTL, N_URING,
	       N_COUNTED };
void storm_count(enum counted what, u64 n);

/* storm_calls.c, storm_opts.c, storm_net.c, storm_uring.c */
struct storm_call {
	void (*fn)(struct storm *s);
	int weight;
};

void *storm_garbage(struct storm *s, int *len);
void call_setsockopt(struct storm *s);
void call_getsockopt(struct storm *s);
void call_ioctl(struct storm *s);
void call_netns(struct storm *s);
void call_device(struct storm *s);
void call_sysctl(struct storm *s);
void call_proc(struct storm *s);
void call_uring(struct storm *s);
void storm_net_init(void);
void storm_net_exit(void);
void storm_call(struct storm *s);

/* storm_fail.c */
int storm_fail(int argc, char **argv);

#endif /* STORM_H */
