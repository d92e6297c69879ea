/*
 * peers.h - how many connections each address has.
 *
 * Here: a count for each IPv4 address and each IPv6 /64 (one customer has that many addresses at
 * least).
 * Not here: the limit (connections).
 */
#ifndef SERVER_HTTP_PEERS_H
#define SERVER_HTTP_PEERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PEERS_BUCKETS 1024

struct peer {
	uint64_t key; /* family and address, or prefix */
	size_t connections;
	struct peer *next;
};

/* All zero is empty; it is empty again when every connection has left. */
struct peers {
	struct peer *buckets[PEERS_BUCKETS];
};

/* Counts one connection more or one less. NULL for unix sockets, whose clients have no address. */
struct peer *peers_enter(struct peers *peers, const struct sockaddr *address);
void peers_leave(struct peers *peers, struct peer *peer);

#endif
