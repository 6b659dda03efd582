/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Race points: places where another CPU may come in between, made wide on
 * purpose. "make module-race" builds a module in which each of them sometimes
 * waits a moment, without sleeping, so that it can stand anywhere; in the
 * ordinary module they are nothing.
 */
#ifndef XTCP_RACE_H
#define XTCP_RACE_H

/* One row per point: what may happen while this CPU stands there. */
#define XTCP_RACE_POINTS(X)						\
	/* lookups: it is freed, reused or ends before it is held, checked, locked */ \
	X(FLOW_MATCHED)		/* node found, no reference yet */	\
	X(FLOW_HELD)		/* referenced, key not checked again */	\
	X(FLOW_FOUND)		/* segment has its flow, not its lock */ \
	X(EARLY_FOUND)		/* connection has no reference, its route is read */ \
	X(FLOW_WALKED)		/* /proc, purge: bucket unlocked, flow in hand */ \
	X(LISTEN_FOUND)		/* best listener known, no reference yet */ \
	X(RCV_AGAIN)		/* request dead when locked: what is it now? */ \
	/* the flow table */						\
	X(FLOW_INSERT)		/* two of one tuple before the lock */	\
	X(FLOW_REPLACE)		/* child in the chain, request looks hashed */ \
	X(FLOW_REMOVE)		/* hashed when looked at without the lock */ \
	X(FLOW_GONE)		/* out of the table, its port still marked */ \
	/* requests and the accept queue */				\
	X(LISTEN_HASHED)	/* findable, listen() not done yet: SYN */ \
	X(LISTEN_DEAD)		/* marked dead, requests not purged: SYN files one */ \
	X(LISTEN_ABORT)		/* child off the queue, not locked: segment, timer */ \
	X(ACCEPT_TAKEN)		/* accept() has the child, softirq not done with it */ \
	X(ACCEPT_WAKE)		/* child queued and unlocked, nobody woken yet */ \
	X(SYN_LIMITS)		/* listener looked alive: it closes */	\
	X(SYN_FILED)		/* in the table, not on the wheel: third ACK, RST */ \
	X(SYN_DEAD)		/* filed; does the listener live? */	\
	X(REQ_SEGMENT)		/* two third ACKs, a SYN again, expiry */ \
	X(REQ_CHILD)		/* child made, request still in the table: kill */ \
	X(REQ_SETTLE)		/* request complete, still on the wheel */ \
	X(REQ_EXPIRED)		/* off the wheel, not locked: third ACK */ \
	X(REQ_KILL)		/* marked dead, still in table and wheel */ \
	X(COOKIE_ACK)		/* nobody had the tuple: its ACK on another CPU */ \
	X(COOKIE_REQ)		/* one cookie's ACK on two CPUs */	\
	/* TIME-WAIT */							\
	X(TW_MAKE)		/* entry made, connection still hashed: RST */ \
	X(TW_SWAP)		/* entry in the chain, connection looks hashed */ \
	X(TW_EXPIRED)		/* off the wheel, not locked: segment, connect() */ \
	X(TW_RCV)		/* found without the lock: expiry, reuse, purge */ \
	X(TW_REOPEN)		/* entry gone, its SYN not at the listener */ \
	X(TW_TAKE)		/* connect() found the tuple taken: expiry */ \
	X(TW_FREE)		/* unlinked, not freed: readers stand on it */ \
	X(HOME_PUT)		/* last reference gone, home still findable */ \
	/* timers */							\
	X(WHEEL_POP)		/* entries in the timer's hands: kill, rearm */ \
	X(TIMER_FIRED)		/* fired, sock not locked: close, RST */ \
	X(TIMER_ARM)		/* deadline known, timer not armed */	\
	/* sockets */							\
	X(CLOSE_ORPHAN)		/* user gone, sock not locked: reap */	\
	X(SOCK_DONE)		/* unhashed, timer runs, user not told */ \
	X(SOCK_REAP)		/* given back but for the last reference */ \
	X(POLL_STATE)		/* state read, shutdown and error not yet */ \
	/* ports */							\
	X(BIND_CREATE)		/* shadow bound, claim not in the table */ \
	X(BIND_IDLE)		/* claim idle, its release not ordered */ \
	X(BIND_FREE)		/* out of the table, shadow not released */ \
	X(PICK_CLAIM)		/* connect() has the claim, not the tuple */ \
	X(PICK_OWN)		/* tuple hashed, the claim has no owner yet */ \
	X(PORT_RANGE)		/* between the two ends of the range */	\
	/* takeover, namespaces, unloading */				\
	X(TAKEOVER_GET)		/* counted as user; hooked? */		\
	X(TAKEOVER_LEAVE)	/* nobody uses us: a new user, a new flow */ \
	X(TAKEOVER_OUT)		/* receive path given back, segments still in it */ \
	X(TAKEOVER_IN)		/* one IP version taken, not the other */ \
	X(NET_DYING)		/* marked: segments on their way */	\
	X(NET_PURGED)		/* purged: who was just ending an entry */ \
	X(EXIT_UNHOOKED)	/* module leaves: entries not purged yet */ \
	X(EXIT_PURGED)		/* purged, wheels still run */

#ifdef XTCP_RACE
#define XTCP_RACE_ENUM(name) XTCP_RACE_##name,
enum xtcp_race { XTCP_RACE_POINTS(XTCP_RACE_ENUM) XTCP_NR_RACES };
#undef XTCP_RACE_ENUM

void xtcp_race_delay(enum xtcp_race point);
void xtcp_race_report(void);
#define xtcp_race_point(name)	xtcp_race_delay(XTCP_RACE_##name)
#else
static inline void xtcp_race_report(void) { }
#define xtcp_race_point(name)	do { } while (0)
#endif

#endif /* XTCP_RACE_H */
