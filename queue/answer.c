/* answer.c - sums of bytes. */
#include "queue/answer.h"

#include <assert.h>

#define STRUCT_BYTES 320   /* of an event in a list, in memory */
#define REQUEST_BYTES 8192 /* of blocks that the request and its op are kept in */
#define JSON_BYTES 448     /* of its names, numbers and punctuation */
#define TEXT_SENT 16       /* bytes that a byte of text can become */
#define ID_SENT 22         /* bytes of an id, quoted, and a comma */
#define STRING_SENT 6      /* and one of any other string */
#define ENTRY_STRING_BYTES (SOURCE_BYTES_MAX + TRACEPARENT_BYTES_MAX) /* that no entry tells */
#define STRING_BYTES_MAX                                                                           \
	(2 * SESSION_KEY_BYTES_MAX + CONTEXT_KEY_BYTES_MAX + 4 * DELIVERY_FIELD_BYTES_MAX +        \
	 ENTRY_STRING_BYTES)

static_assert(sizeof(struct system_event) + 64 <= STRUCT_BYTES, "an event and its outcome fit");

static void
add(struct answer_size *size, size_t text_bytes, size_t string_bytes)
{
	size->text += text_bytes;
	size->held += STRUCT_BYTES + text_bytes + string_bytes;
	size->sent += JSON_BYTES + TEXT_SENT * text_bytes + STRING_SENT * string_bytes;
}

static size_t
delivery_bytes(const struct delivery *delivery)
{
	return delivery->channel.len + delivery->to.len + delivery->account_id.len +
	       delivery->thread_id.len;
}

void
answer_add_event(struct answer_size *size, const struct system_event *event)
{
	add(size, event->text.len,
	    event->session_key.len + event->original_session_key.len + event->context_key.len +
		event->source.len + event->traceparent.len + delivery_bytes(&event->delivery));
}

void
answer_add_entry(struct answer_size *size, const struct catalog *catalog, const struct queue *queue,
		 const struct entry *entry)
{
	size_t strings = 2 * queue->session.key.len + ENTRY_STRING_BYTES;

	if (entry->tag != 0) {
		const struct tag *tag = tags_get(&catalog->tags, entry->tag);

		strings +=
		    tag->context_key.len + tag->original_key.len + delivery_bytes(&tag->delivery);
	}
	add(size, entry_text_bytes(entry), strings);
}

void
answer_add_unknown(struct answer_size *size, size_t count, size_t text_bytes)
{
	add(size, text_bytes, 0);
	size->held += count * (STRUCT_BYTES + STRING_BYTES_MAX);
	size->sent += count * (JSON_BYTES + STRING_SENT * STRING_BYTES_MAX);
}

void
answer_add_ids(struct answer_size *size, size_t count)
{
	size->held += count * sizeof(int64_t);
	size->sent += count * ID_SENT;
}

void
answer_add_other(struct answer_size *size, size_t string_bytes)
{
	add(size, 0, string_bytes);
}

size_t
answer_bytes(const struct answer_size *size)
{
	size_t sent = size->sent < ANSWER_SLICE_BYTES_MAX ? size->sent : ANSWER_SLICE_BYTES_MAX;
	size_t bytes = size->held + sent;

	return bytes > ANSWER_SMALL_BYTES ? bytes + REQUEST_BYTES : bytes;
}

bool
answer_fits(const struct answer_size *size, size_t room_bytes)
{
	return size->text <= ANSWER_TEXT_BYTES_MAX && answer_bytes(size) <= room_bytes;
}
