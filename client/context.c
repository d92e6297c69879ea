/*
 * The context: making it, asking how its last call ended, and the one way of every call: send the
 * request, tell an answer from a problem, read the answer by its shape, hand it to the caller.
 */
#include "client/context.h"

#include <stdlib.h>

#include <curl/curl.h>

#define STRUCT_BYTES_MAX 4096 /* a larger size means that the struct was not initialised */
#define IDEMPOTENCY_KEY_BYTES_MAX 255

const char *
sevq_version(void)
{
	return SEVQ_VERSION;
}

enum sevq_code
sevq_context_import(void *ours, size_t our_size, const void *theirs, struct sevq_error *error)
{
	size_t their_size, i;

	memset(ours, 0, our_size);
	if (theirs == NULL)
		return SEVQ_OK;
	their_size = *(const size_t *)theirs;
	if (their_size < sizeof(size_t) || their_size > STRUCT_BYTES_MAX)
		return sevq_error_set(error, SEVQ_INVALID_ARGUMENT,
				      "a struct has no valid size; call its init function first");
	for (i = our_size; i < their_size; i++)
		if (((const char *)theirs)[i] != 0)
			return sevq_error_set(error, SEVQ_INVALID_ARGUMENT,
					      "an option is unknown to this version of libsevq");
	memcpy(ours, theirs, their_size < our_size ? their_size : our_size);
	return SEVQ_OK;
}

enum sevq_code
sevq_connect(const struct sevq_connect_options *given, struct sevq_client **ret)
{
	struct sevq_client *client = calloc(1, sizeof(*client));
	struct sevq_connect_options options = { 0 };
	struct sevq_error *error;

	*ret = NULL;
	if (client == NULL)
		return SEVQ_NO_MEMORY;
	/* libcurl counts these calls; sevq_close makes the opposite one */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(client);
		return SEVQ_NO_MEMORY;
	}
	*ret = client;
	error = &client->error;
	if (sevq_context_import(&options, sizeof(options), given, error) != SEVQ_OK)
		return error->code;
	if (options.timeout_ms < 0 || options.connect_timeout_ms < 0)
		return sevq_error_set(error, SEVQ_INVALID_ARGUMENT, "a timeout is negative");
	if (sevq_endpoint_find(&options, &client->endpoint, error) == SEVQ_OK)
		sevq_http_open(&client->endpoint, &options, &client->http, error);
	return error->code;
}

void
sevq_close(struct sevq_client *client)
{
	if (client == NULL)
		return;
	sevq_http_close(client->http);
	sevq_endpoint_clear(&client->endpoint);
	free(client);
	curl_global_cleanup();
}

void
sevq_interrupt(struct sevq_client *client)
{
	if (client != NULL && client->http != NULL)
		sevq_http_interrupt(client->http);
}

enum sevq_code
sevq_error_code(const struct sevq_client *client)
{
	return client != NULL ? client->error.code : SEVQ_NO_MEMORY;
}

const char *
sevq_error_message(const struct sevq_client *client)
{
	return client != NULL ? client->error.message : "out of memory";
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
	return client != NULL && client->endpoint.url.text != NULL ? client->endpoint.url.text : "";
}

enum sevq_code
sevq_context_refuse(struct sevq_client *client, const char *why)
{
	return sevq_error_set(&client->error, SEVQ_INVALID_ARGUMENT, "%s", why);
}

bool
sevq_context_begin(struct sevq_client *client)
{
	if (client == NULL || client->http == NULL)
		return false;
	if (client->streaming) {
		sevq_context_refuse(client,
				    "this context is reading a stream; use another context");
		return false;
	}
	memset(&client->error, 0, sizeof(client->error));
	memset(&client->answer, 0, sizeof(client->answer));
	return true;
}

/* Reads the answer by its shape, or fills the context's error from a problem. NULL on failure. */
static void *
read_answer(struct sevq_client *client, const struct sevq_shape *shape)
{
	const struct sevq_http_answer *answer = &client->answer;

	if (shape != NULL && answer->status >= 200 && answer->status < 300 && answer->json)
		return sevq_answer_read(shape, answer->body, answer->len, &client->error);
	if (answer->streamed)
		return NULL; /* on_data has had all of it */
	if (answer->status >= 400 && answer->problem)
		sevq_answer_problem(answer->body, answer->len, &client->error);
	else
		sevq_error_set(&client->error, SEVQ_BAD_ANSWER,
			       "%s is no sevqd: unexpected answer with HTTP status %d",
			       client->endpoint.url.text, answer->status);
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
	if (ids != NULL && client->error.code == SEVQ_OK)
		sevq_request_texts(request, "ids", ids, id_count);
}

enum sevq_code
sevq_context_run(struct sevq_client *client, struct sevq_request *request,
		 const struct sevq_shape *shape, void *ret)
{
	void *answer = NULL;

	if (client->error.code != SEVQ_OK)
		; /* the call was refused while its request was built */
	else if (request->failed || request->target.failed || request->header.failed)
		sevq_error_set(&client->error, SEVQ_NO_MEMORY, "out of memory");
	else if (sevq_http_exchange(client->http, request, &client->answer, &client->error) ==
		 SEVQ_OK)
		answer = read_answer(client, shape);
	sevq_request_clear(request);
	if (answer != NULL && ret != NULL)
		memcpy(ret, &answer, sizeof(answer)); /* ret points to a pointer of another type */
	else
		sevq_free(answer);
	return client->error.code;
}
