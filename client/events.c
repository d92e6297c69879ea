/*
 * Events of one queue: enqueue, drain, peek, consume, find, withdraw, purge.
 */
#include "client/context.h"

static bool
import_draft(struct sevq_client *client, struct sevq_draft *ours, const struct sevq_draft *theirs)
{
	if (sevq_context_import(ours, sizeof(*ours), theirs, &client->error) != SEVQ_OK)
		return false;
	if (ours->text == NULL)
		sevq_context_refuse(client, "an event needs a text");
	else if ((unsigned)ours->wake > SEVQ_WAKE_NEXT_HEARTBEAT)
		sevq_context_refuse(client, "wake is not a value of enum sevq_wake");
	else if (ours->delay_ms < 0 || ours->ttl_ms < 0)
		sevq_context_refuse(client, "delay_ms and ttl_ms must not be negative");
	return client->error.code == SEVQ_OK;
}

enum sevq_code
sevq_enqueue(struct sevq_client *client, const struct sevq_draft *draft, struct sevq_receipt **ret)
{
	struct sevq_request request;
	struct sevq_draft ours;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (draft == NULL)
		return sevq_context_refuse(client, "draft is NULL");
	sevq_request_init(&request, "POST", "/v1/events");
	if (import_draft(client, &ours, draft))
		sevq_request_draft(&request, &ours);
	return sevq_context_run(client, &request, &sevq_shape_receipt, ret);
}

enum sevq_code
sevq_enqueue_batch(struct sevq_client *client, const struct sevq_draft *drafts, size_t count,
		   struct sevq_receipts **ret)
{
	struct sevq_request request;
	struct sevq_draft ours;
	const char *at = (const char *)drafts;
	size_t stride, i;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (drafts == NULL || count == 0)
		return sevq_context_refuse(client, "a batch needs at least one draft");
	/* the caller may have been compiled with a struct of another size */
	stride = drafts->size;
	sevq_request_init(&request, "POST", "/v1/events");
	for (i = 0; i < count && !request.failed; i++, at += stride) {
		if (!import_draft(client, &ours, (const struct sevq_draft *)(const void *)at))
			break;
		if (ours.size != stride) {
			sevq_context_refuse(client, "the drafts of a batch differ in size");
			break;
		}
		sevq_request_batch_draft(&request, &ours);
	}
	return sevq_context_run(client, &request, &sevq_shape_receipts, ret);
}

enum sevq_code
sevq_drain(struct sevq_client *client, const struct sevq_address *address,
	   const struct sevq_drain_options *options, struct sevq_events **ret)
{
	struct sevq_drain_options ours = { 0 };
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	sevq_request_init(&request, "POST", "/v1/drain");
	sevq_request_address(&request, address);
	sevq_request_number(&request, "limit", (int64_t)ours.limit);
	sevq_request_text(&request, "contextKeyPrefix", ours.context_key_prefix);
	sevq_request_text(&request, "format", ours.prompt ? "prompt" : NULL);
	sevq_context_idempotency(client, &request, ours.idempotency_key);
	return sevq_context_run(client, &request, &sevq_shape_taken, ret);
}

enum sevq_code
sevq_peek(struct sevq_client *client, const struct sevq_address *address, size_t limit,
	  const char *after_id, struct sevq_events **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, "GET", "/v1/events");
	sevq_request_address_query(&request, address);
	sevq_url_query_number(&request.target, "limit", (int64_t)limit);
	sevq_url_query(&request.target, "after", after_id);
	return sevq_context_run(client, &request, &sevq_shape_peeked, ret);
}

enum sevq_code
sevq_consume(struct sevq_client *client, const struct sevq_address *address, const char *const *ids,
	     size_t id_count, struct sevq_events **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, "POST", "/v1/consume");
	sevq_request_address(&request, address);
	sevq_context_ids(client, &request, ids, id_count);
	return sevq_context_run(client, &request, &sevq_shape_taken, ret);
}

/* Begins a call on one event: METHOD /v1/events/{id}. */
static enum sevq_code
begin_by_id(struct sevq_client *client, struct sevq_request *request, const char *method,
	    const char *id)
{
	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (id == NULL || id[0] == '\0')
		return sevq_context_refuse(client, "an id is missing");
	sevq_request_init(request, method, "/v1/events");
	sevq_request_segment(request, id);
	return SEVQ_OK;
}

enum sevq_code
sevq_find(struct sevq_client *client, const char *id, struct sevq_story **ret)
{
	return sevq_find_page(client, id, 0, NULL, ret);
}

enum sevq_code
sevq_find_page(struct sevq_client *client, const char *id, size_t limit, const char *cursor,
	       struct sevq_story **ret)
{
	struct sevq_request request;

	if (begin_by_id(client, &request, "GET", id) != SEVQ_OK)
		return sevq_error_code(client);
	sevq_url_query_number(&request.target, "limit", (int64_t)limit);
	sevq_url_query(&request.target, "cursor", cursor);
	return sevq_context_run(client, &request, &sevq_shape_story, ret);
}

enum sevq_code
sevq_withdraw(struct sevq_client *client, const char *id, struct sevq_event **ret)
{
	struct sevq_request request;

	if (begin_by_id(client, &request, "DELETE", id) != SEVQ_OK)
		return sevq_error_code(client);
	return sevq_context_run(client, &request, &sevq_shape_event, ret);
}

enum sevq_code
sevq_purge(struct sevq_client *client, const struct sevq_address *address, const char *context_key,
	   struct sevq_purged **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, "DELETE", "/v1/events");
	sevq_request_address_query(&request, address);
	sevq_url_query(&request.target, "contextKey", context_key);
	return sevq_context_run(client, &request, &sevq_shape_purged, ret);
}
