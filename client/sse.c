/*
 * Parses server-sent events. A line is a field and its value, and an empty line ends the event.
 * Lines end in LF, CR or CR LF.
 */
#include "client/sse.h"

#include <string.h>

static void
set(struct sevq_buffer *text, const char *value)
{
	sevq_buffer_truncate(text);
	sevq_buffer_adds(text, value);
}

/* Reports the fields so far as an event, unless they have no data, and starts the next event. */
static bool
end_event(struct sevq_sse *sse)
{
	const char *name = sse->name.len > 0 ? sevq_buffer_text(&sse->name) : "message";
	struct sevq_sse_event event = { name, sevq_buffer_text(&sse->id),
					sevq_buffer_text(&sse->data) };
	bool more = !sse->any_data || sse->on_event(&event, sse->arg);

	sevq_buffer_truncate(&sse->name);
	sevq_buffer_truncate(&sse->data);
	sse->any_data = false;
	return more;
}

/* Unknown fields are ignored, and so are comments, which are fields with an empty name. */
static void
take_field(struct sevq_sse *sse, const char *field, const char *value)
{
	if (strcmp(field, "event") == 0) {
		set(&sse->name, value);
	} else if (strcmp(field, "id") == 0) {
		set(&sse->id, value);
	} else if (strcmp(field, "data") == 0) {
		if (sse->any_data)
			sevq_buffer_adds(&sse->data, "\n");
		sevq_buffer_adds(&sse->data, value);
		sse->any_data = true;
	}
}

static bool
end_line(struct sevq_sse *sse)
{
	char *line = sse->line.data, *value;
	bool more = true;

	if (sse->line.len == 0) {
		more = end_event(sse);
	} else {
		value = strchr(line, ':');
		if (value != NULL)
			*value++ = '\0';
		take_field(sse, line, value == NULL ? "" : value[0] == ' ' ? value + 1 : value);
	}
	sevq_buffer_truncate(&sse->line);
	return more && !sse->name.failed && !sse->id.failed && !sse->data.failed &&
	       sse->data.len <= SEVQ_SSE_BYTES_MAX;
}

bool
sevq_sse_feed(struct sevq_sse *sse, const char *bytes, size_t len)
{
	const char *end = bytes + len, *at;

	while (bytes < end) {
		if (*bytes == '\n' && sse->after_cr) { /* CR has ended the line already */
			sse->after_cr = false;
			bytes++;
			continue;
		}
		for (at = bytes; at < end && *at != '\n' && *at != '\r'; at++)
			;
		sevq_buffer_add(&sse->line, bytes, (size_t)(at - bytes));
		if (sse->line.failed || sse->line.len > SEVQ_SSE_BYTES_MAX)
			return false;
		if (at < end && !end_line(sse))
			return false;
		sse->after_cr = at < end && *at == '\r';
		bytes = at < end ? at + 1 : at;
	}
	return true;
}

void
sevq_sse_clear(struct sevq_sse *sse)
{
	sevq_buffer_clear(&sse->line);
	sevq_buffer_clear(&sse->name);
	sevq_buffer_clear(&sse->id);
	sevq_buffer_clear(&sse->data);
}
