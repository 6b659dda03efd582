/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Duels: up to four threads, each on its own processor, act on one thing at the
 * same moment, round after round. See race_smp.c.
 */
#ifndef RACE_SMP_H
#define RACE_SMP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define FIGHTERS	4
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PATIENCE_MS	60000	/* what takes longer never comes */

typedef void (*race_act)(unsigned int round);

/*
 * setup() and check() run alone, the acts together; all get the round's
 * number. Missing ones are NULL.
 */
struct duel {
	const char *name;
	unsigned int rounds;		/* of one iteration */
	void (*begin)(void);
	void (*setup)(unsigned int round);
	race_act act[FIGHTERS];
	void (*check)(unsigned int round);
	void (*end)(void);
};

extern const struct duel sock_duels[], wire_duels[], world_duels[];
extern const unsigned int n_sock_duels, n_wire_duels, n_world_duels;

/* ---- race_smp.c */
extern const char *module_path;		/* to load it again, or NULL */

/* what must not be; the scenario fails */
void strange(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* the machine is not fit for the test */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* random number below n, of the calling thread */
unsigned int rnd(unsigned int n);
/* a random short while of computing */
void jitter(void);
void sysctl_set(const char *name, const char *value);
void param_set(const char *name, const char *value);
/*
 * Only the race points whose names begin so wait, most times and up to us; NULL:
 * all, as the module's parameters had it. Nothing if the module has none.
 */
void race_focus(const char *prefix, const char *us);
/* at rest the counters of states are what a dump shows, and that is nothing */
void await_rest(void);
void new_namespace(void);

/* ---- sockets */
int xsock(int v6, int flags);
socklen_t loop_addr(struct sockaddr_storage *ss, int v6, int port);
/* listening on loopback, at a port that is chosen and put into *port */
int xlisten(int v6, int *port, int backlog);
/* poll(2) for that long; false and strange if nothing comes */
bool await(int fd, short events, const char *what);
/* exactly len bytes of the pattern from offset off, or strange */
void put_bytes(int fd, unsigned int off, unsigned int len);
void get_bytes(int fd, unsigned int off, unsigned int len);
/* close with a RST */
void abort_fd(int fd);

/* ---- race_wire.c: a peer on a TUN device */
#define TH_FIN	0x01
#define TH_SYN	0x02
#define TH_RST	0x04
#define TH_ACK	0x10

struct wire {
	uint16_t port, sut_port;	/* the peer's, ours */
	uint32_t isn, sut_isn;		/* SYNs */
};

void wire_init(void);
void wire_fresh(struct wire *w, int sut_port);	/* another port of the peer's */
/* seq and ack count from the SYNs; any thread */
void wire_tx(const struct wire *w, int flags, uint32_t seq, uint32_t ack, int len);
/* until the sut sends such a segment to this port; fills sut_isn for SYNs */
bool wire_await(struct wire *w, int flags);
/* has the sut sent such a segment to this port? Takes all that is there */
bool wire_has(const struct wire *w, int flags);
void wire_flush(void);
struct sockaddr_in wire_addr(const struct wire *w);
int wire_listen(int *port, int backlog);
/* handshake; returns accept()'s socket */
int wire_open(struct wire *w, int lfd, int sut_port);

#endif /* RACE_SMP_H */
