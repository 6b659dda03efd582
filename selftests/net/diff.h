/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differential tests of the socket API. A scenario is a function that uses
 * sockets and writes down what it saw: return values, errno, poll masks, bytes.
 * It runs on kernel TCP and on AF_XTCP, over IPv4 and IPv6, each time in a
 * process of its own; the two traces must be equal line by line, and must meet
 * the expectations written into the scenario (IS, OK, FAILS), so that a wrong
 * belief about Linux shows up as well.
 *
 * Environment: DIFF_OTHER=tcp compares kernel TCP with itself (to try the
 * tests without the module), DIFF_ONLY=text runs the scenarios whose name
 * contains it, DIFF_SHOW=1 prints the traces, DIFF_TIMEOUT=s sets the limit.
 */
#ifndef XTCP_DIFF_H
#define XTCP_DIFF_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/tcp.h>
#include <linux/xtcp.h>

/* TCP_ESTABLISHED and so on; the kernel's header leaves them to libc's. */
enum {
#define XTCP_STATE(name, number, text) TCP_##name = number,
#include <xtcp/states.h>
#undef XTCP_STATE
};

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

/* Longest time a scenario may take on one side, slow emulation included. */
#define DIFF_TIMEOUT_S	60
#define DIFF_TIMEOUT_MAX_S	(10 * DIFF_TIMEOUT_S)	/* on a slow kernel */

/* One run of a scenario. */
struct run {
	bool xtcp;		/* AF_XTCP or kernel TCP */
	bool v6;
	int out;		/* the trace goes here */
	unsigned int port;	/* last fixed port given out */
};

typedef void (*scenario_fn)(struct run *t);

/* An address of either family, as the socket calls want it. */
struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage ss;
	};
	socklen_t len;
};

void diff_init(int argc, char **argv);
bool diff_skipped(const char *name);
/* Runs on both sides and compares; 0 when equal and as expected. */
int diff_compare(const char *name, bool v6, scenario_fn fn);

/* Writing the trace. */
void note(struct run *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
long note_call(struct run *t, const char *text, long ret);
long note_want(struct run *t, const char *text, long ret, long want, int want_errno);
const char *errno_text(int error);
const char *poll_text(unsigned int mask);

/* Trace a call; the same, and it must return x / not fail / fail so. */
#define CALL(t, e)	({ errno = 0; note_call(t, #e, (long)(e)); })
#define IS(t, e, x)	({ errno = 0; note_want(t, #e, (long)(e), (long)(x), 0); })
#define OK(t, e)	({ errno = 0; note_want(t, #e, (long)(e), 0, 0); })
#define FAILS(t, e, x)	({ errno = 0; note_want(t, #e, (long)(e), -1, x); })
/* A condition that must hold, where the value itself may differ. */
#define TRUE(t, e)	note_want(t, #e, !!(e), 1, 0)

/* Sockets. They end the run with a line in the trace if they cannot. */
int sock(struct run *t);
int sock_flags(struct run *t, int flags);
int sock_of(struct run *t, bool v6, int flags);
/* A socket of the stack that is not under test (kernel TCP on either side). */
int tcp_sock(struct run *t, bool v6);
void addr_any(struct run *t, struct addr *a, unsigned int port);
void addr_loop(struct run *t, struct addr *a, unsigned int port);
void addr_text(struct addr *a, const char *text, unsigned int port);
unsigned int addr_port(const struct addr *a);
const char *addr_show(const struct addr *a);
void addr_name(struct run *t, int fd, struct addr *a);
int listener(struct run *t, struct addr *a, int backlog);
void pair(struct run *t, int fd[2]);		/* fd[0] connected, fd[1] accepted */
unsigned int fixed_port(struct run *t);		/* one that nobody used yet */
void set_int(struct run *t, int fd, int level, int opt, int value);
int get_int(int fd, int level, int opt);

/* Waiting for an event, never for time. */
int await(int fd, int events);			/* the mask, or 0 after 10 s */
unsigned int mask(int fd);			/* what poll() says now, every bit asked */
void note_mask(struct run *t, const char *text, int fd);
/* Waits until every bit of want is there, then traces the whole mask. */
void settle(struct run *t, const char *text, int fd, unsigned int want);
void await_state(int fd, int state);
void await_bytes(int fd, int bytes);
double now_s(void);
void fill(char *buf, size_t len, unsigned int seed);
unsigned long long hash(const void *data, size_t len, unsigned long long h);
#define HASH_INIT	0xcbf29ce484222325ULL

/* What inflow_read(), a thread, has got from fd when it ends. */
struct inflow {
	int fd;
	size_t want, done;	/* want 0: until the end */
	unsigned long long hash;
};

void *inflow_read(void *inflow);

/* Use once per file, before the scenarios, with kselftest_harness.h included. */
#define DIFF_FIXTURE()							\
	FIXTURE(diff) { int unused; };					\
	FIXTURE_VARIANT(diff) { bool v6; };				\
	FIXTURE_VARIANT_ADD(diff, ipv4) { .v6 = false };		\
	FIXTURE_VARIANT_ADD(diff, ipv6) { .v6 = true };			\
	FIXTURE_SETUP(diff) { (void)self; (void)variant; }		\
	FIXTURE_TEARDOWN(diff) { (void)self; (void)variant; }

/* Defines a scenario: DIFF(name) { ... uses t ... } */
#define DIFF(name)							\
	static void scenario_##name(struct run *t);			\
	TEST_F_TIMEOUT(diff, name, 3 * DIFF_TIMEOUT_MAX_S)		\
	{								\
		if (diff_skipped(#name))				\
			SKIP(return, "not in DIFF_ONLY");		\
		EXPECT_EQ(0, diff_compare(#name, variant->v6,		\
					  scenario_##name));		\
	}								\
	static void scenario_##name(struct run *t)

#define DIFF_MAIN							\
	static void __attribute__((constructor))			\
	__constructor_order_last(void)					\
	{								\
		if (!__constructor_order)				\
			__constructor_order = _CONSTRUCTOR_ORDER_BACKWARD; \
	}								\
	int main(int argc, char **argv)					\
	{								\
		diff_init(argc, argv);					\
		return test_harness_run(argc, argv);			\
	}

#endif /* XTCP_DIFF_H */
