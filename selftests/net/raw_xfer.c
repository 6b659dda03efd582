// SPDX-License-Identifier: GPL-2.0
/*
 * Transfers whose every byte is checked, between kernel TCP and AF_XTCP in any
 * combination: raw_xfer serve | put | get | echo | churn. See usage().
 *
 * A connection starts with a header: what, how much, and the seed of the byte
 * stream. Both ends know the stream, so both say where it went wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/xtcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 65536
#define MAGIC 0x78746370u

enum op { OP_PUT = 1, OP_GET, OP_ECHO };

struct header {
	uint32_t magic, op;
	uint64_t size;		/* bytes, or rounds of an echo */
	uint64_t seed;
};

static struct options {
	bool xtcp;
	int ip, conns, timeout_s, buf, mss, pause_ms, gap_ms;
	const char *addr, *port;
	uint64_t size;
} opt = { .ip = 4, .conns = 1, .timeout_s = 60, .addr = NULL, .port = "7000", .size = 1000000 };

static atomic_bool stop;
static atomic_long n_done, n_bad;

static void complain(const char *what)
{
	fprintf(stderr, "# raw_xfer: %s: %s\n", what, strerror(errno));
}

/* ---- the stream: splitmix64, eight bytes at a time */

static uint64_t word_at(uint64_t seed, uint64_t n)
{
	uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void stream_fill(uint8_t *buf, size_t len, uint64_t seed, uint64_t off)
{
	size_t i;

	for (i = 0; i < len; i++, off++)
		buf[i] = word_at(seed, off / 8) >> (off % 8 * 8);
}

static bool send_all(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static bool recv_all(int fd, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = recv(fd, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (!n)
			errno = ENODATA;
		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static bool send_stream(int fd, uint64_t size, uint64_t seed)
{
	static __thread uint8_t buf[CHUNK];
	uint64_t off;

	for (off = 0; off < size;) {
		size_t n = size - off < CHUNK ? size - off : CHUNK;

		stream_fill(buf, n, seed, off);
		if (!send_all(fd, buf, n))
			return false;
		off += n;
	}
	return true;
}

static bool check_stream(int fd, uint64_t size, uint64_t seed)
{
	static __thread uint8_t got[CHUNK], want[CHUNK];
	uint64_t off;

	for (off = 0; off < size;) {
		size_t n = size - off < CHUNK ? size - off : CHUNK;
		ssize_t r = recv(fd, got, n, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (!r)
			errno = ENODATA;
		if (r <= 0) {
			fprintf(stderr, "# raw_xfer: %" PRIu64 " of %" PRIu64 " bytes came\n",
				off, size);
			return false;
		}
		stream_fill(want, r, seed, off);
		if (memcmp(got, want, r)) {
			fprintf(stderr, "# raw_xfer: wrong byte after %" PRIu64 "\n", off);
			errno = EILSEQ;
			return false;
		}
		off += r;
	}
	return true;
}

static bool at_eof(int fd)
{
	uint8_t c;
	ssize_t n = recv(fd, &c, 1, 0);

	if (n > 0)
		errno = EILSEQ;
	return n == 0;
}

/* ---- sockets */

static int make_socket(void)
{
	struct timeval tv = { .tv_sec = opt.timeout_s };
	int fd;

	if (opt.xtcp)
		fd = socket(AF_XTCP, SOCK_STREAM | SOCK_CLOEXEC,
			    opt.ip == 6 ? XTCP_PROTO_IPV6 : XTCP_PROTO_IPV4);
	else
		fd = socket(opt.ip == 6 ? AF_INET6 : AF_INET,
			    SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (opt.buf) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &opt.buf, sizeof(opt.buf));
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &opt.buf, sizeof(opt.buf));
	}
	if (opt.mss)
		setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &opt.mss, sizeof(opt.mss));
	return fd;
}

static struct addrinfo *resolve(const char *addr)
{
	struct addrinfo hints = {
		.ai_family = opt.ip == 6 ? AF_INET6 : AF_INET,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | (addr ? 0 : AI_PASSIVE),
	}, *ai = NULL;

	if (getaddrinfo(addr, opt.port, &hints, &ai)) {
		fprintf(stderr, "# raw_xfer: bad address\n");
		exit(2);
	}
	return ai;
}

/* ---- server */

static bool serve_echo(int fd, uint64_t rounds)
{
	uint8_t buf[64];

	while (rounds--)
		if (!recv_all(fd, buf, sizeof(buf)) || !send_all(fd, buf, sizeof(buf)))
			return false;
	return true;
}

static void *serve_one(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct header h;
	bool ok;

	ok = recv_all(fd, &h, sizeof(h)) && h.magic == MAGIC;
	if (ok && h.op == OP_PUT)
		ok = check_stream(fd, h.size, h.seed) && at_eof(fd) &&
		     send_all(fd, &h.seed, sizeof(h.seed));
	else if (ok && h.op == OP_GET)
		ok = send_stream(fd, h.size, h.seed);
	else if (ok)
		ok = serve_echo(fd, h.size) && at_eof(fd);
	if (!ok)
		complain("serving");
	atomic_fetch_add(ok ? &n_done : &n_bad, 1);
	close(fd);
	return NULL;
}

static void on_term(int sig)
{
	(void)sig;
	stop = true;
}

static int serve(void)
{
	struct addrinfo *ai = resolve(opt.addr);
	int fd = make_socket(), one = 1, conn;
	struct timeval forever = { 0 };
	pthread_attr_t attr;
	pthread_t tid;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, 128)) {
		complain("listening");
		return 1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 512 * 1024);
	printf("ready\n");
	fflush(stdout);
	while (!stop) {
		struct timeval tv = { .tv_sec = opt.timeout_s };

		conn = accept(fd, NULL, NULL);
		if (conn < 0) {
			if (errno != EINTR && errno != ECONNABORTED)
				complain("accept");
			continue;
		}
		setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		if (pthread_create(&tid, &attr, serve_one, (void *)(intptr_t)conn)) {
			complain("thread");
			close(conn);
		}
	}
	close(fd);
	printf("served %ld bad %ld\n", n_done, n_bad);
	return n_bad != 0;
}

/* ---- client */

static bool echo_rounds(int fd, const struct header *h)
{
	uint8_t out[64], in[64];
	uint64_t i;

	for (i = 0; i < h->size; i++) {
		stream_fill(out, sizeof(out), h->seed, i * sizeof(out));
		if (!send_all(fd, out, sizeof(out)) || !recv_all(fd, in, sizeof(in)))
			return false;
		if (memcmp(in, out, sizeof(in))) {
			errno = EILSEQ;
			return false;
		}
		poll(NULL, 0, opt.gap_ms);
	}
	return true;
}

static bool exchange(const struct addrinfo *ai, int op, uint64_t size)
{
	static atomic_ulong count;
	struct header h = { MAGIC, op, size, word_at(getpid(), count++) };
	int fd = make_socket();
	uint64_t back = 0;
	bool ok;

	if (fd < 0) {
		complain("socket");
		return false;
	}
	if (connect(fd, ai->ai_addr, ai->ai_addrlen)) {
		complain("connect");
		close(fd);
		return false;
	}
	ok = send_all(fd, &h, sizeof(h));
	if (ok && op == OP_PUT)
		ok = send_stream(fd, size, h.seed) && !shutdown(fd, SHUT_WR) &&
		     recv_all(fd, &back, sizeof(back)) && back == h.seed && at_eof(fd);
	else if (ok && op == OP_GET)
		ok = check_stream(fd, size, h.seed) && at_eof(fd);
	else if (ok)
		ok = echo_rounds(fd, &h) && !shutdown(fd, SHUT_WR) && at_eof(fd);
	if (!ok)
		complain("exchange");
	close(fd);
	return ok;
}

struct worker {
	pthread_t tid;
	int op;
	bool churn;
};

static void *client_thread(void *arg)
{
	struct worker *w = arg;
	struct addrinfo *ai = resolve(opt.addr);

	do {
		bool ok = exchange(ai, w->op, opt.size);

		atomic_fetch_add(ok ? &n_done : &n_bad, 1);
		poll(NULL, 0, opt.pause_ms);
	} while (w->churn && !stop);
	freeaddrinfo(ai);
	return NULL;
}

/* put, get and echo: once per connection; churn: echoes until SIGTERM. */
static int client(int op, bool churn)
{
	struct worker *w = calloc(opt.conns, sizeof(*w));
	struct timespec t0, t1;
	double s;
	int i;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (i = 0; w && i < opt.conns; i++) {
		w[i].op = op;
		w[i].churn = churn;
		if (pthread_create(&w[i].tid, NULL, client_thread, &w[i]))
			return 1;
	}
	if (churn) {
		printf("ready\n");
		fflush(stdout);
	}
	for (i = 0; w && i < opt.conns; i++)
		pthread_join(w[i].tid, NULL);
	free(w);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	s = t1.tv_sec - t0.tv_sec + (t1.tv_nsec - t0.tv_nsec) / 1e9;
	printf("done %ld bad %ld in %.1f s\n", n_done, n_bad, s);
	return n_bad || !n_done;
}

/* How a connect() ends, by errno name's number: for firewall tests. */
static int try_connect(void)
{
	struct addrinfo *ai = resolve(opt.addr);
	int fd = make_socket();

	if (fd < 0 || connect(fd, ai->ai_addr, ai->ai_addrlen))
		printf("%s\n", strerrorname_np(errno));
	else
		printf("0\n");
	return 0;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: raw_xfer serve|put|get|echo|churn|connect [options]\n"
		"  --family tcp|xtcp   the socket's family (tcp)\n"
		"  --ip 4|6            (4)\n"
		"  --addr A --port P   where to listen or connect (any, 7000)\n"
		"  --size N            bytes; rounds of 64 bytes for echo and churn\n"
		"  --conns N           connections at a time (1)\n"
		"  --buf N             SO_SNDBUF and SO_RCVBUF\n"
		"  --mss N             TCP_MAXSEG\n"
		"  --pause MS          between two connections of a churn (0)\n"
		"  --gap MS            between two rounds of an echo (0)\n"
		"  --timeout S         of a send or receive (60)\n"
		"serve prints \"ready\", and at SIGTERM what it has served; churn repeats echo\n"
		"until SIGTERM; connect prints the name of its errno, or 0.\n");
	exit(2);
}

static void parse_options(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "family", 1, NULL, 'f' }, { "ip", 1, NULL, 'i' },
		{ "addr", 1, NULL, 'a' }, { "port", 1, NULL, 'p' },
		{ "size", 1, NULL, 's' }, { "conns", 1, NULL, 'c' },
		{ "buf", 1, NULL, 'b' }, { "timeout", 1, NULL, 't' },
		{ "mss", 1, NULL, 'm' }, { "pause", 1, NULL, 'w' },
		{ "gap", 1, NULL, 'g' }, { NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (c) {
		case 'f':
			opt.xtcp = !strcmp(optarg, "xtcp");
			break;
		case 'i':
			opt.ip = atoi(optarg);
			break;
		case 'a':
			opt.addr = optarg;
			break;
		case 'p':
			opt.port = optarg;
			break;
		case 's':
			opt.size = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			opt.conns = atoi(optarg);
			break;
		case 'b':
			opt.buf = atoi(optarg);
			break;
		case 'm':
			opt.mss = atoi(optarg);
			break;
		case 'w':
			opt.pause_ms = atoi(optarg);
			break;
		case 'g':
			opt.gap_ms = atoi(optarg);
			break;
		case 't':
			opt.timeout_s = atoi(optarg);
			break;
		default:
			usage();
		}
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	const char *what;

	if (argc < 2)
		usage();
	what = argv[1];
	parse_options(argc - 1, argv + 1);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (!strcmp(what, "serve"))
		return serve();
	if (!strcmp(what, "put"))
		return client(OP_PUT, false);
	if (!strcmp(what, "get"))
		return client(OP_GET, false);
	if (!strcmp(what, "echo"))
		return client(OP_ECHO, false);
	if (!strcmp(what, "churn"))
		return client(OP_ECHO, true);
	if (!strcmp(what, "connect"))
		return try_connect();
	usage();
}
