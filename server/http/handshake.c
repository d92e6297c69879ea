/*
 * handshake.c - TLS handshakes, their cost, and their failures.
 *
 * A step with a private key costs as much as hundreds of requests, and which clients come nobody
 * knows before it. So it counts as work of the turn, by the processor time it takes: in a flood of
 * handshakes every turn does a few, and the requests of others besides.
 */
#include "server/http/handshake.h"

#include "queue/clock.h"
#include "server/http/access_log.h"
#include "server/log.h"

static void
tell(struct connection *c, const char *why)
{
	char peer[ENDPOINT_TEXT_BYTES];

	if (log_enabled(LOG_WARN) && log_limit_allows(&c->http->failed_handshakes))
		log_line(LOG_WARN, log_msg("TLS handshake failed"), access_log_peer(c, peer),
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
