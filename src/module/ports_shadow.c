// SPDX-License-Identifier: GPL-2.0
/*
 * Shadows: kernel TCP sockets that keep a port of ours from the kernel's own
 * programs.
 *
 * A shadow is bound with the SO_REUSEADDR of our sock, so that it gets past
 * what a kernel socket in its place would get past (TIME-WAIT, say), listens
 * for a moment, which fails if a kernel program listens there and withdraws the
 * port's fast path for SO_REUSEADDR, and then is left bound, not listening,
 * and without SO_REUSEADDR: from then on every bind() and listen() of the
 * kernel's is refused, and there is no listener a segment could find. When
 * only leftovers of ours (connections, TIME-WAIT) use the port, the shadow
 * gets the SO_REUSEADDR of the sock that had bound it, so that a kernel
 * program may restart over them exactly as over the kernel's own.
 */
#include "ports.h"

#include <linux/net.h>

/**
 * shadow_create - a kernel TCP socket, not bound yet
 * @net: namespace; the socket holds no reference to it
 * @k: family, device
 *
 * Return: the socket or an ERR_PTR. Process context.
 */
struct socket *shadow_create(struct net *net, const struct port_key *k)
{
	struct socket *shadow;
	int err;

	err = sock_create_kern(net, k->family, SOCK_STREAM, IPPROTO_TCP, &shadow);
	/* memory short for its inode is ENFILE, which bind() and connect() do not know */
	if (err)
		return ERR_PTR(err == -ENFILE ? -ENOBUFS : err);
	/* what our sock was allowed to bind, its shadow is */
	inet_set_bit(FREEBIND, shadow->sk);
	shadow->sk->sk_ipv6only = k->v6only;
	if (k->dev) {
		err = sock_bindtoindex(shadow->sk, k->dev, true);
		if (err) {
			sock_release(shadow);
			return ERR_PTR(err);
		}
	}
	return shadow;
}

/**
 * shadow_bind - take the address and port
 * @shadow: not bound; stays so on error
 * @k: address
 * @port: host order
 * @reuse: get past what SO_REUSEADDR gets past
 *
 * Return: 0 or -errno, -EADDRINUSE if the kernel has it. Process context.
 */
int shadow_bind(struct socket *shadow, const struct port_key *k, u16 port, bool reuse)
{
	struct sockaddr_in6 a6 = {};
	struct sockaddr_in a4 = {};

	shadow_set_reuse(shadow, reuse);
	if (k->family == AF_INET) {
		a4.sin_family = AF_INET;
		a4.sin_port = htons(port);
		a4.sin_addr.s_addr = k->v4;
		return kernel_bind(shadow, (struct sockaddr_unsized *)&a4, sizeof(a4));
	}
	a6.sin6_family = AF_INET6;
	a6.sin6_port = htons(port);
	a6.sin6_addr = k->v6;
	a6.sin6_scope_id = k->dev;
	return kernel_bind(shadow, (struct sockaddr_unsized *)&a6, sizeof(a6));
}

/**
 * shadow_claim - make a bound shadow exclusive
 * @shadow: bound
 *
 * Return: 0 or -EADDRINUSE, if somebody of the kernel's listens. Process context.
 */
int shadow_claim(struct socket *shadow)
{
	int err = kernel_listen(shadow, 0);

	if (err)
		return err;
	err = kernel_sock_shutdown(shadow, SHUT_RDWR);
	shadow_set_reuse(shadow, false);
	return err;
}

/**
 * shadow_set_reuse - let the kernel's SO_REUSEADDR binds past, or not
 * @shadow: nobody but us sees the socket, so that its lock is not needed
 * @reuse: new value
 *
 * Any context.
 */
void shadow_set_reuse(struct socket *shadow, bool reuse)
{
	shadow->sk->sk_reuse = reuse ? SK_CAN_REUSE : SK_NO_REUSE;
}
