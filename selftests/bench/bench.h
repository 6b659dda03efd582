/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmark programs share: series of measured values, the lines that
 * report them, sockets of both families. All of it runs in a guest, as root; a
 * call that must not fail ends the program when it does.
 *
 * A figure is a line of its own on standard output, read by report.awk:
 *
 *	figure NAME FAMILY VALUE MEAN P10 P90 COUNT
 *	point CURVE FAMILY X VALUE
 */
#ifndef XTCP_BENCH_H
#define XTCP_BENCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <x86intrin.h>

#define KIB		1024
#define __noreturn	__attribute__((noreturn))
#define __printf(a, b)	__attribute__((format(printf, a, b)))

enum family { TCP, XTCP, N_FAMILIES };

extern const char * const family_name[];
extern const int family_af[];

struct series {
	uint64_t *v;
	size_t n, max;
};

/* Under "selftests/vm/run --icount" a tick is an instruction. */
static inline uint64_t ticks(void)
{
	return __rdtsc();
}

void die(const char *fmt, ...) __noreturn __printf(1, 2);

void series_add(struct series *s, uint64_t v);
void series_append(struct series *to, const struct series *from);
uint64_t series_at(struct series *s, int percent);
uint64_t series_median(struct series *s);
double series_mean(const struct series *s);

void figure(const char *name, enum family f, struct series *s, double value);
void figure_one(const char *name, enum family f, double value);
void figure_point(const char *curve, enum family f, double x, double value);

void file_put(const char *path, const char *text);
bool file_read(const char *path, char *buf, size_t size);
void family_knob(enum family f, const char *name, const char *text);
enum family family_parse(const char *name);
int netns_open(const char *name);
void netns_enter(int ns);
int socket_open(enum family f);
int listener_open(enum family f, struct in_addr addr, int port, int backlog);
void files_allow(int n);
int memory_hold(int round);
void random_seed(void);
void idle_s(int s);

#endif
