// SPDX-License-Identifier: GPL-2.0
/*
 * Memory: what a socket is charged, that it is given back, and what happens
 * when tcp_mem runs out: the peer is slowed, nothing acknowledged is lost.
 */
#include "kselftest_harness.h"
#include "diff.h"

#include <linux/sock_diag.h>

DIFF_FIXTURE()

static unsigned int meminfo(int fd, int what)
{
	unsigned int m[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(m);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, m, &len))
		return ~0U;
	return m[what];
}

/* Pages charged to a protocol, from /proc/net/protocols. */
static long pages_charged(const char *proto)
{
	FILE *f = fopen("/proc/net/protocols", "r");
	long size, socks, pages, found = -1;
	char line[300], name[32];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s %ld %ld %ld", name, &size, &socks, &pages) == 4 &&
		    !strcmp(name, proto))
			found = pages;
	if (f)
		fclose(f);
	return found;
}

static const char *mem_file(const struct run *t)
{
	return t->xtcp ? "/proc/sys/net/xtcp/tcp_mem" : "/proc/sys/net/ipv4/tcp_mem";
}

static bool file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return good;
}

static bool file_get(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : -1;

	close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* Sent and read, half of it read, unread at close: the charges follow. */
DIFF(charges)
{
	char buf[20000], *p = buf;
	int fd[2];

	fill(buf, sizeof(buf), 1);
	pair(t, fd);
	IS(t, meminfo(fd[0], SK_MEMINFO_WMEM_QUEUED), 0);
	IS(t, meminfo(fd[1], SK_MEMINFO_RMEM_ALLOC), 0);
	IS(t, send(fd[0], p, sizeof(buf), 0), sizeof(buf));
	await_bytes(fd[1], sizeof(buf));
	TRUE(t, meminfo(fd[1], SK_MEMINFO_RMEM_ALLOC) >= sizeof(buf));
	IS(t, recv(fd[1], p, sizeof(buf), MSG_WAITALL), sizeof(buf));
	IS(t, meminfo(fd[1], SK_MEMINFO_RMEM_ALLOC), 0);
	/* the answer brings the last acknowledgment */
	IS(t, send(fd[1], p, 1, 0), 1);
	IS(t, recv(fd[0], p, 1, 0), 1);
	IS(t, meminfo(fd[0], SK_MEMINFO_WMEM_QUEUED), 0);
	IS(t, get_int(fd[0], SOL_SOCKET, SO_ERROR), 0);
	close(fd[0]);
	close(fd[1]);
}

/* One byte per segment, unread: the memory stays within the buffer, the bytes arrive. */
DIFF(tiny_segments)
{
	int fd[2], i, n = 20000, rcvbuf, bad = 0;
	unsigned int most = 0;
	char byte;

	pair(t, fd);
	set_int(t, fd[0], IPPROTO_TCP, TCP_NODELAY, 1);
	for (i = 0; i < n; i++) {
		unsigned int m;

		byte = (char)(i * 7);
		if (send(fd[0], &byte, 1, 0) != 1)
			break;
		m = meminfo(fd[1], SK_MEMINFO_RMEM_ALLOC);
		most = m > most ? m : most;
	}
	rcvbuf = get_int(fd[1], SOL_SOCKET, SO_RCVBUF);
	IS(t, i, n);
	TRUE(t, most <= (unsigned int)rcvbuf + 65536);
	for (i = 0; i < n; i++)
		if (recv(fd[1], &byte, 1, MSG_WAITALL) != 1 || byte != (char)(i * 7))
			bad++;
	IS(t, bad, 0);
	close(fd[0]);
	close(fd[1]);
}

#define CROWD	24
#define EACH	60000

/*
 * More data in flight than tcp_mem allows for all sockets together: senders
 * wait, nobody fails, and all of it arrives when the readers read.
 */
DIFF(limit_reached)
{
	static char data[EACH], got[EACH];
	char old[100];
	int fd[CROWD][2], i, bad = 0;
	size_t sent[CROWD];

	fill(data, sizeof(data), 5);
	for (i = 0; i < CROWD; i++) {
		pair(t, fd[i]);
		sent[i] = 0;
		fcntl(fd[i][0], F_SETFL, O_NONBLOCK);
	}
	if (!file_get(mem_file(t), old, sizeof(old)) || !file_put(mem_file(t), "20 40 60")) {
		note(t, "tcp_mem cannot be set");
		return;
	}
	for (i = 0; i < CROWD; i++) {
		ssize_t n = send(fd[i][0], data, sizeof(data), MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			bad++;
		sent[i] = n > 0 ? n : 0;
	}
	IS(t, bad, 0);
	for (i = 0; i < CROWD; i++) {
		size_t have = 0;

		while (have < sent[i]) {
			ssize_t n = recv(fd[i][1], got + have, sent[i] - have, 0);

			if (n <= 0)
				break;
			have += n;
		}
		bad += have != sent[i] || memcmp(got, data, have);
	}
	IS(t, bad, 0);
	/* and it works on under the limit */
	for (i = 0; i < CROWD; i++) {
		bad += send(fd[i][0], data, 100, MSG_NOSIGNAL) != 100;
		bad += recv(fd[i][1], got, 100, MSG_WAITALL) != 100;
	}
	IS(t, bad, 0);
	IS(t, file_put(mem_file(t), old), true);
	for (i = 0; i < CROWD; i++) {
		close(fd[i][0]);
		close(fd[i][1]);
	}
}

#define MANY	30

static long xtcp_pages(const struct run *t)
{
	return pages_charged(t->v6 ? "XTCPv6" : "XTCP");
}

/*
 * Megabytes are charged to the protocol and given back. (Of AF_XTCP alone:
 * kernel TCP may have other users. Each CPU may keep a megabyte in hand, see
 * sk_memory_allocated_add().)
 */
DIFF(given_back)
{
	long hand = 256 * sysconf(_SC_NPROCESSORS_CONF);
	static char data[400000];
	int fd[MANY][2], i;

	for (i = 0; i < MANY; i++) {
		pair(t, fd[i]);
		set_int(t, fd[i][0], SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20);
		set_int(t, fd[i][1], SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20);
		fcntl(fd[i][0], F_SETFL, O_NONBLOCK);
		TRUE(t, send(fd[i][0], data, sizeof(data), 0) > 0);
		TRUE(t, await(fd[i][1], POLLIN));
	}
	TRUE(t, !t->xtcp || xtcp_pages(t) > hand);
	for (i = 0; i < MANY; i++) {
		/* unread on one side, perhaps unsent on the other: RST */
		close(fd[i][1]);
		close(fd[i][0]);
	}
	TRUE(t, !t->xtcp || xtcp_pages(t) <= hand);
}

/*
 * The last bytes of a call must not wait for more: a request as long as some
 * share of the window went out but for its tail, which then waited 200 ms.
 */
DIFF(no_tail_held)
{
	double start = now_s();
	char buf[40000];
	int fd[2], i, size, bad = 0;

	fill(buf, sizeof(buf), 9);
	pair(t, fd);
	set_int(t, fd[1], SOL_SOCKET, SO_RCVBUF, 60000);
	for (size = 600, i = 0; i < 60; i++, size = size * 7 / 6 % sizeof(buf) + 500) {
		bad += send(fd[0], buf, size, 0) != size;
		bad += recv(fd[1], buf, size, MSG_WAITALL) != size;
		bad += send(fd[1], buf, 1, 0) != 1;
		bad += recv(fd[0], buf, 1, 0) != 1;
	}
	IS(t, bad, 0);
	TRUE(t, now_s() - start < 8);
	close(fd[0]);
	close(fd[1]);
}

DIFF_MAIN
