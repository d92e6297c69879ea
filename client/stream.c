/*
 * The stream of wakeups: reads the server-sent events of one long answer and calls on_wakeup for
 * each.
 */
#include "client/context.h"
#include "client/sse.h"

#define SILENCE_MS_DEFAULT 45000 /* three intervals of the server's ping */

struct stream {
	struct sevq_client *client;
	bool (*on_wakeup)(const struct sevq_wakeup *wakeup, void *arg);
	void *arg;
	bool stopped; /* on_wakeup returned false */
	struct sevq_error error;
	struct sevq_sse sse;
};

static bool
on_event(const struct sevq_sse_event *event, void *arg)
{
	struct stream *stream = arg;
	struct sevq_wakeup *wakeup;

	if (strcmp(event->name, "wake") != 0)
		return true;
	wakeup =
	    sevq_answer_read(&sevq_shape_wakeup, event->data, strlen(event->data), &stream->error);
	if (wakeup == NULL)
		return false;
	wakeup->id = event->id;
	wakeup->json = event->data;
	stream->stopped = !stream->on_wakeup(wakeup, stream->arg);
	/* on_wakeup may have tried a call on this context, which was refused with an error */
	memset(&stream->client->error, 0, sizeof(stream->client->error));
	sevq_free(wakeup);
	return !stream->stopped;
}

static bool
on_bytes(void *arg, const char *data, size_t len)
{
	struct stream *stream = arg;

	return sevq_sse_feed(&stream->sse, data, len);
}

/* Sets the call's error to why the stream ended, unless the exchange itself has set one. */
static void
set_outcome(struct stream *stream)
{
	struct sevq_error *error = &stream->client->error;
	const struct sevq_sse *sse = &stream->sse;

	if (error->code != SEVQ_OK || stream->stopped)
		return;
	if (stream->error.code != SEVQ_OK)
		*error = stream->error;
	else if (sse->line.failed || sse->name.failed || sse->id.failed || sse->data.failed)
		sevq_error_set(error, SEVQ_NO_MEMORY, "out of memory");
	else if (sse->line.len > SEVQ_SSE_BYTES_MAX || sse->data.len > SEVQ_SSE_BYTES_MAX)
		sevq_error_set(error, SEVQ_BAD_ANSWER, "an event of the stream is too long");
	else
		sevq_error_set(error, SEVQ_LOST, "the stream has ended");
}

static void
fill_request(struct sevq_request *request, const struct sevq_stream_options *options,
	     struct stream *stream)
{
	sevq_request_address_query(request, &options->address);
	sevq_url_query(&request->target, "prefix", options->prefix);
	sevq_url_query_number(&request->target, "coalesceMs", options->coalesce_ms);
	if (options->last_event_id != NULL && options->last_event_id[0] != '\0')
		sevq_buffer_addf(&request->header, "Last-Event-ID: %s", options->last_event_id);
	request->on_data = on_bytes;
	request->on_data_arg = stream;
	request->interruptible = true;
	request->silence_ms = options->silence_ms != 0 ? options->silence_ms : SILENCE_MS_DEFAULT;
}

enum sevq_code
sevq_stream(struct sevq_client *client, const struct sevq_stream_options *options,
	    bool (*on_wakeup)(const struct sevq_wakeup *wakeup, void *arg), void *arg)
{
	struct stream stream = { .client = client, .on_wakeup = on_wakeup, .arg = arg };
	struct sevq_stream_options ours;
	struct sevq_request request;

	if (!sevq_context_begin(client))
		return sevq_error_code(client);
	if (sevq_context_import(&ours, sizeof(ours), options, &client->error) != SEVQ_OK)
		return client->error.code;
	if (on_wakeup == NULL)
		return sevq_context_refuse(client, "on_wakeup is NULL");
	if (ours.coalesce_ms < 0 || ours.silence_ms < 0)
		return sevq_context_refuse(client,
					   "coalesce_ms and silence_ms must not be negative");
	if (ours.last_event_id != NULL && strpbrk(ours.last_event_id, "\r\n") != NULL)
		return sevq_context_refuse(client, "last_event_id must be one line");
	stream.sse.on_event = on_event;
	stream.sse.arg = &stream;
	sevq_request_init(&request, "GET", "/v1/stream");
	fill_request(&request, &ours, &stream);
	client->streaming = true;
	sevq_context_run(client, &request, NULL, NULL);
	client->streaming = false;
	set_outcome(&stream);
	sevq_sse_clear(&stream.sse);
	return client->error.code;
}
