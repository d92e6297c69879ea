/*
 * request.h - one request, from its head to its answer.
 *
 * Here: what a handler is given: the call, the fields, the body, room for its op. One at a time for each connection.
 * Not here: bytes (parser, connection), reading fields (field), writing answers (reply, problem).
 *
 * A handler ends in one of three ways: it has answered (reply or problem, at once); it has submitted its op and will
 * answer in the function it named, or submit another there; or it has begun a stream. Text of the request is borrowed until
 * the answer has been written.
 */
#ifndef SEVQ_SERVER_HTTP_REQUEST_H
#define SEVQ_SERVER_HTTP_REQUEST_H

#include "queue/op.h"
#include "server/http/parser.h"

struct sevq_server;
struct sevq_connection;
struct sevq_request;

typedef void sevq_handler(struct sevq_request *request);

struct sevq_request {
	struct sevq_server *server;
	struct sevq_connection *connection;
	const struct sevq_call *call;    /* NULL until routed, and for unknown paths */
	uint8_t method;                  /* of llhttp */
	bool http_1_0, close;            /* close: the connection ends with this answer */
	bool answered;                   /* exactly once; the answer may be made, counted and logged before it may be sent */
	bool hook;                       /* for the path of OpenClaw's webhook, which has answers of its own shape */
	int retry_after_s;               /* of a refusal; 0: what its code says */
	uint64_t address;                /* of the client, to count what it tries */
	struct sevq_str path, query, id; /* id: the {id} of the path, decoded */
	struct sevq_str headers[SEVQ_HEADERS];
	struct sevq_str body;
	bool lines;                       /* the body is application/x-ndjson */
	struct sevq_arena arena;          /* decoded input; dies with the request */
	char allow[64];                   /* methods of the path, where this one is none */
	sevq_handler *answer;             /* writes the answer of an op that succeeded */
	sevq_handler *fail;               /* of one that failed; NULL: the plain problem */
	struct sevq_selection *selection; /* history.c: what is to be requeued; in the arena */
	struct sevq_waiter *waiter;       /* its op may wait for long (wait.h); NULL: it does not */
	struct sevq_reader *reader;       /* its answer is a stream (stream.h); NULL: it is not */
	union {
		struct sevq_op op;
		struct sevq_enqueue enqueue;
		struct sevq_drain drain;
		struct sevq_consume consume;
		struct sevq_peek peek;
		struct sevq_find find;
		struct sevq_withdraw withdraw;
		struct sevq_purge purge;
		struct sevq_sessions sessions;
		struct sevq_lend lend;
		struct sevq_lease_op lease;
		struct sevq_wait wait;
		struct sevq_history history;
		struct sevq_requeue requeue;
	};
};

/* Hands the request's op to the engine. answer is called when it has succeeded, fail (or a problem) when not. */
void sevq_request_submit(struct sevq_request *request, sevq_handler *answer, sevq_handler *fail);

/*
 * The same for a call whose answer ends it, and is not much longer than the request: if that is short, the answer is made ready
 * while the disk is at work on what it tells.
 */
void sevq_request_submit_short(struct sevq_request *request, sevq_handler *answer);

/* Takes an op back that waits in the engine, and answers as if it had come back. False: it does not wait there (now). */
bool sevq_request_take_back(struct sevq_request *request);

#endif
