/*
 * error.h - every way a request or a start can fail, and how a failure travels.
 *
 * Here: one code per failure a caller can tell apart (DESIGN section 3), and the record that carries it upward.
 * Not here: HTTP statuses (server/problem), exit codes (server/serve), logging.
 */
#ifndef SEVQ_SCHEMA_ERROR_H
#define SEVQ_SCHEMA_ERROR_H

#include <stddef.h>

enum sevq_code {
	SEVQ_OK = 0,
	SEVQ_BLANK_KEY,              /* a session key that is empty after trimming; nothing changed */
	SEVQ_MALFORMED_KEY,          /* starts with "agent:" but does not parse; nothing changed */
	SEVQ_OWNER_UNRESOLVED,       /* a bare key and the policy names no single owner */
	SEVQ_OWNER_MISMATCH,         /* agent key and agentId name different agents */
	SEVQ_INVALID_JSON,           /* the text is not JSON; detail says where */
	SEVQ_INVALID_FIELD,          /* well-formed, but a field or parameter is unknown, missing or out of bounds */
	SEVQ_BAD_REQUEST,            /* HTTP framing or target that we refuse */
	SEVQ_UNAUTHORIZED,           /* no token, or a wrong one */
	SEVQ_FORBIDDEN,              /* the browser or the token's scope says no */
	SEVQ_NOT_FOUND,              /* no such path or event */
	SEVQ_METHOD_NOT_ALLOWED,     /* the path exists, the method does not */
	SEVQ_TIMEOUT,                /* the client was too slow */
	SEVQ_CONFLICT,               /* the state does not allow it (lost lease, settled event) */
	SEVQ_TOO_LARGE,              /* body or batch over its limit */
	SEVQ_URI_TOO_LONG,           /* request target over its limit */
	SEVQ_UNSUPPORTED_MEDIA_TYPE, /* a body that is not JSON */
	SEVQ_EXPECTATION_FAILED,     /* an Expect we do not know */
	SEVQ_MISDIRECTED,            /* Host is not ours */
	SEVQ_IDEMPOTENCY_MISMATCH,   /* the key was used for another request */
	SEVQ_QUEUE_FULL,             /* a depth, session or total limit; retry later */
	SEVQ_HEADERS_TOO_LARGE,      /* request headers over their limit */
	SEVQ_NOT_IMPLEMENTED,        /* a transfer coding we do not speak */
	SEVQ_HTTP_VERSION,           /* neither HTTP/1.0 nor HTTP/1.1 */
	SEVQ_STORAGE_FAILED,         /* the store could not read or write; nothing changed */
	SEVQ_STORAGE_FULL,           /* no space for an event; nothing changed */
	SEVQ_STORAGE_UNKNOWN,        /* a commit of unknown outcome: the process must stop (C8) */
	SEVQ_CLOSING,                /* shutting down */
	/* start-up only */
	SEVQ_STORAGE_FOREIGN, /* the file is not a sevq database */
	SEVQ_STORAGE_NEWER,   /* the file was written by a newer version; untouched */
	SEVQ_STORAGE_LOCKED,  /* another server has it open, or somebody writes to it */
	SEVQ_STORAGE_CORRUPT, /* the file is damaged */
	SEVQ_CONFIG,          /* an option, config or policy file is wrong; line and column where known */
	SEVQ_USAGE,           /* the command line is wrong */
	SEVQ_CODE_COUNT
};

#define SEVQ_DETAIL_BYTES 256
#define SEVQ_POINTER_BYTES 96

/* Lives on the caller's stack. Written only by the functions below. */
struct sevq_error {
	enum sevq_code code;
	int line, column;                 /* 1-based position in a text; 0 when there is none */
	char pointer[SEVQ_POINTER_BYTES]; /* RFC 6901 pointer or parameter name of the bad field, else "" */
	char detail[SEVQ_DETAIL_BYTES];   /* one English sentence without the final stop; valid UTF-8, cut if too long */
};

/* Fills err (NULL is allowed) and returns -1, so that failing is one statement. */
int sevq_fail(struct sevq_error *err, enum sevq_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, for a field: pointer as in struct sevq_error ("/text"). */
int sevq_fail_field(struct sevq_error *err, const char *pointer, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The code's public name ("blank-key"), as it stands in problems and logs. */
const char *sevq_code_name(enum sevq_code code);

#endif
