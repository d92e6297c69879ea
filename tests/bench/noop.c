/*
 * noop.c - sevqd, but a post is answered at once with the same words, and queued nowhere: the
 * ceiling of its connection code.
 *
 * Sockets, parser, admission and token check are the real ones; only the table of calls is compiled
 * anew, with the handler here for events_post (meson.build gives both another name). The answer is
 * as long as one to a post of the load generator.
 */
#include "server/calls/calls.h"
#include "server/http/reply.h"
#include "server/serve.h"

/* The real server's answer to such an event. */
#define ANSWER                                                                                     \
	"{\"outcome\":\"queued\",\"event\":{\"id\":\"1000000\",\"sessionKey\":\"agent:main:bench:" \
	"00000000\","                                                                              \
	"\"originalSessionKey\":\"agent:main:bench:00000000\",\"rule\":\"keep\",\"text\":\"Exec "  \
	"completed (build 0000000000 of "                                                          \
	"1000000000000000, code 0) "                                                               \
	"event event event event event event event event event event event event event event "     \
	"ev\","                                                                                    \
	"\"ts\":1795378366674,\"contextKey\":null,\"deliveryContext\":null,"                       \
	"\"source\":null,\"wake\":\"next-heartbeat\","                                             \
	"\"attempts\":0,"                                                                          \
	"\"availableAt\":1795378366674,\"expiresAt\":null,\"traceparent\":null,\"state\":"         \
	"\"queued\"}}"

void
events_post(struct request *request)
{
	struct reply reply = { .status = 201, .extra = "Location: /v1/events/1000000\r\n" };

	buf_add(reply_begin(request), ANSWER, sizeof(ANSWER) - 1);
	reply_send(request, &reply);
}

int
main(int argc, char **argv)
{
	return serve_main(argc, argv);
}
