/*
 * The context and the calls that queue, take and look. Each call builds a request and gives it to
 * sevq_context_run, the one way through: send, tell an answer from a problem, read it by its shape,
 * hand it over.
 */
#include <stdlib.h>

#include <curl/curl.h>

#include "client/context.h"

#define STRUCT_BYTES_MAX 4096 /* a size beyond this is a struct that nobody initialised */
#define IDEMPOTENCY_KEY_BYTES_MAX 255

const char *
sevq_version(void)
{
	return SEVQ_VERSION;
}

enum sevq_code
sevq_context_import(void *ours, size_t our_size, const void *theirs, struct sevq_fault *fault)
{
	size_t their_size, i;

	memset(ours, 0, our_size);
	if (theirs == NULL)
		return SEVQ_OK;
	their_size = *(const size_t *)theirs;
	if (their_size < sizeof(size_t) || their_size > STRUCT_BYTES_MAX)
		return sevq_fault_set(fault, SEVQ_INVALID_ARGUMENT, "a struct was not initialised");
	for (i = our_size; i < their_size; i++)
		if (((const char *)theirs)[i] != 0)
			return sevq_fault_set(fault, SEVQ_INVALID_ARGUMENT,
					      "an option needs a newer libsevq");
	memcpy(ours, theirs, their_size < our_size ? their_size : our_size);
	return SEVQ_OK;
}

enum sevq_code
sevq_connect(const struct sevq_connect_options *given, struct sevq_client **ret)
{
	struct sevq_client *client = calloc(1, sizeof(*client));
	struct sevq_connect_options options = { 0 };
	struct sevq_fault *fault;

	*ret = NULL;
	if (client == NULL)
		return SEVQ_NO_MEMORY;
	/* counted: sevq_close takes it back */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(client);
		return SEVQ_NO_MEMORY;
	}
	*ret = client;
	fault = &client->fault;
	if (sevq_context_import(&options, sizeof(options), given, fault) != SEVQ_OK)
		return fault->code;
	if (options.timeout_ms < 0 || options.connect_timeout_ms < 0)
		return sevq_fault_set(fault, SEVQ_INVALID_ARGUMENT, "a timeout is negative");
	if (sevq_place_find(&options, &client->place, fault) == SEVQ_OK)
		sevq_http_open(&client->place, &options, &client->http, fault);
	return fault->code;
}

void
sevq_close(struct sevq_client *client)
{
	if (client == NULL)
		return;
	sevq_http_close(client->http);
	sevq_place_clear(&client->place);
	free(client);
	curl_global_cleanup();
}

enum sevq_code
sevq_error_code(const struct sevq_client *client)
{
	return client != NULL ? client->fault.code : SEVQ_NO_MEMORY;
}

const char *
sevq_error_message(const struct sevq_client *client)
{
	return client != NULL ? client->fault.message : "out of memory";
}

int
sevq_http_status(const struct sevq_client *client)
{
	return client != NULL ? client->answer.status : 0;
}

long
sevq_retry_after(const struct sevq_client *client)
{
	return client != NULL ? client->answer.retry_after_s : 0;
}

const char *
sevq_last_answer(const struct sevq_client *client, size_t *ret_len)
{
	bool any = client != NULL && client->answer.body != NULL;

	if (ret_len != NULL)
		*ret_len = any ? client->answer.len : 0;
	return any ? client->answer.body : "";
}

const char *
sevq_base_url(const struct sevq_client *client)
{
	return client != NULL && client->place.url.text != NULL ? client->place.url.text : "";
}

enum sevq_code
sevq_context_refuse(struct sevq_client *client, const char *why)
{
	return sevq_fault_set(&client->fault, SEVQ_INVALID_ARGUMENT, "%s", why);
}

bool
sevq_context_begin(struct sevq_client *client)
{
	if (client == NULL || client->http == NULL)
		return false;
	if (client->hearing) {
		sevq_context_refuse(client, "the context hears a stream");
		return false;
	}
	memset(&client->fault, 0, sizeof(client->fault));
	memset(&client->answer, 0, sizeof(client->answer));
	return true;
}

/* What came back is an answer, a problem, or not from sevqd. */
static void *
read_answer(struct sevq_client *client, const struct sevq_shape *shape)
{
	const struct sevq_http_answer *answer = &client->answer;

	if (shape != NULL && answer->status >= 200 && answer->status < 300 && answer->json)
		return sevq_answer_read(shape, answer->body, answer->len, &client->fault);
	if (answer->endless)
		return NULL; /* it was handed on, and nothing is left to read */
	if (answer->status >= 400 && answer->problem)
		sevq_answer_problem(answer->body, answer->len, &client->fault);
	else
		sevq_fault_set(&client->fault, SEVQ_BAD_ANSWER,
			       "%s does not answer as sevqd does (HTTP status %d)",
			       client->place.url.text, answer->status);
	return NULL;
}

void
sevq_context_idempotency(struct sevq_client *client, struct sevq_request *request, const char *key)
{
	const char *c;

	if (key == NULL)
		return;
	for (c = key; *c >= 0x20 && *c < 0x7f; c++)
		;
	if (*c != '\0' || c == key || c - key > IDEMPOTENCY_KEY_BYTES_MAX)
		sevq_context_refuse(client,
				    "an idempotency key is 1 to 255 characters of printable ASCII");
	else
		sevq_request_idempotency(request, key);
}

void
sevq_context_ids(struct sevq_client *client, struct sevq_request *request, const char *const *ids,
		 size_t id_count)
{
	size_t i;

	for (i = 0; i < id_count; i++)
		if (ids == NULL || ids[i] == NULL)
			sevq_context_refuse(client, "an id is missing");
	if (ids != NULL && client->fault.code == SEVQ_OK)
		sevq_request_texts(request, "ids", ids, id_count);
}

enum sevq_code
sevq_context_run(struct sevq_client *client, struct sevq_request *request,
		 const struct sevq_shape *shape, void *ret)
{
	void *answer = NULL;

	if (client->fault.code != SEVQ_OK)
		; /* refused while it was built */
	else if (request->failed || request->target.failed || request->header.failed)
		sevq_fault_set(&client->fault, SEVQ_NO_MEMORY, "out of memory");
	else if (sevq_http_exchange(client->http, request, &client->answer, &client->fault) ==
		 SEVQ_OK)
		answer = read_answer(client, shape);
	sevq_request_clear(request);
	if (answer != NULL && ret != NULL)
		memcpy(ret, &answer, sizeof(answer)); /* a pointer of another type, but a pointer */
	else
		sevq_free(answer);
	return client->fault.code;
}

static bool
import_draft(struct sevq_client *client, struct sevq_draft *ours, const struct sevq_draft *theirs)
{
	if (sevq_context_import(ours, sizeof(*ours), theirs, &client->fault) != SEVQ_OK)
		return false;
	if (ours->text == NULL)
		sevq_context_refuse(client, "an event needs a text");
	else if ((unsigned)ours->wake > SEVQ_WAKE_NEXT_HEARTBEAT)
		sevq_context_refuse(client, "no such wake");
	else if (ours->delay_ms < 0 || ours->ttl_ms < 0)
		sevq_context_refuse(client, "a time is negative");
	return client->fault.code == SEVQ_OK;
}

enum sevq_code
sevq_enqueue(struct sevq_client *client, const struct sevq_draft *draft, struct sevq_receipt **ret)
{
	struct sevq_request request;
	struct sevq_draft ours;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (draft == NULL)
		return sevq_context_refuse(client, "no draft");
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
		return sevq_context_refuse(client, "no drafts");
	/* of the caller's array, whose version of the struct may not be ours */
	stride = drafts->size;
	sevq_request_init(&request, "POST", "/v1/events");
	for (i = 0; i < count && !request.failed; i++, at += stride) {
		if (!import_draft(client, &ours, (const struct sevq_draft *)(const void *)at))
			break;
		if (ours.size != stride) {
			sevq_context_refuse(client, "a struct was not initialised");
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
	if (sevq_context_import(&ours, sizeof(ours), options, &client->fault) != SEVQ_OK)
		return client->fault.code;
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
	return sevq_context_run(client, &request, &sevq_shape_found, ret);
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

/* One event by its id. */
static enum sevq_code
by_id(struct sevq_client *client, const char *method, const char *id,
      const struct sevq_shape *shape, void *ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (id == NULL || id[0] == '\0')
		return sevq_context_refuse(client, "an id is missing");
	sevq_request_init(&request, method, "/v1/events");
	sevq_request_segment(&request, id);
	return sevq_context_run(client, &request, shape, ret);
}

enum sevq_code
sevq_find(struct sevq_client *client, const char *id, struct sevq_story **ret)
{
	return by_id(client, "GET", id, &sevq_shape_story, ret);
}

enum sevq_code
sevq_withdraw(struct sevq_client *client, const char *id, struct sevq_event **ret)
{
	return by_id(client, "DELETE", id, &sevq_shape_event, ret);
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

enum sevq_code
sevq_route(struct sevq_client *client, const struct sevq_address *address,
	   struct sevq_decision **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, "POST", "/v1/route");
	sevq_request_address(&request, address);
	request.repeatable = true; /* a question, though posed by POST */
	return sevq_context_run(client, &request, &sevq_shape_decision, ret);
}

enum sevq_code
sevq_sessions(struct sevq_client *client, const struct sevq_sessions_options *options,
	      struct sevq_sessions **ret)
{
	struct sevq_sessions_options ours = { 0 };
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->fault) != SEVQ_OK)
		return client->fault.code;
	sevq_request_init(&request, "GET", "/v1/sessions");
	sevq_url_query(&request.target, "sessionKey", ours.session_key);
	sevq_url_query(&request.target, "agentId", ours.agent_id);
	sevq_url_query(&request.target, "prefix", ours.prefix);
	sevq_url_query_number(&request.target, "minAgeMs", ours.min_age_ms);
	sevq_url_query(&request.target, "sort", ours.sort);
	sevq_url_query_number(&request.target, "limit", (int64_t)ours.limit);
	sevq_url_query(&request.target, "cursor", ours.cursor);
	return sevq_context_run(client, &request, &sevq_shape_sessions, ret);
}

enum sevq_code
sevq_stats(struct sevq_client *client, char **ret)
{
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	sevq_request_init(&request, "GET", "/v1/stats");
	return sevq_context_run(client, &request, &sevq_shape_text, ret);
}
