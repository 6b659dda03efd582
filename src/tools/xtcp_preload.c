// SPDX-License-Identifier: GPL-2.0
/*
 * libxtcp-preload.so: makes an unmodified program use AF_XTCP.
 *
 * socket() is interposed, and only for TCP over IPv4 or IPv6. AF_XTCP sockets
 * report AF_INET and AF_INET6 addresses, so every later call goes straight to
 * the kernel and costs nothing extra; but for setsockopt(), since SO_ZEROCOPY has
 * another name where the kernel refuses it.
 *
 * Environment, set by xtcp-run:
 *	XTCP_FALLBACK	any value: use kernel TCP when AF_XTCP is not there
 *	XTCP_FAMILY	address family number, if the module was loaded with family=
 */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/xtcp.h>

#define EXPORT __attribute__((visibility("default")))

typedef int (*socket_fn)(int domain, int type, int protocol);
typedef int (*setsockopt_fn)(int fd, int level, int name, const void *val, socklen_t len);

/* __atomic: any thread may be the first */
static void *next_socket, *next_setsockopt;
static atomic_bool told;
static bool fallback;
static int family = AF_XTCP;

/*
 * The environment is read once, before the program's main() can change it. A
 * constructor that runs before this one may call socket(): it gets the defaults.
 */
__attribute__((constructor)) static void preload_init(void)
{
	const char *number = getenv("XTCP_FAMILY");

	fallback = !!getenv("XTCP_FALLBACK");
	if (number && atoi(number) > 0)
		family = atoi(number);
}

/* The next of that name in the search order: libc's, or another interposer's. */
static void *preload_next(const char *name, void **cache)
{
	void *fn = __atomic_load_n(cache, __ATOMIC_RELAXED);

	if (!fn) {
		fn = dlsym(RTLD_NEXT, name);
		__atomic_store_n(cache, fn, __ATOMIC_RELAXED);
	}
	return fn;
}

/* One line per process; a process that opens 10,000 sockets needs no more. */
static void preload_tell(int error)
{
	if (atomic_exchange(&told, true))
		return;
	dprintf(STDERR_FILENO, "xtcp-run: %s[%d]: no AF_XTCP socket: %s%s; %s\n",
		program_invocation_short_name, (int)getpid(), strerror(error),
		error == EAFNOSUPPORT ? " (is the xtcp module loaded?)" : "",
		fallback ? "using kernel TCP" : "not falling back to kernel TCP");
}

static bool preload_wants(int domain, int type, int protocol)
{
	return (domain == AF_INET || domain == AF_INET6) &&
	       (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_STREAM &&
	       (protocol == 0 || protocol == IPPROTO_TCP);
}

/* Errors that kernel TCP would have given as well: the program knows them. */
static bool preload_usual(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM ||
	       error == ENOBUFS || error == EINTR;
}

/**
 * socket - create a socket, AF_XTCP in place of TCP
 * @domain: address family
 * @type: SOCK_STREAM and so on, with SOCK_CLOEXEC and SOCK_NONBLOCK
 * @protocol: 0 or a protocol number
 *
 * Context: any thread, also in the child of a fork; takes no lock.
 * Return: a descriptor, or -1 with errno.
 */
EXPORT int socket(int domain, int type, int protocol)
{
	/* POSIX lets a data pointer become a function pointer here. */
	socket_fn next = (socket_fn)preload_next("socket", &next_socket);
	int saved_errno = errno;
	int fd, error;

	if (!next) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	if (!preload_wants(domain, type, protocol))
		return next(domain, type, protocol);

	fd = next(family, type, domain == AF_INET ? XTCP_PROTO_IPV4 : XTCP_PROTO_IPV6);
	if (fd >= 0)
		return fd;
	error = errno;
	if (!preload_usual(error)) {
		preload_tell(error);
		if (fallback) {
			errno = saved_errno;
			return next(domain, type, protocol);
		}
	}
	errno = error;
	return -1;
}

/**
 * setsockopt - set an option, SO_ZEROCOPY also where the kernel knows only its own TCP
 * @fd: socket
 * @level: SOL_SOCKET and so on
 * @name: option
 * @val: value
 * @len: its length
 *
 * Context: any thread, also in the child of a fork; takes no lock.
 * Return: 0, or -1 with errno.
 */
EXPORT int setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	setsockopt_fn next = (setsockopt_fn)preload_next("setsockopt", &next_setsockopt);
	int ret;

	if (!next) {
		errno = ENOPROTOOPT;
		return -1;
	}
	ret = next(fd, level, name, val, len);
	if (!ret || level != SOL_SOCKET || name != SO_ZEROCOPY || errno != EOPNOTSUPP)
		return ret;
	ret = next(fd, SOL_XTCP, XTCP_ZEROCOPY, val, len);
	if (ret && errno != EINVAL)	/* no socket of ours */
		errno = EOPNOTSUPP;
	return ret;
}
