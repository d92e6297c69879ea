/*
 * session_key.h - the grammar of session keys, agent ids and account ids (ROUTING sections 1 and 2).
 *
 * Here: normalise, classify, parse, build. Pure functions over valid UTF-8 of any length; nothing here fails, a text
 * that does not fit the grammar has a shape that says so. Results are borrowed from the input (the plain case costs no
 * copy) or live in the arena.
 * Not here: policy, owners, rules (queue/route), limits (schema/event.h).
 */
#ifndef SEVQ_SCHEMA_SESSION_KEY_H
#define SEVQ_SCHEMA_SESSION_KEY_H

#include "schema/mem.h"
#include "schema/text.h"

/* Section 1. An id that normalises to nothing is "main". */
struct sevq_str sevq_agent_id(struct sevq_arena *arena, struct sevq_str id);

/*
 * Section 1. What normalises to nothing, or to a name that JavaScript reserves, is "default"; in the optional variant
 * it is absent (NULL).
 */
struct sevq_str sevq_account_id(struct sevq_arena *arena, struct sevq_str id);
struct sevq_str sevq_account_id_optional(struct sevq_arena *arena, struct sevq_str id);
bool sevq_account_id_reserved(struct sevq_str id); /* __proto__, prototype, constructor */

/* Section 2.1: trimmed and lower-cased but for the opaque ids of Signal groups and Matrix rooms. Blank gives empty. */
struct sevq_str sevq_session_key_normalize(struct sevq_arena *arena, struct sevq_str key);

/* Section 2.3. */
enum sevq_key_shape {
	SEVQ_KEY_BLANK,
	SEVQ_KEY_BARE,
	SEVQ_KEY_AGENT,
	SEVQ_KEY_MALFORMED, /* starts with "agent:" but is no agent key */
};

/* A key taken apart (section 2.2), all of it key-normalised. */
struct sevq_session_key {
	struct sevq_str key;      /* agent key: "agent:" agent_id ":" rest; else the normalised text */
	struct sevq_str agent_id; /* lower-cased and trimmed, not sanitised; NULL unless an agent key */
	struct sevq_str rest;     /* the whole key unless an agent key */
};

/* Takes any text apart and says what it is. *ret is always written. */
enum sevq_key_shape sevq_session_key_parse(struct sevq_arena *arena, struct sevq_str key, struct sevq_session_key *ret);

/* "agent:" agent_id ":" rest. The caller has normalised both. */
struct sevq_str sevq_session_key_build(struct sevq_arena *arena, struct sevq_str agent_id, struct sevq_str rest);

/* The same without building it: is key exactly that? */
bool sevq_session_key_is(struct sevq_str key, struct sevq_str agent_id, struct sevq_str rest);

/* The agent id of an agent key in its normalised form, as every queue key is. */
struct sevq_str sevq_session_key_agent(struct sevq_str queue_key);

/* "agent:" agent id ":", which every queue key of that agent starts with. The id is normalised here. */
struct sevq_str sevq_agent_key_prefix(struct sevq_arena *arena, struct sevq_str agent_id);

/* Section 2.4: the trimmed key before its last ":thread:" (any case); the trimmed key itself if there is none. */
struct sevq_str sevq_session_key_base(struct sevq_str key);

/* Section 2.5 and 2.6. A bare key is never a cron run; it can be a sub-agent's. */
bool sevq_session_key_is_cron_run(const struct sevq_session_key *key);
bool sevq_session_key_is_subagent(const struct sevq_session_key *key);

enum sevq_chat_type { SEVQ_CHAT_UNKNOWN, SEVQ_CHAT_DIRECT, SEVQ_CHAT_GROUP, SEVQ_CHAT_CHANNEL };

/* Section 2, "Chat type", of any text. */
enum sevq_chat_type sevq_session_key_chat_type(struct sevq_arena *arena, struct sevq_str key);

/* Whom a direct-message key talks to. Everything folded; channel and account are empty where the key has none. */
struct sevq_direct_target {
	struct sevq_str channel, account, peer;
};

/* Section 2, "Direct target". False, with *ret unchanged, when the key names none. */
bool sevq_session_key_direct_target(struct sevq_arena *arena, struct sevq_str key, struct sevq_direct_target *ret);

#endif
