/*
 * handshake.c - TLS handshakes, their cost, and their failures.
 *
 * A step with a private key costs as much as hundreds of requests, and which clients come nobody
 * knows before it. So it counts as work of the turn, by the processor time it takes: in a flood of
 * handshakes every turn does a few, and the requests of others besides.
 */
#include "server/http/handshake.h"

#include "queue/clock.h"
#include "server/log.h"

#define TOLD_MS 10000
#define TOLD_MAX 10 /* failures that are told in that time; the metric counts all */

static void
tell(struct connection *c, const char *why)
{
	struct handshakes_told *told = &c->http->handshakes_told;
	struct endpoint peer = { .len = sizeof(struct sockaddr_in6) };
	char address[ENDPOINT_TEXT_BYTES] = "?";

	if (clock_coarse_ms() - told->since_ms >= TOLD_MS)
		*told = (struct handshakes_told){ .since_ms = clock_coarse_ms() };
	if (told->count++ >= TOLD_MAX)
		return;
	if (getpeername(c->wire.fd, &peer.any, &peer.len) == 0)
		endpoint_format(&peer, address);
	log_line(LOG_WARN, log_msg("TLS handshake failed"), log_text("client", address),
		 log_text("detail", why));
}

static void
fail(struct connection *c, const char *why)
{
	c->http->stats.tls_failures++;
	tell(c, why);
	connection_close(c);
}

void
handshake_go_on(struct connection *c)
{
	int64_t began_us = clock_processor_us();
	struct error err;
	enum tls_step step = wire_handshake(&c->wire, c->http->tls, &err);

	c->http->turn_work += (size_t)(clock_processor_us() - began_us);
	if (step == TLS_FAILED)
		fail(c, err.detail);
	else if (step == TLS_GONE) {
		c->http->stats.hang_ups++;
		connection_close(c);
	}
}

void
handshake_time_out(struct connection *c)
{
	fail(c, "it took longer than --header-timeout-ms");
}
