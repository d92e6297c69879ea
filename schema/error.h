/*
 * error.h - every way a request or a start can fail, and how a failure travels.
 *
 * Here: one code for each failure that a caller can tell apart (DESIGN section 3), and the record
 * that carries it upward. Not here: HTTP statuses (server/problem), exit codes (server/serve),
 * logging.
 */
#ifndef SCHEMA_ERROR_H
#define SCHEMA_ERROR_H

#include <stdbool.h>
#include <stddef.h>

enum error_code {
	ERROR_NONE = 0,
	ERROR_BLANK_KEY,        /* a session key that is empty after trimming; nothing changed */
	ERROR_MALFORMED_KEY,    /* starts with "agent:" but does not parse; nothing changed */
	ERROR_OWNER_UNRESOLVED, /* a bare key and the policy names no single owner */
	ERROR_OWNER_MISMATCH,   /* agent key and agentId name different agents */
	ERROR_INVALID_JSON,     /* the text is not JSON; detail says where */
	/* well-formed, but a field or parameter is unknown, missing or out of bounds */
	ERROR_INVALID_FIELD,
	ERROR_BAD_REQUEST,            /* refused HTTP framing or target */
	ERROR_UNAUTHORIZED,           /* no token, or a wrong one */
	ERROR_FORBIDDEN,              /* the Origin or the token's scope does not allow it */
	ERROR_NOT_FOUND,              /* no such path or event */
	ERROR_METHOD_NOT_ALLOWED,     /* the path exists, the method does not */
	ERROR_TIMEOUT,                /* the client was too slow */
	ERROR_CONFLICT,               /* the state does not allow it (lost lease, settled event) */
	ERROR_REROUTED,               /* an exact key that the policy routes elsewhere */
	ERROR_TOO_LARGE,              /* body or batch over its limit */
	ERROR_URI_TOO_LONG,           /* request target over its limit */
	ERROR_UNSUPPORTED_MEDIA_TYPE, /* a body that is not JSON */
	ERROR_EXPECTATION_FAILED,     /* an unknown Expect */
	ERROR_MISDIRECTED,            /* Host is not one of the server's names */
	ERROR_IDEMPOTENCY_MISMATCH,   /* the key was used for another request */
	ERROR_POLICY_INVALID,         /* the policy's files cannot be used; the old one stays */
	ERROR_QUEUE_FULL,             /* a depth, session or total limit; retry later */
	ERROR_HEADERS_TOO_LARGE,      /* request headers over their limit */
	ERROR_NOT_IMPLEMENTED,        /* an unsupported transfer coding */
	ERROR_HTTP_VERSION,           /* neither HTTP/1.0 nor HTTP/1.1 */
	ERROR_STORAGE_FAILED,         /* the store could not read or write; nothing changed */
	ERROR_STORAGE_FULL,           /* no space for an event; nothing changed */
	ERROR_STORAGE_UNKNOWN,        /* a commit of unknown outcome: the process must stop (C8) */
	ERROR_CLOSING,                /* shutting down */
	/* start-up only */
	ERROR_STORAGE_FOREIGN, /* the file is not a sevq database */
	ERROR_STORAGE_NEWER,   /* the file was written by a newer version; untouched */
	ERROR_STORAGE_LOCKED,  /* another server has it open, or somebody writes to it */
	ERROR_STORAGE_CORRUPT, /* the file is damaged */
	/* an option, config or policy file is wrong; line and column where known */
	ERROR_CONFIG,
	ERROR_USAGE, /* the command line is wrong */
	ERROR_CODE_COUNT
};

#define ERROR_DETAIL_BYTES 256
#define ERROR_POINTER_BYTES 96

/* Lives on the caller's stack. Written only by the functions below. */
struct error {
	enum error_code code;
	int line, column; /* 1-based position in a text; 0 when there is none */
	bool lasting;     /* the same again would fail the same way; set after error_set */
	/* RFC 6901 pointer or parameter name of the bad field, else "" */
	char pointer[ERROR_POINTER_BYTES];
	/* one English sentence without its full stop; valid UTF-8, cut if too long */
	char detail[ERROR_DETAIL_BYTES];
};

/* Fills err (NULL is allowed) and returns -1, so that failing is one statement. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ERROR_INVALID_FIELD; pointer as in struct error ("/text"). */
int error_set_field(struct error *err, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The code's public name ("blank-key"), as it stands in problems and logs. */
const char *error_code_name(enum error_code code);

#endif
