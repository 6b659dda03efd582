// SPDX-License-Identifier: GPL-2.0
/* The stack under test: its sockets, what it shows of itself, handshakes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/xtcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_addr.h"
#include "raw_peer.h"

#define WAIT_MS 3000

socklen_t raw_addr(union raw_addr *a, bool peer, u16 port)
{
	memset(a, 0, sizeof(*a));
	if (raw.v6) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		inet_pton(AF_INET6, peer ? PEER_ADDR6 : SUT_ADDR6, &a->v6.sin6_addr);
		return sizeof(a->v6);
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(port);
	inet_pton(AF_INET, peer ? PEER_ADDR4 : SUT_ADDR4, &a->v4.sin_addr);
	return sizeof(a->v4);
}

int sut_socket(void)
{
	int fd;

	if (raw.xtcp)
		fd = socket(AF_XTCP, SOCK_STREAM | SOCK_NONBLOCK,
			    raw.v6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4);
	else
		fd = socket(raw.v6 ? AF_INET6 : AF_INET,
			    SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		FAIL("socket: %m");
	return fd;
}

void sut_opt(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		FAIL("setsockopt %d %d %d: %m", level, name, value);
}

void sut_linger(int fd, int on, int seconds)
{
	struct linger l = { on, seconds };

	CHECK(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
}

/* Bind p->lfd (made here unless the test has made it) and listen. */
void sut_listen(struct peer *p, int backlog)
{
	union raw_addr a;
	socklen_t len;

	if (p->lfd < 0)
		p->lfd = sut_socket();
	sut_opt(p->lfd, SOL_SOCKET, SO_REUSEADDR, 1);
	len = raw_addr(&a, false, p->sut_port);
	if (bind(p->lfd, &a.sa, len))
		FAIL("bind: %m");
	if (listen(p->lfd, backlog))
		FAIL("listen: %m");
	CHECK(!getsockname(p->lfd, &a.sa, &len));
	p->sut_port = ntohs(raw.v6 ? a.v6.sin6_port : a.v4.sin_port);
}

int sut_poll(int fd, short events, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	if (poll(&pfd, 1, timeout_ms) < 0)
		FAIL("poll: %m");
	return pfd.revents;
}

int sut_accept(struct peer *p)
{
	int fd;

	if (!(sut_poll(p->lfd, POLLIN, WAIT_MS) & POLLIN))
		FAIL("nothing to accept");
	fd = accept4(p->lfd, NULL, NULL, SOCK_NONBLOCK);
	if (fd < 0)
		FAIL("accept: %m");
	p->fd = fd;
	raw_log("      accepted");
	return fd;
}

/* Start a connect() to the peer; p->fd is made here unless the test has. */
void sut_connect(struct peer *p)
{
	socklen_t len;
	union raw_addr a;

	if (p->fd < 0)
		p->fd = sut_socket();
	if (p->sut_port) {
		len = raw_addr(&a, false, p->sut_port);
		sut_opt(p->fd, SOL_SOCKET, SO_REUSEADDR, 1);
		if (bind(p->fd, &a.sa, len))
			FAIL("bind: %m");
	}
	len = raw_addr(&a, true, p->port);
	raw_log("      connect");
	if (connect(p->fd, &a.sa, len) != -1 || errno != EINPROGRESS)
		FAIL("connect: %m");
	len = sizeof(a);
	CHECK(!getsockname(p->fd, &a.sa, &len));
	p->sut_port = ntohs(raw.v6 ? a.v6.sin6_port : a.v4.sin_port);
}

int sut_connect_errno(struct peer *p, int timeout_ms)
{
	socklen_t len = sizeof(int);
	int err = -1;

	if (!sut_poll(p->fd, POLLOUT, timeout_ms + raw.slack_ms))
		FAIL("connect() has not ended");
	CHECK(!getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &len));
	raw_log("      connect: %s", strerror(err));
	return err;
}

static void learn_options(struct peer *p, const char *opts)
{
	p->ts = strstr(opts, " ts") || !strncmp(opts, "ts", 2);
}

void open_passive(struct peer *p, const char *opts)
{
	if (p->lfd < 0)
		sut_listen(p, 8);
	learn_options(p, opts);
	peer_tx(p, "S %s", opts);
	peer_rx(p, WAIT_MS, "SA ack=1");
	peer_tx(p, "A");
	sut_accept(p);
}

void open_active(struct peer *p, const char *opts)
{
	sut_connect(p);
	peer_rx(p, WAIT_MS, "S");
	learn_options(p, opts);
	peer_tx(p, "SA ack=1 %s", opts);
	peer_rx(p, WAIT_MS, "A seq=1 ack=1 len=0");
	CHECK_EQ(sut_connect_errno(p, WAIT_MS), 0);
}

void sut_write(struct peer *p, int len)
{
	u8 buf[65536];
	int n, i;

	CHECK(len <= (int)sizeof(buf));
	for (i = 0; i < len; i++)
		buf[i] = raw_pattern(p->wr_off + i);
	n = send(p->fd, buf, len, MSG_NOSIGNAL);
	raw_log("      write %d: %d", len, n);
	if (n != len)
		FAIL("write of %d: %d, %m", len, n);
	p->wr_off += len;
}

void sut_read(struct peer *p, int len)
{
	u8 buf[65536];
	int n, i;

	while (len > 0) {
		if (!(sut_poll(p->fd, POLLIN, WAIT_MS) & POLLIN))
			FAIL("%d bytes missing", len);
		n = read(p->fd, buf, len < (int)sizeof(buf) ? len : (int)sizeof(buf));
		raw_log("      read: %d", n);
		if (n <= 0)
			FAIL("read: %d, %m, %d bytes missing", n, len);
		for (i = 0; i < n; i++)
			if (buf[i] != raw_pattern(p->rd_off + i))
				FAIL("wrong byte at stream offset %u", p->rd_off + i);
		p->rd_off += n;
		len -= n;
	}
}

void sut_eof(struct peer *p)
{
	u8 c;

	if (!(sut_poll(p->fd, POLLIN, WAIT_MS) & POLLIN))
		FAIL("no end of file");
	CHECK_EQ(read(p->fd, &c, 1), 0);
}

int sut_read_errno(struct peer *p, int timeout_ms)
{
	u8 c;
	int n;

	if (!(sut_poll(p->fd, POLLIN, timeout_ms + raw.slack_ms) & POLLIN))
		FAIL("read() would still block");
	n = read(p->fd, &c, 1);
	if (n >= 0)
		FAIL("read: %d, not an error", n);
	raw_log("      read: %s", strerror(errno));
	return errno;
}

void sut_close(struct peer *p)
{
	raw_log("      close");
	CHECK(!close(p->fd));
	p->fd = -1;
}

void sut_shutdown(struct peer *p)
{
	raw_log("      shutdown(SHUT_WR)");
	CHECK(!shutdown(p->fd, SHUT_WR));
}

/* ---- what the stack shows of itself */

/**
 * sut_sysctl() - set a knob of the stack under test in this namespace
 * @name: file name below net/ipv4 or net/xtcp
 * @value: text
 *
 * Return: false if the stack has no such knob
 */
bool sut_sysctl(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/%s",
		 raw.xtcp ? "xtcp" : "ipv4", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		FAIL("%s: %m", path);
	close(fd);
	return true;
}

static FILE *open_table(void)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/net/%s%s", raw.xtcp ? "xtcp" : "tcp",
		 raw.v6 ? "6" : "");
	f = fopen(path, "r");
	if (!f)
		FAIL("%s: %m", path);
	return f;
}

/* The next row: ports and state. */
static bool next_row(FILE *f, unsigned int *lport, unsigned int *rport,
		     unsigned int *st)
{
	char line[512];

	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%x %x",
			   lport, rport, st) == 3)
			return true;
	return false;
}

int sut_state(struct peer *p)
{
	unsigned int lport, rport, st;
	FILE *f = open_table();
	int found = ST_NONE;

	while (next_row(f, &lport, &rport, &st))
		if (lport == p->sut_port && rport == p->port)
			found = st;
	fclose(f);
	return found;
}

int sut_count_state(int state)
{
	unsigned int lport, rport, st;
	FILE *f = open_table();
	int n = 0;

	while (next_row(f, &lport, &rport, &st))
		n += (int)st == state;
	fclose(f);
	return n;
}

/* No event tells an outsider of a state change: look again every 5 ms. */
void sut_wait_state(struct peer *p, int state, int timeout_ms)
{
	u64 end = raw_now_us() + (timeout_ms + raw.slack_ms) * 1000ull;
	int st;

	while ((st = sut_state(p)) != state) {
		if (raw_now_us() > end)
			FAIL("state is %d, not %d", st, state);
		poll(NULL, 0, 5);
	}
}

static long find_counter(const char *path, const char *name)
{
	char names[8192], values[8192];
	char *n, *v, *ns, *vs;
	long found = -1;
	FILE *f = fopen(path, "r");

	if (!f)
		FAIL("%s: %m", path);
	while (found < 0 && fgets(names, sizeof(names), f) &&
	       fgets(values, sizeof(values), f)) {
		/* the kernel's files count other protocols too */
		if (!raw.xtcp && strncmp(names, "Tcp", 3))
			continue;
		n = strtok_r(names, " \n", &ns);
		v = strtok_r(values, " \n", &vs);
		while (n && v && strcmp(n, name)) {
			n = strtok_r(NULL, " \n", &ns);
			v = strtok_r(NULL, " \n", &vs);
		}
		if (n && v)
			found = atol(v);
	}
	fclose(f);
	return found;
}

long sut_mib(const char *name)
{
	long v;

	if (raw.xtcp)
		return find_counter("/proc/net/xtcp_netstat", name);
	v = find_counter("/proc/net/netstat", name);
	return v >= 0 ? v : find_counter("/proc/net/snmp", name);
}

/* Objects in use of a slab cache, -1: no such file or cache. */
long sut_slab_objects(const char *name)
{
	char line[256], found[64];
	long n = -1, active;
	FILE *f = fopen("/proc/slabinfo", "r");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", found, &active) == 2 && !strcmp(found, name))
			n = active;
	fclose(f);
	return n;
}
