/*
 * field.h - reading what a call takes, by a table: members of a JSON object, parameters of a query.
 *
 * Here: names, types and bounds; every wrong, missing and unknown field is found and listed, not
 * only the first. Not here: what fields mean together (schema/event, queue).
 *
 * A table row names where the value goes in the target struct. null and absent are the same.
 */
#ifndef SERVER_CALLS_FIELD_H
#define SERVER_CALLS_FIELD_H

#include "schema/event.h"
#include "server/http/problem.h"

enum field_type {
	FIELD_TEXT,             /* struct str; min..max bytes, max 0: any number */
	FIELD_BOOL,             /* bool */
	FIELD_SIZE,             /* size_t, min..max */
	FIELD_INT64,            /* int64_t, min..max */
	FIELD_WAKE,             /* enum wake */
	FIELD_SORT,             /* enum sort */
	FIELD_PROBLEM,          /* unsigned: a set of SESSION_PROBLEM(), for "any" all */
	FIELD_DELIVERY,         /* struct delivery */
	FIELD_TEXTS,            /* struct texts */
	FIELD_FORMAT,           /* bool: whether it is "prompt" */
	FIELD_EXEC_COMPLETIONS, /* bool: whether it is \"include\" */
};

struct texts {
	struct str *items;
	size_t count;
};

struct field {
	struct str name; /* with a "/" in front, as in a pointer */
	enum field_type type;
	bool required;
	size_t offset;
	int64_t min, max;
};

#define FIELD_ROW(name, type, required, offset, min, max)                                          \
	{                                                                                          \
		{ "/" name, sizeof(name) }, FIELD_##type, required, offset, min, max               \
	}
#define FIELD(name, type, target, member)                                                          \
	FIELD_ROW(name, type, false, offsetof(target, member), 0, 0)
#define FIELD_REQUIRED(name, type, target, member)                                                 \
	FIELD_ROW(name, type, true, offsetof(target, member), 0, 0)
#define FIELD_RANGE(name, type, target, member, min, max)                                          \
	FIELD_ROW(name, type, false, offsetof(target, member), min, max)
#define FIELD_LIST(name, target, member, max)                                                      \
	FIELD_ROW(name, TEXTS, false, offsetof(target, member), 0, max)
#define FIELD_LIST_REQUIRED(name, target, member, max)                                             \
	FIELD_ROW(name, TEXTS, true, offsetof(target, member), 0, max)

/*
 * Reads the value at token, which must be an object. Text is borrowed from the document's text or
 * lives in the arena. address, unless NULL, is the one in target: every event and every session has
 * one, so it must have been given.
 */
void fields_read(const struct json *doc, size_t token, const struct field *fields, size_t count,
		 void *target, const struct address *address, struct arena *arena,
		 struct bad_fields *bad);

/* Lists a member that no table knows. */
void fields_add_unknown(struct bad_fields *bad, struct str name);

/* Scans a body into calls->doc. -1 after answering that it is no JSON. */
int body_scan(struct request *request);

/* Scans and reads a body. -1 after answering. */
int body_read(struct request *request, const struct field *fields, size_t count, void *target,
	      const struct address *address);

/*
 * Reads a query (texts, numbers and words), in which pointers are bare names. -1 after
 * answering.
 */
int query_read(struct request *request, const struct field *fields, size_t count, void *target,
	       const struct address *address);

#endif
