/*
 * request.h - one request, from its head to its answer.
 *
 * Here: what a handler is given: the call, the fields, the body, room for its op. One at a time for
 * each connection. Not here: bytes (parser, connection), reading fields (field), writing answers
 * (reply, problem).
 *
 * A handler ends in one of three ways: it has answered (reply or problem, at once); it has
 * submitted its op and will answer in the function it named, or submit another there; or it has
 * begun a stream. Text of the request is borrowed until the answer has been written.
 */
#ifndef SERVER_HTTP_REQUEST_H
#define SERVER_HTTP_REQUEST_H

#include "queue/op.h"
#include "server/http/parser.h"

struct server;
struct connection;
struct request;

typedef void request_handler(struct request *request);

struct request {
	struct server *server;
	struct connection *connection;
	const struct call *call; /* NULL until routed, and for unknown paths */
	uint8_t method;          /* of llhttp */
	bool http_1_0, close;    /* close: the connection ends with this answer */
	/* exactly once; the answer may be made, counted and logged before it may be sent */
	bool answered;
	/* for the path of OpenClaw's webhook, which has answers of its own shape */
	bool hook;
	int retry_after_s;          /* of a refusal; 0: what its code says */
	uint64_t address;           /* of the client, to count what it tries */
	struct str path, query, id; /* id: the {id} of the path, decoded */
	struct str headers[HEADERS];
	struct str body;
	bool lines;                  /* the body is application/x-ndjson */
	struct arena arena;          /* decoded input; dies with the request */
	char allow[64];              /* methods of the path, where this one is none */
	request_handler *answer;     /* writes the answer of an op that succeeded */
	request_handler *fail;       /* of one that failed; NULL: the plain problem */
	struct selection *selection; /* history.c: what is to be requeued; in the arena */
	struct waiter *waiter;       /* its op may wait for long (wait.h); NULL: it does not */
	struct reader *reader;       /* its answer is a stream (stream.h); NULL: it is not */
	union {
		struct op op;
		struct enqueue_op enqueue;
		struct drain_op drain;
		struct consume_op consume;
		struct peek_op peek;
		struct find_op find;
		struct withdraw_op withdraw;
		struct purge_op purge;
		struct sessions_op sessions;
		struct lease_take_op lease_take;
		struct lease_change_op lease;
		struct wait_op wait;
		struct history_op history;
		struct requeue_op requeue;
	};
};

/*
 * Hands the request's op to the engine. answer is called when it has succeeded, fail (or a problem)
 * when not.
 */
void request_submit(struct request *request, request_handler *answer, request_handler *fail);

/*
 * The same for a call whose answer ends it, and is not much longer than the request: if that is
 * short, the answer is made ready while the disk is at work on what it tells.
 */
void request_submit_prepared(struct request *request, request_handler *answer);

/*
 * Takes an op back that waits in the engine, and answers as if it had come back. False: it does not
 * wait there (now).
 */
bool request_cancel_wait(struct request *request);

#endif
