/*
 * session_key.c - session keys and ids: normalised, parsed, built, classified.
 *
 * Markers ("agent:", ":thread:", "signal:group:" ...) are compared as ASCII without regard to case.
 * That equals lower-casing first: KELVIN SIGN is the only letter outside ASCII that lower-cases to
 * ASCII alone, and no marker has a k.
 */
#include "schema/session_key.h"

#include <assert.h>
#include <strings.h>

#define ID_CHARS_MAX 64

static const struct str agent_prefix = STR_INIT("agent:");
static const struct str thread_marker = STR_INIT(":thread:");

/* Does marker stand at that offset, in any case? */
static bool
marker_at(struct str s, size_t at, struct str marker)
{
	return at <= s.len && s.len - at >= marker.len &&
	       strncasecmp(s.s + at, marker.s, marker.len) == 0;
}

static struct str
part(struct str s, size_t start, size_t end)
{
	return (struct str){ s.s + start, end - start };
}

/* Offset of the next ':' at or behind from; the length if there is none. */
static size_t
next_colon(struct str s, size_t from)
{
	const char *colon = from < s.len ? memchr(s.s + from, ':', s.len - from) : NULL;

	return colon != NULL ? (size_t)(colon - s.s) : s.len;
}

/* --- ids --- */

static bool
is_id_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* An id that only needs lower-casing. Unlike a sanitised one it may keep a dash at its end. */
static bool
is_plain_id(struct str s)
{
	if (s.len == 0 || s.len > ID_CHARS_MAX || s.s[0] == '_' || s.s[0] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_id_char(s.s[i]) && !(s.s[i] >= 'A' && s.s[i] <= 'Z'))
			return false;
	return true;
}

/*
 * Replaces each run of other characters by one dash, strips dashes from both ends, then cuts to 64
 * characters: after the cut a dash may be at the end again.
 */
static struct str
sanitize(struct arena *arena, struct str lowered)
{
	char *id = arena_bytes(arena, lowered.len);
	size_t len = 0, start = 0;
	bool in_run = false;

	for (size_t i = 0; i < lowered.len; i++) {
		bool fits = is_id_char(lowered.s[i]);

		if (fits)
			id[len++] = lowered.s[i];
		else if (!in_run)
			id[len++] = '-';
		in_run = !fits;
	}
	while (start < len && id[start] == '-')
		start++;
	while (len > start && id[len - 1] == '-')
		len--;
	if (len - start > ID_CHARS_MAX)
		len = start + ID_CHARS_MAX;
	return (struct str){ id + start, len - start };
}

/* The part of section 1 that agent and account ids share; the result may be empty. */
static struct str
normalize_id(struct arena *arena, struct str id)
{
	struct str trimmed = text_trim(id), lowered = text_lower(arena, trimmed);

	return is_plain_id(trimmed) ? lowered : sanitize(arena, lowered);
}

struct str
agent_id_normalize(struct arena *arena, struct str id)
{
	struct str normalized = normalize_id(arena, id);

	return normalized.len > 0 ? normalized : STR("main");
}

struct str
agent_id_normalize_strict(struct arena *arena, struct str id)
{
	struct str normalized = normalize_id(arena, id);

	return normalized.len > 0 ? normalized : STR_NULL;
}

bool
account_id_is_reserved(struct str id)
{
	return str_eq(id, STR("__proto__")) || str_eq(id, STR("prototype")) ||
	       str_eq(id, STR("constructor"));
}

struct str
account_id_normalize_optional(struct arena *arena, struct str id)
{
	struct str normalized = normalize_id(arena, id);

	return normalized.len > 0 && !account_id_is_reserved(normalized) ? normalized : STR_NULL;
}

struct str
account_id_normalize(struct arena *arena, struct str id)
{
	struct str normalized = account_id_normalize_optional(arena, id);

	return normalized.s != NULL ? normalized : STR("default");
}

/* --- opaque spans --- */

/* A part of a key that keeps its case (section 2.1). */
struct opaque_span {
	size_t start, end;
	bool trimmed;
};

/* A cheap check that is false for most keys: does "signal:" or "matrix:" occur? */
static bool
may_hold_opaque(struct str key)
{
	const size_t name = sizeof("signal") - 1;

	for (size_t colon = next_colon(key, 0); colon < key.len; colon = next_colon(key, colon + 1))
		if (colon >= name && (marker_at(key, colon - name, STR("signal:")) ||
				      marker_at(key, colon - name, STR("matrix:"))))
			return true;
	return false;
}

/*
 * Section 2.1 (a): finds the next segment behind "signal:group:", at the start of the key or after
 * a colon, from offset *at on.
 */
static bool
next_signal_group(struct str key, size_t *at, struct opaque_span *ret)
{
	const struct str marker = STR("signal:group:");

	for (size_t i = *at; i < key.len; i = next_colon(key, i) + 1) {
		size_t start = i + marker.len, end = next_colon(key, start);

		if (marker_at(key, i, marker) && end > start) {
			*ret = (struct opaque_span){ start, end, true };
			*at = end; /* a colon; the next span may begin behind it */
			return true;
		}
	}
	*at = key.len;
	return false;
}

/*
 * Section 2.1 (b): the offset of the tail behind [agent:<x>:...]matrix:channel: (or group:); the
 * key's length if there is none.
 */
static size_t
matrix_tail(struct str key)
{
	size_t at = 0;

	while (marker_at(key, at, agent_prefix)) {
		at = next_colon(key, at + agent_prefix.len);
		at += at < key.len;
	}
	while (at > 0 && at < key.len && key.s[at] == ':')
		at++;
	if (marker_at(key, at, STR("matrix:channel:")))
		return at + STR("matrix:channel:").len;
	if (marker_at(key, at, STR("matrix:group:")))
		return at + STR("matrix:group:").len;
	return key.len;
}

/* Offset of the last ":thread:" at or behind from; the length if there is none. */
static size_t
last_thread_marker(struct str key, size_t from)
{
	for (size_t i = key.len; i > from; i--)
		if (key.s[i - 1] == ':' && marker_at(key, i - 1, thread_marker))
			return i - 1;
	return key.len;
}

/*
 * Writes the text from *done to the span in lower case, then the span as it is. Skips a span that
 * begins inside an earlier one.
 */
static void
write_span(struct buf *out, struct arena *arena, struct str key, size_t *done,
	   struct opaque_span span)
{
	struct str lowered, kept = part(key, span.start, span.end);

	if (span.start < *done || span.end == span.start)
		return;
	lowered = text_lower(arena, part(key, *done, span.start));
	kept = span.trimmed ? text_trim(kept) : kept;
	buf_add(out, lowered.s, lowered.len);
	buf_add(out, kept.s, kept.len);
	*done = span.end;
}

static struct str
normalize_opaque(struct arena *arena, struct str key)
{
	size_t tail = matrix_tail(key), marker = last_thread_marker(key, tail);
	size_t thread = marker < key.len ? marker + thread_marker.len : key.len;
	const struct opaque_span matrix[] = { { tail, marker, false },
					      { thread, key.len, false },
					      { key.len, key.len, false } };
	size_t done = 0, searched = 0;
	struct buf out = { 0 };
	struct str ret;
	struct opaque_span signal;
	bool more = next_signal_group(key, &searched, &signal);

	for (size_t i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
		for (; more && signal.start < matrix[i].start;
		     more = next_signal_group(key, &searched, &signal))
			write_span(&out, arena, key, &done, signal);
		write_span(&out, arena, key, &done, matrix[i]);
	}
	ret = text_lower(arena, part(key, done, key.len));
	buf_add(&out, ret.s, ret.len);
	ret = arena_dup(arena, (struct str){ out.data, out.len });
	buf_clear(&out);
	return ret;
}

struct str
session_key_normalize(struct arena *arena, struct str key)
{
	key = text_trim(key);
	return may_hold_opaque(key) ? normalize_opaque(arena, key) : text_lower(arena, key);
}

/* --- parse and build --- */

enum key_shape
session_key_parse(struct arena *arena, struct str key, struct session_key *ret)
{
	struct str text = session_key_normalize(arena, key), id;
	size_t colon;

	*ret = (struct session_key){ text, STR_NULL, text };
	if (text.len == 0)
		return KEY_BLANK;
	if (!str_starts(text, agent_prefix))
		return KEY_BARE;
	colon = next_colon(text, agent_prefix.len);
	id = text_trim(part(text, agent_prefix.len, colon));
	if (id.len == 0 || colon + 1 >= text.len || text.s[colon + 1] == ':')
		return KEY_MALFORMED;
	ret->agent_id = id;
	ret->rest = part(text, colon + 1, text.len);
	if (id.len < colon - agent_prefix.len) /* "agent: signal:group: X" is a span only now */
		return session_key_parse(arena, session_key_build(arena, id, ret->rest), ret);
	return KEY_AGENT;
}

struct str
session_key_build(struct arena *arena, struct str agent_id, struct str rest)
{
	size_t len = agent_prefix.len + agent_id.len + 1 + rest.len;
	char *key = arena_bytes(arena, len), *at = key;

	at = mempcpy(at, agent_prefix.s, agent_prefix.len);
	at = mempcpy(at, agent_id.s, agent_id.len);
	*at++ = ':';
	memcpy(at, rest.s, rest.len);
	return (struct str){ key, len };
}

bool
session_key_is(struct str key, struct str agent_id, struct str rest)
{
	size_t colon = agent_prefix.len + agent_id.len;

	return key.len == colon + 1 + rest.len && str_starts(key, agent_prefix) &&
	       key.s[colon] == ':' && str_eq(part(key, agent_prefix.len, colon), agent_id) &&
	       str_eq(part(key, colon + 1, key.len), rest);
}

struct str
session_key_agent(struct str queue_key)
{
	assert(str_starts(queue_key, agent_prefix));
	return part(queue_key, agent_prefix.len, next_colon(queue_key, agent_prefix.len));
}

struct str
agent_key_prefix(struct arena *arena, struct str agent_id)
{
	return session_key_build(arena, agent_id_normalize(arena, agent_id), STR(""));
}

struct str
session_key_base(struct str key)
{
	key = text_trim(key);
	return part(key, 0, last_thread_marker(key, 0));
}

/* --- kinds of keys --- */

bool
session_key_is_cron_run(const struct session_key *key)
{
	const struct str cron = STR("cron:"), run = STR(":run:");
	struct str rest = key->rest;
	size_t job, id;

	if (key->agent_id.s == NULL || !str_starts(rest, cron))
		return false;
	job = next_colon(rest, cron.len);
	if (job == cron.len || !str_starts(part(rest, job, rest.len), run))
		return false;
	id = job + run.len;
	return next_colon(rest, id) > id;
}

#define SEGMENTS_MAX 4

/*
 * The first segments of a rest, p0 to p3, empty where there are fewer; behind[i] is the offset
 * behind the colon of p[i].
 */
struct segments {
	struct str p[SEGMENTS_MAX];
	size_t behind[SEGMENTS_MAX];
};

static void
split(struct str rest, struct segments *ret)
{
	size_t at = 0;

	for (int i = 0; i < SEGMENTS_MAX; i++) {
		size_t end = next_colon(rest, at);

		ret->p[i] = part(rest, at, end);
		at = end < rest.len ? end + 1 : rest.len;
		ret->behind[i] = at;
	}
}

/* The word that names the kind of chat: "direct", "dm", "group" or "channel". */
static bool
is_direct_word(struct str segment)
{
	return str_eq(segment, STR("direct")) || str_eq(segment, STR("dm"));
}

static bool
is_kind_word(struct str segment)
{
	return is_direct_word(segment) || str_eq(segment, STR("group")) ||
	       str_eq(segment, STR("channel"));
}

/* Does the segment start with the prefix and go on behind it? */
static bool
extends(struct str segment, struct str prefix)
{
	return segment.len > prefix.len && str_starts(segment, prefix);
}

/* discord:[<x>:]guild-<x>:channel-<x>, and nothing behind it. */
static bool
is_discord_channel(struct str rest, const struct segments *s)
{
	int guild = extends(s->p[1], STR("guild-")) && extends(s->p[2], STR("channel-")) ? 1 : 2;
	int last = guild + 1;

	return str_eq(s->p[0], STR("discord")) && s->p[1].len > 0 &&
	       extends(s->p[guild], STR("guild-")) && extends(s->p[last], STR("channel-")) &&
	       s->p[last].s + s->p[last].len == rest.s + rest.len;
}

/*
 * Test D, the legacy shapes: groups and channels, never direct chats. "<id>@g.us" is not looked
 * for: it has too few segments for tests A to C.
 */
static bool
is_legacy(struct str rest, const struct segments *s)
{
	return extends(rest, STR("group:")) || extends(rest, STR("channel:")) ||
	       is_discord_channel(rest, s);
}

/*
 * Section 2, "Chat type", tests A to D over a lower-cased rest: the index of the segment that says
 * "direct" or "dm", or -1 if the chat is of another type or of none.
 */
static int
direct_marker(struct str rest, const struct segments *s)
{
	const bool holds[] = {
		is_direct_word(s->p[0]) && s->p[1].len > 0,
		is_kind_word(s->p[1]) && s->p[0].len > 0 && s->p[2].len > 0,
		is_kind_word(s->p[2]) && s->p[0].len > 0 && s->p[1].len > 0 && s->p[3].len > 0,
	};
	int marker = holds[0] ? 0 : holds[1] ? 1 : 2;

	if (holds[0] + holds[1] + holds[2] != 1 || str_eq(s->p[0], STR("agent")) ||
	    is_legacy(rest, s))
		return -1;
	return is_direct_word(s->p[marker]) ? marker : -1;
}

bool
session_key_direct_target(struct arena *arena, struct str key, struct direct_target *ret)
{
	struct str base = text_lower(arena, session_key_base(key));
	struct session_key parsed;
	struct segments segments;
	int marker;

	if (session_key_parse(arena, base, &parsed) != KEY_AGENT)
		return false;
	split(parsed.rest, &segments);
	marker = direct_marker(parsed.rest, &segments);
	if (marker < 0)
		return false;
	/*
	 * Never blank: a segment follows, and white space alone at the end of a key is trimmed off
	 * it.
	 */
	ret->peer = text_trim(part(parsed.rest, segments.behind[marker], parsed.rest.len));
	ret->channel = marker >= 1 ? text_trim(segments.p[0]) : STR("");
	ret->account = marker == 2 ? text_trim(segments.p[1]) : STR("");
	return true;
}
