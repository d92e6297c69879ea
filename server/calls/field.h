/*
 * field.h - reading what a call takes, by a table: members of a JSON object, parameters of a query.
 *
 * Here: names, types and bounds; every wrong, missing and unknown field is found and listed, not only the first.
 * Not here: what fields mean together (schema/event, queue).
 *
 * A table row names where the value goes in the target struct. null and absent are the same.
 */
#ifndef SEVQ_SERVER_CALLS_FIELD_H
#define SEVQ_SERVER_CALLS_FIELD_H

#include "schema/event.h"
#include "server/http/problem.h"

enum sevq_field_type {
	SEVQ_FIELD_TEXT,     /* struct sevq_str; min..max bytes, max 0: any number */
	SEVQ_FIELD_BOOL,     /* bool */
	SEVQ_FIELD_SIZE,     /* size_t, min..max */
	SEVQ_FIELD_INT64,    /* int64_t, min..max */
	SEVQ_FIELD_WAKE,     /* enum sevq_wake */
	SEVQ_FIELD_SORT,     /* enum sevq_sort */
	SEVQ_FIELD_DELIVERY, /* struct sevq_delivery */
	SEVQ_FIELD_TEXTS,    /* struct sevq_texts */
	SEVQ_FIELD_FORMAT,   /* bool: whether it is "prompt" */
};

struct sevq_texts {
	struct sevq_str *items;
	size_t count;
};

struct sevq_field {
	struct sevq_str name; /* with a "/" in front, as in a pointer */
	enum sevq_field_type type;
	bool required;
	size_t offset;
	int64_t min, max;
};

#define SEVQ_FIELD_ROW(name, type, required, offset, min, max)                                                                     \
	{                                                                                                                          \
		{ "/" name, sizeof(name) }, SEVQ_FIELD_##type, required, offset, min, max                                          \
	}
#define SEVQ_FIELD(name, type, target, member) SEVQ_FIELD_ROW(name, type, false, offsetof(target, member), 0, 0)
#define SEVQ_FIELD_REQUIRED(name, type, target, member) SEVQ_FIELD_ROW(name, type, true, offsetof(target, member), 0, 0)
#define SEVQ_FIELD_RANGE(name, type, target, member, min, max) SEVQ_FIELD_ROW(name, type, false, offsetof(target, member), min, max)
#define SEVQ_FIELD_LIST(name, target, member, max) SEVQ_FIELD_ROW(name, TEXTS, false, offsetof(target, member), 0, max)
#define SEVQ_FIELD_LIST_REQUIRED(name, target, member, max) SEVQ_FIELD_ROW(name, TEXTS, true, offsetof(target, member), 0, max)

/*
 * Reads the value at token, which must be an object. Text is borrowed from the document's text or lives in the arena.
 * address, unless NULL, is the one in target: every event and every session has one, so it must have been given.
 */
void sevq_fields_read(const struct sevq_json *doc, size_t token, const struct sevq_field *fields, size_t count, void *target,
		      const struct sevq_address *address, struct sevq_arena *arena, struct sevq_bad_fields *bad);

/* Lists a member that no table knows. */
void sevq_fields_add_unknown(struct sevq_bad_fields *bad, struct sevq_str name);

/* Scans a body into server->doc. -1 after answering that it is no JSON. */
int sevq_body_scan(struct sevq_request *request);

/* Scans and reads a body. -1 after answering. */
int sevq_body_read(struct sevq_request *request, const struct sevq_field *fields, size_t count, void *target,
		   const struct sevq_address *address);

/* Reads a query (TEXT, SIZE, INT64 and SORT only), in which pointers are bare names. -1 after answering. */
int sevq_query_read(struct sevq_request *request, const struct sevq_field *fields, size_t count, void *target,
		    const struct sevq_address *address);

#endif
