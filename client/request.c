/*
 * Builds requests. cJSON returns NULL when memory runs out; every step records that in `failed` and
 * goes on.
 */
#include "client/request.h"

#include "client/url.h"

void
sevq_request_init(struct sevq_request *request, const char *method, const char *path)
{
	memset(request, 0, sizeof(*request));
	request->method = method;
	request->repeatable = strcmp(method, "GET") == 0;
	sevq_buffer_adds(&request->target, path);
	if (strcmp(method, "POST") == 0)
		sevq_request_add_body(request);
}

void
sevq_request_add_body(struct sevq_request *request)
{
	request->body = cJSON_CreateObject();
	request->failed = request->body == NULL;
}

void
sevq_request_clear(struct sevq_request *request)
{
	sevq_buffer_clear(&request->target);
	sevq_buffer_clear(&request->header);
	cJSON_Delete(request->body);
	memset(request, 0, sizeof(*request));
}

void
sevq_request_segment(struct sevq_request *request, const char *text)
{
	sevq_buffer_adds(&request->target, "/");
	sevq_url_escape(&request->target, text);
}

void
sevq_request_address_query(struct sevq_request *request, const struct sevq_address *address)
{
	if (address == NULL)
		return;
	sevq_url_query(&request->target, "sessionKey", address->session_key);
	sevq_url_query(&request->target, "agentId", address->agent_id);
	sevq_url_query(&request->target, "channel", address->channel);
	sevq_url_query(&request->target, "accountId", address->account_id);
	sevq_url_query(&request->target, "queueKey", address->queue_key);
}

/* Adds a member to an object of the body. A NULL value adds nothing. */
static void
put(struct sevq_request *request, cJSON *object, const char *name, const char *value)
{
	if (value != NULL && cJSON_AddStringToObject(object, name, value) == NULL)
		request->failed = true;
}

static void
put_true(struct sevq_request *request, cJSON *object, const char *name, bool value)
{
	if (value && cJSON_AddTrueToObject(object, name) == NULL)
		request->failed = true;
}

static void
put_number(struct sevq_request *request, cJSON *object, const char *name, int64_t value)
{
	if (value != 0 && cJSON_AddNumberToObject(object, name, (double)value) == NULL)
		request->failed = true;
}

static void
put_address(struct sevq_request *request, cJSON *object, const struct sevq_address *address)
{
	put(request, object, "sessionKey", address->session_key);
	put(request, object, "agentId", address->agent_id);
	put(request, object, "channel", address->channel);
	put(request, object, "accountId", address->account_id);
}

static void
put_delivery(struct sevq_request *request, cJSON *object, const struct sevq_delivery *delivery)
{
	cJSON *member;

	if (delivery->channel == NULL && delivery->to == NULL && delivery->account_id == NULL &&
	    delivery->thread_id == NULL)
		return;
	member = cJSON_AddObjectToObject(object, "deliveryContext");
	if (member == NULL) {
		request->failed = true;
		return;
	}
	put(request, member, "channel", delivery->channel);
	put(request, member, "to", delivery->to);
	put(request, member, "accountId", delivery->account_id);
	put(request, member, "threadId", delivery->thread_id);
}

static void
put_draft(struct sevq_request *request, cJSON *object, const struct sevq_draft *draft)
{
	static const char *const wakes[] = { NULL, "now", "next-heartbeat" };

	put_address(request, object, &draft->address);
	put(request, object, "text", draft->text);
	put(request, object, "contextKey", draft->context_key);
	put(request, object, "source", draft->source);
	put_delivery(request, object, &draft->delivery);
	put(request, object, "wake", wakes[draft->wake]);
	put_true(request, object, "replace", draft->replace);
	put_true(request, object, "allowDuplicate", draft->allow_duplicate);
	put(request, object, "traceparent", draft->traceparent);
	put_number(request, object, "delayMs", draft->delay_ms);
	put_number(request, object, "ttlMs", draft->ttl_ms);
	put(request, object, "idempotencyKey", draft->idempotency_key);
}

void
sevq_request_address(struct sevq_request *request, const struct sevq_address *address)
{
	if (address != NULL)
		put_address(request, request->body, address);
}

void
sevq_request_text(struct sevq_request *request, const char *name, const char *value)
{
	put(request, request->body, name, value);
}

void
sevq_request_number(struct sevq_request *request, const char *name, int64_t value)
{
	put_number(request, request->body, name, value);
}

void
sevq_request_true(struct sevq_request *request, const char *name, bool value)
{
	put_true(request, request->body, name, value);
}

void
sevq_request_texts(struct sevq_request *request, const char *name, const char *const *values,
		   size_t count)
{
	cJSON *list = cJSON_AddArrayToObject(request->body, name), *item;
	size_t i;

	request->failed |= list == NULL;
	for (i = 0; i < count && !request->failed; i++) {
		item = cJSON_CreateString(values[i]);
		/* a list takes its item over */
		if (item == NULL || !cJSON_AddItemToArray(list, item))
			request->failed = true;
	}
}

void
sevq_request_false(struct sevq_request *request, const char *name)
{
	if (cJSON_AddFalseToObject(request->body, name) == NULL)
		request->failed = true;
}

void
sevq_request_idempotency(struct sevq_request *request, const char *key)
{
	request->repeatable = true;
	sevq_buffer_adds(&request->header, "Idempotency-Key: \"");
	for (; *key != '\0'; key++)
		sevq_buffer_addf(&request->header, "%s%c", *key == '"' || *key == '\\' ? "\\" : "",
				 *key);
	sevq_buffer_adds(&request->header, "\"");
}

void
sevq_request_draft(struct sevq_request *request, const struct sevq_draft *draft)
{
	put_draft(request, request->body, draft);
	request->repeatable = draft->idempotency_key != NULL;
}

void
sevq_request_batch_draft(struct sevq_request *request, const struct sevq_draft *draft)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(request->body, "events"), *item;

	request->repeatable =
	    (list == NULL || request->repeatable) && draft->idempotency_key != NULL;
	if (list == NULL)
		list = cJSON_AddArrayToObject(request->body, "events");
	item = cJSON_CreateObject();
	if (item != NULL && cJSON_AddItemToArray(list, item)) {
		put_draft(request, item, draft);
	} else {
		cJSON_Delete(item);
		request->failed = true;
	}
}
