/*
 * session_key.c - session keys taken apart and put together.
 *
 * Markers ("agent:", ":thread:", "signal:group:" ...) are compared as ASCII without regard to case. That is the same as
 * lower-casing first: KELVIN SIGN is the only letter that lower-cases into ASCII alone, and no marker has a k.
 */
#include "schema/session_key.h"

#include <assert.h>
#include <strings.h>

#define ID_CHARS_MAX 64

static const struct sevq_str agent_prefix = SEVQ_STR_INIT("agent:");
static const struct sevq_str thread_marker = SEVQ_STR_INIT(":thread:");

/* Does marker stand at that offset, in any case? */
static bool
marker_at(struct sevq_str s, size_t at, struct sevq_str marker)
{
	return at <= s.len && s.len - at >= marker.len && strncasecmp(s.s + at, marker.s, marker.len) == 0;
}

static struct sevq_str
part(struct sevq_str s, size_t start, size_t end)
{
	return (struct sevq_str){ s.s + start, end - start };
}

/* Offset of the next ':' at or behind from; the length if there is none. */
static size_t
next_colon(struct sevq_str s, size_t from)
{
	const char *colon = from < s.len ? memchr(s.s + from, ':', s.len - from) : NULL;

	return colon != NULL ? (size_t)(colon - s.s) : s.len;
}

/* ---- ids ---- */

static bool
is_id_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* An id that only needs lower-casing: the plain case, and the one that keeps a dash at its end. */
static bool
is_plain_id(struct sevq_str s)
{
	if (s.len == 0 || s.len > ID_CHARS_MAX || s.s[0] == '_' || s.s[0] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_id_char(s.s[i]) && !(s.s[i] >= 'A' && s.s[i] <= 'Z'))
			return false;
	return true;
}

/* Runs of other characters become one dash, dashes at the ends go, then it is cut: a dash may end it again. */
static struct sevq_str
sanitize(struct sevq_arena *arena, struct sevq_str lowered)
{
	char *id = sevq_arena_bytes(arena, lowered.len);
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
	return (struct sevq_str){ id + start, len - start };
}

/* What agent ids and account ids have in common; may come out empty. */
static struct sevq_str
normalize_id(struct sevq_arena *arena, struct sevq_str id)
{
	struct sevq_str trimmed = sevq_trim(id), lowered = sevq_lower(arena, trimmed);

	return is_plain_id(trimmed) ? lowered : sanitize(arena, lowered);
}

struct sevq_str
sevq_agent_id(struct sevq_arena *arena, struct sevq_str id)
{
	struct sevq_str normalized = normalize_id(arena, id);

	return normalized.len > 0 ? normalized : SEVQ_STR("main");
}

bool
sevq_account_id_reserved(struct sevq_str id)
{
	return sevq_str_eq(id, SEVQ_STR("__proto__")) || sevq_str_eq(id, SEVQ_STR("prototype")) ||
	       sevq_str_eq(id, SEVQ_STR("constructor"));
}

struct sevq_str
sevq_account_id_optional(struct sevq_arena *arena, struct sevq_str id)
{
	struct sevq_str normalized = normalize_id(arena, id);

	return normalized.len > 0 && !sevq_account_id_reserved(normalized) ? normalized : SEVQ_STR_NULL;
}

struct sevq_str
sevq_account_id(struct sevq_arena *arena, struct sevq_str id)
{
	struct sevq_str normalized = sevq_account_id_optional(arena, id);

	return normalized.s != NULL ? normalized : SEVQ_STR("default");
}

/* ---- opaque spans ---- */

/* A part of a key that keeps its case. */
struct span {
	size_t start, end;
	bool trimmed;
};

/* The cheap question that most keys answer with no. */
static bool
may_hold_opaque(struct sevq_str key)
{
	const size_t name = sizeof "signal" - 1;

	for (size_t colon = next_colon(key, 0); colon < key.len; colon = next_colon(key, colon + 1))
		if (colon >= name &&
		    (marker_at(key, colon - name, SEVQ_STR("signal:")) || marker_at(key, colon - name, SEVQ_STR("matrix:"))))
			return true;
	return false;
}

/* Section 2.1 (a): the next segment behind "signal:group:", which stands at the start or after a colon, from *at on. */
static bool
next_signal_group(struct sevq_str key, size_t *at, struct span *ret)
{
	const struct sevq_str marker = SEVQ_STR("signal:group:");

	for (size_t i = *at; i < key.len; i = next_colon(key, i) + 1) {
		size_t start = i + marker.len, end = next_colon(key, start);

		if (marker_at(key, i, marker) && end > start) {
			*ret = (struct span){ start, end, true };
			*at = end; /* a colon, behind which the next may stand */
			return true;
		}
	}
	*at = key.len;
	return false;
}

/* Section 2.1 (b): where the tail behind [agent:<x>:...]matrix:channel: (or group:) starts; the length if there is none. */
static size_t
matrix_tail(struct sevq_str key)
{
	size_t at = 0;

	while (marker_at(key, at, agent_prefix)) {
		at = next_colon(key, at + agent_prefix.len);
		at += at < key.len;
	}
	while (at > 0 && at < key.len && key.s[at] == ':')
		at++;
	if (marker_at(key, at, SEVQ_STR("matrix:channel:")))
		return at + SEVQ_STR("matrix:channel:").len;
	if (marker_at(key, at, SEVQ_STR("matrix:group:")))
		return at + SEVQ_STR("matrix:group:").len;
	return key.len;
}

/* Offset of the last ":thread:" at or behind from; the length if there is none. */
static size_t
last_thread_marker(struct sevq_str key, size_t from)
{
	for (size_t i = key.len; i > from; i--)
		if (key.s[i - 1] == ':' && marker_at(key, i - 1, thread_marker))
			return i - 1;
	return key.len;
}

/* Writes what lies before the span in lower case, then the span. A span inside an earlier one is nothing of its own. */
static void
write_span(struct sevq_buf *out, struct sevq_arena *arena, struct sevq_str key, size_t *done, struct span span)
{
	struct sevq_str lowered, kept = part(key, span.start, span.end);

	if (span.start < *done || span.end == span.start)
		return;
	lowered = sevq_lower(arena, part(key, *done, span.start));
	kept = span.trimmed ? sevq_trim(kept) : kept;
	sevq_buf_add(out, lowered.s, lowered.len);
	sevq_buf_add(out, kept.s, kept.len);
	*done = span.end;
}

static struct sevq_str
normalize_opaque(struct sevq_arena *arena, struct sevq_str key)
{
	size_t tail = matrix_tail(key), marker = last_thread_marker(key, tail);
	size_t thread = marker < key.len ? marker + thread_marker.len : key.len;
	const struct span matrix[] = { { tail, marker, false }, { thread, key.len, false }, { key.len, key.len, false } };
	size_t done = 0, searched = 0;
	struct sevq_buf out = { 0 };
	struct sevq_str ret;
	struct span signal;
	bool more = next_signal_group(key, &searched, &signal);

	for (size_t i = 0; i < sizeof matrix / sizeof matrix[0]; i++) {
		for (; more && signal.start < matrix[i].start; more = next_signal_group(key, &searched, &signal))
			write_span(&out, arena, key, &done, signal);
		write_span(&out, arena, key, &done, matrix[i]);
	}
	ret = sevq_lower(arena, part(key, done, key.len));
	sevq_buf_add(&out, ret.s, ret.len);
	ret = sevq_arena_dup(arena, (struct sevq_str){ out.data, out.len });
	sevq_buf_clear(&out);
	return ret;
}

struct sevq_str
sevq_session_key_normalize(struct sevq_arena *arena, struct sevq_str key)
{
	key = sevq_trim(key);
	return may_hold_opaque(key) ? normalize_opaque(arena, key) : sevq_lower(arena, key);
}

/* ---- parse and build ---- */

enum sevq_key_shape
sevq_session_key_parse(struct sevq_arena *arena, struct sevq_str key, struct sevq_session_key *ret)
{
	struct sevq_str text = sevq_session_key_normalize(arena, key), id;
	size_t colon;

	*ret = (struct sevq_session_key){ text, SEVQ_STR_NULL, text };
	if (text.len == 0)
		return SEVQ_KEY_BLANK;
	if (!sevq_str_starts(text, agent_prefix))
		return SEVQ_KEY_BARE;
	colon = next_colon(text, agent_prefix.len);
	id = sevq_trim(part(text, agent_prefix.len, colon));
	if (id.len == 0 || colon + 1 >= text.len || text.s[colon + 1] == ':')
		return SEVQ_KEY_MALFORMED;
	ret->agent_id = id;
	ret->rest = part(text, colon + 1, text.len);
	if (id.len < colon - agent_prefix.len)
		ret->key = sevq_session_key_build(arena, id, ret->rest);
	return SEVQ_KEY_AGENT;
}

struct sevq_str
sevq_session_key_build(struct sevq_arena *arena, struct sevq_str agent_id, struct sevq_str rest)
{
	size_t len = agent_prefix.len + agent_id.len + 1 + rest.len;
	char *key = sevq_arena_bytes(arena, len), *at = key;

	at = mempcpy(at, agent_prefix.s, agent_prefix.len);
	at = mempcpy(at, agent_id.s, agent_id.len);
	*at++ = ':';
	memcpy(at, rest.s, rest.len);
	return (struct sevq_str){ key, len };
}

bool
sevq_session_key_is(struct sevq_str key, struct sevq_str agent_id, struct sevq_str rest)
{
	size_t colon = agent_prefix.len + agent_id.len;

	return key.len == colon + 1 + rest.len && sevq_str_starts(key, agent_prefix) && key.s[colon] == ':' &&
	       sevq_str_eq(part(key, agent_prefix.len, colon), agent_id) && sevq_str_eq(part(key, colon + 1, key.len), rest);
}

struct sevq_str
sevq_session_key_agent(struct sevq_str queue_key)
{
	assert(sevq_str_starts(queue_key, agent_prefix));
	return part(queue_key, agent_prefix.len, next_colon(queue_key, agent_prefix.len));
}

struct sevq_str
sevq_agent_key_prefix(struct sevq_arena *arena, struct sevq_str agent_id)
{
	return sevq_session_key_build(arena, sevq_agent_id(arena, agent_id), SEVQ_STR(""));
}

struct sevq_str
sevq_session_key_base(struct sevq_str key)
{
	key = sevq_trim(key);
	return part(key, 0, last_thread_marker(key, 0));
}

/* ---- kinds of keys ---- */

bool
sevq_session_key_is_cron_run(const struct sevq_session_key *key)
{
	const struct sevq_str cron = SEVQ_STR("cron:"), run = SEVQ_STR(":run:");
	struct sevq_str rest = key->rest;
	size_t job, id;

	if (key->agent_id.s == NULL || !sevq_str_starts(rest, cron))
		return false;
	job = next_colon(rest, cron.len);
	if (job == cron.len || !sevq_str_starts(part(rest, job, rest.len), run))
		return false;
	id = job + run.len;
	return next_colon(rest, id) > id;
}

bool
sevq_session_key_is_subagent(const struct sevq_session_key *key)
{
	return sevq_str_starts(key->rest, SEVQ_STR("subagent:"));
}

#define SEGMENTS_MAX 4

/* The first segments of a rest, p0 to p3, empty where there are fewer, and the offsets behind their colons. */
struct segments {
	struct sevq_str p[SEGMENTS_MAX];
	size_t behind[SEGMENTS_MAX];
};

static void
split(struct sevq_str rest, struct segments *ret)
{
	size_t at = 0;

	for (int i = 0; i < SEGMENTS_MAX; i++) {
		size_t end = next_colon(rest, at);

		ret->p[i] = part(rest, at, end);
		at = end < rest.len ? end + 1 : rest.len;
		ret->behind[i] = at;
	}
}

static enum sevq_chat_type
kind_of(struct sevq_str segment)
{
	static const struct {
		struct sevq_str name;
		enum sevq_chat_type type;
	} kinds[] = {
		{ SEVQ_STR_INIT("direct"), SEVQ_CHAT_DIRECT },
		{ SEVQ_STR_INIT("dm"), SEVQ_CHAT_DIRECT },
		{ SEVQ_STR_INIT("group"), SEVQ_CHAT_GROUP },
		{ SEVQ_STR_INIT("channel"), SEVQ_CHAT_CHANNEL },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (sevq_str_eq(segment, kinds[i].name))
			return kinds[i].type;
	return SEVQ_CHAT_UNKNOWN;
}

/* A segment that is prefix and something more. */
static bool
extends(struct sevq_str segment, struct sevq_str prefix)
{
	return segment.len > prefix.len && sevq_str_starts(segment, prefix);
}

/* discord:[<x>:]guild-<x>:channel-<x>, and nothing behind it. */
static bool
is_discord_channel(struct sevq_str rest, const struct segments *s)
{
	int guild = extends(s->p[1], SEVQ_STR("guild-")) && extends(s->p[2], SEVQ_STR("channel-")) ? 1 : 2;
	int last = guild + 1;

	return sevq_str_eq(s->p[0], SEVQ_STR("discord")) && s->p[1].len > 0 && extends(s->p[guild], SEVQ_STR("guild-")) &&
	       extends(s->p[last], SEVQ_STR("channel-")) && s->p[last].s + s->p[last].len == rest.s + rest.len;
}

/* Test D: shapes from before keys named their kind. */
static enum sevq_chat_type
legacy_type(struct sevq_str rest, const struct segments *s)
{
	const struct sevq_str whatsapp = SEVQ_STR("whatsapp:"), suffix = SEVQ_STR("@g.us");
	size_t id = sevq_str_starts(rest, whatsapp) ? whatsapp.len : 0;

	if (extends(rest, SEVQ_STR("group:")))
		return SEVQ_CHAT_GROUP;
	if (extends(rest, SEVQ_STR("channel:")) || is_discord_channel(rest, s))
		return SEVQ_CHAT_CHANNEL;
	if (next_colon(rest, id) == rest.len && rest.len > id + suffix.len && marker_at(rest, rest.len - suffix.len, suffix))
		return SEVQ_CHAT_GROUP;
	return SEVQ_CHAT_UNKNOWN;
}

/* Tests A to D over a lower-cased rest. *marker is the index of the segment that names the kind; unchanged for test D. */
static enum sevq_chat_type
classify(struct sevq_str rest, const struct segments *s, int *marker)
{
	enum sevq_chat_type kinds[] = { kind_of(s->p[0]), kind_of(s->p[1]), kind_of(s->p[2]) };
	enum sevq_chat_type legacy = legacy_type(rest, s);
	const bool holds[] = {
		kinds[0] == SEVQ_CHAT_DIRECT && s->p[1].len > 0,
		kinds[1] != SEVQ_CHAT_UNKNOWN && s->p[0].len > 0 && s->p[2].len > 0,
		kinds[2] != SEVQ_CHAT_UNKNOWN && s->p[0].len > 0 && s->p[1].len > 0 && s->p[3].len > 0,
	};

	if (legacy != SEVQ_CHAT_UNKNOWN || sevq_str_eq(s->p[0], SEVQ_STR("agent")) || holds[0] + holds[1] + holds[2] != 1)
		return legacy;
	*marker = holds[0] ? 0 : holds[1] ? 1 : 2;
	return kinds[*marker];
}

enum sevq_chat_type
sevq_session_key_chat_type(struct sevq_arena *arena, struct sevq_str key)
{
	struct sevq_session_key parsed;
	struct segments segments;
	int marker;

	sevq_session_key_parse(arena, sevq_lower(arena, key), &parsed);
	split(parsed.rest, &segments);
	return classify(parsed.rest, &segments, &marker);
}

bool
sevq_session_key_direct_target(struct sevq_arena *arena, struct sevq_str key, struct sevq_direct_target *ret)
{
	struct sevq_str base = sevq_lower(arena, sevq_session_key_base(key));
	struct sevq_session_key parsed;
	struct segments segments;
	int marker;

	if (sevq_session_key_parse(arena, base, &parsed) != SEVQ_KEY_AGENT)
		return false;
	split(parsed.rest, &segments);
	if (classify(parsed.rest, &segments, &marker) != SEVQ_CHAT_DIRECT)
		return false;
	/* Never blank: a segment follows, and white space alone at the end of a key is trimmed off it. */
	ret->peer = sevq_trim(part(parsed.rest, segments.behind[marker], parsed.rest.len));
	ret->channel = marker >= 1 ? sevq_trim(segments.p[0]) : SEVQ_STR("");
	ret->account = marker == 2 ? sevq_trim(segments.p[1]) : SEVQ_STR("");
	return true;
}
