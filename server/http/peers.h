/*
 * peers.h - how many connections each address has.
 *
 * Here: a count for each IPv4 address and each IPv6 /64 (one customer has that many addresses at least).
 * Not here: the limit (connection).
 */
#ifndef SEVQ_SERVER_HTTP_PEERS_H
#define SEVQ_SERVER_HTTP_PEERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SEVQ_PEERS_BUCKETS 1024

struct sevq_peer {
	uint64_t key; /* family and address, or prefix */
	size_t connections;
	struct sevq_peer *next;
};

/* All zero is empty; it is empty again when every connection has left. */
struct sevq_peers {
	struct sevq_peer *buckets[SEVQ_PEERS_BUCKETS];
};

/* Counts one connection more or one less. NULL for unix sockets, whose clients have no address. */
struct sevq_peer *sevq_peers_enter(struct sevq_peers *peers, const struct sockaddr *address);
void sevq_peers_leave(struct sevq_peers *peers, struct sevq_peer *peer);

#endif
