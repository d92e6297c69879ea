/*
 * Reads answers by table.
 *
 * A shape lists the members of a JSON object and where in a struct each goes. Texts are not copied:
 * they stay in the cJSON tree, which the answer owns. Nested structs and lists are in blocks, which
 * the answer owns too. Both hang on a header in front of the struct that the caller gets:
 *
 *     | tree | blocks | struct sevq_events ... |
 *                     ^ the caller's pointer
 */
#include "client/answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/buffer.h"
#include "client/json.h"

#define INTEGER_MAX 9007199254740992.0 /* 2^53: up to here a JSON number is exact */

enum kind {
	TEXT,
	TEXT_OR_NUMBER, /* a number becomes its digits */
	INTEGER,        /* int64_t */
	COUNT,          /* size_t */
	FLAG,           /* bool */
	OUTCOME,        /* enum sevq_outcome */
	OBJECT,         /* pointer to a struct of its own */
	LIST,           /* pointer to pointers to structs, and a count */
	TEXTS,          /* pointer to texts, and a count */
};

struct field {
	const char *name;
	enum kind kind;
	bool required; /* false: if it is missing or null, the field is zero */
	size_t offset;
	size_t count_offset;            /* of a LIST: where its length goes */
	const struct sevq_shape *shape; /* of an OBJECT, or of the items of a LIST */
};

struct sevq_shape {
	size_t size;                /* of the struct; 0: the answer is kept as text */
	const char *inside;         /* the member that holds the object; NULL: the answer itself */
	const struct field *fields; /* END is the last */
};

/* clang-format off */
#define END { NULL, TEXT, false, 0, 0, NULL }
#define NEED(type, name, kind, field) { name, kind, true, offsetof(struct type, field), 0, NULL }
#define MAY(type, name, kind, field) { name, kind, false, offsetof(struct type, field), 0, NULL }
#define NEED_OBJECT(type, name, field, shape) \
	{ name, OBJECT, true, offsetof(struct type, field), 0, shape }
#define MAY_OBJECT(type, name, field, shape) \
	{ name, OBJECT, false, offsetof(struct type, field), 0, shape }
#define NEED_LIST(type, name, field, count, shape) \
	{ name, LIST, true, offsetof(struct type, field), offsetof(struct type, count), shape }
#define MAY_TEXTS(type, name, field, count) \
	{ name, TEXTS, false, offsetof(struct type, field), offsetof(struct type, count), NULL }
#define MAY_LIST(type, name, field, count, shape) \
	{ name, LIST, false, offsetof(struct type, field), offsetof(struct type, count), shape }

static const struct field delivery_fields[] = {
	MAY(sevq_delivery, "channel", TEXT, channel),
	MAY(sevq_delivery, "to", TEXT, to),
	MAY(sevq_delivery, "accountId", TEXT, account_id),
	MAY(sevq_delivery, "threadId", TEXT_OR_NUMBER, thread_id),
	END,
};
static const struct sevq_shape delivery = { sizeof(struct sevq_delivery), NULL, delivery_fields };

static const struct field event_fields[] = {
	NEED(sevq_event, "id", TEXT, id),
	NEED(sevq_event, "sessionKey", TEXT, session_key),
	MAY(sevq_event, "originalSessionKey", TEXT, original_session_key),
	MAY(sevq_event, "rule", TEXT, rule),
	NEED(sevq_event, "text", TEXT, text),
	NEED(sevq_event, "ts", INTEGER, ts_ms),
	MAY(sevq_event, "contextKey", TEXT, context_key),
	MAY_OBJECT(sevq_event, "deliveryContext", delivery, &delivery),
	MAY(sevq_event, "source", TEXT, source),
	MAY(sevq_event, "wake", TEXT, wake),
	MAY(sevq_event, "attempts", INTEGER, attempts),
	MAY(sevq_event, "availableAt", INTEGER, available_at_ms),
	MAY(sevq_event, "expiresAt", INTEGER, expires_at_ms),
	MAY(sevq_event, "traceparent", TEXT, traceparent),
	MAY(sevq_event, "state", TEXT, state),
	END,
};
static const struct sevq_shape event = { sizeof(struct sevq_event), NULL, event_fields };
const struct sevq_shape sevq_shape_event = { sizeof(struct sevq_event), "event", event_fields };

static const struct field happening_fields[] = {
	NEED(sevq_happening, "what", TEXT, what),
	NEED(sevq_happening, "ts", INTEGER, ts_ms),
	MAY(sevq_happening, "until", INTEGER, until_ms),
	MAY(sevq_happening, "leaseId", TEXT, lease_id),
	MAY(sevq_happening, "detail", TEXT, detail),
	MAY(sevq_happening, "times", INTEGER, times),
	MAY(sevq_happening, "originalSessionKey", TEXT, original_session_key),
	MAY(sevq_happening, "rule", TEXT, rule),
	MAY(sevq_happening, "from", TEXT, from),
	MAY(sevq_happening, "to", TEXT, to),
	END,
};
static const struct sevq_shape happening = {
	sizeof(struct sevq_happening), NULL, happening_fields,
};

static const struct field story_fields[] = {
	NEED_OBJECT(sevq_story, "event", event, &event),
	NEED_LIST(sevq_story, "timeline", timeline, timeline_count, &happening),
	MAY(sevq_story, "nextCursor", TEXT, next_cursor),
	END,
};
const struct sevq_shape sevq_shape_story = { sizeof(struct sevq_story), NULL, story_fields };

static const struct field receipt_fields[] = {
	NEED(sevq_receipt, "outcome", OUTCOME, outcome),
	NEED_OBJECT(sevq_receipt, "event", event, &event),
	END,
};
const struct sevq_shape sevq_shape_receipt = { sizeof(struct sevq_receipt), NULL, receipt_fields };

static const struct field receipts_fields[] = {
	NEED_LIST(sevq_receipts, "results", receipts, count, &sevq_shape_receipt),
	END,
};
const struct sevq_shape sevq_shape_receipts = {
	sizeof(struct sevq_receipts), NULL, receipts_fields,
};

static const struct field taken_fields[] = {
	NEED(sevq_events, "sessionKey", TEXT, session_key),
	NEED_LIST(sevq_events, "events", events, count, &event),
	NEED(sevq_events, "remaining", COUNT, remaining),
	MAY(sevq_events, "block", TEXT, block),
	END,
};
const struct sevq_shape sevq_shape_taken = { sizeof(struct sevq_events), NULL, taken_fields };

static const struct field peeked_fields[] = {
	NEED(sevq_events, "sessionKey", TEXT, session_key),
	NEED_LIST(sevq_events, "events", events, count, &event),
	NEED(sevq_events, "depth", COUNT, depth),
	NEED(sevq_events, "more", FLAG, more),
	END,
};
const struct sevq_shape sevq_shape_peeked = { sizeof(struct sevq_events), NULL, peeked_fields };

static const struct field purged_fields[] = {
	NEED(sevq_purged, "sessionKey", TEXT, session_key),
	NEED(sevq_purged, "purged", COUNT, purged),
	NEED(sevq_purged, "remaining", COUNT, remaining),
	END,
};
const struct sevq_shape sevq_shape_purged = { sizeof(struct sevq_purged), NULL, purged_fields };

static const struct field step_fields[] = {
	NEED(sevq_route_step, "rule", TEXT, rule),
	NEED(sevq_route_step, "applied", FLAG, applied),
	MAY(sevq_route_step, "why", TEXT, why),
	END,
};
static const struct sevq_shape step = { sizeof(struct sevq_route_step), NULL, step_fields };

static const struct field decision_fields[] = {
	NEED(sevq_decision, "sessionKey", TEXT, session_key),
	NEED(sevq_decision, "rule", TEXT, rule),
	NEED(sevq_decision, "rekeyed", FLAG, rekeyed),
	NEED(sevq_decision, "owner", TEXT, owner),
	NEED_LIST(sevq_decision, "steps", steps, step_count, &step),
	END,
};
const struct sevq_shape sevq_shape_decision = {
	sizeof(struct sevq_decision), NULL, decision_fields,
};

static const struct field rekeyed_fields[] = {
	NEED(sevq_rekeyed_from, "key", TEXT, key),
	NEED(sevq_rekeyed_from, "count", COUNT, count),
	END,
};
static const struct sevq_shape rekeyed = { sizeof(struct sevq_rekeyed_from), NULL, rekeyed_fields };

static const struct field session_fields[] = {
	NEED(sevq_session, "sessionKey", TEXT, session_key),
	NEED(sevq_session, "agentId", TEXT, agent_id),
	NEED(sevq_session, "depth", COUNT, depth),
	MAY(sevq_session, "leased", COUNT, leased),
	MAY(sevq_session, "delayed", COUNT, delayed),
	MAY(sevq_session, "waiters", COUNT, waiters),
	MAY(sevq_session, "oldestTs", INTEGER, oldest_ts_ms),
	MAY(sevq_session, "newestTs", INTEGER, newest_ts_ms),
	MAY(sevq_session, "lastContextKey", TEXT, last_context_key),
	MAY_OBJECT(sevq_session, "deliveryContext", delivery, &delivery),
	MAY_LIST(sevq_session, "rekeyedFrom", rekeyed_from, rekeyed_from_count, &rekeyed),
	MAY(sevq_session, "ready", COUNT, ready),
	MAY(sevq_session, "readySinceTs", INTEGER, ready_since_ts_ms),
	MAY(sevq_session, "streams", COUNT, streams),
	MAY(sevq_session, "lastTakenTs", INTEGER, last_taken_ts_ms),
	MAY(sevq_session, "lastTakenBy", TEXT, last_taken_by),
	MAY(sevq_session, "routesTo", TEXT, routes_to),
	MAY_TEXTS(sevq_session, "problems", problems, problem_count),
	MAY(sevq_session, "deadLetters", COUNT, dead_letters),
	MAY(sevq_session, "rekeyedFromMore", FLAG, rekeyed_from_more),
	END,
};
static const struct sevq_shape session = { sizeof(struct sevq_session), NULL, session_fields };

static const struct field sessions_fields[] = {
	NEED_LIST(sevq_sessions, "sessions", sessions, count, &session),
	NEED(sevq_sessions, "total", COUNT, total),
	MAY(sevq_sessions, "nextCursor", TEXT, next_cursor),
	END,
};
const struct sevq_shape sevq_shape_sessions = {
	sizeof(struct sevq_sessions), NULL, sessions_fields,
};

static const struct field lease_fields[] = {
	MAY(sevq_lease, "leaseId", TEXT, lease_id),
	NEED(sevq_lease, "sessionKey", TEXT, session_key),
	MAY(sevq_lease, "expiresAt", INTEGER, expires_at_ms),
	NEED_LIST(sevq_lease, "events", events, count, &event),
	NEED(sevq_lease, "remaining", COUNT, remaining),
	MAY(sevq_lease, "block", TEXT, block),
	MAY_TEXTS(sevq_lease, "leftOut", left_out, left_out_count),
	END,
};
const struct sevq_shape sevq_shape_lease = { sizeof(struct sevq_lease), NULL, lease_fields };

static const struct field acked_fields[] = {
	NEED(sevq_lease_change, "leaseId", TEXT, lease_id),
	NEED(sevq_lease_change, "acked", COUNT, changed),
	NEED(sevq_lease_change, "remaining", COUNT, remaining),
	MAY_TEXTS(sevq_lease_change, "gone", gone, gone_count),
	END,
};
const struct sevq_shape sevq_shape_acked = { sizeof(struct sevq_lease_change), NULL, acked_fields };

static const struct field nacked_fields[] = {
	NEED(sevq_lease_change, "leaseId", TEXT, lease_id),
	NEED(sevq_lease_change, "nacked", COUNT, changed),
	NEED(sevq_lease_change, "dead", COUNT, dead),
	NEED(sevq_lease_change, "remaining", COUNT, remaining),
	MAY_TEXTS(sevq_lease_change, "gone", gone, gone_count),
	END,
};
const struct sevq_shape sevq_shape_nacked = {
	sizeof(struct sevq_lease_change), NULL, nacked_fields,
};

static const struct field extended_fields[] = {
	NEED(sevq_lease_change, "leaseId", TEXT, lease_id),
	NEED(sevq_lease_change, "extended", COUNT, changed),
	NEED(sevq_lease_change, "expiresAt", INTEGER, expires_at_ms),
	NEED(sevq_lease_change, "remaining", COUNT, remaining),
	MAY_TEXTS(sevq_lease_change, "gone", gone, gone_count),
	END,
};
const struct sevq_shape sevq_shape_extended = {
	sizeof(struct sevq_lease_change), NULL, extended_fields,
};

static const struct field ready_fields[] = {
	NEED(sevq_readiness, "sessionKey", TEXT, session_key),
	NEED(sevq_readiness, "ready", FLAG, ready),
	NEED(sevq_readiness, "depth", COUNT, depth),
	END,
};
const struct sevq_shape sevq_shape_ready = { sizeof(struct sevq_readiness), NULL, ready_fields };

static const struct field wakeup_fields[] = {
	NEED(sevq_wakeup, "sessionKey", TEXT, session_key),
	NEED(sevq_wakeup, "depth", COUNT, depth),
	MAY(sevq_wakeup, "source", TEXT, source),
	NEED(sevq_wakeup, "wake", TEXT, wake),
	NEED(sevq_wakeup, "ts", INTEGER, ts_ms),
	END,
};
const struct sevq_shape sevq_shape_wakeup = { sizeof(struct sevq_wakeup), NULL, wakeup_fields };

static const struct field past_fields[] = {
	NEED_OBJECT(sevq_past, "event", event, &event),
	NEED_OBJECT(sevq_past, "outcome", outcome, &happening),
	END,
};
static const struct sevq_shape past = { sizeof(struct sevq_past), NULL, past_fields };

static const struct field history_fields[] = {
	NEED_LIST(sevq_history, "events", events, count, &past),
	MAY(sevq_history, "nextCursor", TEXT, next_cursor),
	END,
};
const struct sevq_shape sevq_shape_history = { sizeof(struct sevq_history), NULL, history_fields };

static const struct field requeued_fields[] = {
	NEED(sevq_requeued, "requeued", COUNT, requeued),
	NEED(sevq_requeued, "passedOver", COUNT, passed_over),
	NEED(sevq_requeued, "more", FLAG, more),
	NEED(sevq_requeued, "dryRun", FLAG, dry_run),
	END,
};
const struct sevq_shape sevq_shape_requeued = {
	sizeof(struct sevq_requeued), NULL, requeued_fields,
};

static const struct field discarded_fields[] = {
	NEED(sevq_discarded, "discarded", COUNT, discarded),
	NEED(sevq_discarded, "passedOver", COUNT, passed_over),
	NEED(sevq_discarded, "more", FLAG, more),
	NEED(sevq_discarded, "dryRun", FLAG, dry_run),
	END,
};
const struct sevq_shape sevq_shape_discarded = {
	sizeof(struct sevq_discarded), NULL, discarded_fields,
};

static const struct field moved_fields[] = {
	NEED(sevq_moved, "from", TEXT, from),
	MAY(sevq_moved, "to", TEXT, to),
	NEED(sevq_moved, "rule", TEXT, rule),
	NEED(sevq_moved, "moved", COUNT, moved),
	NEED(sevq_moved, "leased", COUNT, leased),
	END,
};
static const struct sevq_shape moved = { sizeof(struct sevq_moved), NULL, moved_fields };

static const struct field rekey_fields[] = {
	NEED(sevq_rekeyed, "dryRun", FLAG, dry_run),
	NEED(sevq_rekeyed, "moved", COUNT, moved),
	NEED(sevq_rekeyed, "leased", COUNT, leased),
	NEED(sevq_rekeyed, "more", FLAG, more),
	NEED_LIST(sevq_rekeyed, "sessions", queues, count, &moved),
	END,
};
const struct sevq_shape sevq_shape_rekeyed = { sizeof(struct sevq_rekeyed), NULL, rekey_fields };

static const struct field asker_fields[] = {
	NEED(sevq_asker, "askedKey", TEXT, asked_key),
	NEED(sevq_asker, "queueKey", TEXT, queue_key),
	NEED(sevq_asker, "rule", TEXT, rule),
	NEED(sevq_asker, "kind", TEXT, kind),
	MAY(sevq_asker, "consumer", TEXT, consumer),
	MAY(sevq_asker, "token", TEXT, token),
	NEED(sevq_asker, "lastTs", INTEGER, last_ts_ms),
	NEED(sevq_asker, "waitingNow", COUNT, waiting_now),
	NEED(sevq_asker, "taken", COUNT, taken),
	END,
};
static const struct sevq_shape asker = { sizeof(struct sevq_asker), NULL, asker_fields };

static const struct field askers_fields[] = {
	NEED_LIST(sevq_askers, "consumers", askers, count, &asker),
	END,
};
const struct sevq_shape sevq_shape_askers = { sizeof(struct sevq_askers), NULL, askers_fields };

static const struct field holding_fields[] = {
	NEED(sevq_holding, "leaseId", TEXT, lease_id),
	NEED(sevq_holding, "sessionKey", TEXT, session_key),
	MAY(sevq_holding, "consumer", TEXT, consumer),
	NEED(sevq_holding, "exclusive", FLAG, exclusive),
	NEED(sevq_holding, "expiresAt", INTEGER, expires_at_ms),
	NEED(sevq_holding, "leased", COUNT, leased),
	END,
};
static const struct sevq_shape holding = { sizeof(struct sevq_holding), NULL, holding_fields };

static const struct field leases_fields[] = {
	NEED_LIST(sevq_leases, "leases", leases, count, &holding),
	MAY(sevq_leases, "nextCursor", TEXT, next_cursor),
	END,
};
const struct sevq_shape sevq_shape_leases = { sizeof(struct sevq_leases), NULL, leases_fields };

static const struct field no_fields[] = { END };
const struct sevq_shape sevq_shape_text = { 0, NULL, no_fields };
/* clang-format on */

struct block {
	struct block *next;
	max_align_t memory[];
};

struct answer {
	cJSON *tree;
	struct block *blocks;
	max_align_t payload[];
};

static struct answer *
answer_of(void *payload)
{
	return (struct answer *)(void *)((char *)payload - offsetof(struct answer, payload));
}

void
sevq_free(void *payload)
{
	struct answer *answer;
	struct block *block;

	if (payload == NULL)
		return;
	answer = answer_of(payload);
	while ((block = answer->blocks) != NULL) {
		answer->blocks = block->next;
		free(block);
	}
	cJSON_Delete(answer->tree);
	free(answer);
}

/* Returns zeroed memory that the answer owns, or NULL with SEVQ_NO_MEMORY in error. */
static void *
block_of(struct answer *answer, size_t size, struct sevq_error *error)
{
	struct block *block = calloc(1, sizeof(*block) + size);

	if (block == NULL) {
		sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
		return NULL;
	}
	block->next = answer->blocks;
	answer->blocks = block;
	return block->memory;
}

static int
wrong(const struct field *field, struct sevq_error *error)
{
	sevq_error_set(error, SEVQ_BAD_ANSWER, "the answer's member \"%s\" is missing or wrong",
		       field->name);
	return -1;
}

/* Whether item is a whole number, at least min, that a JSON number represents exactly. */
static bool
is_integer(const cJSON *item, double min)
{
	return cJSON_IsNumber(item) && item->valuedouble >= min &&
	       item->valuedouble <= INTEGER_MAX && floor(item->valuedouble) == item->valuedouble;
}

static int read_fields(struct answer *, const struct sevq_shape *, const cJSON *, void *,
		       struct sevq_error *);

static int
read_text(struct answer *answer, const struct field *field, const cJSON *item, void *at,
	  struct sevq_error *error)
{
	(void)answer;
	if (!cJSON_IsString(item))
		return wrong(field, error);
	*(const char **)at = item->valuestring;
	return 0;
}

static int
read_text_or_number(struct answer *answer, const struct field *field, const cJSON *item, void *at,
		    struct sevq_error *error)
{
	char *digits;

	if (!is_integer(item, -INTEGER_MAX))
		return read_text(answer, field, item, at, error);
	digits = block_of(answer, 24, error);
	if (digits == NULL)
		return -1;
	snprintf(digits, 24, "%.0f", item->valuedouble);
	*(const char **)at = digits;
	return 0;
}

static int
read_integer(struct answer *answer, const struct field *field, const cJSON *item, void *at,
	     struct sevq_error *error)
{
	(void)answer;
	if (!is_integer(item, -INTEGER_MAX))
		return wrong(field, error);
	*(int64_t *)at = (int64_t)item->valuedouble;
	return 0;
}

static int
read_count(struct answer *answer, const struct field *field, const cJSON *item, void *at,
	   struct sevq_error *error)
{
	(void)answer;
	if (!is_integer(item, 0) || item->valuedouble > (double)SIZE_MAX)
		return wrong(field, error);
	*(size_t *)at = (size_t)item->valuedouble;
	return 0;
}

static int
read_flag(struct answer *answer, const struct field *field, const cJSON *item, void *at,
	  struct sevq_error *error)
{
	(void)answer;
	if (!cJSON_IsBool(item))
		return wrong(field, error);
	*(bool *)at = cJSON_IsTrue(item);
	return 0;
}

static int
read_outcome(struct answer *answer, const struct field *field, const cJSON *item, void *at,
	     struct sevq_error *error)
{
	static const char *const names[] = { NULL, "queued", "replaced", "duplicate" };
	const char *name = cJSON_GetStringValue(item);
	int i;

	(void)answer;
	for (i = SEVQ_OUTCOME_QUEUED; name != NULL && i <= SEVQ_OUTCOME_DUPLICATE; i++) {
		if (strcmp(names[i], name) == 0) {
			*(enum sevq_outcome *)at = (enum sevq_outcome)i;
			return 0;
		}
	}
	return wrong(field, error);
}

static int
read_object(struct answer *answer, const struct field *field, const cJSON *item, void *at,
	    struct sevq_error *error)
{
	void *object;

	if (!cJSON_IsObject(item))
		return wrong(field, error);
	object = block_of(answer, field->shape->size, error);
	if (object == NULL)
		return -1;
	*(void **)at = object;
	return read_fields(answer, field->shape, item, object, error);
}

/*
 * One block holds the pointers, another the structs. read_fields writes the count, because a reader
 * does not know count_offset's base.
 */
static int
read_list(struct answer *answer, const struct field *field, const cJSON *item, void *at,
	  struct sevq_error *error)
{
	size_t count, i = 0;
	const cJSON *element;
	void **pointers;
	char *structs;

	if (!cJSON_IsArray(item))
		return wrong(field, error);
	count = (size_t)cJSON_GetArraySize(item);
	pointers = block_of(answer, count * sizeof(*pointers), error);
	structs = pointers != NULL ? block_of(answer, count * field->shape->size, error) : NULL;
	if (structs == NULL)
		return -1;
	cJSON_ArrayForEach(element, item)
	{
		pointers[i] = structs + i * field->shape->size;
		if (!cJSON_IsObject(element))
			return wrong(field, error);
		if (read_fields(answer, field->shape, element, pointers[i], error) != 0)
			return -1;
		i++;
	}
	*(void ***)at = pointers;
	return 0;
}

static int
read_texts(struct answer *answer, const struct field *field, const cJSON *item, void *at,
	   struct sevq_error *error)
{
	const char **texts;
	const cJSON *element;

	if (!cJSON_IsArray(item))
		return wrong(field, error);
	texts = block_of(answer, ((size_t)cJSON_GetArraySize(item) + 1) * sizeof(*texts), error);
	if (texts == NULL)
		return -1;
	*(const char ***)at = texts;
	cJSON_ArrayForEach(element, item)
	{
		if (read_text(answer, field, element, texts++, error) != 0)
			return -1;
	}
	return 0;
}

typedef int reader(struct answer *, const struct field *, const cJSON *, void *,
		   struct sevq_error *);

static reader *const readers[] = {
	[TEXT] = read_text,       [TEXT_OR_NUMBER] = read_text_or_number,
	[INTEGER] = read_integer, [COUNT] = read_count,
	[FLAG] = read_flag,       [OUTCOME] = read_outcome,
	[OBJECT] = read_object,   [LIST] = read_list,
	[TEXTS] = read_texts,
};

static int
read_fields(struct answer *answer, const struct sevq_shape *shape, const cJSON *object, void *ret,
	    struct sevq_error *error)
{
	const struct field *field;
	const cJSON *item;

	for (field = shape->fields; field->name != NULL; field++) {
		item = cJSON_GetObjectItemCaseSensitive(object, field->name);
		if (item == NULL || cJSON_IsNull(item)) {
			if (field->required)
				return wrong(field, error);
			continue;
		}
		if (readers[field->kind](answer, field, item, (char *)ret + field->offset, error) !=
		    0)
			return -1;
		if (field->kind == LIST || field->kind == TEXTS)
			*(size_t *)(void *)((char *)ret + field->count_offset) =
			    (size_t)cJSON_GetArraySize(item);
	}
	return 0;
}

void *
sevq_answer_read(const struct sevq_shape *shape, const char *text, size_t len,
		 struct sevq_error *error)
{
	size_t size = shape->size > 0 ? shape->size : len + 1;
	struct answer *answer = calloc(1, sizeof(*answer) + size);
	const cJSON *object;

	if (answer == NULL) {
		sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
		return NULL;
	}
	answer->tree = sevq_json_parse(text, len);
	object = shape->inside != NULL
		     ? cJSON_GetObjectItemCaseSensitive(answer->tree, shape->inside)
		     : answer->tree;
	if (!cJSON_IsObject(object)) {
		sevq_error_set(error, SEVQ_BAD_ANSWER, "the answer is not JSON as sevqd writes it");
	} else if (shape->size == 0) {
		memcpy(answer->payload, text, len);
		return answer->payload;
	} else if (read_fields(answer, shape, object, answer->payload, error) == 0) {
		return answer->payload;
	}
	sevq_free(answer->payload);
	return NULL;
}

static bool
is_index(const char *segment, size_t len)
{
	return len > 0 && len <= 9 && strspn(segment, "0123456789") >= len;
}

/*
 * Appends the field that a pointer (RFC 6901) or a parameter's name means: "text", or
 * "deliveryContext.to", and before it "event 4: " for one of several events.
 */
static void
add_field(struct sevq_buffer *out, const char *pointer)
{
	const char *before = "";
	size_t len;
	int index = 0;

	if (strncmp(pointer, "/events/", 8) == 0 &&
	    is_index(pointer + 8, strcspn(pointer + 8, "/"))) {
		for (pointer += 8; *pointer != '\0' && *pointer != '/'; pointer++)
			index = index * 10 + (*pointer - '0');
		sevq_buffer_addf(out, "event %d: ", index + 1);
	}
	for (; *pointer != '\0'; pointer += len) {
		pointer += *pointer == '/';
		len = strcspn(pointer, "/");
		if (len == 0 || is_index(pointer, len))
			continue;
		sevq_buffer_addf(out, "%s%.*s", before, (int)len, pointer);
		before = ".";
	}
}

/* Appends "text is blank", "cursor: not a cursor of an earlier page", "event 4: text is blank". */
static void
add_bad_field(struct sevq_buffer *out, const char *pointer, const char *detail)
{
	const char *name = strrchr(pointer, '/') != NULL ? strrchr(pointer, '/') + 1 : pointer;
	size_t name_len = strlen(name), len;

	sevq_buffer_adds(out, out->len > 0 ? "; " : "");
	len = out->len;
	add_field(out, pointer);
	if (name_len > 0 && strncmp(detail, name, name_len) == 0 && detail[name_len] == ' ')
		sevq_buffer_addf(out, "%s", detail + name_len); /* it says the name itself */
	else if (strncmp(detail, "must ", 5) == 0 || strncmp(detail, "is ", 3) == 0)
		sevq_buffer_addf(out, "%s%s", out->len > len ? " " : "", detail);
	else
		sevq_buffer_addf(out, "%s%s", out->len > len ? ": " : "", detail);
}

/* Appends what is wrong with each field that a problem names. */
static void
add_bad_fields(struct sevq_buffer *out, const cJSON *errors)
{
	const cJSON *error;

	cJSON_ArrayForEach(error, errors)
	{
		const char *pointer =
		    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "pointer"));
		const char *detail =
		    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "detail"));

		if (pointer != NULL && detail != NULL)
			add_bad_field(out, pointer, detail);
	}
}

static void
read_problem(const cJSON *problem, enum sevq_code code, const char *name, struct sevq_error *error)
{
	const char *detail =
	    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(problem, "detail"));
	struct sevq_buffer fields = { 0 };

	add_bad_fields(&fields, cJSON_GetObjectItemCaseSensitive(problem, "errors"));
	if (detail == NULL)
		detail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(problem, "title"));
	if (fields.len > 0)
		detail = sevq_buffer_text(&fields);
	if (detail == NULL)
		sevq_error_set(error, code, "%s", name);
	else if (code == SEVQ_PROBLEM)
		sevq_error_set(error, code, "%s (%s)", detail, name);
	else
		sevq_error_set(error, code, "%s", detail);
	sevq_buffer_clear(&fields);
}

enum sevq_code
sevq_answer_problem(const char *text, size_t len, struct sevq_error *error)
{
	cJSON *problem = sevq_json_parse(text, len);
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(problem, "code"));

	if (name != NULL)
		read_problem(problem, sevq_code_find(name), name, error);
	else
		sevq_error_set(error, SEVQ_BAD_ANSWER,
			       "the answer is not a problem as sevqd writes it");
	cJSON_Delete(problem);
	return error->code;
}
