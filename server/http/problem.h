/*
 * problem.h - failures as answers (RFC 9457), and codes as statuses: the only place that knows
 * both.
 *
 * Here: the status and title of each code, the problem document, the list of bad fields.
 * Not here: exit codes (serve).
 */
#ifndef SERVER_HTTP_PROBLEM_H
#define SERVER_HTTP_PROBLEM_H

#include "schema/error.h"
#include "schema/mem.h"
#include "server/http/request.h"

#define BAD_FIELDS_LISTED 32

/* Fields that are wrong, as the JSON of "errors"; all zero is empty. Clear it. */
struct bad_fields {
	struct buf json;
	size_t count;                   /* also those beyond the listed ones */
	char first[ERROR_DETAIL_BYTES]; /* in words: "/text must be a string" */
	/* "/events": every pointer begins with it and the index, "/events/3"; NULL: with neither */
	const char *list;
	size_t index;
	bool drop_unknown_delivery; /* unknown fields of a delivery context are no fault */
};

/* pointer: "/text" for a body, a parameter's name for a query. */
void bad_fields_add(struct bad_fields *bad, struct str pointer, const char *detail);
void bad_fields_clear(struct bad_fields *bad);

/* Answers with the problem; an err with a pointer lists that field. */
void problem_send(struct request *request, const struct error *err);
/*
 * The same for a member of a list, as in struct bad_fields; the member itself is listed where err
 * has no pointer.
 */
void problem_send_in(struct request *request, const struct error *err, const char *list,
		     size_t index);
/*
 * The same for a failure that stands in a file (NULL: it is not known in which), at the line and
 * column of err; "errors" has that place with the detail.
 */
void problem_send_file(struct request *request, const struct error *err, struct str file,
		       const char *detail);
/* Answers 400 with the fields, of which there must be one, and clears them. */
void problem_send_fields(struct request *request, struct bad_fields *bad);

#endif
