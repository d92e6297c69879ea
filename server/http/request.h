/*
 * request.h - one request, from its head to its answer, and the calls that can answer it.
 *
 * Here: what a handler is given, and what HTTP is told of the calls above it: struct call, one row
 * for each; struct http_calls, the table of them.
 * Not here: any particular call. Bytes (parser, connection), the order of things (exchange), how
 * answers are written (reply, problem).
 *
 * A connection has one request at a time. Its handler ends in one of three ways: it has answered
 * (reply_send, reply_send_parts or problem_send); it has called exchange_pend, and
 * exchange_complete follows later; or it has called reply_stream. Text of the request is borrowed
 * until the answer is written.
 */
#ifndef SERVER_HTTP_REQUEST_H
#define SERVER_HTTP_REQUEST_H

#include "schema/mem.h"
#include "server/http/auth.h"
#include "server/http/parser.h"

struct http;
struct connection;
struct request;
struct reply;
struct reply_slices; /* an answer that is written in slices: reply.c */
struct work; /* what a call keeps for one request; defined above HTTP, which only makes room for it
	      */

typedef void request_handler(struct request *request);

struct call {
	uint8_t method;   /* of llhttp; HEAD is answered like GET, without the body */
	const char *path; /* "{id}" stands for one segment */
	enum scope scope;
	request_handler *handle;
	bool takes_body;
	bool takes_lines; /* a body of application/x-ndjson too */
	bool takes_any;   /* a body of any type, or of none: its senders are not ours */
	bool bulky;       /* its answer may be large: refused while too much is buffered */
	/*
	 * It minds the agents of its caller. All others are refused to a caller that is for some
	 * agents, so that a new call tells nobody of other agents' queues.
	 */
	bool by_agent;
	/*
	 * It is open to everyone and says more to a token: request->scopes is what a token that is
	 * presented is good for, 0 without one; a wrong one is refused.
	 */
	bool minds_token;

	/*
	 * For calls that may take long, each NULL where it does not apply. Called only while
	 * request->state is set.
	 */
	request_handler *drained; /* a stream: the socket has taken everything that was sent */
	request_handler *hung_up; /* pending: the client is gone; complete the request soon */
	request_handler *free;    /* the request is over: free request->state */
};

/* Paths whose clients were not written for this server and expect refusals of their own form. */
struct webhook {
	struct str path; /* itself, and all below it */
	/* Writes and sends the refusal. reply has its status and headers. */
	void (*refuse)(struct request *request, struct reply *reply, const struct error *err);
};

/* All that HTTP knows of the calls. Constant. */
struct http_calls {
	const struct call *table;
	size_t count; /* at most HTTP_CALLS_MAX (http.h) */
	/*
	 * The row for a method and a path, and the undecoded {id}. NULL with ERROR_NOT_FOUND, or
	 * ERROR_METHOD_NOT_ALLOWED and the path's methods in allow ("GET, HEAD, POST").
	 */
	const struct call *(*find)(uint8_t method, struct str path, struct str *id, char allow[64],
				   struct error *err);
	const struct webhook *webhook; /* NULL: none */
	size_t work_bytes;             /* sizeof(struct work); zeroed once, for each connection */
	request_handler *clear;        /* frees what request->work holds, after each request */
	/* the memory that the answer needs until it is written, but for what is unsent */
	size_t (*held_bytes)(const struct request *request);
};

struct request {
	struct http *http;
	struct connection *connection;
	struct work *work;
	const struct call *call; /* NULL until routed, and for unknown paths */
	void *state;             /* of a call that takes long, for its hooks; NULL: none */
	uint8_t method;          /* of llhttp */
	bool http_1_0, close;    /* close: the connection ends with this answer */
	/* set exactly once; the answer may be made, counted and logged before it may be sent */
	bool answered;
	struct reply_slices *slices; /* NULL: the answer is made, or has only one */
	size_t held_bytes;           /* that the request holds for its slices */
	bool webhook;                /* the target is a path of the webhook's */
	bool lines;                  /* the body is application/x-ndjson */
	int retry_after_s;           /* of a refusal; 0: what its code says */
	int64_t began_us;            /* the head was read (clock_monotonic_us); 0: not noted */
	uint64_t address;            /* key of the client's address (peers.h); 0: none */
	struct str key_scope;        /* of its token (auth.h); NULL: no token is asked for */
	struct caller caller;        /* in the arena */
	unsigned scopes;             /* of its token; SCOPE_ALL: no token is asked for */
	struct str path, query, id;  /* id: the {id} of the path, decoded */
	struct str headers[HEADERS];
	struct str body;
	struct arena arena; /* decoded input; dies with the request */
	char allow[64];     /* methods of the path, after ERROR_METHOD_NOT_ALLOWED */
};

#endif
